//! Whether a model tells its users apart: where one list serves everybody, though the method learns of each user, nothing was learnt.

use recspeed_data::Interactions;
use recspeed_recommenders::Ranking;
use recspeed_types::spec::{Candidates, ResolvedSpec};

use crate::audience::Audience;
use crate::lacking::{instead_of_one_number, instead_of_zeros};
use crate::rank::Ranked;
use crate::run::Story;
use crate::runaway::what_else;
use crate::{Host, wordless};

/// Fewer users may have the same list by chance.
const FEW: usize = 30;
/// Lists of fewer places may be the same without their model knowing nobody.
const SHORT: usize = 5;
/// Lists that are looked at, evenly spread.
const LOOKED_AT: usize = 1000;

/// Warns of one list for everybody, less what each has already. Not of methods that rank alike for all by their nature, nor of users
/// who have nothing yet or items that nobody has, of which most methods know nothing; lists among drawn items differ anyway.
pub(crate) fn warn_of_one_list(
    (spec, data): (&ResolvedSpec, &Interactions),
    audience: &Audience,
    ranked: &Ranked,
    host: &mut dyn Host,
    story: &mut Story,
) {
    let asked = spec.evaluation.candidates;
    let in_full = ranked.in_full == audience.users.len() as u64;
    if !spec.recommender.ranks_by_user() || asked == Candidates::Cold || !in_full {
        return;
    }
    let known = |place: usize| audience.known.row(audience.users[place] as usize).0;
    let mut looked_at: Vec<usize> = (0..audience.users.len()).filter(|&place| !known(place).is_empty()).collect();
    let all = looked_at.len();
    if all < FEW {
        return;
    }
    let step = all.div_ceil(LOOKED_AT);
    looked_at = looked_at.into_iter().step_by(step).collect();
    let excluded = asked != Candidates::All;
    let lists: Vec<(&[u32], &[u32])> = looked_at
        .iter()
        .map(|&place| (ranked.ranking.list(place), if excluded { known(place) } else { &[][..] }))
        .collect();
    if lists.iter().any(|(list, _)| list.len() >= SHORT) && one_order(&lists) {
        let tied = looked_at.iter().all(|&place| is_one_tie(&ranked.ranking, place));
        let kind = spec.recommender.entry.kind;
        let less = if excluded { ", less what each has already" } else { "" };
        let what = if tied {
            format!(", and all its places tie: {kind} scores all items alike, so that the rule for ties made the list")
        } else {
            format!(": {kind} puts the items in one order for everybody, as popularity does without any training")
        };
        let whose = format!("all {} users whose lists were compared", looked_at.len());
        let remedy = wordless::remedy(spec).or_else(|| instead_of_one_number(spec, data));
        let remedy = remedy.or_else(|| instead_of_zeros(spec, data)).unwrap_or_else(|| what_else(spec));
        story.warn(host, format!("{whose} got one and the same list{less}{what}; {remedy}"));
    }
}

/// Whether every place of a list has the same score, and so has something behind it, unless the list holds all that there is.
fn is_one_tie(ranking: &Ranking, place: usize) -> bool {
    let length = ranking.list(place).len();
    let scores = &ranking.scores[place * ranking.k..][..length];
    (ranking.ties[place] || length < ranking.k) && scores.iter().all(|score| *score == scores[0])
}

/// Whether one order of the items explains every list: each has the first ones of it, less what its user may not have (ascending).
fn one_order(lists: &[(&[u32], &[u32])]) -> bool {
    let mut places = vec![0usize; lists.len()];
    loop {
        let head = |list: usize| lists[list].0.get(places[list]).copied();
        let Some(mut item) = (0..lists.len()).find_map(head) else { return true };
        // Who may have the item and has another one first puts that before it.
        let before = |item: u32| {
            let other =
                |list: usize| head(list).filter(|&own| own != item && lists[list].1.binary_search(&item).is_err());
            (0..lists.len()).find_map(other)
        };
        // In one order each that is found stands before the last one: more of them than there are lists go round in a circle.
        let mut tried = 0;
        while let Some(earlier) = before(item) {
            tried += 1;
            if tried > lists.len() {
                return false;
            }
            item = earlier;
        }
        let heads: Vec<usize> = (0..lists.len()).filter(|&list| head(list) == Some(item)).collect();
        for list in heads {
            places[list] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists of `places` items in this order, less what each may not have.
    fn cut<'a>(order: &[u32], places: usize, excluded: &'a [Vec<u32>]) -> Vec<(Vec<u32>, &'a [u32])> {
        let of = |own: &'a Vec<u32>| {
            let left = order.iter().copied().filter(|item| own.binary_search(item).is_err());
            (left.take(places).collect(), &own[..])
        };
        excluded.iter().map(of).collect()
    }

    fn one(lists: &[(Vec<u32>, &[u32])]) -> bool {
        one_order(&lists.iter().map(|(list, excluded)| (&list[..], *excluded)).collect::<Vec<_>>())
    }

    #[test]
    fn lists_cut_from_one_order_are_one_list_whatever_each_may_not_have() {
        let order = [7, 2, 9, 0, 4, 1, 8, 3, 6, 5];
        let excluded: Vec<Vec<u32>> = (0..40u32)
            .map(|user| (0..10u32).filter(|item| (item * 7 + user * 3).is_multiple_of(2 + user % 4)).collect())
            .collect();
        for places in 1..=10 {
            assert!(one(&cut(&order, places, &excluded)), "{places}");
        }
    }

    #[test]
    fn one_order_is_found_however_many_others_stand_before_the_first_item_of_a_list() {
        let order: Vec<u32> = (0..300).collect();
        let excluded: Vec<Vec<u32>> = (0..200).map(|user| (0..200 - user).collect()).collect();
        let mut lists = cut(&order, 10, &excluded);
        assert!(one(&lists));
        lists[0].0.swap(0, 1);
        assert!(!one(&lists), "two orders");
    }

    #[test]
    fn one_place_that_is_another_makes_them_two() {
        let excluded = vec![vec![], vec![2], vec![]];
        let mut lists = cut(&[3, 1, 2, 0], 3, &excluded);
        assert!(one(&lists));
        lists[2].0.swap(0, 1);
        assert!(!one(&lists), "two orders");
        let mut lists = cut(&[3, 1, 2, 0], 3, &excluded);
        lists[2].0[2] = 0;
        assert!(!one(&lists), "an item that it might have had was passed over");
    }
}
