//! Sequences of different lengths as one grid without padding between them.
//!
//! Beauty's training sequences have 5.9 items to learn from on average where the longest has 50: padded to 50 slots,
//! eight of nine slots would be computed for nothing. Several sequences therefore share a row, one after another, and
//! attention is kept inside each by its mask. What does not look at other slots (projections, norms, the loss) then costs
//! what the items cost; only the attention matrix of a row is larger than the sequences' own.

use super::attention::Rows;

/// No item: a slot that no sequence uses.
pub(crate) const EMPTY: u32 = u32::MAX;

/// A sequence that learns: what the network reads, and what it is asked after each item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    /// Items, oldest first.
    pub(crate) inputs: &'a [u32],
    /// The item to predict at each place, or [`EMPTY`] for none; as long as `inputs`, or empty for no questions at all.
    pub(crate) targets: &'a [u32],
}

/// Slots of the rows into which sequences are packed at most, of each of which so many items count: no row is less than half full beside
/// another one, and no sequence takes two.
pub(crate) fn most_slots(lengths: &[usize], length: usize) -> usize {
    let items: usize = lengths.iter().map(|&own| own.min(length)).sum();
    (2 * items + length).min(lengths.len() * length)
}

/// Sequences in the rows of a grid.
///
/// # Shapes
/// - `items`, `ages`, `owners`, `targets`: `[rows × width]`, row by row
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    /// Slots of a row.
    pub(crate) width: usize,
    /// Item in each slot, or [`EMPTY`].
    pub(crate) items: Vec<u32>,
    /// How many items of the sequence come after this one: the newest has 0.
    pub(crate) ages: Vec<u32>,
    /// Number of the sequence that the slot belongs to, or [`EMPTY`].
    pub(crate) owners: Vec<u32>,
    /// Item that the slot should predict, or [`EMPTY`].
    pub(crate) targets: Vec<u32>,
    /// Slot of each sequence's newest item; `[sequences]`.
    pub(crate) last: Vec<u32>,
}

impl Grid {
    /// Packs the sequences: the longest first, each into the first row that has room (first-fit decreasing, at most 11/9
    /// of the fewest rows possible). Rows are as wide as the longest sequence needs. Sequences must not be empty.
    pub(crate) fn pack(sequences: &[Lines<'_>], Rows { align, multiple }: Rows) -> Self {
        let longest = sequences.iter().map(|lines| lines.inputs.len()).max().unwrap_or(1);
        let room = |index: usize| sequences[index].inputs.len().next_multiple_of(align);
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(room(index)));
        let width = longest.next_multiple_of(multiple);
        let mut free: Vec<usize> = Vec::new();
        let starts: Vec<(usize, usize)> = order
            .into_iter()
            .map(|index| {
                let row = free.iter().position(|&left| left >= room(index)).unwrap_or_else(|| {
                    free.push(width);
                    free.len() - 1
                });
                let start = row * width + width - free[row];
                free[row] -= room(index);
                (index, start)
            })
            .collect();
        let slots = free.len() * width;
        let mut grid = Self {
            rows: free.len(),
            width,
            items: vec![EMPTY; slots],
            ages: vec![0; slots],
            owners: vec![EMPTY; slots],
            targets: vec![EMPTY; slots],
            last: vec![0; sequences.len()],
        };
        for (index, start) in starts {
            let Lines { inputs, targets } = sequences[index];
            let length = inputs.len();
            grid.items[start..start + length].copy_from_slice(inputs);
            grid.targets[start..start + targets.len()].copy_from_slice(targets);
            grid.owners[start..start + length].fill(index as u32);
            for (place, age) in grid.ages[start..start + length].iter_mut().enumerate() {
                *age = (length - 1 - place) as u32;
            }
            grid.last[index] = (start + length - 1) as u32;
        }
        grid
    }

    /// Slots in all.
    pub(crate) fn slots(&self) -> usize {
        self.items.len()
    }

    /// The slot of each sequence's oldest item; `[sequences]`.
    pub(crate) fn firsts(&self) -> Vec<usize> {
        let mut firsts: Vec<usize> = self.last.iter().map(|&last| last as usize).collect();
        for (slot, &owner) in self.owners.iter().enumerate().filter(|(_, owner)| **owner != EMPTY) {
            firsts[owner as usize] = firsts[owner as usize].min(slot);
        }
        firsts
    }

    /// The item that each slot reads. An unused one reads the first slot's item: nobody looks at it.
    pub(crate) fn look_ups(&self) -> Vec<u32> {
        let any = self.items.iter().copied().find(|&item| item != EMPTY).unwrap_or(0);
        self.items.iter().map(|&item| if item == EMPTY { any } else { item }).collect()
    }

    /// Slots that predict something, ascending, and what.
    pub(crate) fn questions(&self) -> (Vec<u32>, Vec<u32>) {
        let asked = self.targets.iter().enumerate().filter(|(_, target)| **target != EMPTY);
        asked.map(|(slot, &target)| (slot as u32, target)).unzip()
    }

    /// The number of the sequence that each of these slots belongs to.
    pub(crate) fn askers(&self, slots: &[u32]) -> Vec<u32> {
        slots.iter().map(|&slot| self.owners[slot as usize]).collect()
    }

    /// Whether the slot `query` may look at the slot `key` of the same row: both belong to one sequence, and `key` is not
    /// newer where the network must not see the future.
    pub(crate) fn sees(&self, query: usize, key: usize, causal: bool) -> bool {
        self.owners[query] != EMPTY && self.owners[query] == self.owners[key] && (!causal || key <= query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sequence_lies_in_one_row_whole_and_no_slot_is_used_twice(
            lengths in prop::collection::vec(1usize..30, 1..40), align in 1usize..9,
        ) {
            let sequences: Vec<Vec<u32>> = lengths.iter().enumerate()
                .map(|(index, &length)| (0..length as u32).map(|place| index as u32 * 100 + place).collect()).collect();
            let lines: Vec<Lines> = sequences.iter().map(|items| Lines { inputs: items, targets: items }).collect();
            let grid = Grid::pack(&lines, Rows { align, multiple: align });
            prop_assert_eq!(grid.slots(), grid.rows * grid.width);
            prop_assert!(grid.width.is_multiple_of(align));
            let used = grid.items.iter().filter(|&&item| item != EMPTY).count();
            prop_assert_eq!(used, lengths.iter().sum::<usize>());
            prop_assert!(align > 1 || grid.slots() <= most_slots(&lengths, 30));
            for (index, items) in sequences.iter().enumerate() {
                let last = grid.last[index] as usize;
                let first = last + 1 - items.len();
                prop_assert_eq!(&grid.items[first..=last], &items[..]);
                prop_assert_eq!(&grid.targets[first..=last], &items[..]);
                prop_assert_eq!(first / grid.width, last / grid.width);
                prop_assert!((first % grid.width).is_multiple_of(align));
                for slot in first..=last {
                    prop_assert_eq!(grid.ages[slot] as usize, last - slot);
                    for other in slot / grid.width * grid.width..(slot / grid.width + 1) * grid.width {
                        let own = (first..=last).contains(&other);
                        prop_assert_eq!(grid.sees(slot, other, false), own);
                        prop_assert_eq!(grid.sees(slot, other, true), own && other <= slot);
                    }
                }
            }
        }
    }

    #[test]
    fn short_sequences_fill_the_rows_of_long_ones() {
        let items: Vec<u32> = (0..50).collect();
        let of = |length: usize| Lines { inputs: &items[..length], targets: &[] };
        let grid = Grid::pack(&[of(10), of(50), of(30), of(40), of(20), of(49)], Rows::TIGHT);
        // 50 | 49 | 40 + 10 | 30 + 20
        assert_eq!((grid.rows, grid.width), (4, 50));
        assert!(grid.questions().0.is_empty());
    }
}
