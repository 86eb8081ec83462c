//! JavaScript values of the native subset, borrowed from the run's data wherever they come from it.
//!
//! Invariant: texts are whole Unicode texts. An operation that would tear a surrogate pair is `Unsupported`.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};

use super::parser::is_guarded;
use super::{Stop, Unsupported, number};

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Js<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An array of the run's data.
    List(&'a [Value]),
    /// An object of the run's data.
    Map(&'a JsonObject),
    /// An array that the expression made.
    Array(Rc<Vec<Js<'a>>>),
    /// An object that the expression made; each key once.
    Object(Rc<Vec<(Cow<'a, str>, Js<'a>)>>),
    /// The items of an input or of another node.
    Items(&'a [Item]),
    /// One of them.
    Item(&'a Item),
}

impl<'a> Js<'a> {
    pub(crate) fn from_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(list) => Self::List(list),
            Value::Object(map) => Self::Map(map),
        }
    }

    /// A value of its own, for JSON that the expression itself has read.
    pub(crate) fn from_owned_json(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Self::text(text),
            Value::Array(list) => Self::array(list.into_iter().map(Self::from_owned_json).collect()),
            Value::Object(map) => {
                let entries = map.into_iter().map(|(key, value)| (Cow::Owned(key), Self::from_owned_json(value)));
                Self::Object(Rc::new(entries.collect()))
            }
        }
    }

    pub(crate) fn text(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    pub(crate) fn array(elements: Vec<Self>) -> Self {
        Self::Array(Rc::new(elements))
    }

    pub(crate) fn is_nullish(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(bool) => *bool,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        !matches!(self, Self::Undefined | Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_))
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            _ => "object",
        }
    }

    /// Number of elements, where it is an array.
    pub(crate) fn array_len(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Array(elements) => Some(elements.len()),
            Self::Items(items) => Some(items.len()),
            _ => None,
        }
    }

    /// Element `index`, where it is an array that has one.
    pub(crate) fn element(&self, index: usize) -> Option<Self> {
        match self {
            Self::List(list) => list.get(index).map(Self::from_json),
            Self::Array(elements) => elements.get(index).cloned(),
            Self::Items(items) => items.get(index).map(Self::Item),
            _ => None,
        }
    }

    /// `self.name`.
    pub(crate) fn member(&self, name: &str) -> Result<Self, Stop> {
        match self {
            Self::Undefined | Self::Null => Err(Stop::Threw),
            Self::Map(map) => match map.get(name) {
                Some(value) => Ok(Self::from_json(value)),
                None => inherited(name, &OBJECT_MEMBERS),
            },
            Self::Object(entries) => match entries.iter().find(|(key, _)| key == name) {
                Some((_, value)) => Ok(value.clone()),
                None => inherited(name, &OBJECT_MEMBERS),
            },
            Self::Item(item) => match name {
                "json" => Ok(Self::Map(&item.json)),
                _ => Err(Unsupported.into()),
            },
            Self::Text(text) => text_member(text, name),
            Self::Number(_) | Self::Bool(_) => inherited(name, &NUMBER_MEMBERS),
            Self::List(_) | Self::Array(_) | Self::Items(_) => self.array_member(name),
        }
    }

    fn array_member(&self, name: &str) -> Result<Self, Stop> {
        if name == "length" {
            return Ok(Self::Number(self.array_len().unwrap_or(0) as f64));
        }
        match index_of_key(name) {
            Some(index) => Ok(self.element(index).unwrap_or(Self::Undefined)),
            None => inherited(name, &ARRAY_MEMBERS),
        }
    }

    /// `self[index]`.
    pub(crate) fn index(&self, index: &Self) -> Result<Self, Stop> {
        if let (Self::Number(number), Some(length)) = (index, self.array_len()) {
            // A whole number in range needs no text.
            if number.fract() == 0.0 && (0.0..length as f64).contains(number) {
                return Ok(self.element(*number as usize).unwrap_or(Self::Undefined));
            }
        }
        if self.is_nullish() {
            return Err(Stop::Threw);
        }
        let name = index.to_text()?;
        if is_guarded(&name) {
            return Err(Unsupported.into());
        }
        self.member(&name)
    }

    /// `String(self)`.
    pub(crate) fn to_text(&self) -> Result<Cow<'a, str>, Stop> {
        Ok(match self {
            Self::Undefined => Cow::Borrowed("undefined"),
            Self::Null => Cow::Borrowed("null"),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number::to_text(*number)),
            Self::Text(text) => text.clone(),
            Self::Map(map) if map.contains_key("toString") || map.contains_key("valueOf") => {
                return Err(Unsupported.into());
            }
            Self::Object(entries) if entries.iter().any(|(key, _)| key == "toString" || key == "valueOf") => {
                return Err(Unsupported.into());
            }
            Self::Map(_) | Self::Object(_) => Cow::Borrowed("[object Object]"),
            Self::List(_) | Self::Array(_) => Cow::Owned(self.join(",")?),
            Self::Items(_) | Self::Item(_) => return Err(Unsupported.into()),
        })
    }

    /// `self.join(separator)` of an array.
    pub(crate) fn join(&self, separator: &str) -> Result<String, Stop> {
        let mut joined = String::new();
        for index in 0..self.array_len().unwrap_or(0) {
            if index > 0 {
                joined.push_str(separator);
            }
            let element = self.element(index).unwrap_or(Self::Undefined);
            if !element.is_nullish() {
                joined.push_str(&element.to_text()?);
            }
            if joined.len() > super::BUDGET {
                return Err(Unsupported.into());
            }
        }
        Ok(joined)
    }

    /// `Number(self)`.
    pub(crate) fn to_number(&self) -> Result<f64, Stop> {
        Ok(match self {
            Self::Undefined => f64::NAN,
            Self::Null => 0.0,
            Self::Bool(bool) => f64::from(u8::from(*bool)),
            Self::Number(number) => *number,
            Self::Text(text) => number::from_text(text),
            _ => number::from_text(&self.to_text()?),
        })
    }

    /// Own enumerable entries in JavaScript's order: index keys ascending, then the others as they came.
    pub(crate) fn entries(&self) -> Result<Vec<(Cow<'a, str>, Self)>, Stop> {
        let mut entries: Vec<(Cow<'a, str>, Self)> = match self {
            Self::Undefined | Self::Null => return Err(Stop::Threw),
            Self::Bool(_) | Self::Number(_) => Vec::new(),
            Self::Map(map) => {
                map.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), Self::from_json(value))).collect()
            }
            Self::Object(entries) => entries.to_vec(),
            Self::List(_) | Self::Array(_) => (0..self.array_len().unwrap_or(0))
                .map(|index| (Cow::Owned(index.to_string()), self.element(index).unwrap_or(Self::Undefined)))
                .collect(),
            Self::Text(_) | Self::Items(_) | Self::Item(_) => return Err(Unsupported.into()),
        };
        if entries.iter().any(|(key, _)| index_of_key(key).is_some()) {
            entries.sort_by_key(|(key, _)| index_of_key(key).unwrap_or(usize::MAX));
        }
        Ok(entries)
    }

    /// The value as JSON; `None` for `undefined`.
    pub(crate) fn into_json(self) -> Result<Option<Value>, Stop> {
        Ok(Some(match self {
            Self::Undefined => return Ok(None),
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Number(number) => number::to_json(number).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(list) => Value::Array(list.to_vec()),
            Self::Map(map) => Value::Object(map.clone()),
            Self::Array(elements) => {
                let json = elements.iter().map(|element| Ok(element.clone().into_json()?.unwrap_or(Value::Null)));
                Value::Array(json.collect::<Result<_, Stop>>()?)
            }
            Self::Object(_) => {
                let mut map = JsonObject::new();
                for (key, value) in self.entries()? {
                    if let Some(json) = value.into_json()? {
                        map.insert(key.into_owned(), json);
                    }
                }
                Value::Object(map)
            }
            Self::Items(_) | Self::Item(_) => return Err(Unsupported.into()),
        }))
    }
}

/// A property that the object itself lacks: `undefined`, unless its prototype has one of that name.
fn inherited<'a>(name: &str, members: &[&str]) -> Result<Js<'a>, Stop> {
    if members.contains(&name) || OBJECT_MEMBERS.contains(&name) || is_guarded(name) {
        return Err(Unsupported.into());
    }
    Ok(Js::Undefined)
}

fn text_member<'a>(text: &Cow<'a, str>, name: &str) -> Result<Js<'a>, Stop> {
    if name == "length" {
        return Ok(Js::Number(text_len(text) as f64));
    }
    let Some(index) = index_of_key(name) else { return inherited(name, &TEXT_MEMBERS) };
    if text.is_ascii() {
        let unit = text.get(index..index + 1);
        return Ok(unit.map_or(Js::Undefined, |unit| Js::text(unit.to_owned())));
    }
    match text.encode_utf16().nth(index) {
        Some(unit) => Ok(Js::text(String::from_utf16(&[unit]).map_err(|_| Unsupported)?)),
        None => Ok(Js::Undefined),
    }
}

/// `text.length`: UTF-16 units.
pub(crate) fn text_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The array index that `key` is the canonical text of.
fn index_of_key(key: &str) -> Option<usize> {
    let canonical = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    let index = if canonical { key.parse::<u32>().ok()? } else { return None };
    (index < u32::MAX).then_some(index as usize)
}

/// Members of `Object.prototype`.
const OBJECT_MEMBERS: [&str; 6] =
    ["hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"];

/// Members of `Number.prototype` that objects lack.
const NUMBER_MEMBERS: [&str; 3] = ["toExponential", "toFixed", "toPrecision"];

/// Members of `String.prototype`.
const TEXT_MEMBERS: [&str; 51] = [
    "anchor",
    "at",
    "big",
    "blink",
    "bold",
    "charAt",
    "charCodeAt",
    "codePointAt",
    "concat",
    "endsWith",
    "fixed",
    "fontcolor",
    "fontsize",
    "includes",
    "indexOf",
    "isWellFormed",
    "italics",
    "lastIndexOf",
    "link",
    "localeCompare",
    "match",
    "matchAll",
    "normalize",
    "padEnd",
    "padStart",
    "repeat",
    "replace",
    "replaceAll",
    "search",
    "slice",
    "small",
    "split",
    "startsWith",
    "strike",
    "sub",
    "substr",
    "substring",
    "sup",
    "toLocaleLowerCase",
    "toLocaleUpperCase",
    "toLowerCase",
    "toUpperCase",
    "toWellFormed",
    "trim",
    "trimEnd",
    "trimLeft",
    "trimRight",
    "trimStart",
    "toString",
    "valueOf",
    "toLocaleString",
];

/// Members of `Array.prototype`.
const ARRAY_MEMBERS: [&str; 39] = [
    "at",
    "concat",
    "copyWithin",
    "entries",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "forEach",
    "includes",
    "indexOf",
    "join",
    "keys",
    "lastIndexOf",
    "map",
    "pop",
    "push",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toReversed",
    "toSorted",
    "toSpliced",
    "unshift",
    "values",
    "with",
    "toString",
    "toLocaleString",
    "valueOf",
];
