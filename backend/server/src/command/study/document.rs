//! A section of a Markdown file that a study writes; everything else in the file is left as it is, also what others write at
//! the same moment.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::StudyError;
use super::named_files::Section;
use super::render::PARTIAL;
use crate::alone::{self, Alone};
use crate::whole_file;

/// Replaces the section by the `text` that is made of what it has, which is empty where there is none, or adds it at the end; makes the file
/// where there is none. Of those who come at once, each reads what the one before it has written. Where it is told why the section stays,
/// it returns that.
///
/// # Errors
/// What the system says of the file, who holds its lock for too long, that the section does not end, or what comes in place of a text: then
/// the file is as it was.
pub(super) fn put(
    path: &Path,
    section: &str,
    text: impl FnOnce(&str) -> Result<Section, StudyError>,
) -> Result<Option<&'static str>, StudyError> {
    let failed = |action, why: String| StudyError::Document { action, path: path.to_owned(), why };
    // A section that another process writes between our reading and our writing would be gone.
    let _alone = held(path).map_err(|error| failed("change", error.to_string()))?;
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", error.to_string())),
    };
    let text = match text(own(&before, section))? {
        Section::Text(text) => text,
        Section::Stays(why) => return Ok(Some(why)),
    };
    let after = replaced(&before, section, &text).ok_or_else(|| failed("change", unending(section)))?;
    whole_file::write(path, after.as_bytes()).map_err(|error| failed("write", error.to_string()))?;
    Ok(None)
}

/// Whether [`put`] can, so that nobody measures for nothing; returns what the section has, which is empty where there is none.
pub(super) fn check(path: &Path, section: &str) -> Result<String, StudyError> {
    let failed = |action, why: String| StudyError::Document { action, path: path.to_owned(), why };
    if section.contains("-->") || section.contains('\n') || section.ends_with(": ") {
        return Err(failed("change", format!("`{section}` is no name of a section; take words without `-->`")));
    }
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return whole_file::try_write(path)
                .map(|()| String::new())
                .map_err(|error| failed("write", error.to_string()));
        }
        Err(error) => return Err(failed("read", error.to_string())),
    };
    replaced(&before, section, "").ok_or_else(|| failed("change", unending(section)))?;
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    opened.and_then(|_| whole_file::try_write(path)).map_err(|error| failed("write", error.to_string()))?;
    Ok(own(&before, section).to_owned())
}

/// The file for this process alone; `None` where nobody can have it so.
pub(super) fn held(path: &Path) -> io::Result<Option<Alone>> {
    let Some(lock) = lock_of(path) else { return Ok(None) };
    Ok(Alone::wait(&lock, alone::PATIENCE)?.map(Alone::keeping_folder))
}

/// Beside the file itself, whichever link somebody has named: whatever lab writes into it finds the same lock. `None` of a
/// device or a pipe, beside which nothing of ours may lie.
fn lock_of(path: &Path) -> Option<PathBuf> {
    if whole_file::is_stream(path) {
        return None;
    }
    let path = whole_file::behind_links(path);
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(".lock");
    Some(path.with_file_name(name))
}

fn unending(section: &str) -> String {
    format!("its section `{section}` begins and does not end")
}

fn marks(section: &str) -> (String, String) {
    (format!("<!-- study {section} -->\n"), format!("<!-- end of study {section} -->\n"))
}

/// What the section has; nothing where there is none.
fn own<'a>(before: &'a str, section: &str) -> &'a str {
    let (begin, end) = marks(section);
    let own = before.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
    own.map_or("", |(own, _)| own.trim())
}

/// Whether a section that has this has a report, and one that is whole.
pub(super) fn is_whole(own: &str) -> bool {
    !own.is_empty() && !own.contains(PARTIAL)
}

fn replaced(before: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = marks(section);
    let whole = format!("{begin}{}\n{end}", text.trim_end());
    let Some((head, rest)) = before.split_once(&begin) else {
        let gap = if before.is_empty() { "" } else { "\n" };
        return Some(format!("{before}{gap}{whole}"));
    };
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{whole}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts this there, whatever the section has.
    fn put_text(path: &Path, section: &str, text: &str) -> Result<Option<&'static str>, StudyError> {
        put(path, section, |_| Ok(Section::Text(text.to_owned())))
    }

    #[test]
    fn a_section_is_replaced_and_its_neighbours_stay() {
        let one = replaced("# Studies\n", "a", "first").expect("added");
        let two = replaced(&one, "b", "second").expect("added");
        let three = replaced(&two, "a", "again\n\n").expect("replaced");
        assert!(three.starts_with("# Studies\n") && three.contains("again") && three.contains("second"), "{three}");
        assert!(!three.contains("first"));
        assert_eq!(replaced(&three, "a", "again").as_deref(), Some(three.as_str()));
        assert_eq!(replaced("<!-- study a -->\nno end", "a", "x"), None);
    }

    #[test]
    fn who_reads_the_document_meanwhile_reads_all_of_the_old_one() {
        use std::io::Read as _;

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studies.md");
        std::fs::write(&path, "what others wrote\n").expect("written");
        let mut reader = std::fs::File::open(&path).expect("readable");
        put_text(&path, "a", "first").expect("a document");
        let mut read = String::new();
        reader.read_to_string(&mut read).expect("readable");
        assert_eq!(read, "what others wrote\n");
        assert!(std::fs::read_to_string(&path).expect("readable").contains("first"));
    }

    #[test]
    fn of_studies_that_write_at_once_none_loses_its_section() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studies.md");
        std::fs::write(&path, "what others wrote\n").expect("written");
        // One of them names the document by a link.
        let link = folder.path().join("link.md");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = if writer == 0 { &link } else { &path };
                scope.spawn(move || {
                    for section in 0..10 {
                        let name = format!("{writer}-{section}");
                        put_text(path, &name, &format!("text of {name}")).expect("a document");
                    }
                });
            }
        });
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("what others wrote\n"), "{text}");
        for (writer, section) in (0..4).flat_map(|writer| (0..10).map(move |section| (writer, section))) {
            let name = format!("{writer}-{section}");
            assert!(text.contains(&format!("text of {name}\n")), "{name} is gone: {text}");
        }
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 2, "document and link: no lock is left behind");
    }

    #[test]
    fn a_text_is_made_of_what_the_section_has_and_nothing_is_changed_where_that_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studies.md");
        let and = |more: &str| {
            put(&path, "a", |own| Ok(Section::Text(format!("{own}{more}")))).expect("a document");
            std::fs::read_to_string(&path).expect("a document")
        };
        assert!(and("one").contains("\none\n"));
        let two = and(", two");
        assert!(two.contains("\none, two\n"), "{two}");
        let stays = put(&path, "a", |_| Ok(Section::Stays("is whole"))).expect("a document");
        assert_eq!(stays, Some("is whole"));
        let refuse = |_: &str| Err(StudyError::NotRecorded { name: "a" });
        assert!(put(&path, "a", refuse).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("a document"), two);
        assert_eq!(check(&path, "a").expect("a document"), "one, two");
        assert!(is_whole("one") && !is_whole("") && !is_whole(&format!("{PARTIAL} one")));
    }

    #[test]
    fn a_document_that_cannot_take_the_section_is_found_before_anything_is_measured() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studies.md");
        assert!(check(&path, "a").is_ok() && !path.exists(), "a new one is made later");
        std::fs::write(&path, "<!-- study a -->\nno end").expect("written");
        let said = check(&path, "a").unwrap_err().to_string();
        assert!(said.contains("begins and does not end"), "{said}");
        assert!(check(&path, "b").is_ok());
        for section in ["b: x --> <!-- y", "b: "] {
            assert!(check(&path, section).unwrap_err().to_string().contains("no name of a section"));
        }
        assert!(check(&folder.path().join("no/such.md"), "a").is_err());
        assert!(check(folder.path(), "a").is_err(), "a folder");
    }
}
