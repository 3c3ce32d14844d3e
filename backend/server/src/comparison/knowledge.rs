//! Who knows the validation rows at the test, and who is measured on what chose.

use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{EvaluateOn, FitOn};

/// Whether a method knows the validation rows when it is tested: it learnt from them, or it reads them as what each person has. `None`
/// where they are what is measured, or the spec has mistakes.
fn knows_validation(spec: &ExperimentSpec) -> Option<bool> {
    let spec = spec.resolve().ok()?;
    let tested = spec.evaluation.on == EvaluateOn::Test;
    tested.then(|| spec.split.fit_on == FitOn::TrainValidation || spec.recommender.reads_history())
}

/// Which methods know the validation rows at the test and which do not, with the remedy; `None` where all know the same. `rows`: how many
/// validation rows there are. `methods`: what each is called, and what it ran.
pub(crate) fn uneven_knowledge(rows: u64, methods: &[(&str, &ExperimentSpec)]) -> Option<String> {
    if rows == 0 {
        return None;
    }
    let named = |wanted: bool| {
        let those = methods.iter().filter(|(_, spec)| knows_validation(spec) == Some(wanted));
        those.map(|(name, _)| format!("“{name}”")).collect::<Vec<_>>().join(", ")
    };
    let (know, do_not) = (named(true), named(false));
    if know.is_empty() || do_not.is_empty() {
        return None;
    }
    Some(format!(
        "Not all know the same at the test. With the validation rows, as what each person has: {know}. Without them: {do_not}. \
         For all to know them, set split.fit_on = \"train-validation\", where no training stops early and no weights are learnt by these rows, \
         or hold no validation rows out."
    ))
}

/// Which methods are measured on the very rows that chose their epoch or weights, with the remedy; `None` where none is. It
/// goes by the spec, not by the run's own warning, which older results lack.
pub(crate) fn flattered(methods: &[(&str, &ExperimentSpec)]) -> Option<String> {
    let told: Vec<String> = methods
        .iter()
        .filter_map(|(name, spec)| {
            Some(format!("“{name}” {} by them", spec.resolve().ok()?.chooses_by_what_is_measured()?))
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "Some numbers are flattered: they are measured on the validation rows, which have also chosen what is measured ({}). \
             For numbers to report, set evaluation.on = \"test\".",
            told.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::{ParamValue, RecommenderSpec};

    use super::*;

    fn spec(recommender: RecommenderSpec) -> ExperimentSpec {
        let mut spec = ExperimentSpec { recommender, ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        spec.split.validation_ratio = Some(0.1);
        spec
    }

    fn told(rows: u64, specs: &[(&str, ExperimentSpec)]) -> Option<String> {
        uneven_knowledge(rows, &specs.iter().map(|(name, spec)| (*name, spec)).collect::<Vec<_>>())
    }

    fn kinds<'a>(kinds: &[&'a str]) -> Vec<(&'a str, ExperimentSpec)> {
        kinds.iter().map(|kind| (*kind, spec(RecommenderSpec::new(kind)))).collect()
    }

    #[test]
    fn who_reads_the_validation_rows_and_who_does_not_are_named_with_a_remedy() {
        let mut methods = kinds(&["item-knn", "bpr", "sasrec", "popularity"]);
        let parts = ["als-implicit", "ease"].map(RecommenderSpec::new).into();
        let hybrid = RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(parts));
        methods.push(("Vote", spec(hybrid)));
        let said = told(500, &methods).unwrap();
        for part in [
            "as what each person has: “item-knn”, “sasrec”, “Vote”.",
            "Without them: “bpr”, “popularity”.",
            "split.fit_on = \"train-validation\"",
        ] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
        assert_eq!(told(0, &methods), None, "there are no such rows");
    }

    #[test]
    fn nothing_is_said_where_all_know_the_same() {
        assert_eq!(told(500, &kinds(&["item-knn", "ease"])), None);
        assert_eq!(told(500, &kinds(&["bpr", "popularity"])), None);
        let both = || kinds(&["item-knn", "bpr"]);
        assert!(told(500, &both()).is_some());
        let mut learnt = both();
        for (_, spec) in &mut learnt {
            spec.split.fit_on = Some(FitOn::TrainValidation);
        }
        assert_eq!(told(500, &learnt), None, "all learn from them");
        let mut measured = both();
        for (_, spec) in &mut measured {
            spec.evaluation.on = EvaluateOn::Validation;
        }
        assert_eq!(told(500, &measured), None, "nobody has read what is measured");
    }

    #[test]
    fn who_is_measured_on_the_rows_that_chose_is_named_and_nobody_else_is() {
        let mut methods = kinds(&["mlp", "neumf", "popularity"]);
        methods[0].1.training.early_stopping = Some(3);
        let said = |methods: &[(&str, ExperimentSpec)]| {
            flattered(&methods.iter().map(|(name, spec)| (*name, spec)).collect::<Vec<_>>())
        };
        assert_eq!(said(&methods), None, "the test rows chose nothing");
        for (_, spec) in &mut methods {
            spec.evaluation.on = EvaluateOn::Validation;
        }
        let told = said(&methods).expect("a sentence");
        assert!(told.contains("(“mlp” stops its training by them). For"), "{told}");
        assert!(!told.contains("neumf") && !told.contains("popularity"), "{told}");
        methods[0].1.training.early_stopping = None;
        assert_eq!(said(&methods), None, "the last epoch is nobody's choice");
    }
}
