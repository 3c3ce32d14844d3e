//! Every measurement of a study, on disk before the next one begins: nothing that was measured is lost, however the study ends.
//!
//! One JSON object a line, below the lab's folder as `studies/NAME.KEY.rows.jsonl`: what is measured, then sittings with their
//! measurements. The file is gone once the whole report is written; what was measured under other conditions waits beside it ([`Sets`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use recspeed_types::study::StudyLoad;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StudyError;
use super::identity::Identity;
use super::load::Load;
use super::render::date;
use super::sets::{ENDING, Sets};
use super::standing::{Measured, Sitting, Standing};
use crate::alone::Alone;
use crate::clock;
use crate::command::{figures, output};
use crate::home;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line<T> {
    /// The first line: what is measured.
    Study(Identity),
    /// From here on it was measured in one go.
    Sitting {
        /// Milliseconds since 1970.
        began_ms: i64,
    },
    /// A measurement that was made.
    Measured {
        /// The row.
        row: String,
        /// What is measured in turns for all rows, as `round 2` or `10,000 rows`.
        turn: String,
        /// What others had taken of the machine in this sitting by then.
        load: Option<StudyLoad>,
        /// What came of it.
        result: T,
    },
}

/// A measurement, and the sitting it was made in, from 0.
#[derive(Debug, Clone)]
struct Kept<T> {
    row: String,
    turn: String,
    sitting: usize,
    result: T,
}

/// The measurements of a study, those of earlier sittings too.
pub(super) struct Log<T> {
    /// Where they are kept; `None` where they cannot be.
    path: Option<PathBuf>,
    /// Open from the first measurement on.
    file: Option<File>,
    /// Whoever measures the same meanwhile is refused.
    alone: Option<Alone>,
    /// Whether everything of this sitting could be kept so far.
    whole: bool,
    identity: Identity,
    sittings: Vec<Sitting>,
    kept: Vec<Kept<T>>,
    /// Sittings before this one.
    earlier: usize,
    load: Load,
    /// What is to be known of what it found, a sentence each.
    found: Vec<String>,
}

/// What was made of a file of measurements.
enum Taken {
    /// There was none.
    None,
    /// It had to be set aside.
    Aside {
        /// As `the program has changed`.
        why: String,
        /// How much it held, as `5 measurements`.
        held: String,
        /// Where it is now.
        place: PathBuf,
    },
    /// The study goes on behind it.
    Behind,
}

/// What the lines of a file say, beside the measurements.
struct Heard {
    /// What was measured.
    identity: Option<Identity>,
    /// Bytes of the lines that were written to their end.
    whole: usize,
    /// Lines that cannot be read, of those.
    unread: u64,
}

impl<T: Serialize + DeserializeOwned> Log<T> {
    /// What was kept of this study below the lab's folder; with `fresh`, or where something is not as it was, nothing. What cannot
    /// be read or kept is said and stops nobody.
    ///
    /// # Errors
    /// [`StudyError::Busy`].
    pub(super) fn open(named: Option<&Path>, identity: Identity, fresh: bool) -> Result<Self, StudyError> {
        let folder = named.map(Path::to_owned).or_else(home::usual_place).map(|root| home::studies(&root));
        let sets = folder.as_ref().map(|folder| Sets::of(folder, &identity));
        let alone = sets.as_ref().map(|sets| Alone::take(&sets.lock())).transpose()?.flatten();
        let path = sets.as_ref().map(Sets::own);
        let load = Load::begin();
        let (sittings, kept) = (Vec::new(), Vec::new());
        let (whole, earlier, found) = (true, 0, Vec::new());
        let mut log = Self { path, file: None, alone, whole, identity, sittings, kept, earlier, load, found };
        let (Some(folder), Some(sets)) = (folder, sets) else { return Ok(log) };
        let read = log.read(&sets, fresh);
        for sentence in &log.found {
            output::complain(&format!("recspeed: {sentence}"));
        }
        if let Err(error) = read {
            (log.kept, log.sittings) = (Vec::new(), Vec::new());
            log.give_up(&sets.own(), &error);
        }
        if log.kept.is_empty() && !sets.own().exists() {
            for command in others(&folder, &log.identity) {
                output::complain(&format!(
                    "recspeed: a study with other options is not finished; it goes on by: {command}"
                ));
            }
        }
        Ok(log)
    }

    /// Finds what the study goes on behind: what was kept last, or what waits for the conditions that are here now.
    fn read(&mut self, sets: &Sets, fresh: bool) -> io::Result<()> {
        if fresh {
            sets.retire(&self.identity)?;
        }
        let first = self.take(sets, fresh)?;
        if matches!(first, Taken::Behind) {
            self.found.extend(self.goes_on());
            return Ok(());
        }
        // Once: what somebody has put under this name may be of something else, and would be set aside to the same place for ever.
        let second = if sets.bring_back(&self.identity)? { self.take(sets, fresh)? } else { Taken::None };
        let goes_on = if matches!(second, Taken::Behind) { self.goes_on() } else { None };
        match (first, goes_on) {
            // It does not begin anew: what waited for the conditions that are here now is back.
            (Taken::Aside { why, held, place }, Some(goes_on)) => {
                let moved = format!("{why}; what was kept until then ({held}) is now {}", place.display());
                self.found.push(format!("{moved}, and {goes_on}"));
            }
            (first, goes_on) => self.found.extend(anew(first, fresh).into_iter().chain(goes_on)),
        }
        self.found.extend(anew(second, fresh));
        Ok(())
    }

    /// What is said where it goes on behind measurements.
    fn goes_on(&self) -> Option<String> {
        let last = self.sittings.last().filter(|_| !self.kept.is_empty())?;
        let held = figures::counted(self.kept.len() as u64, "measurement", "measurements");
        let date = date(last.began_ms);
        Some(format!("the study goes on behind what is kept ({held}, the last of {date}); --fresh measures it again."))
    }

    /// Goes on behind what lies in its place, or sets that aside.
    fn take(&mut self, sets: &Sets, fresh: bool) -> io::Result<Taken> {
        let path = sets.own();
        let mut file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Taken::None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            fs::remove_file(path)?;
            return Ok(Taken::None);
        }
        let Heard { identity: before, whole, unread } = self.hear(&bytes);
        let why = match &before {
            _ if fresh => Some(String::new()),
            Some(before) => self.identity.change_from(before).map(|what| format!("{what} has changed")),
            None => Some("what was kept of it cannot be read".to_owned()),
        };
        if let Some(why) = why {
            // What is to be measured anew is not gone on with later, either.
            let waits = before.as_ref().filter(|before| !fresh || **before != self.identity);
            let place = sets.set_aside(waits)?;
            let held = figures::counted(self.kept.len() as u64, "measurement", "measurements");
            (self.kept, self.sittings) = (Vec::new(), Vec::new());
            return Ok(Taken::Aside { why, held, place });
        }
        // What a killed study had not finished to write.
        file.set_len(whole as u64)?;
        self.earlier = self.sittings.len();
        self.file = Some(file);
        if unread > 0 {
            let lines = figures::counted(unread, "line", "lines");
            self.found.push(format!(
                "{lines} of {} cannot be read: what stood there is measured again.",
                sets.own().display()
            ));
        }
        Ok(Taken::Behind)
    }

    /// Takes what the lines say. One in between that cannot be read is left out, and counted.
    fn hear(&mut self, bytes: &[u8]) -> Heard {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (mut identity, mut unread) = (None, 0);
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Line<T>>(line) {
                Ok(Line::Study(told)) => identity = Some(told),
                Ok(Line::Sitting { began_ms }) => self.sittings.push(Sitting { began_ms, load: None }),
                Ok(Line::Measured { row, turn, load, result }) => {
                    let Some(last) = self.sittings.last_mut() else {
                        unread += 1;
                        continue;
                    };
                    last.load = load;
                    self.kept.push(Kept { row, turn, sitting: self.sittings.len() - 1, result });
                }
                Err(_) => unread += 1,
            }
        }
        Heard { identity, whole, unread }
    }

    /// A measurement of an earlier sitting, or of this one.
    pub(super) fn find(&self, row: &str, turn: &str) -> Option<&T> {
        self.kept.iter().find(|kept| kept.row == row && kept.turn == turn).map(|kept| &kept.result)
    }

    /// Keeps a measurement.
    pub(super) fn add(&mut self, row: &str, turn: &str, result: T) {
        let load = self.load.so_far();
        if self.sittings.len() == self.earlier {
            self.sittings.push(Sitting { began_ms: clock::now_ms(), load });
            if let Some(path) = self.path.clone()
                && let Err(error) = self.begin(&path)
            {
                self.give_up(&path, &error);
            }
        }
        if let (Some(path), Some(file), true) = (self.path.clone(), &mut self.file, self.whole) {
            let (row, turn) = (row.to_owned(), turn.to_owned());
            if let Err(error) = append(file, &Line::Measured { row, turn, load, result: &result }) {
                self.give_up(&path, &error);
            }
        }
        let sitting = self.sittings.len() - 1;
        self.sittings[sitting].load = load;
        self.kept.push(Kept { row: row.to_owned(), turn: turn.to_owned(), sitting, result });
    }

    /// Writes what stands in front of the measurements of this sitting.
    fn begin(&mut self, path: &Path) -> io::Result<()> {
        if self.file.is_none() {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
            file.set_len(0)?;
            append(&mut file, &Line::<&T>::Study(self.identity.clone()))?;
            File::open(folder)?.sync_all()?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        append(file, &Line::<&T>::Sitting { began_ms: clock::now_ms() })
    }

    /// From here on nothing is kept: the study goes on, and says what that means. A file that it could not read is left as it is.
    fn give_up(&mut self, path: &Path, error: &io::Error) {
        self.whole = false;
        if self.file.is_none() {
            self.path = None;
        }
        output::complain(&format!(
            "warning: measurements cannot be kept in {} ({error}): what is measured is lost if the study is killed",
            path.display()
        ));
    }

    /// How the study stands. `order` has the turn and the row of every measurement, as it was planned.
    pub(super) fn close(self, order: &[(String, String)]) -> Standing {
        let sitting_of = |(turn, row): &(String, String)| {
            let kept = self.kept.iter().find(|kept| kept.turn == *turn && kept.row == *row)?;
            Some(Measured { turn: turn.clone(), row: row.clone(), sitting: kept.sitting })
        };
        let measured = order.iter().filter_map(sitting_of).collect();
        let is_new = self.sittings.len() > self.earlier;
        let file = self.path.zip(self.file);
        Standing { sittings: self.sittings, measured, is_new, is_kept: self.whole, file, alone: self.alone }
    }
}

/// What is said of a file that was set aside, where the study begins anew.
fn anew(taken: Taken, fresh: bool) -> Option<String> {
    let Taken::Aside { why, held, place } = taken else { return None };
    let begins = if fresh { "was asked to begin anew".to_owned() } else { format!("begins anew, for {why}") };
    Some(format!("the study {begins}; what was kept ({held}) is now {}.", place.display()))
}

/// The names, with its number behind one that comes again: what measurements are kept under.
pub(super) fn numbered(names: &[&str]) -> Vec<String> {
    let numbered = |(place, name): (usize, &&str)| match names.iter().take(place).filter(|other| *other == name).count()
    {
        0 => (*name).to_owned(),
        before => format!("{name} ({})", before + 1),
    };
    names.iter().enumerate().map(numbered).collect()
}

/// Writes a line to its end and onto the disk, or leaves the file as it was.
fn append(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let written = file.write_all(&text).and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(length);
    }
    written
}

/// The commands of this study with other options that were not finished.
fn others(folder: &Path, own: &Identity) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let begins = format!("{}.", own.study);
    let files = files.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&begins) && name.ends_with(ENDING)
    });
    let first = |path: PathBuf| {
        let text = fs::read(path).ok()?;
        let line = text.split(|byte| *byte == b'\n').next()?;
        match serde_json::from_slice::<Line<serde_json::Value>>(line).ok()? {
            Line::Study(identity) => Some(identity.command),
            _ => None,
        }
    };
    files.filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(home: &Path, fresh: bool) -> Log<u32> {
        Log::open(Some(home), Identity::new("mixed", "recspeed study mixed"), fresh).expect("nobody else measures it")
    }

    fn file(home: &Path) -> PathBuf {
        let key = Identity::new("mixed", "recspeed study mixed").key();
        home::studies(home).join(format!("mixed.{key}{ENDING}"))
    }

    #[test]
    fn what_was_kept_is_there_however_the_study_ended_and_a_torn_last_line_is_not() {
        let home = tempfile::tempdir().expect("a folder");
        let mut log = open(home.path(), false);
        assert!(!file(home.path()).exists(), "nothing was measured yet");
        log.add("Burn", "round 1", 7);
        log.add("PyTorch", "round 1", 8);
        // As it is when the process is killed: nobody ends anything.
        drop(log);
        let whole = fs::read(file(home.path())).expect("kept");
        for cut in 1..20 {
            fs::write(file(home.path()), &whole[..whole.len() - cut]).expect("written");
            let mut log = open(home.path(), false);
            assert_eq!((log.find("Burn", "round 1"), log.find("PyTorch", "round 1")), (Some(&7), None), "{cut}");
            log.add("PyTorch", "round 1", 9);
            drop(log);
            let log = open(home.path(), false);
            assert_eq!((log.find("Burn", "round 1"), log.find("PyTorch", "round 1")), (Some(&7), Some(&9)), "{cut}");
        }
    }

    #[test]
    fn rows_of_the_same_name_are_kept_apart() {
        assert_eq!(numbered(&["PyTorch", "Burn", "PyTorch"]), ["PyTorch", "Burn", "PyTorch (2)"]);
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_no_other_line() {
        let home = tempfile::tempdir().expect("a folder");
        let mut log = open(home.path(), false);
        log.add("Burn", "round 1", 7);
        log.add("Burn", "round 2", 8);
        drop(log);
        let text = fs::read_to_string(file(home.path())).expect("kept");
        fs::write(file(home.path()), text.replace("round 1\"", "rou")).expect("written");
        let log = open(home.path(), false);
        assert_eq!((log.find("Burn", "round 1"), log.find("Burn", "round 2")), (None, Some(&8)));
        let due =
            format!("1 line of {} cannot be read: what stood there is measured again.", file(home.path()).display());
        assert_eq!((log.found.len(), log.found.first()), (2, Some(&due)), "{:?}", log.found);
        drop(log);
        fs::write(file(home.path()), text).expect("written");
        assert_eq!(open(home.path(), false).found.len(), 1, "all of it can be read");
    }

    #[test]
    fn one_sentence_tells_that_conditions_are_back_under_which_it_was_measured_before() {
        let home = tempfile::tempdir().expect("a folder");
        let mut log = of_threads(home.path(), "1", false);
        assert!(log.found.is_empty(), "{:?}", log.found);
        log.add("Burn", "round 1", 10);
        drop(log);
        let mut log = of_threads(home.path(), "2", false);
        let changed = "the variable OMP_NUM_THREADS has changed; what was kept";
        let anew = format!("the study begins anew, for {changed} (1 measurement) is now ");
        assert!(log.found.len() == 1 && log.found[0].starts_with(&anew), "{:?}", log.found);
        log.add("Burn", "round 1", 20);
        log.add("Burn", "round 2", 21);
        drop(log);
        let log = of_threads(home.path(), "1", false);
        let back = format!("{changed} until then (2 measurements) is now ");
        assert!(log.found.len() == 1 && log.found[0].starts_with(&back), "{:?}", log.found);
        assert!(
            log.found[0].contains(", and the study goes on behind what is kept (1 measurement, "),
            "{:?}",
            log.found
        );
    }

    #[test]
    fn one_that_begins_anew_sets_what_was_kept_aside() {
        let home = tempfile::tempdir().expect("a folder");
        let mut log = open(home.path(), false);
        log.add("Burn", "round 1", 7);
        drop(log);
        let kept = fs::read(file(home.path())).expect("kept");
        let log = open(home.path(), true);
        assert_eq!(log.find("Burn", "round 1"), None);
        drop(log);
        let aside = file(home.path()).with_extension("old-1.jsonl");
        assert_eq!(fs::read(&aside).expect("set aside"), kept);
        assert!(!file(home.path()).exists());
        // Another machine, as after a restart in a cloud.
        fs::write(
            file(home.path()),
            String::from_utf8_lossy(&kept).replace("\"the machine\":\"", "\"the machine\":\"x"),
        )
        .expect("written");
        let log = open(home.path(), false);
        assert_eq!(log.find("Burn", "round 1"), None);
    }

    /// A machine that libraries are told to use so many threads of.
    fn of_threads(home: &Path, threads: &str, fresh: bool) -> Log<u32> {
        let mut identity = Identity::new("mixed", "recspeed study mixed");
        identity.set("the variable OMP_NUM_THREADS", threads);
        Log::open(Some(home), identity, fresh).expect("nobody else measures it")
    }

    #[test]
    fn what_was_kept_survives_every_change_of_the_conditions_and_is_gone_on_with_when_they_are_as_they_were() {
        let home = tempfile::tempdir().expect("a folder");
        for (threads, result) in [("1", 10), ("2", 20), ("4", 40)] {
            let mut log = of_threads(home.path(), threads, false);
            assert_eq!(log.find("Burn", "round 1"), None, "nothing of other conditions");
            log.add("Burn", "round 1", result);
        }
        for (threads, result) in [("1", 10), ("2", 20), ("4", 40), ("2", 20), ("1", 10)] {
            let log = of_threads(home.path(), threads, false);
            assert_eq!(log.find("Burn", "round 1"), Some(&result), "{threads} threads");
        }
        let files = || fs::read_dir(home::studies(home.path())).expect("a folder").count();
        assert_eq!(files(), 3);
        // Asked to begin anew, it does, and never goes on behind what it then left, which is there all the same.
        let mut log = of_threads(home.path(), "2", true);
        assert_eq!(log.find("Burn", "round 1"), None);
        log.add("Burn", "round 1", 21);
        drop(log);
        let log = of_threads(home.path(), "2", false);
        assert_eq!(log.find("Burn", "round 1"), Some(&21));
        drop(log);
        assert_eq!(files(), 4);
    }

    #[test]
    fn what_somebody_has_put_under_the_name_of_other_options_is_set_aside_once() {
        let home = tempfile::tempdir().expect("a folder");
        let mut log = open(home.path(), false);
        log.add("Burn", "round 1", 7);
        drop(log);
        let other = Identity::new("mixed", "recspeed study mixed --full");
        let sets = Sets::of(&home::studies(home.path()), &other);
        fs::rename(file(home.path()), sets.own()).expect("renamed");
        let log = Log::<u32>::open(Some(home.path()), other, false).expect("nobody else measures it");
        assert_eq!(log.find("Burn", "round 1"), None);
        assert!(!sets.own().exists(), "it waits under another name");
        drop(log);
        assert_eq!(fs::read_dir(home::studies(home.path())).expect("a folder").count(), 1, "and is not lost");
    }

    #[test]
    fn two_that_measure_the_same_at_once_do_not_write_into_each_other() {
        let home = tempfile::tempdir().expect("a folder");
        let again = || Log::<u32>::open(Some(home.path()), Identity::new("mixed", "recspeed study mixed"), false).err();
        let mut first = open(home.path(), false);
        let said = again().expect("refused before it measures anything").to_string();
        assert!(said.starts_with("the same study is being measured by process "), "{said}");
        first.add("Burn", "round 1", 7);
        assert!(again().is_some(), "and later");
        let other = Identity::new("mixed", "recspeed study mixed --full");
        assert!(Log::<u32>::open(Some(home.path()), other, false).is_ok(), "one with other options is another study");
        drop(first);
        assert_eq!(open(home.path(), false).find("Burn", "round 1"), Some(&7));
    }
}
