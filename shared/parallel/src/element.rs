//! Numbers that travel, and what they travel as.

use std::ops::AddAssign;

/// A number that can be sent and added up.
pub trait Element: bytemuck::Pod + AddAssign + Default + Send + Sync {}

impl Element for f32 {}
impl Element for f64 {}

/// Bytes on their way. They stay what was allocated for the numbers, so that a tensor's can be handed over between threads and be
/// those of a tensor again: nothing is copied where nothing lies between the ranks.
pub type Message = burn::tensor::Bytes;

/// The numbers that a message is made of; `None` where the bytes are not whole numbers.
pub(crate) fn numbers_of<E: Element>(message: Message) -> Option<Vec<E>> {
    let whole = message.len().is_multiple_of(size_of::<E>());
    whole.then(|| {
        message.try_into_vec().unwrap_or_else(|message| bytemuck::allocation::pod_collect_to_vec(&message[..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_where_they_lay() {
        let numbers = vec![1.5_f32, -2.0, 3.25];
        let place = numbers.as_ptr();
        let back: Vec<f32> = numbers_of(Message::from_elems(numbers)).unwrap();
        assert_eq!((back.as_ptr(), &back[..]), (place, &[1.5, -2.0, 3.25][..]));
    }

    #[test]
    fn bytes_of_any_allocation_are_numbers_where_they_are_whole() {
        let bytes = [1.5_f32, -2.0].iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
        assert_eq!(numbers_of::<f32>(Message::from_bytes_vec(bytes.clone())), Some(vec![1.5, -2.0]));
        assert_eq!(numbers_of::<f64>(Message::from_elems(Vec::<f32>::new())), Some(Vec::new()));
        assert_eq!(numbers_of::<f32>(Message::from_bytes_vec(bytes[..7].to_vec())), None);
    }
}
