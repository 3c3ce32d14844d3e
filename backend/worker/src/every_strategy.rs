//! A small training by strategies of every kind, as tasks and over another transport, for the tests of threads and of
//! processes: the same numbers, losses, ledgers and messages, to the last bit. The laws themselves are tested with tasks,
//! in `recspeed-parallel`.

use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::tables::RowRule;
use recspeed_parallel::training::{Ledger, TrainError};
use recspeed_parallel::{Communicator, Counters, RankFailure, Transport, at_once, local};
use recspeed_plan::sharding::{ShardLevel, TableSharding, Traffic};
use recspeed_plan::{Recompute, ScheduleKind};

#[expect(dead_code, reason = "the bench of recspeed-parallel's tests, of which this needs a part")]
#[path = "../../../shared/parallel/tests/training/bench.rs"]
mod bench;
#[expect(dead_code, reason = "the bench of recspeed-parallel's tests, of which this needs a part")]
#[path = "../../../shared/parallel/tests/training/looking.rs"]
mod looking;

use bench::{Course, Shape, bits, start};

const RECOMPUTE: [Recompute; 3] = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];

/// One training, with dropout.
#[derive(Debug)]
pub(crate) struct Case {
    shape: Shape,
    clip: Option<f64>,
    /// How ranks divide the tables that the layers look up in, where they do.
    tables: Option<TableSharding>,
}

/// What a rank says at the end.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    /// All that was learnt.
    bits: Vec<u32>,
    losses: Vec<f64>,
    ledger: Ledger,
    traffic: Traffic,
    counters: Counters,
}

/// Stages that a rank has of a schedule.
fn chunks_of(schedule: ScheduleKind) -> usize {
    if schedule == ScheduleKind::Interleaved { 2 } else { 1 }
}

/// Strategies for so many ranks: schedules × recomputation × micro-batches, levels, shared layers.
fn shapes(ranks: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for schedule in ScheduleKind::ALL {
        for recompute in RECOMPUTE {
            for micro_batches in [1, 3] {
                let (stages, chunks) = (ranks, chunks_of(schedule));
                let shape = Shape { ranks, stages, micro_batches, schedule, chunks, recompute, ..Shape::default() };
                shapes.push(shape);
            }
        }
    }
    for level in ShardLevel::ALL {
        shapes.push(Shape { ranks, level, ..Shape::default() });
        if ranks.is_multiple_of(2) {
            shapes.push(Shape { ranks, tensor: 2, micro_batches: 2, level, ..Shape::default() });
        }
    }
    shapes
}

/// Two stages of two replicas each: schedules × levels × recomputation.
fn hybrids() -> impl Iterator<Item = Shape> {
    let levels = ScheduleKind::ALL.into_iter().flat_map(|schedule| ShardLevel::ALL.map(|level| (schedule, level)));
    let all = levels.flat_map(|of| RECOMPUTE.map(|recompute| (of, recompute)));
    all.map(|((schedule, level), recompute)| {
        let chunks = chunks_of(schedule);
        Shape { ranks: 4, stages: 2, micro_batches: 2, schedule, chunks, recompute, level, ..Shape::default() }
    })
}

/// Strategies of an offloaded optimizer and of divided tables: as many stages as go with two replicas, where two do.
fn elsewhere(ranks: usize) -> Vec<(Shape, Option<TableSharding>)> {
    let stages = if ranks == 4 { 2 } else { 1 };
    let (schedule, recompute) = (ScheduleKind::ZeroBubbleH1, Recompute::ExceptLast);
    let cut = |level| Shape { ranks, stages, micro_batches: 2, schedule, recompute, level, ..Shape::default() };
    let offloaded = [ShardLevel::DataParallel, ShardLevel::Gradients, ShardLevel::Parameters];
    let offloaded = offloaded.map(|level| (Shape { offload: true, ..cut(level) }, None));
    let divided = TableSharding::ALL.map(|sharding| (cut(ShardLevel::Parameters), Some(sharding)));
    let pipeline = Shape { ranks, stages: ranks, micro_batches: 3, ..Shape::default() };
    let beside_stages = [(pipeline, Some(TableSharding::RowWise))];
    offloaded.into_iter().chain(divided).chain(beside_stages).collect()
}

/// All strategies for so many ranks: [`shapes`] with and without clipping, the others with or without it in turn.
pub(crate) fn cases(ranks: usize) -> Vec<Case> {
    let clips = [None, Some(0.05)];
    let both = clips.into_iter().flat_map(|clip| shapes(ranks).into_iter().map(move |shape| (shape, clip)));
    let both = both.map(|(shape, clip)| Case { shape, clip, tables: None });
    let hybrids = hybrids().filter(|_| ranks == 4).map(|shape| (shape, None));
    let others = hybrids.chain(elsewhere(ranks)).enumerate();
    let others = others.map(|(at, (shape, tables))| Case { shape, clip: clips[at % 2], tables });
    both.chain(others).collect()
}

impl Case {
    /// What every rank says at the end where they are tasks.
    pub(crate) fn tasks(&self) -> Vec<Told> {
        at_once(local::run(self.shape.ranks, |communicator| self.trained(communicator))).expect("tasks train")
    }

    async fn trained<T: Transport>(&self, communicator: Communicator<T>) -> Result<Told, TrainError> {
        let widths = [6, 5, 4, 7, 6, 5, 4];
        let mut course = match self.shape.tensor {
            1 => Course::new(&widths, 0.3, &[13, 8]),
            tensor => Course::shared(&widths, 0.3, &[13, 8], tensor),
        };
        course.learning.clip = self.clip;
        let (strategy, saved) = (self.shape.strategy(course.model.parameters().len()), start(&course.model));
        if let Some(sharding) = self.tables {
            let (how, tables) = ((RowRule::Adam { decay: 0.01 }, sharding), looking::first_tables());
            let from = (&saved, &tables, 0);
            let end = looking::one_rank(&course, &strategy, how, from, communicator, |_, _| ()).await?;
            let bits = end.bits();
            let looking::End { losses, ledger, traffic, counters, .. } = end;
            return Ok(Told { bits, losses, ledger, traffic, counters });
        }
        let end = bench::one_rank(&course, &strategy, &saved, 0, communicator).await?;
        assert_eq!(end.left, 0, "{self:?}: everything held for a batch is given back");
        let (bits, bench::End { losses, ledger, traffic, counters, .. }) = (bits(&end.saved), end);
        Ok(Told { bits, losses, ledger, traffic, counters })
    }

    /// One rank's part, whatever it talks through, beside what the ranks say where they are tasks.
    pub(crate) async fn agrees<T: Transport>(
        &self,
        communicator: Communicator<T>,
        tasks: &[Told],
    ) -> Result<(), RankFailure> {
        let rank = communicator.rank();
        let own = self.trained(communicator).await.map_err(|error| match error {
            TrainError::Comm(error) => RankFailure::from(error),
            error => RankFailure::new(rank, error.to_string()),
        })?;
        let task = &tasks[rank];
        assert_eq!(own.bits, task.bits, "{self:?}, rank {rank}: the same numbers and moments");
        assert_eq!(own, *task, "{self:?}, rank {rank}");
        Ok(())
    }
}
