//! `timeloom credential`: save, list, delete, rotate. Secrets come from a file or from standard input, never as arguments,
//! and are printed by nothing here.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::workflow::{all_pages, read_file};
use super::{Access, Failure, output};
use crate::config::Config;

const SAVE: &str = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) {
  credentialId position revision errors { code message } } }";
const DELETE: &str = "mutation($input: CredentialInput!) { deleteCredential(input: $input) {
  credentialId position errors { code message } } }";
const ROTATE: &str = "mutation($input: RotateCredentialsInput!) { rotateCredentials(input: $input) {
  key resealedCount keptCount passwordCount failedCount failures errors { code message } } }";
const CONNECT: &str = "query($id: UUID!) { credential(id: $id) { name connectUrl } }";
const LIST: &str = "query($first: Int!, $after: String) { credentials(first: $first, after: $after) {
  nodes { id name type fields key version connectUrl history { updatedAt } } pageInfo { hasNextPage endCursor } } }";

#[derive(Debug, Subcommand)]
pub enum CredentialVerb {
    /// Save a credential; the one of that type and name is replaced
    Save {
        /// Its name, as workflows write it.
        name: String,
        /// Its type, such as httpBasicAuth.
        #[arg(long = "type", value_name = "TYPE")]
        credential_type: String,
        /// A file with its fields, a JSON object; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        fields: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// List the credentials, without their values
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Tell where to give the permission that a credential of OAuth 2 needs: open it in a browser
    Connect {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Let nobody use a credential any more
    Delete {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Seal every credential anew under the newest key
    Rotate {
        /// Make a new key first, where the keys are in the data folder.
        #[arg(long)]
        new_key: bool,
        #[command(flatten)]
        access: Access,
    },
}

impl CredentialVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Save { name, credential_type, fields: file, access } => {
                // What the parser says of broken JSON names a place, never what is there.
                let fields: Value = serde_json::from_slice(&read_file(&file)?)
                    .with_context(|| format!("{} is not a JSON object with fields", file.display()))?;
                let input = json!({ "name": name, "type": credential_type, "data": fields });
                let payload = change(&access, config, "saveCredential", SAVE, input).await?;
                told(&payload, access.json, "saved", name);
            }
            Self::List { access } => list(&access, config).await?,
            Self::Connect { id, access } => return connect(id, &access, config).await,
            Self::Delete { id, access } => {
                let payload =
                    change(&access, config, "deleteCredential", DELETE, json!({ "credentialId": id })).await?;
                told(&payload, access.json, "deleted", id.to_string());
            }
            Self::Rotate { new_key, access } => {
                let payload =
                    change(&access, config, "rotateCredentials", ROTATE, json!({ "newKey": new_key })).await?;
                return rotated(&payload, access.json);
            }
        }
        Ok(())
    }
}

async fn connect(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(CONNECT, json!({ "id": id })).await;
    client.close().await;
    let found = found?;
    let Some(url) = found.pointer("/credential/connectUrl").and_then(Value::as_str) else {
        let why =
            if found["credential"].is_null() { "there is no such credential" } else { "it needs nobody's permission" };
        output::error(&format!("the credential {id} cannot be connected: {why}"));
        return Err(Failure::Refused);
    };
    if access.json {
        output::json(&json!({ "connectUrl": url }));
    } else {
        output::line(&format!("open this in a browser in which you are signed in: {url}"));
    }
    Ok(())
}

async fn change(access: &Access, config: &Config, field: &str, query: &str, input: Value) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change(field, query, input, access.json).await;
    client.close().await;
    result
}

fn told(payload: &Value, json: bool, done: &str, what: String) {
    if json {
        output::json(payload);
        return;
    }
    let [id, position] = ["/credentialId", "/position"].map(|path| output::text(payload, path));
    let named = if what == id { String::new() } else { format!(" '{what}'") };
    output::line(&format!("{done} credential{named} {id} at position {position}"));
}

async fn list(access: &Access, config: &Config) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let found = all_pages(&client, LIST, "credentials", json!({ "first": 100 })).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |credential: &Value| {
        let [id, name, credential_type, version, key, updated] =
            ["/id", "/name", "/type", "/version", "/key", "/history/updatedAt"]
                .map(|path| output::text(credential, path));
        let fields = credential.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let fields: Vec<&str> = fields.iter().filter_map(Value::as_str).collect();
        vec![id, name, credential_type, fields.join(", "), version, key, updated]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["ID", "NAME", "TYPE", "FIELDS", "VERSION", "KEY", "UPDATED"], &rows);
    Ok(())
}

/// Tells what a rotation came to; it failed when something could not be opened.
fn rotated(payload: &Value, json: bool) -> Result<(), Failure> {
    let failed = payload.get("failedCount").and_then(Value::as_u64).unwrap_or_default();
    if json {
        output::json(payload);
    } else {
        let [resealed, kept, passwords, key] =
            ["/resealedCount", "/keptCount", "/passwordCount", "/key"].map(|path| output::text(payload, path));
        output::line(&format!(
            "{resealed} credentials and {passwords} passwords were sealed anew, {kept} credentials were under key {key} already"
        ));
        let failures = payload.get("failures").and_then(Value::as_array).cloned().unwrap_or_default();
        failures.iter().filter_map(Value::as_str).for_each(output::error);
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Failed) }
}
