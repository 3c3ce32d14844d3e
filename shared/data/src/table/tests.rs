//! Laws of tables: what is written is read back bit for bit; what cannot be read is one clear error.

use std::sync::Arc;

use arrow_array::types::{Int8Type, UInt32Type};
use arrow_array::*;
use arrow_buffer::i256;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;
use recspeed_types::spec::{DataFormat, FitOn, Split, SplitPlan};

use super::*;
use crate::moment::EpochUnit;
use crate::{InteractionsBuilder, generate, read_ratings};

fn read(bytes: &[u8]) -> Result<ReadOutcome, ReadError> {
    read_arrow(bytes, &ColumnNames::default(), ReadLimits::default())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

fn file(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).expect("memory");
    writer.write(batch).expect("memory");
    writer.finish().expect("memory");
    drop(writer);
    bytes
}

fn stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).expect("memory");
    writer.write(batch).expect("memory");
    writer.finish().expect("memory");
    drop(writer);
    bytes
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn three() -> RecordBatch {
    batch(vec![
        ("junk", text(&["x", "y", "z"])),
        ("Timestamp", Arc::new(Int64Array::from(vec![10, 20, 30]))),
        ("item_id", Arc::new(Int32Array::from(vec![7, 8, 7]))),
        ("user_id", text(&["b", "a", "b"])),
        ("Rating", Arc::new(Float64Array::from(vec![1.5, 2.0, -0.0]))),
    ])
}

fn check_three(data: &Interactions) {
    assert_eq!(data.users.iter().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(data.items.iter().collect::<Vec<_>>(), ["7", "8"]);
    assert_eq!((&data.user[..], &data.item[..]), (&[0, 1, 0][..], &[0, 1, 0][..]));
    assert_eq!((&data.rating[..], &data.timestamp[..]), (&[1.5, 2.0, 0.0][..], &[10, 20, 30][..]));
    assert!(data.rating[2].is_sign_negative() && data.has_ratings && data.has_timestamps);
}

#[test]
fn columns_are_found_by_their_usual_names_in_any_order_in_files_and_streams() {
    check_three(&read(&file(&three())).expect("a file").interactions);
    check_three(&read(&stream(&three())).expect("a stream").interactions);
}

#[test]
fn times_finer_than_a_nanosecond_are_counted() {
    let cut = |time: ArrayRef| {
        let columns = [("user", text(&["a", "a", "b"])), ("item", text(&["i", "j", "i"])), ("time", time)];
        read(&file(&batch(columns.to_vec()))).expect("a file").report.cut_times
    };
    assert_eq!(cut(Arc::new(TimestampNanosecondArray::from(vec![-1, 86_400_999, 86_400_000]))), 0);
    assert_eq!(cut(Arc::new(Float64Array::from(vec![0.123_456_789_01, 86_400.9, 86_400.0]))), 1);
    assert_eq!(cut(Arc::new(Float32Array::from(vec![0.1, 0.25, 86_400.0]))), 0);
    assert_eq!(cut(Arc::new(Int32Array::from(vec![-1, 86_400, 86_400]))), 0);
}

#[test]
fn floating_point_times_are_read_as_a_text_of_them_is() {
    let seconds = [978_300_760.123, -0.75, 1_404_691_200.000_000_2];
    let table = of_one_user(Arc::new(Float64Array::from(seconds.to_vec())));
    let lines: Vec<String> = seconds.iter().zip(["a", "b", "c"]).map(|(time, i)| format!("u,{i},1,{time}\n")).collect();
    let text = read_ratings(DataFormat::AmazonCsv, lines.concat().as_bytes(), ReadLimits::default()).expect("a text");
    let table = read(&file(&table)).expect("a table");
    assert_eq!(table.interactions.fraction, text.interactions.fraction);
    assert_eq!(table.interactions.timestamp, text.interactions.timestamp);
    assert_eq!(table.interactions.fraction[..2], [123_000_000, 250_000_000]);
}

#[test]
fn a_name_that_is_given_counts_before_the_usual_ones() {
    let table = batch(vec![("user", text(&["a"])), ("who", text(&["b"])), ("item", text(&["i"]))]);
    let names = ColumnNames { user: Some("who".to_owned()), ..ColumnNames::default() };
    let data = read_arrow(&file(&table), &names, ReadLimits::default()).expect("a file").interactions;
    assert_eq!(data.users.get(0), "b");
    assert_eq!((data.rating[0], data.timestamp[0], data.has_ratings, data.has_timestamps), (1.0, 0, false, false));
    let names = ColumnNames { rating: Some("stars".to_owned()), ..ColumnNames::default() };
    let error = read_arrow(&file(&table), &names, ReadLimits::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the table has no column `stars`; it has `user`, `who`, `item`; name the right one as dataset.columns.rating"
    );
}

#[test]
fn a_missing_column_and_a_wrong_type_name_what_is_there() {
    let error = read(&file(&batch(vec![("a", text(&["x"])), ("item", text(&["i"]))]))).unwrap_err().to_string();
    assert!(error.starts_with("the table has no column that is named like a user; it has `a`, `item`;"), "{error}");
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let error = read(&file(&batch(vec![("user", floats), ("item", text(&["i"]))]))).unwrap_err().to_string();
    assert_eq!(
        error,
        "the column `user` holds Float64, but user must be text or whole numbers; convert it, or name another as \
         dataset.columns.user"
    );
    let rated = vec![("user", text(&["u"])), ("item", text(&["i"])), ("rating", text(&["5"]))];
    let error = read(&file(&batch(rated))).unwrap_err().to_string();
    assert!(error.starts_with("the column `rating` holds Utf8, but rating must be numbers;"), "{error}");
}

#[test]
fn every_usual_type_of_ids_ratings_and_times_is_read() {
    let ids: Vec<ArrayRef> = vec![
        text(&["1", "2", "1"]),
        Arc::new(LargeStringArray::from(vec!["1", "2", "1"])),
        Arc::new(StringViewArray::from(vec!["1", "2", "1"])),
        Arc::new(UInt64Array::from(vec![1, 2, 1])),
        Arc::new(Int8Array::from(vec![1, 2, 1])),
        Arc::new(vec!["1", "2", "1"].into_iter().collect::<DictionaryArray<UInt32Type>>()),
        Arc::new(vec!["1", "2", "1"].into_iter().collect::<DictionaryArray<Int8Type>>()),
    ];
    let ratings: Vec<ArrayRef> = vec![
        Arc::new(Float32Array::from(vec![1.0, 0.0, 1.0])),
        Arc::new(Int16Array::from(vec![1, 0, 1])),
        Arc::new(UInt64Array::from(vec![1, 0, 1])),
        Arc::new(BooleanArray::from(vec![true, false, true])),
    ];
    let times: Vec<ArrayRef> = vec![
        Arc::new(TimestampMillisecondArray::from(vec![-1, 86_400_999, 86_400_000])),
        Arc::new(TimestampNanosecondArray::from(vec![-1, 86_400_000_000_001, 86_400_000_000_000]).with_timezone("UTC")),
        Arc::new(Float64Array::from(vec![-1.0, 86_400.9, 86_400.0])),
        Arc::new(Int32Array::from(vec![-1, 86_400, 86_400])),
    ];
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 1]));
    for id in &ids {
        for rating in &ratings {
            for time in &times {
                let columns = vec![("user", Arc::clone(id)), ("item", Arc::clone(id)), ("rating", Arc::clone(rating))];
                let table = batch(columns.into_iter().chain([("time", Arc::clone(time))]).collect());
                let data = read(&file(&table)).unwrap_or_else(|error| panic!("{:?}: {error}", table.schema()));
                let data = data.interactions;
                assert_eq!(data.users.iter().collect::<Vec<_>>(), ["1", "2"]);
                assert_eq!((data.rating, data.timestamp), (vec![1.0, 0.0, 1.0], vec![-1, 86_400, 86_400]));
            }
        }
    }
    let table = batch(vec![("user", Arc::clone(&ids[0])), ("item", Arc::clone(&ids[0])), ("date", days)]);
    assert_eq!(read(&file(&table)).expect("days").interactions.timestamp, [0, 86_400, 86_400]);
    let seconds = DataType::Timestamp(TimeUnit::Second, None);
    assert!(columns::find(&Schema::new(vec![Field::new("user", seconds, true)]), &ColumnNames::default()).is_err());
}

#[test]
fn a_decimal_is_read_as_a_text_with_its_digits_and_a_time_with_its_part_of_a_second() {
    // The third is halfway between two numbers of 32 bits.
    let lines = "u,i0,4.25\nu,i1,0.10\nu,i2,4194304.25\nu,i3,-5.00\n";
    let expected = read_ratings(DataFormat::AmazonCsv, lines.as_bytes(), ReadLimits::default()).expect("a text");
    let hundredths = [425i32, 10, 419_430_425, -500];
    let of_32 = Decimal32Array::from(hundredths.to_vec());
    let of_64 = Decimal64Array::from(hundredths.map(i64::from).to_vec());
    let of_128 = Decimal128Array::from(hundredths.map(i128::from).to_vec());
    let of_256 = Decimal256Array::from(hundredths.map(|number| i256::from_i128(number.into())).to_vec());
    let ratings: [ArrayRef; 4] = [
        Arc::new(of_32.with_precision_and_scale(9, 2).expect("nine digits")),
        Arc::new(of_64.with_precision_and_scale(10, 2).expect("ten digits")),
        Arc::new(of_128.with_precision_and_scale(38, 2).expect("as most databases write them")),
        Arc::new(of_256.with_precision_and_scale(76, 2).expect("as many as there are")),
    ];
    // The third second is none of 64-bit floats.
    let hundredths = [136_969_920_099i64, -50, 900_719_925_474_099_300, 700];
    let of_64 = Decimal64Array::from(hundredths.to_vec());
    let of_128 = Decimal128Array::from(hundredths.map(i128::from).to_vec());
    let times: [ArrayRef; 2] = [
        Arc::new(of_64.with_precision_and_scale(18, 2).expect("eighteen digits")),
        Arc::new(of_128.with_precision_and_scale(38, 2).expect("as most databases write them")),
    ];
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    for rating in &ratings {
        for time in &times {
            let table = batch(vec![
                ("user", text(&["u"; 4])),
                ("item", text(&["i0", "i1", "i2", "i3"])),
                ("rating", Arc::clone(rating)),
                ("time", Arc::clone(time)),
            ]);
            let data = read(&file(&table)).unwrap_or_else(|error| panic!("{:?}: {error}", table.schema())).interactions;
            assert_eq!(bits(&data.rating), bits(&expected.interactions.rating), "{:?}", rating.data_type());
            assert_eq!(data.timestamp, [1_369_699_200, -1, 9_007_199_254_740_993, 7]);
            assert_eq!(data.fraction, [990_000_000, 500_000_000, 0, 0]);
        }
    }
}

/// Three rows of one user at these times.
fn of_one_user(times: ArrayRef) -> RecordBatch {
    batch(vec![("user", text(&["u"; 3])), ("item", text(&["a", "b", "c"])), ("time", times)])
}

#[test]
fn times_within_one_second_hold_the_newest_row_out_and_come_back_bit_for_bit() {
    let plan = SplitPlan { split: Split::LeaveLastOut { validation: false }, fit_on: FitOn::Train };
    let day = 86_400;
    let units: [(ArrayRef, EpochUnit, [u32; 3]); 4] = [
        (
            Arc::new(TimestampMillisecondArray::from(vec![day * 1_000 + 3, day * 1_000 + 1, day * 1_000 + 2])),
            EpochUnit::Milliseconds,
            [3_000_000, 1_000_000, 2_000_000],
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![day * 1_000_000 + 3, day * 1_000_000 + 1, day * 1_000_000])),
            EpochUnit::Microseconds,
            [3_000, 1_000, 0],
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![
                day * 1_000_000_000 + 2,
                day * 1_000_000_000,
                day * 1_000_000_000 + 1,
            ])),
            EpochUnit::Nanoseconds,
            [2, 0, 1],
        ),
        (
            Arc::new(Float64Array::from(vec![86_400.75, 86_400.25, 86_400.5])),
            EpochUnit::Milliseconds,
            [750_000_000, 250_000_000, 500_000_000],
        ),
    ];
    for (times, unit, fraction) in units {
        let data = read(&file(&of_one_user(times))).expect("a table").interactions;
        assert_eq!((&data.timestamp[..], &data.fraction[..]), (&[day; 3][..], &fraction[..]));
        assert_eq!(crate::split(&data, &plan, 1).expect("three rows").test, [0], "{unit:?}");
        assert!(data.lacks_times().is_none(), "they differ");
        assert_eq!(EpochUnit::of_fractions(&data.fraction), unit);
        let mut bytes = Vec::new();
        write_arrow(&data, &[], &mut bytes).expect("memory");
        assert_eq!(read(&bytes).expect("its own file").interactions, data, "{unit:?}");
    }
}

#[test]
fn a_time_that_its_unit_cannot_hold_is_not_written_as_another() {
    let data =
        read(&file(&of_one_user(Arc::new(Float64Array::from(vec![1e15, 0.000_000_001, 7.0]))))).expect("a table");
    assert_eq!(data.interactions.fraction, [0, 1, 0]);
    let error = write_arrow(&data.interactions, &[], Vec::new()).unwrap_err().to_string();
    assert!(error.contains("the time 1000000000000000 of row 0 is too far from 1970"), "{error}");
}

#[test]
fn numbers_that_are_microseconds_by_their_size_are_read_as_such_except_in_a_table_of_the_labs_own() {
    let times = [1_404_691_200_000_003i64, 1_404_691_200_000_001, 1_369_699_200_000_000];
    let outcome = read(&file(&of_one_user(Arc::new(Int64Array::from(times.to_vec()))))).expect("a table");
    assert_eq!(outcome.report.times_in, Some(EpochUnit::Microseconds));
    assert_eq!(outcome.interactions.timestamp, [1_404_691_200, 1_404_691_200, 1_369_699_200]);
    assert_eq!(outcome.interactions.fraction, [3_000, 1_000, 0]);
    let far = Interactions { timestamp: times.to_vec(), fraction: Vec::new(), ..outcome.interactions };
    let mut bytes = Vec::new();
    write_arrow(&far, &[], &mut bytes).expect("memory");
    let back = read(&bytes).expect("its own file");
    assert_eq!((back.interactions, back.report.times_in), (far, None));
    // A type of times says its unit: far away is where these are.
    let typed = read(&file(&of_one_user(Arc::new(TimestampMillisecondArray::from(times.to_vec()))))).expect("a table");
    assert_eq!(typed.interactions.timestamp, [1_404_691_200_000, 1_404_691_200_000, 1_369_699_200_000]);
    assert_eq!((&typed.interactions.fraction[..], typed.report.times_in), (&[3_000_000, 1_000_000, 0][..], None));
}

#[test]
fn rows_with_gaps_are_bad_rows_and_leave_no_trace() {
    let table = batch(vec![
        ("user", Arc::new(StringArray::from(vec![None, Some("a"), Some(""), Some("b"), Some("c")]))),
        ("item", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4), Some(5)]))),
        ("rating", Arc::new(Float32Array::from(vec![Some(1.0), Some(1.0), Some(1.0), Some(f32::NAN), Some(2.0)]))),
    ]);
    let limits = ReadLimits { max_bad_share: 0.9, ..ReadLimits::default() };
    let outcome = read_arrow(&file(&table), &ColumnNames::default(), limits).expect("one good row");
    assert_eq!(outcome.interactions.users.iter().collect::<Vec<_>>(), ["c"]);
    assert_eq!((outcome.report.lines, outcome.report.rows, outcome.report.bad_lines), (5, 1, 4));
    let said: Vec<String> = outcome.report.shown.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "line 1: has no user",
            "line 2: has no item",
            "line 3: the user id is empty",
            "line 4: the rating is `NaN`, not a finite number"
        ]
    );
    let error = read(&file(&table)).unwrap_err().to_string();
    assert!(
        error.starts_with("4 of 5 data lines (80.0 %) are bad, allowed are 1 %; first line 1: has no user"),
        "{error}"
    );
    let none = batch(vec![("user", text(&[])), ("item", text(&[]))]);
    assert!(matches!(read(&file(&none)), Err(ReadError::NoRows { .. })));
}

#[test]
fn a_table_over_the_limit_is_refused_before_it_is_held() {
    let mut rows = InteractionsBuilder::default();
    for row in 0..10_000 {
        rows.push(&format!("u{row}"), "i", 1.0, row);
    }
    let mut bytes = Vec::new();
    write_arrow(&rows.finish(), &[], &mut bytes).expect("memory");
    let limits = ReadLimits { max_inflated_bytes: 1000, ..ReadLimits::default() };
    let error = read_arrow(&bytes, &ColumnNames::default(), limits).unwrap_err();
    assert!(matches!(error, ReadError::TableTooLarge { limit: 1000, .. }), "{error}");
}

#[test]
fn a_file_cut_off_or_changed_anywhere_is_an_error_or_other_data_but_never_a_panic() {
    let data = generate(recspeed_types::builtin::find("beauty-synthetic-10k").expect("built in"), 3).interactions;
    let few = data.subset(&(0..50).collect::<Vec<_>>());
    let mut whole = Vec::new();
    write_arrow(&few, &[], &mut whole).expect("memory");
    for end in (0..whole.len()).step_by(7) {
        assert!(read(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
    }
    let streamed = stream(&three());
    for bytes in [&whole, &streamed] {
        for at in 0..bytes.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= bit;
                let _ = read(&damaged);
            }
        }
    }
    for rubbish in
        [&b""[..], b"ARROW1", b"ARROW1\0\0ARROW1", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"text"]
    {
        assert!(read(rubbish).is_err());
    }
}

#[test]
fn the_built_in_data_come_back_bit_for_bit() {
    let data = generate(recspeed_types::builtin::find("beauty-synthetic-10k").expect("built in"), 3).interactions;
    let data = data.subset(&(0..data.len() as u32).collect::<Vec<_>>());
    let predictions: Vec<f32> = (0..data.len()).map(|row| row as f32).collect();
    let mut bytes = Vec::new();
    write_arrow(&data, &[("prediction", &predictions)], &mut bytes).expect("memory");
    assert_eq!(read(&bytes).expect("its own file").interactions, data);
    assert!(write_arrow(&data, &[("prediction", &[1.0])], Vec::new()).is_err());
}

fn interactions() -> impl Strategy<Value = Interactions> {
    let finite = any::<f32>().prop_filter("finite", |r| r.is_finite());
    let row = ("[a-c]{1,2}|é|\n", "[x-z]{1,2}", finite, any::<i64>(), 0u32..1_000_000_000);
    let step = prop_oneof![Just(1_000_000_000u32), Just(1_000_000), Just(1_000), Just(1)];
    let rows = proptest::collection::vec(row, 1..40);
    (rows, step, any::<bool>(), any::<bool>()).prop_map(|(rows, step, rated, timed)| {
        let (mut builder, mut fraction) = (InteractionsBuilder::default(), Vec::new());
        for (user, item, rating, timestamp, nanos) in rows {
            // Whole seconds may be anywhere, others where nanoseconds reach.
            let whole = step == 1_000_000_000;
            builder.push(&user, &item, rating, if whole { timestamp } else { timestamp % 9_000_000_000 });
            fraction.push(nanos - nanos % step);
        }
        if fraction.iter().all(|&nanos| nanos == 0) {
            fraction.clear();
        }
        Interactions { fraction, has_ratings: rated, has_timestamps: timed, ..builder.finish() }
    })
}

proptest! {
    #[test]
    fn interactions_come_back_bit_for_bit(data in interactions()) {
        let mut bytes = Vec::new();
        write_arrow(&data, &[], &mut bytes).expect("memory");
        let back = read(&bytes).expect("its own file").interactions;
        let bits = |data: &Interactions| data.rating.iter().map(|r| r.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back), bits(&data));
        prop_assert_eq!(back, data);
    }
}
