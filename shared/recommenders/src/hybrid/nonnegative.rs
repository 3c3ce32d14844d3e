//! Least squares in which no weight may be negative.

/// The `w ≥ 0` with the least `‖A·w − y‖²`, from `gram = AᵀA` (`[n, n]`) and `target = Aᵀy` (`[n]`).
///
/// The best weights are the unconstrained solution over their own support, so the best of all supports is the exact answer;
/// a hybrid has few components, and so there are few supports. A support whose columns depend on each other is left to
/// its parts. All 0 where no column speaks for `y`.
pub(super) fn least_squares(gram: &[f64], target: &[f64]) -> Vec<f64> {
    let n = target.len();
    // Columns of length 1: what depends on each other does so in any unit. A column of zeros says nothing.
    let lengths: Vec<f64> = (0..n).map(|at| gram[at * n + at].max(0.0).sqrt()).collect();
    let per = |value: f64, length: f64| if length > 0.0 { value / length } else { 0.0 };
    let gram: Vec<f64> = (0..n * n).map(|at| per(per(gram[at], lengths[at / n]), lengths[at % n])).collect();
    let target: Vec<f64> = (0..n).map(|at| per(target[at], lengths[at])).collect();
    let best = over_supports(&gram, &target);
    best.iter().zip(&lengths).map(|(&weight, &length)| per(weight, length)).collect()
}

fn over_supports(gram: &[f64], target: &[f64]) -> Vec<f64> {
    let n = target.len();
    let mut best = (0.0, vec![0.0; n]);
    for support in 1u32..1 << n {
        let chosen: Vec<usize> = (0..n).filter(|at| support >> at & 1 == 1).collect();
        let Some(solved) = solve(gram, target, &chosen) else { continue };
        if solved.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            continue;
        }
        // At a solution wᵀGw = wᵀr, so the squared error differs from ‖y‖² by −wᵀr.
        let gain: f64 = chosen.iter().zip(&solved).map(|(&at, weight)| weight * target[at]).sum();
        if gain > best.0 {
            let mut weights = vec![0.0; n];
            chosen.iter().zip(&solved).for_each(|(&at, &weight)| weights[at] = weight);
            best = (gain, weights);
        }
    }
    best.1
}

/// The solution over some columns by elimination with pivots; `None` where they depend on each other.
fn solve(gram: &[f64], target: &[f64], chosen: &[usize]) -> Option<Vec<f64>> {
    let (n, k) = (target.len(), chosen.len());
    let mut rows: Vec<Vec<f64>> =
        chosen.iter().map(|&i| chosen.iter().map(|&j| gram[i * n + j]).chain([target[i]]).collect()).collect();
    let largest = chosen.iter().map(|&i| gram[i * n + i]).fold(0.0, f64::max);
    for column in 0..k {
        let pivot = (column..k).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column].abs() <= 1e-10 * largest {
            return None;
        }
        rows.swap(column, pivot);
        let (above, below) = rows.split_at_mut(column + 1);
        for row in below {
            let factor = row[column] / above[column][column];
            row.iter_mut().zip(&above[column]).skip(column).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    let mut solved = vec![0.0; k];
    for row in (0..k).rev() {
        let known: f64 = (row + 1..k).map(|at| rows[row][at] * solved[at]).sum();
        solved[row] = (rows[row][k] - known) / rows[row][row];
    }
    Some(solved)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(columns: &[Vec<f64>], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let gram = columns.iter().flat_map(|a| columns.iter().map(|b| dot(a, b))).collect();
        (gram, columns.iter().map(|a| dot(a, y)).collect())
    }

    #[test]
    fn a_column_against_the_truth_gets_no_weight() {
        let (gram, target) = of(&[vec![1.0, 0.0, 0.0], vec![0.0, -1.0, 0.0]], &[2.0, 3.0, 0.0]);
        assert_eq!(least_squares(&gram, &target), [2.0, 0.0]);
        let (gram, target) = of(&[vec![1.0, 1.0]], &[-1.0, -1.0]);
        assert_eq!(least_squares(&gram, &target), [0.0]);
    }

    #[test]
    fn of_two_equal_columns_one_is_enough() {
        let (gram, target) = of(&[vec![1.0, 2.0], vec![1.0, 2.0]], &[2.0, 4.0]);
        assert_eq!(least_squares(&gram, &target), [2.0, 0.0]);
    }

    #[test]
    fn the_unit_of_a_column_does_not_matter() {
        let (gram, target) = of(&[vec![1e5, 0.0], vec![0.0, 1.0]], &[1.0, 1.0]);
        let weights = least_squares(&gram, &target);
        assert!((weights[0] * 1e5 - 1.0).abs() < 1e-12 && (weights[1] - 1.0).abs() < 1e-12, "{weights:?}");
        let (gram, target) = of(&[vec![0.0, 0.0], vec![0.0, 2.0]], &[1.0, 1.0]);
        assert_eq!(least_squares(&gram, &target), [0.0, 0.5]);
    }

    proptest! {
        /// Karush, Kuhn, Tucker: the gradient is 0 where a weight is positive, and points outwards where it is 0.
        #[test]
        fn no_small_step_makes_it_better(
            columns in prop::collection::vec(prop::collection::vec(-3.0..3.0f64, 12), 1..5),
            y in prop::collection::vec(-3.0..3.0f64, 12),
        ) {
            let (gram, target) = of(&columns, &y);
            let weights = least_squares(&gram, &target);
            let n = weights.len();
            for at in 0..n {
                prop_assert!(weights[at] >= 0.0);
                let slope: f64 = (0..n).map(|j| gram[at * n + j] * weights[j]).sum::<f64>() - target[at];
                prop_assert!(slope >= -1e-6 && (weights[at] == 0.0 || slope.abs() <= 1e-6), "{slope} at {weights:?}");
            }
        }
    }
}
