//! Workflows with nodes of services, as people brought them from n8n: the nodes are replaced by HTTP Requests, and these get
//! the answers that were recorded. Beside them, small cases that need files.
//!
//! The files are not ours and not here, see `conformance.rs`. Every case runs that has an offer for each node of a service;
//! one that fails must be told in [`NOT_YET`], so that the number of those that pass can only rise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::service::service_of;

use super::conformance::{fault_of, folder};

/// Cases that do not give what was recorded, by the reason.
const NOT_YET: &[(&str, &[&str])] = &[
    (
        "a database is needed, which no recording is",
        &[
            "MongoDB-should-pass-test-5",
            "MongoDB-should-pass-test-6",
            "MongoDB-should-pass-test-7",
            "MongoDB-should-pass-test-8",
        ],
    ),
    ("all items go into one request", &["nb-Google-BigQuery-test-v2-node-insert-autoMapMode-workflow"]),
    ("the text of a query is compared, which is the node's own", &["nb-Linear-test-workflow-Linear-workflow"]),
    (
        "the message of a failure is the node's own",
        &[
            "Gong-node-should-handle-error-response-45",
            "Gong-node-should-handle-error-response-48",
            "nb-Google-BigQuery-test-v2-node-executeQueryContinueOnJobFail-workflow",
            "nb-Telegram-tests-Workflow-workflow",
        ],
    ),
    (
        "what is sent has fields that the service does not know, and a time in the zone of the machine that recorded",
        &["nb-Slack-test-v2-node-user-updateProfile-workflow"],
    ),
    ("the service is not in the table", &["nb-Google-Analytics-test-v2-report-ga4-get-workflow"]),
    ("spreadsheets are not written as XLS and RTF", &["SpreadsheetFile-execute-workflow-json-35"]),
    (
        "the node sends several requests",
        &[
            "nb-Microsoft-AzureCosmosDb-test-item-create-workflow",
            "nb-TheHiveProject-test-alert-get-workflow",
            "nb-Baserow-tests-workflow-workflow",
        ],
    ),
];

/// What a recording lacks: constants of the program that recorded it, which the other side has to get. Their case, where
/// they belong, and their value.
const COMPLETED: &[(&str, &str, &str, &str)] =
    &[("nb-Aws-IAM-test-user-addToGroup-workflow", "/http/0/body", "Version", "2010-05-08")];

/// Where the recording has its files, and where it writes.
const RECORDED_FILES: &str = "C:\\Test\\";
const RECORDED_OUTPUT: &str = "/TMPDIR";

/// Addresses with a part of the host in the credential, and the whole ones of the recording: a part alone leads to no stub.
const RECORDED_BASES: [(&str, &str); 3] = [
    ("https://{subdomain}.sharepoint.com", "https://mydomain.sharepoint.com"),
    ("https://{account}.blob.core.windows.net", "https://myaccount.blob.core.windows.net"),
    ("https://{account}.documents.azure.com", "https://n8n-us-east-account.documents.azure.com"),
];

/// The workflow with HTTP Requests in the place of nodes of services; or why there is none for one of them.
fn with_requests(workflow: &Value) -> Result<Value, String> {
    let mut made = workflow.clone();
    for node in made["nodes"].as_array_mut().into_iter().flatten() {
        let Ok(read) = serde_json::from_value::<Node>(node.clone()) else { continue };
        let Some(service) = service_of(&read) else { continue };
        let replaced = service.replace(&read).map_err(|refusal| format!("'{}': {refusal}", read.name))?;
        *node = serde_json::to_value(replaced.node).unwrap();
        if let Some(Value::String(base)) = node.pointer_mut("/parameters/options/baseUrl") {
            *base = RECORDED_BASES.iter().fold(base.clone(), |base, (part, whole)| base.replace(part, whole));
        }
    }
    Ok(made)
}

/// Credentials of the types that HTTP Requests name.
fn credentials() -> Value {
    let tokens = json!({"access_token": "test-access-token", "instance_url": "https://salesforce.instance"});
    json!({
        // Requests are signed for AWS and for what the credential names: it names the addresses of the recordings.
        "aws": {
            "region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret", "customEndpoints": true,
            "cognitoIdpEndpoint": "https://cognito-idp.eu-central-1.amazonaws.com",
            "comprehendEndpoint": "https://comprehend.eu-central-1.amazonaws.com",
            "elasticloadbalancingEndpoint": "https://elasticloadbalancing.us-east-1.amazonaws.com",
            "iamEndpoint": "https://iam.amazonaws.com",
            "s3Endpoint": "https://s3.eu-central-1.amazonaws.com",
            "sesEndpoint": "https://email.eu-central-1.amazonaws.com",
        },
        "azureStorageOAuth2Api": {"account": "myaccount", "oauthTokenData": tokens},
        "azureStorageSharedKeyApi": {"account": "myaccount", "key": "c2VjcmV0IGtleQ=="},
        "httpBasicAuth": {"user": "ann", "password": "s3cret"},
        "httpBearerAuth": {"token": "t0ken"},
        "httpHeaderAuth": {"name": "x-key", "value": "k3y"},
        "httpQueryAuth": {"name": "key", "value": "k3y"},
        "jinaAiApi": {"apiKey": "k3y"},
        "microsoftAzureCosmosDbSharedKeyApi": {
            "account": "n8n-us-east-account", "database": "database_1", "key": "c2VjcmV0IGtleQ==",
        },
        "microsoftSharePointOAuth2Api": {"subdomain": "mydomain", "oauthTokenData": tokens},
        "n8nApi": {"apiKey": "k3y", "baseUrl": "https://test.app.n8n.cloud/api/v1"},
        "oAuth2Api": {
            "accessTokenUrl": "", "clientId": "id", "clientSecret": "secret", "authentication": "header",
            "oauthTokenData": {"access_token": "test-access-token"},
        },
        "salesforceOAuth2Api": {"oauthTokenData": tokens},
        "stripeApi": {"secretKey": "k3y"},
        "telegramApi": {"accessToken": "testToken"},
        "theHiveProjectApi": {"ApiKey": "k3y", "url": "https://thehive.example.com"},
        "wordpressApi": {"url": "https://myblog.com", "username": "ann", "password": "s3cret"},
    })
}

/// The value with the folders of the recording replaced by one that is here.
fn moved(value: &Value, files: &Path) -> Value {
    match value {
        Value::String(text) => {
            let here = files.display().to_string();
            Value::String(text.replace(RECORDED_FILES, &format!("{here}/")).replace(RECORDED_OUTPUT, &here))
        }
        Value::Array(parts) => parts.iter().map(|part| moved(part, files)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), moved(field, files)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Writes the files that the case reads: what is in them is known from what is expected.
fn write_files(case: &Value, files: &Path) {
    let attached = |item: &Value| item["binary"].as_object().cloned().unwrap_or_default();
    let items = case["expected"].as_object().into_iter().flatten().flat_map(|(_, runs)| runs.as_array().unwrap());
    let items = items.flat_map(|run| run.as_array().cloned().unwrap_or_default());
    let known: Vec<Value> = items.flat_map(|item| attached(&item).into_iter().map(|(_, file)| file)).collect();
    for node in case["workflow"]["nodes"].as_array().into_iter().flatten() {
        let named = ["filePath", "fileSelector"].iter().find_map(|name| node["parameters"][name].as_str());
        let Some(path) = named.and_then(|path| path.strip_prefix(RECORDED_FILES)) else { continue };
        let (below, name) = path.rsplit_once('/').unwrap();
        fs::create_dir_all(files.join(below)).unwrap();
        if name.ends_with(".csv") {
            fs::write(files.join(path), "A,B,C\n1,2,3\n4,5,6").unwrap();
            continue;
        }
        for file in known.iter().take(if name.contains('*') { known.len() } else { 1 }) {
            let name = if name.contains('*') { file["fileName"].as_str().unwrap() } else { name };
            let bytes = STANDARD.decode(file["data"].as_str().unwrap()).unwrap();
            fs::write(files.join(below).join(name), bytes).unwrap();
        }
    }
}

/// What is wrong with a case; nothing when it passes.
fn fault(data: &Path, id: &str, file: &str) -> Option<String> {
    let mut case: Value = serde_json::from_slice(&fs::read(data.join(file)).unwrap()).unwrap();
    for (_, place, name, value) in COMPLETED.iter().filter(|(of, ..)| *of == id) {
        let place = case.pointer_mut(place).unwrap();
        assert!(place.get(*name).is_none(), "{id} has its {name} by now");
        place[*name] = json!(value);
    }
    let scratch = tempfile::tempdir().unwrap();
    let files = scratch.path().join("files");
    fs::create_dir(&files).unwrap();
    write_files(&case, &files);
    case["workflow"] = match with_requests(&moved(&case["workflow"], &files)) {
        Ok(workflow) => workflow,
        Err(refusal) => return Some(refusal),
    };
    case["expected"] = moved(&case["expected"], &files);
    fault_of(scratch.path(), data, &case, &credentials())
}

#[test]
fn workflows_of_services_give_what_n8n_gave() {
    let Some(data) = folder() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let manifest: Value = serde_json::from_slice(&fs::read(data.join("manifest.json")).unwrap()).unwrap();
    let of = |name: &str| manifest[name].as_array().unwrap().iter();
    let cases: Vec<&Value> = of("http")
        .filter(|case| case["tier"] == "service")
        .chain(of("inline").filter(|case| case["pure"] != true))
        .collect();
    let (mut passed, mut surprising, mut failed) = (0, Vec::new(), BTreeMap::new());
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let is_told = NOT_YET.iter().any(|(_, ids)| ids.contains(&id));
        match (fault(&data, id, case["file"].as_str().unwrap()), is_told) {
            (None, false) => passed += 1,
            (None, true) => surprising.push(id),
            (Some(fault), false) => {
                failed.insert(id, fault);
            }
            (Some(_), true) => {}
        }
    }
    println!("conformance: {passed} of {} workflows of services pass; failed: {failed:#?}", cases.len());
    println!("these pass as well, and can be taken from the list of those that do not: {surprising:#?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_does_not_pass_yet_is_told_once_and_with_a_reason() {
    let mut ids: Vec<&str> = NOT_YET.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a case is told twice");
    assert!(NOT_YET.iter().all(|(reason, ids)| !reason.is_empty() && !ids.is_empty()));
}
