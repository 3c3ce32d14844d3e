//! A training goes on from a whole checkpoint of its own spec, rows and attributes, and from nothing else.

mod parities;
mod small;

use recspeed_data::{AttributeColumn, AttributeValues, Attributes, Dictionary, Interactions};
use recspeed_neural::{FitRequest, NeuralDevice, NeuralFitError, Rows, fit, kinds};
use recspeed_types::catalogue::{self, Whose};
use recspeed_types::spec::{Optimizer, RecommenderSpec, TrainingSpec};
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

/// What a network learns from and how, as a test changes it.
#[derive(Clone)]
struct Taught {
    data: Interactions,
    train: Vec<u32>,
    validation: Vec<u32>,
    items: Attributes,
    users: Attributes,
    training: TrainingSpec,
    threshold: f64,
    seed: u64,
}

impl Taught {
    fn new() -> Self {
        let data = ratings();
        let (validation, train) = (0..data.len() as u32).partition(|row| row % 11 == 5);
        let colours = |ids: &Dictionary| {
            let word = (0..ids.len() as u32).map(|index| index % 2).collect();
            let values = AttributeValues::Token { vocabulary: ["black", "white"].into_iter().collect(), word };
            Attributes { ids: ids.clone(), columns: vec![AttributeColumn { name: "colour".to_owned(), values }] }
        };
        Self {
            train,
            validation,
            items: colours(&data.items),
            users: colours(&data.users),
            data,
            training: TrainingSpec { epochs: Some(2), batch_size: Some(16), ..TrainingSpec::default() },
            threshold: 4.0,
            seed: 5,
        }
    }

    fn learn(&self, recommender: RecommenderSpec, keeper: &mut Keeper) -> Result<(), NeuralFitError> {
        let kind = recommender.kind.clone();
        let mut spec = ExperimentSpec { training: self.training.clone(), recommender, ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
        let spec = spec.resolve().unwrap_or_else(|errors| panic!("{kind}: {errors}"));
        let rows = |rows| Rows { interactions: &self.data, rows };
        let request = FitRequest {
            recommender: &spec.recommender,
            training: spec.training.as_ref().expect("a network is trained"),
            train: rows(&self.train),
            validation: rows(&self.validation),
            item_attributes: Some(&self.items),
            user_attributes: Some(&self.users),
            threshold: self.threshold,
            seed: self.seed,
            device: NeuralDevice::default(),
        };
        fit(&request, keeper).map(|_| ())
    }

    fn checkpoint(&self, kind: &str) -> Vec<u8> {
        let mut keeper = Keeper::default();
        self.learn(small(kind), &mut keeper).unwrap_or_else(|error| panic!("{kind}: {error}"));
        keeper.kept.unwrap_or_else(|| panic!("{kind} keeps none"))
    }

    /// How it goes on from a checkpoint.
    fn goes_on(&self, kind: &str, checkpoint: &[u8]) -> Result<(), NeuralFitError> {
        self.learn(small(kind), &mut Keeper { resume: Some(checkpoint.to_vec()), ..Keeper::default() })
    }

    /// Why it does not.
    fn refused(&self, kind: &str, checkpoint: &[u8]) -> String {
        match self.goes_on(kind, checkpoint) {
            Err(error @ NeuralFitError::Checkpoint(_)) => error.to_string(),
            other => panic!("{kind}: not refused: {other:?}"),
        }
    }
}

/// One id has the colour of another.
fn swapped(table: &Attributes) -> Attributes {
    let mut other = table.clone();
    let AttributeValues::Token { word, .. } = &mut other.columns[0].values else { panic!("colours are words") };
    word.swap(0, 1);
    other
}

#[test]
fn a_checkpoint_of_as_many_other_rows_is_refused_by_every_network() {
    let own = Taught::new();
    // The rating that one pair had is that of another: counts, scales and sums are the same.
    let mut other = own.clone();
    let of = |rating: f32| own.train.iter().find(|row| own.data.rating[**row as usize] == rating).unwrap();
    other.data.rating.swap(*of(5.0) as usize, *of(2.0) as usize);
    // Other rows steer.
    let mut steered = own.clone();
    let last = steered.validation.len() - 1;
    steered.validation.swap(0, last);
    for kind in kinds() {
        let kept = own.checkpoint(kind);
        assert_eq!(own.goes_on(kind, &kept), Ok(()), "{kind}");
        let said = other.refused(kind, &kept);
        assert!(said.contains("it belongs to other data: as many training rows, but other users"), "{kind}: {said}");
        let said = steered.refused(kind, &kept);
        assert!(said.contains("it belongs to other data: as many validation rows, but others"), "{kind}: {said}");
    }
}

#[test]
fn a_checkpoint_of_another_spec_names_what_differs_in_the_words_of_the_spec_for_every_network() {
    let own = Taught::new();
    let with = |change: &dyn Fn(&mut Taught)| {
        let mut other = own.clone();
        change(&mut other);
        other
    };
    let rows = own.train.len();
    let others = [
        (with(&|taught| taught.seed = 6), "seed = 5, here 6;".to_owned()),
        (with(&|taught| taught.training.epochs = Some(3)), "training.epochs = 2, here 3;".to_owned()),
        (with(&|taught| taught.training.batch_size = Some(8)), "training.batch_size = 16, here 8;".to_owned()),
        (
            with(&|taught| taught.training.optimizer = Some(Optimizer::Sgd)),
            "training.optimizer = \"adam\", here \"sgd\";".to_owned(),
        ),
        (
            with(&|taught| taught.training.weight_decay = Some(1e-7)),
            "training.weight_decay = 0, here 0.0000001;".to_owned(),
        ),
        (
            with(&|taught| taught.training.gradient_clip = Some(0.5)),
            "training.gradient_clip = nothing, here 0.5;".to_owned(),
        ),
        (with(&|taught| _ = taught.train.pop()), format!("training rows = {rows}, here {};", rows - 1)),
    ];
    for kind in kinds() {
        let kept = own.checkpoint(kind);
        for (other, told) in &others {
            let said = other.refused(kind, &kept);
            assert!(said.contains(&format!("it belongs to another spec or other data: {told}")), "{kind}: {said}");
        }
        let another = if kind == "mlp" { "densenet" } else { "mlp" };
        let said = own.refused(another, &kept);
        let told = format!("another recommender: recommender.kind = \"{kind}\", here \"{another}\";");
        assert!(said.contains(&told), "{said}");
        // Only what learns by the threshold is bound to it.
        let looser = with(&|taught| taught.threshold = 3.0);
        if kind == "densenet" {
            assert!(looser.refused(kind, &kept).contains("evaluation.threshold = 4, here 3;"), "{kind}");
        } else {
            assert_eq!(looser.goes_on(kind, &kept), Ok(()), "{kind}");
        }
    }
}

#[test]
fn a_checkpoint_under_other_attributes_is_refused_by_exactly_the_networks_that_read_them() {
    let own = Taught::new();
    let (mut items, mut users) = (own.clone(), own.clone());
    (items.items, users.users) = (swapped(&own.items), swapped(&own.users));
    let mut read = 0;
    for kind in kinds() {
        let kept = own.checkpoint(kind);
        let entry = catalogue::find(kind).expect("an entry");
        for (other, whose, what) in [(&items, Whose::Items, "item"), (&users, Whose::Users, "user")] {
            if entry.attribute_list(whose).is_some() {
                let said = other.refused(kind, &kept);
                assert!(said.contains(&format!("it belongs to other data: other {what} attributes")), "{kind}: {said}");
                read += 1;
            } else {
                assert_eq!(other.goes_on(kind, &kept), Ok(()), "{kind} does not read what is known of each {what}");
            }
        }
    }
    assert!(read >= 6, "{read}");
}

#[test]
fn what_is_damaged_or_no_checkpoint_is_told_in_one_sentence_by_every_network() {
    let own = Taught::new();
    for kind in kinds() {
        let kept = own.checkpoint(kind);
        let end = kept.len() - 1;
        for at in [0, 9, end / 3, end / 2, end - 100, end - 20, end - 9, end] {
            let mut damaged = kept.clone();
            damaged[at] ^= 1;
            let said = own.refused(kind, &damaged);
            assert!(said.starts_with("the checkpoint is damaged: "), "{kind}, byte {at}: {said}");
            assert!(said.ends_with("; take another one, or start again without it"), "{kind}, byte {at}: {said}");
        }
        assert!(own.refused(kind, &kept[..end / 2]).contains("damaged: it is cut off"), "{kind}");
        assert_eq!(
            own.refused(kind, b"user_id,item_id\n1,2\n"),
            "the file to go on from is not a checkpoint of this lab (it is text that begins with `user_id,item_id`); take \
             another one, or start again without it"
        );
        assert!(
            own.refused(kind, b"recsnn04 and more").contains("a checkpoint of an earlier version of the lab"),
            "{kind}"
        );
    }
}
