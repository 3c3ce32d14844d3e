//! Laws of what is said of a line that cannot be read.

use recspeed_types::spec::DataFormat;

use super::super::read_ratings;
use super::{ReadLimits, tolerant};

#[test]
fn a_line_with_another_separator_is_told_which_and_what_to_do() {
    let first = |format, text: &str| {
        let limits = ReadLimits { max_bad_share: 1.0, ..ReadLimits::default() };
        read_ratings(format, text.as_bytes(), limits).unwrap_err().to_string()
    };
    for (format, text, due) in [
        (
            DataFormat::AmazonCsv,
            "u;i;5;1\n",
            "4 columns expected, found 1 (4 with `;` between them: write `,` in its place)",
        ),
        (
            DataFormat::AmazonCsv,
            "u|i|5\n",
            "4 columns expected, found 1 (3 with `|` between them: write `,` in its place)",
        ),
        (
            DataFormat::AmazonCsv,
            "u\ti\t5\t1\n",
            "4 columns expected, found 1 (4 with a tab between them: dataset.format = \"movielens\" reads tabs)",
        ),
        (
            DataFormat::Recbole,
            "user_id:token\titem_id:token\trating:float\nu,i,5\n",
            "3 columns expected, found 1 (3 with `,` between them: write a tab in its place)",
        ),
        (
            DataFormat::Movielens,
            "1::2\n1;2;5;9\n",
            "4 columns expected, found 1 (4 with `;` between them: write `::` in its place)",
        ),
    ] {
        let said = first(format, text);
        assert!(said.contains(due), "{said}");
    }
    // Neither does a space divide columns, nor is a separator in an id one of the line.
    for text in ["u i 5 1\n", "u;v,i\n"] {
        assert!(!first(DataFormat::AmazonCsv, text).contains("between them"), "{text}");
    }
}

#[test]
fn a_number_that_is_too_large_is_told_apart_from_what_is_no_finite_number() {
    let text = format!("{}u,i,-1e300,1\nu,i,1e400,1\nu,i,-inf,1\nu,i,1,1e400\n", "u,i,5,1\n".repeat(8));
    let report = tolerant(DataFormat::AmazonCsv, text).report;
    let found: Vec<&str> = report.shown.iter().map(|bad| bad.reason.as_str()).collect();
    assert_eq!(
        found,
        [
            "the rating is `-1e300`, beyond the range of 32-bit numbers (up to 3.4e38)",
            "the rating is `1e400`, beyond the range of 32-bit numbers (up to 3.4e38)",
            "the rating is `-inf`, not a finite number",
            "the timestamp is `1e400`, beyond the range of 64-bit numbers (up to 1.8e308)",
        ]
    );
}
