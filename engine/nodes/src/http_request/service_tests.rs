//! The HTTP Requests that stand for nodes of services, against a small real server: what arrives is what the service's
//! own interface asks for.

use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::service::service_of;

use super::HttpRequest;
use super::tests::{Server, json_reply};
use crate::testing::Bench;

/// One node of a service and what it is to send for the item `{"id": 7, "text": "it's late", "list": ["a"]}`.
struct Case {
    node_type: &'static str,
    version: f64,
    parameters: Value,
    line: &'static str,
    body: Value,
}

/// Sends what stands for the node to the server; gives the request as it arrived.
async fn arrived(node_type: &str, version: f64, parameters: &Value, secrets: (&str, Value)) -> String {
    let node = json!({"name": "X", "type": node_type, "typeVersion": version, "parameters": parameters});
    let node: Node = serde_json::from_value(node).unwrap();
    let service = service_of(&node).unwrap();
    let made = service.replace(&node).unwrap_or_else(|refusal| panic!("{node_type} {parameters}: {refusal}"));
    assert_eq!(made.dropped, Vec::<String>::new(), "{node_type} {parameters}");
    let server = Server::start(|_| json_reply(&json!({"ok": true})));
    let url = made.node.parameters["url"].as_str().unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    assert!(scheme.ends_with("https") && service.base_url.contains(host), "{url}");
    let mut parameters = made.node.parameters.clone();
    // What becomes of an answer takes more JavaScript than the bench knows.
    if let Some(group) = parameters.pointer_mut("/options/response/response").and_then(Value::as_object_mut) {
        group.remove("items");
    }
    parameters["url"] =
        format!("{}{}", if url.starts_with('=') { "=" } else { "" }, server.url(&format!("/{path}"))).into();
    let http_request = HttpRequest::default();
    let mut bench = Bench::new(&http_request, made.node.type_version, parameters)
        .input(json!([{"id": 7, "text": "it's late", "list": ["a"]}]))
        .credential(secrets.0, secrets.1);
    bench.run_effect().await.unwrap();
    server.seen().remove(0)
}

async fn check(case: Case) {
    let secrets = ("httpBearerAuth", json!({"token": "t0ken"}));
    let request = arrived(case.node_type, case.version, &case.parameters, secrets).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(head.lines().next(), Some(format!("{} HTTP/1.1", case.line).as_str()));
    assert!(head.contains("authorization: Bearer t0ken"), "{head}");
    let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    assert_eq!(body, case.body, "{}", case.line);
}

fn case(node_type: &'static str, version: f64, parameters: Value, line: &'static str, body: Value) -> Case {
    Case { node_type, version, parameters, line, body }
}

/// Of services for messages, tables and code.
fn cases() -> Vec<Case> {
    let slack = "n8n-nodes-base.slack";
    let (airtable, github) = ("n8n-nodes-base.airtable", "n8n-nodes-base.github");
    let table = |more: Value| {
        let mut parameters = json!({"base": {"__rl": true, "mode": "id", "value": "app1"}, "table": "tbl 1"});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let repository = |more: Value| {
        let mut parameters = json!({"owner": "ann", "repository": {"__rl": true, "mode": "url",
            "value": "https://github.com/ann/loom"}});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    vec![
        case(
            slack,
            2.3,
            json!({"select": "channel", "channelId": {"__rl": true, "mode": "name", "value": "#late"},
                "text": "=No. {{ $json.id }}: {{ $json.text }}",
                "otherOptions": {"includeLinkToWorkflow": false, "thread_ts": {"replyValues": {"thread_ts": "1.20"}}}}),
            "POST /api/chat.postMessage",
            json!({"includeLinkToWorkflow": false, "thread_ts": "1.20", "channel": "#late", "text": "No. 7: it's late"}),
        ),
        case(
            slack,
            2.2,
            json!({"resource": "channel", "operation": "history", "channelId": "C1", "limit": 5}),
            "GET /api/conversations.history?channel=C1&limit=5",
            Value::Null,
        ),
        case(
            airtable,
            2.1,
            table(json!({"operation": "create", "columns": {"mappingMode": "defineBelow", "value":
                {"Number": "={{ $json.id }}", "Name": "a"}, "schema": [{"id": "Number"}]}, "options": {"typecast": true}})),
            "POST /v0/app1/tbl%201",
            json!({"fields": {"Number": 7, "Name": "a"}, "typecast": true}),
        ),
        case(
            airtable,
            2.1,
            table(
                json!({"operation": "search", "filterByFormula": "={n}={{ $json.id }}", "returnAll": false, "limit": 2,
                "options": {"fields": ["n"]}, "sort": {"property": [{"field": "n", "direction": "desc"}]}}),
            ),
            "GET /v0/app1/tbl%201?filterByFormula=%7Bn%7D%3D7&fields%5B0%5D=n&sort%5B0%5D%5Bfield%5D=n\
             &sort%5B0%5D%5Bdirection%5D=desc&maxRecords=2",
            Value::Null,
        ),
        case(
            github,
            1.1,
            repository(json!({"title": "={{ $json.text }}", "body": "b", "labels": [{"label": "bug"}]})),
            "POST /repos/ann/loom/issues",
            json!({"title": "it's late", "body": "b", "labels": ["bug"]}),
        ),
        case(
            github,
            1.0,
            repository(json!({"operation": "edit", "issueNumber": 4, "editFields": {"state": "closed"}})),
            "PATCH /repos/ann/loom/issues/4",
            json!({"state": "closed"}),
        ),
    ]
}

/// Of services for pages, customers and language.
fn further_cases() -> Vec<Case> {
    let (notion, hubspot) = ("n8n-nodes-base.notion", "n8n-nodes-base.hubspot");
    vec![
        case(
            notion,
            2.2,
            json!({"resource": "databasePage", "databaseId": "db1", "title": "={{ $json.text }}", "propertiesUi": {
                "propertyValues": [{"key": "Count|number", "numberValue": "={{ $json.id }}"},
                    {"key": "State|status", "statusValue": "Open"}, {"key": "Tags|multi_select", "multiSelectValue": ["x"]}]},
                "blockUi": {"blockValues": [{"type": "paragraph", "textContent": "p"}]}}),
            "POST /v1/pages",
            json!({"parent": {"database_id": "db1"}, "properties": {
                "title": {"title": [{"text": {"content": "it's late"}}]}, "Count": {"number": 7},
                "State": {"status": {"name": "Open"}}, "Tags": {"multi_select": [{"name": "x"}]}},
                "children": [{"object": "block", "type": "paragraph", "paragraph": {"text": [{"text": {"content": "p"}}]}}]}),
        ),
        case(
            notion,
            2.0,
            json!({"resource": "databasePage", "operation": "getAll", "databaseId": "db1", "limit": 3,
                "filterType": "manual", "matchType": "allFilters", "filters": {"conditions": [
                    {"key": "Count|number", "condition": "equals", "numberValue": "={{ $json.id }}"}]}}),
            "POST /v1/databases/db1/query",
            json!({"page_size": 3, "filter": {"and": [{"property": "Count", "number": {"equals": 7}}]}}),
        ),
        case(
            hubspot,
            2.1,
            json!({"authentication": "appToken", "email": "a@b.example", "options": {"resolveData": false}, "additionalFields": {
                "lastName": "={{ $json.text }}", "customPropertiesUi": {"customPropertiesValues": [
                    {"property": "tier", "value": "1"}]}}}),
            "POST /contacts/v1/contact/createOrUpdate/email/a%40b.example",
            json!({"properties": [{"property": "lastname", "value": "it's late"}, {"property": "tier", "value": "1"}]}),
        ),
        case(
            "@n8n/n8n-nodes-langchain.openAi",
            1.8,
            json!({"modelId": {"__rl": true, "mode": "list", "value": "gpt-4o-mini"}, "messages": {"values": [
                {"content": "Be brief.", "role": "system"}, {"content": "={{ $json.text }}"}]},
                "options": {"temperature": 0.2, "maxTokens": 50}}),
            "POST /v1/chat/completions",
            json!({"model": "gpt-4o-mini", "max_tokens": 50, "temperature": 0.2, "messages": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "it's late"}]}),
        ),
    ]
}

#[tokio::test]
async fn what_stands_for_a_service_node_sends_what_the_service_asks_for() {
    for case in cases().into_iter().chain(further_cases()) {
        check(case).await;
    }
}

#[tokio::test]
async fn google_takes_a_token_and_rows_of_values() {
    let parameters = json!({
        "operation": "append", "documentId": {"__rl": true, "mode": "list", "value": "d1"},
        "sheetName": {"__rl": true, "mode": "list", "value": "gid=0", "cachedResultName": "Late orders"},
        "columns": {"mappingMode": "defineBelow", "value": {"No": "={{ $json.id }}", "What": "x"},
            "schema": [{"id": "No"}, {"id": "Spare"}, {"id": "What"}]},
    });
    let secrets = ("oAuth2Api", json!({"oauthTokenData": {"access_token": "g00gle"}}));
    let request = arrived("n8n-nodes-base.googleSheets", 4.5, &parameters, secrets).await;
    let line = "POST /v4/spreadsheets/d1/values/Late%20orders!1:1:append?valueInputOption=USER_ENTERED HTTP/1.1";
    assert_eq!(request.lines().next(), Some(line));
    assert!(request.contains("authorization: Bearer g00gle"), "{request}");
    assert!(request.ends_with(r#"{"values":[[7,"","x"]]}"#), "{request}");
}

#[tokio::test]
async fn a_node_of_several_requests_sends_them_in_order() {
    let node = json!({"name": "X", "type": "n8n-nodes-base.gSuiteAdmin", "typeVersion": 1, "parameters":
        {"operation": "addToGroup", "userId": "u1", "groupId": "g1"}});
    let node: Node = serde_json::from_value(node).unwrap();
    let made = service_of(&node).unwrap().replace(&node).unwrap();
    let server = Server::start(|_| json_reply(&json!({"primaryEmail": "ann@x.example"})));
    let here = made.node.parameters.to_string().replace("https://www.googleapis.com", &server.url(""));
    let mut parameters: Value = serde_json::from_str(&here).unwrap();
    // What becomes of an answer takes more JavaScript than the bench knows.
    parameters["options"]["response"] = json!({});
    let http_request = HttpRequest::default();
    let secret = json!({"oauthTokenData": {"access_token": "g00gle"}});
    let mut bench = Bench::new(&http_request, 4.2, parameters).input(json!([{}])).credential("oAuth2Api", secret);
    bench.run_effect().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].starts_with("GET /admin/directory/v1/users/u1 HTTP/1.1"), "{}", seen[0]);
    assert!(seen[1].starts_with("POST /admin/directory/v1/groups/g1/members HTTP/1.1"), "{}", seen[1]);
    assert!(seen[1].ends_with(r#"{"email":"ann@x.example","role":"MEMBER"}"#), "{}", seen[1]);
    assert!(seen.iter().all(|request| request.contains("authorization: Bearer g00gle")));
}

#[tokio::test]
async fn the_token_of_a_bot_is_part_of_its_address_and_comes_from_the_credential() {
    let parameters = json!({"chatId": "={{ $json.id }}", "text": "={{ $json.text }}", "replyMarkup": "inlineKeyboard",
        "inlineKeyboard": {"rows": [{"row": {"buttons": [{"text": "Yes", "additionalFields": {"callback_data": "y"}}]}}]}});
    let secrets = ("telegramApi", json!({"accessToken": "12:AbC-d"}));
    let request = arrived("n8n-nodes-base.telegram", 1.2, &parameters, secrets).await;
    assert_eq!(request.lines().next(), Some("POST /bot12:AbC-d/sendMessage HTTP/1.1"));
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let expected = json!({"chat_id": 7, "text": "it's late", "parse_mode": "Markdown", "disable_web_page_preview": true,
        "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn a_bot_of_discord_signs_with_a_header_and_colours_are_numbers() {
    let parameters = json!({"resource": "message", "guildId": "1", "channelId": {"__rl": true, "mode": "id", "value": "2"},
        "content": "={{ $json.text }}", "embeds": {"values": [{"title": "T", "color": "#ff0000"}]}});
    let secrets = ("httpHeaderAuth", json!({"name": "Authorization", "value": "Bot b0t"}));
    let request = arrived("n8n-nodes-base.discord", 2.0, &parameters, secrets).await;
    assert_eq!(request.lines().next(), Some("POST /api/v10/channels/2/messages HTTP/1.1"));
    assert!(request.contains("authorization: Bot b0t"), "{request}");
    assert!(request.ends_with(r#"{"content":"it's late","embeds":[{"title":"T","color":16711680}]}"#), "{request}");
}

#[tokio::test]
async fn a_webhook_of_discord_is_the_address_that_the_credential_holds() {
    let server = Server::start(|_| json_reply(&json!({})));
    let parameters = json!({"method": "POST", "url": server.url("/api/webhooks?wait=true"), "authentication": "predefinedCredentialType",
        "nodeCredentialType": "discordWebhookApi"});
    let node = HttpRequest::default();
    let secret = |url: String| ("discordWebhookApi", json!({"webhookUri": url}));
    let (name, fields) = secret(server.url("/api/webhooks/5/s3cret"));
    let mut bench = Bench::new(&node, 4.2, parameters.clone()).input(json!([{}])).credential(name, fields);
    bench.run_effect().await.unwrap();
    assert!(server.seen()[0].starts_with("POST /api/webhooks/5/s3cret?wait=true "), "{:?}", server.seen());
    let (name, fields) = secret("https://elsewhere.example/api/webhooks/5/s3cret".to_owned());
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential(name, fields);
    let error = bench.run_effect().await.unwrap_err();
    assert!(error.message.contains("for another server") && !error.message.contains("s3cret"), "{}", error.message);
}

#[tokio::test]
async fn no_error_tells_the_token_that_is_in_an_address() {
    let server = Server::start(|_| super::tests::reply("403 Forbidden", "", ""));
    let parameters = json!({"url": server.url("/bot/getMe"), "authentication": "predefinedCredentialType", "nodeCredentialType": "telegramApi"});
    let node = HttpRequest::default();
    let secret = json!({"accessToken": "12:s3cret"});
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("telegramApi", secret.clone());
    let refused = format!("{:?}", bench.run_effect().await.unwrap_err());
    assert!(!refused.contains("s3cret"), "{refused}");
    let parameters = json!({"url": "http://127.0.0.1:1/bot/getMe", "authentication": "predefinedCredentialType", "nodeCredentialType": "telegramApi"});
    let mut bench = Bench::new(&node, 4.2, parameters).input(json!([{}])).credential("telegramApi", secret);
    let unreachable = format!("{:?}", bench.run_effect().await.unwrap_err());
    assert!(!unreachable.contains("s3cret"), "{unreachable}");
}
