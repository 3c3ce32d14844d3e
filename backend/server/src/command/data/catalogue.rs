//! `recspeed data list`: what is here, and what could be.

use std::fmt::Write as _;
use std::path::PathBuf;

use recspeed_datasets::{LookBounds, LookUp, server_files};
use recspeed_types::api::{FileOrigin, ServerFiles, UploadRecord};
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
    let own = Files::of(&places::look_up());
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&imported, &own)).map_err(std::io::Error::other)?
    } else {
        page(&imported, &own)
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

/// The data files below the folder that RECSPEED_DATA names, as the page lists them.
#[derive(Debug)]
struct Files {
    /// The folder; none where it is not set.
    root: Option<PathBuf>,
    found: ServerFiles,
}

impl Files {
    fn of(look_up: &LookUp) -> Self {
        Self { root: look_up.data_root.clone(), found: server_files(look_up, LookBounds::default()) }
    }

    fn told(&self) -> String {
        let Some(root) = &self.root else {
            return "\nFiles\n\n  None: `export RECSPEED_DATA=DIR` names a folder, whose data files then stand here.\n"
                .to_owned();
        };
        let mut text = format!("\nFiles: below RECSPEED_DATA ({}); a spec names one as dataset.path\n", root.display());
        if self.found.files.is_empty() {
            text.push_str("\n  None that can be read as ratings.\n");
        }
        for file in &self.found.files {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "\n  {}\n    {}, {}", one_line(&file.path), file.format.as_str(), bytes(file.bytes));
            for (field, path) in [("items", &file.items), ("users", &file.users)] {
                if let Some(path) = path {
                    let _ = writeln!(text, "    dataset.{field}: {}", one_line(path));
                }
            }
            if let Some(about) = &file.about {
                let FileOrigin { source, licence, citation, protocol } = about;
                let _ = writeln!(
                    text,
                    "    {}: {protocol}\n    source:  {source}\n    licence: {licence}\n    cite:    {citation}",
                    file.title
                );
            }
        }
        if self.found.more {
            text.push_str("\n  There may be more: the look at the folder is bounded.\n");
        }
        text
    }
}

/// A path on one line, whatever its name holds.
fn one_line(path: &str) -> String {
    path.replace('\n', " ")
}

fn page(imported: &[UploadRecord], own: &Files) -> String {
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
    text.push_str(&own.told());
    text.push_str("\nPublic: brought from their owners and imported\n");
    for entry in PUBLIC_DATASETS {
        let here = if imported.iter().any(|record| record.name == entry.id) {
            "imported".to_owned()
        } else {
            format!("not imported: `recspeed data fetch {}`", entry.id)
        };
        let _ = writeln!(
            text,
            "\n  {} ({here})\n    {}\n    source:  {}\n    licence: {}\n    cite:    {}\n    address: {}",
            entry.id, entry.title, entry.source, entry.licence, entry.citation, entry.url,
        );
    }
    text
}

fn as_json(imported: &[UploadRecord], own: &Files) -> serde_json::Value {
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
            "imported": imported.iter().any(|record| record.name == entry.id),
        })
    });
    let own = own
        .root
        .as_ref()
        .map(|root| json!({ "folder": root.display().to_string(), "files": own.found.files, "more": own.found.more }));
    json!({
        "builtin": builtin.collect::<Vec<_>>(), "imported": imported, "own": own, "public": public.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn nowhere() -> Files {
        Files::of(&LookUp::default())
    }

    #[test]
    fn every_data_set_is_listed_with_source_and_licence() {
        let page = page(&[], &nowhere());
        for part in [BEAUTY_SYNTHETIC_SOURCE, BEAUTY_SYNTHETIC_LICENCE, "None yet", "data fetch movielens-100k"] {
            assert!(page.contains(part), "{part}");
        }
        for entry in PUBLIC_DATASETS {
            assert!(page.contains(entry.licence) && page.contains(entry.citation), "{}", entry.id);
        }
        assert!(BUILTIN_DATASETS.iter().all(|entry| page.contains(entry.id)));
        assert!(page.contains("\nFiles\n\n  None: `export RECSPEED_DATA=DIR` names a folder"), "{page}");
        assert!(as_json(&[], &nowhere())["own"].is_null());
    }

    #[test]
    fn files_of_ones_own_are_listed_as_a_spec_names_them_and_a_public_data_set_is_imported_or_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("ml\n100k")).unwrap();
        let inter = "user_id:token\titem_id:token\n1\t2\n";
        let item = "item_id:token\tclass:token_seq\n2\ta\n";
        for (name, text) in
            [("ml\n100k/x.inter", inter), ("ml\n100k/x.item", item), ("a.csv", "u,i,4,5\n"), ("b.txt", "-")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let spec_dir = Some(folder.path().join("nowhere"));
        let own = Files::of(&LookUp { spec_dir, data_root: Some(folder.path().to_owned()) });
        let page = page(&[], &own);
        assert!(page.contains(&format!("below RECSPEED_DATA ({})", folder.path().display())), "{page}");
        assert!(page.contains("\n  a.csv\n    amazon-csv, 8 B\n"), "{page}");
        assert!(page.contains("\n  ml 100k/x.inter\n    recbole, "), "{page}");
        assert!(page.contains("\n    dataset.items: ml 100k/x.item\n"), "{page}");
        assert!(!page.contains("b.txt"), "{page}");
        assert!(page.contains("movielens-100k (not imported: `recspeed data fetch movielens-100k`)"), "{page}");
        let json = as_json(&[], &own);
        assert_eq!(json["own"]["files"][0]["path"], "a.csv");
        assert_eq!(json["own"]["files"][1]["items"], "ml\n100k/x.item");
    }
}
