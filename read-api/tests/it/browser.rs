//! The GraphiQL page in a real browser that has no network, and the way in to it. Says SKIPPED where there is no Chromium.

use serde_json::json;
use timeloom_domain::access::Role;
use timeloom_read_api::SignInOptions;

use crate::chromium::{Browser, Page};
use crate::people::machine;
use crate::support::{FIRST_TENANT, TestServer, workflow_file};

async fn click(page: &mut Page, what: &str) {
    let expression = format!("document.querySelector({}).click()", json!(what));
    page.call("Runtime.evaluate", json!({ "expression": expression })).await;
}

#[tokio::test]
async fn the_page_runs_a_query_without_a_network() {
    let Some(browser) = Browser::open() else { return };
    let server = TestServer::start();
    server.import("Seen in the browser").await;
    let mut page = Page::open(&browser, &server.client).await;
    let url = format!("http://localhost:{}/graphiql", server.port);
    page.call("Page.navigate", json!({ "url": url })).await;
    page.until("document.querySelector('.graphiql-execute-button') !== null").await;
    page.until("document.querySelector('.graphiql-query-editor').textContent.includes('Overview')").await;
    click(&mut page, ".graphiql-execute-button").await;
    page.until("document.querySelector('.result-window').textContent.includes('Seen in the browser')").await;
    click(&mut page, "[aria-label=\"Show Documentation Explorer\"]").await;
    page.until("document.querySelector('.graphiql-doc-explorer').textContent.includes('Mutation')").await;
    let foreign = "performance.getEntriesByType('resource').every(entry => entry.name.startsWith(location.origin) || entry.name.startsWith('data:'))";
    page.until(foreign).await;
    server.stop().await;
}

#[tokio::test]
async fn somebody_signs_in_by_a_link_and_the_page_asks_as_them() {
    let Some(browser) = Browser::open() else { return };
    let server = TestServer::start_asking(SignInOptions::default());
    let account = server.user(FIRST_TENANT, "ada", &[Role::Viewer]).await;
    let link = server.access.make_sign_in_link(&machine(FIRST_TENANT), account, 60_000).await.unwrap().value;
    let owner = server.key_with(FIRST_TENANT, "owner", &[Role::Owner]).await;
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let input = json!({ "input": { "definition": workflow_file("Seen by Ada") } });
    let imported = server.ask_with(&owner, import, input).await;
    assert_eq!(imported["data"]["importWorkflow"]["errors"], json!([]), "{imported}");
    server.wait_for_rows().await;
    let mut page = Page::open(&browser, &server.client).await;
    let own = format!("http://localhost:{}", server.port);
    page.call("Page.navigate", json!({ "url": format!("{own}/") })).await;
    page.until("location.pathname === '/sign-in' && document.querySelector('#password') !== null").await;
    page.call("Page.navigate", json!({ "url": format!("{own}/sign-in/link?token={}", *link.token) })).await;
    page.until("document.querySelector('form[action=\"/sign-in/link\"] button') !== null").await;
    click(&mut page, "form[action=\"/sign-in/link\"] button").await;
    page.until("location.pathname === '/account/password' && document.querySelector('#password') !== null").await;
    page.until("document.querySelector('#current') === null").await;
    page.call("Page.navigate", json!({ "url": format!("{own}/graphiql") })).await;
    page.until("document.querySelector('.graphiql-execute-button') !== null").await;
    page.until("document.querySelector('.graphiql-query-editor').textContent.includes('Overview')").await;
    click(&mut page, ".graphiql-execute-button").await;
    page.until("document.querySelector('.result-window').textContent.includes('Seen by Ada')").await;
    page.until("document.cookie === ''").await;
    page.call("Page.navigate", json!({ "url": format!("{own}/sign-out") })).await;
    page.until("document.querySelector('form[action=\"/sign-out\"] button') !== null").await;
    click(&mut page, "form[action=\"/sign-out\"] button").await;
    page.until("location.pathname === '/sign-in'").await;
    page.call("Page.navigate", json!({ "url": format!("{own}/") })).await;
    page.until("location.pathname === '/sign-in' && document.querySelector('#password') !== null").await;
    server.stop().await;
}
