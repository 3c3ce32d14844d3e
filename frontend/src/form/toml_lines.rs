//! The TOML box as lines: colours for reading, and the line that an error means.

/// A stretch of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its characters.
    pub text: String,
}

/// What a stretch of TOML is, as far as colours need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `[section]`.
    Section,
    /// The name before `=`.
    Key,
    /// A quoted text.
    Text,
    /// A number, true or false.
    Value,
    /// From `#` on.
    Comment,
    /// Blanks, brackets, signs.
    Plain,
}

/// The stretches of one line; together they are the line.
pub(crate) fn tokens(line: &str) -> Vec<Token> {
    let token = |kind, text: &str| Token { kind, text: text.to_owned() };
    let trimmed = line.trim_start();
    if trimmed.starts_with('#') {
        return vec![token(TokenKind::Comment, line)];
    }
    if trimmed.starts_with('[') && !line.contains('=') {
        return vec![token(TokenKind::Section, line)];
    }
    let Some((key, rest)) = line.split_once('=') else { return values(line) };
    let mut all = vec![token(TokenKind::Key, key), token(TokenKind::Plain, "=")];
    all.extend(values(rest));
    all
}

/// The stretches of what stands behind `=`.
fn values(text: &str) -> Vec<Token> {
    let mut all: Vec<Token> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            '"' | '\'' => {
                let end = rest[1..].find(first).map_or(rest.len(), |at| at + 2);
                (TokenKind::Text, end)
            }
            '#' => (TokenKind::Comment, rest.len()),
            c if c.is_alphanumeric() || c == '-' || c == '+' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || "-+._".contains(c))).unwrap_or(rest.len());
                (TokenKind::Value, end)
            }
            c => (TokenKind::Plain, c.len_utf8()),
        };
        let (stretch, after) = rest.split_at(length);
        match all.last_mut() {
            Some(last) if last.kind == TokenKind::Plain && kind == TokenKind::Plain => last.text.push_str(stretch),
            _ => all.push(Token { kind, text: stretch.to_owned() }),
        }
        rest = after;
    }
    all
}

/// The line, from 0, where `path` is written; that of what it lies in when the field itself is not there.
pub(crate) fn line_of_path(text: &str, path: &str) -> Option<usize> {
    let mut wanted = path;
    while !wanted.is_empty() {
        if let Some(line) = line_of(text, wanted) {
            return Some(line);
        }
        wanted = &wanted[..wanted.rfind(['.', '[']).unwrap_or(0)];
    }
    None
}

/// The line of exactly this path. The heading `[[a.b]]` begins the next element of `a.b`.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut current = String::new();
    // Elements so far of each list, by its path with the places of the lists around it. A spec has few lists.
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let list = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            current.clear();
            let names: Vec<&str> = list.unwrap_or(name).trim().split('.').collect();
            for (depth, part) in names.iter().enumerate() {
                if depth > 0 {
                    current.push('.');
                }
                current.push_str(part.trim());
                let known = counts.iter_mut().find(|known| known.0 == current);
                let is_next = list.is_some() && depth + 1 == names.len();
                let at = match known {
                    Some((_, count)) => {
                        *count += usize::from(is_next);
                        *count - 1
                    }
                    None if is_next => {
                        counts.push((current.clone(), 1));
                        0
                    }
                    None => continue,
                };
                current = format!("{current}[{at}]");
            }
            if current == path {
                return Some(number);
            }
        } else if let Some((key, _)) = line.split_once('=') {
            let key = key.trim();
            let below = path.strip_prefix(&current).map(|rest| rest.strip_prefix('.').unwrap_or(rest));
            let inside = current.is_empty() || path.len() > current.len() && path.as_bytes()[current.len()] == b'.';
            if inside && below == Some(key) {
                return Some(number);
            }
        }
    }
    None
}

/// The line, from 0, that the parser's message `… at line 3, column 5 …` names.
pub(crate) fn line_of_syntax_error(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// Where the text is no TOML, and why, without the parser's drawing of the place: `line 3` and `extra =, expected nothing`.
pub(crate) fn syntax_words(message: &str) -> (String, String) {
    let place = line_of_syntax_error(message).map_or("the text".to_owned(), |line| format!("line {}", line + 1));
    let why = message.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(message);
    (place, why.trim_start_matches("the spec ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretches_of_a_line_are_the_line() {
        for line in ["", "[a.b]", "k = \"x = # y\" # z", "hidden = [64, 64]", "odd \"", "é = 'ü", "= 5e-3,"] {
            let whole: String = tokens(line).into_iter().map(|t| t.text).collect();
            assert_eq!(whole, line);
        }
    }

    #[test]
    fn a_path_is_found_in_its_own_section() {
        let text = "version = 1\nkind = 2\n[split]\nkind = \"random\"\n[recommender]\nkind = \"mlp\"\n";
        assert_eq!(line_of_path(text, "version"), Some(0));
        assert_eq!(line_of_path(text, "recommender.kind"), Some(5));
        assert_eq!(line_of_path(text, "split.folds"), Some(2));
        assert_eq!(line_of_path(text, "split"), Some(2));
        assert_eq!(line_of_path(text, "training.epochs"), None);
        assert_eq!(line_of_path(text, "split.kind[3]"), Some(3));
    }

    #[test]
    fn a_path_into_a_component_is_found_in_that_component() {
        let text = "[recommender]\nkind = \"weighted\"\n[[recommender.components]]\nkind = \"ease\"\n\
                    [[recommender.components]]\nkind = \"mixed\"\nweight = 2\n[[recommender.components.components]]\n\
                    kind = \"bias\"\n[split]\nkind = \"random\"\n";
        assert_eq!(line_of_path(text, "recommender.components[0].kind"), Some(3));
        assert_eq!(line_of_path(text, "recommender.components[1].weight"), Some(6));
        assert_eq!(line_of_path(text, "recommender.components[0].weight"), Some(2), "its heading");
        assert_eq!(line_of_path(text, "recommender.components[1].components[0].kind"), Some(8));
        assert_eq!(line_of_path(text, "recommender.components"), Some(0), "what it lies in");
        assert_eq!(line_of_path("[recommender]\ncomponents = []\n", "recommender.components[1].kind"), Some(1));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        assert_eq!(line_of_syntax_error("TOML parse error at line 3, column 5"), Some(2));
        assert_eq!(line_of_syntax_error("something else"), None);
    }

    #[test]
    fn a_syntax_error_is_told_without_the_parsers_drawing() {
        let error = recspeed_types::ExperimentSpec::from_toml("version = = 1").unwrap_err().to_string();
        assert_eq!(syntax_words(&error), ("line 1".to_owned(), "extra `=`, expected nothing".to_owned()));
        let long = recspeed_types::spec::SpecParseError::TooLong.to_string();
        assert!(syntax_words(&long).1.starts_with("is too long; allowed"), "{long}");
    }
}
