//! Collaborative, content-based and hybrid recommenders on the same ratings: what the paper set out to compare.

use std::path::Path;

use recspeed_datasets::{DataHome, LookUp};
use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::study::{Missing, StudyCell, StudyColumn, StudyReport, StudyRow, StudyTable, Unit, Whose};

use super::super::failure::CommandError;
use super::super::run::find_worker;
use super::devices::{Answers, Place};
use super::differences::{machine, method_differences, note};
use super::row::{Row, fit_s, over_seeds};
use super::runs::{Course, Planned, in_turns};
use super::standing::Ended;
use super::{SpecStudyArgs, explained, parsed, read, refuse_to_set, report};

const NAME: &str = "methods";

/// What every row has the same on a data set.
const SPEC: &str = r#"
version = 1
name = "Methods"
seed = 42

[evaluation]
metrics = ["rmse", "mae", "ndcg@10", "recall@10", "coverage@10", "novelty@10"]
"#;

/// The second run of each row: items that nobody has rated yet, ranked among themselves.
const COLD: [&str; 3] = [
    r#"split={ kind = "cold-items", test_ratio = 0.2, validation_ratio = 0.1 }"#,
    r#"evaluation.candidates="cold""#,
    r#"evaluation.metrics=["ndcg@10"]"#,
];

/// A data set of the study.
struct Data {
    /// For people.
    title: &'static str,
    /// The spec's sections, as assignments.
    of_spec: Vec<String>,
    /// The attributes that content is made of, as a parameter; all of them where it is empty.
    attributes: &'static str,
    /// Whether it has ratings, and not only what somebody took.
    ratings: bool,
    /// What it waits for.
    missing: Option<Missing>,
}

/// Name, family, recommender with `CONTENT` for the attributes, whether it learns from ratings.
const ROWS: &[(&str, &str, &str, bool)] = &[
    ("popularity", "none", r#"{ kind = "popularity" }"#, false),
    ("bias", "none", r#"{ kind = "bias" }"#, true),
    ("item-knn", "collaborative", r#"{ kind = "item-knn" }"#, false),
    ("als-implicit", "collaborative", r#"{ kind = "als-implicit" }"#, false),
    ("biased-mf", "collaborative", r#"{ kind = "biased-mf" }"#, true),
    ("content-tfidf", "content-based", r#"{ kind = "content-tfidf"CONTENT }"#, false),
    ("content-linear", "content-based", r#"{ kind = "content-linear"CONTENT }"#, false),
    (
        "weighted: item-knn, content-linear",
        "hybrid",
        r#"{ kind = "weighted", components = [{ kind = "item-knn" }, { kind = "content-linear"CONTENT }] }"#,
        false,
    ),
    (
        "switching: content-linear, item-knn",
        "hybrid",
        r#"{ kind = "switching", by = "item", threshold = 1, components = [{ kind = "content-linear"CONTENT }, { kind = "item-knn" }] }"#,
        false,
    ),
    (
        "feature-combination: content-tfidf",
        "hybrid",
        r#"{ kind = "feature-combination", components = [{ kind = "content-tfidf"COMBINED }] }"#,
        false,
    ),
];

/// How the tables are to be read.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "The paper",
        "It set out to compare the three families and prints no table of them: these have nothing beside them.",
    ),
    (
        "Protocol",
        "Full ranking of every item that the user has not had; where `--full` ranks for a sample of the users, the table's title says so. All rows \
         of a table have the same training and test rows. Parameters are the lab's defaults for every row, not tuned ones: `recspeed search` tunes \
         them with an equal budget.",
    ),
    (
        "Ratings",
        "Amazon Beauty, 5-core, is a file of sequences: what each user took, in order, and no ratings. Whatever learns \
         from ratings, `bias` and `biased-mf`, has no row there, and no row there has an RMSE or an MAE.",
    ),
    (
        "Spread",
        "Each seed draws another split, where the split is drawn, and the method's own random numbers. Where the last item of every user is \
         held out, nothing is drawn, and a method without random numbers finds the same again: ± 0.",
    ),
    (
        "Cold start",
        "A second training without a fifth of the items: the last column ranks those among themselves. A method that knows an item by its \
         ratings alone ties on all of them, and the lab's tie rule puts them in order, lower ids first: what it shows there says something of the \
         ids and nothing of the method.",
    ),
    (
        "Errors",
        "RMSE and MAE are in stars; methods that give scores, by which items are put in order, have none. Low errors and a good list are different aims: methods that \
         predict stars well often rank what few people know first.",
    ),
];

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &SpecStudyArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    refuse_to_set(&args.set, &["dataset", "split", "recommender", "evaluation.metrics", "engine.kind"])?;
    let worker = find_worker(args.study.worker.as_deref())?;
    let sets = sets(args);
    let answers = Answers::default();
    let here = Place { worker: &worker, engines, answers: &answers };
    let (mut planned, mut families) = (Vec::new(), Vec::new());
    for (place, data) in sets.iter().enumerate() {
        for (name, family, recommender, ratings) in ROWS {
            if *ratings && !data.ratings {
                continue;
            }
            for cold in [false, true] {
                let mut row = plan(args, data, recommender, cold, here)?;
                row.name = row_name(data, name, cold);
                planned.push(row);
            }
            families.push((place, *name, *family));
        }
    }
    let repeats = args.repeats();
    let command = args.command(NAME, repeats);
    // Its data sets are what it compares, and cannot be set.
    let less_memory =
        if args.full { "leave out `--full`" } else { "close other programs, or give the machine more memory" };
    let course = Course { study: NAME, args: &args.study, engines, command: &command, repeats, less_memory };
    let Some(turns) = in_turns(course, planned)? else { return Ok(None) };
    let report = tables(command, repeats, &sets, &families, &turns.rows);
    Ok(Some(turns.ended(report)))
}

/// What a method's training on a data set is called.
fn row_name(data: &Data, method: &str, cold: bool) -> String {
    format!("{}: {method}{}", data.title, if cold { ", cold items" } else { "" })
}

fn plan(
    args: &SpecStudyArgs,
    data: &Data,
    recommender: &str,
    cold: bool,
    place: Place<'_>,
) -> Result<Planned, CommandError> {
    let mut row = Planned::new("", spec_of_row(args, data, recommender, cold)?, place);
    row.missing = data.missing.clone().or(row.missing);
    row.over_seeds = true;
    Ok(row)
}

/// What a method's row runs, of which the recommender has `CONTENT` where attributes are named.
fn spec_of_row(
    args: &SpecStudyArgs,
    data: &Data,
    recommender: &str,
    cold: bool,
) -> Result<ExperimentSpec, CommandError> {
    let names = data.attributes;
    let (content, combined) = match names {
        "" => (String::new(), String::new()),
        names => (format!(", attributes = [{names}]"), format!(r#", attributes = [{names}, "rated-by"]"#)),
    };
    let recommender = recommender.replace("CONTENT", &content).replace("COMBINED", &combined);
    let mut of_row = data.of_spec.clone();
    of_row.push(format!("recommender={recommender}"));
    if cold {
        of_row.extend(COLD.map(str::to_owned));
    }
    Ok(what_it_gives(spec_unchecked(args, &of_row)?))
}

/// The spec before it is known what the recommender can be measured by.
fn spec_unchecked(args: &SpecStudyArgs, of_row: &[String]) -> Result<ExperimentSpec, CommandError> {
    // One metric that every recommender has; what it gives beside that is asked next.
    let one = [r#"evaluation.metrics=["ndcg@10"]"#.to_owned()];
    let mut spec = parsed(SPEC, &args.study, &[&args.set, of_row, &one])?;
    spec.evaluation.metrics = read(SPEC, &args.study, &[&args.set, of_row])?.evaluation.metrics;
    Ok(spec)
}

/// Leaves of the metrics those that this recommender has.
fn what_it_gives(mut spec: ExperimentSpec) -> ExperimentSpec {
    let can = |metric: &recspeed_types::MetricName| {
        let mut one = spec.clone();
        one.evaluation.metrics = vec![*metric];
        one.resolve().is_ok()
    };
    spec.evaluation.metrics = spec.evaluation.metrics.iter().filter(|metric| can(metric)).copied().collect();
    spec
}

/// The ratings of the first data set, and the sequences of the second.
const MOVIELENS: &str = "ml-100k/ml-100k.inter";
const SEQUENCES: &str = "amazon-beauty/beauty-5core-sequences.txt";

/// The data sets of the study, those that are here and those that are not.
fn sets(args: &SpecStudyArgs) -> Vec<Data> {
    let look_up = LookUp::from_env(Some(".".into()));
    let here = |path: &str| look_up.places(path).iter().any(|place| Path::is_file(place));
    let wanting = |install: &str, file: &str| {
        Some(Missing { install: install.to_owned(), why: format!("neither here nor below RECSPEED_DATA is {file}") })
    };
    let [mut first, mut second, third] = usual_sets(args.full);
    if !here(MOVIELENS) {
        match fetched(args.study.home.as_deref(), "movielens-100k") {
            Some(dataset) => first.of_spec[0] = dataset,
            None => first.missing = wanting("recspeed data fetch movielens-100k", MOVIELENS),
        }
    }
    if !here(SEQUENCES) {
        second.missing = wanting("export RECSPEED_DATA=DIR", SEQUENCES);
    }
    vec![first, second, third]
}

/// The same wherever the files lie.
fn usual_sets(full: bool) -> [Data; 3] {
    let random = r#"split={ kind = "random", test_ratio = 0.2 }"#.to_owned();
    let file = |path: &str, format: &str, items: &str| {
        format!(r#"dataset={{ source = "file", path = "{path}", format = "{format}", items = "{items}" }}"#)
    };
    let first = Data {
        title: "MovieLens-100K",
        of_spec: vec![file(MOVIELENS, "recbole", "ml-100k/ml-100k.item"), random.clone()],
        attributes: r#""class""#,
        ratings: true,
        missing: None,
    };
    let second = Data {
        title: "Amazon Beauty, 5-core",
        of_spec: vec![
            file(SEQUENCES, "sequences", "amazon-beauty/beauty-5core-item-attributes.json"),
            r#"split={ kind = "leave-last-out", validation = true }"#.to_owned(),
        ],
        attributes: "",
        ratings: false,
        missing: None,
    };
    let (id, title) = if full {
        ("beauty-synthetic", "Beauty, synthetic, 2 million (made up), lists of 2,000 users drawn by the seed")
    } else {
        ("beauty-synthetic-100k", "Beauty, synthetic, 100 thousand (made up)")
    };
    let mut of_spec = vec![format!(r#"dataset={{ source = "builtin", id = "{id}" }}"#), random];
    if full {
        of_spec.push("evaluation.max_users=2000".to_owned());
    }
    [first, second, Data { title, of_spec, attributes: "", ratings: true, missing: None }]
}

/// The specs of its rows, by their names, with the data of files that are not here.
///
/// # Errors
/// What is set does not fit them.
pub(super) fn specs(args: &SpecStudyArgs) -> Result<Vec<ExperimentSpec>, CommandError> {
    let mut all = Vec::new();
    for data in usual_sets(args.full) {
        for (name, _, recommender, ratings) in ROWS {
            if *ratings && !data.ratings {
                continue;
            }
            for cold in [false, true] {
                let name = row_name(&data, name, cold);
                all.push(ExperimentSpec { name, ..spec_of_row(args, &data, recommender, cold)? });
            }
        }
    }
    Ok(all)
}

/// A data set that was fetched or imported under this name.
fn fetched(home: Option<&Path>, name: &str) -> Option<String> {
    let home = DataHome::open(home.map(Path::to_owned)).ok()?;
    let record = home.list().ok()?.into_iter().find(|record| record.name == name)?;
    let format = record.format.as_str();
    Some(format!(r#"dataset={{ source = "upload", sha256 = "{}", format = "{format}" }}"#, record.sha256))
}

fn tables(command: String, repeats: u32, sets: &[Data], families: &[(usize, &str, &str)], rows: &[Row]) -> StudyReport {
    let pairs: Vec<_> = families.iter().zip(rows.chunks_exact(2)).collect();
    let of_set = |place: usize| {
        let own: Vec<_> = pairs.iter().filter(|((set, ..), _)| *set == place).collect();
        let first = own.iter().find_map(|(_, pair)| pair[0].last());
        let [warm, cold] = [0, 1].map(|which| own.iter().map(|(_, pair)| &pair[which]).collect::<Vec<&Row>>());
        let data = first.map_or_else(String::new, |run| {
            format!(
                ": {} users, {} items, {} rows to learn from, {} to test on",
                run.data.users, run.data.items, run.data.train, run.data.test
            )
        });
        StudyTable {
            title: format!("{}{data}", sets[place].title),
            whose: Whose::Measured,
            rows_are: "method".to_owned(),
            rows: own.iter().map(|((_, name, family), pair)| line(name, family, pair, [&warm, &cold])).collect(),
            columns: columns(),
            bars: Some(BARS),
        }
    };
    let measured = (0..sets.len()).map(of_set).collect();
    let mut report = report(NAME, command, machine(rows), measured);
    let first = rows.first().map_or(0, |row| row.spec.seed);
    let seeds = match repeats {
        1 => format!("seed {first}"),
        _ => format!("seeds {first} to {}, mean ± standard deviation", first + u64::from(repeats - 1)),
    };
    report.conditions = vec![format!(
        "Every method with the lab's defaults, {seeds}; lists of ten items, ranked among all that the user has not had."
    )];
    report.differences = explained(DIFFERENCES);
    report.specs = rows.iter().map(Row::named_spec).collect();
    report.defaults = super::present::defaults_of(&report.specs);
    report
}

/// The place among the columns of what is drawn as bars: how good the lists are.
const BARS: usize = 3;

fn columns() -> Vec<StudyColumn> {
    vec![
        StudyColumn::words("family"),
        StudyColumn::lower("RMSE, stars", Unit::Plain),
        StudyColumn::lower("MAE, stars", Unit::Plain),
        StudyColumn::higher("NDCG@10", Unit::Plain),
        StudyColumn::higher("recall@10", Unit::Plain),
        StudyColumn::higher("coverage@10", Unit::Share),
        StudyColumn::higher("novelty@10, bits", Unit::Plain),
        StudyColumn::lower("fit", Unit::Seconds),
        StudyColumn::lower("one list", Unit::Seconds),
        StudyColumn::higher("cold items: NDCG@10", Unit::Plain),
    ]
}

/// One method: its run, and its run with cold items, each beside those of the table's other methods.
fn line(name: &str, family: &str, pair: &[Row], [all_warm, all_cold]: [&[&Row]; 2]) -> StudyRow {
    let (warm, cold) = (&pair[0], &pair[1]);
    let mut differs = method_differences(all_warm, warm);
    let cold_alone = method_differences(all_cold, cold).into_iter().filter(|what| !differs.contains(what));
    let cold_alone: Vec<String> = cold_alone.map(|what| format!("{what} with cold items")).collect();
    differs.extend(cold_alone);
    let mut row = warm.table_row(note(String::new(), &differs), columns().len(), |runs| {
        let of = |name: &str| over_seeds(runs, |run| run.metrics.get(name).copied());
        let waits: Vec<f64> =
            runs.iter().filter_map(|run| run.timing.recommend).map(|latency| latency.p50_ms / 1e3).collect();
        let rmse = match of("rmse") {
            StudyCell::Empty => StudyCell::text("predicts scores only"),
            stars => stars,
        };
        vec![
            StudyCell::text(family),
            rmse,
            of("mae"),
            of("ndcg@10"),
            of("recall@10"),
            of("coverage@10"),
            of("novelty@10"),
            StudyCell::runs(&fit_s(runs)),
            StudyCell::runs(&waits),
            match cold.runs() {
                [] => cold.cell(|_| None),
                runs => over_seeds(runs, |run| run.metrics.get("ndcg@10").copied()),
            },
        ]
    });
    name.clone_into(&mut row.name);
    row
}

#[cfg(test)]
mod tests {
    use recspeed_types::RunSummary;
    use recspeed_types::summary::Latency;

    use super::super::row::Measured;
    use super::super::row::tests::{RUN, row};
    use super::*;

    #[test]
    fn every_table_names_its_data_set_also_where_nothing_was_measured() {
        let sets = sets(&SpecStudyArgs::default());
        let missing = Missing { install: "export RECSPEED_DATA=DIR".to_owned(), why: "it is not here".to_owned() };
        let row = Row {
            name: "a row".to_owned(),
            spec: ExperimentSpec::default(),
            result: Measured::Missing(missing),
            ranks: Vec::new(),
            other_build: None,
        };
        let families: Vec<_> = (0..sets.len()).map(|place| (place, "popularity", "none")).collect();
        let report = tables(String::new(), 3, &sets, &families, &vec![row; 2 * sets.len()]);
        let titles: Vec<&str> = report.tables.iter().map(|table| table.title.as_str()).collect();
        assert_eq!(titles, ["MovieLens-100K", "Amazon Beauty, 5-core", "Beauty, synthetic, 100 thousand (made up)"]);
        assert!(report.tables.iter().all(|table| table.rows.len() == 1 && table.rows[0].name == "popularity"));
    }

    #[test]
    fn a_method_that_predicts_stars_has_both_of_its_errors_and_the_lists_are_drawn_as_bars() {
        let of = |metrics: &[(&str, f64)], seed: u64| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.metrics = metrics.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
            run.seed = seed;
            run.timing.recommend = Some(Latency { p50_ms: 0.02, p99_ms: 0.1, lists: 200, threads: Some(1) });
            run
        };
        let stars = row(Measured::Ran(vec![
            of(&[("rmse", 0.93), ("mae", 0.73), ("ndcg@10", 0.04)], 42),
            of(&[("rmse", 0.95), ("mae", 0.75), ("ndcg@10", 0.06)], 43),
        ]));
        let scores = row(Measured::Ran(vec![of(&[("ndcg@10", 0.2)], 42)]));
        let sets = sets(&SpecStudyArgs::default());
        let families = [(0, "biased-mf", "collaborative"), (0, "item-knn", "collaborative")];
        let report = tables(String::new(), 2, &sets, &families, &[stars.clone(), stars, scores.clone(), scores]);
        let table = &report.tables[0];
        let shown = |row: usize, column: &str| {
            let place = table.columns.iter().position(|it| it.name == column).expect("a column");
            let cell = &table.rows[row].cells[place];
            (cell.value().map(|value| (1e4 * value).round()), cell.show(table.columns[place].unit))
        };
        for (column, mean) in [("RMSE, stars", 9400.0), ("MAE, stars", 7400.0), ("NDCG@10", 500.0)] {
            assert_eq!(shown(0, column).0, Some(mean), "{column}");
        }
        assert_eq!(shown(1, "RMSE, stars"), (None, "predicts scores only".to_owned()));
        assert_eq!(shown(1, "MAE, stars"), (None, String::new()));
        assert!(
            matches!(&table.rows[0].cells[8], StudyCell::Number(wait) if wait.spread.is_some_and(|it| it.runs == 2))
        );
        assert_eq!(table.bars.map(|place| table.columns[place].name.as_str()), Some("NDCG@10"));
        assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
    }

    #[test]
    fn a_data_set_without_ratings_says_why_methods_have_no_row_and_no_error_there() {
        let (_, why) = DIFFERENCES.iter().find(|(heading, _)| *heading == "Ratings").expect("it is told");
        for data in usual_sets(false).iter().filter(|data| !data.ratings) {
            assert!(why.starts_with(data.title), "{}: {why}", data.title);
        }
        for (name, _, _, ratings) in ROWS {
            assert_eq!(why.contains(&format!("`{name}`")), *ratings, "{name}: {why}");
        }
        assert!(why.ends_with("no row there has an RMSE or an MAE."), "{why}");
    }

    #[test]
    fn a_method_that_had_other_threads_says_so_and_where_it_was_with_cold_items_alone() {
        let of = |threads: u32| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.threads = threads;
            row(Measured::Ran(vec![run]))
        };
        let sets = sets(&SpecStudyArgs::default());
        let families = [(0, "popularity", "none"), (0, "item-knn", "collaborative"), (0, "bias", "none")];
        // Each method's run, and its run with cold items.
        let rows = [of(1), of(1), of(2), of(2), of(1), of(2)];
        let report = tables(String::new(), 1, &sets, &families, &rows);
        let notes: Vec<&str> = report.tables[0].rows.iter().map(|row| row.note.as_str()).collect();
        assert_eq!(notes, ["", "differs in threads", "differs in threads with cold items"]);
        assert_eq!(report.machine.threads, None, "the head claims none for all");
    }

    #[test]
    fn every_method_is_a_valid_spec_on_every_data_set_warm_and_cold() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let answers = Answers::default();
        let place = Place { worker: Path::new("recspeed-worker"), engines: &engines, answers: &answers };
        for full in [false, true] {
            let args = SpecStudyArgs { full, ..SpecStudyArgs::default() };
            for data in sets(&args) {
                for (name, _, recommender, _) in ROWS {
                    for cold in [false, true] {
                        let row = plan(&args, &data, recommender, cold, place);
                        let row = row.unwrap_or_else(|error| panic!("{}, {name}: {error}", data.title));
                        assert!(!row.spec.evaluation.metrics.is_empty(), "{name}");
                    }
                }
            }
        }
    }
}
