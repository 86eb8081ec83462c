//! Timeloom on PostgreSQL: one process runs executions, another stands by and answers; logs move in and out.

use serde_json::{Value, json};
use timeloom_postgres_testing::{Database, Server as Postgres};

use super::crash::ended_status;
use super::server::{Server, chain, set, verb, verb_json};

const COUNT: &str = "{ executions(first: 100) { nodes { id status } } workflows(first: 10) { nodes { name } } }";

fn start(database: &Database) -> Server {
    let unused = tempfile::tempdir().unwrap();
    Server::start(&unused.path().join("unused"), &["--database", database.url()])
}

/// A step, a pause that holds the execution open, and another step.
fn slow() -> Value {
    let wait = json!({
        "name": "Pause", "type": "n8n-nodes-base.wait", "typeVersion": 1.1,
        "parameters": { "resume": "timeInterval", "amount": 2, "unit": "seconds" }
    });
    chain("Slow", &[set("First", "a", "={{ 1 }}"), wait, set("Last", "b", "={{ $json.a + 1 }}")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stands_by_answers_and_takes_over_when_the_first_is_killed() {
    let database = Database::create().await;
    let first = start(&database);
    let standby = start(&database);
    let workflow = standby.import(&slow()).await;
    let quick = first.import(&chain("Quick", &[set("Step", "a", "={{ 1 }}")])).await;
    // Sent to the one, run by the other, and awaited here.
    let done = standby.start_execution(&quick, "COMPLETED").await;
    assert_eq!(done["status"], "COMPLETED");
    let open = first.start_execution(&workflow, "STARTED").await;
    let listed = verb_json(&["workflow", "list", "--json", "--database", database.url()]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "a third process reads beside them: {listed}");

    first.kill();
    let execution = open["executionId"].as_str().unwrap();
    assert_eq!(ended_status(&standby, execution).await, "COMPLETED");
    let seen = standby.ask(COUNT, json!({})).await;
    let statuses: Vec<&str> =
        seen["executions"]["nodes"].as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["COMPLETED", "COMPLETED"]);
    let verified = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(verified["faults"], 0, "{verified}");
    standby.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_after_its_database_was_killed_and_started() {
    let mut postgres = Postgres::start_new();
    let database = Database::create_on(&postgres).await;
    let server = start(&database);
    let workflow = server.import(&slow()).await;
    let open = server.start_execution(&workflow, "STARTED").await;
    postgres.kill();
    postgres.start();
    assert_eq!(ended_status(&server, open["executionId"].as_str().unwrap()).await, "COMPLETED");
    let again = server.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(again["status"], "COMPLETED", "{again}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_moves_from_a_folder_to_a_database_and_back_by_the_command_line() {
    let (folder, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Database::create().await;
    let (data, returned) = (folder.path().to_str().unwrap(), back.path().to_str().unwrap());
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Moves", &[set("Step", "a", "={{ 1 }}")])).await;
    server.start_execution(&workflow, "COMPLETED").await;
    server.stop();

    let copied = verb_json(&["log", "copy", "--from", data, "--to", database.url(), "--json"]);
    let server = start(&database);
    assert_eq!(server.ask(COUNT, json!({})).await["workflows"]["nodes"], json!([{ "name": "Moves" }]));
    assert_eq!(server.start_execution(&workflow, "COMPLETED").await["status"], "COMPLETED");
    server.stop();
    let moved_back = verb_json(&["log", "copy", "--from", database.url(), "--to", returned, "--json"]);
    assert_eq!(moved_back["logId"], copied["logId"]);
    assert!(moved_back["head"].as_u64() > copied["head"].as_u64(), "{moved_back}");
    let server = Server::start(back.path(), &[]);
    let seen = server.ask(COUNT, json!({})).await;
    assert_eq!(seen["executions"]["nodes"].as_array().unwrap().len(), 2);
    server.stop();
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_without_its_password() {
    let database = Database::create().await;
    database.client().await.batch_execute("CREATE TABLE events (id int)").await.unwrap();
    for (url, reason) in [
        (database.url().to_owned(), "is not of a Timeloom event log"),
        ("postgres://owner:secret@127.0.0.1:1/x".to_owned(), "cannot be reached"),
        ("mysql://owner:secret@127.0.0.1/x".to_owned(), "it looks like postgres://"),
    ] {
        let output = verb(&["workflow", "list", "--database", &url]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(reason) && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn categories_are_opened_to_roles_of_the_database_by_the_command_line() {
    let database = Database::create().await;
    let role = format!("role_{}", database.url().rsplit('/').next().unwrap());
    database.client().await.batch_execute(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")).await.unwrap();
    let open = |category: &str| {
        verb(&["log", "external", "add", category, "--role", &role, "--tenant", "7", "--database", database.url()])
    };
    assert!(open("invoice").status.success());
    let listed = verb_json(&["log", "external", "list", "--json", "--database", database.url()]);
    assert_eq!(listed, json!([{ "category": "invoice", "role": role, "tenant": 7 }]));
    let refused = open("workflow");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("belongs to Timeloom"));
}
