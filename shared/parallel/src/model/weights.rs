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

/// The numbers of layers that follow each other in one row. It is made once and filled anew after each step: room for the views
/// of all layers costs the allocator more than the views do.
#[derive(Debug)]
pub(crate) struct Views(Rc<Row>);

#[derive(Debug)]
struct Row {
    numbers: OnceCell<Tensor<1>>,
    stretches: Vec<Stretch>,
    /// Whether it is there for one call only.
    lent: bool,
}

#[derive(Debug)]
struct Stretch {
    place: Range<usize>,
    matrix: OnceCell<Tensor<2>>,
    rest: OnceCell<Tensor<1>>,
}

impl Row {
    /// Of no numbers yet.
    fn of(places: impl IntoIterator<Item = Range<usize>>, lent: bool) -> Self {
        let stretch = |place| Stretch { place, matrix: OnceCell::new(), rest: OnceCell::new() };
        Self { numbers: OnceCell::new(), stretches: places.into_iter().map(stretch).collect(), lent }
    }
}

impl Views {
    /// Of no numbers yet: for each layer its place among those that come.
    pub(crate) fn of(places: impl IntoIterator<Item = Range<usize>>) -> Self {
        Self(Rc::new(Row::of(places, false)))
    }

    /// The numbers of one of the layers. `numbers`: the whole row, of which nothing is taken as long as it is held here.
    pub(crate) fn layer(&self, at: usize, numbers: &Tensor<1>) -> Weights {
        self.0.numbers.get_or_init(|| numbers.clone());
        Weights { row: self.0.clone(), at }
    }

    /// Holds no number any more, so that whoever has the row may change it where it lies. [`Weights`] that somebody still has
    /// keep theirs.
    pub(crate) fn let_go(&mut self) {
        match Rc::get_mut(&mut self.0) {
            Some(row) => {
                row.numbers.take();
                for Stretch { matrix, rest, .. } in &mut row.stretches {
                    (*matrix, *rest) = (OnceCell::new(), OnceCell::new());
                }
            }
            None => *self = Self::of(self.0.stretches.iter().map(|stretch| stretch.place.clone())),
        }
    }
}

impl Weights {
    /// These of a row.
    pub fn of(numbers: Tensor<1>, place: Range<usize>) -> Self {
        Views::of([place]).layer(0, &numbers)
    }

    /// A whole row that is there for one call: gathered from ranks that divide it, and given back when the call
    /// returns.
    pub fn lent(numbers: Tensor<1>) -> Self {
        let count = numbers.dims()[0];
        let views = Views(Rc::new(Row::of(std::iter::once(0..count), true)));
        views.layer(0, &numbers)
    }

    /// Whether they are there for one call only. Whoever gets them then keeps nothing of them, no view and no tape
    /// either: each of these holds the whole row, once for every micro-batch that is on its way.
    pub fn is_lent(&self) -> bool {
        self.row.lent
    }

    /// All numbers.
    pub fn whole(&self) -> Tensor<1> {
        self.view(self.stretch().place.clone())
    }

    fn stretch(&self) -> &Stretch {
        &self.row.stretches[self.at]
    }

    fn view(&self, place: Range<usize>) -> Tensor<1> {
        self.row.numbers.get().expect("set before anybody sees a layer").clone().slice([place])
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
        let views = Views::of([0..3, 3..9]);
        let (first, second) = (views.layer(0, &row), views.layer(1, &row));
        let list = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let rows = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(list(first.whole()), [0.0, 1.0, 2.0]);
        assert_eq!((rows(first.matrix([2, 1])), list(first.after(2))), (vec![0.0, 1.0], vec![2.0]));
        assert_eq!(list(second.whole()), [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!((rows(second.matrix([2, 2])), list(second.after(4))), (vec![3.0, 4.0, 5.0, 6.0], vec![7.0, 8.0]));
        assert_eq!(list(second.clone().after(4)), [7.0, 8.0], "a clone has the same views");
    }

    #[test]
    fn numbers_that_are_lent_say_so_and_are_seen_like_others() {
        let row = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &Device::flex());
        let (own, lent) = (Weights::from(row.clone()), Weights::lent(row));
        assert_eq!([own.is_lent(), lent.is_lent(), lent.clone().is_lent()], [false, true, true]);
        let list = |weights: &Weights| {
            let matrix: Tensor<2> = weights.matrix([2, 1]);
            let [matrix, rest] = [matrix.into_data(), weights.after(2).into_data()];
            [matrix, rest].map(|data| data.try_to_vec::<f32>().unwrap()).concat()
        };
        assert_eq!((list(&lent), list(&own)), (vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 3.0]));
    }

    #[test]
    fn after_a_step_the_views_are_those_of_the_new_numbers() {
        let row = |first: f32| Tensor::<1>::from_floats([first, first + 1.0, first + 2.0], &Device::flex());
        let list = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let seen = |weights: &Weights| {
            let matrix: Tensor<2> = weights.matrix([1, 2]);
            [matrix.into_data().try_to_vec::<f32>().unwrap(), list(weights.after(2))].concat()
        };
        let mut views = Views::of(std::iter::once(0..3));
        let before = views.layer(0, &row(0.0));
        assert_eq!(seen(&before), [0.0, 1.0, 2.0]);
        views.let_go();
        let after = views.layer(0, &row(5.0));
        assert_eq!((seen(&after), seen(&before)), (vec![5.0, 6.0, 7.0], vec![0.0, 1.0, 2.0]), "held: two rows");
        drop((before, after));
        views.let_go();
        assert_eq!(seen(&views.layer(0, &row(7.0))), [7.0, 8.0, 9.0], "held by nobody: the same room again");
    }
}
