//! Inputs that any model takes: nothing but zeros, for warming up and for measuring.

use bytes::Bytes;
use timeloom_domain::inference::Signature;
use timeloom_domain::inference::Tensor;

use crate::instance::Inputs;

/// Bytes of an element of texts that is empty: its length alone.
const EMPTY_TEXT_BYTES: usize = 4;

/// Sides of a picture that may be of any length. Models make pictures smaller several times and larger again, by 32 at most:
/// a picture of one pixel would not come out as it went in.
const PICTURE_SIDE: usize = 64;

/// Inputs of zeros, false or empty texts, of `rows` rows where the model batches. Other dimensions that are of any length
/// are 1, and 64 where they are the sides of pictures. `None` where the model wants more than a tensor may hold.
pub fn zeros(signature: &Signature, rows: usize) -> Option<Inputs> {
    let batches = signature.batches();
    let rows = if batches { rows } else { 1 };
    let tensors = signature.inputs.iter().map(|spec| {
        let any = |place: usize| if spec.shape.len() == 4 && place > 0 { PICTURE_SIDE } else { 1 };
        let length = |(place, length): (usize, &Option<u64>)| match length {
            Some(length) => usize::try_from(*length).ok(),
            None => Some(any(place)),
        };
        let lengths = spec.shape.iter().enumerate().map(length);
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
        let picture = spec("picture", ElementType::F32, vec![None, Some(3), None, Some(48)]);
        let pictures = Signature { inputs: vec![picture], outputs: Vec::new() };
        assert_eq!(zeros(&pictures, 2).unwrap().tensors[0].shape(), &[2, 3, 64, 48][..]);
        signature.inputs[1].shape[0] = Some(1 << 40);
        assert_eq!(zeros(&signature, 1), None);
    }
}
