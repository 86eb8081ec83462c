//! The node against a small real server.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_engine::node::SecretTexts;

use super::{Bearers, HttpRequest, OAuth2};
use crate::testing::{Bench, SPAN, json_of, pairs_of};

/// Answers requests on a local port and keeps what it was sent.
pub(crate) struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with what `answer` gives for its first line.
    pub(crate) fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::start_with_request(move |request| answer(request.lines().next().unwrap_or_default()))
    }

    /// Answers each request with what `answer` gives for the whole of it.
    pub(crate) fn start_with_request(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), answer, false)
    }

    /// The same on a listener that is there already, for the first line.
    fn on(listener: TcpListener, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::serve(listener, move |request| answer(request.lines().next().unwrap_or_default()), false)
    }

    /// Answers requests at once, each on a thread of its own.
    fn start_concurrent(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let answer = move |request: &str| answer(request.lines().next().unwrap_or_default());
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), answer, true)
    }

    fn serve(listener: TcpListener, answer: impl Fn(&str) -> String + Send + Sync + 'static, concurrent: bool) -> Self {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                let mut exchange = move || {
                    let request = read_request(&mut stream);
                    kept.lock().unwrap().push(request.clone());
                    let _ = stream.write_all(answer(&request).as_bytes());
                };
                if concurrent {
                    std::thread::spawn(exchange);
                } else {
                    exchange();
                }
            }
        });
        Self { port, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

pub(crate) fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

pub(crate) fn json_reply(body: &Value) -> String {
    reply("200 OK", "content-type: application/json\r\n", &body.to_string())
}

pub(super) async fn output(bench: &mut Bench<'_>) -> Value {
    json_of(&bench.run_effect().await.unwrap(), 0)
}

#[tokio::test]
async fn each_item_is_one_request_with_its_own_key() {
    let server = Server::start(|line| json_reply(&json!({"line": line})));
    let node = HttpRequest::default();
    let url = format!("={}", server.url("/things/{{ $json.id }}"));
    let mut bench = Bench::new(&node, 4.2, json!({"url": url})).input(json!([{"id": 1}, {"id": 2}]));
    let output = bench.run_effect().await.unwrap();
    assert_eq!(json_of(&output, 0), json!([{"line": "GET /things/1 HTTP/1.1"}, {"line": "GET /things/2 HTTP/1.1"}]));
    assert_eq!(pairs_of(&output), json!([{"item": 0}, {"item": 1}]));
    let seen = server.seen();
    let sent = |path: &str, key: &str| seen.iter().any(|request| request.contains(path) && request.contains(key));
    assert!(sent("/things/1 ", "idempotency-key: key-1-0") && sent("/things/2 ", "idempotency-key: key-1-1"));
}

#[tokio::test]
async fn who_is_asked_is_told_of_the_span_where_that_is_wanted_and_the_author_says_nothing_else() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let own = json!({"parameters": [{"name": "TraceParent", "value": "own"}]});
    let plain = json!({"url": server.url("/")});
    let with_own = json!({"url": server.url("/"), "sendHeaders": true, "headerParameters": own});
    for (parameters, tells, sent) in [(&plain, false, None), (&plain, true, Some(SPAN)), (&with_own, true, Some("own"))]
    {
        let mut bench = Bench::new(&node, 4.2, parameters.clone()).input(json!([{}]));
        bench.services.tracing.tells = tells;
        bench.run_effect().await.unwrap();
        let request = server.seen().pop().unwrap();
        assert_eq!(request.lines().find_map(|line| line.strip_prefix("traceparent: ")), sent, "{request}");
    }
}

#[tokio::test]
async fn a_field_that_an_expression_leaves_undefined_is_not_sent() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let fields = json!({"parameters": [
        {"name": "x-gone", "value": "={{ undefined }}"}, {"name": "x-null", "value": "={{ null }}"},
        {"name": "x-empty", "value": ""}, {"name": "x-unset"}, {"name": "x-kept", "value": "1"},
        {"name": "x-kept-not", "value": "1"}, {"name": "x-kept-not", "value": "={{ undefined }}"},
    ]});
    let with_type = |kind: &str| {
        json!({
            "method": "POST", "url": server.url("/"), "sendBody": true, "contentType": kind, "bodyParameters": fields,
            "sendQuery": true, "queryParameters": fields, "sendHeaders": true, "headerParameters": fields,
        })
    };
    for (kind, body) in [
        ("json", r#"{"x-null":null,"x-empty":"","x-unset":"","x-kept":"1"}"#),
        ("form-urlencoded", "x-null=&x-empty=&x-unset=&x-kept=1"),
    ] {
        Bench::new(&node, 4.2, with_type(kind)).input(json!([{}])).run_effect().await.unwrap();
        let request = server.seen().pop().unwrap();
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent, body);
        assert!(head.starts_with("POST /?x-null=&x-empty=&x-unset=&x-kept=1 HTTP/1.1\r\n"), "{head}");
        let headers: BTreeSet<&str> =
            head.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
        let own: Vec<&str> = headers.into_iter().filter(|name| name.starts_with("x-")).collect();
        assert_eq!(own, ["x-empty", "x-kept", "x-unset"]);
    }
    let mut form = Bench::new(&node, 4.2, with_type("multipart-form-data")).input(json!([{}]));
    let message = form.run_effect().await.unwrap_err().message;
    assert_eq!(message, "the field 'x-gone' of the body has no value: give it one, or take it out");
}

#[tokio::test]
async fn query_headers_and_json_body_are_sent() {
    let server = Server::start(|_| json_reply(&json!([{"n": 1}, {"n": 2}])));
    let node = HttpRequest::default();
    let mut bench = Bench::new(
        &node,
        4.2,
        json!({
            "method": "POST", "url": server.url("/add?a=1"),
            "sendQuery": true, "queryParameters": {"parameters": [{"name": "q", "value": "x y"}]},
            "sendHeaders": true, "headerParameters": {"parameters": [
                {"name": "Idempotency-Key", "value": "mine"}, {"name": "X-Own", "value": "=v{{ $itemIndex }}"},
            ]},
            "sendBody": true, "bodyParameters": {"parameters": [
                {"name": "todo", "value": "t"}, {"name": "done", "value": "={{ false }}"},
            ]},
        }),
    )
    .input(json!([{}]));
    assert_eq!(output(&mut bench).await, json!([{"n": 1}, {"n": 2}]));
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /add?a=1&q=x+y HTTP/1.1"), "{seen}");
    assert!(seen.contains("idempotency-key: mine") && seen.contains("x-own: v0"));
    assert!(seen.contains("content-type: application/json") && seen.ends_with(r#"{"todo":"t","done":false}"#));
}

#[tokio::test]
async fn bodies_come_in_several_kinds() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let body = |mut parameters: Value| {
        parameters["method"] = json!("PUT");
        parameters["url"] = json!(server.url("/"));
        parameters["sendBody"] = json!(true);
        parameters
    };
    let fields = json!({"parameters": [{"name": "a", "value": "1 2"}]});
    for (parameters, mime_type, sent) in [
        (json!({"specifyBody": "json", "jsonBody": "{\"n\": 1}"}), "application/json", "{\"n\":1}"),
        (
            json!({"contentType": "form-urlencoded", "bodyParameters": fields}),
            "application/x-www-form-urlencoded",
            "a=1+2",
        ),
        (json!({"contentType": "raw", "rawContentType": "text/x", "body": "raw text"}), "text/x", "raw text"),
        (json!({"contentType": "binaryData"}), "text/plain", "hello"),
        (
            json!({"contentType": "multipart-form-data", "bodyParameters": fields}),
            "multipart/form-data; boundary=",
            "name=\"a\"\r\n\r\n1 2\r\n--timeloom-key-1-0--\r\n",
        ),
    ] {
        let file = json!({"data": "aGVsbG8=", "mimeType": "text/plain"});
        let mut bench = Bench::new(&node, 4.2, body(parameters)).input(json!([{"json": {}, "binary": {"data": file}}]));
        bench.run_effect().await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(seen.contains(&format!("content-type: {mime_type}")) && seen.ends_with(sent), "{seen}");
    }
}

#[tokio::test]
async fn old_versions_name_their_parameters_otherwise() {
    let server = Server::start(|line| json_reply(&json!({"line": line})));
    let node = HttpRequest::default();
    let parameters = json!({
        "requestMethod": "POST", "url": server.url("/old"), "jsonParameters": true,
        "bodyParametersJson": "{\"a\": 1}", "queryParametersJson": "{\"q\": [1, 2]}",
    });
    let mut bench = Bench::new(&node, 2.0, parameters).input(json!([{}]));
    assert_eq!(output(&mut bench).await, json!([{"line": "POST /old?q%5B0%5D=1&q%5B1%5D=2 HTTP/1.1"}]));
    assert!(server.seen()[0].ends_with("{\"a\":1}"));
    let parameters = json!({
        "url": server.url("/old"), "responseFormat": "string", "dataPropertyName": "text",
        "queryParametersUi": {"parameter": [{"name": "q", "value": "1"}]}, "options": {"fullResponse": true},
    });
    let answer = output(&mut Bench::new(&node, 1.0, parameters).input(json!([{}]))).await;
    assert_eq!(
        (&answer[0]["text"], &answer[0]["statusCode"]),
        (&json!("{\"line\":\"GET /old?q=1 HTTP/1.1\"}"), &json!(200))
    );
}

#[tokio::test]
async fn the_media_type_tells_what_the_answer_is() {
    let server = Server::start(|line| match line.split(' ').nth(1) {
        Some("/text") => reply("200 OK", "content-type: text/html\r\n", "<p>"),
        Some("/pic.png") => reply("200 OK", "content-type: image/png\r\n", "test"),
        Some("/none") => reply("204 No Content", "", ""),
        _ => json_reply(&json!(5)),
    });
    let node = HttpRequest::default();
    let get = |path: &str| Bench::new(&node, 4.2, json!({"url": server.url(path)})).input(json!([{"in": 1}]));
    assert_eq!(output(&mut get("/text")).await, json!([{"data": "<p>"}]));
    assert_eq!(output(&mut get("/none")).await, json!([{"data": ""}]));
    assert_eq!(output(&mut get("/number")).await, json!([{"data": 5}]));
    let file = get("/pic.png").run_effect().await.unwrap();
    assert_eq!(json_of(&file, 0), json!([{"in": 1}]));
    let data = &file.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert_eq!((data.data.as_str(), data.file_name.as_deref()), ("dGVzdA==", Some("pic.png")));
}

#[tokio::test]
async fn a_failed_status_is_an_error_unless_it_may_not_be() {
    let server = Server::start(|_| reply("404 Not Found", "content-type: application/json\r\n", "{\"why\":\"gone\"}"));
    let node = HttpRequest::default();
    let url = server.url("/x");
    let error = Bench::new(&node, 4.2, json!({"url": url})).input(json!([{}])).run_effect().await.unwrap_err();
    assert_eq!(error.message, "404 - Not Found: the server 127.0.0.1 refused the request");
    assert_eq!(error.data.unwrap(), json!({"httpCode": "404", "body": {"why": "gone"}}));
    let mut going_on = Bench::new(&node, 4.2, json!({"url": url})).input(json!([{}])).continue_on_fail();
    let failed = &output(&mut going_on).await[0]["error"];
    assert_eq!((&failed["status"], &failed["code"]), (&json!(404), &json!("ERR_BAD_REQUEST")));
    assert_eq!(failed["message"], json!("404 - \"{\\\"why\\\":\\\"gone\\\"}\""));
    let options = json!({"response": {"response": {"neverError": true, "fullResponse": true}}});
    let answer = output(&mut Bench::new(&node, 4.2, json!({"url": url, "options": options})).input(json!([{}]))).await;
    assert_eq!((&answer[0]["statusCode"], &answer[0]["body"]), (&json!(404), &json!({"why": "gone"})));
    assert_eq!(answer[0]["statusMessage"], json!("Not Found"));
    assert_eq!(answer[0]["headers"]["content-type"], json!("application/json"));
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_number() {
    let server = Server::start(|line| match line.split(' ').nth(1) {
        Some("/end") => json_reply(&json!({"end": true})),
        Some("/start") => reply("302 Found", "location: /end\r\n", ""),
        _ => reply("302 Found", "location: /loop\r\n", ""),
    });
    let node = HttpRequest::default();
    let get = |path: &str, options: Value| {
        Bench::new(&node, 4.2, json!({"url": server.url(path), "options": options})).input(json!([{}]))
    };
    assert_eq!(output(&mut get("/start", json!({}))).await, json!([{"end": true}]));
    let endless = get("/loop", json!({"redirect": {"redirect": {"maxRedirects": 3}}})).run_effect().await.unwrap_err();
    assert!(endless.message.contains("more than 3 times"));
    let not = get("/start", json!({"redirect": {"redirect": {"followRedirects": false}}})).run_effect().await;
    assert!(not.unwrap_err().message.starts_with("302 - Found"));
}

#[tokio::test]
async fn private_addresses_are_refused_at_every_hop() {
    let server = Server::start(|_| reply("302 Found", "location: http://169.254.169.254/latest\r\n", ""));
    let node = HttpRequest::default();
    let get = |url: String, allowed: &[String]| {
        let mut bench = Bench::new(&node, 4.2, json!({"url": url})).input(json!([{}]));
        bench.services.outbound.allow_private = false;
        bench.services.outbound.allowed_hosts = allowed.iter().cloned().collect::<BTreeSet<_>>();
        bench
    };
    let direct = get(server.url("/"), &[]).run_effect().await.unwrap_err();
    assert!(direct.message.contains("'127.0.0.1' are refused"), "{}", direct.message);
    let by_name = get(format!("http://localhost:{}/", server.port), &[]).run_effect().await.unwrap_err();
    assert!(by_name.message.contains("'localhost' are refused"), "{}", by_name.message);
    assert!(server.seen().is_empty());
    let allowed = [format!("127.0.0.1:{}", server.port)];
    let hop = get(server.url("/"), &allowed).run_effect().await.unwrap_err();
    assert!(hop.message.contains("'169.254.169.254' are refused"), "{}", hop.message);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn answers_are_limited_in_size_and_time() {
    let server = Server::start(|line| {
        if line.contains("/slow") {
            std::thread::sleep(Duration::from_millis(300));
        }
        reply("200 OK", "content-type: text/plain\r\n", &"x".repeat(2_000))
    });
    let node = HttpRequest::default();
    let mut large = Bench::new(&node, 4.2, json!({"url": server.url("/")})).input(json!([{}]));
    large.services.outbound.response_bytes_max = 1_000;
    assert!(large.run_effect().await.unwrap_err().message.contains("larger than 1000 bytes"));
    let parameters = json!({"url": server.url("/slow"), "options": {"timeout": 50}});
    let slow = Bench::new(&node, 4.2, parameters).input(json!([{}])).run_effect().await.unwrap_err();
    assert!(slow.message.contains("within 50 ms"), "{}", slow.message);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let node = HttpRequest::default();
    let header = |name: &str, value: &str| {
        let parameters = json!({"parameters": [{"name": name, "value": value}]});
        json!({"url": "http://127.0.0.1:1/", "sendHeaders": true, "headerParameters": parameters})
    };
    for (parameters, part) in [
        (json!({"url": "http://127.0.0.1:1/", "authentication": "genericCredentialType"}), "no credential type"),
        (json!({"url": ""}), "the URL is missing"),
        (json!({"url": "example.org"}), "is not a URL"),
        (json!({"url": "ftp://example.org/"}), "use http or https"),
        (json!({"url": "http://127.0.0.1:1/", "method": "GET / HTTP/1.1\r\nX: 1"}), "is not an HTTP method"),
        (header("X-Own", "a\r\nX-Injected: 1"), "the value of header 'X-Own' is not allowed"),
        (header("X\r\nX-Injected", "a"), "the name of header 'X\\r\\nX-Injected' is not allowed"),
    ] {
        let error = Bench::new(&node, 4.2, parameters).input(json!([{}])).run_effect().await.unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
    }
}

/// Answers `/users` with pages of a list of 15, as `skip` and `limit` of the query, or of the body, say.
fn users(request: &str, url: &str) -> String {
    let number = |name: &str| {
        let rest = request.split_once(&format!("{name}="))?.1;
        rest.split(|character: char| !character.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    let (skip, limit) = (number("skip").unwrap_or(0), number("limit").unwrap_or(10));
    let users: Vec<Value> = (skip..(skip + limit).min(15)).map(|id| json!({ "id": id })).collect();
    let status = if users.is_empty() { "404 Not Found" } else { "200 OK" };
    let next = format!("next-url: {url}/users?skip={}&limit={limit}\r\n", skip + limit);
    let headers = format!("content-type: application/json\r\n{next}");
    reply(status, &headers, &Value::Array(users).to_string())
}

fn paged(server: &Server, pagination: Value) -> Value {
    let query = json!({"parameters": [{"name": "limit", "value": "4"}]});
    json!({
        "url": server.url("/users"), "sendQuery": true, "queryParameters": query,
        "options": {"pagination": {"pagination": pagination}},
    })
}

fn user_server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    Server::on(listener, move |line| users(line, &url))
}

#[tokio::test]
async fn pages_are_turned_by_a_parameter_until_one_is_empty() {
    let server = user_server();
    let node = HttpRequest::default();
    let pagination = json!({
        "parameters": {"parameters": [{"type": "qs", "name": "skip", "value": "={{ $pageCount }}0"}]},
        "paginationCompleteWhen": "receiveSpecificStatusCodes", "statusCodesWhenComplete": "404, 410",
    });
    let output = Bench::new(&node, 4.2, paged(&server, pagination)).input(json!([{}])).run_effect().await.unwrap();
    let ids: Vec<u64> = output.outputs[0].iter().map(|item| item.json["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [0, 1, 2, 3, 10, 11, 12, 13]);
    assert_eq!(output.outputs[0].last().unwrap().paired_item, output.outputs[0][0].paired_item);
    let keys: Vec<bool> = ["key-1-0\r", "key-1-0-1\r", "key-1-0-2\r"]
        .iter()
        .zip(server.seen())
        .map(|(key, seen)| seen.contains(key))
        .collect();
    assert_eq!(keys, [true; 3]);
}

#[tokio::test]
async fn pages_are_turned_by_the_address_that_the_answer_names() {
    let server = user_server();
    let node = HttpRequest::default();
    let next = json!({
        "paginationMode": "responseContainsNextURL", "nextURL": "={{ $response.headers[\"next-url\"] }}",
        "limitPagesFetched": true, "maxRequests": 2,
    });
    let output = output(&mut Bench::new(&node, 4.2, paged(&server, next)).input(json!([{}]))).await;
    assert_eq!(output.as_array().unwrap().len(), 8);
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /users?limit=4 ") && seen[1].contains("skip=4"), "{seen:?}");
}

#[tokio::test]
async fn items_are_what_the_authors_expression_makes_of_an_answer() {
    let body = json!({"value": [{"id": 1}, {"id": 2}], "one": {"id": 3}, "none": null});
    let server = Server::start(move |_| json_reply(&body));
    let node = HttpRequest::default();
    let items = |expression: &str| {
        let options = json!({"response": {"response": {"items": expression}}});
        Bench::new(&node, 4.2, json!({"url": server.url("/"), "options": options})).input(json!([{}, {}]))
    };
    let list = items("={{ $response.body.value }}").run_effect().await.unwrap();
    let given: Vec<(u64, bool)> = list.outputs[0]
        .iter()
        .map(|item| (item.json["id"].as_u64().unwrap(), item.paired_item == list.outputs[0][0].paired_item))
        .collect();
    assert_eq!(given, [(1, true), (2, true), (1, false), (2, false)]);
    assert_eq!(output(&mut items("={{ $response.body.one }}")).await, json!([{"id": 3}, {"id": 3}]));
    assert_eq!(output(&mut items("={{ $response.body.none }}")).await, json!([]));
    assert_eq!(output(&mut items("={{ $response.statusCode }}")).await, json!([{"data": 200}, {"data": 200}]));
    let failed = items("={{ $response.body.other }}").run_effect().await.unwrap_err();
    assert!(failed.message.contains("gives nothing"), "{}", failed.message);
}

#[tokio::test]
async fn pagination_ends_at_failures_and_when_nothing_changes() {
    let server = Server::start(|line| match line.contains("/down") {
        true => reply("500 Internal Server Error", "", "broken"),
        false => json_reply(&json!({"same": true})),
    });
    let node = HttpRequest::default();
    let parameters = |path: &str| {
        json!({
            "url": server.url(path),
            "options": {"pagination": {"pagination": {
                "parameters": {"parameters": [{"type": "qs", "name": "page", "value": "={{ $pageCount }}"}]},
            }}},
        })
    };
    let same = Bench::new(&node, 4.2, parameters("/same")).input(json!([{}])).run_effect().await.unwrap_err();
    assert!(same.message.contains("5 pages in a row were the same"), "{}", same.message);
    assert_eq!(server.seen().len(), 5);
    let down = Bench::new(&node, 4.2, parameters("/down")).input(json!([{}])).run_effect().await.unwrap_err();
    assert!(down.message.starts_with("500"), "{}", down.message);
    let nothing = json!({"url": server.url("/"), "options": {"pagination": {"pagination": {}}}});
    let refused = Bench::new(&node, 4.2, nothing).input(json!([{}])).run_effect().await.unwrap_err();
    assert!(refused.message.contains("changes no parameter"), "{}", refused.message);
}

#[tokio::test]
async fn requests_of_a_batch_run_at_once_and_keep_their_order() {
    // The server answers only when all four requests are there: one after the other, none would be answered.
    let gate = Arc::new(std::sync::Barrier::new(4));
    let server = Server::start_concurrent(move |line| {
        gate.wait();
        json_reply(&json!({"line": line.split(' ').nth(1)}))
    });
    let node = HttpRequest::default();
    let url = format!("={}", server.url("/{{ $itemIndex }}"));
    let mut bench = Bench::new(&node, 4.2, json!({"url": url})).input(json!([{}, {}, {}, {}]));
    assert_eq!(output(&mut bench).await, json!([{"line": "/0"}, {"line": "/1"}, {"line": "/2"}, {"line": "/3"}]));
}

#[tokio::test]
async fn credentials_prove_who_asks_and_stay_with_their_host() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let sent = async |kind: &str, fields: Value| {
        let parameters =
            json!({"url": server.url("/?a=1"), "authentication": "genericCredentialType", "genericAuthType": kind});
        let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential(kind, fields);
        bench.run_effect().await.unwrap();
        server.seen().pop().unwrap()
    };
    let basic = sent("httpBasicAuth", json!({"user": "ada", "password": "pass"})).await;
    assert!(basic.contains("authorization: Basic YWRhOnBhc3M="), "{basic}");
    let bearer = sent("httpBearerAuth", json!({"token": "t1"})).await;
    assert!(bearer.contains("authorization: Bearer t1"), "{bearer}");
    let header = sent("httpHeaderAuth", json!({"name": "X-Key", "value": "k1"})).await;
    assert!(header.contains("x-key: k1"), "{header}");
    let query = sent("httpQueryAuth", json!({"name": "key", "value": "k 2"})).await;
    assert!(query.starts_with("GET /?a=1&key=k+2 "), "{query}");
    let custom = sent("httpCustomAuth", json!({"json": "{\"headers\": {\"X-A\": \"1\"}, \"qs\": {\"b\": 2}}"})).await;
    assert!(custom.starts_with("GET /?a=1&b=2 ") && custom.contains("x-a: 1"), "{custom}");
    let old = json!({"url": server.url("/"), "authentication": "headerAuth"});
    let mut old = Bench::new(&node, 1.0, old).input(json!([{}]));
    old = old.credential("httpHeaderAuth", json!({"name": "X-Old", "value": "o"}));
    old.run_effect().await.unwrap();
    assert!(server.seen().pop().unwrap().contains("x-old: o"));
    let lacking = json!({
        "url": server.url("/"), "authentication": "predefinedCredentialType", "nodeCredentialType": "githubApi",
    });
    let error = Bench::new(&node, 4.2, lacking).input(json!([{}])).run_effect().await.unwrap_err();
    assert_eq!(error.message, "the node names no credential of type 'githubApi': choose one in the node");
}

#[tokio::test]
async fn a_challenge_is_answered_without_sending_the_password() {
    let server =
        Server::start_with_request(|request| match request.contains("authorization: Digest username=\"ada\"") {
            true => json_reply(&json!({"ok": true})),
            false => {
                reply("401 Unauthorized", "www-authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n1\"\r\n", "")
            }
        });
    let node = HttpRequest::default();
    let parameters = json!({
        "url": server.url("/x?a=1"), "authentication": "genericCredentialType", "genericAuthType": "httpDigestAuth",
    });
    let credential = json!({"user": "ada", "password": "secret"});
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("httpDigestAuth", credential);
    assert_eq!(output(&mut bench).await, json!([{"ok": true}]));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].contains("uri=\"/x?a=1\"") && !seen[1].contains("secret"), "{}", seen[1]);
}

#[tokio::test]
async fn tokens_that_ran_out_are_renewed_once() {
    let server = Server::start_with_request(|request| {
        if request.starts_with("POST /token") {
            assert!(request.ends_with("refresh_token=r1&grant_type=refresh_token&client_id=id&client_secret=s"));
            return json_reply(&json!({"access_token": "new", "refresh_token": "r2"}));
        }
        match request.contains("authorization: Bearer new") {
            true => json_reply(&json!({"ok": true})),
            false => reply("401 Unauthorized", "", ""),
        }
    });
    let node = HttpRequest::default();
    let fields = json!({
        "accessTokenUrl": server.url("/token"), "clientId": "id", "clientSecret": "s", "authentication": "body",
        "oauthTokenData": {"access_token": "old", "refresh_token": "r1"},
    });
    let parameters = json!({
        "url": server.url("/"), "authentication": "genericCredentialType", "genericAuthType": "oAuth2Api",
    });
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("oAuth2Api", fields);
    assert_eq!(output(&mut bench).await, json!([{"ok": true}]));
    assert_eq!(output(&mut bench).await, json!([{"ok": true}]));
    let lines: Vec<String> = server.seen().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["GET / HTTP/1.1", "POST /token HTTP/1.1", "GET / HTTP/1.1", "GET / HTTP/1.1"]);
}

#[tokio::test]
async fn a_refresh_token_that_counts_once_is_used_once_by_all_nodes_of_the_process() {
    let used = AtomicBool::new(false);
    let answer = move |request: &str| {
        if request.starts_with("POST /token") {
            return match used.swap(true, Ordering::SeqCst) {
                false => json_reply(&json!({"access_token": "new", "refresh_token": "r2"})),
                true => reply("400 Bad Request", "", ""),
            };
        }
        match request.contains("authorization: Bearer new") {
            true => json_reply(&json!({"ok": true})),
            false => reply("401 Unauthorized", "", ""),
        }
    };
    let server = Server::serve(TcpListener::bind("127.0.0.1:0").unwrap(), answer, true);
    let fields = json!({
        "accessTokenUrl": server.url("/token"), "clientId": "id", "clientSecret": "s", "authentication": "body",
        "oauthTokenData": {"access_token": "old", "refresh_token": "r1"},
    });
    let parameters = json!({
        "url": server.url("/"), "authentication": "genericCredentialType", "genericAuthType": "oAuth2Api",
    });
    let nodes: Vec<HttpRequest> = (0..4).map(|_| HttpRequest::default()).collect();
    let benches = nodes.iter().map(|node| {
        Bench::new(node, 4.2, parameters.clone()).input(json!([{}])).credential("oAuth2Api", fields.clone())
    });
    let mut benches: Vec<Bench<'_>> = benches.collect();
    let given = futures::future::join_all(benches.iter_mut().map(|bench| output(bench))).await;
    assert_eq!(given, vec![json!([{"ok": true}]); 4]);
    // What sends its requests by itself has the token of the others, and asks for none in place of one that is gone.
    let (bearers, policy) = (Bearers::default(), &benches[0].services.outbound);
    let credential = OAuth2::read(fields.as_object().unwrap(), SecretTexts::default(), "mine".to_owned());
    assert_eq!(bearers.current(&credential, policy).await.unwrap(), "new");
    assert_eq!(bearers.renewed(&credential, "old", policy).await.unwrap().as_deref(), Some("new"));
    let asked = server.seen().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_token_is_kept_for_whom_it_was_got_and_noted_as_a_secret() {
    let server = Server::start_with_request(|request| match request.starts_with("POST /token") {
        true if request.ends_with("client_secret=right") => {
            json_reply(&json!({"access_token": "token-of-the-right-one"}))
        }
        true => reply("401 Unauthorized", "", ""),
        false => json_reply(&json!({"ok": true})),
    });
    let node = HttpRequest::default();
    let parameters = json!({
        "url": server.url("/"), "authentication": "genericCredentialType", "genericAuthType": "oAuth2Api",
    });
    let bench = |secret: &str| {
        let fields = json!({
            "grantType": "clientCredentials", "accessTokenUrl": server.url("/token"), "clientId": "id",
            "clientSecret": secret, "authentication": "body",
        });
        Bench::new(&node, 4.2, parameters.clone()).input(json!([{}])).credential("oAuth2Api", fields)
    };
    // Got the first time, kept the second.
    for _ in 0..2 {
        let mut right = bench("right");
        assert_eq!(output(&mut right).await, json!([{"ok": true}]));
        let hidden = right.secrets.finder().unwrap().hidden_in_text("Bearer token-of-the-right-one");
        assert_eq!(hidden.as_deref(), Some("Bearer [secret of \"mine\"]"));
    }
    let refused = bench("wrong").run_effect().await.unwrap_err();
    assert!(refused.message.contains("gave no token"), "{}", refused.message);
    let asked = server.seen().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(asked, 2, "the right one once, the wrong one once");
}

#[tokio::test]
async fn a_proxy_is_sent_the_whole_address_and_held_to_the_same_rules() {
    let server = Server::start(|line| json_reply(&json!({"line": line})));
    let node = HttpRequest::default();
    let through = |proxy: String| json!({"url": "http://8.8.8.8/x", "options": {"proxy": proxy}});
    let mut bench = Bench::new(&node, 4.2, through(server.url(""))).input(json!([{}]));
    assert_eq!(output(&mut bench).await, json!([{"line": "GET http://8.8.8.8/x HTTP/1.1"}]));
    bench.services.outbound.allow_private = false;
    let refused = bench.run_effect().await.unwrap_err();
    assert!(refused.message.contains("'127.0.0.1' are refused"), "{}", refused.message);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_name_of_this_machine_is_refused() {
    let other = Server::start(|_| json_reply(&json!({"secret": true})));
    let location = format!("location: http://localhost:{}/\r\n", other.port);
    let server = Server::start(move |_| reply("302 Found", &location, ""));
    let node = HttpRequest::default();
    let mut bench = Bench::new(&node, 4.2, json!({"url": server.url("/")})).input(json!([{}]));
    bench.services.outbound.allow_private = false;
    bench.services.outbound.allowed_hosts = BTreeSet::from([format!("127.0.0.1:{}", server.port)]);
    let refused = bench.run_effect().await.unwrap_err();
    assert!(refused.message.contains("'localhost' are refused"), "{}", refused.message);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_large_file_is_kept_beside_the_item_and_sent_from_there() {
    let long = "0123456789".repeat(20_000);
    let body = long.clone();
    let server = Server::start(move |line| match line.split(' ').next() {
        Some("GET") => reply("200 OK", "content-type: application/pdf\r\n", &body),
        _ => json_reply(&json!({"taken": true})),
    });
    let node = HttpRequest::default();
    let mut fetched = Bench::new(&node, 4.2, json!({"url": server.url("/report.pdf")})).input(json!([{"n": 1}]));
    // An answer that goes past the memory has a bound of its own.
    fetched.services.outbound.response_bytes_max = 1_000;
    let output = fetched.run_effect().await.unwrap();
    let file = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert!(file.data.is_empty() && file.id.as_ref().unwrap().starts_with("blob:"), "{file:?}");
    assert_eq!((file.file_size.as_deref(), &file.extra["bytes"]), (Some("200 kB"), &json!(200_000)));

    let parts = json!({"parameters": [
        {"parameterType": "formBinaryData", "name": "file", "inputDataFieldName": "data"}, {"name": "a", "value": "1"},
    ]});
    for (parameters, begins, ends) in [
        (json!({"contentType": "binaryData"}), "0123456789", "0123456789"),
        (json!({"contentType": "multipart-form-data", "bodyParameters": parts}), "--timeloom-key-1-0", "-0--\r\n"),
    ] {
        let mut parameters = parameters;
        (parameters["url"], parameters["method"], parameters["sendBody"]) =
            (json!(server.url("/in")), json!("POST"), json!(true));
        let mut sent = Bench::new(&node, 4.2, parameters).input(json!([output.outputs[0][0]]));
        sent.services = fetched.services.clone();
        sent.run_effect().await.unwrap();
        let seen = server.seen().pop().unwrap();
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert!(body.starts_with(begins) && body.ends_with(ends) && body.contains(&long), "{head}");
    }

    let mut refused = Bench::new(&node, 4.2, json!({"url": server.url("/report.pdf")})).input(json!([{}]));
    refused.services.outbound.file_bytes_max = 199_999;
    assert!(refused.run_effect().await.unwrap_err().message.contains("larger than 199999 bytes"));
}
