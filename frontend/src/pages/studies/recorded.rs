//! What Recspeed's authors measured of a study: shown where nothing was measured here, and on request where something
//! was. The two never stand in one table, for they are of two machines.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::api::{StudyPage, StudyRecorded};
use recspeed_types::study::StudyReport;

use crate::components::{Icon, Picture};
use crate::state::Reply;
use crate::state::api::{self, ApiError};

/// Their report of the study in sight.
#[derive(Clone, Copy)]
pub(super) struct Theirs {
    /// Whether the reader asks for theirs where both are there.
    chosen: RwSignal<bool>,
    /// What became of the question for it, and of which study it is.
    reply: RwSignal<Option<(String, Reply<StudyReport>)>>,
    /// Whether it is what is to be shown.
    pub(super) shown: Memo<bool>,
}

impl Theirs {
    /// Of the study of this `name`, which the server has as `found`. Their report is asked for where it is shown, and
    /// again once a server that was `silent` answers.
    pub(super) fn of(name: Memo<String>, found: Memo<Option<StudyPage>>, silent: RwSignal<bool>) -> Self {
        let (chosen, reply) = (RwSignal::new(false), RwSignal::new(None::<(String, Reply<StudyReport>)>));
        let shown = Memo::new(move |_| {
            found.with(|found| {
                found
                    .as_ref()
                    .is_some_and(|found| found.study.recorded.is_some() && (found.report.is_none() || chosen.get()))
            })
        });
        Effect::new(move |_| {
            name.track();
            chosen.set(false);
        });
        Effect::new(move |_| {
            let asked = name.get();
            if !shown.get() || silent.get() || reply.with_untracked(|reply| is_of(reply.as_ref(), &asked)) {
                return;
            }
            spawn_local(async move {
                match api::recorded_study(&asked).await {
                    Err(ApiError::Unreachable) => {
                        silent.try_set(true);
                    }
                    answer => {
                        reply.try_set(Some((asked, Reply::of(answer))));
                    }
                }
            });
        });
        Self { chosen, reply, shown }
    }

    /// What became of the question for the report of this study.
    pub(super) fn reply(self, name: &str) -> Reply<StudyReport> {
        match self.reply.get() {
            Some((of, reply)) if of == name => reply,
            _ => Reply::Asking,
        }
    }

    /// The choice between what was measured here and theirs, where there are both.
    pub(super) fn choice(self, found: Memo<Option<StudyPage>>) -> AnyView {
        let both = Memo::new(move |_| {
            found.with(|found| {
                found.as_ref().is_some_and(|found| found.report.is_some() && found.study.recorded.is_some())
            })
        });
        let side = move |theirs: bool, word: &'static str, test_id: &'static str| {
            view! {
                <button
                    type="button"
                    data-testid=test_id
                    aria-pressed=move || (self.chosen.get() == theirs).to_string()
                    on:click=move |_| self.chosen.set(theirs)
                >
                    {word}
                </button>
            }
        };
        view! {
            <Show when=move || both.get()>
                <div>
                    <div class="segments" role="group" aria-label="Whose numbers" data-testid="study-whose">
                        {side(false, "Measured here", "study-ours")}
                        {side(true, "By Recspeed’s authors", "study-theirs")}
                    </div>
                </div>
            </Show>
        }
        .into_any()
    }
}

fn is_of(reply: Option<&(String, Reply<StudyReport>)>, name: &str) -> bool {
    reply.is_some_and(|(of, _)| of == name)
}

/// Whose numbers these are, and of which machine; `own` is what was measured here, which may be there and `damaged`.
pub(super) fn banner(theirs: &StudyReport, own: Option<&StudyReport>, damaged: bool, about: StudyRecorded) -> AnyView {
    let text = words(theirs, &crate::pages::runs::when(theirs.measured_ms), own, damaged, about);
    let drawn = view! {
        <p class="message" data-testid="study-banner"><Icon picture=Picture::Warning/><span>{text}</span></p>
    };
    drawn.into_any()
}

fn words(theirs: &StudyReport, when: &str, own: Option<&StudyReport>, damaged: bool, about: StudyRecorded) -> String {
    let machine = &theirs.machine;
    let measured = format!("Measured by Recspeed’s authors on {when}, {}", machine.host);
    let here = match own {
        None if damaged => ".",
        None => "; nothing was measured here yet.",
        Some(own) if !machine.id.is_empty() && own.machine.id == machine.id => ", which is this machine.",
        Some(_) => {
            ". That is another machine than the one of the numbers measured here: hold its rows against each other, and not against those."
        }
    };
    let settings = about.settings.map(|told| format!(" {told}")).unwrap_or_default();
    format!("{measured}{here}{settings}")
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::StudyMachine;

    use super::*;

    fn report(id: &str) -> StudyReport {
        StudyReport {
            study: "mixed".to_owned(),
            title: String::new(),
            question: String::new(),
            measured_ms: 0,
            command: String::new(),
            machine: StudyMachine { host: "a machine".to_owned(), id: id.to_owned(), ..StudyMachine::default() },
            conditions: Vec::new(),
            tables: Vec::new(),
            differences: Vec::new(),
            learnt: None,
            specs: Vec::new(),
            defaults: std::collections::BTreeMap::new(),
            partial: None,
            sittings: Vec::new(),
        }
    }

    #[test]
    fn whose_numbers_these_are_stands_first_and_another_machine_is_never_passed_over() {
        let about = |older: bool| StudyRecorded {
            measured_ms: 0,
            older,
            settings: older.then(|| format!("{} Of “a” b was 1 and is 2 today.", StudyRecorded::OLDER)),
        };
        let told = |own: Option<&str>, damaged, older| {
            let own = own.map(report);
            words(&report("one"), "a day", own.as_ref(), damaged, about(older))
        };
        let begin = "Measured by Recspeed’s authors on a day, a machine";
        assert_eq!(told(None, false, false), format!("{begin}; nothing was measured here yet."));
        assert_eq!(told(None, true, false), format!("{begin}."), "a damaged report was a report");
        assert_eq!(told(Some("one"), false, false), format!("{begin}, which is this machine."));
        for other in ["another", ""] {
            assert!(told(Some(other), false, false).contains("another machine than the one"), "{other}");
        }
        let older = format!(" {} Of “a” b was 1 and is 2 today.", StudyRecorded::OLDER);
        assert!(told(None, false, true).ends_with(&older));
        let unknown = words(&report(""), "a day", Some(&report("")), false, about(false));
        assert!(unknown.contains("another machine"), "machines without a number may be two: {unknown}");
    }
}
