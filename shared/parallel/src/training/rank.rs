//! One rank: it goes down its list of instructions.

mod cells;
mod sharers;
mod step;
mod tables;

use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Device;
use recspeed_plan::schedule::Buffers;
use recspeed_plan::sharding::Traffic;
use recspeed_plan::{Place, Schedule};

use super::error::TrainError;
use super::ledger::Ledger;
use super::meter::{Meter, Sent, Timeline};
use super::stage::{Devices, Learnt, Number, Stage};
use super::strategy::Strategy;
use super::update::Rule;
use crate::model::{LayerSizes, Shares};
use crate::tables::Tables;
use crate::{Communicator, Tag, Transport};

/// How parameters follow their gradient.
#[derive(Debug, Clone)]
pub struct Learning {
    /// The optimizer.
    pub rule: Rule,
    /// Its learning rate.
    pub rate: f64,
    /// The longest that the gradient of all parameters together may be; longer ones are scaled down.
    pub clip: Option<f64>,
}

/// All that is learnt, whatever the layout: another strategy can go on from it. In f32, or in what the devices were configured for.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved<F = f32> {
    /// All parameters.
    pub numbers: Vec<F>,
    /// Steps that the moments have taken, and both of them; `None` before the first step, and for rules without.
    pub moments: Option<(u64, [Vec<F>; 2])>,
}

impl<F> Saved<F> {
    /// Whether it is of a model with so many parameters.
    fn of_a_model_with(&self, parameters: usize) -> Result<(), TrainError> {
        let both = |(_, [first, second]): &(u64, [Vec<F>; 2])| {
            [("first moments", first.len()), ("second moments", second.len())]
        };
        for (what, got) in [("parameters", self.numbers.len())].into_iter().chain(self.moments.iter().flat_map(both)) {
            if got != parameters {
                return Err(TrainError::Saved { what, got, expected: parameters });
            }
        }
        Ok(())
    }
}

/// Appends the numbers of a stretch of the whole model's row, in their order: as many as the stretch is long.
pub type Draw<'a, F> = dyn Fn(Range<usize>, &mut Vec<F>) + 'a;

/// A range of a rank's own numbers, each stretch of it drawn where it lies in the whole model's row; no other number is held for it.
fn part<F>(shares: Option<&Shares>, own: Range<usize>, draw: &Draw<'_, F>) -> Result<Vec<F>, TrainError> {
    let expected = own.len();
    let mut numbers = Vec::with_capacity(expected);
    match shares {
        Some(shares) => shares.stretches(own).for_each(|stretch| draw(stretch, &mut numbers)),
        None => draw(own, &mut numbers),
    }
    let got = numbers.len();
    if got == expected { Ok(numbers) } else { Err(TrainError::Drawn { got, expected }) }
}

/// Of numbers that are all here.
fn out_of<F: Copy>(all: &[F]) -> impl Fn(Range<usize>, &mut Vec<F>) {
    move |stretch: Range<usize>, numbers: &mut Vec<F>| numbers.extend_from_slice(&all[stretch])
}

/// A rank of a strategy.
pub struct Rank<'m, T, F = f32> {
    layers: &'m dyn LayerSizes,
    strategy: Strategy,
    schedule: Rc<Schedule>,
    /// Where it keeps the micro-batches of that.
    buffers: Rc<Buffers>,
    place: Place,
    all: Communicator<T>,
    replicas: Communicator<T>,
    pipeline: Communicator<T>,
    /// The ranks that share this one's layers.
    sharers: Communicator<T>,
    stages: Vec<Stage<F>>,
    /// Its pieces of the tables that the layers look up in.
    tables: Option<Tables>,
    learning: Learning,
    device: Device,
    steps: u64,
    meter: Meter,
}

impl<T, F> std::fmt::Debug for Rank<'_, T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rank").field("place", &self.place).field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

impl<'m, T: Transport, F: Number> Rank<'m, T, F> {
    /// This rank of a strategy, with its part of what is known so far, which is the same on all ranks. Ranks may compute on
    /// different devices. Of a training that begins, [`Self::begun`] needs less memory.
    ///
    /// # Errors
    /// [`TrainError`]: a strategy for other ranks or another model, or numbers of another one.
    pub fn new(
        layers: &'m dyn LayerSizes,
        strategy: Strategy,
        communicator: Communicator<T>,
        learning: Learning,
        saved: &Saved<F>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut rank = Self::placed(layers, strategy, communicator, learning, device)?;
        let whole = layers.shares().map_or(layers.parameters(), Shares::whole);
        saved.of_a_model_with(whole.iter().sum())?;
        rank.take_numbers(&out_of(&saved.numbers))?;
        if let Some((time, moments)) = &saved.moments {
            rank.take_moments(*time, moments)?;
        }
        Ok(rank)
    }

    /// The same of a training that begins: `draw` gives first numbers, the same on all ranks. It is asked for those that this rank
    /// holds, each once, so that no rank ever has more than its own.
    ///
    /// # Errors
    /// As [`Self::new`]; and where other numbers are drawn than those that were asked for.
    pub fn begun(
        layers: &'m dyn LayerSizes,
        strategy: Strategy,
        communicator: Communicator<T>,
        learning: Learning,
        draw: &Draw<'_, F>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut rank = Self::placed(layers, strategy, communicator, learning, device)?;
        rank.take_numbers(draw)?;
        Ok(rank)
    }

    /// This rank, without a number yet.
    fn placed(
        layers: &'m dyn LayerSizes,
        strategy: Strategy,
        communicator: Communicator<T>,
        learning: Learning,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let (layout, chunks) = (strategy.layout, strategy.chunks);
        if layout.ranks() != communicator.ranks() {
            return Err(TrainError::Ranks { needed: layout.ranks(), ranks: communicator.ranks() });
        }
        let (part, parts) = layers.shares().map_or((0, 1), |shares| (shares.part(), shares.parts()));
        let place = layout.place(communicator.rank());
        if (place.tensor, layout.tensor()) != (part, parts) {
            return Err(TrainError::Tensor { tensor: layout.tensor(), place: place.tensor, part, parts });
        }
        let parameters = layers.parameters();
        let (cuts, stages) = (strategy.partition.stages(), layout.stages() * chunks);
        let placed = strategy.partition.counts().iter().sum();
        if placed != parameters.len() || cuts != stages {
            return Err(TrainError::Partition { placed, parts: cuts, layers: parameters.len(), stages });
        }
        let schedule = Rc::new(strategy.schedule(strategy.micro_batches)?);
        let buffers = Rc::new(schedule.buffers(place.stage));
        let rank = communicator.rank();
        // Groups of one kind are told apart by what their members have in common.
        let group = |members: &[usize], number: usize| communicator.group(members, 1 + number as u32);
        let (stages_of, pipelines) = (layout.stages() * parts, layout.replicas() * parts);
        let replicas = group(&layout.data_group(rank), place.stage * parts + part)?;
        let pipeline = group(&layout.pipeline_group(rank), stages_of + place.replica * parts + part)?;
        let number = stages_of + pipelines + place.stage * layout.replicas() + place.replica;
        let sharers = group(&layout.tensor_group(rank), number)?;
        Ok(Self {
            layers,
            strategy,
            schedule,
            buffers,
            place,
            all: communicator,
            replicas,
            pipeline,
            sharers,
            stages: Vec::with_capacity(chunks),
            tables: None,
            learning,
            device: device.clone(),
            steps: 0,
            meter: Meter::default(),
        })
    }

    /// Its stages, with their numbers.
    fn take_numbers(&mut self, draw: &Draw<'_, F>) -> Result<(), TrainError> {
        let (layers, layout) = (self.layers, self.strategy.layout);
        let level = (self.strategy.level, layout.replicas(), self.place.replica);
        let devices = Devices::of(&self.device, self.strategy.offload);
        let own = |range: Range<usize>| part(layers.shares(), range, draw);
        for chunk in 0..self.strategy.chunks {
            let own_layers = self.strategy.partition.layers(self.schedule.stage(self.place.stage, chunk));
            let stage = Stage::new((own_layers, layers.parameters()), level, &own, &devices, &mut self.meter)?;
            self.stages.push(stage);
        }
        Ok(())
    }

    /// Their moments, of those of the whole model.
    fn take_moments(&mut self, time: u64, [first, second]: &[Vec<F>; 2]) -> Result<(), TrainError> {
        let layers = self.layers;
        let (first, second) = (out_of(first), out_of(second));
        let first = |range: Range<usize>| part(layers.shares(), range, &first);
        let second = |range: Range<usize>| part(layers.shares(), range, &second);
        for stage in &mut self.stages {
            let start = layers.parameters()[..stage.layers.start].iter().sum();
            stage.set_moments((start, time as usize), [&first, &second], &mut self.meter)?;
        }
        self.steps = time;
        Ok(())
    }

    /// The way to all ranks.
    pub fn communicator(&self) -> &Communicator<T> {
        &self.all
    }

    /// What it holds.
    pub fn ledger(&self) -> &Ledger {
        &self.meter.ledger
    }

    /// Bytes sent so far to add up gradients and to gather parameters, and to the host and back for an offloaded optimizer.
    pub fn traffic(&self) -> Traffic {
        self.meter.traffic
    }

    /// What it has sent in the steps so far, and in those of them whose timeline was noted; what is gathered between steps is in neither.
    pub fn sent(&self) -> [Sent; 2] {
        self.meter.sent
    }

    /// Begins to note when each instruction and each collective within one begins and ends, or stops it; gives what was
    /// noted.
    pub fn note_timeline(&mut self, on: bool) -> Timeline {
        std::mem::replace(&mut self.meter.timeline, on.then(Timeline::default)).unwrap_or_default()
    }

    /// All parameters, on every rank.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn parameters(&self) -> Result<Vec<F>, TrainError> {
        let mut all = Vec::with_capacity(self.layers.parameters().iter().sum());
        for stage in 0..self.schedule.stages() {
            let owner = stage % self.schedule.ranks();
            let numbers = match self.own(stage) {
                Some(own) => own.gather(&self.replicas).await?,
                None => Vec::new(),
            };
            all.extend(self.spread(stage, owner, numbers).await?);
        }
        self.joined(all).await
    }

    /// All that is learnt, on every rank.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn save(&self) -> Result<Saved<F>, TrainError> {
        let numbers = self.parameters().await?;
        if self.steps == 0 || self.learning.rule.state().bytes() == 0 {
            return Ok(Saved { numbers, moments: None });
        }
        let mut all = [Vec::with_capacity(numbers.len()), Vec::with_capacity(numbers.len())];
        for stage in 0..self.schedule.stages() {
            let owner = stage % self.schedule.ranks();
            let moments = match self.own(stage) {
                Some(own) => own.gather_moments(&self.replicas).await?,
                None => [Vec::new(), Vec::new()],
            };
            for (all, moments) in all.iter_mut().zip(moments) {
                all.extend(self.spread(stage, owner, moments).await?);
            }
        }
        let [first, second] = all;
        let moments = [self.joined(first).await?, self.joined(second).await?];
        Ok(Saved { numbers, moments: Some((self.steps, moments)) })
    }

    /// The whole model's numbers, of those of this rank's part of each layer.
    async fn joined(&self, own: Vec<F>) -> Result<Vec<F>, TrainError> {
        let Some(shares) = self.layers.shares() else { return Ok(own) };
        Ok(shares.join(&self.sharers.all_gather_parts(&own, &shares.lengths()).await?))
    }

    /// All that is learnt, at the first rank; `None` at the others, which never hold more than their part for it.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn save_at_first(&self) -> Result<Option<Saved<F>>, TrainError> {
        let (numbers, moments) = (self.parameters_at_first().await?, self.moments_at_first().await?);
        Ok(numbers.map(|numbers| Saved { numbers, moments }))
    }

    /// All parameters, at the first rank; `None` at the others.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn parameters_at_first(&self) -> Result<Option<Vec<F>>, TrainError> {
        self.at_first(Learnt::Numbers).await
    }

    /// Steps that the moments have taken, and both of them, at the first rank; `None` at the others, before the first step, and for rules
    /// without.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn moments_at_first(&self) -> Result<Option<(u64, [Vec<F>; 2])>, TrainError> {
        if self.steps == 0 || self.learning.rule.state().bytes() == 0 {
            return Ok(None);
        }
        let (first, second) = (self.at_first(Learnt::FirstMoment).await?, self.at_first(Learnt::SecondMoment).await?);
        Ok(first.zip(second).map(|(first, second)| (self.steps, [first, second])))
    }

    /// One kind of what is learnt, at the first rank.
    async fn at_first(&self, kind: Learnt) -> Result<Option<Vec<F>>, TrainError> {
        let mut all: Vec<F> = Vec::new();
        for stage in 0..self.schedule.stages() {
            let owner = stage % self.schedule.ranks();
            let tag = Tag::new("save", (stage * Learnt::ALL.len() + kind as usize) as u64);
            let own = match self.own(stage) {
                Some(own) => own.collect(kind, &self.replicas).await?,
                None => Vec::new(),
            };
            if self.place.replica > 0 {
                continue;
            }
            let came = match (self.place.stage == 0, self.place.stage == owner) {
                (true, true) => own,
                (true, false) => self.pipeline.recv::<F>(owner, tag).await?,
                (false, true) => {
                    self.pipeline.send(0, tag, &own).await?;
                    continue;
                }
                (false, false) => continue,
            };
            if self.schedule.stages() == 1 {
                all = came;
            } else {
                // At once as long as it will be: what grows is held twice while it moves.
                if stage == 0 {
                    all.reserve_exact(self.len());
                }
                all.extend(came);
            }
        }
        if (self.place.stage, self.place.replica) != (0, 0) {
            return Ok(None);
        }
        if let Some(shares) = self.layers.shares() {
            all = self.sharers.gather_parts(0, &all, &shares.lengths()).await?;
            if self.place.tensor == 0 {
                all = shares.join(&all);
            }
        }
        Ok((self.place.tensor == 0).then_some(all))
    }

    /// Parameters of all layers, or of this rank's part of them.
    fn len(&self) -> usize {
        self.layers.parameters().iter().sum()
    }

    fn own(&self, stage: usize) -> Option<&Stage<F>> {
        let ranks = self.schedule.ranks();
        (stage % ranks == self.place.stage).then(|| &self.stages[stage / ranks])
    }

    /// Brings the numbers of a stage to the whole pipeline.
    async fn spread(&self, stage: usize, owner: usize, numbers: Vec<F>) -> Result<Vec<F>, TrainError> {
        let parameters = self.layers.parameters();
        let len = self.strategy.partition.layers(stage).map(|layer| parameters[layer]).sum();
        let mut numbers = numbers;
        numbers.resize(len, F::default());
        self.pipeline.broadcast(owner, &mut numbers).await?;
        Ok(numbers)
    }
}
