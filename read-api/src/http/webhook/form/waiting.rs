//! The pages of an execution under way: the form for which it waits, the word that it is still busy, and its end.
//!
//! The address stays the same from page to page. What is shown follows from the execution's own events, so that it is the
//! same after a restart and in every process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use timeloom_commands::directory::TriggerNode;
use timeloom_commands::{CommandError, ControlExecution, ExecutionControl, StreamState};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{
    Execution, ExecutionEvent, ExecutionMode, ExecutionStatus, Response, ResponseBody, ResumeCause, ResumeKind,
    StartFacts,
};
use timeloom_domain::form::{Ending, FORM_TRIGGER_TYPE, FORM_TYPE, Form, web_address};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{BinaryData, Item};
use timeloom_domain::workflow::Workflow;
use timeloom_store::{Filter, StreamKey, Subscription, TenantScope};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::super::body::attachment;
use super::super::query::query;
use super::super::refusal::Refusal;
use super::super::request::path_behind;
use super::super::response::{content, head, respond};
use super::super::running::{node_of, workflow_of};
use super::super::settings::{AnswerMode, Settings};
use super::super::{auth, body};
use super::check::{Faults, Filled, check};
use super::page::{self, Shown};
use super::submission::{PAGE, Submission};
use super::visit::{ending_of, has_pages_behind, lead_on};
use super::{Wish, check_origin, wish};
use crate::state::ApiState;

const PREFIX: &str = "/form-waiting";
/// The query with which the file of a last page is asked for.
const FILE_QUERY: &str = "file";
/// Longest time that a request waits for the next page before it is told that it takes longer.
const NEXT_PAGE_TIME_MAX: Duration = Duration::from_secs(10);
/// Events of one execution that may queue up for a request.
const QUEUE_EVENTS_MAX: usize = 64;
/// Files of more bytes than this are stored beside the log.
const INLINE_BYTES_MAX: usize = 16 << 10;
/// The events after which another page may be there.
const FOLLOWED_TYPES: [&str; 6] = [
    "ExecutionWaiting",
    "ExecutionResponded",
    "ExecutionCompleted",
    "ExecutionFailed",
    "ExecutionCancelled",
    "ExecutionContinuedAsNew",
];

/// Takes a request to an execution under way.
pub(super) async fn take(state: &ApiState, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let taken = async {
        let address = Address::of(request)?;
        match wish(request)? {
            Wish::Look => address.look(state, request).await,
            Wish::Send => address.send(state, request, payload).await,
        }
    };
    taken.await.unwrap_or_else(|refusal| page::refusal(state, &refusal))
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "There is no form at this address.")
        .hint("Use the address that $execution.resumeFormUrl gave, whole.")
}

/// Which execution a request is for.
struct Address {
    root: ExecutionId,
    token: String,
    suffix: Option<String>,
}

/// An execution as it is now.
struct Seen {
    link: ExecutionId,
    found: Arc<StreamState<Execution>>,
    start: Arc<StartFacts>,
    workflow: Workflow,
}

/// What can be shown of an execution.
enum Situation {
    /// It waits for a form.
    Asks(Box<Asks>),
    /// It has a last page.
    Ends(Ending),
    /// It answered otherwise, as its author wanted.
    Answers(Box<Response>),
    /// It came to no good end.
    Failed,
    /// It is under way.
    Works,
}

/// A form for which an execution waits.
struct Asks {
    form: Form,
    node: Arc<TriggerNode>,
    suffix: Option<String>,
    /// Tells this page from the execution's others.
    marker: String,
}

impl Address {
    fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let path = path_behind(request, PREFIX)?;
        let (named, suffix) = path.split_once('/').map_or((path.as_str(), None), |(n, suffix)| (n, Some(suffix)));
        let (id, token) = named.split_once('.').ok_or_else(unknown)?;
        let root = id.parse::<ExecutionId>().map_err(|_| unknown())?;
        Ok(Self { root, token: token.to_owned(), suffix: suffix.map(str::to_owned) })
    }

    /// Shows what there is to see, or what there is within a moment.
    async fn look(&self, state: &ApiState, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        let until = Instant::now() + NEXT_PAGE_TIME_MAX;
        let mut link = self.root;
        loop {
            if state.closing().is_cancelled() {
                return Err(Refusal::not_ready("The server stops: try again.", None));
            }
            // Before the look: what comes after it cannot be missed.
            let mut events = subscribe(state, link);
            let seen = self.seen(state).await?;
            if seen.link != link {
                link = seen.link;
                continue;
            }
            let situation = seen.situation();
            seen.check_caller(&situation, state, request).await?;
            if !matches!(situation, Situation::Works) {
                return self.show(&seen, situation, state, request).await;
            }
            let news = tokio::select! {
                news = timeout_at(until, events.next()) => news,
                () = state.closing().cancelled() => continue,
            };
            if news.is_err() {
                return Ok(page::working(state));
            }
        }
    }

    async fn show(
        &self,
        seen: &Seen,
        situation: Situation,
        state: &ApiState,
        request: &HttpRequest,
    ) -> Result<HttpResponse, Refusal> {
        let blobs = state.stored().map(|stored| &*stored.blobs);
        match situation {
            Situation::Asks(asks) => {
                if asks.suffix != self.suffix {
                    let suffix = asks.suffix.as_deref().filter(|_| self.suffix.is_none()).ok_or_else(unknown)?;
                    let parts = suffix.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
                    let path = format!("{}{}", state.callers_path(), seen.start.form_path(self.root));
                    return Ok(lead_on(request, &format!("{path}/{}", parts.collect::<Vec<_>>().join("/"))));
                }
                let filled = Submission::at_first(&asks.form, request.query_string());
                Ok(asks.shown(seen, state, &filled, &Faults::new()))
            }
            Situation::Ends(Ending::File { file, .. }) if request.query_string() == FILE_QUERY => {
                download(&file, content(&file, blobs).await?)
            }
            Situation::Ends(ending) => Ok(page::ending(state, &ending, &format!("?{FILE_QUERY}"))),
            Situation::Answers(response) => respond(&response, blobs).await,
            Situation::Failed => Ok(page::failed(state)),
            Situation::Works => Ok(page::working(state)),
        }
    }

    /// Takes a form that was sent.
    async fn send(&self, state: &ApiState, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
        let seen = self.seen(state).await?;
        let situation = seen.situation();
        seen.check_caller(&situation, state, request).await?;
        let Situation::Asks(asks) = situation else {
            // It was sent before: what came of it is at the same address.
            return Ok(self.lead_to_next(state, request, &seen));
        };
        if asks.suffix != self.suffix {
            return Err(unknown());
        }
        check_origin(request, &asks.settings(&seen), state)?;
        let came = body::read(request.headers(), payload, state.webhooks().body_bytes_max).await?;
        let sent = Submission::read(request.headers(), came).await?;
        if sent.own(PAGE).is_some_and(|marker| marker != asks.marker) {
            return Ok(self.lead_to_next(state, request, &seen));
        }
        let filled = match check(&asks.form, &sent) {
            Err(faults) => return Ok(asks.shown(&seen, state, &sent, &faults)),
            Ok(filled) => filled,
        };
        let about = Sent { query: "", is_test: seen.start.mode == ExecutionMode::Manual };
        let item = item(state, filled, &about, seen.zone(state)).await?;
        let control = ExecutionControl::Resume { cause: ResumeCause::Request, items: Some(vec![item]) };
        let resume = ControlExecution { execution_id: self.root, control };
        // The same page is answered once, however often it is sent.
        let command_id = Uuid::new_v5(&self.root.0, format!("form page {}", asks.marker).as_bytes());
        match state.commands().control_execution(&state.context(Some(command_id)), resume).await {
            // Somebody was quicker, or the time was up.
            Err(CommandError::Refused(_)) => return Ok(self.lead_to_next(state, request, &seen)),
            other => other?,
        };
        if asks.ends_here(&seen) {
            return Ok(page::ending(state, &ending_of(&asks.node), ""));
        }
        Ok(self.lead_to_next(state, request, &seen))
    }

    fn lead_to_next(&self, state: &ApiState, request: &HttpRequest, seen: &Seen) -> HttpResponse {
        lead_on(request, &format!("{}{}", state.callers_path(), seen.start.form_path(self.root)))
    }

    async fn seen(&self, state: &ApiState) -> Result<Seen, Refusal> {
        let (link, found) = state.commands().last_link(&state.context(None), self.root).await?;
        let start = found.aggregate.start.clone().ok_or_else(unknown)?;
        if !auth::is_same(self.token.as_bytes(), start.resume_token(self.root).as_bytes()) {
            return Err(unknown());
        }
        let workflow = workflow_of(state, &start).await?;
        Ok(Seen { link, found, start, workflow })
    }
}

impl Seen {
    fn situation(&self) -> Situation {
        if let Some(asks) = self.asks() {
            return Situation::Asks(Box::new(asks));
        }
        if let Some(situation) = self.found.aggregate.response.as_deref().and_then(|response| self.answered(response)) {
            return situation;
        }
        match self.found.aggregate.status {
            ExecutionStatus::Completed => Situation::Ends(self.ending()),
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => Situation::Failed,
            _ => Situation::Works,
        }
    }

    fn asks(&self) -> Option<Asks> {
        let execution = &self.found.aggregate;
        let is_open = matches!(execution.status, ExecutionStatus::Waiting | ExecutionStatus::Paused);
        let wait = execution.waiting.as_ref().filter(|_| is_open)?;
        let rule = wait.resume.as_ref().filter(|rule| rule.kind == ResumeKind::Form)?;
        let node = node_of(&self.workflow, &self.start, &wait.node)?;
        let mut form = rule.form.as_deref().cloned().unwrap_or_default();
        if let Some(trigger) = self.trigger().filter(|_| node.node_type == FORM_TYPE) {
            let first = Form::read(&trigger.parameters).unwrap_or_default();
            let or = |own: String, other: String| if own.is_empty() { other } else { own };
            form.title = or(form.title, first.title);
            form.description = or(form.description, first.description);
            form.button = form.button.or(first.button);
            form.css = form.css.or(first.css);
        }
        let suffix = rule.suffix.as_deref().map(|suffix| suffix.trim_matches('/').to_owned());
        let marker = (execution.earlier_runs + execution.node_runs.len()).to_string();
        Some(Asks { form, node, suffix, marker })
    }

    /// What an answer shows; `None` for one that is not for who fills in forms.
    fn answered(&self, response: &Response) -> Option<Situation> {
        if let ResponseBody::Page { page } = &response.body {
            return Some(Situation::Ends(page.clone()));
        }
        let asker = self.last_form()?;
        if Settings::of_webhook(&asker).mode() != AnswerMode::ByNode {
            return None;
        }
        let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        if let Some((_, address)) = location {
            return Some(
                web_address(address).map_or(Situation::Failed, |address| Situation::Ends(Ending::Redirect { address })),
            );
        }
        if let ResponseBody::Json { value } = &response.body {
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            if let Some(address) = text("redirectURL") {
                return Some(
                    web_address(address)
                        .map_or(Situation::Failed, |address| Situation::Ends(Ending::Redirect { address })),
                );
            }
            if let Some(message) = text("formSubmittedText") {
                let options = json!({ "formSubmittedText": message });
                return Some(Situation::Ends(Ending::read(&options).unwrap_or_default()));
            }
        }
        Some(Situation::Answers(Box::new(response.clone())))
    }

    /// What the author wants to be shown at the end.
    fn ending(&self) -> Ending {
        self.last_form().map(|node| ending_of(&node)).unwrap_or_default()
    }

    /// The node whose form was sent last, and whose settings say what comes of it: a Wait node, or the trigger.
    fn last_form(&self) -> Option<Arc<TriggerNode>> {
        let runs = self.found.aggregate.node_runs.iter().rev().map(|run| run.node.as_str());
        let node = |name: &str| node_of(&self.workflow, &self.start, name);
        let mut waits = runs.filter_map(node).filter(|node| {
            node.node_type != FORM_TYPE && node.parameters.get("resume").is_some_and(|resume| resume == "form")
        });
        waits.next().or_else(|| self.trigger())
    }

    /// The trigger, where a form started the execution.
    fn trigger(&self) -> Option<Arc<TriggerNode>> {
        node_of(&self.workflow, &self.start, &self.start.start_node).filter(|node| node.node_type == FORM_TRIGGER_TYPE)
    }

    /// Lets in who may see the first page, or whom the node that waits lets in.
    async fn check_caller(
        &self,
        situation: &Situation,
        state: &ApiState,
        request: &HttpRequest,
    ) -> Result<(), Refusal> {
        let settings = match situation {
            Situation::Asks(asks) => Some(asks.settings(self)),
            _ => self.trigger().map(|trigger| Settings::of_webhook(&trigger)),
        };
        if let Some(settings) = settings {
            let caller = auth::caller_address(request, state.webhooks().proxy_hops);
            auth::check(request, &settings, caller, state).await?;
        }
        Ok(())
    }

    fn zone(&self, state: &ApiState) -> Option<Tz> {
        let definition = self.workflow.definition(self.start.workflow_version)?;
        let timezone = definition.settings.timezone.as_deref();
        match self.trigger() {
            Some(trigger) => zone(&trigger, timezone, state),
            None => Some(zone_named(timezone, state)),
        }
    }
}

impl Asks {
    fn shown(&self, seen: &Seen, state: &ApiState, filled: &Submission, faults: &Faults) -> HttpResponse {
        let is_test = seen.start.mode == ExecutionMode::Manual;
        let token = page::page_token(&self.marker);
        page::form(state, &Shown { form: &self.form, filled, faults, token, is_test })
    }

    /// Who may send it: a further page is for whom the first was for.
    fn settings(&self, seen: &Seen) -> Settings {
        match seen.trigger().filter(|_| self.node.node_type == FORM_TYPE) {
            Some(trigger) => Settings::of_webhook(&trigger),
            None => Settings::of_wait(&self.node),
        }
    }

    /// Whether nothing more is shown to who sent it.
    fn ends_here(&self, seen: &Seen) -> bool {
        let is_wait = self.node.node_type != FORM_TYPE;
        let definition = seen.workflow.definition(seen.start.workflow_version);
        is_wait
            && Settings::of_wait(&self.node).mode() == AnswerMode::OnReceived
            && !definition.is_some_and(|definition| has_pages_behind(definition, &self.node.name))
    }
}

fn subscribe(state: &ApiState, execution: ExecutionId) -> Subscription {
    let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, execution.to_string());
    let event_types = FOLLOWED_TYPES.map(Arc::from).to_vec();
    let filter = Filter { categories: Vec::new(), event_types, stream: Some(stream) };
    let (scope, head) = (TenantScope::One(state.tenant()), state.log().head());
    state.log().subscribe(scope, head, filter, QUEUE_EVENTS_MAX)
}

/// What is known of a form that was sent, besides its answers.
pub(super) struct Sent<'a> {
    /// The query of the address at which it was sent.
    pub(super) query: &'a str,
    /// Whether a draft is tried out.
    pub(super) is_test: bool,
}

/// The item that a form becomes. Its files are durable before it is given out.
pub(super) async fn item(state: &ApiState, filled: Filled, sent: &Sent<'_>, zone: Option<Tz>) -> Result<Item, Refusal> {
    let mut json = filled.json;
    json.insert("submittedAt".to_owned(), json!(written(state.commands().clock().now_ms(), zone)));
    json.insert("formMode".to_owned(), json!(if sent.is_test { "test" } else { "production" }));
    if !sent.query.is_empty() {
        json.insert("formQueryParameters".to_owned(), Value::Object(query(sent.query)));
    }
    let mut binary = BTreeMap::new();
    for (name, file) in filled.files {
        let mut about = attachment(&file.content, &file.media_type, Some(&file.name));
        if let Some(stored) = state.stored().filter(|_| file.content.len() > INLINE_BYTES_MAX) {
            let bytes = file.content.len();
            let hash = stored.blobs.put(file.content).await.map_err(|error| Refusal::fault(&error))?;
            about.extra.insert("bytes".to_owned(), json!(bytes));
            (about.data, about.id) = (String::new(), Some(hash.attachment_id()));
        }
        binary.insert(name, about);
    }
    let binary = (!binary.is_empty()).then_some(binary);
    Ok(Item { binary, ..Item::new(json) })
}

/// The zone in which a trigger wants the time to be written; `None` for UTC.
pub(super) fn zone(trigger: &TriggerNode, timezone: Option<&str>, state: &ApiState) -> Option<Tz> {
    let chosen = trigger.parameters.pointer("/options/useWorkflowTimezone").and_then(Value::as_bool);
    // Newer versions write it in the workflow's zone where they say nothing.
    chosen.unwrap_or(trigger.type_version > 2.0).then(|| zone_named(timezone, state))
}

fn zone_named(timezone: Option<&str>, state: &ApiState) -> Tz {
    let named = timezone.filter(|name| !matches!(*name, "" | "DEFAULT")).and_then(|name| name.parse().ok());
    named.unwrap_or(state.webhooks().timezone)
}

fn written(now_ms: i64, zone: Option<Tz>) -> String {
    let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    let zone = zone.unwrap_or(Tz::UTC);
    now.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, zone == Tz::UTC)
}

fn download(file: &BinaryData, bytes: bytes::Bytes) -> Result<HttpResponse, Refusal> {
    let media_type = if file.mime_type.is_empty() { "application/octet-stream" } else { &file.mime_type };
    let name = file.file_name.clone().unwrap_or_else(|| "file".to_owned());
    let disposition = DispositionParam::Filename(name.chars().filter(|character| !character.is_control()).collect());
    let disposition = ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![disposition] };
    let mut response = head(200, &[], Some(media_type))?;
    response.insert_header((header::CONTENT_DISPOSITION, disposition));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(response.body(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_as_people_of_the_zone_do() {
        let at = 1_715_949_045_678;
        assert_eq!(written(at, None), "2024-05-17T12:30:45.678Z");
        assert_eq!(written(at, Some(Tz::Europe__Berlin)), "2024-05-17T14:30:45.678+02:00");
    }
}
