//! JSON as tensors and tensors as JSON.
//!
//! Invariant: a tensor is made only of what its specification allows; nothing is rounded or cut without a word.

use half::{bf16, f16};
use serde_json::{Value, json};
use timeloom_domain::inference::{ElementType, Tensor, TensorError, TensorSpec};
use timeloom_engine::node::NodeError;

use super::asking::short;

/// Most elements that one item brings or takes.
const ELEMENTS_MAX: usize = 4 << 20;

/// A tensor of one item, and whether its first dimension was added: the item is one row.
pub(super) struct Rows {
    pub(super) tensor: Tensor,
    pub(super) is_row: bool,
}

/// What `value` says, as the input `spec` wants it. A value with one dimension less than the input is one row of it.
///
/// # Errors
/// [`NodeError`] that names the input and what does not fit.
pub(super) fn tensor_of(value: &Value, spec: &TensorSpec) -> Result<Rows, NodeError> {
    let unfit = |why: String| NodeError::operation(format!("the input '{}' does not fit: {why}", spec.name));
    let mut shape = Vec::new();
    shape_of(value, &mut shape);
    let is_row = shape.len() + 1 == spec.shape.len();
    let rank = shape.len();
    if is_row {
        shape.insert(0, 1);
    }
    let fits = shape.len() == spec.shape.len()
        && shape.iter().zip(&spec.shape).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found as u64));
    if !fits {
        let found = written(shape.iter().skip(usize::from(is_row)).map(|length| Some(*length as u64)));
        return Err(unfit(format!("it is {found}, the model wants {}", written(spec.shape.iter().copied()))));
    }
    let elements = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
    if elements.is_none_or(|elements| elements > ELEMENTS_MAX) {
        return Err(unfit(format!("it has more than {ELEMENTS_MAX} elements: give it in several items")));
    }
    let mut data = Vec::new();
    let lengths = &shape[shape.len() - rank..];
    fill(value, lengths, spec.element, &mut data, &mut Vec::new()).map_err(unfit)?;
    let tensor = Tensor::new(spec.element, shape, data.into()).map_err(|error| unfit(error.to_string()))?;
    Ok(Rows { tensor, is_row })
}

/// A shape for people: `[?, 3]`.
pub(super) fn written(shape: impl IntoIterator<Item = Option<u64>>) -> String {
    let lengths = shape.into_iter().map(|length| length.map_or("?".to_owned(), |length| length.to_string()));
    format!("[{}]", lengths.collect::<Vec<_>>().join(", "))
}

/// The lengths of lists in lists, by their first elements.
fn shape_of(value: &Value, shape: &mut Vec<usize>) {
    let mut value = value;
    while let Value::Array(values) = value {
        shape.push(values.len());
        let Some(first) = values.first() else { return };
        value = first;
    }
}

fn fill(
    value: &Value,
    lengths: &[usize],
    element: ElementType,
    data: &mut Vec<u8>,
    place: &mut Vec<usize>,
) -> Result<(), String> {
    let at = |place: &[usize]| {
        let steps: Vec<String> = place.iter().map(|index| format!("[{index}]")).collect();
        if steps.is_empty() { String::new() } else { format!(" at {}", steps.concat()) }
    };
    match (lengths.split_first(), value) {
        (None, value) => push(value, element, data).ok_or_else(|| {
            let shown: String = value.to_string().chars().take(40).collect();
            format!("{shown}{} is no {element}", at(place))
        }),
        (Some((length, rest)), Value::Array(values)) if values.len() == *length => {
            for (index, value) in values.iter().enumerate() {
                place.push(index);
                fill(value, rest, element, data, place)?;
                place.pop();
            }
            Ok(())
        }
        (Some((length, _)), Value::Array(values)) => {
            Err(format!("a list{} has {} elements, others have {length}", at(place), values.len()))
        }
        (Some(_), _) => Err(format!("there is no list{}", at(place))),
    }
}

/// Adds one element; nothing when the value is none of that type.
pub(super) fn push(value: &Value, element: ElementType, data: &mut Vec<u8>) -> Option<()> {
    macro_rules! whole {
        ($kind:ty) => {{
            let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
            let number = number.or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i128))?;
            data.extend(<$kind>::try_from(number).ok()?.to_le_bytes());
        }};
    }
    match element {
        ElementType::Bool => data.push(u8::from(value.as_bool()?)),
        ElementType::U8 => whole!(u8),
        ElementType::U16 => whole!(u16),
        ElementType::U32 => whole!(u32),
        ElementType::U64 => whole!(u64),
        ElementType::I8 => whole!(i8),
        ElementType::I16 => whole!(i16),
        ElementType::I32 => whole!(i32),
        ElementType::I64 => whole!(i64),
        ElementType::F16 => data.extend(Some(f16::from_f64(value.as_f64()?)).filter(|n| n.is_finite())?.to_le_bytes()),
        ElementType::Bf16 => {
            data.extend(Some(bf16::from_f64(value.as_f64()?)).filter(|n| n.is_finite())?.to_le_bytes());
        }
        ElementType::F32 => data.extend(Some(value.as_f64()? as f32).filter(|n| n.is_finite())?.to_le_bytes()),
        ElementType::F64 => data.extend(value.as_f64()?.to_le_bytes()),
        ElementType::Bytes => {
            let text = value.as_str()?;
            data.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
            data.extend(text.as_bytes());
        }
    }
    Some(())
}

/// The elements of a tensor as JSON, row by row. What is no number is `null`.
pub(super) fn elements(tensor: &Tensor) -> Vec<Value> {
    macro_rules! each {
        ($kind:ty, $of:expr) => {{
            let size = std::mem::size_of::<$kind>();
            let of = |chunk: &[u8]| chunk.try_into().map(<$kind>::from_le_bytes).map($of).unwrap_or_default();
            tensor.data().chunks_exact(size).map(of).collect()
        }};
    }
    match tensor.element() {
        ElementType::Bool => tensor.data().iter().map(|byte| json!(*byte != 0)).collect(),
        ElementType::U8 => each!(u8, Value::from),
        ElementType::U16 => each!(u16, Value::from),
        ElementType::U32 => each!(u32, Value::from),
        ElementType::U64 => each!(u64, Value::from),
        ElementType::I8 => each!(i8, Value::from),
        ElementType::I16 => each!(i16, Value::from),
        ElementType::I32 => each!(i32, Value::from),
        ElementType::I64 => each!(i64, Value::from),
        ElementType::F16 => each!(f16, |number: f16| short(number.to_f32())),
        ElementType::Bf16 => each!(bf16, |number: bf16| short(number.to_f32())),
        ElementType::F32 => each!(f32, short),
        ElementType::F64 => each!(f64, Value::from),
        ElementType::Bytes => texts(tensor),
    }
}

/// The elements as numbers, whatever kind of number they are; nothing when they are texts.
pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    if let Some(numbers) = tensor.as_f32() {
        return Some(numbers);
    }
    let number = |value: Value| value.as_f64().map(|number| number as f32);
    elements(tensor).into_iter().map(number).collect()
}

fn texts(tensor: &Tensor) -> Vec<Value> {
    let (mut rest, mut found): (&[u8], _) = (tensor.data(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(after.len());
        let (text, after) = after.split_at(length);
        found.push(Value::String(String::from_utf8_lossy(text).into_owned()));
        rest = after;
    }
    found
}

/// Elements as lists in lists of that shape.
pub(super) fn nested(elements: &[Value], shape: &[usize]) -> Value {
    match shape.split_first() {
        None => elements.first().cloned().unwrap_or_default(),
        Some((0, _)) => Value::Array(Vec::new()),
        Some((_, [])) => Value::Array(elements.to_vec()),
        Some((length, rest)) => {
            let size = (elements.len() / length).max(1);
            Value::Array(elements.chunks(size).take(*length).map(|part| nested(part, rest)).collect())
        }
    }
}

/// Tensors one after the other, along their first dimension. All are of the same kind and otherwise of the same shape.
///
/// # Errors
/// [`TensorError`] when they are too large together.
pub(super) fn joined(tensors: &[Tensor]) -> Result<Tensor, TensorError> {
    let Some(first) = tensors.first() else { return Tensor::of_f32(vec![0], &[]) };
    let mut shape = first.shape().to_vec();
    if let Some(rows) = shape.first_mut() {
        *rows = tensors.iter().map(|tensor| tensor.shape().first().copied().unwrap_or_default()).sum();
    }
    let data: Vec<u8> = tensors.iter().flat_map(|tensor| tensor.data().iter().copied()).collect();
    Tensor::new(first.element(), shape, data.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(element: ElementType, shape: &[Option<u64>]) -> TensorSpec {
        TensorSpec { name: "x".to_owned(), element, shape: shape.to_vec() }
    }

    fn failure(value: Value, spec: &TensorSpec) -> String {
        tensor_of(&value, spec).err().unwrap().message
    }

    #[test]
    fn lists_become_tensors_and_come_back() {
        for (element, value) in [
            (ElementType::F32, json!([[1.5, -2.0], [0.25, 3.0]])),
            (ElementType::F64, json!([[1.5, -2.0], [0.1, 3.0]])),
            (ElementType::F16, json!([[1.5, -2.0], [0.25, 3.0]])),
            (ElementType::Bf16, json!([[1.5, -2.0], [0.25, 3.0]])),
            (ElementType::I64, json!([[1, -2], [i64::MIN, i64::MAX]])),
            (ElementType::U64, json!([[1, 2], [0, u64::MAX]])),
            (ElementType::I8, json!([[1, -128], [3, 127]])),
            (ElementType::Bool, json!([[true, false], [false, true]])),
            (ElementType::Bytes, json!([["a", ""], ["äö", "long text"]])),
        ] {
            let rows = tensor_of(&value, &spec(element, &[None, Some(2)])).unwrap();
            assert!(!rows.is_row);
            assert_eq!(nested(&elements(&rows.tensor), rows.tensor.shape()), value, "{element}");
        }
        let row = tensor_of(&json!([1, 2]), &spec(ElementType::F32, &[None, Some(2)])).unwrap();
        assert!(row.is_row && row.tensor.shape() == [1, 2]);
        let scalar = tensor_of(&json!(7), &spec(ElementType::I64, &[])).unwrap();
        assert_eq!(scalar.tensor.as_i64(), Some(vec![7]));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let wanted = spec(ElementType::F32, &[None, Some(3)]);
        assert_eq!(failure(json!([1, 2]), &wanted), "the input 'x' does not fit: it is [2], the model wants [?, 3]");
        assert!(failure(json!([[1, 2, 3], [1, 2]]), &wanted).contains("a list at [1] has 2 elements"));
        assert!(failure(json!([1, "b", 3]), &wanted).contains("\"b\" at [1] is no FP32"));
        assert!(failure(json!([1, null, 3]), &wanted).contains("null at [1] is no FP32"));
        assert!(failure(json!([1, 1e300, 3]), &wanted).contains("is no FP32"), "it would be infinite");
        assert!(failure(json!(["a"]), &wanted).contains("wants [?, 3]"));
        let whole = spec(ElementType::I8, &[None]);
        assert!(failure(json!([1, 200]), &whole).contains("200 at [1] is no INT8"));
        assert!(failure(json!([1.5]), &whole).contains("is no INT8"));
        let many = spec(ElementType::F32, &[None, None]);
        assert!(failure(json!(vec![vec![0; 3_000]; 2_000]), &many).contains("more than"));
    }
}
