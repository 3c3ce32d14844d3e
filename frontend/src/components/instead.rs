//! What would be taken in place of something that is refused.

use leptos::prelude::*;
use recspeed_types::Instead;
use recspeed_types::catalogue::find;
use recspeed_types::spec::DataFormat;

/// A button for each setting that would be taken; `choose` sets it.
pub(crate) fn instead_buttons(instead: Vec<Instead>, choose: impl Fn(&Instead) + Clone + 'static) -> AnyView {
    let button = |one: Instead| {
        let choose = choose.clone();
        let title = title(&one);
        let test_id = format!("instead-{}", one.value);
        let press = move |_| choose(&one);
        view! { <button type="button" class="button" data-testid=test_id on:click=press>"Use "{title}</button> }
    };
    view! { <p class="instead">{instead.into_iter().map(button).collect_view()}</p> }.into_any()
}

/// The name for people of what would be taken.
fn title(one: &Instead) -> String {
    let format = || DataFormat::ALL.into_iter().find(|format| format.as_str() == one.value).map(DataFormat::title);
    let named = if one.path == "dataset.format" { format() } else { find(&one.value).map(|entry| entry.title) };
    named.map_or_else(|| one.value.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_taken_is_called_as_in_the_lists() {
        let one = |path: &str, value: &str| Instead { path: path.to_owned(), value: value.to_owned() };
        assert_eq!(title(&one("recommender.kind", "slim")), "SLIM");
        assert_eq!(title(&one("dataset.format", "recbole")), "RecBole");
        assert_eq!(title(&one("dataset.format", "slim")), "slim", "no format has this name");
    }
}
