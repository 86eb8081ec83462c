//! Digest authentication (RFC 7616): the answer to a server's challenge, which proves a password without sending it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use sha2::Digest as _;
use timeloom_domain::inference::hexadecimal;

use super::request::Request;

/// Who signs in, and with which password.
#[derive(Clone)]
pub(super) struct Login {
    /// Name.
    pub user: String,
    /// Password.
    pub password: String,
}

/// What a server asks for.
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    /// Whether the answer counts its requests.
    counts: bool,
}

impl Login {
    /// The `Authorization` that answers the challenge in `headers`; `None` when there is none that is understood.
    pub fn answer(&self, headers: &HeaderMap, request: &Request) -> Option<String> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenge = challenges.filter_map(Challenge::read).next()?;
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", request.url.path());
        // The key of the request is unlike that of any other, and the same when the request is made again.
        let key = request.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        let own = hexadecimal(&md5::Md5::digest(format!("{key}:{}", challenge.nonce)));
        self.response(&challenge, request.method.as_str(), &path, &own)
    }

    fn response(&self, challenge: &Challenge, method: &str, path: &str, own: &str) -> Option<String> {
        let algorithm = challenge.algorithm.as_deref().unwrap_or("MD5");
        let (name, session) = match algorithm.to_ascii_uppercase().strip_suffix("-SESS") {
            Some(name) => (name.to_owned(), true),
            None => (algorithm.to_ascii_uppercase(), false),
        };
        let digest = |text: String| match name.as_str() {
            "MD5" => Some(hexadecimal(&md5::Md5::digest(text))),
            "SHA-256" => Some(hexadecimal(&sha2::Sha256::digest(text))),
            _ => None,
        };
        let Challenge { realm, nonce, opaque, counts, .. } = challenge;
        let mut secret = digest(format!("{}:{realm}:{}", self.user, self.password))?;
        if session {
            secret = digest(format!("{secret}:{nonce}:{own}"))?;
        }
        let asked = digest(format!("{method}:{path}"))?;
        let response = match counts {
            true => digest(format!("{secret}:{nonce}:00000001:{own}:auth:{asked}"))?,
            false => digest(format!("{secret}:{nonce}:{asked}"))?,
        };
        let mut answer = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{path}\", response=\"{response}\"",
            quoted(&self.user),
            quoted(realm),
            quoted(nonce)
        );
        if let Some(algorithm) = &challenge.algorithm {
            answer.push_str(&format!(", algorithm={algorithm}"));
        }
        if let Some(opaque) = opaque {
            answer.push_str(&format!(", opaque=\"{}\"", quoted(opaque)));
        }
        if *counts {
            answer.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{own}\""));
        }
        Some(answer)
    }
}

impl Challenge {
    fn read(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut challenge =
            Self { realm: String::new(), nonce: String::new(), opaque: None, algorithm: None, counts: false };
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value.to_owned(),
                "nonce" => challenge.nonce = value.to_owned(),
                "opaque" => challenge.opaque = Some(value.to_owned()),
                "algorithm" => challenge.algorithm = Some(value.trim().to_owned()),
                "qop" => challenge.counts = value.split(',').any(|part| part.trim() == "auth"),
                _ => {}
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        (!challenge.nonce.is_empty()).then_some(challenge)
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_the_standard() {
        let login = Login { user: "Mufasa".to_owned(), password: "Circle of Life".to_owned() };
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"{nonce}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let challenge = Challenge::read(&header).unwrap();
            let answer = login.response(&challenge, "GET", "/dir/index.html", own).unwrap();
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains("opaque=\"FQhe/") && answer.contains("nc=00000001"), "{answer}");
        }
        assert!(Challenge::read("Basic realm=\"x\"").is_none());
    }
}
