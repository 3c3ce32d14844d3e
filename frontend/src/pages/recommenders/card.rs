//! A recommender as the catalogue describes it. Every word is the catalogue's; here stands what the words are about.

use leptos::prelude::*;
use recspeed_types::catalogue::Entry;

use crate::charts::counted;

/// What is known of it beside its summary and its source, each with its name.
pub(super) fn facts(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Predicts", entry.predicts.as_str().to_owned()),
        ("Needs", entry.needs_in_words()),
        ("Cold users get", entry.cold_users.to_owned()),
        ("Cold items get", entry.cold_items.to_owned()),
        ("New users get", entry.new_users_in_words()),
        ("Explains by", entry.explains.unwrap_or("no explanations").to_owned()),
        ("The seed", entry.seed.as_str().to_owned()),
    ];
    facts.extend(entry.is_trained().then(|| ("Training", entry.training_in_words())));
    facts.push(("Source", cited(entry)));
    facts
}

fn cited(entry: &Entry) -> String {
    let source = &entry.source;
    format!("{}: {}", source.authors, source.title)
}

/// The card; hidden where its kind is not among those that were `found`.
pub(super) fn card(entry: &'static Entry, found: Memo<Vec<&'static str>>, try_it: Callback<&'static str>) -> AnyView {
    let facts = facts(entry).into_iter().map(|(name, fact)| {
        let fact = match name {
            "Source" if !entry.source.link.is_empty() => {
                view! { <a href=entry.source.link rel="noopener" target="_blank">{fact}</a> }.into_any()
            }
            _ => fact.into_any(),
        };
        view! { <dt>{name}</dt><dd>{fact}</dd> }
    });
    let facts = facts.collect_view();
    let params = entry.written_params().len();
    // The rows of a table are made once somebody wants to see them.
    let opened = RwSignal::new(false);
    let params = (params > 0).then(|| {
        view! {
            <details on:toggle=move |_| opened.set(true) data-testid="recommender-params">
                <summary>{counted(params as u64, "parameter")}</summary>
                {move || opened.get().then(|| table(entry))}
            </details>
        }
    });
    view! {
        <li
            class="card recommender"
            id=entry.kind
            data-testid="recommender"
            hidden=move || found.with(|found| !found.contains(&entry.kind))
        >
            <header><h3>{entry.title}</h3><code>{entry.kind}</code></header>
            <p>{entry.summary}</p>
            <dl>{facts}</dl>
            {params}
            <p>
                <button
                    type="button"
                    class="button"
                    data-testid="try-it"
                    aria-label=format!("Try it: {}", entry.title)
                    on:click=move |_| try_it.run(entry.kind)
                >
                    "Try it"
                </button>
            </p>
        </li>
    }
    .into_any()
}

/// The parameters: name, what it does, what it takes, and what it is unless set.
fn table(entry: &'static Entry) -> AnyView {
    let rows = entry.written_params().into_iter().map(|(name, param)| {
        let (help, allowed) = (entry.help_of(param), param.kind.allowed());
        let default = param.default_value().to_string();
        view! {
            <tr>
                <th scope="row"><code>{name}</code></th>
                <td data-label="what it does"><span>{help}</span></td>
                <td data-label="allowed"><span>{allowed}</span></td>
                <td data-label="unless set"><span><code>{default}</code></span></td>
            </tr>
        }
    });
    let label = format!("Parameters of {}", entry.title);
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=label>
            <table class="table stacked">
                <thead>
                    <tr>
                        <th scope="col">"parameter"</th>
                        <th scope="col">"what it does"</th>
                        <th scope="col">"allowed"</th>
                        <th scope="col">"unless set"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::ENTRIES;

    use super::*;

    #[test]
    fn every_card_says_what_it_predicts_needs_gives_and_where_it_comes_from() {
        for entry in ENTRIES {
            let facts = facts(entry);
            let names: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
            assert_eq!(names[..4], ["Predicts", "Needs", "Cold users get", "Cold items get"], "{}", entry.kind);
            assert_eq!(names.last(), Some(&"Source"), "{}", entry.kind);
            assert_eq!(names.contains(&"Training"), entry.is_trained(), "{}", entry.kind);
            assert!(facts.iter().all(|(_, fact)| !fact.trim().is_empty()), "{}: {facts:?}", entry.kind);
        }
    }
}
