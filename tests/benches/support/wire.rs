//! Requests that are written once and sent again and again, by clients that do no more than they must: they share the cores
//! with the server that is measured.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Figure;

/// Where a request goes, and all of its bytes.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) address: String,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// A `POST` of `body` to `http://ADDRESS/PATH`.
    pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut head = format!("POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self { address: address.to_owned(), bytes: [head.as_bytes(), body].concat() }
    }
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16_384) })
    }

    /// Sends it and waits for all of the answer, of which it gives the status.
    pub(crate) async fn ask(&mut self, request: &Request) -> std::io::Result<u16> {
        self.stream.write_all(&request.bytes).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = complete(&self.buffer) {
                return Ok(status);
            }
        }
    }

    /// The answer as it came last.
    pub(crate) fn answer(&self) -> &[u8] {
        &self.buffer
    }
}

/// The status of an answer, once all of it is there.
fn complete(buffer: &[u8]) -> Option<u16> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let whole = match head.split("content-length: ").nth(1) {
        Some(rest) => buffer.len() >= end + rest.split("\r\n").next()?.parse::<usize>().ok()?,
        None => buffer.ends_with(b"0\r\n\r\n"),
    };
    whole.then_some(status)
}

/// Waits until it is answered with 200; `None` when it is not within `most` or `ended` says that there is nobody any more.
pub(crate) async fn ready(request: &Request, most: Duration, mut ended: impl FnMut() -> bool) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < most && !ended() {
        let once = async { Connection::open(&request.address).await?.ask(request).await };
        if let Ok(Ok(200)) = tokio::time::timeout(Duration::from_secs(10), once).await {
            return Some(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

/// So many clients, each with the next request as soon as the last one is answered; or the first answer that was none.
pub(crate) async fn closed(request: &Request, clients: usize, window: Duration) -> Result<Figure, String> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let request = request.clone();
        tasks.spawn(async move {
            let mut connection = Connection::open(&request.address).await.unwrap();
            let mut latencies_ms = Vec::new();
            while began.elapsed() < window {
                let asked = Instant::now();
                match connection.ask(&request).await {
                    Ok(200) => latencies_ms.push(asked.elapsed().as_secs_f64() * 1_000.0),
                    Ok(_) => return Err(String::from_utf8_lossy(connection.answer()).into_owned()),
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(latencies_ms)
        });
    }
    let mut latencies_ms = Vec::new();
    while let Some(client) = tasks.join_next().await {
        latencies_ms.extend(client.unwrap()?);
    }
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Figure { per_second: latencies_ms.len() as f64 / window.as_secs_f64(), latencies_ms })
}
