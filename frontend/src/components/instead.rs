//! What would be taken in place of something that is refused.

use leptos::prelude::*;
use recspeed_types::Instead;
use recspeed_types::catalogue::find;

/// A button for each setting that would be taken; `choose` sets it.
pub(crate) fn instead_buttons(instead: Vec<Instead>, choose: impl Fn(&Instead) + Clone + 'static) -> AnyView {
    let button = |one: Instead| {
        let choose = choose.clone();
        let title = find(&one.value).map_or_else(|| one.value.clone(), |entry| entry.title.to_owned());
        let test_id = format!("instead-{}", one.value);
        let press = move |_| choose(&one);
        view! { <button type="button" class="button" data-testid=test_id on:click=press>"Use "{title}</button> }
    };
    view! { <p class="instead">{instead.into_iter().map(button).collect_view()}</p> }.into_any()
}
