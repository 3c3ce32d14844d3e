//! Attributes as JSON lists by id: `{"83": [4, 5, 6], "165": ["red", "cotton"]}`, as the data of S3-Rec and FDSA come.

use std::fmt;

use recspeed_types::limits::MAX_ID_BYTES;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{ReadError, quote};
use super::repeats::Repeats;
use super::{AttributeOutcome, AttributeReport};
use crate::attributes::{AttributeColumn, AttributeValues, Attributes};
use crate::dictionary::DictionaryBuilder;

/// The name of the only column: the file has none.
const COLUMN: &str = "attribute";

/// Whether the text begins as such a file does.
pub(super) fn is_one(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

/// Reads the lists. Of several lists with one id the first counts, and the report says so; a value alone is a list of one.
///
/// # Errors
/// [`ReadError::Json`], with the line of the first thing that does not fit; [`ReadError::NoRows`].
pub(super) fn read(text: &[u8]) -> Result<AttributeOutcome, ReadError> {
    let mut lists = Lists { indptr: vec![0], ..Lists::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = (&mut deserializer).deserialize_map(&mut lists).and_then(|()| deserializer.end());
    read.map_err(|error| ReadError::Json { message: error.to_string() })?;
    if lists.ids.is_empty() {
        return Err(ReadError::NoRows { lines: 1 });
    }
    let values =
        AttributeValues::TokenSeq { vocabulary: lists.vocabulary.finish(), indptr: lists.indptr, words: lists.words };
    let columns = vec![AttributeColumn { name: COLUMN.to_owned(), values }];
    let attributes = Attributes { ids: lists.ids.finish(), columns };
    Ok(AttributeOutcome { attributes, report: lists.report, id_column: String::new() })
}

/// The lists while they grow.
#[derive(Default)]
struct Lists {
    ids: DictionaryBuilder,
    vocabulary: DictionaryBuilder,
    indptr: Vec<usize>,
    words: Vec<u32>,
    repeats: Repeats,
    report: AttributeReport,
}

impl<'de> Visitor<'de> for &mut Lists {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of attributes by id, as {\"83\": [4, 5, 6]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<String>()? {
            if id.is_empty() || id.len() > MAX_ID_BYTES {
                let shown = quote(id.as_bytes());
                let message = format!("the id `{shown}` has {} bytes; allowed: 1 to {MAX_ID_BYTES}", id.len());
                return Err(de::Error::custom(message));
            }
            let known = self.ids.len();
            let index = self.ids.intern(&id);
            let new = index as usize == known;
            let says = map.next_value_seed(Values { id: &id, said: Vec::new(), lists: new.then_some(&mut *self) })?;
            self.report.data_lines += 1;
            let Lists { repeats, report, .. } = &mut *self;
            repeats.see(index, (report.data_lines, &id), says, report);
            if new {
                self.indptr.push(self.words.len());
            }
        }
        Ok(())
    }
}

/// The list of one id; `None` when an earlier one counts. Gives what it said.
struct Values<'a> {
    id: &'a str,
    said: Vec<String>,
    lists: Option<&'a mut Lists>,
}

impl Values<'_> {
    fn add(&mut self, word: &str) {
        if let Some(lists) = &mut self.lists {
            lists.words.push(lists.vocabulary.intern(word));
        }
        self.said.push(word.to_owned());
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of words or whole numbers for the id `{}`", quote(self.id.as_bytes()))
    }

    fn visit_str<E: de::Error>(mut self, word: &str) -> Result<Vec<String>, E> {
        self.add(word);
        Ok(self.said)
    }

    fn visit_u64<E: de::Error>(mut self, number: u64) -> Result<Vec<String>, E> {
        self.add(&number.to_string());
        Ok(self.said)
    }

    fn visit_i64<E: de::Error>(mut self, number: i64) -> Result<Vec<String>, E> {
        self.add(&number.to_string());
        Ok(self.said)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Vec<String>, A::Error> {
        while let Some(Word(word)) = list.next_element()? {
            self.add(&word);
        }
        Ok(self.said)
    }
}

/// One attribute.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl Visitor<'_> for WordVisitor {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a whole number")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Word, E> {
                Ok(Word(word.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }
        deserializer.deserialize_any(WordVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(attributes: &Attributes, id: &str) -> Vec<String> {
        let row = attributes.ids.index_of(id).unwrap() as usize;
        let Some(AttributeValues::TokenSeq { vocabulary, indptr, words }) = attributes.column(COLUMN) else {
            panic!("no such column")
        };
        words[indptr[row]..indptr[row + 1]].iter().map(|&word| vocabulary.get(word).to_owned()).collect()
    }

    #[test]
    fn each_id_has_its_words_in_their_order_and_the_first_list_counts() {
        let outcome = read(br#" {"83": [4, 5, "six six"], "a": [], "b": "alone", "83": [9], "c": 7} "#).unwrap();
        let read = outcome.attributes;
        assert_eq!(words_of(&read, "83"), ["4", "5", "six six"]);
        assert_eq!(words_of(&read, "a"), [""; 0]);
        assert_eq!((words_of(&read, "b"), words_of(&read, "c")), (vec!["alone".to_owned()], vec!["7".to_owned()]));
        assert_eq!(read.ids.len(), 4);
        let again = outcome.report.first_repeated.unwrap();
        assert_eq!((outcome.report.repeated, outcome.report.differing, again.line, again.id.as_str()), (1, 1, 4, "83"));
    }

    #[test]
    fn what_is_no_such_file_is_refused_with_its_line() {
        let said = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        let nested = said("{\"a\": [1],\n \"b\": [[2]]}");
        assert!(nested.contains("a word or a whole number") && nested.contains("line 2"), "{nested}");
        let object = said("{\"a\": {\"colour\": 1}}");
        assert!(object.contains("a list of words or whole numbers for the id `a`"), "{object}");
        for broken in ["{\"a\": [1]", "{\"a\": [1]} x", "{\"a\": [1.5]}", "{\"\": [1]}", "{\"a\": [null]}"] {
            assert!(said(broken).starts_with("the file is no JSON of attributes by id"), "{broken}");
        }
        assert!(matches!(read(b"{}"), Err(ReadError::NoRows { .. })));
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(deep.as_bytes()), Err(ReadError::Json { .. })));
        let long = format!("{{\"{}\": [1]}}", "x".repeat(MAX_ID_BYTES + 1));
        assert!(said(&long).contains("has 1025 bytes"), "{}", said(&long));
    }
}
