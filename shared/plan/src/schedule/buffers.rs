//! Where a rank keeps what lies between a forward pass and its backward pass.

use super::{Cell, Instruction};

/// A buffer for each cell, used again as soon as it is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffers {
    of_cell: Vec<usize>,
    micro_batches: usize,
    count: usize,
}

impl Buffers {
    pub(super) fn of(list: &[Instruction], chunks: usize, micro_batches: usize) -> Self {
        let at = |cell: Cell| cell.chunk * micro_batches + cell.micro_batch;
        let in_parts = list.iter().any(|step| matches!(step, Instruction::BackwardWeight(_)));
        let mut of_cell = vec![0; chunks * micro_batches];
        let (mut free, mut count) = (Vec::new(), 0);
        for &step in list {
            match step {
                Instruction::Forward(cell) => {
                    of_cell[at(cell)] = free.pop().unwrap_or_else(|| {
                        count += 1;
                        count - 1
                    });
                }
                Instruction::Backward(cell) if !in_parts => free.push(of_cell[at(cell)]),
                Instruction::BackwardWeight(cell) => free.push(of_cell[at(cell)]),
                _ => {}
            }
        }
        Self { of_cell, micro_batches, count }
    }

    /// How many buffers there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The buffer of a cell, below [`Self::count`].
    ///
    /// # Panics
    /// When the schedule has no such cell.
    pub fn of_cell(&self, cell: Cell) -> usize {
        self.of_cell[cell.chunk * self.micro_batches + cell.micro_batch]
    }
}
