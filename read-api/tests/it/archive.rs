//! The archive of the log over GraphQL, where there is none: the log of these tests is in memory.

use serde_json::json;

use crate::support::TestServer;

const ARCHIVE: &str =
    "mutation($input: ArchiveLogInput!) { archiveLog(input: $input) { done errors { code message } } }";

#[tokio::test]
async fn a_log_that_cannot_be_archived_says_so() {
    let server = TestServer::start();
    let refused =
        server.data(ARCHIVE, json!({ "input": { "upTo": "5", "to": "archive" } })).await["archiveLog"].clone();
    assert_eq!((&refused["done"], &refused["errors"][0]["code"]), (&json!(false), &json!("NOTHING_TO_ARCHIVE")));
    let asked = server.data("{ logArchive { archivedUpTo segments { name } } }", json!({})).await;
    assert_eq!(asked["logArchive"], json!(null));
    let many = server.ask("{ logArchive(first: 1001) { archivedUpTo } }", json!({})).await;
    assert_eq!(many["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{many}");
}
