//! A section of a Markdown file that a study writes; everything else in the file is left as it is.

use std::path::Path;

use super::StudyError;

/// Replaces the section, or adds it at the end; makes the file where there is none.
pub(super) fn put(path: &Path, section: &str, text: &str) -> Result<(), StudyError> {
    let failed = |action, why: String| StudyError::Document { action, path: path.to_owned(), why };
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", error.to_string())),
    };
    let after = replaced(&before, section, text)
        .ok_or_else(|| failed("change", format!("its section `{section}` begins and does not end")))?;
    std::fs::write(path, after).map_err(|error| failed("write", error.to_string()))
}

fn replaced(before: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- study {section} -->\n"), format!("<!-- end of study {section} -->\n"));
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
}
