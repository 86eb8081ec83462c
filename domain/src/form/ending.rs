//! What a person sees when a form is done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::address::web_address;
use crate::item::BinaryData;

/// What a page says where the author chose nothing else.
const TITLE: &str = "Form submitted";
/// As [`TITLE`].
pub const MESSAGE: &str = "Your response has been recorded";

/// What a person sees at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "snake_case")]
pub enum Ending {
    /// A few words.
    Text {
        /// The heading.
        title: String,
        /// What stands below it; simple HTML.
        message: String,
        /// Style rules of the author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        css: Option<String>,
    },
    /// A page of the author's own.
    Html {
        /// Simple HTML.
        html: String,
    },
    /// A few words and a file to take along.
    File {
        /// The heading.
        title: String,
        /// What stands below it; simple HTML.
        message: String,
        /// The file.
        file: Box<BinaryData>,
        /// Style rules of the author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        css: Option<String>,
    },
    /// Another page.
    Redirect {
        /// Its address, see [`web_address`].
        address: String,
    },
}

impl Default for Ending {
    fn default() -> Self {
        Self::Text { title: TITLE.to_owned(), message: MESSAGE.to_owned(), css: None }
    }
}

impl Ending {
    /// What the options of a node with a form say. The first version has the text alone.
    ///
    /// # Errors
    /// The address to which a person would be led and that is none of the web.
    pub fn read(options: &Value) -> Result<Self, String> {
        let chosen = options.pointer("/respondWithOptions/values").unwrap_or(options);
        let text = |name: &str| chosen.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text("respondWith") == Some("redirect") {
            let address = text("redirectUrl").unwrap_or_default();
            return web_address(address).map(|address| Self::Redirect { address }).ok_or_else(|| address.to_owned());
        }
        let css = options.get("customCss").and_then(Value::as_str).filter(|css| !css.is_empty()).map(str::to_owned);
        let message = text("formSubmittedText").unwrap_or(MESSAGE).to_owned();
        Ok(Self::Text { title: TITLE.to_owned(), message, css })
    }
}
