//! The five settings that are always in sight.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::api::ServerFile;
use recspeed_types::builtin::BUILTIN_DATASETS;
use recspeed_types::catalogue::{self, ENTRIES};
use recspeed_types::spec::DataSource;

use crate::charts::{bytes, count};
use crate::components::{FieldError, Hint, Knob, Select, UploadsRefused};
use crate::form::{Choice, SpecDraft, knobs};
use crate::state::{Lab, use_lab};

/// The knobs.
#[component]
pub(crate) fn Knobs() -> impl IntoView {
    let lab = use_lab();
    let fields = Memo::new(move |_| lab.draft.with(|draft| knobs(draft.spec())));
    let resting = Memo::new(move |_| lab.draft.with(SpecDraft::is_unreadable));
    view! {
        <fieldset class="knobs" disabled=move || resting.get()>
            <legend class="visually-hidden">"Knobs"</legend>
            <DatasetKnob/>
            <RecommenderKnob/>
            <For each=move || fields.get() key=|field| format!("{field:?}") let:field><Knob field=field/></For>
        </fieldset>
    }
}

#[component]
fn DatasetKnob() -> impl IntoView {
    let lab = use_lab();
    // With other attributes than those beside it, the file is one that the reader has named.
    let file = Memo::new(move |_| {
        let dataset = lab.draft.with(|draft| draft.spec().dataset.clone());
        let as_listed = |file: &ServerFile| (&file.items, &file.users) == (&dataset.items, &dataset.users);
        lab.server_file_of(&dataset).filter(as_listed)
    });
    let chosen =
        Memo::new(move |_| file.get().map_or_else(|| lab.draft.with(SpecDraft::dataset_value), |file| file.id));
    let about = move || {
        if let Some(file) = file.get() {
            return Some(of_file(&file));
        }
        let value = chosen.get();
        let builtin = value.strip_prefix("builtin:").and_then(recspeed_types::builtin::find);
        builtin.map(|b| {
            format!(
                "{} ratings · {} users · {} items",
                count(b.rows.into()),
                count(b.users.into()),
                count(b.items.into())
            )
        })
    };
    view! {
        <div class="knob knob-choice">
            <Hint
                word="Data set"
                text="The ratings to learn from. Synthetic sets are made up by the lab from the seed, in the image of the Amazon Beauty ratings; they are free for any use."
                control="knob-dataset"
            />
            <Select
                id="knob-dataset"
                options=Signal::derive(move || datasets(lab))
                chosen=chosen
                choose=move |value: String| {
                    if value == OWN {
                        // The window decides.
                        lab.own_file.set(true);
                    } else if !lab.take_dataset(&value) {
                        lab.draft.update(|draft| draft.choose("dataset", &value));
                    }
                }
            />
            <p class="help">{about}</p>
            <FieldError path="dataset" id="knob-dataset" others=&["dataset.path", "dataset.format"]/>
            <UploadsRefused list="knob-dataset"/>
        </div>
    }
}

/// What is known of a file on the server's machine before it is read.
fn of_file(file: &ServerFile) -> String {
    let attributes = match (&file.items, &file.users) {
        (Some(_), Some(_)) => ", with attributes of items and users",
        (Some(_), None) => ", with attributes of items",
        (None, Some(_)) => ", with attributes of users",
        (None, None) => "",
    };
    let protocol = file.about.as_ref().map_or_else(String::new, |about| format!(" {}", about.protocol));
    format!("{}{attributes}.{protocol}", file.path)
}

/// The entry of the list that opens the window for a file of the reader's own.
const OWN: &str = "own";

/// Built-in sets, files on the server, and what the draft names itself.
fn datasets(lab: Lab) -> Vec<Choice> {
    let mut all: Vec<Choice> = BUILTIN_DATASETS
        .iter()
        .map(|set| Choice { group: "Built in", ..Choice::titled(&format!("builtin:{}", set.id), set.title) })
        .collect();
    for upload in lab.uploads.get() {
        all.push(Choice {
            value: format!("upload:{}:{}", upload.format.as_str(), upload.sha256),
            title: format!("{} ({} ratings, {})", upload.name, count(upload.rows), bytes(upload.bytes)),
            group: "Given to the server",
            off: false,
        });
    }
    for file in lab.server_files.get().map(|all| all.files).unwrap_or_default() {
        let title = format!("{} ({}, {})", file.title, file.format.title(), bytes(file.bytes));
        all.push(Choice { value: file.id, title, group: "On this server", off: false });
    }
    for held in lab.held.get() {
        let value = format!("upload:{}:{}", held.format.as_str(), held.sha256);
        if !all.iter().any(|choice| choice.value == value) {
            let title = format!("{} ({})", held.name, bytes(held.bytes));
            all.push(Choice { value, title, group: "In this tab", off: false });
        }
    }
    all.push(Choice { group: "Other", ..Choice::titled(OWN, "A file of yours…") });
    all.push(Choice { group: "Other", ..Choice::titled("file", "A file on the server…") });
    let (value, source) = lab.draft.with(|draft| (draft.dataset_value(), draft.spec().dataset.source));
    if !all.iter().any(|choice| choice.value == value) {
        let id = lab.draft.with(|draft| draft.spec().dataset.id.clone()).unwrap_or_default();
        let short: String = id.chars().take(12).collect();
        let title =
            if source == DataSource::Upload { format!("Upload {short}…") } else { format!("Unknown: {short}") };
        all.push(Choice { value, title, group: "In this spec", off: false });
    }
    all
}

#[component]
fn RecommenderKnob() -> impl IntoView {
    let lab = use_lab();
    let chosen = Memo::new(move |_| lab.draft.with(|draft| draft.spec().recommender.kind.clone()));
    let options: Vec<Choice> = ENTRIES
        .iter()
        .map(|entry| Choice { group: entry.family.title(), ..Choice::titled(entry.kind, entry.title) })
        .collect();
    let about = move || {
        catalogue::find(&chosen.get()).map(|entry| {
            let source = &entry.source;
            let cite = format!("{}. {}", source.authors, source.title);
            view! {
                <details class="about">
                    <summary>{first_sentence(entry.summary)}</summary>
                    <p>{rest(entry.summary)}</p>
                    <p>{format!("Somebody without ratings gets: {}. An item without ratings: {}.", entry.cold_users, entry.cold_items)}</p>
                    <p>
                        {if source.link.is_empty() {
                            cite.into_any()
                        } else {
                            view! { <a href=source.link rel="noopener" target="_blank">{cite}</a> }.into_any()
                        }}
                    </p>
                </details>
                // A page in another one has no way back from there.
                <p class="knob-more" hidden=lab.embedded>
                    <A href=format!("/recommenders#{}", entry.kind) attr:data-testid="what-is-it">"What is it?"</A>
                </p>
            }
        })
    };
    view! {
        <div class="knob knob-choice">
            <Hint
                word="Recommender"
                text="The method that learns. Baselines show what any other method must beat."
                control="knob-recommender"
            />
            <Select
                id="knob-recommender"
                options=options
                chosen=chosen
                choose=move |value: String| lab.draft.update(|draft| draft.choose("recommender.kind", &value))
            />
            {about}
            <FieldError path="recommender.kind" id="knob-recommender"/>
        </div>
    }
}

fn first_sentence(text: &str) -> String {
    text.split_once(". ").map_or_else(|| text.to_owned(), |(first, _)| format!("{first}."))
}

fn rest(text: &str) -> String {
    text.split_once(". ").map_or_else(String::new, |(_, rest)| rest.to_owned())
}
