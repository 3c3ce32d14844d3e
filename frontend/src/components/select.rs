//! A list to choose from. What it shows is always what is set, whatever was clicked and however the list has changed.

use leptos::html;
use leptos::prelude::*;

use crate::form::Choice;

/// The list.
#[component]
pub(crate) fn Select(
    /// The element's id, for its label; its help is `{id}-help`, its error `{id}-error`.
    #[prop(into)]
    id: String,
    /// Its name in tests, where that is not its id.
    #[prop(optional, into)]
    test_id: Option<String>,
    /// Its name for those who listen, where no label names it.
    #[prop(optional, into)]
    label: Option<String>,
    /// What there is to choose.
    #[prop(into)]
    options: Signal<Vec<Choice>>,
    /// The value that is set.
    #[prop(into)]
    chosen: Signal<String>,
    /// Whether what is set is a mistake.
    #[prop(optional, into)]
    wrong: Option<Signal<bool>>,
    /// Hears what the reader chose; whether that is then set is not the list's to say.
    #[prop(into)]
    choose: Callback<String>,
) -> impl IntoView {
    let node = NodeRef::<html::Select>::new();
    // A browser keeps the place that was clicked, not the value, when options come, go or move: so the value is set again after every
    // change, when its option is there.
    let show = move || {
        request_animation_frame(move || {
            if let (Some(Some(list)), Some(value)) = (node.try_get_untracked(), chosen.try_get_untracked()) {
                list.set_value(&value);
            }
        });
    };
    Effect::new(move |_| {
        options.track();
        chosen.track();
        node.track();
        show();
    });
    view! {
        <span class="select">
            <select
                node_ref=node
                data-testid=test_id.unwrap_or_else(|| id.clone())
                aria-label=label
                aria-describedby=format!("{id}-help {id}-error")
                aria-invalid=wrong.map(|wrong| move || wrong.get().to_string())
                id=id
                on:change=move |event| {
                    choose.run(event_target_value(&event));
                    show();
                }
            >
                {move || grouped(options.get())}
            </select>
        </span>
    }
    .into_any()
}

/// The options under their headings.
fn grouped(options: Vec<Choice>) -> Vec<AnyView> {
    let mut groups: Vec<(&'static str, Vec<AnyView>)> = Vec::new();
    for Choice { value, title, group, off } in options {
        let option = view! { <option value=value disabled=off>{title}</option> }.into_any();
        match groups.last_mut() {
            Some((name, list)) if *name == group => list.push(option),
            _ => groups.push((group, vec![option])),
        }
    }
    let group = |(name, list): (&'static str, Vec<AnyView>)| {
        if name.is_empty() { list.into_any() } else { view! { <optgroup label=name>{list}</optgroup> }.into_any() }
    };
    groups.into_iter().map(group).collect()
}
