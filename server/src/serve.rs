//! `timeloom serve`: opens the data folder, listens, and runs until it is told to stop.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use timeloom_read_api::{Served, ServerOptions, check_bind, server_beside};
use timeloom_store::leases::{Role, Roles};
use timeloom_store::{SubjectKeyError, subjects};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::app::{App, TENANT};
use crate::archiving::{Archiving, Plan};
use crate::audit::{Pace, Witness};
use crate::cli::output;
use crate::config::{Config, ServeConfig, SignInChoice};
use crate::connect::{self, Connect};
use crate::erasure::Hearing;
use crate::mcp;
use crate::models::{self, Models};
use crate::retention::Retaining;
use crate::rollouts::{Guarding, Guards};
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
    let scratch = tempfile::Builder::new().prefix("timeloom-").tempdir().context("no temporary folder can be made")?;
    let app = opened(config, serve, &roles, scratch.path()).await?;
    let listener = listen(serve)?;
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
    let mut routes = models.routes();
    routes.extend([connect::routes(connecting(&app, config)), mcp::routes(&app, config)?]);
    let server = server_beside(app.api.clone(), listener, &options, routes)?;
    let handle = server.handle();
    let mut stop = StopSignals::listen().context("the signals that stop the server cannot be heard")?;
    begin(&app, &roles, &url).await?;
    if let Some(audit) = app.audit.as_ref().filter(|_| roles.has(Role::Projector)) {
        let witnesses = serve.witnesses.iter().map(|witness| Witness::parse(witness, &config.outbound()));
        audit.start(Pace::from(serve), witnesses.collect::<anyhow::Result<_>>()?);
    }
    let model_keepers = models::Keepers::start(models, &app.store.leases, roles.has(Role::Api));
    let keepers = Keepers::start(&app, config, serve, &roles)?;
    if served == Served::Api && serve.sign_in == SignInChoice::Required {
        welcome(&app, &config.url_for_owner(address.port())).await?;
    }
    let esdb = if roles.has(Role::Api) { crate::esdb::serve(&app, config, serve)? } else { None };
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
    if let Some(esdb) = esdb {
        esdb.stop().await;
    }
    app.api.close().await;
    handle.stop(true).await;
    if let Some(Ok(Err(error))) = serving.join_next().await {
        tracing::warn!(%error, "the HTTP server did not stop cleanly");
    }
    model_keepers.stop().await;
    keepers.stop().await;
    app.close().await;
    Ok(())
}

/// What looks after things in the background, without anybody asking.
struct Keepers {
    hearing: Option<Hearing>,
    retaining: Option<Retaining>,
    archiving: Option<Archiving>,
    guarding: Option<Guarding>,
}

impl Keepers {
    /// Begins all of them that this process is to have.
    fn start(app: &App, config: &Config, serve: &ServeConfig, roles: &Roles) -> anyhow::Result<Self> {
        Ok(Self {
            archiving: archiving(app, serve)?,
            hearing: hearing(app, config),
            retaining: roles.has(Role::Projector).then(|| Retaining::start(app.erasures.clone())),
            guarding: roles.has(Role::Engine).then(|| {
                let read_models = Arc::clone(&app.read_models);
                Guarding::start(Guards::new(app.commands.clone(), read_models), &*app.store.leases)
            }),
        })
    }

    /// Stops them, wherever they are.
    async fn stop(self) {
        if let Some(hearing) = self.hearing {
            hearing.stop().await;
        }
        if let Some(retaining) = self.retaining {
            retaining.stop().await;
        }
        if let Some(archiving) = self.archiving {
            archiving.stop().await;
        }
        if let Some(guarding) = self.guarding {
            guarding.stop().await;
        }
    }
}

/// Opens what is served, with the keys that it needs.
async fn opened(config: &Config, serve: &ServeConfig, roles: &Roles, scratch: &Path) -> anyhow::Result<App> {
    let traces = serve.traces.options()?;
    let app = if serve.in_memory {
        App::in_memory(config, scratch, config.node_types(), traces)?
    } else {
        App::open_as(roles.clone(), config, config.node_types(), traces).await?
    };
    check_keys(&app, config, serve).await?;
    check_subject_keys(&app, serve).await?;
    Ok(app)
}

/// Takes the address that is asked for.
fn listen(serve: &ServeConfig) -> anyhow::Result<TcpListener> {
    TcpListener::bind(serve.listen).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} of {} is in use: stop the program that has it, or give another address with --listen",
            serve.listen.port(),
            serve.listen.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {}", serve.listen)),
    })
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

/// Refuses to begin where the keys of subjects are lost, or the file with them is another one: what is about somebody could not
/// be read, and would be kept under new keys.
async fn check_subject_keys(app: &App, serve: &ServeConfig) -> anyhow::Result<()> {
    let store = &app.store;
    match subjects::check_keys(&*store.sealed, &*store.subject_keys).await {
        Ok(()) => Ok(()),
        Err(lost @ SubjectKeyError::AllLost) if serve.accept_lost_keys => {
            output::notice(&lost.to_string());
            store.sealing.accept_lost_keys();
            Ok(())
        }
        Err(lost @ SubjectKeyError::AllLost) => {
            bail!("{lost}; when there is no copy of them, start with --accept-lost-keys")
        }
        Err(error) => Err(anyhow::Error::new(error).context("the keys of subjects cannot be checked")),
    }
}

/// Where no owner can sign in yet, tells whoever started the server the way in.
async fn welcome(app: &App, url: &str) -> anyhow::Result<()> {
    if let Some(link) = app.access.ensure_owner(TENANT).await? {
        output::notice("nobody can sign in as an owner yet: this link lets one in, once");
        output::notice(&format!("{url}/sign-in/link?token={}", *link.token));
    }
    Ok(())
}

/// Begins to hear of what other processes erase, where there may be any.
fn hearing(app: &App, config: &Config) -> Option<Hearing> {
    let store = &app.store;
    let parts = (Arc::clone(&store.sealed), Arc::clone(&store.subject_keys), app.erasures.clone());
    Store::is_shared(config).then(|| Hearing::start(parts.0, parts.1, parts.2))
}

/// Begins to archive what is old, where that is asked for.
fn archiving(app: &App, serve: &ServeConfig) -> anyhow::Result<Option<Archiving>> {
    let Some(days) = serve.archive_after_days else { return Ok(None) };
    let Some(archiver) = &app.archiver else {
        bail!("--archive-after-days: this log cannot be archived, only one in a data folder or in PostgreSQL can");
    };
    archiver.check(&serve.archive_to).context("--archive-to")?;
    let plan = Plan { days, place: serve.archive_to.clone() };
    Ok(Some(Archiving::start(Arc::clone(archiver), Arc::clone(&app.log), Arc::clone(&app.store.leases), plan)))
}

/// Begins the work of each role.
async fn begin(app: &App, roles: &Roles, url: &str) -> anyhow::Result<()> {
    if roles.has(Role::Projector) {
        app.start_read_models()?;
        app.finish_erasures().await?;
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
        // What is held back from a tenant must not run in the first moment.
        app.commands.flags().caught_up().await?;
        app.engine.start().await?;
        app.replays.start();
        app.agents.start();
        app.listeners.start();
    }
    Ok(())
}

/// What connecting credentials of OAuth 2 needs.
fn connecting(app: &App, config: &Config) -> Connect {
    Connect {
        commands: app.commands.clone(),
        credentials: app.credentials.clone(),
        access: app.access.clone(),
        outbound: config.outbound(),
        public_url: config.public_url().into(),
    }
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
