//! The Open Inference Protocol, version 2, with its extension for binary tensors and for repositories of models.
//!
//! First the words, which know nothing of HTTP: [`parse`] and [`Answered::encode`] for computing, and small documents about
//! models. Then [`routes`] over the port [`Serving`]. Invariant: whatever bytes come, what is not sound is refused in words;
//! no number is rounded, cut or guessed on its way between a body and a tensor.

mod answer;
mod data;
mod error;
mod model;
mod request;
mod routes;
mod serving;
mod statistics;

pub use answer::{Answered, Encoded, OutputTensor};
pub use error::{ProtocolError, error_body};
pub use model::{
    Gathering, IndexEntry, IndexState, LoadRequest, ModelConfig, ModelMetadata, ServerMetadata, parse_index_request,
    parse_load, parse_unload,
};
pub use request::{InferRequest, InputTensor, WantedOutput, parse};
pub(crate) use routes::refuse;
pub use routes::routes;
pub use serving::{Computed, Described, Purpose, Refusal, RefusalKind, Serving, ask};
pub use statistics::ModelStatistics;

/// Most bytes of a body that asks for something to be computed.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// Most bytes of the part of a body that is JSON.
pub const JSON_BYTES_MAX: usize = 64 << 20;
/// Most inputs of a request, and most outputs that it may want.
pub const TENSORS_MAX: usize = 1024;
/// Most bytes of a name or an id.
pub const NAME_BYTES_MAX: usize = 512;
/// Most bytes of a body that brings a model along.
pub const LOAD_BODY_BYTES_MAX: usize = 512 << 20;
/// Most files that come with a model.
pub const FILES_MAX: usize = 64;
/// The header that tells how many bytes of a body are JSON; what follows are binary tensors.
pub const HEADER_LENGTH: &str = "Inference-Header-Content-Length";
