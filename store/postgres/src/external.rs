//! Categories that programs of cqrs-es may append to by themselves, each with a role of the database and a tenant.
//!
//! Invariant: no category of our own aggregates, and none of which they might make use, is ever opened.

use timeloom_domain::event::OWN_CATEGORIES;
use timeloom_domain::ids::TenantId;
use timeloom_store::LogError;
use timeloom_store::log::STRICT_CATEGORIES;

use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;

/// Longest name of a category, in bytes.
const CATEGORY_BYTES_MAX: usize = 100;
/// The columns that a foreign program may write; the database fills in the others.
const EXTERNAL_COLUMNS: &str = "aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata";

/// The role and the schema as statements name them, whether the role has the rights of the owner, and whether it may create.
const ROLE: &str = "SELECT quote_ident(rolname), quote_ident(current_schema()), \
     pg_has_role(rolname, (SELECT relowner FROM pg_class WHERE oid = 'events'::regclass), 'MEMBER'), \
     has_schema_privilege(rolname, current_schema(), 'CREATE') FROM pg_roles WHERE rolname = $1";
/// Whether a category has events and was never open.
const IN_USE: &str = "SELECT (EXISTS (SELECT FROM events WHERE aggregate_type = $1) \
         OR EXISTS (SELECT FROM archived_kinds WHERE aggregate_type = $1)) \
     AND NOT EXISTS (SELECT FROM events WHERE aggregate_type = $1 AND metadata->>'timeloom_role' IS NOT NULL) \
     AND NOT EXISTS (SELECT FROM external_categories WHERE category = $1)";

/// A category that a role may append to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalCategory {
    /// The category, which cqrs-es calls the aggregate's type.
    pub category: String,
    /// The role with which the program signs in to the database.
    pub role: String,
    /// Whose events they are.
    pub tenant: TenantId,
}

/// Why a category was not opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExternalError {
    /// It belongs to Timeloom.
    #[error("category '{0}' belongs to Timeloom: events come into it by commands only; choose another name")]
    Own(String),
    /// Timeloom appended to it already.
    #[error("category '{0}' has events that Timeloom appended: choose another name")]
    InUse(String),
    /// It is no name.
    #[error(
        "'{0}' is not the name of a category: use 1 to {CATEGORY_BYTES_MAX} bytes without '/' and control characters"
    )]
    InvalidName(String),
    /// The role can do anything anyway.
    #[error(
        "role '{0}' has the rights of the log's owner, which no category bounds: make a role of its own for the program"
    )]
    Powerful(String),
    /// The role can make things among the log's tables.
    #[error(
        "role '{0}' may create things in the log's schema: forbid it first, with REVOKE CREATE ON SCHEMA … FROM PUBLIC, or from the role"
    )]
    MayCreate(String),
    /// The role does not exist.
    #[error("role '{0}' is not in the database: make it first, with CREATE ROLE")]
    NoSuchRole(String),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl PostgresLog {
    /// Lets a role append to a category by itself. Saying the same again does nothing.
    ///
    /// # Errors
    /// [`ExternalError`], whose message says what to do.
    pub async fn open_to_external(&self, external: &ExternalCategory) -> Result<(), ExternalError> {
        let ExternalCategory { category, role, tenant } = external;
        if OWN_CATEGORIES.contains(&category.as_str()) || STRICT_CATEGORIES.contains(&category.as_str()) {
            return Err(ExternalError::Own(category.clone()));
        }
        let odd = category.chars().any(|letter| letter == '/' || letter.is_control());
        if category.is_empty() || category.len() > CATEGORY_BYTES_MAX || odd {
            return Err(ExternalError::InvalidName(category.clone()));
        }
        let mut client = self.pool().get().await.map_err(pool_error)?;
        let transaction = client.transaction().await.map_err(log_error)?;
        let found = transaction.query_opt(ROLE, &[role]).await.map_err(log_error)?;
        let found = found.ok_or_else(|| ExternalError::NoSuchRole(role.clone()))?;
        let (quoted_role, schema): (String, String) = (found.get(0), found.get(1));
        if found.get(2) {
            return Err(ExternalError::Powerful(role.clone()));
        }
        if found.get(3) {
            return Err(ExternalError::MayCreate(role.clone()));
        }
        if transaction.query_one(IN_USE, &[category]).await.map_err(log_error)?.get(0) {
            return Err(ExternalError::InUse(category.clone()));
        }
        let sql = "INSERT INTO external_categories (category, role, tenant_id) VALUES ($1, $2::text::name, $3) \
                   ON CONFLICT (category, role) DO UPDATE SET tenant_id = excluded.tenant_id";
        transaction.execute(sql, &[category, role, &i64::from(tenant.0)]).await.map_err(log_error)?;
        let grants = format!(
            "GRANT USAGE ON SCHEMA {schema} TO {quoted_role};
             GRANT SELECT, INSERT ({EXTERNAL_COLUMNS}) ON events TO {quoted_role};
             GRANT EXECUTE ON FUNCTION log_tenants_of_role() TO {quoted_role};"
        );
        transaction.batch_execute(&grants).await.map_err(log_error)?;
        transaction.commit().await.map_err(log_error)?;
        Ok(())
    }

    /// Closes a category to a role again; what it appended stays. `false` when it was not open.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn close_to_external(&self, category: &str, role: &str) -> Result<bool, LogError> {
        let client = self.pool().get().await.map_err(pool_error)?;
        let sql = "DELETE FROM external_categories WHERE category = $1 AND role = $2::text::name";
        Ok(client.execute(sql, &[&category, &role]).await.map_err(log_error)? > 0)
    }

    /// The categories that are open, by name.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn external_categories(&self) -> Result<Vec<ExternalCategory>, LogError> {
        let client = self.pool().get().await.map_err(pool_error)?;
        let sql = "SELECT category, role::text, tenant_id FROM external_categories ORDER BY category, role";
        let rows = client.query(sql, &[]).await.map_err(log_error)?;
        let read = |row: &tokio_postgres::Row| {
            let tenant = TenantId(u32::try_from(row.get::<_, i64>(2)).unwrap_or(u32::MAX));
            ExternalCategory { category: row.get(0), role: row.get(1), tenant }
        };
        Ok(rows.iter().map(read).collect())
    }
}
