//! Streams that break off and are taken up again, the transport of 2024, and tokens that run out.
#![expect(clippy::disallowed_methods, reason = "a server of a test ends with the runtime of the test")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::http::RESUMES_MAX;
use super::tests::{Says, Server, calling, failed, honest, lying, ran, request};
use super::*;
use timeloom_nodes::testing::{Bench, json_of};

const STREAM: &str = "200 OK\r\ncontent-type: text/event-stream";

/// The answer to the call of a tool, which is the third question of a session, as an event.
fn sum() -> String {
    let answer = json!({"jsonrpc": "2.0", "id": 3, "result": {"content": [], "structuredContent": {"sum": 3}}});
    format!("data: {answer}\n\n")
}

/// A server whose stream about a call breaks off after `begun`, and that answers to `again` in what way it likes.
async fn breaking(begun: &'static str, again: impl Fn(&str) -> Says + Send + Sync + 'static) -> Server {
    Server::start_by(move |head, message, _| match message["method"].as_str() {
        Some("tools/call") => Says::Raw(STREAM, begun.as_bytes().to_vec()),
        None if head.starts_with("get ") => again(head),
        _ => honest(message),
    })
    .await
}

fn listened(server: &Server) -> Vec<String> {
    let heard = server.heard.lock().unwrap();
    heard.iter().map(|(head, _)| head.clone()).filter(|head| head.starts_with("get ")).collect()
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_taken_up_behind_its_last_event() {
    let begun = "retry: 5\nid: e-1\ndata:\n\nid: e-2\ndata:\n\nid: e-3\ndata: {\"half";
    let server = breaking(begun, |head| match head.contains("last-event-id: e-2") {
        // It breaks off once more, and the next part begins elsewhere.
        true => Says::Raw(STREAM, b"retry: 5\nid: e-9\ndata:\n\n".to_vec()),
        false => Says::Raw(STREAM, format!("id: e-10\n{}", sum()).into_bytes()),
    })
    .await;
    let given = ran(calling(&server.url)).await.unwrap();
    assert_eq!(given[0]["structuredContent"], json!({"sum": 3}));
    let heads = listened(&server);
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(heads[1].contains("last-event-id: e-9"), "{heads:?}");
    for head in heads {
        assert!(head.contains("mcp-session-id: s-1") && head.contains("mcp-protocol-version: 2025-06-18"), "{head}");
    }
    assert_eq!(server.heads_of("tools/call").len(), 1, "the call is never made again");
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_fails_the_call() {
    let without_ids = breaking("data:\n\n", |_| Says::Raw(STREAM, sum().into_bytes())).await;
    failed(ran(calling(&without_ids.url)).await, "ended the connection");
    assert_eq!(listened(&without_ids).len(), 0);
    let refusing = breaking("retry: 1\nid: 1\ndata:\n\n", |_| {
        Says::Raw("405 Method Not Allowed\r\ncontent-length: 0", Vec::new())
    })
    .await;
    failed(ran(calling(&refusing.url)).await, "does not let it be taken up again");
    assert_eq!(listened(&refusing).len(), 1);
    // A session that is gone meanwhile is not begun anew: the call may have been carried out.
    let forgetful =
        breaking("retry: 1\nid: 1\ndata:\n\n", |_| Says::Raw("404 Not Found\r\ncontent-length: 0", Vec::new())).await;
    failed(ran(calling(&forgetful.url)).await, "look whether the tool did its work");
    assert_eq!(forgetful.heads_of("initialize").len(), 1);
    let failing =
        breaking("retry: 1\nid: 1\ndata:\n\n", |_| Says::Raw("503 Busy\r\ncontent-length: 0", Vec::new())).await;
    failed(ran(calling(&failing.url)).await, "does not let it be taken up again");
    assert_eq!(listened(&failing).len(), 3, "it is asked a few times");
}

#[tokio::test]
async fn a_stream_that_breaks_off_for_ever_is_given_up() {
    let server = breaking("retry: 1\nid: 1\ndata:\n\n", |_| Says::Raw(STREAM, b"id: 2\ndata:\n\n".to_vec())).await;
    let mut parameters = calling(&server.url);
    parameters["options"]["timeout"] = json!(60_000);
    failed(ran(parameters).await, "does not let it be taken up again");
    assert_eq!(listened(&server).len(), RESUMES_MAX);
}

/// A server of 2024: a stream of events at `/sse`, and messages at the address that its first event tells. What it heard.
async fn older(endpoint: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sse", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (kept, listening) = (Arc::clone(&heard), Arc::new(Mutex::new(None::<mpsc::UnboundedSender<String>>)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (kept, listening) = (Arc::clone(&kept), Arc::clone(&listening));
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Some((head, message)) = request(&mut stream).await {
                    let line = head.lines().next().unwrap_or_default().to_owned();
                    let method = message["method"].as_str().unwrap_or_default();
                    kept.lock().unwrap().push(format!("{line} {method}"));
                    let says = match line.as_str() {
                        "get /sse http/1.1" => {
                            let (sender, mut events) = mpsc::unbounded_channel();
                            *listening.lock().unwrap() = Some(sender);
                            let head =
                                format!("HTTP/1.1 {STREAM}\r\n\r\n: hello\n\nevent: endpoint\ndata: {endpoint}\n\n");
                            stream.write_all(head.as_bytes()).await.ok()?;
                            while let Some(event) = events.recv().await {
                                stream.write_all(event.as_bytes()).await.ok()?;
                            }
                            return None;
                        }
                        "post /messages?session=7 http/1.1" => {
                            if let Says::Json(answer @ Value::Object(_)) = honest_of_2024(&message) {
                                let event = format!("event: message\ndata: {answer}\n\n");
                                listening.lock().unwrap().as_ref().unwrap().send(event).unwrap();
                            }
                            "HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\n\r\nAccepted"
                        }
                        _ => "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n",
                    };
                    stream.write_all(says.as_bytes()).await.ok()?;
                }
                Some(())
            });
        }
    });
    (url, heard)
}

fn honest_of_2024(message: &Value) -> Says {
    match honest(message) {
        Says::Json(mut answer) if message["method"] == "initialize" => {
            answer["result"]["protocolVersion"] = json!("2024-11-05");
            Says::Json(answer)
        }
        says => says,
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_begin_is_spoken_with_by_the_transport_of_2024() {
    let (url, heard) = older("/messages?session=7").await;
    let given = ran(calling(&url)).await.unwrap();
    assert_eq!((&given[0]["text"], &given[0]["protocolVersion"]), (&json!("3"), &json!("2024-11-05")));
    let wanted = [
        "post /sse http/1.1 initialize",
        "get /sse http/1.1 ",
        "post /messages?session=7 http/1.1 initialize",
        "post /messages?session=7 http/1.1 notifications/initialized",
        "post /messages?session=7 http/1.1 tools/list",
        "post /messages?session=7 http/1.1 tools/call",
    ];
    assert_eq!(*heard.lock().unwrap(), wanted);
}

#[tokio::test]
async fn a_server_of_2024_sends_nobody_elsewhere_with_what_proves_who_asks() {
    let (url, heard) = older("http://127.0.0.1:1/messages").await;
    failed(ran(calling(&url)).await, "not at its own address");
    assert_eq!(heard.lock().unwrap().len(), 2);
    // One that refuses for another reason is told with that reason.
    let closed = lying("initialize", |_| Says::Raw("404 Not Found\r\ncontent-length: 4", b"none".to_vec())).await;
    failed(ran(calling(&closed.url)).await, "answered 404: none");
    let locked = lying("initialize", |_| Says::Raw("401 Unauthorized\r\ncontent-length: 0", Vec::new())).await;
    failed(ran(calling(&locked.url)).await, "choose a credential");
    assert_eq!(listened(&locked).len(), 0, "who is not let in does not try another way");
}

/// A server that takes the token `new`, and gives it out for the token `again`.
async fn guarded() -> Server {
    Server::start_by(|head, message, _| {
        if head.starts_with("post /token ") {
            let token = json!({"access_token": "new", "refresh_token": "again", "token_type": "Bearer"});
            return Says::Json(token);
        }
        match head.contains("authorization: bearer new") {
            true => honest(message),
            false => Says::Raw("401 Unauthorized\r\ncontent-length: 0", Vec::new()),
        }
    })
    .await
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed_and_the_call_is_made_with_the_new_one() {
    let server = guarded().await;
    let token_url = server.url.replace("/mcp", "/token");
    let mut parameters = calling(&server.url);
    parameters["authentication"] = json!("oAuth2Api");
    let node = Mcp::new(McpCommands::default());
    let credential = |refresh: Option<&str>| {
        let tokens = json!({"access_token": "old", "refresh_token": refresh});
        json!({"accessTokenUrl": token_url, "clientId": "timeloom", "resource": server.url, "oauthTokenData": tokens})
    };
    for _ in 0..2 {
        let mut bench = Bench::new(&node, 1.0, parameters.clone()).input(json!([{}]));
        bench = bench.credential("oAuth2Api", credential(Some("again")));
        assert_eq!(json_of(&bench.run_effect().await.unwrap(), 0)[0]["text"], "3");
    }
    let asked = |line: &str| server.heard.lock().unwrap().iter().filter(|(head, _)| head.starts_with(line)).count();
    assert_eq!(asked("post /token "), 1, "the second run has the token of the first");
    let other = Mcp::new(McpCommands::default());
    let mut bench = Bench::new(&other, 1.0, parameters).input(json!([{}]));
    bench = bench.credential("oAuth2Api", credential(None));
    failed(bench.run_effect().await.map(|output| json_of(&output, 0)), "choose a credential");
}

#[tokio::test]
async fn how_a_server_lets_clients_in_is_found_out_and_a_client_is_made_known() {
    let at = Arc::new(Mutex::new(String::new()));
    let known = Arc::clone(&at);
    let server = Server::start_by(move |head, message, _| {
        let base = known.lock().unwrap().clone();
        let line = head.lines().next().unwrap_or_default();
        let (_, path) = line.split_once(' ').unwrap();
        match path.trim_end_matches(" http/1.1") {
            "/mcp" => Says::Raw(
                "401 Unauthorized\r\nwww-authenticate: Bearer scope=\"read\"\r\ncontent-length: 0",
                Vec::new(),
            ),
            "/.well-known/oauth-protected-resource/mcp" => Says::Json(json!({
                "resource": format!("{base}/mcp"), "authorization_servers": [base], "scopes_supported": ["all"],
            })),
            "/.well-known/oauth-authorization-server" => Says::Json(json!({
                "issuer": base, "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"), "registration_endpoint": format!("{base}/register"),
                "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none"],
            })),
            "/register" if message["redirect_uris"] == json!(["https://flows.example/credentials/callback"]) => {
                Says::Json(json!({"client_id": "made"}))
            }
            _ => Says::Raw("404 Not Found\r\ncontent-length: 0", Vec::new()),
        }
    })
    .await;
    let base = server.url.trim_end_matches("/mcp").to_owned();
    *at.lock().unwrap() = base.clone();
    let policy = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
    let found = discover(&server.url, &policy).await.unwrap();
    let fields = found.fields();
    assert_eq!(fields["authUrl"], json!(format!("{base}/authorize")));
    assert_eq!((&fields["scope"], &fields["clientId"]), (&json!("read"), &json!("")));
    assert_eq!(fields["resource"], json!(server.url));
    let refused = register(found.clone(), "https://other.example", &policy).await.unwrap_err();
    assert!(refused.message.contains("did not take the client"), "{refused}");
    let made = register(found, "https://flows.example/credentials/callback", &policy).await.unwrap();
    assert_eq!(made.fields()["clientId"], "made");
}
