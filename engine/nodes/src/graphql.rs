//! GraphQL: sends a query for each item and gives the answer.
//!
//! An answer that tells of errors is a failure, whatever its status. Outbound rules and credentials are those of HTTP
//! Request.

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use serde_json::{Value, json};
use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, Language, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use crate::describe::{ONE_TO_ONE, choice, code, is, json, list, many, needs, options, palette, switch, text, told};
use crate::http_request::auth::Authentication;
use crate::http_request::request::{Request, Transport, address, default_header, header_map};
use crate::http_request::respond::{decoded, refused};
use crate::http_request::send::Sender;
use crate::values;

const BY_JSON: &[Condition] = &[is("requestFormat", &["json"])];
const POSTS: &[Condition] = &[is("requestMethod", &["POST"])];
const FORMATS: &[Choice] = &[
    told("graphql", "GraphQL (raw)", "The query is the body."),
    told("json", "JSON", "The body has variables as well."),
];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "authentication",
        &[
            choice("basicAuth", "Basic Auth"),
            choice("customAuth", "Custom Auth"),
            choice("digestAuth", "Digest Auth"),
            choice("headerAuth", "Header Auth"),
            choice("none", "None"),
            choice("oAuth2", "OAuth2"),
            choice("queryAuth", "Query Auth"),
        ],
        "Which credential to use.",
    )
    .or_text("none"),
    options("requestMethod", &[choice("GET", "GET"), choice("POST", "POST")], "Method of the request.")
        .called("HTTP request method")
        .or_text("POST"),
    text("endpoint", "Address of the GraphQL service.").like("https://example.com/graphql").needed(),
    switch("allowUnauthorizedCerts", "Whether any certificate will do.")
        .called("Ignore SSL issues (insecure)")
        .or_false(),
    options("requestFormat", FORMATS, "How a query is sent.").or_text("graphql").when(POSTS).until(1.0),
    options("requestFormat", FORMATS, "How a query is sent.").or_text("json").when(POSTS).since(1.1),
    code("query", Language::GraphQl, "The query or mutation.").needed(),
    json("variables", "Variables of the query.").like(r#"{"id": 1}"#).when(BY_JSON),
    text("operationName", "The operation to run, where the query holds several.").or_text("").when(BY_JSON),
    options("responseFormat", &[choice("json", "JSON"), choice("string", "String")], "What the answer becomes.")
        .or_text("json"),
    text("dataPropertyName", "Field that gets the answer.")
        .called("Response data property name")
        .or_text("data")
        .when(&[is("responseFormat", &["string"])]),
    list(
        "headerParametersUi",
        &[many("parameter", "Header", &[text("name", "Name of the header."), text("value", "Value of the header.")])],
        "Names and values of headers.",
    )
    .called("Headers"),
];

pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBasicAuth", &[is("authentication", &["basicAuth"])]),
    needs("httpCustomAuth", &[is("authentication", &["customAuth"])]),
    needs("httpDigestAuth", &[is("authentication", &["digestAuth"])]),
    needs("httpHeaderAuth", &[is("authentication", &["headerAuth"])]),
    needs("oAuth2Api", &[is("authentication", &["oAuth2"])]),
    needs("httpQueryAuth", &[is("authentication", &["queryAuth"])]),
];

/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 21;

/// GraphQL.
#[derive(Default)]
pub(crate) struct GraphQl {
    sender: Sender,
}

impl NodeType for GraphQl {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.graphql",
            display_name: "GraphQL",
            description: "Sends a GraphQL query for each item and gives the answer.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "waypoints", &["api", "query", "mutation", "request"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for GraphQl {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        let mut given = Vec::with_capacity(count);
        for index in 0..count {
            match self.answer(run, index).await {
                Ok(answered) => given.extend(answered),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl GraphQl {
    async fn answer(&self, run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Item>, NodeError> {
        let authentication = credentials(run, index).await?;
        let request = request(run, index)?;
        let received = self.sender.send(&authentication, request, &run.services.outbound).await?;
        let text = decoded(&received);
        let parsed = serde_json::from_str::<Value>(&text).ok();
        if let Some(errors) = parsed.as_ref().and_then(|answer| answer.get("errors")).filter(|errors| !errors.is_null())
        {
            return Err(told_errors(errors));
        }
        if !received.status.is_success() {
            return Err(refused(&received));
        }
        if run.text("responseFormat", index, "json")? == "string" {
            let field = run.text("dataPropertyName", index, "data")?;
            return Ok(vec![Item::new(JsonObject::from_iter([(field, Value::String(text))])).paired_with(index)]);
        }
        let parts = match parsed {
            Some(Value::Array(parts)) => parts,
            Some(answer) => vec![answer],
            None => {
                return Err(NodeError::operation("the body of the answer is not valid JSON")
                    .described("set Response Format to String to take it as it is"));
            }
        };
        let objects = parts.into_iter().filter_map(|part| part.as_object().cloned());
        Ok(objects.map(|json| Item::new(json).paired_with(index)).collect())
    }
}

/// The failure that the answer itself tells of.
fn told_errors(errors: &Value) -> NodeError {
    let messages: Vec<&str> = errors
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error.get("message").and_then(Value::as_str))
        .collect();
    let message = if messages.is_empty() { "the service answered with errors".to_owned() } else { messages.join(", ") };
    NodeError { data: Some(errors.clone()), ..NodeError::api(message) }
}

async fn credentials(run: &mut NodeRun<'_>, index: usize) -> Result<Authentication, NodeError> {
    let credential_type = match run.text("authentication", index, "none")?.as_str() {
        "none" | "" => return Ok(Authentication::default()),
        "basicAuth" => "httpBasicAuth",
        "customAuth" => "httpCustomAuth",
        "digestAuth" => "httpDigestAuth",
        "headerAuth" => "httpHeaderAuth",
        "queryAuth" => "httpQueryAuth",
        "oAuth1" => "oAuth1Api",
        "oAuth2" => "oAuth2Api",
        other => return Err(NodeError::operation(format!("the authentication '{other}' is not known"))),
    };
    Authentication::of_type(run, credential_type).await
}

fn request(run: &mut NodeRun<'_>, index: usize) -> Result<Request, NodeError> {
    let mut url = address(&run.text("endpoint", index, "")?)?;
    let query = run.text("query", index, "")?;
    let default_format = if run.version() < 1.1 { "graphql" } else { "json" };
    let format = run.text("requestFormat", index, default_format)?;
    let mut fields = JsonObject::new();
    if let Some(Value::Array(entries)) = run.parameter("headerParametersUi.parameter", index)? {
        for entry in &entries {
            let part = |name: &str| entry.get(name).cloned().unwrap_or_default();
            fields.insert(values::text(&part("name")), part("value"));
        }
    }
    fields.remove("");
    let mut headers = header_map(&fields)?;
    default_header(&mut headers, USER_AGENT, "timeloom");
    default_header(&mut headers, ACCEPT, "application/json");
    let key = format!("{}-{index}", run.idempotency_key);
    default_header(&mut headers, HeaderName::from_static("idempotency-key"), &key);
    if let Some(span) = run.traceparent() {
        default_header(&mut headers, HeaderName::from_static("traceparent"), &span);
    }
    let (method, body) = if run.text("requestMethod", index, "POST")? == "GET" {
        url.query_pairs_mut().append_pair("query", &query);
        (Method::GET, None)
    } else {
        default_header(&mut headers, CONTENT_TYPE, &format!("application/{format}"));
        let body = if format == "json" { json_body(run, index, query)? } else { query };
        (Method::POST, Some(body.into_bytes().into()))
    };
    let any_certificate = run.boolean("allowUnauthorizedCerts", index, false)?;
    let transport = Transport { redirects_max: REDIRECTS_MAX, any_certificate, ..Transport::default() };
    Ok(Request { method, url, headers, body, secret_headers: Vec::new(), transport })
}

fn json_body(run: &mut NodeRun<'_>, index: usize, query: String) -> Result<String, NodeError> {
    let variables = match run.parameter("variables", index)? {
        None | Some(Value::Null) => json!({}),
        Some(Value::String(text)) if text.trim().is_empty() => json!({}),
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|error| NodeError::operation(format!("the variables are not valid JSON: {error}")))?,
        Some(variables) => variables,
    };
    let operation = run.text("operationName", index, "")?;
    let operation = if operation.is_empty() { Value::Null } else { Value::String(operation) };
    Ok(values::stringify(&json!({"query": query, "variables": variables, "operationName": operation})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_request::tests::{Server, json_reply, reply};
    use crate::testing::{Bench, json_of};

    async fn output(bench: &mut Bench<'_>) -> Value {
        json_of(&bench.run_effect().await.unwrap(), 0)
    }

    #[tokio::test]
    async fn a_query_goes_out_as_the_version_says() {
        let server = Server::start(|_| json_reply(&json!({"data": {"a": 1}})));
        let node = GraphQl::default();
        let parameters = |more: Value| {
            let mut parameters = json!({"endpoint": server.url("/graphql"), "query": "query { a }"});
            parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            parameters
        };
        for (version, more, sent) in [
            (1.0, json!({}), "query { a }"),
            (1.1, json!({}), r#"{"query":"query { a }","variables":{},"operationName":null}"#),
            (
                1.0,
                json!({"requestFormat": "json", "variables": "{\"n\": 1}", "operationName": "A"}),
                r#"{"query":"query { a }","variables":{"n":1},"operationName":"A"}"#,
            ),
        ] {
            let mut bench = Bench::new(&node, version, parameters(more)).input(json!([{}]));
            assert_eq!(output(&mut bench).await, json!([{"data": {"a": 1}}]));
            let seen = server.seen().pop().unwrap();
            assert!(seen.ends_with(&format!("\r\n\r\n{sent}")), "{seen}");
        }
        let get = parameters(json!({"requestMethod": "GET", "responseFormat": "string", "dataPropertyName": "text"}));
        let kept = output(&mut Bench::new(&node, 1.0, get).input(json!([{}]))).await;
        assert_eq!(kept, json!([{"text": "{\"data\":{\"a\":1}}"}]));
        assert!(server.seen().pop().unwrap().starts_with("GET /graphql?query=query+%7B+a+%7D "));
    }

    #[tokio::test]
    async fn errors_in_the_answer_are_failures() {
        let errors = json!({"errors": [{"message": "no field 'a'"}, {"message": "too deep"}]});
        let server = Server::start(move |line| match line.contains("/down") {
            true => reply("502 Bad Gateway", "", ""),
            false => json_reply(&errors),
        });
        let node = GraphQl::default();
        let bench = |path: &str| {
            Bench::new(&node, 1.0, json!({"endpoint": server.url(path), "query": "{ a }"})).input(json!([{}]))
        };
        assert_eq!(bench("/").run_effect().await.unwrap_err().message, "no field 'a', too deep");
        let on = output(&mut bench("/").continue_on_fail()).await;
        assert_eq!(on, json!([{"error": "no field 'a', too deep"}]));
        assert!(bench("/down").run_effect().await.unwrap_err().message.starts_with("502"));
    }
}
