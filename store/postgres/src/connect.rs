//! How the database is reached: an address, connections that are driven by owned tasks, TLS by rustls.
//!
//! A certificate is always verified where TLS is used. Without a word on `sslmode` in the address, sockets and loopback
//! addresses are used in the clear and everything else needs TLS.

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;
use url::Url;

/// Longest time that connecting may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest time that sent data may go unacknowledged before a connection counts as lost.
const UNACKNOWLEDGED_TIME_MAX: Duration = Duration::from_secs(10);
/// Reads that run at the same time.
const READ_CONNECTIONS_MAX: usize = 8;
/// Longest time that a read waits for its turn.
const READ_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest time that one statement of a read may take in the server, in milliseconds.
const READ_STATEMENT_MS_MAX: u32 = 120_000;
/// The parameter of an address that names a file with certificates to trust.
const ROOT_CERTIFICATE: &str = "sslrootcert";

/// What every connection that writes says first: an acknowledged commit is on the disk, whatever the server's default.
pub(crate) const SYNC: &str = "SELECT set_config('synchronous_commit', \
     CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

/// How every connection plans: by indexes. A statement is planned once, maybe while its table is new and empty, when reading
/// all of it looks cheapest; the plan would be kept while the table grows.
/// Row security is off: a role that is not the owner is to meet an error, not a log without events.
pub(crate) const PLAN: &str = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off; \
     SET row_security = off";

/// Where a database is: `postgres://user:password@host:port/database`, with the parameters of libpq that matter here, among
/// them `sslmode`, `sslrootcert` and `options=-csearch_path%3Dschema`. Written out, it hides the password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    shown: String,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is not a URL of a database.
    #[error("this is not the address of a PostgreSQL database ({0}): it looks like postgres://user@host:5432/database")]
    Invalid(String),
    /// The certificates to trust cannot be read.
    #[error("the certificates in {} cannot be read ({error}): sslrootcert names a file in PEM form", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`], whose message says what to do and never shows the password.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text).map_err(|error| AddressError::Invalid(error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(AddressError::Invalid(format!("its scheme is '{}'", url.scheme())));
        }
        // By hand: the client decodes percent signs only, so what is written must not be written again another way.
        let parameters: Vec<&str> =
            url.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()).collect();
        let value = |name: &str| {
            let is_named = |(found, _): &(std::borrow::Cow<'_, str>, _)| found == name;
            url.query_pairs().find(is_named).map(|(_, value)| value.into_owned())
        };
        let (root_certificate, mode) = (value(ROOT_CERTIFICATE), value("sslmode"));
        let known = |part: &&&str| !part.starts_with("sslrootcert=") && !part.starts_with("sslmode=");
        let others = parameters.iter().filter(known).copied().collect::<Vec<_>>().join("&");
        url.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
        let mut config: Config = url.as_str().parse().map_err(|error| AddressError::Invalid(describe(&error)))?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(AddressError::Invalid("it names no database".to_owned()));
        }
        let local = is_local(&config) && root_certificate.is_none();
        config.ssl_mode(match mode.as_deref() {
            Some("disable") => SslMode::Disable,
            None | Some("allow" | "prefer") if local => SslMode::Disable,
            // A certificate is always verified: the three are one.
            None | Some("allow" | "prefer" | "require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(other) => return Err(AddressError::Invalid(format!("sslmode '{other}' is not known"))),
        });
        config
            .application_name("timeloom")
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_user_timeout(UNACKNOWLEDGED_TIME_MAX)
            .keepalives_idle(UNACKNOWLEDGED_TIME_MAX);
        let mut shown = url.clone();
        // The part that cannot have a password has none to hide.
        let _ = shown.set_password(None);
        shown.set_query(None);
        Ok(Self { config, tls: tls(root_certificate.map(PathBuf::from))?, shown: shown.into() })
    }

    /// The parameters of its connections.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How its connections are secured.
    pub fn tls(&self) -> &MakeRustlsConnect {
        &self.tls
    }

    /// A connection that tells of new positions; `tasks` owns what drives it.
    pub(crate) async fn connect(&self, tasks: &TaskTracker) -> Result<Listening, tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let (told, announced) = watch::channel(0);
        tasks.spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => {
                        // Anybody may announce anything: it is a reason to look, and nothing more.
                        let announced: u64 = notification.payload().parse().unwrap_or(0);
                        told.send_modify(|newest| *newest = (*newest).max(announced));
                    }
                    Ok(_) => {}
                    // Whoever uses the connection meets the error at the next statement.
                    Err(_) => break,
                }
            }
        });
        Ok(Listening { client, announced })
    }

    /// Connections for reads and blobs.
    pub(crate) fn pool(&self) -> Result<Pool, deadpool_postgres::BuildError> {
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), settings);
        let prepare = Hook::async_fn(|client, _| {
            Box::pin(async move {
                let settings = format!("{SYNC}; {PLAN}; SET statement_timeout = {READ_STATEMENT_MS_MAX}");
                client.batch_execute(&settings).await.map_err(HookError::Backend)
            })
        });
        Pool::builder(manager)
            .max_size(READ_CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(READ_WAIT_MAX))
            .create_timeout(Some(2 * CONNECT_TIME_MAX))
            .post_create(prepare)
            .build()
    }
}

/// A connection, and the position that was announced on it last.
pub(crate) struct Listening {
    pub(crate) client: Client,
    pub(crate) announced: watch::Receiver<u64>,
}

/// Whether every host is this machine.
fn is_local(config: &Config) -> bool {
    let is_local_host = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_local_host) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn tls(root_certificate: Option<PathBuf>) -> Result<MakeRustlsConnect, AddressError> {
    let mut roots = RootCertStore::empty();
    match root_certificate {
        Some(path) => {
            let refused = |error: String| AddressError::Certificates { path: path.clone(), error };
            let certificates = CertificateDer::pem_file_iter(&path).map_err(|error| refused(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(refused("there is no certificate in it".to_owned()));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| AddressError::Invalid(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// An error with its causes: the client's own text leaves them out.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> SslMode {
        Address::parse(text).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_somebody_says_otherwise() {
        assert_eq!(mode("postgres://a@db.example.org/x"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example.org/x?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://a@localhost/x"), SslMode::Disable);
        assert_eq!(mode("postgres://a@[::1]:5433/x"), SslMode::Disable);
        assert_eq!(mode("postgres://a@%2Frun%2Fpostgresql/x"), SslMode::Disable);
        assert_eq!(mode("postgres://a@127.0.0.1/x?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example.org/x?sslmode=prefer"), SslMode::Require);
        assert_eq!(mode("postgres://a@localhost/x?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://a@localhost/x?hostaddr=10.0.0.5"), SslMode::Require);
        assert!(Address::parse("postgres://a@h/x?sslmode=maybe").is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let text = "postgres://a:secret@localhost/x?options=-c%20search_path%3Done&sslmode=disable";
        let address = Address::parse(text).unwrap();
        assert_eq!(format!("{address} {address:?}"), "postgres://a@localhost/x postgres://a@localhost/x");
        assert_eq!(address.config.get_options(), Some("-c search_path=one"));
        for wrong in ["postgres://a:secret@localhost:port/x", "mysql://a:secret@h/x", "postgres://a:secret@h", "x"] {
            let refused = Address::parse(wrong).unwrap_err().to_string();
            assert!(refused.contains("postgres://user@host:5432/database") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn certificates_to_trust_are_read_from_a_file() {
        let refused = Address::parse("postgres://a@h/x?sslmode=require&sslrootcert=/nowhere.pem").unwrap_err();
        assert!(refused.to_string().starts_with("the certificates in /nowhere.pem cannot be read"), "{refused}");
    }
}
