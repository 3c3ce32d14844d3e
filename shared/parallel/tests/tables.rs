//! The law of tables: divided in any way, they are looked up and updated as one device does it.

use std::borrow::Cow;

use proptest::prelude::*;
use recspeed_parallel::local::{self, Local};
use recspeed_parallel::tables::{LookUp, RowGradient, RowRule, SavedTables, Tables, Wanted};
use recspeed_parallel::training::{Account, Ledger};
use recspeed_parallel::{CommError, Communicator, Counters, at_once};
use recspeed_plan::sharding::{OptimizerState, TablePiece, TablePlacement, TableShape, TableSharding};

/// Numbers in ±1 from a seed.
fn draws(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 24) as f32).mul_add(2.0, -1.0)
    };
    (0..count).map(|_| next()).collect()
}

fn index(draw: f32, count: usize) -> usize {
    ((f32::midpoint(draw, 1.0) * count as f32) as usize).min(count.saturating_sub(1))
}

/// Tables, and steps that look up in them; half of the tables in bags.
#[derive(Debug, Clone)]
struct Course {
    shapes: Vec<TableShape>,
    places: usize,
    seed: u64,
    rule: RowRule,
    steps: Vec<u64>,
}

const RATE: f64 = 0.05;
const FACTOR: f32 = 0.5;

impl Course {
    fn start(&self) -> SavedTables<'static> {
        let numbers = self.shapes.iter().enumerate();
        let numbers = numbers.map(|(at, shape)| Cow::Owned(draws(at as u64 + 1, shape.rows * shape.width)));
        SavedTables { numbers: numbers.collect(), moments: None }
    }

    /// Bags have up to three rows, also the same one twice, also none.
    fn look_ups(&self, step: u64) -> Vec<LookUp> {
        let of_table = |(at, shape): (usize, &TableShape)| {
            let draws = draws(self.seed * 31 + step * 7 + at as u64, 7 * self.places);
            let draws = draws.as_chunks::<7>().0.iter();
            if at % 2 == 0 {
                return LookUp::from(draws.map(|draws| index(draws[0], shape.rows) as u32).collect::<Vec<u32>>());
            }
            let mut bags = LookUp::bags();
            for draws in draws {
                let rows =
                    (0..index(draws[0], 4)).map(|row| (index(draws[1 + row], shape.rows) as u32, draws[4 + row]));
                bags.push_bag(rows);
            }
            bags
        };
        self.shapes.iter().enumerate().map(of_table).collect()
    }

    /// Each place is somebody's; with more than two ranks the last one wants nothing, and the first place is wanted by two.
    fn wanted(&self, ranks: usize) -> Vec<Wanted> {
        let wanting = if ranks > 2 { ranks - 1 } else { ranks };
        let of_rank = |rank: usize| {
            let mut ranges = Vec::new();
            if rank < wanting {
                ranges.push(rank * self.places / wanting..(rank + 1) * self.places / wanting);
            }
            if rank + 1 == wanting && self.places > 0 {
                ranges.push(0..1);
            }
            vec![ranges; self.shapes.len()]
        };
        (0..ranks).map(of_rank).collect()
    }

    /// What is said of a place by whoever wants it.
    fn gradient(&self, step: u64, table: usize, place: usize) -> Vec<f32> {
        draws(self.seed + 1000 * step + 50 * table as u64 + place as u64, self.shapes[table].width)
    }

    /// One device: [`LookUp`], [`RowGradient`] and [`RowRule`] on whole tables.
    fn alone(&self) -> SavedTables<'static> {
        let mut numbers: Vec<Vec<f32>> = self.start().numbers.into_iter().map(Cow::into_owned).collect();
        let zeros = || numbers.iter().map(|table| vec![0.0; table.len()]).collect::<Vec<_>>();
        let mut moments = (self.rule.state() == OptimizerState::TwoMoments).then(|| [zeros(), zeros()]);
        for &step in &self.steps {
            let how = self.rule.step(RATE as f32, FACTOR, step);
            for (table, look_up) in self.look_ups(step).iter().enumerate() {
                let width = self.shapes[table].width;
                let mut gradient: Vec<f32> =
                    (0..self.places).flat_map(|place| self.gradient(step, table, place)).collect();
                // Two want the first place, and both say the same of it.
                gradient[..if self.places > 0 { width } else { 0 }].iter_mut().for_each(|value| *value += *value);
                for (row, values) in RowGradient::new(look_up, &gradient, width).rows() {
                    let at = row as usize * width..(row as usize + 1) * width;
                    let moments = moments.as_mut();
                    let moments =
                        moments.map(|[first, second]| (&mut first[table][at.clone()], &mut second[table][at.clone()]));
                    how.apply(&mut numbers[table][at.clone()], values, moments);
                }
            }
        }
        let owned = |tables: Vec<Vec<f32>>| tables.into_iter().map(Cow::Owned).collect();
        SavedTables { numbers: owned(numbers), moments: moments.map(|moments| moments.map(owned)) }
    }

    /// One rank of those that divide the tables; it holds the vectors that it fetches against those of whole tables.
    async fn one_rank(
        &self,
        sharding: TableSharding,
        saved: &SavedTables<'_>,
        all: Communicator<Local>,
    ) -> Result<SavedTables<'static>, CommError> {
        let mut ledger = Ledger::default();
        let placement = TablePlacement::new(&self.shapes, all.ranks(), sharding).expect("wide enough");
        let mut tables = Tables::new(placement, all.rank(), self.rule, saved, &mut ledger);
        let wanted = self.wanted(all.ranks());
        for &step in &self.steps {
            let look_ups = self.look_ups(step);
            let whole = tables.save(&all).await?;
            let vectors = tables.fetch(&look_ups, &wanted, &all, &mut ledger).await?;
            let own = &wanted[all.rank()];
            for (table, (vectors, ranges)) in vectors.iter().zip(own).enumerate() {
                let width = self.shapes[table].width;
                let expected = look_ups[table].gather(&whole.numbers[table], width);
                let expected = ranges.iter().cloned().flatten().flat_map(|place| &expected[place * width..][..width]);
                for (ours, theirs) in vectors.iter().zip(expected) {
                    let exact = table % 2 == 0 || sharding == TableSharding::ColumnWise || all.ranks() == 1;
                    let near = if exact { ours.to_bits() == theirs.to_bits() } else { (ours - theirs).abs() < 1e-6 };
                    assert!(near, "{sharding:?}, table {table}: {ours} {theirs}");
                }
            }
            let gradients = own.iter().enumerate().map(|(table, ranges)| {
                ranges.iter().cloned().flatten().flat_map(|place| self.gradient(step, table, place)).collect()
            });
            let gradients: Vec<Vec<f32>> = gradients.collect();
            tables.give_back(&look_ups, &wanted, &gradients, &all, &mut ledger).await?;
            assert_eq!(tables.not_finite(), None);
            tables.update(RATE, FACTOR, step, &mut ledger);
        }
        assert_eq!([Account::Gradients, Account::Transient].map(|account| ledger.held(account)), [0, 0]);
        assert!(ledger.is_sound(), "an account is given back more than it holds: {ledger:?}");
        let (saved, first) = (tables.save(&all).await?, tables.save_at_first(&all).await?);
        assert_eq!(first.is_some(), all.rank() == 0);
        assert!(first.is_none_or(|first| first == saved), "what comes to the first rank is what all have");
        Ok(saved)
    }

    fn ranks(&self, ranks: usize, sharding: TableSharding, saved: &SavedTables<'_>) -> Vec<SavedTables<'static>> {
        at_once(local::run(ranks, |all| self.one_rank(sharding, saved, all))).expect("all do the same")
    }
}

fn bits(saved: &SavedTables<'_>) -> Vec<u32> {
    let moments = saved.moments.iter().flatten().flatten();
    saved.numbers.iter().chain(moments).flat_map(|table| table.iter().map(|number| number.to_bits())).collect()
}

fn rules() -> Vec<RowRule> {
    vec![RowRule::Adam { decay: 0.1 }, RowRule::AdamW { decay: 0.1 }, RowRule::Sgd { decay: 0.01 }]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_way_to_divide_computes_the_update_of_one_device_to_the_last_bit(
        fields in prop::collection::vec((prop::collection::vec(1..9_usize, 1..4), 4..7_usize), 1..4),
        places in 0..20_usize,
        ranks in 1..5_usize,
        seed in 0..1000_u64,
        rule in prop::sample::select(rules()),
        sharding in prop::sample::select(TableSharding::ALL.to_vec()),
    ) {
        let shape = |(fields, width): (Vec<usize>, usize)| TableShape { rows: fields.iter().sum(), width, fields };
        let shapes = fields.into_iter().map(shape).collect();
        let course = Course { shapes, places, seed, rule, steps: vec![0, 1, 2] };
        // With two ranks or fewer, the first place is wanted twice as well.
        let expected = bits(&course.alone());
        for end in course.ranks(ranks, sharding, &course.start()) {
            prop_assert!(bits(&end) == expected);
        }
    }
}

#[test]
fn a_training_goes_on_under_another_way_to_divide() {
    let shapes = vec![TableShape { rows: 11, width: 4, fields: vec![5, 2, 4] }, TableShape::whole(7, 5)];
    for rule in rules() {
        let whole = Course { shapes: shapes.clone(), places: 9, seed: 3, rule, steps: vec![0, 1, 2, 3] };
        let (first, second) =
            (Course { steps: vec![0, 1], ..whole.clone() }, Course { steps: vec![2, 3], ..whole.clone() });
        let expected = bits(&whole.alone());
        for (from, (ranks, to)) in TableSharding::ALL.into_iter().zip([
            (1, TableSharding::ColumnWise),
            (4, TableSharding::TableWise),
            (3, TableSharding::RowWise),
        ]) {
            let half = first.ranks(3, from, &first.start()).swap_remove(0);
            let end = second.ranks(ranks, to, &half).swap_remove(0);
            assert!(bits(&end) == expected, "{from:?} {to:?} {rule:?}");
        }
    }
}

#[test]
fn tables_that_begin_hold_what_is_drawn_for_their_pieces() {
    let shapes = vec![TableShape { rows: 11, width: 4, fields: vec![5, 2, 4] }, TableShape::whole(7, 5)];
    for rule in rules() {
        let course = Course { shapes: shapes.clone(), places: 9, seed: 3, rule, steps: Vec::new() };
        let (whole, expected) =
            (course.start(), course.ranks(3, TableSharding::RowWise, &course.start()).swap_remove(0));
        for (sharding, ranks) in TableSharding::ALL.into_iter().flat_map(|sharding| [(sharding, 1), (sharding, 4)]) {
            let begun = at_once(local::run(ranks, |all| {
                let (shapes, whole) = (&shapes, &whole);
                async move {
                    let mut ledger = Ledger::default();
                    let placement = TablePlacement::new(shapes, ranks, sharding).expect("wide enough");
                    let held = placement.forecast(all.rank(), rule.state());
                    let draw = |piece: &TablePiece| {
                        let rows = whole.numbers[piece.table].chunks(shapes[piece.table].width);
                        let rows = rows.take(piece.rows.end).skip(piece.rows.start);
                        rows.flat_map(|row| &row[piece.columns.clone()]).copied().collect()
                    };
                    let tables = Tables::begun(placement, all.rank(), rule, &draw, &mut ledger);
                    assert_eq!(ledger.peak(), held.resident(), "it never has more than its own");
                    tables.save(&all).await
                }
            }));
            assert!(begun.expect("all do the same").iter().all(|begun| bits(begun) == bits(&expected)), "{sharding:?}");
        }
    }
}

/// What a rank holds and sends in one step, of a table of 5 million numbers in four fields.
fn measured(ranks: usize, sharding: TableSharding) -> Vec<(Ledger, Counters)> {
    let shape = TableShape { rows: 78_125, width: 64, fields: vec![19_531, 19_531, 19_531, 19_532] };
    let numbers = vec![Cow::Owned(draws(1, 5_000_000))];
    let saved = SavedTables { numbers, moments: None };
    let places = 4096;
    let ids = draws(2, places).into_iter().enumerate().map(|(at, draw)| {
        // A place for each field, one after the other.
        (at % 4 * 19_531 + index(draw, 19_531)) as u32
    });
    let look_ups = [LookUp::from(ids.collect::<Vec<u32>>())];
    let wanted: Vec<Wanted> =
        (0..ranks).map(|rank| vec![vec![rank * places / ranks..(rank + 1) * places / ranks]]).collect();
    let run = local::run(ranks, |all| {
        let (shape, look_ups, wanted, saved) = (shape.clone(), &look_ups, &wanted, &saved);
        async move {
            let mut ledger = Ledger::default();
            let placement = TablePlacement::new(&[shape], ranks, sharding).expect("wide enough");
            let mut tables = Tables::new(placement, all.rank(), RowRule::Adam { decay: 0.0 }, saved, &mut ledger);
            let vectors = tables.fetch(look_ups, wanted, &all, &mut ledger).await?;
            tables.give_back(look_ups, wanted, &vectors, &all, &mut ledger).await?;
            tables.update(RATE, 1.0, 0, &mut ledger);
            Ok::<_, CommError>((ledger, all.counters()))
        }
    });
    at_once(run).expect("all do the same")
}

#[test]
fn bytes_held_and_sent_are_those_of_the_plan() {
    let shape = TableShape { rows: 78_125, width: 64, fields: vec![19_531, 19_531, 19_531, 19_532] };
    for ranks in [1, 2, 4] {
        for sharding in TableSharding::ALL {
            let placement = TablePlacement::new(std::slice::from_ref(&shape), ranks, sharding).unwrap();
            let wanted = vec![vec![4096 / ranks as u64]; ranks];
            for (rank, (ledger, counters)) in measured(ranks, sharding).into_iter().enumerate() {
                assert!(ledger.is_sound(), "an account is given back more than it holds: {ledger:?}");
                let held = placement.forecast(rank, OptimizerState::TwoMoments);
                let sent = placement.traffic(rank, &wanted, &[1.0]);
                let near = |what: &str, measured: u64, foretold: u64| {
                    let off = measured.abs_diff(foretold) as f64;
                    assert!(off <= 0.05 * foretold as f64, "{sharding:?}, rank {rank}, {what}: {measured} {foretold}");
                };
                near("parameters", ledger.most(Account::Parameters), held.parameters);
                near("optimizer", ledger.most(Account::Optimizer), held.optimizer);
                near("sent", counters.sent_bytes, sent.total());
            }
        }
    }
}

#[test]
fn who_wants_nothing_is_sent_nothing() {
    let course = Course {
        shapes: vec![TableShape::whole(9, 4), TableShape::whole(8, 4)],
        places: 6,
        seed: 1,
        rule: RowRule::Sgd { decay: 0.0 },
        steps: vec![0],
    };
    let (look_ups, start) = (course.look_ups(0), course.start());
    let wanted: Vec<Wanted> = vec![vec![vec![0..6], vec![0..6]], vec![vec![], vec![]]];
    let received = at_once(local::run(2, |all| {
        let (course, look_ups, wanted, start) = (&course, &look_ups, &wanted, &start);
        async move {
            let mut ledger = Ledger::default();
            let placement = TablePlacement::new(&course.shapes, 2, TableSharding::RowWise).expect("any");
            let tables = Tables::new(placement, all.rank(), course.rule, start, &mut ledger);
            tables.fetch(look_ups, wanted, &all, &mut ledger).await?;
            Ok::<_, CommError>(all.counters().received)
        }
    }));
    assert_eq!(received.expect("all do the same"), [1, 0]);
}

#[test]
fn a_rank_that_fails_or_stays_away_ends_the_others_at_once() {
    let shapes = [TableShape::whole(9, 4)];
    let saved = SavedTables { numbers: vec![Cow::Owned(draws(1, 36))], moments: None };
    for own_error in [true, false] {
        let error = at_once(local::run(3, |all| {
            let (shapes, saved) = (&shapes, &saved);
            async move {
                if all.rank() == 1 {
                    let broken = || CommError::Broken { rank: 1, peer: 0, cause: "cut".to_owned() };
                    return if own_error { Err(broken()) } else { Ok(()) };
                }
                let mut ledger = Ledger::default();
                let placement = TablePlacement::new(shapes, 3, TableSharding::RowWise).expect("any");
                let tables = Tables::new(placement, all.rank(), RowRule::Sgd { decay: 0.0 }, saved, &mut ledger);
                let look_ups = [LookUp::from(vec![0, 4, 8])];
                let wanted: Vec<Wanted> = vec![vec![vec![0..3]]; 3];
                tables.fetch(&look_ups, &wanted, &all, &mut ledger).await.map(|_| ())
            }
        }))
        .expect_err("the rows of the second rank do not come");
        match error {
            CommError::Broken { rank: 1, .. } => assert!(own_error),
            CommError::Deadlock(waiting) => {
                assert!(!own_error && waiting.iter().all(|waiting| waiting.from == 1), "{waiting:?}");
            }
            other => panic!("{other}"),
        }
    }
}
