//! What the fits of this family leave behind.
//!
//! Whatever the features are, a user's and an item's only meet in products of a vector of the one and a vector of the other;
//! all else is a number of the user or a number of the item. So a fitted machine answers like a factor model, with the vectors
//! `(p, 1, a)` and `(q, b, 1)`, and an attribute is a vector of the same form that is a part of them.

use pulp::{Arch, Simd, WithSimd};
use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Permutation};
use recspeed_dense::{self as dense, Cholesky};
use recspeed_types::event::MemoryBytes;
use recspeed_types::{FitObserver, Remedy};

use super::features::Side;
use super::permuted::{Before, Within};
use super::telling::identifying;
use crate::content::Terms;
use crate::factorization::folding::Items;
use crate::factorization::folding::pairwise::Pairwise;
use crate::memory::{self, Needs};
use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::model_bytes;
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Profiles, Reason, Recommender};

/// What a fit may hold where nobody knows what is left; one that would need more is refused before any work. A browser
/// tab addresses 4 GiB.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { 2 << 30 } else { 16 << 30 };

/// Refuses a fit that needs too much.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(super) fn check_needs(needs: Needs, observer: &dyn FitObserver, remedy: &'static Remedy) -> Result<(), FitError> {
    memory::check(needs, memory::allowed(ALLOWED_BYTES, observer), memory::machines::WHAT, remedy)
}

/// A fitted machine.
#[derive(Debug)]
pub(super) struct Machine {
    /// Length of a vector.
    pub(super) d: usize,
    pub(super) users: Described,
    pub(super) items: Described,
    /// How a new user's vector is found.
    pub(super) newcomer: Newcomers,
}

/// How a new user's vector is found.
#[derive(Debug)]
pub(super) enum Newcomers {
    Regressed(Newcomer),
    /// Somebody is the feature that stands for them alone: its vector and bias are learnt.
    Learnt(Pairwise),
}

/// The vectors of users or of items, and of what is known of them.
#[derive(Debug)]
pub(super) struct Described {
    /// `[entities, d]`
    pub(super) vectors: Vec<f32>,
    /// Entities × attributes.
    pub(super) attributes: Csr,
    pub(super) terms: Terms,
    /// `[attributes]`: which say who somebody is and not what they are like, so that no explanation tells of them.
    identifying: Vec<bool>,
    /// `[attributes, d]`: the product with a vector of the other side is what an attribute of value 1 adds.
    pub(super) parts: Vec<f32>,
    /// What a vector is besides the sum of its features' vectors.
    pub(super) within: Within,
    /// What it was before its attributes were dealt out anew.
    pub(super) before: Option<Before>,
}

/// A new user is a cold user plus what ridge regression makes of the basket's ratings.
#[derive(Debug)]
pub(super) struct Newcomer {
    /// `[d]`: a user of whom nothing is known.
    pub(super) cold: Vec<f32>,
    /// The vectors are blocks of this length, and each block is regressed by itself: one for each drawn sample.
    pub(super) block: usize,
    /// Penalties of the numbers that are regressed, `[blocks, free + 1]`: the first `free` of the block, and the bias.
    pub(super) penalties: Vec<f32>,
    /// Whether a penalty counts once for each rating, instead of once.
    pub(super) per_rating: bool,
}

impl Newcomer {
    fn to_parts(&self, d: usize) -> Parts {
        let columns = self.penalties.len() / ((d - 2) / self.block);
        Parts::default()
            .with_list("cold", &self.cold)
            .with_count("block", self.block)
            .with_count("per_rating", usize::from(self.per_rating))
            .with_matrix("penalties", columns, &self.penalties)
    }

    fn restore(mut parts: Parts, d: usize) -> Result<Self, PartsError> {
        let cold = parts.take_list("cold")?;
        expect_len("newcomer.cold", cold.len(), d)?;
        let (block, per_rating) = (parts.take_count("block")?, parts.take_count("per_rating")? == 1);
        expect_len("newcomer.block", block.max(1), block)?;
        let (blocks, columns, penalties) = parts.take_matrix("penalties")?;
        expect_len("newcomer.penalties", blocks * block + 2, d)?;
        expect_len("newcomer.penalties", columns.min(block + 1), columns.max(1))?;
        Ok(Self { cold, block, penalties, per_rating })
    }
}

impl Described {
    pub(super) fn new(side: Side, vectors: Vec<f32>, parts: Vec<f32>, within: Within) -> Self {
        let Side { attributes, terms, .. } = side;
        Self { vectors, identifying: identifying(&attributes, &terms), attributes, terms, parts, within, before: None }
    }

    fn vector(&self, entity: u32, d: usize) -> &[f32] {
        &self.vectors[entity as usize * d..][..d]
    }

    /// What each attribute of the entity that tells what it is like adds beside a vector of the other side; `of` makes a reason of it.
    fn reasons(&self, entity: u32, other: &[f32], of: fn(&Terms, u32, f32) -> Reason) -> Vec<Reason> {
        let (attributes, values) = self.attributes.row(entity as usize);
        let reason = |(&attribute, &value): (&u32, &f32)| {
            let mut part = [0.0];
            dense::dot_all(other, &self.parts[attribute as usize * other.len()..][..other.len()], &mut part);
            of(&self.terms, attribute, value * part[0])
        };
        let told = attributes.iter().zip(values).filter(|(attribute, _)| !self.identifying[**attribute as usize]);
        told.map(reason).collect()
    }

    fn floats(&self) -> usize {
        self.vectors.len() + self.parts.len()
    }

    fn to_parts(&self, d: usize) -> Parts {
        let parts = Parts::default().with_matrix("vectors", d, &self.vectors).with_matrix("attributes", d, &self.parts);
        self.within.add_to(self.terms.add_to(parts.with_csr("described", &self.attributes)))
    }

    fn restore(mut parts: Parts) -> Result<(usize, Self), PartsError> {
        let (n, d, vectors) = parts.take_vectors("vectors")?;
        let (n_attributes, columns, of_attributes) = parts.take_matrix("attributes")?;
        expect_len("attributes", columns, d)?;
        let terms = Terms::take_from(&mut parts)?;
        expect_len("terms", terms.len(), n_attributes)?;
        let attributes = parts.take_csr("described", n_attributes)?;
        expect_len("described", attributes.n_rows(), n)?;
        let within = Within::take_from(&mut parts, (n + n_attributes, n_attributes))?;
        let identifying = identifying(&attributes, &terms);
        Ok((d, Self { vectors, attributes, terms, identifying, parts: of_attributes, within, before: None }))
    }
}

impl Machine {
    /// The inverse of [`Recommender::parts`] where newcomers are regressed.
    pub(super) fn restore(parts: Parts) -> Result<Self, PartsError> {
        Self::restore_with(parts, |newcomer, (d, _)| Newcomer::restore(newcomer, d).map(Newcomers::Regressed))
    }

    /// The inverse of [`Recommender::parts`]; `newcomer` is told the length of a vector and the number of items.
    pub(super) fn restore_with(
        mut parts: Parts,
        newcomer: impl FnOnce(Parts, (usize, usize)) -> Result<Newcomers, PartsError>,
    ) -> Result<Self, PartsError> {
        let (d, users) = Described::restore(parts.take_model("users"))?;
        let (item_d, items) = Described::restore(parts.take_model("items"))?;
        expect_len("items.vectors", item_d, d)?;
        let newcomer = newcomer(parts.take_model("newcomer"), (d, items.vectors.len() / d))?;
        Ok(Self { d, users, items, newcomer })
    }

    /// The vector of somebody with this basket.
    fn newcomer(&self, basket: &[BasketItem]) -> Vec<f32> {
        match &self.newcomer {
            Newcomers::Regressed(newcomer) => self.fold(newcomer, basket),
            Newcomers::Learnt(pairs) => pairs.fold(Items { vectors: &self.items.vectors, d: self.d }, basket),
        }
    }

    /// A cold user's vector and what the regression adds to it.
    fn fold(&self, newcomer: &Newcomer, basket: &[BasketItem]) -> Vec<f32> {
        let mut vector = newcomer.cold.clone();
        if basket.is_empty() {
            return vector;
        }
        let mut rest = vec![0.0; basket.len()];
        for (rest, own) in rest.iter_mut().zip(basket) {
            let mut known = [0.0];
            dense::dot_all(&newcomer.cold, self.items.vector(own.item, self.d), &mut known);
            *rest = own.rating - known[0];
        }
        let blocks = (self.d - 2) / newcomer.block;
        let unknown = newcomer.penalties.len() / blocks;
        for (block, penalties) in newcomer.penalties.chunks_exact(unknown).enumerate() {
            let mut solved = vec![0.0; unknown];
            let start = block * newcomer.block;
            let scale = if newcomer.per_rating { basket.len() as f32 } else { 1.0 };
            let ridge = Ridge { machine: self, basket, rest: &rest, start, penalties, scale, solved: &mut solved };
            Arch::new().dispatch(ridge);
            let share = 1.0 / blocks as f32;
            let changed = &mut vector[start..][..unknown - 1];
            changed.iter_mut().zip(&solved).for_each(|(value, solved)| *value += share * solved);
            vector[self.d - 1] += share * solved[unknown - 1];
        }
        vector
    }

    fn score_vector(&self, vector: &[f32], scores: &mut [f32]) {
        dense::dot_all(vector, &self.items.vectors, scores);
    }

    fn reasons(&self, user: &[f32], item: u32, of_user: Vec<Reason>, n: usize) -> Vec<Reason> {
        let part = |reason: &Reason| match reason {
            Reason::Attribute { part, .. } | Reason::UserAttribute { part, .. } => *part,
            _ => 0.0,
        };
        let mut reasons = self.items.reasons(item, user, Terms::reason);
        reasons.extend(of_user);
        reasons.retain(|reason| part(reason) != 0.0);
        // Stable: what adds the same stays in the order of the attributes, the item's first.
        reasons.sort_by(|a, b| part(b).total_cmp(&part(a)));
        reasons.truncate(n);
        reasons
    }
}

/// Solves `(Σ z zᵀ + Λ) x = Σ z rest` over the basket, with `z` the numbers of the items' vectors from `start` on and 1.
struct Ridge<'a> {
    machine: &'a Machine,
    basket: &'a [BasketItem],
    rest: &'a [f32],
    start: usize,
    penalties: &'a [f32],
    /// Times that a penalty counts.
    scale: f32,
    /// Zeros; stays so when the system has no solution.
    solved: &'a mut [f32],
}

impl WithSimd for Ridge<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.solved.len();
        let (mut matrix, mut right, mut z) = (vec![0.0; n * n], vec![0.0; n], vec![1.0; n]);
        for (own, &rest) in self.basket.iter().zip(self.rest) {
            let item = self.machine.items.vector(own.item, self.machine.d);
            z[..n - 1].copy_from_slice(&item[self.start..][..n - 1]);
            for (row, &value) in z.iter().enumerate() {
                dense::add_scaled(simd, value, &z, &mut matrix[row * n..][..n]);
            }
            dense::add_scaled(simd, rest, &z, &mut right);
        }
        for (diagonal, penalty) in matrix.iter_mut().step_by(n + 1).zip(self.penalties) {
            *diagonal += self.scale * penalty;
        }
        if let Ok(factor) = Cholesky::factorise(simd, &mut matrix, n) {
            factor.solve(simd, &mut right);
            if right.iter().all(|value| value.is_finite()) {
                self.solved.copy_from_slice(&right);
            }
        }
    }
}

impl Recommender for Machine {
    fn n_users(&self) -> usize {
        self.users.vectors.len() / self.d
    }

    fn n_items(&self) -> usize {
        self.items.vectors.len() / self.d
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let mut product = [0.0];
        dense::dot_all(self.users.vector(user, self.d), self.items.vector(item, self.d), &mut product);
        product[0]
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score_vector(self.users.vector(user, self.d), scores);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        ranking::by_factors(&self.users.vectors, &self.items.vectors, self.d, request, observer)
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.users.take_back();
        self.items.take_back();
        let (n_users, n_items) = (self.n_users(), self.n_items());
        match permutation {
            Some(dealt) if dealt.fits(false, n_users) => self.users.permute(self.d, self.d - 1, dealt),
            Some(dealt) if dealt.fits(true, n_items) => self.items.permute(self.d, self.d - 2, dealt),
            _ => false,
        }
    }

    fn memory(&self) -> MemoryBytes {
        let known = |side: &Described| {
            let kept = if let Within::FieldPairs(own) = &side.within { own.bytes() } else { 0 };
            size_of_val(&side.attributes.indptr[..]) + 8 * side.attributes.nnz() + side.terms.bytes() + kept
        };
        let (floats, others) = match &self.newcomer {
            Newcomers::Regressed(newcomer) => (newcomer.cold.len() + newcomer.penalties.len(), 0),
            Newcomers::Learnt(pairs) => (0, pairs.bytes()),
        };
        let learnt = 4 * (self.users.floats() + self.items.floats() + floats);
        model_bytes(learnt, known(&self.users) + known(&self.items) + others)
    }

    fn parameters(&self) -> u64 {
        self.memory().parameters / 4
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        let of_user = self.users.reasons(user, self.items.vector(item, self.d), Terms::reason_of_user);
        Some(self.reasons(self.users.vector(user, self.d), item, of_user, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// Of those that have one vector of each person: not of draws, and not of fields.
    fn profiles(&self) -> Option<&dyn Profiles> {
        matches!(self.newcomer, Newcomers::Learnt(_)).then_some(self)
    }

    /// `users` and `items`: vectors, attributes and their terms; `newcomer`: how new users are folded in.
    fn parts(&self) -> Parts {
        let parts = Parts::default()
            .with_model("users", self.users.to_parts(self.d))
            .with_model("items", self.items.to_parts(self.d));
        let newcomer = match &self.newcomer {
            Newcomers::Regressed(newcomer) => newcomer.to_parts(self.d),
            Newcomers::Learnt(pairs) => pairs.to_parts(),
        };
        parts.with_model("newcomer", newcomer)
    }
}

/// The sum of the vectors of all that is known of a person, without their biases.
impl Profiles for Machine {
    fn n_features(&self) -> usize {
        self.d - 2
    }

    fn of_user(&self, user: u32) -> Vec<(u32, f32)> {
        (0..).zip(self.users.vector(user, self.d)[..self.d - 2].iter().copied()).collect()
    }

    fn of_basket(&self, basket: &[BasketItem]) -> Vec<(u32, f32)> {
        (0..).zip(self.newcomer(basket)).take(self.d - 2).filter(|(_, value)| value.is_finite()).collect()
    }
}

impl FoldIn for Machine {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score_vector(&self.newcomer(basket), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(&self.newcomer(basket), item, Vec::new(), n)
    }
}
