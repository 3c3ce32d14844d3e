//! What a process tells that reads ratings back from a container: one JSON object on standard output.
//!
//! It is given a folder with four columns as bare little-endian numbers: `user.u32`, `item.u32`, `rating.f32` and
//! `timestamp.i64`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::EngineKind;

/// The columns' files, in the order of a row.
pub const COLUMN_FILES: [&str; 4] = ["user.u32", "item.u32", "rating.f32", "timestamp.i64"];

/// Bytes of a copy that no cache holds, at most.
pub const MOST_BEYOND: u64 = 1 << 30;

/// Rows that are read one by one in each call before any row is timed, at most.
pub const WARM_ROWS: u64 = 100;
/// Seconds for which they are read again and again at least, in every container alike. What a library does once a process, and what an
/// engine compiles while it runs, is done by then. `backend/engines` has both numbers too, and a test holds them against these.
pub const WARM_S: f64 = 0.02;

/// How rows are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// How often everything is measured.
    pub repeats: u32,
    /// Rows of a batch.
    pub batch_rows: u64,
    /// Rows that are read one by one at most; all unless set.
    #[serde(default)]
    pub single_rows: Option<u64>,
    /// Bytes of a copy that no cache holds, which goes before each pass out of memory; nothing is read out of memory unless set.
    #[serde(default)]
    pub beyond_bytes: Option<u64>,
}

/// Rows that were read back from one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retrieved {
    /// The container, as in [`CONTAINERS`].
    pub container: String,
    /// Name and version of what holds the rows.
    pub versions: BTreeMap<String, String>,
    /// Operating system, processor and cores, where the process knows them.
    #[serde(default)]
    pub host: String,
    /// Threads that it had, as what holds the rows says of itself; nothing of a process that does not say.
    #[serde(default)]
    pub threads: Option<u32>,
    /// Rows in the container.
    pub rows: u64,
    /// Objects that the container is made of: one for each column, or one for all.
    pub objects: u32,
    /// Bytes of one such object itself, without the numbers: those are in `buffer_bytes`, also where a language's own measure of the object
    /// counts them.
    pub header_bytes: u64,
    /// Bytes of the numbers that it holds.
    pub buffer_bytes: u64,
    /// How many more bytes the process held after the container was filled than before, as the system counts them: by pages, so that 0 is
    /// less than can be measured, or room that the process had. Absent where the system does not tell.
    #[serde(default)]
    pub resident_bytes: Option<u64>,
    /// Seconds from arrays of numbers to the container, one for each repeat.
    pub build_s: Vec<f64>,
    /// Seconds from the container to arrays of numbers.
    pub back_s: Vec<f64>,
    /// Rows that were read one by one: all, or the first ones.
    pub single_rows: u64,
    /// Seconds of reading them.
    pub single_s: Vec<f64>,
    /// Seconds of the same loop over as many rows with nothing read, where the language takes time for that; empty of compiled code.
    #[serde(default)]
    pub loop_s: Vec<f64>,
    /// Rows of a batch.
    pub batch_rows: u64,
    /// Seconds of reading every row in batches, each copied into the same arrays.
    pub batch_s: Vec<f64>,
    /// Seconds of copying as many bytes in as large pieces from plain memory, each right behind the reading at the same place of
    /// `batch_s`.
    pub copy_s: Vec<f64>,
    /// The same behind a copy that no cache holds; absent where none was asked for, or there was no room for it.
    #[serde(default)]
    pub beyond: Option<Beyond>,
    /// Sum of all numbers of the rows that were read one by one: which rows they were, and that all of each was read.
    pub single_sum: f64,
    /// The same of the rows that were read in batches.
    pub batch_sum: f64,
}

/// Rows that were read in batches out of memory: before each pass went a copy of more bytes than the last-level cache has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beyond {
    /// Bytes of that copy.
    pub bytes: u64,
    /// Seconds of it, in pieces as large as a batch, one for each repeat.
    pub memory_s: Vec<f64>,
    /// Seconds of reading every row in batches behind it.
    pub batch_s: Vec<f64>,
    /// Seconds of copying as many bytes in as large pieces from plain memory behind another one.
    pub copy_s: Vec<f64>,
}

/// A container of the study.
#[derive(Debug, Clone, Copy)]
pub struct Container {
    /// The name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// The engine whose environment measures it; `None` for the lab's own worker.
    pub engine: Option<EngineKind>,
    /// Rows that are read one by one at most, where reading all would take too long.
    pub single_limit: Option<u64>,
    /// Whether it takes the arrays' memory over and copies no number.
    pub moves_in: bool,
    /// Whether it hands its memory out as arrays and copies no number.
    pub hands_out: bool,
}

/// Rows that are read one by one at most where one takes about half a millisecond: so many take about a minute.
pub const SLOW_ROWS: u64 = 100_000;

/// Every container, ours first.
pub const CONTAINERS: [Container; 11] = [
    Container { moves_in: true, ..own("plain", "Plain columns (Rust vectors)") },
    Container { moves_in: true, ..own("arrow", "Arrow arrays (Rust)") },
    own("burn", "Burn tensors on flex"),
    moved(lent("torch", "PyTorch tensors, one a column", EngineKind::Pytorch)),
    lent("torch-matrix", "PyTorch tensor, one for all columns", EngineKind::Pytorch),
    slow(lent("tensorflow", "TensorFlow tensors, one a column", EngineKind::Tensorflow)),
    slow(lent("tensorflow-matrix", "TensorFlow tensor, one for all columns", EngineKind::Tensorflow)),
    moved(lent("pyvelox", "PyVelox vectors, through Arrow", EngineKind::Pyvelox)),
    lent("pyvelox-list", "PyVelox vectors, from lists", EngineKind::Pyvelox),
    moved(lent("pyarrow", "Arrow arrays (Python)", EngineKind::Pyvelox)),
    moved(lent("numpy", "NumPy arrays (Python)", EngineKind::Pyvelox)),
];

const fn own(name: &'static str, title: &'static str) -> Container {
    Container { name, title, engine: None, single_limit: None, moves_in: false, hands_out: false }
}

const fn lent(name: &'static str, title: &'static str, engine: EngineKind) -> Container {
    Container { engine: Some(engine), ..own(name, title) }
}

const fn moved(container: Container) -> Container {
    Container { moves_in: true, hands_out: true, ..container }
}

const fn slow(container: Container) -> Container {
    Container { single_limit: Some(SLOW_ROWS), ..container }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_take_minutes_is_not_read_whole() {
        let limited: Vec<(&str, u64)> = CONTAINERS.iter().filter_map(|of| Some((of.name, of.single_limit?))).collect();
        assert_eq!(limited, [("tensorflow", SLOW_ROWS), ("tensorflow-matrix", SLOW_ROWS)]);
    }

    #[test]
    fn what_arrow_and_numpy_hold_is_read_in_the_language_and_environment_of_pyvelox_too() {
        for name in ["pyarrow", "numpy"] {
            let of = CONTAINERS.iter().find(|of| of.name == name).expect("a container");
            assert_eq!((of.engine, of.moves_in, of.hands_out), (Some(EngineKind::Pyvelox), true, true), "{name}");
        }
    }

    #[test]
    fn what_an_older_program_tells_and_what_is_asked_without_a_copy_beyond_the_cache_can_be_read() {
        let told = r#"{"container":"plain","versions":{},"rows":1,"objects":4,"header_bytes":24,"buffer_bytes":20,
            "build_s":[1],"back_s":[1],"single_rows":1,"single_s":[1],"batch_rows":1,"batch_s":[1],"copy_s":[1],
            "single_sum":1,"batch_sum":1}"#;
        let told: Retrieved = serde_json::from_str(told).expect("an answer");
        assert!(told.beyond.is_none() && told.loop_s.is_empty());
        let asked: Asked = serde_json::from_str(r#"{"repeats":1,"batch_rows":2}"#).expect("a question");
        assert_eq!((asked.single_rows, asked.beyond_bytes), (None, None));
    }
}
