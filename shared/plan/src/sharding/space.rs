//! All parameters in one row, divided among ranks: the row as a whole, or each parameter for itself.

use std::ops::Range;

/// The parameters of a model, one after the other, of which each rank owns a part: its shard. No shard is longer than
/// the n elements over N ranks, rounded up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatSpace {
    /// Where each parameter begins, and the number of elements at the end.
    starts: Vec<usize>,
    /// Where each parameter is divided for itself: elements that every rank has at least of those before it, and of all
    /// at the end.
    each: Option<Vec<usize>>,
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
    /// Parameters with so many elements each, for so many ranks; no rank counts as one. The row is cut into one stretch
    /// for each rank, all as long but the last ones: a parameter lies on few ranks.
    pub fn new(sizes: &[usize], ranks: usize) -> Self {
        Self { starts: sums(sizes.iter().copied()), each: None, ranks: ranks.max(1) }
    }

    /// The same, with each parameter cut among all ranks, into parts whose lengths differ by one element at most: to
    /// gather a parameter, every rank sends some of it. Where ranks do not divide a parameter, the elements that are
    /// left over go to those ranks whose turn it is, so that the lengths of shards differ by one at most, too.
    pub fn per_parameter(sizes: &[usize], ranks: usize) -> Self {
        let ranks = ranks.max(1);
        let each = Some(sums(sizes.iter().map(|size| size / ranks)));
        Self { starts: sums(sizes.iter().copied()), each, ranks }
    }

    /// Elements of all parameters.
    pub fn elements(&self) -> usize {
        self.starts[self.parameters()]
    }

    /// Number of parameters.
    fn parameters(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Elements of the longest shard, to which others may be padded.
    pub fn shard_len(&self) -> usize {
        self.elements().div_ceil(self.ranks)
    }

    /// Elements of padding of all shards that are shorter.
    pub fn padding(&self) -> usize {
        self.shard_len() * self.ranks - self.elements()
    }

    /// Elements that a rank owns, without padding; none where there are more ranks than elements.
    pub fn held(&self, rank: usize) -> usize {
        self.before(self.parameters(), rank)
    }

    /// The stretches of the whole row that a rank owns, in order, none of them empty: one at most where the row is
    /// divided as a whole, one of each parameter at most where these are.
    pub fn stretches(&self, rank: usize) -> Vec<Range<usize>> {
        if self.each.is_none() {
            return Some(self.stretch(rank)).filter(|stretch| !stretch.is_empty()).into_iter().collect();
        }
        let parts = (0..self.parameters()).map(|parameter| {
            let (start, part) = (self.starts[parameter], self.part(parameter, rank));
            start + part.start..start + part.end
        });
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// The elements of one parameter that a rank owns; empty, and within the parameter, where it owns none.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn part(&self, parameter: usize, rank: usize) -> Range<usize> {
        let all = self.starts[parameter]..self.starts[parameter + 1];
        let Some(each) = &self.each else {
            let own = self.stretch(rank);
            let within = |at: usize| at.clamp(all.start, all.end) - all.start;
            return within(own.start)..within(own.end);
        };
        let every = each[parameter + 1] - each[parameter];
        // The ranks that have one element more follow each other, from the one that is next on, and go round.
        let (first, more) = (all.start % self.ranks, all.len() - every * self.ranks);
        let start = |rank: usize| {
            let to_the_end = rank.min(first + more) - rank.min(first);
            let from_the_start = rank.min((first + more).saturating_sub(self.ranks));
            rank * every + to_the_end + from_the_start
        };
        start(rank)..start(rank + 1)
    }

    /// Where that part lies in the rank's shard.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn in_shard(&self, parameter: usize, rank: usize) -> Range<usize> {
        self.before(parameter, rank)..self.before(parameter + 1, rank)
    }

    /// Puts a rank's shard where it belongs in the whole row.
    ///
    /// # Panics
    /// When shard or row are shorter than they have to be.
    pub fn put<E: Clone>(&self, rank: usize, shard: &[E], row: &mut [E]) {
        let mut rest = shard;
        for stretch in self.stretches(rank) {
            let (part, others) = rest.split_at(stretch.len());
            row[stretch].clone_from_slice(part);
            rest = others;
        }
    }

    /// The parts of parameters in a rank's shard, in order.
    pub fn pieces(&self, rank: usize) -> Vec<Piece> {
        (0..self.parameters()).filter_map(|parameter| self.piece(parameter, rank)).collect()
    }

    /// The parts of one parameter, as (rank, piece): whom to ask for it.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn holders(&self, parameter: usize) -> Vec<(usize, Piece)> {
        let pieces = (0..self.ranks).map(|rank| self.piece(parameter, rank).map(|piece| (rank, piece)));
        pieces.flatten().collect()
    }

    fn piece(&self, parameter: usize, rank: usize) -> Option<Piece> {
        let elements = self.part(parameter, rank);
        (!elements.is_empty()).then(|| Piece { parameter, elements, at: self.before(parameter, rank) })
    }

    /// What a rank owns of the row where that is divided as a whole.
    fn stretch(&self, rank: usize) -> Range<usize> {
        let (len, all) = (self.shard_len(), self.elements());
        (rank * len).min(all)..((rank + 1) * len).min(all)
    }

    /// Elements that a rank owns of the parameters before one.
    fn before(&self, parameter: usize, rank: usize) -> usize {
        let end = self.starts[parameter];
        let Some(each) = &self.each else {
            let own = self.stretch(rank);
            return end.clamp(own.start, own.end) - own.start;
        };
        // What was left over of each has been dealt to one rank after the other.
        let dealt = end - each[parameter] * self.ranks;
        each[parameter] + dealt / self.ranks + usize::from(rank < dealt % self.ranks)
    }
}

/// The sum of those before each, and of all at the end.
fn sums(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sums = vec![0];
    let mut sum = 0;
    sums.extend(sizes.map(|size| {
        sum += size;
        sum
    }));
    sums
}
