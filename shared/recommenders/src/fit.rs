//! From a catalogue entry to a fitted recommender, and from saved parts back to one.

use recspeed_data::checkpoint::Identity;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::checkpoint::{Sealed, refuse_without_any};
use crate::memory::components::Forecast;
use crate::{FitError, Parts, PartsError, Recommender, TrainSet};
use crate::{baselines, content, factorization, hybrid, linear, machines, memory, neighbourhood};

/// The families of this crate, in the catalogue's order.
const FAMILIES: &[&[Method]] = &[
    baselines::METHODS,
    neighbourhood::METHODS,
    factorization::METHODS,
    linear::METHODS,
    content::METHODS,
    hybrid::METHODS,
    machines::METHODS,
];

/// One kind: how it is fitted, and how it is made of its saved parts.
pub(crate) struct Method {
    /// As in the catalogue.
    pub(crate) kind: &'static str,
    pub(crate) fit: fn(&FitRequest<'_>, &mut dyn FitObserver) -> Fitted,
    pub(crate) restore: fn(&RestoreRequest<'_>, Parts) -> Restored,
}

/// What a fit ends in.
pub type Fitted = Result<Box<dyn Recommender>, FitError>;
/// What saved parts become.
pub type Restored = Result<Box<dyn Recommender>, PartsError>;

/// Fits the kinds that this crate does not: those that need a tensor engine.
pub type FitElsewhere<'a> = dyn Fn(&FitRequest<'_>, &mut dyn FitObserver) -> Fitted + 'a;

/// Foretells the kinds that this crate does not fit: `None` where nothing is known of them, and an error where they will
/// not fit into the memory of the device that trains them.
pub type ForetellElsewhere<'a> = dyn Fn(&FitRequest<'_>) -> Foretold + 'a;
/// What it says.
pub type Foretold = Result<Option<Forecast>, FitError>;

/// Of whom nothing is known.
///
/// # Errors
/// None.
pub const fn unforeseen(_: &FitRequest<'_>) -> Foretold {
    Ok(None)
}

/// Makes recommenders of the saved parts of kinds that this crate does not fit.
pub type RestoreElsewhere<'a> = dyn Fn(&ResolvedRecommender, Parts) -> Restored + 'a;

/// What is to be fitted.
#[derive(Clone, Copy)]
pub struct FitRequest<'a> {
    /// The kind and its parameters.
    pub recommender: &'a ResolvedRecommender,
    /// What it learns from.
    pub data: &'a TrainSet<'a>,
    /// Everything random comes from it.
    pub seed: u64,
    /// Fits the components of a hybrid that are not fitted here.
    pub elsewhere: &'a FitElsewhere<'a>,
    /// Says what the fits of these take, before any component is fitted.
    pub foretell: &'a ForetellElsewhere<'a>,
    /// Whether those choose by the validation rows when to stop.
    pub stops_early: bool,
    /// Whether the model will be asked with attributes dealt out anew: [`Recommender::permute`] may then keep more.
    pub permutes: bool,
    /// What those fits depend on besides, for checkpoints: how networks are trained. `None` where none is.
    pub trained: Option<&'a Identity>,
}

/// What saved parts are to become.
#[derive(Clone, Copy)]
pub struct RestoreRequest<'a> {
    /// The kind and its parameters.
    pub recommender: &'a ResolvedRecommender,
    /// Restores the components of a hybrid that are not restored here.
    pub elsewhere: &'a RestoreElsewhere<'a>,
}

/// The kinds of the catalogue that [`fit`] can fit.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|methods| methods.iter()).map(|method| method.kind)
}

fn method(kind: &str) -> Option<&'static Method> {
    FAMILIES.iter().flat_map(|methods| methods.iter()).find(|method| method.kind == kind)
}

/// Whether this crate fits the kind.
pub(crate) fn is_fitted_here(kind: &str) -> bool {
    method(kind).is_some()
}

/// Fits the recommender to the training set. Everything random comes from `seed`; the result is the same to the last bit
/// for any number of rayon's threads.
///
/// # Errors
/// [`FitError`].
pub fn fit(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    seed: u64,
    observer: &mut dyn FitObserver,
) -> Fitted {
    let elsewhere: &FitElsewhere<'_> = &|request, _| Err(FitError::NotHere { kind: request.recommender.entry.kind });
    let foretell = &unforeseen;
    let (stops_early, permutes, trained) = (false, false, None);
    let request = FitRequest { recommender, data, seed, elsewhere, foretell, stops_early, permutes, trained };
    fit_request(&request, observer)
}

/// [`fit`] with somebody else for the kinds that are not fitted here. The components of a hybrid are foretold together
/// before the first of them is fitted.
///
/// # Errors
/// [`FitError`].
pub fn fit_request(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Fitted {
    refuse_without_any(request.recommender, observer)?;
    memory::components::check_before_the_fit(request, observer)?;
    // A hybrid's checkpoint is that of one of its components: whose it is, is said once, of the whole.
    let mut sealed = Sealed::new(request, observer);
    let fitted = fit_part(request, &mut sealed);
    sealed.refused().map_or(fitted, Err)
}

/// [`fit_request`] of what has been foretold: a component, or what is none.
///
/// # Errors
/// [`FitError`].
pub(crate) fn fit_part(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Fitted {
    let entry = request.recommender.entry;
    let Some(method) = method(entry.kind) else { return (request.elsewhere)(request, observer) };
    if request.data.rows.is_empty() {
        return Err(FitError::NoRows);
    }
    request.data.check_needs(request.recommender)?;
    if let Some(known) = request.data.item_attributes {
        hybrid::refuse_taken(request.recommender, known)?;
    }
    content::check_components(request.recommender, request.data)?;
    let foreseen = memory::check_vectors(request.recommender, request.data, observer)?;
    let ratings = &request.data.by_user.values;
    (method.fit)(request, observer).map_err(|error| error.of(request.recommender, ratings).with_time(foreseen))
}

/// Whether a fit over so many items would be refused, before there are any data. `memory_left`: as of [`FitObserver::memory_left`].
///
/// # Errors
/// [`FitError`]: what the fit itself would answer.
pub fn foresee(recommender: &ResolvedRecommender, n_items: usize, memory_left: Option<u64>) -> Result<(), FitError> {
    if recommender.entry.kind == "ease" {
        linear::check_items(n_items, memory_left)?;
    }
    let mut components = recommender.components().iter().enumerate();
    components.try_for_each(|(index, component)| {
        foresee(component, n_items, memory_left).map_err(|error| error.of_component(index))
    })
}

/// The recommender that these parts were taken from: it answers with the same bits.
///
/// # Errors
/// [`PartsError`]: a kind of another crate, or parts of something else.
pub fn restore(recommender: &ResolvedRecommender, parts: Parts) -> Restored {
    let elsewhere: &RestoreElsewhere<'_> = &|recommender, _| Err(PartsError::Kind { kind: recommender.entry.kind });
    restore_request(&RestoreRequest { recommender, elsewhere }, parts)
}

/// [`restore`] with somebody else for the kinds that are not restored here.
///
/// # Errors
/// [`PartsError`].
pub fn restore_request(request: &RestoreRequest<'_>, parts: Parts) -> Restored {
    match method(request.recommender.entry.kind) {
        Some(method) => (method.restore)(request, parts),
        None => (request.elsewhere)(request.recommender, parts),
    }
}
