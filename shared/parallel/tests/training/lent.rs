//! Layers on tapes whose numbers replicas divide: a pass gets them for one call, and the tape is made on the way back.

use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::{Account, Rule};
use recspeed_plan::dense::{Speed, dense};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Layer, Outlook, Recompute, ScheduleKind, Tape};

use crate::bench::{Course, INPUTS, Shape, bits, close, same_gradient, start};

/// 18, 24, 32, 56 and 8 parameters: two replicas divide all of them, and those of two stages.
const WIDTHS: [usize; 4] = [6, 4, 8, 7];
const RECOMPUTE: [Recompute; 3] = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];

#[test]
fn they_learn_the_same_to_the_last_bit_with_dropout() {
    let course = Course::on_tapes(&WIDTHS, 0.3, &[12, 9, 12]);
    let of = |shape: Shape| bits(&shape.train(&course)[0].saved);
    for replicas in [2, 3] {
        let plain = of(Shape { ranks: replicas, ..Shape::default() });
        for level in ShardLevel::ALL {
            assert!(of(Shape { ranks: replicas, level, ..Shape::default() }) == plain, "{level:?} on {replicas}");
        }
        for stages in 1..=2 {
            for schedule in ScheduleKind::ALL {
                let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
                for recompute in RECOMPUTE {
                    // From ZeRO 2 on gradients are added up after each micro-batch.
                    let [whole, divided] = [ShardLevel::Gradients, ShardLevel::Parameters].map(|level| {
                        let ranks = replicas * stages;
                        let cut = Shape { ranks, stages, micro_batches: 3, chunks, ..Shape::default() };
                        of(Shape { schedule, recompute, level, ..cut })
                    });
                    let (schedule, recompute) = (schedule.as_str(), recompute.as_str());
                    assert!(whole == divided, "{schedule}, recompute {recompute}, {replicas} times {stages} stages");
                }
            }
        }
    }
}

#[test]
fn they_compute_the_update_of_one_device() {
    let mut course = Course::on_tapes(&WIDTHS, 0.3, &[12, 9, 12]);
    course.learning.rule = Rule::sgd(0.01);
    let alone = Shape::default().train(&course);
    for micro_batches in [1, 3] {
        let shape = Shape { ranks: 2, micro_batches, level: ShardLevel::Parameters, ..Shape::default() };
        let ends = shape.train(&course);
        close(&ends[0].saved.numbers, &alone[0].saved.numbers).unwrap();
        for (ours, theirs) in ends[0].losses.iter().zip(&alone[0].losses) {
            assert!((ours - theirs).abs() <= 4e-5 + 1e-5 * theirs.abs(), "a loss of {ours} against {theirs}");
        }
    }
    course.one_gradient();
    let (began, alone) = (start(&course.model).numbers, Shape::default().train(&course));
    for level in ShardLevel::ALL {
        for recompute in RECOMPUTE {
            let shape = Shape { ranks: 4, stages: 2, micro_batches: 3, recompute, level, ..Shape::default() };
            let ours = shape.train(&course);
            same_gradient(&began, &ours[0].saved.numbers, &alone[0].saved.numbers).unwrap();
        }
    }
}

/// As the plan counts them: beside a row's input its product, that after the ReLU, and its mask.
fn planned() -> Vec<Layer> {
    let speed = Speed::of_gflops(1.0);
    let mut inputs = INPUTS as u64;
    let taped = WIDTHS.map(|width| {
        let width = width as u64;
        let (sees, tape) = (std::mem::replace(&mut inputs, width), 4 * 3 * width);
        let layer = dense(sees, width, speed);
        let (kept_bytes, tape) = (layer.input_bytes + tape, Tape::of(tape, layer.forward));
        Layer { parameters: sees * width, kept_bytes, tape, ..layer }
    });
    taped.into_iter().chain([dense(inputs, 1, speed)]).collect()
}

#[test]
fn what_ranks_hold_and_send_of_them_is_planned() {
    let (replicas, batch, micro_batches) = (2, 6, 2);
    let course = Course::on_tapes(&WIDTHS, 0.3, &[batch * replicas, batch * replicas]);
    let layers = planned();
    let largest = layers.iter().map(|layer| 4 * layer.parameters).max().unwrap();
    assert!(layers.iter().zip(course.model.parameters()).all(|(plan, &ours)| plan.parameters == ours as u64));
    for stages in [1, 2] {
        for level in [ShardLevel::Gradients, ShardLevel::Parameters] {
            for recompute in RECOMPUTE {
                let shape =
                    Shape { ranks: replicas * stages, stages, micro_batches, recompute, level, ..Shape::default() };
                let plan = shape.plan(layers.clone(), batch);
                let outlook = Outlook::of(&plan).unwrap();
                for (rank, end) in shape.train(&course).iter().enumerate() {
                    let (plan, ledger) = (outlook.ranks[rank / replicas], &end.ledger);
                    let what = format!("{level:?}, rank {rank} of {stages} stages, recompute {}", recompute.as_str());
                    let held = ledger.most(Account::Activations);
                    // Of several stages the plan counts messages that wait, too.
                    let alone = stages == 1;
                    let fits = if alone { held == plan.activations } else { held <= plan.activations };
                    assert!(fits, "{what}: {held} of {} held", plan.activations);
                    let passing = ledger.most(Account::Transient);
                    assert!(passing <= plan.shares.transient, "{what}: {passing} of {}", plan.shares.transient);
                    // One layer at a time, with its tape, however many micro-batches are on their way.
                    assert!(!alone || level < ShardLevel::Parameters || passing >= largest, "{what}: {passing}");
                    assert!(ledger.most(Account::Update) <= plan.shares.update, "{what}");
                    assert!(ledger.peak() <= plan.peak(), "{what}: {ledger:?}");
                    let (traffic, reduction) = (end.traffic, plan.reduction);
                    assert_eq!(traffic.all_gather, 2 * reduction.all_gather, "{what}, two steps: gathered");
                    assert_eq!(traffic.reduce_scatter, 2 * reduction.reduce_scatter, "{what}: reduced");
                }
            }
        }
    }
}
