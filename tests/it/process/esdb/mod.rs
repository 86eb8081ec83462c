//! The protocol of EventStoreDB, as the vendor's clients speak it with a real server. That of the Rust registry is in the
//! tests of `store/esdb-front`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use timeloom_postgres_testing::Database;

use super::python::{self, holds, run};
use super::server::{Server, verb, verb_json};
use super::signing_in::Browser;
use crate::tree::root;

/// Checks that must hold: of the client from PyPI before and after a crash, of that from npm, and at two servers.
const CHECKS: [usize; 4] = [49, 2, 16, 4];

fn files() -> PathBuf {
    root().join("tests/it/process/esdb/clients")
}

/// A Python with the client in it, or why there is none.
fn python() -> Result<PathBuf, String> {
    python::with("esdb-client", &files().join("requirements.txt"))
}

/// A folder with the client from npm and its checks, or why there is none.
fn node() -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["package.json", "package-lock.json", "checks.mjs"] {
        fs::copy(files().join(name), folder.path().join(name)).unwrap();
    }
    run(Path::new("npm"), &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder.path())?;
    Ok(folder)
}

/// A server with a category that is open, two keys of its first tenant, and one of another tenant.
struct World {
    folder: tempfile::TempDir,
    server: Option<Server>,
    writer: String,
    reader: String,
    other: String,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = ["--data", folder.path().to_str().unwrap()];
        let done = |words: &[&str]| {
            let output = verb(&[words, &place].concat());
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        done(&["tenant", "open", "0", "order"]);
        done(&["tenant", "create", "other"]);
        let made = ["account", "create", "shop", "--kind", "service", "--role", "admin", "--json"];
        let account = verb_json(&[&made[..], &place].concat())["accountId"].as_str().unwrap().to_owned();
        let key = |name: &str, scopes: &[&str]| {
            let scopes: Vec<&str> = scopes.iter().flat_map(|scope| ["--scope", scope]).collect();
            done(&[&["key", "make", name, "--account", &account][..], &scopes].concat())
        };
        let (writer, reader) = (key("writer", &["audit:read", "event:append"]), key("reader", &["audit:read"]));
        let link = verb_json(&[&["account", "link", "--owner", "--tenant", "1", "--json"][..], &place].concat());
        Self::certificate(folder.path());
        let mut world = Self { folder, server: None, writer, reader, other: String::new() };
        world.start();
        world.other = world.key_by_link(link["token"].as_str().unwrap()).await;
        world
    }

    /// A certificate for this machine, which vouches for itself.
    fn certificate(folder: &Path) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn start(&mut self) {
        self.start_with(&[]);
    }

    fn start_with(&mut self, more: &[&str]) {
        let (certificate, key) = (self.file("certificate.pem"), self.file("key.pem"));
        let served = ["--esdb-port", "0", "--esdb-tls-certificate", &certificate, "--esdb-tls-key", &key];
        let more = [&served[..], more].concat();
        self.server = Some(Server::start_asking(&self.folder.path().join("."), "127.0.0.1:0", &more));
    }

    /// Where the protocol is spoken.
    fn place(&self) -> String {
        place(self.server.as_ref().unwrap())
    }

    /// A key of whom a link lets in.
    async fn key_by_link(&self, token: &str) -> String {
        let (mut browser, server) = (Browser::new(), self.server.as_ref().unwrap());
        assert_eq!(browser.post(server, "/sign-in/link", &[("token", token)]).await.status(), 303);
        let query = "mutation($input: MakeApiKeyInput!) { makeApiKey(input: $input) { token errors { message } } }";
        let input = json!({ "input": { "name": "other", "reason": "a test" } });
        let answer = browser.ask(server, query, input).await;
        answer["data"]["makeApiKey"]["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_pypi_finds_what_it_knows_and_groups_survive_a_crash() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let mut world = World::new().await;
    let (certificate, checks) = (world.file("certificate.pem"), files().join("checks.py"));
    let kept = "order-kept";
    let check = |world: &World, more: &[&str], count: usize| {
        let place = world.place();
        let known = [&world.writer, &world.reader, &world.other].map(String::as_str);
        let arguments = [&[checks.to_str().unwrap(), &place, &certificate][..], &known, &[kept], more].concat();
        holds(&python, &arguments, world.folder.path(), count);
    };
    check(&world, &[], CHECKS[0]);
    world.server.take().unwrap().kill();
    world.start();
    check(&world, &["after"], CHECKS[1]);
}

/// Where a server speaks the protocol.
fn place(server: &Server) -> String {
    server.said().split("esdb://").nth(1).unwrap().split('?').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_of_a_group_are_with_one_of_two_processes_and_with_the_other_after_a_crash() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let database = Database::create().await;
    let folder = tempfile::tempdir().unwrap();
    let more = ["--database", database.url(), "--esdb-port", "0"];
    let opened = verb(&["tenant", "open", "0", "order", "--database", database.url()]);
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let [first, second] = ["first", "second"].map(|name| Server::start(&folder.path().join(name), &more));
    let (checks, pid) = (files().join("two.py"), first.pid().to_string());
    let arguments = [checks.to_str().unwrap(), &place(&first), &place(&second), &pid];
    holds(&python, &arguments, folder.path(), CHECKS[3]);
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_calls_too_often_is_told_to_wait() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let mut world = World::new().await;
    drop(world.server.take());
    world.start_with(&["--esdb-rate-limit", "5"]);
    let often = "
import sys
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
place, certificate, key = sys.argv[1:4]
client = KurrentDBClient(f'kurrentdb://someone:{key}@{place}', root_certificates=open(certificate).read())
appended = 0
try:
    for _ in range(20):
        client.append_to_stream('order-often', current_version=StreamState.ANY, events=NewEvent(type='Happened', data=b'{}'))
        appended += 1
except Exception as error:
    assert 'you ask too often: try again in' in str(error), error
assert 1 <= appended < 20, appended
print('held one account is told to wait', appended)
client.close()
";
    let (place, certificate) = (world.place(), world.file("certificate.pem"));
    holds(&python, &["-c", often, &place, &certificate, &world.writer], world.folder.path(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_npm_finds_what_it_knows() {
    let folder = match node() {
        Ok(folder) => folder,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let world = World::new().await;
    let (place, certificate) = (world.place(), world.file("certificate.pem"));
    let arguments = ["checks.mjs", &place, &certificate, &world.writer, &world.other];
    holds(Path::new("node"), &arguments, folder.path(), CHECKS[2]);
}
