//! Tables of embeddings: which rank holds which part, how many bytes, how much traffic.
//!
//! A table is too large to be on every rank and every batch needs a few of its rows only, so that ranks divide it and fetch what
//! they look up (Naumov et al. 2019, section 4). The ways of dividing are those of `TorchRec`.

use std::ops::Range;

use super::{Forecast, OptimizerState};
use crate::PlanError;

/// Bytes of a number.
const NUMBER: u64 = 4;

/// A table with a row for each id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShape {
    /// Its rows.
    pub rows: usize,
    /// Numbers of a row.
    pub width: usize,
    /// Rows of the tables that it is made of, one after the other: a table for each field of features may lie in one. One that is
    /// nothing but itself has one field.
    pub fields: Vec<usize>,
}

impl TableShape {
    /// A table that is one field.
    pub fn whole(rows: usize, width: usize) -> Self {
        Self { rows, width, fields: vec![rows] }
    }
}

/// How ranks divide tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TableSharding {
    /// Each field is on one rank, the largest first to whoever holds least.
    TableWise,
    /// Each rank has some of the rows of every table.
    #[default]
    RowWise,
    /// Each rank has some of the columns of every table.
    ColumnWise,
}

impl TableSharding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TableWise, Self::RowWise, Self::ColumnWise];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TableWise => "table-wise",
            Self::RowWise => "row-wise",
            Self::ColumnWise => "column-wise",
        }
    }
}

/// A rectangle of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePiece {
    /// The table, by its place in the list.
    pub table: usize,
    /// Its rows in the table.
    pub rows: Range<usize>,
    /// Its columns in the table.
    pub columns: Range<usize>,
}

impl TablePiece {
    /// Numbers in it.
    pub fn elements(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// Bytes that a rank sends in a step because tables are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableTraffic {
    /// Vectors, to the ranks that look them up.
    pub fetched: u64,
    /// Gradients by these vectors, to the ranks that hold the rows.
    pub given_back: u64,
}

impl TableTraffic {
    /// Both ways.
    pub const fn total(&self) -> u64 {
        self.fetched + self.given_back
    }
}

/// Tables, divided among ranks: disjoint rectangles that cover them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlacement {
    tables: Vec<TableShape>,
    sharding: TableSharding,
    /// For each rank its pieces, in the order of tables and rows.
    pieces: Vec<Vec<TablePiece>>,
    /// For each table where stretches of rows end, and whose they are; empty where every rank has a part of each row.
    owners: Vec<Vec<(usize, usize)>>,
}

impl TablePlacement {
    /// Divides tables. Ranks may be left with nothing where there are fewer fields, or fewer rows, than ranks.
    ///
    /// # Errors
    /// [`PlanError`]: no ranks, fields that are not the table's rows, or a table with fewer columns than ranks that divide columns.
    pub fn new(tables: &[TableShape], ranks: usize, sharding: TableSharding) -> Result<Self, PlanError> {
        if ranks == 0 {
            return Err(PlanError::Zero { what: "strategy.ranks" });
        }
        for (table, shape) in tables.iter().enumerate() {
            let placed = shape.fields.iter().sum();
            if placed != shape.rows {
                return Err(PlanError::Fields { table, placed, rows: shape.rows });
            }
        }
        let stretches = match sharding {
            TableSharding::TableWise => fields(tables, ranks),
            TableSharding::RowWise => tables.iter().map(|table| rows(table.rows, ranks)).collect(),
            TableSharding::ColumnWise => Vec::new(),
        };
        let mut pieces = vec![Vec::new(); ranks];
        for (table, stretches) in stretches.iter().enumerate() {
            let mut start = 0;
            for &(end, rank) in stretches {
                pieces[rank].push(TablePiece { table, rows: start..end, columns: 0..tables[table].width });
                start = end;
            }
        }
        if sharding == TableSharding::ColumnWise {
            for (table, shape) in tables.iter().enumerate() {
                if shape.width < ranks {
                    return Err(PlanError::TooFewColumns { table, columns: shape.width, ranks });
                }
                for (rank, pieces) in pieces.iter_mut().enumerate().filter(|_| shape.rows > 0) {
                    pieces.push(TablePiece { table, rows: 0..shape.rows, columns: part(shape.width, ranks, rank) });
                }
            }
        }
        Ok(Self { tables: tables.to_vec(), sharding, pieces, owners: stretches })
    }

    /// The tables.
    pub fn tables(&self) -> &[TableShape] {
        &self.tables
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.pieces.len()
    }

    /// How they are divided.
    pub const fn sharding(&self) -> TableSharding {
        self.sharding
    }

    /// What a rank holds, in the order of tables and rows.
    pub fn pieces(&self, rank: usize) -> &[TablePiece] {
        &self.pieces[rank]
    }

    /// The columns that a rank has of the rows that it holds.
    pub fn columns(&self, rank: usize, table: usize) -> Range<usize> {
        let width = self.tables[table].width;
        if self.sharding == TableSharding::ColumnWise { part(width, self.ranks(), rank) } else { 0..width }
    }

    /// The rank that holds a row; `None` where each rank has some columns of it.
    pub fn owner(&self, table: usize, row: usize) -> Option<usize> {
        let stretches = self.owners.get(table)?;
        stretches.get(stretches.partition_point(|&(end, _)| end <= row)).map(|&(_, rank)| rank)
    }

    /// Whether a rank holds something of a row.
    pub fn holds(&self, rank: usize, table: usize, row: usize) -> bool {
        self.owner(table, row).is_none_or(|owner| owner == rank)
    }

    /// Numbers on a rank.
    pub fn elements(&self, rank: usize) -> u64 {
        self.pieces[rank].iter().map(|piece| piece.elements() as u64).sum()
    }

    /// Bytes that a rank holds between two steps. Gradients are those of looked-up rows, which come and go.
    pub fn forecast(&self, rank: usize, optimizer: OptimizerState) -> Forecast {
        let elements = self.elements(rank);
        Forecast { parameters: elements * NUMBER, optimizer: elements * optimizer.bytes(), ..Forecast::default() }
    }

    /// Foretells what a rank sends in a step. `wanted`: for each rank and table, places that it looks up; `bag`: for each table,
    /// rows that are summed at a place, on average.
    ///
    /// Places are taken to be as many for every field, and the rows of a field to be looked up equally often. Row-wise, who has any row of a
    /// bag sends one vector, the sum of its own.
    pub fn traffic(&self, rank: usize, wanted: &[Vec<u64>], bag: &[f64]) -> TableTraffic {
        let mut bytes = [0.0; 2];
        let vector = |rank: usize, table: usize| (NUMBER as usize * self.columns(rank, table).len()) as f64;
        for (table, &bag) in bag.iter().enumerate() {
            for other in (0..self.ranks()).filter(|&other| other != rank) {
                // Owners send to those who want, who send back as much.
                bytes[0] += wanted[other][table] as f64 * self.share(rank, table, bag) * vector(rank, table);
                bytes[1] += wanted[rank][table] as f64 * self.share(other, table, bag) * vector(other, table);
            }
        }
        let [fetched, given_back] = bytes.map(|bytes| bytes.round() as u64);
        TableTraffic { fetched, given_back }
    }

    /// The share of places of a table for which a rank has something to send.
    fn share(&self, rank: usize, table: usize, bag: f64) -> f64 {
        if self.sharding == TableSharding::ColumnWise {
            return 1.0;
        }
        let (mut start, mut fields, mut sum) = (0, 0, 0.0);
        for &rows in self.tables[table].fields.iter().filter(|&&rows| rows > 0) {
            let own = self
                .of_table(rank, table)
                .map(|piece| piece.rows.end.min(start + rows).saturating_sub(piece.rows.start.max(start)));
            sum += 1.0 - (1.0 - own.sum::<usize>() as f64 / rows as f64).powf(bag);
            (start, fields) = (start + rows, fields + 1);
        }
        sum / f64::from(fields.max(1))
    }

    fn of_table(&self, rank: usize, table: usize) -> impl Iterator<Item = &TablePiece> {
        self.pieces[rank].iter().filter(move |piece| piece.table == table)
    }
}

/// The `at`-th of `parts` parts of so many, as equal as can be, the longer ones first.
fn part(count: usize, parts: usize, at: usize) -> Range<usize> {
    let start = |at: usize| at * (count / parts) + at.min(count % parts);
    start(at)..start(at + 1)
}

/// Where each rank's rows end; ranks without any are left out.
fn rows(count: usize, ranks: usize) -> Vec<(usize, usize)> {
    let own = (0..ranks).map(|rank| (part(count, ranks, rank), rank));
    own.filter(|(rows, _)| !rows.is_empty()).map(|(rows, rank)| (rows.end, rank)).collect()
}

/// Where each field ends and who has it; neighbours on one rank are one stretch.
fn fields(tables: &[TableShape], ranks: usize) -> Vec<Vec<(usize, usize)>> {
    let mut all: Vec<(usize, usize, usize)> = Vec::new();
    for (table, shape) in tables.iter().enumerate() {
        for (field, rows) in shape.fields.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            // The largest first, equal ones as they come.
            let size = rows * shape.width;
            let place = all.partition_point(|&(other, ..)| other >= size);
            all.insert(place, (size, table, field));
        }
    }
    let mut held = vec![0; ranks];
    let mut owners: Vec<Vec<usize>> = tables.iter().map(|table| vec![0; table.fields.len()]).collect();
    for (size, table, field) in all {
        let rank = (0..ranks).min_by_key(|&rank| held[rank]).unwrap_or(0);
        held[rank] += size;
        owners[table][field] = rank;
    }
    let stretches = tables.iter().zip(owners).map(|(table, owners)| {
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        let mut end = 0;
        for (&rows, owner) in table.fields.iter().zip(owners).filter(|(rows, _)| **rows > 0) {
            end += rows;
            match stretches.last_mut() {
                Some(last) if last.1 == owner => last.0 = end,
                _ => stretches.push((end, owner)),
            }
        }
        stretches
    });
    stretches.collect()
}
