//! A connection to PostgreSQL: opened through the rules of egress, read within bounds, and reset before another run has it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use serde_json::json;
use timeloom_domain::item::JsonObject;
use timeloom_egress::{EgressError, Meter, Metered, OutboundPolicy, TlsOptions, Verification, tls_config};
use timeloom_engine::node::{NodeError, NodeRun};
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::{failure, slow, untold};
use super::types::{Parameter, Raw, Style, told};
use crate::databases::batch::{Answer, Budget, Session};
use crate::databases::sql::Statement;
use crate::fields::Fields;
use crate::pool::{CONNECTIONS_MAX, Key, Lent, Pool};
use crate::tunnel::{Reached, Route, Way};

/// Longest time until there is a connection, where the node does not say.
const CONNECT_SECONDS: u64 = 30;
/// Most bytes that may come while a connection is made.
const GREETING_BYTES_MAX: usize = 1 << 20;
/// What the protocol takes beside the values, for each of them.
const OVERHEAD: usize = 2;
/// How long a statement that took too long is given to hear that it is to stop.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Where a database is, and who asks.
pub(crate) struct Account {
    config: Config,
    host: String,
    port: u16,
    way: Way,
    tls: Option<TlsOptions>,
    key: Key,
    connections_max: usize,
    policy: OutboundPolicy,
    /// Longest time for each step until there is a connection.
    connect_time: Duration,
}

impl Account {
    /// The account of the node's credential.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it asks for what cannot be done.
    pub async fn read(run: &mut NodeRun<'_>, connect_seconds: Option<u64>) -> Result<Self, NodeError> {
        let fields = Fields::of(run, "postgres").await?;
        let (host, port, way) = (fields.needed("host")?, fields.port(5432)?, Way::of(&fields)?);
        let (tls, mode) = secured(&fields);
        let seconds = connect_seconds.unwrap_or(CONNECT_SECONDS).clamp(1, 600);
        let mut config = Config::new();
        config.host(&host).port(port).ssl_mode(mode).user(fields.needed("user")?).dbname(fields.needed("database")?);
        config.password(fields.text("password")).application_name("timeloom");
        let most = usize::try_from(fields.count("maxConnections", 100)?).unwrap_or(usize::MAX);
        Ok(Self {
            config,
            host,
            port,
            way,
            tls,
            key: Key::of(run.tenant, &fields.as_json()),
            connections_max: most.min(CONNECTIONS_MAX),
            policy: run.services.outbound.clone(),
            connect_time: Duration::from_secs(seconds),
        })
    }

    async fn connect(&self, route: &Route) -> Result<Reached, NodeError> {
        route.connect(&self.host, self.port, &self.policy, self.connect_time).await
    }
}

/// How files say that a connection is secured. With `allow` it is where the server can.
fn secured(fields: &Fields) -> (Option<TlsOptions>, SslMode) {
    let authority = fields.some_text("caCertificate");
    if fields.truth("allowUnauthorizedCerts") {
        let any = TlsOptions { verification: Verification::None, ..TlsOptions::default() };
        return (Some(any), SslMode::Require);
    }
    let verified = Some(TlsOptions { authority, ..TlsOptions::default() });
    match fields.text("ssl").as_str() {
        "require" => (verified, SslMode::Require),
        "allow" => (verified, SslMode::Prefer),
        _ => (None, SslMode::Disable),
    }
}

/// A connection that is open.
pub(crate) struct Connection {
    client: Client,
    meter: Meter,
    account: Arc<Account>,
    /// What moves bytes to and fro; it ends with the connection, before what leads to the server.
    driver: JoinSet<()>,
    route: Route,
}

impl Connection {
    /// One that is the run's alone: one that waited, or a new one.
    ///
    /// # Errors
    /// [`NodeError`] when none can be had.
    pub async fn lent(pool: &Pool<Self>, account: Account) -> Result<Lent<Self>, NodeError> {
        let (turn, waiting) = pool.turn(account.key, account.connections_max).await?;
        if let Some(connection) = waiting
            && connection.reset().await
        {
            return Ok(turn.with(connection));
        }
        Ok(turn.with(Self::open(Arc::new(account)).await?))
    }

    async fn open(account: Arc<Account>) -> Result<Self, NodeError> {
        let route = account.way.open(&account.policy, account.connect_time).await?;
        let stream = account.connect(&route).await?;
        let meter = Meter::new(GREETING_BYTES_MAX);
        let stream = Metered::new(stream, meter.clone());
        let mut driver = JoinSet::new();
        let client = match &account.tls {
            None => begin(&account, stream, NoTls, &mut driver).await?,
            Some(options) => {
                begin(&account, stream, rustls_connect::<Metered<Reached>>(options, &account.host)?, &mut driver)
                    .await?
            }
        };
        Ok(Self { client, meter, account, driver, route })
    }

    /// Whether it is alive and knows nothing of the run before.
    async fn reset(&self) -> bool {
        self.meter.grant(GREETING_BYTES_MAX);
        let reset = self.client.batch_execute("DISCARD ALL");
        matches!(tokio::time::timeout(self.account.connect_time, reset).await, Ok(Ok(())))
    }

    /// Tells the server that nobody waits for its answer any more.
    async fn cancel(&self) {
        let token = self.client.cancel_token();
        let account = &self.account;
        let told = async {
            let stream = account.connect(&self.route).await?;
            let sent = match &account.tls {
                None => token.cancel_query_raw(stream, NoTls).await,
                Some(options) => {
                    token.cancel_query_raw(stream, rustls_connect::<Reached>(options, &account.host)?).await
                }
            };
            if let Err(error) = sent {
                tracing::debug!(%error, "a statement could not be cancelled");
            }
            Ok::<_, NodeError>(())
        };
        let _ = tokio::time::timeout(CANCEL_TIME, told).await;
    }
}

fn rustls_connect<S>(
    options: &TlsOptions,
    host: &str,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect, EgressError>
where
    MakeRustlsConnect: MakeTlsConnect<S>,
{
    let config = tls_config(options)?;
    MakeRustlsConnect::new((*config).clone()).make_tls_connect(host).map_err(|_| EgressError::BadHost(host.to_owned()))
}

async fn begin<T>(
    account: &Account,
    stream: Metered<Reached>,
    tls: T,
    driver: &mut JoinSet<()>,
) -> Result<Client, NodeError>
where
    T: TlsConnect<Metered<Reached>> + Send,
    T::Future: Send,
    T::Stream: Send + 'static,
{
    let connecting = account.config.connect_raw(stream, tls);
    let within = account.connect_time;
    let (client, connection) = match tokio::time::timeout(within, connecting).await {
        Ok(connected) => connected.map_err(|error| failure(&error, &account.host))?,
        Err(_) => {
            return Err(EgressError::TooSlow { host: account.host.clone(), port: account.port, within }.into());
        }
    };
    driver.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    Ok(client)
}

/// A connection as one run uses it.
pub(crate) struct Running<'c> {
    connection: &'c mut Connection,
    style: Style,
    budget: Budget,
    within: Duration,
    /// Statements that were prepared, by their text: many items mostly have the same.
    prepared: Option<(String, tokio_postgres::Statement)>,
    /// Whether nothing went wrong that leaves the connection in doubt.
    is_sound: bool,
}

impl<'c> Running<'c> {
    pub fn new(connection: &'c mut Connection, style: Style) -> Self {
        let policy = connection.account.policy.clone();
        let bytes = policy.response_bytes_max;
        connection.meter.grant(bytes.saturating_mul(OVERHEAD).saturating_add(GREETING_BYTES_MAX));
        let within = policy.request_time_max;
        Self { connection, style, budget: Budget::new(bytes), within, prepared: None, is_sound: true }
    }

    /// Whether another run may have the connection.
    pub fn is_sound(&self) -> bool {
        self.is_sound && !self.connection.client.is_closed() && !self.connection.driver.is_empty()
    }

    async fn ask(&mut self, statement: &Statement) -> Result<Answer, NodeError> {
        let host = self.connection.account.host.clone();
        let client = &self.connection.client;
        let failed = |error: tokio_postgres::Error| failure(&error, &host);
        let prepared = match self.prepared.take().filter(|(text, _)| *text == statement.text) {
            Some((_, prepared)) => prepared,
            None => client.prepare(&statement.text).await.map_err(failed)?,
        };
        if prepared.params().len() != statement.values.len() {
            return Err(NodeError::operation(format!(
                "the query has {} parameters, and {} values are given",
                prepared.params().len(),
                statement.values.len()
            )));
        }
        let parameters: Vec<Parameter<'_>> = statement.values.iter().map(Parameter).collect();
        let parameters = parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync));
        let rows = client.query_raw(&prepared, parameters).await.map_err(failed)?;
        futures::pin_mut!(rows);
        let mut answer = Answer::default();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let mut object = JsonObject::new();
            for (place, column) in row.columns().iter().enumerate() {
                let raw: Option<Raw<'_>> = row.try_get(place).map_err(failed)?;
                let value = raw.map(|raw| told(column.type_(), raw.0, self.style)).transpose();
                object.insert(
                    column.name().to_owned(),
                    value.map_err(|error| untold(&error, column.name()))?.unwrap_or_default(),
                );
            }
            self.budget.take(&object)?;
            answer.rows.push(object);
        }
        let affected = rows.rows_affected();
        answer.told.insert("affectedRows".to_owned(), json!(affected));
        self.prepared = Some((statement.text.clone(), prepared));
        Ok(answer)
    }

    async fn say(&mut self, words: &str) -> Result<(), NodeError> {
        let said = tokio::time::timeout(self.within, self.connection.client.batch_execute(words)).await;
        match said {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.is_sound = false;
                Err(failure(&error, &self.connection.account.host))
            }
            Err(_) => {
                self.is_sound = false;
                Err(slow(&self.connection.account.host, self.within))
            }
        }
    }
}

#[async_trait]
impl Session for Running<'_> {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, NodeError> {
        let within = self.within;
        let answered = tokio::time::timeout(within, self.ask(statement)).await;
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                // Rows that nobody took may still be on their way.
                self.is_sound &= error.data.is_some();
                if self.connection.meter.is_used_up() {
                    return Err(too_much(&self.connection.account));
                }
                Err(error)
            }
            Err(_) => {
                self.is_sound = false;
                self.connection.cancel().await;
                Err(slow(&self.connection.account.host, within))
            }
        }
    }

    async fn begin(&mut self) -> Result<(), NodeError> {
        self.say("BEGIN").await
    }

    async fn end(&mut self, done: bool) -> Result<(), NodeError> {
        self.say(if done { "COMMIT" } else { "ROLLBACK" }).await
    }
}

fn too_much(account: &Account) -> NodeError {
    NodeError::api(format!("the server {} sent more than {} bytes", account.host, account.policy.response_bytes_max))
        .described("select fewer rows or columns, or page by page with a limit")
}
