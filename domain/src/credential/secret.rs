//! Which texts of a credential nobody may see, and which tell where it is used and by whom.
//!
//! Never guesses that a text is harmless: a field is, where its type says so or its name is one of a list. What is in a
//! field of JSON is looked at field by field.

use serde_json::Value;

use super::types::{CredentialField, CredentialFieldKind, credential_type};
use crate::item::JsonObject;

/// Names of fields that are no secret, in small letters and without what parts words: of types that are not known, and of
/// headers that somebody wrote down.
const OPEN_NAMES: &[&str] = &[
    "accept",
    "acceptencoding",
    "acceptlanguage",
    "accesstokenurl",
    "account",
    "accountid",
    "alloweddomains",
    "allowedhttprequestdomains",
    "algorithm",
    "apiurl",
    "apiversion",
    "appid",
    "applicationid",
    "authentication",
    "authquery",
    "authqueryparameters",
    "authurl",
    "baseurl",
    "bucket",
    "cachecontrol",
    "clientid",
    "company",
    "companydomain",
    "contenttype",
    "database",
    "domain",
    "email",
    "endpoint",
    "environment",
    "expiresin",
    "granttype",
    "host",
    "hostname",
    "instanceurl",
    "keytype",
    "label",
    "language",
    "locale",
    "method",
    "name",
    "organization",
    "organizationid",
    "path",
    "port",
    "projectid",
    "protocol",
    "publickey",
    "region",
    "schema",
    "scope",
    "server",
    "site",
    "subdomain",
    "teamid",
    "tenantid",
    "timezone",
    "tokentype",
    "type",
    "url",
    "user",
    "useragent",
    "userid",
    "username",
    "version",
    "workspace",
    "workspaceid",
];

/// The texts of a credential.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CredentialTexts {
    /// Those that nobody may see.
    pub secret: Vec<String>,
    /// The others: who, and where.
    pub open: Vec<String>,
}

/// The texts in the fields of a credential of that type.
///
/// ```
/// use timeloom_domain::credential::texts_of;
///
/// let fields = serde_json::json!({"user": "ann", "password": "open sesame"});
/// let texts = texts_of("httpBasicAuth", fields.as_object().unwrap());
/// assert_eq!((texts.secret, texts.open), (vec!["open sesame".to_owned()], vec!["ann".to_owned()]));
/// ```
pub fn texts_of(credential_type_name: &str, fields: &JsonObject) -> CredentialTexts {
    let known = credential_type(credential_type_name);
    let mut texts = CredentialTexts::default();
    for (name, value) in fields {
        let field = known.and_then(|known| known.fields.iter().find(|field| field.name == name));
        match field {
            Some(field) => texts.take_known(field, value),
            None => texts.take(value, is_open(name)),
        }
    }
    texts
}

/// Whether what is in a field of a credential of that type is no secret: who, or where. The field is named by its dotted path.
///
/// ```
/// use timeloom_domain::credential::is_open_field;
///
/// assert!(is_open_field("someServiceApi", "subdomain"));
/// assert!(!is_open_field("someServiceApi", "oauthTokenData.access_token"));
/// ```
pub fn is_open_field(credential_type_name: &str, path: &str) -> bool {
    let known = credential_type(credential_type_name);
    match known.and_then(|known| known.fields.iter().find(|field| field.name == path)) {
        Some(field) => !field.secret,
        None => is_open(path.rsplit('.').next().unwrap_or_default()),
    }
}

impl CredentialTexts {
    fn take_known(&mut self, field: &CredentialField, value: &Value) {
        match (field.kind, value) {
            (CredentialFieldKind::Json, Value::String(text)) if field.secret => {
                self.secret.push(text.clone());
                if let Ok(said) = serde_json::from_str::<Value>(text) {
                    self.take(&said, false);
                }
            }
            _ => self.take(value, !field.secret),
        }
    }

    fn take(&mut self, value: &Value, open: bool) {
        match value {
            Value::String(text) if open => {
                self.secret.extend(passwords_in(text));
                self.open.push(text.clone());
            }
            Value::String(text) => self.secret.push(text.clone()),
            Value::Number(number) if !open => self.secret.push(number.to_string()),
            Value::Array(parts) => parts.iter().for_each(|part| self.take(part, open)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| self.take(field, is_open(name))),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn is_open(name: &str) -> bool {
    let plain: String = name.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let plain = plain.to_lowercase();
    OPEN_NAMES.contains(&plain.as_str()) || plain.ends_with("version")
}

/// The password of an address: `postgres://user:password@host`, which is one of the places where they hide.
fn passwords_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (account, _) = authority.rsplit_once('@')?;
    let (_, password) = account.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(credential_type: &str, fields: Value) -> Vec<String> {
        texts_of(credential_type, fields.as_object().unwrap()).secret
    }

    #[test]
    fn names_of_the_list_are_written_as_they_are_compared() {
        assert!(OPEN_NAMES.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase())));
    }

    #[test]
    fn what_a_type_calls_secret_is_and_nothing_else_that_it_names() {
        let oauth = json!({
            "grantType": "clientCredentials", "accessTokenUrl": "https://sso.example/token", "clientId": "loom",
            "clientSecret": "s1", "scope": "read",
            "oauthTokenData": {"access_token": "a1", "refresh_token": "r1", "token_type": "Bearer", "expires_in": 3600},
        });
        assert_eq!(secrets("oAuth2Api", oauth), ["s1", "a1", "r1"]);
        let token = json!({"keyType": "pemKey", "privateKey": "p1", "algorithm": "RS256"});
        assert_eq!(secrets("jwtAuth", token), ["p1"]);
    }

    #[test]
    fn what_is_written_as_json_is_secret_but_for_its_usual_headers() {
        let json = r#"{"headers":{"X-Key":"k1","Content-Type":"application/json"},"qs":{"api_version":"2"}}"#;
        assert_eq!(secrets("httpCustomAuth", json!({ "json": json })), [json, "k1"]);
        let object: Value = serde_json::from_str(json).unwrap();
        assert_eq!(secrets("httpCustomAuth", json!({ "json": object })), ["k1"]);
    }

    #[test]
    fn in_types_that_are_not_known_all_is_secret_but_who_and_where() {
        let fields = json!({
            "host": "db.example", "port": 5432, "user": "ann", "password": "p1", "pin": 123_456, "ssl": true,
            "webhookUri": "https://chat.example/hooks/h1", "keys": ["k1", {"region": "eu", "note": "n1"}],
        });
        let wanted = ["p1", "123456", "https://chat.example/hooks/h1", "k1", "n1"];
        assert_eq!(secrets("someServiceApi", fields), wanted);
    }

    #[test]
    fn the_password_of_an_address_is_a_secret_wherever_it_is() {
        for (url, secret) in [
            ("postgres://ann:p1@db.example:5432/x?a=b@c", Some("p1")),
            ("postgres://ann:p%401:x@db.example", Some("p%401:x")),
            ("https://ann@db.example/", None),
            ("https://db.example/a:b@c", None),
            ("no address", None),
        ] {
            assert_eq!(secrets("someServiceApi", json!({ "url": url })).first().map(String::as_str), secret);
        }
    }
}
