//! Which form of answer a client wants.

use actix_web::HttpRequest;
use actix_web::http::header;

/// Media type of answers whose HTTP status says whether the request was understood.
pub(super) const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// A form of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`: 200 for every request that could be read.
    Json,
    /// [`GRAPHQL_RESPONSE`]: 400 for documents that cannot be executed.
    GraphqlResponse,
    /// `text/event-stream`.
    Events,
    /// `text/html`.
    Page,
}

/// The form that the `Accept` header wants most; `None` when it wants none of ours. Without a header it is JSON.
pub(super) fn form(request: &HttpRequest) -> Option<Form> {
    let mut headers = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).peekable();
    if headers.peek().is_none() {
        return Some(Form::Json);
    }
    best(headers.flat_map(|value| value.split(',')))
}

fn best<'a>(entries: impl Iterator<Item = &'a str>) -> Option<Form> {
    let mut best: Option<(f32, Form)> = None;
    for entry in entries {
        let mut parts = entry.split(';').map(str::trim);
        let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Form::Json,
            GRAPHQL_RESPONSE => Form::GraphqlResponse,
            "text/event-stream" => Form::Events,
            "text/html" => Form::Page,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |text| text.parse().unwrap_or(0.0));
        // On a tie the first wins, as clients write what they like best first.
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, form));
        }
    }
    best.map(|(_, form)| form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_wins() {
        let best = |accept: &'static str| super::best(accept.split(','));
        assert_eq!(best("application/graphql-response+json, application/json;q=0.9"), Some(Form::GraphqlResponse));
        assert_eq!(best("application/json;q=0.5, text/event-stream"), Some(Form::Events));
        assert_eq!(best("text/html,application/xhtml+xml,*/*;q=0.8"), Some(Form::Page));
        assert_eq!(best("*/*"), Some(Form::Json));
        assert_eq!(best("application/json; charset=utf-8"), Some(Form::Json));
        assert_eq!(best("image/png"), None);
        assert_eq!(best("application/json;q=0"), None);
    }
}
