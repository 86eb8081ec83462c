//! Why no connection came about, in words for a workflow's author.

use std::io;
use std::time::Duration;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The host is empty or no name that can be looked up.
    #[error("'{0}' is no host that can be connected to")]
    BadHost(String),
    /// No address of the host is public, and the deployment does not allow it.
    #[error("connections to '{0}' are refused: its address is private or reserved")]
    NotPublic(String),
    /// The name could not be looked up.
    #[error("the address of '{host}' could not be found: {source}")]
    Unknown {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// No address of the host took the connection.
    #[error("the server {host}:{port} could not be reached: {source}")]
    Unreachable {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the last address that was tried said.
        source: io::Error,
    },
    /// The host did not answer in time.
    #[error("the server {host}:{port} did not answer within {} ms", .within.as_millis())]
    TooSlow {
        /// The host.
        host: String,
        /// The port; 0 where it is not known.
        port: u16,
        /// How long it was waited for.
        within: Duration,
    },
    /// A certificate or key that a credential carries cannot be read.
    #[error("the {what} of the credential cannot be read: {why}")]
    BadCertificate {
        /// Which one.
        what: &'static str,
        /// Why, without its text.
        why: String,
    },
    /// The server and this program agreed on no encryption, or its certificate does not verify.
    #[error("no secure connection to {host}: {source}")]
    Insecure {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
}

impl EgressError {
    /// Whether it would be the same the next time: what the author or the operator has to change.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::BadHost(_) | Self::NotPublic(_) | Self::BadCertificate { .. } => true,
            Self::Insecure { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Self::Unknown { .. } | Self::Unreachable { .. } | Self::TooSlow { .. } => false,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::BadHost(_) => "give the name or the address of a server, without a scheme or a path",
            Self::NotPublic(_) => "the operator of this deployment can allow the host for outbound requests",
            Self::Unknown { .. } | Self::Unreachable { .. } | Self::TooSlow { .. } => {
                "check host and port, and whether the server is running"
            }
            Self::BadCertificate { .. } => "give certificates and keys in PEM form",
            Self::Insecure { .. } => {
                "check that the port speaks TLS and that the host is the one of the certificate; a certificate authority of \
                 your own goes into the credential"
            }
        }
    }
}
