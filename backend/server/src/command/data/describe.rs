//! `recspeed data describe`: one data set in numbers.

use recspeed_datasets::Loaded;
use recspeed_types::builtin::{BEAUTY_SYNTHETIC_LICENCE, BEAUTY_SYNTHETIC_SOURCE};
use recspeed_types::spec::Source;
use serde_json::json;

use super::super::failure::CommandError;
use super::super::output;
use super::report::{self, About};
use super::{DescribeArgs, places};

/// Prints the report.
pub(super) fn describe(args: DescribeArgs) -> Result<u8, CommandError> {
    let home = places::open(args.home)?;
    let mut facts = Vec::new();
    if places::is_spec(&args.name) {
        let (title, loaded, _) = places::of_spec(&home, &args.name)?;
        facts.push(("of", "the rows that the spec's filters keep".to_owned()));
        return print((title, facts), &loaded, args.seed, args.json);
    }
    let named = places::find(&args.name, args.format, args.columns.unwrap_or_default(), &home)?;
    if matches!(named.source, Source::Builtin { .. }) {
        facts.push(("seed", args.seed.to_string()));
        facts.push(("source", BEAUTY_SYNTHETIC_SOURCE.to_owned()));
        facts.push(("licence", BEAUTY_SYNTHETIC_LICENCE.to_owned()));
    }
    if let Some(public) = named.public {
        facts.push(("source", public.source.to_owned()));
        facts.push(("licence", public.licence.to_owned()));
        facts.push(("cite", public.citation.to_owned()));
    }
    let loaded = places::load(&home, named.source, args.seed)?;
    print((named.title, facts), &loaded, args.seed, args.json)
}

fn print(
    (title, facts): (String, Vec<(&'static str, String)>),
    loaded: &Loaded,
    seed: u64,
    json: bool,
) -> Result<u8, CommandError> {
    let data = recspeed_data::describe(&loaded.interactions);
    let splits = recspeed_data::split_reports(&loaded.interactions, seed);
    let text = if json {
        let page = json!({
            "name": title, "sha256": loaded.sha256, "synthetic": loaded.synthetic, "about": facts_json(&facts),
            "report": data, "splits": splits, "reading": loaded.report, "attributes": loaded.coverage(),
            "warnings": loaded.report_warnings(),
        });
        serde_json::to_string_pretty(&page).map_err(std::io::Error::other)?
    } else {
        let about = About {
            title,
            sha256: loaded.sha256.clone(),
            facts,
            attributes: loaded.coverage(),
            warnings: loaded.report_warnings(),
        };
        report::render(&about, &data, &splits, &loaded.report)
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

fn facts_json(facts: &[(&'static str, String)]) -> serde_json::Value {
    facts.iter().map(|(label, fact)| ((*label).to_owned(), json!(fact))).collect::<serde_json::Map<_, _>>().into()
}
