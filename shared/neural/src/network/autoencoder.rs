//! The variational autoencoder of a person's items (Mult-VAE).

use std::f64::consts::LN_2;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_data::Csr;
use recspeed_data::parts::{Parts, PartsError, Values};
use recspeed_plan::blocks;
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::{Loss, ResolvedRecommender, Training};

use crate::method::{FitRequest, Method};
use crate::random::{BagDraws, epoch_order};
use crate::training::judge::{Judge, Limit, RankJudge};
use crate::training::layout::{DenseId, Initial, Layout, Linear, TableId};
use crate::training::losses::Targets;
use crate::training::network::{Network, Noise, Output, Taped, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::{Parameters, numbers};
use crate::training::{Batch, Course, Lesson};
use crate::{Fitted, NeuralFitError, NeuralFoldIn, NeuralModel, Rows};

pub(crate) const METHOD: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "autoencoder",
    fit,
    restore: |recommender, parts, device| Ok(Box::new(AutoencoderModel::restore(recommender, parts, device)?)),
};

/// People of one forward pass: enough to fill the product with the items' matrix.
const TILE: usize = blocks::TILE_OF_SEQUENCES;
/// People that a judgement ranks for at most.
const JUDGED_PEOPLE: usize = 4000;
/// Standard deviation of the first biases, as the authors' code has it.
const BIAS: Initial = Initial::Normal(0.001);

fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Fitted, NeuralFitError> {
    let data = request.train.interactions;
    let by_user = Csr::by_user(data, request.train.rows);
    let judge = (!request.validation.is_empty())
        .then(|| RankJudge::new(request.train, request.validation, Limit::Users(JUDGED_PEOPLE)));
    let newest = request.train.newest();
    let device = request.device.plain();
    let network = || Autoencoder::new(request.recommender, data.n_items());
    let has_items = |&user: &u32| !by_user.row(user as usize).0.is_empty();
    let course = Course {
        network: Taped(network()),
        lesson: BagLesson {
            users: (0..data.n_users() as u32).filter(has_items).collect(),
            by_user: &by_user,
            n_items: data.n_items(),
            counted: counted(&by_user, data.n_items(), &device),
            training: request.training,
            dropout: request.recommender.float("dropout") as f32,
            seed: request.seed,
            device: device.clone(),
        },
        judge: judge.as_ref().map(|judge| judge as &dyn Judge),
        training: request.training,
        recommender: request.recommender,
        seed: request.seed,
        identity: request.identity(),
        device: device.clone(),
        model: &|parameters| {
            let (by_user, device) = (by_user.clone(), device.clone());
            Box::new(AutoencoderModel::new(network(), parameters, by_user, newest, device))
        },
    };
    course.run(observer)
}

/// 1 for each item that somebody has, 0 for the others: those are no part of what is learnt, neither as what people could
/// have nor as what they do not have.
fn counted(by_user: &Csr, n_items: usize, device: &Device) -> Option<Tensor<2>> {
    let mut counted = vec![0.0f32; n_items];
    for &item in &by_user.indices {
        counted[item as usize] = 1.0;
    }
    counted.contains(&0.0).then(|| Tensor::from_data(TensorData::new(counted, [1, n_items]), device))
}

/// `x / ‖x‖ → tanh → (μ, ln σ²)`, `z = μ + σ ε → tanh → scores of all items`; the loss is that of the scores plus
/// `β KL(N(μ, σ²) ‖ N(0, 1))`, where β grows evenly from 0 to its cap. Answers come from `z = μ`.
/// Source: Liang, Krishnan, Hoffman, Jebara, "Variational Autoencoders for Collaborative Filtering", arXiv:1802.05814.
pub(super) struct Autoencoder {
    layout: Layout,
    /// A row an item: a person's first hidden layer is the sum of the rows of their items, so it costs what they have and
    /// not what there is.
    items: TableId,
    first_bias: DenseId,
    mean: Linear,
    log_variance: Linear,
    decoder: Linear,
    scores: (DenseId, DenseId),
    n_items: usize,
    /// Cap of β, and the steps in which it grows to it.
    annealing: (f64, u64),
}

impl Autoencoder {
    pub(super) fn new(recommender: &ResolvedRecommender, n_items: usize) -> Self {
        let hidden = recommender.integer("hidden") as usize;
        let latent = recommender.integer("latent") as usize;
        let mut layout = Layout::default();
        let mut linear = |name: &str, inputs: usize, outputs: usize| {
            let bounds = Initial::glorot(inputs, outputs);
            let weight = layout.dense(format!("{name}.weight"), &[inputs, outputs], bounds);
            let bias = layout.dense(format!("{name}.bias"), &[outputs], BIAS);
            Linear { weight, bias, inputs, outputs }
        };
        let mean = linear("mean", hidden, latent);
        let log_variance = linear("log_variance", hidden, latent);
        let decoder = linear("decoder", latent, hidden);
        let last = linear("scores", hidden, n_items);
        let first_bias = layout.dense("encoder.bias", &[hidden], BIAS);
        let items = layout.table("encoder.items", n_items, hidden, Initial::glorot(n_items, hidden));
        Self {
            layout,
            items,
            first_bias,
            mean,
            log_variance,
            decoder,
            scores: (last.weight, last.bias),
            n_items,
            annealing: (recommender.float("kl_weight"), recommender.integer("annealing_steps") as u64),
        }
    }

    /// What somebody has as an input of length 1.
    fn bag(own: impl ExactSizeIterator<Item = u32>) -> impl Iterator<Item = (u32, f32)> {
        let weight = 1.0 / (own.len().max(1) as f32).sqrt();
        own.map(move |item| (item, weight))
    }
}

impl Network for Autoencoder {
    type Input = ();

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn forward(&self, weights: &Weights, (): &(), noise: Option<&mut Noise>) -> Output {
        let hidden = (weights.rows(self.items) + weights.vector(self.first_bias).unsqueeze()).tanh();
        let mean = weights.linear(self.mean, hidden.clone());
        let rows = mean.dims()[0] as f32;
        let (latent, penalty) = match noise {
            None => (mean, None),
            Some(noise) => {
                let log_variance = weights.linear(self.log_variance, hidden);
                let sample = noise.normal(mean.dims());
                let latent = mean.clone() + (log_variance.clone() * 0.5).exp() * sample;
                let divergence = (log_variance.clone().exp() + mean.square() - log_variance - 1.0).sum() * 0.5;
                let (cap, steps) = self.annealing;
                let grown = if steps == 0 { 1.0 } else { (noise.step as f64 / steps as f64).min(1.0) };
                (latent, Some(divergence * (cap * grown) as f32 / rows))
            }
        };
        let hidden = weights.linear(self.decoder, latent).tanh();
        let (weight, bias) = self.scores;
        let scores = burn::tensor::module::linear(hidden, weights.matrix(weight), Some(weights.vector(bias)));
        Output { scores, penalty }
    }
}

/// A row is a person: all that they have, of which some is left out at random on the way in and asked for on the way out.
struct BagLesson<'a> {
    /// People with items.
    users: Vec<u32>,
    by_user: &'a Csr,
    n_items: usize,
    /// 1 for each item that somebody has, `[1, items]`; `None` where somebody has each.
    counted: Option<Tensor<2>>,
    training: &'a Training,
    /// Share of the items left out.
    dropout: f32,
    seed: u64,
    device: Device,
}

/// The order of the people, and the draws of what is left out.
struct BagEpoch {
    order: Vec<u32>,
    epoch: u32,
}

impl Lesson<Taped<Autoencoder>> for BagLesson<'_> {
    type Epoch = BagEpoch;

    fn batches(&self) -> u64 {
        (self.users.len() as u64).div_ceil(u64::from(self.training.batch_size))
    }

    fn epoch(&self, epoch: u32) -> BagEpoch {
        BagEpoch { order: epoch_order(self.seed, epoch, self.users.len() as u32), epoch }
    }

    fn batch(&self, _: &Taped<Autoencoder>, epoch: &BagEpoch, index: u64) -> Batch<()> {
        let size = self.training.batch_size as usize;
        let from = (index as usize).saturating_mul(size).min(epoch.order.len());
        let to = from.saturating_add(size).min(epoch.order.len());
        let mut draws = BagDraws::new(self.seed, epoch.epoch, index as u32);
        let kept_scale = 1.0 / (1.0 - self.dropout);
        let mut look_up = LookUp::bags();
        let mut sets = vec![0.0; (to - from) * self.n_items];
        for (set, &place) in sets.chunks_exact_mut(self.n_items.max(1)).zip(&epoch.order[from..to]) {
            let own = self.by_user.row(self.users[place as usize] as usize).0;
            for &item in own {
                set[item as usize] = 1.0;
            }
            let kept = Autoencoder::bag(own.iter().copied()).filter(|_| !draws.chance(self.dropout));
            look_up.push_bag(kept.map(|(item, weight)| (item, weight * kept_scale)));
        }
        let sets = Tensor::from_data(TensorData::new(sets, [to - from, self.n_items]), &self.device);
        Batch {
            input: (),
            look_ups: vec![look_up],
            targets: Targets::Sets { sets, counted: self.counted.clone() },
            rows: (to - from) as u64,
        }
    }

    fn batch_rows(&self) -> u64 {
        u64::from(self.training.batch_size).min(self.users.len() as u64)
    }

    fn epoch_bytes(&self) -> u64 {
        4 * self.users.len() as u64
    }

    /// Of all items of a person together: a choice among all for each that they have, or one half for every item, as odds or as an
    /// answer that is off by as much. What they have alone would be too little to measure by: first scores are drawn, and their squares
    /// add up over all items.
    fn of_nothing(&self) -> f64 {
        let owned = self.by_user.nnz() as f64 / self.users.len().max(1) as f64;
        match self.training.loss {
            Loss::CrossEntropy => owned * (self.n_items as f64).ln(),
            Loss::Bce => self.n_items as f64 * LN_2,
            _ => 0.25 * self.n_items as f64,
        }
    }

    fn name(&self) -> String {
        format!("bags of {} of {} people, {}", self.by_user.nnz(), self.users.len(), self.dropout)
    }
}

/// An autoencoder that has learnt, and what everybody has.
struct AutoencoderModel {
    network: Autoencoder,
    parameters: Parameters,
    by_user: Csr,
    newest: i64,
    device: Device,
}

impl AutoencoderModel {
    fn new(network: Autoencoder, parameters: Parameters, by_user: Csr, newest: i64, device: Device) -> Self {
        Self { network, parameters, by_user, newest, device }
    }

    fn restore(recommender: &ResolvedRecommender, mut parts: Parts, device: Device) -> Result<Self, PartsError> {
        let n_items = parts.take_count("n_items")?;
        let network = Autoencoder::new(recommender, n_items);
        let parameters = Parameters::take_from(&network.layout, &mut parts, &device)?;
        let by_user = parts.take_csr("ratings", n_items)?;
        let newest = (parts.take_count("newest")? as u64).cast_signed();
        Ok(Self::new(network, parameters, by_user, newest, device))
    }

    /// # Shapes
    /// - `scores`: `[places × items]`
    fn score(&self, look_up: LookUp, scores: &mut [f32]) {
        let weights = self.parameters.weights(&self.network.layout, &[look_up], &self.device);
        scores.copy_from_slice(&numbers(&self.network.forward(&weights, &(), None).scores));
    }
}

impl NeuralModel for AutoencoderModel {
    /// All items are scored for each row: rows of the same user that follow each other share the work.
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        let count = users.len().min(items.len()).min(timestamps.len());
        let mut scores = vec![0.0; self.network.n_items];
        let mut last = None;
        let one = |(&user, &item): (&u32, &u32)| {
            if last != Some(user) {
                self.score_all(user, self.newest, &mut scores);
                last = Some(user);
            }
            scores[item as usize]
        };
        users[..count].iter().zip(&items[..count]).map(one).collect()
    }

    fn score_all(&self, user: u32, _: i64, scores: &mut [f32]) {
        self.score_tile(&[user], scores);
    }

    fn score_tile(&self, users: &[u32], scores: &mut [f32]) {
        let mut look_up = LookUp::bags();
        for &user in users {
            look_up.push_bag(Autoencoder::bag(self.by_user.row(user as usize).0.iter().copied()));
        }
        self.score(look_up, scores);
    }

    fn tile_users(&self) -> usize {
        TILE
    }

    fn reference_timestamp(&self) -> i64 {
        self.newest
    }

    fn read(&mut self, known: Rows<'_>) {
        self.by_user = Csr::by_user(known.interactions, known.rows);
        self.newest = known.newest();
    }

    fn fold_in(&self) -> Option<&dyn NeuralFoldIn> {
        Some(self)
    }

    fn parameters(&self) -> u64 {
        self.parameters.count()
    }

    fn memory(&self) -> MemoryBytes {
        let entries = (size_of_val(&self.by_user.indptr[..]) + 8 * self.by_user.nnz()) as u64;
        MemoryBytes { parameters: self.parameters.bytes(), buffers: entries, ..MemoryBytes::default() }
    }

    fn parts(&self) -> Parts {
        let parts = self.parameters.add_to(&self.network.layout, Parts::default());
        parts
            .with("newest", &[], Values::U64(vec![self.newest.cast_unsigned()]))
            .with_count("n_items", self.network.n_items)
            .with_csr("ratings", &self.by_user)
    }
}

impl NeuralFoldIn for AutoencoderModel {
    /// An item that stands twice in the basket counts once.
    fn score_basket(&self, basket: &[(u32, f32)], scores: &mut [f32]) {
        let mut own: Vec<u32> = basket.iter().map(|(item, _)| *item).collect();
        own.sort_unstable();
        own.dedup();
        let mut look_up = LookUp::bags();
        look_up.push_bag(Autoencoder::bag(own.into_iter()));
        self.score(look_up, scores);
    }
}
