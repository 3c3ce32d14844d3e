//! Ranks begin with numbers of their own: each draws what it holds, and together they have what one device begins with.

use std::cell::RefCell;
use std::ops::Range;

use burn::tensor::Device;
use proptest::prelude::*;
use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::{Account, Rank, Saved, Strategy, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::sharding::ShardLevel;

use crate::bench::{Course, Shape, bits, orders, start};

/// Of a rank that has begun.
struct Begun {
    /// The stretches of the whole model's row that it drew.
    drawn: Vec<Range<usize>>,
    /// Bytes of parameters by its ledger.
    held: u64,
    /// What all ranks hold together.
    saved: Saved,
}

fn begun(course: &Course, strategy: &Strategy, whole: &Saved) -> Vec<Begun> {
    let ranks = local::run(strategy.layout.ranks(), |communicator| async move {
        let drawn = RefCell::new(Vec::new());
        let draw = |stretch: Range<usize>, numbers: &mut Vec<f32>| {
            numbers.extend_from_slice(&whole.numbers[stretch.clone()]);
            drawn.borrow_mut().push(stretch);
        };
        let (model, learning) = (course.model(strategy, communicator.rank()), course.learning.clone());
        let rank = Rank::begun(model, strategy.clone(), communicator, learning, &draw, &Device::flex())?;
        let (held, saved) = (rank.ledger().held(Account::Parameters), rank.save().await?);
        Ok::<Begun, TrainError>(Begun { drawn: drawn.into_inner(), held, saved })
    });
    at_once(ranks).expect("they begin")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ranks_draw_what_they_hold_and_begin_with_the_numbers_of_one_device(
        widths in prop::collection::vec(4..9_usize, 1..6),
        (stages, tensor, replicas) in (1..3_usize, 1..5_usize, 1..9_usize),
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
    ) {
        let course = Course::shared(&widths, 0.0, &[], tensor);
        let shape = Shape { ranks: stages * tensor * replicas, stages, tensor, schedule, level, ..Shape::default() };
        let layers = course.model.parameters().len();
        let whole = start(&course.model);
        let strategy = shape.with_chunks(chunks, layers).strategy(layers);
        let mut holders = vec![0_usize; whole.numbers.len()];
        for (rank, begun) in begun(&course, &strategy, &whole).iter().enumerate() {
            prop_assert!(bits(&begun.saved) == bits(&whole), "rank {} begins with other numbers", rank);
            let drawn: usize = begun.drawn.iter().map(ExactSizeIterator::len).sum();
            prop_assert_eq!(4 * drawn as u64, begun.held, "rank {} draws what it holds", rank);
            for at in begun.drawn.iter().cloned().flatten() {
                holders[at] += 1;
            }
        }
        let copies = if level == ShardLevel::Parameters { 1 } else { replicas };
        prop_assert!(holders.iter().all(|&of_a_number| of_a_number == copies), "{:?}, not {}", holders, copies);
    }
}

#[test]
fn a_rank_that_is_given_other_numbers_than_it_asks_for_says_so() {
    let course = Course::new(&[6, 4], 0.0, &[]);
    let strategy = &Shape::default().strategy(course.model.parameters().len());
    let expected = course.model.parameters().iter().sum::<usize>();
    for got in [0, expected - 1, expected + 1] {
        let course = &course;
        let ranks = local::run(1, |communicator| async move {
            let draw = |_: Range<usize>, numbers: &mut Vec<f32>| numbers.resize(got, 0.5);
            let learning = course.learning.clone();
            let model = course.model(strategy, 0);
            Rank::<_, f32>::begun(model, strategy.clone(), communicator, learning, &draw, &Device::flex()).map(|_| ())
        });
        let error = at_once(ranks).expect_err("they are too few or too many");
        assert_eq!(error, TrainError::Drawn { got, expected });
        assert!(error.to_string().contains(&format!("{got} first numbers were drawn where a rank holds {expected}")));
    }
}
