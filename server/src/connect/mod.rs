//! Connecting a credential of OAuth 2: the browser of whoever may save credentials goes to where permission is given, and comes
//! back with a code, which is exchanged for the tokens that the credential holds from then on.
//!
//! Nothing is kept meanwhile: what is needed when the browser comes back is in the `state` that it brings, so that any process
//! can end what another one began. Invariant: only who began it ends it, in time, and for the credential that they chose.

mod provider;
mod state;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::Value;
use timeloom_commands::{Access, CommandError, Commands, Credentials, SaveCredential};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::CredentialId;
use timeloom_engine::node::OutboundPolicy;
use timeloom_read_api::{ApiState, Beside, CREDENTIAL_CALLBACK, told};
use uuid::Uuid;

use self::provider::Client;
use self::state::Asked;

/// What the paths begin with.
const PREFIX: &str = "/credentials";
/// Where people look at their credentials.
const BACK: &str = "/admin/credentials";
/// The field of a credential that holds its tokens.
const TOKENS: &str = "oauthTokenData";
/// How long giving permission may take, in milliseconds.
const TIME_MS_MAX: i64 = 600_000;
/// What the key is for that vouches for a `state`.
const PURPOSE: &str = "timeloom connecting a credential 1";

/// What connecting a credential needs.
#[derive(Clone)]
pub struct Connect {
    pub commands: Commands,
    pub credentials: Credentials,
    pub access: Access,
    /// Which addresses may be asked for tokens.
    pub outbound: OutboundPolicy,
    /// Where browsers reach this deployment.
    pub public_url: Arc<str>,
}

/// Why a credential is not connected, in words for whoever wanted it.
#[derive(Debug, thiserror::Error)]
enum NotConnected {
    #[error("there is no such credential: save it first")]
    NotFound,
    #[error(
        "this credential needs no permission of anybody: it has no `authUrl`, or its tokens come by the client's own secret"
    )]
    NothingToConnect,
    #[error("its field `{0}` is no address that can be used")]
    NoAddress(&'static str),
    #[error("this was not begun by you, or took too long: begin again")]
    NotBegun,
    #[error("permission was not given ({0})")]
    Refused(String),
    #[error("{0}")]
    Provider(String),
    #[error("you may not save credentials")]
    Forbidden,
    #[error("{0}")]
    Command(String),
}

impl From<CommandError> for NotConnected {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::Command(refusal.message),
            error => {
                tracing::error!(%error, "a credential could not be connected");
                Self::Command("something failed here: try again, or ask whoever runs this server".to_owned())
            }
        }
    }
}

impl NotConnected {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NothingToConnect | Self::NoAddress(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotBegun | Self::Refused(_) | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Provider(_) => StatusCode::BAD_GATEWAY,
            Self::Command(_) => StatusCode::CONFLICT,
        }
    }
}

/// What the browser brings back.
#[derive(Debug, Deserialize)]
struct Callback {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// The routes: `GET /credentials/{id}/connect`, and where the browser comes back to.
pub fn routes(connect: Connect) -> Beside {
    let connect = Data::new(connect);
    let configure = move |config: &mut ServiceConfig| {
        config
            .app_data(connect.clone())
            .route(CREDENTIAL_CALLBACK, web::get().to(back))
            .route("/credentials/{id}/connect", web::get().to(begin));
    };
    Beside { prefix: PREFIX, configure: Arc::new(configure), refusals: None }
}

async fn begin(request: HttpRequest, id: Path<Uuid>, connect: Data<Connect>) -> HttpResponse {
    let Some(asking) = ApiState::asking(&request) else { return HttpResponse::Unauthorized().finish() };
    answer(&asking, begun(&connect, &asking, CredentialId(*id)).await)
}

async fn back(request: HttpRequest, callback: Query<Callback>, connect: Data<Connect>) -> HttpResponse {
    let Some(asking) = ApiState::asking(&request) else { return HttpResponse::Unauthorized().finish() };
    answer(&asking, come_back(&connect, &asking, &callback).await)
}

/// Leads the browser on, or tells why not.
fn answer(asking: &ApiState, to: Result<String, NotConnected>) -> HttpResponse {
    match to {
        Ok(address) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, address))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(why) => told(asking, "The credential is not connected", &why.to_string(), BACK, why.status()),
    }
}

/// Where permission is given.
async fn begun(connect: &Connect, asking: &ApiState, id: CredentialId) -> Result<String, NotConnected> {
    asking.require(Permission::CredentialWrite).map_err(|_| NotConnected::Forbidden)?;
    let opened = connect.opened(asking, id).await?;
    let client = Client::of(&opened.fields)?;
    let key = connect.access.sealing_key(PURPOSE)?;
    let until_ms = connect.commands.clock().now_ms().saturating_add(TIME_MS_MAX);
    let asked = Asked { credential: id, chance: connect.commands.ids().uuid(), until_ms };
    let state = asked.write(&*key, &who(asking));
    Ok(client.question(&connect.callback(), &state, &state::verifier(&*key, &state)).into())
}

async fn come_back(connect: &Connect, asking: &ApiState, callback: &Callback) -> Result<String, NotConnected> {
    asking.require(Permission::CredentialWrite).map_err(|_| NotConnected::Forbidden)?;
    let key = connect.access.sealing_key(PURPOSE)?;
    let state = callback.state.as_deref().unwrap_or_default();
    let asked =
        Asked::read(state, &*key, &who(asking), connect.commands.clock().now_ms()).ok_or(NotConnected::NotBegun)?;
    if let Some(error) = &callback.error {
        return Err(NotConnected::Refused(error.chars().filter(char::is_ascii_graphic).take(100).collect()));
    }
    let code = callback.code.as_deref().ok_or(NotConnected::NotBegun)?;
    let mut opened = connect.opened(asking, asked.credential).await?;
    let client = Client::of(&opened.fields)?;
    let verifier = state::verifier(&*key, state);
    let tokens = client.exchange(&connect.outbound, code, &connect.callback(), &verifier).await?;
    opened.fields.insert(TOKENS.to_owned(), Value::Object(tokens));
    let save = SaveCredential { name: opened.name, credential_type: opened.credential_type, fields: opened.fields };
    connect.credentials.save(&asking.context(None), save).await?;
    Ok(BACK.to_owned())
}

/// Who asks, in words that stay the same from one request to the next.
fn who(asking: &ApiState) -> String {
    let context = asking.context(None);
    serde_json::json!([context.tenant, context.actor]).to_string()
}

impl Connect {
    fn callback(&self) -> String {
        format!("{}{CREDENTIAL_CALLBACK}", self.public_url)
    }

    async fn opened(
        &self,
        asking: &ApiState,
        id: CredentialId,
    ) -> Result<timeloom_commands::OpenedCredential, NotConnected> {
        let opened = self.credentials.opened(asking.tenant(), id).await;
        opened.map_err(|error| NotConnected::Command(error.to_string()))?.ok_or(NotConnected::NotFound)
    }
}
