//! The port by which a node runs another workflow.

use std::fmt;

use async_trait::async_trait;
use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_domain::trace::TraceParent;

use super::NodeError;

/// Which attempt at which node run of which execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whose it is.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The execution: the first of its streams.
    pub execution_id: ExecutionId,
    /// Place of the node run in the order of all.
    pub execution_index: usize,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Attempts that the node may take: more than one means that a failure is tried again.
    pub attempts_max: u32,
    /// Why the execution runs.
    pub mode: ExecutionMode,
    /// How many executions are above it.
    pub depth: u32,
    /// The span of the node run.
    pub span: TraceParent,
}

/// A run of another workflow that a node asks for.
#[derive(Debug, Clone)]
pub struct SubWorkflowCall {
    /// Name of the node.
    pub node: String,
    /// Which workflow.
    pub target: CallTarget,
    /// Items for its trigger.
    pub items: Vec<Item>,
    /// Which of the node run's calls this is; 0 is the first. The same call again is the same execution.
    pub number: usize,
    /// Whether the node waits for the end.
    pub waits: bool,
}

/// Which workflow is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallTarget {
    /// One that is there.
    Named {
        /// Our id, the id in its file, or its name.
        reference: String,
        /// Its name, where that is known besides.
        name: Option<String>,
    },
    /// One that the node brings along: a workflow file.
    Inline {
        /// The file.
        source: String,
    },
}

/// Runs other workflows for nodes.
#[async_trait]
pub trait SubWorkflows: Send + Sync + fmt::Debug {
    /// Begins an execution, or finds the one that this call began before, and waits for its end where that is asked for.
    /// The answer is what its last node gave; `None` when nobody waits. Dropping the wait lets the execution go on.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot begin, failed or was cancelled.
    async fn call(&self, caller: &Caller, call: SubWorkflowCall) -> Result<Option<Vec<Item>>, NodeError>;

    /// Cancels the execution for whose end the caller waits, where there is one.
    async fn abandon(&self, caller: &Caller);
}

/// For places where no other workflow can be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSubWorkflows;

#[async_trait]
impl SubWorkflows for NoSubWorkflows {
    async fn call(&self, _caller: &Caller, _call: SubWorkflowCall) -> Result<Option<Vec<Item>>, NodeError> {
        Err(NodeError::operation("other workflows cannot be run here").described("run the workflow on a server"))
    }

    async fn abandon(&self, _caller: &Caller) {}
}
