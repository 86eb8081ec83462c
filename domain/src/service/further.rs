//! The requests of an operation after its first: what becomes the option Further requests of an HTTP Request.
//!
//! Never evaluates anything. Invariant: there are never more than an HTTP Request sends for one item.

use serde_json::{Value, json};

use super::pattern::Filling;
use super::shape::{all_with_scripts, with_scripts};
use super::table::{Further, Operation, Parts, Service};
use super::{REQUESTS_MAX, fields};
use crate::item::JsonObject;

/// The requests after the first, in the order in which they are sent.
///
/// # Errors
/// When a parameter cannot be carried, or there are too many.
pub(super) fn further(
    filling: &mut Filling<'_>,
    service: &Service,
    operation: &Operation,
) -> Result<Vec<Value>, String> {
    let mut made = Vec::new();
    if !operation.each.is_empty() {
        for index in 1..filling.count(&operation.each)? {
            filling.turn_to(&operation.each, index);
            made.push(request(filling, service, (&operation.method, &operation.path), &operation.send)?);
        }
    }
    for next in &operation.further {
        if filling.holds(&next.when)? {
            let mut request = request(filling, service, (&next.method, &next.path), &next.send)?;
            if next.unless_empty && !request.contains_key("body") {
                continue;
            }
            repetition(filling, service, next, &mut request)?;
            made.push(request);
        }
    }
    let count = made.len().saturating_add(1);
    if count > REQUESTS_MAX {
        return Err(format!("it sends {count} requests for an item, and an HTTP Request at most {REQUESTS_MAX}"));
    }
    Ok(made.into_iter().map(Value::Object).collect())
}

fn request(
    filling: &mut Filling<'_>,
    service: &Service,
    (method, path): (&str, &str),
    send: &Parts,
) -> Result<JsonObject, String> {
    let address = filling.address(&service.address_of(&with_scripts(&service.scripts, path)))?;
    let mut request = JsonObject::from_iter([("method".to_owned(), method.into()), ("url".to_owned(), address.into())]);
    for (name, pattern) in [("query", &send.query), ("headers", &send.headers)] {
        let scripted = pattern.iter().map(|(name, value)| (name.clone(), all_with_scripts(&service.scripts, value)));
        let fields = fields(filling, &scripted.collect())?;
        if !fields.is_empty() {
            request.insert(name.to_owned(), Value::Object(fields));
        }
    }
    let body = filling.value(&all_with_scripts(&service.scripts, &send.body))?;
    request.extend(body.filter(|body| !body.is_null()).map(|body| ("body".to_owned(), body)));
    Ok(request)
}

/// Until when a request is sent again, and how.
fn repetition(
    filling: &mut Filling<'_>,
    service: &Service,
    next: &Further,
    request: &mut JsonObject,
) -> Result<(), String> {
    if next.until.is_empty() {
        return Ok(());
    }
    if let Some(until) = filling.value(&json!({"$code": with_scripts(&service.scripts, &next.until)}))? {
        request.insert("repeatUntil".to_owned(), until);
    }
    for (name, number) in [("pause", next.pause), ("tries", next.tries)] {
        request.extend(number.map(|number| (name.to_owned(), Value::from(number))));
    }
    Ok(())
}
