//! The spec as TOML: coloured, checked as it is typed, in step with the knobs.

use leptos::html;
use leptos::prelude::*;
use recspeed_types::{ExperimentSpec, SpecError};

use super::with_code;
use crate::form::{TokenKind, line_of_path, line_of_syntax_error, syntax_words, tokens};
use crate::state::use_lab;

const fn class_of(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Section => "tok-section",
        TokenKind::Key => "tok-key",
        TokenKind::Text => "tok-text",
        TokenKind::Value => "tok-value",
        TokenKind::Comment => "tok-comment",
        TokenKind::Plain => "tok-plain",
    }
}

fn line_of(text: &str, error: &SpecError) -> Option<usize> {
    if error.path.is_empty() { line_of_syntax_error(&error.message) } else { line_of_path(text, &error.path) }
}

/// The text with colours; lines in `wrong` are marked.
fn coloured(text: &str, wrong: &[usize]) -> impl IntoView + use<> {
    let line = |(number, line): (usize, &str)| {
        let spans =
            tokens(line).into_iter().map(|token| view! { <span class=class_of(token.kind)>{token.text}</span> });
        view! { <span class="line" class:line-wrong=wrong.contains(&number)>{spans.collect_view()}"\n"</span> }
    };
    text.split('\n').enumerate().map(line).collect_view()
}

/// The spec of the draft, to be edited.
#[component]
pub(crate) fn SpecEditor() -> impl IntoView {
    let lab = use_lab();
    let area = NodeRef::<html::Textarea>::new();
    let text = Memo::new(move |_| lab.draft.with(|draft| draft.text().to_owned()));
    let problems = Memo::new(move |_| lab.draft.with(crate::form::SpecDraft::problems));
    let unreadable = Memo::new(move |_| lab.draft.with(crate::form::SpecDraft::is_unreadable));
    let wrong = Memo::new(move |_| {
        text.with(|text| problems.with(|all| all.iter().filter_map(|error| line_of(text, error)).collect::<Vec<_>>()))
    });
    let rows = move || text.with(|text| text.lines().count().max(8) + 1).to_string();
    let jump = move |error: SpecError| {
        let Some(area) = area.get_untracked() else { return };
        let start = text.with_untracked(|text| {
            let line = line_of(text, &error).unwrap_or_default();
            text.split('\n').take(line).map(|line| line.encode_utf16().count() as u32 + 1).sum::<u32>()
        });
        // Fails only for elements that are gone.
        let _ = area.focus();
        let _ = area.set_selection_range(start, start);
    };
    view! {
        <section class="card spec" aria-labelledby="spec-title">
            <header class="card-head">
                <h2 id="spec-title">"Spec"</h2>
                <span class="note">"TOML, in step with the knobs"</span>
            </header>
            <div class="code">
                <pre class="code-colours" aria-hidden="true">{move || coloured(&text.get(), &wrong.get())}</pre>
                <textarea
                    node_ref=area
                    data-testid="spec-toml"
                    aria-label="The experiment as TOML"
                    aria-describedby="spec-problems"
                    aria-invalid=move || (!problems.with(Vec::is_empty)).to_string()
                    rows=rows
                    wrap="soft"
                    spellcheck="false"
                    autocomplete="off"
                    autocapitalize="off"
                    prop:value=move || text.get()
                    on:input=move |event| lab.draft.update(|draft| draft.type_toml(event_target_value(&event)))
                ></textarea>
            </div>
            <div id="spec-problems" class="problems" role="status" data-testid="spec-problems">
                <Show when=move || unreadable.get()>
                    <p class="note">
                        "The knobs wait until this can be read. "
                        <button
                            type="button"
                            class="button link"
                            data-testid="restore-spec"
                            on:click=move |_| {
                                lab.draft.update(crate::form::SpecDraft::restore);
                                // The button goes with the mistake.
                                if let Some(area) = area.get_untracked() {
                                    // Fails only for elements that are gone.
                                    let _ = area.focus();
                                }
                            }
                        >
                            "Take the last change back"
                        </button>
                    </p>
                </Show>
                <ul>
                    {move || problems.get().into_iter().map(|error| {
                        let (path, message) = if error.path.is_empty() {
                            syntax_words(&error.message)
                        } else {
                            (error.path.clone(), error.message.clone())
                        };
                        view! {
                            <li>
                                <button type="button" class="button link" on:click=move |_| jump(error.clone())><code>{path}</code></button>
                                " "
                                <span>{with_code(&message)}</span>
                            </li>
                        }
                    }).collect_view()}
                </ul>
            </div>
        </section>
    }
}

/// The spec of a stored run, to be read.
#[component]
pub(crate) fn SpecView(
    /// The spec.
    #[prop(into)]
    spec: Signal<ExperimentSpec>,
) -> impl IntoView {
    view! {
        <section class="card spec" aria-labelledby="spec-title">
            <header class="card-head">
                <h2 id="spec-title">"Spec"</h2>
                <span class="note">"as it ran; edit a copy to change it"</span>
            </header>
            <div class="code">
                <pre class="code-colours readable" tabindex="0" data-testid="spec-toml-view">{move || coloured(&spec.with(ExperimentSpec::to_toml), &[])}</pre>
            </div>
        </section>
    }
}
