//! What holds for every schedule: complete, paired, never blocked, as idle and as full as its formula says.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use recspeed_plan::simulate::{Costs, Link, Receives, Sends};
use recspeed_plan::{Cell, Duration, Instruction, PlanError, Recompute, Schedule, ScheduleKind, simulate};

fn any_schedule() -> impl Strategy<Value = Schedule> {
    (0..ScheduleKind::ALL.len(), 1..=8_usize, 1..=20_usize, 1..=4_usize).prop_map(
        |(kind, ranks, micro_batches, chunks)| {
            let kind = ScheduleKind::ALL[kind];
            let chunks = if kind == ScheduleKind::Interleaved { chunks } else { 1 };
            Schedule::new(kind, ranks, micro_batches, chunks).expect("the numbers are possible")
        },
    )
}

fn positions(list: &[Instruction]) -> HashMap<Instruction, usize> {
    let positions: HashMap<_, _> = list.iter().enumerate().map(|(at, &step)| (step, at)).collect();
    assert_eq!(positions.len(), list.len(), "no instruction stands twice in a list");
    positions
}

/// Every cell of a rank, in no order.
fn cells(schedule: &Schedule) -> impl Iterator<Item = Cell> + '_ {
    (0..schedule.chunks())
        .flat_map(|chunk| (0..schedule.micro_batches()).map(move |micro_batch| Cell { chunk, micro_batch }))
}

proptest! {
    #[test]
    fn every_cell_goes_forward_once_and_then_backward_once(schedule in any_schedule()) {
        for rank in 0..schedule.ranks() {
            let list = schedule.list(rank);
            let at = positions(list);
            for cell in cells(&schedule) {
                let forward = at[&Instruction::Forward(cell)];
                if schedule.kind() == ScheduleKind::ZeroBubbleH1 {
                    let input = at[&Instruction::BackwardInput(cell)];
                    prop_assert!(forward < input && input < at[&Instruction::BackwardWeight(cell)]);
                } else {
                    prop_assert!(forward < at[&Instruction::Backward(cell)]);
                }
            }
            prop_assert_eq!(&list[list.len() - 2..], &[Instruction::ReduceGradients, Instruction::OptimizerStep]);
            let passes = list.iter().filter(|step| step.computes()).count();
            let a_cell = if schedule.kind() == ScheduleKind::ZeroBubbleH1 { 3 } else { 2 };
            prop_assert_eq!(passes, a_cell * schedule.chunks() * schedule.micro_batches());
        }
    }

    #[test]
    fn sends_pair_with_receives_of_the_neighbour(schedule in any_schedule()) {
        let (mut sent, mut received) = (HashSet::new(), HashSet::new());
        for rank in 0..schedule.ranks() {
            for &step in schedule.list(rank) {
                let Some(cell) = step.cell() else { continue };
                let stage = schedule.stage(rank, cell.chunk);
                let new = match step {
                    Instruction::SendActivation(_) => sent.insert((true, stage + 1, cell.micro_batch)),
                    Instruction::SendGradient(_) => sent.insert((false, stage - 1, cell.micro_batch)),
                    Instruction::RecvActivation(_) => received.insert((true, stage, cell.micro_batch)),
                    Instruction::RecvGradient(_) => received.insert((false, stage, cell.micro_batch)),
                    _ => true,
                };
                prop_assert!(new);
            }
        }
        prop_assert_eq!(sent.len(), 2 * (schedule.stages() - 1) * schedule.micro_batches());
        prop_assert_eq!(sent, received);
    }

    #[test]
    fn gradients_are_added_up_in_the_same_order_by_all_schedules(schedule in any_schedule()) {
        for rank in 0..schedule.ranks() {
            let mut next = vec![0; schedule.chunks()];
            for &step in schedule.list(rank) {
                if let Instruction::Backward(cell) | Instruction::BackwardWeight(cell) = step {
                    prop_assert_eq!(cell.micro_batch, next[cell.chunk]);
                    next[cell.chunk] += 1;
                }
            }
        }
    }

    #[test]
    fn buffers_of_cells_that_are_held_at_once_are_different(schedule in any_schedule()) {
        for rank in 0..schedule.ranks() {
            let buffers = schedule.buffers(rank);
            let mut held = HashSet::new();
            for &step in schedule.list(rank) {
                match step {
                    Instruction::Forward(cell) => {
                        prop_assert!(buffers.of_cell(cell) < buffers.count());
                        prop_assert!(held.insert(buffers.of_cell(cell)));
                    }
                    Instruction::Backward(cell) | Instruction::BackwardWeight(cell) => {
                        prop_assert!(held.remove(&buffers.of_cell(cell)));
                    }
                    _ => {}
                }
            }
            prop_assert!(held.is_empty());
            let at_most =
                schedule.kind().held_at_most(schedule.ranks(), rank, schedule.micro_batches(), schedule.chunks());
            prop_assert!(buffers.count() <= at_most, "rank {} holds {} of {}", rank, buffers.count(), at_most);
            if schedule.micro_batches().is_multiple_of(schedule.ranks()) {
                prop_assert_eq!(buffers.count(), at_most, "rank {}", rank);
            }
        }
    }

    #[test]
    fn a_simulation_ends_and_gives_back_all_that_it_held(
        schedule in any_schedule(),
        sizes in prop::collection::vec(1..9_usize, 20),
        times in prop::collection::vec(0.0..5.0_f64, 3 * 32),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        latency_us in 0.0..3.0_f64,
    ) {
        let mut costs = Costs::uniform(schedule.stages(), schedule.micro_batches(), 0.0);
        costs.sizes.copy_from_slice(&sizes[..schedule.micro_batches()]);
        for (stage, times) in costs.stages.iter_mut().zip(times.chunks(3)) {
            stage.forward.per_sample_us = times[0];
            stage.backward_input.per_sample_us = times[1];
            stage.backward_weight.per_sample_us = times[2];
            stage.kept_bytes = 7;
            stage.output_bytes = 3;
        }
        costs.recompute = recompute;
        costs.link = Link { latency_us, bytes_per_us: 2.0 };
        let run = simulate(&schedule, &costs).expect("no list of ours blocks");
        let all: usize = (0..schedule.ranks()).map(|rank| schedule.list(rank).len()).sum();
        prop_assert_eq!(run.spans.len(), all);
        prop_assert!(run.total_us >= run.computed_us && run.computed_us >= run.busy_us.iter().copied().fold(0.0, f64::max));
        for held in &run.held {
            prop_assert_eq!(held.at_the_end(), 0);
        }
        // Of what lies on the critical path, each begins no earlier than the one before it ends.
        let path = run.critical_path();
        for pair in path.windows(2) {
            prop_assert!(run.spans[pair[0]].end_us <= run.spans[pair[1]].start_us);
        }
        prop_assert_eq!(run.spans[*path.last().expect("a path")].end_us, run.total_us);
    }

    #[test]
    fn work_and_sends_of_each_rank_are_conserved_whatever_it_waits_for(
        schedule in any_schedule(),
        sizes in prop::collection::vec(1..9_usize, 20),
        times in prop::collection::vec(0.0..5.0_f64, 5 * 32),
        latency_us in 0.0..3.0_f64,
    ) {
        let mut costs = Costs::uniform(schedule.stages(), schedule.micro_batches(), 0.0);
        costs.sizes.copy_from_slice(&sizes[..schedule.micro_batches()]);
        costs.link = Link { latency_us, bytes_per_us: 2.0 };
        for (stage, times) in costs.stages.iter_mut().zip(times.chunks(5)) {
            stage.forward = Duration::fixed(times[0]);
            stage.backward_input.per_sample_us = times[1];
            stage.backward_weight = Duration::fixed(times[2]);
        }
        let free = simulate(&schedule, &costs).expect("no list of ours blocks");
        // A message's own time, and that of its numbers.
        let sends = |times: &[f64]| Sends {
            activation: Duration { fixed_us: times[3], per_sample_us: times[4] },
            gradient: Duration::fixed(times[4]),
        };
        let receives = |times: &[f64]| Receives {
            activation: Duration::fixed(times[4]),
            gradient: Duration { fixed_us: times[4], per_sample_us: times[3] },
        };
        costs.sends = times.chunks(5).take(schedule.stages()).map(sends).collect();
        costs.receives = times.chunks(5).take(schedule.stages()).map(receives).collect();
        let run = simulate(&schedule, &costs).expect("messages that take time block nothing");

        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + b);
        let last = schedule.stages() - 1;
        for rank in 0..schedule.ranks() {
            let (mut work, mut sent, mut received) = (0.0, 0.0, 0.0);
            for cell in cells(&schedule) {
                let (stage, size) = (schedule.stage(rank, cell.chunk), costs.sizes[cell.micro_batch]);
                work += costs.stages[stage].time(size);
                if schedule.ranks() > 1 {
                    sent += if stage < last { costs.sends[stage].activation.of(size) } else { 0.0 };
                    sent += if stage > 0 { costs.sends[stage].gradient.of(size) } else { 0.0 };
                    received += if stage > 0 { costs.receives[stage].activation.of(size) } else { 0.0 };
                    received += if stage < last { costs.receives[stage].gradient.of(size) } else { 0.0 };
                }
            }
            prop_assert!(near(run.busy_us[rank], work), "rank {} works {} of {}", rank, run.busy_us[rank], work);
            prop_assert!(near(run.sending_us[rank], sent), "rank {} sends {} of {}", rank, run.sending_us[rank], sent);
            let of_rank = run.spans.iter().filter(|span| span.rank == rank);
            let own: f64 = of_rank.map(|span| span.end_us - span.start_us).sum();
            let all = work + sent + received;
            prop_assert!(near(own, all), "nothing else takes time: {} of {}", own, all);
            prop_assert!(near(run.total_us.max(all), run.total_us), "a rank does one thing at a time");
            prop_assert_eq!(free.sending_us[rank], 0.0);
        }
        prop_assert!(run.total_us >= free.total_us, "messages shorten nothing: {} {}", run.total_us, free.total_us);
        prop_assert!(run.held.iter().all(|held| held.at_the_end() == 0), "what is received is given back");
        // What takes no time of a rank is as good as not said.
        costs.sends.fill(Sends::default());
        costs.receives.fill(Receives::default());
        prop_assert_eq!(simulate(&schedule, &costs).expect("as before"), free);
    }
}

#[test]
fn the_bubble_is_the_published_one() {
    for ranks in 1..=8 {
        for times in 1..=4 {
            let micro_batches = ranks * times;
            for kind in ScheduleKind::ALL {
                for chunks in if kind == ScheduleKind::Interleaved { 1..=4 } else { 1..=1 } {
                    let schedule = Schedule::new(kind, ranks, micro_batches, chunks).expect("possible");
                    let run =
                        simulate(&schedule, &Costs::uniform(schedule.stages(), micro_batches, 1.0)).expect("it ends");
                    let ideal = kind.ideal_bubble(ranks, micro_batches, chunks);
                    assert!(
                        (run.bubble() - ideal).abs() < 1e-12,
                        "{kind:?} {ranks} {micro_batches} {chunks}: {}",
                        run.bubble()
                    );
                }
            }
        }
    }
}

#[test]
fn the_published_examples_of_gpipe_take_m_plus_p_minus_1_clocks() {
    // GPipe, figure 2: four partitions, four micro-batches: 4 + 4 - 1 clocks forward, twice as long backward.
    let schedule = Schedule::new(ScheduleKind::Gpipe, 4, 4, 1).expect("possible");
    let run = simulate(&schedule, &Costs::uniform(4, 4, 1.0)).expect("it ends");
    assert_eq!(run.total_us, 7.0 * 3.0);
    assert!((run.idle_share() - 3.0 / 7.0).abs() < 1e-12, "(p - 1) / (m + p - 1), section 2.3");
}

#[test]
fn recompute_trades_bytes_for_the_time_of_the_forward_pass() {
    let schedule = Schedule::new(ScheduleKind::Gpipe, 2, 8, 1).expect("possible");
    let mut costs = Costs::uniform(2, 8, 1.0);
    for stage in &mut costs.stages {
        stage.kept_bytes = 100;
    }
    let never = simulate(&schedule, &costs).expect("it ends");
    costs.recompute = Recompute::Always;
    let always = simulate(&schedule, &costs).expect("it ends");
    costs.recompute = Recompute::ExceptLast;
    let except_last = simulate(&schedule, &costs).expect("it ends");
    // The first stage keeps 8 x 100 bytes, and the gradient that arrives; or 8 inputs, and one micro-batch whole.
    assert_eq!(never.held[0].peak(), 8 * 100 + 1);
    assert!(always.held[0].peak() < 8 + 100 + 8);
    assert_eq!(always.busy_us[0] - never.busy_us[0], 8.0);
    assert_eq!(except_last.busy_us[0] - never.busy_us[0], 7.0);
}

#[test]
fn sparing_the_last_micro_batch_costs_a_whole_one_with_gpipe_and_nothing_on_the_last_rank_of_1f1b() {
    let peak = |kind, rank: usize, recompute| {
        let schedule = Schedule::new(kind, 2, 8, 1).expect("possible");
        let mut costs = Costs::uniform(2, 8, 1.0);
        for stage in &mut costs.stages {
            stage.kept_bytes = 100;
        }
        costs.recompute = recompute;
        simulate(&schedule, &costs).expect("it ends").held[rank].peak()
    };
    let (gpipe, other) = (ScheduleKind::Gpipe, ScheduleKind::OneForwardOneBackward);
    // The first rank, always: 8 inputs of one byte, the rest of what one of them keeps, the gradient that arrives.
    assert_eq!(peak(gpipe, 0, Recompute::Always), 8 + 99 + 1);
    // Except the last: 7 inputs, that one's 100 bytes from its forward pass on, and the same rest and gradient.
    assert_eq!(peak(gpipe, 0, Recompute::ExceptLast), 7 + 100 + 99 + 1);
    assert_eq!(peak(other, 1, Recompute::ExceptLast), peak(other, 1, Recompute::Always));
}

#[test]
fn a_slow_link_shows_in_the_total_and_on_the_critical_path() {
    let schedule = Schedule::new(ScheduleKind::OneForwardOneBackward, 2, 4, 1).expect("possible");
    let mut costs = Costs::uniform(2, 4, 1.0);
    let quick = simulate(&schedule, &costs).expect("it ends");
    costs.link = Link { latency_us: 10.0, bytes_per_us: 1.0 };
    let slow = simulate(&schedule, &costs).expect("it ends");
    assert!(
        slow.total_us >= quick.total_us + 22.0,
        "there and back at least once: {} {}",
        slow.total_us,
        quick.total_us
    );
    assert!(slow.critical_path().iter().any(|&at| matches!(slow.spans[at].instruction, Instruction::SendGradient(_))));
}

#[test]
fn a_send_takes_its_senders_time_before_the_message_leaves() {
    let mut costs = Costs::uniform(2, 2, 10.0);
    let sends = Sends { activation: Duration::fixed(1.0), gradient: Duration::fixed(3.0) };
    costs.sends = vec![sends; 2];
    let schedule = Schedule::new(ScheduleKind::Gpipe, 2, 2, 1).expect("possible");
    let run = simulate(&schedule, &costs).expect("it ends");
    // Rank 0: F0 to 10, sent at 11, F1 to 21, sent at 22. Rank 1: F0 11 to 21, F1 22 to 32, B0 to 52, sent at 55,
    // B1 to 75, sent at 78. Rank 0: B0 55 to 75, B1 78 to 98; it has no stage before it.
    assert_eq!(run.computed_us, 98.0);
    assert_eq!((run.busy_us.as_slice(), run.sending_us.as_slice()), (&[60.0; 2][..], &[2.0, 6.0][..]));
    assert!((run.bubble() - 38.0 / 60.0).abs() < 1e-12);

    let alone = Schedule::new(ScheduleKind::Interleaved, 1, 2, 2).expect("possible");
    let run = simulate(&alone, &costs).expect("it ends");
    assert_eq!((run.total_us, run.sending_us.as_slice()), (120.0, &[0.0][..]), "to itself a rank sends nothing");
}

#[test]
fn a_receive_takes_its_receivers_time_once_the_message_is_there_and_asked_for() {
    let mut costs = Costs::uniform(2, 2, 10.0);
    costs.receives = vec![Receives { activation: Duration::fixed(1.0), gradient: Duration::fixed(2.0) }; 2];
    let schedule = Schedule::new(ScheduleKind::Gpipe, 2, 2, 1).expect("possible");
    let run = simulate(&schedule, &costs).expect("it ends");
    // Rank 0: F0 to 10, F1 to 20. Rank 1: receives until 11, F0 to 21, receives until 22, F1 to 32, B0 to 52, B1 to 72.
    // Rank 0: receives until 54, B0 to 74, receives until 76, B1 to 96.
    assert_eq!((run.computed_us, run.busy_us.as_slice()), (96.0, &[60.0; 2][..]));
    // The second input lies there from 20 on, and becomes what its pass keeps at 22.
    assert_eq!(run.held[1].curve()[..5], [(10.0, 1), (11.0, 1), (20.0, 2), (22.0, 2), (52.0, 1)]);

    let alone = Schedule::new(ScheduleKind::Interleaved, 1, 2, 2).expect("possible");
    assert_eq!(simulate(&alone, &costs).expect("it ends").total_us, 120.0, "from itself a rank receives nothing");
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let error =
        |kind, ranks, micro_batches, chunks| Schedule::new(kind, ranks, micro_batches, chunks).expect_err("refused");
    assert_eq!(error(ScheduleKind::Gpipe, 0, 1, 1), PlanError::Zero { what: "strategy.stages" });
    assert_eq!(error(ScheduleKind::Gpipe, 1, 0, 1), PlanError::Zero { what: "strategy.micro_batches" });
    let chunks = error(ScheduleKind::Gpipe, 2, 2, 2);
    assert!(chunks.to_string().contains("use interleaved"), "{chunks}");
    let schedule = Schedule::new(ScheduleKind::Gpipe, 2, 2, 1).expect("possible");
    let error = simulate(&schedule, &Costs::uniform(3, 2, 1.0)).expect_err("refused");
    assert_eq!(error, PlanError::StageCosts { stages: 2, costs: 3 });
    let sends = Costs { sends: vec![Sends::default()], ..Costs::uniform(2, 2, 1.0) };
    let receives = Costs { receives: vec![Receives::default()], ..Costs::uniform(2, 2, 1.0) };
    for costs in [sends, receives] {
        let error = simulate(&schedule, &costs).expect_err("refused");
        assert_eq!(error, PlanError::StageCosts { stages: 2, costs: 1 });
    }
}
