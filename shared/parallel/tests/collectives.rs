//! What all ranks do together gives what one would compute alone; traffic is what the plan foretells.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use recspeed_parallel::local::{self, Local};
use recspeed_parallel::{CommError, Communicator, RankFailure, Tag, Waiting};
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
            let expected: Vec<f64> = space.stretches(rank).into_iter().flatten().map(|at| at as f64 * all).collect();
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
    let broken = || CommError::Broken { rank: 1, peer: 2, cause: "the cable is cut".to_owned() };
    let error = run(3, |communicator| async move {
        if communicator.rank() == 1 {
            return Err(broken());
        }
        communicator.barrier().await
    })
    .expect_err("one fails");
    assert_eq!(error, broken());
}

/// A rank's pipeline, of two stages with two replicas each: ranks 0 and 1 hold the first stage, 2 and 3 the second.
fn pipeline(all: &Communicator<Local>) -> Result<Communicator<Local>, CommError> {
    let replica = all.rank() % 2;
    all.group(&[replica, replica + 2], 1 + replica as u32)
}

#[test]
fn what_goes_wrong_in_a_group_names_ranks_by_their_numbers_among_all() {
    let tag = Tag::new("activation", 5);
    let own = Tag { group: 2, ..tag };
    let named = |error: CommError, expected: CommError, text: &str| {
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), text);
        assert_eq!(RankFailure::from(error).rank, 3, "the rank that failed");
    };

    // Of the second pipeline the last stage is sent too little.
    let error = run(4, |all| async move {
        let pipeline = pipeline(&all)?;
        match all.rank() {
            1 => pipeline.send(1, tag, &[0.0_f32; 3]).await,
            3 => pipeline.recv_exactly::<f32>(0, tag, 4).await.map(|_| ()),
            _ => Ok(()),
        }
    });
    let expected = CommError::Length { rank: 3, from: 1, tag: own, got: 12, expected: 16 };
    let text = "rank 3 got 12 bytes from rank 1 (activation 5 in group 2) where 16 belong";
    named(error.expect_err("too short"), expected, text);

    // It waits for what nobody sends.
    let error = run(4, |all| async move {
        let pipeline = pipeline(&all)?;
        if all.rank() == 3 { pipeline.recv::<f32>(0, tag).await.map(|_| ()) } else { Ok(()) }
    });
    let expected = CommError::Deadlock(vec![Waiting { rank: 3, from: 1, tag: own }]);
    let text = "no rank can go on: rank 3 waits for rank 1 (activation 5 in group 2)";
    named(error.expect_err("nobody sends"), expected, text);

    // It addresses who is not there, and itself.
    for place in [1, 2] {
        let error = run(4, |all| async move {
            let pipeline = pipeline(&all)?;
            if all.rank() == 3 { pipeline.send(place, tag, &[0.0_f32]).await } else { Ok(()) }
        });
        let expected = CommError::NoSuchRank { rank: 3, place, ranks: 2 };
        let text = format!("rank 3 addressed place {place} in a group of 2: nobody else is there");
        named(error.expect_err("nobody else"), expected, &text);
    }

    // It makes groups of its pipeline that cannot be.
    let grouped = |members: &'static [usize]| {
        run(4, |all| async move {
            let pipeline = pipeline(&all)?;
            if all.rank() == 3 { pipeline.group(members, 9).map(|_| ()) } else { Ok(()) }
        })
        .expect_err("refused")
    };
    let text = "rank 3 made a group that holds rank 1 twice";
    named(grouped(&[1, 0, 0]), CommError::Repeated { rank: 3, peer: 1 }, text);
    let text = "rank 3 made a group without itself, of ranks [1]";
    named(grouped(&[0]), CommError::NoMember { rank: 3, members: vec![1] }, text);
    let text = "rank 3 addressed place 2 in a group of 2: nobody else is there";
    named(grouped(&[1, 2]), CommError::NoSuchRank { rank: 3, place: 2, ranks: 2 }, text);
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
    assert!(matches!(error, CommError::NoSuchRank { place: 2, ranks: 2, .. }), "{error}");
}
