//! What is sent to a provider and what its answers mean, by its protocol.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Uri};
use http_body_util::Full;
use serde_json::Value;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{ChatAnswer, EmbedAnswer, EmbedRequest};

use super::http::Answer;
use super::{Protocol, ProviderConfig};
use crate::error::CallError;
use crate::openai::LeftOut;
use crate::ports::Place;
use crate::upstream::Prompt;
use crate::{anthropic, ollama, openai};

/// Who asks.
const AGENT: &str = concat!("timeloom/", env!("CARGO_PKG_VERSION"));
/// Most characters of a provider's name for a request that are kept.
const REQUEST_ID_CHARACTERS_MAX: usize = 200;

/// What is to be sent.
pub(super) struct Outgoing {
    pub(super) path: &'static str,
    pub(super) body: Bytes,
    pub(super) left_out: LeftOut,
}

/// The body of a chat.
pub(super) fn encode_chat(protocol: Protocol, prompt: &Prompt, model: &str) -> Result<Outgoing, CallError> {
    let (path, (value, left_out)) = match protocol {
        Protocol::OpenAi(dialect) => {
            let path = "/chat/completions";
            if let Some(body) = prompt.as_body() {
                let body = body.for_model(model, dialect.stream_usage);
                return Ok(Outgoing { path, body, left_out: LeftOut::new() });
            }
            (path, openai::encode_request(prompt.as_words()?, model, dialect))
        }
        Protocol::Anthropic => ("/v1/messages", anthropic::encode_request(prompt.as_words()?, model)?),
        Protocol::Ollama => ("/api/chat", ollama::encode_request(prompt.as_words()?, model)?),
        Protocol::OllamaText => ("/api/generate", ollama::encode_generate(prompt.as_words()?, model)?),
    };
    Ok(Outgoing { path, body: bytes_of(&value), left_out })
}

/// The body of texts to be embedded.
pub(super) fn encode_embed(protocol: Protocol, request: &EmbedRequest, model: &str) -> Result<Outgoing, CallError> {
    let (path, value, left_out) = match protocol {
        Protocol::OpenAi(_) => ("/embeddings", openai::encode_embed_request(request, model), LeftOut::new()),
        Protocol::Anthropic => return Err(CallError::unsupported("this provider embeds nothing")),
        Protocol::Ollama | Protocol::OllamaText => {
            let (value, left_out) = ollama::encode_embed_request(request, model)?;
            ("/api/embed", value, left_out)
        }
    };
    Ok(Outgoing { path, body: bytes_of(&value), left_out })
}

fn bytes_of(value: &Value) -> Bytes {
    value.to_string().into()
}

/// Reads a whole answer.
pub(super) fn decode_chat(protocol: Protocol, body: &[u8]) -> Result<ChatAnswer, CallError> {
    match protocol {
        Protocol::OpenAi(_) => openai::decode_answer(body),
        Protocol::Anthropic => anthropic::decode_answer(body),
        Protocol::Ollama | Protocol::OllamaText => ollama::decode_answer(body),
    }
}

/// Reads vectors.
pub(super) fn decode_embed(protocol: Protocol, body: &[u8], count: usize) -> Result<EmbedAnswer, CallError> {
    match protocol {
        Protocol::OpenAi(_) => openai::decode_embed_answer(body, count),
        Protocol::Anthropic => Err(CallError::unsupported("this provider embeds nothing")),
        Protocol::Ollama | Protocol::OllamaText => ollama::decode_embed_answer(body, count),
    }
}

/// Reads an error.
pub(super) fn decode_error(protocol: Protocol, status: u16, body: &[u8]) -> CallError {
    match protocol {
        Protocol::OpenAi(_) => openai::decode_error(status, body),
        Protocol::Anthropic => anthropic::decode_error(status, body),
        Protocol::Ollama | Protocol::OllamaText => ollama::decode_error(status, body),
    }
}

/// The request, with the key where the protocol wants it.
pub(super) fn request(
    config: &ProviderConfig,
    place: &Place,
    path: &str,
    body: Bytes,
    stream: bool,
) -> Result<hyper::Request<Full<Bytes>>, CallError> {
    let wrong =
        |what: &str| CallError::new(ErrorClass::Unreachable, format!("{what} of '{}': correct it", config.name));
    let uri =
        address(place.base_url.reveal(), path).ok_or_else(|| wrong("a request cannot be sent to the base URL"))?;
    let mut request = hyper::Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let ndjson = matches!(config.protocol, Protocol::Ollama | Protocol::OllamaText);
    let accept = match (stream, ndjson) {
        (false, _) => "application/json",
        (true, false) => "text/event-stream",
        (true, true) => "application/x-ndjson",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if config.protocol == Protocol::Anthropic {
        headers.insert("anthropic-version", HeaderValue::from_static(anthropic::VERSION));
    }
    if let Some(key) = &place.key {
        let (name, text) = match config.protocol {
            Protocol::Anthropic => (http::HeaderName::from_static("x-api-key"), key.reveal().to_owned()),
            _ => (AUTHORIZATION, format!("Bearer {}", key.reveal())),
        };
        let text = zeroize::Zeroizing::new(text);
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| wrong("the key holds characters that no header may,"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// The protocol's path after the path of the base URL, and before its question mark.
fn address(base_url: &str, path: &str) -> Option<Uri> {
    let (base, query) = match base_url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (base_url, None),
    };
    let base = base.trim_end_matches('/');
    // People write the version at the end of the base URL where the protocol has it in its path.
    let path = if base.ends_with("/v1") { path.strip_prefix("/v1").unwrap_or(path) } else { path };
    let uri: Uri = match query {
        None => format!("{base}{path}").parse().ok()?,
        Some(query) => format!("{base}{path}?{query}").parse().ok()?,
    };
    (uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"))).then_some(uri)
}

/// Passes an answer on whose content is of a type that the protocol speaks of.
pub(super) fn check_type(answer: Answer, protocol: Protocol, stream: bool) -> Result<Answer, CallError> {
    let found = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = matches!(essence.as_str(), "application/json" | "") || essence.ends_with("+json");
    let fits = match protocol {
        _ if !stream => is_json,
        Protocol::OpenAi(_) | Protocol::Anthropic => essence == "text/event-stream",
        Protocol::Ollama | Protocol::OllamaText => is_json || essence == "application/x-ndjson",
    };
    if fits {
        return Ok(answer);
    }
    let shown: String = essence.chars().take(60).collect();
    let message = format!("it is of the type '{shown}'; is the base URL right?");
    Err(CallError::garbage(message).with_status(answer.status().as_u16()))
}

/// The provider's name for a request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let found = ["x-request-id", "request-id", "cf-ray"].into_iter().find_map(|name| headers.get(name))?;
    Some(found.to_str().ok()?.chars().take(REQUEST_ID_CHARACTERS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_between_the_base_url_and_its_query() {
        let text = |base: &str| address(base, "/chat/completions").map(|uri| uri.to_string());
        assert_eq!(text("https://api.example/v1/").unwrap(), "https://api.example/v1/chat/completions");
        assert_eq!(text("https://a.example/x?v=1").unwrap(), "https://a.example/x/chat/completions?v=1");
        let messages = address("https://a.example/v1/", "/v1/messages").unwrap();
        assert_eq!(messages.to_string(), "https://a.example/v1/messages");
        assert_eq!(text("ftp://a.example"), None);
        assert_eq!(text("/v1"), None);
    }
}
