//! Computing where shapes are known only when they come: inputs are laid out anew each time, outputs are the runtime's own.
//!
//! The binding takes it for granted that whatever a model gives has a type, and panics where the runtime gave nothing. So
//! this calls the C interface, and looks first.
#![expect(unsafe_code, reason = "the C interface is called; each call says why it holds")]

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};

use bytes::Bytes;
use ort::AsPointer;
use ort::memory::Allocator;
use ort::session::{RunOptions, Session};
use ort::sys;
use ort::value::{DynTensor, DynValue};
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{ElementType, Signature};

use super::bound::Error;
use super::{batch, value, views};
use crate::instance::{Inputs, RunError};

/// Computes `callers` as one batch of `computed` rows.
pub(super) fn run(
    session: &mut Session,
    signature: &Signature,
    callers: &[&Inputs],
    computed: usize,
    options: &RunOptions,
) -> Result<Vec<Vec<Tensor>>, Error> {
    let batches = signature.batches();
    let rows: Vec<usize> = callers.iter().map(|inputs| inputs.rows).collect();
    let made = inputs(signature, callers, computed)?;
    let inputs: Vec<*const sys::OrtValue> = made.iter().map(AsPointer::ptr).collect();
    let outputs = outputs(session, signature, &inputs, options)?;
    let mut given: Vec<Vec<Tensor>> = callers.iter().map(|_| Vec::with_capacity(outputs.len())).collect();
    for (spec, output) in signature.outputs.iter().zip(&outputs) {
        let (shape, data) = value::take(output, spec.element)?;
        batch::hand_out(spec.element, &shape, &data, &rows, batches.then_some(computed), &mut given)?;
    }
    Ok(given)
}

fn inputs(signature: &Signature, callers: &[&Inputs], computed: usize) -> Result<Vec<DynTensor>, Error> {
    let batches = signature.batches();
    let rows: usize = callers.iter().map(|inputs| inputs.rows).sum();
    let allocator = Allocator::default();
    let mut made = Vec::with_capacity(signature.inputs.len());
    for (index, spec) in signature.inputs.iter().enumerate() {
        let parts: Vec<&Bytes> = callers.iter().map(|inputs| inputs.tensors[index].data()).collect();
        let first = callers.first().map(|inputs| inputs.tensors[index].shape()).unwrap_or_default();
        let shape = batch::shape_of(first, computed, batches);
        let tensor = if spec.element == ElementType::Bytes {
            let empty = (computed - rows) * shape.iter().skip(1).product::<usize>();
            value::texts(&shape, &parts, if batches { empty } else { 0 })?
        } else {
            let mut tensor = value::zeros(&allocator, spec.element, &shape)?;
            let unwritable = || RunError::Failed("an input cannot be written".to_owned());
            batch::gather(&parts, views::bytes_mut(&mut tensor).ok_or_else(unwritable)?)?;
            tensor
        };
        made.push(tensor);
    }
    Ok(made)
}

/// Runs the session: one output for each of the signature. `inputs` are one for each of it, which live longer than this.
pub(super) fn outputs(
    session: &mut Session,
    signature: &Signature,
    inputs: &[*const sys::OrtValue],
    options: &RunOptions,
) -> Result<Vec<DynValue>, Error> {
    let input_names = names(signature.inputs.iter().map(|spec| spec.name.as_str()))?;
    let output_names = names(signature.outputs.iter().map(|spec| spec.name.as_str()))?;
    let pointers = |names: &[CString]| names.iter().map(|name| name.as_ptr()).collect::<Vec<*const c_char>>();
    let (input_pointers, output_pointers) = (pointers(&input_names), pointers(&output_names));
    if inputs.len() != input_pointers.len() {
        return Err(RunError::Failed("there is not one value for each input".to_owned()).into());
    }
    let mut places = vec![ptr::null_mut(); output_names.len()];
    // SAFETY: the session is borrowed alone, names end with a zero, names and values are as many as is said and outlive the
    // call, and there is a place for each output, empty for the runtime to fill.
    check(unsafe {
        (ort::api().Run)(
            session.ptr_mut(),
            options.ptr(),
            input_pointers.as_ptr(),
            inputs.as_ptr(),
            inputs.len(),
            output_pointers.as_ptr(),
            output_pointers.len(),
            places.as_mut_ptr(),
        )
    })?;
    let allocator = Allocator::default();
    // All are taken before any is missed: what was taken is freed.
    let taken: Vec<Option<DynValue>> = places.into_iter().map(|place| take(place, &allocator)).collect();
    let whole = taken.into_iter().zip(&signature.outputs).map(|(value, spec)| {
        value.ok_or_else(|| RunError::Failed(format!("it gave nothing for '{}'", spec.name)).into())
    });
    whole.collect()
}

/// What the runtime gave; `None` where that is no tensor.
fn take(place: *mut sys::OrtValue, allocator: &Allocator) -> Option<DynValue> {
    let place = NonNull::new(place)?;
    let mut tensor = 0;
    // SAFETY: the runtime has just made the value; the place to write to is ours.
    let asked = check(unsafe { (ort::api().IsTensor)(place.as_ptr(), &mut tensor) });
    if asked.is_err() || tensor == 0 {
        // SAFETY: the value is ours, and nobody has it after this.
        unsafe { (ort::api().ReleaseValue)(place.as_ptr()) };
        return None;
    }
    // SAFETY: the value is ours to give away, it is a tensor, and outputs that nobody placed lie in the CPU's memory, whose
    // allocator this is.
    Some(unsafe { DynValue::from_ptr(place, Some(allocator)) })
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<CString>, Error> {
    let unfit = |name: &str| RunError::Failed(format!("the name {name:?} has a zero byte in it"));
    names.map(|name| CString::new(name).map_err(|_| unfit(name).into())).collect()
}

fn check(status: sys::OrtStatusPtr) -> ort::Result<()> {
    // SAFETY: the status was just given to us and nobody else has it.
    unsafe { ort::Error::result_from_status(status) }
}
