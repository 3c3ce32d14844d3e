//! Who is ranked for, among what.

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use recspeed_data::{Csr, Interactions};
use recspeed_types::spec::{Candidates, ResolvedSpec};

use crate::run::Prepared;

/// The random stream that draws the evaluated users, apart from those of data, split and training.
const USER_STREAM: u64 = 0x7573_6572_7300_0001;

/// Who is ranked for, among what.
pub(crate) struct Audience {
    /// Users to rank for, ascending.
    pub(crate) users: Vec<u32>,
    /// Test users that could be ranked for: those with something to find.
    pub(crate) seekers: u64,
    /// Users with at least one test row, ascending.
    pub(crate) test_users: Vec<u32>,
    /// Of them, those without a row before the test.
    pub(crate) cold_users: u64,
    /// Test rows whose item has no row before the test.
    pub(crate) cold_item_rows: u64,
    /// Test rows whose user had the item before the test.
    pub(crate) repeated_rows: u64,
    /// Rows before the test of each item.
    pub(crate) known_counts: Vec<u32>,
    /// 1 for each item that anybody can be recommended, 0 for the others.
    pub(crate) candidates: Vec<u32>,
    /// Rows that each item was learnt from.
    pub(crate) fit_counts: Vec<u32>,
    /// Users with at least one row that was learnt from.
    pub(crate) fit_users: u64,
    /// Test items of each user, ascending. Among cold items alone, those of them that are cold: nothing else can be found.
    pub(crate) relevant: Csr,
    /// Test rows that are not relevant for this reason.
    pub(crate) left_out_rows: u64,
    /// Items before the test of each user, ascending.
    pub(crate) known: Csr,
}

impl Audience {
    pub(crate) fn new(spec: &ResolvedSpec, data: &Prepared) -> Self {
        let all = &data.interactions;
        let known = Csr::by_user(all, &data.known_rows);
        let known_counts = item_counts(all, &data.known_rows);
        let (cold_rows, warm_rows): (Vec<u32>, Vec<u32>) =
            data.test_rows.iter().partition(|&&row| known_counts[all.item[row as usize] as usize] == 0);
        let cold_item_rows = cold_rows.len() as u64;
        let is_repeated = |&&row: &&u32| {
            let (user, item) = (all.user[row as usize], all.item[row as usize]);
            known.row(user as usize).0.binary_search(&item).is_ok()
        };
        let repeated_rows = data.test_rows.iter().filter(is_repeated).count() as u64;
        let of_users = |rows: &[u32]| {
            let entries = Csr::by_user(all, rows);
            let users = (0..all.n_users() as u32).filter(|&user| !entries.row(user as usize).0.is_empty());
            (users.collect::<Vec<u32>>(), entries)
        };
        let (test_users, test_items) = of_users(&data.test_rows);
        let (seekers, relevant, left_out_rows) = match spec.evaluation.candidates {
            Candidates::Cold => {
                let (seekers, relevant) = of_users(&cold_rows);
                (seekers, relevant, warm_rows.len() as u64)
            }
            _ => (test_users.clone(), test_items, 0),
        };
        let cold_users = test_users.iter().filter(|&&u| known.row(u as usize).0.is_empty()).count() as u64;
        let users = match spec.evaluation.max_users {
            Some(most) if most < seekers.len() as u64 => {
                let mut rng = ChaCha8Rng::seed_from_u64(spec.data_seed ^ USER_STREAM);
                let mut drawn: Vec<u32> =
                    sample(&mut rng, seekers.len(), most as usize).iter().map(|at| seekers[at]).collect();
                drawn.sort_unstable();
                drawn
            }
            _ => seekers.clone(),
        };
        let candidates =
            known_counts.iter().map(|&count| u32::from(is_candidate(spec.evaluation.candidates, count > 0))).collect();
        let fit_counts = item_counts(all, &data.fit_rows);
        let mut learnt_from = vec![false; all.n_users()];
        for &row in &data.fit_rows {
            learnt_from[all.user[row as usize] as usize] = true;
        }
        let fit_users = learnt_from.into_iter().filter(|&learnt| learnt).count() as u64;
        Self {
            users,
            seekers: seekers.len() as u64,
            test_users,
            cold_users,
            cold_item_rows,
            repeated_rows,
            known_counts,
            candidates,
            fit_counts,
            fit_users,
            relevant,
            left_out_rows,
            known,
        }
    }

    /// Items that anybody can be recommended.
    pub(crate) fn candidate_items(&self) -> u64 {
        self.candidates.iter().map(|&candidate| u64::from(candidate)).sum()
    }
}

/// Whether an item can be recommended to anybody, by whether anybody had it before the test. What is measured and what a trained model
/// answers with are one set.
pub(crate) const fn is_candidate(candidates: Candidates, known: bool) -> bool {
    match candidates {
        Candidates::Unseen | Candidates::All => known,
        Candidates::UnseenAndCold => true,
        Candidates::Cold => !known,
    }
}

fn item_counts(all: &Interactions, rows: &[u32]) -> Vec<u32> {
    let mut counts = vec![0; all.n_items()];
    for &row in rows {
        counts[all.item[row as usize] as usize] += 1;
    }
    counts
}
