//! All arrays of a model as one safetensors file, the format in which networks are exchanged.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

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

/// A list of whole numbers that is made when it is written: many of them need not be in memory at once.
#[derive(Clone, Copy)]
pub struct Later<'a> {
    /// How many numbers.
    pub len: usize,
    /// The list of this place among all.
    pub make: &'a dyn Fn(u32) -> Vec<u32>,
}

/// An array that is there, or one that is made.
enum Written<'a> {
    Now(&'a Array),
    Later { list: Later<'a>, place: u32, shape: [usize; 1] },
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Now(array) => Tensor(array).dtype(),
            Self::Later { .. } => Dtype::U32,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Now(array) => &array.shape,
            Self::Later { shape, .. } => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Now(array) => Cow::Owned(Tensor(array).data().into_owned()),
            Self::Later { list, place, .. } => {
                (list.make)(*place).into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
            }
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Now(array) => Tensor(array).data_len(),
            Self::Later { list, .. } => 4 * list.len,
        }
    }
}

/// Writes a file without notes: the arrays, and `count` lists `NAME.0`, `NAME.1`, …, each made when its turn has come.
///
/// # Errors
/// The system's or the format's own words, where the file cannot be written.
pub fn write_file(path: &Path, parts: &Parts, name: &str, count: u32, list: Later<'_>) -> Result<(), String> {
    let now = parts.iter().map(|(name, array)| (name.to_owned(), Written::Now(array)));
    let later = (0..count).map(|place| {
        let written = Written::Later { list, place, shape: [list.len] };
        (format!("{name}.{place}"), written)
    });
    safetensors::serialize_to_file(now.chain(later), None, path).map_err(|error| error.to_string())
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
    fn a_file_holds_arrays_and_lists_that_are_made_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job");
        let parts = Parts::default().with_list("targets", &[0.5, 1.0]);
        let made = std::cell::RefCell::new(Vec::new());
        let make = |place: u32| {
            made.borrow_mut().push(place);
            vec![place, place + 1, 7]
        };
        write_file(&path, &parts, "order", 11, Later { len: 3, make: &make }).expect("written");
        let read = read(&std::fs::read(&path).expect("a file")).expect("safetensors");
        assert_eq!(read.iter().count(), 12);
        for place in 0..11 {
            let list = read.iter().find(|(name, _)| *name == format!("order.{place}")).expect("there").1;
            assert_eq!(list.values, Values::U32(vec![place, place + 1, 7]));
        }
        assert_eq!(made.into_inner().len(), 11, "each is made once");
    }

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
