//! The fields of a credential, as files of other installations and forms of ours have them: numbers and truths may be text.

use serde_json::Value;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

/// The fields of a credential.
pub(crate) struct Fields {
    credential_type: &'static str,
    fields: JsonObject,
}

impl Fields {
    /// Those of the credential of that type that the node names.
    ///
    /// # Errors
    /// [`NodeError`] when it names none, or there is no such credential.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "a run is lent to one task at a time: a shared one is not sent on"
    )]
    pub async fn of(run: &mut NodeRun<'_>, credential_type: &'static str) -> Result<Self, NodeError> {
        let fields = run.credential(credential_type).await?.ok_or_else(|| {
            NodeError::operation(format!("the node names no credential of type '{credential_type}'"))
                .described("choose one in the node, or save one with `timeloom credential save`")
        })?;
        Ok(Self { credential_type, fields })
    }

    /// Fields that were found already.
    pub fn given(credential_type: &'static str, fields: JsonObject) -> Self {
        Self { credential_type, fields }
    }

    /// Whether it is said that something is not so.
    pub fn is_false(&self, name: &str) -> bool {
        match self.fields.get(name) {
            Some(Value::Bool(truth)) => !truth,
            Some(Value::String(text)) => text == "false",
            _ => false,
        }
    }

    /// A text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        match self.fields.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// A text, `None` where it is empty.
    pub fn some_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.trim().is_empty())
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// [`NodeError`] where it is not.
    pub fn needed(&self, name: &str) -> Result<String, NodeError> {
        self.some_text(name).ok_or_else(|| self.lacking(name))
    }

    /// A truth; `false` where there is none.
    pub fn truth(&self, name: &str) -> bool {
        match self.fields.get(name) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// A whole number that is not negative; `default` where there is none.
    ///
    /// # Errors
    /// [`NodeError`] where it is no such number.
    pub fn count(&self, name: &str, default: u64) -> Result<u64, NodeError> {
        let read = match self.fields.get(name) {
            None | Some(Value::Null) => return Ok(default),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(default),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64(),
        };
        read.ok_or_else(|| self.wrong(name, "a whole number"))
    }

    /// A port.
    ///
    /// # Errors
    /// [`NodeError`] where it is none.
    pub fn port(&self, default: u16) -> Result<u16, NodeError> {
        self.port_named("port", default)
    }

    /// A port in a field of another name.
    ///
    /// # Errors
    /// [`NodeError`] where it is none.
    pub fn port_named(&self, name: &str, default: u16) -> Result<u16, NodeError> {
        let port = self.count(name, default.into())?;
        u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| self.wrong(name, "a port, 1 to 65535"))
    }

    /// What tells this credential from others, and from what it was before it was saved anew.
    pub fn as_json(&self) -> String {
        Value::Object(self.fields.clone()).to_string()
    }

    fn lacking(&self, name: &str) -> NodeError {
        NodeError::operation(format!("the credential of type '{}' has no field '{name}'", self.credential_type))
            .described("save the credential again with the field")
    }

    fn wrong(&self, name: &str, expected: &str) -> NodeError {
        let of = self.credential_type;
        NodeError::operation(format!("the field '{name}' of the credential of type '{of}' is not {expected}"))
            .described("save the credential again")
    }
}
