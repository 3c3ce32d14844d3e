//! Finding the few scores that matter in a long line.

use super::top::Best;

/// Scores that are compared with the threshold before any of them is looked at alone.
const STRIDE: usize = 32;

/// Calls `offer(best, index, score)` for every score that is not below what `best` holds: also for NaN, so that it is
/// found. Inlined into a caller that chose the instruction set; `offer` runs for few of the scores.
#[inline(always)]
pub(super) fn scan<E>(
    best: &mut Best,
    scores: &[f32],
    mut offer: impl FnMut(&mut Best, usize, f32) -> Result<(), E>,
) -> Result<(), E> {
    let (strides, rest) = scores.as_chunks::<STRIDE>();
    for (at, stride) in strides.iter().enumerate() {
        let threshold = best.threshold();
        let mut reached = false;
        for &score in stride {
            reached |= reaches(score, threshold);
        }
        if reached {
            for (index, &score) in stride.iter().enumerate() {
                if reaches(score, best.threshold()) {
                    offer(best, at * STRIDE + index, score)?;
                }
            }
        }
    }
    for (index, &score) in rest.iter().enumerate() {
        if reaches(score, best.threshold()) {
            offer(best, strides.len() * STRIDE + index, score)?;
        }
    }
    Ok(())
}

#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN must count as reaching")]
fn reaches(score: f32, threshold: f32) -> bool {
    !(score < threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_scan_offers_whatever_could_change_the_best(scores in prop::collection::vec(-50i8..50, 0..150), k in 1..9usize) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let (mut scanned, mut plain) = (Best::new(k), Best::new(k));
            scan(&mut scanned, &scores, |best, index, score| {
                assert!(best.offer(score, index as u32, index as u32));
                Ok::<(), ()>(())
            }).unwrap();
            for (index, &score) in scores.iter().enumerate() {
                plain.offer(score, index as u32, index as u32);
            }
            let (mut a, mut b) = ((vec![0; k], vec![0.0; k]), (vec![0; k], vec![0.0; k]));
            prop_assert_eq!(scanned.write(&mut a.0, &mut a.1), plain.write(&mut b.0, &mut b.1));
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn not_a_number_is_offered_wherever_it_hides() {
        for place in [0, 31, 32, 40] {
            let mut scores = [1.0f32; 41];
            scores[place] = f32::NAN;
            let found = scan(
                &mut Best::new(1),
                &scores,
                |best, index, score| {
                    if best.offer(score, 0, 0) { Ok(()) } else { Err(index) }
                },
            );
            assert_eq!(found, Err(place));
        }
    }
}
