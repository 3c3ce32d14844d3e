//! An attribute dealt out anew among those who have it, for a model that has learnt.

use crate::csr::Csr;

/// The values of one attribute dealt out anew among the items, or among the users: what a fitted model is asked with to see how
/// much it reads there. Source: Breiman, "Random Forests", doi:10.1023/A:1010933404324, section 10.
#[derive(Debug, Clone, Copy)]
pub struct Permutation<'a> {
    /// Whether it is an attribute of the items; otherwise it is one of the users.
    pub of_items: bool,
    /// Name of the attribute.
    pub attribute: &'a str,
    /// By index, whose value each item or user is asked with; each of them once.
    pub order: &'a [u32],
}

impl Permutation<'_> {
    /// Whether it deals something out among so many items or users.
    pub fn fits(&self, of_items: bool, count: usize) -> bool {
        self.of_items == of_items && self.order.len() == count
    }

    /// Items or users × features, with the features of the attribute dealt out and all others where they were.
    pub fn deal(&self, features: &Csr, is_dealt: impl Fn(u32) -> bool) -> Csr {
        let mut dealt = Csr { indptr: vec![0], ..Csr::default() };
        let mut own: Vec<(u32, f32)> = Vec::new();
        for (row, &other) in self.order.iter().enumerate() {
            own.clear();
            for (from, wanted) in [(row, false), (other as usize, true)] {
                let (columns, values) = features.row(from);
                let entries = columns.iter().copied().zip(values.iter().copied());
                own.extend(entries.filter(|(feature, _)| is_dealt(*feature) == wanted));
            }
            own.sort_unstable_by_key(|(feature, _)| *feature);
            dealt.indices.extend(own.iter().map(|(feature, _)| feature));
            dealt.values.extend(own.iter().map(|(_, value)| value));
            dealt.indptr.push(dealt.indices.len());
        }
        dealt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_features_of_the_attribute_move() {
        let features =
            Csr { indptr: vec![0, 2, 3, 5], indices: vec![0, 2, 1, 0, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0] };
        let order = [2, 0, 1];
        let permutation = Permutation { of_items: true, attribute: "colour", order: &order };
        // Features 0 and 1 are colours.
        let dealt = permutation.deal(&features, |feature| feature < 2);
        assert_eq!(
            (dealt.row(0), dealt.row(1), dealt.row(2)),
            ((&[0, 2][..], &[4.0, 2.0][..]), (&[0][..], &[1.0][..]), (&[1, 3][..], &[3.0, 5.0][..]))
        );
        let back = Permutation { order: &[1, 2, 0], ..permutation };
        assert_eq!(back.deal(&dealt, |feature| feature < 2), features);
        assert!(permutation.fits(true, 3) && !permutation.fits(false, 3) && !permutation.fits(true, 4));
    }
}
