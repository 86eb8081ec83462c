//! Tokens of the native subset.
//!
//! Never guesses: a character that it does not know, a regular expression or a comment is `Unsupported`.

use super::{Stop, Unsupported};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Number(f64),
    Text(String),
    /// The backtick that opens a template literal.
    Backtick,
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

/// Signs, the longer before their beginnings. Those outside the subset are here so that they are not read in halves.
const SIGNS: [&str; 52] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**", "{", "}", "(", ")",
    "[", "]", ".", ";", ",", "<", ">", "+", "-", "*", "%", "!", "?", ":", "=",
];

/// Reads tokens one after the other.
pub(super) struct Lexer<'a> {
    pub(super) source: &'a str,
    pub(super) position: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn next(&mut self) -> Result<Token<'a>, Stop> {
        let rest = self.source[self.position..].trim_start_matches(is_space);
        self.position = self.source.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => Ok(Token::Name(self.name(rest))),
            '0'..='9' => self.number(rest),
            '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number(rest),
            '"' | '\'' => self.text(first),
            '`' => {
                self.position += 1;
                Ok(Token::Backtick)
            }
            '/' => self.slash(rest),
            _ => self.sign(rest),
        }
    }

    fn name(&mut self, rest: &'a str) -> &'a str {
        let name_char = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '$');
        let end = rest.find(|character| !name_char(character)).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    /// Division; comments and regular expressions are told apart by the parser never asking for a value here.
    fn slash(&mut self, rest: &str) -> Result<Token<'a>, Stop> {
        if matches!(rest.as_bytes().get(1), Some(b'/' | b'*' | b'=')) {
            return Err(Unsupported.into());
        }
        self.position += 1;
        Ok(Token::Sign("/"))
    }

    fn sign(&mut self, rest: &str) -> Result<Token<'a>, Stop> {
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).ok_or(Unsupported)?;
        // `a?.5:b` is a conditional.
        let digit_follows = rest.as_bytes().get(2).is_some_and(u8::is_ascii_digit);
        let sign = if *sign == "?." && digit_follows { "?" } else { sign };
        self.position += sign.len();
        Ok(Token::Sign(sign))
    }

    fn number(&mut self, rest: &str) -> Result<Token<'a>, Stop> {
        let bytes = rest.as_bytes();
        let digits_from = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = digits_from(0);
        if end > 1 && bytes[0] == b'0' {
            return Err(Unsupported.into());
        }
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits_from(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let digits = digits_from(end + 1 + sign);
            if digits == 0 {
                return Err(Unsupported.into());
            }
            end += 1 + sign + digits;
        }
        let follows = rest[end..].chars().next();
        if follows.is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '$' | '\\')) {
            return Err(Unsupported.into());
        }
        self.position += end;
        Ok(Token::Number(rest[..end].parse().map_err(|_| Unsupported)?))
    }

    fn text(&mut self, quote: char) -> Result<Token<'a>, Stop> {
        self.position += 1;
        let mut text = String::new();
        loop {
            let character = self.take()?;
            match character {
                _ if character == quote => return Ok(Token::Text(text)),
                '\n' | '\r' => return Err(Unsupported.into()),
                '\\' => self.escape(&mut text)?,
                _ => text.push(character),
            }
        }
    }

    /// The text of a template literal up to its end or the next `${`; true when an expression follows.
    pub(super) fn template_text(&mut self) -> Result<(String, bool), Stop> {
        let mut text = String::new();
        loop {
            match self.take()? {
                '`' => return Ok((text, false)),
                '$' if self.source[self.position..].starts_with('{') => {
                    self.position += 1;
                    return Ok((text, true));
                }
                '\\' => self.escape(&mut text)?,
                '\r' => return Err(Unsupported.into()),
                character => text.push(character),
            }
        }
    }

    fn take(&mut self) -> Result<char, Stop> {
        let character = self.source[self.position..].chars().next().ok_or(Unsupported)?;
        self.position += character.len_utf8();
        Ok(character)
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Stop> {
        let character = match self.take()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' if !self.source[self.position..].starts_with(|next: char| next.is_ascii_digit()) => '\0',
            'x' => self.hex(2)?,
            'u' if !self.source[self.position..].starts_with('{') => self.hex(4)?,
            '\n' => return Ok(()),
            other @ ('0'..='9' | 'u' | '\r' | '\u{2028}' | '\u{2029}') => {
                let _ = other;
                return Err(Unsupported.into());
            }
            other => other,
        };
        text.push(character);
        Ok(())
    }

    fn hex(&mut self, count: usize) -> Result<char, Stop> {
        let digits = self.source.get(self.position..self.position + count).ok_or(Unsupported)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Unsupported.into());
        }
        self.position += count;
        let code = u32::from_str_radix(digits, 16).map_err(|_| Unsupported)?;
        Ok(char::from_u32(code).ok_or(Unsupported)?)
    }
}

/// White space as JavaScript has it.
pub(super) fn is_space(character: char) -> bool {
    (character.is_whitespace() && character != '\u{85}') || character == '\u{feff}'
}
