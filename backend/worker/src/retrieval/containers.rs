//! The lab's own containers beside plain columns: Arrow arrays, Burn tensors.

use std::ops::Range;

use arrow_array::{Array, Float32Array, Int64Array, UInt32Array};
use burn::tensor::{Device, Int, Tensor, TensorData};
use recspeed_data::retrieval::{Columns, Container};

/// An array a column.
pub(super) struct Arrow;

/// The four arrays.
pub(super) struct Arrays {
    user: UInt32Array,
    item: UInt32Array,
    rating: Float32Array,
    timestamp: Int64Array,
}

impl Container for Arrow {
    type Filled = Arrays;

    /// Without a copy: an array takes a vector's memory over.
    fn fill(&self, columns: Columns) -> Arrays {
        Arrays {
            user: columns.user.into(),
            item: columns.item.into(),
            rating: columns.rating.into(),
            timestamp: columns.timestamp.into(),
        }
    }

    fn singles(&self, filled: &Arrays, rows: usize) -> f64 {
        let mut total = 0.0;
        for row in 0..rows {
            total += f64::from(filled.user.value(row))
                + f64::from(filled.item.value(row))
                + f64::from(filled.rating.value(row))
                + filled.timestamp.value(row) as f64;
        }
        total
    }

    fn batch(&self, filled: &Arrays, rows: Range<usize>, into: &mut Columns) {
        let (start, count) = (rows.start, rows.len());
        into.user[..count].copy_from_slice(filled.user.slice(start, count).values());
        into.item[..count].copy_from_slice(filled.item.slice(start, count).values());
        into.rating[..count].copy_from_slice(filled.rating.slice(start, count).values());
        into.timestamp[..count].copy_from_slice(filled.timestamp.slice(start, count).values());
    }

    fn back(&self, filled: &Arrays) -> Columns {
        Columns {
            user: filled.user.values().to_vec(),
            item: filled.item.values().to_vec(),
            rating: filled.rating.values().to_vec(),
            timestamp: filled.timestamp.values().to_vec(),
        }
    }

    fn objects(&self) -> u32 {
        4
    }

    fn header_bytes(&self) -> u64 {
        size_of::<UInt32Array>() as u64
    }

    fn buffer_bytes(&self, filled: &Arrays) -> u64 {
        let arrays: [&dyn Array; 4] = [&filled.user, &filled.item, &filled.rating, &filled.timestamp];
        arrays.iter().map(|array| array.get_buffer_memory_size() as u64).sum()
    }
}

/// A tensor a column, on a device; ids and times in the device's own integers, which are 32 bits wide on flex.
pub(super) struct Tensors(pub(super) Device);

/// The four tensors.
pub(super) struct Filled {
    user: Tensor<1, Int>,
    item: Tensor<1, Int>,
    rating: Tensor<1>,
    timestamp: Tensor<1, Int>,
}

impl Tensors {
    fn integers(&self, numbers: Vec<i64>) -> Tensor<1, Int> {
        let count = numbers.len();
        Tensor::from_data(TensorData::new(numbers, [count]), &self.0)
    }
}

/// Rows of a tensor, through the tensor's own interface, which gives them as an array of its own.
fn integers(tensor: &Tensor<1, Int>, rows: Range<usize>, mut take: impl FnMut(usize, i64)) {
    let data = tensor.clone().slice([rows]).into_data();
    match data.as_slice::<i32>() {
        Ok(numbers) => numbers.iter().enumerate().for_each(|(at, number)| take(at, i64::from(*number))),
        Err(_) => data.iter::<i64>().enumerate().for_each(|(at, number)| take(at, number)),
    }
}

fn floats(tensor: &Tensor<1>, rows: Range<usize>, mut take: impl FnMut(usize, f32)) {
    let data = tensor.clone().slice([rows]).into_data();
    match data.as_slice::<f32>() {
        Ok(numbers) => numbers.iter().enumerate().for_each(|(at, number)| take(at, *number)),
        Err(_) => data.iter::<f32>().enumerate().for_each(|(at, number)| take(at, number)),
    }
}

impl Container for Tensors {
    type Filled = Filled;

    fn fill(&self, columns: Columns) -> Filled {
        let count = columns.rating.len();
        Filled {
            user: self.integers(columns.user.into_iter().map(i64::from).collect()),
            item: self.integers(columns.item.into_iter().map(i64::from).collect()),
            rating: Tensor::from_data(TensorData::new(columns.rating, [count]), &self.0),
            timestamp: self.integers(columns.timestamp),
        }
    }

    fn singles(&self, filled: &Filled, rows: usize) -> f64 {
        let mut total = 0.0;
        for row in 0..rows {
            for tensor in [&filled.user, &filled.item, &filled.timestamp] {
                integers(tensor, row..row + 1, |_, number| total += number as f64);
            }
            floats(&filled.rating, row..row + 1, |_, number| total += f64::from(number));
        }
        total
    }

    fn batch(&self, filled: &Filled, rows: Range<usize>, into: &mut Columns) {
        integers(&filled.user, rows.clone(), |at, number| into.user[at] = number as u32);
        integers(&filled.item, rows.clone(), |at, number| into.item[at] = number as u32);
        floats(&filled.rating, rows.clone(), |at, number| into.rating[at] = number);
        integers(&filled.timestamp, rows, |at, number| into.timestamp[at] = number);
    }

    fn back(&self, filled: &Filled) -> Columns {
        let rows = filled.rating.dims()[0];
        let mut columns = Columns::zeros(rows);
        self.batch(filled, 0..rows, &mut columns);
        columns
    }

    fn objects(&self) -> u32 {
        4
    }

    fn header_bytes(&self) -> u64 {
        size_of::<Tensor<1, Int>>() as u64
    }

    fn buffer_bytes(&self, filled: &Filled) -> u64 {
        let integers = [&filled.user, &filled.item, &filled.timestamp];
        let bytes = |dtype: burn::tensor::DType, rows: usize| (dtype.size() * rows) as u64;
        let rating = bytes(filled.rating.dtype(), filled.rating.dims()[0]);
        rating + integers.iter().map(|tensor| bytes(tensor.dtype(), tensor.dims()[0])).sum::<u64>()
    }
}
