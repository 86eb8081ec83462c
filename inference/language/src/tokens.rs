//! Texts into tokens and back, by the tokenizer that lies beside a model.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use timeloom_domain::chat::ErrorClass;
use timeloom_gateway::CallError;
use tokenizers::Tokenizer;

use crate::files::TOKENIZER;

/// Most bytes of a file beside a model that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a text that is cut into tokens.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A tokenizer.
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Words that stand for tokens which no text of a caller becomes.
    control: Vec<String>,
}

impl Tokens {
    /// Reads the tokenizer in a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be understood.
    pub fn read(folder: &Path) -> Result<Self, CallError> {
        let bytes = read(folder, TOKENIZER)?;
        let unread = |error: tokenizers::Error| fault(format!("the tokenizer of the model cannot be read: {error}"));
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(unread)?;
        // What is too long is refused with words instead, and batches are filled up here.
        tokenizer.with_truncation(None).map_err(unread)?;
        tokenizer.with_padding(None);
        let added = tokenizer.get_added_tokens_decoder();
        let control = added.values().filter(|word| word.special).map(|word| word.content.clone()).collect();
        Ok(Self { tokenizer, control })
    }

    /// The tokens of a text, with those that models of vectors have around it where `framed`.
    ///
    /// # Errors
    /// When the text is too long.
    pub fn of(&self, text: &str, framed: bool) -> Result<Vec<u32>, CallError> {
        if text.len() > TEXT_BYTES_MAX {
            let why = format!("a text has {} bytes: {TEXT_BYTES_MAX} are the most, send a shorter one", text.len());
            return Err(CallError::new(ErrorClass::TooLong, why));
        }
        let encoded = self.tokenizer.encode_fast(text, framed);
        let encoded = encoded.map_err(|error| fault(format!("the text became no tokens: {error}")))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The token that a word is.
    pub fn token(&self, word: &str) -> Option<u32> {
        self.tokenizer.token_to_id(word)
    }

    /// A text of a caller, in which no word is a control token: a space is put into such words.
    pub fn harmless(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in &self.control {
            let mut letters = word.chars();
            if let (Some(first), rest) = (letters.next(), letters.as_str())
                && text.contains(word.as_str())
            {
                text = text.replace(word.as_str(), &format!("{first} {rest}"));
            }
        }
        text
    }

    /// What makes texts of tokens, one by one.
    pub fn writer(&self) -> Writer<'_> {
        Writer { tokenizer: &self.tokenizer, kept: Vec::new(), shown: String::new() }
    }
}

/// Makes texts of tokens as they come: a letter whose bytes are in several tokens is given when it is whole.
pub struct Writer<'t> {
    tokenizer: &'t Tokenizer,
    /// Tokens whose text is looked at together.
    kept: Vec<u32>,
    /// What was given of their text.
    shown: String,
}

/// Most tokens that are looked at together.
const KEPT_MAX: usize = 16;

impl Writer<'_> {
    /// Takes one more token; the text that is whole now.
    ///
    /// # Errors
    /// When the tokenizer has no text for it.
    pub fn take(&mut self, token: u32) -> Result<String, CallError> {
        self.kept.push(token);
        let text = self.text()?;
        if text.ends_with('\u{fffd}') && self.kept.len() < KEPT_MAX {
            return Ok(String::new());
        }
        let more = text.strip_prefix(&self.shown).unwrap_or_default().to_owned();
        // The last token stays, since how one begins may depend on what is before it.
        self.kept = vec![token];
        self.shown = self.text()?;
        Ok(more)
    }

    fn text(&self) -> Result<String, CallError> {
        let text = self.tokenizer.decode(&self.kept, true);
        text.map_err(|error| fault(format!("the model's tokens became no text: {error}")))
    }
}

/// A file beside a model.
pub(crate) fn read(folder: &Path, name: &str) -> Result<Vec<u8>, CallError> {
    let missing = |error: std::io::Error| {
        let why = format!("the model has no '{name}' beside it ({error}): add it with that file as --beside");
        CallError::new(ErrorClass::NotFound, why)
    };
    let mut bytes = Vec::new();
    File::open(folder.join(name))
        .map_err(missing)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(missing)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(format!("the model's '{name}' has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

pub(crate) fn fault(why: impl AsRef<str>) -> CallError {
    CallError::new(ErrorClass::Server, why)
}
