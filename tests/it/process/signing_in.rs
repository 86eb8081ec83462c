//! The way in to a server that asks who comes: the link of the first start, passwords, keys on the command line, and a real
//! identity provider.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

use super::server::{Server, client, program};
use crate::tree::root;

pub(super) const PASSWORD: &str = "correct horse battery";

/// A browser, as far as it keeps cookies and follows nothing by itself.
pub(super) struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub(super) fn new() -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Self { http: http.build().unwrap(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let request = request.build().unwrap();
        let host = request.url().authority().to_owned();
        let kept: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), _)| *of == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = request;
        if !kept.is_empty() {
            request.headers_mut().insert(COOKIE, kept.join("; ").parse().unwrap());
        }
        let answer = self.http.execute(request).await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
        }
        answer
    }

    pub(super) async fn get(&mut self, url: &str) -> reqwest::Response {
        let request = self.http.get(url);
        self.send(request).await
    }

    pub(super) async fn post(&mut self, server: &Server, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", server.url)).header(ORIGIN, &server.url).form(fields);
        self.send(request).await
    }

    /// What a query is answered with.
    pub(super) async fn ask(&mut self, server: &Server, query: &str, variables: Value) -> Value {
        let asked = json!({ "query": query, "variables": variables });
        let request = self.http.post(format!("{}/graphql", server.url)).json(&asked);
        self.send(request).await.json().await.unwrap()
    }

    /// Who is signed in there: the status of a read, and its answer.
    async fn read(&mut self, server: &Server) -> (u16, Value) {
        let query = json!({ "query": "{ head { position } }" });
        let request = self.http.post(format!("{}/graphql", server.url)).json(&query);
        let answer = self.send(request).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// The secret of the link that the server printed, if it did.
pub(super) fn link(server: &Server) -> Option<String> {
    let said = server.said();
    let link = said.split("/sign-in/link?token=").nth(1)?;
    Some(link.split_whitespace().next().unwrap().to_owned())
}

#[tokio::test]
async fn the_first_start_lets_the_owner_in_and_no_other_start_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    let mut browser = Browser::new();
    assert_eq!(browser.read(&server).await.0, 401);
    let token = link(&server).expect("the first start prints a link");
    assert_eq!(browser.post(&server, "/sign-in/link", &[("token", &token)]).await.status(), 303);
    assert_eq!(browser.read(&server).await.0, 200);
    let chosen = browser.post(&server, "/account/password", &[("password", PASSWORD)]).await;
    assert_eq!(chosen.status(), 303);
    let said = server.stop();
    assert!(!said.contains(PASSWORD), "{said}");

    let again = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    assert_eq!(link(&again), None, "the owner can sign in");
    let mut other = Browser::new();
    let fields = [("email", "owner@localhost"), ("password", PASSWORD)];
    assert_eq!(other.post(&again, "/sign-in", &fields).await.status(), 303);
    assert_eq!(other.read(&again).await.0, 200);
    assert_eq!(other.post(&again, "/sign-in/link", &[("token", &token)]).await.status(), 403, "it was used");
    again.stop();
}

#[tokio::test]
async fn a_server_that_asks_may_be_reached_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_asking(folder.path(), "0.0.0.0:0", &[]);
    let url = server.url.replace("0.0.0.0", "127.0.0.1");
    let status = |path: &str| {
        let request = client().get(format!("{url}{path}"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!((status("/healthz").await, status("/graphql/schema").await), (200, 401));
    server.stop();
}

#[tokio::test]
async fn verbs_tell_what_to_do_without_a_key_and_never_tell_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    let run = |token: Option<&str>, arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(arguments).stdin(Stdio::null()).env_remove("TIMELOOM_TOKEN");
        if let Some(token) = token {
            command.env("TIMELOOM_TOKEN", token);
        }
        command.output().unwrap()
    };
    let file = folder.path().join("key");
    std::fs::write(&file, "timeloom_key_of_nobody\n").unwrap();
    let (backup, file) = (folder.path().join("backup"), file.to_str().unwrap());
    let list = ["workflow", "list", "--server", &server.url];
    for (token, arguments, status) in [
        (None, &list[..], 2),
        (Some("timeloom_key_of_nobody"), &list[..], 2),
        (None, &["workflow", "list", "--server", &server.url, "--token-file", file][..], 2),
        (None, &["log", "backup", backup.to_str().unwrap(), "--server", &server.url][..], 1),
    ] {
        let output = run(token, arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{told}");
        assert!(told.contains("TIMELOOM_TOKEN") && !told.contains("of_nobody"), "{told}");
    }
    let broken = run(Some("a\nb"), &list);
    assert!(String::from_utf8_lossy(&broken.stderr).contains("the key for the server is none"), "{broken:?}");
    server.stop();
}

/// An identity provider that ends with the test.
pub(super) struct Provider {
    child: Child,
    pub(super) issuer: String,
    /// What it says later on: it would end if nobody could hear it.
    _says: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A real provider in a copy of its folder, or why there is none.
pub(super) fn provider(scratch: &Path, redirect: &str) -> Result<Provider, String> {
    let from = root().join("tests/fixtures/oidc");
    for name in ["package.json", "package-lock.json", "provider.mjs"] {
        std::fs::copy(from.join(name), scratch.join(name)).map_err(|error| error.to_string())?;
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
        .args(["provider.mjs", &free_port().to_string(), redirect])
        .current_dir(scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("node cannot be started: {error}"))?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It may tell of other things first.
    let issuer = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("http://"));
    let issuer = issuer.expect("the provider tells its address");
    Ok(Provider { child, issuer, _says: lines })
}

#[tokio::test]
async fn people_sign_in_at_a_real_identity_provider() {
    let scratch = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let public = format!("http://{address}");
    let provider = match provider(scratch.path(), &format!("{public}/sign-in/callback")) {
        Ok(provider) => provider,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret of the test\n").unwrap();
    let data = folder.path().join("data");
    let options = [
        "--public-url",
        &public,
        "--oidc-issuer",
        &provider.issuer,
        "--oidc-client-id",
        "timeloom",
        "--oidc-client-secret-file",
        secret.to_str().unwrap(),
        "--oidc-name",
        "Acme",
        "--oidc-new-accounts",
        "viewer",
    ];
    let server = Server::start_asking(&data, &address, &options);
    let mut browser = Browser::new();
    let page = browser.get(&format!("{public}/sign-in")).await.text().await.unwrap();
    assert!(page.contains("Sign in with Acme"), "{page}");
    let mut place = format!("{public}/sign-in/with?next=/graphql/schema");
    let mut steps = Vec::new();
    let ended = loop {
        let answer = browser.get(&place).await;
        steps.push(format!("{} {place}", answer.status()));
        assert!(steps.len() < 20, "{steps:#?}");
        let Some(next) = answer.headers().get(LOCATION) else { break answer };
        place = url::Url::parse(&place).unwrap().join(next.to_str().unwrap()).unwrap().into();
    };
    assert_eq!((ended.status().as_u16(), place), (200, format!("{public}/graphql/schema")), "{steps:#?}");
    assert!(ended.text().await.unwrap().contains("type Query"));
    let (status, answer) = browser.read(&server).await;
    assert_eq!(status, 200, "{answer}");

    // The same answer of the provider, once more and in another browser, lets nobody in.
    let came_back = steps.iter().find(|step| step.contains("/sign-in/callback?"));
    let callback = came_back.and_then(|step| step.rsplit(' ').next()).expect("the browser came back");
    assert_eq!(browser.get(callback).await.status(), 403);
    assert_eq!(Browser::new().get(callback).await.status(), 403);
    server.stop();
}
