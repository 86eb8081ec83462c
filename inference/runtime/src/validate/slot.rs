//! Inputs and outputs as a file tells them.

use timeloom_domain::inference::{ElementType, TensorSpec};

use super::limits::{DIMENSIONS_MAX, Rejection, bound, name};
use super::wire::{Fields, Value};

/// A type and a shape.
type Tensor = (ElementType, Vec<Option<u64>>);

/// What the format's number of a type means; `None` where it cannot be sent.
pub(crate) fn element(kind: u64) -> Option<ElementType> {
    Some(match kind {
        1 => ElementType::F32,
        2 => ElementType::U8,
        3 => ElementType::I8,
        4 => ElementType::U16,
        5 => ElementType::I16,
        6 => ElementType::I32,
        7 => ElementType::I64,
        8 => ElementType::Bytes,
        9 => ElementType::Bool,
        10 => ElementType::F16,
        11 => ElementType::F64,
        12 => ElementType::U32,
        13 => ElementType::U64,
        16 => ElementType::Bf16,
        _ => return None,
    })
}

/// The name of an input or output.
pub(crate) fn slot_name(message: &[u8]) -> Result<String, Rejection> {
    let mut own = String::new();
    let mut fields = Fields::once(message, &[1, 2]);
    while let Some(field) = fields.next()? {
        if let (1, Value::Bytes(text)) = field {
            own = name(text)?;
        }
    }
    Ok(own)
}

/// What is said of an input or output, which must be a tensor that can be sent.
pub(super) fn spec(message: &[u8]) -> Result<TensorSpec, Rejection> {
    let name = slot_name(message)?;
    let mut found = None;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if let (2, Value::Bytes(kind)) = field {
            let mut kinds = Fields::once(kind, &[1]);
            while let Some(field) = kinds.next()? {
                // Any other kind than a tensor is a sequence, a map or an option.
                found = if let (1, Value::Bytes(tensor)) = field { tensor_type(tensor)? } else { None };
            }
        }
    }
    match found {
        Some((element, shape)) => Ok(TensorSpec { name, element, shape }),
        None => Err(Rejection::Slot(name)),
    }
}

fn tensor_type(message: &[u8]) -> Result<Option<Tensor>, Rejection> {
    let (mut kind, mut shape) = (0, Vec::new());
    let mut fields = Fields::once(message, &[1, 2]);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Number(number)) => kind = number,
            (2, Value::Bytes(message)) => {
                let mut lengths = Fields::new(message);
                while let Some(field) = lengths.next()? {
                    if let (1, Value::Bytes(length)) = field {
                        bound("dimensions", shape.len() + 1, DIMENSIONS_MAX)?;
                        shape.push(dimension(length)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(element(kind).map(|element| (element, shape)))
}

fn dimension(message: &[u8]) -> Result<Option<u64>, Rejection> {
    let mut length = None;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if let (1, Value::Number(number)) = field {
            length = i64::try_from(number).ok().map(|_| number);
        }
    }
    Ok(length)
}
