//! Requests that begin where the credential says, against a small real server.

use serde_json::{Value, json};

use super::HttpRequest;
use super::tests::{Server, json_reply, output};
use crate::testing::Bench;

fn parameters(url: &str, base_url: Value) -> Value {
    json!({
        "url": url, "authentication": "predefinedCredentialType", "nodeCredentialType": "theHiveProjectApi",
        "options": {"baseUrl": base_url},
    })
}

#[tokio::test]
async fn a_request_goes_to_the_address_that_the_credential_holds() {
    let server = Server::start(|line| json_reply(&json!({"line": line})));
    let node = HttpRequest::default();
    let parameters = parameters("=/alert/{{ $json.id }}", json!("{url}/api/v1"));
    let credential = json!({"url": server.url("/hive/"), "ApiKey": "s3cret-key"});
    let mut bench =
        Bench::new(&node, 4.2, parameters).input(json!([{"id": 7}])).credential("theHiveProjectApi", credential);
    assert_eq!(output(&mut bench).await, json!([{"line": "GET /hive/api/v1/alert/7 HTTP/1.1"}]));
    assert!(server.seen()[0].contains("authorization: Bearer s3cret-key"), "{:?}", server.seen());
    // The rules for addresses are those of other requests.
    bench.services.outbound.allow_private = false;
    let refused = bench.run_effect().await.unwrap_err();
    assert!(refused.message.contains("is not secured"), "{}", refused.message);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_private_address_of_a_credential_is_refused_as_any_other() {
    let node = HttpRequest::default();
    let credential = json!({"url": "https://127.0.0.1:9", "ApiKey": "k"});
    let mut bench = Bench::new(&node, 4.2, parameters("/x", json!("{url}")))
        .input(json!([{}]))
        .credential("theHiveProjectApi", credential);
    bench.services.outbound.allow_private = false;
    let refused = bench.run_effect().await.unwrap_err();
    assert!(refused.message.contains("'127.0.0.1' are refused"), "{}", refused.message);
}

#[tokio::test]
async fn what_could_send_a_credential_elsewhere_is_refused_before_anything_is_sent() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let credential = |url: &str| json!({"url": url, "subdomain": "evil.example/", "ApiKey": "s3cret-key"});
    let here = server.url("");
    for (url, base_url, of_credential, part) in [
        ("/x", json!("={{ $json.base }}"), here.as_str(), "an expression"),
        ("/x", json!("https://{ApiKey}.evil.example"), here.as_str(), "'ApiKey' of credentials"),
        ("/x", json!("https://{subdomain}.example.com"), here.as_str(), "no part of a host"),
        ("/x", json!("{url}.evil.example"), here.as_str(), "is no address that fields"),
        ("/x", json!("{host}/api"), here.as_str(), "lacks the field 'host'"),
        ("/x", json!(7), here.as_str(), "is no text"),
        ("/../x", json!("{url}/api"), here.as_str(), "leads out of the base URL"),
        ("https://evil.example/x", json!("{url}"), here.as_str(), "leads out of the base URL"),
        ("/x", json!("{url}"), "https://ann:s3cret-key@evil.example", "an account"),
    ] {
        let mut bench = Bench::new(&node, 4.2, parameters(url, base_url.clone()))
            .input(json!([{"base": here}]))
            .credential("theHiveProjectApi", credential(of_credential));
        let refused = bench.run_effect().await.unwrap_err();
        assert!(refused.message.contains(part), "{base_url}: {}", refused.message);
        assert!(!format!("{refused:?}").contains("s3cret-key"), "{refused:?}");
    }
    let mut bench = Bench::new(&node, 4.2, json!({"url": "/x", "options": {"baseUrl": "{url}"}})).input(json!([{}]));
    assert!(bench.run_effect().await.unwrap_err().message.contains("none is chosen"));
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

#[tokio::test]
async fn a_password_and_keys_are_sent_as_their_services_want_them() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    for (credential_type, fields, header) in [
        // base64 of `ann:pa ss`.
        ("wordpressApi", json!({"username": "ann", "password": "pa ss"}), "authorization: Basic YW5uOnBhIHNz"),
        ("n8nApi", json!({"apiKey": "k3y"}), "x-n8n-api-key: k3y"),
    ] {
        let mut fields = fields;
        fields["url"] = server.url("").into();
        let parameters = json!({
            "url": "/x", "authentication": "predefinedCredentialType", "nodeCredentialType": credential_type,
            "options": {"baseUrl": "{url}"},
        });
        let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential(credential_type, fields);
        bench.run_effect().await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(seen.contains(header), "{credential_type}: {seen}");
    }
}

#[tokio::test]
async fn a_service_without_a_token_yet_is_asked_for_one_by_its_own_type() {
    let server = Server::start(|line| match line.starts_with("POST /token ") {
        true => json_reply(&json!({"access_token": "t0ken-of-the-client"})),
        false => json_reply(&json!({"line": line})),
    });
    let node = HttpRequest::default();
    let fields = json!({
        "grantType": "clientCredentials", "accessTokenUrl": server.url("/token"), "clientId": "id", "clientSecret": "s",
        "url": server.url("/team"),
    });
    let parameters = json!({
        "url": "/lists", "authentication": "predefinedCredentialType",
        "nodeCredentialType": "microsoftSharePointOAuth2Api", "options": {"baseUrl": "{url}"},
    });
    let mut bench =
        Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("microsoftSharePointOAuth2Api", fields);
    assert_eq!(output(&mut bench).await, json!([{"line": "GET /team/lists HTTP/1.1"}]));
    assert!(server.seen()[1].contains("authorization: Bearer t0ken-of-the-client"), "{:?}", server.seen());
}
