//! A connection to MySQL or MariaDB: to an address that egress checked or through a tunnel, read within bounds, and reset before
//! another run has it.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{ClientIdentity, Conn, Error, IoError, Opts, OptsBuilder, Params, SslOpts};
use serde_json::json;
use timeloom_domain::item::JsonObject;
use timeloom_egress::{ClientKey, EgressError, OutboundPolicy, TlsOptions, resolve, tls_config};
use timeloom_engine::node::{NodeError, NodeRun};

use super::types::{Style, sent, told};
use crate::databases::batch::{Answer, Budget, Session};
use crate::databases::sql::Statement;
use crate::fields::Fields;
use crate::pool::{CONNECTIONS_MAX, Key, Lent, Pool};
use crate::tunnel::{Doorway, Route, Way};

/// Longest time until there is a connection, where nobody says, in milliseconds.
const CONNECT_MS: u64 = 10_000;
/// How long a statement that took too long is given to hear that it is to stop.
const CANCEL_TIME: Duration = Duration::from_secs(5);
/// The server's word for a statement that cannot be prepared.
const CANNOT_PREPARE: u16 = 1295;
/// Errors that may be gone the next time: too many connections, a server that stops, locks, deadlocks.
const PASSING: [u16; 8] = [1040, 1053, 1159, 1161, 1203, 1205, 1213, 1226];
/// Most statements that a server keeps prepared for one connection.
const PREPARED_MAX: usize = 16;

/// Where a database is, and who asks.
pub(crate) struct Account {
    host: String,
    port: u16,
    way: Way,
    options: OptsBuilder,
    key: Key,
    connections_max: usize,
    policy: OutboundPolicy,
    within: Duration,
}

impl Account {
    /// The account of the node's credential.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it asks for what cannot be done.
    pub async fn read(run: &mut NodeRun<'_>, connect_ms: Option<u64>, limit: Option<u64>) -> Result<Self, NodeError> {
        let fields = Fields::of(run, "mySql").await?;
        let (host, port, way) = (fields.needed("host")?, fields.port(3306)?, Way::of(&fields)?);
        let policy = run.services.outbound.clone();
        let milliseconds = match connect_ms {
            Some(milliseconds) => milliseconds,
            None => fields.count("connectTimeout", CONNECT_MS)?,
        };
        let mut options = OptsBuilder::default()
            .ip_or_hostname(timeloom_egress::bare_host(&host))
            .tcp_port(port)
            .user(fields.some_text("user"))
            .pass(fields.some_text("password"))
            .db_name(fields.some_text("database"))
            // A server on this machine would name a socket in the file system.
            .prefer_socket(false)
            .stmt_cache_size(PREPARED_MAX)
            .max_allowed_packet(Some(policy.response_bytes_max));
        if fields.truth("ssl") {
            options = options.ssl_opts(secured(&fields)?);
        }
        let most = limit.unwrap_or(u64::MAX).try_into().unwrap_or(usize::MAX);
        Ok(Self {
            host,
            port,
            way,
            options,
            key: Key::of(run.tenant, &fields.as_json()),
            connections_max: most.min(CONNECTIONS_MAX),
            policy,
            within: Duration::from_millis(milliseconds.clamp(1, 600_000)),
        })
    }
}

fn secured(fields: &Fields) -> Result<SslOpts, NodeError> {
    let authority = fields.some_text("caCertificate");
    let client = match (fields.some_text("clientCertificate"), fields.some_text("clientPrivateKey")) {
        (Some(certificate), Some(key)) => Some(ClientKey { certificate, key }),
        _ => None,
    };
    // Read here as well, so that a certificate which is none is told in the same words as with every other node.
    tls_config(&TlsOptions { authority: authority.clone(), client: client.clone(), ..TlsOptions::default() })?;
    // The client asks for the provider of the process. Where somebody chose one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = SslOpts::default();
    if let Some(authority) = authority {
        options = options.with_root_certs(vec![authority.into_bytes().into()]).with_disable_built_in_roots(true);
    }
    let identity = client
        .map(|client| ClientIdentity::new(client.certificate.into_bytes().into(), client.key.into_bytes().into()));
    Ok(options.with_client_identity(identity))
}

/// A connection that is open.
pub(crate) struct Connection {
    conn: Conn,
    /// What leads the client to the other end of a tunnel; it ends before the tunnel.
    _doorway: Option<Doorway>,
    place: Place,
    policy: OutboundPolicy,
}

/// Where the server is, and how it is reached.
struct Place {
    host: String,
    port: u16,
    route: Route,
    /// With the addresses that were checked, where there is no tunnel.
    options: OptsBuilder,
    within: Duration,
}

impl Place {
    /// Finds the server's addresses, or opens the tunnel to it.
    async fn find(account: Account) -> Result<(Self, OutboundPolicy), NodeError> {
        let Account { host, port, way, mut options, policy, within, .. } = account;
        let route = way.open(&policy, within).await?;
        if matches!(route, Route::Straight) {
            let found = tokio::time::timeout(within, resolve(&host, port, &policy)).await;
            let found = found.map_err(|_| EgressError::TooSlow { host: host.clone(), port, within })??;
            options = options.resolved_ips(Some(found.iter().map(SocketAddr::ip).collect::<Vec<_>>()));
        }
        Ok((Self { host, port, route, options, within }, policy))
    }

    /// What leads the client to the server: a doorway serves one connection.
    async fn options(&self) -> Result<(Opts, Option<Doorway>), NodeError> {
        let Some(stream) = self.route.through(&self.host, self.port, self.within).await? else {
            return Ok((self.options.clone().into(), None));
        };
        let doorway = Doorway::to(stream).await?;
        let (address, port) = (doorway.address.ip(), doorway.address.port());
        // The host stays as it is: certificates are compared with it.
        Ok((self.options.clone().resolved_ips(Some(vec![address])).tcp_port(port).into(), Some(doorway)))
    }
}

impl Connection {
    /// One that is the run's alone: one that waited, or a new one.
    ///
    /// # Errors
    /// [`NodeError`] when none can be had.
    pub async fn lent(pool: &Pool<Self>, account: Account) -> Result<Lent<Self>, NodeError> {
        let (turn, waiting) = pool.turn(account.key, account.connections_max).await?;
        if let Some(mut connection) = waiting {
            let reset = tokio::time::timeout(connection.place.within, connection.conn.reset()).await;
            if matches!(reset, Ok(Ok(true))) {
                return Ok(turn.with(connection));
            }
        }
        Ok(turn.with(Self::open(account).await?))
    }

    async fn open(account: Account) -> Result<Self, NodeError> {
        let (place, policy) = Place::find(account).await?;
        let (options, doorway) = place.options().await?;
        // The client takes for granted that a packet is not empty: one that is ends it, and must not end more.
        let made = AssertUnwindSafe(Conn::new(options)).catch_unwind();
        let conn = match tokio::time::timeout(place.within, made).await {
            Ok(made) => made.map_err(|_| garbage(&place.host))?.map_err(|error| failure(&error, &place.host))?,
            Err(_) => {
                let Place { host, port, within, .. } = place;
                return Err(EgressError::TooSlow { host, port, within }.into());
            }
        };
        Ok(Self { conn, _doorway: doorway, place, policy })
    }

    /// Tells the server that nobody waits for its answer any more.
    async fn cancel(&self) {
        let told = async {
            let (options, _doorway) = self.place.options().await?;
            let failed = |error: Error| failure(&error, &self.place.host);
            let mut other = Conn::new(options).await.map_err(failed)?;
            other.query_drop(format!("KILL QUERY {}", self.conn.id())).await.map_err(failed)?;
            other.disconnect().await.map_err(failed)
        };
        if let Ok(Err(error)) = tokio::time::timeout(CANCEL_TIME, told).await {
            tracing::debug!(%error, "a statement could not be cancelled");
        }
    }
}

/// A connection as one run uses it.
pub(crate) struct Running<'c> {
    connection: &'c mut Connection,
    style: Style,
    budget: Budget,
    within: Duration,
    is_sound: bool,
}

impl<'c> Running<'c> {
    pub fn new(connection: &'c mut Connection, style: Style) -> Self {
        let (bytes, within) = (connection.policy.response_bytes_max, connection.policy.request_time_max);
        Self { connection, style, budget: Budget::new(bytes), within, is_sound: true }
    }

    /// Whether another run may have the connection.
    pub fn is_sound(&self) -> bool {
        self.is_sound && !self.connection.conn.is_disconnected()
    }

    async fn ask(&mut self, statement: &Statement) -> Result<Answer, NodeError> {
        let host = self.connection.place.host.clone();
        let failed = |error: Error| failure(&error, &host);
        let (style, budget, conn) = (self.style, &mut self.budget, &mut self.connection.conn);
        let values: Vec<mysql_async::Value> = statement.values.iter().map(sent).collect();
        let has_values = !values.is_empty();
        let parameters = if has_values { Params::Positional(values) } else { Params::Empty };
        let prepared = match conn.prep(statement.text.as_str()).await {
            Ok(prepared) => Some(prepared),
            Err(Error::Server(said)) if said.code == CANNOT_PREPARE && !has_values => None,
            Err(error) => return Err(failed(error)),
        };
        match prepared {
            Some(prepared) => {
                let mut result = conn.exec_iter(&prepared, parameters).await.map_err(failed)?;
                read(&mut result, style, budget).await.map_err(|error| error.said(&host))
            }
            None => {
                let mut result = conn.query_iter(statement.text.as_str()).await.map_err(failed)?;
                read(&mut result, style, budget).await.map_err(|error| error.said(&host))
            }
        }
    }

    async fn say(&mut self, words: &str) -> Result<(), NodeError> {
        let said = tokio::time::timeout(self.within, self.connection.conn.query_drop(words)).await;
        let failed = match said {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => failure(&error, &self.connection.place.host),
            Err(_) => slow(&self.connection.place.host, self.within),
        };
        self.is_sound = false;
        Err(failed)
    }
}

/// Why an answer was not read to its end.
enum Unread {
    Failed(Error),
    Refused(NodeError),
}

impl Unread {
    fn said(self, host: &str) -> NodeError {
        match self {
            Self::Failed(error) => failure(&error, host),
            Self::Refused(error) => error,
        }
    }
}

async fn read<P>(
    result: &mut mysql_async::QueryResult<'_, '_, P>,
    style: Style,
    budget: &mut Budget,
) -> Result<Answer, Unread>
where
    P: mysql_async::prelude::Protocol,
{
    let mut answer = Answer::default();
    // A procedure may give several tables; what follows the last one is how it ended.
    loop {
        let columns = result.columns();
        while let Some(row) = result.next().await.map_err(Unread::Failed)? {
            let columns = columns.as_deref().unwrap_or_default();
            let mut object = JsonObject::new();
            for (column, value) in columns.iter().zip(row.unwrap()) {
                let value = told(column, value, style).map_err(Unread::Refused)?;
                object.insert(column.name_str().into_owned(), value);
            }
            budget.take(&object).map_err(Unread::Refused)?;
            answer.rows.push(object);
        }
        answer.has_rows |= columns.is_some_and(|columns| !columns.is_empty());
        if result.is_empty() {
            break;
        }
    }
    let told = json!({
        "fieldCount": 0, "affectedRows": result.affected_rows(), "insertId": result.last_insert_id().unwrap_or_default(),
        "info": result.info(), "warningStatus": result.warnings(),
    });
    answer.told = told.as_object().cloned().unwrap_or_default();
    Ok(answer)
}

#[async_trait]
impl Session for Running<'_> {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, NodeError> {
        let within = self.within;
        let asked = AssertUnwindSafe(self.ask(statement)).catch_unwind();
        let answered = tokio::time::timeout(within, asked).await;
        let host = &self.connection.place.host;
        match answered.map(|answered| answered.unwrap_or_else(|_| Err(garbage(host)))) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                // Rows that nobody took may still be on their way.
                self.is_sound &= error.data.is_some();
                Err(error)
            }
            Err(_) => {
                self.is_sound = false;
                self.connection.cancel().await;
                Err(slow(&self.connection.place.host, within))
            }
        }
    }

    async fn begin(&mut self) -> Result<(), NodeError> {
        self.say("START TRANSACTION").await
    }

    async fn end(&mut self, done: bool) -> Result<(), NodeError> {
        self.say(if done { "COMMIT" } else { "ROLLBACK" }).await
    }
}

/// The failure of a statement or a connection.
fn failure(error: &Error, host: &str) -> NodeError {
    let said = match error {
        Error::Server(said) => said,
        Error::Io(IoError::Tls(why)) => {
            return NodeError::operation(format!("no secure connection to {host}: {why}")).described(
                "check the certificates of the credential, and that the host is the one of the certificate",
            );
        }
        other => {
            return NodeError::api(format!("the database on {host} does not answer as MySQL does: {other}"))
                .described("check host, port and SSL of the credential, and whether the server is running");
        }
    };
    let retryable = PASSING.contains(&said.code);
    let data = json!({"errno": said.code, "sqlState": said.state, "retryable": retryable});
    NodeError { data: Some(data), ..NodeError::api(said.message.clone()) }
}

fn garbage(host: &str) -> NodeError {
    NodeError::api(format!("the database on {host} does not answer as MySQL does"))
        .described("check host, port and SSL of the credential, and whether the server is running")
}

fn slow(host: &str, within: Duration) -> NodeError {
    NodeError::api(format!("the database on {host} did not answer within {} ms", within.as_millis()))
        .described("let the statement do less, or the operator allow more time")
}
