//! What separates the columns of a line, where that is not what its format says.

/// What else usually separates columns, if it divides the line into as many as are expected, or into one fewer, as where there are no
/// times; and how many these are.
pub(super) fn other_separator(line: &[u8], own: u8, expected: usize) -> Option<(u8, usize)> {
    let others = b",;\t|".iter().copied().filter(|&separator| separator != own);
    let mut divided = others.map(|separator| (separator, memchr::memchr_iter(separator, line).count() + 1));
    divided.find(|&(_, columns)| columns == expected || columns > 2 && columns + 1 == expected)
}

/// Which other separator a line has, and what to do; nothing where there is none.
pub(super) fn hint(own: u8, other: Option<(u8, usize)>) -> String {
    let Some((separator, columns)) = other else { return String::new() };
    let found = named(separator);
    let remedy = match (own, separator) {
        (b',', b'\t') => "dataset.format = \"movielens\" reads tabs".to_owned(),
        _ => format!("write {} in its place", named(own)),
    };
    format!(" ({columns} with {found} between them: {remedy})")
}

/// What separates columns, in a sentence.
fn named(separator: u8) -> String {
    match separator {
        b'\t' => "a tab".to_owned(),
        // MovieLens writes it twice.
        b':' => "`::`".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}
