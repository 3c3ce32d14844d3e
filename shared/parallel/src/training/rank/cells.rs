//! What a rank keeps of micro-batches that are on their way.

use std::rc::Rc;

use burn::tensor::Tensor;
use recspeed_plan::Cell;
use recspeed_plan::schedule::Buffers;

use crate::model::Pass;

/// A micro-batch between the beginning of its forward pass and the end of its backward pass.
pub(super) struct Flight<'m> {
    /// `None` where the forward pass is computed again.
    pub(super) pass: Option<Box<dyn Pass + 'm>>,
    /// What entered, where it is computed again.
    pub(super) input: Option<Tensor<2>>,
    /// The derivative by what left: of the last stage from the loss, of others from the stage after.
    pub(super) slope: Option<Tensor<2>>,
    /// Bytes on the ledger.
    pub(super) bytes: u64,
}

/// As many places as the plan has buffers.
pub(super) struct Cells<'m> {
    buffers: Rc<Buffers>,
    places: Vec<Option<Flight<'m>>>,
}

impl<'m> Cells<'m> {
    pub(super) fn new(buffers: Rc<Buffers>) -> Self {
        let places = (0..buffers.count()).map(|_| None).collect();
        Self { buffers, places }
    }

    /// # Panics
    /// When the plan's buffer is not free: a schedule that breaks its own promise.
    pub(super) fn begin(&mut self, cell: Cell, flight: Flight<'m>) {
        let place = &mut self.places[self.buffers.of_cell(cell)];
        assert!(place.is_none(), "the buffer of {cell:?} is not free");
        *place = Some(flight);
    }

    /// # Panics
    /// When there is no such micro-batch: a schedule that goes back before it has gone there.
    pub(super) fn get(&mut self, cell: Cell) -> &mut Flight<'m> {
        self.places[self.buffers.of_cell(cell)].as_mut().expect("forward comes before backward")
    }

    /// # Panics
    /// As [`Self::get`].
    pub(super) fn end(&mut self, cell: Cell) -> Flight<'m> {
        self.places[self.buffers.of_cell(cell)].take().expect("forward comes before backward")
    }
}
