//! What holds for ranks that are tasks holds for ranks that are processes, for strategies of every kind.

use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_parallel::{CommError, Communicator, Tag, at_once};

use super::note::Notes;
use super::verdict::fallen;
use super::world::{Seat, World};
use crate::dying;
use crate::every_strategy::cases;

/// Short enough that every tensor is cut.
const PIECE: usize = 100;

/// What the ranks are told, in their environment, and the folder in which each leaves a file.
const TOLD: &str = "RECSPEED_TEST_TOLD";
const FOLDER: &str = "RECSPEED_TEST_FOLDER";

/// How ranks ended.
struct Ended {
    success: bool,
    /// What they and `mpirun` printed. Ranks print at once, so that what one says may be torn by another one's words.
    said: String,
    /// What each rank left, whole ([`leave`]).
    left: Vec<Option<String>>,
}

/// Starts this very test program as ranks, each of which runs one test that is ignored otherwise.
fn started(ranks: usize, test: &str) -> Option<Ended> {
    started_with(ranks, test, "", &[])
}

/// Settings of Open MPI with which a long message comes in stretches, at each of which its sender has a part. Where the receiver may read
/// the sender's memory it comes without the sender's help.
const IN_STRETCHES: [(&str, &str); 3] = [
    ("OMPI_MCA_pml", "ob1"),
    ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
    ("OMPI_MCA_btl_sm_single_copy_mechanism", "none"),
];

/// Numbers of a long message, 12 MB.
const LONG: usize = 3_000_000;

/// `settings`: more for the environment.
fn started_with(ranks: usize, test: &str, told: &str, settings: &[(&str, &str)]) -> Option<Ended> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("mpirun");
    command.args(["-n", &ranks.to_string(), "--oversubscribe", "--bind-to", "none"]);
    command.arg(std::env::current_exe().unwrap()).args([
        "--exact",
        test,
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env(TOLD, told).env(FOLDER, folder.path()).envs(settings.iter().copied());
    match command.output() {
        Ok(output) => {
            let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
            let left = (0..ranks).map(|rank| std::fs::read_to_string(folder.path().join(rank.to_string())).ok());
            Some(Ended { success: output.status.success(), said: format!("{out}\n{err}"), left: left.collect() })
        }
        Err(error) => {
            // `make mpi-test` sets it once it has seen to it that MPI is there.
            assert!(std::env::var_os("RECSPEED_EXPECT_MPI").is_none(), "mpirun cannot be started: {error}");
            eprintln!("skipped: mpirun cannot be started ({error})");
            None
        }
    }
}

/// Leaves a file that says how far this rank came, for whoever started it.
fn leave(rank: usize, words: &str) {
    std::fs::write(left_by(rank), words).unwrap();
}

/// The file that a rank leaves.
fn left_by(rank: usize) -> PathBuf {
    folder().join(rank.to_string())
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).expect("the test that starts the ranks names a folder").into()
}

/// The folder, for what ranks note of themselves.
fn notes() -> Notes {
    Notes::new(&folder())
}

/// A rank's way to the others, on which it waits so long.
fn seat(world: &Rc<World>, timeout: Duration) -> Seat {
    world.seat(timeout, Arc::new(|| 0), notes())
}

/// What a rank leaves that came to the end of its test.
const DONE: &str = "done";

/// Every rank came to the end of its test. That nobody failed is not enough: a test of another name fails nowhere.
fn all_come_to_the_end(ranks: usize, test: &str) {
    all_come_to_the_end_with(ranks, test, &[]);
}

fn all_come_to_the_end_with(ranks: usize, test: &str, settings: &[(&str, &str)]) {
    if let Some(Ended { success, said, left }) = started_with(ranks, test, "", settings) {
        assert!(success, "{said}");
        assert_eq!(left, vec![Some(DONE.to_owned()); ranks], "{said}");
    }
}

fn all_agree(ranks: usize) {
    all_come_to_the_end(ranks, "mpi::tests::a_rank_trains");
}

#[test]
fn one_process_trains_as_one_task() {
    all_agree(1);
}

#[test]
fn two_processes_train_as_two_tasks() {
    all_agree(2);
}

#[test]
fn three_processes_train_as_three_tasks() {
    all_agree(3);
}

#[test]
fn four_processes_train_as_four_tasks() {
    all_agree(4);
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_trains() {
    let world = World::join_with(PIECE).expect("this process joins once");
    for case in cases(world.ranks()) {
        let communicator = Communicator::new(seat(&world, Duration::from_mins(1)));
        at_once(case.agrees(communicator, &case.tasks())).expect("processes train");
    }
    leave(world.rank(), DONE);
    world.part(Duration::from_secs(5));
}

#[test]
fn a_message_that_never_comes_is_a_time_out_that_says_what_was_done_before() {
    let Some(Ended { success, said, left }) = started(2, "mpi::tests::a_rank_waits_in_vain") else { return };
    assert!(!success, "{said}");
    let error = left[0].as_deref().unwrap_or_else(|| panic!("the first rank leaves nothing: {said}"));
    let begins = "rank 1 hangs: it waits for no message. A rank that takes longer than 1 s needs a longer `strategy.timeout`. Found so: \
                  rank 0 waits for rank 1 (activation 2) for more than 1 s";
    assert!(error.starts_with(begins), "{error}\n{said}");
    assert!(error.contains("received from rank 1 (activation 1, 4 bytes)"), "{error}\n{said}");
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_waits_in_vain() {
    let world = World::join().expect("this process joins once");
    let communicator = Communicator::new(seat(&world, Duration::from_secs(1)));
    if world.rank() == 1 {
        at_once(communicator.send(0, Tag::new("activation", 1), &[1.0_f32])).unwrap();
        std::thread::sleep(Duration::from_secs(20));
    }
    at_once(communicator.recv::<f32>(1, Tag::new("activation", 1))).unwrap();
    let error = at_once(communicator.recv::<f32>(1, Tag::new("activation", 2))).expect_err("nobody sends it");
    leave(world.rank(), &error.to_string());
    std::process::exit(1);
}

const KILLED: &str = "mpi::tests::a_rank_is_killed_in_a_fetch";

/// Ranks that run this test; none of this very process.
fn alive(test: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    arguments.filter(|arguments| String::from_utf8_lossy(arguments).split('\0').any(|word| word == test)).count()
}

#[test]
fn a_rank_that_is_killed_in_the_middle_of_a_fetch_of_rows_is_named_and_ends_the_others() {
    for moment in dying::MOMENTS {
        let begun = Instant::now();
        let ended = started_with(dying::RANKS, KILLED, &moment.to_string(), &[]);
        let Some(Ended { success, said, left }) = ended else { return };
        assert!(!success, "before message {moment}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(20), "before message {moment}: {:?}", begun.elapsed());
        let fallen = said.lines().find_map(fallen).unwrap_or_else(|| panic!("mpirun names nobody: {said}"));
        assert_eq!(fallen.rank, dying::DIES, "before message {moment}: {said}");
        assert!(fallen.cause.contains("signal 9"), "{}", fallen.cause);
        assert!(left.iter().all(Option::is_none), "nobody can end without it: {left:?}\n{said}");
        while alive(KILLED) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "before message {moment}: a process is left");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_is_killed_in_a_fetch() {
    let world = World::join().expect("this process joins once");
    let moment = std::env::var(TOLD).unwrap().parse().unwrap();
    let communicator = Communicator::new(seat(&world, Duration::from_mins(1))).any();
    at_once(dying::fetch(communicator, moment, || kill(Pid::this(), Signal::SIGKILL).unwrap())).unwrap();
    leave(world.rank(), DONE);
    world.part(Duration::from_secs(5));
}

#[test]
fn large_messages_cross_without_a_wait() {
    all_come_to_the_end(2, "mpi::tests::a_rank_crosses");
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_crosses() {
    let world = World::join().expect("this process joins once");
    let communicator = Communicator::new(seat(&world, Duration::from_mins(1)));
    let (own, other) = (communicator.rank(), 1 - communicator.rank());
    for round in 0..5 {
        let numbers = vec![own as f32 + round as f32; LONG];
        // Both send first: nobody may wait for the other to receive.
        at_once(communicator.send(other, Tag::new("gradient", round), &numbers)).unwrap();
        let theirs = at_once(communicator.recv::<f32>(other, Tag::new("gradient", round))).unwrap();
        assert_eq!(theirs, vec![other as f32 + round as f32; LONG]);
    }
    leave(own, DONE);
    world.part(Duration::from_secs(5));
}

const STALLS: &str = "mpi::tests::a_rank_stalls_while_its_message_is_coming";

#[test]
fn a_rank_that_stalls_while_its_message_is_coming_is_named_within_the_deadline_and_nobody_is_left() {
    let begun = Instant::now();
    let Some(Ended { success, said, left }) = started_with(3, STALLS, "", &IN_STRETCHES) else { return };
    assert!(!success, "{said}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    for rank in [0, 2] {
        let error = left[rank].as_deref().unwrap_or_else(|| panic!("rank {rank} leaves nothing: {said}"));
        let named = format!(
            "rank 1 hangs: it waits for no message. A rank that takes longer than 2 s needs a longer `strategy.timeout`. Found so: rank \
             {rank} waits for rank 1 (activation 1) for more than 2 s"
        );
        assert!(error.starts_with(&named), "{error}\n{said}");
    }
    assert_eq!(left[1], None, "{said}");
    while alive(STALLS) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "a process is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_stalls_while_its_message_is_coming() {
    let world = World::join().expect("this process joins once");
    let communicator = Communicator::new(seat(&world, Duration::from_secs(2)));
    let tag = Tag::new("activation", 1);
    if world.rank() == 1 {
        let numbers = vec![1.0_f32; LONG];
        for to in [0, 2] {
            at_once(communicator.send(to, tag, &numbers)).unwrap();
        }
        // From here on it is busy with something else, and calls nobody. The end of the others ends it.
        std::thread::sleep(Duration::from_mins(2));
        std::process::exit(1);
    }
    let error = at_once(communicator.recv::<f32>(1, tag)).expect_err("it cannot come whole");
    leave(world.rank(), &error.to_string());
    // Whoever goes first ends all: the other one has its word, too.
    let begun = Instant::now();
    while !left_by(2 - world.rank()).exists() && begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::process::exit(1);
}

const STOPS: &str = "mpi::tests::a_stage_is_stopped";

#[test]
fn a_stage_that_is_stopped_is_named_by_all_though_the_first_to_give_up_waits_for_another_one() {
    let begun = Instant::now();
    let Some(Ended { success, said, left }) = started(4, STOPS) else { return };
    assert!(!success, "{said}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    for (rank, waits) in [(0, "1 (gradient 0)"), (1, "2 (gradient 0)"), (3, "2 (activation 1)")] {
        let error = left[rank].as_deref().unwrap_or_else(|| panic!("rank {rank} leaves nothing: {said}"));
        let named = format!(
            "rank 2 hangs: its process is stopped. A rank that is stopped for longer than 4 s needs a longer `strategy.timeout`. Found \
             so: rank {rank} waits for rank {waits} for more than 4 s, and gives up; "
        );
        assert!(error.starts_with(&named), "{error}\n{said}");
    }
    let between = "gives up; rank 1 waits for rank 2 (gradient 0) for ";
    assert!(left[0].as_deref().is_some_and(|error| error.contains(between)), "{left:?}");
    assert_eq!(left[2], None, "{said}");
    while alive(STOPS) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "a process is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// GPipe with two micro-batches on four stages, of which the third is stopped before it sends the second one on.
async fn passes(communicator: &Communicator<Seat>) -> Result<Vec<f32>, CommError> {
    let rank = communicator.rank();
    for micro_batch in 0..2 {
        let tag = Tag::new("activation", micro_batch);
        if rank > 0 {
            communicator.recv::<f32>(rank - 1, tag).await?;
        }
        if rank == 2 && micro_batch == 1 {
            kill(Pid::this(), Signal::SIGSTOP).unwrap();
            // Another thread may be the one that takes the signal: until then this one goes on, and must not send.
            std::thread::sleep(Duration::from_millis(500));
        }
        if rank < 3 {
            communicator.send(rank + 1, tag, &[1.0_f32]).await?;
        }
    }
    // The time of the first stage is over first.
    std::thread::sleep(Duration::from_millis(400 * rank as u64));
    communicator.recv(rank + 1, Tag::new("gradient", 0)).await
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_stage_is_stopped() {
    let world = World::join().expect("this process joins once");
    let (rank, notes) = (world.rank(), notes());
    notes.sit_down(rank);
    let communicator = Communicator::new(seat(&world, Duration::from_secs(4)));
    let error = at_once(passes(&communicator)).expect_err("nothing can come");
    leave(rank, &error.to_string());
    // Whoever goes first ends all: each has its word, too.
    let begun = Instant::now();
    while [0, 1, 3].iter().any(|&other| !left_by(other).exists()) && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Its end is nothing that this test is about.
    if let Some(pid) = notes.pid(2) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    std::process::exit(1);
}

#[test]
fn what_a_rank_has_sent_goes_on_while_it_computes() {
    all_come_to_the_end_with(2, "mpi::tests::a_rank_computes_while_its_message_is_coming", &IN_STRETCHES);
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_computes_while_its_message_is_coming() {
    let world = World::join().expect("this process joins once");
    let communicator = Communicator::new(seat(&world, Duration::from_secs(20)));
    let tag = Tag::new("activation", 1);
    if world.rank() == 1 {
        at_once(communicator.send(0, tag, &vec![1.0_f32; LONG])).unwrap();
        let begun = Instant::now();
        // Layers of a millisecond each, between which nothing is sent or waited for.
        while !left_by(0).exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not come");
            std::thread::sleep(Duration::from_millis(1));
            communicator.progress();
        }
    } else {
        let numbers = at_once(communicator.recv::<f32>(1, tag)).unwrap();
        assert!(numbers == vec![1.0; LONG], "{} other numbers", numbers.len());
    }
    leave(world.rank(), DONE);
    world.part(Duration::from_secs(5));
}

#[test]
fn short_messages_do_not_overtake_a_long_one_of_the_same_sender() {
    all_come_to_the_end_with(2, "mpi::tests::a_rank_sends_short_ones_behind_a_long_one", &IN_STRETCHES);
}

#[test]
#[ignore = "one of several processes that mpirun starts"]
fn a_rank_sends_short_ones_behind_a_long_one() {
    let world = World::join().expect("this process joins once");
    let communicator = Communicator::new(seat(&world, Duration::from_mins(1)));
    // All with one tag: only their order tells them apart.
    let (tag, lengths) = (Tag::new("gradient", 1), [LONG, 1, 2, LONG + 1, 3]);
    for (round, length) in lengths.into_iter().enumerate() {
        if world.rank() == 1 {
            at_once(communicator.send(0, tag, &vec![round as f32; length])).unwrap();
        } else {
            let numbers = at_once(communicator.recv::<f32>(1, tag)).unwrap();
            assert!(numbers == vec![round as f32; length], "message {round}: {} numbers", numbers.len());
        }
    }
    at_once(communicator.barrier()).unwrap();
    leave(world.rank(), DONE);
    world.part(Duration::from_secs(5));
}
