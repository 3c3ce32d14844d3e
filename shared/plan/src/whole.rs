//! What one device will hold of a network that it trains whole: those that are no row of layers, which ranks could divide.
//!
//! Parameters, gradients and the optimizer's state are counted; what a batch keeps is an upper estimate (`whole/batch.rs`), and so is
//! what the process needs beside them, with the factors of `process.rs`. Where it is trained on a device with memory of its own, that is
//! held against the one, and what stays with the machine against the other (`whole/places.rs`).

pub(crate) mod batch;
mod lessons;
mod places;
mod words;

use recspeed_types::Extent;
use recspeed_types::spec::{Device, ResolvedRecommender, ResolvedSpec, Training};

use crate::learnt::is_whole;
use crate::pace::lessons_seconds;
use crate::process::ProcessNeeds;

pub(crate) use batch::{Asked, Encoded, Step};
pub use lessons::{Lengths, Lessons};
pub use words::{others, refusal, refusal_where};

/// Bytes of a number.
const NUMBER: u64 = 4;

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

    /// About how long it trains, where the number of rows is known.
    pub fn seconds(&self) -> Option<f64> {
        lessons_seconds(self.recommender, self.training, self.data, &self.lessons)
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
            ("gradients and rows looked up", self.gradients),
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
