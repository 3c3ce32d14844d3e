//! Threads train as tasks do, and end together whatever becomes of one of them.

use super::*;
use crate::dying;
use crate::every_strategy::cases;
use std::sync::atomic::{AtomicBool, Ordering};

fn threads(timeout: Duration) -> Threads {
    let start = Instant::now();
    Threads {
        timeout,
        clock: Arc::new(move || start.elapsed().as_micros() as u64),
        gpus: false,
        warn: Box::new(|message| panic!("warned: {message}")),
        abandon: Box::new(|failure| panic!("abandoned: {failure}")),
    }
}

/// Runs the same task on every rank.
fn run(
    threads: &Threads,
    ranks: usize,
    task: impl Fn(Communicator<AnyTransport>) -> Task<'static> + Sync,
) -> Result<(), RankFailure> {
    threads.run(ranks, Box::new(|communicator| task(communicator)), &|communicator| task(communicator))
}

#[test]
fn threads_add_up_as_tasks_do() {
    let threads = threads(Duration::from_secs(20));
    run(&threads, 4, |communicator| {
        Box::pin(async move {
            for round in 0..50 {
                let mut own = [0.1_f32 * communicator.rank() as f32, round as f32];
                communicator.all_reduce(&mut own).await?;
                assert_eq!(own[1], 4.0 * round as f32);
                communicator.barrier().await?;
            }
            Ok(())
        })
    })
    .expect("all do the same");
}

#[test]
fn whoever_looks_out_sees_what_comes_and_sleeps_when_its_time_is_over() {
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    assert!(Hub::new(cores).cores);
    assert!(!Hub::new(cores + 1).cores, "nobody looks out where another rank needs the core");
    let hub = Hub::new(2);
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| hub.look_out(1, 0, Instant::now() + Duration::from_mins(1)));
        hub.post(0, 1, Tag::new("a test", 0), Message::from_elems(vec![1.0_f32]));
        looks.join().unwrap();
    });
    let begun = Instant::now();
    hub.look_out(1, 1, begun + LOOK_OUT);
    assert!(begun.elapsed() >= LOOK_OUT, "nothing more has come");
}

#[test]
fn threads_train_as_tasks_do_by_every_strategy() {
    let threads = Threads { clock: Arc::new(|| 0), ..threads(Duration::from_mins(1)) };
    for ranks in 1..=4 {
        for case in cases(ranks) {
            let tasks = case.tasks();
            let known = Arc::new((case, tasks));
            run(&threads, ranks, move |communicator| {
                let known = known.clone();
                Box::pin(async move { known.0.agrees(communicator, &known.1).await })
            })
            .expect("threads train");
        }
    }
}

/// What a machine with two GPUs, and a worker with the features `cuda` and `nccl`, must show.
#[cfg(feature = "nccl")]
#[test]
fn two_gpus_carry_what_threads_do() {
    if nccl::gpus() < 2 {
        println!("skipped: this machine has {} GPUs, and NCCL wants one for each rank", nccl::gpus());
        return;
    }
    let threads = Threads { gpus: true, ..threads(Duration::from_secs(20)) };
    run(&threads, 2, |communicator| {
        Box::pin(async move {
            let other = 1 - communicator.rank();
            // The later one is asked for first.
            for number in [1, 2] {
                communicator.send(other, Tag::new("activation", number), &[number as f32; 5]).await?;
            }
            for number in [2, 1] {
                let found = communicator.recv::<f32>(other, Tag::new("activation", number)).await?;
                assert_eq!(found, [number as f32; 5]);
            }
            let mut own = [0.1_f32 * communicator.rank() as f32, 1.0];
            communicator.all_reduce(&mut own).await?;
            assert_eq!(own, [0.1, 2.0]);
            Ok(())
        })
    })
    .expect("both do the same");
}

#[cfg(feature = "nccl")]
#[test]
fn ranks_on_gpus_that_nccl_does_not_join_are_warned_of_with_the_reason_and_train() {
    let (told, heard) = std::sync::mpsc::channel();
    let warn = Box::new(move |message: String| told.send(message).expect("somebody hears"));
    let threads = Threads { gpus: true, warn, ..threads(Duration::from_secs(20)) };
    let ranks = nccl::gpus() + 2;
    run(&threads, ranks, |communicator| {
        Box::pin(async move {
            communicator.barrier().await?;
            Ok(())
        })
    })
    .expect("threads carry what NCCL does not");
    let warnings: Vec<String> = heard.try_iter().collect();
    let begins = format!(
        "the ranks' messages travel through the host's memory, not by NCCL: NCCL wants a GPU for each of {ranks} ranks, and"
    );
    assert!(warnings.len() == 1 && warnings[0].starts_with(&begins), "{warnings:?}");
}

#[test]
fn a_rank_whose_ways_do_not_open_in_time_ends_the_process_with_its_own_words() {
    let (told, heard) = std::sync::mpsc::channel();
    let abandon = Box::new(move |failure: &RankFailure| told.send(failure.clone()).expect("somebody hears"));
    let threads = Threads { abandon, ..threads(Duration::from_millis(200)) };
    let hub = Arc::new(Hub::new(2));
    hub.end(1, Ok(()));
    let opening = opens_within(Duration::from_millis(50), &hub, 0).expect("a thread");
    threads.watch(&hub);
    drop(opening);
    let failure = heard.try_recv().expect("it is abandoned");
    assert!(failure.rank == 0 && !failure.follows && failure.cause.contains("did not open within 0.05 s"), "{failure}");
    // One that opens in time says nothing.
    let hub = Arc::new(Hub::new(1));
    drop(opens_within(Duration::from_millis(50), &hub, 0).expect("a thread"));
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(hub.mail().failed, None);
}

#[test]
fn a_rank_that_panics_ends_all_with_its_own_words_first() {
    for panics in 0..3 {
        let start = Instant::now();
        let failure = run(&threads(Duration::from_secs(20)), 3, move |communicator| {
            Box::pin(async move {
                assert!(communicator.rank() != panics, "out of luck");
                communicator.barrier().await?;
                Ok(())
            })
        })
        .expect_err("one panics");
        assert_eq!(failure.rank, panics);
        assert!(failure.cause.contains("out of luck") && !failure.follows, "{failure}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_message_that_never_comes_is_a_time_out_that_says_what_was_done_before() {
    let failure = run(&threads(Duration::from_secs(2)), 2, |communicator| {
        Box::pin(async move {
            if communicator.rank() == 1 {
                communicator.send(0, Tag::new("activation", 1), &[1.0_f32]).await?;
                // It lives longer than the other one waits.
                std::thread::sleep(Duration::from_secs(4));
            } else {
                communicator.send(1, Tag::new("gradient", 1), &[1.0_f32; 2]).await?;
                communicator.recv::<f32>(1, Tag::new("activation", 1)).await?;
                communicator.recv::<f32>(1, Tag::new("activation", 2)).await?;
            }
            Ok(())
        })
    })
    .expect_err("nobody sends");
    assert!(failure.rank == 1 && !failure.follows, "whom it waited for: {failure}");
    let told = "rank 1 hangs: it waits for no message. A rank that takes longer than 2 s needs a longer `strategy.timeout`. Found so: \
                rank 0 waits for rank 1 (activation 2) for more than 2 s, and gives up; last operations of rank 1: sent to rank 0 \
                (activation 1, 4 bytes); last operations of rank 0: sent to rank 1 (gradient 1, 8 bytes), received from rank 1 \
                (activation 1, 4 bytes)";
    assert_eq!(failure.cause, told);
}

/// Two stages with two replicas each: ranks 0 and 1 hold the first stage, 2 and 3 the second.
#[test]
fn a_rank_that_is_waited_for_in_a_group_is_named_by_its_number_among_all() {
    let failure = run(&threads(Duration::from_secs(2)), 4, |all| {
        Box::pin(async move {
            let (stage, replica) = (all.rank() / 2, all.rank() % 2);
            let pipeline = all.group(&[replica, 2 + replica], 1 + replica as u32)?;
            let replicas = all.group(&[2 * stage, 2 * stage + 1], 3 + stage as u32)?;
            replicas.barrier().await?;
            if stage == 0 {
                pipeline.send(1, Tag::new("activation", 1), &[1.0_f32]).await?;
            } else {
                pipeline.recv::<f32>(0, Tag::new("activation", 1)).await?;
            }
            match all.rank() {
                // The last stage of the second pipeline hangs, and lives longer than the first one waits.
                3 => std::thread::sleep(Duration::from_secs(4)),
                1 => drop(pipeline.recv::<f32>(1, Tag::new("gradient", 1)).await?),
                // Once the first rank has finished, the others have no longer than a time-out.
                0 => std::thread::sleep(Duration::from_secs(3)),
                _ => {}
            }
            Ok(())
        })
    })
    .expect_err("one hangs");
    assert!(failure.rank == 3 && !failure.follows, "whom it waited for: {failure}");
    let told = "rank 3 hangs: it waits for no message. A rank that takes longer than 2 s needs a longer `strategy.timeout`. Found so: \
                rank 1 waits for rank 3 (gradient 1 in group 2) for more than 2 s, and gives up; last operations of rank 3: sent to rank \
                2 (barrier 1 in group 4 of ranks 2 and 3, 0 bytes), received from rank 2 (barrier 1 in group 4 of ranks 2 and 3, 0 \
                bytes), received from rank 1 (activation 1 in group 2 of ranks 1 and 3, 4 bytes); last operations of rank 1: sent to \
                rank 0 (barrier 1 in group 3 of ranks 0 and 1, 0 bytes), received from rank 0 (barrier 1 in group 3 of ranks 0 and 1, 0 \
                bytes), sent to rank 3 (activation 1 in group 2 of ranks 1 and 3, 4 bytes)";
    assert_eq!(failure.cause, told);
}

#[test]
fn what_one_rank_works_on_alone_is_waited_for_beyond_the_time_out_while_it_lives() {
    for dies in [false, true] {
        let start = Instant::now();
        let result = run(&threads(Duration::from_millis(100)), 2, move |communicator| {
            Box::pin(async move {
                if communicator.rank() == 0 {
                    std::thread::sleep(Duration::from_millis(400));
                    assert!(!dies, "the judge is dead");
                }
                let number = if communicator.rank() == 0 { 0.5 } else { 0.0 };
                assert_eq!(communicator.broadcast_at_leisure(0, number).await?, 0.5_f64);
                Ok(())
            })
        });
        match result {
            Ok(()) => assert!(!dies),
            Err(failure) => assert!(dies && failure.rank == 0 && failure.cause.contains("dead"), "{failure}"),
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_first_rank_that_hangs_while_it_judges_alone_is_abandoned_too() {
    static HANGS: AtomicBool = AtomicBool::new(true);
    let start = Instant::now();
    let threads = Threads {
        abandon: Box::new(|failure| {
            // The process would end here.
            HANGS.store(false, Ordering::Relaxed);
            assert!(failure.cause.contains("rank 1 waits for rank 0 (verdict"), "{failure}");
        }),
        ..threads(Duration::from_millis(40))
    };
    let failure = run(&threads, 2, |communicator| {
        Box::pin(async move {
            while communicator.rank() == 0 && HANGS.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            communicator.broadcast_at_leisure(0, 0.5_f64).await?;
            Ok(())
        })
    })
    .expect_err("the judge hangs");
    assert_eq!(failure.rank, 0, "who waited says for whom: {failure}");
    assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_rank_that_hangs_is_abandoned_within_the_deadline() {
    static HANGS: AtomicBool = AtomicBool::new(true);
    let start = Instant::now();
    let threads = Threads {
        abandon: Box::new(|failure| {
            // The process would end here.
            HANGS.store(false, Ordering::Relaxed);
            assert!(failure.cause.contains("rank 0 waits for rank 1"), "{failure}");
        }),
        ..threads(Duration::from_millis(200))
    };
    let failure = run(&threads, 2, |communicator| {
        Box::pin(async move {
            while communicator.rank() == 1 && HANGS.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            communicator.barrier().await?;
            Ok(())
        })
    })
    .expect_err("one hangs");
    assert_eq!(failure.rank, 1, "who waited says for whom: {failure}");
    assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(10));
}

/// A step of GPipe with three micro-batches on four stages, of which the third hangs before its last forward pass is sent on, and lives
/// longer than anybody waits.
async fn a_step_with_a_hang(all: Communicator<AnyTransport>) -> Result<(), RankFailure> {
    const MICRO_BATCHES: u64 = 3;
    let (rank, last) = (all.rank(), all.ranks() - 1);
    for micro_batch in 0..MICRO_BATCHES {
        let tag = Tag::new("activation", micro_batch);
        if rank > 0 {
            all.recv::<f32>(rank - 1, tag).await?;
        }
        // The first stage is the quickest: its time is over first.
        std::thread::sleep(Duration::from_millis(100 * rank as u64));
        if rank == 2 && micro_batch + 1 == MICRO_BATCHES {
            std::thread::sleep(Duration::from_secs(4));
        }
        if rank < last {
            all.send(rank + 1, tag, &[1.0_f32]).await?;
        }
    }
    for micro_batch in 0..MICRO_BATCHES {
        let tag = Tag::new("gradient", micro_batch);
        if rank < last {
            all.recv::<f32>(rank + 1, tag).await?;
        }
        if rank > 0 {
            all.send(rank - 1, tag, &[1.0_f32]).await?;
        }
    }
    Ok(())
}

#[test]
fn a_stage_that_hangs_is_named_though_the_first_to_give_up_waits_for_another_one() {
    let start = Instant::now();
    let failure = run(&threads(Duration::from_secs(2)), 4, |all| Box::pin(a_step_with_a_hang(all)))
        .expect_err("the third stage hangs");
    assert!(failure.rank == 2 && !failure.follows, "{failure}");
    let begins = "rank 2 hangs: it waits for no message. A rank that takes longer than 2 s needs a longer `strategy.timeout`. Found so: \
                  rank 0 waits for rank 1 (gradient 0) for more than 2 s, and gives up; rank 1 waits for rank 2 (gradient 0) for ";
    assert!(failure.cause.starts_with(begins), "{failure}");
    let newest = "; last operations of rank 2: received from rank 1 (activation 1, 4 bytes), sent to rank 3 (activation 1, 4 bytes), \
                  received from rank 1 (activation 2, 4 bytes); last operations of rank 0: ";
    assert!(failure.cause.contains(newest), "{failure}");
    let all = "Operations of rank 2, the newest last:\n  received from rank 1 (activation 0, 4 bytes)\n  sent to rank 3 (activation 0, ";
    assert!(failure.detail.contains(all), "{}", failure.detail);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn ranks_that_wait_for_each_other_are_all_named_by_one_that_waits_for_them() {
    let failure = run(&threads(Duration::from_secs(1)), 4, |all| {
        Box::pin(async move {
            // The time of the first one is over first.
            std::thread::sleep(Duration::from_millis(if all.rank() == 0 { 0 } else { 200 }));
            let from = if all.rank() == 3 { 1 } else { all.rank() + 1 };
            all.recv::<f32>(from, Tag::new("activation", 7)).await?;
            Ok(())
        })
    })
    .expect_err("nobody sends");
    assert!(failure.rank == 1 && !failure.follows, "{failure}");
    let begins = "ranks 1, 2 and 3 wait for each other, and none can go on. No `strategy.timeout` is long enough for that. Found so: \
                  rank 0 waits for rank 1 (activation 7) for more than 1 s, and gives up; rank 1 waits for rank 2 (activation 7) for ";
    assert!(failure.cause.starts_with(begins), "{failure}");
    for wait in ["rank 2 waits for rank 3 (activation 7) for ", "rank 3 waits for rank 1 (activation 7) for "] {
        assert!(failure.cause.contains(wait), "{failure}");
    }
}

#[test]
fn a_rank_whose_message_is_there_and_that_has_not_woken_yet_waits_for_nobody() {
    let waiting = Waiting { rank: 1, from: 2, tag: Tag::new("activation", 1) };
    let mut mail =
        Mail { ended: vec![false; 3], waits: vec![None, Some((waiting, Ran::begin())), None], ..Mail::default() };
    assert!(matches!(mail.seen(1), Seen::Waits(wait) if wait.from == 2));
    assert_eq!((mail.holds_up(1), mail.seen(0)), (2, Seen::Busy));
    mail.boxes.entry((2, 1, waiting.tag)).or_default().push_back(Message::from_elems(vec![1.0_f32]));
    assert_eq!((mail.holds_up(1), mail.seen(1)), (1, Seen::Busy));
    mail.ended[1] = true;
    assert_eq!(mail.seen(1), Seen::Ended);
}

#[test]
fn a_rank_that_dies_in_the_middle_of_a_fetch_of_rows_ends_all_with_its_own_words_first() {
    for moment in dying::MOMENTS {
        let start = Instant::now();
        let failure = run(&threads(Duration::from_secs(20)), dying::RANKS, move |communicator| {
            Box::pin(dying::fetch(communicator, moment, || panic!("out of luck")))
        })
        .expect_err("one dies");
        assert_eq!(failure.rank, dying::DIES, "before message {moment}: {failure}");
        assert!(failure.cause.contains("out of luck") && !failure.follows, "before message {moment}: {failure}");
        // All threads have ended, too: `run` waits for them.
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_rank_that_hangs_in_the_middle_of_a_fetch_of_rows_is_named_whoever_gives_up_first() {
    static HANGS: AtomicBool = AtomicBool::new(true);
    let start = Instant::now();
    let threads = Threads {
        abandon: Box::new(|failure| {
            // The process would end here.
            HANGS.store(false, Ordering::Relaxed);
            assert!(failure.cause.contains("waits for rank 1 (rows"), "{failure}");
        }),
        ..threads(Duration::from_millis(200))
    };
    let failure = run(&threads, dying::RANKS, |communicator| {
        let hang = || {
            while HANGS.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        // It has sent its rows to the first rank, and not to the last one.
        Box::pin(dying::fetch(communicator, dying::MOMENTS.start + 1, hang))
    })
    .expect_err("one hangs");
    assert!(failure.rank == dying::DIES && !failure.follows, "{failure}");
    assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(10));
}
