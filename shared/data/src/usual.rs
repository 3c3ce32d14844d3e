//! Which rating is usual, and how far from it a rating says nothing about taste.

/// A rating so many times the usual one weighs as much as a million others where squares are added.
pub const FAR_RATING: f32 = 1e3;

/// So many ratings at most tell which one is usual: one of each of as many stretches of rows.
const LOOKED_AT: usize = 1 << 10;

/// The golden ratio in 64 bits: its multiples have no period that rows could have.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The size of the rating in the middle, so that no half of the ratings moves it; `None` without ratings.
///
/// # Shapes
/// - `ratings`: `[rows]`, all finite
pub fn usual_rating(ratings: &[f32]) -> Option<f32> {
    let length = ratings.len().div_ceil(LOOKED_AT).max(1);
    // Off the heap: a fit that asks holds no more than it was foretold to.
    let mut sizes = [0.0; LOOKED_AT];
    let mut seen = 0;
    for ((size, stretch), number) in sizes.iter_mut().zip(ratings.chunks(length)).zip(0u64..) {
        // Not at the same place of each: where everybody has as many rows, that may be one item of all.
        let place = (number.wrapping_mul(GOLDEN) >> 32) as usize % stretch.len();
        *size = stretch[place].abs();
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

    #[test]
    fn a_period_of_the_rows_does_not_decide_which_rating_is_usual() {
        // Everybody rates five items, the first two of them absurdly; a stretch is as long as some periods.
        for periods in [1, 2, 41, 200] {
            let rows = LOOKED_AT * 5 * periods;
            let ratings: Vec<f32> = (0..rows).map(|row| if row % 5 < 2 { 1e38 } else { 3.0 }).collect();
            assert_eq!(usual_rating(&ratings), Some(3.0), "{rows} rows");
        }
    }
}
