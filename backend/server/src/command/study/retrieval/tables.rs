//! The tables of the study: times for each number of rows, and for the largest what is read out of memory, what the containers hold and
//! how they are filled.

use recspeed_engines::find;
use recspeed_types::builtin::BuiltinDataset;
use recspeed_types::study::retrieval::{Beyond, CONTAINERS, Retrieved, WARM_ROWS, WARM_S};
use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyReport, StudyRow, StudyTable, Unit, Whose};

use super::super::differences::{first_versions, note, other_versions, thread_difference};
use super::super::pins;
use super::cache::Cache;
use super::columns::{Elsewhere, ROW_BYTES};
use super::{By, Candidate, Found, RetrievalArgs, SEED, Size, TAB, words};
use crate::command::figures;

/// What the title of a table of times begins with.
pub(super) const TIMES: &str = "Measured here: ";
/// What the title of the table of what was read out of memory begins with.
pub(super) const BEYOND: &str = "Batches out of memory: ";
/// Columns that sentences are made of.
pub(super) const A_ROW: &str = "a row";
pub(super) const LOOP: &str = "a row, Python's loop alone";
pub(super) const SHARE: &str = "batches, share of memcpy";
pub(super) const MEMORY: &str = "memory, speed";
pub(super) const OF_MEMORY: &str = "batches, share of memory";

/// The whole report.
pub(super) fn report(
    (entry, cache): (&BuiltinDataset, &Cache),
    args: &RetrievalArgs,
    command: String,
    candidates: &[Candidate],
    sizes: &[Size],
) -> StudyReport {
    let mut measured: Vec<StudyTable> = sizes.iter().map(|size| times(args, candidates, size)).collect();
    // A study that was stopped may not have come to the largest: then it is the largest that something is known of.
    if let Some(largest) = sizes.iter().max_by_key(|size| (size.is_begun(), size.rows)) {
        measured.push(beyond(candidates, largest));
        measured.push(memory(candidates, largest));
        measured.push(bridge(candidates, largest));
    }
    let told = || sizes.iter().flat_map(|size| &size.found).filter_map(Found::told);
    let mut versions = first_versions(told().map(|told| &told.versions));
    // A tab's program names no commit, and is no worker that could be of another one than this program.
    if told().all(|told| told.container == TAB) {
        versions.remove("recspeed");
    }
    let machine = StudyMachine {
        host: told().map(|told| told.host.clone()).find(|host| !host.is_empty()).unwrap_or_default(),
        threads: threads(sizes),
        versions,
        ..StudyMachine::default()
    };
    let mut report = super::super::report("retrieval", command, machine, measured);
    report.conditions = vec![conditions(entry, args)];
    let most = sizes.iter().map(|size| size.rows).max().unwrap_or(0);
    report.differences = words::explained(&report.tables, cache, most * ROW_BYTES);
    report
}

/// What every container holds, and who reads it.
pub(super) fn conditions(entry: &BuiltinDataset, args: &RetrievalArgs) -> String {
    format!(
        "The first rows of {} (made up, seed {SEED}): user and item as 32-bit numbers, rating as a 32-bit float, timestamp as a 64-bit \
         number, but for Burn's tensors, which hold a device's own integers: of 32 bits on flex, times too, of 64 on LibTorch, ids too; a process \
         of its own for each container and size, which was told to take {}. Rows in Rust and in the tab are read by one thread whatever that is. \
         Before any row is timed, all are read once in batches, and the first {WARM_ROWS} one by one, again and again for {:.0} ms at least, in every \
         container alike.",
        entry.title,
        figures::counted(args.study.threads.unwrap_or(1).into(), "thread", "threads"),
        WARM_S * 1e3
    )
}

/// The threads of every row, as each says them of itself; nothing where rows differ or one does not say.
fn threads(sizes: &[Size]) -> Option<u32> {
    let mut told = sizes.iter().flat_map(|size| &size.found).filter_map(Found::told).map(|told| told.threads);
    let first = told.next()?;
    if told.all(|threads| threads == first) { first } else { None }
}

impl Size {
    /// Whether anything was read, or tried.
    pub(super) fn is_begun(&self) -> bool {
        self.found.iter().any(|found| !matches!(found, Found::Missing(_)))
    }
}

impl Found {
    fn told(&self) -> Option<&Retrieved> {
        match self {
            Self::Told(told) => Some(told),
            _ => None,
        }
    }
}

fn table(
    title: String,
    columns: Vec<StudyColumn>,
    bars: usize,
    candidates: &[Candidate],
    size: &Size,
    cells: impl Fn(&Retrieved) -> Vec<StudyCell>,
) -> StudyTable {
    table_of_each(title, columns, bars, candidates, size, |_, told| cells(told))
}

/// The same where cells depend on which container it is.
fn table_of_each<'a>(
    title: String,
    columns: Vec<StudyColumn>,
    bars: usize,
    candidates: &'a [Candidate],
    size: &'a Size,
    cells: impl Fn(&Candidate, &Retrieved) -> Vec<StudyCell>,
) -> StudyTable {
    let all = || {
        let named =
            |(candidate, found): (&'a Candidate, &'a Found)| Some((candidate.title.as_str(), &found.told()?.versions));
        candidates.iter().zip(&size.found).filter_map(named)
    };
    let first = size.found.iter().find_map(Found::told);
    let row = |(candidate, found): (&Candidate, &Found)| {
        let without = |why| StudyRow::without_numbers(&candidate.title, why, columns.len());
        match found {
            Found::Missing(missing) => without(StudyCell::Missing(missing.clone())),
            Found::Failed(cause) => without(StudyCell::Failed { cause: cause.clone() }),
            Found::Told(told) => {
                let threads = first.and_then(|first| thread_difference(first.threads, told.threads));
                let mut differs: Vec<String> = threads.map(str::to_owned).into_iter().collect();
                differs.extend(other_versions(all, &told.versions));
                differs.extend(candidate.other_build.clone());
                StudyRow {
                    name: candidate.title.clone(),
                    note: note(holds(candidate, told), &differs),
                    cells: cells(candidate, told),
                }
            }
        }
    };
    let rows = candidates.iter().zip(&size.found).map(row).collect();
    StudyTable { title, whose: Whose::Measured, rows_are: "container".to_owned(), columns, rows, bars: Some(bars) }
}

/// Name and version of what holds the rows, what else of its engine is not the pinned version, and its threads as it says them.
fn holds(candidate: &Candidate, told: &Retrieved) -> String {
    let holds = ["recspeed", "burn", "chromium", "torch", "tensorflow", "pyvelox"];
    // PyVelox' environment has PyTorch too, which holds nothing there, and there others hold the rows of what is called as they are.
    let own = ["pyarrow", "numpy"].into_iter().find(|name| candidate.container == *name);
    let name = own.or_else(|| holds.into_iter().rev().find(|name| told.versions.contains_key(*name)));
    // Burn's tensors may lie in another library.
    let is_shown = |other: &str| other == "libtorch" || name.is_some_and(|name| name == other);
    let reference = match candidate.by {
        By::Engine(kind) => find(kind),
        By::Worker(_) | By::Tab => None,
    };
    let versions = pins::told(reference, &told.versions, is_shown).into_iter();
    let threads = told.threads.map(|threads| figures::counted(threads.into(), "thread", "threads"));
    versions.chain(threads).collect::<Vec<_>>().join(", ")
}

fn times(args: &RetrievalArgs, candidates: &[Candidate], size: &Size) -> StudyTable {
    let columns = vec![
        StudyColumn::lower("every row, one by one", Unit::Seconds),
        StudyColumn::lower(A_ROW, Unit::Seconds),
        StudyColumn::plain(LOOP, Unit::Seconds),
        StudyColumn::lower(&format!("every row, in batches of {}", figures::count(args.batch_rows)), Unit::Seconds),
        StudyColumn::higher("batches, speed", Unit::BytesPerSecond),
        StudyColumn::higher("memcpy, speed", Unit::BytesPerSecond),
        StudyColumn::higher(SHARE, Unit::Share),
    ];
    let rows = size.rows;
    let bytes = (rows * ROW_BYTES) as f64;
    let title = format!("{TIMES}{} rows", figures::count(rows));
    table(title, columns, 0, candidates, size, |told| {
        let scale = rows as f64 / told.single_rows.max(1) as f64;
        let scaled: Vec<f64> = told.single_s.iter().map(|seconds| seconds * scale).collect();
        let mut single = StudyCell::runs(&scaled);
        if told.single_rows < rows {
            single = single.noted(format!("measured on {} rows, scaled", figures::count(told.single_rows)));
        }
        let a_row = StudyCell::of(single.value().map(|seconds| seconds / rows.max(1) as f64));
        let of_loop = StudyCell::runs(&told.loop_s).value().map(|seconds| seconds / told.single_rows.max(1) as f64);
        let batches = StudyCell::median(&told.batch_s).unwrap_or(StudyCell::Empty);
        let (batch, copy) = (speed(bytes, &told.batch_s), speed(bytes, &told.copy_s));
        let share = share((bytes, &told.batch_s), (bytes, &told.copy_s));
        vec![single, a_row, StudyCell::of(of_loop), batches, batch, copy, share]
    })
}

/// Bytes a second, of the median of the seconds; nothing of what took less than the clock sees.
fn speed(bytes: f64, seconds: &[f64]) -> StudyCell {
    StudyCell::of(StudyCell::runs(seconds).value().filter(|seconds| *seconds > 0.0).map(|seconds| bytes / seconds))
}

/// What part of another speed one is, of each turn in which both were measured; nothing where one took less than the clock sees.
fn share((bytes, own): (f64, &[f64]), (of_bytes, other): (f64, &[f64])) -> StudyCell {
    let turns = own.iter().zip(other).filter(|(own, other)| **own > 0.0 && **other > 0.0);
    StudyCell::runs(&turns.map(|(own, other)| (bytes / own) / (of_bytes / other)).collect::<Vec<_>>())
}

/// The same rows, of which nothing lies in the caches when a pass begins.
fn beyond(candidates: &[Candidate], size: &Size) -> StudyTable {
    let columns = vec![
        StudyColumn::higher("batches, speed", Unit::BytesPerSecond),
        StudyColumn::higher("memcpy, speed", Unit::BytesPerSecond),
        StudyColumn::higher(SHARE, Unit::Share),
        StudyColumn::higher(MEMORY, Unit::BytesPerSecond),
        StudyColumn::higher(OF_MEMORY, Unit::Share),
    ];
    let bytes = (size.rows * ROW_BYTES) as f64;
    let title = format!("{BEYOND}{} rows, none of which lies in a cache", figures::count(size.rows));
    let count = columns.len();
    table(title, columns, 0, candidates, size, |told| {
        let Some(Beyond { bytes: of_copy, memory_s, batch_s, copy_s }) = &told.beyond else {
            return StudyRow::without_numbers("", StudyCell::text("not measured"), count).cells;
        };
        let of_copy = *of_copy as f64;
        vec![
            speed(bytes, batch_s),
            speed(bytes, copy_s),
            share((bytes, batch_s), (bytes, copy_s)),
            speed(of_copy, memory_s),
            share((bytes, batch_s), (of_copy, memory_s)),
        ]
    })
}

fn memory(candidates: &[Candidate], size: &Size) -> StudyTable {
    let columns = vec![
        StudyColumn::lower("one object", Unit::Bytes),
        StudyColumn::plain("objects", Unit::Count),
        StudyColumn::lower("buffers", Unit::Bytes),
        StudyColumn::lower("resident", Unit::Bytes),
        StudyColumn::lower("object / CSV", Unit::Ratio),
        StudyColumn::lower("buffers / CSV", Unit::Plain),
        StudyColumn::lower("buffers / pandas 2.3 (object)", Unit::Plain),
        StudyColumn::lower("buffers / pandas 3 (str)", Unit::Plain),
    ];
    let Elsewhere { csv, object_strings, arrow_strings } = size.elsewhere;
    let [csv, objects, arrow] = [csv, object_strings, arrow_strings].map(|bytes| bytes as f64);
    let shown = |bytes: f64| Unit::Bytes.show(bytes);
    let title = format!(
        "What the containers of {} rows hold; the same rows take {} as CSV, and by formula {} in pandas 2.3 (ids as object strings) and {} in \
         pandas 3 (ids as str)",
        figures::count(size.rows),
        shown(csv),
        shown(objects),
        shown(arrow)
    );
    table(title, columns, 2, candidates, size, |told| {
        let (header, buffers) = (told.header_bytes as f64, told.buffer_bytes as f64);
        vec![
            StudyCell::number(header),
            StudyCell::number(f64::from(told.objects)),
            StudyCell::number(buffers),
            resident(told.resident_bytes),
            StudyCell::number(header / csv),
            StudyCell::number(buffers / csv),
            StudyCell::number(buffers / objects),
            StudyCell::number(buffers / arrow),
        ]
    })
}

/// What a process grew by. Neither what the system does not tell nor what is less than it counts by is 0 bytes.
fn resident(bytes: Option<u64>) -> StudyCell {
    match bytes {
        None => StudyCell::text("not measured"),
        Some(0) => StudyCell::text("below what can be measured"),
        Some(bytes) => StudyCell::number(bytes as f64),
    }
}

/// A move takes no longer for more rows: it stands in a column of its own, so that no copy is told as a multiple of it.
fn bridge(candidates: &[Candidate], size: &Size) -> StudyTable {
    let columns = vec![
        StudyColumn::lower("arrays copied into the container", Unit::Seconds),
        StudyColumn::plain("arrays moved into it", Unit::Seconds),
        StudyColumn::lower("copied back into arrays", Unit::Seconds),
        StudyColumn::plain("handed out as arrays", Unit::Seconds),
    ];
    let title = format!("Four columns of {} rows into the containers and back", figures::count(size.rows));
    let cells = |candidate: &Candidate, told: &Retrieved| {
        // The tab's vectors are those of Rust.
        let name = if candidate.container == TAB { "plain" } else { candidate.container };
        let of = CONTAINERS.iter().find(|of| of.name == name);
        let (moves_in, hands_out) = of.map_or((false, false), |of| (of.moves_in, of.hands_out));
        let (build, back) = (StudyCell::runs(&told.build_s), StudyCell::runs(&told.back_s));
        let either = |moved: bool, cell: StudyCell, words: &str| {
            if moved { [StudyCell::text(words), cell] } else { [cell, StudyCell::Empty] }
        };
        [either(moves_in, build, "moved, not copied"), either(hands_out, back, "handed out, not copied")].concat()
    };
    table_of_each(title, columns, 0, candidates, size, cells)
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::super::columns::Columns;
    use super::super::tests::told;
    use super::*;

    fn candidate(title: &str) -> Candidate {
        Candidate {
            title: title.to_owned(),
            container: "tensorflow",
            by: By::Tab,
            single_limit: Some(2),
            missing: None,
            other_build: None,
        }
    }

    fn size(found: Vec<Retrieved>) -> Size {
        let mut data = InteractionsBuilder::default();
        for row in 0..8 {
            data.push("u", "i", 5.0, row);
        }
        let columns = Columns::write(&data.finish(), 8).expect("written");
        Size::new(&columns, found.into_iter().map(|told| Found::Told(Box::new(told))).collect())
    }

    fn column(table: &StudyTable, name: &str) -> usize {
        table.columns.iter().position(|column| column.name == name).expect("a column")
    }

    #[test]
    fn a_share_is_of_each_turn_and_plain_loops_stand_beside_the_row_that_holds_them() {
        let of = Retrieved {
            batch_s: vec![2.0, 4.0, 1.0],
            copy_s: vec![1.0, 2.0, 2.0],
            loop_s: vec![0.5],
            single_s: vec![2.0],
            ..told(8, 4)
        };
        let table = times_of(&[candidate("PyVelox")], &size(vec![of]));
        let cells = &table.rows[0].cells;
        assert_eq!(cells[column(&table, A_ROW)].value(), Some(0.5));
        assert_eq!(cells[column(&table, LOOP)].value(), Some(0.125), "of the 4 rows that were read");
        let share = &cells[column(&table, SHARE)];
        let StudyCell::Number(number) = share else { panic!("{share:?}") };
        let spread = number.spread.expect("three turns");
        assert_eq!((number.value, spread.least, spread.most), (0.5, 0.5, 2.0));
        let compiled = times_of(&[candidate("Plain columns")], &size(vec![told(8, 8)]));
        assert_eq!(compiled.rows[0].cells[column(&compiled, LOOP)], StudyCell::Empty);
        // A tab's clock may not have ticked.
        let ticks = Retrieved { batch_s: vec![0.0], ..told(8, 8) };
        let unseen = times_of(&[candidate("tab")], &size(vec![ticks]));
        assert_eq!(unseen.rows[0].cells[column(&unseen, SHARE)], StudyCell::Empty);
    }

    #[test]
    fn what_was_read_out_of_memory_is_held_against_the_copy_that_no_cache_holds() {
        // 160 bytes of rows, and a copy of 1,600.
        let beyond = Beyond { bytes: 1600, memory_s: vec![1.0], batch_s: vec![0.2], copy_s: vec![0.125] };
        let out = Retrieved { beyond: Some(beyond), ..told(8, 8) };
        let table = super::beyond(&["PyTorch", "PyVelox"].map(candidate), &size(vec![out, told(8, 8)]));
        let shown = |row: usize, name: &str| {
            let column = column(&table, name);
            table.rows[row].cells[column].value().map(|value| (value * 1000.0).round() / 1000.0)
        };
        assert_eq!([MEMORY, OF_MEMORY, SHARE].map(|name| shown(0, name)), [Some(1600.0), Some(0.5), Some(0.625)]);
        assert_eq!(table.rows[1].cells[0].show(Unit::BytesPerSecond), "not measured");
        assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
    }

    #[test]
    fn a_move_is_no_number_that_copies_are_a_multiple_of() {
        use recspeed_types::study::times_of_best;
        let of = |container: &'static str| Candidate { container, ..candidate(container) };
        let candidates = ["plain", "torch", "tensorflow", "pyvelox-list", TAB].map(of);
        let seconds = |build: f64| Retrieved { build_s: vec![build], ..told(8, 8) };
        let size = size([3e-7, 2e-5, 0.01, 0.6, 3e-7].map(seconds).to_vec());
        let table = bridge(&candidates, &size);
        let words =
            |place: usize| table.rows.iter().map(|row| row.cells[place].show(Unit::Seconds)).collect::<Vec<_>>();
        let moved = "moved, not copied";
        assert_eq!(words(0), [moved, moved, "10.0 ms", "600.0 ms", moved]);
        assert_eq!(words(1), ["300.0 ns", "20.0 µs", "", "", "300.0 ns"]);
        let handed = "handed out, not copied";
        assert_eq!(words(2), ["500.0 ms", handed, "500.0 ms", "500.0 ms", "500.0 ms"]);
        let times: Vec<Option<f64>> = (0..5).map(|row| times_of_best(&table, row).map(f64::round)).collect();
        assert_eq!(times, [None, None, None, Some(60.0), None], "copies are told as multiples of copies");
    }

    #[test]
    fn what_holds_the_rows_in_the_environment_of_another_is_named_by_itself() {
        use recspeed_types::spec::EngineKind;
        let versions = [("pyvelox", "0.2.0"), ("pyarrow", "26.0.1"), ("numpy", "2.4.6"), ("torch", "2.9.0")];
        let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        let told = Retrieved { versions, ..told(8, 8) };
        for (container, words) in
            [("pyarrow", "pyarrow 26.0.1"), ("numpy", "numpy 2.4.6"), ("pyvelox", "pyvelox 0.2.0")]
        {
            let of = Candidate { container, by: By::Engine(EngineKind::Pyvelox), ..candidate(container) };
            let shown = holds(&of, &told);
            let pinned = shown.split(", ").filter(|words| !words.contains("instead of the pinned"));
            assert_eq!(pinned.collect::<Vec<_>>(), [words, "1 thread"], "{shown}");
        }
    }

    fn args() -> RetrievalArgs {
        RetrievalArgs {
            full: false,
            rows: Vec::new(),
            containers: Vec::new(),
            batch_rows: 4,
            tab: None,
            study: super::super::StudyArgs::default(),
        }
    }

    fn times_of(candidates: &[Candidate], size: &Size) -> StudyTable {
        times(&args(), candidates, size)
    }

    #[test]
    fn the_head_says_for_how_long_every_container_is_read_before_it_is_timed() {
        let text = conditions(&recspeed_types::builtin::BUILTIN_DATASETS[0], &args());
        let due = "and the first 100 one by one, again and again for 20 ms at least, in every container alike.";
        assert!(text.ends_with(due), "{text}");
    }

    #[test]
    fn rows_that_were_not_all_read_are_scaled_and_say_so() {
        let table = times_of(&[candidate("TensorFlow")], &size(vec![told(8, 2)]));
        let cell = &table.rows[0].cells[0];
        assert_eq!(cell.value(), Some(1.0));
        assert_eq!(cell.show(Unit::Seconds), "1.00 s (measured on 2 rows, scaled)");
        assert_eq!(table.rows[0].cells.len(), table.columns.len());
    }

    #[test]
    fn a_container_that_did_not_make_its_process_grow_is_not_said_to_hold_0_bytes() {
        let of = |resident_bytes| Retrieved { resident_bytes, ..told(8, 8) };
        let size = size([Some(0), None, Some(8192)].map(of).to_vec());
        let table = memory(&["Plain columns", "PyTorch", "PyVelox"].map(candidate), &size);
        let column = column(&table, "resident");
        let shown: Vec<String> = table.rows.iter().map(|row| row.cells[column].show(Unit::Bytes)).collect();
        assert_eq!(shown, ["below what can be measured", "not measured", "8192 B"]);
    }

    #[test]
    fn other_threads_another_version_of_a_library_or_another_build_stand_behind_the_containers_name() {
        let of = |threads: Option<u32>, versions: &[(&str, &str)]| Retrieved {
            threads,
            versions: versions.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect(),
            ..told(8, 8)
        };
        let mut candidates = ["Plain columns", "Burn on libtorch-cpu", "PyTorch", "PyVelox"].map(candidate);
        candidates[1].other_build = Some("the build of its worker".to_owned());
        let size = size(vec![
            of(Some(1), &[("recspeed", "0.1.0")]),
            of(Some(2), &[("recspeed", "0.1.0"), ("burn", "0.22.1"), ("libtorch", "2.11.0+cu130")]),
            of(Some(1), &[("torch", "2.9.0+cu128"), ("numpy", "2.4.6"), ("python", "3.12.3")]),
            of(None, &[("torch", "2.9.0+cpu"), ("pyvelox", "0.2.0"), ("numpy", "2.4.7"), ("python", "3.12.3")]),
        ]);
        let notes: Vec<String> = times_of(&candidates, &size).rows.into_iter().map(|row| row.note).collect();
        let torch = "the version of LibTorch (“Burn on libtorch-cpu” has libtorch 2.11.0+cu130)";
        assert_eq!(
            notes,
            [
                "recspeed 0.1.0, 1 thread".to_owned(),
                "burn 0.22.1, libtorch 2.11.0+cu130, 2 threads; differs in threads, the version of LibTorch (“PyTorch” has torch \
                 2.9.0+cu128), the build of its worker"
                    .to_owned(),
                format!("torch 2.9.0+cu128, 1 thread; differs in the version of numpy (“PyVelox” has numpy 2.4.7), {torch}"),
                format!("pyvelox 0.2.0; differs in threads, the version of numpy (“PyTorch” has numpy 2.4.6), {torch}"),
            ]
        );
        assert_eq!(threads(&[size]), None, "the head claims none for all");
    }

    #[test]
    fn a_container_whose_engine_is_not_of_the_pinned_version_says_so_behind_its_name() {
        use recspeed_types::spec::EngineKind;
        let of = |by| Candidate { by, ..candidate("PyTorch") };
        let versions = [("torch", "0.1"), ("numpy", "0.2"), ("python", "3.12.3")];
        let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        let told = Retrieved { versions, ..told(8, 8) };
        let words = holds(&of(By::Engine(EngineKind::Pytorch)), &told);
        let unlike = words.matches(" instead of the pinned ").count();
        assert!(words.starts_with("numpy 0.2 instead") && unlike == 2, "{words}");
        assert_eq!(holds(&of(By::Tab), &told), "torch 0.1, 1 thread", "what is not another framework has no pins");
    }

    #[test]
    fn the_head_has_the_threads_that_every_row_says_and_else_none() {
        let of = |threads: &[Option<u32>]| {
            let found = threads.iter().map(|&threads| Retrieved { threads, ..told(8, 8) });
            super::threads(&[size(found.collect())])
        };
        assert_eq!(of(&[Some(2), Some(2)]), Some(2));
        assert_eq!(of(&[Some(1), Some(2)]), None);
        assert_eq!(of(&[Some(1), None]), None);
        assert_eq!(of(&[None, None]), None);
        assert_eq!(of(&[]), None);
    }
}
