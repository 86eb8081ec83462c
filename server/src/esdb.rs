//! The protocol of EventStoreDB beside the API, where a port for it is given.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use timeloom_commands::SystemIds;
use timeloom_domain::access::Principal;
use timeloom_esdb_front::{Front, FrontParts, Measure, OpenTo, Served, Tls};
use timeloom_read_api::Limiter;
use zeroize::Zeroizing;

use crate::app::{App, TENANT};
use crate::cli::output;
use crate::config::{Config, ServeConfig, SignInChoice};

/// Begins to serve it, if it is to be served.
///
/// # Errors
/// When the port cannot be listened on.
pub fn serve(app: &App, config: &Config, serve: &ServeConfig) -> anyhow::Result<Option<Served>> {
    let Some(port) = serve.esdb_port else { return Ok(None) };
    let asked = SocketAddr::new(serve.listen.ip(), port);
    let listener = TcpListener::bind(asked)
        .with_context(|| format!("cannot listen on {asked}: give another port with --esdb-port"))?;
    let open_to = match serve.sign_in {
        SignInChoice::Required => OpenTo::Keys,
        SignInChoice::Off => OpenTo::Everybody(Box::new(Principal::local(TENANT, config.local_name()))),
    };
    let marks = app.store.marks();
    let front = Front::new(FrontParts {
        marks: Arc::new(move |name| marks(name)),
        claims: app.store.claims(),
        measure: measure(serve.esdb_rate_limit),
        log: Arc::clone(&app.log),
        access: app.access.clone(),
        open_to,
        ids: Arc::new(SystemIds),
    });
    let tls = tls(serve)?;
    let says = if tls.is_some() { "true" } else { "false" };
    let served = timeloom_esdb_front::serve(&front, listener, tls)?;
    output::notice(&format!("the protocol of EventStoreDB is on esdb://{}?tls={says}", served.address()));
    Ok(Some(served))
}

/// Counts calls of accounts; 0 is no limit.
fn measure(per_minute: u32) -> Measure {
    if per_minute == 0 {
        return Arc::new(|_| Ok(()));
    }
    let limiter = Limiter::per_minute(per_minute);
    Arc::new(move |whose| {
        let account = format!("{} {}", whose.tenant.0, whose.actor);
        limiter.take(account, 1, Instant::now()).map(|_| ())
    })
}

fn tls(serve: &ServeConfig) -> anyhow::Result<Option<Tls>> {
    let (Some(certificate), Some(key)) = (&serve.esdb_tls_certificate, &serve.esdb_tls_key) else { return Ok(None) };
    let read = |path: &Path| {
        let read = std::fs::read(path).map(Zeroizing::new);
        read.with_context(|| format!("{} cannot be read", path.display()))
    };
    let tls = Tls::from_pem(&read(certificate)?, &read(key)?);
    Ok(Some(tls.with_context(|| format!("{} and {} do not serve", certificate.display(), key.display()))?))
}
