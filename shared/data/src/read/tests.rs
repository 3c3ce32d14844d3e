//! Laws of the readers, and every kind of file that is not as it should be.

// Test files of some thousand lines: clarity before speed.
#![allow(clippy::format_collect)]

mod bad_lines;
mod packed;
mod times;

use std::io::Write;

use proptest::prelude::*;
use recspeed_types::Instead;
use recspeed_types::limits::MAX_LINE_BYTES;

use super::layout::Layout;
use super::*;
use crate::InteractionsBuilder;
use crate::moment::Fractions;

const AMAZON: &str =
    "UserId,ProductId,Rating,Timestamp,\r\nA1,B1,5,1369699200,\r\nA2,B1,3,1355443200,\r\nA1,B2,4.5,1404691200,\r\n";

fn read(format: DataFormat, text: impl AsRef<[u8]>) -> Result<ReadOutcome, ReadError> {
    read_ratings(format, text.as_ref(), ReadLimits::default())
}

fn tolerant(format: DataFormat, text: impl AsRef<[u8]>) -> ReadOutcome {
    read_ratings(format, text.as_ref(), ReadLimits { max_bad_share: 1.0, ..ReadLimits::default() })
        .expect("some good lines")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

fn ids(dictionary: &crate::Dictionary) -> Vec<&str> {
    dictionary.iter().collect()
}

fn check_amazon(data: &Interactions) {
    assert_eq!(ids(&data.users), ["A1", "A2"]);
    assert_eq!(ids(&data.items), ["B1", "B2"]);
    assert_eq!((&data.user[..], &data.item[..]), (&[0, 1, 0][..], &[0, 0, 1][..]));
    assert_eq!(data.rating, [5.0, 3.0, 4.5]);
    assert_eq!(data.timestamp, [1_369_699_200, 1_355_443_200, 1_404_691_200]);
    assert!(data.has_ratings && data.has_timestamps);
}

#[test]
fn amazon_files_read_with_and_without_header_trailing_comma_and_windows_ends() {
    let unix = AMAZON.replace('\r', "");
    let body = unix.split_once('\n').expect("a header").1;
    for text in [
        AMAZON,
        &unix,
        body,
        &body.replace(",\n", "\n"),
        body.trim_end(),
        &format!("\u{feff}{AMAZON}"),
        &AMAZON.replacen("200,", "200,Delete", 2),
    ] {
        check_amazon(&read(DataFormat::AmazonCsv, text).expect(text).interactions);
    }
}

#[test]
fn a_gzip_file_reads_as_its_content() {
    let outcome = read(DataFormat::AmazonCsv, gzip(AMAZON.as_bytes())).expect("a whole file");
    check_amazon(&outcome.interactions);
    let two_members = [gzip(&AMAZON.as_bytes()[..50]), gzip(&AMAZON.as_bytes()[50..])].concat();
    check_amazon(&read(DataFormat::AmazonCsv, two_members).expect("two members").interactions);
}

#[test]
fn movielens_files_read_by_tabs_double_colons_and_commas() {
    let tabs = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n";
    let colons = tabs.replace('\t', "::");
    let commas = format!("userId,movieId,rating,timestamp\n{}", tabs.replace('\t', ","));
    let first = read(DataFormat::Movielens, tabs).expect("u.data").interactions;
    assert_eq!(ids(&first.users), ["196", "186"]);
    assert_eq!((first.rating.clone(), first.timestamp.clone()), (vec![3.0, 3.0], vec![881_250_949, 891_717_742]));
    for text in [colons, commas] {
        assert_eq!(read(DataFormat::Movielens, &text).expect(&text).interactions, first);
    }
}

#[test]
fn files_without_times_read_as_those_with_times_do_and_have_neither_times_nor_an_order() {
    let rows = "u0,i8,4\nu1,i8,3.5\nu0,i9,1\n";
    let headed = format!("user,item,rating\n{rows}");
    let first = read(DataFormat::AmazonCsv, rows).expect(rows);
    let data = &first.interactions;
    assert_eq!((ids(&data.users), ids(&data.items)), (vec!["u0", "u1"], vec!["i8", "i9"]));
    assert_eq!((&data.rating[..], &data.timestamp[..]), (&[4.0, 3.5, 1.0][..], &[0, 0, 0][..]));
    assert!(data.has_ratings && !data.has_timestamps && !data.has_order());
    assert_eq!((first.report.rows, first.report.bad_lines), (3, 0));
    for (format, text) in [
        (DataFormat::AmazonCsv, headed.clone()),
        (DataFormat::AmazonCsv, rows.replace('\n', ",\r\n")),
        (DataFormat::Movielens, headed),
        (DataFormat::Movielens, rows.replace(',', "\t")),
        (DataFormat::Movielens, rows.replace(',', "::")),
    ] {
        assert_eq!(&read(format, &text).expect(&text).interactions, data, "{text}");
    }
}

#[test]
fn what_most_of_the_first_lines_have_is_what_a_file_has_and_the_other_lines_are_bad() {
    let (with, without) = ("u,i,5,1\n", "u,i,5\n");
    let times = tolerant(DataFormat::AmazonCsv, format!("{without}{}", with.repeat(9)));
    assert!(times.interactions.has_timestamps);
    assert_eq!(times.report.shown, [BadLine { line: 1, reason: "4 columns expected, found 3".into() }]);
    let none = tolerant(DataFormat::AmazonCsv, format!("{with}{}", without.repeat(9)));
    assert!(!none.interactions.has_timestamps);
    assert_eq!(none.report.shown, [BadLine { line: 1, reason: "3 columns expected, found 4".into() }]);
}

#[test]
fn where_no_line_can_be_read_nobody_is_told_to_allow_more_bad_lines() {
    for max_bad_share in [0.01, 1.0] {
        let limits = ReadLimits { max_bad_share, ..ReadLimits::default() };
        let error = read_ratings(DataFormat::AmazonCsv, b"a b\nc d\n", limits).unwrap_err();
        let what = "not one of 2 data lines can be read; first line 1: 4 columns expected, found 1; line 2: 4 columns \
                    expected, found 1";
        assert_eq!(error.to_string(), format!("{what}; correct them, or check the format"));
        assert_eq!(error.without_remedy(), what);
    }
}

#[test]
fn recbole_files_read_by_the_names_in_their_header() {
    let text =
        "timestamp:float\tsession:token\titem_id:token\tuser_id:token\n881250949.0\ts\ti1\tu1\n8.8e8\ts\ti2\tu1\n";
    let data = read(DataFormat::Recbole, text).expect("a header").interactions;
    assert_eq!((ids(&data.users), ids(&data.items)), (vec!["u1"], vec!["i1", "i2"]));
    assert_eq!(data.timestamp, [881_250_949, 880_000_000]);
    assert_eq!(data.rating, [1.0, 1.0]);
    assert!(!data.has_ratings && data.has_timestamps);
}

#[test]
fn sequences_read_oldest_first_with_rating_one() {
    let data = read(DataFormat::Sequences, "u1 a b a\nu2  b\tc \r\n").expect("sequences").interactions;
    assert_eq!((ids(&data.users), ids(&data.items)), (vec!["u1", "u2"], vec!["a", "b", "c"]));
    assert_eq!((&data.user[..], &data.item[..]), (&[0, 0, 0, 1, 1][..], &[0, 1, 0, 1, 2][..]));
    assert_eq!(data.timestamp, [0, 1, 2, 0, 1]);
    assert!(data.rating.iter().all(|&r| r == 1.0) && !data.has_ratings && !data.has_timestamps);
}

#[test]
fn attributes_read_by_their_types() {
    let text = "item_id:token\ttitle:token\tclass:token_seq\tprice:float\tvector:float_seq\n1\tToy Story\tAnimation Comedy\t1.5\t1 2\n2\tHeat\t\t\t\n";
    let table = read_attributes(text.as_bytes()).expect("a header").attributes;
    assert_eq!(ids(&table.ids), ["1", "2"]);
    let Some(crate::AttributeValues::TokenSeq { vocabulary, indptr, words }) = table.column("class") else { panic!() };
    assert_eq!((ids(vocabulary), &indptr[..], &words[..]), (vec!["Animation", "Comedy"], &[0, 2, 2][..], &[0, 1][..]));
    let Some(crate::AttributeValues::Float(price)) = table.column("price") else { panic!() };
    assert!(price[0] == 1.5 && price[1].is_nan());
    let Some(crate::AttributeValues::FloatSeq { values, .. }) = table.column("vector") else { panic!() };
    assert_eq!(values[..], [1.0, 2.0]);
    let error = read_attributes(b"id,title\n1,x\n").unwrap_err().to_string();
    assert!(error.starts_with("line 1 is `id,title`; a RecBole attribute file begins with"), "{error}");
}

#[test]
fn an_id_that_occurs_twice_among_attributes_is_told_with_its_line() {
    let text = "item_id:token\ttitle:token\n1\tHeat\n2\tUp\n1\tHeat\n1\tAlien\nbad\n";
    let lines = (10..200).map(|id| format!("{id}\tx\n")).collect::<String>();
    let outcome = read_attributes((text.to_owned() + &lines).as_bytes()).expect("few bad lines");
    let report = &outcome.report;
    assert_eq!((report.repeated, report.differing, report.bad_lines, report.data_lines), (2, 1, 1, 195));
    let Some(crate::AttributeValues::Token { vocabulary, word }) = outcome.attributes.column("title") else { panic!() };
    assert_eq!(vocabulary.get(word[0]), "Heat", "the first one counts");
    assert_eq!(
        report.warnings("dataset.items"),
        [
            "2 of 195 lines of the file that dataset.items names have the id of an earlier line, whose values count; one of them says something else; the first is line 4, `1`",
            "Skipped as bad: 1 of 195 lines of the file that dataset.items names; the first is line 6: 2 columns expected, found 1"
        ]
    );
}

#[test]
fn each_kind_of_bad_line_is_named_with_its_number() {
    let mut text = b"u,i,1,1\n".to_vec();
    text.extend_from_slice(
        b"u,i,1\nu,i,1,1,1,1\nu,i,many,1\nu,i,NaN,1\nu,i,inf,1\nu,i,1,later\nu,i,1,1e30\n,i,1,1\nu,,1,1\n",
    );
    text.extend_from_slice(b"u\xff,i,1,1\nu\0,i,1,1\n");
    text.extend_from_slice(format!("{},i,1,1\n", "x".repeat(1025)).as_bytes());
    text.extend_from_slice(format!("u,i,1,1{}\n", " ".repeat(MAX_LINE_BYTES)).as_bytes());
    // The NUL would make a small file binary; a long good start leaves it a bad line.
    let padding = "u,i,1,1\n".repeat(10_000);
    let report = tolerant(DataFormat::AmazonCsv, [padding.as_bytes(), &text].concat()).report;
    let found: Vec<(u64, &str)> = report.shown.iter().map(|bad| (bad.line - 10_000, bad.reason.as_str())).collect();
    assert_eq!(
        found,
        [
            (2, "4 columns expected, found 3"),
            (3, "4 columns expected, found 6"),
            (4, "the rating is `many`, not a number"),
            (5, "the rating is `NaN`, not a finite number"),
            (6, "the rating is `inf`, not a finite number"),
            (7, "the timestamp is `later`, not a number"),
            (8, "the timestamp is `1e30`, outside the range of seconds since 1970"),
            (9, "the user id is empty"),
            (10, "the item id is empty"),
            (11, "is not UTF-8 text"),
            (12, "contains a NUL byte"),
            (13, "the user id has 1025 bytes, allowed are 1024"),
            (14, "has 65543 bytes, allowed are 65536"),
        ]
    );
    assert_eq!((report.rows, report.bad_lines, report.lines), (10_001, 13, 10_014));
}

#[test]
fn an_id_whose_quotation_mark_is_not_closed_is_a_bad_line_and_others_keep_theirs() {
    let good = ["12\" mix", "\"Heroes\" (1977)", "\"u1\"", "say \"x\"", "\"\""];
    let mut text: String = good.iter().map(|id| format!("{id},{id},4,7\n")).collect();
    text.push_str("\"u3,i2,4,4\nu3,\"i2,4,4\nu3,\"a \"\"long\"\" one that is open,4.25,4\n");
    let outcome = tolerant(DataFormat::AmazonCsv, text.clone());
    let (data, report) = (outcome.interactions, outcome.report);
    assert_eq!(data.users.iter().collect::<Vec<_>>(), good);
    assert_eq!(data.items.iter().collect::<Vec<_>>(), good);
    assert_eq!((report.rows, report.bad_lines), (5, 3));
    assert_eq!(
        report.shown[0].to_string(),
        "line 6: the user id `\"u3` begins with a quotation mark that nothing closes"
    );
    assert!(report.shown[1].reason.starts_with("the item id `\"i2` begins"), "{}", report.shown[1]);
    // Where tabs divide the columns nobody quotes.
    assert_eq!(tolerant(DataFormat::Movielens, text.replace(',', "\t")).report.bad_lines, 0);
}

#[test]
fn thirty_percent_bad_lines_fail_with_share_limit_and_the_first_of_them() {
    let text: String =
        (0..1000).map(|n| if n % 10 < 3 { "rubbish\n".into() } else { format!("u{n},i,5,1\n") }).collect();
    let error = read(DataFormat::AmazonCsv, format!("u,i,5,1\n{text}")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "300 of 1001 data lines (30.0 %) are bad, allowed are 1 %; first line 2: 4 columns expected, found 1; line 3: 4 \
         columns expected, found 1; line 4: 4 columns expected, found 1; correct them, check the format, or raise \
         dataset.max_bad_share"
    );
    let outcome = tolerant(DataFormat::AmazonCsv, text);
    assert_eq!((outcome.report.rows, outcome.report.bad_lines), (700, 300));
    assert_eq!(outcome.report.shown.len(), MAX_BAD_LINES_SHOWN);
}

#[test]
fn bad_lines_at_the_limit_are_tolerated() {
    let text = format!("{}bad\n", "u,i,5,1\n".repeat(99));
    let outcome = read(DataFormat::AmazonCsv, text).expect("1 % is allowed");
    assert_eq!(outcome.report.shown, [BadLine { line: 100, reason: "4 columns expected, found 1".into() }]);
}

#[test]
fn a_line_of_ten_million_characters_is_one_bad_line() {
    let text = format!("u1 i,5,1\n{}\nu2 i,5,1\n", "x".repeat(10_000_000));
    for format in [DataFormat::AmazonCsv, DataFormat::Sequences] {
        let text = if format == DataFormat::Sequences { text.clone() } else { text.replace(' ', ",") };
        let report = tolerant(format, text).report;
        let reason = "has 10000000 bytes, allowed are 65536".to_owned();
        assert_eq!(
            report,
            ReadReport {
                lines: 3,
                data_lines: 3,
                rows: 2,
                bad_lines: 1,
                cut_times: 0,
                shown: vec![BadLine { line: 2, reason }],
                times_in: None
            }
        );
    }
}

#[test]
fn an_id_of_a_megabyte_is_one_bad_line() {
    let text = format!("u1,i,5,1\n{},i,5,1\nu2,i,5,1\n", "x".repeat(1 << 20));
    let outcome = tolerant(DataFormat::AmazonCsv, text);
    assert_eq!((outcome.report.rows, outcome.report.bad_lines), (2, 1));
}

#[test]
fn long_ids_up_to_the_limit_keep_their_bytes() {
    let long: Vec<String> = (0..40).map(|n| format!("{}{n}", "user".repeat(4 + n * 6))).collect();
    let text: String = (0..400).map(|n| format!("{},{},5,{n}\n", long[n * 7 % 40], long[n * 3 % 40])).collect();
    let data = read(DataFormat::AmazonCsv, text).expect("good lines").interactions;
    for row in 0..400 {
        assert_eq!(data.users.get(data.user[row]), long[row * 7 % 40]);
        assert_eq!(data.items.get(data.item[row]), long[row * 3 % 40]);
    }
}

#[test]
fn empty_files_are_one_clear_error() {
    assert_eq!(
        read(DataFormat::AmazonCsv, "").unwrap_err().to_string(),
        "the file is empty; choose a file with ratings"
    );
    assert_eq!(read(DataFormat::AmazonCsv, gzip(b"")), Err(ReadError::Empty));
    assert_eq!(read(DataFormat::AmazonCsv, "\n \n\r\n"), Err(ReadError::NoRows { lines: 3 }));
    assert_eq!(read(DataFormat::AmazonCsv, "UserId,ProductId,Rating,Timestamp\n"), Err(ReadError::NoRows { lines: 1 }));
    let error = read(DataFormat::Recbole, "user_id:token\titem_id:token\n").unwrap_err();
    assert_eq!(error.to_string(), "the file has no line with data (lines: 1); choose a file with ratings");
}

#[test]
fn files_that_are_no_text_are_one_clear_error() {
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(AMAZON.bytes().flat_map(|b| [b, 0])).collect();
    for (bytes, what) in [
        (b"PK\x03\x04rest".to_vec(), "a zip archive"),
        (b"PAR1rest".to_vec(), "a Parquet file"),
        (b"ARROW1\0\0".to_vec(), "an Arrow file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "binary (it contains NUL bytes)"),
        (gzip(&zstd(AMAZON.as_bytes())), "packed twice"),
        (utf16, "UTF-16 text"),
        (b"\x7fELF\x02\x01\x01\0\0\0".to_vec(), "binary (it contains NUL bytes)"),
        (gzip(b"\0\0\0"), "binary (it contains NUL bytes)"),
    ] {
        let error = read(DataFormat::AmazonCsv, bytes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the file is {what}, not UTF-8 text; ")), "{error}");
    }
}

#[test]
fn a_latin_1_file_names_its_lines() {
    let text = b"caf\xe9,i,5,1\n".repeat(10);
    let error = read(DataFormat::AmazonCsv, text).unwrap_err().to_string();
    assert!(error.contains("first line 1: is not UTF-8 text"), "{error}");
}

#[test]
fn a_first_line_that_does_not_fit_the_format_is_quoted() {
    let error = read(DataFormat::Movielens, "just words\n").unwrap_err().to_string();
    assert!(error.starts_with("line 1 is `just words`; MovieLens separates"), "{error}");
    for header in ["1\t2\t3\t4", "user:token\titem_id:token", "user_id:token"] {
        let error = read(DataFormat::Recbole, format!("{header}\n1\t2\n")).unwrap_err();
        assert!(matches!(error, ReadError::Header { .. }), "{error}");
    }
}

#[test]
fn a_recbole_file_is_read_as_no_other_format() {
    let rows = "196\t242\t3\t881250949\n".repeat(3);
    let files = [
        format!("user_id:token\titem_id:token\trating:float\ttimestamp:float\n{rows}"),
        format!("\u{feff}user_id:token\titem_id:token\r\n{rows}"),
        "session_id:token\titem_id_list:token_seq\titem_id:token\n1\t2 3\t4\n".to_owned(),
    ];
    for text in &files {
        for format in [DataFormat::Sequences, DataFormat::AmazonCsv, DataFormat::Movielens] {
            let error = read(format, text).unwrap_err();
            let instead = vec![Instead { path: "dataset.format".to_owned(), value: "recbole".to_owned() }];
            assert_eq!(error.instead(), instead, "{}", format.as_str());
            let error = error.to_string();
            assert!(!error.contains('\u{fffd}') && error.contains('⇥'), "{error}");
            let due = "; these are the column names of a RecBole file; set dataset.format to recbole";
            assert!(error.starts_with("line 1 is `") && error.ends_with(due), "{}: {error}", format.as_str());
        }
    }
    assert_eq!(read(DataFormat::Recbole, &files[0]).expect("what it is").report.rows, 3);
    // Ids may have a colon in them.
    for text in ["a:token b:token\n", "a:b\tc:token\n", "u\ta:float\n"] {
        assert_eq!(read(DataFormat::Sequences, text).expect(text).report.bad_lines, 0);
    }
}

/// Line by line, with one sequential dictionary: what the chunks and partitions must agree with.
fn simple(text: &[u8], layout: Layout, body: usize) -> (Interactions, u64) {
    let mut builder = InteractionsBuilder::default();
    let (mut bad, mut rows, mut fraction) = (0, 0, Fractions::default());
    let mut push = |row: line::Row<'_>| {
        let text = |id| std::str::from_utf8(id).expect("checked");
        fraction.push(rows, row.moment.1);
        rows += 1;
        builder.push(text(row.user), text(row.item), row.rating, row.moment.0);
    };
    for line in text[body..].split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let result = line::check(line).and_then(|()| match layout {
            Layout::Delimited(columns) => line::delimited(line, columns).map(&mut push),
            Layout::Sequences => line::sequence(line).map(|(user, items)| {
                for (position, item) in items.enumerate() {
                    push(line::Row { user, item, rating: 1.0, moment: (position as i64, 0), cut: false });
                }
            }),
        });
        bad += u64::from(result.is_err());
    }
    let mut data = builder.finish();
    (data.has_ratings, data.has_timestamps) = (layout.has_ratings(), layout.has_timestamps());
    data.fraction = fraction.finish(rows);
    data.rescale_times();
    (data, bad)
}

/// A field of a line: mostly sound, sometimes anything.
fn field(sound: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![30 => sound.prop_map(String::from), 1 => "[a-z0-9.,:\t \r\n\u{e9}-]{0,20}".prop_map(String::from)]
}

fn lines(delimiter: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let line = (
        field("[A-C]{1,2}|[a-b]{13,18}"),
        field("[0-9]{1,2}|B0{12,16}[0-9]"),
        field("[1-5]|[0-5]\\.[05]|-1|1e1|10\\.25"),
        field("[0-9]{9,10}|-5|[0-9]{9}\\.5|[0-9]{17,20}"),
        prop_oneof![Just(""), Just(","), Just("\r"), Just(",\r"), Just(",Delete\r"), Just(",x y"), Just(",,")],
    )
        .prop_map(move |(u, i, r, t, end)| {
            format!("{u}{delimiter}{i}{delimiter}{r}{delimiter}{t}{end}\n").into_bytes()
        });
    proptest::collection::vec(prop_oneof![60 => line, 1 => proptest::collection::vec(1u8..=255, 0..30)], 1..120)
        .prop_map(|lines| lines.concat())
}

fn agrees(format: DataFormat, text: &[u8], chunk_bytes: usize) -> Result<(), TestCaseError> {
    let Ok((layout, body)) = layout::detect(format, text) else { return Ok(()) };
    let limits = ReadLimits { max_bad_share: 1.0, ..ReadLimits::default() };
    let (expected, bad) = simple(text, layout, body);
    match read_text(format, text, limits, chunk_bytes) {
        Ok(outcome) => {
            prop_assert_eq!(outcome.report.bad_lines, bad);
            prop_assert_eq!(outcome.report.rows, expected.len() as u64);
            prop_assert_eq!(outcome.interactions, expected);
        }
        Err(error) => prop_assert!(expected.is_empty(), "{}", error),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn chunks_and_partitions_give_what_reading_line_by_line_gives(
        amazon in lines(","), tabs in lines("\t"), colons in lines("::"), chunk_bytes in prop_oneof![Just(1usize), 20usize..400, Just(1 << 20)],
    ) {
        agrees(DataFormat::AmazonCsv, &amazon, chunk_bytes)?;
        agrees(DataFormat::Movielens, &amazon, chunk_bytes)?;
        agrees(DataFormat::Movielens, &tabs, chunk_bytes)?;
        agrees(DataFormat::Movielens, &colons, chunk_bytes)?;
        agrees(DataFormat::Sequences, &tabs, chunk_bytes)?;
        let inter = [b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n", &tabs[..]].concat();
        agrees(DataFormat::Recbole, &inter, chunk_bytes)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in DataFormat::ALL {
            let _ = read(format, &bytes);
        }
        let _ = read_attributes(&bytes);
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_result() {
    let text: String = (0..60_000u64)
        .map(|n| format!("A{},B{},{},{}\n", n * 2_654_435_761 % 30_011, n * n % 997, n % 5 + 1, n))
        .collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let limits = ReadLimits::default();
        pool.install(|| read_text(DataFormat::AmazonCsv, text.as_bytes(), limits, 4096)).expect("good lines")
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
    let (expected, _) =
        simple(text.as_bytes(), layout::detect(DataFormat::AmazonCsv, text.as_bytes()).expect("csv").0, 0);
    assert_eq!(one.interactions, expected);
}
