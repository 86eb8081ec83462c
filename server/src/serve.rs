//! `timeloom serve`: opens the data folder, listens, and runs until it is told to stop.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use timeloom_read_api::{Served, ServerOptions, check_bind, server_beside};
use timeloom_store::leases::{Role, Roles};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::app::{App, TENANT};
use crate::cli::output;
use crate::config::{Config, ServeConfig, SignInChoice};
use crate::models::Models;
use crate::store::Store;

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When the address or the data folder cannot be used; the message says what to do.
pub async fn serve(config: &Config, serve: &ServeConfig) -> anyhow::Result<()> {
    if serve.sign_in == SignInChoice::Off {
        check_bind(serve.listen)?;
    }
    let roles = serve.roles();
    check_roles(&roles, config, serve)?;
    let traces = serve.traces.options()?;
    let scratch = tempfile::Builder::new().prefix("timeloom-").tempdir().context("no temporary folder can be made")?;
    let app = if serve.in_memory {
        App::in_memory(config, scratch.path(), timeloom_nodes::registry::all(), traces)?
    } else {
        App::open_as(roles.clone(), config, timeloom_nodes::registry::all(), traces).await?
    };
    check_keys(&app, config, serve).await?;
    let listener = TcpListener::bind(serve.listen).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} of {} is in use: stop the program that has it, or give another address with --listen",
            serve.listen.port(),
            serve.listen.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {}", serve.listen)),
    })?;
    let address = listener.local_addr().context("the address that was taken cannot be read")?;
    let url = format!("http://{address}");
    let served = if roles.has(Role::Api) { Served::Api } else { Served::Health };
    let workers = config.worker_threads();
    let options = ServerOptions { served, workers, sign_in: serve.sign_in()?, ..ServerOptions::default() };
    let scratch_models = scratch.path().join("models");
    let folder = if serve.in_memory { scratch_models } else { config.models_folder() };
    let models = Models::open(config, &folder, &app)?;
    app.models.open(models.clone());
    app.api.metrics().watch(Arc::new(models.clone()));
    let server = server_beside(app.api.clone(), listener, &options, models.routes())?;
    let handle = server.handle();
    let mut stop = StopSignals::listen().context("the signals that stop the server cannot be heard")?;
    begin(&app, &roles, &url).await?;
    if roles.has(Role::Api) {
        models.start();
    }
    if served == Served::Api && serve.sign_in == SignInChoice::Required {
        welcome(&app, &config.url_for_owner(address.port())).await?;
    }
    output::notice(&match served {
        Served::Api => format!("timeloom serves on {url}/graphql with the data in {}", place(config, serve)),
        Served::Health => {
            format!("timeloom works as {roles} on {}; its health is on {url}/health", place(config, serve))
        }
    });
    let mut serving = JoinSet::new();
    serving.spawn(server);
    stop.told().await;
    output::notice("timeloom stops");
    app.api.close().await;
    handle.stop(true).await;
    if let Some(Ok(Err(error))) = serving.join_next().await {
        tracing::warn!(%error, "the HTTP server did not stop cleanly");
    }
    models.close().await;
    app.close().await;
    Ok(())
}

/// Says which keys of credentials are missing. Given keys that open nothing at all are those of another deployment: what
/// was saved under them would be lost to this one, so the server does not start.
async fn check_keys(app: &App, config: &Config, serve: &ServeConfig) -> anyhow::Result<()> {
    let check = app.credentials.check_keys().await.context("the keys of credentials cannot be checked")?;
    for reason in &check.broken {
        tracing::warn!(reason, "a credential does not open");
    }
    let Some(message) = check.message() else { return Ok(()) };
    if check.is_of_something_else() && config.gives_credential_keys() && !serve.accept_lost_keys {
        bail!("{message}; when the keys are lost, start with --accept-lost-keys");
    }
    output::notice(&message);
    Ok(())
}

/// Where no owner can sign in yet, tells whoever started the server the way in.
async fn welcome(app: &App, url: &str) -> anyhow::Result<()> {
    if let Some(link) = app.access.ensure_owner(TENANT).await? {
        output::notice("nobody can sign in as an owner yet: this link lets one in, once");
        output::notice(&format!("{url}/sign-in/link?token={}", *link.token));
    }
    Ok(())
}

/// Begins the work of each role.
async fn begin(app: &App, roles: &Roles, url: &str) -> anyhow::Result<()> {
    if roles.has(Role::Projector) {
        app.start_read_models()?;
    } else {
        app.start_reading()?;
    }
    app.store.join(url)?;
    if let Some(traces) = &app.traces {
        traces.start(roles.has(Role::Engine));
    }
    if roles.has(Role::Scheduler) {
        app.reactions.start();
        app.scheduler.start();
    }
    if roles.has(Role::Engine) {
        app.engine.start().await?;
        app.replays.start();
        app.agents.start();
    }
    Ok(())
}

/// Roles are shared out between the processes of a database; whoever is alone has to have all of them.
fn check_roles(roles: &Roles, config: &Config, serve: &ServeConfig) -> anyhow::Result<()> {
    if *roles == Roles::default() {
        bail!("--roles names none: leave it out for all of them");
    }
    let is_alone = serve.in_memory || !Store::is_shared(config);
    if is_alone && *roles != Roles::all() {
        bail!(
            "a data folder has one process, which does everything: leave out --roles, or share a database by --database"
        );
    }
    Ok(())
}

fn place(config: &Config, serve: &ServeConfig) -> String {
    match &config.database {
        _ if serve.in_memory => "memory".to_owned(),
        // An address may hold a password.
        Some(_) => "the PostgreSQL database".to_owned(),
        None => config.data.display().to_string(),
    }
}

/// What tells the process to stop. Made before anybody is told that it serves: a signal before that ends it at once.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves when the process is told to stop.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
