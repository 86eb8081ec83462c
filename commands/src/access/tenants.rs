//! Commands on tenants. Only the first tenant, which runs the installation, makes and suspends others.

use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{FIRST_TENANT, TenantId};
use timeloom_domain::tenant::{Tenant, TenantCommand, TenantEvent};
use timeloom_store::StreamKey;

use super::Access;
use super::rules::check_reason;
use crate::bridge::Base;
use crate::{CommandContext, CommandError, Outcome, Refusal};

/// How often the next number is tried that somebody else may take first.
const NUMBERS_TRIED_MAX: usize = 20;

impl Access {
    /// Makes a tenant; it gets the next number.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn create_tenant(
        &self,
        context: &CommandContext,
        name: String,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        for _ in 0..NUMBERS_TRIED_MAX {
            let listing = self.directory().caught_up().await?;
            let highest = listing.tenants().last().map_or(0, |entry| entry.tenant.0);
            let tenant = TenantId(highest.saturating_add(1));
            let command = TenantCommand::Create { tenant, name: name.clone() };
            match self.change_tenant(context, tenant, command).await {
                Err(CommandError::Refused(refusal)) if refusal.code == "TENANT_EXISTS" => {}
                done => return done,
            }
        }
        Err(CommandError::Conflict { message: "others make tenants at the same moment: try again".to_owned() })
    }

    /// Calls a tenant otherwise.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn rename_tenant(
        &self,
        context: &CommandContext,
        tenant: TenantId,
        name: String,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        // The first was never made: it gets its first event now.
        let is_new = tenant == FIRST_TENANT && self.tenant(tenant).await?.tenant.is_none();
        let command = if is_new { TenantCommand::Create { tenant, name } } else { TenantCommand::Rename { name } };
        self.change_tenant(context, tenant, command).await
    }

    /// Lets nobody of a tenant in, and starts nothing of it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn suspend_tenant(
        &self,
        context: &CommandContext,
        tenant: TenantId,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        if tenant == FIRST_TENANT {
            let message = "the first tenant runs the installation: it cannot be suspended";
            return Err(Refusal::new("FIRST_TENANT", message).into());
        }
        self.change_tenant(context, tenant, TenantCommand::Suspend).await
    }

    /// Lets them in again.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn resume_tenant(
        &self,
        context: &CommandContext,
        tenant: TenantId,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        self.change_tenant(context, tenant, TenantCommand::Resume).await
    }

    /// Lets programs of others append to a category of a tenant by themselves.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn open_category(
        &self,
        context: &CommandContext,
        tenant: TenantId,
        category: String,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        self.change_tenant(context, tenant, TenantCommand::OpenCategory { tenant, category }).await
    }

    /// Lets them not any more; what they appended stays.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn close_category(
        &self,
        context: &CommandContext,
        tenant: TenantId,
        category: String,
    ) -> Result<Outcome<TenantId>, CommandError> {
        check_runs_installation(context)?;
        self.change_tenant(context, tenant, TenantCommand::CloseCategory { category }).await
    }

    async fn tenant(&self, tenant: TenantId) -> Result<Tenant, CommandError> {
        let stream = StreamKey::new(FIRST_TENANT, TenantEvent::CATEGORY, tenant.0.to_string());
        Ok(self.inner.commands.load::<Tenant>(&stream).await?.aggregate.clone())
    }

    async fn change_tenant(
        &self,
        context: &CommandContext,
        tenant: TenantId,
        command: TenantCommand,
    ) -> Result<Outcome<TenantId>, CommandError> {
        let stream = self.inner.commands.stream::<TenantEvent>(context, tenant.0);
        let done = self.inner.commands.execute::<Tenant>(context, stream, command, Base::Current).await?;
        self.inner.directory.wait_for(done.position).await?;
        Ok(done.with(tenant))
    }
}

/// Refuses who may not, and everybody of another tenant.
pub(crate) fn check_runs_installation(context: &CommandContext) -> Result<(), CommandError> {
    context.require(Permission::TenantWrite)?;
    if context.tenant != FIRST_TENANT {
        return Err(timeloom_domain::access::Forbidden { needed: Permission::TenantWrite }.into());
    }
    check_reason(context)
}
