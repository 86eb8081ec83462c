//! `timeloom session`.

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Why, change, listed, print, word};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String, $account: UUID, $active: Boolean, $asOf: AsOf) {
  sessions(first: $first, after: $after, account: $account, active: $active, asOf: $asOf) {
  nodes { id account { id name } method address startedAt lastUsedAt active end } pageInfo { hasNextPage endCursor } } }";
const END: &str = "mutation($input: EndSessionInput!) { endSession(input: $input) {
  sessionId position errors { code message } } }";

#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// List who is signed in
    List {
        /// Only those of this account.
        #[arg(long, value_name = "ID")]
        account: Option<Uuid>,
        /// Those that ended or expired, too.
        #[arg(long)]
        all: bool,
        /// As they were then: a position, a time or a day.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// End a session
    End {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
}

impl SessionVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { account, all, at, access } => {
                let active = (!all).then_some(true);
                let more = json!({ "account": account, "active": active, "asOf": at.map(Moment::as_of) });
                let found = listed(&access, config, LIST, "sessions", more).await?;
                let headings = ["ID", "ACCOUNT", "BY", "FROM", "STARTED", "LAST USED", "STATUS"];
                print(found, access.json, &headings, cells);
            }
            Self::End { id, why, access } => {
                let input = json!({ "sessionId": id, "reason": why.reason });
                let payload = change(&access, config, "endSession", END, input).await?;
                if access.json {
                    output::json(&payload);
                } else {
                    output::line(&format!("ended session {id} at position {}", output::text(&payload, "/position")));
                }
            }
        }
        Ok(())
    }
}

fn cells(session: &Value) -> Vec<String> {
    let [id, account, method, address, started, used] =
        ["/id", "/account/name", "/method", "/address", "/startedAt", "/lastUsedAt"]
            .map(|path| output::text(session, path));
    let status = match (session.get("active"), session.get("end").and_then(Value::as_str)) {
        (Some(Value::Bool(true)), _) => "lets in".to_owned(),
        (_, Some(end)) => word(end).replace('_', " "),
        _ => "expired".to_owned(),
    };
    vec![id, account, word(&method), address, started, used, status]
}
