//! The bytes of the binding's tensors. It gives out typed slices only, and two of the types that are sent have none.
#![expect(unsafe_code, reason = "slices are made of a tensor's pointer and length; each says why it holds")]

use std::slice;

use ort::value::{DynTensor, TensorElementType};

/// The elements of a tensor, byte by byte; `None` where they lie on a device or are texts.
pub(super) fn bytes(tensor: &DynTensor) -> Option<&[u8]> {
    let length = length(tensor)?;
    let start = tensor.data_ptr().cast::<u8>();
    if length == 0 || start.is_null() {
        return Some(&[]);
    }
    // SAFETY: the tensor's memory can be read by the CPU, has so many bytes by the runtime's own count, is initialised (by
    // a run or by zeros when it was made), and is borrowed with the tensor. Every byte is a valid `u8`.
    Some(unsafe { slice::from_raw_parts(start, length) })
}

/// The elements of a tensor to be written over; `None` where they lie on a device or are texts.
pub(super) fn bytes_mut(tensor: &mut DynTensor) -> Option<&mut [u8]> {
    let length = length(tensor)?;
    let start = tensor.data_ptr_mut().cast::<u8>();
    if length == 0 || start.is_null() {
        return Some(&mut []);
    }
    // SAFETY: as in `bytes`, and the tensor is borrowed alone. What may be written is checked by whoever writes: any bytes
    // are a number, and truth values are checked to be 0 or 1 before they get here.
    Some(unsafe { slice::from_raw_parts_mut(start, length) })
}

/// Bytes of the elements, where they can be read.
fn length(tensor: &DynTensor) -> Option<usize> {
    let readable = *tensor.data_type() != TensorElementType::String && tensor.memory_info().is_cpu_accessible();
    if readable { tensor.size() } else { None }
}
