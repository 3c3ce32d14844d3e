//! The batches of a sequence model: whole sequences, each asking several questions at once.

use std::f64::consts::LN_2;

use burn::tensor::Device;
use recspeed_types::spec::Loss;

use super::encoder::{Batch as Read, Encoder};
use super::history::Histories;
use super::tied::{Others, Tied};
use crate::random::epoch_order;
use crate::training::losses::Targets;
use crate::training::rows::LookUp;
use crate::training::{Batch, Lesson};

/// What a sequence model learns: the item that comes next, for every item of every sequence.
pub(crate) struct SequenceLesson<'a> {
    pub(crate) histories: &'a Histories,
    /// Users whose sequences teach something.
    pub(crate) users: Vec<u32>,
    pub(crate) loss: Loss,
    /// Sequences of a batch.
    pub(crate) batch_size: usize,
    /// Items drawn for the sampled losses.
    pub(crate) others: Others,
    /// Whether a drawn item counts for all those that it stands for.
    pub(crate) log_q: bool,
    pub(crate) seed: u64,
    pub(crate) device: Device,
    /// Items of a sequence that count.
    pub(crate) length: usize,
    /// Rows that a batch of the longest sequences has.
    pub(crate) most_rows: u64,
    /// Items that can be scored.
    pub(crate) n_items: usize,
}

impl<E: Encoder> Lesson<Tied<E>> for SequenceLesson<'_> {
    /// Places of the users in the order of the epoch, and the epoch's number.
    type Epoch = (Vec<u32>, u32);

    fn batches(&self) -> u64 {
        self.users.len().div_ceil(self.batch_size) as u64
    }

    fn epoch(&self, epoch: u32) -> Self::Epoch {
        (epoch_order(self.seed, epoch, self.users.len() as u32), epoch)
    }

    fn batch(
        &self,
        network: &Tied<E>,
        (order, epoch): &Self::Epoch,
        index: u64,
    ) -> Batch<super::tied::Sequences<E::Input>> {
        let from = index as usize * self.batch_size;
        let places = &order[from..(from + self.batch_size).min(order.len())];
        let users: Vec<u32> = places.iter().map(|&place| self.users[place as usize]).collect();
        let sequences: Vec<&[u32]> = users.iter().map(|&user| self.histories.of_user(user)).collect();
        let step = u64::from(*epoch) * Lesson::<Tied<E>>::batches(self) + index;
        let read: Read<E::Input> = network.encoder().lesson(&users, &sequences, (self.seed, step), &self.device);
        let others = if self.loss == Loss::CrossEntropy { Others::All } else { self.others };
        let (input, look_ups, places) =
            network.choose(read, &sequences, others, self.log_q, (self.seed, step), &self.device);
        let rows = places.len() as u64;
        let targets = if self.loss == Loss::CrossEntropy { Targets::Place(places) } else { Targets::First };
        Batch { input, look_ups: look_ups.into_iter().map(LookUp::from).collect(), targets, rows }
    }

    fn batch_rows(&self) -> u64 {
        self.most_rows
    }

    fn epoch_bytes(&self) -> u64 {
        4 * self.users.len() as u64
    }

    /// A choice among the items, or odds of one half. Where drawn items count for all, either costs at most what a choice
    /// among all does.
    fn of_nothing(&self) -> f64 {
        let candidates = match self.others {
            Others::Drawn { count, .. } => self.n_items.max(1 + count),
            Others::All => self.n_items,
        };
        let is_choice = matches!(self.loss, Loss::CrossEntropy | Loss::SampledSoftmax);
        if is_choice || self.log_q { (candidates as f64).ln() } else { LN_2 }
    }

    fn name(&self) -> String {
        format!(
            "{} sequences of {} rows, {:?}, log q {}, length {}",
            self.users.len(),
            self.histories.len(),
            self.others,
            self.log_q,
            self.length
        )
    }
}
