//! The chain that decides how long a batch takes.

use super::Span;

pub(super) fn of(spans: &[Span]) -> Vec<usize> {
    let last = (0..spans.len()).max_by(|&a, &b| spans[a].end_us.total_cmp(&spans[b].end_us).then(b.cmp(&a)));
    let mut path: Vec<usize> = std::iter::successors(last, |&at| spans[at].after).collect();
    path.reverse();
    path
}
