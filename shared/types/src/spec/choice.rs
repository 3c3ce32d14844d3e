//! What the validation rows choose, and whether the very same rows then measure it.

use super::evaluation::EvaluateOn;
use super::recommender::ResolvedRecommender;
use super::resolve::ResolvedSpec;

impl ResolvedSpec {
    /// What the recommender chooses by the validation rows, in words that follow its name; `None` where they choose
    /// nothing.
    pub fn chooses_by_validation(&self) -> Option<&'static str> {
        let learns =
            |part: &&ResolvedRecommender| part.entry.param("weights").is_some() && part.text("weights") == "learnt";
        let stops = self.training.as_ref().is_some_and(|training| training.early_stopping.is_some());
        match (stops, self.recommender.all().iter().any(learns)) {
            (true, true) => Some("learns weights and stops its training"),
            (true, false) => Some("stops its training"),
            (false, true) => Some("learns weights"),
            (false, false) => None,
        }
    }

    /// The same where those rows are also what is measured: the best of several is taken by the numbers that are then
    /// shown, which flatters them.
    pub fn chooses_by_what_is_measured(&self) -> Option<&'static str> {
        match self.evaluation.on {
            EvaluateOn::Validation => self.chooses_by_validation(),
            EvaluateOn::Test => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExperimentSpec;
    use crate::spec::{ParamValue, RecommenderSpec};

    fn chosen(spec: &ExperimentSpec) -> [Option<&'static str>; 2] {
        [EvaluateOn::Test, EvaluateOn::Validation].map(|on| {
            let mut spec = spec.clone();
            spec.evaluation.on = on;
            spec.resolve().expect("a spec without mistakes").chooses_by_what_is_measured()
        })
    }

    #[test]
    fn what_is_measured_on_the_rows_that_chose_is_told_and_nothing_else_is() {
        let spec = |recommender| {
            let mut spec = ExperimentSpec { recommender, ..ExperimentSpec::default() };
            spec.split.validation_ratio = Some(0.1);
            spec
        };
        let mut network = spec(RecommenderSpec::new("mlp"));
        assert_eq!(chosen(&network), [None, None], "the last epoch is kept, whatever the validation rows say");
        network.training.early_stopping = Some(3);
        assert_eq!(chosen(&network), [None, Some("stops its training")]);
        let weighted = |how: &str| {
            let recommender = RecommenderSpec::new("weighted").with("weights", ParamValue::Text(how.to_owned()));
            let mut spec = spec(recommender);
            spec.evaluation.metrics = vec!["ndcg@10".parse().expect("a metric")];
            spec
        };
        assert_eq!(chosen(&weighted("given")), [None, None]);
        assert_eq!(chosen(&weighted("learnt")), [None, Some("learns weights")]);
        let parts = ["neumf", "popularity"].map(RecommenderSpec::new).into();
        let mut both = weighted("learnt");
        both.recommender = both.recommender.with("components", ParamValue::Recommenders(parts));
        both.training.early_stopping = Some(3);
        assert_eq!(chosen(&both), [None, Some("learns weights and stops its training")]);
    }
}
