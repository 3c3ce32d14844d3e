//! A field of the form: label, control, help, and what is wrong, at the field.

use leptos::either::EitherOf3;
use leptos::prelude::*;

use super::component_list::ComponentList;
use super::{Select, with_code};
use crate::form::{Field, FieldKind, decides};
use crate::state::use_lab;

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
    let wrong = Memo::new(move |_| lab.draft.with(|draft| field.with_value(|f| draft.problem_at(&f.path)).is_some()));
    let describedby = format!("{id}-help {id}-error");
    let test_id = field.with_value(|f| format!("knob-{}", f.slug()));
    let type_text = move |text: String| {
        let typed = field.get_value();
        // What decides which other fields there are is chosen, so that they are tidied with it.
        lab.draft.update(|draft| {
            if decides(&typed.path) { draft.choose(&typed.path, &text) } else { draft.type_field(&typed, &text) }
        });
    };
    let free = field.with_value(|f| matches!(f.kind, FieldKind::Text));
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
        kind => EitherOf3::C(view! {
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
                prop:value=move || text.get()
                // A name is taken as it is typed: what was wrong before it is not said until the field is left, and whoever goes on with
                // a click finds the button where it was. A number is taken when it is whole.
                on:input=move |event| {
                    if free {
                        type_text(event_target_value(&event));
                    }
                }
                on:change=move |event| type_text(event_target_value(&event))
            />
        }),
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
) -> impl IntoView {
    let lab = use_lab();
    let shown = path.clone();
    let error =
        Memo::new(move |_| lab.draft.with(|draft| if draft.is_unreadable() { None } else { draft.problem_at(&path) }));
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
