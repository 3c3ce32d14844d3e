//! Some rows of a data set.

use recspeed_data::Interactions;

use crate::NeuralFitError;

/// Some rows of a data set, by number.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// All ratings, in columns.
    pub interactions: &'a Interactions,
    /// Which rows of them.
    pub rows: &'a [u32],
}

impl Rows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Newest timestamp; 0 without rows.
    pub(crate) fn newest(&self) -> i64 {
        self.rows.iter().map(|&row| self.interactions.timestamp[row as usize]).max().unwrap_or(0)
    }

    /// Refuses row numbers past the end and ratings that are not finite, so that nothing later has to look again.
    pub(crate) fn check(&self) -> Result<(), NeuralFitError> {
        let ratings = &self.interactions.rating;
        for &row in self.rows {
            match ratings.get(row as usize) {
                None => return Err(NeuralFitError::RowOutside { row, rows: ratings.len() }),
                Some(rating) if !rating.is_finite() => {
                    return Err(NeuralFitError::RatingNotFinite { row, value: *rating });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
