//! What Linux says of this machine and this process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use recspeed_experiment::ProcessMemory;
use recspeed_types::build;

/// What this program was built from, as `make` says it to the compiler. Its tests are not asked, and not compiled again for it.
#[cfg(not(test))]
const BUILT_FROM: Option<&str> = option_env!("RECSPEED_BUILD");
#[cfg(test)]
const BUILT_FROM: Option<&str> = None;

static VERSION: LazyLock<String> = LazyLock::new(|| build::version(env!("CARGO_PKG_VERSION"), BUILT_FROM));

/// The version of this worker, and what it was built from: two builds are of the same sources where it is the same.
pub(crate) fn version() -> &'static str {
    &VERSION
}

/// Resident bytes of this process now and at most; zeros where `/proc` is not mounted.
pub(crate) fn process_memory() -> ProcessMemory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessMemory { now: kib(&status, "VmRSS:"), peak: kib(&status, "VmHWM:") }
}

/// Resident bytes of another process now and at most; zeros once it is gone.
pub(crate) fn memory_of(pid: i32) -> ProcessMemory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ProcessMemory { now: kib(&status, "VmRSS:"), peak: kib(&status, "VmHWM:") }
}

/// Resident bytes of another process and of all that it has started, now: of those only what they do not share with it, as a library
/// that each of them has loaded. The peak is the most of what the process itself has held and of what all hold now without compilers: those are
/// gone before a training begins, and what they hold is no part of it.
pub(crate) fn memory_of_family(pid: i32) -> ProcessMemory {
    let own = memory_of(pid);
    let (mut now, mut training) = (own.now, own.now);
    let mut waiting: Vec<(i32, bool)> = children(pid).into_iter().map(|child| (child, false)).collect();
    while let Some((child, below_a_compiler)) = waiting.pop() {
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        let held = kib(&status, "RssAnon:") + kib(&status, "RssShmem:");
        let compiles = below_a_compiler || is_compiler(&status);
        now += held;
        if !compiles {
            training += held;
        }
        waiting.extend(children(child).into_iter().map(|below| (below, compiles)));
    }
    ProcessMemory { now, peak: own.peak.max(training) }
}

/// Resident bytes of processes that run the same program beside each other, as ranks do: of each what is its own, and once what they
/// share, which is libraries, files and the memory that their messages pass through. Nobody shares less than the one that has touched most
/// of it.
#[cfg(feature = "mpi")]
pub(crate) fn memory_together(pids: impl Iterator<Item = i32>) -> u64 {
    together(pids.map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()))
}

/// Of their statuses; of one that is gone there is none.
#[cfg(feature = "mpi")]
fn together(statuses: impl Iterator<Item = String>) -> u64 {
    let (own, shared) = statuses.fold((0, 0), |(own, shared), status| {
        let touched = kib(&status, "RssFile:") + kib(&status, "RssShmem:");
        (own + kib(&status, "RssAnon:"), touched.max(shared))
    });
    own + shared
}

/// Whether a process, by its status, is a compiler, or starts compilers and nothing else.
fn is_compiler(status: &str) -> bool {
    const COMPILERS: [&str; 12] =
        ["ninja", "make", "cc1plus", "cc1", "c++", "g++", "gcc", "clang", "clang++", "nvcc", "cicc", "ptxas"];
    let name = status.lines().find_map(|line| line.strip_prefix("Name:")).unwrap_or_default();
    COMPILERS.contains(&name.trim())
}

/// The kernel's letter for what a process does; `None` once nothing of it is left.
#[cfg(feature = "mpi")]
fn state(pid: i32) -> Option<char> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:"))?.trim_start().chars().next()
}

/// Whether another process is stopped, as by SIGSTOP, and does nothing until it is told to go on.
#[cfg(feature = "mpi")]
pub(crate) fn is_stopped(pid: i32) -> bool {
    state(pid) == Some('T')
}

/// Whether another process has ended, also where nobody has asked yet how. Where `/proc` is not mounted nobody is said to have.
#[cfg(feature = "mpi")]
pub(crate) fn has_ended(pid: i32) -> bool {
    state(pid).map_or_else(|| Path::new("/proc/self").exists(), |state| matches!(state, 'Z' | 'X'))
}

/// Processes that were started with these two words, one after the other, among their arguments.
#[cfg(feature = "mpi")]
pub(crate) fn started_with(name: &str, value: &str) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = |pid: &i32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = arguments.split(|&byte| byte == 0).collect();
        words.windows(2).any(|pair| pair == [name.as_bytes(), value.as_bytes()])
    };
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
}

/// Processes that any thread of a process has started.
fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    threads
        .map(of_thread)
        .flat_map(|line| line.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Bytes of memory that this process may use: the machine's, or its control group's when that is less.
pub(crate) fn memory_total() -> Option<u64> {
    let machine = kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:");
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let total = group.map_or(machine, |group| group.min(machine));
    (total > 0).then_some(total)
}

/// `Linux, 13th Gen Intel(R) …, 2 cores`.
pub(crate) fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let cores = cores();
    format!("{}, {model}, {cores} {}", std::env::consts::OS, if cores == 1 { "core" } else { "cores" })
}

/// Cores that this process may use.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// Name and version of each part that computes.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let libtorch = option_env!("RECSPEED_LIBTORCH_VERSION").map(|built| {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        ("libtorch".to_owned(), libtorch_among(&maps).unwrap_or_else(|| built.to_owned()))
    });
    let own = [
        ("recspeed".to_owned(), version().to_owned()),
        ("burn".to_owned(), recspeed_experiment::BURN_VERSION.to_owned()),
    ];
    own.into_iter().chain(libtorch).collect()
}

/// The version of the LibTorch among the files that a process has loaded: `LD_LIBRARY_PATH` may name another than it was linked to.
fn libtorch_among(maps: &str) -> Option<String> {
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let folder = Path::new(&line[line.find('/')?..]).parent()?.parent()?;
    let plain = fs::read_to_string(folder.join("build-version")).ok().map(|text| text.trim().to_owned());
    plain.or_else(|| {
        let python = fs::read_to_string(folder.join("version.py")).ok()?;
        let line = python.lines().find(|line| line.starts_with("__version__"))?;
        line.split(['\'', '"']).nth(1).map(str::to_owned)
    })
}

fn kib(text: &str, label: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn the_version_of_libtorch_is_that_of_the_library_that_was_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let torch = folder.path().join("with a space/torch");
        fs::create_dir_all(&torch).expect("a folder");
        let maps = format!(
            "7f00-7f01 r--p 00000000 08:01 12  /usr/lib/libc.so.6\n7f02-7f03 r-xp 00000000 08:01 13  {}/lib/libtorch_cpu.so\n",
            torch.display()
        );
        assert_eq!(libtorch_among(&maps), None, "nothing tells");
        fs::write(torch.join("version.py"), "__version__ = '2.11.0+cu130'\n").expect("written");
        assert_eq!(libtorch_among(&maps).as_deref(), Some("2.11.0+cu130"));
        fs::write(torch.join("build-version"), "2.9.0\n").expect("written");
        assert_eq!(libtorch_among(&maps).as_deref(), Some("2.9.0"));
        assert_eq!(libtorch_among("7f00-7f01 r--p 00000000 08:01 12  /usr/lib/libc.so.6\n"), None);
    }

    #[test]
    fn the_memory_of_a_family_counts_those_that_were_started() {
        let own = std::process::id() as i32;
        let holds = "x=$(head -c 40000000 /dev/zero | tr '\\0' a); sleep 30 & wait";
        let mut child = Command::new("sh").args(["-c", holds]).spawn().expect("a process");
        assert!(children(own).contains(&(child.id() as i32)));
        let begun = Instant::now();
        let counted = || memory_of_family(own).now > memory_of(own).now + 30_000_000;
        while !counted() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let counted = counted();
        for process in children(child.id() as i32) {
            kill(Pid::from_raw(process), Signal::SIGKILL).expect("it is there");
        }
        child.kill().expect("it is there");
        child.wait().expect("it is gone");
        assert!(counted, "{:?}", memory_of_family(own));
        assert_eq!(memory_of_family(child.id() as i32).now, 0);
    }

    #[cfg(feature = "mpi")]
    #[test]
    fn what_ranks_share_is_counted_once_and_what_they_have_of_their_own_each_time() {
        let status = |own: u64, files: u64, shared: u64| {
            format!("Name:\trank\nRssAnon:\t{own} kB\nRssFile:\t{files} kB\nRssShmem:\t{shared} kB\n")
        };
        let ranks = [status(100, 40, 16), status(200, 42, 20), String::new()];
        assert_eq!(together(ranks.into_iter()), (100 + 200 + 42 + 20) * 1024);

        // Real ones: two shells with 40 MB each, of one file and one library.
        let holds = "x=$(head -c 40000000 /dev/zero | tr '\\0' a); read line";
        let mut ranks = [0, 1].map(|_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", holds]).stdin(std::process::Stdio::piped()).spawn().expect("a process")
        });
        let pids = ranks.each_ref().map(|rank| rank.id() as i32);
        let begun = Instant::now();
        let (mut now, mut apart) = (0_u64, 0_u64);
        // One by one, libraries are counted twice.
        let counted = |now: u64, apart: u64| now >= 80_000_000 && now < apart;
        while !counted(now, apart) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
            now = memory_together(pids.into_iter());
            apart = pids.map(|pid| memory_of(pid).now).iter().sum();
        }
        for rank in &mut ranks {
            // It reads to the end of its input.
            drop(rank.stdin.take());
            rank.wait().expect("it ends");
        }
        assert!(counted(now, apart), "{now} together, {apart} one by one");
        assert_eq!(memory_together(pids.into_iter()), 0, "they are gone");
    }

    #[test]
    fn what_a_compiler_holds_is_memory_of_a_family_and_no_part_of_its_peak() {
        let folder = tempfile::tempdir().expect("a folder");
        // The name of a process is that of the file that it runs.
        let shell = fs::canonicalize("/bin/sh").expect("a shell");
        let holds = "x=$(head -c 40000000 /dev/zero | tr '\\0' a); read line";
        for (name, counts) in [("cc1plus", false), ("rank", true)] {
            let program = folder.path().join(name);
            fs::copy(&shell, &program).expect("a copy");
            let wait = format!("'{}' -c \"$HOLDS\"; true", program.display());
            let mut parent = Command::new("sh");
            parent.args(["-c", &wait]).env("HOLDS", holds).stdin(std::process::Stdio::piped());
            let mut parent = parent.spawn().expect("a process");
            let family = || memory_of_family(parent.id() as i32);
            let begun = Instant::now();
            while family().now < 30_000_000 && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let held = family();
            // It reads to the end of its input.
            drop(parent.stdin.take());
            parent.wait().expect("it ends");
            assert!(held.now >= 30_000_000, "{name}: {held:?}");
            assert_eq!(held.peak >= 30_000_000, counts, "{name}: {held:?}");
        }
    }
}
