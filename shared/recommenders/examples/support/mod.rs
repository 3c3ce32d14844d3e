//! What the timing programs share: their file, their options, their answer.

use recspeed_data::{Interactions, ReadLimits, read_ratings};
use recspeed_recommenders::TrainSet;
use recspeed_types::spec::DataFormat;
use serde_json::json;

/// A file and `--option number` pairs.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn read() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The file: `.csv` as Amazon ratings, `.inter` as RecBole, anything else as sequences.
    pub(crate) fn load(&self) -> Interactions {
        let path = self.0.first().filter(|path| !path.starts_with("--")).expect("the first argument is the data file");
        let format = match path.rsplit('.').next() {
            Some("csv") => DataFormat::AmazonCsv,
            Some("inter") => DataFormat::Recbole,
            _ => DataFormat::Sequences,
        };
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        read_ratings(format, &bytes, ReadLimits::default())
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .interactions
    }

    /// Of the arguments that are no options, the one at this place, from 0.
    #[allow(dead_code, reason = "each program uses a part")]
    pub(crate) fn positional(&self, place: usize) -> Option<&str> {
        let options = |at: &usize| self.0[*at].starts_with("--") || (*at > 0 && self.0[*at - 1].starts_with("--"));
        (0..self.0.len()).filter(|at| !options(at)).nth(place).map(|at| self.0[at].as_str())
    }

    pub(crate) fn number(&self, option: &str, otherwise: usize) -> usize {
        let value = self.0.iter().position(|argument| argument == option).and_then(|at| self.0.get(at + 1));
        value.map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{option} {value} is no whole number")))
    }
}

/// One JSON line, as the benchmark's harness reads it.
pub(crate) fn print_answer(name: &str, seconds: &[f64], data: &TrainSet<'_>, note: &str) {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    println!(
        "{}",
        json!({
            "name": name,
            "version": env!("CARGO_PKG_VERSION"),
            "seconds": seconds,
            "median_s": sorted.get(sorted.len() / 2),
            "users": data.n_users(),
            "items": data.n_items(),
            "entries": data.by_user.nnz(),
            "threads": rayon::current_num_threads(),
            "peak_bytes": peak_bytes(),
            "note": note,
        })
    );
}

/// The process's largest resident size; 0 where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
