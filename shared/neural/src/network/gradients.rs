//! The gradient of every taped network by every kind of its parameters, against finite differences of its loss.

use burn::tensor::{Tensor, TensorData};
use recspeed_data::parts::Parts;
use recspeed_data::{AttributeColumn, AttributeValues, Attributes, DictionaryBuilder, InteractionsBuilder};
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{EvaluationSpec, Loss, ParamValue, RecommenderSpec, ResolvedRecommender, Training};
use recspeed_types::{MetricKind, MetricName};

use super::autoencoder::Autoencoder;
use super::deepfm::DeepFm;
use super::dlrm::Dlrm;
use super::fielded::{FieldNetwork, Fielded};
use super::neumf::NeuMf;
use super::wide_and_deep::WideAndDeep;
use crate::examples::PairNetwork;
use crate::fields::Fields;
use crate::random::WeightDraws;
use crate::training::layout::Layout;
use crate::training::losses::{Targets, judge};
use crate::training::network::{Differentiable as _, Network, Noise, Output, Taped, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::{Parameters, numbers};
use crate::{FitRequest, NeuralDevice, Rows};

const USERS: usize = 3;
const ITEMS: usize = 5;

fn resolved(kind: &str, sizes: &[(&str, ParamValue)]) -> (ResolvedRecommender, Training) {
    let recommender =
        sizes.iter().fold(RecommenderSpec::new(kind), |spec, (name, value)| spec.with(name, value.clone()));
    let metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
    let evaluation = EvaluationSpec { metrics, ..EvaluationSpec::default() };
    let spec = ExperimentSpec { recommender, evaluation, ..ExperimentSpec::default() }.resolve().unwrap();
    (spec.recommender, spec.training.unwrap())
}

fn integers(values: &[i64]) -> ParamValue {
    ParamValue::Integers(values.to_vec())
}

/// Users with a colour, items with words and a size.
fn fields(recommender: &ResolvedRecommender, training: &Training, counts: bool) -> Fields {
    let mut builder = InteractionsBuilder::default();
    for row in 0..USERS * ITEMS {
        builder.push(&format!("u{}", row % USERS), &format!("i{}", row % ITEMS), 5.0, 0);
    }
    let data = builder.finish();
    let table = |count: usize, prefix: &str| {
        let (mut ids, mut vocabulary) = (DictionaryBuilder::default(), DictionaryBuilder::default());
        for index in 0..count {
            ids.intern(&format!("{prefix}{index}"));
        }
        for word in ["a", "b", "c"] {
            vocabulary.intern(word);
        }
        let words = AttributeValues::TokenSeq {
            vocabulary: vocabulary.finish(),
            indptr: (0..=count).map(|index| 2 * index).collect(),
            words: (0..2 * count).map(|at| (at % 3) as u32).collect(),
        };
        let size = AttributeValues::Float((0..count).map(|index| index as f32).collect());
        let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
        Attributes { ids: ids.finish(), columns: vec![column("words", words), column("size", size)] }
    };
    let (users, items) = (table(USERS, "u"), table(ITEMS, "i"));
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let request = FitRequest {
        recommender,
        training,
        train: Rows { interactions: &data, rows: &rows },
        validation: Rows { interactions: &data, rows: &[] },
        item_attributes: Some(&items),
        user_attributes: Some(&users),
        threshold: 4.0,
        seed: 1,
        device: NeuralDevice::flex(),
    };
    Fields::of(&request, &[], counts).unwrap()
}

/// Compares the gradient of some numbers of every parameter and every table with differences of the loss.
fn holds<N: Network>(network: N, input: impl Fn() -> N::Input, look_ups: &[LookUp], targets: &Targets, loss: Loss) {
    let device = NeuralDevice::flex().plain();
    let network = Taped(network);
    let layout = network.layout().clone();
    // Numbers away from the kinks of ReLU, and weights that are not zero.
    let mut draws = WeightDraws::new(11);
    let start: Vec<f32> = (0..layout.len()).map(|_| draws.uniform(0.7)).collect();
    let value_at = |start: &[f32]| -> (f64, Vec<f32>, Vec<Vec<f32>>) {
        let weights = Parameters::from_numbers(&layout, start, &device).weights(&layout, look_ups, &device);
        // Step 7 of an annealing, and the same noise at every call.
        let traced = network.trace(weights, input(), &mut Noise::new(3, 7, &device));
        let judged = judge(loss, traced.scores, targets);
        let gradient = network.gradient(traced.trace, judged.slope);
        let rows = gradient.rows.iter().map(numbers).collect();
        (judged.value + traced.penalty, numbers(&gradient.flat), rows)
    };
    let (_, flat, rows) = value_at(&start);
    // The gradient by a table's numbers: what its places got, by the weights of the bags.
    let mut gradient = flat;
    for ((table, look_up), places) in layout.tables().iter().zip(look_ups).zip(rows) {
        for row in 0..table.rows {
            for column in 0..table.width {
                let mut one = vec![0.0; table.rows * table.width];
                one[row * table.width + column] = 1.0;
                let reached = look_up.gather(&one, table.width);
                gradient.push(reached.iter().zip(&places).map(|(weight, slope)| weight * slope).sum());
            }
        }
    }
    assert_eq!(gradient.len(), layout.len());
    let (mut compared, mut wrong) = (0, 0);
    for at in (0..layout.len()).step_by(1 + layout.len() / 400) {
        let moved = |by: f32| {
            let mut numbers = start.clone();
            numbers[at] += by;
            value_at(&numbers).0
        };
        let step = 4e-3f32;
        let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        let ours = f64::from(gradient[at]);
        compared += 1;
        // A difference may straddle the kink of a ReLU; few do.
        wrong += usize::from((ours - expected).abs() > 2e-3 + 2e-2 * expected.abs());
    }
    assert!(compared > 50 && wrong * 50 <= compared, "{loss:?}: {wrong} of {compared} slopes are wrong");
}

fn pairs() -> Vec<(u32, u32)> {
    vec![(0, 1), (0, 4), (0, 2), (1, 0), (1, 1), (1, 3), (2, 2), (2, 0), (2, 4)]
}

fn holds_for_pairs<N: PairNetwork>(network: impl Fn() -> N) {
    /// Three pairs make a row.
    struct InThrees<N>(N);
    impl<N: PairNetwork> Network for InThrees<N> {
        type Input = N::Fields;
        fn layout(&self) -> &Layout {
            self.0.layout()
        }
        fn forward(&self, weights: &Weights, input: &N::Fields, noise: Option<&mut Noise>) -> Output {
            self.0.score(weights, input, noise).reshape([3, 3]).into()
        }
    }
    for loss in [Loss::Bce, Loss::Bpr, Loss::SampledSoftmax] {
        let (_, look_ups) = network().look_up(&pairs());
        let other = network();
        holds(InThrees(network()), || other.look_up(&pairs()).0, &look_ups, &Targets::First, loss);
    }
}

fn holds_for_fields<N: FieldNetwork>(kind: &str, sizes: &[(&str, ParamValue)]) {
    let (recommender, training) = resolved(kind, sizes);
    let fields = fields(&recommender, &training, N::COUNTS);
    holds_for_pairs(|| Fielded::<N>::new(&recommender, fields.clone(), NeuralDevice::flex().plain()));
    let saved = Fielded::<N>::new(&recommender, fields.clone(), NeuralDevice::flex().plain()).add_to(Parts::default());
    assert_eq!(Fields::take_from(&mut saved.clone()), Ok(fields));
}

/// The scores of a grid against those of its pairs.
fn grid_is_that_of_pairs<N: FieldNetwork>(kind: &str, sizes: &[(&str, ParamValue)]) {
    let device = NeuralDevice::flex().plain();
    let (recommender, training) = resolved(kind, sizes);
    let fields = fields(&recommender, &training, N::COUNTS);
    let network = Fielded::<N>::new(&recommender, fields, device.clone());
    let layout = network.layout();
    let mut draws = WeightDraws::new(4);
    let start: Vec<f32> = (0..layout.len()).map(|_| draws.uniform(0.7)).collect();
    let parameters = Parameters::from_numbers(layout, &start, &device);
    let (users, items) = ([2, 0], 1..4);
    let pairs: Vec<(u32, u32)> = users.iter().flat_map(|&user| items.clone().map(move |item| (user, item))).collect();
    let (seen, look_ups) = network.look_up(&pairs);
    let expected = numbers(&network.score(&parameters.weights(layout, &look_ups, &device), &seen, None));
    let found = network.grid(&users, items, &parameters, &device).unwrap();
    assert_eq!(found.len(), expected.len(), "{kind}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{kind}: {found} {expected}");
    }
    assert!(expected.iter().any(|score| (score - expected[0]).abs() > 0.01), "{kind}: the pairs differ");
}

#[test]
fn a_grid_gives_each_pair_what_the_pair_alone_gets() {
    let width = ("embedding", ParamValue::Integer(3));
    let hidden = ("hidden", integers(&[6, 4]));
    grid_is_that_of_pairs::<DeepFm>("deepfm", &[width.clone(), hidden.clone()]);
    let crosses = ("crosses", ParamValue::Integer(20));
    grid_is_that_of_pairs::<WideAndDeep>("wide-and-deep", &[width.clone(), hidden.clone(), crosses]);
    grid_is_that_of_pairs::<Dlrm>("dlrm", &[width, hidden, ("bottom", integers(&[4]))]);
}

#[test]
fn the_gradient_of_neumf_is_that_of_finite_differences() {
    let sizes = [
        ("factors", ParamValue::Integer(3)),
        ("embedding", ParamValue::Integer(4)),
        ("hidden", integers(&[6, 4])),
        ("dropout", ParamValue::Float(0.3)),
    ];
    let (recommender, _) = resolved("neumf", &sizes);
    holds_for_pairs(|| NeuMf::new(&recommender, (USERS, ITEMS)));
}

#[test]
fn the_gradient_of_wide_and_deep_is_that_of_finite_differences() {
    let sizes =
        [("embedding", ParamValue::Integer(3)), ("hidden", integers(&[6, 4])), ("crosses", ParamValue::Integer(20))];
    holds_for_fields::<WideAndDeep>("wide-and-deep", &sizes);
}

#[test]
fn the_gradient_of_deepfm_is_that_of_finite_differences() {
    holds_for_fields::<DeepFm>("deepfm", &[("embedding", ParamValue::Integer(3)), ("hidden", integers(&[6, 4]))]);
}

#[test]
fn the_gradient_of_dlrm_is_that_of_finite_differences() {
    let sizes = [("embedding", ParamValue::Integer(3)), ("bottom", integers(&[4])), ("hidden", integers(&[6, 4]))];
    holds_for_fields::<Dlrm>("dlrm", &sizes);
}

#[test]
fn the_gradient_of_the_autoencoder_is_that_of_finite_differences_with_its_divergence() {
    let device = NeuralDevice::flex().plain();
    let sizes = [
        ("hidden", ParamValue::Integer(6)),
        ("latent", ParamValue::Integer(3)),
        ("kl_weight", ParamValue::Float(1.0)),
        ("annealing_steps", ParamValue::Integer(14)),
    ];
    let (recommender, _) = resolved("autoencoder", &sizes);
    let mut look_up = LookUp::bags();
    look_up.push_bag([(0, 0.5), (3, 0.5)]);
    look_up.push_bag([(1, 1.0)]);
    look_up.push_bag([]);
    let sets = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let sets = Tensor::from_data(TensorData::new(sets, [3, ITEMS]), &device);
    for loss in [Loss::CrossEntropy, Loss::Bce, Loss::Mse] {
        let network = Autoencoder::new(&recommender, ITEMS);
        holds(
            network,
            || (),
            std::slice::from_ref(&look_up),
            &Targets::Sets { sets: sets.clone(), counted: None },
            loss,
        );
    }
}
