//! Layers as long as the passes of a run took, and the cut that follows from it.

mod strategies;

use recspeed_plan::dense::{Speed, densenet};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::timeline::{Bar, Part, bars_of};
use recspeed_plan::{
    Balance, EvenCut, Layer, Layout, Measured, MeasuredError, Outlook, Partition, PlanError, Recompute, ScheduleKind,
    Strategy,
};
use strategies::{look, of, plain};

/// Three ranks, batches that six micro-batches do not divide, a dense block cut by parameters.
fn run(schedule: ScheduleKind) -> Strategy {
    let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
    Strategy {
        balance: Balance::Parameters,
        ranks: 3,
        chunks,
        micro_batches: 6,
        schedule,
        ..plain(densenet(4, 24, 16, 1, Speed::of_gflops(50.0)), 50)
    }
}

fn layout(strategy: &Strategy) -> Layout {
    Layout::new(strategy.ranks * strategy.copies(), strategy.ranks, strategy.tensor).expect("they divide")
}

/// The bars of a run of all copies of the ranks of a plan that did as planned, but so many times as long.
fn told(strategy: &Strategy, outlook: &Outlook, longer: impl Fn(&Bar) -> f64) -> Vec<Bar> {
    let copies = strategy.copies();
    let bars = bars_of(strategy, outlook);
    let of_rank = |bar: &Bar| {
        let end_us = bar.start_us + longer(bar) * (bar.end_us - bar.start_us);
        let bar = Bar { end_us, ..*bar };
        (0..copies).map(move |copy| Bar { rank: bar.rank * copies + copy, ..bar })
    };
    let mut all: Vec<Bar> = bars.iter().flat_map(of_rank).collect();
    all.sort_by_key(|bar| bar.rank);
    all
}

/// How many times as long as the first ones the second ones take for 8 rows: forward, and back.
fn ratios(counted: &[Layer], measured: &[Layer]) -> Vec<[f64; 2]> {
    let back = |layer: &Layer| layer.backward_input.of(8) + layer.backward_weight.of(8);
    let ratio = |(old, new): (&Layer, &Layer)| [new.forward.of(8) / old.forward.of(8), back(new) / back(old)];
    assert_eq!(counted.len(), measured.len());
    counted.iter().zip(measured).map(ratio).collect()
}

fn near(ratios: &[[f64; 2]], expected: [f64; 2]) -> bool {
    ratios.iter().all(|ratio| (0..2).all(|at| (ratio[at] / expected[at] - 1.0).abs() < 1e-9))
}

#[test]
fn a_run_that_did_as_planned_leaves_every_layer_as_it_was_counted() {
    for schedule in ScheduleKind::ALL {
        for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
            let strategy = Strategy { recompute, ..run(schedule) };
            let outlook = look(&strategy);
            let bars = told(&strategy, &outlook, |_| 1.0);
            let measured = Measured::of(&outlook, &bars, layout(&strategy)).expect("it is the run's");
            let layers = measured.applied(&strategy.layers).expect("they are the run's");
            assert!(near(&ratios(&strategy.layers, &layers), [1.0; 2]), "{schedule:?} {recompute:?}");
            let of_stages: Vec<_> = measured.stages().iter().map(|stage| stage.layers.clone()).collect();
            let expected: Vec<_> = (0..outlook.stages.len()).map(|stage| outlook.partition.layers(stage)).collect();
            assert_eq!(of_stages, expected, "{schedule:?}");
        }
    }
    // Layers on tapes, which are made anew on the way back where the numbers are lent.
    let strategy = of(
        "kind = \"sasrec\"\nblocks = 3\nfactors = 16",
        "batch_size = 64",
        "kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3\nmicro_batches = 2",
    );
    assert_eq!((strategy.level, strategy.replicas), (ShardLevel::Parameters, 2));
    let outlook = look(&strategy);
    let bars = told(&strategy, &outlook, |_| 1.0);
    let measured = Measured::of(&outlook, &bars, layout(&strategy)).expect("it is the run's");
    let anew = Strategy { layers: measured.applied(&strategy.layers).expect("they are"), ..strategy.clone() };
    let [before, after] = [&strategy, &anew].map(|strategy| look(strategy).simulation.total_us);
    assert!((before / after - 1.0).abs() < 1e-9, "{before} {after}");
}

#[test]
fn what_a_stage_took_is_its_layers_alone_and_each_keeps_its_counted_share() {
    for schedule in ScheduleKind::ALL {
        let strategy = Strategy { replicas: 2, batch: 50, ..run(schedule) };
        let outlook = look(&strategy);
        let stages = outlook.stages.len();
        let slow = |bar: &Bar| bar.chunk * strategy.ranks + bar.rank == 1;
        let longer = |bar: &Bar| match (slow(bar), bar.part) {
            (true, Part::Forward) => 3.0,
            (true, _) => 2.0,
            (false, _) => 1.0,
        };
        let bars = told(&strategy, &outlook, longer);
        let measured = Measured::of(&outlook, &bars, layout(&strategy)).expect("it is the run's");
        let ratios = ratios(&strategy.layers, &measured.applied(&strategy.layers).expect("they are the run's"));
        for stage in 0..stages {
            let expected = if stage == 1 { [3.0, 2.0] } else { [1.0; 2] };
            assert!(
                near(&ratios[outlook.partition.layers(stage)], expected),
                "{schedule:?}, stage {stage}: {ratios:?}"
            );
        }
        // One micro-batch that was held up changes nothing, nor what all passes waited for others.
        let mut odd = bars.clone();
        for bar in odd.iter_mut().filter(|bar| bar.micro_batch == Some(0)) {
            bar.end_us += 1e6;
        }
        for bar in &mut odd {
            (bar.end_us, bar.waited_us) = (bar.end_us + 500.0, 500.0);
        }
        let [first, second] = [&bars, &odd].map(|bars| Measured::of(&outlook, bars, layout(&strategy)).expect("both"));
        for (a, b) in first.stages().iter().zip(second.stages()) {
            assert!((a.forward_us - b.forward_us).abs() < 1e-6 * a.forward_us, "{schedule:?}: {a:?} {b:?}");
            assert!((a.backward_us - b.backward_us).abs() < 1e-6 * a.backward_us, "{schedule:?}: {a:?} {b:?}");
        }
    }
}

#[test]
fn the_cut_by_measured_time_is_the_best_of_all_and_follows_what_is_slow() {
    for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
        let strategy = Strategy { recompute, ..run(ScheduleKind::OneForwardOneBackward) };
        let outlook = look(&strategy);
        // The last rank is on a slow core.
        let bars = told(&strategy, &outlook, |bar| if bar.rank == 2 { 4.0 } else { 1.0 });
        let measured = Measured::of(&outlook, &bars, layout(&strategy)).expect("it is the run's");
        let slow = Strategy { layers: measured.applied(&strategy.layers).expect("they are"), ..strategy };
        let cut = EvenCut::of(&slow, &outlook.partition).expect("there are layers enough");
        let again = match recompute {
            Recompute::Never => 0.0,
            Recompute::ExceptLast => 5.0 / 6.0,
            Recompute::Always => 1.0,
        };
        let costs = |layer: &Layer| layer.time(9) + again * layer.forward.of(9);
        let costliest = |partition: &Partition| {
            let of = |stage: usize| slow.layers[partition.layers(stage)].iter().map(costs).sum::<f64>();
            (0..3).map(of).fold(0.0, f64::max)
        };
        let count = slow.layers.len();
        let mut best = f64::INFINITY;
        for first in 1..count - 1 {
            for second in 1..count - first {
                let partition = Partition::by_hand(count, &[first, second, count - first - second]).expect("a cut");
                best = best.min(costliest(&partition));
            }
        }
        assert!((costliest(&cut.partition) / best - 1.0).abs() < 1e-9, "{recompute:?}: {cut:?}, {best}");
        assert!((cut.costliest_us / best - 1.0).abs() < 1e-9, "{recompute:?}: {cut:?}, {best}");
        assert!((cut.now_us / costliest(&outlook.partition) - 1.0).abs() < 1e-9, "{recompute:?}: {cut:?}");
        assert!(cut.costliest_us < 0.8 * cut.now_us, "{recompute:?}: {cut:?}");
        assert!(cut.partition.counts()[2] < outlook.partition.counts()[2], "{recompute:?}: {cut:?}");
        // Once it is so cut there is no better one.
        let again = EvenCut::of(&slow, &cut.partition).expect("the same");
        assert_eq!((&again.partition, again.costliest_us), (&cut.partition, again.now_us));
    }
}

#[test]
fn bars_of_another_run_and_of_half_a_run_are_refused_by_what_they_lack() {
    let strategy = run(ScheduleKind::OneForwardOneBackward);
    let outlook = look(&strategy);
    let bars = told(&strategy, &outlook, |_| 1.0);
    let of = |bars: &[Bar]| Measured::of(&outlook, bars, layout(&strategy));
    let without_back: Vec<Bar> =
        bars.iter().filter(|bar| bar.rank != 1 || bar.part != Part::Backward).copied().collect();
    assert_eq!(of(&without_back), Err(MeasuredError::NoPass { stage: 1, what: "backward" }));
    let planned = [3, 1, 6];
    assert_eq!(of(&[]), Err(MeasuredError::OtherLayout { told: [0; 3], planned }));
    let two: Vec<Bar> = bars.iter().filter(|bar| bar.rank < 2).copied().collect();
    assert_eq!(of(&two), Err(MeasuredError::OtherLayout { told: [2, 1, 6], planned }));
    // A damaged number, as large as a number can be.
    let mut damaged = bars.clone();
    damaged[0].micro_batch = Some(usize::MAX);
    assert_eq!(of(&damaged), Err(MeasuredError::OtherLayout { told: [3, 1, usize::MAX], planned }));
    let words = of(&two).unwrap_err().to_string();
    assert!(words.starts_with("it tells of 2 ranks with 1 stages each and 6 micro-batches"), "{words}");
    let measured = of(&bars).expect("it is the run's");
    let fewer = measured.applied(&strategy.layers[1..]);
    assert_eq!(fewer, Err(PlanError::Costs { given: 25, layers: 24 }));
}
