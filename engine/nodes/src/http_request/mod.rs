//! HTTP Request: sends a request for each item and gives what comes back.
//!
//! Private addresses are refused unless the deployment allows them, and every request carries an idempotency key that
//! stays the same when the node runs again after a crash. The requests of a batch run at once, up to a bound; what they
//! give is in the order of the items.

pub(crate) mod auth;
mod aws;
mod azure;
mod base;
mod batch;
mod content;
mod digest;
mod encode;
mod further;
mod guard;
mod oauth;
mod pages;
mod parameters;
mod parts;

pub use self::oauth::{Bearers, OAuth2};
pub use self::send::{client_for, client_for_any_certificate};
#[cfg(test)]
mod aws_tests;
#[cfg(test)]
mod base_tests;
pub(crate) mod request;
pub(crate) mod respond;
mod run_clock;
pub(crate) mod send;
#[cfg(test)]
mod service_tests;
mod shape;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, OutboundPolicy};

use self::auth::Authentication;
use self::base::Base;
use self::batch::{Batching, REQUESTS_AT_ONCE_MAX};
use self::further::Further;
use self::pages::Paging;
pub(crate) use self::parameters::{
    ALL_CREDENTIALS, AUTHENTICATION, CREDENTIALS, GENERIC_TYPE, METHOD, PARAMETERS, SERVICE,
};
use self::request::{Answer, Draft, IntoFile, Request};
use self::send::{Received, Sender};
use crate::describe::{ONE_TO_ONE, palette};

/// HTTP Request.
#[derive(Default)]
pub(crate) struct HttpRequest {
    sender: Sender,
}

impl NodeType for HttpRequest {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.httpRequest",
            display_name: "HTTP Request",
            description: "Sends an HTTP request for each item and gives the answer.",
            versions: &[1.0, 2.0, 3.0, 4.0, 4.1, 4.2, 4.3],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "globe",
                &["api", "rest", "curl", "fetch", "get", "post", "url", "web"],
            ),
            credentials: ALL_CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for HttpRequest {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let batching = Batching::read(run)?;
        let mut given = Vec::with_capacity(items.len());
        for range in batching.ranges(items.len()) {
            batching.pause_before(range.start).await;
            self.batch(run, &items, range, &mut given).await?;
        }
        Ok(NodeOutput::single(given))
    }
}

impl HttpRequest {
    /// Sends the requests of these items, some at once; what comes back is in the order of the items.
    async fn batch(
        &self,
        run: &mut NodeRun<'_>,
        items: &Items,
        range: Range<usize>,
        given: &mut Vec<Item>,
    ) -> Result<(), NodeError> {
        let goes_on = run.continues_on_fail();
        let mut ready = Vec::with_capacity(range.len());
        for (index, item) in items.iter().enumerate().take(range.end).skip(range.start) {
            let prepared = self.prepare(run, item, index).await;
            if let (Err(error), false) = (&prepared, goes_on) {
                return Err(error.clone().at_item(index));
            }
            ready.push((prepared, index));
        }
        let policy = &run.services.outbound;
        let mut answers = stream::iter(ready)
            .map(|(prepared, index)| self.answer(prepared, policy, items, index))
            .buffered(REQUESTS_AT_ONCE_MAX);
        for index in range {
            let Some(answered) = answers.next().await else { break };
            match answered.and_then(|answered| answered.items(run, index)) {
                Ok(items) => given.extend(items),
                Err(error) if goes_on => given.push(respond::failed_item(&error, index)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(())
    }

    /// The request of one item. Pages are turned and further requests sent here and now: they need the author's
    /// expressions.
    async fn prepare(&self, run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Prepared, NodeError> {
        let authentication = credentials(run, index).await?;
        let draft = Draft::read(run, item, index, authentication.base.clone())?;
        let paging = Paging::read(run, index)?;
        if let Some(further) = Further::read(run)? {
            if paging.is_some() {
                return Err(NodeError::operation("the options Pagination and Further requests do not go together")
                    .described("let a node of its own turn the pages"));
            }
            if authentication.is_whole_address() {
                return Err(NodeError::operation(
                    "the credential is the whole address, so that all requests would go there",
                )
                .described("take the further requests out: send them by nodes of their own"));
            }
            let items = further::follow(self, run, &further, &draft, &authentication, (item, index)).await?;
            return Ok(Prepared::Answered(items));
        }
        if let Some(paging) = paging {
            let items = pages::turn(self, run, &paging, &draft, &authentication, (item, index)).await?;
            return Ok(Prepared::Answered(items));
        }
        let answer = draft.answer.clone();
        let mut request = draft.finish()?;
        request.transport.into_file = Some(IntoFile { answer: answer.clone(), binaries: run.binaries() });
        Ok(Prepared::Single(Box::new(Single { request, authentication, answer })))
    }

    async fn answer(
        &self,
        prepared: Result<Prepared, NodeError>,
        policy: &OutboundPolicy,
        items: &Items,
        index: usize,
    ) -> Result<Answered, NodeError> {
        let single = match prepared? {
            Prepared::Answered(items) => return Ok(Answered::Items(items)),
            Prepared::Single(single) => *single,
        };
        let Some(item) = items.get(index) else { return Ok(Answered::Items(Vec::new())) };
        let mut received = self.send(&single.authentication, single.request, policy).await?;
        if let Some(written) = received.file.take() {
            let file = written.finish(respond::described(&received)).await?;
            return Ok(Answered::Items(vec![respond::file_item(&received, file, &single.answer, item, index)]));
        }
        if single.answer.items.is_none() {
            return respond::items(received, &single.answer, item, index).map(Answered::Items);
        }
        respond::check(&received, &single.answer)?;
        let response = pages::response(&received, single.answer.format);
        Ok(Answered::Response(Box::new(single.answer), response))
    }

    async fn send(
        &self,
        authentication: &Authentication,
        request: Request,
        policy: &OutboundPolicy,
    ) -> Result<Received, NodeError> {
        self.sender.send(authentication, request, policy).await
    }
}

/// What one item came to before the requests are sent.
enum Prepared {
    /// One request.
    Single(Box<Single>),
    /// Nothing more: its pages are there.
    Answered(Vec<Item>),
}

/// What came back for one item.
enum Answered {
    /// Its items.
    Items(Vec<Item>),
    /// An answer of which the author's expression makes items.
    Response(Box<Answer>, Value),
}

impl Answered {
    fn items(self, run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Item>, NodeError> {
        match self {
            Self::Items(items) => Ok(items),
            Self::Response(answer, response) => {
                let seen = JsonObject::from_iter([("$response".to_owned(), response)]);
                shape::items(run, &answer, &seen, index)
            }
        }
    }
}

struct Single {
    request: Request,
    authentication: Authentication,
    answer: Answer,
}

/// The credential that the parameters choose, whichever version wrote them.
async fn credentials(run: &mut NodeRun<'_>, index: usize) -> Result<Authentication, NodeError> {
    let pattern = Base::pattern(run)?;
    let chosen = run.text("authentication", index, "none")?;
    let credential_type = match chosen.as_str() {
        "none" | "" if pattern.is_some() => {
            return Err(NodeError::operation("the base URL is of a credential, and none is chosen: choose one"));
        }
        "none" | "" => return Ok(Authentication::default()),
        "predefinedCredentialType" => run.text("nodeCredentialType", index, "")?,
        "genericCredentialType" => run.text("genericAuthType", index, "")?,
        "basicAuth" => "httpBasicAuth".to_owned(),
        "digestAuth" => "httpDigestAuth".to_owned(),
        "headerAuth" => "httpHeaderAuth".to_owned(),
        "queryAuth" => "httpQueryAuth".to_owned(),
        "oAuth1" => "oAuth1Api".to_owned(),
        "oAuth2" => "oAuth2Api".to_owned(),
        other => return Err(NodeError::operation(format!("the authentication '{other}' is not known"))),
    };
    if credential_type.is_empty() {
        return Err(NodeError::operation("no credential type is chosen: choose one, or set Authentication to None"));
    }
    Authentication::of_type_at(run, &credential_type, pattern).await
}
