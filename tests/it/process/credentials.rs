//! Credentials with the program itself: secrets are in no file, answer or log, and keys are what opens them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_postgres_testing::Database;

use super::server::{Server, program, verb};

/// Nothing else says this.
const SECRET: &str = "qZ7-vulcanised-ocelot-Wx3";
const KEYS: &str = "keys/credentials.key";
const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TWO: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

fn fields() -> Value {
    json!({ "user": "ann", "password": SECRET })
}

/// Runs a verb with something on its standard input, and variables.
fn verb_with(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(program())
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A verb that is refused before it reads has closed its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn save(place: &[&str], variables: &[(&str, &str)], fields: &Value) -> Output {
    let arguments = [&["credential", "save", "Mailer", "--type", "httpBasicAuth", "--fields", "-", "--json"], place];
    verb_with(&arguments.concat(), variables, &fields.to_string())
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn answer(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", told(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The secret as base64 has it, at each of the three places where it can begin, without what its neighbours change.
fn encoded() -> [String; 3] {
    [0, 1, 2].map(|before| {
        let encoded = STANDARD.encode(format!("{}{SECRET}", "x".repeat(before)));
        encoded[4..encoded.len() - 4].to_owned()
    })
}

#[track_caller]
fn tells_no_secret(text: &[u8], what: &str) {
    for secret in encoded().iter().map(String::as_str).chain([SECRET]) {
        let found = text.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{what} has the secret in it");
    }
}

/// Every file under `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[track_caller]
fn hides_the_secret(folder: &Path) -> usize {
    let all = files(folder);
    for file in &all {
        tells_no_secret(&fs::read(file).unwrap(), &file.display().to_string());
    }
    all.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_no_file_no_answer_and_no_log() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    // A log that says everything that the product and what it stands on ever say of themselves.
    let server = Server::start(folder.path(), &["--log", "trace"]);
    let there = ["--server", server.url.as_str()];
    let saved = answer(&save(&there, &[], &fields()));
    let id = saved["credentialId"].as_str().unwrap().to_owned();
    let wrong = save(&there, &[], &json!({ "user": SECRET }));
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
    assert!(told(&wrong).contains("'password'"), "{}", told(&wrong));
    tells_no_secret(told(&wrong).as_bytes(), "a refusal");
    let listed = answer(&verb(&[&["credential", "list", "--json"], &there[..]].concat()));
    assert_eq!((&listed[0]["name"], &listed[0]["fields"]), (&json!("Mailer"), &json!(["user", "password"])));
    let entity = format!("credential/{id}");
    for arguments in [
        &["credential", "list"][..],
        &["events", "list", "--json"],
        &["events", "list", "--category", "credential"],
        &["state", "get", &entity],
        &["state", "get", &entity, "--json"],
    ] {
        let output = verb(&[arguments, &there[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        tells_no_secret(told(&output).as_bytes(), &arguments.join(" "));
    }
    let kept = backup.path().join("kept");
    let copied = verb(&["log", "backup", kept.to_str().unwrap(), "--server", &server.url]);
    assert_eq!(copied.status.code(), Some(0), "{}", told(&copied));
    assert!(hides_the_secret(folder.path()) > 3);
    let log = server.stop();
    assert!(log.contains("saveCredential") || log.contains("/graphql"), "the log says nothing of it: {log}");
    tells_no_secret(log.as_bytes(), "the server's log");

    // Without a server, from a file, and a longer one, so that the first is in what was freed.
    let source = backup.path().join("fields.json");
    let long = json!({ "user": "ann", "password": format!("{SECRET}{}", "x".repeat(40_000)) });
    fs::write(&source, long.to_string()).unwrap();
    let again = verb(&[
        "credential",
        "save",
        "Mailer",
        "--type",
        "httpBasicAuth",
        "--fields",
        source.to_str().unwrap(),
        "--data",
        data,
    ]);
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    tells_no_secret(told(&again).as_bytes(), "a verb");
    hides_the_secret(folder.path());
    // Neither the secret nor the key is in a backup.
    hides_the_secret(&kept);
    let key = fs::read_to_string(folder.path().join(KEYS)).unwrap();
    let key = key.lines().last().unwrap();
    assert_eq!(key.len(), 44);
    for file in files(&kept) {
        assert!(!fs::read(&file).unwrap().windows(44).any(|part| part == key.as_bytes()), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_makes_a_new_key_and_a_lost_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = ["--data", folder.path().to_str().unwrap()];
    answer(&save(&place, &[], &fields()));
    let keys = folder.path().join(KEYS);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&keys), mode(&folder.path().join("keys"))), (0o600, 0o700));
    let old = fs::read_to_string(&keys).unwrap();
    let rotate = |more: &[&str]| verb(&[&["credential", "rotate", "--json"], more, &place[..]].concat());
    let rotated = answer(&rotate(&["--new-key"]));
    assert_eq!((&rotated["resealedCount"], &rotated["keptCount"]), (&json!(1), &json!(0)));
    let both = fs::read_to_string(&keys).unwrap();
    assert!(both.starts_with(&old) && both.lines().count() == old.lines().count() + 1);
    assert_eq!(answer(&rotate(&[]))["keptCount"], 1);

    // The newest key alone is enough now, and without it nothing opens.
    let newest = both.lines().last().unwrap();
    fs::write(&keys, format!("{newest}\n")).unwrap();
    assert_eq!(answer(&rotate(&["--new-key"]))["resealedCount"], 1);
    fs::write(&keys, &old).unwrap();
    let lost = rotate(&[]);
    assert_eq!(lost.status.code(), Some(1), "{}", told(&lost));
    let failed: Value = serde_json::from_slice(&lost.stdout).unwrap();
    let failure = failed["failures"][0].as_str().unwrap();
    assert!(
        failure.contains("'Mailer'") && failure.contains(KEYS) && failure.contains("bring that key back"),
        "{failure}"
    );

    // Others may not read the keys, and a file of something else is none.
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = rotate(&[]);
    assert!(refused.status.code() == Some(1) && told(&refused).contains("chmod 600"), "{}", told(&refused));
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&keys, format!("{SECRET}\n")).unwrap();
    let refused = rotate(&[]);
    assert!(refused.status.code() == Some(1) && told(&refused).contains("key number 1"), "{}", told(&refused));
    tells_no_secret(told(&refused).as_bytes(), "a refusal of keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_the_keys_of_another_deployment_says_so_and_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let place = ["--data", folder.path().to_str().unwrap()];
    let one = [("TIMELOOM_CREDENTIAL_KEY", ONE)];
    answer(&save(&place, &one, &fields()));
    let listed = answer(&verb(&[&["credential", "list", "--json"], &place[..]].concat()));
    assert_eq!(listed[0]["version"], 1);
    let needed = listed[0]["key"].as_str().unwrap();
    let wrong = folder.path().join("wrong.key");
    fs::write(&wrong, format!("{TWO}\n")).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let keys = ["--credential-key-file", wrong.to_str().unwrap()];
    let refused = verb(&[&["serve", "--listen", "127.0.0.1:0"], &place[..], &keys].concat());
    let message = told(&refused);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(message.contains(needed) && message.contains("wrong.key has key ") && !message.contains(TWO), "{message}");

    // Whoever has lost them for good starts all the same, and is told; the list works, and saving again mends it.
    let server = Server::start(folder.path(), &[&keys[..], &["--accept-lost-keys"]].concat());
    let there = ["--server", server.url.as_str()];
    let listed = answer(&verb(&[&["credential", "list", "--json"], &there[..]].concat()));
    assert_eq!(listed[0]["key"], needed);
    answer(&save(&there, &[], &fields()));
    let said = server.stop();
    assert!(said.contains(needed), "{said}");
    let server = Server::start(folder.path(), &keys);
    let said = server.stop();
    assert!(!said.contains("are sealed with key"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_needs_a_key_that_is_given_and_holds_none() {
    let database = Database::create().await;
    let place = ["--database", database.url()];
    let refused = save(&place, &[], &fields());
    assert_eq!(refused.status.code(), Some(2), "{}", told(&refused));
    assert!(told(&refused).contains("--credential-key-file"), "{}", told(&refused));
    let one = [("TIMELOOM_CREDENTIAL_KEY", ONE)];
    answer(&save(&place, &one, &fields()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, format!("{ONE}\n{TWO}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let with_file = [&place[..], &["--credential-key-file", file.to_str().unwrap(), "--json"]].concat();
    let rotate = |more: &[&str], variables: &[(&str, &str)]| {
        verb_with(&[&["credential", "rotate"], more].concat(), variables, "")
    };
    let rotated = rotate(&with_file, &[]);
    assert_eq!(answer(&rotated)["resealedCount"], 1);
    // The old key alone opens nothing any more; both ways of giving keys at once are refused, and new ones are not made.
    let old = rotate(&place, &one);
    assert!(old.status.code() == Some(1) && told(&old).contains("TIMELOOM_CREDENTIAL_KEY"), "{}", told(&old));
    let twice = rotate(&with_file, &one);
    assert!(twice.status.code() == Some(1) && told(&twice).contains("give one of them"), "{}", told(&twice));
    let new = rotate(&[&with_file[..], &["--new-key"]].concat(), &[]);
    assert!(new.status.code() == Some(2) && told(&new).contains("keys are given"), "{}", told(&new));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let readable = rotate(&with_file, &[]);
    assert!(readable.status.code() == Some(1) && told(&readable).contains("chmod 600"), "{}", told(&readable));

    let client = database.client().await;
    let sql = "SELECT coalesce(string_agg(event::text, ' '), '') FROM events AS event";
    let events: String = client.query_one(sql, &[]).await.unwrap().get(0);
    let sql = "SELECT coalesce(string_agg(row::text, ' '), '') FROM credentials AS row";
    let rows: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(events.contains("CredentialResealed") && rows.contains("Mailer"), "{events} {rows}");
    tells_no_secret(format!("{events}{rows}").as_bytes(), "the database");
    assert!(!events.contains(ONE) && !events.contains(TWO));
}
