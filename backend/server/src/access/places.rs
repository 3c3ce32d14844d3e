//! Places on the owner's machine, which are nobody else's business.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a guest reads where a path stands.
const HIDDEN: &str = "[path]";

/// Fields of a spec whose value is the name of a file, as `dataset.path`.
const NAMING_FILES: [&str; 3] = ["path", "items", "users"];

/// What the names of files end in that a lab deals with: such a word behind a blank is the end of a path.
const ENDINGS: [&str; 22] = [
    "csv",
    "tsv",
    "txt",
    "dat",
    "data",
    "inter",
    "item",
    "user",
    "json",
    "jsonl",
    "toml",
    "gz",
    "zip",
    "npy",
    "npz",
    "parquet",
    "log",
    "pt",
    "safetensors",
    "py",
    "so",
    "mjs",
];

/// Takes the paths of this machine out of what a guest is told. A path is known by its looks: it begins with `/` or
/// `~/` where a word may begin, and ends at the quotation mark that it began behind, or else at a bracket or a blank,
/// unless a later part of the same clause looks like the rest of it. Folders that are named beforehand, and the files
/// that the answer's own specs name, are known whole, whatever their names hold.
#[derive(Debug, Clone)]
pub struct Places {
    /// The longest first.
    folders: Vec<String>,
}

impl Places {
    /// Knows these folders and the home folder of whoever runs the server. One at the root of the system has a name
    /// that may be a word of any text, and is known by its looks alone, unless it has a blank in it.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let named = folders.into_iter().map(Path::to_owned).chain(home).filter(|folder| folder.is_absolute());
        Self::known(named.map(|folder| folder.display().to_string()))
    }

    fn known(names: impl Iterator<Item = String>) -> Self {
        let trimmed = names.map(|name| name.trim().trim_end_matches('/').to_owned());
        let mut folders: Vec<String> = trimmed.filter(|name| is_telling(name)).collect();
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        Self { folders }
    }

    /// Knows the files, too, that the specs in this JSON name.
    pub fn with_those_in(&self, json: &str) -> Cow<'_, Self> {
        let named = |Text { written: text, field, .. }: Text<'_>| {
            field.filter(|field| names_a_file(field))?;
            Some(said(text).into_owned()).filter(|said| begins_at_a_root(said))
        };
        let own: Vec<String> = Texts::of(json).filter_map(named).collect();
        if own.is_empty() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self::known(self.folders.iter().cloned().chain(own)))
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
    /// order, the names of fields. Where there is no slash there is no path, and nothing is read at all. What a spec
    /// gives as the name of a file is hidden whole.
    pub fn hide_in_json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if !may_hold_one(json) {
            return Cow::Borrowed(json);
        }
        let places = self.with_those_in(json);
        let (mut told, mut texts) = (String::with_capacity(json.len()), Texts::of(json));
        for Text { between, written: text, field } in texts.by_ref() {
            told.push_str(between);
            match field {
                Some(field) if may_hold_one(text) => {
                    let said = said(text);
                    let is_one = names_a_file(field) && begins_at_a_root(&said);
                    let shown = if is_one { HIDDEN.to_owned() } else { places.hide(&said) };
                    told.push_str(&Value::String(shown).to_string());
                }
                _ => told.push_str(text),
            }
        }
        told.push_str(texts.rest);
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
        let end = quoted.unwrap_or_else(|| bytes_unquoted(rest));
        // A full stop is the sentence's.
        let own = rest.get(..end)?.trim_end_matches('.');
        Some(sure + own.len())
    }
}

/// A text of JSON, in its quotation marks.
struct Text<'a> {
    /// What stands in front of it, behind the one before.
    between: &'a str,
    written: &'a str,
    /// The field that it is the value of, in its marks, or is in the value of; `None` where it names a field itself.
    field: Option<&'a str>,
}

/// The texts of JSON, one after the other.
struct Texts<'a> {
    /// What was not read yet.
    rest: &'a str,
    field: &'a str,
}

impl<'a> Texts<'a> {
    const fn of(json: &'a str) -> Self {
        Self { rest: json, field: "" }
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        let (between, from_here) = self.rest.split_at(self.rest.find('"')?);
        let (text, left) = from_here.split_at(bytes_of_text(from_here));
        self.rest = left;
        if left.trim_start().starts_with(':') {
            self.field = text;
            return Some(Text { between, written: text, field: None });
        }
        Some(Text { between, written: text, field: Some(self.field) })
    }
}

/// What a text of JSON says. What is no JSON is no text of ours; it is looked through all the same.
fn said(text: &str) -> Cow<'_, str> {
    serde_json::from_str::<String>(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Whether a path may stand in this JSON: one of a drive has its backslashes written twice.
fn may_hold_one(json: &str) -> bool {
    json.contains('/') || json.contains(":\\\\")
}

/// Whether the value of this field, which is in its marks, is the name of a file.
fn names_a_file(field: &str) -> bool {
    NAMING_FILES.contains(&field.trim_matches('"'))
}

/// Whether a name begins at a root: of the system, of somebody's home or of a drive.
fn begins_at_a_root(name: &str) -> bool {
    let mut letters = name.chars();
    let of_a_drive = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), Some('/' | '\\'));
    name.starts_with('/') || name.starts_with("~/") || of_a_drive
}

/// Whether the name of a place is no word of any text.
fn is_telling(name: &str) -> bool {
    Path::new(name).components().count() > 2 || name.contains(char::is_whitespace)
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
    if before == Some('<') && is_end_of_an_element(text) {
        return false;
    }
    let path = text.strip_prefix('~').unwrap_or(text);
    let name = path.trim_start_matches('/');
    let slashes = path.len() - name.len();
    let of_a_page = slashes == 2 && before == Some(':');
    let named = name.starts_with(|letter: char| letter.is_alphanumeric() || "_.-+@".contains(letter));
    slashes > 0 && named && !of_a_page
}

/// Whether a text goes on like `</script>` behind its `<`.
fn is_end_of_an_element(text: &str) -> bool {
    let name = text.trim_start_matches('/');
    name.trim_start_matches(char::is_alphanumeric).starts_with('>')
}

/// Bytes of what a path that stands in no quotation marks has in this text. Folders may have blanks in their names: so
/// it goes on to the last word of the clause that looks like a part of it. What is hidden too much is only not told.
fn bytes_unquoted(text: &str) -> usize {
    let first = text.find(ends).unwrap_or(text.len());
    let (_, behind) = text.split_at(first);
    if !behind.starts_with(' ') {
        return first;
    }
    let (clause, _) = behind.split_at(behind.find(ends_a_clause).unwrap_or(behind.len()));
    let (mut end, mut at, mut before) = (first, first, "");
    for part in clause.split_inclusive(' ') {
        let word = part.trim_end_matches(' ');
        let bare = word.trim_start_matches(['(', '[']);
        // An option, the address of a page, another path: whatever follows is no part of this one.
        if word.starts_with("--") || word.contains("://") || looks_like_one(bare, None) {
            break;
        }
        let own = word.trim_end_matches(|letter: char| letter == '.' || ends(letter));
        if goes_on(own, before) {
            end = at + own.len();
        }
        if word.ends_with([',', ':']) {
            break;
        }
        at += part.len();
        before = word;
    }
    end
}

/// Whether a word behind a blank is a part of the path in front: not so a rate, as `GB/s` behind a number, and `1/2`.
fn goes_on(word: &str, before: &str) -> bool {
    let is_rate = word.ends_with("/s") && before.starts_with(|letter: char| letter.is_ascii_digit());
    let is_share = word.chars().all(|letter| letter.is_ascii_digit() || letter == '/');
    let is_file =
        word.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)));
    (word.contains('/') || is_file) && !is_rate && !is_share
}

/// Whether a path that has blanks in it ends in front of this letter at the latest.
fn ends_a_clause(letter: char) -> bool {
    (letter.is_whitespace() && letter != ' ') || "\"'`“”‘’;{}<>|".contains(letter)
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
            ("cat </etc/passwd", "cat <[path]"),
        ] {
            assert_eq!(hidden(text), told, "{text}");
        }
    }

    #[test]
    fn a_path_with_blanks_in_it_is_hidden_to_its_end_and_the_sentence_stays() {
        for (text, told) in [
            (
                "`/tmp/s5/no dir/none.inter` was not found; looked for /tmp/s5/no dir/none.inter",
                "`[path]` was not found; looked for [path]",
            ),
            ("dataset.path is /tmp/s5/priv folder/mine.inter", "dataset.path is [path]"),
            (
                "dataset.path is /tmp/s5/priv folder/mine.inter, dataset.items is /tmp/a b/c d.csv.",
                "dataset.path is [path], dataset.items is [path].",
            ),
            ("Traceback: bad thing in /tmp/a place/x.py", "Traceback: bad thing in [path]"),
            ("/tmp/my ratings.csv was not found", "[path] was not found"),
            ("/tmp/my (old) files/x.csv: gone", "[path]: gone"),
            ("~/my files/deep er/x (a folder)", "[path] (a folder)"),
            ("copied /tmp/a b/c to /tmp/d e/f", "copied [path] to [path]"),
            ("copied /tmp/a to /tmp/b", "copied [path] to [path]"),
            ("/opt/w --set a/b", "[path] --set a/b"),
            ("/opt/w read 2 GB/s in step 1/2", "[path] read 2 GB/s in step 1/2"),
            ("/opt/w is gone, and/or moved", "[path] is gone, and/or moved"),
            ("/opt/w is gone; read docs/x.md", "[path] is gone; read docs/x.md"),
            ("/opt/w is gone: read https://example.com/a", "[path] is gone: read https://example.com/a"),
            ("/opt/w is as in https://example.com/a", "[path] is as in https://example.com/a"),
            ("in /tmp/a b/c\nin step two/three", "in [path]\nin step two/three"),
        ] {
            assert_eq!(hidden(text), told, "{text}");
        }
    }

    #[test]
    fn what_a_spec_names_as_a_file_is_hidden_whole_and_wherever_the_same_answer_quotes_it() {
        for (answer, told) in [
            (
                r#"{"dataset":{"path":"/tmp/priv folder/mine.inter","items":"~/a b","users":"C:\\a b\\c"}}"#,
                r#"{"dataset":{"path":"[path]","items":"[path]","users":"[path]"}}"#,
            ),
            (
                r#"{"spec":{"dataset":{"path":"/tmp/priv folder"}},"cause":"/tmp/priv folder is a folder"}"#,
                r#"{"spec":{"dataset":{"path":"[path]"}},"cause":"[path] is a folder"}"#,
            ),
            (
                r#"{"cause":"no /my data, no /my","spec":{"path":"/my data"}}"#,
                r#"{"cause":"no [path], no [path]","spec":{"path":"[path]"}}"#,
            ),
            // A relative one is no place of the machine; a name of other fields is a sentence.
            (r#"{"path":"ml 100k/u.data","items":3}"#, r#"{"path":"ml 100k/u.data","items":3}"#),
            (r#"{"path":"/x y","title":"/x is gone"}"#, r#"{"path":"[path]","title":"[path] is gone"}"#),
        ] {
            assert_eq!(Places::of([]).hide_in_json(answer), told);
        }
    }

    #[test]
    fn the_places_of_a_spec_are_known_in_what_its_run_says_elsewhere() {
        let places = Places::of([]);
        let known = places.with_those_in(r#"{"dataset":{"path":"/tmp/the ratings"}}"#);
        assert_eq!(known.hide("/tmp/the ratings has no rows"), "[path] has no rows");
        assert!(matches!(places.with_those_in(r#"{"dataset":{"name":"a/b"}}"#), Cow::Borrowed(_)));
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
            "<script>alert(1)</script>",
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
