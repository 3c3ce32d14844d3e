//! Pipelines: the same update for every schedule, number of stages and micro-batches, with and without recomputation.

use std::cell::Cell;
use std::rc::Rc;

use burn::tensor::Device;
use proptest::prelude::*;
use recspeed_parallel::model::{LayerSizes as _, Model as _, StepNoise};
use recspeed_parallel::training::{Matrix, Rank, TrainError};
use recspeed_parallel::{CommError, Communicator, Message, Operation, Tag, Transport, at_once, local};
use recspeed_plan::{Recompute, ScheduleKind};

use crate::bench::{
    Course, INPUTS, Shape, bits, close, one_device, one_rank, orders, rows_of, same_gradient, squared, start, tensor,
};

const RECOMPUTE: [Recompute; 3] = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];

#[test]
fn all_schedules_and_recompute_modes_agree_to_the_last_bit_with_dropout() {
    let widths = [6, 5, 4, 7, 6, 5, 3];
    let course = Course::new(&widths, 0.3, &[13, 8, 13]);
    for micro_batches in [1, 2, 3, 5] {
        let alone = Shape { micro_batches, ..Shape::default() }.train(&course);
        let expected = bits(&alone[0].saved);
        for stages in 1..=4 {
            for schedule in ScheduleKind::ALL {
                let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
                for recompute in RECOMPUTE {
                    let shape =
                        Shape { ranks: stages, stages, micro_batches, schedule, chunks, recompute, ..Shape::default() };
                    let ends = shape.train(&course);
                    assert_eq!(
                        bits(&ends[0].saved),
                        expected,
                        "{} with {stages} stages, {micro_batches} micro-batches, recompute {}",
                        schedule.as_str(),
                        recompute.as_str()
                    );
                    assert_eq!(ends[0].losses, alone[0].losses);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_pipeline_computes_the_update_of_one_device(
        widths in prop::collection::vec(1..9_usize, 1..8),
        batches in prop::collection::vec(1..20_usize, 1..4),
        stages in 1..5_usize,
        micro_batches in 1..6_usize,
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(RECOMPUTE.to_vec()),
        dropout in prop::sample::select(vec![0.0_f32, 0.4]),
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let stages = stages.min(widths.len() + 1);
        let mut course = Course::new(&widths, dropout, &batches);
        course.learning.clip = clip;
        let shape = Shape { ranks: stages, stages, micro_batches, schedule, recompute, ..Shape::default() };
        let shape = shape.with_chunks(chunks, widths.len() + 1);
        let ends = shape.train(&course);
        let expected = one_device(&course, &widths, dropout);
        // Adam divides by the root of the second moment: where a gradient is nearly nothing, its last bits decide the sign of a
        // step, so that the gradients are compared with plain descent below and Adam is compared bit for bit among strategies.
        course.learning.rule = recspeed_parallel::training::Rule::sgd(0.01);
        let descent = shape.train(&course);
        prop_assert!(close(&descent[0].saved.numbers, &one_device(&course, &widths, dropout).numbers).is_ok());
        let far = ends[0].saved.numbers.iter().zip(&expected.numbers).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        prop_assert!(far * 50 <= expected.numbers.len(), "{far} of {} numbers are far", expected.numbers.len());
        course.one_gradient();
        let (ours, theirs) = (shape.train(&course), one_device(&course, &widths, dropout));
        let compared = same_gradient(&start(&course.model).numbers, &ours[0].saved.numbers, &theirs.numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
    }
}

/// A future is copied into the one that awaits it, at each step of a network whose rest may be microseconds.
#[test]
fn a_step_has_no_room_for_what_only_some_strategies_wait_for() {
    let device = Device::flex();
    let course = Course::new(&[4, 4], 0.1, &[8]);
    let strategy = Shape::default().strategy(course.model.parameters().len());
    let sizes = at_once(local::run(1, |communicator| {
        let (course, strategy, device) = (&course, strategy.clone(), &device);
        async move {
            let (saved, learning) = (start(&course.model), course.learning.clone());
            let mut rank = Rank::new(&course.model, strategy, communicator, learning, &saved, device)?;
            let (input, truth) = rows_of(0, 8);
            let batch = Matrix {
                model: &course.model,
                input: &tensor(input, [8, INPUTS], device),
                noise: StepNoise { seed: 5, stream: 1000 },
                judge: Box::new(|scores, rows| squared(scores, &truth[rows])),
            };
            let step = rank.step(&batch);
            Ok::<usize, TrainError>(size_of_val(&step))
        }
    }));
    let bytes = sizes.unwrap()[0];
    let (one, most) = (size_of::<burn::tensor::Tensor<2>>(), 4096);
    assert!(bytes <= most, "{bytes} bytes, with {one} for each tensor");
}

#[test]
fn messages_are_those_of_the_plan_and_so_are_the_activations_held() {
    use recspeed_plan::Instruction::{self, SendActivation, SendGradient};
    let widths = [4, 4, 4, 4, 4, 4, 4];
    for schedule in ScheduleKind::ALL {
        let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
        let course = Course::new(&widths, 0.1, &[12, 12]);
        let shape = Shape { ranks: 3, stages: 3, micro_batches: 6, schedule, chunks, ..Shape::default() };
        let strategy = shape.strategy(course.model.parameters().len());
        let plan = recspeed_plan::Schedule::new(schedule, 3, 6, chunks).unwrap();
        let ends = shape.train(&course);
        let passed = |step: &&Instruction| matches!(step, SendActivation(_) | SendGradient(_));
        let of_the_plan: usize = (0..3).map(|rank| plan.list(rank).iter().filter(passed).count()).sum();
        // Beside them the loss and the length of the gradient are added up: to their two owners, and from all to all.
        let sent: u64 = ends.iter().map(|end| end.counters.sent).sum();
        assert_eq!(sent, 2 * (of_the_plan as u64 + 4 + 6), "{schedule:?}");
        for (rank, end) in ends.iter().enumerate() {
            let most = (0..chunks).map(|chunk| {
                let layers = strategy.partition.layers(plan.stage(rank, chunk));
                let out = if layers.end == 8 { 0 } else { 4 };
                4 * (course.model.kept(layers, 2) + 2 * out) as u64
            });
            let most = most.max().unwrap() * plan.buffers(rank).count() as u64;
            let held = end.ledger.most(recspeed_parallel::training::Account::Activations);
            assert!(held <= most, "{schedule:?} rank {rank}: {held} of {most}");
        }
    }
}

/// A rank's way to the others, and how often it was called to move messages on.
struct Watched {
    way: Communicator<local::Local>,
    called: Rc<Cell<usize>>,
}

impl Transport for Watched {
    fn rank(&self) -> usize {
        self.way.rank()
    }

    fn ranks(&self) -> usize {
        self.way.ranks()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        self.way.send_message(to, tag, message).await
    }

    async fn recv(&self, from: usize, tag: Tag, _: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.way.recv_message(from, tag).await
    }

    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.recv(from, tag, last).await
    }

    fn progress(&self) {
        self.called.set(self.called.get() + 1);
    }
}

/// What MPI carries moves only while it is called: a rank that computes calls it between instructions and between layers.
#[test]
fn messages_are_moved_on_before_each_instruction_and_each_layer() {
    let (course, micro_batches) = (Course::new(&[4, 4, 4], 0.0, &[8]), 2);
    let (layers, saved) = (course.model.parameters().len(), start(&course.model));
    for (schedule, recompute, times) in [
        (ScheduleKind::Gpipe, Recompute::Never, 2),
        (ScheduleKind::ZeroBubbleH1, Recompute::Never, 3),
        (ScheduleKind::Gpipe, Recompute::Always, 3),
    ] {
        let shape = Shape { micro_batches, schedule, recompute, ..Shape::default() };
        let (strategy, called) = (shape.strategy(layers), Rc::new(Cell::new(0)));
        let plan = recspeed_plan::Schedule::new(schedule, 1, micro_batches, 1).unwrap();
        let end = at_once(local::run(1, |way| {
            let way = Communicator::new(Watched { way, called: called.clone() });
            one_rank(&course, &strategy, &saved, 0, way)
        }));
        end.expect("it trains");
        let least = plan.list(0).len() + times * micro_batches * layers;
        assert!(called.get() >= least, "{schedule:?}, {recompute:?}: {} calls of {least}", called.get());
    }
}
