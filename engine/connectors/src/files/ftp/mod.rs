//! FTP: files of a server that speaks FTP, with or without TLS, or SFTP.

mod client;
mod listing;
mod parameters;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, BinaryWriter, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, Parts};
use timeloom_nodes::describe::{ONE_TO_ONE, palette};
use timeloom_nodes::described_file;

/// Most entries of folders that one item lists.
const ENTRIES_MAX: usize = 10_000;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 32;

/// Files of another machine.
#[async_trait]
pub(crate) trait Remote: Send {
    /// What is in a folder.
    async fn list(&mut self, path: &str) -> Result<Vec<Entry>, NodeError>;
    /// Reads a file into an attachment.
    async fn read(&mut self, path: &str, into: &mut BinaryWriter) -> Result<(), NodeError>;
    /// Writes a file, in place of the one that is there.
    async fn write(&mut self, path: &str, parts: Parts) -> Result<(), NodeError>;
    /// Deletes a file.
    async fn remove(&mut self, path: &str) -> Result<(), NodeError>;
    /// Deletes an empty folder.
    async fn remove_folder(&mut self, path: &str) -> Result<(), NodeError>;
    /// Makes a folder; one that is there already is as good.
    async fn make_folder(&mut self, path: &str) -> Result<(), NodeError>;
    /// Gives a file another name.
    async fn rename(&mut self, from: &str, to: &str) -> Result<(), NodeError>;
    /// Says good-bye.
    async fn close(&mut self);
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its length, in bytes.
    pub size: u64,
    /// When it was changed, where that is known.
    pub modified: Option<String>,
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
}

impl Entry {
    fn told(&self, folder: &str) -> JsonObject {
        let kind = match self.kind {
            EntryKind::File => "-",
            EntryKind::Folder => "d",
            EntryKind::Link => "l",
        };
        let told = json!({
            "type": kind, "name": self.name, "size": self.size, "modifyTime": self.modified,
            "path": joined(folder, &self.name),
        });
        told.as_object().cloned().unwrap_or_default()
    }
}

fn joined(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// FTP.
pub(crate) struct Ftp;

impl NodeType for Ftp {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.ftp",
            display_name: "FTP",
            description: "Reads, writes and lists files of an FTP or SFTP server.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: parameters::PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "server", &["sftp", "ftps", "file", "upload", "download"]),
            credentials: parameters::CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Ftp {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let within = run.services.outbound.request_time_max;
        let mut remote = match run.text("protocol", 0, "ftp")?.as_str() {
            "ftp" => client::Client::open(run).await?,
            "sftp" => sftp(run).await?,
            other => return Err(NodeError::operation(format!("the protocol '{other}' is not known"))),
        };
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let carried = tokio::time::timeout(within, carry_out(run, &mut *remote, item, index)).await;
            let done = carried.unwrap_or_else(|_| {
                let message = format!("the server did not do it within {} ms", within.as_millis());
                Err(NodeError::api(message).described("set the node to retry on failure, or transfer less"))
            });
            match done {
                Ok(items) => given.extend(items),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        remote.close().await;
        Ok(NodeOutput::single(given))
    }
}

#[cfg(feature = "ssh")]
async fn sftp(run: &mut NodeRun<'_>) -> Result<Box<dyn Remote>, NodeError> {
    super::ssh::files(run, "sftp").await
}

#[cfg(not(feature = "ssh"))]
#[expect(clippy::unused_async, reason = "the other build waits")]
async fn sftp(_run: &mut NodeRun<'_>) -> Result<Box<dyn Remote>, NodeError> {
    Err(NodeError::operation("this build knows no SFTP").described("use a build with the feature `ssh`"))
}

async fn carry_out(
    run: &mut NodeRun<'_>,
    remote: &mut dyn Remote,
    item: &Item,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    match run.text("operation", index, "download")?.as_str() {
        "delete" => {
            let path = path(run, "path", index)?;
            if run.boolean("options.folder", index, false)? {
                delete_folder(remote, &path, run.boolean("options.recursive", index, false)?).await?;
            } else {
                remote.remove(&path).await?;
            }
            Ok(succeeded(index))
        }
        "download" => Ok(vec![download(run, remote, item, index).await?]),
        "list" => {
            let folder = run.text("path", index, "/")?;
            let recursive = run.boolean("recursive", index, false)?;
            let found = walk(remote, &folder, recursive).await?;
            Ok(found.into_iter().map(|(folder, entry)| Item::new(entry.told(&folder)).paired_with(index)).collect())
        }
        "rename" => {
            let (from, to) = (path(run, "oldPath", index)?, path(run, "newPath", index)?);
            if run.boolean("options.createDirectories", index, false)? {
                make_folders(remote, &to).await?;
            }
            remote.rename(&from, &to).await?;
            Ok(succeeded(index))
        }
        "upload" => {
            upload(run, remote, item, index).await?;
            Ok(vec![item.clone().paired_with(index)])
        }
        other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
    }
}

fn succeeded(index: usize) -> Vec<Item> {
    vec![Item::new(JsonObject::from_iter([("success".to_owned(), Value::Bool(true))])).paired_with(index)]
}

/// A path, which has to be there and to be one line: a second one would be a command of its own.
fn path(run: &mut NodeRun<'_>, name: &str, index: usize) -> Result<String, NodeError> {
    let path = run.text(name, index, "")?;
    if path.is_empty() {
        return Err(NodeError::operation("no path is given: name a file or a folder"));
    }
    check_line(&path)?;
    Ok(path)
}

fn check_line(path: &str) -> Result<(), NodeError> {
    if path.contains(['\r', '\n', '\0']) {
        return Err(NodeError::operation("a path cannot have a line break in it"));
    }
    Ok(())
}

async fn download(
    run: &mut NodeRun<'_>,
    remote: &mut dyn Remote,
    item: &Item,
    index: usize,
) -> Result<Item, NodeError> {
    let path = path(run, "path", index)?;
    let field = run.text("binaryPropertyName", index, "data")?;
    let mut writer = run.binaries().writer(run.services.outbound.file_bytes_max);
    remote.read(&path, &mut writer).await?;
    let file = writer.finish(described_file(path.rsplit('/').next().map(str::to_owned), "")).await?;
    let mut given = Item { binary: item.binary.clone(), ..Item::new(item.json.clone()) };
    given.binary.get_or_insert_default().insert(field, file);
    Ok(given.paired_with(index))
}

async fn upload(run: &mut NodeRun<'_>, remote: &mut dyn Remote, item: &Item, index: usize) -> Result<(), NodeError> {
    let path = path(run, "path", index)?;
    let parts: Parts = if run.boolean("binaryData", index, true)? {
        let field = run.text("binaryPropertyName", index, "data")?;
        let file = item.binary.as_ref().and_then(|binary| binary.get(&field)).ok_or_else(|| {
            NodeError::operation(format!("the item has no attachment '{field}'"))
                .described("name another one, or a text")
        })?;
        run.binaries().stream(file)?.0
    } else {
        let text = run.text("fileContent", index, "")?;
        futures::stream::iter([Ok(text.into())]).boxed()
    };
    make_folders(remote, &path).await?;
    remote.write(&path, parts).await
}

/// Makes the folders above a path.
async fn make_folders(remote: &mut dyn Remote, path: &str) -> Result<(), NodeError> {
    let Some((parents, _)) = path.rsplit_once('/') else { return Ok(()) };
    let mut made = String::new();
    for part in parents.split('/') {
        made.push_str(part);
        if !part.is_empty() {
            remote.make_folder(&made).await?;
        }
        made.push('/');
    }
    Ok(())
}

/// The entries of a folder, and of those below it where that is asked for, with the folder of each.
async fn walk(remote: &mut dyn Remote, folder: &str, deep: bool) -> Result<Vec<(String, Entry)>, NodeError> {
    check_line(folder)?;
    let (mut open, mut found) = (vec![(folder.to_owned(), 0)], Vec::new());
    while let Some((folder, depth)) = open.pop() {
        for entry in remote.list(&folder).await? {
            // The server's word is no reason to go anywhere else.
            if matches!(entry.name.as_str(), "" | "." | "..") || entry.name.contains(['/', '\r', '\n', '\0']) {
                continue;
            }
            if entry.kind == EntryKind::Folder && deep && depth < DEPTH_MAX {
                open.push((joined(&folder, &entry.name), depth + 1));
            }
            found.push((folder.clone(), entry));
            if found.len() > ENTRIES_MAX {
                return Err(NodeError::operation(format!("there are more than {ENTRIES_MAX} entries"))
                    .described("list a folder further down"));
            }
        }
    }
    Ok(found)
}

async fn delete_folder(remote: &mut dyn Remote, folder: &str, recursive: bool) -> Result<(), NodeError> {
    if recursive {
        let mut found = walk(remote, folder, true).await?;
        // What is deepest goes first. A link is deleted and never followed.
        found.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.split('/').count()));
        for (folder, entry) in found {
            let path = joined(&folder, &entry.name);
            match entry.kind {
                EntryKind::Folder => remote.remove_folder(&path).await?,
                EntryKind::File | EntryKind::Link => remote.remove(&path).await?,
            }
        }
    }
    remote.remove_folder(folder).await
}
