//! One example a row: numbers that describe it, and what its rating says.

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_types::spec::Training;

use crate::Rows;
use crate::random::epoch_order;
use crate::training::begun::Digest;
use crate::training::lent::Tellable;
use crate::training::losses::Targets;
use crate::training::network::Network;
use crate::training::{Batch, Lesson};

/// What a row says of itself: writes the numbers that describe row `row` of the data set.
pub(crate) trait Describe {
    /// Numbers of each row.
    const WIDTH: usize;

    /// Appends the `WIDTH` numbers of a row.
    fn describe(&self, user: u32, item: u32, timestamp: i64, into: &mut Vec<f32>);
}

/// Rows in an order drawn for each epoch, each with its description and what its rating says.
pub(crate) struct RatingLesson<'a, D> {
    pub(crate) train: Rows<'a>,
    pub(crate) training: &'a Training,
    pub(crate) describe: &'a D,
    /// A rating in stars as the number that the network shall answer with.
    pub(crate) target: &'a dyn Fn(f32) -> f32,
    /// What that number is.
    pub(crate) targets: fn(Tensor<2>) -> Targets,
    pub(crate) seed: u64,
    pub(crate) device: Device,
    /// What [`Self::describe`] and [`Self::target`] depend on, in words.
    pub(crate) scales: String,
}

/// All rows of one epoch, described and in the order of the epoch; a batch is a view of them without a copy.
pub(crate) struct RatingEpoch {
    inputs: Tensor<2>,
    targets: Tensor<2>,
    /// The order, folded at its place among those of all epochs.
    order: u64,
}

impl<D: Describe> RatingLesson<'_, D> {
    /// Description and target of a row of the training, by its place among them.
    fn tell(&self, place: u32, inputs: &mut Vec<f32>, targets: &mut Vec<f32>) {
        let data = self.train.interactions;
        let row = self.train.rows[place as usize] as usize;
        self.describe.describe(data.user[row], data.item[row], data.timestamp[row], inputs);
        targets.push((self.target)(data.rating[row]));
    }
}

impl<D: Describe> Tellable for RatingLesson<'_, D> {
    fn numbers(&self) -> (Vec<f32>, usize, Vec<f32>) {
        let rows = self.train.len();
        let (mut inputs, mut targets) = (Vec::with_capacity(rows * D::WIDTH), Vec::with_capacity(rows));
        for place in 0..rows as u32 {
            self.tell(place, &mut inputs, &mut targets);
        }
        (inputs, D::WIDTH, targets)
    }

    fn order(&self, epoch: u32) -> Vec<u32> {
        epoch_order(self.seed, epoch, self.train.len() as u32)
    }
}

impl<N: Network<Input = Tensor<2>>, D: Describe> Lesson<N> for RatingLesson<'_, D> {
    type Epoch = RatingEpoch;

    const TELLS: bool = true;

    fn batches(&self) -> u64 {
        (self.train.len() as u64).div_ceil(u64::from(self.training.batch_size))
    }

    fn epoch(&self, epoch: u32) -> RatingEpoch {
        let rows = self.train.len();
        let mut inputs = Vec::with_capacity(rows * D::WIDTH);
        let mut targets = Vec::with_capacity(rows);
        let mut order = Digest::behind(u64::from(epoch) * rows as u64);
        for place in epoch_order(self.seed, epoch, rows as u32) {
            order.add(place);
            self.tell(place, &mut inputs, &mut targets);
        }
        RatingEpoch {
            order: order.sum(),
            inputs: Tensor::from_data(TensorData::new(inputs, [rows, D::WIDTH]), &self.device),
            targets: Tensor::from_data(TensorData::new(targets, [rows, 1]), &self.device),
        }
    }

    fn order_of(&self, epoch: &RatingEpoch) -> u64 {
        epoch.order
    }

    fn batch(&self, _: &N, epoch: &RatingEpoch, index: u64) -> Batch<Tensor<2>> {
        let (rows, size) = (self.train.len(), self.training.batch_size as usize);
        let from = (index as usize).saturating_mul(size).min(rows);
        let to = from.saturating_add(size).min(rows);
        Batch {
            input: epoch.inputs.clone().slice([from..to, 0..D::WIDTH]),
            look_ups: Vec::new(),
            targets: (self.targets)(epoch.targets.clone().slice([from..to, 0..1])),
            rows: (to - from) as u64,
        }
    }

    fn batch_rows(&self) -> u64 {
        u64::from(self.training.batch_size).min(self.train.len() as u64)
    }

    /// The inputs and targets of the epoch, and its order.
    fn epoch_bytes(&self) -> u64 {
        4 * self.train.len() as u64 * (D::WIDTH as u64 + 2)
    }

    /// Answers lie in [0, 1]: squares, distances and odds of one half cost at most 1.
    fn of_nothing(&self) -> f64 {
        1.0
    }

    fn name(&self) -> String {
        format!("ratings of {} rows, {}", self.train.len(), self.scales)
    }
}
