//! SQLite on files below a folder.

use serde_json::{Value, json};
use tempfile::TempDir;
use timeloom_connectors::Settings;
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::Bench;

use crate::{failure, json_given, node, node_with};

struct Ground {
    node: SharedNodeType,
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir_all(folder.path().join("files/crm")).unwrap();
        let settings = Settings { files_root: Some(folder.path().join("files")), ..Settings::default() };
        Self { node: node_with("timeloom.sqlite", &settings), folder }
    }

    fn bench(&self, parameters: Value, items: Value) -> Bench<'_> {
        let mut all = json!({"database": "crm/a.db"});
        all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        Bench::new(&*self.node, 1.0, all).input(items)
    }

    fn query(&self, query: &str) -> Bench<'_> {
        self.bench(json!({"query": query}), json!([{}]))
    }
}

#[tokio::test]
async fn rows_are_inserted_changed_selected_and_deleted() {
    let ground = Ground::new();
    let create = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL, data BLOB)";
    assert_eq!(json_given(&mut ground.query(create)).await, json!([{"success": true}]));
    let insert = json!({"operation": "insert", "table": "people"});
    let items = json!([{"id": 1, "name": "Ada", "score": 1.5}, {"id": 2, "name": "Bob"}]);
    let inserted = json_given(&mut ground.bench(insert, items)).await;
    assert_eq!(inserted[0], json!({"id": 1, "name": "Ada", "score": 1.5, "data": null}));
    let upsert = json!({"operation": "upsert", "table": "people", "columnToMatchOn": "id"});
    json_given(&mut ground.bench(upsert, json!([{"id": 2, "name": "Bea"}]))).await;
    let update = json!({"operation": "update", "table": "people", "columnToMatchOn": "id", "options": {"outputColumns": "name"}});
    assert_eq!(json_given(&mut ground.bench(update, json!([{"id": 1, "name": "Al"}]))).await, json!([{"name": "Al"}]));
    let select = json!({"operation": "select", "table": "people", "returnAll": true, "options": {"outputColumns": ["name"]},
        "sort": {"values": [{"column": "name", "direction": "DESC"}]}});
    assert_eq!(json_given(&mut ground.bench(select, json!([{}]))).await, json!([{"name": "Bea"}, {"name": "Al"}]));
    let query = json!({"query": "SELECT id, x'00ff' AS b FROM people WHERE name = $1", "options": {"queryReplacement": "={{ $json.n }}"}});
    let told = json_given(&mut ground.bench(query, json!([{"n": "Bea"}]))).await;
    assert_eq!(told, json!([{"id": 2, "b": {"type": "Buffer", "data": [0, 255]}}]));
    json_given(&mut ground.bench(json!({"operation": "deleteTable", "table": "people"}), json!([{}]))).await;
    assert_eq!(json_given(&mut ground.query("SELECT count(*) AS n FROM people")).await, json!([{"n": 0}]));
    assert_eq!(json_given(&mut ground.query("VACUUM")).await, json!([{"success": true}]));
}

#[tokio::test]
async fn no_other_file_is_reached() {
    let ground = Ground::new();
    let secret = ground.folder.path().join("secret.db");
    std::fs::write(&secret, "").unwrap();
    std::os::unix::fs::symlink(&secret, ground.folder.path().join("files/link.db")).unwrap();
    let outside = secret.display();
    for query in [
        format!("ATTACH '{outside}' AS s"),
        format!("VACUUM INTO '{outside}2'"),
        "ATTACH 'file:other.db' AS s".to_owned(),
        format!("ATTACH ('' || '{outside}') AS s"),
        "PRAGMA temp_store_directory = '/tmp'".to_owned(),
        "SELECT load_extension('/tmp/x')".to_owned(),
    ] {
        let error = failure(&mut ground.query(&query)).await;
        assert!(
            ["not authorized", "denied", "prohibited"].iter().any(|word| error.message.contains(word)),
            "{query}: {error}"
        );
    }
    assert!(!ground.folder.path().join("secret.db2").exists());
    for database in ["link.db", "../secret.db", "/etc/x.db", ":memory:/../../x", ""] {
        let error = failure(&mut ground.bench(json!({"database": database, "query": "SELECT 1"}), json!([{}]))).await;
        assert!(error.message.contains("refused") || error.message.contains("no file is named"), "{database}: {error}");
    }
    let without = node("timeloom.sqlite");
    let mut bench = Bench::new(&*without, 1.0, json!({"database": "a.db", "query": "SELECT 1"})).input(json!([{}]));
    assert!(failure(&mut bench).await.description.unwrap().contains("--files-root"));
}

#[tokio::test]
async fn items_belong_together_and_what_is_too_much_is_refused() {
    let ground = Ground::new();
    json_given(&mut ground.query("CREATE TABLE n (v INTEGER PRIMARY KEY)")).await;
    let insert = json!({"operation": "insert", "table": "n"});
    let error = failure(&mut ground.bench(insert.clone(), json!([{"v": 1}, {"v": 1}]))).await;
    assert_eq!(error.item_index, Some(1), "{error}");
    assert_eq!(json_given(&mut ground.query("SELECT count(*) AS n FROM n")).await, json!([{"n": 0}]));
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";
    let many = failure(&mut ground.query(&format!("{endless} SELECT x FROM c"))).await;
    assert!(many.message.contains("more than"), "{many}");
    let mut slow = ground.query(&format!("{endless} SELECT count(*) FROM c"));
    slow.services.outbound.request_time_max = std::time::Duration::from_millis(300);
    assert!(failure(&mut slow).await.message.contains("did not end within 300 ms"));
    let large = failure(&mut ground.query("SELECT randomblob(2000000000)")).await;
    assert!(large.message.contains("too big"), "{large}");
    let mut broken =
        ground.bench(json!({"database": "crm/text.db", "query": "SELECT * FROM sqlite_schema"}), json!([{}]));
    std::fs::write(
        ground.folder.path().join("files/crm/text.db"),
        "this is no database, whatever its name says".repeat(99),
    )
    .unwrap();
    assert!(failure(&mut broken).await.message.contains("not a database"));
}
