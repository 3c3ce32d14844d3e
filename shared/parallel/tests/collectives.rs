//! What all ranks do together gives what one would compute alone; traffic is what the plan foretells.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use recspeed_parallel::local::{self, Local};
use recspeed_parallel::{CommError, Communicator, Tag};
use recspeed_plan::sharding::{FlatSpace, Precision, ShardLevel, traffic};

/// Local ranks wait for nothing outside: one poll runs them to the end.
fn block<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("local ranks wait for nothing outside"),
    }
}

fn run<R, F: Future<Output = Result<R, CommError>>>(
    ranks: usize,
    task: impl Fn(Communicator<Local>) -> F,
) -> Result<Vec<R>, CommError> {
    block(local::run(ranks, task))
}

proptest! {
    #[test]
    fn an_all_reduce_is_the_sum_in_the_order_of_ranks(
        ranks in 1..7_usize,
        numbers in prop::collection::vec(-1e6..1e6_f32, 0..60),
    ) {
        let len = numbers.len() / ranks;
        let of = |rank: usize| numbers[rank * len..(rank + 1) * len].to_vec();
        let mut sum = of(0);
        for rank in 1..ranks {
            sum.iter_mut().zip(of(rank)).for_each(|(sum, term)| *sum += term);
        }
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let reduced = run(ranks, |communicator| {
            let mut own = of(communicator.rank());
            async move {
                communicator.all_reduce(&mut own).await?;
                Ok(own)
            }
        }).expect("all do the same");
        for own in reduced {
            prop_assert_eq!(bits(&own), bits(&sum));
        }
    }

    #[test]
    fn reduce_scatter_gives_the_shards_of_the_flat_space(ranks in 1..9_usize, len in 0..30_usize) {
        let space = FlatSpace::new(&[len], ranks);
        let parts = run(ranks, |communicator| async move {
            let own: Vec<f64> = (0..len).map(|at| (at * (communicator.rank() + 1)) as f64).collect();
            communicator.reduce_scatter(&own).await
        }).expect("all do the same");
        let all = (ranks * (ranks + 1) / 2) as f64;
        for (rank, part) in parts.iter().enumerate() {
            let expected: Vec<f64> = space.shard(rank).map(|at| at as f64 * all).collect();
            prop_assert_eq!(part, &expected);
        }
    }
}

#[test]
fn gather_and_broadcast_bring_everybody_the_same() {
    let gathered = run(4, |communicator| async move {
        communicator.barrier().await?;
        let mut seed = [if communicator.rank() == 2 { 7.0_f32 } else { 0.0 }];
        communicator.broadcast(2, &mut seed).await?;
        communicator.all_gather(&[communicator.rank() as f32 + seed[0]]).await
    })
    .expect("all do the same");
    assert_eq!(gathered, vec![vec![7.0, 8.0, 9.0, 10.0]; 4]);
}

#[test]
fn the_bytes_sent_are_those_that_the_plan_foretells() {
    let (ranks, parameters) = (4, 1000);
    let foretold = traffic(ShardLevel::DataParallel, ranks, parameters, Precision::F32);
    let counters = run(ranks, |communicator| async move {
        let mut gradients = vec![1.0_f32; parameters as usize];
        communicator.all_reduce(&mut gradients).await?;
        Ok(communicator.counters())
    })
    .expect("all do the same");
    for counters in counters {
        assert_eq!(counters.sent_bytes, foretold.total());
        assert_eq!(counters.received_bytes, foretold.total());
        // Two phases, in each a message to each other rank: what the plan counts latencies of.
        assert_eq!(counters.sent, 2 * (ranks as u64 - 1));
    }
}

#[test]
fn groups_do_not_read_each_others_messages() {
    // Two rows of two: sums along rows and along columns, begun in different orders on different ranks.
    let sums = run(4, |communicator| async move {
        let (row, column) = (communicator.rank() / 2, communicator.rank() % 2);
        let rows = communicator.group(&[2 * row, 2 * row + 1], 1 + row as u32)?;
        let columns = communicator.group(&[column, column + 2], 3 + column as u32)?;
        let (mut along_row, mut along_column) = ([communicator.rank() as f32], [communicator.rank() as f32]);
        rows.all_reduce(&mut along_row).await?;
        columns.all_reduce(&mut along_column).await?;
        Ok((along_row[0], along_column[0], communicator.counters().sent))
    })
    .expect("all do the same");
    let expected = [(1.0, 2.0), (1.0, 4.0), (5.0, 2.0), (5.0, 4.0)];
    for ((row, column, sent), expected) in sums.into_iter().zip(expected) {
        assert_eq!((row, column), expected);
        assert!(sent > 0, "groups count with the whole");
    }
}

#[test]
fn a_group_holds_each_rank_once() {
    let error =
        run(2, |communicator| async move { communicator.group(&[0, 1, 1], 1).map(|_| ()) }).expect_err("refused");
    assert_eq!(error, CommError::Repeated { rank: 0, peer: 1 });
}

#[test]
fn ranks_that_wait_for_each_other_are_told_so_at_once() {
    let error = run(2, |communicator| async move {
        communicator.recv::<f32>(1 - communicator.rank(), Tag::new("activation", 3)).await
    })
    .expect_err("nobody sends");
    let text = error.to_string();
    assert!(
        text.contains("rank 0 waits for rank 1 (activation 3)") && text.contains("rank 1 waits for rank 0"),
        "{text}"
    );
}

#[test]
fn the_first_error_of_a_rank_ends_all_of_them() {
    let error = run(3, |communicator| async move {
        if communicator.rank() == 1 {
            return Err(CommError::Cancelled { rank: 1 });
        }
        communicator.barrier().await
    })
    .expect_err("one fails");
    assert_eq!(error, CommError::Cancelled { rank: 1 });
}

#[test]
fn vectors_of_different_lengths_are_an_error_that_names_the_rank() {
    let error = run(2, |communicator| async move {
        let mut own = vec![0.0_f32; 4 + 4 * communicator.rank()];
        communicator.all_reduce(&mut own).await
    })
    .expect_err("lengths differ");
    assert!(matches!(error, CommError::Length { .. }), "{error}");
    let error = run(2, |communicator| async move { communicator.send(2, Tag::new("x", 0), &[0.0_f32]).await })
        .expect_err("no rank 2");
    assert!(matches!(error, CommError::NoSuchRank { peer: 2, ranks: 2, .. }), "{error}");
}
