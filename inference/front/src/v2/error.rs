//! What is wrong with words of the protocol: always the fault of who sent them.

use timeloom_domain::inference::ElementType;
use timeloom_inference::TensorError;

/// Why a body is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// It is larger than it may be.
    #[error("the body is too large: {0} bytes are the most")]
    TooLarge(usize),
    /// It is not JSON, or not of the form that is wanted.
    #[error("the JSON is not understood: {0}")]
    Json(String),
    /// It holds a number that JSON cannot.
    #[error("the JSON is not understood: NaN and Infinity can be sent as binary tensors only")]
    NotFinite,
    /// The header tells of more JSON than there is.
    #[error("the header Inference-Header-Content-Length says {said}, but the body has {found} bytes")]
    HeaderLength {
        /// What it says.
        said: usize,
        /// Bytes of the body.
        found: usize,
    },
    /// There are more or less binary bytes than the inputs tell of.
    #[error("the inputs tell of {told} binary bytes, but {found} follow the JSON")]
    BinaryLength {
        /// What the inputs tell.
        told: usize,
        /// Bytes that follow the JSON.
        found: usize,
    },
    /// Something about one tensor.
    #[error("the input '{name}': {why}")]
    Input {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        why: InputError,
    },
    /// Something is wanted that is not served.
    #[error("{0}")]
    NotServed(&'static str),
    /// Too many inputs, outputs or files, or too long a name.
    #[error("{what}: {most} are the most")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// An input that the model does not have, or lacks, or that is there twice.
    #[error("the input '{name}' {what}")]
    Named {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An output that the model does not have.
    #[error("the model has no output '{0}'")]
    NoOutput(String),
    /// An output cannot be told as JSON.
    #[error("the output '{name}' {why}: ask for it with binary_data")]
    Output {
        /// Its name.
        name: String,
        /// Why not.
        why: &'static str,
    },
}

/// What is wrong with a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The type is not known.
    #[error("{0}")]
    DataType(String),
    /// It has no data, or twice.
    #[error("it needs either 'data' or the parameter binary_data_size, and one of them only")]
    NoData,
    /// This type is sent as binary only.
    #[error("{0} can be sent as binary only")]
    BinaryOnly(ElementType),
    /// An element is not of the type.
    #[error("the element {at} is no {element}: {found}")]
    Element {
        /// Its place, from 0.
        at: usize,
        /// What it should be.
        element: ElementType,
        /// What it is.
        found: String,
    },
    /// The arrays are not of the shape.
    #[error("'data' must be one array of {elements} elements, or arrays nested as its shape says")]
    Shape {
        /// Elements that the shape has.
        elements: usize,
    },
    /// The bytes are no tensor of the shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// The body that tells of an error.
pub fn error_body(message: &str) -> Vec<u8> {
    let mut body = b"{\"error\":".to_vec();
    super::data::json(&mut body, message);
    body.push(b'}');
    body
}
