//! Whether a version of a workflow can take calls and schedules: what is wrong is told before it is active, not by the
//! first call.
//!
//! Two activations at the same moment may pass both; which of them then has an address is decided by
//! [`crate::directory::Routes`], the same in every process.

use timeloom_domain::catalogue::{NodeCatalogue, NodeRole};
use timeloom_domain::chat_trigger::response_mode;
use timeloom_domain::definition::{Node, Problem, WorkflowDefinition, helper_problems};
use timeloom_domain::form::FORM_TYPE;
use timeloom_domain::ids::{TenantId, WorkflowId};

use crate::Refusal;
use crate::directory::{Listing, Routes, TriggerKind, WebhookAddress, WorkflowFacts};

/// The node type that answers for a webhook.
const RESPOND_TYPE: &str = "n8n-nodes-base.respondToWebhook";

/// A version that is to take calls and schedules, and what it would stand beside.
pub(crate) struct Activation<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) workflow_id: WorkflowId,
    pub(crate) definition: &'a WorkflowDefinition,
    pub(crate) catalogue: &'a NodeCatalogue,
    pub(crate) listing: &'a Listing,
}

impl Activation<'_> {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// A refusal that lists every problem with its node.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let mut problems = self.place_problems();
        if !self.has_trigger() {
            let message = "nothing starts this workflow: add a trigger, such as a Webhook or a Schedule Trigger";
            problems.push(Problem { node: None, field: "nodes".to_owned(), message: message.to_owned() });
        }
        let enabled = self.definition.nodes.iter().filter(|node| !node.disabled);
        problems.extend(enabled.flat_map(|node| self.catalogue.problems(node)));
        problems.extend(helper_problems(self.definition, self.catalogue));
        if problems.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let message = format!("the workflow cannot be active: {}", told.join("; "));
        Err(Refusal { code: "WORKFLOW_CANNOT_BE_ACTIVE", message, problems })
    }

    /// What keeps its webhooks and forms from being reached where they are to be.
    pub(crate) fn place_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_webhooks(TriggerKind::Webhook, self.listing.routes(), &mut problems);
        self.check_webhooks(TriggerKind::Form, self.listing.form_routes(), &mut problems);
        self.check_pages(&mut problems);
        problems
    }

    fn has_trigger(&self) -> bool {
        let mut enabled = self.definition.nodes.iter().filter(|node| !node.disabled);
        enabled.any(|node| self.catalogue.role(node) == NodeRole::Trigger)
    }

    /// A further page of a form is shown to whoever sent the first.
    fn check_pages(&self, problems: &mut Vec<Problem>) {
        let enabled = |node: &&Node| !node.disabled;
        let nodes = || self.definition.nodes.iter().filter(enabled);
        if nodes().any(|node| TriggerKind::of(&node.node_type) == Some(TriggerKind::Form)) {
            return;
        }
        for node in nodes().filter(|node| node.node_type == FORM_TYPE) {
            let message = "it shows a further page of a form and no form starts this workflow: add a Form Trigger, or use \
                           a Wait node that resumes on a form";
            problems.push(Problem {
                node: Some(node.name.clone()),
                field: "type".to_owned(),
                message: message.to_owned(),
            });
        }
    }

    fn check_webhooks(&self, kind: TriggerKind, routes: &Routes, problems: &mut Vec<Problem>) {
        let facts = WorkflowFacts::of(self.definition);
        let mut own: Vec<(&str, WebhookAddress)> = Vec::new();
        for node in facts.of_kind(kind) {
            let mut tell = |field: &str, message: String| {
                problems.push(Problem { node: Some(node.name.clone()), field: field.to_owned(), message });
            };
            if response_mode(&node.node_type, &node.parameters) == Some("responseNode")
                && !self.definition.nodes.iter().any(|node| node.node_type == RESPOND_TYPE && !node.disabled)
            {
                let message = "a Respond to Webhook node is to answer and there is none: add one, or answer otherwise";
                let field = if node.is_chat() { "parameters.options.responseMode" } else { "parameters.responseMode" };
                tell(field, message.to_owned());
            }
            let address = match WebhookAddress::of(node) {
                Ok(address) => address,
                Err(message) => {
                    tell(node.address_field(), message);
                    continue;
                }
            };
            if let Some((other, method)) = own.iter().find_map(|(name, known)| Some((name, known.shared(&address)?))) {
                tell(node.address_field(), format!("node '{other}' listens at {method} {} too", address.path));
            }
            if let Some((route, method)) = routes.holder(self.tenant, self.workflow_id, &address) {
                let (name, id) = (&route.workflow.draft.name, route.workflow.id);
                let message = format!(
                    "the active workflow '{name}' ({id}) listens at {method} {} already: change the path, or deactivate that one",
                    address.path
                );
                tell(node.address_field(), message);
            }
            own.push((&node.name, address));
        }
    }
}

/// Whether a call at a draft's test address, or a message that it listens for, can start with a node.
pub(crate) fn listens(node: &Node) -> bool {
    matches!(TriggerKind::of(&node.node_type), Some(TriggerKind::Webhook | TriggerKind::Form | TriggerKind::Message))
}

/// Refuses to listen for a call to a draft that has no webhook, form or chat, and no trigger that listens for messages.
///
/// # Errors
/// A refusal that says what to add.
pub(crate) fn check_listening(draft: &WorkflowDefinition) -> Result<(), Refusal> {
    let facts = WorkflowFacts::of(draft);
    let webhooks = facts.of_kind(TriggerKind::Webhook);
    let mut webhooks = webhooks.chain(facts.of_kind(TriggerKind::Form)).peekable();
    if webhooks.peek().is_none() && facts.of_kind(TriggerKind::Message).next().is_none() {
        let message = "the draft has no enabled node that takes calls or listens for messages, such as a Webhook: add one, or run the \
             workflow by hand";
        return Err(Refusal::new("NO_WEBHOOK", message));
    }
    for node in webhooks {
        if let Err(message) = WebhookAddress::of(node) {
            let field = node.address_field().to_owned();
            let problem = Problem { node: Some(node.name.clone()), field, message };
            let message = format!("the draft cannot listen: {problem}");
            return Err(Refusal { code: "WORKFLOW_CANNOT_LISTEN", message, problems: vec![problem] });
        }
    }
    Ok(())
}
