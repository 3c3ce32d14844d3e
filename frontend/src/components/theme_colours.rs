//! Which colours the style sheets give at the moment: charts are drawn once and must be drawn again when these change.

use leptos::prelude::*;

use crate::state::{Theme, system_is_dark, use_lab};

/// A name that changes when the colours do.
pub(crate) fn theme_colours() -> Signal<&'static str> {
    let lab = use_lab();
    let system = system_is_dark();
    Signal::derive(move || match (lab.theme.get(), system.get()) {
        (Theme::System, true) => "system-dark",
        (theme, _) => theme.as_str(),
    })
}
