//! What an execution answers to the request that started it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::form::Ending;
use crate::item::BinaryData;

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status code, 200 to 599.
    pub status: u16,
    /// Names and values of its headers, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub body: ResponseBody,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResponseBody {
    /// Nothing.
    Empty,
    /// JSON.
    Json {
        /// The value.
        value: Value,
    },
    /// Text as it is.
    Text {
        /// The text.
        text: String,
    },
    /// Bytes.
    Binary {
        /// The bytes, or where they are, and their media type.
        binary: BinaryData,
    },
    /// The last page for the person who filled in a form: it is drawn where it is shown.
    Page {
        /// What it shows.
        page: Ending,
    },
}
