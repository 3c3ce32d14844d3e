//! Ratings made from a seed, in the image of Amazon Beauty.
//!
//! Behind them stands a latent model. Items lie in clusters (a category, a type of product) and carry a brand, a taste
//! vector and a quality; the first items of a cluster are its best sellers. Users like a few clusters, mostly related
//! ones, stay with one for a while, prefer items near their own taste vector and differ in generosity. Who buys what
//! depends on the tastes; stars are the ranks of affinity + quality + generosity + noise, cut at the real shares.
//! Attributes name the cluster and the brand, with mistakes. So popularity finds something, neighbours and factors find
//! more, and attributes help where ratings are few.
//!
//! Only integer arithmetic and the basic operations of IEEE 754 are used, in a fixed order: one seed gives the same bits
//! on every machine and in the browser.

mod attributes;
mod ids;
mod people;
mod stars;
#[cfg(test)]
mod tests;
mod world;

use recspeed_types::builtin::BuiltinDataset;

use crate::attributes::Attributes;
use crate::dictionary::Dictionary;
use crate::interactions::Interactions;
use crate::random::{Stream, generator};
use people::Events;
use world::World;

/// Made-up ratings with attributes of their items.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The ratings, oldest first.
    pub interactions: Interactions,
    /// `category`, `type` and `brand` (tokens), `title` (token sequence) and `price` of every item; row `i` belongs to
    /// item index `i`.
    pub item_attributes: Attributes,
}

/// Makes a built-in data set: exactly its rows, users and items, each user and item at least once and no pair twice,
/// stars in [`recspeed_types::builtin::BEAUTY_STAR_SHARES`], days from 1998 to 2014.
pub fn generate(entry: &'static BuiltinDataset, seed: u64) -> Generated {
    let (rows, users, items) = (entry.rows as usize, entry.users as usize, entry.items as usize);
    let mut world_rng = generator(seed, Stream::World);
    let mut world = World::new(items, &mut world_rng);
    let events: Events = people::events(&mut world, rows, users, items, &mut generator(seed, Stream::Users));
    let rating = stars::of(&events, &world, &mut generator(seed, Stream::Ratings));
    let order = events.order_by_day();

    let (user_dictionary, user) = renumber(&order, &events.user, users, |user| ids::user(user, seed));
    let (item_dictionary, item) = renumber(&order, &events.item, items, |item| ids::item(item, seed));
    let mut original = vec![0; items];
    for (&row, &index) in order.iter().zip(&item) {
        original[index as usize] = events.item[row as usize];
    }
    let item_attributes = attributes::of(&world, &original, item_dictionary.clone(), &mut world_rng);
    let interactions = Interactions {
        users: user_dictionary,
        items: item_dictionary,
        user,
        item,
        rating: order.iter().map(|&row| rating[row as usize]).collect(),
        timestamp: order.iter().map(|&row| events.timestamp(row)).collect(),
        fraction: Vec::new(),
        has_ratings: true,
        has_timestamps: true,
    };
    Generated { interactions, item_attributes }
}

/// The column in file order, renumbered by first appearance, with its ids.
fn renumber<const N: usize>(
    order: &[u32],
    column: &[u32],
    count: usize,
    id: impl Fn(u32) -> [u8; N],
) -> (Dictionary, Vec<u32>) {
    let mut new_index = vec![u32::MAX; count];
    let (mut bytes, mut ends) = (Vec::with_capacity(count * N), Vec::with_capacity(count));
    let column = order
        .iter()
        .map(|&row| {
            let old = column[row as usize];
            let new = &mut new_index[old as usize];
            if *new == u32::MAX {
                *new = ends.len() as u32;
                bytes.extend_from_slice(&id(old));
                ends.push(bytes.len() as u32);
            }
            *new
        })
        .collect();
    (Dictionary::from_arena(bytes, ends).expect("made-up ids are ASCII of one length"), column)
}
