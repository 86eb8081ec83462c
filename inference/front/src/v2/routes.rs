//! The routes of the protocol over a [`Serving`].
//!
//! Before anything of a request is looked at, [`Serving::who`] tells who sent it; only whether the process lives is told to
//! everybody. Every refusal is the protocol's `{"error": …}`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::web::{self, Bytes, Data, Path, Payload, PayloadConfig, ServiceConfig};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::answer::Answered;
use super::error::{ProtocolError, error_body};
use super::model::{IndexEntry, IndexState};
use super::model::{ModelConfig, ModelMetadata, ServerMetadata, parse_index_request, parse_load, parse_unload};
use super::request::parse;
use super::serving::{Purpose, Refusal, RefusalKind, Serving, ask};
use super::statistics::ModelStatistics;
use super::{BODY_BYTES_MAX, HEADER_LENGTH, LOAD_BODY_BYTES_MAX};

/// Name of the header with the key under which the same is asked again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest such key, in bytes.
const KEY_BYTES_MAX: usize = 200;

#[derive(Deserialize)]
struct Named {
    model: String,
    version: Option<String>,
}

/// Puts the routes under `/v2` of a server. Only a server with `h1_allow_half_closed(false)` notices that a client went away
/// while it is computed for, and stops that; any other computes for nobody.
pub fn routes<S: Serving>(serving: Arc<S>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let all = web::scope("/v2")
            .app_data(Data::from(serving))
            .app_data(PayloadConfig::new(BODY_BYTES_MAX))
            .route("", web::get().to(server::<S>))
            .route("/health/live", web::get().to(live))
            .route("/health/ready", web::get().to(ready::<S>))
            .route("/models/stats", web::get().to(statistics_of_all::<S>))
            .configure(of_models::<S>)
            .service(
                web::scope("/repository")
                    .app_data(PayloadConfig::new(LOAD_BODY_BYTES_MAX))
                    .route("/index", web::post().to(index::<S>))
                    .route("/models/{model}/load", web::post().to(load::<S>))
                    .route("/models/{model}/unload", web::post().to(unload::<S>)),
            )
            .default_service(web::to(nothing));
        config.service(all);
    }
}

fn of_models<S: Serving>(config: &mut ServiceConfig) {
    for model in ["/models/{model}", "/models/{model}/versions/{version}"] {
        config
            .route(model, web::get().to(metadata::<S>))
            .route(&format!("{model}/ready"), web::get().to(model_ready::<S>))
            .route(&format!("{model}/config"), web::get().to(model_config::<S>))
            .route(&format!("{model}/stats"), web::get().to(statistics::<S>))
            .route(&format!("{model}/infer"), web::post().to(infer::<S>));
    }
}

async fn infer<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>, body: Payload) -> HttpResponse {
    answer(try_infer(serving.get_ref(), &request, named.into_inner(), body).await)
}

async fn try_infer<S: Serving>(
    serving: &S,
    request: &HttpRequest,
    named: Named,
    body: Payload,
) -> Result<HttpResponse, Refusal> {
    let who = serving.who(request, Purpose::Ask)?;
    let key = key(request)?;
    let body = whole(request, body, BODY_BYTES_MAX).await?;
    let asked = parse(&body, json_length(request)?)?;
    let (model, version) = (named.model, named.version.as_deref());
    let ask = ask(asked.priority, asked.timeout_us);
    let inputs = asked.inputs.into_iter().map(|input| (input.name, input.tensor)).collect();
    let computed = serving.infer(&who, &model, version, inputs, ask, key).await?;
    let named = (model, computed.version, asked.id);
    let answered = Answered::pick(named, computed.outputs, asked.outputs.as_deref(), asked.binary_output)?;
    let encoded = answered.encode()?;
    let mut response = HttpResponse::Ok();
    match encoded.json_length {
        Some(length) => {
            response.insert_header((CONTENT_TYPE, "application/octet-stream"));
            response.insert_header((HEADER_LENGTH, length));
        }
        None => drop(response.insert_header((CONTENT_TYPE, "application/json"))),
    }
    Ok(response.body(encoded.body))
}

/// What the header says of how much of the body is JSON.
fn json_length(request: &HttpRequest) -> Result<Option<usize>, Refusal> {
    let Some(header) = request.headers().get(HEADER_LENGTH) else { return Ok(None) };
    let length = header.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Refusal::new(RefusalKind::Invalid, format!("the header {HEADER_LENGTH} must be a number of bytes"));
    length.map(Some).ok_or_else(wrong)
}

/// The key under which the same is asked again, where there is one.
fn key(request: &HttpRequest) -> Result<Option<String>, Refusal> {
    let Some(header) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = header.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    let wrong = format!("the header Idempotency-Key must have 1 to {KEY_BYTES_MAX} visible ASCII characters");
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Refusal::new(RefusalKind::Invalid, wrong))
}

/// The body, which may be packed, if it is not larger than the routes let in.
async fn whole(request: &HttpRequest, body: Payload, most: usize) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, &mut body.into_inner()).await.map_err(|error| {
        match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => ProtocolError::TooLarge(most).into(),
            _ => Refusal::new(RefusalKind::Invalid, format!("the body did not arrive whole: {error}")),
        }
    })
}

async fn live() -> HttpResponse {
    #[derive(Serialize)]
    struct Live {
        live: bool,
    }
    HttpResponse::Ok().json(Live { live: true })
}

#[derive(Serialize)]
struct Ready<'model> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'model str>,
    ready: bool,
}

/// The sources differ in whether readiness is told by the status or by a body: both tell it.
fn readiness(name: Option<&str>, ready: bool) -> HttpResponse {
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(Ready { name, ready })
}

async fn ready<S: Serving>(serving: Data<S>) -> HttpResponse {
    readiness(None, serving.is_ready())
}

async fn server<S: Serving>(serving: Data<S>, request: HttpRequest) -> HttpResponse {
    answer(serving.who(&request, Purpose::See).map(|_| HttpResponse::Ok().json(ServerMetadata::of_this_program())))
}

async fn metadata<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>) -> HttpResponse {
    let described = async {
        let who = serving.who(&request, Purpose::See)?;
        let described = serving.describe(&who, &named.model, named.version.as_deref()).await?;
        let (name, platform, signature) = (&*named.model, &*described.platform, &*described.signature);
        Ok(HttpResponse::Ok().json(ModelMetadata { name, versions: described.versions, platform, signature }))
    };
    answer(described.await)
}

async fn model_ready<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>) -> HttpResponse {
    let described = async {
        let who = serving.who(&request, Purpose::See)?;
        let described = serving.describe(&who, &named.model, named.version.as_deref()).await?;
        Ok(readiness(Some(&named.model), described.ready))
    };
    answer(described.await)
}

async fn model_config<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>) -> HttpResponse {
    let described = async {
        let who = serving.who(&request, Purpose::See)?;
        let described = serving.describe(&who, &named.model, named.version.as_deref()).await?;
        let (name, signature) = (&*named.model, &*described.signature);
        Ok(HttpResponse::Ok().json(ModelConfig { name, signature, gathering: described.gathering }))
    };
    answer(described.await)
}

async fn statistics<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>) -> HttpResponse {
    let told = async {
        let who = serving.who(&request, Purpose::See)?;
        serving.statistics(&who, Some(&named.model), named.version.as_deref()).await.map(statistics_document)
    };
    answer(told.await)
}

async fn statistics_of_all<S: Serving>(serving: Data<S>, request: HttpRequest) -> HttpResponse {
    let told = async {
        let who = serving.who(&request, Purpose::See)?;
        serving.statistics(&who, None, None).await.map(statistics_document)
    };
    answer(told.await)
}

fn statistics_document(model_stats: Vec<ModelStatistics>) -> HttpResponse {
    #[derive(Serialize)]
    struct Document {
        model_stats: Vec<ModelStatistics>,
    }
    HttpResponse::Ok().json(Document { model_stats })
}

async fn index<S: Serving>(serving: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let listed = async {
        let who = serving.who(&request, Purpose::See)?;
        let only_ready = parse_index_request(&whole(&request, body, LOAD_BODY_BYTES_MAX).await?)?;
        let shown = |entry: &IndexEntry| !only_ready || entry.state == IndexState::Ready;
        let entries = serving.index(&who).await?;
        Ok(HttpResponse::Ok().json(entries.into_iter().filter(shown).collect::<Vec<_>>()))
    };
    answer(listed.await)
}

async fn load<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>, body: Payload) -> HttpResponse {
    let loaded = async {
        let who = serving.who(&request, Purpose::Load)?;
        let load = parse_load(&whole(&request, body, LOAD_BODY_BYTES_MAX).await?)?;
        serving.load(&who, &named.model, load).await.map(|()| HttpResponse::Ok().finish())
    };
    answer(loaded.await)
}

async fn unload<S: Serving>(serving: Data<S>, request: HttpRequest, named: Path<Named>, body: Payload) -> HttpResponse {
    let unloaded = async {
        let who = serving.who(&request, Purpose::Load)?;
        parse_unload(&whole(&request, body, LOAD_BODY_BYTES_MAX).await?)?;
        serving.unload(&who, &named.model).await.map(|()| HttpResponse::Ok().finish())
    };
    answer(unloaded.await)
}

async fn nothing() -> HttpResponse {
    refuse(&Refusal::new(RefusalKind::NotFound, "nothing is served here: see the Open Inference Protocol, version 2"))
}

fn answer(result: Result<HttpResponse, Refusal>) -> HttpResponse {
    result.unwrap_or_else(|refusal| refuse(&refusal))
}

pub(crate) fn refuse(refusal: &Refusal) -> HttpResponse {
    let status = match refusal.kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Limited => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Late => StatusCode::GATEWAY_TIMEOUT,
        RefusalKind::Fault => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if let Some(after) = refusal.retry_after {
        // The header knows whole seconds only.
        response.insert_header((RETRY_AFTER, after.as_millis().div_ceil(1000).max(1).to_string()));
    }
    response.body(error_body(&refusal.message))
}
