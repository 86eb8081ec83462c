//! File Type: what an attachment is, by its bytes and not by its name. For models such as Magika.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::inference::port::Described;
use timeloom_domain::inference::{ElementType, Tensor};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::asking::{Asked, Gathered, label, labels_of, short, told, with};
use super::tensors::{floats, push};
use crate::describe::{ONE_TO_ONE, long_text, palette, text};
use crate::files::attached;

const PARAMETERS: &[ParameterDefinition] = &[
    text("model", "The model: NAME, NAME@VERSION or NAME@ALIAS.").like("magika").naming("model").needed(),
    text("binaryPropertyName", "Name of the attachment.").called("Input binary field").or_text("data"),
    long_text("labels", "What the model's classes are, one a line, where its file does not tell."),
];

/// Bytes of each end of a file within which its blank ends are left out.
const BLOCK_BYTES: usize = 4_096;
/// What stands where a file has no byte.
const PADDING: i64 = 256;
/// A file of fewer bytes tells no model anything.
const BYTES_MIN: usize = 8;

/// The File Type node.
pub(crate) struct FileType;

impl NodeType for FileType {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.fileType",
            display_name: "File Type",
            description: "Tells of what type an attachment is, by its bytes.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "file-question", &["mime", "magic", "detect"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// What a model of Magika's kind says beside its file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Card {
    target_labels_space: Vec<String>,
    thresholds: BTreeMap<String, f32>,
    medium_confidence_threshold: Option<f32>,
    overwrite_map: BTreeMap<String, String>,
}

#[async_trait]
impl EffectNode for FileType {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut asked, mut gathered) = (Asked::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = told_type(run, &mut asked, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn told_type(run: &mut NodeRun<'_>, asked: &mut Asked, item: &Item, index: usize) -> Result<Item, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let content = run.binaries().read(attached(item, index, &name)?).await?;
    let is_text = std::str::from_utf8(&content).is_ok();
    if content.len() < BYTES_MIN {
        let kind = match (content.is_empty(), is_text) {
            (true, _) => "empty",
            (false, true) => "txt",
            (false, false) => "unknown",
        };
        return Ok(with(item, [("fileType", json!(kind)), ("confidence", json!(1.0))]));
    }
    let (model, described) = asked.described(run, "model", index).await?;
    let (input, element, length) = input_of(&described)?;
    let tensor = ends(&content, element, length)?;
    let answer = asked.infer(&model, vec![(input, tensor)]).await?;
    let scores = answer.outputs.first().and_then(|(_, tensor)| floats(tensor)).unwrap_or_default();
    let best = (0..scores.len()).max_by(|left, right| scores[*left].total_cmp(&scores[*right]));
    let best = best.ok_or_else(|| NodeError::operation("the model gave no scores: it is none for types of files"))?;
    let card: Card =
        described.about.get("config.json").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let own = run.parameter("labels", index)?;
    let labels = match labels_of(own.as_ref(), &described) {
        labels if labels.is_empty() => card.target_labels_space.clone(),
        labels => labels,
    };
    let (class, score) = (label(&labels, best), scores[best]);
    let least = card.thresholds.get(&class).copied().or(card.medium_confidence_threshold).unwrap_or_default();
    let kind = if score >= least {
        card.overwrite_map.get(&class).cloned().unwrap_or_else(|| class.clone())
    } else {
        // What the model is not sure of is no more than what everybody sees.
        if is_text { "txt" } else { "unknown" }.to_owned()
    };
    let fields: [(&str, Value); 4] = [
        ("fileType", json!(kind)),
        ("confidence", short(score)),
        ("guess", json!(class)),
        ("inference", told(&answer)),
    ];
    Ok(with(item, fields))
}

/// The one input: so many numbers, half of them for the beginning.
fn input_of(described: &Described) -> Result<(String, ElementType, usize), NodeError> {
    let unfit = || {
        NodeError::operation(format!("'{}' is no model for types of files", described.model))
            .described("it must have one input, of whole numbers, that holds the first and the last bytes of a file")
    };
    let [spec] = described.inputs.as_slice() else { return Err(unfit()) };
    match spec.shape.as_slice() {
        [_, Some(length)] if (2..=1 << 16).contains(length) => Ok((spec.name.clone(), spec.element, *length as usize)),
        _ => Err(unfit()),
    }
}

/// The first bytes of a file without its blank beginning, and its last ones without its blank end.
fn ends(content: &[u8], element: ElementType, length: usize) -> Result<Tensor, NodeError> {
    let half = length / 2;
    let first = content[..content.len().min(BLOCK_BYTES)].trim_ascii_start();
    let last = content[content.len().saturating_sub(BLOCK_BYTES)..].trim_ascii_end();
    let first = &first[..first.len().min(half)];
    let last = &last[last.len().saturating_sub(length - half)..];
    let padding = |count: usize| std::iter::repeat_n(PADDING, count);
    let numbers = first.iter().map(|byte| i64::from(*byte)).chain(padding(half - first.len()));
    let numbers = numbers.chain(padding(length - half - last.len())).chain(last.iter().map(|byte| i64::from(*byte)));
    let mut data = Vec::new();
    for number in numbers {
        push(&json!(number), element, &mut data)
            .ok_or_else(|| NodeError::operation(format!("the model wants {element}, which cannot hold {number}")))?;
    }
    Tensor::new(element, vec![1, length], data.into()).map_err(|error| NodeError::operation(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::models::testing::{ScriptedModels, spec};
    use crate::testing::{Bench, json_of};

    const CARD: &str = r#"{"target_labels_space": ["png", "randomtxt", "zip"], "thresholds": {"zip": 0.9},
        "medium_confidence_threshold": 0.5, "overwrite_map": {"randomtxt": "txt"}}"#;

    async fn kind(content: &[u8], scores: [f32; 3]) -> (Value, usize) {
        let about = (vec![spec("bytes", ElementType::I32, &[None, Some(8)])], vec![]);
        let models = ScriptedModels::default().and("magika", about, &[("config.json", CARD)], move |inputs| {
            assert_eq!(inputs[0].1.shape(), [1, 8]);
            vec![("scores".to_owned(), Tensor::of_f32(vec![1, 3], &scores).unwrap())]
        });
        let binary = json!({"data": {"data": STANDARD.encode(content), "mimeType": "x/y"}});
        let mut bench =
            Bench::new(&FileType, 1.0, json!({"model": "magika"})).input(json!([{"json": {}, "binary": binary}]));
        bench.services.models = Arc::new(models.clone());
        (json_of(&bench.run_effect().await.unwrap(), 0)[0]["fileType"].clone(), models.asked())
    }

    #[tokio::test]
    async fn the_highest_score_is_the_type_where_the_model_is_sure() {
        assert_eq!(kind(b"0123456789", [0.9, 0.05, 0.05]).await, (json!("png"), 1));
        assert_eq!(kind(b"0123456789", [0.1, 0.8, 0.1]).await, (json!("txt"), 1));
        assert_eq!(kind(b"0123456789", [0.1, 0.1, 0.8]).await, (json!("txt"), 1), "not sure enough, and a text");
        assert_eq!(kind(b"01234\xff6789", [0.1, 0.1, 0.8]).await, (json!("unknown"), 1));
        assert_eq!(kind(b"", [0.0; 3]).await, (json!("empty"), 0), "no model is asked");
        assert_eq!(kind(b"abc", [0.0; 3]).await, (json!("txt"), 0));
    }

    #[test]
    fn the_ends_of_a_file_are_laid_out_without_blanks() {
        let numbers = |content: &[u8]| super::floats(&ends(content, ElementType::I32, 8).unwrap()).unwrap();
        assert_eq!(numbers(b"  ab"), [97.0, 98.0, 256.0, 256.0, 32.0, 32.0, 97.0, 98.0]);
        assert_eq!(numbers(b"abcdef\n"), [97.0, 98.0, 99.0, 100.0, 99.0, 100.0, 101.0, 102.0]);
    }
}
