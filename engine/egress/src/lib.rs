//! What nodes may connect to: the one place that decides it, for HTTP as for every other protocol.
//!
//! Never connects to an address that it did not check: a name is resolved once, addresses that are not public are dropped
//! unless the deployment allows the host, and a connection goes to one of those that are left. Certificates are checked
//! against the host as it was written, unless a credential says that any will do.
//!
//! ```no_run
//! # async fn example(policy: &timeloom_egress::OutboundPolicy) -> Result<(), timeloom_egress::EgressError> {
//! use std::time::Duration;
//! use timeloom_egress::{Timeouts, TlsOptions, connect, secure, tls_config};
//!
//! let timeouts = Timeouts { connect: Duration::from_secs(10) };
//! let stream = connect("db.example.org", 5432, policy, timeouts).await?;
//! let config = tls_config(&TlsOptions::default())?;
//! let stream = secure(stream, "db.example.org", config, timeouts).await?;
//! # Ok(()) }
//! ```
//!
//! | wanted | by |
//! |---|---|
//! | a connection | [`connect`], which gives a [`TcpStream`](tokio::net::TcpStream) |
//! | TLS over it, or over what another protocol made of it | [`secure`] with [`tls_config`] of [`TlsOptions`] |
//! | addresses, for a client that connects by itself | [`resolve`]; such a client is given an address and never a name |
//! | no more than so many bytes of an answer | [`Metered`] around the stream, and its [`Meter`] |
//! | whether an address is public | [`is_public`] |
//!
//! A failure is an [`EgressError`]: [`EgressError::is_refusal`] tells what no repetition mends, [`EgressError::advice`] what to
//! do about it.

mod address;
mod connect;
mod error;
mod metered;
mod policy;
mod tls;

pub use address::is_public;
pub use connect::{ADDRESSES_MAX, Timeouts, connect, connect_again, resolve, resolve_public};
pub use error::EgressError;
pub use metered::{Meter, Metered};
pub use policy::{OutboundPolicy, bare_host};
pub use tls::{ClientKey, TlsOptions, Verification, secure, tls_config};
pub use tokio_rustls::client::TlsStream;
