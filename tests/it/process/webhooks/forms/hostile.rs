//! Forms and answers of people who mean harm.

use super::*;

const SCRIPT: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

/// Whether a page has anything in it that acts.
fn acts(page: &str) -> bool {
    let page = page.to_ascii_lowercase();
    page.contains("<script") || page.contains("<img") || page.contains("<iframe") || page.contains("href=\"javascript")
}

#[tokio::test]
async fn what_people_and_authors_write_never_becomes_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let asked = fields(json!([
        { "fieldLabel": SCRIPT, "placeholder": SCRIPT, "defaultValue": SCRIPT, "requiredField": true },
        { "fieldLabel": "Text", "fieldType": "textarea", "defaultValue": "</textarea><script>alert(1)</script>" },
        { "fieldLabel": "Number", "fieldType": "number" },
        { "fieldLabel": "Size", "fieldType": "dropdown", "fieldOptions": options(&[SCRIPT]) },
        { "fieldLabel": "Way", "fieldType": "radio", "fieldOptions": options(&[SCRIPT]) },
        { "fieldType": "html", "html": SCRIPT },
        { "fieldName": "h", "fieldType": "hiddenField", "fieldValue": SCRIPT }
    ]));
    let css = "</style><script>alert(1)</script>";
    let parameters = json!({ "formTitle": SCRIPT, "formDescription": format!("<a href=\"javascript:alert(1)\">x</a>{SCRIPT}"),
        "formFields": asked, "options": { "path": "evil", "buttonLabel": SCRIPT, "customCss": css,
            "respondWithOptions": { "values": { "formSubmittedText": SCRIPT } } } });
    let last = form(
        "End",
        json!({ "operation": "completion", "completionTitle": "={{ $('Form Trigger').item.json.Text }}",
        "completionMessage": "={{ $('Form Trigger').item.json.Text }}" }),
    );
    server.activated(&after(&form_trigger(2.2, parameters), &[last])).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Text", SCRIPT)
        .append_pair("h", SCRIPT)
        .finish();
    let (status, page) = server.page(&format!("/form/evil?{query}")).await;
    assert!(status == 200 && page.contains("&lt;script&gt;") && !acts(&page), "{page}");
    let (status, page) =
        told(server.send_form("/form/evil", &[("field-0", ""), ("field-1", SCRIPT), ("field-2", SCRIPT)]).await).await;
    assert!(status == 422 && !acts(&page), "{page}");
    let (status, page) = told(server.send_form("/form/evil", &[("field-0", "x"), ("field-1", SCRIPT)]).await).await;
    assert!(status == 200 && page.contains("&lt;script&gt;") && !acts(&page), "{page}");
    server.stop();
}

#[tokio::test]
async fn nobody_is_led_to_what_is_no_page_on_the_web() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let end = json!({ "respondWith": "redirect", "redirectUrl": "javascript:alert(1)" });
    let trigger = form_trigger(2.2, json!({ "options": { "path": "a", "respondWithOptions": { "values": end } } }));
    let id = server.import(&after(&trigger, &[])).await;
    server.changed("publishWorkflow", &id).await;
    let refused = server.change_workflow("activateWorkflow", &id).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("no address of a page"), "{refused}");

    let trigger =
        form_trigger(2.2, json!({ "formFields": fields(json!([{ "fieldLabel": "To" }])), "options": { "path": "b" } }));
    let away =
        form("End", json!({ "operation": "completion", "respondWith": "redirect", "redirectUrl": "={{ $json.To }}" }));
    server.activated(&after(&trigger, &[away])).await;
    for to in ["javascript:alert(1)", "data:text/html,<script>", "//evil.example", "https://a\r\nset-cookie: b"] {
        let (status, page) = told(server.send_form("/form/b", &[("field-0", to)]).await).await;
        assert!(status == 500 && !page.contains("evil") && !page.contains("refresh"), "{to}: {page}");
    }
    let by_node = respond(json!({ "respondWith": "redirect", "redirectURL": "javascript:alert(1)" }));
    let trigger = form_trigger(2.1, json!({ "path": "c", "responseMode": "responseNode" }));
    server.activated(&after(&trigger, &[by_node])).await;
    assert_eq!(server.send_form("/form/c", &[]).await.status(), 500);
    server.stop();
}

#[tokio::test]
async fn what_is_no_form_or_too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--webhook-body-max-mib", "1"]);
    let asked = fields(json!([{ "fieldLabel": "File", "fieldType": "file", "acceptFileTypes": ".pdf" }]));
    server.activated(&echo(json!({ "path": "file", "formFields": asked }))).await;
    let sent = async |content_type: &str, body: String| {
        let request = server.request("POST", "/form/file").header("content-type", content_type.to_owned()).body(body);
        told(request.send().await.unwrap()).await
    };
    let file = |name: &str, content: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"field-0\"; filename=\"{name}\"\r\n\r\n{content}\r\n--x--\r\n"
        )
    };
    let multipart = "multipart/form-data; boundary=x";
    assert_eq!(sent("application/json", "{}".to_owned()).await.0, 415);
    assert_eq!(sent("multipart/form-data", "x".to_owned()).await.0, 400);
    assert_eq!(sent(multipart, "--x\r\ncontent-dis".to_owned()).await.0, 400);
    assert_eq!(sent(multipart, file("a.pdf", &"x".repeat(2 << 20))).await.0, 413);
    let (status, page) = sent(multipart, file("<b>a.exe", "MZ")).await;
    assert!(status == 422 && page.contains("is not taken here") && !page.contains("<b>a"), "{page}");
    let many = "--x\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n1\r\n".repeat(1_001) + "--x--\r\n";
    assert_eq!(sent(multipart, many).await.0, 413);
    assert_eq!(server.executions().await, 0);
    server.stop();
}

#[tokio::test]
async fn an_execution_shows_nothing_to_who_does_not_know_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = form("Page", json!({ "formFields": fields(json!([{ "fieldLabel": "A" }])) }));
    let trigger = form_trigger(2.2, json!({ "formTitle": "Hidden", "options": { "path": "h" } }));
    server.activated(&after(&trigger, &[page])).await;
    let path = server.led_to("/form/h", &[]).await;
    assert_eq!(server.page(&path).await.0, 200);
    let (id, token) = path.strip_prefix("/form-waiting/").unwrap().split_once('.').unwrap();
    let other = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    let stranger = "0190f3c0-0000-7000-8000-000000000002";
    for wrong in [
        format!("{id}.{other}"),
        id.to_owned(),
        format!("{id}."),
        format!("{stranger}.{token}"),
        format!("{id}.{token}/x"),
    ] {
        let wrong = format!("/form-waiting/{wrong}");
        let (status, page) = server.page(&wrong).await;
        assert!(status == 404 && !page.contains("Hidden"), "{wrong}: {page}");
        assert_eq!(server.send_form(&wrong, &[("field-0", "x")]).await.status(), 404, "{wrong}");
    }
    server.stop();
}
