//! A JSON object that items have in common until one of them changes it.
//!
//! It reads like the object itself, and is written down as that. Never seen from outside whether it is shared: whoever
//! changes it has a copy of their own by then, unless nobody else had it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, map};

use super::JsonObject;

/// A JSON object that is cheap to clone, and copied when a clone is changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SharedObject(Arc<JsonObject>);

impl SharedObject {
    /// A copy of the object.
    pub fn to_object(&self) -> JsonObject {
        JsonObject::clone(&self.0)
    }

    /// A copy of the object as a value.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_object())
    }

    /// The object alone; copied only where others have it as well.
    pub fn into_object(self) -> JsonObject {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for SharedObject {
    type Target = JsonObject;

    fn deref(&self) -> &JsonObject {
        &self.0
    }
}

impl DerefMut for SharedObject {
    fn deref_mut(&mut self) -> &mut JsonObject {
        Arc::make_mut(&mut self.0)
    }
}

impl From<JsonObject> for SharedObject {
    fn from(object: JsonObject) -> Self {
        Self(Arc::new(object))
    }
}

impl From<SharedObject> for Value {
    fn from(shared: SharedObject) -> Self {
        Self::Object(shared.into_object())
    }
}

impl PartialEq<JsonObject> for SharedObject {
    fn eq(&self, other: &JsonObject) -> bool {
        *self.0 == *other
    }
}

impl FromIterator<(String, Value)> for SharedObject {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        JsonObject::from_iter(fields).into()
    }
}

impl IntoIterator for SharedObject {
    type Item = (String, Value);
    type IntoIter = map::IntoIter;

    fn into_iter(self) -> map::IntoIter {
        self.into_object().into_iter()
    }
}

impl<'o> IntoIterator for &'o SharedObject {
    type Item = (&'o String, &'o Value);
    type IntoIter = map::Iter<'o>;

    fn into_iter(self) -> map::Iter<'o> {
        self.0.iter()
    }
}

/// Not by way of a box, as for an [`Arc`] of anything: there is one of these for every item.
impl<'de> Deserialize<'de> for SharedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JsonObject::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shared(value: &str) -> SharedObject {
        SharedObject::from_iter([("a".to_owned(), json!(value))])
    }

    #[test]
    fn a_change_of_one_is_not_seen_in_the_other() {
        let first = shared("old");
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second.insert("a".to_owned(), json!("new"));
        assert_eq!((first, second), (shared("old"), shared("new")));
    }

    #[test]
    fn what_nobody_else_has_is_changed_and_given_out_where_it_is() {
        let mut alone = shared("a long text that lies somewhere");
        let place = |object: &JsonObject| object["a"].as_str().unwrap().as_ptr();
        let before = place(&alone);
        alone.insert("b".to_owned(), json!(1));
        assert_eq!(place(&alone), before);
        assert_eq!(place(&alone.into_object()), before);
    }

    #[test]
    fn it_is_written_and_read_as_the_object_itself() {
        let text = r#"{"b":1,"a":{"c":null}}"#;
        let read: SharedObject = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(serde_json::from_str::<SharedObject>("[1]").is_err());
    }
}
