//! What a process tells that reads ratings back from a container: one JSON object on standard output.
//!
//! It is given a folder with four columns as bare little-endian numbers: `user.u32`, `item.u32`, `rating.f32` and
//! `timestamp.i64`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The columns' files, in the order of a row.
pub const COLUMN_FILES: [&str; 4] = ["user.u32", "item.u32", "rating.f32", "timestamp.i64"];

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
    /// Bytes of one such object itself, without what it points to.
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
    /// Rows of a batch.
    pub batch_rows: u64,
    /// Seconds of reading every row in batches, each copied into the same arrays.
    pub batch_s: Vec<f64>,
    /// Seconds of copying as many bytes in as large pieces from plain memory.
    pub copy_s: Vec<f64>,
    /// Sum of all numbers of the rows that were read one by one: which rows they were, and that all of each was read.
    pub single_sum: f64,
    /// The same of the rows that were read in batches.
    pub batch_sum: f64,
}

/// A container of the study.
#[derive(Debug)]
pub struct Container {
    /// The name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// The engine whose environment measures it; `None` for the lab's own worker.
    pub engine: Option<crate::spec::EngineKind>,
    /// Rows that are read one by one at most, where reading all would take too long.
    pub single_limit: Option<u64>,
}

/// Every container, ours first.
pub const CONTAINERS: [Container; 9] = [
    own("plain", "Plain columns (Rust vectors)"),
    own("arrow", "Arrow arrays (Rust)"),
    Container { single_limit: Some(200_000), ..own("burn", "Burn tensors on flex") },
    lent("torch", "PyTorch tensors, one a column", crate::spec::EngineKind::Pytorch),
    lent("torch-matrix", "PyTorch tensor, one for all columns", crate::spec::EngineKind::Pytorch),
    Container {
        single_limit: Some(5_000),
        ..lent("tensorflow", "TensorFlow tensors, one a column", crate::spec::EngineKind::Tensorflow)
    },
    Container {
        single_limit: Some(5_000),
        ..lent("tensorflow-matrix", "TensorFlow tensor, one for all columns", crate::spec::EngineKind::Tensorflow)
    },
    lent("pyvelox", "PyVelox vectors, through Arrow", crate::spec::EngineKind::Pyvelox),
    lent("pyvelox-list", "PyVelox vectors, from lists", crate::spec::EngineKind::Pyvelox),
];

const fn own(name: &'static str, title: &'static str) -> Container {
    Container { name, title, engine: None, single_limit: None }
}

const fn lent(name: &'static str, title: &'static str, engine: crate::spec::EngineKind) -> Container {
    Container { name, title, engine: Some(engine), single_limit: None }
}
