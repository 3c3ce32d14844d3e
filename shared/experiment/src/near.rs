//! Ids that are written nearly as the one that was not found.

use recspeed_data::Dictionary;

/// Ids offered at most.
const OFFERED: usize = 3;
/// Letters that may differ.
const MOST_DIFFERENCES: usize = 2;

/// The nearest ids: the same in other letters' case, then by the number of letters that differ. A wrong letter leaves the
/// half of the id before or behind it as it is, so only ids that share a half are compared.
pub(crate) fn near<'a>(ids: &'a Dictionary, given: &str) -> Vec<&'a str> {
    let given = given.trim();
    let middle = (0..=given.len() / 2).rev().find(|&at| given.is_char_boundary(at)).unwrap_or(0);
    let (first, last) = given.split_at(middle);
    let mut found: Vec<(usize, &str)> = ids
        .iter()
        .filter(|id| id.len().abs_diff(given.len()) <= MOST_DIFFERENCES)
        .filter_map(|id| {
            if id.eq_ignore_ascii_case(given) {
                return Some((0, id));
            }
            let shares = !first.is_empty() && id.starts_with(first) || !last.is_empty() && id.ends_with(last);
            let distance = if shares { strsim::osa_distance(id, given) } else { usize::MAX };
            (distance <= MOST_DIFFERENCES && distance < given.chars().count()).then_some((distance, id))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(OFFERED).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_and_of_the_case_are_found() {
        let ids: Dictionary = ["A39HTATAQ9V7YF", "A39HTATAQ9V7YG", "B000052YAN", "196", "1960"].into_iter().collect();
        assert_eq!(near(&ids, "a39htataq9v7yf"), ["A39HTATAQ9V7YF"]);
        assert_eq!(near(&ids, "A39HTATAQ9V7Y"), ["A39HTATAQ9V7YF", "A39HTATAQ9V7YG"]);
        assert_eq!(near(&ids, "B00052YAN"), ["B000052YAN"]);
        assert_eq!(near(&ids, "195"), ["196", "1960"]);
        assert!(near(&ids, "nothing alike").is_empty());
        assert!(near(&ids, "").is_empty() && near(&ids, "é").is_empty());
    }
}
