//! Commands on the test cases of workflows.

use timeloom_domain::access::Permission;
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::test_case::{TestCase, TestCaseEvent, TestCases, TestCasesCommand, TestCasesRefusal};
use timeloom_domain::workflow::WorkflowRefusal;
use timeloom_store::StreamKey;
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

impl From<TestCasesRefusal> for Refusal {
    fn from(refusal: TestCasesRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl Commands {
    /// Whether a test case would be added to a workflow, before its capsule is stored.
    ///
    /// # Errors
    /// As [`Self::add_test_case`].
    pub async fn check_test_case(
        &self,
        context: &CommandContext,
        workflow_id: WorkflowId,
        case: &TestCase,
    ) -> Result<(), CommandError> {
        context.require(Permission::WorkflowWrite)?;
        if self.current_workflow(context, workflow_id).await?.aggregate.draft.is_none() {
            return Err(Refusal::from(WorkflowRefusal::NotFound).into());
        }
        let command = TestCasesCommand::Add { case: Box::new(case.clone()), by: context.actor.clone(), at_ms: 0 };
        let decided = self.test_cases(context, workflow_id).await?.decide(&command);
        decided.map(drop).map_err(|refusal| Refusal::from(refusal).into())
    }

    /// Adds a test case to a workflow. Its capsule was proved, and is durable. Its id is the answer, or that of the case which
    /// has this name and capsule already.
    ///
    /// # Errors
    /// A refusal when there is no such workflow, or the case cannot be kept; or a conflict or fault.
    pub async fn add_test_case(
        &self,
        context: &CommandContext,
        workflow_id: WorkflowId,
        case: TestCase,
    ) -> Result<Outcome<Uuid>, CommandError> {
        self.check_test_case(context, workflow_id, &case).await?;
        let (id, capsule, at_ms) = (case.id, case.capsule.clone(), self.clock().now_ms());
        let command = TestCasesCommand::Add { case: Box::new(case), by: context.actor.clone(), at_ms };
        let stream = self.test_cases_of(context, workflow_id);
        let added = self.execute::<TestCases>(context, stream, command, Base::Current).await?;
        let kept = self.test_cases(context, workflow_id).await?.cases;
        let same = kept.iter().find(|kept| kept.case.capsule == capsule);
        Ok(added.with(same.map_or(id, |kept| kept.case.id)))
    }

    /// Removes a test case of a workflow. Its capsule stays with the events that name it.
    ///
    /// # Errors
    /// A refusal when there is no such case; or a conflict or fault.
    pub async fn remove_test_case(
        &self,
        context: &CommandContext,
        workflow_id: WorkflowId,
        id: Uuid,
    ) -> Result<Outcome<Uuid>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let command = TestCasesCommand::Remove { id, by: context.actor.clone(), at_ms: self.clock().now_ms() };
        let stream = self.test_cases_of(context, workflow_id);
        Ok(self.execute::<TestCases>(context, stream, command, Base::Current).await?.with(id))
    }

    /// The test cases of a workflow; none where it has none.
    ///
    /// # Errors
    /// [`CommandError::Fault`] when the log fails.
    pub async fn test_cases(
        &self,
        context: &CommandContext,
        workflow_id: WorkflowId,
    ) -> Result<TestCases, CommandError> {
        let loaded = self.load::<TestCases>(&self.test_cases_of(context, workflow_id)).await?;
        Ok(loaded.aggregate.clone())
    }

    fn test_cases_of(&self, context: &CommandContext, workflow_id: WorkflowId) -> StreamKey {
        self.stream::<TestCaseEvent>(context, workflow_id)
    }
}
