//! The recommenders that a hybrid is made of.

use recspeed_data::checkpoint::CheckpointError;
use recspeed_data::{Attributes, Csr, Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::find;
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::spec::ResolvedRecommender;

use crate::fit::{FitRequest, RestoreRequest, fit_part, restore_request};
use crate::{BasketItem, FitError, Parts, PartsError, Profiles, Reason, Recommender, TrainSet};

/// Reasons that a component gives for its part.
const OWN_REASONS: usize = 3;

/// Fitted recommenders in the order of the spec.
pub(super) struct Components(Vec<Component>);

struct Component {
    kind: &'static str,
    model: Box<dyn Recommender>,
}

/// Whom a list is for.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    /// Somebody with training rows.
    Known(u32),
    /// Somebody who came after the training.
    New(&'a [BasketItem]),
}

impl Reader<'_> {
    /// The different items that they have, ascending.
    pub(super) fn own(self, by_user: &Csr) -> Vec<u32> {
        match self {
            Self::Known(user) => by_user.row(user as usize).0.to_vec(),
            Self::New(basket) => {
                let mut own: Vec<u32> = basket.iter().map(|own| own.item).collect();
                own.sort_unstable();
                own.dedup();
                own
            }
        }
    }
}

impl Components {
    /// Fits one after another, each to the request's data with the request's seed.
    ///
    /// # Errors
    /// [`FitError`], with the place of the component that failed.
    pub(super) fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        Self::fit_with(request, observer, |_, _, _| Ok(None))
    }

    /// The same, where the components before one may say what its item attributes are; `None` leaves those of the data.
    ///
    /// # Errors
    /// [`FitError`], with the place of the component that failed.
    pub(super) fn fit_with(
        request: &FitRequest<'_>,
        observer: &mut dyn FitObserver,
        attributes_of: impl Fn(usize, &Self, &mut dyn FitObserver) -> Result<Option<Attributes>, FitError>,
    ) -> Result<Self, FitError> {
        let wanted = request.recommender.components();
        let total = wanted.len() as u64;
        let (from, mut state) = match observer.take_resume_state() {
            Some(state) => {
                let (from, state) = read(state, wanted.len())?;
                (from, Some(state))
            }
            None => (0, None),
        };
        let mut fitted = Self(Vec::with_capacity(wanted.len()));
        for (index, recommender) in wanted.iter().enumerate() {
            let done = index as u64;
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done, total, unit: "components" });
            }
            // Components before the interrupted one are fitted again, to the same bits.
            let resume = if index == from { state.take() } else { None };
            let attributes = attributes_of(index, &fitted, observer)?;
            let known = attributes.as_ref().or(request.data.item_attributes);
            let data = TrainSet { item_attributes: known, ..request.data.clone() };
            let mut watch = Watch { observer, index, resume, may_save: index >= from };
            let model = fit_part(&FitRequest { recommender, data: &data, ..*request }, &mut watch)
                .map_err(|error| error.of_component(index))?;
            fitted.0.push(Component { kind: recommender.entry.kind, model });
            observer.event(EventKind::Progress { done: done + 1, total, unit: "components".to_owned() });
        }
        Ok(fitted)
    }

    /// The parts `components.0.…`, `components.1.…` of every component.
    pub(super) fn add_to(&self, parts: Parts) -> Parts {
        let with = |parts: Parts, (index, component): (usize, &Component)| {
            parts.with_model(&format!("components.{index}"), component.model.parts())
        };
        self.0.iter().enumerate().fold(parts, with)
    }

    /// The inverse of [`Self::add_to`].
    ///
    /// # Errors
    /// [`PartsError`]: parts of something else, or of different sizes.
    pub(super) fn take_from(request: &RestoreRequest<'_>, parts: &mut Parts) -> Result<Self, PartsError> {
        let take = |(index, recommender): (usize, &ResolvedRecommender)| {
            let own = parts.take_model(&format!("components.{index}"));
            let model = restore_request(&RestoreRequest { recommender, ..*request }, own)?;
            Ok(Component { kind: recommender.entry.kind, model })
        };
        let restored =
            request.recommender.components().iter().enumerate().map(take).collect::<Result<Vec<_>, PartsError>>()?;
        let sizes = |component: &Component| (component.model.n_users(), component.model.n_items());
        if restored.windows(2).any(|pair| sizes(&pair[0]) != sizes(&pair[1])) {
            let what = "know different numbers of users or items".to_owned();
            return Err(PartsError::Content { name: "components".to_owned(), what });
        }
        Ok(Self(restored))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn n_users(&self) -> usize {
        self.0.first().map_or(0, |component| component.model.n_users())
    }

    pub(super) fn n_items(&self) -> usize {
        self.0.first().map_or(0, |component| component.model.n_items())
    }

    pub(super) fn kind(&self, index: usize) -> &'static str {
        self.0[index].kind
    }

    pub(super) fn predict(&self, index: usize, user: u32, item: u32, timestamp: i64) -> f32 {
        self.0[index].model.predict(user, item, timestamp)
    }

    /// Whether all of them answer for people who came after the training.
    pub(super) fn serve_new_users(&self) -> bool {
        self.0.iter().all(|component| component.model.fold_in().is_some())
    }

    /// The component's own scores, `[n_items]`. A new reader is asked for only where all components serve one.
    pub(super) fn score(&self, index: usize, reader: Reader<'_>, scores: &mut [f32]) {
        let model = &self.0[index].model;
        match (reader, model.fold_in()) {
            (Reader::Known(user), _) => model.score_all(user, scores),
            (Reader::New(basket), Some(fold_in)) => fold_in.score_basket(basket, scores),
            (Reader::New(_), None) => scores.fill(0.0),
        }
    }

    /// A component's part in a score, with its own reasons.
    pub(super) fn reason(&self, index: usize, reader: Reader<'_>, item: u32, part: f32) -> Reason {
        let because = self.own_reasons(index, reader, item, OWN_REASONS);
        Reason::Component { index, component: self.0[index].kind, part, because }
    }

    /// Whether a component can say why.
    pub(super) fn explains(&self, index: usize) -> bool {
        find(self.0[index].kind).is_some_and(|entry| entry.explains.is_some())
    }

    /// What a component itself gives as reasons.
    pub(super) fn own_reasons(&self, index: usize, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let model = &self.0[index].model;
        match (reader, model.fold_in()) {
            (Reader::Known(user), _) => model.explain(user, item, n).unwrap_or_default(),
            (Reader::New(basket), Some(fold_in)) => fold_in.explain_basket(basket, item, n),
            (Reader::New(_), None) => Vec::new(),
        }
    }

    /// Dimensions of the component's profiles of people.
    pub(super) fn n_features(&self, index: usize) -> usize {
        self.0[index].model.profiles().map_or(0, Profiles::n_features)
    }

    /// What the component has learnt of a person; empty where it has no such profiles.
    pub(super) fn profile(&self, index: usize, reader: Reader<'_>) -> Vec<(u32, f32)> {
        let Some(profiles) = self.0[index].model.profiles() else { return Vec::new() };
        match reader {
            Reader::Known(user) => profiles.of_user(user),
            Reader::New(basket) => profiles.of_basket(basket),
        }
    }

    /// [`Recommender::read`] of all of them.
    ///
    /// # Errors
    /// [`FitError`], with the place of the component that failed.
    pub(super) fn read(
        &mut self,
        interactions: &Interactions,
        known: &[u32],
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        let total = self.len() as u64;
        for (index, component) in self.0.iter_mut().enumerate() {
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done: index as u64, total, unit: "components" });
            }
            component.model.read(interactions, known, observer).map_err(|error| error.of_component(index))?;
        }
        Ok(())
    }

    /// [`Recommender::permute`] of all of them; whether any of them reads the attribute.
    pub(super) fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        (0..self.len()).fold(false, |read, index| self.permute_one(index, permutation) | read)
    }

    /// The same of one.
    pub(super) fn permute_one(&mut self, index: usize, permutation: Option<&Permutation<'_>>) -> bool {
        self.0[index].model.permute(permutation)
    }

    pub(super) fn memory(&self) -> MemoryBytes {
        let add = |sum: MemoryBytes, component: &Component| {
            let own = component.model.memory();
            MemoryBytes { parameters: sum.parameters + own.parameters, buffers: sum.buffers + own.buffers, ..sum }
        };
        self.0.iter().fold(MemoryBytes::default(), add)
    }

    pub(super) fn parameters(&self) -> u64 {
        self.0.iter().map(|component| component.model.parameters()).sum()
    }
}

/// The weightiest `n` of some parts; equal parts by the component's place.
pub(super) fn weightiest(mut parts: Vec<(usize, f32)>, n: usize) -> Vec<(usize, f32)> {
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    parts.truncate(n);
    parts
}

/// Listens to the fit of one component.
struct Watch<'a> {
    observer: &'a mut dyn FitObserver,
    index: usize,
    resume: Option<Vec<u8>>,
    /// Not while the fit catches up with a checkpoint: that would be a step back.
    may_save: bool,
}

impl FitObserver for Watch<'_> {
    fn event(&mut self, event: EventKind) {
        // A loss of one component is not that of the run: several would draw one curve.
        self.observer.event(match event {
            EventKind::Metric { name, split, step, epoch, value } => {
                let name = format!("{name} of component {}", self.index);
                EventKind::Metric { name, split, step, epoch, value }
            }
            other => other,
        });
    }

    fn stop_requested(&mut self) -> bool {
        self.observer.stop_requested()
    }

    /// The state that the component goes on from lies here already; the component counts it when it is given it.
    fn memory_left(&self) -> Option<u64> {
        let held = self.resume.as_ref().map_or(0, |state| state.len() as u64);
        self.observer.memory_left().map(|left| left.saturating_add(held))
    }

    fn keeps_checkpoints(&self) -> bool {
        self.observer.keeps_checkpoints()
    }

    /// Layout: the component's own state, then which one it is of (u64, little-endian). In this order nothing has to move. Whose
    /// it is and whether it is whole is said behind it ([`crate::checkpoint`]).
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        if self.may_save {
            let place = (self.index as u64).to_le_bytes();
            self.observer.checkpoint(step, &mut || {
                let mut state = state();
                // Where no room was left, at least not for as much again.
                state.reserve_exact(place.len());
                state.extend_from_slice(&place);
                state
            });
        }
    }

    fn wants_checkpoint(&mut self) -> bool {
        self.may_save && self.observer.wants_checkpoint()
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

/// The component that was being fitted, and its state, in the memory where it lies.
fn read(mut bytes: Vec<u8>, components: usize) -> Result<(usize, Vec<u8>), FitError> {
    let wrong = || FitError::from(CheckpointError::other("it does not say which component it is of"));
    let (state, place) = bytes.split_last_chunk::<8>().ok_or_else(wrong)?;
    let (length, place) = (state.len(), usize::try_from(u64::from_le_bytes(*place)).ok());
    let index = place.filter(|index| *index < components).ok_or_else(wrong)?;
    bytes.truncate(length);
    Ok((index, bytes))
}
