//! A model that goes step by step and carries what it knows from one to the next, such as a language model: what is carried
//! stays the runtime's own, and is not copied on the way.

use std::sync::Arc;

use ort::AsPointer;
use ort::memory::Allocator;
use ort::session::{RunOptions, Session as OrtSession};
use ort::sys;
use ort::value::{DynTensor, DynValue};
use timeloom_domain::inference::{Signature, Tensor, TensorSpec};

use super::bound::Error;
use super::error::LoadError;
use super::session::run_error;
use super::{free, value, views};
use crate::instance::{End, RunError, Stop};

/// An output that is an input of the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The input's name.
    pub input: String,
    /// The output's name.
    pub output: String,
}

/// A loaded model that goes step by step. One thread owns it.
pub struct Steps {
    session: OrtSession,
    signature: Signature,
    /// Places of carried inputs and outputs in the signature.
    carried: Vec<(usize, usize)>,
    /// What is carried, in the order of `carried`; nothing before the first step.
    state: Vec<Carry>,
    run_options: Arc<RunOptions>,
    end: End,
}

/// What is carried: nothing yet, or what a step gave.
enum Carry {
    Nothing(DynTensor),
    Given(DynValue),
}

impl Carry {
    fn pointer(&self) -> *const sys::OrtValue {
        match self {
            Self::Nothing(tensor) => tensor.ptr(),
            Self::Given(value) => value.ptr(),
        }
    }
}

impl Steps {
    pub(super) fn new(session: OrtSession, carried: &[Carried]) -> Result<Self, LoadError> {
        let signature = value::signature(&session)?;
        let place = |specs: &[TensorSpec], name: &str| {
            let found = specs.iter().position(|spec| spec.name == name);
            found.ok_or_else(|| LoadError::Rejected(format!("it has no '{name}' to carry")))
        };
        let places = carried.iter().map(|carried| {
            let (input, output) =
                (place(&signature.inputs, &carried.input)?, place(&signature.outputs, &carried.output)?);
            if signature.inputs[input].element == signature.outputs[output].element {
                Ok((input, output))
            } else {
                Err(LoadError::Rejected(format!("'{}' and '{}' differ in type", carried.input, carried.output)))
            }
        });
        let carried = places.collect::<Result<Vec<_>, _>>()?;
        let run_options = Arc::new(RunOptions::new().map_err(super::model::rejected)?);
        let terminate = Arc::clone(&run_options);
        let end: End = Arc::new(move || {
            // It only sets a flag in memory: there is nothing that could be done about a no.
            let _ = terminate.terminate();
        });
        Ok(Self { session, signature, carried, state: Vec::new(), run_options, end })
    }

    /// What it takes and gives, what is carried too.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Forgets what is carried: the next step is a first one.
    pub fn restart(&mut self) {
        self.state.clear();
    }

    /// Goes one step. `fresh` has the inputs that are not carried; gives the outputs that are not carried, in the order of
    /// the signature. After an error nothing is carried.
    ///
    /// # Errors
    /// When the inputs do not fit, it is stopped, or the runtime fails.
    pub fn step(&mut self, fresh: &[(&str, Tensor)], stop: &Stop) -> Result<Vec<Tensor>, RunError> {
        if stop.is_stopped() {
            return Err(RunError::Stopped);
        }
        if self.state.is_empty() {
            self.state = self.nothing()?;
        }
        let during = stop.during(Arc::clone(&self.end));
        let stepped = self.run(fresh);
        drop(during);
        if stop.is_stopped() {
            self.run_options.unterminate().map_err(|error| RunError::Failed(error.to_string()))?;
        }
        match stepped {
            Ok(given) if !stop.is_stopped() => Ok(given),
            stepped => {
                self.restart();
                let failed = |error| match error {
                    Error::Refused(error) => error,
                    Error::Runtime(error) => run_error(&error, 1),
                };
                Err(if stop.is_stopped() {
                    RunError::Stopped
                } else {
                    stepped.map_err(failed).err().unwrap_or(RunError::Stopped)
                })
            }
        }
    }

    fn run(&mut self, fresh: &[(&str, Tensor)]) -> Result<Vec<Tensor>, Error> {
        let mut made: Vec<(usize, DynTensor)> = Vec::with_capacity(fresh.len());
        for (place, spec) in self.signature.inputs.iter().enumerate() {
            if self.carried.iter().all(|(input, _)| *input != place) {
                made.push((place, input(spec, fresh)?));
            }
        }
        let mut pointers = vec![std::ptr::null(); self.signature.inputs.len()];
        for (place, tensor) in &made {
            pointers[*place] = tensor.ptr();
        }
        for ((place, _), carry) in self.carried.iter().zip(&self.state) {
            pointers[*place] = carry.pointer();
        }
        let outputs = free::outputs(&mut self.session, &self.signature, &pointers, &self.run_options)?;
        let mut outputs: Vec<Option<DynValue>> = outputs.into_iter().map(Some).collect();
        let mut state = Vec::with_capacity(self.carried.len());
        for (_, output) in &self.carried {
            let twice = || RunError::Failed("an output is carried twice".to_owned());
            state.push(Carry::Given(outputs[*output].take().ok_or_else(twice)?));
        }
        self.state = state;
        let mut given = Vec::new();
        for (spec, output) in self.signature.outputs.iter().zip(outputs) {
            if let Some(output) = output {
                let (shape, data) = value::take(&output, spec.element)?;
                given.push(value::tensor(spec.element, shape, data)?);
            }
        }
        Ok(given)
    }

    /// What is carried before the first step: one row of no length.
    fn nothing(&self) -> Result<Vec<Carry>, RunError> {
        let allocator = Allocator::default();
        let empty = |(input, _): &(usize, usize)| {
            let spec = &self.signature.inputs[*input];
            let free = |(axis, length): (usize, &Option<u64>)| match length {
                Some(length) => usize::try_from(*length).unwrap_or(usize::MAX),
                None => usize::from(axis == 0),
            };
            let shape: Vec<usize> = spec.shape.iter().enumerate().map(free).collect();
            // What it holds is bounded by a tensor's own bound, whatever a model says of it.
            Tensor::new(spec.element, shape.clone(), bytes::Bytes::new())
                .map_err(|error| RunError::Unfit(format!("'{}' cannot begin empty: {error}", spec.name)))?;
            let tensor = value::zeros(&allocator, spec.element, &shape);
            tensor.map(Carry::Nothing).map_err(|error| RunError::Failed(error.to_string()))
        };
        self.carried.iter().map(empty).collect()
    }
}

/// The tensor of an input that is not carried.
fn input(spec: &TensorSpec, fresh: &[(&str, Tensor)]) -> Result<DynTensor, RunError> {
    let unfit = |why: &str| RunError::Unfit(format!("'{}' {why}", spec.name));
    let (_, tensor) = fresh.iter().find(|(name, _)| *name == spec.name).ok_or_else(|| unfit("is missing"))?;
    let length = |(wanted, found): (&Option<u64>, &usize)| wanted.is_none_or(|wanted| wanted == *found as u64);
    let fits = tensor.element() == spec.element
        && tensor.shape().len() == spec.shape.len()
        && spec.shape.iter().zip(tensor.shape()).all(length);
    if !fits || spec.element.bytes().is_none() {
        return Err(unfit("has another type or shape"));
    }
    let failed = |error: ort::Error| RunError::Failed(error.to_string());
    let mut made = value::zeros(&Allocator::default(), spec.element, tensor.shape()).map_err(failed)?;
    let place = views::bytes_mut(&mut made).filter(|place| place.len() == tensor.data().len());
    place.ok_or_else(|| unfit("cannot be written"))?.copy_from_slice(tensor.data());
    Ok(made)
}
