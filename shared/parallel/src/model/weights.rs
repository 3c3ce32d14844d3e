//! The numbers of a layer.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;

/// The numbers of a layer, `[parameters of the layer]`: a stretch of a longer row, without a copy. Clones share the views that have been
/// made of it, so that these are made once for both passes of all micro-batches.
#[derive(Debug, Clone)]
pub struct Weights(Rc<Stretch>);

#[derive(Debug)]
struct Stretch {
    row: Rc<Tensor<1>>,
    place: Range<usize>,
    matrix: OnceCell<Tensor<2>>,
    rest: OnceCell<Tensor<1>>,
}

impl Weights {
    /// These of a row, which others may share.
    pub fn of(row: impl Into<Rc<Tensor<1>>>, place: Range<usize>) -> Self {
        Self(Rc::new(Stretch { row: row.into(), place, matrix: OnceCell::new(), rest: OnceCell::new() }))
    }

    /// All numbers.
    pub fn whole(&self) -> Tensor<1> {
        self.view(self.0.place.clone())
    }

    fn view(&self, place: Range<usize>) -> Tensor<1> {
        Tensor::clone(&self.0.row).slice([place])
    }

    /// The first ones as a matrix, row by row; a layer asks for one shape only.
    pub fn matrix(&self, shape: [usize; 2]) -> Tensor<2> {
        let start = self.0.place.start;
        let view = || self.view(start..start + shape[0] * shape[1]).reshape(shape);
        self.0.matrix.get_or_init(view).clone()
    }

    /// Those after the first `first` ones; a layer asks for one place only.
    pub fn after(&self, first: usize) -> Tensor<1> {
        let Range { start, end } = self.0.place;
        self.0.rest.get_or_init(|| self.view(start + first..end)).clone()
    }
}

impl From<Tensor<1>> for Weights {
    fn from(row: Tensor<1>) -> Self {
        let count = row.dims()[0];
        Self::of(row, 0..count)
    }
}
