//! What the process of a training holds beside the ledgers of its ranks: an estimate, whose factors were fitted to the peaks of
//! processes (docs/parallel.md), and lie above all of them.

use crate::scoring::LARGEST_KEPT;
use crate::sharding::ShardLevel;
use crate::{DeviceMemory, Outlook, RankOutlook, StepNeeds, Strategy};

/// What is known of the process whose threads the ranks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none rules another out")]
pub struct ProcessNeeds {
    /// Bytes that it holds before the training begins: program and data.
    pub before: u64,
    /// Whether it writes checkpoints.
    pub checkpoints: bool,
    /// Whether it goes on from one.
    pub resumes: bool,
    /// Whether early stopping keeps the best parameters beside those that learn.
    pub keeps_best: bool,
    /// Whether one device does everything, and nothing has to be brought together.
    pub alone: bool,
    /// Whether each rank is a process of its own, with the program and the data.
    pub apart: bool,
    /// Bytes that the evaluation holds beside the model ([`crate::EvaluationOutlook`]): the first rank evaluates alone.
    pub evaluation: u64,
    /// Of these, what scores are computed with, which lies where the first rank computes.
    pub scoring: u64,
    /// Threads that compute them, beside those of the ranks.
    pub scorers: u64,
    /// What a step holds beside the ledgers of layers: rows that are looked up, and scores.
    pub step: StepNeeds,
}

/// What such a process, or all of them, will hold at the worst moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessOutlook {
    /// Program and data.
    pub before: u64,
    /// The ranks' ledgers ([`Outlook::together`]).
    pub ledgers: u64,
    /// What steps look up and score ([`ProcessNeeds::step`]), and what updates and exchanges compute with, beyond what the ledgers count of it.
    pub computing: u64,
    /// What the first rank brings together beyond that, for its judgement and for a checkpoint.
    pub collecting: u64,
    /// What the allocator keeps.
    pub allocator: u64,
    /// What the evaluation takes on top: what the training freed by then is still the allocator's, for other threads.
    pub evaluation: u64,
}

impl ProcessOutlook {
    /// All of it.
    pub const fn total(&self) -> u64 {
        let counted = self.before.saturating_add(self.ledgers).saturating_add(self.computing);
        counted.saturating_add(self.collecting).saturating_add(self.allocator).saturating_add(self.evaluation)
    }
}

/// Bytes of a number.
const NUMBER: u64 = 4;
/// What a program that trains holds before it has read anything.
const PROGRAM: u64 = 25 << 20;
/// Bytes of a row of a data set: columns, rows of the split, and its part of the dictionaries.
const ROW: u64 = 64;
/// Of what the layers keep of a step the part in which the thread that learnt reads histories again for a judgement. Fitted to whole
/// runs of `sasrec` (docs/parallel.md).
const READ_AGAIN: u64 = 3;
/// What the allocator keeps for the thread of each further rank: so many times its largest layer, as far as that counts, and a little.
const LAYERS_KEPT: u64 = 10;
const LARGEST_LAYER: u64 = 4 << 20;
const THREAD: u64 = 2 << 20;

impl ProcessNeeds {
    /// What a process holds before a training on so many rows, where nobody has measured it.
    pub const fn of_rows(rows: u64) -> u64 {
        PROGRAM + ROW * rows
    }
}

/// So many hundredths.
pub(crate) const fn hundredths(bytes: u64, times: u64) -> u64 {
    bytes.saturating_mul(times) / 100
}

/// What the update of one rank computes with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    /// Bytes of the rank's stages.
    stage: u64,
    /// Bytes of the numbers that it updates.
    updated: u64,
    /// The gradient as one row, and what the optimizer computes with.
    rule: u64,
    /// The numbers of the stage, brought together anew.
    gathered: u64,
}

impl Update {
    /// Where all of it is in one memory.
    const fn all(self) -> u64 {
        self.rule + self.gathered
    }

    /// On a device with memory of its own. Where the optimizer is offloaded, its gradient lies there as one row, and the numbers that
    /// come back beside those that they replace.
    pub(crate) const fn on_its_device(self, offload: bool) -> u64 {
        if offload { self.stage + self.updated + self.gathered } else { self.all() }
    }

    /// In the machine's memory, for a rank on such a device: the whole update where it is offloaded, and what replicas exchange.
    const fn on_the_machine(self, offload: bool, replicas: u64) -> u64 {
        let travels = if replicas > 1 { self.stage + self.updated } else { 0 };
        if offload { self.all() + travels } else { travels }
    }
}

impl Outlook {
    /// Bytes of the stages of a rank of the pipeline.
    pub(crate) fn stage_bytes(&self, rank: usize) -> u64 {
        let own = (0..self.schedule.chunks()).map(|chunk| self.stages[self.schedule.stage(rank, chunk)].parameters);
        NUMBER * own.sum::<u64>()
    }

    /// What the update of a rank of the pipeline computes with. In numbers of what it updates: the gradient as one row and what the
    /// optimizer computes with take three times as much, or two and a half where the buffers are large enough to be given back; with ZeRO
    /// 1 and 2 the gathered numbers are another copy of the stage.
    pub(crate) fn update(&self, strategy: &Strategy, rank: usize) -> Update {
        let (stage, replicas) = (self.stage_bytes(rank), strategy.replicas.max(1) as u64);
        let divided = replicas > 1 && strategy.level >= ShardLevel::Optimizer;
        let updated = if divided { stage.div_ceil(replicas) } else { stage };
        let rule = hundredths(updated, if updated > LARGEST_KEPT { 250 } else { 300 });
        let gathered = if divided && strategy.level < ShardLevel::Parameters { stage } else { 0 };
        Update { stage, updated, rule, gathered }
    }

    /// What the process of such a training holds in the machine's memory, beside the ledgers. Of ranks on devices with memory of their
    /// own ([`Self::devices`]) that is what is offloaded, what they exchange, what they begin with, and what goes to a checkpoint. The
    /// first rank has all numbers at the end of an epoch, and for a checkpoint also the moments, a copy of the numbers, and all of that as
    /// bytes; whoever goes on from one has its bytes twice, and what they say.
    pub fn process(&self, strategy: &Strategy) -> ProcessOutlook {
        // All copies of a stage compute on the same kind of device.
        let here = |rank: usize| *strategy.memory_of(rank * strategy.copies()) == DeviceMemory::Machine;
        let needs = strategy.needs;
        let (copies, tensor) = (strategy.copies() as u64, strategy.tensor.max(1) as u64);
        let replicas = strategy.replicas.max(1) as u64;
        let ranks = self.schedule.ranks();
        let of_layers = tensor * (0..ranks).map(|rank| self.stage_bytes(rank)).sum::<u64>();
        let kinds = 1 + strategy.optimizer.bytes() / NUMBER;
        // Tables of embeddings are rows of the machine's memory, wherever layers compute.
        let tables = strategy.beside / kinds;
        let (whole, best) = (of_layers + tables, u64::from(needs.keeps_best));
        let model = if here(0) { whole } else { tables };

        let updates: Vec<Update> = (0..ranks).map(|rank| self.update(strategy, rank)).collect();
        let largest_update = updates.iter().map(|update| update.updated).max().unwrap_or(0);
        // It was fitted beside what the passes hold, and some of it is in the ledgers.
        let of_rank = |(rank, update): (usize, &Update)| {
            let of = &self.ranks[rank];
            let beyond = (of.in_passes() + update.all()).saturating_sub(of.peak());
            if here(rank) { beyond } else { update.on_the_machine(strategy.offload, replicas) }
        };
        let computing = copies * updates.iter().enumerate().map(of_rank).sum::<u64>();
        // Scores are computed on the last rank of each pipeline, before anything is updated.
        let rows = strategy.batch as u64;
        let scores_here = here(ranks.saturating_sub(1));
        let scores = if scores_here { replicas.saturating_mul(needs.step.bytes(rows)) } else { 0 };
        let computing = computing.saturating_add(scores);
        let held = |(rank, of): (usize, &RankOutlook)| of.shares.host + if here(rank) { of.peak() } else { 0 };
        let ledgers = self.ranks.iter().enumerate().map(held).sum::<u64>();
        let ledgers = ledgers.saturating_mul(copies).saturating_add(self.beside);

        let resident = |(rank, of): (usize, &RankOutlook)| {
            of.shares.host + if here(rank) { of.shares.parameters + of.shares.optimizer } else { 0 }
        };
        let resident =
            copies * self.ranks.iter().enumerate().map(resident).sum::<u64>() + strategy.beside + best * model;
        // Each rank draws what it holds, and no more; a library brings that to its device by a copy.
        let begun: u64 = self.ranks.iter().map(|of| of.shares.parameters).sum();
        let at_the_beginning = 2 * copies * begun + tables;
        let at_step = ledgers + computing + (1 + best) * model;
        let at_the_end_of_an_epoch = resident + of_layers + 2 * tables;
        let small = whole <= LARGEST_KEPT || largest_update <= LARGEST_KEPT / 2;
        let gathered = if needs.alone {
            hundredths(whole, if small { 200 } else { 50 }) + (kinds - 1) * whole
        } else {
            hundredths(whole, 150) + kinds * whole
        };
        // Small buffers of the other ranks' steps are still the allocator's.
        let all_ranks = ranks as u64 * copies;
        let others =
            if small { (ledgers + computing).saturating_sub(resident) / all_ranks * (all_ranks - 1) } else { 0 };
        let at_a_checkpoint = resident + gathered + (1 + best) * model + (kinds + best) * whole + others;
        let at_a_resumption = resident + 3 * (kinds + best) * whole + hundredths(whole, 50);
        let mut most = at_the_beginning.max(at_step).max(at_the_end_of_an_epoch);
        if needs.checkpoints {
            most = most.max(at_a_checkpoint);
        }
        if needs.resumes {
            most = most.max(at_a_resumption);
        }
        let largest = strategy.layers.iter().map(|layer| NUMBER * layer.parameters).max().unwrap_or(0);
        let of_a_thread = LAYERS_KEPT * largest.min(LARGEST_LAYER) + THREAD;
        ProcessOutlook {
            before: needs.before.saturating_mul(if needs.apart { all_ranks } else { 1 }),
            ledgers,
            computing,
            collecting: most - ledgers - computing,
            allocator: hundredths(most, 8) + of_a_thread * (all_ranks - 1),
            evaluation: if here(0) {
                // What went back to the system is no longer beside what scores are computed with, but beside lists.
                let lists = needs.evaluation.saturating_sub(needs.scoring);
                // Each micro-batch has buffers of its own.
                let together = rows.div_ceil(strategy.micro_batches.max(1) as u64);
                let returned = if scores_here { needs.step.returned(together) } else { 0 };
                let again = needs.scoring / needs.scorers.max(1);
                let again = if needs.step.reads_again { again.min(self.ranks[0].activations / READ_AGAIN) } else { 0 };
                let returned = returned.saturating_add(again);
                needs.evaluation.saturating_sub(returned).max(lists.min(needs.evaluation))
            } else {
                needs.evaluation.saturating_sub(needs.scoring)
            },
        }
    }
}
