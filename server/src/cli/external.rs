//! `timeloom log external`: categories that programs of cqrs-es may append to by themselves, in a database.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_domain::ids::TenantId;
use timeloom_store::clock::SystemClock;
use timeloom_store_postgres::{Address, ExternalCategory, ExternalError, PostgresLog, PostgresOptions, PostgresSource};

use super::{Failure, output};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum ExternalVerb {
    /// Let a role of the database append to a category by itself
    Add {
        /// The category, which cqrs-es calls the aggregate's type.
        category: String,
        /// The role with which the program signs in to the database.
        #[arg(long)]
        role: String,
        /// Whose events they are; the role can also read all events of this tenant. There is only tenant 0 until sign-in
        /// exists.
        #[arg(long)]
        tenant: u32,
    },
    /// Close a category to a role again; what it appended stays
    Remove {
        /// The category.
        category: String,
        /// The role.
        #[arg(long)]
        role: String,
    },
    /// List the categories that are open
    List {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

impl ExternalVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let url =
            config.database.as_ref().context("only a log in a database has external categories: give --database")?;
        let address = Address::parse(url)?;
        // A wrong address is not to get a log made in it.
        PostgresSource::open(&address).await?;
        let options = PostgresOptions::new(SystemIds.uuid(), Arc::new(SystemClock));
        let (log, _blobs) = PostgresLog::open(&address, options).await?;
        let done = self.run_on(&log).await;
        log.close().await;
        done
    }

    async fn run_on(self, log: &PostgresLog) -> Result<(), Failure> {
        match self {
            Self::Add { category, role, tenant } => {
                let external = ExternalCategory { category, role, tenant: TenantId(tenant) };
                match log.open_to_external(&external).await {
                    Ok(()) => {
                        let ExternalCategory { category, role, .. } = external;
                        output::line(&format!("role {role} may append to category {category}, for tenant {tenant}"));
                        Ok(())
                    }
                    Err(ExternalError::Log(error)) => Err(error.into()),
                    Err(refused) => {
                        output::error(&refused.to_string());
                        Err(Failure::Refused)
                    }
                }
            }
            Self::Remove { category, role } => {
                if !log.close_to_external(&category, &role).await? {
                    output::error(&format!("category {category} is not open to role {role}: see timeloom log external list"));
                    return Err(Failure::Refused);
                }
                output::line(&format!("role {role} may not append to category {category} any more"));
                Ok(())
            }
            Self::List { json } => {
                let open = log.external_categories().await?;
                if json {
                    let shown = |ExternalCategory { category, role, tenant }: &ExternalCategory| json!({ "category": category, "role": role, "tenant": tenant.0 });
                    output::json(&open.iter().map(shown).collect());
                    return Ok(());
                }
                for ExternalCategory { category, role, tenant } in open {
                    output::line(&format!("{category}  role {role}  tenant {}", tenant.0));
                }
                Ok(())
            }
        }
    }
}
