//! `timeloom serve`: opens the data folder, listens, and runs until it is told to stop.

use std::net::TcpListener;

use anyhow::Context as _;
use timeloom_read_api::{ServerOptions, check_bind, server};
use tokio::task::JoinSet;

use crate::app::App;
use crate::cli::output;
use crate::config::{Config, ServeConfig};
use crate::store::Leadership;

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When the address or the data folder cannot be used; the message says what to do.
pub async fn serve(config: &Config, serve: &ServeConfig) -> anyhow::Result<()> {
    check_bind(serve.listen)?;
    let scratch = tempfile::Builder::new().prefix("timeloom-").tempdir().context("no temporary folder can be made")?;
    let app = if serve.in_memory {
        App::in_memory(config, scratch.path(), timeloom_nodes::registry::all())?
    } else {
        App::open(config, timeloom_nodes::registry::all()).await?
    };
    let listener = TcpListener::bind(serve.listen).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} of {} is in use: stop the program that has it, or give another address with --listen",
            serve.listen.port(),
            serve.listen.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {}", serve.listen)),
    })?;
    let url = format!("http://{}", listener.local_addr().context("the address that was taken cannot be read")?);
    app.store.announce(&url)?;
    app.start_read_models()?;
    app.reactions.start();
    app.scheduler.start();
    let leading = app.store.try_lead().await?;
    let standby = leading.is_none();
    let options = ServerOptions { workers: config.worker_threads(), ..ServerOptions::default() };
    let server = server(app.api.clone(), listener, &options)?;
    let handle = server.handle();
    output::notice(&format!("timeloom serves on {url}/graphql with the data in {}", place(config, serve)));
    if standby {
        output::notice("another process runs the executions: this one answers, and takes over when that one ends");
    }
    let mut serving = JoinSet::new();
    serving.spawn(server);
    let ended = tokio::select! {
        () = stop_signal() => Ok(()),
        ended = run_executions(&app, leading) => ended,
    };
    output::notice("timeloom stops");
    app.api.close().await;
    handle.stop(true).await;
    if let Some(Ok(Err(error))) = serving.join_next().await {
        tracing::warn!(%error, "the HTTP server did not stop cleanly");
    }
    app.close().await;
    ended
}

/// Runs executions as long as this process is the one that does; waits for that first. Ends only with an error.
async fn run_executions(app: &App, leading: Option<Leadership>) -> anyhow::Result<()> {
    let mut leading = match leading {
        Some(leading) => leading,
        None => {
            let leading = app.store.lead().await;
            output::notice("this process runs the executions from now on");
            leading
        }
    };
    app.engine.start().await?;
    loop {
        leading.lost().await;
        tracing::warn!("the connection that gave this process the executions was lost");
        // Nobody else runs them as long as nobody else has the role. Executions of both would go on by their expected
        // revisions, but effects might begin twice.
        leading = app.store.lead_again(leading).await.ok_or_else(|| {
            anyhow::anyhow!("another process runs the executions now: start this one again, and it stands by")
        })?;
    }
}

fn place(config: &Config, serve: &ServeConfig) -> String {
    match &config.database {
        _ if serve.in_memory => "memory".to_owned(),
        // An address may hold a password.
        Some(_) => "the PostgreSQL database".to_owned(),
        None => config.data.display().to_string(),
    }
}

/// Resolves when the process is told to stop.
async fn stop_signal() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
