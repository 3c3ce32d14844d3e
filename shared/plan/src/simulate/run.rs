//! The run itself: each rank goes down its list as soon as it can.

use super::{Costs, Held, Simulation, Span};
use crate::{Cell, Duration, Instruction, PlanError, Schedule};

/// A message on its way: which stage it is for, which micro-batch, and whether it goes forward.
type Message = (usize, usize, bool);

#[derive(Clone, Copy)]
struct Arrival {
    at_us: f64,
    sent_by: usize,
}

struct Run<'a> {
    schedule: &'a Schedule,
    costs: &'a Costs,
    spans: Vec<Span>,
    /// By [`Run::place`]: looked up twice a pass, too often for a hash.
    arrivals: Vec<Option<Arrival>>,
    /// When the way out of a rank is free, forward and backward.
    ways_us: Vec<[f64; 2]>,
    held: Vec<Held>,
    busy_us: Vec<f64>,
    sending_us: Vec<f64>,
}

pub(super) fn run(schedule: &Schedule, costs: &Costs) -> Result<Simulation, PlanError> {
    // Where messages take no time of a rank, there are none.
    let of_messages = [costs.sends.len(), costs.receives.len()].into_iter().filter(|&count| count > 0);
    for given in std::iter::once(costs.stages.len()).chain(of_messages) {
        if given != schedule.stages() {
            return Err(PlanError::StageCosts { stages: schedule.stages(), costs: given });
        }
    }
    if costs.sizes.len() != schedule.micro_batches() {
        return Err(PlanError::MicroBatchSizes { micro_batches: schedule.micro_batches(), sizes: costs.sizes.len() });
    }
    let ranks = schedule.ranks();
    let mut run = Run {
        schedule,
        costs,
        spans: Vec::new(),
        arrivals: vec![None; 2 * schedule.stages() * schedule.micro_batches()],
        ways_us: vec![[0.0; 2]; ranks],
        held: vec![Held::default(); ranks],
        busy_us: vec![0.0; ranks],
        sending_us: vec![0.0; ranks],
    };
    let mut at = vec![0; ranks];
    let mut previous: Vec<Option<usize>> = vec![None; ranks];
    loop {
        let mut moved = false;
        for rank in 0..ranks {
            while let Some(&step) = schedule.list(rank).get(at[rank]) {
                let Some(span) = run.span(rank, step, previous[rank]) else { break };
                previous[rank] = Some(run.spans.len());
                run.spans.push(span);
                run.account(&span);
                at[rank] += 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    if let Some(rank) = (0..ranks).find(|&rank| at[rank] < schedule.list(rank).len()) {
        return Err(PlanError::Deadlock { rank, at: at[rank], instruction: schedule.list(rank)[at[rank]] });
    }
    run.held.iter_mut().for_each(Held::sort);
    let ends =
        |of: fn(&Span) -> bool| run.spans.iter().filter(|span| of(span)).map(|span| span.end_us).fold(0.0, f64::max);
    Ok(Simulation {
        total_us: ends(|_| true),
        computed_us: ends(|span| span.instruction.computes()),
        busy_us: run.busy_us,
        sending_us: run.sending_us,
        held: run.held,
        spans: run.spans,
    })
}

impl Run<'_> {
    fn place(&self, (stage, micro_batch, forward): Message) -> usize {
        2 * (stage * self.costs.sizes.len() + micro_batch) + usize::from(forward)
    }

    /// When a message that has been waited for arrived.
    fn arrived(&self, message: Message) -> f64 {
        self.arrivals[self.place(message)].map_or(0.0, |arrival| arrival.at_us)
    }

    fn samples(&self, cell: Cell) -> usize {
        self.costs.sizes[cell.micro_batch]
    }

    fn recomputed(&self, cell: Cell) -> bool {
        self.costs.recompute.applies(cell.micro_batch, self.costs.sizes.len())
    }

    /// The instruction in time; `None` while what it waits for has not been sent.
    fn span(&self, rank: usize, step: Instruction, previous: Option<usize>) -> Option<Span> {
        let free = previous.map_or(0.0, |at| self.spans[at].end_us);
        let (mut start_us, mut after) = (free, previous);
        let waits_for = match step {
            Instruction::RecvActivation(cell) => Some((self.schedule.stage(rank, cell.chunk), cell.micro_batch, true)),
            Instruction::RecvGradient(cell) => Some((self.schedule.stage(rank, cell.chunk), cell.micro_batch, false)),
            _ => None,
        };
        if let Some(message) = waits_for {
            let arrival = self.arrivals[self.place(message)]?;
            if arrival.at_us > start_us {
                (start_us, after) = (arrival.at_us, Some(arrival.sent_by));
            }
        }
        let end_us = start_us + self.duration(rank, step);
        Some(Span { rank, instruction: step, start_us, end_us, after })
    }

    fn duration(&self, rank: usize, step: Instruction) -> f64 {
        let of = |cell: Cell| (&self.costs.stages[self.schedule.stage(rank, cell.chunk)], self.samples(cell));
        let again = |cell: Cell| {
            let (stage, samples) = of(cell);
            if self.recomputed(cell) { stage.forward.of(samples) } else { 0.0 }
        };
        match step {
            Instruction::Forward(cell) => {
                let (stage, samples) = of(cell);
                stage.forward.of(samples)
            }
            Instruction::Backward(cell) => {
                let (stage, samples) = of(cell);
                again(cell) + stage.backward_input.of(samples) + stage.backward_weight.of(samples)
            }
            Instruction::BackwardInput(cell) => {
                let (stage, samples) = of(cell);
                again(cell) + stage.backward_input.of(samples)
            }
            Instruction::BackwardWeight(cell) => {
                let (stage, samples) = of(cell);
                stage.backward_weight.of(samples)
            }
            Instruction::SendActivation(cell) => self.message(&self.costs.sends, (rank, cell), |of| of.activation),
            Instruction::SendGradient(cell) => self.message(&self.costs.sends, (rank, cell), |of| of.gradient),
            Instruction::RecvActivation(cell) => self.message(&self.costs.receives, (rank, cell), |of| of.activation),
            Instruction::RecvGradient(cell) => self.message(&self.costs.receives, (rank, cell), |of| of.gradient),
            Instruction::ReduceGradients => self.costs.reduce_us,
            Instruction::OptimizerStep => self.costs.step_us,
            Instruction::LoadMicroBatch(_) => 0.0,
        }
    }

    /// What a message takes the rank that sends or receives it; `stages` says it of each, or is empty.
    fn message<T>(&self, stages: &[T], (rank, cell): (usize, Cell), of: fn(&T) -> Duration) -> f64 {
        match stages.get(self.schedule.stage(rank, cell.chunk)) {
            // A pipeline of one rank hands everything to itself.
            Some(stage) if self.schedule.ranks() > 1 => of(stage).of(self.samples(cell)),
            _ => 0.0,
        }
    }

    /// Messages, bytes and busy time that follow from a span; it is the last of `spans`.
    fn account(&mut self, span: &Span) {
        let Span { rank, instruction: step, start_us, end_us, .. } = *span;
        if step.computes() {
            self.busy_us[rank] += end_us - start_us;
        } else if matches!(step, Instruction::SendActivation(_) | Instruction::SendGradient(_)) {
            self.sending_us[rank] += end_us - start_us;
        }
        let Some(cell) = step.cell() else { return };
        let (index, samples) = (self.schedule.stage(rank, cell.chunk), self.samples(cell) as u64);
        let stage = self.costs.stages[index];
        let (input, output) = (samples * stage.input_bytes, samples * stage.output_bytes);
        let kept = samples * stage.kept_bytes;
        let again = self.recomputed(cell);
        let at_most = if again { kept.max(input) } else { kept };
        let last = index + 1 == self.costs.stages.len();
        match step {
            Instruction::SendActivation(_) => self.send(rank, (index + 1, cell.micro_batch, true), output, end_us),
            Instruction::SendGradient(_) => self.send(rank, (index - 1, cell.micro_batch, false), input, end_us),
            // An input that waited since its arrival becomes what the forward pass keeps.
            Instruction::RecvActivation(_) => {
                let arrived = self.arrived((index, cell.micro_batch, true));
                self.held[rank].take(arrived, input);
                self.held[rank].give_back(end_us, input);
            }
            Instruction::Forward(_) if again => self.held[rank].take(start_us, input),
            Instruction::Forward(_) => self.held[rank].take(start_us, kept),
            Instruction::Backward(_) | Instruction::BackwardInput(_) => {
                if again {
                    self.held[rank].take(start_us, kept.saturating_sub(input));
                }
                let whole = matches!(step, Instruction::Backward(_));
                if !last {
                    let arrived = self.arrived((index, cell.micro_batch, false));
                    self.held[rank].take(arrived, output);
                    // The gradients of the parameters need the gradient of the output once more.
                    if whole {
                        self.held[rank].give_back(end_us, output);
                    }
                }
                if whole {
                    self.held[rank].give_back(end_us, at_most);
                }
            }
            Instruction::BackwardWeight(_) => {
                if !last {
                    self.held[rank].give_back(end_us, output);
                }
                self.held[rank].give_back(end_us, at_most);
            }
            _ => {}
        }
    }

    fn send(&mut self, rank: usize, message: Message, bytes: u64, at_us: f64) {
        let sent_by = self.spans.len() - 1;
        if message.0 % self.schedule.ranks() == rank {
            // The next stage is another chunk of the same rank: nothing travels.
            let place = self.place(message);
            self.arrivals[place] = Some(Arrival { at_us, sent_by });
            return;
        }
        let way = &mut self.ways_us[rank][usize::from(!message.2)];
        let begun = way.max(at_us);
        *way = begun + bytes as f64 / self.costs.link.bytes_per_us;
        let at_us = *way + self.costs.link.latency_us;
        let place = self.place(message);
        self.arrivals[place] = Some(Arrival { at_us, sent_by });
    }
}
