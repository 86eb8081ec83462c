//! A server with its providers, and keys by which it is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::process::server::{Server, client, program, verb, verb_json};
use crate::tree::root;

/// The key of every provider.
pub const PROVIDER_KEY: &str = "sk-planted-0123456789-canary";
/// A secret of another credential, which people put into prompts.
pub const OTHER_SECRET: &str = "hunter2-planted-in-a-prompt";

pub fn files() -> PathBuf {
    root().join("tests/it/process/gateway/clients")
}

/// A provider of all protocols that others wrote. It ends with the value.
pub struct Mock {
    child: Child,
    pub address: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mock {
    /// The provider in a copy of its folder, with the stock client beside it; or why there is none.
    pub fn start(scratch: &Path) -> Result<Self, String> {
        for name in ["package.json", "package-lock.json", "said.json", "checks.mjs"] {
            std::fs::copy(files().join(name), scratch.join(name)).map_err(|error| error.to_string())?;
        }
        let fetched = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(scratch)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("npm cannot be started: {error}"))?;
        if !fetched.status.success() {
            return Err(format!("npm cannot fetch the packages: {}", String::from_utf8_lossy(&fetched.stderr)));
        }
        let mut child = Command::new("node")
            .args(["node_modules/@copilotkit/aimock/dist/cli.js", "--port", "0", "--fixtures", "said.json"])
            .current_dir(scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("node cannot be started: {error}"))?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.map_while(Result::ok).find(|line| line.contains("listening on"));
        let address = listening.and_then(|line| line.split("http://").nth(1).map(str::to_owned));
        Ok(Self { child, address: address.unwrap() })
    }

    /// From now on all goes wrong in that way.
    pub async fn goes_wrong(&self, how: Value) {
        let sent = client().post(format!("http://{}/__aimock/chaos", self.address)).json(&how).send().await.unwrap();
        assert!(sent.status().is_success(), "{sent:?}");
    }
}

/// Runs a verb on a data folder or a server, and takes what it says.
#[track_caller]
pub fn done(place: &[&str], words: &[&str]) -> String {
    let output = verb(&[words, place].concat());
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {said}{complained}");
    said.into_owned()
}

/// Saves a credential with these fields.
pub fn save(place: &[&str], name: &str, kind: &str, fields: &Value) {
    let words = ["credential", "save", name, "--type", kind, "--fields", "-", "--json"];
    let mut child = Command::new(program())
        .args(words)
        .args(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(fields.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a key of the account that may run executions and look; its text and its id.
pub fn key(place: &[&str], account: &str, name: &str) -> (String, String) {
    let scopes = ["execution:run", "execution:read", "registry:read"].map(|scope| ["--scope", scope]).concat();
    let words = [&["key", "make", name, "--account", account][..], &scopes].concat();
    let text = done(place, &words).trim().to_owned();
    let keys = verb_json(&[&["key", "list", "--account", account, "--json"], place].concat());
    let found = keys.as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
    (text, found["key"].as_str().unwrap().to_owned())
}

/// A service account that may change models too; answers its id.
pub fn bot(place: &[&str]) -> String {
    let account = verb_json(
        &[&["account", "create", "bot", "--kind", "service", "--role", "editor", "--json"][..], place].concat(),
    );
    account["accountId"].as_str().unwrap().to_owned()
}

/// Keys of that account with their ids: one without limits, one of which two requests a minute are answered, and one that has
/// five cents a month where a million tokens cost a thousand dollars.
pub fn limited_keys(place: &[&str]) -> [(String, String); 3] {
    let account = bot(place);
    let keys = ["free", "limited", "poor"].map(|name| key(place, &account, name));
    let [_, (_, limited), (_, poor)] = &keys;
    done(place, &["gateway", "price", "set", "openai=small", "--input", "0", "--output", "1000"]);
    let limit = ["gateway", "limit", "set"];
    done(place, &[&limit[..], &["few", "--holder", "key", "--id", limited, "--requests", "2"]].concat());
    let budget = ["poor", "--holder", "key", "--id", poor, "--money", "0.05", "--every", "month"];
    done(place, &[&limit[..], &budget].concat());
    keys
}

/// A set-up with a provider of each protocol at `address`, and routes by their names.
pub fn set_up(place: &[&str], address: &str) {
    save(place, "Models", "openAiApi", &json!({ "apiKey": PROVIDER_KEY }));
    save(place, "Models", "anthropicApi", &json!({ "apiKey": PROVIDER_KEY }));
    save(place, "Safe", "httpBasicAuth", &json!({ "user": "ada", "password": OTHER_SECRET }));
    for (name, protocol, url) in [
        ("openai", "openai", format!("http://{address}/v1")),
        ("anthropic", "anthropic", format!("http://{address}")),
        ("ollama", "ollama", format!("http://{address}")),
    ] {
        let mut words = vec!["gateway", "provider", "set", name, "--protocol", protocol, "--url", &url];
        words.extend(["--total-ms", "3000", "--first-token-ms", "3000"]);
        if name != "ollama" {
            words.extend(["--credential", "Models"]);
        }
        done(place, &words);
    }
    done(place, &["gateway", "route", "set", "assistant", "--target", "openai=small"]);
    done(place, &["gateway", "route", "set", "unrepaired", "--target", "openai=small", "--no-repair"]);
    done(place, &["gateway", "route", "set", "by-anthropic", "--target", "anthropic=claude"]);
    done(place, &["gateway", "route", "set", "by-ollama", "--target", "ollama=llama"]);
}

/// Adds the test's own provider at `url`, with routes to each of its models.
pub fn set_up_own(place: &[&str], url: &str) {
    save(place, "Models", "openAiApi", &json!({ "apiKey": PROVIDER_KEY }));
    let provider =
        ["gateway", "provider", "set", "own", "--protocol", "openai", "--url", url, "--credential", "Models"];
    done(place, &provider);
    for model in ["plain", "tells", "tells-in-body", "tells-in-stream", "endless"] {
        done(place, &["gateway", "route", "set", model, "--target", &format!("own={model}"), "--retries", "0"]);
    }
}

/// A request for a chat.
pub fn chat(model: &str, text: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": text }], "max_tokens": 20 })
}

/// Asks for a chat; the status, and the answer.
pub async fn asked(server: &Server, request: &Value) -> (u16, Value) {
    let mut sent = client().post(format!("{}/v1/chat/completions", server.url)).json(request);
    if let Some(key) = server.shown() {
        sent = sent.bearer_auth(key);
    }
    let answer = sent.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

/// The events of a category in a data folder that no server has.
pub fn events(data: &Path, category: &str) -> Vec<Value> {
    let data = data.to_str().unwrap();
    let words = ["events", "list", "--data", data, "--json", "--limit", "100", "--category", category];
    verb_json(&words)["nodes"].as_array().unwrap().clone()
}
