//! The routes of the protocol over a [`Speaking`].

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use timeloom_domain::chat::{Delta, Encoding, ErrorClass, Usage};
use timeloom_gateway::CallError;
use timeloom_gateway::limits::Standing;
use timeloom_gateway::openai::{ChatBody, ChunkWriter, decode_embed_request, encode_embed_answer};
use timeloom_gateway::upstream::{Piece, Prompt};

use super::refusal::response;
use crate::body::{key, put, whole};
use crate::refused::{REQUEST_ID, Refused};
use crate::speaking::{Asked, Said, Speaking, model_of};

/// Puts the routes under `/v1` of a server.
pub fn routes<S: Speaking>(speaking: Arc<S>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let all = web::scope("/v1")
            .app_data(Data::from(speaking))
            .route("/chat/completions", web::post().to(chat::<S>))
            .route("/embeddings", web::post().to(embeddings::<S>))
            .route("/models", web::get().to(models::<S>))
            .route("/models/{model:.+}", web::get().to(model::<S>))
            .default_service(web::to(nothing));
        config.service(all);
    }
}

async fn chat<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let answered = async {
        let who = speaking.who(&request)?;
        let body = ChatBody::new(whole(body).await?).map_err(|error| Refused::invalid(&error.to_string()))?;
        let usage = body.head().stream_usage;
        let now_s = speaking.now_ms().div_euclid(1_000);
        let said = speaking.chat(&who, Asked { request: Prompt::body(body), key: key(&request)? }).await;
        let answer = said.map_or_else(|refused| response(&refused), |said| answer(said, now_s, usage));
        Ok(limited(answer, &speaking.standing(&who)))
    };
    answered.await.unwrap_or_else(|refused: Refused| response(&refused))
}

async fn embeddings<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let answered = async {
        let who = speaking.who(&request)?;
        let body = whole(body).await?;
        let value: Value = serde_json::from_slice(&body)
            .map_err(|error| Refused::invalid(&format!("the body is no request for vectors: {error}")))?;
        let asked = decode_embed_request(value).map_err(|error| Refused::invalid(&error.to_string()))?;
        let encoding = asked.encoding.unwrap_or(Encoding::Float);
        let told = speaking.embed(&who, Asked { request: asked, key: key(&request)? }).await;
        let answer = match told {
            Ok((call, vectors)) => {
                let body = encode_embed_answer(&vectors, encoding).to_string();
                HttpResponse::Ok()
                    .insert_header((CONTENT_TYPE, "application/json"))
                    .insert_header((REQUEST_ID, call))
                    .body(body)
            }
            Err(refused) => response(&refused),
        };
        Ok(limited(answer, &speaking.standing(&who)))
    };
    answered.await.unwrap_or_else(|refused: Refused| response(&refused))
}

async fn models<S: Speaking>(speaking: Data<S>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let who = speaking.who(&request)?;
        let models = speaking.models(&who).await?;
        let data: Vec<Value> = models.iter().map(|model| described(&model.name)).collect();
        Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": data })))
    };
    listed.await.unwrap_or_else(|refused: Refused| response(&refused))
}

async fn model<S: Speaking>(speaking: Data<S>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    let found = async {
        let who = speaking.who(&request)?;
        let model = model_of(&**speaking, &who, &name, "GET /v1/models").await?;
        Ok(HttpResponse::Ok().json(described(&model.name)))
    };
    found.await.unwrap_or_else(|refused: Refused| response(&refused))
}

fn described(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "timeloom" })
}

async fn nothing() -> HttpResponse {
    let message = "nothing is served here: POST /v1/chat/completions, POST /v1/embeddings, POST /v1/messages and \
                   GET /v1/models are";
    response(&Refused::new(404, ErrorClass::BadRequest, message))
}

fn answer(said: Said, now_s: i64, usage: bool) -> HttpResponse {
    match said {
        Said::Whole { call, answered } => {
            let body = answered.openai_body(&format!("chatcmpl-{call}"), now_s);
            HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, "application/json"))
                .insert_header((REQUEST_ID, call))
                .body(body)
        }
        Said::Stream { call, pieces } => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/event-stream"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REQUEST_ID, call.as_str()))
            .streaming(events(pieces, ChunkWriter::new(&call, "", now_s, usage))),
    }
}

/// A stream on its way to a client.
struct Passing {
    pieces: BoxStream<'static, Result<Piece, CallError>>,
    writer: ChunkWriter,
    /// Whether the provider speaks the protocol too, so that its bytes are passed on.
    is_raw: bool,
    /// The tokens that it took, which the protocol tells last.
    usage: Option<Usage>,
}

/// The events of a stream: as they came where the provider speaks the protocol too, else written anew.
fn events(
    pieces: BoxStream<'static, Result<Piece, CallError>>,
    writer: ChunkWriter,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    let passing = Passing { pieces, writer, is_raw: false, usage: None };
    stream::unfold(Some(passing), |passing| async move {
        let mut passing = passing?;
        loop {
            match passing.pieces.next().await {
                Some(Ok(Piece { raw: Some(raw), .. })) => {
                    passing.is_raw = true;
                    return Some((Ok(raw), Some(passing)));
                }
                // What was asked for besides and the client is not to see.
                Some(Ok(_)) if passing.is_raw => {}
                Some(Ok(Piece { deltas, .. })) => {
                    let written = passing.write(&deltas);
                    if !written.is_empty() {
                        return Some((Ok(written), Some(passing)));
                    }
                }
                Some(Err(error)) => return Some((Ok(ChunkWriter::failed(error.class, &error.message)), None)),
                // The provider's own last event is passed on as it came.
                None if passing.is_raw => return None,
                None => return Some((Ok(passing.end()), None)),
            }
        }
    })
}

impl Passing {
    fn write(&mut self, deltas: &[Delta]) -> Bytes {
        let mut written = BytesMut::new();
        for delta in deltas {
            match delta {
                Delta::Usage(usage) => self.usage = Some(*usage),
                other => written.extend_from_slice(&self.writer.write(other)),
            }
        }
        written.freeze()
    }

    fn end(mut self) -> Bytes {
        let mut written = BytesMut::new();
        if let Some(usage) = self.usage.take() {
            written.extend_from_slice(&self.writer.write(&Delta::Usage(usage)));
        }
        written.extend_from_slice(&ChunkWriter::done());
        written.freeze()
    }
}

/// Tells how much is left of the limits of requests and of tokens.
fn limited(mut response: HttpResponse, standings: &[Standing]) -> HttpResponse {
    for Standing { what, most, left, reset_ms } in standings {
        let name = match *what {
            "requests a minute" => "requests",
            "tokens a minute" => "tokens",
            _ => continue,
        };
        let headers = response.headers_mut();
        put(headers, &format!("x-ratelimit-limit-{name}"), &most.to_string());
        put(headers, &format!("x-ratelimit-remaining-{name}"), &left.to_string());
        put(headers, &format!("x-ratelimit-reset-{name}"), &format!("{reset_ms}ms"));
    }
    response
}
