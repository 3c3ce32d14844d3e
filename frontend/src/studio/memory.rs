//! What each rank holds over time, as stacked bands.

use recspeed_plan::timeline::Stacked;

/// A kind of bytes; in this order they are stacked, what stays below what comes and goes. What a run measured of them is told in the same
/// words ([`super::compared`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Band {
    /// Learnt numbers.
    Parameters,
    /// Their gradients.
    Gradients,
    /// The optimizer's state.
    Optimizer,
    /// What comes and goes: activations, messages, gathered layers, what the update computes with.
    Activations,
}

impl Band {
    /// All, from below.
    pub(crate) const ALL: [Self; 4] = [Self::Parameters, Self::Gradients, Self::Optimizer, Self::Activations];

    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer state",
            Self::Activations => "activations and what comes and goes",
        }
    }

    /// The name in style sheets.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Activations => "activations",
        }
    }
}

/// Steps of what comes and goes as (from, to, bytes), at most one for each of `columns` columns: the most of each column, so
/// that no peak is lost. What differs by less than a `grain` of bytes, a pixel's height, is one step.
pub(crate) fn steps_of(held: &Stacked, total_us: f64, columns: usize, grain: u64) -> Vec<(f64, f64, u64)> {
    let (columns, grain) = (columns.max(1), grain.max(1));
    let mut most = vec![0_u64; columns];
    let column = |at: f64| ((at / total_us * columns as f64) as usize).min(columns - 1);
    for (index, &(at, bytes)) in held.changes.iter().enumerate() {
        let until = held.changes.get(index + 1).map_or(total_us, |next| next.0);
        let (from, to) = (column(at), column(until.max(at)));
        // A column that only begins where this one ends belongs to the next.
        let to = if to > from && until <= to as f64 * total_us / columns as f64 { to - 1 } else { to };
        for one in &mut most[from..=to] {
            *one = (*one).max(bytes);
        }
    }
    let mut steps: Vec<(f64, f64, u64)> = Vec::new();
    for (index, &bytes) in most.iter().enumerate() {
        let (from, to) = (index as f64 / columns as f64 * total_us, (index + 1) as f64 / columns as f64 * total_us);
        match steps.last_mut() {
            Some(last) if last.2 / grain == bytes / grain => (last.1, last.2) = (to, last.2.max(bytes)),
            _ => steps.push((from, to, bytes)),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use recspeed_plan::timeline::memory_of;

    use super::super::setup::Setup;
    use super::*;

    #[test]
    fn what_is_offloaded_is_drawn_on_no_rank() {
        let setup = Setup { offload: "host", ..Setup::default() };
        let (_, outlook) = setup.plan().expect("it is possible");
        assert!(memory_of(&outlook).iter().zip(&outlook.ranks).all(|(held, rank)| held.peak() == rank.peak()));
        assert!(outlook.ranks.iter().all(|rank| rank.shares.optimizer == 0 && rank.shares.host > 0));
    }

    #[test]
    fn bands_add_up_to_the_peak_of_the_plan() {
        for zero in ["0", "1", "2", "3"] {
            let setup = Setup { zero, replicas: 4, schedule: "1f1b", ..Setup::default() };
            let (_, outlook) = setup.plan().expect("it is possible");
            for (held, rank) in memory_of(&outlook).iter().zip(&outlook.ranks) {
                assert_eq!(held.peak(), rank.peak());
                for grain in [0, 1, held.peak() / 40] {
                    let steps = steps_of(held, outlook.simulation.total_us, 300, grain);
                    let drawn = steps.iter().map(|step| step.2).max().expect("there are steps");
                    assert_eq!(drawn + held.stays.iter().sum::<u64>(), held.peak(), "no peak is lost");
                    assert!(steps.len() <= 300 && steps.windows(2).all(|pair| pair[0].1 == pair[1].0));
                }
            }
        }
    }

    #[test]
    fn steps_keep_their_places() {
        let held = Stacked { stays: [0; 3], changes: vec![(0.0, 1), (5.0, 9), (5.1, 2), (7.5, 0)] };
        assert_eq!(steps_of(&held, 10.0, 4, 1), [(0.0, 5.0, 1), (5.0, 7.5, 9), (7.5, 10.0, 0)]);
        assert_eq!(steps_of(&held, 10.0, 4, 4), [(0.0, 5.0, 1), (5.0, 7.5, 9), (7.5, 10.0, 0)]);
        assert_eq!(steps_of(&held, 10.0, 4, 10), [(0.0, 10.0, 9)], "less than a pixel apart");
    }
}
