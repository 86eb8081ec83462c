//! Models of the model manager as a provider of the gateway.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream;
use timeloom_domain::chat::{Assembler, Delta, EmbedRequest, ErrorClass};
use timeloom_domain::inference::{Signature, Tensor};
use timeloom_domain::model::ModelReference;
use timeloom_gateway::CallError;
use timeloom_gateway::ports::Chance;
use timeloom_gateway::upstream::{Answered, CallNotes, Embedded, Piece, Prompt, Streamed, Upstream};

use crate::chat::{Engines, Hearing, Load, Said};
use crate::task::Task;
use crate::{embed, task};

/// What finds and asks the models of one tenant.
pub trait Models: Send + Sync {
    /// The version that a name means now.
    fn find<'a>(&'a self, model: &'a str) -> BoxFuture<'a, Result<Found, CallError>>;

    /// Asks a version with tensors. It is written down before it is answered.
    fn infer(
        &self,
        version: ModelReference,
        inputs: Vec<(String, Tensor)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Tensor)>, CallError>>;
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The version by its number.
    pub version: ModelReference,
    /// SHA-256 of its file.
    pub digest: String,
    /// What it takes and gives.
    pub signature: Signature,
    /// Names of the files beside it.
    pub beside: BTreeSet<String>,
    /// Its file, with the files beside it in the same folder.
    pub path: PathBuf,
    /// Threads of the processor that it may use.
    pub threads: usize,
}

/// Models of the model manager as a provider of the gateway.
pub struct Local {
    models: Arc<dyn Models>,
    engines: Arc<Engines>,
    embedders: Arc<embed::Embedders>,
    chance: Arc<dyn Chance>,
}

impl Local {
    /// A provider of these models. Whoever asks it in the name of the same models shares engines and embedders.
    pub fn new(
        models: Arc<dyn Models>,
        engines: Arc<Engines>,
        embedders: Arc<embed::Embedders>,
        chance: Arc<dyn Chance>,
    ) -> Self {
        Self { models, engines, embedders, chance }
    }

    async fn find(&self, model: &str, wanted: Task) -> Result<Found, CallError> {
        let found = self.models.find(model).await?;
        if task::of(&found.signature, &found.beside) == Some(wanted) {
            return Ok(found);
        }
        let why = match wanted {
            Task::Chat => {
                format!("'{model}' is no model for chats on this machine: 'timeloom model add smollm2' adds one")
            }
            Task::Embedding => {
                format!(
                    "'{model}' makes no vectors of texts on this machine: 'timeloom model add minilm' adds one that does"
                )
            }
        };
        Err(CallError::unsupported(why))
    }

    /// Begins an answer: gives what tells who answers, too.
    async fn begin(&self, prompt: &Prompt, model: &str) -> Result<(Hearing, Delta), CallError> {
        let request = Arc::new(prompt.as_words()?.clone());
        let found = self.find(model, Task::Chat).await?;
        let fingerprint = format!("sha256:{}", found.digest.get(..16).unwrap_or_default());
        let started = Delta::Started {
            id: String::new(),
            model: found.version.to_string(),
            created_s: None,
            system_fingerprint: Some(fingerprint),
        };
        let Found { digest, path, signature, threads, .. } = found;
        let load = Load { digest, path, signature, threads };
        Ok((self.engines.ask(&load, request, self.chance.draw())?, started))
    }
}

/// What of a request has no meaning here.
fn notes(prompt: &Prompt) -> Result<CallNotes, CallError> {
    let request = prompt.as_words()?;
    let left_out = request.thinking.iter().map(|_| "thinking").collect();
    Ok(CallNotes { request_id: None, left_out })
}

fn broke_off() -> CallError {
    CallError::new(ErrorClass::Server, "the model broke down: ask again")
}

fn deltas(said: Said) -> Vec<Delta> {
    match said {
        Said::Text(text) if text.is_empty() => Vec::new(),
        Said::Text(text) => vec![Delta::Text { choice: 0, text }],
        Said::Finished(reason, usage) => vec![Delta::Finished { choice: 0, reason }, Delta::Usage(usage)],
    }
}

fn is_last(deltas: &[Delta]) -> bool {
    deltas.iter().any(|delta| matches!(delta, Delta::Finished { .. }))
}

/// The next pieces that say something.
async fn heard(hearing: &mut Hearing) -> Result<Vec<Delta>, CallError> {
    loop {
        let deltas = deltas(hearing.next().await.unwrap_or_else(|| Err(broke_off()))?);
        if !deltas.is_empty() {
            return Ok(deltas);
        }
    }
}

impl Upstream for Local {
    fn chat<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Answered, CallError>> {
        Box::pin(async move {
            let notes = notes(prompt)?;
            let (mut hearing, started) = self.begin(prompt, model).await?;
            let mut assembler = Assembler::default();
            let garbage = |error| CallError::garbage(format!("{error}"));
            assembler.take(&started).map_err(garbage)?;
            loop {
                let deltas = heard(&mut hearing).await?;
                for delta in &deltas {
                    assembler.take(delta).map_err(garbage)?;
                }
                if is_last(&deltas) {
                    return Ok(Answered { answer: assembler.finish(), raw: None, notes });
                }
            }
        })
    }

    fn stream<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Streamed, CallError>> {
        Box::pin(async move {
            let notes = notes(prompt)?;
            let (mut hearing, started) = self.begin(prompt, model).await?;
            let mut first = vec![started];
            first.extend(heard(&mut hearing).await?);
            let ahead = (Some(first), Some(hearing));
            let pieces = stream::unfold(ahead, |(first, hearing)| async move {
                let mut hearing = hearing?;
                let heard = match first {
                    Some(first) => Ok(first),
                    None => heard(&mut hearing).await,
                };
                let goes_on = heard.as_ref().is_ok_and(|deltas| !is_last(deltas));
                let piece = heard.map(|deltas| Piece { deltas, raw: None });
                Some((piece, (None, goes_on.then_some(hearing))))
            });
            Ok(Streamed { pieces: Box::pin(pieces), notes })
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest, model: &'a str) -> BoxFuture<'a, Result<Embedded, CallError>> {
        Box::pin(async move {
            let found = self.find(model, Task::Embedding).await?;
            let answer = self.embedders.embed(&*self.models, &found, request).await?;
            Ok(Embedded { answer, notes: CallNotes::default() })
        })
    }
}
