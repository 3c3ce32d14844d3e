//! Room on the disk: for an installation, for mending what is there, and for several engines at once, which might fit
//! one by one and not together.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::catalogue::Reference;
use crate::damage;
use crate::engines::{Engines, State};
use crate::error::{EngineError, at, size};
use crate::install::{InstallOptions, has_pip, python_of};
use crate::libtorch::{LIBTORCH, LIBTORCH_BYTES, LIBTORCH_UNPACKED_BYTES};
use crate::process::bytes_below;
use crate::record::{Mending, Record};

/// What an installation into a folder takes of the disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// With what is there, and with what is downloaded.
    whole: u64,
    /// Beside what is there, where only some packages are installed again.
    mending: Option<u64>,
}

impl Room {
    /// Of one that installs all.
    pub(crate) const fn whole(bytes: u64) -> Self {
        Self { whole: bytes, mending: None }
    }

    /// The same where all that is there is made anew.
    pub(crate) const fn anew(self) -> Self {
        Self::whole(self.whole)
    }

    /// What must be free where so much is `there`. Somebody may have given what the whole takes.
    fn beside(self, there: u64, options: &InstallOptions) -> u64 {
        let all = options.needed_bytes.unwrap_or(self.whole).saturating_sub(there);
        self.mending.map_or(all, |mending| mending.min(all))
    }

    /// Sees whether that much is free.
    ///
    /// # Errors
    /// [`EngineError::DiskTooSmall`]; [`EngineError::Io`] where the disk does not tell.
    pub(crate) fn look(
        self,
        (kind, folder): (&'static str, &Path),
        options: &InstallOptions,
    ) -> Result<(), EngineError> {
        let (needed, free) = (self.beside(bytes_below(folder), options), free_bytes(folder)?);
        if free >= needed {
            return Ok(());
        }
        Err(EngineError::DiskTooSmall { kind, folder: folder.to_owned(), needed, free })
    }
}

/// What one of several takes of the disk, in bytes, beyond what is there of it.
#[derive(Debug, Clone, Copy)]
struct Needs {
    name: &'static str,
    /// While it is installed, with what is downloaded.
    meanwhile: u64,
    /// Once it is.
    afterwards: u64,
}

impl Engines {
    /// What an installation of an engine takes; `own` is what was noted of the lab's own that is there. Where that has
    /// lost files, and its pip is whole, only their packages are downloaded and written.
    pub(crate) fn room_of(&self, reference: &Reference, own: Option<&Record>) -> Room {
        let installed = own.map_or(reference.installed_bytes, |record| record.bytes);
        let whole = installed.min(reference.installed_bytes) + reference.download_bytes;
        Room { whole, mending: own.and_then(|record| self.mending_bytes(reference, record)) }
    }

    fn mending_bytes(&self, reference: &Reference, record: &Record) -> Option<u64> {
        let damage = self.damage(reference.kind, record)?;
        let is_mended_by_pip = !damage.is_in("pip") && has_pip(&python_of(&self.folder(reference.kind)));
        is_mended_by_pip.then(|| damage::bytes_to_mend(&self.environment(reference.kind), &damage)).flatten()
    }

    /// Sees whether all of these fit onto the disk, before the first of them is begun. Those that are there take
    /// nothing, and those that have lost files what their mending takes; what is downloaded for one of them is gone
    /// before the next one begins. Of a single one its own installation sees to that.
    ///
    /// # Errors
    /// [`EngineError::TogetherTooLarge`]; [`EngineError::Io`] where the disk does not tell.
    pub fn room_for(
        &self,
        engines: &[&Reference],
        libtorch: bool,
        options: &InstallOptions,
    ) -> Result<(), EngineError> {
        let mut all: Vec<Needs> = engines.iter().filter_map(|reference| self.needs_of(reference, options)).collect();
        if libtorch && self.libtorch().is_none() {
            let (afterwards, download) = LIBTORCH_BYTES;
            all.push(self.needs((LIBTORCH, Room::whole(LIBTORCH_UNPACKED_BYTES + download), afterwards), options));
        }
        if all.len() < 2 {
            return Ok(());
        }
        let needed = most_at_once(&all);
        let free = free_bytes(existing(self.root()))?;
        if free >= needed {
            return Ok(());
        }
        let each = all.iter().map(|one| format!("{} {}", one.name, size(one.meanwhile)));
        let each = each.collect::<Vec<_>>().join(", ");
        Err(EngineError::TogetherTooLarge { each, folder: self.root().to_owned(), needed, free })
    }

    /// What an engine needs; `None` where it is there and whole.
    fn needs_of(&self, reference: &Reference, options: &InstallOptions) -> Option<Needs> {
        let kind = reference.kind;
        let own = match self.state(kind) {
            State::Ready(record) if self.damage(kind, &record).is_none() => return None,
            State::Ready(record) | State::Unmended(Mending { record, .. }) => Some(record).filter(|record| record.own),
            _ => None,
        };
        let room = self.room_of(reference, own.as_ref());
        Some(self.needs((kind.as_str(), room, reference.installed_bytes), options))
    }

    /// What is there already, also of an installation that was interrupted, need not be made room for.
    fn needs(&self, (name, room, afterwards): (&'static str, Room, u64), options: &InstallOptions) -> Needs {
        let there = bytes_below(&self.root().join(name));
        let meanwhile = room.beside(there, options);
        // Of a number that somebody has given it is not known what of it stays.
        let afterwards = options.needed_bytes.unwrap_or(afterwards).saturating_sub(there);
        Needs { name, meanwhile, afterwards: afterwards.min(meanwhile) }
    }
}

/// The most bytes that are taken at one moment where these are installed one after the other.
fn most_at_once(all: &[Needs]) -> u64 {
    let mut before = 0_u64;
    let mut most = 0;
    for one in all {
        most = most.max(before.saturating_add(one.meanwhile));
        before = before.saturating_add(one.afterwards);
    }
    most.max(before)
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."))
}

/// Bytes that are free where this folder lies.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64, EngineError> {
    let told = statvfs(folder).map_err(|error| at("measure", folder)(error.into()))?;
    Ok(told.blocks_available() as u64 * told.fragment_size() as u64)
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::EngineKind;

    use super::*;
    use crate::find;

    #[test]
    fn engines_that_fit_one_by_one_and_not_together_are_refused_before_anything_is_begun() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(&folder.path().join("home"))).expect("a place");
        let free = free_bytes(folder.path()).expect("it tells");
        // Others write onto this disk meanwhile; not a tenth of it.
        let options = InstallOptions { needed_bytes: Some(free / 10 * 6), ..InstallOptions::default() };
        let [pytorch, tensorflow] =
            [EngineKind::Pytorch, EngineKind::Tensorflow].map(|kind| find(kind).expect("an entry"));
        engines.room_for(&[pytorch], false, &options).expect("its own installation looks");
        let error = engines.room_for(&[pytorch, tensorflow], false, &options).expect_err("they are too large");
        let EngineError::TogetherTooLarge { each, needed, .. } = &error else { panic!("{error}") };
        assert_eq!(*needed, 2 * (free / 10 * 6));
        assert!(each.starts_with("pytorch ") && each.contains(", tensorflow "), "{each}");
        assert!(engines.room_for(&[tensorflow], true, &options).is_err(), "LibTorch counts with them");
        assert!(!engines.root().exists(), "nothing was begun");
        // What is there of one of them, as a wheel that was downloaded, is no part of what is needed.
        let kept = engines.root().join("pytorch/downloads");
        std::fs::create_dir_all(&kept).expect("a folder");
        let wheel = std::fs::File::create(kept.join("torch.whl")).expect("a file");
        wheel.set_len(free / 10 * 6).expect("a hole");
        engines.room_for(&[pytorch, tensorflow], false, &options).expect("half of it is there");
    }

    #[test]
    fn mending_asks_for_no_more_than_it_takes_nor_than_the_whole_does() {
        let needed = |mending, there, given| {
            Room { whole: 1000, mending }.beside(there, &InstallOptions { needed_bytes: given, ..Default::default() })
        };
        assert_eq!((needed(None, 0, None), needed(None, 700, None), needed(None, 700, Some(2000))), (1000, 300, 1300));
        assert_eq!((needed(Some(5), 700, None), needed(Some(5), 700, Some(2000))), (5, 5));
        assert_eq!((needed(Some(900), 700, None), needed(Some(900), 0, Some(1))), (300, 1));
        let anew = Room { whole: 1000, mending: Some(5) }.anew().beside(700, &InstallOptions::default());
        assert_eq!(anew, 300, "its packages are all downloaded again");
    }

    #[test]
    fn what_is_downloaded_for_one_is_gone_before_the_next_one_begins() {
        let needs = |meanwhile, afterwards| Needs { name: "x", meanwhile, afterwards };
        assert_eq!(most_at_once(&[needs(10, 7), needs(2, 1), needs(10, 7)]), 7 + 1 + 10);
        assert_eq!(most_at_once(&[needs(10, 1), needs(3, 2)]), 10, "the first one needs most");
        assert_eq!(most_at_once(&[needs(0, 4), needs(0, 4)]), 8);
        assert_eq!(most_at_once(&[needs(u64::MAX, u64::MAX), needs(1, 1)]), u64::MAX);
    }
}
