//! `timeloom inference verify`: computes recorded inferences again, from the recorded bytes of their inputs and the file of
//! the recorded digest, and compares.
//!
//! It reads a data folder or a database by itself: on a restored backup it needs neither the server nor its network.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{InferenceId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{InferenceEvent, InferenceRequest, InferenceWorkerEvent, ModelLoad};
use timeloom_domain::model::ExternalFile;
use timeloom_inference::onnx::Runtime;
use timeloom_inference_worker::{Recorded, Verified, Verifier};
use timeloom_store::{Direction, EventLog, Filter, Position, READ_EVENTS_MAX, TenantScope, codec};

use super::progress::Progress;
use super::{Failure, output};
use crate::app::{App, TENANT};
use crate::config::Config;
use crate::models::Files;

/// Most inferences that are named because they could not be computed again, or differ.
const NAMED_MAX: usize = 20;

/// Most inferences of one call: they are in memory at once.
const LAST_MAX: i64 = 100_000;

/// Which inferences are computed again.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Inferences by their ids; the newest when none is named.
    ids: Vec<uuid::Uuid>,
    /// Only those of this model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// How many of the newest, at most 100,000.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=LAST_MAX))]
    last: u32,
    /// Those of this tenant.
    #[arg(long, value_name = "NUMBER", default_value_t = TENANT.0)]
    tenant: u32,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What came of all of them.
#[derive(Debug, Default)]
struct Report {
    same: usize,
    near: usize,
    different: Vec<String>,
    not_verified: BTreeMap<String, usize>,
    because: Option<String>,
}

/// Computes inferences again.
///
/// # Errors
/// When the log cannot be read; after it was told, [`Failure::Differs`] when an answer is another one, [`Failure::Failed`]
/// when of those that were named none was computed again.
pub async fn verify(arguments: VerifyArguments, config: &Config) -> Result<(), Failure> {
    let app = App::open(config, config.node_types()).await?;
    let report = computed_again(&app, &arguments, config).await;
    app.close().await;
    let report = report?;
    if arguments.json {
        output::json(&json!({
            "same": report.same, "near": report.near, "different": report.different,
            "notVerified": report.not_verified, "because": report.because,
        }));
    } else {
        tell(&report);
    }
    let nothing_of_what_was_named = !arguments.ids.is_empty() && report.same + report.near == 0;
    if !report.different.is_empty() {
        Err(Failure::Differs)
    } else if nothing_of_what_was_named {
        Err(Failure::Failed)
    } else {
        Ok(())
    }
}

fn tell(report: &Report) {
    let left = report.not_verified.values().sum::<usize>();
    let (near, different) = (report.near, report.different.len());
    output::line(&format!("{} same, {near} near, {different} different, {left} not computed again", report.same));
    if let Some(because) = &report.because {
        output::notice(&format!("near, not the same bits: {because}"));
    }
    for name in report.different.iter().take(NAMED_MAX) {
        output::error(&format!("another answer: {name}"));
    }
    for (reason, count) in report.not_verified.iter().take(NAMED_MAX) {
        output::notice(&format!("{count} not computed again: {reason}"));
    }
}

async fn computed_again(app: &App, arguments: &VerifyArguments, config: &Config) -> anyhow::Result<Report> {
    let tenant = TenantId(arguments.tenant);
    let wanted = Wanted {
        ids: arguments.ids.iter().copied().map(InferenceId).collect(),
        model: arguments.model.as_ref().map(|name| Slug::try_new(name.clone())).transpose()?,
        last: arguments.last as usize,
    };
    let loads = loads(&*app.log, tenant).await?;
    let recorded = recorded(&*app.log, tenant, &wanted).await?;
    let files = Arc::new(Files::open(&config.models_folder())?);
    let library = config.model.library();
    let runtime = library.and_then(|path| Runtime::open(&path).map_err(|error| error.to_string()));
    let verifier = Verifier::new(runtime, files, Arc::clone(&app.store.blobs));
    let models = app.commands.models().caught_up().await?;
    let (mut report, mut progress, all) = (Report::default(), Progress::new(), recorded.len() as u64);
    for id in wanted.ids.iter().filter(|id| !recorded.iter().any(|recorded| recorded.inference == **id)) {
        report.not_verified.insert(format!("no answer {id} is in the log"), 1);
    }
    for (done, recorded) in recorded.iter().enumerate() {
        progress.show("computing", done as u64, all);
        let Some(load) = loads.get(&recorded.answer.load) else {
            *report.not_verified.entry("the load that computed it is not in the log".to_owned()).or_default() += 1;
            continue;
        };
        let known = models.model(tenant, &recorded.request.model);
        let version = known.and_then(|model| model.version(recorded.request.version));
        let beside: &[ExternalFile] =
            version.and_then(|version| version.file.as_ref()).map_or(&[], |file| &file.external);
        match verifier.verify(recorded, load, beside).await {
            Ok(Verified::Same) => report.same += 1,
            Ok(Verified::Near { because, .. }) => {
                report.near += 1;
                report.because.get_or_insert(because);
            }
            Ok(Verified::Different { output, apart }) => {
                let apart = apart.map(|apart| format!(", {apart:e} apart")).unwrap_or_default();
                let request = &recorded.request;
                report.different.push(format!(
                    "{} of {}@{} (output '{output}'{apart})",
                    recorded.inference, request.model, request.version
                ));
            }
            Err(error) => *report.not_verified.entry(error.to_string()).or_default() += 1,
        }
    }
    progress.end();
    Ok(report)
}

/// Which inferences are meant.
struct Wanted {
    ids: Vec<InferenceId>,
    model: Option<Slug>,
    last: usize,
}

impl Wanted {
    fn takes(&self, inference: InferenceId, request: &InferenceRequest) -> bool {
        (self.ids.is_empty() || self.ids.contains(&inference))
            && self.model.as_ref().is_none_or(|model| *model == request.model)
    }

    fn most(&self) -> usize {
        if self.ids.is_empty() { self.last } else { self.ids.len() }
    }
}

/// Every load that is in the log.
async fn loads(log: &dyn EventLog, tenant: TenantId) -> anyhow::Result<HashMap<ModelLoadId, ModelLoad>> {
    let filter = Filter { categories: vec![InferenceWorkerEvent::CATEGORY.into()], ..Filter::default() };
    let (mut loads, mut after) = (HashMap::new(), Position::START);
    loop {
        let scope = TenantScope::One(tenant);
        let page = log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
        let Some(last) = page.last() else { return Ok(loads) };
        after = last.position;
        for event in &page {
            if let InferenceWorkerEvent::ModelLoaded(load) = codec::decode::<InferenceWorkerEvent>(event)? {
                loads.insert(load.load, *load);
            }
        }
    }
}

/// The newest answers that are meant, oldest first.
async fn recorded(log: &dyn EventLog, tenant: TenantId, wanted: &Wanted) -> anyhow::Result<VecDeque<Recorded>> {
    let filter = Filter { categories: vec![InferenceEvent::CATEGORY.into()], ..Filter::default() };
    let (mut found, mut before) = (VecDeque::new(), log.head());
    // Where every step is an event of its own, the request is further back than its answer.
    let mut answers = HashMap::new();
    while found.len() < wanted.most() && before > Position::START {
        let scope = TenantScope::One(tenant);
        let page = log.read_all(scope, before, Direction::Backward, &filter, READ_EVENTS_MAX).await?;
        let Some(last) = page.last() else { break };
        before = Position(last.position.0 - 1);
        for event in &page {
            let (inference, request, answer) = match codec::decode::<InferenceEvent>(event)? {
                InferenceEvent::InferenceCompleted { inference, request: Some(request), answer } => {
                    (inference, request, answer)
                }
                InferenceEvent::InferenceCompleted { inference, request: None, answer } => {
                    answers.insert(inference, answer);
                    continue;
                }
                InferenceEvent::InferenceRequested { inference, request } => match answers.remove(&inference) {
                    Some(answer) => (inference, request, answer),
                    None => continue,
                },
                _ => continue,
            };
            if wanted.takes(inference, &request) && found.len() < wanted.most() {
                found.push_front(Recorded { inference, request: *request, answer: *answer });
            }
        }
    }
    Ok(found)
}
