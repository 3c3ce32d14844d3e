//! Pipeline schedules: for every rank, what it does, in order.
//!
//! A rank holds `chunks` stages; stage `chunk · ranks + rank` is chunk `chunk` of rank `rank`. Each schedule is an order of
//! forward and backward passes ([`orders`]), to which loading, sending, receiving, the reduction of gradients and the
//! optimizer's step are added ([`messages`]). A send does not wait for its receiver; a receive waits for its sender. In that
//! reading no list of [`Schedule::new`] can block, for any number of ranks, micro-batches and chunks: a test runs them all.

mod buffers;
mod messages;
mod orders;

pub use buffers::Buffers;

use crate::PlanError;

/// One micro-batch in one chunk of a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The rank's chunk, from 0.
    pub chunk: usize,
    /// The micro-batch, from 0.
    pub micro_batch: usize,
}

/// What a rank does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// Takes a micro-batch from the data: its inputs at the first stage, its targets at the last.
    LoadMicroBatch(Cell),
    /// Waits for the output of the stage before.
    RecvActivation(Cell),
    /// The forward pass.
    Forward(Cell),
    /// Sends the output to the stage after.
    SendActivation(Cell),
    /// Waits for the gradient of the output from the stage after.
    RecvGradient(Cell),
    /// The whole backward pass.
    Backward(Cell),
    /// The part of the backward pass that the stage before waits for: the gradient of the input.
    BackwardInput(Cell),
    /// The other part: the gradients of the parameters.
    BackwardWeight(Cell),
    /// Sends the gradient of the input to the stage before.
    SendGradient(Cell),
    /// Adds up the gradients of the replicas, where there are several.
    ReduceGradients,
    /// Updates the parameters; all stages use the same ones within a batch (synchronous update).
    OptimizerStep,
}

impl Instruction {
    /// Its cell, where it has one.
    pub const fn cell(self) -> Option<Cell> {
        match self {
            Self::LoadMicroBatch(cell)
            | Self::RecvActivation(cell)
            | Self::Forward(cell)
            | Self::SendActivation(cell)
            | Self::RecvGradient(cell)
            | Self::Backward(cell)
            | Self::BackwardInput(cell)
            | Self::BackwardWeight(cell)
            | Self::SendGradient(cell) => Some(cell),
            Self::ReduceGradients | Self::OptimizerStep => None,
        }
    }

    /// Whether it computes a forward or backward pass or a part of one.
    pub const fn computes(self) -> bool {
        matches!(self, Self::Forward(_) | Self::Backward(_) | Self::BackwardInput(_) | Self::BackwardWeight(_))
    }
}

impl Instruction {
    /// What a run calls it in its `span` events: a letter and the micro-batch for passes, a word for the update; `None` for
    /// what only moves data. A timeline reads these names; the lane beside them is the chunk.
    pub fn span_name(self) -> Option<String> {
        let named = |letter: char, cell: Cell| Some(format!("{letter}{}", cell.micro_batch));
        match self {
            Self::Forward(cell) => named('F', cell),
            Self::Backward(cell) => named('B', cell),
            Self::BackwardInput(cell) => named('I', cell),
            Self::BackwardWeight(cell) => named('W', cell),
            Self::ReduceGradients => Some("reduce".to_owned()),
            Self::OptimizerStep => Some("step".to_owned()),
            _ => None,
        }
    }

    /// The same of what only moves data between ranks: a word and the micro-batch.
    pub fn message_name(self) -> Option<String> {
        let named = |word: &str, cell: Cell| Some(format!("{word} {}", cell.micro_batch));
        match self {
            Self::RecvActivation(cell) => named("receive", cell),
            Self::SendActivation(cell) => named("send", cell),
            Self::RecvGradient(cell) => named("receive slope", cell),
            Self::SendGradient(cell) => named("send slope", cell),
            _ => None,
        }
    }
}

/// The orders that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScheduleKind {
    /// All forward passes, then all backward passes (Huang et al. 2019, GPipe, section 2.3).
    Gpipe,
    /// One forward, one backward (Narayanan et al. 2021, PipeDream-Flush): as few micro-batches held as there are stages after.
    OneForwardOneBackward,
    /// The same over several chunks a rank (Narayanan et al. 2021, Megatron-LM, section 2.2).
    Interleaved,
    /// The backward pass in two parts, the second of which fills the bubble (Qi et al. 2024, ZB-H1).
    ZeroBubbleH1,
}

impl ScheduleKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gpipe, Self::OneForwardOneBackward, Self::Interleaved, Self::ZeroBubbleH1];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpipe => "gpipe",
            Self::OneForwardOneBackward => "1f1b",
            Self::Interleaved => "interleaved",
            Self::ZeroBubbleH1 => "zb-h1",
        }
    }

    /// Idle over ideal time where every stage takes as long as every other, both parts of the backward pass as long as the
    /// forward pass, messages no time, and `ranks` divides `micro_batches` (or `chunks` is 1).
    pub fn ideal_bubble(self, ranks: usize, micro_batches: usize, chunks: usize) -> f64 {
        let one_stage_each = (ranks as f64 - 1.0) / micro_batches as f64;
        match self {
            Self::Gpipe | Self::OneForwardOneBackward => one_stage_each,
            Self::Interleaved => one_stage_each / chunks as f64,
            Self::ZeroBubbleH1 => one_stage_each / 3.0,
        }
    }

    /// The most cells that a rank holds between the beginning of a forward pass and the end of its backward pass.
    pub fn held_at_most(self, ranks: usize, rank: usize, micro_batches: usize, chunks: usize) -> usize {
        match self {
            Self::Gpipe => micro_batches,
            Self::OneForwardOneBackward => micro_batches.min(ranks - rank),
            Self::Interleaved if chunks == 1 => micro_batches.min(ranks - rank),
            Self::Interleaved => (micro_batches * chunks).min(2 * (ranks - rank - 1) + (chunks - 1) * ranks + 1),
            Self::ZeroBubbleH1 => micro_batches.min(ranks),
        }
    }
}

/// A list of instructions for each rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    kind: ScheduleKind,
    micro_batches: usize,
    chunks: usize,
    lists: Vec<Vec<Instruction>>,
}

impl Schedule {
    /// The lists of one batch.
    ///
    /// # Errors
    /// [`PlanError`]: a number is 0, or several chunks for a schedule that has one a rank.
    pub fn new(kind: ScheduleKind, ranks: usize, micro_batches: usize, chunks: usize) -> Result<Self, PlanError> {
        for (what, number) in
            [("strategy.stages", ranks), ("strategy.micro_batches", micro_batches), ("strategy.chunks", chunks)]
        {
            if number == 0 {
                return Err(PlanError::Zero { what });
            }
        }
        if chunks > 1 && kind != ScheduleKind::Interleaved {
            return Err(PlanError::Chunks { kind: kind.as_str(), chunks });
        }
        let lists = (0..ranks)
            .map(|rank| {
                let order = match kind {
                    ScheduleKind::Gpipe => orders::gpipe(micro_batches),
                    ScheduleKind::OneForwardOneBackward => orders::interleaved(ranks, rank, micro_batches, 1),
                    ScheduleKind::Interleaved => orders::interleaved(ranks, rank, micro_batches, chunks),
                    ScheduleKind::ZeroBubbleH1 => orders::zero_bubble_h1(ranks, rank, micro_batches),
                };
                messages::complete(&order, ranks, rank, chunks)
            })
            .collect();
        Ok(Self { kind, micro_batches, chunks, lists })
    }

    /// Which schedule it is.
    pub fn kind(&self) -> ScheduleKind {
        self.kind
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.lists.len()
    }

    /// Number of micro-batches.
    pub fn micro_batches(&self) -> usize {
        self.micro_batches
    }

    /// Stages a rank.
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// Number of stages of the model.
    pub fn stages(&self) -> usize {
        self.ranks() * self.chunks
    }

    /// The stage that is this chunk of this rank.
    pub fn stage(&self, rank: usize, chunk: usize) -> usize {
        chunk * self.ranks() + rank
    }

    /// A rank's list.
    ///
    /// # Panics
    /// When `rank` is not below [`Self::ranks`].
    pub fn list(&self, rank: usize) -> &[Instruction] {
        &self.lists[rank]
    }

    /// Which buffer holds each cell of a rank.
    ///
    /// # Panics
    /// When `rank` is not below [`Self::ranks`].
    pub fn buffers(&self, rank: usize) -> Buffers {
        Buffers::of(&self.lists[rank], self.chunks, self.micro_batches)
    }
}
