//! `recspeed data list`: what is here, and what could be.

use std::fmt::Write as _;

use recspeed_types::api::UploadRecord;
use recspeed_types::builtin::{BEAUTY_SYNTHETIC_LICENCE, BEAUTY_SYNTHETIC_SOURCE, BUILTIN_DATASETS, PUBLIC_DATASETS};
use serde_json::json;

use super::super::failure::CommandError;
use super::super::figures::{bytes, count, counted};
use super::super::output;
use super::{ListArgs, places};

/// Prints the list.
pub(super) fn list(args: ListArgs) -> Result<u8, CommandError> {
    let home = places::open(args.home)?;
    let imported = places::imported(&home)?;
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&imported)).map_err(std::io::Error::other)?
    } else {
        page(&imported)
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

fn page(imported: &[UploadRecord]) -> String {
    let mut text = String::from("Built-in: made from a seed, always here\n");
    // Writing into a String cannot fail.
    for entry in BUILTIN_DATASETS {
        let _ = writeln!(
            text,
            "\n  {}\n    {}\n    {} ratings, {} users, {} items",
            entry.id,
            entry.summary,
            count(u64::from(entry.rows)),
            count(u64::from(entry.users)),
            count(u64::from(entry.items)),
        );
    }
    let _ = writeln!(text, "\n    source:  {BEAUTY_SYNTHETIC_SOURCE}\n    licence: {BEAUTY_SYNTHETIC_LICENCE}");
    text.push_str("\nImported\n");
    if imported.is_empty() {
        text.push_str("\n  None yet: `recspeed data import FILE` takes a copy of a ratings file.\n");
    }
    for record in imported {
        let _ = writeln!(
            text,
            "\n  {}\n    {} ({}, {}), {}\n    sha256:  {}",
            record.name,
            counted(record.rows, "row", "rows"),
            record.format.as_str(),
            bytes(record.bytes),
            counted(record.bad_lines, "bad line", "bad lines"),
            record.sha256,
        );
    }
    text.push_str("\nPublic: brought from their owners\n");
    for entry in PUBLIC_DATASETS {
        let here = if imported.iter().any(|record| record.name == entry.id) {
            "here".to_owned()
        } else {
            format!("not here: `recspeed data fetch {}`", entry.id)
        };
        let _ = writeln!(
            text,
            "\n  {} ({here})\n    {}\n    source:  {}\n    licence: {}\n    cite:    {}\n    address: {}",
            entry.id, entry.title, entry.source, entry.licence, entry.citation, entry.url,
        );
    }
    text
}

fn as_json(imported: &[UploadRecord]) -> serde_json::Value {
    let builtin = BUILTIN_DATASETS.iter().map(|entry| {
        json!({
            "id": entry.id, "title": entry.title, "summary": entry.summary, "rows": entry.rows,
            "users": entry.users, "items": entry.items, "synthetic": true,
            "source": BEAUTY_SYNTHETIC_SOURCE, "licence": BEAUTY_SYNTHETIC_LICENCE,
        })
    });
    let public = PUBLIC_DATASETS.iter().map(|entry| {
        json!({
            "id": entry.id, "title": entry.title, "url": entry.url, "format": entry.format, "source": entry.source,
            "licence": entry.licence, "citation": entry.citation, "sha256": entry.sha256,
            "here": imported.iter().any(|record| record.name == entry.id),
        })
    });
    json!({ "builtin": builtin.collect::<Vec<_>>(), "imported": imported, "public": public.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_listed_with_source_and_licence() {
        let page = page(&[]);
        for part in [BEAUTY_SYNTHETIC_SOURCE, BEAUTY_SYNTHETIC_LICENCE, "None yet", "data fetch movielens-100k"] {
            assert!(page.contains(part), "{part}");
        }
        for entry in PUBLIC_DATASETS {
            assert!(page.contains(entry.licence) && page.contains(entry.citation), "{}", entry.id);
        }
        assert!(BUILTIN_DATASETS.iter().all(|entry| page.contains(entry.id)));
    }
}
