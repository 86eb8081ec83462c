//! A request that makes a waiting execution go on.
//!
//! Its address has a token that nobody can guess; the waiting node may ask for more. Who has the wrong token is told the same
//! as who asks for an execution that does not exist.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use timeloom_commands::{CommandError, ControlExecution, ExecutionControl};
use timeloom_domain::execution::{Execution, ExecutionStatus, ResumeCause, ResumeKind};
use timeloom_domain::ids::ExecutionId;

use super::answer::{Answers, at_once};
use super::refusal::Refusal;
use super::request::{Head, path_behind};
use super::running::{node_of, workflow_of};
use super::settings::{AnswerMode, Settings};
use super::{auth, body, cors};
use crate::state::ApiState;

const PREFIX: &str = "/webhook-waiting";

/// Takes a request to a waiting execution.
pub(super) async fn resume(state: &ApiState, request: &HttpRequest, payload: Payload) -> HttpResponse {
    match waiting(state, request).await {
        Ok(waiting) => {
            let answered = waiting.go_on(state, request, payload).await;
            let mut response = answered.unwrap_or_else(Refusal::into_response);
            cors::allow_origin(request, &waiting.settings, response.headers_mut());
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// A waiting execution whose address the caller knows.
struct Waiting {
    /// The execution as it was started.
    root: ExecutionId,
    /// The link of its chain in which it waits.
    link: ExecutionId,
    settings: Settings,
}

async fn waiting(state: &ApiState, request: &HttpRequest) -> Result<Waiting, Refusal> {
    if state.closing().is_cancelled() {
        return Err(Refusal::not_ready("the server stops: try again", None));
    }
    let path = path_behind(request, PREFIX)?;
    let (named, suffix) = path.split_once('/').map_or((path.as_str(), None), |(named, suffix)| (named, Some(suffix)));
    let unknown = || {
        Refusal::new(StatusCode::NOT_FOUND, "there is no waiting execution at this address")
            .hint("use the address that $execution.resumeUrl gave, whole")
    };
    let (id, token) = named.split_once('.').ok_or_else(unknown)?;
    let root = id.parse::<ExecutionId>().map_err(|_| unknown())?;
    let context = state.context(None);
    let (link, found) = state.commands().last_link(&context, root).await?;
    let start = found.aggregate.start.as_deref().ok_or_else(unknown)?;
    if !auth::is_same(token.as_bytes(), start.resume_token(root).as_bytes()) {
        return Err(unknown());
    }
    let conflict = |message: String| Refusal::new(StatusCode::CONFLICT, message).of(root);
    let execution: &Execution = &found.aggregate;
    let (wait, rule) = match (&execution.waiting, execution.status) {
        (Some(wait), ExecutionStatus::Waiting | ExecutionStatus::Paused) => {
            let by_time = || conflict("the execution waits for a time, not for a request".to_owned());
            (wait, wait.resume.as_ref().ok_or_else(by_time)?)
        }
        (_, status) if status.has_ended() => {
            return Err(conflict(format!("The execution \"{root}\" has finished already.")));
        }
        _ => return Err(conflict(format!("The execution \"{root}\" is running already."))),
    };
    if rule.suffix.as_deref().map(|suffix| suffix.trim_matches('/')) != suffix {
        return Err(unknown());
    }
    if let Some(method) = rule.method.as_deref().filter(|method| *method != request.method().as_str()) {
        let message = format!("the execution waits for another method: send {method}");
        return Err(Refusal::new(StatusCode::NOT_FOUND, message).of(root));
    }
    if rule.kind == ResumeKind::Form {
        return Err(conflict("the execution waits for a form, not for a request".to_owned())
            .hint("open the address that $execution.resumeFormUrl gave"));
    }
    let workflow = workflow_of(state, start).await?;
    let node = node_of(&workflow, start, &wait.node).ok_or_else(unknown)?;
    Ok(Waiting { root, link, settings: Settings::of_wait(&node) })
}

impl Waiting {
    async fn go_on(&self, state: &ApiState, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
        let options = state.webhooks();
        let caller = auth::caller_address(request, options.proxy_hops);
        let mut admitted = auth::check(request, &self.settings, caller, state).await?;
        let came = body::read(request.headers(), payload, options.body_bytes_max).await?;
        let understood = body::understand(request.headers(), came, &self.settings).await?;
        let webhook_url = format!("{}{}", options.public_url, request.uri().path());
        let mut item = Head::of(request, [], webhook_url, false).item(understood, admitted.claims.take());
        admitted.hide_proof(&mut item);

        let mode = self.settings.mode();
        let answers = (mode != AnswerMode::OnReceived)
            .then(|| Answers::of(state, self.link, state.log().head(), mode).with_last_items(&self.settings));
        let control = ExecutionControl::Resume { cause: ResumeCause::Request, items: Some(vec![item]) };
        let resume = ControlExecution { execution_id: self.root, control };
        match state.commands().control_execution(&state.context(None), resume).await {
            Err(CommandError::Refused(refusal)) => {
                return Err(Refusal::new(StatusCode::CONFLICT, refusal.message).of(self.root));
            }
            other => other?,
        };
        match answers {
            None => at_once(&self.settings).map_err(|refusal| refusal.of(self.root)),
            Some(answers) => answers.respond().await,
        }
    }
}
