//! DeepFM: a factorization machine and a tower over the same vectors.

use burn::tensor::Tensor;
use recspeed_types::spec::ResolvedRecommender;

use super::fielded::{FieldNetwork, fit_on_fields, restore, side_by_side, vectors, weights};
use super::tower::Tower;
use crate::fields::Fields;
use crate::method::Method;
use crate::training::layout::{Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;

pub(crate) const METHOD: Method = Method { kind: "deepfm", fit: fit_on_fields::<DeepFm>, restore: restore::<DeepFm> };

/// `Σ_i w_i + Σ_{i<j} v_i · v_j + tower(v_1, …, v_n)`, where `v_i` is the vector of field `i`.
/// Source: Guo, Tang, Ye, Li, He, "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", arXiv:1703.04247.
pub(super) struct DeepFm {
    vectors: TableId,
    weights: TableId,
    bags: usize,
    tower: Tower,
    width: usize,
}

impl FieldNetwork for DeepFm {
    const COUNTS: bool = false;

    fn new(recommender: &ResolvedRecommender, fields: &Fields, layout: &mut Layout) -> Self {
        let width = recommender.integer("embedding") as usize;
        let hidden: Vec<usize> = recommender.integers("hidden").iter().map(|&width| width as usize).collect();
        let inputs = fields.len() * width + fields.numbers();
        Self {
            vectors: vectors(layout, fields, width),
            weights: weights(layout, fields),
            bags: fields.len(),
            tower: Tower::new(layout, "tower", (inputs, &hidden, 1), recommender.float("dropout") as f32),
            width,
        }
    }

    fn look_up(&self, fields: &Fields, pairs: &[(u32, u32)]) -> Vec<LookUp> {
        vec![fields.look_up(pairs), fields.look_up_all(pairs)]
    }

    fn score(&self, weights: &Weights, numbers: Option<Tensor<2>>, mut noise: Option<&mut Noise>) -> Tensor<2> {
        let vectors = weights.rows(self.vectors);
        let rows = vectors.dims()[0] / self.bags;
        let fields: Tensor<3> = vectors.clone().reshape([rows, self.bags, self.width]);
        // Σ_{i<j} v_i · v_j = ½ (‖Σ v_i‖² − Σ ‖v_i‖²)
        let square_of_sum = fields.clone().sum_dim(1).square().reshape([rows, self.width]);
        let sum_of_squares = fields.square().sum_dim(1).reshape([rows, self.width]);
        let pairs = (square_of_sum - sum_of_squares).sum_dim(1) * 0.5;
        let input = side_by_side(vectors, self.bags, numbers);
        weights.rows(self.weights) + pairs + self.tower.forward(weights, input, &mut noise)
    }

    fn activations(&self, fields: &Fields) -> usize {
        4 * fields.len() * self.width + 2 * fields.numbers() + self.tower.activations() + 3 * self.width + 4
    }
}
