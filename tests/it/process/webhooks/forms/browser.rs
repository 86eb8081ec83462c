//! A form of two pages in a real browser. Says SKIPPED where there is no Chromium.

use super::chromium::{Browser, Page};
use super::*;

#[tokio::test]
async fn a_person_fills_in_two_pages_and_sees_the_end() {
    let Some(browser) = Browser::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let name = json!({ "fieldLabel": "Name", "requiredField": true });
    let mail = json!({ "fieldLabel": "Mail", "fieldType": "email" });
    let first =
        json!({ "formTitle": "Order", "formFields": fields(json!([name, mail])), "options": { "path": "order" } });
    let size = json!({ "fieldLabel": "Size", "fieldType": "radio", "fieldOptions": options(&["S", "M"]) });
    let second = form("Details", json!({ "formFields": fields(json!([size])) }));
    let said = "={{ $('Form Trigger').item.json.Name }} takes {{ $json.Size }}";
    let last = form("End", json!({ "operation": "completion", "completionTitle": "Done", "completionMessage": said }));
    server.activated(&after(&form_trigger(2.2, first), &[second, last])).await;

    let mut page = Page::open(&browser, &super::super::super::server::client()).await;
    let address = format!("{}/form/order?Name=Ada", server.url);
    page.call("Page.navigate", json!({ "url": address })).await;
    page.until("document.querySelector('#field-0')?.value === 'Ada'").await;
    page.until("getComputedStyle(document.querySelector('button')).borderRadius !== '0px'").await;
    // What the browser itself would not let through reaches the server all the same.
    let wrong = "document.querySelector('form').noValidate = true; \
                 document.querySelector('#field-1').value = 'nobody'; document.querySelector('button').click()";
    page.call("Runtime.evaluate", json!({ "expression": wrong })).await;
    page.until("document.activeElement?.id === 'field-1' && document.activeElement.ariaInvalid === 'true'").await;
    page.until("document.querySelector('#field-0').value === 'Ada'").await;
    let right =
        "document.querySelector('#field-1').value = 'ada@example.org'; document.querySelector('button').click()";
    page.call("Runtime.evaluate", json!({ "expression": right })).await;
    page.until("location.pathname.startsWith('/form-waiting/') && document.querySelector('#field-0-1') !== null").await;
    let choose = "document.querySelector('#field-0-1').click(); document.querySelector('button').click()";
    page.call("Runtime.evaluate", json!({ "expression": choose })).await;
    page.until("document.body.innerText.includes('Ada takes M')").await;
    server.stop();
}
