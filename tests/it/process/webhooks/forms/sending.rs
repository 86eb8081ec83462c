//! What becomes of a form that is sent.

use super::*;

#[tokio::test]
async fn a_form_is_shown_and_becomes_the_item_of_an_execution() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let asked = fields(json!([
        { "fieldLabel": "Your name", "requiredField": true, "placeholder": "Ada" },
        { "fieldLabel": "About you", "fieldType": "textarea" },
        { "fieldLabel": "Age", "fieldName": "age", "fieldType": "number" },
        { "fieldLabel": "Mail", "fieldType": "email" },
        { "fieldLabel": "Secret", "fieldType": "password" },
        { "fieldLabel": "Born", "fieldType": "date", "formatDate": "dd.mm.yyyy" },
        { "fieldLabel": "Size", "fieldType": "dropdown", "fieldOptions": options(&["S", "M"]) },
        { "fieldLabel": "Extras", "fieldType": "dropdown", "multiselect": true, "fieldOptions": options(&["a", "b"]) },
        { "fieldLabel": "Way", "fieldType": "radio", "fieldOptions": options(&["post", "pick up"]) },
        { "fieldLabel": "Terms", "fieldType": "checkbox", "fieldOptions": options(&["read", "agreed"]) },
        { "fieldName": "source", "fieldType": "hiddenField", "fieldValue": "web" },
        { "fieldType": "html", "elementName": "note", "html": "<b>Read this</b>" },
        { "fieldLabel": "My papers", "fieldType": "file", "acceptFileTypes": ".txt, image/*" },
        { "fieldLabel": "Photo", "fieldType": "file", "multipleFiles": false }
    ]));
    let parameters = json!({ "path": "order", "formTitle": "Order & go", "formDescription": "Two <em>minutes</em>.",
        "formFields": asked, "options": { "buttonLabel": "Send it" } });
    server.activated(&echo(parameters)).await;

    let shown = server.request("GET", "/form/order?Your%20name=Grace&source=mail").send().await.unwrap();
    assert_eq!(shown.headers()["content-type"], "text/html; charset=utf-8");
    let policy = shown.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-") && policy.contains("form-action 'self'"));
    let page = shown.text().await.unwrap();
    for part in [
        "<h1>Order &amp; go</h1>",
        "Two <em>minutes</em>.",
        "<label for=\"field-0\">Your name",
        "name=\"field-0\" value=\"Grace\" placeholder=\"Ada\" required",
        "<textarea id=\"field-1\"",
        "type=\"number\"",
        "type=\"email\"",
        "type=\"password\"",
        "type=\"date\"",
        "<option value=\"M\">M</option>",
        "type=\"checkbox\" id=\"field-7-0\" name=\"field-7\" value=\"a\"",
        "type=\"radio\" id=\"field-8-1\" name=\"field-8\" value=\"pick up\"",
        "type=\"hidden\" name=\"field-10\" value=\"mail\"",
        "<b>Read this</b>",
        "accept=\".txt,image/*\"",
        "<button type=\"submit\">Send it</button>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("style=\""), "{page}");

    let long = "x".repeat(40_000);
    let text =
        |name: &str, text: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let file = |name: &str, file: &str, text: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\ncontent-type: text/plain\r\n\r\n{text}\r\n"
        )
    };
    let parts = [
        text("field-0", "  Ada "),
        text("field-1", "two\r\nlines"),
        text("field-2", "36"),
        text("field-3", "ada@example.org"),
        text("field-4", " s3cret "),
        text("field-5", "1815-12-10"),
        text("field-6", "M"),
        text("field-7", "a"),
        text("field-7", "b"),
        text("field-8", "post"),
        text("field-10", "mail"),
        text("field-99", "nobody asked"),
        text("admin", "true"),
        file("field-12", "../one.txt", "1"),
        file("field-12", "two.txt", &long),
        file("field-13", "", ""),
        "--x--\r\n".to_owned(),
    ];
    let sent = server.request("POST", "/form/order?utm=a").header("content-type", "multipart/form-data; boundary=x");
    let (status, seen) = told_json(sent.body(parts.concat()).send().await.unwrap()).await;
    assert_eq!(status, 200, "{seen}");
    let mut item = seen["json"].clone();
    let sent_at = item.as_object_mut().unwrap().remove("submittedAt").unwrap();
    assert!(sent_at.as_str().unwrap().len() >= 24, "{sent_at}");
    let papers = json!([{ "filename": "one.txt", "mimetype": "text/plain", "size": 1 },
        { "filename": "two.txt", "mimetype": "text/plain", "size": 40_000 }]);
    let expected = json!({ "Your name": "Ada", "About you": "two\r\nlines", "age": 36, "Mail": "ada@example.org",
        "Secret": " s3cret ", "Born": "10.12.1815", "Size": "M", "Extras": ["a", "b"], "Way": "post", "Terms": [],
        "source": "mail", "note": "<b>Read this</b>", "My papers": papers, "Photo": null, "formMode": "production",
        "formQueryParameters": { "utm": "a" } });
    assert_eq!(item, expected);
    assert_eq!(
        (&seen["files"]["My_papers_0"]["data"], &seen["files"]["My_papers_0"]["name"]),
        (&json!("MQ=="), &json!("one.txt"))
    );
    let second = &seen["files"]["My_papers_1"];
    assert!(
        second["id"].as_str().unwrap().starts_with("blob:") && second["data"] == "",
        "a long one is beside the log"
    );
    server.stop();
}

#[tokio::test]
async fn what_is_wrong_is_told_beside_its_field_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let asked = fields(json!([
        { "fieldLabel": "Name", "requiredField": true },
        { "fieldLabel": "Age", "fieldType": "number" },
        { "fieldLabel": "Size", "fieldType": "dropdown", "fieldOptions": options(&["S", "M"]) },
        { "fieldLabel": "Extras", "fieldType": "checkbox", "fieldOptions": options(&["a", "b"]), "requiredField": true }
    ]));
    server.activated(&after(&form_trigger(2.5, json!({ "formTitle": "Order", "formFields": asked })), &[])).await;
    let wrong = [("field-0", ""), ("field-1", "many"), ("field-2", "XL"), ("other", "x")];
    let (status, page) = told(server.send_form("/form/0f3c", &wrong).await).await;
    assert_eq!(status, 422);
    for part in [
        "role=\"alert\"",
        "<a href=\"#field-0\">Name</a>: Fill this in",
        "value=\"many\"",
        "autofocus aria-invalid=\"true\" aria-describedby=\"field-0-fault\"",
        "<p class=\"fault\" id=\"field-1-fault\">Enter a number</p>",
        "id=\"field-2-fault\">Choose one of the options</p>",
        "<a href=\"#field-3-0\">Extras</a>: Choose at least one option",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(server.executions().await, 0);
    let right = [("field-0", "Ada"), ("field-1", "3"), ("field-2", ""), ("field-3", "b")];
    let (status, page) = told(server.send_form("/form/0f3c", &right).await).await;
    assert_eq!((status, server.executions().await), (200, 1));
    assert!(page.contains("Your response has been recorded"), "{page}");
    server.stop();
}

#[tokio::test]
async fn the_same_answers_from_the_same_look_are_one_execution() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let asked = fields(json!([{ "fieldLabel": "Name" }]));
    server
        .activated(&after(
            &form_trigger(
                1.0,
                json!({ "path": "once", "formTitle": "Once", "formFields": asked,
        "options": { "formSubmittedText": "Thank you!" } }),
            ),
            &[],
        ))
        .await;
    let look = hidden(&server.page("/form/once").await.1, "submission");
    for (name, executions) in [("Ada", 1), ("Ada", 1), ("Grace", 2)] {
        let (status, page) =
            told(server.send_form("/form/once", &[("submission", &look), ("field-0", name)]).await).await;
        assert_eq!((status, server.executions().await), (200, executions), "{page}");
        assert!(page.contains("Thank you!"), "{page}");
    }
    server.stop();
}

#[tokio::test]
async fn a_draft_is_tried_out_once_and_never_runs_at_the_address_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = server
        .import(&echo(
            json!({ "path": "try", "formTitle": "Try", "formFields": fields(json!([{ "fieldLabel": "A" }])) }),
        ))
        .await;
    assert_eq!(server.page("/form/try").await.0, 404);
    let (status, page) = server.page("/form-test/try").await;
    assert_eq!(status, 404);
    assert!(page.contains("timeloom workflow listen"), "{page}");
    server.changed("listenForTestWebhook", &id).await;
    assert_eq!(server.page("/form/try").await.0, 404);
    for _ in 0..2 {
        let (status, page) = server.page("/form-test/try").await;
        assert!(status == 200 && page.contains("test of a draft"), "looking does not take the one answer: {page}");
    }
    let (status, seen) = told_json(server.send_form("/form-test/try", &[("field-0", "x")]).await).await;
    assert_eq!((status, &seen["json"]["formMode"], &seen["json"]["A"]), (200, &json!("test"), &json!("x")));
    assert_eq!(server.send_form("/form-test/try", &[("field-0", "y")]).await.status(), 404);
    assert_eq!(server.executions().await, 1);
    server.stop();
}

#[tokio::test]
async fn a_form_is_for_whom_its_node_lets_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.save_credential("door", "httpBasicAuth", json!({ "user": "ada", "password": "pw" })).await;
    let asked = fields(json!([{ "fieldLabel": "A" }]));
    let parameters = json!({ "path": "in", "authentication": "basicAuth", "formFields": asked,
        "options": { "ignoreBots": true } });
    let mut workflow = echo(parameters);
    workflow["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "x", "name": "door" } });
    server.activated(&workflow).await;
    let asked = server.request("GET", "/form/in").send().await.unwrap();
    assert_eq!((asked.status().as_u16(), asked.headers().contains_key("www-authenticate")), (401, true));
    let with = |request: RequestBuilder| request.basic_auth("ada", Some("pw"));
    assert_eq!(with(server.request("GET", "/form/in")).send().await.unwrap().status(), 200);
    let robot = with(server.request("GET", "/form/in")).header("user-agent", "Googlebot/2.1").send().await.unwrap();
    assert_eq!(robot.status(), 403);
    assert_eq!(server.send_form("/form/in", &[("field-0", "x")]).await.status(), 401);
    let elsewhere = with(server.sends("/form/in", &[("field-0", "x")])).header("origin", "http://evil.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403, "a kept password is no consent");
    let crossing = with(server.sends("/form/in", &[("field-0", "x")])).header("sec-fetch-site", "cross-site");
    assert_eq!(crossing.send().await.unwrap().status(), 403);
    assert_eq!(server.executions().await, 0);
    let own = with(server.sends("/form/in", &[("field-0", "x")])).header("origin", server.url.clone());
    assert_eq!(own.send().await.unwrap().status(), 200);
    server.stop();
}

#[tokio::test]
async fn two_forms_cannot_have_one_address_and_a_webhook_beside_them_can() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let asked = || fields(json!([{ "fieldLabel": "A" }]));
    let workflow = || after(&form_trigger(2.2, json!({ "formFields": asked(), "options": { "path": "one" } })), &[]);
    server.activated(&workflow()).await;
    let second = server.import(&workflow()).await;
    server.changed("publishWorkflow", &second).await;
    let refused = server.change_workflow("activateWorkflow", &second).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("listens at GET one already"), "{refused}");
    server.activated(&super::super::echo(json!({ "path": "one" }))).await;
    assert_eq!(server.call("GET", "/webhook/one").await.0, 200);
    assert_eq!((server.page("/form/one").await.0, server.call("PUT", "/form/one").await.0), (200, 405));
    server.stop();
}
