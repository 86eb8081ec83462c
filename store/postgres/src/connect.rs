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
use tokio_postgres::config::{Host, SslMode};
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
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let root_certificate =
            parameters.iter().find(|(name, _)| name == ROOT_CERTIFICATE).map(|(_, path)| path.clone());
        let mode_is_said = parameters.iter().any(|(name, _)| name == "sslmode");
        if root_certificate.is_some() {
            let others: Vec<_> = parameters.into_iter().filter(|(name, _)| name != ROOT_CERTIFICATE).collect();
            url.set_query(None);
            if !others.is_empty() {
                url.query_pairs_mut().extend_pairs(others);
            }
        }
        let mut config: Config = url.as_str().parse().map_err(|error| AddressError::Invalid(describe(&error)))?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(AddressError::Invalid("it names no database".to_owned()));
        }
        if !mode_is_said {
            config.ssl_mode(if is_local(&config) { SslMode::Disable } else { SslMode::Require });
        }
        config
            .application_name("timeloom")
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

    /// A connection that tells of new positions; `tasks` owns what drives it.
    pub(crate) async fn connect(&self, tasks: &TaskTracker) -> Result<Listening, tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let (told, announced) = watch::channel(0);
        tasks.spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => {
                        // Anybody may announce anything: it is a reason to look, and nothing more.
                        told.send_replace(notification.payload().parse().unwrap_or(u64::MAX));
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
                let settings = format!("{SYNC}; SET statement_timeout = {READ_STATEMENT_MS_MAX}");
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
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
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
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = Address::parse("postgres://a:secret@localhost/x?options=-csearch_path%3Done").unwrap();
        assert_eq!(format!("{address} {address:?}"), "postgres://a@localhost/x postgres://a@localhost/x");
        assert_eq!(address.config.get_options(), Some("-csearch_path=one"));
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
