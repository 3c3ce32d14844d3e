//! Full ranking of the test users, and the metrics of their lists.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use recspeed_data::Csr;
use recspeed_metrics::{Lists, beyond_accuracy, ranking};
use recspeed_recommenders::{RankError, RankRequest, Recommender};
use recspeed_types::spec::{Candidates, ResolvedSpec};
use recspeed_types::{FailureCode, MetricKind, MetricName};

use crate::evaluate::unmeasurable;
use crate::run::Prepared;
use crate::{Host, RunFailure};

/// The random stream that draws the evaluated users, apart from those of data, split and training.
const USER_STREAM: u64 = 0x7573_6572_7300_0001;

/// Who is ranked for, among what.
pub(crate) struct Audience {
    /// Users to rank for, ascending.
    pub(crate) users: Vec<u32>,
    /// Users with at least one test row.
    pub(crate) test_users: u64,
    /// Of them, those without a row before the test.
    pub(crate) cold_users: u64,
    /// Test rows whose item has no row before the test.
    pub(crate) cold_item_rows: u64,
    /// Rows before the test of each item; an item is a candidate when it has any.
    known_counts: Vec<u32>,
    /// Rows that each item was learnt from.
    fit_counts: Vec<u32>,
    /// Test items of each user, ascending.
    relevant: Csr,
    /// Items before the test of each user, ascending.
    known: Csr,
}

impl Audience {
    pub(crate) fn new(spec: &ResolvedSpec, data: &Prepared) -> Self {
        let all = &data.interactions;
        let relevant = Csr::by_user(all, &data.test_rows);
        let known = Csr::by_user(all, &data.known_rows);
        let known_counts = item_counts(all, &data.known_rows);
        let has_test: Vec<u32> =
            (0..all.n_users() as u32).filter(|&u| !relevant.row(u as usize).0.is_empty()).collect();
        let cold_users = has_test.iter().filter(|&&u| known.row(u as usize).0.is_empty()).count() as u64;
        let cold_item_rows =
            data.test_rows.iter().filter(|&&row| known_counts[all.item[row as usize] as usize] == 0).count() as u64;
        let test_users = has_test.len() as u64;
        let users = match spec.evaluation.max_users {
            Some(most) if most < test_users => {
                let mut rng = ChaCha8Rng::seed_from_u64(spec.seed ^ USER_STREAM);
                let mut drawn: Vec<u32> =
                    sample(&mut rng, has_test.len(), most as usize).iter().map(|at| has_test[at]).collect();
                drawn.sort_unstable();
                drawn
            }
            _ => has_test,
        };
        let fit_counts = item_counts(all, &data.fit_rows);
        Self { users, test_users, cold_users, cold_item_rows, known_counts, fit_counts, relevant, known }
    }

    /// Items that anybody can be recommended.
    pub(crate) fn candidate_items(&self) -> u64 {
        self.known_counts.iter().filter(|&&count| count > 0).count() as u64
    }
}

fn item_counts(all: &recspeed_data::Interactions, rows: &[u32]) -> Vec<u32> {
    let mut counts = vec![0; all.n_items()];
    for &row in rows {
        counts[all.item[row as usize] as usize] += 1;
    }
    counts
}

pub(crate) struct Ranked {
    pub(crate) values: BTreeMap<String, f64>,
    /// Share of the lists whose last place was decided by the tie rule.
    pub(crate) tie_share: f64,
}

pub(crate) fn rank(
    spec: &ResolvedSpec,
    data: &Prepared,
    audience: &Audience,
    recommender: &dyn Recommender,
    metrics: &[MetricName],
    host: &mut dyn Host,
) -> Result<Ranked, RunFailure> {
    let longest = metrics.iter().filter_map(|name| name.k).max().unwrap_or(1) as usize;
    let width = NonZeroUsize::new(longest).unwrap_or(NonZeroUsize::MIN);
    let candidates: Vec<bool> = audience.known_counts.iter().map(|&count| count > 0).collect();
    let tie_ranks = data.interactions.items.tie_ranks();
    let request = RankRequest {
        users: &audience.users,
        k: width.get(),
        exclude: match spec.evaluation.candidates {
            Candidates::Unseen => Some(&audience.known),
            Candidates::All => None,
        },
        candidates: Some(&candidates),
        tie_ranks: &tie_ranks,
    };
    let ranking = recommender.rank(&request, host).map_err(failure)?;
    let lists = Lists::new(&ranking.items, width.get()).map_err(unmeasurable)?;
    let mut values = BTreeMap::new();
    for name in metrics {
        values.insert(name.to_string(), measure(*name, lists, audience)?);
    }
    Ok(Ranked {
        values,
        tie_share: ranking.ties.iter().filter(|&&tie| tie).count() as f64 / audience.users.len().max(1) as f64,
    })
}

fn measure(name: MetricName, lists: Lists<'_>, audience: &Audience) -> Result<f64, RunFailure> {
    let k = name.k.and_then(|k| NonZeroUsize::new(k as usize)).unwrap_or(NonZeroUsize::MIN);
    match name.kind {
        MetricKind::Coverage => beyond_accuracy::coverage(lists, k, &audience.known_counts).map_err(unmeasurable),
        MetricKind::MeanPopularity => {
            beyond_accuracy::mean_popularity(lists, k, &audience.fit_counts).map_err(unmeasurable)
        }
        kind => {
            let mut sum = 0.0;
            for (index, &user) in audience.users.iter().enumerate() {
                let relevant = audience.relevant.row(user as usize).0;
                sum += ranking::of_user(kind, lists.list(index), relevant, k).map_err(unmeasurable)?.unwrap_or(0.0);
            }
            Ok(sum / audience.users.len().max(1) as f64)
        }
    }
}

fn failure(error: RankError) -> RunFailure {
    let code = match error {
        RankError::Interrupted { .. } => return RunFailure::cancelled(),
        RankError::OutOfMemory { .. } => FailureCode::OutOfMemory,
        RankError::NotFinite { .. } => FailureCode::Diverged,
        RankError::Shape { .. } | RankError::UnknownUser { .. } => FailureCode::Internal,
    };
    RunFailure::new(code, format!("The items could not be ranked: {error}."))
}
