//! `timeloom audit erase` and its kin: what is decided about the data of subjects.
//!
//! Who asks and who approves are two: see docs/erasure.md.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_store::leases::Roles;
use timeloom_store::subjects::vault::BACKUP_BYTES_MAX;

use super::client::Client;
use super::retention::RetentionVerb;
use super::{Access, Failure, output};
use crate::config::Config;
use crate::store::Store;

const SUBJECT: &str = "id name status request { reason by } approvedBy erasedAt completedAt streams events
  holds { name reason by release { reason by } }";

#[derive(Debug, Subcommand)]
pub enum ErasureVerb {
    /// Ask for the data of a subject to be erased; another user approves it
    Erase {
        /// The name of the subject; of an account `account:ID`.
        subject: String,
        /// Why. It stays when the data is gone: name nobody in it.
        #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
        reason: Option<String>,
        /// Only tell what would go, and what is in the way.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Approve an erasure that another one asked for: it cannot be undone
    ApproveErasure {
        /// What stands for the subject: `timeloom audit erasures` shows it.
        id: String,
        #[command(flatten)]
        access: Access,
    },
    /// Take such a request back
    WithdrawErasure {
        /// What stands for the subject.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// List the subjects about which something was asked or decided
    Erasures {
        #[command(flatten)]
        access: Access,
    },
    /// Hold the data of a subject: it is not erased before the hold is released
    Hold {
        /// The name of the subject.
        subject: String,
        /// What the hold is called.
        hold: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Ask for the end of a hold; another user approves it
    ReleaseHold {
        /// What stands for the subject.
        id: String,
        /// What the hold is called.
        hold: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Approve the end of a hold that another one asked for
    ApproveRelease {
        /// What stands for the subject.
        id: String,
        /// What the hold is called.
        hold: String,
        #[command(flatten)]
        access: Access,
    },
    /// Say how long data of a category is kept, and see it
    #[command(subcommand)]
    Retention(RetentionVerb),
    /// Keep a copy of the keys of subjects, or put keys back that were lost
    #[command(subcommand)]
    SubjectKeys(KeysVerb),
}

#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Write the keys of all subjects into a file, wrapped under the master key
    Backup {
        /// The file; it must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// Take the keys of a backup that are missing from a data folder that nobody serves; never those of erased subjects
    Restore {
        /// The file.
        file: PathBuf,
    },
}

impl ErasureVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let (field, kind, input, done, access) = match self {
            Self::Erase { subject, dry_run: true, access, .. } => return preview(&access, config, &subject).await,
            Self::Erase { subject, reason, access, .. } => {
                let input = json!({ "subject": subject, "reason": reason });
                ("requestErasure", "RequestErasureInput", input, "asked for the erasure of", access)
            }
            Self::ApproveErasure { id, access } => {
                ("approveErasure", "ApproveErasureInput", json!({ "subjectId": id }), "erased", access)
            }
            Self::WithdrawErasure { id, reason, access } => {
                let input = json!({ "subjectId": id, "reason": reason });
                ("withdrawErasure", "WithdrawErasureInput", input, "withdrew the erasure of", access)
            }
            Self::Erasures { access } => return list(&access, config).await,
            Self::Retention(verb) => return verb.run(config).await,
            Self::Hold { subject, hold, reason, access } => {
                let input = json!({ "subject": subject, "hold": hold, "reason": reason });
                ("placeLegalHold", "PlaceLegalHoldInput", input, "holds", access)
            }
            Self::ReleaseHold { id, hold, reason, access } => {
                let input = json!({ "subjectId": id, "hold": hold, "reason": reason });
                ("requestLegalHoldRelease", "ReleaseLegalHoldInput", input, "asked for a release of", access)
            }
            Self::ApproveRelease { id, hold, access } => {
                let input = json!({ "subjectId": id, "hold": hold });
                ("approveLegalHoldRelease", "ReleaseLegalHoldInput", input, "released a hold on", access)
            }
            Self::SubjectKeys(KeysVerb::Backup { file, access }) => return backup(&access, config, file).await,
            Self::SubjectKeys(KeysVerb::Restore { file }) => return restore(config, file).await,
        };
        let shown = format!("subjectId position subject {{ {SUBJECT} }} errors {{ code message }}");
        let query = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {shown} }} }}");
        let client = Client::open(&access, config).await?;
        let payload = client.change(field, &query, input, access.json).await;
        client.close().await;
        let payload = payload?;
        if access.json {
            output::json(&payload);
        } else {
            let [id, position] = ["/subjectId", "/position"].map(|path| output::text(&payload, path));
            output::line(&format!("{done} subject {id} at position {position}"));
        }
        Ok(())
    }
}

pub(super) async fn asked(access: &Access, config: &Config, query: &str, variables: Value) -> anyhow::Result<Value> {
    let client = Client::open(access, config).await?;
    let found = client.ask(query, variables).await;
    client.close().await;
    found
}

async fn preview(access: &Access, config: &Config, subject: &str) -> Result<(), Failure> {
    let query = format!(
        "query($subject: String!) {{ erasurePreview(subject: $subject) {{ subject {{ {SUBJECT} }} events streamCount
         attachments executionsUnderWay letsIn categories {{ category events }} streams {{ category id events }} }} }}"
    );
    let data = asked(access, config, &query, json!({ "subject": subject })).await?;
    let preview = data.get("erasurePreview").cloned().unwrap_or_default();
    if access.json {
        output::json(&preview);
        return Ok(());
    }
    let [id, events, streams, attachments] =
        ["/subject/id", "/events", "/streamCount", "/attachments"].map(|path| output::text(&preview, path));
    output::line(&format!(
        "subject {id}: an erasure takes the data of {events} events in {streams} streams, and {attachments} attachments"
    ));
    let list = |path: &str| preview.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |row: &Value| ["/category", "/id", "/events"].map(|path| output::text(row, path)).to_vec();
    output::table(&["CATEGORY", "STREAM", "EVENTS"], &list("/streams").iter().map(cells).collect::<Vec<_>>());
    let under_way = preview.get("executionsUnderWay").and_then(Value::as_u64).unwrap_or_default();
    if under_way > 0 {
        output::notice(&format!("in the way: {under_way} executions are under way"));
    }
    if preview.get("letsIn") == Some(&Value::Bool(true)) {
        output::notice("in the way: the account is not disabled");
    }
    for hold in list("/subject/holds") {
        output::notice(&format!("in the way: the hold '{}'", output::text(&hold, "/name")));
    }
    Ok(())
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let data = asked(access, config, &format!("{{ erasures {{ {SUBJECT} }} }}"), json!({})).await?;
    let found = data.get("erasures").and_then(Value::as_array).cloned().unwrap_or_default();
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |row: &Value| {
        let paths = ["/id", "/name", "/status", "/request/by", "/approvedBy", "/events"];
        let mut cells = paths.map(|path| output::text(row, path)).to_vec();
        if let Some(status) = cells.get_mut(2) {
            *status = status.to_lowercase().replace('_', " ");
        }
        cells
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["ID", "SUBJECT", "STATUS", "ASKED BY", "APPROVED BY", "EVENTS"], &rows);
    Ok(())
}

async fn backup(access: &Access, config: &Config, file: PathBuf) -> Result<(), Failure> {
    let data = asked(access, config, "{ subjectKeyBackup }", json!({})).await?;
    let text = data.get("subjectKeyBackup").and_then(Value::as_str).context("the server sent no keys")?;
    let failed = || format!("{} cannot be written", file.display());
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).with_context(failed)?;
    written.write_all(text.as_bytes()).and_then(|()| written.sync_all()).with_context(failed)?;
    let count = text.lines().count().saturating_sub(1);
    if access.json {
        output::json(&json!({ "file": file.display().to_string(), "keys": count }));
    } else {
        output::line(&format!("wrote {count} keys to {}", file.display()));
        output::notice("they open with the master key alone: keep that apart from this file");
    }
    Ok(())
}

async fn restore(config: &Config, file: PathBuf) -> Result<(), Failure> {
    let failed = || format!("{} cannot be read", file.display());
    let bytes = std::fs::metadata(&file).with_context(failed)?.len();
    if bytes > BACKUP_BYTES_MAX as u64 {
        output::error(&format!("{} has more than {BACKUP_BYTES_MAX} bytes: it is no backup of keys", file.display()));
        return Err(Failure::Refused);
    }
    let text = std::fs::read_to_string(&file).with_context(failed)?;
    // Opening the store tells the keys first who was erased, so that none of them comes back.
    let store = Store::open(config, Roles::all()).await?;
    let restored = store.subject_keys.restore(&text).await;
    store.close().await;
    let restored = restored.context("the keys were not restored")?;
    output::line(&format!("restored {restored} keys that were missing"));
    Ok(())
}
