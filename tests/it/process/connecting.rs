//! Connecting a credential of OAuth 2 at a provider that others wrote: permission is given in a browser, and nodes have the token.

use reqwest::header::LOCATION;
use serde_json::{Value, json};

use super::server::{Server, verb_json};
use super::signing_in::{Browser, free_port, link, provider};

const SAVE: &str = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) { credentialId position errors { message } } }";
const SHOWN: &str =
    "query($id: UUID!, $p: Position!) { credential(id: $id, waitFor: $p) { fields version connectUrl } }";

/// Follows a browser from one place to the next until it is led on no more: where it is, the status, and what it sees.
async fn follow(browser: &mut Browser, from: &str) -> (String, u16, String, Vec<String>) {
    let (mut place, mut places) = (from.to_owned(), Vec::new());
    loop {
        let answer = browser.get(&place).await;
        places.push(place.clone());
        assert!(places.len() < 20, "{places:#?}");
        let Some(next) = answer.headers().get(LOCATION) else {
            return (place, answer.status().as_u16(), answer.text().await.unwrap(), places);
        };
        place = url::Url::parse(&place).unwrap().join(next.to_str().unwrap()).unwrap().into();
    }
}

#[tokio::test]
async fn a_credential_is_connected_at_a_real_provider_by_whoever_began_it() {
    let scratch = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let public = format!("http://{address}");
    let provider = match provider(scratch.path(), &format!("{public}/credentials/callback")) {
        Ok(provider) => provider,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let (folder, issuer) = (tempfile::tempdir().unwrap(), provider.issuer.as_str());
    let allowed = issuer.trim_start_matches("http://");
    let server =
        Server::start_asking(folder.path(), &address, &["--public-url", &public, "--allow-private-hosts", allowed]);
    let mut browser = Browser::new();
    let token = link(&server).unwrap();
    assert_eq!(browser.post(&server, "/sign-in/link", &[("token", &token)]).await.status(), 303);

    let types = browser.ask(&server, "{ credentialTypes { name callbackUrl } }", json!({})).await;
    let types = types["data"]["credentialTypes"].as_array().unwrap().clone();
    let callback = |name: &str| types.iter().find(|one| one["name"] == name).unwrap()["callbackUrl"].clone();
    assert_eq!(callback("oAuth2Api"), format!("{public}/credentials/callback"));
    assert_eq!(callback("httpBasicAuth"), Value::Null);

    let fields = json!({
        "grantType": "authorizationCode", "authUrl": format!("{issuer}/auth"), "accessTokenUrl": format!("{issuer}/token"),
        "clientId": "timeloom", "clientSecret": "a secret of the test", "scope": "openid email",
        "authQueryParameters": "prompt=consent&state=of-somebody-else",
    });
    let input = json!({ "name": "Ours", "type": "oAuth2Api", "data": fields });
    let saved = browser.ask(&server, SAVE, json!({ "input": input })).await;
    let saved = &saved["data"]["saveCredential"];
    let id = saved["credentialId"].as_str().unwrap().to_owned();
    let asked = json!({ "id": id, "p": saved["position"] });
    let shown = browser.ask(&server, SHOWN, asked).await["data"]["credential"].clone();
    let begin = shown["connectUrl"].as_str().unwrap().to_owned();
    assert_eq!(begin, format!("{public}/credentials/{id}/connect"));

    let (place, status, page, places) = follow(&mut browser, &begin).await;
    assert_eq!((place.as_str(), status), (format!("{public}/admin/credentials").as_str(), 200), "{page}\n{places:#?}");
    let query = "query($id: UUID!, $p: Position!) { credential(id: $id, waitFor: $p) { fields version } }";
    let head = browser.ask(&server, "{ head { position } }", json!({})).await["data"]["head"]["position"].clone();
    let shown = browser.ask(&server, query, json!({ "id": id, "p": head })).await["data"]["credential"].clone();
    assert_eq!(shown["version"], 2, "{shown}");
    assert!(shown["fields"].as_array().unwrap().contains(&json!("oauthTokenData")), "{shown}");

    // The same answer again, one for somebody else, and one that nobody asked for connect nothing.
    let back = places.iter().find(|place| place.contains("/credentials/callback?")).unwrap();
    assert_eq!(browser.get(back).await.status(), 502, "the provider gives nothing for a code that was used");
    assert_eq!(Browser::new().get(back).await.status(), 401);
    let forged = format!("{public}/credentials/callback?code=x&state={}", "A".repeat(96));
    assert_eq!(browser.get(&forged).await.status(), 403);
    let refused = browser.get(&back.replace("code=", "error=access_denied&code=")).await;
    assert!(refused.text().await.unwrap().contains("access_denied"));

    // One that needs nobody's permission has no place to give it.
    let plain = json!({ "name": "Plain", "type": "httpBasicAuth", "data": { "user": "a", "password": "b-secret" } });
    let saved = browser.ask(&server, SAVE, json!({ "input": plain })).await;
    let saved = &saved["data"]["saveCredential"];
    let id = saved["credentialId"].as_str().unwrap();
    let shown = browser.ask(&server, SHOWN, json!({ "id": id, "p": saved["position"] })).await;
    let shown = &shown["data"]["credential"];
    assert_eq!((&shown["version"], &shown["connectUrl"]), (&json!(1), &Value::Null), "{shown}");
    assert_eq!(browser.get(&format!("{public}/credentials/{id}/connect")).await.status(), 422);
    assert_eq!(browser.get(&format!("{public}/credentials/{}/connect", uuid::Uuid::nil())).await.status(), 404);
    server.stop();

    let listed = verb_json(&["credential", "list", "--data", folder.path().to_str().unwrap(), "--json"]);
    let ours = listed.as_array().unwrap().iter().find(|one| one["name"] == "Ours").unwrap();
    assert!(ours["connectUrl"].as_str().unwrap().ends_with("/connect"), "{ours}");
}
