//! What Linux says of this machine and this process.

use std::collections::BTreeMap;
use std::fs;

use recspeed_experiment::ProcessMemory;

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
    let libtorch = option_env!("RECSPEED_LIBTORCH_VERSION").map(|version| ("libtorch".to_owned(), version.to_owned()));
    let own = [
        ("recspeed".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("burn".to_owned(), recspeed_experiment::BURN_VERSION.to_owned()),
    ];
    own.into_iter().chain(libtorch).collect()
}

fn kib(text: &str, label: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}
