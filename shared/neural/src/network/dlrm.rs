//! DLRM: dot products of all pairs of fields, and a tower over them.

mod stages;

use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, TensorData};
use recspeed_types::spec::ResolvedRecommender;

use super::fielded::{FieldNetwork, Half, fit_on_fields, fit_on_fields_ranked, restore, vectors};
use super::tower::Tower;
use crate::fields::{Fields, Side};
use crate::method::Method;
use crate::training::layout::{Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;
use crate::training::saved;

pub(crate) const METHOD: Method = Method {
    fit_ranked: Some(|request, seat, observer| Box::pin(fit_on_fields_ranked::<Dlrm>(request, seat, observer))),
    fit_elsewhere: None,
    kind: "dlrm",
    fit: fit_on_fields::<Dlrm>,
    restore: restore::<Dlrm>,
};

/// A bottom tower makes a vector of the numbers, which joins the vectors of the fields; the top tower sees it and the dot
/// products of all pairs of vectors. The numbers are those of the attributes, and how many training ratings the user and the
/// item have.
/// Source: Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems",
/// arXiv:1906.00091.
pub(super) struct Dlrm {
    vectors: TableId,
    bags: usize,
    width: usize,
    bottom: Tower,
    top: Tower,
}

impl Dlrm {
    /// Vectors that are multiplied with each other: of the fields, and of the numbers.
    const fn vectors_of_a_pair(&self) -> usize {
        self.bags + 1
    }
}

impl FieldNetwork for Dlrm {
    const COUNTS: bool = true;

    fn new(recommender: &ResolvedRecommender, fields: &Fields, layout: &mut Layout) -> Self {
        let width = recommender.integer("embedding") as usize;
        let sizes = |name: &str| recommender.integers(name).iter().map(|&w| w as usize).collect::<Vec<usize>>();
        let (bottom, top) = (sizes("bottom"), sizes("hidden"));
        let dropout = recommender.float("dropout") as f32;
        let vectors = vectors(layout, fields, width);
        let products = (fields.len() + 1) * fields.len() / 2;
        Self {
            vectors,
            bags: fields.len(),
            width,
            bottom: Tower::new(layout, "bottom", (fields.numbers(), &bottom, width), dropout),
            top: Tower::new(layout, "top", (width + products, &top, 1), dropout),
        }
    }

    fn look_up(&self, fields: &Fields, pairs: &[(u32, u32)]) -> Vec<LookUp> {
        vec![fields.look_up(pairs)]
    }

    fn score(&self, weights: &Weights, numbers: Option<Tensor<2>>, mut noise: Option<&mut Noise>) -> Tensor<2> {
        let vectors = weights.rows(self.vectors);
        let rows = vectors.dims()[0] / self.bags;
        let numbers = numbers.unwrap_or_else(|| Tensor::zeros([rows, 0], &vectors.device()));
        let dense = relu(self.bottom.forward(weights, numbers, &mut noise)); // [rows, width]
        self.top(weights, vectors.reshape([rows, self.bags, self.width]), dense, &mut noise)
    }

    fn look_up_half(&self, half: &Side, rows: &[u32]) -> Vec<LookUp> {
        vec![half.look_up(rows)]
    }

    /// The vectors of users and items are looked up once, and so is what each adds to the bottom tower's first layer.
    fn grid(&self, users: &Half, items: &Half) -> Vec<f32> {
        let (weights, width) = (&users.weights, self.width);
        let of_half =
            |half: &Half| -> Tensor<3> { half.weights.rows(self.vectors).reshape([half.rows, half.bags, width]) };
        let (of_users, of_items) = (of_half(users), of_half(items));
        let sums = |half: &Half, from: usize| {
            let numbers = half.numbers.clone().unwrap_or_else(|| Tensor::zeros([half.rows, 0], &of_users.device()));
            self.bottom.part(weights, numbers, from)
        };
        let user_numbers = users.numbers.as_ref().map_or(0, |numbers| numbers.dims()[1]);
        let (user_sums, item_sums) = (sums(users, 0), sums(items, user_numbers));
        let columns = user_sums.dims()[1];
        let mut scores = Vec::with_capacity(users.rows * items.rows);
        for user in 0..users.rows {
            let own = of_users.clone().slice([user..user + 1, 0..users.bags, 0..width]);
            let own = own.expand([items.rows, users.bags, width]);
            let sums = item_sums.clone() + user_sums.clone().slice([user..user + 1, 0..columns]);
            let dense = relu(self.bottom.above(weights, sums));
            let fields = Tensor::cat(vec![own, of_items.clone()], 1);
            scores.extend(saved::numbers(&self.top(weights, fields, dense, &mut None)));
        }
        scores
    }
}

impl Dlrm {
    /// # Shapes
    /// - `fields`: `[rows, bags, width]`
    /// - `dense`: `[rows, width]`, what the bottom tower makes of the numbers
    /// - returns: `[rows, 1]`
    fn top(&self, weights: &Weights, fields: Tensor<3>, dense: Tensor<2>, noise: &mut Option<&mut Noise>) -> Tensor<2> {
        self.top.forward(weights, Self::multiplied(fields, dense), noise)
    }

    /// What the top tower sees: what the bottom one made, and the products of all pairs of vectors.
    ///
    /// # Shapes
    /// - as for [`Self::top`]; returns: `[rows, width + products]`
    fn multiplied(fields: Tensor<3>, dense: Tensor<2>) -> Tensor<2> {
        let [rows, bags, width] = fields.dims();
        let n = bags + 1;
        let all = Tensor::cat(vec![fields, dense.clone().reshape([rows, 1, width])], 1);
        let products = all.clone().matmul(all.transpose()).reshape([rows, n * n]);
        // The products `i > j` of a square of products, row by row.
        let places: Vec<i64> = (0..n).flat_map(|row| (0..row).map(move |column| (row * n + column) as i64)).collect();
        let count = places.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &products.device());
        Tensor::cat(vec![dense, products.select(1, places)], 1)
    }
}
