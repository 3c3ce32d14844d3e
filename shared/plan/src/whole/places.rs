//! Where the bytes of a training lie: all in the machine's memory, or some on a device with memory of its own.
//!
//! On such a device are the dense parameters with their gradient, moments and update, what a batch looks up, keeps and scores, and what
//! scores of a judgement are computed with. Tables of embeddings with their moments, the rows to learn from, checkpoints and lists stay
//! with the machine (`neural/training/saved.rs`, `steps.rs`).

use super::{Asked, NUMBER, Step, Whole, WholeOutlook};
use crate::learnt::{Learnt, learnt};
use crate::process::hundredths;
use crate::spec::optimizer_of;
use crate::{DeviceMemory, DeviceOutlook, Library};

/// What the update of the dense parameters computes with, in times as much as they are.
const UPDATING: u64 = 3;
/// Of the copies of what is looked up the share that passes through the machine's memory, where the device has its own: the rows on
/// their way there, and their slopes once they have come back.
const THROUGH_THE_MACHINE: u64 = 50;

/// What is counted of a training, wherever it lies.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// Learnt numbers; no bytes.
    learnt: u64,
    /// The dense parameters.
    dense: u64,
    /// The tables of embeddings.
    tables: u64,
    /// Moments that the optimizer keeps of each number; no bytes.
    moments: u64,
    /// Copies of the best parameters so far; no bytes.
    best: u64,
    /// One step.
    step: Step,
    /// The rows as the lesson has them.
    lists: u64,
}

impl Whole<'_> {
    fn counted(&self) -> Counted {
        let Self { recommender, training, device, data, lessons, .. } = *self;
        let learnt: Learnt = learnt(recommender, data).unwrap_or_default();
        let asked = Asked { recommender, training, device, data, lessons };
        Counted {
            learnt: learnt.parameters(),
            dense: NUMBER * learnt.dense,
            tables: NUMBER * learnt.of_tables(),
            moments: optimizer_of(training).bytes() / NUMBER,
            best: u64::from(training.early_stopping.is_some()),
            step: asked.step(),
            lists: asked.lists(),
        }
    }

    /// What it will hold where all of it lies in the machine's memory.
    pub fn outlook(&self) -> WholeOutlook {
        let counted = self.counted();
        let Counted { dense, tables, moments, best, step, .. } = counted;
        let whole = dense + tables;
        // What went back to the system is no longer beside what scores are computed with, but beside lists.
        let lists = self.needs.evaluation.saturating_sub(self.needs.scoring);
        let evaluation = self.needs.evaluation.saturating_sub(step.returned).max(lists.min(self.needs.evaluation));
        let parts = WholeOutlook {
            parameters: whole,
            gradients: dense + step.looked_up,
            optimizer: moments * whole,
            activations: step.activations,
            scores: step.scores,
            best: best * whole,
            updating: UPDATING * dense,
            evaluation,
            ..WholeOutlook::default()
        };
        self.of_a_process(&counted, parts)
    }

    /// What its device will hold, where that has memory of its own; `None` where it has not.
    pub fn on_its_device(&self, memory: &DeviceMemory) -> Option<DeviceOutlook> {
        let DeviceMemory::Own { name, bytes, library } = memory else { return None };
        let Counted { dense, tables, moments, best, step, .. } = self.counted();
        // A model of sequences has the vectors of its items on the device, where all are scored at once.
        let entry = self.recommender.entry;
        let is_over_sequences = entry.reads_history && entry.kind != "autoencoder";
        Some(DeviceOutlook {
            name: name.clone(),
            memory: *bytes,
            ranks: vec![0],
            parameters: dense,
            gradients: dense + step.looked_up,
            optimizer: moments * dense,
            activations: step.activations + step.scores,
            computing: UPDATING * dense,
            model: best * dense,
            scoring: self.needs.scoring + if is_over_sequences { tables } else { 0 },
            workspaces: library.workspaces(self.needs.scorers.saturating_add(1)),
            pooled: *library == Library::Cubecl,
        })
    }

    /// What it will hold of the machine's memory where its device has memory of its own.
    pub fn beside_its_device(&self) -> WholeOutlook {
        let counted = self.counted();
        let Counted { tables, moments, best, step, .. } = counted;
        let parts = WholeOutlook {
            parameters: tables,
            gradients: hundredths(step.looked_up, THROUGH_THE_MACHINE),
            optimizer: moments * tables,
            best: best * tables,
            evaluation: self.needs.evaluation.saturating_sub(self.needs.scoring),
            ..WholeOutlook::default()
        };
        self.of_a_process(&counted, parts)
    }

    /// These parts, and what the process that has them takes beside: program and data, the rows of the lesson, judgement, checkpoints,
    /// and what the allocator keeps.
    fn of_a_process(&self, counted: &Counted, parts: WholeOutlook) -> WholeOutlook {
        let needs = self.needs;
        let Counted { learnt, dense, tables, moments, best, lists, .. } = *counted;
        let whole = dense + tables;
        let resident = parts.parameters + parts.optimizer + parts.best + lists;
        let at_step = resident + parts.gradients + parts.activations + parts.scores + parts.updating;
        // The weights are looked at for numbers that are none, and a model that is judged is made of them: one of sequences makes its
        // device a tensor of its items' vectors.
        let at_the_end_of_an_epoch = resident + whole;
        // All numbers in one row, all moments, for which those of the tables are brought together first, and all of that as bytes.
        let as_bytes = (1 + moments + best) * whole;
        let at_a_checkpoint = resident + as_bytes + moments * tables + dense + as_bytes;
        let at_a_resumption = resident + 3 * as_bytes + hundredths(whole, 50);
        let mut most = at_step.max(at_the_end_of_an_epoch);
        if needs.checkpoints {
            most = most.max(at_a_checkpoint);
        }
        if needs.resumes {
            most = most.max(at_a_resumption);
        }
        let (collecting, allocator) = (most - at_step, hundredths(most, 8));
        WholeOutlook { learnt, before: needs.before, lists, collecting, allocator, ..parts }
    }
}
