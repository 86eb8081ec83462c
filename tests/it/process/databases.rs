//! Timeloom on PostgreSQL: processes come and go, and so does the database; logs move in and out.

use serde_json::{Value, json};
use timeloom_postgres_testing::{Database, Server as Postgres, connect};

use super::crash::ended_status;
use super::gate::Gate;
use super::server::{Server, chain, set, verb, verb_json};

const SHOWN: &str = "query($position: Position!) {
    executions(first: 100, waitFor: $position) { nodes { status } }
    workflows(first: 10, waitFor: $position) { nodes { name } } }";

/// What a server shows once its rows hold `position`.
async fn shown(server: &Server, position: &Value) -> Value {
    server.ask(SHOWN, json!({ "position": position.to_string() })).await
}

fn start(database: &Database, gate: Option<&Gate>) -> Server {
    let unused = tempfile::tempdir().unwrap();
    let mut arguments = vec!["--database", database.url()];
    arguments.extend(gate.iter().flat_map(|gate| ["--allow-private-hosts", gate.host.as_str()]));
    Server::start(&unused.path().join("unused"), &arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_answers_for_another_and_goes_on_with_its_executions_when_that_one_is_killed() {
    let database = Database::create().await;
    let gate = Gate::start().await;
    let (first, standby) = (start(&database, Some(&gate)), start(&database, Some(&gate)));
    let workflow = standby.import(&gate.workflow()).await;
    let quick = first.import(&chain("Quick", &[set("Step", "a", "={{ 1 }}")])).await;
    // Sent to the one, run by the other, and awaited here.
    let done = standby.start_execution(&quick, "COMPLETED").await;
    assert_eq!(done["status"], "COMPLETED");
    let open = first.start_execution(&workflow, "STARTED").await;
    let listed = verb_json(&["workflow", "list", "--json", "--database", database.url()]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "a third process reads beside them: {listed}");

    gate.asked().await;
    first.kill();
    gate.open();
    let execution = open["executionId"].as_str().unwrap();
    assert_eq!(ended_status(&standby, execution).await, "COMPLETED");
    let verified = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(verified["faultCount"], 0, "{verified}");
    let seen = shown(&standby, &verified["head"]).await;
    let statuses: Vec<&str> =
        seen["executions"]["nodes"].as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["COMPLETED", "COMPLETED"]);
    standby.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_after_its_database_was_killed_and_started() {
    let mut postgres = Postgres::start_new();
    let database = Database::create_on(&postgres).await;
    let gate = Gate::start().await;
    let server = start(&database, Some(&gate));
    let workflow = server.import(&gate.workflow()).await;
    let open = server.start_execution(&workflow, "STARTED").await;
    gate.asked().await;
    postgres.kill();
    gate.open();
    postgres.start();
    assert_eq!(ended_status(&server, open["executionId"].as_str().unwrap()).await, "COMPLETED");
    let again = server.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(again["status"], "COMPLETED", "{again}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_can_be_stopped_while_its_database_is_away() {
    let mut postgres = Postgres::start_new();
    let database = Database::create_on(&postgres).await;
    let gate = Gate::start().await;
    let server = start(&database, Some(&gate));
    let workflow = server.import(&gate.workflow()).await;
    let open = server.start_execution(&workflow, "STARTED").await;
    gate.asked().await;
    postgres.kill();
    // The answer comes, and cannot be taken down.
    gate.open();
    server.stop();
    postgres.start();
    let server = start(&database, Some(&gate));
    assert_eq!(ended_status(&server, open["executionId"].as_str().unwrap()).await, "COMPLETED");
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
    let server = start(&database, None);
    assert_eq!(shown(&server, &copied["head"]).await["workflows"]["nodes"], json!([{ "name": "Moves" }]));
    assert_eq!(server.start_execution(&workflow, "COMPLETED").await["status"], "COMPLETED");
    server.stop();
    // What a program wrote that knows only cqrs-es goes along.
    let role = make_role(&database).await;
    let opened =
        verb(&["log", "external", "add", "invoice", "--role", &role, "--tenant", "0", "--database", database.url()]);
    assert!(opened.status.success());
    let foreign = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                   VALUES ('invoice', 'i-1', 1, 'InvoicePaid', '1.0', '{\"n\" : 1}', '{}')";
    let as_role = database.url().replace("://postgres@", &format!("://{role}@"));
    connect(&as_role).await.batch_execute(foreign).await.unwrap();
    let moved_back = verb_json(&["log", "copy", "--from", database.url(), "--to", returned, "--json"]);
    assert_eq!(moved_back["logId"], copied["logId"]);
    assert!(moved_back["head"].as_u64() > copied["head"].as_u64(), "{moved_back}");
    let server = Server::start(back.path(), &[]);
    let seen = shown(&server, &moved_back["head"]).await;
    assert_eq!(seen["executions"]["nodes"].as_array().unwrap().len(), 2);
    let events = "{ events(first: 1, filter: { categories: [\"invoice\"] }) {
        nodes { type known actor { kind name } payload } } }";
    let paid = &server.ask(events, json!({})).await["events"]["nodes"][0];
    assert_eq!(paid["actor"], json!({ "kind": "external", "name": role }), "{paid}");
    assert_eq!(
        (&paid["type"], &paid["known"], &paid["payload"]),
        (&json!("InvoicePaid"), &json!(false), &json!({ "n": 1 }))
    );
    server.stop();
}

async fn make_role(database: &Database) -> String {
    let role = format!("role_{}", database.url().rsplit('/').next().unwrap());
    let sql = format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN");
    database.client().await.batch_execute(&sql).await.unwrap();
    role
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
    let missing = verb(&["log", "external", "list", "--database", database.url()]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("there is no event log"), "and none is made by asking");
    let role = make_role(&database).await;
    assert!(verb(&["workflow", "list", "--database", database.url()]).status.success());
    let open = |category: &str| {
        verb(&["log", "external", "add", category, "--role", &role, "--tenant", "7", "--database", database.url()])
    };
    assert!(open("invoice").status.success());
    let listed = verb_json(&["log", "external", "list", "--json", "--database", database.url()]);
    assert_eq!(listed, json!([{ "category": "invoice", "role": role, "tenant": 7 }]));
    let closed = verb(&["log", "external", "remove", "invoice", "--role", &role, "--database", database.url()]);
    assert!(closed.status.success());
    let refused = open("workflow");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("belongs to Timeloom"));
}
