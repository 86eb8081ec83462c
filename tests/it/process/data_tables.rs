//! Data tables, with the program itself: what people and workflows write, its history, and that a crash writes nothing twice.

use serde_json::{Value, json};

use super::crash::ended_status;
use super::server::{Server, chain, verb, verb_json};

fn table(server: &Server, words: &[&str]) -> Value {
    verb_json(&[&["table"], words, &["--server", &server.url, "--json"]].concat())
}

#[track_caller]
fn refused(server: &Server, words: &[&str], why: &str) {
    let output = verb(&[&["table"], words, &["--server", &server.url]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains(why), "{words:?}: {told}");
}

fn names(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("{rows}"));
    rows.iter().map(|row| row["cells"]["name"].as_str().unwrap()).collect()
}

fn create(server: &Server) -> Value {
    table(server, &["create", "Customers", "--column", "name:string", "--column", "orders:number"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_make_a_table_fill_it_and_see_how_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    create(&server);
    refused(&server, &["create", "Customers", "--column", "a:string"], "there is a data table 'Customers' already");
    refused(&server, &["create", "Other", "--column", "id:number"], "'id' cannot be a column");

    let file = folder.path().join("customers.csv");
    std::fs::write(&file, "name,orders\nAda,3\n\"Grace, H.\",12\nBob,\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(table(&server, &["insert", "Customers", file])["count"], 3);
    let rows = table(&server, &["rows", "Customers", "--order-by", "orders", "--descending"]);
    assert_eq!(names(&rows), ["Grace, H.", "Ada", "Bob"], "empty cells come last");
    assert_eq!((&rows[0]["id"], &rows[2]["cells"]["orders"]), (&json!(2), &Value::Null));

    let written = table(&server, &["update", "Customers", "--where", "name eq Ada", "--set", "orders=4"]);
    assert_eq!(written["count"], 1);
    let before = written["position"].as_str().unwrap().parse::<u64>().unwrap() - 1;
    let gone = table(&server, &["delete-rows", "Customers", "--where", "orders isEmpty"]);
    assert_eq!(gone["count"], 1);
    assert_eq!(names(&table(&server, &["rows", "Customers", "--where", "orders gte 4"])), ["Ada", "Grace, H."]);
    let then = table(&server, &["rows", "Customers", "--as-of", &before.to_string()]);
    assert_eq!(names(&then), ["Ada", "Grace, H.", "Bob"]);
    assert_eq!(then[0]["cells"]["orders"], 3, "as it was before it was written");

    refused(&server, &["rows", "Nobodys"], "there is no data table 'Nobodys'");
    refused(&server, &["rows", "Customers", "--where", "nickname eq A"], "no column 'nickname'");
    refused(&server, &["update", "Customers", "--where", "id eq 1", "--set", "orders=many"], "holds a number");
    table(&server, &["rename", "Customers", "Clients"]);
    let listed = table(&server, &["list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["rowCount"]), (&json!("Clients"), &json!(2)));
    table(&server, &["delete", "Clients"]);
    assert_eq!(table(&server, &["list"]), json!([]));
    let listed = table(&server, &["list", "--as-of", &before.to_string()]);
    assert_eq!((&listed[0]["name"], &listed[0]["rowCount"]), (&json!("Customers"), &json!(3)));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_get_other_names_and_go_and_what_was_is_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    create(&server);
    let file = folder.path().join("customers.csv");
    std::fs::write(&file, "name,orders\nAda,3\nBob,\n").unwrap();
    table(&server, &["insert", "Customers", file.to_str().unwrap()]);

    table(&server, &["add-column", "Customers", "score:number"]);
    refused(&server, &["add-column", "Customers", "score:date"], "has a column 'score' already");
    table(&server, &["update", "Customers", "--where", "name eq Ada", "--set", "score=7"]);
    let renamed = table(&server, &["rename-column", "Customers", "orders", "ordersInAll"]);
    let rows = table(&server, &["rows", "Customers", "--where", "ordersInAll eq 3"]);
    assert_eq!(rows[0]["cells"], json!({ "name": "Ada", "ordersInAll": 3, "score": 7 }));
    let rows = table(&server, &["rows", "Customers", "--where", "score isEmpty"]);
    assert_eq!(names(&rows), ["Bob"], "an old row has nothing in the new column");

    refused(&server, &["remove-column", "Customers", "score"], "say so with --yes");
    refused(&server, &["remove-column", "Customers", "nickname", "--yes"], "no column 'nickname'");
    table(&server, &["remove-column", "Customers", "score", "--yes"]);
    refused(&server, &["rows", "Customers", "--where", "score eq 7"], "no column 'score'");
    table(&server, &["add-column", "Customers", "score:number"]);
    let rows = table(&server, &["rows", "Customers"]);
    assert_eq!(rows[0]["cells"], json!({ "name": "Ada", "ordersInAll": 3, "score": null }), "it is another column");
    let at = renamed["position"].as_str().unwrap();
    let then = table(&server, &["rows", "Customers", "--as-of", at, "--where", "score eq 7"]);
    assert_eq!(names(&then), ["Ada"], "what was in it stays in the log");

    server.stop();
    let server = Server::start(folder.path(), &[]);
    let listed = table(&server, &["list"]);
    let columns: Vec<&str> =
        listed[0]["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["name", "ordersInAll", "score"]);
    server.stop();
}

fn data_table(name: &str, parameters: Value) -> Value {
    let mut parameters = parameters;
    parameters["dataTableId"] = json!({ "__rl": true, "mode": "name", "value": "Customers" });
    json!({ "name": name, "type": "n8n-nodes-base.dataTable", "typeVersion": 1.1, "parameters": parameters })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_writes_rows_once_though_the_server_is_killed_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    create(&server);
    let people = json!({
        "name": "People", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [...Array(50).keys()].map((n) => ({ json: { name: `p${n}`, orders: n } }));" }
    });
    let insert = data_table("Insert", json!({ "columns": { "mappingMode": "autoMapInputData" } }));
    let count = data_table(
        "Raise",
        json!({
            "operation": "update",
            "filters": { "conditions": [{ "keyName": "id", "condition": "eq", "keyValue": "={{ $json.id }}" }] },
            "columns": { "mappingMode": "defineBelow", "value": { "orders": "={{ $json.orders + 1 }}" } },
        }),
    );
    let workflow = server.import(&chain("Fills a table", &[people, insert, count])).await;
    let mut started = Vec::new();
    for _ in 0..3 {
        let payload = server.start_execution(&workflow, "STARTED").await;
        started.push(payload["executionId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned());
        // Wherever it is by now, it goes on from there.
        server.kill();
        server = Server::start(folder.path(), &[]);
    }
    for execution in &started {
        let ended = ended_status(&server, execution).await;
        let why =
            server.ask("query($id: UUID!) { execution(id: $id) { errorMessage } }", json!({ "id": execution })).await;
        assert_eq!(ended, "COMPLETED", "{execution}: {why}");
    }
    let listed = table(&server, &["list"]);
    assert_eq!(listed[0]["rowCount"], 150, "each of the executions inserted its 50 rows once");
    let rows = table(&server, &["rows", "Customers", "--limit", "1000"]);
    let sum: i64 = rows.as_array().unwrap().iter().filter_map(|row| row["cells"]["orders"].as_i64()).sum();
    assert_eq!(sum, 3 * (1..=50).sum::<i64>(), "each row was raised once");
    let id = listed[0]["id"].as_str().unwrap();
    let events = verb_json(&["state", "get", &format!("data-table/{id}"), "--json", "--server", &server.url]);
    assert_eq!(events["state"]["last_id"], 150);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_sent_again_inserts_nothing_and_is_answered_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    create(&server);
    let query = "mutation($input: InsertTableRowsInput!) { insertTableRows(input: $input) {
        count repeated rows { id cells } errors { code message } } }";
    let command = "0190f3c0-0000-7000-8000-0000000000aa";
    let input = json!({ "input": {
        "commandId": command, "table": "Customers", "rows": [{ "name": "Ada", "orders": 1 }, { "name": "Bob" }],
    } });
    let first = server.ask(query, input.clone()).await["insertTableRows"].clone();
    assert_eq!((&first["count"], &first["repeated"], &first["errors"]), (&json!(2), &json!(false), &json!([])));
    table(&server, &["update", "Customers", "--where", "name eq Ada", "--set", "orders=9"]);
    let again = server.ask(query, input).await["insertTableRows"].clone();
    assert_eq!((&again["repeated"], &again["rows"]), (&json!(true), &first["rows"]), "{again}");
    assert_eq!(table(&server, &["list"])[0]["rowCount"], 2);
    let wrong = json!({ "input": { "table": "Customers", "rows": [{ "name": "Eve" }, { "orders": "many" }] } });
    let errors = server.ask(query, wrong).await["insertTableRows"]["errors"].clone();
    assert_eq!(errors[0]["code"], "INVALID_CELL");
    assert!(errors[0]["message"].as_str().unwrap().starts_with("row 1: the column 'orders'"), "{errors}");
    assert_eq!(table(&server, &["list"])[0]["rowCount"], 2, "all rows or none");
    server.stop();
}
