//! What the training loop asks of a network.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use recspeed_parallel::model;
use recspeed_parallel::training::Judged;
use recspeed_types::spec::Loss;

use crate::random::NoiseDraws;
use crate::training::layout::{DenseId, Layout, Linear, TableId};
use crate::training::losses::{Targets, judge};
use crate::training::rows::LookUp;

/// A network: which parameters it has, and what it computes of a batch.
pub(crate) trait Network: Send + Sync {
    /// What a batch brings besides the rows that it looks up in the tables.
    type Input: Send + Sync;

    /// Its parameters in their order; the same at every call.
    fn layout(&self) -> &Layout;

    /// The scores of a batch. With `noise` it learns (dropout, sampling), without it answers.
    ///
    /// # Shapes
    /// - returns: `scores` `[rows, scores of a row]`
    fn forward(&self, weights: &Weights, input: &Self::Input, noise: Option<&mut Noise>) -> Output;
}

/// What a network answers.
pub(crate) struct Output {
    /// `[rows, scores of a row]`
    pub(crate) scores: Tensor<2>,
    /// What is added to the loss whatever the targets are, as the divergence of a variational network; `[1]`.
    pub(crate) penalty: Option<Tensor<1>>,
}

impl From<Tensor<2>> for Output {
    fn from(scores: Tensor<2>) -> Self {
        Self { scores, penalty: None }
    }
}

/// A network that knows the gradient of a loss by its parameters.
///
/// The loss is not its business: it is handed the slope of the loss by each score, as a pipeline stage is.
pub(crate) trait Differentiable: Network {
    /// What the way back needs.
    type Trace;

    /// A forward pass that learns and remembers. The scores have no tape.
    fn trace(&self, weights: Weights, input: Self::Input, noise: &mut Noise) -> Traced<Self::Trace>;

    /// # Shapes
    /// - `slope`: as the scores, the derivative of the loss by each of them
    fn gradient(&self, trace: Self::Trace, slope: Tensor<2>) -> Gradient;

    /// The value of the loss, with what is added to it, and its gradient. Networks with more scores than are worth holding
    /// do both at once.
    fn learn(&self, weights: Weights, input: Self::Input, noise: &mut Noise, asked: (Loss, &Targets)) -> Learnt {
        by_slope(self, weights, input, noise, asked)
    }
}

/// Scores, then their slopes, then the way back.
pub(crate) fn by_slope<N: Differentiable + ?Sized>(
    network: &N,
    weights: Weights,
    input: N::Input,
    noise: &mut Noise,
    (loss, targets): (Loss, &Targets),
) -> Learnt {
    let Traced { scores, penalty, trace } = network.trace(weights, input, noise);
    let Judged { value, slope, .. } = judge(loss, scores, targets);
    Learnt { value: value + penalty, gradient: network.gradient(trace, slope) }
}

/// What a batch taught.
pub(crate) struct Learnt {
    /// The loss with its penalty.
    pub(crate) value: f64,
    pub(crate) gradient: Gradient,
}

/// A forward pass and what it left behind.
pub(crate) struct Traced<T> {
    /// `[rows, scores of a row]`
    pub(crate) scores: Tensor<2>,
    /// Value of the penalty, 0 without one.
    pub(crate) penalty: f64,
    pub(crate) trace: T,
}

/// The gradient of a loss.
pub(crate) struct Gradient {
    /// By the dense parameters, `[flat_len]`.
    pub(crate) flat: Tensor<1>,
    /// By the rows that the batch looked up, in its order: for each table `[rows looked up, width]`.
    pub(crate) rows: Vec<Tensor<2>>,
}

/// The numbers that one forward pass sees: every dense parameter, and the looked-up rows of every table.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// Those that are here, in their order.
    dense: Vec<Dense>,
    /// Place in the layout of the first one that is here.
    first: usize,
    /// For each table `[rows looked up, width]`.
    rows: Vec<Tensor<2>>,
}

#[derive(Debug, Clone)]
enum Dense {
    Vector(Tensor<1>),
    Matrix(Tensor<2>),
}

impl Dense {
    fn shaped(values: Tensor<1>, shape: &[usize]) -> Self {
        match *shape {
            [rows, columns] => Self::Matrix(values.reshape([rows, columns])),
            _ => Self::Vector(values),
        }
    }

    /// What a tape says of it as a leaf, `[numbers]`; zeros where nothing depended on it.
    fn gradient(&self, tape: &mut Gradients, device: &Device) -> Tensor<1> {
        match self {
            Self::Vector(vector) => {
                let count = vector.dims()[0];
                vector.grad_remove(tape).unwrap_or_else(|| Tensor::zeros([count], device))
            }
            Self::Matrix(matrix) => {
                let count = matrix.dims().iter().product::<usize>();
                let gradient = matrix.grad_remove(tape).map(|gradient| gradient.reshape([count]));
                gradient.unwrap_or_else(|| Tensor::zeros([count], device))
            }
        }
    }
}

impl Weights {
    /// Views of `flat`, without a copy, and copies of the rows that `look_ups` names.
    ///
    /// # Shapes
    /// - `flat`: `[flat_len]`
    /// - `tables`, `look_ups`: one for each table
    pub(crate) fn new(
        layout: &Layout,
        flat: &Tensor<1>,
        tables: &[Arc<Vec<f32>>],
        look_ups: &[LookUp],
        device: &Device,
    ) -> Self {
        let dense = layout.parameters().iter().map(|parameter| {
            let values = flat.clone().slice([parameter.range.clone()]);
            Dense::shaped(values, &parameter.shape)
        });
        let rows = layout.tables().iter().zip(tables).zip(look_ups).map(|((table, values), look_up)| {
            let rows = look_up.gather(values, table.width);
            Tensor::from_data(TensorData::new(rows, [look_up.len(), table.width]), device)
        });
        Self { dense: dense.collect(), first: 0, rows: rows.collect() }
    }

    /// Some dense parameters that follow each other, and no rows: all that one layer sees.
    ///
    /// # Shapes
    /// - `numbers`: `[numbers of these parameters]`
    pub(crate) fn of_layer(layout: &Layout, parameters: Range<usize>, numbers: &Tensor<1>) -> Self {
        let of = &layout.parameters()[parameters.clone()];
        let start = of.first().map_or(0, |first| first.range.start);
        let dense = of.iter().map(|parameter| {
            let values = numbers.clone().narrow(0, parameter.range.start - start, parameter.range.len());
            Dense::shaped(values, &parameter.shape)
        });
        Self { dense: dense.collect(), first: parameters.start, rows: Vec::new() }
    }

    /// A dense parameter of two dimensions.
    pub(crate) fn matrix(&self, id: DenseId) -> Tensor<2> {
        match &self.dense[id.0 - self.first] {
            Dense::Matrix(matrix) => matrix.clone(),
            Dense::Vector(vector) => vector.clone().reshape([1, vector.dims()[0]]),
        }
    }

    /// A dense parameter of one dimension; a matrix row by row.
    pub(crate) fn vector(&self, id: DenseId) -> Tensor<1> {
        match &self.dense[id.0 - self.first] {
            Dense::Vector(vector) => vector.clone(),
            Dense::Matrix(matrix) => matrix.clone().reshape([matrix.dims().iter().product::<usize>()]),
        }
    }

    /// The rows that the batch looked up, in its order: `[rows looked up, width]`.
    pub(crate) fn rows(&self, id: TableId) -> Tensor<2> {
        self.rows[id.0].clone()
    }

    /// `x W + b`, `[rows, inputs]` to `[rows, outputs]`.
    pub(crate) fn linear(&self, layer: Linear, x: Tensor<2>) -> Tensor<2> {
        burn::tensor::module::linear(x, self.matrix(layer.weight), Some(self.vector(layer.bias)))
    }

    /// The same numbers as leaves of a tape.
    pub(crate) fn as_leaves(&self) -> Self {
        let leaf = |dense: &Dense| match dense {
            Dense::Vector(vector) => Dense::Vector(vector.clone().autodiff().require_grad()),
            Dense::Matrix(matrix) => Dense::Matrix(matrix.clone().autodiff().require_grad()),
        };
        Self {
            dense: self.dense.iter().map(leaf).collect(),
            first: self.first,
            rows: self.rows.iter().map(|rows| rows.clone().autodiff().require_grad()).collect(),
        }
    }

    /// The same numbers where a tape computes, without being leaves of one: what is computed of them are a tape's
    /// operations, and nothing is kept for a way back.
    pub(crate) fn as_constants(&self) -> Self {
        let constant = |dense: &Dense| match dense {
            Dense::Vector(vector) => Dense::Vector(vector.clone().autodiff()),
            Dense::Matrix(matrix) => Dense::Matrix(matrix.clone().autodiff()),
        };
        Self {
            dense: self.dense.iter().map(constant).collect(),
            first: self.first,
            rows: self.rows.iter().map(|rows| rows.clone().autodiff()).collect(),
        }
    }

    /// What a tape says of the dense ones as its leaves, one after the other, `[numbers]` each.
    pub(crate) fn gradients<'a>(
        &'a self,
        tape: &'a mut Gradients,
        device: &'a Device,
    ) -> impl Iterator<Item = Tensor<1>> + 'a {
        self.dense.iter().map(|dense| dense.gradient(tape, device))
    }
}

/// The random numbers of one step: the same for the same seed and step, whatever was computed before.
pub(crate) struct Noise {
    draws: Draws,
    device: Device,
    /// Steps taken before this one: what a schedule, as the annealing of a penalty, goes by.
    pub(crate) step: u64,
}

enum Draws {
    /// For the whole batch, one after the other.
    All(Box<NoiseDraws>),
    /// For some of its rows, the same numbers: the first one of the next mask, of the whole batch, is word `next`.
    Rows { noise: model::Noise, next: u64 },
}

impl Noise {
    pub(crate) fn new(seed: u64, step: u64, device: &Device) -> Self {
        Self { draws: Draws::All(Box::new(NoiseDraws::new(seed, step))), device: device.clone(), step }
    }

    /// Of some rows of the batch, after so many numbers that were drawn for each row of it.
    pub(crate) fn of_rows(noise: &model::Noise, drawn: usize, device: &Device) -> Self {
        let next = (drawn * noise.batch()) as u64;
        Self { draws: Draws::Rows { noise: noise.clone(), next }, device: device.clone(), step: 0 }
    }

    /// Where it is wanted.
    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }

    /// Zeroes each number with probability `rate` and scales the others up to the same mean.
    pub(crate) fn dropout<const D: usize>(&mut self, x: Tensor<D>, rate: f32) -> Tensor<D> {
        if rate > 0.0 { x.clone() * self.mask(x.dims(), rate) } else { x }
    }

    /// 0 with probability `rate`, else `1 / (1 − rate)`.
    pub(crate) fn mask<const D: usize>(&mut self, shape: [usize; D], rate: f32) -> Tensor<D> {
        let kept = 1.0 / (1.0 - rate);
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = match &mut self.draws {
            Draws::All(draws) => (0..count).map(|_| if draws.chance(rate) { 0.0 } else { kept }).collect(),
            Draws::Rows { noise, next } => {
                let width = count / noise.rows().max(1);
                let first = std::mem::replace(next, *next + (width * noise.batch()) as u64);
                noise.row_by_row(first, width, rate).unwrap_or_else(|| vec![1.0; count])
            }
        };
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// About normal numbers, mean 0 and standard deviation 1; for the whole batch only.
    pub(crate) fn normal<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let count = shape.iter().product::<usize>();
        let Draws::All(draws) = &mut self.draws else { unreachable!("a network in stages draws only dropout") };
        let values: Vec<f32> = (0..count).map(|_| draws.normal()).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// A network whose gradient Burn's tape computes.
pub(crate) struct Taped<N>(pub(crate) N);

/// The leaves of the tape, and what was computed of them.
pub(crate) struct Tape {
    leaves: Weights,
    scores: Tensor<2>,
    penalty: Option<Tensor<1>>,
}

impl<N: Network> Network for Taped<N> {
    type Input = N::Input;

    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn forward(&self, weights: &Weights, input: &N::Input, noise: Option<&mut Noise>) -> Output {
        self.0.forward(weights, input, noise)
    }
}

impl<N: Network> Differentiable for Taped<N> {
    type Trace = Tape;

    fn trace(&self, weights: Weights, input: N::Input, noise: &mut Noise) -> Traced<Tape> {
        let leaves = weights.as_leaves();
        let Output { scores, penalty } = self.0.forward(&leaves, &input, Some(noise));
        let value = penalty.as_ref().map_or(0.0, |penalty| f64::from(penalty.clone().inner().into_scalar::<f32>()));
        Traced { scores: scores.clone().inner(), penalty: value, trace: Tape { leaves, scores, penalty } }
    }

    /// The gradient of `Σ scores · slope + penalty`: what the loss sends back through the network.
    fn gradient(&self, trace: Tape, slope: Tensor<2>) -> Gradient {
        let Tape { leaves, scores, penalty } = trace;
        let device = slope.device();
        let sum = (scores * slope.autodiff()).sum();
        let mut tape = match penalty {
            Some(penalty) => sum + penalty,
            None => sum,
        }
        .backward();
        let flat: Vec<Tensor<1>> = leaves.gradients(&mut tape, &device).collect();
        let rows = leaves.rows.iter().map(|rows| {
            let shape = rows.dims();
            rows.grad_remove(&mut tape).unwrap_or_else(|| Tensor::zeros(shape, &device))
        });
        let rows = rows.collect();
        let flat = if flat.is_empty() { Tensor::zeros([0], &device) } else { Tensor::cat(flat, 0) };
        Gradient { flat, rows }
    }
}
