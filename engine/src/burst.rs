//! A burst: everything that an execution can do before it must wait for the log, a timer or the outside world.
//!
//! Pure nodes run one after the other; their events are gathered into one durable batch. After a crash in the middle
//! they are computed again, which changes nothing that anybody saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use timeloom_commands::Clock;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, NodeFacts, ResumeCause};
use timeloom_domain::item::SharedObject;
use timeloom_expressions::evaluator::Session;
use tokio_util::sync::CancellationToken;

use crate::answer;
use crate::attempt::{Attempt, Given, Surroundings, idempotency_key};
use crate::machine::{Action, Machine, Task};
use crate::node::{Behaviour, NodeError, NodeResponse, NodeWait, WaitNode};
use crate::stub::{NotAnswered, Recorded, RecordedEnd, Told};

/// Longest time that finished work waits for its batch.
const BATCH_TIME_MAX: Duration = Duration::from_millis(10);
/// Longest time for one attempt at a node whose workflow says nothing about it: a sub-workflow may wait for days.
const EFFECT_TIME_MAX: Duration = Duration::from_secs(EFFECT_SECONDS_MAX as u64);
/// The same in seconds.
const EFFECT_SECONDS_MAX: f64 = 366.0 * 86_400.0;
/// Most events in one batch.
const BATCH_EVENTS_MAX: usize = 200;
/// Most items in one batch; a batch may exceed it by one node's output.
const BATCH_ITEMS_MAX: usize = 2_000;
/// Most bytes of text in one batch, as they are guessed; a batch may exceed it by one node's output. What is written down is
/// let go, and the next node changes its input where it is.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Where a burst ended.
pub(crate) enum Pause {
    /// Take the events down, then go on.
    Flush,
    /// Take the events down, then run this effect.
    Effect(Box<EffectTask>),
    /// Take the events down, then try again at this time (milliseconds since 1970).
    Retry(i64),
    /// Take the events down, then stand still until that time (milliseconds since 1970), or until somebody says so.
    Rest(Option<i64>),
    /// Take the events down, then wait for one of the effects under way.
    Await,
    /// Take the events down; that was all.
    Ended,
}

/// An effect that is due.
pub(crate) struct EffectTask {
    pub(crate) attempt: Attempt,
    pub(crate) facts: NodeFacts,
    pub(crate) number: u32,
    pub(crate) started_at_ms: i64,
}

/// What an execution needs to compute.
pub(crate) struct Worker {
    pub(crate) machine: Machine,
    pub(crate) session: Session,
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cancelled: CancellationToken,
    /// When the execution must have ended, in milliseconds since 1970.
    pub(crate) deadline_ms: Option<i64>,
}

impl Worker {
    /// Computes until something must be waited for, or until the stream is to have no more than `room` further events.
    pub(crate) fn run_burst(&mut self, room: usize) -> (Vec<ExecutionEvent>, Pause) {
        let began = Instant::now();
        let mut batch = Batch::default();
        loop {
            if self.cancelled.is_cancelled() {
                return (batch.events, Pause::Ended);
            }
            let now_ms = self.clock.now_ms();
            if let Some(pause) = self.check_deadline(now_ms, &mut batch) {
                return (batch.events, pause);
            }
            self.machine.place_inputs();
            match self.machine.next() {
                Action::Run(task) => {
                    if let Some(pause) = self.run_node(task, now_ms, &mut batch) {
                        return (batch.events, pause);
                    }
                }
                Action::Skip { node } => {
                    let reason = "no items reached it".to_owned();
                    self.take_down(ExecutionEvent::NodeSkipped { node, reason }, &mut batch);
                }
                Action::Await => return (batch.events, Pause::Await),
                Action::Rest => return (batch.events, Pause::Rest(None)),
                Action::Complete => {
                    self.answer_at_end(now_ms, &mut batch);
                    self.take_down(ExecutionEvent::ExecutionCompleted { at_ms: now_ms }, &mut batch);
                    return (batch.events, Pause::Ended);
                }
                Action::Fail { node, error } => {
                    self.take_down(ExecutionEvent::ExecutionFailed { node, error, at_ms: now_ms }, &mut batch);
                    return (batch.events, Pause::Ended);
                }
                Action::Nothing => return (batch.events, Pause::Ended),
            }
            if batch.is_full() || batch.events.len() >= room || began.elapsed() > BATCH_TIME_MAX {
                return (batch.events, Pause::Flush);
            }
        }
    }

    fn check_deadline(&mut self, now_ms: i64, batch: &mut Batch) -> Option<Pause> {
        let deadline_ms = self.deadline_ms.filter(|deadline| now_ms > *deadline)?;
        let allowed_ms = deadline_ms - self.machine.start().at_ms;
        let message = format!("stopped after {allowed_ms} ms: the workflow's time limit");
        let error = serde_json::json!({"name": "TimeoutError", "message": message});
        self.take_down(ExecutionEvent::ExecutionFailed { node: None, error, at_ms: now_ms }, batch);
        Some(Pause::Ended)
    }

    /// Runs one node; `Some` when something must be waited for first.
    fn run_node(&mut self, task: Task, now_ms: i64, batch: &mut Batch) -> Option<Pause> {
        let (facts, number) = (task.facts.clone(), task.attempts + 1);
        let node_index = task.node;
        let plan = Arc::clone(self.machine.plan());
        let node = plan.node(node_index);
        let began = Instant::now();
        let mut attempt = Attempt::prepare(&self.machine, task, &self.surroundings, now_ms);
        if let Some(pause) = self.hold_up(&attempt, &node.name, now_ms, batch) {
            return Some(pause);
        }
        let replaced = self.machine.stubs().and_then(|stubs| stubs.replaced(&facts));
        let pinned = if node.disabled { None } else { self.machine.pinned(node_index) };
        let is_pinned = replaced.is_some() || pinned.is_some();
        if !(is_pinned || node.disabled || attempt.has_no_items()) && self.is_stubbed(node_index) {
            drop(attempt);
            self.answer_effect(facts, now_ms, batch);
            return None;
        }
        let result = match pinned {
            _ if let Some(outputs) = replaced => Ok(attempt.replaced(outputs)),
            Some(items) => Ok(attempt.pinned(items)),
            None if node.disabled => Ok(attempt.pass_through()),
            None if attempt.has_no_items() => Ok(attempt.without_items()),
            None if let Some(node_type) = self.held_back(node_index) => Err(switched_off(node_type)),
            None => match plan.node_type(node_index).behaviour() {
                Behaviour::PassThrough => Ok(attempt.pass_through()),
                Behaviour::Pure(_) => {
                    if attempt.uses_input_up() {
                        self.machine.let_input_go();
                    }
                    attempt.run_pure(&mut self.session)
                }
                Behaviour::Effect(_) => return Some(self.announce(attempt, facts, number, now_ms, batch)),
                Behaviour::Wait(wait) => match self.wait(wait, &mut attempt, &facts, now_ms, batch) {
                    Waited::Over(result) => *result,
                    Waited::Until(until_ms) => return Some(Pause::Rest(until_ms)),
                },
            },
        };
        let finished = Finished { facts, number, started_at_ms: now_ms, duration: began.elapsed(), is_pinned };
        self.conclude(attempt, finished, result, batch)
    }

    /// The type of a node, or of one that serves it, which the tenant does not have. What is run again to see what it does is
    /// not held back: the answer would depend on when it is asked.
    fn held_back(&self, node: usize) -> Option<&str> {
        let plan = self.machine.plan();
        if self.machine.stubs().is_some_and(|stubs| !stubs.is_live(&plan.node(node).name)) {
            return None;
        }
        let helpers = plan.graph.all_helpers(node).into_iter().map(|helper| helper.node);
        let mut types = [node].into_iter().chain(helpers).map(|node| &*plan.node(node).node_type);
        types.find(|node_type| !self.surroundings.services.features.has_node(self.surroundings.tenant, node_type))
    }

    /// Whether a node's effect must not happen here.
    fn is_stubbed(&self, node: usize) -> bool {
        let plan = self.machine.plan();
        let is_lifted = self.machine.stubs().is_none_or(|stubs| stubs.is_live(&plan.node(node).name));
        !is_lifted && plan.reaches_out(node)
    }

    /// Takes down what was recorded of an effect that is not to happen, or that it was not.
    fn answer_effect(&mut self, run: NodeFacts, now_ms: i64, batch: &mut Batch) {
        let answer = self.machine.stubs().map(|stubs| stubs.answer(self.machine.plan(), &run));
        let Some(Ok(Recorded { end: Some(end), place: (of, revision), .. })) = answer else {
            let why = answer.and_then(Result::err).unwrap_or(NotAnswered::NeverRecorded);
            let (error, duration_us, outputs) = (why.to_json(&run.node), 0, None);
            let failed = ExecutionEvent::NodeFailed { run, started_at_ms: now_ms, duration_us, error, outputs };
            return self.take_down(failed, batch);
        };
        let (end, of, revision) = (end.clone(), *of, *revision);
        self.take_down(ExecutionEvent::NodeStubbed { run: run.clone(), of, revision }, batch);
        let (node, started_at_ms, duration_us) = (run.node.clone(), now_ms, 0);
        let RecordedEnd { outputs, memory, hints, error, told } = end;
        let event = match (error, outputs) {
            (None, outputs) => {
                let (outputs, pinned) = (outputs.unwrap_or_default(), false);
                ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned }
            }
            (Some(error), outputs) => ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error, outputs },
        };
        self.take_down(event, batch);
        for told in told {
            let event = match told {
                Told::Saved { data } => ExecutionEvent::ExecutionDataSaved { node: node.clone(), data },
                Told::Responded { response, more } => {
                    let (node, response) = (Some(node.clone()), *response);
                    ExecutionEvent::ExecutionResponded { node, response, more, at_ms: now_ms }
                }
            };
            self.take_down(event, batch);
        }
    }

    /// Pauses before a node with a breakpoint whose condition holds, and while somebody steps through the execution.
    fn hold_up(&mut self, attempt: &Attempt, node: &str, now_ms: i64, batch: &mut Batch) -> Option<Pause> {
        let (reason, condition) = self.machine.breakpoint(node)?;
        let holds = match condition.map(str::to_owned) {
            Some(condition) => attempt.is_true(&mut self.session, &condition),
            None => true,
        };
        if !holds {
            return None;
        }
        self.take_down(ExecutionEvent::ExecutionPaused { reason, at_ms: now_ms }, batch);
        Some(Pause::Rest(None))
    }

    /// Begins a wait, or ends one.
    fn wait(
        &mut self,
        node: &dyn WaitNode,
        attempt: &mut Attempt,
        facts: &NodeFacts,
        now_ms: i64,
        batch: &mut Batch,
    ) -> Waited {
        if let Some(wait) = self.machine.wait().cloned() {
            if let Some(items) = &wait.over {
                return Waited::over(Ok(attempt.resumed(items.as_deref())));
            }
            if wait.until_ms.is_none_or(|until_ms| now_ms < until_ms) {
                return Waited::Until(wait.until_ms);
            }
            let (node, cause, items) = (facts.node.clone(), Some(ResumeCause::Time), None);
            self.take_down(ExecutionEvent::ExecutionResumed { node, cause, items }, batch);
            return Waited::over(Ok(attempt.resumed(None)));
        }
        match attempt.at_once(node, &mut self.session) {
            Ok(None) => {}
            Ok(Some(given)) => return Waited::over(Ok(given)),
            Err(error) => return Waited::over(Err(error)),
        }
        let wait = match attempt.begin_wait(node, &mut self.session) {
            Ok(Some(wait)) => wait,
            Ok(None) => return Waited::over(Ok(attempt.resumed(None))),
            Err(error) => return Waited::over(Err(error)),
        };
        if wait.until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            return Waited::over(Ok(attempt.resumed(None)));
        }
        let NodeWait { until_ms, resume } = wait;
        let (node, run) = (facts.node.clone(), Some(facts.clone()));
        self.take_down(ExecutionEvent::ExecutionWaiting { node, until_ms, run, resume }, batch);
        Waited::Until(until_ms)
    }

    /// Answers the request that started the execution, where its trigger says that the end does so.
    fn answer_at_end(&mut self, now_ms: i64, batch: &mut Batch) {
        if let Some(response) = answer::at_end(&self.machine, &self.surroundings, &mut self.session, now_ms) {
            let (node, more, at_ms) = (None, false, now_ms);
            self.take_down(ExecutionEvent::ExecutionResponded { node, response, more, at_ms }, batch);
        }
    }

    /// Takes down that an effect is about to begin: only then may it.
    fn announce(
        &mut self,
        attempt: Attempt,
        facts: NodeFacts,
        number: u32,
        started_at_ms: i64,
        batch: &mut Batch,
    ) -> Pause {
        if number == 1 {
            self.take_down(ExecutionEvent::NodeScheduled { run: facts.clone() }, batch);
        }
        self.announce_attempt(attempt, facts, number, started_at_ms, batch)
    }

    fn announce_attempt(
        &mut self,
        attempt: Attempt,
        facts: NodeFacts,
        number: u32,
        started_at_ms: i64,
        batch: &mut Batch,
    ) -> Pause {
        let idempotency_key = idempotency_key(&self.surroundings.execution_id, facts.execution_index);
        let (run, at_ms) = (facts.clone(), started_at_ms);
        self.take_down(ExecutionEvent::NodeStarted { run, attempt: number, idempotency_key, at_ms }, batch);
        Pause::Effect(Box::new(EffectTask { attempt, facts, number, started_at_ms }))
    }

    /// How long an effect may take: as long as its node says, and no longer than the execution may.
    pub(crate) fn time_left(&self, task: &EffectTask) -> Duration {
        let plan = self.machine.plan();
        let node = plan.graph.index(&task.facts.node).map(|index| plan.node(index));
        let own = node.and_then(|node| node.timeout_seconds).filter(|seconds| *seconds > 0.0);
        let own = own.map_or(EFFECT_TIME_MAX, |seconds| Duration::from_secs_f64(seconds.min(EFFECT_SECONDS_MAX)));
        let left_ms = self.deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(self.clock.now_ms()).max(0));
        left_ms.map_or(own, |left_ms| own.min(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))))
    }

    /// The failure of a node that took longer than it may.
    pub(crate) fn timed_out(&self, limit: Duration) -> NodeError {
        NodeError::operation(format!("stopped after {} ms: the time limit of the node or workflow", limit.as_millis()))
            .described("Raise the node's timeoutSeconds or the workflow's executionTimeout, or make the work smaller.")
    }

    /// Begins another attempt at an effect that was announced before.
    pub(crate) fn begin_again(&mut self, task: Task) -> (Vec<ExecutionEvent>, Pause) {
        let mut batch = Batch::default();
        let (facts, number, now_ms) = (task.facts.clone(), task.attempts + 1, self.clock.now_ms());
        let attempt = Attempt::prepare(&self.machine, task, &self.surroundings, now_ms);
        let pause = self.announce_attempt(attempt, facts, number, now_ms, &mut batch);
        (batch.events, pause)
    }

    /// Takes down how an effect ended.
    pub(crate) fn conclude_effect(
        &mut self,
        task: EffectTask,
        duration: Duration,
        result: Result<Given, NodeError>,
    ) -> (Vec<ExecutionEvent>, Option<Pause>) {
        let mut batch = Batch::default();
        let finished = Finished {
            facts: task.facts,
            number: task.number,
            started_at_ms: task.started_at_ms,
            duration,
            is_pinned: false,
        };
        let pause = self.conclude(task.attempt, finished, result, &mut batch);
        (batch.events, pause)
    }

    fn conclude(
        &mut self,
        attempt: Attempt,
        finished: Finished,
        result: Result<Given, NodeError>,
        batch: &mut Batch,
    ) -> Option<Pause> {
        let node = self.machine.plan().graph.index(&finished.facts.node)?;
        let plan = Arc::clone(self.machine.plan());
        let node = plan.node(node);
        if let Some(error) = failure(&result).filter(|_| finished.number < node.attempts_max()) {
            let retry_at_ms = self.clock.now_ms() + i64::try_from(node.retry_wait_ms()).unwrap_or(i64::MAX);
            let (run, attempt) = (finished.facts, finished.number);
            self.take_down(ExecutionEvent::NodeRetried { run, attempt, error, retry_at_ms }, batch);
            return (node.retry_wait_ms() > 0).then_some(Pause::Retry(retry_at_ms));
        }
        let duration_us = u64::try_from(finished.duration.as_micros()).unwrap_or(u64::MAX);
        let (run, started_at_ms, pinned) = (finished.facts, finished.started_at_ms, finished.is_pinned);
        let mut notes = Vec::new();
        let event = match result {
            Ok(Given { outputs, memory, hints, response, saved }) => {
                notes = told(&run.node, response, saved, self.clock.now_ms());
                let memory = memory.map(SharedObject::from);
                ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned }
            }
            Err(error) => {
                let outputs = attempt.continued(&error);
                ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error: error.to_json(), outputs }
            }
        };
        // An attempt reads the run data: held any longer, it would make the next line copy them.
        drop(attempt);
        self.take_down(event, batch);
        notes.into_iter().for_each(|event| self.take_down(event, batch));
        None
    }

    fn take_down(&mut self, event: ExecutionEvent, batch: &mut Batch) {
        self.machine.apply(&event);
        batch.push(event);
    }
}

fn switched_off(node_type: &str) -> NodeError {
    NodeError::operation(format!("nodes of the type '{node_type}' are switched off for this tenant"))
        .described("Ask whoever runs this installation, or use another node.")
}

/// Where a node that waits is.
enum Waited {
    /// It gives something, or failed.
    Over(Box<Result<Given, NodeError>>),
    /// It waits, at the longest until then.
    Until(Option<i64>),
}

impl Waited {
    fn over(result: Result<Given, NodeError>) -> Self {
        Self::Over(Box::new(result))
    }
}

/// What a node told besides its output.
fn told(
    node: &str,
    response: Option<NodeResponse>,
    saved: BTreeMap<String, String>,
    at_ms: i64,
) -> Vec<ExecutionEvent> {
    let mut events = Vec::new();
    if !saved.is_empty() {
        events.push(ExecutionEvent::ExecutionDataSaved { node: node.to_owned(), data: saved });
    }
    if let Some(NodeResponse { response, more }) = response {
        events.push(ExecutionEvent::ExecutionResponded { node: Some(node.to_owned()), response, more, at_ms });
    }
    events
}

struct Finished {
    facts: NodeFacts,
    number: u32,
    started_at_ms: i64,
    duration: Duration,
    is_pinned: bool,
}

/// The failure of an attempt that deserves another one: an error, or a first item that says so.
fn failure(result: &Result<Given, NodeError>) -> Option<Value> {
    match result {
        Err(error) => Some(error.to_json()),
        Ok(given) => {
            let first = given.outputs.first()?.first()?;
            first.json.get("error").map(|error| serde_json::json!({"name": "Error", "message": error}))
        }
    }
}

#[derive(Default)]
struct Batch {
    events: Vec<ExecutionEvent>,
    items: usize,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, event: ExecutionEvent) {
        if let ExecutionEvent::NodeCompleted { outputs, .. }
        | ExecutionEvent::NodeFailed { outputs: Some(outputs), .. } = &event
        {
            self.items += outputs.iter().map(|items| items.len()).sum::<usize>();
            self.bytes += event.text_room();
        }
        self.events.push(event);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS_MAX || self.items >= BATCH_ITEMS_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}
