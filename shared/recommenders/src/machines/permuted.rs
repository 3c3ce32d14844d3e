//! The vectors of a side whose attributes are dealt out anew, without learning again.

use rayon::prelude::*;
use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Permutation};

use super::model::Described;
use crate::{Parts, PartsError, Values};

/// What an entity's vector is besides the sum of its features' vectors.
#[derive(Debug)]
pub(super) enum Within {
    /// Its bias holds the products of all pairs of its features, this many times: the first `d − 2` numbers of a feature of value 1
    /// are its vector.
    Pairs(f32),
    /// The same of field-aware features.
    FieldPairs(OwnFields),
    /// Its values are divided by their sum.
    Shares,
    /// Not known: the model was not asked to keep it, or an earlier lab saved it.
    Unknown,
}

impl Within {
    /// As one of the parts `pairs`, `shares` and `own…`; as none where it is not known.
    pub(super) fn add_to(&self, parts: Parts) -> Parts {
        match self {
            Self::Pairs(times) => parts.with_number("pairs", *times),
            Self::Shares => parts.with_count("shares", 1),
            Self::FieldPairs(OwnFields { k, n_fields, field, vectors }) => {
                let own = Parts::default().with_count("k", *k).with_count("fields", *n_fields);
                let own = own.with("field", &[field.len()], Values::U32(field.clone()));
                parts.with_model("own", own.with_list("vectors", vectors))
            }
            Self::Unknown => parts,
        }
    }

    /// The inverse of [`Self::add_to`], of a side with so many features, of which so many are attributes.
    pub(super) fn take_from(parts: &mut Parts, (features, attributes): (usize, usize)) -> Result<Self, PartsError> {
        if parts.has("pairs") {
            return parts.take_number("pairs").map(Self::Pairs);
        }
        if parts.has("shares") {
            return parts.take_count("shares").map(|_| Self::Shares);
        }
        let mut own = parts.take_model("own");
        if !own.has("k") {
            return Ok(Self::Unknown);
        }
        let (k, n_fields) = (own.take_count("k")?, own.take_count("fields")?);
        let (field, vectors) = (own.take_indices("field")?, own.take_list("vectors")?);
        expect_len("own.field", field.len(), attributes)?;
        let expected = features.checked_mul(n_fields).and_then(|n| n.checked_mul(k)).unwrap_or(usize::MAX);
        expect_len("own.vectors", vectors.len(), expected)?;
        if let Some(wrong) = field.iter().find(|&&field| field as usize >= n_fields) {
            let what = format!("names field {wrong} of {n_fields}");
            return Err(PartsError::Content { name: "own.field".to_owned(), what });
        }
        Ok(Self::FieldPairs(OwnFields { k, n_fields, field, vectors }))
    }
}

/// The vectors by which features meet those of their own side.
#[derive(Debug)]
pub(super) struct OwnFields {
    pub(super) k: usize,
    pub(super) n_fields: usize,
    /// Field of each attribute.
    pub(super) field: Vec<u32>,
    /// `[n_features, n_fields, k]`
    pub(super) vectors: Vec<f32>,
}

impl OwnFields {
    fn pairs(&self, entity: usize, n: usize, (attributes, values): (&[u32], &[f32])) -> f32 {
        let of_attribute = |(&a, &x): (&u32, &f32)| (n + a as usize, self.field[a as usize] as usize, x);
        let present: Vec<(usize, usize, f32)> =
            std::iter::once((entity, 0, 1.0)).chain(attributes.iter().zip(values).map(of_attribute)).collect();
        let vector =
            |feature: usize, field: usize| &self.vectors[(feature * self.n_fields + field) * self.k..][..self.k];
        let mut sum = 0.0;
        for (at, &(l, of_l, x)) in present.iter().enumerate() {
            for &(m, of_m, y) in &present[..at] {
                let product: f32 = vector(l, of_m).iter().zip(vector(m, of_l)).map(|(v, w)| v * w).sum();
                sum += x * y * product;
            }
        }
        sum
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.field[..]) + size_of_val(&self.vectors[..])
    }
}

/// What a side was before.
#[derive(Debug)]
pub(super) struct Before {
    vectors: Vec<f32>,
    attributes: Csr,
}

impl Described {
    /// Gives each entity another one's values of an attribute; false where there is no such attribute, or not enough is known.
    /// `bias`: the place of a vector's bias.
    pub(super) fn permute(&mut self, d: usize, bias: usize, permutation: &Permutation<'_>) -> bool {
        let Some(is_dealt) = self.terms.of_attribute(permutation.attribute) else { return false };
        if matches!(self.within, Within::Unknown) {
            return false;
        }
        let dealt = |attribute: u32| is_dealt[attribute as usize];
        let (plain, attributes) = match self.within {
            Within::Shares => {
                let plain = unshared(&self.attributes);
                let dealt = permutation.deal(&plain, dealt);
                (plain, dealt)
            }
            _ => (Csr::default(), permutation.deal(&self.attributes, dealt)),
        };
        let old = if matches!(self.within, Within::Shares) { &plain } else { &self.attributes };
        let n = old.n_rows();
        let mut vectors = self.vectors.clone();
        vectors
            .par_chunks_mut(d)
            .enumerate()
            .filter(|(entity, _)| old.row(*entity) != attributes.row(*entity))
            .for_each(|(entity, vector)| {
                let (before, after) = (old.row(entity), attributes.row(entity));
                let one = 2 * d - 3 - bias;
                match &self.within {
                    Within::Shares => {
                        vector[one] = 0.0;
                        // First the sum of what is not divided, then that of the new values.
                        scale_by(vector, total(before));
                        self.add(vector, -1.0, before, &|_| true);
                        self.add(vector, 1.0, after, &|_| true);
                        scale_by(vector, 1.0 / total(after));
                        vector[one] = 1.0;
                    }
                    Within::FieldPairs(own) => {
                        self.add(vector, -1.0, before, &dealt);
                        self.add(vector, 1.0, after, &dealt);
                        vector[bias] += own.pairs(entity, n, after) - own.pairs(entity, n, before);
                    }
                    Within::Pairs(times) => {
                        let pairs =
                            |vector: &[f32], present| squares(&vector[..d - 2]) - self.squares(d, present, &dealt);
                        let old = pairs(vector, before);
                        self.add(vector, -1.0, before, &dealt);
                        self.add(vector, 1.0, after, &dealt);
                        vector[bias] += 0.5 * times * (pairs(vector, after) - old) as f32;
                    }
                    Within::Unknown => {}
                }
            });
        let attributes = if matches!(self.within, Within::Shares) { shared(attributes) } else { attributes };
        let attributes = std::mem::replace(&mut self.attributes, attributes);
        let vectors = std::mem::replace(&mut self.vectors, vectors);
        self.before = Some(Before { vectors, attributes });
        true
    }

    /// Takes [`Self::permute`] back.
    pub(super) fn take_back(&mut self) {
        if let Some(Before { vectors, attributes }) = self.before.take() {
            self.vectors = vectors;
            self.attributes = attributes;
        }
    }

    fn part(&self, attribute: u32, d: usize) -> &[f32] {
        &self.parts[attribute as usize * d..][..d]
    }

    /// Adds the vectors of some attributes.
    fn add(&self, to: &mut [f32], sign: f32, (attributes, values): (&[u32], &[f32]), which: &dyn Fn(u32) -> bool) {
        for (&attribute, &x) in attributes.iter().zip(values).filter(|(attribute, _)| which(**attribute)) {
            let part = self.part(attribute, to.len());
            to.iter_mut().zip(part).for_each(|(sum, value)| *sum += sign * x * value);
        }
    }

    /// `Σ x² ‖v‖²` over some attributes.
    fn squares(&self, d: usize, (attributes, values): (&[u32], &[f32]), which: &dyn Fn(u32) -> bool) -> f64 {
        let present = attributes.iter().zip(values).filter(|(attribute, _)| which(**attribute));
        present.map(|(&attribute, &x)| f64::from(x).powi(2) * squares(&self.part(attribute, d)[..d - 2])).sum()
    }
}

fn squares(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}

fn scale_by(values: &mut [f32], scale: f32) {
    for value in values {
        *value *= scale;
    }
}

/// What an entity's values are divided by; its own feature has the value 1.
fn total((_, values): (&[u32], &[f32])) -> f32 {
    1.0 + values.iter().map(|value| value.abs()).sum::<f32>()
}

/// Values before they were divided by [`total`]: of those after, 1 less their sum is what the entity's own feature is left with.
fn unshared(attributes: &Csr) -> Csr {
    scaled(attributes, |values| 1.0 / (1.0 - values.iter().map(|value| value.abs()).sum::<f32>()))
}

fn shared(attributes: Csr) -> Csr {
    scaled(&attributes, |values| 1.0 / total((&[], values)))
}

fn scaled(attributes: &Csr, scale: impl Fn(&[f32]) -> f32) -> Csr {
    let mut scaled = attributes.clone();
    for row in 0..attributes.n_rows() {
        let values = &mut scaled.values[attributes.indptr[row]..attributes.indptr[row + 1]];
        let scale = scale(values);
        scale_by(values, scale);
    }
    scaled
}
