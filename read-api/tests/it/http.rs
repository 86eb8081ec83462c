//! The HTTP rules: methods, media types, limits, hosts and origins, health, the page.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, ORIGIN};
use serde_json::{Value, json};

use crate::support::TestServer;

const QUERY: &str = "{ head { position } }";

async fn status(request: reqwest::RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn reads_may_come_by_get_and_changes_may_not() {
    let server = TestServer::start();
    let url = server.url("/graphql");
    let read = server.client.get(&url).query(&[("query", QUERY)]).send().await.unwrap();
    assert_eq!(read.status(), 200);
    let answer: Value = read.json().await.unwrap();
    let cost = json!({ "requested": 2, "actual": 2, "max": 20_000 });
    assert_eq!(answer, json!({ "data": { "head": { "position": "0" } }, "extensions": { "cost": cost } }));
    let variables =
        [("query", "query($at: AsOf) { head(asOf: $at) { position } }"), ("variables", "{\"at\":{\"position\":0}}")];
    assert_eq!(status(server.client.get(&url).query(&variables)).await, 200);
    let mutation = "mutation { registerPlugin(input: {name: \"by-get\"}) { name } }";
    let refused = server.client.get(&url).query(&[("query", mutation)]).send().await.unwrap();
    assert_eq!(
        (refused.status(), refused.headers()[ALLOW].to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    let named = [
        ("query", "query Q { head { position } } mutation M { retirePlugin(input: {name: \"x\"}) { name } }"),
        ("operationName", "M"),
    ];
    assert_eq!(status(server.client.get(&url).query(&named)).await, 405);
    let plugins = server.data("{ plugins { nodes { name } } events { nodes { type } } }", json!({})).await;
    assert_eq!(plugins, json!({ "plugins": { "nodes": [] }, "events": { "nodes": [] } }));
    let other = server.client.put(&url).send().await.unwrap();
    assert_eq!(
        (other.status(), other.headers()[ALLOW].to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, POST")
    );
    server.stop().await;
}

#[tokio::test]
async fn only_json_is_taken() {
    let server = TestServer::start();
    let body = json!({ "query": QUERY }).to_string();
    let post = |content_type: Option<&str>| {
        let request = server.client.post(server.url("/graphql")).body(body.clone());
        match content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        }
    };
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("application/json; charset=latin1"),
        Some("application/graphql"),
    ] {
        assert_eq!(status(post(content_type)).await, 415, "{content_type:?}");
    }
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        assert_eq!(status(post(Some(content_type))).await, 200, "{content_type}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_graphql_request_are_refused() {
    let server = TestServer::start();
    let deep = format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":{}1{}}}}}", "[".repeat(500), "]".repeat(500));
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        "{\"query\":7}",
        "{\"query\":\"{a}\",\"variables\":[]}",
        "{\"query\":\"{a}\",\"extensions\":1}",
        "{\"query\":\"{a}\",\"operationName\":{}}",
        "[{\"query\":\"{a}\"}]",
        &deep,
    ] {
        let request = server.client.post(server.url("/graphql")).header(CONTENT_TYPE, "application/json");
        let response = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), 400, "{}", &body[..body.len().min(60)]);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    }
    let large = json!({ "query": QUERY, "variables": { "a": "x".repeat(21 << 20) } });
    assert_eq!(status(server.client.post(server.url("/graphql")).json(&large)).await, 413);
    server.stop().await;
}

#[tokio::test]
async fn the_client_chooses_the_form_of_answer() {
    let server = TestServer::start();
    let ask = async |accept: Option<&str>, query: &str| {
        let mut request = server.client.post(server.url("/graphql")).json(&json!({ "query": query }));
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let response = request.send().await.unwrap();
        let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        (response.status().as_u16(), content_type, response.json::<Value>().await.unwrap())
    };
    let graphql = "application/graphql-response+json";
    assert_eq!(ask(None, QUERY).await.1, "application/json; charset=utf-8");
    assert_eq!(ask(Some(graphql), QUERY).await.1, format!("{graphql}; charset=utf-8"));
    for wrong in ["{ nothing }", "{", "query($a: Int!) { head { position } }"] {
        let (status, _, answer) = ask(Some(graphql), wrong).await;
        assert_eq!((status, answer.get("data")), (400, None), "{wrong}: {answer}");
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
        assert_eq!(ask(Some("application/json"), wrong).await.0, 200, "{wrong}");
    }
    assert_eq!(ask(Some("image/png"), QUERY).await.0, 406);
    assert_eq!(
        ask(None, "subscription { execution(id: \"00000000-0000-0000-0000-000000000000\") { type } }").await.0,
        406
    );
    server.stop().await;
}

#[tokio::test]
async fn requests_for_too_much_are_refused() {
    let server = TestServer::start();
    let aliases: String = (0..60).map(|index| format!("a{index}: head {{ position }} ")).collect();
    let mut deep = "{ workflows(first: 1) { nodes { executions { nodes { workflow { executions { nodes { workflow { executions { nodes { workflow { executions { nodes { workflow { executions { nodes { workflow { executions { nodes { id } } } } } } } } } } } } } } } } } } }".to_owned();
    deep.push_str(" } }");
    let wide = "{ workflows(first: 100) { nodes { executions(first: 100) { nodes { nodeRuns(first: 100) { nodes { output } } } } } } }";
    for query in [format!("{{ {aliases} }}").as_str(), deep.as_str(), wide] {
        let answer = server.ask(query, json!({})).await;
        assert_eq!(answer.get("data"), None, "{answer}");
        assert!(answer["errors"][0]["message"].is_string());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_usual_introspection_passes_the_limits() {
    let server = TestServer::start();
    let types = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } }";
    let input = format!("name description type {{ {types} }} defaultValue");
    let query = format!(
        "{{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }} types {{ kind name description
        fields(includeDeprecated: true) {{ name description args {{ {input} }} type {{ {types} }} isDeprecated deprecationReason }}
        inputFields {{ {input} }} interfaces {{ {types} }} enumValues(includeDeprecated: true) {{ name }} possibleTypes {{ {types} }} }}
        directives {{ name locations args {{ {input} }} }} }} }}"
    );
    let data = server.data(&query, json!({})).await;
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
    server.stop().await;
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused() {
    let server = TestServer::start();
    let port = server.port;
    let post = || server.client.post(server.url("/graphql")).json(&json!({ "query": QUERY }));
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(status(post().header(HOST, &host)).await, 200, "{host}");
    }
    let port_of_another = format!("localhost:{}", port.wrapping_add(1));
    for host in [format!("rebind.example:{port}"), "localhost".to_owned(), port_of_another] {
        let response = post().header(HOST, &host).send().await.unwrap();
        assert_eq!(response.status(), 403, "{host}");
        let answer: Value = response.json().await.unwrap();
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("http://localhost:"), "{answer}");
    }
    assert_eq!(status(post().header(ORIGIN, format!("http://localhost:{port}"))).await, 200);
    for origin in ["http://evil.example", "null", "https://localhost.evil.example"] {
        assert_eq!(status(post().header(ORIGIN, origin)).await, 403, "{origin}");
        for path in ["/", "/health/live", "/graphql/schema", "/graphql/ws"] {
            assert_eq!(status(server.client.get(server.url(path)).header(ORIGIN, origin)).await, 403, "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn graphiql_is_served_whole_from_here() {
    let server = TestServer::start();
    for path in ["/graphiql", "/graphql"] {
        let response = server.client.get(server.url(path)).header(ACCEPT, "text/html,*/*;q=0.8").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        let page = response.text().await.unwrap();
        assert!(page.contains("/graphiql/graphiql.js") && !page.contains("//"), "nothing from elsewhere: {page}");
    }
    for (path, content_type) in [("/graphiql/graphiql.js", "text/javascript"), ("/graphiql/graphiql.css", "text/css")] {
        let response = server.client.get(server.url(path)).send().await.unwrap();
        assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with(content_type));
        assert!(response.bytes().await.unwrap().len() > 100_000, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn health_tells_live_from_ready() {
    let server = TestServer::start_behind();
    assert_eq!(status(server.client.get(server.url("/health/live"))).await, 200);
    let stream =
        timeloom_store::StreamKey::new(crate::support::TENANT, "execution", crate::support::unknown_id().to_string());
    for _ in 0..3 {
        let events = std::iter::repeat_with(crate::support::completed).take(500).collect();
        crate::support::append(&server.log, &stream, events).await;
    }
    let ready = server.client.get(server.url("/health/ready")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    assert_eq!((&body["status"], &body["head"]), (&json!("not ready"), &json!("1500")));
    let read_models = &body["readModels"];
    assert_eq!((&read_models["position"], &read_models["lag"]), (&json!("0"), &json!(1500)));
    assert_eq!(read_models["fault"], Value::Null);
    let projections = read_models["projections"].as_array().unwrap();
    assert_eq!(projections.len(), 19);
    assert!(projections.iter().all(|projection| projection["lag"] == 1500 && projection["parked"] == 0));
    server.catch_up();
    server.data("query { workflows(waitFor: 1500) { nodes { id } } }", json!({})).await;
    assert_eq!(status(server.client.get(server.url("/health/ready"))).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_server_for_other_machines_is_not_made() {
    let server = TestServer::start();
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let refused =
        timeloom_read_api::server(server.state.clone(), listener, &timeloom_read_api::ServerOptions::default());
    assert!(refused.err().unwrap().to_string().contains("127.0.0.1"));
    server.stop().await;
}
