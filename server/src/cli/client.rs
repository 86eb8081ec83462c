//! How a verb reaches Timeloom: over HTTP to a running server, or in this process over the data folder. Both speak
//! the same GraphQL, so a verb is written once.

use anyhow::{Context as _, bail};
use async_graphql::{Request, Variables};
use serde_json::{Value, json};
use timeloom_read_api::LocalApi;

use crate::app::App;
use crate::cli::{Access, Failure, output};
use crate::config::Config;
use crate::token::{HOW_TO_SHOW, shown};

/// Codes of answers that say that something else must be asked.
const REFUSALS: [&str; 8] = [
    "BAD_USER_INPUT",
    "FORBIDDEN",
    "NOT_YET",
    "POSITION_NOT_REACHED",
    "RATE_LIMITED",
    "REVISION_NOT_REACHED",
    "STATE_TOO_LARGE",
    "STREAM_NOT_FOUND",
];

/// The code of answers to somebody who is not known.
const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// What was asked was refused: something in it must change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A connection to servers, with the key that the configuration has for them.
///
/// # Errors
/// When the key cannot be read.
pub fn http_client(config: &Config) -> anyhow::Result<reqwest::Client> {
    let headers = shown(config.token()?.as_deref())?;
    let http = reqwest::Client::builder().no_proxy().default_headers(headers);
    http.build().context("no HTTP client could be made")
}

/// A way to Timeloom.
pub enum Client {
    /// A running server.
    Remote {
        /// Where its GraphQL is.
        url: String,
        /// The connection.
        http: reqwest::Client,
    },
    /// The data folder, opened by this process.
    Local {
        /// Everything over the folder.
        app: Box<App>,
        /// Its API.
        api: LocalApi,
    },
}

impl Client {
    /// Reaches the server that `access` names, or opens the data folder.
    ///
    /// # Errors
    /// When the folder cannot be opened; another process may have it, and the message says how to reach that one.
    pub async fn open(access: &Access, config: &Config) -> anyhow::Result<Self> {
        match &access.server {
            Some(url) => Self::remote(url, config),
            None => {
                let app = App::open(config, config.node_types()).await?;
                app.catch_up().await?;
                let api = LocalApi::new(app.api.clone());
                Ok(Self::Local { app: Box::new(app), api })
            }
        }
    }

    /// Reaches a server, with the key that the configuration has for it.
    ///
    /// # Errors
    /// When `url` is not one, or the key cannot be read.
    pub fn remote(url: &str, config: &Config) -> anyhow::Result<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("'{url}' is not the address of a server: it must begin with http:// or https://");
        }
        let http = http_client(config)?;
        Ok(Self::Remote { url: format!("{}/graphql", url.trim_end_matches('/')), http })
    }

    /// Asks; answers the `data` of the response.
    ///
    /// # Errors
    /// When the server cannot be reached or answers with errors.
    pub async fn ask(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let response = match self {
            Self::Remote { url, http } => {
                let body = json!({ "query": query, "variables": variables });
                let sent = http.post(url).json(&body).send().await;
                let response = sent.with_context(|| format!("the server at {url} cannot be reached"))?;
                let status = response.status();
                let text = response.text().await.context("the server's answer broke off")?;
                serde_json::from_str(&text)
                    .with_context(|| format!("the server at {url} answered {status}, not GraphQL: is it Timeloom?"))?
            }
            Self::Local { api, .. } => {
                let request = Request::new(query).variables(Variables::from_json(variables));
                serde_json::to_value(api.execute(request).await)?
            }
        };
        if let Some(errors) = response.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty()) {
            let messages: Vec<_> = errors.iter().filter_map(|error| error.get("message")?.as_str()).collect();
            let messages = messages.join("; ");
            let code = |error: &Value| error.pointer("/extensions/code").and_then(Value::as_str).map(str::to_owned);
            if errors.iter().any(|error| code(error).as_deref() == Some(UNAUTHENTICATED)) {
                return Err(Refused(format!("{messages}; {HOW_TO_SHOW}")).into());
            }
            if errors.iter().all(|error| code(error).is_some_and(|code| REFUSALS.contains(&code.as_str()))) {
                return Err(Refused(messages).into());
            }
            bail!("{messages}");
        }
        Ok(response.get("data").cloned().unwrap_or_default())
    }

    /// Sends a mutation; answers its payload, or tells the person why it was refused.
    ///
    /// # Errors
    /// [`Failure::Refused`] after the refusal was told.
    pub async fn change(&self, field: &str, query: &str, input: Value, json: bool) -> Result<Value, Failure> {
        self.change_with(field, query, json!({ "input": input }), json).await
    }

    /// The same with more variables than its input.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn change_with(&self, field: &str, query: &str, variables: Value, json: bool) -> Result<Value, Failure> {
        let data = self.ask(query, variables).await?;
        let payload = data.get(field).cloned().unwrap_or_default();
        let errors = payload.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        if errors.is_empty() {
            return Ok(payload);
        }
        if json {
            output::json(&json!({ "errors": errors }));
        }
        for error in &errors {
            let problems = error.get("problems").and_then(Value::as_array).cloned().unwrap_or_default();
            if problems.is_empty() {
                output::error(&output::text(error, "/message"));
            }
            for problem in problems {
                let place = match problem.get("node").and_then(Value::as_str) {
                    Some(node) => format!("node '{node}', "),
                    None => String::new(),
                };
                let (field, message) = (output::text(&problem, "/field"), output::text(&problem, "/message"));
                output::error(&format!("{place}{field}: {message}"));
            }
        }
        Err(Failure::Refused)
    }

    /// Lets replay checks be done, where this process has the data folder to itself.
    pub fn do_replays(&self) {
        if let Self::Local { app, .. } = self {
            app.replays.start_alone();
        }
    }

    /// Closes what was opened.
    pub async fn close(self) {
        if let Self::Local { app, .. } = self {
            app.close().await;
        }
    }
}
