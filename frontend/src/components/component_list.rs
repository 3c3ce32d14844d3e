//! The components of a hybrid: a row for each, with its kind, what is said of its place, and its own settings folded.

use leptos::prelude::*;

use super::field::{Control, FieldError, FieldRow};
use super::{Hint, Icon, Picture, Select};
use crate::form::{Field, ListChange, Place, places};
use crate::state::use_lab;

/// The list of a field that takes recommenders.
#[component]
pub(crate) fn ComponentList(
    /// The field.
    field: Field,
) -> impl IntoView {
    let lab = use_lab();
    let path = StoredValue::new(field.path.clone());
    let list = Memo::new(move |_| lab.draft.with(|draft| path.with_value(|path| places(draft.spec(), path))));
    let change = move |change| lab.draft.update(|draft| path.with_value(|path| draft.change_components(path, change)));
    let id = format!("knob-{}", field.slug());
    let add = format!("add-{}", field.slug());
    view! {
        <div class="knob components">
            <Hint word=field.title.to_string() text=field.help.to_string() control=id.clone()/>
            <ol id=id>
                <For each=move || list.get().0.into_iter().enumerate() key=|place| format!("{place:?}") let((index, place))>
                    <PlaceRow place=place remove=Callback::new(move |()| change(ListChange::Remove(index)))/>
                </For>
            </ol>
            <button
                type="button"
                class="button link"
                data-testid=add
                hidden=move || !list.get().1
                on:click=move |_| change(ListChange::Add)
            >
                "Add a recommender"
            </button>
        </div>
    }
    .into_any()
}

#[component]
fn PlaceRow(place: Place, remove: Callback<()>) -> impl IntoView {
    let lab = use_lab();
    let Place { path, kind, choices, given, own, removable } = place;
    let id = format!("place-{}", path.replace('.', "-"));
    let kind_path = format!("{path}.kind");
    let chosen = Signal::derive(move || kind.clone());
    let choose = {
        let kind_path = kind_path.clone();
        move |value: String| lab.draft.update(|draft| draft.choose(&kind_path, &value))
    };
    let given = given
        .into_iter()
        .map(|field| {
            let id = format!("field-{}", field.slug());
            let path = field.path.clone();
            view! {
                <label for=id.clone()>{field.title.clone()}</label>
                <Control field=field id=id.clone()/>
                <FieldError path=path id=id/>
            }
        })
        .collect_view();
    let settings = (!own.is_empty()).then(|| {
        let fields = own.into_iter().map(|field| view! { <FieldRow field=field/> }).collect_view();
        view! { <details class="definitions"><summary>"Its settings"</summary>{fields}</details> }
    });
    let remove = removable.then(|| {
        view! {
            <button type="button" class="button quiet square" aria-label="Remove" on:click=move |_| remove.run(())>
                <Icon picture=Picture::Cross/>
            </button>
        }
    });
    view! {
        <li>
            <div class="component-head">
                <Select id=id.clone() label="Recommender" options=choices chosen=chosen choose=Callback::new(choose)/>
                {remove}
            </div>
            <FieldError path=kind_path id=id/>
            <div class="component-place">{given}</div>
            {settings}
        </li>
    }
    .into_any()
}
