//! Real PostgreSQL servers for tests: one that all tests of the machine share, with a database for each test, and
//! servers of a test's own that can be killed. Never in a release build.
//!
//! The programs are those of Debian's package `postgresql`. The shared server is started by the first test that needs it
//! and stops by itself some seconds after the last one ended, however that ended.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this helps tests: without a server they cannot go on"
)]

mod programs;
mod server;
mod shared;

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::{Client, NoTls};

pub use server::Server;

/// A database that nobody used before. It is dropped with this value.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
    admin_url: String,
}

impl Database {
    /// A new database in the server that all tests share.
    pub async fn create() -> Self {
        let admin_url = shared::url("postgres");
        Self::create_in(&admin_url, shared::url).await
    }

    /// A new database in a server of the test's own.
    pub async fn create_on(server: &Server) -> Self {
        Self::create_in(&server.url("postgres"), |name| server.url(name)).await
    }

    async fn create_in(admin_url: &str, url_of: impl Fn(&str) -> String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let client = connect(admin_url).await;
        // Left by a process of the same number that was killed.
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await.unwrap();
        Self { url: url_of(&name), name, admin_url: admin_url.to_owned() }
    }

    /// Where it is, for any client.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection to it, driven by a task of the runtime.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        // Dropping may happen in a runtime, in which nothing may block.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                // A server of the test's own may be gone by now.
                let Ok((client, connection)) = tokio_postgres::connect(&admin_url, NoTls).await else { return };
                let dropped = async { client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await };
                tokio::select! {
                    _ = dropped => {}
                    _ = connection => {}
                }
            });
            std::io::Result::Ok(())
        });
        let _ = dropping.join();
    }
}

/// A connection, driven by a task of the runtime that ends with it.
pub async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    #[expect(clippy::disallowed_methods, reason = "the task ends when the client is dropped")]
    tokio::spawn(connection);
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_test_has_a_database_of_its_own() {
        let (one, other) = (Database::create().await, Database::create().await);
        one.client().await.batch_execute("CREATE TABLE mine ()").await.unwrap();
        assert!(other.client().await.batch_execute("SELECT FROM mine").await.is_err());
        let url = one.url().to_owned();
        drop(one);
        assert!(tokio_postgres::connect(&url, NoTls).await.is_err(), "it is dropped");
    }

    #[tokio::test]
    async fn a_server_of_its_own_can_be_killed_and_started() {
        let mut server = Server::start_new();
        let database = Database::create_on(&server).await;
        database.client().await.batch_execute("CREATE TABLE kept ()").await.unwrap();
        server.kill();
        assert!(tokio_postgres::connect(database.url(), NoTls).await.is_err());
        server.start();
        database.client().await.batch_execute("SELECT FROM kept").await.unwrap();
    }
}
