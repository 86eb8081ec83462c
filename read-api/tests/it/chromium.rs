//! Chromium, driven over its DevTools protocol, without a network: for tests that say SKIPPED where it is not installed.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// How often a test looks whether the browser is so far, fifty milliseconds apart: a minute, since it may share the machine.
const LOOKS_MAX: usize = 1_200;

/// A headless browser that can reach this machine only.
pub(crate) struct Browser {
    process: Child,
    folder: TempDir,
}

impl Browser {
    /// A browser; `None` where none is installed, which is said.
    pub(crate) fn open() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(process) => Some(Self { process, folder }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("SKIPPED: Chromium is not installed");
                None
            }
            Err(error) => panic!("Chromium cannot be started: {error}"),
        }
    }

    async fn port(&self) -> u16 {
        for _ in 0..LOOKS_MAX {
            let text = std::fs::read_to_string(self.folder.path().join("DevToolsActivePort")).unwrap_or_default();
            if let Some(port) = text.lines().next().and_then(|line| line.parse().ok()) {
                return port;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Chromium did not open its debugging port");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page that is driven over the DevTools protocol.
pub(crate) struct Page {
    socket: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
    calls: u64,
}

impl Page {
    pub(crate) async fn open(browser: &Browser, client: &reqwest::Client) -> Self {
        let url = format!("http://127.0.0.1:{}/json/list", browser.port().await);
        let targets: Value = client.get(url).send().await.unwrap().json().await.unwrap();
        let page = targets.as_array().unwrap().iter().find(|target| target["type"] == "page").unwrap();
        let (socket, _) =
            tokio_tungstenite::connect_async(page["webSocketDebuggerUrl"].as_str().unwrap()).await.unwrap();
        Self { socket, calls: 0 }
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let call = json!({ "id": self.calls, "method": method, "params": params });
        self.socket.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let message = self.socket.next().await.unwrap().unwrap();
            let answer: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            if answer["id"] == self.calls {
                return answer["result"].clone();
            }
        }
    }

    /// Waits until an expression of the page is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let mut seen = Value::Null;
        for _ in 0..LOOKS_MAX {
            seen = self.call("Runtime.evaluate", json!({ "expression": expression })).await["result"]["value"].clone();
            if seen == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let text = self.call("Runtime.evaluate", json!({ "expression": "document.body.innerText" })).await;
        panic!("{expression} stayed {seen}; the page says {}", text["result"]["value"]);
    }
}
