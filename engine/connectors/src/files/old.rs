//! Read Binary File, Read Binary Files and Write Binary File: what older workflow files have in the place of Read/Write Files
//! from Disk, which does the work.

use async_trait::async_trait;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, collection, palette, switch, text};

use super::read_write::ReadWriteFile;
use crate::Settings;

const ATTACHMENT: ParameterDefinition =
    text("dataPropertyName", "The attachment.").called("Property name").or_text("data");

const READ_ONE: &[ParameterDefinition] =
    &[text("filePath", "The path of the file.").like("in/report.csv").needed(), ATTACHMENT];
const READ_MANY: &[ParameterDefinition] = &[
    text("fileSelector", "Which files: a path, or a pattern with *, ** and {a,b}.").like("in/**/*.csv").needed(),
    ATTACHMENT,
];
const WRITE: &[ParameterDefinition] = &[
    text("fileName", "The path of the file.").like("out/report.csv").needed(),
    ATTACHMENT,
    collection(
        "options",
        &[switch("append", "Whether it is added to the end of a file that is there.").or_false()],
        "More that can be said.",
    ),
];

/// Which of the three.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Old {
    /// One file an item.
    ReadOne,
    /// All files that a pattern means.
    ReadMany,
    /// An attachment an item.
    Write,
}

/// One of the three node types.
pub(crate) struct OldFile {
    which: Old,
    files: ReadWriteFile,
}

impl OldFile {
    pub fn new(which: Old, settings: &Settings) -> Self {
        Self { which, files: ReadWriteFile::new(settings) }
    }
}

impl NodeType for OldFile {
    fn definition(&self) -> NodeDefinition {
        let (node_type, display_name, description, parameters) = match self.which {
            Old::ReadOne => (
                "n8n-nodes-base.readBinaryFile",
                "Read Binary File",
                "Reads one file of the server into an attachment of each item.",
                READ_ONE,
            ),
            Old::ReadMany => (
                "n8n-nodes-base.readBinaryFiles",
                "Read Binary Files",
                "Reads the files of the server that a pattern means into attachments.",
                READ_MANY,
            ),
            Old::Write => (
                "n8n-nodes-base.writeBinaryFile",
                "Write Binary File",
                "Writes an attachment of each item to a file of the server.",
                WRITE,
            ),
        };
        NodeDefinition {
            node_type,
            display_name,
            description,
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters,
            palette: palette(NodeGroup::HttpAndFiles, "folder", &["file", "disk", "binary"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for OldFile {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        // A pattern is looked for once, whatever comes in.
        let count = if self.which == Old::ReadMany { 1 } else { items.len() };
        let mut given = Vec::with_capacity(count);
        for (index, item) in items.iter().enumerate().take(count) {
            let done = match self.which {
                Old::ReadOne => self.read_one(run, item, index).await.map(|item| vec![item]),
                Old::ReadMany => self.read_many(run, index).await,
                Old::Write => self.files.write(run, item, index).await.map(|item| vec![item]),
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

impl OldFile {
    async fn read_one(&self, run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
        let path = run.text("filePath", index, "")?;
        let field = run.text("dataPropertyName", index, "data")?;
        let mut given = Item { binary: item.binary.clone(), ..Item::new(item.json.clone()) }.paired_with(index);
        for (_, file) in self.files.attachments(run, &path, index).await? {
            given.binary.get_or_insert_default().insert(field.clone(), file);
        }
        Ok(given)
    }

    async fn read_many(&self, run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Item>, NodeError> {
        let selector = run.text("fileSelector", index, "")?;
        let field = run.text("dataPropertyName", index, "data")?;
        let files = self.files.attachments(run, &selector, index).await?;
        let item = |file| {
            let mut item = Item::new(JsonObject::new()).paired_with(index);
            item.binary.get_or_insert_default().insert(field.clone(), file);
            item
        };
        Ok(files.into_iter().map(|(_, file)| item(file)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};
    use tempfile::TempDir;
    use timeloom_nodes::testing::{Bench, json_of};

    use super::*;

    #[tokio::test]
    async fn files_of_older_workflows_are_read_and_written() {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("files");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a.txt"), "hi").unwrap();
        fs::write(root.join("b.txt"), "ho").unwrap();
        let settings = Settings { files_root: Some(root.clone()), ..Settings::default() };
        let node = |which| OldFile::new(which, &settings);
        let names = |output: &NodeOutput, field: &str| -> Vec<Value> {
            let file = |item: &Item| json!(item.binary.as_ref().unwrap()[field].file_name);
            output.outputs[0].iter().map(file).collect()
        };

        let one = node(Old::ReadOne);
        let mut bench = Bench::new(&one, 1.0, json!({"filePath": "a.txt"})).input(json!([{"n": 1}, {"n": 2}]));
        let output = bench.run_effect().await.unwrap();
        assert_eq!(json_of(&output, 0), json!([{"n": 1}, {"n": 2}]));
        assert_eq!(names(&output, "data"), [json!("a.txt"), json!("a.txt")]);

        let many = node(Old::ReadMany);
        let parameters = json!({"fileSelector": "*.txt", "dataPropertyName": "file"});
        let output = Bench::new(&many, 1.0, parameters).input(json!([{}, {}])).run_effect().await.unwrap();
        assert_eq!(names(&output, "file"), [json!("a.txt"), json!("b.txt")]);

        let write = node(Old::Write);
        let item = json!([{"json": {"a": 1}, "binary": {"data": {"data": "aGk=", "mimeType": "text/plain"}}}]);
        let parameters = json!({"fileName": "b.txt", "options": {"append": true}});
        let output = Bench::new(&write, 1.0, parameters).input(item).run_effect().await.unwrap();
        assert_eq!(json_of(&output, 0), json!([{"a": 1, "fileName": "b.txt"}]));
        assert_eq!(fs::read(root.join("b.txt")).unwrap(), b"hohi");
    }
}
