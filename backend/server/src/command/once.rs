//! What is named twice, in an option or behind a command, is done once: for every command here.

use std::fmt::Display;

use super::output;

/// The names without those whose meaning one before them has. What is left out is said: `given` is what names them, as
/// `--engines`, and `done` what is done with each, as `measured`.
pub(super) fn each_once<N: Clone + Display, M: PartialEq>(
    (given, done): (&str, &str),
    names: &[N],
    meaning: impl Fn(&N) -> M,
) -> Vec<N> {
    let (kept, again) = divided(names, meaning);
    if !again.is_empty() {
        output::complain(&format!("recspeed: {}", sentence((given, done), &again)));
    }
    kept
}

fn sentence<N: Display>((given, done): (&str, &str), again: &[N]) -> String {
    let names = again.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let each = if again.len() == 1 { "it is" } else { "each is" };
    format!("{given} names {names} again; {each} {done} once.")
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

    #[test]
    fn what_is_named_again_is_told_with_what_is_done_with_it() {
        assert_eq!(sentence(("--rows", "measured"), &[10]), "--rows names `10` again; it is measured once.");
        assert_eq!(
            sentence(("the command", "installed"), &["pytorch", "libtorch"]),
            "the command names `pytorch`, `libtorch` again; each is installed once."
        );
    }
}
