//! What the networks of a study have learnt: beside one number for everybody, and in as many epochs as the paper's or in others.

use recspeed_types::catalogue::Predicts;
use recspeed_types::study::{Difference, ONE_NUMBER, StudyLearnt, StudyReport, StudyRow, Unit, Whose};
use recspeed_types::summary::RunSummary;

use super::row::Row;
use crate::command::figures;

/// An error that is smaller by less than this part of it is hardly smaller.
const HARDLY: f64 = 0.02;
/// What heads the sentence of what the errors say.
const ERRORS: &str = "What the errors say";
/// What heads the sentence of how long the networks learnt.
const EPOCHS: &str = "Epochs";

/// The row of one number for everybody: what the evaluation of a run of the table says of it, which judged it on the same test rows by the
/// same code; `None` where no run does. `metrics` are columns by their places, with the metric that each shows.
pub(super) fn one_number(rows: &[&Row], metrics: &[(usize, &str)], columns: usize) -> Option<StudyRow> {
    let mut told = rows.iter().filter_map(|row| row.last()).map(|run| &run.evaluation.of_the_mean);
    let told = told.find(|told| metrics.iter().any(|(_, name)| told.contains_key(*name)))?;
    let numbers: Vec<(usize, f64)> =
        metrics.iter().filter_map(|(place, name)| Some((*place, *told.get(*name)?))).collect();
    Some(StudyRow::one_number(&numbers, columns))
}

/// What the rows' root mean squared error under the name `metric` is held against; `None` where no run tells.
pub(super) fn held_against(rows: &[Row], metric: &str) -> Option<StudyLearnt> {
    rows.iter().find_map(|row| {
        let run = row.last()?;
        let error = *run.evaluation.of_the_mean.get(metric)?;
        Some(StudyLearnt { number: number(row).to_owned(), error, after: after(run) })
    })
}

/// What the errors in a report's tables say: of the network, where it errs less than one number for everybody; of the
/// engines else. `None` where they are held against nothing, or no row has one.
pub(super) fn meaning(report: &StudyReport) -> Option<Difference> {
    let StudyLearnt { number, error, after } = report.learnt.as_ref()?;
    let least = errors(report).min_by(f64::total_cmp)?;
    let gain = if *error > 0.0 { 1.0 - least / error } else { 0.0 };
    let errs = if gain >= HARDLY {
        let gain = figures::percent(gain);
        format!(
            "{gain} less than that number: so much it has learnt. That rows agree shows that they compute the same."
        )
    } else {
        let less = if gain > 0.0 { "hardly less" } else { "no less" };
        format!(
            "{less} than that number, which knows neither user nor item. Errors that agree show here that the rows compute the same, and not that \
             the network recommends well."
        )
    };
    let [least, of_the_number] = [least, *error].map(|error| Unit::Plain.show(error));
    let text = format!(
        "{ONE_NUMBER} ({number}): an RMSE of {of_the_number} on the same test rows by the same code; the lowest of a \
         network here is {least}. {after}, the network errs {errs}"
    );
    Some(Difference::new(ERRORS, text))
}

/// Says anew what the errors say, of the rows that stand in the tables now.
pub(super) fn say_anew(report: &mut StudyReport) {
    let Some(now) = meaning(report) else { return };
    let differences = &mut report.differences;
    if let Some(before) = differences.iter_mut().find(|difference| difference.heading == ERRORS) {
        *before = now;
    } else {
        let place = differences.iter().position(|difference| difference.heading == EPOCHS);
        differences.insert(place.unwrap_or(differences.len()), now);
    }
}

/// The root mean squared error of every row that has one.
fn errors(report: &StudyReport) -> impl Iterator<Item = f64> {
    let tables = report.tables.iter().filter(|table| table.whose == Whose::Measured);
    tables.flat_map(|table| {
        let column = table.columns.iter().position(|column| column.name.split(',').next() == Some("RMSE"));
        let rows = table.rows.iter().filter(|row| !row.is_reference());
        rows.filter_map(move |row| row.cells.get(column?)?.value())
    })
}

/// What one number for everybody is, of what the row's network predicts.
fn number(row: &Row) -> &'static str {
    if row.spec.recommender.predicts().is_some_and(Predicts::has_probabilities) {
        "the share of liked ones among the ratings to learn from"
    } else {
        "the mean of the ratings to learn from"
    }
}

/// How long a network was trained, on how many ratings.
fn after(run: &RunSummary) -> String {
    let ratings = if run.data.synthetic { "made-up ratings" } else { "ratings" };
    let ratings = format!("{} {ratings}", figures::count(run.data.train));
    match &run.training {
        Some(training) => format!("After {} of {ratings}", figures::counted(training.epochs.into(), "epoch", "epochs")),
        None => format!("On {ratings}"),
    }
}

/// The epochs of the rows beside those of the paper's training, where these are known; `None` where no row tells its own.
pub(super) fn epochs(rows: &[Row], paper: Option<u32>) -> Option<Difference> {
    let told = |row: &Row| Some(row.last()?.training.as_ref()?.epochs);
    let here = rows.iter().find_map(told).or_else(|| rows.iter().find_map(|row| row.spec.training.epochs))?;
    let words = figures::counted(here.into(), "epoch", "epochs");
    let text = match paper {
        Some(paper) if paper == here => format!("{words} here, as in the paper."),
        Some(paper) => {
            format!("{words} here, {paper} in the paper: its times and errors are of another amount of training.")
        }
        None => format!(
            "{words} here. How many the paper took is not known here, so that its times and errors may be of another amount of training."
        ),
    };
    Some(Difference::new(EPOCHS, text))
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::RecommenderSpec;
    use recspeed_types::study::{Missing, StudyCell, StudyColumn, StudyMachine, StudyTable};

    use super::super::row::Measured;
    use super::super::row::tests::{RUN, row};
    use super::*;

    /// A row whose last run errs so much, and one number for everybody by .4.
    fn ran(error: f64, epochs: u32) -> Row {
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        run.metrics.insert("rmse".to_owned(), error);
        run.evaluation.of_the_mean = [("rmse".to_owned(), 0.4), ("accuracy".to_owned(), 0.75)].into();
        run.data.train = 8000;
        let training =
            format!(r#"{{"epochs":{epochs},"steps":32,"final_loss":0.1,"stopped_early":false,"parameters":7}}"#);
        run.training = serde_json::from_str(&training).expect("a training");
        let mut row = row(Measured::Ran(vec![run]));
        row.spec.recommender = RecommenderSpec::new("densenet");
        row
    }

    /// As an older worker tells it, or a study that has not come to it.
    fn silent() -> [Row; 2] {
        let run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        [row(Measured::Ran(vec![run])), row(Measured::Failed { cause: "It crashed.".to_owned(), finished: 0 })]
    }

    /// The report of these rows: their errors, held against what they tell.
    fn report_of(rows: &[Row]) -> StudyReport {
        let error = |row: &Row| row.cell(|run| run.metrics.get("rmse").copied());
        let row = |row: &Row| StudyRow { name: row.name.clone(), note: String::new(), cells: vec![error(row)] };
        let all: Vec<&Row> = rows.iter().collect();
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("RMSE, 0 to 1", Unit::Plain)],
            rows: rows.iter().map(row).chain(one_number(&all, &[(0, "rmse")], 1)).collect(),
            bars: None,
        };
        let mut report = super::super::report("mixed", String::new(), StudyMachine::default(), vec![table]);
        report.learnt = held_against(rows, "rmse");
        report
    }

    fn said(rows: &[Row]) -> Option<String> {
        meaning(&report_of(rows)).map(|said| said.text)
    }

    #[test]
    fn what_the_errors_say_is_said_of_the_rows_that_stand_in_the_report() {
        let mut report = report_of(&[ran(0.41, 1)]);
        report.differences = vec![Difference::new("Time", "Other hardware."), Difference::new(EPOCHS, "1 epoch here.")];
        say_anew(&mut report);
        let headings: Vec<&str> = report.differences.iter().map(|difference| difference.heading.as_str()).collect();
        assert_eq!(headings, ["Time", ERRORS, EPOCHS], "where a report of one command has it");
        assert!(report.differences[1].text.contains("the lowest of a network here is 0.4100"), "{report:?}");
        // A row that is put among the others, in another table, and one that has no number.
        let mut table = report.tables[0].clone();
        let missing = StudyCell::Missing(Missing { install: "make it".to_owned(), why: String::new() });
        table.rows = vec![
            StudyRow { name: "New".to_owned(), note: String::new(), cells: vec![StudyCell::number(0.2)] },
            StudyRow { name: "PyTorch".to_owned(), note: String::new(), cells: vec![missing] },
        ];
        report.tables.insert(1, table);
        say_anew(&mut report);
        assert_eq!(report.differences.len(), 3, "it is said once");
        let text = &report.differences[1].text;
        assert!(text.contains("the lowest of a network here is 0.2000. After 1 epoch of"), "{text}");
        assert!(text.contains("errs 50.0 % less than that number"), "{text}");
        // The paper's errors are of other data, and one number for everybody is no network.
        report.tables[1].whose = Whose::Paper;
        say_anew(&mut report);
        assert!(report.differences[1].text.contains("the lowest of a network here is 0.4100"), "{report:?}");
        report.learnt = None;
        let before = report.differences.clone();
        say_anew(&mut report);
        assert_eq!(report.differences, before, "a report of before this was told keeps what it says");
    }

    #[test]
    fn one_number_for_everybody_is_a_row_with_the_errors_that_a_run_tells_of_it_and_no_time() {
        let [old, failed] = silent();
        let metrics = [(2, "rmse"), (3, "mae"), (4, "accuracy")];
        assert_eq!(one_number(&[&old, &failed], &metrics, 5), None, "nobody judged it");
        let shown = one_number(&[&failed, &old, &ran(0.41, 1)], &metrics, 5).expect("a run tells of it");
        assert_eq!(shown, StudyRow::one_number(&[(2, 0.4), (4, 0.75)], 5));
        assert_eq!(
            shown.cells.iter().map(|cell| cell.show(Unit::Plain)).collect::<Vec<_>>(),
            ["no training", "", "0.4000", "", "0.7500"]
        );
    }

    #[test]
    fn a_study_says_that_errors_are_those_of_one_number_and_what_they_show_then() {
        let of = |errors: &[f64], epochs: u32| {
            let rows: Vec<Row> = errors.iter().map(|&error| ran(error, epochs)).collect();
            said(&rows).expect("runs tell")
        };
        for (errors, least, less) in [
            (&[0.41, 0.42][..], "0.4100", "no less"),
            (&[0.4][..], "0.4000", "no less"),
            (&[0.42, 0.399][..], "0.3990", "hardly less"),
        ] {
            let text = of(errors, 1);
            let says = format!(
                "Global mean (the share of liked ones among the ratings to learn from): an RMSE of 0.4000 on the same \
                 test rows by the same code; \
                 the lowest of a network here is {least}. After 1 epoch of 8,000 made-up ratings, the network errs {less} than that number, \
                 which knows neither user nor item."
            );
            assert!(text.contains(&says) && text.ends_with("and not that the network recommends well."), "{text}");
        }
        let learnt = of(&[0.3, 0.31], 20);
        assert!(learnt.contains("After 20 epochs of 8,000 made-up ratings, the network errs 25.0 % less "), "{learnt}");
        assert!(!learnt.contains("recommends well"), "{learnt}");
        assert_eq!(said(&silent()), None);
        let mut of_stars = ran(0.4, 1);
        of_stars.spec.recommender = RecommenderSpec::new("mlp");
        let text = said(&[of_stars]).expect("a run tells");
        assert!(text.starts_with("Global mean (the mean of the ratings to learn from): an RMSE"), "{text}");
    }

    #[test]
    fn epochs_that_are_not_the_papers_are_told_and_so_are_the_papers_that_nobody_knows() {
        let said = |paper| epochs(&[ran(0.4, 3)], paper).expect("a run tells").text;
        assert_eq!(said(Some(3)), "3 epochs here, as in the paper.");
        assert!(said(Some(5)).starts_with("3 epochs here, 5 in the paper: "));
        assert!(said(None).starts_with("3 epochs here. How many the paper took is not known here"));
        // A study whose rows are all missing says what they would take.
        let mut rows = silent();
        assert_eq!(epochs(&rows, Some(3)), None);
        rows[1].spec.training.epochs = Some(1);
        assert!(epochs(&rows, Some(3)).expect("its spec tells").text.starts_with("1 epoch here, 3 in the paper: "));
    }
}
