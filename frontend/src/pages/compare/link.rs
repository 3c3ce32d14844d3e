//! Runs by their links: how whoever sees no list of them says which to compare.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use recspeed_types::RunId;
use recspeed_types::limits::MAX_COMPARED_RUNS;

/// The ids in a text, those of a link to a run or to a comparison, or just ids; what is wrong where there are none.
fn named(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("Paste the link of a run first.".to_owned());
    }
    let listed = text.rsplit_once("/r/").or_else(|| text.rsplit_once("/c/")).map_or(text, |(_, listed)| listed);
    let ids = super::ids(listed.split(['?', '#', '/']).next().unwrap_or_default());
    if ids.is_empty() || ids.iter().any(|id| RunId::new(id.as_str()).is_err()) {
        let shown: String = text.chars().take(80).collect();
        return Err(format!(
            "“{shown}” is no link to a run: one ends in /r/ and an id, that of a comparison in /c/ and ids."
        ));
    }
    Ok(ids)
}

/// These ids and those of a link, each once; what is wrong where they are too many.
fn with_those_of(chosen: &[String], text: &str) -> Result<Vec<String>, String> {
    let more = named(text)?;
    let all = super::ids(&[chosen, more.as_slice()].concat().join(","));
    if all.len() > MAX_COMPARED_RUNS {
        return Err(format!("These would be {} runs; at most {MAX_COMPARED_RUNS} are compared at once.", all.len()));
    }
    Ok(all)
}

/// A field for a link, whose runs are put beside those that are chosen.
#[component]
pub(super) fn ByLink(chosen: Memo<Vec<String>>, go: Callback<Vec<String>>) -> impl IntoView {
    let given = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let add = move |event: SubmitEvent| {
        event.prevent_default();
        match with_those_of(&chosen.get_untracked(), &given.get_untracked()) {
            Ok(all) => {
                wrong.set(None);
                given.set(String::new());
                go.run(all);
            }
            Err(why) => wrong.set(Some(why)),
        }
    };
    view! {
        <form class="by-link" on:submit=add>
            <label for="compare-link">"Link of a run, or of a comparison"</label>
            <div class="by-link-line">
                <input
                    type="text"
                    id="compare-link"
                    data-testid="compare-link"
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby="compare-link-error"
                    aria-invalid=move || wrong.with(Option::is_some).to_string()
                    prop:value=move || given.get()
                    on:input=move |event| given.set(event_target_value(&event))
                />
                <button type="submit" class="button" data-testid="compare-add">"Add"</button>
            </div>
            <p class="field-error" id="compare-link-error" data-testid="compare-link-error" role="status">{move || wrong.get()}</p>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_the_runs_that_its_end_has() {
        for (text, ids) in [
            ("http://127.0.0.1:8080/r/r1-a", vec!["r1-a"]),
            (" https://lab.example/c/r1,r2?embed=1 ", vec!["r1", "r2"]),
            ("http://lab.example/r/r1#top", vec!["r1"]),
            ("r1, r2", vec!["r1", "r2"]),
        ] {
            assert_eq!(named(text).unwrap(), ids, "{text}");
        }
        for text in ["", "http://lab.example/", "http://lab.example/#x=1.abc", "/c/", "two words", "/r/UPPER"] {
            assert!(named(text).is_err(), "{text}");
        }
        assert!(named("two words").unwrap_err().contains("“two words” is no link"));
    }

    #[test]
    fn the_runs_of_a_link_come_behind_those_that_are_chosen_each_once_and_not_too_many() {
        let chosen = ["a".to_owned(), "b".to_owned()];
        assert_eq!(with_those_of(&chosen, "/c/b,c").unwrap(), ["a", "b", "c"]);
        let many = (0..MAX_COMPARED_RUNS).map(|n| format!("r{n}")).collect::<Vec<_>>().join(",");
        assert!(with_those_of(&[], &many).is_ok());
        assert!(with_those_of(&chosen, &many).unwrap_err().contains("26 runs"));
    }
}
