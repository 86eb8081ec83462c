//! For whom a node asks models, and what it says when there is no answer.

use timeloom_domain::ids::Actor;
use timeloom_domain::inference::port::{Asker, NotAnswered};

use super::{NodeError, NodeRun};

impl NodeRun<'_> {
    /// The questions of this run, of which none was asked yet.
    pub fn questions(&self) -> Questions {
        Questions { asker: self.asker(0), run_key: self.idempotency_key.to_owned(), asked: 0 }
    }

    /// For whom this run asks models. `number` tells several questions of one run apart; each is the same in every attempt.
    pub fn asker(&self, number: usize) -> Asker {
        Asker {
            workflow: Some(self.caller.workflow_id),
            execution: Some(self.caller.execution_id),
            node: Some(self.node.name.clone()),
            key: Some(question_key(self.idempotency_key, number)),
            ..Asker::new(self.tenant, Actor::System("engine".to_owned()))
        }
    }
}

/// The questions of one node run, told apart by their numbers.
#[derive(Debug, Clone)]
pub struct Questions {
    asker: Asker,
    run_key: String,
    asked: usize,
}

impl Questions {
    /// For whom they are asked.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// For whom the next one is asked.
    pub fn next_asker(&mut self) -> &Asker {
        self.asker.key = Some(question_key(&self.run_key, self.asked));
        self.asked += 1;
        &self.asker
    }
}

fn question_key(run_key: &str, number: usize) -> String {
    format!("{run_key}-{number}")
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
