//! Takes fields out of the text of a JSON object, and puts them back, byte for byte. Never reads a value that it leaves.
//!
//! Where a field was taken, `null` stays, so that what is put back finds its place and its order.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What stays in place of a field.
const HOLE: &str = "null";

/// The fields of an object, in order.
pub(super) struct Fields<'text>(pub(super) Vec<(String, &'text RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The path of a field within another.
fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn is_above(path: &str, paths: &[&str]) -> bool {
    paths.iter().any(|other| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn write_field(text: &mut String, name: &str, value: &str) -> Result<(), serde_json::Error> {
    if !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(&serde_json::to_string(name)?);
    text.push(':');
    text.push_str(value);
    Ok(())
}

/// `object` with every field in `paths` changed by `change`, which gets the path and the value.
fn changed<'text>(
    object: &'text str,
    prefix: &str,
    paths: &[&str],
    change: &mut dyn FnMut(&str, &'text str) -> Option<String>,
) -> Result<String, serde_json::Error> {
    let fields: Fields<'text> = serde_json::from_str(object)?;
    let mut text = String::with_capacity(object.len());
    text.push('{');
    for (name, value) in fields.0 {
        let path = joined(prefix, &name);
        let value = value.get();
        if paths.contains(&path.as_str())
            && let Some(other) = change(&path, value)
        {
            write_field(&mut text, &name, &other)?;
        } else if value.starts_with('{') && is_above(&path, paths) {
            let inner = changed(value, &path, paths, change)?;
            write_field(&mut text, &name, &inner)?;
        } else {
            write_field(&mut text, &name, value)?;
        }
    }
    text.push('}');
    Ok(text)
}

/// Takes the fields at `paths` out of `object`; gives what is left, and what was taken as an object of their paths. `None`
/// when it has none of them.
pub(super) fn take(object: &str, paths: &[&str]) -> Result<Option<(String, String)>, serde_json::Error> {
    let mut taken = String::from("{");
    let mut failed = None;
    let left = changed(object, "", paths, &mut |path, value| {
        if let Err(error) = write_field(&mut taken, path, value) {
            failed = Some(error);
        }
        Some(HOLE.to_owned())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if taken.len() == 1 {
        return Ok(None);
    }
    taken.push('}');
    Ok(Some((left, taken)))
}

/// Puts back what was taken.
pub(super) fn put(left: &str, taken: &str) -> Result<String, serde_json::Error> {
    let taken: Fields<'_> = serde_json::from_str(taken)?;
    let paths: Vec<&str> = taken.0.iter().map(|(path, _)| path.as_str()).collect();
    changed(left, "", &paths, &mut |path, value| {
        let found = taken.0.iter().find(|(known, _)| known == path).filter(|_| value == HOLE);
        found.map(|(_, value)| value.get().to_owned())
    })
}

/// Fills every hole at one of the paths with what stands for it; gives the paths that were filled too.
pub(super) fn fill(left: &str, placeholders: &[(&str, &str)]) -> Result<(String, Vec<String>), serde_json::Error> {
    let paths: Vec<&str> = placeholders.iter().map(|(path, _)| *path).collect();
    let mut filled = Vec::new();
    let text = changed(left, "", &paths, &mut |path, value| {
        let found = placeholders.iter().find(|(known, _)| *known == path).filter(|_| value == HOLE);
        found.map(|(_, placeholder)| {
            filled.push(path.to_owned());
            (*placeholder).to_owned()
        })
    })?;
    Ok((text, filled))
}

/// Adds every field at one of the paths that is not there, where what it belongs to is.
pub(super) fn add(object: &str, prefix: &str, missing: &[(&str, &str)]) -> Result<String, serde_json::Error> {
    let paths: Vec<&str> = missing.iter().map(|(path, _)| *path).collect();
    let fields: Fields<'_> = serde_json::from_str(object)?;
    let (mut text, mut found) = (String::from("{"), Vec::new());
    for (name, value) in fields.0 {
        let path = joined(prefix, &name);
        let value = value.get();
        if value.starts_with('{') && is_above(&path, &paths) {
            write_field(&mut text, &name, &add(value, &path, missing)?)?;
        } else {
            write_field(&mut text, &name, value)?;
        }
        found.push(path);
    }
    for (path, value) in missing {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        if parent == prefix && !found.iter().any(|found| found == path) {
            write_field(&mut text, name, value)?;
        }
    }
    text.push('}');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_put_back_byte_for_byte() {
        let object =
            r#"{"type":"a","items":[{"b":1.50}],"start":{"items":[ 1 ],"pins":{"x":"ü\n"},"id":7},"last":null}"#;
        let (left, taken) = take(object, &["items", "start.items", "start.subject", "start.pins"]).unwrap().unwrap();
        assert_eq!(left, r#"{"type":"a","items":null,"start":{"items":null,"pins":null,"id":7},"last":null}"#);
        assert_eq!(taken, r#"{"items":[{"b":1.50}],"start.items":[ 1 ],"start.pins":{"x":"ü\n"}}"#);
        assert_eq!(put(&left, &taken).unwrap(), object);
        let (filled, paths) = fill(&left, &[("items", "[]"), ("start.items", "[]"), ("start.pins", "{}")]).unwrap();
        assert_eq!(filled, r#"{"type":"a","items":[],"start":{"items":[],"pins":{},"id":7},"last":null}"#);
        assert_eq!(paths, ["items", "start.items", "start.pins"]);
    }

    #[test]
    fn what_is_missing_is_added_where_what_it_belongs_to_is() {
        let missing = [("subject", "1"), ("start.subject", "2")];
        assert_eq!(
            add(r#"{"a":0,"start":{"b":[ 1 ]}}"#, "", &missing).unwrap(),
            r#"{"a":0,"start":{"b":[ 1 ],"subject":2},"subject":1}"#
        );
        assert_eq!(add(r#"{"subject":0}"#, "", &missing).unwrap(), r#"{"subject":0}"#);
    }

    #[test]
    fn an_object_without_such_fields_gives_nothing() {
        assert!(take(r#"{"type":"a","other":{"items":1}}"#, &["items", "start.items"]).unwrap().is_none());
        assert!(take("[]", &["items"]).is_err());
    }
}
