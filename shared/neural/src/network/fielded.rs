//! What networks over fields of features share: their inputs, and how they are saved.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_data::Permutation;
use recspeed_data::parts::{Parts, PartsError};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::pairs::{PairModel, fit_on_likes, fit_on_likes_ranked};
use super::tower::Tower;
use crate::examples::{PairNetwork, StagedPairs};
use crate::fields::{Fields, Side};
use crate::method::FitRequest;
use crate::training::layout::{Initial, Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::{self, Parameters};
use crate::{Fitted, NeuralFitError, NeuralModel, Seat};

/// Standard deviation of the first numbers of the features' vectors.
const INITIAL: f32 = 0.05;

/// A network over fields.
pub(super) trait FieldNetwork: Send + Sync + Sized + 'static {
    /// Whether it also sees how many training ratings the user and the item have.
    const COUNTS: bool;

    /// Adds its parameters.
    fn new(recommender: &ResolvedRecommender, fields: &Fields, layout: &mut Layout) -> Self;

    /// What it looks up, a list for each of its tables in their order.
    fn look_up(&self, fields: &Fields, pairs: &[(u32, u32)]) -> Vec<LookUp>;

    /// What it looks up of one half of a pair, a list for each of its tables in their order; of a table that needs both halves
    /// an empty one.
    fn look_up_half(&self, half: &Side, rows: &[u32]) -> Vec<LookUp>;

    /// The scores of some users for some items, as [`PairNetwork::grid`].
    fn grid(&self, users: &Half, items: &Half) -> Vec<f32>;

    /// What is added to a score for what a half alone does not tell; nothing by default.
    fn of_pair(&self, _fields: &Fields, _pair: (u32, u32), _tables: &[Arc<Vec<f32>>]) -> f32 {
        0.0
    }

    /// # Shapes
    /// - `numbers`: `[pairs, numbers]`, `None` where there are none
    /// - returns: `[pairs, 1]`
    fn score(&self, weights: &Weights, numbers: Option<Tensor<2>>, noise: Option<&mut Noise>) -> Tensor<2>;
}

/// Users, or items, as a network sees them.
pub(super) struct Half {
    /// With the rows that [`FieldNetwork::look_up_half`] names.
    pub(super) weights: Weights,
    pub(super) rows: usize,
    /// Bags of each.
    pub(super) bags: usize,
    /// `[rows, numbers]`, `None` where there are none.
    pub(super) numbers: Option<Tensor<2>>,
}

impl Half {
    /// The vectors of each side by side: `[rows, bags × width]`.
    pub(super) fn side_by_side(&self, vectors: TableId) -> Tensor<2> {
        let vectors = self.weights.rows(vectors);
        let width = vectors.dims()[1];
        vectors.reshape([self.rows, self.bags * width])
    }
}

/// What a half adds to the first layer of a tower over [`side_by_side`]: `[rows, outputs of the first layer]`.
///
/// `at`: where its vectors and its numbers begin in the tower's input.
pub(super) fn half_of_tower(tower: &Tower, half: &Half, vectors: TableId, at: (usize, usize)) -> Tensor<2> {
    let of_vectors = tower.part(&half.weights, half.side_by_side(vectors), at.0);
    match &half.numbers {
        Some(numbers) => of_vectors + tower.part(&half.weights, numbers.clone(), at.1),
        None => of_vectors,
    }
}

/// A tower over [`side_by_side`] for all pairs of two halves: the first layer is a sum of what each half adds.
///
/// # Shapes
/// - returns: `[users × items]`
pub(super) fn grid_of_tower(tower: &Tower, users: &Half, items: &Half, vectors: TableId) -> Vec<f32> {
    let width = users.weights.rows(vectors).dims()[1];
    let (of_users, all) = (users.bags * width, (users.bags + items.bags) * width);
    let numbers = users.numbers.as_ref().map_or(0, |numbers| numbers.dims()[1]);
    let user_sums = half_of_tower(tower, users, vectors, (0, all));
    let item_sums = half_of_tower(tower, items, vectors, (of_users, all + numbers));
    let columns = user_sums.dims()[1];
    let mut scores = Vec::with_capacity(users.rows * items.rows);
    for user in 0..users.rows {
        let sums = item_sums.clone() + user_sums.clone().slice([user..user + 1, 0..columns]);
        scores.extend(saved::numbers(&tower.above(&users.weights, sums)));
    }
    scores
}

/// A [`FieldNetwork`] and its fields.
pub(super) struct Fielded<N> {
    pub(super) network: N,
    layout: Layout,
    pub(super) fields: Fields,
    /// What they were before an attribute was dealt out anew.
    before: Option<Fields>,
    pub(super) device: Device,
}

impl<N: FieldNetwork> Fielded<N> {
    pub(super) fn new(recommender: &ResolvedRecommender, fields: Fields, device: Device) -> Self {
        let mut layout = Layout::default();
        let network = N::new(recommender, &fields, &mut layout);
        Self { network, layout, fields, before: None, device }
    }
}

/// A table with a vector for each feature.
pub(super) fn vectors(layout: &mut Layout, fields: &Fields, width: usize) -> TableId {
    layout.table("features.vectors", fields.features(), width, Initial::Normal(INITIAL))
}

/// A table with a weight for each feature.
pub(super) fn weights(layout: &mut Layout, fields: &Fields) -> TableId {
    layout.table("features.weights", fields.features(), 1, Initial::Constant(0.0))
}

/// Everything that a row of fields says, side by side: `[pairs × bags, width]` to `[pairs, bags × width + numbers]`.
pub(super) fn side_by_side(vectors: Tensor<2>, bags: usize, numbers: Option<Tensor<2>>) -> Tensor<2> {
    let [rows, width] = vectors.dims();
    let vectors = vectors.reshape([rows / bags, bags * width]);
    match numbers {
        Some(numbers) => Tensor::cat(vec![vectors, numbers], 1),
        None => vectors,
    }
}

impl<N: FieldNetwork> PairNetwork for Fielded<N> {
    type Fields = Option<Tensor<2>>;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn look_up(&self, pairs: &[(u32, u32)]) -> (Option<Tensor<2>>, Vec<LookUp>) {
        let width = self.fields.numbers();
        let numbers = (width > 0).then(|| {
            let numbers = TensorData::new(self.fields.numbers_of(pairs), [pairs.len(), width]);
            Tensor::from_data(numbers, &self.device)
        });
        (numbers, self.network.look_up(&self.fields, pairs))
    }

    fn score(&self, weights: &Weights, numbers: &Option<Tensor<2>>, noise: Option<&mut Noise>) -> Tensor<2> {
        self.network.score(weights, numbers.clone(), noise)
    }

    fn grid(&self, users: &[u32], items: Range<u32>, parameters: &Parameters, device: &Device) -> Option<Vec<f32>> {
        let items: Vec<u32> = items.collect();
        let half = |side: &Side, rows: &[u32]| Half {
            weights: parameters.weights(&self.layout, &self.network.look_up_half(side, rows), device),
            rows: rows.len(),
            bags: side.bags(),
            numbers: (side.width() > 0)
                .then(|| Tensor::from_data(TensorData::new(side.numbers_of(rows), [rows.len(), side.width()]), device)),
        };
        let (of_users, of_items) = self.fields.halves();
        let mut scores = self.network.grid(&half(of_users, users), &half(of_items, &items));
        for (&user, scores) in users.iter().zip(scores.chunks_exact_mut(items.len().max(1))) {
            for (&item, score) in items.iter().zip(scores) {
                *score += self.network.of_pair(&self.fields, (user, item), &parameters.tables);
            }
        }
        Some(scores)
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        if let Some(before) = self.before.take() {
            self.fields = before;
        }
        let Some(permuted) = permutation.and_then(|permutation| self.fields.permuted(permutation)) else {
            return false;
        };
        self.before = Some(std::mem::replace(&mut self.fields, permuted));
        true
    }

    fn add_to(&self, parts: Parts) -> Parts {
        self.fields.add_to(parts)
    }

    fn bytes(&self) -> u64 {
        self.fields.bytes()
    }
}

/// Trains a network over the fields of the data set on what people have against what they do not have.
pub(super) fn fit_on_fields<N: FieldNetwork>(
    request: &FitRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let recommender = request.recommender;
    let fields = Fields::of(request, recommender.names("attributes"), N::COUNTS)?;
    let others = recommender.integer("negatives") as usize;
    let device = request.device.plain();
    let network = || Fielded::<N>::new(recommender, fields.clone(), device.clone());
    fit_on_likes(request, &network, others, observer)
}

/// [`fit_on_fields`] of a network that is a row of layers, on one of several ranks.
pub(super) async fn fit_on_fields_ranked<N: FieldNetwork>(
    request: &FitRequest<'_>,
    seat: Seat<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError>
where
    Fielded<N>: StagedPairs,
{
    let recommender = request.recommender;
    let fields = Fields::of(request, recommender.names("attributes"), N::COUNTS)?;
    let others = recommender.integer("negatives") as usize;
    let device = request.device.plain();
    let network = || Fielded::<N>::new(recommender, fields.clone(), device.clone());
    fit_on_likes_ranked(request, &network, others, seat, observer).await
}

/// The inverse of what [`fit_on_fields`] answers with, saved.
pub(super) fn restore<N: FieldNetwork>(
    recommender: &ResolvedRecommender,
    mut parts: Parts,
    device: Device,
) -> Result<Box<dyn NeuralModel>, PartsError> {
    let fields = Fields::take_from(&mut parts)?;
    let network = |_| Fielded::<N>::new(recommender, fields, device.clone());
    Ok(Box::new(PairModel::restore(network, parts, device.clone())?))
}
