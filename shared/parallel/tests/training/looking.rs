//! Batches whose rows look up in tables, and ranks that learn from them.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use recspeed_parallel::model::{Model, StepNoise};
use recspeed_parallel::tables::{LookUp, RowRule, SavedTables, Wanted};
use recspeed_parallel::training::{
    Account, Batch, Exchange, Judged, Ledger, MicroBatch, Rank, Saved, Sent, Strategy, Timeline, TrainError,
};
use recspeed_parallel::{Communicator, Counters, Transport};
use recspeed_plan::sharding::{TableShape, TableSharding, Traffic};

use super::bench::{Course, INPUTS, draws, squared};

/// What the input of a row is the sum of a bag of, and what is added to its score.
pub(crate) fn shapes() -> Vec<TableShape> {
    vec![TableShape { rows: 9, width: INPUTS + 1, fields: vec![2, 4, 3] }, TableShape::whole(5, 4)]
}

pub(crate) fn first_tables() -> SavedTables<'static> {
    let numbers = shapes().into_iter().enumerate();
    let numbers = numbers.map(|(at, shape)| Cow::Owned(draws(60 + at as u64, shape.rows * shape.width)));
    SavedTables { numbers: numbers.collect(), moments: None }
}

/// A batch whose rows look up a bag each for their input, and a row each for their score.
pub(crate) struct Looking<'a> {
    model: &'a dyn Model,
    pub(crate) look_ups: Vec<LookUp>,
    pub(crate) truth: Vec<f32>,
    pub(crate) noise: StepNoise,
}

impl<'a> Looking<'a> {
    pub(crate) fn new(model: &'a dyn Model, step: usize, rows: usize) -> Self {
        let id = |draw: f32, count: usize| ((f32::midpoint(draw, 1.0) * count as f32) as usize).min(count - 1) as u32;
        let mut bags = LookUp::bags();
        for draws in draws(300 + step as u64, 4 * rows).as_chunks::<4>().0 {
            bags.push_bag((0..=id(draws[0], 3) as usize).map(|at| (id(draws[1 + at], 9), 0.5 + draws[3])));
        }
        let scored = draws(400 + step as u64, rows).into_iter().map(|draw| id(draw, 5));
        Self {
            model,
            look_ups: vec![bags, LookUp::from(scored.collect::<Vec<u32>>())],
            truth: draws(200 + step as u64, rows),
            noise: StepNoise { seed: 5, stream: 1000 + step as u64 },
        }
    }
}

impl Batch for Looking<'_> {
    fn rows(&self) -> usize {
        self.truth.len()
    }

    fn noise(&self) -> StepNoise {
        self.noise
    }

    fn look_ups(&self) -> &[LookUp] {
        &self.look_ups
    }

    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_> {
        Box::new(SomeRows { batch: self, rows })
    }
}

struct SomeRows<'a> {
    batch: &'a Looking<'a>,
    rows: Range<usize>,
}

impl MicroBatch for SomeRows<'_> {
    fn model(&self) -> &dyn Model {
        self.batch.model
    }

    fn share(&self) -> f64 {
        self.rows.len() as f64 / self.batch.truth.len() as f64
    }

    fn reads(&self) -> Wanted {
        vec![vec![self.rows.clone()], Vec::new()]
    }

    fn scored(&self) -> Wanted {
        vec![Vec::new(), vec![self.rows.clone()]]
    }

    /// The last column of a row is left out.
    fn input(&self, rows: &[Tensor<2>]) -> Tensor<2> {
        rows[0].clone().slice([0..self.rows.len(), 0..INPUTS])
    }

    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        let device = slope.device();
        let last = Tensor::zeros([self.rows.len(), 1], &device);
        vec![Tensor::cat(vec![slope, last], 1), Tensor::zeros([0, 4], &device)]
    }

    fn judge(&self, scores: Tensor<2>, rows: &[Tensor<2>]) -> Judged {
        let judged = squared(scores + rows[1].clone().sum_dim(1), &self.batch.truth[self.rows.clone()]);
        let by_row = judged.slope.clone().expand([self.rows.len(), 4]);
        let nothing = Tensor::zeros([0, INPUTS + 1], &by_row.device());
        Judged { rows: vec![nothing, by_row], ..judged }
    }
}

/// What became of a training with tables.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) saved: Saved,
    pub(crate) tables: SavedTables<'static>,
    /// Before each step.
    pub(crate) losses: Vec<f64>,
    /// Of all steps whose timeline was noted.
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) ledger: Ledger,
    pub(crate) traffic: Traffic,
    pub(crate) counters: Counters,
}

impl End {
    /// Everything that was held for a batch is given back, and what was sent for it is part of all that was sent.
    fn gives_back_what_it_held(&self) {
        let Self { ledger, traffic, counters, .. } = self;
        for account in [Account::Activations, Account::Transient, Account::Update, Account::Gradients] {
            assert_eq!(ledger.held(account), 0, "{account:?}: everything held for a batch is given back");
        }
        assert!(ledger.is_sound(), "an account is given back more than it holds: {ledger:?}");
        assert!(traffic.total() <= counters.sent_bytes, "{traffic:?}, {counters:?}");
    }

    /// All that was learnt.
    pub(crate) fn bits(&self) -> Vec<u32> {
        let tables = self.tables.moments.iter().flatten().chain([&self.tables.numbers]).flatten();
        let layers = self.saved.moments.iter().flat_map(|(_, moments)| moments.iter().flatten());
        let layers = layers.chain(&self.saved.numbers);
        tables.flat_map(|table| table.iter()).chain(layers).map(|number| number.to_bits()).collect()
    }
}

/// A way to go on from here, some steps later.
pub(crate) type Begun<'a> = (&'a Saved, &'a SavedTables<'a>, usize);

/// One rank's part of a training with tables, whatever it talks through. `noted`: is given the timeline of each step,
/// which is noted of every other one, and what the rank had sent in such steps before and after it.
pub(crate) async fn one_rank<T: Transport>(
    course: &Course,
    strategy: &Strategy,
    (rule, sharding): (RowRule, TableSharding),
    (saved, tables, first): Begun<'_>,
    communicator: Communicator<T>,
    noted: impl Fn(&Timeline, [Sent; 2]),
) -> Result<End, TrainError> {
    let (model, device) = (&course.model, Device::flex());
    let rank = Rank::new(model, strategy.clone(), communicator, course.learning.clone(), saved, &device)?;
    let mut rank = rank.with_tables(&shapes(), sharding, rule, tables)?;
    let (mut losses, mut exchanges) = (Vec::new(), Vec::new());
    for (step, &rows) in course.batches.iter().enumerate().skip(first) {
        let before = rank.sent()[1];
        // Noting changes nothing of what is learnt: every other step does without.
        rank.note_timeline(step % 2 == 0);
        losses.push(rank.step(&Looking::new(model, step, rows)).await?);
        let timeline = rank.note_timeline(false);
        noted(&timeline, [before, rank.sent()[1]]);
        exchanges.extend(timeline.exchanges);
    }
    let (ledger, traffic, counters) = (*rank.ledger(), rank.traffic(), rank.communicator().counters());
    let tables = rank.save_tables().await?.expect("it has tables");
    let first = rank.save_tables_at_first().await?;
    assert!(first.is_none_or(|first| first == tables), "what comes to the first rank is what all have");
    let end = End { saved: rank.save().await?, tables, losses, exchanges, ledger, traffic, counters };
    end.gives_back_what_it_held();
    Ok(end)
}
