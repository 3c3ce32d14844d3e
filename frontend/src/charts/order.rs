//! The order of the rows of a table.

use std::cmp::Ordering;

/// All of them in order; what is alike stays in the order in which it came. Each is put in its place, which is quick
/// for as many as a page shows: the library's sort would be four thousand bytes of the program for each type.
pub(crate) fn in_order<T>(all: impl IntoIterator<Item = T>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut sorted: Vec<T> = Vec::new();
    for one in all {
        let place = sorted.partition_point(|other| order(other, &one).is_le());
        sorted.insert(place, one);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stays_in_the_order_in_which_it_came() {
        let sorted = in_order([(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd'), (1, 'e')], |one, other| one.0.cmp(&other.0));
        assert_eq!(sorted, [(0, 'd'), (1, 'b'), (1, 'e'), (2, 'a'), (2, 'c')]);
        assert!(in_order(Vec::<u32>::new(), Ord::cmp).is_empty());
    }
}
