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
        "its address, or a part of it, is in the credential",
        &[
            "nb-Salesforce-test-node-tasks-workflow",
            "nb-Salesforce-test-node-search-workflow",
            "nb-Wordpress-tests-workflow-post-post-workflow",
            "nb-Microsoft-AzureCosmosDb-test-item-create-workflow",
            "nb-Microsoft-AzureCosmosDb-test-item-getAll-workflow",
            "nb-Microsoft-AzureCosmosDb-test-container-create-workflow",
            "nb-Microsoft-AzureCosmosDb-test-container-get-workflow",
            "nb-Microsoft-Storage-test-credentials-credentials-oauth2-workflow",
            "nb-Microsoft-Storage-test-blob-blob-delete-workflow",
            "nb-Microsoft-Storage-test-blob-blob-create-workflow",
            "nb-Microsoft-Storage-test-container-container-getAllLimitOptions-workflow",
            "nb-Microsoft-Storage-test-container-container-getAll-workflow",
            "nb-Microsoft-SharePoint-test-file-upload-workflow",
            "nb-Microsoft-SharePoint-test-list-get-workflow",
            "nb-Microsoft-SharePoint-test-item-getAllLimitSimplify-workflow",
            "nb-TheHiveProject-test-alert-get-workflow",
            "nb-TheHiveProject-test-task-create-workflow",
            "nb-TheHiveProject-test-comment-add-workflow",
            "nb-N8n-test-node-workflow-n8n-workflows",
            "nb-Baserow-tests-workflow-workflow",
        ],
    ),
    (
        "requests to AWS are signed for AWS alone, which the recording is not",
        &[
            "nb-Aws-IAM-test-user-addToGroup-workflow",
            "nb-Aws-Cognito-test-user-update-workflow",
            "nb-Aws-Cognito-test-user-create-workflow",
            "nb-Aws-Cognito-test-group-delete-workflow",
            "nb-Aws-Cognito-test-group-update-workflow",
            "nb-Aws-Cognito-test-group-create-workflow",
            "nb-Aws-Cognito-test-group-get-workflow",
            "nb-Aws-Comprehend-test-AwsComprehendTestWorkflow",
            "nb-Aws-ELB-test-get-many-load-balancers-workflow",
            "nb-Aws-ELB-test-get-many-load-balancers-with-names-workflow",
            "nb-Aws-ELB-test-add-listener-certificate-workflow",
            "nb-Aws-ELB-test-get-many-listener-certificates-workflow",
            "nb-Aws-ELB-test-get-many-listener-certificates-all-workflow",
            "nb-Aws-S3-test-V2-AwsS3-file-upload-V2-workflow",
            "AwsSes-node-should-create-customVerificationEmail-10",
        ],
    ),
    (
        "a database is needed, which no recording is",
        &[
            "MongoDB-should-pass-test-5",
            "MongoDB-should-pass-test-6",
            "MongoDB-should-pass-test-7",
            "MongoDB-should-pass-test-8",
        ],
    ),
    (
        "the node sends several requests",
        &[
            "nb-Microsoft-Excel-test-v2-node-worksheet-upsert-workflow",
            "nb-Microsoft-Excel-test-v2-node-workbook-addWorksheet-workflow",
            "nb-Microsoft-Excel-test-v2-node-table-append-workflow",
            "nb-Microsoft-Outlook-test-v2-node-draft-send-workflow",
            "nb-Microsoft-Teams-test-v2-node-task-deleteTask-workflow",
            "nb-Microsoft-Teams-test-v2-node-task-getAll-workflow",
            "nb-Discord-test-v2-node-member-roleRemove-workflow",
            "nb-Discord-test-v2-node-channel-get-workflow",
            "nb-Google-Drive-v2-test-file-move-workflow",
            "nb-Google-GSuiteAdmin-test-user-addToGroup-workflow",
            "nb-Google-BigQuery-test-v2-node-insert-manualMode-workflow",
            "nb-Google-BigQuery-test-v2-node-executeQuery-queryParameters-workflow",
            "nb-Google-BigQuery-test-v2-node-insert-autoMapMode-workflow",
            "nb-Google-BigQuery-test-v2-node-executeQueryContinueOnJobFail-workflow",
            "nb-Google-BigQuery-test-v2-node-executeQuery-workflow",
            "UserDescription-should-create-user-14",
        ],
    ),
    ("the text of a query is compared, which is the node's own", &["nb-Linear-test-workflow-Linear-workflow"]),
    (
        "the message of a failure is the node's own",
        &["Gong-node-should-handle-error-response-45", "Gong-node-should-handle-error-response-48"],
    ),
    (
        "what is sent has fields that the service does not know",
        &[
            "nb-Slack-test-v2-node-channel-history-workflow",
            "nb-Slack-test-v2-node-user-updateProfile-workflow",
            "nb-Slack-test-v2-node-message-post-workflow",
        ],
    ),
    (
        "operations of several kinds, some of which are not in the table",
        &[
            "nb-Hubspot-test-companies-workflow",
            "nb-Hubspot-test-contacts-workflow",
            "nb-Hubspot-test-deals-workflow",
            "nb-Telegram-tests-Workflow-workflow",
            "nb-Telegram-tests-Workflow-binaryData-workflow",
        ],
    ),
    ("the service is not in the table", &["nb-Google-Analytics-test-v2-report-ga4-get-workflow"]),
    ("spreadsheets are not written as XLS and RTF", &["SpreadsheetFile-execute-workflow-json-35"]),
];

/// Where the recording has its files, and where it writes.
const RECORDED_FILES: &str = "C:\\Test\\";
const RECORDED_OUTPUT: &str = "/TMPDIR";

/// The workflow with HTTP Requests in the place of nodes of services; or why there is none for one of them.
fn with_requests(workflow: &Value) -> Result<Value, String> {
    let mut made = workflow.clone();
    for node in made["nodes"].as_array_mut().into_iter().flatten() {
        let Ok(read) = serde_json::from_value::<Node>(node.clone()) else { continue };
        let Some(service) = service_of(&read) else { continue };
        let replaced = service.replace(&read).map_err(|refusal| format!("'{}': {refusal}", read.name))?;
        *node = serde_json::to_value(replaced.node).unwrap();
    }
    Ok(made)
}

/// Credentials of the types that HTTP Requests name.
fn credentials() -> Value {
    json!({
        "httpBasicAuth": {"user": "ann", "password": "s3cret"},
        "httpBearerAuth": {"token": "t0ken"},
        "httpHeaderAuth": {"name": "x-key", "value": "k3y"},
        "httpQueryAuth": {"name": "key", "value": "k3y"},
        "jinaAiApi": {"apiKey": "k3y"},
        "oAuth2Api": {
            "accessTokenUrl": "", "clientId": "id", "clientSecret": "secret", "authentication": "header",
            "oauthTokenData": {"access_token": "test-access-token"},
        },
        "stripeApi": {"secretKey": "k3y"},
        "telegramApi": {"accessToken": "testToken"},
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
fn fault(data: &Path, file: &str) -> Option<String> {
    let mut case: Value = serde_json::from_slice(&fs::read(data.join(file)).unwrap()).unwrap();
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
        match (fault(&data, case["file"].as_str().unwrap()), is_told) {
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
