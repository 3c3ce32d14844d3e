//! A window for a file of the reader's own: used in this tab, or given to the server.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::spec::DataFormat;
use web_sys::File;

use super::{Icon, Modal, Picture};
use crate::charts::{bytes, share};
use crate::form::guess_format;
use crate::state::{Looker, Upload, file_head, hold_file, send_file, use_lab};

/// What a file of each format looks like.
const fn example(format: DataFormat) -> &'static str {
    match format {
        DataFormat::AmazonCsv => "user,item,rating or user,item,rating,timestamp",
        DataFormat::Movielens => "u.data, ratings.dat or ratings.csv, with times or without",
        DataFormat::Recbole => "user_id:token, item_id:token, … in the first line",
        DataFormat::Sequences => "one user a line: user item item item …",
        DataFormat::Parquet | DataFormat::Arrow => {
            "columns named user, item, rating, timestamp or alike; the server reads it, a tab does not"
        }
    }
}

/// The window; open while the lab says so.
#[component]
pub(crate) fn OwnFile(
    /// Hears of a file that was taken: its hash, and whether the server has it.
    #[prop(optional)]
    taken: Option<Callback<(String, bool)>>,
) -> impl IntoView {
    let lab = use_lab();
    view! {
        <Modal open=lab.own_file title="A file of yours">
            <OwnFileForm taken=taken/>
        </Modal>
    }
}

#[component]
fn OwnFileForm(taken: Option<Callback<(String, bool)>>) -> impl IntoView {
    let lab = use_lab();
    let input = NodeRef::<html::Input>::new();
    let file = RwSignal::new_local(None::<File>);
    let format = RwSignal::new(DataFormat::AmazonCsv);
    let error = RwSignal::new(None::<String>);
    let sent = RwSignal::new(None::<f64>);
    let reading = RwSignal::new(false);
    // Dropped with the window, which ends the upload.
    let upload = StoredValue::new_local(None::<Upload>);
    let sending = Memo::new(move |_| sent.get().is_some());
    let busy = Memo::new(move |_| sending.get() || reading.get());

    let choose = move |_| {
        let chosen = input.get().and_then(|input| input.files()).and_then(|files| files.get(0));
        error.set(None);
        file.set(chosen.clone());
        let Some(chosen) = chosen else { return };
        spawn_local(async move {
            let head = file_head(&chosen).await;
            if let Some(guess) = guess_format(&chosen.name(), &head) {
                format.set(guess);
            } else {
                file.set(None);
                let name = chosen.name();
                error.set(Some(format!("{name} is neither UTF-8 text nor a table; choose a file with ratings.")));
            }
        });
    };
    let finish = move |sha256: &str, format: DataFormat, on_server: bool| {
        lab.draft.update(|draft| draft.choose("dataset", &format!("upload:{}:{sha256}", format.as_str())));
        lab.own_file.set(false);
        if let Some(taken) = taken {
            taken.run((sha256.to_owned(), on_server));
        }
    };
    let here = move |_| {
        let Some(chosen) = file.get_untracked() else { return };
        error.set(None);
        reading.set(true);
        spawn_local(async move {
            let held = hold_file(&chosen, format.get_untracked()).await;
            if reading.try_set(false).is_some() {
                // The window was closed meanwhile.
                return;
            }
            match held {
                Ok(held) => {
                    let (sha256, format) = (held.sha256.clone(), held.format);
                    lab.held.update(|files| {
                        files.retain(|other| other.sha256 != held.sha256);
                        files.push(held);
                    });
                    finish(&sha256, format, false);
                }
                Err(words) => error.set(Some(words)),
            }
        });
    };
    let there = move |_| {
        let Some(chosen) = file.get_untracked() else { return };
        error.set(None);
        sent.set(Some(0.0));
        let started = send_file(
            &chosen,
            format.get_untracked(),
            move |part| sent.set(Some(part)),
            move |answer| {
                sent.set(None);
                match answer {
                    Ok(record) => {
                        let (sha256, format) = (record.sha256.clone(), record.format);
                        lab.uploads.update(|all| {
                            all.retain(|other| other.sha256 != record.sha256);
                            all.insert(0, record);
                        });
                        finish(&sha256, format, true);
                    }
                    Err(failure) => error.set(Some(failure.to_string())),
                }
            },
        );
        match started {
            Ok(running) => upload.set_value(Some(running)),
            Err(failure) => {
                sent.set(None);
                error.set(Some(failure.to_string()));
            }
        }
    };
    let cancel = move |_| {
        upload.set_value(None);
        sent.set(None);
    };
    let formats = DataFormat::ALL.map(|one| {
        view! { <option value=one.as_str() selected=move || format.get() == one>{one.title()}</option> }
    });
    let pick_format = move |event| {
        let value = event_target_value(&event);
        if let Some(chosen) = DataFormat::ALL.into_iter().find(|one| one.as_str() == value) {
            format.set(chosen);
        }
    };
    let empty = move || file.with(Option::is_none);
    view! {
        <div class="own-file" data-testid="own-file">
            <p class="note">"Ratings as text, one a line, packed with gzip, zstd or not at all; or a table as Parquet or Arrow. A file that is used in this tab never leaves it."</p>
            <input type="file" node_ref=input data-first="" class="file-drop" aria-label="Choose a file of ratings, or drop it here" data-testid="own-file-input" disabled=move || busy.get() on:change=choose/>
            <div class="own-file-format" hidden=empty>
                <label for="own-file-format">"Written as"</label>
                <span class="select">
                    <select id="own-file-format" data-testid="own-file-format" disabled=move || busy.get() on:change=pick_format>{formats}</select>
                </span>
                <p class="help">{move || example(format.get())}</p>
            </div>
            <div class="own-file-actions" hidden=move || busy.get()>
                <button type="button" class="button primary" data-testid="own-file-tab" disabled=move || empty() || format.get().is_table() on:click=here>
                    <Icon picture=Picture::Play/>
                    <span>"Use it in this tab"</span>
                </button>
                <button type="button" class="button" data-testid="own-file-server" disabled=move || empty() || !lab.is_owner() on:click=there>
                    <Icon picture=Picture::Server/>
                    <span>"Give it to the server"</span>
                </button>
            </div>
            <p class="note" hidden=move || lab.is_owner()>
                {move || match lab.looker() {
                    Looker::Unknown(_) => "No server answers here: a file can be used in this tab alone.",
                    Looker::Guest => "Giving files to the server needs the owner’s link.",
                    Looker::Asking | Looker::Owner => "",
                }}
            </p>
            <p class="note" role="status" hidden=move || !reading.get()>"Reading it…"</p>
            <div class="progress" hidden=move || !sending.get()>
                <div class="progress-head">
                    <strong>{move || if sent.get().unwrap_or(0.0) < 1.0 { "Sending" } else { "The server reads it" }}</strong>
                    <span class="progress-detail">
                        {move || file.with(|file| file.as_ref().map(|file| format!("{} of {}", share(sent.get().unwrap_or(0.0)), bytes(file.size() as u64))))}
                    </span>
                </div>
                <progress max="1" prop:value=move || sent.get().unwrap_or(0.0) aria-label="Progress of the upload"></progress>
                <button type="button" class="button" data-testid="own-file-cancel" on:click=cancel><Icon picture=Picture::Stop/><span>"Cancel"</span></button>
            </div>
            {move || error.get().map(|text| view! {
                <div class="message message-error" role="alert" data-testid="own-file-error"><Icon picture=Picture::Warning/><p>{text}</p></div>
            })}
        </div>
    }
}
