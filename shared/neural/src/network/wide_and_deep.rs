//! Wide and deep: a linear model that learns by heart beside a network that generalises.

use std::sync::Arc;

use burn::tensor::Tensor;
use recspeed_types::spec::ResolvedRecommender;

use super::fielded::{FieldNetwork, Half, fit_on_fields, grid_of_tower, restore, side_by_side, vectors, weights};
use super::tower::Tower;
use crate::fields::{Fields, Side};
use crate::method::Method;
use crate::training::layout::{Initial, Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::numbers;

pub(crate) const METHOD: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "wide-and-deep",
    fit: fit_on_fields::<WideAndDeep>,
    restore: restore::<WideAndDeep>,
};

/// The wide part adds a weight for each feature and one for each cross of a feature of the user with a feature of the item's
/// attributes; the deep part is a tower over the features' vectors side by side. One score is the sum of both, trained
/// together. The paper trains the wide part by FTRL and the deep one by AdaGrad; here the spec's optimizer trains both.
/// Source: Cheng et al., "Wide & Deep Learning for Recommender Systems", arXiv:1606.07792.
pub(super) struct WideAndDeep {
    vectors: TableId,
    weights: TableId,
    crosses: TableId,
    buckets: u32,
    bags: usize,
    tower: Tower,
}

impl FieldNetwork for WideAndDeep {
    const COUNTS: bool = false;

    fn new(recommender: &ResolvedRecommender, fields: &Fields, layout: &mut Layout) -> Self {
        let width = recommender.integer("embedding") as usize;
        let buckets = recommender.integer("crosses") as u32;
        let hidden: Vec<usize> = recommender.integers("hidden").iter().map(|&width| width as usize).collect();
        let inputs = fields.len() * width + fields.numbers();
        Self {
            vectors: vectors(layout, fields, width),
            weights: weights(layout, fields),
            crosses: layout.table("crosses.weights", buckets as usize, 1, Initial::Constant(0.0)),
            buckets,
            bags: fields.len(),
            tower: Tower::new(layout, "tower", (inputs, &hidden, 1), recommender.float("dropout") as f32),
        }
    }

    fn look_up(&self, fields: &Fields, pairs: &[(u32, u32)]) -> Vec<LookUp> {
        let crosses = fields.look_up_crosses(pairs, self.buckets);
        vec![fields.look_up(pairs), fields.look_up_all(pairs), crosses]
    }

    fn look_up_half(&self, half: &Side, rows: &[u32]) -> Vec<LookUp> {
        vec![half.look_up(rows), half.look_up_all(rows), LookUp::bags()]
    }

    fn grid(&self, users: &Half, items: &Half) -> Vec<f32> {
        let of_half = |half: &Half| numbers(&half.weights.rows(self.weights));
        let (of_users, of_items) = (of_half(users), of_half(items));
        let mut scores = grid_of_tower(&self.tower, users, items, self.vectors);
        for (scores, of_user) in scores.chunks_exact_mut(items.rows.max(1)).zip(of_users) {
            scores.iter_mut().zip(&of_items).for_each(|(score, of_item)| *score += of_user + of_item);
        }
        scores
    }

    fn of_pair(&self, fields: &Fields, pair: (u32, u32), tables: &[Arc<Vec<f32>>]) -> f32 {
        fields.sum_of_crosses(pair, self.buckets, &tables[self.crosses.0])
    }

    fn score(&self, weights: &Weights, numbers: Option<Tensor<2>>, mut noise: Option<&mut Noise>) -> Tensor<2> {
        let wide = weights.rows(self.weights) + weights.rows(self.crosses);
        let input = side_by_side(weights.rows(self.vectors), self.bags, numbers);
        wide + self.tower.forward(weights, input, &mut noise)
    }
}
