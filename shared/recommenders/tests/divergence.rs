//! Fits that run away: caught in the round that does it, told with the last good value and with what the kind has to change.

mod support;

use recspeed_recommenders::{Before, FitError, TrainSet, fit, kinds};
use recspeed_types::Unobserved;
use recspeed_types::catalogue;
use recspeed_types::spec::{ParamValue, ResolvedRecommender};
use support::{interactions, known, resolved, text, varied};

fn number(value: f64) -> ParamValue {
    ParamValue::Float(value)
}

fn refused(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> FitError {
    fit(recommender, data, 1, &mut Unobserved).err().unwrap_or_else(|| panic!("{} finished", recommender.entry.kind))
}

#[test]
fn a_loss_that_grows_and_stays_finite_does_not_end_as_finished() {
    let (all, rows) = varied(60, 80, 1500);
    let data = TrainSet::new(&all, &rows);
    let error = refused(&resolved("warp", &[("learning_rate", number(1.0)), ("regularization", number(0.0))]), &data);
    let FitError::Diverged { value, iteration, .. } = &error else { panic!("{error}") };
    assert!(value.is_none_or(f64::is_finite) && iteration.is_some(), "{error}");
    let said = error.to_string();
    assert!(said.contains("lower recommender.learning_rate (now 1"), "{said}");
}

#[test]
fn vectors_that_start_too_far_out_are_told_by_their_parameter() {
    let (all, rows) = varied(60, 80, 1500);
    let data = TrainSet::new(&all, &rows);
    let error = refused(&resolved("svd++", &[("init_deviation", number(10.0))]), &data).to_string();
    assert!(error.contains("lower recommender.init_deviation (now 10"), "{error}");
    assert!(!error.contains("alpha"), "{error}");
}

#[test]
fn a_remedy_names_only_what_the_kind_has_and_no_iteration_where_there_is_none() {
    // Squares of such ratings are lost beside each other.
    let rated: Vec<(u32, u32, f32)> =
        (0..40).map(|row| (row % 8, row / 8, if row % 3 == 0 { -1e30 } else { 1e30 })).collect();
    let all = interactions(&rated);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1)).with_validation(&rows[..8]);
    let mut diverged = 0;
    for kind in kinds() {
        let recommender = resolved(kind, &[]);
        let Err(error) = fit(&recommender, &data, 1, &mut Unobserved) else { continue };
        let FitError::Diverged { remedy, iteration, .. } = error.root() else { continue };
        diverged += 1;
        let entry = catalogue::find(kind).unwrap();
        let named = remedy.split("recommender.").skip(1).filter_map(|rest| rest.split([' ', '.']).next());
        for param in named.filter(|name| !name.starts_with("components")) {
            assert!(entry.param(param).is_some(), "{kind}: {remedy}");
        }
        assert!(!remedy.is_empty() && (entry.param("iterations").is_some() || iteration.is_none()), "{kind}: {error}");
    }
    assert!(diverged > 0);
}

#[test]
fn numbers_that_overflow_are_noticed_in_the_round_that_does_it() {
    let rated: Vec<(u32, u32, f32)> =
        (0..40).map(|row| (row % 8, row / 8, if row % 3 == 0 { -1e30 } else { 1e30 })).collect();
    let all = interactions(&rated);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let many = ("iterations", ParamValue::Integer(200));
    for (kind, params) in [("fm", vec![("solver", text("mcmc")), many.clone()]), ("ffm", vec![many.clone()])] {
        let error = refused(&resolved(kind, &params), &data);
        let FitError::Diverged { iteration, .. } = error else { panic!("{kind}: {error}") };
        assert!(iteration.is_some_and(|iteration| iteration < 200), "{kind}: {iteration:?}");
    }
}

#[test]
fn ratings_near_the_end_of_what_can_be_computed_with_are_told_and_not_passed_over() {
    let rated: Vec<(u32, u32, f32)> =
        (0..40).map(|row| (row % 8, row / 8, if row % 3 == 0 { -3e38 } else { 3e38 })).collect();
    let all = interactions(&rated);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let error = refused(&resolved("slope-one", &[]), &data);
    let FitError::Diverged { value: Some(value), iteration: None, .. } = error else { panic!("{error}") };
    assert!(value > f64::from(f32::MAX), "{error}");
    assert!(
        error.to_string().contains("divide the ratings in the file by 1e38 (they go from -3e38 to 3e38"),
        "{error}"
    );
    for similarity in ["cosine", "adjusted-cosine", "pearson"] {
        let error = refused(&resolved("item-knn", &[("similarity", text(similarity))]), &data);
        assert!(matches!(error, FitError::Diverged { .. }), "{similarity}: {error}");
        assert!(error.to_string().contains("divide the ratings in the file by 1e38"), "{similarity}: {error}");
    }
    // Who has what is no number that overflows.
    assert!(fit(&resolved("item-knn", &[("similarity", text("jaccard"))]), &data, 1, &mut Unobserved).is_ok());
}

/// The square of such a rating swallows a regularization of 500: both rows of the matrix are the same.
#[test]
fn a_matrix_whose_regularization_was_lost_in_rounding_is_told_as_that_with_what_helps() {
    let huge = 2.0_f32.powi(100);
    let all = interactions(&[(0, 0, huge), (0, 1, huge), (1, 0, 3.0), (1, 1, 4.0)]);
    let data = TrainSet::new(&all, &[0, 1, 2, 3]);
    let error = refused(&resolved("ease", &[]), &data);
    assert!(matches!(error, FitError::NotPositiveDefinite { .. }), "{error}");
    let said = error.to_string();
    for part in
        ["has no inverse", "raise recommender.regularization (now 500)", "divide the ratings in the file by 4e29"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("finite"), "every number of it is finite: {said}");
    assert!(fit(&resolved("ease", &[("regularization", number(1e9))]), &data, 1, &mut Unobserved).is_err());
    let as_had = resolved("ease", &[("weighting", text("binary"))]);
    assert!(fit(&as_had, &data, 1, &mut Unobserved).is_ok(), "who has what is 0 or 1");
}

/// The numbers of `nmf` start between 0 and 1: with 100 factors its first predictions are about 25, and every iteration
/// makes up for that twice.
#[test]
fn a_factorization_that_swings_is_told_so_with_both_losses_and_its_factors_whichever_iteration_is_the_last() {
    let (all, rows) = varied(60, 80, 1500);
    let data = TrainSet::new(&all, &rows);
    for iterations in [2, 3, 10, 51, 700, 1000] {
        let setting = [
            ("factors", ParamValue::Integer(100)),
            ("regularization", number(0.0)),
            ("iterations", ParamValue::Integer(iterations)),
        ];
        let error = refused(&resolved("nmf", &setting), &data);
        let FitError::Diverged { value: Some(high), iteration: Some(last), before: Before::Swinging(low), .. } = error
        else {
            panic!("{iterations} iterations: {error}")
        };
        assert!(low < high && last <= 100, "{iterations} iterations: {error}");
        let said = error.to_string();
        assert!(said.starts_with("the loss swings between ") && !said.contains("last good"), "{said}");
        assert!(
            said.contains("take recommender.factors near 12, four times the usual rating (now 100), or raise"),
            "{said}"
        );
    }
    let near = [("factors", ParamValue::Integer(12)), ("regularization", number(0.0))];
    assert!(fit(&resolved("nmf", &near), &data, 1, &mut Unobserved).is_ok(), "it starts near the ratings");
}

#[test]
fn one_rating_beyond_every_scale_makes_no_loss_good() {
    let mut rated: Vec<(u32, u32, f32)> = (0..200).map(|row| (row % 20, row * 7 % 31, (row % 5 + 1) as f32)).collect();
    rated[60].2 = 1e30;
    let all = interactions(&rated);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let mut diverged = 0;
    for kind in ["fm", "ffm", "nmf", "biased-mf", "svd++"] {
        let Err(error) = fit(&resolved(kind, &[]), &data, 1, &mut Unobserved) else { continue };
        let FitError::Diverged { before, .. } = &error else { panic!("{kind}: {error}") };
        diverged += 1;
        assert_eq!(*before, Before::NeverGood, "{kind}: {error}");
        assert!(error.to_string().contains(", and no good loss was seen before; "), "{kind}: {error}");
    }
    assert!(diverged >= 2, "{diverged} of five say so");
}
