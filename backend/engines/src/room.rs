//! Room on the disk for several engines at once: one after the other each might fit, and all of them not.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::catalogue::Reference;
use crate::engines::{Engines, State};
use crate::error::{EngineError, at};
use crate::install::InstallOptions;
use crate::libtorch::{LIBTORCH, LIBTORCH_BYTES, LIBTORCH_UNPACKED_BYTES};
use crate::process::bytes_below;

/// What one of them takes of the disk, in bytes, beyond what is there of it.
#[derive(Debug, Clone, Copy)]
struct Needs {
    name: &'static str,
    /// While it is installed, with what is downloaded.
    meanwhile: u64,
    /// Once it is.
    afterwards: u64,
}

impl Engines {
    /// Sees whether all of these fit onto the disk, before the first of them is begun. Those that are there take nothing; what is
    /// downloaded for one of them is gone before the next one begins. Of a single one its own installation sees to that.
    ///
    /// # Errors
    /// [`EngineError::TogetherTooLarge`]; [`EngineError::Io`] where the disk does not tell.
    pub fn room_for(
        &self,
        engines: &[&Reference],
        libtorch: bool,
        options: &InstallOptions,
    ) -> Result<(), EngineError> {
        let missing = engines.iter().filter(|reference| !matches!(self.state(reference.kind), State::Ready(_)));
        let of_engine = |reference: &&Reference| {
            let meanwhile = reference.installed_bytes + reference.download_bytes;
            self.needs((reference.kind.as_str(), meanwhile, reference.installed_bytes), options)
        };
        let mut all: Vec<Needs> = missing.map(of_engine).collect();
        if libtorch && self.libtorch().is_none() {
            let (afterwards, download) = LIBTORCH_BYTES;
            all.push(self.needs((LIBTORCH, LIBTORCH_UNPACKED_BYTES + download, afterwards), options));
        }
        if all.len() < 2 {
            return Ok(());
        }
        let needed = most_at_once(&all);
        let free = free_bytes(existing(self.root()))?;
        if free >= needed {
            return Ok(());
        }
        let each = all.iter().map(|one| format!("{} {:.1} GB", one.name, one.meanwhile as f64 / 1e9));
        let each = each.collect::<Vec<_>>().join(", ");
        Err(EngineError::TogetherTooLarge { each, folder: self.root().to_owned(), needed, free })
    }

    /// What is there already, also of an installation that was interrupted, need not be made room for.
    fn needs(&self, (name, meanwhile, afterwards): (&'static str, u64, u64), options: &InstallOptions) -> Needs {
        let there = bytes_below(&self.root().join(name));
        // Of a number that somebody has given it is not known what of it stays.
        let [meanwhile, afterwards] = options.needed_bytes.map_or([meanwhile, afterwards], |given| [given; 2]);
        Needs { name, meanwhile: meanwhile.saturating_sub(there), afterwards: afterwards.saturating_sub(there) }
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
    fn what_is_downloaded_for_one_is_gone_before_the_next_one_begins() {
        let needs = |meanwhile, afterwards| Needs { name: "x", meanwhile, afterwards };
        assert_eq!(most_at_once(&[needs(10, 7), needs(2, 1), needs(10, 7)]), 7 + 1 + 10);
        assert_eq!(most_at_once(&[needs(10, 1), needs(3, 2)]), 10, "the first one needs most");
        assert_eq!(most_at_once(&[needs(0, 4), needs(0, 4)]), 8);
        assert_eq!(most_at_once(&[needs(u64::MAX, u64::MAX), needs(1, 1)]), u64::MAX);
    }
}
