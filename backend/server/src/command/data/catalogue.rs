//! `recspeed data list`: what is here, and what could be.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

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
    let own = places::look_up().data_root.map(Files::below);
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&imported, own.as_ref())).map_err(std::io::Error::other)?
    } else {
        page(&imported, own.as_ref())
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

/// Files in the folder that RECSPEED_DATA names, and in its folders.
#[derive(Debug)]
struct Files {
    root: PathBuf,
    /// Their paths below it, in order.
    files: Vec<String>,
}

/// Files that are listed for people.
const LISTED: usize = 40;
/// Files and folders that are looked at.
const LOOKED_AT: usize = 10_000;

impl Files {
    fn below(root: PathBuf) -> Self {
        let mut files = Vec::new();
        let mut left = LOOKED_AT;
        collect(&root, "", &mut files, &mut left);
        files.sort_unstable();
        Self { root, files }
    }

    fn told(&self) -> String {
        let mut text =
            format!("\nFiles: below RECSPEED_DATA ({}); a spec names one as dataset.path\n\n", self.root.display());
        if self.files.is_empty() {
            text.push_str("  None.\n");
        }
        for file in self.files.iter().take(LISTED) {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  {file}");
        }
        if self.files.len() > LISTED {
            let _ = writeln!(text, "  and {} more", count((self.files.len() - LISTED) as u64));
        }
        text
    }
}

/// Adds the files of a folder, and of the folders in it; hidden ones, and what cannot be read, are passed over.
fn collect(folder: &Path, above: &str, files: &mut Vec<String>, left: &mut usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if *left == 0 || name.starts_with('.') {
            continue;
        }
        *left -= 1;
        let path = entry.path();
        if path.is_file() {
            files.push(format!("{above}{name}"));
        } else if above.is_empty() && path.is_dir() {
            collect(&path, &format!("{name}/"), files, left);
        }
    }
}

fn page(imported: &[UploadRecord], own: Option<&Files>) -> String {
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
    if let Some(own) = own {
        text.push_str(&own.told());
    }
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

fn as_json(imported: &[UploadRecord], own: Option<&Files>) -> serde_json::Value {
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
    let own = own.map(|own| json!({ "folder": own.root.display().to_string(), "files": own.files }));
    json!({
        "builtin": builtin.collect::<Vec<_>>(), "imported": imported, "own": own, "public": public.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_listed_with_source_and_licence() {
        let page = page(&[], None);
        for part in [BEAUTY_SYNTHETIC_SOURCE, BEAUTY_SYNTHETIC_LICENCE, "None yet", "data fetch movielens-100k"] {
            assert!(page.contains(part), "{part}");
        }
        for entry in PUBLIC_DATASETS {
            assert!(page.contains(entry.licence) && page.contains(entry.citation), "{}", entry.id);
        }
        assert!(BUILTIN_DATASETS.iter().all(|entry| page.contains(entry.id)));
    }

    #[test]
    fn files_of_ones_own_are_listed_as_a_spec_names_them_and_a_public_data_set_is_imported_or_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("ml-100k/deeper")).unwrap();
        for name in ["ml-100k/ml-100k.inter", "ml-100k/deeper/x.csv", ".hidden", "a.csv"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let own = Files::below(folder.path().to_owned());
        assert_eq!(own.files, ["a.csv", "ml-100k/ml-100k.inter"]);
        let page = page(&[], Some(&own));
        assert!(page.contains(&format!("below RECSPEED_DATA ({})", folder.path().display())), "{page}");
        assert!(page.contains("\n  ml-100k/ml-100k.inter\n"), "{page}");
        assert!(page.contains("movielens-100k (not imported: `recspeed data fetch movielens-100k`)"), "{page}");
        assert_eq!(as_json(&[], Some(&own))["own"]["files"][0], "a.csv");
        assert!(as_json(&[], None)["own"].is_null());
    }
}
