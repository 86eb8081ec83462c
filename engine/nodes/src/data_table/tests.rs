//! What the node does with rows and tables, by the parameters that files have.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_engine::node::{DataTablePort, NodeError, TransientTables};

use super::DataTableNode;
use crate::testing::{Bench, json_of};

/// Tables that one test has for itself.
struct Kept(Arc<dyn DataTablePort>);

impl Kept {
    fn new() -> Self {
        Self(Arc::new(TransientTables::default()))
    }

    fn bench(&self, parameters: Value, items: Value) -> Bench<'static> {
        let mut bench = Bench::new(&DataTableNode, 1.1, parameters).input(items);
        bench.services.data_tables = Arc::clone(&self.0);
        bench
    }

    async fn done(&self, parameters: Value, items: Value) -> Value {
        json_of(&self.bench(parameters, items).run_effect().await.unwrap(), 0)
    }

    async fn refused(&self, parameters: Value, items: Value) -> NodeError {
        self.bench(parameters, items).run_effect().await.unwrap_err()
    }

    /// A table `Customers` with Ada, Grace and Bob.
    async fn customers() -> Self {
        let kept = Self::new();
        let columns = json!([
            {"name": "name", "type": "string"}, {"name": "orders", "type": "number"},
            {"name": "active", "type": "boolean"}, {"name": "since", "type": "date"},
        ]);
        let create = json!({
            "resource": "table", "operation": "create", "tableName": "Customers", "columns": {"column": columns},
        });
        kept.done(create, json!([{}])).await;
        let people = json!([
            {"name": "Ada", "orders": 3, "active": true, "since": "2026-01-10"},
            {"name": "Grace", "orders": "12", "active": false},
            {"name": "Bob", "orders": 3, "active": true, "since": "2026-03-01T12:00:00+01:00"},
        ]);
        let rows = kept.done(row("insert", json!({"columns": {"mappingMode": "autoMapInputData"}})), people).await;
        assert_eq!(rows[1]["id"], 2);
        assert_eq!(rows[1]["orders"], 12);
        assert_eq!(rows[1]["since"], Value::Null);
        assert_eq!(rows[2]["since"], "2026-03-01T11:00:00.000Z");
        kept
    }

    async fn names(&self, more: Value) -> Vec<String> {
        let rows = self.done(row("get", more), json!([{}])).await;
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn row(operation: &str, more: Value) -> Value {
    let mut parameters = json!({
        "operation": operation, "dataTableId": {"__rl": true, "mode": "name", "value": "Customers"},
    });
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

fn conditions(conditions: Value) -> Value {
    json!({"filters": {"conditions": conditions}})
}

#[tokio::test]
async fn every_condition_finds_the_rows_that_it_means() {
    let kept = Kept::customers().await;
    for (column, condition, value, expected) in [
        ("name", "eq", json!("Ada"), vec!["Ada"]),
        ("name", "neq", json!("Ada"), vec!["Grace", "Bob"]),
        ("name", "like", json!("B%"), vec!["Bob"]),
        ("name", "like", json!("a"), vec!["Ada", "Grace"]),
        ("name", "ilike", json!("A%"), vec!["Ada"]),
        ("orders", "gt", json!("3"), vec!["Grace"]),
        ("orders", "gte", json!(3), vec!["Ada", "Grace", "Bob"]),
        ("orders", "lt", json!(12), vec!["Ada", "Bob"]),
        ("since", "lte", json!("2026-02-01"), vec!["Ada"]),
        ("since", "neq", json!("2026-01-10"), vec!["Grace", "Bob"]),
        ("since", "isEmpty", Value::Null, vec!["Grace"]),
        ("since", "isNotEmpty", Value::Null, vec!["Ada", "Bob"]),
        ("active", "isTrue", Value::Null, vec!["Ada", "Bob"]),
        ("active", "isFalse", Value::Null, vec!["Grace"]),
        ("id", "gt", json!(1), vec!["Grace", "Bob"]),
    ] {
        let filter = conditions(json!([{"keyName": column, "condition": condition, "keyValue": value}]));
        assert_eq!(kept.names(filter).await, expected, "{column} {condition} {value}");
    }
    let two = json!([
        {"keyName": "orders", "condition": "eq", "keyValue": 3}, {"keyName": "name", "condition": "eq", "keyValue": "Grace"},
    ]);
    assert_eq!(kept.names(conditions(two.clone())).await, ["Ada", "Grace", "Bob"], "any is the default");
    let mut all = conditions(two);
    all["matchType"] = json!("allConditions");
    assert!(kept.names(all).await.is_empty());
}

#[tokio::test]
async fn rows_come_in_the_order_and_number_that_is_asked_for() {
    let kept = Kept::customers().await;
    let by = |column: &str, direction: &str| json!({"orderBy": true, "orderByColumn": column, "orderByDirection": direction});
    assert_eq!(kept.names(by("name", "ASC")).await, ["Ada", "Bob", "Grace"]);
    assert_eq!(kept.names(by("orders", "DESC")).await, ["Grace", "Ada", "Bob"], "the same by their ids");
    assert_eq!(kept.names(by("since", "ASC")).await, ["Ada", "Bob", "Grace"], "empty ones last");
    assert_eq!(kept.names(by("since", "DESC")).await, ["Bob", "Ada", "Grace"], "empty ones last");
    assert_eq!(kept.names(json!({"limit": 2})).await, ["Ada", "Grace"]);
    assert_eq!(kept.names(json!({"limit": 1, "returnAll": true})).await.len(), 3);
}

#[tokio::test]
async fn rows_are_written_where_they_are_or_come_in() {
    let kept = Kept::customers().await;
    let cells = |value: Value| json!({"mappingMode": "defineBelow", "value": value, "schema": []});
    let named = |name: &str| json!({"conditions": [{"keyName": "name", "condition": "eq", "keyValue": name}]});
    let update = row("update", json!({"filters": named("={{ $json.who }}"), "columns": cells(json!({"orders": 4}))}));
    let written = kept.done(update, json!([{"who": "Ada"}, {"who": "Nobody"}])).await;
    assert_eq!(written.as_array().unwrap().len(), 1);
    assert_eq!((&written[0]["id"], &written[0]["orders"]), (&json!(1), &json!(4)));
    let upsert = |name: &str, orders: Value| {
        row("upsert", json!({"filters": named(name), "columns": cells(json!({"name": name, "orders": orders}))}))
    };
    let there = kept.done(upsert("Bob", json!(null)), json!([{}])).await;
    assert_eq!((&there[0]["id"], &there[0]["orders"]), (&json!(3), &Value::Null));
    let new = kept.done(upsert("Eve", json!(1)), json!([{}])).await;
    assert_eq!((&new[0]["id"], &new[0]["active"]), (&json!(4), &Value::Null));
    let gone = kept.done(row("deleteRows", json!({"filters": named("Eve")})), json!([{}])).await;
    assert_eq!(gone[0]["name"], "Eve");
    let again = kept.done(upsert("Eve", json!(1)), json!([{}])).await;
    assert_eq!(again[0]["id"], 5, "no id is given twice");
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let kept = Kept::customers().await;
    let more = json!({
        "filters": {"conditions": [{"keyName": "name", "keyValue": "Ada"}]}, "options": {"dryRun": true},
        "columns": {"mappingMode": "defineBelow", "value": {"orders": 9}},
    });
    let told = kept.done(row("update", more.clone()), json!([{}])).await;
    assert_eq!((&told[0]["orders"], &told[0]["dryRunState"]), (&json!(3), &json!("before")));
    assert_eq!((&told[1]["orders"], &told[1]["dryRunState"]), (&json!(9), &json!("after")));
    let told = kept.done(row("deleteRows", more), json!([{}])).await;
    assert_eq!((&told[0]["name"], &told[1]["name"], &told[1]["id"]), (&json!("Ada"), &Value::Null, &Value::Null));
    assert_eq!(kept.names(conditions(json!([{"keyName": "orders", "keyValue": 3}]))).await, ["Ada", "Bob"]);
}

#[tokio::test]
async fn an_item_passes_when_its_row_is_there_or_is_not() {
    let kept = Kept::customers().await;
    let items = json!([{"who": "Ada"}, {"who": "Nobody"}]);
    let filter = conditions(json!([{"keyName": "name", "condition": "eq", "keyValue": "={{ $json.who }}"}]));
    assert_eq!(kept.done(row("rowExists", filter.clone()), items.clone()).await, json!([{"who": "Ada"}]));
    assert_eq!(kept.done(row("rowNotExists", filter), items).await, json!([{"who": "Nobody"}]));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_says_what_to_do() {
    let kept = Kept::customers().await;
    let automatic = json!({"columns": {"mappingMode": "autoMapInputData"}});
    for (items, expected) in [
        (json!([{"nickname": "A"}]), "no column 'nickname'; it has: name, orders, active, since"),
        (json!([{"orders": "many"}]), "the column 'orders' holds a number"),
    ] {
        let error = kept.refused(row("insert", automatic.clone()), items).await;
        assert!(error.message.contains(expected), "{}", error.message);
    }
    let error = kept.refused(row("deleteRows", json!({})), json!([{}])).await;
    assert!(error.message.contains("at least one condition"), "{}", error.message);
    let mut elsewhere = row("get", json!({}));
    elsewhere["dataTableId"] = json!({"__rl": true, "mode": "list", "value": "Xyz123", "cachedResultName": "Orders"});
    let error = kept.refused(elsewhere.clone(), json!([{}])).await;
    assert_eq!(error.message, "there is no data table 'Orders'");
    elsewhere["dataTableId"]["cachedResultName"] = json!("Customers");
    assert_eq!(kept.done(elsewhere, json!([{}])).await.as_array().unwrap().len(), 3, "found by the name it had there");
    let mut going_on = kept.bench(row("insert", automatic), json!([{"orders": "many"}, {"name": "Eve"}]));
    going_on = going_on.continue_on_fail();
    let output = json_of(&going_on.run_effect().await.unwrap(), 0);
    assert!(output[0]["error"].as_str().unwrap().contains("orders"), "{output}");
    assert_eq!(output[1]["name"], "Eve");
}

#[tokio::test]
async fn many_rows_come_in_and_only_their_number_is_told() {
    let kept = Kept::customers().await;
    let items: Vec<Value> = (0..2_500).map(|number| json!({"name": "n", "orders": number})).collect();
    let more = json!({"columns": {"mappingMode": "autoMapInputData"}, "options": {"optimizeBulk": true}});
    let told = kept.done(row("insert", more), json!(items)).await;
    assert_eq!(told, json!([{"success": true, "insertedRows": 2_500}]));
    let last = kept.names(conditions(json!([{"keyName": "id", "keyValue": 2_503}]))).await;
    assert_eq!(last, ["n"]);
}

#[tokio::test]
async fn tables_are_made_listed_renamed_cleared_and_deleted() {
    let kept = Kept::customers().await;
    let table = |operation: &str, more: Value| {
        let mut parameters = row(operation, more);
        parameters["resource"] = json!("table");
        parameters
    };
    let columns = json!({"column": [{"name": "sku"}]});
    let again = json!({"tableName": "Customers", "columns": columns});
    let error = kept.refused(table("create", again.clone()), json!([{}])).await;
    assert!(error.message.contains("there is a data table 'Customers' already"), "{}", error.message);
    let mut reused = again;
    reused["options"] = json!({"createIfNotExists": true});
    let reused = kept.done(table("create", reused), json!([{}])).await;
    assert_eq!(reused[0]["columns"][1], json!({"name": "orders", "type": "number", "index": 1}));
    kept.done(table("create", json!({"tableName": "Stock", "columns": columns})), json!([{}])).await;
    let listed = kept.done(table("list", json!({"options": {"filterName": "STOC"}})), json!([{}])).await;
    assert_eq!((&listed[0]["name"], listed.as_array().unwrap().len()), (&json!("Stock"), 1));
    let renamed = kept.done(table("update", json!({"newName": "Clients"})), json!([{}])).await;
    assert_eq!(renamed[0], json!({"success": true, "name": "Clients"}));
    let clients = json!({"dataTableId": {"__rl": true, "mode": "name", "value": "Clients"}});
    assert_eq!(kept.done(table("clear", clients.clone()), json!([{}])).await[0]["deletedRows"], 3);
    kept.done(table("delete", clients), json!([{}])).await;
    let left = kept.done(table("list", json!({})), json!([{}])).await;
    assert_eq!((&left[0]["name"], left.as_array().unwrap().len()), (&json!("Stock"), 1));
}
