//! Forms, as people and programs fill them in: a real server process and real requests.

mod browser;
#[cfg(test)]
#[path = "../../../../read-api/tests/it/chromium.rs"]
mod chromium;
mod hostile;
mod pages;
mod sending;

use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::super::server::Server;
use super::{after, respond, told, told_json};

/// A Form Trigger.
fn form_trigger(version: f64, parameters: Value) -> Value {
    json!({
        "id": "form", "name": "Form Trigger", "type": "n8n-nodes-base.formTrigger", "typeVersion": version,
        "position": [0, 0], "webhookId": "0f3c", "parameters": parameters
    })
}

/// A Form node.
fn form(name: &str, parameters: Value) -> Value {
    json!({ "name": name, "type": "n8n-nodes-base.form", "typeVersion": 2.5, "parameters": parameters })
}

fn fields(fields: Value) -> Value {
    json!({ "values": fields })
}

fn options(options: &[&str]) -> Value {
    json!({ "values": options.iter().map(|option| json!({ "option": option })).collect::<Vec<_>>() })
}

/// A workflow whose form is answered with the item that it became.
fn echo(mut parameters: Value) -> Value {
    parameters["responseMode"] = json!("responseNode");
    let seen = "={{ { json: $json, files: Object.fromEntries(Object.entries($binary ?? {}).map(([name, file]) => \
                [name, { name: file.fileName, type: file.mimeType, id: file.id, data: file.data }])) } }}";
    let answer = respond(json!({ "respondWith": "json", "responseBody": seen, "options": {} }));
    after(&form_trigger(2.1, parameters), &[answer])
}

/// The value of a hidden field of a page.
fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no field '{name}' in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

impl Server {
    /// The page at an address.
    async fn page(&self, path: &str) -> (u16, String) {
        told(self.request("GET", path).send().await.unwrap()).await
    }

    /// A request that sends a form as pairs.
    fn sends(&self, path: &str, pairs: &[(&str, &str)]) -> RequestBuilder {
        self.request("POST", path).form(pairs)
    }

    /// The same; every answer that leads on is followed.
    async fn send_form(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        self.sends(path, pairs).send().await.unwrap()
    }

    /// A form that is sent and not followed: where it leads.
    async fn led_to(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let sent = client.post(format!("{}{path}", self.url)).form(pairs).send().await.unwrap();
        assert_eq!(sent.status(), 303, "{path}");
        let location = sent.headers()["location"].to_str().unwrap();
        let url = sent.url().join(location).unwrap();
        url.path().to_owned()
    }
}
