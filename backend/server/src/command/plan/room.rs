//! What a run on this machine may hold.

use std::fs;

/// Nine tenths of the machine's memory, or of its control group's when that is less: what a worker takes as its limit.
pub(super) fn of_a_run() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?;
    let machine = kib.parse::<u64>().ok()?.saturating_mul(1024);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    Some(group.map_or(machine, |group| group.min(machine)) / 10 * 9)
}
