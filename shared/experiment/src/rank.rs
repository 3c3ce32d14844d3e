//! Full ranking of the evaluated users, and the metrics of their lists.

use std::num::NonZeroUsize;

use recspeed_data::Csr;
use recspeed_metrics::{Lists, MetricError, beyond_accuracy, ranking, variety};
use recspeed_recommenders::{RankRequest, Ranking, Recommender};
use recspeed_types::spec::{Candidates, ResolvedSpec};
use recspeed_types::{FitObserver, MetricKind, MetricName};

use crate::audience::Audience;
use crate::evaluate::{UserTable, Values, unmeasurable};
use crate::pace::Pace;
use crate::run::Prepared;
use crate::runaway::not_ranked;
use crate::sampled::Sampled;
use crate::{Host, RunFailure};

pub(crate) struct Ranked {
    /// The lists of the evaluated users.
    pub(crate) ranking: Ranking,
    /// Share of the lists whose last place was decided by the tie rule.
    pub(crate) tie_share: f64,
    /// Users whose list was ranked among all candidates.
    pub(crate) in_full: u64,
    /// Metrics that these lists give no value, and why.
    pub(crate) undefined: Vec<(MetricName, MetricError)>,
}

/// Ranks for the audience and adds the metrics to `values` and `table`.
pub(crate) fn rank(
    spec: &ResolvedSpec,
    data: &Prepared,
    audience: &Audience,
    recommender: &dyn Recommender,
    (metrics, values, table): (&[MetricName], &mut Values, &mut UserTable),
    host: &mut dyn Host,
) -> Result<Ranked, RunFailure> {
    let question = Question::new(spec, data, audience, metrics);
    let (ranking, undefined) = question.ask(data, recommender, (metrics, values, table), &mut Pace::new(host))?;
    let tie_share = ranking.ties.iter().filter(|&&tie| tie).count() as f64 / audience.users.len().max(1) as f64;
    let in_full = question.sampled.as_ref().map_or(audience.users.len() as u64, Sampled::in_full);
    Ok(Ranked { ranking, tie_share, in_full, undefined })
}

/// What every recommender of an experiment is asked for.
pub(crate) struct Question<'a> {
    spec: &'a ResolvedSpec,
    audience: &'a Audience,
    longest: NonZeroUsize,
    candidates: Vec<bool>,
    exclude: Option<&'a Csr>,
    tie_ranks: Vec<u32>,
    /// Where each user's test items are ranked among a few drawn ones.
    sampled: Option<Sampled>,
}

impl<'a> Question<'a> {
    /// What the evaluation asks: lists as long as the longest that a metric looks at, among drawn items where the spec
    /// says so.
    pub(crate) fn new(spec: &'a ResolvedSpec, data: &Prepared, audience: &'a Audience, metrics: &[MetricName]) -> Self {
        let longest = metrics.iter().filter_map(|name| name.k).max().unwrap_or(1) as usize;
        let among_all = Self::among_all(spec, data, audience, longest);
        let exclude = among_all.exclude;
        let draw = |count: u64| Sampled::draw(count as usize, audience, exclude, spec.data_seed);
        Self { sampled: spec.evaluation.sampled.map(draw), ..among_all }
    }

    /// Lists of so many places among all candidates.
    pub(crate) fn among_all(spec: &'a ResolvedSpec, data: &Prepared, audience: &'a Audience, places: usize) -> Self {
        let exclude = match spec.evaluation.candidates {
            Candidates::Unseen | Candidates::UnseenAndCold | Candidates::Cold => Some(&audience.known),
            Candidates::All => None,
        };
        Self {
            spec,
            audience,
            longest: NonZeroUsize::new(places).unwrap_or(NonZeroUsize::MIN),
            candidates: audience.candidates.iter().map(|&candidate| candidate > 0).collect(),
            exclude,
            sampled: None,
            tie_ranks: data.interactions.items.tie_ranks(),
        }
    }

    pub(crate) fn request(&self) -> RankRequest<'_> {
        RankRequest {
            users: &self.audience.users,
            k: self.longest.get(),
            exclude: self.exclude,
            candidates: Some(&self.candidates),
            tie_ranks: &self.tie_ranks,
        }
    }

    /// Ranks and adds the metrics to `values` and `table`; beside the ranking those that have no value.
    pub(crate) fn ask(
        &self,
        data: &Prepared,
        recommender: &dyn Recommender,
        (metrics, values, table): (&[MetricName], &mut Values, &mut UserTable),
        observer: &mut dyn FitObserver,
    ) -> Result<(Ranking, Vec<(MetricName, MetricError)>), RunFailure> {
        let (audience, request) = (self.audience, self.request());
        let ranking = match &self.sampled {
            Some(sampled) => sampled.rank(recommender, &request, observer),
            None => recommender.rank(&request, observer),
        };
        let ranking = ranking.map_err(|error| not_ranked(self.spec, &data.interactions, error))?;
        let lists = Lists::new(&ranking.items, self.longest.get()).map_err(unmeasurable)?;
        let judge = Judge::new(data, audience, &request);
        let mut undefined = Vec::new();
        for name in metrics {
            let k = name.k.and_then(|k| NonZeroUsize::new(k as usize)).unwrap_or(NonZeroUsize::MIN);
            let value = match name.kind {
                MetricKind::Coverage => beyond_accuracy::coverage(lists, k, &audience.candidates),
                MetricKind::ColdCoverage => {
                    let cold: Vec<bool> = audience.known_counts.iter().map(|&count| count == 0).collect();
                    beyond_accuracy::cold_coverage(lists, k, &cold)
                }
                MetricKind::MeanPopularity => beyond_accuracy::mean_popularity(lists, k, &audience.fit_counts),
                MetricKind::Gini => beyond_accuracy::gini(lists, k, &audience.candidates),
                MetricKind::PopularityLift => judge.popularity_lift(lists, k),
                kind => {
                    let of_users = judge.of_users(kind, lists, k)?;
                    let mean = mean(kind, &of_users);
                    if mean.is_ok() {
                        table.add(*name, audience, &of_users);
                    }
                    mean
                }
            };
            match value {
                Ok(value) => {
                    values.insert(name.to_string(), value);
                }
                Err(why @ MetricError::Empty { .. }) => undefined.push((*name, why)),
                Err(other) => return Err(unmeasurable(other)),
            }
        }
        Ok((ranking, undefined))
    }
}

/// The mean over the users who have a value; of nobody there is none.
fn mean(kind: MetricKind, of_users: &[Option<f64>]) -> Result<f64, MetricError> {
    let count = of_users.iter().flatten().count();
    if count == 0 {
        return Err(MetricError::Empty { metric: kind.as_str(), over: "the evaluated users whose list has a value" });
    }
    // A sum of zeros may be −0.
    Ok(of_users.iter().flatten().sum::<f64>() / count as f64 + 0.0)
}

/// Judges lists one user at a time.
struct Judge<'a> {
    audience: &'a Audience,
    /// Items × users of the rows that were learnt from.
    learnt_by_item: Csr,
    /// Users of each item among those rows: fewer than its rows where somebody has it several times.
    users_of_item: Vec<u32>,
    /// Users × items of the rows that were learnt from.
    learnt_by_user: Csr,
    /// Candidates, the most popular first, in the order of the popularity recommender.
    popular: Vec<u32>,
    exclude: Option<&'a Csr>,
}

impl<'a> Judge<'a> {
    fn new(data: &Prepared, audience: &'a Audience, request: &RankRequest<'a>) -> Self {
        let learnt_by_user = Csr::by_user(&data.interactions, &data.fit_rows);
        let learnt_by_item = learnt_by_user.transpose(data.interactions.n_items());
        let candidates = request.candidates.unwrap_or_default();
        let mut popular: Vec<u32> = (0..candidates.len() as u32).filter(|&i| candidates[i as usize]).collect();
        let key =
            |item: &u32| (std::cmp::Reverse(audience.fit_counts[*item as usize]), request.tie_ranks[*item as usize]);
        popular.sort_unstable_by_key(key);
        let users_of = |item: usize| learnt_by_item.row(item).0.len() as u32;
        let users_of_item = (0..learnt_by_item.n_rows()).map(users_of).collect();
        Self { audience, learnt_by_item, users_of_item, learnt_by_user, popular, exclude: request.exclude }
    }

    /// The value of each evaluated user; `None` where it is undefined.
    fn of_users(&self, kind: MetricKind, lists: Lists<'_>, k: NonZeroUsize) -> Result<Vec<Option<f64>>, RunFailure> {
        let mut distances = variety::Distances::new(|item| self.learnt_by_item.row(item as usize).0);
        let of_one = |(index, &user): (usize, &u32)| {
            let relevant = self.audience.relevant.row(user as usize).0;
            let list = lists.list(index);
            let first = &list[..list.len().min(k.get())];
            Ok(match kind {
                MetricKind::Novelty => variety::novelty(first, &self.users_of_item, self.audience.fit_users),
                MetricKind::Diversity => distances.diversity(first),
                MetricKind::Serendipity => {
                    Some(variety::serendipity(first, relevant, &self.expected(user, k.get()), k.get()))
                }
                kind => ranking::of_user(kind, list, relevant, k).map_err(unmeasurable)?,
            })
        };
        self.audience.users.iter().enumerate().map(of_one).collect()
    }

    /// How much more popular the lists of all evaluated users are than what they have.
    fn popularity_lift(&self, lists: Lists<'_>, k: NonZeroUsize) -> Result<f64, MetricError> {
        let of_one = |(index, &user): (usize, &u32)| {
            let list = lists.list(index);
            (&list[..list.len().min(k.get())], self.learnt_by_user.row(user as usize).0)
        };
        variety::popularity_lift(self.audience.users.iter().enumerate().map(of_one), &self.audience.fit_counts)
    }

    /// The first `k` items of this user by popularity.
    fn expected(&self, user: u32, k: usize) -> Vec<u32> {
        let excluded = self.exclude.map_or(&[][..], |exclude| exclude.row(user as usize).0);
        self.popular.iter().copied().filter(|item| excluded.binary_search(item).is_err()).take(k).collect()
    }
}

/// Passes on the wish to stop, and says nothing.
pub(crate) struct Quiet<'a>(pub(crate) &'a mut dyn Host);

impl FitObserver for Quiet<'_> {
    fn event(&mut self, _: recspeed_types::EventKind) {}

    fn stop_requested(&mut self) -> bool {
        self.0.stop_requested()
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}
