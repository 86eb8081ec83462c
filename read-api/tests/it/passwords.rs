//! Who changes the password of their own account shows the one that it has, and cookies over TLS are bound to their host.

use reqwest::StatusCode;
use reqwest::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use timeloom_commands::access::SESSION_FRESH_MS;
use timeloom_domain::access::Role;
use timeloom_read_api::SignInOptions;

use crate::people::machine;
use crate::sign_in::{PASSWORD, asked, asking, browser, cookie_of, send_form, signed_in};
use crate::support::{FIRST_TENANT, TestServer};

const OTHER: &str = "another horse battery";

async fn page(server: &TestServer, cookie: &str) -> String {
    let sent = browser().get(server.url("/account/password")).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    sent.text().await.unwrap()
}

#[tokio::test]
async fn the_page_asks_for_the_password_that_somebody_has_once_their_session_is_not_fresh() {
    let server = asking();
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let cookie = signed_in(&server, account).await;
    assert!(!page(&server, &cookie).await.contains("name=\"current\""));
    let choose = async |fields: &[(&str, &str)]| {
        let sent = send_form(&server, "/account/password", &cookie, fields).await;
        (sent.status(), sent.headers().get(LOCATION).cloned(), sent.text().await.unwrap())
    };
    assert_eq!(choose(&[("password", PASSWORD)]).await.0, StatusCode::SEE_OTHER);
    server.clock.advance(SESSION_FRESH_MS);
    assert!(page(&server, &cookie).await.contains("name=\"current\""));
    for (fields, says) in [
        (&[("password", OTHER)][..], "say which password it has now"),
        (&[("password", OTHER), ("current", "")], "that is not the password"),
        (&[("password", OTHER), ("current", OTHER)], "that is not the password"),
    ] {
        let (status, _, body) = choose(fields).await;
        assert!(status == 422 && body.contains(says) && body.contains("name=\"current\""), "{status} {body}");
    }
    let (status, place, _) = choose(&[("password", OTHER), ("current", PASSWORD), ("next", "/graphql")]).await;
    assert_eq!((status, place), (StatusCode::SEE_OTHER, Some("/graphql".parse().unwrap())));
    let fields = [("email", "ada@example.org"), ("password", OTHER)];
    assert_eq!(send_form(&server, "/sign-in", "", &fields).await.status(), 303);
    server.stop().await;
}

#[tokio::test]
async fn the_same_is_asked_over_graphql_and_nobody_who_resets_others_is_asked() {
    let server = asking();
    let ada = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let owner = server.user(FIRST_TENANT, "owner", &[Role::Owner]).await;
    let (as_ada, as_owner) = (signed_in(&server, ada).await, signed_in(&server, owner).await);
    let set = async |cookie: &str, input: Value| {
        let query = "mutation($input: SetPasswordInput!) { setPassword(input: $input) { errors { code path } } }";
        let body = json!({ "query": query, "variables": { "input": input } });
        let sent = browser().post(server.url("/graphql")).header(COOKIE, cookie).json(&body).send().await.unwrap();
        sent.json::<Value>().await.unwrap()["data"]["setPassword"]["errors"].clone()
    };
    let refused = |code: &str| json!([{ "code": code, "path": ["input", "currentPassword"] }]);
    assert_eq!(set(&as_ada, json!({ "password": PASSWORD })).await, json!([]));
    server.clock.advance(SESSION_FRESH_MS);
    assert_eq!(set(&as_ada, json!({ "password": OTHER })).await, refused("SIGN_IN_AGAIN"));
    let wrong = || json!({ "password": OTHER, "currentPassword": "a wrong horse" });
    for _ in 0..5 {
        assert_eq!(set(&as_ada, wrong()).await, refused("WRONG_PASSWORD"));
    }
    let right = || json!({ "password": OTHER, "currentPassword": PASSWORD });
    assert_eq!(set(&as_ada, right()).await, refused("TOO_MANY_TRIES"), "nobody tries on and on");
    server.clock.advance(SESSION_FRESH_MS);
    assert_eq!(set(&as_ada, right()).await, json!([]));
    let reset = json!({ "accountId": ada, "password": PASSWORD, "reason": "she forgot it" });
    assert_eq!(set(&as_owner, reset).await, json!([]));
    assert_eq!(set(&as_ada, right()).await, json!([]), "it was reset");
    server.stop().await;
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_the_host_and_no_other_name_lets_in() {
    let server = TestServer::start_asking_at("https://flows.example", SignInOptions::default());
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let link = server.access.make_sign_in_link(&machine(FIRST_TENANT), account, 60_000).await.unwrap().value;
    let form = browser().post(server.url("/sign-in/link")).form(&[("token", &*link.token)]);
    let sent = form.header(HOST, "flows.example").header(ORIGIN, "https://flows.example").send().await.unwrap();
    assert_eq!(sent.status(), 303);
    let (cookie, whole) = cookie_of(sent.headers());
    // Browsers take a name that begins so with these three alone, and without a Domain.
    assert!(cookie.starts_with("__Host-timeloom="), "{whole}");
    let parts: Vec<&str> = whole.split("; ").collect();
    assert!(["Secure", "HttpOnly", "Path=/", "SameSite=Lax"].iter().all(|part| parts.contains(part)), "{whole}");
    assert!(!whole.contains("Domain"), "{whole}");
    let at = |cookie: &str| {
        let cookie = cookie.to_owned();
        move |request: reqwest::RequestBuilder| request.header(HOST, "flows.example").header(COOKIE, &cookie)
    };
    assert_eq!(asked(&server, at(&cookie)).await, 200);
    let plain = cookie.replace("__Host-", "");
    assert_eq!(asked(&server, at(&plain)).await, 401, "whoever has a name below this host can set that one");
    let out = browser().post(server.url("/sign-out")).header(COOKIE, &cookie).header(HOST, "flows.example");
    let out = out.header(ORIGIN, "https://flows.example").send().await.unwrap();
    let ended = out.headers()[SET_COOKIE].to_str().unwrap();
    assert!(
        ended.starts_with("__Host-timeloom=;") && ended.contains("Max-Age=0") && ended.contains("Secure"),
        "{ended}"
    );
    assert_eq!(asked(&server, at(&cookie)).await, 401);
    server.stop().await;
}
