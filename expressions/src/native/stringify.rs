//! `JSON.stringify`.

use super::eval::Machine;
use super::value::Js;
use super::{BUDGET, Stop, Unsupported, number};

/// Deepest nesting that is written natively.
const DEPTH_MAX: usize = 200;

/// `JSON.stringify(value, null, indent)`.
pub(super) fn call<'a>(machine: &mut Machine<'a>, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    if !matches!(arguments.get(1), None | Some(Js::Undefined | Js::Null)) {
        return Err(Unsupported.into());
    }
    let indent = match arguments.get(2) {
        None => String::new(),
        Some(Js::Number(number)) => " ".repeat(number.trunc().clamp(0.0, 10.0) as usize),
        Some(Js::Text(text)) if text.is_ascii() => text.chars().take(10).collect(),
        Some(Js::Text(_)) => return Err(Unsupported.into()),
        Some(other) if other.is_object() => return Err(Unsupported.into()),
        Some(_) => String::new(),
    };
    let Some(value) = arguments.first() else { return Ok(Js::Undefined) };
    let mut writer = Writer { text: String::new(), indent, depth: 0 };
    if !writer.write(value)? {
        return Ok(Js::Undefined);
    }
    machine.charge(writer.text.len())?;
    Ok(Js::text(writer.text))
}

struct Writer {
    text: String,
    indent: String,
    depth: usize,
}

impl Writer {
    /// Writes `value`; false for `undefined`, which JSON lacks.
    fn write(&mut self, value: &Js<'_>) -> Result<bool, Stop> {
        if self.text.len() > BUDGET || self.depth > DEPTH_MAX {
            return Err(Unsupported.into());
        }
        match value {
            Js::Undefined => return Ok(false),
            Js::Null => self.text.push_str("null"),
            Js::Bool(bool) => self.text.push_str(if *bool { "true" } else { "false" }),
            Js::Number(number) if number.is_finite() => self.text.push_str(&number::to_text(*number)),
            Js::Number(_) => self.text.push_str("null"),
            Js::Text(text) => self.text.push_str(&quoted(text)?),
            Js::List(_) | Js::Array(_) => self.list(value)?,
            Js::Map(_) | Js::Object(_) => self.object(value)?,
            Js::Items(_) | Js::Item(_) => return Err(Unsupported.into()),
        }
        Ok(true)
    }

    fn list(&mut self, list: &Js<'_>) -> Result<(), Stop> {
        let length = list.array_len().unwrap_or(0);
        self.text.push('[');
        self.depth += 1;
        for index in 0..length {
            self.separate(index == 0);
            let element = list.element(index).unwrap_or(Js::Undefined);
            if !self.write(&element)? {
                self.text.push_str("null");
            }
        }
        self.close(length == 0, ']');
        Ok(())
    }

    fn object(&mut self, object: &Js<'_>) -> Result<(), Stop> {
        self.text.push('{');
        self.depth += 1;
        let mut is_empty = true;
        for (key, value) in object.entries()? {
            // Data holds no functions, so a `toJSON` key is data as well.
            if matches!(value, Js::Undefined) {
                continue;
            }
            self.separate(is_empty);
            is_empty = false;
            self.text.push_str(&quoted(&key)?);
            self.text.push_str(if self.indent.is_empty() { ":" } else { ": " });
            self.write(&value)?;
        }
        self.close(is_empty, '}');
        Ok(())
    }

    fn separate(&mut self, is_first: bool) {
        if !is_first {
            self.text.push(',');
        }
        self.new_line();
    }

    fn close(&mut self, is_empty: bool, bracket: char) {
        self.depth -= 1;
        if !is_empty {
            self.new_line();
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self) {
        if !self.indent.is_empty() {
            self.text.push('\n');
            self.text.push_str(&self.indent.repeat(self.depth));
        }
    }
}

fn quoted(text: &str) -> Result<String, Stop> {
    Ok(serde_json::to_string(text).map_err(|_| Unsupported)?)
}
