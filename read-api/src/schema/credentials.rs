//! Credentials: which there are, of what types, and the changes to them. No value of a field is ever answered.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_commands::SaveCredential;
use timeloom_domain::credential::types::{self as domain, CREDENTIAL_TYPES, CredentialFieldKind as DomainKind};
use timeloom_domain::ids::CredentialId;
use timeloom_projections::{AsOf as RowsAsOf, CredentialRow};
use uuid::Uuid;

use super::history::History;
use super::payloads::{UserError, payload, refused, user_error};
use super::reading::{rows, state};
use crate::state::ApiState;

/// Where whoever gives permission sends the browser back to, below the deployment's address.
pub const CREDENTIAL_CALLBACK: &str = "/credentials/callback";
/// The field that says where permission is given: a credential that has it can be connected.
const AUTH_URL: &str = "authUrl";

/// A credential. Its values are sealed: nobody can read them here.
#[derive(Debug, Clone)]
pub(crate) struct Credential(pub CredentialRow);

#[Object]
impl Credential {
    /// Its id, which follows from its type and name.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.0.into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its type, such as `httpBasicAuth`.
    #[graphql(name = "type")]
    async fn credential_type(&self) -> &str {
        &self.0.credential_type
    }

    /// The names of its fields.
    async fn fields(&self) -> &[String] {
        &self.0.fields
    }

    /// Fingerprint of the key under which its fields are sealed.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Where a browser begins to connect it, for a credential that needs somebody's permission (OAuth 2); null for others. Whoever
    /// opens it needs `credential:write`.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn connect_url(&self, context: &Context<'_>) -> Result<Option<String>> {
        let is_connected_by_people = self.0.fields.iter().any(|field| field == AUTH_URL);
        let public_url = &state(context)?.webhooks().public_url;
        Ok(is_connected_by_people.then(|| format!("{public_url}/credentials/{}/connect", self.0.id.0)))
    }

    /// How often it was saved: 1 is the first time. Another key changes nothing of it.
    async fn version(&self) -> u64 {
        self.0.version
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.0.provenance.into()
    }
}

/// One credential as of a moment; none when it was deleted by then.
pub(crate) async fn credential(state: &ApiState, id: CredentialId, as_of: RowsAsOf) -> Result<Option<Credential>> {
    let row = rows(state.read_models().credential(state.tenant(), id, as_of).await)?;
    Ok(row.filter(|row| !row.deleted).map(Credential))
}

/// Kind of value that a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum CredentialFieldKind {
    /// Text.
    Text,
    /// A number, also as text.
    Number,
    /// True or false, also as text.
    Boolean,
    /// One of the words in `options`.
    Options,
    /// JSON, as text or as it is.
    Json,
}

/// One field of a type of credentials.
#[derive(Debug, SimpleObject)]
pub(crate) struct CredentialField {
    /// Its name.
    pub name: &'static str,
    /// Kind of value.
    pub kind: CredentialFieldKind,
    /// The words that are allowed, for options.
    pub options: Option<Vec<&'static str>>,
    /// Whether people are not to see what they type.
    pub secret: bool,
    /// Whether a credential without it is refused.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// A type of credentials that nodes of this build use. Others are taken with whatever fields they have.
#[derive(Debug, SimpleObject)]
pub(crate) struct CredentialType {
    /// Its name in workflow files.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Its fields.
    pub fields: Vec<CredentialField>,
    /// Where whoever gives permission sends the browser back to, which they have to be told beforehand; null for types that
    /// need nobody's permission.
    pub callback_url: Option<String>,
}

/// The types that are known.
pub(crate) fn credential_types(public_url: &str) -> Vec<CredentialType> {
    let field = |field: &domain::CredentialField| {
        let (kind, options) = match field.kind {
            DomainKind::Text => (CredentialFieldKind::Text, None),
            DomainKind::Number => (CredentialFieldKind::Number, None),
            DomainKind::Boolean => (CredentialFieldKind::Boolean, None),
            DomainKind::Options(words) => (CredentialFieldKind::Options, Some(words.to_vec())),
            DomainKind::Json => (CredentialFieldKind::Json, None),
        };
        let domain::CredentialField { name, secret, required, description, .. } = *field;
        CredentialField { name, kind, options, secret, required, description }
    };
    let known = |known: &domain::CredentialType| CredentialType {
        name: known.name,
        display_name: known.display_name,
        fields: known.fields.iter().map(field).collect(),
        callback_url: known
            .fields
            .iter()
            .any(|field| field.name == AUTH_URL)
            .then(|| format!("{public_url}{CREDENTIAL_CALLBACK}")),
    };
    CREDENTIAL_TYPES.iter().map(known).collect()
}

payload! {
    /// What a command on a credential came to.
    CredentialPayload {
        credential_id: CredentialId => Uuid,
        /// The credential, from the read models: asking for it waits until they show `position`.
        credential: Credential = credential
    }
}

/// A credential to save. Send it as variables: texts of queries are kept in many places.
#[derive(InputObject)]
pub(crate) struct SaveCredentialInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the credential is at this revision.
    expected_revision: Option<u64>,
    /// Its name: the credential of that type and name is replaced.
    name: String,
    /// Its type, such as `httpBasicAuth`; see `credentialTypes`.
    #[graphql(name = "type")]
    credential_type: String,
    /// Its fields, as an object.
    data: Value,
}

/// A credential to do something with.
#[derive(Debug, InputObject)]
pub(crate) struct CredentialInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the credential is at this revision.
    expected_revision: Option<u64>,
    /// The credential.
    credential_id: Uuid,
}

/// How to seal everything anew.
#[derive(Debug, InputObject)]
pub(crate) struct RotateCredentialsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Whether a new key is made first. Where keys are given to the server, they are not made by it.
    #[graphql(default)]
    new_key: bool,
}

/// What sealing everything anew came to.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct RotateCredentialsPayload {
    /// Fingerprint of the key under which everything is sealed now.
    pub key: Option<String>,
    /// Credentials that were sealed anew.
    pub resealed_count: u64,
    /// Credentials that were under that key already.
    pub kept_count: u64,
    /// Passwords of users that were sealed anew.
    pub password_count: u64,
    /// Credentials and passwords that could not be opened, and stay as they are.
    pub failed_count: u64,
    /// Why, for the first hundred credentials of them.
    pub failures: Vec<String>,
    /// Why it was not done; empty when it was.
    pub errors: Vec<UserError>,
}

pub(crate) async fn save(state: &ApiState, input: SaveCredentialInput) -> Result<CredentialPayload> {
    let Value::Object(fields) = input.data else {
        let message = "data must be an object with the fields of the credential";
        return Ok(CredentialPayload::from(refused("INVALID_FIELDS", message)));
    };
    let save = SaveCredential { name: input.name, credential_type: input.credential_type, fields };
    CredentialPayload::of(
        state.credentials().save(&state.context_at(input.command_id, input.expected_revision), save).await,
    )
}

pub(crate) async fn delete(state: &ApiState, input: CredentialInput) -> Result<CredentialPayload> {
    let context = state.context_at(input.command_id, input.expected_revision);
    let id = CredentialId(input.credential_id);
    CredentialPayload::of(state.credentials().delete(&context, id).await)
}

pub(crate) async fn rotate(state: &ApiState, input: RotateCredentialsInput) -> Result<RotateCredentialsPayload> {
    let context = state.context(input.command_id);
    let rotated = async {
        let rotated = state.credentials().rotate(&context, input.new_key).await?;
        Ok((rotated, state.access().reseal_passwords(&context).await?))
    };
    match rotated.await {
        Ok((rotated, (passwords, unopened))) => Ok(RotateCredentialsPayload {
            key: Some(rotated.key),
            resealed_count: rotated.resealed,
            kept_count: rotated.kept,
            password_count: passwords,
            failed_count: rotated.failed + unopened,
            failures: rotated.failures,
            errors: Vec::new(),
        }),
        Err(error) => Ok(RotateCredentialsPayload { errors: vec![user_error(error)?], ..Default::default() }),
    }
}
