//! Which forms of answer a client takes, and which it likes best.

use actix_web::HttpRequest;
use actix_web::http::header;

/// Media type of answers whose HTTP status says whether the request was understood.
pub(super) const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
/// The version of multipart subscriptions that is spoken.
const MULTIPART_VERSION: &str = "1.0";

/// A form of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`: 200 for every request that could be read.
    Json,
    /// [`GRAPHQL_RESPONSE`]: 400 for documents that cannot be executed.
    GraphqlResponse,
    /// `text/event-stream`.
    Events,
    /// `multipart/mixed` with `subscriptionSpec=1.0`: a part for each answer of a subscription.
    Parts,
    /// `text/html`.
    Page,
}

impl Form {
    /// Whether it can carry more than one answer.
    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::Events | Self::Parts)
    }
}

/// The forms that a client takes, the one that it likes best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted(Vec<Form>);

impl Accepted {
    /// What the `Accept` headers say. Without any it is JSON.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let mut headers = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).peekable();
        if headers.peek().is_none() {
            return Self(vec![Form::Json]);
        }
        Self::read(headers.flat_map(|value| value.split(',')))
    }

    fn read<'a>(entries: impl Iterator<Item = &'a str>) -> Self {
        let mut forms: Vec<(f32, Form)> = entries.filter_map(entry).filter(|(quality, _)| *quality > 0.0).collect();
        // Stable: on a tie the first wins, as clients write what they like best first.
        forms.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        Self(forms.into_iter().map(|(_, form)| form).collect())
    }

    /// The form that is liked best.
    pub(super) fn best(&self) -> Option<Form> {
        self.0.first().copied()
    }

    /// The form that is liked best for one answer. A page that asks with its own script still gets JSON, and parts are for
    /// subscriptions alone.
    pub(super) fn best_for_one(&self) -> Option<Form> {
        let form = self.0.iter().copied().find(|form| *form != Form::Parts)?;
        Some(if form == Form::Page { Form::Json } else { form })
    }

    /// The form that is liked best for many answers.
    pub(super) fn best_for_many(&self) -> Option<Form> {
        self.0.iter().copied().find(|form| form.is_stream())
    }
}

/// One entry of an `Accept` header, with how much it is liked.
fn entry(text: &str) -> Option<(f32, Form)> {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let parameter = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    };
    let form = match essence.as_str() {
        "application/json" | "application/*" | "*/*" => Form::Json,
        GRAPHQL_RESPONSE => Form::GraphqlResponse,
        "text/event-stream" => Form::Events,
        "multipart/mixed" if parameter("subscriptionSpec") == Some(MULTIPART_VERSION) => Form::Parts,
        "text/html" => Form::Page,
        _ => return None,
    };
    Some((parameter("q").map_or(1.0, |text| text.parse().unwrap_or(0.0)), form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Accepted {
        Accepted::read(accept.split(','))
    }

    #[test]
    fn the_best_form_wins() {
        let best = |accept| accepted(accept).best();
        assert_eq!(best("application/graphql-response+json, application/json;q=0.9"), Some(Form::GraphqlResponse));
        assert_eq!(best("application/json;q=0.5, text/event-stream"), Some(Form::Events));
        assert_eq!(best("text/html,application/xhtml+xml,*/*;q=0.8"), Some(Form::Page));
        assert_eq!(best("*/*"), Some(Form::Json));
        assert_eq!(best("application/json; charset=utf-8"), Some(Form::Json));
        assert_eq!(best("image/png"), None);
        assert_eq!(best("application/json;q=0"), None);
    }

    #[test]
    fn parts_are_for_subscriptions_alone() {
        let apollo = accepted("multipart/mixed;boundary=\"-\";subscriptionSpec=1.0, application/json");
        assert_eq!((apollo.best_for_one(), apollo.best_for_many()), (Some(Form::Json), Some(Form::Parts)));
        let urql = accepted(
            "application/graphql-response+json, application/json, text/event-stream, multipart/mixed;subscriptionSpec=\"1.0\"",
        );
        assert_eq!((urql.best_for_one(), urql.best_for_many()), (Some(Form::GraphqlResponse), Some(Form::Events)));
        let deferring = accepted("multipart/mixed;deferSpec=20220824, application/json");
        assert_eq!((deferring.best_for_one(), deferring.best_for_many()), (Some(Form::Json), None));
        assert_eq!(accepted("text/html").best_for_one(), Some(Form::Json));
    }
}
