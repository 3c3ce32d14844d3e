//! The numbers of a layer.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;

/// The numbers of a layer, `[parameters of the layer]`: a stretch of a longer row, without a copy. Clones share the
/// views that have been made of it, so that these are made once for both passes of all micro-batches.
#[derive(Debug, Clone)]
pub struct Weights {
    row: Rc<Row>,
    /// Its place among the stretches of the row.
    at: usize,
}

/// The numbers of layers that follow each other in one row.
#[derive(Debug)]
pub(crate) struct Views(Rc<Row>);

#[derive(Debug)]
struct Row {
    numbers: Tensor<1>,
    stretches: Vec<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    place: Range<usize>,
    matrix: OnceCell<Tensor<2>>,
    rest: OnceCell<Tensor<1>>,
}

impl Views {
    /// Of these numbers, for each layer its stretch.
    pub(crate) fn new(numbers: Tensor<1>, places: &[Range<usize>]) -> Self {
        let stretch =
            |place: &Range<usize>| Stretch { place: place.clone(), matrix: OnceCell::new(), rest: OnceCell::new() };
        Self(Rc::new(Row { numbers, stretches: places.iter().map(stretch).collect() }))
    }

    /// The numbers of one of the layers.
    pub(crate) fn layer(&self, at: usize) -> Weights {
        Weights { row: self.0.clone(), at }
    }
}

impl Weights {
    /// These of a row.
    pub fn of(numbers: Tensor<1>, place: Range<usize>) -> Self {
        Views::new(numbers, &[place]).layer(0)
    }

    /// All numbers.
    pub fn whole(&self) -> Tensor<1> {
        self.view(self.stretch().place.clone())
    }

    fn stretch(&self) -> &Stretch {
        &self.row.stretches[self.at]
    }

    fn view(&self, place: Range<usize>) -> Tensor<1> {
        self.row.numbers.clone().slice([place])
    }

    /// The first ones as a matrix, row by row; a layer asks for one shape only.
    pub fn matrix(&self, shape: [usize; 2]) -> Tensor<2> {
        let Stretch { place, matrix, .. } = self.stretch();
        let view = || self.view(place.start..place.start + shape[0] * shape[1]).reshape(shape);
        matrix.get_or_init(view).clone()
    }

    /// Those after the first `first` ones; a layer asks for one place only.
    pub fn after(&self, first: usize) -> Tensor<1> {
        let Stretch { place, rest, .. } = self.stretch();
        rest.get_or_init(|| self.view(place.start + first..place.end)).clone()
    }
}

impl From<Tensor<1>> for Weights {
    fn from(row: Tensor<1>) -> Self {
        let count = row.dims()[0];
        Self::of(row, 0..count)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn each_layer_sees_its_own_stretch_of_the_row() {
        let row = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &Device::flex());
        let views = Views::new(row, &[0..3, 3..9]);
        let (first, second) = (views.layer(0), views.layer(1));
        let list = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let rows = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(list(first.whole()), [0.0, 1.0, 2.0]);
        assert_eq!((rows(first.matrix([2, 1])), list(first.after(2))), (vec![0.0, 1.0], vec![2.0]));
        assert_eq!(list(second.whole()), [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!((rows(second.matrix([2, 2])), list(second.after(4))), (vec![3.0, 4.0, 5.0, 6.0], vec![7.0, 8.0]));
        assert_eq!(list(second.clone().after(4)), [7.0, 8.0], "a clone has the same views");
    }
}
