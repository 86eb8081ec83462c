//! Places for inputs and outputs that are made once for each number of rows and used again: on the CPU, where shapes are
//! known. What they hold is bounded, the one not used for longest goes first.

use ort::memory::Allocator;
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::DynTensor;
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{Signature, TensorSpec};

use super::{batch, value, views};
use crate::instance::{Inputs, RunError};

/// Most numbers of rows for which places are kept.
const PLACES_MAX: usize = 16;
/// Most bytes of all places of a session together; one place alone may be larger and is not kept.
const BYTES_MAX: usize = 64 << 20;

/// The places of a session.
#[derive(Default)]
pub(super) struct Places {
    /// The last used is the last.
    kept: Vec<Place>,
}

struct Place {
    rows: usize,
    bytes: usize,
    inputs: Vec<DynTensor>,
    outputs: Vec<DynTensor>,
    binding: IoBinding,
}

impl Places {
    /// Whether the shapes of a model are known when its rows are.
    pub(super) fn serve(signature: &Signature) -> bool {
        let batches = signature.batches();
        let known = |spec: &TensorSpec| batch::fixed(spec, 1, batches).is_some();
        signature.inputs.iter().chain(&signature.outputs).all(known)
    }

    /// Computes `callers` as one batch.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        signature: &Signature,
        callers: &[&Inputs],
        options: &RunOptions,
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        let rows = callers.iter().map(|inputs| inputs.rows).sum();
        let mut place = match self.kept.iter().position(|place| place.rows == rows) {
            Some(index) => self.kept.remove(index),
            None => Place::new(session, signature, rows)?,
        };
        let ran = place.run(session, signature, callers, options);
        if ran.is_ok() {
            self.keep(place);
        }
        ran
    }

    fn keep(&mut self, place: Place) {
        self.kept.push(place);
        while self.kept.len() > PLACES_MAX || self.kept.iter().map(|place| place.bytes).sum::<usize>() > BYTES_MAX {
            self.kept.remove(0);
        }
    }
}

/// The runtime said no, or the batch was refused before.
pub(super) enum Error {
    Runtime(ort::Error),
    Refused(RunError),
}

impl From<ort::Error> for Error {
    fn from(error: ort::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::Refused(error)
    }
}

impl Place {
    fn new(session: &Session, signature: &Signature, rows: usize) -> Result<Self, Error> {
        let batches = signature.batches();
        let allocator = Allocator::default();
        let zeros = |spec: &TensorSpec| {
            let shape = batch::fixed(spec, rows, batches).unwrap_or_default();
            value::zeros(&allocator, spec.element, &shape)
        };
        let inputs = signature.inputs.iter().map(zeros).collect::<ort::Result<Vec<_>>>()?;
        let mut outputs = signature.outputs.iter().map(zeros).collect::<ort::Result<Vec<_>>>()?;
        let mut binding = session.create_binding()?;
        for (spec, input) in signature.inputs.iter().zip(&inputs) {
            binding.bind_input(spec.name.as_str(), input)?;
        }
        for (spec, output) in signature.outputs.iter().zip(&mut outputs) {
            binding.bind_output(spec.name.as_str(), output)?;
        }
        let bytes = inputs.iter().chain(&outputs).filter_map(|tensor| tensor.size()).sum();
        Ok(Self { rows, bytes, inputs, outputs, binding })
    }

    fn run(
        &mut self,
        session: &mut Session,
        signature: &Signature,
        callers: &[&Inputs],
        options: &RunOptions,
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        for (index, input) in self.inputs.iter_mut().enumerate() {
            let parts: Vec<_> = callers.iter().map(|inputs| inputs.tensors[index].data()).collect();
            let unwritable = || RunError::Failed("an input cannot be written".to_owned());
            batch::gather(&parts, views::bytes_mut(input).ok_or_else(unwritable)?)?;
        }
        drop(session.run_binding_with_options(&self.binding, options)?);
        let rows: Vec<usize> = callers.iter().map(|inputs| inputs.rows).collect();
        let mut given: Vec<Vec<Tensor>> = callers.iter().map(|_| Vec::with_capacity(self.outputs.len())).collect();
        for (spec, output) in signature.outputs.iter().zip(&self.outputs) {
            let unreadable = || RunError::Failed("an output cannot be read".to_owned());
            let data = views::bytes(output).ok_or_else(unreadable)?;
            let shape = batch::fixed(spec, self.rows, signature.batches()).unwrap_or_default();
            batch::hand_out(spec.element, &shape, data, &rows, signature.batches().then_some(self.rows), &mut given)?;
        }
        Ok(given)
    }
}
