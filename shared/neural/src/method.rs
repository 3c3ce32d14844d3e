//! From a catalogue entry to a network: one [`Method`] each.

use std::future::Future;
use std::pin::Pin;

use burn::tensor::Device;
use recspeed_data::Attributes;
use recspeed_data::parts::{Parts, PartsError};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Need;
use recspeed_types::spec::{ResolvedRecommender, Training};

use crate::elsewhere::Trainer;
use crate::network::{autoencoder, deepfm, densenet, dlrm, mlp, neumf, wide_and_deep};
use crate::sequence;
use crate::{Fitted, NeuralDevice, NeuralFitError, NeuralModel, Rows, Seat};

/// Every network, in the catalogue's order.
pub(crate) const METHODS: &[Method] = &[
    mlp::METHOD,
    densenet::METHOD,
    neumf::METHOD,
    wide_and_deep::METHOD,
    deepfm::METHOD,
    dlrm::METHOD,
    autoencoder::METHOD,
    sequence::SASREC,
    sequence::GRU4REC,
    sequence::CASER,
    sequence::BERT4REC,
];

/// What saved parts become.
pub(crate) type Restored = Result<Box<dyn NeuralModel>, PartsError>;

/// One kind: how it is trained, and how it is made of its saved parts.
pub(crate) struct Method {
    /// As in the catalogue.
    pub(crate) kind: &'static str,
    pub(crate) fit: fn(&FitRequest<'_>, &mut dyn FitObserver) -> Result<Fitted, NeuralFitError>,
    pub(crate) restore: fn(&ResolvedRecommender, Parts, Device) -> Restored,
    /// How one of several ranks trains it; `None` where it is no row of layers.
    pub(crate) fit_ranked: Option<RankedFit>,
    /// How another framework trains it; `None` where none is asked to.
    pub(crate) fit_elsewhere: Option<LentFit>,
}

/// A rank's training.
pub(crate) type RankedFit = for<'a> fn(
    &'a FitRequest<'a>,
    Seat<'a>,
    &'a mut dyn FitObserver,
) -> Pin<Box<dyn Future<Output = Result<Fitted, NeuralFitError>> + 'a>>;

/// A training in another framework.
pub(crate) type LentFit = fn(&FitRequest<'_>, &mut dyn Trainer, &mut dyn FitObserver) -> Result<Fitted, NeuralFitError>;

/// What is to be trained.
#[derive(Clone)]
pub struct FitRequest<'a> {
    /// The kind and its parameters.
    pub recommender: &'a ResolvedRecommender,
    /// How it is trained.
    pub training: &'a Training,
    /// What it learns from.
    pub train: Rows<'a>,
    /// What steers the training; may be empty. Of the same interactions as `train`.
    pub validation: Rows<'a>,
    /// Attributes of the items, by id; some items may have none.
    pub item_attributes: Option<&'a Attributes>,
    /// Attributes of the users, by id; some users may have none.
    pub user_attributes: Option<&'a Attributes>,
    /// A rating of at least this many stars says that the user likes the item.
    pub threshold: f64,
    /// Everything random comes from it.
    pub seed: u64,
    /// Where it computes.
    pub device: NeuralDevice,
}

impl FitRequest<'_> {
    /// Refuses what nothing can be learnt from, so that nothing later has to look again.
    pub(crate) fn check(&self) -> Result<(), NeuralFitError> {
        self.train.check()?;
        self.validation.check()?;
        if self.train.is_empty() {
            return Err(NeuralFitError::NoTrainingRows);
        }
        let entry = self.recommender.entry;
        let has = |need: &Need| match need {
            Need::ItemAttributes => self.item_attributes.is_some(),
            Need::UserAttributes => self.user_attributes.is_some(),
            Need::Timestamps => self.train.interactions.has_timestamps,
            Need::Order => self.train.interactions.has_order(),
        };
        match entry.needs.iter().find(|need| !has(need)) {
            Some(&need) => Err(NeuralFitError::Needs { kind: entry.kind, need }),
            None => Ok(()),
        }
    }
}

pub(crate) fn method(kind: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.kind == kind)
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::StrategyKind;

    use super::METHODS;

    #[test]
    fn exactly_the_networks_that_a_spec_may_divide_can_be_trained_by_ranks() {
        for method in METHODS {
            assert_eq!(method.fit_ranked.is_some(), StrategyKind::Pipeline.suits(method.kind), "{}", method.kind);
        }
    }
}
