//! Signing in at an identity provider that lies in every way: nobody is let in by what cannot be believed.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data, Form};
use actix_web::{App, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use timeloom_domain::access::Role;
use timeloom_read_api::{OidcOptions, SignInOptions};
use tokio::task::JoinSet;
use url::Url;

use crate::people::machine;
use crate::support::{FIRST_TENANT, TestServer};

const CLIENT: &str = "timeloom";
/// The server's clock stands still.
const NOW_S: i64 = 1_700_000_000;

/// How the provider makes its token.
type Lie = Box<dyn Fn(&Provider, &mut Value, &mut Value) -> Option<String> + Send>;

/// A provider, as far as it is asked.
struct Provider {
    issuer: String,
    key: EcdsaKeyPair,
    public: Vec<u8>,
    lie: Mutex<Lie>,
    nonce: Mutex<String>,
    challenge: Mutex<String>,
    used: Mutex<HashSet<String>>,
    claims: Mutex<Value>,
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

fn signed(key: &EcdsaKeyPair, head: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encoded(head), encoded(claims));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Provider {
    fn token(&self) -> String {
        let mut head = json!({ "alg": "ES256", "kid": "one" });
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "ada-1", "iat": NOW_S, "exp": NOW_S + 300,
            "nonce": *self.nonce.lock().unwrap(),
        });
        let more = self.claims.lock().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let lie = self.lie.lock().unwrap();
        lie(self, &mut head, &mut claims).unwrap_or_else(|| signed(&self.key, &head, &claims))
    }
}

async fn metadata(provider: Data<Provider>) -> HttpResponse {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    HttpResponse::Ok().json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    }))
}

async fn keys(provider: Data<Provider>) -> HttpResponse {
    let (x, y) = (&provider.public[1..33], &provider.public[33..]);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    HttpResponse::Ok().json(json!({ "keys": [
        { "kty": "oct", "kid": "odd", "k": "AAAA" },
        { "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "alg": "ES256", "x": part(x), "y": part(y) },
    ] }))
}

async fn token(provider: Data<Provider>, form: Form<Vec<(String, String)>>) -> HttpResponse {
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let code = field("code").unwrap();
    let refused = |error: &str| HttpResponse::BadRequest().json(json!({ "error": error }));
    match code.as_str() {
        "hang" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return HttpResponse::Ok().finish();
        }
        "huge" => return HttpResponse::Ok().content_type("application/json").body("x".repeat(1 << 20)),
        "html" => return HttpResponse::Ok().body("<html>"),
        "fault" => return HttpResponse::InternalServerError().finish(),
        "moved" => return HttpResponse::Found().insert_header(("location", "/keys")).finish(),
        _ => {}
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").unwrap()));
    if challenge != *provider.challenge.lock().unwrap() || !provider.used.lock().unwrap().insert(code) {
        return refused("invalid_grant");
    }
    HttpResponse::Ok().json(json!({ "token_type": "Bearer", "access_token": "a", "id_token": provider.token() }))
}

/// A deployment, its provider, and a browser.
struct Scene {
    server: TestServer,
    provider: Data<Provider>,
    browser: reqwest::Client,
    tries: AtomicU32,
    handle: ServerHandle,
    _tasks: JoinSet<()>,
}

/// A sign-in that was begun: what came with the browser to the provider, and its cookie.
#[derive(Clone)]
struct Begun {
    state: String,
    nonce: String,
    cookie: String,
}

impl Scene {
    fn new(change: impl Fn(&mut OidcOptions)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let key = new_key();
        let provider = Data::new(Provider {
            issuer: issuer.clone(),
            public: key.public_key().as_ref().to_vec(),
            key,
            lie: Mutex::new(Box::new(|_, _, _| None)),
            nonce: Mutex::default(),
            challenge: Mutex::default(),
            used: Mutex::default(),
            claims: Mutex::new(json!({})),
        });
        let served = provider.clone();
        let running = HttpServer::new(move || {
            App::new()
                .app_data(served.clone())
                .route("/.well-known/openid-configuration", web::get().to(metadata))
                .route("/keys", web::get().to(keys))
                .route("/token", web::post().to(token))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = running.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { running.await.unwrap() });
        let mut options = OidcOptions {
            issuer,
            client_id: CLIENT.to_owned(),
            client_secret: Some(Arc::new("secret".to_owned().into())),
            name: "Acme".to_owned(),
            tenant: None,
            new_accounts: None,
            link_email: false,
        };
        change(&mut options);
        let server = TestServer::start_asking(SignInOptions { oidc: Some(options), ..SignInOptions::default() });
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { server, provider, browser, tries: AtomicU32::new(0), handle, _tasks: tasks }
    }

    /// Somebody whom the provider knows as `ada-1`.
    async fn ada(&self) {
        let account = self.server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
        let (issuer, subject) = (self.provider.issuer.clone(), "ada-1".to_owned());
        self.server.access.link_identity(&machine(FIRST_TENANT), account, issuer, subject).await.unwrap();
    }

    async fn begin(&self) -> Begun {
        let sent = self.browser.get(self.server.url("/sign-in/with?next=/graphql")).send().await.unwrap();
        assert_eq!(sent.status(), 303);
        let address = Url::parse(sent.headers()[LOCATION].to_str().unwrap()).unwrap();
        assert!(address.as_str().starts_with(&format!("{}/authorize?", self.provider.issuer)));
        let asked = |name: &str| address.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        assert_eq!((asked("response_type").as_str(), asked("client_id").as_str()), ("code", CLIENT));
        assert_eq!(asked("code_challenge_method"), "S256");
        assert_eq!(asked("redirect_uri"), "http://localhost:8080/sign-in/callback");
        *self.provider.challenge.lock().unwrap() = asked("code_challenge");
        *self.provider.nonce.lock().unwrap() = asked("nonce");
        let cookie = sent.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Begun { state: asked("state"), nonce: asked("nonce"), cookie }
    }

    /// Comes back from the provider; whether the browser is let in, and what it is told.
    async fn back(&self, begun: &Begun, query: &[(&str, &str)]) -> (bool, String) {
        let request = self.browser.get(self.server.url("/sign-in/callback")).query(query);
        // Each try is from an address of its own: how many there may be from one is another test's.
        let address = Ipv4Addr::from_bits(0xc000_0200 + self.tries.fetch_add(1, Ordering::Relaxed));
        let request = request.header(COOKIE, &begun.cookie).header("x-forwarded-for", address.to_string());
        let answer = request.send().await.unwrap();
        let cookies: Vec<String> =
            answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        let is_in = cookies.iter().any(|cookie| cookie.starts_with("timeloom="));
        assert_eq!(answer.status().as_u16(), if is_in { 303 } else { 403 });
        assert!(cookies.iter().any(|cookie| cookie.starts_with("timeloom-oidc=;")), "a sign-in comes back once");
        (is_in, answer.text().await.unwrap())
    }

    async fn whole(&self, code: &str) -> (bool, String) {
        let begun = self.begin().await;
        self.back(&begun, &[("code", code), ("state", &begun.state)]).await
    }

    fn lies(&self, lie: impl Fn(&Provider, &mut Value, &mut Value) -> Option<String> + Send + 'static) {
        *self.provider.lie.lock().unwrap() = Box::new(lie);
    }

    async fn stop(self) {
        self.handle.stop(false).await;
        self.server.stop().await;
    }
}

#[tokio::test]
async fn somebody_whom_the_provider_knows_is_let_in_once() {
    let scene = Scene::new(|_| ());
    let (is_in, page) = scene.whole("first").await;
    assert!(!is_in && page.contains("nobody here has this identity"), "{page}");
    scene.ada().await;
    let begun = scene.begin().await;
    let query = [("code", "second"), ("state", begun.state.as_str()), ("iss", scene.provider.issuer.as_str())];
    assert!(scene.back(&begun, &query).await.0);
    let (is_in, page) = scene.back(&begun, &query).await;
    assert!(!is_in && page.contains("invalid_grant"), "the code was used: {page}");
    let page = scene.browser.get(scene.server.url("/sign-in")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Sign in with Acme"), "{page}");
    scene.stop().await;
}

/// A token of which one claim is another one; without a value, it has none.
fn claim(name: &'static str, value: Option<Value>) -> Lie {
    Box::new(move |_, _, claims| {
        let claims = claims.as_object_mut().unwrap();
        match &value {
            Some(value) => claims.insert(name.to_owned(), value.clone()),
            None => claims.remove(name),
        };
        None
    })
}

/// A token of which the head says something else.
fn head(name: &'static str, value: Value) -> Lie {
    Box::new(move |provider, head, claims| {
        head[name] = value.clone();
        Some(signed(&provider.key, head, claims))
    })
}

/// A token that a secret signs which is none, or not the provider's.
fn by_secret(secret: fn(&Provider) -> &[u8]) -> Lie {
    Box::new(move |provider, head, claims| {
        head["alg"] = json!("HS256");
        let message = format!("{}.{}", encoded(head), encoded(claims));
        let code = Hmac::<Sha256>::new_from_slice(secret(provider)).unwrap().chain_update(&message);
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(code.finalize().into_bytes())))
    })
}

/// A token that nobody signs.
fn unsigned(algorithm: &'static str) -> Lie {
    Box::new(move |_, head, claims| {
        head["alg"] = json!(algorithm);
        Some(format!("{}.{}.", encoded(head), encoded(claims)))
    })
}

fn forged() -> Vec<(&'static str, Lie)> {
    vec![
        ("another key", Box::new(|_, head, claims| Some(signed(&new_key(), head, claims)))),
        ("no signature", unsigned("ES256")),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("the public key as a secret", by_secret(|provider| &provider.public)),
        ("the client's secret", by_secret(|_| b"secret")),
        ("a key of another kind", head("alg", json!("RS256"))),
        ("an unknown key", head("kid", json!("two"))),
        ("something critical", head("crit", json!(["b64"]))),
        ("no token", Box::new(|_, _, _| Some("a.b.c".to_owned()))),
        ("no parts", Box::new(|_, _, _| Some(String::new()))),
    ]
}

fn misled() -> Vec<(&'static str, Lie)> {
    vec![
        ("another audience", claim("aud", Some(json!("somebody-else")))),
        ("more audiences", claim("aud", Some(json!([CLIENT, "somebody-else"])))),
        ("another party", claim("azp", Some(json!("somebody-else")))),
        ("another issuer", claim("iss", Some(json!("https://id.example")))),
        ("expired", claim("exp", Some(json!(NOW_S - 61)))),
        ("no end", claim("exp", None)),
        ("of tomorrow", claim("iat", Some(json!(NOW_S + 61)))),
        ("of yesterday", claim("iat", Some(json!(NOW_S - 86_400)))),
        ("not yet", claim("nbf", Some(json!(NOW_S + 61)))),
        ("another sign-in", claim("nonce", Some(json!("of somebody else")))),
        ("no sign-in", claim("nonce", None)),
        ("nobody", claim("sub", Some(json!("")))),
        ("no name", claim("sub", None)),
    ]
}

#[tokio::test]
async fn a_token_that_cannot_be_believed_lets_nobody_in() {
    let scene = Scene::new(|_| ());
    scene.ada().await;
    for (index, (name, lie)) in forged().into_iter().chain(misled()).enumerate() {
        *scene.provider.lie.lock().unwrap() = lie;
        let (is_in, page) = scene.whole(&format!("lie-{index}")).await;
        assert!(!is_in && page.contains("cannot be believed"), "{name}: {page}");
    }
    scene.lies(|provider, head, claims| {
        claims["iss"] = json!(format!("{}/", provider.issuer));
        Some(signed(&provider.key, head, claims))
    });
    assert!(!scene.whole("a slash more").await.0);
    scene.lies(|_, _, _| None);
    assert!(scene.whole("truth").await.0, "the same without a lie lets in");
    scene.stop().await;
}

#[tokio::test]
async fn a_sign_in_ends_in_the_browser_that_began_it() {
    let scene = Scene::new(|_| ());
    scene.ada().await;
    let (mine, theirs) = (scene.begin().await, scene.begin().await);
    let of = |begun: &Begun, state: &str| {
        let (begun, state) = (begun.clone(), state.to_owned());
        let scene = &scene;
        async move { scene.back(&begun, &[("code", "c"), ("state", &state)]).await }
    };
    for (cookie, state) in [
        (mine.cookie.clone(), theirs.state.clone()),
        (theirs.cookie.clone(), mine.state.clone()),
        (String::new(), mine.state.clone()),
        ("timeloom-oidc=AAAA".to_owned(), mine.state.clone()),
        (mine.cookie.clone(), String::new()),
    ] {
        let (is_in, page) = of(&Begun { cookie, ..mine.clone() }, &state).await;
        assert!(!is_in && page.contains("was not begun in this browser"), "{page}");
    }
    let (is_in, page) = scene.back(&theirs, &[("error", "access_denied<script>"), ("state", &theirs.state)]).await;
    assert!(!is_in && page.contains("access_denied") && !page.contains("<script>"), "{page}");
    let other = [("code", "c"), ("state", theirs.state.as_str()), ("iss", "https://id.example")];
    let (is_in, page) = scene.back(&theirs, &other).await;
    assert!(!is_in && page.contains("cannot be believed"), "{page}");
    assert_ne!(mine.nonce, theirs.nonce);
    scene.stop().await;
}

#[tokio::test]
async fn answers_that_are_none_are_told_as_such() {
    let scene = Scene::new(|_| ());
    scene.ada().await;
    for (code, told) in [
        ("huge", "cannot be believed"),
        ("html", "cannot be believed"),
        ("moved", "did not let you in"),
        ("fault", "cannot be reached"),
        ("hang", "cannot be reached"),
    ] {
        let (is_in, page) = scene.whole(code).await;
        assert!(!is_in && page.contains(told), "{code}: {page}");
    }
    scene.stop().await;
}

#[tokio::test]
async fn an_address_counts_when_the_provider_vouches_for_it() {
    let scene = Scene::new(|options| {
        options.link_email = true;
        options.new_accounts = Some(Role::Viewer);
    });
    let ada = scene.server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    for claims in [
        json!({}),
        json!({ "email": "ada@example.org" }),
        json!({ "email": "ada@example.org", "email_verified": false }),
        json!({ "email": "ada@example.org", "email_verified": "true" }),
    ] {
        *scene.provider.claims.lock().unwrap() = claims.clone();
        let (is_in, page) = scene.whole(&claims.to_string()).await;
        assert!(!is_in && page.contains("does not say that your e-mail address is yours"), "{page}");
    }
    *scene.provider.claims.lock().unwrap() = json!({ "email": "Ada@example.org", "email_verified": true });
    assert!(scene.whole("linked").await.0);
    let listing = scene.server.access.directory().now();
    let linked = listing.account_by_identity(FIRST_TENANT, &scene.provider.issuer, "ada-1").unwrap();
    assert_eq!(linked.id, ada);

    let eve = json!({ "sub": "eve-1", "email": "eve@example.org", "email_verified": true, "name": "Eve" });
    *scene.provider.claims.lock().unwrap() = eve;
    assert!(scene.whole("new").await.0);
    let listing = scene.server.access.directory().now();
    let made = listing.account_by_identity(FIRST_TENANT, &scene.provider.issuer, "eve-1").unwrap();
    assert_eq!((made.account.name.as_str(), made.account.email.as_deref()), ("Eve", Some("eve@example.org")));
    assert!(made.account.roles.contains(&Role::Viewer) && !made.account.owns());
    scene.stop().await;
}
