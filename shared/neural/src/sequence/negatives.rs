//! Items that are drawn to stand for all those that somebody does not have.
//!
//! Where each drawn item is learnt as a wrong answer by itself (binary cross-entropy, BPR), nobody gets one of their own items as one:
//! neither the wanted one nor those before and after it, of which the very next question may ask. The public SASRec and Caser draw so.
//! Where all questions of a group are one person's, own items are drawn again; where several share a draw, an own item is left out for
//! its owner and stands for the others (`spare_own`). A sampled softmax stands for that over all items, own ones too: only the wanted one is left out.

use std::ops::Range;

use rand::Rng;
use recspeed_types::spec::Loss;

use super::draws::below;

/// Draws of one place before an own item is left where it is: somebody may have every item.
const TRIES: usize = 50;

/// Which drawn items are no wrong answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spared {
    /// The wanted one.
    Wanted,
    /// Every item that the asker has.
    Own,
}

impl Spared {
    /// What the loss means by a drawn item, where `spare_own` does not say that own items are drawn as all others.
    pub(crate) fn by(loss: Loss, spare_own: bool) -> Self {
        if spare_own && matches!(loss, Loss::Bce | Loss::Bpr) { Self::Own } else { Self::Wanted }
    }
}

/// Who asks what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The wanted item of each question.
    pub(super) targets: &'a [u32],
    /// The sequence of each question.
    pub(super) askers: &'a [u32],
    /// The whole sequences, their items in any order.
    pub(super) sequences: &'a [&'a [u32]],
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Negatives {
    /// `[groups × count]`
    pub(super) items: Vec<u32>,
    /// Whether the item at a place of the question's group is no wrong answer to it: `[questions × count]`.
    pub(super) spared: Vec<bool>,
}

/// Draws `count` of `n_items` items for each group of `size` questions that follow each other.
pub(super) fn draw(
    asked: Asked<'_>,
    (size, spared): (usize, Spared),
    (count, n_items): (usize, u32),
    rng: &mut impl Rng,
) -> Negatives {
    match spared {
        Spared::Wanted => all_but_wanted(asked.targets, size, (count, n_items), rng),
        Spared::Own => all_but_own(asked, size, (count, n_items), rng),
    }
}

fn all_but_wanted(targets: &[u32], size: usize, (count, n_items): (usize, u32), rng: &mut impl Rng) -> Negatives {
    let items: Vec<u32> = (0..targets.len().div_ceil(size) * count).map(|_| below(rng, n_items)).collect();
    let mut spared = Vec::with_capacity(targets.len() * count);
    for (group, drawn) in targets.chunks(size).zip(items.chunks(count)) {
        spared.extend(group.iter().flat_map(|target| drawn.iter().map(move |item| item == target)));
    }
    Negatives { items, spared }
}

fn all_but_own(asked: Asked<'_>, size: usize, (count, n_items): (usize, u32), rng: &mut impl Rng) -> Negatives {
    let Asked { askers, sequences, .. } = asked;
    let sorted = |items: &&[u32]| {
        let mut items = items.to_vec();
        items.sort_unstable();
        items
    };
    let theirs: Vec<Vec<u32>> = sequences.iter().map(sorted).collect();
    let has = |asker: u32, item: u32| theirs[asker as usize].binary_search(&item).is_ok();
    let mut items = Vec::with_capacity(askers.len().div_ceil(size) * count);
    let mut spared = Vec::with_capacity(askers.len() * count);
    for group in askers.chunks(size) {
        let from = items.len();
        let alone = group.iter().all(|asker| *asker == group[0]);
        for _ in 0..count {
            let mut item = below(rng, n_items);
            for _ in 1..TRIES {
                if !alone || !has(group[0], item) {
                    break;
                }
                item = below(rng, n_items);
            }
            items.push(item);
        }
        // Questions of one person follow each other: what holds of the last one holds of the next.
        let mut last: Option<(u32, Range<usize>)> = None;
        for &asker in group {
            match &last {
                Some((same, places)) if *same == asker => spared.extend_from_within(places.clone()),
                _ => spared.extend(items[from..].iter().map(|&item| has(asker, item))),
            }
            last = Some((asker, spared.len() - count..spared.len()));
        }
    }
    Negatives { items, spared }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::draws::{Purpose, generator};
    use proptest::prelude::*;

    fn drawn(asked: Asked<'_>, size: usize, count: usize, n_items: u32) -> Negatives {
        draw(asked, (size, Spared::Own), (count, n_items), &mut generator(3, Purpose::Negatives, 0))
    }

    #[test]
    fn nobody_gets_an_own_item_as_a_wrong_answer() {
        let sequences: [&[u32]; 2] = [&[4, 0, 7], &[1, 2, 3, 5, 6, 8]];
        let askers = [0, 0, 1, 1, 1, 1, 1];
        let asked = Asked { targets: &[4, 0, 1, 2, 3, 5, 6], askers: &askers, sequences: &sequences };
        // A draw for each question, as in the papers: none of them is an own item.
        let alone = drawn(asked, 1, 40, 10);
        assert!(alone.spared.iter().all(|spared| !spared));
        for (question, items) in alone.items.chunks(40).enumerate() {
            let own = sequences[askers[question] as usize];
            assert!(items.iter().all(|item| !own.contains(item)), "{question}: {items:?}");
            // What is left is drawn, all of it.
            assert!((0..10).all(|item| own.contains(&item) || items.contains(&item)), "{question}: {items:?}");
        }
        // One draw for both: what one has is left out for that one alone.
        let shared = drawn(asked, 7, 40, 10);
        assert_eq!(shared.items.len(), 40);
        assert!(sequences.iter().all(|own| shared.items.iter().any(|item| own.contains(item))));
    }

    #[test]
    fn a_softmax_spares_the_wanted_item_alone() {
        let asked = Asked { targets: &[2, 3, 1], askers: &[0, 0, 1], sequences: &[&[1, 2, 3], &[0, 1]] };
        let rng = &mut generator(3, Purpose::Negatives, 0);
        let Negatives { items, spared } = draw(asked, (2, Spared::by(Loss::SampledSoftmax, true)), (30, 5), rng);
        for (question, spared) in spared.chunks(30).enumerate() {
            for (item, spared) in items[question / 2 * 30..].iter().zip(spared) {
                assert_eq!(*item == asked.targets[question], *spared);
            }
        }
        for loss in [Loss::Bce, Loss::Bpr] {
            assert_eq!((Spared::by(loss, true), Spared::by(loss, false)), (Spared::Own, Spared::Wanted));
        }
    }

    #[test]
    fn somebody_who_has_everything_ends_the_drawing() {
        let asked = Asked { targets: &[1], askers: &[0], sequences: &[&[0, 1, 2]] };
        let Negatives { items, spared } = drawn(asked, 1, 5, 3);
        assert!(items.iter().all(|&item| item < 3) && spared == [true; 5]);
    }

    proptest! {
        #[test]
        fn own_items_are_marked_wherever_they_were_drawn(
            lengths in prop::collection::vec(1u32..9, 1..6), size in 1usize..8, count in 1usize..6,
        ) {
            let whole: Vec<Vec<u32>> = lengths.iter().enumerate()
                .map(|(index, &length)| (0..length).map(|at| (at * 7 + index as u32 * 3) % 20).collect()).collect();
            let sequences: Vec<&[u32]> = whole.iter().map(Vec::as_slice).collect();
            let askers: Vec<u32> = (0..lengths.len() as u32).flat_map(|index| vec![index; lengths[index as usize] as usize]).collect();
            let asked = Asked { targets: &askers, askers: &askers, sequences: &sequences };
            let found = drawn(asked, size, count, 20);
            prop_assert_eq!(found.items.len(), askers.len().div_ceil(size) * count);
            prop_assert_eq!(found.spared.len(), askers.len() * count);
            for (question, &asker) in askers.iter().enumerate() {
                for place in 0..count {
                    let item = found.items[question / size * count + place];
                    prop_assert_eq!(found.spared[question * count + place], whole[asker as usize].contains(&item));
                }
            }
        }
    }
}
