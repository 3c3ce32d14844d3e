//! Data files on this machine that a spec may name: those in the folder of `RECSPEED_DATA` and in its folders.
//!
//! A look is bounded in depth, number and time, and reads no more than the beginning of a file. What it lists may be named
//! by any spec without it: nothing becomes readable by being listed.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use recspeed_data::{ReadLimits, read_ratings};
use recspeed_types::api::{ServerFile, ServerFiles};
use recspeed_types::limits::MAX_PATH_CHARS;
use recspeed_types::spec::{DataFormat, without_packing};

use crate::content::sha256_hex;
use crate::judge::Beginning;
use crate::known::KnownFile;
use crate::lookup::LookUp;

/// What the ids of listed files begin with; no built-in data set's name and no hash does.
pub const FILE_ID: &str = "file-";

/// Share of the first lines that may be unreadable in a file that is listed: a header of another kind, a damaged line.
const MAX_BAD_SHARE: f64 = 0.1;

/// Bounds of one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookBounds {
    /// Levels of folders, that of the root included.
    pub depth: usize,
    /// Files that are listed.
    pub files: usize,
    /// Files and folders that are looked at.
    pub entries: usize,
    /// Time after which the look ends with what it has.
    pub time: Duration,
}

impl Default for LookBounds {
    /// 3 levels, 200 files of 10,000 entries, 2 seconds.
    fn default() -> Self {
        Self { depth: 3, files: 200, entries: 10_000, time: Duration::from_secs(2) }
    }
}

/// The data files below the folder that `look_up` names as `RECSPEED_DATA`, known data sets first, then by path. Hidden
/// files, names that a spec cannot hold, and what cannot be read are passed over; a folder is entered once, by however
/// many links it is reached.
pub fn server_files(look_up: &LookUp, bounds: LookBounds) -> ServerFiles {
    let Some(root) = &look_up.data_root else { return ServerFiles::default() };
    let mut look =
        Look { places: look_up, root, bounds, begun: Instant::now(), entries: 0, files: Vec::new(), more: false };
    look.walk();
    let Look { mut files, more, .. } = look;
    files.sort_by(|a, b| a.about.is_none().cmp(&b.about.is_none()).then_with(|| a.path.cmp(&b.path)));
    ServerFiles { folder: true, files, more }
}

/// A look on its way.
struct Look<'a> {
    places: &'a LookUp,
    root: &'a Path,
    bounds: LookBounds,
    begun: Instant,
    /// Files and folders that were looked at.
    entries: usize,
    files: Vec<ServerFile>,
    /// Whether a bound ended it.
    more: bool,
}

impl Look<'_> {
    /// Folder by folder, those near the root first, so that a bound cuts off what lies deepest.
    fn walk(&mut self) {
        let mut entered = HashSet::new();
        let mut waiting = VecDeque::from([(String::new(), 1)]);
        while let Some((above, level)) = waiting.pop_front() {
            let folder = self.root.join(&above);
            // A link may lead back to where it lies.
            let new = fs::metadata(&folder).is_ok_and(|found| entered.insert(identity(&found)));
            if !new {
                continue;
            }
            for (name, path) in self.entries_of(&folder) {
                if self.is_over() {
                    return;
                }
                let below = if above.is_empty() { name } else { format!("{above}/{name}") };
                let Ok(found) = fs::metadata(&path) else { continue };
                if found.is_dir() {
                    if level < self.bounds.depth {
                        waiting.push_back((below, level + 1));
                    }
                } else if found.is_file()
                    && let Some(file) = self.listed(&below, &path, &found)
                {
                    self.files.push(file);
                }
            }
        }
    }

    /// Names and paths of what lies in a folder, in order; nothing where it cannot be read.
    fn entries_of(&mut self, folder: &Path) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if self.entries == self.bounds.entries || self.begun.elapsed() > self.bounds.time {
                self.more = true;
                break;
            }
            self.entries += 1;
            // A spec is text: it cannot hold a name that is none.
            if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')) {
                found.push((name.to_owned(), entry.path()));
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether a bound is reached, which is noted.
    fn is_over(&mut self) -> bool {
        let over = self.files.len() == self.bounds.files || self.begun.elapsed() > self.bounds.time;
        self.more |= over;
        over
    }

    /// The file, where it looks like ratings that can be read. `below`: its path below the root.
    fn listed(&self, below: &str, path: &Path, found: &Metadata) -> Option<ServerFile> {
        let format = readable_format(path)?;
        let name = path.file_name()?.to_str()?;
        let known = KnownFile::find(name, found.len());
        let beside = |name: &str| {
            let own = path.with_file_name(name);
            let below = below.rsplit_once('/').map_or_else(|| name.to_owned(), |(above, _)| format!("{above}/{name}"));
            let is_there = fs::metadata(&own).is_ok_and(|found| found.is_file()) && File::open(&own).is_ok();
            if is_there { self.named(&below, &own) } else { None }
        };
        // A RecBole data set is several files of one name, packed alike or not.
        let bare = without_packing(name);
        let packing = name.get(bare.len()..).unwrap_or_default();
        let stem = bare.strip_suffix(".inter").filter(|_| format == DataFormat::Recbole);
        let of_recbole = |ending: &str| {
            let plain = format!("{}.{ending}", stem?);
            beside(&plain).or_else(|| beside(&format!("{plain}{packing}")))
        };
        let items = known.and_then(|known| known.items.iter().find_map(|name| beside(name)));
        Some(ServerFile {
            id: format!("{FILE_ID}{}", sha256_hex(below.as_bytes()).get(..16)?),
            title: known.map_or_else(|| below.to_owned(), |known| known.title.to_owned()),
            path: self.named(below, path)?,
            format,
            items: items.or_else(|| of_recbole("item")),
            users: of_recbole("user"),
            bytes: found.len(),
            about: known.map(KnownFile::origin),
        })
    }

    /// The path by which a spec finds a file: below the root, unless something else of that name would be found first; then
    /// from the root of the system. `None` where a spec cannot hold it.
    fn named(&self, below: &str, path: &Path) -> Option<String> {
        let is_ours = |place: &PathBuf| match (fs::metadata(place), fs::metadata(path)) {
            (Ok(one), Ok(other)) => identity(&one) == identity(&other),
            _ => false,
        };
        let told = if self.places.find(below).is_ok_and(|place| is_ours(&place)) {
            below.to_owned()
        } else {
            std::path::absolute(path).ok()?.to_str()?.to_owned()
        };
        (told.chars().count() <= MAX_PATH_CHARS).then_some(told)
    }
}

/// What tells files and folders of one machine apart, whatever they are called.
fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// How a regular file is written, where its first lines, out of its packing, can be read so. Of tables the first bytes or the name decide:
/// what is in them would take a look at the whole.
fn readable_format(path: &Path) -> Option<DataFormat> {
    let beginning = Beginning::read(path).ok()?;
    if beginning.is_empty() || beginning.is_packed_twice() {
        return None;
    }
    let format = beginning.format(path)?;
    if format.is_table() {
        return Some(format);
    }
    let lines = beginning.lines();
    // Any words are sequences to the reader; a text that somebody wrote is not listed as data.
    let numbered = || lines.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_whitespace());
    if format == DataFormat::Sequences && !numbered() {
        return None;
    }
    let limits = ReadLimits { max_bad_share: MAX_BAD_SHARE, ..ReadLimits::default() };
    read_ratings(format, lines, limits).is_ok().then_some(format)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const INTER: &str = "user_id:token\titem_id:token\trating:float\n1\t2\t3\n2\t2\t4\n";

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn look_up(root: &Path) -> LookUp {
        LookUp { spec_dir: Some(root.join("nowhere")), data_root: Some(root.to_owned()) }
    }

    fn listed(root: &Path) -> Vec<String> {
        server_files(&look_up(root), LookBounds::default()).files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn ratings_are_listed_with_their_format_and_attributes_and_nothing_else_is() {
        let folder = folder(&[
            ("small/small.inter", INTER),
            ("small/small.item", "item_id:token\tclass:token_seq\n2\ta b\n"),
            ("small/small.user", "user_id:token\tage:token\n1\t24\n"),
            ("a.csv", "u,i,4,5\nu,j,5,6\n"),
            ("u1.base", "1\t2\t3\t4\n"),
            ("sequences.txt", "1 5 9 12\n2 5\n"),
            ("notes.txt", "These are words\nof somebody\n"),
            ("people.csv", "name,town,street,age\nA,B,C,7\n"),
            ("experiment.toml", "version = 1\n"),
            ("lists.json", "{\"4\": [1, 2, 3]}"),
            ("empty.csv", ""),
            (".hidden.csv", "u,i,4,5\n"),
            ("ratings.csv.gz", "\u{1f}"),
        ]);
        let found = server_files(&look_up(folder.path()), LookBounds::default());
        assert!(found.folder && !found.more);
        let told: Vec<_> = found.files.iter().map(|file| (file.path.as_str(), file.format)).collect();
        assert_eq!(
            told,
            [
                ("a.csv", DataFormat::AmazonCsv),
                ("sequences.txt", DataFormat::Sequences),
                ("small/small.inter", DataFormat::Recbole),
                ("u1.base", DataFormat::Movielens),
            ]
        );
        let inter = &found.files[2];
        assert_eq!(inter.items.as_deref(), Some("small/small.item"));
        assert_eq!(inter.users.as_deref(), Some("small/small.user"));
        assert_eq!((inter.title.as_str(), inter.bytes), ("small/small.inter", INTER.len() as u64));
        assert_eq!(found.files[0].items, None);
        assert!(found.files.iter().all(|file| file.id.starts_with(FILE_ID) && file.id.len() == FILE_ID.len() + 16));
    }

    #[test]
    fn packed_files_are_looked_into_and_listed_where_what_is_in_them_can_be_read() {
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let many =
            (0..50_000).map(|row| format!("u{},i{},4,{row}\n", row % 999, row % 77)).collect::<Vec<_>>().concat();
        let inter = gzip(INTER.as_bytes());
        for (name, bytes) in [
            ("many.csv.gz", gzip(many.as_bytes())),
            ("ml.inter.gz", inter.clone()),
            ("ml.item.gz", gzip(b"item_id:token\tclass:token_seq\n2\ta b\n")),
            ("ml.user", b"user_id:token\tage:token\n1\t24\n".to_vec()),
            // The name says ratings, what is in it does not.
            ("people.csv.gz", gzip(b"name,town,street,age\nA,B,C,7\n")),
            ("notes.txt.gz", gzip(b"These are words\nof somebody\n")),
            ("twice.inter.gz", gzip(&inter)),
            ("half.csv.gz", inter[..10].to_vec()),
            ("rubbish.csv.gz", b"\x1f\x8b\x08 and no more".to_vec()),
            ("rubbish.csv.zst", b"\x28\xb5\x2f\xfd and no more".to_vec()),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let files = server_files(&look_up(folder.path()), LookBounds::default()).files;
        let told: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.format)).collect();
        assert_eq!(told, [("many.csv.gz", DataFormat::AmazonCsv), ("ml.inter.gz", DataFormat::Recbole)]);
        assert_eq!((files[1].items.as_deref(), files[1].users.as_deref()), (Some("ml.item.gz"), Some("ml.user")));
    }

    #[test]
    fn a_known_data_set_comes_first_with_its_title_source_and_protocol() {
        let row = "196\t242\t3\t881250949\n";
        let mut u_data = row.repeat(1_979_173 / row.len());
        u_data.push_str(&"\n".repeat(1_979_173 - u_data.len()));
        let folder = folder(&[("a.csv", "u,i,4,5\n"), ("ml-100k/u.data", &u_data), ("other/u.data", row)]);
        let files = server_files(&look_up(folder.path()), LookBounds::default()).files;
        let titles: Vec<&str> = files.iter().map(|file| file.title.as_str()).collect();
        assert_eq!(titles, ["MovieLens 100K", "a.csv", "other/u.data"]);
        let about = files[0].about.as_ref().unwrap();
        assert!(about.source.contains("GroupLens") && about.protocol.contains("per-user-first-n"), "{about:?}");
        assert_eq!(files[2].about, None, "another size");
    }

    #[test]
    fn the_look_is_bounded_in_depth_number_entries_and_time() {
        let folder =
            folder(&[("a/b/in.inter", INTER), ("a/b/c/too-deep.inter", INTER), ("1.inter", INTER), ("2.inter", INTER)]);
        assert_eq!(listed(folder.path()), ["1.inter", "2.inter", "a/b/in.inter"]);
        let of = |bounds| server_files(&look_up(folder.path()), bounds);
        let few = of(LookBounds { files: 2, ..LookBounds::default() });
        assert_eq!((few.files.len(), few.more), (2, true));
        let few = of(LookBounds { entries: 1, ..LookBounds::default() });
        assert!(few.files.len() <= 1 && few.more, "{few:?}");
        let none = of(LookBounds { time: Duration::ZERO, ..LookBounds::default() });
        assert_eq!((none.files.len(), none.more), (0, true));
        assert!(!of(LookBounds { files: 4, ..LookBounds::default() }).more, "all are there");
    }

    #[test]
    fn links_that_lead_back_are_entered_once_and_those_that_lead_nowhere_are_passed_over() {
        let folder = folder(&[("a/x.inter", INTER)]);
        symlink(folder.path(), folder.path().join("a/back")).unwrap();
        symlink("nowhere", folder.path().join("lost.inter")).unwrap();
        symlink("itself.inter", folder.path().join("itself.inter")).unwrap();
        assert_eq!(listed(folder.path()), ["a/x.inter"]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_the_rest_is_listed() {
        let folder = folder(&[("a.inter", INTER), ("shut/b.inter", INTER), ("shut.inter", INTER)]);
        let [shut, file] = ["shut", "shut.inter"].map(|name| folder.path().join(name));
        for path in [&shut, &file] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
        }
        let told = listed(folder.path());
        // Root may read all of it.
        if File::open(&file).is_err() {
            assert_eq!(told, ["a.inter"]);
        } else {
            assert_eq!(told, ["a.inter", "shut.inter", "shut/b.inter"]);
        }
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(listed(&folder.path().join("none")).is_empty());
        assert_eq!(
            server_files(&LookUp::default(), LookBounds::default()),
            ServerFiles::default(),
            "no folder is named"
        );
    }

    #[test]
    fn odd_names_are_listed_as_a_spec_can_hold_them() {
        let folder = folder(&[("größe 5 <b>.inter", INTER), ("a\nb:'\".inter", INTER), ("c%2Fd?.inter", INTER)]);
        let not_text = std::ffi::OsStr::from_bytes(b"\xff.inter");
        // Some file systems take text only.
        let _ = fs::write(folder.path().join(not_text), INTER);
        assert_eq!(listed(folder.path()), ["a\nb:'\".inter", "c%2Fd?.inter", "größe 5 <b>.inter"]);
    }

    #[test]
    fn a_file_that_another_of_its_name_would_be_taken_for_is_named_from_the_root_of_the_system() {
        let folder = folder(&[("data/a.inter", INTER), ("work/a.inter", INTER), ("data/b.inter", INTER)]);
        let [data, work] = ["data", "work"].map(|name| folder.path().join(name));
        let look_up = LookUp { spec_dir: Some(work), data_root: Some(data.clone()) };
        let paths: Vec<String> =
            server_files(&look_up, LookBounds::default()).files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [data.join("a.inter").display().to_string(), "b.inter".to_owned()]);
    }
}
