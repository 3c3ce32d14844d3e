//! AdaGrad: a number moves the less, the more its slopes have been so far.
//! Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011.

/// A step against a slope. `squares`, the sum of the squared slopes, takes in the new one first, as in the paper.
#[inline(always)]
pub(crate) fn step(value: &mut f32, squares: &mut f32, slope: f32, rate: f32) {
    *squares += slope * slope;
    *value -= rate * slope / squares.sqrt();
}

/// The same in LightFM's order: the sum of the slopes before this one divides it.
#[inline(always)]
pub(crate) fn step_by_the_past(value: &mut f32, squares: &mut f32, slope: f32, rate: f32) {
    *value -= rate / squares.sqrt() * slope;
    *squares += slope * slope;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_orders_differ_by_what_divides_the_step() {
        let (mut value, mut squares) = (1.0, 16.0);
        step(&mut value, &mut squares, 3.0, 0.5);
        // 16 + 9 = 25: half of 3/5.
        assert_eq!((value, squares), (1.0 - 0.3, 25.0));
        let (mut value, mut squares) = (1.0, 16.0);
        step_by_the_past(&mut value, &mut squares, 3.0, 0.5);
        assert_eq!((value, squares), (1.0 - 0.375, 25.0));
    }
}
