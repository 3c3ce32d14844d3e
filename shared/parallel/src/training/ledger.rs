//! What a rank holds, as it comes and goes.

use std::fmt;

/// What bytes are held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Parameters that stay.
    Parameters,
    /// Gradients that are added up.
    Gradients,
    /// The optimizer's moments.
    Optimizer,
    /// What lies between forward and backward.
    Activations,
    /// What comes and goes while micro-batches do: gathered parameters, gradients on their way, what a way back makes
    /// again. Messages that have come and wait are the transport's and in no account; the plan counts those of the
    /// pipeline.
    Transient,
    /// What comes and goes after them: gradients as one row beside the pieces that it is made of, what replicas
    /// exchange of gradients and moved parameters, what the optimizer computes with.
    Update,
    /// The optimizer's moments, where they are offloaded: in the machine's own memory, not on the device.
    Host,
}

impl Account {
    /// Every account, in the order above.
    pub const ALL: [Self; ACCOUNTS] = [
        Self::Parameters,
        Self::Gradients,
        Self::Optimizer,
        Self::Activations,
        Self::Transient,
        Self::Update,
        Self::Host,
    ];

    /// Its name where a run tells what a rank holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Activations => "activations",
            Self::Transient => "buffers",
            Self::Update => "update",
            Self::Host => "host",
        }
    }
}

const ACCOUNTS: usize = 7;
/// Of these the accounts of the device.
const ON_THE_DEVICE: usize = Account::Host as usize;

/// Bytes in each account now, and at most so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    now: [u64; ACCOUNTS],
    peaks: [u64; ACCOUNTS],
    peak: u64,
    /// What each account held when `peak` was reached.
    at_peak: [u64; ACCOUNTS],
    /// Bytes that were given back and not held.
    overdrawn: [u64; ACCOUNTS],
}

impl Ledger {
    pub(crate) fn take(&mut self, account: Account, bytes: u64) {
        let at = account as usize;
        self.now[at] += bytes;
        self.peaks[at] = self.peaks[at].max(self.now[at]);
        let together: u64 = self.now[..ON_THE_DEVICE].iter().sum();
        if together > self.peak {
            (self.peak, self.at_peak) = (together, self.now);
        }
    }

    /// Where more is given back than is held, the account stands at nothing and the ledger is wrong from then on, which it says. The
    /// training is not: nobody's run ends for it.
    pub(crate) fn give_back(&mut self, account: Account, bytes: u64) {
        let at = account as usize;
        let held = self.now[at];
        debug_assert!(held >= bytes, "{account:?} gives back {bytes} bytes and holds {held}");
        self.now[at] = held.saturating_sub(bytes);
        self.overdrawn[at] += bytes.saturating_sub(held);
    }

    /// Bytes that this account was given back beyond what it held: 0, unless somebody counts wrongly.
    pub const fn overdrawn(&self, account: Account) -> u64 {
        self.overdrawn[account as usize]
    }

    /// Whether no account was ever given back more than it held.
    pub fn is_sound(&self) -> bool {
        self.overdrawn.iter().all(|&bytes| bytes == 0)
    }

    /// Bytes held now.
    pub const fn held(&self, account: Account) -> u64 {
        self.now[account as usize]
    }

    /// The most that this account has held.
    pub const fn most(&self, account: Account) -> u64 {
        self.peaks[account as usize]
    }

    /// The most that all accounts of the device have held together at one moment.
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// What this account held at that moment, the first of its kind.
    pub const fn at_peak(&self, account: Account) -> u64 {
        self.at_peak[account as usize]
    }
}

/// What a run says of an account that was given back more than it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdrawn {
    /// The rank whose account it is.
    pub rank: usize,
    /// The account.
    pub account: Account,
    /// Bytes beyond what it held, so far.
    pub bytes: u64,
}

impl fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rank, account, bytes } = self;
        write!(
            f,
            "the account of {} on rank {rank} was given back {bytes} bytes more than it held: what this run tells of the memory of its \
             ranks is wrong, what it learns is not; please report it with the spec",
            account.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "Gradients gives back 5 bytes and holds 4"))]
    fn an_account_that_is_given_back_more_than_it_holds_stands_at_nothing_and_says_by_how_much() {
        let mut ledger = Ledger::default();
        ledger.take(Account::Parameters, 10);
        ledger.take(Account::Gradients, 4);
        ledger.give_back(Account::Gradients, 4);
        assert!(ledger.is_sound());
        ledger.take(Account::Gradients, 4);
        ledger.give_back(Account::Gradients, 5);
        assert!(!ledger.is_sound());
        assert_eq!((ledger.held(Account::Gradients), ledger.overdrawn(Account::Gradients)), (0, 1));
        assert_eq!((ledger.held(Account::Parameters), ledger.overdrawn(Account::Parameters)), (10, 0));
    }

    #[test]
    fn the_peak_is_that_of_the_sum_and_says_what_each_account_held_then() {
        let mut ledger = Ledger::default();
        ledger.take(Account::Parameters, 10);
        ledger.take(Account::Activations, 7);
        ledger.give_back(Account::Activations, 7);
        ledger.take(Account::Gradients, 5);
        ledger.take(Account::Host, 100);
        ledger.take(Account::Transient, 1);
        assert_eq!(ledger.peak(), 17, "what is offloaded is not the device's");
        let sum: u64 = Account::ALL[..ON_THE_DEVICE].iter().map(|&account| ledger.most(account)).sum();
        assert_eq!(sum, 23, "no moment had that");
        ledger.take(Account::Transient, 2);
        assert_eq!(ledger.peak(), 18);
        assert_eq!(Account::ALL.map(|account| ledger.at_peak(account)), [10, 5, 0, 0, 3, 0, 100]);
    }

    #[test]
    fn the_warning_names_account_rank_and_bytes() {
        let said = Overdrawn { rank: 3, account: Account::Transient, bytes: 12 }.to_string();
        assert!(
            said.starts_with("the account of buffers on rank 3 was given back 12 bytes more than it held"),
            "{said}"
        );
    }

    #[test]
    fn accounts_are_listed_where_they_lie() {
        assert!(Account::ALL.iter().enumerate().all(|(at, &account)| account as usize == at));
    }
}
