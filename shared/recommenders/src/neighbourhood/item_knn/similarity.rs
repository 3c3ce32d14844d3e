//! From what two items have in common to how similar they are.

/// A similarity of two items: a sum over the users who have both, and what becomes of it.
pub(super) trait Similarity: Sync {
    /// What is gathered over the users who have both items.
    type Sum: Copy + Default + Send;

    /// One more such user, who gives them these weights.
    fn add(sum: &mut Self::Sum, weight: f32, other: f32);

    /// Whether it is one: ratings far outside any scale can make it more than its type holds.
    fn is_finite(sum: Self::Sum) -> bool;

    /// How similar the items are; not above 0 when they are no neighbours.
    fn of(&self, item: u32, other: u32, sum: Self::Sum) -> f64;
}

/// `Σ w_i w_j / (‖w_i‖ ‖w_j‖ + λ)`, the norms over all users.
pub(super) struct Cosine {
    pub(super) lengths: Vec<f64>,
    pub(super) shrinkage: f64,
}

impl Similarity for Cosine {
    type Sum = f32;

    #[inline(always)]
    fn add(sum: &mut f32, weight: f32, other: f32) {
        *sum += weight * other;
    }

    #[inline(always)]
    fn is_finite(sum: f32) -> bool {
        sum.is_finite()
    }

    #[inline(always)]
    fn of(&self, item: u32, other: u32, sum: f32) -> f64 {
        f64::from(sum) / (self.lengths[item as usize] * self.lengths[other as usize] + self.shrinkage)
    }
}

/// `n / (n_i + n_j − n + λ)` with `n` users who have both.
pub(super) struct Jaccard {
    pub(super) users: Vec<u32>,
    pub(super) shrinkage: f64,
}

impl Similarity for Jaccard {
    type Sum = u32;

    #[inline(always)]
    fn add(sum: &mut u32, _: f32, _: f32) {
        *sum += 1;
    }

    #[inline(always)]
    fn is_finite(_: u32) -> bool {
        true
    }

    #[inline(always)]
    fn of(&self, item: u32, other: u32, both: u32) -> f64 {
        let either = f64::from(self.users[item as usize]) + f64::from(self.users[other as usize]) - f64::from(both);
        f64::from(both) / (either + self.shrinkage)
    }
}

/// `n / (n + λ) · Σ w_i w_j`.
pub(super) struct Product {
    pub(super) shrinkage: f64,
}

impl Similarity for Product {
    type Sum = (u32, f32);

    #[inline(always)]
    fn add(sum: &mut (u32, f32), weight: f32, other: f32) {
        sum.0 += 1;
        sum.1 += weight * other;
    }

    #[inline(always)]
    fn is_finite((_, sum): (u32, f32)) -> bool {
        sum.is_finite()
    }

    #[inline(always)]
    fn of(&self, _: u32, _: u32, (users, sum): (u32, f32)) -> f64 {
        support(users, self.shrinkage) * f64::from(sum)
    }
}

/// `n / (n + λ) · Σ w_i w_j / (√Σ w_i² √Σ w_j²)`, every sum over the users who have both, from the weights or from how far
/// they lie above the mean of their item's among these users.
pub(super) struct Correlation {
    pub(super) around_means: bool,
    pub(super) shrinkage: f64,
}

/// Sums over the users who have both items.
#[derive(Clone, Copy, Default)]
pub(super) struct Moments {
    users: u32,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

/// Squares of which no more than this part is left, once the mean is taken out, are no spread but rounding.
const NO_SPREAD: f64 = 1e-12;

impl Similarity for Correlation {
    type Sum = Moments;

    #[inline(always)]
    fn add(sum: &mut Moments, weight: f32, other: f32) {
        let (x, y) = (f64::from(weight), f64::from(other));
        sum.users += 1;
        sum.x += x;
        sum.y += y;
        sum.xx += x * x;
        sum.yy += y * y;
        sum.xy += x * y;
    }

    /// Squares of f32 are far from the end of f64: only a weight that was none itself gets there.
    #[inline(always)]
    fn is_finite(sum: Moments) -> bool {
        sum.xx.is_finite() && sum.yy.is_finite()
    }

    #[inline(always)]
    fn of(&self, _: u32, _: u32, sum: Moments) -> f64 {
        let n = f64::from(sum.users);
        let (xx, yy, xy) = if self.around_means {
            (sum.xx - sum.x * sum.x / n, sum.yy - sum.y * sum.y / n, sum.xy - sum.x * sum.y / n)
        } else {
            (sum.xx, sum.yy, sum.xy)
        };
        if xx <= NO_SPREAD * sum.xx || yy <= NO_SPREAD * sum.yy {
            return 0.0;
        }
        support(sum.users, self.shrinkage) * (xy / (xx.sqrt() * yy.sqrt())).min(1.0)
    }
}

/// What is left of a similarity that rests on so many users.
#[inline(always)]
fn support(users: u32, shrinkage: f64) -> f64 {
    f64::from(users) / (f64::from(users) + shrinkage)
}
