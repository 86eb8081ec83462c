//! A server that holds executions up: what asks it stays open until the test says otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::{chain, set};

/// A server that answers nothing before it is let: what asks it keeps its execution open.
pub(super) struct Gate {
    pub(super) host: String,
    opened: watch::Sender<bool>,
    asked: watch::Receiver<BTreeMap<String, u32>>,
    _task: JoinSet<()>,
}

impl Gate {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (opened, asks) = (watch::Sender::new(false), watch::Sender::new(BTreeMap::new()));
        let (asked, open) = (asks.subscribe(), opened.subscribe());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut open, asks) = (open.clone(), asks.clone());
                answers.spawn(async move {
                    let mut request = [0; 4_096];
                    let Ok(length @ 1..) = stream.read(&mut request).await else { return };
                    let execution = asking(&request[..length]);
                    asks.send_modify(|asks| *asks.entry(execution).or_default() += 1);
                    open.wait_for(|open| *open).await.unwrap();
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\
                                  connection: close\r\n\r\n{\"ok\":1}";
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { host, opened, asked, _task: task }
    }

    pub(super) async fn asked(&self) {
        self.asked_by(1).await;
    }

    /// Waits until so many executions have asked it.
    pub(super) async fn asked_by(&self, executions: usize) {
        self.asked.clone().wait_for(|asks| asks.len() >= executions).await.unwrap();
    }

    /// How often each execution asked it, by its identifier.
    pub(super) fn asks(&self) -> BTreeMap<String, u32> {
        self.asked.borrow().clone()
    }

    pub(super) fn open(&self) {
        self.opened.send_replace(true);
    }

    /// A step, the question to this server, and another step.
    pub(super) fn workflow(&self) -> Value {
        let ask = json!({
            "name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
            "parameters": { "url": format!("=http://{}/{{{{ $execution.id }}}}", self.host), "options": {} }
        });
        chain("Asks", &[set("First", "a", "={{ 1 }}"), ask, set("Last", "b", "={{ 2 }}")])
    }
}

/// The execution that a request names in its path.
fn asking(request: &[u8]) -> String {
    let line = String::from_utf8_lossy(request);
    line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned()
}
