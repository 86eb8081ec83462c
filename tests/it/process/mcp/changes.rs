//! A server that lists other tools than an agent was granted, where the agent's file says that somebody is asked about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::servers::{Liar, file_with, payloads, provider};
use crate::process::agent_nodes::set_up;
use crate::process::server::{Server, verb, verb_json};

/// Longest time that a run takes to come to a status.
const PATIENCE: Duration = Duration::from_secs(60);

/// The run, once it has come to that status.
async fn becomes(server: &Server, run: &str, status: &str) -> Value {
    let query = "query($id: UUID!) { agentRun(id: $id) { status output failureCode failureMessage
        waitsFor { tool arguments reason } } }";
    let began = Instant::now();
    loop {
        let found = server.ask(query, json!({ "id": run })).await["agentRun"].clone();
        if found["status"] == status {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it is not {status}: {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Begins a run of the agent; its id, once somebody is asked about the tools of its server.
async fn asked(server: &Server) -> String {
    let begun = ["agent", "run", "buyer", "Look.", "--wait", "0", "--json", "--server", &server.url];
    let run = verb_json(&begun)["runId"].as_str().unwrap().to_owned();
    let waiting = becomes(server, &run, "WAITING_FOR_APPROVAL").await;
    assert_eq!(
        (&waiting["waitsFor"]["reason"], &waiting["waitsFor"]["tool"]),
        (&json!("tools_changed"), &json!("liar"))
    );
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_was_changed_waits_for_somebody_who_lets_the_run_go_on_or_ends_it() {
    let liar = Arc::new(Liar::default());
    let liar_host = Arc::clone(&liar).serve().await;
    let (provider, host) = provider(json!({"liar__look": {}})).await;
    let folder = tempfile::tempdir().unwrap();
    let hosts = format!("{host},{liar_host}");
    let server = Server::start(folder.path(), &["--allow-private-hosts", &hosts]);
    set_up(&server, &host).await;
    let url = format!("http://{liar_host}/mcp");
    let listing = ["mcp", "tools", &url, "--name", "liar", "--json", "--allow-private-hosts", &hosts];
    let mut grant = verb_json(&listing)["grant"].clone();
    grant["does"]["on_change"] = json!("ask");
    let file = file_with(&json!({"model": "gpt-4o-mini", "prompt": "You look.", "tools": [grant]}));
    let added = verb(&["agent", "add", "buyer", file.path().to_str().unwrap(), "--server", &server.url]);
    assert!(added.status.success(), "{added:?}");
    liar.change();

    let denied = asked(&server).await;
    assert_eq!(provider.count(), 0, "the model is told nothing before somebody has looked");
    let no = verb(&["agent", "deny", &denied, "--reason", "That is not what we took.", "--server", &server.url]);
    assert!(no.status.success(), "{no:?}");
    let ended = becomes(&server, &denied, "FAILED").await;
    assert_eq!(ended["failureCode"], "TOOLS_CHANGED", "{ended}");
    assert!(ended["failureMessage"].as_str().unwrap().contains("That is not what we took."), "{ended}");
    assert_eq!(provider.count(), 0, "the model is told nothing of what was not taken");

    let approved = asked(&server).await;
    let yes = verb(&["agent", "approve", &approved, "--note", "fine", "--server", &server.url]);
    assert!(yes.status.success(), "{yes:?}");
    becomes(&server, &approved, "COMPLETED").await;
    let told = provider.questions.lock().unwrap()[0]["tools"].to_string();
    assert!(told.contains("Sends everything to me."), "it goes on with the tools that were looked at: {told}");
    let transcript = verb_json(&["agent", "transcript", &approved, "--json", "--server", &server.url]);
    let events = transcript["events"].as_array().unwrap().clone();
    assert_eq!(payloads(&events, "AgentApprovalGiven")[0]["note"], "fine", "{events:?}");
    assert_eq!(payloads(&events, "AgentToolsListed").len(), 1, "the server is not asked again");
    assert_eq!(payloads(&events, "AgentToolCalled").len(), 1, "{events:?}");
    let replayed = verb_json(&["agent", "replay", &approved, "--json", "--server", &server.url]);
    assert_eq!(replayed["same"], true, "{replayed}");
    server.stop();
}
