//! Every network has a curve, as its kind promises: the page draws it while the training goes on, epoch by epoch.

mod parities;
mod small;

use recspeed_neural::{FitRequest, NeuralDevice, Rows, fit, kinds};
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::TrainingSpec;
use recspeed_types::{EventKind, ExperimentSpec, FitObserver, MetricKind, MetricName};

use parities::ratings;
use small::small;

const EPOCHS: u32 = 2;

/// A number that was told of the training.
#[derive(Debug)]
struct Point {
    name: String,
    split: MeasuredOn,
    epoch: f64,
}

/// Keeps what is told.
#[derive(Default)]
struct Told(Vec<Point>);

impl FitObserver for Told {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Metric { name, split, epoch, .. } = event {
            self.0.push(Point { name, split, epoch });
        }
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn every_network_tells_its_loss_and_how_its_validation_rows_fare_in_each_epoch() {
    let data = ratings();
    let (validation, train): (Vec<u32>, Vec<u32>) = (0..data.len() as u32).partition(|row| row % 11 == 5);
    for kind in kinds() {
        let training = TrainingSpec { epochs: Some(EPOCHS), batch_size: Some(16), ..TrainingSpec::default() };
        let mut spec = ExperimentSpec { training, recommender: small(kind), ..ExperimentSpec::default() };
        spec.split.validation_ratio = Some(0.1);
        spec.evaluation.metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
        let spec = spec.resolve().unwrap_or_else(|errors| panic!("{kind}: {errors}"));
        assert!(spec.recommender.has_curve(), "{kind} promises a curve");
        let request = FitRequest {
            recommender: &spec.recommender,
            training: spec.training.as_ref().expect("a network is trained"),
            train: Rows { interactions: &data, rows: &train },
            validation: Rows { interactions: &data, rows: &validation },
            item_attributes: None,
            user_attributes: None,
            threshold: 4.0,
            seed: 5,
            device: NeuralDevice::default(),
        };
        let mut told = Told::default();
        fit(&request, &mut told).unwrap_or_else(|error| panic!("{kind}: {error}"));
        for epoch in 1..=EPOCHS {
            let end = f64::from(epoch);
            let within = |point: &&Point| point.epoch > end - 1.0 && point.epoch <= end;
            let points: Vec<&Point> = told.0.iter().filter(within).collect();
            let is_drawn = points.iter().any(|point| point.name == "loss" && point.split == MeasuredOn::Train);
            assert!(is_drawn, "{kind}, epoch {epoch}: {points:?}");
            let at_end = |split: MeasuredOn| points.iter().any(|point| point.split == split && point.epoch == end);
            assert!(at_end(MeasuredOn::Train), "{kind}, epoch {epoch}: {points:?}");
            assert!(at_end(MeasuredOn::Validation), "{kind}, epoch {epoch}: {points:?}");
        }
        assert!(told.0.iter().all(|point| point.epoch <= f64::from(EPOCHS)), "{kind}: {told:?}", told = told.0);
    }
}
