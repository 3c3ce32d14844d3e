//! Vectors on their way to whoever looks them up, and gradients on their way back.

use std::ops::Range;

use super::{LookUp, RowGradient, Tables};
use crate::training::{Account, Ledger};
use crate::{CommError, Communicator, Transport};

/// For each table the ranges of places that one rank wants of its look-up, in its own order; a place may be wanted twice.
pub type Wanted = Vec<Vec<Range<usize>>>;

impl Tables {
    /// The vectors that this rank wants. Every rank says what all want (`wanted`: one for each rank) and calls it at the same time
    /// as the others. A vector comes from the rank that has its row; of a bag the sums of each rank's rows are added up in the order
    /// of ranks; columns are put side by side.
    ///
    /// # Shapes
    /// - `look_ups`: one for each table
    /// - returns: for each table `[places wanted × width]`
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn fetch<T: Transport>(
        &self,
        look_ups: &[LookUp],
        wanted: &[Wanted],
        all: &Communicator<T>,
        ledger: &mut Ledger,
    ) -> Result<Vec<Vec<f32>>, CommError> {
        let tag = all.next("rows");
        let (ranks, own) = (self.placement.ranks(), self.rank);
        for to in (0..ranks).filter(|&to| to != own) {
            let vectors = self.gathered(look_ups, &wanted[to]);
            if !vectors.is_empty() {
                let bytes = 4 * vectors.len() as u64;
                ledger.take(Account::Transient, bytes);
                all.send(to, tag, &vectors).await?;
                ledger.give_back(Account::Transient, bytes);
            }
        }
        let lengths = self.lengths(look_ups, &wanted[own]);
        let mut said = Vec::with_capacity(ranks);
        for (from, &length) in lengths.iter().enumerate() {
            said.push(match length {
                0 => Vec::new(),
                _ if from == own => self.gathered(look_ups, &wanted[own]),
                _ => all.recv_exactly::<f32>(from, tag, length).await?,
            });
        }
        let bytes = 4 * lengths.iter().sum::<usize>() as u64;
        ledger.take(Account::Transient, bytes);
        let vectors = self.put_together(look_ups, &wanted[own], &said);
        ledger.give_back(Account::Transient, bytes);
        Ok(vectors)
    }

    /// Brings gradients by what was fetched to the ranks that have the rows, which add up what several ranks say of a place in the
    /// order of ranks, and what a row got at several places in the order of places. A row that was looked up and that nobody says
    /// anything about got zeros.
    ///
    /// # Shapes
    /// - `gradients`: as [`Self::fetch`] gave the vectors
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn give_back<T: Transport>(
        &mut self,
        look_ups: &[LookUp],
        wanted: &[Wanted],
        gradients: &[Vec<f32>],
        all: &Communicator<T>,
        ledger: &mut Ledger,
    ) -> Result<(), CommError> {
        let tag = all.next("gradients of rows");
        let own = self.rank;
        let mut to_all = self.divided(look_ups, &wanted[own], gradients);
        for (to, gradients) in to_all.iter_mut().enumerate() {
            if to != own && !gradients.is_empty() {
                let gradients = std::mem::take(gradients);
                let bytes = 4 * gradients.len() as u64;
                ledger.take(Account::Transient, bytes);
                all.send(to, tag, &gradients).await?;
                ledger.give_back(Account::Transient, bytes);
            }
        }
        let mut of_places = OfPlaces::new(self, look_ups);
        ledger.take(Account::Transient, of_places.bytes());
        for (from, wanted) in wanted.iter().enumerate() {
            let length = if from == own { to_all[own].len() } else { self.lengths(look_ups, wanted)[own] };
            let told = match length {
                0 => continue,
                _ if from == own => std::mem::take(&mut to_all[own]),
                _ => all.recv_exactly::<f32>(from, tag, length).await?,
            };
            of_places.add(wanted, &told);
        }
        let bytes = of_places.bytes();
        // Those of a step that ended before its update.
        ledger.give_back(Account::Gradients, self.gradients.iter().map(RowGradient::bytes).sum());
        self.gradients = of_places.by_rows(look_ups, self);
        ledger.give_back(Account::Transient, bytes);
        ledger.take(Account::Gradients, self.gradients.iter().map(RowGradient::bytes).sum());
        Ok(())
    }

    /// What this rank has of places that are wanted: for each a vector as wide as its columns, places of which it has nothing left
    /// out.
    fn gathered(&self, look_ups: &[LookUp], wanted: &Wanted) -> Vec<f32> {
        let mut vectors = Vec::new();
        for ((part, look_up), ranges) in self.parts.iter().zip(look_ups).zip(wanted) {
            let width = part.columns.len();
            for place in ranges.iter().cloned().flatten() {
                let rows = look_up.at(place).filter_map(|(row, weight)| Some((part.row(row)?, weight)));
                if !look_up.has_bags() {
                    rows.for_each(|(row, _)| vectors.extend_from_slice(row));
                    continue;
                }
                let start = vectors.len();
                for (row, weight) in rows {
                    vectors.resize(start + width, 0.0);
                    for (sum, value) in vectors[start..].iter_mut().zip(row) {
                        *sum += weight * value;
                    }
                }
            }
        }
        vectors
    }

    /// How many numbers each rank has of places that are wanted.
    fn lengths(&self, look_ups: &[LookUp], wanted: &Wanted) -> Vec<usize> {
        let mut lengths = vec![0; self.placement.ranks()];
        self.each(look_ups, wanted, |table, _, rank| lengths[rank] += self.placement.columns(rank, table).len());
        lengths
    }

    /// Says of each wanted place, by its number among those of its table, each rank that has something of it.
    fn each(&self, look_ups: &[LookUp], wanted: &Wanted, mut say: impl FnMut(usize, usize, usize)) {
        for (table, (look_up, ranges)) in look_ups.iter().zip(wanted).enumerate() {
            for (at, place) in ranges.iter().cloned().flatten().enumerate() {
                self.holders(table, look_up, place).into_iter().for_each(|rank| say(table, at, rank));
            }
        }
    }

    /// Whole vectors, of what each rank has of them.
    fn put_together(&self, look_ups: &[LookUp], wanted: &Wanted, said: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let shapes = self.placement.tables();
        let places = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).sum::<usize>();
        let zeros = shapes.iter().zip(wanted).map(|(shape, ranges)| vec![0.0; places(ranges) * shape.width]);
        let mut vectors: Vec<Vec<f32>> = zeros.collect();
        let mut read = vec![0; said.len()];
        self.each(look_ups, wanted, |table, at, rank| {
            let columns = self.placement.columns(rank, table);
            let part = &said[rank][read[rank]..][..columns.len()];
            read[rank] += columns.len();
            let vector = &mut vectors[table][at * shapes[table].width..][columns];
            if look_ups[table].has_bags() {
                vector.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            } else {
                vector.copy_from_slice(part);
            }
        });
        vectors
    }

    /// The inverse: of whole vectors what goes to each rank.
    fn divided(&self, look_ups: &[LookUp], wanted: &Wanted, vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let shapes = self.placement.tables();
        let mut to_all = vec![Vec::new(); self.placement.ranks()];
        self.each(look_ups, wanted, |table, at, rank| {
            let vector = &vectors[table][at * shapes[table].width..][..shapes[table].width];
            to_all[rank].extend_from_slice(&vector[self.placement.columns(rank, table)]);
        });
        to_all
    }
}

/// Gradients by the places of which one rank has something.
struct OfPlaces {
    tables: Vec<Places>,
}

struct Places {
    /// For each place of the look-up its number among those here, or [`ELSEWHERE`].
    slots: Vec<u32>,
    width: usize,
    /// `[places here × width]`
    sums: Vec<f32>,
    /// Whether anything was said of it.
    told: Vec<bool>,
}

const ELSEWHERE: u32 = u32::MAX;

impl OfPlaces {
    fn new(tables: &Tables, look_ups: &[LookUp]) -> Self {
        let places = |(part, look_up): (&super::held::Part, &LookUp)| {
            let mut here = 0;
            let mut slot = |place: usize| {
                let any = look_up.at(place).any(|(row, _)| part.row(row).is_some());
                here += u32::from(any);
                if any { here - 1 } else { ELSEWHERE }
            };
            let slots: Vec<u32> = (0..look_up.len()).map(&mut slot).collect();
            let (width, here) = (part.columns.len(), here as usize);
            Places { slots, width, sums: vec![0.0; here * width], told: vec![false; here] }
        };
        Self { tables: tables.parts.iter().zip(look_ups).map(places).collect() }
    }

    fn bytes(&self) -> u64 {
        self.tables.iter().map(|places| 4 * places.sums.len() as u64).sum()
    }

    /// Adds what a rank says of the places that it wanted.
    fn add(&mut self, wanted: &Wanted, mut told: &[f32]) {
        for (places, ranges) in self.tables.iter_mut().zip(wanted) {
            for place in ranges.iter().cloned().flatten().filter(|&place| places.slots[place] != ELSEWHERE) {
                let (slot, width) = (places.slots[place] as usize, places.width);
                let (own, rest) = told.split_at(width);
                let sum = &mut places.sums[slot * width..][..width];
                // The first word is taken as it is: zero and minus zero make zero.
                if std::mem::replace(&mut places.told[slot], true) {
                    sum.iter_mut().zip(own).for_each(|(sum, value)| *sum += value);
                } else {
                    sum.copy_from_slice(own);
                }
                told = rest;
            }
        }
    }

    fn by_rows(self, look_ups: &[LookUp], tables: &Tables) -> Vec<RowGradient> {
        let of_table = |((places, look_up), part): ((&Places, &LookUp), &super::held::Part)| {
            let here = look_up.entries().filter(|(row, ..)| part.row(*row).is_some());
            let entries = here.map(|(row, place, weight)| (row, places.slots[place as usize], weight)).collect();
            RowGradient::of_entries(entries, &places.sums, places.width)
        };
        self.tables.iter().zip(look_ups).zip(&tables.parts).map(of_table).collect()
    }
}
