//! Who may call, and what of a request the workflow sees.

use serde_json::{Value, json};

use super::super::server::Server;
use super::{echo, told, told_json, webhook};

/// A token that is signed with "a shared secret".
const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.1Vq1AoSkkgitOfLW57on8VFOS9tiK7sIElgNGefF-Ko";

impl Server {
    pub(super) async fn save_credential(&self, name: &str, credential_type: &str, data: Value) {
        let query = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) { errors { message } } }";
        let input = json!({ "name": name, "type": credential_type, "data": data });
        let saved = self.ask(query, json!({ "input": input })).await;
        assert_eq!(saved["saveCredential"]["errors"], json!([]), "{saved}");
    }

    /// A webhook that answers with what it saw, and lets in who has the credential.
    async fn guarded(&self, path: &str, authentication: &str, credential_type: &str, name: &str) {
        let mut workflow = echo(json!({ "path": path, "authentication": authentication }));
        let id = format!("{credential_type} of another deployment");
        workflow["nodes"][0]["credentials"] = json!({ credential_type: { "id": id, "name": name } });
        self.activated(&workflow).await;
    }
}

#[tokio::test]
async fn callers_show_who_they_are_as_the_node_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.save_credential("door", "httpBasicAuth", json!({ "user": "ada", "password": "p:w" })).await;
    server.save_credential("door", "httpHeaderAuth", json!({ "name": "X-Key", "value": "open" })).await;
    server
        .save_credential(
            "door",
            "jwtAuth",
            json!({ "keyType": "passphrase", "secret": "a shared secret", "algorithm": "HS256" }),
        )
        .await;
    server.guarded("basic", "basicAuth", "httpBasicAuth", "door").await;
    server.guarded("header", "headerAuth", "httpHeaderAuth", "door").await;
    server.guarded("token", "jwtAuth", "jwtAuth", "door").await;
    server.guarded("lost", "basicAuth", "httpBasicAuth", "not there").await;
    server.guarded("unknown", "palmReading", "httpBasicAuth", "door").await;
    let get = |path: &str| server.request("GET", &format!("/webhook/{path}"));

    let asked = get("basic").send().await.unwrap();
    assert_eq!(
        (asked.status().as_u16(), asked.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Basic realm=\"Webhook\"")
    );
    assert_eq!(told(get("basic").basic_auth("ada", Some("p:w")).send().await.unwrap()).await.0, 200);
    assert_eq!(told(get("header").header("x-key", "open").send().await.unwrap()).await.0, 200);
    let (status, seen) = told_json(get("token").bearer_auth(TOKEN).send().await.unwrap()).await;
    assert_eq!((status, &seen["jwtPayload"]["sub"]), (200, &json!("ada")));

    let wrong = [
        (get("basic").basic_auth("ada", Some("p")), 403),
        (get("basic").basic_auth("", Some("")), 403),
        (get("basic").header("authorization", "Basic !"), 401),
        (get("header"), 403),
        (get("header").header("x-key", "ope"), 403),
        (get("token"), 401),
        (get("token").bearer_auth(&TOKEN[..TOKEN.len() - 2]), 403),
        (get("token").bearer_auth("a.b.c"), 403),
        (get("lost").basic_auth("ada", Some("p:w")), 500),
        (get("unknown").basic_auth("ada", Some("p:w")), 500),
    ];
    for (request, expected) in wrong {
        let shown = format!("{request:?}");
        let (status, text) = told(request.send().await.unwrap()).await;
        assert_eq!(status, expected, "{shown}: {text}");
        assert!(!text.contains("p:w") && !text.contains("open") && !text.contains("shared"), "{text}");
    }
    assert_eq!(server.executions().await, 3, "who is not let in starts nothing");
    server.stop();
}

#[tokio::test]
async fn callers_are_let_in_by_address_and_robots_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--proxy-hops", "1"]);
    server
        .activated(&echo(
            json!({ "path": "in", "options": { "ipWhitelist": "10.0.0.0/8, 2001:db8::1", "ignoreBots": true } }),
        ))
        .await;
    let from = async |forwarded: &str, agent: &str| {
        let request = server.request("GET", "/webhook/in").header("x-forwarded-for", forwarded);
        request.header("user-agent", agent).send().await.unwrap().status().as_u16()
    };
    assert_eq!(from("10.1.2.3", "curl/8").await, 200);
    assert_eq!(from("evil, 2001:db8::1", "curl/8").await, 200);
    assert_eq!(from("10.1.2.3, 11.0.0.1", "curl/8").await, 403, "what the caller says itself does not count");
    assert_eq!(from("10.1.2.3", "Mozilla/5.0 (compatible; Googlebot/2.1)").await, 403);
    server.stop();
}

#[tokio::test]
async fn bodies_are_read_by_what_they_say_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.activated(&echo(json!({ "path": "in", "httpMethod": "POST" }))).await;
    let sent = async |content_type: &str, body: &str| {
        let request = server.request("POST", "/webhook/in").header("content-type", content_type).body(body.to_owned());
        let (status, seen) = told_json(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{seen}");
        seen["body"].clone()
    };
    assert_eq!(sent("application/json", "[1, {\"a\": 1.50}]").await, json!([1, { "a": 1.5 }]));
    assert_eq!(sent("application/vnd.api+json; charset=utf-8", "{\"a\": null}").await, json!({ "a": null }));
    assert_eq!(
        sent("application/x-www-form-urlencoded", "a=1&a=2&b=x%20y+z").await,
        json!({ "a": ["1", "2"], "b": "x y z" })
    );
    assert_eq!(sent("text/plain; charset=utf-8", "plain \u{fc}").await, json!("plain \u{fc}"));
    assert_eq!(sent("application/xml", "<a>1</a>").await, json!("<a>1</a>"));
    assert_eq!(sent("application/json", "").await, json!({}));

    let request = server.request("POST", "/webhook/in?a=1&b[c]=2").header("X-Own", "one").header("x-own", "two");
    let (_, seen) = told_json(request.send().await.unwrap()).await;
    assert_eq!(seen["query"], json!({ "a": "1", "b": { "c": "2" } }));
    assert_eq!(
        (&seen["headers"]["x-own"], &seen["body"], &seen["params"]),
        (&json!("one, two"), &json!({}), &json!({}))
    );
    assert_eq!(
        (&seen["webhookUrl"], &seen["executionMode"]),
        (&json!("http://localhost:8080/webhook/in"), &json!("production"))
    );
    let broken = server.request("POST", "/webhook/in").header("content-type", "application/json").body("{").send();
    let (status, refused) = told_json(broken.await.unwrap()).await;
    assert_eq!((status, &refused["message"]), (422, &json!("Failed to parse request body")));
    server.stop();
}

#[tokio::test]
async fn files_come_as_attachments_and_go_out_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut parameters = json!({ "path": "file", "httpMethod": "PUT", "responseMode": "lastNode",
        "responseData": "firstEntryBinary", "responseBinaryPropertyName": "data" });
    server.activated(&super::after(&webhook(parameters.clone()), &[])).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let request = server.request("PUT", "/webhook/file").header("content-type", "image/png").body(bytes.clone());
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()), (200, "image/png"));
    assert_eq!(response.bytes().await.unwrap(), bytes);

    parameters["path"] = json!("raw");
    parameters["options"] = json!({ "rawBody": true });
    server.activated(&super::after(&webhook(parameters), &[])).await;
    let raw = "{ \"spaces\" :1 }";
    let request = server.request("PUT", "/webhook/raw").header("content-type", "application/json").body(raw);
    assert_eq!(told(request.send().await.unwrap()).await, (200, raw.to_owned()));

    let form = webhook(json!({ "path": "form", "httpMethod": "POST", "responseMode": "lastNode" }));
    let code = json!({ "name": "Code", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": { "jsCode":
        "return [{ json: { body: $json.body, files: Object.fromEntries(Object.entries($input.first().binary).map(([name, file]) => [name, [file.fileName, file.mimeType, file.data]])) } }]" } });
    server.activated(&super::after(&form, &[code])).await;
    let field = |name: &str, content: &str| {
        format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    };
    let file = |name: &str, file_name: &str, content: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n\
             content-type: text/csv\r\n\r\n{content}\r\n"
        )
    };
    let parts = [
        field("title", "two files"),
        field("tag", "a"),
        field("tag", "b"),
        file("one", "one.csv", "1"),
        file("many[]", "two.csv", "2"),
        file("many[]", "three.csv", "3"),
        "--x--\r\n".to_owned(),
    ];
    let form = server.request("POST", "/webhook/form").header("content-type", "multipart/form-data; boundary=x");
    let (status, seen) = told_json(form.body(parts.concat()).send().await.unwrap()).await;
    assert_eq!((status, &seen["body"]), (200, &json!({ "title": "two files", "tag": ["a", "b"] })), "{seen}");
    let expected = json!({ "many0": ["two.csv", "text/csv", "Mg=="], "many1": ["three.csv", "text/csv", "Mw=="],
        "one": ["one.csv", "text/csv", "MQ=="] });
    assert_eq!(seen["files"], expected);
    server.stop();
}

#[tokio::test]
async fn pages_of_other_origins_may_read_what_the_node_lets_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.activated(&echo(json!({ "path": "open", "httpMethod": "POST" }))).await;
    server
        .activated(&echo(
            json!({ "path": "own", "options": { "allowedOrigins": "https://a.example, https://b.example" } }),
        ))
        .await;
    let origin = async |method: &str, path: &str, origin: &str, asks: Option<&str>| {
        let mut request = server.request(method, path).header("origin", origin);
        if let Some(asked) = asks {
            request = request
                .header("access-control-request-method", asked)
                .header("access-control-request-headers", "x-own");
        }
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("access-control-allow-credentials"), None);
        (response.status().as_u16(), header("access-control-allow-origin"), header("access-control-allow-methods"))
    };
    let any = "https://any.example";
    assert_eq!(origin("POST", "/webhook/open", any, None).await, (200, Some(any.to_owned()), None));
    let allowed = (204, Some(any.to_owned()), Some("OPTIONS, POST".to_owned()));
    assert_eq!(origin("OPTIONS", "/webhook/open", any, Some("POST")).await, allowed);
    assert_eq!(origin("GET", "/webhook/own", "https://b.example", None).await.1.as_deref(), Some("https://b.example"));
    assert_eq!(origin("GET", "/webhook/own", any, None).await.1, None);
    assert_eq!(server.executions().await, 3, "asking beforehand starts nothing");
    // The API itself stays closed to them.
    let asked =
        server.request("POST", "/graphql").header("origin", any).json(&json!({ "query": "{ __typename }" })).send();
    assert_eq!(asked.await.unwrap().status(), 403);
    server.stop();
}
