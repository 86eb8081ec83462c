//! Reading of a form from the parameters of its node, whichever version wrote them.

use serde_json::Value;

use super::{FIELDS_MAX, FORM_BYTES_MAX, Field, FieldKind, Form, OPTIONS_MAX};

/// Longest label that a message repeats, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 60;
/// The kinds of fields, as files name them.
const KINDS: [&str; 12] = [
    "text",
    "textarea",
    "number",
    "email",
    "password",
    "date",
    "dropdown",
    "radio",
    "checkbox",
    "file",
    "hiddenField",
    "html",
];

/// Why parameters are no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The fields are something else.
    #[error("the fields of the form are not a list of objects: give each a label and a type")]
    NotAList,
    /// There are too many.
    #[error("the form has {0} fields: at most {FIELDS_MAX} are allowed, spread them over several pages")]
    TooManyFields(usize),
    /// One has too many options.
    #[error("field '{0}' has {1} options: at most {OPTIONS_MAX} are allowed")]
    TooManyOptions(String, usize),
    /// One is of a kind that is not known.
    #[error("field '{0}' is of the type '{1}', which is not known: use one of {known}", known = KINDS.join(", "))]
    UnknownKind(String, String),
    /// One has nothing by which its answer could be called.
    #[error("field {0} of the form has no label and no name: give it one")]
    NoName(usize),
    /// One has nothing to choose from.
    #[error("field '{0}' has no options: give it some to choose from")]
    NoOptions(String),
    /// All of it is too much.
    #[error("the form has {0} bytes: at most {FORM_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// Its fields were to be read from JSON that is none.
    #[error("the fields of the form are not JSON: {0}")]
    NotJson(String),
}

impl Form {
    /// The form of a node with these parameters, evaluated or as they are written.
    ///
    /// # Errors
    /// [`FormError`] when they are none.
    pub fn read(parameters: &Value) -> Result<Self, FormError> {
        let options = parameters.get("options").unwrap_or(&Value::Null);
        let own = |name: &str| text(parameters, name).or_else(|| text(options, name));
        let form = Self {
            title: own("formTitle").unwrap_or_default(),
            description: own("formDescription").unwrap_or_default(),
            button: text(options, "buttonLabel"),
            css: text(options, "customCss"),
            fields: fields(parameters)?,
        };
        let bytes = serde_json::to_vec(&form).map_or(usize::MAX, |json| json.len());
        if bytes > FORM_BYTES_MAX { Err(FormError::TooLarge(bytes)) } else { Ok(form) }
    }
}

fn fields(parameters: &Value) -> Result<Vec<Field>, FormError> {
    let from_json = parameters.get("defineForm").is_some_and(|how| how == "json");
    let parsed;
    let listed = if from_json {
        parsed = match parameters.get("jsonOutput") {
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|error| FormError::NotJson(error.to_string()))?
            }
            other => other.cloned().unwrap_or_default(),
        };
        &parsed
    } else {
        parameters.pointer("/formFields/values").unwrap_or(&Value::Null)
    };
    let listed = match listed {
        Value::Null => return Ok(Vec::new()),
        Value::Array(listed) => listed,
        _ => return Err(FormError::NotAList),
    };
    if listed.len() > FIELDS_MAX {
        return Err(FormError::TooManyFields(listed.len()));
    }
    listed.iter().enumerate().map(|(index, field)| read_field(index, field)).collect()
}

fn read_field(index: usize, given: &Value) -> Result<Field, FormError> {
    if !given.is_object() {
        return Err(FormError::NotAList);
    }
    let label = text(given, "fieldLabel").unwrap_or_default();
    let own_name = text(given, "fieldName");
    let shown = || {
        let name = if label.is_empty() { own_name.as_deref().unwrap_or_default() } else { &label };
        name.chars().take(LABEL_CHARACTERS_MAX).collect::<String>()
    };
    let kind = kind(given, &shown)?;
    let name = match &kind {
        FieldKind::Html { .. } => text(given, "elementName").unwrap_or_default(),
        _ => own_name.clone().unwrap_or_else(|| label.clone()),
    };
    if name.is_empty() && !matches!(kind, FieldKind::Html { .. }) {
        return Err(FormError::NoName(index + 1));
    }
    if kind.options().is_some_and(<[String]>::is_empty) {
        return Err(FormError::NoOptions(shown()));
    }
    Ok(Field {
        label: if label.is_empty() { name.clone() } else { label },
        required: given.get("requiredField").is_some_and(is_true),
        placeholder: text(given, "placeholder").unwrap_or_default(),
        default: defaults(given.get("defaultValue")),
        name,
        kind,
    })
}

fn kind(given: &Value, shown: &dyn Fn() -> String) -> Result<FieldKind, FormError> {
    let named = text(given, "fieldType").unwrap_or_else(|| "text".to_owned());
    Ok(match named.as_str() {
        "text" => FieldKind::Text,
        "textarea" => FieldKind::TextArea,
        "number" => FieldKind::Number,
        "email" => FieldKind::Email,
        "password" => FieldKind::Password,
        "date" => FieldKind::Date { format: text(given, "formatDate") },
        "radio" => FieldKind::Radio { options: options(given, shown)? },
        "dropdown" if !given.get("multiselect").is_some_and(is_true) => {
            FieldKind::Dropdown { options: options(given, shown)? }
        }
        "dropdown" | "checkbox" => {
            let options = options(given, shown)?;
            let number = |name: &str| given.get(name).and_then(whole_number);
            let (at_least, at_most) = match text(given, "limitSelection").as_deref() {
                Some("exact") => (number("numberOfSelections"), number("numberOfSelections")),
                Some("range") => (number("minSelections"), number("maxSelections")),
                _ => (None, None),
            };
            FieldKind::Checkboxes { options, at_least, at_most }
        }
        "file" => {
            // Files of older versions leave it out, and take several.
            let multiple = given.get("multipleFiles").is_none_or(is_true);
            let accepted = text(given, "acceptFileTypes").unwrap_or_default();
            let accepted = accepted.split(',').map(|entry| entry.trim().to_ascii_lowercase());
            FieldKind::File { multiple, accepts: accepted.filter(|entry| !entry.is_empty()).collect() }
        }
        "hiddenField" => FieldKind::Hidden { value: text(given, "fieldValue").unwrap_or_default() },
        "html" => FieldKind::Html { html: text(given, "html").unwrap_or_default() },
        other => {
            let other = other.chars().take(LABEL_CHARACTERS_MAX).collect();
            return Err(FormError::UnknownKind(shown(), other));
        }
    })
}

fn options(given: &Value, shown: &dyn Fn() -> String) -> Result<Vec<String>, FormError> {
    let listed = given.pointer("/fieldOptions/values").and_then(Value::as_array);
    let options: Vec<String> = listed.into_iter().flatten().filter_map(|option| text(option, "option")).collect();
    if options.len() > OPTIONS_MAX {
        return Err(FormError::TooManyOptions(shown(), options.len()));
    }
    Ok(options)
}

fn defaults(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(written).collect(),
        Some(value) => written(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A text, or a number or truth value written out. `None` where there is nothing.
fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(written)
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

fn is_true(value: &Value) -> bool {
    value == true || value == "true"
}

fn whole_number(value: &Value) -> Option<usize> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.and_then(|number| usize::try_from(number).ok())
}
