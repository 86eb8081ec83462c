//! Postgres against a real server.

use serde_json::{Value, json};
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::{Bench, json_of};
use timeloom_postgres_testing::Server;

use crate::services::certificates::for_localhost;
use crate::{failure, given, json_given, node};

/// Whoever comes by TCP shows a password.
const ASK_FOR_PASSWORDS: &str = "DO $$ BEGIN
    EXECUTE format('COPY (VALUES (''local all all trust''), (''host all all 127.0.0.1/32 scram-sha-256'')) TO %L',
        current_setting('hba_file'));
    PERFORM pg_reload_conf();
END $$";

/// A database with a credential for it.
pub(crate) struct Ground {
    node: SharedNodeType,
    server: Server,
    pub fields: Value,
}

impl Ground {
    /// A server of its own: the shared one listens on no port.
    pub async fn new(setup: &str) -> Self {
        let certificate = for_localhost();
        let server = Server::start_new_with_tls(&certificate.certificate, &certificate.key);
        let client = timeloom_postgres_testing::connect(&server.url("postgres")).await;
        client.batch_execute("CREATE ROLE loom LOGIN SUPERUSER PASSWORD 'open-sesame'").await.unwrap();
        client.batch_execute(ASK_FOR_PASSWORDS).await.unwrap();
        client.batch_execute(setup).await.unwrap();
        let fields = json!({
            "host": "localhost", "port": server.port(), "database": "postgres", "user": "loom",
            "password": "open-sesame", "ssl": "require", "caCertificate": certificate.certificate,
        });
        Self { node: node("n8n-nodes-base.postgres"), server, fields }
    }

    fn bench(&self, version: f64, parameters: Value, items: Value) -> Bench<'_> {
        Bench::new(&*self.node, version, parameters).credential("postgres", self.fields.clone()).input(items)
    }

    pub fn query(&self, query: &str, replacement: Value) -> Bench<'_> {
        let parameters =
            json!({"operation": "executeQuery", "query": query, "options": {"queryReplacement": replacement}});
        self.bench(2.6, parameters, json!([{"a": "x, y", "n": 7}]))
    }

    pub async fn rows(&self, query: &str) -> Value {
        json_given(&mut self.query(query, json!(""))).await
    }
}

const PEOPLE: &str =
    "CREATE TABLE people (id int PRIMARY KEY, name text, tags text[], about jsonb, since timestamptz);";

fn table(operation: &str, more: Value) -> Value {
    let mut parameters = json!({
        "operation": operation, "schema": {"__rl": true, "mode": "list", "value": "public"},
        "table": {"__rl": true, "mode": "list", "value": "people"},
    });
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

#[tokio::test]
async fn values_of_every_kind_are_told_as_people_know_them() {
    let ground = Ground::new("CREATE TYPE mood AS ENUM ('calm'); CREATE DOMAIN short AS varchar(5)").await;
    let query = "SELECT true AS t, 1::int2 AS i2, -2::int4 AS i4, 9007199254740993::int8 AS i8, 0.1::float4 AS f4,
        1.5::float8 AS f8, 'NaN'::float8 AS nan, 12345678901234567890.0500::numeric AS n, -0.00012::numeric AS small,
        10000::numeric AS round, 'x'::text AS s, 'ab'::char(3) AS c, '{\"a\": [1]}'::json AS j, '{\"b\": 1.0}'::jsonb AS jb,
        '\\x00ff'::bytea AS b, '2024-05-17'::date AS d, '2024-05-17 12:30:45.678901'::timestamp AS ts,
        '2024-05-17 12:30:45+02'::timestamptz AS tz, 'infinity'::timestamptz AS inf, '12:30:45.5'::time AS tm,
        '12:30:45+02'::timetz AS tmz, '1 year 2 mons 3 days 04:05:06.5'::interval AS iv,
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, '192.168.0.1/24'::inet AS ip, '::1'::inet AS ip6,
        '{1,NULL,3}'::int4[] AS arr, '{{a,\"b c\"},{d,e}}'::text[] AS arr2, '{}'::int8[] AS empty, 'calm'::mood AS m,
        'abc'::short AS dom, B'0101'::bit(4) AS bits, '(1,2.5)'::point AS p, NULL::int AS nothing, 1234.5::money AS mon";
    let rows = ground.rows(query).await;
    let expected = json!([{
        "t": true, "i2": 1, "i4": -2, "i8": "9007199254740993", "f4": 0.1, "f8": 1.5, "nan": null,
        "n": "12345678901234567890.0500", "small": "-0.00012", "round": "10000", "s": "x", "c": "ab ",
        "j": {"a": [1]}, "jb": {"b": 1.0}, "b": {"type": "Buffer", "data": [0, 255]},
        "d": "2024-05-17T00:00:00.000Z", "ts": "2024-05-17T12:30:45.678Z", "tz": "2024-05-17T10:30:45.000Z",
        "inf": "infinity", "tm": "12:30:45.5", "tmz": "12:30:45+02",
        "iv": {"years": 1, "months": 2, "days": 3, "hours": 4, "minutes": 5, "seconds": 6, "milliseconds": 500},
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ip": "192.168.0.1/24", "ip6": "::1", "arr": [1, null, 3],
        "arr2": [["a", "b c"], ["d", "e"]], "empty": [], "m": "calm", "dom": "abc", "bits": "0101",
        "p": {"x": 1, "y": 2.5}, "nothing": null, "mon": "1234.50",
    }]);
    assert_eq!(rows, expected);
    let mut numbers = ground.query("SELECT 5::int8 AS a, 1.50::numeric AS b", json!(""));
    numbers.node.parameters["options"]["largeNumbersOutput"] = json!("numbers");
    assert_eq!(json_given(&mut numbers).await, json!([{"a": 5, "b": 1.5}]));
    let untold = failure(&mut ground.query("SELECT to_tsvector('a')", json!(""))).await;
    assert!(untold.message.contains("tsvector") && untold.message.contains("::text"), "{untold}");
}

#[tokio::test]
async fn query_parameters_go_beside_the_query() {
    let ground = Ground::new("").await;
    for (query, replacement, expected) in [
        ("SELECT $1::text AS a, $2::int AS b", json!("={{ $json.a }}, {{ $json.n }}"), json!({"a": "x, y", "b": 7})),
        ("SELECT $1 AS a", json!("'; DROP TABLE x; --"), json!({"a": "'; DROP TABLE x; --"})),
        ("SELECT $2::int + $1::int AS a, $1 AS b", json!("3, 4"), json!({"a": 7, "b": 3})),
        ("SELECT $1::int4[] AS a", json!([[1, 2]]), json!({"a": [1, 2]})),
        ("SELECT $1::jsonb AS a", json!([{"k": [1]}]), json!({"a": {"k": [1]}})),
        ("SELECT '$1' AS a, $1::text AS b", json!("v"), json!({"a": "$1", "b": "v"})),
        (
            "SELECT count(*)::int AS n FROM generate_series(1, 9) g WHERE g IN ($1:csv)",
            json!([[1, 5, 99]]),
            json!({"n": 2}),
        ),
        ("SELECT 1 AS $1:name", json!("odd \"name"), json!({"odd \"name": 1})),
    ] {
        assert_eq!(json_given(&mut ground.query(query, replacement)).await, json!([expected]), "{query}");
    }
    let lacking = failure(&mut ground.query("SELECT $2", json!("1"))).await;
    assert!(lacking.message.contains("a parameter $2, and 1 values"), "{lacking}");
}

#[tokio::test]
async fn rows_are_inserted_changed_selected_and_deleted() {
    let ground = Ground::new(PEOPLE).await;
    let people = json!([
        {"id": 1, "name": "Ada", "tags": ["a", "b"], "about": {"x": 1}, "since": "2024-05-17T12:30:45.000Z"},
        {"id": 2, "name": "", "tags": [], "about": null},
    ]);
    let insert = json!({"columns": {"mappingMode": "autoMapInputData", "value": null}, "options": {"replaceEmptyStrings": true}});
    let inserted = given(&mut ground.bench(2.5, table("insert", insert), people.clone())).await;
    assert_eq!(
        json_of(&inserted, 0),
        json!([
            {"id": 1, "name": "Ada", "tags": ["a", "b"], "about": {"x": 1}, "since": "2024-05-17T12:30:45.000Z"},
            {"id": 2, "name": null, "tags": [], "about": null, "since": null},
        ])
    );
    let again = json!({
        "columns": {"mappingMode": "defineBelow", "value": {"id": "={{ $json.id }}", "name": "other"}},
        "options": {"skipOnConflict": true, "outputColumns": ["id"]},
    });
    assert_eq!(
        json_given(&mut ground.bench(2.6, table("insert", again), people.clone())).await,
        json!([{"success": true}])
    );
    let older = json!({"dataMode": "defineBelow", "columnToMatchOn": "id", "valueToMatchOn": 2,
        "valuesToSend": {"values": [{"column": "name", "value": "Bob"}]}, "options": {"outputColumns": ["name"]}});
    assert_eq!(json_given(&mut ground.bench(2.0, table("update", older), json!([{}]))).await, json!([{"name": "Bob"}]));
    let upsert = json!({"columns": {"mappingMode": "autoMapInputData", "matchingColumns": ["id"]}});
    let items = json!([{"id": 2, "name": "Bea"}, {"id": 3, "name": "Cy"}]);
    json_given(&mut ground.bench(2.6, table("upsert", upsert), items)).await;
    let select = json!({
        "where": {"values": [{"column": "id", "condition": ">", "value": 1}, {"column": "name", "condition": "IS NULL"}]},
        "combineConditions": "OR", "sort": {"values": [{"column": "id", "direction": "DESC"}]}, "limit": 1,
        "options": {"outputColumns": ["id", "name"]},
    });
    assert_eq!(
        json_given(&mut ground.bench(2.6, table("select", select), json!([{}]))).await,
        json!([{"id": 3, "name": "Cy"}])
    );
    let delete = json!({"deleteCommand": "delete", "where": {"values": [{"column": "name", "condition": "LIKE", "value": "C%"}]}});
    assert_eq!(
        json_given(&mut ground.bench(2.6, table("deleteTable", delete), json!([{}]))).await,
        json!([{"success": true}])
    );
    assert_eq!(ground.rows("SELECT count(*)::int AS n FROM people").await, json!([{"n": 2}]));
    for (command, query) in [
        ("truncate", "SELECT count(*)::int AS n FROM people"),
        ("drop", "SELECT count(*)::int AS n FROM pg_class WHERE relname = 'people'"),
    ] {
        json_given(&mut ground.bench(2.6, table("deleteTable", json!({"deleteCommand": command})), json!([{}]))).await;
        assert_eq!(ground.rows(query).await, json!([{"n": 0}]), "{command}");
    }
}

#[tokio::test]
async fn the_first_version_names_columns_in_a_text() {
    let ground = Ground::new(PEOPLE).await;
    let items = json!([{"id": "1", "name": "Ada", "other": 1}]);
    let insert = json!({"operation": "insert", "schema": "public", "table": "people", "columns": "id:int,name", "returnFields": "id"});
    assert_eq!(json_given(&mut ground.bench(1.0, insert, items.clone())).await, json!([{"id": 1}]));
    let update =
        json!({"operation": "update", "table": "people", "columns": "name", "updateKey": "id", "returnFields": "name"});
    assert_eq!(
        json_given(&mut ground.bench(1.0, update, json!([{"id": 1, "name": "Bea"}]))).await,
        json!([{"name": "Bea"}])
    );
    let query = json!({"operation": "executeQuery", "query": "SELECT name FROM people WHERE id = $1::int",
        "additionalFields": {"queryParams": "id"}});
    assert_eq!(json_given(&mut ground.bench(1.0, query, items.clone())).await, json!([{"name": "Bea"}]));
    let odd = json!({"operation": "insert", "table": "people", "columns": "id:int; DROP TABLE people"});
    assert!(failure(&mut ground.bench(1.0, odd, items)).await.message.contains("no type"));
}

#[tokio::test]
async fn items_belong_together_as_the_option_says() {
    let ground = Ground::new("CREATE TABLE n (v int PRIMARY KEY)").await;
    let items = json!([{"v": 1}, {"v": 1}, {"v": 2}]);
    let run = |batching: &str, goes_on: bool| {
        let parameters = json!({"operation": "executeQuery", "query": "INSERT INTO n VALUES ($1) RETURNING v",
            "options": {"queryBatching": batching, "queryReplacement": "={{ $json.v }}"}});
        let bench = ground.bench(2.6, parameters, items.clone());
        if goes_on { bench.continue_on_fail() } else { bench }
    };
    for batching in ["single", "transaction"] {
        let error = failure(&mut run(batching, false)).await;
        assert_eq!((error.item_index, error.data.unwrap()["code"].clone()), (Some(1), json!("23505")), "{batching}");
        let on = given(&mut run(batching, true)).await;
        let told = json_of(&on, 0);
        assert!(
            told[0]["message"].as_str().unwrap().contains("duplicate key") && told[0]["item"] == json!({"v": 1}),
            "{told}"
        );
        assert_eq!(
            ground.rows("SELECT count(*)::int AS n FROM n").await,
            json!([{"n": 0}]),
            "{batching}: none of them"
        );
    }
    let each = json_of(&given(&mut run("independently", true)).await, 0);
    assert_eq!((&each[0], &each[2]), (&json!({"v": 1}), &json!({"v": 2})));
    assert!(each[1]["error"]["data"]["retryable"] == json!(false), "{each}");
    assert_eq!(ground.rows("SELECT count(*)::int AS n FROM n").await, json!([{"n": 2}]));
}

#[tokio::test]
async fn several_statements_are_run_in_turn_and_one_alone_outside_of_a_transaction() {
    let ground = Ground::new("").await;
    let script = "CREATE TABLE a (v int); INSERT INTO a VALUES ($1), (2); SELECT v FROM a ORDER BY v; -- the end;";
    assert_eq!(json_given(&mut ground.query(script, json!("1"))).await, json!([{"v": 1}, {"v": 2}]));
    assert_eq!(ground.rows("VACUUM a").await, json!([{"success": true}]));
    let half = failure(&mut ground.query("DELETE FROM a; SELECT no_such_column FROM a", json!(""))).await;
    assert!(half.message.contains("no_such_column"), "{half}");
    assert_eq!(ground.rows("SELECT count(*)::int AS n FROM a").await, json!([{"n": 2}]));
}

#[tokio::test]
async fn a_run_leaves_nothing_to_the_next_one_on_the_same_connection() {
    let ground = Ground::new("").await;
    let first = ground.rows("SELECT pg_backend_pid() AS pid").await;
    ground.rows("SET search_path TO nowhere; CREATE TEMP TABLE mine (v int)").await;
    ground.rows("BEGIN").await;
    let after =
        "SELECT pg_backend_pid() AS pid, current_setting('search_path') AS path, to_regclass('mine')::text AS mine";
    let second = ground.rows(after).await;
    assert_eq!(second[0]["path"], json!("\"$user\", public"));
    assert_eq!(second[0]["mine"], json!(null));
    // One that was left in a transaction is given up.
    assert_ne!(first[0]["pid"], second[0]["pid"]);
    let third = ground.rows("SELECT pg_backend_pid() AS pid").await;
    assert_eq!(second[0]["pid"], third[0]["pid"], "it is used again");
}

#[tokio::test]
async fn a_server_that_stopped_meanwhile_is_connected_to_anew() {
    let mut ground = Ground::new("").await;
    ground.rows("SELECT 1").await;
    ground.server.kill();
    let error = failure(&mut ground.query("SELECT 1", json!(""))).await;
    assert!(error.message.contains("could not be reached"), "{error}");
    ground.server.start();
    assert_eq!(ground.rows("SELECT 1 AS a").await, json!([{"a": 1}]));
}

#[tokio::test]
async fn whoever_may_not_is_told_and_no_secret_with_it() {
    let ground = Ground::new("").await;
    for (change, message) in [
        (json!({"database": "none"}), "database \"none\" does not exist"),
        (json!({"user": "nobody"}), "password authentication failed"),
        (json!({"password": "wrong"}), "password authentication failed"),
        (json!({"caCertificate": for_localhost().certificate}), "invalid peer certificate"),
        (json!({"caCertificate": null}), "invalid peer certificate"),
        (json!({"caCertificate": "open sesame"}), "cannot be read"),
        (json!({"host": "127.0.0.1"}), "certificate"),
        (json!({"sshTunnel": true}), "no field 'sshPassword'"),
        (json!({"port": 70000}), "not a port"),
    ] {
        let mut fields = ground.fields.clone();
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut bench = ground.query("SELECT 1", json!("")).credential("postgres", fields);
        let error = failure(&mut bench).await;
        assert!(error.message.contains(message), "{change}: {error}");
        assert!(!format!("{error:?}").contains("open-sesame"), "{error:?}");
    }
    let mut any = ground.fields.clone();
    any["caCertificate"] = json!(null);
    any["allowUnauthorizedCerts"] = json!(true);
    let mut bench = ground.query("SELECT 1 AS a", json!("")).credential("postgres", any);
    assert_eq!(json_given(&mut bench).await, json!([{"a": 1}]));
}

#[tokio::test]
async fn a_private_address_is_refused_unless_it_is_allowed() {
    let ground = Ground::new("").await;
    let mut bench = ground.query("SELECT 1", json!(""));
    bench.services.outbound.allow_private = false;
    let error = failure(&mut bench).await;
    assert!(error.message.contains("private or reserved"), "{error}");
    bench.services.outbound.allowed_hosts.insert(format!("localhost:{}", ground.server.port()));
    assert!(bench.run_effect().await.is_ok());
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped_on_the_server_too() {
    let ground = Ground::new("").await;
    let mut bench = ground.query("SELECT pg_sleep(600)", json!(""));
    bench.services.outbound.request_time_max = std::time::Duration::from_millis(300);
    let error = failure(&mut bench).await;
    assert!(error.message.contains("did not answer within 300 ms"), "{error}");
    let client = timeloom_postgres_testing::connect(&ground.server.url("postgres")).await;
    // It hears of it in its own time.
    let gone = async {
        while client.query_one("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()", &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.expect("the statement still runs");
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_the_next_run_works() {
    let ground = Ground::new("").await;
    for query in [
        "SELECT repeat('x', 1000) AS x FROM generate_series(1, 100000)",
        "SELECT generate_series(1, 1000000) AS n",
        "SELECT repeat('x', 100000000) AS x",
    ] {
        let error = failure(&mut ground.query(query, json!(""))).await;
        assert!(error.message.contains("more than"), "{query}: {error}");
    }
    assert_eq!(ground.rows("SELECT 1 AS a").await, json!([{"a": 1}]));
}

#[tokio::test]
async fn runs_at_once_have_connections_of_their_own_as_many_as_the_credential_allows() {
    let mut ground = Ground::new("").await;
    ground.fields["maxConnections"] = json!(2);
    let mut benches: Vec<_> =
        (0..6).map(|_| ground.query("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)::text", json!(""))).collect();
    let running = benches.iter_mut().map(|bench| json_given(bench));
    let pids: std::collections::BTreeSet<String> =
        futures::future::join_all(running).await.iter().map(|rows| rows[0]["pid"].to_string()).collect();
    assert!((1..=2).contains(&pids.len()), "{pids:?}");
}
