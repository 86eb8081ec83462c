//! A file with nodes of services, in the program as people run it: taken in, refused, replaced, and run against a server
//! that stands for the service.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::server::{chain, set, verb};

/// Answers every request with `{"ok": true}` and hands on what was asked.
fn service() -> (String, Receiver<String>) {
    answering("application/json", r#"{"ok":true}"#)
}

/// The same with another answer.
fn answering(media_type: &str, body: &str) -> (String, Receiver<String>) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, seen) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let request = read(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            if asked.send(request).is_err() {
                return;
            }
        }
    });
    (address, seen)
}

fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn said(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{error}")
}

fn node(name: &str, node_type: &str, version: f64, parameters: Value) -> Value {
    json!({"name": name, "type": node_type, "typeVersion": version, "parameters": parameters})
}

/// A file that reads a page by an expression, sends a mail, and wants something of Slack that is not in the table.
fn file(last: Option<Value>) -> Value {
    let page = json!({"resource": "databasePage", "operation": "get", "pageId": "=p/{{ $json.n }}"});
    let mail = json!({"sendTo": "=ann@{{ 'x.example' }}", "subject": "Größe", "message": "<b>hé</b>",
        "options": {"ccList": "bob@x.example\r\nBcc: eve@x.example", "senderName": "Ann"}});
    let steps = [
        Some(set("Number", "n", "={{ 7 }}")),
        Some(node("Page", "n8n-nodes-base.notion", 2.2, page)),
        Some(node("Mail", "n8n-nodes-base.gmail", 2.1, mail)),
        last,
    ];
    chain("Services", &steps.into_iter().flatten().collect::<Vec<_>>())
}

fn write(folder: &Path, name: &str, value: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_file_with_service_nodes_is_imported_replaced_published_and_tells_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = |arguments: &[&str]| verb(&[arguments, &["--data", data.to_str().unwrap()]].concat());
    let upload = node("Upload", "n8n-nodes-base.slack", 2.3, json!({"resource": "file", "operation": "upload"}));
    let with_gap = write(folder.path(), "gap.json", &file(Some(upload)));
    let plain = run(&["workflow", "import", &with_gap, "--json"]);
    let payload: Value = serde_json::from_slice(&plain.stdout).unwrap();
    assert_eq!(payload["workflow"]["missingNodes"].as_array().unwrap().len(), 3, "{payload}");
    let id = payload["workflowId"].as_str().unwrap();
    let refused = run(&["workflow", "publish", id]);
    assert_eq!(refused.status.code(), Some(2));
    for word in ["an HTTP Request to Notion can take its place", "replace-service-nodes", "'upload' of 'file'"] {
        assert!(said(&refused).contains(word), "'{word}' is not in: {}", said(&refused));
    }
    let one = run(&["workflow", "replace-service-nodes", id, "--node", "Upload"]);
    assert_eq!(one.status.code(), Some(2), "{}", said(&one));
    let all = run(&["workflow", "replace-service-nodes", id]);
    assert_eq!(all.status.code(), Some(0), "{}", said(&all));
    for word in [
        "node 'Page' is an HTTP Request to Notion now",
        "save a credential of type 'httpBearerAuth' with the name 'Notion'",
        "not carried: options.senderName",
        "https://slack.com/api",
    ] {
        assert!(said(&all).contains(word), "'{word}' is not in: {}", said(&all));
    }
    let whole = write(folder.path(), "whole.json", &file(None));
    let imported = run(&["workflow", "import", &whole, "--replace-service-nodes", "--json"]);
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert_eq!(payload["replacedNodes"].as_array().unwrap().len(), 2, "{payload}");
    let published = run(&["workflow", "publish", payload["workflowId"].as_str().unwrap()]);
    assert_eq!(published.status.code(), Some(0), "{}", said(&published));
}

#[test]
fn replaced_nodes_send_what_the_services_take() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = write(folder.path(), "file.json", &file(None));
    let imported =
        verb(&["workflow", "import", &path, "--replace-service-nodes", "--json", "--data", data.to_str().unwrap()]);
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let id = payload["workflowId"].as_str().unwrap();
    let exported = verb(&["workflow", "export", id, "--data", data.to_str().unwrap()]);
    let (address, seen) = service();
    let here = format!("http://{address}");
    let exported = String::from_utf8(exported.stdout).unwrap();
    let exported = exported.replace("https://api.notion.com", &here).replace("https://gmail.googleapis.com", &here);
    let file = folder.path().join("here.json");
    fs::write(&file, exported).unwrap();
    let secrets =
        json!({"httpBearerAuth": {"token": "s3cret"}, "oAuth2Api": {"oauthTokenData": {"access_token": "g00gle"}}});
    let secrets = write(folder.path(), "secrets.json", &secrets);
    let ran = verb(&[
        "workflow",
        "run",
        file.to_str().unwrap(),
        "--credentials",
        &secrets,
        "--allow-private-hosts",
        &address,
    ]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));

    let page = seen.recv().unwrap();
    assert!(page.starts_with("GET /v1/pages/p%2F7 HTTP/1.1"), "{page}");
    assert!(page.contains("authorization: Bearer s3cret") && page.contains("notion-version: 2021-08-16"), "{page}");
    let mail = seen.recv().unwrap();
    assert!(mail.starts_with("POST /gmail/v1/users/me/messages/send HTTP/1.1"), "{mail}");
    assert!(mail.contains("authorization: Bearer g00gle"), "{mail}");
    let (_, body) = mail.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let raw = String::from_utf8(URL_SAFE.decode(body["raw"].as_str().unwrap()).unwrap()).unwrap();
    let (head, text) = raw.split_once("\r\n\r\n").unwrap();
    let subject = format!("Subject: =?utf-8?B?{}?=", STANDARD.encode("Größe"));
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[..3], ["To: ann@x.example", "Cc: bob@x.example Bcc: eve@x.example", subject.as_str()]);
    assert!(head.contains("Content-Type: text/html; charset=utf-8"), "{head}");
    assert_eq!(STANDARD.decode(text.trim()).unwrap(), "<b>hé</b>".as_bytes());
}

/// A service that this build does not know, as an operator describes it.
fn tickets(base_url: &str) -> Value {
    json!({
        "service": "Tickets", "node_type": "acme.tickets", "base_url": base_url,
        "documentation": "https://tickets.example/docs",
        "credentials": [{"from": "acmeApi", "kind": "httpBearerAuth", "give": "the key of your team as `token`"}],
        "generations": [{
            "versions": [1],
            "defaults": {"operation": "create"},
            "operations": [{
                "operation": "create", "method": "POST", "path": "/boards/@{board}/tickets",
                "send": {"query": {"notify": "@{options.notify}"}, "body": {"title": {"$needed": "@{title}"}}}
            }]
        }]
    })
}

#[test]
fn nodes_of_a_service_that_the_operator_describes_are_replaced_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services");
    fs::create_dir(&services).unwrap();
    let (address, seen) = service();
    let described = write(&services, "tickets.json", &tickets(&format!("http://{address}/api")));
    fs::write(services.join("README.md"), "no service").unwrap();
    let ticket = node(
        "Ticket",
        "acme.tickets",
        1.0,
        json!({"board": "a/b", "title": "=Order {{ $json.n }}", "options": {"notify": true, "colour": "red"}}),
    );
    let (data, services) = (folder.path().join("data"), services.to_str().unwrap());
    let given = ["--data", data.to_str().unwrap(), "--services", services];

    let listed: Value =
        serde_json::from_slice(&verb(&["service", "list", "--json", "--services", services]).stdout).unwrap();
    let first = &listed[0];
    assert_eq!((&first["service"], &first["origin"]), (&json!("Tickets"), &json!("given")), "{listed}");
    assert!(listed.as_array().unwrap().iter().any(|service| service["origin"] == "built in"));

    let path = write(folder.path(), "file.json", &chain("Tickets", &[set("Number", "n", "={{ 7 }}"), ticket.clone()]));
    let without = verb(&["workflow", "import", &path, "--json", "--data", data.to_str().unwrap()]);
    assert!(said(&without).contains("unknown node type 'acme.tickets'"), "{}", said(&without));
    let imported = verb(&[&["workflow", "import", &path, "--replace-service-nodes", "--json"], &given[..]].concat());
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap_or_else(|_| panic!("{}", said(&imported)));
    assert_eq!(payload["replacedNodes"][0]["dropped"], json!(["options.colour"]), "{payload}");
    let exported = verb(&[&["workflow", "export", payload["workflowId"].as_str().unwrap()], &given[..2]].concat());
    let file = folder.path().join("here.json");
    fs::write(&file, &exported.stdout).unwrap();
    let secrets = write(folder.path(), "secrets.json", &json!({"httpBearerAuth": {"token": "s3cret"}}));
    let file = file.to_str().unwrap();
    let ran = verb(&["workflow", "run", file, "--credentials", &secrets, "--allow-private-hosts", &address]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let request = seen.recv().unwrap();
    assert!(request.starts_with("POST /api/boards/a%2Fb/tickets?notify=true HTTP/1.1"), "{request}");
    assert!(request.contains("authorization: Bearer s3cret"), "{request}");
    assert!(request.ends_with("{\"title\":\"Order 7\"}"), "{request}");

    let ticket = write(folder.path(), "node.json", &ticket);
    let shown = verb(&["service", "check", &described, "--node", &ticket]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["replacement"]["parameters"]["method"], "POST", "{shown}");
}

#[test]
fn the_address_of_a_described_service_may_be_in_the_credential() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services");
    fs::create_dir(&services).unwrap();
    let (address, seen) = service();
    write(&services, "tickets.json", &tickets("{url}/api"));
    let ticket = node("Ticket", "acme.tickets", 1.0, json!({"board": "..", "title": "Late"}));
    let next = node("Next", "acme.tickets", 1.0, json!({"board": "b", "title": "Later"}));
    let path = write(folder.path(), "file.json", &chain("Tickets", &[set("Number", "n", "={{ 7 }}"), next]));
    let above = write(folder.path(), "above.json", &chain("Above", &[set("Number", "n", "={{ 7 }}"), ticket]));
    let (data, services) = (folder.path().join("data"), services.to_str().unwrap());
    let given = ["--data", data.to_str().unwrap(), "--services", services];
    let replaced = |path: &str, name: &str| {
        let imported = verb(&[&["workflow", "import", path, "--replace-service-nodes", "--json"], &given[..]].concat());
        let payload: Value = serde_json::from_slice(&imported.stdout).unwrap_or_else(|_| panic!("{}", said(&imported)));
        let exported = verb(&[&["workflow", "export", payload["workflowId"].as_str().unwrap()], &given[..2]].concat());
        let file = folder.path().join(name);
        fs::write(&file, &exported.stdout).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let run = |file: &str, url: &str| {
        let secrets = json!({"httpBearerAuth": {"token": "s3cret", "url": url}});
        let secrets = write(folder.path(), "secrets.json", &secrets);
        verb(&["workflow", "run", file, "--json", "--credentials", &secrets, "--allow-private-hosts", &address])
    };
    let (file, above) = (replaced(&path, "here.json"), replaced(&above, "there.json"));
    let ran = run(&file, &format!("http://{address}/team/"));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let request = seen.recv().unwrap();
    assert!(request.starts_with("POST /team/api/boards/b/tickets HTTP/1.1"), "{request}");
    assert!(request.contains("authorization: Bearer s3cret"), "{request}");
    for (file, url, part) in [
        (&file, format!("http://ann:s3cret@{address}"), "has an account in it"),
        (&file, "http://tickets.example".to_owned(), "is not secured"),
        (&file, String::new(), "lacks the field 'url'"),
        (&above, format!("http://{address}"), "leads out of the base URL"),
    ] {
        let ran = run(file, &url);
        let result: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", said(&ran)));
        assert_ne!(ran.status.code(), Some(0), "{result}");
        assert!(result["error"]["message"].as_str().unwrap().contains(part), "{result}");
    }
    assert!(seen.try_recv().is_err(), "nothing else was sent");
}

#[test]
fn a_file_of_a_service_that_is_wrong_is_told_and_nothing_is_served_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services");
    fs::create_dir(&services).unwrap();
    let mut wrong = tickets("https://tickets.example");
    wrong["generations"][0]["operations"][0]["method"] = json!("FETCH");
    let file = write(&services, "tickets.json", &wrong);
    let told = "tickets.json: 'generations[0]': the operation 'create' of '': 'method' is 'FETCH'";
    let checked = verb(&["service", "check", &file]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(said(&checked).contains(told), "{}", said(&checked));
    let data = folder.path().join("data");
    let serve = ["serve", "--data", data.to_str().unwrap(), "--services", services.to_str().unwrap()];
    let served = verb(&serve);
    assert_eq!(served.status.code(), Some(1));
    assert!(said(&served).contains(told), "{}", said(&served));
}

#[test]
fn a_node_of_aws_is_signed_for_at_the_address_that_the_credential_names_and_its_xml_becomes_items() {
    let folder = tempfile::tempdir().unwrap();
    let members = "<member><Name>lb-7</Name></member>";
    let answer = format!(
        "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers>{members}</LoadBalancers>\
         </DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
    );
    let (address, seen) = answering("text/xml", &answer);
    let parameters = json!({"operation": "getMany", "returnAll": true, "filters": {"names": "=lb-{{ $json.n }}, two"}});
    let balancers = node("Balancers", "n8n-nodes-base.awsElb", 1.0, parameters);
    let path = write(folder.path(), "file.json", &chain("AWS", &[set("Number", "n", "={{ 7 }}"), balancers]));
    let data = folder.path().join("data");
    let given = ["--data", data.to_str().unwrap()];
    let imported = verb(&[&["workflow", "import", &path, "--replace-service-nodes", "--json"], &given[..]].concat());
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap_or_else(|_| panic!("{}", said(&imported)));
    let exported = verb(&[&["workflow", "export", payload["workflowId"].as_str().unwrap()], &given[..]].concat());
    let file = folder.path().join("here.json");
    fs::write(&file, &exported.stdout).unwrap();
    let secrets = json!({"aws": {
        "region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret", "customEndpoints": true,
        "elasticloadbalancingEndpoint": format!("http://{address}"),
    }});
    let secrets = write(folder.path(), "secrets.json", &secrets);
    let run = ["workflow", "run", file.to_str().unwrap(), "--json", "--credentials", secrets.as_str()];
    let refused = verb(&run);
    assert!(said(&refused).contains("private or reserved"), "{}", said(&refused));
    let ran = verb(&[&run[..], &["--allow-private-hosts", address.as_str()]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let items = &result["runData"]["Balancers"][0]["data"]["main"][0];
    assert_eq!((items.as_array().map(Vec::len), &items[0]["json"]), (Some(1), &json!({"Name": "lb-7"})), "{result}");
    let request = seen.recv().unwrap();
    let line = "GET /?Action=DescribeLoadBalancers&Names.member.1=lb-7&Names.member.2=two&Version=2015-12-01 HTTP/1.1";
    assert_eq!(request.lines().next(), Some(line));
    assert!(request.contains("/eu-central-1/elasticloadbalancing/aws4_request"), "{request}");
    assert!(!request.contains("s3cret"), "{request}");
}
