//! A provider of the test's own, of OpenAI's protocol: it tells keys in its errors, and streams without an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The provider. It ends with the runtime of the test.
pub struct Upstream {
    pub url: String,
    /// Requests that came.
    pub asked: Arc<AtomicUsize>,
    /// Told whenever a client went away in the middle of a stream.
    pub left: Arc<Notify>,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, left) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (count, gone) = (Arc::clone(&asked), Arc::clone(&left));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&count), Arc::clone(&gone)));
            }
        });
        Self { url, asked, left }
    }
}

fn head(status: &str, kind: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n")
}

fn chunk(text: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"own\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// Answers one request, by the model that it names.
async fn serve(mut stream: TcpStream, asked: Arc<AtomicUsize>, left: Arc<Notify>) {
    let mut read = Vec::new();
    let mut buffer = [0_u8; 4096];
    let body = loop {
        let Ok(count) = stream.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length:").and_then(|length| length.trim().parse::<usize>().ok())
        });
        if body.len() >= length.unwrap_or(0) {
            break text;
        }
    };
    asked.fetch_add(1, Ordering::SeqCst);
    let key =
        body.lines().find_map(|line| line.to_ascii_lowercase().starts_with("authorization:").then(|| line.to_owned()));
    let key = key.unwrap_or_default().split_whitespace().last().unwrap_or_default().to_owned();
    if body.contains("\"endless\"") {
        let mut sent = stream.write_all(head("200 OK", "text/event-stream").as_bytes()).await;
        while sent.is_ok() {
            sent = stream.write_all(chunk("more ").as_bytes()).await;
            // What is watched for is that somebody reads, not how fast.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        left.notify_one();
        return;
    }
    let answer = if body.contains("\"tells-in-stream\"") {
        let error =
            format!("data: {{\"error\":{{\"message\":\"the key {key} is spent\",\"type\":\"server_error\"}}}}\n\n");
        [head("200 OK", "text/event-stream"), chunk("so "), error].concat()
    } else if body.contains("\"tells-in-body\"") {
        let padding = "x".repeat(480);
        [head("200 OK", "application/json"), format!("{{\"error\": {{\"message\": \"{padding}{key}\"}}}}")].concat()
    } else if body.contains("\"tells\"") {
        let padding = "x".repeat(440);
        [head("500 Oh", "application/json"), format!("{{\"error\": {{\"message\": \"{padding}{key}\"}}}}")].concat()
    } else {
        let said = "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"own\",\"choices\":[{\"index\":0,\
                    \"message\":{\"role\":\"assistant\",\"content\":\"I stand in\"},\"finish_reason\":\"stop\"}],\
                    \"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}";
        [head("200 OK", "application/json"), said.to_owned()].concat()
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
