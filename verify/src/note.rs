//! Signed notes as C2SP has them: a text, a blank line, and lines of signatures by keys with names.
//!
//! Never decides who is to be believed: it says by which keys a note is signed, and whether rightly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Largest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Most signatures of a note.
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// What every line of a signature begins with.
const SIGNATURE_START: &str = "\u{2014} ";

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed. It ends with a line end.
    pub text: String,
    /// By whom.
    pub signatures: Vec<NoteSignature>,
}

/// One line of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// The first four bytes of the key's hash.
    pub key_id: [u8; 4],
    /// What follows them.
    pub signature: Vec<u8>,
}

/// Why a text is no note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is too large.
    #[error("it has {0} bytes: a signed note has at most {NOTE_BYTES_MAX}")]
    TooLarge(usize),
    /// Nothing separates a text from signatures.
    #[error("it is not a signed note: a text, a blank line, and lines of signatures")]
    NotSigned,
    /// Characters that a note may not have.
    #[error("it has control characters, which no signed note has")]
    Control,
    /// A line of a signature that is none.
    #[error("line {0} of its signatures is not '— NAME BASE64'")]
    Signature(usize),
    /// Too many signatures.
    #[error("it has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooMany,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] when the text is none.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge(note.len()));
        }
        if note.chars().any(|character| character.is_control() && character != '\n') {
            return Err(NoteError::Control);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::NotSigned)?;
        let lines = signatures.strip_suffix('\n').filter(|lines| !lines.is_empty()).ok_or(NoteError::NotSigned)?;
        if lines.lines().count() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let read = |(index, line)| NoteSignature::parse(line).ok_or(NoteError::Signature(index + 1));
        let signatures: Result<Vec<_>, _> = lines.split('\n').enumerate().map(read).collect();
        Ok(Self { text: format!("{text}\n"), signatures: signatures? })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(formatter, "{signature}"))
    }
}

impl NoteSignature {
    /// Reads a line; `None` when it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        let is_whole = is_key_name(name) && !signature.is_empty();
        is_whole.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(formatter, "{SIGNATURE_START}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// Whether a key may have this name.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|character: char| character.is_whitespace() || character == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_and_written_as_it_is() {
        let text = "log/one\n5\nAAAA\n\n\u{2014} log/one YWJjZGVm\n\u{2014} witness YWJjZGVn\n";
        let note = Note::parse(text).unwrap();
        assert_eq!(note.text, "log/one\n5\nAAAA\n");
        assert_eq!((note.signatures.len(), note.signatures[1].name.as_str()), (2, "witness"));
        assert_eq!((note.signatures[0].key_id, &*note.signatures[0].signature), (*b"abcd", &b"ef"[..]));
        assert_eq!(note.to_string(), text);
        // A text may have blank lines itself.
        assert_eq!(Note::parse("a\n\nb\n\n\u{2014} k YWJjZGVm\n").unwrap().text, "a\n\nb\n");
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for (wrong, error) in [
            ("text\n", NoteError::NotSigned),
            ("text\n\n", NoteError::NotSigned),
            ("text\n\n\u{2014} k YWJjZGVm", NoteError::NotSigned),
            ("text\n\n- k YWJjZGVm\n", NoteError::Signature(1)),
            ("text\n\n\u{2014} k YWJj\n", NoteError::Signature(1)),
            ("text\n\n\u{2014} k YWJjZGVm\n\u{2014} k+l YWJjZGVm\n", NoteError::Signature(2)),
            ("te\rxt\n\n\u{2014} k YWJjZGVm\n", NoteError::Control),
        ] {
            assert_eq!(Note::parse(wrong), Err(error), "{wrong:?}");
        }
    }
}
