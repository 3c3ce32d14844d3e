//! Messages on their way through MPI: cut into pieces, labelled, and kept until somebody receives them.
//!
//! MPI counts in 31 bits and knows a number for a tag, not our words: every message travels in pieces, its label behind its last byte.

use std::collections::{HashMap, VecDeque};

use recspeed_parallel::{Message, Tag};

/// Group and number, before the words.
const NUMBERS: usize = size_of::<u32>() + size_of::<u64>();

fn label(tag: Tag) -> Vec<u8> {
    let mut label = tag.group.to_le_bytes().to_vec();
    label.extend(tag.number.to_le_bytes());
    label.extend(tag.about.as_bytes());
    label
}

/// The message with its label behind it.
pub(super) fn labelled(tag: Tag, message: &[u8]) -> Vec<u8> {
    let label = label(tag);
    let length = (label.len() as u32).to_le_bytes();
    [message, &label[..], &length[..]].concat()
}

/// Takes the label off; `None` where there is none.
fn opened(message: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = message.len().checked_sub(size_of::<u32>())?;
    let length = u32::from_le_bytes(message[end..].try_into().ok()?) as usize;
    let start = end.checked_sub(length).filter(|_| length >= NUMBERS)?;
    let label = message[start..end].to_vec();
    message.truncate(start);
    Some(label)
}

/// The pieces of a message, none longer than `most`; which one is the last.
pub(super) fn pieces(message: &[u8], most: usize) -> impl Iterator<Item = (&[u8], bool)> {
    let count = message.len().div_ceil(most);
    message.chunks(most).enumerate().map(move |(at, piece)| (piece, at + 1 == count))
}

/// What has arrived at a rank and has not been received yet.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Messages whose last piece has not come, by sender.
    begun: HashMap<usize, Vec<u8>>,
    boxes: HashMap<(usize, Vec<u8>), VecDeque<Vec<u8>>>,
}

impl Arrived {
    /// Takes the next piece of a sender in; the pieces of one sender come in the order in which they were sent.
    pub(super) fn piece(&mut self, from: usize, piece: Vec<u8>, last: bool) {
        let mut message = match self.begun.remove(&from) {
            None => piece,
            Some(mut begun) => {
                begun.extend(piece);
                begun
            }
        };
        if !last {
            self.begun.insert(from, message);
        } else if let Some(label) = opened(&mut message) {
            self.boxes.entry((from, label)).or_default().push_back(message);
        }
    }

    /// The oldest message of a sender with this tag.
    pub(super) fn take(&mut self, from: usize, tag: Tag) -> Option<Message> {
        let key = (from, label(tag));
        let messages = self.boxes.get_mut(&key)?;
        let message = messages.pop_front();
        if messages.is_empty() {
            self.boxes.remove(&key);
        }
        message.map(Message::from_bytes_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(arrived: &mut Arrived, from: usize, tag: Tag, message: &[u8], most: usize) {
        for (piece, last) in pieces(&labelled(tag, message), most) {
            arrived.piece(from, piece.to_vec(), last);
        }
    }

    fn taken(arrived: &mut Arrived, from: usize, tag: Tag) -> Option<Vec<u8>> {
        arrived.take(from, tag).map(|message| message.to_vec())
    }

    #[test]
    fn messages_come_whole_whatever_their_length_and_in_the_order_of_their_tag() {
        let [activation, gradient] = [Tag::new("activation", 3), Tag::new("gradient", 3)];
        for most in [1, 2, 7, 1000] {
            let mut arrived = Arrived::default();
            for length in [0, 1, 5, 64] {
                arrive(&mut arrived, 1, activation, &vec![length; usize::from(length)], most);
                arrive(&mut arrived, 1, gradient, &[length + 1], most);
            }
            assert_eq!(taken(&mut arrived, 0, activation), None, "of another sender");
            assert_eq!(taken(&mut arrived, 1, Tag { group: 2, ..activation }), None, "of another group");
            assert_eq!(taken(&mut arrived, 1, Tag::new("activation", 4)), None, "with another number");
            for length in [0, 1, 5, 64] {
                assert_eq!(taken(&mut arrived, 1, gradient), Some(vec![length + 1]));
            }
            for length in [0, 1, 5, 64] {
                assert_eq!(taken(&mut arrived, 1, activation), Some(vec![length; usize::from(length)]));
            }
            assert_eq!(taken(&mut arrived, 1, activation), None);
            assert!(arrived.boxes.is_empty() && arrived.begun.is_empty(), "nothing is left");
        }
    }

    #[test]
    fn pieces_of_two_senders_do_not_mix() {
        let tag = Tag::new("parts", 0);
        let [one, two] = [1_u8, 2].map(|from| labelled(tag, &[from; 9]));
        let mut arrived = Arrived::default();
        for ((a, last), (b, _)) in pieces(&one, 4).zip(pieces(&two, 4)) {
            arrived.piece(1, a.to_vec(), last);
            arrived.piece(2, b.to_vec(), last);
        }
        assert_eq!(taken(&mut arrived, 1, tag), Some(vec![1; 9]));
        assert_eq!(taken(&mut arrived, 2, tag), Some(vec![2; 9]));
    }

    #[test]
    fn bytes_without_a_label_are_dropped() {
        let mut arrived = Arrived::default();
        for rubbish in [vec![], vec![1, 2], vec![255; 40], vec![0; 8]] {
            arrived.piece(0, rubbish, true);
        }
        assert!(arrived.boxes.is_empty());
    }
}
