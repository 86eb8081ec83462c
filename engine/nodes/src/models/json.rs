//! What a model is given and gives, as JSON: for whoever asks one outside of a workflow.

use serde_json::{Map, Value};
use timeloom_domain::inference::{Tensor, TensorSpec};

use super::tensors::{elements, nested, tensor_of, written};

/// What a JSON value says, as a model's inputs want it.
#[derive(Debug, Clone)]
pub struct JsonInputs {
    /// Each input, by its name.
    pub tensors: Vec<(String, Tensor)>,
    /// Whether it is one row: each input had one dimension less than the model wants.
    pub is_row: bool,
}

/// What a value says: an object with each input by its name, or the one input itself.
///
/// # Errors
/// What the model wants, in words without anything of the value.
pub fn inputs_of_json(value: &Value, inputs: &[TensorSpec]) -> Result<JsonInputs, String> {
    let wanted = || {
        let told = inputs.iter().map(|spec| {
            let shape = written(spec.shape.iter().copied());
            format!("'{}' of {} {shape}", spec.name, spec.element)
        });
        format!("it does not fit the inputs of the model: give {}", told.collect::<Vec<_>>().join(", "))
    };
    let named = |spec: &TensorSpec| match value {
        Value::Object(fields) => fields.get(&spec.name),
        _ if inputs.len() == 1 => Some(value),
        _ => None,
    };
    let (mut tensors, mut is_row) = (Vec::with_capacity(inputs.len()), true);
    for spec in inputs {
        let rows = named(spec).and_then(|value| tensor_of(value, spec).ok()).ok_or_else(wanted)?;
        is_row &= rows.is_row;
        tensors.push((spec.name.clone(), rows.tensor));
    }
    Ok(JsonInputs { tensors, is_row })
}

/// Outputs as an object by their names. Of one row, what has one row is that row.
pub fn json_of_outputs(outputs: &[(String, Tensor)], is_row: bool) -> Value {
    let told = |tensor: &Tensor| {
        let shape = tensor.shape();
        match shape.split_first() {
            Some((1, rest)) if is_row => nested(&elements(tensor), rest),
            _ => nested(&elements(tensor), shape),
        }
    };
    Value::Object(outputs.iter().map(|(name, tensor)| (name.clone(), told(tensor))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_domain::inference::ElementType;

    use super::*;

    fn spec(name: &str, shape: &[Option<u64>]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), element: ElementType::F32, shape: shape.to_vec() }
    }

    #[test]
    fn one_row_goes_in_and_one_row_comes_out() {
        let inputs = [spec("x", &[None, Some(2)])];
        let given = inputs_of_json(&json!({ "x": [0.5, 1.0] }), &inputs).unwrap();
        assert_eq!((given.is_row, given.tensors[0].1.shape()), (true, &[1, 2][..]));
        assert_eq!(json_of_outputs(&given.tensors, given.is_row), json!({ "x": [0.5, 1.0] }));
        let itself = inputs_of_json(&json!([[0.5, 1.0]]), &inputs).unwrap();
        assert_eq!(json_of_outputs(&itself.tensors, itself.is_row), json!({ "x": [[0.5, 1.0]] }));
    }

    #[test]
    fn what_does_not_fit_is_told_without_the_value() {
        let inputs = [spec("x", &[None, Some(2)]), spec("y", &[None])];
        let why = inputs_of_json(&json!({ "x": ["secret", 1] }), &inputs).unwrap_err();
        assert_eq!(why, "it does not fit the inputs of the model: give 'x' of FP32 [?, 2], 'y' of FP32 [?]");
    }
}
