//! What was computed, as JSON and binary tensors after it.

use timeloom_inference::Tensor;

use super::data;
use super::error::ProtocolError;
use super::request::WantedOutput;

/// Bytes around the elements of an output, about.
const AROUND_BYTES: usize = 128;

/// What was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The model's name.
    pub model: String,
    /// The version that computed.
    pub version: String,
    /// The caller's name for it.
    pub id: Option<String>,
    /// The outputs, in the order in which they are wanted.
    pub outputs: Vec<OutputTensor>,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputTensor {
    /// Its name.
    pub name: String,
    /// What came out.
    pub tensor: Tensor,
    /// Whether it is sent as binary.
    pub binary: bool,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// All of it.
    pub body: Vec<u8>,
    /// Bytes of it that are JSON, where others follow: what the header says then.
    pub json_length: Option<usize>,
}

impl Answered {
    /// Picks what a request wants of what was computed: all of it where it names nothing.
    ///
    /// # Errors
    /// When it wants an output that the model does not have.
    pub fn pick(
        (model, version, id): (String, String, Option<String>),
        computed: Vec<(String, Tensor)>,
        wanted: Option<&[WantedOutput]>,
        binary: bool,
    ) -> Result<Self, ProtocolError> {
        let Some(wanted) = wanted else {
            let all = computed.into_iter().map(|(name, tensor)| OutputTensor { name, tensor, binary });
            return Ok(Self { model, version, id, outputs: all.collect() });
        };
        let outputs = wanted.iter().map(|output| {
            let found = computed.iter().find(|(name, _)| *name == output.name);
            let (name, tensor) = found.ok_or_else(|| ProtocolError::NoOutput(output.name.clone()))?.clone();
            Ok(OutputTensor { name, tensor, binary: output.binary.unwrap_or(binary) })
        });
        Ok(Self { model, version, id, outputs: outputs.collect::<Result<_, ProtocolError>>()? })
    }

    /// Writes it as a body.
    ///
    /// # Errors
    /// When an output cannot be told as JSON.
    pub fn encode(&self) -> Result<Encoded, ProtocolError> {
        let binary = |output: &&OutputTensor| output.binary;
        let follows: usize = self.outputs.iter().filter(binary).map(|output| output.tensor.data().len()).sum();
        let inside = self.outputs.iter().filter(|output| !output.binary).map(|output| output.tensor.data().len() * 4);
        let room = follows + inside.sum::<usize>() + AROUND_BYTES * (self.outputs.len() + 1);
        let mut body = Vec::with_capacity(room);
        body.extend_from_slice(b"{\"model_name\":");
        data::json(&mut body, &self.model);
        body.extend_from_slice(b",\"model_version\":");
        data::json(&mut body, &self.version);
        if let Some(id) = &self.id {
            body.extend_from_slice(b",\"id\":");
            data::json(&mut body, id);
        }
        body.extend_from_slice(b",\"outputs\":[");
        for (at, output) in self.outputs.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            output.write(&mut body)?;
        }
        body.extend_from_slice(b"]}");
        let json_length = self.outputs.iter().any(|output| output.binary).then_some(body.len());
        for output in self.outputs.iter().filter(binary) {
            body.extend_from_slice(output.tensor.data());
        }
        Ok(Encoded { body, json_length })
    }
}

impl OutputTensor {
    fn write(&self, body: &mut Vec<u8>) -> Result<(), ProtocolError> {
        body.extend_from_slice(b"{\"name\":");
        data::json(body, &self.name);
        body.extend_from_slice(b",\"datatype\":");
        data::json(body, self.tensor.element().name());
        body.extend_from_slice(b",\"shape\":[");
        for (at, length) in self.tensor.shape().iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            data::json(body, *length as u64);
        }
        body.push(b']');
        let data = self.tensor.data();
        if self.binary {
            body.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            data::json(body, data.len() as u64);
            body.extend_from_slice(b"}}");
            return Ok(());
        }
        body.extend_from_slice(b",\"data\":");
        let written = data::write(body, self.tensor.element(), data);
        body.push(b'}');
        written.map_err(|why| ProtocolError::Output { name: self.name.clone(), why })
    }
}
