//! A letter: its headers, texts and attachments, as bytes.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, Mailboxes, MultiPart, SinglePart};
use timeloom_engine::node::NodeError;

/// Most addresses of one letter.
const ADDRESSES_MAX: usize = 1_000;

/// What a letter is made of.
#[derive(Debug, Default)]
pub(super) struct Letter {
    pub from: String,
    pub to: String,
    pub cc: String,
    pub bcc: String,
    pub reply_to: String,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Enclosed>,
    /// What tells it from others: the same when it is sent again.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub now_ms: i64,
}

/// A file that goes with a letter.
#[derive(Debug)]
pub(super) struct Enclosed {
    pub name: String,
    pub mime_type: String,
    pub content: Vec<u8>,
}

/// A letter that is ready.
pub(super) struct Sealed {
    /// Who sends it.
    pub from: String,
    /// Everybody who is to get it.
    pub to: Vec<String>,
    pub message_id: String,
    pub bytes: Vec<u8>,
}

impl Letter {
    /// Makes it.
    ///
    /// # Errors
    /// [`NodeError`] when an address is none, or nobody is to get it.
    pub fn seal(self) -> Result<Sealed, NodeError> {
        let from: Mailbox = self.from.trim().parse().map_err(|_| no_address("From email", &self.from))?;
        let message_id = format!("<{}@{}>", self.id, from.email.domain());
        let millis = Duration::from_millis(u64::try_from(self.now_ms).unwrap_or_default());
        let mut builder = Message::builder()
            .date(SystemTime::UNIX_EPOCH + millis)
            .message_id(Some(message_id.clone()))
            .subject(one_line(&self.subject));
        let mut to = Vec::new();
        for (field, written) in [("To email", &self.to), ("CC email", &self.cc), ("BCC email", &self.bcc)] {
            let named = mailboxes(field, written)?;
            to.extend(named.iter().map(|one| one.email.to_string()));
            for one in named {
                builder = match field {
                    "To email" => builder.to(one),
                    "CC email" => builder.cc(one),
                    // Those are in no header.
                    _ => builder,
                };
            }
        }
        if to.is_empty() || to.len() > ADDRESSES_MAX {
            let message = format!("the mail has {} addresses: give 1 to {ADDRESSES_MAX}", to.len());
            return Err(NodeError::operation(message));
        }
        for one in mailboxes("Reply to", &self.reply_to)? {
            builder = builder.reply_to(one);
        }
        let envelope_from = from.email.to_string();
        let envelope = to.iter().map(|address| address.parse::<lettre::Address>()).collect::<Result<Vec<_>, _>>();
        let envelope = envelope.map_err(|_| no_address("To email", &self.to))?;
        let envelope = lettre::address::Envelope::new(Some(from.email.clone()), envelope);
        let envelope = envelope.map_err(|error| NodeError::operation(error.to_string()))?;
        let builder = builder.from(from).envelope(envelope);
        let message = match self.body()? {
            Body::One(part) => builder.singlepart(part),
            Body::Many(parts) => builder.multipart(parts),
        };
        let message = message.map_err(|error| NodeError::operation(format!("the mail cannot be written: {error}")))?;
        Ok(Sealed { from: envelope_from, to, message_id, bytes: message.formatted() })
    }

    fn body(&self) -> Result<Body, NodeError> {
        let texts = match (&self.text, &self.html) {
            (Some(text), Some(html)) => Body::Many(MultiPart::alternative_plain_html(text.clone(), html.clone())),
            (None, Some(html)) => Body::One(SinglePart::html(html.clone())),
            (text, None) => Body::One(SinglePart::plain(text.clone().unwrap_or_default())),
        };
        if self.attachments.is_empty() {
            return Ok(texts);
        }
        let mut whole = match texts {
            Body::One(part) => MultiPart::mixed().singlepart(part),
            Body::Many(parts) => MultiPart::mixed().multipart(parts),
        };
        for Enclosed { name, mime_type, content } in &self.attachments {
            let kind = ContentType::parse(mime_type).or_else(|_| ContentType::parse("application/octet-stream"));
            let kind = kind.map_err(|error| NodeError::operation(error.to_string()))?;
            whole = whole.singlepart(Attachment::new(one_line(name)).body(content.clone(), kind));
        }
        Ok(Body::Many(whole))
    }
}

enum Body {
    One(SinglePart),
    Many(MultiPart),
}

fn mailboxes(field: &str, written: &str) -> Result<Vec<Mailbox>, NodeError> {
    let written = written.trim().trim_matches(',');
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let named: Mailboxes = written.parse().map_err(|_| no_address(field, written))?;
    Ok(named.into_iter().collect())
}

fn no_address(field: &str, written: &str) -> NodeError {
    let shown: String = written.chars().take(100).collect();
    NodeError::operation(format!("'{}' is no address of mail: see the field '{field}'", shown.escape_debug()))
}

/// A header has one line.
fn one_line(text: &str) -> String {
    text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "Ann <ann@mail.example>".to_owned(),
            to: "Bob <bob@mail.example>, carl@mail.example".to_owned(),
            subject: "Über\r\nBcc: eve@mail.example".to_owned(),
            text: Some("Hello".to_owned()),
            id: "run-7".to_owned(),
            now_ms: 1_700_000_000_000,
            ..Letter::default()
        }
    }

    #[test]
    fn a_subject_brings_no_header_and_blind_copies_are_in_none() {
        let sealed = Letter { bcc: "dan@mail.example".to_owned(), ..letter() }.seal().unwrap();
        let text = String::from_utf8(sealed.bytes).unwrap();
        assert!(!text.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{text}");
        assert!(!text.contains("dan@"), "{text}");
        assert_eq!(sealed.to, ["bob@mail.example", "carl@mail.example", "dan@mail.example"]);
        assert!(text.contains("Message-ID: <run-7@mail.example>") && text.contains("Date: Tue, 14 Nov 2023"), "{text}");
    }

    #[test]
    fn what_is_no_address_is_told_with_its_field() {
        let refused = |change: fn(&mut Letter)| {
            let mut letter = letter();
            change(&mut letter);
            letter.seal().err().map(|error| error.message).unwrap_or_default()
        };
        assert!(refused(|letter| letter.from = "nobody".to_owned()).contains("From email"));
        assert!(refused(|letter| letter.to = "a@b.example\r\nx".to_owned()).contains("To email"));
        assert!(refused(|letter| letter.to = String::new()).contains("0 addresses"));
    }
}
