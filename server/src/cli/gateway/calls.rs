//! `timeloom gateway calls`, `call` and `spend`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ask, show};
use crate::cli::client::Client;
use crate::cli::moment::Moment;
use crate::cli::{Access, output};
use crate::config::Config;

/// Calls that are listed when nobody says how many.
const LIMIT_DEFAULT: usize = 50;
/// Most calls of one page.
const PAGE_MAX: usize = 100;

const LIST: &str = "query($first: Int!, $after: String, $filter: ModelCallFilterInput!, $asOf: AsOf) {
  modelCalls(first: $first, after: $after, filter: $filter, asOf: $asOf) {
  nodes { id askedAt kind route status problem provider model finish stream usage { inputTokens outputTokens } cost
    currency tookUs firstTokenUs attemptCount cachedFrom keyId workflowId executionId node agent position }
  pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($id: UUID!, $asOf: AsOf) { modelCall(id: $id, asOf: $asOf) {
  id askedAt kind route status problem reason retryAfterMs provider model finish stream
  usage { inputTokens outputTokens cachedInputTokens cacheWriteTokens thinkingTokens } cost currency tookUs firstTokenUs
  cachedFrom digest keyId workflowId executionId node agent agentRunId workerId position
  attempts { provider model reason leftOut firstTokenUs tookUs problem status retryAfterMs message cancelled answeredBy
    finish usage { inputTokens outputTokens } cost requestId systemFingerprint violations }
  prompt { recorded text digest bytes } answer { recorded text digest bytes } } }";
const SPEND: &str = "query($by: ModelSpendBy!, $filter: ModelSpendFilterInput!, $asOf: AsOf) {
  modelSpend(by: $by, filter: $filter, asOf: $asOf) { of calls completed cached inputTokens outputTokens cost
    currency } }";

/// How a call ended.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Completed,
    Failed,
    Refused,
    Cancelled,
}

/// Which calls to list.
#[derive(Debug, Args)]
pub struct CallsArguments {
    /// Only those by this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only those that ended so.
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Only those of which this provider was asked last.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Only those of this workflow.
    #[arg(long, value_name = "ID")]
    workflow: Option<Uuid>,
    /// Only those of this execution.
    #[arg(long, value_name = "ID")]
    execution: Option<Uuid>,
    /// Only those of this agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only those by this API key.
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Most that are listed.
    #[arg(long, value_name = "NUMBER", default_value_t = LIMIT_DEFAULT)]
    limit: usize,
    /// As it was at this moment: a position, a time or a day; absent = now.
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    #[command(flatten)]
    access: Access,
}

impl CallsArguments {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        let filter = json!({
            "route": self.route, "provider": self.provider, "workflow": self.workflow, "execution": self.execution,
            "agent": self.agent, "key": self.key,
            "status": self.status.map(|status| format!("{status:?}").to_uppercase()),
        });
        let client = Client::open(&self.access, config).await?;
        let found = first_of(&client, filter, self.limit, self.at).await;
        client.close().await;
        let headings = ["ID", "ASKED", "ROUTE", "STATUS", "PROVIDER", "MODEL", "IN", "OUT", "COST", "MS"];
        show(&self.access, &Value::Array(found?), &headings, |call| {
            let [id, asked, route, status, provider, model, read, written, cost] = [
                "/id",
                "/askedAt",
                "/route",
                "/status",
                "/provider",
                "/model",
                "/usage/inputTokens",
                "/usage/outputTokens",
                "/cost",
            ]
            .map(|path| output::text(call, path));
            vec![id, asked, route, status.to_lowercase(), provider, model, read, written, cost, milliseconds(call)]
        });
        Ok(())
    }
}

/// How long a call in an answer took.
fn milliseconds(call: &Value) -> String {
    let took_us = call.get("tookUs").and_then(Value::as_u64);
    took_us.map_or_else(|| "-".to_owned(), |took_us| format!("{:.1}", took_us as f64 / 1_000.0))
}

async fn first_of(client: &Client, filter: Value, limit: usize, at: Option<Moment>) -> anyhow::Result<Vec<Value>> {
    let mut variables = json!({ "filter": filter, "asOf": at.map(Moment::as_of) });
    let mut nodes = Vec::new();
    while nodes.len() < limit {
        variables["first"] = PAGE_MAX.min(limit - nodes.len()).into();
        let data = client.ask(LIST, variables.clone()).await?;
        let list = data.get("modelCalls").cloned().unwrap_or_default();
        nodes.extend(list.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default());
        if list.pointer("/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            break;
        }
        variables["after"] = list.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
    }
    Ok(nodes)
}

/// Which call to show.
#[derive(Debug, Args)]
pub struct CallArguments {
    /// Its id.
    id: Uuid,
    /// As it was at this moment: a position, a time or a day; absent = now.
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    #[command(flatten)]
    access: Access,
}

impl CallArguments {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        let variables = json!({ "id": self.id, "asOf": self.at.map(Moment::as_of) });
        let call = ask(&self.access, config, SHOW, variables, "modelCall").await?;
        if call.is_null() {
            anyhow::bail!("there is no call {} here: 'timeloom gateway calls' lists them", self.id);
        }
        if self.access.json {
            output::json(&call);
            return Ok(());
        }
        let line = |title: &str, path: &str| {
            let text = output::text(&call, path);
            if text != "-" {
                output::line(&format!("{title:<10} {text}"));
            }
        };
        for (title, path) in [
            ("call", "/id"),
            ("asked", "/askedAt"),
            ("route", "/route"),
            ("status", "/status"),
            ("problem", "/problem"),
            ("reason", "/reason"),
            ("finish", "/finish"),
            ("read", "/usage/inputTokens"),
            ("written", "/usage/outputTokens"),
            ("cost", "/cost"),
            ("currency", "/currency"),
            ("cached", "/cachedFrom"),
            ("key", "/keyId"),
            ("execution", "/executionId"),
            ("node", "/node"),
            ("agent", "/agent"),
            ("prompt", "/prompt/text"),
            ("answer", "/answer/text"),
        ] {
            line(title, path);
        }
        let attempts = call.get("attempts").cloned().unwrap_or_default();
        show(&self.access, &attempts, &["PROVIDER", "MODEL", "WHY", "MS", "PROBLEM", "STATUS", "MESSAGE"], |attempt| {
            let [provider, model, why, problem, status, message] =
                ["/provider", "/model", "/reason", "/problem", "/status", "/message"]
                    .map(|path| output::text(attempt, path));
            vec![provider, model, why, milliseconds(attempt), problem.to_lowercase(), status, message]
        });
        Ok(())
    }
}

/// By what calls are summed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum By {
    Route,
    Provider,
    Model,
    Key,
    Workflow,
    Agent,
    Day,
}

/// Which calls are summed.
#[derive(Debug, Args)]
pub struct SpendArguments {
    /// By what.
    #[arg(long, value_enum, default_value_t = By::Route)]
    by: By,
    /// Only calls of this day or later, such as 2026-03-14.
    #[arg(long, value_name = "DAY")]
    from: Option<chrono::NaiveDate>,
    /// Only calls of this day or earlier.
    #[arg(long, value_name = "DAY")]
    until: Option<chrono::NaiveDate>,
    /// As it was at this moment: a position, a time or a day; absent = now.
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    #[command(flatten)]
    access: Access,
}

impl SpendArguments {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        let day = |day: Option<chrono::NaiveDate>| day.map(|day| format!("{day}T00:00:00Z"));
        let variables = json!({
            "by": format!("{:?}", self.by).to_uppercase(),
            "filter": { "from": day(self.from), "until": day(self.until) },
            "asOf": self.at.map(Moment::as_of),
        });
        let found = ask(&self.access, config, SPEND, variables, "modelSpend").await?;
        let headings = ["OF", "CALLS", "ANSWERED", "CACHED", "IN", "OUT", "COST", "CURRENCY"];
        show(&self.access, &found, &headings, |sum| {
            ["/of", "/calls", "/completed", "/cached", "/inputTokens", "/outputTokens", "/cost", "/currency"]
                .map(|path| output::text(sum, path))
                .to_vec()
        });
        Ok(())
    }
}
