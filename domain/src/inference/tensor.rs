//! Types and shapes of tensors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! element_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $bytes:expr;)*) => {
        /// What a tensor is made of, by the names of the Open Inference Protocol. Serialised as these names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum ElementType {
            $($(#[$doc])* $variant,)*
        }

        impl ElementType {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in the Open Inference Protocol.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Bytes of one element; `None` where elements differ in length.
            pub const fn bytes(self) -> Option<usize> {
                match self { $(Self::$variant => $bytes,)* }
            }
        }
    };
}

element_types! {
    /// True or false, a byte each.
    Bool = "BOOL", Some(1);
    /// Unsigned, 8 bits.
    U8 = "UINT8", Some(1);
    /// Unsigned, 16 bits.
    U16 = "UINT16", Some(2);
    /// Unsigned, 32 bits.
    U32 = "UINT32", Some(4);
    /// Unsigned, 64 bits.
    U64 = "UINT64", Some(8);
    /// Signed, 8 bits.
    I8 = "INT8", Some(1);
    /// Signed, 16 bits.
    I16 = "INT16", Some(2);
    /// Signed, 32 bits.
    I32 = "INT32", Some(4);
    /// Signed, 64 bits.
    I64 = "INT64", Some(8);
    /// IEEE 754, 16 bits.
    F16 = "FP16", Some(2);
    /// The upper half of [`Self::F32`].
    Bf16 = "BF16", Some(2);
    /// IEEE 754, 32 bits.
    F32 = "FP32", Some(4);
    /// IEEE 754, 64 bits.
    F64 = "FP64", Some(8);
    /// Texts or other bytes of any length.
    Bytes = "BYTES", None;
}

impl fmt::Display for ElementType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text names no [`ElementType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no type of a tensor: BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64 and BYTES are")]
pub struct InvalidElementType(String);

impl FromStr for ElementType {
    type Err = InvalidElementType;

    fn from_str(text: &str) -> Result<Self, InvalidElementType> {
        let named = Self::ALL.iter().find(|element| element.name() == text);
        named.copied().ok_or_else(|| InvalidElementType(text.chars().take(20).collect()))
    }
}

impl TryFrom<String> for ElementType {
    type Error = InvalidElementType;

    fn try_from(text: String) -> Result<Self, InvalidElementType> {
        text.parse()
    }
}

impl From<ElementType> for String {
    fn from(element: ElementType) -> Self {
        element.name().to_owned()
    }
}

/// What a model says of one of its inputs or outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub element: ElementType,
    /// Its dimensions; `null` where any length will do.
    pub shape: Vec<Option<u64>>,
}

/// What goes into a model and what comes out, each in the model's own order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What it wants.
    pub inputs: Vec<TensorSpec>,
    /// What it gives.
    pub outputs: Vec<TensorSpec>,
}

impl Signature {
    /// Whether several callers' inputs may be laid one after the other and computed as one: the first dimension of every
    /// input and output is of any length.
    pub fn batches(&self) -> bool {
        let free = |spec: &TensorSpec| matches!(spec.shape.first(), Some(None));
        !self.inputs.is_empty() && self.inputs.iter().all(free) && self.outputs.iter().all(free)
    }
}
