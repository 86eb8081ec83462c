//! One question on its way: from the version that answers to an answer that is written down.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::ids::InferenceId;
use timeloom_domain::inference::{
    FailureClass, Fingerprint, InferenceAnswer, InferenceEvent, InferenceRequest, OutputComparison, Provider,
    TensorRecord, digest_of_all,
};
use timeloom_domain::model::{ModelReference, ModelSettings, ModelVersion, Recording, RolloutArm, VersionReference};
use timeloom_inference::pool::{Answer, Ask, NotComputed, Priority};
use timeloom_inference::{Inputs, Tensor};

use crate::ask::{Ending, Inferred, NotInferred, Question};
use crate::loads::{InMemory, NotInMemory};
use crate::recorder::NotRecorded;
use crate::tensors::{known, to_records};
use crate::windows::{Counted, Summed, is_sampled, micros};
use crate::worker::{Worker, itself};

/// Most characters of a key.
pub const KEY_CHARACTERS_MAX: usize = 200;

impl Worker {
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
        let model = self.model(&question.cause, &question.model.name).await?;
        let side = question.key.clone().unwrap_or_else(|| inference.to_string());
        let (version, arm) = model.resolve_arm(&question.model.version, Some(&side))?;
        let version = version.clone();
        let copy = model.shadow_of(&question.model.version, &side).map(|version| (version, question.clone()));
        let asking = Asking { worker: self, came, inference, version, arm, copy_of: None, question: &question };
        let inferred = asking.ask(&model.settings).await?;
        if let Some((version, question)) = copy {
            self.copy(version, question, Answered { inference, outputs: inferred.outputs.clone() });
        }
        Ok(inferred)
    }

    /// Lets a version that is tried compute a question that was answered, where there is time. Nobody waits for it.
    fn copy(&self, version: u32, question: Question, of: Answered) {
        let Ok(place) = Arc::clone(&self.inner.copies).try_acquire_owned() else { return };
        let worker = self.clone();
        self.inner.tasks.spawn(async move {
            let _place = place;
            let model = ModelReference { version: VersionReference::Number(version), ..question.model };
            let question = Question { model, priority: Priority::Shadow, ..question };
            // It is of use for comparison only: who answered may have been told to hurry, nobody waits for this.
            let question = Question { within: None, ..question };
            if let Err(error) = worker.compute_copy(version, &question, of).await {
                tracing::debug!(%error, model = %question.model, "a copy of a question was not computed");
            }
        });
    }

    async fn compute_copy(&self, version: u32, question: &Question, of: Answered) -> Result<(), NotInferred> {
        let model = self.model(&question.cause, &question.model.name).await?;
        let version = model.resolve(&VersionReference::Number(version), None)?.clone();
        let (came, inference) = (self.inner.ticks.now(), InferenceId(self.inner.ids.uuid()));
        let (arm, copy_of) = (Some(RolloutArm::Shadow), Some(of));
        let asking = Asking { worker: self, came, inference, version, arm, copy_of, question };
        asking.ask(&model.settings).await.map(|_| ())
    }
}

/// A question whose version is known.
struct Asking<'a> {
    worker: &'a Worker,
    question: &'a Question,
    inference: InferenceId,
    came: Duration,
    version: ModelVersion,
    /// On which side of a trial it is.
    arm: Option<RolloutArm>,
    /// What was answered of which this is a copy.
    copy_of: Option<Answered>,
}

/// An answer that was given.
struct Answered {
    inference: InferenceId,
    outputs: Vec<(String, Tensor)>,
}

/// What is asked of a version in memory.
struct Asked {
    /// The inputs in the order of its signature.
    inputs: Vec<(String, Tensor)>,
    within: Duration,
    recording: Recording,
    /// Whether its request is an event of its own already.
    is_requested: bool,
}

impl Asking<'_> {
    async fn ask(&self, settings: &ModelSettings) -> Result<Inferred, NotInferred> {
        let within = self.question.within.unwrap_or(Duration::from_millis(settings.timeout_ms));
        let mut held = self.held(settings, within).await?;
        let inputs = match Inputs::named(&held.signature, &self.question.inputs) {
            Ok(Inputs { tensors, .. }) => {
                held.signature.inputs.iter().map(|spec| spec.name.clone()).zip(tensors).collect()
            }
            Err(why) => return Err(self.refused(within, FailureClass::Unfit, why.into()).await),
        };
        let recording = held.settings.recording;
        let mut asked = Asked { inputs, within, recording, is_requested: false };
        if recording == Recording::Full {
            let request = Box::new(self.request(&asked).await?);
            self.record(InferenceEvent::InferenceRequested { inference: self.inference, request }).await?;
            asked.is_requested = true;
        }
        let mut computed = self.compute(&held, &asked).await;
        if computed == Err(NotComputed::Unloaded) && !self.worker.inner.draining.is_cancelled() {
            // It was put away between the look at it and the question: it is loaded again, once.
            held = self.held(settings, within).await?;
            computed = self.compute(&held, &asked).await;
        }
        match computed {
            Ok(answer) => self.answered(&asked, &held, answer).await,
            Err(why) => {
                self.not_computed(&held, &asked, Ending::from(&why)).await;
                Err(why.into())
            }
        }
    }

    /// Writes down how a question ended that was not computed, or counts it where many are turned away.
    async fn not_computed(&self, held: &InMemory, asked: &Asked, ending: Ending) {
        match ending {
            Ending::Rejected(class, _) if !asked.is_requested && !self.is_written_alone(held) => {
                self.sum(held, &Counted::Rejected(class));
            }
            ending => self.ended(asked, ending).await,
        }
    }

    fn is_written_alone(&self, held: &InMemory) -> bool {
        let inner = &self.worker.inner;
        inner.windows.is_written_alone((self.question.cause.tenant, held.load), inner.clock.now_ms())
    }

    /// The version in memory.
    async fn held(&self, settings: &ModelSettings, within: Duration) -> Result<Arc<InMemory>, NotInferred> {
        let Question { cause, model, .. } = self.question;
        match self.worker.inner.loads.get(cause, &model.name, &self.version, settings).await {
            Ok(held) => {
                held.used(self.worker.inner.ticks.now());
                Ok(held)
            }
            Err(why @ NotInMemory::NotRecorded(_)) => Err(why.told(&model.name, self.version.version)),
            Err(why @ NotInMemory::Failed { .. }) => {
                let told = why.told(&model.name, self.version.version);
                Err(self.refused(within, FailureClass::NotLoaded, told).await)
            }
        }
    }

    /// Writes down that a question could not be asked of the version at all.
    async fn refused(&self, within: Duration, class: FailureClass, why: NotInferred) -> NotInferred {
        let inputs = self.question.inputs.clone();
        let asked = Asked { inputs, within, recording: Recording::Standard, is_requested: false };
        self.ended(&asked, Ending::Failed(class, why.to_string())).await;
        why
    }

    async fn compute(&self, held: &InMemory, asked: &Asked) -> Result<Answer, NotComputed> {
        let tensors = asked.inputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        let inputs = Inputs::in_order(&held.signature, tensors);
        let mut watch = Watch { asking: self, asked, held, is_over: false };
        let ask =
            Ask { priority: self.question.priority, within: Some(self.worker.inner.afterwards.left(asked.within)) };
        let computed = held.pool.infer(inputs, ask).await;
        watch.is_over = true;
        computed
    }

    async fn answered(&self, asked: &Asked, held: &InMemory, answer: Answer) -> Result<Inferred, NotInferred> {
        let fingerprint = self.fingerprint(held, asked, &answer).digest();
        let Answer { outputs, timings, batch_rows, bucket, provider, .. } = answer;
        let (queue, compute) = (timings.queue, timings.compute);
        let names = held.signature.outputs.iter().map(|spec| spec.name.clone());
        let outputs: Vec<(String, Tensor)> = names.zip(outputs).collect();
        if is_recorded(asked.recording, self.inference) {
            let computed = self.worker.inner.ticks.now();
            let count = |rows| u32::try_from(rows).unwrap_or(u32::MAX);
            let copied = self.copy_of.as_ref();
            let answer = InferenceAnswer {
                outputs: self.records(&outputs).await?,
                provider,
                load: held.load,
                queue_us: micros(queue),
                compute_us: micros(compute),
                batch_rows: count(batch_rows),
                bucket: count(bucket),
                fingerprint: fingerprint.clone(),
                compared: copied.map(|answered| OutputComparison::of(&answered.outputs, &outputs)),
            };
            self.record_answer(asked, answer).await?;
            let recorded = self.worker.inner.ticks.now();
            self.worker.inner.afterwards.observe(recorded.saturating_sub(computed));
        } else {
            let latency = self.worker.inner.ticks.now().saturating_sub(self.came);
            let outputs = digest_of_all(outputs.iter().map(|(_, tensor)| tensor.digest()));
            let summed = Summed { queue, compute, latency, fingerprint: &fingerprint, outputs: &outputs };
            self.sum(held, &Counted::Answered(&summed));
        }
        Ok(Inferred {
            inference: self.inference,
            version: self.version.version,
            load: held.load,
            outputs,
            provider,
            fingerprint,
        })
    }

    async fn record_answer(&self, asked: &Asked, answer: InferenceAnswer) -> Result<(), NotRecorded> {
        let (inference, queue_us) = (self.inference, answer.queue_us);
        let request = if asked.is_requested { None } else { Some(Box::new(self.request(asked).await?)) };
        let completed = InferenceEvent::InferenceCompleted { inference, request, answer: Box::new(answer) };
        match asked.recording {
            Recording::Full => {
                let started = InferenceEvent::InferenceStarted { inference, queue_us };
                self.worker.inner.inferences.record(self.question.cause.clone(), &[started, completed]).await
            }
            Recording::Standard => self.record(completed).await,
            // Where samples are written down, no answer waits for that.
            Recording::Sampled { .. } => {
                self.worker.note(&self.question.cause, completed);
                Ok(())
            }
        }
    }

    /// Writes down that an inference ended without an answer. Who asked is told why in any case.
    async fn ended(&self, asked: &Asked, ending: Ending) {
        let told = async {
            let request = if asked.is_requested { None } else { Some(Box::new(self.request(asked).await?)) };
            self.record(ending_event(self.inference, request, ending)).await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, model = %self.question.model, "how an inference ended could not be written down");
        }
    }

    async fn record(&self, event: InferenceEvent) -> Result<(), NotRecorded> {
        self.worker.inner.inferences.record(self.question.cause.clone(), &[event]).await
    }

    /// Adds to the sums of what is not written down by itself.
    fn sum(&self, held: &InMemory, counted: &Counted<'_>) {
        let inner = &self.worker.inner;
        let tenant = self.question.cause.tenant;
        let named = (&self.question.model.name, self.version.version);
        if let Some(window) = inner.windows.add((tenant, held.load), named, inner.clock.now_ms(), counted) {
            self.worker.note(&itself(tenant), InferenceEvent::InferenceWindowClosed(Box::new(window)));
        }
    }

    async fn request(&self, asked: &Asked) -> Result<InferenceRequest, NotRecorded> {
        Ok(self.request_with(asked, self.records(&asked.inputs).await?))
    }

    fn request_with(&self, asked: &Asked, inputs: Vec<TensorRecord>) -> InferenceRequest {
        let since = self.worker.inner.ticks.now().saturating_sub(self.came);
        let at_ms = self.worker.inner.clock.now_ms() - i64::try_from(since.as_millis()).unwrap_or(0);
        let shorten = |key: &String| key.chars().take(KEY_CHARACTERS_MAX).collect();
        InferenceRequest {
            model: self.question.model.name.clone(),
            asked: self.question.model.to_string(),
            version: self.version.version,
            arm: self.arm,
            digest: self.version.digest.clone(),
            inputs,
            workflow: self.question.workflow,
            execution: self.question.execution,
            node: self.question.node.clone(),
            agent: self.question.agent.clone(),
            key: self.question.key.as_ref().map(shorten),
            shadow_of: self.copy_of.as_ref().map(|answered| answered.inference),
            at_ms,
            deadline_ms: at_ms.saturating_add(i64::try_from(asked.within.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    async fn records(&self, tensors: &[(String, Tensor)]) -> Result<Vec<TensorRecord>, NotRecorded> {
        let records = to_records(tensors, &*self.worker.inner.blobs).await;
        records.map_err(|error| NotRecorded::Failed(error.to_string()))
    }

    /// What an answer is known by. On the CPU who else is in a batch changes nothing; on a GPU the bucket may.
    fn fingerprint(&self, held: &InMemory, asked: &Asked, answer: &Answer) -> Fingerprint {
        let bucket = match answer.provider {
            Provider::Cpu => 0,
            Provider::Cuda => u32::try_from(answer.bucket).unwrap_or(u32::MAX),
        };
        Fingerprint {
            model: self.version.digest.clone(),
            inputs: digest_of_all(asked.inputs.iter().map(|(_, tensor)| tensor.digest())),
            options: held.options.clone(),
            runtime: held.runtime.clone(),
            provider: answer.provider,
            machine: held.machine.clone(),
            bucket,
        }
    }
}

/// Whether an inference is written down by itself when it is answered or cancelled.
fn is_recorded(recording: Recording, inference: InferenceId) -> bool {
    match recording {
        Recording::Sampled { one_in } => is_sampled(inference, one_in),
        Recording::Full | Recording::Standard => true,
    }
}

/// Notes that nobody waited any more, when a question is dropped while it is computed.
struct Watch<'a> {
    asking: &'a Asking<'a>,
    asked: &'a Asked,
    held: &'a InMemory,
    is_over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let Self { asking, asked, held, is_over } = self;
        if *is_over {
            return;
        }
        if !is_recorded(asked.recording, asking.inference) {
            asking.sum(held, &Counted::Cancelled);
            return;
        }
        // Blobs cannot be written here: nobody waits.
        let inputs = asked.inputs.iter().map(|(name, tensor)| known(name, tensor)).collect();
        let request = (!asked.is_requested).then(|| Box::new(asking.request_with(asked, inputs)));
        asking.worker.note(&asking.question.cause, ending_event(asking.inference, request, Ending::Cancelled));
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
