//! Places on the owner's machine, which are nobody else's business.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a guest reads where a path stands.
const HIDDEN: &str = "[path]";

/// Takes the paths of this machine out of what a guest is told. A path is known by its looks: it begins with `/` or
/// `~/` where a word may begin, and ends at the quotation mark that it began behind, or else at a blank or a bracket.
/// Folders that are named beforehand are known whole, whatever their names hold.
#[derive(Debug, Clone)]
pub struct Places {
    /// The longest first.
    folders: Vec<String>,
}

impl Places {
    /// Knows these folders and the home folder of whoever runs the server. One at the root of the system has a name
    /// that may be a word of any text, and is known by its looks alone.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let named = folders.into_iter().map(Path::to_owned).chain(home);
        let deep = named.filter(|folder| folder.is_absolute() && folder.components().count() > 2);
        let mut folders: Vec<String> =
            deep.map(|folder| folder.display().to_string().trim_end_matches('/').to_owned()).collect();
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        Self { folders }
    }

    /// The text with `[path]` for each path.
    pub fn hide(&self, text: &str) -> String {
        let (mut told, mut rest, mut before) = (String::with_capacity(text.len()), text, None);
        // Every path begins with one of these, so what stands in between is passed over at once.
        while let Some(at) = rest.find(['/', '~']) {
            let (plain, from_here) = rest.split_at(at);
            before = plain.chars().next_back().or(before);
            let path = self.path(from_here, before);
            let (passed, left) = from_here.split_at(path.unwrap_or(1));
            told.push_str(plain);
            told.push_str(if path.is_some() { HIDDEN } else { passed });
            before = passed.chars().next_back();
            rest = left;
        }
        told.push_str(rest);
        told
    }

    /// The same of every text of an answer that serde_json wrote out. All else stays as it is, to the byte: numbers,
    /// order, the names of fields. Where there is no slash there is no path, and nothing is read at all.
    pub fn hide_in_json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if !json.contains('/') {
            return Cow::Borrowed(json);
        }
        let (mut told, mut rest) = (String::with_capacity(json.len()), json);
        while let Some(at) = rest.find('"') {
            let (between, from_here) = rest.split_at(at);
            let (text, left) = from_here.split_at(bytes_of_text(from_here));
            told.push_str(between);
            let names_a_field = left.trim_start().starts_with(':');
            if names_a_field || !text.contains('/') {
                told.push_str(text);
            } else {
                // What is no JSON is no text of ours; it is hidden in all the same.
                let said: Cow<'_, str> = serde_json::from_str::<String>(text).map_or(Cow::Borrowed(text), Cow::Owned);
                told.push_str(&Value::String(self.hide(&said)).to_string());
            }
            rest = left;
        }
        told.push_str(rest);
        Cow::Owned(told)
    }

    /// Bytes of the path that the text begins with, `before` being the letter in front; `None` where it begins with none.
    fn path(&self, text: &str, before: Option<char>) -> Option<usize> {
        let folder = self.folders.iter().find(|folder| text.starts_with(folder.as_str())).map(String::len);
        let sure = match folder {
            Some(bytes) => bytes,
            None if looks_like_one(text, before) => 1,
            None => return None,
        };
        let rest = text.get(sure..)?;
        let quoted = before.and_then(closing).and_then(|mark| rest.find(mark));
        let end = quoted.or_else(|| rest.find(ends)).unwrap_or(rest.len());
        // A full stop is the sentence's.
        let own = rest.get(..end)?.trim_end_matches('.');
        Some(sure + own.len())
    }
}

/// Bytes of the text in quotation marks that JSON begins with.
fn bytes_of_text(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    // The position is counted behind the first mark, and the last one belongs to the text.
    end.map_or(json.len(), |at| at + 2)
}

/// Whether a text begins with a path: not so `GB/s`, `./here` and the address of a page.
fn looks_like_one(text: &str, before: Option<char>) -> bool {
    if before.is_some_and(|letter| letter.is_alphanumeric() || "_-./%~".contains(letter)) {
        return false;
    }
    let path = text.strip_prefix('~').unwrap_or(text);
    let name = path.trim_start_matches('/');
    let slashes = path.len() - name.len();
    let of_a_page = slashes == 2 && before == Some(':');
    let named = name.starts_with(|letter: char| letter.is_alphanumeric() || "_.-+@".contains(letter));
    slashes > 0 && named && !of_a_page
}

/// The mark that ends what this one begins.
fn closing(mark: char) -> Option<char> {
    match mark {
        '"' | '\'' | '`' => Some(mark),
        '“' => Some('”'),
        '‘' => Some('’'),
        _ => None,
    }
}

/// Whether a path ends in front of this letter, where no quotation mark ends it.
fn ends(letter: char) -> bool {
    letter.is_whitespace() || "\"'`“”‘’,;:()[]{}<>|".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        Places::of([Path::new("/srv/the lab/home/"), Path::new("/data")]).hide(text)
    }

    #[test]
    fn a_path_is_hidden_wherever_it_stands() {
        for (text, told) in [
            ("/srv/x", "[path]"),
            (
                "the worker /opt/a/recspeed-worker does not say what it can do: no",
                "the worker [path] does not say what it can do: no",
            ),
            ("It is gone: /home/x/.local/share/recspeed/engines/pytorch/bin/python.", "It is gone: [path]."),
            (
                "recspeed study four-layer --tab /home/x/tab.mjs --repeats 3",
                "recspeed study four-layer --tab [path] --repeats 3",
            ),
            ("--tab=~/tab.mjs", "--tab=[path]"),
            ("File \"/home/x/my files/a.py\", line 3", "File \"[path]\", line 3"),
            ("can't open '/home/x/a' (it is a folder)", "can't open '[path]' (it is a folder)"),
            ("`/home/x/a.json` cannot be read", "`[path]` cannot be read"),
            ("“/home/x/my a”", "“[path]”"),
            ("PATH=/a/bin:/b/bin", "PATH=[path]:[path]"),
            ("at file:///home/x/a.mjs:3:7", "at file:[path]:3:7"),
            ("(/tmp/a(1)/b)", "([path](1)[path])"),
            ("/srv/the lab/home/engines/x: gone", "[path]: gone"),
            ("-L/srv/the lab/home/lib", "-L[path]"),
            ("ä/srv/the lab/home", "ä[path]"),
            ("/DATEN/größe.csv fehlt", "[path] fehlt"),
        ] {
            assert_eq!(hidden(text), told, "{text}");
        }
    }

    #[test]
    fn what_is_no_path_stays() {
        for text in [
            "",
            "8.0 GB/s, 3 / 4 and 1/2",
            "Read https://example.com/a/b and http://127.0.0.1:8080/studies.",
            "make studies-tab; ./run and ../run",
            "and/or, ~5 s, a~b, metadata/data",
            "größer als 5 µs — “Burn”",
            "/",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn every_text_of_an_answer_is_looked_through_and_all_else_stays_to_the_byte() {
        for (answer, told) in [
            (
                r#"{"z":["/x/y",{"b":"in /x/y"}],"n":0.10000000000000001,"t":true,"a":null}"#,
                r#"{"z":["[path]",{"b":"in [path]"}],"n":0.10000000000000001,"t":true,"a":null}"#,
            ),
            // Escapes are undone before a path is looked for, and made again.
            (r#"["say \"/x/my y\"","\n/x/y\n","a\\","/x/y"]"#, r#"["say \"[path]\"","\n[path]\n","a\\","[path]"]"#),
            (r#"["größe /x/größe", "µs"]"#, r#"["größe [path]", "µs"]"#),
            // Names of fields are the answer's form.
            (r#"{"/x/y":1,"/z" : "/x/y"}"#, r#"{"/x/y":1,"/z" : "[path]"}"#),
            (
                "id: 7\ndata: {\"event\":{\"message\":\"/x/y\"}}\n\n",
                "id: 7\ndata: {\"event\":{\"message\":\"[path]\"}}\n\n",
            ),
            (r#"["GB/s", "3 / 4"]"#, r#"["GB/s", "3 / 4"]"#),
        ] {
            assert_eq!(Places::of([]).hide_in_json(answer), told);
        }
        let without = r#"{"kind":"metric","value":0.5}"#;
        assert!(matches!(Places::of([]).hide_in_json(without), Cow::Borrowed(text) if text == without));
    }

    #[test]
    fn json_that_breaks_off_shows_no_path_either() {
        for broken in [r#"{"a":"/x/y"#, r#"["/x/y\"#, "\"/x/y\n\""] {
            let told = Places::of([]).hide_in_json(broken).into_owned();
            assert!(!told.contains("/x"), "{broken}: {told}");
        }
    }
}
