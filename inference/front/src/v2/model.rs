//! Documents about the server, about models, and about the repository that they lie in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use timeloom_domain::inference::{ElementType, Signature, TensorSpec};

use super::error::ProtocolError;
use super::request::from_json;
use super::{FILES_MAX, LOAD_BODY_BYTES_MAX, NAME_BYTES_MAX};

/// What begins the name of a parameter that brings a file along.
const FILE: &str = "file:";

/// The server, and what it knows beyond the protocol.
#[derive(Debug, Clone, Serialize)]
pub struct ServerMetadata {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it knows beyond the protocol.
    pub extensions: &'static [&'static str],
}

impl ServerMetadata {
    /// This program.
    pub const fn of_this_program() -> Self {
        Self {
            name: "timeloom",
            version: env!("CARGO_PKG_VERSION"),
            extensions: &["binary_tensor_data", "model_repository", "model_configuration", "statistics"],
        }
    }
}

/// What a model is asked with and answers.
#[derive(Debug, Clone)]
pub struct ModelMetadata<'model> {
    /// Its name.
    pub name: &'model str,
    /// Versions that can be asked.
    pub versions: Vec<String>,
    /// What computes it, and on what, as it was seen to be.
    pub platform: &'model str,
    /// What goes in and comes out.
    pub signature: &'model Signature,
}

impl Serialize for ModelMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("ModelMetadata", 5)?;
        document.serialize_field("name", self.name)?;
        document.serialize_field("versions", &self.versions)?;
        document.serialize_field("platform", self.platform)?;
        document.serialize_field("inputs", &tensors(&self.signature.inputs))?;
        document.serialize_field("outputs", &tensors(&self.signature.outputs))?;
        document.end()
    }
}

#[derive(Serialize)]
struct TensorDocument<'spec> {
    name: &'spec str,
    datatype: &'static str,
    shape: Vec<i64>,
}

fn tensors(specs: &[TensorSpec]) -> Vec<TensorDocument<'_>> {
    specs.iter().map(TensorDocument::of).collect()
}

impl<'spec> TensorDocument<'spec> {
    fn of(spec: &'spec TensorSpec) -> Self {
        Self { name: &spec.name, datatype: spec.element.name(), shape: lengths(&spec.shape) }
    }
}

/// Lengths as the protocol tells them: -1 where any will do.
fn lengths(shape: &[Option<u64>]) -> Vec<i64> {
    shape.iter().map(|length| length.map_or(-1, |length| i64::try_from(length).unwrap_or(i64::MAX))).collect()
}

/// How a model's requests are gathered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathering {
    /// Most rows of a batch; 0 when it does not batch.
    pub max_batch_size: usize,
    /// Sizes that are worth stopping at.
    pub preferred_batch_size: Vec<usize>,
    /// How long the first may wait for others, in microseconds.
    pub max_queue_delay_microseconds: u64,
    /// Instances that compute it.
    pub instances: usize,
    /// Whether they compute on a GPU.
    pub on_gpu: bool,
}

/// A model's configuration, in the form that Triton tells it.
#[derive(Debug, Clone)]
pub struct ModelConfig<'model> {
    /// Its name.
    pub name: &'model str,
    /// What goes in and comes out.
    pub signature: &'model Signature,
    /// How its requests are gathered.
    pub gathering: Gathering,
}

impl Serialize for ModelConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let batches = self.gathering.max_batch_size > 0;
        let mut document = serializer.serialize_struct("ModelConfig", 8)?;
        document.serialize_field("name", self.name)?;
        document.serialize_field("platform", "onnxruntime_onnx")?;
        document.serialize_field("backend", "onnxruntime")?;
        document.serialize_field("max_batch_size", &self.gathering.max_batch_size)?;
        document.serialize_field("input", &config_tensors(&self.signature.inputs, batches))?;
        document.serialize_field("output", &config_tensors(&self.signature.outputs, batches))?;
        let kind = if self.gathering.on_gpu { "KIND_GPU" } else { "KIND_CPU" };
        document.serialize_field("instance_group", &[InstanceGroup { kind, count: self.gathering.instances }])?;
        let batching = batches.then_some(DynamicBatching {
            preferred_batch_size: &self.gathering.preferred_batch_size,
            max_queue_delay_microseconds: self.gathering.max_queue_delay_microseconds,
        });
        match batching {
            Some(batching) => document.serialize_field("dynamic_batching", &batching)?,
            None => document.skip_field("dynamic_batching")?,
        }
        document.end()
    }
}

#[derive(Serialize)]
struct InstanceGroup {
    kind: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct DynamicBatching<'gathering> {
    preferred_batch_size: &'gathering [usize],
    max_queue_delay_microseconds: u64,
}

#[derive(Serialize)]
struct ConfigTensor<'spec> {
    name: &'spec str,
    data_type: String,
    dims: Vec<i64>,
}

fn config_tensors(specs: &[TensorSpec], batches: bool) -> Vec<ConfigTensor<'_>> {
    specs.iter().map(|spec| ConfigTensor::of(spec, batches)).collect()
}

impl<'spec> ConfigTensor<'spec> {
    fn of(spec: &'spec TensorSpec, batches: bool) -> Self {
        // Where there are batches their dimension is not one of these.
        let dims = lengths(spec.shape.get(usize::from(batches)..).unwrap_or_default());
        let data_type = match spec.element {
            ElementType::Bytes => "TYPE_STRING".to_owned(),
            other => format!("TYPE_{other}"),
        };
        Self { name: &spec.name, data_type, dims }
    }
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IndexState {
    /// It can be asked.
    Ready,
    /// It cannot.
    Unavailable,
    /// It is being loaded.
    Loading,
    /// It is being unloaded.
    Unloading,
}

/// One version in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexEntry {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Where it is in its life.
    pub state: IndexState,
    /// Why it cannot be asked, when it cannot.
    pub reason: String,
}

/// Whether only those that are ready are asked for. An empty body asks for all.
///
/// # Errors
/// When the body is not understood.
pub fn parse_index_request(body: &[u8]) -> Result<bool, ProtocolError> {
    #[derive(Deserialize)]
    struct IndexRequest {
        ready: Option<bool>,
    }
    if body.is_empty() {
        return Ok(false);
    }
    from_json::<IndexRequest>(body).map(|request| request.ready.unwrap_or(false))
}

/// A request to load a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRequest {
    /// Its configuration, a document of JSON.
    pub config: Option<String>,
    /// Files that come along, by their paths in the model's folder.
    pub files: BTreeMap<String, Bytes>,
}

/// Parses a request to load a model. An empty body loads what is there.
///
/// # Errors
/// When the body is not understood, or too large.
pub fn parse_load(body: &[u8]) -> Result<LoadRequest, ProtocolError> {
    #[derive(Default, Deserialize)]
    struct Load<'json> {
        #[serde(borrow, default)]
        parameters: BTreeMap<Cow<'json, str>, Cow<'json, str>>,
    }
    if body.len() > LOAD_BODY_BYTES_MAX {
        return Err(ProtocolError::TooLarge(LOAD_BODY_BYTES_MAX));
    }
    let load: Load<'_> = match body {
        [] => Load::default(),
        body => serde_json::from_slice(body).map_err(|error| ProtocolError::Json(error.to_string()))?,
    };
    let mut request = LoadRequest::default();
    for (name, value) in load.parameters {
        if name == "config" {
            request.config = Some(value.into_owned());
        } else if let Some(path) = name.strip_prefix(FILE) {
            if request.files.len() == FILES_MAX {
                return Err(ProtocolError::TooMany { what: "too many files come along", most: FILES_MAX });
            }
            request.files.insert(checked_path(path)?, decoded(&value)?);
        } else {
            return Err(ProtocolError::NotServed(
                "only 'config' and 'file:<version>/<name>' are parameters of loading",
            ));
        }
    }
    Ok(request)
}

/// The path of a file that comes along: inside the model's folder, whatever it says.
fn checked_path(path: &str) -> Result<String, ProtocolError> {
    let sound = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    if path.len() > NAME_BYTES_MAX {
        return Err(ProtocolError::TooMany { what: "the path of a file has too many bytes", most: NAME_BYTES_MAX });
    }
    match path.split('/').all(sound) {
        true => Ok(path.to_owned()),
        false => {
            Err(ProtocolError::NotServed("the path of a file must be '<version>/<name>', inside the model's folder"))
        }
    }
}

fn decoded(text: &str) -> Result<Bytes, ProtocolError> {
    let decoded =
        STANDARD.decode(text).map_err(|_| ProtocolError::NotServed("a file must be sent as standard base64"))?;
    Ok(decoded.into())
}

/// Parses a request to unload a model. That others it depends on are unloaded too is accepted and means nothing: models
/// here depend on none.
///
/// # Errors
/// When the body is not understood.
pub fn parse_unload(body: &[u8]) -> Result<(), ProtocolError> {
    if body.is_empty() {
        return Ok(());
    }
    from_json::<IgnoredAny>(body).map(|_| ())
}
