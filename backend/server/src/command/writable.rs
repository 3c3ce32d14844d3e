//! Files and folders that a command is going to write, tried before its work: what would be found after an hour of training is
//! told at once.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use recspeed_plan::timeline::TRACE_HEAD;

/// A place that cannot be written, or that holds what is not to be lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    /// The system refuses it.
    #[error(
        "{flag} names {}, which cannot be written: {}; give {flag} another {what}",
        path.display(),
        plain(what, source)
    )]
    Refused {
        /// What named it, as `--model`.
        flag: &'static str,
        /// The place.
        path: PathBuf,
        /// `file` or `folder`.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A lone dash, which elsewhere is standard input or output.
    #[error(
        "{flag} is -, which names no {what} here; give {flag} the name of a {what}, as ./- for one that is called so"
    )]
    Dash {
        /// What named it, as `--to`.
        flag: &'static str,
        /// `file` or `folder`.
        what: &'static str,
    },
    /// A file stands where a new one is to be.
    #[error(
        "{flag} names {}, which is there already and is not replaced; give {flag} another name, or remove that file first",
        path.display()
    )]
    Taken {
        /// What named it, as `--to`.
        flag: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file stands where a timeline is to be, and is none of this lab's.
    #[error(
        "{flag} names {}, which is there already and is no timeline that this lab wrote; give {flag} another name, or remove that file \
         first",
        path.display()
    )]
    NoTrace {
        /// What named it, as `--trace`.
        flag: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// The cause without the operating system's error number.
pub(super) fn plain(what: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if what == "folder" => "no folder can be made there".into(),
        io::ErrorKind::NotFound => "its folder is not there".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "a file stands where a folder must be".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only".into(),
        io::ErrorKind::InvalidFilename => "its name is too long, or none that a file can have there".into(),
        _ => without_number(error),
    }
}

/// As the operating system says it, without the number that the standard library puts behind, and without the path of a
/// file aside that some put behind that.
fn without_number(error: &io::Error) -> String {
    let mut told = error.to_string();
    if let Some(at) = told.find(" (os error ") {
        told.truncate(at);
    }
    told
}

/// What helps where a file was not written to its end; `otherwise` where that is not that its reader went away.
pub(super) fn remedy(error: &io::Error, otherwise: &'static str) -> &'static str {
    if innermost(error) == io::ErrorKind::BrokenPipe {
        "what read it went away before its end: let it read all of it, or name a file"
    } else {
        otherwise
    }
}

/// What the system said: Parquet and Arrow hand that on inside errors of their own.
fn innermost(error: &io::Error) -> io::ErrorKind {
    let mut below: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(cause) = below {
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            return innermost(found);
        }
        below = cause.source();
    }
    error.kind()
}

/// Whether a path is a lone dash, by which some arguments mean standard input or output.
pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn refuse_dash(flag: &'static str, path: &Path, what: &'static str) -> Result<(), Unwritable> {
    if is_dash(path) { Err(Unwritable::Dash { flag, what }) } else { Ok(()) }
}

/// Whether files can be written into a folder, which is made where it is missing. Nothing stays behind: what was made to see it is
/// removed again.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn folder(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    refuse_dash(flag, path, "folder")?;
    let missing = |folder: &&Path| !folder.as_os_str().is_empty() && fs::symlink_metadata(folder).is_err();
    // The innermost first, as they can be removed.
    let made: Vec<&Path> = path.ancestors().take_while(missing).collect();
    let tried = fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path)).map(drop);
    for folder in made {
        // One that somebody else has put something into meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    tried.map_err(|source| Unwritable::Refused { flag, path: path.to_owned(), what: "folder", source })
}

/// Whether a new file can be written, which is made aside and then takes its name. What is there stays; a device or a pipe holds nothing
/// that could be lost.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn new_file(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    refuse_dash(flag, path, "file")?;
    if path.is_file() || leads_nowhere(path) {
        return Err(Unwritable::Taken { flag, path: path.to_owned() });
    }
    file(flag, path)
}

/// Whether a timeline can be written: into a new or an empty file, or in place of an earlier timeline of this lab.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn trace(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    refuse_dash(flag, path, "file")?;
    file(flag, path)?;
    if (path.is_file() && !is_trace(path)) || leads_nowhere(path) {
        return Err(Unwritable::NoTrace { flag, path: path.to_owned() });
    }
    Ok(())
}

/// A link that leads nowhere is there, too: what takes its place takes the link away.
fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// Whether a file is empty or begins as every timeline of this lab does: other programs write the same format. One that cannot be read
/// counts as neither.
fn is_trace(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TRACE_HEAD.len() as u64).read_to_end(&mut head));
    read.is_ok() && (head.is_empty() || head == TRACE_HEAD.as_bytes())
}

/// Whether a file can be made and take the place of what is there, which can be written. A device or a pipe is not touched: it would hear
/// of it.
fn file(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    // What a link leads to is replaced, in the folder in which that lies.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let aside = || tempfile::tempfile_in(folder_of(&place)).map(drop);
    let tried = if path.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else if path.is_file() {
        OpenOptions::new().write(true).open(path).and_then(|_| aside())
    } else if path.exists() {
        Ok(())
    } else {
        aside()
    };
    tried.map_err(|source| Unwritable::Refused { flag, path: path.to_owned(), what: "file", source })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_folder_that_can_be_made_is_not_there_afterwards_and_one_that_cannot_is_named_with_its_flag() {
        let dir = tempfile::tempdir().unwrap();
        folder("--model", &dir.path().join("a/b/c")).unwrap();
        folder("--model", dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "trying leaves nothing behind");
        let taken = dir.path().join("taken");
        fs::write(&taken, "important").unwrap();
        for place in [taken.clone(), taken.join("below")] {
            let message = folder("--checkpoint-dir", &place).unwrap_err().to_string();
            assert!(message.contains("a file stands where a folder must be"), "{message}");
            assert!(message.starts_with(&format!("--checkpoint-dir names {}, ", place.display())), "{message}");
            assert!(message.ends_with("give --checkpoint-dir another folder"), "{message}");
        }
        assert_eq!(fs::read_to_string(&taken).unwrap(), "important");
        if Path::new("/proc/self").exists() {
            let message = folder("--model", Path::new("/proc/x/y")).unwrap_err().to_string();
            assert!(message.contains("/proc/x/y, which cannot be written: no folder can be made there"), "{message}");
        }
    }

    #[test]
    fn no_cause_tells_the_number_of_the_system() {
        let dir = tempfile::tempdir().unwrap();
        let (long, wound) = (dir.path().join("a".repeat(5000)), dir.path().join("wound"));
        std::os::unix::fs::symlink(&wound, &wound).unwrap();
        for message in [
            folder("--model", &long).unwrap_err().to_string(),
            new_file("--out", &long.join("new.json")).unwrap_err().to_string(),
            folder("--model", &wound.join("below")).unwrap_err().to_string(),
            new_file("--out", &wound.join("new.json")).unwrap_err().to_string(),
        ] {
            assert!(message.contains("which cannot be written: ") && !message.contains("os error"), "{message}");
        }
        // Those that have no words of this lab.
        for number in 1..134 {
            let (error, other) = (io::Error::from_raw_os_error(number), io::Error::other("a cause of its own"));
            assert!(!plain("file", &error).contains("os error"), "{error}: {}", plain("file", &error));
            assert_eq!(plain("file", &other), "a cause of its own");
        }
    }

    #[test]
    fn a_file_is_tried_without_a_change_to_it_and_a_device_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for tried in [new_file, trace] {
            tried("--out", &dir.path().join("new.json")).unwrap();
            tried("--out", Path::new("/dev/null")).unwrap();
            let message = tried("--out", dir.path()).unwrap_err().to_string();
            assert!(message.ends_with("it is a folder; give --out another file"), "{message}");
            let message = tried("--out", &dir.path().join("no/such.json")).unwrap_err().to_string();
            assert!(message.contains("its folder is not there"), "{message}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "trying leaves nothing behind");
    }

    #[test]
    fn what_is_there_is_refused_with_its_name_but_for_an_earlier_timeline_in_place_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let [spec, earlier, empty, link] =
            ["spec.json", "trace.json", "empty", "link"].map(|name| dir.path().join(name));
        let timeline = recspeed_plan::timeline::chrome_trace(&[], &[], &[], None);
        fs::write(&spec, "{\"version\": 1}").unwrap();
        fs::write(&earlier, &timeline).unwrap();
        fs::write(&empty, "").unwrap();
        for path in [&spec, &earlier, &empty] {
            let message = new_file("--to", path).unwrap_err().to_string();
            let due = "which is there already and is not replaced; give --to another name, or remove that file first";
            assert_eq!(message, format!("--to names {}, {due}", path.display()));
        }
        std::os::unix::fs::symlink(dir.path().join("gone"), &link).unwrap();
        assert!(matches!(new_file("--to", &link), Err(Unwritable::Taken { .. })));
        trace("--trace", &earlier).unwrap();
        trace("--trace", &empty).unwrap();
        assert!(matches!(trace("--trace", &link), Err(Unwritable::NoTrace { .. })));
        let message = trace("--trace", &spec).unwrap_err().to_string();
        let due = format!("--trace names {}, which is there already and is no timeline", spec.display());
        assert!(message.starts_with(&due) && message.contains("give --trace another name, or remove"), "{message}");
        assert_eq!(fs::read_to_string(&spec).unwrap(), "{\"version\": 1}");
        assert_eq!(fs::read_to_string(&earlier).unwrap(), timeline);
    }

    #[test]
    fn a_lone_dash_names_no_file_and_no_folder() {
        type Try = fn(&'static str, &Path) -> Result<(), Unwritable>;
        let all: [(Try, &str); 3] = [(new_file, "file"), (trace, "file"), (folder, "folder")];
        for (tried, what) in all {
            let message = tried("--to", Path::new("-")).unwrap_err().to_string();
            let due =
                format!("--to is -, which names no {what} here; give --to the name of a {what}, as ./- for one that");
            assert!(message.starts_with(&due), "{message}");
        }
        assert!(!Path::new("-").exists(), "trying makes nothing");
    }

    #[test]
    fn whoever_stops_reading_is_no_full_disk() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        // As Parquet and Arrow hand it on: inside an error of their own.
        for error in [broken(), io::Error::other(broken()), io::Error::other(io::Error::other(broken()))] {
            let told = remedy(&error, "make room");
            assert!(told.starts_with("what read it went away before its end"), "{told}");
        }
        assert_eq!(remedy(&io::Error::from(io::ErrorKind::StorageFull), "make room"), "make room");
    }

    #[test]
    fn the_timeline_of_another_program_is_no_earlier_one_of_this_lab() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("torch.json");
        let ours = recspeed_plan::timeline::chrome_trace(&[], &[], &[], None);
        // As PyTorch's profiler writes them, as Chrome does, and as this lab did before it signed them.
        let torch = r#"{"schemaVersion": 1, "deviceProperties": [], "displayTimeUnit": "ms", "traceEvents": []}"#;
        let chrome = r#"{"traceEvents":[],"metadata":{"command_line":"recspeed"}}"#;
        let unsigned = ours.replace(r#""otherData":{"writer":"recspeed"},"#, "");
        for other in [torch, chrome, unsigned.as_str(), &ours[..20]] {
            fs::write(&path, other).unwrap();
            let message = trace("--trace", &path).unwrap_err().to_string();
            assert!(message.contains("is no timeline that this lab wrote; give --trace another name"), "{message}");
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        fs::write(&path, &ours).unwrap();
        trace("--trace", &path).unwrap();
    }

    #[test]
    fn a_timeline_is_replaced_behind_a_link_whose_own_folder_nobody_can_write() {
        if !Path::new("/proc/self/fd").exists() {
            eprintln!("skipped: this system has no /proc/self/fd");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let earlier = dir.path().join("trace.json");
        fs::write(&earlier, recspeed_plan::timeline::chrome_trace(&[], &[], &[], None)).unwrap();
        let open = File::open(&earlier).unwrap();
        let link = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        trace("--trace", &link).unwrap();
        crate::whole_file::write(&link, b"a later one").unwrap();
        assert_eq!(fs::read_to_string(&earlier).unwrap(), "a later one");
    }
}
