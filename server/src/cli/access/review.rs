//! `timeloom access review`: who could do what at a moment, and why.

use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_domain::access::Permission;
use uuid::Uuid;

use super::{api_word, listed, print, word, words};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const REVIEW: &str = "query($first: Int!, $after: String, $permission: Permission, $account: UUID, $asOf: AsOf) {
  accessReview(first: $first, after: $after, permission: $permission, account: $account, asOf: $asOf) {
  nodes { account { id kind name email } permissions keptOut limitedBy { id name }
    grants { role granted { actor { kind name } reason at position } }
    keys { apiKey { key name expiresAt lastUsedAt } permissions } }
  pageInfo { hasNextPage endCursor } } }";

#[derive(Debug, Subcommand)]
pub enum AccessVerb {
    /// Tell who could do what at a moment, and because of what
    Review {
        /// Only who could do this, such as credential:write.
        #[arg(long)]
        permission: Option<Permission>,
        /// Only this account.
        #[arg(long, value_name = "ID")]
        account: Option<Uuid>,
        /// As it was then: a position, a time or a day.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
}

impl AccessVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Review { permission, account, at, access } = self;
        let permission = permission.map(|permission| api_word(permission.name()));
        let more = json!({ "permission": permission, "account": account, "asOf": at.map(Moment::as_of) });
        let found = listed(&access, config, REVIEW, "accessReview", more).await?;
        print(found, access.json, &["ACCOUNT", "KIND", "NAME", "MAY", "BECAUSE OF", "KEYS"], cells);
        Ok(())
    }
}

fn cells(entry: &Value) -> Vec<String> {
    let [id, kind, name, kept_out, principal] =
        ["/account/id", "/account/kind", "/account/name", "/keptOut", "/limitedBy/name"]
            .map(|path| output::text(entry, path));
    let each = |path: &str| entry.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let grant = |grant: &Value| {
        let [role, by, reason] =
            ["/role", "/granted/actor/name", "/granted/reason"].map(|path| output::text(grant, path));
        format!("{} by {by} ({reason})", word(&role))
    };
    let mut because: Vec<String> = each("/grants").iter().map(grant).collect();
    if entry.get("limitedBy").is_some_and(Value::is_object) {
        because.push(format!("no more than {principal}"));
    }
    let keys: Vec<String> = each("/keys").iter().map(|key| output::text(key, "/apiKey/key")).collect();
    let may = match entry.get("keptOut").and_then(Value::as_str) {
        Some(_) => format!("nothing: {}", word(&kept_out).replace('_', " ")),
        None => words(entry, "/permissions"),
    };
    let listed = |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join("; ") };
    vec![id, word(&kind), name, may, listed(because), listed(keys)]
}
