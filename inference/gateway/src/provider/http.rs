//! Connections of one provider.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use timeloom_domain::chat::ErrorClass;
use tokio::time::Duration;
use tokio_util::task::TaskTracker;

use super::names::{Barred, Names, written_address};
use super::{InvalidProvider, ProviderConfig};
use crate::error::CallError;

/// How long a connection is kept open while nothing is asked.
const IDLE_SECONDS_MAX: u64 = 60;

/// An answer whose body has not come yet.
pub(super) type Answer = hyper::Response<Incoming>;

/// The connections.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>,
    may_reach: Option<fn(IpAddr) -> bool>,
    tasks: TaskTracker,
}

/// Runs what drives connections, so that it can be waited for.
#[derive(Clone)]
struct Owned(TaskTracker);

impl<F> hyper::rt::Executor<F> for Owned
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

impl Http {
    pub(super) fn try_new(config: &ProviderConfig) -> Result<Self, InvalidProvider> {
        let mut tcp = HttpConnector::new_with_resolver(Names::new(config.may_reach));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_millis(config.timeouts.connect_ms)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(encryption(config.authorities_pem.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let tasks = TaskTracker::new();
        let client = Client::builder(Owned(tasks.clone()))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
            .pool_max_idle_per_host(config.idle_connections_max)
            .build(connector);
        Ok(Self { client, may_reach: config.may_reach, tasks })
    }

    /// Sends a request. What came of its body is not read.
    pub(super) async fn send(&self, request: hyper::Request<Full<Bytes>>) -> Result<Answer, CallError> {
        if let (Some(may_reach), Some(address)) = (self.may_reach, written_address(request.uri()))
            && !may_reach(address)
        {
            return Err(CallError::new(ErrorClass::Unreachable, Barred(address.to_string()).to_string()));
        }
        self.client.request(request).await.map_err(|error| {
            let what = if error.is_connect() { "cannot be reached" } else { "broke the connection off" };
            CallError::new(ErrorClass::Unreachable, format!("the provider {what}: {}", innermost(&error)))
        })
    }

    pub(super) async fn close(self) {
        drop(self.client);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn encryption(authorities_pem: Option<&str>) -> Result<ClientConfig, InvalidProvider> {
    let mut roots = RootCertStore::empty();
    match authorities_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            let wrong = |error: String| InvalidProvider::Authorities(error);
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("there is none".to_owned()));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidProvider::Encryption(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What was wrong in the end, without what was being done.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What was wrong with a body.
pub(super) fn broken(error: &hyper::Error) -> CallError {
    let why = error.source().map_or_else(|| error.to_string(), innermost);
    CallError::new(ErrorClass::Unreachable, format!("the provider broke off in the middle of its answer: {why}"))
}
