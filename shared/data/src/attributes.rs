//! Attributes of items or users.

use crate::dictionary::{Dictionary, DictionaryBuilder};

/// A table of attributes, one row an id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes {
    /// The ids; row `i` of every column belongs to id `i`.
    pub ids: Dictionary,
    /// The columns besides the id, in the file's order.
    pub columns: Vec<AttributeColumn>,
}

/// One attribute of every id.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeColumn {
    /// Its name, as in the header.
    pub name: String,
    /// Its values.
    pub values: AttributeValues,
}

/// The values of a column, by RecBole's four types.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValues {
    /// `token`: one word of a vocabulary; the empty text is a word of its own.
    Token {
        /// The words.
        vocabulary: Dictionary,
        /// Word of each row, `[rows]`.
        word: Vec<u32>,
    },
    /// `token_seq`: words separated by spaces, in their order.
    TokenSeq {
        /// The words.
        vocabulary: Dictionary,
        /// Where each row's words begin, `[rows + 1]`.
        indptr: Vec<usize>,
        /// The words, `[indptr[rows]]`.
        words: Vec<u32>,
    },
    /// `float`: a number; NaN where it is missing. `[rows]`
    Float(Vec<f32>),
    /// `float_seq`: numbers separated by spaces.
    FloatSeq {
        /// Where each row's numbers begin, `[rows + 1]`.
        indptr: Vec<usize>,
        /// The numbers, `[indptr[rows]]`.
        values: Vec<f32>,
    },
}

impl Attributes {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&AttributeValues> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.values)
    }

    /// For each id of `ids` (as of [`crate::Interactions::items`]) its row here, `None` where it has no attributes.
    ///
    /// # Shapes
    /// - returns: `[ids.len()]`
    pub fn rows_for(&self, ids: &Dictionary) -> Vec<Option<u32>> {
        ids.iter().map(|id| self.ids.index_of(id)).collect()
    }
}

/// A column while it grows; the parts are those of [`AttributeValues`].
pub(crate) enum Growing {
    Token(DictionaryBuilder, Vec<u32>),
    TokenSeq(DictionaryBuilder, Vec<usize>, Vec<u32>),
    Float(Vec<f32>),
    FloatSeq(Vec<usize>, Vec<f32>),
}

impl Growing {
    pub(crate) fn words() -> Self {
        Self::Token(DictionaryBuilder::default(), Vec::new())
    }

    pub(crate) fn lists_of_words() -> Self {
        Self::TokenSeq(DictionaryBuilder::default(), vec![0], Vec::new())
    }

    pub(crate) const fn numbers() -> Self {
        Self::Float(Vec::new())
    }

    pub(crate) fn lists_of_numbers() -> Self {
        Self::FloatSeq(vec![0], Vec::new())
    }

    pub(crate) fn finish(self) -> AttributeValues {
        match self {
            Self::Token(vocabulary, word) => AttributeValues::Token { vocabulary: vocabulary.finish(), word },
            Self::TokenSeq(vocabulary, indptr, words) => {
                AttributeValues::TokenSeq { vocabulary: vocabulary.finish(), indptr, words }
            }
            Self::Float(values) => AttributeValues::Float(values),
            Self::FloatSeq(indptr, values) => AttributeValues::FloatSeq { indptr, values },
        }
    }
}
