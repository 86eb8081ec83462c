//! Pages: one item's request sent again and again, each time a little otherwise, until there is no more.
//!
//! The author's expressions see the answer before in `$response`, the request in `$request` and the number of pages so
//! far in `$pageCount`. Pages come one after the other, and there is an end to them: a number, a size, and answers that
//! do not change.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::HttpRequest;
use super::auth::Authentication;
use super::request::{Changes, Draft, Format};
use super::respond;
use super::send::Received;
use super::shape;
use crate::values;

/// Where the parameters are.
const PAGINATION: &str = "options.pagination.pagination";
/// Most pages of one item.
const PAGES_MAX: usize = 10_000;
/// Most bytes in the bodies of all pages of one item.
const PAGES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// As many equal answers in a row mean that the author's rule never ends.
const EQUAL_PAGES_MAX: usize = 5;
/// Longest pause between two pages.
const PAUSE_MAX_MS: f64 = 600_000.0;

/// How pages are turned.
pub(super) struct Paging {
    next: Next,
    until: Until,
    pages_max: Option<usize>,
    pause: Duration,
}

/// What is otherwise on the next page.
enum Next {
    /// The address, which the answer names: an expression.
    Address(Value),
    /// Parameters of the request, as the author lists them.
    Parameters(Vec<JsonObject>),
}

/// When there is no more.
enum Until {
    /// The body is empty.
    Empty,
    /// The answer has one of these statuses.
    Status(Vec<u16>),
    /// The author's expression is true.
    Expression(Value),
}

impl Paging {
    /// Reads the parameters; `None` when one request is all.
    pub fn read(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Self>, NodeError> {
        let field = |name: &str| format!("{PAGINATION}.{name}");
        let raw = |run: &NodeRun<'_>, name: &str| run.raw_parameter(&field(name)).cloned().unwrap_or_default();
        if run.version() < 4.0 || run.raw_parameter(PAGINATION).is_none() {
            return Ok(None);
        }
        let next = match run.text(&field("paginationMode"), index, "updateAParameterInEachRequest")?.as_str() {
            "off" => return Ok(None),
            "responseContainsNextURL" => Next::Address(raw(run, "nextURL")),
            _ => Next::Parameters(parameters(&raw(run, "parameters"))?),
        };
        let until = match run.text(&field("paginationCompleteWhen"), index, "responseIsEmpty")?.as_str() {
            "receiveSpecificStatusCodes" => {
                Until::Status(statuses(&run.text(&field("statusCodesWhenComplete"), index, "")?)?)
            }
            "other" => Until::Expression(raw(run, "completeExpression")),
            _ => Until::Empty,
        };
        let limited = run.boolean(&field("limitPagesFetched"), index, false)?;
        let pages_max = run.number(&field("maxRequests"), index, 100.0)?.max(1.0) as usize;
        let pause = run.number(&field("requestInterval"), index, 0.0)?.clamp(0.0, PAUSE_MAX_MS);
        let pause = Duration::from_millis(pause as u64);
        Ok(Some(Self { next, until, pages_max: limited.then_some(pages_max), pause }))
    }

    /// What is otherwise in the request for the page that comes after `seen`.
    fn changes(&self, run: &mut NodeRun<'_>, index: usize, seen: &JsonObject) -> Result<Changes, NodeError> {
        let mut changes = Changes::default();
        match &self.next {
            Next::Address(expression) => {
                let url = run.resolve_with(expression, index, seen)?;
                changes.url = url.filter(|url| !url.is_null()).map(|url| values::text(&url));
                changes.url = changes.url.filter(|url| !url.is_empty());
            }
            Next::Parameters(parameters) => {
                for parameter in parameters {
                    let name = parameter.get("name").map(values::text).unwrap_or_default();
                    let kind = parameter.get("type").and_then(Value::as_str).unwrap_or("qs").to_owned();
                    let raw = parameter.get("value").cloned().unwrap_or_default();
                    let Some(value) = run.resolve_with(&raw, index, seen)? else { continue };
                    let fields = match kind.as_str() {
                        "headers" => &mut changes.headers,
                        "body" => &mut changes.body,
                        _ => &mut changes.query,
                    };
                    fields.insert(name, value);
                }
            }
        }
        Ok(changes)
    }

    /// Whether `seen` is the last page.
    fn is_complete(&self, run: &mut NodeRun<'_>, index: usize, seen: &JsonObject) -> Result<bool, NodeError> {
        let response = seen.get("$response");
        let body = response.and_then(|response| response.get("body"));
        Ok(match &self.until {
            Until::Empty => body.is_none_or(|body| match body {
                Value::Array(elements) => elements.is_empty(),
                body => !values::truthy(body),
            }),
            Until::Status(statuses) => {
                let status = response.and_then(|response| response.get("statusCode")).and_then(Value::as_u64);
                statuses.iter().any(|wanted| Some(u64::from(*wanted)) == status)
            }
            Until::Expression(expression) => {
                run.resolve_with(expression, index, seen)?.is_some_and(|value| values::truthy(&value))
            }
        })
    }
}

fn parameters(raw: &Value) -> Result<Vec<JsonObject>, NodeError> {
    let listed = raw.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed: Vec<JsonObject> = listed.into_iter().filter_map(|entry| entry.as_object().cloned()).collect();
    let filled = |entry: &JsonObject, name: &str| {
        entry.get(name).is_some_and(|value| value.as_str() != Some("") && !value.is_null())
    };
    if listed.is_empty() || listed.iter().any(|entry| !filled(entry, "name") || !filled(entry, "value")) {
        return Err(NodeError::operation("pagination changes no parameter: give each parameter a name and a value"));
    }
    Ok(listed)
}

fn statuses(text: &str) -> Result<Vec<u16>, NodeError> {
    let mut statuses = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let status = part
            .parse()
            .map_err(|_| NodeError::operation(format!("'{part}' is not a status: name numbers such as 404, 410")))?;
        statuses.push(status);
    }
    if statuses.is_empty() {
        return Err(NodeError::operation("no status ends the pagination: name at least one, such as 404"));
    }
    Ok(statuses)
}

/// All pages of one item.
pub(super) async fn turn(
    node: &HttpRequest,
    run: &mut NodeRun<'_>,
    paging: &Paging,
    draft: &Draft,
    authentication: &Authentication,
    (item, index): (&Item, usize),
) -> Result<Vec<Item>, NodeError> {
    let mut given = Vec::new();
    let mut seen = JsonObject::new();
    seen.insert("$request".to_owned(), draft.to_json());
    seen.insert("$response".to_owned(), json!({}));
    let mut repeats = Repeats::default();
    let mut bytes = 0;
    for page in 0..paging.pages_max.unwrap_or(PAGES_MAX).min(PAGES_MAX) {
        seen.insert("$pageCount".to_owned(), json!(page));
        let draft = draft.changed(&paging.changes(run, index, &seen)?, page)?;
        let mut answer = draft.answer.clone();
        let received = node.send(authentication, draft.finish()?, &run.services.outbound).await?;
        bytes += received.body.len();
        if bytes > PAGES_BYTES_MAX {
            return Err(NodeError::operation(format!("the pages together have more than {PAGES_BYTES_MAX} bytes"))
                .described("limit the number of pages, or ask for smaller ones"));
        }
        repeats.check(&received)?;
        seen.insert("$response".to_owned(), response(&received, answer.format));
        seen.insert("$pageCount".to_owned(), json!(page + 1));
        let is_last = paging.pages_max == Some(page + 1) || paging.is_complete(run, index, &seen)?;
        // The status of the last page is what ended it; on the way, a failure is a failure.
        answer.never_error |= is_last;
        given.extend(match &answer.items {
            None => respond::items(received, &answer, item, index)?,
            Some(_) => {
                respond::check(&received, &answer)?;
                shape::items(run, &answer, &seen, index)?
            }
        });
        if is_last {
            return Ok(given);
        }
        if !paging.pause.is_zero() {
            tokio::time::sleep(paging.pause).await;
        }
    }
    Err(NodeError::operation(format!("the pagination did not end within {PAGES_MAX} pages"))
        .described("check when it is to be complete, or limit the number of pages"))
}

/// An answer as expressions see it in `$response`.
pub(super) fn response(received: &Received, format: Format) -> Value {
    let body = match format {
        Format::File => Value::Null,
        format => respond::body_value(received, format),
    };
    json!({"body": body, "headers": respond::headers_json(&received.headers), "statusCode": received.status.as_u16()})
}

/// Notices answers that do not change.
#[derive(Default)]
struct Repeats {
    last: Vec<u8>,
    count: usize,
}

impl Repeats {
    fn check(&mut self, received: &Received) -> Result<(), NodeError> {
        if received.body.is_empty() || received.body != self.last {
            self.last.clone_from(&received.body);
            self.count = 1;
            return Ok(());
        }
        self.count += 1;
        if self.count < EQUAL_PAGES_MAX {
            return Ok(());
        }
        Err(NodeError::operation(format!("{EQUAL_PAGES_MAX} pages in a row were the same: the pagination was stopped"))
            .described("check what changes from request to request, and when the pagination is to be complete"))
    }
}
