//! Who is let in, and who may change what, over a real log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use timeloom_commands::access::{
    Access, MadeKey, NewAccount, NewKey, NotLetIn, SESSION_FRESH_MS, SignInError, SignInFrom, SignInRefusal,
};
use timeloom_commands::credentials::keys::{GivenKeys, Keyring};
use timeloom_commands::{CommandContext, CommandError, ImportWorkflow, Keeping, SystemIds};
use timeloom_domain::access::{Permission, Permissions, Principal, Role};
use timeloom_domain::account::AccountKind;
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::ids::{AccountId, CommandId, TenantId};
use timeloom_store::{Direction, EventLog as _, RequestFacts, Revision, StreamKey};

use crate::bench::{World, by_hand, source};

const PASSWORD: &str = "correct horse battery staple";
const FIRST: TenantId = TenantId(0);

fn access(world: &World) -> Access {
    let keys = Keyring::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "a test").unwrap();
    Access::new(world.commands.clone(), Arc::new(GivenKeys::new(keys, "a test")), Arc::new(SystemIds))
}

/// A command of who has the machine, in the first tenant.
fn local(world: &World) -> CommandContext {
    CommandContext { tenant: FIRST, ..world.context() }
}

/// A command of `principal`, with a reason.
fn of(world: &World, principal: &Principal) -> CommandContext {
    let request = RequestFacts { reason: Some("a test".to_owned()), ..RequestFacts::default() };
    CommandContext {
        tenant: principal.tenant,
        actor: principal.actor.clone(),
        permissions: principal.permissions,
        request: Some(Arc::new(request)),
        ..world.context()
    }
}

/// A command of somebody whom a session let in.
fn by_session(world: &World, principal: &Principal) -> CommandContext {
    let context = of(world, principal);
    let via = principal.via.as_deref().map(str::to_owned);
    let request = RequestFacts { via, ..context.request.as_deref().cloned().unwrap_or_default() };
    CommandContext { request: Some(Arc::new(request)), ..context }
}

fn user(name: &str, roles: &[Role]) -> NewAccount {
    NewAccount {
        kind: AccountKind::User,
        name: name.to_owned(),
        email: Some(format!("{}@example.org", name.to_lowercase())),
        on_behalf_of: None,
        roles: roles.to_vec(),
    }
}

async fn make(world: &World, access: &Access, new: NewAccount) -> AccountId {
    access.create_account(&local(world), new).await.unwrap().value
}

async fn key_of(world: &World, access: &Access, id: AccountId, scopes: Option<Permissions>) -> MadeKey {
    let new = NewKey { name: "test".to_owned(), scopes, expires_at_ms: None };
    access.make_key(&local(world), id, new).await.unwrap().value
}

fn code<T: std::fmt::Debug>(result: Result<T, CommandError>) -> &'static str {
    match result.unwrap_err() {
        CommandError::Refused(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_key_lets_in_until_it_is_revoked_and_no_other_text_does() {
    let world = World::new();
    let access = access(&world);
    let ann = make(&world, &access, user("Ann", &[Role::Editor])).await;
    let key = key_of(&world, &access, ann, None).await;
    let principal = access.let_in_by_key(&key.token).unwrap();
    assert_eq!((principal.account, principal.permissions), (Some(ann), Role::Editor.permissions()));
    assert_eq!(principal.via.as_deref(), Some(&*format!("key:{}", key.key)));
    assert_eq!(access.let_in_by_key("timeloom_key_nonsense"), Err(NotLetIn::Malformed));
    access.revoke_key(&local(&world), ann, key.key.clone()).await.unwrap();
    assert_eq!(access.let_in_by_key(&key.token), Err(NotLetIn::Unknown));
    assert_eq!(access.renewed(&principal), Err(NotLetIn::Unknown));
}

#[tokio::test]
async fn a_key_may_what_its_scopes_its_account_and_whom_an_agent_acts_for_may() {
    let world = World::new();
    let access = access(&world);
    let scopes = Permissions::of(&[Permission::WorkflowRead, Permission::AccountWrite]);
    let ann = make(&world, &access, user("Ann", &[Role::Viewer])).await;
    let key = key_of(&world, &access, ann, Some(scopes)).await;
    let may = access.let_in_by_key(&key.token).unwrap().permissions;
    assert_eq!(may, Permissions::of(&[Permission::WorkflowRead]));
    let agent = NewAccount {
        kind: AccountKind::Agent,
        name: "Helper".to_owned(),
        email: None,
        on_behalf_of: Some(ann),
        roles: vec![Role::Editor],
    };
    let agent = make(&world, &access, agent).await;
    let key = key_of(&world, &access, agent, None).await;
    let principal = access.let_in_by_key(&key.token).unwrap();
    assert_eq!(principal.permissions, Role::Viewer.permissions());
    assert_eq!(principal.on_behalf_of, Some(timeloom_domain::ids::Actor::User(ann)));
    access.disable_account(&local(&world), ann).await.unwrap();
    assert_eq!(access.let_in_by_key(&key.token).unwrap().permissions, Permissions::NONE);
    assert_eq!(access.renewed(&principal).unwrap().permissions, Permissions::NONE);
}

#[tokio::test]
async fn keys_expire_and_disabled_accounts_and_suspended_tenants_let_nobody_in() {
    let world = World::new();
    let access = access(&world);
    let tenant = access.create_tenant(&local(&world), "Example Ltd".to_owned()).await.unwrap().value;
    assert_eq!(tenant, TenantId(1));
    let theirs = || CommandContext { tenant, ..world.context() };
    let bob = access.create_account(&theirs(), user("Bob", &[Role::Owner])).await.unwrap().value;
    let now_ms = world.commands.clock().now_ms();
    let new = NewKey { name: "short".to_owned(), scopes: None, expires_at_ms: Some(now_ms + 1) };
    let short = access.make_key(&theirs(), bob, new).await.unwrap().value;
    let late = NewKey { name: "late".to_owned(), scopes: None, expires_at_ms: Some(now_ms) };
    assert_eq!(code(access.make_key(&theirs(), bob, late).await), "INVALID_EXPIRY");
    let principal = access.let_in_by_key(&short.token).unwrap();
    assert_eq!(principal.tenant, tenant);
    assert!(!principal.permissions.has(Permission::TenantWrite), "only the first tenant runs the installation");
    let denied = access.create_tenant(&of(&world, &principal), "Another".to_owned()).await;
    assert_eq!(code(denied), "FORBIDDEN");
    let import = || ImportWorkflow { workflow_id: None, source: source("W") };
    let workflow = world.commands.import_workflow(&theirs(), import()).await.unwrap().value;
    access.suspend_tenant(&local(&world), tenant).await.unwrap();
    assert_eq!(code(world.commands.start_execution(&theirs(), by_hand(workflow)).await), "TENANT_SUSPENDED");
    assert_eq!(access.let_in_by_key(&short.token), Err(NotLetIn::Disabled));
    access.resume_tenant(&local(&world), tenant).await.unwrap();
    let cleo = access.create_account(&theirs(), user("Cleo", &[Role::Owner])).await.unwrap().value;
    access.disable_account(&theirs(), bob).await.unwrap();
    assert_eq!(access.let_in_by_key(&short.token), Err(NotLetIn::Disabled));
    assert_eq!(code(access.disable_account(&theirs(), cleo).await), "LAST_OWNER");
    assert_eq!(code(access.suspend_tenant(&local(&world), FIRST).await), "FIRST_TENANT");
}

#[tokio::test]
async fn nobody_gives_or_takes_more_than_they_have() {
    let world = World::new();
    let access = access(&world);
    let owner = make(&world, &access, user("Owner", &[Role::Owner])).await;
    let admin = make(&world, &access, user("Admin", &[Role::Admin])).await;
    let viewer = make(&world, &access, user("Viewer", &[Role::Viewer])).await;
    let as_admin = access.let_in_by_key(&key_of(&world, &access, admin, None).await.token).unwrap();
    let as_viewer = access.let_in_by_key(&key_of(&world, &access, viewer, None).await.token).unwrap();
    let (by_admin, by_viewer) = (|| of(&world, &as_admin), || of(&world, &as_viewer));
    let new = || NewKey { name: "mine".to_owned(), scopes: None, expires_at_ms: None };
    assert_eq!(code(access.grant_role(&by_admin(), admin, Role::Owner).await), "FORBIDDEN");
    assert_eq!(code(access.make_key(&by_admin(), owner, new()).await), "FORBIDDEN");
    assert_eq!(code(access.make_sign_in_link(&by_admin(), owner, 1_000).await), "FORBIDDEN");
    assert_eq!(code(access.set_password(&by_admin(), owner, None, PASSWORD).await), "FORBIDDEN");
    assert_eq!(code(access.disable_account(&by_admin(), owner).await), "FORBIDDEN");
    assert_eq!(code(access.grant_role(&by_viewer(), viewer, Role::Editor).await), "FORBIDDEN");
    assert_eq!(code(access.create_account(&by_viewer(), user("X", &[])).await), "FORBIDDEN");
    access.grant_role(&by_admin(), viewer, Role::Editor).await.unwrap();
    assert!(access.renewed(&as_viewer).unwrap().permissions.has(Permission::WorkflowWrite));
    // A key of one's own may do no more than what made it.
    let narrow = Permissions::of(&[Permission::WorkflowRead]);
    let narrow = access.let_in_by_key(&key_of(&world, &access, viewer, Some(narrow)).await.token).unwrap();
    assert_eq!(code(access.make_key(&of(&world, &narrow), viewer, new()).await), "FORBIDDEN");
    // Nor does a key make others of itself, whatever it may.
    let with_key = RequestFacts { via: Some("key:3Fa9xQ0b".to_owned()), ..RequestFacts::default() };
    let with_key = || CommandContext { request: Some(Arc::new(with_key.clone())), ..by_viewer() };
    assert_eq!(code(access.make_key(&with_key(), viewer, new()).await), "FORBIDDEN");
    assert_eq!(code(access.set_password(&with_key(), viewer, None, PASSWORD).await), "FORBIDDEN");
    let seeing = NewKey { scopes: Some(Role::Viewer.permissions()), ..new() };
    access.make_key(&by_viewer(), viewer, seeing).await.unwrap();
    let silent = CommandContext { request: None, ..by_admin() };
    assert_eq!(code(access.grant_role(&silent, viewer, Role::Auditor).await), "REASON_MISSING");
    let import = ImportWorkflow { workflow_id: None, source: source("W") };
    assert_eq!(code(world.commands.import_workflow(&of(&world, &narrow), import).await), "FORBIDDEN");
}

#[tokio::test]
async fn every_tenant_has_owners_of_its_own_whom_its_admins_do_not_touch() {
    let world = World::new();
    let access = access(&world);
    for tenant in [FIRST, access.create_tenant(&local(&world), "Example Ltd".to_owned()).await.unwrap().value] {
        let theirs = || CommandContext { tenant, ..world.context() };
        let mut people = Vec::new();
        for (name, role) in [("Owner", Role::Owner), ("Admin", Role::Admin), ("Viewer", Role::Viewer)] {
            let id = access.create_account(&theirs(), user(name, &[role])).await.unwrap().value;
            let new = NewKey { name: "test".to_owned(), scopes: None, expires_at_ms: None };
            let key = access.make_key(&theirs(), id, new).await.unwrap().value;
            people.push((id, access.let_in_by_key(&key.token).unwrap()));
        }
        let [(owner, as_owner), (_, as_admin), (viewer, _)] = &people[..] else { panic!("three were made") };
        for role in &Role::EACH[1..] {
            access.grant_role(&of(&world, as_admin), *viewer, *role).await.unwrap();
        }
        assert_eq!(code(access.grant_role(&of(&world, as_admin), *viewer, Role::Owner).await), "FORBIDDEN");
        assert_eq!(code(access.set_password(&of(&world, as_admin), *owner, None, PASSWORD).await), "FORBIDDEN");
        access.grant_role(&of(&world, as_owner), *viewer, Role::Owner).await.unwrap();
        access.disable_account(&of(&world, as_owner), *owner).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_and_a_link_let_in_and_a_link_only_once() {
    let world = World::new();
    let access = access(&world);
    let made = access.ensure_owner(FIRST).await.unwrap().unwrap();
    let signed_in = access.sign_in_by_link(&made.token, SignInFrom::default()).await.unwrap();
    assert_eq!(signed_in.principal.permissions, Permissions::ALL);
    let again = access.sign_in_by_link(&made.token, SignInFrom::default()).await.unwrap_err();
    assert!(matches!(again, SignInError::Refused(SignInRefusal::LinkNotValid)), "{again}");
    let known = access.let_in_by_session(&signed_in.token).unwrap();
    assert_eq!(known, signed_in.principal);
    let own = || by_session(&world, &known);
    assert_eq!(code(access.set_password(&own(), made.account, None, "short").await), "WEAK_PASSWORD");
    access.set_password(&own(), made.account, None, PASSWORD).await.unwrap();
    assert_eq!(access.ensure_owner(FIRST).await.unwrap().map(|made| made.account), None);
    let from = SignInFrom { address: Some("192.0.2.7".to_owned()), ..SignInFrom::default() };
    let by_password = access.sign_in_by_password(FIRST, "OWNER@localhost", PASSWORD, from.clone()).await.unwrap();
    assert_eq!(by_password.principal.account, Some(made.account));
    for (email, password) in [("owner@localhost", "another horse"), ("nobody@localhost", PASSWORD)] {
        let refused = access.sign_in_by_password(FIRST, email, password, from.clone()).await.unwrap_err();
        assert_eq!(refused.to_string(), "the e-mail address or the password is wrong");
    }
    access.end_session(&own(), by_password.session).await.unwrap();
    assert_eq!(access.let_in_by_session(&by_password.token), Err(NotLetIn::Unknown));
    assert_eq!(access.renewed(&known), Ok(known.clone()));
    // Another process knows the same, from the log alone.
    let other = self::access(&world);
    other.directory().caught_up().await.unwrap();
    assert_eq!(other.let_in_by_session(&signed_in.token), Ok(known));
    assert_eq!(other.let_in_by_session(&by_password.token), Err(NotLetIn::Unknown));
}

#[tokio::test]
async fn a_command_with_a_secret_tells_it_once_and_addresses_and_identities_have_one_account() {
    let world = World::new();
    let access = access(&world);
    let ann = make(&world, &access, user("Ann", &[Role::Viewer])).await;
    let bob = make(&world, &access, user("Bob", &[Role::Viewer])).await;
    let context = CommandContext { command_id: CommandId(uuid::Uuid::from_u128(99)), ..local(&world) };
    let new = || NewKey { name: "once".to_owned(), scopes: None, expires_at_ms: None };
    access.make_key(&context, ann, new()).await.unwrap();
    assert_eq!(code(access.make_key(&context, ann, new()).await), "SHOWN_ONCE");
    let taken = NewAccount { email: Some("ANN@example.org".to_owned()), ..user("Eve", &[]) };
    assert_eq!(code(access.create_account(&local(&world), taken).await), "EMAIL_TAKEN");
    let identity = || ("https://id.example.org".to_owned(), "ann-7".to_owned());
    let (issuer, subject) = identity();
    access.link_identity(&local(&world), ann, issuer, subject).await.unwrap();
    let (issuer, subject) = identity();
    assert_eq!(
        code(access.link_identity(&local(&world), bob, issuer.clone(), subject.clone()).await),
        "IDENTITY_TAKEN"
    );
    let signed_in = access.sign_in_by_identity(FIRST, &issuer, &subject, SignInFrom::default()).await.unwrap();
    assert_eq!(signed_in.principal.account, Some(ann));
    let unknown = access.sign_in_by_identity(FIRST, &issuer, "somebody", SignInFrom::default()).await.unwrap_err();
    assert!(matches!(unknown, SignInError::Refused(SignInRefusal::UnknownIdentity)));
}

#[tokio::test]
async fn the_use_of_a_key_is_written_down_once_a_day() {
    let world = World::new();
    let access = access(&world);
    let ann = make(&world, &access, user("Ann", &[Role::Viewer])).await;
    let principal = access.let_in_by_key(&key_of(&world, &access, ann, None).await.token).unwrap();
    for _ in 0..3 {
        access.note_use(&principal).await;
    }
    let stream = StreamKey::new(FIRST, "account", ann.to_string());
    let read = world.log.read_stream(&stream, Revision::default(), Direction::Forward, 100).await.unwrap();
    let used = read.iter().filter(|event| &*event.event_type == "ApiKeyUsed").count();
    assert_eq!(used, 1);
}

#[tokio::test]
async fn a_session_that_is_not_fresh_changes_a_password_only_with_the_one_that_it_is_now() {
    let world = World::new();
    let access = access(&world);
    let ann = make(&world, &access, user("Ann", &[Role::Viewer])).await;
    let link = access.make_sign_in_link(&local(&world), ann, 60_000).await.unwrap().value;
    let by_link = access.sign_in_by_link(&link.token, SignInFrom::default()).await.unwrap();
    let own = || by_session(&world, &by_link.principal);
    access.directory().caught_up().await.unwrap();
    assert!(!access.asks_for_password(&own(), ann), "who has just signed in shows enough");
    world.clock.advance(SESSION_FRESH_MS);
    assert!(access.asks_for_password(&own(), ann));
    // There is none to show yet.
    assert_eq!(code(access.set_password(&own(), ann, None, PASSWORD).await), "SIGN_IN_AGAIN");
    assert_eq!(code(access.set_password(&own(), ann, Some(PASSWORD), PASSWORD).await), "WRONG_PASSWORD");
    access.set_password(&local(&world), ann, None, PASSWORD).await.unwrap();
    access.directory().caught_up().await.unwrap();
    let other = "another horse battery";
    assert_eq!(code(access.set_password(&own(), ann, None, other).await), "SIGN_IN_AGAIN");
    assert_eq!(code(access.remove_password(&own(), ann, None).await), "SIGN_IN_AGAIN");
    assert_eq!(code(access.remove_password(&own(), ann, Some(other)).await), "WRONG_PASSWORD");
    access.set_password(&own(), ann, Some(PASSWORD), other).await.unwrap();
    access.directory().caught_up().await.unwrap();
    for _ in 0..3 {
        assert_eq!(code(access.set_password(&own(), ann, Some(PASSWORD), PASSWORD).await), "WRONG_PASSWORD");
    }
    assert_eq!(code(access.set_password(&own(), ann, Some(other), PASSWORD).await), "TOO_MANY_TRIES");
    world.clock.advance(SESSION_FRESH_MS);
    // Who tries many at once gets no more of them.
    let mine = own();
    let at_once = (0..20).map(|_| access.set_password(&mine, ann, Some(PASSWORD), PASSWORD));
    let codes: Vec<_> = futures::future::join_all(at_once).await.into_iter().map(code).collect();
    let looked_at = codes.iter().filter(|code| **code == "WRONG_PASSWORD").count();
    assert_eq!((looked_at, codes.iter().filter(|code| **code == "TOO_MANY_TRIES").count()), (5, 15), "{codes:?}");
    world.clock.advance(SESSION_FRESH_MS);
    access.remove_password(&own(), ann, Some(other)).await.unwrap();
    // Nobody else's session counts for them, and who may change others shows nothing.
    let owner = make(&world, &access, user("Owner", &[Role::Owner])).await;
    let link = access.make_sign_in_link(&local(&world), owner, 60_000).await.unwrap().value;
    let as_owner = access.sign_in_by_link(&link.token, SignInFrom::default()).await.unwrap().principal;
    world.clock.advance(SESSION_FRESH_MS);
    access.set_password(&by_session(&world, &as_owner), ann, None, PASSWORD).await.unwrap();
    let theirs = access.sign_in_by_password(FIRST, "ann@example.org", PASSWORD, SignInFrom::default()).await.unwrap();
    assert_eq!(theirs.principal.account, Some(ann));
}

#[tokio::test]
async fn what_is_written_down_reads_nothing() {
    let world = World::new();
    let access = access(&world);
    let looked = |which: &str| AuditEvent::AuditTrailRead { what: "events".to_owned(), which: Some(which.to_owned()) };
    for number in 0..20 {
        access.write_down(&local(&world), looked(&number.to_string())).await.unwrap();
    }
    let other = self::access(&world.restarted(Keeping::default()));
    world.log.reads.store(0, Ordering::Relaxed);
    let context = local(&world);
    let written = other.write_down(&context, looked("last")).await.unwrap();
    assert_eq!((written.revision, written.repeated), (Revision(21), false));
    // The same command again is the same event.
    let again = other.write_down(&context, looked("last")).await.unwrap();
    assert_eq!((again.revision, again.repeated), (Revision(21), true));
    assert_eq!(world.log.reads.load(Ordering::Relaxed), 0);
}
