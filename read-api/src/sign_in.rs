//! Whether people and programs show who they are, and where this deployment may be reached.

/// Who is let in over HTTP.
#[derive(Debug, Clone, Default)]
pub enum SignIn {
    /// Whoever reaches this machine's own address, as the principal of the wiring. Nothing else can be listened on.
    #[default]
    Off,
    /// Whoever shows a key or a session.
    Required(SignInOptions),
}

/// How people and programs show who they are.
#[derive(Debug, Clone, Default)]
pub struct SignInOptions {
    /// More names under which this deployment is reached with a browser: `host`, or `host:port`.
    pub allowed_hosts: Vec<String>,
}
