//! A field of the form: label, control, help, and what is wrong, at the field.

use leptos::either::EitherOf3;
use leptos::prelude::*;

use super::component_list::ComponentList;
use super::{Select, with_code};
use crate::form::{Field, FieldKind, SpecDraft, decides};
use crate::state::{Lab, use_lab};

/// What is wrong at a path, as the reader is told: what becomes wrong while it is typed is told when the field is left, and
/// what is right again at once. `others`: paths below it whose own fields tell what is wrong there.
fn told_at(lab: Lab, path: String, others: &'static [&'static str]) -> Memo<Option<String>> {
    Memo::new(move |before: Option<&Option<String>>| {
        let typing = lab.typing.with(|typing| typing.as_ref() == Some(&path));
        let now =
            lab.draft.with(|draft| if draft.is_unreadable() { None } else { draft.problem_beside(&path, others) });
        if typing && before.is_none_or(Option::is_none) { None } else { now }
    })
}

/// The control of a field alone.
#[component]
pub(crate) fn Control(
    /// The field.
    field: Field,
    /// The element's id, for its label.
    id: String,
) -> impl IntoView {
    let lab = use_lab();
    let field = StoredValue::new(field);
    let text = Memo::new(move |_| lab.draft.with(|draft| field.with_value(|f| draft.field_text(f))));
    let told = told_at(lab, field.with_value(|f| f.path.clone()), &[]);
    let wrong = Memo::new(move |_| told.with(Option::is_some));
    let describedby = format!("{id}-help {id}-error");
    let test_id = field.with_value(|f| format!("knob-{}", f.slug()));
    let type_text = move |text: String| {
        let typed = field.get_value();
        // What decides which other fields there are is chosen, so that they are tidied with it.
        lab.draft.update(|draft| {
            if decides(&typed.path) { draft.choose(&typed.path, &text) } else { draft.type_field(&typed, &text) }
        });
    };
    match field.with_value(|f| f.kind.clone()) {
        FieldKind::Choice { options, .. } => EitherOf3::A(view! {
            <Select id=id test_id=test_id options=options chosen=text wrong=wrong choose=Callback::new(type_text)/>
        }),
        FieldKind::Flag { .. } => EitherOf3::B(view! {
            <input
                type="checkbox"
                id=id
                data-testid=test_id
                aria-describedby=describedby
                prop:checked=move || text.get() == "true"
                on:change=move |event| type_text(event_target_checked(&event).to_string())
            />
        }),
        kind => EitherOf3::C(text_box(field.get_value(), kind, id, test_id, text, wrong)),
    }
}

/// The box of a field that is typed. Each letter is set at once, so that whatever is pressed next finds it set; the box
/// itself keeps what was typed until it is left, and then shows the value as it is written.
fn text_box(
    field: Field,
    kind: FieldKind,
    id: String,
    test_id: String,
    text: Memo<String>,
    wrong: Memo<bool>,
) -> impl IntoView {
    let lab = use_lab();
    let field = StoredValue::new(field);
    let typed = RwSignal::new(None::<String>);
    let describedby = format!("{id}-help {id}-error");
    // A box that is gone is not typed in.
    let is_typed_in = move || {
        let is_it = |f: &Field| lab.typing.with_untracked(|typing| typing.as_ref() == Some(&f.path));
        field.try_with_value(is_it) == Some(true)
    };
    let stop_typing = move || {
        if is_typed_in() {
            lab.typing.set(None);
        }
    };
    let type_text = move |event| {
        let text = event_target_value(&event);
        typed.set(Some(text.clone()));
        field.with_value(|f| {
            lab.typing.set(Some(f.path.clone()));
            lab.draft.update(|draft| draft.type_field(f, &text));
        });
    };
    let leave = move || {
        if typed.try_set(None).is_some() {
            // Some browsers say so of a box that was taken away.
            return;
        }
        stop_typing();
        if lab.draft.with_untracked(SpecDraft::awaits_path) {
            lab.draft.update(|draft| field.with_value(|f| draft.leave(&f.path)));
        }
    };
    on_cleanup(stop_typing);
    view! {
        <input
            type="text"
            id=id
            class:wide=matches!(kind, FieldKind::Metrics | FieldKind::Text)
            inputmode=match kind {
                FieldKind::Integer { .. } => "numeric",
                FieldKind::Number { .. } => "decimal",
                _ => "text",
            }
            autocomplete="off"
            spellcheck="false"
            data-testid=test_id
            placeholder=if matches!(kind, FieldKind::Text) { "" } else { "not set" }
            aria-describedby=describedby
            aria-invalid=move || wrong.get().to_string()
            prop:value=move || typed.get().unwrap_or_else(|| text.get())
            on:input=type_text
            on:change=move |_| leave()
            on:blur=move |_| leave()
        />
    }
}

/// What is wrong with a field, announced when it appears.
#[component]
pub(crate) fn FieldError(
    /// The field's path.
    #[prop(into)]
    path: String,
    /// The control's id.
    #[prop(into)]
    id: String,
    /// Paths below it whose own fields tell what is wrong there.
    #[prop(optional)]
    others: &'static [&'static str],
) -> impl IntoView {
    let shown = path.clone();
    let error = told_at(use_lab(), path, others);
    view! {
        <p class="field-error" id=format!("{id}-error") role="status" hidden=move || error.get().is_none()>
            // Nothing stays in it when nothing is wrong: what describes a control is read out also where it is hidden.
            {move || error.get().map(|error| view! { <code>{shown.clone()}</code>" "{with_code(&error)} })}
        </p>
    }
}

/// A field on a row of its own, with its help in sight.
#[component]
pub(crate) fn FieldRow(
    /// The field.
    field: Field,
    /// Its help, where that changes with what is chosen.
    #[prop(optional, into)]
    help: Option<Signal<String>>,
) -> impl IntoView {
    if matches!(field.kind, FieldKind::Recommenders { .. }) {
        return view! { <ComponentList field=field/> }.into_any();
    }
    let id = format!("field-{}", field.slug());
    let (title, own, path) = (field.title.clone(), field.help.to_string(), field.path.clone());
    let help = help.unwrap_or_else(|| Signal::stored(own));
    view! {
        <div class="field">
            <label for=id.clone()>{title}</label>
            <Control field=field id=id.clone()/>
            <p class="help" id=format!("{id}-help")>{help}</p>
            <FieldError path=path id=id/>
        </div>
    }
    .into_any()
}
