//! Forms of several pages: what is shown when, and that it outlives the process.

use super::*;

/// A form of two pages and a last one that `ending` describes.
fn three_pages(path: &str, mut ending: Value) -> Value {
    ending["operation"] = json!("completion");
    let first = json!({ "formTitle": "Order", "formFields": fields(json!([{ "fieldLabel": "Name" }])),
        "options": { "path": path, "buttonLabel": "Next" } });
    let greeting = "=Hello {{ $json.Name }}";
    let size = json!({ "fieldLabel": "Size", "fieldType": "radio", "fieldOptions": options(&["S", "M"]), "requiredField": true });
    let second = json!({ "formFields": fields(json!([size])), "options": { "formDescription": greeting } });
    after(&form_trigger(2.2, first), &[form("Details", second), form("Thanks", ending)])
}

#[tokio::test]
async fn pages_follow_each_other_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let message = "={{ $('Form Trigger').item.json.Name }} takes {{ $json.Size }}";
    server.activated(&three_pages("order", json!({ "completionTitle": "Done", "completionMessage": message }))).await;
    let path = server.led_to("/form/order", &[("field-0", "Ada <b>")]).await;
    assert!(path.starts_with("/form-waiting/"), "{path}");
    let (status, page) = server.page(&path).await;
    assert_eq!(status, 200);
    for part in ["<h1>Order</h1>", "Hello Ada", "type=\"radio\" id=\"field-0-0\"", ">Next</button>"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let marker = hidden(&page, "page");
    server.kill();

    let server = Server::start(folder.path(), &[]);
    let page = loop {
        match server.page(&path).await {
            (503, _) => {}
            (status, page) => break (status, page),
        }
    };
    assert!(page.0 == 200 && page.1.contains("Hello Ada") && hidden(&page.1, "page") == marker, "{page:?}");
    let (status, page) = told(server.send_form(&path, &[("page", &marker)]).await).await;
    assert!(status == 422 && page.contains("Choose one of the options"), "{page}");
    assert_eq!(server.led_to(&path, &[("page", &marker), ("field-0", "M")]).await, path);
    for _ in 0..2 {
        let (status, page) = server.page(&path).await;
        assert!(status == 200 && page.contains("<h1>Done</h1>") && page.contains("takes M"), "{page}");
    }
    // Whoever sends the page once more is shown what came of it.
    let (status, page) = told(server.send_form(&path, &[("page", &marker), ("field-0", "S")]).await).await;
    assert!(status == 200 && page.contains("takes M"), "{page}");
    server.kill();
    let server = Server::start(folder.path(), &[]);
    let page = loop {
        match server.page(&path).await {
            (503, _) => {}
            (_, page) => break page,
        }
    };
    assert!(page.contains("takes M"), "the end is in the log: {page}");
    server.stop();
}

#[tokio::test]
async fn an_answer_of_one_page_is_never_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = |name: &str| form(name, json!({ "formFields": fields(json!([{ "fieldLabel": name }])) }));
    let said = "={{ $('First').item.json.First }}, {{ $('Second').item.json.Second }}";
    let end = form("End", json!({ "operation": "completion", "completionMessage": said }));
    let trigger = form_trigger(2.2, json!({ "formTitle": "Two", "options": { "path": "two" } }));
    server.activated(&after(&trigger, &[page("First"), page("Second"), end])).await;
    let path = server.led_to("/form/two", &[]).await;
    let marker = hidden(&server.page(&path).await.1, "page");
    let first = [("page", marker.as_str()), ("field-0", "one")];
    let sent: Vec<_> = (0..4).map(|_| server.sends(&path, &first).send()).collect();
    for sent in sent {
        let (status, page) = told(sent.await.unwrap()).await;
        assert!(status == 200 && page.contains("for=\"field-0\">Second"), "{page}");
    }
    let marker = hidden(&server.page(&path).await.1, "page");
    let (_, page) = told(server.send_form(&path, &[("page", &marker), ("field-0", "two")]).await).await;
    assert!(page.contains("one, two"), "{page}");
    server.stop();
}

#[tokio::test]
async fn a_last_page_offers_a_file_a_page_or_the_way_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let trigger = |path: &str| form_trigger(2.2, json!({ "formTitle": "End", "options": { "path": path } }));
    let completion = |mut parameters: Value| {
        parameters["operation"] = json!("completion");
        form("End", parameters)
    };
    let file = json!({ "name": "File", "type": "n8n-nodes-base.convertToFile", "typeVersion": 1.1,
        "parameters": { "operation": "toJson", "options": { "fileName": "all \u{fc}.json" } } });
    let offers = completion(
        json!({ "respondWith": "returnBinary", "completionTitle": "Take it", "inputDataFieldName": "data" }),
    );
    server.activated(&after(&trigger("file"), &[file, offers])).await;
    let path = server.led_to("/form/file", &[]).await;
    let (_, page) = server.page(&path).await;
    assert!(page.contains("Download all \u{fc}.json") && page.contains("href=\"?file\""), "{page}");
    let response = server.request("GET", &format!("{path}?file")).send().await.unwrap();
    let disposition = String::from_utf8_lossy(response.headers()["content-disposition"].as_bytes()).into_owned();
    assert!(response.status() == 200 && disposition.starts_with("attachment"), "{disposition}");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.text().await.unwrap().contains("formMode"));

    let own = completion(json!({ "respondWith": "showText", "responseText": "<h2>Own</h2><script>alert(1)</script>" }));
    server.activated(&after(&trigger("own"), &[own])).await;
    let (_, page) = told(server.send_form("/form/own", &[]).await).await;
    assert!(page.contains("<h2>Own</h2>") && !page.contains("alert"), "{page}");

    let away =
        completion(json!({ "respondWith": "redirect", "redirectUrl": "={{ 'https://example.org/?a=1&b=' + 2 }}" }));
    server.activated(&after(&trigger("away"), &[away])).await;
    let (_, page) = told(server.send_form("/form/away", &[]).await).await;
    assert!(page.contains("http-equiv=\"refresh\" content=\"0; url=https://example.org/?a=1&amp;b=2\""), "{page}");
    server.stop();
}

#[tokio::test]
async fn a_wait_resumes_on_a_form() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ask = json!({ "resume": "form", "formTitle": "=Approve {{ $json.query.n }}?",
        "formFields": fields(json!([{ "fieldLabel": "Verdict", "fieldType": "dropdown", "requiredField": true,
            "fieldOptions": options(&["yes", "no"]) }])),
        "options": { "webhookSuffix": "verdict", "respondWithOptions": { "values": { "formSubmittedText": "Noted." } } } });
    let wait = json!({ "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1, "parameters": ask });
    let answer = respond(
        json!({ "respondWith": "json", "responseBody": "={{ { url: $execution.resumeFormUrl } }}", "options": {} }),
    );
    let trigger = super::super::webhook(json!({ "path": "ask", "responseMode": "responseNode" }));
    server.activated(&after(&trigger, &[answer, wait])).await;
    let (_, given) = told_json(server.request("GET", "/webhook/ask?n=41").send().await.unwrap()).await;
    let url = given["url"].as_str().unwrap();
    let path = url[url.find("/form-waiting").unwrap()..].to_owned();
    let address = format!("{path}/verdict");
    let (status, page) = server.page(&path).await;
    assert!(status == 200 && page.contains("<h1>Approve 41?</h1>"), "{page}");
    assert_eq!(server.page(&address).await.0, 200);
    assert_eq!(server.page(&format!("{path}/other")).await.0, 404, "the suffix is part of the address");
    assert_eq!(server.send_form(&path, &[("field-0", "yes")]).await.status(), 404);
    let resume = path.replace("/form-waiting/", "/webhook-waiting/");
    assert_eq!(server.call("GET", &format!("{resume}/verdict")).await.0, 409, "a request is no form");
    let (status, page) = told(server.send_form(&address, &[("field-0", "perhaps")]).await).await;
    assert!(status == 422 && page.contains("Choose one of the options"), "{page}");
    let (status, page) = told(server.send_form(&address, &[("field-0", "yes")]).await).await;
    assert!(status == 200 && page.contains("Noted."), "{page}");
    server.stop();
}

#[tokio::test]
async fn who_waits_for_the_end_is_shown_it_and_failures_are_told_without_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let trigger = |path: &str| {
        let end =
            json!({ "respondWithOptions": { "values": { "respondWith": "text", "formSubmittedText": "All done" } } });
        let mut options = end;
        options["path"] = json!(path);
        form_trigger(2.2, json!({ "formTitle": "End", "responseMode": "lastNode", "options": options }))
    };
    let wait = json!({ "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1,
        "parameters": { "resume": "timeInterval", "amount": 1, "unit": "seconds" } });
    server.activated(&after(&trigger("slow"), &[wait])).await;
    let (status, page) = told(server.send_form("/form/slow", &[]).await).await;
    assert!(status == 200 && page.contains("All done"), "{page}");
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "the secret reason" } });
    server.activated(&after(&trigger("fails"), &[fails])).await;
    let (status, page) = told(server.send_form("/form/fails", &[]).await).await;
    assert!(status == 500 && page.contains("Something went wrong") && !page.contains("secret reason"), "{page}");
    server.stop();
}
