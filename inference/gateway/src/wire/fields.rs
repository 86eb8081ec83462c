//! JSON objects taken apart field by field. What is not taken is left over, and kept.

use serde_json::Value;
use timeloom_domain::item::JsonObject;

/// A field is not what the protocol says that it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{at}' must be {wanted}")]
pub struct Misfit {
    /// Where, such as `messages[2].content`.
    pub at: String,
    /// What it must be.
    pub wanted: &'static str,
}

impl Misfit {
    /// `at` must be `wanted`.
    pub fn new(at: impl Into<String>, wanted: &'static str) -> Self {
        Self { at: at.into(), wanted }
    }
}

/// The fields of an object. A field that is `null` counts as one that is not there.
#[derive(Debug)]
pub struct Fields {
    fields: JsonObject,
    at: String,
}

impl Fields {
    /// The fields of `value`, which is at `at`.
    ///
    /// # Errors
    /// [`Misfit`] when it is no object.
    pub fn new(value: Value, at: impl Into<String>) -> Result<Self, Misfit> {
        let at = at.into();
        match value {
            Value::Object(fields) => Ok(Self { fields, at }),
            _ => Err(Misfit::new(if at.is_empty() { "the body".to_owned() } else { at }, "an object")),
        }
    }

    /// Where the field is.
    pub fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// The field must be something that it is not.
    pub fn misfit(&self, name: &str, wanted: &'static str) -> Misfit {
        Misfit::new(self.path(name), wanted)
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// The field as it is, left where it is.
    pub fn look(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Takes the field out.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Puts back what has no word here, as something that is left over.
    pub fn put_back(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// Takes a text out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Misfit> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.misfit(name, "a text")),
        }
    }

    /// Takes a text out that must be there.
    ///
    /// # Errors
    /// [`Misfit`] when it is not there, or something else.
    pub fn required_text(&mut self, name: &str) -> Result<String, Misfit> {
        self.text(name)?.ok_or_else(|| self.misfit(name, "a text"))
    }

    /// Takes a number out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn number(&mut self, name: &str) -> Result<Option<f64>, Misfit> {
        self.taken(name, "a number", |value| value.as_f64())
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn whole(&mut self, name: &str) -> Result<Option<u64>, Misfit> {
        self.taken(name, "a whole number, 0 or more", |value| value.as_u64())
    }

    /// Takes a whole number out that may be less than 0.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn signed(&mut self, name: &str) -> Result<Option<i64>, Misfit> {
        self.taken(name, "a whole number", |value| value.as_i64())
    }

    /// Takes true or false out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Misfit> {
        self.taken(name, "true or false", |value| value.as_bool())
    }

    /// Takes a list out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Misfit> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.misfit(name, "a list")),
        }
    }

    /// Takes an object out.
    ///
    /// # Errors
    /// [`Misfit`] when it is something else.
    pub fn object(&mut self, name: &str) -> Result<Option<Fields>, Misfit> {
        let path = self.path(name);
        self.value(name).map(|value| Fields::new(value, path)).transpose()
    }

    /// What nobody took.
    pub fn rest(self) -> JsonObject {
        self.fields
    }

    fn taken<T>(
        &mut self,
        name: &str,
        wanted: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Misfit> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(&value).map(Some).ok_or_else(|| self.misfit(name, wanted)),
        }
    }
}
