//! Tensors of ours and of the runtime's, each made of the other.

use bytes::{BufMut, Bytes, BytesMut};
use ort::memory::Allocator;
use ort::session::Session;
use ort::value::{DynTensor, DynValue, Outlet, Tensor as OrtTensor, TensorElementType, ValueType};
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{ElementType, Signature, TensorSpec};

use super::error::LoadError;
use super::views;
use crate::instance::RunError;

/// What the runtime calls a type.
pub(super) fn theirs(element: ElementType) -> TensorElementType {
    match element {
        ElementType::Bool => TensorElementType::Bool,
        ElementType::U8 => TensorElementType::Uint8,
        ElementType::U16 => TensorElementType::Uint16,
        ElementType::U32 => TensorElementType::Uint32,
        ElementType::U64 => TensorElementType::Uint64,
        ElementType::I8 => TensorElementType::Int8,
        ElementType::I16 => TensorElementType::Int16,
        ElementType::I32 => TensorElementType::Int32,
        ElementType::I64 => TensorElementType::Int64,
        ElementType::F16 => TensorElementType::Float16,
        ElementType::Bf16 => TensorElementType::Bfloat16,
        ElementType::F32 => TensorElementType::Float32,
        ElementType::F64 => TensorElementType::Float64,
        ElementType::Bytes => TensorElementType::String,
    }
}

/// What we call a type of the runtime's; `None` where it cannot be sent.
fn ours(element: TensorElementType) -> Option<ElementType> {
    ElementType::ALL.iter().copied().find(|ours| theirs(*ours) == element)
}

/// What a session says of its inputs and outputs.
pub(super) fn signature(session: &Session) -> Result<Signature, LoadError> {
    let specs = |outlets: &[Outlet]| outlets.iter().map(spec).collect::<Result<Vec<_>, _>>();
    Ok(Signature { inputs: specs(session.inputs())?, outputs: specs(session.outputs())? })
}

fn spec(outlet: &Outlet) -> Result<TensorSpec, LoadError> {
    let name = outlet.name().to_owned();
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(LoadError::Signature { name, found: "no tensor".to_owned() });
    };
    let element =
        ours(*ty).ok_or_else(|| LoadError::Signature { name: name.clone(), found: format!("a tensor of {ty}") })?;
    let shape = shape.iter().map(|length| u64::try_from(*length).ok()).collect();
    Ok(TensorSpec { name, element, shape })
}

/// A tensor of the runtime's that can be written to, all zeros. Texts have none: see [`texts`].
pub(super) fn zeros(allocator: &Allocator, element: ElementType, shape: &[usize]) -> ort::Result<DynTensor> {
    let shape: Vec<i64> = shape.iter().map(|length| i64::try_from(*length).unwrap_or(i64::MAX)).collect();
    DynTensor::new(allocator, theirs(element), shape)
}

/// A tensor of texts.
pub(super) fn texts(shape: &[usize], parts: &[&Bytes], empty: usize) -> Result<DynTensor, RunError> {
    let mut texts = Vec::new();
    for part in parts {
        let mut rest: &[u8] = part;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (text, after) = after.split_at_checked(length).unwrap_or_default();
            let text = str::from_utf8(text).map_err(|_| RunError::Unfit("a text is not UTF-8".to_owned()))?;
            if text.contains('\0') {
                return Err(RunError::Unfit("a text has a zero byte in it, which models cannot take".to_owned()));
            }
            texts.push(text.to_owned());
            rest = after;
        }
    }
    texts.resize(texts.len() + empty, String::new());
    let made = OrtTensor::from_string_array((shape.to_vec(), texts.as_slice()));
    made.map(OrtTensor::upcast).map_err(|error| RunError::Failed(error.to_string()))
}

/// A tensor of ours with what one of the runtime's holds.
pub(super) fn take(value: &DynValue, element: ElementType) -> Result<(Vec<usize>, Bytes), RunError> {
    let failed = |detail: String| RunError::Failed(detail);
    if element == ElementType::Bytes {
        let (shape, texts) = value.try_extract_strings().map_err(|error| failed(error.to_string()))?;
        let mut bytes = BytesMut::new();
        for text in texts {
            bytes.put_u32_le(u32::try_from(text.len()).unwrap_or(u32::MAX));
            bytes.put_slice(text.as_bytes());
        }
        return Ok((lengths(shape), bytes.freeze()));
    }
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else { return Err(failed("it gave no tensor".to_owned())) };
    if *ty != theirs(element) {
        return Err(failed(format!("it gave {ty} instead of {element}")));
    }
    let shape = lengths(shape);
    let view = value.view();
    let tensor = view.downcast().map_err(|error| failed(error.to_string()))?;
    let bytes = views::bytes(&tensor).ok_or_else(|| failed("its answer cannot be read".to_owned()))?;
    Ok((shape, Bytes::copy_from_slice(bytes)))
}

fn lengths(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect()
}

/// A tensor of what the runtime gave.
pub(super) fn tensor(element: ElementType, shape: Vec<usize>, data: Bytes) -> Result<Tensor, RunError> {
    Tensor::new(element, shape, data).map_err(|error| RunError::Failed(format!("its answer is no tensor: {error}")))
}
