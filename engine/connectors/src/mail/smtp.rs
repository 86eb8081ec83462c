//! One connection to a server of SMTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::server;
use crate::fields::Fields;
use crate::wire::{Wire, garbled};

/// Most bytes of a line of an answer.
const LINE_BYTES_MAX: usize = 2_048;
/// Most lines of an answer.
const LINES_MAX: usize = 100;

/// What a server says.
#[derive(Debug, Clone)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// The words behind a word that the server says it is able to.
    fn able(&self, word: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            name.eq_ignore_ascii_case(word).then_some(rest)
        })
    }
}

/// What became of a letter.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered {
    pub accepted: Vec<String>,
    pub rejected: Vec<String>,
    /// What the server said last.
    pub response: String,
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
}

impl Client {
    /// Connects, secures the connection and signs in.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(fields: &Fields, any: bool, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let (server, tls) = server(fields, (465, 587), any)?;
        let mut client = Self { wire: Wire::open(&server, policy).await? };
        client.reply().await.and_then(|reply| wanted(reply, 220))?;
        let name = fields.some_text("hostName").unwrap_or_else(|| "localhost".to_owned());
        let mut able = client.greet(&name).await?;
        let without = fields.truth("disableStartTls");
        if !client.wire.is_secured() && !without {
            if able.able("STARTTLS").is_none() {
                return Err(NodeError::operation(
                    "the server does not secure the connection: others could read everything",
                )
                .described("use a port that is secured, or say in the credential that STARTTLS is not wanted"));
            }
            client.say("STARTTLS").await.and_then(|reply| wanted(reply, 220))?;
            client.wire = client.wire.secured(&server.host, &tls).await?;
            able = client.greet(&name).await?;
        }
        if let Some(user) = fields.some_text("user") {
            client.sign_in(&able, &user, &fields.text("password")).await?;
        }
        Ok(client)
    }

    async fn greet(&mut self, name: &str) -> Result<Reply, NodeError> {
        check(name)?;
        let reply = self.say(&format!("EHLO {name}")).await?;
        wanted(reply, 250)
    }

    async fn sign_in(&mut self, able: &Reply, user: &str, password: &str) -> Result<(), NodeError> {
        let mechanisms = able.able("AUTH").unwrap_or_default().to_ascii_uppercase();
        let knows = |name: &str| mechanisms.split_whitespace().any(|known| known == name);
        let reply = if knows("PLAIN") {
            let proof = STANDARD.encode(format!("\0{user}\0{password}"));
            self.say(&format!("AUTH PLAIN {proof}")).await?
        } else if knows("LOGIN") {
            self.say("AUTH LOGIN").await.and_then(|reply| wanted(reply, 334))?;
            self.say(&STANDARD.encode(user)).await.and_then(|reply| wanted(reply, 334))?;
            self.say(&STANDARD.encode(password)).await?
        } else {
            return Err(NodeError::operation("the server lets nobody in by user and password")
                .described("leave the user out of the credential, or use another port"));
        };
        match reply.code {
            235 => Ok(()),
            _ => Err(NodeError::operation(format!("the server does not let us in: {}", reply.text()))
                .described("save the credential again with the right user and password")),
        }
    }

    /// Sends a letter to everybody whom the server takes it for.
    ///
    /// # Errors
    /// [`NodeError`] when it takes it for nobody, or not at all.
    pub async fn deliver(&mut self, from: &str, to: &[String], letter: &[u8]) -> Result<Delivered, NodeError> {
        check(from)?;
        self.say(&format!("MAIL FROM:<{from}>")).await.and_then(|reply| wanted(reply, 250))?;
        let mut delivered = Delivered::default();
        let mut why = String::new();
        for address in to {
            check(address)?;
            let reply = self.say(&format!("RCPT TO:<{address}>")).await?;
            if matches!(reply.code, 250 | 251) {
                delivered.accepted.push(address.clone());
            } else {
                why = reply.text();
                delivered.rejected.push(address.clone());
            }
        }
        if delivered.accepted.is_empty() {
            drop(self.say("RSET").await);
            return Err(NodeError::operation(format!("the server takes the mail for nobody: {why}")));
        }
        self.say("DATA").await.and_then(|reply| wanted(reply, 354))?;
        self.wire.send(&stuffed(letter)).await?;
        delivered.response = self.reply().await.and_then(|reply| wanted(reply, 250))?.text();
        Ok(delivered)
    }

    /// Says farewell, which need not arrive.
    pub async fn leave(&mut self) {
        drop(self.wire.send(b"QUIT\r\n").await);
    }

    async fn say(&mut self, words: &str) -> Result<Reply, NodeError> {
        self.wire.send(format!("{words}\r\n").as_bytes()).await?;
        self.reply().await
    }

    async fn reply(&mut self) -> Result<Reply, NodeError> {
        let mut lines = Vec::new();
        for _ in 0..LINES_MAX {
            let line = self.wire.line(LINE_BYTES_MAX).await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or_else(|| garbled("SMTP", "an answer without a number"))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
        Err(garbled("SMTP", "an answer without an end"))
    }
}

/// The reply, where it has that number.
fn wanted(reply: Reply, code: u16) -> Result<Reply, NodeError> {
    if reply.code == code {
        return Ok(reply);
    }
    let words = format!("the mail server refused: {}", reply.text());
    Err(if reply.code < 500 { NodeError::api(words).described("try again later") } else { NodeError::operation(words) })
}

/// Addresses and names go into lines of commands: nothing else may.
fn check(word: &str) -> Result<(), NodeError> {
    let is_odd = |letter: char| letter.is_control() || letter == '<' || letter == '>' || letter == ' ';
    if word.is_empty() || word.len() > 320 || word.contains(is_odd) {
        return Err(NodeError::operation(format!("'{}' is no address", word.escape_debug())));
    }
    Ok(())
}

/// A letter with its end: lines that begin with a point get another.
fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(letter.len() + 64);
    let mut at_begin = true;
    for byte in letter {
        if at_begin && *byte == b'.' {
            bytes.push(b'.');
        }
        bytes.push(*byte);
        at_begin = *byte == b'\n';
    }
    if !at_begin {
        bytes.extend(b"\r\n");
    }
    bytes.extend(b".\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_cannot_end_itself() {
        assert_eq!(stuffed(b"a\r\n.\r\nb"), b"a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(stuffed(b".a\r\n"), b"..a\r\n.\r\n");
    }

    #[test]
    fn an_address_cannot_bring_commands() {
        for word in ["a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "", "<a@b.example>"] {
            assert!(check(word).is_err(), "{word}");
        }
        assert!(check("ann+news@mail.example").is_ok());
    }
}
