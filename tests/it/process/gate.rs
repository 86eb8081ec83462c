//! A server that holds executions up: what asks it stays open until the test says otherwise.

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
    asked: watch::Receiver<u32>,
    _task: JoinSet<()>,
}

impl Gate {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (opened, count) = (watch::Sender::new(false), watch::Sender::new(0));
        let (asked, open) = (count.subscribe(), opened.subscribe());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let mut open = open.clone();
                answers.spawn(async move {
                    open.wait_for(|open| *open).await.unwrap();
                    let mut request = [0; 4_096];
                    let _ = stream.read(&mut request).await;
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\
                                  connection: close\r\n\r\n{\"ok\":1}";
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { host, opened, asked, _task: task }
    }

    pub(super) async fn asked(&self) {
        self.asked_times(1).await;
    }

    /// Waits until it was asked so many times.
    pub(super) async fn asked_times(&self, times: u32) {
        self.asked.clone().wait_for(|count| *count >= times).await.unwrap();
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> u32 {
        *self.asked.borrow()
    }

    pub(super) fn open(&self) {
        self.opened.send_replace(true);
    }

    /// A step, the question to this server, and another step.
    pub(super) fn workflow(&self) -> Value {
        let ask = json!({
            "name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
            "parameters": { "url": format!("http://{}/", self.host), "options": {} }
        });
        chain("Asks", &[set("First", "a", "={{ 1 }}"), ask, set("Last", "b", "={{ 2 }}")])
    }
}
