//! Networks over pairs as a row of layers.

use std::ops::Range;

use burn::tensor::Tensor;
use recspeed_parallel::model::{Model, Pass, Sequential, StepNoise};
use recspeed_parallel::tables::Wanted;
use recspeed_parallel::training::{self, Judged, MicroBatch};
use recspeed_plan::sharding::TableShape;
use recspeed_plan::{Layer, whole_layers};
use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::likes::{PairNetwork, Paired, PairedInput};
use crate::training::losses;
use crate::training::network::Taped;
use crate::training::rows::LookUp;
use crate::training::staged::{RankLesson, Staged};

/// A [`PairNetwork`] whose dense parameters are a row of layers over looked-up vectors.
pub(crate) trait StagedPairs: PairNetwork {
    /// Its layers; their rows are pairs.
    fn layers(&self) -> Sequential;

    /// Its tables as ranks divide them.
    fn tables(&self) -> Vec<TableShape>;

    /// How large the data are that they see, which says what the layers cost.
    fn extent(&self) -> Extent;

    /// The places of each look-up that some pairs read.
    fn places(&self, pairs: Range<usize>) -> Wanted;

    /// What enters the first layer for some pairs.
    ///
    /// # Shapes
    /// - `looked_up`: for each table `[places, width]`
    /// - returns: `[pairs, inputs]`
    fn input(&self, fields: &Self::Fields, pairs: Range<usize>, looked_up: &[Tensor<2>]) -> Tensor<2>;

    /// The derivative by the looked-up vectors, of that by what enters the first layer.
    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>>;
}

impl<N: StagedPairs> Staged for Taped<Paired<N>> {
    type Layers = Sequential;

    fn layers(&self) -> Sequential {
        self.0.0.layers()
    }

    fn tables(&self) -> Vec<TableShape> {
        self.0.0.tables()
    }

    fn counted(&self, recommender: &ResolvedRecommender) -> Option<Vec<Layer>> {
        whole_layers(recommender, Some(&self.0.0.extent()))
    }

    fn batch<'a>(
        &'a self,
        layers: &'a Sequential,
        lesson: RankLesson<'a, PairedInput<N::Fields>>,
    ) -> Box<dyn training::Batch + 'a> {
        let pairs = Pairs { layers, per_row: lesson.input.per_row };
        Box::new(PairBatch { network: &self.0.0, pairs, lesson })
    }
}

/// Layers whose rows are pairs, some of which make a row of the batch.
struct Pairs<'a> {
    layers: &'a Sequential,
    per_row: usize,
}

impl Model for Pairs<'_> {
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2] {
        self.layers.boundary(layer, rows * self.per_row)
    }

    fn kept(&self, layers: Range<usize>, rows: usize) -> usize {
        self.layers.kept(layers, rows * self.per_row)
    }

    fn kept_of_lent(&self, layers: Range<usize>, rows: usize) -> usize {
        self.layers.kept_of_lent(layers, rows * self.per_row)
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        self.layers.begin(layers, input)
    }
}

struct PairBatch<'a, N: PairNetwork> {
    network: &'a N,
    pairs: Pairs<'a>,
    lesson: RankLesson<'a, PairedInput<N::Fields>>,
}

impl<N: PairNetwork> PairBatch<'_, N> {
    fn pairs(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start * self.pairs.per_row..rows.end * self.pairs.per_row
    }
}

impl<N: StagedPairs> training::Batch for PairBatch<'_, N> {
    fn rows(&self) -> usize {
        self.lesson.input.rows
    }

    fn noise(&self) -> StepNoise {
        self.lesson.noise
    }

    fn look_ups(&self) -> &[LookUp] {
        self.lesson.look_ups
    }

    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_> {
        Box::new(PairRows { batch: self, rows })
    }
}

struct PairRows<'a, N: PairNetwork> {
    batch: &'a PairBatch<'a, N>,
    rows: Range<usize>,
}

impl<N: StagedPairs> MicroBatch for PairRows<'_, N> {
    fn model(&self) -> &dyn Model {
        &self.batch.pairs
    }

    fn share(&self) -> f64 {
        self.rows.len() as f64 / self.batch.lesson.input.rows as f64
    }

    fn reads(&self) -> Wanted {
        self.batch.network.places(self.batch.pairs(&self.rows))
    }

    fn input(&self, looked_up: &[Tensor<2>]) -> Tensor<2> {
        self.batch.network.input(&self.batch.lesson.input.fields, self.batch.pairs(&self.rows), looked_up)
    }

    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        self.batch.network.by_rows(slope)
    }

    fn judge(&self, scores: Tensor<2>, _: &[Tensor<2>]) -> Judged {
        let shape = scores.dims();
        let scores = scores.reshape([self.rows.len(), self.batch.pairs.per_row]);
        let RankLesson { loss, targets, .. } = self.batch.lesson;
        let judged = losses::judge(loss, scores, &targets.of_rows(self.rows.clone()));
        Judged { slope: judged.slope.reshape(shape), ..judged }
    }
}
