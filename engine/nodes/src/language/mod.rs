//! Nodes that ask language models, by routes of the gateway: chats, texts that become data, classes, sentiments, summaries,
//! entities, vectors. A node names no provider: the helper that is attached to it, or a parameter, names the route.

mod agent;
mod asking;
mod chain;
mod classify;
mod embeddings;
mod entities;
mod extract;
mod helpers;
mod parameters;
mod schema;
mod summarise;
#[cfg(test)]
mod testing;
mod vectors;

use timeloom_domain::catalogue::Choice;

use crate::describe::told;

pub(crate) use agent::AiAgent;
pub(crate) use chain::ChainLlm;
pub(crate) use classify::{SentimentAnalysis, TextClassifier};
pub(crate) use embeddings::Embeddings;
pub(crate) use entities::Entities;
pub(crate) use extract::InformationExtractor;
pub(crate) use helpers::helpers;
pub(crate) use summarise::ChainSummarization;
pub(crate) use vectors::{SimpleVectorStore, VectorStore};

/// Where a prompt is.
const PROMPT_TYPE: &[Choice] = &[
    told("auto", "Connected Chat Trigger node", "The item's field chatInput."),
    told("define", "Define below", "A prompt of your own."),
];
/// The kind of connection of language models.
pub(crate) const LANGUAGE_MODEL: &str = "ai_languageModel";
/// The kind of connection of output parsers.
pub(crate) const OUTPUT_PARSER: &str = "ai_outputParser";
