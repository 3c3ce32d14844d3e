//! The numbers of a network, and how they are saved: one array a parameter, by its name.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_data::parts::{Array, Parts, PartsError, Values, expect_len};

use super::divergence::has_run_away;
use super::layout::Layout;
use super::network::Weights;
use super::rows::LookUp;

/// The numbers of all parameters of one network. Clones share them until one of them is changed.
#[derive(Debug, Clone)]
pub(crate) struct Parameters {
    /// The dense ones, `[flat_len]`.
    pub(crate) flat: Tensor<1>,
    /// The tables, `[rows × width]` each. They lie in the machine's own memory: a batch takes the rows that it needs to the
    /// device.
    pub(crate) tables: Vec<Arc<Vec<f32>>>,
}

impl Parameters {
    /// The numbers that a training starts with.
    pub(crate) fn initial(layout: &Layout, seed: u64, device: &Device) -> Self {
        Self {
            flat: tensor(layout.initial_flat(seed), device),
            tables: layout.initial_tables(seed).into_iter().map(Arc::new).collect(),
        }
    }

    /// From all numbers in one list: the dense ones, then each table.
    ///
    /// # Shapes
    /// - `numbers`: `[layout.len()]`
    pub(crate) fn from_numbers(layout: &Layout, numbers: &[f32], device: &Device) -> Self {
        let (flat, mut rest) = numbers.split_at(layout.flat_len());
        let tables = layout.tables().iter().map(|table| {
            let (head, tail) = rest.split_at(table.rows * table.width);
            rest = tail;
            Arc::new(head.to_vec())
        });
        Self { tables: tables.collect(), flat: tensor(flat.to_vec(), device) }
    }

    /// Zeros that take no memory, and no tables: for whoever takes part in a training and never looks at the whole of it.
    pub(crate) fn placeholder(layout: &Layout, device: &Device) -> Self {
        Self { flat: nothing(layout.flat_len(), device), tables: Vec::new() }
    }

    /// The inverse of [`Self::from_numbers`].
    pub(crate) fn numbers(&self) -> Vec<f32> {
        let mut numbers = numbers(&self.flat);
        for table in &self.tables {
            numbers.extend_from_slice(table);
        }
        numbers
    }

    /// A number that is not finite or beyond all use, where there is one.
    pub(crate) fn run_away(&self) -> Option<f32> {
        let bad = |values: &[f32]| values.iter().copied().find(|&value| has_run_away(value));
        let flat = self.flat.clone().into_data();
        bad(in_f32(&flat)).or_else(|| self.tables.iter().find_map(|table| bad(table)))
    }

    /// What a forward pass sees that looks these rows up, one list a table.
    pub(crate) fn weights(&self, layout: &Layout, look_ups: &[LookUp], device: &Device) -> Weights {
        Weights::new(layout, &self.flat, &self.tables, look_ups, device)
    }

    /// Bytes of all numbers.
    pub(crate) fn bytes(&self) -> u64 {
        4 * self.count()
    }

    /// Learnt numbers.
    pub(crate) fn count(&self) -> u64 {
        (self.flat.dims()[0] + self.tables.iter().map(|table| table.len()).sum::<usize>()) as u64
    }

    /// Adds each parameter as an array of its own shape.
    pub(crate) fn add_to(&self, layout: &Layout, mut parts: Parts) -> Parts {
        let flat = numbers(&self.flat);
        for parameter in layout.parameters() {
            parts = parts.with(&parameter.name, &parameter.shape, Values::F32(flat[parameter.range.clone()].to_vec()));
        }
        for (table, values) in layout.tables().iter().zip(&self.tables) {
            parts = parts.with(&table.name, &[table.rows, table.width], Values::F32(values.to_vec()));
        }
        parts
    }

    /// The inverse of [`Self::add_to`].
    ///
    /// # Errors
    /// [`PartsError`]: a parameter is missing, has another shape, or holds a number that is not finite.
    pub(crate) fn take_from(layout: &Layout, parts: &mut Parts, device: &Device) -> Result<Self, PartsError> {
        let mut take = |name: &str, shape: &[usize]| -> Result<Vec<f32>, PartsError> {
            let array = parts.take(name)?;
            match array {
                Array { shape: found, values: Values::F32(values) } if found == shape => {
                    let finite = values.iter().filter(|value| value.is_finite()).count();
                    expect_len(name, finite, values.len()).map(|()| values)
                }
                other => Err(other.unexpected(name, &format!("f32 of shape {shape:?}"))),
            }
        };
        let mut flat = Vec::with_capacity(layout.flat_len());
        for parameter in layout.parameters() {
            flat.extend(take(&parameter.name, &parameter.shape)?);
        }
        let mut tables = Vec::with_capacity(layout.tables().len());
        for table in layout.tables() {
            tables.push(Arc::new(take(&table.name, &[table.rows, table.width])?));
        }
        Ok(Self { flat: tensor(flat, device), tables })
    }
}

/// So many zeros that take no memory.
pub(crate) fn nothing(count: usize, device: &Device) -> Tensor<1> {
    Tensor::<1>::zeros([1], device).expand([count])
}

/// A list of numbers on a device.
pub(crate) fn tensor(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A tensor's numbers, row by row.
pub(crate) fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    let data = tensor.clone().into_data();
    in_f32(&data).to_vec()
}

/// The numbers of a tensor that has left its device.
fn in_f32(data: &TensorData) -> &[f32] {
    data.as_slice::<f32>().expect("networks compute in f32 on every device")
}
