//! The last-level cache of this machine, and how much a copy must have that it does not hold.

use std::fs;
use std::path::Path;

use recspeed_types::study::Unit;
use recspeed_types::study::retrieval::MOST_BEYOND;

use crate::command::plan::memory_of_the_machine;

/// Where Linux tells of the caches of the first processor.
const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";

/// A machine's last-level cache beside its memory; nothing of either where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cache {
    bytes: Option<u64>,
    memory: Option<u64>,
}

impl Cache {
    /// That of this machine, as the system tells.
    pub(super) fn of_this_machine() -> Self {
        Self::new(last_level(Path::new(CACHES)), memory_of_the_machine())
    }

    /// Bytes of the cache, and of the memory.
    pub(super) const fn new(bytes: Option<u64>, memory: Option<u64>) -> Self {
        Self { bytes, memory }
    }

    /// Bytes of a copy of which the cache holds half at most.
    ///
    /// # Errors
    /// Why none is made, in a clause.
    pub(super) fn beyond(&self) -> Result<u64, String> {
        let Some(cache) = self.bytes else {
            return Err("the system does not tell the size of the last-level cache".to_owned());
        };
        let twice = cache.saturating_mul(2);
        let needs = |most: String| {
            let shown = Unit::Bytes.show(twice as f64);
            Err(format!("a copy of twice the last-level cache would take {shown}, and may take {most}"))
        };
        match self.memory {
            _ if twice > MOST_BEYOND => needs(format!("{} at most", Unit::Bytes.show(MOST_BEYOND as f64))),
            Some(memory) if twice > memory / 4 => {
                needs(format!("a quarter of the memory of {} at most", Unit::Bytes.show(memory as f64)))
            }
            _ => Ok(twice),
        }
    }

    /// How large it is and what was copied to get past it, in sentences. `rows` of this many bytes are the most that was read.
    pub(super) fn words(&self, row_bytes: u64) -> String {
        let shown = |bytes: u64| Unit::Bytes.show(bytes as f64);
        let rows = shown(row_bytes);
        let size = match self.bytes {
            Some(cache) if row_bytes <= cache => format!(
                "The system says that the last-level cache has {}, which may be shared with others. The rows, {rows} at most, fit into it, and so \
                 do those that `memcpy` copies: neither need leave it.",
                shown(cache)
            ),
            Some(cache) => format!(
                "The system says that the last-level cache has {}, which may be shared with others. The rows, {rows} at most, do not fit into it.",
                shown(cache)
            ),
            None => format!(
                "The system does not tell the size of the last-level cache. The rows take {rows} at most, and may lie in it."
            ),
        };
        let beyond = match self.beyond() {
            Ok(bytes) => format!(
                "What is read out of memory is read behind a copy of {}, of which that cache holds half at most: it leaves nothing of the rows \
                 there, and its own speed is called that of the memory. The container, the copy of the same rows and that copy are timed in turns in one \
                 process.",
                shown(bytes)
            ),
            Err(why) => format!("Nothing was read out of memory: {why}."),
        };
        format!("{size} {beyond}")
    }
}

/// Bytes of the cache of the highest level below this folder, but those for instructions.
fn last_level(caches: &Path) -> Option<u64> {
    let of = |folder: fs::DirEntry| {
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
        let (level, bytes) = (read("level")?.trim().parse::<u32>().ok()?, size(read("size")?.trim())?);
        (read("type")?.trim() != "Instruction").then_some((level, bytes))
    };
    fs::read_dir(caches).ok()?.flatten().filter_map(of).max().map(|(_, bytes)| bytes)
}

/// A size as Linux writes it: `491520K`.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn the_last_level_cache_is_the_largest_level_that_is_not_for_instructions() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(last_level(&folder.path().join("none")), None);
        assert_eq!(last_level(folder.path()), None, "nothing is told");
        for (index, level, of, size) in [
            ("index0", "1", "Data", "48K"),
            ("index2", "3", "Unified", "491520K"),
            ("index1", "4", "Instruction", "64K"),
        ] {
            let cache = folder.path().join(index);
            fs::create_dir(&cache).expect("a folder");
            for (name, text) in [("level", level), ("type", of), ("size", size)] {
                fs::write(cache.join(name), format!("{text}\n")).expect("written");
            }
        }
        fs::create_dir(folder.path().join("power")).expect("a folder");
        assert_eq!(last_level(folder.path()), Some(480 * MIB));
    }

    #[test]
    fn sizes_are_read_as_linux_writes_them() {
        assert_eq!(["491520K", "32M", "1G", "512"].map(size), [Some(480 * MIB), Some(32 * MIB), Some(GIB), Some(512)]);
        assert_eq!(["", "K", "0K", "-1K", "many", "1KM", "99999999999999999999K"].map(size), [None; 7]);
    }

    #[test]
    fn a_copy_beyond_the_cache_is_twice_as_large_and_bounded() {
        let of = |cache, memory| Cache::new(cache, memory).beyond();
        assert_eq!(of(Some(480 * MIB), Some(8 * GIB)), Ok(960 * MIB));
        assert_eq!(of(Some(512 * MIB), None), Ok(GIB));
        for (cache, memory, words) in [
            (None, Some(8 * GIB), "does not tell the size of the last-level cache"),
            (Some(513 * MIB), Some(64 * GIB), "would take 1026 MiB, and may take 1024 MiB at most"),
            (Some(480 * MIB), Some(2 * GIB), "would take 960 MiB, and may take a quarter of the memory of 2048 MiB"),
        ] {
            let why = of(cache, memory).expect_err("none is made");
            assert!(why.contains(words), "{why}");
            assert!(Cache::new(cache, memory).words(1).ends_with(&format!("Nothing was read out of memory: {why}.")));
        }
    }

    #[test]
    fn what_is_said_of_the_cache_is_whether_the_rows_fit_into_it() {
        let words = |cache, rows| Cache::new(cache, Some(8 * GIB)).words(rows);
        let fit = words(Some(480 * MIB), 39 * MIB);
        assert!(fit.contains("cache has 480 MiB") && fit.contains("39 MiB at most, fit into it"), "{fit}");
        assert!(fit.contains("behind a copy of 960 MiB"), "{fit}");
        assert!(words(Some(32 * MIB), 39 * MIB).contains("39 MiB at most, do not fit into it"));
        assert!(words(None, 39 * MIB).starts_with("The system does not tell the size of the last-level cache."));
    }
}
