//! One batch: the instructions, and what each of them does.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use recspeed_plan::{Cell, Instruction, Schedule};

use super::cells::{Cells, Flight};
use super::{Batch, Rank};
use crate::model::Noise;
use crate::training::error::TrainError;
use crate::training::ledger::Account;
use crate::training::meter::{Done, Meter};
use crate::training::stage::numbers;
use crate::training::strategy::MicroBatch;
use crate::{Communicator, Tag, Transport};

/// What lasts for one batch.
struct Trip<'b, 'm> {
    batch: &'b Batch<'b>,
    rows: usize,
    cut: Vec<MicroBatch>,
    schedule: Rc<Schedule>,
    cells: Cells<'m>,
    /// The tensor that the last receive brought, or that the next send takes.
    hand: Option<Tensor<2>>,
    /// Messages to another chunk of this rank: nothing travels. By the stage, the micro-batch, and whether they go forward.
    own: HashMap<(usize, usize, bool), Tensor<2>>,
    loss: f64,
}

impl Trip<'_, '_> {
    fn noise(&self, cell: Cell) -> Noise {
        Noise::new(self.batch.noise, self.rows, self.cut[cell.micro_batch].rows.clone())
    }

    /// The share of the batch that a micro-batch counts for.
    fn share(&self, cell: Cell) -> f64 {
        let MicroBatch { rows, counts } = &self.cut[cell.micro_batch];
        if *counts { rows.len() as f64 / self.rows as f64 } else { 0.0 }
    }
}

const FORWARD: &str = "activation";
const BACK: &str = "gradient";

impl<'m, T: Transport> Rank<'m, T> {
    /// Learns from one batch; every rank calls it with the same one. Gives the loss before the update, the same on every rank.
    ///
    /// # Errors
    /// [`TrainError`]; where the loss or the gradient is not finite, every rank has the same error and no parameter has moved.
    pub async fn step(&mut self, batch: &Batch<'_>) -> Result<f64, TrainError> {
        let rows = batch.input.dims()[0];
        let cut = self.strategy.cut(rows, self.place.replica)?;
        let schedule = if cut.len() == self.schedule.micro_batches() {
            self.schedule.clone()
        } else {
            Rc::new(self.strategy.schedule(cut.len())?)
        };
        let cells = Cells::new(schedule.buffers(self.place.stage));
        let list = schedule.list(self.place.stage).to_vec();
        let mut trip = Trip { batch, rows, cut, schedule, cells, hand: None, own: HashMap::new(), loss: 0.0 };
        for instruction in list {
            let start_us = self.all.now_us();
            self.carry_out(instruction, &mut trip).await?;
            let end_us = self.all.now_us();
            let again_us = std::mem::take(&mut self.meter.again_us);
            if let Some(timeline) = &mut self.meter.timeline {
                timeline.push(Done { instruction, start_us, end_us, again_us });
            }
        }
        Ok(trip.loss)
    }

    async fn carry_out(&mut self, instruction: Instruction, trip: &mut Trip<'_, 'm>) -> Result<(), TrainError> {
        match instruction {
            // The batch is at hand.
            Instruction::LoadMicroBatch(_) => {}
            Instruction::RecvActivation(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                let shape = self.shape(stage, trip, cell);
                trip.hand = Some(self.receive(trip, (stage, cell.micro_batch, true), shape).await?);
            }
            Instruction::SendActivation(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                self.send(trip, (stage + 1, cell.micro_batch, true)).await?;
            }
            Instruction::RecvGradient(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                let shape = self.shape(stage + 1, trip, cell);
                let slope = self.receive(trip, (stage, cell.micro_batch, false), shape).await?;
                let bytes = 4 * (shape[0] * shape[1]) as u64;
                self.meter.ledger.take(Account::Activations, bytes);
                let flight = trip.cells.get(cell);
                flight.bytes += bytes;
                flight.slope = Some(slope);
            }
            Instruction::SendGradient(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                self.send(trip, (stage - 1, cell.micro_batch, false)).await?;
            }
            Instruction::Forward(cell) => self.forward(cell, trip).await?,
            Instruction::Backward(cell) => {
                self.backward_input(cell, trip).await?;
                self.backward_weight(cell, trip).await?;
            }
            Instruction::BackwardInput(cell) => self.backward_input(cell, trip).await?,
            Instruction::BackwardWeight(cell) => self.backward_weight(cell, trip).await?,
            Instruction::ReduceGradients => {
                for stage in &mut self.stages {
                    stage.reduce(&self.replicas, &mut self.meter).await?;
                }
            }
            Instruction::OptimizerStep => self.update(trip).await?,
        }
        Ok(())
    }

    fn shape(&self, stage: usize, trip: &Trip<'_, 'm>, cell: Cell) -> [usize; 2] {
        let first = self.strategy.partition.layers(stage).start;
        self.model.boundary(first, trip.cut[cell.micro_batch].rows.len())
    }

    fn layers(&self, trip: &Trip<'_, 'm>, cell: Cell) -> Range<usize> {
        self.strategy.partition.layers(trip.schedule.stage(self.place.stage, cell.chunk))
    }

    async fn forward(&mut self, cell: Cell, trip: &mut Trip<'_, 'm>) -> Result<(), TrainError> {
        let (layers, rows) = (self.layers(trip, cell), trip.cut[cell.micro_batch].rows.clone());
        let input = match trip.hand.take() {
            Some(received) => received,
            None if rows.len() == trip.rows => trip.batch.input.clone(),
            None => trip.batch.input.clone().slice([rows.clone(), 0..trip.batch.input.dims()[1]]),
        };
        let again = self.strategy.recompute.applies(cell.micro_batch, trip.cut.len());
        let kept = input.clone();
        let pass = self.pass(cell, input, trip).await?;
        let mut slope = None;
        if layers.end == self.model.parameters().len() {
            let (value, by_scores) = (trip.batch.judge)(pass.output(), rows.clone());
            let share = trip.share(cell);
            // Ranks that share the last layer have the same scores: one of them tells.
            if share > 0.0 && self.place.tensor == 0 {
                trip.loss += value * share;
            }
            slope = Some(if share < 1.0 { by_scores * share as f32 } else { by_scores });
        } else {
            trip.hand = Some(pass.output());
        }
        let flight = if again {
            let bytes = 4 * kept.dims().iter().product::<usize>() as u64;
            Flight { pass: None, input: Some(kept), slope, bytes }
        } else {
            Flight { pass: Some(pass), input: None, slope, bytes: self.kept_bytes(&layers, rows.len()) }
        };
        self.meter.ledger.take(Account::Activations, flight.bytes);
        trip.cells.begin(cell, flight);
        Ok(())
    }

    fn kept_bytes(&self, layers: &Range<usize>, rows: usize) -> u64 {
        4 * (rows * self.model.kept(layers.clone())) as u64
    }

    /// Takes a micro-batch through the layers of a stage.
    async fn pass(
        &mut self,
        cell: Cell,
        input: Tensor<2>,
        trip: &Trip<'_, 'm>,
    ) -> Result<Box<dyn crate::model::Pass + 'm>, TrainError> {
        let (layers, noise) = (self.layers(trip, cell), trip.noise(cell));
        let stage = &self.stages[cell.chunk];
        let mut pass = self.model.begin(layers.clone(), input);
        for layer in layers {
            let bytes = stage.gathered_bytes(layer);
            self.meter.ledger.take(Account::Transient, bytes);
            let weights = stage.weights(layer, &self.replicas, &mut self.meter).await?;
            pass.forward(layer, weights, &noise);
            if self.model.sums(layer).output {
                let sum = summed(&self.sharers, pass.output(), &mut self.meter).await?;
                pass.complete(layer, sum, &noise);
            }
            self.meter.ledger.give_back(Account::Transient, bytes);
        }
        Ok(pass)
    }

    async fn backward_input(&mut self, cell: Cell, trip: &mut Trip<'_, 'm>) -> Result<(), TrainError> {
        let (layers, rows) = (self.layers(trip, cell), trip.cut[cell.micro_batch].rows.len());
        if let Some(input) = trip.cells.get(cell).input.take() {
            let more = self.kept_bytes(&layers, rows).saturating_sub(4 * input.dims().iter().product::<usize>() as u64);
            self.meter.ledger.take(Account::Activations, more);
            let begun = self.all.now_us();
            let pass = self.pass(cell, input, trip).await?;
            self.meter.again_us = self.all.now_us().saturating_sub(begun);
            let flight = trip.cells.get(cell);
            flight.bytes += more;
            flight.pass = Some(pass);
        }
        let flight = trip.cells.get(cell);
        let slope = flight.slope.take().expect("the loss or the stage after has said how");
        let pass = flight.pass.as_mut().expect("computed, or computed again above");
        pass.begin_backward(slope);
        let stage = &self.stages[cell.chunk];
        for layer in layers.clone().rev() {
            let bytes = stage.gathered_bytes(layer);
            self.meter.ledger.take(Account::Transient, bytes);
            let weights = stage.weights(layer, &self.replicas, &mut self.meter).await?;
            pass.backward_input(layer, weights, layer > 0);
            if layer > 0 && self.model.sums(layer).slope {
                let sum = summed(&self.sharers, pass.input_slope(), &mut self.meter).await?;
                pass.begin_backward(sum);
            }
            self.meter.ledger.give_back(Account::Transient, bytes);
        }
        if layers.start > 0 {
            trip.hand = Some(pass.input_slope());
        }
        Ok(())
    }

    async fn backward_weight(&mut self, cell: Cell, trip: &mut Trip<'_, 'm>) -> Result<(), TrainError> {
        let layers = self.layers(trip, cell);
        let flight = trip.cells.end(cell);
        let mut pass = flight.pass.expect("the gradient of the input comes first");
        for layer in layers.rev() {
            let gradient = pass.backward_weight(layer);
            self.stages[cell.chunk].add_gradient(layer, gradient, &self.replicas, &mut self.meter).await?;
        }
        self.meter.ledger.give_back(Account::Activations, flight.bytes);
        Ok(())
    }

    async fn update(&mut self, trip: &mut Trip<'_, 'm>) -> Result<(), TrainError> {
        // What all must know before anybody moves: the loss, and where the gradient is clipped its length.
        let squares = self.learning.clip.map_or(0.0, |_| self.stages.iter().map(super::Stage::squares).sum());
        let mut known = [trip.loss, squares];
        self.all.all_reduce(&mut known).await?;
        let [loss, squares] = known;
        if !loss.is_finite() {
            return Err(TrainError::Loss(loss));
        }
        let factor = match self.learning.clip {
            None => 1.0,
            Some(longest) => {
                let norm = squares.sqrt();
                if !norm.is_finite() {
                    return Err(TrainError::Gradient(norm));
                }
                (longest / (norm + 1e-6)).min(1.0) as f32
            }
        };
        for stage in &mut self.stages {
            let how = (&self.learning.rule, self.learning.rate, factor);
            stage.update(how, &self.replicas, &mut self.meter).await?;
        }
        self.steps += 1;
        trip.loss = loss;
        Ok(())
    }

    async fn send(&mut self, trip: &mut Trip<'_, 'm>, to: (usize, usize, bool)) -> Result<(), TrainError> {
        let tensor = trip.hand.take().expect("a send follows what it sends");
        let peer = to.0 % trip.schedule.ranks();
        if peer == self.place.stage {
            trip.own.insert(to, tensor);
            return Ok(());
        }
        Ok(self.pipeline.send(peer, tag(trip, to), &numbers(&tensor)).await?)
    }

    async fn receive(
        &mut self,
        trip: &mut Trip<'_, 'm>,
        what: (usize, usize, bool),
        shape: [usize; 2],
    ) -> Result<Tensor<2>, TrainError> {
        let (stage, _, forward) = what;
        if let Some(tensor) = trip.own.remove(&what) {
            return Ok(tensor);
        }
        let from = if forward { stage - 1 } else { stage + 1 } % trip.schedule.ranks();
        let numbers: Vec<f32> = self.pipeline.recv_exactly(from, tag(trip, what), shape[0] * shape[1]).await?;
        Ok(Tensor::from_data(TensorData::new(numbers, shape), &trip.batch.input.device()))
    }
}

/// The sum over the ranks that share a layer, in the order of ranks: the same bits on all of them.
async fn summed<T: Transport>(
    sharers: &Communicator<T>,
    own: Tensor<2>,
    meter: &mut Meter,
) -> Result<Tensor<2>, TrainError> {
    if sharers.ranks() == 1 {
        return Ok(own);
    }
    let (shape, device) = (own.dims(), own.device());
    let mut sum = numbers(&own);
    let bytes = 4 * sum.len() as u64;
    meter.ledger.take(Account::Transient, bytes);
    let before = sharers.counters().sent_bytes;
    sharers.all_reduce(&mut sum).await?;
    meter.traffic.shared += sharers.counters().sent_bytes - before;
    meter.ledger.give_back(Account::Transient, bytes);
    Ok(Tensor::from_data(TensorData::new(sum, shape), &device))
}

fn tag(trip: &Trip<'_, '_>, (stage, micro_batch, forward): (usize, usize, bool)) -> Tag {
    let number = stage * trip.schedule.micro_batches() + micro_batch;
    Tag::new(if forward { FORWARD } else { BACK }, number as u64)
}
