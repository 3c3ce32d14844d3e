//! Which rating is usual, and how far from it a rating says nothing about taste.

/// A rating so many times the usual one weighs as much as a million others where squares are added.
pub const FAR_RATING: f32 = 1e3;

/// So many ratings at most, evenly spread, tell which one is usual.
const LOOKED_AT: usize = 1 << 10;

/// The size of the rating in the middle, so that no half of the ratings moves it; `None` without ratings.
///
/// # Shapes
/// - `ratings`: `[rows]`, all finite
pub fn usual_rating(ratings: &[f32]) -> Option<f32> {
    let step = ratings.len().div_ceil(LOOKED_AT).max(1);
    // Off the heap: a fit that asks holds no more than it was foretold to.
    let mut sizes = [0.0; LOOKED_AT];
    let mut seen = 0;
    for (size, rating) in sizes.iter_mut().zip(ratings.iter().step_by(step)) {
        *size = rating.abs();
        seen += 1;
    }
    if seen == 0 {
        return None;
    }
    Some(*sizes[..seen].select_nth_unstable_by(seen / 2, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_few_ratings_move_what_is_usual_however_large_they_are() {
        assert_eq!(usual_rating(&[1.0, 3.0, 1e30, 5.0, 4.0, -1e38, 2.0]), Some(4.0));
        let most: Vec<f32> = (0..200_000).map(|row| if row % 5 < 2 { 1e38 } else { 3.0 }).collect();
        assert_eq!(usual_rating(&most), Some(3.0));
        assert_eq!(usual_rating(&[-2.0]), Some(2.0));
        assert_eq!(usual_rating(&[]), None);
    }
}
