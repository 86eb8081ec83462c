//! Redis: reads and writes keys, lists and channels.

mod commands;
pub(super) mod parameters;
mod resp;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_egress::{EgressError, OutboundPolicy, Timeouts, TlsOptions, Verification};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, palette};

use self::commands::carry_out;
use self::resp::{Connection, Reply, ReplyError};
use super::batch::Budget;
use crate::fields::Fields;
use crate::pool::{CONNECTIONS_MAX, Key, Lent, Pool};
use crate::stream::{Stream, open};

/// Longest time until there is a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Redis.
#[derive(Default)]
pub(crate) struct Redis {
    pool: Pool<Connection<Stream>>,
}

impl NodeType for Redis {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.redis",
            display_name: "Redis",
            description: "Reads and writes keys and lists of a Redis database, and publishes messages.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: parameters::PARAMETERS,
            palette: palette(
                NodeGroup::Databases,
                "database",
                &["valkey", "cache", "key", "value", "publish", "queue"],
            ),
            credentials: parameters::CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Redis {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let account = Account::read(run).await?;
        let mut session = match Session::open(&self.pool, account).await {
            Ok(session) => session,
            Err(error) if run.continues_on_fail() => {
                let failed = (0..items.len()).map(|index| run.failed_item(index, &error)).collect();
                return Ok(NodeOutput::single(failed));
            }
            Err(error) => return Err(error),
        };
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match carry_out(run, &mut session, item, index).await {
                Ok(done) => given.extend(done),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        if session.is_sound {
            self.pool.give_back(session.lent);
        }
        Ok(NodeOutput::single(given))
    }
}

/// Where a server is, and who asks.
struct Account {
    host: String,
    port: u16,
    tls: Option<TlsOptions>,
    user: Option<String>,
    password: Option<String>,
    database: u64,
    key: Key,
    policy: OutboundPolicy,
}

impl Account {
    async fn read(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        let fields = Fields::of(run, "redis").await?;
        let verification = if fields.truth("disableTlsVerification") { Verification::None } else { Verification::Full };
        let authority = fields.some_text("caCertificate");
        let tls = TlsOptions { authority, verification, ..TlsOptions::default() };
        Ok(Self {
            host: fields.needed("host")?,
            port: fields.port(6379)?,
            tls: fields.truth("ssl").then_some(tls),
            user: fields.some_text("user"),
            password: fields.some_text("password"),
            database: fields.count("database", 0)?,
            key: Key::of(run.tenant, &fields.as_json()),
            policy: run.services.outbound.clone(),
        })
    }

    async fn connect(&self) -> Result<Connection<Stream>, NodeError> {
        let timeouts = Timeouts { connect: CONNECT_TIME };
        let stream = open(&self.host, self.port, self.tls.as_ref(), &self.policy, timeouts).await?;
        let mut connection = Connection::new(stream, self.policy.response_bytes_max);
        let greeted = async {
            if let Some(password) = &self.password {
                let user = self.user.as_deref().map(str::as_bytes);
                let command: Vec<&[u8]> = [&b"AUTH"[..]].into_iter().chain(user).chain([password.as_bytes()]).collect();
                connection.ask(&command).await?;
            }
            if self.database != 0 {
                connection.ask(&[b"SELECT", self.database.to_string().as_bytes()]).await?;
            }
            connection.ask(&[b"PING"]).await
        };
        match tokio::time::timeout(CONNECT_TIME, greeted).await {
            Ok(Ok(_)) => Ok(connection),
            Ok(Err(error)) => Err(failure(&error, &self.host)),
            Err(_) => {
                let (host, port) = (self.host.clone(), self.port);
                Err(EgressError::TooSlow { host, port, within: CONNECT_TIME }.into())
            }
        }
    }
}

/// A connection as one run uses it.
struct Session {
    lent: Lent<Connection<Stream>>,
    host: String,
    within: Duration,
    budget: Budget,
    is_sound: bool,
}

impl Session {
    async fn open(pool: &Pool<Connection<Stream>>, account: Account) -> Result<Self, NodeError> {
        let (turn, waiting) = pool.turn(account.key, CONNECTIONS_MAX).await?;
        let mut alive = None;
        if let Some(mut connection) = waiting
            && matches!(tokio::time::timeout(CONNECT_TIME, connection.ask(&[b"PING"])).await, Ok(Ok(_)))
        {
            alive = Some(connection);
        }
        let connection = match alive {
            Some(connection) => connection,
            None => account.connect().await?,
        };
        let policy = &account.policy;
        let (within, budget) = (policy.request_time_max, Budget::new(policy.response_bytes_max));
        Ok(Self { lent: turn.with(connection), host: account.host, within, budget, is_sound: true })
    }

    /// Sends a command and waits for its answer.
    async fn ask(&mut self, command: &[&[u8]]) -> Result<Reply, NodeError> {
        // What is dropped half-way leaves half an answer behind.
        let was_sound = std::mem::replace(&mut self.is_sound, false);
        let answered = tokio::time::timeout(self.within, self.lent.connection.ask(command)).await;
        match answered {
            Ok(Ok(reply)) => {
                self.is_sound = was_sound;
                Ok(reply)
            }
            Ok(Err(error)) => {
                self.is_sound = was_sound && matches!(error, ReplyError::Refused(_));
                Err(failure(&error, &self.host))
            }
            Err(_) => Err(NodeError::api(format!(
                "the server {} did not answer within {} ms",
                self.host,
                self.within.as_millis()
            ))
            .described("check whether the server is busy, or set the node to retry on failure")),
        }
    }

    /// Counts what becomes part of an item.
    fn keep(&mut self, fields: JsonObject, index: usize) -> Result<Item, NodeError> {
        self.budget.take(&fields)?;
        Ok(Item::new(fields).paired_with(index))
    }
}

fn failure(error: &ReplyError, host: &str) -> NodeError {
    match error {
        ReplyError::Refused(message) => {
            let code = message.split(' ').next().unwrap_or_default();
            let retryable = matches!(code, "BUSY" | "LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY");
            let data: Value = json!({"code": code, "retryable": retryable});
            NodeError { data: Some(data), ..NodeError::api(message.clone()) }
        }
        other => NodeError::api(format!("the server {host} does not answer as Redis does: {other}"))
            .described("check host, port and SSL of the credential, and whether the server is running"),
    }
}
