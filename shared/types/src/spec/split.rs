//! `[split]`: what is held out.

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::limits::{MAX_FIRST_N, MAX_FOLDS};

/// `[split]` as written. Which fields apply depends on `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SplitSpec {
    /// The rule.
    pub kind: SplitKind,
    /// `random`, `per-user-random`, `global-time`: share of rows held out for the test; `cold-items`: of items (0.2 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_ratio: Option<f64>,
    /// `random`, `per-user-random`, `global-time`: share of all rows held out to steer the training; `cold-items`: of items
    /// (none unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_ratio: Option<f64>,
    /// `leave-last-out`: hold each user's second last row out for validation (false unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<bool>,
    /// `contiguous-fold`, `k-fold`: number of folds (5 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// `contiguous-fold`, `k-fold`: which fold is the test, from 1 (1 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// `per-user-first-n`: each user's first n rows, in the file's order, are the test (10 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// With validation rows: what the final recommender learns from (`train` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit_on: Option<FitOn>,
}

/// The rule by which rows are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// Rows drawn by the seed.
    Random,
    /// Of each user, rows drawn by the seed.
    PerUserRandom,
    /// Of each user, the newest row.
    LeaveLastOut,
    /// Of each user, the first n rows of the file.
    PerUserFirstN,
    /// The file cut into equal parts, one of them the test.
    ContiguousFold,
    /// The newest rows of all.
    GlobalTime,
    /// Rows dealt to folds by the seed, one fold the test.
    KFold,
    /// All rows of items drawn by the seed: nobody has rated them before the test.
    ColdItems,
}

impl SplitKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Random,
        Self::PerUserRandom,
        Self::LeaveLastOut,
        Self::PerUserFirstN,
        Self::ContiguousFold,
        Self::GlobalTime,
        Self::KFold,
        Self::ColdItems,
    ];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::PerUserRandom => "per-user-random",
            Self::LeaveLastOut => "leave-last-out",
            Self::PerUserFirstN => "per-user-first-n",
            Self::ContiguousFold => "contiguous-fold",
            Self::GlobalTime => "global-time",
            Self::KFold => "k-fold",
            Self::ColdItems => "cold-items",
        }
    }

    /// Whether it holds out shares, of rows or of items.
    pub const fn has_ratios(self) -> bool {
        matches!(self, Self::Random | Self::PerUserRandom | Self::GlobalTime | Self::ColdItems)
    }
}

/// What the final recommender learns from when some rows are held out for validation. The validation rows count as
/// known to the user either way: they are not candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FitOn {
    /// The training rows only.
    #[default]
    Train,
    /// The training and the validation rows together.
    TrainValidation,
}

/// `[split]`, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitPlan {
    /// The rule with its numbers.
    pub split: Split,
    /// What the recommender learns from.
    pub fit_on: FitOn,
}

/// A rule with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Rows drawn by the seed.
    Random {
        /// Share of rows for the test.
        test_ratio: f64,
        /// Share of rows for validation; 0 for none.
        validation_ratio: f64,
    },
    /// Of each user, rows drawn by the seed.
    PerUserRandom {
        /// Share of rows for the test.
        test_ratio: f64,
        /// Share of rows for validation; 0 for none.
        validation_ratio: f64,
    },
    /// Of each user with at least two rows (three with validation), the newest; equal times by the file's order.
    LeaveLastOut {
        /// Whether the second newest is held out for validation.
        validation: bool,
    },
    /// Of each user, the first n rows in the file's order.
    PerUserFirstN {
        /// Rows of each user.
        n: u32,
    },
    /// The file cut into equal parts in its own order.
    ContiguousFold {
        /// Number of parts.
        folds: u32,
        /// The test part, from 1.
        fold: u32,
    },
    /// The newest rows of all; equal times by the file's order.
    GlobalTime {
        /// Share of rows for the test.
        test_ratio: f64,
        /// Share of rows, next newest, for validation; 0 for none.
        validation_ratio: f64,
    },
    /// Rows dealt to folds by the seed.
    KFold {
        /// Number of folds.
        folds: u32,
        /// The test fold, from 1.
        fold: u32,
    },
    /// All rows of items drawn by the seed.
    ColdItems {
        /// Share of the items for the test.
        test_ratio: f64,
        /// Share of the items for validation; 0 for none.
        validation_ratio: f64,
    },
}

impl Split {
    /// Whether any row is held out for validation.
    pub fn has_validation(&self) -> bool {
        match *self {
            Self::Random { validation_ratio, .. }
            | Self::PerUserRandom { validation_ratio, .. }
            | Self::GlobalTime { validation_ratio, .. }
            | Self::ColdItems { validation_ratio, .. } => validation_ratio > 0.0,
            Self::LeaveLastOut { validation } => validation,
            Self::PerUserFirstN { .. } | Self::ContiguousFold { .. } | Self::KFold { .. } => false,
        }
    }
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self::of(SplitKind::Random)
    }
}

impl SplitSpec {
    /// The rule with its default numbers.
    pub const fn of(kind: SplitKind) -> Self {
        Self {
            kind,
            test_ratio: None,
            validation_ratio: None,
            validation: None,
            folds: None,
            fold: None,
            n: None,
            fit_on: None,
        }
    }

    pub(crate) fn resolve(&self, problems: &mut Problems) -> SplitPlan {
        let because = format!("split.kind is `{}`", self.kind.as_str());
        let ratios = self.kind.has_ratios();
        let folds = matches!(self.kind, SplitKind::ContiguousFold | SplitKind::KFold);
        if !ratios {
            problems.refuse("split.test_ratio", self.test_ratio.as_ref(), &because);
            problems.refuse("split.validation_ratio", self.validation_ratio.as_ref(), &because);
        }
        if !folds {
            problems.refuse("split.folds", self.folds.as_ref(), &because);
            problems.refuse("split.fold", self.fold.as_ref(), &because);
        }
        if self.kind != SplitKind::LeaveLastOut {
            problems.refuse("split.validation", self.validation.as_ref(), &because);
        }
        if self.kind != SplitKind::PerUserFirstN {
            problems.refuse("split.n", self.n.as_ref(), &because);
        }
        let split = match self.kind {
            SplitKind::Random => {
                let (test_ratio, validation_ratio) = self.ratios(problems);
                Split::Random { test_ratio, validation_ratio }
            }
            SplitKind::PerUserRandom => {
                let (test_ratio, validation_ratio) = self.ratios(problems);
                Split::PerUserRandom { test_ratio, validation_ratio }
            }
            SplitKind::GlobalTime => {
                let (test_ratio, validation_ratio) = self.ratios(problems);
                Split::GlobalTime { test_ratio, validation_ratio }
            }
            SplitKind::ColdItems => {
                let (test_ratio, validation_ratio) = self.ratios(problems);
                Split::ColdItems { test_ratio, validation_ratio }
            }
            SplitKind::LeaveLastOut => Split::LeaveLastOut { validation: self.validation.unwrap_or(false) },
            SplitKind::PerUserFirstN => {
                Split::PerUserFirstN { n: problems.range("split.n", self.n.unwrap_or(10), 1, MAX_FIRST_N) }
            }
            SplitKind::ContiguousFold => {
                let (folds, fold) = self.fold_of(problems);
                Split::ContiguousFold { folds, fold }
            }
            SplitKind::KFold => {
                let (folds, fold) = self.fold_of(problems);
                Split::KFold { folds, fold }
            }
        };
        if !split.has_validation() {
            problems.refuse("split.fit_on", self.fit_on.as_ref(), "no rows are held out for validation");
        }
        SplitPlan { split, fit_on: self.fit_on.unwrap_or_default() }
    }

    fn ratios(&self, problems: &mut Problems) -> (f64, f64) {
        let test = problems.open_share("split.test_ratio", self.test_ratio.unwrap_or(0.2));
        let validation = self.validation_ratio.map_or(0.0, |v| problems.open_share("split.validation_ratio", v));
        // Each alone is in range here; a ratio that is not has its own message.
        if test < 1.0 && validation < 1.0 && test + validation >= 1.0 {
            problems.add(
                "split.validation_ratio",
                format!("{validation} and test_ratio {test} leave nothing to train on; keep their sum under 1"),
            );
        }
        (test, validation)
    }

    fn fold_of(&self, problems: &mut Problems) -> (u32, u32) {
        let folds = problems.range("split.folds", self.folds.unwrap_or(5), 2, MAX_FOLDS);
        let fold = problems.range("split.fold", self.fold.unwrap_or(1), 1, folds.max(1));
        (folds, fold)
    }
}
