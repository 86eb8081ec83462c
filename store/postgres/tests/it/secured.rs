//! Connections by a network are encrypted and go to whom the certificate names, or are not made.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use timeloom_postgres_testing::{Database, Server};
use timeloom_store::EventLog;

use crate::{append, open, try_open};

fn write_root(folder: &Path, name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, issuer.pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_verified_against_the_authority_that_the_address_names() {
    let (ours, theirs, folder) = (authority(), authority(), TempDir::new().unwrap());
    let key = KeyPair::generate().unwrap();
    let named = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = named.signed_by(&key, &ours).unwrap();
    let server = Server::start_new_with_tls(&certificate.pem(), &key.serialize_pem());
    let database = Database::create_on(&server).await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let port = server.port();
    let url = |root: &str| format!("postgres://postgres@localhost:{port}/{name}?sslrootcert={root}");

    let refused = try_open(&url(&write_root(folder.path(), "theirs.pem", &theirs))).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let (log, _) = open(&url(&write_root(folder.path(), "ours.pem", &ours))).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'timeloom' AND datname = current_database()";
    assert!(database.client().await.query_one(encrypted, &[]).await.unwrap().get::<_, bool>(0));
}
