//! TOTP: the one-time code of this moment for a shared secret (RFC 6238).
//!
//! The secret comes from the credential `totpApi` alone.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{
    Choice, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::crypto::keyed_digest;
use crate::describe::{ONE_TO_ONE, choice, collection, needs, number, options, palette, told};

const CREDENTIALS: &[CredentialDefinition] = &[needs("totpApi", &[])];

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[told("generateSecret", "Generate secret", "Gives the code of this moment.")], "What to do.")
        .or_text("generateSecret"),
    collection(
        "options",
        &[
            options("algorithm", ALGORITHMS, "The digest.").or_text("SHA1"),
            number("digits", "How many digits the code has, 1 to 9.").or_number(6.0),
            number("period", "For how many seconds a code holds.").or_number(30.0),
        ],
        "What else to decide.",
    ),
];

const ALGORITHMS: &[Choice] = &[
    choice("SHA1", "SHA1"),
    choice("SHA224", "SHA224"),
    choice("SHA256", "SHA256"),
    choice("SHA3-256", "SHA3-256"),
    choice("SHA3-384", "SHA3-384"),
    choice("SHA3-512", "SHA3-512"),
    choice("SHA384", "SHA384"),
    choice("SHA512", "SHA512"),
];

/// Most digits of a code.
const DIGITS_MAX: f64 = 9.0;
/// Longest validity of a code, in seconds.
const PERIOD_MAX_S: f64 = 86_400.0;

/// TOTP.
pub(crate) struct Totp;

impl NodeType for Totp {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.totp",
            display_name: "TOTP",
            description: "Gives the one-time code of this moment.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "shield-check", &["2fa", "otp", "one-time password", "authenticator"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Totp {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        let fields = run.credential_now("totpApi")?.ok_or_else(|| {
            NodeError::operation("the node names no credential of type 'totpApi': choose one in the node")
        })?;
        let secret = fields.get("secret").and_then(Value::as_str).unwrap_or_default();
        let secret = base32(secret).ok_or_else(|| {
            NodeError::operation("the secret of the credential is not base32: letters A to Z and digits 2 to 7")
        })?;
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            let algorithm = run.text("options.algorithm", index, "SHA1")?;
            let digits = run.number("options.digits", index, 6.0)?.clamp(1.0, DIGITS_MAX) as usize;
            let period_ms = (run.number("options.period", index, 30.0)?.clamp(1.0, PERIOD_MAX_S) * 1_000.0) as i64;
            let counter = run.scope.now_ms.div_euclid(period_ms);
            let token = code(&algorithm, &secret, counter, digits)?;
            let remaining_s = (period_ms - run.scope.now_ms.rem_euclid(period_ms)) / 1_000;
            let json = JsonObject::from_iter([
                ("token".to_owned(), json!(token)),
                ("secondsRemaining".to_owned(), json!(remaining_s)),
            ]);
            made.push(Item::new(json).paired_with(index));
        }
        Ok(NodeOutput::single(made))
    }
}

fn code(algorithm: &str, secret: &[u8], counter: i64, digits: usize) -> Result<String, NodeError> {
    let digest = keyed_digest(algorithm, secret, &counter.to_be_bytes())?;
    let start = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let chosen = digest.iter().skip(start).take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let number = u64::from(chosen & 0x7fff_ffff) % 10_u64.pow(digits as u32);
    Ok(format!("{number:0digits$}"))
}

/// The bytes of a text in base32, blanks and padding left out; `None` when it is none.
fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in text.chars().filter(|character| !matches!(character, ' ' | '-' | '=')) {
        let value = match character.to_ascii_uppercase() {
            letter @ 'A'..='Z' => letter as u32 - 'A' as u32,
            digit @ '2'..='7' => digit as u32 - '2' as u32 + 26,
            _ => return None,
        };
        bits = (bits << 5 | value) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn bench(options: Value, secret: &str, now_ms: i64) -> Bench<'static> {
        let bench = Bench::new(&Totp, 1.0, json!({ "options": options })).input(json!([{}]));
        let mut bench = bench.credential("totpApi", json!({"label": "me", "secret": secret}));
        bench.now_ms = now_ms;
        bench
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // The test vectors of RFC 6238: the secret is 1234567890 repeated to the length of the digest.
        let short = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let long = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
        for (algorithm, secret, at_s, token) in [
            ("SHA1", short, 59, "94287082"),
            ("SHA1", short, 1_111_111_109, "07081804"),
            ("SHA256", long, 59, "46119246"),
        ] {
            let output = bench(json!({"digits": 8, "algorithm": algorithm}), secret, at_s * 1_000).output();
            assert_eq!(output[0]["token"], json!(token), "{algorithm} {at_s}");
        }
        let output = bench(json!({}), short, 59_000).output();
        assert_eq!(output, json!([{"token": "287082", "secondsRemaining": 1}]));
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_told() {
        let failure = bench(json!({}), "not base 32!", 0).failure();
        assert!(failure.contains("is not base32") && !failure.contains("not base 32!"), "{failure}");
    }
}
