//! Redis against a real server.

use serde_json::{Value, json};
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::Bench;

use crate::services::certificates::for_localhost;
use crate::services::redis::Redis;
use crate::{failure, json_given, node};

struct Ground {
    node: SharedNodeType,
    fields: Value,
    _server: Redis,
}

impl Ground {
    fn new() -> Self {
        let server = Redis::start(None);
        Self { node: node("n8n-nodes-base.redis"), fields: server.fields(), _server: server }
    }

    fn bench(&self, parameters: Value) -> Bench<'_> {
        let item = json!([{"a": "x", "list": [1, "b"], "hash": {"k": "v", "n": 1}}]);
        Bench::new(&*self.node, 1.0, parameters).credential("redis", self.fields.clone()).input(item)
    }

    async fn get(&self, key: &str) -> Value {
        json_given(&mut self.bench(json!({"operation": "get", "key": key, "propertyName": "v"}))).await[0]["v"].clone()
    }

    async fn done(&self, parameters: Value) -> Value {
        json_given(&mut self.bench(parameters)).await[0].clone()
    }
}

#[tokio::test]
async fn keys_of_every_type_are_set_read_and_deleted() {
    let ground = Ground::new();
    let item = json!({"a": "x", "list": [1, "b"], "hash": {"k": "v", "n": 1}});
    for (key, value, of, expected) in [
        ("text", json!("={{ $json.a }}"), "automatic", json!("x")),
        ("list", json!("={{ $json.list }}"), "automatic", json!(["1", "b"])),
        ("list", json!("[3]"), "list", json!(["3"])),
        ("hash", json!("={{ $json.hash }}"), "automatic", json!({"k": "v", "n": "1"})),
        ("json", json!("{\"k\": 2}"), "hash", json!({"k": "2"})),
        ("set", json!(["one"]), "sets", json!(["one"])),
    ] {
        let set = json!({"operation": "set", "key": key, "value": value, "keyType": of});
        assert_eq!(ground.done(set).await, item, "it passes on what came in");
        assert_eq!(ground.get(key).await, expected, "{key}");
    }
    assert_eq!(ground.done(json!({"operation": "delete", "key": "text"})).await, item);
    assert_eq!(ground.get("text").await, Value::Null);
    let plain = json!({"operation": "get", "key": "hash", "keyType": "hash", "propertyName": "a.b"});
    assert_eq!(ground.done(plain).await, json!({"a": {"b": {"k": "v", "n": "1"}}}));
    let wrong = failure(&mut ground.bench(json!({"operation": "get", "key": "list", "keyType": "string"}))).await;
    assert!(wrong.message.contains("WRONGTYPE") && wrong.data.unwrap()["retryable"] == json!(false));
}

#[tokio::test]
async fn numbers_are_counted_and_keys_go_away_after_a_time() {
    let ground = Ground::new();
    let count = json!({"operation": "incr", "key": "n", "expire": true, "ttl": 100});
    assert_eq!(ground.done(count.clone()).await, json!({"n": 1}));
    assert_eq!(ground.done(count).await, json!({"n": 2}));
    ground.done(json!({"operation": "set", "key": "gone", "value": "x", "expire": true, "ttl": 0})).await;
    assert_eq!(ground.get("gone").await, Value::Null);
}

#[tokio::test]
async fn keys_are_found_by_a_pattern() {
    let ground = Ground::new();
    for number in 0..3_000 {
        if number < 3 {
            ground
                .done(json!({"operation": "set", "key": format!("user:{number}"), "value": number.to_string()}))
                .await;
        }
    }
    ground.done(json!({"operation": "set", "key": "other", "value": "x"})).await;
    let found = ground.done(json!({"operation": "keys", "keyPattern": "user:*", "getValues": false})).await;
    assert_eq!(found, json!({"keys": ["user:0", "user:1", "user:2"]}));
    let values = ground.done(json!({"operation": "keys", "keyPattern": "user:*"})).await;
    assert_eq!(values, json!({"user:0": "0", "user:1": "1", "user:2": "2"}));
}

#[tokio::test]
async fn lists_are_pushed_and_popped_and_messages_published() {
    let ground = Ground::new();
    for (data, tail) in [("{\"n\": 1}", true), ("two", true), ("zero", false)] {
        ground.done(json!({"operation": "push", "list": "q", "messageData": data, "tail": tail})).await;
    }
    let pop = |tail: bool| json!({"operation": "pop", "list": "q", "tail": tail, "propertyName": "v"});
    assert_eq!(ground.done(pop(false)).await, json!({"v": "zero"}));
    assert_eq!(ground.done(pop(true)).await, json!({"v": "two"}));
    assert_eq!(ground.done(pop(false)).await, json!({"v": {"n": 1}}));
    assert_eq!(ground.done(pop(false)).await, json!({"v": null}));
    ground.done(json!({"operation": "publish", "channel": "c", "messageData": "hello"})).await;
    let info = ground.done(json!({"operation": "info"})).await;
    assert!(info["redis_version"].is_string() && info["connected_clients"].is_number(), "{info}");
}

#[tokio::test]
async fn databases_and_tls_are_as_the_credential_says() {
    let mut ground = Ground::new();
    ground.done(json!({"operation": "set", "key": "k", "value": "zero"})).await;
    ground.fields["database"] = json!(3);
    assert_eq!(ground.get("k").await, Value::Null);
    let certificate = for_localhost();
    let server = Redis::start(Some(&certificate));
    ground.fields = server.fields();
    ground.fields["ssl"] = json!(true);
    let unknown = failure(&mut ground.bench(json!({"operation": "info"}))).await;
    assert!(unknown.message.contains("certificate"), "{unknown}");
    ground.fields["caCertificate"] = json!(certificate.certificate);
    assert_eq!(ground.get("k").await, Value::Null);
    ground.fields["caCertificate"] = json!(null);
    ground.fields["disableTlsVerification"] = json!(true);
    assert_eq!(ground.get("k").await, Value::Null);
}

#[tokio::test]
async fn whoever_may_not_is_told() {
    let mut ground = Ground::new();
    let mut private = ground.bench(json!({"operation": "info"}));
    private.services.outbound.allow_private = false;
    assert!(failure(&mut private).await.message.contains("private or reserved"));
    ground.fields["password"] = json!("wrong-password");
    let wrong = failure(&mut ground.bench(json!({"operation": "info"}))).await;
    assert!(wrong.message.contains("WRONGPASS") && !wrong.message.contains("wrong-password"), "{wrong}");
    let on = json_given(&mut ground.bench(json!({"operation": "info"})).continue_on_fail()).await;
    assert!(on[0]["error"].as_str().unwrap().contains("WRONGPASS"));
}
