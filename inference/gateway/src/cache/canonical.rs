//! One way to write a request: fields in the order of their names, no spaces.

use serde_json::Value;
use sha2::{Digest, Sha256};
use timeloom_domain::chat::{ChatRequest, EmbedRequest};

use super::CacheKey;
use crate::openai::{Dialect, encode_embed_request, encode_request};

/// The key of a chat by the route of that fingerprint.
pub fn chat_key(route_fingerprint: &[u8; 32], request: &ChatRequest) -> CacheKey {
    let whole = ChatRequest { stream: false, stream_usage: false, ..request.clone() };
    let dialect = Dialect { thinking: true, ..Dialect::default() };
    let (value, _) = encode_request(&whole, "", dialect);
    key(b"chat", route_fingerprint, &value)
}

/// The key of texts to be embedded by the route of that fingerprint.
pub fn embed_key(route_fingerprint: &[u8; 32], request: &EmbedRequest) -> CacheKey {
    let written = EmbedRequest { encoding: None, ..request.clone() };
    key(b"embed", route_fingerprint, &encode_embed_request(&written, ""))
}

fn key(kind: &[u8], route_fingerprint: &[u8; 32], value: &Value) -> CacheKey {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update([0]);
    hash.update(route_fingerprint);
    write(value, &mut hash);
    CacheKey::of(hash)
}

fn write(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            hash.update(b"{");
            for name in names {
                write(&Value::from(name.as_str()), hash);
                hash.update(b":");
                write(fields.get(name).unwrap_or(&Value::Null), hash);
                hash.update(b",");
            }
            hash.update(b"}");
        }
        Value::Array(list) => {
            hash.update(b"[");
            for value in list {
                write(value, hash);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        plain => hash.update(plain.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openai::decode_request;

    fn key_of(value: Value) -> CacheKey {
        chat_key(&[0; 32], &decode_request(value).unwrap())
    }

    #[test]
    fn what_does_not_decide_the_answer_does_not_decide_the_key() {
        let one = key_of(json!({"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "hi"}]}));
        let two = key_of(json!({
            "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"content": [{"text": "hi", "type": "text"}], "role": "user"}], "temperature": 0.0, "model": "m",
        }));
        assert_eq!(one, two);
    }

    #[test]
    fn what_decides_the_answer_decides_the_key() {
        let with = |name: &str, value: Value| {
            let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
            request[name] = value;
            key_of(request)
        };
        let keys = [
            with("seed", json!(1)),
            with("seed", json!(2)),
            with("temperature", json!(0)),
            with("something_new", json!({"a": 1})),
            with("messages", json!([{"role": "user", "content": "ho"}])),
            with("messages", json!([{"role": "system", "content": "hi"}])),
            with("max_tokens", json!(5)),
        ];
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(key), "{place}");
        }
        let request = decode_request(json!({"model": "m", "messages": []})).unwrap();
        assert_ne!(chat_key(&[0; 32], &request), chat_key(&[1; 32], &request));
    }
}
