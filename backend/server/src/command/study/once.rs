//! What is named twice in a list of an option is measured once.

use std::fmt::Display;

use super::super::output;

/// The names without those whose meaning one before them has; what is left out is said.
pub(super) fn each_once<N: Clone + Display, M: PartialEq>(
    option: &str,
    names: &[N],
    meaning: impl Fn(&N) -> M,
) -> Vec<N> {
    let (kept, again) = divided(names, meaning);
    if !again.is_empty() {
        let again = again.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        output::complain(&format!("recspeed: {option} names {again} again; it is measured once."));
    }
    kept
}

/// Those that are named for the first time, and those that are named again, each in their order.
fn divided<N: Clone, M: PartialEq>(names: &[N], meaning: impl Fn(&N) -> M) -> (Vec<N>, Vec<N>) {
    let mut known: Vec<M> = Vec::new();
    let (mut kept, mut again) = (Vec::new(), Vec::new());
    for name in names {
        let means = meaning(name);
        if known.contains(&means) {
            again.push(name.clone());
        } else {
            known.push(means);
            kept.push(name.clone());
        }
    }
    (kept, again)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_stands_once_where_it_stood_first() {
        assert_eq!(divided(&[3, 1, 3, 2, 1], |number| *number), (vec![3, 1, 2], vec![3, 1]));
        assert_eq!(divided(&["a", "B", "A"], |name| name.to_lowercase()), (vec!["a", "B"], vec!["A"]));
    }
}
