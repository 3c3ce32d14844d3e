//! The numbers of a fitted recommender by name: what is saved, loaded and exported.

use std::collections::BTreeMap;

use crate::Csr;

/// After each of several names in a text.
const SEPARATOR: char = '\u{1f}';

/// Named arrays. Names are the letters or words of the method's own formulas, as `users`, `items`, `similarities`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    arrays: BTreeMap<String, Array>,
}

/// An array with its shape; an empty shape is a single number.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each dimension; their product is the number of values.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Values,
}

/// The numbers of an [`Array`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 32-bit numbers from 0.
    U32(Vec<u32>),
    /// 64-bit numbers from 0.
    U64(Vec<u64>),
    /// Bytes, as UTF-8 text.
    U8(Vec<u8>),
}

/// Parts that no model can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// The kind has no parts here.
    #[error("no model of kind `{kind}` can be loaded here")]
    Kind {
        /// The kind.
        kind: &'static str,
    },
    /// A part is not there.
    #[error("the saved model has no part `{name}`; it has {known}")]
    Missing {
        /// The part.
        name: String,
        /// The parts that are there.
        known: String,
    },
    /// A part has another type or shape.
    #[error("part `{name}` of the saved model is {found}, not {expected}")]
    Shape {
        /// The part.
        name: String,
        /// Type and shape.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A part holds numbers that it cannot hold.
    #[error("part `{name}` of the saved model {what}")]
    Content {
        /// The part.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    const fn type_name(&self) -> &'static str {
        match self {
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
            Self::U8(_) => "u8",
        }
    }
}

impl Parts {
    /// Adds an array.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape: a mistake in the program.
    #[must_use]
    pub fn with(mut self, name: &str, shape: &[usize], values: Values) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "part {name}");
        self.arrays.insert(name.to_owned(), Array { shape: shape.to_vec(), values });
        self
    }

    /// Adds a list of 32-bit floats.
    #[must_use]
    pub fn with_list(self, name: &str, values: &[f32]) -> Self {
        self.with(name, &[values.len()], Values::F32(values.to_vec()))
    }

    /// Adds a matrix of 32-bit floats with this many columns.
    ///
    /// # Panics
    /// As [`Self::with`].
    #[must_use]
    pub fn with_matrix(self, name: &str, columns: usize, values: &[f32]) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        self.with(name, &[rows, columns], Values::F32(values.to_vec()))
    }

    /// Adds a single 32-bit float.
    #[must_use]
    pub fn with_number(self, name: &str, value: f32) -> Self {
        self.with(name, &[], Values::F32(vec![value]))
    }

    /// Adds a count or a size.
    #[must_use]
    pub fn with_count(self, name: &str, value: usize) -> Self {
        self.with(name, &[], Values::U64(vec![value as u64]))
    }

    /// Adds a sparse matrix as `name.indptr`, `name.indices`, `name.values`.
    #[must_use]
    pub fn with_csr(self, name: &str, csr: &Csr) -> Self {
        self.with_own_csr(name, csr.clone())
    }

    /// The same of a matrix that nobody else needs: no second one is made.
    #[must_use]
    pub fn with_own_csr(self, name: &str, csr: Csr) -> Self {
        let starts: Vec<u64> = csr.indptr.iter().map(|&start| start as u64).collect();
        self.with(&format!("{name}.indptr"), &[starts.len()], Values::U64(starts))
            .with(&format!("{name}.indices"), &[csr.indices.len()], Values::U32(csr.indices))
            .with(&format!("{name}.values"), &[csr.values.len()], Values::F32(csr.values))
    }

    /// Adds all parts of another model, each name with `prefix.` before it.
    #[must_use]
    pub fn with_model(mut self, prefix: &str, model: Self) -> Self {
        self.arrays.extend(model.arrays.into_iter().map(|(name, array)| (format!("{prefix}.{name}"), array)));
        self
    }

    /// Adds names that hold no unit separator (U+001F).
    #[must_use]
    pub fn with_names<'a>(self, name: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for each in names {
            text.push_str(each);
            text.push(SEPARATOR);
        }
        self.with(name, &[text.len()], Values::U8(text.into_bytes()))
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// The arrays by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Takes out all parts of the model that was put in under `prefix`.
    #[must_use]
    pub fn take_model(&mut self, prefix: &str) -> Self {
        let start = format!("{prefix}.");
        let (inside, outside) =
            std::mem::take(&mut self.arrays).into_iter().partition(|(name, _)| name.starts_with(&start));
        self.arrays = outside;
        let inside: BTreeMap<String, Array> = inside;
        Self { arrays: inside.into_iter().map(|(name, array)| (name[start.len()..].to_owned(), array)).collect() }
    }

    /// Takes an array out.
    ///
    /// # Errors
    /// [`PartsError::Missing`].
    pub fn take(&mut self, name: &str) -> Result<Array, PartsError> {
        self.arrays.remove(name).ok_or_else(|| PartsError::Missing {
            name: name.to_owned(),
            known: self.arrays.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// Takes a list of finite 32-bit floats out.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_list(&mut self, name: &str) -> Result<Vec<f32>, PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::F32(values) } if shape.len() == 1 => finite(name, values),
            other => Err(other.unexpected(name, "a list of f32")),
        }
    }

    /// Takes a matrix of finite 32-bit floats out: rows, columns, values.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_matrix(&mut self, name: &str) -> Result<(usize, usize, Vec<f32>), PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::F32(values) } if shape.len() == 2 => {
                Ok((shape[0], shape[1], finite(name, values)?))
            }
            other => Err(other.unexpected(name, "a matrix of f32")),
        }
    }

    /// Takes the vectors of users, items or features out, as [`Self::take_matrix`]; each has a number or more.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_vectors(&mut self, name: &str) -> Result<(usize, usize, Vec<f32>), PartsError> {
        match self.take_matrix(name)? {
            (_, 0, _) => {
                Err(PartsError::Content { name: name.to_owned(), what: "has vectors without numbers".to_owned() })
            }
            matrix => Ok(matrix),
        }
    }

    /// Takes a single finite 32-bit float out.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_number(&mut self, name: &str) -> Result<f32, PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::F32(values) } if shape.is_empty() && values.len() == 1 => {
                finite(name, values).map(|values| values[0])
            }
            other => Err(other.unexpected(name, "a single f32")),
        }
    }

    /// Takes a count or a size out.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_count(&mut self, name: &str) -> Result<usize, PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::U64(values) } if shape.is_empty() && values.len() == 1 => {
                usize::try_from(values[0]).map_err(|_| content(name, format!("is {}, too large here", values[0])))
            }
            other => Err(other.unexpected(name, "a single u64")),
        }
    }

    /// Takes a list of 32-bit numbers out.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_indices(&mut self, name: &str) -> Result<Vec<u32>, PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::U32(values) } if shape.len() == 1 => Ok(values),
            other => Err(other.unexpected(name, "a list of u32")),
        }
    }

    /// Takes names out, checked to be so many.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_names(&mut self, name: &str, count: usize) -> Result<Vec<String>, PartsError> {
        let text = match self.take(name)? {
            Array { values: Values::U8(text), .. } => text,
            other => return Err(other.unexpected(name, "text")),
        };
        let text = String::from_utf8(text).map_err(|_| content(name, "is no text".to_owned()))?;
        let names: Vec<String> = text.split_terminator(SEPARATOR).map(str::to_owned).collect();
        expect_len(name, names.len(), count)?;
        Ok(names)
    }

    /// Takes a list of 64-bit floats out.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_doubles(&mut self, name: &str) -> Result<Vec<f64>, PartsError> {
        match self.take(name)? {
            Array { shape, values: Values::F64(values) } if shape.len() == 1 => {
                match values.iter().find(|value| !value.is_finite()) {
                    Some(value) => Err(content(name, format!("holds {value}, which is no finite number"))),
                    None => Ok(values),
                }
            }
            other => Err(other.unexpected(name, "a list of f64")),
        }
    }

    /// Takes a sparse matrix with this many columns out, checked.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn take_csr(&mut self, name: &str, columns: usize) -> Result<Csr, PartsError> {
        let starts = format!("{name}.indptr");
        let indptr = match self.take(&starts)? {
            Array { shape, values: Values::U64(values) } if shape.len() == 1 => values,
            other => return Err(other.unexpected(&starts, "a list of u64")),
        };
        let indptr: Vec<usize> = indptr.into_iter().map(|start| usize::try_from(start).unwrap_or(usize::MAX)).collect();
        let indices = self.take_indices(&format!("{name}.indices"))?;
        let values = self.take_list(&format!("{name}.values"))?;
        let covers = indptr.first() == Some(&0) && indptr.last() == Some(&indices.len()) && indptr.is_sorted();
        if !covers || indices.len() != values.len() {
            return Err(content(name, "has rows that do not cover its entries".to_owned()));
        }
        let csr = Csr { indptr, indices, values };
        for row in 0..csr.n_rows() {
            let columns_of_row = csr.row(row).0;
            let ascends = columns_of_row.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascends || columns_of_row.last().is_some_and(|&last| last as usize >= columns) {
                return Err(content(name, format!("has a row {row} whose columns do not ascend below {columns}")));
            }
        }
        Ok(csr)
    }
}

impl FromIterator<(String, Array)> for Parts {
    fn from_iter<T: IntoIterator<Item = (String, Array)>>(arrays: T) -> Self {
        Self { arrays: arrays.into_iter().collect() }
    }
}

impl Array {
    /// The error for an array of another type or shape than `expected` says.
    pub fn unexpected(&self, name: &str, expected: &str) -> PartsError {
        let found = format!("{} of shape {:?}", self.values.type_name(), self.shape);
        PartsError::Shape { name: name.to_owned(), found, expected: expected.to_owned() }
    }
}

/// Refuses a part whose length does not fit the others.
///
/// # Errors
/// [`PartsError::Content`].
pub fn expect_len(name: &str, found: usize, expected: usize) -> Result<(), PartsError> {
    if found == expected { Ok(()) } else { Err(content(name, format!("has {found} values where {expected} are due"))) }
}

fn content(name: &str, what: String) -> PartsError {
    PartsError::Content { name: name.to_owned(), what }
}

fn finite(name: &str, values: Vec<f32>) -> Result<Vec<f32>, PartsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(content(name, format!("holds {} at place {at}, which is no finite number", values[at]))),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csr() -> Csr {
        Csr { indptr: vec![0, 2, 2, 3], indices: vec![0, 3, 1], values: vec![1.0, 2.0, 3.0] }
    }

    #[test]
    fn arrays_come_back_as_they_were() {
        let mut parts = Parts::default().with_matrix("items", 2, &[1.0, 2.0, 3.0, 4.0]).with_number("mean", 3.5);
        parts = parts.with_csr("similarities", &csr()).with_count("users", 7);
        assert_eq!(parts.take_matrix("items"), Ok((2, 2, vec![1.0, 2.0, 3.0, 4.0])));
        assert_eq!(parts.take_number("mean"), Ok(3.5));
        assert_eq!(parts.take_count("users"), Ok(7));
        assert_eq!(parts.take_csr("similarities", 4), Ok(csr()));
        assert_eq!(parts, Parts::default());
    }

    #[test]
    fn names_come_back_also_empty_ones_and_no_others() {
        for names in [vec!["", "brand"], vec!["words", ""], vec![]] {
            let parts = Parts::default().with_names("names", names.iter().copied());
            assert_eq!(parts.clone().take_names("names", names.len()).unwrap(), names);
            assert!(parts.clone().take_names("names", names.len() + 1).is_err());
        }
    }

    #[test]
    fn a_component_keeps_its_parts_apart() {
        let inner = Parts::default().with_number("mean", 1.0);
        let mut parts = Parts::default().with_number("mean", 2.0).with_model("component0", inner.clone());
        assert_eq!(parts.take_model("component0"), inner);
        assert_eq!(parts.take_number("mean"), Ok(2.0));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let said = |error: PartsError| error.to_string();
        let mut parts = Parts::default().with_list("users", &[1.0, f32::NAN]).with_count("n", 3);
        assert_eq!(
            said(parts.clone().take_list("items").unwrap_err()),
            "the saved model has no part `items`; it has n, users"
        );
        assert!(
            said(parts.clone().take_number("users").unwrap_err()).ends_with("is f32 of shape [2], not a single f32")
        );
        assert!(said(parts.take_list("users").unwrap_err()).contains("holds NaN at place 1"));
        let refused = |broken: Csr| Parts::default().with_csr("s", &broken).take_csr("s", 4).is_err();
        assert!(refused(Csr { indptr: vec![0, 2, 1, 3], ..csr() }));
        assert!(refused(Csr { indices: vec![3, 0, 1], ..csr() }));
        assert!(refused(Csr { indices: vec![0, 4, 1], ..csr() }));
        assert!(refused(Csr { indptr: vec![], ..csr() }));
    }
}
