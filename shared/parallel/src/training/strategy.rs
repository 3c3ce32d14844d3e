//! How the work is divided, and where each rank stands in that.

use std::ops::Range;

use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Layout, Partition, PlanError, Recompute, Schedule, ScheduleKind, micro_batch_sizes};

/// How ranks train one model together: `stages × replicas` of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// Who stands where.
    pub layout: Layout,
    /// The order of forward and backward passes in each pipeline.
    pub schedule: ScheduleKind,
    /// Micro-batches that each replica cuts its part of a batch into.
    pub micro_batches: usize,
    /// Stages a rank.
    pub chunks: usize,
    /// Which layers each of the `stages × chunks` parts has.
    pub partition: Partition,
    /// Which forward passes are computed twice.
    pub recompute: Recompute,
    /// What replicas divide among them.
    pub level: ShardLevel,
    /// Whether the optimizer computes and keeps its moments in the machine's own memory, whatever the device.
    pub offload: bool,
}

impl Strategy {
    /// One device that does everything at once.
    ///
    /// # Errors
    /// [`PlanError`]: no layers.
    pub fn single(layers: usize) -> Result<Self, PlanError> {
        Ok(Self {
            layout: Layout::new(1, 1, 1)?,
            schedule: ScheduleKind::Gpipe,
            micro_batches: 1,
            chunks: 1,
            partition: Partition::by_hand(layers, &[layers])?,
            recompute: Recompute::Never,
            level: ShardLevel::DataParallel,
            offload: false,
        })
    }

    pub(crate) fn schedule(&self, micro_batches: usize) -> Result<Schedule, PlanError> {
        Schedule::new(self.schedule, self.layout.stages(), micro_batches, self.chunks)
    }

    /// The micro-batches of one replica, of a batch of so many rows. Replicas take their rows one after another, as equally as can
    /// be. A small batch, as the last one of an epoch, is cut into fewer micro-batches; where it has fewer rows than there are
    /// replicas, the others compute a row of it too, which counts nothing, so that all ranks do the same.
    pub(crate) fn cut(&self, rows: usize, replica: usize) -> Result<Vec<Cut>, PlanError> {
        let replicas = self.layout.replicas();
        if rows < replicas {
            let row = replica % rows.max(1);
            return Ok(vec![Cut { rows: row..(row + 1).min(rows), counts: replica < rows }]);
        }
        let micro_batches = self.micro_batches.min(rows / replicas);
        let sizes = micro_batch_sizes(rows, replicas * micro_batches)?;
        let mut start = sizes[..replica * micro_batches].iter().sum::<usize>();
        let own = &sizes[replica * micro_batches..(replica + 1) * micro_batches];
        let next = |&size: &usize| {
            let rows = start..start + size;
            start = rows.end;
            Cut { rows, counts: true }
        };
        Ok(own.iter().map(next).collect())
    }
}

/// Some rows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) rows: Range<usize>,
    /// Whether they count in the loss; otherwise another replica counts them.
    pub(crate) counts: bool,
}
