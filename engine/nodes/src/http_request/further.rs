//! Further requests: what is sent for one item after its first request, each made of what the answers before it hold.
//!
//! The author's expressions see the answer before in `$response`, and those before that in `$response.earlier`, the first
//! of them first; each has its request in `request`. All go to the server of the first request, which the credential is
//! for. Invariant: the key of each tells its number and how often it was sent before, so that a run that is repeated after
//! a crash sends the same ones.

use std::time::Duration;

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::service::REQUESTS_MAX;
use timeloom_engine::node::{NodeError, NodeRun, OutboundPolicy};

use super::HttpRequest;
use super::auth::Authentication;
use super::pages;
use super::parts::{Body, Parts};
use super::request::{Answer, Draft};
use super::respond;
use super::send::Received;
use super::shape;
use crate::values;

/// Where the parameters are.
const REQUESTS: &str = "options.further.requests";
/// Most bytes in the bodies of the answers that later requests may use.
const ANSWERS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How often a request is sent at most until its answer is the one that is waited for.
const TRIES_MAX: f64 = 1_000.0;
const TRIES_DEFAULT: f64 = 30.0;
/// Longest pause before a request is sent once more.
const PAUSE_MAX_MS: f64 = 60_000.0;
const PAUSE_DEFAULT_MS: f64 = 1_000.0;

/// The requests after the first, as the author lists them.
pub(super) struct Further {
    requests: Vec<JsonObject>,
}

impl Further {
    /// Reads the list; `None` when the first request is all.
    ///
    /// # Errors
    /// [`NodeError`] when it is no list of requests, or too long.
    pub fn read(run: &NodeRun<'_>) -> Result<Option<Self>, NodeError> {
        let listed = match run.raw_parameter(REQUESTS) {
            None | Some(Value::Null) => return Ok(None),
            Some(_) if run.version() < 4.0 => return Ok(None),
            Some(Value::Array(listed)) => listed,
            Some(_) => return Err(NodeError::operation("the option Further requests is not a list of requests")),
        };
        let count = listed.len() + 1;
        if count > REQUESTS_MAX {
            let message = format!("{count} requests are to be sent for an item, at most {REQUESTS_MAX} are");
            return Err(NodeError::operation(message).described("let another node send some of them"));
        }
        let requests: Option<Vec<JsonObject>> = listed.iter().map(|entry| entry.as_object().cloned()).collect();
        let requests = requests.ok_or_else(|| NodeError::operation("a further request is not an object"))?;
        Ok((!requests.is_empty()).then_some(Self { requests }))
    }
}

/// One of the further requests, ready to be sent.
struct Next {
    draft: Draft,
    /// The author's expression that is true of the answer that is waited for.
    until: Option<Value>,
    pause: Duration,
    tries: usize,
}

impl Next {
    /// Reads request `number` of the item, the first being 1. Its expressions see `seen`.
    fn read(
        run: &mut NodeRun<'_>,
        entry: &JsonObject,
        (first, number): (&Draft, usize),
        seen: &JsonObject,
        index: usize,
    ) -> Result<Self, NodeError> {
        let mut entry = entry.clone();
        // What this reads is not there yet.
        let until = entry.shift_remove("repeatUntil").filter(values::truthy);
        let fields = match run.resolve_with(&Value::Object(entry), index, seen)? {
            Some(Value::Object(fields)) => fields,
            _ => JsonObject::new(),
        };
        let text = |name: &str| fields.get(name).filter(|value| !value.is_null()).map(values::text);
        let method = text("method").unwrap_or_else(|| "GET".to_owned());
        let parts = Parts {
            query: object(&fields, "query")?,
            headers: object(&fields, "headers")?,
            body: json(&fields, "body")?.map(Body::Json),
        };
        let draft = first.another(&method, &text("url").unwrap_or_default(), parts, number)?;
        let number_of = |name: &str| text(name).and_then(|text| text.trim().parse::<f64>().ok());
        let pause = number_of("pause").unwrap_or(PAUSE_DEFAULT_MS).clamp(0.0, PAUSE_MAX_MS);
        let tries = number_of("tries").unwrap_or(TRIES_DEFAULT).clamp(1.0, TRIES_MAX) as usize;
        Ok(Self { draft, until, pause: Duration::from_millis(pause as u64), tries })
    }
}

/// A JSON object of a further request; without members when it is not set.
fn object(fields: &JsonObject, name: &str) -> Result<JsonObject, NodeError> {
    match json(fields, name)? {
        None => Ok(JsonObject::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(NodeError::operation(format!("its '{name}' is not a JSON object"))),
    }
}

/// A value of a further request that is JSON text or a structure; `None` when it is not set.
fn json(fields: &JsonObject, name: &str) -> Result<Option<Value>, NodeError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| NodeError::operation(format!("its '{name}' is not valid JSON: {error}"))),
        Some(value) => Ok(Some(value.clone())),
    }
}

/// The answers so far, as expressions see them.
#[derive(Default)]
struct Answers {
    all: Vec<Value>,
    bytes: usize,
    /// Bytes of the last one alone.
    last_bytes: usize,
}

impl Answers {
    /// Takes in an answer and the request that it answers.
    fn add(&mut self, request: Value, received: &Received, answer: &Answer) -> Result<(), NodeError> {
        self.last_bytes = received.body.len();
        self.bytes += self.last_bytes;
        if self.bytes > ANSWERS_BYTES_MAX {
            let message = format!("the answers together have more than {ANSWERS_BYTES_MAX} bytes");
            return Err(NodeError::operation(message).described("ask for less"));
        }
        let mut response = pages::response(received, answer.format);
        if let Value::Object(fields) = &mut response {
            fields.insert("request".to_owned(), request);
        }
        self.all.push(response);
        Ok(())
    }

    /// Lets go of the last answer, which is not the one that is waited for.
    fn forget(&mut self) {
        self.all.pop();
        self.bytes -= std::mem::take(&mut self.last_bytes);
    }

    /// What expressions see after the last answer.
    fn seen(&self) -> JsonObject {
        let mut response = self.all.last().cloned().unwrap_or_default();
        if let (Value::Object(fields), Some((_, earlier))) = (&mut response, self.all.split_last()) {
            fields.insert("earlier".to_owned(), earlier.to_vec().into());
        }
        JsonObject::from_iter([("$response".to_owned(), response)])
    }
}

/// Who sends the requests of one item.
struct Exchange<'e> {
    node: &'e HttpRequest,
    authentication: &'e Authentication,
    first: &'e Draft,
    index: usize,
}

impl Exchange<'_> {
    /// Sends a request and takes in its answer.
    async fn send(&self, draft: Draft, policy: &OutboundPolicy, answers: &mut Answers) -> Result<Received, NodeError> {
        // Without what proves who asks: that is added when it is sent.
        let request = draft.to_json();
        let received = self.node.send(self.authentication, draft.finish()?, policy).await?;
        respond::check(&received, &self.first.answer)?;
        answers.add(request, &received, &self.first.answer)?;
        Ok(received)
    }

    /// Sends the request with that number, until its answer is the one that is waited for.
    async fn next(
        &self,
        run: &mut NodeRun<'_>,
        (entry, number): (&JsonObject, usize),
        answers: &mut Answers,
    ) -> Result<Received, NodeError> {
        let next = Next::read(run, entry, (self.first, number), &answers.seen(), self.index)?;
        for times in 0..next.tries {
            if times > 0 {
                answers.forget();
                tokio::time::sleep(next.pause).await;
            }
            let received = self.send(next.draft.again(times), &run.services.outbound, answers).await?;
            let Some(until) = &next.until else { return Ok(received) };
            if run.resolve_with(until, self.index, &answers.seen())?.is_some_and(|value| values::truthy(&value)) {
                return Ok(received);
            }
        }
        Err(NodeError::operation(format!(
            "it was sent {} times and got no answer that ends the repetition",
            next.tries
        ))
        .described("raise the tries or the pause, or check what the expression in Repeat until reads"))
    }
}

/// Sends all requests of one item, one after the other; the last answer gives the items.
///
/// # Errors
/// [`NodeError`] of the first request that fails, with its number.
pub(super) async fn follow(
    node: &HttpRequest,
    run: &mut NodeRun<'_>,
    further: &Further,
    first: &Draft,
    authentication: &Authentication,
    (item, index): (&Item, usize),
) -> Result<Vec<Item>, NodeError> {
    let exchange = Exchange { node, authentication, first, index };
    let count = further.requests.len() + 1;
    let mut answers = Answers::default();
    let sent = exchange.send(first.clone(), &run.services.outbound, &mut answers).await;
    let mut received = sent.map_err(|error| numbered(error, 1, count))?;
    for (place, entry) in further.requests.iter().enumerate() {
        let number = place + 2;
        let next = exchange.next(run, (entry, number), &mut answers).await;
        received = next.map_err(|error| numbered(error, number, count))?;
    }
    match first.answer.items {
        None => respond::items(received, &first.answer, item, index),
        Some(_) => shape::items(run, &first.answer, &answers.seen(), index),
    }
}

/// The error with the number of the request that it is about.
fn numbered(error: NodeError, number: usize, count: usize) -> NodeError {
    NodeError { message: format!("request {number} of {count}: {}", error.message), ..error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Server, json_reply, output, reply};
    use super::*;
    use crate::testing::Bench;

    fn parameters(server: &Server, requests: Value) -> Value {
        json!({"url": server.url("/sessions"), "method": "POST", "options": {"further": {"requests": requests}}})
    }

    #[tokio::test]
    async fn each_request_uses_the_answers_before_it_and_has_a_key_of_its_own() {
        let server = Server::start(|line| match line.split(' ').nth(1) {
            Some("/sessions") => json_reply(&json!({"id": "s 1"})),
            Some("/rows/7?of=s+1") => json_reply(&json!({"row": 7})),
            _ => json_reply(&json!({"closed": true})),
        });
        let node = HttpRequest::default();
        let mut parameters = parameters(
            &server,
            json!([
                {"url": format!("={}", server.url("/rows/{{ $json.id }}")), "query": {"of": "={{ $response.body.id }}"}},
                {"url": server.url("/close"), "method": "post", "headers": "{\"x-a\": 1}",
                    "body": {"session": "={{ $response.earlier[0].body.id }}", "row": "={{ $response.body.row }}"}},
            ]),
        );
        let mut bench = Bench::new(&node, 4.2, parameters.clone()).input(json!([{"id": 7}]));
        assert_eq!(output(&mut bench).await, json!([{"closed": true}]));
        let seen = server.seen();
        assert_eq!(seen.len(), 3);
        assert!(seen[2].starts_with("POST /close ") && seen[2].contains("x-a: 1"), "{}", seen[2]);
        assert!(seen[2].ends_with(r#"{"session":"s 1","row":7}"#), "{}", seen[2]);
        for (request, key) in seen.iter().zip(["key-1-0\r\n", "key-1-0-2\r\n", "key-1-0-3\r\n"]) {
            assert!(request.contains(&format!("idempotency-key: {key}")), "{request}");
        }
        parameters["options"]["response"] = json!({"response": {"items": "={{ $response.earlier[1].body.row }}"}});
        let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{"id": 7}]));
        assert_eq!(output(&mut bench).await, json!([{"data": 7}]));
    }

    #[tokio::test]
    async fn a_request_is_sent_until_its_answer_is_the_one_that_is_waited_for() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |line| match line.contains("/jobs/1") {
            true => json_reply(&json!({"done": asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2})),
            false => json_reply(&json!({"id": 1})),
        });
        let node = HttpRequest::default();
        let waiting = |tries: usize| json!([{"url": server.url("/jobs/1"), "repeatUntil": "={{ $response.body.done }}", "pause": 1, "tries": tries}]);
        let few = Bench::new(&node, 4.2, parameters(&server, waiting(2))).input(json!([{}])).run_effect().await;
        let few = few.unwrap_err();
        assert!(few.message.starts_with("request 2 of 2: it was sent 2 times"), "{}", few.message);
        let mut bench = Bench::new(&node, 4.2, parameters(&server, waiting(5))).input(json!([{}]));
        assert_eq!(output(&mut bench).await, json!([{"done": true}]));
        let seen = server.seen();
        // Another try is another request: a server that knows the key would answer as before.
        assert!(
            seen[1].contains("idempotency-key: key-1-0-2\r\n") && seen[2].contains("idempotency-key: key-1-0-2-1\r\n")
        );
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told_with_its_number_and_ends_the_run() {
        let server = Server::start(|line| match line.contains("/down") {
            true => reply("500 Internal Server Error", "", "broken"),
            false => json_reply(&json!({})),
        });
        let node = HttpRequest::default();
        let refused = async |requests: Value| {
            let run = Bench::new(&node, 4.2, parameters(&server, requests)).input(json!([{}])).run_effect().await;
            run.unwrap_err().message
        };
        let fine = json!({"url": server.url("/fine")});
        let message = refused(json!([fine, {"url": server.url("/down")}, {"url": server.url("/never")}])).await;
        assert!(message.starts_with("request 3 of 4: 500"), "{message}");
        assert!(!server.seen().iter().any(|request| request.contains("/never")));
        let message = refused(json!([{"url": "http://elsewhere.example/"}])).await;
        assert!(message.contains("request 2 of 2") && message.contains("another server"), "{message}");
        let message = refused(json!([{"url": server.url("/"), "body": "{"}])).await;
        assert!(message.contains("its 'body' is not valid JSON"), "{message}");
        let message = refused(json!(vec![fine.clone(); REQUESTS_MAX])).await;
        assert!(message.contains("at most 8"), "{message}");
        let message = refused(json!("={{ $json }}")).await;
        assert!(message.contains("not a list"), "{message}");
        let mut both = parameters(&server, json!([fine]));
        both["options"]["pagination"] =
            json!({"pagination": {"parameters": {"parameters": [{"name": "a", "value": "1"}]}}});
        let both = Bench::new(&node, 4.2, both).input(json!([{}])).run_effect().await.unwrap_err();
        assert!(both.message.contains("Pagination"), "{}", both.message);
    }
}
