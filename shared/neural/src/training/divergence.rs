//! When a weight that is still a finite number says that a training has run away.

/// Inputs and answers of networks lie in [0, 1] and looked-up vectors are short: a weight beyond this answers for every other one,
/// and says so where the loss cannot, because what it is of is bounded.
const RUNAWAY_WEIGHT: f32 = 1e4;

/// Whether a weight is no finite number, or beyond all use.
pub(super) fn has_run_away(weight: f32) -> bool {
    !weight.is_finite() || weight.abs() > RUNAWAY_WEIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_run_away_before_they_overflow() {
        assert!(has_run_away(f32::NAN) && has_run_away(-2e4) && !has_run_away(-300.0));
    }
}
