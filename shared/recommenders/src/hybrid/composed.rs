//! What all hybrids have in common: a reader is answered out of components, which know, read and count for themselves.

use recspeed_data::{Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use super::components::{Components, Reader};
use crate::{BasketItem, FitError, FoldIn, Parts, Reason, Recommender};

/// A recommender that is made of others. Whoever says how it scores and explains is a [`Recommender`].
pub(super) trait Composed: Send + Sync {
    /// Those that it is made of.
    fn components(&self) -> &Components;

    /// The same, to be told something.
    fn components_mut(&mut self) -> &mut Components;

    /// What the reader's items are ranked by, `[n_items]`, overwritten.
    fn score(&self, reader: Reader<'_>, scores: &mut [f32]);

    /// Why an item has its score, the weightiest first, at most `n`.
    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason>;

    /// Whether it gives reasons: not where those would be of a component that has none.
    fn explains(&self) -> bool {
        true
    }

    /// [`Recommender::predict`]; the item's score unless the hybrid knows better or sooner.
    fn predict_one(&self, user: u32, item: u32, _timestamp: i64) -> f32 {
        self.score_one(user, item)
    }

    /// An item's score, which may need those of all others.
    fn score_one(&self, user: u32, item: u32) -> f32 {
        let mut scores = vec![0.0; self.components().n_items()];
        self.score(Reader::Known(user), &mut scores);
        scores[item as usize]
    }

    /// Takes over what the hybrid itself keeps of the rows that its components have just read.
    fn keep(&mut self, _interactions: &Interactions, _known: &[u32]) {}

    /// [`Recommender::permute`], of all components.
    fn permute_components(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.components_mut().permute(permutation)
    }

    /// Bytes that the hybrid holds beside its components: parameters, and buffers.
    fn own_bytes(&self) -> (usize, usize) {
        (0, 0)
    }

    /// Numbers that the hybrid itself has learnt.
    fn own_parameters(&self) -> usize {
        0
    }

    /// Parts of the hybrid itself; those of its components join them.
    fn own_parts(&self) -> Parts {
        Parts::default()
    }
}

impl<T: Composed> Recommender for T {
    fn n_users(&self) -> usize {
        self.components().n_users()
    }

    fn n_items(&self) -> usize {
        self.components().n_items()
    }

    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.predict_one(user, item, timestamp)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score(Reader::Known(user), scores);
    }

    fn read(
        &mut self,
        interactions: &Interactions,
        known: &[u32],
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        self.components_mut().read(interactions, known, observer)?;
        self.keep(interactions, known);
        Ok(())
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.permute_components(permutation)
    }

    fn memory(&self) -> MemoryBytes {
        let components = self.components().memory();
        let (parameters, buffers) = self.own_bytes();
        MemoryBytes {
            parameters: components.parameters + parameters as u64,
            buffers: components.buffers + buffers as u64,
            ..components
        }
    }

    fn parameters(&self) -> u64 {
        self.components().parameters() + self.own_parameters() as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        self.explains().then(|| self.reasons(Reader::Known(user), item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        if self.components().serve_new_users() { Some(self) } else { None }
    }

    /// Those of the hybrid; those of each component under its place.
    fn parts(&self) -> Parts {
        self.components().add_to(self.own_parts())
    }
}

impl<T: Composed> FoldIn for T {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score(Reader::New(basket), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(Reader::New(basket), item, n)
    }
}
