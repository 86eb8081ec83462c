//! Documents about models and their repository.

use timeloom_domain::inference::{ElementType, Signature, TensorSpec};
use timeloom_inference_front::v2::{
    Gathering, IndexEntry, IndexState, ModelConfig, ModelMetadata, error_body, parse_index_request, parse_load,
    parse_unload,
};

fn signature() -> Signature {
    let spec = |name: &str, element, shape: &[Option<u64>]| TensorSpec {
        name: name.to_owned(),
        element,
        shape: shape.to_vec(),
    };
    Signature {
        inputs: vec![spec("text", ElementType::Bytes, &[None, Some(1)])],
        outputs: vec![spec("scores", ElementType::F32, &[None, Some(4)])],
    }
}

#[test]
fn a_model_is_described_as_its_clients_expect() {
    let signature = signature();
    let metadata =
        ModelMetadata { name: "mood", versions: vec!["2".to_owned()], platform: "onnxruntime", signature: &signature };
    assert_eq!(
        serde_json::to_string(&metadata).unwrap(),
        r#"{"name":"mood","versions":["2"],"platform":"onnxruntime","inputs":[{"name":"text","datatype":"BYTES","shape":[-1,1]}],"outputs":[{"name":"scores","datatype":"FP32","shape":[-1,4]}]}"#
    );
    let gathering =
        Gathering { max_batch_size: 8, preferred_batch_size: vec![4], instances: 2, ..Gathering::default() };
    let config = ModelConfig { name: "mood", signature: &signature, gathering };
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        r#"{"name":"mood","platform":"onnxruntime_onnx","backend":"onnxruntime","max_batch_size":8,"input":[{"name":"text","data_type":"TYPE_STRING","dims":[1]}],"output":[{"name":"scores","data_type":"TYPE_FP32","dims":[4]}],"instance_group":[{"kind":"KIND_CPU","count":2}],"dynamic_batching":{"preferred_batch_size":[4],"max_queue_delay_microseconds":0}}"#
    );
    let config = ModelConfig { name: "mood", signature: &signature, gathering: Gathering::default() };
    let alone = serde_json::to_string(&config).unwrap();
    assert!(alone.contains(r#""dims":[-1,1]"#) && !alone.contains("dynamic_batching"), "{alone}");
}

#[test]
fn the_index_says_what_can_be_asked() {
    let entry =
        IndexEntry { name: "m".to_owned(), version: "1".to_owned(), state: IndexState::Ready, reason: String::new() };
    assert_eq!(serde_json::to_string(&entry).unwrap(), r#"{"name":"m","version":"1","state":"READY","reason":""}"#);
    assert_eq!(
        [&b""[..], b"{}", br#"{"ready": true}"#].map(|body| parse_index_request(body).unwrap()),
        [false, false, true]
    );
    assert!(parse_index_request(b"[").is_err());
}

#[test]
fn a_model_can_be_brought_along_but_only_into_its_own_folder() {
    let load =
        parse_load(br#"{"parameters": {"config": "{\"max_batch_size\": 8}", "file:1/model.onnx": "AAEC"}}"#).unwrap();
    assert_eq!(load.config.as_deref(), Some(r#"{"max_batch_size": 8}"#));
    assert_eq!(load.files["1/model.onnx"][..], [0, 1, 2]);
    assert_eq!(parse_load(b"").unwrap(), parse_load(b"{}").unwrap());
    for path in ["../x", "1/../../x", "/etc/passwd", "1//x", "1\\\\x", "c:/x", ""] {
        let body = format!(r#"{{"parameters": {{"file:{path}": "AAEC"}}}}"#);
        assert!(parse_load(body.as_bytes()).unwrap_err().to_string().contains("inside the model's folder"), "{path}");
    }
    let told = |body: &str| parse_load(body.as_bytes()).unwrap_err().to_string();
    assert_eq!(told(r#"{"parameters": {"file:1/m": "%"}}"#), "a file must be sent as standard base64");
    assert!(told(r#"{"parameters": {"other": "x"}}"#).contains("are parameters of loading"));
    let many: Vec<String> = (0..65).map(|number| format!(r#""file:1/{number}": """#)).collect();
    assert!(told(&format!(r#"{{"parameters": {{{}}}}}"#, many.join(","))).contains("64 are the most"));
    assert!(parse_unload(br#"{"parameters": {"unload_dependents": true}}"#).is_ok() && parse_unload(b"{").is_err());
}

#[test]
fn errors_are_one_text() {
    assert_eq!(error_body("a \"b\""), br#"{"error":"a \"b\""}"#);
}
