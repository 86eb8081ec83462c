//! JWT: makes JSON web tokens, reads them and checks them.
//!
//! The key comes from the credential `jwtAuth` alone. The algorithm is the credential's or the author's, never the
//! token's: a token cannot choose how it is checked, and one without a signature is never right.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_expressions::time;

use crate::crypto::keyed_digest;
use crate::describe::{
    ONE_TO_ONE, choice, collection, date_time, is, json, needs, number, off, on, options, palette, switch, text, told,
};
use crate::signature::{self, Digest, Scheme};
use crate::values;

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("sign", "Sign", "Makes a token."),
            told("decode", "Decode", "Reads a token, and checks nothing."),
            told("verify", "Verify", "Checks a token, and reads it."),
        ],
        "What to do.",
    )
    .or_text("sign"),
    switch("useJson", "Whether the claims are one JSON object.")
        .called("Use JSON to build payload")
        .or_false()
        .when(SIGNS),
    collection("claims", CLAIMS, "Claims by name.").called("Payload claims").when(&[off("useJson")]),
    json("claimsJson", "The claims as JSON.")
        .called("Payload claims (JSON)")
        .like(r#"{"sub": "42"}"#)
        .when(&[on("useJson")]),
    text("token", "The token.").or_text("").when(READS),
    collection(
        "options",
        &[
            options("algorithm", ALGORITHMS, "The algorithm, where it is not that of the credential.")
                .called("Override algorithm")
                .when(&[is("/operation", &["sign", "verify"])]),
            text("kid", "Id of the key, in the header of the token.")
                .called("Key ID")
                .or_text("")
                .when(&[is("/operation", &["sign"])]),
            switch("complete", "Whether header and signature are given as well.")
                .called("Return additional info")
                .or_false()
                .when(&[is("/operation", &["decode", "verify"])]),
            switch("ignoreExpiration", "Whether a token that has expired is right.").or_false().when(VERIFIES),
            switch("ignoreNotBefore", "Whether a token that is not valid yet is right.")
                .called("Ignore not before claim")
                .or_false()
                .when(VERIFIES),
            number("clockTolerance", "By how many seconds clocks may differ.").or_number(0.0).when(VERIFIES),
        ],
        "What else to decide.",
    ),
];

const SIGNS: &[Condition] = &[is("operation", &["sign"])];
const READS: &[Condition] = &[is("operation", &["decode", "verify"])];
const VERIFIES: &[Condition] = &[is("/operation", &["verify"])];

const CLAIMS: &[ParameterDefinition] = &[
    text("aud", "For whom the token is.").called("Audience"),
    date_time("exp", "When it ends; a number counts seconds.").called("Expires at"),
    text("iss", "Who made it.").called("Issuer"),
    text("jti", "What tells it from others.").called("JWT ID"),
    date_time("nbf", "When it begins; a number counts seconds.").called("Not before"),
    text("sub", "About whom it is.").called("Subject"),
];

const ALGORITHMS: &[Choice] = &[
    choice("HS256", "HS256"),
    choice("HS384", "HS384"),
    choice("HS512", "HS512"),
    choice("RS256", "RS256"),
    choice("RS384", "RS384"),
    choice("RS512", "RS512"),
    choice("ES256", "ES256"),
    choice("ES384", "ES384"),
    choice("PS256", "PS256"),
    choice("PS384", "PS384"),
    choice("PS512", "PS512"),
];

const CREDENTIALS: &[CredentialDefinition] = &[needs("jwtAuth", &[is("operation", &["sign", "verify"])])];

/// Longest token.
const TOKEN_BYTES_MAX: usize = 1024 * 1024;

/// JWT.
pub(crate) struct Jwt;

impl NodeType for Jwt {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.jwt",
            display_name: "JWT",
            description: "Makes, reads and checks JSON web tokens.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "file-key", &["token", "json web token", "sign", "verify"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Jwt {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            made.push(match one(run, index) {
                Ok(json) => Item::new(json).paired_with(index),
                Err(error) if run.continues_on_fail() => run.failed_item(index, &error),
                Err(error) => return Err(error.at_item(index)),
            });
        }
        Ok(NodeOutput::single(made))
    }
}

fn one(run: &mut NodeRun<'_>, index: usize) -> Result<JsonObject, NodeError> {
    match run.text("operation", index, "sign")?.as_str() {
        "sign" => {
            let claims = claims(run, index)?;
            let kid = run.text("options.kid", index, "")?;
            let token = token(&Key::read(run, index)?, claims, &kid, run.scope.now_ms / 1_000)?;
            Ok(JsonObject::from_iter([("token".to_owned(), Value::String(token))]))
        }
        "decode" => {
            let token = run.text("token", index, "")?;
            shown(run, Parts::read(&token)?, index)
        }
        "verify" => {
            let token = run.text("token", index, "")?;
            let parts = Parts::read(&token)?;
            Key::read(run, index)?.check(&parts)?;
            check_times(run, &parts.payload, index)?;
            shown(run, parts, index)
        }
        other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
    }
}

fn claims(run: &mut NodeRun<'_>, index: usize) -> Result<JsonObject, NodeError> {
    if run.boolean("useJson", index, false)? {
        let claims = match run.parameter("claimsJson", index)? {
            Some(Value::String(text)) => serde_json::from_str(&text).ok(),
            other => other,
        };
        return match claims {
            Some(Value::Object(claims)) => Ok(claims),
            _ => Err(NodeError::operation("the claims are not a JSON object")),
        };
    }
    let Some(Value::Object(fields)) = run.parameter("claims", index)? else { return Ok(JsonObject::new()) };
    let mut claims = JsonObject::new();
    for (name, value) in fields {
        if value.is_null() || value.as_str() == Some("") {
            continue;
        }
        let seconds = match (&value, name.as_str()) {
            (Value::String(text), "exp" | "nbf" | "iat") => {
                let moment = time::parse_text(text, run.scope.timezone).map(|moment| moment.timestamp());
                text.trim().parse().ok().or(moment)
            }
            _ => None,
        };
        claims.insert(name, seconds.map_or(value, |seconds: i64| json!(seconds)));
    }
    Ok(claims)
}

/// A signed token.
fn token(key: &Key, mut claims: JsonObject, kid: &str, now_s: i64) -> Result<String, NodeError> {
    let mut header = json!({"alg": key.algorithm, "typ": "JWT"});
    if !kid.is_empty() {
        header["kid"] = json!(kid);
    }
    if !claims.contains_key("iat") {
        claims.insert("iat".to_owned(), json!(now_s));
    }
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(values::stringify(value));
    let signed = format!("{}.{}", encoded(&header), encoded(&Value::Object(claims)));
    let signature = key.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A token taken apart.
struct Parts {
    header: Value,
    payload: Value,
    signature: String,
    signed: String,
}

impl Parts {
    fn read(token: &str) -> Result<Self, NodeError> {
        let malformed = || NodeError::operation("the token is not a JSON web token: it has not the form a.b.c");
        let token = token.trim();
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NodeError::operation(format!("the token has more than {TOKEN_BYTES_MAX} bytes")));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| malformed());
        let header: Value = serde_json::from_slice(&decoded(header)?).map_err(|_| malformed())?;
        let payload = decoded(payload)?;
        let payload = serde_json::from_slice(&payload)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&payload).into_owned()));
        Ok(Self { header, payload, signature: signature.to_owned(), signed: signed.to_owned() })
    }
}

fn shown(run: &mut NodeRun<'_>, parts: Parts, index: usize) -> Result<JsonObject, NodeError> {
    let mut fields = JsonObject::new();
    let complete = run.boolean("options.complete", index, false)?;
    if complete {
        fields.insert("header".to_owned(), parts.header);
    }
    fields.insert("payload".to_owned(), parts.payload);
    if complete {
        fields.insert("signature".to_owned(), Value::String(parts.signature));
    }
    Ok(fields)
}

fn check_times(run: &mut NodeRun<'_>, payload: &Value, index: usize) -> Result<(), NodeError> {
    let tolerance = run.number("options.clockTolerance", index, 0.0)?;
    let now = run.scope.now_ms as f64 / 1_000.0;
    let moment = |name: &str| payload.get(name).filter(|value| !value.is_null());
    let seconds = |value: &Value, name: &str| {
        value.as_f64().ok_or_else(|| NodeError::operation(format!("the claim '{name}' of the token is not a number")))
    };
    if let Some(value) = moment("nbf")
        && !run.boolean("options.ignoreNotBefore", index, false)?
        && seconds(value, "nbf")? > now + tolerance
    {
        return Err(NodeError::operation("the token is not valid yet"));
    }
    if let Some(value) = moment("exp")
        && !run.boolean("options.ignoreExpiration", index, false)?
        && now >= seconds(value, "exp")? + tolerance
    {
        return Err(NodeError::operation("the token has expired"));
    }
    Ok(())
}

/// The credential's key and the algorithm to use it with.
struct Key {
    algorithm: String,
    secret: String,
    private: String,
    public: String,
}

impl Key {
    fn read(run: &mut NodeRun<'_>, index: usize) -> Result<Self, NodeError> {
        let fields = run.credential_now("jwtAuth")?.ok_or_else(|| {
            NodeError::operation("the node names no credential of type 'jwtAuth': choose one in the node")
        })?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let default = match text("algorithm") {
            none if none.is_empty() => "HS256".to_owned(),
            algorithm => algorithm,
        };
        let algorithm = run.text("options.algorithm", index, &default)?;
        let by_passphrase = text("keyType") != "pemKey";
        if by_passphrase != algorithm.starts_with("HS") {
            return Err(NodeError::operation(format!(
                "the algorithm {algorithm} does not fit the key of the credential"
            ))
            .described("HS256 and its like take a passphrase, all others a key in PEM form"));
        }
        Ok(Self { algorithm, secret: text("secret"), private: text("privateKey"), public: text("publicKey") })
    }

    fn scheme(&self) -> Result<Scheme, NodeError> {
        let digest = match self.algorithm.get(2..) {
            Some("256") => Digest::Sha256,
            Some("384") => Digest::Sha384,
            Some("512") => Digest::Sha512,
            _ => return Err(self.unknown()),
        };
        match self.algorithm.get(..2) {
            Some("RS") => Ok(Scheme::RsaPkcs1(digest)),
            Some("PS") => Ok(Scheme::RsaPss(digest)),
            Some("ES") if digest != Digest::Sha512 => Ok(Scheme::EcFixed(digest)),
            _ => Err(self.unknown()),
        }
    }

    fn unknown(&self) -> NodeError {
        NodeError::operation(format!("the algorithm {} is not supported", self.algorithm))
            .described("use one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384")
    }

    /// The keyed digest for algorithms with a passphrase.
    fn digest(&self, data: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
        let kind = match self.algorithm.as_str() {
            "HS256" => "SHA256",
            "HS384" => "SHA384",
            "HS512" => "SHA512",
            _ => return Ok(None),
        };
        if self.secret.is_empty() {
            return Err(NodeError::operation("the credential of type 'jwtAuth' has no secret"));
        }
        keyed_digest(kind, self.secret.as_bytes(), data).map(Some)
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, NodeError> {
        match self.digest(data)? {
            Some(digest) => Ok(digest),
            None => signature::sign(self.scheme()?, &self.private, data),
        }
    }

    fn check(&self, parts: &Parts) -> Result<(), NodeError> {
        let wrong = || NodeError::operation("the signature of the token is not right");
        if parts.header.get("alg").and_then(Value::as_str) != Some(self.algorithm.as_str()) {
            return Err(NodeError::operation(format!("the token is not signed with {}", self.algorithm)));
        }
        let signature = URL_SAFE_NO_PAD.decode(parts.signature.trim_end_matches('=')).map_err(|_| wrong())?;
        let signed = parts.signed.as_bytes();
        let right = match self.digest(signed)? {
            Some(digest) => {
                let differing = digest.iter().zip(&signature).fold(0, |all, (left, right)| all | (left ^ right));
                digest.len() == signature.len() && differing == 0
            }
            None => {
                let key = if self.public.is_empty() { &self.private } else { &self.public };
                signature::verify(self.scheme()?, key, signed, &signature)?
            }
        };
        if right { Ok(()) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::{EC_PRIVATE, EC_PUBLIC, RSA_PRIVATE, RSA_PUBLIC};
    use crate::testing::Bench;

    /// The token that RFC 7519 and its siblings use to explain HS256.
    const KNOWN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";

    fn bench(parameters: Value, credential: Value) -> Bench<'static> {
        Bench::new(&Jwt, 1.0, parameters).input(json!([{}])).credential("jwtAuth", credential)
    }

    fn passphrase() -> Value {
        json!({"keyType": "passphrase", "secret": "your-256-bit-secret", "algorithm": "HS256"})
    }

    #[test]
    fn a_known_token_is_made_and_checked() {
        let claims = json!({"sub": "1234567890", "name": "John Doe", "iat": 1_516_239_022});
        let made = bench(json!({"useJson": true, "claimsJson": claims.to_string()}), passphrase()).output();
        assert_eq!(made, json!([{ "token": KNOWN }]));
        let checked = bench(json!({"operation": "verify", "token": KNOWN}), passphrase()).output();
        assert_eq!(checked, json!([{ "payload": claims }]));
        let options = json!({"complete": true});
        let read = bench(json!({"operation": "decode", "token": KNOWN, "options": options}), passphrase()).output();
        assert_eq!(read[0]["header"], json!({"alg": "HS256", "typ": "JWT"}));
        assert_eq!(read[0]["signature"], json!("SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"));
    }

    #[test]
    fn every_kind_of_key_signs_what_it_checks() {
        let rsa = |algorithm: &str| json!({"keyType": "pemKey", "privateKey": RSA_PRIVATE, "publicKey": RSA_PUBLIC, "algorithm": algorithm});
        let ec = json!({"keyType": "pemKey", "privateKey": EC_PRIVATE, "publicKey": EC_PUBLIC, "algorithm": "ES256"});
        for credential in [rsa("RS256"), rsa("RS384"), rsa("RS512"), rsa("PS256"), rsa("PS512"), ec] {
            let claims = json!({"iss": "me", "exp": "2030-01-01T00:00:00Z", "sub": ""});
            let made = bench(json!({"claims": claims, "options": {"kid": "k1"}}), credential.clone()).output();
            let token = made[0]["token"].as_str().unwrap();
            let parameters =
                |token: &str| json!({"operation": "verify", "token": token, "options": {"complete": true}});
            let checked = bench(parameters(token), credential.clone()).output();
            assert_eq!(checked[0]["payload"], json!({"iss": "me", "exp": 1_893_456_000, "iat": 1_715_949_045}));
            assert_eq!(checked[0]["header"]["kid"], json!("k1"));
            let (signed, _) = token.rsplit_once('.').unwrap();
            let forged = bench(parameters(&format!("{signed}.AAAA")), credential.clone()).failure();
            assert_eq!(forged, "the signature of the token is not right");
        }
    }

    #[test]
    fn a_token_does_not_choose_how_it_is_checked() {
        let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode("{}"));
        let refused = bench(json!({"operation": "verify", "token": none}), passphrase()).failure();
        assert_eq!(refused, "the token is not signed with HS256");
        // A public key is no secret: a token that was signed with it as a passphrase proves nothing.
        let key = json!({"keyType": "pemKey", "publicKey": RSA_PUBLIC, "algorithm": "RS256"});
        let confused = bench(json!({"operation": "verify", "token": KNOWN}), key.clone()).failure();
        assert_eq!(confused, "the token is not signed with RS256");
        let options = json!({"algorithm": "HS256"});
        let unfit = bench(json!({"operation": "verify", "token": KNOWN, "options": options}), key).failure();
        assert!(unfit.contains("does not fit the key"), "{unfit}");
    }

    #[test]
    fn times_count_unless_the_author_says_otherwise() {
        let signed = |claims: Value| {
            let made = bench(json!({"useJson": true, "claimsJson": claims}), passphrase()).output();
            made[0]["token"].as_str().unwrap().to_owned()
        };
        let verify = |token: String, options: Value| {
            bench(json!({"operation": "verify", "token": token, "options": options}), passphrase())
        };
        let old = signed(json!({"exp": 1_715_949_040}));
        assert_eq!(verify(old.clone(), json!({})).failure(), "the token has expired");
        assert!(verify(old.clone(), json!({"ignoreExpiration": true})).run().is_ok());
        assert!(verify(old, json!({"clockTolerance": 60})).run().is_ok());
        let early = signed(json!({"nbf": 1_800_000_000}));
        assert_eq!(verify(early.clone(), json!({})).failure(), "the token is not valid yet");
        let on = verify("a.b".to_owned(), json!({})).continue_on_fail().output();
        assert!(on[0]["error"].as_str().unwrap().contains("not a JSON web token"));
    }
}
