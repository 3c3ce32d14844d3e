//! Files as memory. The one place of this crate with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file.
#[derive(Debug)]
pub(crate) enum FileBytes {
    /// A regular file, mapped.
    Mapped(Mmap),
    /// Nothing to map.
    Empty,
}

impl FileBytes {
    /// Opens and maps a regular file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: to open a pipe is to wait for somebody who writes.
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if metadata.len() == 0 {
            return Ok(Self::Empty);
        }
        let file = File::open(path)?;
        // SAFETY: the map is read-only and private to this crate. Another process that changes the file meanwhile can
        // make the bytes differ between two looks, which every reader of them survives: they are parsed as untrusted
        // input with checked indexing, and text is validated after it is copied. One that shortens the file ends this
        // process by SIGBUS; a run is a process of its own for such cases.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Empty => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(FileBytes::open(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(FileBytes::open(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
