//! What `make` says that the programs are built from, of a checkout in each state that one can be in.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A repository of git's with the script and one file of each kind; `None` where there is no git.
fn checkout(folder: &Path) -> Option<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/built-from.sh");
    for file in ["tests/setup/built-from.sh", "shared/types/src/lib.rs", "docs/engines.md", ".gitignore"] {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
        fs::write(path, "").expect("a file");
    }
    fs::copy(script, folder.join("tests/setup/built-from.sh")).expect("the script");
    fs::write(folder.join(".gitignore"), "*.log\n").expect("a file");
    git(folder, &["init", "--quiet"])?;
    commit(folder)
}

fn git(folder: &Path, arguments: &[&str]) -> Option<()> {
    let own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(own).args(arguments).current_dir(folder).output().ok()?;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

fn commit(folder: &Path) -> Option<()> {
    git(folder, &["add", "."])?;
    git(folder, &["commit", "--quiet", "--message", "x"])
}

fn built_from(folder: &Path) -> String {
    let output =
        Command::new(folder.join("tests/setup/built-from.sh")).current_dir("/").output().expect("bash is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn programs_name_the_last_commit_of_their_sources_and_every_other_state_of_them_is_another_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    if checkout(folder).is_none() {
        eprintln!("skipped: there is no git here");
        return;
    }
    let put = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let clean = built_from(folder);
    assert!(clean.len() == 12 && clean.bytes().all(|byte| byte.is_ascii_hexdigit()), "{clean}");
    // What no program is made of.
    put("docs/engines.md", "more");
    put("shared/types/tests/law.rs", "more");
    put("shared/types/src/a.log", "git ignores it");
    assert_eq!(built_from(folder), clean);
    commit(folder).expect("git is here");
    assert_eq!(built_from(folder), clean, "no program is made again for a commit of documents or tests");
    // What they are made of.
    let source = "shared/types/src/lib.rs";
    put(source, "1");
    let first = built_from(folder);
    assert!(first.starts_with(&format!("{clean}.changed.")), "{first}");
    put(source, "2");
    let second = built_from(folder);
    git(folder, &["add", "."]).expect("git is here");
    assert_eq!(built_from(folder), second, "whether a change is staged is nothing to a compiler");
    put("shared/types/src/new.rs", "3");
    let third = built_from(folder);
    put("shared/types/src/new.rs", "4");
    let fourth = built_from(folder);
    let all = [&clean, &first, &second, &third, &fourth];
    for (place, name) in all.iter().enumerate() {
        assert!(!all[..place].contains(name), "two states are both called {name}");
    }
    commit(folder).expect("git is here");
    let next = built_from(folder);
    assert!(next != clean && !next.contains("changed"), "{next}");
    // The same, unpacked from an archive: nobody can tell.
    fs::rename(folder.join(".git"), folder.join("git")).expect("renamed");
    assert_eq!(built_from(folder), "");
}
