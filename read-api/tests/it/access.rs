//! Who has access, over GraphQL: accounts, keys, sessions, tenants, reviews; and what is written down of those who look.

use serde_json::{Value, json};
use timeloom_commands::access::{NewAccount, NewKey};
use timeloom_commands::{CommandContext, Ids as _, SystemIds};
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_domain::account::{Account, AccountEvent, AccountKind};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::{AccountId, CommandId};
use timeloom_read_api::SignInOptions;
use timeloom_store::{EventLog as _, Position};

use crate::support::{FIRST_TENANT, TestServer, text, unknown_id, workflow_file};

const CREATE: &str = "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
    accountId position errors { code message path } account { id name } } }";

impl TestServer {
    /// Sends a change about access; its payload, which must say that it was done.
    pub(crate) async fn access(&self, name: &str, input_type: &str, shown: &str, input: Value) -> Value {
        let payload = self.try_access(name, input_type, shown, input).await;
        assert_eq!(payload["errors"], json!([]), "{name}: {payload}");
        payload
    }

    /// The same, however it ends.
    pub(crate) async fn try_access(&self, name: &str, input_type: &str, shown: &str, input: Value) -> Value {
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {shown} position errors {{ code path }} }} }}"
        );
        self.data(&query, json!({ "input": input })).await[name].clone()
    }

    /// Makes an account; its id.
    pub(crate) async fn account(&self, kind: &str, name: &str, roles: &[&str], principal: Option<&str>) -> String {
        let email = (kind == "USER").then(|| format!("{name}@example.org"));
        let input = json!({ "kind": kind, "name": name, "email": email, "roles": roles, "onBehalfOf": principal,
            "reason": "for the test" });
        text(&self.access("createAccount", "CreateAccountInput", "accountId", input).await["accountId"])
    }

    /// Makes the tenant of the tests, without which nobody of it is let in.
    pub(crate) async fn make_tenant(&self) {
        let command = timeloom_domain::ids::CommandId(unknown_id());
        let local = timeloom_domain::ids::Actor::Local("tester".to_owned());
        let first = timeloom_domain::ids::TenantId(0);
        let context = timeloom_commands::CommandContext::trusted(first, local, command);
        let made = self.access.create_tenant(&context, "one".to_owned()).await.unwrap();
        assert_eq!(made.value, crate::support::TENANT);
    }

    /// How often it was written down that somebody looked, and what at, in the order of the log.
    async fn looks(&self) -> Vec<String> {
        let filter = timeloom_store::Filter { categories: vec!["audit".into()], ..Default::default() };
        let scope = timeloom_store::TenantScope::All;
        let start = Position::START;
        let forward = timeloom_store::Direction::Forward;
        let events = self.log.read_all(scope, start, forward, &filter, 500).await.unwrap();
        let look = |payload: Value| match payload["which"].as_str() {
            Some(which) => format!("{}: {which}", text(&payload["what"])),
            None => text(&payload["what"]),
        };
        events.iter().map(|event| look(serde_json::from_str(event.payload.get()).unwrap())).collect()
    }
}

#[tokio::test]
async fn an_account_is_made_changed_and_seen_as_it_was() {
    let server = TestServer::start();
    let input = json!({ "kind": "USER", "name": "Ada", "email": "ada@example.org", "roles": ["OWNER"],
        "reason": "the first one" });
    let made = server.data(CREATE, json!({ "input": input })).await["createAccount"].clone();
    assert_eq!((&made["errors"], &made["account"]["name"]), (&json!([]), &json!("Ada")));
    let (id, created) = (text(&made["accountId"]), text(&made["position"]));
    let change = |more: Value| {
        let mut input = json!({ "accountId": id, "reason": "she knows how" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let shown = "accountId revision account { name disabled }";
    let granted = server.access("grantRole", "RoleInput", shown, change(json!({ "role": "EDITOR" }))).await;
    let rename = change(json!({ "name": "Ada L.", "email": "al@example.org" }));
    server.access("renameAccount", "RenameAccountInput", shown, rename).await;
    let identity = change(json!({ "issuer": "https://id.example.org", "subject": "42" }));
    server.access("linkIdentity", "IdentityInput", shown, identity).await;
    let password = change(json!({ "password": "correct horse battery" }));
    server.access("setPassword", "SetPasswordInput", shown, password).await;

    let query = "query($id: UUID!, $then: AsOf) {
        account(id: $id) { kind name email disabled hasPassword permissions identities { issuer subject }
            roles { role granted { actor { kind name } reason position } } onBehalfOf { id } history { revision } }
        then: account(id: $id, asOf: $then) { name email hasPassword roles { role } } }";
    let data = server.data(query, json!({ "id": id, "then": { "position": created } })).await;
    let now = &data["account"];
    assert_eq!(
        (&now["kind"], &now["name"], &now["email"]),
        (&json!("USER"), &json!("Ada L."), &json!("al@example.org"))
    );
    assert_eq!(now["identities"], json!([{ "issuer": "https://id.example.org", "subject": "42" }]));
    assert_eq!(
        (&now["hasPassword"], &now["onBehalfOf"], &now["disabled"]),
        (&json!(true), &Value::Null, &json!(false))
    );
    assert_eq!(now["roles"][1]["role"], "EDITOR");
    let by = json!({ "actor": { "kind": "local", "name": "api" }, "reason": "she knows how", "position": granted["position"] });
    assert_eq!(now["roles"][1]["granted"], by);
    // This tenant does not run the installation.
    let permissions = now["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("ACCOUNT_WRITE")) && !permissions.contains(&json!("TENANT_WRITE")), "{now}");
    assert_eq!(
        data["then"],
        json!({ "name": "Ada", "email": "ada@example.org", "hasPassword": false, "roles": [{ "role": "OWNER" }] })
    );
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_code_and_its_place() {
    let server = TestServer::start();
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    let refused = async |name: &str, input_type: &str, input: Value| {
        let payload = server.try_access(name, input_type, "", input).await;
        (text(&payload["errors"][0]["code"]), payload["errors"][0]["path"].clone())
    };
    let user = |email: Value| json!({ "kind": "USER", "name": "x", "email": email, "reason": "r" });
    let expected = |code: &str, field: &str| (code.to_owned(), json!(["input", field]));
    let create = async |input| refused("createAccount", "CreateAccountInput", input).await;
    assert_eq!(create(user(json!("owner@example.org"))).await, expected("EMAIL_TAKEN", "email"));
    assert_eq!(create(user(Value::Null)).await, expected("INVALID_EMAIL", "email"));
    let agent = json!({ "kind": "AGENT", "name": "x", "onBehalfOf": unknown_id(), "reason": "r" });
    assert_eq!(create(agent).await, expected("INVALID_PRINCIPAL", "onBehalfOf"));
    let role = |account: &str, role: &str| json!({ "accountId": account, "role": role, "reason": "r" });
    assert_eq!(refused("revokeRole", "RoleInput", role(&owner, "OWNER")).await, expected("LAST_OWNER", "role"));
    let nobody = refused("grantRole", "RoleInput", role(&unknown_id().to_string(), "VIEWER")).await;
    assert_eq!(nobody, expected("ACCOUNT_NOT_FOUND", "accountId"));
    let disable = json!({ "accountId": owner, "reason": "r" });
    assert_eq!(refused("disableAccount", "AccountInput", disable).await.0, "LAST_OWNER");
    let long = json!({ "accountId": owner, "reason": "r".repeat(1_001) });
    assert_eq!(refused("enableAccount", "AccountInput", long).await, expected("REASON_MISSING", "reason"));
    let weak = json!({ "accountId": owner, "password": "short" });
    assert_eq!(refused("setPassword", "SetPasswordInput", weak).await, expected("WEAK_PASSWORD", "password"));
    let expired = json!({ "accountId": owner, "name": "k", "expiresAt": "2001-01-01T00:00:00Z" });
    assert_eq!(refused("makeApiKey", "MakeApiKeyInput", expired).await, expected("INVALID_EXPIRY", "expiresAt"));
    assert_eq!(
        refused("makeApiKey", "MakeApiKeyInput", json!({ "name": "k" })).await,
        expected("ACCOUNT_MISSING", "accountId")
    );
    let unknown = json!({ "accountId": owner, "key": "nokey" });
    assert_eq!(refused("revokeApiKey", "RevokeApiKeyInput", unknown).await, expected("KEY_NOT_FOUND", "key"));
    let tenant = json!({ "name": "other", "reason": "r" });
    let other = refused("createTenant", "CreateTenantInput", tenant).await;
    assert_eq!(other.0, "FORBIDDEN", "only the first tenant makes others");
    server.stop().await;
}

#[tokio::test]
async fn the_text_of_a_key_and_of_a_link_is_told_once_and_is_nowhere_else() {
    let server = TestServer::start();
    server.make_tenant().await;
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    let make = "mutation($id: UUID!) { makeApiKey(input: {accountId: $id, name: \"build\", scopes: [WORKFLOW_READ],
        expiresAt: \"2024-01-01T00:00:00Z\"}) { key token errors { code } apiKey { id name active scopes permissions
        expiresAt made { actor { kind } } account { name } } } }";
    let send = async |key: &str| {
        let body = json!({ "query": make, "variables": { "id": owner } });
        let sent = server.client.post(server.url("/graphql")).header("idempotency-key", key).json(&body).send();
        sent.await.unwrap().json::<Value>().await.unwrap()["data"]["makeApiKey"].clone()
    };
    let made = send("once").await;
    let token = text(&made["token"]);
    assert!(token.starts_with("timeloom_key_") && token.contains(&text(&made["key"])), "{made}");
    let key = &made["apiKey"];
    assert_eq!(
        (&key["name"], &key["active"], &key["account"]["name"]),
        (&json!("build"), &json!(true), &json!("owner"))
    );
    assert_eq!((&key["scopes"], &key["permissions"]), (&json!(["WORKFLOW_READ"]), &json!(["WORKFLOW_READ"])));
    let principal = server.access.let_in_by_key(&token).unwrap();
    assert_eq!(principal.account.unwrap().to_string(), owner);
    // The same request again is told that it was made, and not what.
    let again = send("once").await;
    assert_eq!((&again["token"], &again["errors"][0]["code"]), (&Value::Null, &json!("SHOWN_ONCE")), "{again}");
    let link = json!({ "accountId": owner, "reason": "lost the password" });
    let link = server.access("makeSignInLink", "MakeSignInLinkInput", "token expiresAt accountId", link).await;
    let link_token = text(&link["token"]);
    assert!(link_token.starts_with("timeloom_link_"), "{link}");

    let secret = |token: &str| token.rsplit_once('_').unwrap().1.to_owned();
    let everything = "{ events(first: 100) { nodes { payload } } accounts { nodes { name email apiKeys { nodes { id key name } } } } }";
    let all = server.data(everything, json!({})).await.to_string();
    assert!(all.contains(&text(&made["key"])));
    for token in [&token, &link_token] {
        assert!(!all.contains(&secret(token)), "{all}");
    }
    let revoke = json!({ "accountId": owner, "key": made["key"], "reason": "no longer needed" });
    let shown = "token key apiKey { active permissions revoked { reason actor { name } } }";
    let revoked = server.access("revokeApiKey", "RevokeApiKeyInput", shown, revoke).await;
    assert_eq!((&revoked["token"], &revoked["apiKey"]["active"]), (&Value::Null, &json!(false)));
    assert_eq!(revoked["apiKey"]["revoked"], json!({ "reason": "no longer needed", "actor": { "name": "api" } }));
    assert_eq!(revoked["apiKey"]["permissions"], json!([]));
    assert!(server.access.let_in_by_key(&token).is_err());
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_with_how_they_began_and_ended() {
    let server = TestServer::start();
    server.make_tenant().await;
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    let link = json!({ "accountId": owner, "reason": "r" });
    let link = server.access("makeSignInLink", "MakeSignInLinkInput", "token", link).await;
    let from = timeloom_commands::access::SignInFrom {
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("browser".to_owned()),
        request_id: None,
    };
    let signed_in = server.access.sign_in_by_link(link["token"].as_str().unwrap(), from).await.unwrap();
    let id = signed_in.session.to_string();
    server.wait_for_rows().await;
    let query = "query($account: UUID!) { account(id: $account) { sessions { nodes { id } } }
        sessions(account: $account) { nodes { id method address userAgent active end account { name } } }
        active: sessions(active: true) { nodes { id } } over: sessions(active: false) { nodes { id } } }";
    let data = server.data(query, json!({ "account": owner })).await;
    let session = json!({ "id": id, "method": "LINK", "address": "192.0.2.7", "userAgent": "browser", "active": true,
        "end": null, "account": { "name": "owner" } });
    assert_eq!(data["sessions"]["nodes"], json!([session]));
    assert_eq!(data["account"]["sessions"]["nodes"], json!([{ "id": id }]));
    assert_eq!((&data["active"]["nodes"], &data["over"]["nodes"]), (&json!([{ "id": id }]), &json!([])));
    let end = json!({ "sessionId": id, "reason": "left it open" });
    let ended = server.access("endSession", "EndSessionInput", "session { active end ended { reason } }", end).await;
    assert_eq!(ended["session"], json!({ "active": false, "end": "REVOKED", "ended": { "reason": "left it open" } }));
    let data = server.data(query, json!({ "account": owner })).await;
    assert_eq!((&data["active"]["nodes"], &data["over"]["nodes"]), (&json!([]), &json!([{ "id": id }])));
    assert!(!data.to_string().contains(&**signed_in.token));
    server.stop().await;
}

#[tokio::test]
async fn whoever_asks_is_told_who_they_are() {
    let server = TestServer::start();
    let query = "{ viewer { actor { kind name account { id } } account { id } onBehalfOf { name } via roles permissions
        tenant { number name suspended } } }";
    let viewer = server.data(query, json!({})).await["viewer"].clone();
    assert_eq!(viewer["actor"], json!({ "kind": "local", "name": "api", "account": null }));
    assert_eq!((&viewer["account"], &viewer["via"], &viewer["roles"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(viewer["permissions"].as_array().unwrap().len(), Permission::EACH.len());
    assert_eq!(viewer["tenant"]["number"], 1);
    server.stop().await;
}

#[tokio::test]
async fn a_review_tells_who_could_do_what_then_and_why() {
    let server = TestServer::start();
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    let editor = server.account("USER", "editor", &["EDITOR"], None).await;
    let agent = server.account("AGENT", "agent", &["OPERATOR"], Some(&editor)).await;
    let key = json!({ "accountId": editor, "name": "build", "scopes": ["WORKFLOW_READ", "WORKFLOW_WRITE"] });
    server.access("makeApiKey", "MakeApiKeyInput", "key", key).await;
    let before = server.log_head();
    let disable = json!({ "accountId": editor, "reason": "left" });
    let after = server.access("disableAccount", "AccountInput", "accountId", disable).await["position"].clone();

    let review = "query($permission: Permission, $asOf: AsOf, $account: UUID, $wait: Position) {
        accessReview(permission: $permission, asOf: $asOf, account: $account, waitFor: $wait) { nodes {
            account { id name } permissions keptOut grants { role granted { reason } } limitedBy { name }
            keys { apiKey { name } permissions } } } }";
    let ask = async |variables: Value| server.data(review, variables).await["accessReview"]["nodes"].clone();
    let names = |nodes: &Value| -> Vec<String> {
        nodes.as_array().unwrap().iter().map(|node| text(&node["account"]["name"])).collect()
    };
    let could = async |permission: &str, at: &Value| {
        names(&ask(json!({ "permission": permission, "asOf": { "position": at }, "wait": after })).await)
    };
    let then = json!(before);
    assert_eq!(could("WORKFLOW_WRITE", &then).await, ["editor", "owner"]);
    // The agent's role gives system:read as well, and whom it acts for has not that.
    assert_eq!(could("EXECUTION_RUN", &then).await, ["agent", "editor", "owner"]);
    assert_eq!(could("SYSTEM_READ", &then).await, Vec::<String>::new());
    assert_eq!(could("EXECUTION_RUN", &after).await, ["owner"], "who is disabled takes its agents along");

    let all = ask(json!({ "asOf": { "position": after } })).await;
    assert_eq!(names(&all), ["agent", "editor", "owner"]);
    assert_eq!(
        (&all[0]["keptOut"], &all[1]["keptOut"], &all[2]["keptOut"]),
        (&json!("PRINCIPAL"), &json!("DISABLED"), &Value::Null)
    );
    assert_eq!(all[0]["limitedBy"], json!({ "name": "editor" }));
    let one = ask(json!({ "account": editor, "permission": "WORKFLOW_WRITE", "asOf": { "position": then } })).await;
    assert_eq!(one[0]["grants"], json!([{ "role": "EDITOR", "granted": { "reason": "for the test" } }]));
    assert_eq!(
        one[0]["keys"],
        json!([{ "apiKey": { "name": "build" }, "permissions": ["WORKFLOW_READ", "WORKFLOW_WRITE"] }])
    );
    let run = ask(json!({ "account": editor, "permission": "EXECUTION_RUN", "asOf": { "position": then } })).await;
    assert_eq!(run[0]["keys"], json!([]), "the key could not be used for it");
    assert_eq!(ask(json!({ "account": unknown_id() })).await, json!([]));
    assert_eq!(ask(json!({ "account": agent, "permission": "TENANT_WRITE" })).await, json!([]));
    assert!(
        server.looks().await.contains(&format!("access review: workflow:write, {editor}")),
        "{:?}",
        server.looks().await
    );
    assert!(!owner.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn who_reads_the_audit_trail_is_written_down_first_and_once_a_request() {
    let server = TestServer::start();
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    let looks_for = async |query: &str| {
        let before = server.looks().await.len();
        server.data(query, json!({})).await;
        server.looks().await.split_off(before)
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(looks_for("{ events(first: 1) { nodes { id } } }").await, ["events"]);
    assert_eq!(looks_for("{ a: events { nodes { id } } b: events(first: 1) { nodes { id } } }").await, ["events"]);
    let others = "{ events(filter: {categories: [\"workflow\", \"execution\"]}) { nodes { id } } workflows { nodes { id } } viewer { via } }";
    assert_eq!(looks_for(others).await, none);
    let two =
        "{ events(filter: {categories: [\"workflow\", \"credential\"]}) { nodes { id } } accounts { nodes { id } } }";
    let mut both = looks_for(two).await;
    both.sort();
    assert_eq!(both, ["accounts", "events: categories: workflow, credential"]);
    assert_eq!(looks_for("{ searchPayloads(query: \"owner\") { edges { cursor } } }").await, ["payload search"]);
    assert_eq!(looks_for("{ apiKeys { nodes { id } } sessions { nodes { id } } }").await.len(), 2);
    let state = format!("{{ stateAt(stream: {{category: \"account\", id: \"{owner}\"}}) {{ revision }} }}");
    assert_eq!(looks_for(&state).await, [format!("state: account/{owner}")]);
    assert_eq!(looks_for(&format!("{{ node(id: \"{owner}\") {{ id }} }}")).await, ["node"]);
    assert_eq!(looks_for(&format!("{{ account(id: \"{owner}\") {{ name }} }}")).await, [format!("account: {owner}")]);
    assert_eq!(looks_for(&format!("{{ node(id: \"{}\") {{ id }} }}", unknown_id())).await, none);

    // What is asked about is how it was before the question.
    let query = "{ events(last: 1) { nodes { type } } }";
    let newest = server.data(query, json!({})).await["events"]["nodes"][0]["type"].clone();
    let look = "{ events(last: 2, filter: {types: [\"AuditTrailRead\"]}) { nodes { type actor { name } category } } }";
    assert_eq!(newest, "AuditTrailRead", "of the question before");
    let found = server.data(look, json!({})).await["events"]["nodes"].clone();
    assert_eq!(found[1], json!({ "type": "AuditTrailRead", "actor": { "name": "api" }, "category": "audit" }));
    server.stop().await;
}

#[tokio::test]
async fn events_are_found_by_who_brought_them_about_and_tell_why() {
    let server = TestServer::start();
    server.make_tenant().await;
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    server.import("w").await;
    let link = json!({ "accountId": owner, "reason": "r" });
    let link = server.access("makeSignInLink", "MakeSignInLinkInput", "token", link).await;
    let from = timeloom_commands::access::SignInFrom { request_id: Some("r-7".to_owned()), ..Default::default() };
    server.access.sign_in_by_link(link["token"].as_str().unwrap(), from).await.unwrap();
    server.wait_for_rows().await;
    let by = async |actors: Value| {
        let query = "query($actors: [String!]) { events(filter: {actors: $actors}, first: 100) { nodes {
            type reason requestId via onBehalfOf { name } actor { kind account { name } } } } }";
        server.ask(query, json!({ "actors": actors })).await
    };
    let own = by(json!([owner])).await["data"]["events"]["nodes"].clone();
    let types: Vec<String> = own.as_array().unwrap().iter().map(|event| text(&event["type"])).collect();
    assert_eq!(types, ["SignInLinkUsed", "SessionStarted"]);
    assert_eq!(own[0]["actor"], json!({ "kind": "user", "account": { "name": "owner" } }));
    assert_eq!((&own[0]["requestId"], &own[0]["reason"]), (&json!("r-7"), &Value::Null));
    let local = by(json!(["local:api"])).await["data"]["events"]["nodes"].clone();
    assert_eq!(local[0]["reason"], "for the test");
    assert!(local.as_array().unwrap().len() > 3);
    assert_eq!(by(json!(["user:nobody"])).await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(by(json!([unknown_id()])).await["data"]["events"]["nodes"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn who_may_read_an_event_is_told_what_its_actor_is_called_and_nothing_else_of_them() {
    let server = TestServer::start_asking(SignInOptions::default());
    let editor = server.key_with(FIRST_TENANT, "Ada", &[Role::Editor]).await;
    let viewer = server.key_with(FIRST_TENANT, "Bob", &[Role::Viewer]).await;
    let import =
        "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { position errors { message } } }";
    let input = json!({ "input": { "definition": workflow_file("w") } });
    let imported = server.ask_with(&editor, import, input).await;
    assert_eq!(imported["data"]["importWorkflow"]["errors"], json!([]), "{imported}");
    server.wait_for_rows().await;
    let query =
        "{ events(filter: {categories: [\"workflow\"]}) { nodes { actor { kind displayName account { name } } } } }";
    let seen = server.ask_with(&viewer, query, json!({})).await;
    let actor = json!({ "kind": "user", "displayName": "Ada", "account": null });
    assert_eq!(seen["data"]["events"]["nodes"][0]["actor"], actor, "{seen}");
    let others = server.ask_with(&viewer, "{ accounts { nodes { name } } }", json!({})).await;
    assert_eq!(others["errors"][0]["extensions"]["code"], "FORBIDDEN");
    server.stop().await;
}

#[tokio::test]
async fn a_backup_that_was_told_of_is_listed_and_one_of_another_log_is_refused() {
    let server = TestServer::start();
    server.import("w").await;
    let note = "mutation($input: NoteBackupInput!) { noteBackup(input: $input) { position errors { code } } }";
    let backup = |place: &str, up_to: &str| {
        let sizes = json!({ "events": 3, "bytes": 300, "sizeBytes": 4000, "tookMs": 12 });
        let mut input = json!({ "place": place, "upTo": up_to });
        input.as_object_mut().unwrap().extend(sizes.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let list = "{ logBackups { position place upTo events bytes sizeBytes tookMs actor { kind name } } }";
    assert_eq!(server.data(list, json!({})).await["logBackups"], json!([]));
    for (place, up_to, code) in
        [("", "1", "INVALID_PLACE"), (&"x".repeat(1_001), "1", "INVALID_PLACE"), ("/b", "999", "NOT_THIS_LOG")]
    {
        let refused = server.data(note, backup(place, up_to)).await["noteBackup"].clone();
        assert_eq!((&refused["position"], &refused["errors"][0]["code"]), (&Value::Null, &json!(code)));
    }
    let first = server.data(note, backup("/backups/a", "1")).await["noteBackup"]["position"].clone();
    server.data(note, backup("/backups/b", "1")).await;
    let listed = server.data(list, json!({})).await["logBackups"].clone();
    assert_eq!(listed[0]["place"], "/backups/b", "the newest is first");
    let told = json!({ "position": first, "place": "/backups/a", "upTo": "1", "events": 3, "bytes": 300,
        "sizeBytes": 4000, "tookMs": 12, "actor": { "kind": "local", "name": "api" } });
    assert_eq!(listed[1], told);
    server.stop().await;
}

#[tokio::test]
async fn everything_about_access_that_has_an_id_is_found_by_it_and_paged() {
    let server = TestServer::start();
    let owner = server.account("USER", "owner", &["OWNER"], None).await;
    for name in ["one", "two", "three"] {
        server.account("SERVICE", name, &["VIEWER"], None).await;
        server.access("makeApiKey", "MakeApiKeyInput", "key", json!({ "accountId": owner, "name": name })).await;
    }
    server.wait_for_rows().await;
    let ids = "{ accounts { nodes { id } } apiKeys { nodes { id } } viewer { tenant { id } } }";
    let data = server.data(ids, json!({})).await;
    let ids =
        [&data["accounts"]["nodes"][0]["id"], &data["apiKeys"]["nodes"][0]["id"], &data["viewer"]["tenant"]["id"]];
    for (id, kind) in ids.into_iter().zip(["Account", "ApiKey", "Tenant"]) {
        let found = server.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id })).await;
        assert_eq!(found["node"], json!({ "__typename": kind, "id": id }));
    }
    for list in ["accounts", "apiKeys", "accessReview"] {
        let ask = async |arguments: &str| {
            let shown = "edges { cursor } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }";
            let data = server.data(&format!("{{ list: {list}({arguments}) {{ {shown} }} }}"), json!({})).await;
            crate::relay::page(&data["list"])
        };
        crate::relay::walk(list, &ask).await;
    }
    for list in ["accounts", "apiKeys", "sessions", "tenants", "accessReview"] {
        for arguments in ["first: -1", "last: 101", "first: 1, last: 1", "after: \"%%\""] {
            let answer =
                server.ask(&format!("{{ {list}({arguments}) {{ nodes {{ __typename }} }} }}"), json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{list}({arguments}): {answer}");
        }
    }
    server.stop().await;
}

/// What every account could do at a moment, by its id.
type Rights = std::collections::BTreeMap<String, std::collections::BTreeSet<String>>;

fn words(permissions: Permissions) -> std::collections::BTreeSet<String> {
    permissions.iter().map(|permission| permission.name().replace(':', "_").to_uppercase()).collect()
}

/// What a story of events gives everybody, by the aggregates' own fold and the rules alone.
fn folded(accounts: &[(AccountId, Account)]) -> Rights {
    let of = |id: AccountId| accounts.iter().find(|(known, _)| *known == id).map(|(_, account)| account);
    let first = Permissions::of(&[Permission::SystemRead, Permission::SystemWrite, Permission::TenantWrite]);
    let rights = accounts.iter().map(|(id, account)| {
        let principal = account.on_behalf_of.map(|id| of(id).map_or(Permissions::NONE, Account::permissions));
        let own = account.permissions().and(principal.unwrap_or(Permissions::ALL));
        (id.to_string(), words(own.without(first)))
    });
    rights.collect()
}

/// At each of these moments the fold of the log and the access review give everybody the rights that are expected.
async fn all_agree(server: &TestServer, ids: &[AccountId], moments: Vec<(Position, Rights)>, seed: u64) {
    let filter = timeloom_store::Filter { categories: vec!["account".into()], ..Default::default() };
    let (start, forward) = (Position::START, timeloom_store::Direction::Forward);
    let scope = timeloom_store::TenantScope::One(crate::support::TENANT);
    let story = server.log.read_all(scope, start, forward, &filter, 500).await.unwrap();
    for (position, expected) in moments {
        let mut fold: Vec<(AccountId, Account)> = ids.iter().map(|id| (*id, Account::default())).collect();
        for event in story.iter().filter(|event| event.position <= position) {
            let of = fold.iter_mut().find(|(id, _)| *event.stream.id == *id.to_string()).unwrap();
            of.1.apply(&timeloom_store::codec::decode::<AccountEvent>(event).unwrap());
        }
        assert_eq!(folded(&fold), expected, "seed {seed}, the fold at {position}");
        let query = "query($at: AsOf) { accessReview(asOf: $at, first: 100) { nodes { account { id } permissions } } }";
        let at = json!({ "at": { "position": position.to_string() } });
        let found = server.data(query, at).await["accessReview"]["nodes"].clone();
        let texts = |list: &Value| list.as_array().unwrap().iter().map(text).collect();
        let reviewed = found.as_array().unwrap().iter();
        let reviewed: Rights =
            reviewed.map(|entry| (text(&entry["account"]["id"]), texts(&entry["permissions"]))).collect();
        assert_eq!(reviewed, expected, "seed {seed}, the review at {position}");
    }
}

#[tokio::test]
async fn at_every_moment_of_a_random_history_review_directory_and_fold_agree_and_no_revoked_key_lets_in() {
    for seed in [3_u64, 17, 2_026] {
        let server = TestServer::start();
        server.make_tenant().await;
        let mut state = seed;
        let mut chance = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let access = &server.access;
        let context = || {
            let local = timeloom_domain::ids::Actor::Local("tester".to_owned());
            CommandContext::trusted(crate::support::TENANT, local, CommandId(SystemIds.uuid()))
        };
        let kinds = [AccountKind::User, AccountKind::User, AccountKind::Service, AccountKind::Agent];
        let (mut ids, mut keys, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        for (number, kind) in kinds.into_iter().enumerate() {
            let email = (kind == AccountKind::User).then(|| format!("u{number}@example.org"));
            let on_behalf_of = (kind == AccountKind::Agent).then(|| ids[1]);
            let roles = vec![Role::EACH[if number == 0 { 0 } else { 2 + chance(4) }]];
            let new = NewAccount { kind, name: format!("a{number}"), email, on_behalf_of, roles };
            ids.push(access.create_account(&context(), new).await.unwrap().value);
        }
        for _ in 0..40 {
            let (id, role) = (ids[chance(ids.len())], Role::EACH[chance(Role::EACH.len())]);
            // What is refused, such as taking the last owner, changes nothing.
            match chance(7) {
                0 | 1 => drop(access.grant_role(&context(), id, role).await),
                2 => drop(access.revoke_role(&context(), id, role).await),
                3 => drop(access.disable_account(&context(), id).await),
                4 => drop(access.enable_account(&context(), id).await),
                5 => {
                    let scopes = Some(Permissions::of(&[Permission::WorkflowRead, Permission::ExecutionRun]));
                    let new = NewKey { name: "k".to_owned(), scopes, expires_at_ms: None };
                    keys.extend(access.make_key(&context(), id, new).await.ok().map(|made| (id, made.value, false)));
                }
                _ if keys.is_empty() => {}
                _ => {
                    let which = chance(keys.len());
                    let (id, made, revoked) = &mut keys[which];
                    *revoked |= access.revoke_key(&context(), *id, made.key.clone()).await.is_ok();
                }
            }
            let listing = access.directory().now();
            let rights: Rights = ids
                .iter()
                .map(|id| (id.to_string(), words(listing.permissions(crate::support::TENANT, *id))))
                .collect();
            for (id, made, revoked) in &keys {
                let may = access.let_in_by_key(&made.token).map(|principal| words(principal.permissions));
                assert!(!*revoked || may.is_err(), "a revoked key lets in");
                assert!(may.unwrap_or_default().is_subset(&rights[&id.to_string()]), "a key may more than its account");
            }
            moments.push((server.log.head(), rights));
        }
        all_agree(&server, &ids, moments, seed).await;
        server.stop().await;
    }
}
