//! `timeloom key`.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_domain::access::Permission;
use uuid::Uuid;

use super::{Why, api_word, change, listed, print, print_once, words};
use crate::cli::moment::{Moment, time};
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String, $account: UUID, $active: Boolean, $asOf: AsOf) {
  apiKeys(first: $first, after: $after, account: $account, active: $active, asOf: $asOf) {
  nodes { key name account { id name } scopes expiresAt lastUsedAt active revoked { at reason } }
  pageInfo { hasNextPage endCursor } } }";
const MAKE: &str = "mutation($input: MakeApiKeyInput!) { makeApiKey(input: $input) {
  accountId key token position apiKey { key } errors { code message } } }";
const REVOKE: &str = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) {
  accountId key position apiKey { key } errors { code message } } }";

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// List keys, without what lets in
    List {
        /// Only those of this account.
        #[arg(long, value_name = "ID")]
        account: Option<Uuid>,
        /// Those that let in no more, too.
        #[arg(long)]
        all: bool,
        /// As they were then: a position, a time or a day.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Make a key; its text is printed once
    Make {
        /// What it is for.
        name: String,
        /// The account; your own without it.
        #[arg(long, value_name = "ID")]
        account: Option<Uuid>,
        /// What it may do, of what its account may, such as workflow:read; as often as there are permissions.
        #[arg(long, value_name = "PERMISSION")]
        scope: Vec<Permission>,
        /// Until when it lets in: a time or a day.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires: Option<DateTime<Utc>>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let a key in no more
    Revoke {
        /// The part of it that may be seen.
        key: String,
        /// The account; your own without it.
        #[arg(long, value_name = "ID")]
        account: Option<Uuid>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
}

impl KeyVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { account, all, at, access } => {
                let active = (!all).then_some(true);
                let more = json!({ "account": account, "active": active, "asOf": at.map(Moment::as_of) });
                let found = listed(&access, config, LIST, "apiKeys", more).await?;
                let headings = ["KEY", "NAME", "ACCOUNT", "SCOPES", "EXPIRES", "LAST USED", "STATUS"];
                print(found, access.json, &headings, cells);
            }
            Self::Make { name, account, scope, expires, why, access } => {
                let scopes: Vec<String> = scope.iter().map(|permission| api_word(permission.name())).collect();
                let scopes = if scopes.is_empty() { Value::Null } else { json!(scopes) };
                let expires = expires.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
                let input = json!({ "accountId": account, "name": name, "scopes": scopes, "expiresAt": expires,
                    "reason": why.reason });
                let payload = change(&access, config, "makeApiKey", MAKE, input).await?;
                print_once(&payload, access.json, "key");
            }
            Self::Revoke { key, account, why, access } => {
                let input = json!({ "accountId": account, "key": key, "reason": why.reason });
                let payload = change(&access, config, "revokeApiKey", REVOKE, input).await?;
                if access.json {
                    output::json(&payload);
                } else {
                    output::line(&format!("revoked key {key} at position {}", output::text(&payload, "/position")));
                }
            }
        }
        Ok(())
    }
}

fn cells(key: &Value) -> Vec<String> {
    let [id, name, account, expires, used] =
        ["/key", "/name", "/account/name", "/expiresAt", "/lastUsedAt"].map(|path| output::text(key, path));
    let scopes = if key.get("scopes").is_some_and(Value::is_array) { words(key, "/scopes") } else { "all".to_owned() };
    let status = match (key.get("active"), key.get("revoked")) {
        (Some(Value::Bool(true)), _) => "lets in",
        (_, Some(Value::Object(_))) => "revoked",
        _ => "expired",
    };
    vec![id, name, account, scopes, expires, used, status.to_owned()]
}
