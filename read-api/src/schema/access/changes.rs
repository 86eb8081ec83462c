//! Changes to who has access. What lets in is in the answer of the change that made it, and nowhere else.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::access::{NewAccount, NewKey};
use timeloom_commands::{CommandContext, Outcome};
use timeloom_domain::access::{Permission as DomainPermission, Permissions, Role as DomainRole};
use timeloom_domain::account::REASON_CHARACTERS_MAX;
use timeloom_domain::ids::{AccountId, SessionId, TenantId};
use timeloom_projections::AsOf as RowsAsOf;
use timeloom_store::Revision;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::account::{Account, account};
use super::api_key::ApiKey;
use super::inputs::{
    AccountInput, CategoryInput, CreateAccountInput, CreateTenantInput, EndSessionInput, IdentityInput,
    MakeApiKeyInput, MakeSignInLinkInput, RemovePasswordInput, RenameAccountInput, RenameTenantInput,
    RevokeApiKeyInput, RoleInput, SetPasswordInput, TenantInput,
};
use super::session::{Session, session};
use super::tenant::Tenant;
use super::then::{Then, time};
use crate::schema::payloads::{ShownId, UserError, Written, payload, refused, settle, taken};
use crate::schema::reading::{rows, state};
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

impl ShownId for AccountId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

impl ShownId for SessionId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

impl ShownId for TenantId {
    type Shown = u32;

    fn shown(&self) -> u32 {
        self.0
    }
}

async fn tenant(state: &ApiState, number: TenantId, as_of: RowsAsOf) -> Result<Option<Tenant>> {
    super::tenant::tenant(state, number, as_of).await
}

payload! {
    /// What a command on an account came to.
    AccountPayload {
        account_id: AccountId => Uuid,
        /// The account, from the read models: asking for it waits until they show `position`.
        account: Account = account
    }
}
payload! {
    /// What a command on a session came to.
    SessionPayload {
        session_id: SessionId => Uuid,
        /// The session, from the read models: asking for it waits until they show `position`.
        session: Session = session
    }
}
payload! {
    /// What a command on a tenant came to.
    TenantPayload {
        number: TenantId => u32,
        /// The tenant, from the read models: asking for it waits until they show `position`.
        tenant: Tenant = tenant
    }
}

/// What making a link came to.
#[derive(SimpleObject)]
pub(crate) struct SignInLinkPayload {
    /// Whom it lets in.
    account_id: Option<Uuid>,
    /// What lets in, once: open `/sign-in/link?token=…` with it. It is told here and nowhere else.
    token: Option<String>,
    /// Until when it does.
    expires_at: Option<DateTime<Utc>>,
    /// The position from which reads show it.
    position: Option<PositionScalar>,
    /// Why it was not made; empty when it was.
    errors: Vec<UserError>,
}

/// What a command on a key came to.
pub(crate) struct ApiKeyPayload {
    id: Option<(AccountId, String)>,
    token: Option<String>,
    written: Written,
}

impl ApiKeyPayload {
    fn refused(error: UserError) -> Self {
        let (_, written) = Written::of::<()>(Err(error));
        Self { id: None, token: None, written }
    }
}

#[Object]
impl ApiKeyPayload {
    /// Whose it is.
    async fn account_id(&self) -> Option<Uuid> {
        self.id.as_ref().map(|(account, _)| account.0)
    }

    /// The part of the key that may be seen.
    async fn key(&self) -> Option<&str> {
        self.id.as_ref().map(|(_, key)| key.as_str())
    }

    /// The whole key, of one that was made just now: send it as `Authorization: Bearer …`. It is told here and nowhere else.
    async fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The key, from the read models: asking for it waits until they show `position`.
    #[graphql(complexity = "child_complexity + 5")]
    async fn api_key(&self, context: &Context<'_>) -> Result<Option<ApiKey>> {
        let (state, Some(id)) = (state(context)?, &self.id) else { return Ok(None) };
        self.written.visible(state).await?;
        let found = rows(state.read_models().api_keys_by_id(state.tenant(), std::slice::from_ref(id), None).await)?;
        Ok(found.into_iter().next().map(|row| ApiKey { row, then: Then::now(state) }))
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// How many events its account has had.
    async fn revision(&self) -> Option<u64> {
        self.written.revision()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// The context of a command with its reason, at a revision. A reason that is too long is refused.
pub(crate) fn because(
    state: &ApiState,
    command_id: Option<Uuid>,
    expected_revision: Option<u64>,
    reason: Option<String>,
) -> std::result::Result<CommandContext, UserError> {
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARACTERS_MAX) {
        let message = format!("a reason has at most {REASON_CHARACTERS_MAX} characters");
        return Err(refused("REASON_MISSING", message));
    }
    // Nothing is no reason; who needs one is told so by the command.
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    let expected_revision = expected_revision.map(Revision);
    Ok(CommandContext { expected_revision, ..state.context_because(command_id, reason) })
}

/// The account that is named, or that of whoever asks.
fn named_or_own(state: &ApiState, account: Option<Uuid>) -> std::result::Result<AccountId, UserError> {
    let own = || state.principal().account;
    account.map(AccountId).or_else(own).ok_or_else(|| {
        refused("ACCOUNT_MISSING", "say which account: you have none of your own, since you have the machine")
    })
}

impl From<UserError> for ApiKeyPayload {
    fn from(error: UserError) -> Self {
        Self::refused(error)
    }
}

impl From<UserError> for SignInLinkPayload {
    fn from(error: UserError) -> Self {
        Self { account_id: None, token: None, expires_at: None, position: None, errors: vec![error] }
    }
}

/// The changes to who has access.
#[derive(Debug, Default)]
pub struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Makes an account.
    async fn create_account(&self, context: &Context<'_>, input: CreateAccountInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let command = taken!(AccountPayload, because(state, input.command_id, None, Some(input.reason)));
        let new = NewAccount {
            kind: input.kind.into(),
            name: input.name,
            email: input.email,
            on_behalf_of: input.on_behalf_of.map(AccountId),
            roles: input.roles.into_iter().map(DomainRole::from).collect(),
        };
        AccountPayload::of(state.access().create_account(&command, new).await)
    }

    /// Calls an account otherwise.
    async fn rename_account(&self, context: &Context<'_>, input: RenameAccountInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let id = taken!(AccountPayload, named_or_own(state, input.account_id));
        let RenameAccountInput { command_id, expected_revision, reason, .. } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, reason));
        AccountPayload::of(state.access().rename_account(&command, id, input.name, input.email).await)
    }

    /// Gives a role to an account: one that may do no more than you.
    async fn grant_role(&self, context: &Context<'_>, input: RoleInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let RoleInput { command_id, expected_revision, reason, .. } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, Some(reason)));
        AccountPayload::of(state.access().grant_role(&command, AccountId(input.account_id), input.role.into()).await)
    }

    /// Takes a role from an account. There is always an owner.
    async fn revoke_role(&self, context: &Context<'_>, input: RoleInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let RoleInput { command_id, expected_revision, reason, .. } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, Some(reason)));
        AccountPayload::of(state.access().revoke_role(&command, AccountId(input.account_id), input.role.into()).await)
    }

    /// Lets an account let nobody in any more: its keys and sessions are worth nothing from then on.
    async fn disable_account(&self, context: &Context<'_>, input: AccountInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let AccountInput { command_id, expected_revision, account_id, reason } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, Some(reason)));
        AccountPayload::of(state.access().disable_account(&command, AccountId(account_id)).await)
    }

    /// Lets an account let in again.
    async fn enable_account(&self, context: &Context<'_>, input: AccountInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let AccountInput { command_id, expected_revision, account_id, reason } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, Some(reason)));
        AccountPayload::of(state.access().enable_account(&command, AccountId(account_id)).await)
    }

    /// Lets in to an account whom an identity provider knows by a name.
    async fn link_identity(&self, context: &Context<'_>, input: IdentityInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let IdentityInput { command_id, expected_revision, account_id, issuer, subject, reason } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, reason));
        AccountPayload::of(state.access().link_identity(&command, AccountId(account_id), issuer, subject).await)
    }

    /// Lets them in no more.
    async fn unlink_identity(&self, context: &Context<'_>, input: IdentityInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let IdentityInput { command_id, expected_revision, account_id, issuer, subject, reason } = input;
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, reason));
        AccountPayload::of(state.access().unlink_identity(&command, AccountId(account_id), issuer, subject).await)
    }

    /// Takes a password for a user.
    async fn set_password(&self, context: &Context<'_>, input: SetPasswordInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let SetPasswordInput { command_id, expected_revision, account_id, current_password, password, reason } = input;
        let (password, now) = (Zeroizing::new(password), current_password.map(Zeroizing::new));
        let now = now.as_ref().map(|now| now.as_str());
        let id = taken!(AccountPayload, named_or_own(state, account_id));
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, reason));
        AccountPayload::of(state.access().set_password(&command, id, now, &password).await)
    }

    /// Lets no password let in to an account any more.
    async fn remove_password(&self, context: &Context<'_>, input: RemovePasswordInput) -> Result<AccountPayload> {
        let state = state(context)?;
        let RemovePasswordInput { command_id, expected_revision, account_id, current_password, reason } = input;
        let now = current_password.map(Zeroizing::new);
        let now = now.as_ref().map(|now| now.as_str());
        let id = taken!(AccountPayload, named_or_own(state, account_id));
        let command = taken!(AccountPayload, because(state, command_id, expected_revision, reason));
        AccountPayload::of(state.access().remove_password(&command, id, now).await)
    }

    /// Makes a link that lets a user in once.
    async fn make_sign_in_link(&self, context: &Context<'_>, input: MakeSignInLinkInput) -> Result<SignInLinkPayload> {
        let state = state(context)?;
        let MakeSignInLinkInput { command_id, expected_revision, account_id, minutes, reason } = input;
        let command = taken!(SignInLinkPayload, because(state, command_id, expected_revision, Some(reason)));
        let valid_ms = i64::from(minutes) * 60_000;
        let made = state.access().make_sign_in_link(&command, AccountId(account_id), valid_ms).await;
        let made = taken!(SignInLinkPayload, settle(made)?);
        told_once(context);
        Ok(SignInLinkPayload {
            account_id: Some(made.value.account.0),
            token: Some(made.value.token.to_string()),
            expires_at: time(made.value.expires_at_ms),
            position: Some(PositionScalar(made.position)),
            errors: Vec::new(),
        })
    }

    /// Makes a key. Everybody makes keys of their own, which may do no more than what made them.
    async fn make_api_key(&self, context: &Context<'_>, input: MakeApiKeyInput) -> Result<ApiKeyPayload> {
        let state = state(context)?;
        let id = taken!(ApiKeyPayload, named_or_own(state, input.account_id));
        let MakeApiKeyInput { command_id, expected_revision, name, scopes, expires_at, reason, .. } = input;
        let command = taken!(ApiKeyPayload, because(state, command_id, expected_revision, reason));
        let scopes: Option<Permissions> = scopes.map(|scopes| scopes.into_iter().map(DomainPermission::from).collect());
        let new = NewKey { name, scopes, expires_at_ms: expires_at.map(|at| at.timestamp_millis()) };
        let made = taken!(ApiKeyPayload, settle(state.access().make_key(&command, id, new).await)?);
        told_once(context);
        let (token, key) = (made.value.token.to_string(), made.value.key.clone());
        let (id, written) = Written::of(Ok(made.with((id, key))));
        Ok(ApiKeyPayload { id, token: Some(token), written })
    }

    /// Lets a key let in no more.
    async fn revoke_api_key(&self, context: &Context<'_>, input: RevokeApiKeyInput) -> Result<ApiKeyPayload> {
        let state = state(context)?;
        let id = taken!(ApiKeyPayload, named_or_own(state, input.account_id));
        let RevokeApiKeyInput { command_id, expected_revision, key, reason, .. } = input;
        let command = taken!(ApiKeyPayload, because(state, command_id, expected_revision, reason));
        let revoked = settle(state.access().revoke_key(&command, id, key.clone()).await)?;
        let (id, written) = Written::of(revoked.map(|done: Outcome<AccountId>| done.with((id, key))));
        Ok(ApiKeyPayload { id, token: None, written })
    }

    /// Ends a session: your own, or with `account:write` that of another.
    async fn end_session(&self, context: &Context<'_>, input: EndSessionInput) -> Result<SessionPayload> {
        let state = state(context)?;
        let command = taken!(SessionPayload, because(state, input.command_id, None, input.reason));
        SessionPayload::of(state.access().end_session(&command, SessionId(input.session_id)).await)
    }

    /// Makes a tenant; it gets the next number.
    async fn create_tenant(&self, context: &Context<'_>, input: CreateTenantInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let command = taken!(TenantPayload, because(state, input.command_id, None, Some(input.reason)));
        TenantPayload::of(state.access().create_tenant(&command, input.name).await)
    }

    /// Calls a tenant otherwise.
    async fn rename_tenant(&self, context: &Context<'_>, input: RenameTenantInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let RenameTenantInput { command_id, expected_revision, tenant, name, reason } = input;
        let command = taken!(TenantPayload, because(state, command_id, expected_revision, Some(reason)));
        TenantPayload::of(state.access().rename_tenant(&command, TenantId(tenant), name).await)
    }

    /// Lets nobody of a tenant in, and starts nothing of it.
    async fn suspend_tenant(&self, context: &Context<'_>, input: TenantInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let TenantInput { command_id, expected_revision, tenant, reason } = input;
        let command = taken!(TenantPayload, because(state, command_id, expected_revision, Some(reason)));
        TenantPayload::of(state.access().suspend_tenant(&command, TenantId(tenant)).await)
    }

    /// Lets them in again.
    async fn resume_tenant(&self, context: &Context<'_>, input: TenantInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let TenantInput { command_id, expected_revision, tenant, reason } = input;
        let command = taken!(TenantPayload, because(state, command_id, expected_revision, Some(reason)));
        TenantPayload::of(state.access().resume_tenant(&command, TenantId(tenant)).await)
    }

    /// Lets programs of others append to a category of a tenant by themselves.
    async fn open_category(&self, context: &Context<'_>, input: CategoryInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let CategoryInput { command_id, expected_revision, tenant, category, reason } = input;
        let command = taken!(TenantPayload, because(state, command_id, expected_revision, Some(reason)));
        TenantPayload::of(state.access().open_category(&command, TenantId(tenant), category).await)
    }

    /// Lets them not any more; what they appended stays.
    async fn close_category(&self, context: &Context<'_>, input: CategoryInput) -> Result<TenantPayload> {
        let state = state(context)?;
        let CategoryInput { command_id, expected_revision, tenant, category, reason } = input;
        let command = taken!(TenantPayload, because(state, command_id, expected_revision, Some(reason)));
        TenantPayload::of(state.access().close_category(&command, TenantId(tenant), category).await)
    }
}

/// The answer is for one reader and one time: nobody on its way keeps it, and this process does not either.
fn told_once(context: &Context<'_>) {
    context.insert_http_header("cache-control", "no-store");
}
