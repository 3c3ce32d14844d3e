//! Stars: what somebody thinks, cut at the shares of the real file.

use rand::Rng;
use recspeed_types::builtin::BEAUTY_STAR_SHARES;

use super::people::Events;
use super::world::{World, dot};
use crate::random::bell;

/// Stars of every row, 1 to 5: the ranks of generosity + quality + affinity + noise.
pub(super) fn of(events: &Events, world: &World, rng: &mut impl Rng) -> Vec<f32> {
    let generosity: Vec<f32> = events.taste.iter().map(|_| bell(rng)).collect();
    let opinion: Vec<f32> = events
        .user
        .iter()
        .zip(&events.item)
        .map(|(&user, &item)| {
            let (user, item) = (user as usize, item as usize);
            let affinity = dot(&events.taste[user], &world.item_taste[item]);
            0.5 * generosity[user] + 0.7 * world.item_quality[item] + 0.15 * affinity + 0.8 * bell(rng)
        })
        .collect();
    let mut sorted = opinion.clone();
    let mut rest = &mut sorted[..];
    let mut share = 0.0;
    let mut done = 0;
    let mut cuts = [f32::INFINITY; 4];
    for (cut, star_share) in cuts.iter_mut().zip(BEAUTY_STAR_SHARES) {
        share += star_share;
        let target = (share * opinion.len() as f64) as usize;
        let (_, &mut at, above) = rest.select_nth_unstable_by(target - done, f32::total_cmp);
        *cut = at;
        rest = above;
        done = target + 1;
    }
    opinion.into_iter().map(|value| 1.0 + cuts.iter().filter(|&&cut| value >= cut).count() as f32).collect()
}
