//! Read/Write Files from Disk: files below the folder that the operator named.
//!
//! Content goes part by part, past the memory. A file that is written takes the place of the one before as a whole.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use cap_std::fs::{Dir, File, OpenOptions};
use futures::StreamExt as _;
use serde_json::json;
use timeloom_domain::catalogue::{Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, collection, is, options, palette, switch, text, told};
use timeloom_nodes::described_file;

use super::glob::Pattern;
use crate::Settings;
use crate::root::{Root, failure};

/// Most files that one item reads.
const FILES_MAX: usize = 1_000;
/// Most entries of folders that are looked at for one item.
const ENTRIES_MAX: usize = 100_000;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 32;
/// How much of a file is read at a time, in bytes.
const PART_BYTES: usize = 256 << 10;

const READ: &[Condition] = &[is("operation", &["read"])];
const WRITE: &[Condition] = &[is("operation", &["write"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("read", "Read files", "Reads files into attachments."),
            told("write", "Write file", "Writes an attachment to a file."),
        ],
        "What is done.",
    )
    .or_text("read"),
    text("fileSelector", "Which files: a path, or a pattern with *, ** and {a,b}.")
        .called("Files selector")
        .like("in/**/*.csv")
        .needed()
        .when(READ),
    text("fileName", "The path of the file.").called("File path and name").like("out/report.csv").needed().when(WRITE),
    text("dataPropertyName", "The attachment.").called("Input binary field").or_text("data").when(WRITE),
    collection(
        "options",
        &[
            text("fileExtension", "The ending of the attachment's name, in place of the file's.")
                .when(&[is("/operation", &["read"])]),
            text("fileName", "The name of the attachment, in place of the file's.")
                .when(&[is("/operation", &["read"])]),
            text("mimeType", "The media type of the attachment.").when(&[is("/operation", &["read"])]),
            text("dataPropertyName", "The attachment that a file becomes.")
                .called("Put output file in field")
                .or_text("data")
                .when(&[is("/operation", &["read"])]),
            switch("append", "Whether it is added to the end of a file that is there.")
                .or_false()
                .when(&[is("/operation", &["write"])]),
        ],
        "More that can be said.",
    ),
];

/// Read/Write Files from Disk.
pub(crate) struct ReadWriteFile {
    root: Root,
}

impl ReadWriteFile {
    pub fn new(settings: &Settings) -> Self {
        Self { root: Root::new(settings) }
    }
}

impl NodeType for ReadWriteFile {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.readWriteFile",
            display_name: "Read/Write Files from Disk",
            description: "Reads files of the server into attachments, or writes attachments to files.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "folder", &["file", "disk", "binary", "read", "write", "folder"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ReadWriteFile {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let done = match run.text("operation", index, "read")?.as_str() {
                "read" => self.read(run, index).await,
                "write" => self.write(run, item, index).await.map(|item| vec![item]),
                other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
            };
            match done {
                Ok(items) => given.extend(items),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl ReadWriteFile {
    async fn read(&self, run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Item>, NodeError> {
        let selector = run.text("fileSelector", index, "")?;
        let field = run.text("options.dataPropertyName", index, "data")?;
        let found = self.attachments(run, &selector, index).await?;
        let mut items = Vec::with_capacity(found.len());
        for (path, file) in found {
            let mut json = JsonObject::new();
            json.insert("mimeType".to_owned(), json!(file.mime_type));
            json.extend(file.extra.get("fileType").map(|of| ("fileType".to_owned(), of.clone())));
            json.extend(file.file_name.clone().map(|name| ("fileName".to_owned(), json!(name))));
            json.extend(file.file_extension.clone().map(|ending| ("fileExtension".to_owned(), json!(ending))));
            json.extend(file.file_size.clone().map(|size| ("fileSize".to_owned(), json!(size))));
            let directory = path.parent().map(|parent| parent.display().to_string()).unwrap_or_default();
            json.insert("directory".to_owned(), json!(directory));
            let mut item = Item::new(json).paired_with(index);
            item.binary.get_or_insert_default().insert(field.clone(), file);
            items.push(item);
        }
        Ok(items)
    }

    /// The files that a selector means, each with its path below the folder.
    pub async fn attachments(
        &self,
        run: &mut NodeRun<'_>,
        selector: &str,
        index: usize,
    ) -> Result<Vec<(PathBuf, BinaryData)>, NodeError> {
        let selector = self.root.relative(selector)?;
        let folder = self.root.open()?;
        let searched = folder.try_clone().map_err(|error| failure(&error, &selector))?;
        let found = blocking(move || find(&searched, &selector)).await??;
        let mut files = Vec::with_capacity(found.len());
        for path in found {
            let file = self.attachment(run, &folder, &path, index).await?;
            files.push((path, file));
        }
        Ok(files)
    }

    async fn attachment(
        &self,
        run: &mut NodeRun<'_>,
        folder: &Dir,
        path: &Path,
        index: usize,
    ) -> Result<BinaryData, NodeError> {
        let own_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut name = run.text("options.fileName", index, &own_name)?;
        let ending = run.text("options.fileExtension", index, "")?;
        if !ending.is_empty() {
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            name = format!("{stem}.{}", ending.trim_start_matches('.'));
        }
        let about = described_file(Some(name), &run.text("options.mimeType", index, "")?);
        let bytes_max = run.services.outbound.file_bytes_max;
        let mut writer = run.binaries().writer(bytes_max);
        let (folder, owned) = (folder.try_clone().map_err(|error| failure(&error, path))?, path.to_owned());
        let mut file = blocking(move || opened(&folder, &owned)).await??;
        loop {
            let owned = path.to_owned();
            let (part, back) = blocking(move || {
                let mut part = vec![0; PART_BYTES];
                let count = file.read(&mut part).map_err(|error| failure(&error, &owned))?;
                part.truncate(count);
                Ok::<_, NodeError>((part, file))
            })
            .await??;
            file = back;
            if part.is_empty() {
                return writer.finish(about).await;
            }
            writer.write(Bytes::from(part)).await?;
        }
    }

    /// Writes an attachment of the item to the file that the parameters name.
    pub async fn write(&self, run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
        let written = run.text("fileName", index, "")?;
        let path = self.root.relative(&written)?;
        let field = run.text("dataPropertyName", index, "data")?;
        let appends = run.boolean("options.append", index, false)?;
        let attachment = item.binary.as_ref().and_then(|binary| binary.get(&field)).ok_or_else(|| {
            NodeError::operation(format!("the item has no attachment '{field}'")).described("name another one")
        })?;
        let (mut parts, _) = run.binaries().stream(attachment)?;
        let folder = self.root.open()?;
        // The same name for the same run of the node: what a crash left is written over.
        let fresh = path.with_file_name(format!(".timeloom-{}-{index}", plain(run.idempotency_key)));
        let target = Target { folder, path, fresh, appends };
        let (mut file, mut target) = blocking(move || target.begin()).await??;
        while let Some(part) = parts.next().await {
            let part = part?;
            (file, target) = blocking(move || target.add(file, &part)).await??;
        }
        blocking(move || target.finish(&file)).await??;
        let mut given = Item { binary: item.binary.clone(), ..Item::new(item.json.clone()) }.paired_with(index);
        given.json.insert("fileName".to_owned(), json!(written));
        Ok(given)
    }
}

fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::operation("the work on the file was cut off"))
}

/// A file that is being written.
struct Target {
    folder: Dir,
    path: PathBuf,
    /// Where it is written before it takes its place.
    fresh: PathBuf,
    appends: bool,
}

impl Target {
    fn begin(self) -> Result<(File, Self), NodeError> {
        let failure = |error: std::io::Error| failure(&error, &self.path);
        if self.appends {
            if self.folder.metadata(&self.path).is_ok_and(|known| !known.is_file()) {
                return Err(no_file(&self.path));
            }
            let mut options = OpenOptions::new();
            let file = self.folder.open_with(&self.path, options.append(true).create(true)).map_err(failure)?;
            return Ok((file, self));
        }
        // What is left of a run that was cut off may be anything.
        let _ = self.folder.remove_file(&self.fresh);
        let mut options = OpenOptions::new();
        let file = self.folder.open_with(&self.fresh, options.write(true).create_new(true)).map_err(failure)?;
        Ok((file, self))
    }

    fn add(self, mut file: File, part: &[u8]) -> Result<(File, Self), NodeError> {
        match file.write_all(part) {
            Ok(()) => Ok((file, self)),
            Err(error) => {
                self.give_up();
                Err(failure(&error, &self.path))
            }
        }
    }

    fn finish(self, file: &File) -> Result<(), NodeError> {
        let done = file.sync_all().and_then(|()| match self.appends {
            true => Ok(()),
            false => self.folder.rename(&self.fresh, &self.folder, &self.path),
        });
        done.map_err(|error| {
            self.give_up();
            failure(&error, &self.path)
        })
    }

    fn give_up(&self) {
        if !self.appends {
            let _ = self.folder.remove_file(&self.fresh);
        }
    }
}

fn no_file(path: &Path) -> NodeError {
    NodeError::operation(format!("'{}' is no file", path.display()))
}

/// A file, opened to be read. What is none would keep whoever opens it waiting.
fn opened(folder: &Dir, path: &Path) -> Result<File, NodeError> {
    let known = folder.metadata(path).map_err(|error| failure(&error, path))?;
    if !known.is_file() {
        return Err(no_file(path));
    }
    folder.open(path).map_err(|error| failure(&error, path))
}

/// The files that a selector means, in the order of their names.
fn find(folder: &Dir, selector: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let written = selector.to_string_lossy();
    if Pattern::is_plain(&written) || folder.symlink_metadata(selector).is_ok() {
        return Ok(vec![selector.to_owned()]);
    }
    let pattern = Pattern::new(&written);
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let place: PathBuf = path.iter().collect();
        let entries = if path.is_empty() { folder.entries() } else { folder.read_dir(&place) };
        for entry in entries.map_err(|error| failure(&error, &place))? {
            let entry = entry.map_err(|error| failure(&error, &place))?;
            looked += 1;
            if looked > ENTRIES_MAX {
                return Err(NodeError::operation(format!("more than {ENTRIES_MAX} entries would be looked at"))
                    .described("give a narrower pattern, which begins with a folder"));
            }
            let mut path = path.clone();
            path.push(entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().map_err(|error| failure(&error, &place))?;
            if kind.is_dir() && path.len() < DEPTH_MAX && pattern.leads_into(&path) {
                open.push(path);
            } else if kind.is_file() && pattern.fits(&path) {
                found.push(path.iter().collect());
            }
        }
    }
    if found.len() > FILES_MAX {
        return Err(NodeError::operation(format!(
            "the pattern fits {} files: at most {FILES_MAX} are read",
            found.len()
        )));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;
    use tempfile::TempDir;
    use timeloom_nodes::testing::{Bench, json_of};

    use super::*;

    fn root() -> (TempDir, ReadWriteFile) {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("files/in/sub")).unwrap();
        fs::write(folder.path().join("secret.txt"), "open sesame").unwrap();
        fs::write(folder.path().join("files/in/a.csv"), "id,name\n1,Ada\n").unwrap();
        fs::write(folder.path().join("files/in/sub/b.csv"), "id\n2\n").unwrap();
        let settings = Settings { files_root: Some(folder.path().join("files")), ..Settings::default() };
        (folder, ReadWriteFile::new(&settings))
    }

    async fn content(bench: &Bench<'_>, item: &Item, field: &str) -> Vec<u8> {
        bench.services.binaries.read(&item.binary.as_ref().unwrap()[field]).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn files_are_read_by_path_and_by_pattern() {
        let (_folder, node) = root();
        let mut bench = Bench::new(&node, 1.0, json!({"fileSelector": "in/**/*.csv"})).input(json!([{}]));
        let output = bench.run_effect().await.unwrap();
        let names: Vec<Value> = output.outputs[0].iter().map(|item| item.json["fileName"].clone()).collect();
        assert_eq!(names, [json!("a.csv"), json!("b.csv")]);
        assert_eq!(output.outputs[0][1].json["directory"], json!("in/sub"));
        assert_eq!(content(&bench, &output.outputs[0][0], "data").await, b"id,name\n1,Ada\n");
        let options = json!({"dataPropertyName": "file", "fileName": "x", "fileExtension": "txt"});
        let mut bench =
            Bench::new(&node, 1.1, json!({"fileSelector": "in/a.csv", "options": options})).input(json!([{}]));
        let output = bench.run_effect().await.unwrap();
        assert_eq!(output.outputs[0][0].json["fileName"], json!("x.txt"));
        assert_eq!(content(&bench, &output.outputs[0][0], "file").await, b"id,name\n1,Ada\n");
    }

    #[tokio::test]
    async fn nothing_outside_of_the_folder_is_read_or_written() {
        let (folder, node) = root();
        let files = folder.path().join("files");
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), files.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(folder.path(), files.join("up")).unwrap();
        let outside = folder.path().join("secret.txt").display().to_string();
        for selector in ["link.txt", "up/secret.txt", "../secret.txt", "in/../../secret.txt", &outside, "/etc/passwd"] {
            let mut bench = Bench::new(&node, 1.0, json!({"fileSelector": selector})).input(json!([{}]));
            let error = bench.run_effect().await.unwrap_err();
            assert!(error.message.contains("refused"), "{selector}: {error}");
        }
        let mut bench = Bench::new(&node, 1.0, json!({"fileSelector": "**/*.txt"})).input(json!([{}]));
        assert_eq!(json_of(&bench.run_effect().await.unwrap(), 0), json!([]), "links are not followed by patterns");
        let item = json!([{"json": {}, "binary": {"data": {"data": "aGk=", "mimeType": "text/plain"}}}]);
        for name in ["up/new.txt", "../new.txt", "/tmp/new.txt"] {
            let parameters = json!({"operation": "write", "fileName": name});
            let error = Bench::new(&node, 1.0, parameters).input(item.clone()).run_effect().await.unwrap_err();
            assert!(error.message.contains("refused"), "{name}: {error}");
        }
        // A link is replaced as a whole; what it named stays.
        let parameters = json!({"operation": "write", "fileName": "link.txt"});
        Bench::new(&node, 1.0, parameters).input(item).run_effect().await.unwrap();
        assert_eq!(fs::read(folder.path().join("secret.txt")).unwrap(), b"open sesame");
        assert_eq!(fs::read(files.join("link.txt")).unwrap(), b"hi");
    }

    #[tokio::test]
    async fn a_file_is_written_as_a_whole_or_added_to() {
        let (folder, node) = root();
        let item = json!([{"json": {"a": 1}, "binary": {"data": {"data": "aGk=", "mimeType": "text/plain"}}}]);
        let write = |more: Value| json!({"operation": "write", "fileName": "out.txt", "options": more});
        for (options, expected) in [(json!({}), "hi"), (json!({"append": true}), "hihi"), (json!({}), "hi")] {
            let output = Bench::new(&node, 1.0, write(options)).input(item.clone()).run_effect().await.unwrap();
            assert_eq!(json_of(&output, 0), json!([{"a": 1, "fileName": "out.txt"}]));
            assert_eq!(fs::read_to_string(folder.path().join("files/out.txt")).unwrap(), expected);
        }
        let left: Vec<_> = fs::read_dir(folder.path().join("files")).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "nothing is left beside it: {left:?}");
    }

    #[tokio::test]
    async fn what_is_no_file_or_not_there_is_told() {
        let (_folder, node) = root();
        for (selector, message) in [("in", "is no file"), ("none.csv", "there is no file"), ("", "no file is named")] {
            let mut bench = Bench::new(&node, 1.0, json!({"fileSelector": selector})).input(json!([{}]));
            let error = bench.run_effect().await.unwrap_err();
            assert!(error.message.contains(message), "{error}");
        }
        let without = ReadWriteFile::new(&Settings::default());
        let mut bench = Bench::new(&without, 1.0, json!({"fileSelector": "a"})).input(json!([{}]));
        assert!(bench.run_effect().await.unwrap_err().message.contains("files are refused here"));
    }
}
