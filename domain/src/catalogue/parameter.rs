//! What a parameter of a node type is: its kind, its default, and when it counts. All of it is data.

use serde::Serialize;
use serde_json::Value;

/// One parameter of a node type, or one field of a parameter.
///
/// A name may stand more than once in a list where at most one of them is shown at a time: older versions of a node and
/// other operations have their own form of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParameterDefinition {
    /// Name in the file.
    pub name: &'static str,
    /// Name for people; `None` when the name in the file says it, see [`Self::label`].
    pub label: Option<&'static str>,
    /// Kind of value.
    pub kind: ParameterKind,
    /// Whether a run without it fails.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
    /// An example, for an empty field.
    pub placeholder: Option<&'static str>,
    /// Of what a text is the name, where people choose among those that there are: `agent`, `model` or `route`.
    pub names: Option<&'static str>,
    /// What the node takes when the parameter is absent.
    pub default: Option<Constant>,
    /// All of these have to hold for the parameter to count.
    pub shown_when: &'static [Condition],
    /// The node's versions that have it.
    pub versions: Versions,
}

/// Kind of value that a parameter takes. Expressions are allowed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Text of one line.
    Text,
    /// Text of several lines.
    LongText,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of these words.
    Options(&'static [Choice]),
    /// A list of some of these words.
    MultiOptions(&'static [Choice]),
    /// JSON, as text or as it is.
    Json,
    /// A date with a time.
    DateTime,
    /// A colour: `#rrggbb`, `#rrggbbaa` or the name of one.
    Color,
    /// A program in this language.
    Code(Language),
    /// An object with any of these fields.
    Collection(&'static [ParameterDefinition]),
    /// An object with any of these keys, each with an object or a list of objects below it.
    List(&'static [Section]),
    /// Fields to set: `{"assignments": [{"id", "name", "type", "value"}]}`, with these types.
    Assignments(&'static [Choice]),
    /// Comparisons: `{"options", "combinator", "conditions": [{"leftValue", "rightValue", "operator"}]}`, with these
    /// operators.
    Conditions(&'static [Operator]),
    /// Something that is chosen or named: `{"__rl": true, "mode", "value"}`.
    Resource(ResourceDefinition),
    /// An object or array of the node's own shape.
    Structure,
}

/// A language of [`ParameterKind::Code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// JavaScript.
    JavaScript,
    /// HTML.
    Html,
    /// CSS.
    Css,
    /// SQL.
    Sql,
    /// GraphQL.
    GraphQl,
    /// Markdown.
    Markdown,
}

/// One word of [`ParameterKind::Options`], or a number where files have one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What stands in the file.
    pub value: Constant,
    /// Name for people.
    pub label: &'static str,
    /// One sentence for people, where the name does not say it.
    pub description: Option<&'static str>,
}

/// One part of [`ParameterKind::List`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// The key below which its entries are.
    pub key: &'static str,
    /// Name of one entry for people.
    pub label: &'static str,
    /// Whether a list of entries lies there, or one entry alone.
    pub many: bool,
    /// The fields of an entry.
    pub fields: &'static [ParameterDefinition],
}

/// One comparison of [`ParameterKind::Conditions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// Type of the left side.
    pub value_type: &'static str,
    /// The comparison.
    pub operation: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Type of the right side; `None` when there is none.
    pub right_type: Option<&'static str>,
}

/// What [`ParameterKind::Resource`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDefinition {
    /// Its kind: `workflow`, `route`.
    pub of: &'static str,
    /// The ways to name it, the usual one first.
    pub modes: &'static [ResourceMode],
}

/// A way to name a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMode {
    /// The word in `mode`.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Whether it is chosen from a list; it is written otherwise.
    pub listed: bool,
    /// An example, for an empty field.
    pub placeholder: Option<&'static str>,
}

/// A value in the data of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Constant {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A structure, as the text of its JSON.
    Json(&'static str),
}

/// What has to be so for a parameter to count: another parameter has one of these values. One that is absent has its
/// default, and one that does not count itself has none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its name beside this one, dotted where it is within another: `options.format`. With a slash before it, a
    /// parameter of the node.
    pub parameter: &'static str,
    /// The values.
    pub values: Values,
}

/// Some values of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// These words.
    Words(&'static [&'static str]),
    /// This truth.
    Truth(bool),
}

/// A range of a node type's versions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// The first.
    pub from: f64,
    /// The last.
    pub to: f64,
}

/// A credential that a node type takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialDefinition {
    /// Its type, for example `httpBasicAuth`.
    pub credential_type: &'static str,
    /// Whether a run without it fails.
    pub required: bool,
    /// All of these have to hold for it to be used.
    pub shown_when: &'static [Condition],
    /// The node's versions that use it.
    pub versions: Versions,
}

impl Versions {
    /// All of them.
    pub const ALL: Self = Self { from: 0.0, to: f64::MAX };

    /// Whether that version is among them.
    pub fn contain(&self, version: f64) -> bool {
        (self.from..=self.to).contains(&version)
    }
}

impl Values {
    /// The values, one by one.
    pub fn to_json(&self) -> Vec<Value> {
        match self {
            Self::Words(words) => words.iter().map(|word| Value::from(*word)).collect(),
            Self::Truth(truth) => vec![Value::from(*truth)],
        }
    }
}

impl Constant {
    /// The value as a text.
    pub fn to_text(&self) -> String {
        match self.to_json() {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// The value.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(*text),
            Self::Number(number) if number.fract() == 0.0 => Value::from(*number as i64),
            Self::Number(number) => Value::from(*number),
            Self::Boolean(truth) => Value::from(*truth),
            // A test reads all of them.
            Self::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

impl ParameterDefinition {
    /// A parameter that may be absent, with nothing in its place.
    pub const fn new(name: &'static str, kind: ParameterKind, description: &'static str) -> Self {
        Self {
            name,
            label: None,
            kind,
            required: false,
            description,
            placeholder: None,
            names: None,
            default: None,
            shown_when: &[],
            versions: Versions::ALL,
        }
    }

    /// The same, without which a run fails.
    #[must_use]
    pub const fn needed(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, called that by people.
    #[must_use]
    pub const fn called(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// The same, with that example.
    #[must_use]
    pub const fn like(mut self, placeholder: &'static str) -> Self {
        self.placeholder = Some(placeholder);
        self
    }

    /// The same, a text that is the name of such a thing.
    #[must_use]
    pub const fn naming(mut self, what: &'static str) -> Self {
        self.names = Some(what);
        self
    }

    /// The same, which counts when all of these hold.
    #[must_use]
    pub const fn when(mut self, conditions: &'static [Condition]) -> Self {
        self.shown_when = conditions;
        self
    }

    /// The same, from that version on.
    #[must_use]
    pub const fn since(mut self, version: f64) -> Self {
        self.versions.from = version;
        self
    }

    /// The same, up to that version.
    #[must_use]
    pub const fn until(mut self, version: f64) -> Self {
        self.versions.to = version;
        self
    }

    /// The same, with that in its place where it is absent.
    #[must_use]
    pub const fn or(mut self, default: Constant) -> Self {
        self.default = Some(default);
        self
    }

    /// The same, with that text where it is absent.
    #[must_use]
    pub const fn or_text(self, default: &'static str) -> Self {
        self.or(Constant::Text(default))
    }

    /// The same, with that number where it is absent.
    #[must_use]
    pub const fn or_number(self, default: f64) -> Self {
        self.or(Constant::Number(default))
    }

    /// The same, true where it is absent.
    #[must_use]
    pub const fn or_true(self) -> Self {
        self.or(Constant::Boolean(true))
    }

    /// The same, false where it is absent.
    #[must_use]
    pub const fn or_false(self) -> Self {
        self.or(Constant::Boolean(false))
    }

    /// The same, with that JSON where it is absent.
    #[must_use]
    pub const fn or_json(self, default: &'static str) -> Self {
        self.or(Constant::Json(default))
    }

    /// Name for people.
    pub fn label(&self) -> String {
        self.label.map_or_else(|| in_words(self.name), str::to_owned)
    }

    /// The definitions of its fields: those of all sections of a list.
    pub fn fields(&self) -> impl Iterator<Item = &'static ParameterDefinition> {
        let (own, sections): (&'static [Self], &'static [Section]) = match self.kind {
            ParameterKind::Collection(fields) => (fields, &[]),
            ParameterKind::List(sections) => (&[], sections),
            _ => (&[], &[]),
        };
        own.iter().chain(sections.iter().flat_map(|section| section.fields))
    }
}

/// A name such as `fieldToSplitOut` in words: `Field to split out`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut after_small = false;
    for character in name.chars() {
        if character == '_' {
            words.push(' ');
        } else if character.is_uppercase() && after_small {
            words.push(' ');
            words.extend(character.to_lowercase());
        } else if words.is_empty() {
            words.extend(character.to_uppercase());
        } else {
            words.push(character);
        }
        after_small = character.is_lowercase() || character.is_ascii_digit();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_file_is_told_in_words() {
        for (name, words) in [
            ("fieldToSplitOut", "Field to split out"),
            ("url", "Url"),
            ("sendQuery", "Send query"),
            ("value1", "Value1"),
            ("query_replacement", "Query replacement"),
        ] {
            assert_eq!(in_words(name), words);
        }
    }
}
