//! Encrypted connections: to whom an authority vouches for, and to nobody else.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use timeloom_domain::chat::ErrorClass;
use timeloom_gateway::openai::Dialect;
use timeloom_gateway::provider::{InvalidProvider, Protocol, Provider, ProviderConfig};
use timeloom_gateway::upstream::{Prompt, Upstream as _};

use crate::support::{At, Standing, hello};

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}"#;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that `authority` vouches for, and that answers one request of one connection.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>) -> (String, JoinHandle<()>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    let task = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut head = [0; 4096];
        // Who does not trust us says nothing.
        let Ok(1..) = BufReader::new(&mut stream).read(&mut head) else { return };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
        stream.write_all(answer.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (url, task)
}

fn provider(url: String, authorities_pem: Option<String>) -> Result<Provider, InvalidProvider> {
    let mut config = ProviderConfig::new("a", Protocol::OpenAi(Dialect::default()));
    config.authorities_pem = authorities_pem;
    Provider::try_new(config, Arc::new(At(url)), Arc::new(Standing::default()))
}

#[tokio::test]
async fn a_provider_is_trusted_whom_a_trusted_authority_vouches_for_and_no_other() {
    let ours = authority();
    let (url, task) = serve(&ours);
    let trusted = provider(url, Some(ours.pem())).unwrap();
    let answered = trusted.chat(&Prompt::words(hello()), "m").await.unwrap();
    assert_eq!(answered.answer.text(), "hi");
    task.join().unwrap();
    for trusted in [None, Some(authority().pem())] {
        let (url, task) = serve(&ours);
        let error = provider(url, trusted).unwrap().chat(&Prompt::words(hello()), "m").await.unwrap_err();
        assert!(error.class == ErrorClass::Unreachable && error.message.contains("certificate"), "{error}");
        task.join().unwrap();
    }
}

#[test]
fn certificates_that_are_none_are_refused() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = provider("https://localhost/".to_owned(), Some(pem.to_owned())).unwrap_err();
        assert!(matches!(refused, InvalidProvider::Authorities(_)), "{refused}");
    }
}
