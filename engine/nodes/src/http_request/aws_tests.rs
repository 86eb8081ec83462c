//! Requests that are signed for AWS, against a small real server: what arrives is what was signed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::Digest as _;
use timeloom_domain::definition::Node;
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::service::service_of;

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

/// Sends what stands for a node of a service of AWS; gives head and body of the request as it arrived at the endpoint that
/// the credential names.
async fn arrived(node_type: &str, parameters: Value) -> (String, String) {
    let node = json!({"name": "X", "type": node_type, "typeVersion": 1, "parameters": parameters});
    let node: Node = serde_json::from_value(node).unwrap();
    let made = service_of(&node).unwrap().replace(&node).unwrap();
    assert_eq!(made.dropped, Vec::<String>::new(), "{node_type}");
    let mut parameters = made.node.parameters;
    // What becomes of an answer is for other tests, and takes more JavaScript than the bench knows.
    parameters["options"]["response"] = json!({});
    let server = Server::start(|_| json_reply(&json!({})));
    let endpoint = server.url("");
    let credential = json!({
        "region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret", "customEndpoints": true,
        "cognitoIdpEndpoint": endpoint, "elasticloadbalancingEndpoint": endpoint, "sesEndpoint": endpoint,
    });
    let http_request = HttpRequest::default();
    let mut bench = Bench::new(&http_request, 4.2, parameters)
        .input(json!([{"mail": "b@x.example"}]))
        .credential("aws", credential);
    bench.run_effect().await.unwrap();
    let request = server.seen().remove(0);
    assert!(!request.contains("s3cret"));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn nodes_of_aws_send_what_its_services_take() {
    let parameters = json!({"resource": "group", "operation": "update", "userPool": "p", "group": "g",
        "additionalFields": {"description": "d"}});
    let (head, body) = arrived("n8n-nodes-base.awsCognito", parameters).await;
    for part in [
        "POST / HTTP/1.1",
        "x-amz-target: AWSCognitoIdentityProviderService.UpdateGroup",
        "content-type: application/x-amz-json-1.1",
        "/eu-central-1/cognito-idp/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target,",
    ] {
        assert!(head.contains(part), "'{part}' is not in: {head}");
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({"UserPoolId": "p", "GroupName": "g", "Description": "d"}));

    let parameters = json!({"name": "lb", "subnets": ["s1", "s2"],
        "additionalFields": {"tagsUi": {"tagValues": [{"key": "a", "value": "b c"}]}}});
    let (head, _) = arrived("n8n-nodes-base.awsElb", parameters).await;
    let line = "GET /?Action=CreateLoadBalancer&IpAddressType=ipv4&Name=lb&Scheme=internet-facing&Subnets.member.1=s1\
                &Subnets.member.2=s2&Tags.member.1.Key=a&Tags.member.1.Value=b%20c&Type=application&Version=2015-12-01 HTTP/1.1";
    assert_eq!(head.lines().next(), Some(line));

    let parameters = json!({"fromEmail": "a@x.example", "toAddresses": ["={{ $json.mail }}", "c@x.example"],
        "subject": "Late", "body": "hé", "additionalFields": {"replyToAddresses": ["d@x.example"]}});
    let (head, body) = arrived("n8n-nodes-base.awsSes", parameters).await;
    assert!(head.contains("/eu-central-1/ses/aws4_request"), "{head}");
    let sent: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let expected = [
        ("Action", "SendEmail"),
        ("Destination.ToAddresses.member.1", "b@x.example"),
        ("Destination.ToAddresses.member.2", "c@x.example"),
        ("Message.Body.Text.Charset", "UTF-8"),
        ("Message.Body.Text.Data", "hé"),
        ("Message.Subject.Charset", "UTF-8"),
        ("Message.Subject.Data", "Late"),
        ("ReplyToAddresses.member.1", "d@x.example"),
        ("Source", "a@x.example"),
        ("Version", "2010-12-01"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}
