//! Which files of an installation are not as they were installed: gone, or of another size.
//!
//! Names and sizes are held against what was noted when they were installed. That takes a fraction of a second for the tens of thousands of
//! files of an environment, and finds what was removed, cut short or half written; whether what is inside is right tells only a start.
//! A package that is gone with its notes has nothing left that could tell of it: names are held against those of the installation, too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that a package takes for a moment or from then on beside its files: the list of them, what Python compiles,
/// rounding to blocks.
const WRITTEN_BESIDE: u64 = 1 << 20;

/// Files that are not as they were installed: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Their names below the folder of the packages, in order.
    pub files: Vec<String>,
    /// The packages that they belong to, as pip reads them (`torch==2.9.0`); none where nobody noted whose they are.
    pub packages: BTreeSet<String>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.files.first().map_or("", String::as_str);
        match self.files.len() {
            1 => write!(f, "{first} is missing or not as it was installed")?,
            files => write!(f, "{files} files are missing or not as they were installed, the first {first}")?,
        }
        if self.packages.is_empty() { Ok(()) } else { write!(f, " (of {})", self.owners()) }
    }
}

impl Damage {
    /// The packages that the files belong to, the first three of them by name.
    pub(crate) fn owners(&self) -> String {
        let named: Vec<&str> = self.packages.iter().take(3).map(String::as_str).collect();
        match self.packages.len() - named.len() {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }

    /// Whether the package of this name is among those that the files belong to.
    pub(crate) fn is_in(&self, package: &str) -> bool {
        self.packages.iter().any(|damaged| damaged.split("==").next() == Some(package))
    }
}

/// What was noted of an environment when all had just been installed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noted<'a> {
    /// Files that were not then as their packages name them.
    pub(crate) as_they_came: &'a [String],
    /// The packages with the bytes of their lists ([`lists_of`]); nothing where nobody noted them.
    pub(crate) lists: Option<&'a BTreeMap<String, u64>>,
    /// Names of the packages that were asked for.
    pub(crate) pinned: &'a [&'a str],
}

/// What is not as pip has installed it in a virtual environment; `None` where all is. Each package there names its files and their sizes
/// (`RECORD`).
pub(crate) fn of_environment(environment: &Path, noted: Noted<'_>) -> Option<Damage> {
    let (mut files, mut packages) = (BTreeSet::new(), BTreeSet::new());
    let mut there = BTreeMap::new();
    for folder in package_folders(environment) {
        for (file, owners) in of_packages(&folder) {
            if !noted.as_they_came.contains(&file) {
                files.insert(file);
                packages.extend(owners);
            }
        }
        there.extend(sizes(&folder));
    }
    for (file, package) in not_as_noted(&there, noted) {
        files.insert(file);
        packages.insert(package);
    }
    (!files.is_empty()).then(|| Damage { files: files.into_iter().collect(), packages })
}

/// The packages in an environment, as `keras-3.15.1.dist-info`, with the bytes of the lists of their files.
pub(crate) fn lists_of(environment: &Path) -> BTreeMap<String, u64> {
    package_folders(environment).iter().flat_map(|folder| sizes(folder)).collect()
}

/// Bytes of the disk that installing the damaged packages again takes beside what is there: their downloads, which are
/// packed and no larger than what they hold, and what their files lack. `None` where no whole list tells what one of
/// them holds.
pub(crate) fn bytes_to_mend(environment: &Path, damage: &Damage) -> Option<u64> {
    let mut waiting: BTreeSet<&str> = damage.packages.iter().map(String::as_str).collect();
    let mut bytes = WRITTEN_BESIDE.saturating_mul(waiting.len() as u64);
    for folder in package_folders(environment) {
        for list in lists(&folder) {
            if !waiting.remove(list.package.as_str()) {
                continue;
            }
            let text = list.text.as_deref().filter(|_| !damage.files.contains(&list.name))?;
            for (file, size) in listed(text) {
                let there = fs::metadata(folder.join(file.as_ref())).map_or(0, |file| file.len());
                bytes = bytes.saturating_add(size).saturating_add(size.saturating_sub(there));
            }
        }
    }
    (waiting.is_empty() && !damage.packages.is_empty()).then_some(bytes)
}

/// Whether a package, as pip reads it, is there in another version, and not in this one.
pub(crate) fn is_replaced(environment: &Path, package: &str) -> bool {
    let Some((name, version)) = package.split_once("==") else { return false };
    let there = lists_of(environment);
    let mut versions = there.keys().filter_map(|notes| named(notes)).filter(|(other, _)| same(other, name)).peekable();
    versions.peek().is_some() && versions.all(|(_, other)| other != version)
}

/// Lists that are gone or of another length, each with its package as pip reads it. A package of another version is none where nobody asked for
/// a certain one, as where pip has been renewed.
fn not_as_noted(there: &BTreeMap<String, u64>, noted: Noted<'_>) -> Vec<(String, String)> {
    let is_there = |name: &str| there.keys().filter_map(|notes| named(notes)).any(|(other, _)| same(other, name));
    let is_pinned = |name: &str| noted.pinned.iter().any(|pinned| same(pinned, name));
    let Some(lists) = noted.lists else {
        let gone = noted.pinned.iter().filter(|name| !is_there(name));
        return gone.map(|name| (format!("the package {name}"), (*name).to_owned())).collect();
    };
    let unlike = lists.iter().filter_map(|(notes, bytes)| {
        let (name, version) = named(notes)?;
        let is_whole = match there.get(notes) {
            Some(now) => now == bytes,
            None => is_there(name) && !is_pinned(name),
        };
        (!is_whole).then(|| (format!("{notes}/RECORD"), format!("{name}=={version}")))
    });
    unlike.collect()
}

/// The packages in a folder, with the bytes of the lists of their files; 0 where a list is gone.
fn sizes(folder: &Path) -> BTreeMap<String, u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of_entry = |entry: fs::DirEntry| {
        let notes = entry.file_name().to_string_lossy().into_owned();
        named(&notes)?;
        let bytes = fs::metadata(entry.path().join("RECORD")).map_or(0, |list| list.len());
        Some((notes, bytes))
    };
    entries.filter_map(of_entry).collect()
}

/// The package and the version that the name of a package's notes tells; names with a tilde are what pip has moved aside to remove it.
fn named(notes: &str) -> Option<(&str, &str)> {
    let package = notes.strip_suffix(".dist-info")?.rsplit_once('-')?;
    (!package.0.starts_with('~')).then_some(package)
}

/// Whether two names are of one package, as pip compares them: `tensorflow-cpu` is `tensorflow_cpu`.
fn same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '.'], "_");
    plain(one) == plain(other)
}

/// Where the packages of an environment lie.
fn package_folders(environment: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for library in ["lib", "lib64"] {
        let library = environment.join(library);
        // Most systems make the one a link to the other.
        if library.is_symlink() {
            continue;
        }
        let pythons = fs::read_dir(&library).into_iter().flatten().flatten();
        found.extend(pythons.map(|python| python.path().join("site-packages")).filter(|packages| packages.is_dir()));
    }
    found
}

/// Files of these packages that are not as they are noted, each with its packages.
fn of_packages(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let lists = lists(folder);
    let mut unlike: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for list in &lists {
        let Some(text) = &list.text else {
            unlike.entry(list.name.clone()).or_default().insert(list.package.clone());
            continue;
        };
        for (file, bytes) in listed(text) {
            if !is_there(&folder.join(file.as_ref()), bytes) {
                unlike.entry(file.into_owned()).or_default().insert(list.package.clone());
            }
        }
    }
    if !unlike.is_empty() {
        // A file that several packages bring is as the last of them has brought it.
        for (file, bytes) in lists.iter().filter_map(|list| list.text.as_deref()).flat_map(listed) {
            if unlike.contains_key(file.as_ref()) && is_there(&folder.join(file.as_ref()), bytes) {
                unlike.remove(file.as_ref());
            }
        }
    }
    unlike
}

/// What a package has noted of its files.
struct List {
    /// Its own name below the folder of the packages.
    name: String,
    /// The package, as pip reads it.
    package: String,
    /// What it says; nothing where it is gone.
    text: Option<String>,
}

fn lists(folder: &Path) -> Vec<List> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let notes = entry.file_name().to_string_lossy().into_owned();
        let Some((package, version)) = named(&notes) else { continue };
        let text = fs::read(entry.path().join("RECORD")).ok();
        found.push(List {
            name: format!("{notes}/RECORD"),
            package: format!("{package}=={version}"),
            text: text.map(|text| String::from_utf8_lossy(&text).into_owned()),
        });
    }
    found
}

/// Files and their bytes, as lines `name,checksum,bytes`. What has no size is the list itself, and what Python compiles, which it does again.
fn listed(text: &str) -> impl Iterator<Item = (Cow<'_, str>, u64)> {
    text.lines().filter_map(|line| {
        // A name may have commas, in quotes then; nothing else has.
        let mut cells = line.rsplitn(3, ',');
        let (bytes, _, name) = (cells.next()?, cells.next()?, cells.next()?);
        let bytes = bytes.trim().parse::<u64>().ok().filter(|_| !name.contains("__pycache__/"))?;
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        Some((quoted.map_or(Cow::Borrowed(name), |quoted| Cow::Owned(quoted.replace("\"\"", "\""))), bytes))
    })
}

/// Whether a file is there and as long as it was. One of certificates may be longer: whose network has one of its own
/// adds that, without which pip reaches no index.
fn is_there(path: &Path, bytes: u64) -> bool {
    let has_more = |now: u64| now > bytes && path.ends_with("cacert.pem");
    fs::metadata(path).is_ok_and(|file| file.is_file() && (file.len() == bytes || has_more(file.len())))
}

/// The files in these folders below `root` with their bytes, as they are now. A link is as long as the name that it leads to.
pub(crate) fn inventory(root: &Path, folders: &[&str]) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, Ok(file)) = (entry.path(), entry.metadata()) else { continue };
            if file.is_dir() {
                waiting.push(path);
            } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
                && !name.contains("__pycache__/")
            {
                files.insert(name.to_owned(), file.len());
            }
        }
    }
    files
}

/// What is not any more as an [`inventory`] has noted it; `None` where all is.
pub(crate) fn of_inventory(root: &Path, inventory: &BTreeMap<String, u64>) -> Option<Damage> {
    let unlike = |(file, bytes): &(&String, &u64)| {
        !fs::symlink_metadata(root.join(file)).is_ok_and(|now| !now.is_dir() && now.len() == **bytes)
    };
    let files: Vec<String> = inventory.iter().filter(unlike).map(|(file, _)| file.clone()).collect();
    (!files.is_empty()).then_some(Damage { files, packages: BTreeSet::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package by its name, its files with what is in them, and the rows of its list.
    type Package<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

    /// An environment in which pip has installed these packages.
    fn environment(packages: &[Package<'_>]) -> tempfile::TempDir {
        let environment = tempfile::tempdir().expect("a folder");
        let site = site(environment.path());
        fs::create_dir_all(environment.path().join("bin")).expect("a folder");
        for (package, files, rows) in packages {
            for (name, text) in *files {
                let path = site.join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            let notes = site.join(format!("{package}.dist-info"));
            fs::create_dir_all(&notes).expect("a folder");
            fs::write(notes.join("RECORD"), rows).expect("a file");
        }
        environment
    }

    fn site(environment: &Path) -> PathBuf {
        environment.join("lib/python3.11/site-packages")
    }

    #[test]
    fn files_that_are_gone_or_have_another_size_are_named_with_their_packages_and_nothing_else_is() {
        let torch = "torch/nn.py,sha256=x,4\n\"torch/a,\"\"b\"\".py\",sha256=x,3\n../../../bin/torchrun,sha256=x,5\n\
                     torch/__pycache__/nn.cpython-311.pyc,,\ntorch-2.9.0+cpu.dist-info/RECORD,,\r\n";
        let files = [("torch/nn.py", "four"), ("torch/a,\"b\".py", "abc"), ("../../../bin/torchrun", "start")];
        let environment = environment(&[
            ("torch-2.9.0+cpu", &files, torch),
            ("numpy-2.4.6", &[("numpy/i.py", "")], "numpy/i.py,,0\n"),
        ]);
        let (root, site) = (environment.path(), site(environment.path()));
        assert_eq!(of_environment(root, Noted::default()), None);
        fs::write(site.join("torch/nn.py"), "for").expect("a file");
        let cut = of_environment(root, Noted::default()).expect("it is cut short");
        assert_eq!(cut.to_string(), "torch/nn.py is missing or not as it was installed (of torch==2.9.0+cpu)");
        fs::remove_file(root.join("bin/torchrun")).expect("it was there");
        fs::remove_file(site.join("torch/a,\"b\".py")).expect("it was there");
        fs::remove_dir_all(site.join("numpy")).expect("it was there");
        let damage = of_environment(root, Noted::default()).expect("they are gone");
        assert_eq!(damage.files, ["../../../bin/torchrun", "numpy/i.py", "torch/a,\"b\".py", "torch/nn.py"]);
        assert_eq!(
            damage.to_string(),
            "4 files are missing or not as they were installed, the first ../../../bin/torchrun (of numpy==2.4.6, \
             torch==2.9.0+cpu)"
        );
        assert!(damage.is_in("numpy") && !damage.is_in("num"));
        assert_eq!(
            of_environment(root, Noted { as_they_came: &damage.files, ..Noted::default() }),
            None,
            "what never came is not missed"
        );
    }

    #[test]
    fn mending_takes_the_room_of_the_damaged_packages_and_of_no_others() {
        let layers = "x".repeat(5000);
        let environment = environment(&[
            (
                "torch-2.9.0",
                &[("torch/init.py", "init"), ("torch/nn.py", layers.as_str())],
                "torch/init.py,x,4\ntorch/nn.py,x,5000\n",
            ),
            ("numpy-2.4.6", &[("numpy/i.py", "")], "numpy/i.py,,0\nnumpy/large.so,,7000000000\n"),
        ]);
        let (root, site) = (environment.path(), site(environment.path()));
        let as_they_came = ["numpy/large.so".to_owned()];
        let noted = Noted { as_they_came: &as_they_came, ..Noted::default() };
        let needs = || of_environment(root, noted).map(|damage| bytes_to_mend(root, &damage));
        assert_eq!(needs(), None, "nothing is damaged");
        fs::write(site.join("torch/nn.py"), &layers[..1000]).expect("room");
        // Downloaded again are both files; of one the rest is lacking.
        assert_eq!(needs(), Some(Some(WRITTEN_BESIDE + 5004 + 4000)));
        fs::remove_file(site.join("torch/init.py")).expect("it was there");
        assert_eq!(needs(), Some(Some(WRITTEN_BESIDE + 5004 + 4004)));
        fs::remove_file(site.join("numpy/i.py")).expect("it was there");
        assert!(needs().flatten().is_some_and(|bytes| bytes > 7_000_000_000), "the other package counts now");
        // A package without a list, and one whose list is not whole.
        fs::remove_file(site.join("torch-2.9.0.dist-info/RECORD")).expect("it was there");
        assert_eq!(needs(), Some(None));
        fs::write(site.join("torch-2.9.0.dist-info/RECORD"), "torch/nn.py,x,5000\n").expect("room");
        let lists =
            BTreeMap::from([("torch-2.9.0.dist-info".to_owned(), 40), ("numpy-2.4.6.dist-info".to_owned(), 40)]);
        let noted = Noted { lists: Some(&lists), ..noted };
        let damage = of_environment(root, noted).expect("lists are cut short");
        assert_eq!(bytes_to_mend(root, &damage), None, "it tells of too few files");
    }

    #[test]
    fn a_package_whose_list_is_gone_is_damaged_and_what_pip_has_moved_aside_is_no_package() {
        let environment = environment(&[("numpy-2.4.6", &[], ""), ("~umpy-2.4.5", &[], "numpy/i.py,,5\n")]);
        assert_eq!(of_environment(environment.path(), Noted::default()), None);
        fs::remove_file(site(environment.path()).join("numpy-2.4.6.dist-info/RECORD")).expect("it was there");
        let damage = of_environment(environment.path(), Noted::default()).expect("nobody knows what belongs to it");
        assert_eq!(damage.files, ["numpy-2.4.6.dist-info/RECORD"]);
        assert!(damage.is_in("numpy"));
        assert_eq!(of_environment(Path::new("/nowhere/environment"), Noted::default()), None);
    }

    #[test]
    fn certificates_that_somebody_has_added_are_no_damage_and_those_that_are_gone_are() {
        let certificates = "pip/_vendor/certifi/cacert.pem";
        let files = [(certificates, "theirs"), ("pip/main.py", "main")];
        let environment = environment(&[("pip-24.0", &files, "pip/_vendor/certifi/cacert.pem,x,6\npip/main.py,x,4\n")]);
        let site = site(environment.path());
        fs::write(site.join(certificates), "theirs and ours").expect("room");
        assert_eq!(of_environment(environment.path(), Noted::default()), None);
        fs::write(site.join("pip/main.py"), "main and more").expect("room");
        let damage = of_environment(environment.path(), Noted::default()).expect("a program is another");
        assert_eq!(damage.files, ["pip/main.py"]);
        fs::write(site.join(certificates), "the").expect("room");
        let damage = of_environment(environment.path(), Noted::default()).expect("it is cut short");
        assert_eq!(damage.files, [certificates, "pip/main.py"]);
    }

    #[test]
    fn a_package_that_is_gone_with_its_notes_and_a_list_that_is_cut_short_are_damage() {
        let rows = "keras/a.py,x,1\nkeras/b.py,x,1\n";
        let packages: [Package<'_>; 3] = [
            ("tensorflow_cpu-2.21.0", &[], ""),
            ("keras-3.15.1", &[("keras/a.py", "a"), ("keras/b.py", "b")], rows),
            ("pip-24.0", &[], ""),
        ];
        let environment = environment(&packages);
        let (root, site) = (environment.path(), site(environment.path()));
        let lists = lists_of(root);
        assert_eq!(lists["keras-3.15.1.dist-info"], rows.len() as u64);
        let pinned = ["tensorflow-cpu", "keras"];
        let noted = Noted { lists: Some(&lists), pinned: &pinned, ..Noted::default() };
        // What an older version of the lab installed has no lists.
        let older = Noted { pinned: &pinned, ..Noted::default() };
        assert_eq!((of_environment(root, noted), of_environment(root, older)), (None, None));
        fs::write(site.join("keras-3.15.1.dist-info/RECORD"), "keras/a.py,x,1\n").expect("room");
        let cut = of_environment(root, noted).expect("its list is cut short");
        assert_eq!(cut.files, ["keras-3.15.1.dist-info/RECORD"]);
        assert!(cut.is_in("keras") && cut.packages.len() == 1, "{cut}");
        // As `pip uninstall keras`.
        for folder in ["keras", "keras-3.15.1.dist-info"] {
            fs::remove_dir_all(site.join(folder)).expect("it was there");
        }
        for noted in [noted, older] {
            assert!(of_environment(root, noted).expect("it is gone").is_in("keras"));
        }
        assert!(!is_replaced(root, "keras==3.15.1"), "nothing is in its place");
        // Another version of what was asked for is none of it; another pip is.
        fs::create_dir(site.join("Keras-4.0.dist-info")).expect("a folder");
        fs::write(site.join("Keras-4.0.dist-info/RECORD"), "").expect("a file");
        assert!(of_environment(root, noted).expect("another version").is_in("keras"));
        assert!(is_replaced(root, "keras==3.15.1") && !is_replaced(root, "Keras==4.0"));
        fs::rename(site.join("Keras-4.0.dist-info"), site.join("keras-3.15.1.dist-info")).expect("moved");
        fs::write(site.join("keras-3.15.1.dist-info/RECORD"), rows).expect("room");
        fs::create_dir(site.join("keras")).expect("a folder");
        for file in ["a", "b"] {
            fs::write(site.join(format!("keras/{file}.py")), file).expect("room");
        }
        fs::rename(site.join("pip-24.0.dist-info"), site.join("pip-25.0.dist-info")).expect("moved");
        assert_eq!(of_environment(root, noted), None);
    }

    #[test]
    fn a_file_that_two_packages_bring_may_be_that_of_either() {
        let first = ("nvidia_a-1", &[("nvidia/i.py", "seven77")][..], "nvidia/i.py,,7\n");
        let environment = environment(&[first, ("nvidia_b-1", &[], "nvidia/i.py,,0\n")]);
        assert_eq!(of_environment(environment.path(), Noted::default()), None);
        fs::remove_file(site(environment.path()).join("nvidia/i.py")).expect("it was there");
        let damage = of_environment(environment.path(), Noted::default()).expect("it is gone");
        assert_eq!((damage.files.len(), damage.packages.len()), (1, 2));
    }

    #[test]
    fn an_inventory_tells_what_is_gone_cut_short_or_a_link_no_more() {
        let root = tempfile::tempdir().expect("a folder");
        let (lib, path) = (root.path().join("torch/lib"), root.path());
        fs::create_dir_all(lib.join("deep")).expect("a folder");
        fs::write(lib.join("libc10.so"), "c10").expect("a file");
        fs::write(lib.join("deep/libshm.so"), "shm").expect("a file");
        std::os::unix::fs::symlink("libc10.so", lib.join("libtorch.so")).expect("a link");
        let inventory = inventory(path, &["torch/lib", "nowhere"]);
        assert_eq!(inventory.len(), 3);
        assert_eq!(of_inventory(path, &inventory), None);
        fs::remove_file(lib.join("libtorch.so")).expect("it was there");
        fs::write(lib.join("deep/libshm.so"), "s").expect("a file");
        let damage = of_inventory(path, &inventory).expect("two are not as they were");
        assert_eq!(damage.files, ["torch/lib/deep/libshm.so", "torch/lib/libtorch.so"]);
        assert!(!damage.to_string().contains("(of"), "{damage}");
    }
}
