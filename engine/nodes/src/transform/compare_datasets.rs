//! Compare Datasets: tells which items two inputs share, by fields that identify an item, and how these differ.
//!
//! Outputs: 0 only in A, 1 the same in both, 2 different, 3 only in B.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use timeloom_domain::catalogue::{
    Choice, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, PortNames, Section,
};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use super::fields::{NO_DOTS, dots, group_text, groups, name_list, without};
use crate::describe::{choice, collection, is, list, many, options, palette, ports, switch, text, told};
use crate::values;

const PAIRS: &[Section] = &[many(
    "values",
    "Pair of fields",
    &[
        text("field1", "Name of the field in input A.").called("Input A field").like("id"),
        text("field2", "Name of the field in input B.").called("Input B field").like("id"),
    ],
)];
const A: Choice = choice("preferInput1", "Use input A version");
const B: Choice = choice("preferInput2", "Use input B version");
const MIX: Choice = told("mix", "Use a mix of versions", "Most fields of one input, some of the other.");
const BOTH: Choice = told("includeBoth", "Include both versions", "The values of both, where they differ.");

const FUZZY: ParameterDefinition =
    switch("fuzzyCompare", "Whether `3` and `\"3\"` are the same.").called("Fuzzy compare").or_false();

const PARAMETERS: &[ParameterDefinition] = &[
    list("mergeByFields", PAIRS, "Pairs of fields that identify an item in A and in B.")
        .called("Fields to match")
        .needed(),
    options("resolve", &[A, B, MIX, BOTH], "What to give for items that differ.")
        .called("When there are differences")
        .or_text("preferInput2")
        .until(1.0),
    options("resolve", &[A, B, MIX, BOTH], "What to give for items that differ.")
        .called("When there are differences")
        .or_text("includeBoth")
        .since(2.0),
    options("preferWhenMix", &[choice("input1", "Input A"), choice("input2", "Input B")], "Whose values to take.")
        .called("Prefer")
        .or_text("input1")
        .when(&[is("resolve", &["mix"])]),
    text("exceptWhenMix", "Fields that come from the other input, with commas between.")
        .called("For everything except")
        .like("id, country")
        .when(&[is("resolve", &["mix"])]),
    FUZZY,
    collection(
        "options",
        &[
            text("skipFields", "Fields that are not compared, with commas between.")
                .called("Fields to skip comparing")
                .like("updatedAt"),
            NO_DOTS,
            options(
                "multipleMatches",
                &[choice("first", "Include first match only"), choice("all", "Include all matches")],
                "What happens where an item matches several.",
            )
            .or_text("first"),
        ],
        "What else to decide.",
    ),
];

/// Compare Datasets.
pub(crate) struct CompareDatasets;

impl NodeType for CompareDatasets {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.compareDatasets",
            display_name: "Compare Datasets",
            description: "Tells which items two inputs share and how these differ.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3],
            role: NodeRole::Pure,
            ports: ports(2, 4),
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "git-compare", &["diff", "difference", "sync"]),
            port_names: PortNames {
                inputs: &["Input A", "Input B"],
                outputs: &["In A only", "Same", "Different", "In B only"],
                vary: None,
            },
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, _node: &Node) -> NodeShape {
        NodeShape { inputs: 2, outputs: 4, required_inputs: RequiredInputs::AtLeast(1) }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for CompareDatasets {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let plan = Plan::read(run)?;
        let (a, b) = (run.input(0), run.input(1));
        if run.version() < 2.2 {
            if !a.is_empty() {
                plan.check(&a, "input A", |pair| &pair.0)?;
            }
            plan.check(&b, "input B", |pair| &pair.1)?;
        }
        Ok(compare(&a, &b, &plan))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolve {
    PreferA,
    PreferB,
    Mix,
    Both,
}

struct Plan {
    /// Fields that identify an item, in A and in B.
    pairs: Vec<(String, String)>,
    resolve: Resolve,
    mix_prefers_a: bool,
    mix_except: Vec<String>,
    fuzzy: bool,
    null_is_zero: bool,
    skip: Vec<String>,
    dots: bool,
    all_matches: bool,
    labels: (&'static str, &'static str),
}

impl Plan {
    fn read(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        let version = run.version();
        let pairs: Vec<(String, String)> = groups(run, "mergeByFields.values", 0)?
            .iter()
            .map(|pair| (group_text(pair, "field1", ""), group_text(pair, "field2", "")))
            .collect();
        if pairs.is_empty() || pairs.iter().any(|(a, b)| a.is_empty() || b.is_empty()) {
            return Err(NodeError::operation("there is no pair of fields to match: name one in each input"));
        }
        let default = if version < 2.0 { "preferInput2" } else { "includeBoth" };
        let resolve = match run.text("resolve", 0, default)?.as_str() {
            "preferInput1" => Resolve::PreferA,
            "preferInput2" => Resolve::PreferB,
            "mix" => Resolve::Mix,
            _ => Resolve::Both,
        };
        Ok(Self {
            pairs,
            resolve,
            mix_prefers_a: run.text("preferWhenMix", 0, "input1")? != "input2",
            mix_except: name_list(run, "exceptWhenMix", 0)?,
            fuzzy: run.boolean("fuzzyCompare", 0, false)? || run.boolean("options.fuzzyCompare", 0, false)?,
            null_is_zero: version >= 2.0,
            skip: name_list(run, "options.skipFields", 0)?,
            dots: dots(run)?,
            all_matches: run.text("options.multipleMatches", 0, "first")? == "all",
            labels: if version < 2.0 { ("input1", "input2") } else { ("inputA", "inputB") },
        })
    }

    /// Refuses an input in which a field to match is nowhere.
    fn check(&self, items: &[Item], label: &str, side: impl Fn(&(String, String)) -> &String) -> Result<(), NodeError> {
        for field in self.pairs.iter().map(side) {
            if !items.iter().any(|item| values::has(&item.json, field, self.dots)) {
                let message = format!("no item of {label} has the field '{field}'");
                return Err(NodeError::operation(message));
            }
        }
        Ok(())
    }

    fn same(&self, a: Option<&Value>, b: Option<&Value>) -> bool {
        match (self.fuzzy, self.null_is_zero) {
            (false, _) => values::equal_options(a, b),
            (true, false) => values::fuzzy_equal(a, b),
            (true, true) => values::fuzzy_equal_with_zero(a, b),
        }
    }

    /// Whether two matched items are alike in all fields that are not skipped.
    fn alike(&self, a: &JsonObject, b: &JsonObject) -> bool {
        let dots = self.dots && self.skip.iter().any(|field| field.contains('.'));
        let (a, b) = (without(a, &self.skip, dots), without(b, &self.skip, dots));
        if self.fuzzy {
            return a.iter().all(|(key, value)| self.same(Some(value), b.get(key)));
        }
        values::equal_objects(&a, &b)
    }
}

/// Finds the items of B for an item of A.
struct Matcher<'p> {
    plan: &'p Plan,
    b: &'p [Item],
    /// Items of B by the values that identify them; unused where equality is fuzzy.
    index: HashMap<Vec<String>, Vec<usize>>,
}

impl<'p> Matcher<'p> {
    fn new(plan: &'p Plan, b: &'p [Item]) -> Self {
        let mut index: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        if !plan.fuzzy {
            for (position, item) in b.iter().enumerate() {
                let found = plan.pairs.iter().map(|(_, field)| values::get(&item.json, field, plan.dots));
                index.entry(found.map(values::canonical).collect()).or_default().push(position);
            }
        }
        Self { plan, b, index }
    }

    fn matches(&self, item: &Item) -> Vec<usize> {
        let plan = self.plan;
        let wanted: Option<Vec<&Value>> =
            plan.pairs.iter().map(|(field, _)| values::get(&item.json, field, plan.dots)).collect();
        let Some(wanted) = wanted else { return Vec::new() };
        let count = if plan.all_matches { usize::MAX } else { 1 };
        if !plan.fuzzy {
            let key: Vec<String> = wanted.iter().map(|value| values::canonical(Some(value))).collect();
            return self.index.get(&key).into_iter().flatten().copied().take(count).collect();
        }
        let fits = |other: &Item| {
            plan.pairs
                .iter()
                .zip(&wanted)
                .all(|((_, field), value)| plan.same(Some(value), values::get(&other.json, field, plan.dots)))
        };
        let found = self.b.iter().enumerate().filter(|(_, other)| fits(other));
        found.map(|(position, _)| position).take(count).collect()
    }
}

fn compare(a: &[Item], b: &[Item], plan: &Plan) -> NodeOutput {
    let matcher = Matcher::new(plan, b);
    let (mut only_a, mut same, mut different) = (Vec::new(), Vec::new(), Vec::new());
    let mut matched_in_b = HashSet::new();
    for (a_index, item) in a.iter().enumerate() {
        let matches = matcher.matches(item);
        if matches.is_empty() {
            only_a.push(from(item, a_index, 0));
        }
        let mut same_given = false;
        for b_index in matches {
            matched_in_b.insert(b_index);
            let Some(other) = b.get(b_index) else { continue };
            if !plan.alike(&item.json, &other.json) {
                different.push(difference((item, a_index), (other, b_index), plan));
            } else if !same_given {
                same_given = true;
                let prefers_b = plan.fuzzy && plan.resolve == Resolve::PreferB;
                let (shown, index, input) = if prefers_b { (other, b_index, 1) } else { (item, a_index, 0) };
                same.push(Item { paired_item: Some(both(a_index, b_index)), ..from(shown, index, input) });
            }
        }
    }
    let only_b = b.iter().enumerate().filter(|(index, _)| !matched_in_b.contains(index));
    let only_b = only_b.map(|(index, item)| from(item, index, 1)).collect();
    NodeOutput::many(vec![only_a, same, different, only_b])
}

fn from(item: &Item, index: usize, input: usize) -> Item {
    Item { paired_item: Some(PairedItem::of(index, input)), error: None, ..item.clone() }
}

fn both(a: usize, b: usize) -> PairedItem {
    PairedItem::Many(vec![PairedItem::of(a, 0), PairedItem::of(b, 1)])
}

/// What stands for two matched items that differ.
fn difference(a: (&Item, usize), b: (&Item, usize), plan: &Plan) -> Item {
    let made = match plan.resolve {
        Resolve::PreferA => a.0.clone(),
        Resolve::PreferB => b.0.clone(),
        Resolve::Mix if plan.mix_prefers_a => mixed(a.0, b.0, plan),
        Resolve::Mix => mixed(b.0, a.0, plan),
        Resolve::Both => Item::new(side_by_side(&a.0.json, &b.0.json, plan)),
    };
    Item { paired_item: Some(both(a.1, b.1)), error: None, ..made }
}

fn mixed(preferred: &Item, other: &Item, plan: &Plan) -> Item {
    let mut item = preferred.clone();
    for field in plan.mix_except.iter().filter(|field| preferred.json.contains_key(field.as_str())) {
        // What JavaScript takes for false comes as null.
        let value = values::get(&other.json, field, plan.dots).filter(|value| values::truthy(value));
        item.json.insert(field.clone(), value.cloned().unwrap_or_default());
    }
    item
}

fn side_by_side(a: &JsonObject, b: &JsonObject, plan: &Plan) -> JsonObject {
    let mut keys = JsonObject::new();
    for (field, _) in &plan.pairs {
        if let Some(value) = values::get(a, field, plan.dots) {
            keys.insert(field.clone(), value.clone());
        }
    }
    let mut same = JsonObject::new();
    let mut different = JsonObject::new();
    let added = b.keys().filter(|key| !a.contains_key(*key));
    for key in a.keys().chain(added) {
        let (left, right) = (a.get(key), b.get(key));
        if plan.same(left, right) {
            same.insert(key.clone(), left.or(right).cloned().unwrap_or_default());
            continue;
        }
        let sides = [(plan.labels.0, left), (plan.labels.1, right)]
            .map(|(label, value)| (label.to_owned(), value.cloned().unwrap_or_default()));
        different.insert(key.clone(), Value::Object(JsonObject::from_iter(sides)));
    }
    let skipped = take_skipped(&mut different, plan);
    let mut parts = JsonObject::from_iter([
        ("keys".to_owned(), Value::Object(keys)),
        ("same".to_owned(), Value::Object(same)),
        ("different".to_owned(), Value::Object(different)),
    ]);
    if !skipped.is_empty() {
        parts.insert("skipped".to_owned(), Value::Object(skipped));
    }
    parts
}

/// Moves the skipped fields out of the differences.
fn take_skipped(different: &mut JsonObject, plan: &Plan) -> JsonObject {
    let mut skipped = JsonObject::new();
    for field in &plan.skip {
        if let Some(whole) = different.shift_remove(field) {
            skipped.insert(field.clone(), whole);
            continue;
        }
        let Some((top, below)) = field.split_once('.').filter(|_| plan.dots) else { continue };
        for label in [plan.labels.0, plan.labels.1] {
            let path = format!("{top}.{label}.{below}");
            if let Some(value) = values::unset(different, &path, true) {
                values::set(&mut skipped, &path, value, true);
            }
        }
    }
    skipped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    fn by_id(resolve: &str, options: Value) -> Value {
        json!({"mergeByFields": {"values": [{"field1": "id", "field2": "id"}]}, "resolve": resolve, "options": options})
    }

    fn bench(version: f64, parameters: Value, a: Value, b: Value) -> Bench<'static> {
        Bench::new(&CompareDatasets, version, parameters).input(a).input(b)
    }

    fn people() -> (Value, Value) {
        (
            json!([{"id": 1, "n": "a"}, {"id": 2, "n": "b", "at": {"x": 1, "y": 1}}, {"id": 3, "n": "c"}]),
            json!([{"id": 4, "n": "d"}, {"id": 2, "n": "b", "at": {"x": 2, "y": 1}}, {"id": 1, "n": "a"}]),
        )
    }

    #[test]
    fn items_go_to_the_output_that_tells_their_fate() {
        let (a, b) = people();
        let outputs = bench(2.3, by_id("includeBoth", json!({})), a, b).outputs();
        assert_eq!(outputs[0], json!([{"id": 3, "n": "c"}]));
        assert_eq!(outputs[1], json!([{"id": 1, "n": "a"}]));
        assert_eq!(outputs[3], json!([{"id": 4, "n": "d"}]));
        assert_eq!(
            outputs[2],
            json!([{
                "keys": {"id": 2}, "same": {"id": 2, "n": "b"},
                "different": {"at": {"inputA": {"x": 1, "y": 1}, "inputB": {"x": 2, "y": 1}}},
            }])
        );
    }

    #[test]
    fn skipped_fields_do_not_make_a_difference() {
        let (a, b) = people();
        let outputs = bench(2.1, by_id("includeBoth", json!({"skipFields": "at.x"})), a, b).outputs();
        assert_eq!(outputs[1].as_array().map(Vec::len), Some(2));
        let a = json!([{"id": 1, "at": {"x": 1, "y": 1}}]);
        let b = json!([{"id": 1, "at": {"x": 2, "y": 2}}]);
        let outputs = bench(2.1, by_id("includeBoth", json!({"skipFields": "at.x"})), a, b).outputs();
        assert_eq!(
            outputs[2],
            json!([{
                "keys": {"id": 1}, "same": {"id": 1},
                "different": {"at": {"inputA": {"y": 1}, "inputB": {"y": 2}}},
                "skipped": {"at": {"inputA": {"x": 1}, "inputB": {"x": 2}}},
            }])
        );
    }

    #[test]
    fn differences_resolve_to_one_side_or_a_mix() {
        let (a, b) = (json!([{"id": 1, "n": "a", "m": 1}]), json!([{"id": 1, "n": "b", "m": 2}]));
        let different = |parameters| bench(2.0, parameters, a.clone(), b.clone()).outputs()[2].clone();
        assert_eq!(different(by_id("preferInput1", json!({}))), a);
        assert_eq!(different(by_id("preferInput2", json!({}))), b);
        let mut mix = by_id("mix", json!({}));
        mix["exceptWhenMix"] = json!("m");
        assert_eq!(different(mix.clone()), json!([{"id": 1, "n": "a", "m": 2}]));
        let unset = bench(2.3, mix, json!([{"id": 1, "m": 1}]), json!([{"id": 1, "m": 0}])).outputs();
        assert_eq!(unset[2], json!([{"id": 1, "m": null}]));
    }

    #[test]
    fn fuzzy_equality_is_an_option() {
        let (a, b) = (json!([{"id": "1", "n": null}]), json!([{"id": 1, "n": ""}]));
        let strict = bench(1.0, by_id("includeBoth", json!({})), a.clone(), b.clone()).outputs();
        assert_eq!(strict[1], json!([]));
        let fuzzy = bench(1.0, by_id("preferInput2", json!({"fuzzyCompare": true})), a, b.clone()).outputs();
        assert_eq!(fuzzy[1], b);
    }

    #[test]
    fn one_item_can_match_many() {
        let (a, b) = (json!([{"id": 1, "n": 0}]), json!([{"id": 1, "n": 1}, {"id": 1, "n": 2}]));
        let first = bench(2.3, by_id("preferInput2", json!({})), a.clone(), b.clone()).outputs();
        assert_eq!((&first[2], &first[3]), (&json!([{"id": 1, "n": 1}]), &json!([{"id": 1, "n": 2}])));
        let all = bench(2.3, by_id("preferInput2", json!({"multipleMatches": "all"})), a, b.clone()).outputs();
        assert_eq!((&all[2], &all[3]), (&b, &json!([])));
    }

    #[test]
    fn older_versions_refuse_a_field_that_is_nowhere() {
        let parameters = json!({"mergeByFields": {"values": [{"field1": "x", "field2": "x"}]}});
        let failure = bench(2.1, parameters.clone(), json!([{"id": 1}]), json!([])).failure();
        assert_eq!(failure, "no item of input A has the field 'x'");
        let outputs = bench(2.2, parameters.clone(), json!([{"id": 1}]), json!([])).outputs();
        assert_eq!(outputs[0], json!([{"id": 1}]));
        let outputs = bench(1.0, parameters, json!([]), json!([{"x": 1}])).outputs();
        assert_eq!(outputs[3], json!([{"x": 1}]));
    }
}
