//! A disk that is really full: the lab's home on a small file system of its own. Needs root, and says so when it skips.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use recspeed_types::api::RunStatus;
use serde_json::json;

use crate::bench::spec;
use crate::process::Served;

/// A mounted file system; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "recspeed-test"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is free, at once and no more: what a server gives up once it meets the end of the disk stays the server's.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.path().join("filler")).unwrap();
        let told = statvfs(self.path()).unwrap();
        let free = told.blocks_available() as usize * told.fragment_size() as usize;
        if let Err(error) = filler.write_all(&vec![7; free]) {
            // Others have written meanwhile: it was filled all the same.
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
    }

    fn free(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that was just killed may still hold its files for a moment.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_file_system_without_room_loses_nothing_and_works_again_when_there_is_some() {
    let Some(disk) = SmallDisk::mount(24) else {
        eprintln!("skipped: only root may mount a small file system");
        return;
    };
    let server = Served::start(disk.path(), &[]);
    let done = server.submit("quick");
    server.until(&done, |record| record.status == RunStatus::Finished);
    let story = server.events(&done);

    // A run that never stops talking meets the end of the disk.
    let run = server.submit("bulky");
    server.until_said(&run, 5);
    disk.fill();
    let failed = server.until(&run, |record| record.status.is_over());
    let failure = failed.failure.unwrap();
    assert_eq!(failed.status, RunStatus::Failed, "{failure:?}");
    assert!(failure.cause.contains("disk of the server is full"), "{failure:?}");
    assert_eq!(server.events(&done), story);

    // The store's reserve was given up for the last words of the run; without it nothing new is taken. Half-empty pages
    // may still hold a few small runs.
    disk.fill();
    let refused = (0..200).find_map(|_| {
        let answer = server.try_post("/api/runs", &json!({ "spec": spec("quick") }));
        (answer.0 != 201).then_some(answer)
    });
    let (status, answer) = refused.expect("a full disk takes no two hundred runs");
    assert_eq!((status, answer["code"].as_str()), (507, Some("disk-full")), "{answer}");

    // There is room again, and then none a second time: the reserve is back by then.
    disk.free();
    std::thread::sleep(Duration::from_millis(1_100));
    let run = server.submit("bulky");
    server.until_said(&run, 5);
    disk.fill();
    let failed = server.until(&run, |record| record.status.is_over());
    assert!(failed.failure.unwrap().cause.contains("disk of the server is full"));

    disk.free();
    server.kill();
    let server = Served::start(disk.path(), &[]);
    assert_eq!(server.events(&done), story);
    std::thread::sleep(Duration::from_millis(100));
    let after = server.submit("quick");
    server.until(&after, |record| record.status == RunStatus::Finished);
}
