//! What one step learns from, and how it is cut.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::model::{Model, StepNoise};
use crate::tables::{LookUp, Wanted};

/// What one step learns from; all ranks are given the same.
pub trait Batch {
    /// Rows that it can be cut between: ratings, or lines of a grid of sequences.
    fn rows(&self) -> usize;

    /// Dropout of this step.
    fn noise(&self) -> StepNoise;

    /// What is looked up in each table; nothing where the layers look nothing up.
    fn look_ups(&self) -> &[LookUp] {
        &[]
    }

    /// Some of its rows, at least one.
    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_>;
}

/// Some rows of a batch.
pub trait MicroBatch {
    /// The layers as they compute these rows, which may depend on them, as what attention may see does. Their parameters are
    /// those of the rank's model.
    fn model(&self) -> &dyn Model;

    /// The part of the batch's loss that these rows make, as a share of 1: losses are means, and what they are means over need not
    /// lie evenly in the rows.
    fn share(&self) -> f64;

    /// The places of each look-up that are read for what enters the first layer; none unless said otherwise.
    fn reads(&self) -> Wanted {
        Wanted::new()
    }

    /// The places of each look-up that are read to say what the loss is; none unless said otherwise.
    fn scored(&self) -> Wanted {
        Wanted::new()
    }

    /// What enters the first layer; only first stages ask.
    ///
    /// # Shapes
    /// - `rows`: for each table `[places of [`Self::reads`], width]`
    /// - returns: `[rows, inputs]`
    fn input(&self, rows: &[Tensor<2>]) -> Tensor<2>;

    /// The derivative by looked-up rows, of that by what enters the first layer; only first stages ask, where something is looked
    /// up.
    ///
    /// # Shapes
    /// - `slope`: as [`Self::input`] gave it
    /// - returns: as `rows` were there
    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        let _ = slope;
        Vec::new()
    }

    /// What the loss is of these rows; only last stages ask.
    ///
    /// # Shapes
    /// - `scores`: what the last layer put out
    /// - `rows`: for each table `[places of [`Self::scored`], width]`
    fn judge(&self, scores: Tensor<2>, rows: &[Tensor<2>]) -> Judged;
}

/// A loss.
#[derive(Debug)]
pub struct Judged {
    /// Its value, a mean over the rows.
    pub value: f64,
    /// Its derivative by each score, in their shape.
    pub slope: Tensor<2>,
    /// Its derivative by each looked-up row that was scored, in their shapes; nothing where none were.
    pub rows: Vec<Tensor<2>>,
}

/// Says of scores, `[rows, scores of a row]`, and the rows of the batch that they belong to what their loss is.
pub type Judge<'a> = Box<dyn Fn(Tensor<2>, Range<usize>) -> Judged + 'a>;

/// A batch whose rows are those of a matrix and count the same each.
pub struct Matrix<'a> {
    /// Computes any rows the same way.
    pub model: &'a dyn Model,
    /// `[rows, inputs]`
    pub input: &'a Tensor<2>,
    /// Dropout of this step.
    pub noise: StepNoise,
    /// The loss.
    pub judge: Judge<'a>,
}

impl std::fmt::Debug for Matrix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix").field("input", &self.input.dims()).field("noise", &self.noise).finish_non_exhaustive()
    }
}

impl Batch for Matrix<'_> {
    fn rows(&self) -> usize {
        self.input.dims()[0]
    }

    fn noise(&self) -> StepNoise {
        self.noise
    }

    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_> {
        Box::new(RowsOf { matrix: self, rows })
    }
}

struct RowsOf<'a> {
    matrix: &'a Matrix<'a>,
    rows: Range<usize>,
}

impl MicroBatch for RowsOf<'_> {
    fn model(&self) -> &dyn Model {
        self.matrix.model
    }

    fn share(&self) -> f64 {
        self.rows.len() as f64 / self.matrix.rows() as f64
    }

    fn input(&self, _: &[Tensor<2>]) -> Tensor<2> {
        let all = self.matrix.input;
        let [rows, inputs] = all.dims();
        if self.rows == (0..rows) { all.clone() } else { all.clone().slice([self.rows.clone(), 0..inputs]) }
    }

    fn judge(&self, scores: Tensor<2>, _: &[Tensor<2>]) -> Judged {
        (self.matrix.judge)(scores, self.rows.clone())
    }
}
