//! `recspeed recommenders [KIND] [--json]`: the catalogue in a terminal.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use recspeed_types::catalogue::{self, Condition, Entry, Param, ParamKind};
use recspeed_types::written as in_a_spec;
use serde_json::json;

use super::failure::CommandError;
use super::output;

/// Columns of a table where standard output is no terminal.
const WIDTH: u16 = 120;

/// Arguments of `recspeed recommenders`.
#[derive(Debug, Args)]
pub struct RecommendersArgs {
    /// The recommender to describe; without it, all are listed
    kind: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the page docs/recommenders.md
    #[arg(long, conflicts_with_all = ["kind", "json"])]
    markdown: bool,
}

/// Prints the list, or one entry.
pub(crate) fn print(args: &RecommendersArgs) -> Result<u8, CommandError> {
    let text = match &args.kind {
        Some(kind) => {
            let entry = catalogue::find(kind).ok_or_else(|| unknown(kind))?;
            if args.json { pretty(&as_json(entry))? } else { describe(entry) }
        }
        None if args.markdown => markdown().trim_end().to_owned(),
        None if args.json => pretty(&catalogue::ENTRIES.iter().map(|e| as_json(e)).collect::<Vec<_>>().into())?,
        None => list(),
    };
    output::say(&text)?;
    Ok(0)
}

fn unknown(kind: &str) -> CommandError {
    CommandError::UnknownRecommender {
        given: kind.chars().take(60).collect(),
        hint: catalogue::nearest(kind).map_or(String::new(), |near| format!(" (did you mean `{near}`?)")),
        known: catalogue::kinds().collect::<Vec<_>>().join(", "),
    }
}

fn pretty(value: &serde_json::Value) -> Result<String, CommandError> {
    Ok(serde_json::to_string_pretty(value).map_err(std::io::Error::other)?)
}

fn list() -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "kind",
        "name",
        "family",
        "predicts",
        "parameters",
    ]);
    for entry in catalogue::ENTRIES {
        let params = entry.params.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
        table.add_row([
            entry.kind,
            entry.title,
            entry.family.title(),
            entry.predicts.as_str(),
            if params.is_empty() { "–" } else { &params },
        ]);
    }
    within(&mut table);
    format!("{table}\n`recspeed recommenders KIND` describes one of them.")
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{} ({}, {})\n\n{}\n\n", entry.title, entry.kind, entry.family.title(), entry.summary);
    let explains = entry.explains.unwrap_or("no explanations");
    for (label, fact) in [
        ("source", source(entry)),
        ("predicts", entry.predicts.as_str().to_owned()),
        ("needs", entry.needs_in_words()),
        ("cold users", entry.cold_users.to_owned()),
        ("cold items", entry.cold_items.to_owned()),
        ("new users", entry.new_users_in_words()),
        ("explains by", explains.to_owned()),
        ("seed", entry.seed.as_str().to_owned()),
        ("[training]", entry.training_in_words()),
    ] {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{label:<12} {fact}");
    }
    text.push('\n');
    if entry.params.is_empty() {
        text.push_str("It has no parameters.\n");
        return text;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "parameter",
        "allowed",
        "default",
        "what it does",
    ]);
    for (name, param) in entry.written_params() {
        table.add_row([&name, &param.kind.allowed(), &param.default_value().to_string(), &help(entry, param)]);
    }
    within(&mut table);
    let _ = writeln!(text, "{table}");
    text
}

/// Keeps a table within the terminal, or within [`WIDTH`] where there is none; names in its first column stay whole.
fn within(table: &mut Table) {
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// What a parameter does, what it takes for anything to read it, and what a search tries where that does not follow
/// from the default.
fn help(entry: &Entry, param: &Param) -> String {
    let mut help = entry.help_of(param);
    if let Some(values) = param.searched() {
        let values: Vec<String> = values.iter().map(|&value| in_a_spec(value)).collect();
        // Writing into a String cannot fail.
        let _ = write!(help, " A search tries {}.", values.join(", "));
    }
    help
}

/// The page `docs/recommenders.md`.
fn markdown() -> String {
    let mut text = "# Recommenders\n\nFrom the catalogue (`shared/types/src/catalogue`), which also makes the page's form \
                    and the checks. `recspeed recommenders --markdown` writes this page, and a test holds it against that; \
                    `recspeed recommenders KIND` prints the same in the terminal.\n"
        .to_owned();
    let mut family = None;
    // Writing into a String cannot fail.
    for entry in catalogue::ENTRIES {
        if family.replace(entry.family) != Some(entry.family) {
            let _ = write!(text, "\n## {}\n", entry.family.title());
        }
        let citation = &entry.source;
        let link = if citation.link.is_empty() { String::new() } else { format!(", <{}>", citation.link) };
        let _ = write!(text, "\n### {}: `{}`\n\n{}\n\n", entry.title, entry.kind, entry.summary);
        let _ = writeln!(text, "- source: {}: *{}*{link}", citation.authors, citation.title);
        let seed = entry.seed.as_str();
        let _ = writeln!(
            text,
            "- predicts: {}; needs: {}; the seed {seed}",
            entry.predicts.as_str(),
            entry.needs_in_words()
        );
        let _ = writeln!(text, "- cold users: {}; cold items: {}", entry.cold_users, entry.cold_items);
        let _ = writeln!(text, "- new users: {}", entry.new_users_in_words());
        if let Some(explains) = entry.explains {
            let _ = writeln!(text, "- explains by {explains}");
        }
        if entry.is_trained() {
            let _ = writeln!(text, "- `[training]` {}", entry.training_in_words());
        }
        if !entry.params.is_empty() {
            text.push_str("\n| parameter | allowed | default | what it does |\n|---|---|---|---|\n");
        }
        for (name, param) in entry.written_params() {
            let (allowed, default) = (param.kind.allowed(), param.default_value());
            let _ = writeln!(text, "| `{name}` | {allowed} | `{default}` | {} |", help(entry, param));
        }
    }
    text
}

fn source(entry: &Entry) -> String {
    let citation = &entry.source;
    let link = if citation.link.is_empty() { String::new() } else { format!(" <{}>", citation.link) };
    format!("{}: {}{link}", citation.authors, citation.title)
}

fn as_json(entry: &Entry) -> serde_json::Value {
    let params: Vec<_> = entry.written_params().iter().map(|(name, param)| param_json(entry, name, param)).collect();
    json!({
        "kind": entry.kind,
        "title": entry.title,
        "family": entry.family.title(),
        "summary": entry.summary,
        "source": { "authors": entry.source.authors, "title": entry.source.title, "link": entry.source.link },
        "predicts": entry.predicts.as_str(),
        "parameters": params,
        "losses": entry.losses.iter().map(|l| l.as_str()).collect::<Vec<_>>(),
        "training": entry.is_trained().then(|| {
            let usual = entry.training_defaults();
            json!({ "epochs": usual.epochs, "batch_size": usual.batch_size, "learning_rate": usual.learning_rate })
        }),
        "needs": entry.needs.iter().map(|need| need.as_str()).collect::<Vec<_>>(),
        "seed": entry.seed.name(),
        "cold_users": entry.cold_users,
        "cold_items": entry.cold_items,
        "new_users": entry.new_users.ok(),
        "no_new_users": entry.new_users.err(),
        "explains": entry.explains,
    })
}

fn param_json(entry: &Entry, name: &str, param: &Param) -> serde_json::Value {
    let mut told = bounds(&param.kind);
    let more = json!({
        "name": name,
        "title": param.title,
        "help": param.help,
        "counts_where": Condition::of(entry.kind, param.name).map(|condition| condition.words("recommender")),
        "allowed": param.kind.allowed(),
        "default": param.default_value(),
        "searched": param.searched(),
    });
    if let (Some(told), serde_json::Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

/// What `allowed` says in words, for programs: the kind of value, with its ends, its choices or the length of the list.
fn bounds(kind: &ParamKind) -> serde_json::Value {
    match kind {
        ParamKind::Integer { min, max, .. } => json!({ "kind": "integer", "min": min, "max": max }),
        ParamKind::Float { min, max, .. } => json!({ "kind": "float", "min": min, "max": max }),
        ParamKind::Boolean { .. } => json!({ "kind": "boolean" }),
        ParamKind::Choice { options, .. } => json!({ "kind": "choice", "choices": options }),
        ParamKind::Integers { min, max, max_len, .. } => {
            json!({ "kind": "integers", "min": min, "max": max, "min_len": 1, "max_len": max_len })
        }
        ParamKind::Names { max_len, .. } => json!({ "kind": "names", "min_len": 0, "max_len": max_len }),
        ParamKind::Recommenders { min_len, max_len, slots, .. } => {
            // The last place holds for all further ones.
            let places: Vec<Vec<&str>> = slots.iter().map(|slot| slot.takes.kinds().collect()).collect();
            json!({ "kind": "recommenders", "min_len": min_len, "max_len": max_len, "places": places })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_catalogue() {
        let page = include_str!("../../../../docs/recommenders.md");
        assert!(
            page == markdown(),
            "docs/recommenders.md is old: `recspeed recommenders --markdown > docs/recommenders.md`"
        );
    }

    #[test]
    fn every_entry_is_described_with_each_of_its_parameters() {
        for entry in catalogue::ENTRIES {
            let text = describe(entry);
            assert!(text.contains(entry.source.title), "{}", entry.kind);
            for param in entry.params {
                assert!(text.contains(param.name), "{}.{}", entry.kind, param.name);
            }
        }
    }

    #[test]
    fn the_seed_decides_in_a_hybrid_what_it_decides_in_its_components() {
        for entry in catalogue::ENTRIES {
            let hybrid = entry.family == catalogue::Family::Hybrid;
            let word = as_json(entry)["seed"].as_str().map(str::to_owned);
            assert_eq!(word.as_deref() == Some("components"), hybrid, "{}: {word:?}", entry.kind);
            assert_eq!(describe(entry).contains("changes what it changes in the components"), hybrid, "{}", entry.kind);
        }
    }

    #[test]
    fn the_bounds_of_every_parameter_are_there_for_programs_and_hold_its_default() {
        for entry in catalogue::ENTRIES {
            let told = as_json(entry);
            for param in told["parameters"].as_array().unwrap() {
                let (name, default) = (&param["name"], &param["default"]);
                let within = |value: &serde_json::Value| {
                    let [value, min, max] =
                        [value, &param["min"], &param["max"]].map(|number| number.as_f64().unwrap());
                    (min..=max).contains(&value)
                };
                let holds = match param["kind"].as_str().unwrap() {
                    "integer" | "float" => within(default),
                    "boolean" => default.is_boolean(),
                    "choice" => param["choices"].as_array().unwrap().contains(default),
                    "integers" => default.as_array().unwrap().iter().all(within),
                    "names" | "recommenders" => {
                        let len = default.as_array().unwrap().len() as u64;
                        (param["min_len"].as_u64().unwrap()..=param["max_len"].as_u64().unwrap()).contains(&len)
                    }
                    other => panic!("{other}"),
                };
                assert!(holds, "{}.{name}: {param}", entry.kind);
            }
        }
    }

    #[test]
    fn a_mistyped_kind_is_answered_with_the_near_one() {
        let message = unknown("popularty").to_string();
        assert!(
            message.starts_with("no recommender is called `popularty` (did you mean `popularity`?); known: random")
        );
    }
}
