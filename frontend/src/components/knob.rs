//! A knob: a slider over a few safe values, and a box that takes any.

use leptos::prelude::*;

use super::Hint;
use super::component_list::ComponentList;
use super::field::{Control, FieldError};
use crate::form::{Field, FieldKind, Stops};
use crate::state::use_lab;

/// One of the few settings that are always in sight.
#[component]
pub(crate) fn Knob(
    /// The field.
    field: Field,
) -> impl IntoView {
    if matches!(field.kind, FieldKind::Recommenders { .. }) {
        return view! { <ComponentList field=field/> }.into_any();
    }
    let lab = use_lab();
    let id = format!("knob-{}", field.slug());
    let stops = Stops::of(&field.kind);
    let slider = stops.map(|stops| {
        let last = stops.last();
        let label = format!("{}, slider", field.title);
        let slug = format!("slider-{}", field.slug());
        let field = StoredValue::new(field.clone());
        let stops = StoredValue::new(stops);
        let text = Memo::new(move |_| lab.draft.with(|draft| field.with_value(|f| draft.field_text(f))));
        let position = move || {
            let value = text.get().parse::<f64>().unwrap_or_default();
            stops.with_value(|stops| stops.nearest(value))
        };
        view! {
            <input
                type="range"
                class="slider"
                min="0"
                max=last
                step="1"
                aria-label=label
                aria-valuetext=move || text.get()
                data-testid=slug
                prop:value=move || position().to_string()
                on:input=move |event| {
                    let at = event_target_value(&event).parse().unwrap_or_default();
                    let value = stops.with_value(|stops| stops.value(at));
                    let text = crate::form::number(value);
                    lab.draft.update(|draft| field.with_value(|f| draft.type_field(f, &text)));
                }
            />
        }
    });
    let path = field.path.clone();
    let (title, help) = (field.title.to_string(), field.help.to_string());
    let wide = slider.is_none();
    view! {
        <div class="knob" class:knob-wide=wide>
            <div class="knob-head">
                <Hint word=title text=help control=id.clone()/>
                <Control field=field id=id.clone()/>
            </div>
            {slider}
            <FieldError path=path id=id/>
        </div>
    }
    .into_any()
}
