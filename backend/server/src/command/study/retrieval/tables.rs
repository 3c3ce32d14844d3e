//! The tables of the study: times for each number of rows, and for the largest what the containers hold and how they are filled.

use recspeed_engines::find;
use recspeed_types::builtin::BuiltinDataset;
use recspeed_types::study::retrieval::Retrieved;
use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyReport, StudyRow, StudyTable, Unit, Whose};

use super::super::differences::{first_versions, note, other_versions, thread_difference};
use super::super::{explained, pins};
use super::columns::ROW_BYTES;
use super::{By, Candidate, Found, RetrievalArgs, SEED, Size, TAB};
use crate::command::figures;

/// Why the tables differ.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Time",
        "Other hardware. A row here is all four columns, every number taken out as one of the language's own (`tensor[row].item()`, `vector[row]`) \
         and added up, which is checked against the written rows; the paper does not say what its loop read. Rows in Python hold the time of \
         Python's own loop, as the paper's do. TensorFlow would take minutes: where not all rows are read, the cell says of how many it was scaled.",
    ),
    (
        "Memory",
        "The paper printed `sys.getsizeof`: the size of the Python object, which does not depend on the number of rows. The table shows it beside \
         the buffers that the object points to and what the process grew by. `resident` of small containers is mostly what the allocator takes at once; \
         below what can be measured is what takes less than a page of memory, or room that the process had already.",
    ),
    (
        "Objects of 80, 168 and 232 bytes in the paper, of 88, 184 and 56 here",
        "The size of the Python object alone changes with the versions of Python and of the framework, and with nothing else: PyTorch 2.9 has one of 88 \
         bytes for a tensor of three numbers and of three million, PyTorch 1 had one of 72. The paper's versions are not known here. Nor is it why its \
         vector of PyVelox is larger than both tensors, which it is not in PyVelox 0.2: `sys.getsizeof` of a list or a dict that holds columns would be. \
         None of the three says how much memory the ratings take; `buffers` does.",
    ),
    (
        "Compression",
        "The paper's three ratios times its bytes give the same 3.11 MB: they are object size over one constant, and say nothing of the data. Here \
         the object and the buffers are each divided by the same rows as a CSV file (`recspeed data generate`), and by what \
         `DataFrame.memory_usage(deep=True)` says of them in pandas, which holds ids as strings; the containers hold their numbers.",
    ),
    (
        "Batches",
        "Each batch is copied into the same arrays, which stay in the cache; `memcpy` is the same copy from plain memory in the same process, after \
         one pass that does not count, as the container has had one. A container that hands its memory out without a conversion is as fast. \
         Where one is a little faster than `memcpy`, both ran at the speed of the memory, and the order decided which was in the caches.",
    ),
    (
        "The Arrow bridge",
        "PyVelox through Arrow takes and gives the columns' memory; from lists every number becomes a Python object on the way in and out.",
    ),
    (
        "In and out",
        "Each does what its framework needs and no more. PyTorch's tensors, one a column (`from_numpy`, `numpy`), and PyVelox through Arrow take the \
         arrays' memory over and hand it out again: their times are those of a few objects. Rust's vectors and Arrow arrays take it over too, and \
         are copied on the way out, for whoever gets them owns them. TensorFlow's tensors (`constant`, `numpy`) and Burn's are copied both \
         ways, and one tensor for all columns is put together from them and taken apart.",
    ),
];

/// The whole report.
pub(super) fn report(
    entry: &BuiltinDataset,
    args: &RetrievalArgs,
    command: String,
    candidates: &[Candidate],
    sizes: &[Size],
) -> StudyReport {
    let mut measured: Vec<StudyTable> = sizes.iter().map(|size| times(args, candidates, size)).collect();
    // A study that was stopped may not have come to the largest: then it is the largest that something is known of.
    if let Some(largest) = sizes.iter().max_by_key(|size| (size.is_begun(), size.rows)) {
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
    report.differences = explained(DIFFERENCES);
    report
}

/// What every container holds, and who reads it.
pub(super) fn conditions(entry: &BuiltinDataset, args: &RetrievalArgs) -> String {
    format!(
        "The first rows of {} (made up, seed {SEED}): user and item as 32-bit numbers, rating as a 32-bit float, timestamp as a 64-bit \
         number, but for Burn's tensors, which hold a device's own integers: of 32 bits on flex, times too, of 64 on LibTorch, ids too; a process \
         of its own for each container and size, which was told to take {}. Rows in Rust and in the tab are read by one thread whatever that is.",
        entry.title,
        figures::counted(args.study.threads.unwrap_or(1).into(), "thread", "threads")
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
    fn is_begun(&self) -> bool {
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

fn table<'a>(
    title: String,
    columns: Vec<StudyColumn>,
    bars: usize,
    candidates: &'a [Candidate],
    size: &'a Size,
    cells: impl Fn(&Retrieved) -> Vec<StudyCell>,
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
                    cells: cells(told),
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
    // PyVelox' environment has PyTorch too, which holds nothing there.
    let name = holds.into_iter().rev().find(|name| told.versions.contains_key(*name));
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
        StudyColumn::lower("a row", Unit::Seconds),
        StudyColumn::lower(&format!("every row, in batches of {}", figures::count(args.batch_rows)), Unit::Seconds),
        StudyColumn::higher("batches, speed", Unit::BytesPerSecond),
        StudyColumn::higher("memcpy, speed", Unit::BytesPerSecond),
    ];
    let rows = size.rows;
    let bytes = (rows * ROW_BYTES) as f64;
    let title = format!("Measured here: {} rows", figures::count(rows));
    table(title, columns, 0, candidates, size, |told| {
        let scale = rows as f64 / told.single_rows.max(1) as f64;
        let scaled: Vec<f64> = told.single_s.iter().map(|seconds| seconds * scale).collect();
        let mut single = StudyCell::runs(&scaled);
        if told.single_rows < rows {
            single = single.noted(format!("measured on {} rows, scaled", figures::count(told.single_rows)));
        }
        let speed = |seconds: &[f64]| StudyCell::of(StudyCell::runs(seconds).value().map(|seconds| bytes / seconds));
        let a_row = StudyCell::of(single.value().map(|seconds| seconds / rows.max(1) as f64));
        let batches = StudyCell::median(&told.batch_s).unwrap_or(StudyCell::Empty);
        vec![single, a_row, batches, speed(&told.batch_s), speed(&told.copy_s)]
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
        StudyColumn::lower("buffers / pandas", Unit::Plain),
    ];
    let (csv, pandas) = (size.csv_bytes as f64, size.pandas_bytes as f64);
    let title = format!(
        "What the containers of {} rows hold; the same rows take {} as CSV and {} in pandas",
        figures::count(size.rows),
        Unit::Bytes.show(csv),
        Unit::Bytes.show(pandas)
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
            StudyCell::number(buffers / pandas),
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

fn bridge(candidates: &[Candidate], size: &Size) -> StudyTable {
    let columns = vec![
        StudyColumn::lower("arrays into the container", Unit::Seconds),
        StudyColumn::lower("back into arrays", Unit::Seconds),
    ];
    let title = format!("Four columns of {} rows into the containers and back", figures::count(size.rows));
    table(title, columns, 0, candidates, size, |told| {
        vec![StudyCell::runs(&told.build_s), StudyCell::median(&told.back_s).unwrap_or(StudyCell::Empty)]
    })
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

    fn times_of(candidates: &[Candidate], size: &Size) -> StudyTable {
        let args = RetrievalArgs {
            full: false,
            rows: Vec::new(),
            containers: Vec::new(),
            batch_rows: 4,
            tab: None,
            study: super::super::StudyArgs::default(),
        };
        times(&args, candidates, size)
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
        let column = table.columns.iter().position(|column| column.name == "resident").expect("a column");
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
