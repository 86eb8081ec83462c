//! For whom a node asks models, and what it says when there is no answer.

use timeloom_domain::ids::Actor;
use timeloom_domain::inference::port::{Asker, NotAnswered};

use super::{NodeError, NodeRun};

impl NodeRun<'_> {
    /// For whom this run asks models. `number` tells several questions of one run apart; each is the same in every attempt.
    pub fn asker(&self, number: usize) -> Asker {
        Asker {
            workflow: Some(self.caller.workflow_id),
            execution: Some(self.caller.execution_id),
            node: Some(self.node.name.clone()),
            key: Some(format!("{}-{number}", self.idempotency_key)),
            ..Asker::new(self.tenant, Actor::System("engine".to_owned()))
        }
    }
}

impl From<NotAnswered> for NodeError {
    fn from(reason: NotAnswered) -> Self {
        let code = reason.code();
        match &reason {
            NotAnswered::Refused { .. } => Self::operation(reason.to_string()),
            NotAnswered::Held { .. } | NotAnswered::Failed { .. } => Self::api(reason.to_string()),
        }
        .described(format!("The reason in a word: {code}."))
    }
}
