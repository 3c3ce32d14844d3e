//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::use_arrival;

/// Says so, and where to go.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    // At once and in no effect: the router keeps those of a page, but not those of what it shows where no page fits.
    document().set_title("There is no page here · Recspeed");
    use_arrival().look();
    view! {
        <div class="blank">
            <h1>"There is no page here"</h1>
            <p>"The address may be mistyped, or the run behind it was deleted."</p>
            <p><A href="/" attr:class="button primary">"Open the lab"</A></p>
        </div>
    }
}
