//! The routes of the protocol over a [`Speaking`].

use std::sync::Arc;

use actix_web::guard::fn_guard;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::json;
use timeloom_domain::chat::{Delta, ErrorClass};
use timeloom_gateway::CallError;
use timeloom_gateway::anthropic::{
    About, EventWriter, VERSION as SPOKEN, decode_count_request, decode_request, encode_answer,
};
use timeloom_gateway::gateway::tokens_guessed;
use timeloom_gateway::limits::Standing;
use timeloom_gateway::upstream::Prompt;

use super::refusal::{REQUEST_ID, response};
use super::{MESSAGES, VERSION, is_meant, models};
use crate::body::{key, moment, put, whole_json};
use crate::refused::{REQUEST_ID as OWN_REQUEST_ID, Refused};
use crate::speaking::{Asked, Said, Speaking, model_of};
use crate::written::{Writing, written};

/// Puts the routes under `/v1/messages`, and under `/v1/models` for those who say that they speak the protocol. They come
/// before others of `/v1`.
pub fn routes<S: Speaking>(speaking: Arc<S>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let messages = web::scope(MESSAGES)
            .app_data(Data::from(Arc::clone(&speaking)))
            .route("", web::post().to(messages::<S>))
            .route("/count_tokens", web::post().to(count_tokens::<S>))
            .default_service(web::to(nothing));
        let models = web::scope("/v1/models")
            .guard(fn_guard(|context| is_meant(context.head())))
            .app_data(Data::from(speaking))
            .route("", web::get().to(models::models::<S>))
            .route("/{model:.+}", web::get().to(models::model::<S>))
            .default_service(web::to(nothing));
        config.service(messages).service(models);
    }
}

/// Refuses who speaks a version of the protocol before the one that is spoken here: streams had another form. Later ones add
/// to it. Whoever says nothing is taken to speak this one.
pub(super) fn check_version(request: &HttpRequest) -> Result<(), Refused> {
    let Some(version) = request.headers().get(VERSION) else { return Ok(()) };
    let is_day = |text: &&str| {
        let digits = text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
        text.len() == SPOKEN.len() && digits
    };
    match version.to_str().ok().filter(is_day) {
        Some(day) if day >= SPOKEN => Ok(()),
        _ => Err(Refused::invalid(&format!("the header anthropic-version must be {SPOKEN} or a later day"))),
    }
}

async fn messages<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let answered = async {
        let who = speaking.who(&request)?;
        check_version(&request)?;
        let asked = decode_request(whole_json(body).await?).map_err(|error| Refused::invalid(&error.to_string()))?;
        let about = About::new(String::new(), asked.model.clone(), &asked.sampling.stop);
        let said = speaking.chat(&who, Asked { request: Prompt::words(asked), key: key(&request)? }).await;
        let answer = said.and_then(|said| answer(said, about)).unwrap_or_else(|refused| response(&refused));
        Ok(limited(answer, &speaking.standing(&who), speaking.now_ms()))
    };
    answered.await.unwrap_or_else(|refused: Refused| response(&refused))
}

/// A guess, by which limits are reserved too: only the model's own words tell its tokens.
async fn count_tokens<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let counted = async {
        let who = speaking.who(&request)?;
        check_version(&request)?;
        let asked =
            decode_count_request(whole_json(body).await?).map_err(|error| Refused::invalid(&error.to_string()))?;
        model_of(&**speaking, &who, &asked.model, "GET /v1/models").await?;
        Ok(HttpResponse::Ok().json(json!({ "input_tokens": tokens_guessed(asked.text_bytes()) })))
    };
    counted.await.unwrap_or_else(|refused: Refused| response(&refused))
}

async fn nothing() -> HttpResponse {
    let message = "nothing is served here: POST /v1/messages, POST /v1/messages/count_tokens and GET /v1/models are";
    response(&Refused::not_found(message))
}

fn answer(said: Said, about: About) -> Result<HttpResponse, Refused> {
    match said {
        Said::Whole { call, answered } => {
            let about = About { id: format!("msg_{call}"), ..about };
            let body = encode_answer(&answered.answer, &about).map_err(|error| Refused {
                call: Some(call.clone()),
                ..Refused::new(502, error.class, &error.message)
            })?;
            Ok(HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, "application/json"))
                .insert_header((OWN_REQUEST_ID, call.as_str()))
                .insert_header((REQUEST_ID, call.as_str()))
                .body(body.to_string()))
        }
        Said::Stream { call, pieces } => {
            let writer = EventWriter::new(About { id: format!("msg_{call}"), ..about });
            Ok(HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, "text/event-stream"))
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((OWN_REQUEST_ID, call.as_str()))
                .insert_header((REQUEST_ID, call.as_str()))
                .streaming(written(pieces, Events { writer, call })))
        }
    }
}

/// A stream of events.
struct Events {
    writer: EventWriter,
    call: String,
}

impl Writing for Events {
    fn write(&mut self, delta: &Delta) -> Result<Bytes, CallError> {
        self.writer.write(delta)
    }

    fn end(&mut self) -> Result<Bytes, CallError> {
        Ok(self.writer.end())
    }

    fn failed(&self, error: &CallError) -> Bytes {
        let status = match error.class {
            ErrorClass::RateLimited => 429,
            ErrorClass::Overloaded => 529,
            ErrorClass::Timeout => 504,
            ErrorClass::BadRequest | ErrorClass::TooLong | ErrorClass::ContentFiltered | ErrorClass::Unsupported => 400,
            _ => 500,
        };
        EventWriter::failed(status, &error.message, Some(&self.call))
    }
}

/// Tells how much is left of the limits of requests and of tokens.
fn limited(mut response: HttpResponse, standings: &[Standing], now_ms: i64) -> HttpResponse {
    for Standing { what, most, left, reset_ms } in standings {
        let name = match *what {
            "requests a minute" => "requests",
            "tokens a minute" => "tokens",
            _ => continue,
        };
        let reset = moment(now_ms.saturating_add(i64::try_from(*reset_ms).unwrap_or(i64::MAX)));
        let headers = response.headers_mut();
        put(headers, &format!("anthropic-ratelimit-{name}-limit"), &most.to_string());
        put(headers, &format!("anthropic-ratelimit-{name}-remaining"), &left.to_string());
        put(headers, &format!("anthropic-ratelimit-{name}-reset"), &reset);
    }
    response
}
