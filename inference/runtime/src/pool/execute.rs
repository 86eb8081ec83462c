//! Computes a batch on an instance, whatever comes: too little memory, inputs that one caller got wrong, a panic.
//!
//! Invariant: every request of the batch ends once. A batch for which there is not memory enough is computed in halves; one
//! that fails is computed once more request by request, so that only whose fault it is gets the error; a panic ends the
//! instance, and all of that run get an error. No run begins for somebody whose deadline passed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use timeloom_domain::inference::Tensor;

use super::ask::{Answer, NotComputed, Timings};
use super::clock::Clock;
use super::desk::{Report, Run};
use super::job::{Batch, Ended, Head};
use super::rows;
use crate::instance::{Inputs, Instance, Ran, RunError, Stop};

/// An instance that fails this often one after the other is looked at: what it was warmed up with it must still compute.
const FAILURES_MAX: u32 = 4;

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Executed {
    pub(super) report: Report,
    pub(super) ended: Vec<Ended>,
}

/// An instance and what the pool knows of it.
pub(super) struct Executor<'pool> {
    pub(super) instance: Box<dyn Instance>,
    pub(super) number: u64,
    pub(super) clock: &'pool dyn Clock,
    /// Whether the model computes several rows at once.
    pub(super) together: bool,
    failures: u32,
    panicked: bool,
}

/// A part of the way of a batch that is not computed yet.
struct Course<'batch> {
    stop: &'batch Stop,
    clock: &'batch dyn Clock,
    rows_max: usize,
    executed: Executed,
}

impl<'pool> Executor<'pool> {
    pub(super) fn new(instance: Box<dyn Instance>, number: u64, clock: &'pool dyn Clock, together: bool) -> Self {
        Self { instance, number, clock, together, failures: 0, panicked: false }
    }

    /// Whether another must be made in its place. What fails time after time may be the fault of who asks, so that is
    /// decided by inputs that are known to be good.
    pub(super) fn is_broken(&mut self, known_good: &[Inputs]) -> bool {
        if !self.panicked && self.failures >= FAILURES_MAX {
            self.failures = 0;
            let works = known_good.iter().take(1).all(|inputs| {
                let (_, _, result) = self.run(std::slice::from_ref(inputs), &Stop::default());
                !matches!(result, Err(RunError::Failed(_)))
            });
            return !works || self.panicked;
        }
        self.panicked
    }

    /// Computes what it is warmed up with, each by itself.
    ///
    /// # Errors
    /// When one of them could not be computed.
    pub(super) fn warm_up(&mut self, inputs: &[Inputs]) -> Result<(), RunError> {
        for inputs in inputs {
            let (_, _, result) = self.run(std::slice::from_ref(inputs), &Stop::default());
            result?;
        }
        Ok(())
    }

    /// Computes `batch`.
    pub(super) fn execute(&mut self, batch: Batch, rows_max: usize, stop: &Stop) -> Executed {
        let mut course = Course { stop, clock: self.clock, rows_max, executed: Executed::default() };
        let mut left = vec![batch];
        while let Some(mut batch) = left.pop() {
            self.sort_out(&mut batch, &mut course);
            if batch.heads.is_empty() {
                continue;
            }
            if self.together && batch.rows() > course.rows_max {
                if batch.heads.len() == 1 {
                    self.run_in_parts(batch, &mut course);
                } else {
                    left.push(batch.cut());
                    left.push(batch);
                }
                continue;
            }
            let (at, took, result) = self.run(&batch.inputs, stop);
            match result {
                Ok(ran) => self.hand_out(batch, ran, at, took, &mut course),
                Err(RunError::OutOfMemory { .. }) if self.together && batch.rows() > 1 => {
                    course.too_large(batch.rows());
                    if batch.heads.len() > 1 {
                        left.push(batch.cut());
                    }
                    left.push(batch);
                }
                Err(RunError::Unfit(_) | RunError::Failed(_)) if batch.heads.len() > 1 && !self.panicked => {
                    left.extend(batch.alone());
                }
                Err(error) => course.fail(batch, at, &not_computed(error)),
            }
        }
        course.executed
    }

    /// Ends those for whom nothing may be computed any more.
    fn sort_out(&self, batch: &mut Batch, course: &mut Course<'_>) {
        let now = self.clock.now();
        let over = if self.panicked {
            Some(NotComputed::Failed("the instance broke down before it".to_owned()))
        } else {
            course.stop.is_stopped().then_some(NotComputed::Cancelled)
        };
        let stays = |head: &Head| over.is_none() && head.until > now;
        if batch.heads.iter().all(stays) {
            return;
        }
        for one in std::mem::take(batch).alone() {
            if one.heads.iter().all(stays) {
                batch.heads.extend(one.heads);
                batch.inputs.extend(one.inputs);
            } else {
                let missed = one.heads.iter().any(|head| head.until <= now);
                let why =
                    if missed { NotComputed::DeadlineMissed } else { over.clone().unwrap_or(NotComputed::Cancelled) };
                course.fail(one, now, &why);
            }
        }
    }

    /// Runs the instance once. A panic in it is an error, and the end of it.
    fn run(&mut self, inputs: &[Inputs], stop: &Stop) -> (Duration, Duration, Result<Ran, RunError>) {
        let began = self.clock.now();
        let instance = &mut self.instance;
        // What the instance left half done is seen by nobody: it is not asked again.
        let ran = catch_unwind(AssertUnwindSafe(|| instance.run(inputs, stop)));
        let took = self.clock.now().saturating_sub(began);
        let result = ran.unwrap_or_else(|_| {
            self.panicked = true;
            Err(RunError::Failed("the instance broke down".to_owned()))
        });
        let result = result.and_then(|ran| match ran.outputs.len() == inputs.len() {
            true => Ok(ran),
            false => {
                let (given, wanted) = (ran.outputs.len(), inputs.len());
                Err(RunError::Failed(format!("the runtime gave {given} answers to {wanted} requests")))
            }
        });
        match &result {
            Ok(_) => self.failures = 0,
            Err(RunError::Failed(_)) => self.failures += 1,
            Err(RunError::Unfit(_) | RunError::OutOfMemory { .. } | RunError::Stopped) => {}
        }
        (began, took, result)
    }

    fn hand_out(&self, batch: Batch, ran: Ran, at: Duration, took: Duration, course: &mut Course<'_>) {
        let (batch_rows, bucket) = (batch.rows(), ran.bucket);
        course.executed.report.runs.push(Run { rows: batch_rows, bucket, compute: took });
        for (head, outputs) in batch.heads.into_iter().zip(ran.outputs) {
            let answer = self.answer(&head, outputs, (at, took), (batch_rows, bucket));
            course.end(head, at, Ok(answer));
        }
    }

    fn answer(&self, head: &Head, outputs: Vec<Tensor>, time: (Duration, Duration), rows: (usize, usize)) -> Answer {
        Answer {
            outputs,
            timings: Timings { queue: time.0.saturating_sub(head.since), compute: time.1 },
            batch_rows: rows.0,
            bucket: rows.1,
            provider: self.instance.facts().provider,
            instance: self.number,
        }
    }

    /// Computes a single request that has more rows than memory allows now, part by part.
    fn run_in_parts(&mut self, batch: Batch, course: &mut Course<'_>) {
        let (Some(head), Some(inputs)) = (batch.heads.into_iter().next(), batch.inputs.into_iter().next()) else {
            return;
        };
        let (began, mut from, mut bucket) = (self.clock.now(), 0, 0);
        let (mut parts, mut compute) = (Vec::new(), Duration::ZERO);
        while from < inputs.rows {
            let range = from..inputs.rows.min(from + course.rows_max);
            let (took, result) = self.run_part(&inputs, &range, &head, course);
            match result {
                Ok(ran) => {
                    course.executed.report.runs.push(Run { rows: range.len(), bucket: ran.bucket, compute: took });
                    bucket += ran.bucket;
                    compute += took;
                    parts.extend(ran.outputs);
                    from = range.end;
                }
                Err(RunError::OutOfMemory { .. }) if range.len() > 1 => course.too_large(range.len()),
                Err(error) => {
                    let why = not_computed(error);
                    return course.end(head, began, Err(why));
                }
            }
        }
        let joined =
            rows::join(parts).map(|outputs| self.answer(&head, outputs, (began, compute), (inputs.rows, bucket)));
        let unlike = || NotComputed::Failed("the answers to parts of the request do not fit each other".to_owned());
        course.end(head, began, joined.ok_or_else(unlike));
    }

    fn run_part(
        &mut self,
        inputs: &Inputs,
        range: &Range<usize>,
        head: &Head,
        course: &Course<'_>,
    ) -> (Duration, Result<Ran, RunError>) {
        if course.stop.is_stopped() || head.until <= self.clock.now() {
            return (Duration::ZERO, Err(RunError::Stopped));
        }
        match rows::slice(inputs, range) {
            Some(part) => {
                let (_, took, result) = self.run(&[part], course.stop);
                (took, result)
            }
            None => {
                (Duration::ZERO, Err(RunError::Unfit("its tensors do not have the rows that it tells of".to_owned())))
            }
        }
    }
}

fn not_computed(error: RunError) -> NotComputed {
    match error {
        RunError::Unfit(why) => NotComputed::Unfit(why),
        RunError::OutOfMemory { .. } => NotComputed::OutOfMemory,
        RunError::Stopped => NotComputed::Cancelled,
        RunError::Failed(why) => NotComputed::Failed(why),
    }
}

impl Course<'_> {
    /// There was not memory enough for so many rows.
    fn too_large(&mut self, rows: usize) {
        self.rows_max = self.rows_max.min((rows / 2).max(1));
        self.executed.report.too_large.push(rows);
    }

    fn fail(&mut self, batch: Batch, at: Duration, why: &NotComputed) {
        for head in batch.heads {
            self.end(head, at, Err(why.clone()));
        }
    }

    fn end(&mut self, head: Head, at: Duration, result: Result<Answer, NotComputed>) {
        // A run is told to stop because nobody waits, or because it took longer than the last deadline.
        let ended = match result {
            Err(NotComputed::Cancelled) if head.until <= self.clock.now() => {
                head.end(at, Err(NotComputed::DeadlineMissed))
            }
            result => head.end(at, result),
        };
        self.executed.report.outcomes.push(ended.outcome);
        self.executed.ended.push(ended);
    }
}
