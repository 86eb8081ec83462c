//! Requests that are signed for AWS, against a small real server: what arrives is what was signed.

use serde_json::json;
use sha2::Digest as _;
use timeloom_domain::inference::hexadecimal;

use super::HttpRequest;
use super::tests::{Server, json_reply, output, reply};
use crate::aws_signature::{Signed, Signer};
use crate::testing::Bench;

/// A request as it arrived is signed again with the same secret: path, query, body and headers are what was signed.
#[tokio::test]
async fn requests_to_aws_are_signed_as_they_arrive_and_again_by_its_clock() {
    let date = "Fri, 24 May 2024 00:00:00 GMT";
    let server = Server::start_with_request(move |request| match request.contains("x-amz-date: 20240524T000000Z") {
        true => json_reply(&json!({"ok": true})),
        false => reply("403 Forbidden", &format!("date: {date}\r\n"), "Signature expired"),
    });
    let node = HttpRequest::default();
    let parameters = json!({
        "method": "POST", "url": server.url("/1/two words"), "authentication": "predefinedCredentialType",
        "nodeCredentialType": "aws", "sendQuery": true,
        "queryParameters": {"parameters": [{"name": "b", "value": "1 + 1"}, {"name": "a", "value": "~/"}]},
        "sendHeaders": true, "headerParameters": {"parameters": [{"name": "X-Amz-Target", "value": "Orders.List"}]},
        "sendBody": true, "specifyBody": "json", "jsonBody": "{\"n\": 7}",
    });
    let endpoint = server.url("");
    let credential = json!({
        "region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret", "temporaryCredentials": true,
        "sessionToken": "t0ken", "customEndpoints": true, "sqsEndpoint": endpoint,
    });
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("aws", credential);
    assert_eq!(output(&mut bench).await, json!([{"ok": true}]));
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "the second by the clock of the service");
    let (head, body) = seen[1].split_once("\r\n\r\n").unwrap();
    let target = head.lines().next().unwrap().split(' ').nth(1).unwrap();
    assert_eq!(target, "/1/two%20words?a=~%2F&b=1%20%2B%201");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name}: {head}")).to_owned()
    };
    let signer = Signer {
        key_id: "AKID".to_owned(),
        key: "s3cret".to_owned(),
        token: Some("t0ken".to_owned()),
        service: "sqs".to_owned(),
        region: "eu-central-1".to_owned(),
    };
    let signed = ["content-type", "x-amz-target"].map(|name| (name.to_owned(), header(name)));
    let again = signer.headers(Signed {
        method: "POST",
        url: &url::Url::parse(&server.url(target)).unwrap(),
        headers: signed.into(),
        body_digest: &hexadecimal(&sha2::Sha256::digest(body)),
        time: "20240524T000000Z",
    });
    let (_, expected) = again.into_iter().find(|(name, _)| name == "authorization").unwrap();
    assert_eq!(header("authorization"), expected);
    assert!(!seen[1].contains("s3cret"));
}

#[tokio::test]
async fn nothing_is_signed_for_addresses_that_are_none_of_aws() {
    let server = Server::start(|_| json_reply(&json!({})));
    let node = HttpRequest::default();
    let parameters = json!({
        "url": server.url("/"), "authentication": "predefinedCredentialType", "nodeCredentialType": "aws",
    });
    let credential = json!({"region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret"});
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("aws", credential);
    let error = bench.run_effect().await.unwrap_err();
    assert_eq!(error.message, "127.0.0.1 is no address of AWS, and the credential does not name it");
    assert!(server.seen().is_empty());
}
