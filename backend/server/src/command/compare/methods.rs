//! What is compared: recommenders from specs, groups, folders and kept runs, each with a name of its own.

use std::path::{Path, PathBuf};

use recspeed_types::limits::MAX_SEED;
use recspeed_types::{ExperimentSpec, MetricName};

use super::super::kept::{KeptRun, is_kept};
use super::super::run::{SpecFile, SpecFileError};
use super::conditions::CompareError;
use crate::command::failure::CommandError;
use crate::comparison::{data_seed, one_method, told_apart};

/// One recommender of a comparison.
#[derive(Debug, Clone)]
pub(in crate::command) struct Method {
    /// What the table calls it.
    pub(in crate::command) name: String,
    /// What it runs, with the first seed.
    pub(in crate::command) spec: ExperimentSpec,
    /// Where its data files are looked up first.
    pub(in crate::command) dir: PathBuf,
    /// What it was read from.
    pub(in crate::command) source: String,
    /// Whether it depends on the seed.
    pub(in crate::command) random: bool,
    /// Runs that were given instead of a spec; then nothing is run.
    pub(in crate::command) stored: Vec<KeptRun>,
    /// Its place among the members of the group that it was read from; `None` for a spec of its own.
    pub(in crate::command) member: Option<usize>,
}

impl Method {
    fn new(spec: ExperimentSpec, dir: PathBuf, source: &str, stored: Vec<KeptRun>) -> Self {
        let random = spec.resolve().is_ok_and(|resolved| resolved.recommender.random());
        Self { name: label(&spec), spec, dir, source: source.to_owned(), random, stored, member: None }
    }

    /// The specs to run: one for each seed, from the spec's own on, and all on the data of the spec's own.
    pub(super) fn runs(&self, seeds: u64) -> Vec<ExperimentSpec> {
        if !self.stored.is_empty() {
            return Vec::new();
        }
        let first = self.spec.seed.min(MAX_SEED - seeds);
        let seeds = if self.random { first..first + seeds } else { self.spec.seed..self.spec.seed + 1 };
        let data_seed = Some(data_seed(&self.spec));
        seeds.map(|seed| ExperimentSpec { seed, data_seed, ..self.spec.clone() }).collect()
    }

    /// What a worker says of its run, which knows the one spec: a parameter of its recommender is called as it can be set where the
    /// spec was read from, in a group as `compare.0.recommender.factors`.
    pub(super) fn told(&self, cause: &str) -> String {
        const PATH: &str = "recommender.";
        let Some(member) = self.member else { return cause.to_owned() };
        let place = format!("compare.{member}.");
        let (mut told, mut rest) = (String::with_capacity(cause.len()), cause);
        while let Some(at) = rest.find(PATH) {
            let (before, after) = (&rest[..at], &rest[at + PATH.len()..]);
            told.push_str(before);
            // Neither the end of a sentence nor a part of another name.
            let begins = !told.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
            if begins && after.starts_with(|c: char| c.is_ascii_lowercase()) {
                told.push_str(&place);
            }
            told.push_str(PATH);
            rest = after;
        }
        told + rest
    }
}

/// The spec's name, or its recommender with the parameters that were given.
pub(in crate::command) fn label(spec: &ExperimentSpec) -> String {
    if !spec.name.trim().is_empty() {
        return spec.name.clone();
    }
    let recommender = spec.recommender.without_defaults();
    let params: Vec<String> = recommender.params.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if params.is_empty() { recommender.kind } else { format!("{} ({})", recommender.kind, params.join(", ")) }
}

/// Reads everything that was named.
pub(super) fn read(files: &[String], assignments: &[String]) -> Result<Vec<Method>, CommandError> {
    let mut methods: Vec<Method> = Vec::new();
    for file in files {
        for stored in stored_in(file)? {
            take_stored(&mut methods, stored, file);
        }
        if is_kept(Path::new(file)) {
            continue;
        }
        match SpecFile::read_group(file, assignments) {
            Ok(specs) => {
                let method =
                    |SpecFile { spec, dir, member, .. }| Method { member, ..Method::new(spec, dir, file, Vec::new()) };
                methods.extend(specs.into_iter().map(method));
            }
            // A folder of kept runs alone.
            Err(SpecFileError::Empty { .. }) if methods.iter().any(|method| method.source == *file) => {}
            Err(error) => return Err(error.into()),
        }
    }
    name_apart(&mut methods);
    Ok(methods)
}

/// The kept runs that `file` is or holds: of a search's folder its winners.
fn stored_in(file: &str) -> Result<Vec<KeptRun>, CompareError> {
    let path = Path::new(file);
    let paths = if path.is_dir() {
        let unreadable = |source| CompareError::Folder { path: path.display().to_string(), source };
        KeptRun::files_in(path).map_err(unreadable)?
    } else if is_kept(path) {
        vec![path.to_owned()]
    } else {
        Vec::new()
    };
    let read =
        |path: &PathBuf| KeptRun::read(path).ok_or_else(|| CompareError::NoRun { path: path.display().to_string() });
    paths.iter().map(read).collect()
}

/// Puts a kept run beside those that differ from it in the seed alone; of two with one seed, as two builds of the worker make them, the
/// later one counts.
fn take_stored(methods: &mut Vec<Method>, run: KeptRun, file: &str) {
    let same = |method: &&mut Method| method.stored.first().is_some_and(|first| one_method(&run.spec, &first.spec));
    match methods.iter_mut().find(same) {
        Some(method) => match method.stored.iter_mut().find(|stored| stored.summary.seed == run.summary.seed) {
            Some(earlier) => *earlier = run,
            None => method.stored.push(run),
        },
        None => methods.push(Method::new(run.spec.clone(), PathBuf::from("."), file, vec![run])),
    }
}

/// Makes every name unlike the others.
fn name_apart(methods: &mut [Method]) {
    let names = told_apart(methods.iter().map(|method| method.name.clone()).collect());
    methods.iter_mut().zip(names).for_each(|(method, name)| method.name = name);
}

/// Sets what is measured: `asked`, or everything that any of the specs names; of each recommender what it can give.
pub(super) fn measure(methods: &mut [Method], asked: &[MetricName]) -> Result<(), CompareError> {
    let mut wanted = asked.to_vec();
    if asked.is_empty() {
        for name in methods.iter().flat_map(|method| &method.spec.evaluation.metrics) {
            if !wanted.contains(name) {
                wanted.push(*name);
            }
        }
    }
    let mut given = Vec::new();
    for method in methods {
        let can = |name: &&MetricName| {
            let mut spec = method.spec.clone();
            spec.evaluation.metrics = vec![**name];
            spec.resolve().is_ok()
        };
        let metrics: Vec<MetricName> = wanted.iter().filter(can).copied().collect();
        if metrics.is_empty() {
            return Err(CompareError::Nothing { name: method.name.clone() });
        }
        given.extend_from_slice(&metrics);
        method.spec.evaluation.metrics = metrics;
    }
    match wanted.iter().find(|name| !given.contains(name)) {
        Some(name) => Err(CompareError::NoMetric { metric: name.to_string() }),
        None => Ok(()),
    }
}

/// The place of the recommender with this name.
pub(super) fn find(methods: &[Method], name: &str) -> Result<usize, CompareError> {
    let known = || methods.iter().map(|method| format!("`{}`", method.name)).collect::<Vec<_>>().join(", ");
    methods
        .iter()
        .position(|method| method.name == name)
        .ok_or_else(|| CompareError::NoName { given: name.chars().take(120).collect(), known: known() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::{EvaluationSpec, ParamValue, RecommenderSpec};

    fn method(recommender: RecommenderSpec, metrics: &[&str]) -> Method {
        let metrics = metrics.iter().map(|name| name.parse().unwrap()).collect();
        let evaluation = EvaluationSpec { metrics, ..EvaluationSpec::default() };
        let spec = ExperimentSpec { recommender, evaluation, ..ExperimentSpec::default() };
        Method::new(spec, PathBuf::from("."), "test", Vec::new())
    }

    #[test]
    fn what_does_not_depend_on_the_seed_runs_once_and_the_rest_share_the_data() {
        let once = method(RecommenderSpec::new("popularity"), &["ndcg@10"]).runs(3);
        assert_eq!(once.iter().map(|spec| (spec.seed, spec.data_seed)).collect::<Vec<_>>(), [(42, Some(42))]);
        let thrice = method(RecommenderSpec::new("bpr"), &["ndcg@10"]).runs(3);
        let seeds: Vec<_> = thrice.iter().map(|spec| (spec.seed, spec.data_seed)).collect();
        assert_eq!(seeds, [(42, Some(42)), (43, Some(42)), (44, Some(42))]);
    }

    #[test]
    fn what_a_member_of_a_group_is_told_to_set_is_called_as_it_is_set_there() {
        let alone = method(RecommenderSpec::new("weighted"), &["ndcg@10"]);
        let member = Method { member: Some(3), ..alone.clone() };
        let cause = "The loss of the recommender. Lower recommender.learning_rate (now 1) or \
                     `recommender.components[0].l2`; my-recommender.x and compare.3.recommender.l2 stay.";
        assert_eq!(alone.told(cause), cause);
        assert_eq!(
            member.told(cause),
            "The loss of the recommender. Lower compare.3.recommender.learning_rate (now 1) or \
             `compare.3.recommender.components[0].l2`; my-recommender.x and compare.3.recommender.l2 stay."
        );
    }

    #[test]
    fn names_tell_the_parameters_that_were_given_and_never_repeat() {
        let knn = || method(RecommenderSpec::new("item-knn").with("neighbours", ParamValue::Integer(7)), &["ndcg@10"]);
        let mut methods = vec![knn(), knn(), method(RecommenderSpec::new("popularity"), &["ndcg@10"])];
        name_apart(&mut methods);
        let names: Vec<_> = methods.iter().map(|method| method.name.as_str()).collect();
        assert_eq!(names, ["item-knn (neighbours 7)", "item-knn (neighbours 7) #2", "popularity"]);
    }

    #[test]
    fn the_documented_group_of_the_exact_and_the_fast_mode_is_one_kind_in_each_of_them() {
        let page = include_str!("../../../../../docs/compare.md");
        let (_, part) = page.split_once("\n## Exact and fast mode\n").unwrap();
        let (_, file) = part.split_once("```toml\n").unwrap();
        let (file, _) = file.split_once("```").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("modes.toml");
        std::fs::write(&path, file).unwrap();
        let methods = read(&[path.display().to_string()], &[]).unwrap();
        let told: Vec<_> = methods
            .iter()
            .map(|method| {
                let recommender = method.spec.resolve().unwrap().recommender;
                (method.name.as_str(), recommender.entry.kind, recommender.is_fast())
            })
            .collect();
        assert_eq!(told, [("exact", "warp", false), ("fast", "warp", true)]);
    }

    #[test]
    fn each_measures_what_it_can_of_what_any_names() {
        let mut methods = vec![
            method(RecommenderSpec::new("popularity"), &["ndcg@10"]),
            method(RecommenderSpec::new("biased-mf"), &["rmse"]),
        ];
        measure(&mut methods, &[]).unwrap();
        let measured: Vec<Vec<String>> = methods
            .iter()
            .map(|method| method.spec.evaluation.metrics.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(measured, [vec!["ndcg@10"], vec!["ndcg@10", "rmse"]]);
        let alone = measure(&mut methods[..1], &["rmse".parse().unwrap()]).unwrap_err().to_string();
        assert!(alone.contains("popularity"), "{alone}");
    }
}
