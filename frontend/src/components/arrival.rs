//! Where the keyboard is when what it was at has gone: at what came in its place.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, FocusOptions, HtmlElement};

/// How far a change of page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The heading of the page has the focus, or the page was opened by the browser, which gives the focus itself.
    Ended,
    /// The page has just been changed.
    Begun,
    /// The page is there; its heading comes with an answer of the server.
    Waits,
}

/// Brings the keyboard, and whoever listens, to the heading of the page that a link inside this one led to.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    way: StoredValue<Way>,
    said: RwSignal<String>,
}

/// The one of this page, from any component.
pub(crate) fn use_arrival() -> Arrival {
    expect_context::<Arrival>()
}

impl Arrival {
    /// Nobody is on the way: the first page has the focus as the browser gives it.
    pub(crate) fn new() -> Self {
        Self { way: StoredValue::new(Way::Ended), said: RwSignal::new(String::new()) }
    }

    /// Looks for the heading, now that the page is another or has another title. While there is none, the main part of
    /// the page has the focus, and keeps it until the heading comes or the reader goes elsewhere.
    pub(crate) fn look(self) {
        // Whatever changes page and title at once does so before the next picture.
        request_animation_frame(move || {
            let way = self.way.get_value();
            let Some(main) = document().get_element_by_id("main") else { return };
            if way == Way::Ended {
                return;
            }
            let free = way == Way::Begun || is_at(&main);
            let heading = main.query_selector("h1").ok().flatten();
            self.way.set_value(if heading.is_some() { Way::Ended } else { Way::Waits });
            if heading.is_some() {
                self.said.set(document().title());
            }
            if free {
                focus_on(&heading.unwrap_or(main));
            }
        });
    }

    /// The button that asks again goes with what it stands in: whoever presses it is at the part of the page in which the
    /// answer comes, which has `tabindex="-1"`; in the main part, at the heading once that comes.
    pub(crate) fn stay_by(self, button: &Element) {
        if let Ok(Some(part)) = button.closest("[tabindex='-1']") {
            focus_on(&part);
        }
        self.way.set_value(Way::Waits);
    }
}

/// Whether the focus is at the main part of the page or nowhere.
fn is_at(main: &Element) -> bool {
    document().active_element().is_none_or(|here| here == *main || here.tag_name() == "BODY")
}

/// Gives an element the focus, also one that takes none by itself, and leaves the page where it is scrolled to.
pub(crate) fn focus_on(element: &Element) {
    let Some(element) = element.dyn_ref::<HtmlElement>() else { return };
    if element.tab_index() < 0 {
        element.set_tab_index(-1);
    }
    let still = FocusOptions::new();
    still.set_prevent_scroll(true);
    // Fails only for elements that are gone.
    let _ = element.focus_with_options(&still);
}

/// The button goes with what it stands in: whoever pressed it, and is nowhere by the next picture, is at the main part
/// of the page.
pub(crate) fn or_main() {
    request_animation_frame(|| {
        if let Some(main) = document().get_element_by_id("main").filter(is_at) {
            focus_on(&main);
        }
    });
}

/// The page at a path: which runs are compared and which data set is described are choices on one page, and whoever makes
/// them stays where they are.
fn page_at(path: &str) -> &str {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if ["c", "data"].contains(&first) { first } else { path }
}

/// Watches which page is shown, and says its title to those who listen when it is another one.
#[component]
pub(crate) fn Announced() -> impl IntoView {
    let arrival = use_arrival();
    let path = use_location().pathname;
    let page = Memo::new(move |_| path.with(|path| page_at(path).to_owned()));
    Effect::new(move |before: Option<String>| {
        let page = page.get();
        if before.is_some_and(|before| before != page) {
            arrival.way.set_value(Way::Begun);
        }
        page
    });
    view! { <p class="visually-hidden" role="status" data-testid="arrived">{move || arrival.said.get()}</p> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_or_study_is_another_page_and_another_choice_on_a_page_is_not() {
        for (one, other) in [("/c", "/c/a,b"), ("/c/a", "/c/b,a"), ("/data", "/data/x")] {
            assert_eq!(page_at(one), page_at(other), "{one} {other}");
        }
        for (one, other) in [("/", "/runs"), ("/r/a", "/r/b"), ("/studies", "/studies/x"), ("/c", "/data"), ("/", "/c")]
        {
            assert_ne!(page_at(one), page_at(other), "{one} {other}");
        }
    }
}
