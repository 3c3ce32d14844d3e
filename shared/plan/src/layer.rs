//! What one layer costs.

use crate::scoring::share_of;

/// Time that grows with the number of samples.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Duration {
    /// Microseconds of a call, whatever its size.
    pub fixed_us: f64,
    /// Microseconds more for each sample.
    pub per_sample_us: f64,
}

impl Duration {
    /// The same time whatever the number of samples.
    pub const fn fixed(us: f64) -> Self {
        Self { fixed_us: us, per_sample_us: 0.0 }
    }

    /// Microseconds for so many samples.
    pub fn of(self, samples: usize) -> f64 {
        self.per_sample_us.mul_add(samples as f64, self.fixed_us)
    }

    /// So many times as long.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { fixed_us: factor * self.fixed_us, per_sample_us: factor * self.per_sample_us }
    }

    /// One after the other.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { fixed_us: self.fixed_us + other.fixed_us, per_sample_us: self.per_sample_us + other.per_sample_us }
    }
}

/// Bytes of a sample that the ranks that share a layer bring together: of N ranks each sends (N − 1)/N of them. A sum that every
/// rank gets the whole of counts twice, since it is formed in parts, which are then gathered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exchanged {
    /// On the way there.
    pub forward: u64,
    /// On the way back.
    pub backward: u64,
    /// What a rank holds of the largest exchange while it lasts.
    pub held: u64,
    /// How much of the forward pass that takes.
    pub forward_time: Duration,
    /// How much of the backward pass.
    pub backward_time: Duration,
}

impl Exchanged {
    fn then(self, next: Self) -> Self {
        Self {
            forward: self.forward + next.forward,
            backward: self.backward + next.backward,
            held: self.held.max(next.held),
            forward_time: self.forward_time.plus(next.forward_time),
            backward_time: self.backward_time.plus(next.backward_time),
        }
    }
}

/// What layers on a tape keep and compute beside what others do. A tape holds the numbers that it was made with: where
/// these are lent to each pass, as ZeRO 3 lends them, it is made on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tape {
    /// Bytes of a sample that tapes keep between forward and backward, the layers' inputs apart.
    pub kept_bytes: u64,
    /// The same of the layer whose tape keeps most.
    pub largest_bytes: u64,
    /// The forward passes of these layers.
    pub forward: Duration,
}

impl Tape {
    /// The tape of one layer, which keeps so many bytes of a sample beside its input.
    pub const fn of(kept_bytes: u64, forward: Duration) -> Self {
        Self { kept_bytes, largest_bytes: kept_bytes, forward }
    }

    fn then(self, next: Self) -> Self {
        Self {
            kept_bytes: self.kept_bytes + next.kept_bytes,
            largest_bytes: self.largest_bytes.max(next.largest_bytes),
            forward: self.forward.plus(next.forward),
        }
    }
}

/// A layer, or several in a row, which make one again ([`Layer::then`]).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Layer {
    /// The forward pass.
    pub forward: Duration,
    /// The part of the backward pass that gives the gradient of the layer's input.
    pub backward_input: Duration,
    /// The part of the backward pass that gives the gradients of the layer's parameters.
    pub backward_weight: Duration,
    /// Learnt numbers.
    pub parameters: u64,
    /// Bytes of a sample's input: what a stage that begins here receives, and keeps where it computes the rest again.
    pub input_bytes: u64,
    /// Bytes that a sample keeps between forward and backward, the input included.
    pub kept_bytes: u64,
    /// Bytes of a sample's output: what a stage that ends here sends.
    pub output_bytes: u64,
    /// Whether its input lies in what the layer before it keeps, so that a stage that has both keeps it once.
    pub reads_in_place: bool,
    /// What the ranks that share it bring together.
    pub exchanged: Exchanged,
    /// How much of it is that of tapes.
    pub tape: Tape,
}

impl Layer {
    /// Microseconds of forward and backward for so many samples.
    pub fn time(&self, samples: usize) -> f64 {
        self.forward.of(samples) + self.backward_input.of(samples) + self.backward_weight.of(samples)
    }

    /// The same where a batch fills only this share of the slots of its samples: it computes, keeps and sends less.
    #[must_use]
    pub(crate) fn filled(&self, share: f64) -> Self {
        let of = |bytes: u64| share_of(bytes, share);
        let part = if (0.0..1.0).contains(&share) { share } else { 1.0 };
        let time = |of: Duration| Duration { per_sample_us: of.per_sample_us * part, ..of };
        let tape = Tape {
            kept_bytes: of(self.tape.kept_bytes),
            largest_bytes: of(self.tape.largest_bytes),
            forward: time(self.tape.forward),
        };
        Self {
            forward: time(self.forward),
            backward_input: time(self.backward_input),
            backward_weight: time(self.backward_weight),
            input_bytes: of(self.input_bytes),
            kept_bytes: of(self.kept_bytes),
            output_bytes: of(self.output_bytes),
            tape,
            ..*self
        }
    }

    /// This layer and the next one as one: times, parameters and kept bytes add up.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let twice = if next.reads_in_place { next.input_bytes } else { 0 };
        Self {
            forward: self.forward.plus(next.forward),
            backward_input: self.backward_input.plus(next.backward_input),
            backward_weight: self.backward_weight.plus(next.backward_weight),
            parameters: self.parameters + next.parameters,
            input_bytes: self.input_bytes,
            kept_bytes: self.kept_bytes + next.kept_bytes.saturating_sub(twice),
            output_bytes: next.output_bytes,
            reads_in_place: self.reads_in_place,
            exchanged: self.exchanged.then(next.exchanged),
            tape: self.tape.then(next.tape),
        }
    }

    /// The same with a forward pass, and both parts of the backward pass, that take so many times as long.
    #[must_use]
    pub(crate) fn stretched(&self, [forward, input, weight]: [f64; 3]) -> Self {
        Self {
            forward: self.forward.times(forward),
            backward_input: self.backward_input.times(input),
            backward_weight: self.backward_weight.times(weight),
            exchanged: Exchanged {
                forward_time: self.exchanged.forward_time.times(forward),
                backward_time: self.exchanged.backward_time.times(input),
                ..self.exchanged
            },
            // Where it counts, it is part of the backward pass.
            tape: Tape { forward: self.tape.forward.times(input), ..self.tape },
            ..*self
        }
    }

    /// The same where its numbers are lent to each pass: of layers on a tape the input is kept, and the forward pass is
    /// computed again on the way back.
    #[must_use]
    pub fn lent(&self) -> Self {
        Self {
            kept_bytes: self.kept_bytes.saturating_sub(self.tape.kept_bytes),
            backward_input: self.backward_input.plus(self.tape.forward),
            ..*self
        }
    }
}
