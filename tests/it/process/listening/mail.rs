//! Letters that come, as items, and letters that are sent.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::sending::{given, run};
use super::servers::{Running, deliver, dovecot, has_dovecot, here, skipped, start_program};
use super::{activate, credential, heard, hearing, listening, serve, trigger};
use crate::process::python;

const LETTER: &str = "From: =?utf-8?q?J=C3=B6rg?= <joerg@mail.example>
To: Ann <ann@mail.example>, bob@mail.example
Subject: =?utf-8?b?w5xiZXJzaWNodA==?=
Message-ID: <one@mail.example>
X-Order: 42
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"cut\"

--cut
Content-Type: multipart/alternative; boundary=\"inner\"

--inner
Content-Type: text/plain; charset=utf-8

Hello
--inner
Content-Type: text/html; charset=utf-8

<b>Hello</b>
--inner--
--cut
Content-Type: text/csv
Content-Disposition: attachment; filename=\"../../etc/rows.csv\"
Content-Transfer-Encoding: base64

YSxiCjEsMgo=
--cut--
";

async fn item(parameters: Value) -> Option<(Value, Value)> {
    if !has_dovecot() {
        return None;
    }
    let (data, mailbox) = (tempfile::tempdir().unwrap(), dovecot());
    let server = serve(data.path());
    let fields = here(mailbox.port, &json!({ "user": "ann", "password": "open-sesame", "secure": false }));
    credential(&server, "imap", &fields).await;
    activate(&server, &hearing(&trigger("n8n-nodes-base.emailReadImap", "imap", parameters))).await;
    listening(&server).await;
    deliver(&mailbox, "one.letter", LETTER);
    let json = heard(&server, 1).await.remove(0);
    let (_, start) = crate::process::schedules::starts(&server).await.remove(0);
    server.stop();
    Some((json, start["items"][0]["binary"].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_given_with_its_texts_addresses_and_attachments() {
    let Some((item, binary)) = item(json!({ "downloadAttachments": true, "options": {} })).await else { return };
    let fields = ["textPlain", "textHtml", "subject", "from", "to"].map(|name| item[name].as_str().unwrap().trim());
    let expected =
        ["Hello", "<b>Hello</b>", "Übersicht", "Jörg <joerg@mail.example>", "Ann <ann@mail.example>, bob@mail.example"];
    assert_eq!(fields, expected);
    assert_eq!(item["metadata"]["x-order"], "42");
    let attachment = &binary["attachment_0"];
    assert_eq!((&attachment["fileName"], &attachment["mimeType"]), (&json!("rows.csv"), &json!("text/csv")));
    assert_eq!(attachment["data"], "YSxiCjEsMgo=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_given_with_all_its_headers() {
    let Some((item, binary)) = item(json!({ "format": "resolved", "options": {} })).await else { return };
    assert_eq!(item["from"]["value"], json!([{ "address": "joerg@mail.example", "name": "Jörg" }]));
    assert_eq!((&item["messageId"], &item["headers"]["x-order"]), (&json!("<one@mail.example>"), &json!("42")));
    assert_eq!(binary["attachment_0"]["fileName"], "rows.csv");
}

/// A mail server, which offers to secure connections where a certificate and its key are given. `None` where it cannot be fetched.
fn smtp(tls: Option<(&str, &str)>) -> Option<Running> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/process/listening");
    let python: PathBuf = match python::with("mail-server", &here.join("smtp.txt")) {
        Ok(python) => python,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            skipped(&format!("the mail server cannot be fetched: {error}"));
            return None;
        }
    };
    Some(start_program(&python, |folder, port, command| {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let (certificate_text, key_text) = tls.unwrap_or_default();
        std::fs::write(&certificate, certificate_text).unwrap();
        std::fs::write(&key, key_text).unwrap();
        std::fs::create_dir(folder.join("letters")).unwrap();
        let kind = if tls.is_some() { "TLS" } else { "PLAIN" };
        command.arg(here.join("smtp.py")).arg(port.to_string()).arg(folder.join("letters")).arg(kind);
        command.arg(certificate).arg(key);
    }))
}

/// The letters that a server has taken, in order.
fn letters(server: &Running) -> Vec<Value> {
    let letter = |number: usize| std::fs::read(server.folder().join(format!("letters/{number}.json"))).ok();
    (0..).map_while(letter).map(|letter| serde_json::from_slice(&letter).unwrap()).collect()
}

fn sending(more: &Value) -> Value {
    let mut parameters = json!({
        "fromEmail": "Ann <ann@mail.example>", "toEmail": "={{ $json.to }}", "subject": "Übersicht",
        "emailFormat": "both", "text": "Hello\n.\nagain", "html": "<b>Hello</b>", "options": {}
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    json!({ "type": "n8n-nodes-base.emailSend", "typeVersion": 2.1, "parameters": parameters })
}

fn person(server: &Running, password: &str, more: &Value) -> Value {
    let mut fields = here(server.port, &json!({ "user": "ann", "password": password, "secure": false }));
    for (name, value) in more.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    fields
}

#[test]
fn mail_is_sent_over_a_connection_that_is_secured_and_never_over_another() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    let Some(server) = smtp(Some((&certificate, &key))) else { return };
    let folder = tempfile::tempdir().unwrap();
    let items = json!([{ "to": "bob@mail.example, nobody@mail.example" }]);
    let copy = sending(&json!({ "options": { "bccEmail": "dan@mail.example" } }));
    let fields = person(&server, "open-sesame", &json!({ "caCertificate": certificate }));
    let told = run(folder.path(), &copy, ("smtp", &fields), &items).unwrap();
    let given = given(&told).remove(0);
    assert_eq!(given["accepted"], json!(["bob@mail.example", "dan@mail.example"]));
    assert_eq!(given["rejected"], json!(["nobody@mail.example"]));
    let letter = letters(&server).remove(0);
    assert_eq!((&letter["from"], &letter["secured"]), (&json!("ann@mail.example"), &json!(true)));
    let text = letter["letter"].as_str().unwrap();
    assert!(text.contains("<b>Hello</b>") && text.contains("\r\n.\r\nagain") && !text.contains("dan@"), "{text}");
    assert!(text.contains(given["messageId"].as_str().unwrap()), "{text}");
    let unknown = person(&server, "open-sesame", &json!({}));
    let said = run(folder.path(), &copy, ("smtp", &unknown), &items).unwrap_err();
    assert!(said.contains("no secure connection"), "{said}");
    let wrong = person(&server, "no-such-password", &json!({ "caCertificate": certificate }));
    let said = run(folder.path(), &copy, ("smtp", &wrong), &items).unwrap_err();
    assert!(said.contains("does not let us in") && !said.contains("no-such-password"), "{said}");
    assert_eq!(letters(&server).len(), 1);
}

#[test]
fn a_server_that_secures_nothing_gets_no_mail_unless_that_is_said() {
    let Some(server) = smtp(None) else { return };
    let folder = tempfile::tempdir().unwrap();
    let items = json!([{ "to": "bob@mail.example" }]);
    let said = run(folder.path(), &sending(&json!({})), ("smtp", &person(&server, "open-sesame", &json!({}))), &items);
    assert!(said.clone().unwrap_err().contains("does not secure the connection"), "{said:?}");
    let fields = person(&server, "open-sesame", &json!({ "disableStartTls": true }));
    run(folder.path(), &sending(&json!({})), ("smtp", &fields), &items).unwrap();
    assert_eq!(letters(&server)[0]["to"], json!(["bob@mail.example"]));
}
