//! The state that every part of the page shares.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::api::{LabInfo, Role, RunRecord, RunRequest, ServerFile, ServerFiles, UploadRecord};
use recspeed_types::spec::{DataFormat, DataSource, DatasetSpec, EvaluationSpec};
use recspeed_types::{ExperimentSpec, ResolvedSpec, RunId};

use super::{HeldFile, Origin, RunState, RunView, Session, Theme, Toasts, api, live, location, showcase, tab};
use crate::form::{Offer, SpecDraft};

/// What is known about the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LabState {
    /// It was asked and has not answered yet.
    Asking,
    /// It answered.
    Here(Box<LabInfo>),
    /// There is none, or it does not answer.
    Absent(String),
}

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Looker {
    /// The server was asked and has not said it yet.
    Asking,
    /// Nobody can say it, and why: the server did not answer. What is the owner's is neither offered nor asked for.
    Unknown(String),
    /// Who may use the server's queue.
    Owner,
    /// Who may read what a link shows.
    Guest,
}

impl LabState {
    /// Who looks, as far as the server has said it.
    pub(crate) fn looker(&self) -> Looker {
        match self {
            Self::Asking => Looker::Asking,
            Self::Absent(why) => Looker::Unknown(why.clone()),
            Self::Here(info) => match info.role {
                Role::Owner => Looker::Owner,
                Role::Guest => Looker::Guest,
            },
        }
    }

    /// Whether the server was asked and did not answer, so that it may be asked again.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }
}

/// What every part of the page shares; a handful of signals.
#[derive(Clone, Copy)]
pub(crate) struct Lab {
    /// The server behind the page.
    pub server: RwSignal<LabState>,
    /// The experiment being edited.
    pub draft: RwSignal<SpecDraft>,
    /// The run that the draft was forked from.
    pub parent: RwSignal<Option<RunId>>,
    /// Why the link that the page was opened with could not be read.
    pub link_error: RwSignal<Option<String>>,
    /// Why the last request to run was refused.
    pub run_error: RwSignal<Option<String>>,
    /// Whether the server is being asked to run something.
    pub sending: RwSignal<bool>,
    /// The field that is being typed in, by its path in the spec.
    pub typing: RwSignal<Option<String>>,
    /// The runs of the lab page.
    pub session: Session,
    /// Files that were given to the server.
    pub uploads: RwSignal<Vec<UploadRecord>>,
    /// Data files on the server's machine; none until it has said which there are.
    pub server_files: RwSignal<Option<ServerFiles>>,
    /// Why these are not known, where the server was asked for them in vain.
    pub no_uploads: RwSignal<Option<String>>,
    /// Files of the reader's own that this tab holds.
    pub held: RwSignal<Vec<HeldFile>>,
    /// Whether the window for a file of the reader's own is open.
    pub own_file: RwSignal<bool>,
    /// Short messages.
    pub toasts: Toasts,
    /// Light, dark, or as the system.
    pub theme: RwSignal<Theme>,
    /// Whether the page is part of another one.
    pub embedded: bool,
}

/// The shared state, from any component.
pub(crate) fn use_lab() -> Lab {
    expect_context::<Lab>()
}

impl Lab {
    /// The state of a page that just opened; asks for everything that it needs.
    pub(crate) fn open() -> Self {
        let lab = Self {
            server: RwSignal::new(LabState::Asking),
            draft: RwSignal::new(SpecDraft::default()),
            parent: RwSignal::new(None),
            link_error: RwSignal::new(None),
            run_error: RwSignal::new(None),
            sending: RwSignal::new(false),
            typing: RwSignal::new(None),
            session: Session::new(),
            uploads: RwSignal::new(Vec::new()),
            server_files: RwSignal::new(None),
            no_uploads: RwSignal::new(None),
            held: RwSignal::new(Vec::new()),
            own_file: RwSignal::new(false),
            toasts: Toasts::new(),
            theme: RwSignal::new(Theme::remembered()),
            embedded: location::has_flag("embed"),
        };
        lab.theme.get_untracked().apply();
        location::watch(lab);
        tab::ask_before_leaving();
        spawn_local(async move {
            showcase::load_baked(lab).await;
        });
        spawn_local(async move { lab.ask_server().await });
        lab
    }

    /// Asks the server who it is and what it offers.
    pub(crate) async fn ask_server(self) {
        match api::lab().await {
            Ok(info) => {
                let (role, example) = (info.role, info.showcase.clone());
                self.server.set(LabState::Here(Box::new(info)));
                live::keep_looking();
                showcase::load_remembered(self).await;
                if let Some(id) = example {
                    showcase::load_stored(self, id).await;
                }
                if role == Role::Owner {
                    self.ask_uploads();
                }
            }
            Err(error) => self.server.set(LabState::Absent(error.to_string())),
        }
    }

    /// Asks the server again, where it did not answer.
    pub(crate) fn ask_again(self) {
        if self.server.with_untracked(LabState::is_silent) {
            self.server.set(LabState::Asking);
            spawn_local(async move { self.ask_server().await });
        }
    }

    /// Asks the server for the files that were given to it, and for those that lie on its machine.
    pub(crate) fn ask_uploads(self) {
        self.no_uploads.set(None);
        spawn_local(async move {
            match api::datasets().await {
                Ok(uploads) => self.uploads.set(uploads),
                Err(error) => {
                    self.no_uploads.set(Some(format!("The files given to the server are not in this list. {error}")));
                }
            }
            match api::server_files().await {
                Ok(files) => self.server_files.set(Some(files)),
                Err(error) => self.no_uploads.update(|why| {
                    why.get_or_insert_with(|| format!("The files on the server are not in this list. {error}"));
                }),
            }
        });
    }

    /// The listed file on the server's machine that a data set reads.
    pub(crate) fn server_file_of(self, dataset: &DatasetSpec) -> Option<ServerFile> {
        self.server_files.with(|all| all.as_ref()?.files.iter().find(|file| file.is_of(dataset)).cloned())
    }

    /// Takes a listed data set into the draft: a built-in one by its name, an upload by its hash, a file by its id. Says
    /// whether there is one.
    pub(crate) fn take_dataset(self, id: &str) -> bool {
        let file =
            self.server_files.with_untracked(|all| all.as_ref()?.files.iter().find(|file| file.id == id).cloned());
        if let Some(file) = file {
            self.draft.update(|draft| draft.take_dataset(file.dataset()));
            return true;
        }
        let upload = self.uploads.with_untracked(|all| all.iter().find(|file| file.sha256 == id).cloned());
        let value = match upload {
            Some(upload) => format!("upload:{}:{id}", upload.format.as_str()),
            None if recspeed_types::builtin::find(id).is_some() => format!("builtin:{id}"),
            None => return false,
        };
        self.draft.update(|draft| draft.choose("dataset", &value));
        true
    }

    /// Takes the next theme, and remembers it.
    pub(crate) fn next_theme(self) {
        let next = self.theme.get_untracked().next();
        self.theme.set(next);
        next.apply();
    }

    /// Who looks, as far as the server has said it.
    pub(crate) fn looker(self) -> Looker {
        self.server.with(LabState::looker)
    }

    /// Whether the visitor may use the server's queue.
    pub(crate) fn is_owner(self) -> bool {
        self.looker() == Looker::Owner
    }

    /// Whether the server did not answer when it was asked last.
    pub(crate) fn is_without_answer(self) -> bool {
        self.server.with(LabState::is_silent)
    }

    /// Whether the shown run is another experiment than the one in the draft.
    pub(crate) fn is_stale(self) -> bool {
        let Some(run) = self.session.current.get() else { return false };
        self.draft.with(|draft| run.record.with(|record| !same_experiment(&record.spec, draft.spec())))
    }

    /// Whether the shown run is still at work.
    pub(crate) fn is_busy(self) -> bool {
        self.session.current.get().is_some_and(|run| !run.status().is_over())
    }

    /// Whether a run in this tab is at work: it computes one at a time.
    pub(crate) fn is_tab_busy(self) -> bool {
        self.session.current.get().is_some_and(|run| run.origin == Origin::Tab && !run.status().is_over())
    }

    /// The runs of this tab on the server that are still to end.
    fn on_server(self) -> Vec<RunState> {
        let all = self.session.current.get().into_iter().chain(self.session.others.get());
        all.filter(|run| run.origin == Origin::Server && !run.status().is_over()).collect()
    }

    /// Whether what this tab puts into the server's queue waits behind another run of this tab.
    pub(crate) fn has_queue(self) -> bool {
        !self.on_server().is_empty()
    }

    /// Whether the draft waits or works on the server already: a second run would give the same numbers.
    pub(crate) fn is_queued(self) -> bool {
        let same = |run: &RunState| {
            self.draft.with(|draft| run.record.with(|record| same_experiment(&record.spec, draft.spec())))
        };
        self.on_server().iter().any(same)
    }

    /// Shows another one of this tab's runs on the server; one that works in the tab is shown to its end.
    pub(crate) fn show(self, run: RunState) {
        if !untrack(|| self.is_tab_busy()) {
            showcase::remember(&run.id());
            self.session.show(run);
        }
    }

    /// The name of an experiment's data set for people; a file of the reader's own by the name that it came with.
    pub(crate) fn dataset_title(self, spec: &ExperimentSpec) -> String {
        self.file_name(spec).unwrap_or_else(|| super::session::dataset_title(spec))
    }

    /// The name that a file of the reader's own came with, where this page knows the file; of a known data set its title.
    fn file_name(self, spec: &ExperimentSpec) -> Option<String> {
        let id = spec.dataset.id.as_deref().unwrap_or_default();
        let given = self.uploads.with(|all| all.iter().find(|file| file.sha256 == id).map(|file| file.name.clone()));
        let held = || self.held.with(|all| all.iter().find(|file| file.sha256 == id).map(|file| file.name.clone()));
        let known = || self.server_file_of(&spec.dataset).filter(|file| file.about.is_some()).map(|file| file.title);
        given.or_else(held).or_else(known)
    }

    /// The name of an experiment for people.
    pub(crate) fn title_of(self, spec: &ExperimentSpec) -> String {
        super::session::title_on(spec, &self.dataset_title(spec))
    }

    /// The name of a run for people. Its result tells the name of a file that this page does not know, as for a visitor.
    pub(crate) fn title_of_run(self, record: &RunRecord) -> String {
        let spec = &record.spec;
        let told = || {
            let summary = record.summary.as_ref().filter(|_| spec.dataset.source == DataSource::Upload)?;
            Some(summary.data.name.clone()).filter(|name| Some(name) != spec.dataset.id.as_ref())
        };
        let dataset = self.file_name(spec).or_else(told).unwrap_or_else(|| super::session::dataset_title(spec));
        super::session::title_on(spec, &dataset)
    }

    /// Puts another spec into the draft.
    pub(crate) fn load_spec(self, spec: ExperimentSpec) {
        self.draft.set(SpecDraft::of(spec));
    }

    /// Why this tab cannot run the draft: it has not its engine, or cannot read its data.
    pub(crate) fn not_in_tab(self) -> Option<String> {
        let (dataset, engine) = self.draft.with(|draft| (draft.spec().dataset.clone(), draft.spec().engine.kind));
        if engine.is_reference() {
            return Some(format!("A tab trains with Burn; {} runs on the server.", engine.title()));
        }
        let holds = self.held.with(|held| held.iter().any(|file| Some(&file.sha256) == dataset.id.as_ref()));
        unreadable_in_tab(&dataset, holds).map(str::to_owned)
    }

    /// What the server can compute on.
    pub(crate) fn offer(self) -> Offer {
        self.server.with(|state| match state {
            LabState::Here(info) => Offer::of(info),
            LabState::Asking | LabState::Absent(_) => Offer::default(),
        })
    }

    /// Why the server cannot run the draft: it has not its engine, or this tab alone holds its data.
    pub(crate) fn not_on_server(self) -> Option<String> {
        if let Some(refusal) = self.draft.with(|draft| self.offer().refusal(draft.spec())) {
            return Some(refusal);
        }
        let dataset = self.draft.with(|draft| draft.spec().dataset.clone());
        let among = |all: &[String]| dataset.id.as_ref().is_some_and(|id| all.contains(id));
        let held = self.held.with(|all| among(&all.iter().map(|file| file.sha256.clone()).collect::<Vec<_>>()));
        let given = self.uploads.with(|all| among(&all.iter().map(|file| file.sha256.clone()).collect::<Vec<_>>()));
        (dataset.source == DataSource::Upload && held && !given).then_some(
            "This tab alone holds the file. To run it on the server, choose it again with “A file of yours…” and press “Give it to the server”.".to_owned(),
        )
    }

    /// Runs the draft in this tab.
    pub(crate) fn run_in_tab(self) {
        if !self.draft.with_untracked(SpecDraft::is_runnable)
            || untrack(|| self.is_tab_busy() || self.not_in_tab().is_some() || self.forecast().tab)
        {
            return;
        }
        self.run_error.set(None);
        let spec = self.draft.with_untracked(|draft| draft.spec().clone());
        let version = self.server.with_untracked(|state| match state {
            LabState::Here(info) => Some(info.version.clone()),
            LabState::Asking | LabState::Absent(_) => None,
        });
        let run = tab::start(spec, self.parent.get_untracked(), version.as_deref());
        self.session.begin(run);
    }

    /// Puts the draft into the server's queue. What is at work there is shown on, and the new one waits beside it.
    pub(crate) fn run_on_server(self) {
        if self.sending.get_untracked()
            || !self.draft.with_untracked(SpecDraft::is_runnable)
            || untrack(|| self.is_tab_busy() || self.is_queued() || self.forecast().server)
        {
            return;
        }
        self.sending.set(true);
        self.run_error.set(None);
        let spec = self.draft.with_untracked(|draft| draft.spec().clone());
        let request = RunRequest { spec, parent: self.parent.get_untracked() };
        spawn_local(async move {
            let answer = api::create(&request).await;
            self.sending.set(false);
            match answer {
                Ok(record) => {
                    let place = record.queue_position.map_or_else(String::new, |place| format!(" as number {place}"));
                    let run = RunState::new(Origin::Server, record, RunView::default());
                    if self.session.queue(run.clone()) {
                        showcase::remember(&run.id());
                    } else {
                        self.toasts.say(format!("Queued{place}: it stands above the run at work."));
                    }
                    live::follow(run);
                }
                Err(error) => self.run_error.set(Some(error.to_string())),
            }
        });
    }

    /// Stops a run, wherever it is.
    pub(crate) fn cancel(self, run: RunState) {
        match run.origin {
            Origin::Tab => tab::cancel(&run),
            Origin::Showcase => {}
            Origin::Server => spawn_local(async move {
                match api::cancel(&run.id()).await {
                    Ok(record) => run.record.set(record),
                    Err(error) => self.toasts.say(error.to_string()),
                }
            }),
        }
    }
}

/// Why a tab cannot read a data set; `holds` says whether it holds the file that the spec names.
fn unreadable_in_tab(dataset: &DatasetSpec, holds: bool) -> Option<&'static str> {
    match dataset.source {
        DataSource::Builtin => None,
        DataSource::File => Some(
            "A tab cannot read a file on the server's disk. Run it on the server, or choose the file with “A file of yours…”.",
        ),
        DataSource::Upload if dataset.format.is_some_and(DataFormat::is_table) => {
            Some("A tab does not read Parquet and Arrow. Run it on the server.")
        }
        DataSource::Upload if holds => None,
        DataSource::Upload => Some(
            "This tab does not hold the file of this spec. Run it on the server, or choose the file again with “A file of yours…”.",
        ),
    }
}

/// Whether the numbers of two specs can stand side by side: the same data, split and seed, and where both rank lists, the same
/// candidates and users.
pub(crate) fn comparable(a: &ExperimentSpec, b: &ExperimentSpec) -> bool {
    let ranks = |spec: &ExperimentSpec| spec.evaluation.metrics.iter().any(|name| name.kind.at_k());
    let lists = ranks(a) && ranks(b);
    match (a.resolve(), b.resolve()) {
        (Ok(a), Ok(b)) => {
            let ranked = |of: &EvaluationSpec| lists.then_some((of.candidates, of.max_users, of.sampled));
            (a.dataset, a.split, a.data_seed, a.evaluation.threshold, ranked(&a.evaluation))
                == (b.dataset, b.split, b.data_seed, b.evaluation.threshold, ranked(&b.evaluation))
        }
        _ => false,
    }
}

/// Whether the losses of two specs can stand on one axis: the same data, split, method and loss.
pub(crate) fn same_loss(a: &ExperimentSpec, b: &ExperimentSpec) -> bool {
    let (Ok(a), Ok(b)) = (a.resolve(), b.resolve()) else { return false };
    let loss = |spec: &ResolvedSpec| spec.training.as_ref().map(|training| training.loss);
    let same_method = a.recommender.entry.kind == b.recommender.entry.kind;
    same_method && loss(&a) == loss(&b) && (a.dataset, a.split) == (b.dataset, b.split)
}

/// Whether a run of a spec has a curve; of one with a mistake nothing is known yet, and most have.
pub(crate) fn has_curve(spec: &ExperimentSpec) -> bool {
    spec.resolve().map_or(true, |spec| spec.recommender.has_curve())
}

/// Whether two specs ask for the same numbers: names and spelled-out defaults do not count.
pub(crate) fn same_experiment(a: &ExperimentSpec, b: &ExperimentSpec) -> bool {
    match (a.resolve(), b.resolve()) {
        (Ok(mut a), Ok(mut b)) => {
            a.name.clear();
            b.name.clear();
            a == b
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    #[test]
    fn nobody_is_the_owner_or_a_guest_until_the_server_has_said_so() {
        let here = |role: &str| {
            let told = format!(r#"{{"version":"1","role":"{role}","slots":1}}"#);
            LabState::Here(Box::new(recspeed_types::api::read(&told).expect("an answer of the server")))
        };
        assert_eq!(here("owner").looker(), Looker::Owner);
        assert_eq!(here("guest").looker(), Looker::Guest);
        assert_eq!(LabState::Asking.looker(), Looker::Asking);
        let silent = LabState::Absent(api::ApiError::Unreachable.to_string());
        assert!(matches!(silent.looker(), Looker::Unknown(why) if why.starts_with("The server does not answer")));
        // Only then is it asked again: not twice at once, and not where it has answered.
        assert!(silent.is_silent());
        assert!([LabState::Asking, here("owner"), here("guest")].iter().all(|state| !state.is_silent()));
    }

    #[test]
    fn names_and_spelled_out_defaults_do_not_make_another_experiment() {
        let plain = ExperimentSpec::default();
        let mut spelled = plain.clone();
        spelled.name = "mine".to_owned();
        spelled.training.epochs = Some(3);
        assert!(same_experiment(&plain, &spelled));
        spelled.recommender = RecommenderSpec::new("popularity");
        assert!(!same_experiment(&plain, &spelled));
    }

    #[test]
    fn a_tab_runs_what_it_makes_or_holds_and_says_why_it_runs_nothing_else() {
        let file = DatasetSpec::file("u.data", DataFormat::Movielens);
        assert!(unreadable_in_tab(&file, false).is_some_and(|why| why.contains("on the server's disk")));
        let upload = DatasetSpec::upload(&"a".repeat(64), DataFormat::AmazonCsv);
        assert!(unreadable_in_tab(&upload, false).is_some_and(|why| why.contains("does not hold")));
        assert_eq!(unreadable_in_tab(&upload, true), None);
        let table = DatasetSpec::upload(&"a".repeat(64), DataFormat::Parquet);
        assert!(unreadable_in_tab(&table, true).is_some_and(|why| why.contains("Parquet")));
        assert_eq!(unreadable_in_tab(&ExperimentSpec::default().dataset, false), None);
    }

    #[test]
    fn numbers_of_other_data_or_another_seed_do_not_stand_side_by_side() {
        let plain = ExperimentSpec::default();
        let method = ExperimentSpec { recommender: RecommenderSpec::new("item-mean"), ..plain.clone() };
        assert!(comparable(&plain, &method));
        assert!(!comparable(&plain, &ExperimentSpec { seed: 7, ..plain.clone() }));
        let mut data = plain.clone();
        data.dataset.sample = Some(500);
        assert!(!comparable(&plain, &data));
    }
}
