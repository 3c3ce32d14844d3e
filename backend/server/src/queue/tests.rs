use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

fn waiting(run: usize, person: &str) -> Waiting {
    Waiting {
        run: RunId::new(format!("r{run}")).unwrap(),
        person: person.into(),
        kind: Kind { recommender: "mlp".into(), dataset: "d".into() },
        interrupted: false,
    }
}

fn names(queue: &Queue) -> Vec<String> {
    queue.places(0).into_iter().map(|place| place.run.to_string()).collect()
}

#[test]
fn a_second_person_does_not_wait_for_all_of_the_first_ones_runs() {
    let mut queue = Queue::new(1, History::default());
    for run in 0..4 {
        queue.push(waiting(run, "ada"));
    }
    assert_eq!(queue.start_next(0).unwrap().as_str(), "r0");
    queue.push(waiting(9, "bob"));
    assert_eq!(names(&queue), ["r9", "r1", "r2", "r3"]);
    queue.release(&RunId::new("r0").unwrap(), None);
    assert_eq!(queue.start_next(0).unwrap().as_str(), "r9");
}

#[test]
fn with_one_slot_two_people_take_turns() {
    let mut queue = Queue::new(1, History::default());
    for run in 0..3 {
        queue.push(waiting(run, "ada"));
    }
    for run in 3..6 {
        queue.push(waiting(run, "bob"));
    }
    let mut order = Vec::new();
    while let Some(run) = queue.start_next(0) {
        order.push(run.to_string());
        queue.release(&run, None);
    }
    assert_eq!(order, ["r0", "r3", "r1", "r4", "r2", "r5"]);
}

#[test]
fn an_interrupted_run_goes_first() {
    let mut queue = Queue::new(1, History::default());
    queue.push(waiting(0, "ada"));
    queue.push(Waiting { interrupted: true, ..waiting(1, "bob") });
    assert_eq!(names(&queue), ["r1", "r0"]);
}

#[test]
fn who_was_served_before_a_restart_waits_for_who_was_not() {
    let mut queue = Queue::new(1, History::default());
    queue.remember_served("ada");
    queue.push(waiting(0, "ada"));
    queue.push(waiting(1, "bob"));
    assert_eq!(names(&queue), ["r1", "r0"]);
}

#[test]
fn estimates_count_what_runs_and_what_waits_before() {
    let mut history = History::default();
    history.add(&Kind { recommender: "mlp".into(), dataset: "d".into() }, 10.0);
    let mut queue = Queue::new(1, history);
    for run in 0..3 {
        queue.push(waiting(run, "ada"));
    }
    queue.start_next(1_000);
    let starts: Vec<_> = queue.places(5_000).into_iter().map(|place| place.starts_in_s).collect();
    assert_eq!(starts, [Some(6.0), Some(16.0)]);
}

#[test]
fn behind_a_run_that_takes_longer_than_expected_nothing_is_promised() {
    let mut history = History::default();
    history.add(&Kind { recommender: "mlp".into(), dataset: "d".into() }, 10.0);
    let mut queue = Queue::new(1, history);
    queue.push(waiting(0, "ada"));
    queue.push(waiting(1, "ada"));
    queue.start_next(0);
    let starts: Vec<_> = queue.places(10_000).into_iter().map(|place| place.starts_in_s).collect();
    assert_eq!(starts, [None], "it said: starts in about 0 us");
}

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Step {
    Push { person: u8, interrupted: bool },
    Remove(usize),
    Start,
    End(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u8, prop::bool::weighted(0.1)).prop_map(|(person, interrupted)| Step::Push { person, interrupted }),
        1 => (0..64_usize).prop_map(Step::Remove),
        4 => Just(Step::Start),
        3 => (0..64_usize).prop_map(Step::End),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn every_run_waits_once_runs_once_and_slots_are_never_exceeded(slots in 1..4_usize, steps in steps()) {
        let mut queue = Queue::new(slots, History::default());
        let mut line: Vec<RunId> = Vec::new();
        let mut running: Vec<RunId> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { person, interrupted } => {
                    let run = Waiting { interrupted, ..waiting(number, &format!("p{person}")) };
                    line.push(run.run.clone());
                    queue.push(run);
                }
                Step::Remove(at) if !line.is_empty() => {
                    let run = line.remove(at % line.len());
                    prop_assert!(queue.remove(&run));
                }
                Step::End(at) if !running.is_empty() => {
                    let run = running.swap_remove(at % running.len());
                    queue.release(&run, Some(1.0));
                }
                Step::Start => {
                    let front = queue.places(0).first().map(|place| place.run.clone());
                    let started = queue.start_next(0);
                    prop_assert_eq!(started.is_some(), running.len() < slots && !line.is_empty());
                    if let Some(run) = started {
                        prop_assert_eq!(Some(&run), front.as_ref());
                        line.retain(|other| *other != run);
                        running.push(run);
                    }
                }
                Step::Remove(_) | Step::End(_) => {}
            }
            let places = queue.places(0);
            let shown: HashSet<_> = places.iter().map(|place| place.run.clone()).collect();
            prop_assert_eq!(shown, line.iter().cloned().collect::<HashSet<_>>());
            prop_assert!(places.iter().zip(1..).all(|(place, position)| place.position == position));
            prop_assert!(running.iter().all(|run| queue.is_running(run)));
        }
    }

    #[test]
    fn nobody_without_a_slot_is_passed_over_twice_by_the_same_person(slots in 1..4_usize, steps in steps()) {
        let mut queue = Queue::new(slots, History::default());
        let mut person_of: HashMap<RunId, String> = HashMap::new();
        let mut running: Vec<RunId> = Vec::new();
        // How often each (waiting person, other person) saw the other served while waiting without a slot.
        let mut passed: HashMap<(String, String), u32> = HashMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { person, .. } => {
                    let run = waiting(number, &format!("p{person}"));
                    person_of.insert(run.run.clone(), run.person.clone());
                    queue.push(run);
                }
                Step::Start => {
                    let waits: HashSet<String> =
                        queue.places(0).iter().map(|place| person_of[&place.run].clone()).collect();
                    if let Some(run) = queue.start_next(0) {
                        let served = person_of[&run].clone();
                        passed.retain(|(who, _), _| *who != served);
                        for who in waits {
                            let holds = running.iter().any(|run| person_of[run] == who);
                            if who != served && !holds {
                                let times = passed.entry((who, served.clone())).or_insert(0);
                                *times += 1;
                                prop_assert!(*times <= 1, "{passed:?}");
                            }
                        }
                        running.push(run);
                    }
                }
                Step::End(at) if !running.is_empty() => {
                    let run = running.swap_remove(at % running.len());
                    queue.release(&run, None);
                }
                Step::Remove(_) | Step::End(_) => {}
            }
        }
    }
}
