//! Credentials over GraphQL: what is saved is listed by its fields, and no answer has a value in it.

use serde_json::{Value, json};

use crate::support::TestServer;

const SECRET: &str = "open sesame";
const SAVE: &str = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) {
    credentialId position repeated errors { code message } credential { id name type fields key } } }";

async fn save(server: &TestServer, name: &str, credential_type: &str, data: Value) -> Value {
    let input = json!({ "name": name, "type": credential_type, "data": data });
    server.data(SAVE, json!({ "input": input })).await["saveCredential"].clone()
}

#[tokio::test]
async fn a_credential_is_saved_listed_and_deleted_and_its_past_can_be_looked_at() {
    let server = TestServer::start();
    let saved = save(&server, "Mailer", "httpBasicAuth", json!({"user": "ann", "password": SECRET})).await;
    assert_eq!(saved["errors"], json!([]));
    assert_eq!(saved["credential"]["fields"], json!(["user", "password"]));
    assert_eq!(saved["credential"]["type"], "httpBasicAuth");
    assert_eq!(saved["credential"]["key"].as_str().unwrap().len(), 16);
    let id = saved["credentialId"].clone();
    let again = save(&server, "Mailer", "httpBasicAuth", json!({"user": "ann", "password": "new"})).await;
    assert_eq!(again["credentialId"], id, "the name is taken once");

    let query = "mutation($id: UUID!) { deleteCredential(input: {credentialId: $id}) { position errors { code }
        credential { id } } }";
    let deleted = server.data(query, json!({ "id": id })).await;
    assert_eq!(deleted["deleteCredential"]["errors"], json!([]));
    assert_eq!(deleted["deleteCredential"]["credential"], Value::Null);
    let query = "query($id: UUID!, $past: AsOf) { credential(id: $id) { id } credentials { nodes { id } }
        past: credential(id: $id, asOf: $past) { name history { revision } }
        pastList: credentials(asOf: $past) { nodes { name } } }";
    let data = server.data(query, json!({ "id": id, "past": { "position": 2 } })).await;
    assert_eq!((&data["credential"], &data["credentials"]["nodes"]), (&Value::Null, &json!([])));
    assert_eq!(data["past"], json!({ "name": "Mailer", "history": { "revision": 2 } }));
    assert_eq!(data["pastList"]["nodes"], json!([{ "name": "Mailer" }]));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_credential_is_refused_with_what_to_do() {
    let server = TestServer::start();
    for (name, credential_type, data, code) in [
        ("Mailer", "httpBasicAuth", json!({"user": SECRET}), "INVALID_FIELDS"),
        ("Mailer", "httpBasicAuth", json!([SECRET]), "INVALID_FIELDS"),
        ("Mailer", "httpBasicAuth", json!(SECRET), "INVALID_FIELDS"),
        (" ", "httpBasicAuth", json!({"user": SECRET, "password": SECRET}), "INVALID_NAME"),
        ("Mailer", "no type", json!({"user": SECRET}), "INVALID_TYPE"),
    ] {
        let refused = save(&server, name, credential_type, data).await;
        assert_eq!(refused["errors"][0]["code"], code, "{refused}");
        assert!(!refused.to_string().contains(SECRET), "{refused}");
    }
    let unknown = "mutation { deleteCredential(input: {credentialId: \"00000000-0000-0000-0000-000000000001\"}) {
        errors { code } } }";
    let refused = server.data(unknown, json!({})).await;
    assert_eq!(refused["deleteCredential"]["errors"][0]["code"], "CREDENTIAL_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn a_rotation_puts_everything_under_the_new_key() {
    let server = TestServer::start();
    let saved = save(&server, "Mailer", "someServiceApi", json!({"apiKey": SECRET})).await;
    let query = "mutation { rotateCredentials(input: {}) { key resealedCount keptCount failedCount errors { code } } }";
    let rotated = server.data(query, json!({})).await;
    let expected = json!({ "key": saved["credential"]["key"], "resealedCount": 0, "keptCount": 1, "failedCount": 0,
        "errors": [] });
    assert_eq!(rotated["rotateCredentials"], expected);
    server.stop().await;
}

#[tokio::test]
async fn no_answer_has_a_value_in_it() {
    let server = TestServer::start();
    let saved = save(&server, "Mailer", "httpBasicAuth", json!({"user": "ann", "password": SECRET})).await;
    let query = "query($id: ID!, $uuid: UUID!) {
        credential(id: $uuid) { id name type fields key } credentials { nodes { id name type fields key } }
        events { nodes { type payload } }
        stateAt(entity: {kind: CREDENTIAL, id: $id}) { status state } }";
    let id = &saved["credentialId"];
    let data = server.data(query, json!({ "id": id, "uuid": id })).await;
    assert_eq!(data["stateAt"]["status"], "saved", "{data}");
    assert_eq!(data["events"]["nodes"][0]["type"], "CredentialSaved");
    let told = format!("{saved}{data}");
    assert!(told.contains("ciphertext") && !told.contains(SECRET) && !told.contains("sesame"), "{told}");
    server.stop().await;
}

#[tokio::test]
async fn the_types_that_nodes_use_are_told_with_their_fields() {
    let server = TestServer::start();
    let query = "{ credentialTypes { name displayName fields { name kind options secret required } } }";
    let data = server.data(query, json!({})).await;
    let types = data["credentialTypes"].as_array().unwrap();
    let basic = types.iter().find(|known| known["name"] == "httpBasicAuth").unwrap();
    let field = |name: &str, secret: bool| json!({ "name": name, "kind": "TEXT", "options": null, "secret": secret, "required": true });
    assert_eq!(basic["fields"], json!([field("user", false), field("password", true)]));
    server.stop().await;
}
