//! The requests that the guest understands, as JSON. `guest/src/main.js` reads them.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;
use timeloom_domain::item::JsonObject;
use timeloom_expressions::port::{CodeMode, Job};
use timeloom_expressions::scope::{ExecutionInfo, NodeInfo, PreviousNode, Scope, WorkflowInfo};

/// One call into the guest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// Seed of `Math.random`, in the first call of an instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The scope; absent when the guest already has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'a RawValue>,
    /// Changes when the items do.
    pub generation: u64,
    /// How many items there are.
    pub item_count: usize,
    /// Longest answer, in bytes.
    pub output_max: usize,
    /// What to do.
    #[serde(flatten)]
    pub task: Task<'a>,
}

/// What to do.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Task<'a> {
    /// Evaluate expressions.
    Evaluate {
        /// Distinct templates.
        templates: Vec<&'a str>,
        /// Index of the template, index of the item.
        jobs: Vec<(usize, usize)>,
        /// Whether special values are tagged at any depth.
        tagged: bool,
    },
    /// Run a Code node's script.
    Code {
        /// How it is called.
        mode: CodeMode,
        /// Its text.
        code: &'a str,
    },
}

impl<'a> Task<'a> {
    /// Evaluates `jobs`; most of them share a template, which is sent once.
    pub fn evaluate(jobs: &[Job<'a>], tagged: bool) -> Self {
        let mut templates = Vec::new();
        let mut known = HashMap::new();
        let mut numbered = Vec::with_capacity(jobs.len());
        for job in jobs {
            let index = *known.entry(job.template).or_insert_with(|| {
                templates.push(job.template);
                templates.len() - 1
            });
            numbered.push((index, job.item_index));
        }
        Self::Evaluate { templates, jobs: numbered, tagged }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeText<'a> {
    run_index: usize,
    now_ms: i64,
    timezone: &'a str,
    input_count: usize,
    node: &'a NodeInfo,
    previous: Option<&'a PreviousNode>,
    workflow: &'a WorkflowInfo,
    execution: &'a ExecutionInfo,
    vars: &'a JsonObject,
    env: &'a JsonObject,
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    additional: &'a JsonObject,
}

/// The scope without its items, which the guest asks for when it needs them.
pub fn scope_text(scope: &Scope) -> serde_json::Result<String> {
    serde_json::to_string(&ScopeText {
        run_index: scope.run_index,
        now_ms: scope.now_ms,
        timezone: scope.timezone.name(),
        input_count: scope.inputs.len(),
        node: &scope.node,
        previous: scope.previous.as_ref(),
        workflow: &scope.workflow,
        execution: &scope.execution,
        vars: &scope.vars,
        env: &scope.env,
        additional: &scope.additional,
    })
}
