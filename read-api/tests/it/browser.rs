//! The GraphiQL page in a real browser that has no network. Needs Chromium, so it runs only when it is asked for.

use serde_json::json;

use crate::chromium::{Browser, Page};
use crate::support::TestServer;

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_runs_a_query_without_a_network() {
    let server = TestServer::start();
    server.import("Seen in the browser").await;
    let browser = Browser::open();
    let mut page = Page::open(&browser, &server.client).await;
    let url = format!("http://localhost:{}/", server.port);
    page.call("Page.navigate", json!({ "url": url })).await;
    page.until("document.querySelector('.graphiql-execute-button') !== null").await;
    page.until("document.querySelector('.graphiql-query-editor').textContent.includes('Overview')").await;
    page.call(
        "Runtime.evaluate",
        json!({ "expression": "document.querySelector('.graphiql-execute-button').click()" }),
    )
    .await;
    page.until("document.querySelector('.result-window').textContent.includes('Seen in the browser')").await;
    page.call(
        "Runtime.evaluate",
        json!({ "expression": "document.querySelector('[aria-label=\"Show Documentation Explorer\"]').click()" }),
    )
    .await;
    page.until("document.querySelector('.graphiql-doc-explorer').textContent.includes('Mutation')").await;
    let foreign = "performance.getEntriesByType('resource').every(entry => entry.name.startsWith(location.origin) || entry.name.startsWith('data:'))";
    page.until(foreign).await;
    server.stop().await;
}
