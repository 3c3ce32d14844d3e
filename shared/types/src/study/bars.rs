//! How long the bars of a table are: the same on the page and in the terminal.

use super::report::{StudyCell, StudyTable};

/// How many times the smallest number the largest may be before bars are drawn by their logarithm: a bar of a thirtieth of
/// the longest is a line.
const APART: f64 = 30.0;

/// The scale of a table's bars, which ends at the largest end of any spread. It begins at nothing, or, of numbers that lie
/// far apart, at the power of ten below the smallest: then it is logarithmic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarScale {
    /// The decimal logarithm of where it begins; `None` where it is linear.
    power: Option<f64>,
    /// Where it ends, in the unit of the column.
    most: f64,
}

impl BarScale {
    /// The scale of a table; `None` of one without bars, and where no number is above nothing.
    pub fn of(table: &StudyTable) -> Option<Self> {
        let column = table.bars?;
        let (mut smallest, mut largest, mut least, mut most) = (f64::INFINITY, 0.0_f64, f64::INFINITY, 0.0_f64);
        for row in &table.rows {
            let Some(StudyCell::Number(number)) = row.cells.get(column) else { continue };
            let (low, high) = number.spread.map_or((number.value, number.value), |spread| (spread.least, spread.most));
            most = most.max(high);
            if number.value > 0.0 {
                smallest = smallest.min(number.value);
                largest = largest.max(number.value);
                least = least.min(if low > 0.0 { low } else { number.value });
            }
        }
        // One step below a number that is a power of ten itself: no bar is without a length.
        let power = (largest > APART * smallest).then(|| least.log10().ceil() - 1.0);
        (most > 0.0).then_some(Self { power, most })
    }

    /// How far along the scale a value lies, from 0 to 1; what lies before its beginning is at 0.
    pub fn share(self, value: f64) -> f64 {
        let share = match self.power {
            None => value / self.most,
            Some(_) if value <= 0.0 => 0.0,
            Some(power) => (value.log10() - power) / (self.most.log10() - power),
        };
        share.clamp(0.0, 1.0)
    }

    /// Where a logarithmic scale begins, then its other powers of ten; nothing of a linear one.
    pub fn powers(self) -> Vec<f64> {
        let Some(power) = self.power else { return Vec::new() };
        (power as i32..self.most.log10().ceil() as i32).map(|power| 10_f64.powi(power)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{StudyColumn, StudyRow, Unit, Whose};
    use super::*;

    fn table(rows: &[&[f64]]) -> StudyTable {
        let row = |values: &&[f64]| StudyRow {
            name: "a".to_owned(),
            note: String::new(),
            cells: vec![StudyCell::runs(values)],
        };
        StudyTable {
            title: String::new(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("time", Unit::Seconds)],
            rows: rows.iter().map(row).collect(),
            bars: Some(0),
        }
    }

    fn shares(rows: &[&[f64]], values: &[f64]) -> Vec<f64> {
        let scale = BarScale::of(&table(rows)).expect("a scale");
        values.iter().map(|value| (scale.share(*value) * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn bars_of_numbers_that_lie_close_are_as_long_as_the_numbers_are_large() {
        let rows: [&[f64]; 3] = [&[2.0], &[6.0, 8.0, 10.0], &[]];
        assert_eq!(shares(&rows, &[0.0, 2.0, 8.0, 10.0, -1.0]), [0.0, 0.2, 0.8, 1.0, 0.0]);
        assert!(BarScale::of(&table(&rows)).expect("a scale").powers().is_empty());
        assert_eq!(shares(&[&[1.0], &[30.0]], &[3.0]), [0.1], "thirty times is close enough");
    }

    #[test]
    fn one_slow_row_does_not_make_the_others_invisible() {
        // A container of 500 times the time of the quickest, and one twice as slow as that.
        let rows: [&[f64]; 3] = [&[0.02], &[0.04], &[9.0, 10.0, 20.0]];
        let scale = BarScale::of(&table(&rows)).expect("a scale");
        assert_eq!(shares(&rows, &[0.01, 0.02, 0.04, 10.0, 20.0]), [0.0, 0.091, 0.182, 0.909, 1.0]);
        let powers = scale.powers();
        assert_eq!(powers.len(), 4, "{powers:?}");
        assert!(powers.iter().zip([0.01, 0.1, 1.0, 10.0]).all(|(own, power)| (own / power - 1.0).abs() < 1e-12));
        assert!(shares(&[&[1.0], &[1000.0]], &[1.0])[0] > 0.2, "a power of ten has a length too");
    }

    #[test]
    fn a_number_that_is_nothing_has_no_length_and_spoils_no_scale() {
        let rows: [&[f64]; 3] = [&[0.0], &[0.0, 5.0, 6.0], &[5000.0]];
        let scale = BarScale::of(&table(&rows)).expect("a scale");
        assert_eq!((scale.share(0.0), scale.share(5000.0), scale.powers().first()), (0.0, 1.0, Some(&1.0)));
        assert!(scale.share(f64::MIN_POSITIVE) == 0.0 && scale.share(5.0) > 0.0);
        let (zero, none): (&[f64], &[f64]) = (&[0.0], &[]);
        for rows in [vec![zero], vec![none], Vec::new()] {
            assert_eq!(BarScale::of(&table(&rows)), None);
        }
        assert_eq!(BarScale::of(&StudyTable { bars: None, ..table(&[&[1.0]]) }), None);
    }
}
