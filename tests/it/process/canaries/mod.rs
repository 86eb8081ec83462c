//! Secrets get nowhere: canaries are planted as secrets of every kind, used in every way, and looked for in every output
//! of the process.

mod echo;
mod search;
mod signed_in;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_postgres_testing::Database;

use self::search::{Canary, Outputs};
use super::server::{Server, chain, client, program};
use super::traces::collector::Collector;

const BASIC: &str = "bQ1/canary\"of+basic~&Wx1";
const HEADER: &str = "hQ2/canary\"of+header~&Wx2";
const BEARER: &str = "rQ3-canary.of_the/bearer+Wx3";
const CUSTOM: &str = "cQ5/canary-of-custom+Wx5";
const QUERY: &str = "yQ6/canary of+query~&\"Wx6";
const CLIENT: &str = "lQ7/canary\"of+client~&Wx7";
const ACCESS: &str = "tQ8-canary.of_a-token/that+was~given-Wx8";
const DOOR: &str = "dQ9/canary\"of+the~door&Wx9";
const TOKENS: &str = "jQ4/canary\"of+the~token&Kd8";
/// Signed with [`TOKENS`].
const TOKEN: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYWRhIiwgImV4cCI6IDQxMDI0NDQ4MDB9.EuC7JohFNv19yjpFDB4nDF_X9qv0AxBbzodMk5jB-zg";
const DIGEST: &str = "uQ1-canary-of-the_digest+Wx1";
/// MD5 of user, realm and [`DIGEST`]: whoever has it answers challenges as well as whoever has the password.
const DIGESTED: &str = "9d7916bd94a16aca6461e750887313a5";
const DATABASE: &str = "pQ0-canary-of-the-database-Wx0";
const KEY: &str = "q6urq83v/CanaryOfTheKeyThatSealsThem/012344=";

const COLLECTOR: &str = "oQ9-canary.of_the-collector-Wx9";
const HEADERS: &str = "x-key=oQ9-canary.of_the-collector-Wx9";

/// What a collector got, by the time that the server has stopped.
fn keep_traces(outputs: &mut Outputs, collector: &Collector) {
    let traces = collector.bodies();
    assert!(traces.len() > 10_000, "traces of everything have more than {} bytes", traces.len());
    outputs.keep("traces", traces);
}

fn canaries() -> Vec<Canary> {
    let mut planted: Vec<Canary> = [
        ("basic", BASIC),
        ("header", HEADER),
        ("bearer", BEARER),
        ("custom", CUSTOM),
        ("query", QUERY),
        ("client secret", CLIENT),
        ("access token", ACCESS),
        ("door", DOOR),
        ("secret of tokens", TOKENS),
        ("token", TOKEN),
        ("password of the database", DATABASE),
        ("key as text", KEY),
        ("digest", DIGEST),
        ("what answers challenges", DIGESTED),
        ("header for the collector", COLLECTOR),
    ]
    .map(|(name, secret)| Canary::new(name, secret.as_bytes()))
    .into();
    planted.push(Canary::new("key", &STANDARD.decode(KEY).unwrap()));
    planted
}

/// A deployment under test, and all that it gave.
struct World {
    server: Server,
    outputs: Outputs,
    echo: String,
}

impl World {
    /// Runs a verb against the server; answers what it printed.
    fn verb(&mut self, arguments: &[&str], input: &str) -> Value {
        let mut child = Command::new(program())
            .args(arguments)
            .args(["--server", &self.server.url])
            .envs(self.server.shown().map(|key| ("TIMELOOM_TOKEN", key)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let what = arguments.join(" ");
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        self.outputs.keep(format!("stdout of {what}"), output.stdout);
        self.outputs.keep(format!("stderr of {what}"), output.stderr);
        answer
    }

    fn save(&mut self, name: &str, credential_type: &str, fields: &Value) {
        let arguments = ["credential", "save", name, "--type", credential_type, "--fields", "-", "--json"];
        let saved = self.verb(&arguments, &fields.to_string());
        assert!(saved["credentialId"].is_string(), "{name}: {saved}");
    }

    fn save_all(&mut self) {
        self.save("basic", "httpBasicAuth", &json!({ "user": "ann", "password": BASIC }));
        self.save("header", "httpHeaderAuth", &json!({ "name": "X-Canary", "value": HEADER }));
        self.save("digest", "httpDigestAuth", &json!({ "user": "ann", "password": DIGEST }));
        self.save("bearer", "httpBearerAuth", &json!({ "token": BEARER }));
        self.save("query", "httpQueryAuth", &json!({ "name": "key", "value": QUERY }));
        let custom = json!({ "headers": { "X-Custom": CUSTOM, "Accept": "application/json" } }).to_string();
        self.save("custom", "httpCustomAuth", &json!({ "json": custom }));
        let url = format!("{}/token", self.echo);
        let oauth = json!({
            "grantType": "clientCredentials", "accessTokenUrl": url, "clientId": "loom", "clientSecret": CLIENT,
        });
        self.save("oauth", "oAuth2Api", &oauth);
        self.save("door", "httpBasicAuth", &json!({ "user": "ada", "password": DOOR }));
        let tokens = json!({ "keyType": "passphrase", "secret": TOKENS, "algorithm": "HS256" });
        self.save("tokens", "jwtAuth", &tokens);
    }

    async fn post(&mut self, what: &str, query: &str, variables: Value) -> Value {
        let answer = self.server.post(query, variables).await;
        self.outputs.keep(what, answer.to_string());
        answer
    }

    /// Runs a workflow to its end; answers the execution's id.
    async fn run(&self, workflow: &Value) -> (String, String) {
        let id = self.server.import(workflow).await;
        let started = self.server.start_execution(&id, "COMPLETED").await;
        assert_eq!(started["timedOut"], false, "{started}");
        (id, started["executionId"].as_str().unwrap().to_owned())
    }

    async fn get(&mut self, path: &str) {
        let mut request = client().get(format!("{}{path}", self.server.url));
        if let Some(key) = self.server.shown() {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        let text = format!("{:?} {}", answer.headers().clone(), answer.text().await.unwrap());
        self.outputs.keep(path, text);
    }
}

/// A call with a credential to an address of the echo, which goes on when it fails.
fn call(name: &str, credential: (&str, &str), url: &str, options: Value) -> Value {
    let (credential_type, called) = credential;
    json!({
        "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "onError": "continueRegularOutput",
        "parameters": {
            "url": url, "authentication": "genericCredentialType", "genericAuthType": credential_type,
            "options": options,
        },
        "credentials": { credential_type: { "id": "7", "name": called } },
    })
}

/// Calls of every kind, one after the other.
fn calls(echo: &str) -> Vec<Value> {
    let full = json!({ "response": { "response": { "fullResponse": true } } });
    let pages = json!({ "pagination": { "pagination": {
        "parameters": { "parameters": [{ "type": "qs", "name": "page", "value": "={{ $pageCount + 1 }}" }] },
        "paginationCompleteWhen": "other", "completeExpression": "={{ $response.statusCode === 404 }}",
        "limitPagesFetched": true, "maxRequests": 2,
    } } });
    let at = |path: &str| format!("{echo}/{path}");
    vec![
        call("Basic", ("httpBasicAuth", "basic"), &at("echo"), full.clone()),
        call("Header", ("httpHeaderAuth", "header"), &at("echo"), json!({})),
        call("Bearer", ("httpBearerAuth", "bearer"), &at("echo"), full),
        call("Query", ("httpQueryAuth", "query"), &at("echo"), json!({})),
        call("Custom", ("httpCustomAuth", "custom"), &at("echo"), json!({})),
        call("OAuth", ("oAuth2Api", "oauth"), &at("echo"), json!({})),
        call("Digest", ("httpDigestAuth", "digest"), &at("digest"), json!({})),
        call("Pages", ("httpBasicAuth", "basic"), &at("echo"), pages),
        call("File", ("httpHeaderAuth", "header"), &at("file"), json!({})),
        call("Failed", ("httpBasicAuth", "basic"), &at("fail"), json!({})),
        call("Failed Query", ("httpQueryAuth", "query"), &at("fail"), json!({})),
    ]
}

/// Tries to reach secrets by expressions and scripts.
fn attempts() -> Vec<Value> {
    let expressions = [
        "={{ $credentials }}",
        "={{ JSON.stringify($env) }}",
        "={{ $env.TIMELOOM_CREDENTIAL_KEY }}",
        "={{ $env.TIMELOOM_DATABASE }}",
        "={{ process.env }}",
        "={{ JSON.stringify($node) }}",
        "={{ JSON.stringify($('Basic').params) }}",
        "={{ JSON.stringify(Object.keys(globalThis)) }}",
        "={{ this.constructor.constructor('return process')() }}",
    ];
    let mut nodes: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            json!({
                "name": format!("Try {number}"), "type": "n8n-nodes-base.set", "typeVersion": 3.4,
                "onError": "continueRegularOutput",
                "parameters": { "assignments": { "assignments": [
                    { "id": "t", "name": "tried", "type": "string", "value": expression }
                ] }, "options": {} },
            })
        })
        .collect();
    nodes.push(json!({
        "name": "Script", "type": "n8n-nodes-base.code", "typeVersion": 2, "onError": "continueRegularOutput",
        "parameters": { "jsCode":
            "return [{ json: { all: Object.getOwnPropertyNames(globalThis).map(n => { try { \
             return n + String(JSON.stringify(globalThis[n])) } catch { return n } }) } }]" },
    }));
    nodes
}

/// A workflow with this trigger in place of the manual one.
fn begun_by(kind: &str, parameters: Value, credentials: Value, mut workflow: Value) -> Value {
    let first = &mut workflow["nodes"][0];
    first["type"] = json!(format!("n8n-nodes-base.{kind}"));
    first["typeVersion"] = json!(if kind == "webhook" { 2.0 } else { 1.0 });
    (first["parameters"], first["credentials"]) = (parameters, credentials);
    workflow
}

/// What nobody could save, in queries and variables.
async fn bad_input(world: &mut World) {
    let save = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) { errors { code message } } }";
    for (what, input) in [
        ("data that is no object", json!({ "name": "x", "type": "httpBasicAuth", "data": BASIC })),
        ("a field that is missing", json!({ "name": "x", "type": "httpBasicAuth", "data": { "user": HEADER } })),
        (
            "a field of another kind",
            json!({ "name": "x", "type": "httpBasicAuth", "data": { "user": "a", "password": [BASIC] } }),
        ),
        (
            "a word that is none",
            json!({ "name": "x", "type": "jwtAuth", "data": { "secret": TOKENS, "algorithm": DOOR } }),
        ),
        ("a name that is none", json!({ "name": 7, "type": "httpBasicAuth", "data": { "password": BASIC } })),
        ("a field that is not known", json!({ "nam": "x", "type": "httpBasicAuth", "data": { "password": BASIC } })),
    ] {
        let answer = world.post(what, save, json!({ "input": input })).await;
        let refused = answer.get("errors").is_some() || answer["data"]["saveCredential"]["errors"][0].is_object();
        assert!(refused, "{what}: {answer}");
    }
    let literal = format!(
        "mutation {{ saveCredential(input: {{ name: \"x\", type: \"httpBasicAuth\", data: {} }}) {{ nothing }} }}",
        serde_json::to_string(BEARER).unwrap()
    );
    assert!(world.post("a literal", &literal, json!({})).await.get("errors").is_some());
    let cut = literal.replace("}) { nothing } }", "");
    assert!(world.post("a query that is cut", &cut, json!({})).await.get("errors").is_some());
}

/// Lets callers in, and refuses others; the answers are what the workflow saw.
async fn webhooks(world: &mut World) {
    for (path, authentication, credential_type, name) in
        [("door", "basicAuth", "httpBasicAuth", "door"), ("tokens", "jwtAuth", "jwtAuth", "tokens")]
    {
        let parameters = json!({ "path": path, "authentication": authentication, "responseMode": "lastNode" });
        let credentials = json!({ credential_type: { "id": "7", "name": name } });
        let id = world.server.import(&begun_by("webhook", parameters, credentials, chain(path, &[]))).await;
        for mutation in ["publishWorkflow", "activateWorkflow"] {
            let query = format!(
                "mutation($id: UUID!) {{ {mutation}(input: {{ workflowId: $id }}) {{ errors {{ message }} }} }}"
            );
            let answer = world.post(mutation, &query, json!({ "id": id })).await;
            assert_eq!(answer["data"][mutation]["errors"], json!([]), "{answer}");
        }
        let url = format!("{}/webhook/{path}", world.server.url);
        let asked = client().get(&url).header("x-forwarded-token", if path == "door" { DOOR } else { TOKEN });
        let asked = if path == "door" { asked.basic_auth("ada", Some(DOOR)) } else { asked.bearer_auth(TOKEN) };
        let answer = asked.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 200 && text.contains(&format!("[secret of \\\"{name}\\\"]")), "{status} {text}");
        world.outputs.keep(format!("the answer of {path}"), text);
        let wrong = client().get(&url).basic_auth("ada", Some("wrong")).send().await.unwrap();
        world.outputs.keep(format!("the refusal of {path}"), wrong.text().await.unwrap());
    }
}

/// Does everything with secrets that can be done with them.
async fn everything(world: &mut World, folder: &Path) {
    world.save_all();
    bad_input(world).await;
    let steps = [calls(&world.echo), attempts()].concat();
    let (workflow, execution) = world.run(&chain("Calls", &steps)).await;

    let handler = chain(
        "Handler",
        &[json!({
            "name": "Tell", "type": "n8n-nodes-base.set", "typeVersion": 3.4,
            "parameters": { "assignments": { "assignments": [
                { "id": "t", "name": "told", "type": "string", "value": "={{ JSON.stringify($json) }}" }
            ] }, "options": {} },
        })],
    );
    let handler = world.server.import(&begun_by("errorTrigger", json!({}), json!({}), handler)).await;
    let mut failing = call("Fails", ("httpBasicAuth", "basic"), &format!("{}/fail", world.echo), json!({}));
    failing["onError"] = json!("stopWorkflow");
    let mut failing = chain("Failing", &[failing]);
    failing["settings"]["errorWorkflow"] = json!(handler);
    world.run(&failing).await;
    webhooks(world).await;

    let entity = format!("execution/{execution}");
    let fork = world
        .verb(&["execution", "fork", &execution, "--at", "r1", "--live", "Basic", "--reason", "what if", "--json"], "");
    assert!(fork["executionId"].is_string(), "{fork}");
    let replayed = world.verb(&["replay", &execution, "--json"], "");
    assert_eq!(replayed["sameCount"], 1, "{replayed}");
    world.verb(&["credential", "rotate", "--json"], "");
    for arguments in [
        &["state", "get", &entity, "--json"][..],
        &["state", "why", &entity, "/node_runs/1/outputs/0/0/json/body", "--json"],
        &["workflow", "export", &workflow],
        &["execution", "show", &execution, "--json"],
        &["execution", "groups", "--json"],
        &["credential", "list", "--json"],
        &["events", "list", "--json"],
        &["log", "backup", folder.join("kept").to_str().unwrap()],
    ] {
        world.verb(arguments, "");
    }
    let everything = "query($after: String) { events(first: 100, after: $after) {
        nodes { type payload } pageInfo { hasNextPage endCursor } } }";
    let mut after = Value::Null;
    loop {
        let answer = world.post("the log by the API", everything, json!({ "after": after })).await;
        let page = &answer["data"]["events"]["pageInfo"];
        if page["hasNextPage"] != true {
            break;
        }
        after = page["endCursor"].clone();
    }
    for path in ["/metrics", "/health", "/health/live", "/graphql/schema"] {
        world.get(path).await;
    }
}

/// Every secret was used and came back: a mark stands where each was. A password that answers a challenge is not sent.
fn shows_marks(outputs: &Outputs) {
    assert!(outputs.say(echo::ANSWERED), "no challenge was answered");
    for name in ["basic", "header", "bearer", "query", "custom", "oauth", "door", "tokens"] {
        let mark = format!("[secret of \\\"{name}\\\"]");
        assert!(outputs.say(&mark), "no mark of '{name}' is anywhere: it was not used");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_output_of_a_server_with_a_data_folder() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let echo = echo::serve(ACCESS);
    let collector = Collector::start().await;
    let arguments = [
        "--log",
        "debug",
        "--allow-private-hosts",
        "*",
        "--expression-env",
        "TIMELOOM_CREDENTIAL_KEY,TIMELOOM_DATABASE,OTEL_EXPORTER_OTLP_HEADERS",
        "--otlp-endpoint",
        &collector.url,
    ];
    let variables = [("TIMELOOM_CREDENTIAL_KEY", KEY), ("OTEL_EXPORTER_OTLP_HEADERS", HEADERS)];
    let server = Server::start_with(folder.path(), &arguments, &variables);
    let mut world = World { server, outputs: Outputs::default(), echo };
    everything(&mut world, copies.path()).await;
    let World { server, mut outputs, .. } = world;
    assert!(outputs.keep_files(folder.path()) > 3, "files while it runs");
    let said = server.stop();
    assert!(said.contains("DEBUG"), "{said}");
    outputs.keep("stderr of the server", said);
    keep_traces(&mut outputs, &collector);
    outputs.keep_files(folder.path());
    assert!(outputs.keep_files(copies.path()) > 1, "a backup");
    shows_marks(&outputs);
    outputs.hide(&canaries());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_output_of_a_server_with_a_database() {
    let (database, copies) = (Database::create().await, tempfile::tempdir().unwrap());
    let echo = echo::serve(ACCESS);
    let url = database.url().replace("postgres@", &format!("postgres:{DATABASE}@"));
    assert_ne!(url, database.url());
    let collector = Collector::start().await;
    let arguments = [
        "--log",
        "debug",
        "--allow-private-hosts",
        "*",
        "--expression-env",
        "TIMELOOM_CREDENTIAL_KEY,TIMELOOM_DATABASE,OTEL_EXPORTER_OTLP_HEADERS",
        "--otlp-endpoint",
        &collector.url,
    ];
    let variables =
        [("TIMELOOM_CREDENTIAL_KEY", KEY), ("TIMELOOM_DATABASE", &*url), ("OTEL_EXPORTER_OTLP_HEADERS", HEADERS)];
    let server = Server::start_with(copies.path(), &arguments, &variables);
    let mut world = World { server, outputs: Outputs::default(), echo };
    everything(&mut world, copies.path()).await;
    let World { server, mut outputs, .. } = world;
    outputs.keep("stderr of the server", server.stop());
    keep_traces(&mut outputs, &collector);
    let wrong = url.replace("/test_", "/nothing_");
    let refused = Command::new(program()).args(["workflow", "list", "--database", &wrong]).output().unwrap();
    assert!(!refused.status.success());
    outputs.keep("a database that is not there", [refused.stdout, refused.stderr].concat());
    let client = database.client().await;
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let tables = client.query(tables, &[]).await.unwrap();
    assert!(tables.len() > 5);
    for table in tables {
        let table: String = table.get(0);
        let rows = format!("SELECT coalesce(string_agg(row::text, E'\\n'), '') FROM {table} AS row");
        let rows: String = client.query_one(&rows, &[]).await.unwrap().get(0);
        outputs.keep(table, rows);
    }
    outputs.keep_files(copies.path());
    shows_marks(&outputs);
    outputs.hide(&canaries());
}
