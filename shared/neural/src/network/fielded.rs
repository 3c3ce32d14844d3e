//! What networks over fields of features share: their inputs, and how they are saved.

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_data::parts::{Parts, PartsError};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::pairs::{PairModel, fit_on_likes};
use crate::examples::PairNetwork;
use crate::fields::Fields;
use crate::method::FitRequest;
use crate::training::layout::{Initial, Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::{Fitted, NeuralFitError, NeuralModel};

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

    /// # Shapes
    /// - `numbers`: `[pairs, numbers]`, `None` where there are none
    /// - returns: `[pairs, 1]`
    fn score(&self, weights: &Weights, numbers: Option<Tensor<2>>, noise: Option<&mut Noise>) -> Tensor<2>;

    /// Floats that one pair leaves behind for the backward pass, about.
    fn activations(&self, fields: &Fields) -> usize;
}

/// A [`FieldNetwork`] and its fields.
pub(super) struct Fielded<N> {
    network: N,
    layout: Layout,
    fields: Fields,
    device: Device,
}

impl<N: FieldNetwork> Fielded<N> {
    pub(super) fn new(recommender: &ResolvedRecommender, fields: Fields, device: Device) -> Self {
        let mut layout = Layout::default();
        let network = N::new(recommender, &fields, &mut layout);
        Self { network, layout, fields, device }
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

    fn activations_per_pair(&self) -> usize {
        self.network.activations(&self.fields)
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
