//! A model for tests, which a function answers.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};

use timeloom_domain::chat::{ChatRequest, EmbedRequest};
use timeloom_domain::ids::{InferenceId, Slug};
use timeloom_domain::inference::port::{
    Answering, Asker, Chatted, Described, Embedded, InferencePort, ModelAnswer, ModelAsk, NotAnswered,
};
use timeloom_domain::inference::{ElementType, Tensor, TensorSpec};
use timeloom_domain::model::ModelReference;
use uuid::Uuid;

/// What goes in and what comes out.
type InAndOut = (Vec<TensorSpec>, Vec<TensorSpec>);
type Named = Vec<(String, Tensor)>;
type Answer = Box<dyn FnMut(Named) -> Named + Send>;

/// Models that functions answer. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct ScriptedModels {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    models: BTreeMap<String, (Described, Answer)>,
    askers: Vec<Asker>,
}

impl std::fmt::Debug for ScriptedModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ScriptedModels")
    }
}

/// What a model says of a tensor.
pub(crate) fn spec(name: &str, element: ElementType, shape: &[Option<u64>]) -> TensorSpec {
    TensorSpec { name: name.to_owned(), element, shape: shape.to_vec() }
}

impl ScriptedModels {
    /// One model, version 3 of it.
    pub(crate) fn new(name: &str, about: InAndOut, answer: impl FnMut(Named) -> Named + Send + 'static) -> Self {
        Self::default().and(name, about, &[], answer)
    }

    /// Another one, whose file tells something of itself.
    pub(crate) fn and(
        self,
        name: &str,
        (inputs, outputs): InAndOut,
        about: &[(&str, &str)],
        answer: impl FnMut(Named) -> Named + Send + 'static,
    ) -> Self {
        let about = about.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let described = Described { model: Slug::try_new(name).unwrap(), version: 3, inputs, outputs, about };
        self.inner.lock().unwrap().models.insert(name.to_owned(), (described, Box::new(answer)));
        self
    }

    /// How many questions there were.
    pub(crate) fn asked(&self) -> usize {
        self.inner.lock().unwrap().askers.len()
    }

    /// For whom.
    pub(crate) fn askers(&self) -> Vec<Asker> {
        self.inner.lock().unwrap().askers.clone()
    }
}

fn missing(name: &Slug) -> NotAnswered {
    NotAnswered::Refused { code: "MODEL_NOT_FOUND", message: format!("there is no model '{name}'") }
}

impl InferencePort for ScriptedModels {
    fn describe<'a>(&'a self, _: &'a Asker, model: &'a ModelReference) -> Answering<'a, Described> {
        let inner = self.inner.lock().unwrap();
        let described = inner.models.get(model.name.as_str()).map(|(described, _)| described.clone());
        Box::pin(ready(described.ok_or_else(|| missing(&model.name))))
    }

    fn infer<'a>(&'a self, asker: &'a Asker, ask: ModelAsk) -> Answering<'a, ModelAnswer> {
        let mut inner = self.inner.lock().unwrap();
        inner.askers.push(asker.clone());
        let inference = InferenceId(Uuid::from_u128(inner.askers.len() as u128));
        let answer = inner.models.get_mut(ask.model.name.as_str()).map(|(described, answer)| ModelAnswer {
            inference,
            model: described.model.clone(),
            version: described.version,
            outputs: answer(ask.inputs),
        });
        Box::pin(ready(answer.ok_or_else(|| missing(&ask.model.name))))
    }

    fn chat<'a>(&'a self, _: &'a Asker, _: ChatRequest) -> Answering<'a, Chatted> {
        unreachable!("no chat is scripted")
    }

    fn embed<'a>(&'a self, _: &'a Asker, _: EmbedRequest) -> Answering<'a, Embedded> {
        unreachable!("no embeddings are scripted")
    }
}
