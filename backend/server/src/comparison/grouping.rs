//! Which runs are one method.

use recspeed_types::ExperimentSpec;

use super::conditions::data_seed;

/// Whether two runs are one method on one data set: their specs are alike but for the seed.
pub(crate) fn one_method(left: &ExperimentSpec, right: &ExperimentSpec) -> bool {
    let seedless = ExperimentSpec { seed: left.seed, data_seed: left.data_seed, ..right.clone() };
    seedless == *left && data_seed(left) == data_seed(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_seed_is_the_same_method_and_other_data_are_not() {
        let first = ExperimentSpec { seed: 42, data_seed: Some(42), ..ExperimentSpec::default() };
        assert!(one_method(&first, &ExperimentSpec { seed: 43, ..first.clone() }));
        assert!(one_method(&first, &ExperimentSpec { data_seed: None, ..first.clone() }), "42 either way");
        assert!(
            !one_method(&first, &ExperimentSpec { seed: 43, data_seed: None, ..first.clone() }),
            "the data are of 43"
        );
        assert!(!one_method(&first, &ExperimentSpec { name: "other".to_owned(), ..first.clone() }));
    }
}
