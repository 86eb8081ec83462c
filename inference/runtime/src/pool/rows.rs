//! Cuts tensors by rows and lays them together again. Rows are never copied where a slice will do.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use timeloom_domain::inference::Tensor;

use crate::instance::Inputs;

/// The rows of `inputs` in `range`; `None` where a tensor does not have so many.
pub(super) fn slice(inputs: &Inputs, range: &Range<usize>) -> Option<Inputs> {
    let tensors = inputs.tensors.iter().map(|tensor| slice_tensor(tensor, range)).collect::<Option<_>>()?;
    Some(Inputs { tensors, rows: range.len() })
}

fn slice_tensor(tensor: &Tensor, range: &Range<usize>) -> Option<Tensor> {
    let (rows, row) = tensor.shape().split_first()?;
    if range.end > *rows || range.start > range.end {
        return None;
    }
    let elements: usize = row.iter().product();
    let data = tensor.data();
    let data = match tensor.element().bytes() {
        Some(bytes) => data.slice(range.start * elements * bytes..range.end * elements * bytes),
        None => {
            let start = after_elements(data, 0, range.start * elements)?;
            data.slice(start..after_elements(data, start, range.len() * elements)?)
        }
    };
    let shape = std::iter::once(range.len()).chain(row.iter().copied()).collect();
    Tensor::new(tensor.element(), shape, data).ok()
}

/// Where `count` elements of different lengths end that begin at `from`.
fn after_elements(data: &Bytes, from: usize, count: usize) -> Option<usize> {
    (0..count).try_fold(from, |at, _| {
        let length = data.get(at..)?.first_chunk::<4>()?;
        Some(at + 4 + u32::from_le_bytes(*length) as usize)
    })
}

/// Lays outputs of parts one after the other; `None` where they do not fit each other.
pub(super) fn join(mut parts: Vec<Vec<Tensor>>) -> Option<Vec<Tensor>> {
    if parts.len() < 2 {
        return parts.pop();
    }
    let count = parts.first()?.len();
    (0..count)
        .map(|output| join_tensors(parts.iter().map(|part| part.get(output)).collect::<Option<Vec<_>>>()?))
        .collect()
}

fn join_tensors(parts: Vec<&Tensor>) -> Option<Tensor> {
    let first = *parts.first()?;
    let row = first.shape().get(1..)?;
    if parts.iter().any(|part| part.element() != first.element() || part.shape().get(1..) != Some(row)) {
        return None;
    }
    let rows = parts.iter().filter_map(|part| part.shape().first()).sum();
    let mut data = BytesMut::with_capacity(parts.iter().map(|part| part.data().len()).sum());
    for part in &parts {
        data.extend_from_slice(part.data());
    }
    let shape = std::iter::once(rows).chain(row.iter().copied()).collect();
    Tensor::new(first.element(), shape, data.freeze()).ok()
}

#[cfg(test)]
mod tests {
    use timeloom_domain::inference::ElementType;

    use super::*;

    fn texts(texts: &[&str]) -> Tensor {
        let mut data = BytesMut::new();
        for text in texts {
            data.extend_from_slice(&(text.len() as u32).to_le_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        Tensor::new(ElementType::Bytes, vec![texts.len() / 2, 2], data.freeze()).unwrap()
    }

    #[test]
    fn what_was_cut_anywhere_is_the_same_when_laid_together() {
        let numbers = Tensor::new(ElementType::U16, vec![3, 2], (0_u8..12).collect::<Vec<_>>().into()).unwrap();
        let whole = Inputs { tensors: vec![numbers, texts(&["a", "", "long text", "b", "c", "dd"])], rows: 3 };
        for cut in 0..=3 {
            let parts = [0..cut, cut..3].map(|range| slice(&whole, &range).unwrap());
            assert_eq!(parts.each_ref().map(|part| part.rows), [cut, 3 - cut]);
            assert_eq!(join(parts.map(|part| part.tensors).to_vec()).unwrap(), whole.tensors);
        }
        assert_eq!(slice(&whole, &(2..4)), None);
    }

    #[test]
    fn parts_of_different_width_are_not_laid_together() {
        let tensor = |shape: Vec<usize>| Tensor::new(ElementType::U8, shape, vec![0; 2].into()).unwrap();
        assert_eq!(join(vec![vec![tensor(vec![1, 2])], vec![tensor(vec![2, 1])]]), None);
    }
}
