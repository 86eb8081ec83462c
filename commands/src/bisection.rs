//! Commands on searches for the change that made a run bad. Whoever searches tells; nothing is tried here.

use timeloom_domain::access::Permission;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::replay::{
    BISECTION_REASON_CHARACTERS_MAX, BisectionCommand, BisectionOutcome, BisectionOver, BisectionRequest,
    BisectionStep, BisectionVerdict, ReplayCheck, ReplayCheckCommand, ReplayCheckEvent,
};
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome};

/// A search to begin.
#[derive(Debug, Clone)]
pub struct BeginBisection {
    /// The workflow that both executions ran.
    pub workflow_id: WorkflowId,
    /// The execution that did what it should.
    pub good: ExecutionId,
    /// The later one that did not.
    pub bad: ExecutionId,
    /// Which changes are searched through.
    pub over: BisectionOver,
    /// What is bad, as an expression that is true of it; `None`: that the same comes of it.
    pub check: Option<String>,
    /// How far answers of models may be apart, in millionths of the larger number or of 1.
    pub tolerance: Option<u64>,
    /// How many changes there are.
    pub candidates: u32,
    /// SHA-256 over the positions of the changes, hexadecimal.
    pub digest: String,
}

/// What came of one try.
#[derive(Debug, Clone)]
pub struct TriedPoint {
    /// After how many of the changes.
    pub point: u32,
    /// How it is there.
    pub verdict: BisectionVerdict,
    /// Why that cannot be told; what is too long of it is left out.
    pub reason: Option<String>,
}

impl Commands {
    /// Takes down that a search was begun. Its id is the answer.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn begin_bisection(
        &self,
        context: &CommandContext,
        begin: BeginBisection,
    ) -> Result<Outcome<Uuid>, CommandError> {
        let BeginBisection { workflow_id, good, bad, over, check, tolerance, candidates, digest } = begin;
        let at_ms = self.clock().now_ms();
        let request = BisectionRequest { workflow_id, good, bad, over, check, tolerance, candidates, digest, at_ms };
        let command = BisectionCommand::Begin(Box::new(request));
        self.change_bisection(context, context.command_id.0, command, Base::New).await
    }

    /// Takes down what came of a try.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn take_bisection_step(
        &self,
        context: &CommandContext,
        id: Uuid,
        tried: TriedPoint,
    ) -> Result<Outcome<Uuid>, CommandError> {
        let TriedPoint { point, verdict, reason } = tried;
        let reason = reason.map(|reason| reason.chars().take(BISECTION_REASON_CHARACTERS_MAX).collect());
        let step = BisectionStep { point, verdict, reason, at_ms: self.clock().now_ms() };
        self.change_bisection(context, id, BisectionCommand::TakeStep(step), Base::Current).await
    }

    /// Takes down what a search came to, or that nobody goes on with it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn end_bisection(
        &self,
        context: &CommandContext,
        id: Uuid,
        outcome: BisectionOutcome,
    ) -> Result<Outcome<Uuid>, CommandError> {
        let command = BisectionCommand::End { outcome, at_ms: self.clock().now_ms() };
        self.change_bisection(context, id, command, Base::Current).await
    }

    async fn change_bisection(
        &self,
        context: &CommandContext,
        id: Uuid,
        command: BisectionCommand,
        base: Base<ReplayCheck>,
    ) -> Result<Outcome<Uuid>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let stream = self.stream::<ReplayCheckEvent>(context, id);
        let command = ReplayCheckCommand::Bisection(command);
        Ok(self.execute::<ReplayCheck>(context, stream, command, base).await?.with(id))
    }
}
