//! Checkpoints of fits: one goes on with the fit of its own spec and data alone.
//!
//! A hybrid's belongs to the whole of its spec, components included: those before the one that was being fitted are fitted
//! again, and those behind it may learn from it.

use std::cell::OnceCell;

use recspeed_data::checkpoint::{CheckpointError, Identity, open, seal};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;

use crate::FitError;
use crate::fit::FitRequest;

/// Refuses a checkpoint where there can be none: left aside, it would look as if it had been gone on from.
pub(crate) fn refuse_without_any(
    recommender: &ResolvedRecommender,
    observer: &mut dyn FitObserver,
) -> Result<(), FitError> {
    if !recommender.keeps_checkpoints() && observer.take_resume_state().is_some() {
        return Err(CheckpointError::other(format!("`{}` keeps no checkpoints", recommender.entry.kind)).into());
    }
    Ok(())
}

/// Listens to a fit for somebody else: its checkpoints say whose they are, and it gets none but its own.
pub(crate) struct Sealed<'a> {
    observer: &'a mut dyn FitObserver,
    request: &'a FitRequest<'a>,
    /// What the fit depends on, once it is needed: the rows are gone through for it.
    identity: OnceCell<Identity>,
    /// Why the checkpoint that the fit asked for was kept from it.
    refused: Option<FitError>,
}

impl<'a> Sealed<'a> {
    pub(crate) fn new(request: &'a FitRequest<'a>, observer: &'a mut dyn FitObserver) -> Self {
        Self { observer, request, identity: OnceCell::new(), refused: None }
    }

    /// Why the fit could not go on, where that was its checkpoint.
    pub(crate) fn refused(self) -> Option<FitError> {
        self.refused
    }
}

impl FitObserver for Sealed<'_> {
    fn event(&mut self, event: EventKind) {
        self.observer.event(event);
    }

    fn stop_requested(&mut self) -> bool {
        self.observer.stop_requested()
    }

    fn memory_left(&self) -> Option<u64> {
        self.observer.memory_left()
    }

    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        let (identity, request) = (&self.identity, self.request);
        self.observer.checkpoint(step, &mut || seal(state(), identity.get_or_init(|| identity_of(request))));
    }

    fn keeps_checkpoints(&self) -> bool {
        self.observer.keeps_checkpoints()
    }

    fn wants_checkpoint(&mut self) -> bool {
        self.observer.wants_checkpoint()
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        let mut sealed = self.observer.take_resume_state()?;
        let identity = self.identity.get_or_init(|| identity_of(self.request));
        match open(&sealed, identity).map(<[u8]>::len) {
            Ok(length) => sealed.truncate(length),
            Err(error) => {
                self.refused = Some(error.into());
                // What is empty is no state of any fit: it ends, and the error is told in place of its own.
                sealed = Vec::new();
            }
        }
        Some(sealed)
    }
}

/// What a fit depends on.
fn identity_of(request: &FitRequest<'_>) -> Identity {
    let (recommender, data) = (request.recommender, request.data);
    let is_hybrid = !recommender.components().is_empty();
    // Rounds are the same however many follow them, but for a sampler: their number says which of its draws stay. What
    // comes behind a component may hang on all of its rounds.
    let left_out: &[&str] = if is_hybrid || recommender.entry.kind == "fm" { &[] } else { &["iterations"] };
    let identity = Identity::default()
        .with_recommender(recommender, left_out)
        .with("seed", &request.seed)
        .with_rows(data.interactions, data.rows)
        .with_attributes(recommender, data.item_attributes, data.user_attributes);
    // By the validation rows networks stop early, and weights are learnt.
    let identity = if is_hybrid { identity.with_validation(data.interactions, data.validation) } else { identity };
    match request.trained {
        Some(trained) => identity.and(trained),
        None => identity,
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;
    use recspeed_types::spec::{ParamValue, RecommenderSpec};
    use recspeed_types::{ExperimentSpec, MetricKind, MetricName};

    use super::*;
    use crate::fit::unforeseen;
    use crate::{Fitted, TrainSet};

    fn identity(names: &[&str], factors: i64, iterations: i64) -> Identity {
        let recommender = RecommenderSpec::new("feature-embeddings")
            .with("factors", ParamValue::Integer(factors))
            .with("iterations", ParamValue::Integer(iterations))
            .with("item_attributes", ParamValue::Names(names.iter().map(|name| (*name).to_owned()).collect()));
        let mut spec = ExperimentSpec { recommender, ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
        let recommender = spec.resolve().expect("a spec").recommender;
        let mut builder = InteractionsBuilder::default();
        builder.push("u", "i", 5.0, 1);
        let all = builder.finish();
        let data = TrainSet::new(&all, &[0]);
        let nobody = |_: &FitRequest<'_>, _: &mut dyn FitObserver| -> Fitted { Err(FitError::NoRows) };
        identity_of(&FitRequest {
            recommender: &recommender,
            data: &data,
            seed: 1,
            elsewhere: &nobody,
            foretell: &unforeseen,
            stops_early: false,
            permutes: false,
            trained: None,
        })
    }

    #[test]
    fn an_identity_keeps_all_of_a_long_value_and_leaves_out_the_number_of_rounds() {
        let long = "a".repeat(80);
        let [one, other] = ["x", "y"].map(|end| format!("{long}{end}"));
        let of = |name: &str| identity(&[name], 8, 10);
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other), "names that differ behind what people are shown");
        assert_ne!(identity(&["a", "b"], 8, 10), identity(&["a\", \"b"], 8, 10), "two names and one with quotes");
        assert_eq!(identity(&["a"], 8, 10), identity(&["a"], 8, 20));
        assert_ne!(identity(&["a"], 8, 10), identity(&["a"], 9, 10));
    }
}
