//! Files of models, sent in pieces that survive a broken connection: begin, append from where the last piece ended, finish.
//!
//! ```text
//! POST   /models/uploads                 {"bytes": …, "sha256": …}     -> where it stands
//! GET    /models/uploads/ID                                             -> where it stands
//! PUT    /models/uploads/ID?offset=…     the bytes from there           -> where it stands
//! POST   /models/uploads/ID/version      {"model": …, "source": …, …}   -> the version that it became
//! POST   /models/uploads/ID/file                                        -> the digest, for weights beside a model
//! DELETE /models/uploads/ID
//! ```

use std::sync::Arc;

use actix_web::web::{self, Bytes, Data, Json, Path, Payload, PayloadConfig, Query, ServiceConfig};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::v2::{Refusal, RefusalKind, refuse};

/// Most bytes of one piece.
pub const PIECE_BYTES_MAX: usize = 32 << 20;
/// Most bytes of what is said of an upload.
const WORDS_BYTES_MAX: usize = 256 << 10;

/// An upload that is to begin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// How many bytes it will have.
    pub bytes: u64,
    /// SHA-256 that it must have in the end, hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Where an upload stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// How many bytes it will have.
    pub bytes: u64,
    /// How many are there: the next piece begins with this one.
    pub offset: u64,
    /// Most bytes of one piece.
    pub piece_bytes_max: usize,
}

/// What an upload is to become.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BecomeVersion {
    /// The model; it is registered where it is not.
    pub model: String,
    /// What it computes, where it is registered now.
    #[serde(default)]
    pub description: String,
    /// Where the file was taken from.
    #[serde(default)]
    pub source: Option<String>,
    /// Under which licence it may be used, as its source says.
    #[serde(default)]
    pub licence: Option<String>,
    /// Weights beside it, uploaded before.
    #[serde(default)]
    pub beside: Vec<Beside>,
    /// Whether requests that name no version are answered by it from now on.
    #[serde(default)]
    pub promote: bool,
}

/// A file of weights beside a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// Path beside the model's file, as that names it.
    pub path: String,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
}

/// The version that a file became.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Became {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Position of the event that says so.
    pub position: String,
}

/// A file that was kept.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What the routes need behind them.
#[async_trait]
pub trait Uploading: Send + Sync + 'static {
    /// Who sends.
    type Who: Send + Sync;

    /// Tells who sends a request, and that they may send files of models.
    ///
    /// # Errors
    /// When nobody knows, or they may not.
    fn who(&self, request: &HttpRequest) -> Result<Self::Who, Refusal>;

    /// Begins an upload.
    ///
    /// # Errors
    /// When it is too large, or too many are under way.
    async fn begin(&self, who: &Self::Who, begin: Begin) -> Result<Standing, Refusal>;

    /// Where an upload stands.
    ///
    /// # Errors
    /// When there is none.
    async fn standing(&self, who: &Self::Who, id: &str) -> Result<Standing, Refusal>;

    /// Takes the bytes from `offset`; they are durable when it answers.
    ///
    /// # Errors
    /// When it does not begin where the upload stands, or goes beyond its end.
    async fn append(&self, who: &Self::Who, id: &str, offset: u64, piece: Bytes) -> Result<Standing, Refusal>;

    /// Checks the file and makes it a version of a model.
    ///
    /// # Errors
    /// When it is not whole, or does not pass the checks.
    async fn become_version(&self, who: &Self::Who, id: &str, what: BecomeVersion) -> Result<Became, Refusal>;

    /// Keeps the file as it is.
    ///
    /// # Errors
    /// When it is not whole.
    async fn become_file(&self, who: &Self::Who, id: &str) -> Result<Kept, Refusal>;

    /// Forgets an upload.
    ///
    /// # Errors
    /// When there is none.
    async fn abandon(&self, who: &Self::Who, id: &str) -> Result<(), Refusal>;
}

#[derive(Debug, Deserialize)]
struct From {
    offset: u64,
}

/// Puts the routes under `/models/uploads` of a server.
pub fn routes<U: Uploading>(uploading: Arc<U>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let all = web::scope("/models/uploads")
            .app_data(Data::from(uploading))
            .app_data(PayloadConfig::new(PIECE_BYTES_MAX))
            .app_data(web::JsonConfig::default().limit(WORDS_BYTES_MAX).error_handler(|error, _| {
                let refusal = Refusal::new(RefusalKind::Invalid, format!("the JSON is not understood: {error}"));
                actix_web::error::InternalError::from_response(error, refuse(&refusal)).into()
            }))
            .route("", web::post().to(begin::<U>))
            .route("/{id}", web::get().to(standing::<U>))
            .route("/{id}", web::put().to(append::<U>))
            .route("/{id}", web::delete().to(abandon::<U>))
            .route("/{id}/version", web::post().to(become_version::<U>))
            .route("/{id}/file", web::post().to(become_file::<U>));
        config.service(all);
    }
}

fn told<T: Serialize>(outcome: Result<T, Refusal>) -> HttpResponse {
    match outcome {
        Ok(what) => HttpResponse::Ok().json(what),
        Err(refusal) => refuse(&refusal),
    }
}

async fn begin<U: Uploading>(uploading: Data<U>, request: HttpRequest, what: Json<Begin>) -> HttpResponse {
    let outcome = async { uploading.begin(&uploading.who(&request)?, what.into_inner()).await };
    told(outcome.await)
}

async fn standing<U: Uploading>(uploading: Data<U>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let outcome = async { uploading.standing(&uploading.who(&request)?, &id).await };
    told(outcome.await)
}

async fn append<U: Uploading>(
    uploading: Data<U>,
    request: HttpRequest,
    id: Path<String>,
    from: Query<From>,
    piece: Payload,
) -> HttpResponse {
    let outcome = async {
        // Nothing is taken in of those who may not send it.
        let who = uploading.who(&request)?;
        let broken = |error| Refusal::new(RefusalKind::Invalid, format!("the piece did not arrive whole: {error}"));
        let piece = Bytes::from_request(&request, &mut piece.into_inner()).await.map_err(broken)?;
        uploading.append(&who, &id, from.offset, piece).await
    };
    told(outcome.await)
}

async fn become_version<U: Uploading>(
    uploading: Data<U>,
    request: HttpRequest,
    id: Path<String>,
    what: Json<BecomeVersion>,
) -> HttpResponse {
    let outcome = async { uploading.become_version(&uploading.who(&request)?, &id, what.into_inner()).await };
    told(outcome.await)
}

async fn become_file<U: Uploading>(uploading: Data<U>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let outcome = async { uploading.become_file(&uploading.who(&request)?, &id).await };
    told(outcome.await)
}

async fn abandon<U: Uploading>(uploading: Data<U>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let outcome = async { uploading.abandon(&uploading.who(&request)?, &id).await };
    told(outcome.await)
}
