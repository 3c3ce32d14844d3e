//! What a rank holds, as it comes and goes.

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
    /// What comes and goes: gathered parameters, gradients on their way, received messages.
    Transient,
    /// The optimizer's moments, where they are offloaded: in the machine's own memory, not on the device.
    Host,
}

const ACCOUNTS: usize = 6;
/// Of these the accounts of the device.
const ON_THE_DEVICE: usize = Account::Host as usize;

/// Bytes in each account now, and at most so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    now: [u64; ACCOUNTS],
    peaks: [u64; ACCOUNTS],
    peak: u64,
}

impl Ledger {
    pub(crate) fn take(&mut self, account: Account, bytes: u64) {
        let at = account as usize;
        self.now[at] += bytes;
        self.peaks[at] = self.peaks[at].max(self.now[at]);
        self.peak = self.peak.max(self.now[..ON_THE_DEVICE].iter().sum());
    }

    /// # Panics
    /// Where more is given back than is held, in release builds, too: a ledger that is wrong tells wrong numbers from then on.
    pub(crate) fn give_back(&mut self, account: Account, bytes: u64) {
        let held = self.now[account as usize];
        assert!(held >= bytes, "{account:?} gives back {bytes} bytes and holds {held}");
        self.now[account as usize] = held - bytes;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "Gradients gives back 5 bytes and holds 4")]
    fn an_account_never_goes_below_zero_in_release_builds_too() {
        let mut ledger = Ledger::default();
        ledger.take(Account::Parameters, 10);
        ledger.take(Account::Gradients, 4);
        ledger.give_back(Account::Gradients, 5);
    }
}
