//! Commands on evaluations.

use timeloom_domain::access::Permission;
use timeloom_domain::agent::{Agent, AgentEvent, AgentRefusal};
use timeloom_domain::evaluation::{
    Evaluation, EvaluationCases, EvaluationCommand, EvaluationEvent, EvaluationReport, EvaluationRequest,
    EvaluationSubject, NamedScorer, Scorer,
};
use timeloom_domain::evaluation_set::{EvaluationSet, EvaluationSetEvent};
use timeloom_domain::gateway::{GATEWAY_STREAM, GatewayConfiguration, GatewayEvent, ROUTE_NAME_CHARACTERS_MAX};
use timeloom_domain::ids::{Slug, WorkflowId};
use timeloom_domain::model::ModelRefusal;
use timeloom_domain::workflow::WorkflowRefusal;
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// An evaluation to ask for.
#[derive(Debug, Clone)]
pub struct StartEvaluation {
    /// What is tried.
    pub subject: EvaluationSubject,
    /// What it is tried on.
    pub cases: EvaluationCases,
    /// How far numbers may be apart and still be near, in millionths.
    pub tolerance: u64,
    /// How outputs are judged.
    pub scorers: Vec<NamedScorer>,
}

impl Commands {
    /// Asks for an evaluation; a worker does it. Its id is the answer.
    ///
    /// # Errors
    /// A refusal when what is to be tried is not there or there are no cases; or a conflict or fault.
    pub async fn start_evaluation(
        &self,
        context: &CommandContext,
        start: StartEvaluation,
    ) -> Result<Outcome<Uuid>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let StartEvaluation { subject, cases, tolerance, scorers } = start;
        self.check_subject(context, &subject).await?;
        if let EvaluationCases::Set { set, version } = &cases {
            let stream = self.stream::<EvaluationSetEvent>(context, set.as_str());
            self.load::<EvaluationSet>(&stream).await?.aggregate.version(*version).map_err(Refusal::from)?;
        }
        for scorer in &scorers {
            match &scorer.scorer {
                Scorer::Workflow { workflow, version } => self.check_workflow(context, *workflow, *version).await?,
                Scorer::Judge { route, .. } => self.check_route(context, route).await?,
                _ => {}
            }
        }
        let request = EvaluationRequest { subject, cases, tolerance, scorers, at_ms: self.clock().now_ms() };
        let id = context.command_id.0;
        let stream = self.stream::<EvaluationEvent>(context, id);
        let command = EvaluationCommand::Request(Box::new(request));
        Ok(self.execute::<Evaluation>(context, stream, command, Base::New).await?.with(id))
    }

    /// Takes down what came of an evaluation, or why it cannot be carried out. The first word stands.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn end_evaluation(
        &self,
        context: &CommandContext,
        id: Uuid,
        result: Result<EvaluationReport, String>,
    ) -> Result<Outcome<Uuid>, CommandError> {
        let at_ms = self.clock().now_ms();
        let command = match result {
            Ok(report) => EvaluationCommand::Complete { report: Box::new(report), at_ms },
            Err(reason) => EvaluationCommand::Fail { reason, at_ms },
        };
        let stream = self.stream::<EvaluationEvent>(context, id);
        Ok(self.execute::<Evaluation>(context, stream, command, Base::Current).await?.with(id))
    }

    async fn check_subject(&self, context: &CommandContext, subject: &EvaluationSubject) -> Result<(), CommandError> {
        match subject {
            EvaluationSubject::ModelVersion { model, version } => self.check_model(context, model, *version).await,
            EvaluationSubject::WorkflowVersion { workflow, version } => {
                self.check_workflow(context, *workflow, *version).await
            }
            EvaluationSubject::AgentVersion { agent, version } => self.check_agent(context, agent, *version).await,
        }
    }

    async fn check_workflow(&self, context: &CommandContext, id: WorkflowId, version: u32) -> Result<(), CommandError> {
        let workflow = self.current_workflow(context, id).await?;
        let refusal = match &workflow.aggregate {
            workflow if workflow.draft.is_none() => WorkflowRefusal::NotFound,
            workflow if workflow.archived => WorkflowRefusal::Archived,
            workflow if workflow.definition(Some(version)).is_none() => WorkflowRefusal::UnknownVersion(version),
            _ => return Ok(()),
        };
        Err(Refusal::from(refusal).into())
    }

    /// A judge is asked by a route that is set up, or by a language model of this machine, which is a route by its name.
    async fn check_route(&self, context: &CommandContext, route: &str) -> Result<(), CommandError> {
        let stream = self.stream::<GatewayEvent>(context, GATEWAY_STREAM);
        let is_set_up = self.load::<GatewayConfiguration>(&stream).await?.aggregate.routes.contains_key(route);
        let is_model = match Slug::try_new(route) {
            Ok(name) => self.models().caught_up().await?.model(context.tenant, &name).is_some(),
            Err(_) => false,
        };
        if is_set_up || is_model {
            return Ok(());
        }
        let route: String = route.chars().take(ROUTE_NAME_CHARACTERS_MAX).collect();
        let message = format!("the gateway has no route '{route}' by which a judge could be asked: set it up first");
        Err(Refusal::new("ROUTE_NOT_FOUND", message).into())
    }

    async fn check_agent(&self, context: &CommandContext, name: &Slug, version: u32) -> Result<(), CommandError> {
        let agent = self.load::<Agent>(&self.stream::<AgentEvent>(context, name.as_str())).await?;
        let refusal = match &agent.aggregate {
            agent if agent.name.is_none() => AgentRefusal::NotFound,
            agent if agent.retired => AgentRefusal::Retired,
            agent if !agent.versions.iter().any(|known| known.version == version) => {
                AgentRefusal::UnknownVersion(version)
            }
            _ => return Ok(()),
        };
        Err(Refusal::from(refusal).into())
    }

    async fn check_model(&self, context: &CommandContext, name: &Slug, version: u32) -> Result<(), CommandError> {
        let models = self.models().caught_up().await?;
        let refusal = match models.model(context.tenant, name).map(|model| model.version(version)) {
            None => ModelRefusal::NoModel(name.clone()),
            Some(None) => ModelRefusal::UnknownVersion(version),
            Some(Some(known)) if known.withdrawn.is_some() => ModelRefusal::Withdrawn(version),
            Some(Some(_)) => return Ok(()),
        };
        Err(Refusal::from(refusal).into())
    }
}
