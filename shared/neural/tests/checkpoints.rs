//! A training goes on from a checkpoint of its own rows alone.

mod parities;
mod small;

use recspeed_data::Interactions;
use recspeed_neural::{FitRequest, NeuralDevice, NeuralFitError, Rows, fit, kinds};
use recspeed_types::spec::TrainingSpec;
use recspeed_types::{EventKind, ExperimentSpec, FitObserver, MetricKind, MetricName};

use parities::ratings;
use small::small;

/// Goes on from a checkpoint, and keeps the last one.
#[derive(Default)]
struct Keeper {
    resume: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
}

impl FitObserver for Keeper {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.kept = Some(state());
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

#[test]
fn a_checkpoint_of_as_many_other_rows_is_refused_by_every_network() {
    let data = ratings();
    let train: Vec<u32> = (0..data.len() as u32).filter(|row| row % 11 != 5).collect();
    // The rating that one pair had is that of another: counts, scales and sums are the same.
    let mut other = data.clone();
    let [a, b] = [5.0, 2.0].map(|rating| train.iter().find(|row| data.rating[**row as usize] == rating).unwrap());
    other.rating.swap(*a as usize, *b as usize);
    for kind in kinds() {
        let training = TrainingSpec { epochs: Some(2), batch_size: Some(16), ..TrainingSpec::default() };
        let mut spec = ExperimentSpec { training, recommender: small(kind), ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
        let spec = spec.resolve().unwrap_or_else(|errors| panic!("{kind}: {errors}"));
        let taken = |interactions: &Interactions, keeper: &mut Keeper| {
            let request = FitRequest {
                recommender: &spec.recommender,
                training: spec.training.as_ref().expect("a network is trained"),
                train: Rows { interactions, rows: &train },
                validation: Rows { interactions, rows: &[] },
                item_attributes: None,
                user_attributes: None,
                threshold: 4.0,
                seed: 5,
                device: NeuralDevice::default(),
            };
            fit(&request, keeper).map(|_| ())
        };
        let mut first = Keeper::default();
        taken(&data, &mut first).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let from = || Keeper { resume: first.kept.clone(), ..Keeper::default() };
        assert_eq!(taken(&data, &mut from()), Ok(()), "{kind}");
        let refused = taken(&other, &mut from());
        let said = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(matches!(refused, Err(NeuralFitError::Checkpoint { .. })), "{kind}: {refused:?}");
        assert!(said.contains("another spec or other data"), "{kind}: {said}");
    }
}
