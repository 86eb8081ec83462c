//! SSH: commands on another machine, where the operator allows commands, and its files.

mod connection;
mod sftp;

use async_trait::async_trait;
use serde_json::json;
use timeloom_domain::catalogue::{
    Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, choice, collection, is, needs, options, palette, text, told};
use timeloom_nodes::described_file;

use self::connection::Connection;
use super::command::{COMMAND_TIME_MAX, check_allowed};
use super::ftp::Remote;
use crate::Settings;

const BY_PASSWORD: &[Condition] = &[is("authentication", &["password"])];
const BY_KEY: &[Condition] = &[is("authentication", &["privateKey"])];
const COMMAND: &[Condition] = &[is("resource", &["command"])];
const FILE: &[Condition] = &[is("resource", &["file"])];

const CREDENTIALS: &[CredentialDefinition] = &[needs("sshPassword", BY_PASSWORD), needs("sshPrivateKey", BY_KEY)];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "authentication",
        &[choice("password", "Password"), choice("privateKey", "Private key")],
        "How this client signs in.",
    )
    .or_text("password"),
    options("resource", &[choice("command", "Command"), choice("file", "File")], "What it is about.")
        .or_text("command"),
    options("operation", &[told("execute", "Execute", "Runs a command.")], "What is done.")
        .or_text("execute")
        .when(COMMAND),
    options(
        "operation",
        &[told("download", "Download", "Fetches a file."), told("upload", "Upload", "Stores a file.")],
        "What is done.",
    )
    .or_text("upload")
    .when(FILE),
    text("command", "The command, for the shell there.").needed().when(COMMAND),
    text("cwd", "The folder in which it runs.").called("Working directory").or_text("/").when(COMMAND),
    text("binaryPropertyName", "The attachment.")
        .called("Input binary field")
        .or_text("data")
        .when(&[is("resource", &["file"]), is("operation", &["upload"])]),
    text("path", "The folder in which it is stored; its name is that of the attachment.")
        .needed()
        .like("/home/user")
        .when(&[is("resource", &["file"]), is("operation", &["upload"])]),
    text("path", "The file.")
        .needed()
        .like("/home/user/report.csv")
        .when(&[is("resource", &["file"]), is("operation", &["download"])]),
    text("binaryPropertyName", "The attachment that the file becomes.")
        .called("File property")
        .or_text("data")
        .when(&[is("resource", &["file"]), is("operation", &["download"])]),
    collection("options", &[text("fileName", "The name of the file, in place of its own.")], "More that can be said.")
        .when(FILE),
];

/// SSH.
pub(crate) struct Ssh {
    is_allowed: bool,
}

impl Ssh {
    pub fn new(settings: &Settings) -> Self {
        Self { is_allowed: settings.commands }
    }
}

impl NodeType for Ssh {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.ssh",
            display_name: "SSH",
            description: "Runs commands on another machine by SSH, or transfers files.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "terminal",
                &["shell", "remote", "command", "scp", "upload", "download"],
            ),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// Files of the machine that the node's credential of that type names.
///
/// # Errors
/// [`NodeError`] when it cannot be reached, is another one, or lets nobody in.
pub(crate) async fn files(run: &mut NodeRun<'_>, credential_type: &'static str) -> Result<Box<dyn Remote>, NodeError> {
    let connection = Connection::open(run, credential_type).await?;
    Ok(Box::new(sftp::Files::begin(connection).await?))
}

#[async_trait]
impl EffectNode for Ssh {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        check_allowed(self.is_allowed)?;
        let items = run.items();
        let mut given = Vec::with_capacity(items.len());
        let mut kept = Kept::default();
        for (index, item) in items.iter().enumerate() {
            match carry_out(run, &mut kept, item, index).await {
                Ok(item) => given.push(item),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        if let Some(mut files) = kept.files {
            files.close().await;
        }
        Ok(NodeOutput::single(given))
    }
}

/// What is open for all items.
#[derive(Default)]
struct Kept {
    connection: Option<Connection>,
    files: Option<Box<dyn Remote>>,
}

async fn carry_out(run: &mut NodeRun<'_>, kept: &mut Kept, item: &Item, index: usize) -> Result<Item, NodeError> {
    let credential_type = match run.text("authentication", index, "password")?.as_str() {
        "password" => "sshPassword",
        "privateKey" => "sshPrivateKey",
        other => return Err(NodeError::operation(format!("the authentication '{other}' is not known"))),
    };
    match run.text("resource", index, "command")?.as_str() {
        "command" => {
            let (command, folder) = (run.text("command", index, "")?, run.text("cwd", index, "/")?);
            if kept.connection.is_none() {
                kept.connection = Some(Connection::open(run, credential_type).await?);
            }
            let Some(connection) = &mut kept.connection else { return Ok(Item::default()) };
            let ran = tokio::time::timeout(COMMAND_TIME_MAX, connection.execute(&command, &folder)).await;
            let slow =
                |_| NodeError::operation(format!("the command did not end within {} s", COMMAND_TIME_MAX.as_secs()));
            let told = ran.map_err(slow).and_then(|ran| ran);
            if told.is_err() {
                // What is left of its answer may still come.
                kept.connection = None;
            }
            Ok(Item::new(told?).paired_with(index))
        }
        "file" => {
            if kept.files.is_none() {
                kept.files = Some(files(run, credential_type).await?);
            }
            let Some(files) = &mut kept.files else { return Ok(Item::default()) };
            let within = run.services.outbound.request_time_max;
            match tokio::time::timeout(within, transfer(run, &mut **files, item, index)).await {
                Ok(done) => done,
                Err(_) => Err(NodeError::api(format!("the file was not transferred within {} ms", within.as_millis()))),
            }
        }
        other => Err(NodeError::operation(format!("the resource '{other}' is not known"))),
    }
}

async fn transfer(run: &mut NodeRun<'_>, files: &mut dyn Remote, item: &Item, index: usize) -> Result<Item, NodeError> {
    let path = run.text("path", index, "")?;
    let field = run.text("binaryPropertyName", index, "data")?;
    let renamed = run.text("options.fileName", index, "")?;
    match run.text("operation", index, "upload")?.as_str() {
        "download" => {
            let mut writer = run.binaries().writer(run.services.outbound.file_bytes_max);
            files.read(&path, &mut writer).await?;
            let own = path.rsplit('/').next().unwrap_or_default().to_owned();
            let file = writer.finish(described_file(Some(if renamed.is_empty() { own } else { renamed }), "")).await?;
            let mut given = Item { binary: item.binary.clone(), ..Item::new(item.json.clone()) };
            given.binary.get_or_insert_default().insert(field, file);
            Ok(given.paired_with(index))
        }
        "upload" => {
            let file = item.binary.as_ref().and_then(|binary| binary.get(&field)).ok_or_else(|| {
                NodeError::operation(format!("the item has no attachment '{field}'")).described("name another one")
            })?;
            let name = if renamed.is_empty() { file.file_name.clone().unwrap_or_default() } else { renamed };
            let name = name.rsplit('/').next().unwrap_or_default();
            if name.is_empty() {
                return Err(NodeError::operation("the attachment has no name: give one in File Name"));
            }
            let parts = run.binaries().stream(file)?.0;
            files.write(&format!("{}/{name}", path.trim_end_matches('/')), parts).await?;
            let told = JsonObject::from_iter([("success".to_owned(), json!(true))]);
            Ok(Item::new(told).paired_with(index))
        }
        other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
    }
}
