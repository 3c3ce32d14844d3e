//! What one device will hold of a network that it trains whole: those that are no row of layers, which ranks could divide.
//!
//! Parameters, gradients and the optimizer's state are counted; what a batch keeps is an upper estimate (`whole/batch.rs`), and so is
//! what the process needs beside them, with the factors of `process.rs`.

mod batch;
mod words;

use recspeed_types::Extent;
use recspeed_types::spec::{Device, ResolvedRecommender, ResolvedSpec, Training};

use crate::learnt::{Learnt, is_whole, learnt};
use crate::pace::training_seconds;
use crate::process::{ProcessNeeds, hundredths};
use crate::spec::optimizer_of;

pub(crate) use batch::{Asked, Step};
pub use words::refusal;

/// Bytes of a number.
const NUMBER: u64 = 4;
/// What the update of the dense parameters computes with, in times as much as they are.
const UPDATING: u64 = 3;

/// What is known of the rows that a network learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lessons {
    /// How many there are.
    pub rows: Option<u64>,
    /// What the users have who have most of them, where that is known.
    pub longest: Option<Longest>,
    /// How many rows there may be, where `rows` is only the least: time is told by these.
    pub about: Option<u64>,
}

/// Rows of the users who have most of them, each counted as far as the network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Longest {
    /// Of as many users as a batch has, together.
    pub of_a_batch: u64,
    /// Of one.
    pub of_one: u64,
}

impl Longest {
    /// Of users with so many rows each, in batches of `batch` of them.
    pub fn of(mut rows: Vec<u64>, batch: u64) -> Self {
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let of_a_batch = rows.iter().take(usize::try_from(batch).unwrap_or(usize::MAX)).sum();
        Self { of_a_batch, of_one: rows.first().copied().unwrap_or(0) }
    }

    /// Of so many of them, no more than a batch has.
    pub(crate) const fn together(self, users: u64) -> u64 {
        let most = users.saturating_mul(self.of_one);
        if most < self.of_a_batch { most } else { self.of_a_batch }
    }
}

/// A training on one device, planned: bytes at the worst moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WholeOutlook {
    /// Learnt numbers; no bytes.
    pub learnt: u64,
    /// Program and data.
    pub before: u64,
    /// The parameters.
    pub parameters: u64,
    /// Gradients: of all dense parameters, and of what a batch looks up in tables.
    pub gradients: u64,
    /// What the optimizer keeps of each parameter.
    pub optimizer: u64,
    /// What the layers keep of a batch for the way back.
    pub activations: u64,
    /// Scores of a batch, and what the loss makes of them.
    pub scores: u64,
    /// The rows as the lesson has them.
    pub lists: u64,
    /// The best parameters so far, where early stopping keeps them.
    pub best: u64,
    /// What the update computes with.
    pub updating: u64,
    /// What a judgement or a checkpoint brings together beyond all that.
    pub collecting: u64,
    /// What the allocator keeps.
    pub allocator: u64,
    /// What the evaluation takes on top.
    pub evaluation: u64,
}

/// The training of a spec's network on one device.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    /// The network.
    pub recommender: &'a ResolvedRecommender,
    /// How it is trained.
    pub training: &'a Training,
    /// Where.
    pub device: Device,
    /// How large its data are.
    pub data: &'a Extent,
    /// What it learns from.
    pub lessons: Lessons,
    /// What is known of its process; whether the best parameters are kept, the training says.
    pub needs: ProcessNeeds,
}

impl<'a> Whole<'a> {
    /// That of a spec; `None` where ranks can divide its recommender ([`crate::of_spec`]), or where it is no network.
    pub fn of_spec(spec: &'a ResolvedSpec, data: &'a Extent, lessons: Lessons, needs: ProcessNeeds) -> Option<Self> {
        let (recommender, training) = (&spec.recommender, spec.training.as_ref()?);
        is_whole(recommender.entry.kind).then_some(Self {
            recommender,
            training,
            device: spec.engine.device,
            data,
            lessons,
            needs,
        })
    }

    /// Whether what it holds lies in the memory of the process: that of a GPU is not foretold.
    pub const fn is_in_memory(&self) -> bool {
        matches!(self.device, Device::Flex | Device::Browser | Device::Cpu | Device::LibtorchCpu)
    }

    /// About how long it trains, where the number of rows is known.
    pub fn seconds(&self) -> Option<f64> {
        training_seconds(self.recommender, self.training, self.data, self.lessons.about.or(self.lessons.rows)?)
    }

    /// What it will hold.
    pub fn outlook(&self) -> WholeOutlook {
        let Self { recommender, training, device, data, lessons, needs } = *self;
        let learnt: Learnt = learnt(recommender, data).unwrap_or_default();
        let asked = Asked { recommender, training, device, data, lessons };
        let Step { looked_up, activations, scores } = asked.step();
        let moments = optimizer_of(training).bytes() / NUMBER;
        let (whole, dense, tables) = (NUMBER * learnt.parameters(), NUMBER * learnt.dense, NUMBER * learnt.of_tables());
        let kept_best = u64::from(training.early_stopping.is_some());
        let counted = WholeOutlook {
            learnt: learnt.parameters(),
            before: needs.before,
            parameters: whole,
            gradients: dense + looked_up,
            optimizer: moments * whole,
            activations,
            scores,
            lists: asked.lists(),
            best: kept_best * whole,
            updating: UPDATING * dense,
            evaluation: needs.evaluation,
            ..WholeOutlook::default()
        };
        let resident = counted.parameters + counted.optimizer + counted.best + counted.lists;
        let at_step = resident + counted.gradients + counted.activations + counted.scores + counted.updating;
        // The weights are looked at for numbers that are none, and a model that is judged is made of them: one of sequences has its
        // items' vectors on the device, too.
        let at_the_end_of_an_epoch = resident + dense + tables;
        // All numbers in one row, all moments, for which those of the tables are brought together first, and all of that as bytes.
        let as_bytes = (1 + moments + kept_best) * whole;
        let at_a_checkpoint = resident + as_bytes + moments * tables + dense + as_bytes;
        let at_a_resumption = resident + 3 * as_bytes + hundredths(whole, 50);
        let mut most = at_step.max(at_the_end_of_an_epoch);
        if needs.checkpoints {
            most = most.max(at_a_checkpoint);
        }
        if needs.resumes {
            most = most.max(at_a_resumption);
        }
        WholeOutlook { collecting: most - at_step, allocator: hundredths(most, 8), ..counted }
    }
}

impl WholeOutlook {
    /// What the training itself holds: parameters, gradients, optimizer, activations, scores and its rows.
    pub const fn ledger(&self) -> u64 {
        let kept = self.parameters.saturating_add(self.gradients).saturating_add(self.optimizer);
        kept.saturating_add(self.activations).saturating_add(self.scores).saturating_add(self.lists)
    }

    /// What its process holds at the worst moment.
    pub const fn total(&self) -> u64 {
        let beside = self.before.saturating_add(self.best).saturating_add(self.updating);
        let kept = self.collecting.saturating_add(self.allocator).saturating_add(self.evaluation);
        self.ledger().saturating_add(beside).saturating_add(kept)
    }

    /// Its parts by what they are, for people.
    pub const fn parts(&self) -> [(&'static str, u64); 12] {
        [
            ("program and data", self.before),
            ("parameters", self.parameters),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("activations of a batch", self.activations),
            ("scores of a batch", self.scores),
            ("rows to learn from", self.lists),
            ("best parameters so far", self.best),
            ("what updates compute with", self.updating),
            ("judgement and checkpoint", self.collecting),
            ("what the allocator keeps", self.allocator),
            ("evaluation", self.evaluation),
        ]
    }
}
