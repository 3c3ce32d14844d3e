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

/// The line, from 0, where `path` is written; that of its section when the field itself is not there.
pub(crate) fn line_of_path(text: &str, path: &str) -> Option<usize> {
    let path = path.split('[').next().unwrap_or_default();
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut current = String::new();
    let mut heading = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut current);
            if current == path {
                return Some(number);
            }
            if current == section {
                heading = Some(number);
            }
        } else if current == section && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return Some(number);
        }
    }
    heading
}

/// The line, from 0, that the parser's message `… at line 3, column 5 …` names.
pub(crate) fn line_of_syntax_error(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok()?.checked_sub(1)
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
    fn a_syntax_error_names_its_line() {
        assert_eq!(line_of_syntax_error("TOML parse error at line 3, column 5"), Some(2));
        assert_eq!(line_of_syntax_error("something else"), None);
    }
}
