//! Summarization Chain: the gist of a long text. It is cut into parts, each is summed up, and then what came of them.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::chat::ChatRequest;
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::LANGUAGE_MODEL;
use super::asking::{Chats, models_of, user};
use crate::describe::{ONE_TO_ONE, collection, is, list, long_text, number, one, options, palette, told};
use crate::models::Gathered;

const METHOD: &[ParameterDefinition] = &[
    options(
        "summarizationMethod",
        &[
            told("map_reduce", "Map reduce", "Each part is summed up, then what came of them."),
            told("refine", "Refine", "The summary takes in one part after the other."),
            told("stuff", "Stuff", "The whole text at once."),
        ],
        "How a long text is summed up.",
    )
    .or_text("map_reduce"),
    long_text("combineMapPrompt", "What is asked of each part; {text} stands for it.")
        .called("Individual summary prompt")
        .or_text(PROMPT)
        .when(&[is("summarizationMethod", &["map_reduce"])]),
    long_text("prompt", "What is asked of all, or of the first part; {text} stands for it.")
        .called("Final prompt to combine")
        .or_text(PROMPT),
    long_text("refinePrompt", "What is asked of each further part; {existing_answer} stands for the summary so far.")
        .called("Subsequent (refine) prompt")
        .or_text(REFINE)
        .when(&[is("summarizationMethod", &["refine"])]),
];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operationMode",
        &[told("nodeInputJson", "Use node input (JSON)", "The JSON of each item.")],
        "From where the text is.",
    )
    .called("Data to summarize")
    .or_text("nodeInputJson"),
    number("chunkSize", "Characters of a part.").called("Characters per chunk").or_number(4_000.0),
    number("chunkOverlap", "Characters that a part has in common with the one before.")
        .called("Chunk overlap (characters)")
        .or_number(200.0),
    collection(
        "options",
        &[list(
            "summarizationMethodAndPrompts",
            &[one("values", "Method and prompts", METHOD)],
            "How, and what is asked.",
        )],
        "What else to decide.",
    ),
];

/// What is asked of a text when the author says nothing.
const PROMPT: &str = "Write a short summary of this text:\n\n{text}";
/// What is asked where a summary is to take in one more part.
const REFINE: &str = "Here is a summary so far:\n\n{existing_answer}\n\nTake this in where it matters, and give the whole \
                      summary again:\n\n{text}";
/// Most parts of one text.
const PARTS_MAX: usize = 500;

/// Summarization Chain.
pub(crate) struct ChainSummarization;

impl NodeType for ChainSummarization {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.chainSummarization",
            display_name: "Summarization Chain",
            description: "Sums up a long text, part by part.",
            versions: &[1.0, 2.0, 2.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "text-quote", &["summary", "tldr", "shorten", "condense"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        HelperPorts::default().requiring(LANGUAGE_MODEL)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ChainSummarization {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut chats, mut gathered) = (Chats::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = summed_up(run, &mut chats, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn summed_up(run: &mut NodeRun<'_>, chats: &mut Chats, item: &Item, index: usize) -> Result<Item, NodeError> {
    let models = models_of(run, index)?;
    let mode = run.text("operationMode", index, "nodeInputJson")?;
    if mode != "nodeInputJson" {
        let message = format!("the operation mode '{mode}' is not supported here");
        return Err(NodeError::operation(message).described("take the text out with Extract from File before"));
    }
    let size = run.number("chunkSize", index, 4_000.0)?.clamp(100.0, 1_000_000.0) as usize;
    let overlap = (run.number("chunkOverlap", index, 200.0)?.max(0.0) as usize).min(size / 2);
    const OPTIONS: &str = "options.summarizationMethodAndPrompts.values";
    let method = run.text(&format!("{OPTIONS}.summarizationMethod"), index, "map_reduce")?;
    let combine = run.text(&format!("{OPTIONS}.prompt"), index, PROMPT)?;
    let map = run.text(&format!("{OPTIONS}.combineMapPrompt"), index, PROMPT)?;
    let refine = run.text(&format!("{OPTIONS}.refinePrompt"), index, REFINE)?;
    let text = text_of(item);
    let parts = if method == "stuff" { vec![text] } else { parts(&text, size, overlap)? };
    let summary = match method.as_str() {
        "refine" => {
            let mut summary = String::new();
            for part in parts {
                let prompt = if summary.is_empty() { &combine } else { &refine };
                let prompt = prompt.replace("{existing_answer}", &summary);
                summary = asked(chats, &models, &prompt, &part).await?;
            }
            summary
        }
        _ => match parts.as_slice() {
            [only] => asked(chats, &models, &combine, only).await?,
            several => {
                let mut summaries = Vec::with_capacity(several.len());
                for part in several {
                    summaries.push(asked(chats, &models, &map, part).await?);
                }
                asked(chats, &models, &combine, &summaries.join("\n\n")).await?
            }
        },
    };
    let field = if run.version() >= 2.1 { "output" } else { "response" };
    Ok(Item::new(JsonObject::from_iter([(field.to_owned(), json!({ "text": summary }))])))
}

async fn asked(chats: &mut Chats, models: &[ChatRequest], prompt: &str, text: &str) -> Result<String, NodeError> {
    let prompt = prompt.replace("{text}", text);
    Ok(chats.ask(models, vec![user(prompt)], None).await?.answer.text().trim().to_owned())
}

/// The text of an item: its only text, or all of its JSON.
fn text_of(item: &Item) -> String {
    let mut values = item.json.values();
    match (values.next(), values.next()) {
        (Some(Value::String(text)), None) => text.clone(),
        _ => item.json.to_value().to_string(),
    }
}

/// Parts of a text, each of at most so many characters, cut where a paragraph, a line or a word ends.
pub(super) fn parts(text: &str, size: usize, overlap: usize) -> Result<Vec<String>, NodeError> {
    let letters: Vec<char> = text.chars().collect();
    let (mut found, mut start) = (Vec::new(), 0);
    while start < letters.len() || found.is_empty() {
        let most = (start + size).min(letters.len());
        let ends = |at: usize| letters[at - 1].is_whitespace();
        // In the second half of a part there is an end of a word, or the text has none.
        let end = if most == letters.len() {
            most
        } else {
            (start + size / 2..=most).rev().find(|at| ends(*at)).unwrap_or(most)
        };
        found.push(letters[start..end].iter().collect());
        if found.len() > PARTS_MAX {
            let message = format!("the text has more than {PARTS_MAX} parts of {size} characters");
            return Err(NodeError::operation(message).described("choose larger parts (chunkSize), or a shorter text"));
        }
        if end == letters.len() {
            break;
        }
        start = end.saturating_sub(overlap).max(start + 1);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use timeloom_domain::chat::Role;

    use super::*;
    use crate::language::testing::{ScriptedChats, asked, said, texts};

    #[tokio::test]
    async fn parts_are_summed_up_and_then_what_came_of_them() {
        let chats = ScriptedChats::answering(["one", "two", "all"]);
        let long = "word ".repeat(30);
        let parameters = json!({"chunkSize": 100, "chunkOverlap": 0});
        let output =
            asked(&ChainSummarization, 2.1, parameters, json!({"model": "m"}), &chats, texts([long.trim()])).await;
        assert_eq!(output.unwrap(), json!([[{"output": {"text": "all"}}]]));
        assert!(said(&chats.requests()[2], Role::User).ends_with("one\n\ntwo"));
        let refined = ScriptedChats::answering(["first", "second"]);
        let parameters = json!({"chunkSize": 100, "chunkOverlap": 0,
            "options": {"summarizationMethodAndPrompts": {"values": {"summarizationMethod": "refine"}}}});
        let output =
            asked(&ChainSummarization, 2.0, parameters, json!({"model": "m"}), &refined, texts([long.trim()])).await;
        assert_eq!(output.unwrap(), json!([[{"response": {"text": "second"}}]]));
        assert!(said(&refined.requests()[1], Role::User).contains("so far:\n\nfirst"));
    }

    #[test]
    fn parts_end_at_words_and_share_what_they_should() {
        let found = parts(&"abcd ".repeat(50), 103, 10).unwrap();
        assert!(found.iter().all(|part| part.chars().count() <= 103));
        assert!(found[0].ends_with(' ') && found[1].starts_with("abcd "));
        assert_eq!(parts("", 100, 0).unwrap(), [""]);
        assert!(parts(&"a".repeat(60_000), 100, 0).is_err());
    }
}
