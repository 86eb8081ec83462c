//! FTP and FTPS against pyftpdlib, SFTP against OpenSSH: the same operations give the same.

use std::path::Path;

use serde_json::{Value, json};
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::{Bench, json_of};

use crate::services::certificates::for_localhost;
use crate::services::python::Python;
#[cfg(feature = "ssh")]
use crate::services::sshd::{Sshd, key};
use crate::{failure, given, json_given, node};

/// A server with a folder.
struct Ground<'s> {
    node: SharedNodeType,
    protocol: &'static str,
    fields: Value,
    /// The folder of the server, as this machine knows it, and as the server calls it.
    folder: &'s Path,
    base: String,
}

impl Ground<'_> {
    fn bench(&self, parameters: Value) -> Bench<'_> {
        let mut all = json!({"protocol": self.protocol});
        all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        let file = json!({"data": "aGVsbG8=", "mimeType": "text/csv", "fileName": "a.csv"});
        let item = json!([{"json": {"n": 1}, "binary": {"data": file}}]);
        Bench::new(&*self.node, 1.0, all).credential(self.protocol, self.fields.clone()).input(item)
    }

    async fn done(&self, parameters: Value) -> Value {
        json_given(&mut self.bench(parameters)).await
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    async fn check(&self) {
        let upload = json!({"operation": "upload", "path": self.path("in/deep/ü b.csv")});
        assert_eq!(self.done(upload.clone()).await, json!([{"n": 1}]));
        self.done(upload).await;
        assert_eq!(std::fs::read(self.folder.join("in/deep/ü b.csv")).unwrap(), b"hello");
        let text =
            json!({"operation": "upload", "path": self.path("note.txt"), "binaryData": false, "fileContent": "hi"});
        self.done(text).await;
        let large: Vec<u8> = (0..1_500_000_u32).map(|number| (number % 251) as u8).collect();
        std::fs::write(self.folder.join("large.bin"), &large).unwrap();
        let mut bench =
            self.bench(json!({"operation": "download", "path": self.path("large.bin"), "binaryPropertyName": "f"}));
        let output = given(&mut bench).await;
        let file = &output.outputs[0][0].binary.as_ref().unwrap()["f"];
        assert_eq!(file.file_name.as_deref(), Some("large.bin"));
        assert_eq!(bench.services.binaries.read(file).await.unwrap(), large);
        assert_eq!(json_of(&output, 0), json!([{"n": 1}]));
        let listed = self.done(json!({"operation": "list", "path": self.base, "recursive": true})).await;
        let mut names: Vec<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                format!("{} {} {}", entry["type"].as_str().unwrap(), entry["path"].as_str().unwrap(), entry["size"])
            })
            .filter(|line| line.starts_with('-'))
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                format!("- {} 5", self.path("in/deep/ü b.csv")),
                format!("- {} 1500000", self.path("large.bin")),
                format!("- {} 2", self.path("note.txt")),
            ]
        );
        let rename = json!({"operation": "rename", "oldPath": self.path("note.txt"), "newPath": self.path("out/new.txt"),
            "options": {"createDirectories": true}});
        assert_eq!(self.done(rename).await, json!([{"success": true}]));
        assert_eq!(std::fs::read(self.folder.join("out/new.txt")).unwrap(), b"hi");
        self.done(json!({"operation": "delete", "path": self.path("out/new.txt")})).await;
        let folder =
            json!({"operation": "delete", "path": self.path("in"), "options": {"folder": true, "recursive": true}});
        self.done(folder).await;
        assert!(!self.folder.join("in").exists() && self.folder.join("out").exists());
        for (parameters, message) in [
            (json!({"operation": "download", "path": self.path("none")}), "no"),
            (json!({"operation": "delete", "path": "a\r\nDELE large.bin"}), "line break"),
            (json!({"operation": "download", "path": ""}), "no path"),
        ] {
            let error = failure(&mut self.bench(parameters)).await;
            assert!(error.message.to_lowercase().contains(message), "{error}");
        }
        let mut bounded = self.bench(json!({"operation": "download", "path": self.path("large.bin")}));
        bounded.services.outbound.file_bytes_max = 100_000;
        assert!(failure(&mut bounded).await.message.contains("more than"));
        let mut private = self.bench(json!({"operation": "list", "path": self.base}));
        private.services.outbound.allow_private = false;
        assert!(failure(&mut private).await.message.contains("private or reserved"));
    }
}

fn ftp_fields(server: &Python) -> Value {
    json!({"host": "localhost", "port": server.port, "username": "loom", "password": "open-sesame"})
}

#[tokio::test]
async fn files_by_ftp() {
    for way in ["plain", "list"] {
        let server = Python::ftp(way, None);
        let folder = server.folder.path().join("files");
        let ground = Ground {
            node: node("n8n-nodes-base.ftp"),
            protocol: "ftp",
            fields: ftp_fields(&server),
            folder: &folder,
            base: String::new(),
        };
        ground.check().await;
        let mut wrong = ground.fields.clone();
        wrong["password"] = json!("wrong-password");
        let error = failure(&mut ground.bench(json!({"operation": "list"})).credential("ftp", wrong)).await;
        assert!(error.message.contains("530") && !error.message.contains("wrong-password"), "{error}");
    }
}

#[tokio::test]
async fn files_by_ftp_over_tls() {
    let certificate = for_localhost();
    let place = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(place.path(), format!("{}{}", certificate.key, certificate.certificate)).unwrap();
    let server = Python::ftp("tls", Some(place.path()));
    let mut fields = ftp_fields(&server);
    fields["secure"] = json!("explicit");
    fields["caCertificate"] = json!(certificate.certificate);
    let folder = server.folder.path().join("files");
    let ground =
        Ground { node: node("n8n-nodes-base.ftp"), protocol: "ftp", fields, folder: &folder, base: String::new() };
    ground.check().await;
    for (change, message) in [
        (json!({"caCertificate": null}), "certificate"),
        (json!({"secure": "none"}), "5"),
        (json!({"secure": "implicit"}), "no secure connection"),
    ] {
        let mut fields = ground.fields.clone();
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = failure(&mut ground.bench(json!({"operation": "list"})).credential("ftp", fields)).await;
        assert!(error.message.contains(message), "{change}: {error}");
    }
}

#[cfg(feature = "ssh")]
#[tokio::test]
async fn files_by_sftp() {
    let server = Sshd::start();
    let folder = server.folder.path().join("files");
    let ground = Ground {
        node: node("n8n-nodes-base.ftp"),
        protocol: "sftp",
        fields: server.fields(),
        folder: &folder,
        base: folder.display().to_string(),
    };
    ground.check().await;
    key(&server.folder.path().join("other"), "ed25519");
    let other = std::fs::read_to_string(server.folder.path().join("other.pub")).unwrap();
    for (change, message) in [
        (json!({"hostKey": other}), "another key than the credential knows"),
        (json!({"hostKey": ""}), "no key of a server"),
        (json!({"privateKey": "open sesame"}), "cannot be read"),
        (json!({"privateKey": std::fs::read_to_string(server.folder.path().join("other")).unwrap()}), "does not let"),
        (json!({"privateKey": null, "password": "wrong-password"}), "does not let"),
    ] {
        let mut fields = ground.fields.clone();
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = failure(&mut ground.bench(json!({"operation": "list"})).credential("sftp", fields)).await;
        assert!(error.message.contains(message) && !format!("{error:?}").contains("wrong-password"), "{error:?}");
    }
}
