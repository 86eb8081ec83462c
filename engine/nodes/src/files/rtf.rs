//! Rich Text Format: the rows of its tables, or its paragraphs where it has none.

use encoding_rs::{Encoding, WINDOWS_1252};
use serde_json::Value;
use timeloom_engine::node::NodeError;

use super::sheet::guessed;

/// Most groups within each other.
const DEPTH_MAX: usize = 256;

/// Groups whose text is about the document, not of it.
const UNREAD: [&str; 14] = [
    "colortbl",
    "datastore",
    "fonttbl",
    "footer",
    "footnote",
    "generator",
    "header",
    "info",
    "listoverridetable",
    "listtable",
    "pict",
    "rsidtbl",
    "stylesheet",
    "themedata",
];

/// The rows of a document's tables, a cell of each; where it has no table each of its paragraphs is a row.
///
/// # Errors
/// [`NodeError`] when it is no such document.
pub(super) fn read(content: &[u8]) -> Result<Vec<Vec<Value>>, NodeError> {
    if !content.starts_with(b"{\\rtf") {
        return Err(NodeError::operation(
            "the file is not a rich text document that can be read: it does not begin with {\\rtf",
        ));
    }
    let mut reader = Reader { groups: vec![Group::default()], encoding: WINDOWS_1252, ..Reader::default() };
    let mut rest = content;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' if reader.groups.len() == DEPTH_MAX => {
                return Err(NodeError::operation(format!("the document has groups more than {DEPTH_MAX} deep")));
            }
            b'{' => reader.open(),
            b'}' => reader.close(),
            b'\\' => rest = reader.control(rest),
            b'\r' | b'\n' => {}
            byte => reader.byte(byte),
        }
    }
    reader.end_paragraph();
    let paragraphs = || reader.paragraphs.iter().map(|text| vec![guessed(text)]).collect();
    Ok(if reader.rows.is_empty() { paragraphs() } else { reader.rows })
}

#[derive(Clone, Copy)]
struct Group {
    is_unread: bool,
    /// Characters of another writing that stand after each one of Unicode, for programs that do not know it.
    stand_ins: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self { is_unread: false, stand_ins: 1 }
    }
}

struct Reader {
    groups: Vec<Group>,
    encoding: &'static Encoding,
    /// Bytes of the encoding that are not yet text: a character may have several.
    bytes: Vec<u8>,
    text: String,
    skipped: usize,
    cells: Vec<Value>,
    rows: Vec<Vec<Value>>,
    paragraphs: Vec<String>,
    /// The first half of a character that has two.
    high: Option<u16>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            encoding: WINDOWS_1252,
            bytes: Vec::new(),
            text: String::new(),
            skipped: 0,
            cells: Vec::new(),
            rows: Vec::new(),
            paragraphs: Vec::new(),
            high: None,
        }
    }
}

impl Reader {
    fn group(&self) -> Group {
        self.groups.last().copied().unwrap_or_default()
    }

    fn open(&mut self) {
        self.groups.push(self.group());
    }

    fn close(&mut self) {
        self.decode();
        self.groups.pop();
    }

    fn byte(&mut self, byte: u8) {
        if self.skipped > 0 {
            self.skipped -= 1;
        } else if !self.group().is_unread {
            self.bytes.push(byte);
        }
    }

    fn push(&mut self, character: char) {
        self.decode();
        if !self.group().is_unread {
            self.text.push(character);
        }
    }

    fn decode(&mut self) {
        if !self.bytes.is_empty() {
            self.text.push_str(&self.encoding.decode_without_bom_handling(&self.bytes).0);
            self.bytes.clear();
        }
    }

    /// Reads what stands after a `\`, and gives the rest.
    fn control<'c>(&mut self, rest: &'c [u8]) -> &'c [u8] {
        let Some(&first) = rest.first() else { return rest };
        if first == b'\'' {
            let code = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
            if let Some(byte) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                self.byte(byte);
                return &rest[3..];
            }
            return &rest[1..];
        }
        if !first.is_ascii_alphabetic() {
            match first {
                b'*' => self.leave_unread(),
                b'~' => self.push('\u{a0}'),
                b'\\' | b'{' | b'}' => self.byte(first),
                _ => {}
            }
            return &rest[1..];
        }
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, after) = rest.split_at(letters);
        let sign = usize::from(after.first() == Some(&b'-'));
        let digits = after[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = if digits == 0 { 0 } else { sign + digits };
        let (number, after) = after.split_at(digits);
        let number = std::str::from_utf8(number).ok().and_then(|digits| digits.parse::<i32>().ok());
        self.word(&String::from_utf8_lossy(word), number);
        after.strip_prefix(b" ").unwrap_or(after)
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        match word {
            "par" => self.end_paragraph(),
            "line" => self.push('\n'),
            "tab" => self.push('\t'),
            "emdash" => self.push('\u{2014}'),
            "endash" => self.push('\u{2013}'),
            "lquote" => self.push('\u{2018}'),
            "rquote" => self.push('\u{2019}'),
            "ldblquote" => self.push('\u{201c}'),
            "rdblquote" => self.push('\u{201d}'),
            "bullet" => self.push('\u{2022}'),
            "cell" => {
                let text = self.take();
                self.cells.push(guessed(text.trim()));
            }
            "row" => {
                let cells = std::mem::take(&mut self.cells);
                self.rows.push(cells);
            }
            "u" => self.unicode(number.unwrap_or(0)),
            "uc" => {
                if let Some(group) = self.groups.last_mut() {
                    group.stand_ins = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16);
                }
            }
            "ansicpg" => {
                let label = format!("windows-{}", number.unwrap_or(1252));
                self.encoding = Encoding::for_label(label.as_bytes()).unwrap_or(WINDOWS_1252);
            }
            word if UNREAD.contains(&word) => self.leave_unread(),
            _ => {}
        }
    }

    /// A unit of UTF-16, written as a number with a sign.
    fn unicode(&mut self, number: i32) {
        let unit = (number & 0xffff) as u16;
        match (self.high.take(), unit) {
            (_, 0xd800..=0xdbff) => self.high = Some(unit),
            (high, unit) => {
                let units = high.into_iter().chain([unit]);
                let characters: Vec<char> =
                    char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
                characters.into_iter().for_each(|character| self.push(character));
            }
        }
        self.skipped = self.group().stand_ins;
    }

    fn leave_unread(&mut self) {
        if let Some(group) = self.groups.last_mut() {
            group.is_unread = true;
        }
    }

    fn take(&mut self) -> String {
        self.decode();
        std::mem::take(&mut self.text)
    }

    fn end_paragraph(&mut self) {
        let text = self.take();
        if !text.trim().is_empty() {
            self.paragraphs.push(text.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_rows_and_text_is_read_in_its_writing() {
        let document = br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}\trowd name\cell size\cell\row
\trowd Gr\'fc\'dfe\cell 2.5\cell\row \trowd \uc1\u8364?\u-10179?\u-8704?\cell \{x\}\cell\row}";
        let rows = read(document).unwrap();
        let expected = [json!(["name", "size"]), json!(["Grüße", 2.5]), json!(["€😀", "{x}"])];
        assert_eq!(rows.into_iter().map(Value::from).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_a_table_each_paragraph_is_a_row() {
        let rows = read(br"{\rtf1 {\b One} two\par\par three\line four\par}").unwrap();
        assert_eq!(rows, [[json!("One two")], [json!("three\nfour")]]);
    }

    #[test]
    fn what_is_none_is_refused() {
        assert!(read(b"hello").unwrap_err().message.starts_with("the file is not a rich text document"));
        let deep = format!("{{\\rtf1 {}", "{".repeat(1_000_000));
        assert_eq!(read(deep.as_bytes()).unwrap_err().message, "the document has groups more than 256 deep");
        assert!(read(br"{\rtf1 cut \'f").is_ok());
        assert!(read(br"{\rtf1 cut \u").is_ok());
    }
}
