//! Erasing the data of a person, with the program itself: asked for by one, approved by another, and gone everywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_commands::credentials::keys::Key;
use timeloom_postgres_testing::Database;

use super::server::{Server, chain, set, verb, verb_json};

/// What is about a person, in the data of an execution and in an account.
const MAIL: &str = "grace.hopper@example.org";
const NAME: &str = "customer-4711";
/// The content of an attachment, which is a file of its own.
const FILE_TEXT: &str = "Grace Hopper lives at 7 Harbour Street";
/// Longest time for an erasure to be done.
const DONE_TIME_MAX: Duration = Duration::from_secs(60);

const APPROVE: &str = "mutation($input: ApproveErasureInput!) { approveErasure(input: $input) {
    subjectId subject { status name } errors { code message } } }";

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

pub(super) fn done(words: &[&str]) -> String {
    let output = verb(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Every file of a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
    }
}

/// The files of a folder that have a text in them, as it is or as JSON in base64 could not hide it.
pub(super) fn files_with(folder: &Path, wanted: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(folder, &mut found);
    found.retain(|file| fs::read(file).unwrap().windows(wanted.len()).any(|part| part == wanted.as_bytes()));
    found
}

/// A person's execution: an item with an address, and a file made of it.
pub(super) async fn person_is_served(server: &Server, subject: &str, mail: &str) -> String {
    let file = json!({
        "name": "File", "type": "n8n-nodes-base.convertToFile", "typeVersion": 1.1,
        "parameters": { "operation": "toText", "sourceProperty": "letter", "options": {} }
    });
    let workflow = server.import(&chain("Letters", &[set("Sum", "sum", "={{ 1 + 2 }}"), file])).await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
        executionId status errors { message } } }";
    let whose = if mail == MAIL { FILE_TEXT } else { "Somebody else" };
    let letter = format!("{whose} {}", "and writes often. ".repeat(8_000));
    let items = json!([{ "mail": mail, "letter": letter }]);
    let input = json!({ "workflowId": workflow, "items": items, "subject": subject, "waitFor": "COMPLETED" });
    let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(started["status"], "COMPLETED", "{started}");
    started["executionId"].as_str().unwrap().to_owned()
}

/// An execution of the same person that fails, and says in its failure for whom: the read models have that.
async fn person_is_failed(server: &Server) -> String {
    let stop = json!({
        "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "={{ 'no letter for ' + $json.mail }}" }
    });
    let workflow = server.import(&chain("Fails", &[stop])).await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId status } }";
    let input = json!({ "workflowId": workflow, "items": [{ "mail": MAIL }], "subject": NAME, "waitFor": "COMPLETED" });
    let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(started["status"], "FAILED", "{started}");
    let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
    let rows = "query($to: Position) { executions(first: 1, waitFor: $to) { nodes { id } } }";
    server.ask(rows, json!({ "to": head })).await;
    started["executionId"].as_str().unwrap().to_owned()
}

pub(super) async fn state_of(server: &Server, execution: &str) -> String {
    let query = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";
    server.ask(query, json!({ "id": execution })).await.to_string()
}

/// Waits until nothing is left of the first subject that is listed.
async fn completed(server: &Server) -> Value {
    let until = tokio::time::Instant::now() + DONE_TIME_MAX;
    loop {
        let listed = server.ask("{ erasures { id name status events streams approvedBy } }", json!({})).await;
        let first = listed["erasures"][0].clone();
        if first["status"] == "COMPLETED" {
            return first;
        }
        assert!(tokio::time::Instant::now() < until, "the erasure is not done: {listed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Two owners with keys of their own.
pub(super) struct Owners {
    pub(super) asks: String,
    pub(super) approves: String,
}

pub(super) fn owners(data: &str) -> Owners {
    owners_at(&["--data", data])
}

/// The same, wherever everything is kept.
fn owners_at(place: &[&str]) -> Owners {
    let key = |name: &str, mail: &str| {
        let words = ["account", "create", name, "--email", mail, "--role", "owner", "--seal-accounts"];
        let made = verb_json(&[&words[..], place, &["--json"]].concat());
        let account = made["accountId"].as_str().unwrap().to_owned();
        let made = done(&[&["key", "make", "test", "--account", &account, "--seal-accounts"], place].concat());
        made.trim().to_owned()
    };
    Owners { asks: key("Ada", "ada@example.org"), approves: key("Bob", "bob@example.org") }
}

pub(super) fn serve(data: &Path, key: &str) -> Server {
    let mut server = Server::start_asking(data, "127.0.0.1:0", &["--seal-accounts"]);
    server.show(key);
    server
}

async fn approve(server: &Server, id: &str) -> Value {
    server.ask(APPROVE, json!({ "input": { "subjectId": id } })).await["approveErasure"].clone()
}

/// Somebody asks with the verb of the command line.
fn ask_for_erasure(server: &Server, key: &str, subject: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, key).unwrap();
    let words = ["audit", "erase", subject, "--reason", "request 2026-118", "--server", &server.url, "--json"];
    let asked = verb_json(&[&words[..], &["--token-file", &token.display().to_string()]].concat());
    asked["subjectId"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned()
}

#[tokio::test]
async fn an_erased_person_is_in_no_file_and_nowhere_to_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let owners = owners(&data);
    let mut server = serve(folder.path(), &owners.asks);
    let execution = person_is_served(&server, NAME, MAIL).await;
    let other = person_is_served(&server, "somebody-else", "else@example.org").await;
    let failed = person_is_failed(&server).await;
    assert!(state_of(&server, &execution).await.contains(MAIL));
    let stored = files_with(folder.path(), MAIL);
    assert!(stored.iter().all(|file| !file.display().to_string().contains("/log.db")), "the log is sealed: {stored:?}");
    let is_of_rows = |file: &PathBuf| file.display().to_string().contains("read-models");
    assert!(stored.iter().any(is_of_rows), "what is looked for is found where it is: {stored:?}");
    assert!(!files_with(&folder.path().join("blobs"), FILE_TEXT).is_empty(), "the attachment is a file");

    // A hold, and one alone, are in the way.
    let preview = "query($subject: String!) { erasurePreview(subject: $subject) { events attachments streamCount
        executionsUnderWay subject { id } } }";
    let seen = server.ask(preview, json!({ "subject": NAME })).await["erasurePreview"].clone();
    assert!(seen["events"].as_u64().unwrap() >= 3 && seen["executionsUnderWay"] == 0, "{seen}");
    assert_eq!(seen["attachments"], 1, "{seen}");
    let hold = "mutation($input: PlaceLegalHoldInput!) { placeLegalHold(input: $input) { errors { message } } }";
    let input = json!({ "subject": NAME, "hold": "case 7", "reason": "court order" });
    server.ask(hold, json!({ "input": input })).await;
    let id = ask_for_erasure(&server, &owners.asks, NAME);
    assert_eq!(approve(&server, &id).await["errors"][0]["code"], "SECOND_PERSON_NEEDED");
    server.show(&owners.approves);
    assert_eq!(approve(&server, &id).await["errors"][0]["code"], "ON_LEGAL_HOLD");
    let release = json!({ "input": { "subjectId": id, "hold": "case 7", "reason": "the case is closed" } });
    let ask = "mutation($input: ReleaseLegalHoldInput!) { requestLegalHoldRelease(input: $input) { errors { code } } }";
    let end = "mutation($input: ReleaseLegalHoldInput!) { approveLegalHoldRelease(input: $input) { errors { code } } }";
    server.ask(ask, release.clone()).await;
    let alone = server.ask(end, release.clone()).await;
    assert_eq!(alone["approveLegalHoldRelease"]["errors"][0]["code"], "SECOND_PERSON_NEEDED");
    server.show(&owners.asks);
    assert_eq!(server.ask(end, release).await["approveLegalHoldRelease"]["errors"], json!([]));

    let outside = tempfile::tempdir().unwrap();
    let backup = outside.path().join("subjects.keys").display().to_string();
    let token = outside.path().join("token");
    fs::write(&token, &owners.asks).unwrap();
    let token = token.display().to_string();
    done(&["audit", "subject-keys", "backup", &backup, "--server", &server.url, "--token-file", &token]);
    let old_keys = outside.path().join("subjects.db");
    fs::copy(folder.path().join("keys/subjects.db"), &old_keys).unwrap();
    fs::copy(folder.path().join("keys/subjects.db-wal"), outside.path().join("subjects.db-wal")).unwrap();

    server.show(&owners.approves);
    let approved = approve(&server, &id).await;
    assert_eq!((&approved["errors"], &approved["subject"]["name"]), (&json!([]), &json!("[erased]")), "{approved}");
    let erased = completed(&server).await;
    assert!(erased["events"].as_u64().unwrap() >= 3, "{erased}");
    let state = state_of(&server, &execution).await;
    assert!(!state.contains(MAIL) && state.contains("[erased]"), "{state}");
    assert!(state_of(&server, &other).await.contains("else@example.org"), "nobody else lost anything");
    let search = format!("{{ searchPayloads(query: \"{MAIL}\", first: 5) {{ nodes {{ position }} }} }}");
    let found = server.post(&search, json!({})).await;
    assert!(!found.to_string().contains("\"position\":\""), "{found}");
    let retry = "mutation($input: RetryExecutionInput!) { retryExecution(input: $input) { errors { code } } }";
    let retried = server.post(retry, json!({ "input": { "executionId": failed } })).await;
    assert!(retried.to_string().contains("EXECUTION_ERASED"), "{retried}");
    assert_eq!(files_with(folder.path(), MAIL), Vec::<PathBuf>::new(), "it is gone while the server runs");
    server.stop();

    for gone in [MAIL, NAME, FILE_TEXT] {
        assert_eq!(files_with(folder.path(), gone), Vec::<PathBuf>::new(), "{gone} is in a file still");
    }
    done(&["log", "verify", "--data", &data]);

    // Neither an old backup of keys nor the old file of keys revives anybody.
    assert!(done(&["audit", "subject-keys", "restore", &backup, "--data", &data]).contains("restored 0 keys"));
    fs::copy(&old_keys, folder.path().join("keys/subjects.db")).unwrap();
    fs::copy(outside.path().join("subjects.db-wal"), folder.path().join("keys/subjects.db-wal")).unwrap();
    let server = serve(folder.path(), &owners.asks);
    assert!(!state_of(&server, &execution).await.contains(MAIL));
    assert!(state_of(&server, &other).await.contains("else@example.org"));
    server.stop();
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let owners = owners(&data);
    let mut server = serve(folder.path(), &owners.asks);
    let execution = person_is_served(&server, NAME, MAIL).await;
    let id = ask_for_erasure(&server, &owners.asks, NAME);
    server.show(&owners.approves);
    assert_eq!(approve(&server, &id).await["errors"], json!([]));
    server.kill();
    let server = serve(folder.path(), &owners.asks);
    completed(&server).await;
    assert!(!state_of(&server, &execution).await.contains(MAIL));
    server.stop();
    for gone in [MAIL, NAME, FILE_TEXT] {
        assert_eq!(files_with(folder.path(), gone), Vec::<PathBuf>::new(), "{gone} is in a file still");
    }
}

#[tokio::test]
async fn keys_that_were_lost_are_told_and_come_back_from_their_backup() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let server = Server::start(folder.path(), &[]);
    let execution = person_is_served(&server, NAME, MAIL).await;
    let outside = tempfile::tempdir().unwrap();
    let backup = outside.path().join("subjects.keys").display().to_string();
    done(&["audit", "subject-keys", "backup", &backup, "--server", &server.url]);
    assert!(!fs::read_to_string(&backup).unwrap().contains(NAME), "a backup names nobody");
    server.stop();
    for file in ["subjects.db", "subjects.db-wal", "subjects.db-shm"] {
        let _ = fs::remove_file(folder.path().join("keys").join(file));
    }
    let words = ["state", "get", &format!("execution/{execution}"), "--data", &data];
    let told = verb(&words);
    assert!(!told.status.success(), "{}", text(&told.stdout));
    assert!(text(&told.stderr).contains("subject-keys restore"), "{}", text(&told.stderr));
    // Nor does a server begin, with no file or with an empty one: it would go on with new keys for old names.
    let serve = ["serve", "--data", &data, "--sign-in", "off", "--listen", "127.0.0.1:0"];
    for is_emptied in [false, true] {
        if is_emptied {
            fs::write(folder.path().join("keys/subjects.db"), "").unwrap();
        }
        let refused = verb(&serve);
        assert!(!refused.status.success());
        let told = text(&refused.stderr);
        assert!(told.contains("subject-keys restore") && told.contains("--accept-lost-keys"), "{told}");
    }
    assert!(done(&["audit", "subject-keys", "restore", &backup, "--data", &data]).contains("restored 1 key"));
    let server = Server::start(folder.path(), &[]);
    assert!(state_of(&server, &execution).await.contains(MAIL));
    server.stop();
}

#[tokio::test]
async fn an_erased_account_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let owners = owners(&data);
    let words = ["account", "create", "Grace Hopper", "--email", MAIL, "--seal-accounts", "--data", &data, "--json"];
    let account = verb_json(&words)["accountId"].as_str().unwrap().to_owned();
    let subject = format!("account:{account}");
    let mut server = serve(folder.path(), &owners.asks);
    let id = ask_for_erasure(&server, &owners.asks, &subject);
    server.show(&owners.approves);
    assert_eq!(approve(&server, &id).await["errors"][0]["code"], "ACCOUNT_ENABLED");
    let disable = "mutation($input: AccountInput!) { disableAccount(input: $input) { errors { message } } }";
    let input = json!({ "accountId": account, "reason": "she asked to be forgotten" });
    assert_eq!(server.ask(disable, json!({ "input": input })).await["disableAccount"]["errors"], json!([]));
    assert_eq!(approve(&server, &id).await["errors"], json!([]));
    completed(&server).await;
    let shown = "query($id: UUID!) { account(id: $id) { name email } }";
    let shown = server.ask(shown, json!({ "id": account })).await["account"].clone();
    assert_eq!(shown, json!({ "name": "[erased]", "email": null }));
    server.stop();
    for gone in [MAIL, "Grace Hopper"] {
        assert_eq!(files_with(folder.path(), gone), Vec::<PathBuf>::new(), "{gone} is in a file still");
    }
}

/// Waits until a process shows an execution so.
async fn shows(server: &Server, execution: &str, is_so: impl Fn(&str) -> bool) {
    let query = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";
    let until = tokio::time::Instant::now() + DONE_TIME_MAX;
    loop {
        let state = server.post(query, json!({ "id": execution })).await.to_string();
        if is_so(&state) {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "it is not shown so: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_erased_for_all_processes_of_a_database() {
    let database = Database::create().await;
    let folder = tempfile::tempdir().unwrap();
    let master = folder.path().join("master.key");
    fs::write(&master, &*Key::new([7; 32].into()).encode()).unwrap();
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).unwrap();
    let master = master.display().to_string();
    let place = ["--database", database.url(), "--credential-key-file", &master];
    let owners = owners_at(&place);
    let unused = folder.path().join("unused");
    let start = || {
        let mut server = Server::start_asking(&unused, "127.0.0.1:0", &[&place[..], &["--seal-accounts"]].concat());
        server.show(&owners.asks);
        server
    };
    let (first, mut other) = (start(), start());
    let execution = person_is_served(&first, NAME, MAIL).await;
    let stays = person_is_served(&first, "somebody-else", "else@example.org").await;
    shows(&other, &execution, |state| state.contains(MAIL)).await;
    let client = database.client().await;
    let count = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let clear = format!("SELECT count(*) FROM events WHERE payload::text LIKE '%{MAIL}%'");
    assert_eq!(count(&clear).await, 0, "the log is sealed");
    let id = ask_for_erasure(&first, &owners.asks, NAME);
    let key = format!("SELECT count(*) FROM subject_keys WHERE id = '{id}'");
    assert_eq!(count(&key).await, 1, "its wrapped key is in the database");
    // Whichever of the two makes the read models, one asks and the other process decides.
    other.show(&owners.approves);
    let until = tokio::time::Instant::now() + DONE_TIME_MAX;
    while approve(&other, &id).await["errors"] != json!([]) {
        assert!(tokio::time::Instant::now() < until, "it hears of the request and its executions' ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count(&key).await, 0);
    for server in [&first, &other] {
        shows(server, &execution, |state| state.contains("[erased]") && !state.contains(MAIL)).await;
        shows(server, &stays, |state| state.contains("else@example.org")).await;
    }
    completed(&first).await;
    let rows = "query { executions(first: 10) { nodes { id error { message } } } }";
    assert!(!first.post(rows, json!({})).await.to_string().contains(MAIL));
    first.stop();
    other.stop();
    let verified = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(verified["faultCount"], 0, "{verified}");
}
