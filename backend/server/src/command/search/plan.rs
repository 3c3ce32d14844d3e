//! What is searched, on what, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use recspeed_search::{Judged, Space, SpaceError, Values};
use recspeed_types::metric::Direction;
use recspeed_types::search::{SearchMethod, SearchSpec};
use recspeed_types::spec::{EvaluateOn, FitOn, SpecParseError};
use recspeed_types::{ExperimentSpec, MetricName, SpecErrors, written};

use super::SearchArgs;
use super::log::Trial;
use crate::command::compare::label;
use crate::command::failure::CommandError;
use crate::command::figures;
use crate::command::run::SearchFile;

/// Trials of each recommender when nobody says otherwise.
const TRIALS: u32 = 20;
/// The budget of a member that has nothing to search.
pub(super) const FIXED: &str = "1 trial: nothing to search";
/// Patience of trained recommenders when nobody says otherwise.
const PATIENCE: u32 = 5;

/// A search that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// No rows to choose by.
    #[error(
        "a search chooses by the validation rows, and split.kind = \"{kind}\" holds none out here; set split.validation_ratio (random, per-user-random, global-time, cold-items) or split.validation = true (leave-last-out)"
    )]
    NoValidation {
        /// The split.
        kind: &'static str,
    },
    /// A metric without better and worse.
    #[error(
        "{metric} describes lists, and neither more nor less of it is better; choose another with --metric, as ndcg@10"
    )]
    NoDirection {
        /// The metric.
        metric: MetricName,
    },
    /// A recommender that does not give the metric.
    #[error("{name} cannot be judged by {metric}: {errors}")]
    NoMetric {
        /// The recommender.
        name: String,
        /// The metric.
        metric: MetricName,
        /// Why.
        errors: SpecErrors,
    },
    /// A search of recommenders that all have nothing to search.
    #[error(
        "there is nothing to search: no parameter of {kinds} can be tried; measure with `recspeed run` or `recspeed compare`"
    )]
    Nothing {
        /// The recommenders.
        kinds: String,
    },
    /// A space that does not fit.
    #[error("{name}: {source}")]
    Space {
        /// The recommender.
        name: String,
        /// Why.
        source: SpaceError,
    },
    /// A budget that allows nothing.
    #[error("the budget of {seconds} seconds allows no trial; give more than 0")]
    NoTime {
        /// What was given.
        seconds: f64,
    },
    /// Values that make no spec.
    #[error("a trial makes no valid spec: {0}; narrow the space")]
    Trial(String),
    /// Values that are each allowed and never together.
    #[error(
        "{name}: none of a thousand combinations of the space's values makes a valid spec; widen it, or take out what does not go together"
    )]
    NothingFits {
        /// The recommender.
        name: String,
    },
    /// A folder with something else in it.
    #[error(
        "{path} holds other files and no earlier search, and nothing in it was changed; name a new or empty folder with --out DIR"
    )]
    Occupied {
        /// The folder.
        path: String,
    },
    /// A log of something else.
    #[error("{path} is the log of another search: name another folder with --out DIR, or begin anew with --fresh")]
    OtherLog {
        /// The log.
        path: String,
    },
    /// A log that another search writes.
    #[error("another search is writing {path}; let it end, or name another folder with --out DIR")]
    Busy {
        /// The log.
        path: String,
    },
    /// A line in the middle that no search wrote.
    #[error(
        "line {line} of {path} is none that a search wrote, and nothing was changed; mend or remove that line, name another folder with --out DIR, or begin anew with --fresh"
    )]
    Damaged {
        /// The log.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// A trial whose line does not agree with itself.
    #[error(
        "line {line} of {path} {what}: that is none that a search wrote, and nothing was changed; put back what it was or remove that line, name another folder with --out DIR, or begin anew with --fresh"
    )]
    Contradicts {
        /// The log.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What it says, as `gives the value 0.9, and its metrics give hit@1 0.1`.
        what: String,
    },
    /// Data that are no longer those of the first trials.
    #[error("the data are no longer those that the trials in {path} saw; bring those back, or begin anew with --fresh")]
    OtherData {
        /// The log.
        path: String,
    },
    /// The log cannot be read or written.
    #[error("cannot keep the log {path}: {source}; make room, or name another folder with --out DIR")]
    Log {
        /// The log.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A recommender of the search.
#[derive(Debug)]
pub(super) struct Member {
    /// What to call it.
    pub(super) name: String,
    /// The experiment whose parameters are changed, with the metric among its metrics.
    pub(super) spec: ExperimentSpec,
    /// What is tried.
    pub(super) space: Space,
}

impl Member {
    /// Whether it has nothing to search, as popularity: it is measured once, as it is, beside the best of the others.
    pub(super) fn is_fixed(&self) -> bool {
        self.space.is_empty()
    }

    /// Whether it is to learn from the validation rows too, once they have chosen.
    pub(super) fn learns_from_both(&self) -> bool {
        self.spec.split.fit_on == Some(FitOn::TrainValidation)
    }
}

/// The whole search.
#[derive(Debug)]
pub(super) struct Plan {
    /// How.
    pub(super) search: SearchSpec,
    /// Of what.
    pub(super) members: Vec<Member>,
    /// By what.
    pub(super) metric: MetricName,
    /// Where data files are looked up first.
    pub(super) dir: PathBuf,
}

impl Plan {
    /// Reads the file and lets the command line have its way.
    pub(super) fn new(args: &SearchArgs) -> Result<Self, CommandError> {
        let SearchFile { search: read, dir } = SearchFile::read(&args.file, &args.set)?;
        let mut search = read.search;
        if let Some(method) = args.method {
            search.method = method.into();
        }
        if args.trials.is_some() || args.seconds.is_some() {
            (search.trials, search.seconds) = (args.trials, args.seconds);
        }
        if let Some(seconds) = search.seconds.filter(|seconds| !(*seconds > 0.0 && seconds.is_finite())) {
            return Err(SearchError::NoTime { seconds }.into());
        }
        search.metric = args.metric.or(search.metric);
        let first = read.members.first().and_then(|member| member.spec.evaluation.metrics.first().copied());
        let Some(metric) = search.metric.or(first) else {
            return Err(SearchError::Trial("it measures nothing".to_owned()).into());
        };
        if metric.kind.direction() == Direction::Neither {
            return Err(SearchError::NoDirection { metric }.into());
        }
        let mut members: Vec<Member> = Vec::new();
        for mut member in read.members {
            if !member.spec.evaluation.metrics.contains(&metric) {
                member.spec.evaluation.metrics.insert(0, metric);
            }
            let mut name = label(&member.spec);
            let trial = member.as_trial();
            if let Err(errors) = trial.spec.resolve() {
                return Err(if errors.0.iter().any(|error| error.path == "evaluation.on") {
                    SearchError::NoValidation { kind: member.spec.split.kind.as_str() }.into()
                } else {
                    SearchError::NoMetric { name, metric, errors }.into()
                });
            }
            let space = Space::new(&trial).map_err(|source| SearchError::Space { name: name.clone(), source })?;
            while members.iter().any(|other| other.name == name) {
                name.push('\'');
            }
            members.push(Member { name, spec: member.spec, space });
        }
        if members.iter().all(Member::is_fixed) {
            let kinds: Vec<&str> = members.iter().map(|member| member.spec.recommender.kind.as_str()).collect();
            return Err(SearchError::Nothing { kinds: kinds.join(", ") }.into());
        }
        Ok(Self { search, members, metric, dir })
    }

    /// The seed of what is proposed.
    pub(super) fn seed(&self) -> u64 {
        self.members.first().map_or(0, |member| member.spec.seed)
    }

    /// How many of so many trials the budget counts: those that were refused before any work cost none of it, up to as many as it has
    /// trials, so that a space of which nearly everything is refused comes to an end.
    pub(super) fn counted(&self, trials: usize, refused: usize) -> usize {
        counted_of(trials, refused, self.most_trials())
    }

    /// Seconds that are left to the next trial after `seconds`; `None` where no time ends it.
    pub(super) fn left(&self, seconds: f64) -> Option<Duration> {
        // What is longer than a duration can be ends nothing.
        self.search.seconds.and_then(|most| Duration::try_from_secs_f64((most - seconds).max(0.0)).ok())
    }

    /// Whether no further trial begins after so many that are [counted](Self::counted).
    pub(super) fn is_spent(&self, trials: usize, seconds: f64) -> bool {
        let by_count = self.most_trials().is_some_and(|most| trials >= most as usize);
        by_count || self.search.seconds.is_some_and(|most| seconds >= most)
    }

    fn most_trials(&self) -> Option<u32> {
        self.search.trials.or_else(|| self.search.seconds.is_none().then_some(TRIALS))
    }

    /// Seconds that the next trial of a recommender and those after it take, as far as `trials` before them, which took `seconds`, tell;
    /// `None` where nobody can say.
    pub(super) fn rest(&self, trials: usize, seconds: f64) -> Option<f64> {
        // A grid may end before its budget.
        let is_known = self.search.method != SearchMethod::Grid;
        is_known.then(|| rest_of(trials, seconds, self.most_trials(), self.search.seconds)).flatten()
    }

    /// Which of several recommenders: `recommender 2 of 3`.
    pub(super) fn place_of(&self, place: usize) -> Option<String> {
        let all = self.members.len();
        (all > 1).then(|| format!("recommender {} of {all}", place + 1))
    }

    /// What a member might use, in words.
    pub(super) fn budget_of(&self, member: &Member) -> String {
        if member.is_fixed() { FIXED.to_owned() } else { self.budget() }
    }

    /// Where a member with something to search has no more of it after so many `trials` that took `seconds`, though its budget, which
    /// counts `counted` of them, has: what ended, in words; `None` otherwise.
    pub(super) fn used_up(&self, member: &Member, (trials, counted): (usize, usize), seconds: f64) -> Option<String> {
        let what = if self.search.method == SearchMethod::Grid { "grid" } else { "space" };
        let ended = trials > 0 && !member.is_fixed() && !self.is_spent(counted, seconds);
        let trials = after(trials, counted);
        let told = if self.goes_through(member) {
            format!("its {what} ended after {trials}")
        } else {
            format!("nothing more came of its {what} after {trials}")
        };
        ended.then_some(told)
    }

    /// Why a member whose space is [used up](Self::used_up) makes no further trial, in words: what is new is read by a trial otherwise than
    /// by every one before it.
    pub(super) fn nothing_new(&self, member: &Member) -> &'static str {
        if self.goes_through(member) {
            "no other combination of its values is both possible and new"
        } else {
            "no further draw of its values was both possible and new"
        }
    }

    /// Whether all combinations of a member's values are looked at before it makes no further trial.
    fn goes_through(&self, member: &Member) -> bool {
        recspeed_search::goes_through(&member.space, self.search.method)
    }

    /// What each recommender that has something to search might use, in words: `20 trials`.
    pub(super) fn budget(&self) -> String {
        match (self.most_trials(), self.search.seconds) {
            (Some(trials), Some(seconds)) => format!("{trials} trials within {}", figures::seconds(seconds)),
            (Some(trials), None) => format!("{trials} trials"),
            (None, seconds) => {
                format!("as many trials as end within {}", figures::seconds(seconds.unwrap_or_default()))
            }
        }
    }

    /// What a trial is called while it runs: `item-knn, trial 3 of 20: neighbours 12`. `counted`: those before it that its budget
    /// counts.
    pub(super) fn title(&self, member: &Member, number: usize, counted: usize, values: &Values) -> String {
        if member.is_fixed() {
            return format!("{}, {FIXED}", member.name);
        }
        format!("{}, trial {}: {}", member.name, number_of(number, counted, self.most_trials()), words(member, values))
    }

    /// Smaller is better.
    pub(super) fn loss(&self, value: f64) -> f64 {
        if self.metric.kind.direction() == Direction::Higher { -value } else { value }
    }

    /// One trial: learn from the training rows, stop early and be judged by the validation rows.
    pub(super) fn trial_spec(&self, member: &Member, values: &Values) -> Result<ExperimentSpec, SearchError> {
        let refused = |error: SpecParseError| SearchError::Trial(error.to_string());
        let mut spec = member.space.without_unread(member.space.apply(&member.spec, values).map_err(refused)?);
        spec.evaluation.on = EvaluateOn::Validation;
        let trained = spec.resolve().is_ok_and(|resolved| resolved.training.is_some());
        // Other frameworks take every epoch.
        if trained && spec.training.early_stopping.is_none() && !spec.engine.kind.is_reference() {
            spec.training.early_stopping = Some(self.search.early_stopping.unwrap_or(PATIENCE));
        }
        spec.resolve().map_err(|errors| SearchError::Trial(errors.to_string()))?;
        Ok(spec)
    }

    /// The recommender as the file has it, on the validation rows, with as little work as tells whether it can be tried.
    pub(super) fn probe_spec(member: &Member) -> ExperimentSpec {
        let mut spec = member.spec.clone();
        spec.evaluation.on = EvaluateOn::Validation;
        if spec.resolve().is_ok_and(|resolved| resolved.training.is_some()) {
            spec.training.epochs = Some(1);
        }
        spec
    }

    /// What [`propose`](recspeed_search::propose) gives next and makes a trial, with its spec; `None` where there is nothing left that
    /// differs from the trials before it.
    pub(super) fn propose(
        &self,
        member: &Member,
        history: &[Judged],
    ) -> Result<Option<(Values, ExperimentSpec)>, SearchError> {
        let read = |values: &Values| member.space.judged(&member.spec, values);
        let of_trial = |trial: &Judged| Judged { values: read(&trial.values), ..*trial };
        let judged: Vec<Judged> = history.iter().map(of_trial).collect();
        let of_new = |values: &Values| self.trial_spec(member, values).is_ok().then(|| read(values));
        match recspeed_search::propose(&member.space, self.search.method, self.seed(), &judged, &of_new) {
            Some(values) => self.trial_spec(member, &values).map(|spec| Some((values, spec))),
            None if member.is_fixed() || !history.is_empty() => Ok(None),
            None => Err(SearchError::NothingFits { name: member.name.clone() }),
        }
    }

    /// The best trial of each recommender on the test rows; `None` where it has none.
    ///
    /// What is to learn from the validation rows too has none left to stop by: it takes as many epochs as the trial found best. Where that
    /// is not known, as of the networks in a hybrid, or weights are learnt from those rows, nobody learns from them: what is compared has
    /// learnt from the same rows.
    pub(super) fn final_specs(&self, best: &[Option<&Trial>]) -> Result<Vec<Option<ExperimentSpec>>, SearchError> {
        let specs = |fit_on: Option<FitOn>| {
            let of = |(member, best): (&Member, Option<&Trial>)| best.map(|best| self.final_spec(member, best, fit_on));
            let best = best.iter().copied();
            self.members.iter().zip(best).map(|pair| of(pair).transpose()).collect::<Result<Vec<_>, _>>()
        };
        match specs(None) {
            Err(_) if self.members.iter().any(Member::learns_from_both) => specs(Some(FitOn::Train)),
            specs => specs,
        }
    }

    /// `fit_on` in place of what the member says.
    fn final_spec(&self, member: &Member, best: &Trial, fit_on: Option<FitOn>) -> Result<ExperimentSpec, SearchError> {
        let mut spec = self.trial_spec(member, &best.values(member))?;
        spec.evaluation.on = EvaluateOn::Test;
        spec.name.clone_from(&member.name);
        spec.split.fit_on = fit_on.or(spec.split.fit_on);
        if spec.split.fit_on == Some(FitOn::TrainValidation)
            && let Some(epochs) = best.best_epoch
        {
            spec.training.epochs = Some(epochs);
            spec.training.early_stopping = None;
        }
        spec.resolve().map_err(|errors| SearchError::Trial(errors.to_string()))?;
        Ok(spec)
    }
}

/// `neighbours 20, shrinkage 1.5`: the values that something reads under the others, as those of the best spec.
pub(super) fn words(member: &Member, values: &Values) -> String {
    if member.is_fixed() {
        return "as they are".to_owned();
    }
    let short = |value: &serde_json::Value| match value.as_f64() {
        Some(number) if !value.is_i64() => plain(number),
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    let names = member.space.dimensions().iter().map(|dimension| dimension.path.rsplit('.').next().unwrap_or_default());
    let told = names.zip(values).zip(member.space.are_read(&member.spec, values)).filter(|(_, is_read)| *is_read);
    told.map(|((name, value), _)| format!("{name} {}", short(value))).collect::<Vec<_>>().join(", ")
}

/// Four significant digits, as somebody writes a number: `10`, `0.7365`, `3.2e-5`.
fn plain(number: f64) -> String {
    written(format!("{number:.3e}").parse().unwrap_or(number))
}

/// How many of so many trials a budget of `most` counts.
fn counted_of(trials: usize, refused: usize, most: Option<u32>) -> usize {
    trials.saturating_sub(most.map_or(refused, |most| refused.min(most as usize)))
}

/// `9 trials`; where a budget counts fewer of them: `9 trials, of which 5 count`.
fn after(trials: usize, counted: usize) -> String {
    let of_which = if counted < trials { format!(", of which {counted} count") } else { String::new() };
    figures::counted(trials as u64, "trial", "trials") + &of_which
}

/// `3 of 20`; where some before it do not count: `5, after 2 of 20 that count`. Whether it counts itself is not known yet.
fn number_of(number: usize, counted: usize, most: Option<u32>) -> String {
    match most {
        None => number.to_string(),
        Some(most) if number == counted + 1 => format!("{number} of {most}"),
        Some(most) => format!("{number}, after {counted} of {most} that count"),
    }
}

/// Seconds that trials up to a budget of `most` trials or `limit` seconds take, if they take as long as `trials` of `spent` seconds.
fn rest_of(trials: usize, spent: f64, most: Option<u32>, limit: Option<f64>) -> Option<f64> {
    if trials == 0 {
        return None;
    }
    let by_count = most.map(|most| (most as usize).saturating_sub(trials) as f64 * spent / trials as f64);
    // The trial that runs then is cut off.
    let by_time = limit.map(|limit| (limit - spent).max(0.0));
    by_count.into_iter().chain(by_time).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use recspeed_search::Space;
    use recspeed_types::ExperimentSpec;
    use recspeed_types::search::{Range, SearchMember};
    use recspeed_types::spec::RecommenderSpec;

    use super::{Member, after, counted_of, number_of, plain, rest_of, words};

    #[test]
    fn a_parameter_that_nothing_reads_under_the_other_values_is_not_told_as_one_of_the_best() {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new("item-knn"), ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        let space = BTreeMap::from([
            ("recommender.bm25_k1".to_owned(), Range::Float { min: 0.5, max: 3.0, log: false }),
            ("recommender.similarity".to_owned(), Range::Values(vec!["tf-idf".into(), "bm25".into()])),
        ]);
        let searched = SearchMember { spec: spec.clone(), at: "search.space".to_owned(), space };
        let space = Space::new(&searched).unwrap();
        let member = Member { name: "item-knn".to_owned(), spec, space };
        let told = |similarity: &str| words(&member, &vec![2.059.into(), similarity.into()]);
        assert_eq!(
            (told("tf-idf"), told("bm25")),
            ("similarity tf-idf".into(), "bm25_k1 2.059, similarity bm25".into())
        );
    }

    #[test]
    fn values_that_are_tried_are_told_as_somebody_writes_them() {
        let told = [10.0, 0.736_489_585_564_221_6, 3.2e-5, 0.0, -0.5, 123_456.0, 2e7].map(plain);
        assert_eq!(told, ["10", "0.7365", "3.2e-5", "0", "-0.5", "123500", "2e7"]);
    }

    #[test]
    fn refused_trials_cost_no_budget_up_to_as_many_as_it_has_trials() {
        let counted = |trials, refused| counted_of(trials, refused, Some(4));
        assert_eq!((counted(3, 0), counted(5, 3), counted(6, 4)), (3, 2, 2));
        // Where everything is refused, eight trials end it.
        assert_eq!((counted(7, 7), counted(8, 8)), (3, 4));
        assert_eq!(counted_of(9, 7, None), 2, "a budget of time counts none");
        assert_eq!(number_of(3, 2, Some(20)), "3 of 20");
        assert_eq!(number_of(5, 2, Some(20)), "5, after 2 of 20 that count");
        assert_eq!(number_of(5, 2, None), "5");
        assert_eq!(
            [after(9, 9), after(9, 5), after(1, 0)],
            ["9 trials", "9 trials, of which 5 count", "1 trial, of which 0 count"]
        );
    }

    #[test]
    fn the_rest_of_a_budget_is_told_by_the_trials_before_and_ends_with_its_time() {
        assert_eq!(rest_of(0, 0.0, Some(20), Some(60.0)), None, "nothing is known before the first");
        assert_eq!(rest_of(4, 20.0, Some(20), None), Some(80.0));
        assert_eq!(rest_of(4, 20.0, Some(20), Some(60.0)), Some(40.0));
        assert_eq!(rest_of(4, 20.0, Some(5), Some(60.0)), Some(5.0));
        assert_eq!(rest_of(4, 20.0, None, Some(10.0)), Some(0.0));
    }
}
