//! The Model Context Protocol at `/mcp`, beside the API: each call is asked as whoever sends it.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::ServiceConfig;
use async_graphql::{Request, Variables};
use async_trait::async_trait;
use serde_json::Value;
use timeloom_mcp::http::{self, Callers, Front, PATH};
use timeloom_mcp::{Api, Offer, Question, Server, Unreachable};
use timeloom_read_api::{ApiState, Beside, LocalApi};

use crate::app::App;
use crate::config::Config;

/// The routes.
///
/// # Errors
/// When a setting cannot be read, or a tool cannot be used.
pub fn routes(app: &App, config: &Config) -> anyhow::Result<Beside> {
    let callers = LetIn { api: Arc::new(LocalApi::new(app.api.clone())) };
    let front = Arc::new(Front {
        server: Server::try_new(Offer::Everything)?,
        callers: Box::new(callers),
        body_bytes_max: config.graphql.options()?.limits.body_bytes,
    });
    Ok(Beside {
        prefix: PATH,
        configure: Arc::new(move |routes: &mut ServiceConfig| http::routes(Arc::clone(&front), routes)),
        refusals: Some(|_, status, message| http::error_body(status, message)),
    })
}

/// Those whom the door let in.
struct LetIn {
    api: Arc<LocalApi>,
}

impl Callers for LetIn {
    fn caller(&self, request: &HttpRequest) -> Option<Box<dyn Api>> {
        let asking = ApiState::asking(request)?;
        Some(Box::new(Caller { api: Arc::clone(&self.api), asking }))
    }
}

/// One of them.
struct Caller {
    api: Arc<LocalApi>,
    asking: ApiState,
}

#[async_trait]
impl Api for Caller {
    async fn ask(&self, question: Question) -> Result<Value, Unreachable> {
        answered(&self.api, self.asking.clone(), question).await
    }
}

/// What the API in this process answers, as whoever asks sees it.
///
/// # Errors
/// [`Unreachable`] when the answer cannot be written as JSON.
pub async fn answered(api: &LocalApi, asking: ApiState, question: Question) -> Result<Value, Unreachable> {
    let request = Request::new(question.document).variables(Variables::from_json(question.variables));
    let response = api.execute_as(request, asking, question.key).await;
    serde_json::to_value(response).map_err(|error| Unreachable(format!("the answer cannot be written down: {error}")))
}
