//! How unevenly rows spread: histograms that double, and what the most frequent few hold.

use serde::Serialize;

/// Users or items with between `from` and `to` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CountBin {
    /// Fewest rows.
    pub from: u32,
    /// Most rows.
    pub to: u32,
    /// Users or items.
    pub count: u64,
    /// Rows that they have together.
    pub rows: u64,
}

/// The most frequent few and the rows that they hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TailPoint {
    /// Share of the users or items, the most frequent first.
    pub share: f64,
    /// Share of the rows that they hold.
    pub rows: f64,
}

/// Shares that the curve is told at.
const SHARES: [f64; 9] = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8];

/// The bin of a count in words: `1`, `2`, `3 to 4`, `5 to 8`; nothing for none.
pub(crate) fn range_of(count: u32) -> String {
    match place(count) {
        _ if count == 0 => String::new(),
        0 => "1".to_owned(),
        1 => "2".to_owned(),
        place => {
            let (from, to) = ends(place);
            format!("{from} to {to}")
        }
    }
}

/// Which bin a count is in.
fn place(count: u32) -> usize {
    if count <= 1 { 0 } else { (u32::BITS - (count - 1).leading_zeros()) as usize }
}

/// The first and the last count of a bin.
fn ends(place: usize) -> (u32, u32) {
    let from = if place == 0 { 1 } else { (1u32 << (place - 1)) + 1 };
    (from, 1u32.checked_shl(place as u32).unwrap_or(u32::MAX))
}

/// Bins from 1, 2, 3 to 4, 5 to 8 and so on, each twice as wide as the one before; those at the ends are not empty.
pub(crate) fn bins(counts: &[u32]) -> Vec<CountBin> {
    let mut bins: Vec<CountBin> = Vec::new();
    for &count in counts.iter().filter(|&&count| count > 0) {
        let at = place(count);
        while bins.len() <= at {
            let (from, to) = ends(bins.len());
            bins.push(CountBin { from, to, count: 0, rows: 0 });
        }
        bins[at].count += 1;
        bins[at].rows += u64::from(count);
    }
    let empty = bins.iter().take_while(|bin| bin.count == 0).count();
    bins.split_off(empty)
}

/// What the most frequent few hold; the share of users or items is rounded up to whole ones. Empty without rows.
pub(crate) fn curve(counts: &[u32]) -> Vec<TailPoint> {
    let mut ordered: Vec<u32> = counts.iter().copied().filter(|&count| count > 0).collect();
    ordered.sort_unstable_by(|a, b| b.cmp(a));
    let total: u64 = ordered.iter().map(|&count| u64::from(count)).sum();
    if total == 0 {
        return Vec::new();
    }
    let point = |&share: &f64| {
        let few = ((share * ordered.len() as f64).ceil() as usize).min(ordered.len());
        let held: u64 = ordered[..few].iter().map(|&count| u64::from(count)).sum();
        TailPoint { share, rows: held as f64 / total as f64 }
    };
    SHARES.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_worked_bins_and_shares() {
        let bins: Vec<_> =
            bins(&[1, 1, 2, 4, 5, 0]).iter().map(|bin| (bin.from, bin.to, bin.count, bin.rows)).collect();
        assert_eq!(bins, [(1, 1, 2, 2), (2, 2, 1, 2), (3, 4, 1, 4), (5, 8, 1, 5)]);
        // Of ten items one in ten is one: 91 of 100 rows.
        let curve = curve(&[91, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(curve.iter().find(|point| point.share == 0.1).unwrap().rows, 0.91);
        assert_eq!(curve.iter().find(|point| point.share == 0.5).unwrap().rows, 0.95);
    }

    proptest! {
        #[test]
        fn bins_hold_everything_and_the_curve_never_falls(counts in prop::collection::vec(0u32..5000, 1..60)) {
            let (bins, curve) = (bins(&counts), curve(&counts));
            let rows: u64 = counts.iter().map(|&count| u64::from(count)).sum();
            prop_assert_eq!(bins.iter().map(|bin| bin.rows).sum::<u64>(), rows);
            prop_assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), counts.iter().filter(|&&c| c > 0).count() as u64);
            prop_assert!(curve.windows(2).all(|pair| pair[0].rows <= pair[1].rows));
            prop_assert!(curve.iter().all(|point| point.rows + 1e-12 >= point.share));
        }

        #[test]
        fn the_largest_counts_have_a_bin(count in u32::MAX - 5..=u32::MAX) {
            let bins = bins(&[count]);
            prop_assert!(bins.len() == 1 && bins[0].from <= count && count <= bins[0].to);
        }
    }
}
