//! Numbers that travel.

use std::ops::AddAssign;

/// A number that can be sent and added up.
pub trait Element: bytemuck::Pod + AddAssign + Default + Send + Sync {}

impl Element for f32 {}
impl Element for f64 {}

pub(crate) fn to_bytes<E: Element>(numbers: &[E]) -> Vec<u8> {
    bytemuck::cast_slice(numbers).to_vec()
}

/// `None` where the bytes are not whole numbers.
pub(crate) fn from_bytes<E: Element>(bytes: &[u8]) -> Option<Vec<E>> {
    bytes.len().is_multiple_of(size_of::<E>()).then(|| bytemuck::allocation::pod_collect_to_vec(bytes))
}
