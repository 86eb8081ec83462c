//! The committed schema is the served one: a change of the API shows up in review.

use std::path::Path;

use crate::support::TestServer;

/// Set this to write the file anew.
const UPDATE: &str = "UPDATE_SCHEMA";

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn the_committed_schema_is_the_real_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let real = timeloom_read_api::sdl_text();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &real).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == real, "schema.graphql is out of date: run this test with {UPDATE}=1 and commit the file");
}

#[tokio::test]
async fn the_schema_is_served_as_text() {
    let server = TestServer::start();
    let response = server.client.get(server.url("/graphql/schema")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), timeloom_read_api::sdl_text());
    server.stop().await;
}
