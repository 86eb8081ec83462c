//! Addresses with fields of a credential in them: `https://{subdomain}.example.com/api`, or `{url}/api`.
//!
//! Never puts a secret into an address. Invariant: a field in the midst of an address is one part of it, a name of the host or
//! a segment of the path, so that what it says cannot lead to another place.

use serde_json::Value;
use thiserror::Error;

use super::secret::is_open_field;
use crate::item::JsonObject;
use crate::service::encoded_segment;

/// Most bytes of such an address as it is written.
pub const ADDRESS_PATTERN_BYTES_MAX: usize = 2_000;
/// Most bytes of one name of a host.
const LABEL_BYTES_MAX: usize = 63;

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressRefusal {
    /// It is not written as such an address is.
    #[error(
        "'{0}' is no address that fields of a credential can be put into: it begins with https:// or with a field such as \
         {{url}}, has no account, query or blank, and names fields in single braces"
    )]
    NoPattern(String),
    /// It is too long.
    #[error("the address has {0} bytes, at most {ADDRESS_PATTERN_BYTES_MAX} are read")]
    TooLong(usize),
    /// A field that it names is secret.
    #[error(
        "the field '{field}' of credentials of type '{credential_type}' is secret and cannot be in an address: name one \
             that says where, such as url, host or subdomain"
    )]
    Secret {
        /// The type of the credential.
        credential_type: String,
        /// The field.
        field: String,
    },
    /// The credential lacks a field.
    #[error(
        "the credential of type '{credential_type}' lacks the field '{field}', which is in the address: save it again with it"
    )]
    Missing {
        /// The type of the credential.
        credential_type: String,
        /// The field.
        field: String,
    },
    /// A field is more than the part of a host for which it stands.
    #[error("the field '{0}' of the credential is no part of a host: letters, digits and hyphens alone can be in it")]
    NoHost(String),
    /// A field is more than the segment of a path for which it stands.
    #[error(
        "the field '{0}' of the credential is no single segment of a path: slashes, ?, # and dots alone cannot be in it"
    )]
    NoSegment(String),
}

/// An address with fields of a credential in it.
///
/// ```
/// use timeloom_domain::credential::AddressPattern;
///
/// let pattern = AddressPattern::read("https://{subdomain}.example.com/api").unwrap();
/// let fields = serde_json::json!({"subdomain": "acme"});
/// let address = pattern.filled("acmeApi", fields.as_object().unwrap());
/// assert_eq!(address.as_deref(), Ok("https://acme.example.com/api"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A field, by dotted path.
    Field(String, Place),
}

/// What a field stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The beginning of the address, with its scheme and host.
    Beginning,
    /// All names of the host.
    Host,
    /// One name of the host, or a part of it.
    Label,
    /// A segment of the path, or a part of it.
    Segment,
}

impl AddressPattern {
    /// Whether it names a field.
    pub fn names(&self, field: &str) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field(named, _) if named == field))
    }

    /// Reads an address as it is written.
    ///
    /// # Errors
    /// [`AddressRefusal::NoPattern`] and [`AddressRefusal::TooLong`].
    pub fn read(text: &str) -> Result<Self, AddressRefusal> {
        if text.len() > ADDRESS_PATTERN_BYTES_MAX {
            return Err(AddressRefusal::TooLong(text.len()));
        }
        let refused = || AddressRefusal::NoPattern(text.to_owned());
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)).unwrap_or_default();
        let rest = text.strip_prefix(scheme).unwrap_or(text);
        if scheme.is_empty() && !text.starts_with('{') {
            return Err(refused());
        }
        let is_foreign = |letter: char| letter.is_whitespace() || letter.is_control() || "?#@\\".contains(letter);
        if rest.is_empty() || rest.starts_with('/') || rest.contains(is_foreign) {
            return Err(refused());
        }
        let mut pieces = Vec::new();
        if !scheme.is_empty() {
            pieces.push(Piece::Text(scheme.to_owned()));
        }
        let (mut left, mut in_host) = (rest, !scheme.is_empty());
        while !left.is_empty() {
            if let Some(named) = left.strip_prefix('{') {
                let (field, after) = named.split_once('}').ok_or_else(refused)?;
                if field.is_empty() || field.split('.').any(|name| name.is_empty() || name.contains('{')) {
                    return Err(refused());
                }
                let is_first = left.len() == rest.len();
                let ends_host = after.is_empty() || after.starts_with(['/', ':']);
                let place = match (in_host, is_first) {
                    // What follows the whole of an address is its path.
                    (false, true) if !after.is_empty() && !after.starts_with('/') => return Err(refused()),
                    (false, true) => Place::Beginning,
                    (true, true) if ends_host => Place::Host,
                    (true, _) => Place::Label,
                    (false, false) => Place::Segment,
                };
                pieces.push(Piece::Field(field.to_owned(), place));
                left = after;
                continue;
            }
            let (text, after) = left.split_at(left.find('{').unwrap_or(left.len()));
            if text.contains('}') {
                return Err(refused());
            }
            in_host &= !text.contains('/');
            pieces.push(Piece::Text(text.to_owned()));
            left = after;
        }
        Ok(Self { pieces })
    }

    /// The fields that it names, by dotted path.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field, _) => Some(field.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Refuses an address that names a secret of credentials of that type.
    ///
    /// # Errors
    /// [`AddressRefusal::Secret`].
    pub fn check(&self, credential_type: &str) -> Result<(), AddressRefusal> {
        match self.fields().find(|field| !is_open_field(credential_type, field)) {
            Some(field) => {
                Err(AddressRefusal::Secret { credential_type: credential_type.to_owned(), field: field.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// The address with the fields of a credential of that type, without a slash at its end. Whether it is one, and may be
    /// reached, is for whoever sends something there to find out.
    ///
    /// # Errors
    /// Why there is none; no value is told.
    pub fn filled(&self, credential_type: &str, fields: &JsonObject) -> Result<String, AddressRefusal> {
        self.check(credential_type)?;
        let mut address = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => address.push_str(text),
                Piece::Field(field, place) => {
                    let value = value_of(fields, field).ok_or_else(|| AddressRefusal::Missing {
                        credential_type: credential_type.to_owned(),
                        field: field.clone(),
                    })?;
                    address.push_str(&place.part(field, &value)?);
                }
            }
        }
        address.truncate(address.trim_end_matches('/').len());
        Ok(address)
    }
}

/// The text in a field; `None` where there is none.
fn value_of(fields: &JsonObject, path: &str) -> Option<String> {
    let mut names = path.split('.');
    let first = fields.get(names.next()?)?;
    let text = match names.try_fold(first, |value, name| value.get(name))? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

impl Place {
    /// What a field gives for its place.
    fn part(self, field: &str, value: &str) -> Result<String, AddressRefusal> {
        match self {
            Self::Beginning => Ok(value.trim_end_matches('/').to_owned()),
            Self::Host if value.split('.').all(is_label) => Ok(value.to_owned()),
            Self::Label if is_label(value) => Ok(value.to_owned()),
            Self::Host | Self::Label => Err(AddressRefusal::NoHost(field.to_owned())),
            Self::Segment if value.contains(['/', '\\', '?', '#']) || value.chars().all(|letter| letter == '.') => {
                Err(AddressRefusal::NoSegment(field.to_owned()))
            }
            Self::Segment => Ok(encoded_segment(value)),
        }
    }
}

/// Whether a text is one name of a host.
fn is_label(text: &str) -> bool {
    let is_inner = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(pattern: &str, fields: &Value) -> Result<String, AddressRefusal> {
        AddressPattern::read(pattern)?.filled("acmeApi", fields.as_object().unwrap())
    }

    #[test]
    fn fields_stand_for_the_whole_address_a_part_of_the_host_or_a_segment() {
        let fields = json!({
            "url": "https://acme.example/base/ ", "subdomain": "acme-2", "domain": "a.b.example", "port": 8443,
            "database": "a b@ü", "oauthTokenData": {"instance_url": "https://eu1.example"},
        });
        for (pattern, address) in [
            ("{url}", "https://acme.example/base"),
            ("{url}/api/v1", "https://acme.example/base/api/v1"),
            ("{oauthTokenData.instance_url}/services", "https://eu1.example/services"),
            ("https://{subdomain}.example.com", "https://acme-2.example.com"),
            ("https://eu-{subdomain}.example.com/x", "https://eu-acme-2.example.com/x"),
            ("https://{domain}/api", "https://a.b.example/api"),
            ("https://{domain}:{port}/api", "https://a.b.example:8443/api"),
            ("https://x.example/dbs/{database}/y/", "https://x.example/dbs/a%20b%40%C3%BC/y"),
            ("http://x.example", "http://x.example"),
        ] {
            assert_eq!(filled(pattern, &fields).as_deref(), Ok(address), "{pattern}");
        }
    }

    #[test]
    fn what_is_more_than_its_part_is_refused_without_telling_it() {
        for value in ["a/b", "a@b", "a.b", "a:b", "a?b", "a#b", "a\\b", "-a", "a-", "ü", "a b", "a%2fb", "{url}"] {
            let refused = filled("https://{subdomain}.example.com", &json!({"subdomain": value}));
            assert_eq!(refused, Err(AddressRefusal::NoHost("subdomain".to_owned())), "{value}");
        }
        for value in ["a/b", "a@b", "a..b", ".a", "a.", "a:1", "evil.example/"] {
            let refused = filled("https://{domain}/x", &json!({"domain": value}));
            assert_eq!(refused, Err(AddressRefusal::NoHost("domain".to_owned())), "{value}");
        }
        for value in ["a/b", "..", ".", "a\\b", "a?b", "a#b"] {
            let refused = filled("https://x.example/{database}", &json!({"database": value}));
            assert_eq!(refused, Err(AddressRefusal::NoSegment("database".to_owned())), "{value}");
        }
        let long = "a".repeat(LABEL_BYTES_MAX + 1);
        assert!(filled("https://{subdomain}.example.com", &json!({"subdomain": long})).is_err());
    }

    #[test]
    fn a_credential_without_the_field_is_told_which() {
        for fields in [json!({}), json!({"url": ""}), json!({"url": "  "}), json!({"url": null}), json!({"url": ["x"]})]
        {
            let refused = filled("{url}/api", &fields).unwrap_err();
            assert_eq!(
                refused,
                AddressRefusal::Missing { credential_type: "acmeApi".to_owned(), field: "url".to_owned() }
            );
        }
    }

    #[test]
    fn no_secret_is_put_into_an_address() {
        for field in ["password", "apiKey", "key", "oauthTokenData.access_token", "webhookUri"] {
            let pattern = AddressPattern::read(&format!("https://x.example/{{{field}}}")).unwrap();
            let refused = pattern.filled("acmeApi", &JsonObject::new()).unwrap_err();
            assert!(matches!(&refused, AddressRefusal::Secret { field: named, .. } if named == field), "{refused}");
        }
        // What a type that is known says of its fields counts.
        let pattern = AddressPattern::read("https://x.example/{value}").unwrap();
        assert!(pattern.check("httpHeaderAuth").is_err());
        let pattern = AddressPattern::read("https://{host}/").unwrap();
        assert_eq!(pattern.check("postgres"), Ok(()));
    }

    #[test]
    fn what_is_no_such_address_is_refused() {
        for text in [
            "",
            "x.example",
            "ftp://x.example",
            "https://",
            "https:///x",
            "{url}.example.com",
            "{url}{subdomain}",
            "https://{subdomain",
            "https://subdomain}.example.com",
            "https://{}.example.com",
            "https://{a..b}.example.com",
            "https://{{a}}.example.com",
            "https://ann@{domain}/",
            "https://x.example/?a={database}",
            "https://x.example/#{database}",
            "https://x.example\\{database}",
            "https://x.example/a b",
        ] {
            assert_eq!(AddressPattern::read(text), Err(AddressRefusal::NoPattern(text.to_owned())), "{text}");
        }
        let long = format!("https://x.example/{}", "a".repeat(ADDRESS_PATTERN_BYTES_MAX));
        assert_eq!(AddressPattern::read(&long), Err(AddressRefusal::TooLong(long.len())));
    }
}
