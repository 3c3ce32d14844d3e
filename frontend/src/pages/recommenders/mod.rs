//! The catalogue of recommenders: what each does, needs and gives, where it comes from, and the lab opened with it.

mod card;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use recspeed_types::catalogue::{ENTRIES, Entry};
use recspeed_types::encode_permalink;

use crate::components::{Icon, Picture};
use crate::state::use_lab;

/// The page; `#KIND` behind its address is a recommender's place in it.
#[component]
pub(crate) fn RecommendersPage() -> impl IntoView {
    let lab = use_lab();
    let navigate = use_navigate();
    let sought = RwSignal::new(String::new());
    let found = Memo::new(move |_| sought.with(|sought| matching(sought)));
    super::titled("Recommenders".into());
    // The page is in its place, and the router has left it at its top, two frames later; a card that is not there is none to go to.
    Effect::new(move |_| {
        request_animation_frame(|| {
            request_animation_frame(|| {
                let hash = window().location().hash().unwrap_or_default();
                if let Some(card) = hash.strip_prefix('#').and_then(|kind| document().get_element_by_id(kind)) {
                    card.scroll_into_view();
                }
            });
        });
    });
    // The reader's own data, split and metrics stay, as far as they suit it.
    let try_it = Callback::new(move |kind: &'static str| {
        lab.draft.update(|draft| draft.choose("recommender.kind", kind));
        let link = lab.draft.with_untracked(|draft| encode_permalink(draft.spec()));
        let address = link.map_or_else(|_| "/".to_owned(), |payload| format!("/#x={payload}"));
        navigate(&address, NavigateOptions::default());
    });
    let told = move || found.with(|found| words(found.len()));
    let none = move || found.with(Vec::is_empty);
    view! {
        <div class="runs-page recommenders">
            <header class="runs-head"><h1>"Recommenders"</h1></header>
            <p class="lead">
                "Every method of the lab: what it does, what it needs, what it gives to whom it does not know, and where it comes from."
            </p>
            <form class="filters" role="search" on:submit=|event| event.prevent_default()>
                <label class="search">
                    <span class="visually-hidden">"Search the recommenders"</span>
                    <Icon picture=Picture::Search/>
                    <input
                        type="search"
                        data-testid="recommender-search"
                        placeholder="Search, as “item attributes” or “Koren”"
                        prop:value=move || sought.get()
                        on:input=move |event| sought.set(event_target_value(&event))
                    />
                </label>
                <p class="note" role="status" data-testid="recommender-count">{told}</p>
            </form>
            <p class="note" hidden=move || !none()>"No recommender is described by all of these words. Take fewer of them."</p>
            {families().map(|family| section(family, found, try_it)).collect_view()}
        </div>
    }
}

/// The entries of each family, in the order of the catalogue.
fn families() -> impl Iterator<Item = &'static [&'static Entry]> {
    ENTRIES.chunk_by(|one, next| one.family == next.family)
}

fn section(
    family: &'static [&'static Entry],
    found: Memo<Vec<&'static str>>,
    try_it: Callback<&'static str>,
) -> Option<AnyView> {
    let title = family.first()?.family.title();
    let none = move || found.with(|found| family.iter().all(|entry| !found.contains(&entry.kind)));
    let drawn = view! {
        <section class="recommender-family" aria-label=title hidden=none data-testid="recommender-family">
            <h2>{title}</h2>
            <ul>{family.iter().map(|entry| card::card(entry, found, try_it)).collect_view()}</ul>
        </section>
    };
    Some(drawn.into_any())
}

/// The kinds whose description has every one of these words, or parts of words, in whichever case.
fn matching(sought: &str) -> Vec<&'static str> {
    let words: Vec<String> = sought.split_whitespace().map(str::to_ascii_lowercase).collect();
    let fits = |entry: &&&Entry| {
        let all = card::facts(entry).into_iter().map(|(name, fact)| format!("{name} {fact}"));
        let own = [entry.kind, entry.title, entry.family.title(), entry.summary].map(str::to_owned);
        let text = own.into_iter().chain(all).collect::<Vec<_>>().join("\n").to_ascii_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    ENTRIES.iter().filter(fits).map(|entry| entry.kind).collect()
}

/// How many are shown.
fn words(found: usize) -> String {
    match ENTRIES.len() {
        all if all == found => format!("{all} recommenders"),
        all => format!("{found} of {all} recommenders"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_stands_in_one_family_and_every_family_once() {
        let all: Vec<&str> = families().flatten().map(|entry| entry.kind).collect();
        assert_eq!(all, ENTRIES.iter().map(|entry| entry.kind).collect::<Vec<_>>());
        let titles: Vec<&str> = families().map(|family| family[0].family.title()).collect();
        let mut once = titles.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), titles.len(), "{titles:?}");
    }

    #[test]
    fn a_search_finds_by_name_author_and_what_an_entry_says_and_takes_every_word() {
        assert_eq!(matching("").len(), ENTRIES.len());
        assert_eq!(matching("  SASRec "), ["sasrec"]);
        for (word, kind) in [("Steck", "ease"), ("probabilities of liking", "densenet"), ("neural", "mlp")] {
            assert!(matching(word).contains(&kind), "{word}: {:?}", matching(word));
        }
        let (both, one) = (matching("neural drift"), matching("neural"));
        assert!(both.contains(&"mlp") && both.len() < one.len(), "each word is to be there: {both:?}");
        assert!(both.iter().all(|kind| one.contains(kind)), "another word finds no more");
        assert_eq!(matching("no recommender has such words"), Vec::<&str>::new());
    }

    #[test]
    fn how_many_are_shown_is_said_of_all() {
        let all = ENTRIES.len();
        assert_eq!(words(all), format!("{all} recommenders"));
        assert_eq!(words(1), format!("1 of {all} recommenders"));
    }
}
