//! A request to compute: JSON, and binary tensors after it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use timeloom_domain::inference::ElementType;
use timeloom_domain::inference::{DIMENSIONS_MAX, TENSOR_BYTES_MAX};
use timeloom_inference::{Tensor, TensorError};

use super::error::{InputError, ProtocolError};
use super::{BODY_BYTES_MAX, JSON_BYTES_MAX, NAME_BYTES_MAX, TENSORS_MAX, data};

/// Characters of what a reader of JSON says.
const SAID_CHARS_MAX: usize = 200;

/// What is to be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferRequest {
    /// The caller's name for it, given back with the answer.
    pub id: Option<String>,
    /// The tensors, in the caller's order.
    pub inputs: Vec<InputTensor>,
    /// The outputs that are wanted, all when nothing is said.
    pub outputs: Option<Vec<WantedOutput>>,
    /// Whether outputs of which nothing else is said are sent as binary.
    pub binary_output: bool,
    /// The caller's priority: 1 is the highest, 0 and nothing mean no other than usual.
    pub priority: Option<u64>,
    /// Microseconds after which the answer is of no use.
    pub timeout_us: Option<u64>,
}

/// A tensor with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputTensor {
    /// The input's name.
    pub name: String,
    /// What goes in.
    pub tensor: Tensor,
}

/// An output that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOutput {
    /// Its name.
    pub name: String,
    /// Whether as binary.
    pub binary: Option<bool>,
}

#[derive(Deserialize)]
struct RequestJson<'json> {
    #[serde(borrow)]
    id: Option<Cow<'json, str>>,
    parameters: Option<RequestParameters>,
    #[serde(borrow)]
    inputs: Vec<InputJson<'json>>,
    #[serde(borrow)]
    outputs: Option<Vec<OutputJson<'json>>>,
}

#[derive(Default, Deserialize)]
struct RequestParameters {
    binary_data_output: Option<bool>,
    priority: Option<u64>,
    timeout: Option<u64>,
    sequence_id: Option<IgnoredAny>,
    sequence_start: Option<IgnoredAny>,
    sequence_end: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct InputJson<'json> {
    #[serde(borrow)]
    name: Cow<'json, str>,
    shape: Vec<usize>,
    #[serde(borrow)]
    datatype: Cow<'json, str>,
    parameters: Option<InputParameters>,
    // Taken as it stands: the type may come after it.
    #[serde(borrow)]
    data: Option<&'json RawValue>,
}

#[derive(Default, Deserialize)]
struct InputParameters {
    binary_data_size: Option<usize>,
    shared_memory_region: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct OutputJson<'json> {
    #[serde(borrow)]
    name: Cow<'json, str>,
    parameters: Option<OutputParameters>,
}

#[derive(Default, Deserialize)]
struct OutputParameters {
    binary_data: Option<bool>,
    classification: Option<IgnoredAny>,
    shared_memory_region: Option<IgnoredAny>,
}

/// Parses a body. `json_length` is what the header for it says; without it all of the body is JSON. Binary tensors are
/// parts of `body`, not copies.
///
/// # Errors
/// When anything in it is not sound.
pub fn parse(body: &Bytes, json_length: Option<usize>) -> Result<InferRequest, ProtocolError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ProtocolError::TooLarge(BODY_BYTES_MAX));
    }
    let said = json_length.unwrap_or(body.len());
    let header_length = ProtocolError::HeaderLength { said, found: body.len() };
    let (json, binary) = body.split_at_checked(said).ok_or(header_length)?;
    let request: RequestJson<'_> = from_json(json)?;
    let parameters = request.parameters.unwrap_or_default();
    if parameters.sequence_id.or(parameters.sequence_start).or(parameters.sequence_end).is_some() {
        return Err(ProtocolError::NotServed(
            "sequences are not served: send each request without sequence parameters",
        ));
    }
    let told = request.inputs.iter().filter_map(|input| input.parameters.as_ref()?.binary_data_size);
    let told = told.fold(0_usize, usize::saturating_add);
    if told != binary.len() {
        return Err(ProtocolError::BinaryLength { told, found: binary.len() });
    }
    let mut left = body.slice(said..);
    Ok(InferRequest {
        id: request.id.map(short).transpose()?,
        inputs: inputs(request.inputs, &mut left)?,
        outputs: request.outputs.map(outputs).transpose()?,
        binary_output: parameters.binary_data_output.unwrap_or(false),
        priority: parameters.priority,
        timeout_us: parameters.timeout,
    })
}

/// Reads a document, with errors that are short and tell what can be done.
pub(super) fn from_json<'json, T: Deserialize<'json>>(json: &'json [u8]) -> Result<T, ProtocolError> {
    if json.len() > JSON_BYTES_MAX {
        return Err(ProtocolError::TooLarge(JSON_BYTES_MAX));
    }
    serde_json::from_slice(json).map_err(|error| {
        let holds = |word: &[u8]| json.windows(word.len()).any(|part| part == word);
        if error.is_syntax() && (holds(b"NaN") || holds(b"Infinity")) {
            return ProtocolError::NotFinite;
        }
        ProtocolError::Json(error.to_string().chars().take(SAID_CHARS_MAX).collect())
    })
}

fn short(name: Cow<'_, str>) -> Result<String, ProtocolError> {
    match name.len() <= NAME_BYTES_MAX {
        true => Ok(name.into_owned()),
        false => Err(ProtocolError::TooMany { what: "a name or id has too many bytes", most: NAME_BYTES_MAX }),
    }
}

fn inputs(inputs: Vec<InputJson<'_>>, left: &mut Bytes) -> Result<Vec<InputTensor>, ProtocolError> {
    if inputs.len() > TENSORS_MAX {
        return Err(ProtocolError::TooMany { what: "there are too many inputs", most: TENSORS_MAX });
    }
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(inputs.len());
    for input in inputs {
        let shared = input.parameters.as_ref().is_some_and(|parameters| parameters.shared_memory_region.is_some());
        if shared {
            return Err(ProtocolError::NotServed("shared memory is not served: send the tensor with the request"));
        }
        let tensor = tensor(&input, left);
        let name = short(input.name)?;
        if !seen.insert(name.clone()) {
            return Err(ProtocolError::Named { name, what: "is there twice" });
        }
        match tensor {
            Ok(tensor) => read.push(InputTensor { name, tensor }),
            Err(why) => return Err(ProtocolError::Input { name, why }),
        }
    }
    Ok(read)
}

fn tensor(input: &InputJson<'_>, left: &mut Bytes) -> Result<Tensor, InputError> {
    let element = input.datatype.parse::<ElementType>().map_err(|error| InputError::DataType(error.to_string()))?;
    if input.shape.len() > DIMENSIONS_MAX {
        return Err(TensorError::TooManyDimensions(input.shape.len()).into());
    }
    let binary = input.parameters.as_ref().and_then(|parameters| parameters.binary_data_size);
    let bytes = match (input.data, binary) {
        (Some(json), None) => {
            let elements = input.shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
            let elements = elements.filter(|elements| *elements <= TENSOR_BYTES_MAX).ok_or(TensorError::TooLarge)?;
            data::read(json.get(), element, &input.shape, elements)?
        }
        // All of them together are as long as what is left, so that each fits.
        (None, Some(size)) => left.split_to(size.min(left.len())),
        (Some(_), Some(_)) | (None, None) => return Err(InputError::NoData),
    };
    Ok(Tensor::new(element, input.shape.clone(), bytes)?)
}

fn outputs(outputs: Vec<OutputJson<'_>>) -> Result<Vec<WantedOutput>, ProtocolError> {
    if outputs.len() > TENSORS_MAX {
        return Err(ProtocolError::TooMany { what: "too many outputs are wanted", most: TENSORS_MAX });
    }
    let wanted = outputs.into_iter().map(|output| {
        let parameters = output.parameters.unwrap_or_default();
        if parameters.classification.is_some() {
            return Err(ProtocolError::NotServed("classification is not served: ask for the output itself"));
        }
        if parameters.shared_memory_region.is_some() {
            return Err(ProtocolError::NotServed("shared memory is not served: take the tensor from the answer"));
        }
        Ok(WantedOutput { name: short(output.name)?, binary: parameters.binary_data })
    });
    wanted.collect()
}
