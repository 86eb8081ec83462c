//! `timeloom account`, `key`, `session`, `tenant`, `flag`, `access` and `whoami`: who may do what.
//!
//! What lets in is printed once, by the verb that made it, on standard output alone. Passwords come from a file or from
//! standard input, never as arguments, which other users of a machine can see.

mod account;
mod flag;
mod key;
mod review;
mod session;
mod tenant;

use clap::Args;
use serde_json::{Value, json};

pub use self::account::AccountVerb;
pub use self::flag::FlagVerb;
pub use self::key::KeyVerb;
pub use self::review::AccessVerb;
pub use self::session::SessionVerb;
pub use self::tenant::TenantVerb;
use super::client::Client;
use super::workflow::all_pages;
use super::{Access, Failure, output};
use crate::config::Config;

const VIEWER: &str = "{ viewer { actor { kind name } account { id name email } onBehalfOf { kind name } via roles
  permissions tenant { number name } } }";

/// Why something is changed, for those who review who has access.
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// Why, for those who review who has access; kept with the change. A server asks for it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Sends a change, and closes what was opened for it.
async fn change(access: &Access, config: &Config, field: &str, query: &str, input: Value) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change(field, query, input, access.json).await;
    client.close().await;
    result
}

/// Every entry of a list, and closes what was opened for it.
async fn listed(access: &Access, config: &Config, query: &str, field: &str, more: Value) -> anyhow::Result<Vec<Value>> {
    let mut variables = json!({ "first": 100 });
    if let (Some(variables), Value::Object(more)) = (variables.as_object_mut(), more) {
        variables.extend(more);
    }
    let client = Client::open(access, config).await?;
    let found = all_pages(&client, query, field, variables).await;
    client.close().await;
    found
}

/// An answer, and closes what was opened for it.
async fn asked(access: &Access, config: &Config, query: &str, variables: Value) -> anyhow::Result<Value> {
    let client = Client::open(access, config).await?;
    let found = client.ask(query, variables).await;
    client.close().await;
    found
}

/// Prints a list: as JSON, or as a table of these cells.
fn print(found: Vec<Value>, json: bool, headings: &[&str], cells: impl Fn(&Value) -> Vec<String>) {
    if json {
        output::json(&Value::Array(found));
        return;
    }
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(headings, &rows);
}

/// The texts of a list in an answer, with commas between them.
fn words(value: &Value, path: &str) -> String {
    let list = value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let words: Vec<String> = list.iter().filter_map(Value::as_str).map(word).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// A word of the API as people write it: `workflow:read`, `owner`.
fn word(text: &str) -> String {
    let lower = text.to_lowercase();
    let is_permission =
        ["_append", "_approve", "_read", "_request", "_run", "_write"].iter().any(|end| lower.ends_with(end));
    if is_permission { lower.replacen('_', ":", 1) } else { lower }
}

/// A word of people as the API writes it.
fn api_word(text: &str) -> String {
    text.replace([':', '-'], "_").to_uppercase()
}

/// Tells what was done to an account.
fn told(payload: &Value, json: bool, done: &str) {
    if json {
        output::json(payload);
        return;
    }
    let [id, position] = ["/accountId", "/position"].map(|path| output::text(payload, path));
    output::line(&format!("{done} account {id} at position {position}"));
}

/// Prints what lets in, alone on standard output.
fn print_once(payload: &Value, json: bool, what: &str) {
    if json {
        output::json(payload);
        return;
    }
    output::line(&output::text(payload, "/token"));
    output::notice(&format!("this {what} is shown once: keep it where nobody else reads it"));
}

/// `timeloom whoami`.
pub async fn whoami(access: &Access, config: &Config) -> Result<(), Failure> {
    let data = asked(access, config, VIEWER, json!({})).await?;
    let viewer = data.get("viewer").cloned().unwrap_or_default();
    if access.json {
        output::json(&viewer);
        return Ok(());
    }
    let [kind, name, account, tenant, tenant_name, via] =
        ["/actor/kind", "/actor/name", "/account/name", "/tenant/number", "/tenant/name", "/via"]
            .map(|path| output::text(&viewer, path));
    output::line(&format!("{kind}:{name} ({account}) in tenant {tenant} ({tenant_name})"));
    if let Some(principal) = viewer.pointer("/onBehalfOf/name").and_then(Value::as_str) {
        output::line(&format!("acts for {principal}"));
    }
    output::line(&format!("let in by {via}; roles: {}", words(&viewer, "/roles")));
    output::line(&format!("may: {}", words(&viewer, "/permissions")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use timeloom_domain::access::{Permission, Role};

    use super::*;

    #[test]
    fn words_of_people_and_of_the_api_are_the_same_words() {
        for permission in Permission::EACH {
            assert_eq!(word(&api_word(permission.name())), permission.name());
        }
        for role in Role::EACH {
            assert_eq!(word(&api_word(role.name())), role.name());
        }
        assert_eq!(api_word("workflow:read"), "WORKFLOW_READ");
    }
}
