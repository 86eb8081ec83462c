//! DebugHelper: test data and errors on purpose, for people who try workflows out.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeErrorKind, NodeOutput, NodeRun, NodeType, PureNode};

use crate::chance::Chance;
use crate::describe::{ONE_TO_ONE, choice, is, number, options, palette, switch, text};

const RANDOM: &[Condition] = &[is("category", &["randomData"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "category",
        &[
            choice("doNothing", "Do nothing"),
            choice("throwError", "Throw error"),
            choice("randomData", "Generate random data"),
        ],
        "What to do.",
    )
    .or_text("throwError"),
    options(
        "throwErrorType",
        &[
            choice("NodeApiError", "NodeApiError"),
            choice("NodeOperationError", "NodeOperationError"),
            choice("Error", "Error"),
        ],
        "Kind of the error.",
    )
    .called("Error type")
    .or_text("NodeApiError")
    .when(&[is("category", &["throwError"])]),
    text("throwErrorMessage", "Message of the error.")
        .called("Error message")
        .or_text("Node has thrown an error")
        .when(&[is("category", &["throwError"])]),
    options("randomDataType", KINDS, "Kind of the data.").called("Data type").or_text("user").when(RANDOM),
    text("randomDataSeed", "The same seed gives the same data.").called("Seed").or_text("").when(RANDOM),
    number("randomDataCount", "How many items.").called("Number of items").or_number(10.0).when(RANDOM),
    switch("randomDataSingleArray", "Whether one item with a list is given in place of several items.")
        .called("Output as single array")
        .or_false()
        .when(RANDOM),
];

const KINDS: &[Choice] = &[
    choice("address", "Address"),
    choice("latLong", "Coordinates"),
    choice("creditCard", "Credit card"),
    choice("email", "Email"),
    choice("ipv4", "IPv4"),
    choice("ipv6", "IPv6"),
    choice("macAddress", "MAC"),
    choice("nanoId", "NanoId"),
    choice("number", "Number"),
    choice("password", "Password"),
    choice("semver", "Semantic version"),
    choice("url", "URL"),
    choice("user", "User data"),
    choice("uuid", "UUID"),
    choice("version", "Version"),
];

/// Most items of random data.
const COUNT_MAX: f64 = 10_000.0;

const FIRST_NAMES: &[&str] = &["Ada", "Bruno", "Chloe", "Dara", "Emil", "Farah", "Goran", "Hana", "Iker", "Jutta"];
const LAST_NAMES: &[&str] = &["Abel", "Blum", "Castro", "Dietz", "Evans", "Fabre", "Gallo", "Hauer", "Ito", "Juhl"];
const WORDS: &[&str] = &["amber", "birch", "cobalt", "delta", "ember", "fjord", "grove", "harbor"];
const CITIES: &[&str] = &["Lyon", "Turin", "Porto", "Graz", "Bergen", "Leeds", "Ghent", "Basel"];
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The DebugHelper node.
pub(crate) struct DebugHelper;

impl NodeType for DebugHelper {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.debugHelper",
            display_name: "DebugHelper",
            description: "Makes random data or fails on purpose, to try a workflow out.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "bug", &["test data", "random", "mock", "error"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for DebugHelper {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut output = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match one(run, item, index) {
                Ok(made) => output.extend(made.into_iter().map(|item| item.paired_with(index))),
                Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(output))
    }
}

fn one(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    match run.text("category", index, "throwError")?.as_str() {
        "doNothing" => Ok(vec![item.clone()]),
        "throwError" => Err(chosen_error(run, index)?),
        "randomData" => random_items(run, index),
        other => Err(NodeError::operation(format!("the category '{other}' is not supported here"))),
    }
}

fn chosen_error(run: &mut NodeRun<'_>, index: usize) -> Result<NodeError, NodeError> {
    let message = run.text("throwErrorMessage", index, "Node has thrown an error")?;
    Ok(match run.text("throwErrorType", index, "NodeApiError")?.as_str() {
        "NodeApiError" => NodeError::api(message),
        "Error" => NodeError { kind: NodeErrorKind::Script, ..NodeError::operation(message) },
        _ => NodeError::operation(message),
    })
}

fn random_items(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Item>, NodeError> {
    let kind = run.text("randomDataType", index, "user")?;
    let count = run.number("randomDataCount", index, 10.0)?.clamp(0.0, COUNT_MAX) as usize;
    let seed = run.text("randomDataSeed", index, "")?;
    let mut chance = if seed.is_empty() { Chance::new(run.seed, index) } else { Chance::new(seed_of(&seed), 0) };
    let data: Result<Vec<JsonObject>, NodeError> = (0..count).map(|_| sample(&kind, &mut chance)).collect();
    let data = data?;
    if run.boolean("randomDataSingleArray", index, false)? {
        let list = Value::Array(data.into_iter().map(Value::Object).collect());
        return Ok(vec![Item::new(JsonObject::from_iter([("generatedItems".to_owned(), list)]))]);
    }
    Ok(data.into_iter().map(Item::new).collect())
}

/// A number of the author's text (FNV-1a).
fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn sample(kind: &str, chance: &mut Chance) -> Result<JsonObject, NodeError> {
    let (first, last) = (chance.pick(FIRST_NAMES), chance.pick(LAST_NAMES));
    let email = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
    let octets = |chance: &mut Chance| (0..4).map(|_| chance.below(256).to_string()).collect::<Vec<_>>().join(".");
    let pairs = |chance: &mut Chance, count: usize, size: usize| {
        (0..count).map(|_| chance.text("0123456789abcdef", size)).collect::<Vec<_>>().join(":")
    };
    let data = match kind {
        "user" => json!({
            "uid": chance.uuid(), "email": email, "firstname": first, "lastname": last,
            "password": chance.text(LETTERS, 12),
        }),
        "address" => json!({
            "firstname": first, "lastname": last, "street": format!("{} Street {}", chance.pick(WORDS), 1 + chance.below(99)),
            "city": chance.pick(CITIES), "zip": chance.text("0123456789", 5), "state": chance.pick(CITIES),
            "country": "Utopia",
        }),
        "creditCard" => json!({
            "type": "Test", "number": format!("0000-{}", chance.text("0123456789", 12)), "ccv": chance.text("0123456789", 3),
            "exp": format!("{:02}/{}", 1 + chance.below(12), 30 + chance.below(10)), "holder_name": format!("{first} {last}"),
        }),
        "email" => json!({"email": email, "confirmed": chance.below(2) == 1}),
        "ipv4" => json!({"ip": octets(chance)}),
        "ipv6" => json!({"ipv6": pairs(chance, 8, 4)}),
        "latLong" | "location" => json!({
            "location": format!("{:.4}, {:.4}", chance.below(1_800_000) as f64 / 1e4 - 90.0, chance.below(3_600_000) as f64 / 1e4 - 180.0),
        }),
        "macAddress" => json!({"mac": pairs(chance, 6, 2)}),
        "nanoid" | "nanoId" => json!({"nanoId": chance.text(LETTERS, 10)}),
        "number" => json!({"number": chance.below(1_000_000_000)}),
        "password" => json!({"password": chance.text(LETTERS, 16)}),
        "semver" => json!({"version": format!("{}.{}.{}", chance.below(10), chance.below(20), chance.below(30))}),
        "url" => json!({"url": format!("https://{}.example.com/{}", chance.pick(WORDS), chance.pick(WORDS))}),
        "uuid" => json!({"uuid": chance.uuid()}),
        "version" => json!({"version": format!("{}.{}", chance.below(10), chance.below(30))}),
        other => return Err(NodeError::operation(format!("unknown kind of random data '{other}'"))),
    };
    match data {
        Value::Object(fields) => Ok(fields),
        _ => Ok(JsonObject::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn random_data_has_the_shape_of_its_kind() {
        let mut users = Bench::new(&DebugHelper, 1.0, json!({"category": "randomData"})).input(json!([{}]));
        let output = users.output();
        assert_eq!(output.as_array().unwrap().len(), 10);
        assert!(output[0]["email"].as_str().unwrap().ends_with("@example.com"));
        assert_ne!(output[0]["uid"], output[1]["uid"]);

        let parameters = json!({
            "category": "randomData", "randomDataType": "uuid", "randomDataCount": 2, "randomDataSingleArray": true,
            "randomDataSeed": "mine",
        });
        let list = || Bench::new(&DebugHelper, 1.0, parameters.clone()).input(json!([{}])).output();
        assert_eq!(list()[0]["generatedItems"].as_array().unwrap().len(), 2);
        assert_eq!(list(), list());
    }

    #[test]
    fn errors_are_thrown_on_purpose() {
        let parameters = json!({"category": "throwError", "throwErrorType": "Error", "throwErrorMessage": "as asked"});
        let mut bench = Bench::new(&DebugHelper, 1.0, parameters).input(json!([{"a": 1}]));
        let error = bench.run().unwrap_err();
        assert_eq!((error.message.as_str(), error.kind), ("as asked", NodeErrorKind::Script));
        bench.node.parameters["category"] = json!("doNothing");
        assert_eq!(bench.output(), json!([{"a": 1}]));
    }
}
