//! PostgreSQL and MariaDB through a tunnel of OpenSSH.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_nodes::testing::Bench;

use crate::services::free_port;
use crate::services::sshd::{Sshd, key};
use crate::{failure, json_given, mysql, postgres};

/// The fields with others in their place.
fn with(fields: &Value, change: &Value) -> Value {
    let mut fields = fields.clone();
    fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    fields
}

/// The bench where nothing can be reached but the server of SSH.
fn shut<'b>(mut bench: Bench<'b>, server: &Sshd) -> Bench<'b> {
    bench.services.outbound.allow_private = false;
    bench.services.outbound.allowed_hosts.insert(format!("localhost:{}", server.port));
    bench
}

#[tokio::test]
async fn postgres_is_reached_from_where_the_server_of_ssh_is() {
    let (ground, server) = (postgres::Ground::new("").await, Sshd::start());
    let query = || shut(ground.query("SELECT 1 AS a", json!("")), &server);
    let straight = failure(&mut query()).await;
    assert!(straight.message.contains("private or reserved"), "{straight}");
    let fields = with(&ground.fields, &server.tunnel());
    for _ in 0..2 {
        let mut bench = query().credential("postgres", fields.clone());
        assert_eq!(json_given(&mut bench).await, json!([{"a": 1}]));
    }
    // Without TLS the server asks for the password in the same way.
    let plain = with(&fields, &json!({"ssl": "disable"}));
    assert_eq!(json_given(&mut query().credential("postgres", plain)).await, json!([{"a": 1}]));
}

#[tokio::test]
async fn a_statement_behind_a_tunnel_that_takes_too_long_is_stopped_on_the_server_too() {
    let (ground, server) = (postgres::Ground::new("").await, Sshd::start());
    let fields = with(&ground.fields, &server.tunnel());
    let mut slow = ground.query("SELECT pg_sleep(600)", json!("")).credential("postgres", fields);
    slow.services.outbound.request_time_max = Duration::from_millis(300);
    let error = failure(&mut slow).await;
    assert!(error.message.contains("did not answer within 300 ms"), "{error}");
    let running = "SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()";
    let gone = async { while ground.rows(running).await != json!([{"n": 0}]) {} };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the statement still runs");
}

#[tokio::test]
async fn what_a_tunnel_fails_at_is_told_with_the_machine_concerned_and_no_secret() {
    let (ground, server) = (postgres::Ground::new("").await, Sshd::start());
    let fields = with(&ground.fields, &server.tunnel());
    let other = server.folder.path().join("other");
    key(&other, "ed25519");
    let other = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    for (change, message) in [
        (json!({"sshHost": null}), "no field 'sshHost'"),
        (json!({"sshUser": ""}), "no field 'sshUser'"),
        (json!({"sshPort": 70000}), "'sshPort'"),
        (json!({"sshHostKey": ""}), "the field 'sshHostKey' of the credential is no key of a server"),
        (json!({"sshAuthenticateWith": "password"}), "no field 'sshPassword'"),
        (json!({"sshAuthenticateWith": "agent"}), "signs in by no 'agent'"),
        (json!({"privateKey": "open-sesame"}), "no SSH tunnel: the private key of the credential cannot be read"),
        (json!({"sshHostKey": other}), "no SSH tunnel: the server localhost has another key"),
        (json!({"sshPort": free_port()}), "no SSH tunnel: the server localhost:"),
        (json!({"sshUser": "nobody-here"}), "no SSH tunnel: the server localhost does not let 'nobody-here' in"),
        (json!({"port": free_port()}), "no SSH tunnel: the SSH server localhost does not reach localhost:"),
        (json!({"database": "none"}), "database \"none\" does not exist"),
    ] {
        let mut bench = ground.query("SELECT 1", json!("")).credential("postgres", with(&fields, &change));
        let error = failure(&mut bench).await;
        assert!(error.message.contains(message), "{change}: {error}");
        let told = format!("{error:?}");
        assert!(!told.contains("open-sesame") && !told.contains("PRIVATE KEY"), "{told}");
    }
}

#[tokio::test]
async fn a_tunnel_is_made_where_the_operator_and_the_server_of_ssh_allow_it() {
    let (ground, server) = (postgres::Ground::new("").await, Sshd::start_with("AllowTcpForwarding no\n"));
    let fields = with(&ground.fields, &server.tunnel());
    let query = || ground.query("SELECT 1", json!("")).credential("postgres", fields.clone());
    let refused = failure(&mut query()).await;
    assert!(refused.message.contains("the SSH server localhost forwards no connection to localhost:"), "{refused}");
    let mut private = query();
    private.services.outbound.allow_private = false;
    let error = failure(&mut private).await;
    assert!(error.message.starts_with("no SSH tunnel: ") && error.message.contains("private or reserved"), "{error}");
}

#[tokio::test]
async fn mysql_is_reached_through_a_tunnel_and_its_certificate_compared_with_the_host() {
    let (ground, server) = (mysql::Ground::new("").await, Sshd::start());
    let fields = with(&ground.fields, &server.tunnel());
    let query =
        |fields: &Value| shut(ground.query("SELECT 1 AS a", json!({})), &server).credential("mySql", fields.clone());
    assert!(failure(&mut query(&ground.fields)).await.message.contains("private or reserved"));
    assert_eq!(json_given(&mut query(&fields)).await, json!([{"a": 1}]));
    let certificate = &ground.server.certificate.certificate;
    let secure = with(&fields, &json!({"ssl": true, "caCertificate": certificate}));
    let mut bench = ground.query("SHOW STATUS LIKE 'Ssl_version'", json!({})).credential("mySql", secure.clone());
    assert!(json_given(&mut bench).await[0]["Value"].as_str().unwrap().starts_with("TLS"));
    let other_name = with(&secure, &json!({"host": "127.0.0.1"}));
    let error = failure(&mut query(&other_name)).await;
    assert!(error.message.contains("certificate"), "{error}");
    let unreached = failure(&mut query(&with(&fields, &json!({"port": free_port()})))).await;
    assert!(unreached.message.contains("the SSH server localhost does not reach localhost:"), "{unreached}");
}

#[tokio::test]
async fn a_statement_of_mysql_behind_a_tunnel_is_stopped_on_the_server_too() {
    let (ground, server) = (mysql::Ground::new("").await, Sshd::start());
    let fields = with(&ground.fields, &server.tunnel());
    let mut slow = ground.query("SELECT SLEEP(600) AS slept", json!({})).credential("mySql", fields);
    slow.services.outbound.request_time_max = Duration::from_millis(300);
    let error = failure(&mut slow).await;
    assert!(error.message.contains("did not answer within 300 ms"), "{error}");
    let running = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE '%SLEEP(600) AS slept' AND id <> CONNECTION_ID()";
    let gone = async { while ground.rows(running).await != json!([{"n": 0}]) {} };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the statement still runs");
}
