//! The rows of one epoch as tensors.

use burn::tensor::{Device, Tensor, TensorData};

use crate::Rows;
use crate::random::epoch_order;
use crate::scaling::{INPUTS, InputScaling, RatingScale};

/// All rows of one epoch, scaled and in the order of the epoch; a batch is a view of them without a copy.
pub(crate) struct Epoch {
    inputs: Tensor<2>,
    targets: Tensor<2>,
    rows: usize,
}

/// Rows `[from, to)` of an epoch.
pub(crate) struct Batch {
    /// `[rows, INPUTS]`
    pub(crate) inputs: Tensor<2>,
    /// `[rows, 1]`
    pub(crate) targets: Tensor<2>,
    /// Rows in it; the last batch of an epoch may hold fewer.
    pub(crate) rows: usize,
}

impl Epoch {
    /// The rows of epoch number `epoch` (from 0).
    pub(crate) fn new(
        train: Rows<'_>,
        scaling: &InputScaling,
        scale: RatingScale,
        (seed, epoch): (u64, u32),
        device: &Device,
    ) -> Self {
        let data = train.interactions;
        let rows = train.len();
        let mut inputs = Vec::with_capacity(rows * INPUTS);
        let mut targets = Vec::with_capacity(rows);
        for place in epoch_order(seed, epoch, rows as u32) {
            let row = train.rows[place as usize] as usize;
            inputs.extend(scaling.apply(data.user[row], data.item[row], data.timestamp[row]));
            targets.push(scale.target(data.rating[row]));
        }
        Self {
            inputs: Tensor::from_data(TensorData::new(inputs, [rows, INPUTS]), device),
            targets: Tensor::from_data(TensorData::new(targets, [rows, 1]), device),
            rows,
        }
    }

    /// Batch number `index` (from 0) of batches of `size` rows.
    pub(crate) fn batch(&self, index: u64, size: usize) -> Batch {
        let from = (index as usize).saturating_mul(size).min(self.rows);
        let to = from.saturating_add(size).min(self.rows);
        Batch {
            inputs: self.inputs.clone().slice([from..to, 0..INPUTS]),
            targets: self.targets.clone().slice([from..to, 0..1]),
            rows: to - from,
        }
    }
}
