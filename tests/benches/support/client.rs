//! Clients that do no more than they must, because they share the cores with the program, and what they measure.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A keep-alive connection that does no more than it must: the clients share the cores with the server.
pub(crate) struct Client {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, address: address.to_owned(), buffer: Vec::new() }
    }

    /// Posts JSON; answers the body, whatever the status.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            let mut chunk = [0; 8_192];
            let count = self.stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..count]);
            if let Some(answer) = complete(&self.buffer) {
                return answer;
            }
        }
    }
}

/// The body of an answer, once all of it is there.
fn complete(buffer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(buffer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length =
        head.to_ascii_lowercase().split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
    (body.len() >= length).then(|| body.to_owned())
}

/// What was measured.
pub(crate) struct Figure {
    pub(crate) per_second: f64,
    /// In milliseconds, ascending.
    pub(crate) latencies_ms: Vec<f64>,
}

impl Figure {
    /// The latency that this share of all were under.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        self.latencies_ms.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
