//! The experiment being edited: knobs and TOML, two views of one spec.

use std::collections::BTreeMap;

use recspeed_types::spec::{DatasetSpec, format_of_name};
use recspeed_types::{ExperimentSpec, SpecError};

use super::edit::{self, with_kind};
use super::recommenders::{self, ListChange};
use super::{Field, FieldKind};

/// The spec with whatever the reader has typed that does not fit into it yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpecDraft {
    /// The last spec that could be read.
    spec: ExperimentSpec,
    /// The TOML as it stands in its box.
    text: String,
    /// Why the TOML cannot be read, when it cannot; the knobs rest until it can.
    unreadable: Vec<SpecError>,
    /// Fields whose text has the wrong type, by path: the text and what is allowed.
    misfits: BTreeMap<String, (String, String)>,
    /// What is out of range or does not fit together.
    mistakes: Vec<SpecError>,
    /// Whether a file was chosen, and the field for its path has not been left since then.
    unnamed: bool,
}

/// Where the path of a file stands.
const PATH: &str = "dataset.path";

/// The TOML of a spec. The components of a hybrid stand in it where the spec leaves them to the catalogue, too.
fn toml_of(spec: &ExperimentSpec) -> String {
    let mut whole = spec.clone();
    recommenders::write_all_out(&mut whole.recommender);
    whole.to_toml()
}

impl Default for SpecDraft {
    fn default() -> Self {
        Self::of(ExperimentSpec::default())
    }
}

impl SpecDraft {
    /// A draft of a spec, with its own TOML.
    pub(crate) fn of(spec: ExperimentSpec) -> Self {
        let mistakes = spec.resolve().err().map_or_else(Vec::new, |errors| errors.0);
        let (unreadable, misfits) = (Vec::new(), BTreeMap::new());
        Self { text: toml_of(&spec), spec, unreadable, misfits, mistakes, unnamed: false }
    }

    /// The last spec that could be read.
    pub(crate) const fn spec(&self) -> &ExperimentSpec {
        &self.spec
    }

    /// The TOML as it stands.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the TOML cannot be read now.
    pub(crate) const fn is_unreadable(&self) -> bool {
        !self.unreadable.is_empty()
    }

    /// Everything that stands between the draft and a run, in the order of the spec.
    pub(crate) fn problems(&self) -> Vec<SpecError> {
        if self.is_unreadable() {
            return self.unreadable.clone();
        }
        let misfits = self.misfits.iter().map(|(path, (_, message))| SpecError::new(path.clone(), message.clone()));
        // What stood in a field before something that does not fit was typed there is in no field any more.
        let typed_over = |error: &SpecError| self.misfits.keys().any(|path| is_at(error, path));
        let told = |error: &&SpecError| !typed_over(error) && !self.is_awaited(error);
        misfits.chain(self.mistakes.iter().filter(told).cloned()).collect()
    }

    /// Whether a file was chosen whose path nobody has had the time to type: no mistake yet, and nothing to run.
    pub(crate) fn awaits_path(&self) -> bool {
        self.unnamed && self.spec.dataset.path.as_deref().is_some_and(|path| path.trim().is_empty())
    }

    fn is_awaited(&self, error: &SpecError) -> bool {
        self.awaits_path() && is_at(error, PATH)
    }

    /// The reader left a field: what is wrong there is a mistake from now on.
    pub(crate) fn leave(&mut self, path: &str) {
        if path == PATH {
            self.unnamed = false;
        }
    }

    /// What is wrong at a path or below it (`evaluation.metrics[1]` belongs to `evaluation.metrics`).
    pub(crate) fn problem_at(&self, path: &str) -> Option<String> {
        self.problem_beside(path, &[])
    }

    /// The same, without what is told at other fields below it.
    pub(crate) fn problem_beside(&self, path: &str, others: &[&str]) -> Option<String> {
        if let Some((_, message)) = self.misfits.get(path) {
            return Some(message.clone());
        }
        let elsewhere = |error: &SpecError| others.iter().any(|other| is_at(error, other));
        let here = |error: &&SpecError| is_at(error, path) && !elsewhere(error) && !self.is_awaited(error);
        let error = self.unreadable.iter().chain(&self.mistakes).find(here)?;
        Some(error.message.clone())
    }

    /// Whether nothing stands between the draft and a run.
    pub(crate) fn is_runnable(&self) -> bool {
        self.unreadable.is_empty() && self.misfits.is_empty() && self.mistakes.is_empty()
    }

    /// The reader typed in the TOML box.
    pub(crate) fn type_toml(&mut self, text: String) {
        match ExperimentSpec::from_toml(&text) {
            Ok(spec) => *self = Self { text, ..Self::of(spec) },
            Err(error) => {
                self.unreadable = error.into_errors().0;
                self.text = text;
            }
        }
    }

    /// The reader typed in a field.
    pub(crate) fn type_field(&mut self, field: &Field, text: &str) {
        let outcome = field.kind.parse(text).and_then(|value| {
            edit::set(&self.spec, &field.path, value).map_err(|error| match error.into_errors().0.into_iter().next() {
                Some(error) => error.message,
                None => field.kind.allowed(),
            })
        });
        match outcome {
            Ok(spec) => {
                let spec = if field.path == "dataset.path" { self.as_its_name_says(spec) } else { spec };
                let mut misfits = std::mem::take(&mut self.misfits);
                misfits.remove(&field.path);
                let text = format!("{}{}", self.opening_comments(), toml_of(&spec));
                *self = Self { text, misfits, unnamed: self.unnamed, ..Self::of(spec) };
            }
            Err(message) => {
                self.misfits.insert(field.path.clone(), (text.to_owned(), message));
            }
        }
    }

    /// The reader chose a kind or a data set from a list; see [`with_kind`].
    pub(crate) fn choose(&mut self, path: &str, value: &str) {
        if let Some(spec) = with_kind(&self.spec, path, value) {
            let text = format!("{}{}", self.opening_comments(), toml_of(&spec));
            let unnamed = if path == "dataset" { value == "file" } else { self.unnamed };
            *self = Self { text, unnamed, ..Self::of(spec) };
        }
    }

    /// The reader chose a data set that stands in no catalogue, as a file on the server's machine; the filters stay.
    pub(crate) fn take_dataset(&mut self, dataset: DatasetSpec) {
        let spec = edit::with_dataset(&self.spec, dataset);
        let text = format!("{}{}", self.opening_comments(), toml_of(&spec));
        *self = Self { text, ..Self::of(spec) };
    }

    /// A spec whose path was typed, with the format that the path speaks for, unless it spoke for the same one before: what
    /// the reader has chosen since then stays.
    fn as_its_name_says(&self, spec: ExperimentSpec) -> ExperimentSpec {
        let told = |spec: &ExperimentSpec| spec.dataset.path.as_deref().and_then(format_of_name);
        let format = told(&spec).filter(|format| told(&self.spec) != Some(*format));
        let fitting = format.and_then(|format| with_kind(&spec, "dataset.format", format.as_str()));
        fitting.unwrap_or(spec)
    }

    /// The reader's notes at the top of the TOML: a knob writes the rest anew.
    fn opening_comments(&self) -> String {
        let is_note = |line: &&str| line.starts_with('#') || line.trim().is_empty();
        self.text.split_inclusive('\n').take_while(is_note).collect()
    }

    /// One more component in the list at a path, or one less.
    pub(crate) fn change_components(&mut self, path: &str, change: ListChange) {
        if let Some(spec) = recommenders::change(&self.spec, path, change) {
            *self = Self { unnamed: self.unnamed, ..Self::of(spec) };
        }
    }

    /// Back to the last TOML that could be read.
    pub(crate) fn restore(&mut self) {
        *self = Self::of(self.spec.clone());
    }

    /// What a field shows: what was typed, else what is set; empty when the default holds.
    pub(crate) fn field_text(&self, field: &Field) -> String {
        if let Some((text, _)) = self.misfits.get(&field.path) {
            return text.clone();
        }
        match edit::get(&self.spec, &field.path) {
            Some(value) => super::field::text_of(&value),
            None if matches!(field.kind, FieldKind::Text) => String::new(),
            None => field.kind.default_text(),
        }
    }

    /// The choice that the data set stands for; see [`with_kind`].
    pub(crate) fn dataset_value(&self) -> String {
        edit::dataset_value(&self.spec.dataset)
    }
}

/// Whether something is wrong at a path or below it.
fn is_at(error: &SpecError, path: &str) -> bool {
    // The check writes `components[0]`, a field `components.0`.
    let place = error.path.replace('[', ".").replace(']', "");
    place.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::DataFormat;

    use super::*;

    fn epochs() -> Field {
        super::super::knobs(&ExperimentSpec::default()).remove(1)
    }

    #[test]
    fn a_knob_writes_the_toml_and_the_toml_turns_the_knob() {
        let mut draft = SpecDraft::default();
        draft.type_field(&epochs(), "9");
        assert!(draft.text().contains("epochs = 9"), "{}", draft.text());
        draft.type_toml(draft.text().replace("epochs = 9", "epochs = 4"));
        assert_eq!(draft.field_text(&epochs()), "4");
        assert!(draft.is_runnable());
    }

    #[test]
    fn unreadable_toml_keeps_the_last_spec_and_can_be_taken_back() {
        let mut draft = SpecDraft::default();
        let good = draft.text().to_owned();
        draft.type_toml("version = ".to_owned());
        assert!(draft.is_unreadable() && !draft.is_runnable());
        assert_eq!(draft.spec(), &ExperimentSpec::default());
        draft.restore();
        assert_eq!(draft.text(), good);
        assert!(draft.is_runnable());
    }

    #[test]
    fn a_value_out_of_range_is_shown_at_its_field() {
        let mut draft = SpecDraft::default();
        draft.type_field(&epochs(), "0");
        assert_eq!(draft.problem_at("training.epochs").as_deref(), Some("is 0; allowed: 1 to 10000"));
        assert!(!draft.is_runnable());
        draft.type_field(&epochs(), "many");
        assert!(
            draft.problem_at("training.epochs").is_some_and(|m| m.starts_with("is `many`; allowed: a whole number"))
        );
        assert_eq!(draft.field_text(&epochs()), "many");
        draft.type_field(&epochs(), "3");
        assert!(draft.is_runnable());
    }

    #[test]
    fn a_file_without_a_path_is_no_mistake_before_its_field_is_left_and_one_mistake_from_then_on() {
        let path = Field::new(PATH, "Path", "", FieldKind::Text);
        let mut draft = SpecDraft::default();
        draft.choose("dataset", "file");
        assert!(draft.awaits_path() && !draft.is_runnable());
        assert_eq!((draft.problems().len(), draft.problem_at(PATH)), (0, None));
        draft.type_field(&epochs(), "9");
        assert!(draft.awaits_path() && draft.problems().is_empty(), "another field was typed in");
        draft.type_field(&path, "u.data");
        assert!(!draft.awaits_path() && draft.is_runnable());
        draft.type_field(&path, "");
        assert!(draft.problems().is_empty(), "the reader is still at it");
        draft.leave(PATH);
        assert_eq!(draft.problems().len(), 1, "{:?}", draft.problems());
        assert!(draft.problem_at(PATH).is_some() && !draft.awaits_path());
        // It is told at its own field, and not at that of the data set around it as well.
        assert!(draft.problem_at("dataset").is_some());
        assert_eq!(draft.problem_beside("dataset", &[PATH, "dataset.format"]), None);
    }

    #[test]
    fn one_wrong_field_is_one_problem_whatever_was_typed_there_before() {
        let hidden = || super::super::knobs(&ExperimentSpec::default()).remove(0);
        for field in [epochs(), hidden()] {
            let mut draft = SpecDraft::default();
            draft.type_field(&field, "0");
            assert_eq!(draft.problems().len(), 1, "{:?}", draft.problems());
            draft.type_field(&field, "abc");
            let problems = draft.problems();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].path == field.path && problems[0].message.starts_with("is `abc`"), "{problems:?}");
            assert!(!draft.is_runnable());
        }
    }

    #[test]
    fn the_ending_of_a_path_sets_the_format_and_what_the_reader_chose_then_stays() {
        let mut draft = SpecDraft::default();
        draft.choose("dataset", "file");
        let path = Field::new("dataset.path", "Path", "", FieldKind::Text);
        let format = |draft: &SpecDraft| draft.spec().dataset.format;
        draft.type_field(&path, "ml-100k/ml-100k.inter");
        assert_eq!(format(&draft), Some(DataFormat::Recbole));
        assert!(draft.is_runnable(), "{:?}", draft.problems());
        draft.choose("dataset.format", "movielens");
        draft.type_field(&path, "ml-100k/other.inter");
        assert_eq!(format(&draft), Some(DataFormat::Movielens), "the same ending says nothing new");
        draft.type_field(&path, "sequences.txt");
        assert_eq!(format(&draft), Some(DataFormat::Movielens), "an ending that says nothing");
        draft.type_field(&path, "ratings_Beauty.csv");
        assert_eq!(format(&draft), Some(DataFormat::AmazonCsv));
    }

    #[test]
    fn a_file_on_the_server_is_taken_with_its_attributes_and_the_filters_stay() {
        let mut draft = SpecDraft::default();
        draft.type_toml(draft.text().replace("source = \"builtin\"", "source = \"builtin\"\nmin_user = 5"));
        let file =
            DatasetSpec { items: Some("a.item".to_owned()), ..DatasetSpec::file("a.inter", DataFormat::Recbole) };
        draft.take_dataset(file.clone());
        assert_eq!(draft.spec().dataset, DatasetSpec { min_user: Some(5), ..file });
        assert!(draft.text().contains("items = \"a.item\"") && draft.is_runnable(), "{}", draft.text());
    }

    #[test]
    fn a_problem_inside_a_list_belongs_to_the_list() {
        let mut draft = SpecDraft::default();
        draft.type_toml(draft.text().replace("\"mae\"", "\"rmse\""));
        assert!(draft.problem_at("evaluation.metrics").is_some_and(|m| m.contains("repeats `rmse`")));
    }

    #[test]
    fn typing_comments_keeps_them() {
        let mut draft = SpecDraft::default();
        let text = format!("# my notes\n{}", draft.text());
        draft.type_toml(text.clone());
        assert_eq!(draft.text(), text);
        draft.type_field(&epochs(), "9");
        assert!(draft.text().starts_with("# my notes\nversion"), "a knob leaves notes at the top: {}", draft.text());
    }
}
