//! The files of what a study has measured and not yet reported whole: what it goes on behind, and what was set aside.
//!
//! None ever takes another's place. What was measured under other conditions waits, under the name of those, until they are as they were;
//! what `--fresh` set aside, or what cannot be read, is numbered. Nothing but its user removes what was set aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;

/// What the name of the file ends in behind which a study goes on.
pub(super) const ENDING: &str = ".rows.jsonl";

/// The files of a study with its options.
#[derive(Debug, Clone)]
pub(super) struct Sets {
    folder: PathBuf,
    /// Of the study, with what tells its options, as `mixed.3f2a`.
    name: String,
}

impl Sets {
    /// Those in this folder.
    pub(super) fn of(folder: &Path, identity: &Identity) -> Self {
        Self { folder: folder.to_owned(), name: format!("{}.{}", identity.study, identity.key()) }
    }

    /// What the study goes on behind.
    pub(super) fn own(&self) -> PathBuf {
        self.file(ENDING)
    }

    /// What says that a process measures it.
    pub(super) fn lock(&self) -> PathBuf {
        self.file(".lock")
    }

    /// What waits for these conditions.
    fn waiting(&self, identity: &Identity) -> PathBuf {
        self.file(&format!(".rows.{}.jsonl", identity.conditions()))
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.name))
    }

    /// Sets aside what the study went on behind: to wait for the conditions under which it was measured, or, with `None`, for nothing.
    /// Returns where it is now.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn set_aside(&self, of: Option<&Identity>) -> io::Result<PathBuf> {
        let waiting = of.map(|identity| self.waiting(identity)).filter(|place| !place.exists());
        let aside = waiting.unwrap_or_else(|| self.numbered());
        fs::rename(self.own(), &aside)?;
        Ok(aside)
    }

    /// Takes what waits for these conditions back into its place, which is free; `false` where nothing waits for them.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn bring_back(&self, identity: &Identity) -> io::Result<bool> {
        moved(&self.waiting(identity), &self.own())
    }

    /// What waits for these conditions waits no longer: the study is to be measured anew.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn retire(&self, identity: &Identity) -> io::Result<()> {
        moved(&self.waiting(identity), &self.numbered()).map(drop)
    }

    /// A name that no file has yet.
    fn numbered(&self) -> PathBuf {
        let mut number = 1_u32;
        loop {
            let place = self.file(&format!(".rows.old-{number}.jsonl"));
            if !place.exists() {
                return place;
            }
            number += 1;
        }
    }
}

/// `false` where there is nothing to be moved.
fn moved(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_takes_no_other_ones_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::new("mixed", "recspeed study mixed");
        let sets = Sets::of(folder.path(), &identity);
        let put = |text: &str| fs::write(sets.own(), text).expect("written");
        let stands = |place: &Path| fs::read_to_string(place).expect("kept");
        put("one");
        let first = sets.set_aside(None).expect("set aside");
        put("two");
        let second = sets.set_aside(None).expect("set aside");
        put("three");
        let third = sets.set_aside(Some(&identity)).expect("set aside");
        put("four");
        let fourth = sets.set_aside(Some(&identity)).expect("its name is taken");
        assert_eq!(
            [&first, &second, &third, &fourth].map(|place| stands(place.as_path())),
            ["one", "two", "three", "four"]
        );
        assert!(!sets.own().exists());
        assert!(sets.bring_back(&identity).expect("brought back"));
        assert_eq!(stands(&sets.own()), "three");
        assert!(!sets.bring_back(&identity).expect("nothing waits"), "and what is numbered waits for nothing");
        sets.set_aside(Some(&identity)).expect("set aside");
        sets.retire(&identity).expect("numbered");
        assert!(!sets.bring_back(&identity).expect("nothing waits"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 4, "and nothing is lost");
    }
}
