//! By rank, then by time: the order of everything that stands in a timeline.

/// Sorts by the rank and the microseconds that `key` gives; what is alike in both stays in the order in which it came.
pub(super) fn by_rank_and_time<T>(all: &mut Vec<T>, key: impl Fn(&T) -> (usize, f64)) {
    let place = |(at, one): (usize, &T)| {
        let (rank, us) = key(one);
        (rank, us, at)
    };
    let mut places: Vec<(usize, f64, usize)> = all.iter().enumerate().map(place).collect();
    sort(&mut places);
    let mut taken: Vec<Option<T>> = std::mem::take(all).into_iter().map(Some).collect();
    all.extend(places.into_iter().filter_map(|(.., at)| taken[at].take()));
}

/// The one that all of them share: the library's is code of its own for each type that it sorts, six thousand bytes of
/// the page's program.
fn sort(places: &mut [(usize, f64, usize)]) {
    places.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_in_order_each_in_the_order_of_time_and_what_is_alike_as_it_came() {
        let mut all = vec![(1, 3.0, "a"), (0, 7.0, "b"), (1, 2.0, "c"), (0, 7.0, "d"), (0, -1.0, "e"), (1, 3.0, "f")];
        by_rank_and_time(&mut all, |one| (one.0, one.1));
        assert_eq!(all.iter().map(|one| one.2).collect::<String>(), "ebdcaf");
        let mut none: Vec<(usize, f64)> = Vec::new();
        by_rank_and_time(&mut none, |one| *one);
        assert!(none.is_empty());
    }
}
