//! Who is let in over HTTP: keys, sessions, hosts and origins, sockets, and what ends when somebody is let out.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::header::{ACCEPT, COOKIE, HOST, HeaderMap, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_read_api::{RateLimits, SignInOptions};
use timeloom_store::StreamKey;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::people::machine;
use crate::support::{FIRST_TENANT, TestServer, append, node_completed, started, text, unknown_id, workflow_file};

const QUERY: &str = "{ head { position } }";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn asking() -> TestServer {
    TestServer::start_asking(SignInOptions {
        allowed_hosts: vec!["flows.example".to_owned()],
        ..SignInOptions::default()
    })
}

/// A client that follows nothing by itself.
pub(crate) fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

fn own_origin(server: &TestServer) -> String {
    format!("http://localhost:{}", server.port)
}

/// Sends a form as a page of the server would.
pub(crate) async fn send_form(
    server: &TestServer,
    path: &str,
    cookie: &str,
    fields: &[(&str, &str)],
) -> reqwest::Response {
    let request = browser().post(server.url(path)).header(ORIGIN, own_origin(server)).form(fields);
    let request = if cookie.is_empty() { request } else { request.header(COOKIE, cookie) };
    request.send().await.unwrap()
}

pub(crate) fn cookie_of(headers: &HeaderMap) -> (String, String) {
    let whole = headers[SET_COOKIE].to_str().unwrap().to_owned();
    (whole.split(';').next().unwrap().to_owned(), whole)
}

/// Signs in by a link; the cookie.
pub(crate) async fn signed_in(server: &TestServer, account: timeloom_domain::ids::AccountId) -> String {
    let link = server.access.make_sign_in_link(&machine(FIRST_TENANT), account, 60_000).await.unwrap().value;
    let sent = send_form(server, "/sign-in/link", "", &[("token", &link.token)]).await;
    assert_eq!(sent.status(), 303);
    cookie_of(sent.headers()).0
}

pub(crate) async fn asked(
    server: &TestServer,
    change: impl Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> StatusCode {
    let request = server.client.post(server.url("/graphql")).json(&json!({ "query": QUERY }));
    change(request).send().await.unwrap().status()
}

#[tokio::test]
async fn nothing_is_open_but_health_and_the_way_in() {
    let server = asking();
    let closed = [
        (Method::POST, "/graphql"),
        (Method::GET, "/graphql?query=%7Bhead%7Bposition%7D%7D"),
        (Method::PUT, "/graphql/stream"),
        (Method::GET, "/graphql/stream?token=x"),
        (Method::GET, "/graphql/schema"),
        (Method::GET, "/graphql/ws"),
        (Method::GET, "/"),
        (Method::GET, "/executions/01234567-89ab-cdef-0123-456789abcdef"),
        (Method::GET, "/sw.js"),
        (Method::GET, "/graphiql"),
        (Method::GET, "/graphiql/graphiql.js"),
        (Method::GET, "/metrics"),
        (Method::GET, "/log/identity"),
        (Method::GET, "/log/events"),
        (Method::GET, "/log/blobs/x"),
        (Method::GET, "/log/tree"),
        (Method::GET, "/log/tree/tiles/0/0"),
        (Method::GET, "/log/checkpoints"),
        (Method::GET, "/binary/01234567-89ab-cdef-0123-456789abcdef?node=a"),
        (Method::GET, "/tensor/01234567-89ab-cdef-0123-456789abcdef?side=inputs&name=a"),
        (Method::GET, "/account/password"),
    ];
    for (method, path) in closed {
        let sent = browser().request(method.clone(), server.url(path)).json(&json!({ "query": QUERY })).send().await;
        let sent = sent.unwrap();
        assert_eq!(sent.status(), 401, "{method} {path}");
        assert_eq!(sent.headers()[WWW_AUTHENTICATE], "Bearer");
        let body: Value = sent.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{body}");
    }
    for path in ["/healthz", "/readyz", "/health/live", "/health/ready", "/sign-in"] {
        assert_eq!(browser().get(server.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    let page = browser().get(server.url("/graphql?x=1")).header(ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(
        (page.status(), &page.headers()[LOCATION]),
        (StatusCode::SEE_OTHER, &"/sign-in?next=/graphql%3Fx%3D1".parse().unwrap())
    );
    server.stop().await;
}

#[tokio::test]
async fn a_key_lets_in_until_it_is_revoked_and_nothing_else_does() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let (id, key) = server.key_of(FIRST_TENANT, account, None).await;
    assert_eq!(asked(&server, |request| request.bearer_auth(&key)).await, 200);
    let cookie = signed_in(&server, account).await;
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 200);
    let other_letter = format!("{}x", &key[..key.len() - 1]);
    for wrong in
        ["Bearer nonsense", "Bearer", "Basic YTpi", &format!("Bearer {other_letter}"), &format!("Bearer {key} ")]
    {
        let status = asked(&server, |request| request.header("authorization", wrong).header(COOKIE, &cookie)).await;
        let is_key = wrong.trim_end() == format!("Bearer {key}");
        assert_eq!(status, if is_key { 200 } else { 401 }, "{wrong}");
    }
    for wrong in ["timeloom=x", "timeloom=", "other=1", &format!("{cookie}x")] {
        assert_eq!(asked(&server, |request| request.header(COOKIE, wrong)).await, 401, "{wrong}");
    }
    server.access.revoke_key(&machine(FIRST_TENANT), account, id).await.unwrap();
    assert_eq!(asked(&server, |request| request.bearer_auth(&key).header(COOKIE, &cookie)).await, 401);
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 200);
    server.access.disable_account(&machine(FIRST_TENANT), account).await.unwrap();
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 401);
    server.stop().await;
}

#[tokio::test]
async fn a_link_lets_in_once_and_a_password_from_then_on() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let link = server.access.make_sign_in_link(&machine(FIRST_TENANT), account, 60_000).await.unwrap().value;
    let look = server.url(&format!("/sign-in/link?token={}", *link.token));
    for _ in 0..2 {
        let page = browser().get(&look).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers()["cache-control"], "no-store");
        let page = page.text().await.unwrap();
        assert!(page.contains("method=\"post\"") && !page.contains("<script"), "{page}");
    }
    let sent = send_form(&server, "/sign-in/link", "", &[("token", &link.token)]).await;
    assert_eq!(
        (sent.status(), &sent.headers()[LOCATION]),
        (StatusCode::SEE_OTHER, &"/account/password".parse().unwrap())
    );
    let (cookie, whole) = cookie_of(sent.headers());
    assert!(
        whole.contains("; HttpOnly; SameSite=Lax") && whole.contains("Path=/") && !whole.contains("Secure"),
        "{whole}"
    );
    let again = send_form(&server, "/sign-in/link", "", &[("token", &link.token)]).await;
    assert_eq!(again.status(), 403);
    assert!(!again.headers().contains_key(SET_COOKIE));

    let weak = send_form(&server, "/account/password", &cookie, &[("password", "short")]).await;
    assert_eq!(weak.status(), 422);
    let chosen =
        send_form(&server, "/account/password", &cookie, &[("password", PASSWORD), ("next", "/graphql")]).await;
    assert_eq!((chosen.status(), &chosen.headers()[LOCATION]), (StatusCode::SEE_OTHER, &"/graphql".parse().unwrap()));

    let page = browser().get(server.url("/sign-out")).header(COOKIE, &cookie).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("ada@example.org"));
    let out = send_form(&server, "/sign-out", &cookie, &[]).await;
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 401, "the session has ended");

    let mut refusals = Vec::new();
    for (email, password) in [("ada@example.org", "wrong password"), ("nobody@example.org", PASSWORD)] {
        let refused = send_form(&server, "/sign-in", "", &[("email", email), ("password", password)]).await;
        assert_eq!(refused.status(), 403);
        let page = refused.text().await.unwrap();
        let from = page.find("role=\"alert\"").unwrap();
        refusals.push(page[from..from + 80].to_owned());
    }
    assert_eq!(refusals[0], refusals[1], "nobody learns who has an account");
    let fields = [("email", "Ada@example.org"), ("password", PASSWORD), ("next", "//evil.example")];
    let in_again = send_form(&server, "/sign-in", "", &fields).await;
    assert_eq!((in_again.status(), &in_again.headers()[LOCATION]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let cookie = cookie_of(in_again.headers()).0;
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn forms_are_taken_from_pages_of_ours_alone() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let cookie = signed_in(&server, account).await;
    let post = |path: &str| browser().post(server.url(path)).header(COOKIE, &cookie).form(&[("password", PASSWORD)]);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x-nothing", "at all"),
    ] {
        for path in ["/account/password", "/sign-out"] {
            assert_eq!(post(path).header(name, value).send().await.unwrap().status(), 403, "{path} {name}: {value}");
        }
    }
    assert_eq!(asked(&server, |request| request.header(COOKIE, &cookie)).await, 200);
    let ours = post("/account/password").header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(ours.status(), 303);
    server.stop().await;
}

#[tokio::test]
async fn nobody_tries_passwords_on_and_on() {
    let server = asking();
    let fields = [("email", "ada@example.org"), ("password", "guess")];
    let tries = (0..16).map(|_| send_form(&server, "/sign-in", "", &fields));
    let (stopped, tried): (Vec<_>, Vec<_>) =
        futures::future::join_all(tries).await.into_iter().partition(|answer| answer.status() == 429);
    assert!(!stopped.is_empty() && tried.iter().all(|answer| answer.status() == 403));
    assert!(stopped[0].headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    server.stop().await;
}

#[tokio::test]
async fn only_known_hosts_and_pages_of_ours_are_answered() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let (_, key) = server.key_of(FIRST_TENANT, account, None).await;
    let cookie = signed_in(&server, account).await;
    let with_cookie = |name: &'static str, value: &str| {
        let (cookie, value) = (cookie.clone(), value.to_owned());
        move |request: reqwest::RequestBuilder| request.header(COOKIE, &cookie).header(name, &value)
    };
    for host in [format!("localhost:{}", server.port), "flows.example".to_owned(), "localhost:8080".to_owned()] {
        assert_eq!(asked(&server, with_cookie("host", &host)).await, 200, "{host}");
    }
    for host in ["evil.example", "localhost:1", "localhost.evil.example"] {
        assert_eq!(asked(&server, with_cookie("host", host)).await, 403, "{host}");
        assert_eq!(asked(&server, |request| request.header(HOST, host)).await, 403, "{host}");
        assert_eq!(asked(&server, |request| request.header(HOST, host).bearer_auth(&key)).await, 200, "{host}");
        let health = server.client.get(server.url("/healthz")).header(HOST, host).send().await.unwrap();
        assert_eq!(health.status(), 200);
        let page = server.client.get(server.url("/sign-in")).header(HOST, host).send().await.unwrap();
        assert_eq!(page.status(), 403);
    }
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        assert_eq!(asked(&server, with_cookie("origin", origin)).await, 403, "{origin}");
        assert_eq!(asked(&server, |request| request.header(ORIGIN, origin).bearer_auth(&key)).await, 403, "{origin}");
        assert!(
            open(&server, |headers| {
                headers.insert("origin", origin.parse().unwrap());
                headers.insert("cookie", cookie.parse().unwrap());
            })
            .await
            .is_err()
        );
    }
    assert_eq!(asked(&server, with_cookie("origin", &own_origin(&server))).await, 200);
    for site in ["cross-site", "same-site"] {
        assert_eq!(asked(&server, with_cookie("sec-fetch-site", site)).await, 403, "{site}");
    }
    assert_eq!(asked(&server, with_cookie("sec-fetch-site", "same-origin")).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_key_may_do_what_it_was_made_for() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let (_, all) = server.key_of(FIRST_TENANT, account, None).await;
    let (_, some) = server.key_of(FIRST_TENANT, account, Some(Permissions::of(&[Permission::WorkflowRead]))).await;
    for path in [
        "/metrics",
        "/log/identity",
        "/log/events",
        "/log/tree",
        "/log/checkpoints",
        "/binary/01234567-89ab-cdef-0123-456789abcdef?node=a",
        "/tensor/01234567-89ab-cdef-0123-456789abcdef?side=inputs&name=a",
    ] {
        let refused = server.client.get(server.url(path)).bearer_auth(&some).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{path}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let allowed = server.client.get(server.url(path)).bearer_auth(&all).send().await.unwrap().status();
        assert!(allowed == 200 || allowed == 404, "{path}: {allowed}");
    }
    let import = "mutation { importWorkflow(input: { source: \"{}\" }) { errors { code } } }";
    let refused = server.ask_with(&some, import, json!({})).await;
    assert_eq!(refused["data"]["importWorkflow"]["errors"][0]["code"], "FORBIDDEN", "{refused}");
    let answer = server.ask_with(&some, "{ executions { nodes { id } } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["permission"], "execution:read");
    assert_eq!(answer["errors"][0]["path"], json!(["executions"]));
    server.stop().await;
}

#[tokio::test]
async fn what_somebody_changes_says_who_it_was_and_why() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Editor]).await;
    let (id, key) = server.key_of(FIRST_TENANT, account, None).await;
    let query = "mutation { registerPlugin(input: { name: \"pdf-tools\" }) { position errors { code message } } }";
    let request = server.client.post(server.url("/graphql")).bearer_auth(&key).json(&json!({ "query": query }));
    let request = request.header("x-timeloom-reason", "the auditors asked").header("x-request-id", "abc-1");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["registerPlugin"]["errors"], json!([]), "{answer}");
    let stream = StreamKey::new(FIRST_TENANT, "plugin", "pdf-tools");
    let read = timeloom_store::EventLog::read_stream(
        &*server.log,
        &stream,
        timeloom_store::Revision::default(),
        timeloom_store::Direction::Forward,
        1,
    );
    let event = read.await.unwrap().remove(0);
    assert_eq!(event.metadata.actor.to_string(), format!("user:{account}"));
    let facts = event.metadata.request.as_deref().unwrap();
    assert_eq!(facts.via, Some(format!("key:{id}")));
    assert_eq!((facts.reason.as_deref(), facts.request_id.as_deref()), (Some("the auditors asked"), Some("abc-1")));
    for reason in [String::new(), "x".repeat(1_001)] {
        assert_eq!(asked(&server, |request| request.bearer_auth(&key).header("x-timeloom-reason", &reason)).await, 400);
    }
    server.stop().await;
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(server: &TestServer, change: impl Fn(&mut HeaderMap)) -> Result<Socket, StatusCode> {
    let mut request = format!("ws://127.0.0.1:{}/graphql/ws", server.port).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    change(request.headers_mut());
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message, or the code with which the socket was closed.
async fn heard(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap() {
            Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => return Err(frame.unwrap().code.into()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_socket_learns_who_is_there_before_anything_else() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let (_, key) = server.key_of(FIRST_TENANT, account, None).await;
    let cookie = signed_in(&server, account).await;
    let init = |payload: Value| json!({ "type": "connection_init", "payload": payload });

    let mut socket = open(&server, |_| {}).await.unwrap();
    say(&mut socket, init(json!({ "Authorization": format!("Bearer {key}") }))).await;
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "connection_ack");
    say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": { "query": QUERY } })).await;
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "next");

    for (payload, code) in [
        (json!(null), 4401),
        (json!({}), 4401),
        (json!({ "authorization": "Bearer nonsense" }), 4403),
        (json!({ "authorization": key }), 4403),
        (json!({ "authorization": 7 }), 4403),
    ] {
        let mut socket = open(&server, |_| {}).await.unwrap();
        say(&mut socket, init(payload.clone())).await;
        assert_eq!(heard(&mut socket).await, Err(code), "{payload}");
    }
    let mut early = open(&server, |_| {}).await.unwrap();
    say(&mut early, json!({ "type": "subscribe", "id": "1", "payload": { "query": QUERY } })).await;
    assert_eq!(heard(&mut early).await, Err(4401));

    let by_cookie = |headers: &mut HeaderMap| drop(headers.insert("cookie", cookie.parse().unwrap()));
    let mut socket = open(&server, by_cookie).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init" })).await;
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "connection_ack");
    let bad = |headers: &mut HeaderMap| drop(headers.insert("authorization", "Bearer x".parse().unwrap()));
    assert_eq!(open(&server, bad).await.err(), Some(StatusCode::UNAUTHORIZED));
    server.stop().await;
}

fn stream() -> StreamKey {
    StreamKey::new(FIRST_TENANT, "execution", unknown_id().to_string())
}

const FOLLOW: &str = "subscription($id: UUID!) { execution(id: $id) { position } }";

#[tokio::test]
async fn a_socket_closes_when_its_key_is_revoked() {
    let server = asking();
    append(&server.log, &stream(), vec![started(&unknown_id().to_string())]).await;
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let (id, key) = server.key_of(FIRST_TENANT, account, None).await;
    let by_key =
        |headers: &mut HeaderMap| drop(headers.insert("authorization", format!("Bearer {key}").parse().unwrap()));
    let mut socket = open(&server, by_key).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init" })).await;
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "connection_ack");
    let payload = json!({ "query": FOLLOW, "variables": { "id": unknown_id() } });
    say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "next");
    server.access.revoke_key(&machine(FIRST_TENANT), account, id).await.unwrap();
    append(&server.log, &stream(), vec![node_completed("Start", 0, json!({ "secret": 1 }))]).await;
    let closed = loop {
        match heard(&mut socket).await {
            Ok(message) => assert!(!message.to_string().contains("position"), "{message}"),
            Err(code) => break code,
        }
    };
    assert_eq!(closed, 4401);
    server.stop().await;
}

#[tokio::test]
async fn what_somebody_follows_ends_when_they_are_let_out_or_may_do_less() {
    let server = asking();
    append(&server.log, &stream(), vec![started(&unknown_id().to_string())]).await;
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer, Role::Operator]).await;
    let (_, key) = server.key_of(FIRST_TENANT, account, None).await;
    let cookie = signed_in(&server, account).await;
    let body = json!({ "query": FOLLOW, "variables": { "id": unknown_id() } });
    let follow = || server.client.post(server.url("/graphql")).header(ACCEPT, "text/event-stream").json(&body);
    let mut by_key = follow().bearer_auth(&key).send().await.unwrap().bytes_stream();
    let first = by_key.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("position"));
    server.access.revoke_role(&machine(FIRST_TENANT), account, Role::Operator).await.unwrap();
    let mut rest = String::new();
    while let Some(bytes) = by_key.next().await {
        rest.push_str(&String::from_utf8_lossy(&bytes.unwrap()));
    }
    assert!(rest.contains("FORBIDDEN") && rest.contains("event: complete"), "{rest}");

    let mut by_cookie = follow().header(COOKIE, &cookie).send().await.unwrap().bytes_stream();
    assert!(String::from_utf8_lossy(&by_cookie.next().await.unwrap().unwrap()).contains("position"));
    let out = send_form(&server, "/sign-out", &cookie, &[]).await;
    assert_eq!(out.status(), 303);
    let mut rest = String::new();
    while let Some(bytes) = by_cookie.next().await {
        rest.push_str(&String::from_utf8_lossy(&bytes.unwrap()));
    }
    assert!(rest.contains("UNAUTHENTICATED") && rest.contains("event: complete"), "{rest}");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_of_many_operations_is_its_owners_alone() {
    let server = asking();
    let (ada, eve) = (
        server.key_with(FIRST_TENANT, "ada", &[Role::Viewer]).await,
        server.key_with(FIRST_TENANT, "eve", &[Role::Viewer]).await,
    );
    let token = server.client.put(server.url("/graphql/stream")).bearer_auth(&ada).send().await.unwrap();
    assert_eq!(token.status(), 201);
    let token = token.text().await.unwrap();
    let open = |key: &str| {
        let request = server.client.get(server.url("/graphql/stream")).bearer_auth(key);
        request.header(ACCEPT, "text/event-stream").header("x-graphql-event-stream-token", &token)
    };
    assert_eq!(open(&eve).send().await.unwrap().status(), 404);
    assert_eq!(open(&ada).send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_idempotency_is_its_owners_alone() {
    let server = asking();
    let (ada, eve) = (
        server.key_with(FIRST_TENANT, "ada", &[Role::Editor]).await,
        server.key_with(FIRST_TENANT, "eve", &[Role::Editor]).await,
    );
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId } }";
    let body = json!({ "query": query, "variables": { "input": { "definition": workflow_file("Mine") } } });
    let mut made = Vec::new();
    for key in [&ada, &ada, &eve] {
        let request = server.client.post(server.url("/graphql")).bearer_auth(key).header("idempotency-key", "1");
        let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        made.push(text(&answer["data"]["importWorkflow"]["workflowId"]));
    }
    assert!(made[0] == made[1] && made[1] != made[2], "{made:?}");
    server.stop().await;
}

#[tokio::test]
async fn everybody_may_have_so_much_and_nobody_pays_for_somebody_else() {
    let limits = RateLimits { requests_per_minute: 5, points_per_minute: 0 };
    let server = TestServer::start_asking(SignInOptions { limits, ..SignInOptions::default() });
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let (_, key) = server.key_of(FIRST_TENANT, account, None).await;
    let (_, second) = server.key_of(FIRST_TENANT, account, None).await;
    let eve = server.key_with(FIRST_TENANT, "eve", &[Role::Viewer]).await;
    let send =
        |key: &str| server.client.post(server.url("/graphql")).bearer_auth(key).json(&json!({ "query": QUERY })).send();
    for left in (0..5).rev() {
        let answer = send(if left % 2 == 0 { &key } else { &second }).await.unwrap();
        assert_eq!(answer.status(), 200);
        let told = |name: &str| answer.headers()[name].to_str().unwrap().parse::<u32>().unwrap();
        assert_eq!((told("ratelimit-limit"), told("ratelimit-remaining")), (5, left));
        assert!((1..=60).contains(&told("ratelimit-reset")));
    }
    let refused = send(&key).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!((1..=12).contains(&refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap()));
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(send(&eve).await.unwrap().status(), 200);
    let health = server.client.get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200);

    let by_key =
        |headers: &mut HeaderMap| drop(headers.insert("authorization", format!("Bearer {eve}").parse().unwrap()));
    let mut socket = open(&server, by_key).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init" })).await;
    for id in 0..6 {
        say(&mut socket, json!({ "type": "subscribe", "id": id.to_string(), "payload": { "query": QUERY } })).await;
    }
    let closed = loop {
        if let Err(code) = heard(&mut socket).await {
            break code;
        }
    };
    assert_eq!(closed, 4429);
    server.stop().await;
}

#[tokio::test]
async fn what_requests_cost_is_measured_too() {
    let limits = RateLimits { requests_per_minute: 0, points_per_minute: 100 };
    let server = TestServer::start_asking(SignInOptions { limits, ..SignInOptions::default() });
    let key = server.key_with(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let send = |query: &'static str| {
        server.client.post(server.url("/graphql")).bearer_auth(&key).json(&json!({ "query": query })).send()
    };
    // It costs more than there ever is, and is answered once there is everything.
    let dear = "{ workflows(first: 100) { nodes { id name } } }";
    assert_eq!(send(dear).await.unwrap().status(), 200);
    let refused = send(QUERY).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 60);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    server.stop().await;
}

#[tokio::test]
async fn the_webhooks_of_other_tenants_have_addresses_of_their_own() {
    let server = asking();
    let other = server.tenant("other").await;
    let key = server.key_with(other, "eve", &[Role::Owner]).await;
    let node = json!({
        "id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
        "parameters": { "path": "orders", "httpMethod": "POST" },
    });
    let file = json!({ "name": "Orders", "nodes": [node], "connections": {}, "settings": {} });
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId } }";
    let made = server.ask_with(&key, import, json!({ "input": { "definition": file } })).await;
    let id = &made["data"]["importWorkflow"]["workflowId"];
    let activate = "mutation($id: UUID!) {
        publishWorkflow(input: { workflowId: $id }) { errors { message } }
        activateWorkflow(input: { workflowId: $id }) { errors { message } workflow { webhooks { url } } } }";
    let active = server.ask_with(&key, activate, json!({ "id": id })).await;
    let url = &active["data"]["activateWorkflow"]["workflow"]["webhooks"][0]["url"];
    let path = format!("/t/{}/webhook/orders", other.0);
    assert_eq!(url, &json!(format!("http://localhost:8080{path}")), "{active}");
    let call = |path: &str| server.client.post(server.url(path)).json(&json!({ "n": 1 })).send();
    assert_eq!(call(&path).await.unwrap().status(), 200);
    for nothing in [
        "/webhook/orders",
        "/t/0/webhook/orders",
        "/t/01/webhook/orders",
        "/t/99/webhook/orders",
        "/t/x/webhook/orders",
    ] {
        assert_eq!(call(nothing).await.unwrap().status(), 404, "{nothing}");
    }
    let started = "{ events(filter: { categories: [\"execution\"] }) { nodes { type actor { kind name } } } }";
    let events = server.ask_with(&key, started, json!({})).await;
    let actor = json!({ "kind": "system", "name": "webhooks" });
    assert_eq!(events["data"]["events"]["nodes"], json!([{ "type": "ExecutionStarted", "actor": actor }]));
    server.access.suspend_tenant(&machine(FIRST_TENANT), other).await.unwrap();
    assert_eq!(call(&path).await.unwrap().status(), 404);
    assert_eq!(server.client.get(server.url("/")).bearer_auth(&key).send().await.unwrap().status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn a_chat_that_is_not_public_is_there_for_those_who_may_run_workflows() {
    let server = asking();
    let owner = server.key_with(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let viewer = server.key_with(FIRST_TENANT, "bob", &[Role::Viewer]).await;
    let stranger = server.key_with(server.tenant("other").await, "eve", &[Role::Owner]).await;
    let chat = |id: &str, parameters: Value| {
        json!({ "id": id, "name": id, "type": "@n8n/n8n-nodes-langchain.chatTrigger", "typeVersion": 1,
            "position": [0, 0], "webhookId": id, "parameters": parameters })
    };
    let nodes = [
        chat("own", json!({})),
        chat("members", json!({ "public": true, "authentication": "n8nUserAuth" })),
        chat("open", json!({ "public": true })),
    ];
    let file = json!({ "name": "Talk", "nodes": nodes, "connections": {}, "settings": {} });
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId } }";
    let made = server.ask_with(&owner, import, json!({ "input": { "definition": file } })).await;
    let activate = "mutation($id: UUID!) {
        publishWorkflow(input: { workflowId: $id }) { errors { message } }
        activateWorkflow(input: { workflowId: $id }) { errors { message } workflow { webhooks { url } } } }";
    let id = &made["data"]["importWorkflow"]["workflowId"];
    let active = server.ask_with(&owner, activate, json!({ "id": id })).await;
    let url = &active["data"]["activateWorkflow"]["workflow"]["webhooks"][0]["url"];
    assert_eq!(url, "http://localhost:8080/webhook/own/chat", "{active}");

    // No workflow is asked for what was said before: whoever is let in has an answer at once.
    let message = json!({ "action": "loadPreviousSession", "sessionId": "s" });
    let ask = async |chat: &str, key: Option<&str>| {
        let request = server.client.post(server.url(&format!("/webhook/{chat}/chat"))).json(&message);
        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
        request.send().await.unwrap().status().as_u16()
    };
    for (name, statuses) in [("own", [404, 404, 404, 200]), ("members", [401, 403, 404, 200]), ("open", [200; 4])] {
        let callers = [None, Some(&*viewer), Some(&*stranger), Some(&*owner)];
        for (key, status) in callers.into_iter().zip(statuses) {
            assert_eq!(ask(name, key).await, status, "{name}, {key:?}");
        }
    }
    let cookie = signed_in(&server, server.user(FIRST_TENANT, "cy", &[Role::Owner]).await).await;
    let sent = async |site: &str| {
        let request = server.client.post(server.url("/webhook/own/chat")).header(COOKIE, &cookie).json(&message);
        request.header("sec-fetch-site", site).send().await.unwrap().status().as_u16()
    };
    assert_eq!((sent("same-origin").await, sent("cross-site").await), (200, 404), "a cookie goes along with any page");
    server.stop().await;
}
