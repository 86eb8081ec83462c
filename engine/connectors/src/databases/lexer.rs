//! What of an SQL text is text, comment or statement: enough to find where statements end and where parameters stand.
//!
//! Never understands SQL beyond that. Parameters in quotes are left alone: they are text.

use super::sql::Dialect;

/// A piece of an SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'s> {
    /// Anything that is none of the others: what is quoted and what is commented out, too.
    Plain(&'s str),
    /// A parameter `$1`, with what follows a colon: `$1:name`.
    Parameter {
        /// Its number, from 1.
        number: usize,
        /// What is done with its value.
        filter: Option<&'s str>,
    },
    /// The end of a statement.
    End,
}

/// The pieces of a text, one after the other.
pub(crate) fn pieces(source: &str, dialect: Dialect) -> Vec<Piece<'_>> {
    let mut lexer = Lexer { source, bytes: source.as_bytes(), dialect, at: 0, plain_from: 0, pieces: Vec::new() };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    lexer.flush(lexer.bytes.len());
    lexer.pieces
}

struct Lexer<'s> {
    source: &'s str,
    bytes: &'s [u8],
    dialect: Dialect,
    at: usize,
    /// From where on what was read is plain.
    plain_from: usize,
    pieces: Vec<Piece<'s>>,
}

impl<'s> Lexer<'s> {
    fn step(&mut self) {
        match (self.bytes[self.at], self.bytes.get(self.at + 1)) {
            (b'\'', _) => self.quoted(b'\'', self.escapes()),
            (b'"', _) => self.quoted(b'"', self.dialect == Dialect::MySql),
            (b'`', _) if self.dialect != Dialect::Postgres => self.quoted(b'`', false),
            (b'-', Some(b'-')) => self.line_comment(),
            (b'#', _) if self.dialect == Dialect::MySql => self.line_comment(),
            (b'/', Some(b'*')) => self.block_comment(),
            (b'$', Some(b'0'..=b'9')) => self.parameter(),
            (b'$', _) if self.dialect == Dialect::Postgres => self.dollar_quoted(),
            (b';', _) => {
                self.flush(self.at);
                self.pieces.push(Piece::End);
                self.at += 1;
                self.plain_from = self.at;
            }
            _ => self.at += 1,
        }
    }

    /// Whether a backslash in single quotes takes the next character along: in MySQL, and in Postgres after an `E`.
    fn escapes(&self) -> bool {
        match self.dialect {
            Dialect::MySql => true,
            Dialect::Sqlite => false,
            Dialect::Postgres => {
                let before = &self.bytes[..self.at];
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                matches!(before.last(), Some(b'e' | b'E')) && !before.iter().rev().nth(1).is_some_and(is_word)
            }
        }
    }

    fn quoted(&mut self, quote: u8, escapes: bool) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            if *byte == b'\\' && escapes {
                self.at += 1;
            } else if *byte == quote {
                // A doubled quote begins the next text at once, which comes to the same.
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    fn line_comment(&mut self) {
        self.at =
            self.bytes[self.at..].iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |end| self.at + end);
    }

    /// Comments of Postgres lie within each other.
    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match &self.bytes[self.at..] {
                [b'/', b'*', ..] if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth = depth.saturating_sub(1);
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// `$tag$ … $tag$`; a lone dollar is plain.
    fn dollar_quoted(&mut self) {
        let rest = &self.source[self.at + 1..];
        let is_tag = |letter: char| letter.is_alphanumeric() || letter == '_';
        let before = self.source[..self.at].chars().next_back();
        let Some(tag) = rest.find('$').map(|end| &rest[..end]).filter(|tag| tag.chars().all(is_tag)) else {
            self.at += 1;
            return;
        };
        if before.is_some_and(is_tag) {
            self.at += 1;
            return;
        }
        let body = self.at + tag.len() + 2;
        let closing = format!("${tag}$");
        let end = self.source[body..].find(&closing).map(|end| body + end + closing.len());
        self.at = end.unwrap_or(self.bytes.len());
    }

    fn parameter(&mut self) {
        let before = self.source[..self.at].chars().next_back();
        let digits = self.bytes[self.at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = self.at + 1 + digits;
        let number = self.source[self.at + 1..end].parse().unwrap_or(0);
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') || number == 0 {
            self.at = end;
            return;
        }
        self.flush(self.at);
        let rest = &self.source[end..];
        let word = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_alphabetic).count();
        // Two colons are a cast.
        let filter = if rest.starts_with("::") || !rest.starts_with(':') { 0 } else { word(1) };
        let (filter, after) = match (filter, rest.starts_with('~')) {
            (0, true) => (Some("name"), end + 1),
            (0, false) => (None, end),
            (length, _) => (Some(&rest[1..=length]), end + 1 + length),
        };
        self.pieces.push(Piece::Parameter { number, filter });
        self.at = after;
        self.plain_from = after;
    }

    fn flush(&mut self, end: usize) {
        if self.plain_from < end {
            self.pieces.push(Piece::Plain(&self.source[self.plain_from..end]));
        }
        self.plain_from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, dialect: Dialect) -> Vec<String> {
        let show = |piece: &Piece<'_>| match piece {
            Piece::Plain(text) => (*text).to_owned(),
            Piece::Parameter { number, filter } => {
                format!("<{number}{}>", filter.map_or(String::new(), |f| format!(" {f}")))
            }
            Piece::End => "<end>".to_owned(),
        };
        pieces(source, dialect).iter().map(show).collect()
    }

    #[test]
    fn parameters_and_ends_are_found_outside_of_texts_and_comments_alone() {
        let cases: &[(&str, Dialect, &[&str])] = &[
            ("SELECT $1, $2::int", Dialect::Postgres, &["SELECT ", "<1>", ", ", "<2>", "::int"]),
            ("SELECT '$1;' , \"a;$1\"", Dialect::Postgres, &["SELECT '$1;' , \"a;$1\""]),
            ("a; b", Dialect::Postgres, &["a", "<end>", " b"]),
            ("SELECT 'it''s; $1' ; x", Dialect::Postgres, &["SELECT 'it''s; $1' ", "<end>", " x"]),
            ("SELECT E'it\\'s; $1'", Dialect::Postgres, &["SELECT E'it\\'s; $1'"]),
            ("SELECT 'a\\'; $1", Dialect::Postgres, &["SELECT 'a\\'", "<end>", " ", "<1>"]),
            ("SELECT 'a\\'; ?'", Dialect::MySql, &["SELECT 'a\\'; ?'"]),
            ("-- a; $1\nb", Dialect::Postgres, &["-- a; $1\nb"]),
            ("/* a /* ; */ $1 */ $1", Dialect::Postgres, &["/* a /* ; */ $1 */ ", "<1>"]),
            ("/* a /* ; */ $1", Dialect::MySql, &["/* a /* ; */ ", "<1>"]),
            ("DO $$ a; $1 $$; x", Dialect::Postgres, &["DO $$ a; $1 $$", "<end>", " x"]),
            ("DO $f$ a; $$ $f$", Dialect::Postgres, &["DO $f$ a; $$ $f$"]),
            (
                "SELECT * FROM $1:name WHERE a IN ($2:csv)",
                Dialect::Postgres,
                &["SELECT * FROM ", "<1 name>", " WHERE a IN (", "<2 csv>", ")"],
            ),
            ("FROM $1~", Dialect::MySql, &["FROM ", "<1 name>"]),
            ("SELECT a$1, `b;$1` # c;", Dialect::MySql, &["SELECT a$1, `b;$1` # c;"]),
            ("SELECT 'open; $1", Dialect::Postgres, &["SELECT 'open; $1"]),
            ("é$1 $2 ü", Dialect::Postgres, &["é$1 ", "<2>", " ü"]),
        ];
        for (source, dialect, expected) in cases {
            assert_eq!(shown(source, *dialect), *expected, "{source}");
        }
    }
}
