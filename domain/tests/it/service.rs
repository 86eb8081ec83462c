//! Nodes of services become HTTP Requests that send the same, or it is said why not.

use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::service::{Replacement, service_of, services};

fn service_node(node_type: &str, version: f64, parameters: &Value) -> Node {
    let node = json!({
        "id": "7", "name": "Tell them", "type": node_type, "typeVersion": version, "position": [120, 340],
        "parameters": parameters,
    });
    serde_json::from_value(node).unwrap()
}

fn offer(node: &Node) -> Result<Replacement, String> {
    service_of(node).unwrap().replace(node)
}

fn slack(parameters: &Value) -> Result<Replacement, String> {
    offer(&service_node("n8n-nodes-base.slack", 2.3, parameters))
}

fn telegram(parameters: &Value) -> Result<Replacement, String> {
    offer(&service_node("n8n-nodes-base.telegram", 1.2, parameters))
}

#[test]
fn expressions_stay_expressions_where_their_values_are_sent() {
    let made = slack(&json!({
        "select": "channel", "channelId": {"__rl": true, "mode": "id", "value": "={{ $json.channel }}"},
        "text": "=Order {{ $json.id }} is late;", "otherOptions": {"unfurl_links": "={{ $json.preview; }}"},
    }));
    let parameters = made.unwrap().node.parameters;
    let body = json!({
        "unfurl_links": "={{ $json.preview; }}", "channel": "={{ $json.channel }}",
        "text": "=Order {{ $json.id }} is late;",
    });
    assert_eq!((&parameters["method"], &parameters["jsonBody"]), (&json!("POST"), &body));
    assert_eq!(parameters["url"], "https://slack.com/api/chat.postMessage");
}

#[test]
fn values_in_an_address_are_single_segments_of_it() {
    let url = |id: &str| {
        let node = service_node(
            "n8n-nodes-base.notion",
            2.2,
            &json!({"resource": "databasePage", "operation": "get", "pageId": id}),
        );
        offer(&node).map(|made| made.node.parameters["url"].as_str().unwrap().to_owned())
    };
    let base = "https://api.notion.com/v1/pages";
    assert_eq!(url("a/../b?c"), Ok(format!("{base}/a%2F..%2Fb%3Fc")));
    assert_eq!(url("={{ $json.id }}"), Ok(format!("={base}/{{{{ encodeURIComponent($json.id) }}}}")));
    assert_eq!(url("=p-{{ $json.a; }}"), Ok(format!("={base}/p-{{{{ encodeURIComponent($json.a) }}}}")));
    assert_eq!(
        url("={{ $json.a // the id }}"),
        Ok(format!("={base}/{{{{ encodeURIComponent($json.a // the id\n) }}}}"))
    );
    assert!(url("={{ let a = 1; a }}").unwrap_err().contains("'pageId' has several statements"));
    assert!(url("").unwrap_err().contains("'pageId' is not set"));
}

#[test]
fn the_replacement_keeps_the_place_and_the_settings_of_the_node() {
    let mut node = service_node("n8n-nodes-base.slack", 2.1, &json!({"channelId": "C1", "text": "hi"}));
    node.retry_on_fail = true;
    node.max_tries = Some(4.0);
    node.execute_once = true;
    node.always_output_data = true;
    node.notes = Some("for the team".to_owned());
    node.on_error = Some(timeloom_domain::definition::OnError::ContinueErrorOutput);
    node.credentials = Some(json!({"slackApi": {"id": "12", "name": "Our Slack"}}));
    let made = offer(&node).unwrap();
    let expected = Node {
        node_type: "n8n-nodes-base.httpRequest".to_owned(),
        type_version: 4.2,
        parameters: made.node.parameters.clone(),
        credentials: Some(json!({"httpBearerAuth": {"name": "Our Slack"}})),
        ..node
    };
    assert_eq!(made.node, expected);
    assert_eq!(made.needs.len(), 1);
    for part in ["'httpBearerAuth'", "'Our Slack'", "`token`"] {
        assert!(made.needs[0].contains(part), "{}", made.needs[0]);
    }
}

#[test]
fn what_is_not_carried_is_told_by_name() {
    let made = telegram(&json!({
        "chatId": "1", "text": "hi", "additionalFields": {"appendAttribution": true, "protect_content": true},
        "somethingNew": {"of": ["a", "b"]}, "empty": {"a": ""},
    }));
    let made = made.unwrap();
    assert_eq!(made.dropped, ["additionalFields.protect_content", "somethingNew.of.0", "somethingNew.of.1"]);
    assert!(made.differs[0].contains("the line that n8n adds"), "{:?}", made.differs);
}

#[test]
fn where_the_request_could_not_be_the_same_there_is_none_and_it_says_why() {
    let refusal = |offered: Result<Replacement, String>, part: &str| {
        let refusal = offered.unwrap_err();
        assert!(refusal.contains(part), "'{refusal}' lacks '{part}'");
    };
    refusal(slack(&json!({"resource": "file", "operation": "upload"})), "'upload' of 'file' is not in the table");
    refusal(slack(&json!({"operation": "={{ $json.do }}"})), "'operation' is an expression");
    refusal(slack(&json!({"select": "={{ $json.to }}", "text": "hi"})), "'select' is an expression");
    refusal(slack(&json!({"select": "channel", "channelId": "C"})), "'text' is not set");
    refusal(telegram(&json!({"operation": "sendSticker", "chatId": "1"})), "not in the table");
    refusal(
        telegram(&json!({"operation": "sendPhoto", "chatId": "1", "binaryData": true, "replyMarkup": "forceReply"})),
        "other values of 'binaryData', 'replyMarkup' only",
    );
    refusal(offer(&service_node("n8n-nodes-base.slack", 9.0, &json!({}))), "version 9");
    let by_account =
        service_node("n8n-nodes-base.gmail", 2.1, &json!({"authentication": "serviceAccount", "sendTo": "a@b.c"}));
    refusal(offer(&by_account), "credential");
    let listed =
        json!({"operation": "create", "owner": "o", "repository": "r", "title": "t", "labels": "={{ $json.l }}"});
    refusal(offer(&service_node("n8n-nodes-base.github", 1.1, &listed)), "the list 'labels' is an expression");
}

#[test]
fn things_that_are_named_by_an_address_are_found_in_it() {
    let read = |document: Value| {
        let parameters =
            json!({"documentId": document, "sheetName": {"__rl": true, "mode": "name", "value": "Übersicht"}});
        offer(&service_node("n8n-nodes-base.googleSheets", 4.5, &parameters))
            .map(|made| made.node.parameters["url"].as_str().unwrap().to_owned())
    };
    let by_url = |url: &str| read(json!({"__rl": true, "mode": "url", "value": url}));
    let there = "https://sheets.googleapis.com/v4/spreadsheets/d0c/values/%C3%9Cbersicht".to_owned();
    assert_eq!(read(json!({"__rl": true, "mode": "list", "value": "d0c"})), Ok(there.clone()));
    assert_eq!(by_url("https://docs.google.com/spreadsheets/d/d0c/edit?gid=0#gid=0"), Ok(there));
    assert!(by_url("https://docs.google.com/").unwrap_err().contains("has no id"));
    assert!(by_url("={{ $json.url }}").unwrap_err().contains("which is an expression"));

    let page = json!({"resource": "databasePage", "operation": "get", "pageId": {"__rl": true, "mode": "url",
        "value": "https://www.notion.so/team/Plan-0123456789abcdef0123456789abcdef?pvs=4"}});
    let page = offer(&service_node("n8n-nodes-base.notion", 2.2, &page)).unwrap();
    assert_eq!(page.node.parameters["url"], "https://api.notion.com/v1/pages/0123456789abcdef0123456789abcdef");
}

#[test]
fn code_carries_texts_with_brackets_and_mixed_expressions() {
    let file = |content: &str| {
        let parameters = json!({"resource": "file", "operation": "create", "owner": "o", "repository": "r", "filePath": "a",
            "fileContent": content, "commitMessage": "m"});
        offer(&service_node("n8n-nodes-base.github", 1.1, &parameters))
            .map(|made| made.node.parameters["jsonBody"]["content"].as_str().unwrap().to_owned())
    };
    assert_eq!(file("a }} \"b\""), Ok(r#"={{ String("a }\u007d \"b\"").base64Encode() }}"#.to_owned()));
    assert_eq!(file("={{ $json.a }}"), Ok("={{ String(($json.a)).base64Encode() }}".to_owned()));
    assert_eq!(file("=x {{ $json.a }}"), Ok(r#"={{ String(["x ", ($json.a)].join("")).base64Encode() }}"#.to_owned()));
    assert!(file(r"={{ ({a:{b:1\}}).a.b }}").unwrap_err().contains("two closing brackets"));
}

#[test]
fn the_values_of_a_row_follow_the_columns_of_the_file() {
    let append = |value: Value| {
        let parameters = json!({
            "operation": "append", "documentId": "d", "sheetName": {"__rl": true, "mode": "name", "value": "S"},
            "columns": {"mappingMode": "defineBelow", "value": value, "schema": [{"id": "A"}, {"id": "B"}, {"id": "C"}]},
        });
        offer(&service_node("n8n-nodes-base.googleSheets", 4.5, &parameters)).map(|made| made.node.parameters)
    };
    let made = append(json!({"C": "={{ $json.c }}", "A": 1})).unwrap();
    assert_eq!(made["jsonBody"], json!({"values": [[1, "", "={{ $json.c }}"]]}));
    assert!(append(json!({"D": 1})).unwrap_err().contains("where the column 'D' is"));
}

/// The options of the HTTP Request of a node.
fn options(node_type: &str, version: f64, parameters: &Value) -> Value {
    offer(&service_node(node_type, version, parameters)).unwrap().node.parameters["options"].clone()
}

#[test]
fn items_of_an_answer_are_those_that_the_node_gives() {
    let excel = "n8n-nodes-base.microsoftExcel";
    let sheets = json!({"resource": "worksheet", "operation": "getAll", "workbook": "w"});
    assert_eq!(options(excel, 2.0, &sheets)["response"]["response"], json!({"items": "={{ $response.body.value }}"}));
    let made = offer(&service_node(excel, 2.0, &sheets)).unwrap().node.parameters;
    assert_eq!(made["queryParameters"], json!({"parameters": [{"name": "$top", "value": 100}]}));
    let raw = json!({"operation": "search", "searchQuery": "q", "simplify": false});
    assert_eq!(options("n8n-nodes-base.jinaAi", 1.0, &raw), json!({}));
    let simple = json!({"operation": "search", "searchQuery": "q"});
    let items = json!({"response": {"response": {"items": "={{ $response.body.data }}"}}});
    assert_eq!(options("n8n-nodes-base.jinaAi", 1.0, &simple), items);
    let limited = json!({"resource": "userGroup", "operation": "getAll", "limit": "={{ $json.n }}"});
    let items = options("n8n-nodes-base.slack", 2.3, &limited)["response"]["response"]["items"].clone();
    assert_eq!(items, "={{ $response.body.ok ? $response.body.usergroups.slice(0, ($json.n)) : $response.body }}");
}

#[test]
fn what_a_script_says_stands_where_it_is_named() {
    let page = json!({"resource": "databasePage", "operation": "get", "pageId": "p"});
    let items = options("n8n-nodes-base.notion", 2.2, &page)["response"]["response"]["items"].clone();
    let items = items.as_str().unwrap();
    assert!(items.starts_with("={{ (page => {") && items.ends_with(")($response.body) }}"), "{items}");
    assert!(!items.contains("#{") && items.matches("}}").count() == 1, "{items}");
}

#[test]
fn further_pages_are_asked_for_where_all_is_wanted() {
    let users = |all: bool| {
        let parameters = json!({"operation": "getAll", "returnAll": all, "output": "raw"});
        options("n8n-nodes-base.microsoftEntra", 1.0, &parameters)["pagination"]["pagination"].clone()
    };
    assert_eq!(users(false), Value::Null);
    let pages = users(true);
    assert_eq!(pages["completeExpression"], "={{ !($response.body[\"@odata.nextLink\"]) }}");
    let parameter = &pages["parameters"]["parameters"][0];
    assert_eq!((&parameter["type"], &parameter["name"]), (&json!("qs"), &json!("$skiptoken")));
}

/// The further requests of the HTTP Request of a node.
fn further(node_type: &str, version: f64, parameters: &Value) -> Value {
    options(node_type, version, parameters)["further"]["requests"].clone()
}

#[test]
fn further_requests_use_the_answers_before_them() {
    let parameters =
        json!({"resource": "user", "operation": "addToGroup", "userId": "u 1", "groupId": "={{ $json.group }}"});
    let made = offer(&service_node("n8n-nodes-base.gSuiteAdmin", 1.0, &parameters)).unwrap();
    let base = "https://www.googleapis.com/admin/directory/v1";
    assert_eq!(made.node.parameters["url"], format!("{base}/users/u%201"));
    assert_eq!(made.dropped, Vec::<String>::new());
    let requests = &made.node.parameters["options"]["further"]["requests"];
    let body = json!({"email": "={{ $response.body.primaryEmail }}", "role": "MEMBER"});
    let url = format!("={base}/groups/{{{{ encodeURIComponent($json.group) }}}}/members");
    assert_eq!(requests, &json!([{"method": "POST", "url": url, "body": body}]));

    let tasks = json!({"resource": "task", "operation": "getAll"});
    let requests = further("n8n-nodes-base.microsoftTeams", 2.0, &tasks);
    let url = "=https://graph.microsoft.com/v1.0/users/{{ encodeURIComponent($response.body.id) }}/planner/tasks";
    assert_eq!(requests, json!([{"method": "GET", "url": url}]));
}

#[test]
fn a_request_is_sent_again_until_its_answer_is_the_one_that_is_waited_for() {
    let query = json!({"projectId": "p", "sqlQuery": "SELECT 1", "options": {"maxResults": 5}});
    let requests = further("n8n-nodes-base.googleBigQuery", 2.0, &query);
    let [request] = requests.as_array().unwrap().as_slice() else { panic!("{requests}") };
    assert_eq!(request["repeatUntil"], "={{ $response.body.jobComplete !== false }}");
    assert_eq!((&request["pause"], &request["tries"]), (&json!(1000), &json!(300)));
    assert_eq!((&request["query"]["maxResults"], &request["query"]["timeoutMs"]), (&json!(5), &json!(10000)));
}

#[test]
fn a_request_for_each_element_of_a_list_is_bounded() {
    let roles = |roles: Value| {
        let parameters =
            json!({"resource": "member", "operation": "roleRemove", "guildId": "1", "userId": "2", "role": roles});
        offer(&service_node("n8n-nodes-base.discord", 2.0, &parameters))
    };
    let url = |role: &str| format!("https://discord.com/api/v10/guilds/1/members/2/roles/{role}");
    let made = roles(json!(["3", "4", "5"])).unwrap();
    assert_eq!(made.node.parameters["url"], url("3"));
    let requests = &made.node.parameters["options"]["further"]["requests"];
    assert_eq!(requests, &json!([{"method": "DELETE", "url": url("4")}, {"method": "DELETE", "url": url("5")}]));
    assert_eq!(made.dropped, Vec::<String>::new());
    assert_eq!(roles(json!(["3"])).unwrap().node.parameters["options"].get("further"), None);
    assert!(roles(json!(vec!["1"; 9])).is_err());
    assert!(roles(json!([])).unwrap_err().contains("'role' is empty"));
    assert!(roles(json!("={{ $json.roles }}")).unwrap_err().contains("'role' is an expression"));
}

#[test]
fn a_further_request_without_a_body_is_left_out_where_it_is_for_the_body_alone() {
    let user = |more: Value| {
        let parameters = json!({"operation": "create", "displayName": "Ann", "mailNickname": "ann", "password": "p",
            "userPrincipalName": "ann@x.example", "additionalFields": more});
        further("n8n-nodes-base.microsoftEntra", 1.0, &parameters)
    };
    assert_eq!(user(json!({})), Value::Null);
    let made = user(json!({"skills": ["a"]}));
    let url =
        "=https://graph.microsoft.com/v1.0/users/{{ encodeURIComponent(($response.earlier[0] ?? $response).body.id) }}";
    assert_eq!(made, json!([{"method": "PATCH", "url": url, "body": {"skills": ["a"]}}]));
}

#[test]
fn code_within_an_address_may_have_brackets_scripts_and_parameters() {
    let parameters = json!({"resource": "worksheet", "operation": "upsert", "workbook": "w", "worksheet": "s",
        "columnToMatchOn": "No", "valueToMatchOn": "={{ $json.no }}",
        "fieldsUi": {"values": [{"column": "Name", "fieldValue": "={{ $json.name }}"}]}});
    let requests = further("n8n-nodes-base.microsoftExcel", 2.0, &parameters);
    let url = requests[0]["url"].as_str().unwrap();
    let sheet = "=https://graph.microsoft.com/v1.0/me/drive/items/w/workbook/worksheets/s";
    assert!(url.starts_with(&format!("{sheet}/range(address='{{{{ ")), "{url}");
    assert!(url.ends_with("($response.body, \"No\", ($json.no)))) }}')") && url.matches("}}").count() == 1, "{url}");
    let values = requests[0]["body"]["values"].as_str().unwrap();
    assert!(values.contains("($json.name)") && values.matches("}}").count() == 1, "{values}");
}

#[test]
fn an_id_may_be_in_the_query_or_behind_the_hash_of_an_address() {
    let url = |resource: &str, parameter: &str, address: &str| {
        let id = json!({"__rl": true, "mode": "url", "value": address});
        let operation = if resource == "block" { "getAll" } else { "get" };
        let parameters = json!({"resource": resource, "operation": operation, parameter: id});
        let made = offer(&service_node("n8n-nodes-base.notion", 2.2, &parameters)).unwrap();
        made.node.parameters["url"].as_str().unwrap().to_owned()
    };
    let (one, two) = ("0123456789abcdef0123456789abcdef", "f0123456789abcdef0123456789abcde");
    let page = url("databasePage", "pageId", &format!("https://www.notion.so/{one}?v=1&p={two}&pm=s"));
    assert_eq!(page, format!("https://api.notion.com/v1/pages/{two}"));
    let block = url("block", "blockId", &format!("https://www.notion.so/Plan-{one}?pvs=4#{two}"));
    assert_eq!(block, format!("https://api.notion.com/v1/blocks/{two}/children"));
}

#[test]
fn a_credential_may_depend_on_the_version_of_the_node() {
    let kind = |version: f64| {
        let made = offer(&service_node("n8n-nodes-base.mailerLite", version, &json!({"email": "a@b.c"}))).unwrap();
        made.node.parameters["genericAuthType"].clone()
    };
    assert_eq!((kind(1.0), kind(2.0)), (json!("httpHeaderAuth"), json!("httpBearerAuth")));
}

#[test]
fn nodes_of_aws_name_no_region_and_sign_with_their_own_credential() {
    let cognito = |authentication: &str| {
        let parameters = json!({"resource": "group", "operation": "delete", "userPool": "p", "group": "g",
            "authentication": authentication});
        let mut node = service_node("n8n-nodes-base.awsCognito", 1.0, &parameters);
        node.credentials = Some(json!({"aws": {"id": "3", "name": "Our AWS"}}));
        offer(&node)
    };
    let made = cognito("iam").unwrap();
    assert_eq!(made.node.parameters["url"], "https://cognito-idp.{region}.amazonaws.com/");
    assert_eq!(made.node.parameters["nodeCredentialType"], "aws");
    assert_eq!(made.node.credentials, Some(json!({"aws": {"id": "3", "name": "Our AWS"}})));
    assert!(cognito("assumeRole").unwrap_err().contains("can sign"));
}

#[test]
fn expressions_within_a_list_stand_in_code() {
    let send = |value: &str| {
        let data = json!({"templateDataValues": [{"key": "name", "value": value}, {"key": "n", "value": "}}"}]});
        let parameters = json!({"operation": "sendTemplate", "templateName": "t", "fromEmail": "a@x.example",
            "toAddresses": ["b@x.example"], "templateDataUi": data});
        offer(&service_node("n8n-nodes-base.awsSes", 1.0, &parameters)).map(|made| {
            let fields = made.node.parameters["bodyParameters"]["parameters"].as_array().unwrap().clone();
            fields.into_iter().find(|field| field["name"] == "TemplateData").unwrap()["value"].clone()
        })
    };
    let list = "[{\"key\": \"name\", \"value\": ($json.name)\n}, {\n  \"key\": \"n\",\n  \"value\": \"}\\u007d\"\n}]";
    let code = format!("={{{{ JSON.stringify(Object.fromEntries({list}.map(entry => [entry.key, entry.value]))) }}}}");
    assert_eq!(send("={{ $json.name }}"), Ok(json!(code)));
    assert!(send("={{ let a = 1; a }}").unwrap_err().contains("several statements"));
}

#[test]
fn where_the_credential_says_where_the_service_is_the_url_goes_on_from_there() {
    let parameters = json!({"resource": "alert", "operation": "get", "alertId": "={{ $json.id }}"});
    let mut node = service_node("n8n-nodes-base.theHiveProject", 1.0, &parameters);
    node.credentials = Some(json!({"theHiveProjectApi": {"id": "4", "name": "Hive"}}));
    let made = offer(&node).unwrap();
    let parameters = &made.node.parameters;
    assert_eq!(parameters["url"], "=/alert/{{ encodeURIComponent($json.id) }}");
    assert_eq!(parameters["options"], json!({"baseUrl": "{url}/api/v1"}));
    assert_eq!(parameters["authentication"], "predefinedCredentialType");
    assert_eq!(parameters["nodeCredentialType"], "theHiveProjectApi");
    assert_eq!(made.node.credentials, node.credentials, "a file finds the credential under its own type");
    assert!(made.needs[0].contains("`url`"), "{:?}", made.needs);
}

#[test]
fn an_attachment_may_be_the_body_and_headers_may_be_made_element_by_element() {
    let named = |name: &str| json!({"__rl": true, "mode": "list", "value": name});
    let upload = json!({"operation": "upload", "site": named("s1"), "folder": named("f1"), "fileName": "a/b.txt",
        "fileContents": "data", "requestOptions": {}});
    let made = offer(&service_node("n8n-nodes-base.microsoftSharePoint", 1.0, &upload)).unwrap();
    let parameters = &made.node.parameters;
    assert_eq!(parameters["url"], "/sites/s1/drive/items/f1:/a%2Fb.txt:/content");
    assert_eq!((&parameters["contentType"], &parameters["inputDataFieldName"]), (&json!("binaryData"), &json!("data")));
    assert_eq!(made.dropped, Vec::<String>::new());

    let create = json!({"operation": "create", "containerCreate": "files", "options": {"metadata": {"metadataValues": [
        {"fieldName": "team", "fieldValue": "={{ $json.team }}"}]}}});
    let made = offer(&service_node("n8n-nodes-base.azureStorage", 1.0, &create)).unwrap();
    let headers = made.node.parameters["headerParameters"]["parameters"].as_array().unwrap();
    assert!(headers.contains(&json!({"name": "x-ms-meta-team", "value": "={{ $json.team }}"})), "{headers:?}");
    assert!(headers.contains(&json!({"name": "x-ms-version", "value": "2021-12-02"})), "{headers:?}");
}

#[test]
fn the_page_of_service_nodes_tells_every_service_and_operation() {
    let page = include_str!("../../../docs/service-nodes.md");
    let rows: Vec<String> = services()
        .iter()
        .map(|service| {
            let versions: Vec<String> = service.versions().iter().map(ToString::to_string).collect();
            let mut versions: Vec<&str> = versions.iter().map(String::as_str).collect();
            versions.sort_unstable_by(|left, right| left.parse::<f64>().unwrap().total_cmp(&right.parse().unwrap()));
            versions.dedup();
            let mut resources: Vec<(&str, Vec<&str>)> = Vec::new();
            for (resource, operation) in service.operations() {
                match resources.iter_mut().find(|(known, _)| *known == resource) {
                    Some((_, operations)) => operations.push(operation),
                    None => resources.push((resource, vec![operation])),
                }
            }
            let told: Vec<String> = resources
                .iter()
                .map(|(resource, operations)| match operations.join(", ") {
                    operations if operations.is_empty() => "send".to_owned(),
                    operations if resource.is_empty() => operations,
                    operations => format!("{resource}: {operations}"),
                })
                .collect();
            let (name, node_type) = (&service.service, &service.node_type);
            format!("| {name} | `{node_type}` {} | {} |", versions.join(", "), told.join("; "))
        })
        .collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/service-nodes.md lacks these rows, or tells them otherwise: {missing:#?}");
    // Rows of other tables on the page begin with what is code.
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| `") && line.contains("| `");
    let told = page.lines().filter(is_row).count();
    assert_eq!(told, rows.len(), "docs/service-nodes.md has rows of services that are not there");
}
