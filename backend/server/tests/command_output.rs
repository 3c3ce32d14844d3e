//! `recspeed schema`, `recspeed recommenders` and `recspeed data` as programs: output, statuses, closed pipes.

use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use recspeed_types::catalogue;
use serde_json::Value;

fn recspeed(home: &tempfile::TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_recspeed"))
        .args(arguments)
        .env("RECSPEED_HOME", home.path())
        .env_remove("RECSPEED_DATA")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_schema_knows_every_section_and_every_recommender() {
    let output = recspeed(&home(), &["schema"]);
    assert!(output.status.success());
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    for section in ["dataset", "split", "recommender", "training", "engine", "strategy", "evaluation"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    for kind in catalogue::kinds() {
        assert!(text(&output.stdout).contains(&format!("\"{kind}\"")), "{kind}");
    }
}

#[test]
fn recommenders_are_listed_described_and_suggested() {
    let home = home();
    let list = recspeed(&home, &["recommenders"]);
    for kind in catalogue::kinds() {
        assert!(text(&list.stdout).contains(kind), "{kind}");
        let one = recspeed(&home, &["recommenders", kind, "--json"]);
        let entry: Value = serde_json::from_slice(&one.stdout).unwrap();
        assert_eq!(entry["kind"], kind);
    }
    let wrong = recspeed(&home, &["recommenders", "item-kn"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("did you mean `item-knn`?"));
}

#[test]
fn tables_of_recommenders_are_at_most_120_columns_wide_where_nobody_says_how_wide_a_line_is() {
    let home = home();
    for arguments in [&["recommenders"][..], &["recommenders", "sasrec"], &["recommenders", "item-knn"]] {
        let output = recspeed(&home, arguments);
        let table = text(&output.stdout).lines().filter(|line| line.starts_with(['│', '┌', '╞', '└']));
        let widths: Vec<usize> = table.map(|line| line.chars().count()).collect();
        assert!(widths.len() > 5 && widths.iter().all(|width| *width <= 120), "{arguments:?}: {widths:?}");
    }
}

#[test]
fn what_was_seen_while_data_were_read_is_said_once() {
    let home = home();
    let file = home.path().join("ratings.csv");
    // Milliseconds since 1970.
    std::fs::write(&file, "u1,i1,5,1400000000000\nu1,i2,4,1400000001000\nu2,i1,3,1400000002000\n").unwrap();
    let output = recspeed(&home, &["data", "describe", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    assert_eq!(said.matches("read as milliseconds since").count(), 1, "{said}");
    // An export has no report: there it stands on standard error.
    let to = home.path().join("out.arrow");
    let paths = [file.to_str().unwrap(), "--to", to.to_str().unwrap()];
    let output = recspeed(&home, &[&["data", "export"][..], &paths].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).matches("read as milliseconds since").count(), 1, "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_leaves_early_ends_a_command_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_recspeed"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn data_travels_from_generate_to_import_to_describe() {
    let home = home();
    let file = home.path().join("made.csv");
    let path = file.to_str().unwrap();
    let made = recspeed(&home, &["data", "generate", "beauty-synthetic-10k", "--seed", "7", "--to", path]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("10,000 synthetic ratings from the seed 7"), "{}", text(&made.stdout));
    let imported = recspeed(&home, &["data", "import", path, "--name", "my-ratings"]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    assert!(text(&imported.stdout).contains("my-ratings: 10,000 rows, 0 bad lines"), "{}", text(&imported.stdout));
    assert!(text(&imported.stdout).contains("source = \"upload\""));
    let listed = recspeed(&home, &["data", "list"]);
    assert!(text(&listed.stdout).contains("my-ratings"), "{}", text(&listed.stderr));
    for name in ["my-ratings", path] {
        let described = recspeed(&home, &["data", "describe", name]);
        assert!(described.status.success(), "{}", text(&described.stderr));
        assert!(text(&described.stdout).contains("10,000 ratings"), "{}", text(&described.stdout));
    }
    let json = recspeed(&home, &["data", "describe", "beauty-synthetic-10k", "--seed", "7", "--json"]);
    let page: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(page["report"]["rows"], 10_000);
    assert_eq!(page["synthetic"], true);
}

#[test]
fn data_are_made_on_standard_output_too_and_what_is_said_of_them_is_not_among_them() {
    let home = home();
    let plain = home.path().join("made.csv");
    assert!(
        recspeed(&home, &["data", "generate", "beauty-synthetic-10k", "--to", plain.to_str().unwrap()])
            .status
            .success()
    );
    let made = std::fs::read(&plain).unwrap();
    for to in ["-", "/dev/stdout"] {
        if to != "-" && !std::path::Path::new(to).exists() {
            eprintln!("skipped: this system has no {to}");
            continue;
        }
        let output = recspeed(&home, &["data", "generate", "beauty-synthetic-10k", "--to", to]);
        assert!(output.status.success(), "{to}: {}", text(&output.stderr));
        assert!(output.stdout == made, "{to}: {} bytes instead of {}", output.stdout.len(), made.len());
        assert!(text(&output.stderr).contains("10,000 synthetic ratings from the seed 42"), "{}", text(&output.stderr));
        assert!(!std::path::Path::new("-").exists(), "a file took the name");
    }
}

#[test]
fn a_reader_that_leaves_a_named_pipe_early_is_what_is_told_and_not_a_full_disk() {
    if !std::path::Path::new("/dev/stdout").exists() {
        eprintln!("skipped: this system has no /dev/stdout");
        return;
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_recspeed"))
        .args(["data", "generate", "beauty-synthetic-10k", "--to", "/dev/stdout"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The rest is more than a pipe holds.
    child.stdout.take().unwrap().read_exact(&mut [0; 64]).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("recspeed: cannot write /dev/stdout: ") && !said.contains("make room"), "{said}");
    assert!(said.contains("; what read it went away before its end: let it read all of it, or name a file"), "{said}");
}

#[test]
fn data_that_are_not_here_are_named_with_the_remedy() {
    let home = home();
    let unknown = recspeed(&home, &["data", "describe", "movielens-100k"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("bring it with `recspeed data fetch movielens-100k`"));
    let empty = home.path().join("empty.csv");
    std::fs::write(&empty, "").unwrap();
    let failed = recspeed(&home, &["data", "import", empty.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(4));
    assert!(text(&failed.stderr).contains("is empty"), "{}", text(&failed.stderr));
    // Nothing listens on the discard port of this machine.
    let offline = recspeed(&home, &["data", "fetch", "movielens-100k", "--from", "http://127.0.0.1:9/u.data"]);
    assert_eq!(offline.status.code(), Some(4));
    let said = text(&offline.stderr);
    assert!(said.contains("http://127.0.0.1:9/u.data cannot be reached"), "{said}");
    assert!(said.contains("run `recspeed data import FILE --name movielens-100k --format movielens`"), "{said}");
    assert!(said.contains("licence: Research use"), "{said}");
}

/// A server that gives `body` once.
fn serve_once(body: Vec<u8>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/u.data", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body)).unwrap();
    });
    url
}

#[test]
fn a_fetched_file_that_is_not_its_owners_is_refused_unless_accepted() {
    let home = home();
    let fetch = |more: &[&str]| {
        let url = serve_once(b"1\t2\t3\t881250949\n".to_vec());
        recspeed(&home, &[&["data", "fetch", "movielens-100k", "--from", &url], more].concat())
    };
    let refused = fetch(&[]);
    assert_eq!(refused.status.code(), Some(4));
    let said = text(&refused.stderr);
    assert!(said.contains("is another file than its owner's") && said.contains("--accept-changed"), "{said}");
    assert!(!text(&recspeed(&home, &["data", "list"]).stdout).contains("movielens-100k (imported)"));
    let accepted = fetch(&["--accept-changed"]);
    assert!(accepted.status.success(), "{}", text(&accepted.stderr));
    assert!(text(&recspeed(&home, &["data", "list"]).stdout).contains("movielens-100k (imported)"));
}

#[test]
fn the_owners_movielens_file_is_known_by_its_hash() {
    let Some(data) = std::env::var_os("RECSPEED_DATA") else {
        eprintln!("skipped: RECSPEED_DATA is not set");
        return;
    };
    let atomic = std::fs::read(std::path::Path::new(&data).join("ml-100k/ml-100k.inter")).unwrap();
    // The atomic file is the owner's below a line of names.
    let rows = &atomic[1 + atomic.iter().position(|&byte| byte == b'\n').unwrap()..];
    let fetched = recspeed(&home(), &["data", "fetch", "movielens-100k", "--from", &serve_once(rows.to_vec())]);
    assert!(fetched.status.success(), "{}", text(&fetched.stderr));
    assert!(text(&fetched.stdout).contains("100,000 rows"), "{}", text(&fetched.stdout));
}
