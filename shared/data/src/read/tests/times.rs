//! Laws of times: their order within a second, their unit, and what is told of them.

use recspeed_types::spec::{DataFormat, FitOn, Split, SplitPlan};

use super::{ReadOutcome, read};
use crate::EpochUnit;

const PLAN: SplitPlan = SplitPlan { split: Split::LeaveLastOut { validation: false }, fit_on: FitOn::Train };

fn warnings(text: &str) -> Vec<String> {
    let ReadOutcome { interactions, report } = read(DataFormat::AmazonCsv, text).expect(text);
    report.warnings_of_times(&interactions)
}

#[test]
fn parts_of_a_second_order_the_rows_of_one_second() {
    let text = "user_id:token\titem_id:token\ttimestamp:float\nu\ta\t978300760.75\nu\tb\t978300760.25\nu\tc\t9.783e8\n";
    let data = read(DataFormat::Recbole, text).expect("a header").interactions;
    assert_eq!(data.timestamp, [978_300_760, 978_300_760, 978_300_000]);
    assert_eq!(data.fraction, [750_000_000, 250_000_000, 0]);
    assert_eq!(crate::split(&data, &PLAN, 1).expect("three rows").test, [0]);
    // Times between 0 and 1, as scaled ones are, are times that differ.
    let scaled = "user_id:token\titem_id:token\ttimestamp:float\nu\ta\t0.75\nu\tb\t.25\nu\tc\t5e-1\n";
    let scaled = read(DataFormat::Recbole, scaled).expect("a header").interactions;
    assert_eq!(scaled.fraction, [750_000_000, 250_000_000, 500_000_000]);
    assert!(scaled.has_order() && scaled.lacks_times().is_none());
    assert_eq!(crate::split(&scaled, &PLAN, 1).expect("three rows").test, [0]);
    let whole = text.replace(".75", ".0").replace(".25", "");
    assert!(read(DataFormat::Recbole, whole).expect("a header").interactions.fraction.is_empty());
}

#[test]
fn times_in_milliseconds_are_read_as_such_and_told() {
    let rows = "u,a,5,1404691200123\nu,b,4,1404691200007\nv,a,3,1369699200000\n";
    let outcome = read(DataFormat::AmazonCsv, rows).expect(rows);
    assert_eq!(outcome.interactions.timestamp, [1_404_691_200, 1_404_691_200, 1_369_699_200]);
    assert_eq!(outcome.interactions.fraction, [123_000_000, 7_000_000, 0]);
    assert_eq!(outcome.report.times_in, Some(EpochUnit::Milliseconds));
    let told = warnings(rows);
    assert!(matches!(&told[..], [one] if one.starts_with("the times are read as milliseconds since 1970")), "{told:?}");
    // As milliseconds, too, a few may be far away.
    let told = warnings(&format!("{rows}w,a,3,99999999999999\n"));
    assert!(
        matches!(&told[..], [_, far] if far.starts_with("1 of 4 rows have times after the year 2099, read as milliseconds")),
        "{told:?}"
    );
}

#[test]
fn a_few_times_far_away_are_seconds_all_the_same_and_told() {
    for rows in
        ["u,i,5,1404691200\nu,j,4,99999999999999\nv,i,3,1369699200\n", "u,i,5,1577836800000\nu,j,5,1577836801\n"]
    {
        let outcome = read(DataFormat::AmazonCsv, rows).expect(rows);
        assert_eq!(outcome.report.times_in, None);
        let told = outcome.report.warnings_of_times(&outcome.interactions);
        let due = format!("1 of {} rows have times after the year 2099, read as seconds", outcome.report.rows);
        assert!(matches!(&told[..], [one] if one.starts_with(&due)), "{told:?}");
    }
    assert_eq!(warnings("u,i,5\nu,j,5\n"), [""; 0], "no times, nothing wrong with them");
}

#[test]
fn rows_that_a_unit_puts_before_1995_are_counted_and_told_as_those_after_2099_are() {
    // A third of the rows in the other unit, each way round; users do not matter.
    let rows = |most: &str, few: &str| {
        let row = |row: u32| {
            format!("u{row},i,5,14046912{:02}{}\n", row % 100, if row.is_multiple_of(3) { few } else { most })
        };
        (0..480).map(row).collect::<Vec<_>>().concat()
    };
    let told = warnings(&rows("000", ""));
    let due = "160 of 480 rows have times before the year 1995, read as milliseconds since 1970";
    assert!(
        matches!(&told[..], [unit, early] if unit.starts_with("the times are read as milliseconds")
            && early.starts_with(due)),
        "{told:?}"
    );
    let told = warnings(&rows("", "000"));
    let due = "160 of 480 rows have times after the year 2099, read as seconds since 1970";
    assert!(matches!(&told[..], [far] if far.starts_with(due)), "{told:?}");
    // Of one finer unit none lies outside; whole seconds may be counters, and are not told to be early.
    assert_eq!(warnings(&rows("000", "000")).len(), 1);
    assert_eq!(warnings("u,i,5,1\nu,j,4,2\nv,i,3,1404691200\n"), [""; 0]);
}

#[test]
fn only_what_is_finer_than_a_nanosecond_is_lost_counted_and_told() {
    assert_eq!(warnings("u,i,5,1577836800.9\nu,j,5,1577836800.5\nu,k,5,1577836800.123456789\n"), [""; 0]);
    let cut = warnings("u,i,5,0.12345678901\nu,j,5,0.12345678902\nu,k,5,0.5\n");
    assert!(matches!(&cut[..], [one] if one.starts_with("2 of 3 rows have times finer than a nanosecond")), "{cut:?}");
}
