//! The routes of the protocol over a [`Speaking`].

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest, ErrorClass};
use timeloom_gateway::ollama::{
    Form, LineWriter, Took, decode_embed_request, decode_older_embed_request, encode_embed_answer,
    encode_older_embed_answer,
};
use timeloom_gateway::upstream::Prompt;
use timeloom_gateway::wire::Misfit;

use super::lines::{Lines, nanoseconds};
use super::listing::{named, running, show, tags};
use super::refusal::response;
use crate::body::{key, moment, whole_json};
use crate::refused::{REQUEST_ID, Refused};
use crate::speaking::{Asked, Said, Speaking, model_of};
use crate::written::written;

/// What would change models, and what does here.
const UNCHANGED: [(&str, &str); 6] = [
    ("/pull", "models are added by 'timeloom model add NAME', or a route by 'timeloom gateway route set'"),
    ("/push", "models are not sent elsewhere from here: 'timeloom model' knows what can be done with them"),
    ("/create", "models are added by 'timeloom model add NAME FILE', also of the format GGUF"),
    ("/copy", "another name for a model is a route: 'timeloom gateway route set --help'"),
    ("/delete", "models are put away by 'timeloom model retire NAME', routes by 'timeloom gateway route remove NAME'"),
    ("/blobs/{digest}", "files of models are sent by 'timeloom model add NAME FILE --server URL'"),
];

/// Puts the routes under `/api` of a server.
pub fn routes<S: Speaking>(speaking: Arc<S>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let all = web::scope("/api")
            .app_data(Data::from(speaking))
            .route("/chat", web::post().to(chat::<S>))
            .route("/generate", web::post().to(generate::<S>))
            .route("/embed", web::post().to(embed::<S>))
            .route("/embeddings", web::post().to(older_embed::<S>))
            .route("/tags", web::get().to(tags::<S>))
            .route("/ps", web::get().to(running::<S>))
            .route("/show", web::post().to(show::<S>))
            .route("/version", web::get().to(version));
        let refuse = |instead: &'static str| {
            web::to(move || async move {
                let message = format!("models are not changed by this protocol: {instead}");
                response(&Refused::new(501, ErrorClass::Unsupported, &message))
            })
        };
        let all = UNCHANGED.into_iter().fold(all, |all, (path, instead)| all.route(path, refuse(instead)));
        config.service(all.default_service(web::to(nothing)));
    }
}

async fn version() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

async fn nothing() -> HttpResponse {
    let message = "nothing is served here: POST /api/chat, /api/generate, /api/embed and /api/show, GET /api/tags, \
                   /api/ps and /api/version are";
    response(&Refused::not_found(message))
}

async fn chat<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    said(speaking, &request, body, Form::Chat).await
}

async fn generate<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    said(speaking, &request, body, Form::Generate).await
}

async fn said<S: Speaking>(speaking: Data<S>, request: &HttpRequest, body: Payload, form: Form) -> HttpResponse {
    let answered = async {
        let who = speaking.who(request)?;
        let began_ms = speaking.now_ms();
        let mut asked = form.decode(whole_json(body).await?).map_err(|error| Refused::invalid(&error.to_string()))?;
        let writer = LineWriter::new(&asked.model, form);
        asked.model = named(&**speaking, &who, &asked.model).await?;
        if asked.messages.is_empty() {
            // Models are loaded when they are asked something.
            model_of(&**speaking, &who, &asked.model, "GET /api/tags").await?;
            return Ok(HttpResponse::Ok().json(writer.loaded(&moment(began_ms))));
        }
        let said = speaking.chat(&who, Asked { request: Prompt::words(asked), key: key(request)? }).await?;
        answer(speaking.into_inner(), said, writer, began_ms)
    };
    answered.await.unwrap_or_else(|refused: Refused| response(&refused))
}

fn answer<S: Speaking>(
    speaking: Arc<S>,
    said: Said,
    writer: LineWriter,
    began_ms: i64,
) -> Result<HttpResponse, Refused> {
    match said {
        Said::Whole { call, answered } => {
            let now_ms = speaking.now_ms();
            let total_ns = nanoseconds(began_ms, now_ms);
            // Of a whole it is not known when it began.
            let took = Took { to_first_ns: 0, total_ns };
            let body = writer.whole(&answered.answer, &moment(now_ms), took).map_err(|error| Refused {
                call: Some(call.clone()),
                ..Refused::new(502, error.class, &error.message)
            })?;
            Ok(HttpResponse::Ok().insert_header((REQUEST_ID, call)).json(body))
        }
        Said::Stream { call, pieces } => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/x-ndjson"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REQUEST_ID, call))
            .streaming(written(pieces, Lines::new(speaking, writer, began_ms)))),
    }
}

async fn embed<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let encode = |answer: &EmbedAnswer, model: &str, total_ns| encode_embed_answer(answer, model, total_ns);
    vectors(&speaking, &request, body, decode_embed_request, encode).await
}

async fn older_embed<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let encode = |answer: &EmbedAnswer, _: &str, _| encode_older_embed_answer(answer);
    vectors(&speaking, &request, body, decode_older_embed_request, encode).await
}

async fn vectors<S: Speaking>(
    speaking: &Data<S>,
    request: &HttpRequest,
    body: Payload,
    decode: fn(Value) -> Result<EmbedRequest, Misfit>,
    encode: impl FnOnce(&EmbedAnswer, &str, u64) -> Value,
) -> HttpResponse {
    let answered = async {
        let who = speaking.who(request)?;
        let began_ms = speaking.now_ms();
        let mut asked = decode(whole_json(body).await?).map_err(|error| Refused::invalid(&error.to_string()))?;
        let name = named(&***speaking, &who, &asked.model).await?;
        let model = std::mem::replace(&mut asked.model, name);
        let (call, answer) = speaking.embed(&who, Asked { request: asked, key: key(request)? }).await?;
        let body = encode(&answer, &model, nanoseconds(began_ms, speaking.now_ms()));
        Ok(HttpResponse::Ok().insert_header((REQUEST_ID, call)).json(body))
    };
    answered.await.unwrap_or_else(|refused: Refused| response(&refused))
}
