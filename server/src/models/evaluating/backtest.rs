//! A backtest: recorded inferences are read from the log, computed by the version that is tried, and compared.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use timeloom_domain::evaluation::{
    BacktestCounter, Compared, EvaluationReport, EvaluationRequest, EvaluationSubject, InferenceSelection,
};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, InferenceId, Slug, TenantId};
use timeloom_domain::inference::{
    InferenceAnswer, InferenceEvent, InferenceRequest, OutputComparison, Tensor, TensorRecord,
};
use timeloom_inference_worker::{Cause, NotInferred, NotRead, Worker, read};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::subjects::is_erased;
use timeloom_store::{BlobStore, Direction, Filter, LogError, Position, RecordedEvent, TenantScope, codec};

use crate::models::Models;

/// Cases that are computed at the same time.
const AT_ONCE_MAX: usize = 4;
/// Most events of inferences that are looked at to find the cases, newest first.
const LOOKED_AT_EVENTS_MAX: usize = 200_000;

/// A recorded inference that is to be computed again.
pub(super) struct Case {
    pub(super) inference: InferenceId,
    pub(super) request: Box<InferenceRequest>,
    pub(super) answer: Box<InferenceAnswer>,
    /// Whether what it was about was erased.
    pub(super) is_erased: bool,
}

/// What came of all cases; `Err` within says why it cannot be carried out.
pub(super) async fn report(
    models: &Models,
    asked: &RecordedEvent,
    request: &EvaluationRequest,
    selection: &InferenceSelection,
) -> Result<Result<EvaluationReport, String>, LogError> {
    let EvaluationSubject::ModelVersion { model, version } = &request.subject else {
        return Ok(Err("recorded inferences are tried on versions of models alone: use an evaluation set".to_owned()));
    };
    let tenant = asked.stream.tenant;
    let cases = recorded(models, tenant, asked.position, (model, selection)).await?;
    if cases.is_empty() {
        let none = "no recorded inference of the model meets what was asked for: look at `timeloom inference list`";
        return Ok(Err(none.to_owned()));
    }
    if let Err(why) = models.manager().library() {
        return Ok(Err(why.clone()));
    }
    let worker = match models.worker().await {
        Ok(worker) => worker,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let actor = Actor::System(super::NAME.to_owned());
    let correlation = asked.metadata.correlation_id.or(Some(asked.id));
    let trial = Trial {
        worker,
        blobs: Arc::clone(&models.inner.blobs),
        cause: Cause { tenant, actor, causation: Some(asked.id), correlation },
        model,
        version: *version,
    };
    let mut counter = BacktestCounter::new(request.tolerance);
    let named = selection.inferences.iter().filter(|id| !cases.iter().any(|case| case.inference == **id));
    let missing = "no answer with this id is in the log as one of the model's, among the newest that are looked at";
    for id in named {
        counter.take(*id, Compared::Skipped(missing.to_owned()));
    }
    let runs: Vec<BoxFuture<'_, _>> = cases.into_iter().map(|case| trial.compared(case).boxed()).collect();
    let mut compared = stream::iter(runs).buffered(AT_ONCE_MAX);
    while let Some(next) = compared.next().await {
        match next {
            Ok((inference, compared)) => counter.take(inference, compared),
            // No case would do better: the version cannot be asked at all.
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(EvaluationReport::Backtest(counter.report())))
}

/// A version on trial.
struct Trial<'a> {
    worker: &'a Worker,
    blobs: Arc<dyn BlobStore>,
    cause: Cause,
    model: &'a Slug,
    version: u32,
}

impl Trial<'_> {
    /// What came of one case; `Err` says why the version cannot be asked at all.
    async fn compared(&self, case: Case) -> Result<(InferenceId, Compared), String> {
        let Case { inference, request, answer, is_erased } = case;
        if is_erased {
            return Ok((inference, Compared::Skipped("what it was about was erased".to_owned())));
        }
        let kept =
            async { Ok::<_, NotRead>((self.tensors(&request.inputs).await?, self.tensors(&answer.outputs).await?)) };
        let (inputs, before) = match kept.await {
            Ok(kept) => kept,
            Err(why) => return Ok((inference, Compared::Skipped(why.to_string()))),
        };
        let compared = match self.worker.tried(&self.cause, self.model, self.version, &inputs).await {
            Ok(tried) => Compared::Answered {
                outputs: OutputComparison::of(&before, &tried.outputs),
                recorded_us: answer.compute_us,
                candidate_us: u64::try_from(tried.compute.as_micros()).unwrap_or(u64::MAX),
            },
            Err(why @ (NotInferred::Inputs(_) | NotInferred::NotComputed(_))) => Compared::Failed(why.to_string()),
            Err(why) => return Err(why.to_string()),
        };
        Ok((inference, compared))
    }

    async fn tensors(&self, records: &[TensorRecord]) -> Result<Vec<(String, Tensor)>, NotRead> {
        let mut tensors = Vec::with_capacity(records.len());
        for record in records {
            tensors.push((record.name.clone(), read(record, &*self.blobs).await?));
        }
        Ok(tensors)
    }
}

/// The cases that are meant, newest first, of what the log held when they were asked for.
pub(super) async fn recorded(
    models: &Models,
    tenant: TenantId,
    to: Position,
    (model, selection): (&Slug, &InferenceSelection),
) -> Result<Vec<Case>, LogError> {
    let filter = Filter { categories: vec![InferenceEvent::CATEGORY.into()], ..Filter::default() };
    let most = if selection.inferences.is_empty() { selection.last as usize } else { selection.inferences.len() };
    let (mut found, mut before, mut looked_at) = (Vec::new(), to, 0);
    // Where every step is an event of its own, the request is further back than its answer.
    let mut answers = HashMap::new();
    while found.len() < most && before > Position::START && looked_at < LOOKED_AT_EVENTS_MAX {
        let log = &models.inner.log;
        let scope = TenantScope::One(tenant);
        let page = log.read_all(scope, before, Direction::Backward, &filter, READ_EVENTS_MAX).await?;
        let Some(last) = page.last() else { break };
        before = Position(last.position.0.saturating_sub(1));
        looked_at += page.len();
        for event in &page {
            let erased = is_erased(&event.payload);
            // What a newer build wrote cannot be tried by this one.
            let Ok(event) = codec::decode::<InferenceEvent>(event) else { continue };
            let (inference, request, answer, is_erased) = match event {
                InferenceEvent::InferenceCompleted { inference, request: Some(request), answer } => {
                    (inference, request, answer, erased)
                }
                InferenceEvent::InferenceCompleted { inference, request: None, answer } => {
                    answers.insert(inference, (answer, erased));
                    continue;
                }
                InferenceEvent::InferenceRequested { inference, request } => match answers.remove(&inference) {
                    Some((answer, also)) => (inference, request, answer, erased || also),
                    None => continue,
                },
                _ => continue,
            };
            if found.len() < most && request.model == *model && takes(selection, inference, &request) {
                found.push(Case { inference, request, answer, is_erased });
            }
        }
    }
    Ok(found)
}

/// Whether an inference of the model is one of those that are meant. Copies are not: what they are copies of is.
fn takes(selection: &InferenceSelection, inference: InferenceId, request: &InferenceRequest) -> bool {
    if !selection.inferences.is_empty() {
        return selection.inferences.contains(&inference);
    }
    request.shadow_of.is_none()
        && selection.version.is_none_or(|version| version == request.version)
        && selection.from_ms.is_none_or(|from_ms| from_ms <= request.at_ms)
        && selection.until_ms.is_none_or(|until_ms| request.at_ms < until_ms)
        && selection.workflow.is_none_or(|workflow| request.workflow == Some(workflow))
        && selection.agent.as_ref().is_none_or(|agent| request.agent.as_ref() == Some(agent))
}
