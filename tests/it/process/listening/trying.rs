//! Drafts that listen for one message, and triggers whose messages nobody keeps.

use serde_json::{Value, json};
use timeloom_postgres_testing::{Database, Server as Postgres};

use super::servers::{has, here, mosquitto, publish_mqtt, redis, tell_redis};
use super::{activate, credential, heard, hearing, listening, serve, told, trigger};
use crate::process::schedules::{change, starts};
use crate::process::server::verb_json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_takes_one_message_of_its_trigger() {
    if !has(&["mosquitto", "mosquitto_pub"]) {
        return;
    }
    let (data, broker) = (tempfile::tempdir().unwrap(), mosquitto(false));
    let server = serve(data.path());
    credential(&server, "mqtt", &here(broker.port, &json!({}))).await;
    let draft = hearing(&trigger("n8n-nodes-base.mqttTrigger", "mqtt", json!({ "topics": "orders:1" })));
    let id = server.import(&draft).await;
    change(&server, "listenForTestWebhook", &id).await;
    // It is not told when a draft listens: what is kept for whoever subscribes is what it gets.
    let port = broker.port.to_string();
    let kept = ["-h", "127.0.0.1", "-p", &port, "-r", "-t", "orders", "-m", "7"];
    assert!(std::process::Command::new("mosquitto_pub").args(kept).status().unwrap().success());
    let items = heard(&server, 1).await;
    assert_eq!(items[0], json!({ "message": "7", "topic": "orders" }));
    publish_mqtt(&broker, "orders", "8\n9\n");
    let (_, start) = starts(&server).await.remove(0);
    assert_eq!((&start["mode"], &start["trigger"]["is_test"]), (&json!("manual"), &json!(true)));
    assert_eq!(starts(&server).await.len(), 1);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_channels_of_redis_start_executions() {
    if !has(&["redis-server", "redis-cli"]) {
        return;
    }
    let (data, redis) = (tempfile::tempdir().unwrap(), redis(None));
    let server = serve(data.path());
    credential(&server, "redis", &here(redis.port, &json!({}))).await;
    let parameters = json!({ "channels": "orders.*", "options": { "jsonParseBody": true } });
    activate(&server, &hearing(&trigger("n8n-nodes-base.redisTrigger", "redis", parameters))).await;
    listening(&server).await;
    tell_redis(&redis, "PUBLISH orders.new '{\"n\": 1}'\nPUBLISH other 2\nPUBLISH orders.old text\n");
    let items = heard(&server, 2).await;
    let expected = [
        json!({ "channel": "orders.new", "message": { "n": 1 } }),
        json!({ "channel": "orders.old", "message": "text" }),
    ];
    assert_eq!(items, expected);
    let listed = told(&server, |trigger| trigger["messages"] == 2).await;
    assert!(listed["lastMessageAt"].is_string(), "{listed}");
    let verbs = verb_json(&["trigger", "list", "--json", "--server", &server.url]);
    assert_eq!((&verbs[0]["node"], &verbs[0]["status"]), (&json!("Hear"), &json!("LISTENING")));
    server.stop();
}

/// A server of PostgreSQL on a port of this machine, and a database in it. The certificate is its own.
fn postgres() -> Postgres {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Postgres::start_new_with_tls(&cert.pem(), &signing_key.serialize_pem())
}

fn fields(postgres: &Postgres, database: &Database) -> Value {
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let more = json!({ "database": name, "user": "postgres", "ssl": "require", "allowUnauthorizedCerts": true });
    here(postgres.port(), &more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_of_postgresql_and_changes_of_a_table_start_executions() {
    let postgres = postgres();
    let database = Database::create_on(&postgres).await;
    let client = database.client().await;
    client.batch_execute("CREATE TABLE orders (id int, note text)").await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    credential(&server, "postgres", &fields(&postgres, &database)).await;
    let channel = json!({ "triggerMode": "listenTrigger", "channelName": "it's \"news\"", "options": {} });
    let id = activate(&server, &hearing(&trigger("n8n-nodes-base.postgresTrigger", "postgres", channel))).await;
    listening(&server).await;
    client.batch_execute("SELECT pg_notify('it''s \"news\"', '{\"n\": 1}')").await.unwrap();
    let items = heard(&server, 1).await;
    assert_eq!((&items[0]["channel"], &items[0]["payload"]), (&json!("it's \"news\""), &json!({ "n": 1 })));
    change(&server, "deactivateWorkflow", &id).await;
    let table = json!({
        "triggerMode": "createTrigger", "schema": { "mode": "name", "value": "public" },
        "tableName": { "mode": "name", "value": "orders" }, "firesOn": "UPDATE", "additionalFields": {}, "options": {}
    });
    activate(&server, &hearing(&trigger("n8n-nodes-base.postgresTrigger", "postgres", table))).await;
    listening(&server).await;
    client.batch_execute("INSERT INTO orders VALUES (1, 'new'); UPDATE orders SET note = 'old'").await.unwrap();
    let items = heard(&server, 2).await;
    let expected = json!({ "old": { "id": 1, "note": "new" }, "new": { "id": 1, "note": "old" } });
    assert_eq!(items[1]["payload"], expected);
    server.stop();
}
