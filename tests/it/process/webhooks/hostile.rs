//! Requests that are meant to do harm: each is refused within bounds, and the next caller is served.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::super::server::Server;
use super::{after, echo, gives, respond, told, webhook};

/// Sends bytes as they are; answers the status line, or nothing when the server just ends the connection.
fn raw(server: &Server, request: &[u8]) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The server may have refused and closed before everything was written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut chunk = [0; 1_024];
    while !answer.contains(&b'\n') {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
    }
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_without_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--webhook-body-max-mib", "1"]);
    server.activated(&echo(json!({ "path": "in", "httpMethod": "POST" }))).await;
    let head = "POST /webhook/in HTTP/1.1\r\nhost: localhost\r\n";

    let large = format!("{head}x-large: {}\r\n\r\n", "x".repeat(1 << 20));
    let many: String = (0..1_000).map(|index| format!("x-{index}: 1\r\n")).collect();
    let many = format!("{head}{many}\r\n");
    for request in [large, many] {
        let status = raw(&server, request.as_bytes());
        assert!(status.is_empty() || status.contains(" 4"), "{status}");
    }
    let announced = format!("{head}content-length: 999999999\r\n\r\n{{");
    assert!(raw(&server, announced.as_bytes()).contains(" 413 "));
    let mut endless = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..40 {
        endless.extend_from_slice(b"10000\r\n");
        endless.extend(std::iter::repeat_n(b'x', 0x1_0000));
        endless.extend_from_slice(b"\r\n");
    }
    assert!(raw(&server, &endless).contains(" 413 "));
    let both = format!("{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /");
    let status = raw(&server, both.as_bytes());
    assert!(status.is_empty() || status.contains(" 400 "), "{status}");
    let slow = format!("{head}content-type: application/json\r\ncontent-length: 10\r\n\r\n{{");
    assert!(raw(&server, slow.as_bytes()).contains(" 408 "), "a body that never comes");
    assert_eq!(server.executions().await, 0);
    assert_eq!(server.call("POST", "/webhook/in").await.0, 200);
    server.stop();
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--webhook-body-max-mib", "1"]);
    server.activated(&echo(json!({ "path": "in", "httpMethod": "POST" }))).await;
    let form = "multipart/form-data; boundary=x";
    let many_parts = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n".repeat(2_000) + "--x--\r\n";
    let deep = "[".repeat(100_000);
    let cases: [(&str, &str, u16); 8] = [
        (form, "--y\r\n\r\n", 400),
        (form, "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1", 400),
        (form, "--x\r\nno header at all\r\n--x--", 400),
        ("multipart/form-data", "--x--\r\n", 400),
        (form, &many_parts, 413),
        ("application/json", &deep, 422),
        ("application/json", "{\"a\": 1", 422),
        ("application/json", "\u{0}", 422),
    ];
    for (content_type, body, expected) in cases {
        let request = server.request("POST", "/webhook/in").header("content-type", content_type).body(body.to_owned());
        let (status, text) = told(request.send().await.unwrap()).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(status, expected, "{content_type} {shown:?}: {text}");
    }
    // Small on the way, large when it is unpacked: two MiB of zeros.
    let packed = server.request("POST", "/webhook/in").header("content-encoding", "gzip").body(gzip_of_zeros());
    assert_eq!(told(packed.send().await.unwrap()).await.0, 413);
    for path in ["/webhook/%ff", "/webhook/in%2Fin", "/webhook/in%00", &format!("/webhook/{}", "a/".repeat(3_000))] {
        let (status, _) = server.call("POST", path).await;
        assert!((400..=414).contains(&status), "{path}: {status}");
    }
    assert_eq!(server.executions().await, 0);
    server.stop();
}

/// Two MiB of zeros, compressed: blocks of a fixed code in which one zero is followed by copies of 258.
fn gzip_of_zeros() -> Vec<u8> {
    let mut bits = Vec::new();
    let push = |bits: &mut Vec<bool>, code: u32, length: u32| {
        bits.extend((0..length).rev().map(|place| code >> place & 1 == 1));
    };
    // Last block, fixed codes.
    bits.extend([true, true, false]);
    push(&mut bits, 0b0011_0000, 8);
    for _ in 0..8_200 {
        // Length 258 is code 285, distance 1 is code 0.
        push(&mut bits, 0b1100_0101, 8);
        push(&mut bits, 0, 5);
    }
    push(&mut bits, 0, 7);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for byte in bits.chunks(8) {
        bytes.push(byte.iter().enumerate().fold(0, |sum, (place, bit)| sum | u8::from(*bit) << place));
    }
    bytes
}

#[tokio::test]
async fn a_workflow_cannot_forge_the_head_of_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let forged = json!({ "path": "at-once", "options": { "responseHeaders": { "entries": [
        { "name": "x-own", "value": "a\r\nset-cookie: stolen=1" }] } } });
    server.activated(&after(&webhook(forged), &[gives("{}")])).await;
    let at_once = server.request("GET", "/webhook/at-once").send().await.unwrap();
    assert!(at_once.status().as_u16() == 500 && at_once.headers().get("set-cookie").is_none());

    let by_node = webhook(json!({ "path": "by-node", "responseMode": "responseNode" }));
    let answer =
        respond(json!({ "respondWith": "text", "responseBody": "ok", "options": { "responseHeaders": { "entries": [
        { "name": "={{ $json.query.name }}", "value": "={{ $json.query.value }}" }] } } }));
    server.activated(&after(&by_node, &[answer])).await;
    let response = server.request("GET", "/webhook/by-node?name=x&value=a%0d%0aset-cookie:%20b").send().await.unwrap();
    assert!(response.status().as_u16() == 500 && response.headers().get("set-cookie").is_none());
    let copied = server.request("GET", "/webhook/by-node?name=transfer-encoding&value=gzip").send().await.unwrap();
    assert_eq!(told(copied).await, (200, "ok".to_owned()));
    server.stop();
}
