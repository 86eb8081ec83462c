//! Who has access, with the program itself: over a data folder, and over a server.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::server::{Server, program, verb, verb_json};

/// Runs a verb with something on its standard input.
fn verb_with(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// The verbs of one place: a data folder, or a server.
struct Place(Vec<String>);

impl Place {
    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        words.iter().copied().chain(self.0.iter().map(String::as_str)).collect()
    }

    fn json(&self, words: &[&str]) -> Value {
        verb_json(&self.words(&[words, &["--json"]].concat()))
    }

    fn done(&self, words: &[&str]) -> String {
        let output = verb(&self.words(words));
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    #[track_caller]
    fn refused(&self, words: &[&str], why: &str) {
        let output = verb(&self.words(words));
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(why), "{words:?}: {}", text(&output.stderr));
    }

    fn names(&self, words: &[&str]) -> Vec<String> {
        let found = self.json(words);
        let name = |entry: &Value| entry.pointer("/account/name").or_else(|| entry.get("name")).cloned();
        let names = found.as_array().unwrap().iter().map(|entry| name(entry).unwrap());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}

fn id(payload: &Value) -> String {
    payload["accountId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// Accounts are made, given roles and keys, reviewed as of a moment, and let in no more.
fn manage(place: &Place) {
    let owner = place.json(&["account", "create", "Ada", "--email", "ada@example.org", "--role", "owner"]);
    let owner = id(&owner);
    let bot = id(&place.json(&["account", "create", "bot", "--kind", "service", "--role", "viewer", "--reason", "CI"]));
    let granted = place.json(&["account", "grant", &bot, "editor", "--reason", "it deploys"]);
    let then = granted["position"].as_str().unwrap().to_owned();
    assert_eq!(place.names(&["account", "list"]), ["bot", "Ada"]);
    assert_eq!(place.names(&["account", "list", "--role", "owner"]), ["Ada"]);
    let shown = place.json(&["account", "show", &bot]);
    assert_eq!(shown["roles"][1]["role"], "EDITOR");
    assert_eq!(shown["roles"][1]["granted"]["reason"], "it deploys");

    let made = verb(&place.words(&["key", "make", "deploys", "--account", &bot, "--scope", "workflow:write"]));
    let token = text(&made.stdout);
    assert!(token.starts_with("timeloom_key_") && token.trim().lines().count() == 1, "{token}");
    assert!(text(&made.stderr).contains("shown once"), "{}", text(&made.stderr));
    let keys = place.json(&["key", "list", "--account", &bot]);
    assert_eq!((&keys[0]["name"], &keys[0]["scopes"]), (&json!("deploys"), &json!(["WORKFLOW_WRITE"])));
    assert!(!keys.to_string().contains(token.trim().rsplit_once('_').unwrap().1));
    let review = place.json(&["access", "review", "--permission", "workflow:write"]);
    assert_eq!(review[0]["keys"][0]["apiKey"]["key"], keys[0]["key"]);

    let mut words = place.words(&["account", "password", &owner, "--file", "-", "--json"]);
    let set = verb_with(&words, "correct horse battery staple\n");
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    assert_eq!(place.json(&["account", "show", &owner])["hasPassword"], true);
    words.retain(|word| *word != "--json");
    let weak = verb_with(&words, "short\n");
    assert_eq!(weak.status.code(), Some(2), "{}", text(&weak.stderr));
    assert!(!text(&weak.stderr).contains("short\n"), "{}", text(&weak.stderr));

    place.done(&["account", "identity", "link", &owner, "https://id.example.org", "42"]);
    place.done(&["account", "rename", &owner, "Ada L.", "--email", "al@example.org"]);
    place.done(&["key", "revoke", keys[0]["key"].as_str().unwrap(), "--account", &bot]);
    assert_eq!(place.json(&["key", "list", "--account", &bot]), json!([]));
    assert_eq!(place.json(&["key", "list", "--account", &bot, "--all"])[0]["active"], false);
    place.done(&["account", "disable", &bot, "--reason", "no longer used"]);
    assert_eq!(place.names(&["access", "review", "--permission", "workflow:write"]), ["Ada L."]);
    let could = place.names(&["access", "review", "--permission", "workflow:write", "--at", &then]);
    assert_eq!(could, ["bot", "Ada"], "as it was then");

    place.refused(&["account", "revoke", &owner, "owner"], "this is the last owner");
    place.refused(&["account", "grant", &owner, "emperor"], "is no role: use owner");
    place.refused(&["account", "show", "00000000-0000-0000-0000-000000000001"], "there is no account");
    place.refused(&["key", "make", "x", "--account", &bot, "--scope", "workflow:rite"], "is no permission");
    place.refused(
        &["account", "create", "Eve", "--email", "AL@example.org"],
        "another account signs in with this address",
    );
    assert_eq!(place.json(&["session", "list"]), json!([]));
}

/// A tenant as it is listed.
fn tenant(number: &Value, name: &str, suspended: bool) -> Value {
    json!({ "number": number, "name": name, "suspended": suspended, "openCategories": [] })
}

/// Tenants are made, called otherwise, and suspended.
fn manage_tenants(place: &Place) {
    let made = place.json(&["tenant", "create", "customers"]);
    let number = made["number"].to_string();
    place.done(&["tenant", "rename", &number, "clients"]);
    place.done(&["tenant", "suspend", &number]);
    let listed = place.json(&["tenant", "list"]);
    assert_eq!(listed[0], tenant(&made["number"], "clients", true));
    assert_eq!(listed[1], tenant(&json!(0), "default", false));
    place.done(&["tenant", "resume", &number]);
    place.refused(&["tenant", "suspend", "0"], "runs the installation");
    let told = place.done(&["whoami"]);
    assert!(
        told.starts_with("local:") && told.contains("in tenant 0 (default)") && told.contains("tenant:write"),
        "{told}"
    );
}

#[test]
fn access_is_managed_over_a_data_folder_and_an_owner_can_always_be_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let place = Place(vec!["--data".to_owned(), data]);
    let first = place.json(&["account", "link", "--owner"]);
    assert!(first["token"].as_str().unwrap().starts_with("timeloom_link_"), "{first}");
    let again = place.json(&["account", "link", "--owner"]);
    assert_eq!(again["accountId"], first["accountId"], "there is one owner");
    assert_eq!(place.names(&["account", "list", "--role", "owner"]), ["Owner"]);
    let disabled = place.json(&["account", "show", first["accountId"].as_str().unwrap()]);
    assert_eq!(disabled["email"], "owner@localhost");
    manage_tenants(&place);

    let folder = tempfile::tempdir().unwrap();
    manage(&Place(vec!["--data".to_owned(), folder.path().display().to_string()]));
}

#[test]
fn access_is_managed_over_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let place = Place(vec!["--server".to_owned(), server.url.clone()]);
    manage(&place);
    manage_tenants(&place);
    server.stop();
}
