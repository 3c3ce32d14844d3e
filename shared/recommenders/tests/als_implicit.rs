//! Implicit ALS against its objective.

mod support;

use recspeed_recommenders::factorization::{Als, AlsSettings, Confidence, Solver};
use recspeed_recommenders::{FitError, TrainSet, fit};
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use recspeed_types::{FitObserver, Unobserved};
use support::{interactions, resolved, text, varied, with_threads};

const SETTINGS: AlsSettings = AlsSettings {
    factors: 7,
    regularization: 0.3,
    confidence: Confidence { alpha: 2.0, by_rating: true },
    solver: Solver::Cholesky,
};

/// The objective from its definition, pair by pair, and the sum of confidences.
fn objective(als: &Als, data: &TrainSet<'_>, settings: AlsSettings) -> (f64, f64) {
    let d = settings.factors;
    let (mut loss, mut confidences) = (0.0, 0.0);
    for (user, x) in als.users().chunks(d).enumerate() {
        let (items, ratings) = data.by_user.row(user);
        for (item, y) in als.items().chunks(d).enumerate() {
            let score: f64 = x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let (confidence, preference) = match items.binary_search(&(item as u32)) {
                Ok(at) => (1.0 + f64::from(settings.confidence.alpha) * f64::from(ratings[at]), 1.0),
                Err(_) => (1.0, 0.0),
            };
            loss += confidence * (preference - score) * (preference - score);
            confidences += confidence;
        }
    }
    let squares: f64 = als.users().iter().chain(als.items()).map(|v| f64::from(*v) * f64::from(*v)).sum();
    (loss + f64::from(settings.regularization) * squares, confidences)
}

fn run(data: &TrainSet<'_>, settings: AlsSettings, iterations: u32) -> (Als, Vec<f64>) {
    let mut als = Als::new(data, settings, 4).unwrap();
    let losses = (0..iterations).map(|_| als.iterate(|| true).unwrap().unwrap()).collect();
    (als, losses)
}

#[test]
fn the_reported_loss_is_the_objective_per_unit_of_confidence() {
    let (all, rows) = varied(50, 40, 400);
    let data = TrainSet::new(&all, &rows);
    let (als, losses) = run(&data, SETTINGS, 3);
    let (loss, confidences) = objective(&als, &data, SETTINGS);
    assert!((losses[2] - loss / confidences).abs() < 1e-5 * losses[2], "{} {}", losses[2], loss / confidences);
}

#[test]
fn exact_solutions_never_raise_the_loss() {
    let (all, rows) = varied(80, 60, 700);
    let data = TrainSet::new(&all, &rows);
    let (_, losses) = run(&data, SETTINGS, 12);
    assert!(losses.is_sorted_by(|before, after| *after <= before + 1e-6), "{losses:?}");
}

#[test]
fn an_exact_solution_is_a_stationary_point() {
    let (all, rows) = varied(50, 40, 400);
    let data = TrainSet::new(&all, &rows);
    let (als, _) = run(&data, SETTINGS, 2);
    // The items were solved last: Σ_u (c (s − p)) x_u + λ y_i = 0 for each of them.
    let d = SETTINGS.factors;
    for (item, y) in als.items().chunks(d).enumerate() {
        let (users, ratings) = data.by_item.row(item);
        let mut gradient: Vec<f64> = y.iter().map(|&v| f64::from(SETTINGS.regularization) * f64::from(v)).collect();
        for (user, x) in als.users().chunks(d).enumerate() {
            let score: f64 = x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let residual = match users.binary_search(&(user as u32)) {
                Ok(at) => (1.0 + f64::from(SETTINGS.confidence.alpha) * f64::from(ratings[at])) * (score - 1.0),
                Err(_) => score,
            };
            for (g, &x) in gradient.iter_mut().zip(x) {
                *g += residual * f64::from(x);
            }
        }
        assert!(gradient.iter().all(|g| g.abs() < 1e-3), "item {item}: {gradient:?}");
    }
}

#[test]
fn conjugate_gradient_with_many_steps_reaches_the_exact_solution() {
    let (all, rows) = varied(50, 40, 400);
    let data = TrainSet::new(&all, &rows);
    let (exact, _) = run(&data, SETTINGS, 2);
    let (stepped, _) = run(&data, AlsSettings { solver: Solver::ConjugateGradient { steps: 30 }, ..SETTINGS }, 2);
    for (a, b) in exact.users().iter().zip(stepped.users()).chain(exact.items().iter().zip(stepped.items())) {
        assert!((a - b).abs() < 2e-3, "{a} {b}");
    }
}

#[test]
fn three_warm_started_steps_end_near_the_loss_of_exact_solutions() {
    let (all, rows) = varied(150, 100, 1500);
    let data = TrainSet::new(&all, &rows);
    let (_, exact) = run(&data, SETTINGS, 15);
    let (_, stepped) = run(&data, AlsSettings { solver: Solver::ConjugateGradient { steps: 3 }, ..SETTINGS }, 15);
    assert!((stepped[14] / exact[14] - 1.0).abs() < 0.02, "{} {}", stepped[14], exact[14]);
}

#[test]
fn a_singular_system_still_has_a_finite_answer() {
    // Two items and seven factors without regularization: every system has rank 2 at most.
    let all = interactions(&[(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0)]);
    let data = TrainSet::new(&all, &[0, 1, 2]);
    for solver in [Solver::Cholesky, Solver::ConjugateGradient { steps: 3 }] {
        let (als, _) = run(&data, AlsSettings { regularization: 0.0, solver, ..SETTINGS }, 10);
        assert!(als.users().iter().chain(als.items()).all(|v| v.is_finite()), "{solver:?}");
    }
}

/// Keeps the last checkpoint; may hand one out, and may stop after some iterations.
#[derive(Default)]
struct Keeper {
    resume: Option<Vec<u8>>,
    kept: Option<(u64, Vec<u8>)>,
    stop_after: Option<u64>,
    losses: Vec<f64>,
}

impl FitObserver for Keeper {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Metric { name, value, .. } = event {
            assert_eq!(name, "loss");
            self.losses.push(value);
        }
    }

    fn stop_requested(&mut self) -> bool {
        self.stop_after.is_some_and(|after| self.kept.as_ref().is_some_and(|(step, _)| *step >= after))
    }

    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.kept = Some((step, state()));
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

#[test]
fn a_fit_that_resumes_from_a_checkpoint_ends_at_the_same_bits() {
    let (all, rows) = varied(150, 100, 1500);
    let data = TrainSet::new(&all, &rows);
    for solver in ["conjugate-gradient", "cholesky"] {
        let kind = resolved("als-implicit", &[("solver", text(solver)), ("factors", ParamValue::Integer(9))]);
        let bits = |model: &dyn recspeed_recommenders::Recommender| {
            let mut scores = vec![0.0; data.n_items()];
            model.score_all(3, &mut scores);
            scores.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let mut whole = Keeper::default();
        let model = fit(&kind, &data, 8, &mut whole).unwrap();
        let mut first = Keeper { stop_after: Some(6), ..Keeper::default() };
        let stopped = fit(&kind, &data, 8, &mut first).err().unwrap();
        assert_eq!(stopped, FitError::Interrupted { done: 6, total: 15, unit: "iterations" });
        let (step, state) = first.kept.unwrap();
        assert_eq!(step, 6);
        let mut second = Keeper { resume: Some(state), ..Keeper::default() };
        let resumed = with_threads(3, || fit(&kind, &data, 8, &mut second).unwrap());
        assert_eq!(bits(&*model), bits(&*resumed), "{solver}");
        assert_eq!([first.losses, second.losses].concat(), whole.losses, "{solver}");
    }
}

#[test]
fn a_checkpoint_that_does_not_belong_here_is_refused() {
    let (all, rows) = varied(20, 20, 100);
    let data = TrainSet::new(&all, &rows);
    let mut observer = Keeper { resume: Some(b"rubbish".to_vec()), ..Keeper::default() };
    let error = fit(&resolved("als-implicit", &[]), &data, 1, &mut observer).err().unwrap();
    assert!(matches!(error, FitError::Checkpoint { .. }), "{error}");
}

#[test]
fn negative_ratings_cannot_be_weights() {
    let all = interactions(&[(7, 9, -2.0), (7, 8, 1.0)]);
    let data = TrainSet::new(&all, &[0, 1]);
    let error =
        fit(&resolved("als-implicit", &[("weighting", text("rating"))]), &data, 1, &mut Unobserved).err().unwrap();
    assert_eq!(
        error.to_string(),
        "user `7` rated item `9` with -2, but weighting = \"rating\" needs ratings that are 0 or more; use weighting = \"binary\""
    );
    assert!(fit(&resolved("als-implicit", &[]), &data, 1, &mut Unobserved).is_ok());
}
