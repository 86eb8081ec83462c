//! A provider in a thread of its own, which answers at once and always the same.

use std::net::TcpListener;
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Chunks of a stream that say something.
pub const CHUNKS: usize = 50;

const ANSWER: &str = r#"{"id":"chatcmpl-9f2c","object":"chat.completion","created":1700000000,"model":"gpt-1","choices":[{"index":0,"message":{"role":"assistant","content":"The flag that is white with a red disc in the middle of it is the flag of Japan, and the capital of Japan is Tokyo, a city on the eastern side of the main island.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":42,"total_tokens":73},"system_fingerprint":"fp_1"}"#;

/// The provider. It ends with the process.
pub struct Upstream {
    /// Where it is.
    pub url: String,
}

/// Starts it.
pub fn start() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
            }
        });
    });
    Upstream { url }
}

async fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req-1\r\n";
    let whole = format!("{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    let pieces = stream_pieces();
    let mut bytes = Vec::with_capacity(4096);
    loop {
        let Some(length) = request_length(&bytes) else {
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let is_stream = bytes[..length].windows(13).any(|window| window == b"\"stream\":true");
        bytes.drain(..length);
        let answers: &[String] = if is_stream { &pieces } else { std::slice::from_ref(&whole) };
        for answer in answers {
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// How long the request is that the bytes begin with, if all of it is there.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}

fn stream_pieces() -> Vec<String> {
    let chunk = |data: &str| {
        let event = format!("data: {data}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    let head = r#"{"id":"chatcmpl-9f2c","object":"chat.completion.chunk","created":1700000000,"model":"gpt-1","system_fingerprint":"fp_1","#;
    let mut pieces =
        vec!["HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()];
    for number in 0..CHUNKS {
        let delta = format!(
            r#""choices":[{{"index":0,"delta":{{"content":" word{number}"}},"logprobs":null,"finish_reason":null}}]}}"#
        );
        pieces.push(chunk(&format!("{head}{delta}")));
    }
    pieces.push(chunk(&format!(r#"{head}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}"#)));
    pieces.push(chunk(&format!(r#"{head}"choices":[],"usage":{{"prompt_tokens":31,"completion_tokens":50}}}}"#)));
    pieces.push(chunk("[DONE]"));
    pieces.push("0\r\n\r\n".to_owned());
    pieces
}
