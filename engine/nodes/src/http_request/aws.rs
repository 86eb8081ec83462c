//! Requests that are signed for AWS: which service and region an address is of, and what is signed of a request.
//!
//! Only addresses of AWS are signed for, and those that the credential names itself.

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;
use url::Url;

use super::request::Request;
use super::run_clock::RunClock;
use crate::aws_signature::{Signed, Signer, sorted_query};
use crate::values;

/// What the hosts of AWS end with.
const DOMAINS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"];
/// Services that are in one place for all regions.
const EVERYWHERE: [&str; 5] = ["cloudfront", "iam", "organizations", "route53", "sts"];
/// The region in which these sign.
const EVERYWHERE_REGION: &str = "us-east-1";
/// Hosts whose first name is not that of signatures.
const SIGNED_AS: [(&str, &str); 5] = [
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-runtime", "bedrock"),
    ("email", "ses"),
    ("lambda-url", "lambda"),
    ("queue", "sqs"),
];
/// Services whose address a credential may name, in the field `SERVICEEndpoint`.
const NAMED: [&str; 7] = ["lambda", "rekognition", "s3", "ses", "sns", "sqs", "ssm"];
/// Who signs requests, and by which clock.
#[derive(Clone)]
pub(super) struct Aws {
    key_id: String,
    key: String,
    token: Option<String>,
    region: String,
    /// Addresses that stand for services.
    named: Vec<(&'static str, Url)>,
    /// By which clock.
    pub clock: RunClock,
}

impl Aws {
    /// Who signs, from the fields of a credential of type `aws`; `text` gives one of them, or says that it is missing.
    ///
    /// # Errors
    /// [`NodeError`] when a field is missing, or names no address.
    pub fn read(
        fields: &JsonObject,
        now_ms: i64,
        text: impl Fn(&str) -> Result<String, NodeError>,
    ) -> Result<Self, NodeError> {
        let is = |name: &str| fields.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false);
        let region = text("region")?.trim().to_owned();
        let mut named = Vec::new();
        for service in NAMED.into_iter().filter(|_| is("customEndpoints")) {
            let field = format!("{service}Endpoint");
            let address = fields.get(&field).map(values::text).unwrap_or_default().replace("{region}", &region);
            if !address.trim().is_empty() {
                let url = Url::parse(address.trim()).map_err(|_| {
                    NodeError::operation(format!("the field '{field}' of the credential is no address"))
                })?;
                named.push((service, url));
            }
        }
        Ok(Self {
            key_id: text("accessKeyId")?.trim().to_owned(),
            key: text("secretAccessKey")?.trim().to_owned(),
            token: is("temporaryCredentials").then(|| text("sessionToken")).transpose()?,
            region,
            named,
            clock: RunClock::new(now_ms),
        })
    }

    /// The request with its signature at this time.
    ///
    /// # Errors
    /// [`NodeError`] when the address is none of AWS's, or the body cannot be read.
    pub async fn signed(&self, mut request: Request, now: DateTime<Utc>) -> Result<Request, NodeError> {
        let (service, region) = self.place(&request.url).ok_or_else(|| {
            let host = request.url.host_str().unwrap_or_default();
            NodeError::operation(format!("{host} is no address of AWS, and the credential does not name it"))
                .described("switch on the credential's own endpoints, and give this address as that of its service")
        })?;
        // What is signed is what is sent: services do not agree on how other ways to write a query are read.
        let query = sorted_query(&request.url);
        request.url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        let digest = match &request.body {
            Some(body) => body.sha256().await?,
            None => hexadecimal(&Sha256::digest("")),
        };
        let is_signed = |name: &HeaderName| name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
        let headers =
            request.headers.iter().filter(|(name, _)| is_signed(name)).map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
        let signer =
            Signer { key_id: self.key_id.clone(), key: self.key.clone(), token: self.token.clone(), service, region };
        let made = signer.headers(Signed {
            method: request.method.as_str(),
            url: &request.url,
            headers: headers.collect(),
            body_digest: &digest,
            time: &now.format("%Y%m%dT%H%M%SZ").to_string(),
        });
        for (name, value) in made {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(NodeError::operation("a field of the credential cannot stand in a header")
                    .described("save the credential again, without line breaks"));
            };
            if name != CONTENT_TYPE {
                request.secret_headers.push(name.clone());
            }
            request.headers.insert(name, value);
        }
        Ok(request)
    }

    /// The service and the region that an address is of.
    fn place(&self, url: &Url) -> Option<(String, String)> {
        if let Some((service, _)) = self.named.iter().find(|(_, named)| named.origin() == url.origin()) {
            return Some(((*service).to_owned(), self.region.clone()));
        }
        let host = url.host_str()?;
        let names = DOMAINS.into_iter().find_map(|domain| host.strip_suffix(domain))?;
        let mut names: Vec<&str> = names.split('.').filter(|name| *name != "dualstack").collect();
        let region = names.last().copied().filter(|name| is_region(name));
        if region.is_some() {
            names.pop();
        }
        let name = names.last().copied().filter(|name| !name.is_empty())?;
        let service = SIGNED_AS.into_iter().find(|(known, _)| *known == name).map_or(name, |(_, service)| service);
        let region = region.unwrap_or(if EVERYWHERE.contains(&service) { EVERYWHERE_REGION } else { &self.region });
        Some((service.to_owned(), region.to_owned()))
    }
}

/// Whether it is the name of a region, such as `eu-central-1`: words and a number.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    words.len() >= 2
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn aws(more: &serde_json::Value) -> Aws {
        let mut fields = json!({"region": "eu-central-1", "accessKeyId": "AKID", "secretAccessKey": "s3cret"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fields = fields.as_object().unwrap().clone();
        Aws::read(&fields, 1_700_000_000_000, |name| Ok(values::text(&fields[name]))).unwrap()
    }

    #[test]
    fn an_address_tells_service_and_region() {
        let aws = aws(&json!({"customEndpoints": true, "sqsEndpoint": "http://localhost:4566"}));
        for (address, service, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/1/orders", "sqs", "eu-west-1"),
            ("https://ec2.amazonaws.com/", "ec2", "eu-central-1"),
            ("https://iam.amazonaws.com/", "iam", "us-east-1"),
            ("https://bucket.s3.us-east-2.amazonaws.com/key", "s3", "us-east-2"),
            ("https://bucket.s3.dualstack.us-east-2.amazonaws.com/key", "s3", "us-east-2"),
            ("https://bucket.s3.amazonaws.com/key", "s3", "eu-central-1"),
            ("https://x1.execute-api.us-gov-west-1.amazonaws.com/prod", "execute-api", "us-gov-west-1"),
            ("https://email.eu-west-1.amazonaws.com/v2/email", "ses", "eu-west-1"),
            ("https://bedrock-runtime.us-west-2.amazonaws.com/model/x/invoke", "bedrock", "us-west-2"),
            ("https://abc.lambda-url.us-west-2.on.aws/", "lambda", "us-west-2"),
            ("https://dynamodb.cn-north-1.amazonaws.com.cn/", "dynamodb", "cn-north-1"),
            ("http://localhost:4566/1/orders", "sqs", "eu-central-1"),
        ] {
            let place = aws.place(&Url::parse(address).unwrap());
            assert_eq!(place, Some((service.to_owned(), region.to_owned())), "{address}");
        }
        for address in ["https://amazonaws.com/", "https://amazonaws.com.evil.example/", "http://localhost:4567/"] {
            assert_eq!(aws.place(&Url::parse(address).unwrap()), None, "{address}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        let fields = json!({"region": "r", "customEndpoints": true, "sqsEndpoint": "not an address"});
        let read = Aws::read(fields.as_object().unwrap(), 0, |_| Ok(String::new()));
        assert!(read.is_err_and(|error| error.message.contains("sqsEndpoint")));
    }
}
