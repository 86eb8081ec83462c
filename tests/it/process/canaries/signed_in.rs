//! The same where people and programs show who they are: what lets them in gets nowhere, besides where it was given to them.

use reqwest::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};

use super::super::signing_in::{Browser, link};
use super::*;

const PASSWORD: &str = "wP1/canary\"of+the~password&Wx1";
const WRONG: &str = "wP2/canary\"of+a~wrong&Wx2";

/// A secret that the server made: its part behind what may be seen of it.
fn made(name: &'static str, text: &str, separator: char) -> Canary {
    let (_, secret) = text.split_once(separator).unwrap();
    let secret = secret.split_once('_').map_or(secret, |(secret, _)| secret);
    assert_eq!(secret.len(), 43, "{name} is made otherwise now");
    Canary::new(name, secret.as_bytes())
}

impl World {
    /// Keeps an answer without what it gives to whom it lets in.
    async fn keep_page(&mut self, what: &str, answer: reqwest::Response) -> Option<String> {
        let cookie = answer.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
        let mut headers = answer.headers().clone();
        headers.remove(SET_COOKIE);
        let text = format!("{} {headers:?} {}", answer.status(), answer.text().await.unwrap());
        self.outputs.keep(what, text);
        cookie
    }

    /// Sends a query with some `Authorization` or cookie, which lets nobody in.
    async fn refused(&mut self, name: &str, value: &str) {
        let request = client().post(format!("{}/graphql", self.server.url)).header(name, value);
        let answer = request.json(&json!({ "query": "{ head { position } }" })).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{name}");
        self.keep_page(&format!("a refusal of {name}"), answer).await;
    }
}

/// Signs in as the owner, chooses a password, tries wrong ones, and has a key made; what was planted in doing so.
async fn signs_in(world: &mut World) -> Vec<Canary> {
    let mut browser = Browser::new();
    let token = link(&world.server).expect("the first start prints a link");
    let answer = browser.post(&world.server, "/sign-in/link", &[("token", &token)]).await;
    world.keep_page("signing in by the link", answer).await.unwrap();
    for (what, fields) in [
        ("a weak password", &[("password", "aaaa")][..]),
        ("a wrong password of now", &[("password", PASSWORD), ("current", WRONG)]),
        ("choosing a password", &[("password", PASSWORD)]),
    ] {
        let answer = browser.post(&world.server, "/account/password", fields).await;
        world.keep_page(what, answer).await;
    }
    let email = ("email", "owner@localhost");
    for (what, fields) in [
        ("a wrong password", [email, ("password", WRONG)]),
        ("a password as an address", [("email", PASSWORD), ("password", WRONG)]),
    ] {
        let answer = Browser::new().post(&world.server, "/sign-in", &fields).await;
        assert_eq!(answer.status(), 403);
        // The form shows an address again to whom it came from, whatever it is.
        if fields[0] == email {
            world.keep_page(what, answer).await;
        }
    }
    let mut again = Browser::new();
    let answer = again.post(&world.server, "/sign-in", &[email, ("password", PASSWORD)]).await;
    let cookie = world.keep_page("signing in by the password", answer).await.unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let session = cookie.split_once('=').unwrap().1.to_owned();

    let make = "mutation { makeApiKey(input: { name: \"canary\" }) { token errors { message } } }";
    let request = client().post(format!("{}/graphql", world.server.url)).header(COOKIE, &cookie);
    let request = request.header(ORIGIN, &world.server.url).json(&json!({ "query": make }));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let key = answer["data"]["makeApiKey"]["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    world.server.show(&key);

    // What nearly lets in is as good as what does, to whoever sees it.
    let half = &key[..key.len() - 1];
    for (name, value) in [
        ("authorization", format!("Bearer {half}")),
        ("authorization", format!("Basic {key}")),
        ("authorization", format!("Bearer {session}")),
        ("cookie", format!("{cookie}x")),
        ("cookie", format!("timeloom={key}")),
    ] {
        world.refused(name, &value).await;
    }
    let elsewhere = client().get(format!("{}/sign-in", world.server.url)).header(HOST, "evil.example");
    let answer = elsewhere.header(COOKIE, &cookie).send().await.unwrap();
    world.keep_page("a place that is none", answer).await;
    vec![
        Canary::new("password", PASSWORD.as_bytes()),
        Canary::new("wrong password", WRONG.as_bytes()),
        made("session", &session, '.'),
        made("link", token.strip_prefix("timeloom_link_").unwrap(), '_'),
        made("key of an account", key.strip_prefix("timeloom_key_").unwrap(), '_'),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_lets_somebody_in_is_in_any_output_of_a_server_that_asks_who_comes() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let echo = echo::serve(ACCESS);
    let arguments = ["--log", "debug", "--allow-private-hosts", "*"];
    let variables = [("TIMELOOM_CREDENTIAL_KEY", KEY)];
    let server = Server::start_asking_with(folder.path(), "127.0.0.1:0", &arguments, &variables);
    let mut world = World { server, outputs: Outputs::default(), echo };
    let mut planted = signs_in(&mut world).await;
    planted.extend(canaries());
    everything(&mut world, copies.path()).await;
    world.verb(&["account", "list", "--json"], "");
    let reads =
        "{ accounts { nodes { name email hasPassword apiKeys { nodes { key name } } } } sessions { nodes { id } }
        accessReview { nodes { account { name } permissions } } }";
    let answer = world.post("who has access", reads, json!({})).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    let World { server, mut outputs, .. } = world;
    let said = server.stop();
    assert!(said.contains("DEBUG"), "{said}");
    // The link of the first start is for whoever reads this, once; it lets nobody in any more.
    let (before, after) = said.split_once("/sign-in/link?token=").unwrap();
    outputs.keep("stderr of the server", format!("{before} {}", after.split_once(char::is_whitespace).unwrap().1));
    assert!(outputs.keep_files(folder.path()) > 3);
    assert!(outputs.keep_files(copies.path()) > 1, "a backup");
    shows_marks(&outputs);
    outputs.hide(&planted);
}
