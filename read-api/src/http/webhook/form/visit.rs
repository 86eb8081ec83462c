//! A visit to a form: it is shown, checked when it is sent, and then starts an execution.
//!
//! Invariant: nobody is told that a form has arrived before the execution's first event is durable. The same answers sent
//! twice from the same look at the form are one execution.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_commands::StartExecution;
use timeloom_commands::directory::{Listing, Route, RouteMatch, TriggerNode, WorkflowEntry};
use timeloom_domain::definition::{Graph, WorkflowDefinition};
use timeloom_domain::form::{Ending, FORM_TYPE, Form};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;
use uuid::Uuid;

use super::super::place::{Begun, Looks, Place, test_execution};
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
        let mut looks = Looks::new(self.state)?;
        let prefix = match self.place {
            Place::Production => "/form",
            Place::Test => "/form-test",
        };
        let (path, wish) = (path_behind(self.request, prefix)?, wish(self.request)?);
        let (mut payload, mut came) = (Some(payload), None);
        loop {
            let route = self.route(&*looks.next().await?, &path)?;
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
        }
    }

    fn route(&self, listing: &Listing, path: &str) -> Result<Arc<Route>, Refusal> {
        let state = self.state;
        let routes = match self.place {
            Place::Production => listing.form_routes(),
            Place::Test => listing.test_form_routes(),
        };
        match routes.find(state.tenant(), "GET", path) {
            RouteMatch::Found(route, _) if self.place.is_open(state, route) => Ok(Arc::clone(route)),
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
        let (execution, command_id) = self.ids(route, sent);
        let start = StartExecution {
            items: Some(vec![item]),
            execution_id: Some(execution),
            ..self.place.start(route, "POST")
        };
        match self.place.begin(self.state, command_id, start).await? {
            Begun::Started(outcome) => Ok(Some(outcome.value)),
            Begun::Outdated => Ok(None),
            Begun::Taken => {
                let message = "The draft has taken its one answer already.";
                Err(Refusal::new(StatusCode::NOT_FOUND, message).hint("Listen again: `timeloom workflow listen ID`."))
            }
        }
    }

    /// Ids of the execution and of the command: the same for the same answers from the same look, so that what is sent
    /// twice starts once. A draft that listens takes one answer, whoever sends it.
    fn ids(&self, route: &Route, sent: &Submission) -> (ExecutionId, Uuid) {
        let new = || self.state.commands().ids().uuid();
        if let Some(execution) = test_execution(route) {
            return (execution, new());
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
        let (_, found) = state.commands().last_link(&context, execution).await?;
        let start = found.aggregate.start.as_deref();
        let start = start.ok_or_else(|| Refusal::fault(&"an execution that has begun has no beginning"))?;
        // What runs may be the version that is tried out beside the one whose form it was.
        let definition = workflow.aggregate.definition(start.workflow_version);
        let has_more = definition.is_some_and(|all| has_pages_behind(all, &route.node.name));
        if settings.mode() == AnswerMode::OnReceived && !has_more {
            return Ok(page::ending(state, &ending_of(&route.node), ""));
        }
        let path = format!("{}{}", self.state.callers_path(), start.form_path(execution));
        Ok(lead_on(self.request, &path))
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
