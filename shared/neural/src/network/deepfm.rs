//! DeepFM: a factorization machine and a tower over the same vectors.

use burn::tensor::Tensor;
use recspeed_types::spec::ResolvedRecommender;

use super::fielded::{FieldNetwork, Half, fit_on_fields, grid_of_tower, restore, side_by_side, vectors, weights};
use super::tower::Tower;
use crate::fields::{Fields, Side};
use crate::method::Method;
use crate::training::layout::{Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::numbers;

pub(crate) const METHOD: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "deepfm",
    fit: fit_on_fields::<DeepFm>,
    restore: restore::<DeepFm>,
};

/// `Σ_i w_i + Σ_{i<j} v_i · v_j + tower(v_1, …, v_n)`, where `v_i` is the vector of field `i`.
/// Source: Guo, Tang, Ye, Li, He, "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", arXiv:1703.04247.
pub(super) struct DeepFm {
    vectors: TableId,
    weights: TableId,
    bags: usize,
    tower: Tower,
    width: usize,
}

impl DeepFm {
    /// Sums of the vectors of each row, `[rows, width]`, and the weights and products of what it has itself, `[rows]`.
    fn of_half(&self, half: &Half) -> (Tensor<2>, Vec<f32>) {
        let fields: Tensor<3> = half.weights.rows(self.vectors).reshape([half.rows, half.bags, self.width]);
        let sums = fields.clone().sum_dim(1).reshape([half.rows, self.width]);
        let squares = fields.square().sum_dim(1).reshape([half.rows, self.width]);
        let own = (sums.clone().square() - squares).sum_dim(1) * 0.5;
        (sums, numbers(&(half.weights.rows(self.weights) + own)))
    }
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

    fn look_up_half(&self, half: &Side, rows: &[u32]) -> Vec<LookUp> {
        vec![half.look_up(rows), half.look_up_all(rows)]
    }

    /// The products of pairs of fields are those inside each half, and one product of the halves' sums.
    fn grid(&self, users: &Half, items: &Half) -> Vec<f32> {
        let (user_sums, of_users) = self.of_half(users);
        let (item_sums, of_items) = self.of_half(items);
        let products = numbers(&user_sums.matmul(item_sums.transpose()));
        let mut scores = grid_of_tower(&self.tower, users, items, self.vectors);
        let rows = scores.chunks_exact_mut(items.rows.max(1)).zip(products.chunks_exact(items.rows.max(1)));
        for ((scores, products), of_user) in rows.zip(of_users) {
            for ((score, product), of_item) in scores.iter_mut().zip(products).zip(&of_items) {
                *score += of_user + of_item + product;
            }
        }
        scores
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
}
