//! One batch: the instructions, and what each of them does.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use recspeed_plan::{Cell, Collective, Instruction, Schedule};

use super::cells::{Cells, Flight};
use super::tables::{Looked, Reader};
use super::{Rank, sharers};
use crate::model::{Model, Noise, Pass, StepNoise, Sum};
use crate::training::batch::{Batch, MicroBatch};
use crate::training::error::TrainError;
use crate::training::ledger::Account;
use crate::training::meter::Moment;
use crate::training::stage::{Number, bytes};
use crate::training::strategy::Cut;
use crate::{Tag, Transport};

/// What lasts for one batch.
struct Trip<'b> {
    /// Rows of the batch.
    rows: usize,
    noise: StepNoise,
    /// The micro-batches of this replica: their rows, and what these are.
    cut: Vec<Cut>,
    micro_batches: &'b [Box<dyn MicroBatch + 'b>],
    schedule: Rc<Schedule>,
    cells: Cells<'b>,
    /// The tensor that the last receive brought, or that the next send takes.
    hand: Option<Tensor<2>>,
    /// Messages to another chunk of this rank: nothing travels. By the stage, the micro-batch, and whether they go forward.
    own: HashMap<(usize, usize, bool), Tensor<2>>,
    loss: f64,
    /// What the micro-batches looked up, and what is to be said of it.
    looked: Looked,
}

impl<'b> Trip<'b> {
    fn noise(&self, cell: Cell) -> Noise {
        Noise::new(self.noise, self.rows, self.cut[cell.micro_batch].rows.clone())
    }

    /// The share of the batch's loss that a micro-batch counts for.
    fn share(&self, cell: Cell) -> f64 {
        if self.cut[cell.micro_batch].counts { self.micro_batches[cell.micro_batch].share() } else { 0.0 }
    }

    fn model(&self, cell: Cell) -> &'b dyn Model {
        self.micro_batches[cell.micro_batch].model()
    }

    fn rows(&self, cell: Cell) -> usize {
        self.cut[cell.micro_batch].rows.len()
    }
}

const FORWARD: &str = "activation";
const BACK: &str = "gradient";

impl<T: Transport, F: Number> Rank<'_, T, F> {
    /// Learns from one batch; every rank calls it with the same one. Gives the loss before the update, the same on every rank.
    ///
    /// # Errors
    /// [`TrainError`]; where the loss, a gradient of a table's rows or, with clipping, the gradient's length is not finite, every
    /// rank has the same error and no parameter has moved. Without clipping nobody looks at the gradients of the layers: one that
    /// is not finite moves their parameters, and the next step's loss says so. To look would be one more pass over
    /// a rank's shard at each step, and one more wait for a GPU.
    pub async fn step(&mut self, batch: &dyn Batch) -> Result<f64, TrainError> {
        let rows = batch.rows();
        let before = self.all.counters();
        self.meter.begin_step();
        let cut = self.strategy.cut(rows, self.place.replica)?;
        let (schedule, buffers) = if cut.len() == self.schedule.micro_batches() {
            (self.schedule.clone(), self.buffers.clone())
        } else {
            let schedule = self.strategy.schedule(cut.len())?;
            let buffers = schedule.buffers(self.place.stage);
            (Rc::new(schedule), Rc::new(buffers))
        };
        let micro_batches: Vec<Box<dyn MicroBatch + '_>> =
            cut.iter().map(|cut| batch.micro_batch(cut.rows.clone())).collect();
        // What only some strategies wait for is boxed, here and below: see `training::stage`.
        let looked = if self.tables.is_some() {
            Box::pin(self.look_up(batch, &micro_batches)).await?
        } else {
            Looked::default()
        };
        let cells = Cells::new(buffers);
        let (list, own) = (schedule.clone(), self.place.stage);
        let mut trip = Trip {
            rows,
            noise: batch.noise(),
            cut,
            micro_batches: &micro_batches,
            schedule,
            cells,
            hand: None,
            own: HashMap::new(),
            loss: 0.0,
            looked,
        };
        for &instruction in list.list(own) {
            // Some transports move messages only while they are called: here, and between layers below.
            self.all.progress();
            let begun = self.moment();
            if begun.is_some() {
                self.meter.begin_instruction(instruction);
            }
            self.carry_out(instruction, batch, &mut trip).await?;
            if let Some((begun, ended)) = begun.zip(self.moment()) {
                self.meter.end_instruction(instruction, begun, ended);
            }
        }
        self.meter.end_step(before, self.all.counters());
        Ok(trip.loss)
    }

    /// The time in a step that is told, once the device has done what it was given: a GPU is given kernels, and
    /// computes them when it comes to them. `None` in other steps, which wait for nothing.
    fn moment(&self) -> Option<Moment> {
        self.meter.timeline.as_ref()?;
        // A tab may not wait for a device, and has none to wait for: flex computes on the thread that calls it. A
        // device that has failed says so where its numbers are read next, as in a step that is not told.
        #[cfg(not(target_arch = "wasm32"))]
        let _ = self.device.sync();
        Some(Moment { us: self.all.now_us(), counters: self.all.counters() })
    }

    async fn carry_out(
        &mut self,
        instruction: Instruction,
        batch: &dyn Batch,
        trip: &mut Trip<'_>,
    ) -> Result<(), TrainError> {
        match instruction {
            // The batch is at hand.
            Instruction::LoadMicroBatch(_) => {}
            Instruction::RecvActivation(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                let shape = self.shape(stage, trip, cell);
                trip.hand = Some(Box::pin(self.receive(trip, (stage, cell.micro_batch, true), shape)).await?);
            }
            Instruction::SendActivation(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                Box::pin(self.send(trip, (stage + 1, cell.micro_batch, true))).await?;
            }
            Instruction::RecvGradient(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                let shape = self.shape(stage + 1, trip, cell);
                let slope = Box::pin(self.receive(trip, (stage, cell.micro_batch, false), shape)).await?;
                let bytes = bytes::<F>(shape[0] * shape[1]);
                self.meter.ledger.take(Account::Activations, bytes);
                let flight = trip.cells.get(cell);
                flight.bytes += bytes;
                flight.slope = Some(slope);
            }
            Instruction::SendGradient(cell) => {
                let stage = trip.schedule.stage(self.place.stage, cell.chunk);
                Box::pin(self.send(trip, (stage - 1, cell.micro_batch, false))).await?;
            }
            Instruction::Forward(cell) => self.forward(cell, trip).await?,
            Instruction::Backward(cell) => {
                self.backward_input(cell, true, trip).await?;
                self.end(trip.cells.end(cell).bytes);
            }
            Instruction::BackwardInput(cell) => self.backward_input(cell, false, trip).await?,
            Instruction::BackwardWeight(cell) => self.backward_weight(cell, trip).await?,
            Instruction::ReduceGradients => {
                for stage in &mut self.stages {
                    stage.reduce(&self.replicas, &mut self.meter).await?;
                }
                if self.tables.is_some() {
                    Box::pin(self.give_back(batch, &mut trip.looked)).await?;
                }
            }
            Instruction::OptimizerStep => self.update(trip).await?,
        }
        Ok(())
    }

    fn shape(&self, stage: usize, trip: &Trip<'_>, cell: Cell) -> [usize; 2] {
        let first = self.strategy.partition.layers(stage).start;
        trip.model(cell).boundary(first, trip.rows(cell))
    }

    fn layers_of(&self, trip: &Trip<'_>, cell: Cell) -> Range<usize> {
        self.strategy.partition.layers(trip.schedule.stage(self.place.stage, cell.chunk))
    }

    /// Bytes that a stage keeps of a micro-batch from its forward pass on.
    fn kept_bytes(&self, trip: &Trip<'_>, cell: Cell) -> u64 {
        let (model, layers, rows) = (trip.model(cell), self.layers_of(trip, cell), trip.rows(cell));
        let lends = self.stages[cell.chunk].lends();
        bytes::<F>(if lends { model.kept_of_lent(layers, rows) } else { model.kept(layers, rows) })
    }

    async fn forward(&mut self, cell: Cell, trip: &mut Trip<'_>) -> Result<(), TrainError> {
        let (mut pass, kept) = self.begin(cell, trip);
        self.go_through(cell, pass.as_mut(), trip).await?;
        self.arrive(cell, pass, kept, trip);
        Ok(())
    }

    /// Begins to take a micro-batch through the layers of a stage; also what enters, where they are computed again.
    fn begin<'b>(&self, cell: Cell, trip: &mut Trip<'b>) -> (Box<dyn Pass + 'b>, Option<Tensor<2>>) {
        let (layers, micro_batch) = (self.layers_of(trip, cell), &trip.micro_batches[cell.micro_batch]);
        let input = match trip.hand.take() {
            Some(received) => received,
            None => micro_batch.input(&trip.looked.rows(cell.micro_batch, Reader::Input)),
        };
        let again = self.strategy.recompute.applies(cell.micro_batch, trip.cut.len());
        let kept = again.then(|| input.clone());
        (trip.model(cell).begin(layers, input), kept)
    }

    /// A micro-batch has come through the layers of a stage: its loss or what the next one gets, and what is kept.
    fn arrive<'b>(&mut self, cell: Cell, mut pass: Box<dyn Pass + 'b>, kept: Option<Tensor<2>>, trip: &mut Trip<'b>) {
        let (layers, micro_batch) = (self.layers_of(trip, cell), &trip.micro_batches[cell.micro_batch]);
        let mut slope = None;
        if layers.end == self.layers.parameters().len() {
            let judged = micro_batch.judge(pass.put_out(), &trip.looked.rows(cell.micro_batch, Reader::Judge));
            let share = trip.share(cell);
            let by_rows = judged.rows.into_iter().map(|slope| if share < 1.0 { slope * share as f32 } else { slope });
            trip.looked.say(cell.micro_batch, Reader::Judge, by_rows.collect());
            // Ranks that share the last layer have the same scores: one of them tells.
            if share > 0.0 && self.place.tensor == 0 {
                trip.loss += judged.value * share;
            }
            slope = Some(if share < 1.0 { judged.slope * share } else { judged.slope });
        } else {
            trip.hand = Some(pass.put_out());
        }
        let flight = if let Some(kept) = kept {
            let bytes = bytes::<F>(kept.dims().iter().product());
            Flight { pass: None, input: Some(kept), slope, bytes }
        } else {
            Flight { pass: Some(pass), input: None, slope, bytes: self.kept_bytes(trip, cell) }
        };
        self.meter.ledger.take(Account::Activations, flight.bytes);
        trip.cells.begin(cell, flight);
    }

    /// Takes a micro-batch through the layers of a stage.
    async fn go_through(&mut self, cell: Cell, pass: &mut (dyn Pass + '_), trip: &Trip<'_>) -> Result<(), TrainError> {
        let (layers, noise, model) = (self.layers_of(trip, cell), trip.noise(cell), trip.model(cell));
        let stage = &self.stages[cell.chunk];
        for layer in layers {
            self.all.progress();
            let bytes = stage.gathered_bytes(layer);
            self.meter.ledger.take(Account::Transient, bytes);
            let weights = match stage.weights(layer) {
                Some(weights) => weights,
                None => Box::pin(stage.gather_weights(layer, &self.replicas, &mut self.meter)).await?,
            };
            pass.forward(layer, weights, &noise);
            if let Some(sum) = model.exchange(layer).output {
                let own = pass.output();
                let sum = Box::pin(sharers::summed::<T, F>(&self.sharers, own, (layer, sum), &mut self.meter)).await?;
                pass.complete(layer, sum, &noise);
            }
            self.meter.ledger.give_back(Account::Transient, bytes);
        }
        Ok(())
    }

    /// Computes a forward pass again, of what entered it.
    async fn again(&mut self, cell: Cell, input: Tensor<2>, trip: &mut Trip<'_>) -> Result<(), TrainError> {
        let layers = self.layers_of(trip, cell);
        let held = bytes::<F>(input.dims().iter().product());
        let more = self.kept_bytes(trip, cell).saturating_sub(held);
        self.meter.ledger.take(Account::Activations, more);
        self.meter.begin_again();
        let mut pass = trip.model(cell).begin(layers, input);
        self.go_through(cell, pass.as_mut(), trip).await?;
        let ended = self.moment();
        self.meter.end_again(ended);
        let flight = trip.cells.get(cell);
        flight.bytes += more;
        flight.pass = Some(pass);
        Ok(())
    }

    /// `with_weights`: also what each layer says of its parameters, at once, while its slopes are near the processor and before those of
    /// the next layer take their place.
    async fn backward_input(&mut self, cell: Cell, with_weights: bool, trip: &mut Trip<'_>) -> Result<(), TrainError> {
        let layers = self.layers_of(trip, cell);
        if let Some(input) = trip.cells.get(cell).input.take() {
            Box::pin(self.again(cell, input, trip)).await?;
        }
        let (model, rows, looks_up) = (trip.model(cell), trip.rows(cell), self.tables.is_some());
        let flight = trip.cells.get(cell);
        let slope = flight.slope.take().expect("the loss or the stage after has said how");
        let pass = flight.pass.as_mut().expect("computed, or computed again above");
        pass.begin_backward(slope);
        for layer in layers.clone().rev() {
            self.all.progress();
            let (exchange, stage) = (model.exchange(layer), &self.stages[cell.chunk]);
            if let Some(count) = exchange.slopes_of {
                let own = pass.own_slope(layer);
                let what = (layer, count);
                let all = Box::pin(sharers::gathered::<T, F>(&self.sharers, &own, what, &mut self.meter)).await?;
                pass.gathered(layer, all);
            }
            let made_again = if stage.lends() { made_again::<F>(model, layer, rows) } else { 0 };
            let bytes = stage.gathered_bytes(layer) + made_again;
            self.meter.ledger.take(Account::Transient, bytes);
            let weights = match stage.weights(layer) {
                Some(weights) => weights,
                None => Box::pin(stage.gather_weights(layer, &self.replicas, &mut self.meter)).await?,
            };
            pass.backward_input(layer, weights, layer > 0 || looks_up);
            if layer > 0 && exchange.input_slope {
                let (slope, what) = (pass.input_slope(), (layer, Sum::Whole));
                let sum = Box::pin(sharers::summed::<T, F>(&self.sharers, slope, what, &mut self.meter)).await?;
                pass.begin_backward(sum);
            }
            self.meter.ledger.give_back(Account::Transient, bytes);
            if with_weights {
                let (gradient, stage) = (pass.backward_weight(layer), &mut self.stages[cell.chunk]);
                if let Some(divided) = stage.add_gradient(layer, gradient, &mut self.meter) {
                    Box::pin(stage.add_divided(layer, divided, &self.replicas, &mut self.meter)).await?;
                }
            }
        }
        if layers.start > 0 {
            trip.hand = Some(pass.input_slope());
        } else if looks_up {
            let by_rows = trip.micro_batches[cell.micro_batch].by_rows(pass.input_slope());
            trip.looked.say(cell.micro_batch, Reader::Input, by_rows);
        }
        Ok(())
    }

    async fn backward_weight(&mut self, cell: Cell, trip: &mut Trip<'_>) -> Result<(), TrainError> {
        let layers = self.layers_of(trip, cell);
        let flight = trip.cells.end(cell);
        let mut pass = flight.pass.expect("the gradient of the input comes first");
        for layer in layers.rev() {
            self.all.progress();
            let (gradient, stage) = (pass.backward_weight(layer), &mut self.stages[cell.chunk]);
            if let Some(divided) = stage.add_gradient(layer, gradient, &mut self.meter) {
                Box::pin(stage.add_divided(layer, divided, &self.replicas, &mut self.meter)).await?;
            }
        }
        self.end(flight.bytes);
        Ok(())
    }

    /// A micro-batch has come back, and with it what was kept of it.
    fn end(&mut self, kept: u64) {
        self.meter.ledger.give_back(Account::Activations, kept);
    }

    async fn update(&mut self, trip: &mut Trip<'_>) -> Result<(), TrainError> {
        // What all must know before anybody moves: the loss, and where the gradient is clipped its length; of rows of tables
        // whether any gradient is no number.
        let squares = self.learning.clip.map_or(0.0, |_| self.squares());
        let bad = self.tables.as_ref().map(|tables| tables.not_finite().map_or(0.0, f64::from));
        let mut known = [trip.loss, squares, bad.unwrap_or(0.0)];
        if self.all.ranks() > 1 {
            let told = 2 + usize::from(bad.is_some());
            let begun = self.meter.begin_exchange(&self.all);
            Box::pin(self.all.all_reduce(&mut known[..told])).await?;
            self.meter.end_exchange(begun, (Collective::AllReduce, None), &self.all);
        }
        let [loss, squares, bad] = known;
        if !loss.is_finite() {
            return Err(TrainError::Loss(loss));
        }
        if !bad.is_finite() {
            return Err(TrainError::Gradient(bad));
        }
        let factor = match self.learning.clip {
            None => 1.0,
            Some(longest) => {
                let norm = squares.sqrt();
                if !norm.is_finite() {
                    return Err(TrainError::Gradient(norm));
                }
                (longest / (norm + 1e-6)).min(1.0)
            }
        };
        for stage in &mut self.stages {
            let how = (&self.learning.rule, self.learning.rate, factor);
            stage.update(how, &self.replicas, &mut self.meter).await?;
        }
        if let Some(tables) = &mut self.tables {
            tables.update(self.learning.rate, factor as f32, self.steps, &mut self.meter.ledger);
        }
        self.steps += 1;
        trip.loss = loss;
        Ok(())
    }

    async fn send(&mut self, trip: &mut Trip<'_>, to: (usize, usize, bool)) -> Result<(), TrainError> {
        let tensor = trip.hand.take().expect("a send follows what it sends");
        let peer = to.0 % trip.schedule.ranks();
        if peer == self.place.stage {
            trip.own.insert(to, tensor);
            return Ok(());
        }
        // Whatever holds the tensor besides keeps it, and a copy travels; else the numbers go where they lie.
        Ok(self.pipeline.send_message(peer, tag(trip, to), tensor.into_data().into_bytes()).await?)
    }

    async fn receive(
        &mut self,
        trip: &mut Trip<'_>,
        what: (usize, usize, bool),
        shape: [usize; 2],
    ) -> Result<Tensor<2>, TrainError> {
        let (stage, _, forward) = what;
        if let Some(tensor) = trip.own.remove(&what) {
            return Ok(tensor);
        }
        let from = if forward { stage - 1 } else { stage + 1 } % trip.schedule.ranks();
        let expected = shape[0] * shape[1] * size_of::<F>();
        let message = self.pipeline.recv_message_exactly(from, tag(trip, what), expected).await?;
        Ok(Tensor::from_data(TensorData::from_bytes(message, shape, F::dtype()), &self.device))
    }
}

/// Bytes of what the way back of a layer makes again, because the layer's numbers were lent to the forward pass.
fn made_again<F>(model: &dyn Model, layer: usize, rows: usize) -> u64 {
    let (whole, kept) = (model.kept(layer..layer + 1, rows), model.kept_of_lent(layer..layer + 1, rows));
    bytes::<F>(whole.saturating_sub(kept))
}

fn tag(trip: &Trip<'_>, (stage, micro_batch, forward): (usize, usize, bool)) -> Tag {
    let number = stage * trip.schedule.micro_batches() + micro_batch;
    Tag::new(if forward { FORWARD } else { BACK }, number as u64)
}
