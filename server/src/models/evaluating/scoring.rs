//! An evaluation of a set: each case is given to what is tried, and its output judged by each scorer.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Map, Value};
use timeloom_commands::CommandError;
use timeloom_domain::evaluation::{
    CaseResult, EvaluationReport, EvaluationRequest, EvaluationSubject, InvalidScorer, Judgement, Prepared, Score,
    ScoreCounter, Scorer, score_of_workflow,
};
use timeloom_domain::evaluation_set::{EvaluationCase, items_of};
use timeloom_domain::ids::{Actor, Slug, WorkflowId};
use timeloom_domain::inference::Signature;
use timeloom_domain::item::Item;
use timeloom_domain::model::{ModelReference, VersionReference};
use timeloom_inference_worker::{Cause, NotInferred, Worker};
use timeloom_nodes::{inputs_of_json, json_of_outputs};
use timeloom_store::RecordedEvent;
use uuid::Uuid;

use super::judging::{Judges, is_judge};
use super::runs::{Ran, Runs};
use crate::models::Models;

/// Cases that are tried at the same time.
const AT_ONCE_MAX: usize = 4;

/// What is tried.
enum Tried<'a> {
    Model { worker: &'a Worker, cause: Cause, model: &'a Slug, version: u32, signature: Arc<Signature> },
    Workflow { workflow: WorkflowId, version: u32 },
    Agent { agent: &'a Slug, version: u32 },
}

/// Why a case does not come to a result.
enum Stopped {
    /// It is tried again later.
    Wait(CommandError),
    /// No case would do better.
    Never(String),
}

impl From<CommandError> for Stopped {
    fn from(error: CommandError) -> Self {
        Self::Wait(error)
    }
}

/// Everything that each case needs.
struct Trial<'a> {
    tried: Tried<'a>,
    runs: Runs<'a>,
    judges: Judges<'a>,
    scorers: Arc<Vec<Prepared>>,
}

/// What the scorers say of an output, and what the judges among them said.
type Scores = (Vec<Result<Score, String>>, Vec<Judgement>);

/// What came of all cases of a version of a set; `Err` within says why it cannot be carried out.
pub(super) async fn report(
    models: &Models,
    (evaluation, asked): (Uuid, &RecordedEvent),
    request: &EvaluationRequest,
    (set, version): (&Slug, u32),
) -> Result<Result<EvaluationReport, String>, CommandError> {
    let mut runs = Runs::new(models, evaluation, asked);
    let read = models.commands().evaluation_cases(&runs.context(evaluation), set, version).await;
    let cases;
    (cases, runs.subject) = match read {
        Ok(read) => read,
        Err(CommandError::Refused(refusal)) => return Ok(Err(refusal.message)),
        Err(error) => return Err(error),
    };
    if runs.subject.is_some() && matches!(request.subject, EvaluationSubject::AgentVersion { .. }) {
        let why =
            "the cases are about a subject, and runs of agents would keep what is in them: use cases about nobody";
        return Ok(Err(why.to_owned()));
    }
    if runs.subject.is_some() && request.scorers.iter().any(is_judge) {
        let why = "the cases are about a subject, and calls to judges would keep what is in them: use cases about nobody, \
                   or other scorers";
        return Ok(Err(why.to_owned()));
    }
    let prepared: Result<Vec<Prepared>, InvalidScorer> =
        request.scorers.iter().map(timeloom_domain::evaluation::NamedScorer::prepare).collect();
    let scorers = match prepared {
        Ok(scorers) => Arc::new(scorers),
        Err(why) => return Ok(Err(why.to_string())),
    };
    let tried = match tried(models, asked, &request.subject).await {
        Ok(tried) => tried,
        Err(why) => return Ok(Err(why)),
    };
    let mut counter = ScoreCounter::new(request.scorers.iter().map(|scorer| scorer.name.as_str()));
    let judges = Judges::begin(models, asked, &request.scorers, format!("{set}@{version}")).await?;
    let trial = Trial { tried, runs, judges, scorers };
    let tries: Vec<BoxFuture<'_, _>> = cases.into_iter().map(|case| trial.result(case).boxed()).collect();
    let mut results = stream::iter(tries).buffered(AT_ONCE_MAX);
    while let Some(next) = results.next().await {
        match next {
            Ok((case, result)) => counter.take(case, result),
            Err(Stopped::Never(why)) => return Ok(Err(why)),
            Err(Stopped::Wait(error)) => return Err(error),
        }
    }
    Ok(Ok(EvaluationReport::Scored(counter.report())))
}

/// What is tried, ready to be asked.
async fn tried<'a>(
    models: &'a Models,
    asked: &RecordedEvent,
    subject: &'a EvaluationSubject,
) -> Result<Tried<'a>, String> {
    match subject {
        EvaluationSubject::ModelVersion { model, version } => {
            models.manager().library().as_ref().map_err(Clone::clone)?;
            let worker = models.worker().await.map_err(|error| error.to_string())?;
            let cause = Cause {
                tenant: asked.stream.tenant,
                actor: Actor::System(super::NAME.to_owned()),
                causation: Some(asked.id),
                correlation: asked.metadata.correlation_id.or(Some(asked.id)),
            };
            let reference = ModelReference { name: model.clone(), version: VersionReference::Number(*version) };
            let described = worker.describe(&cause, &reference).await.map_err(|why| why.to_string())?;
            Ok(Tried::Model { worker, cause, model, version: *version, signature: described.signature })
        }
        EvaluationSubject::WorkflowVersion { workflow, version } => {
            Ok(Tried::Workflow { workflow: *workflow, version: *version })
        }
        EvaluationSubject::AgentVersion { agent, version } => Ok(Tried::Agent { agent, version: *version }),
    }
}

impl Trial<'_> {
    async fn result(&self, case: EvaluationCase) -> Result<(String, CaseResult), Stopped> {
        let case = Arc::new(case);
        let (run, output) = self.output(&case).await?;
        let (scores, judgements) = match output {
            Ok(output) => {
                let (scores, judgements) = self.scores(&case, output).await?;
                (Ok(scores), judgements)
            }
            Err(why) => (Err(why), Vec::new()),
        };
        Ok((case.id.clone(), CaseResult { run, scores, judgements }))
    }

    /// What comes out for the input of a case.
    async fn output(&self, case: &EvaluationCase) -> Result<Ran, Stopped> {
        let key = format!("case/{}", case.id);
        match &self.tried {
            Tried::Workflow { workflow, version } => {
                Ok(self.runs.workflow((*workflow, *version), &key, items_of(&case.input)).await?)
            }
            Tried::Agent { agent, version } => {
                Ok(self.runs.agent((*agent, *version), &key, case.input.clone()).await?)
            }
            Tried::Model { worker, cause, model, version, signature } => {
                let inputs = match inputs_of_json(&case.input, &signature.inputs) {
                    Ok(inputs) => inputs,
                    Err(why) => return Ok((None, Err(why))),
                };
                match worker.tried(cause, model, *version, &inputs.tensors).await {
                    Ok(tried) => Ok((None, Ok(json_of_outputs(&tried.outputs, inputs.is_row)))),
                    Err(why @ (NotInferred::Inputs(_) | NotInferred::NotComputed(_))) => {
                        Ok((None, Err(why.to_string())))
                    }
                    Err(why) => Err(Stopped::Never(why.to_string())),
                }
            }
        }
    }

    /// What each scorer says of an output.
    async fn scores(&self, case: &Arc<EvaluationCase>, output: Value) -> Result<Scores, Stopped> {
        let (scorers, known, output) = (Arc::clone(&self.scorers), Arc::clone(case), Arc::new(output));
        let judged = Arc::clone(&output);
        // Patterns and schemas may take their time: not on a thread that others wait for.
        let pure = tokio::task::spawn_blocking(move || {
            let score = |scorer: &Prepared| scorer.score(known.expected.as_ref(), &judged);
            scorers.iter().map(score).collect::<Vec<_>>()
        });
        let mut scores = pure.await.map_err(|error| Stopped::Never(error.to_string()))?;
        let mut judgements = Vec::new();
        for (scorer, score) in self.scorers.iter().zip(&mut scores) {
            let named = scorer.named();
            match &named.scorer {
                Scorer::Workflow { workflow, version } => {
                    let key = format!("score/{}/{}", named.name, case.id);
                    let item = judged_item(case, scorer, &output);
                    let (_, said) = self.runs.workflow((*workflow, *version), &key, vec![item]).await?;
                    *score = said.and_then(|said| score_of_workflow(&said));
                }
                Scorer::Judge { route, rubric } => {
                    // An output without what is to be judged has its score already.
                    let Some(found) = output.pointer(&named.at) else { continue };
                    let judgement = self.judges.judgement(named, (route, rubric), case, found).await?;
                    *score = judgement.score();
                    judgements.push(judgement);
                }
                _ => {}
            }
        }
        Ok((scores, judgements))
    }
}

/// What a workflow that judges is given.
fn judged_item(case: &EvaluationCase, scorer: &Prepared, output: &Value) -> Item {
    let named = scorer.named();
    let part = |value: &Value, pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("input".to_owned(), case.input.clone());
    let expected = case.expected.as_ref().map(|expected| part(expected, &named.expected_at));
    fields.insert("expected".to_owned(), expected.unwrap_or_default());
    fields.insert("output".to_owned(), part(output, &named.at));
    Item::new(fields)
}
