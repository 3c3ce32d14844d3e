//! Laws of the sequence models.

use recspeed_data::parts::Parts;
use recspeed_data::{Interactions, InteractionsBuilder};
use recspeed_neural::{FitRequest, NeuralDevice, NeuralFitError, NeuralModel, Rows, fit, restore};
use recspeed_types::spec::{Loss, ParamValue, ResolvedRecommender, Training};
use recspeed_types::{EventKind, ExperimentSpec, FitObserver, Unobserved};

const KINDS: [&str; 4] = ["sasrec", "gru4rec", "caser", "bert4rec"];

/// Everybody walks around a circle of items, from a place of their own: what comes next depends on the newest item alone.
fn circle(users: usize, items: usize) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for item in 0..items {
        builder.push("first", &format!("i{item}"), 1.0, item as i64);
    }
    for user in 0..users {
        for step in 0..4 + user % 5 {
            builder.push(&format!("u{user}"), &format!("i{}", (user * 7 + step) % items), 1.0, step as i64);
        }
    }
    builder.finish()
}

/// A spec's recommender and training.
fn resolved(kind: &str, params: &[(&str, ParamValue)], training: &str) -> (ResolvedRecommender, Training) {
    let params = params.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n");
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[split]\nkind = \"leave-last-out\"\n\
         validation = true\n[recommender]\nkind = \"{kind}\"\n{params}\n[training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
    );
    let spec = ExperimentSpec::from_toml(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let spec = spec.resolve().unwrap_or_else(|errors| panic!("{errors}"));
    (spec.recommender, spec.training.expect("a sequence model is trained"))
}

fn small(kind: &str) -> Vec<(&'static str, ParamValue)> {
    let mut params = vec![
        ("factors", ParamValue::Integer(16)),
        ("dropout", ParamValue::Float(0.0)),
        ("negatives", ParamValue::Integer(8)),
    ];
    if kind == "sasrec" || kind == "bert4rec" {
        params.push(("blocks", ParamValue::Integer(1)));
        params.push(("heads", ParamValue::Integer(2)));
    }
    if kind == "bert4rec" {
        params.push(("hidden", ParamValue::Float(0.4)));
    }
    if kind == "caser" {
        params.push(("ahead", ParamValue::Integer(1)));
    }
    if kind == "gru4rec" {
        params.push(("hidden", ParamValue::Integer(24)));
    }
    params
}

const QUICK: &str = "epochs = 40\nbatch_size = 16\nlearning_rate = 0.01";

/// How a kind is trained, and of how many of a hundred people it must then say what comes next; chance says six. One that hides items
/// sees a part of what comes next an epoch, and how much it has learnt is told by the seed and by the processor's last digits: 80 to 100
/// over eight seeds.
fn course(kind: &str) -> (&'static str, usize) {
    if kind == "bert4rec" { ("epochs = 120\nbatch_size = 16\nlearning_rate = 0.01", 70) } else { (QUICK, 90) }
}

fn request<'a>(
    setting: &'a (ResolvedRecommender, Training),
    data: &'a Interactions,
    rows: &'a [u32],
    validation: &'a [u32],
) -> FitRequest<'a> {
    FitRequest {
        recommender: &setting.0,
        training: &setting.1,
        train: Rows { interactions: data, rows },
        validation: Rows { interactions: data, rows: validation },
        item_attributes: None,
        user_attributes: None,
        threshold: 4.0,
        seed: 3,
        device: NeuralDevice::flex(),
    }
}

fn scores(model: &dyn NeuralModel, user: u32, items: usize) -> Vec<f32> {
    let mut scores = vec![0.0; items];
    model.score_all(user, 0, &mut scores);
    scores
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn best(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).expect("items")
}

#[test]
fn every_model_learns_what_comes_next_and_every_loss_teaches_it() {
    let data = circle(100, 20);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let (soft, cross) = (Loss::SampledSoftmax, Loss::CrossEntropy);
    let cases = [
        ("sasrec", &[soft, cross, Loss::Bce, Loss::Bpr][..]),
        ("gru4rec", &[soft]),
        ("caser", &[soft]),
        ("bert4rec", &[cross]),
    ];
    for (kind, loss) in cases.iter().flat_map(|(kind, losses)| losses.iter().map(move |loss| (*kind, loss.as_str()))) {
        let (course, least) = course(kind);
        let setting = resolved(kind, &small(kind), &format!("{course}\nloss = \"{loss}\""));
        let fitted = fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("a fit");
        let right = (1..=100u32)
            .filter(|&user| {
                let last = (0..data.len()).rev().find(|&row| data.user[row] == user).expect("rows of each user");
                // As lists are made: without what the user has.
                let mut scores = scores(&*fitted.model, user, 20);
                let own = (0..data.len()).filter(|&row| data.user[row] == user);
                own.for_each(|row| scores[data.item[row] as usize] = f32::NEG_INFINITY);
                best(&scores) == (data.item[last] as usize + 1) % 20
            })
            .count();
        assert!(right >= least, "{kind} with {loss}: {right} of 100");
        let mut basket = vec![0.0; 20];
        fitted.model.fold_in().expect("new users").score_basket(&[(4, 1.0), (5, 1.0), (6, 1.0)], &mut basket);
        basket[4..7].fill(f32::NEG_INFINITY);
        assert_eq!(best(&basket), 7, "{kind} with {loss}, a new user");
    }
}

#[test]
fn every_attention_learns_what_comes_next() {
    let data = circle(100, 20);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    for attention in ["full", "local-window", "block-sparse"] {
        let mut params = small("sasrec");
        params.push(("attention", ParamValue::Text(attention.to_owned())));
        params.push(("window", ParamValue::Integer(3)));
        let setting = resolved("sasrec", &params, QUICK);
        let fitted = fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("a fit");
        let mut basket = vec![0.0; 20];
        fitted.model.fold_in().expect("new users").score_basket(&[(4, 1.0), (5, 1.0), (6, 1.0), (7, 1.0)], &mut basket);
        assert_eq!(best(&basket), 8, "{attention}");
    }
}

#[test]
fn validation_items_steer_and_are_not_read_until_the_model_is_told_to() {
    let data = circle(60, 20);
    let newest = |user: u32| (0..data.len()).rev().find(|&row| data.user[row] == user).expect("rows") as u32;
    let held: Vec<u32> = (1..=60).map(newest).collect();
    let rows: Vec<u32> = (0..data.len() as u32).filter(|row| !held.contains(row)).collect();
    for kind in KINDS {
        let setting = resolved(kind, &small(kind), "epochs = 2\nbatch_size = 16");
        let without = fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("a fit");
        let mut with = fit(&request(&setting, &data, &rows, &held), &mut Unobserved).expect("a fit").model;
        assert_eq!(without.model.parts(), with.parts(), "{kind}: nothing of them is in the model");
        let all: Vec<u32> = (0..data.len() as u32).collect();
        with.read(Rows { interactions: &data, rows: &all });
        let (mut without, mut with) = (without.model.parts(), with.parts());
        assert_ne!(without.take("users-read"), with.take("users-read"), "{kind}: what is asked of differs");
        let times = |parts: &mut Parts| parts.take_count("newest").expect("a time");
        assert!(times(&mut without) <= times(&mut with), "{kind}");
        assert_eq!(without, with, "{kind}: what was learnt is the same");
    }
}

#[test]
fn saved_models_answer_with_the_same_bits_on_any_number_of_threads() {
    let data = circle(300, 20);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    for kind in KINDS {
        let mut params = small(kind);
        params[1].1 = ParamValue::Float(0.3);
        let setting = resolved(kind, &params, "epochs = 2\nbatch_size = 32");
        let fitted = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("a fit"))
        };
        let one = fitted(1).model;
        let two = fitted(2).model;
        assert_eq!(one.parts(), two.parts(), "{kind}");
        let again = restore(&setting.0, one.parts(), &NeuralDevice::flex()).expect("a model");
        assert_eq!(bits(&scores(&*one, 7, 20)), bits(&scores(&*again, 7, 20)), "{kind}");
        assert_eq!(one.parts(), again.parts(), "{kind}");
        let mut basket = (vec![0.0; 20], vec![0.0; 20]);
        one.fold_in().expect("new users").score_basket(&[(4, 1.0), (5, 1.0)], &mut basket.0);
        again.fold_in().expect("new users").score_basket(&[(4, 1.0), (5, 1.0)], &mut basket.1);
        assert_eq!(bits(&basket.0), bits(&basket.1), "{kind}");
        one.fold_in().expect("new users").score_basket(&[], &mut basket.0);
        assert_eq!(basket.0, [0.0; 20], "{kind}: nothing is known");
    }
}

/// Stops after some questions, and keeps the last checkpoint.
struct StopAfter {
    left: u32,
    state: Option<Vec<u8>>,
    resume: Option<Vec<u8>>,
}

impl FitObserver for StopAfter {
    fn event(&mut self, _: EventKind) {}

    fn stop_requested(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.state = Some(state());
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

#[test]
fn a_training_that_was_stopped_ends_in_the_same_bits() {
    let data = circle(60, 20);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    for kind in KINDS {
        let mut params = small(kind);
        params[1].1 = ParamValue::Float(0.3);
        let setting = resolved(kind, &params, "epochs = 3\nbatch_size = 16");
        let whole = fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("a fit");
        let mut stop = StopAfter { left: 7, state: None, resume: None };
        let error = fit(&request(&setting, &data, &rows, &[]), &mut stop).expect_err("it was stopped");
        assert_eq!(error, NeuralFitError::Interrupted { step: 6 });
        let mut go_on = StopAfter { left: u32::MAX, state: None, resume: stop.state };
        let resumed = fit(&request(&setting, &data, &rows, &[]), &mut go_on).expect("a fit");
        assert_eq!(whole.model.parts(), resumed.model.parts(), "{kind}");
    }
}

#[test]
fn data_without_an_order_are_refused_with_the_reason_and_what_to_use_instead() {
    let mut data = circle(30, 20);
    data.has_timestamps = false;
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    for kind in KINDS {
        let setting = resolved(kind, &small(kind), "epochs = 1");
        fit(&request(&setting, &data, &rows, &[]), &mut Unobserved).expect("positions are an order");
        // Neither places that are all 0 nor times that are all one say what came first.
        for (has_timestamps, one) in [(false, 0), (true, 0), (true, 1_700_000_000)] {
            let mut unordered = Interactions { has_timestamps, ..data.clone() };
            unordered.timestamp.fill(one);
            let error = fit(&request(&setting, &unordered, &rows, &[]), &mut Unobserved).expect_err("no order");
            let said = error.to_string();
            assert!(said.contains("the order of each user's rows") && said.contains("item-knn"), "{said}");
        }
    }
}

#[test]
fn sequences_that_teach_nothing_are_refused() {
    let data = circle(30, 20);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let firsts: Vec<u32> = rows.iter().copied().filter(|&row| data.timestamp[row as usize] == 0).collect();
    for kind in KINDS {
        let setting = resolved(kind, &small(kind), "epochs = 1");
        let error = fit(&request(&setting, &data, &firsts, &[]), &mut Unobserved).expect_err("one item each");
        assert_eq!(error, NeuralFitError::NoSequences { kind }, "{error}");
    }
}
