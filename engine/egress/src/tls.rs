//! TLS over a connection: the certificate is checked against the host as it was written.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connect::Timeouts;
use crate::error::EgressError;
use crate::policy::bare_host;

/// How a connection is secured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// Certificate authorities in PEM form that are believed instead of the public ones.
    pub authority: Option<String>,
    /// What proves who we are.
    pub client: Option<ClientKey>,
    /// Whether the server has to prove who it is.
    pub verification: Verification,
}

/// A certificate of our own with its key, both in PEM form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// The certificate, and those above it.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientKey").finish_non_exhaustive()
    }
}

/// Whether the server has to prove who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Verification {
    /// By a certificate of the host, from an authority that is believed.
    #[default]
    Full,
    /// Not at all: anybody in between can read and change everything. For credentials that say so.
    None,
}

/// What [`secure`] needs; to be made once and used for many connections.
///
/// # Errors
/// [`EgressError::BadCertificate`] when a certificate or a key is not in PEM form.
pub fn tls_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, EgressError> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad("encryption", error))?;
    let wanted = match options.verification {
        Verification::Full => versions.with_root_certificates(roots(options.authority.as_deref())?),
        Verification::None => versions.dangerous().with_custom_certificate_verifier(Arc::new(Anybody { provider })),
    };
    let config = match &options.client {
        None => wanted.with_no_client_auth(),
        Some(client) => {
            let chain = certificates("client certificate", &client.certificate)?;
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).map_err(|error| bad("client key", error))?;
            wanted.with_client_auth_cert(chain, key).map_err(|error| bad("client certificate", error))?
        }
    };
    Ok(Arc::new(config))
}

/// Agrees on TLS over a stream with the server that is `host`.
///
/// # Errors
/// [`EgressError`] when the certificate does not verify, the other side speaks no TLS, or does not answer in time.
pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    config: Arc<ClientConfig>,
    timeouts: Timeouts,
) -> Result<TlsStream<S>, EgressError> {
    let host = bare_host(host).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| EgressError::BadHost(host.clone()))?;
    match tokio::time::timeout(timeouts.connect, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(secured)) => Ok(secured),
        Ok(Err(source)) => Err(EgressError::Insecure { host, source }),
        Err(_) => Err(EgressError::TooSlow { host, port: 0, within: timeouts.connect }),
    }
}

fn roots(authority: Option<&str>) -> Result<RootCertStore, EgressError> {
    const WHAT: &str = "certificate authority";
    let mut roots = RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in certificates(WHAT, pem)? {
                roots.add(certificate).map_err(|error| bad(WHAT, error))?;
            }
        }
    }
    Ok(roots)
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, EgressError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|error| bad(what, error))?;
    if read.is_empty() { Err(bad(what, "there is no certificate in it")) } else { Ok(read) }
}

fn bad(what: &'static str, why: impl std::fmt::Display) -> EgressError {
    EgressError::BadCertificate { what, why: why.to_string() }
}

/// Believes any certificate. That the other side has its key is checked all the same.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a failed agreement was about, for messages that tell more than that it failed.
impl EgressError {
    /// Whether the server's certificate is what failed.
    pub fn is_about_certificate(&self) -> bool {
        let Self::Insecure { source, .. } = self else { return false };
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        source.kind() == io::ErrorKind::InvalidData
            && matches!(inner, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinSet;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const SOON: Timeouts = Timeouts { connect: Duration::from_millis(500) };

    /// A server with a certificate of its own for `db.test`: one end of a pipe, and the certificate.
    fn server(tasks: &mut JoinSet<()>) -> (DuplexStream, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["db.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let (ours, theirs) = duplex(1 << 16);
        tasks.spawn(async move {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(theirs).await {
                let _ = stream.write_all(b"hello").await;
                let _ = stream.shutdown().await;
            }
        });
        (ours, cert.pem())
    }

    async fn greeting(host: &str, options: impl Fn(String) -> TlsOptions) -> Result<String, EgressError> {
        let mut tasks = JoinSet::new();
        let (ours, authority) = server(&mut tasks);
        let mut stream = secure(ours, host, tls_config(&options(authority))?, SOON).await?;
        let mut told = [0; 5];
        stream.read_exact(&mut told).await.unwrap();
        Ok(String::from_utf8(told.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_certificate_is_believed_only_for_its_host_and_from_an_authority_that_was_given() {
        let own = |authority| TlsOptions { authority: Some(authority), ..TlsOptions::default() };
        assert_eq!(greeting("db.test", own).await.unwrap(), "hello");
        let other_host = greeting("other.test", own).await.unwrap_err();
        assert!(other_host.is_about_certificate() && other_host.is_refusal(), "{other_host}");
        let unknown = greeting("db.test", |_| TlsOptions::default()).await.unwrap_err();
        assert!(unknown.is_about_certificate(), "{unknown}");
        let any = |_| TlsOptions { verification: Verification::None, ..TlsOptions::default() };
        assert_eq!(greeting("other.test", any).await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_or_rubbish_is_given_up() {
        let (ours, _theirs) = duplex(1 << 16);
        let silent = secure(ours, "db.test", tls_config(&TlsOptions::default()).unwrap(), SOON).await.unwrap_err();
        assert!(matches!(silent, EgressError::TooSlow { .. }), "{silent}");
        let (ours, mut theirs) = duplex(1 << 16);
        theirs.write_all(b"-ERR this is no TLS\r\n").await.unwrap();
        let rubbish = secure(ours, "db.test", tls_config(&TlsOptions::default()).unwrap(), SOON).await.unwrap_err();
        assert!(matches!(rubbish, EgressError::Insecure { .. }) && !rubbish.is_about_certificate(), "{rubbish}");
    }

    #[test]
    fn certificates_that_are_none_are_refused_without_their_text() {
        for (authority, client) in [
            (Some("open sesame"), None),
            (None, Some(ClientKey { certificate: "open sesame".to_owned(), key: "open sesame".to_owned() })),
        ] {
            let options = TlsOptions { authority: authority.map(str::to_owned), client, ..TlsOptions::default() };
            let error = tls_config(&options).unwrap_err().to_string();
            assert!(error.contains("cannot be read") && !error.contains("sesame"), "{error}");
        }
    }
}
