//! What a request says: in its address, or as JSON in its body.

use actix_web::HttpRequest;
use actix_web::web::{Payload, Query};
use bytes::BytesMut;
use futures::StreamExt as _;
use serde_json::Value;

use super::refusal::Refusal;

/// Most bytes of the body of a request.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Most parameters of a request.
const PARAMETERS_MAX: usize = 64;

/// Names and values, in their order.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, Value)>);

impl Parameters {
    /// Those of the address, and of the body where there is one.
    pub async fn of(request: &HttpRequest, mut body: Payload) -> Result<Self, Refusal> {
        let wrong = |why: &str| Refusal::invalid(format!("the parameters cannot be read: {why}"));
        let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
        let query = query.map_err(|error| wrong(&error.to_string()))?.into_inner();
        let mut found: Vec<(String, Value)> = query.into_iter().map(|(name, value)| (name, value.into())).collect();
        let mut read = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| wrong(&error.to_string()))?;
            if read.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(wrong("the body is too large: 1 MiB is the most"));
            }
            read.extend_from_slice(&chunk);
        }
        if !read.is_empty() {
            match serde_json::from_slice(&read) {
                Ok(Value::Object(fields)) => found.extend(fields),
                Ok(_) => return Err(wrong("the body is no JSON object")),
                Err(error) => return Err(wrong(&error.to_string())),
            }
        }
        if found.len() > PARAMETERS_MAX {
            return Err(wrong("there are more than 64 of them"));
        }
        found.retain(|(_, value)| !value.is_null());
        Ok(Self(found))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.iter().find(|(own, _)| own == name) {
            None => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text)),
            Some(_) => Err(Refusal::invalid(format!("'{name}' must be a text"))),
        }
    }

    /// A text that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::invalid(format!("'{name}' is missing: it must be a text")))
    }

    /// A whole number, written as one or as a text.
    pub fn whole(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some((_, value)) = self.0.iter().find(|(own, _)| own == name) else { return Ok(None) };
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.map(Some).ok_or_else(|| Refusal::invalid(format!("'{name}' must be a whole number")))
    }

    /// The number of a version, which must be there.
    pub fn version(&self) -> Result<u32, Refusal> {
        let number = self.whole("version")?.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        number.ok_or_else(|| Refusal::invalid("'version' must be the number of a version, 1 or more"))
    }

    /// Texts, as one list or each by itself.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>, Refusal> {
        let mut texts = Vec::new();
        for (_, value) in self.0.iter().filter(|(own, _)| own == name) {
            match value {
                Value::Array(list) => texts.extend(list.iter().map(Value::as_str)),
                value => texts.push(value.as_str()),
            }
        }
        let texts: Option<Vec<&str>> = texts.into_iter().collect();
        texts.ok_or_else(|| Refusal::invalid(format!("'{name}' must be texts")))
    }
}
