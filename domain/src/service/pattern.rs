//! The patterns of the table, filled with the parameters of a node. See `table/README.md` for how they are written.
//!
//! Never evaluates an expression: it is carried to where its value is sent. Invariant: what cannot be carried whole is an
//! error that names the parameter.

use serde_json::{Value, json};

use super::compose::{
    Piece, Reference, Within, add_pieces, code_of, is_expression, literal, plain, put_together, references, scripted,
    shown,
};
use super::parameters::{Parameters, is_empty, joined};
use crate::definition::template::{Template, split};
use crate::item::JsonObject;

/// What a pattern can ask for, beside parameters as they are.
pub(super) const VERBS: &[&str] = &[
    "$choose", "$code", "$colour", "$concat", "$each", "$fields", "$inner", "$json", "$keyed", "$list", "$map",
    "$merge", "$needed", "$pairs", "$row", "$split", "$text", "$without",
];

/// Whether the name of a member asks for something: two dollars at its beginning stand for one, which does not.
pub(super) fn is_verb(name: &str) -> bool {
    name.starts_with('$') && !name.starts_with("$$")
}

/// A name as it is sent.
pub(super) fn sent_name(name: &str) -> String {
    name.strip_prefix('$').filter(|rest| rest.starts_with('$')).unwrap_or(name).to_owned()
}

/// Whether a list or object is there where nothing is in it.
fn may_be_empty(fields: &JsonObject) -> bool {
    fields.get("empty") == Some(&Value::Bool(true))
}

/// Fills patterns with parameters.
pub(super) struct Filling<'n> {
    /// The parameters.
    pub parameters: Parameters<'n>,
    /// The element of a list that `@{.name}` is about.
    element: String,
}

impl<'n> Filling<'n> {
    /// Fills with these parameters.
    pub fn new(parameters: Parameters<'n>) -> Self {
        Self { parameters, element: String::new() }
    }

    /// Whether all conditions hold: each names a parameter and the value, or values, that it must have. `"*"` stands for
    /// any value, null for none.
    ///
    /// # Errors
    /// When an expression would decide.
    pub fn holds(&mut self, conditions: &JsonObject) -> Result<bool, String> {
        self.against(conditions).map(|path| path.is_none())
    }

    /// The first parameter that does not have the value that it must have.
    ///
    /// # Errors
    /// When an expression would decide.
    pub fn against<'c>(&mut self, conditions: &'c JsonObject) -> Result<Option<&'c str>, String> {
        for (path, wanted) in conditions {
            let value = self.get(path)?.filter(|value| !is_empty(value));
            let holds = match (wanted, value) {
                (Value::Null, value) => value.is_none(),
                (Value::Array(values), None) => values.contains(&Value::Null),
                (_, None) => wanted == &json!(false),
                (Value::String(any), Some(_)) if any == "*" => true,
                (_, Some(value)) if is_expression(&value) => {
                    return Err(format!("the parameter '{path}' is an expression and decides what is sent"));
                }
                (Value::Array(values), Some(value)) => values.contains(&value),
                (wanted, Some(value)) => *wanted == value,
            };
            if !holds {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// The address: values in it are single segments.
    ///
    /// # Errors
    /// When a parameter that it needs is not set.
    pub fn address(&mut self, pattern: &str) -> Result<String, String> {
        match self.text(pattern, Within::Address)? {
            Some(Value::String(address)) => Ok(address),
            _ => Err("a parameter that the address needs is not set".to_owned()),
        }
    }

    /// The members that there are values for.
    ///
    /// # Errors
    /// As [`Filling::value`].
    pub fn object(&mut self, pattern: &JsonObject) -> Result<JsonObject, String> {
        let mut made = JsonObject::new();
        for (name, pattern) in pattern {
            if let Some(value) = self.value(pattern)? {
                made.insert(sent_name(name), value);
            }
        }
        Ok(made)
    }

    /// The value of a pattern; `None` where its parameters are not set.
    ///
    /// # Errors
    /// When a parameter cannot be carried.
    pub fn value(&mut self, pattern: &Value) -> Result<Option<Value>, String> {
        match pattern {
            Value::String(text) => self.text(text, Within::Text),
            Value::Array(elements) => {
                let made: Result<Vec<Option<Value>>, String> =
                    elements.iter().map(|element| self.value(element)).collect();
                Ok(Some(made?.into_iter().flatten().collect()))
            }
            Value::Object(fields) => match fields.iter().next() {
                Some((verb, argument)) if is_verb(verb) => self.special(verb, argument, fields),
                _ => {
                    let made = self.object(fields)?;
                    // What is made of parameters alone is not there when none of them is.
                    Ok((!made.is_empty() || fields.is_empty()).then_some(Value::Object(made)))
                }
            },
            other => Ok(Some(other.clone())),
        }
    }

    fn special(&mut self, verb: &str, argument: &Value, fields: &JsonObject) -> Result<Option<Value>, String> {
        let path = argument.as_str().unwrap_or_default();
        match verb {
            "$json" => self.json(path),
            "$list" => self.list(path),
            "$text" => self.joined_text(path),
            "$code" => self.code(path).map(|code| code.map(|code| Value::String(format!("={{{{ {code} }}}}")))),
            "$map" => self.mapped(path, fields),
            "$split" => self.split(path, fields),
            "$choose" => self.chosen(argument),
            "$keyed" => self.keyed(path, fields.get("give").unwrap_or(&Value::Null)),
            "$merge" => self.merged(argument, fields),
            "$without" => self.without(path, fields),
            "$inner" => self.inner(path, fields),
            "$colour" => self.colour(path),
            "$each" => self.each(path, fields.get("give").unwrap_or(&Value::Null)),
            "$fields" => self.named(path, fields),
            "$pairs" => self.pairs(argument, fields),
            "$concat" => self.concat(argument, fields),
            "$row" => self.row(path, fields),
            "$needed" => match self.value(argument)? {
                Some(value) if !is_empty(&value) => Ok(Some(value)),
                _ => Err(format!("the parameter '{}' is not set", shown(argument))),
            },
            other => Err(format!("the table has the unknown verb '{other}'")),
        }
    }

    /// A list of pairs of a name and a value, for the names that there are values for.
    fn pairs(&mut self, patterns: &Value, fields: &JsonObject) -> Result<Option<Value>, String> {
        let named = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or(name).to_owned();
        let (name_field, value_field) = (named("name"), named("value"));
        let mut made = Vec::new();
        for (name, pattern) in patterns.as_object().into_iter().flatten() {
            let Some(value) = self.value(pattern)? else { continue };
            let pair = [(name_field.clone(), Value::from(name.as_str())), (value_field.clone(), value)];
            made.push(Value::Object(JsonObject::from_iter(pair)));
        }
        Ok((!made.is_empty()).then_some(Value::Array(made)))
    }

    /// Several lists as one.
    fn concat(&mut self, patterns: &Value, fields: &JsonObject) -> Result<Option<Value>, String> {
        let mut made = Vec::new();
        for pattern in patterns.as_array().into_iter().flatten() {
            match self.value(pattern)? {
                Some(Value::Array(elements)) => made.extend(elements),
                Some(_) => return Err(format!("'{}' is no list", shown(pattern))),
                None => {}
            }
        }
        Ok((!made.is_empty() || may_be_empty(fields)).then_some(Value::Array(made)))
    }

    /// The values of named columns, in the order in which the file lists the columns.
    fn row(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let columns = fields.get("columns").and_then(Value::as_str).unwrap_or_default();
        let Some(Value::Object(mut values)) = self.get(path)? else {
            return Err(format!("the parameter '{path}' has no values of single columns"));
        };
        let Some(Value::Array(columns)) = self.get(columns)? else {
            return Err(format!("the file does not list the columns in '{columns}'"));
        };
        let named = columns.iter().filter_map(|column| column.get("id").and_then(Value::as_str));
        let row: Vec<Value> = named.map(|name| values.shift_remove(name).unwrap_or_else(|| "".into())).collect();
        match values.keys().next() {
            Some(name) => Err(format!("the file does not tell where the column '{name}' is")),
            None => Ok(Some(Value::Array(row))),
        }
    }

    /// JSON that a person wrote as text.
    fn json(&mut self, path: &str) -> Result<Option<Value>, String> {
        let Some(value) = self.present(path)? else { return Ok(None) };
        let Value::String(text) = &value else { return Ok(Some(value)) };
        if let Some(template) = text.strip_prefix('=') {
            let code = code_of(template, path)?;
            let read = format!("(text => typeof text === \"string\" ? JSON.parse(text) : text)({code})");
            return Ok(Some(Value::String(format!("={{{{ {} }}}}", read))));
        }
        let read = serde_json::from_str(text);
        read.map(Some).map_err(|error| format!("the parameter '{path}' is not JSON: {error}"))
    }

    /// A list, or a text with commas.
    fn list(&mut self, path: &str) -> Result<Option<Value>, String> {
        let Some(value) = self.present(path)? else { return Ok(None) };
        let Value::String(text) = &value else { return Ok(Some(value)) };
        if let Some(template) = text.strip_prefix('=') {
            let code = code_of(template, path)?;
            let split = "(list => Array.isArray(list) ? list : String(list).split(\",\").map(part => part.trim()))";
            return Ok(Some(Value::String(format!("={{{{ {split}({}) }}}}", code))));
        }
        Ok(Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()))
    }

    /// A list as text with commas, and a number as text.
    fn joined_text(&mut self, path: &str) -> Result<Option<Value>, String> {
        let Some(value) = self.present(path)? else { return Ok(None) };
        Ok(Some(match value {
            Value::String(text) => match text.strip_prefix('=') {
                Some(template) if matches!(split(template), Template::Code(_)) => {
                    Value::String(format!("={{{{ String({}) }}}}", code_of(template, path)?))
                }
                _ => Value::String(text),
            },
            Value::Array(elements) => {
                let texts: Result<Vec<String>, String> = elements.iter().map(|element| plain(element, path)).collect();
                let texts = texts?;
                if texts.iter().any(|text| text.starts_with('=')) {
                    return Err(format!("the list '{path}' holds expressions"));
                }
                Value::String(texts.join(","))
            }
            other => Value::String(plain(&other, path)?),
        }))
    }

    /// What stands under the word that a parameter has.
    fn mapped(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let Some(word) = self.word(path, fields)? else { return Ok(None) };
        let pattern = fields.get("to").and_then(|words| words.get(&word));
        let pattern = pattern.ok_or_else(|| format!("the parameter '{}' is '{word}'", self.full(path)))?;
        self.value(pattern)
    }

    /// The word that a parameter has, or the part of it before or after a mark.
    fn word(&mut self, path: &str, fields: &JsonObject) -> Result<Option<String>, String> {
        let Some(value) = self.present(path)? else { return Ok(None) };
        if is_expression(&value) {
            return Err(format!("the parameter '{}' is an expression and decides what is sent", self.full(path)));
        }
        let word = plain(&value, path)?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        Ok(Some(match (text("before"), text("after")) {
            (Some(mark), _) => word.split(mark).next().unwrap_or_default().to_owned(),
            (None, Some(mark)) => word.rsplit(mark).next().unwrap_or_default().to_owned(),
            (None, None) => word,
        }))
    }

    /// The part of a word before or after a mark, where an expression gives the word as well.
    fn split(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let part = match (text("before"), text("after")) {
            (Some(mark), _) => Some(format!(".split({})[0]", literal(&mark.into()))),
            (None, Some(mark)) => Some(format!(".split({}).pop()", literal(&mark.into()))),
            (None, None) => None,
        };
        if let (Some(part), Some(Value::String(word))) = (part, self.present(path)?)
            && let Some(template) = word.strip_prefix('=')
        {
            let code = code_of(template, path)?;
            return Ok(Some(Value::String(format!("={{{{ String({code}){part} }}}}"))));
        }
        Ok(self.word(path, fields)?.map(Value::String))
    }

    /// The first of several whose conditions hold.
    fn chosen(&mut self, choices: &Value) -> Result<Option<Value>, String> {
        for choice in choices.as_array().into_iter().flatten() {
            let nothing = JsonObject::new();
            if self.holds(choice.get("when").and_then(Value::as_object).unwrap_or(&nothing))? {
                return self.value(choice.get("give").unwrap_or(&Value::Null));
            }
        }
        let place = if self.element.is_empty() { "the node" } else { self.element.as_str() };
        Err(format!("the table does not tell what is sent for '{place}'"))
    }

    /// An object with one member, whose name a parameter has.
    fn keyed(&mut self, path: &str, give: &Value) -> Result<Option<Value>, String> {
        let Some(name) = self.word(path, &JsonObject::new())? else { return Ok(None) };
        Ok(self.value(give)?.map(|value| Value::Object(JsonObject::from_iter([(name, value)]))))
    }

    /// The members of several objects.
    fn merged(&mut self, patterns: &Value, fields: &JsonObject) -> Result<Option<Value>, String> {
        let mut made = JsonObject::new();
        for pattern in patterns.as_array().into_iter().flatten() {
            match self.value(pattern)? {
                Some(Value::Object(fields)) => made.extend(fields),
                Some(_) => return Err(format!("'{}' has no members", shown(pattern))),
                None => {}
            }
        }
        Ok((!made.is_empty() || may_be_empty(fields)).then_some(Value::Object(made)))
    }

    /// An object without one of its members.
    fn without(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let member = fields.get("member").and_then(Value::as_str).unwrap_or_default();
        match self.present(path)? {
            Some(Value::Object(mut fields)) => {
                fields.shift_remove(member);
                Ok(Some(Value::Object(fields)))
            }
            Some(_) => Err(format!("the parameter '{path}' has no members")),
            None => Ok(None),
        }
    }

    /// A member of JSON that a person wrote as text; a list is taken as it is.
    fn inner(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let member = fields.get("member").and_then(Value::as_str).unwrap_or_default();
        if let Some(Value::String(text)) = self.present(path)?
            && let Some(template) = text.strip_prefix('=')
        {
            let code = code_of(template, path)?;
            let read = "(text => typeof text === \"string\" ? JSON.parse(text) : text)";
            let taken = format!("(value => Array.isArray(value) ? value : value.{member})({read}({code}))");
            return Ok(Some(Value::String(format!("={{{{ {taken} }}}}"))));
        }
        match self.json(path)? {
            Some(Value::Object(mut fields)) => Ok(fields.shift_remove(member)),
            other => Ok(other),
        }
    }

    /// A colour as the number that its six hexadecimal digits are.
    fn colour(&mut self, path: &str) -> Result<Option<Value>, String> {
        let Some(value) = self.present(path)? else { return Ok(None) };
        if is_expression(&value) {
            let code = code_of(value.as_str().unwrap_or_default().trim_start_matches('='), path)?;
            return Ok(Some(Value::String(format!("={{{{ parseInt(String({code}).replace(\"#\", \"\"), 16) }}}}"))));
        }
        let digits = plain(&value, path)?;
        let number = u32::from_str_radix(digits.trim_start_matches('#'), 16);
        number.map(|number| Some(number.into())).map_err(|_| format!("the parameter '{path}' is no colour"))
    }

    /// A list with what each of its elements comes to.
    fn each(&mut self, path: &str, give: &Value) -> Result<Option<Value>, String> {
        let count = self.count(path)?;
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            let value = self.at_element(path, index, |filling| filling.value(give))?;
            made.extend(value);
        }
        Ok((!made.is_empty()).then_some(Value::Array(made)))
    }

    /// An object with what each element of a list is named and comes to.
    fn named(&mut self, path: &str, fields: &JsonObject) -> Result<Option<Value>, String> {
        let part = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let (name, value) = (part("name"), part("value"));
        let count = self.count(path)?;
        let mut made = JsonObject::new();
        for index in 0..count {
            let (name, value) =
                self.at_element(path, index, |filling| Ok((filling.value(&name)?, filling.value(&value)?)))?;
            let Some(Value::String(name)) = name.filter(|name| !is_empty(name)) else { continue };
            if name.starts_with('=') {
                return Err(format!("a name in '{path}' is an expression"));
            }
            made.extend(value.map(|value| (name, value)));
        }
        Ok((!made.is_empty()).then_some(Value::Object(made)))
    }

    /// How many elements a list has.
    ///
    /// # Errors
    /// When an expression takes its place.
    pub fn count(&self, path: &str) -> Result<usize, String> {
        let full = self.full(path);
        // The list itself is not taken down as read: each of its elements is, field by field.
        match self.parameters.peek(&full) {
            Some(Value::Array(elements)) => Ok(elements.len()),
            Some(value) if is_expression(value) => Err(format!("the list '{path}' is an expression")),
            _ => Ok(0),
        }
    }

    /// From now on `@{.name}` is about that element of a list.
    pub fn turn_to(&mut self, list: &str, index: usize) {
        self.element = joined(list, &index.to_string());
    }

    fn at_element<T>(
        &mut self,
        path: &str,
        index: usize,
        fill: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let element = joined(&self.full(path), &index.to_string());
        let outer = std::mem::replace(&mut self.element, element);
        let made = fill(self);
        self.element = outer;
        made
    }

    /// Code with parameters in it as JavaScript; `None` when one that it names is not set.
    fn code(&mut self, pattern: &str) -> Result<Option<String>, String> {
        let mut code = String::new();
        for part in references(pattern) {
            match part {
                Reference::Text(text) => code.push_str(text),
                Reference::Parameter(path) => match self.present(path)? {
                    Some(value) => code.push_str(&scripted(&value, path)?),
                    None if path.ends_with('?') => code.push_str("\"\""),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(code))
    }

    /// A text with parameters in it; `None` when one that it names is not set.
    fn text(&mut self, pattern: &str, within: Within) -> Result<Option<Value>, String> {
        let parts: Vec<Reference<'_>> = references(pattern).collect();
        if let ([Reference::Parameter(path)], Within::Text) = (parts.as_slice(), within) {
            return self.present(path);
        }
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Reference::Text(text) => pieces.push(Piece::Text(text.to_owned())),
                Reference::Parameter(path) => match self.present(path)? {
                    Some(value) => {
                        let within = if path.starts_with('+') { Within::Text } else { within };
                        add_pieces(&plain(&value, path)?, path, within, &mut pieces)?;
                    }
                    None if path.ends_with('?') => {}
                    None if within == Within::Address => return Err(format!("the parameter '{path}' is not set")),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(Value::String(put_together(&pieces))))
    }

    /// The value of a reference; `None` where it is not set or empty. One that begins with `=` is JavaScript, such as
    /// what reads an answer.
    fn present(&mut self, reference: &str) -> Result<Option<Value>, String> {
        let path = reference.trim_start_matches('+').trim_end_matches('?');
        if let Some(code) = path.strip_prefix('=') {
            return match self.code(code)? {
                Some(code) => Ok(Some(Value::String(format!("={{{{ {code} }}}}")))),
                None => Err("a parameter that another request needs is not set".to_owned()),
            };
        }
        Ok(self.get(path)?.filter(|value| !is_empty(value)))
    }

    fn get(&mut self, path: &str) -> Result<Option<Value>, String> {
        let full = self.full(path);
        self.parameters.get(&full)
    }

    fn full(&self, path: &str) -> String {
        match path.strip_prefix('.') {
            Some("") => self.element.clone(),
            Some(name) => joined(&self.element, name),
            None => path.to_owned(),
        }
    }
}
