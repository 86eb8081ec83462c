//! Questions to language models: what the helper says that is attached to a node, and how an answer is read.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::chat::{ChatRequest, Format, Message, Role, Sampling};
use timeloom_domain::definition::Node;
use timeloom_domain::inference::port::{Asker, Chatted, NotAnswered, SharedInference};
use timeloom_engine::node::{NodeError, NodeRun, Questions};

use super::LANGUAGE_MODEL;
use crate::lenient_json;

/// Most bytes of what one question says.
const QUESTION_BYTES_MAX: u64 = 4 << 20;
/// Most characters of an answer that an error repeats.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// The questions of one node run.
pub(super) struct Chats {
    models: SharedInference,
    questions: Questions,
}

impl Chats {
    /// None yet.
    pub(super) fn new(run: &NodeRun<'_>) -> Self {
        Self { models: Arc::clone(&run.services.models), questions: run.questions() }
    }

    /// For whom the next question is asked, and where.
    pub(super) fn next(&mut self) -> (&SharedInference, &Asker) {
        (&self.models, self.questions.next_asker())
    }

    /// Asks the first of these models; where it cannot answer now, the one after it.
    ///
    /// # Errors
    /// [`NodeError`] of the last one.
    pub(super) async fn ask(
        &mut self,
        models: &[ChatRequest],
        messages: Vec<Message>,
        format: Option<Format>,
    ) -> Result<Chatted, NodeError> {
        let mut failure = NodeError::operation("no language model is attached");
        for model in models {
            let format = format.clone().or_else(|| model.format.clone());
            let request = ChatRequest { messages: messages.clone(), format, ..model.clone() };
            if request.text_bytes() > QUESTION_BYTES_MAX {
                let message = format!("the question has more than {QUESTION_BYTES_MAX} bytes");
                return Err(NodeError::operation(message).described("split the text up before"));
            }
            let (models, asker) = self.next();
            match models.chat(asker, request).await {
                Ok(chatted) => return Ok(chatted),
                Err(refused @ NotAnswered::Refused { .. }) => return Err(about_route(refused, &model.model)),
                Err(other) => failure = other.into(),
            }
        }
        Err(failure)
    }

    /// The same, for an answer that is data.
    ///
    /// # Errors
    /// [`NodeError`] when the answer is no JSON.
    pub(super) async fn ask_for_data(
        &mut self,
        models: &[ChatRequest],
        messages: Vec<Message>,
        schema: Value,
    ) -> Result<Value, NodeError> {
        let format = Format::Schema { name: "answer".to_owned(), description: None, schema, strict: None };
        let chatted = self.ask(models, messages, Some(format)).await?;
        data_of(&chatted.answer.text())
    }
}

pub(super) fn about_route(refused: NotAnswered, route: &str) -> NodeError {
    let is_route = refused.code() == "ROUTE_NOT_FOUND";
    let error = NodeError::from(refused);
    if is_route {
        return error.described(format!(
            "set up a route of the gateway with the name '{route}', or write another one's name as the model of the node"
        ));
    }
    error
}

/// What an answer says as JSON; models like to wrap it up.
///
/// # Errors
/// [`NodeError`] when it says none.
pub(super) fn data_of(text: &str) -> Result<Value, NodeError> {
    let trimmed = text.trim();
    let inside = trimmed.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inside = inside.map_or(trimmed, |rest| rest.strip_prefix("json").unwrap_or(rest).trim());
    let data = serde_json::from_str(inside).ok().or_else(|| lenient_json::parse(inside));
    data.filter(|data: &Value| data.is_object() || data.is_array()).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
        NodeError::api("the model answered no data").described(format!("it said: {shown}"))
    })
}

/// The language models that are attached to the node of a run, the first first: a request each, without messages.
///
/// # Errors
/// [`NodeError`] when there is none, or what it says cannot be evaluated.
pub(super) fn models_of(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<ChatRequest>, NodeError> {
    run.needed(LANGUAGE_MODEL)?;
    let helpers = run.attached(LANGUAGE_MODEL);
    helpers.into_iter().map(|helper| model_of(run, helper, index)).collect()
}

/// What a helper says of the model that it stands for.
pub(super) fn model_of(run: &mut NodeRun<'_>, helper: &Node, index: usize) -> Result<ChatRequest, NodeError> {
    let model = route_of(run, helper, index)?;
    let mut number = |names: &[&str]| -> Result<Option<f64>, NodeError> {
        for name in names {
            // What is not set in a workflow file is -1 in some of them.
            if let Some(found) =
                run.number_of(helper, &format!("options.{name}"), index)?.filter(|found| *found != -1.0)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    let sampling = Sampling {
        temperature: number(&["temperature"])?,
        top_p: number(&["topP"])?,
        top_k: number(&["topK"])?.map(|count| count.max(0.0) as u64),
        output_tokens_max: number(&["maxTokens", "maxTokensToSample", "maxOutputTokens", "numPredict"])?
            .map(|count| count.max(1.0) as u64),
        seed: number(&["seed"])?.map(|seed| seed as i64),
        frequency_penalty: number(&["frequencyPenalty"])?,
        presence_penalty: number(&["presencePenalty"])?,
        ..Sampling::default()
    };
    let wants_json = run.text_of(helper, "options.responseFormat", index, "")? == "json_object"
        || run.text_of(helper, "options.format", index, "")? == "json";
    Ok(ChatRequest { model, sampling, format: wants_json.then_some(Format::Json), ..ChatRequest::default() })
}

/// The name of the route that a helper stands for: workflow files write a model as a text, or as an object with its value.
///
/// # Errors
/// [`NodeError`] when it names none.
pub(super) fn route_of(run: &mut NodeRun<'_>, helper: &Node, index: usize) -> Result<String, NodeError> {
    for parameter in ["model", "modelName"] {
        let named = match run.parameter_of(helper, parameter, index)? {
            Some(Value::String(name)) => name,
            Some(Value::Object(fields)) => fields.get("value").and_then(Value::as_str).unwrap_or_default().to_owned(),
            _ => continue,
        };
        if !named.trim().is_empty() {
            return Ok(named.trim().to_owned());
        }
    }
    Err(NodeError::operation(format!("'{}' names no model", helper.name))
        .described("write the name of a route of the gateway as its model"))
}

/// A message of whoever set the model up.
pub(super) fn system(text: impl Into<String>) -> Message {
    Message::text(Role::System, text)
}

/// A message of whoever asks.
pub(super) fn user(text: impl Into<String>) -> Message {
    Message::text(Role::User, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_are_found_however_they_are_wrapped_up() {
        for text in ["{\"a\": 1}", "```json\n{\"a\": 1}\n```", "```\n{\"a\": 1}```", "  {'a': 1} "] {
            assert_eq!(data_of(text).unwrap(), json!({"a": 1}), "{text}");
        }
        let error = data_of("I would say: 1").unwrap_err();
        assert!(error.description.unwrap().contains("I would say"));
        assert!(data_of("17").is_err(), "a number alone is no data");
    }
}
