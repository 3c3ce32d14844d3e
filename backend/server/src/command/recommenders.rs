//! `recspeed recommenders [KIND] [--json]`: the catalogue in a terminal.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use recspeed_types::catalogue::{self, Entry, Param};
use serde_json::json;

use super::failure::CommandError;
use super::output;

/// Arguments of `recspeed recommenders`.
#[derive(Debug, Args)]
pub struct RecommendersArgs {
    /// The recommender to describe; without it, all are listed
    kind: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the list, or one entry.
pub(crate) fn print(args: &RecommendersArgs) -> Result<u8, CommandError> {
    let text = match &args.kind {
        Some(kind) => {
            let entry = catalogue::find(kind).ok_or_else(|| unknown(kind))?;
            if args.json { pretty(&as_json(entry))? } else { describe(entry) }
        }
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
    format!("{table}\n`recspeed recommenders KIND` describes one of them.")
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{} ({}, {})\n\n{}\n\n", entry.title, entry.kind, entry.family.title(), entry.summary);
    let explains = entry.explains.unwrap_or("no explanations");
    for (label, fact) in [
        ("source", source(entry)),
        ("predicts", entry.predicts.as_str().to_owned()),
        ("cold users", entry.cold_users.to_owned()),
        ("cold items", entry.cold_items.to_owned()),
        ("explains by", explains.to_owned()),
        ("[training]", losses(entry)),
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
    for param in entry.params {
        table.add_row([param.name, &param.kind.allowed(), &param.default_value().to_string(), param.help]);
    }
    let _ = writeln!(text, "{table}");
    text
}

fn source(entry: &Entry) -> String {
    let citation = &entry.source;
    let link = if citation.link.is_empty() { String::new() } else { format!(" <{}>", citation.link) };
    format!("{}: {}{link}", citation.authors, citation.title)
}

fn losses(entry: &Entry) -> String {
    match entry.losses {
        [] => "does not apply: it is not trained step by step".to_owned(),
        losses => format!("applies; loss: {}", losses.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

fn as_json(entry: &Entry) -> serde_json::Value {
    json!({
        "kind": entry.kind,
        "title": entry.title,
        "family": entry.family.title(),
        "summary": entry.summary,
        "source": { "authors": entry.source.authors, "title": entry.source.title, "link": entry.source.link },
        "predicts": entry.predicts.as_str(),
        "parameters": entry.params.iter().map(param_json).collect::<Vec<_>>(),
        "losses": entry.losses.iter().map(|l| l.as_str()).collect::<Vec<_>>(),
        "cold_users": entry.cold_users,
        "cold_items": entry.cold_items,
        "explains": entry.explains,
    })
}

fn param_json(param: &Param) -> serde_json::Value {
    json!({
        "name": param.name,
        "title": param.title,
        "help": param.help,
        "allowed": param.kind.allowed(),
        "default": param.default_value(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_mistyped_kind_is_answered_with_the_near_one() {
        let message = unknown("popularty").to_string();
        assert!(
            message.starts_with("no recommender is called `popularty` (did you mean `popularity`?); known: random")
        );
    }
}
