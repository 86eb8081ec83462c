//! Every field of the root, as the schema lists them: refused to those who may do nothing, and blind to other tenants.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputObjectType, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use serde_json::{Value, json};
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_read_api::SignInOptions;
use timeloom_store::EventLog as _;
use uuid::Uuid;

use crate::support::{FIRST_TENANT, TestServer, completed, node_completed, started, text, workflow_file};

/// Fields that tell whoever asks about themselves and the product; of tenants everybody sees their own.
const FOR_EVERYBODY: [&str; 4] = ["viewer", "serverInfo", "templates", "tenant"];

/// The schema, and how a document for each field of a root is written.
struct Documents {
    types: BTreeMap<String, TypeDefinition>,
    /// Stands for every id that a field asks for.
    id: String,
}

impl Documents {
    fn with(id: &str) -> Self {
        let document = parse_schema(timeloom_read_api::sdl_text()).unwrap();
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some((definition.node.name.node.to_string(), definition.node)),
            _ => None,
        });
        Self { types: types.collect(), id: id.to_owned() }
    }

    /// Every field of a root, with a document that asks for it and for `selection` of it.
    fn of_root(&self, root: &str, selection: &str) -> Vec<(String, String)> {
        let TypeKind::Object(object) = &self.types[root].kind else { panic!("{root}") };
        let operation = root.to_lowercase();
        let document = |field: &FieldDefinition| {
            let name = field.name.node.to_string();
            let needed = field.arguments.iter().map(|argument| &argument.node);
            let needed = needed.filter(|argument| !argument.ty.node.nullable && argument.default_value.is_none());
            let arguments: Vec<String> =
                needed.map(|argument| format!("{}: {}", argument.name.node, self.value(&argument.ty.node))).collect();
            // What one field may be asked by, though it must not.
            let arguments = match name.as_str() {
                "stateAt" => vec![format!("stream: {{category: \"execution\", id: \"{}\"}}", self.id)],
                "stateDiff" => vec![
                    format!("stream: {{category: \"execution\", id: \"{}\"}}", self.id),
                    "from: {revision: 1}".to_owned(),
                ],
                _ => arguments,
            };
            let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
            let selection = if self.is_leaf(&field.ty.node) { "" } else { selection };
            let text = format!("{operation} {{ {name}{arguments}{selection} }}");
            (name, text)
        };
        object.fields.iter().map(|field| document(&field.node)).collect()
    }

    fn is_leaf(&self, of: &Type) -> bool {
        match &of.base {
            BaseType::List(inner) => self.is_leaf(inner),
            BaseType::Named(name) => self
                .types
                .get(name.as_str())
                .is_none_or(|known| matches!(known.kind, TypeKind::Scalar | TypeKind::Enum(_))),
        }
    }

    fn value(&self, of: &Type) -> String {
        let name = match &of.base {
            BaseType::List(inner) => return format!("[{}]", self.value(inner)),
            BaseType::Named(name) => name.as_str(),
        };
        match name {
            "Int" | "Float" => "1".to_owned(),
            "Boolean" => "true".to_owned(),
            "ID" | "UUID" => format!("\"{}\"", self.id),
            "Position" => "\"1\"".to_owned(),
            "AsOf" => "{revision: 1}".to_owned(),
            "JSON" => "{}".to_owned(),
            "String" => "\"something\"".to_owned(),
            other => match self.types.get(other).map(|known| &known.kind) {
                Some(TypeKind::Enum(values)) => values.values[0].node.value.node.to_string(),
                Some(TypeKind::InputObject(input)) => self.object(other, input),
                _ => "\"something\"".to_owned(),
            },
        }
    }

    fn object(&self, name: &str, input: &InputObjectType) -> String {
        let needed = input.fields.iter().map(|field| &field.node);
        let needed = needed.filter(|field| !field.ty.node.nullable && field.default_value.is_none());
        let fields: Vec<String> = needed
            .map(|field| match (name, field.name.node.as_str()) {
                ("StreamInput", "category") => "category: \"execution\"".to_owned(),
                (_, field_name) => format!("{field_name}: {}", self.value(&field.ty.node)),
            })
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}

fn codes(answer: &Value) -> Vec<String> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| text(&error["extensions"]["code"])).collect()
}

#[tokio::test]
async fn whoever_may_do_nothing_reads_nothing() {
    let server = TestServer::start_asking(SignInOptions::default());
    let key = server.key_with(FIRST_TENANT, "eve", &[]).await;
    let documents = Documents::with(&Uuid::from_u128(7).to_string());
    let fields = documents.of_root("Query", " { __typename }");
    assert!(fields.len() > 25);
    for (name, document) in fields {
        let answer = server.ask_with(&key, &document, json!({})).await;
        let refused = codes(&answer).iter().any(|code| code == "FORBIDDEN");
        assert_eq!(refused, !FOR_EVERYBODY.contains(&name.as_str()), "{document}\n{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_may_do_nothing_changes_nothing() {
    let server = TestServer::start_asking(SignInOptions::default());
    let key = server.key_with(FIRST_TENANT, "eve", &[]).await;
    // That the key is used for the first time is an event.
    server.ask_with(&key, "{ __typename }", json!({})).await;
    let before = server.log.head();
    for (name, document) in Documents::with(&Uuid::from_u128(7).to_string()).of_root("Mutation", " { errors { code } }")
    {
        let answer = server.ask_with(&key, &document, json!({})).await;
        let told = codes(&answer);
        let errors = answer["data"][&name]["errors"].as_array().cloned().unwrap_or_default();
        assert!(!errors.is_empty() || !told.is_empty(), "{document}\n{answer}");
        assert_eq!(server.log.head(), before, "{document}\n{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_may_do_nothing_follows_nothing() {
    let server = TestServer::start_asking(SignInOptions::default());
    let key = server.key_with(FIRST_TENANT, "eve", &[]).await;
    for (name, document) in Documents::with(&Uuid::from_u128(7).to_string()).of_root("Subscription", " { position }") {
        let request = server.client.post(server.url("/graphql")).bearer_auth(&key).json(&json!({ "query": document }));
        let told = request.header("accept", "text/event-stream").send().await.unwrap().text().await.unwrap();
        assert!(told.contains("FORBIDDEN") && told.contains("event: complete"), "{name}: {told}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_ids_of_another_tenant_are_as_good_as_any() {
    let server = TestServer::start_asking(SignInOptions::default());
    let owner = server.key_with(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let other = server.tenant("other").await;
    let stranger = server.key_with(other, "eve", &[Role::Owner]).await;
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId position } }";
    let made = server.ask_with(&owner, import, json!({ "input": { "definition": workflow_file("Theirs") } })).await;
    let workflow = text(&made["data"]["importWorkflow"]["workflowId"]);
    let execution = Uuid::from_u128(0xabc).to_string();
    let stream = timeloom_store::StreamKey::new(FIRST_TENANT, "execution", execution.as_str());
    let events = vec![started(&workflow), node_completed("Start", 0, json!({ "theirs": 1 })), completed()];
    crate::support::append(&server.log, &stream, events).await;
    server.wait_for_rows().await;
    let found = server.ask_with(&owner, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": execution })).await;
    assert_eq!(found["data"]["node"]["id"], json!(execution), "the owner sees it: {found}");
    let event = server.ask_with(&owner, "{ events(first: 1) { nodes { id } } }", json!({})).await;
    let event = text(&event["data"]["events"]["nodes"][0]["id"]);
    let random = Uuid::from_u128(0x1234_5678).to_string();
    for theirs in [workflow, execution, event] {
        let pairs = |root: &str, selection: &str| {
            let of = |id: &str| Documents::with(id).of_root(root, selection);
            of(&theirs).into_iter().zip(of(&random)).collect::<Vec<_>>()
        };
        for ((name, asked), (_, blind)) in
            pairs("Query", " { __typename }").into_iter().chain(pairs("Mutation", " { errors { code message } }"))
        {
            if !asked.contains(&theirs) {
                continue;
            }
            let (one, two) = (
                server.ask_with(&stranger, &asked, json!({})).await.to_string(),
                server.ask_with(&stranger, &blind, json!({})).await.to_string(),
            );
            assert_eq!(one.replace(&theirs, "ID"), two.replace(&random, "ID"), "{name}: {asked}");
        }
        let url = |id: &str| server.url(&format!("/binary/{id}?node=Start"));
        for id in [&theirs, &random] {
            assert_eq!(server.client.get(url(id)).bearer_auth(&stranger).send().await.unwrap().status(), 404);
        }
    }
    let search = "{ searchPayloads(query: \"theirs\") { nodes { excerpt } } }";
    let searched = server.ask_with(&stranger, search, json!({})).await;
    assert_eq!(searched["data"]["searchPayloads"]["nodes"], json!([]), "{searched}");
    let system = server.ask_with(&stranger, "{ workers { id } }", json!({})).await;
    assert_eq!(codes(&system), ["FORBIDDEN"], "another tenant does not run the installation");
    server.stop().await;
}

#[tokio::test]
async fn what_leads_from_one_kind_to_another_is_no_way_around() {
    let server = TestServer::start_asking(SignInOptions::default());
    let account = server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let (_, all) = server.key_of(FIRST_TENANT, account, None).await;
    let (_, runs) = server.key_of(FIRST_TENANT, account, Some(Permissions::of(&[Permission::ExecutionRead]))).await;
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId } }";
    let made = server.ask_with(&all, import, json!({ "input": { "definition": workflow_file("Theirs") } })).await;
    let workflow = text(&made["data"]["importWorkflow"]["workflowId"]);
    let execution = Uuid::from_u128(0xabc).to_string();
    let stream = timeloom_store::StreamKey::new(FIRST_TENANT, "execution", execution.as_str());
    crate::support::append(&server.log, &stream, vec![started(&workflow), completed()]).await;
    server.wait_for_rows().await;
    let ask = |query: &'static str| server.ask_with(&runs, query, json!({ "id": execution, "workflow": workflow }));
    let seen = ask("query($id: UUID!) { execution(id: $id) { status } }").await;
    assert_eq!(seen["data"]["execution"]["status"], "COMPLETED", "{seen}");
    let edge = ask("query($id: UUID!) { execution(id: $id) { workflow { name } } }").await;
    assert_eq!(codes(&edge), ["FORBIDDEN"], "{edge}");
    assert_eq!(edge["errors"][0]["path"], json!(["execution", "workflow"]));
    let node = ask("query($workflow: ID!) { node(id: $workflow) { id } }").await;
    assert_eq!(node, json!({ "data": { "node": null }, "extensions": node["extensions"] }));
    for (document, allowed) in [
        ("{ events { nodes { id } } }", false),
        ("{ events(filter: { categories: [\"execution\"] }) { nodes { id } } }", true),
        ("{ events(filter: { categories: [\"execution\", \"account\"] }) { nodes { id } } }", false),
        ("{ events(filter: { types: [\"NodeCompleted\"] }) { nodes { id } } }", false),
        ("query($id: ID!) { events(filter: { stream: { category: \"execution\", id: $id } }) { nodes { id } } }", true),
        ("{ searchPayloads(query: \"a text\") { nodes { excerpt } } }", false),
        ("query($id: ID!) { stateAt(stream: { category: \"execution\", id: $id }) { status } }", true),
        ("query($id: ID!) { stateAt(stream: { category: \"account\", id: $id }) { status } }", false),
        ("query($workflow: ID!) { stateAt(entity: { kind: WORKFLOW, id: $workflow }) { status } }", false),
        (
            "query($id: ID!) { stateDiff(stream: { category: \"session\", id: $id }, from: { revision: 1 }) { patch } }",
            false,
        ),
    ] {
        let answer = ask(document).await;
        let expected: &[&str] = if allowed { &[] } else { &["FORBIDDEN"] };
        assert_eq!(codes(&answer), expected, "{document}\n{answer}");
    }
    server.stop().await;
}
