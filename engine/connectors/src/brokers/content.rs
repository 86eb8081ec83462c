//! The content of messages: what becomes of the bytes that a broker brings, and which bytes are sent for an item.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::CredentialDefinition;
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_egress::{ClientKey, TlsOptions, Verification};
use timeloom_engine::node::{Listening, NodeError, NodeOutput, NodeRun};
use timeloom_nodes::values::has_expression;
use tokio::time::timeout;

use crate::fields::Fields;
use crate::wire::Server;

/// Most bytes of a message that are sent or taken.
pub(super) const MESSAGE_BYTES_MAX: usize = timeloom_engine::listeners::MESSAGE_BYTES_MAX;

/// Content as a value: parsed where that is asked for and it is JSON, else as text.
pub(super) fn value_of(content: &[u8], parsed: bool) -> Value {
    let text = String::from_utf8_lossy(content);
    let json = || serde_json::from_str(&text).ok();
    if parsed { json().unwrap_or_else(|| json!(text)) } else { json!(text) }
}

/// An item of a value alone: an object is the item, anything else is its field `message`.
pub(super) fn item_of(value: Value) -> Item {
    match value {
        Value::Object(fields) => Item::new(fields),
        other => Item::new(JsonObject::from_iter([("message".to_owned(), other)])),
    }
}

/// An item of fields.
pub(super) fn item<const COUNT: usize>(fields: [(&str, Value); COUNT]) -> Item {
    Item::new(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<String, Value>>())
}

/// What is sent for an item: all of it as JSON where `send_input` says so, else the text of that parameter.
///
/// # Errors
/// [`NodeError`] when an expression fails, or there is too much.
pub(super) fn payload(run: &mut NodeRun<'_>, index: usize, send_input: &str) -> Result<Vec<u8>, NodeError> {
    let bytes = if run.boolean(send_input, index, true)? {
        let item = run.items().get(index).map(|item| json!(item.json)).unwrap_or_default();
        item.to_string().into_bytes()
    } else {
        match run.parameter("message", index)? {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.into_bytes(),
            Some(other) => other.to_string().into_bytes(),
        }
    };
    if bytes.len() > MESSAGE_BYTES_MAX {
        let message = format!("the message has {} bytes, at most {MESSAGE_BYTES_MAX} are sent", bytes.len());
        return Err(NodeError::operation(message).at_item(index));
    }
    Ok(bytes)
}

/// What a node gives that has sent its items: the same items.
pub(super) fn passed_on(run: &NodeRun<'_>) -> NodeOutput {
    let items = run.items();
    let passed = items.iter().enumerate().map(|(index, item)| item.clone().paired_with(index));
    NodeOutput::single(passed.collect())
}

/// The fields of the credential of a trigger.
///
/// # Errors
/// [`NodeError`] when it names none.
pub(super) async fn credential(listening: &Listening, credential_type: &'static str) -> Result<Fields, NodeError> {
    let fields = listening.credential(credential_type).await?;
    let fields = fields.ok_or_else(|| {
        NodeError::operation(format!("the node names no credential of type '{credential_type}'"))
            .described("choose one in the node, or save one with `timeloom credential save`")
    })?;
    Ok(Fields::given(credential_type, fields))
}

/// The server that a credential names.
///
/// # Errors
/// [`NodeError`] when a field is missing or wrong.
pub(super) fn server(fields: &Fields, host: &str, port: u16, is_secured: bool) -> Result<Server, NodeError> {
    Ok(server_of(fields, fields.needed(host)?, fields.port(port)?, is_secured))
}

/// A server, secured as a credential says.
pub(super) fn server_of(fields: &Fields, host: String, port: u16, is_secured: bool) -> Server {
    let any = fields.truth("disableTlsVerification") || fields.truth("allowUnauthorizedCerts");
    let any = any || fields.is_false("rejectUnauthorized");
    let client = match (fields.some_text("cert"), fields.some_text("key")) {
        (Some(certificate), Some(key)) => Some(ClientKey { certificate, key }),
        _ => None,
    };
    let tls = is_secured.then(|| TlsOptions {
        authority: fields.some_text("caCertificate").or_else(|| fields.some_text("ca")),
        client,
        verification: if any { Verification::None } else { Verification::Full },
    });
    Server { host, port, tls }
}

/// What is wrong with a trigger's parameters that have to be known before any message: an expression, or nothing.
pub(super) fn written_out(node: &Node, needed: &[&str], others: &[&str]) -> Vec<Problem> {
    let problem = |name: &str, message: &str| Problem {
        node: Some(node.name.clone()),
        field: format!("parameters.{name}"),
        message: message.to_owned(),
    };
    let value = |name: &str| node.parameters.get(name);
    let expressions = needed.iter().chain(others).filter(|name| value(name).is_some_and(has_expression));
    let expressions =
        expressions.map(|name| problem(name, "it is an expression: write it out, a trigger has no items"));
    let is_empty = |name: &&&str| match value(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    let missing =
        needed.iter().filter(is_empty).map(|name| problem(name, "it is missing: a trigger cannot listen without it"));
    expressions.chain(missing).collect()
}

/// A connection whose other side is told now and then that we are there.
#[async_trait]
pub(super) trait Beat: Send {
    /// Tells it so.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    async fn beat(&mut self) -> Result<(), NodeError>;
}

/// Waits for what is done with a message, and tells the broker now and then that we are there.
///
/// # Errors
/// [`NodeError`] of either.
pub(super) async fn meanwhile<T>(
    work: impl Future<Output = Result<T, NodeError>>,
    interval: Duration,
    broker: &mut dyn Beat,
) -> Result<T, NodeError> {
    let mut work = std::pin::pin!(work);
    loop {
        match timeout(interval, &mut work).await {
            Ok(done) => return done,
            Err(_) => broker.beat().await?,
        }
    }
}

/// One credential, always needed.
pub(super) const fn always(credential_type: &'static str) -> CredentialDefinition {
    timeloom_nodes::describe::needs(credential_type, &[])
}
