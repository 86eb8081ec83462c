//! Several callers' inputs as one batch: whether they fit, which can be laid after each other, and whose rows are whose in
//! what comes out. Pure: it knows bytes and shapes, not the runtime.

use bytes::Bytes;
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{ElementType, Signature, TensorSpec};

use super::value;
use crate::instance::{Inputs, RunError};

/// Whether `inputs` fit the signature.
///
/// # Errors
/// When they do not: in words for whoever sent them.
pub(super) fn check(signature: &Signature, inputs: &Inputs, finite_only: bool) -> Result<(), RunError> {
    let unfit = |detail: String| Err(RunError::Unfit(detail));
    let (wanted, found) = (signature.inputs.len(), inputs.tensors.len());
    if wanted != found {
        let names: Vec<&str> = signature.inputs.iter().map(|spec| spec.name.as_str()).collect();
        return unfit(format!("{found} inputs were sent, it takes {wanted}: {}", names.join(", ")));
    }
    for (spec, tensor) in signature.inputs.iter().zip(&inputs.tensors) {
        if let Some(detail) = objection(spec, tensor) {
            return unfit(detail);
        }
        if signature.batches() && tensor.shape().first() != Some(&inputs.rows) {
            let rows = inputs.rows;
            return unfit(format!("'{}' has the shape {:?} and is sent as {rows} rows", spec.name, tensor.shape()));
        }
        if finite_only && !finite(tensor) {
            return unfit(format!("'{}' holds 'not a number' or infinity, which this model refuses", spec.name));
        }
    }
    if inputs.rows == 0 { unfit("there are no rows in it: send at least 1".to_owned()) } else { Ok(()) }
}

fn objection(spec: &TensorSpec, tensor: &Tensor) -> Option<String> {
    let TensorSpec { name, element, shape } = spec;
    if tensor.element() != *element {
        return Some(format!("'{name}' is {}, it must be {element}", tensor.element()));
    }
    let fits = tensor.shape().len() == shape.len()
        && tensor.shape().iter().zip(shape).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found as u64));
    if !fits {
        let wanted: Vec<String> =
            shape.iter().map(|length| length.map_or("any".to_owned(), |length| length.to_string())).collect();
        return Some(format!("'{name}' has the shape {:?}, it must be [{}]", tensor.shape(), wanted.join(", ")));
    }
    if *element == ElementType::Bool && tensor.data().iter().any(|byte| *byte > 1) {
        return Some(format!("'{name}' has bytes that are neither true (1) nor false (0)"));
    }
    None
}

fn finite(tensor: &Tensor) -> bool {
    let data = tensor.data();
    match tensor.element() {
        ElementType::F32 => data.as_chunks().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite()),
        ElementType::F64 => data.as_chunks().0.iter().all(|bytes| f64::from_le_bytes(*bytes).is_finite()),
        // All bits of the exponent are set where there is no finite number.
        ElementType::F16 => data.as_chunks().0.iter().all(|bytes| u16::from_le_bytes(*bytes) & 0x7c00 != 0x7c00),
        ElementType::Bf16 => data.as_chunks().0.iter().all(|bytes| u16::from_le_bytes(*bytes) & 0x7f80 != 0x7f80),
        _ => true,
    }
}

/// Callers whose inputs can be laid after each other: all dimensions but the first are the same. Each group is the places
/// of its callers in `batch`, in their order.
pub(super) fn groups(signature: &Signature, batch: &[Inputs]) -> Vec<Vec<usize>> {
    if !signature.batches() {
        return (0..batch.len()).map(|place| vec![place]).collect();
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, inputs) in batch.iter().enumerate() {
        let found = groups.iter_mut().find(|group| group.first().is_some_and(|first| alike(&batch[*first], inputs)));
        match found {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

fn alike(left: &Inputs, right: &Inputs) -> bool {
    left.tensors.iter().zip(&right.tensors).all(|(left, right)| left.shape().get(1..) == right.shape().get(1..))
}

/// The shape of an input of that many rows, where a caller's has `shape`.
pub(super) fn shape_of(shape: &[usize], rows: usize, batches: bool) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(first) = shape.first_mut()
        && batches
    {
        *first = rows;
    }
    shape
}

/// The shape that a specification fixes for so many rows; `None` where another dimension is free, or its elements differ
/// in length.
pub(super) fn fixed(spec: &TensorSpec, rows: usize, batches: bool) -> Option<Vec<usize>> {
    spec.element.bytes()?;
    let lengths = spec.shape.iter().enumerate();
    lengths
        .map(|(index, length)| match length {
            None if index == 0 && batches => Some(rows),
            None => None,
            Some(length) => usize::try_from(*length).ok(),
        })
        .collect()
}

/// Lays `parts` after each other into `target`, zeros where they end before it.
pub(super) fn gather(parts: &[&Bytes], target: &mut [u8]) -> Result<(), RunError> {
    let mut rest = target;
    for part in parts {
        let Some((place, after)) = rest.split_at_mut_checked(part.len()) else {
            return Err(RunError::Failed("the inputs are larger than their place".to_owned()));
        };
        place.copy_from_slice(part);
        rest = after;
    }
    rest.fill(0);
    Ok(())
}

/// Gives each caller the rows that are theirs. `rows` are theirs, in their order; what follows them filled up the batch.
pub(super) fn split(
    element: ElementType,
    shape: &[usize],
    data: &[u8],
    rows: &[usize],
    computed: usize,
) -> Result<Vec<Tensor>, RunError> {
    if shape.first() != Some(&computed) {
        let detail = format!("it gave the shape {shape:?} for {computed} rows, where its signature says it batches");
        return Err(RunError::Failed(detail));
    }
    let mut rest = data;
    let mut tensors = Vec::with_capacity(rows.len());
    let elements: usize = shape[1..].iter().product();
    for count in rows {
        let length = match element.bytes() {
            Some(bytes) => count * elements * bytes,
            None => length_of_texts(rest, count * elements),
        };
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        tensors.push(value::tensor(element, shape_of(shape, *count, true), Bytes::copy_from_slice(part))?);
        rest = after;
    }
    Ok(tensors)
}

/// Gives each caller what is theirs of one output. `computed` are the rows of the batch; `None` where a model does not
/// batch, and the one caller gets all.
pub(super) fn hand_out(
    element: ElementType,
    shape: &[usize],
    data: &[u8],
    rows: &[usize],
    computed: Option<usize>,
    given: &mut [Vec<Tensor>],
) -> Result<(), RunError> {
    let tensors = match computed {
        Some(computed) => split(element, shape, data, rows, computed)?,
        None => vec![value::tensor(element, shape.to_vec(), Bytes::copy_from_slice(data))?],
    };
    for (caller, tensor) in given.iter_mut().zip(tensors) {
        caller.push(tensor);
    }
    Ok(())
}

/// Bytes of the first `count` texts.
fn length_of_texts(data: &[u8], count: usize) -> usize {
    let mut rest = data;
    for _ in 0..count {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { break };
        rest = after.get(u32::from_le_bytes(*length) as usize..).unwrap_or(&[]);
    }
    data.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, element: ElementType, shape: &[Option<u64>]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), element, shape: shape.to_vec() }
    }

    fn signature(element: ElementType, shape: &[Option<u64>]) -> Signature {
        Signature { inputs: vec![spec("x", element, shape)], outputs: vec![spec("y", element, shape)] }
    }

    fn inputs(element: ElementType, shape: &[usize], data: Vec<u8>) -> Inputs {
        let rows = shape.first().copied().unwrap_or(1);
        Inputs { tensors: vec![Tensor::new(element, shape.to_vec(), data.into()).unwrap()], rows }
    }

    fn refusal(signature: &Signature, inputs: &Inputs, finite_only: bool) -> String {
        check(signature, inputs, finite_only).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_told_by_name_type_and_shape() {
        let wanted = signature(ElementType::F32, &[None, Some(2)]);
        let said = refusal(&wanted, &Inputs { tensors: vec![], rows: 1 }, false);
        assert!(said.ends_with("0 inputs were sent, it takes 1: x"), "{said}");
        let said = refusal(&wanted, &inputs(ElementType::I32, &[1, 2], vec![0; 8]), false);
        assert!(said.ends_with("'x' is INT32, it must be FP32"), "{said}");
        let said = refusal(&wanted, &inputs(ElementType::F32, &[1, 3], vec![0; 12]), false);
        assert!(said.ends_with("'x' has the shape [1, 3], it must be [any, 2]"), "{said}");
        let said = refusal(&wanted, &inputs(ElementType::F32, &[2], vec![0; 8]), false);
        assert!(said.ends_with("'x' has the shape [2], it must be [any, 2]"), "{said}");
        let said = refusal(&wanted, &inputs(ElementType::F32, &[0, 2], vec![]), false);
        assert!(said.ends_with("send at least 1"), "{said}");
        let three = Inputs { rows: 3, ..inputs(ElementType::F32, &[1, 2], vec![0; 8]) };
        assert!(refusal(&wanted, &three, false).contains("is sent as 3 rows"));
        let truth = signature(ElementType::Bool, &[None]);
        assert!(refusal(&truth, &inputs(ElementType::Bool, &[1], vec![2]), false).contains("neither true"));
    }

    #[test]
    fn what_is_no_finite_number_is_refused_only_where_the_model_says_so() {
        let cases: [(ElementType, [Vec<u8>; 3]); 4] = [
            (ElementType::F32, [f32::NAN, f32::NEG_INFINITY, f32::MAX].map(|value| value.to_le_bytes().to_vec())),
            (ElementType::F64, [f64::NAN, f64::INFINITY, f64::MIN].map(|value| value.to_le_bytes().to_vec())),
            (ElementType::F16, [0xfe00_u16, 0x7c00, 0x7bff].map(|value| value.to_le_bytes().to_vec())),
            (ElementType::Bf16, [0x7fc0_u16, 0xff80, 0x7f7f].map(|value| value.to_le_bytes().to_vec())),
        ];
        for (element, [nan, infinite, large]) in cases {
            let wanted = signature(element, &[None]);
            for bad in [nan, infinite] {
                let sent = inputs(element, &[1], bad);
                assert_eq!(check(&wanted, &sent, false), Ok(()));
                assert!(refusal(&wanted, &sent, true).contains("not a number"), "{element}");
            }
            assert_eq!(check(&wanted, &inputs(element, &[1], large), true), Ok(()), "{element}");
        }
    }

    #[test]
    fn callers_of_other_lengths_are_kept_apart_and_each_gets_its_rows_back() {
        let ragged = signature(ElementType::U8, &[None, None]);
        let batch = [
            inputs(ElementType::U8, &[1, 2], vec![1, 2]),
            inputs(ElementType::U8, &[1, 3], vec![3, 4, 5]),
            inputs(ElementType::U8, &[2, 2], vec![6, 7, 8, 9]),
        ];
        assert_eq!(groups(&ragged, &batch), vec![vec![0, 2], vec![1]]);

        let mut place = [0xff; 8];
        gather(&[batch[0].tensors[0].data(), batch[2].tensors[0].data()], &mut place).unwrap();
        assert_eq!(place, [1, 2, 6, 7, 8, 9, 0, 0]);
        let parts = split(ElementType::U8, &[4, 2], &place, &[1, 2], 4).unwrap();
        assert_eq!(parts, [batch[0].tensors[0].clone(), batch[2].tensors[0].clone()]);
        assert!(split(ElementType::U8, &[3, 2], &place, &[1, 2], 4).is_err());
    }

    #[test]
    fn texts_are_split_by_their_lengths() {
        let texts = b"\x01\0\0\0a\0\0\0\0\x02\0\0\0bc";
        let parts = split(ElementType::Bytes, &[3], texts, &[2, 1], 3).unwrap();
        assert_eq!(parts[0].data().as_ref(), b"\x01\0\0\0a\0\0\0\0");
        assert_eq!(parts[1].data().as_ref(), b"\x02\0\0\0bc");
    }
}
