//! What a training certainly holds, and about how long it takes, before any of it.
//!
//! Whether a run fits is foretold by its plan alone (`recspeed_plan`, by which `experiment` refuses it). Here counts only what no training
//! can do without, so that nothing is refused that a plan lets through.

use recspeed_plan::pace::{self, LookUps};
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::Loss;

use super::network::Network;
use super::{Course, Lesson, update};
use crate::NeuralFitError;

/// Bytes that a training may ask for. A tab addresses 4 GiB and needs some of it for the page's data.
const ADDRESSABLE: u64 = if cfg!(target_arch = "wasm32") { 3 << 30 } else { isize::MAX as u64 };

impl<N: Network, L: Lesson<N>> Course<'_, N, L> {
    /// What this training holds for certain, by purpose: the numbers that it learns, as many gradients of the dense ones, moments, and
    /// what it goes through in an epoch. What a batch looks up and keeps is not among it: nobody counts that on one device, and what
    /// was not counted is not told.
    pub(super) fn memory(&self) -> MemoryBytes {
        let layout = self.network.layout();
        let parameters = 4 * layout.len() as u64;
        MemoryBytes {
            parameters,
            gradients: 4 * layout.flat_len() as u64,
            optimizer: parameters * update::moments_per_parameter(self.training.optimizer),
            buffers: self.lesson.epoch_bytes(),
            ..MemoryBytes::default()
        }
    }

    /// Refuses what cannot do: what it holds for certain is more than the `left` bytes, where that is known, or than can be addressed.
    pub(super) fn refuse_too_large(&self, left: Option<u64>) -> Result<(), NeuralFitError> {
        let MemoryBytes { parameters, gradients, optimizer, buffers, .. } = self.memory();
        let needed = parameters + gradients + optimizer + buffers;
        let allowed = left.map_or(ADDRESSABLE, |left| left.min(ADDRESSABLE));
        if needed <= allowed {
            return Ok(());
        }
        let remedy = pace::remedy(self.recommender.entry);
        Err(NeuralFitError::TooLarge { needed, allowed, seconds: self.seconds(), remedy })
    }

    /// About how long it takes at most, by what is computed for the rows of all batches.
    fn seconds(&self) -> f64 {
        let (entry, layout) = (self.recommender.entry, self.network.layout());
        // A network over sequences multiplies what it says with the vectors of all items, which are its first table.
        let is_over_sequences = entry.reads_history && entry.kind != "autoencoder";
        let over_all = is_over_sequences && self.training.loss == Loss::CrossEntropy;
        let scored = layout.tables().first().filter(|_| over_all).map_or(0, |items| items.rows * items.width);
        let rows = self.lesson.batch_rows().saturating_mul(self.lesson.batches());
        // Each row of a batch has a place in every table; against all items it is scored at each step.
        let all_items = |at: usize| if over_all && at == 0 { self.lesson.batches() } else { 0 };
        let tables = layout.tables().iter().enumerate().map(|(at, table)| {
            let (of_table, width) = (table.rows as u64, table.width as u64);
            ((of_table, width), rows as f64 + (all_items(at) * of_table) as f64)
        });
        let look_ups = LookUps::new(tables, self.training);
        let sizes = (layout.flat_len() as u64, scored as u64);
        pace::seconds_of(entry.kind, self.training.epochs, rows, sizes, look_ups)
    }
}
