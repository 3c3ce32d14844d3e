//! DLRM: dot products of all pairs of fields, and a tower over them.

use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, TensorData};
use recspeed_types::spec::ResolvedRecommender;

use super::fielded::{FieldNetwork, fit_on_fields, restore, vectors};
use super::tower::Tower;
use crate::fields::Fields;
use crate::method::Method;
use crate::training::layout::{Layout, TableId};
use crate::training::network::{Noise, Weights};
use crate::training::rows::LookUp;

pub(crate) const METHOD: Method = Method { kind: "dlrm", fit: fit_on_fields::<Dlrm>, restore: restore::<Dlrm> };

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

    /// Places of the products `i > j` in a square of products, row by row.
    fn below_the_diagonal(&self) -> Vec<i64> {
        let n = self.vectors_of_a_pair();
        (0..n).flat_map(|row| (0..row).map(move |column| (row * n + column) as i64)).collect()
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
        let (rows, n) = (vectors.dims()[0] / self.bags, self.vectors_of_a_pair());
        let numbers = numbers.unwrap_or_else(|| Tensor::zeros([rows, 0], &vectors.device()));
        let dense = relu(self.bottom.forward(weights, numbers, &mut noise)); // [rows, width]
        let fields: Tensor<3> = vectors.reshape([rows, self.bags, self.width]);
        let all = Tensor::cat(vec![fields, dense.clone().reshape([rows, 1, self.width])], 1);
        let products = all.clone().matmul(all.transpose()).reshape([rows, n * n]);
        let places = self.below_the_diagonal();
        let count = places.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &products.device());
        let input = Tensor::cat(vec![dense, products.select(1, places)], 1);
        self.top.forward(weights, input, &mut noise)
    }

    fn activations(&self, _: &Fields) -> usize {
        let n = self.vectors_of_a_pair();
        4 * n * self.width + 3 * n * n + self.bottom.activations() + self.top.activations()
    }
}
