//! MySQL against MariaDB.

use serde_json::{Value, json};
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::{Bench, json_of};

use crate::services::certificates::for_localhost;
use crate::services::mariadb::MariaDb;
use crate::{failure, given, json_given, node};

pub(crate) struct Ground {
    node: SharedNodeType,
    pub fields: Value,
    pub server: MariaDb,
}

impl Ground {
    pub async fn new(setup: &str) -> Self {
        let server = MariaDb::start();
        let mut ground = Self { node: node("n8n-nodes-base.mySql"), fields: server.fields(), server };
        ground.rows("CREATE DATABASE loom CHARACTER SET utf8mb4").await;
        ground.fields["database"] = json!("loom");
        if !setup.is_empty() {
            ground.rows(setup).await;
        }
        ground
    }

    fn bench(&self, version: f64, parameters: Value, items: Value) -> Bench<'_> {
        Bench::new(&*self.node, version, parameters).credential("mySql", self.fields.clone()).input(items)
    }

    pub fn query(&self, query: &str, options: Value) -> Bench<'_> {
        let parameters = json!({"operation": "executeQuery", "query": query, "options": options});
        self.bench(2.5, parameters, json!([{"a": "x, y", "n": 7}]))
    }

    pub async fn rows(&self, query: &str) -> Value {
        json_given(&mut self.query(query, json!({}))).await
    }
}

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, name varchar(50), about json)";

fn table(operation: &str, more: Value) -> Value {
    let mut parameters = json!({"operation": operation, "table": {"__rl": true, "mode": "list", "value": "people"}});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

#[tokio::test]
async fn values_of_every_kind_are_told_as_people_know_them() {
    let ground = Ground::new(
        "CREATE TABLE k (i tinyint, b bigint, u bigint unsigned, f float, d double, n decimal(30,4), s varchar(9), c char(3),
         t text, bl blob, vb varbinary(4), dt date, ts datetime(3), tm time, y year, e enum('calm'), bits bit(4), nothing int);
         INSERT INTO k VALUES (-1, 9007199254740993, 18446744073709551615, 0.1, 1.5, 12345678901234567890.05, 'ü', 'ab', 'x',
         x'00ff', x'01', '2024-05-17', '2024-05-17 12:30:45.678', '-26:03:04', 2024, 'calm', b'0101', NULL)",
    )
    .await;
    let expected = json!([{
        "i": -1, "b": 9_007_199_254_740_993_i64, "u": 18_446_744_073_709_551_615_u64, "f": 0.1, "d": 1.5,
        "n": "12345678901234567890.0500", "s": "ü", "c": "ab", "t": "x", "bl": {"type": "Buffer", "data": [0, 255]},
        "vb": {"type": "Buffer", "data": [1]}, "dt": "2024-05-17T00:00:00.000Z", "ts": "2024-05-17T12:30:45.678Z",
        "tm": "-26:03:04", "y": 2024, "e": "calm", "bits": {"type": "Buffer", "data": [5]}, "nothing": null,
    }]);
    assert_eq!(ground.rows("SELECT * FROM k").await, expected);
    let options = json!({"largeNumbersOutput": "text", "decimalNumbers": true});
    let told = json_given(&mut ground.query("SELECT b, CAST(1.50 AS DECIMAL(5,2)) AS n FROM k", options)).await;
    assert_eq!(told, json!([{"b": "9007199254740993", "n": 1.5}]));
}

#[tokio::test]
async fn query_parameters_go_beside_the_query() {
    let ground = Ground::new("").await;
    for (query, replacement, expected) in [
        ("SELECT $1 AS a, $2 AS b", json!("={{ $json.a }}, {{ $json.n }}"), json!({"a": "x, y", "b": 7})),
        ("SELECT $1 AS a", json!("'; DROP TABLE x; --"), json!({"a": "'; DROP TABLE x; --"})),
        ("SELECT $2 AS b, $1 AS a, '$1' AS c", json!("3, 4"), json!({"b": "4", "a": "3", "c": "$1"})),
        ("SELECT 5 IN ($1:csv) AS a", json!([[1, 5]]), json!({"a": 1})),
        ("SELECT 1 AS $1:name", json!("odd `name"), json!({"odd `name": 1})),
    ] {
        let mut bench = ground.query(query, json!({ "queryReplacement": replacement }));
        assert_eq!(json_given(&mut bench).await, json!([expected]), "{query}");
    }
}

#[tokio::test]
async fn rows_are_inserted_changed_selected_and_deleted() {
    let ground = Ground::new(PEOPLE).await;
    let items = json!([{"id": 1, "name": "Ada", "about": {"x": 1}}, {"id": 2, "name": ""}]);
    let insert = json!({"dataMode": "autoMapInputData", "options": {"replaceEmptyStrings": true}});
    assert_eq!(
        json_given(&mut ground.bench(2.4, table("insert", insert), items.clone())).await,
        json!([{"success": true}])
    );
    let again = json!({"options": {"skipOnConflict": true, "detailedOutput": true}});
    let told = json_given(&mut ground.bench(2.4, table("insert", again), items)).await;
    assert_eq!((&told[0]["data"]["affectedRows"], &told[1]["data"]["affectedRows"]), (&json!(0), &json!(0)), "{told}");
    let update = json!({"dataMode": "defineBelow", "columnToMatchOn": "id", "valueToMatchOn": 2,
        "valuesToSend": {"values": [{"column": "name", "value": "={{ $json.n }}"}]}});
    json_given(&mut ground.bench(2.0, table("update", update), json!([{"n": "Bob"}]))).await;
    let upsert = json!({"columnToMatchOn": "id"});
    json_given(&mut ground.bench(
        2.4,
        table("upsert", upsert),
        json!([{"id": 2, "name": "Bea"}, {"id": 3, "name": "Cy"}]),
    ))
    .await;
    let select = json!({
        "where": {"values": [{"column": "id", "condition": ">", "value": 1}, {"column": "name", "condition": "LIKE", "value": "B%"}]},
        "sort": {"values": [{"column": "id", "direction": "DESC"}]}, "options": {"outputColumns": ["id", "name"]},
    });
    assert_eq!(
        json_given(&mut ground.bench(2.4, table("select", select), json!([{}]))).await,
        json!([{"id": 2, "name": "Bea"}])
    );
    let delete =
        json!({"deleteCommand": "delete", "where": {"values": [{"column": "id", "condition": "equal", "value": 3}]}});
    json_given(&mut ground.bench(2.4, table("deleteTable", delete), json!([{}]))).await;
    assert_eq!(ground.rows("SELECT COUNT(*) AS n FROM people").await, json!([{"n": 2}]));
    assert_eq!(ground.rows("SELECT * FROM people WHERE id > 99").await, json!([]));
    for command in ["truncate", "drop"] {
        json_given(&mut ground.bench(2.4, table("deleteTable", json!({"deleteCommand": command})), json!([{}]))).await;
    }
    assert!(failure(&mut ground.query("SELECT 1 FROM people", json!({}))).await.message.contains("doesn't exist"));
}

#[tokio::test]
async fn the_first_version_tells_what_the_database_says() {
    let ground = Ground::new(PEOPLE).await;
    let items = json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]);
    let insert = json!({"operation": "insert", "table": "people", "columns": "id,name"});
    let told = json_given(&mut ground.bench(1.0, insert.clone(), items.clone())).await;
    assert_eq!((told.as_array().unwrap().len(), &told[0]["affectedRows"]), (1, &json!(2)), "{told}");
    let failed = failure(&mut ground.bench(1.0, insert.clone(), items.clone())).await;
    assert!(failed.message.contains("Duplicate entry") && failed.data.unwrap()["errno"] == json!(1062));
    let mut ignoring = insert;
    ignoring["options"] = json!({"ignore": true, "priority": "LOW_PRIORITY"});
    assert_eq!(json_given(&mut ground.bench(1.0, ignoring, items)).await[0]["affectedRows"], json!(0));
    let update = json!({"operation": "update", "table": "people", "columns": "name", "updateKey": "id"});
    assert_eq!(
        json_given(&mut ground.bench(1.0, update, json!([{"id": 2, "name": "Bea"}]))).await[0]["affectedRows"],
        json!(1)
    );
    let query = json!({"operation": "executeQuery", "query": "SELECT name FROM people WHERE id = 2"});
    assert_eq!(json_given(&mut ground.bench(1.0, query, json!([{}]))).await, json!([{"name": "Bea"}]));
}

#[tokio::test]
async fn items_belong_together_as_the_option_says() {
    let ground = Ground::new("CREATE TABLE n (v int PRIMARY KEY) ENGINE=InnoDB").await;
    let items = json!([{"v": 1}, {"v": 1}, {"v": 2}]);
    let run = |batching: &str| {
        let parameters = json!({"operation": "executeQuery", "query": "INSERT INTO n VALUES ($1)",
            "options": {"queryBatching": batching, "queryReplacement": "={{ $json.v }}"}});
        ground.bench(2.5, parameters, items.clone()).continue_on_fail()
    };
    let told = json_of(&given(&mut run("transaction")).await, 0);
    assert!(told[0]["message"].as_str().unwrap().contains("Duplicate entry"), "{told}");
    assert_eq!(ground.rows("SELECT COUNT(*) AS n FROM n").await, json!([{"n": 0}]));
    let told = json_of(&given(&mut run("independently")).await, 0);
    assert_eq!((&told[0], &told[2]), (&json!({"success": true}), &json!({"success": true})), "{told}");
    assert_eq!(ground.rows("SELECT COUNT(*) AS n FROM n").await, json!([{"n": 2}]));
}

#[tokio::test]
async fn tls_is_verified_and_whoever_may_not_is_told() {
    let ground = Ground::new("").await;
    let secure = json!({"ssl": true, "caCertificate": ground.server.certificate.certificate});
    let with = |change: &Value| {
        let mut fields = ground.fields.clone();
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        fields
    };
    let mut bench = ground.query("SHOW STATUS LIKE 'Ssl_version'", json!({})).credential("mySql", with(&secure));
    assert!(json_given(&mut bench).await[0]["Value"].as_str().unwrap().starts_with("TLS"));
    for (change, message) in [
        (json!({"password": "wrong"}), "Access denied"),
        (json!({"database": "none"}), "Unknown database"),
        (json!({"ssl": true}), "certificate"),
        (json!({"ssl": true, "caCertificate": for_localhost().certificate}), "certificate"),
        (json!({"ssl": true, "caCertificate": "open sesame"}), "cannot be read"),
        (json!({"sshTunnel": true}), "no field 'sshPassword'"),
    ] {
        let mut bench = ground.query("SELECT 1", json!({})).credential("mySql", with(&change));
        let error = failure(&mut bench).await;
        assert!(error.message.contains(message), "{change}: {error}");
        assert!(!format!("{error:?}").contains("open-sesame"), "{error:?}");
    }
    let mut bench = ground.query("SELECT 1", json!({}));
    bench.services.outbound.allow_private = false;
    assert!(failure(&mut bench).await.message.contains("private or reserved"));
}

#[tokio::test]
async fn a_run_leaves_nothing_to_the_next_one_on_the_same_connection() {
    let ground = Ground::new("").await;
    ground.rows("SET @mine = 7; CREATE TEMPORARY TABLE mine (v int)").await;
    assert_eq!(ground.rows("SELECT @mine AS mine").await, json!([{"mine": null}]));
    assert!(failure(&mut ground.query("SELECT * FROM mine", json!({}))).await.message.contains("doesn't exist"));
}

#[tokio::test]
async fn what_takes_too_long_or_is_too_much_is_refused_and_the_next_run_works() {
    let ground = Ground::new("").await;
    let mut slow = ground.query("SELECT SLEEP(600) AS slept", json!({}));
    slow.services.outbound.request_time_max = std::time::Duration::from_millis(300);
    assert!(failure(&mut slow).await.message.contains("did not answer within 300 ms"));
    let running = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE '%SLEEP(600) AS slept' AND id <> CONNECTION_ID()";
    let gone = async { while ground.rows(running).await != json!([{"n": 0}]) {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.expect("the statement still runs");
    for query in ["SELECT REPEAT('x', 1000) AS x FROM seq_1_to_100000", "SELECT seq AS n FROM seq_1_to_1000000"] {
        let error = failure(&mut ground.query(query, json!({}))).await;
        assert!(error.message.contains("more than"), "{query}: {error}");
    }
    assert_eq!(ground.rows("SELECT 1 AS a").await, json!([{"a": 1}]));
    let local = failure(
        &mut ground.query("CREATE TABLE l (v text); LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE l", json!({})),
    )
    .await;
    assert_eq!(ground.rows("SELECT COUNT(*) AS n FROM l").await, json!([{"n": 0}]), "{local}");
}
