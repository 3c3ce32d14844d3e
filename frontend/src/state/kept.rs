//! What the browser keeps for the next visit.

use leptos::prelude::window;

/// What is kept under a name. A browser that refuses storage, as in some private windows, has kept nothing.
pub(crate) fn kept(name: &str) -> Option<String> {
    window().local_storage().ok().flatten()?.get_item(name).ok().flatten()
}

/// Keeps a text under a name, or forgets what is kept there. A browser that refuses storage forgets it with the visit.
pub(crate) fn keep(name: &str, text: Option<&str>) {
    let Some(storage) = window().local_storage().ok().flatten() else { return };
    let _ = match text {
        Some(text) => storage.set_item(name, text),
        None => storage.remove_item(name),
    };
}
