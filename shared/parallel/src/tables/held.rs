//! What one rank holds of the tables.

use std::ops::Range;

use recspeed_plan::sharding::{TablePiece, TablePlacement, TableSharding};

use super::{LookUp, RowGradient, RowRule, SavedTables};
use crate::training::{Account, Ledger};

/// One rank's pieces of all tables, with their moments.
///
/// A step is [`Self::fetch`], then [`Self::give_back`], then [`Self::update`]; all ranks call each of the first two with the same
/// look-ups.
#[derive(Debug)]
pub struct Tables {
    pub(super) placement: TablePlacement,
    pub(super) rank: usize,
    rule: RowRule,
    pub(super) parts: Vec<Part>,
    /// For each table what its rows here got since the last update.
    pub(super) gradients: Vec<RowGradient>,
}

/// What one rank holds of one table.
#[derive(Debug)]
pub(super) struct Part {
    /// The rows, and where the first of them lies among those here.
    stretches: Vec<(Range<usize>, usize)>,
    pub(super) columns: Range<usize>,
    /// `[rows here × columns here]`
    pub(super) numbers: Vec<f32>,
    /// First and second, as `numbers`; none for gradient descent.
    pub(super) moments: Option<[Vec<f32>; 2]>,
}

impl Part {
    /// Where a row lies among those here; `None` where it is elsewhere.
    fn place(&self, row: usize) -> Option<usize> {
        let at = self.stretches.partition_point(|(rows, _)| rows.end <= row);
        let (rows, start) = self.stretches.get(at)?;
        rows.contains(&row).then(|| start + row - rows.start)
    }

    /// The columns here of a row; `None` where it is elsewhere.
    pub(super) fn row(&self, row: u32) -> Option<&[f32]> {
        let width = self.columns.len();
        self.place(row as usize).map(|place| &self.numbers[place * width..][..width])
    }

    /// Its own of the whole table's numbers.
    fn cut(&self, whole: &[f32], width: usize) -> Vec<f32> {
        let mut own = Vec::with_capacity(self.rows() * self.columns.len());
        for row in self.stretches.iter().flat_map(|(rows, _)| rows.clone()) {
            own.extend_from_slice(&whole[row * width..][self.columns.clone()]);
        }
        own
    }

    /// The inverse of [`Self::cut`].
    fn paste(&self, own: &[f32], width: usize, whole: &mut [f32]) {
        let rows = self.stretches.iter().flat_map(|(rows, _)| rows.clone());
        for (row, numbers) in rows.zip(own.chunks_exact(self.columns.len().max(1))) {
            whole[row * width..][self.columns.clone()].copy_from_slice(numbers);
        }
    }

    fn rows(&self) -> usize {
        self.stretches.iter().map(|(rows, _)| rows.len()).sum()
    }
}

/// Where a rank's pieces lie, without any numbers.
fn parts(placement: &TablePlacement, rank: usize) -> Vec<Part> {
    let part = |table: usize| {
        let (mut stretches, mut held) = (Vec::new(), 0);
        for piece in placement.pieces(rank).iter().filter(|piece| piece.table == table) {
            stretches.push((piece.rows.clone(), held));
            held += piece.rows.len();
        }
        Part { stretches, columns: placement.columns(rank, table), numbers: Vec::new(), moments: None }
    };
    (0..placement.tables().len()).map(part).collect()
}

impl Tables {
    /// This rank's pieces of whole tables, which it is shown and does not keep. Moments are zeros where none are saved.
    ///
    /// # Panics
    /// When what is saved is not about these tables.
    pub fn new(
        placement: TablePlacement,
        rank: usize,
        rule: RowRule,
        saved: &SavedTables<'_>,
        ledger: &mut Ledger,
    ) -> Self {
        let mut parts = parts(&placement, rank);
        for (table, (part, shape)) in parts.iter_mut().zip(placement.tables()).enumerate() {
            let own = |all: &[std::borrow::Cow<'_, [f32]>]| {
                assert_eq!(all[table].len(), shape.rows * shape.width, "table {table} has another shape");
                part.cut(&all[table], shape.width)
            };
            let numbers = own(&saved.numbers);
            part.moments = (rule.state().bytes() > 0).then(|| match &saved.moments {
                Some(moments) => moments.each_ref().map(|moment| own(moment)),
                None => [vec![0.0; numbers.len()], vec![0.0; numbers.len()]],
            });
            part.numbers = numbers;
        }
        Self::of(parts, placement, (rank, rule), ledger)
    }

    /// This rank's pieces of tables that begin, whose moments are zeros: `draw` gives the first numbers of a piece, row by row.
    ///
    /// # Panics
    /// When it gives more or fewer than the piece has.
    pub fn begun(
        placement: TablePlacement,
        rank: usize,
        rule: RowRule,
        draw: &dyn Fn(&TablePiece) -> Vec<f32>,
        ledger: &mut Ledger,
    ) -> Self {
        let mut parts = parts(&placement, rank);
        for piece in placement.pieces(rank) {
            let numbers = draw(piece);
            assert_eq!(numbers.len(), piece.elements(), "a piece of table {} has another shape", piece.table);
            let held = &mut parts[piece.table].numbers;
            // Most often a rank has one piece of a table.
            if held.is_empty() { *held = numbers } else { held.extend(numbers) }
        }
        for part in &mut parts {
            let zeros = || vec![0.0; part.numbers.len()];
            part.moments = (rule.state().bytes() > 0).then(|| [zeros(), zeros()]);
        }
        Self::of(parts, placement, (rank, rule), ledger)
    }

    fn of(parts: Vec<Part>, placement: TablePlacement, (rank, rule): (usize, RowRule), ledger: &mut Ledger) -> Self {
        let held = placement.forecast(rank, rule.state());
        ledger.take(Account::Parameters, held.parameters);
        ledger.take(Account::Optimizer, held.optimizer);
        Self { placement, rank, rule, parts, gradients: Vec::new() }
    }

    /// How the tables are divided.
    pub fn placement(&self) -> &TablePlacement {
        &self.placement
    }

    /// Sum of the squares of what the rows here got: with those of all ranks the whole gradient's.
    pub fn squares(&self) -> f64 {
        self.gradients.iter().map(RowGradient::squares).sum()
    }

    /// A gradient that is no finite number, where there is one here.
    pub fn not_finite(&self) -> Option<f32> {
        self.gradients.iter().find_map(RowGradient::not_finite)
    }

    /// Moves the rows here that were looked up, as one device does; their gradients, scaled by `factor`, are gone after it.
    /// `step`: steps taken before this one.
    pub fn update(&mut self, rate: f64, factor: f32, step: u64, ledger: &mut Ledger) {
        let how = self.rule.step(rate as f32, factor, step);
        for (part, gradient) in self.parts.iter_mut().zip(self.gradients.drain(..)) {
            let width = part.columns.len();
            for (row, values) in gradient.rows() {
                // Gradients are those of rows that are here.
                let Some(place) = part.place(row as usize) else { continue };
                let at = place * width..(place + 1) * width;
                let moments = part.moments.as_mut();
                let moments = moments.map(|[first, second]| (&mut first[at.clone()], &mut second[at.clone()]));
                how.apply(&mut part.numbers[at.clone()], values, moments);
            }
            ledger.give_back(Account::Gradients, gradient.bytes());
        }
    }

    /// The ranks that hold something of a place; what they say of it is added up in their order.
    pub(super) fn holders(&self, table: usize, look_up: &LookUp, place: usize) -> Vec<usize> {
        if self.placement.sharding() == TableSharding::ColumnWise {
            let any = look_up.at(place).next().is_some();
            return (0..if any { self.placement.ranks() } else { 0 }).collect();
        }
        let mut holders: Vec<usize> =
            look_up.at(place).filter_map(|(row, _)| self.placement.owner(table, row as usize)).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// All that a rank holds of one kind, one table after the other.
    pub(super) fn own<'a>(&'a self, of: impl Fn(&'a Part) -> &'a [f32]) -> Vec<f32> {
        self.parts.iter().flat_map(|part| of(part).iter().copied()).collect()
    }

    /// Whole tables, of what [`Self::own`] was on each rank, one after the other.
    pub(super) fn joined(&self, mut all: &[f32]) -> Vec<Vec<f32>> {
        let shapes = self.placement.tables();
        let mut whole: Vec<Vec<f32>> = shapes.iter().map(|shape| vec![0.0; shape.rows * shape.width]).collect();
        for rank in 0..self.placement.ranks() {
            for ((part, shape), whole) in parts(&self.placement, rank).iter().zip(shapes).zip(&mut whole) {
                let (own, rest) = all.split_at(part.rows() * part.columns.len());
                part.paste(own, shape.width, whole);
                all = rest;
            }
        }
        whole
    }
}
