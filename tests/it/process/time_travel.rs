//! Time travel with the program itself: moments by position, revision and time, differences, unknown events, bad input.

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::{Append, EventLog as _, Expected, Metadata, NewEvent, StreamKey, SystemClock};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

use super::server::{Server, chain, set, verb, verb_json};

/// Appends one event to the log in a folder that nobody uses, as a newer version or another program would.
pub(crate) async fn append_stranger(folder: &Path, number: u128, stream: StreamKey, event_type: &str, payload: Value) {
    let (log, _) = SqliteLog::open(folder, SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock))).unwrap();
    let command_id = CommandId(Uuid::from_u128(number));
    let metadata = Metadata {
        actor: Actor::External("billing".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    };
    let event = NewEvent {
        id: EventId(Uuid::from_u128(number + 1)),
        event_type: event_type.into(),
        event_version: 4,
        payload: Arc::from(RawValue::from_string(payload.to_string()).unwrap()),
        metadata: Arc::new(metadata),
    };
    log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
    log.close().await;
}

/// What a verb prints for people; it must succeed.
fn printed(arguments: &[&str]) -> (String, String) {
    let output = verb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn states_and_differences_are_printed_for_people_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Past", &[set("Step", "a", "={{ 41 + 1 }}")])).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    let entity = format!("execution/{}", started["executionId"].as_str().unwrap());
    let at = ["--server", &server.url];
    let events = verb_json(&["events", "list", "--stream", &entity, "--json", at[0], at[1]]);
    let events = events["nodes"].as_array().unwrap();
    let second = &events[1];
    assert_eq!(second["known"], json!(true));

    let get = |more: &[&str]| verb_json(&[&["state", "get", &entity, "--json", at[0], at[1]], more].concat());
    let (position, time) = (second["position"].as_str().unwrap(), second["recordedAt"].as_str().unwrap());
    let by_position = get(&["--at", position]);
    assert_eq!((&by_position["revision"], &by_position["status"]), (&json!(2), &json!("running")));
    for same in [["--revision", "2"], ["--at", "r2"], ["--time", time], ["--at", time]] {
        assert_eq!(get(&same), by_position, "{same:?}");
    }
    assert_eq!(get(&["--time", "2999-01-01"])["status"], "completed");

    let diff = ["state", "diff", &entity, "--from", "r1", at[0], at[1]];
    let (plain, _) = printed(&diff);
    assert!(plain.contains(&format!("{entity} from revision 1 (position")), "{plain}");
    assert!(plain.contains(r#"~ /status: "running" → "completed""#), "{plain}");
    assert!(plain.contains("+ /node_runs/") && plain.contains("NodeCompleted"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "colours without a terminal: {plain:?}");
    let (coloured, _) = printed(&[&diff[..], &["--color", "always"]].concat());
    assert!(coloured.contains("\u{1b}[33m~ /status"), "{coloured:?}");
    let json = verb_json(&[&diff[..], &["--to", position, "--json"]].concat());
    assert_eq!((&json["from"]["revision"], &json["to"]["revision"]), (&json!(1), &json!(2)));
    assert!(json["patch"].as_array().unwrap().iter().all(|step| step["op"].is_string() && step["path"].is_string()));
    let (same, _) = printed(&["state", "diff", &entity, "--from", "r2", "--to", "r2", at[0], at[1]]);
    assert!(same.ends_with("nothing changed\n"), "{same}");

    // Another run of the same is alike, and of another input it is not.
    let run =
        async |id: &str| server.start_execution(id, "COMPLETED").await["executionId"].as_str().unwrap().to_owned();
    let alike = format!("execution/{}", run(&workflow).await);
    let (same, _) = printed(&["state", "compare", &entity, &alike, at[0], at[1]]);
    assert!(same.ends_with("they are alike\n") && same.contains(&alike), "{same}");
    let changed = server.import(&chain("Past", &[set("Step", "a", "={{ 41 + 2 }}")])).await;
    let other = format!("execution/{}", run(&changed).await);
    let (differs, _) = printed(&["state", "compare", &entity, &other, at[0], at[1]]);
    assert!(differs.contains("/outputs/0/0/json/a: 42 → 43"), "{differs}");
    let json = verb_json(&["state", "compare", &entity, &other, "--left-at", "r1", "--json", at[0], at[1]]);
    assert_eq!((&json["left"]["revision"], &json["kind"]), (&json!(1), &json!("EXECUTION")));
    server.stop();

    // The same without a server, over the folder.
    let data = folder.path().to_str().unwrap();
    let local = verb_json(&["state", "get", &entity, "--revision", "2", "--json", "--data", data]);
    assert_eq!(local, by_position);
}

#[tokio::test]
async fn questions_that_have_no_answer_are_refused_with_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Past", &[set("Step", "a", "={{ 1 }}")])).await;
    let entity = format!("workflow/{workflow}");
    for (arguments, words) in [
        (vec!["state", "get", &entity, "--at", "1000"], "position 1000 is not in the log, which ends at 1"),
        (vec!["state", "get", &entity, "--revision", "7"], "its revisions go from 1 to 1"),
        (vec!["state", "get", &entity, "--at", "0"], "came to be at position 1 ("),
        (vec!["state", "get", &entity, "--time", "2001-01-01"], "ask for that or a later moment"),
        (vec!["state", "get", &entity, "--at", "yesterday"], "write a position (17), a revision (r3), a time"),
        (vec!["state", "get", &entity, "--at", "1", "--revision", "1"], "cannot be used with"),
        (vec!["state", "get", "workflow"], "must be KIND/ID"),
        (vec!["state", "get", "flow/1"], "there is nothing called flow/1"),
        (vec!["state", "diff", &entity], "--from"),
        (vec!["state", "diff", &entity, "--from", "r9"], "its revisions go from 1 to 1"),
        (vec!["state", "diff", "workflow/0", "--from", "0"], "there is nothing called workflow/0"),
        (vec!["state", "compare", &entity, "execution/0"], "are of different kinds: compare two of the same"),
        (vec!["state", "compare", &entity, "workflow/0"], "there is nothing called workflow/0"),
    ] {
        let output = verb(&[&arguments[..], &["--server", &server.url]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
    server.stop();
}

#[tokio::test]
async fn unknown_events_are_listed_and_left_out_of_states() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Past", &[set("Step", "a", "={{ 1 }}")])).await;
    let entity = format!("workflow/{workflow}");
    let before = verb_json(&["state", "get", &entity, "--json", "--server", &server.url]);
    server.stop();

    let tenant = TenantId(0);
    let stream = StreamKey::new(tenant, "workflow", workflow.as_str());
    append_stranger(folder.path(), 100, stream, "WorkflowPainted", json!({ "colour": "blue" })).await;
    let order = StreamKey::new(tenant, "order", "o-1");
    append_stranger(folder.path(), 200, order, "OrderPlaced", json!({ "total": 12.5 })).await;

    let server = Server::start(folder.path(), &[]);
    let at = ["--server", &server.url];
    let (listed, _) = printed(&["events", "list", at[0], at[1]]);
    assert!(listed.contains("WorkflowPainted  (unknown to this version, schema 4)"), "{listed}");
    assert!(listed.contains("order/o-1  OrderPlaced  (unknown"), "{listed}");
    let after = verb_json(&["state", "get", &entity, "--json", at[0], at[1]]);
    assert_eq!((&after["state"], &after["unknownEventCount"]), (&before["state"], &json!(1)));
    assert_eq!(after["unknownEvents"][0]["type"], "WorkflowPainted");
    let (_, told) = printed(&["state", "get", &entity, at[0], at[1]]);
    assert!(told.contains("1 events are unknown to this version and were left out"), "{told}");
    let (order, _) = printed(&["state", "get", "order/o-1", at[0], at[1]]);
    assert!(
        order.contains("is of a kind that this version does not know") && order.contains("\"total\": 12.5"),
        "{order}"
    );
    let (diff, _) = printed(&["state", "diff", &entity, "--from", "r1", at[0], at[1]]);
    assert!(diff.contains("WorkflowPainted  (unknown to this version)") && diff.contains("nothing changed"), "{diff}");

    // It is there, but what may happen to it next only a version that knows its events can say.
    let (list, _) = printed(&["workflow", "list", at[0], at[1]]);
    assert!(list.contains(&workflow) && list.contains("Past"), "{list}");
    let file = folder.path().join("workflow.json");
    std::fs::write(&file, chain("Past", &[]).to_string()).unwrap();
    let refused = verb(&["workflow", "import", file.to_str().unwrap(), "--id", &workflow, at[0], at[1]]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("unknown event type 'WorkflowPainted': run the version of Timeloom that wrote it"), "{said}");
    server.stop();
}
