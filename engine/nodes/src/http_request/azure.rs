//! Requests that are signed for Azure with a key of an account: of Storage (Shared Key), and of Cosmos DB (master key).
//!
//! Pure but for the clock. The key itself is never sent, and in no message.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use timeloom_engine::node::NodeError;
use url::{Url, form_urlencoded};

use super::request::Request;
use super::run_clock::RunClock;

/// What the hosts of Storage and Cosmos DB end with, in all its clouds.
const DOMAINS: [&str; 6] = [
    ".core.windows.net",
    ".core.chinacloudapi.cn",
    ".core.usgovcloudapi.net",
    ".documents.azure.com",
    ".documents.azure.cn",
    ".documents.azure.us",
];
/// The header with the time that is signed.
const DATE: &str = "x-ms-date";
/// What the headers begin with that are signed by their names.
const OWN_HEADERS: &str = "x-ms-";
/// Headers whose values Storage signs in this order, after the method; between them stands the length of the body.
const BEFORE_LENGTH: [&str; 2] = ["content-encoding", "content-language"];
/// Those after it; the date is empty, because that of [`DATE`] counts.
const AFTER_LENGTH: [&str; 8] = [
    "content-md5",
    "content-type",
    "",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Who signs requests, and by which clock.
#[derive(Clone)]
pub(super) struct Azure {
    /// The account of Storage; none for Cosmos DB, whose requests do not name it.
    account: Option<String>,
    key: Vec<u8>,
    /// Whether the credential says where requests go; hosts of Azure alone are signed for where it does not, as no signature
    /// tells its host.
    is_placed: bool,
    /// By which clock.
    pub clock: RunClock,
}

impl Azure {
    /// An account of Storage; `None` when the key is not base64. The run began at `began_ms`.
    pub fn storage(account: &str, key: &str, began_ms: i64) -> Option<Self> {
        Some(Self { account: Some(account.trim().to_owned()), ..Self::cosmos(key, began_ms)? })
    }

    /// An account of Cosmos DB; `None` when the key is not base64. The run began at `began_ms`.
    pub fn cosmos(key: &str, began_ms: i64) -> Option<Self> {
        let key = STANDARD.decode(key.trim()).ok().filter(|key| !key.is_empty())?;
        Some(Self { account: None, key, is_placed: false, clock: RunClock::new(began_ms) })
    }

    /// The same, where the credential says where requests go or not.
    pub fn placed(self, is_placed: bool) -> Self {
        Self { is_placed, ..self }
    }

    /// The request with its signature at this time.
    ///
    /// # Errors
    /// [`NodeError`] when the host is none of Azure's, an attachment in the body cannot be read, or a field of the credential
    /// cannot stand in a header.
    pub fn signed(&self, mut request: Request, now: DateTime<Utc>) -> Result<Request, NodeError> {
        let host = request.url.host_str().unwrap_or_default();
        if !self.is_placed && !DOMAINS.iter().any(|domain| host.ends_with(domain)) {
            return Err(NodeError::operation(format!("{host} is no address of Azure, for which the credential signs"))
                .described("name the account's own address, or set the option Base URL from the credential"));
        }
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let header = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| NodeError::operation("a field of the credential cannot stand in a header"))
        };
        request.headers.insert(HeaderName::from_static(DATE), header(&date)?);
        let proof = match &self.account {
            Some(account) => {
                let length = match &request.body {
                    Some(body) => body.body()?.1,
                    None => None,
                };
                let text = storage_text(request.method.as_str(), &request.url, &request.headers, length, account);
                format!("SharedKey {account}:{}", self.signature(&text))
            }
            None => {
                let text = cosmos_text(request.method.as_str(), &request.url, &date);
                let proof = format!("type=master&ver=1.0&sig={}", self.signature(&text));
                form_urlencoded::byte_serialize(proof.as_bytes()).collect()
            }
        };
        request.headers.insert(AUTHORIZATION, header(&proof)?);
        request.secret_headers.push(AUTHORIZATION);
        Ok(request)
    }

    fn signature(&self, text: &str) -> String {
        // HMAC takes keys of every length.
        let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        hash.update(text.as_bytes());
        STANDARD.encode(hash.finalize().into_bytes())
    }
}

/// What Storage signs of a request.
fn storage_text(method: &str, url: &Url, headers: &HeaderMap, length: Option<usize>, account: &str) -> String {
    let value = |name: &str| headers.get(name).map(text_of).unwrap_or_default();
    let length = length.filter(|length| *length > 0).map(|length| length.to_string()).unwrap_or_default();
    let mut lines = vec![method.to_owned()];
    lines.extend(BEFORE_LENGTH.map(value));
    lines.push(length);
    lines.extend(AFTER_LENGTH.map(value));
    let own: BTreeMap<&str, String> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(OWN_HEADERS))
        .map(|(name, value)| (name.as_str(), text_of(value)))
        .collect();
    lines.extend(own.into_iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(format!("/{account}{}", url.path()));
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        fields.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    lines.extend(fields.into_iter().map(|(name, mut values)| {
        values.sort_unstable();
        format!("{name}:{}", values.join(","))
    }));
    lines.join("\n")
}

/// What Cosmos DB signs of a request: which kind of thing it is about, and which one, or of which one there are several.
fn cosmos_text(method: &str, url: &Url, date: &str) -> String {
    let segments: Vec<String> =
        url.path().split('/').filter(|segment| !segment.is_empty()).map(decoded_segment).collect();
    // Names of kinds and names of things take turns: a path that ends with a kind is about all of that kind.
    let (kind, thing) = match segments.split_last() {
        Some((kind, above)) if segments.len() % 2 == 1 => (kind.clone(), above.join("/")),
        Some((_, above)) => (above.last().cloned().unwrap_or_default(), segments.join("/")),
        None => (String::new(), String::new()),
    };
    format!("{}\n{}\n{thing}\n{}\n\n", method.to_lowercase(), kind.to_lowercase(), date.to_lowercase())
}

/// A segment of a path as it was before it was escaped.
fn decoded_segment(segment: &str) -> String {
    // A plus sign is a blank in forms alone.
    let field = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(field.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::http_request::request::Transport;

    /// The time of the example in the documentation of Cosmos DB.
    const TIME: &str = "2017-04-27T00:51:12Z";

    fn request(method: Method, url: &str, headers: &[(&'static str, &'static str)], body: Option<&str>) -> Request {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Request {
            method,
            url: Url::parse(url).unwrap(),
            headers: headers.iter().map(pair).collect(),
            body: body.map(|body| body.as_bytes().to_vec().into()),
            secret_headers: Vec::new(),
            transport: Transport::default(),
        }
    }

    fn proof(azure: &Azure, request: Request) -> String {
        let signed = azure.signed(request, TIME.parse().unwrap()).unwrap();
        assert_eq!(signed.headers[DATE], "Thu, 27 Apr 2017 00:51:12 GMT");
        assert_eq!(signed.secret_headers, [AUTHORIZATION]);
        signed.headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    /// The example of the documentation: a database by its name.
    #[test]
    fn a_request_to_cosmos_is_signed_with_the_master_key() {
        let key = "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw==";
        let azure = Azure::cosmos(key, 0).unwrap();
        let request = request(Method::GET, "https://a.documents.azure.com/dbs/ToDoList", &[], None);
        let expected = "type%3Dmaster%26ver%3D1.0%26sig%3Dc09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu%2Bc%2Bc%3D";
        assert_eq!(proof(&azure, request), expected);
    }

    #[test]
    fn what_a_path_of_cosmos_is_about_is_told_by_its_segments() {
        for (path, told) in [
            ("/dbs", "dbs\n"),
            ("/dbs/a", "dbs\ndbs/a"),
            ("/dbs/a/colls", "colls\ndbs/a"),
            ("/dbs/a/colls/b", "colls\ndbs/a/colls/b"),
            ("/dbs/a/colls/b/docs", "docs\ndbs/a/colls/b"),
            ("/dbs/a/colls/b/docs/x%20+%C3%BC", "docs\ndbs/a/colls/b/docs/x +ü"),
        ] {
            let url = Url::parse(&format!("https://a.documents.azure.com{path}")).unwrap();
            assert_eq!(cosmos_text("POST", &url, "D"), format!("post\n{told}\nd\n\n"), "{path}");
        }
    }

    #[test]
    fn a_request_to_storage_is_signed_with_its_headers_path_and_query() {
        let azure = Azure::storage("acct", "c2VjcmV0IGtleSBvZiB0aGUgdGVzdA==", 0).unwrap();
        let request = request(
            Method::PUT,
            "https://acct.blob.core.windows.net/files/a b.txt?include=b c&Comp=tags&include=a",
            &[
                ("x-ms-version", "2021-12-02"),
                ("x-ms-blob-type", " BlockBlob "),
                ("content-type", "text/plain"),
                ("idempotency-key", "k"),
            ],
            Some("body"),
        );
        // Of `PUT`, the length, the type, the headers of its own by name, the path, and the fields of the query by name.
        assert_eq!(proof(&azure, request), "SharedKey acct:4lb+AsXYrw/2+jCs+5XdHxRi/g9NnjuCboXUgAOR914=");
    }

    #[test]
    fn an_empty_body_has_no_length_and_a_key_is_base64() {
        let url = Url::parse("https://acct.blob.core.windows.net/").unwrap();
        let text = storage_text("GET", &url, &HeaderMap::new(), Some(0), "acct");
        assert_eq!(text, format!("GET{}/acct/", "\n".repeat(12)));
        assert!(Azure::cosmos("no base64!", 0).is_none() && Azure::cosmos("", 0).is_none());
    }
}
