//! From a request to a sequence model.

use burn::tensor::Device;
use recspeed_data::parts::{Parts, PartsError};
use recspeed_parallel::at_once;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::attention::Pattern;
use super::bert4rec::{self, Bert4Rec};
use super::caser::{self, Caser};
use super::encoder::Encoder;
use super::gru4rec::{self, Gru4Rec};
use super::history::Histories;
use super::lesson::SequenceLesson;
use super::model::SequenceModel;
use super::negatives::Spared;
use super::sasrec::{self, SasRec};
use super::tied::{Others, Tied};
use crate::method::{FitRequest, Method};
use crate::training::Course;
use crate::training::judge::{Judge, Limit, RankJudge};
use crate::training::saved::Parameters;
use crate::training::staged::Staged;
use crate::{Fitted, NeuralFitError, NeuralModel, Seat};

/// Users whose lists steer the training: with more, Beauty's lists take as long as the epoch that they judge.
const JUDGED: usize = 10_000;

/// Users and items that the dictionaries know.
type Sizes = (usize, usize);

pub(crate) const SASREC: Method = Method {
    fit_ranked: Some(|request, seat, observer| {
        Box::pin(fit(sasrec(request.recommender, sizes(request)), request, OnRank(seat), observer))
    }),
    fit_elsewhere: None,
    kind: "sasrec",
    fit: |request, observer| at_once(fit(sasrec(request.recommender, sizes(request)), request, Here, observer)),
    restore: |recommender, parts, device| restore(|sizes| sasrec(recommender, sizes), parts, device),
};

pub(crate) const GRU4REC: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "gru4rec",
    fit: |request, observer| at_once(fit(gru4rec(request.recommender, sizes(request)), request, Here, observer)),
    restore: |recommender, parts, device| restore(|sizes| gru4rec(recommender, sizes), parts, device),
};

pub(crate) const CASER: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "caser",
    fit: |request, observer| at_once(fit(caser(request.recommender, sizes(request)), request, Here, observer)),
    restore: |recommender, parts, device| restore(|sizes| caser(recommender, sizes), parts, device),
};

pub(crate) const BERT4REC: Method = Method {
    fit_ranked: None,
    fit_elsewhere: None,
    kind: "bert4rec",
    fit: |request, observer| at_once(fit(bert4rec(request.recommender, sizes(request)), request, Here, observer)),
    restore: |recommender, parts, device| restore(|sizes| bert4rec(recommender, sizes), parts, device),
};

fn sizes(request: &FitRequest<'_>) -> Sizes {
    (request.train.interactions.n_users(), request.train.interactions.n_items())
}

fn count(recommender: &ResolvedRecommender, name: &str) -> usize {
    recommender.integer(name).max(0) as usize
}

fn sasrec(recommender: &ResolvedRecommender, (_, items): Sizes) -> SasRec {
    let (size, length) = (count(recommender, "window"), count(recommender, "length"));
    SasRec::new(sasrec::Shape {
        items,
        d: count(recommender, "factors"),
        blocks: count(recommender, "blocks"),
        heads: count(recommender, "heads"),
        length,
        dropout: recommender.float("dropout") as f32,
        pattern: match recommender.text("attention") {
            "local-window" => Pattern::LocalWindow { window: size },
            "block-sparse" => Pattern::BlockSparse { block: size },
            _ => Pattern::Full,
        }
        .within(length),
    })
}

fn gru4rec(recommender: &ResolvedRecommender, (_, items): Sizes) -> Gru4Rec {
    Gru4Rec::new(gru4rec::Shape {
        items,
        d: count(recommender, "factors"),
        hidden: count(recommender, "hidden"),
        layers: count(recommender, "layers"),
        length: count(recommender, "length"),
        dropout: recommender.float("dropout") as f32,
    })
}

fn caser(recommender: &ResolvedRecommender, (users, items): Sizes) -> Caser {
    Caser::new(caser::Shape {
        users,
        items,
        d: count(recommender, "factors"),
        window: count(recommender, "window"),
        horizontal: count(recommender, "horizontal"),
        vertical: count(recommender, "vertical"),
        ahead: count(recommender, "ahead"),
        dropout: recommender.float("dropout") as f32,
    })
}

fn bert4rec(recommender: &ResolvedRecommender, (_, items): Sizes) -> Bert4Rec {
    Bert4Rec::new(bert4rec::Shape {
        items,
        d: count(recommender, "factors"),
        blocks: count(recommender, "blocks"),
        heads: count(recommender, "heads"),
        length: count(recommender, "length"),
        hidden: recommender.float("hidden") as f32,
        bias: recommender.boolean("item_bias"),
        dropout: recommender.float("dropout") as f32,
    })
}

/// Where a training happens.
trait Way<E: Encoder> {
    async fn run(
        self,
        course: Course<'_, Tied<E>, SequenceLesson<'_>>,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError>;
}

/// On this device alone.
struct Here;

impl<E: Encoder> Way<E> for Here {
    async fn run(
        self,
        course: Course<'_, Tied<E>, SequenceLesson<'_>>,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError> {
        course.run(observer)
    }
}

/// On this rank, among others.
struct OnRank<'a>(Seat<'a>);

impl<E: Encoder> Way<E> for OnRank<'_>
where
    Tied<E>: Staged,
{
    async fn run(
        self,
        course: Course<'_, Tied<E>, SequenceLesson<'_>>,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError> {
        course.run_ranked(self.0, observer).await
    }
}

/// Learns from the training rows, steered by the validation rows; answers from the training rows until it is told to read others.
async fn fit<E: Encoder>(
    encoder: E,
    request: &FitRequest<'_>,
    way: impl Way<E>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let device = request.device.plain();
    let learnt = Histories::of(&[request.train]);
    let users: Vec<u32> =
        (0..learnt.users() as u32).filter(|&user| encoder.teaches(learnt.of_user(user).len())).collect();
    if users.is_empty() {
        return Err(NeuralFitError::NoSequences { kind: request.recommender.entry.kind });
    }
    let batch_size = request.training.batch_size as usize;
    let mut longest: Vec<usize> = users.iter().map(|&user| learnt.of_user(user).len()).collect();
    longest.sort_unstable_by(|a, b| b.cmp(a));
    longest.truncate(batch_size);
    let lesson = SequenceLesson {
        histories: &learnt,
        users,
        most_rows: encoder.rows_of(&longest) as u64,
        loss: request.training.loss,
        batch_size,
        others: Others::Drawn {
            count: count(request.recommender, "negatives"),
            share: count(request.recommender, "shared_by"),
            spared: Spared::by(request.training.loss, request.recommender.boolean("spare_own")),
        },
        log_q: request.recommender.boolean("log_q"),
        seed: request.seed,
        device: device.clone(),
        length: encoder.length(),
        n_items: encoder.n_items(),
    };
    let judge = (!request.validation.is_empty())
        .then(|| RankJudge::new(request.train, request.validation, Limit::Users(JUDGED)));
    let at = request.train.newest();
    let model = |parameters: Parameters| -> Box<dyn NeuralModel> {
        Box::new(SequenceModel::new(encoder.clone(), parameters, &learnt, at, device.clone()))
    };
    let course = Course {
        network: Tied::new(encoder.clone()),
        lesson,
        judge: judge.as_ref().map(|judge| judge as &dyn Judge),
        training: request.training,
        recommender: request.recommender,
        seed: request.seed,
        identity: request.identity(),
        device: device.clone(),
        model: &model,
    };
    way.run(course, observer).await
}

/// The sizes of the data are those of the saved tables.
fn restore<E: Encoder>(
    encoder: impl Fn(Sizes) -> E,
    mut parts: Parts,
    device: Device,
) -> Result<Box<dyn NeuralModel>, PartsError> {
    let sizes = (parts.take_count("n_users")?, parts.take_count("n_items")?);
    Ok(Box::new(SequenceModel::restore(encoder(sizes), parts, device)?))
}
