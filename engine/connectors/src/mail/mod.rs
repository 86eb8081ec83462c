//! Mail: a node that sends by SMTP, and a trigger that reads a mailbox by IMAP.

mod compose;
mod imap;
mod read;
mod send;
mod smtp;
mod tools;
mod trigger;

use std::sync::Arc;

use timeloom_egress::{TlsOptions, Verification};
use timeloom_engine::node::{NodeError, SharedNodeType};

use crate::Settings;
use crate::fields::Fields;
use crate::wire::Server;

/// The node types of this group.
pub(crate) fn node_types(_settings: &Settings) -> Vec<SharedNodeType> {
    let nodes: Vec<SharedNodeType> = vec![Arc::new(send::EmailSend), Arc::new(trigger::EmailReadImap)];
    nodes.into_iter().chain(tools::node_types()).collect()
}

/// The server that a credential names, with what secures it, whether from the beginning or later.
///
/// # Errors
/// [`NodeError`] when a field is missing or wrong.
fn server(fields: &Fields, port: (u16, u16), any_certificate: bool) -> Result<(Server, TlsOptions), NodeError> {
    let any = any_certificate || fields.truth("allowUnauthorizedCerts");
    let options = TlsOptions {
        authority: fields.some_text("caCertificate"),
        verification: if any { Verification::None } else { Verification::Full },
        ..TlsOptions::default()
    };
    let is_secured = !fields.is_false("secure");
    let port = fields.port(if is_secured { port.0 } else { port.1 })?;
    let server = Server { host: fields.needed("host")?, port, tls: is_secured.then(|| options.clone()) };
    Ok((server, options))
}
