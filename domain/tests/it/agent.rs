//! Agents: what a record may say, and where a request of a tool may go.

use serde_json::{Value, json};
use timeloom_domain::agent::{
    Agent, AgentCommand, AgentEvent, AgentRecord, AgentRefusal, AgentState, HttpTool, ToolAction,
};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::item::JsonObject;
use timeloom_domain::money::Money;

use crate::given::given;
use crate::samples::slug;

pub(crate) fn record(changes: Value) -> AgentRecord {
    let mut record = json!({"model": "fast", "prompt": "You help."});
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    AgentRecord::read(record).unwrap()
}

fn registered() -> AgentEvent {
    AgentEvent::AgentRegistered { name: slug("helper"), description: String::new(), owner: "ops".to_owned() }
}

fn published(version: u32, record: AgentRecord) -> AgentEvent {
    AgentEvent::AgentVersionPublished { version, digest: record.digest(), record: Box::new(record) }
}

fn wrong(changes: Value) -> String {
    let mut record = json!({"model": "fast"});
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    AgentRecord::read(record).unwrap_err().to_string()
}

#[test]
fn versions_are_numbered_and_the_same_record_again_is_no_new_one() {
    let (one, two) = (record(json!({})), record(json!({"prompt": "You help more."})));
    given::<Agent>([registered()])
        .when(AgentCommand::Publish { record: Box::new(one.clone()) })
        .then([published(1, one.clone())]);
    given::<Agent>([registered(), published(1, one.clone())])
        .when(AgentCommand::Publish { record: Box::new(one.clone()) })
        .changes_nothing();
    given::<Agent>([registered(), published(1, one)])
        .when(AgentCommand::Publish { record: Box::new(two.clone()) })
        .then([published(2, two)]);
}

#[test]
fn an_agent_stands_where_its_events_say_and_is_run_only_while_it_can_be() {
    let mut agent = Agent::default();
    assert_eq!(agent.runnable(None), Err(AgentRefusal::NotFound));
    agent.apply(&registered());
    assert_eq!((agent.state(), agent.runnable(None)), (AgentState::Draft, Err(AgentRefusal::NothingPublished)));
    agent.apply(&published(1, record(json!({}))));
    assert_eq!((agent.state(), agent.runnable(Some(2))), (AgentState::Active, Err(AgentRefusal::UnknownVersion(2))));
    agent.apply(&AgentEvent::AgentDeprecated { reason: "old".to_owned(), replacement: None });
    assert_eq!(agent.state(), AgentState::Deprecated);
    assert_eq!(agent.runnable(None).unwrap().version, 1, "who still uses it is not broken");
    agent.apply(&AgentEvent::AgentRetired {});
    assert_eq!((agent.state(), agent.runnable(None)), (AgentState::Retired, Err(AgentRefusal::Retired)));
}

#[test]
fn a_prompt_takes_values_of_the_configuration_and_none_that_is_not_there() {
    let record = record(json!({"prompt": "Answer in {{config.language}}, {{config.words}} words.", "config": {}}));
    let config = json!({"language": "French", "words": 20}).as_object().unwrap().clone();
    assert_eq!(record.prompt_with(&config).unwrap(), "Answer in French, 20 words.");
    let error = record.prompt_with(&JsonObject::new()).unwrap_err().to_string();
    assert_eq!(error, "prompt names {{config.language}}, which the configuration does not have");
    given::<Agent>([registered()])
        .when(AgentCommand::Publish { record: Box::new(record.clone()) })
        .refused(AgentRefusal::Invalid(record.prompt_with(&record.config).unwrap_err()));
}

#[test]
fn a_record_that_cannot_be_used_says_where_and_what_to_do() {
    let tool = |changes: Value| {
        let mut tool = json!({"name": "look", "does": {"kind": "workflow", "workflow": "Look"}});
        tool.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"tools": [tool]})
    };
    for (changes, expected) in [
        (json!({"model": " "}), "model is missing: name a route of the gateway"),
        (json!({"promt": "x"}), "the record has no 'promt': it has kind, capabilities"),
        (json!({"limits": {"turn": 3}}), "limits has no 'turn': it has turns"),
        (json!({"limits": {"turns": 0}}), "limits.turns is 0: give 1 to 256"),
        (json!({"limits": {"cost": "much"}}), "limits.cost is no amount"),
        (json!({"memory": {"exchanges_max": 0}}), "memory.exchanges_max is not 1 to 100"),
        (tool(json!({"name": "look up"})), "tools.look up is no name for a tool"),
        (tool(json!({"parameters": {"type": "string"}})), "tools.look has parameters that are no object"),
        (
            tool(json!({"fixed": {"a": 1}, "parameters": {"type": "object", "properties": {"a": {}}}})),
            "tools.look fixes 'a' and lets the model fill it",
        ),
        (
            tool(json!({"does": {"kind": "http", "method": "GET", "url": "https://{host}/x"}})),
            "tools.look lets the model fill the host",
        ),
        (
            tool(json!({"does": {"kind": "http", "method": "GET", "url": "file:///etc/passwd"}})),
            "tools.look has an address without a host",
        ),
        (tool(json!({"does": {"kind": "shell"}})), "the record cannot be read: unknown variant `shell`"),
    ] {
        let error = wrong(changes);
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
    let twice = json!({"tools": [tool(json!({}))["tools"][0], tool(json!({}))["tools"][0]]});
    assert!(wrong(twice).contains("is there twice"));
    let limits = record(json!({"limits": {"cost": "0.25"}})).limits;
    assert_eq!(limits.cost, Some(Money(250_000_000)));
}

#[test]
fn what_a_model_fills_in_stays_one_part_of_the_address() {
    let http = |method: &str, url: &str, hosts: &[&str]| HttpTool {
        method: method.to_owned(),
        url: url.to_owned(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..HttpTool::default()
    };
    let arguments = |value: Value| value.as_object().unwrap().clone();
    let get = http("GET", "https://api.example.com/items/{id}", &[]);
    let request = get.request(&arguments(json!({"id": "../../admin?x=1#y", "q": "a b"}))).unwrap();
    assert_eq!(request.url, "https://api.example.com/items/..%2F..%2Fadmin%3Fx%3D1%23y");
    assert_eq!(request.query, [("q".to_owned(), "a b".to_owned())]);
    for away in ["..", "."] {
        assert!(get.request(&arguments(json!({"id": away}))).unwrap_err().contains("leads out"), "{away}");
    }
    let halves = http("GET", "https://api.example.com/items/{a}{b}/refund", &[]);
    assert!(halves.request(&arguments(json!({"a": ".", "b": "."}))).unwrap_err().contains("leads out"));
    assert_eq!(get.request(&JsonObject::new()), Err("'id' is missing".to_owned()));
    let post = http("POST", "https://api.example.com/items", &[]);
    let request = post.request(&arguments(json!({"name": "x"}))).unwrap();
    assert_eq!(request.body, Some(arguments(json!({"name": "x"}))));
    let any = http("GET", "https://{host}/", &["*.example.com", "localhost:8080"]);
    for allowed in ["a.example.com", "A.b.Example.com"] {
        assert!(any.request(&arguments(json!({"host": allowed}))).is_ok(), "{allowed}");
    }
    for refused in ["example.com", "evil.com", "evil.com/a.example.com", "evilexample.com", "a@evil.com", ""] {
        assert!(any.request(&arguments(json!({"host": refused}))).is_err(), "{refused}");
    }
    let two = http("GET", "https://api.example.com/{id}", &["other.example.com"]);
    assert!(two.request(&arguments(json!({"id": 1}))).unwrap_err().contains("api.example.com"));
}

#[test]
fn a_tool_as_it_is_written_least_is_granted_as_little_as_can_be() {
    let record = record(json!({"tools": [{"name": "look", "does": {"kind": "workflow", "workflow": "Look"}}]}));
    let tool = &record.tools[0];
    assert_eq!(tool.does, ToolAction::Workflow { workflow: "Look".to_owned() });
    assert!(!tool.may_fill("anything"));
    assert_eq!((tool.result_bytes_max, tool.time_ms_max), (32 << 10, 60_000));
}

#[test]
fn the_example_of_the_documents_is_an_agent() {
    let example: Value = serde_json::from_str(include_str!("../../../docs/agents/support.json")).unwrap();
    let record = AgentRecord::read(example).unwrap();
    assert_eq!(record.tools.len(), 2);
    assert!(record.prompt_with(&record.config).unwrap().starts_with("You answer customers of the shop."));
}

#[test]
fn a_word_that_is_not_known_is_refused_wherever_it_stands() {
    let tool = |does: Value| json!({"tools": [{"name": "look", "does": does}]});
    let credential = json!({"credential_type": "httpHeaderAuth", "name": "shop", "id": 7});
    for (changes, told) in [
        (json!({"sampling": {"temprature": 1}}), "sampling has no 'temprature'"),
        (json!({"fallback": {"model": "m", "route": "n"}}), "fallback has no 'route'"),
        (json!({"fallback": {"model": "m", "sampling": {"topp": 1}}}), "fallback.sampling has no 'topp'"),
        (json!({"fallback": {"model": " "}}), "fallback.model is missing"),
        (json!({"memory": {"exchanges_max": 1, "exchanges": 2}}), "memory has no 'exchanges'"),
        (json!({"requirements": {"ram": 1}}), "requirements has no 'ram'"),
        (tool(json!({"kind": "workflow", "workflow": "W", "wait": true})), "tools.look.does has no 'wait'"),
        (tool(json!({"kind": "node", "node_type": "n", "version": 1, "fill": {}})), "tools.look.does has no 'fill'"),
        (
            tool(json!({"kind": "http", "method": "GET", "url": "https://a.example", "header": {}})),
            "tools.look.does has no 'header'",
        ),
        (
            tool(json!({"kind": "http", "method": "GET", "url": "https://a.example", "credential": credential})),
            "tools.look.does.credential has no 'id'",
        ),
    ] {
        let wrong = wrong(changes);
        assert!(wrong.starts_with(told), "{wrong}");
    }
    let all = json!({"temperature": 1.0, "top_p": 0.5, "top_k": 3, "output_tokens_max": 9, "stop": ["x"], "seed": 1,
        "frequency_penalty": 0.1, "presence_penalty": 0.2, "choices": 1});
    let record = record(json!({"sampling": all}));
    assert_eq!(serde_json::to_value(&record.sampling).unwrap(), all, "each word of it can be said");
}

#[test]
fn an_argument_without_text_leaves_no_part_of_an_address_empty() {
    let tool = |url: &str| HttpTool { method: "GET".to_owned(), url: url.to_owned(), ..HttpTool::default() };
    let given = |id: &str| JsonObject::from_iter([("id".to_owned(), json!(id))]);
    for url in ["https://shop.example/orders/{id}", "https://shop.example/orders/{id}/lines?x=1"] {
        assert!(tool(url).request(&given("")).unwrap_err().contains("'{id}' in the address would be empty"), "{url}");
        assert!(tool(url).request(&given("7")).is_ok(), "{url}");
    }
    assert_eq!(tool("https://shop.example//?q={id}").request(&given("")).unwrap().url, "https://shop.example//?q=");
}
