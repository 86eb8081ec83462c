//! Weights that all sessions of a model share, and with them what the CPU lays out anew of them: the runtime shares that for
//! weights only that are given to it.

use std::sync::Arc;

use ort::value::{DynValue, Tensor};
use timeloom_domain::inference::ElementType;

use crate::validate::slot::element;
use crate::validate::wire::{Broken, Fields, Value, numbers};

/// Smaller ones are not worth it, in bytes.
const BYTES_MIN: usize = 4 << 10;
/// Most dimensions of a weight that is shared.
const DIMENSIONS_MAX: usize = 16;

/// The large weights in a model's file, each with its name. What is odd about a file is left to the runtime, which has more
/// to say of it.
pub(super) fn shared(file: &[u8]) -> ort::Result<Vec<(String, Arc<DynValue>)>> {
    let mut made = Vec::new();
    for weight in large(file).unwrap_or_default() {
        if let Some(value) = value(&weight)? {
            made.push((weight.name, Arc::new(value)));
        }
    }
    Ok(made)
}

/// A weight as a value whose memory is ours: the runtime shares no others. Types that the binding has no numbers for are not
/// shared.
fn value(weight: &Weight<'_>) -> ort::Result<Option<DynValue>> {
    macro_rules! owned {
        ($kind:ty) => {{
            let numbers: Vec<$kind> =
                weight.data.as_chunks().0.iter().map(|bytes| <$kind>::from_le_bytes(*bytes)).collect();
            Some(Tensor::from_array((weight.shape.clone(), numbers))?.into_dyn())
        }};
    }
    Ok(match weight.element {
        ElementType::F32 => owned!(f32),
        ElementType::F64 => owned!(f64),
        ElementType::I8 => owned!(i8),
        ElementType::U8 => owned!(u8),
        ElementType::I32 => owned!(i32),
        ElementType::I64 => owned!(i64),
        _ => None,
    })
}

struct Weight<'a> {
    name: String,
    element: ElementType,
    shape: Vec<usize>,
    data: &'a [u8],
}

fn large(file: &[u8]) -> Result<Vec<Weight<'_>>, Broken> {
    let (mut weights, mut inputs) = (Vec::new(), Vec::new());
    let mut fields = Fields::new(file);
    while let Some(field) = fields.next()? {
        let (7, Value::Bytes(graph)) = field else { continue };
        let mut fields = Fields::new(graph);
        while let Some(field) = fields.next()? {
            match field {
                (5, Value::Bytes(tensor)) => weights.extend(weight(tensor)?),
                (11, Value::Bytes(slot)) => inputs.push(crate::validate::slot::slot_name(slot).map_err(|_| Broken)?),
                _ => {}
            }
        }
    }
    // A weight that is an input too may be sent, and is not shared.
    weights.retain(|weight| !inputs.contains(&weight.name));
    Ok(weights)
}

/// A weight, if it is one that is shared.
fn weight(tensor: &[u8]) -> Result<Option<Weight<'_>>, Broken> {
    let (mut name, mut kind, mut shape, mut data) = (None, 0, Vec::new(), None);
    let mut fields = Fields::new(tensor);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Number(length)) => shape.push(length),
            (1, Value::Bytes(lengths)) => shape.extend(numbers(lengths, DIMENSIONS_MAX)?),
            (2, Value::Number(number)) => kind = number,
            (8, Value::Bytes(text)) => name = str::from_utf8(text).ok().map(str::to_owned),
            (9, Value::Bytes(bytes)) => data = Some(bytes),
            _ => {}
        }
    }
    let (Some(name), Some(element), Some(data)) = (name, element(kind), data) else { return Ok(None) };
    let shape: Vec<usize> = shape.into_iter().map(usize::try_from).collect::<Result<_, _>>().map_err(|_| Broken)?;
    let wanted = shape.iter().try_fold(element.bytes().unwrap_or(0), |product, length| product.checked_mul(*length));
    let whole = wanted == Some(data.len()) && data.len() >= BYTES_MIN && shape.len() <= DIMENSIONS_MAX;
    Ok(whole.then_some(Weight { name, element, shape, data }))
}
