//! What the components of a hybrid take together, told before the first of them is fitted.
//!
//! They are fitted one after another, and each model stays: a component has what the ones before it leave.

use std::cell::Cell;

use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FitObserver, Remedy};

use super::profiles::Table;
use super::vectors::{self, Counts};
use super::{LITTLE, Needs};
use crate::fit::{FitRequest, Foretold, fit_part, is_fitted_here};
use crate::hybrid::attributes_for;
use crate::linear::check_items;
use crate::{FitError, TrainSet};

/// What the fit of one recommender takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// What is computed.
    pub what: &'static str,
    /// Bytes at its highest point, beside the data.
    pub bytes: u64,
    /// Of these, what its model keeps; 0 where only the fit can tell.
    pub stays: u64,
    /// What the model keeps once it has read what is known at the test: no less than `stays`.
    pub at_test: u64,
    /// About how long it takes.
    pub seconds: f64,
    /// What makes it smaller, and what to take instead.
    pub remedy: &'static Remedy,
}

impl Forecast {
    /// What a refusal says; `None` of other errors, and of memory that was asked for in the middle of a fit.
    fn of(error: &FitError) -> Option<Self> {
        match *error {
            FitError::Unaffordable { what, bytes, stays, at_test, seconds: Some(seconds), remedy, .. } => {
                Some(Self { what, bytes, stays, at_test, seconds, remedy })
            }
            _ => None,
        }
    }
}

/// How large data are that nobody has read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Users.
    pub users: u64,
    /// Items.
    pub items: u64,
    /// Rows that may be learnt from, by which the time is told.
    pub rows: u64,
    /// Whether checkpoints are written.
    pub checkpoints: bool,
}

/// What the fit of a recommender that is no hybrid takes at least, as far as that follows from the numbers of users and
/// items.
pub fn foretell(recommender: &ResolvedRecommender, sizes: &Sizes) -> Option<Forecast> {
    if recommender.entry.kind == "ease" {
        let asked = check_items(usize::try_from(sizes.items).unwrap_or(usize::MAX), Some(0));
        return asked.err().as_ref().and_then(Forecast::of);
    }
    let counts = |rows: u64| Counts {
        users: sizes.users,
        items: sizes.items,
        // Of so many rows each may be of one item.
        known: sizes.items.min(rows),
        rows,
        entries: rows,
        threads: rayon::current_num_threads() as u64,
    };
    // There is one row at least.
    let Needs { bytes, stays, .. } = vectors::needs(recommender, &counts(1), sizes.checkpoints)?;
    let Needs { seconds, .. } = vectors::needs(recommender, &counts(sizes.rows), sizes.checkpoints)?;
    let (what, remedy) = (vectors::WHAT, vectors::remedy(recommender.entry.predicts));
    Some(Forecast { what, bytes, stays, at_test: stays, seconds, remedy })
}

/// Refuses a hybrid one of whose components takes more than the ones before it would leave of `left` bytes. `forecast`:
/// what is known of a component that is no hybrid itself.
///
/// # Errors
/// [`FitError::Together`].
pub fn check_components(
    recommender: &ResolvedRecommender,
    left: u64,
    forecast: &dyn Fn(&ResolvedRecommender) -> Option<Forecast>,
) -> Result<(), FitError> {
    let mut parts = Vec::new();
    known(recommender, "recommender", forecast, &mut parts);
    check(&parts, left)
}

/// The same, of what the components themselves say of these data. Those that are fitted elsewhere are also asked where
/// nobody knows how much is left: they may have a memory of their own.
///
/// # Errors
/// [`FitError::Together`]; what a component says that is refused elsewhere; or stopped while one counted what it needs.
pub(crate) fn check_before_the_fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<(), FitError> {
    if request.recommender.components().is_empty() {
        return Ok(());
    }
    let left = observer.memory_left();
    let mut parts = Vec::new();
    asked(request, ("recommender", left.is_some()), observer, &mut parts)?;
    left.map_or(Ok(()), |left| check(&parts, left))
}

/// A component that is no hybrid.
struct Part {
    place: String,
    kind: &'static str,
    forecast: Forecast,
}

/// The fullest moment is that of the component for which most is there, together with the models before it; or the
/// test, when all models are there and some have read more than they were fitted to. That is told of the one that grows
/// most.
fn check(parts: &[Part], left: u64) -> Result<(), FitError> {
    let (mut kept, mut fullest) = (0u64, None);
    let mut most = left;
    for part in parts {
        let together = kept.saturating_add(part.forecast.bytes);
        if together > most {
            (most, fullest) = (together, Some((part, kept, part.forecast.bytes)));
        }
        kept = kept.saturating_add(part.forecast.stays);
    }
    let all = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.forecast.at_test));
    if all > most {
        let grows = |part: &&Part| part.forecast.at_test.saturating_sub(part.forecast.stays);
        let at_test = |part: &Part| part.forecast.at_test;
        fullest = parts.iter().max_by_key(grows).map(|part| (part, all - at_test(part), at_test(part)));
    }
    match fullest {
        Some((part, kept, bytes)) => {
            let Part { kind, forecast, .. } = *part;
            let (place, forecast) = (part.place.clone(), Forecast { bytes, ..forecast });
            Err(FitError::Together { place, kind, kept, left, forecast })
        }
        None => Ok(()),
    }
}

/// The components in the order in which they are fitted, as far as something is known of them.
fn known(
    recommender: &ResolvedRecommender,
    at: &str,
    forecast: &dyn Fn(&ResolvedRecommender) -> Option<Forecast>,
    parts: &mut Vec<Part>,
) {
    for (index, component) in recommender.components().iter().enumerate() {
        let place = format!("{at}.components[{index}]");
        if !component.components().is_empty() {
            known(component, &place, forecast, parts);
        } else if let Some(forecast) = forecast(component) {
            parts.push(Part { place, kind: component.entry.kind, forecast });
        }
    }
}

/// The same, each asked with the data that it will have; `all`: not only those that are fitted elsewhere.
///
/// # Errors
/// [`FitError::Interrupted`], and those of [`FitRequest::foretell`], with the place of the component.
fn asked(
    request: &FitRequest<'_>,
    (at, all): (&str, bool),
    observer: &mut dyn FitObserver,
    parts: &mut Vec<Part>,
) -> Result<(), FitError> {
    for (index, recommender) in request.recommender.components().iter().enumerate() {
        let is_hybrid = !recommender.components().is_empty();
        if !(all || is_hybrid) && is_fitted_here(recommender.entry.kind) {
            continue;
        }
        let place = format!("{at}.components[{index}]");
        let made = attributes_for(request, index);
        let item_attributes = made.as_ref().or(request.data.item_attributes);
        let data = TrainSet { item_attributes, ..request.data.clone() };
        let own = FitRequest { recommender, data: &data, ..*request };
        let of_component = |error: FitError| error.of_component(index);
        if is_hybrid {
            asked(&own, (&place[..], all), observer, parts).map_err(of_component)?;
            continue;
        }
        let forecast = forecast_of(&own, observer).map_err(of_component)?;
        // What the hybrid makes of the component's model is there with it from then on.
        let table = Table::of(request.recommender.entry.kind, recommender, &data);
        if let Some(forecast) = table.map_or(forecast, |table| Some(table.with(forecast))) {
            parts.push(Part { place, kind: recommender.entry.kind, forecast });
        }
    }
    Ok(())
}

/// What a component says that it needs. A fit that holds more than a little asks how much is left before it works, and
/// says what it needs where that is too little: here nothing is left. What else it has to say it says when it is
/// fitted.
///
/// # Errors
/// [`FitError::Interrupted`]: the observer stopped it. Those of [`FitRequest::foretell`].
fn forecast_of(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Foretold {
    let kind = request.recommender.entry.kind;
    if !is_fitted_here(kind) {
        return (request.foretell)(request);
    }
    if LITTLE.contains(&kind) {
        return Ok(None);
    }
    let mut nothing = NothingLeft { observer, asked: Cell::new(false), works: false, stopped: false };
    let fitted = fit_part(request, &mut nothing);
    match fitted {
        Err(stop @ FitError::Interrupted { .. }) if nothing.stopped => Err(stop),
        Err(error) => Ok(Forecast::of(&error)),
        Ok(_) => Ok(None),
    }
}

/// Leaves a fit nothing, and ends one that needs nothing: that one tells of its work. One that has yet to count what it
/// needs tells of nothing, and goes on until it knows.
struct NothingLeft<'a> {
    observer: &'a mut dyn FitObserver,
    /// Whether the fit knows that nothing is left.
    asked: Cell<bool>,
    /// Whether it works all the same.
    works: bool,
    /// Whether the run is to stop.
    stopped: bool,
}

impl FitObserver for NothingLeft<'_> {
    fn event(&mut self, _: EventKind) {
        self.works |= self.asked.get();
    }

    fn stop_requested(&mut self) -> bool {
        if self.works {
            return true;
        }
        self.stopped |= self.observer.stop_requested();
        self.stopped
    }

    fn memory_left(&self) -> Option<u64> {
        self.asked.set(true);
        Some(0)
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn keeps_checkpoints(&self) -> bool {
        self.observer.keeps_checkpoints()
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::Instead;

    use super::*;

    fn part(index: usize, bytes: u64, stays: u64) -> Part {
        let remedy = &Remedy { lower: "recommender.factors", instead: &["item-knn"] };
        let forecast = Forecast { what: "it", bytes, stays, at_test: stays, seconds: 90.0, remedy };
        Part { place: format!("recommender.components[{index}]"), kind: "bpr", forecast }
    }

    fn grown(part: Part, at_test: u64) -> Part {
        Part { forecast: Forecast { at_test, ..part.forecast }, ..part }
    }

    #[test]
    fn at_the_test_all_models_are_there_with_what_they_have_read_by_then() {
        // While they are fitted 900 bytes are enough. At the test the first one is 850, beside the 100 of the other.
        let parts = [grown(part(0, 850, 400), 850), part(1, 500, 100)];
        assert_eq!(check(&parts, 950), Ok(()));
        let told = check(&parts, 949).expect_err("a byte less");
        let FitError::Together { place, kept: 100, left: 949, forecast, .. } = &told else { panic!("{told}") };
        assert_eq!((&place[..], forecast.bytes), ("recommender.components[0]", 850));
        assert!(told.to_string().contains("950 B with the 100 B that the other components keep by then"), "{told}");
        // Models that read nothing more never make the test the fullest moment.
        for kept in [0, 100, 500] {
            assert_eq!(check(&[part(0, 800, kept), part(1, 500, 500)], (kept + 500).max(800)), Ok(()));
        }
    }

    #[test]
    fn a_component_has_what_the_models_before_it_leave() {
        let parts = [part(0, 900, 400), part(1, 500, 300), part(2, 250, 100)];
        assert_eq!(check(&parts, 950), Ok(()), "the fullest moment is that of the last one");
        let told = check(&parts, 949).expect_err("a byte less");
        assert!(matches!(&told, FitError::Together { place, kept: 700, left: 949, .. } if place.ends_with("[2]")));
        let said = told.to_string();
        for words in ["components[2] (`bpr`)", "250 B of memory", "950 B with the 700 B", "about 90 seconds"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let remedy = "lower recommender.components[2].factors, or take recommender.components[2].kind = \"item-knn\"";
        assert!(said.ends_with(remedy), "{said}");
        assert_eq!(told.instead(), Instead::kinds("recommender.components.2", &["item-knn"]));
        let deeper = told.of_component(1).instead();
        assert_eq!(deeper, Instead::kinds("recommender.components.1.components.2", &["item-knn"]));
        // What it needs where nothing was kept yet.
        let told = check(&parts[..1], 899).expect_err("it does not fit alone").to_string();
        assert!(told.contains("900 B of memory, and about"), "{told}");
    }
}
