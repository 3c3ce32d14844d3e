//! How long one user waits for a list.

use recspeed_recommenders::{RankRequest, Recommender};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::summary::Latency;

use crate::audience::Audience;
use crate::rank::{Question, Quiet};
use crate::run::Prepared;
use crate::runaway::not_ranked;
use crate::{Host, RunFailure};

/// Lists timed one after another, and the microseconds after which no further one is begun.
const TIMED_LISTS: usize = 200;
const TIMED_US: u64 = 2_000_000;
/// Places of a timed list.
const TIMED_PLACES: usize = 10;

/// How long one list takes, asked for alone among all candidates of the evaluation, also where that drew some; users
/// spread evenly over the audience. `threads`: among how many the work of a list may be shared.
pub(crate) fn latency(
    spec: &ResolvedSpec,
    data: &Prepared,
    audience: &Audience,
    recommender: &dyn Recommender,
    threads: u32,
    host: &mut dyn Host,
) -> Result<Option<Latency>, RunFailure> {
    let question = Question::among_all(spec, data, audience, TIMED_PLACES);
    let request = question.request();
    let begin = host.now_us();
    let step = request.users.len().div_ceil(TIMED_LISTS).max(1);
    let mut taken = Vec::new();
    for user in request.users.chunks(step).map(|users| &users[..1]) {
        let before = host.now_us();
        if before - begin > TIMED_US {
            break;
        }
        let one = RankRequest { users: user, ..request };
        let ranked = recommender.rank(&one, &mut Quiet(host));
        ranked.map_err(|error| not_ranked(spec, &data.interactions, error))?;
        taken.push(host.now_us() - before);
    }
    taken.sort_unstable();
    let at = |share: f64| taken.get(((taken.len() as f64 * share) as usize).min(taken.len().saturating_sub(1)));
    Ok(at(0.5).zip(at(0.99)).map(|(&p50, &p99)| Latency {
        p50_ms: p50 as f64 / 1e3,
        p99_ms: p99 as f64 / 1e3,
        lists: taken.len() as u32,
        threads: Some(threads),
    }))
}
