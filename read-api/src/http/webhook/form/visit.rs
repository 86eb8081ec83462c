//! A visit to a form: it is shown, checked when it is sent, and then starts an execution.
//!
//! Invariant: nobody is told that a form has arrived before the execution's first event is durable. The same answers sent
//! twice from the same look at the form are one execution.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_commands::directory::{Listing, Route, RouteMatch, TriggerNode, WorkflowEntry};
use timeloom_commands::{CommandError, StartExecution, WORKFLOW_NOT_ACTIVE};
use timeloom_domain::definition::{Graph, WorkflowDefinition};
use timeloom_domain::execution::{ExecutionMode, TriggerFacts};
use timeloom_domain::form::{Ending, FORM_TYPE, Form};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;
use uuid::Uuid;

use super::super::refusal::Refusal;
use super::super::request::path_behind;
use super::super::settings::{AnswerMode, Settings};
use super::super::{auth, body};
use super::check::{Faults, check};
use super::page::{self, Shown};
use super::submission::{SUBMISSION, Submission};
use super::waiting::{self, Sent, item};
use super::{Wish, check_origin, wish};
use crate::state::ApiState;

/// How often it is looked again which version is active.
const LOOKS_MAX: usize = 5;
/// How long is waited between two looks for the news to arrive.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Which forms a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Those of active versions.
    Production,
    /// Those of drafts that listen.
    Test,
}

impl Place {
    fn prefix(self) -> &'static str {
        match self {
            Self::Production => "/form",
            Self::Test => "/form-test",
        }
    }
}

/// One request.
pub(super) struct Visit<'a> {
    pub(super) state: &'a ApiState,
    pub(super) request: &'a HttpRequest,
    pub(super) place: Place,
}

impl Visit<'_> {
    /// Takes the request.
    pub(super) async fn take(&self, payload: Payload) -> HttpResponse {
        self.taken(payload).await.unwrap_or_else(|refusal| page::refusal(self.state, &refusal))
    }

    async fn taken(&self, payload: Payload) -> Result<HttpResponse, Refusal> {
        let directory = self.state.commands().directory();
        if self.state.closing().is_cancelled() || !directory.is_caught_up() {
            return Err(Refusal::not_ready("the server starts or stops: try again", None));
        }
        let (path, wish) = (path_behind(self.request, self.place.prefix())?, wish(self.request)?);
        let (mut payload, mut came) = (Some(payload), None);
        for _ in 0..LOOKS_MAX {
            let listing = directory.now();
            let route = self.route(&listing, &path)?;
            let settings = Settings::of_webhook(&route.node);
            let caller = auth::caller_address(self.request, self.state.webhooks().proxy_hops);
            auth::check(self.request, &settings, caller, self.state).await?;
            let form = read(&route.node)?;
            if matches!(wish, Wish::Look) {
                let filled = Submission::at_first(&form, self.request.query_string());
                return Ok(self.shown(&form, &filled, &Faults::new()));
            }
            check_origin(self.request, &settings, self.state)?;
            if let Some(payload) = payload.take() {
                let bytes_max = self.state.webhooks().body_bytes_max;
                came = Some(body::read(self.request.headers(), payload, bytes_max).await?);
            }
            let body: Bytes = came.clone().unwrap_or_default();
            let sent = Submission::read(self.request.headers(), body).await?;
            match check(&form, &sent) {
                Err(faults) => return Ok(self.shown(&form, &sent, &faults)),
                Ok(filled) => {
                    let about = Sent { query: self.request.query_string(), is_test: self.place == Place::Test };
                    let zone = zone(route.version, &route.node, &route.workflow, self.state);
                    let item = item(self.state, filled, &about, zone).await?;
                    if let Some(execution) = self.start(&route, &sent, item).await? {
                        return self.arrived(&route, &settings, execution).await;
                    }
                }
            }
            let mut changes = directory.changes();
            let changed = changes.wait_for(|now| !Arc::ptr_eq(now, &listing));
            // Without news it is looked again all the same.
            let _ = tokio::time::timeout(LOOK_AGAIN_AFTER, changed).await;
        }
        Err(Refusal::not_ready("the workflow is being published or deactivated: try again", None))
    }

    fn route(&self, listing: &Listing, path: &str) -> Result<Arc<Route>, Refusal> {
        let state = self.state;
        let routes = match self.place {
            Place::Production => listing.form_routes(),
            Place::Test => listing.test_form_routes(),
        };
        let now_ms = state.commands().clock().now_ms();
        let is_open = |route: &Route| {
            self.place == Place::Production || route.listening.is_some_and(|listening| now_ms < listening.until_ms)
        };
        match routes.find(state.tenant(), "GET", path) {
            RouteMatch::Found(route, _) if is_open(route) => Ok(Arc::clone(route)),
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "There is no form at this address.").hint(match self.place {
                Place::Production => "Its workflow must be published and active: `timeloom workflow activate ID`.",
                Place::Test => "A draft takes one answer after `timeloom workflow listen ID`, within two minutes.",
            })),
        }
    }

    fn shown(&self, form: &Form, filled: &Submission, faults: &Faults) -> HttpResponse {
        let is_test = self.place == Place::Test;
        page::form(self.state, &Shown { form, filled, faults, token: page::look(self.state), is_test })
    }

    /// Starts the execution; `None` when the version is not active any more.
    async fn start(&self, route: &Route, sent: &Submission, item: Item) -> Result<Option<ExecutionId>, Refusal> {
        let state = self.state;
        let is_test = self.place == Place::Test;
        let trigger = TriggerFacts::Webhook { method: "POST".to_owned(), path: route.address.path.clone(), is_test };
        let (execution, command_id) = self.ids(route, sent);
        let start = StartExecution {
            mode: if is_test { ExecutionMode::Manual } else { ExecutionMode::Production },
            version: route.version,
            start_node: Some(route.node.name.clone()),
            items: Some(vec![item]),
            execution_id: Some(execution),
            ..StartExecution::by_trigger(route.workflow.id, trigger)
        };
        match state.commands().start_execution(&state.context(Some(command_id)), start).await {
            Err(CommandError::Refused(refusal)) if refusal.code == WORKFLOW_NOT_ACTIVE => Ok(None),
            Err(CommandError::Refused(refusal)) if is_test && refusal.code == "EXECUTION_EXISTS" => {
                let message = "The draft has taken its one answer already.";
                Err(Refusal::new(StatusCode::NOT_FOUND, message).hint("Listen again: `timeloom workflow listen ID`."))
            }
            other => Ok(Some(other?.value)),
        }
    }

    /// Ids of the execution and of the command: the same for the same answers from the same look, so that what is sent
    /// twice starts once. A draft that listens takes one answer, whoever sends it.
    fn ids(&self, route: &Route, sent: &Submission) -> (ExecutionId, Uuid) {
        let new = || self.state.commands().ids().uuid();
        if let Some(listening) = route.listening {
            return (ExecutionId(Uuid::new_v5(&listening.event.0, b"test call")), new());
        }
        let Some(look) = sent.own(SUBMISSION).filter(|look| !look.is_empty()) else {
            let id = new();
            return (ExecutionId(id), id);
        };
        let named = [b"form\0", route.node.name.as_bytes(), b"\0", &sent.digest(look)[..]].concat();
        let id = Uuid::new_v5(&route.workflow.id.0, &named);
        (ExecutionId(id), id)
    }

    /// What a person sees whose form has arrived: the end, or the way to what comes next.
    async fn arrived(
        &self,
        route: &Route,
        settings: &Settings,
        execution: ExecutionId,
    ) -> Result<HttpResponse, Refusal> {
        let (state, context) = (self.state, self.state.context(None));
        let workflow = state.commands().current_workflow(&context, route.workflow.id).await?;
        let has_more =
            workflow.aggregate.definition(route.version).is_some_and(|all| has_pages_behind(all, &route.node.name));
        if settings.mode() == AnswerMode::OnReceived && !has_more {
            return Ok(page::ending(state, &ending_of(&route.node), ""));
        }
        let (_, found) = state.commands().last_link(&context, execution).await?;
        let start = found.aggregate.start.as_deref();
        let start = start.ok_or_else(|| Refusal::fault(&"an execution that has begun has no beginning"))?;
        Ok(lead_on(self.request, &start.form_path(execution)))
    }
}

/// The form of a trigger.
///
/// # Errors
/// A refusal when it cannot be shown: its workflow was active before that was looked at.
fn read(node: &TriggerNode) -> Result<Form, Refusal> {
    Form::read(&node.parameters).map_err(|error| {
        let message = "The form cannot be shown as it is written down.";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).hint(error.to_string())
    })
}

/// What a node's options say about the end, as they are written.
pub(super) fn ending_of(node: &TriggerNode) -> Ending {
    let options = node.parameters.get("options").unwrap_or(&Value::Null);
    Ending::read(options).unwrap_or_default()
}

/// Whether a Form node can follow on a node.
pub(super) fn has_pages_behind(definition: &WorkflowDefinition, node: &str) -> bool {
    let graph = Graph::new(definition);
    let Some(node) = graph.index(node) else { return false };
    let pages = definition.nodes.iter().enumerate().filter(|(_, node)| node.node_type == FORM_TYPE && !node.disabled);
    pages.into_iter().any(|(page, _)| graph.ancestors(page).contains(&node))
}

/// Leads a browser to another path of this server, whatever stands before that in the address under which it is known here.
pub(super) fn lead_on(request: &HttpRequest, path: &str) -> HttpResponse {
    let depth = request.uri().path().matches('/').count().saturating_sub(1);
    let location = format!("{}{}", "../".repeat(depth), path.trim_start_matches('/'));
    let location = if depth == 0 { format!("./{location}") } else { location };
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// The zone in which the time of sending is written; `None` for UTC.
fn zone(version: Option<u32>, node: &TriggerNode, workflow: &WorkflowEntry, state: &ApiState) -> Option<Tz> {
    let facts = version.and_then(|version| workflow.version(version)).unwrap_or(&workflow.draft);
    waiting::zone(node, facts.settings.timezone.as_deref(), state)
}
