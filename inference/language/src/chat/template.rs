//! How a chat is written for a model, as the file beside it says.

use std::path::Path;

use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::Value;
use timeloom_domain::chat::{ErrorClass, Message, Part, Role};
use timeloom_gateway::CallError;

use crate::files::CHAT;
use crate::tokens::{Tokens, fault, read};

/// Most steps of a template.
const STEPS_MAX: u64 = 1_000_000;
/// The template's name, which its errors tell.
const NAME: &str = "chat_template";

/// How chats are written, and which words end an answer.
pub struct Template {
    environment: Environment<'static>,
    begin: Option<String>,
    /// The word that ends an answer.
    pub end: String,
    /// Most tokens that the model reads and writes together.
    pub context: Option<usize>,
}

impl Template {
    /// Reads the file in a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be understood.
    pub fn read(folder: &Path) -> Result<Self, CallError> {
        let bytes = read(folder, CHAT)?;
        let file: Value =
            serde_json::from_slice(&bytes).map_err(|error| fault(format!("the model's {CHAT} is no JSON: {error}")))?;
        Self::new(&file)
    }

    fn new(file: &Value) -> Result<Self, CallError> {
        let word = |name: &str| {
            let word = file.get(name)?;
            Some(word.as_str().or_else(|| word.get("content")?.as_str())?.to_owned())
        };
        let missing = |name: &str| fault(format!("the model's {CHAT} has no '{name}'"));
        let template = word("chat_template").ok_or_else(|| missing("chat_template"))?;
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(STEPS_MAX));
        environment.add_function("raise_exception", |why: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, why))
        });
        let unread = |error: Error| fault(format!("the model's template for chats cannot be read: {error}"));
        environment.add_template_owned(NAME, template).map_err(unread)?;
        let context = file.get("model_max_length").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
        let end = word("eos_token").ok_or_else(|| missing("eos_token"))?;
        Ok(Self { environment, begin: word("bos_token"), end, context })
    }

    /// The text that the model goes on with.
    ///
    /// # Errors
    /// When something in the chat is no text, or the template refuses it.
    pub fn write(&self, messages: &[Message], tokens: &Tokens) -> Result<String, CallError> {
        let messages = messages.iter().map(|message| written(message, tokens)).collect::<Result<Vec<_>, _>>()?;
        let refused = |error: Error| {
            let why = format!("the model's template takes no such chat: {error}");
            CallError::new(ErrorClass::BadRequest, why)
        };
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let values = context! {
            messages => messages, add_generation_prompt => true, bos_token => self.begin, eos_token => self.end,
        };
        template.render(values).map_err(refused)
    }
}

fn written(message: &Message, tokens: &Tokens) -> Result<Value, CallError> {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => return Err(CallError::unsupported("this model knows no tools")),
    };
    let text = |part: &Part| match part {
        Part::Text { .. } | Part::Refusal { .. } => None,
        // What was thought before is not said again.
        Part::Thinking { .. } | Part::SealedThinking { .. } => None,
        Part::Image { .. } => Some("this model sees no pictures"),
        Part::ToolCall { .. } | Part::ToolResult { .. } | Part::OtherCall(_) => Some("this model knows no tools"),
        Part::Other(_) => Some("this model reads texts alone"),
    };
    match message.parts.iter().find_map(text) {
        Some(why) => Err(CallError::unsupported(why)),
        None => Ok(serde_json::json!({ "role": role, "content": tokens.harmless(&message.joined_text()) })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_that_never_ends_is_ended() {
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        let template = Template::new(&json!({ "chat_template": endless, "eos_token": "<e>" })).unwrap();
        let made = template.environment.get_template(NAME).unwrap().render(context! {});
        assert_eq!(made.unwrap_err().kind(), ErrorKind::OutOfFuel);
    }

    #[test]
    fn what_a_file_lacks_is_named() {
        let error = Template::new(&json!({ "chat_template": "x" })).err().unwrap();
        assert!(error.message.contains("eos_token"), "{error}");
        let word = json!({ "chat_template": "x", "eos_token": { "content": "<e>" }, "model_max_length": 7 });
        let read = Template::new(&word).unwrap();
        assert_eq!((read.end.as_str(), read.context), ("<e>", Some(7)));
    }
}
