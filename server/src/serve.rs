//! `timeloom serve`: opens the data folder, listens, and runs until it is told to stop.

use std::net::TcpListener;

use anyhow::Context as _;
use timeloom_read_api::{ServerOptions, check_bind, server};
use tokio::task::JoinSet;

use crate::app::App;
use crate::cli::output;
use crate::config::{Config, ServeConfig};

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
        App::open(config, timeloom_nodes::registry::all())?
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
    app.announce(&url)?;
    app.start_read_models()?;
    app.engine.start().await?;
    let options = ServerOptions { workers: config.worker_threads(), ..ServerOptions::default() };
    let server = server(app.api.clone(), listener, &options)?;
    let handle = server.handle();
    let place = if serve.in_memory { "memory".to_owned() } else { config.data.display().to_string() };
    output::notice(&format!("timeloom serves on {url}/graphql with the data in {place}"));
    let mut serving = JoinSet::new();
    serving.spawn(server);
    stop_signal().await;
    output::notice("timeloom stops");
    app.api.close().await;
    handle.stop(true).await;
    if let Some(Ok(Err(error))) = serving.join_next().await {
        tracing::warn!(%error, "the HTTP server did not stop cleanly");
    }
    app.close().await;
    Ok(())
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
