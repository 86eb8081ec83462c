//! The worker: from a question to an answer that is written down.

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{Clock as WallClock, Commands, Ids};
use timeloom_domain::ids::{Actor, FIRST_TENANT, InferenceId, InferenceWorkerId, Slug, TenantId};
use timeloom_domain::inference::{
    Fingerprint, InferenceAnswer, InferenceEvent, InferenceRequest, InferenceWorkerEvent, Provider, Signature,
    TensorRecord, TensorSpec, digest_of_all,
};
use timeloom_domain::model::{ModelReference, ModelRefusal, ModelVersion, Recording};
use timeloom_inference::onnx::Runtime;
use timeloom_inference::pool::{Answer, Ask, Clock, Counts, Policy};
use timeloom_inference::{Inputs, Tensor};
use timeloom_store::{BlobStore, EventLog};
use tokio_util::sync::CancellationToken;

use crate::ask::{Ending, Inferred, NotInferred, Question};
use crate::loads::{InMemory, Loads, ModelFiles, NotInMemory};
use crate::machine::Machine;
use crate::recorder::{Cause, NotRecorded, Recorder};
use crate::tensors::to_records;
use crate::windows::{Summed, Windows, is_sampled, micros};

/// Most characters of a key.
pub const KEY_CHARACTERS_MAX: usize = 200;

/// What a worker is made of.
pub struct Parts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where tensors go that are too large for events.
    pub blobs: Arc<dyn BlobStore>,
    /// All models at a glance.
    pub commands: Commands,
    /// The time of day.
    pub clock: Arc<dyn WallClock>,
    /// The time that passes.
    pub ticks: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// ONNX Runtime, or why there is none.
    pub runtime: Result<Runtime, String>,
    /// Where the files of models are.
    pub files: Arc<dyn ModelFiles>,
    /// Settings of the environment that change what is computed, such as `NVIDIA_TF32_OVERRIDE=1`.
    pub overrides: Vec<String>,
}

/// What is known of a version that answers.
#[derive(Debug, Clone)]
pub struct Described {
    /// The version.
    pub version: u32,
    /// What goes in and comes out.
    pub signature: Arc<Signature>,
    /// How its requests are gathered.
    pub policy: Policy,
    /// Who computes, as it was seen.
    pub provider: Provider,
    /// Whether it can compute now.
    pub ready: bool,
    /// What it counted.
    pub counts: Counts,
}

/// Takes questions to models. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    id: InferenceWorkerId,
    blobs: Arc<dyn BlobStore>,
    commands: Commands,
    clock: Arc<dyn WallClock>,
    ticks: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    loads: Loads,
    inferences: Recorder<InferenceEvent>,
    workers: Recorder<InferenceWorkerEvent>,
    windows: Windows,
    draining: CancellationToken,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Worker").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

/// The worker itself as a cause.
fn itself() -> Cause {
    Cause { tenant: FIRST_TENANT, actor: Actor::System("inference".to_owned()), causation: None, correlation: None }
}

impl Worker {
    /// Begins a worker's life: writes down what it runs on. Must be called within a runtime.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub async fn start(parts: Parts) -> Result<Self, NotRecorded> {
        let id = InferenceWorkerId(parts.ids.uuid());
        let inferences = Recorder::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), id);
        let workers = Recorder::new(parts.log, Arc::clone(&parts.ids), id);
        let (machine, told) = Machine::here(&parts.runtime, parts.overrides);
        workers.record(itself(), &[InferenceWorkerEvent::InferenceWorkerStarted { machine: Box::new(told) }]).await?;
        let loads = Loads::new(
            parts.runtime,
            parts.files,
            Arc::clone(&parts.ticks),
            Arc::clone(&parts.ids),
            workers.clone(),
            machine,
        );
        let inner = Inner {
            id,
            blobs: parts.blobs,
            commands: parts.commands,
            clock: parts.clock,
            ticks: parts.ticks,
            ids: parts.ids,
            loads,
            inferences,
            workers,
            windows: Windows::default(),
            draining: CancellationToken::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its id: that of the streams into which it writes.
    pub fn id(&self) -> InferenceWorkerId {
        self.inner.id
    }

    /// Takes no more questions, answers those that it has, puts all models away and writes down that it ended.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.draining.cancel();
        let draining = InferenceWorkerEvent::InferenceWorkerDraining {};
        let mut told = inner.workers.record(itself(), &[draining]).await;
        for (tenant, name, version, _) in inner.loads.held() {
            inner.loads.unload(&Cause { tenant, ..itself() }, &name, version, "stopping").await;
        }
        self.close_windows(true);
        inner.inferences.close().await;
        told = told.and(inner.workers.record(itself(), &[InferenceWorkerEvent::InferenceWorkerStopped {}]).await);
        if let Err(error) = told {
            tracing::warn!(%error, "that an inference worker ended could not be written down");
        }
        inner.workers.close().await;
    }

    /// Writes down the sums of those windows whose time is up. To be called now and then.
    pub fn close_windows(&self, all: bool) {
        for (tenant, window) in self.inner.windows.take(self.inner.clock.now_ms(), all) {
            self.note(&Cause { tenant, ..itself() }, InferenceEvent::InferenceWindowClosed(Box::new(window)));
        }
    }

    /// Asks a model. When it answers, the answer is in the log, as the model's recording says.
    ///
    /// # Errors
    /// When no version answers, the inputs are not the model's, it cannot be computed in time, or cannot be written down.
    pub async fn infer(&self, question: Question) -> Result<Inferred, NotInferred> {
        if self.inner.draining.is_cancelled() {
            return Err(NotInferred::Draining);
        }
        let came = self.inner.ticks.now();
        let inference = InferenceId(self.inner.ids.uuid());
        let side = question.key.clone().unwrap_or_else(|| inference.to_string());
        let (version, held) = self.held(&question.cause, &question.model, &side).await?;
        let inputs = inputs_of(&held, &question.inputs)?;
        let within = question.within.unwrap_or(Duration::from_millis(held.settings.timeout_ms));
        let asked = Asked {
            inference,
            came,
            within,
            inputs: inputs.tensors.clone(),
            version,
            recorded: match held.settings.recording {
                Recording::Sampled { one_in } => is_sampled(inference, one_in),
                Recording::Full | Recording::Standard => true,
            },
            is_full: held.settings.recording == Recording::Full,
        };
        if asked.is_full {
            let request = Box::new(self.request(&question, &asked, &held).await?);
            let event = InferenceEvent::InferenceRequested { inference, request };
            self.inner.inferences.record(question.cause.clone(), &[event]).await?;
        }
        let watch = Watch { worker: self, question: &question, asked: &asked, held: &held, is_over: false };
        let computed = held.pool.infer(inputs, Ask { priority: question.priority, within: Some(within) }).await;
        let watch = watch.over();
        match computed {
            Ok(answer) => self.answered(watch.question, watch.asked, watch.held, answer).await,
            Err(why) => {
                self.ended(&question, &asked, &held, Ending::from(&why)).await;
                Err(why.into())
            }
        }
    }

    /// What is known of the version that answers, which is loaded if it is not.
    ///
    /// # Errors
    /// When no version answers, or it cannot be loaded.
    pub async fn describe(&self, cause: &Cause, model: &ModelReference) -> Result<Described, NotInferred> {
        let (version, held) = self.held(cause, model, "").await?;
        Ok(Described {
            version: version.version,
            signature: Arc::clone(&held.signature),
            policy: held.pool.spec().policy.clone(),
            provider: held.provider,
            ready: held.pool.is_ready(),
            counts: held.pool.counts(),
        })
    }

    /// The versions of a tenant that are in memory, with what they counted.
    pub fn held_of(&self, tenant: TenantId) -> Vec<(Slug, u32, Counts)> {
        let held = self.inner.loads.held().into_iter().filter(|(of, ..)| *of == tenant);
        held.map(|(_, name, version, held)| (name, version, held.pool.counts())).collect()
    }

    /// Puts a version away until it is asked for again.
    pub async fn unload(&self, cause: &Cause, model: &Slug, version: u32) {
        self.inner.loads.unload(cause, model, version, "asked").await;
    }

    /// The version that answers, in memory. Where a rollout is under way, `side` says to which side a request falls.
    async fn held(
        &self,
        cause: &Cause,
        reference: &ModelReference,
        side: &str,
    ) -> Result<(ModelVersion, Arc<InMemory>), NotInferred> {
        let models = self.inner.commands.models();
        let listing = if models.is_caught_up() { Ok(models.now()) } else { models.caught_up().await };
        let listing = listing.map_err(|_| NotInferred::Draining)?;
        let model = listing.model(cause.tenant, &reference.name).ok_or(ModelRefusal::NotFound)?;
        let version = model.resolve(&reference.version, side)?.clone();
        match self.inner.loads.get(cause, &reference.name, &version, &model.settings).await {
            Ok(held) => Ok((version, held)),
            Err(NotInMemory::NotRecorded(why)) => Err(why.into()),
            Err(NotInMemory::Failed { code, reason }) => {
                let (model, version) = (reference.name.clone(), version.version);
                Err(NotInferred::NotLoaded { model, version, code, reason })
            }
        }
    }

    async fn answered(
        &self,
        question: &Question,
        asked: &Asked,
        held: &InMemory,
        answer: Answer,
    ) -> Result<Inferred, NotInferred> {
        let provider = answer.provider;
        let fingerprint = fingerprint(held, &asked.inputs, &answer).digest();
        let Answer { outputs, timings, batch_rows, bucket, .. } = answer;
        let (count, queue, compute) = (|rows| u32::try_from(rows).unwrap_or(u32::MAX), timings.queue, timings.compute);
        if asked.recorded {
            let records = self.records(&held.signature.outputs, &outputs).await?;
            let request = match asked.is_full {
                true => None,
                false => Some(Box::new(self.request(question, asked, held).await?)),
            };
            let answer = Box::new(InferenceAnswer {
                outputs: records,
                provider,
                load: held.load,
                queue_us: micros(queue),
                compute_us: micros(compute),
                batch_rows: count(batch_rows),
                bucket: count(bucket),
                fingerprint: fingerprint.clone(),
            });
            let inference = asked.inference;
            let started =
                asked.is_full.then(|| InferenceEvent::InferenceStarted { inference, queue_us: micros(queue) });
            let completed = InferenceEvent::InferenceCompleted { inference, request, answer };
            let events: Vec<_> = started.into_iter().chain([completed]).collect();
            self.inner.inferences.record(question.cause.clone(), &events).await?;
        } else {
            let latency = self.inner.ticks.now().saturating_sub(asked.came);
            let digest = digest_of_all(outputs.iter().map(Tensor::digest));
            let summed = Summed { queue, compute, latency, fingerprint: &fingerprint, outputs: &digest };
            let (of, named) = ((question.cause.tenant, held.load), (&question.model.name, asked.version.version));
            if let Some(window) = self.inner.windows.add(of, named, self.inner.clock.now_ms(), &summed) {
                let cause = Cause { tenant: question.cause.tenant, ..itself() };
                self.note(&cause, InferenceEvent::InferenceWindowClosed(Box::new(window)));
            }
        }
        Ok(Inferred {
            inference: asked.inference,
            model: question.model.name.clone(),
            version: asked.version.version,
            load: held.load,
            outputs: held.signature.outputs.iter().cloned().zip(outputs).collect(),
            provider,
            queue,
            compute,
            fingerprint,
        })
    }

    /// Writes down that an inference ended without an answer. Who asked is told why in any case.
    async fn ended(&self, question: &Question, asked: &Asked, held: &InMemory, ending: Ending) {
        let request = match asked.is_full {
            true => Ok(None),
            false => self.request(question, asked, held).await.map(|request| Some(Box::new(request))),
        };
        let told = match request {
            Ok(request) => {
                let event = ending_event(asked.inference, request, ending);
                self.inner.inferences.record(question.cause.clone(), &[event]).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(%error, model = %question.model, "how an inference ended could not be written down");
        }
    }

    async fn request(
        &self,
        question: &Question,
        asked: &Asked,
        held: &InMemory,
    ) -> Result<InferenceRequest, NotRecorded> {
        let inputs = self.records(&held.signature.inputs, &asked.inputs).await?;
        Ok(self.request_with(question, asked, inputs))
    }

    fn request_with(&self, question: &Question, asked: &Asked, inputs: Vec<TensorRecord>) -> InferenceRequest {
        let since = self.inner.ticks.now().saturating_sub(asked.came);
        let at_ms = self.inner.clock.now_ms() - i64::try_from(since.as_millis()).unwrap_or(0);
        let shorten = |key: &String| key.chars().take(KEY_CHARACTERS_MAX).collect();
        InferenceRequest {
            model: question.model.name.clone(),
            asked: question.model.to_string(),
            version: asked.version.version,
            digest: asked.version.digest.clone(),
            inputs,
            execution: question.execution,
            node: question.node.clone(),
            key: question.key.as_ref().map(shorten),
            at_ms,
            deadline_ms: at_ms.saturating_add(i64::try_from(asked.within.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    async fn records(&self, specs: &[TensorSpec], tensors: &[Tensor]) -> Result<Vec<TensorRecord>, NotRecorded> {
        let records = to_records(specs, tensors, Some(&*self.inner.blobs)).await;
        records.map_err(|error| NotRecorded::Failed(error.to_string()))
    }

    fn note(&self, cause: &Cause, event: InferenceEvent) {
        if let Err(error) = self.inner.inferences.note(cause.clone(), &[event]) {
            tracing::warn!(%error, "something of an inference will not be written down");
        }
    }
}

/// What is known of a question once its version is.
struct Asked {
    inference: InferenceId,
    came: Duration,
    within: Duration,
    inputs: Vec<Tensor>,
    version: ModelVersion,
    /// Whether it is written down by itself.
    recorded: bool,
    is_full: bool,
}

/// Notes that nobody waited any more, when a question is dropped while it is computed.
struct Watch<'a> {
    worker: &'a Worker,
    question: &'a Question,
    asked: &'a Asked,
    held: &'a InMemory,
    is_over: bool,
}

impl Watch<'_> {
    fn over(mut self) -> Self {
        self.is_over = true;
        self
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.is_over || !self.asked.recorded {
            return;
        }
        // Blobs cannot be written here: nobody waits.
        let specs = &self.held.signature.inputs;
        let inputs = specs.iter().zip(&self.asked.inputs).map(|(spec, tensor)| crate::tensors::known(spec, tensor));
        let request = self.worker.request_with(self.question, self.asked, inputs.collect());
        let request = (!self.asked.is_full).then(|| Box::new(request));
        self.worker.note(&self.question.cause, ending_event(self.asked.inference, request, Ending::Cancelled));
    }
}

fn ending_event(inference: InferenceId, request: Option<Box<InferenceRequest>>, ending: Ending) -> InferenceEvent {
    match ending {
        Ending::Failed(class, reason) => InferenceEvent::InferenceFailed { inference, request, class, reason },
        Ending::Cancelled => InferenceEvent::InferenceCancelled { inference, request },
        Ending::Rejected(class, retry_after) => {
            let retry_after_ms = retry_after.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            InferenceEvent::InferenceRejected { inference, request, class, retry_after_ms }
        }
    }
}

/// What an answer is known by. On the CPU who else is in a batch changes nothing; on a GPU the bucket may.
fn fingerprint(held: &InMemory, inputs: &[Tensor], answer: &Answer) -> Fingerprint {
    let bucket = match answer.provider {
        Provider::Cpu => 0,
        Provider::Cuda => u32::try_from(answer.bucket).unwrap_or(u32::MAX),
    };
    Fingerprint {
        model: held.digest.clone(),
        inputs: digest_of_all(inputs.iter().map(Tensor::digest)),
        options: held.options.clone(),
        runtime: held.runtime.clone(),
        provider: answer.provider,
        machine: held.machine.clone(),
        bucket,
    }
}

/// The inputs in the order of the model's signature.
fn inputs_of(held: &InMemory, named: &[(String, Tensor)]) -> Result<Inputs, NotInferred> {
    let specs = &held.signature.inputs;
    let names = || specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
    let known = |name: &str| specs.iter().any(|spec| spec.name == name);
    if let Some((name, _)) = named.iter().find(|(name, _)| !known(name)) {
        return Err(NotInferred::Inputs(format!("the model has no input '{name}': it has {}", names())));
    }
    let mut tensors = Vec::with_capacity(specs.len());
    for spec in specs {
        let mut found = named.iter().filter(|(name, _)| *name == spec.name);
        match (found.next(), found.next()) {
            (Some((_, tensor)), None) => tensors.push(tensor.clone()),
            (Some(_), Some(_)) => return Err(NotInferred::Inputs(format!("the input '{}' is given twice", spec.name))),
            (None, _) => {
                let message = format!("the input '{}' is missing: the model wants {}", spec.name, names());
                return Err(NotInferred::Inputs(message));
            }
        }
    }
    let first = tensors.first().and_then(|tensor| tensor.shape().first().copied());
    let rows = if held.signature.batches() { first.unwrap_or(1) } else { 1 };
    Ok(Inputs { tensors, rows })
}
