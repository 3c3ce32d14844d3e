//! What is foretold of a network before it is made is what it is.

mod small;

use recspeed_data::{AttributeColumn, AttributeValues, Attributes, Dictionary, DictionaryBuilder, Interactions};
use recspeed_data::{InteractionsBuilder, extent};
use recspeed_neural::{FitRequest, Fitted, NeuralDevice, Rows, fit, kinds};
use recspeed_plan::{Assumed, Lengths, Lessons, ProcessNeeds, Whole, is_whole, layers_of, learnt};
use recspeed_types::catalogue::{self, Family};
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::{
    EvaluationSpec, Loss, Optimizer, ParamValue, RecommenderSpec, ResolvedSpec, StrategyKind, TrainingSpec,
};
use recspeed_types::{EventKind, ExperimentSpec, Extent, FitObserver, MetricKind, MetricName};

use small::small;

/// Nineteen people with three to seven of 23 items each.
fn ratings() -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for user in 0..19 {
        for step in 0..3 + user % 5 {
            let item = (user * 7 + step * 3) % 23;
            builder.push(&format!("u{user}"), &format!("i{item}"), 1.0 + (item % 5) as f32, (user + step) as i64);
        }
    }
    builder.finish()
}

/// Of each a colour, some words and a size; the last word is somebody's.
fn attributes(ids: &Dictionary) -> Attributes {
    let (mut known, mut colours, mut words) =
        (DictionaryBuilder::default(), DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut colour, mut indptr, mut word, mut size) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    for (index, id) in ids.iter().enumerate() {
        known.intern(id);
        colour.push(colours.intern(&format!("colour{}", index % 3)));
        word.extend([words.intern(&format!("line{}", index % 4)), words.intern("piece")]);
        indptr.push(word.len());
        size.push(index as f32);
    }
    let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
    Attributes {
        ids: known.finish(),
        columns: vec![
            column("colour", AttributeValues::Token { vocabulary: colours.finish(), word: colour }),
            column("title", AttributeValues::TokenSeq { vocabulary: words.finish(), indptr, words: word }),
            column("size", AttributeValues::Float(size)),
        ],
    }
}

fn resolved(recommender: RecommenderSpec, training: TrainingSpec) -> ResolvedSpec {
    let training = TrainingSpec { epochs: Some(1), batch_size: Some(16), ..training };
    let mut spec = ExperimentSpec { training, recommender, ..ExperimentSpec::default() };
    spec.split.validation_ratio = Some(0.1);
    spec.evaluation =
        EvaluationSpec { metrics: vec![MetricName::at(MetricKind::Ndcg, 10)], ..EvaluationSpec::default() };
    spec.resolve().unwrap_or_else(|errors| panic!("{errors}"))
}

struct Desk {
    data: Interactions,
    users: Attributes,
    items: Attributes,
    rows: Vec<u32>,
}

/// Keeps what a training says that it holds.
#[derive(Default)]
struct Ledger(Option<MemoryBytes>);

impl FitObserver for Ledger {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Memory { bytes, .. } = event {
            self.0 = self.0.or(Some(bytes));
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

impl Desk {
    fn new() -> Self {
        let data = ratings();
        let rows = (0..data.len() as u32).collect();
        Self { users: attributes(&data.users), items: attributes(&data.items), data, rows }
    }

    fn extent(&self) -> Extent {
        extent(&self.data, Some(&self.users), Some(&self.items), &[])
    }

    fn fit(&self, spec: &ResolvedSpec) -> (Fitted, MemoryBytes) {
        let request = FitRequest {
            recommender: &spec.recommender,
            training: spec.training.as_ref().expect("a network is trained"),
            train: Rows { interactions: &self.data, rows: &self.rows },
            validation: Rows { interactions: &self.data, rows: &[] },
            item_attributes: Some(&self.items),
            user_attributes: Some(&self.users),
            threshold: 3.0,
            seed: 5,
            device: NeuralDevice::default(),
        };
        let mut ledger = Ledger::default();
        let fitted = fit(&request, &mut ledger).unwrap_or_else(|error| panic!("{error}"));
        (fitted, ledger.0.expect("a training on one device tells what it holds"))
    }
}

#[test]
fn every_network_of_the_catalogue_is_planned_in_layers_or_whole_and_nothing_else_is() {
    let data = Desk::new().extent();
    for entry in catalogue::ENTRIES {
        let network = entry.family == Family::Neural;
        assert!(network || !is_whole(entry.kind), "{}", entry.kind);
        if network {
            let recommender = resolved(small(entry.kind), TrainingSpec::default()).recommender;
            let layers = layers_of(&recommender, &Assumed::threads(1.0).on(Some(data.clone())));
            assert_ne!(layers.is_some(), is_whole(entry.kind), "{}", entry.kind);
            assert_eq!(layers.is_some(), StrategyKind::Pipeline.suits(entry.kind), "{}", entry.kind);
            assert!(learnt(&recommender, &data).is_some(), "{}", entry.kind);
        }
    }
}

#[test]
fn every_network_learns_as_many_numbers_as_are_foretold() {
    let desk = Desk::new();
    let data = desk.extent();
    for kind in kinds() {
        let mut networks = vec![small(kind), RecommenderSpec::new(kind)];
        if catalogue::find(kind).is_some_and(|entry| entry.param("item_bias").is_some()) {
            networks.push(small(kind).with("item_bias", ParamValue::Boolean(false)));
        }
        for network in networks {
            let spec = resolved(network, TrainingSpec::default());
            let foretold = learnt(&spec.recommender, &data).expect("it is a network").parameters();
            let (fitted, ledger) = desk.fit(&spec);
            assert_eq!(foretold, fitted.model.parameters(), "{kind}");
            assert_eq!((foretold, 4 * foretold), (fitted.info.parameters, ledger.parameters), "{kind}");
        }
    }
}

#[test]
fn a_network_that_is_trained_whole_is_foretold_to_hold_no_less_than_its_ledger() {
    let desk = Desk::new();
    let data = desk.extent();
    for kind in kinds().filter(|kind| is_whole(kind)) {
        let losses: &[Loss] = catalogue::find(kind).map_or(&[][..], |entry| entry.losses);
        for (&loss, optimizer) in losses.iter().flat_map(|loss| Optimizer::ALL.map(|optimizer| (loss, optimizer))) {
            let training = TrainingSpec { loss: Some(loss), optimizer: Some(optimizer), ..TrainingSpec::default() };
            let spec = resolved(small(kind), training);
            let lessons = Lessons { rows: Some(desk.rows.len() as u64), lengths: None, about: None };
            let whole = Whole::of_spec(&spec, &data, lessons, ProcessNeeds::default()).expect("it is trained whole");
            let told = whole.outlook();
            let ledger = desk.fit(&spec).1;
            let name = format!("{kind} {loss:?} {optimizer:?}: {told:?} {ledger:?}");
            assert_eq!((told.parameters, told.optimizer), (ledger.parameters, ledger.optimizer), "{name}");
            assert!(told.gradients >= ledger.gradients, "{name}");
            assert_eq!(ledger.activations, 0, "{name}: nobody has counted them");
            assert!(told.activations > 0, "{name}");
            assert!(told.lists >= ledger.buffers, "{name}");
            // Who knows how long histories are foretells no more.
            let lengths = Lengths::of(vec![7; 19]);
            let known = Whole { lessons: Lessons { lengths: Some(lengths), ..lessons }, ..whole }.outlook();
            if kind != "caser" {
                assert!(known.total() <= told.total(), "{name}");
            }
        }
    }
}
