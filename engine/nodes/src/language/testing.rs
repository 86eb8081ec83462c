//! Language models for tests, which say what a list says.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use timeloom_domain::chat::{
    ChatAnswer, ChatRequest, Choice, EmbedAnswer, EmbedInput, EmbedRequest, FinishReason, Part,
};
use timeloom_domain::ids::ModelCallId;
use timeloom_domain::inference::port::{
    Answering, Asker, Chatted, Described, Embedded, InferencePort, ModelAnswer, ModelAsk, NotAnswered,
};
use timeloom_domain::item::JsonObject;
use timeloom_domain::model::ModelReference;
use timeloom_engine::node::{NodeError, NodeType};
use uuid::Uuid;

use crate::testing::{Bench, json_of};

/// Says one thing after the other; without any, there is no route. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptedChats {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    answers: VecDeque<String>,
    requests: Vec<ChatRequest>,
    embedded: Vec<EmbedRequest>,
    askers: Vec<Asker>,
}

impl ScriptedChats {
    pub(crate) fn answering<const N: usize>(answers: [&str; N]) -> Self {
        let chats = Self::default();
        chats.inner.lock().unwrap().answers.extend(answers.map(str::to_owned));
        chats
    }

    pub(crate) fn requests(&self) -> Vec<ChatRequest> {
        self.inner.lock().unwrap().requests.clone()
    }

    pub(crate) fn embedded(&self) -> Vec<EmbedRequest> {
        self.inner.lock().unwrap().embedded.clone()
    }

    pub(crate) fn askers(&self) -> Vec<Asker> {
        self.inner.lock().unwrap().askers.clone()
    }
}

/// What a node gives, by outputs, that an OpenAI Chat Model of those parameters serves.
pub(crate) async fn asked(
    node_type: &dyn NodeType,
    version: f64,
    parameters: Value,
    model: Value,
    chats: &ScriptedChats,
    items: Value,
) -> Result<Value, NodeError> {
    let bench = Bench::new(node_type, version, parameters).input(items);
    let mut bench = bench.helper(super::LANGUAGE_MODEL, "@n8n/n8n-nodes-langchain.lmChatOpenAi", model);
    bench.services.models = Arc::new(chats.clone());
    given(&mut bench).await
}

/// What a node gives, by outputs.
pub(crate) async fn given(bench: &mut Bench<'_>) -> Result<Value, NodeError> {
    let output = bench.run_effect().await?;
    Ok((0..output.outputs.len()).map(|index| json_of(&output, index)).collect())
}

fn no_route<T>(route: &str) -> Result<T, NotAnswered> {
    Err(NotAnswered::Refused { code: "ROUTE_NOT_FOUND", message: format!("there is no route '{route}'") })
}

impl InferencePort for ScriptedChats {
    fn describe<'a>(&'a self, _: &'a Asker, _: &'a ModelReference) -> Answering<'a, Described> {
        unreachable!("no model is scripted")
    }

    fn infer<'a>(&'a self, _: &'a Asker, _: ModelAsk) -> Answering<'a, ModelAnswer> {
        unreachable!("no model is scripted")
    }

    fn chat<'a>(&'a self, asker: &'a Asker, request: ChatRequest) -> Answering<'a, Chatted> {
        let mut inner = self.inner.lock().unwrap();
        let Some(text) = inner.answers.pop_front() else { return Box::pin(ready(no_route(&request.model))) };
        inner.requests.push(request);
        inner.askers.push(asker.clone());
        let call = ModelCallId(Uuid::from_u128(inner.askers.len() as u128));
        let choice = Choice {
            index: 0,
            parts: vec![Part::text(text)],
            finish: Some(FinishReason::Stop),
            extra: JsonObject::new(),
        };
        let answer = ChatAnswer { choices: vec![choice], ..ChatAnswer::default() };
        Box::pin(ready(Ok(Chatted { call, provider: None, answer, cost: None })))
    }

    /// A vector of two numbers: how long the text is, and how many of its letters are an `a`.
    fn embed<'a>(&'a self, asker: &'a Asker, request: EmbedRequest) -> Answering<'a, Embedded> {
        let mut inner = self.inner.lock().unwrap();
        if request.model == "gone" {
            return Box::pin(ready(no_route(&request.model)));
        }
        let EmbedInput::Texts(texts) = &request.input else { panic!("texts are asked for") };
        let vector = |text: &String| vec![text.len() as f32, text.matches('a').count() as f32];
        let answer = EmbedAnswer { vectors: texts.iter().map(vector).collect(), ..EmbedAnswer::default() };
        inner.embedded.push(request);
        inner.askers.push(asker.clone());
        let call = ModelCallId(Uuid::from_u128(inner.askers.len() as u128));
        Box::pin(ready(Ok(Embedded { call, answer, cost: None })))
    }
}

/// The text of the first message of a role in a request.
pub(crate) fn said(request: &ChatRequest, role: timeloom_domain::chat::Role) -> String {
    request
        .messages
        .iter()
        .find(|message| message.role == role)
        .map(|message| message.joined_text())
        .unwrap_or_default()
}

/// Items of one text each.
pub(crate) fn texts<const N: usize>(texts: [&str; N]) -> Value {
    texts.iter().map(|text| json!({ "text": text })).collect()
}
