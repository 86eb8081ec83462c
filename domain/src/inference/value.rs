//! Tensors as models are given them: an element type, a shape and bytes, row by row, little-endian.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::ElementType;

/// Most dimensions of a tensor.
pub const DIMENSIONS_MAX: usize = 16;
/// Most bytes of a tensor's elements.
pub const TENSOR_BYTES_MAX: usize = 256 << 20;

/// A tensor. Its bytes are the elements row by row, little-endian; each element of [`ElementType::Bytes`] has its length
/// before it, in four bytes. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    element: ElementType,
    shape: Vec<usize>,
    data: Bytes,
}

/// Why bytes are no tensor of a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// Too many dimensions.
    #[error("a tensor of {0} dimensions is too much: {DIMENSIONS_MAX} is the most")]
    TooManyDimensions(usize),
    /// Too large.
    #[error("a tensor of that shape is too large: {} MiB is the most", TENSOR_BYTES_MAX >> 20)]
    TooLarge,
    /// The shape wants another length.
    #[error("the shape {shape:?} of {element} wants {wanted} bytes, there are {found}")]
    WrongLength {
        /// What it is made of.
        element: ElementType,
        /// Its shape.
        shape: Vec<usize>,
        /// Bytes that the shape wants.
        wanted: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// The lengths before the elements do not add up to the bytes.
    #[error("the lengths before the {wanted} elements do not fit the {found} bytes")]
    BrokenElements {
        /// Elements that the shape wants.
        wanted: usize,
        /// Bytes that there are.
        found: usize,
    },
}

impl Tensor {
    /// Takes `data` as a tensor of that shape.
    ///
    /// # Errors
    /// When the bytes do not fit the shape, or are too many.
    pub fn new(element: ElementType, shape: Vec<usize>, data: Bytes) -> Result<Self, TensorError> {
        if shape.len() > DIMENSIONS_MAX {
            return Err(TensorError::TooManyDimensions(shape.len()));
        }
        let elements = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        let elements = elements.filter(|count| *count <= TENSOR_BYTES_MAX).ok_or(TensorError::TooLarge)?;
        if data.len() > TENSOR_BYTES_MAX {
            return Err(TensorError::TooLarge);
        }
        match element.bytes() {
            Some(bytes) => {
                let wanted = elements.checked_mul(bytes).ok_or(TensorError::TooLarge)?;
                if wanted != data.len() {
                    let found = data.len();
                    return Err(TensorError::WrongLength { element, shape, wanted, found });
                }
            }
            None if lengths_fit(&data, elements) => {}
            None => return Err(TensorError::BrokenElements { wanted: elements, found: data.len() }),
        }
        Ok(Self { element, shape, data })
    }

    /// A tensor of numbers of that shape.
    ///
    /// # Errors
    /// When there are more or fewer of them than the shape wants.
    pub fn of_f32(shape: Vec<usize>, numbers: &[f32]) -> Result<Self, TensorError> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self::new(ElementType::F32, shape, bytes.into())
    }

    /// A tensor of whole numbers of that shape.
    ///
    /// # Errors
    /// When there are more or fewer of them than the shape wants.
    pub fn of_i64(shape: Vec<usize>, numbers: &[i64]) -> Result<Self, TensorError> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self::new(ElementType::I64, shape, bytes.into())
    }

    /// Its numbers; nothing when it is made of something else.
    pub fn as_f32(&self) -> Option<Vec<f32>> {
        let of = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).unwrap_or_default();
        (self.element == ElementType::F32).then(|| self.data.chunks_exact(4).map(of).collect())
    }

    /// Its whole numbers; nothing when it is made of something else.
    pub fn as_i64(&self) -> Option<Vec<i64>> {
        let of = |chunk: &[u8]| chunk.try_into().map(i64::from_le_bytes).unwrap_or_default();
        (self.element == ElementType::I64).then(|| self.data.chunks_exact(8).map(of).collect())
    }

    /// What it is made of.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// SHA-256 over its type, shape and bytes: the same for equal tensors however they were sent. A frozen format: the
    /// type's name, a zero byte, the number of dimensions and each of them in eight bytes, little-endian, the bytes.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.element.name().as_bytes());
        hash.update([0]);
        hash.update((self.shape.len() as u64).to_le_bytes());
        for length in &self.shape {
            hash.update((*length as u64).to_le_bytes());
        }
        hash.update(&self.data);
        hash.finalize().into()
    }
}

/// Whether `data` is `elements` elements, each with its length before it.
fn lengths_fit(data: &[u8], elements: usize) -> bool {
    let mut rest = data;
    for _ in 0..elements {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return false };
        let Some(after) = after.get(u32::from_le_bytes(*length) as usize..) else { return false };
        rest = after;
    }
    rest.is_empty()
}
