//! The parameters of one stage, divided among its replicas as far as the strategy says.
//!
//! What a rank does alone is no future, and what it waits for is boxed where it is awaited: a future is copied into the
//! one that awaits it, with room for everything that it may ever wait for itself.

mod learnt;

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_plan::Collective;
use recspeed_plan::sharding::{FlatSpace, ROWS_OF_A_STEP, ShardLevel};

use super::error::TrainError;
use super::ledger::Account;
use super::meter::Meter;
use super::update::{Moments, Rule};
use crate::model::{Pieces, Views, Weights};
use crate::{CommError, Communicator, Element, Transport};

pub(super) struct Stage<F> {
    pub(super) layers: Range<usize>,
    /// Where the numbers of each layer lie in the stage's own row.
    ranges: Vec<Range<usize>>,
    space: FlatSpace,
    level: ShardLevel,
    /// This replica's place among the holders.
    place: usize,
    devices: Devices,
    /// All numbers; of a divided stage the shard, which has a part of each layer.
    numbers: Tensor<1>,
    /// No number: what stands for the numbers while the optimizer has them.
    nothing: Tensor<1>,
    /// Of each layer its numbers, where all of them are here; let go of when they move.
    views: Views,
    moments: Option<Moments>,
    gradients: Gradients<F>,
    /// Bytes that it has taken for them: others of the rank have gradients of their own.
    gradient_bytes: u64,
}

/// Where a stage computes.
#[derive(Debug, Clone)]
pub(super) struct Devices {
    /// Its passes.
    passes: Device,
    /// The optimizer's steps; its moments lie there.
    optimizer: Device,
    /// What its moments are counted as.
    account: Account,
}

impl Devices {
    /// Everything on `passes`, or the optimizer in the machine's own memory, which is flex' device.
    pub(super) fn of(passes: &Device, offload: bool) -> Self {
        let (optimizer, account) =
            if offload { (Device::flex(), Account::Host) } else { (passes.clone(), Account::Optimizer) };
        Self { passes: passes.clone(), optimizer, account }
    }
}

/// What parameters are kept and sent in: that in which the device computes, f32 unless it was configured otherwise.
pub trait Number: Element + burn::tensor::Element {}

impl Number for f32 {}
impl Number for f64 {}

/// Bytes of so many numbers.
pub(super) const fn bytes<F>(count: usize) -> u64 {
    (size_of::<F>() * count) as u64
}

/// What a rank learns, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    Numbers,
    FirstMoment,
    SecondMoment,
}

impl Learnt {
    pub(super) const ALL: [Self; 3] = [Self::Numbers, Self::FirstMoment, Self::SecondMoment];
}

/// What has been added up since the last update.
enum Gradients<F> {
    /// For each layer its numbers, in pieces.
    Whole(Vec<Option<Pieces>>),
    /// The sum over all replicas, of this replica's shard.
    Shard(Option<Vec<F>>),
    /// All is added up: the whole row, or the shard where the optimizer's state is divided.
    Reduced(Box<Tensor<1>>),
}

/// Gives the numbers of a range of the row in which the layers of a rank lie.
pub(super) type Own<'a, F> = dyn Fn(Range<usize>) -> Result<Vec<F>, TrainError> + 'a;

impl<F: Number> Stage<F> {
    /// `own`: asked for what this replica holds, each stretch of it once, and no more.
    pub(super) fn new(
        (layers, parameters): (Range<usize>, &[usize]),
        (level, replicas, place): (ShardLevel, usize, usize),
        own: &Own<'_, F>,
        devices: &Devices,
        meter: &mut Meter,
    ) -> Result<Self, TrainError> {
        let start: usize = parameters[..layers.start].iter().sum();
        let sizes = &parameters[layers.clone()];
        let level = if replicas == 1 { ShardLevel::DataParallel } else { level };
        // What passes gather layer by layer comes from all ranks alike; what else is divided travels in one row.
        let divided = level == ShardLevel::Parameters;
        let space = if divided { FlatSpace::per_parameter(sizes, replicas) } else { FlatSpace::new(sizes, replicas) };
        let ends = sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end - size..*end)
        });
        let ranges: Vec<Range<usize>> = ends.collect();
        let held = held(&space, place, divided);
        let numbers = of_stretches(own, start, &held)?;
        meter.ledger.take(Account::Parameters, bytes::<F>(numbers.len()));
        let gradients = empty(level, sizes.len());
        let (numbers, nothing) = (tensor(numbers, &devices.passes), Tensor::zeros([0], &devices.passes));
        Ok(Self {
            layers,
            views: Views::of(ranges.iter().cloned()),
            ranges,
            space,
            level,
            place,
            devices: devices.clone(),
            numbers,
            nothing,
            moments: None,
            gradients,
            gradient_bytes: 0,
        })
    }

    /// Numbers of all replicas' shards together.
    pub(super) fn len(&self) -> usize {
        self.space.elements()
    }

    /// Whether a pass gets a layer's numbers for one call, because they are divided.
    pub(super) fn lends(&self) -> bool {
        self.level == ShardLevel::Parameters
    }

    /// The numbers of a layer, where all of them are here.
    pub(super) fn weights(&self, layer: usize) -> Option<Weights> {
        (!self.lends()).then(|| self.views.layer(layer - self.layers.start, &self.numbers))
    }

    /// The numbers of a layer, gathered from those who hold them.
    pub(super) async fn gather_weights<T: Transport>(
        &self,
        layer: usize,
        replicas: &Communicator<T>,
        meter: &mut Meter,
    ) -> Result<Weights, CommError> {
        let at = layer - self.layers.start;
        let own = self.space.in_shard(at, self.place);
        let lengths: Vec<usize> = (0..self.space.ranks()).map(|rank| self.space.part(at, rank).len()).collect();
        let own: Vec<F> =
            if own.is_empty() { Vec::new() } else { numbers(&self.numbers.clone().narrow(0, own.start, own.len())) };
        let begun = meter.begin_exchange(replicas);
        let all = replicas.all_gather_parts(&own, &lengths).await?;
        meter.traffic.all_gather += meter.end_exchange(begun, (Collective::AllGather, Some(layer)), replicas);
        Ok(Weights::lent(tensor(all, &self.devices.passes)))
    }

    /// Bytes that [`Self::gather_weights`] gathers for a layer.
    pub(super) fn gathered_bytes(&self, layer: usize) -> u64 {
        if self.lends() { bytes::<F>(self.ranges[layer - self.layers.start].len()) } else { 0 }
    }

    /// Adds the gradient of one micro-batch by a layer's numbers; gives it back where the replicas add theirs up first,
    /// with [`Self::add_divided`].
    pub(super) fn add_gradient(&mut self, layer: usize, gradient: Pieces, meter: &mut Meter) -> Option<Pieces> {
        let at = layer - self.layers.start;
        // Of a step that ended before its update.
        if matches!(self.gradients, Gradients::Reduced(_)) {
            self.gradients = empty(self.level, self.ranges.len());
            self.give_back_gradients(meter);
        }
        let Gradients::Whole(layers) = &mut self.gradients else { return Some(gradient) };
        if let Some(sums) = &mut layers[at] {
            for (sum, term) in sums.iter_mut().zip(gradient) {
                // Nothing else holds the sum: it is added to where it lies.
                let own = std::mem::replace(sum, self.nothing.clone());
                *sum = own + term;
            }
        } else {
            let held = bytes::<F>(self.ranges[at].len());
            meter.ledger.take(Account::Gradients, held);
            self.gradient_bytes += held;
            layers[at] = Some(gradient);
        }
        None
    }

    /// Adds the sum over all replicas of such gradients, each replica its own numbers of it.
    pub(super) async fn add_divided<T: Transport>(
        &mut self,
        layer: usize,
        gradient: Pieces,
        replicas: &Communicator<T>,
        meter: &mut Meter,
    ) -> Result<(), CommError> {
        let Gradients::Shard(sum) = &mut self.gradients else { unreachable!("others were added where they are") };
        let (at, held) = (layer - self.layers.start, self.space.held(self.place));
        let sum = sum.get_or_insert_with(|| {
            meter.ledger.take(Account::Gradients, bytes::<F>(held));
            self.gradient_bytes += bytes::<F>(held);
            vec![F::default(); held]
        });
        let parts: Vec<Range<usize>> = (0..self.space.ranks()).map(|rank| self.space.part(at, rank)).collect();
        let passing = bytes::<F>(self.ranges[at].len());
        meter.ledger.take(Account::Transient, passing);
        // A GPU computes until here; from here on the rank waits for others alone.
        let gradient = joined::<F>(&gradient);
        let begun = meter.begin_exchange(replicas);
        let part = replicas.reduce_scatter_parts(&gradient, &parts).await?;
        meter.traffic.reduce_scatter += meter.end_exchange(begun, (Collective::ReduceScatter, Some(layer)), replicas);
        drop(gradient);
        meter.ledger.give_back(Account::Transient, passing);
        let sum = &mut sum[self.space.in_shard(at, self.place)];
        sum.iter_mut().zip(part).for_each(|(sum, term)| *sum += term);
        Ok(())
    }

    /// Adds up the gradients of all replicas, where that has not been done layer by layer.
    pub(super) async fn reduce<T: Transport>(
        &mut self,
        replicas: &Communicator<T>,
        meter: &mut Meter,
    ) -> Result<(), CommError> {
        let sums = std::mem::replace(&mut self.gradients, Gradients::Shard(None));
        let reduced = match sums {
            Gradients::Shard(sum) => tensor(sum.unwrap_or_default(), &self.devices.optimizer),
            Gradients::Reduced(sum) => *sum,
            Gradients::Whole(layers) if self.space.ranks() == 1 => {
                let whole = self.pieces(layers);
                // The row, beside the pieces that it is made of.
                let row = bytes::<F>(self.len());
                meter.ledger.take(Account::Update, row);
                let row_of_pieces =
                    if whole.is_empty() { Tensor::zeros([0], &self.devices.passes) } else { Tensor::cat(whole, 0) };
                meter.ledger.give_back(Account::Update, row);
                row_of_pieces
            }
            Gradients::Whole(layers) => {
                let sum = Box::pin(self.sum(self.pieces(layers), replicas, meter)).await?;
                if self.level == ShardLevel::Optimizer {
                    // The pieces are gone, and of the sum there is the shard.
                    let shard = bytes::<F>(self.space.held(self.place)).min(self.gradient_bytes);
                    meter.ledger.give_back(Account::Gradients, self.gradient_bytes - shard);
                    self.gradient_bytes = shard;
                }
                sum
            }
        };
        self.gradients = Gradients::Reduced(Box::new(reduced));
        Ok(())
    }

    /// The gradients of all layers, one after the other.
    fn pieces(&self, layers: Vec<Option<Pieces>>) -> Vec<Tensor<1>> {
        // Weights and biases, mostly.
        let mut whole = Vec::with_capacity(2 * self.ranges.len());
        for (sum, range) in layers.into_iter().zip(&self.ranges).filter(|(_, range)| !range.is_empty()) {
            match sum {
                Some(pieces) => whole.extend(pieces),
                None => whole.push(Tensor::zeros([range.len()], &self.devices.passes)),
            }
        }
        whole
    }

    /// The sum of all replicas' gradients: all of it, or this replica's shard where the optimizer's state is divided.
    async fn sum<T: Transport>(
        &self,
        whole: Vec<Tensor<1>>,
        replicas: &Communicator<T>,
        meter: &mut Meter,
    ) -> Result<Tensor<1>, CommError> {
        // Beside the pieces: all of them as they travel, and this replica's part of the sum; then that part, and the
        // whole sum.
        let exchanged = bytes::<F>(self.len() + self.space.held(self.place));
        meter.ledger.take(Account::Update, exchanged);
        let travels = joined::<F>(&whole);
        let begun = meter.begin_exchange(replicas);
        let mut sum = replicas.reduce_scatter(&travels).await?;
        meter.traffic.reduce_scatter += meter.end_exchange(begun, (Collective::ReduceScatter, None), replicas);
        drop(travels);
        if self.level == ShardLevel::DataParallel {
            let begun = meter.begin_exchange(replicas);
            sum = replicas.all_gather_parts(&sum, &self.shard_lengths()).await?;
            meter.traffic.all_gather += meter.end_exchange(begun, (Collective::AllGather, None), replicas);
        }
        meter.ledger.give_back(Account::Update, exchanged);
        Ok(tensor(sum, &self.devices.optimizer))
    }

    fn shard_lengths(&self) -> Vec<usize> {
        (0..self.space.ranks()).map(|rank| self.space.held(rank)).collect()
    }

    /// This replica's shard of the row, where that is cut as a whole.
    fn stretch(&self) -> Range<usize> {
        self.space.stretches(self.place).pop().unwrap_or_default()
    }

    /// Sum of the squares of this replica's shard of the added up gradient.
    pub(super) fn squares(&self) -> f64 {
        let Gradients::Reduced(sum) = &self.gradients else { return 0.0 };
        if self.space.held(self.place) == 0 {
            return 0.0;
        }
        let own = if self.level == ShardLevel::DataParallel {
            let shard = self.stretch();
            sum.clone().narrow(0, shard.start, shard.len())
        } else {
            (**sum).clone()
        };
        own.square().sum().into_scalar::<f64>()
    }

    /// Moves the numbers, each replica those whose moments it holds, and gives back the gradients.
    pub(super) async fn update<T: Transport>(
        &mut self,
        how: (&Rule, f64, f64),
        replicas: &Communicator<T>,
        meter: &mut Meter,
    ) -> Result<(), CommError> {
        let Some(moved) = self.moved(how, meter) else { return Ok(()) };
        if self.divides_moments() {
            // The moved shard has taken the gradient's place; beside it the same as it travels, and all numbers beside
            // the old ones.
            let exchanged = bytes::<F>(self.len() + self.space.held(self.place));
            meter.ledger.take(Account::Update, exchanged);
            let (own, lengths) = (numbers::<F, 1>(&moved), self.shard_lengths());
            let begun = meter.begin_exchange(replicas);
            let all = Box::pin(replicas.all_gather_parts(&own, &lengths)).await?;
            meter.traffic.all_gather += meter.end_exchange(begun, (Collective::AllGather, None), replicas);
            self.numbers = tensor(all, &self.devices.passes);
            meter.ledger.give_back(Account::Update, exchanged);
        } else {
            self.numbers = brought::<F>(moved, &self.devices.passes);
        }
        self.give_back_gradients(meter);
        Ok(())
    }

    /// Whether this replica moves only its shard of numbers that it has all of.
    fn divides_moments(&self) -> bool {
        matches!(self.level, ShardLevel::Optimizer | ShardLevel::Gradients)
    }

    /// The numbers whose moments this replica holds, after their step; `None` where nothing was reduced since the last.
    fn moved(&mut self, (rule, rate, factor): (&Rule, f64, f64), meter: &mut Meter) -> Option<Tensor<1>> {
        let sums = std::mem::replace(&mut self.gradients, empty(self.level, self.ranges.len()));
        let Gradients::Reduced(gradient) = sums else { return None };
        let gradient = if factor < 1.0 { gradient.mul_scalar(factor) } else { *gradient };
        self.views.let_go();
        let own = match self.divides_moments() {
            true if self.space.held(self.place) == 0 => Tensor::zeros([0], &self.devices.passes),
            true => self.numbers.clone().slice([self.stretch()]),
            // Nothing else holds them now: the optimizer may change them where they lie.
            false => std::mem::replace(&mut self.numbers, self.nothing.clone()),
        };
        let count = own.dims()[0];
        if count == 0 {
            return Some(own);
        }
        if self.moments.is_none() {
            meter.ledger.take(self.devices.account, rule.state().bytes() / 4 * bytes::<F>(count));
        }
        // On flex both are one memory, and the bytes only change their account.
        if self.devices.account == Account::Host {
            meter.traffic = meter.traffic.offloading(bytes::<F>(count));
        }
        let [own, gradient] = [own, gradient].map(|row| brought::<F>(row, &self.devices.optimizer));
        // What an offloaded optimizer computes with lies in the machine's own memory, where no account but that of its
        // moments is kept.
        let computing = if self.devices.account == Account::Host { 0 } else { ROWS_OF_A_STEP * bytes::<F>(count) };
        meter.ledger.take(Account::Update, computing);
        let (moved, moments) = rule.step(rate, own, gradient, self.moments.take());
        meter.ledger.give_back(Account::Update, computing);
        self.moments = moments;
        Some(moved)
    }

    fn give_back_gradients(&mut self, meter: &mut Meter) {
        meter.ledger.give_back(Account::Gradients, std::mem::take(&mut self.gradient_bytes));
    }
}

/// What a replica holds of a stage's row: its shard, or all of it.
fn held(space: &FlatSpace, place: usize, divided: bool) -> Vec<Range<usize>> {
    if divided { space.stretches(place) } else { std::iter::once(0..space.elements()).collect() }
}

/// The numbers of such stretches of a row that begins at `start` of the rank's.
fn of_stretches<F>(own: &Own<'_, F>, start: usize, stretches: &[Range<usize>]) -> Result<Vec<F>, TrainError> {
    let of = |stretch: &Range<usize>| own(start + stretch.start..start + stretch.end);
    if let [stretch] = stretches {
        return of(stretch);
    }
    let mut numbers = Vec::with_capacity(stretches.iter().map(ExactSizeIterator::len).sum());
    for stretch in stretches {
        numbers.extend(of(stretch)?);
    }
    Ok(numbers)
}

fn empty<F: Number>(level: ShardLevel, layers: usize) -> Gradients<F> {
    if level >= ShardLevel::Gradients { Gradients::Shard(None) } else { Gradients::Whole(vec![None; layers]) }
}

/// The numbers of pieces that follow each other.
fn joined<F: Number>(pieces: &[Tensor<1>]) -> Vec<F> {
    let mut all = Vec::with_capacity(pieces.iter().map(|piece| piece.dims()[0]).sum());
    all.extend(pieces.iter().flat_map(numbers::<F, 1>));
    all
}

/// A row where it is wanted; itself, where it lies there.
fn brought<F: Number>(row: Tensor<1>, device: &Device) -> Tensor<1> {
    if row.device() == *device { row } else { tensor(numbers::<F, 1>(&row), device) }
}

/// A row of numbers on a device.
pub(super) fn tensor<F: Number>(values: Vec<F>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A tensor's numbers, row by row.
pub(super) fn numbers<F: Number, const D: usize>(tensor: &Tensor<D>) -> Vec<F> {
    let data = tensor.clone().into_data();
    data.try_into_vec::<F>().expect("the device computes in what its rank sends")
}
