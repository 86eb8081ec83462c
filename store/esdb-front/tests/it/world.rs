//! A front over a log in memory, with accounts and open categories.

use std::net::TcpListener;
use std::sync::Arc;

use timeloom_commands::access::{NewAccount, NewKey};
use timeloom_commands::credentials::keys::{GivenKeys, Keyring};
use timeloom_commands::{Access, Clock, CommandContext, Commands, Ids as _, SystemIds};
use timeloom_domain::access::{Permission, Permissions, Principal, Role};
use timeloom_domain::account::AccountKind;
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::ids::{Actor, CommandId, FIRST_TENANT, TenantId};
use timeloom_esdb_front::{Front, FrontParts, OpenTo, Served, serve};
use timeloom_store::claims::OneProcess;
use timeloom_store::mark::NoMark;
use timeloom_store::{MemoryLog, SystemClock};

pub(crate) struct World {
    pub(crate) access: Access,
    served: Served,
}

struct StillClock;

impl Clock for StillClock {
    fn now_ms(&self) -> i64 {
        1_764_000_000_000
    }
}

impl World {
    pub(crate) async fn open_to_everybody() -> Self {
        Self::new(OpenTo::Everybody(Box::new(Principal::local(FIRST_TENANT, "tester")))).await
    }

    pub(crate) async fn new(open_to: OpenTo) -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let (clock, ids) = (Arc::new(StillClock), Arc::new(SystemIds));
        let commands = Commands::new(log.clone(), Arc::new(NodeCatalogue::default()), clock, ids.clone());
        let keys = Keyring::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "a test").unwrap();
        let access = Access::new(commands, Arc::new(GivenKeys::new(keys, "a test")), ids.clone());
        let front = Front::new(FrontParts {
            log,
            access: access.clone(),
            open_to,
            ids,
            marks: Arc::new(|_| Arc::new(NoMark)),
            claims: Arc::new(OneProcess),
            measure: Arc::new(|_| Ok(())),
        });
        let served = serve(&front, TcpListener::bind("127.0.0.1:0").unwrap(), None).unwrap();
        let world = Self { access, served };
        for category in ["timeloom_log", "timeloom_blob"] {
            world.open(FIRST_TENANT, category).await;
        }
        world
    }

    /// Lets clients append to a category.
    pub(crate) async fn open(&self, tenant: TenantId, category: &str) {
        self.access.open_category(&context(), tenant, category.to_owned()).await.unwrap();
    }

    /// A tenant of that name.
    pub(crate) async fn tenant(&self, name: &str) -> TenantId {
        self.access.create_tenant(&context(), name.to_owned()).await.unwrap().value
    }

    /// A key of an administrator, that may do this alone.
    pub(crate) async fn key(&self, tenant: TenantId, scopes: &[Permission]) -> String {
        let account = NewAccount {
            kind: AccountKind::Service,
            name: "client".to_owned(),
            email: None,
            on_behalf_of: None,
            roles: vec![Role::Admin],
        };
        let of = || CommandContext { tenant, ..context() };
        let account = self.access.create_account(&of(), account).await.unwrap().value;
        let new = NewKey { name: "key".to_owned(), scopes: Some(Permissions::of(scopes)), expires_at_ms: None };
        self.access.make_key(&of(), account, new).await.unwrap().value.token.to_string()
    }

    /// Where clients find it, with the key that they show.
    pub(crate) fn address(&self, key: Option<&str>) -> String {
        let key = key.map(|key| format!("someone:{key}@")).unwrap_or_default();
        format!("esdb://{key}{}?tls=false", self.served.address())
    }
}

fn context() -> CommandContext {
    CommandContext::trusted(FIRST_TENANT, Actor::Local("tester".to_owned()), CommandId(SystemIds.uuid()))
}
