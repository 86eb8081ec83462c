//! Inputs that any model takes: nothing but zeros, for warming up and for measuring.

use bytes::Bytes;
use timeloom_domain::inference::Signature;
use timeloom_domain::inference::Tensor;

use crate::instance::Inputs;

/// Bytes of an element of texts that is empty: its length alone.
const EMPTY_TEXT_BYTES: usize = 4;

/// Inputs of zeros, false or empty texts, of `rows` rows where the model batches. Other dimensions that are of any length
/// are 1. `None` where the model wants more than a tensor may hold.
pub fn zeros(signature: &Signature, rows: usize) -> Option<Inputs> {
    let batches = signature.batches();
    let rows = if batches { rows } else { 1 };
    let tensors = signature.inputs.iter().map(|spec| {
        let lengths = spec.shape.iter().map(|length| length.map_or(Some(1), |length| usize::try_from(length).ok()));
        let mut shape = lengths.collect::<Option<Vec<usize>>>()?;
        if let Some(first) = shape.first_mut().filter(|_| batches) {
            *first = rows;
        }
        let elements = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length))?;
        let bytes = elements.checked_mul(spec.element.bytes().unwrap_or(EMPTY_TEXT_BYTES))?;
        let fits = bytes <= timeloom_domain::inference::TENSOR_BYTES_MAX;
        let data = fits.then(|| Bytes::from(vec![0; bytes]))?;
        Tensor::new(spec.element, shape, data).ok()
    });
    Some(Inputs { tensors: tensors.collect::<Option<_>>()?, rows })
}

#[cfg(test)]
mod tests {
    use timeloom_domain::inference::{ElementType, TensorSpec};

    use super::*;

    #[test]
    fn zeros_have_the_rows_that_were_asked_for_and_one_where_any_length_will_do() {
        let spec = |name: &str, element, shape| TensorSpec { name: name.to_owned(), element, shape };
        let inputs = vec![
            spec("numbers", ElementType::F32, vec![None, Some(3)]),
            spec("texts", ElementType::Bytes, vec![None, None]),
        ];
        let mut signature = Signature { inputs, outputs: Vec::new() };
        let made = zeros(&signature, 5).unwrap();
        assert_eq!((made.rows, made.tensors[0].shape(), made.tensors[1].shape()), (5, &[5, 3][..], &[5, 1][..]));
        signature.inputs[1].shape[0] = Some(1 << 40);
        assert_eq!(zeros(&signature, 1), None);
    }
}
