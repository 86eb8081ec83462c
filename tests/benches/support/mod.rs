//! What the benches of the whole product share: the program in a process of its own, and clients that do no more than they
//! must, because they share the cores with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program as it is released.
pub(crate) fn program() -> PathBuf {
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "timeloom-server", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the program does not build");
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "timeloom")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo does not name the program"))
}

/// Starts the program over `data` and waits until it says where it listens.
pub(crate) fn serve(program: &Path, data: &Path, more: &[&str]) -> Server {
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("serves on http://") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the server ended");
    }
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    std::thread::spawn(move || lines.lines().for_each(drop));
    Server { child, address }
}

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
