//! What several test programs share.
#![allow(dead_code, reason = "each test program uses a part")]

#[path = "../../../../tests/tests/measured/mod.rs"]
pub(crate) mod measured;

use recspeed_data::{
    AttributeColumn, AttributeValues, Attributes, Dictionary, DictionaryBuilder, Interactions, InteractionsBuilder,
};
use recspeed_recommenders::{RankRequest, Ranking, Recommender, TrainSet, fit};
use recspeed_types::spec::{EvaluationSpec, ParamValue, RecommenderSpec, ResolvedRecommender, SplitSpec};
use recspeed_types::{ExperimentSpec, MetricKind, MetricName, Unobserved};

/// A recommender as a spec would give it.
pub(crate) fn resolved(kind: &str, params: &[(&str, ParamValue)]) -> ResolvedRecommender {
    let mut recommender = RecommenderSpec::new(kind);
    for (name, value) in params {
        recommender = recommender.with(name, value.clone());
    }
    let metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
    let evaluation = EvaluationSpec { metrics, ..EvaluationSpec::default() };
    // Weights are learnt only where validation rows are held out.
    let split = SplitSpec { validation_ratio: Some(0.1), ..SplitSpec::default() };
    let spec = ExperimentSpec { recommender, split, evaluation, ..ExperimentSpec::default() };
    spec.resolve().expect("a valid spec").recommender
}

pub(crate) fn text(value: &str) -> ParamValue {
    ParamValue::Text(value.to_owned())
}

pub(crate) fn fitted(
    kind: &str,
    params: &[(&str, ParamValue)],
    data: &TrainSet<'_>,
    seed: u64,
) -> Box<dyn Recommender> {
    fit(&resolved(kind, params), data, seed, &mut Unobserved).expect("the fit succeeds")
}

/// Has known users answered from these rows from now on.
pub(crate) fn read(model: &mut dyn Recommender, interactions: &Interactions, known: &[u32]) {
    model.read(interactions, known, &mut Unobserved).expect("nothing stops the reading");
}

/// Each row a second after the one before it.
pub(crate) fn interactions(rows: &[(u32, u32, f32)]) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for (&(user, item, rating), time) in rows.iter().zip(0..) {
        builder.push(&user.to_string(), &item.to_string(), rating, time);
    }
    builder.finish()
}

/// What is known of users and items besides ratings: a colour, words and a size, all three told by the id, and nothing
/// about every seventh id, among them the last of 61.
pub(crate) fn attributes(ids: &Dictionary) -> Attributes {
    let (mut known, mut colours, mut words) =
        (DictionaryBuilder::default(), DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut colour, mut indptr, mut word, mut size) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    for (index, id) in ids.iter().enumerate().filter(|(index, _)| index % 7 != 4) {
        known.intern(id);
        colour.push(colours.intern(if index % 2 == 0 { "black" } else { "white" }));
        word.extend([words.intern(&format!("line{}", index % 5)), words.intern("piece")]);
        indptr.push(word.len());
        size.push(if index % 11 == 0 { f32::NAN } else { index as f32 });
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

/// [`attributes`] of items and of users.
pub(crate) fn known(all: &Interactions) -> (Attributes, Attributes) {
    (attributes(&all.items), attributes(&all.users))
}

/// Everybody's `k` best among the items that somebody trained on, without their own.
pub(crate) fn rank(model: &dyn Recommender, data: &TrainSet<'_>, k: usize) -> Ranking {
    let users: Vec<u32> = (0..data.n_users() as u32).collect();
    let (candidates, tie_ranks) = (data.candidates(), data.interactions.items.tie_ranks());
    let request = RankRequest {
        users: &users,
        k,
        exclude: Some(&data.by_user),
        candidates: Some(&candidates),
        tie_ranks: &tie_ranks,
    };
    model.rank(&request, &mut Unobserved).expect("a ranking")
}

/// `size` users and items; user `u` rated item `i` exactly when `u + i` is even and `u ≠ i`. So the item that a user
/// should get next is the one of the same number: all other items of the user's colour are known already, and the
/// other colour belongs to other people.
pub(crate) fn checkerboard(size: u32) -> Interactions {
    let mut rows = Vec::new();
    for user in 0..size {
        for item in 0..size {
            if (user + item) % 2 == 0 && user != item {
                rows.push((user, item, 5.0));
            }
        }
    }
    interactions(&rows)
}

/// Pseudo-random ratings with cold users, cold items (rows that are held out) and a popular head.
pub(crate) fn varied(users: u32, items: u32, rows: u32) -> (Interactions, Vec<u32>) {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut all = Vec::new();
    for _ in 0..rows {
        let popular = next() % 2 == 0;
        let item = if popular { next() % (items / 10).max(1) } else { next() % items };
        all.push((next() % users, item, (next() % 5 + 1) as f32));
    }
    // The last user and the last item only occur in a row that is not learnt from.
    all.push((users, items, 3.0));
    let data = interactions(&all);
    let rows = (0..data.len() as u32 - 1).collect();
    (data, rows)
}

/// The bytes of a file under `RECSPEED_DATA`; `None`, with a line that says so, when it is not set.
pub(crate) fn real_file(path: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("RECSPEED_DATA") else {
        eprintln!("SKIPPED: set RECSPEED_DATA to the folder that holds {path}");
        return None;
    };
    let path = std::path::Path::new(&root).join(path);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Runs on a pool of that many threads.
pub(crate) fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool").install(work)
}
