//! The `timeloom` program: the server, and the verbs that work on a data folder or a running server.

// The answers of the GraphQL schema are futures within futures, deeper than the compiler expects when it lays them out optimised.
#![recursion_limit = "256"]

mod allocator;
mod app;
mod archiving;
mod audit;
mod bisect;
mod capsule;
mod cli;
mod clock;
mod collector;
mod config;
mod connect;
mod documents;
mod erasure;
mod esdb;
mod fixture;
mod followed;
mod graphql_config;
mod keys;
mod marks;
mod mcp;
mod models;
mod oidc_config;
mod retention;
mod rollouts;
mod run_data;
mod serve;
mod store;
mod token;
mod trace_config;
mod transfer;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

/// Stack of worker threads, in bytes: deep JSON and deep expressions are bounded, and these bounds need room.
const STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    allocator::give_back_soon();
    // While there is one thread: it is the environment that is changed.
    timeloom_inference::onnx::silence();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cli.config.worker_threads())
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(cli.run());
            // A script that is still being stopped must not hold up the exit.
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            status
        }
        Err(error) => cli::fail(&anyhow::Error::new(error).context("the program's threads could not be started")),
    }
}
