//! Whether inputs fit a model: looked at before they wait, so that what one caller got wrong never fails another's batch.

use timeloom_domain::inference::Signature;

use super::queue::Shape;
use crate::instance::Inputs;

/// Checks `inputs` against `signature`.
///
/// # Errors
/// Tells in words what does not fit.
pub(super) fn check(inputs: &Inputs, signature: &Signature, together: bool, rows_max: usize) -> Result<(), String> {
    if inputs.tensors.len() != signature.inputs.len() {
        return Err(format!("the model has {} inputs, not {}", signature.inputs.len(), inputs.tensors.len()));
    }
    if inputs.rows == 0 {
        return Err("there is no row to compute".to_owned());
    }
    if together && inputs.rows > rows_max {
        return Err(format!("{} rows are too much: send {rows_max} at most at once", inputs.rows));
    }
    for (tensor, spec) in inputs.tensors.iter().zip(&signature.inputs) {
        if tensor.element() != spec.element {
            return Err(format!("the input '{}' is of {}, not of {}", spec.name, spec.element, tensor.element()));
        }
        let fits = |(length, wanted): (&usize, &Option<u64>)| wanted.is_none_or(|wanted| wanted == *length as u64);
        if tensor.shape().len() != spec.shape.len() || !tensor.shape().iter().zip(&spec.shape).all(fits) {
            let wanted: Vec<String> = spec
                .shape
                .iter()
                .map(|length| length.map_or_else(|| "any".to_owned(), |length| length.to_string()))
                .collect();
            let (name, wanted) = (&spec.name, wanted.join(", "));
            return Err(format!("the input '{name}' has the shape [{wanted}], not {:?}", tensor.shape()));
        }
        if together && tensor.shape().first() != Some(&inputs.rows) {
            return Err(format!("the input '{}' does not have {} rows as the others", spec.name, inputs.rows));
        }
    }
    Ok(())
}

/// What other inputs must have in common with these to be computed together.
pub(super) fn shape(inputs: &Inputs, together: bool) -> Shape {
    if !together {
        return Shape::new();
    }
    let dimensions = inputs.tensors.iter().map(|tensor| tensor.shape().len()).sum::<usize>();
    let mut shape = Shape::with_capacity(dimensions + inputs.tensors.len());
    for tensor in &inputs.tensors {
        shape.push(tensor.shape().len() as u64);
        shape.extend(tensor.shape().iter().skip(1).map(|length| *length as u64));
    }
    shape
}

/// Bytes of all tensors.
pub(super) fn bytes(inputs: &Inputs) -> usize {
    inputs.tensors.iter().map(|tensor| tensor.data().len()).sum()
}

#[cfg(test)]
mod tests {
    use timeloom_domain::inference::{ElementType, TensorSpec};

    use super::*;
    use timeloom_domain::inference::Tensor;

    #[test]
    fn what_does_not_fit_is_told_in_words() {
        let spec =
            |name: &str| TensorSpec { name: name.to_owned(), element: ElementType::U8, shape: vec![None, Some(2)] };
        let signature = Signature { inputs: vec![spec("left"), spec("right")], outputs: Vec::new() };
        let tensor = |rows: usize, width: usize| {
            Tensor::new(ElementType::U8, vec![rows, width], vec![0; rows * width].into()).unwrap()
        };
        let told = |tensors: Vec<Tensor>, rows| check(&Inputs { tensors, rows }, &signature, true, 4).unwrap_err();
        assert_eq!(check(&Inputs { tensors: vec![tensor(4, 2), tensor(4, 2)], rows: 4 }, &signature, true, 4), Ok(()));
        assert_eq!(told(vec![tensor(1, 2)], 1), "the model has 2 inputs, not 1");
        assert_eq!(told(vec![tensor(0, 2), tensor(0, 2)], 0), "there is no row to compute");
        assert_eq!(told(vec![tensor(5, 2), tensor(5, 2)], 5), "5 rows are too much: send 4 at most at once");
        assert_eq!(told(vec![tensor(1, 2), tensor(1, 3)], 1), "the input 'right' has the shape [any, 2], not [1, 3]");
        assert_eq!(told(vec![tensor(1, 2), tensor(2, 2)], 1), "the input 'right' does not have 1 rows as the others");
        let other = Tensor::new(ElementType::I8, vec![1, 2], vec![0; 2].into()).unwrap();
        assert_eq!(told(vec![tensor(1, 2), other], 1), "the input 'right' is of UINT8, not of INT8");
    }
}
