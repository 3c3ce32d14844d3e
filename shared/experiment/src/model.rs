//! What a fit leaves behind: a recommender of any family, asked in one way.

use recspeed_data::{Interactions, Permutation};
use recspeed_neural::{NeuralModel, Rows};
use recspeed_recommenders::ranking::{self, RankError, RankRequest, Ranking};
use recspeed_recommenders::{BasketItem, FitError, FoldIn, Parts, PartsError, Recommender, RestoreRequest, Restored};
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec};

/// A recommender that has learnt.
pub enum Model {
    /// Of the families that compute without tensors.
    Classical(Box<dyn Recommender>),
    /// A network.
    Network(NeuralRecommender),
}

impl Model {
    /// The model that these parts were taken from, by [`Recommender::parts`]: it answers with the same bits.
    ///
    /// # Errors
    /// [`PartsError`]: parts of something else.
    pub fn restore(spec: &ResolvedSpec, parts: Parts) -> Result<Self, PartsError> {
        if spec.recommender.entry.is_trained() {
            return NeuralRecommender::restore(&spec.recommender, parts).map(Self::Network);
        }
        let networks = |component: &ResolvedRecommender, parts: Parts| -> Restored {
            Ok(Box::new(NeuralRecommender::restore(component, parts)?))
        };
        let request = RestoreRequest { recommender: &spec.recommender, elsewhere: &networks };
        recspeed_recommenders::restore_request(&request, parts).map(Self::Classical)
    }

    /// Either as a recommender.
    pub fn as_recommender(&self) -> &dyn Recommender {
        match self {
            Self::Classical(recommender) => recommender.as_ref(),
            Self::Network(network) => network,
        }
    }

    /// As [`Recommender::read`].
    pub(crate) fn read(
        &mut self,
        interactions: &Interactions,
        known: &[u32],
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        match self {
            Self::Classical(recommender) => recommender.read(interactions, known, observer),
            Self::Network(network) => network.read(interactions, known, observer),
        }
    }

    /// As [`Recommender::permute`].
    pub(crate) fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        match self {
            Self::Classical(recommender) => recommender.permute(permutation),
            Self::Network(network) => network.permute(permutation),
        }
    }

    /// Ratings of many (user, item, timestamp) triples: `[n]` each. A network answers a batch much faster than row by row.
    pub fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        match self {
            Self::Classical(recommender) => users
                .iter()
                .zip(items)
                .zip(timestamps)
                .map(|((&user, &item), &timestamp)| recommender.predict(user, item, timestamp))
                .collect(),
            Self::Network(network) => network.model.predict_rows(users, items, timestamps),
        }
    }
}

/// A network as a recommender, ranked at one moment in time: that of the newest training row.
pub struct NeuralRecommender {
    pub(crate) model: Box<dyn NeuralModel>,
    pub(crate) n_users: usize,
    pub(crate) n_items: usize,
}

impl NeuralRecommender {
    fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let (n_users, n_items) = (parts.take_count("users")?, parts.take_count("items")?);
        // Answers for a few users come soonest without a way to a device and back.
        let device = recspeed_neural::NeuralDevice::flex();
        let model = recspeed_neural::restore(recommender, parts.take_model("network"), &device)?;
        Ok(Self { model, n_users, n_items })
    }
}

impl Recommender for NeuralRecommender {
    fn n_users(&self) -> usize {
        self.n_users
    }

    fn n_items(&self) -> usize {
        self.n_items
    }

    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.model.predict_rows(&[user], &[item], &[timestamp])[0]
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.model.score_all(user, self.model.reference_timestamp(), scores);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        let sizes = (self.n_users, self.n_items);
        let score = |users: &[u32], scores: &mut [f32]| self.model.score_tile(users, scores);
        ranking::by_tiles(sizes, self.model.tile_users(), &score, request, observer)
    }

    fn read(&mut self, interactions: &Interactions, rows: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.model.read(Rows { interactions, rows });
        Ok(())
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.model.permute(permutation)
    }

    fn memory(&self) -> MemoryBytes {
        self.model.memory()
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        self.model.fold_in().map(|_| self as &dyn FoldIn)
    }

    fn parameters(&self) -> u64 {
        self.model.parameters()
    }

    fn parts(&self) -> Parts {
        let sizes = Parts::default().with_count("users", self.n_users).with_count("items", self.n_items);
        sizes.with_model("network", self.model.parts())
    }
}

impl FoldIn for NeuralRecommender {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        let basket: Vec<(u32, f32)> = basket.iter().map(|own| (own.item, own.rating)).collect();
        match self.model.fold_in() {
            Some(network) => network.score_basket(&basket, scores),
            None => scores.fill(0.0),
        }
    }
}
