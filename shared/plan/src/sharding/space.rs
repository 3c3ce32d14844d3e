//! All parameters in one row, cut into equal shards.

use std::ops::Range;

/// The parameters of a model, one after the other, padded at the end so that every rank's shard is equally long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatSpace {
    /// Where each parameter begins, and the number of elements at the end.
    starts: Vec<usize>,
    ranks: usize,
}

/// A part of one parameter that lies in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The parameter, by its place in the list.
    pub parameter: usize,
    /// Its elements, row-major.
    pub elements: Range<usize>,
    /// Where the first of them lies in the shard.
    pub at: usize,
}

impl FlatSpace {
    /// Parameters with so many elements each, for so many ranks; no rank counts as one.
    pub fn new(sizes: &[usize], ranks: usize) -> Self {
        let mut starts = Vec::with_capacity(sizes.len() + 1);
        starts.push(0);
        for (index, size) in sizes.iter().enumerate() {
            starts.push(starts[index] + size);
        }
        Self { starts, ranks: ranks.max(1) }
    }

    /// Elements of all parameters.
    pub fn elements(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Elements of a shard, padding included: the same for every rank.
    pub fn shard_len(&self) -> usize {
        self.elements().div_ceil(self.ranks)
    }

    /// Elements of padding at the end of the last shards.
    pub fn padding(&self) -> usize {
        self.shard_len() * self.ranks - self.elements()
    }

    /// The elements of the whole row that a rank owns, without padding; empty where there are more ranks than elements.
    pub fn shard(&self, rank: usize) -> Range<usize> {
        let (len, all) = (self.shard_len(), self.elements());
        (rank * len).min(all)..((rank + 1) * len).min(all)
    }

    /// The parts of parameters in a rank's shard, in order.
    pub fn pieces(&self, rank: usize) -> Vec<Piece> {
        let shard = self.shard(rank);
        let parameters = 0..self.starts.len() - 1;
        parameters.filter_map(|parameter| self.piece(parameter, &shard)).collect()
    }

    /// The parts of one parameter, as (rank, piece): whom to ask for it.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn holders(&self, parameter: usize) -> Vec<(usize, Piece)> {
        let all = self.starts[parameter]..self.starts[parameter + 1];
        if all.is_empty() {
            return Vec::new();
        }
        let len = self.shard_len();
        (all.start / len..all.end.div_ceil(len))
            .filter_map(|rank| self.piece(parameter, &self.shard(rank)).map(|piece| (rank, piece)))
            .collect()
    }

    fn piece(&self, parameter: usize, shard: &Range<usize>) -> Option<Piece> {
        let own = self.starts[parameter]..self.starts[parameter + 1];
        let common = own.start.max(shard.start)..own.end.min(shard.end);
        (!common.is_empty()).then(|| Piece {
            parameter,
            elements: common.start - own.start..common.end - own.start,
            at: common.start - shard.start,
        })
    }
}
