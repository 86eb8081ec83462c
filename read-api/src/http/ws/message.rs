//! The messages of graphql-transport-ws, and the reasons for which a connection is closed.

use actix_ws::{CloseCode, CloseReason};
use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answer::Answer;
use super::super::parameters::Parameters;

/// Longest text of a close frame that the WebSocket protocol allows, in bytes.
const CLOSE_TEXT_BYTES_MAX: usize = 123;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    /// Begin. The payload may say who is there, see [`authorization`].
    ConnectionInit {
        #[serde(default)]
        payload: Option<Value>,
    },
    /// Are you there?
    Ping {},
    /// I am here.
    Pong {},
    /// Run this.
    Subscribe { id: String, payload: Parameters },
    /// Stop that.
    Complete { id: String },
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    /// Go on.
    ConnectionAck,
    /// I am here.
    Pong,
    /// An answer of an operation.
    Next { id: &'a str, payload: &'a Answer },
    /// The operation cannot be executed.
    Error { id: &'a str, payload: &'a [ServerError] },
    /// The operation ended.
    Complete { id: &'a str },
}

/// Why the server closes the connection: the codes of graphql-transport-ws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closing {
    /// The client left, or went away.
    Gone,
    /// The server stops.
    ShuttingDown,
    /// The client's message is not of the protocol.
    Invalid(String),
    /// An operation came before the acknowledgement, or nobody is known to be there.
    Unauthorized(&'static str),
    /// Whoever is there is not let in, or not any more.
    NotLetIn(String),
    /// What was shown at the beginning does not let in.
    Forbidden(String),
    /// The client speaks another protocol.
    OtherProtocol,
    /// The client did not begin in time.
    InitTimeout,
    /// The id is in use.
    SubscriberExists(String),
    /// The client began twice.
    InitTwice,
    /// Whoever is there asks too often.
    TooOften(u64),
    /// Too many operations at a time.
    TooManyOperations(usize),
    /// The client does not read.
    SlowConsumer(Option<u64>),
}

impl Closing {
    /// The close frame; `None` when nobody is there to read it.
    pub(super) fn reason(&self) -> Option<CloseReason> {
        let (code, text) = match self {
            Self::Gone => return None,
            Self::ShuttingDown => (1001, "the server is shutting down".to_owned()),
            Self::Invalid(message) => (4400, message.clone()),
            Self::Unauthorized(what) => (4401, format!("Unauthorized: {what}")),
            Self::NotLetIn(why) => (4401, format!("Unauthorized: {why}")),
            Self::Forbidden(why) => (4403, format!("Forbidden: {why}")),
            Self::OtherProtocol => (4406, "Subprotocol not acceptable: offer graphql-transport-ws".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::SubscriberExists(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::InitTwice => (4429, "Too many initialisation requests".to_owned()),
            Self::TooOften(seconds) => (4429, format!("you ask too often: try again in {seconds} s")),
            Self::TooManyOperations(max) => {
                (4429, format!("more than {max} operations at a time: open another socket"))
            }
            Self::SlowConsumer(last) => {
                let resume = last.map(|position| format!(": resume after position {position}")).unwrap_or_default();
                (4503, format!("slow consumer{resume}"))
            }
        };
        Some(CloseReason { code: CloseCode::from(code), description: Some(cut(text)) })
    }
}

/// What the payload of a beginning shows, in the form of an authorization header.
pub(super) fn authorization(payload: Option<&Value>) -> Option<&str> {
    let fields = payload?.as_object()?;
    let named = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    named.map(|(_, value)| value.as_str().unwrap_or_default())
}

fn cut(mut text: String) -> String {
    let end = (0..=CLOSE_TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

/// Reads a client's message.
pub(super) fn parse(text: &str) -> Result<ClientMessage, Closing> {
    let message: ClientMessage =
        serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(fields)) if fields.contains_key("type") => {
                Closing::Invalid(format!("Invalid message: {error}"))
            }
            _ => Closing::Invalid("Invalid message received".to_owned()),
        })?;
    if let ClientMessage::Subscribe { payload, .. } = &message
        && let Err(error) = payload.check()
    {
        return Err(Closing::Invalid(format!("Invalid message: {error}")));
    }
    match &message {
        ClientMessage::Subscribe { id, .. } | ClientMessage::Complete { id } if id.is_empty() => {
            Err(Closing::Invalid("Invalid message: the id is empty".to_owned()))
        }
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_close_frame_fits_into_it() {
        let closing = Closing::Invalid("é".repeat(200));
        let text = closing.reason().and_then(|reason| reason.description).unwrap();
        assert!(text.len() <= CLOSE_TEXT_BYTES_MAX && text.starts_with('é'));
    }

    #[test]
    fn whoever_does_not_read_is_told_where_to_go_on() {
        let told =
            |last| Closing::SlowConsumer(last).reason().map(|reason| (u16::from(reason.code), reason.description));
        assert_eq!(told(Some(7)), Some((4503, Some("slow consumer: resume after position 7".to_owned()))));
        assert_eq!(told(None), Some((4503, Some("slow consumer".to_owned()))));
    }

    #[test]
    fn messages_of_other_shapes_are_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":null}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"extensions":{"persistedQuery":{"version":9,"sha256Hash":"x"}}}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
        ] {
            assert!(matches!(parse(text), Err(Closing::Invalid(_))), "{text}");
        }
        for payload in ["", r#","payload":null"#, r#","payload":{"a":1}"#] {
            let parsed = parse(&format!(r#"{{"type":"connection_init"{payload}}}"#));
            let Ok(ClientMessage::ConnectionInit { payload }) = parsed else { panic!("{payload}") };
            assert_eq!(authorization(payload.as_ref()), None);
        }
        assert!(matches!(parse(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping {})));
    }
}
