//! The setting that says whom the data of a workflow's executions is about.
//!
//! It is a fixed name, or a field of the items with which an execution begins, as `{{ $json.customer.id }}`. It is read when
//! the execution begins and never again.

use serde_json::Value;

use crate::item::Item;

/// Most fields within each other that a setting names.
const FIELDS_MAX: usize = 20;

/// Where the name of the subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectSource<'text> {
    /// Here.
    Fixed(&'text str),
    /// In a field of the first items.
    Field(Vec<&'text str>),
}

/// Why there is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSubject {
    /// An item does not have it.
    Missing,
    /// Items have different ones.
    Ambiguous,
}

impl<'text> SubjectSource<'text> {
    /// Reads the setting; `None` when it is neither a name nor such a field.
    ///
    /// ```
    /// use timeloom_domain::definition::SubjectSource;
    ///
    /// assert_eq!(SubjectSource::parse("={{ $json.customer.id }}"), Some(SubjectSource::Field(vec!["customer", "id"])));
    /// assert_eq!(SubjectSource::parse("newsletter"), Some(SubjectSource::Fixed("newsletter")));
    /// assert_eq!(SubjectSource::parse("{{ $now }}"), None);
    /// ```
    pub fn parse(text: &'text str) -> Option<Self> {
        let text = text.trim();
        let expression = text.strip_prefix('=').unwrap_or(text).trim();
        let Some(inner) = expression.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) else {
            let is_name = crate::subject::check_name(text).is_ok() && !text.starts_with('=') && !text.contains("{{");
            return is_name.then_some(Self::Fixed(text));
        };
        let path = inner.trim().strip_prefix("$json.")?;
        let fields: Vec<&str> = path.split('.').map(str::trim).collect();
        let is_field = |field: &&str| {
            let begins_well = field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            begins_well && field.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        (fields.len() <= FIELDS_MAX && fields.iter().all(is_field)).then_some(Self::Field(fields))
    }

    /// The name, for an execution that begins with these items.
    ///
    /// # Errors
    /// [`NoSubject`] when the items do not say it, or not all the same.
    pub fn name(&self, items: &[Item]) -> Result<String, NoSubject> {
        let fields = match self {
            Self::Fixed(name) => return Ok((*name).to_owned()),
            Self::Field(fields) => fields,
        };
        let named = |item: &Item| {
            let (first, rest) = fields.split_first()?;
            let found = rest.iter().try_fold(item.json.get(*first)?, |value, field| value.get(*field))?;
            match found {
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        };
        let mut names = items.iter().map(|item| named(item).filter(|name| crate::subject::check_name(name).is_ok()));
        let first = names.next().flatten().ok_or(NoSubject::Missing)?;
        for name in names {
            match name {
                Some(name) if name == first => {}
                Some(_) => return Err(NoSubject::Ambiguous),
                None => return Err(NoSubject::Missing),
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::item::JsonObject;

    fn item(value: Value) -> Item {
        Item::new(JsonObject::from_iter([("customer".to_owned(), json!({ "id": value }))]))
    }

    #[test]
    fn the_items_say_whom_an_execution_is_about_or_it_does_not_begin() {
        let source = SubjectSource::parse("{{ $json.customer.id }}").unwrap();
        assert_eq!(source.name(&[item(json!("a")), item(json!(" a "))]), Ok("a".to_owned()));
        assert_eq!(source.name(&[item(json!(17))]), Ok("17".to_owned()));
        assert_eq!(source.name(&[item(json!("a")), item(json!("b"))]), Err(NoSubject::Ambiguous));
        for missing in [json!(null), json!(""), json!({})] {
            assert_eq!(source.name(&[item(json!("a")), item(missing)]), Err(NoSubject::Missing));
        }
        assert_eq!(source.name(&[]), Err(NoSubject::Missing));
    }

    #[test]
    fn what_is_neither_a_name_nor_a_field_is_refused() {
        for wrong in ["", "=a", "{{ $json }}", "{{ $json.a[0] }}", "a {{ $json.b }}", "{{ $json.a.1b }}", "[erased]"] {
            assert_eq!(SubjectSource::parse(wrong), None, "{wrong}");
        }
    }
}
