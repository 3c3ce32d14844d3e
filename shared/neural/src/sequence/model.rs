//! A sequence model that has learnt: a vector for each user, and one for each item.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use recspeed_data::parts::{Parts, PartsError, Values, expect_len};
use recspeed_plan::blocks;
use recspeed_types::event::MemoryBytes;

use super::encoder::{Encoder, NOBODY};
use super::history::Histories;
use super::tied::Tied;
use crate::training::layout::TableId;
use crate::training::network::Network as _;
use crate::training::rows::LookUp;
use crate::training::saved::{Parameters, numbers};
use crate::{NeuralFoldIn, NeuralModel, Rows};

/// Histories that are read together: where they are cut does not depend on the number of threads.
const TOGETHER: usize = blocks::HISTORIES;
/// Users whose scores are multiplied together.
const TILE: usize = blocks::TILE_OF_SEQUENCES;

/// What the encoder said of everybody, once: each answer is then a product of two vectors.
pub(crate) struct SequenceModel<E> {
    network: Tied<E>,
    parameters: Parameters,
    /// `[items, d]`
    items: Tensor<2>,
    d: usize,
    /// `[users, d]`; zeros for users without a history.
    users: Vec<f32>,
    newest: i64,
    device: Device,
}

impl<E: Encoder> SequenceModel<E> {
    /// Reads every history.
    pub(crate) fn new(encoder: E, parameters: Parameters, histories: &Histories, newest: i64, device: Device) -> Self {
        let model = Self::without_users(encoder, parameters, newest, device);
        Self { users: model.of_histories(histories), ..model }
    }

    /// # Shapes
    /// - returns: `[users, d]`; zeros for users without a history
    fn of_histories(&self, histories: &Histories) -> Vec<f32> {
        let mut all = vec![0.0; histories.users() * self.d];
        let read: Vec<u32> = histories.users_with(1);
        let vectors: Vec<Vec<f32>> = read
            .par_chunks(TOGETHER)
            .map(|users| {
                let of_users: Vec<&[u32]> = users.iter().map(|&user| histories.of_user(user)).collect();
                self.vectors(users, &of_users)
            })
            .collect();
        for (&user, vector) in read.iter().zip(vectors.iter().flat_map(|vectors| vectors.chunks_exact(self.d))) {
            all[user as usize * self.d..][..self.d].copy_from_slice(vector);
        }
        all
    }

    fn without_users(encoder: E, parameters: Parameters, newest: i64, device: Device) -> Self {
        let TableId(table) = encoder.items();
        let d = encoder.layout().tables()[table].width;
        let n_items = encoder.n_items();
        let items = TensorData::new(parameters.tables[table][..n_items * d].to_vec(), [n_items, d]);
        let items = Tensor::from_data(items, &device);
        Self { network: Tied::new(encoder), parameters, items, d, users: Vec::new(), newest, device }
    }

    /// The inverse of [`NeuralModel::parts`].
    pub(crate) fn restore(encoder: E, mut parts: Parts, device: Device) -> Result<Self, PartsError> {
        let parameters = Parameters::take_from(encoder.layout(), &mut parts, &device)?;
        let newest = (parts.take_count("newest")? as u64).cast_signed();
        let (_, d, users) = parts.take_matrix("users-read")?;
        let model = Self::without_users(encoder, parameters, newest, device);
        expect_len("users-read", d, model.d)?;
        Ok(Self { users, ..model })
    }

    /// # Shapes
    /// - returns: `[histories, d]`
    fn vectors(&self, users: &[u32], histories: &[&[u32]]) -> Vec<f32> {
        let batch = self.network.encoder().question(users, histories, &self.device);
        let (input, look_ups) = self.network.vectors(batch);
        let look_ups: Vec<LookUp> = look_ups.into_iter().map(LookUp::from).collect();
        let weights = self.parameters.weights(self.network.layout(), &look_ups, &self.device);
        numbers(&self.network.forward(&weights, &input, None).scores)
    }

    /// # Shapes
    /// - `vectors`: `[users, d]`
    /// - `scores`: `[users, items]`, overwritten
    fn products(&self, vectors: Vec<f32>, scores: &mut [f32]) {
        let users = vectors.len() / self.d;
        let vectors = Tensor::<2>::from_data(TensorData::new(vectors, [users, self.d]), &self.device);
        let products = vectors.matmul(self.items.clone().transpose()).into_data();
        scores.copy_from_slice(products.as_slice::<f32>().expect("networks compute in f32 on every device"));
    }

    fn user(&self, user: u32) -> &[f32] {
        &self.users[user as usize * self.d..][..self.d]
    }
}

impl<E: Encoder> NeuralModel for SequenceModel<E> {
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        let TableId(table) = self.network.encoder().items();
        let table = &self.parameters.tables[table];
        let product = |((&user, &item), _): ((&u32, &u32), &i64)| {
            let item = &table[item as usize * self.d..][..self.d];
            self.user(user).iter().zip(item).map(|(a, b)| a * b).sum()
        };
        users.iter().zip(items).zip(timestamps).map(product).collect()
    }

    fn score_all(&self, user: u32, _: i64, scores: &mut [f32]) {
        self.products(self.user(user).to_vec(), scores);
    }

    fn score_tile(&self, users: &[u32], scores: &mut [f32]) {
        self.products(users.iter().flat_map(|&user| self.user(user)).copied().collect(), scores);
    }

    fn tile_users(&self) -> usize {
        TILE
    }

    fn reference_timestamp(&self) -> i64 {
        self.newest
    }

    fn read(&mut self, known: Rows<'_>) {
        self.users = self.of_histories(&Histories::of(&[known]));
        self.newest = known.newest();
    }

    fn fold_in(&self) -> Option<&dyn NeuralFoldIn> {
        Some(self)
    }

    fn parameters(&self) -> u64 {
        self.parameters.count()
    }

    fn memory(&self) -> MemoryBytes {
        let buffers = self.users.len() + self.d * self.network.encoder().n_items();
        MemoryBytes { parameters: self.parameters.bytes(), buffers: 4 * buffers as u64, ..MemoryBytes::default() }
    }

    fn parts(&self) -> Parts {
        let newest = Values::U64(vec![self.newest.cast_unsigned()]);
        let n_items = self.network.encoder().n_items();
        let parts = Parts::default()
            .with_count("n_users", self.users.len() / self.d)
            .with_count("n_items", n_items)
            .with("newest", &[], newest)
            .with_matrix("users-read", self.d, &self.users);
        self.parameters.add_to(self.network.layout(), parts)
    }
}

impl<E: Encoder> NeuralFoldIn for SequenceModel<E> {
    /// The basket is read as a history, the first item as the oldest.
    fn score_basket(&self, basket: &[(u32, f32)], scores: &mut [f32]) {
        let items: Vec<u32> = basket.iter().map(|(item, _)| *item).collect();
        if items.is_empty() {
            scores.fill(0.0);
        } else {
            self.products(self.vectors(&[NOBODY], &[&items]), scores);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::sequence::attention::Pattern;
    use crate::sequence::{bert4rec, caser, gru4rec, sasrec};

    const ITEMS: usize = 30;

    fn model<E: Encoder>(encoder: E) -> SequenceModel<E> {
        let device = NeuralDevice::flex().plain();
        let parameters = Parameters::initial(encoder.layout(), 5, &device);
        SequenceModel::without_users(encoder, parameters, 0, device)
    }

    fn sasrec(pattern: Pattern) -> sasrec::SasRec {
        let shape = sasrec::Shape { items: ITEMS, d: 8, blocks: 2, heads: 2, length: 12, dropout: 0.5, pattern };
        sasrec::SasRec::new(shape)
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    /// What is said of a history does not depend on who shares its rows, nor on items too old to count.
    fn reads_alone_as_among_others<E: Encoder>(encoder: E, length: usize) {
        let model = model(encoder);
        let histories: Vec<Vec<u32>> = (1..40u32)
            .map(|user| (0..=user % 17).map(|place| (user * 7 + place * 3) % ITEMS as u32).collect())
            .collect();
        let histories: Vec<&[u32]> = histories.iter().map(Vec::as_slice).collect();
        let users: Vec<u32> = (0..histories.len() as u32).collect();
        let together = model.vectors(&users, &histories);
        for ((&user, history), vector) in users.iter().zip(&histories).zip(together.chunks(model.d)) {
            assert!(near(&model.vectors(&[user], &[history]), vector), "{history:?}");
            let counted = super::super::history::newest(history, length);
            assert!(near(&model.vectors(&[user], &[counted]), vector), "{history:?} and its newest {length}");
        }
        let (short, long) = (model.vectors(&[0], &[&[3, 4]]), model.vectors(&[0], &[&[9, 4]]));
        assert!(!near(&short, &long), "what came before the newest item counts");
    }

    #[test]
    fn histories_are_read_the_same_alone_and_among_others() {
        for pattern in [Pattern::Full, Pattern::LocalWindow { window: 4 }, Pattern::BlockSparse { block: 3 }] {
            reads_alone_as_among_others(sasrec(pattern), 12);
        }
        let shape = gru4rec::Shape { items: ITEMS, d: 8, hidden: 5, layers: 2, length: 12, dropout: 0.5 };
        reads_alone_as_among_others(gru4rec::Gru4Rec::new(shape), 12);
        let shape = bert4rec::Shape {
            items: ITEMS,
            d: 8,
            blocks: 2,
            heads: 2,
            length: 12,
            hidden: 0.3,
            dropout: 0.5,
            bias: true,
        };
        reads_alone_as_among_others(bert4rec::Bert4Rec::new(shape), 11);
        reads_alone_as_among_others(bert4rec::Bert4Rec::new(bert4rec::Shape { bias: false, ..shape }), 11);
        let shape = caser::Shape {
            users: 40,
            items: ITEMS,
            d: 8,
            window: 4,
            horizontal: 3,
            vertical: 2,
            ahead: 2,
            dropout: 0.5,
        };
        reads_alone_as_among_others(caser::Caser::new(shape), 4);
    }

    #[test]
    fn training_asks_each_item_what_it_would_answer_without_the_later_ones() {
        for pattern in [Pattern::Full, Pattern::LocalWindow { window: 4 }, Pattern::BlockSparse { block: 3 }] {
            let model = model(sasrec(pattern));
            let sequence: Vec<u32> = vec![3, 9, 4, 22, 17, 8, 1, 3];
            let encoder = model.network.encoder();
            let of = |sequence: &[u32]| {
                let batch = encoder.lesson(&[0], &[sequence], (0, 0), &model.device);
                let (input, look_ups) = model.network.vectors(batch);
                let look_ups: Vec<LookUp> = look_ups.into_iter().map(LookUp::from).collect();
                let weights = model.parameters.weights(model.network.layout(), &look_ups, &model.device);
                numbers(&model.network.forward(&weights, &input, None).scores)
            };
            let whole = of(&sequence);
            let mut changed = sequence.clone();
            changed[6] = 29;
            let changed = of(&changed);
            // Questions 0 to 5 come before the changed item, question 6 reads it.
            assert!(near(&whole[..6 * 8], &changed[..6 * 8]), "{pattern:?}");
            assert!(!near(&whole[6 * 8..], &changed[6 * 8..]), "{pattern:?}");
        }
    }
}
