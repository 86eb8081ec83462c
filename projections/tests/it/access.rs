//! Who has access: what stories of accounts, keys, sessions and tenants make of rows.

use std::sync::Arc;

use proptest::prelude::*;
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_domain::account::{Account, AccountEvent, AccountKind, SealedPassword};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_domain::session::{SESSION_IDLE_MAX_MS, SessionEnd, SessionEvent, SignInMethod};
use timeloom_domain::tenant::TenantEvent;
use timeloom_projections::{AccountFilter, ApiKeyFilter, Cursor, Page, SessionFilter};
use timeloom_store::{Append, EventLog, Expected, MemoryLog, Metadata, NewEvent, Position, RequestFacts, Revision};

use crate::places::Place;
use crate::world::{
    Chance, TENANT, Told, World, account_id, caught_up, chances, log_of, new_event, position, session_id, told, told_by,
};

fn created(kind: AccountKind) -> AccountEvent {
    let email = (kind == AccountKind::User).then(|| "ada@example.org".to_owned());
    let on_behalf_of = (kind == AccountKind::Agent).then(|| account_id(0));
    AccountEvent::AccountCreated { kind, name: "Ada".to_owned(), email, on_behalf_of }
}

fn key_made(key: &str, scopes: Option<&[Permission]>, expires_at_ms: Option<i64>) -> AccountEvent {
    AccountEvent::ApiKeyMade {
        key: key.to_owned(),
        name: format!("the key {key}"),
        digest: "5ec7e7".repeat(10),
        scopes: scopes.map(Permissions::of),
        expires_at_ms,
    }
}

/// Appends what somebody told for a reason.
async fn tell_by(log: &MemoryLog, told: &Told, actor: Actor, reason: &str) {
    let event = new_event(u128::from(log.head().0) + 1, told);
    let facts = RequestFacts { reason: Some(reason.to_owned()), ..RequestFacts::default() };
    let metadata = Metadata { actor, request: Some(Arc::new(facts)), ..(*event.metadata).clone() };
    let command_id = metadata.command_id;
    let event = NewEvent { metadata: Arc::new(metadata), ..event };
    log.append(Append::new(told.stream.clone(), Expected::Any, vec![event], command_id)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_row_tells_what_it_is_and_who_made_it_so() {
    let id = account_id(1);
    let issuer = "https://id.example.org".to_owned();
    let sealed = SealedPassword {
        key: "k1".to_owned(),
        nonce: "bm9uY2U=".to_owned(),
        ciphertext: "Y2lwaGVydGV4dA==".to_owned(),
    };
    let story = [
        told(id, &created(AccountKind::User)),
        told(id, &AccountEvent::PasswordSet { sealed }),
        told(id, &AccountEvent::IdentityLinked { issuer: issuer.clone(), subject: "42".to_owned() }),
        told(id, &AccountEvent::AccountRenamed { name: "Ada L.".to_owned(), email: Some("al@example.org".to_owned()) }),
        told(id, &AccountEvent::AccountDisabled {}),
        told(id, &AccountEvent::IdentityUnlinked { issuer, subject: "42".to_owned() }),
        told(id, &AccountEvent::PasswordRemoved {}),
    ];
    for place in Place::both().await {
        let log = log_of(&story).await;
        let owner = Actor::User(account_id(0));
        let grant = told(id, &AccountEvent::RoleGranted { role: Role::Editor });
        tell_by(&log, &grant, owner.clone(), "joins the team").await;
        let models = caught_up(place.store(), &log).await;
        let at = async |at| models.accounts_by_id(TENANT, &[id], Some(position(at))).await.unwrap().pop().unwrap();

        assert_eq!(models.accounts_by_id(TENANT, &[id], Some(position(0))).await.unwrap(), []);
        assert_eq!(
            (at(1).await.has_password, at(2).await.has_password, at(7).await.has_password),
            (false, true, false)
        );
        assert_eq!((at(3).await.identities.len(), at(6).await.identities.len()), (1, 0));
        assert_eq!((at(3).await.name.as_str(), at(4).await.name.as_str()), ("Ada", "Ada L."));
        assert_eq!(at(4).await.email.as_deref(), Some("al@example.org"));
        assert_eq!((at(4).await.disabled, at(5).await.disabled), (false, true));
        let now = at(8).await;
        let [grant] = now.roles.as_slice() else { panic!("{now:?}") };
        assert_eq!((grant.role, grant.by.position), (Role::Editor, position(8)));
        assert_eq!(grant.by.at, now.provenance.updated_at);
        assert_eq!((&grant.by.actor, grant.by.reason.as_deref()), (&owner, Some("joins the team")));
        assert_eq!(now.permissions(), Permissions::NONE, "it is disabled");
        assert_eq!(now.provenance.revision, Revision(8));

        let listed =
            async |tenant, filter| models.accounts(tenant, None, &Page::first(10), filter).await.unwrap().rows.len();
        let role = |role| AccountFilter { role: Some(role), ..AccountFilter::default() };
        assert_eq!((listed(TENANT, role(Role::Editor)).await, listed(TENANT, role(Role::Owner)).await), (1, 0));
        assert_eq!(listed(TenantId(9), AccountFilter::default()).await, 0, "nothing of another tenant");
        assert_eq!(models.accounts_by_id(TenantId(9), &[id], None).await.unwrap(), []);
        models.close().await.unwrap();
        let dump = place.dump().await.concat();
        assert!(dump.contains("al@example.org") && !dump.contains("bm9uY2U") && !dump.contains("Y2lwaGVy"), "{dump}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_row_tells_what_it_may_do_and_who_revoked_it_and_no_digest() {
    let (id, other) = (account_id(0), account_id(1));
    let story = [
        told(id, &created(AccountKind::User)),
        told(other, &created(AccountKind::Service)),
        told(id, &key_made("one", Some(&[Permission::WorkflowRead]), Some(5_000))),
        told(other, &key_made("one", None, None)),
        told(id, &AccountEvent::ApiKeyUsed { key: "one".to_owned(), at_ms: 2_000 }),
        told(id, &AccountEvent::ApiKeyRevoked { key: "never made".to_owned() }),
    ];
    for place in Place::both().await {
        let log = log_of(&story).await;
        let revoke = told(other, &AccountEvent::ApiKeyRevoked { key: "one".to_owned() });
        tell_by(&log, &revoke, Actor::User(id), "it was on a screen").await;
        let models = caught_up(place.store(), &log).await;
        let row = async |account, at| {
            let ids = [(account, "one".to_owned())];
            models.api_keys_by_id(TENANT, &ids, Some(position(at))).await.unwrap().pop()
        };
        assert_eq!(row(other, 3).await, None);
        assert_eq!(row(id, 3).await.unwrap().used_at_ms, None);
        let mine = row(id, 6).await.unwrap();
        assert_eq!(
            (mine.used_at_ms, mine.expires_at_ms, mine.name.as_str()),
            (Some(2_000), Some(5_000), "the key one")
        );
        assert_eq!((mine.lets_in_at(4_999), mine.lets_in_at(5_000)), (true, false));
        let both = Permissions::of(&[Permission::WorkflowRead, Permission::AuditRead]);
        assert_eq!(mine.permissions(both), Permissions::of(&[Permission::WorkflowRead]));
        assert_eq!(mine.permissions(Permissions::NONE), Permissions::NONE);
        assert!(row(other, 6).await.unwrap().lets_in_at(i64::MAX - 1));
        let revoked = row(other, 7).await.unwrap();
        assert!(!revoked.lets_in_at(0));
        let by = revoked.revoked.unwrap();
        assert_eq!((by.actor, by.reason.as_deref()), (Actor::User(id), Some("it was on a screen")));

        let at = |now_ms| Some((true, now_ms));
        let pages = [
            (Some(id), None),
            (Some(other), None),
            (None, None),
            (None, at(4_999)),
            (None, at(5_000)),
            (None, Some((false, 5_000))),
        ]
        .map(|(account, lets_in)| (Page::first(10), ApiKeyFilter { account, lets_in }));
        let count = async |as_of| {
            let found = models.api_key_pages(TENANT, as_of, &pages).await.unwrap();
            found.iter().map(|page| page.rows.len()).collect::<Vec<_>>()
        };
        assert_eq!(count(None).await, [1, 1, 2, 1, 0, 2]);
        assert_eq!(count(Some(position(6))).await, [1, 1, 2, 2, 1, 1]);
        models.close().await.unwrap();
        assert!(!place.dump().await.concat().contains("5ec7e7"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_row_lets_in_until_it_ends_expires_or_is_left_alone() {
    let (id, account) = (session_id(0), account_id(0));
    let started = SessionEvent::SessionStarted {
        account,
        method: SignInMethod::Password,
        digest: "5ec7e7".repeat(10),
        at_ms: 1_000,
        expires_at_ms: 5_000_000,
        address: Some("192.0.2.7".to_owned()),
        user_agent: None,
    };
    let story = [
        told(id, &started),
        told(id, &SessionEvent::SessionUsed { at_ms: 3_000_000 }),
        told(id, &SessionEvent::SessionEnded { why: SessionEnd::Revoked }),
        told(session_id(1), &started),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.sessions_by_id(TENANT, &[id], Some(position(at))).await.unwrap().pop().unwrap();
        assert_eq!(at(1).await.lets_in_until_ms(), Some(1_000 + SESSION_IDLE_MAX_MS));
        assert_eq!(at(2).await.lets_in_until_ms(), Some(5_000_000), "not beyond the longest time");
        let ended = at(3).await;
        assert_eq!((ended.lets_in_until_ms(), ended.ended), (None, Some(SessionEnd::Revoked)));
        assert_eq!((ended.method, ended.address.as_deref()), (SignInMethod::Password, Some("192.0.2.7")));
        assert_eq!(ended.ended_by.unwrap().actor, Actor::Local("tester".to_owned()));

        let pages = [None, Some((true, 4_000_000)), Some((true, 1_000)), Some((false, 4_000_000))]
            .map(|lets_in| (Page::first(10), SessionFilter { account: Some(account), lets_in }));
        let count = async |as_of: Option<Position>| {
            let found = models.session_pages(TENANT, as_of, &pages).await.unwrap();
            found.iter().map(|page| page.rows.len()).collect::<Vec<_>>()
        };
        assert_eq!(count(Some(position(2))).await, [1, 1, 1, 0]);
        assert_eq!(count(Some(position(3))).await, [1, 0, 0, 1]);
        assert_eq!(count(None).await, [2, 0, 1, 2]);
        models.close().await.unwrap();
        assert!(!place.dump().await.concat().contains("5ec7e7"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_rows_are_the_first_tenants_and_keep_their_numbers() {
    let of = |id: &str, event: &TenantEvent| told_by(TenantId(0), id, event);
    let story = [
        of("a", &TenantEvent::TenantCreated { tenant: TenantId(1), name: "one".to_owned() }),
        of("b", &TenantEvent::TenantCreated { tenant: TenantId(2), name: "two".to_owned() }),
        of("a", &TenantEvent::TenantSuspended {}),
        of("a", &TenantEvent::TenantRenamed { name: "uno".to_owned() }),
        of("a", &TenantEvent::TenantResumed {}),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |number, at| models.tenant_row(TenantId(number), Some(position(at))).await.unwrap();
        assert_eq!(at(2, 1).await, None);
        assert!(at(1, 3).await.unwrap().suspended);
        let now = models.tenant_row(TenantId(1), None).await.unwrap().unwrap();
        assert_eq!((now.tenant, now.name.as_str(), now.suspended), (TenantId(1), "uno", false));
        let names = async |page| {
            let found = models.tenants(None, &page).await.unwrap();
            found.rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Page::first(10)).await, ["two", "uno"]);
        assert_eq!(names(Page::after(10, Cursor(position(2)))).await, ["uno"]);
        models.close().await.unwrap();
    }
}

/// A story in which nearly all is about accounts.
fn about_accounts(chances: &[Chance]) -> World {
    let mut world = World::default();
    for (what, which, how) in chances {
        world.happen((6 + what % 3, *which, *how));
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn at_every_event_a_row_may_do_what_the_fold_of_its_stream_may(chances in chances(60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let story = about_accounts(&chances).story;
            let folder = Place::folder();
            let models = caught_up(folder.store(), &log_of(&story).await).await;
            let mut folds: [Account; 4] = Default::default();
            for (number, told) in story.iter().enumerate() {
                if *told.stream.category == *AccountEvent::CATEGORY {
                    let which = (0..4).find(|which| *told.stream.id == *account_id(*which).to_string()).unwrap();
                    folds[which].apply(&serde_json::from_str(told.event.payload.get()).unwrap());
                }
                let as_of = Some(position(number + 1));
                for (which, fold) in folds.iter().enumerate() {
                    let id = account_id(which);
                    let row = models.accounts_by_id(TENANT, &[id], as_of).await.unwrap().pop();
                    assert_eq!(row.is_some(), fold.exists);
                    let Some(row) = row else { continue };
                    assert_eq!(row.permissions(), fold.permissions());
                    assert_eq!(row.roles.len(), fold.roles.len());
                    assert_eq!((row.on_behalf_of, row.identities), (fold.on_behalf_of, fold.identities.clone()));
                    let pages = [(Page::first(100), ApiKeyFilter { account: Some(id), lets_in: Some((true, 9_000)) })];
                    let keys = models.api_key_pages(TENANT, as_of, &pages).await.unwrap().pop().unwrap().rows;
                    let known = |key: &str| fold.keys.iter().find(|known| known.key == key).unwrap();
                    assert_eq!(keys.len(), fold.keys.len(), "a revoked key never lets in");
                    assert!(keys.iter().all(|key| known(&key.key).scopes == key.scopes));
                }
            }
            models.close().await.unwrap();
        });
    }
}
