//! HTTP Request: sends a request for each item and gives what comes back.
//!
//! Private addresses are refused unless the deployment allows them, and every request carries an idempotency key that
//! stays the same when the node runs again after a crash. Credentials never come in here: authentication is refused
//! until the deployment can hold them.

mod content;
mod encode;
mod guard;
mod request;
mod respond;
mod send;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use crate::describe::{ONE_TO_ONE, optional, required};

const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

const PARAMETERS: &[ParameterDefinition] = &[
    required("url", ParameterKind::Text, "Address to send the request to."),
    optional("method", ParameterKind::Options(METHODS), "Method; `requestMethod` before version 3."),
    optional("authentication", ParameterKind::Options(&["none"]), "Credentials are not available yet."),
    optional("sendQuery", ParameterKind::Boolean, "Whether to add a query to the address."),
    optional("queryParameters", ParameterKind::Structure, "Names and values of the query."),
    optional("sendHeaders", ParameterKind::Boolean, "Whether to send headers."),
    optional("headerParameters", ParameterKind::Structure, "Names and values of the headers."),
    optional("sendBody", ParameterKind::Boolean, "Whether to send a body."),
    optional(
        "contentType",
        ParameterKind::Options(&["json", "form-urlencoded", "multipart-form-data", "binaryData", "raw"]),
        "What the body is.",
    ),
    optional("bodyParameters", ParameterKind::Structure, "Names and values of the body."),
    optional("jsonBody", ParameterKind::Text, "The body as JSON, for `specifyBody: json`."),
    optional("options", ParameterKind::Structure, "`response`, `redirect`, `timeout`, `batching`."),
];

/// HTTP Request.
#[derive(Default)]
pub(crate) struct HttpRequest {
    clients: send::Clients,
}

impl NodeType for HttpRequest {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.httpRequest",
            display_name: "HTTP Request",
            description: "Sends an HTTP request for each item and gives the answer.",
            versions: &[1.0, 2.0, 3.0, 4.0, 4.1, 4.2, 4.3],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for HttpRequest {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let pace = Pace::read(run)?;
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            pace.wait_before(index).await;
            match self.answer(run, item, index).await {
                Ok(answered) => given.extend(answered),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl HttpRequest {
    async fn answer(&self, run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
        let request = request::read(run, item, index)?;
        let received = send::send(&self.clients, &request, run.services).await?;
        respond::items(received, &request.answer, item, index).await
    }
}

/// How long to pause between requests.
struct Pace {
    batch: usize,
    pause: Duration,
}

impl Pace {
    /// Longest pause between two batches.
    const PAUSE_MAX_MS: f64 = 600_000.0;

    fn read(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        let (size, interval) = if run.version() < 3.0 {
            (run.number("options.batchSize", 0, -1.0)?, run.number("options.batchInterval", 0, 0.0)?)
        } else {
            let set = run.raw_parameter("options.batching.batch").is_some();
            let size = run.number("options.batching.batch.batchSize", 0, if set { 50.0 } else { -1.0 })?;
            (size, run.number("options.batching.batch.batchInterval", 0, if set { 1000.0 } else { 0.0 })?)
        };
        let pause = Duration::from_millis(interval.clamp(0.0, Self::PAUSE_MAX_MS) as u64);
        let batch = if size < 0.0 { 0 } else { size.max(1.0) as usize };
        Ok(Self { batch, pause })
    }

    async fn wait_before(&self, index: usize) {
        if index > 0 && self.batch > 0 && index.is_multiple_of(self.batch) && !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
    }
}
