//! What proves to the other side who asks: the credential that a node names, turned into headers and a query.
//!
//! Credentials come from the deployment's store at the moment of use. They are in no expression, no item and no error,
//! and a redirect to another host does not take them along.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use timeloom_domain::credential::AddressPattern;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun, SecretTexts};
use url::Url;

use super::aws::Aws;
use super::azure::Azure;
use super::base::Base;
use super::digest::Login;
use super::oauth::OAuth2;
use super::request::{Request, header_map};
use crate::values;

/// What is added to each request of an item.
#[derive(Clone, Default)]
pub(crate) struct Authentication {
    /// Headers, which take the place of the author's.
    headers: JsonObject,
    /// Fields of the query.
    query: JsonObject,
    /// What is put into the address.
    address: Option<SecretAddress>,
    /// A token that can be renewed.
    pub(super) oauth: Option<OAuth2>,
    /// A password that is proved when the server asks for it.
    pub(super) login: Option<Login>,
    /// Who signs each request for AWS.
    pub(super) aws: Option<Aws>,
    /// Who signs each request for Azure.
    pub(super) azure: Option<Azure>,
    /// Where requests begin, where the credential says so.
    pub(super) base: Option<Base>,
}

impl Authentication {
    /// What credential type `name` of this node adds.
    ///
    /// # Errors
    /// [`NodeError`] when the node names no such credential, or it lacks a field.
    pub fn of_type(run: &NodeRun<'_>, name: &str) -> impl Future<Output = Result<Self, NodeError>> + Send + use<> {
        Self::of_type_at(run, name, None)
    }

    /// The same, with the address at which requests begin: `pattern` names fields of the credential.
    ///
    /// # Errors
    /// [`NodeError`] also when these fields give no address, or none that may be reached.
    pub(super) fn of_type_at(
        run: &NodeRun<'_>,
        name: &str,
        pattern: Option<AddressPattern>,
    ) -> impl Future<Output = Result<Self, NodeError>> + Send + use<> {
        let placed = pattern.map(|pattern| (pattern, run.services.outbound.clone()));
        let (opened, name) = (run.credential(name), name.to_owned());
        let (secrets, called) = (run.secrets.shared(), run.credential_name(&name));
        let now_ms = run.scope.now_ms;
        async move {
            let missing = || {
                NodeError::operation(format!("the node names no credential of type '{name}': choose one in the node"))
            };
            let fields = opened.await?.ok_or_else(missing)?;
            let filled = placed.map(|(pattern, policy)| Base::filled(&pattern, &name, &fields, &policy));
            let base = filled.transpose()?;
            let made = match name.as_str() {
                "oAuth2Api" => Self { oauth: Some(OAuth2::read(&fields, secrets, called)), ..Self::default() },
                name => Self::read(name, &Fields { credential_type: name, fields: &fields, secrets, called, now_ms })?,
            };
            let azure = made.azure.map(|azure| azure.placed(base.is_some()));
            Ok(Self { base, azure, ..made })
        }
    }

    fn read(name: &str, fields: &Fields<'_>) -> Result<Self, NodeError> {
        Ok(match name {
            "httpBasicAuth" => {
                let pair = format!("{}:{}", fields.text("user")?, fields.text("password")?);
                Self::header("Authorization", format!("Basic {}", STANDARD.encode(pair)))
            }
            "httpHeaderAuth" => Self::header(&fields.text("name")?, fields.text("value")?),
            "httpBearerAuth" => Self::bearer(&fields.text("token")?),
            "httpQueryAuth" => {
                let (name, value) = (fields.text("name")?, fields.text("value")?);
                Self { query: JsonObject::from_iter([(name, Value::String(value))]), ..Self::default() }
            }
            "httpDigestAuth" => {
                let login = Login { user: fields.text("user")?, password: fields.text("password")? };
                Self { login: Some(login), ..Self::default() }
            }
            "aws" => {
                let aws = Aws::read(fields.fields, fields.now_ms, |name| fields.text(name))?;
                Self { aws: Some(aws), ..Self::default() }
            }
            "azureStorageSharedKeyApi" => {
                let azure = Azure::storage(&fields.text("account")?, &fields.text("key")?, fields.now_ms);
                Self { azure: Some(azure.ok_or_else(|| fields.lacking("key"))?), ..Self::default() }
            }
            "microsoftAzureCosmosDbSharedKeyApi" => {
                let azure = Azure::cosmos(&fields.text("key")?, fields.now_ms);
                Self { azure: Some(azure.ok_or_else(|| fields.lacking("key"))?), ..Self::default() }
            }
            "oAuth1Api" => {
                return Err(NodeError::operation(format!("credentials of type '{name}' cannot be used here"))
                    .described("ask the service for a token, and use Header Auth or Bearer Auth with it"));
            }
            "httpCustomAuth" => Self::custom(fields)?,
            _ => match SERVICES.iter().find(|service| service.credential_type == name) {
                Some(service) => Self::service(service, fields)?,
                None => Self::unknown_service(fields)?,
            },
        })
    }

    /// Whether the credential is the whole address of each request.
    pub(super) fn is_whole_address(&self) -> bool {
        matches!(self.address, Some(SecretAddress::Whole(_)))
    }

    fn header(name: &str, value: String) -> Self {
        Self { headers: JsonObject::from_iter([(name.to_owned(), Value::String(value))]), ..Self::default() }
    }

    fn bearer(token: &str) -> Self {
        Self::header("Authorization", format!("Bearer {}", token.trim()))
    }

    /// Headers and query as the author of the credential wrote them, in JSON.
    fn custom(fields: &Fields<'_>) -> Result<Self, NodeError> {
        let json = match fields.fields.get("json") {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(value) => value.clone(),
            None => Value::Null,
        };
        let part = |name: &str| json.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        if !json.is_object() {
            return Err(fields.lacking("json"));
        }
        Ok(Self { headers: part("headers"), query: part("qs"), ..Self::default() })
    }

    fn service(service: &Service, fields: &Fields<'_>) -> Result<Self, NodeError> {
        let secret = fields.text(service.field)?;
        let mut made = match service.place {
            Place::Header(name, prefix) => Self::header(name, format!("{prefix}{}", secret.trim())),
            Place::Query(name) => {
                Self { query: JsonObject::from_iter([(name.to_owned(), Value::String(secret))]), ..Self::default() }
            }
            Place::Segment(name) => {
                let address = SecretAddress::Segment { name, secret: secret.trim().to_owned() };
                Self { address: Some(address), ..Self::default() }
            }
            Place::Basic(name) => {
                let pair = format!("{}:{secret}", fields.text(name)?);
                Self::header("Authorization", format!("Basic {}", STANDARD.encode(pair)))
            }
            Place::Address => {
                let url = Url::parse(secret.trim()).map_err(|_| fields.lacking(service.field))?;
                Self { address: Some(SecretAddress::Whole(url)), ..Self::default() }
            }
        };
        for (name, value) in service.more {
            made.headers.insert((*name).to_owned(), Value::String((*value).to_owned()));
        }
        Ok(made)
    }

    /// A credential of a service that is not known here: a token that it holds the usual way is sent the usual way.
    fn unknown_service(fields: &Fields<'_>) -> Result<Self, NodeError> {
        let asks_for_itself = fields.fields.get("grantType").and_then(Value::as_str) == Some("clientCredentials");
        if asks_for_itself || fields.fields.get("oauthTokenData").is_some() {
            let oauth = OAuth2::read(fields.fields, fields.secrets.clone(), fields.called.clone());
            return Ok(Self { oauth: Some(oauth), ..Self::default() });
        }
        let error = format!("how the credential type '{}' signs requests is not known here", fields.credential_type);
        Err(NodeError::operation(error)
            .described("choose Generic Credential Type, and Header Auth or Bearer Auth with the service's token"))
    }

    /// The request with what proves who asks.
    pub(super) fn applied(&self, mut request: Request) -> Result<Request, NodeError> {
        for (name, value) in header_map(&self.headers)? {
            let Some(name) = name else { continue };
            request.secret_headers.push(name.clone());
            request.headers.insert(name, value);
        }
        if let Some(address) = &self.address {
            request.url = address.applied(&request.url)?;
        }
        if !self.query.is_empty() {
            let pairs = self.query.iter().map(|(name, value)| (name.as_str(), values::text(value)));
            request.url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(request)
    }

    /// The request with this proof.
    pub(super) fn proved(proof: String, request: Request) -> Result<Request, NodeError> {
        Self::header("Authorization", proof).applied(request)
    }

    /// The request with this token.
    pub(super) fn with_token(token: &str, request: Request) -> Result<Request, NodeError> {
        Self::bearer(token).applied(request)
    }
}

/// What a credential puts into the address of a request: no error and no item tells it.
#[derive(Clone)]
enum SecretAddress {
    /// Follows this segment of the path, without anything between.
    Segment {
        /// The segment.
        name: &'static str,
        /// What follows it.
        secret: String,
    },
    /// The whole address but its query.
    Whole(Url),
}

impl SecretAddress {
    fn applied(&self, url: &Url) -> Result<Url, NodeError> {
        match self {
            Self::Segment { name, secret } => {
                let mut segments: Vec<String> = url.path().split('/').map(str::to_owned).collect();
                let Some(segment) = segments.iter_mut().find(|segment| segment == name) else {
                    return Err(NodeError::operation(format!("the address has no '/{name}/' that the token follows")));
                };
                segment.push_str(secret);
                let mut made = url.clone();
                made.set_path(&segments.join("/"));
                Ok(made)
            }
            Self::Whole(secret) if secret.origin() == url.origin() => {
                let mut made = secret.clone();
                made.set_query(url.query());
                Ok(made)
            }
            Self::Whole(_) => Err(NodeError::operation("the credential is for another server than the address names")),
        }
    }
}

/// The fields of a credential.
struct Fields<'f> {
    credential_type: &'f str,
    fields: &'f JsonObject,
    /// Where the run's secrets are noted.
    secrets: SecretTexts,
    /// What the credential is called there.
    called: String,
    /// When the run began.
    now_ms: i64,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<String, NodeError> {
        let value = self.fields.get(name).filter(|value| !value.is_null());
        value.map(values::text).ok_or_else(|| self.lacking(name))
    }

    fn lacking(&self, name: &str) -> NodeError {
        NodeError::operation(format!("the credential of type '{}' lacks the field '{name}'", self.credential_type))
            .described("save the credential again with all its fields")
    }
}

/// How a well-known service wants its token.
struct Service {
    credential_type: &'static str,
    field: &'static str,
    place: Place,
    more: &'static [(&'static str, &'static str)],
}

/// Where a token goes.
enum Place {
    /// A header, and what comes before the token in it.
    Header(&'static str, &'static str),
    /// A field of the query.
    Query(&'static str),
    /// The end of a segment of the path.
    Segment(&'static str),
    /// It is the password of whom the field of that name tells.
    Basic(&'static str),
    /// It is the address.
    Address,
}

const fn bearer(credential_type: &'static str, field: &'static str) -> Service {
    Service { credential_type, field, place: Place::Header("Authorization", "Bearer "), more: &[] }
}

const fn header(
    credential_type: &'static str,
    field: &'static str,
    name: &'static str,
    prefix: &'static str,
) -> Service {
    Service { credential_type, field, place: Place::Header(name, prefix), more: &[] }
}

/// Services whose credentials are often used in HTTP Requests, in alphabetical order.
const SERVICES: &[Service] = &[
    bearer("airtableTokenApi", "accessToken"),
    Service {
        credential_type: "anthropicApi",
        field: "apiKey",
        place: Place::Header("x-api-key", ""),
        more: &[("anthropic-version", "2023-06-01")],
    },
    header("asanaApi", "accessToken", "Authorization", "Bearer "),
    header("clickUpApi", "accessToken", "Authorization", ""),
    bearer("cohereApi", "apiKey"),
    header("discordBotApi", "botToken", "Authorization", "Bot "),
    Service { credential_type: "discordWebhookApi", field: "webhookUri", place: Place::Address, more: &[] },
    header("githubApi", "accessToken", "Authorization", "token "),
    header("gitlabApi", "accessToken", "Private-Token", ""),
    Service { credential_type: "googlePalmApi", field: "apiKey", place: Place::Query("key"), more: &[] },
    bearer("groqApi", "apiKey"),
    bearer("hubspotAppToken", "appToken"),
    bearer("jinaAiApi", "apiKey"),
    header("linearApi", "apiKey", "Authorization", ""),
    bearer("mistralCloudApi", "apiKey"),
    header("n8nApi", "apiKey", "X-N8N-API-KEY", ""),
    Service {
        credential_type: "notionApi",
        field: "apiKey",
        place: Place::Header("Authorization", "Bearer "),
        more: &[("Notion-Version", "2022-06-28")],
    },
    bearer("openAiApi", "apiKey"),
    bearer("openRouterApi", "apiKey"),
    bearer("perplexityApi", "apiKey"),
    header("pipedriveApi", "apiToken", "x-api-token", ""),
    bearer("sendGridApi", "apiKey"),
    bearer("slackApi", "accessToken"),
    bearer("stripeApi", "secretKey"),
    Service { credential_type: "telegramApi", field: "accessToken", place: Place::Segment("bot"), more: &[] },
    bearer("theHiveProjectApi", "ApiKey"),
    header("todoistApi", "apiKey", "Authorization", "Bearer "),
    Service { credential_type: "wordpressApi", field: "password", place: Place::Basic("username"), more: &[] },
];
