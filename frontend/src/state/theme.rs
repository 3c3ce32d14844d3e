//! Light and dark: as the system says, unless the reader chose.

use leptos::prelude::*;

use super::{keep, kept};

/// What the reader chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// Where the choice is kept; `static/boot.js` reads the same key before the first paint.
const KEY: &str = "recspeed-theme";

impl Theme {
    /// The choice of an earlier visit.
    pub(crate) fn remembered() -> Self {
        match kept(KEY).as_deref() {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// Makes the page look like it, and remembers it.
    pub(crate) fn apply(self) {
        let Some(root) = document().document_element() else { return };
        let chosen = (self != Self::System).then(|| self.as_str());
        // Refused only for a text that is no attribute's name.
        let _ = match chosen {
            Some(name) => root.set_attribute("data-theme", name),
            None => root.remove_attribute("data-theme"),
        };
        keep(KEY, chosen);
    }

    /// The name for people and for the attribute.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The next choice of the switch.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// Whether the system asks for a dark page; changes when the system does.
pub(crate) fn system_is_dark() -> RwSignal<bool> {
    use wasm_bindgen::prelude::*;
    let dark = RwSignal::new(false);
    let Ok(Some(query)) = window().match_media("(prefers-color-scheme: dark)") else { return dark };
    dark.set(query.matches());
    let watched = query.clone();
    let on_change = Closure::<dyn Fn()>::new(move || dark.set(watched.matches()));
    query.set_onchange(Some(on_change.as_ref().unchecked_ref()));
    let kept = StoredValue::new_local((query, on_change));
    on_cleanup(move || kept.with_value(|(query, _)| query.set_onchange(None)));
    dark
}
