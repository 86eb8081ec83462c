//! What a webhook's node says about who may call it, how its requests are read and when they are answered.
//!
//! Expressions in these parameters are not evaluated: what they say must be known before a call is let in.

use std::sync::Arc;

use serde_json::Value;
use timeloom_commands::directory::TriggerNode;
use timeloom_domain::chat_trigger::{needs_sign_in, response_mode};
use timeloom_domain::execution::AnswerSettings;

/// When a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerMode {
    /// As soon as the execution's first event is durable.
    OnReceived,
    /// At the end, with what the last node gave.
    LastNode,
    /// By a node of the workflow, in one piece or in parts.
    ByNode,
    /// In parts as they come, until the end.
    Streaming,
}

/// How a caller shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    /// It need not.
    None,
    /// By user and password.
    Basic,
    /// By a header.
    Header,
    /// By a signed token.
    Jwt,
    /// In a way that is not known here: nobody is let in.
    Unknown,
}

impl Authentication {
    /// Type of the credential that says what is right.
    pub(super) fn credential_type(self) -> Option<&'static str> {
        match self {
            Self::Basic => Some("httpBasicAuth"),
            Self::Header => Some("httpHeaderAuth"),
            Self::Jwt => Some("jwtAuth"),
            Self::None | Self::Unknown => None,
        }
    }
}

/// The parameters of a webhook's node, or of a node that waits for a request.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    node: Arc<TriggerNode>,
    authentication: &'static str,
}

impl Settings {
    /// What the node of a webhook says.
    pub(super) fn of_webhook(node: &Arc<TriggerNode>) -> Self {
        Self { node: Arc::clone(node), authentication: "authentication" }
    }

    /// What a node says that waits for a request.
    pub(super) fn of_wait(node: &Arc<TriggerNode>) -> Self {
        Self { node: Arc::clone(node), authentication: "incomingAuthentication" }
    }

    /// The node.
    pub(super) fn node(&self) -> &TriggerNode {
        &self.node
    }

    /// Whether whoever calls must be let in as those who ask the API are: no credential of the node does.
    pub(super) fn needs_sign_in(&self) -> bool {
        self.node.is_chat() && needs_sign_in(&self.node.parameters)
    }

    /// Whether a chat says that it is for others too.
    pub(super) fn is_public(&self) -> bool {
        self.node.parameters.get("public") == Some(&Value::Bool(true))
    }

    /// How a caller shows who it is to the node.
    pub(super) fn authentication(&self) -> Authentication {
        if self.needs_sign_in() {
            return Authentication::None;
        }
        match self.text(self.authentication) {
            None | Some("" | "none") => Authentication::None,
            Some("basicAuth") => Authentication::Basic,
            Some("headerAuth") => Authentication::Header,
            Some("jwtAuth") => Authentication::Jwt,
            Some(_) => Authentication::Unknown,
        }
    }

    /// Id and name of the credential of that type.
    pub(super) fn credential(&self, credential_type: &str) -> (Option<&str>, Option<&str>) {
        let reference = self.node.credentials.as_ref().and_then(|credentials| credentials.get(credential_type));
        let text = |name: &str| reference.and_then(|reference| reference.get(name)).and_then(Value::as_str);
        (text("id"), text("name"))
    }

    /// When a request is answered.
    pub(super) fn mode(&self) -> AnswerMode {
        match response_mode(&self.node.node_type, &self.node.parameters) {
            Some("lastNode") => AnswerMode::LastNode,
            Some("responseNode") => AnswerMode::ByNode,
            Some("streaming") => AnswerMode::Streaming,
            _ => AnswerMode::OnReceived,
        }
    }

    /// What it says about the answer.
    pub(super) fn answer(&self) -> AnswerSettings {
        AnswerSettings::read(|name| self.node.parameters.get(name).cloned())
    }

    /// What is answered at once, where the author chose it.
    pub(super) fn text_at_once(&self) -> Option<&Value> {
        self.option("responseData").filter(|data| data.as_str() != Some(""))
    }

    /// Whether an answer that is given at once has a body.
    pub(super) fn answers_without_body(&self) -> bool {
        self.flag("noResponseBody")
    }

    /// Whether the body is kept as it came, beside what it says.
    pub(super) fn keeps_raw_body(&self) -> bool {
        self.flag("rawBody")
    }

    /// Whether the body is a file, whatever its type (in the first version of the node).
    pub(super) fn takes_file(&self) -> bool {
        self.flag("binaryData")
    }

    /// Name of the attachment for a body that is a file; in a form with files, the name before their number.
    pub(super) fn attachment_name(&self) -> Option<&str> {
        self.option("binaryPropertyName").and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    /// Whether callers that say that they are robots are let in.
    pub(super) fn ignores_bots(&self) -> bool {
        self.flag("ignoreBots")
    }

    /// Addresses and networks from which calls are let in; `None` for all.
    pub(super) fn allowed_addresses(&self) -> Option<&str> {
        self.option("ipWhitelist").and_then(Value::as_str).filter(|list| !list.trim().is_empty())
    }

    /// Origins whose pages may read the answer.
    pub(super) fn allowed_origins(&self) -> &str {
        self.option("allowedOrigins").and_then(Value::as_str).filter(|list| !list.trim().is_empty()).unwrap_or("*")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.node.parameters.get(name).and_then(Value::as_str)
    }

    fn option(&self, name: &str) -> Option<&Value> {
        self.node.parameters.get("options").and_then(|options| options.get(name))
    }

    fn flag(&self, name: &str) -> bool {
        self.option(name).is_some_and(|value| value == true || value == "true")
    }
}
