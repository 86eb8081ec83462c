//! `timeloom tenant`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Why, change, listed, print};
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String) { tenants(first: $first, after: $after) {
  nodes { number name suspended openCategories } pageInfo { hasNextPage endCursor } } }";

#[derive(Debug, Subcommand)]
pub enum TenantVerb {
    /// List the tenants
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Make a tenant; it gets the next number
    Create {
        /// What it is called.
        name: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Call a tenant otherwise
    Rename {
        /// Its number.
        number: u32,
        /// What it is called.
        name: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let nobody of a tenant in, and start nothing of it
    Suspend {
        /// Its number.
        number: u32,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let them in again
    Resume {
        /// Its number.
        number: u32,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let programs of others append to a category of a tenant by themselves
    Open {
        /// The tenant's number.
        number: u32,
        /// The category: in a stream's name, the text before the first dash.
        category: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Let them not any more; what they appended stays
    Close {
        /// The tenant's number.
        number: u32,
        /// The category.
        category: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
}

impl TenantVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let (field, input_type, input, done, access) = match self {
            Self::List { access } => {
                let found = listed(&access, config, LIST, "tenants", json!({})).await?;
                let cells = |tenant: &Value| {
                    let [number, name] = ["/number", "/name"].map(|path| output::text(tenant, path));
                    let is_suspended = tenant.get("suspended") == Some(&Value::Bool(true));
                    let status = if is_suspended { "suspended" } else { "lets in" };
                    let open = tenant.get("openCategories").and_then(Value::as_array).into_iter().flatten();
                    let open: Vec<&str> = open.filter_map(Value::as_str).collect();
                    vec![number, name, status.to_owned(), open.join(", ")]
                };
                print(found, access.json, &["NUMBER", "NAME", "STATUS", "OPEN CATEGORIES"], cells);
                return Ok(());
            }
            Self::Create { name, why, access } => {
                ("createTenant", "CreateTenantInput", json!({ "name": name, "reason": why.reason }), "made", access)
            }
            Self::Rename { number, name, why, access } => {
                let input = json!({ "tenant": number, "name": name, "reason": why.reason });
                ("renameTenant", "RenameTenantInput", input, "renamed", access)
            }
            Self::Suspend { number, why, access } => {
                let input = json!({ "tenant": number, "reason": why.reason });
                ("suspendTenant", "TenantInput", input, "suspended", access)
            }
            Self::Resume { number, why, access } => {
                let input = json!({ "tenant": number, "reason": why.reason });
                ("resumeTenant", "TenantInput", input, "resumed", access)
            }
            Self::Open { number, category, why, access } => {
                let input = json!({ "tenant": number, "category": category, "reason": why.reason });
                ("openCategory", "CategoryInput", input, "opened a category of", access)
            }
            Self::Close { number, category, why, access } => {
                let input = json!({ "tenant": number, "category": category, "reason": why.reason });
                ("closeCategory", "CategoryInput", input, "closed a category of", access)
            }
        };
        // Asking for the tenant waits until lists show the change.
        let shown = "number position tenant { number } errors { code message }";
        let query = format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {shown} }} }}");
        let payload = change(&access, config, field, &query, input).await?;
        if access.json {
            output::json(&payload);
        } else {
            let [number, position] = ["/number", "/position"].map(|path| output::text(&payload, path));
            output::line(&format!("{done} tenant {number} at position {position}"));
        }
        Ok(())
    }
}
