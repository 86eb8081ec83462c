//! Crypto: digests, keyed digests, signatures and random texts.
//!
//! From version 2 on, secrets and keys come from the credential `crypto` alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, Versions,
};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::chance::Chance;
use crate::describe::{
    ONE_TO_ONE, choice, is, long_text, needs, number, off, on, options, palette, switch, text, told, words,
};
use crate::signature::{self, Digest, Scheme};

const DIGESTS: &[Condition] = &[is("action", &["hash", "hmac"])];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "action",
        &[
            told("hash", "Hash", "Computes a digest of a text or a file."),
            told("hmac", "Hmac", "Computes a digest with a secret."),
            told("sign", "Sign", "Signs a text or a file with a private key."),
            told("generate", "Generate", "Makes a random text."),
        ],
        "What to do.",
    )
    .or_text("hash"),
    options("type", TYPES, "The digest.").or_text("MD5").when(DIGESTS).until(1.0),
    options("type", TYPES, "The digest.").or_text("SHA256").when(DIGESTS).since(2.0),
    switch("binaryData", "Whether an attachment is read in place of a text.")
        .called("Binary file")
        .or_false()
        .when(&[is("action", &["hash", "hmac", "sign"])]),
    text("binaryPropertyName", "Name of the attachment.")
        .called("Binary property name")
        .or_text("data")
        .when(&[on("binaryData")]),
    text("value", "The text to read.").or_text("").when(&[off("binaryData")]),
    text("secret", "The key.").or_text("").when(&[is("action", &["hmac"])]).until(1.0),
    options(
        "algorithm",
        &[choice("RSA-SHA256", "RSA-SHA256"), choice("RSA-SHA384", "RSA-SHA384"), choice("RSA-SHA512", "RSA-SHA512")],
        "The digest that is signed; a key of an elliptic curve signs with the same digest.",
    )
    .or_text("RSA-SHA256")
    .when(&[is("action", &["sign"])]),
    long_text("privateKey", "The key, in PEM form.").or_text("").when(&[is("action", &["sign"])]).until(1.0),
    options("encoding", &[choice("hex", "HEX"), choice("base64", "BASE64")], "How the result is written.")
        .or_text("hex")
        .when(&[is("action", &["hash", "hmac", "sign"])]),
    options(
        "encodingType",
        &[choice("ascii", "ASCII"), choice("base64", "BASE64"), choice("hex", "HEX"), choice("uuid", "UUID")],
        "Kind of text.",
    )
    .called("Type")
    .or_text("uuid")
    .when(&[is("action", &["generate"])]),
    number("stringLength", "Length of the text.")
        .called("Length")
        .or_number(32.0)
        .when(&[is("encodingType", &["ascii", "base64", "hex"])]),
    text("dataPropertyName", "Field that gets the result.").called("Property name").or_text("data"),
];

/// What keeps the secrets from version 2 on.
pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[CredentialDefinition {
    versions: Versions { from: 2.0, to: f64::MAX },
    ..needs("crypto", &[is("action", &["hmac", "sign"])])
}];

const TYPES: &[Choice] = &[
    choice("MD5", "MD5"),
    choice("SHA1", "SHA1"),
    choice("SHA224", "SHA224"),
    choice("SHA256", "SHA256"),
    choice("SHA3-256", "SHA3-256"),
    choice("SHA3-384", "SHA3-384"),
    choice("SHA3-512", "SHA3-512"),
    choice("SHA384", "SHA384"),
    choice("SHA512", "SHA512"),
];

/// Longest random text.
const LENGTH_MAX: f64 = 1_048_576.0;

/// Characters of a random text in ASCII.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The Crypto node.
pub(crate) struct Crypto;

impl NodeType for Crypto {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.crypto",
            display_name: "Crypto",
            description: "Computes digests, keyed digests and signatures, and makes random texts.",
            versions: &[1.0, 2.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::Data,
                "key-round",
                &["hash", "hmac", "sign", "random", "uuid", "encrypt", "digest"],
            ),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Crypto {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut output = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match compute(run, item, index) {
                Ok(made) => output.push(made.paired_with(index)),
                Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(output))
    }
}

fn compute(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
    let default = if run.version() < 2.0 { "MD5" } else { "SHA256" };
    let result = match run.text("action", index, "hash")?.as_str() {
        "hash" => {
            let data = data(run, item, index)?;
            let kind = run.text("type", index, default)?;
            written(run, index, &digest(&kind, &data)?)?
        }
        "hmac" => {
            let data = data(run, item, index)?;
            let kind = run.text("type", index, default)?;
            let secret = secret(run, "secret", "hmacSecret", index)?;
            written(run, index, &keyed_digest(&kind, secret.as_bytes(), &data)?)?
        }
        "generate" => random(run, index)?,
        "sign" => {
            let data = data(run, item, index)?;
            let digest = signing_digest(&run.text("algorithm", index, "RSA-SHA256")?)?;
            let key = secret(run, "privateKey", "signPrivateKey", index)?;
            // The key itself says whether it is one of RSA: a curve signs with its own digest.
            let signed = signature::sign(Scheme::RsaPkcs1(digest), &key, &data);
            let signed = signed.or_else(|error| signature::sign(Scheme::EcDer(digest), &key, &data).map_err(|_| error));
            written(run, index, &signed?)?
        }
        other => return Err(NodeError::operation(format!("unknown action '{other}'"))),
    };
    let field = run.text("dataPropertyName", index, "data")?;
    let mut made = item.clone();
    made.json.insert(field, Value::String(result));
    Ok(made)
}

/// A secret: from the parameter, or from the credential in versions that keep secrets there.
fn secret(run: &mut NodeRun<'_>, parameter: &str, field: &str, index: usize) -> Result<String, NodeError> {
    if run.version() < 2.0 {
        return run.text(parameter, index, "");
    }
    let fields = run.credential_now("crypto")?.unwrap_or_default();
    let secret = fields.get(field).and_then(Value::as_str).filter(|secret| !secret.is_empty());
    secret.map(str::to_owned).ok_or_else(|| {
        NodeError::operation(format!("the node has no credential of type 'crypto' with the field '{field}'"))
    })
}

/// The digest that a name such as `RSA-SHA256` or `sha256WithRSAEncryption` means.
fn signing_digest(name: &str) -> Result<Digest, NodeError> {
    let bare = name.to_ascii_uppercase().replace("WITHRSAENCRYPTION", "");
    match bare.strip_prefix("RSA-").unwrap_or(&bare).replace('-', "").as_str() {
        "SHA256" => Ok(Digest::Sha256),
        "SHA384" => Ok(Digest::Sha384),
        "SHA512" => Ok(Digest::Sha512),
        _ => Err(NodeError::operation(format!("signing with '{name}' is not supported"))
            .described("use RSA-SHA256, RSA-SHA384 or RSA-SHA512; shorter and older digests can be forged")),
    }
}

/// The bytes to digest: a text, or an attachment.
fn data(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<u8>, NodeError> {
    if !run.boolean("binaryData", index, false)? {
        return Ok(run.text("value", index, "")?.into_bytes());
    }
    let name = run.text("binaryPropertyName", index, "data")?;
    let attachment = item.binary.as_ref().and_then(|binary| binary.get(&name));
    let attachment = attachment.ok_or_else(|| NodeError::operation(format!("the item has no attachment '{name}'")))?;
    Ok(run.binaries().read_blocking(attachment)?.to_vec())
}

fn digest(kind: &str, data: &[u8]) -> Result<Vec<u8>, NodeError> {
    use sha2::Digest;
    Ok(match kind {
        "MD5" => md5::Md5::digest(data).to_vec(),
        "SHA1" => sha1::Sha1::digest(data).to_vec(),
        "SHA224" => sha2::Sha224::digest(data).to_vec(),
        "SHA256" => sha2::Sha256::digest(data).to_vec(),
        "SHA384" => sha2::Sha384::digest(data).to_vec(),
        "SHA512" => sha2::Sha512::digest(data).to_vec(),
        "SHA3-256" => sha3::Sha3_256::digest(data).to_vec(),
        "SHA3-384" => sha3::Sha3_384::digest(data).to_vec(),
        "SHA3-512" => sha3::Sha3_512::digest(data).to_vec(),
        other => return Err(unknown_type(other)),
    })
}

/// The keyed digest of that name.
///
/// # Errors
/// [`NodeError`] when there is none.
pub(crate) fn keyed_digest(kind: &str, key: &[u8], data: &[u8]) -> Result<Vec<u8>, NodeError> {
    match kind {
        "MD5" => keyed::<Hmac<md5::Md5>>(key, data),
        "SHA1" => keyed::<Hmac<sha1::Sha1>>(key, data),
        "SHA224" => keyed::<Hmac<sha2::Sha224>>(key, data),
        "SHA256" => keyed::<Hmac<sha2::Sha256>>(key, data),
        "SHA384" => keyed::<Hmac<sha2::Sha384>>(key, data),
        "SHA512" => keyed::<Hmac<sha2::Sha512>>(key, data),
        "SHA3-256" => keyed::<Hmac<sha3::Sha3_256>>(key, data),
        "SHA3-384" => keyed::<Hmac<sha3::Sha3_384>>(key, data),
        "SHA3-512" => keyed::<Hmac<sha3::Sha3_512>>(key, data),
        other => Err(unknown_type(other)),
    }
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Result<Vec<u8>, NodeError> {
    let mut mac =
        <M as Mac>::new_from_slice(key).map_err(|_| NodeError::operation("the secret cannot be used as a key"))?;
    mac.update(data);
    Ok(mac.finalize().into_bytes().to_vec())
}

fn unknown_type(kind: &str) -> NodeError {
    NodeError::operation(format!("unknown digest '{kind}'")).described(format!("use one of {}", words(TYPES)))
}

fn written(run: &mut NodeRun<'_>, index: usize, bytes: &[u8]) -> Result<String, NodeError> {
    Ok(match run.text("encoding", index, "hex")?.as_str() {
        "base64" => STANDARD.encode(bytes),
        _ => hexadecimal(bytes),
    })
}

fn random(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let mut chance = Chance::new(run.seed, index);
    let length = run.number("stringLength", index, 32.0)?.clamp(0.0, LENGTH_MAX) as usize;
    Ok(match run.text("encodingType", index, "uuid")?.as_str() {
        "uuid" => chance.uuid(),
        "base64" => {
            let mut text = STANDARD.encode(chance.bytes(length)).replace('=', "");
            text.truncate(length);
            text
        }
        "hex" => {
            let mut text = hexadecimal(&chance.bytes(length));
            text.truncate(length);
            text
        }
        _ => chance.text(ALPHABET, length),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signature::testing::{EC_PRIVATE, RSA_PRIVATE, RSA_PUBLIC};
    use crate::testing::Bench;

    fn result(parameters: Value) -> String {
        let output = Bench::new(&Crypto, 1.0, parameters).input(json!([{"text": "abc"}])).output();
        output[0]["data"].as_str().unwrap().to_owned()
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        let hash = |kind: &str| result(json!({"type": kind, "value": "={{ $json.text }}"}));
        assert_eq!(hash("MD5"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hash("SHA256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash("SHA3-256"), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
        assert_eq!(result(json!({"value": "abc", "encoding": "base64"})), "kAFQmDzST7DWlj99KOF/cg==");
    }

    #[test]
    fn keyed_digests_depend_on_the_secret() {
        let parameters = json!({
            "action": "hmac", "type": "SHA256", "value": "what do ya want for nothing?", "secret": "Jefe",
        });
        assert_eq!(result(parameters), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn random_texts_have_the_length_and_differ_by_item() {
        let parameters =
            json!({"action": "generate", "encodingType": "hex", "stringLength": 9, "dataPropertyName": "a.b"});
        let output = Bench::new(&Crypto, 1.0, parameters).input(json!([{}, {}])).output();
        let text = |index: usize| output[index]["a.b"].as_str().unwrap().to_owned();
        assert_eq!(text(0).len(), 9);
        assert_ne!(text(0), text(1));
        assert_eq!(result(json!({"action": "generate"})).len(), 36);
        assert_eq!(result(json!({"action": "generate", "encodingType": "ascii", "stringLength": "5"})).len(), 5);
    }

    #[test]
    fn attachments_are_digested_too() {
        let items = json!([{"json": {}, "binary": {"file": {"data": "YWJj", "mimeType": "text/plain"}}}]);
        let parameters = json!({"binaryData": true, "binaryPropertyName": "file"});
        let output = Bench::new(&Crypto, 1.0, parameters).input(items).output();
        assert_eq!(output[0]["data"], json!("900150983cd24fb0d6963f7d28e17f72"));
    }

    #[test]
    fn signatures_are_those_of_the_key() {
        let sign = |version: f64, parameters: Value| {
            let bench = Bench::new(&Crypto, version, parameters).input(json!([{}]));
            bench.credential("crypto", json!({"signPrivateKey": RSA_PRIVATE, "hmacSecret": "Jefe"}))
        };
        let by_parameter = json!({"action": "sign", "value": "abc", "privateKey": RSA_PRIVATE, "encoding": "base64"});
        let signed = sign(1.0, by_parameter).output()[0]["data"].as_str().unwrap().to_owned();
        let signed = STANDARD.decode(signed).unwrap();
        assert!(signature::verify(Scheme::RsaPkcs1(Digest::Sha256), RSA_PUBLIC, b"abc", &signed).unwrap());
        let by_credential = json!({"action": "sign", "value": "abc", "encoding": "base64"});
        assert_eq!(sign(2.0, by_credential).output()[0]["data"], json!(STANDARD.encode(&signed)));
        let curve = json!({"action": "sign", "value": "abc", "privateKey": EC_PRIVATE, "algorithm": "SHA256"});
        assert!(sign(1.0, curve).output()[0]["data"].as_str().unwrap().starts_with("30"));
        let weak = json!({"action": "sign", "value": "abc", "algorithm": "RSA-MD5"});
        assert!(sign(2.0, weak).failure().contains("is not supported"));
    }

    #[test]
    fn newer_versions_take_secrets_from_the_credential() {
        let parameters = json!({"action": "hmac", "value": "what do ya want for nothing?", "secret": "not this"});
        let mut bench = Bench::new(&Crypto, 2.0, parameters).input(json!([{}]));
        assert!(bench.failure().contains("no credential of type 'crypto'"));
        let mut bench = bench.credential("crypto", json!({"hmacSecret": "Jefe"}));
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(bench.output()[0]["data"], json!(expected));
    }
}
