//! How much of the machine others took while a study measured.

use std::fs;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use recspeed_types::study::StudyLoad;

/// What was counted at the start of a study.
pub(super) struct Load {
    begun: Option<Counted>,
}

/// The machine's processors and what this study has had of them.
struct Counted {
    at: Instant,
    cores: f64,
    /// Ticks in which a processor worked, and all ticks.
    ticks: (u64, u64),
    /// Seconds of this process and of every one that it has started and waited for.
    own_s: f64,
    /// Processes that wanted a processor, on average over a minute.
    load: f64,
}

impl Load {
    /// From now on.
    pub(super) fn begin() -> Self {
        Self { begun: count() }
    }

    /// Up to now; `None` where the system does not tell.
    pub(super) fn so_far(&self) -> Option<StudyLoad> {
        let (begun, ended) = (self.begun.as_ref()?, count()?);
        let all_s = begun.at.elapsed().as_secs_f64() * begun.cores;
        let own = (ended.own_s - begun.own_s) / all_s.max(f64::MIN_POSITIVE);
        let others = others(begun.ticks, ended.ticks, own);
        Some(StudyLoad { before: begun.load, after: ended.load, others })
    }
}

fn count() -> Option<Counted> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    Some(Counted {
        at: Instant::now(),
        cores: stat.lines().skip(1).take_while(|line| line.starts_with("cpu")).count() as f64,
        ticks: ticks(&stat)?,
        own_s: own_s()?,
        load: load.split_ascii_whitespace().next()?.parse().ok()?,
    })
}

/// The part of the processors that worked, without this study's own part.
fn others(begun: (u64, u64), ended: (u64, u64), own: f64) -> f64 {
    let (busy, all) = (ended.0.saturating_sub(begun.0), ended.1.saturating_sub(begun.1));
    // Ticks are a hundredth of a second, and a process is counted where it ends: a little may be missing.
    (busy as f64 / all.max(1) as f64 - own).clamp(0.0, 1.0)
}

/// Ticks in which a processor worked, and all of them; see proc_stat(5). What a host takes from a virtual machine is work of others.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    // user, nice, system, idle, iowait, irq, softirq, steal: guests are in the first two.
    let numbers: Vec<u64> = numbers.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = numbers.get(3)? + numbers.get(4)?;
    let all: u64 = numbers.iter().sum();
    Some((all - idle, all))
}

fn own_s() -> Option<f64> {
    let of = |who| {
        let usage = getrusage(who).ok()?;
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Some(seconds(usage.user_time()) + seconds(usage.system_time()))
    };
    Some(of(UsageWho::RUSAGE_SELF)? + of(UsageWho::RUSAGE_CHILDREN)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_waits_does_not_work() {
        let stat = "cpu  100 20 30 400 50 6 7 8 90 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n";
        assert_eq!(ticks(stat), Some((171, 621)));
        assert_eq!(ticks("intr 5\n"), None);
        assert_eq!(ticks("cpu  1 2\n"), None);
    }

    #[test]
    fn what_the_study_itself_took_is_not_others() {
        assert_eq!(others((100, 1000), (200, 1400), 0.05), 0.2);
        assert_eq!(others((100, 1000), (200, 1400), 0.3), 0.0);
        assert_eq!(others((100, 1000), (100, 1000), 0.0), 0.0);
    }

    #[test]
    fn work_of_processes_that_were_waited_for_counts_as_the_studys() {
        let before = own_s().expect("the system tells");
        let mut works = std::process::Command::new("sh");
        works.args(["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]);
        assert!(works.status().expect("a shell").success());
        assert!(own_s().expect("the system tells") > before);
        let Some(load) = Load::begin().so_far() else { return };
        assert!(load.before >= 0.0 && (0.0..=1.0).contains(&load.others), "{load:?}");
    }
}
