//! Signatures of requests to services of AWS, and to those that speak S3: Signature Version 4, in the header `Authorization`.
//!
//! Pure: the time comes in. The key itself is never sent, and in no message.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use timeloom_domain::inference::hexadecimal;
use url::Url;

/// Who signs.
#[derive(Clone)]
pub struct Signer {
    /// Name of the key.
    pub key_id: String,
    /// The key.
    pub key: String,
    /// The token of a session, where the key is one of it.
    pub token: Option<String>,
    /// The service, as signatures name it: `s3`, `sqs`.
    pub service: String,
    /// The region of the service.
    pub region: String,
}

/// What is signed of a request.
#[derive(Debug)]
pub struct Signed<'r> {
    /// The method.
    pub method: &'r str,
    /// The address, its path and query escaped as they are sent.
    pub url: &'r Url,
    /// Headers with their names in small letters, without `host`.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body, in hex.
    pub body_digest: &'r str,
    /// The time: `20130524T000000Z`.
    pub time: &'r str,
}

impl Signer {
    /// All headers that the request is sent with, the signature among them.
    #[must_use]
    pub fn headers(&self, signed: Signed<'_>) -> Vec<(String, String)> {
        let Signed { method, url, mut headers, body_digest, time } = signed;
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        // S3 takes the path as it is sent, and wants the digest told; the others escape the path once more.
        let path = match self.service.as_str() {
            "s3" => {
                headers.push(("x-amz-content-sha256".to_owned(), body_digest.to_owned()));
                url.path().to_owned()
            }
            _ => escaped(url.path(), true),
        };
        headers.push(("x-amz-date".to_owned(), time.to_owned()));
        headers.extend(self.token.iter().map(|token| ("x-amz-security-token".to_owned(), token.clone())));
        let mut canonical = headers.clone();
        canonical.push(("host".to_owned(), host));
        canonical.sort();
        let names = canonical.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let lines: String = canonical.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{body_digest}", sorted_query(url));
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hexadecimal(&Sha256::digest(request)));
        let mut key = keyed(format!("AWS4{}", self.key).as_bytes(), day);
        for part in [&self.region, &self.service, "aws4_request"] {
            key = keyed(&key, part);
        }
        let signature = hexadecimal(&keyed(&key, &to_sign));
        let told = format!("Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key_id);
        headers.push(("authorization".to_owned(), format!("AWS4-HMAC-SHA256 {told}")));
        headers
    }
}

/// The query as it is signed: escaped, and in the order of names.
#[must_use]
pub fn sorted_query(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (escaped(&name, false), escaped(&value, false))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A text as addresses have it: all but letters, digits and `-._~` escaped, slashes too unless they are kept.
#[must_use]
pub fn escaped(text: &str, keeps_slashes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            b'/' if keeps_slashes => escaped.push('/'),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut made) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    made.update(text.as_bytes());
    made.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the signature's own documentation.
    #[test]
    fn requests_are_signed_as_the_service_documents_it() {
        let signer = Signer {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
            service: "s3".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let empty = hexadecimal(&Sha256::digest(""));
        let signature = |url: &str, headers: Vec<(String, String)>| {
            let url = Url::parse(url).unwrap();
            let signed = Signed { method: "GET", url: &url, headers, body_digest: &empty, time: "20130524T000000Z" };
            let headers = signer.headers(signed);
            let (_, told) = headers.into_iter().find(|(name, _)| name == "authorization").unwrap();
            told.rsplit_once("Signature=").unwrap().1.to_owned()
        };
        let range = vec![("range".to_owned(), "bytes=0-9".to_owned())];
        assert_eq!(
            signature("https://examplebucket.s3.amazonaws.com/test.txt", range),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", Vec::new()),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    /// The first examples of the test suite that the service publishes.
    #[test]
    fn requests_to_other_services_are_signed_as_documented() {
        let signer = Signer {
            key_id: "AKIDEXAMPLE".to_owned(),
            key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
            service: "service".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let empty = hexadecimal(&Sha256::digest(""));
        let url = Url::parse("https://example.amazonaws.com/").unwrap();
        let headers = signer.headers(Signed {
            method: "GET",
            url: &url,
            headers: Vec::new(),
            body_digest: &empty,
            time: "20150830T123600Z",
        });
        let (_, told) = headers.into_iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(
            told,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    #[test]
    fn names_are_escaped_byte_by_byte() {
        assert_eq!(escaped("a b/ü+~", true), "a%20b/%C3%BC%2B~");
        assert_eq!(escaped("a/b", false), "a%2Fb");
    }
}
