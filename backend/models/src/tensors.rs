//! All arrays of a model as one safetensors file, the format in which networks are exchanged.

use std::borrow::Cow;
use std::collections::HashMap;

use recspeed_data::parts::{Array, Parts, Values};
use safetensors::tensor::{Dtype, SafeTensors, View};

struct Tensor<'a>(&'a Array);

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.values {
            Values::F32(_) => Dtype::F32,
            Values::F64(_) => Dtype::F64,
            Values::U32(_) => Dtype::U32,
            Values::U64(_) => Dtype::U64,
            Values::U8(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        fn bytes<T: Copy, const N: usize>(values: &[T], of: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            values.iter().flat_map(|&value| of(value)).collect()
        }
        match &self.0.values {
            Values::F32(values) => bytes(values, f32::to_le_bytes).into(),
            Values::F64(values) => bytes(values, f64::to_le_bytes).into(),
            Values::U32(values) => bytes(values, u32::to_le_bytes).into(),
            Values::U64(values) => bytes(values, u64::to_le_bytes).into(),
            Values::U8(values) => Cow::Borrowed(values),
        }
    }

    fn data_len(&self) -> usize {
        let width = match self.0.values {
            Values::F32(_) | Values::U32(_) => 4,
            Values::F64(_) | Values::U64(_) => 8,
            Values::U8(_) => 1,
        };
        width * self.0.values.len()
    }
}

/// The file's bytes, without notes.
///
/// # Errors
/// The format's own words, where the arrays cannot be written.
pub fn write_plain(parts: &Parts) -> Result<Vec<u8>, String> {
    write(parts, HashMap::new())
}

/// The file's bytes, with `notes` in its metadata.
pub(crate) fn write(parts: &Parts, notes: HashMap<String, String>) -> Result<Vec<u8>, String> {
    safetensors::serialize(parts.iter().map(|(name, array)| (name, Tensor(array))), Some(notes))
        .map_err(|error| error.to_string())
}

/// Reads what [`write`] wrote; `None` where it is something else.
pub fn read(bytes: &[u8]) -> Option<Parts> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    file.iter()
        .map(|(name, tensor)| {
            fn numbers<T, const N: usize>(data: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
                data.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect()
            }
            let data = tensor.data();
            let values = match tensor.dtype() {
                Dtype::F32 => Values::F32(numbers(data, f32::from_le_bytes)),
                Dtype::F64 => Values::F64(numbers(data, f64::from_le_bytes)),
                Dtype::U32 => Values::U32(numbers(data, u32::from_le_bytes)),
                Dtype::U64 => Values::U64(numbers(data, u64::from_le_bytes)),
                Dtype::U8 => Values::U8(data.to_vec()),
                _ => return None,
            };
            Some((name.to_owned(), Array { shape: tensor.shape().to_vec(), values }))
        })
        .collect::<Option<Vec<_>>>()
        .map(|arrays| arrays.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_type_come_back_bit_for_bit() {
        let parts = Parts::default()
            .with_matrix("network.weights", 2, &[1.0, -0.0, 3.5, f32::MIN_POSITIVE])
            .with_number("mean", 3.5)
            .with_count("users", 7)
            .with_list("nothing", &[])
            .with("text", &[3], Values::U8(b"abc".to_vec()))
            .with("doubles", &[1, 2], Values::F64(vec![0.1, 1e-300]))
            .with("indices", &[2], Values::U32(vec![0, u32::MAX]));
        let bytes = write(&parts, HashMap::new()).expect("memory");
        assert_eq!(read(&bytes), Some(parts));
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(read(b"rubbish"), None);
    }
}
