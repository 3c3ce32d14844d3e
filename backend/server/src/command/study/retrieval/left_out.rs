//! What a part of the study leaves out: containers, and numbers of rows.

use std::io;

use recspeed_data::Interactions;
use recspeed_types::builtin::BuiltinDataset;
use recspeed_types::spec::EngineKind;
use recspeed_types::study::{StudyReport, StudyTable, Whose};

use super::super::devices::without_gpu;
use super::super::rest::{Due, Rest, not_measured_yet};
use super::super::{StudyArgs, command_line, tab};
use super::cache::Cache;
use super::columns::Elsewhere;
use super::{By, Candidate, Found, REPEATS, RetrievalArgs, Size, chosen, every, tables};

/// Numbers of rows of the usual study.
const USUAL: &[u64] = &[10_000, 100_000];
/// The same with `--full`.
const FULL: &[u64] = &[10_000, 100_000, 1_000_000, 2_023_070];

/// The numbers of rows of the study that is measured, or of which a part is; none where those that were named are of no
/// study.
pub(super) fn sizes(args: &RetrievalArgs) -> &'static [u64] {
    let has_all = |study: &[u64]| args.rows.iter().all(|rows| study.contains(rows));
    if !args.full && has_all(USUAL) {
        USUAL
    } else if has_all(FULL) {
        FULL
    } else {
        &[]
    }
}

/// The number of rows that a data set must have for all sizes to be its first rows.
pub(super) fn most(args: &RetrievalArgs) -> u64 {
    let full = if args.full { FULL } else { &[] };
    full.iter().chain(sizes(args)).chain(&args.rows).copied().max().unwrap_or(0)
}

/// What a part leaves out of the study whose data these are; `None` where `report` is of no part, or of a number of rows
/// that the study has not. `measured` is what the report is made of.
pub(super) fn rest(
    args: &RetrievalArgs,
    (entry, data): (&BuiltinDataset, &Interactions),
    report: &StudyReport,
    measured: &[Size],
) -> io::Result<Option<Rest>> {
    let set = sizes(args);
    let Some(largest) = set.iter().copied().max().filter(|_| args.is_part()) else { return Ok(None) };
    // The titles of its tables tell of the same rows in other places, also where they were not written for a container.
    let elsewhere = match measured.iter().find(|size| size.rows == largest && size.elsewhere.csv > 0) {
        Some(size) => size.elsewhere,
        None => Elsewhere::of(data, largest as usize)?,
    };
    let all = every();
    let of_size = |rows| Size { rows, elsewhere, found: all.iter().map(not_found_yet).collect() };
    let unmeasured: Vec<Size> = set.iter().copied().map(of_size).collect();
    let mut nothing = tables::report((entry, &Cache::default()), args, String::new(), &all, &unmeasured);
    nothing.tables.retain(|table| table.whose == Whose::Measured);
    // One for each number of rows, and behind them those of the largest.
    let size_of = |place: usize| set.get(place).copied().unwrap_or(largest);
    let titles = nothing.tables.iter().enumerate().map(|(place, table)| (table.title.clone(), size_of(place)));
    let rows = all.into_iter().filter(|candidate| !matches!(candidate.by, By::Tab));
    let places = Places {
        sizes: set,
        tables: titles.collect(),
        rows: rows.map(|candidate| (candidate.title, candidate.container)).collect(),
    };
    // What the containers of fewer rows hold: nothing more is due there, and what other parts find has a place.
    let is_other = |table: &&StudyTable| {
        table.whose == Whose::Measured && !nothing.tables.iter().any(|own| own.title == table.title)
    };
    let others = report.tables.iter().filter(is_other);
    let others: Vec<StudyTable> = others.map(|table| StudyTable { rows: Vec::new(), ..table.clone() }).collect();
    // What was measured stands in front of the tables of more rows, of which nothing is measured yet.
    let held = measured.iter().max_by_key(|size| (size.is_begun(), size.rows)).map_or(largest, |size| size.rows);
    let behind = set.iter().position(|rows| *rows == held).map_or(nothing.tables.len(), |place| place + 1);
    drop(nothing.tables.splice(behind..behind, others));
    let study = StudyArgs { threads: args.study.threads, ..StudyArgs::default() };
    let (repeats, batch_rows) = (args.study.repeats.unwrap_or(REPEATS), args.batch_rows);
    Ok(Some(Rest::by_table(nothing, move |table: &str, due: &[Due<'_>]| {
        let (rows, containers) = places.choice(table, due);
        command_line(&chosen(places.sizes == FULL, &rows, &containers, batch_rows), &study, repeats, &[])
    })))
}

/// A container that nobody has asked for so far. No command of a terminal alone measures the tab, and none a GPU that
/// is not there.
fn not_found_yet(candidate: &Candidate) -> Found {
    Found::Missing(match candidate.by {
        By::Tab => tab::missing(),
        By::Worker(device) => without_gpu((EngineKind::Burn, device)).unwrap_or_else(not_measured_yet),
        By::Engine(_) => not_measured_yet(),
    })
}

/// Where the rows of a study stand, and by which names they are chosen.
struct Places {
    sizes: &'static [u64],
    /// Title and number of rows of each table.
    tables: Vec<(String, u64)>,
    /// Name and container of each row, but the tab's.
    rows: Vec<(String, &'static str)>,
}

impl Places {
    /// The numbers of rows and the containers that a command must name to measure what is due, and nothing else: all of it
    /// where the same containers are due of every size, and otherwise what is due of this table's size. Empty where it need
    /// not name them, for all are.
    fn choice(&self, table: &str, due: &[Due<'_>]) -> (Vec<u64>, Vec<String>) {
        let of_size = |rows: u64| {
            let is_due = |name: &str| due.iter().any(|due| due.row == name && self.size_of(due.table) == Some(rows));
            containers(self.rows.iter().filter(|(name, _)| is_due(name)))
        };
        let mut sizes: Vec<u64> = self.sizes.iter().copied().filter(|rows| !of_size(*rows).is_empty()).collect();
        let alike = sizes.windows(2).all(|two| of_size(two[0]) == of_size(two[1]));
        if let Some(own) = self.size_of(table)
            && !alike
        {
            sizes = vec![own];
        }
        let mut names = sizes.first().map(|rows| of_size(*rows)).unwrap_or_default();
        if sizes == self.sizes {
            sizes.clear();
        }
        if names == containers(self.rows.iter()) {
            names.clear();
        }
        (sizes, names)
    }

    fn size_of(&self, table: &str) -> Option<u64> {
        self.tables.iter().find(|(title, _)| title == table).map(|(_, rows)| *rows)
    }
}

/// The containers of these rows: that of several devices, whose rows stand together, once.
fn containers<'a>(rows: impl Iterator<Item = &'a (String, &'static str)>) -> Vec<String> {
    let mut names: Vec<String> = rows.map(|(_, container)| (*container).to_owned()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;
    use recspeed_types::builtin::BUILTIN_DATASETS;

    use super::super::tests::told;
    use super::*;

    fn args(full: bool, rows: &[u64]) -> RetrievalArgs {
        RetrievalArgs {
            full,
            rows: rows.to_vec(),
            containers: Vec::new(),
            batch_rows: super::super::BATCH_ROWS,
            tab: None,
            study: StudyArgs::default(),
        }
    }

    #[test]
    fn parts_of_one_study_are_of_the_same_data_and_a_size_of_its_own_is_of_no_study() {
        let of = |full, rows: &[u64]| (sizes(&args(full, rows)), most(&args(full, rows)));
        assert_eq!(of(false, &[]), (USUAL, 100_000));
        assert_eq!(of(false, &[10_000]), (USUAL, 100_000), "the first of the hundred thousand");
        assert_eq!(of(true, &[]), (FULL, 2_023_070));
        assert_eq!(of(true, &[10_000]), (FULL, 2_023_070), "the first of all");
        assert_eq!(of(false, &[10_000, 1_000_000]), (FULL, 2_023_070));
        assert_eq!(of(false, &[10, 20]), (&[][..], 20));
        assert_eq!(of(true, &[10]), (&[][..], 2_023_070));
    }

    #[test]
    fn what_was_measured_of_fewer_rows_stands_in_front_of_the_tables_of_more_rows_that_nobody_has_measured() {
        let args = args(false, &[10_000]);
        let entry = &BUILTIN_DATASETS[0];
        let mut data = InteractionsBuilder::default();
        data.push("u", "i", 5.0, 1);
        let data = data.finish();
        let all = every();
        let mut found: Vec<Found> = all.iter().map(|_| Found::Missing(not_measured_yet())).collect();
        found[0] = Found::Told(Box::new(told(10_000, 10_000)));
        let elsewhere = Elsewhere { csv: 1, object_strings: 1, arrow_strings: 1 };
        let measured = [Size { rows: 10_000, elsewhere, found }];
        let report = tables::report((entry, &Cache::default()), &args, String::new(), &all, &measured);
        let rest = rest(&args, (entry, &data), &report, &measured).expect("counted").expect("a part");
        let whole = rest.beside(&report);
        let of = |rows: &str| -> Vec<usize> {
            let tables = whole.tables.iter().enumerate().filter(|(_, table)| table.whose == Whose::Measured);
            tables.filter(|(_, table)| table.title.contains(rows)).map(|(place, _)| place).collect()
        };
        assert_eq!((of(" 10,000 rows"), of(" 100,000 rows")), (vec![0, 1, 2, 3], vec![4, 5, 6, 7]));
    }

    #[test]
    fn a_command_measures_what_is_due_and_nothing_that_is_measured() {
        let row = |name: &str, container| (name.to_owned(), container);
        let places = Places {
            sizes: USUAL,
            tables: [("ten", 10_000), ("hundred", 100_000), ("held by hundred", 100_000)]
                .map(|(title, rows)| (title.to_owned(), rows))
                .to_vec(),
            rows: vec![row("Plain", "plain"), row("Flex", "burn"), row("CUDA", "burn"), row("PyTorch", "torch")],
        };
        let choice = |table: &str, due: &[(&str, &str)]| {
            let due: Vec<Due<'_>> = due.iter().map(|&(table, row)| Due { table, row }).collect();
            let (rows, containers) = places.choice(table, &due);
            (rows, containers.join(","))
        };
        let all = ["Plain", "Flex", "CUDA", "PyTorch"];
        let of = |table, rows: &[&'static str]| rows.iter().map(|row| (table, *row)).collect::<Vec<_>>();
        // The same of every size: one command, which names no size.
        let alike = [of("ten", &all[1..]), of("hundred", &all[1..]), of("held by hundred", &all[1..])].concat();
        for table in ["ten", "hundred", "held by hundred"] {
            assert_eq!(choice(table, &alike), (Vec::new(), "burn,torch".to_owned()));
        }
        assert_eq!(choice("ten", &[of("ten", &all), of("hundred", &all)].concat()), (Vec::new(), String::new()));
        // Of one size, all of it.
        assert_eq!(choice("hundred", &of("hundred", &all)), (vec![100_000], String::new()));
        // Not the same: each size has a command of its own.
        let unlike = [of("ten", &all[3..]), of("hundred", &all), of("held by hundred", &all)].concat();
        assert_eq!(choice("ten", &unlike), (vec![10_000], "torch".to_owned()));
        for table in ["hundred", "held by hundred"] {
            assert_eq!(choice(table, &unlike), (vec![100_000], String::new()));
        }
    }
}
