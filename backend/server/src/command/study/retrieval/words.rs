//! Why the tables differ from the paper's, and what their numbers say: sentences that depend on a number are made of it.

use recspeed_types::study::retrieval::CONTAINERS;
use recspeed_types::study::{Difference, StudyReport, StudyTable, Unit, Whose};

use super::cache::Cache;
use super::tables::{A_ROW, BEYOND, LOOP, MEMORY, OF_MEMORY, SHARE, TIMES};

/// What is so whatever was measured.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Time",
        "Other hardware. A row here is all four columns, every number taken out as one of the language's own (`tensor[row].item()`, `vector[row]`) \
         and added up, which is checked against the written rows; the paper does not say what its loop read. Rows in Python hold the time of \
         Python's own loop, as the paper's do; what the same loop takes with nothing read stands beside them. Where not all rows are read, the cell \
         says of how many it was scaled. Each pass is a call of its own: a browser compiles anew what is busy, and changes to the better code at a call.",
    ),
    (
        "Memory",
        "The paper printed `sys.getsizeof`: the size of the Python object, which does not depend on the number of rows. The table shows it beside \
         the buffers that the object points to and what the process grew by. Of Arrow's and NumPy's arrays `sys.getsizeof` counts the numbers too; here \
         they are left out of `one object`, as of all others. `resident` of small containers is mostly what the allocator takes at once; \
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
         the object and the buffers are each divided by the same rows as a CSV file (`recspeed data generate`), and the buffers by what \
         `DataFrame.memory_usage(deep=True)` counts in pandas, which holds ids as strings; the containers hold their numbers. Both numbers of pandas \
         are formulas, and no pandas was run: of pandas 2.3 with Python 3.11, whose ids are Python's strings in columns of `object` (49 bytes and a \
         byte a character behind a pointer; with Python 3.12 or later 8 bytes less each), and of pandas 3, whose `str` PyArrow holds (a byte a \
         character and 8 bytes for where a string ends).",
    ),
    (
        "Batches",
        "Each batch is copied into the same arrays. `memcpy` is the same copy from plain memory in the same process, in turns with the batches: each \
         share is of the copy right behind it, and the spread is that of the turns.",
    ),
    (
        "The Arrow bridge",
        "PyVelox through Arrow takes and gives the columns' memory; from lists every number becomes a Python object on the way in and out.",
    ),
    (
        "In and out",
        "Each does what its framework needs and no more. PyTorch's tensors, one a column (`from_numpy`, `numpy`), PyVelox through Arrow, and in Python \
         Arrow's arrays and NumPy's, take the arrays' memory over and hand it out again: their times are those of a few objects, whatever the rows, \
         and no copy is told as a multiple of them. Rust's vectors and Arrow arrays take it over too, and are copied on the way out, for whoever gets \
         them owns them. TensorFlow's tensors (`constant`, `numpy`) and Burn's are copied both ways, and one tensor for all columns is put together \
         from them and taken apart.",
    ),
];

/// What heads the sentences that are made of numbers.
const LANGUAGE: &str = "Container and language";
const SHARES: &str = "What the shares say";
const OUT: &str = "Out of memory";
/// A share of less than this is not said to be that of the same copy.
const AS_FAST: f64 = 0.9;

/// Everything that is said of these tables, of a machine with this cache; `row_bytes` are those of the most rows.
pub(super) fn explained(tables: &[StudyTable], cache: &Cache, row_bytes: u64) -> Vec<Difference> {
    let mut all = super::super::explained(DIFFERENCES);
    all.push(Difference::new("The cache", cache.words(row_bytes)));
    all.extend(of_numbers(tables));
    all
}

/// Says anew what depends on the numbers of a report of this study, of the rows that stand in its tables now.
pub(in crate::command::study) fn say_anew(report: &mut StudyReport) {
    if report.study != "retrieval" {
        return;
    }
    for now in of_numbers(&report.tables) {
        match report.differences.iter_mut().find(|before| before.heading == now.heading) {
            Some(before) => *before = now,
            None => report.differences.push(now),
        }
    }
}

fn of_numbers(tables: &[StudyTable]) -> impl Iterator<Item = Difference> {
    [language(tables), shares(tables), out_of_memory(tables)].into_iter().flatten()
}

/// The time of a row in plain columns, Arrow and PyVelox, taken apart into what the language does and what the container does. Of the
/// last table in which plain columns and PyVelox have a number.
fn language(tables: &[StudyTable]) -> Option<Difference> {
    let of =
        |table: &StudyTable, container: &str| number(table, title(container), A_ROW).filter(|seconds| *seconds > 0.0);
    let mut with_both = times(tables).filter_map(|table| Some((table, of(table, "plain")?, of(table, "pyvelox")?)));
    let (table, plain, velox) = with_both.next_back()?;
    let shown = |seconds: f64| Unit::Seconds.show(seconds);
    let mut sentences = vec![format!(
        "Of {}, one by one: a row of plain columns takes {} in Rust, and one of PyVelox's vectors {} in Python, {} as long.",
        rows_of(table),
        shown(plain),
        shown(velox),
        times_as(velox, plain)
    )];
    sentences.extend(of(table, "arrow").map(|arrow| {
        format!("Arrow in Rust takes {} a row; PyVelox takes {} as long.", shown(arrow), times_as(velox, arrow))
    }));
    let alone = number(table, title("pyvelox"), LOOP);
    sentences.extend(
        alone.map(|alone| format!("Python's loop alone, with nothing read, takes {} of PyVelox's row.", shown(alone))),
    );
    sentences.extend(of(table, "pyarrow").map(|arrow| {
        format!("Arrow in Python takes {} a row; PyVelox takes {} as long.", shown(arrow), times_as(velox, arrow))
    }));
    sentences.extend(of(table, "numpy").map(|numpy| {
        format!(
            "NumPy's arrays, plain columns too, take {} a row in Python: {} as long as in Rust, which is the language; PyVelox takes {} as long as \
             they, which is the container.",
            shown(numpy),
            times_as(numpy, plain),
            times_as(velox, numpy)
        )
    }));
    Some(Difference::new(LANGUAGE, sentences.join(" ")))
}

/// By how much the yardstick is off, and what the containers reach that hand their memory out without a conversion.
fn shares(tables: &[StudyTable]) -> Option<Difference> {
    let of = |container: &str| -> Vec<(String, f64)> {
        let found = times(tables).filter_map(|table| Some((rows_of(table), number(table, title(container), SHARE)?)));
        found.collect()
    };
    let listed = |found: &[(String, f64)]| {
        let words: Vec<String> =
            found.iter().map(|(rows, share)| format!("{} of {rows}", Unit::Share.show(*share))).collect();
        words.join(", ")
    };
    let plain = of("plain");
    let mut sentences = Vec::new();
    if !plain.is_empty() {
        sentences.push(format!(
            "Plain columns in Rust are read by the very copy that `memcpy` is, of another place in memory, and reach {}: what that is off 100 % is what \
             the yardstick is off, and shares that lie no further apart are the same.",
            listed(&plain)
        ));
    }
    let handed: Vec<(&str, Vec<(String, f64)>)> = CONTAINERS
        .iter()
        .filter(|container| container.hands_out)
        .map(|container| (container.title, of(container.name)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    if !handed.is_empty() {
        let each: Vec<String> = handed.iter().map(|(title, found)| format!("{title} {}", listed(found))).collect();
        let least = handed.iter().flat_map(|(_, found)| found).map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
        let end = if least < AS_FAST {
            ". That alone makes none as fast as the copy: what a call takes comes on top."
        } else {
            "."
        };
        sentences.push(format!("Of those that hand their memory out without a conversion: {}{end}", each.join("; ")));
    }
    (!sentences.is_empty()).then(|| Difference::new(SHARES, sentences.join(" ")))
}

/// The slowest and the fastest container of those that were read out of memory.
fn out_of_memory(tables: &[StudyTable]) -> Option<Difference> {
    let table = tables.iter().rfind(|table| {
        table.title.starts_with(BEYOND) && table.rows.iter().any(|row| number(table, &row.name, OF_MEMORY).is_some())
    })?;
    let all = |column: &str| -> Vec<(&str, f64)> {
        let rows = table.rows.iter().filter_map(|row| Some((row.name.as_str(), number(table, &row.name, column)?)));
        rows.collect()
    };
    let ends = |found: &[(&str, f64)]| -> Option<[(String, f64); 2]> {
        let by = |one: &&(&str, f64), other: &&(&str, f64)| one.1.total_cmp(&other.1);
        let (least, most) = (found.iter().min_by(by)?, found.iter().max_by(by)?);
        Some([least, most].map(|(name, value)| ((*name).to_owned(), *value)))
    };
    let [(_, slow), (_, fast)] = ends(&all(MEMORY))?;
    let [(least, low), (most, high)] = ends(&all(OF_MEMORY))?;
    let [slow, fast] = [slow, fast].map(|speed| Unit::BytesPerSecond.show(speed));
    let [low, high] = [low, high].map(|share| Unit::Share.show(share));
    let gave = if slow == fast {
        format!("{slow} to a copy that no cache holds")
    } else {
        format!("{slow} to {fast} to a copy that no cache holds, by the process that asked")
    };
    let to = if least == most { String::new() } else { format!(" to {high} (“{most}”)") };
    let text = format!(
        "The memory gave {gave}. Of that, batches of {} that lay in no cache reach {low} (“{least}”){to}.",
        rows_of(table)
    );
    Some(Difference::new(OUT, text))
}

/// The tables of times that were measured.
fn times(tables: &[StudyTable]) -> impl DoubleEndedIterator<Item = &StudyTable> {
    tables.iter().filter(|table| table.whose == Whose::Measured && table.title.starts_with(TIMES))
}

/// What a table is of, as `10,000 rows`.
fn rows_of(table: &StudyTable) -> String {
    let title = [TIMES, BEYOND].iter().find_map(|begin| table.title.strip_prefix(begin)).unwrap_or(&table.title);
    title.split(", none").next().unwrap_or(title).to_owned()
}

/// The title of a container.
fn title(container: &str) -> &'static str {
    CONTAINERS.iter().find(|of| of.name == container).map_or("", |of| of.title)
}

fn number(table: &StudyTable, row: &str, column: &str) -> Option<f64> {
    let place = table.columns.iter().position(|own| own.name == column)?;
    table.rows.iter().find(|own| own.name == row)?.cells.get(place)?.value()
}

/// How many times as long as the other.
fn times_as(own: f64, other: f64) -> String {
    format!("{} times", Unit::Times.show(own / other).trim_end_matches(" ×"))
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyRow};

    use super::*;

    /// Rows of titles, with numbers in the columns of these names.
    fn table(title: &str, columns: &[&str], rows: &[(&str, &[f64])]) -> StudyTable {
        let row = |(container, numbers): &(&str, &[f64])| StudyRow {
            name: super::title(container).to_owned(),
            note: String::new(),
            cells: numbers.iter().map(|number| StudyCell::of(number.is_finite().then_some(*number))).collect(),
        };
        StudyTable {
            title: title.to_owned(),
            whose: Whose::Measured,
            rows_are: "container".to_owned(),
            columns: columns.iter().map(|name| StudyColumn::plain(name, Unit::Plain)).collect(),
            rows: rows.iter().map(row).collect(),
            bars: None,
        }
    }

    fn tables() -> Vec<StudyTable> {
        let none = f64::NAN;
        let columns = [A_ROW, LOOP, SHARE];
        let ten: &[(&str, &[f64])] = &[("plain", &[1e-9, none, 0.97]), ("torch", &[4e-6, 3e-8, 0.19])];
        let hundred: &[(&str, &[f64])] = &[
            ("plain", &[2e-9, none, 1.04]),
            ("arrow", &[4e-9, none, 1.1]),
            ("torch", &[4e-6, 3e-8, 0.55]),
            ("pyvelox", &[8e-7, 4e-8, 0.59]),
            ("pyarrow", &[1.6e-6, 4e-8, 0.95]),
            ("numpy", &[4e-7, 4e-8, 0.98]),
        ];
        let out: &[(&str, &[f64])] = &[("plain", &[8e9, 0.75]), ("torch", &[9e9, 0.5]), ("tensorflow", &[none, none])];
        vec![
            table("Measured here: 10 rows", &columns, ten),
            table("Measured here: 100 rows", &columns, hundred),
            table("Batches out of memory: 100 rows, none of which lies in a cache", &[MEMORY, OF_MEMORY], out),
        ]
    }

    fn said(tables: &[StudyTable]) -> Vec<(String, String)> {
        of_numbers(tables).map(|said| (said.heading, said.text)).collect()
    }

    #[test]
    fn what_the_language_takes_and_what_the_container_takes_is_told_apart_by_the_numbers() {
        let (heading, text) = said(&tables()).remove(0);
        assert_eq!(heading, LANGUAGE);
        for words in [
            "Of 100 rows, one by one: a row of plain columns takes 2.0 ns in Rust, and one of PyVelox's vectors 800.0 ns in Python, 400 times as long.",
            "Arrow in Rust takes 4.0 ns a row; PyVelox takes 200 times as long.",
            "Python's loop alone, with nothing read, takes 40.0 ns of PyVelox's row.",
            "Arrow in Python takes 1.6 µs a row; PyVelox takes 0.5 times as long.",
            "take 400.0 ns a row in Python: 200 times as long as in Rust, which is the language; PyVelox takes 2.0 times as long",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn containers_that_were_not_read_are_not_spoken_of() {
        let mut all = tables();
        all[1].rows.retain(|row| ![title("numpy"), title("arrow")].contains(&row.name.as_str()));
        let text = said(&all).remove(0).1;
        assert!(
            !text.contains("NumPy") && !text.contains("Arrow in Rust") && text.contains("Arrow in Python"),
            "{text}"
        );
        all[1].rows.retain(|row| row.name != title("pyvelox"));
        let headings: Vec<String> = said(&all).into_iter().map(|(heading, _)| heading).collect();
        assert_eq!(headings, [SHARES, OUT], "there is nothing to take apart");
        assert!(said(&[]).is_empty());
    }

    #[test]
    fn shares_of_memcpy_are_told_beside_what_the_yardstick_is_off() {
        let text = said(&tables()).remove(1).1;
        for words in [
            "and reach 97.0 % of 10 rows, 104.0 % of 100 rows:",
            "PyTorch tensors, one a column 19.0 % of 10 rows, 55.0 % of 100 rows; PyVelox vectors, through Arrow 59.0 % of 100 rows;",
            "NumPy arrays (Python) 98.0 % of 100 rows. That alone makes none as fast",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let mut fast = tables();
        for table in &mut fast {
            table.rows.retain(|row| [title("numpy"), title("pyarrow")].contains(&row.name.as_str()));
        }
        let text = said(&fast).remove(0).1;
        assert!(text.ends_with("98.0 % of 100 rows.") && !text.contains("Plain columns"), "{text}");
    }

    #[test]
    fn what_was_read_out_of_memory_is_told_from_the_slowest_to_the_fastest() {
        let (heading, text) = said(&tables()).remove(2);
        assert_eq!(heading, OUT);
        assert_eq!(
            text,
            "The memory gave 8.0 GB/s to 9.0 GB/s to a copy that no cache holds, by the process that asked. Of that, batches of 100 rows that lay in \
             no cache reach 50.0 % (“PyTorch tensors, one a column”) to 75.0 % (“Plain columns (Rust vectors)”)."
        );
        let mut none = tables();
        none[2].rows.retain(|row| row.name == title("tensorflow"));
        assert_eq!(said(&none).len(), 2, "nothing was read there");
    }

    #[test]
    fn a_container_that_was_read_alone_is_no_slowest_and_no_fastest_one() {
        let mut alone = tables();
        alone[2].rows.truncate(1);
        assert_eq!(
            said(&alone).remove(2).1,
            "The memory gave 8.0 GB/s to a copy that no cache holds. Of that, batches of 100 rows that lay in no cache \
             reach 75.0 % (“Plain columns (Rust vectors)”)."
        );
    }

    #[test]
    fn a_report_of_rows_that_were_put_together_says_what_its_own_numbers_say() {
        let report = |study: &str, tables: Vec<StudyTable>| {
            let mut report = super::super::super::report(study, String::new(), StudyMachine::default(), tables);
            report.differences = explained(&report.tables, &Cache::default(), 2000);
            report
        };
        let mut own = report("retrieval", tables());
        own.tables[1].rows[0].cells[0] = StudyCell::number(8e-9);
        let count = own.differences.len();
        say_anew(&mut own);
        let text = |report: &StudyReport| {
            report.differences.iter().find(|said| said.heading == LANGUAGE).map(|said| said.text.clone())
        };
        assert!(text(&own).is_some_and(|text| text.contains("plain columns takes 8.0 ns in Rust")), "{own:?}");
        assert_eq!(own.differences.len(), count, "it is said once");
        let mut other = report("mixed", tables());
        let before = other.differences.clone();
        other.tables.clear();
        say_anew(&mut other);
        assert_eq!(other.differences, before, "of another study nothing is said");
    }

    #[test]
    fn no_sentence_claims_a_speed_that_the_table_does_not_show() {
        let all = explained(&[], &Cache::default(), 2000);
        let text: String = all.iter().map(|said| said.text.as_str()).collect();
        for claim in ["as fast", "faster", "speed of the memory", "says of them in pandas"] {
            assert!(!text.contains(claim), "{claim}: {text}");
        }
        assert!(all.iter().any(|said| said.text.contains("no pandas was run")));
        assert!(all.iter().any(|said| said.heading == "The cache" && said.text.contains("does not tell")));
    }
}
