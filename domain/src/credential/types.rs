//! The types of credentials that nodes of this build use, as data: for forms, and to refuse what a node could not use.
//!
//! Never a fence: people's files name hundreds of other types, whose fields are taken as they come and are all secret.

use serde_json::Value;

use super::{CredentialRefusal, FIELDS_BYTES_MAX};
use crate::item::JsonObject;

/// What kind of value a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialFieldKind {
    /// Text.
    Text,
    /// One of these words.
    Options(&'static [&'static str]),
    /// JSON, as text or as it is.
    Json,
}

/// One field of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialField {
    /// Its name, as nodes read it.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: CredentialFieldKind,
    /// Whether nobody may see it once it was given.
    pub secret: bool,
    /// Whether a credential without it is of no use.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// A type of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialType {
    /// Its name in workflow files.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Its fields.
    pub fields: &'static [CredentialField],
}

const fn text(name: &'static str, description: &'static str) -> CredentialField {
    CredentialField { name, kind: CredentialFieldKind::Text, secret: false, required: false, description }
}

const fn options(name: &'static str, words: &'static [&'static str], description: &'static str) -> CredentialField {
    CredentialField { kind: CredentialFieldKind::Options(words), ..text(name, description) }
}

impl CredentialField {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

const ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

/// Every type that is known, by name.
pub const CREDENTIAL_TYPES: &[CredentialType] = &[
    CredentialType {
        name: "crypto",
        display_name: "Crypto",
        fields: &[
            text("hmacSecret", "The secret of keyed hashes.").secret(),
            text("signPrivateKey", "The private key of signatures, in PEM form.").secret(),
        ],
    },
    CredentialType {
        name: "httpBasicAuth",
        display_name: "Basic authentication",
        fields: &[text("user", "Who signs in.").required(), text("password", "The password.").secret().required()],
    },
    CredentialType {
        name: "httpBearerAuth",
        display_name: "Bearer authentication",
        fields: &[text("token", "The token that follows the word Bearer.").secret().required()],
    },
    CredentialType {
        name: "httpCustomAuth",
        display_name: "Custom authentication",
        fields: &[CredentialField {
            kind: CredentialFieldKind::Json,
            ..text("json", "Headers, query and body that are added to a request.").secret().required()
        }],
    },
    CredentialType {
        name: "httpDigestAuth",
        display_name: "Digest authentication",
        fields: &[text("user", "Who signs in.").required(), text("password", "The password.").secret().required()],
    },
    CredentialType {
        name: "httpHeaderAuth",
        display_name: "Header authentication",
        fields: &[
            text("name", "Name of the header.").required(),
            text("value", "What the header says.").secret().required(),
        ],
    },
    CredentialType {
        name: "httpQueryAuth",
        display_name: "Query authentication",
        fields: &[
            text("name", "Name of the query parameter.").required(),
            text("value", "What the parameter says.").secret().required(),
        ],
    },
    CredentialType {
        name: "jwtAuth",
        display_name: "JSON web token",
        fields: &[
            options("keyType", &["passphrase", "pemKey"], "Whether tokens are signed with a secret or with a key."),
            text("secret", "The secret, where tokens are signed with one.").secret(),
            text("privateKey", "The key that signs, in PEM form.").secret(),
            text("publicKey", "The key that checks signatures, in PEM form.").secret(),
            options("algorithm", ALGORITHMS, "How tokens are signed."),
        ],
    },
    CredentialType {
        name: "oAuth2Api",
        display_name: "OAuth 2",
        fields: &[
            options("grantType", &["authorizationCode", "clientCredentials", "pkce"], "How permission is asked for."),
            text("authUrl", "Where people give permission."),
            text("accessTokenUrl", "Where tokens are given out.").required(),
            text("clientId", "Who asks.").required(),
            text("clientSecret", "The secret of who asks.").secret(),
            text("scope", "What is asked for."),
            text("authQueryParameters", "Further parameters of the question for permission."),
            options("authentication", &["header", "body"], "Where the secret of who asks is sent."),
        ],
    },
    CredentialType {
        name: "totpApi",
        display_name: "Time-based one-time password",
        fields: &[
            text("secret", "The secret, in base32.").secret().required(),
            text("label", "Who it is for, such as provider:name."),
        ],
    },
];

/// The type of that name, if it is known.
pub fn credential_type(name: &str) -> Option<&'static CredentialType> {
    CREDENTIAL_TYPES.iter().find(|known| known.name == name)
}

/// Checks the fields of a credential: a node of this build can use them, as far as that can be told.
///
/// # Errors
/// [`CredentialRefusal`], which names fields and never tells a value.
pub fn check_fields(credential_type_name: &str, fields: &JsonObject) -> Result<(), CredentialRefusal> {
    let bytes = serde_json::to_string(fields).map_or(usize::MAX, |text| text.len());
    if bytes > FIELDS_BYTES_MAX {
        return Err(CredentialRefusal::TooLarge(bytes));
    }
    let Some(known) = credential_type(credential_type_name) else { return Ok(()) };
    known.fields.iter().try_for_each(|field| check_field(known.name, field, fields.get(field.name)))
}

fn check_field(
    credential_type: &'static str,
    field: &CredentialField,
    value: Option<&Value>,
) -> Result<(), CredentialRefusal> {
    let invalid = |expected: String| CredentialRefusal::InvalidField { credential_type, field: field.name, expected };
    match (field.kind, value) {
        (_, None | Some(Value::Null)) if field.required => {
            Err(CredentialRefusal::MissingField { credential_type, field: field.name })
        }
        (_, None | Some(Value::Null)) => Ok(()),
        (CredentialFieldKind::Text, Some(Value::String(text))) if text.is_empty() && field.required => {
            Err(CredentialRefusal::MissingField { credential_type, field: field.name })
        }
        (CredentialFieldKind::Text, Some(Value::String(_))) => Ok(()),
        (CredentialFieldKind::Text, Some(_)) => Err(invalid("text".to_owned())),
        (CredentialFieldKind::Options(words), Some(Value::String(word))) if words.contains(&word.as_str()) => Ok(()),
        (CredentialFieldKind::Options(words), Some(_)) => Err(invalid(format!("one of {}", words.join(", ")))),
        (CredentialFieldKind::Json, Some(Value::Object(_))) => Ok(()),
        (CredentialFieldKind::Json, Some(Value::String(text))) if serde_json::from_str::<JsonObject>(text).is_ok() => {
            Ok(())
        }
        (CredentialFieldKind::Json, Some(_)) => Err(invalid("a JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(credential_type: &str, fields: Value) -> Result<(), String> {
        let Value::Object(fields) = fields else { panic!("these are no fields") };
        check_fields(credential_type, &fields).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn types_are_listed_by_name_and_each_has_fields() {
        assert!(CREDENTIAL_TYPES.is_sorted_by(|earlier, later| earlier.name < later.name));
        for known in CREDENTIAL_TYPES {
            assert!(known.fields.iter().any(|field| field.secret), "{} has nothing to hide", known.name);
        }
    }

    #[test]
    fn fields_that_a_node_could_not_use_are_refused_without_telling_them() {
        assert_eq!(check("httpBasicAuth", json!({"user": "ann", "password": "open-sesame"})), Ok(()));
        for (credential_type, fields, field) in [
            ("httpBasicAuth", json!({"user": "ann"}), "'password'"),
            ("httpBasicAuth", json!({"user": "", "password": "open-sesame"}), "'user'"),
            ("httpHeaderAuth", json!({"name": "X-Key", "value": ["open-sesame"]}), "'value'"),
            ("httpCustomAuth", json!({"json": "open-sesame"}), "'json'"),
            ("jwtAuth", json!({"secret": "open-sesame", "algorithm": "open-sesame"}), "'algorithm'"),
            ("totpApi", json!({"label": "open-sesame"}), "'secret'"),
        ] {
            let refusal = check(credential_type, fields).unwrap_err();
            assert!(refusal.contains(field) && refusal.contains(credential_type), "{refusal}");
            assert!(!refusal.contains("sesame"), "{refusal}");
        }
    }

    #[test]
    fn a_type_that_is_not_known_has_whatever_fields_it_has() {
        assert_eq!(check("someServiceApi", json!({"apiKey": 7, "region": {"x": [1]}})), Ok(()));
        let large = check("someServiceApi", json!({"apiKey": "x".repeat(FIELDS_BYTES_MAX)})).unwrap_err();
        assert!(large.contains("65536"), "{large}");
    }

    #[test]
    fn fields_beyond_those_of_the_type_are_kept() {
        let fields = json!({"user": "ann", "password": "x", "allowedDomains": "example.com"});
        assert_eq!(check("httpBasicAuth", fields), Ok(()));
    }
}
