//! Requests that are signed for AWS: which service and region an address is of, and what is signed of a request.
//!
//! Only addresses of AWS are signed for, and those that the credential names itself. `{region}` in a host stands for the
//! credential's region: whoever writes a workflow need not know it.

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::JsonObject;
use timeloom_domain::service::AWS_DOMAINS;
use timeloom_engine::node::NodeError;
use url::Url;

use super::request::Request;
use super::run_clock::RunClock;
use crate::aws_signature::{Signed, Signer, sorted_query};
use crate::values;

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
/// Services whose address a credential may name, by the field that names it.
const NAMED: [(&str, &str); 11] = [
    ("cognitoIdpEndpoint", "cognito-idp"),
    ("comprehendEndpoint", "comprehend"),
    ("elasticloadbalancingEndpoint", "elasticloadbalancing"),
    ("iamEndpoint", "iam"),
    ("lambdaEndpoint", "lambda"),
    ("rekognitionEndpoint", "rekognition"),
    ("s3Endpoint", "s3"),
    ("sesEndpoint", "ses"),
    ("snsEndpoint", "sns"),
    ("sqsEndpoint", "sqs"),
    ("ssmEndpoint", "ssm"),
];
/// Stands in an address for the region of the credential.
const REGION: &str = "{region}";

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
        for (field, service) in NAMED.into_iter().filter(|_| is("customEndpoints")) {
            let address = fields.get(field).map(values::text).unwrap_or_default().replace(REGION, &region);
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
        let Place { url, service, region } = self.place(&request.url)?;
        request.url = url;
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

    /// Where a request to this address goes, and the service and the region that it is signed for.
    ///
    /// # Errors
    /// [`NodeError`] when the address is none of AWS's and none that the credential names, or lacks a region.
    fn place(&self, url: &Url) -> Result<Place, NodeError> {
        let at = |url: Url, service: &str, region: &str| {
            Ok(Place { url, service: service.to_owned(), region: region.to_owned() })
        };
        let at_named = |url: Url, service: &str| {
            let region = self.region_of(url.host_str().and_then(AwsHost::read)).to_owned();
            Ok(Place { url, service: service.to_owned(), region })
        };
        if let Some((service, _)) = self.named.iter().find(|(_, named)| named.origin() == url.origin()) {
            return at_named(url.clone(), service);
        }
        let host = url.host_str().unwrap_or_default();
        let Some(AwsHost { service, region, is_whole }) = AwsHost::read(host) else {
            let message = format!("{host} is no address of AWS, and the credential does not name it");
            let advice = "switch on the credential's own endpoints, and give this address as that of its service";
            return Err(NodeError::operation(message).described(advice));
        };
        // The credential may name another address for the service, which then stands for the one that names no region.
        let is_open = region == Some(REGION) || (region.is_none() && EVERYWHERE.contains(&service));
        let named = self.named.iter().find(|(known, _)| is_open && is_whole && *known == service);
        match (named, region) {
            (Some((_, named)), _) => at_named(below(named, url), service),
            (None, Some(REGION)) => at(in_region(url, &self.region)?, service, &self.region),
            (None, region) => at(url.clone(), service, self.region_of(Some(AwsHost { service, region, is_whole }))),
        }
    }

    /// The region that requests to a host are signed for: that of its name, or of its service, or that of the credential.
    fn region_of<'h>(&'h self, host: Option<AwsHost<'h>>) -> &'h str {
        match host {
            Some(AwsHost { region: Some(region), .. }) => region,
            Some(AwsHost { service, .. }) if EVERYWHERE.contains(&service) => EVERYWHERE_REGION,
            _ => &self.region,
        }
    }
}

/// Where a request goes, and what it is signed for.
#[derive(Debug, PartialEq)]
struct Place {
    url: Url,
    service: String,
    region: String,
}

/// What a host of AWS tells.
struct AwsHost<'h> {
    /// The service, as signatures name it.
    service: &'h str,
    /// The region, or what stands for it.
    region: Option<&'h str>,
    /// Whether there is nothing before the service, such as the name of a bucket.
    is_whole: bool,
}

impl<'h> AwsHost<'h> {
    /// What the host tells; nothing where it is none of AWS's.
    fn read(host: &'h str) -> Option<Self> {
        let names = AWS_DOMAINS.into_iter().find_map(|domain| host.strip_suffix(domain))?;
        let mut names: Vec<&str> = names.split('.').filter(|name| *name != "dualstack").collect();
        let region = names.last().copied().filter(|name| *name == REGION || is_region(name));
        if region.is_some() {
            names.pop();
        }
        let name = names.last().copied().filter(|name| !name.is_empty())?;
        let service = SIGNED_AS.into_iter().find(|(known, _)| *known == name).map_or(name, |(_, service)| service);
        Some(Self { service, region, is_whole: names.len() == 1 })
    }
}

/// The address with the region in its host.
fn in_region(url: &Url, region: &str) -> Result<Url, NodeError> {
    // It is one name of a host: no dot and no slash in it can lead to another one.
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let none = || {
        NodeError::operation("the field 'region' of the credential is no region")
            .described("save the credential again with a region such as eu-central-1")
    };
    if region.is_empty() || !region.bytes().all(is_letter) {
        return Err(none());
    }
    let mut host = url.host_str().unwrap_or_default().replace(REGION, region);
    // The hosts of China are below a domain of their own.
    if region.starts_with("cn-") && host.ends_with(".amazonaws.com") {
        host.push_str(".cn");
    }
    let mut made = url.clone();
    made.set_host(Some(&host)).map_err(|_| none())?;
    Ok(made)
}

/// The path and the query of an address, below another one.
fn below(named: &Url, url: &Url) -> Url {
    let mut made = named.clone();
    made.set_path(&format!("{}{}", named.path().trim_end_matches('/'), url.path()));
    made.set_query(url.query());
    made
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
            let place = aws.place(&Url::parse(address).unwrap()).unwrap();
            assert_eq!((place.service.as_str(), place.region.as_str()), (service, region), "{address}");
            assert_eq!(place.url.as_str(), address);
        }
        for address in [
            "https://amazonaws.com/",
            "https://amazonaws.com.evil.example/",
            "https://sqs.{region}.evil.example/",
            "https://{region}.evil.example/",
            "http://localhost:4567/",
        ] {
            let refused = aws.place(&Url::parse(address).unwrap()).unwrap_err();
            assert!(refused.message.contains("is no address of AWS"), "{address}: {}", refused.message);
        }
    }

    #[test]
    fn the_region_of_the_credential_fills_an_address() {
        let placed = |more: serde_json::Value, address: &str| {
            let place = aws(&more).place(&Url::parse(address).unwrap());
            place.map(|place| (place.url.to_string(), place.service, place.region)).map_err(|error| error.message)
        };
        let place =
            |url: &str, service: &str, region: &str| Ok((url.to_owned(), service.to_owned(), region.to_owned()));
        let cognito = "https://cognito-idp.{region}.amazonaws.com/";
        let there = place("https://cognito-idp.eu-central-1.amazonaws.com/", "cognito-idp", "eu-central-1");
        assert_eq!(placed(json!({}), cognito), there);
        let in_china = place("https://email.cn-north-1.amazonaws.com.cn/?a=1", "ses", "cn-north-1");
        assert_eq!(placed(json!({"region": "cn-north-1"}), "https://email.{region}.amazonaws.com/?a=1"), in_china);
        for region in ["", "x.evil.example/", "evil.example#", "a b", "EU-CENTRAL-1"] {
            let refused = placed(json!({"region": region}), cognito);
            assert_eq!(refused, Err("the field 'region' of the credential is no region".to_owned()), "{region}");
        }
    }

    #[test]
    fn an_endpoint_that_the_credential_names_stands_for_the_service_in_its_region() {
        let named = json!({
            "customEndpoints": true, "sqsEndpoint": "http://localhost:4566",
            "cognitoIdpEndpoint": "http://localhost:4566/idp/", "s3Endpoint": "http://localhost:4566",
        });
        let placed = |address: &str| {
            let place = aws(&named).place(&Url::parse(address).unwrap()).unwrap();
            (place.url.to_string(), place.service)
        };
        let is = |url: &str, service: &str| (url.to_owned(), service.to_owned());
        assert_eq!(
            placed("https://cognito-idp.{region}.amazonaws.com/a%20b?c=d"),
            is("http://localhost:4566/idp/a%20b?c=d", "cognito-idp")
        );
        // Other services, buckets, and regions that an author names stay where they are.
        for address in ["https://sns.{region}.amazonaws.com/", "https://box.s3.{region}.amazonaws.com/key"] {
            assert_eq!(placed(address).0, address.replace("{region}", "eu-central-1"));
        }
        let elsewhere = "https://cognito-idp.us-east-1.amazonaws.com/";
        assert_eq!(placed(elsewhere), is(elsewhere, "cognito-idp"));
        // So does one for a service that is in one place for all regions; at AWS it is signed for there.
        let iam = |endpoint: &str| {
            let named = json!({"customEndpoints": true, "iamEndpoint": endpoint});
            let place = aws(&named).place(&Url::parse("https://iam.amazonaws.com/?Action=ListUsers").unwrap()).unwrap();
            (place.url.to_string(), place.service, place.region)
        };
        let is = |url: &str, region: &str| (url.to_owned(), "iam".to_owned(), region.to_owned());
        assert_eq!(iam("http://localhost:4566"), is("http://localhost:4566/?Action=ListUsers", "eu-central-1"));
        assert_eq!(iam("https://iam.amazonaws.com"), is("https://iam.amazonaws.com/?Action=ListUsers", "us-east-1"));
        let off = json!({"sqsEndpoint": "http://localhost:4566"});
        let place = aws(&off).place(&Url::parse("https://sqs.{region}.amazonaws.com/").unwrap()).unwrap();
        assert_eq!(place.url.as_str(), "https://sqs.eu-central-1.amazonaws.com/");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        let fields = json!({"region": "r", "customEndpoints": true, "sqsEndpoint": "not an address"});
        let read = Aws::read(fields.as_object().unwrap(), 0, |_| Ok(String::new()));
        assert!(read.is_err_and(|error| error.message.contains("sqsEndpoint")));
    }
}
