//! Pieces of an answer, and what puts them together again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{ChatAnswer, Choice, FinishReason, Usage};
use super::message::Part;

/// Most choices of one answer.
pub const CHOICES_MAX: usize = 128;
/// Most parts of one choice.
pub const PARTS_MAX: usize = 1024;

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// It begins.
    Started {
        /// The provider's name for it.
        id: String,
        /// The model that answers, as the provider says.
        model: String,
        /// When it was begun, seconds since 1970, if the provider says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created_s: Option<i64>,
        /// What the provider says of the software and settings that answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_fingerprint: Option<String>,
    },
    /// More text.
    Text {
        /// Of which choice.
        choice: u32,
        /// The text.
        text: String,
    },
    /// More of a thought.
    Thinking {
        /// Of which choice.
        choice: u32,
        /// The thought.
        text: String,
    },
    /// By which the provider knows the thought again that went before.
    Signature {
        /// Of which choice.
        choice: u32,
        /// The signature, or more of it.
        signature: String,
    },
    /// A thought that the provider keeps sealed.
    SealedThinking {
        /// Of which choice.
        choice: u32,
        /// The sealed thought.
        data: String,
    },
    /// More of a refusal.
    Refusal {
        /// Of which choice.
        choice: u32,
        /// Its words.
        text: String,
    },
    /// A call begins.
    ToolCallStarted {
        /// Of which choice.
        choice: u32,
        /// Which call of that choice.
        call: u32,
        /// Its id.
        id: String,
        /// Name of the tool.
        name: String,
    },
    /// More of a call's arguments.
    ToolCallArguments {
        /// Of which choice.
        choice: u32,
        /// Which call of that choice.
        call: u32,
        /// What is to be put after the arguments so far.
        fragment: String,
    },
    /// A choice ended.
    Finished {
        /// Which.
        choice: u32,
        /// Why.
        reason: FinishReason,
    },
    /// Tokens so far; the last one counts.
    Usage(Usage),
}

impl Delta {
    /// Whether it carries something that a person reads or a tool is given: what the first token is counted by.
    pub fn is_content(&self) -> bool {
        !matches!(self, Self::Started { .. } | Self::Usage(_) | Self::Finished { .. } | Self::Signature { .. })
    }

    /// Bytes that the model wrote: tokens are guessed from it where the provider does not tell.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } | Self::Thinking { text, .. } | Self::Refusal { text, .. } => text.len(),
            Self::ToolCallArguments { fragment, .. } => fragment.len(),
            Self::ToolCallStarted { name, .. } => name.len(),
            _ => 0,
        }
    }
}

/// The pieces are of more choices or parts than an answer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream is of more than {CHOICES_MAX} choices, or a choice of more than {PARTS_MAX} parts")]
pub struct Overfull;

/// Puts pieces together to an answer.
#[derive(Debug, Clone, Default)]
pub struct Assembler {
    answer: ChatAnswer,
    choices: BTreeMap<u32, Open>,
}

#[derive(Debug, Clone, Default)]
struct Open {
    parts: Vec<Part>,
    /// Where the calls are among the parts.
    calls: BTreeMap<u32, usize>,
    finish: Option<FinishReason>,
}

impl Assembler {
    /// Takes one more piece.
    ///
    /// # Errors
    /// [`Overfull`]
    pub fn take(&mut self, delta: &Delta) -> Result<(), Overfull> {
        match delta {
            Delta::Started { id, model, created_s, system_fingerprint } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.created_s = *created_s;
                self.answer.system_fingerprint.clone_from(system_fingerprint);
            }
            Delta::Usage(usage) => self.answer.usage = Some(*usage),
            Delta::Finished { choice, reason } => self.choice(*choice)?.finish = Some(reason.clone()),
            Delta::Text { choice, text } => self.choice(*choice)?.text(text)?,
            Delta::Thinking { choice, text } => self.choice(*choice)?.thinking(text)?,
            Delta::Refusal { choice, text } => self.choice(*choice)?.refusal(text)?,
            Delta::Signature { choice, signature } => self.choice(*choice)?.sign(signature),
            Delta::SealedThinking { choice, data } => {
                self.choice(*choice)?.push(Part::SealedThinking { data: data.clone() })?;
            }
            Delta::ToolCallStarted { choice, call, id, name } => self.choice(*choice)?.call(*call, id, name)?,
            Delta::ToolCallArguments { choice, call, fragment } => self.choice(*choice)?.arguments(*call, fragment)?,
        }
        Ok(())
    }

    /// The answer that the pieces make so far.
    pub fn finish(self) -> ChatAnswer {
        let choices = self.choices.into_iter().map(|(index, open)| Choice {
            index,
            parts: open.parts,
            finish: open.finish,
            ..Choice::default()
        });
        ChatAnswer { choices: choices.collect(), ..self.answer }
    }

    fn choice(&mut self, index: u32) -> Result<&mut Open, Overfull> {
        if self.choices.len() >= CHOICES_MAX && !self.choices.contains_key(&index) {
            return Err(Overfull);
        }
        Ok(self.choices.entry(index).or_default())
    }
}

impl Open {
    fn push(&mut self, part: Part) -> Result<(), Overfull> {
        if self.parts.len() >= PARTS_MAX {
            return Err(Overfull);
        }
        self.parts.push(part);
        Ok(())
    }

    fn text(&mut self, more: &str) -> Result<(), Overfull> {
        match self.parts.last_mut() {
            Some(Part::Text { text, .. }) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.push(Part::text(more))?,
        }
        Ok(())
    }

    fn refusal(&mut self, more: &str) -> Result<(), Overfull> {
        match self.parts.last_mut() {
            Some(Part::Refusal { text }) => text.push_str(more),
            _ => self.push(Part::Refusal { text: more.to_owned() })?,
        }
        Ok(())
    }

    /// A thought that is signed has ended: what comes then is another.
    fn thinking(&mut self, more: &str) -> Result<(), Overfull> {
        match self.parts.last_mut() {
            Some(Part::Thinking { text, signature: None }) => text.push_str(more),
            _ => self.push(Part::Thinking { text: more.to_owned(), signature: None })?,
        }
        Ok(())
    }

    fn sign(&mut self, more: &str) {
        if let Some(Part::Thinking { signature, .. }) = self.parts.last_mut() {
            signature.get_or_insert_default().push_str(more);
        }
    }

    fn call(&mut self, call: u32, id: &str, name: &str) -> Result<(), Overfull> {
        let part = Part::ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: String::new() };
        self.push(part)?;
        self.calls.insert(call, self.parts.len() - 1);
        Ok(())
    }

    fn arguments(&mut self, call: u32, fragment: &str) -> Result<(), Overfull> {
        if !self.calls.contains_key(&call) {
            self.call(call, "", "")?;
        }
        let part = self.calls.get(&call).and_then(|place| self.parts.get_mut(*place));
        if let Some(Part::ToolCall { arguments, .. }) = part {
            arguments.push_str(fragment);
        }
        Ok(())
    }
}
