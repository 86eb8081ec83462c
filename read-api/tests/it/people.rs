//! People and programs with accounts, for tests of who is let in.

use serde_json::{Value, json};
use timeloom_commands::access::{NewAccount, NewKey};
use timeloom_commands::{CommandContext, Ids as _, SystemIds};
use timeloom_domain::access::{Permissions, Role};
use timeloom_domain::account::AccountKind;
use timeloom_domain::ids::{AccountId, Actor, CommandId, TenantId};

use crate::support::TestServer;

/// Whoever has the machine, in a tenant.
pub(crate) fn machine(tenant: TenantId) -> CommandContext {
    CommandContext::trusted(tenant, Actor::Local("test".to_owned()), CommandId(SystemIds.uuid()))
}

impl TestServer {
    /// Makes an account of a user.
    pub(crate) async fn user(&self, tenant: TenantId, name: &str, roles: &[Role]) -> AccountId {
        let email = Some(format!("{name}@example.org"));
        let new = NewAccount {
            kind: AccountKind::User,
            name: name.to_owned(),
            email,
            on_behalf_of: None,
            roles: roles.to_vec(),
        };
        self.access.create_account(&machine(tenant), new).await.unwrap().value
    }

    /// Makes a key of an account; its id and its text.
    pub(crate) async fn key_of(
        &self,
        tenant: TenantId,
        account: AccountId,
        scopes: Option<Permissions>,
    ) -> (String, String) {
        let new = NewKey { name: "test".to_owned(), scopes, expires_at_ms: None };
        let made = self.access.make_key(&machine(tenant), account, new).await.unwrap().value;
        (made.key, made.token.to_string())
    }

    /// Makes an account with these roles and a key of it; the text of the key.
    pub(crate) async fn key_with(&self, tenant: TenantId, name: &str, roles: &[Role]) -> String {
        let account = self.user(tenant, name, roles).await;
        self.key_of(tenant, account, None).await.1
    }

    /// Makes another tenant.
    pub(crate) async fn tenant(&self, name: &str) -> TenantId {
        let first = crate::support::FIRST_TENANT;
        self.access.create_tenant(&machine(first), name.to_owned()).await.unwrap().value
    }

    /// The answer to a document, for whoever has that key.
    pub(crate) async fn ask_with(&self, key: &str, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let sent = self.client.post(self.url("/graphql")).bearer_auth(key).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), 200, "{query}");
        sent.json().await.unwrap()
    }
}
