//! Neural matrix factorization: a product of vectors and a small network, side by side.

use std::ops::Range;

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::pairs::{PairModel, fit_on_likes};
use crate::examples::PairNetwork;
use crate::method::{FitRequest, Method};
use crate::training::layout::{DenseId, Initial, Layout, Linear, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::{Parameters, numbers};
use crate::{Fitted, NeuralFitError};

pub(crate) const METHOD: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "neumf",
    fit,
    restore: |recommender, parts, device| {
        Ok(Box::new(PairModel::restore(|sizes| NeuMf::new(recommender, sizes), parts, device)?))
    },
};

/// Standard deviation of the first numbers of the vectors, as in the paper.
const INITIAL: f32 = 0.01;

fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Fitted, NeuralFitError> {
    let data = request.train.interactions;
    let sizes = (data.n_users(), data.n_items());
    let others = request.recommender.integer("negatives") as usize;
    fit_on_likes(request, &|| NeuMf::new(request.recommender, sizes), others, observer)
}

/// `ŷ = w · [p_u ⊙ q_i ; φ(p'_u, q'_i)]` with `φ` a tower of ReLU layers. Trained from its first numbers, without the paper's
/// pre-training of both halves.
/// Source: He et al., "Neural Collaborative Filtering", arXiv:1708.05031.
pub(super) struct NeuMf {
    layout: Layout,
    product_users: TableId,
    product_items: TableId,
    tower_users: TableId,
    tower_items: TableId,
    /// First layer of the tower: its weights for the user's and for the item's half, and its bias.
    first: (DenseId, DenseId, DenseId),
    tower: Vec<Linear>,
    /// Last layer: its weights for the product and for the tower.
    last: (DenseId, Linear),
    dropout: f32,
}

impl NeuMf {
    pub(super) fn new(recommender: &ResolvedRecommender, (n_users, n_items): (usize, usize)) -> Self {
        let factors = recommender.integer("factors") as usize;
        let width = recommender.integer("embedding") as usize;
        let hidden: Vec<usize> = recommender.integers("hidden").iter().map(|&width| width as usize).collect();
        let mut layout = Layout::default();
        let initial = Initial::Normal(INITIAL);
        let product_users = layout.table("product.users", n_users, factors, initial);
        let product_items = layout.table("product.items", n_items, factors, initial);
        let tower_users = layout.table("tower.users", n_users, width, initial);
        let tower_items = layout.table("tower.items", n_items, width, initial);
        let bounds = Initial::glorot(2 * width, hidden[0]);
        let first = (
            layout.dense("tower.0.user.weight", &[width, hidden[0]], bounds),
            layout.dense("tower.0.item.weight", &[width, hidden[0]], bounds),
            layout.dense("tower.0.bias", &[hidden[0]], Initial::Constant(0.0)),
        );
        let tower = hidden
            .windows(2)
            .enumerate()
            .map(|(depth, widths)| layout.linear(&format!("tower.{}", depth + 1), widths[0], widths[1]));
        let tower: Vec<Linear> = tower.collect();
        let deepest = hidden[hidden.len() - 1];
        let product = layout.dense("last.product.weight", &[factors, 1], Initial::linear(factors + deepest));
        let last = (product, layout.linear("last.tower", deepest, 1));
        let dropout = recommender.float("dropout") as f32;
        Self { layout, product_users, product_items, tower_users, tower_items, first, tower, last, dropout }
    }
}

impl PairNetwork for NeuMf {
    type Fields = ();

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn look_up(&self, pairs: &[(u32, u32)]) -> ((), Vec<LookUp>) {
        let users: Vec<u32> = pairs.iter().map(|pair| pair.0).collect();
        let items: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
        let (users, items) = (LookUp::from(users), LookUp::from(items));
        ((), vec![users.clone(), items.clone(), users, items])
    }

    fn score(&self, weights: &Weights, (): &(), mut noise: Option<&mut Noise>) -> Tensor<2> {
        let product = weights.rows(self.product_users) * weights.rows(self.product_items);
        let (user, item, bias) = self.first;
        let mut x = weights.rows(self.tower_users).matmul(weights.matrix(user))
            + weights.rows(self.tower_items).matmul(weights.matrix(item))
            + weights.vector(bias).unsqueeze();
        let mut drop = |x| match &mut noise {
            Some(noise) => noise.dropout(x, self.dropout),
            None => x,
        };
        x = drop(relu(x));
        for layer in &self.tower {
            x = drop(relu(weights.linear(*layer, x)));
        }
        product.matmul(weights.matrix(self.last.0)) + weights.linear(self.last.1, x)
    }

    /// The products of all pairs are one matrix product, and the first layer of the tower is a sum of a row of the user's and
    /// a row of the item's.
    fn grid(&self, users: &[u32], items: Range<u32>, parameters: &Parameters, device: &Device) -> Option<Vec<f32>> {
        let (users, items) = (LookUp::from(users.to_vec()), LookUp::from(items.collect::<Vec<u32>>()));
        let look_ups = [users.clone(), items.clone(), users.clone(), items.clone()];
        let weights = parameters.weights(&self.layout, &look_ups, device);
        let product_users = weights.rows(self.product_users) * weights.matrix(self.last.0).transpose();
        let products = numbers(&product_users.matmul(weights.rows(self.product_items).transpose()));
        let (user, item, bias) = self.first;
        let of_users = weights.rows(self.tower_users).matmul(weights.matrix(user)) + weights.vector(bias).unsqueeze();
        let of_items = weights.rows(self.tower_items).matmul(weights.matrix(item));
        let width = of_users.dims()[1];
        let mut scores = Vec::with_capacity(products.len());
        for (user, products) in products.chunks_exact(items.len().max(1)).enumerate() {
            let of_user = of_users.clone().slice([user..user + 1, 0..width]);
            let first = relu(of_items.clone() + of_user);
            let top = self.tower.iter().fold(first, |x, layer| relu(weights.linear(*layer, x)));
            let towers = numbers(&weights.linear(self.last.1, top));
            scores.extend(products.iter().zip(towers).map(|(product, tower)| product + tower));
        }
        Some(scores)
    }
}
