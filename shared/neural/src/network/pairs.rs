//! Networks that give a score to a user and an item: how they are trained, and how they rank.

use burn::tensor::Device;
use rayon::prelude::*;
use recspeed_data::Permutation;
use recspeed_data::parts::{Parts, PartsError, Values};
use recspeed_plan::blocks;
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use crate::examples::{LikeLesson, Likes, PairNetwork, Paired, StagedPairs};
use crate::method::FitRequest;
use crate::training::Course;
use crate::training::judge::{Judge, Limit, RankJudge};
use crate::training::network::Taped;
use crate::training::saved::{Parameters, numbers};
use crate::{Fitted, NeuralFitError, NeuralModel, Seat};

/// Pairs of one forward pass, and items of one part of a grid.
const CHUNK: usize = blocks::PASS;
/// Users of a tile: enough that what is computed once for its items costs each of them little.
const TILE: usize = blocks::TILE_OF_PAIRS;
/// Pairs that a judgement may cost: some seconds of the usual networks.
const JUDGED_PAIRS: usize = 5_000_000;

/// Trains a network on items that people have against items that they do not have: `others` of them for each.
pub(super) fn fit_on_likes<N: PairNetwork + 'static>(
    request: &FitRequest<'_>,
    network: &dyn Fn() -> N,
    others: usize,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let desk = Desk::of(request)?;
    let answering = desk.answering(network);
    desk.course(network(), others, &answering).run(observer)
}

/// [`fit_on_likes`] of a network that is a row of layers, on one of several ranks.
pub(super) async fn fit_on_likes_ranked<N: StagedPairs + 'static>(
    request: &FitRequest<'_>,
    network: &dyn Fn() -> N,
    others: usize,
    seat: Seat<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let desk = Desk::of(request)?;
    let answering = desk.answering(network);
    desk.course(network(), others, &answering).run_ranked(seat, observer).await
}

/// What a training on likes stands on.
struct Desk<'a> {
    request: &'a FitRequest<'a>,
    likes: Likes,
    judge: Option<RankJudge>,
    device: Device,
}

impl<'a> Desk<'a> {
    fn of(request: &'a FitRequest<'a>) -> Result<Self, NeuralFitError> {
        let likes = Likes::of(request.train);
        if likes.len() == 0 {
            return Err(NeuralFitError::NothingElse { kind: request.recommender.entry.kind });
        }
        let judge = (!request.validation.is_empty())
            .then(|| RankJudge::new(request.train, request.validation, Limit::Scores(JUDGED_PAIRS)));
        Ok(Self { request, likes, judge, device: request.device.plain() })
    }

    /// What makes a model of learnt numbers.
    fn answering<N: PairNetwork + 'static>(
        &self,
        network: &dyn Fn() -> N,
    ) -> impl Fn(Parameters) -> Box<dyn NeuralModel> {
        let data = self.request.train.interactions;
        let (sizes, newest) = ((data.n_users(), data.n_items()), self.request.train.newest());
        move |parameters| {
            Box::new(PairModel { network: network(), parameters, sizes, newest, device: self.device.clone() })
        }
    }

    fn course<N: PairNetwork>(
        &'a self,
        network: N,
        others: usize,
        model: &'a dyn Fn(Parameters) -> Box<dyn NeuralModel>,
    ) -> Course<'a, Taped<Paired<N>>, LikeLesson<'a>> {
        let FitRequest { training, recommender, seed, .. } = *self.request;
        Course {
            network: Taped(Paired(network)),
            lesson: LikeLesson { likes: &self.likes, training, others, seed },
            judge: self.judge.as_ref().map(|judge| judge as &dyn Judge),
            training,
            recommender,
            seed,
            identity: self.request.identity(),
            device: self.device.clone(),
            model,
        }
    }
}

/// A network that has learnt to give scores to pairs.
pub(super) struct PairModel<N> {
    network: N,
    parameters: Parameters,
    /// Users and items.
    sizes: (usize, usize),
    newest: i64,
    device: Device,
}

impl<N: PairNetwork> PairModel<N> {
    /// The inverse of [`NeuralModel::parts`].
    pub(super) fn restore(
        network: impl FnOnce((usize, usize)) -> N,
        mut parts: Parts,
        device: Device,
    ) -> Result<Self, PartsError> {
        let sizes = (parts.take_count("n_users")?, parts.take_count("n_items")?);
        let network = network(sizes);
        let parameters = Parameters::take_from(network.layout(), &mut parts, &device)?;
        let newest = (parts.take_count("newest")? as u64).cast_signed();
        Ok(Self { network, parameters, sizes, newest, device })
    }

    /// `scores`: `[pairs]`
    fn score(&self, pairs: &[(u32, u32)], scores: &mut [f32]) {
        let (fields, look_ups) = self.network.look_up(pairs);
        let weights = self.parameters.weights(self.network.layout(), &look_ups, &self.device);
        scores.copy_from_slice(&numbers(&self.network.score(&weights, &fields, None)));
    }
}

impl<N: PairNetwork> NeuralModel for PairModel<N> {
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        let count = users.len().min(items.len()).min(timestamps.len());
        let mut scores = vec![0.0; count];
        // The chunks lie where they lie whatever the number of threads, so threads change no bit.
        scores.par_chunks_mut(CHUNK).enumerate().for_each(|(index, chunk)| {
            let range = index * CHUNK..index * CHUNK + chunk.len();
            let pairs: Vec<(u32, u32)> =
                users[range.clone()].iter().copied().zip(items[range].iter().copied()).collect();
            self.score(&pairs, chunk);
        });
        scores
    }

    fn score_all(&self, user: u32, _: i64, scores: &mut [f32]) {
        self.score_tile(&[user], scores);
    }

    /// Some items of all users of the tile at a time.
    fn score_tile(&self, users: &[u32], scores: &mut [f32]) {
        let n_items = scores.len() / users.len().max(1);
        for first in (0..n_items).step_by(CHUNK) {
            let items = first..(first + CHUNK).min(n_items);
            let range = first as u32..items.end as u32;
            let grid = self.network.grid(users, range.clone(), &self.parameters, &self.device);
            for (place, &user) in users.iter().enumerate() {
                let into = &mut scores[place * n_items..][items.clone()];
                if let Some(grid) = &grid {
                    into.copy_from_slice(&grid[place * items.len()..][..items.len()]);
                } else {
                    let pairs: Vec<(u32, u32)> = range.clone().map(|item| (user, item)).collect();
                    self.score(&pairs, into);
                }
            }
        }
    }

    fn tile_users(&self) -> usize {
        TILE
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.network.permute(permutation)
    }

    fn reference_timestamp(&self) -> i64 {
        self.newest
    }

    fn parameters(&self) -> u64 {
        self.parameters.count()
    }

    fn memory(&self) -> MemoryBytes {
        MemoryBytes { parameters: self.parameters.bytes(), buffers: self.network.bytes(), ..MemoryBytes::default() }
    }

    fn parts(&self) -> Parts {
        let parts = self.network.add_to(self.parameters.add_to(self.network.layout(), Parts::default()));
        let newest = Values::U64(vec![self.newest.cast_unsigned()]);
        parts.with("newest", &[], newest).with_count("n_users", self.sizes.0).with_count("n_items", self.sizes.1)
    }
}
