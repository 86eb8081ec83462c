//! The settings of signing in at an identity provider.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use timeloom_domain::access::Role;
use timeloom_domain::ids::TenantId;
use timeloom_read_api::OidcOptions;
use zeroize::Zeroizing;

/// The identity provider at which people may sign in.
#[derive(Debug, Clone, Args)]
pub struct OidcConfig {
    /// Address of an identity provider (OpenID Connect), exactly as it names itself.
    #[arg(long, env = "TIMELOOM_OIDC_ISSUER", value_name = "URL", help_heading = "Identity provider")]
    pub oidc_issuer: Option<String>,
    /// What this deployment is called there. Its redirect address there is PUBLIC_URL/sign-in/callback.
    #[arg(long, env = "TIMELOOM_OIDC_CLIENT_ID", value_name = "ID", help_heading = "Identity provider")]
    pub oidc_client_id: Option<String>,
    /// A file with the secret of this deployment there; without one it is a public client.
    #[arg(long, env = "TIMELOOM_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", help_heading = "Identity provider")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// What people call the provider.
    #[arg(
        long,
        env = "TIMELOOM_OIDC_NAME",
        value_name = "NAME",
        default_value = "single sign-on",
        help_heading = "Identity provider"
    )]
    pub oidc_name: String,
    /// Number of the tenant in which people sign in there.
    #[arg(
        long,
        env = "TIMELOOM_OIDC_TENANT",
        value_name = "NUMBER",
        default_value_t = 0,
        help_heading = "Identity provider"
    )]
    pub oidc_tenant: u32,
    /// Makes an account with this role for who has none and has an e-mail address that the provider verified.
    #[arg(long, env = "TIMELOOM_OIDC_NEW_ACCOUNTS", value_name = "ROLE", help_heading = "Identity provider")]
    pub oidc_new_accounts: Option<Role>,
    /// Lets in whom nobody knows as the account with the e-mail address that the provider verified.
    #[arg(long, env = "TIMELOOM_OIDC_LINK_EMAIL", help_heading = "Identity provider")]
    pub oidc_link_email: bool,
}

impl OidcConfig {
    /// The provider, if one is named.
    ///
    /// # Errors
    /// When not all of it is said, or its secret cannot be read.
    pub fn options(&self) -> anyhow::Result<Option<OidcOptions>> {
        let (issuer, client_id) = match (&self.oidc_issuer, &self.oidc_client_id) {
            (None, None) => return Ok(None),
            (Some(issuer), Some(client_id)) => (issuer.clone(), client_id.clone()),
            _ => bail!("--oidc-issuer and --oidc-client-id go together: give both"),
        };
        let client_secret = match &self.oidc_client_secret_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path).map(Zeroizing::new);
                let text = text.with_context(|| format!("the secret file {} cannot be read", path.display()))?;
                Some(Arc::new(Zeroizing::new(text.trim().to_owned())))
            }
        };
        if client_secret.as_ref().is_some_and(|secret| secret.is_empty()) {
            bail!("the file of --oidc-client-secret-file is empty");
        }
        Ok(Some(OidcOptions {
            issuer,
            client_id,
            client_secret,
            name: self.oidc_name.clone(),
            tenant: Some(TenantId(self.oidc_tenant)),
            new_accounts: self.oidc_new_accounts,
            link_email: self.oidc_link_email,
        }))
    }
}
