//! A small training by strategies of every kind, as tasks and over another transport, for the tests of threads and of processes: the
//! same numbers, losses, ledgers and messages, to the last bit. The laws themselves are tested with tasks, in `recspeed-parallel`.

use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::{Strategy, TrainError};
use recspeed_parallel::{Communicator, RankFailure, Transport};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Recompute, ScheduleKind};

#[expect(dead_code, reason = "the bench of recspeed-parallel's tests, of which this needs a part")]
#[path = "../../../shared/parallel/tests/training/bench.rs"]
mod bench;

use bench::{Course, End, Shape, bits, one_rank, start, train};

/// Strategies for so many ranks: schedules × recomputation × micro-batches, levels, stages × replicas, shared layers.
fn shapes(ranks: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for schedule in ScheduleKind::ALL {
        let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
        for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
            for micro_batches in [1, 3] {
                let shape =
                    Shape { ranks, stages: ranks, micro_batches, schedule, chunks, recompute, ..Shape::default() };
                shapes.push(shape);
            }
        }
    }
    for level in ShardLevel::ALL {
        shapes.push(Shape { ranks, level, ..Shape::default() });
        if ranks == 4 {
            shapes.push(Shape { ranks, stages: 2, micro_batches: 2, level, ..Shape::default() });
        }
        if ranks.is_multiple_of(2) {
            shapes.push(Shape { ranks, tensor: 2, micro_batches: 2, level, ..Shape::default() });
        }
    }
    shapes
}

/// One training, with dropout.
#[derive(Debug)]
pub(crate) struct Case {
    shape: Shape,
    clip: Option<f64>,
}

/// All strategies for so many ranks, with and without clipping.
pub(crate) fn cases(ranks: usize) -> Vec<Case> {
    let clips = [None, Some(0.05)].into_iter();
    clips.flat_map(|clip| shapes(ranks).into_iter().map(move |shape| Case { shape, clip })).collect()
}

impl Case {
    fn course(&self) -> (Course, Strategy) {
        let widths = [6, 5, 4, 7, 6, 5, 4];
        let mut course = match self.shape.tensor {
            1 => Course::new(&widths, 0.3, &[13, 8]),
            tensor => Course::shared(&widths, 0.3, &[13, 8], tensor),
        };
        course.learning.clip = self.clip;
        let strategy = self.shape.strategy(course.model.parameters().len());
        (course, strategy)
    }

    /// What every rank says at the end where they are tasks.
    pub(crate) fn tasks(&self) -> Vec<End> {
        let (course, strategy) = self.course();
        train(&course, &strategy, &start(&course.model), 0).expect("tasks train")
    }

    /// One rank's part, whatever it talks through, beside what the ranks say where they are tasks.
    pub(crate) async fn agrees<T: Transport>(
        &self,
        communicator: Communicator<T>,
        tasks: &[End],
    ) -> Result<(), RankFailure> {
        let rank = communicator.rank();
        let (course, strategy) = self.course();
        let trained = one_rank(&course, &strategy, &start(&course.model), 0, communicator).await;
        let own = trained.map_err(|error| match error {
            TrainError::Comm(error) => RankFailure::from(error),
            error => RankFailure { rank, cause: error.to_string(), follows: false },
        })?;
        let task = &tasks[rank];
        assert_eq!(bits(&own.saved), bits(&task.saved), "{self:?}, rank {rank}: the same numbers and moments");
        assert_eq!(own.losses, task.losses, "{self:?}, rank {rank}");
        assert_eq!((own.left, own.ledger), (task.left, task.ledger), "{self:?}, rank {rank}");
        assert_eq!((own.traffic, own.counters), (task.traffic, task.counters), "{self:?}, rank {rank}");
        Ok(())
    }
}
