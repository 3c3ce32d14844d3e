//! What brings the missing rows of a report: each command once, whatever number of rows and tables waits for it.

use super::report::{Missing, StudyCell, StudyReport};

/// Commands that begin so, and go on with nothing but a name, are one command with several names.
const INSTALL: &str = "recspeed engines install ";

/// What is missing, and the command that brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What is wrong, as a sentence without its full stop.
    pub why: String,
    /// The command; empty where none brings it.
    pub command: String,
}

/// The remedies of all missing rows, in the order of the rows; engines that can be installed are one command. A cause that its
/// cell says whole, and that nothing mends, is none.
pub fn remedies(report: &StudyReport) -> Vec<Remedy> {
    let mut found: Vec<Found> = Vec::new();
    let cells = report.tables.iter().flat_map(|table| &table.rows).flat_map(|row| &row.cells);
    for missing in cells.filter_map(missing) {
        let key = Key::of(missing);
        let place = found.iter().position(|one| one.key.is_with(&key)).unwrap_or_else(|| {
            found.push(Found { key: key.clone(), whys: Vec::new() });
            found.len() - 1
        });
        found[place].take(key, &missing.why);
    }
    found.into_iter().map(Found::told).collect()
}

/// What a cell waits for, where something is left to be said of it.
fn missing(cell: &StudyCell) -> Option<&Missing> {
    match cell {
        StudyCell::Missing(missing) if !missing.install.is_empty() || !missing.is_short() => Some(missing),
        _ => None,
    }
}

/// What makes rows wait for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// Engines to install, by name.
    Engines(Vec<String>),
    /// Another command.
    Command(String),
    /// Nothing brings it; why.
    Nothing(String),
}

impl Key {
    fn of(missing: &Missing) -> Self {
        match missing.install.strip_prefix(INSTALL) {
            Some(name) if !name.contains([' ', '&']) => Self::Engines(vec![name.to_owned()]),
            _ if missing.install.is_empty() => Self::Nothing(missing.why.clone()),
            _ => Self::Command(missing.install.clone()),
        }
    }

    fn is_with(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Engines(_), Self::Engines(_))) || self == other
    }
}

struct Found {
    key: Key,
    whys: Vec<String>,
}

impl Found {
    fn take(&mut self, key: Key, why: &str) {
        let add = |to: &mut Vec<String>, one: String| {
            if !one.is_empty() && !to.contains(&one) {
                to.push(one);
            }
        };
        if let (Key::Engines(own), Key::Engines(names)) = (&mut self.key, key) {
            for name in names {
                add(own, name);
            }
        }
        add(&mut self.whys, why.trim_end_matches('.').to_owned());
    }

    fn told(self) -> Remedy {
        let whys = if self.whys.is_empty() { "not here".to_owned() } else { self.whys.join("; ") };
        let mut letters = whys.chars();
        let why = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        let command = match self.key {
            Key::Engines(names) => format!("{INSTALL}{}", names.join(" ")),
            Key::Command(command) => command,
            Key::Nothing(_) => String::new(),
        };
        Remedy { why, command }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{StudyColumn, StudyMachine, StudyRow, StudyTable, Unit, Whose};
    use super::*;

    fn report(tables: &[&[(&str, &str)]]) -> StudyReport {
        let row = |(install, why): &(&str, &str)| {
            let missing = Missing { install: (*install).to_owned(), why: (*why).to_owned() };
            StudyRow::without_numbers("a row", StudyCell::Missing(missing), 1)
        };
        let table = |rows: &&[(&str, &str)]| StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: rows.iter().map(row).collect(),
            bars: None,
        };
        StudyReport {
            study: "four-layer".to_owned(),
            title: String::new(),
            question: String::new(),
            measured_ms: 0,
            command: String::new(),
            machine: StudyMachine::default(),
            conditions: Vec::new(),
            tables: tables.iter().map(table).collect(),
            differences: Vec::new(),
            learnt: None,
            specs: Vec::new(),
            defaults: std::collections::BTreeMap::new(),
            partial: None,
            sittings: Vec::new(),
        }
    }

    fn told(tables: &[&[(&str, &str)]]) -> Vec<(String, String)> {
        remedies(&report(tables)).into_iter().map(|remedy| (remedy.why, remedy.command)).collect()
    }

    fn words(told: &[(&str, &str)]) -> Vec<(String, String)> {
        told.iter().map(|(why, command)| ((*why).to_owned(), (*command).to_owned())).collect()
    }

    #[test]
    fn several_missing_engines_are_one_command_that_names_each_once() {
        let first = [
            ("recspeed engines install pytorch", "not installed"),
            ("recspeed engines install pytorch", "not installed"),
            ("recspeed engines install tensorflow", "not installed"),
        ];
        let second = [("recspeed engines install tensorflow", "not installed")];
        assert_eq!(
            told(&[&first, &second]),
            words(&[("Not installed", "recspeed engines install pytorch tensorflow")])
        );
        let half = [first[0], ("recspeed engines install pyvelox", "half installed")];
        assert_eq!(
            told(&[&half]),
            words(&[("Not installed; half installed", "recspeed engines install pytorch pyvelox")])
        );
    }

    #[test]
    fn every_other_command_stands_once_with_what_it_is_for() {
        let rows = [
            ("recspeed engines install libtorch && make worker-libtorch", "no worker with libtorch-cpu here"),
            ("recspeed engines install pytorch", "Not installed."),
            ("make studies-tab", "a terminal has no tab"),
            ("make studies-tab", "a terminal has no tab"),
            ("make it", ""),
        ];
        assert_eq!(
            told(&[&rows]),
            words(&[
                ("No worker with libtorch-cpu here", "recspeed engines install libtorch && make worker-libtorch"),
                ("Not installed", "recspeed engines install pytorch"),
                ("A terminal has no tab", "make studies-tab"),
                ("Not here", "make it"),
            ])
        );
    }

    #[test]
    fn what_nothing_mends_is_said_below_only_where_its_cell_had_no_room_for_it() {
        let long = "the engine answered with something that is no list of versions";
        assert_eq!(
            told(&[&[("", "no GPU here"), ("", long)]]),
            words(&[("The engine answered with something that is no list of versions", "")])
        );
    }
}
