//! `timeloom account`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use timeloom_domain::access::Role;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Why, api_word, asked, change, listed, print, print_once, told, word};
use crate::app::App;
use crate::cli::moment::Moment;
use crate::cli::workflow::read_file;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

/// Minutes that a link lets in unless something else is said: a day.
const LINK_MINUTES: i32 = 1_440;

/// Asking for the account waits until lists show the change.
const DONE: &str = "accountId position revision account { id } errors { code message }";
const LIST: &str = "query($first: Int!, $after: String, $kind: AccountKind, $role: Role, $asOf: AsOf) {
  accounts(first: $first, after: $after, kind: $kind, role: $role, asOf: $asOf) {
  nodes { id kind name email disabled roles { role } } pageInfo { hasNextPage endCursor } } }";
const SHOW: &str =
    "query($id: UUID!, $asOf: AsOf) { account(id: $id, asOf: $asOf) { id kind name email disabled hasPassword
  permissions identities { issuer subject } onBehalfOf { id name }
  roles { role granted { actor { kind name } reason at position } }
  apiKeys(first: 100, active: true) { nodes { key name scopes expiresAt lastUsedAt } }
  history { createdAt updatedAt revision } } }";

/// Whose account it is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// A person's.
    User,
    /// A program's.
    Service,
    /// An agent's, which acts for somebody.
    Agent,
}

impl Kind {
    fn api(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Service => "SERVICE",
            Self::Agent => "AGENT",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum AccountVerb {
    /// List the accounts
    List {
        /// Only those of this kind.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Only those that have this role.
        #[arg(long)]
        role: Option<Role>,
        /// As they were then: a position, a time or a day.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Show an account: its roles with who gave them, and its keys
    Show {
        /// Its id.
        id: Uuid,
        /// As it was then: a position, a revision (r3), a time or a day.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Make an account
    Create {
        /// What it is called.
        name: String,
        /// Whose it is.
        #[arg(long, value_enum, default_value = "user")]
        kind: Kind,
        /// Where its user gets mail, which is also the name to sign in with.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// For whom an agent acts.
        #[arg(long, value_name = "ID")]
        on_behalf_of: Option<Uuid>,
        /// What it is; as often as there are roles.
        #[arg(long)]
        role: Vec<Role>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Call an account otherwise
    Rename {
        /// Its id.
        id: Uuid,
        /// What it is called.
        name: String,
        /// Where its user gets mail.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Give a role to an account
    Grant {
        /// Its id.
        id: Uuid,
        /// The role.
        role: Role,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Take a role from an account
    Revoke {
        /// Its id.
        id: Uuid,
        /// The role.
        role: Role,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let nobody in to an account any more
    Disable {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let in again
    Enable {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Give a password to a user, or take it away
    Password {
        /// Its id.
        id: Uuid,
        /// A file with the password in its first line; `-` reads standard input.
        #[arg(long, value_name = "FILE", required_unless_present = "remove", conflicts_with = "remove")]
        file: Option<PathBuf>,
        /// Let no password in any more.
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Make a link that lets a user in once
    Link {
        /// Its id.
        #[arg(required_unless_present = "owner")]
        id: Option<Uuid>,
        /// For an owner, who is made where there is none: needs the data folder or the database, and no role.
        #[arg(long, conflicts_with_all = ["id", "server"])]
        owner: bool,
        /// The tenant, with --owner.
        #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "owner")]
        tenant: u32,
        /// For how many minutes it lets in, a week at most.
        #[arg(long, value_name = "COUNT", default_value_t = LINK_MINUTES, value_parser = clap::value_parser!(i32).range(1..=10_080))]
        minutes: i32,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let in whom an identity provider knows by a name, or no more
    #[command(subcommand)]
    Identity(IdentityVerb),
}

#[derive(Debug, Subcommand)]
pub enum IdentityVerb {
    /// Let them in
    Link(IdentityArguments),
    /// Let them in no more
    Unlink(IdentityArguments),
}

#[derive(Debug, clap::Args)]
pub struct IdentityArguments {
    /// The account.
    id: Uuid,
    /// The provider's address.
    issuer: String,
    /// The name there.
    subject: String,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    access: Access,
}

impl AccountVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { kind, role, at, access } => {
                let more = json!({
                    "kind": kind.map(Kind::api),
                    "role": role.map(|role| api_word(role.name())),
                    "asOf": at.map(Moment::as_of),
                });
                let found = listed(&access, config, LIST, "accounts", more).await?;
                print(found, access.json, &["ID", "KIND", "NAME", "EMAIL", "ROLES", "STATUS"], cells);
                Ok(())
            }
            Self::Show { id, at, access } => show(id, at, &access, config).await,
            Self::Create { name, kind, email, on_behalf_of, role, why, access } => {
                let roles: Vec<String> = role.iter().map(|role| api_word(role.name())).collect();
                let input = json!({ "kind": kind.api(), "name": name, "email": email, "onBehalfOf": on_behalf_of,
                    "roles": roles, "reason": why.reason });
                run(&access, config, ("createAccount", "CreateAccountInput"), input, "made").await
            }
            Self::Rename { id, name, email, why, access } => {
                let input = json!({ "accountId": id, "name": name, "email": email, "reason": why.reason });
                run(&access, config, ("renameAccount", "RenameAccountInput"), input, "renamed").await
            }
            Self::Grant { id, role, why, access } => {
                let input = json!({ "accountId": id, "role": api_word(role.name()), "reason": why.reason });
                run(&access, config, ("grantRole", "RoleInput"), input, &format!("{role} is now")).await
            }
            Self::Revoke { id, role, why, access } => {
                let input = json!({ "accountId": id, "role": api_word(role.name()), "reason": why.reason });
                run(&access, config, ("revokeRole", "RoleInput"), input, &format!("{role} is no more")).await
            }
            Self::Disable { id, why, access } => {
                let input = json!({ "accountId": id, "reason": why.reason });
                run(&access, config, ("disableAccount", "AccountInput"), input, "disabled").await
            }
            Self::Enable { id, why, access } => {
                let input = json!({ "accountId": id, "reason": why.reason });
                run(&access, config, ("enableAccount", "AccountInput"), input, "enabled").await
            }
            Self::Password { id, file, remove: _, why, access } => password(id, file, &why, &access, config).await,
            Self::Link { owner: true, tenant, access, .. } => owner_link(tenant, &access, config).await,
            Self::Link { id, minutes, why, access, .. } => {
                let query = "mutation($input: MakeSignInLinkInput!) { makeSignInLink(input: $input) {
                    accountId token expiresAt position errors { code message } } }";
                let input = json!({ "accountId": id, "minutes": minutes, "reason": why.reason });
                let payload = change(&access, config, "makeSignInLink", query, input).await?;
                print_once(&payload, access.json, "link");
                Ok(())
            }
            Self::Identity(verb) => identity(verb, config).await,
        }
    }
}

/// Sends a change of an account, and tells that it was done.
async fn run(
    access: &Access,
    config: &Config,
    (field, input_type): (&str, &str),
    input: Value,
    done: &str,
) -> Result<(), Failure> {
    let query = format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {DONE} }} }}");
    let payload = change(access, config, field, &query, input).await?;
    told(&payload, access.json, done);
    Ok(())
}

fn roles(account: &Value) -> String {
    let grants = account.get("roles").and_then(Value::as_array).cloned().unwrap_or_default();
    let roles: Vec<String> = grants.iter().filter_map(|grant| grant.get("role")?.as_str()).map(word).collect();
    if roles.is_empty() { "-".to_owned() } else { roles.join(", ") }
}

fn cells(account: &Value) -> Vec<String> {
    let [id, kind, name, email] = ["/id", "/kind", "/name", "/email"].map(|path| output::text(account, path));
    let is_disabled = account.get("disabled") == Some(&Value::Bool(true));
    let status = if is_disabled { "disabled" } else { "lets in" };
    vec![id, word(&kind), name, email, roles(account), status.to_owned()]
}

async fn show(id: Uuid, at: Option<Moment>, access: &Access, config: &Config) -> Result<(), Failure> {
    let data = asked(access, config, SHOW, json!({ "id": id, "asOf": at.map(Moment::as_of) })).await?;
    let account = data.get("account").cloned().unwrap_or_default();
    if account.is_null() {
        output::error(&format!("there is no account {id}: `timeloom account list` shows which there are"));
        return Err(Failure::Refused);
    }
    if access.json {
        output::json(&account);
        return Ok(());
    }
    output::line(&cells(&account).join("  "));
    output::line(&format!("may: {}", super::words(&account, "/permissions")));
    let each = |path: &str| account.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    for grant in each("/roles") {
        let [role, kind, by, at, reason] =
            ["/role", "/granted/actor/kind", "/granted/actor/name", "/granted/at", "/granted/reason"]
                .map(|path| output::text(&grant, path));
        output::line(&format!("role {}: given by {kind}:{by} at {at}: {reason}", word(&role)));
    }
    for known in each("/identities") {
        let [issuer, subject] = ["/issuer", "/subject"].map(|path| output::text(&known, path));
        output::line(&format!("identity: {subject} at {issuer}"));
    }
    for key in each("/apiKeys/nodes") {
        let [key, name, expires] = ["/key", "/name", "/expiresAt"].map(|path| output::text(&key, path));
        output::line(&format!("key {key}: {name}, expires {expires}"));
    }
    Ok(())
}

async fn password(id: Uuid, file: Option<PathBuf>, why: &Why, access: &Access, config: &Config) -> Result<(), Failure> {
    let Some(file) = file else {
        let input = json!({ "accountId": id, "reason": why.reason });
        return run(access, config, ("removePassword", "RemovePasswordInput"), input, "no password lets in to").await;
    };
    let read = Zeroizing::new(read_file(&file)?);
    let text = std::str::from_utf8(&read).with_context(|| format!("{} is not text", file.display()))?;
    let password = text.lines().next().unwrap_or_default();
    let input = json!({ "accountId": id, "password": password, "reason": why.reason });
    run(access, config, ("setPassword", "SetPasswordInput"), input, "set the password of").await
}

/// A link for who has the machine: no role is asked for.
async fn owner_link(tenant: u32, access: &Access, config: &Config) -> Result<(), Failure> {
    let app = App::open(config, config.node_types()).await?;
    let made = app.access.owner_link(timeloom_domain::ids::TenantId(tenant)).await;
    app.close().await;
    let made = made.context("a link for the owner cannot be made")?;
    let payload = json!({ "accountId": made.account.0, "token": &**made.token });
    print_once(&payload, access.json, "link");
    Ok(())
}

async fn identity(verb: IdentityVerb, config: &Config) -> Result<(), Failure> {
    let (field, done, arguments) = match verb {
        IdentityVerb::Link(arguments) => ("linkIdentity", "linked the identity to", arguments),
        IdentityVerb::Unlink(arguments) => ("unlinkIdentity", "unlinked the identity from", arguments),
    };
    let IdentityArguments { id, issuer, subject, why, access } = arguments;
    let input = json!({ "accountId": id, "issuer": issuer, "subject": subject, "reason": why.reason });
    run(&access, config, (field, "IdentityInput"), input, done).await
}
