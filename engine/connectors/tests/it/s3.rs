//! S3 against moto.

use serde_json::{Value, json};
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::testing::{Bench, json_of};

use crate::services::python::Python;
use crate::{failure, given, json_given, node};

struct Ground {
    node: SharedNodeType,
    credential: &'static str,
    fields: Value,
    _server: Python,
}

impl Ground {
    fn new(name: &str) -> Self {
        let server = Python::s3();
        let endpoint = format!("http://127.0.0.1:{}", server.port);
        let keys = json!({"accessKeyId": "key-1", "secretAccessKey": "open-sesame", "region": "us-east-1"});
        let (credential, more) = match name {
            "n8n-nodes-base.awsS3" => ("aws", json!({"customEndpoints": true, "s3Endpoint": endpoint})),
            _ => ("s3", json!({"endpoint": endpoint, "forcePathStyle": true})),
        };
        let mut fields = keys;
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Self { node: node(name), credential, fields, _server: server }
    }

    fn bench(&self, parameters: Value) -> Bench<'_> {
        let file = json!({"data": "aGVsbG8=", "mimeType": "text/csv", "fileName": "a b.csv"});
        let item = json!([{"json": {"n": 1}, "binary": {"data": file}}]);
        let version = self.node.definition().versions[0];
        Bench::new(&*self.node, version, parameters).credential(self.credential, self.fields.clone()).input(item)
    }

    async fn done(&self, parameters: Value) -> Value {
        json_given(&mut self.bench(parameters)).await
    }
}

async fn check(name: &str) {
    let ground = Ground::new(name);
    let success = json!([{"success": true}]);
    assert_eq!(ground.done(json!({"resource": "bucket", "operation": "create", "name": "reports"})).await, success);
    let buckets = ground.done(json!({"resource": "bucket", "operation": "getAll"})).await;
    assert_eq!(buckets[0]["Name"], json!("reports"));
    let upload = json!({"resource": "file", "operation": "upload", "bucketName": "reports", "fileName": "ü/a+b c.csv",
        "tagsUi": {"tagsValues": [{"key": "kind", "value": "a b"}]}, "additionalFields": {"storageClass": "standardIA"}});
    assert_eq!(ground.done(upload).await, success);
    let text = json!({"operation": "upload", "bucketName": "reports", "binaryData": false, "fileName": "note.txt", "fileContent": "hi"});
    assert_eq!(ground.done(text).await, success);
    let named = json!({"operation": "upload", "bucketName": "reports", "additionalFields": {"parentFolderKey": "in"}});
    assert_eq!(ground.done(named).await, success);
    let mut bench = ground.bench(json!({"operation": "download", "bucketName": "reports", "fileKey": "ü/a+b c.csv"}));
    let output = given(&mut bench).await;
    let file = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert_eq!((file.file_name.as_deref(), file.mime_type.as_str()), (Some("a+b c.csv"), "text/csv"));
    assert_eq!(bench.services.binaries.read(file).await.unwrap(), "hello");
    assert_eq!(json_of(&output, 0), json!([{"n": 1}]));
    let copy =
        json!({"operation": "copy", "sourcePath": "/reports/ü/a+b c.csv", "destinationPath": "/reports/copy.csv"});
    assert!(ground.done(copy).await[0]["ETag"].is_string());
    ground
        .done(json!({"resource": "folder", "operation": "create", "bucketName": "reports", "folderName": "empty"}))
        .await;
    let keys = |listed: &Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|file| file["Key"].as_str().unwrap().to_owned()).collect()
    };
    let all = json!({"operation": "getAll", "bucketName": "reports", "returnAll": true});
    assert_eq!(keys(&ground.done(all.clone()).await), ["copy.csv", "in/a b.csv", "note.txt", "ü/a+b c.csv"]);
    let mut few = all.clone();
    few["returnAll"] = json!(false);
    few["limit"] = json!(1);
    assert_eq!(keys(&ground.done(few).await), ["copy.csv"]);
    let search = json!({"resource": "bucket", "operation": "search", "bucketName": "reports", "additionalFields": {"prefix": "in/"}});
    assert_eq!(keys(&ground.done(search).await), ["in/a b.csv"]);
    let folders = json!({"resource": "folder", "operation": "getAll", "bucketName": "reports", "returnAll": true});
    assert_eq!(keys(&ground.done(folders).await), ["empty/"]);
    ground.done(json!({"resource": "folder", "operation": "delete", "bucketName": "reports", "folderKey": "in"})).await;
    ground.done(json!({"operation": "delete", "bucketName": "reports", "fileKey": "note.txt"})).await;
    assert_eq!(keys(&ground.done(all).await), ["copy.csv", "ü/a+b c.csv"]);
    let missing =
        failure(&mut ground.bench(json!({"operation": "download", "bucketName": "reports", "fileKey": "none"}))).await;
    assert_eq!(missing.data.unwrap()["code"], json!("NoSuchKey"));
    let nowhere = failure(&mut ground.bench(json!({"operation": "getAll", "bucketName": "nowhere"}))).await;
    assert!(nowhere.data.unwrap()["retryable"] == json!(false));
}

#[tokio::test]
async fn buckets_and_files_of_a_service_that_speaks_s3() {
    check("n8n-nodes-base.s3").await;
}

#[tokio::test]
async fn buckets_and_files_of_aws() {
    check("n8n-nodes-base.awsS3").await;
}

#[tokio::test]
async fn lists_are_fetched_page_by_page() {
    let ground = Ground::new("n8n-nodes-base.s3");
    ground.done(json!({"resource": "bucket", "operation": "create", "name": "many"})).await;
    let upload = json!({"operation": "upload", "bucketName": "many", "binaryData": false, "fileName": "={{ $json.n }}", "fileContent": ""});
    let items: Value = (0..1_003).map(|number| json!({"n": format!("{number:04}")})).collect();
    let mut bench = Bench::new(&*ground.node, 1.0, upload).credential("s3", ground.fields.clone()).input(items);
    given(&mut bench).await;
    let listed = ground.done(json!({"operation": "getAll", "bucketName": "many", "returnAll": true})).await;
    assert_eq!(listed.as_array().unwrap().len(), 1_003);
    ground.done(json!({"resource": "folder", "operation": "create", "bucketName": "many", "folderName": "f"})).await;
}

#[tokio::test]
async fn a_service_that_is_private_or_gone_or_no_service_is_told() {
    let ground = Ground::new("n8n-nodes-base.s3");
    let list = json!({"resource": "bucket", "operation": "getAll"});
    let mut bench = ground.bench(list.clone());
    bench.services.outbound.allow_private = false;
    assert!(failure(&mut bench).await.message.contains("private or reserved"));
    for (endpoint, message) in
        [("http://127.0.0.1:9", "could not be reached"), ("no address", "is none"), ("ftp://x.example", "use http")]
    {
        let mut fields = ground.fields.clone();
        fields["endpoint"] = json!(endpoint);
        let error = failure(&mut ground.bench(list.clone()).credential("s3", fields)).await;
        assert!(error.message.contains(message) && !format!("{error:?}").contains("open-sesame"), "{error:?}");
    }
    for (parameters, message) in [
        (json!({"operation": "download", "bucketName": "../x", "fileKey": "a"}), "no name of a bucket"),
        (json!({"operation": "download", "bucketName": "x", "fileKey": "../a"}), "no key of a file"),
        (json!({"operation": "copy", "sourcePath": "a", "destinationPath": "/b/c"}), "no path of a file"),
    ] {
        assert!(failure(&mut ground.bench(parameters)).await.message.contains(message));
    }
}
