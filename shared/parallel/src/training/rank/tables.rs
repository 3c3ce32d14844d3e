//! What a rank looks up for a batch, and what it says of that.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use recspeed_plan::Collective;
use recspeed_plan::sharding::{TablePiece, TablePlacement, TableShape, TableSharding};

use super::Rank;
use crate::Transport;
use crate::tables::{RowRule, SavedTables, Tables, Wanted};
use crate::training::batch::{Batch, MicroBatch};
use crate::training::error::TrainError;
use crate::training::ledger::Account;
use crate::training::stage::Number;

/// Who reads looked-up rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// First stages, for what enters the first layer.
    Input,
    /// Last stages, to say what the loss is.
    Judge,
}

/// What the micro-batches of a rank looked up, until somebody has said what the gradient by it is.
#[derive(Default)]
pub(super) struct Looked {
    /// For each rank, and each table, the places that its micro-batches read.
    wanted: Vec<Wanted>,
    /// The same of this rank, one after the other.
    reads: Vec<Read>,
    bytes: u64,
}

/// What one micro-batch reads in one go.
struct Read {
    micro_batch: usize,
    reader: Reader,
    /// For each table its places.
    ranges: Wanted,
    /// For each table `[places, width]`; taken by whoever reads it.
    rows: Vec<Tensor<2>>,
    /// The derivative by these.
    said: Vec<Tensor<2>>,
}

impl Read {
    fn places(&self, table: usize) -> usize {
        self.ranges.get(table).map_or(0, |ranges| ranges.iter().map(Range::len).sum())
    }
}

impl Looked {
    /// The rows that a micro-batch reads; once.
    pub(super) fn rows(&mut self, micro_batch: usize, reader: Reader) -> Vec<Tensor<2>> {
        self.of(micro_batch, reader).map(|read| std::mem::take(&mut read.rows)).unwrap_or_default()
    }

    /// Takes down the derivative by what it read.
    pub(super) fn say(&mut self, micro_batch: usize, reader: Reader, slopes: Vec<Tensor<2>>) {
        if let Some(read) = self.of(micro_batch, reader) {
            read.said = slopes;
        }
    }

    fn of(&mut self, micro_batch: usize, reader: Reader) -> Option<&mut Read> {
        self.reads.iter_mut().find(|read| (read.micro_batch, read.reader) == (micro_batch, reader))
    }
}

impl<T: Transport> Rank<'_, T, f32> {
    /// Gives it its pieces of the tables that the layers look up in. All ranks of the strategy divide them, whatever else these
    /// divide: a pipeline's later stages have room for rows, too.
    ///
    /// # Errors
    /// [`TrainError`]: the tables cannot be divided so, or among ranks that share layers.
    pub fn with_tables(
        mut self,
        shapes: &[TableShape],
        sharding: TableSharding,
        rule: RowRule,
        saved: &SavedTables<'_>,
    ) -> Result<Self, TrainError> {
        let placement = self.placement(shapes, sharding)?;
        self.tables = Some(Tables::new(placement, self.all.rank(), rule, saved, &mut self.meter.ledger));
        Ok(self)
    }

    /// The same of tables that begin: `draw` gives the first numbers of a piece, row by row, so that no rank ever has more than its
    /// own.
    ///
    /// # Errors
    /// As [`Self::with_tables`].
    pub fn with_new_tables(
        mut self,
        shapes: &[TableShape],
        sharding: TableSharding,
        rule: RowRule,
        draw: &dyn Fn(&TablePiece) -> Vec<f32>,
    ) -> Result<Self, TrainError> {
        let placement = self.placement(shapes, sharding)?;
        self.tables = Some(Tables::begun(placement, self.all.rank(), rule, draw, &mut self.meter.ledger));
        Ok(self)
    }

    fn placement(&self, shapes: &[TableShape], sharding: TableSharding) -> Result<TablePlacement, TrainError> {
        if self.strategy.layout.tensor() > 1 {
            return Err(TrainError::SharedLookUps);
        }
        Ok(TablePlacement::new(shapes, self.all.ranks(), sharding)?)
    }
}

impl<T: Transport, F: Number> Rank<'_, T, F> {
    /// Whole tables and moments, on every rank; `None` without tables.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn save_tables(&self) -> Result<Option<SavedTables<'static>>, TrainError> {
        match &self.tables {
            Some(tables) => Ok(Some(tables.save(&self.all).await?)),
            None => Ok(None),
        }
    }

    /// Whole tables and moments, at the first rank; `None` at the others, and without tables.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn save_tables_at_first(&self) -> Result<Option<SavedTables<'static>>, TrainError> {
        match &self.tables {
            Some(tables) => Ok(tables.save_at_first(&self.all).await?),
            None => Ok(None),
        }
    }

    /// Whole tables, at the first rank; `None` at the others, and without tables.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn table_numbers_at_first(&self) -> Result<Option<Vec<Vec<f32>>>, TrainError> {
        match &self.tables {
            Some(tables) => Ok(tables.numbers_at_first(&self.all).await?),
            None => Ok(None),
        }
    }

    /// Both moments of whole tables, at the first rank; `None` at the others, and without tables or moments.
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn table_moments_at_first(&self) -> Result<Option<[Vec<Vec<f32>>; 2]>, TrainError> {
        match &self.tables {
            Some(tables) => Ok(tables.moments_at_first(&self.all).await?),
            None => Ok(None),
        }
    }

    /// Fetches for all micro-batches of this rank, which are `own_batches`.
    pub(super) async fn look_up(
        &mut self,
        batch: &dyn Batch,
        own_batches: &[Box<dyn MicroBatch + '_>],
    ) -> Result<Looked, TrainError> {
        let Some(tables) = &self.tables else { return Ok(Looked::default()) };
        let layout = self.strategy.layout;
        // All ranks know what all read. The stages of one replica have the same micro-batches.
        let mut of_replicas = Vec::with_capacity(layout.replicas());
        for replica in 0..layout.replicas() {
            let wanted = |batch: &dyn MicroBatch| [batch.reads(), batch.scored()];
            of_replicas.push(if replica == self.place.replica {
                own_batches.iter().map(|batch| wanted(batch.as_ref())).collect::<Vec<_>>()
            } else {
                let cut = self.strategy.cut(batch.rows(), replica)?;
                cut.into_iter().map(|cut| wanted(batch.micro_batch(cut.rows).as_ref())).collect()
            });
        }
        let mut wanted = Vec::with_capacity(self.all.ranks());
        let mut own = Vec::new();
        for rank in 0..self.all.ranks() {
            let place = layout.place(rank);
            let reads = self.reads(place.stage, &of_replicas[place.replica]);
            let mut of_rank: Wanted = vec![Vec::new(); batch.look_ups().len()];
            for read in &reads {
                of_rank.iter_mut().zip(&read.ranges).for_each(|(all, ranges)| all.extend(ranges.iter().cloned()));
            }
            wanted.push(of_rank);
            if rank == self.all.rank() {
                own = reads;
            }
        }
        // With what the rank looks up of its own rows for others, and puts together of theirs.
        let begun = self.meter.begin_exchange(&self.all);
        let vectors = tables.fetch(batch.look_ups(), &wanted, &self.all, &mut self.meter.ledger).await?;
        self.meter.traffic.tables += self.meter.end_exchange(begun, (Collective::AllToAll, None), &self.all);
        let bytes = vectors.iter().map(|vectors| 4 * vectors.len() as u64).sum();
        self.meter.ledger.take(Account::Transient, bytes);
        for (table, (vectors, shape)) in vectors.iter().zip(tables.placement().tables()).enumerate() {
            let mut start = 0;
            for read in &mut own {
                let places = read.places(table);
                let part = vectors[start * shape.width..][..places * shape.width].to_vec();
                read.rows.push(Tensor::from_data(TensorData::new(part, [places, shape.width]), &self.device));
                start += places;
            }
        }
        Ok(Looked { wanted, reads: own, bytes })
    }

    /// What the ranks of a pipeline's place read of its micro-batches.
    fn reads(&self, stage: usize, micro_batches: &[[Wanted; 2]]) -> Vec<Read> {
        let (ranks, last) = (self.schedule.ranks(), self.schedule.stages() - 1);
        let mut reads = Vec::new();
        for (micro_batch, [input, judge]) in micro_batches.iter().enumerate() {
            for (reader, of, ranges) in [(Reader::Input, 0, input), (Reader::Judge, last, judge)] {
                if of % ranks == stage {
                    let ranges = ranges.clone();
                    reads.push(Read { micro_batch, reader, ranges, rows: Vec::new(), said: Vec::new() });
                }
            }
        }
        reads
    }

    /// Brings what was said of looked-up vectors to whoever holds the rows.
    pub(super) async fn give_back(&mut self, batch: &dyn Batch, looked: &mut Looked) -> Result<(), TrainError> {
        let Some(tables) = &mut self.tables else { return Ok(()) };
        let Looked { wanted, reads, bytes } = std::mem::take(looked);
        let widths = tables.placement().tables().iter().map(|shape| shape.width);
        let gradients = widths.enumerate().map(|(table, width)| {
            let mut gradient = Vec::new();
            for read in &reads {
                match read.said.get(table) {
                    Some(said) => gradient.extend(numbers(said)),
                    None => gradient.resize(gradient.len() + read.places(table) * width, 0.0),
                }
            }
            gradient
        });
        let gradients: Vec<Vec<f32>> = gradients.collect();
        let begun = self.meter.begin_exchange(&self.all);
        tables.give_back(batch.look_ups(), &wanted, &gradients, &self.all, &mut self.meter.ledger).await?;
        self.meter.traffic.tables += self.meter.end_exchange(begun, (Collective::AllToAll, None), &self.all);
        self.meter.ledger.give_back(Account::Transient, bytes);
        Ok(())
    }

    /// Sum of the squares of this rank's part of the gradient.
    pub(super) fn squares(&self) -> f64 {
        let of_rows = self.tables.as_ref().map_or(0.0, Tables::squares);
        self.stages.iter().map(super::Stage::squares).sum::<f64>() + of_rows
    }
}

/// Tables are kept in f32.
fn numbers(tensor: &Tensor<2>) -> Vec<f32> {
    let data = tensor.clone().into_data().convert::<f32>();
    data.try_to_vec::<f32>().expect("they have just been made f32")
}
