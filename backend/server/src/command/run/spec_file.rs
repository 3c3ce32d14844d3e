//! From the command line to a checked spec.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use recspeed_types::limits::{MAX_RANKS, MAX_SPEC_BYTES};
use recspeed_types::search::Search;
use recspeed_types::spec::{ResolvedSpec, SpecError, SpecParseError};
use recspeed_types::{ExperimentSpec, PermalinkError, SpecErrors, decode_permalink};

/// A spec that cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecFileError {
    /// The file is not there or not readable.
    #[error("cannot read the spec {name}: {source}; give the path of a TOML or JSON spec")]
    Read {
        /// The name as given.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file is no text.
    #[error("the spec {name} is not UTF-8 text (byte {at}); save it as UTF-8 TOML or JSON")]
    NotText {
        /// The name as given.
        name: String,
        /// Position of the first byte that does not fit.
        at: usize,
    },
    /// It does not parse, or a field does not fit.
    #[error("{}", refusal(name, source))]
    Parse {
        /// The name as given.
        name: String,
        /// Why.
        source: SpecParseError,
    },
    /// The permalink does not open.
    #[error(transparent)]
    Link(#[from] PermalinkError),
    /// A folder without specs.
    #[error("{name} holds no spec; give a folder with files that end in .toml or .json")]
    Empty {
        /// The folder.
        name: String,
    },
    /// Values that are not allowed.
    #[error("{}", list(name, errors))]
    Invalid {
        /// The name as given.
        name: String,
        /// Every mistake.
        errors: SpecErrors,
    },
}

fn refusal(name: &str, source: &SpecParseError) -> String {
    match source {
        SpecParseError::Fields(errors) if errors.0.len() > 1 => list(name, errors),
        one => format!("{name}: {one}"),
    }
}

fn list(name: &str, errors: &SpecErrors) -> String {
    let mut text = match errors.0.len() {
        1 => format!("{name} has a mistake:"),
        n => format!("{name} has {n} mistakes:"),
    };
    for error in &errors.0 {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n  {error}");
    }
    text
}

/// A checked spec and where it came from.
#[derive(Debug, Clone)]
pub(in crate::command) struct SpecFile {
    /// What to run; [`ExperimentSpec::resolve`] has accepted it.
    pub(in crate::command) spec: ExperimentSpec,
    /// The folder beside which relative data paths are looked up first.
    pub(in crate::command) dir: PathBuf,
    /// What to call the run: the spec's name, or the file's.
    pub(in crate::command) title: String,
    /// Its place among the members of the group that it was read from; `None` for a spec of its own.
    pub(in crate::command) member: Option<usize>,
}

impl SpecFile {
    /// Reads and checks `source`: a path, `-` for standard input, or a permalink.
    ///
    /// # Errors
    /// [`SpecFileError`], with every mistake of the spec at once.
    pub(in crate::command) fn read(source: &str, assignments: &[String]) -> Result<Self, SpecFileError> {
        Self::read_to_plan(source, assignments, MAX_RANKS).map(|(file, _)| file)
    }

    /// The same of a spec that may have so many ranks, and what it means.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(in crate::command) fn read_to_plan(
        source: &str,
        assignments: &[String],
        most_ranks: u32,
    ) -> Result<(Self, ResolvedSpec), SpecFileError> {
        let (name, dir, spec) = if let Some((_, payload)) = source.split_once("#x=") {
            let spec = with_assignments(decode_permalink(payload)?, assignments)
                .map_err(|source| SpecFileError::Parse { name: "the link".to_owned(), source })?;
            ("the link".to_owned(), PathBuf::from("."), spec)
        } else {
            let (name, dir) = if source == "-" {
                ("standard input".to_owned(), PathBuf::from("."))
            } else {
                (source.to_owned(), folder_of(Path::new(source)))
            };
            let text = text_of(source, &name)?;
            let spec =
                parse(&text, assignments).map_err(|source| SpecFileError::Parse { name: name.clone(), source })?;
            (name, dir, spec)
        };
        let resolved = spec.resolve_to_plan(most_ranks);
        let resolved = resolved.map_err(|errors| SpecFileError::Invalid { name: name.clone(), errors })?;
        let title = if spec.name.trim().is_empty() { name } else { spec.name.clone() };
        Ok((Self { spec, dir, title, member: None }, resolved))
    }
}

impl SpecFile {
    /// Reads and checks `source`, which may also be a spec group, or a folder whose specs (`.toml`, `.json`) are read in the
    /// order of their names.
    ///
    /// # Errors
    /// As [`Self::read`]; [`SpecFileError::Empty`] for a folder without specs.
    pub(in crate::command) fn read_group(source: &str, assignments: &[String]) -> Result<Vec<Self>, SpecFileError> {
        let path = Path::new(source);
        if path.is_dir() {
            let specs =
                specs_in(path).map_err(|error| SpecFileError::Read { name: source.to_owned(), source: error })?;
            if specs.is_empty() {
                return Err(SpecFileError::Empty { name: source.to_owned() });
            }
            let read = specs.iter().map(|spec| Self::read_group(&spec.to_string_lossy(), assignments));
            return Ok(read.collect::<Result<Vec<_>, _>>()?.concat());
        }
        if source == "-" || source.contains("#x=") {
            return Ok(vec![Self::read(source, assignments)?]);
        }
        let text = text_of(source, source)?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('{') {
            return Ok(vec![Self::read(source, assignments)?]);
        }
        let members = ExperimentSpec::group_from_toml_with(text, assignments)
            .map_err(|error| SpecFileError::Parse { name: source.to_owned(), source: error })?;
        let is_group = ExperimentSpec::is_group(text);
        let check = |(place, spec): (usize, ExperimentSpec)| {
            spec.resolve().map_err(|errors| SpecFileError::Invalid { name: source.to_owned(), errors })?;
            Ok(Self { title: spec.name.clone(), dir: folder_of(path), spec, member: is_group.then_some(place) })
        };
        members.into_iter().enumerate().map(check).collect()
    }
}

/// A file with a search, the folder that its data files are looked up in, and its name.
#[derive(Debug)]
pub(in crate::command) struct SearchFile {
    /// How, and of what; every member's spec, as its trials are, has been accepted by [`ExperimentSpec::resolve`] but for validation rows.
    pub(in crate::command) search: Search,
    /// The folder beside which relative data paths are looked up first.
    pub(in crate::command) dir: PathBuf,
}

impl SearchFile {
    /// Reads and checks a TOML file.
    ///
    /// # Errors
    /// [`SpecFileError`].
    pub(in crate::command) fn read(source: &str, assignments: &[String]) -> Result<Self, SpecFileError> {
        let text = text_of(source, source)?;
        let search = ExperimentSpec::search_from_toml_with(text.trim_start_matches('\u{feff}'), assignments)
            .map_err(|error| SpecFileError::Parse { name: source.to_owned(), source: error })?;
        for member in &search.members {
            // That there are no validation rows is the search's own to say.
            match member.as_trial().spec.resolve() {
                Err(errors) if errors.0.iter().any(|error| error.path != "evaluation.on") => {
                    let errors = SpecErrors(errors.0.into_iter().map(of_a_search).collect());
                    return Err(SpecFileError::Invalid { name: source.to_owned(), errors });
                }
                _ => {}
            }
        }
        Ok(Self { search, dir: folder_of(Path::new(source)) })
    }
}

/// A mistake of a trial as that of a search: where it is judged nobody has written.
fn of_a_search(error: SpecError) -> SpecError {
    if error.path != "evaluation.on" {
        return error;
    }
    SpecError::new(
        "split",
        "holds out no validation rows, which a search needs to judge its trials by; set split.validation_ratio (or \
         split.validation with leave-last-out)",
    )
}

/// The spec files of a folder, by name.
fn specs_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut specs = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    // Kept runs lie in folders of their own, or beside specs; they are no specs.
    let is_spec = |path: &PathBuf| {
        let ends = |end: &str| path.to_string_lossy().ends_with(end);
        path.is_file() && (ends(".toml") || (ends(".json") && !ends(".run.json") && !ends(".users.json")))
    };
    specs.retain(is_spec);
    specs.sort();
    Ok(specs)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    }
}

/// The text of the file, read no further than a spec may be long.
fn text_of(source: &str, name: &str) -> Result<String, SpecFileError> {
    let read = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(MAX_SPEC_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes =
        if source == "-" { read(&mut io::stdin().lock()) } else { File::open(source).and_then(|mut f| read(&mut f)) }
            .map_err(|source| SpecFileError::Read { name: name.to_owned(), source })?;
    // Reading stopped at the limit, perhaps in the middle of a character: what is before it tells a text from a data file.
    let not_text = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_some() || bytes.len() <= MAX_SPEC_BYTES => Some(error.valid_up_to()),
        _ => bytes.iter().position(|&byte| byte == 0),
    };
    if let Some(at) = not_text {
        return Err(SpecFileError::NotText { name: name.to_owned(), at });
    }
    if bytes.len() > MAX_SPEC_BYTES {
        return Err(SpecFileError::Parse { name: name.to_owned(), source: SpecParseError::TooLong });
    }
    String::from_utf8(bytes)
        .map_err(|error| SpecFileError::NotText { name: name.to_owned(), at: error.utf8_error().valid_up_to() })
}

fn parse(text: &str, assignments: &[String]) -> Result<ExperimentSpec, SpecParseError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        with_assignments(ExperimentSpec::from_json(text)?, assignments)
    } else {
        ExperimentSpec::from_toml_with(text, assignments)
    }
}

fn with_assignments(spec: ExperimentSpec, assignments: &[String]) -> Result<ExperimentSpec, SpecParseError> {
    if assignments.is_empty() { Ok(spec) } else { ExperimentSpec::from_toml_with(&spec.to_toml(), assignments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_and_json_are_told_apart_by_their_first_character() {
        let spec = ExperimentSpec::default();
        for text in [spec.to_toml(), spec.to_json(), format!("\u{feff}\n {}", spec.to_json())] {
            assert_eq!(parse(&text, &[]).unwrap(), spec);
            let changed = parse(&text, &["training.epochs=7".to_owned()]).unwrap();
            assert_eq!(changed.training.epochs, Some(7));
        }
    }

    #[test]
    fn every_mistake_is_listed_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.toml");
        let mut spec = ExperimentSpec::default();
        spec.training.epochs = Some(0);
        spec.training.batch_size = Some(0);
        std::fs::write(&path, spec.to_toml()).unwrap();
        let message = SpecFile::read(path.to_str().unwrap(), &[]).unwrap_err().to_string();
        assert!(
            message.contains("has 2 mistakes:\n  training.epochs: is 0; allowed: 1 to 10000\n  training.batch_size")
        );
    }

    #[test]
    fn a_permalink_runs_like_a_file() {
        let spec = ExperimentSpec { name: "linked".into(), ..ExperimentSpec::default() };
        let link = format!("https://lab.example/#x={}", recspeed_types::encode_permalink(&spec).unwrap());
        let read = SpecFile::read(&link, &[]).unwrap();
        assert_eq!((read.spec, read.title.as_str()), (spec, "linked"));
    }

    #[test]
    fn a_missing_binary_or_endless_file_is_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone.toml");
        let message = SpecFile::read(gone.to_str().unwrap(), &[]).unwrap_err().to_string();
        assert!(message.contains("cannot read the spec") && message.contains("gone.toml"), "{message}");
        let binary = dir.path().join("binary.toml");
        std::fs::write(&binary, [b'a', 0xff, 0xfe]).unwrap();
        let message = SpecFile::read(binary.to_str().unwrap(), &[]).unwrap_err().to_string();
        assert!(message.contains("is not UTF-8 text (byte 1)"), "{message}");
        let message = SpecFile::read("/dev/zero", &[]).unwrap_err().to_string();
        assert!(message.contains("is not UTF-8 text (byte 0)"), "{message}");
        let ratings = dir.path().join("ratings.csv");
        std::fs::write(&ratings, "A1,B1,5.0,1369699200\n".repeat(9000)).unwrap();
        let message = SpecFile::read(ratings.to_str().unwrap(), &[]).unwrap_err().to_string();
        assert!(message.contains("too long; allowed: up to 65536 bytes of TOML or JSON"), "{message}");
    }
}
