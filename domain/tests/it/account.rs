//! Rules of the Account, Session and Tenant aggregates.

use timeloom_domain::access::{Permissions, Role};
use timeloom_domain::account::{Account, AccountCommand, AccountEvent, AccountKind, AccountRefusal, KEYS_MAX};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_domain::session::{
    SESSION_IDLE_MAX_MS, SESSION_TIME_MAX_MS, SESSION_USE_EVERY_MS, Session, SessionCommand, SessionEnd, SessionEvent,
    SessionRefusal, SignInMethod,
};
use timeloom_domain::tenant::{Tenant, TenantCommand, TenantEvent, TenantRefusal};
use uuid::Uuid;

use crate::given::given;

const NOW: i64 = 1_790_000_000_000;

fn created(kind: AccountKind) -> AccountEvent {
    let email = (kind == AccountKind::User).then(|| "ann@example.org".to_owned());
    let on_behalf_of = (kind == AccountKind::Agent).then(|| AccountId(Uuid::from_u128(1)));
    AccountEvent::AccountCreated { kind, name: "Ann".to_owned(), email, on_behalf_of }
}

fn granted(role: Role) -> AccountEvent {
    AccountEvent::RoleGranted { role }
}

fn create(kind: AccountKind, email: Option<&str>, roles: &[Role]) -> AccountCommand {
    let on_behalf_of = (kind == AccountKind::Agent).then(|| AccountId(Uuid::from_u128(1)));
    let email = email.map(str::to_owned);
    AccountCommand::Create { kind, name: "Ann".to_owned(), email, on_behalf_of, roles: roles.to_vec() }
}

fn key_made(key: &str, expires_at_ms: Option<i64>) -> AccountEvent {
    let (name, digest) = ("import".to_owned(), "d".repeat(64));
    AccountEvent::ApiKeyMade { key: key.to_owned(), name, digest, scopes: None, expires_at_ms }
}

fn make_key(key: &str, expires_at_ms: Option<i64>) -> AccountCommand {
    let (name, digest) = ("import".to_owned(), "d".repeat(64));
    AccountCommand::MakeKey { key: key.to_owned(), name, digest, scopes: None, expires_at_ms, now_ms: NOW }
}

fn link_made(link: &str) -> AccountEvent {
    AccountEvent::SignInLinkMade { link: link.to_owned(), digest: link.repeat(8), expires_at_ms: NOW + 1 }
}

fn use_link(link: &str, digest: &str, now_ms: i64) -> AccountCommand {
    AccountCommand::UseLink { link: link.to_owned(), digest: digest.to_owned(), now_ms }
}

#[test]
fn an_account_begins_with_its_roles_each_once() {
    let user = AccountKind::User;
    let roles = [Role::Viewer, Role::Editor, Role::Viewer];
    given::<Account>([]).when(create(user, Some("ann@example.org"), &roles)).then([
        created(user),
        granted(Role::Editor),
        granted(Role::Viewer),
    ]);
    given::<Account>([]).when(create(user, None, &[])).refused(AccountRefusal::NoEmail);
    for wrong in ["ann", "@example.org", "ann@", "ann b@example.org", &format!("{}@example.org", "a".repeat(250))] {
        given::<Account>([]).when(create(user, Some(wrong), &[])).refused(AccountRefusal::InvalidEmail);
    }
    let agent = create(AccountKind::Agent, None, &[Role::Admin]);
    given::<Account>([]).when(agent).refused(AccountRefusal::RoleNotForAgents(Role::Admin));
    let named = create(AccountKind::Service, Some("ann@example.org"), &[]);
    given::<Account>([]).when(named).refused(AccountRefusal::OnlyUsersHaveEmail);
}

#[test]
fn the_last_owner_stays_one_and_stays_enabled() {
    let owner = || given::<Account>([created(AccountKind::User), granted(Role::Owner)]);
    let revoke = |others_own| AccountCommand::Revoke { role: Role::Owner, others_own };
    owner().when(revoke(false)).refused(AccountRefusal::LastOwner);
    owner().when(revoke(true)).then([AccountEvent::RoleRevoked { role: Role::Owner }]);
    owner().when(AccountCommand::Disable { others_own: false }).refused(AccountRefusal::LastOwner);
    owner().when(AccountCommand::Disable { others_own: true }).then([AccountEvent::AccountDisabled {}]);
    assert_eq!(owner().state.permissions(), Permissions::ALL);
}

#[test]
fn a_disabled_account_may_nothing_and_gets_no_key() {
    let events = [created(AccountKind::User), granted(Role::Admin), AccountEvent::AccountDisabled {}];
    let disabled = given::<Account>(events);
    assert_eq!(disabled.state.permissions(), Permissions::NONE);
    disabled.when(make_key("a", None)).refused(AccountRefusal::Disabled);
}

#[test]
fn a_link_is_used_once_by_who_has_its_secret_in_time() {
    let with_link = || given::<Account>([created(AccountKind::User), link_made("a")]);
    let used = AccountEvent::SignInLinkUsed { link: "a".to_owned() };
    with_link().when(use_link("a", "aaaaaaaa", NOW)).then([used.clone()]);
    for wrong in [use_link("a", "aaaaaaab", NOW), use_link("b", "aaaaaaaa", NOW), use_link("a", "aaaaaaaa", NOW + 1)] {
        with_link().when(wrong).refused(AccountRefusal::LinkNotValid);
    }
    let again = given::<Account>([created(AccountKind::User), link_made("a"), used]);
    again.when(use_link("a", "aaaaaaaa", NOW)).refused(AccountRefusal::LinkNotValid);
    let newer = ["b", "c", "d", "e", "f"].map(link_made);
    let many = given::<Account>([created(AccountKind::User), link_made("a")].into_iter().chain(newer));
    many.when(use_link("a", "aaaaaaaa", NOW)).refused(AccountRefusal::LinkNotValid);
}

#[test]
fn an_account_has_so_many_keys_that_let_in() {
    let keys = |count: usize, until: Option<i64>| {
        let keys = (0..count).map(move |key| key_made(&key.to_string(), until));
        given::<Account>(std::iter::once(created(AccountKind::Service)).chain(keys))
    };
    keys(KEYS_MAX, None).when(make_key("new", None)).refused(AccountRefusal::TooManyKeys);
    keys(KEYS_MAX, Some(NOW)).when(make_key("new", None)).then([key_made("new", None)]);
    keys(1, None).when(make_key("0", None)).changes_nothing();
    keys(0, None).when(make_key("a", Some(NOW))).refused(AccountRefusal::InvalidExpiry);
    let revoked = AccountEvent::ApiKeyRevoked { key: "0".to_owned() };
    let without = given::<Account>([created(AccountKind::Service), key_made("0", None), revoked]);
    without.when(AccountCommand::RevokeKey { key: "0".to_owned() }).refused(AccountRefusal::KeyNotFound);
}

fn started() -> SessionEvent {
    SessionEvent::SessionStarted {
        account: AccountId(Uuid::from_u128(1)),
        method: SignInMethod::Password,
        digest: "d".repeat(64),
        at_ms: NOW,
        expires_at_ms: NOW + SESSION_TIME_MAX_MS,
        address: None,
        user_agent: None,
    }
}

#[test]
fn a_session_ends_by_itself_when_it_rests_and_when_it_is_old() {
    let note = |now_ms| SessionCommand::NoteUse { now_ms };
    let session = || given::<Session>([started()]);
    session().when(note(NOW + SESSION_USE_EVERY_MS - 1)).changes_nothing();
    let used = |at_ms| SessionEvent::SessionUsed { at_ms };
    session().when(note(NOW + SESSION_USE_EVERY_MS)).then([used(NOW + SESSION_USE_EVERY_MS)]);
    session().when(note(NOW + SESSION_IDLE_MAX_MS)).refused(SessionRefusal::Ended);
    let uses = (1..30).map(|hour| used(NOW + hour * SESSION_IDLE_MAX_MS / 2));
    let old = given::<Session>(std::iter::once(started()).chain(uses));
    assert_eq!(old.state.lets_in_until_ms(), NOW + SESSION_TIME_MAX_MS);
    let ended = SessionEvent::SessionEnded { why: SessionEnd::SignedOut };
    given::<Session>([started(), ended.clone()]).when(SessionCommand::End(SessionEnd::Revoked)).changes_nothing();
    let mut state = Session::default();
    [started(), ended, used(NOW)].iter().for_each(|event| state.apply(event));
    assert_eq!(state.lets_in_until_ms(), 0);
}

#[test]
fn a_tenant_is_made_once_and_suspended_and_resumed() {
    let made = || TenantEvent::TenantCreated { tenant: TenantId(7), name: "Example".to_owned() };
    let create = || TenantCommand::Create { tenant: TenantId(7), name: "Example".to_owned() };
    given::<Tenant>([]).when(create()).then([made()]);
    given::<Tenant>([made()]).when(create()).refused(TenantRefusal::AlreadyExists);
    given::<Tenant>([]).when(TenantCommand::Suspend).refused(TenantRefusal::NotFound);
    given::<Tenant>([made()]).when(TenantCommand::Suspend).then([TenantEvent::TenantSuspended {}]);
    given::<Tenant>([made()]).when(TenantCommand::Resume).changes_nothing();
    let rename = TenantCommand::Rename { name: " Example".to_owned() };
    given::<Tenant>([made()]).when(rename).refused(TenantRefusal::InvalidName);
}
