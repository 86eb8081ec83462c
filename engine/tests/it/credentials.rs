//! Nodes come to the credentials that their workflow names, and nothing of them is taken down.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_commands::SaveCredential;
use timeloom_domain::execution::ExecutionStatus;
use timeloom_store::{Direction, EventLog as _, Filter, Position, TenantScope};

use crate::bench::{Finished, World, chain, node};

const SECRET: &str = "open sesame";

async fn save(world: &World, name: &str, password: &str) -> String {
    let save = SaveCredential {
        name: name.to_owned(),
        credential_type: "httpBasicAuth".to_owned(),
        fields: json!({"user": name, "password": password}).as_object().unwrap().clone(),
    };
    world.credentials.save(&world.context(), save).await.unwrap().value.to_string()
}

/// A node that computes and one that calls the world, which both need the credential that `named` says.
async fn signed_by(world: &World, named: Value) -> Finished {
    let fields = json!({"credentials": {"httpBasicAuth": named}});
    let computes = node("Computes", "sign", json!({}), fields.clone());
    let calls = node("Calls", "effect", json!({"credential": true}), fields);
    world.run(&chain(&[computes, calls])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_use_the_credential_that_is_named_as_it_was_saved_last() {
    let world = World::new();
    let id = save(&world, "Mailer", "short").await;
    save(&world, "Mailer", SECRET).await;
    save(&world, "Other", "x").await;
    let found = json!([[{"user": "Mailer", "length": SECRET.len()}]]);
    for named in [json!({"id": id, "name": "Renamed"}), json!({"id": "7", "name": "Mailer"}), json!("Mailer")] {
        let finished = signed_by(&world, named).await;
        assert_eq!((finished.gave("Computes"), finished.gave("Calls")), (found.clone(), found.clone()));
    }
    let (all, filter) = (TenantScope::All, Filter::default());
    let events = world.log.read_all(all, Position(0), Direction::Forward, &filter, 1_000).await.unwrap();
    let told = format!("{events:?}");
    assert!(told.contains("Mailer") && !told.contains(SECRET), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_not_there_fails_the_node_which_says_which() {
    let world = World::new();
    save(&world, "Other", "x").await;
    let finished = signed_by(&world, json!({"id": "7", "name": "Mailer"})).await;
    assert_eq!(finished.state.status, ExecutionStatus::Failed);
    let message = finished.state.error.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "there is no credential 'Mailer' of type httpBasicAuth");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_names_none_has_none() {
    let world = World::new();
    save(&world, "Other", "x").await;
    let finished = world.run(&chain(&[node("Computes", "sign", json!({}), json!({}))])).await;
    assert_eq!(finished.gave("Computes"), json!([[{"user": null, "length": null}]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_node_tells_of_its_credential_is_hidden_before_it_becomes_an_event() {
    let world = World::new();
    save(&world, "Mailer", SECRET).await;
    let fields = json!({"credentials": {"httpBasicAuth": "Mailer"}});
    let going_on = json!({"credentials": {"httpBasicAuth": "Mailer"}, "onError": "continueErrorOutput"});
    let tells = node("Tells", "tell", json!({}), fields);
    let fails = node("Fails", "tell", json!({"fails": 1}), going_on.clone());
    let breaks = node("Breaks", "tell", json!({"panics": 1}), going_on);
    let finished = world.run(&chain(&[tells, fails, breaks.clone()])).await;
    let mark = "[secret of \"Mailer\"]";
    let given = &finished.gave("Tells")[0][0];
    assert_eq!(given["text"], format!("a {mark} b"));
    assert_eq!(given[mark], json!({"user": "Mailer", "password": mark}));
    let alone = world.run(&chain(&[breaks])).await;
    for told in [&finished, &alone] {
        let told = format!("{:?}", told.events);
        for hidden in [SECRET, &STANDARD.encode(SECRET), "c2VzYW1l"] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
        assert!(told.contains("secret of"), "{told}");
    }
    let run = finished.state.newest_run("Tells").unwrap();
    let files = run.outputs.as_ref().unwrap()[0][0].binary.as_ref().unwrap();
    let about = |name: &str| (files[name].id.is_some(), files[name].extra["bytes"].as_u64().unwrap());
    let long = mark.len() as u64 * 2_000;
    assert_eq!(
        (about("blob"), about("left"), about("short")),
        ((true, long), (true, long), (false, mark.len() as u64))
    );
    assert_eq!(files["blob"].file_name.as_deref(), Some(mark));
}
