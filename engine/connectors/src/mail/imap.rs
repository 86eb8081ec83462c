//! One connection to a server of IMAP: the few commands that a reader of one mailbox needs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::server;
use crate::fields::Fields;
use crate::wire::{EXCHANGE_TIME_MAX, Wire, garbled};

/// Most bytes of a line.
const LINE_BYTES_MAX: usize = 256 << 10;
/// Most bytes of content in one answer.
const LITERAL_BYTES_MAX: usize = 20 << 20;
/// Most lines before a command is answered.
const LINES_MAX: usize = 100_000;

/// What a server says: a line, and the content in it.
#[derive(Debug, Default)]
struct Line {
    text: String,
    literal: Option<Vec<u8>>,
}

/// A mailbox that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// While it stays the same, so do the numbers of letters.
    pub validity: u32,
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    tag: u32,
    able: String,
    /// Whether letters came that no search was asked for since. A server tells of each once, in whatever it answers.
    has_news: bool,
}

impl Client {
    /// Connects, secures the connection and signs in.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(fields: &Fields, any: bool, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let (server, tls) = server(fields, (993, 143), any)?;
        let mut client =
            Self { wire: Wire::open(&server, policy).await?, tag: 0, able: String::new(), has_news: false };
        let hello = client.line().await?;
        if !hello.text.starts_with("* OK") && !hello.text.starts_with("* PREAUTH") {
            return Err(garbled("IMAP", "its first words are none"));
        }
        client.look_what_it_can().await?;
        if !client.wire.is_secured() && client.can("STARTTLS") {
            client.command("STARTTLS").await?;
            client.wire = client.wire.secured(&server.host, &tls).await?;
            client.look_what_it_can().await?;
        }
        client.sign_in(&fields.needed("user")?, &fields.text("password")).await?;
        client.look_what_it_can().await?;
        Ok(client)
    }

    async fn look_what_it_can(&mut self) -> Result<(), NodeError> {
        let lines = self.command("CAPABILITY").await?;
        let told = lines.iter().find_map(|line| line.text.strip_prefix("* CAPABILITY "));
        self.able = told.unwrap_or_default().to_ascii_uppercase();
        Ok(())
    }

    /// Whether the server says that it can do something.
    pub fn can(&self, word: &str) -> bool {
        self.able.split_whitespace().any(|known| known == word)
    }

    async fn sign_in(&mut self, user: &str, password: &str) -> Result<(), NodeError> {
        let is_plain = |text: &str| text.is_ascii() && !text.contains(['\r', '\n', '\0']);
        let signed_in = if is_plain(user) && is_plain(password) && !self.can("LOGINDISABLED") {
            self.command(&format!("LOGIN {} {}", quoted(user), quoted(password))).await
        } else {
            let tag = self.put("AUTHENTICATE PLAIN").await?;
            self.asked().await?;
            let proof = STANDARD.encode(format!("\0{user}\0{password}"));
            self.wire.send(format!("{proof}\r\n").as_bytes()).await?;
            self.answered(&tag).await
        };
        signed_in.map(drop).map_err(|error| match error.description {
            None => error.described("save the credential again with the right user and password"),
            Some(_) => error,
        })
    }

    /// Opens a mailbox.
    ///
    /// # Errors
    /// [`NodeError`] when there is none of that name.
    pub async fn select(&mut self, name: &str) -> Result<Mailbox, NodeError> {
        if !name.is_ascii() || name.contains(['\r', '\n', '\0']) {
            let message =
                format!("'{}' is no name of a mailbox here: give it as the server has it", name.escape_debug());
            return Err(NodeError::operation(message));
        }
        let lines = self.command(&format!("SELECT {}", quoted(name))).await?;
        let validity = lines.iter().find_map(|line| {
            let (_, rest) = line.text.split_once("[UIDVALIDITY ")?;
            rest.split(']').next()?.trim().parse().ok()
        });
        Ok(Mailbox { validity: validity.ok_or_else(|| garbled("IMAP", "a mailbox without a validity"))? })
    }

    /// The numbers of the letters that fit, in ascending order, above `after`.
    ///
    /// # Errors
    /// [`NodeError`] when the server refuses the words.
    pub async fn search(&mut self, words: &str, after: u32) -> Result<Vec<u32>, NodeError> {
        let first = after.saturating_add(1);
        self.has_news = false;
        let lines = self.command(&format!("UID SEARCH {words} UID {first}:*")).await?;
        let numbers = lines.iter().filter_map(|line| line.text.strip_prefix("* SEARCH"));
        let numbers = numbers.flat_map(str::split_whitespace).filter_map(|number| number.parse().ok());
        // The newest letter fits the range in any case.
        let mut numbers: Vec<u32> = numbers.filter(|number| *number > after).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// How many bytes a letter has; `None` when it is gone.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn size(&mut self, number: u32) -> Result<Option<usize>, NodeError> {
        let lines = self.command(&format!("UID FETCH {number} (UID RFC822.SIZE)")).await?;
        let size =
            lines.iter().filter(|line| is_of(line, number)).find_map(|line| after_word(&line.text, "RFC822.SIZE"));
        Ok(size.and_then(|size| size.parse().ok()))
    }

    /// A part of a letter, without its being seen by that; `None` when it is gone.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn content(&mut self, number: u32, part: &str) -> Result<Option<Vec<u8>>, NodeError> {
        let lines = self.command(&format!("UID FETCH {number} (UID BODY.PEEK{part})")).await?;
        let line = lines.into_iter().find(|line| is_of(line, number));
        Ok(line.and_then(|line| match line.literal {
            Some(content) => Some(content),
            // What is short may stand in the line.
            None => {
                line.text.split_once("] \"").and_then(|(_, rest)| rest.rsplit_once('"')).map(|(text, _)| text.into())
            }
        }))
    }

    /// Says that a letter was seen.
    ///
    /// # Errors
    /// [`NodeError`] when the server refuses.
    pub async fn see(&mut self, number: u32) -> Result<(), NodeError> {
        self.command(&format!("UID STORE {number} +FLAGS.SILENT (\\Seen)")).await.map(drop)
    }

    /// Waits until something has happened in the mailbox since it was searched, or that time has passed.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn wait(&mut self, within: Duration) -> Result<(), NodeError> {
        if self.has_news {
            return Ok(());
        }
        if !self.can("IDLE") {
            tokio::time::sleep(within).await;
            return self.command("NOOP").await.map(drop);
        }
        let tag = self.put("IDLE").await?;
        self.asked().await?;
        // What came before the server began to wait, it tells before it says so.
        if !self.has_news && self.wire.comes(within).await? {
            self.line().await?;
        }
        self.wire.send(b"DONE\r\n").await?;
        self.answered(&tag).await.map(drop)
    }

    async fn command(&mut self, words: &str) -> Result<Vec<Line>, NodeError> {
        let tag = self.put(words).await?;
        self.answered(&tag).await
    }

    async fn put(&mut self, words: &str) -> Result<String, NodeError> {
        self.tag = self.tag.wrapping_add(1);
        let tag = format!("t{}", self.tag);
        self.wire.send(format!("{tag} {words}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    /// Waits until the server asks for more.
    async fn asked(&mut self) -> Result<(), NodeError> {
        for _ in 0..LINES_MAX {
            let line = self.line().await?;
            if line.text.starts_with('+') {
                return Ok(());
            }
            if !line.text.starts_with('*') {
                return Err(refused(&line.text));
            }
        }
        Err(garbled("IMAP", "it does not ask for more"))
    }

    async fn answered(&mut self, tag: &str) -> Result<Vec<Line>, NodeError> {
        let (mut lines, mut room) = (Vec::new(), LITERAL_BYTES_MAX);
        for _ in 0..LINES_MAX {
            let line = self.line().await?;
            if let Some(rest) = line.text.strip_prefix(tag) {
                let rest = rest.trim_start();
                return if rest.starts_with("OK") { Ok(lines) } else { Err(refused(rest)) };
            }
            if line.text.starts_with("* BYE") {
                return Err(NodeError::api(format!("the mail server ends the connection: {}", line.text)));
            }
            let bytes = line.text.len() + line.literal.as_ref().map_or(0, Vec::len);
            room = room.checked_sub(bytes).ok_or_else(|| garbled("IMAP", "an answer is too large"))?;
            lines.push(line);
        }
        Err(garbled("IMAP", "an answer has no end"))
    }

    /// The next line with the content in it, the first of which is kept.
    async fn line(&mut self) -> Result<Line, NodeError> {
        if !self.wire.comes(EXCHANGE_TIME_MAX).await? {
            return Err(NodeError::api(format!(
                "the mail server did not answer within {} s",
                EXCHANGE_TIME_MAX.as_secs()
            )));
        }
        let mut whole = Line::default();
        loop {
            let part = self.wire.line(LINE_BYTES_MAX).await?;
            whole.text.push_str(&String::from_utf8_lossy(&part));
            let Some(length) = literal_length(&whole.text) else {
                self.has_news |= whole.text.starts_with("* ") && whole.text.trim_end().ends_with(" EXISTS");
                return Ok(whole);
            };
            if length > LITERAL_BYTES_MAX || whole.text.len() > LINE_BYTES_MAX {
                return Err(garbled("IMAP", "an answer is too large"));
            }
            let content = self.wire.exactly(length).await?;
            whole.literal.get_or_insert(content);
        }
    }
}

/// How much content follows a line, where any does.
fn literal_length(text: &str) -> Option<usize> {
    let (_, length) = text.strip_suffix('}')?.rsplit_once('{')?;
    length.parse().ok()
}

fn is_of(line: &Line, number: u32) -> bool {
    line.text.starts_with("* ")
        && line.text.contains(" FETCH ")
        && after_word(&line.text, "UID").is_some_and(|uid| uid == number.to_string())
}

/// What stands behind a word in a list.
fn after_word<'l>(text: &'l str, word: &str) -> Option<&'l str> {
    let mut words = text.split([' ', '(', ')']).filter(|word| !word.is_empty());
    words.by_ref().find(|known| known.eq_ignore_ascii_case(word))?;
    words.next()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn refused(words: &str) -> NodeError {
    NodeError::operation(format!("the mail server refused: {}", words.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        assert_eq!(literal_length("* 3 FETCH (UID 7 BODY[] {1234}"), Some(1_234));
        assert_eq!(literal_length("* 3 FETCH (UID 7)"), None);
        let line = |text: &str| Line { text: text.to_owned(), literal: None };
        assert!(is_of(&line("* 3 FETCH (UID 7 RFC822.SIZE 44)"), 7));
        assert!(is_of(&line("* 3 FETCH (RFC822.SIZE 44 UID 7)"), 7));
        assert!(!is_of(&line("* 7 FETCH (UID 3 RFC822.SIZE 44)"), 7));
        assert_eq!(after_word("* 3 FETCH (UID 7 RFC822.SIZE 44)", "RFC822.SIZE"), Some("44"));
    }

    #[test]
    fn a_text_in_quotes_stays_in_them() {
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }
}
