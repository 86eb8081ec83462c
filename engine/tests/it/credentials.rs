//! Nodes come to the credentials that their workflow names, and nothing of them is taken down.

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
