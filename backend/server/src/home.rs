//! The lab's folder: store, secrets, runs, data.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::whole_file;

/// A folder that cannot be the lab's home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nobody says where it is.
    #[error("there is no home folder; name one with --home, or set RECSPEED_HOME")]
    Nowhere,
    /// It cannot be made or written.
    #[error("cannot use {path} as the lab's folder: {cause}; name another with --home")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Another server works there: two would end each other's workers.
    #[error("another recspeed serves from {path} already; end it first, or name another folder with --home")]
    Taken {
        /// The folder.
        path: PathBuf,
    },
}

/// The lab's store, one SQLite file.
pub fn store(root: &Path) -> PathBuf {
    root.join("lab.sqlite3")
}

/// Where the lab at `root` keeps trained models, a folder a run.
pub fn models(root: &Path) -> PathBuf {
    root.join("models")
}

/// MiB that the models of finished runs may take together, unless a server is told otherwise.
pub const MODEL_SPACE: u64 = 20_480;

/// What [`model_space`] reads.
fn model_space_note(root: &Path) -> PathBuf {
    root.join("model-space")
}

/// MiB that the models of the lab at `root` may take together, as its server was last told: the terminal keeps models in the same folder,
/// and must not remove what the server has room for. [`MODEL_SPACE`] where no server has said anything else.
pub fn model_space(root: &Path) -> u64 {
    let noted = fs::read_to_string(model_space_note(root)).ok();
    noted.and_then(|text| text.trim().parse().ok()).unwrap_or(MODEL_SPACE)
}

/// Notes what [`model_space`] gives from now on, in MiB.
///
/// # Errors
/// The disk says no.
pub(crate) fn note_model_space(root: &Path, mib: u64) -> io::Result<()> {
    whole_file::write(&model_space_note(root), format!("{mib}\n").as_bytes())
}

/// Where the lab at `root` keeps the values of each user, a file a run.
pub fn per_user(root: &Path) -> PathBuf {
    root.join("per-user")
}

/// Where the lab at `root` keeps the last report of each study, as `NAME.json`.
pub fn studies(root: &Path) -> PathBuf {
    root.join("studies")
}

/// The lock of whoever changes the last report of a study in this folder of reports.
pub(crate) fn report_lock(studies: &Path, study: &str) -> PathBuf {
    studies.join(format!("{study}.report.lock"))
}

/// The lab's folder, held by this process alone.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    /// The lock lives as long as the file is open.
    _lock: File,
}

impl Home {
    /// Opens or makes the folder: `root`, else `$RECSPEED_HOME`, else `$XDG_DATA_HOME/recspeed`, else
    /// `~/.local/share/recspeed`.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn open(root: Option<PathBuf>) -> Result<Self, HomeError> {
        let root = root.or_else(usual_place).ok_or(HomeError::Nowhere)?;
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |cause| HomeError::Unusable { path, cause }
        };
        for folder in [root.clone(), root.join("runs"), root.join("secrets")] {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(unusable(&folder))?;
        }
        let root = root.canonicalize().map_err(unusable(&root))?;
        let store = store(&root);
        open_private(&store).map_err(unusable(&store))?;
        let path = root.join("serve.lock");
        let lock = open_private(&path).map_err(unusable(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(HomeError::Taken { path: root }),
            Err(TryLockError::Error(cause)) => Err(HomeError::Unusable { path, cause }),
        }
    }

    /// The folder itself, which is also the root of the data home.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite file.
    pub fn store(&self) -> PathBuf {
        store(&self.root)
    }

    /// The file whose space is given up when the disk is full.
    pub fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// A folder a run, for checkpoints.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The secret `name`, made by `fresh` at first use; readable by this user alone.
    ///
    /// # Errors
    /// [`HomeError::Unusable`].
    pub fn secret(&self, name: &str, fresh: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        let path = self.root.join("secrets").join(name);
        read_or_make(&path, fresh).map_err(|cause| HomeError::Unusable { path, cause })
    }
}

/// Opens or makes a file that this user alone may read, also in a folder that others may enter.
fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

fn read_or_make(path: &Path, fresh: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(found) => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(found)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = fresh()?;
            // Written aside and renamed: a server that dies here leaves no half a secret.
            let aside = path.with_extension("new");
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&aside)?;
            file.write_all(&secret)?;
            file.sync_all()?;
            fs::rename(&aside, path)?;
            Ok(secret)
        }
        Err(error) => Err(error),
    }
}

/// The lab's usual folder: `$RECSPEED_HOME`, else `$XDG_DATA_HOME/recspeed`, else `~/.local/share/recspeed`.
pub fn usual_place() -> Option<PathBuf> {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given("RECSPEED_HOME")
        .or_else(|| given("XDG_DATA_HOME").map(|folder| folder.join("recspeed")))
        .or_else(|| given("HOME").map(|folder| folder.join(".local/share/recspeed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_held_by_one_server_and_its_secrets_by_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let home = Home::open(Some(root.clone())).unwrap();
        assert!(matches!(Home::open(Some(root.clone())), Err(HomeError::Taken { .. })));
        let first = home.secret("token", || Ok(b"abc".to_vec())).unwrap();
        let again = home.secret("token", || Ok(b"other".to_vec())).unwrap();
        assert_eq!((first.as_slice(), again.as_slice()), (&b"abc"[..], &b"abc"[..]));
        for file in ["secrets/token", "lab.sqlite3", "serve.lock"] {
            let mode = fs::metadata(root.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        drop(home);
        assert!(Home::open(Some(root)).is_ok());
    }

    #[test]
    fn the_room_for_models_is_what_a_server_was_last_told_and_rubbish_is_nothing_said() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(model_space(folder.path()), MODEL_SPACE);
        for mib in [0, 7] {
            note_model_space(folder.path(), mib).unwrap();
            assert_eq!(model_space(folder.path()), mib);
        }
        fs::write(model_space_note(folder.path()), "plenty").unwrap();
        assert_eq!(model_space(folder.path()), MODEL_SPACE);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Home::open(Some(file.clone())).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()) && error.contains("--home"), "{error}");
    }
}
