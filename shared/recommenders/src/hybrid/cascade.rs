//! Cascade: the second component refines the order of the first.

use std::cmp::Ordering;
use std::sync::Arc;

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::components::{Components, Reader};
use super::composed::Composed;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::{FitError, Parts, PartsError, Reason};

pub(super) const METHOD: Method = Method {
    kind: "cascade",
    fit: |request, observer| Ok(Box::new(Cascade::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(Cascade::restore(request, parts)?)),
};

/// What the second component puts in order anew.
#[derive(Debug, Clone, Copy)]
enum Refine {
    /// The first one's best items that the reader does not have, and whatever ties with the last of them.
    Top(usize),
    /// Items on the same of so many levels of equal width between the first one's lowest and highest score.
    Levels(usize),
}

/// The order of the first component's classes; inside a class that of the second component, and among its equals that of the
/// first. With `top`, refined items score `h + d · place from below`, with `h` the first one's highest score, and all others
/// keep the first one's score; with `levels` a score is `1 / (1 + p)` for an item after `p` better ones.
struct Cascade {
    components: Components,
    by_user: Arc<Csr>,
    refine: Refine,
}

const FIRST: usize = 0;
const SECOND: usize = 1;

impl Cascade {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let components = Components::fit(request, observer)?;
        let by_user = Arc::clone(&request.data.by_user);
        Ok(Self { components, by_user, refine: refine(request.recommender) })
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        let recommender = request.recommender;
        let components = Components::take_from(request, &mut parts)?;
        let by_user = Arc::new(parts.take_csr("ratings", components.n_items())?);
        expect_len("ratings.indptr", by_user.n_rows(), components.n_users())?;
        Ok(Self { components, by_user, refine: refine(recommender) })
    }

    /// Scores, and the items whose place the second component decided.
    fn refined(&self, reader: Reader<'_>, scores: &mut [f32]) -> Vec<u32> {
        let mut fine = vec![0.0; scores.len()];
        self.components.score(FIRST, reader, scores);
        self.components.score(SECOND, reader, &mut fine);
        match self.refine {
            Refine::Top(most) => {
                let mut refined = best(scores, &reader.own(&self.by_user), most);
                refined.sort_unstable_by(|&a, &b| {
                    falling_in(&fine, a, b).then_with(|| falling_in(scores, a, b)).then(a.cmp(&b))
                });
                let highest = scores.iter().copied().fold(f32::MIN, f32::max);
                let step = highest.abs().max(1.0) / 1024.0;
                let coarse: Vec<f32> = refined.iter().map(|&item| scores[item as usize]).collect();
                let mut place = refined.len();
                for (index, &item) in refined.iter().enumerate() {
                    // Equal in both is equal: the tie rule decides.
                    let equal = index > 0
                        && coarse[index] == coarse[index - 1]
                        && fine[item as usize] == fine[refined[index - 1] as usize];
                    place = if equal { place } else { refined.len() - index };
                    scores[item as usize] = highest + step * place as f32;
                }
                refined
            }
            Refine::Levels(levels) => {
                let ends = scores.iter().fold((f32::MAX, f32::MIN), |(l, h), &score| (l.min(score), h.max(score)));
                let (low, width) = (f64::from(ends.0), f64::from(ends.1) - f64::from(ends.0));
                let level = |score: f32| {
                    let share = if width > 0.0 { (f64::from(score) - low) / width } else { 0.0 };
                    ((share * levels as f64) as usize).min(levels - 1)
                };
                // Levels from above, then both scores falling, as numbers that compare fast.
                let keys = scores.iter().zip(&fine).zip(0u32..).map(|((&score, &fine), item)| {
                    let level = (levels - 1 - level(score)) as u64;
                    ((level << 32) | u64::from(falling(fine)), falling(score), item)
                });
                let mut keys: Vec<(u64, u32, u32)> = keys.collect();
                keys.sort_unstable();
                let mut places = vec![0; scores.len()];
                for index in 1..keys.len() {
                    let (before, key) = (keys[index - 1], keys[index]);
                    let equal = (before.0, before.1) == (key.0, key.1);
                    places[key.2 as usize] = if equal { places[before.2 as usize] } else { index };
                }
                scores.iter_mut().zip(&places).for_each(|(score, &place)| *score = 1.0 / (1.0 + place as f32));
                (0..scores.len() as u32).collect()
            }
        }
    }
}

/// The order of two items by falling score; 0 and −0 are one score, as what adds nothing may be either.
fn falling_in(scores: &[f32], a: u32, b: u32) -> Ordering {
    (scores[b as usize] + 0.0).total_cmp(&(scores[a as usize] + 0.0))
}

/// A number that is the larger the lower the score is; 0 and −0 are one score.
fn falling(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 { !(bits | 1 << 31) } else { bits }
}

fn refine(recommender: &ResolvedRecommender) -> Refine {
    match recommender.text("refine") {
        "levels" => Refine::Levels(recommender.integer("levels") as usize),
        _ => Refine::Top(recommender.integer("top") as usize),
    }
}

/// The items, besides the reader's own, that are among the best `most` or tie with the last of them.
fn best(scores: &[f32], own: &[u32], most: usize) -> Vec<u32> {
    let mut items: Vec<u32> = (0..scores.len() as u32).filter(|item| own.binary_search(item).is_err()).collect();
    if most < items.len() {
        let mut sorted: Vec<f32> = items.iter().map(|&item| scores[item as usize]).collect();
        let (_, last, _) = sorted.select_nth_unstable_by(most - 1, |a, b| b.total_cmp(a));
        let last = *last;
        items.retain(|&item| scores[item as usize] >= last);
    }
    items
}

impl Composed for Cascade {
    fn components(&self) -> &Components {
        &self.components
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.components
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        self.refined(reader, scores);
    }

    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let mut scores = vec![0.0; self.components.n_items()];
        let refined = self.refined(reader, &mut scores);
        let decided = if refined.contains(&item) { SECOND } else { FIRST };
        let reason = || self.components.reason(decided, reader, item, scores[item as usize]);
        std::iter::once_with(reason).take(n).collect()
    }

    /// What the reader has takes up no place either.
    fn keep(&mut self, interactions: &Interactions, known: &[u32]) {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
    }

    fn own_bytes(&self) -> (usize, usize) {
        (0, size_of_val(&self.by_user.indptr[..]) + 8 * self.by_user.nnz())
    }

    /// `ratings`: users × items.
    fn own_parts(&self) -> Parts {
        Parts::default().with_csr("ratings", &self.by_user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_scores_have_larger_keys() {
        let scores = [f32::MAX, 7.5, 1.0, f32::MIN_POSITIVE, 0.0, -f32::MIN_POSITIVE, -1.0, -7.5, f32::MIN];
        assert!(scores.windows(2).all(|pair| falling(pair[0]) < falling(pair[1])));
        assert_eq!(falling(0.0), falling(-0.0));
    }

    #[test]
    fn nothing_is_a_tie_with_minus_nothing_in_the_order_of_the_refined_too() {
        let scores = [-0.0, 0.0, 1.0, -1.0];
        assert_eq!(falling_in(&scores, 0, 1), Ordering::Equal);
        assert_eq!((falling_in(&scores, 2, 0), falling_in(&scores, 3, 1)), (Ordering::Less, Ordering::Greater));
    }
}
