//! Parts of tables are disjoint and cover everything; bytes and traffic are what they add up to.

use proptest::prelude::*;
use recspeed_plan::PlanError;
use recspeed_plan::sharding::{OptimizerState, TablePlacement, TableShape, TableSharding};

fn table(fields: Vec<usize>, width: usize) -> TableShape {
    TableShape { rows: fields.iter().sum(), width, fields }
}

fn tables() -> impl Strategy<Value = Vec<TableShape>> {
    let fields = prop::collection::vec(0..30_usize, 1..6);
    prop::collection::vec((fields, 8..20_usize).prop_map(|(fields, width)| table(fields, width)), 1..4)
}

proptest! {
    #[test]
    fn pieces_are_disjoint_and_cover_every_number(
        tables in tables(),
        ranks in 1..9_usize,
        sharding in prop::sample::select(TableSharding::ALL.to_vec()),
    ) {
        let placement = TablePlacement::new(&tables, ranks, sharding).expect("wide enough");
        let mut owners: Vec<Vec<u32>> = tables.iter().map(|table| vec![0; table.rows * table.width]).collect();
        for rank in 0..ranks {
            let mut elements = 0;
            for piece in placement.pieces(rank) {
                prop_assert!(!piece.rows.is_empty());
                prop_assert_eq!(&piece.columns, &placement.columns(rank, piece.table));
                elements += piece.elements() as u64;
                for row in piece.rows.clone() {
                    prop_assert!(placement.holds(rank, piece.table, row));
                    for column in piece.columns.clone() {
                        owners[piece.table][row * tables[piece.table].width + column] += 1;
                    }
                }
            }
            prop_assert_eq!(elements, placement.elements(rank));
            let held = placement.forecast(rank, OptimizerState::TwoMoments);
            prop_assert_eq!((held.parameters, held.optimizer), (4 * elements, 8 * elements));
        }
        prop_assert!(owners.iter().flatten().all(|&count| count == 1));
    }

    #[test]
    fn divided_by_rows_or_columns_no_rank_holds_much_more_than_its_share(tables in tables(), ranks in 1..9_usize) {
        for sharding in [TableSharding::RowWise, TableSharding::ColumnWise] {
            let placement = TablePlacement::new(&tables, ranks, sharding).expect("wide enough");
            let all: usize = tables.iter().map(|table| table.rows * table.width).sum();
            let one_more: usize = tables.iter().map(|table| table.rows.max(table.width)).sum();
            for rank in 0..ranks {
                prop_assert!(placement.elements(rank) as usize <= all / ranks + one_more);
            }
        }
    }

    #[test]
    fn a_field_is_never_cut_by_tables_and_the_fullest_rank_is_within_four_thirds_of_the_best(
        sizes in prop::collection::vec(1..40_usize, 1..9),
        ranks in 1..5_usize,
    ) {
        let placement = TablePlacement::new(&[table(sizes.clone(), 1)], ranks, TableSharding::TableWise).expect("any");
        let mut start = 0;
        for &rows in &sizes {
            let owner = placement.owner(0, start);
            prop_assert!((start..start + rows).all(|row| placement.owner(0, row) == owner && owner.is_some()));
            start += rows;
        }
        let fullest = (0..ranks).map(|rank| placement.elements(rank)).max().expect("ranks") as usize;
        // Graham, 1969: largest first is within 4/3 - 1/(3 ranks) of the best, which is at least the mean and the largest field.
        let best = best(&sizes, ranks);
        prop_assert!(3 * ranks * fullest <= (4 * ranks - 1) * best, "{fullest} {best}");
    }
}

/// The smallest maximum over all ways to hand out the sizes.
fn best(sizes: &[usize], ranks: usize) -> usize {
    fn hand_out(sizes: &[usize], held: &mut Vec<usize>) -> usize {
        let Some((&first, rest)) = sizes.split_first() else { return held.iter().copied().max().unwrap_or(0) };
        let ways = (0..held.len()).map(|rank| {
            held[rank] += first;
            let most = hand_out(rest, held);
            held[rank] -= first;
            most
        });
        ways.min().unwrap_or(0)
    }
    hand_out(sizes, &mut vec![0; ranks])
}

#[test]
fn fields_go_to_whoever_holds_least_and_a_rank_may_hold_nothing() {
    let placement = TablePlacement::new(&[table(vec![2, 9, 3, 4], 2)], 2, TableSharding::TableWise).unwrap();
    assert_eq!([0, 2, 11, 14].map(|row| placement.owner(0, row)), [Some(1), Some(0), Some(1), Some(1)]);
    assert_eq!([0, 1].map(|rank| placement.elements(rank)), [18, 18]);
    // Neighbours on one rank are one piece.
    assert_eq!(placement.pieces(1).iter().map(|piece| piece.rows.clone()).collect::<Vec<_>>(), [0..2, 11..18]);
    let few = TablePlacement::new(&[TableShape::whole(5, 2)], 3, TableSharding::TableWise).unwrap();
    assert_eq!([0, 1, 2].map(|rank| few.elements(rank)), [10, 0, 0]);
    let few = TablePlacement::new(&[TableShape::whole(2, 2)], 3, TableSharding::RowWise).unwrap();
    assert_eq!([0, 1, 2].map(|rank| few.elements(rank)), [2, 2, 0]);
}

#[test]
fn too_few_columns_are_refused_with_the_number_that_works() {
    let tables = [TableShape::whole(9, 8), TableShape::whole(9, 1)];
    let error = TablePlacement::new(&tables, 2, TableSharding::ColumnWise).expect_err("one column");
    assert_eq!(error, PlanError::TooFewColumns { table: 1, columns: 1, ranks: 2 });
    let told =
        "table 1 has 1 column, too few for 2 ranks that divide columns: use 1 rank, or strategy.tables = \"row-wise\"";
    assert_eq!(error.to_string(), told);
    let error = TablePlacement::new(&tables[..1], 9, TableSharding::ColumnWise).expect_err("eight columns");
    assert!(error.to_string().contains("has 8 columns, too few for 9 ranks"), "{error}");
    assert!(error.to_string().contains("use 8 ranks or fewer, or strategy.tables = \"row-wise\""), "{error}");
    assert!(TablePlacement::new(&tables, 1, TableSharding::ColumnWise).is_ok());
    let error = TablePlacement::new(&tables, 0, TableSharding::RowWise).expect_err("no rank");
    assert_eq!(error, PlanError::Zero { what: "strategy.ranks" });
    let odd = TableShape { rows: 9, width: 1, fields: vec![4, 4] };
    let error = TablePlacement::new(&[odd], 1, TableSharding::RowWise).expect_err("a row without a field");
    assert_eq!(error, PlanError::Fields { table: 0, placed: 8, rows: 9 });
}

#[test]
fn traffic_is_what_is_looked_up_and_not_held_times_two() {
    // 4 ranks, 4 equal fields of 16 columns, 100 places a rank: 3/4 of them are elsewhere, 64 bytes each, there and back.
    let shape = table(vec![50; 4], 16);
    for sharding in TableSharding::ALL {
        let placement = TablePlacement::new(std::slice::from_ref(&shape), 4, sharding).unwrap();
        for rank in 0..4 {
            let sent = placement.traffic(rank, &vec![vec![100]; 4], &[1.0]);
            assert_eq!((sent.fetched, sent.given_back), (4800, 4800), "{sharding:?}");
        }
    }
    // Only the first stage of a pipeline looks up: it fetches nothing for others and gives back everything.
    let placement = TablePlacement::new(std::slice::from_ref(&shape), 2, TableSharding::ColumnWise).unwrap();
    let wanted = [vec![100], vec![0]];
    let [first, second] = [0, 1].map(|rank| placement.traffic(rank, &wanted, &[1.0]));
    assert_eq!((first.fetched, first.given_back), (0, 3200));
    assert_eq!((second.fetched, second.given_back), (3200, 0));
    // A bag of two rows of a field has one on each of two ranks that divide it more often than not: 3/4 of them touch a rank.
    let bags = |shape: TableShape| {
        let placement = TablePlacement::new(&[shape], 2, TableSharding::RowWise).unwrap();
        placement.traffic(0, &[vec![100], vec![100]], &[2.0]).total()
    };
    assert_eq!(bags(TableShape::whole(200, 16)), 2 * 4800);
    // The rows of a bag are of one field: where each field is on one rank, half of the places are, whatever their bags hold.
    assert_eq!(bags(shape), 2 * 3200);
}
