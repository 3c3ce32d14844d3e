//! What tests measure beside published numbers. Each leaves its rows in the folder `RECSPEED_ROWS`, where that is set, and
//! `make conformance` makes the table of docs/conformance.md of them. The tests of `shared/recommenders` have this file, too.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// A published number, and what came out here.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    protocol: String,
    method: String,
    metric: String,
    /// With the digits that are printed.
    published: String,
    measured: f64,
    /// Standard deviation over seeds, where `measured` is a mean.
    deviation: Option<f64>,
    /// How far apart they may lie; `None`: equal in every printed digit.
    within: Option<f64>,
    /// Why they may lie further apart all the same.
    note: String,
}

impl Row {
    /// One that must be equal in every printed digit.
    pub(crate) fn new(protocol: &str, method: &str, metric: &str, published: &str, measured: f64) -> Self {
        let [protocol, method, metric, published] = [protocol, method, metric, published].map(str::to_owned);
        Self { protocol, method, metric, published, measured, deviation: None, within: None, note: String::new() }
    }

    /// One that may lie so far away; further where the note says why.
    #[must_use]
    pub(crate) fn within(self, distance: f64, note: &str) -> Self {
        Self { within: Some(distance), note: note.to_owned(), ..self }
    }

    /// A mean over seeds.
    #[must_use]
    pub(crate) fn over_seeds(self, deviation: Option<f64>) -> Self {
        Self { deviation, ..self }
    }

    fn told(&self) -> Value {
        json!({
            "protocol": self.protocol,
            "method": self.method,
            "metric": self.metric,
            "published": self.published,
            "measured": self.measured,
            "deviation": self.deviation,
            "within": self.within,
            "note": self.note,
        })
    }
}

/// Keeps the rows of a test, before it judges them: what fails is shown as well.
pub(crate) fn keep(name: &str, rows: &[Row]) {
    let Some(folder) = std::env::var_os("RECSPEED_ROWS").filter(|folder| !folder.is_empty()) else { return };
    let path = Path::new(&folder).join(format!("{name}.json"));
    let told = rows.iter().map(Row::told).collect::<Value>();
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, told.to_string()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
