//! What a program of the lab was built from, as its version says it: `0.1.0+COMMIT`, or `0.1.0+COMMIT.changed.HASH` where files were not
//! as that commit has them. HASH tells one such state from another. A program that was built without being told has the bare version.
//!
//! What stands behind the `+` is [SemVer's build metadata](https://semver.org/#spec-item-10). `make` finds it
//! (`tests/setup/built-from.sh`) and hands it to the compiler as `RECSPEED_BUILD`, which only the programs themselves read: another
//! commit compiles no library again.

/// What stands between the commit and the hash of its changes.
const CHANGED: &str = ".changed";

/// The version of a program whose package has this one, and that was told to be built from this.
pub fn version(package: &str, built_from: Option<&str>) -> String {
    match built_from.filter(|told| !told.is_empty()) {
        Some(told) => format!("{package}+{told}"),
        None => package.to_owned(),
    }
}

/// What a version says that its program was built from; nothing where it does not.
pub fn built_from(version: &str) -> Option<&str> {
    version.split_once('+').map(|(_, told)| told).filter(|told| !told.is_empty())
}

/// The same for people, as `commit 6d7dd33c1f2a with changes`.
pub fn words(version: &str) -> String {
    match built_from(version) {
        None => "a commit that it does not name".to_owned(),
        Some(told) => match told.split_once(CHANGED) {
            Some((commit, _)) => format!("commit {commit} with changes"),
            None => format!("commit {told}"),
        },
    }
}

/// The same of two versions side by side: two states of changes to one commit are told apart.
pub fn words_beside(version: &str, other: &str) -> String {
    let told = words(version);
    let hash = version.split_once(CHANGED).map_or("", |(_, hash)| hash.trim_start_matches('.'));
    if told == words(other) && version != other && !hash.is_empty() { format!("{told} ({hash})") } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_says_what_its_program_was_built_from_and_a_bare_one_that_it_does_not_know() {
        let clean = version("0.1.0", Some("6d7dd33c1f2a"));
        let changed = version("0.1.0", Some("6d7dd33c1f2a.changed.1a2b3c4d"));
        for (version, told, words) in [
            (clean.as_str(), Some("6d7dd33c1f2a"), "commit 6d7dd33c1f2a"),
            (&changed, Some("6d7dd33c1f2a.changed.1a2b3c4d"), "commit 6d7dd33c1f2a with changes"),
            (&version("0.1.0", None), None, "a commit that it does not name"),
            (&version("0.1.0", Some("")), None, "a commit that it does not name"),
        ] {
            assert_eq!((built_from(version), super::words(version).as_str()), (told, words), "{version}");
            assert!(version.starts_with("0.1.0"));
        }
    }

    #[test]
    fn two_states_of_one_commit_are_told_apart_side_by_side() {
        let [first, second] = ["1111", "2222"].map(|hash| version("0.1.0", Some(&format!("abc.changed.{hash}"))));
        assert_eq!(words_beside(&first, &second), "commit abc with changes (1111)");
        assert_eq!(words_beside(&first, &first), "commit abc with changes");
        assert_eq!(words_beside("0.1.0+abc", &second), "commit abc");
        assert_eq!(words_beside("0.1.0", "0.1.0"), "a commit that it does not name");
    }
}
