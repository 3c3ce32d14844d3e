//! Versions of another framework that are not the pinned ones, which the documents' numbers were measured with: its row says so.

use recspeed_engines::{Engines, Reference, State, find};
use recspeed_types::spec::EngineKind;

use super::differences::Versions;

/// The reference engine of this name; `None` of the lab's own.
pub(super) fn reference(kind: &str) -> Option<&'static Reference> {
    Reference::all().iter().find(|reference| reference.kind.as_str() == kind)
}

/// Names and versions for a row: those that `is_shown` asks for, and every one that is not the pinned one, with that.
pub(super) fn told(reference: Option<&Reference>, versions: &Versions, is_shown: impl Fn(&str) -> bool) -> Vec<String> {
    let unpinned = reference.map(|reference| reference.unpinned(versions)).unwrap_or_default();
    let words = |(name, version): (&String, &String)| {
        let pin = unpinned.iter().map(|(pin, _)| pin).find(|pin| pin.name == name.as_str());
        match pin {
            Some(pin) => Some(format!("{name} {version} instead of the pinned {}", pin.version)),
            None => is_shown(name).then(|| format!("{name} {version}")),
        }
    };
    versions.iter().filter_map(words).collect()
}

/// Why a row of this engine failed, behind what of it is not the pinned version as it is installed: that may be the reason.
pub(super) fn failed(engines: &Engines, kind: EngineKind, cause: String) -> String {
    let (Some(reference), State::Ready(record)) = (find(kind), engines.state(kind)) else { return cause };
    let unpinned = told(Some(reference), &record.versions, |_| false);
    if unpinned.is_empty() { cause } else { format!("with {}: {cause}", unpinned.join(", ")) }
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::Unit;
    use recspeed_types::summary::RunSummary;

    use super::super::four_layer;
    use super::super::render::{markdown, terminal};
    use super::super::row::tests::{RUN, row};
    use super::super::row::{Measured, Row};
    use super::*;

    #[test]
    fn an_engine_that_is_not_of_the_pinned_version_says_so_in_its_row_in_every_form() {
        let pinned = find(EngineKind::Pytorch).expect("an entry").pins().find(|pin| pin.name == "torch");
        let pinned = pinned.expect("a pin").version;
        let of = |torch: &str| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            EngineKind::Pytorch.as_str().clone_into(&mut run.engine.kind);
            run.engine.versions = [("torch", torch), ("numpy", "1.0")]
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into();
            Row { name: "PyTorch".to_owned(), ..row(Measured::Ran(vec![run])) }
        };
        let words = format!("torch 0.1+cpu instead of the pinned {pinned}");
        let report = four_layer::tables(String::new(), &[of("0.1+cpu")]);
        let note = report.tables[0].rows[0].note.clone();
        assert!(note.contains(&words), "{note}");
        assert!(note.contains("numpy 1.0 instead of the pinned "), "also what no other row shows: {note}");
        assert!(markdown(&report).contains(&words), "{}", markdown(&report));
        // A terminal wraps its cells where it likes.
        let shown: String = terminal(&report).split_whitespace().collect();
        assert!(words.split(' ').all(|word| shown.contains(word)), "{shown}");
        assert!(serde_json::to_string(&report).expect("JSON").contains(&words), "the page reads this");
        let fits = four_layer::tables(String::new(), &[of(&format!("{pinned}+cu128"))]);
        let note = &fits.tables[0].rows[0].note;
        assert!(note.ends_with(&format!(", torch {pinned}+cu128")), "{note}");
        assert_eq!(fits.tables[0].rows[0].cells[0].show(Unit::Seconds), "500.0 ms");
    }

    #[test]
    fn a_row_that_failed_says_which_of_its_engines_versions_are_not_the_pinned_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let kind = EngineKind::Pytorch;
        let told = || failed(&engines, kind, "It crashed.".to_owned());
        assert_eq!(told(), "It crashed.", "nothing is installed");
        let (python, place) = (folder.path().join("python"), engines.root().join(kind.as_str()));
        std::fs::write(&python, "").expect("a file");
        std::fs::create_dir_all(&place).expect("a folder");
        let put = |torch: &str| {
            let record = serde_json::json!({
                "python": python, "own": false, "requirements": "", "versions": { "torch": torch }, "bytes": 0
            });
            std::fs::write(place.join("record.json"), record.to_string()).expect("a record");
        };
        let pinned = find(kind).and_then(|reference| reference.pins().find(|pin| pin.name == "torch"));
        let pinned = pinned.expect("a pin").version;
        put(&format!("{pinned}+cpu"));
        assert_eq!(told(), "It crashed.");
        put("0.1");
        assert_eq!(told(), format!("with torch 0.1 instead of the pinned {pinned}: It crashed."));
    }

    #[test]
    fn the_labs_own_libraries_are_pinned_by_nobody() {
        let versions: Versions = [("torch".to_owned(), "0.1".to_owned())].into();
        assert!(reference(EngineKind::Burn.as_str()).is_none());
        assert_eq!(told(None, &versions, |_| true), ["torch 0.1"]);
        assert!(told(None, &versions, |_| false).is_empty());
    }
}
