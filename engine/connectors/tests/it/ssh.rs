//! SSH against OpenSSH.

use serde_json::{Value, json};
use timeloom_connectors::Settings;
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::Bench;

use crate::services::sshd::{Sshd, key};
use crate::{failure, given, json_given, node, node_with};

struct Ground {
    node: SharedNodeType,
    server: Sshd,
}

impl Ground {
    fn new() -> Self {
        let settings = Settings { commands: true, ..Settings::default() };
        Self { node: node_with("n8n-nodes-base.ssh", &settings), server: Sshd::start() }
    }

    fn bench(&self, parameters: Value) -> Bench<'_> {
        let mut all = json!({"authentication": "privateKey"});
        all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        let file = json!({"data": "aGVsbG8=", "mimeType": "text/csv", "fileName": "a.csv"});
        let item = json!([{"json": {"n": 1}, "binary": {"data": file}}]);
        Bench::new(&*self.node, 1.0, all).credential("sshPrivateKey", self.server.fields()).input(item)
    }
}

#[tokio::test]
async fn a_command_gives_its_outputs_and_its_code() {
    let ground = Ground::new();
    let command =
        json!({"command": "=echo {{ $json.n }}; pwd; echo err >&2; exit 3", "cwd": "/usr/it's".replace("it's", "bin")});
    let told = json_given(&mut ground.bench(command)).await;
    assert_eq!(told, json!([{"code": 3, "signal": null, "stdout": "1\n/usr/bin", "stderr": "err"}]));
    let odd = json_given(&mut ground.bench(json!({"command": "id", "cwd": "/no'where; id"}))).await;
    assert!(odd[0]["code"] != json!(0) && odd[0]["stdout"] == json!(""), "{odd}");
    let endless = failure(&mut ground.bench(json!({"command": "yes"}))).await;
    assert!(endless.message.contains("more than") || endless.message.contains("failed"), "{endless}");
}

#[tokio::test]
async fn files_are_stored_and_fetched() {
    let ground = Ground::new();
    let folder = ground.server.folder.path().join("files");
    let upload = json!({"resource": "file", "operation": "upload", "path": folder});
    assert_eq!(json_given(&mut ground.bench(upload)).await, json!([{"success": true}]));
    assert_eq!(std::fs::read(folder.join("a.csv")).unwrap(), b"hello");
    let download = json!({"resource": "file", "operation": "download", "path": folder.join("a.csv"), "options": {"fileName": "b.txt"}});
    let mut bench = ground.bench(download);
    let output = given(&mut bench).await;
    let file = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert_eq!(
        (file.file_name.as_deref(), bench.services.binaries.read(file).await.unwrap()),
        (Some("b.txt"), "hello".into())
    );
}

#[tokio::test]
async fn it_is_refused_to_whoever_may_not() {
    let ground = Ground::new();
    let closed = node("n8n-nodes-base.ssh");
    let mut bench = Bench::new(&*closed, 1.0, json!({"command": "id"})).input(json!([{}]));
    assert!(failure(&mut bench).await.description.unwrap().contains("--allow-commands"));
    let mut private = ground.bench(json!({"command": "id"}));
    private.services.outbound.allow_private = false;
    assert!(failure(&mut private).await.message.contains("private or reserved"));
    key(&ground.server.folder.path().join("other"), "ed25519");
    let mut fields = ground.server.fields();
    fields["hostKey"] = json!(std::fs::read_to_string(ground.server.folder.path().join("other.pub")).unwrap());
    let error = failure(&mut ground.bench(json!({"command": "id"})).credential("sshPrivateKey", fields)).await;
    assert!(error.message.contains("another key"), "{error}");
}
