//! What a fit takes, as far as it follows from counts that are known before any row is read. Who has the counts can
//! tell it: the page before a run, and the run itself, in the same words.

use crate::spec::{Dataset, ResolvedRecommender, ResolvedSpec, Source};
use crate::{Extent, Instead, Remedy, sentence};

/// Kinds that hold little more than a number for each user, item, rating or word: they ask nobody.
pub const LITTLE: &[&str] = &["random", "global-mean", "user-mean", "item-mean", "bias", "popularity", "content-tfidf"];

/// Operations of a dense inverse in f64 on one thread in a second (docs/benchmarks.md, EASE on the two threads of an
/// AMD EPYC: the 1,682 items of MovieLens-100K in 0.134 s, the 12,101 of Beauty 5-core in 41.3 s). On an Intel Xeon,
/// whose vectors are twice as long, MovieLens took half of that.
const INVERTED_PER_S: f64 = 2e10;

/// The same in a browser's tab (its runner in V8, on an Intel Xeon: the 4,147 items that have 8 rows or more in the
/// synthetic Beauty ratings of 100 thousand rows in 6.1 s of the processor's time, all 8,000 in 37.4 s).
const INVERTED_PER_S_IN_A_TAB: f64 = 1.2e10;

/// What computes an inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// So many threads of a machine.
    Threads(u32),
    /// The one thread of a browser's tab.
    Tab,
}

/// Seconds that a dense inverse of `n` by `n` numbers takes there, about: a third of the `n³` operations each goes
/// into the factor, its inverse, and the product of that with itself.
pub fn seconds_of_inverse(n: u64, processor: Processor) -> f64 {
    let per_s = match processor {
        Processor::Threads(threads) => INVERTED_PER_S * f64::from(threads.max(1)),
        Processor::Tab => INVERTED_PER_S_IN_A_TAB,
    };
    (n as f64).powi(3) / per_s
}

/// Bytes of `matrices` matrices of `n` by `n` numbers in f64.
pub const fn bytes_of_inverse(n: u64, matrices: u64) -> u64 {
    n.saturating_pow(2).saturating_mul(8 * matrices)
}

/// Of how many rows and columns such matrices may be in so many bytes. `matrices`: one at least.
pub const fn largest_inverse(bytes: u64, matrices: u64) -> u64 {
    (bytes / (8 * matrices)).isqrt()
}

/// What is known of the fit of a spec before any row is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foretold {
    /// It follows from the rows: the fit counts them, and refuses what does not fit before any work.
    OnceRead,
    /// It inverts a matrix over all items, of which it is known how many there are.
    Inverse(Inverse),
}

impl Foretold {
    /// `None` where there is nothing to tell: of kinds that hold little, of built-in data so small that every kind fits,
    /// and of networks alone, which are told by their plan.
    pub fn of(spec: &ResolvedSpec) -> Option<Self> {
        let recommender = &spec.recommender;
        if let Some(place) = inverting(recommender, "recommender") {
            let items = Extent::foretold(&spec.dataset).map(|extent| extent.items);
            return Some(items.map_or(Self::OnceRead, |items| Self::Inverse(Inverse { place, items })));
        }
        let counts = |part: &&ResolvedRecommender| {
            part.components().is_empty() && !part.entry.is_trained() && !LITTLE.contains(&part.entry.kind)
        };
        (!is_small(&spec.dataset) && recommender.all().iter().any(counts)).then_some(Self::OnceRead)
    }
}

/// Whether what is counted once the rows are read fits in any tab: known of the built-in data of 100,000 rows or fewer.
const fn is_small(dataset: &Dataset) -> bool {
    matches!(&dataset.source, Source::Builtin { entry } if entry.rows <= 100_000)
}

/// Where the first recommender stands that inverts a matrix over all items.
fn inverting(recommender: &ResolvedRecommender, place: &str) -> Option<String> {
    if recommender.entry.kind == "ease" {
        return Some(place.to_owned());
    }
    let mut components = recommender.components().iter().enumerate();
    components.find_map(|(index, component)| inverting(component, &format!("{place}.components[{index}]")))
}

/// The inverse over all items that EASE computes: its fit takes little beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inverse {
    /// Where the recommender stands in the spec, as `recommender` or `recommender.components[1]`.
    pub place: String,
    /// How many items there are.
    pub items: u64,
}

impl Inverse {
    /// What is computed.
    pub const WHAT: &'static str = "the dense inverse over all items";
    /// What takes less.
    pub const REMEDY: &'static Remedy =
        &Remedy { lower: "the number of items with dataset.min_item", instead: &["slim", "item-knn"] };
    /// Dense f64 matrices that the fit holds at once.
    pub const MATRICES: u64 = 2;
    /// Bytes that the fit may hold in a browser's tab, where nobody knows what is left: a tab addresses 4 GiB.
    pub const ALLOWED_IN_A_TAB: u64 = 2 << 30;

    /// Why a fit is refused that may hold so many bytes, in the words of the run; `None` where it fits. What a run has
    /// left is less, by its program and data: where this refuses, it does, too.
    pub fn refusal(&self, allowed: u64, processor: Processor) -> Option<String> {
        let bytes = bytes_of_inverse(self.items, Self::MATRICES);
        if bytes <= allowed {
            return None;
        }
        let time = Some(seconds_of_inverse(self.items, processor));
        let fits = Some(largest_inverse(allowed, Self::MATRICES));
        let told = unaffordable(Self::WHAT, bytes, (time, fits), Self::REMEDY);
        Some(sentence(&told.replace("recommender.", &format!("{}.", self.place))))
    }

    /// What it takes, as a part of a sentence.
    pub fn estimate(&self, processor: Processor) -> String {
        let bytes = size(bytes_of_inverse(self.items, Self::MATRICES));
        format!(
            "{} needs {bytes} of memory and about {}",
            Self::WHAT,
            duration(seconds_of_inverse(self.items, processor))
        )
    }

    /// What to take instead: kinds, each at the place of this one.
    pub fn instead(&self) -> Vec<Instead> {
        Instead::kinds(&self.place.replace('[', ".").replace(']', ""), Self::REMEDY.instead)
    }
}

/// That something takes more memory than there is: how much, about how many seconds where that is known beforehand,
/// how many of what it is computed over would fit where that follows, and what takes less.
pub fn unaffordable(what: &str, bytes: u64, (seconds, fits): (Option<f64>, Option<u64>), remedy: &Remedy) -> String {
    let time = seconds.map_or_else(|| ", which cannot be had".to_owned(), |s| format!(" and about {}", duration(s)));
    let fits =
        fits.map_or_else(String::new, |most| format!(" (up to about {} of them would fit)", grouped(about(most))));
    format!("{what} needs {} of memory{time}{fits}; lower {remedy}", size(bytes))
}

/// A number as it is said after “about”: its first three digits, and zeros. It is never more than the number, so that
/// as many do fit.
pub const fn about(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 1000 {
        unit *= 10;
    }
    number / unit * unit
}

/// A whole number with a comma between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// Seconds in the nearest unit.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.5 => "a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} seconds"),
        s if s < 7200.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.0} hours", s / 3600.0),
    }
}

/// Bytes in the nearest binary unit.
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let whole = ((bytes.max(1).ilog2() / 10) as usize).min(units.len() - 1);
    let of = |unit: usize| bytes as f64 / f64::powi(1024.0, unit as i32);
    // What would be rounded to 1024.0 is 1.0 of the next unit.
    let next = whole > 0 && whole + 1 < units.len() && of(whole) >= 1023.95;
    let unit = whole + usize::from(next);
    format!("{:.*} {}", usize::from(unit > 0), of(unit), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExperimentSpec;

    /// Items, and seconds of a fit of EASE on two threads (docs/benchmarks.md, 27 November 2026, AMD EPYC).
    const MEASURED: [(u64, f64); 2] = [(1682, 0.1338), (12_101, 41.25)];
    /// The same in a tab: see [`INVERTED_PER_S_IN_A_TAB`].
    const MEASURED_IN_A_TAB: [(u64, f64); 2] = [(4147, 6.07), (8000, 37.38)];

    #[test]
    fn an_inverse_is_foretold_to_take_what_it_took_within_a_quarter() {
        let native = MEASURED.map(|measured| (measured, Processor::Threads(2)));
        let in_a_tab = MEASURED_IN_A_TAB.map(|measured| (measured, Processor::Tab));
        for ((items, took), processor) in native.into_iter().chain(in_a_tab) {
            let foretold = seconds_of_inverse(items, processor);
            assert!(
                (0.8..1.25).contains(&(foretold / took)),
                "{items} items on {processor:?}: {foretold} s foretold, {took} s measured"
            );
        }
    }

    #[test]
    fn an_inverse_of_twice_as_many_rows_takes_eight_times_as_long_and_on_twice_the_threads_half() {
        for n in [1, 100, 12_101] {
            for processor in [Processor::Threads(3), Processor::Tab] {
                assert_eq!(seconds_of_inverse(2 * n, processor), 8.0 * seconds_of_inverse(n, processor));
            }
            let [three, six] = [3, 6].map(|threads| seconds_of_inverse(n, Processor::Threads(threads)));
            assert_eq!(six, three / 2.0);
        }
    }

    fn foretold(dataset: &str, recommender: &str) -> Option<Foretold> {
        let text = format!(
            "version = 1\n[dataset]\n{dataset}\n[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        Foretold::of(&ExperimentSpec::from_toml(&text).expect("a spec").resolve().expect("it is possible"))
    }

    const LARGE: &str = "source = \"builtin\"\nid = \"beauty-synthetic\"";

    #[test]
    fn an_inverse_over_more_items_than_fit_is_refused_with_memory_time_and_what_to_take_instead() {
        let Some(Foretold::Inverse(inverse)) = foretold(LARGE, "kind = \"ease\"") else { panic!("it is known") };
        assert_eq!(inverse, Inverse { place: "recommender".to_owned(), items: 249_274 });
        // 16 bytes for each of 249,274² pairs, and 249,274³ operations at 2·10¹⁰ a second and thread.
        assert_eq!(
            inverse.refusal(64 << 30, Processor::Threads(2)).as_deref(),
            Some(
                "The dense inverse over all items needs 925.9 GiB of memory and about 108 hours (up to about 65,500 of \
                 them would fit); lower the number of items with dataset.min_item, or take recommender.kind = \
                 \"slim\" or \"item-knn\"."
            )
        );
        assert_eq!(inverse.instead(), Instead::kinds("recommender", &["slim", "item-knn"]));
        let bytes = bytes_of_inverse(249_274, Inverse::MATRICES);
        assert_eq!(inverse.refusal(bytes, Processor::Tab), None, "it fits to the byte");
        assert!(inverse.refusal(bytes - 1, Processor::Tab).is_some());
    }

    #[test]
    fn a_number_after_about_has_three_digits_and_is_never_more_than_it_is() {
        for (number, told) in [
            (0, 0),
            (7, 7),
            (999, 999),
            (1000, 1000),
            (1009, 1000),
            (11_585, 11_500),
            (37_706, 37_700),
            (99_999, 99_900),
            (u64::MAX, 18_400_000_000_000_000_000),
        ] {
            assert_eq!(about(number), told, "{number}");
        }
        // What a run has left is a little less than what the page counts with: both say the same number.
        let of = |allowed: u64| {
            let inverse = Inverse { place: "recommender".to_owned(), items: 249_274 };
            inverse.refusal(allowed, Processor::Threads(2)).expect("it is too large")
        };
        let [page, run] = [37_706_u64, 37_701].map(|items| of(bytes_of_inverse(items, Inverse::MATRICES)));
        assert!(page.contains("(up to about 37,700 of them would fit)") && page == run, "{page} {run}");
    }

    #[test]
    fn how_many_would_fit_is_told_in_groups_of_three_digits() {
        let numbers = [0, 999, 1000, 37_700, 2_023_070, u64::MAX].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "37,700", "2,023,070", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn bytes_are_told_in_the_unit_of_which_they_are_less_than_1024() {
        for (bytes, told) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_473, "1023.9 KiB"),
            (1_048_575, "1.0 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(size(bytes), told, "{bytes}");
        }
    }

    #[test]
    fn a_stretch_of_time_is_one_second_or_several_and_never_1_seconds() {
        for (seconds, told) in [
            (0.0, "a second"),
            (0.98, "a second"),
            (1.0, "a second"),
            (1.49, "a second"),
            (1.5, "2 seconds"),
            (119.4, "119 seconds"),
            (120.0, "2 minutes"),
            (7200.0, "2 hours"),
        ] {
            assert_eq!(duration(seconds), told, "{seconds}");
        }
    }

    #[test]
    fn an_inverse_in_a_hybrid_is_refused_at_its_place() {
        let inner = "{ kind = \"weighted\", components = [{ kind = \"popularity\" }, { kind = \"ease\" }] }";
        let hybrid = format!("kind = \"weighted\"\ncomponents = [{{ kind = \"popularity\" }}, {inner}]");
        let Some(Foretold::Inverse(inverse)) = foretold(LARGE, &hybrid) else { panic!("it is known") };
        assert_eq!(inverse.place, "recommender.components[1].components[1]");
        let told = inverse.refusal(Inverse::ALLOWED_IN_A_TAB, Processor::Tab).expect("it is too large");
        assert!(told.contains("take recommender.components[1].components[1].kind = \"slim\""), "{told}");
        assert_eq!(inverse.instead(), Instead::kinds("recommender.components.1.components.1", &["slim", "item-knn"]));
    }

    #[test]
    fn what_follows_from_rows_is_told_once_they_are_read_and_what_holds_little_or_has_a_plan_tells_nothing() {
        for kind in ["item-knn", "user-knn", "slim", "als-implicit"] {
            assert_eq!(foretold(LARGE, &format!("kind = \"{kind}\"")), Some(Foretold::OnceRead), "{kind}");
        }
        for dataset in [
            format!("{LARGE}\nmin_item = 5"),
            format!("{LARGE}\nsample = 10000"),
            "source = \"file\"\npath = \"u.data\"\nformat = \"movielens\"".to_owned(),
        ] {
            assert_eq!(foretold(&dataset, "kind = \"ease\""), Some(Foretold::OnceRead), "{dataset}");
        }
        let small = "source = \"builtin\"\nid = \"beauty-synthetic-100k\"";
        assert_eq!(foretold(small, "kind = \"slim\""), None, "whatever it counts is little");
        for kind in LITTLE.iter().chain(&["sasrec", "mlp"]) {
            assert_eq!(foretold(LARGE, &format!("kind = \"{kind}\"")), None, "{kind}");
        }
        let alone = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"content-tfidf\" }]";
        assert_eq!(foretold(LARGE, alone), None, "all of its components hold little");
        let documented = include_str!("../../../docs/spec.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let named = LITTLE.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
        assert!(documented.contains(&format!("kinds that hold little ({named}), of networks")), "{named}");
        let beside = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"slim\" }]";
        assert_eq!(foretold(LARGE, beside), Some(Foretold::OnceRead), "a component counts");
    }

    #[test]
    fn what_fits_is_told_with_its_memory_and_time() {
        let inverse = Inverse { place: "recommender".to_owned(), items: 12_101 };
        assert_eq!(
            inverse.estimate(Processor::Threads(2)),
            "the dense inverse over all items needs 2.2 GiB of memory and about 44 seconds"
        );
    }
}
