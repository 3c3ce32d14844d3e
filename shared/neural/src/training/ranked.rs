//! A training that is divided among ranks: every rank runs the same loop over the same batches and takes its part of each step.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use recspeed_data::parts::Parts;
use recspeed_parallel::tables::SavedTables;
use recspeed_parallel::training::{Account, Learning, Overdrawn, Rank, Saved, Strategy, TrainError};
use recspeed_parallel::{Message, Tag, Transport};
use recspeed_plan::sharding::TablePiece;
use recspeed_types::event::{BytesAtPeak, MemoryBytes, Sent};
use recspeed_types::{EventKind, FitObserver};

use super::begun::first_weights_of;
use super::layout::{Layout, TableId};
use super::network::Network;
use super::rows::row_rule;
use super::saved::{Parameters, nothing, tensor};
use super::spans::{SPAN, Spans, as_span};
use super::staged::{RankLesson, Staged};
use super::state::State;
use super::steps::{AllMoments, Steps, Stumble};
use super::{Batch, Course, Lesson, update};
use crate::random::step_noise;
use crate::{Fitted, NeuralFitError, NeuralModel, Seat};

/// A rank among others.
pub(crate) struct Ranked<'m, N: Staged, T> {
    layers: &'m N::Layers,
    rank: Rank<'m, T>,
    /// Of the first rank, which judges, is heard, and answers; the others never hold more than their part.
    parameters: Parameters,
    /// Whether it has all parameters now.
    gathered: bool,
    moments: Option<AllMoments<'static>>,
    taken: u64,
    /// Steps whose instructions are told.
    told: Range<u64>,
    spans: Spans,
    /// Of which accounts of which ranks it has been told that they are wrong.
    wrong: BTreeSet<(usize, Account)>,
    /// The digest of the first weights, of which it keeps its part alone; of the first rank, which tells it.
    first_weights: Option<u64>,
}

impl<N: Network, L: Lesson<N>> Course<'_, N, L> {
    /// [`Self::run`] on one of several ranks. The first one ends with the model.
    pub(crate) async fn run_ranked(
        self,
        seat: Seat<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError>
    where
        N: Staged,
    {
        self.refuse_too_large(None)?;
        let communicator = seat.communicator;
        let layout = crate::strategy::layout_of(seat.strategy).map_err(TrainError::from)?;
        let place = layout.place(communicator.rank());
        let Some(layers) = self.network.shared(place.tensor, layout.tensor()) else {
            let text =
                format!("the layers of `{}` cannot be shared; set strategy.tensor = 1", self.recommender.entry.kind);
            return Err(NeuralFitError::Strategy(text));
        };
        let layers = layers.map_err(TrainError::from)?;
        let layout = self.network.layout();
        let learning = Learning {
            rule: update::rule(self.training),
            rate: self.training.learning_rate,
            clip: self.training.gradient_clip,
        };
        let counted = self.network.counted(self.recommender).unwrap_or_default();
        let balance = recspeed_plan::balance_of(seat.strategy, self.training, counted);
        let strategy: Strategy = crate::strategy::of(seat.strategy, &layers, &balance)?;
        let (first, ranks) = (communicator.rank() == 0, communicator.ranks());
        let tag = Tag::new("checkpoint", 0);
        // Only the first rank's observer has a checkpoint. Ranks read it one after the other: it is several times what a rank keeps.
        let bytes = if first { observer.take_resume_state() } else { None };
        let resumes = communicator.broadcast_at_leisure(0, f64::from(u8::from(bytes.is_some()))).await? > 0.0;
        let message = if resumes && !first { Some(communicator.recv_message_at_leisure(0, tag).await?) } else { None };
        let read = bytes.as_deref().or(message.as_deref());
        let mut state = read.map(|bytes| self.state(bytes)).transpose()?;
        drop(message);
        // The first rank alone tells what all begin with, and holds none of it for that.
        let tells = L::TELLS && first && state.is_none();
        let first_weights = tells.then(|| first_weights_of(layout, self.seed));
        // Of what was read a rank keeps its part; what is drawn is its part and no more.
        let mut rank = if let Some(state) = &mut state {
            let saved = dense_of(state, layout.flat_len());
            Rank::new(&layers, strategy, communicator, learning, &saved, &self.device)?
        } else {
            let first_numbers = layout.first_numbers(self.seed);
            let draw = |stretch: Range<usize>, numbers: &mut Vec<f32>| numbers.extend(first_numbers.of(stretch));
            Rank::begun(&layers, strategy, communicator, learning, &draw, &self.device)?
        };
        if !layout.tables().is_empty() {
            let (shapes, sharding) = (self.network.tables(), seat.strategy.tables.into());
            let rule = row_rule(self.training);
            let draw = |piece: &TablePiece| {
                let (rows, columns) = (piece.rows.clone(), piece.columns.clone());
                layout.initial_piece(self.seed, TableId(piece.table), rows, columns)
            };
            rank = match &state {
                Some(state) => rank.with_tables(&shapes, sharding, rule, &tables_of(state, layout))?,
                None => rank.with_new_tables(&shapes, sharding, rule, &draw)?,
            };
        }
        if let Some(state) = &mut state {
            (state.weights, state.moments) = (Cow::default(), None);
            if let Some(weights) = state.best.as_mut().and_then(|best| best.weights.as_mut()).filter(|_| !first) {
                *weights = Vec::new();
            }
        }
        let done = Tag::new("checkpoint read", 0);
        match bytes {
            Some(bytes) => {
                for other in 1..ranks {
                    let message = Message::from_bytes_vec(bytes.clone());
                    rank.communicator().send_message(other, tag, message).await?;
                    rank.communicator().recv::<f64>(other, done).await?;
                }
            }
            None if resumes => rank.communicator().send(0, done, &[1.0]).await?,
            None => {}
        }
        // Whoever has read it first waits for all who come after.
        if resumes {
            rank.communicator().broadcast_at_leisure(0, 0.0).await?;
        }
        // The first rank has the whole once it has been gathered, and nobody asks before.
        let parameters = Parameters::placeholder(layout, &self.device);
        let steps = Ranked {
            layers: &layers,
            rank,
            parameters,
            gathered: false,
            moments: None,
            taken: 0,
            // The first one also warms up.
            told: 1..1 + u64::from(seat.told),
            spans: Spans::of_one_of(ranks),
            wrong: BTreeSet::new(),
            first_weights,
        };
        let progress = self.progress(steps, state);
        self.learn(progress, observer).await
    }
}

/// The first numbers of a checkpoint are those of the dense parameters; where there are no others it gives them away.
fn dense_of(state: &mut State<'static>, len: usize) -> Saved {
    let of = |all: &mut Cow<'static, [f32]>| {
        if all.len() == len { std::mem::take(all).into_owned() } else { all[..len].to_vec() }
    };
    Saved {
        numbers: of(&mut state.weights),
        moments: state.moments.as_mut().map(|(time, first, second)| (*time, [of(first), of(second)])),
    }
}

/// Those of the tables follow, one table after the other.
fn tables_of<'a>(state: &'a State<'_>, layout: &Layout) -> SavedTables<'a> {
    let of = |all: &'a [f32]| {
        let mut rest = &all[layout.flat_len()..];
        let tables = layout.tables().iter().map(|table| {
            let (own, others) = rest.split_at(table.rows * table.width);
            rest = others;
            Cow::Borrowed(own)
        });
        tables.collect::<Vec<_>>()
    };
    let moments = state.moments.as_ref().map(|(_, first, second)| [of(first), of(second)]);
    SavedTables { numbers: of(&state.weights), moments }
}

impl<N: Staged, T: Transport> Steps<N> for Ranked<'_, N, T> {
    const ALONE: bool = false;

    async fn step<L: Lesson<N>>(
        &mut self,
        course: &Course<'_, N, L>,
        batch: Batch<N::Input>,
        step: u64,
    ) -> Result<f64, Stumble> {
        let lesson = RankLesson {
            input: &batch.input,
            look_ups: &batch.look_ups,
            targets: &batch.targets,
            loss: course.training.loss,
            noise: step_noise(course.seed, step),
        };
        let divided = course.network.batch(self.layers, lesson);
        let told = self.told.contains(&self.taken);
        self.rank.note_timeline(told);
        self.taken += 1;
        // Boxed, so that whoever awaits this is copied with no more room than plain training has.
        let loss = Box::pin(self.rank.step(divided.as_ref())).await.map_err(|error| match error {
            TrainError::Loss(value) => Stumble::NotFinite("loss", value),
            TrainError::Gradient(value) => Stumble::NotFinite("gradient", value),
            error => Stumble::Failed(error.into()),
        })?;
        if told {
            self.spans.add(self.rank.note_timeline(false));
        }
        Ok(loss)
    }

    fn leads(&self) -> bool {
        self.rank.communicator().rank() == 0
    }

    async fn agree(&mut self, number: f64) -> Result<f64, NeuralFitError> {
        let communicator = self.rank.communicator();
        let mut agreed = [number];
        // Asked before every batch: a rank alone has no room for messages that it never sends.
        if communicator.ranks() > 1 {
            Box::pin(communicator.broadcast(0, &mut agreed)).await?;
        }
        Ok(agreed[0])
    }

    async fn agree_at_leisure(&mut self, number: f64) -> Result<f64, NeuralFitError> {
        Ok(self.rank.communicator().broadcast_at_leisure(0, number).await?)
    }

    async fn gather(&mut self) -> Result<(), NeuralFitError> {
        if self.gathered {
            return Ok(());
        }
        if let Some(numbers) = self.rank.parameters_at_first().await? {
            let device = self.parameters.flat.device();
            self.parameters.flat = tensor(numbers, &device);
        }
        if let Some(tables) = self.rank.table_numbers_at_first().await? {
            self.parameters.tables = tables.into_iter().map(Arc::new).collect();
        }
        self.gathered = true;
        Ok(())
    }

    async fn gather_moments(&mut self) -> Result<(), NeuralFitError> {
        let dense = self.rank.moments_at_first().await?;
        let of_tables = self.rank.table_moments_at_first().await?;
        self.moments = dense.map(|(time, [first, second])| {
            let [of_first, of_second] = of_tables.unwrap_or_default();
            (time, Cow::Owned(followed_by(first, of_first)), Cow::Owned(followed_by(second, of_second)))
        });
        Ok(())
    }

    fn release(&mut self) {
        self.gathered = false;
        self.moments = None;
        let flat = &self.parameters.flat;
        self.parameters = Parameters { flat: nothing(flat.dims()[0], &flat.device()), tables: Vec::new() };
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn first_weights(&self, _: &Layout) -> Option<u64> {
        self.first_weights
    }

    fn moments(&self) -> Option<AllMoments<'_>> {
        let (time, first, second) = self.moments.as_ref()?;
        Some((*time, Cow::Borrowed(first), Cow::Borrowed(second)))
    }

    /// Ranks send what they have noted to the first one.
    async fn report(&mut self, observer: &mut dyn FitObserver) -> Result<(), NeuralFitError> {
        let communicator = self.rank.communicator();
        let ledger = self.rank.ledger();
        let mut noted: Vec<f64> = Account::ALL.iter().map(|&account| ledger.most(account) as f64).collect();
        noted.extend(Account::ALL.iter().map(|&account| ledger.at_peak(account) as f64));
        noted.extend(communicator.process_bytes().unwrap_or_default().map(|bytes| bytes as f64));
        noted.extend(Account::ALL.iter().map(|&account| ledger.overdrawn(account) as f64));
        for sent in self.rank.sent() {
            noted.extend([sent.steps, sent.bytes, sent.messages, sent.waited_us].map(|number| number as f64));
        }
        noted.extend(self.spans.take());
        let tag = Tag::new("report", self.taken);
        if communicator.rank() != 0 {
            communicator.send(0, tag, &noted).await?;
            return Ok(());
        }
        for rank in 0..communicator.ranks() {
            let told = if rank == 0 { std::mem::take(&mut noted) } else { communicator.recv::<f64>(rank, tag).await? };
            let (held, rest) = told.split_at((2 * Account::ALL.len() + 2).min(told.len()));
            let (overdrawn, rest) = rest.split_at(Account::ALL.len().min(rest.len()));
            let (sent, spans) = rest.split_at((2 * SENT).min(rest.len()));
            if let [parameters, gradients, optimizer, activations, passing, updating, host, ref rest @ ..] = *held
                && let [
                    of_parameters,
                    of_gradients,
                    of_optimizer,
                    of_activations,
                    with_passes,
                    with_update,
                    _,
                    now,
                    peak,
                ] = *rest
            {
                // They come and go one after the other: micro-batches have come back when their gradients are added up.
                let (buffers, of_buffers) = (passing.max(updating), with_passes + with_update);
                let at_peak = BytesAtPeak {
                    parameters: of_parameters as u64,
                    gradients: of_gradients as u64,
                    optimizer: of_optimizer as u64,
                    activations: of_activations as u64,
                    buffers: of_buffers as u64,
                };
                let bytes = MemoryBytes {
                    parameters: parameters as u64,
                    gradients: gradients as u64,
                    optimizer: optimizer as u64,
                    activations: activations as u64,
                    buffers: buffers as u64,
                    host: host as u64,
                    at_peak: Some(at_peak),
                    allocator_total: now as u64,
                    peak: peak as u64,
                };
                observer.event(EventKind::Memory { rank: rank as u32, bytes });
            }
            // A rank alone has nobody to send anything to.
            if communicator.ranks() > 1
                && let [all, told] = sent.as_chunks::<SENT>().0
            {
                observer.event(EventKind::Traffic { rank: rank as u32, all: as_sent(all), told: as_sent(told) });
            }
            for warning in not_told(rank, overdrawn, &mut self.wrong) {
                observer.event(EventKind::Warning { message: warning.to_string() });
            }
            for span in spans.as_chunks::<SPAN>().0 {
                observer.event(as_span(rank as u32, span));
            }
        }
        Ok(())
    }
}

/// Of a rank's accounts, in their order, those that were given back more than they held and have not been told of yet.
fn not_told(rank: usize, overdrawn: &[f64], told: &mut BTreeSet<(usize, Account)>) -> Vec<Overdrawn> {
    let all = Account::ALL.into_iter().zip(overdrawn);
    let wrong = all.filter(|&(account, &bytes)| bytes > 0.0 && told.insert((rank, account)));
    wrong.map(|(account, &bytes)| Overdrawn { rank, account, bytes: bytes as u64 }).collect()
}

/// Numbers, and after them those of tables, each of which is let go of once it is there.
fn followed_by(mut numbers: Vec<f32>, tables: Vec<Vec<f32>>) -> Vec<f32> {
    numbers.reserve_exact(tables.iter().map(Vec::len).sum());
    for table in tables {
        numbers.extend_from_slice(&table);
    }
    numbers
}

/// What ranks end with that are not the first one: the model is there.
pub(super) struct AtTheFirst;

impl NeuralModel for AtTheFirst {
    fn predict_rows(&self, users: &[u32], _: &[u32], _: &[i64]) -> Vec<f32> {
        vec![0.0; users.len()]
    }

    fn score_all(&self, _: u32, _: i64, scores: &mut [f32]) {
        scores.fill(0.0);
    }

    fn reference_timestamp(&self) -> i64 {
        0
    }

    fn parameters(&self) -> u64 {
        0
    }

    fn memory(&self) -> MemoryBytes {
        MemoryBytes::default()
    }

    fn parts(&self) -> Parts {
        Parts::default()
    }
}

/// Numbers of what was sent: steps, bytes, messages, microseconds waited.
const SENT: usize = 4;

fn as_sent(&[steps, bytes, messages, waited_us]: &[f64; SENT]) -> Sent {
    let [steps, bytes, messages, waited_us] = [steps, bytes, messages, waited_us].map(|number| number as u64);
    Sent { steps, bytes, messages, waited_us }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_wrong_is_told_of_once() {
        let mut told = BTreeSet::new();
        let of = |rank, account, bytes| Overdrawn { rank, account, bytes };
        assert!(not_told(0, &[0.0; 7], &mut told).is_empty());
        let first = not_told(1, &[0.0, 8.0, 0.0, 0.0, 4.0, 0.0, 0.0], &mut told);
        assert_eq!(first, [of(1, Account::Gradients, 8), of(1, Account::Transient, 4)]);
        assert!(not_told(1, &[0.0, 16.0, 0.0, 0.0, 4.0, 0.0, 0.0], &mut told).is_empty());
        assert_eq!(not_told(0, &[0.0, 16.0, 0.0, 0.0, 0.0, 0.0, 0.0], &mut told), [of(0, Account::Gradients, 16)]);
    }
}
