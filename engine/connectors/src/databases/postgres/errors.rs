//! What PostgreSQL says no to, in words for a workflow's author.

use std::error::Error as _;
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_engine::node::NodeError;
use tokio_postgres::Error;

use super::types::Untold;

/// Classes of errors that may be gone the next time: connections, resources, an operator, transactions that met.
const PASSING: [&str; 6] = ["08", "40", "53", "55", "57", "58"];

/// The failure of a statement or a connection.
pub(crate) fn failure(error: &Error, host: &str) -> NodeError {
    let Some(said) = error.as_db_error() else { return broken(error, host) };
    let code = said.code().code();
    let mut failed = NodeError::api(said.message());
    let advice: Vec<&str> = [said.detail(), said.hint()].into_iter().flatten().collect();
    if !advice.is_empty() {
        failed = failed.described(advice.join(". "));
    }
    let mut data = json!({"code": code, "severity": said.severity(), "retryable": is_passing(code)});
    for (name, value) in [
        ("table", said.table()),
        ("column", said.column()),
        ("constraint", said.constraint()),
        ("schema", said.schema()),
    ] {
        if let Some(value) = value {
            data[name] = Value::String(value.to_owned());
        }
    }
    failed.data = Some(data);
    failed
}

fn is_passing(code: &str) -> bool {
    PASSING.iter().any(|class| code.starts_with(class))
}

/// The connection failed, or what came over it was none of the protocol.
fn broken(error: &Error, host: &str) -> NodeError {
    let why = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    NodeError::api(format!("the database on {host} does not answer as PostgreSQL does: {why}"))
        .described("check host, port and SSL of the credential, and whether the server is running")
}

/// The statement took too long.
pub(crate) fn slow(host: &str, within: Duration) -> NodeError {
    NodeError::api(format!("the database on {host} did not answer within {} ms", within.as_millis()))
        .described("let the statement do less, or the operator allow more time")
}

/// A column that cannot be told.
pub(crate) fn untold(error: &Untold, column: &str) -> NodeError {
    NodeError::operation(format!("the column '{column}': {error}"))
}
