//! The steps from a value in an item back to the trigger.
//!
//! Invariant: each place of a value is a step once, so that a chain through loops comes to an end.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;
use timeloom_domain::definition::{Reference, References, WhichItem};
use timeloom_domain::execution::NodeRunState;
use timeloom_domain::item::{Item, PairedReference, Source};
use timeloom_store::StreamKey;

use super::explain::ItemValue;
use crate::part::{ItemPlace, pointer, tokens};
use crate::story::{EventPlace, Story, StoryRun};

/// Most steps that are told.
pub const STEPS_MAX: usize = 200;
/// Most items through which one is followed to the node that an expression names.
const ANCESTORS_MAX: usize = 10_000;
/// Most parameters that are named where it is not known which of them made a value.
const PARAMETERS_MAX: usize = 20;
/// Names under which nodes write down the field that they set.
const FIELD_NAMES: [&str; 6] = ["name", "fieldName", "field", "outputFieldName", "outputField", "newFieldName"];
/// Names under which nodes write down what they set a field to.
const VALUE_NAMES: [&str; 7] =
    ["value", "stringValue", "numberValue", "booleanValue", "arrayValue", "objectValue", "newValue"];

/// One step: a value in what a node run gave, and how it came there.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The stream of the execution that has it.
    pub stream: StreamKey,
    /// Name of the node.
    pub node: String,
    /// Which of its runs.
    pub run_index: usize,
    /// Index of the output.
    pub output: usize,
    /// Index of the item; `None` for all items of the output.
    pub item: Option<usize>,
    /// Where in the item, as a JSON pointer.
    pub path: String,
    /// What is there.
    pub value: Option<Value>,
    /// The event that has it.
    pub written_by: Option<EventPlace>,
    /// How it came there.
    pub origin: Origin,
    /// The steps that it was made from, by their place in the list.
    pub inputs: Vec<usize>,
}

/// How a value came to be where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The execution was given it.
    Given,
    /// Pinned or changed items stood in for the node.
    Pinned,
    /// The node passed it on as it was.
    PassedOn,
    /// It is written down in the workflow.
    Written {
        /// Where in the node's parameters, as a JSON pointer.
        parameter: String,
    },
    /// An expression gave it.
    Expression {
        /// Where in the node's parameters, as a JSON pointer.
        parameter: String,
        /// The expression.
        expression: String,
    },
    /// The node made it, from what these parameters say and from its input.
    Computed {
        /// The parameters with expressions or scripts, as JSON pointers.
        parameters: Vec<String>,
    },
}

/// A value in what a node run gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spot {
    run: usize,
    output: usize,
    item: Option<usize>,
    path: Vec<String>,
}

/// The steps from a value of the state of `stream` back, itself first; and whether there are more.
pub(super) fn steps(story: &Story, stream: &StreamKey, place: &ItemPlace) -> (Vec<Step>, bool) {
    let own = story.runs.iter().filter(|run| run.stream == *stream).map(|run| run.execution_index).min();
    let wanted = own.map(|first| first + place.run);
    let is_wanted = |run: &StoryRun| run.stream == *stream && Some(run.execution_index) == wanted;
    let Some(run) = story.runs.iter().position(is_wanted) else { return (Vec::new(), false) };
    steps_from(story, Spot { run, output: place.output, item: Some(place.item), path: place.path.clone() })
}

/// The same for a value in what a run of a node gave; `None` when there is none.
pub(super) fn steps_of(story: &Story, value: &ItemValue) -> Option<(Vec<Step>, bool)> {
    let run = story.find(&value.node, value.run_index)?;
    let spot = Spot { run, output: value.output, item: value.item, path: tokens(&value.path) };
    if spot.item.is_some() {
        self::value(story, &spot)?;
    }
    Some(steps_from(story, spot))
}

/// The steps from a value back, itself first; and whether there are more.
fn steps_from(story: &Story, first: Spot) -> (Vec<Step>, bool) {
    let mut places = HashMap::from([(first.clone(), 0)]);
    let mut open = VecDeque::from([first]);
    let (mut steps, mut is_cut) = (Vec::new(), false);
    while let Some(spot) = open.pop_front() {
        let (origin, inputs) = explained(story, &spot);
        let mut step = step(story, &spot, origin);
        for input in inputs {
            let known = places.len();
            if !places.contains_key(&input) {
                if known >= STEPS_MAX {
                    is_cut = true;
                    continue;
                }
                open.push_back(input.clone());
            }
            let place = *places.entry(input).or_insert(known);
            if !step.inputs.contains(&place) {
                step.inputs.push(place);
            }
        }
        steps.push(step);
    }
    (steps, is_cut)
}

fn step(story: &Story, spot: &Spot, origin: Origin) -> Step {
    let run = &story.runs[spot.run];
    Step {
        stream: run.stream.clone(),
        node: run.state.node.clone(),
        run_index: run.state.run_index,
        output: spot.output,
        item: spot.item,
        path: pointer(&spot.path),
        value: value(story, spot),
        written_by: run.written.clone(),
        origin,
        inputs: Vec::new(),
    }
}

fn item<'s>(story: &'s Story, spot: &Spot) -> Option<&'s Item> {
    story.outputs(spot.run)?.get(spot.output)?.get(spot.item?)
}

fn value(story: &Story, spot: &Spot) -> Option<Value> {
    let item = item(story, spot)?;
    match spot.path.split_first() {
        Some((first, rest)) if first == "json" => match rest.split_first() {
            Some((field, rest)) => item.json.get(field)?.pointer(&pointer(rest)).cloned(),
            None => Some(item.json.to_value()),
        },
        _ => serde_json::to_value(item).ok()?.pointer(&pointer(&spot.path)).cloned(),
    }
}

/// How the value at a spot came there, and from which others it was made.
fn explained(story: &Story, spot: &Spot) -> (Origin, Vec<Spot>) {
    let state = &story.runs[spot.run].state;
    if state.pinned {
        return (Origin::Pinned, Vec::new());
    }
    if state.sources.iter().flatten().next().is_none() {
        return (Origin::Given, Vec::new());
    }
    let parameters = story.node(spot.run).map(|node| &node.parameters);
    let field = spot.path.split_first().filter(|(first, _)| *first == "json").map(|(_, keys)| keys);
    if let (Some(parameters), Some(keys)) = (parameters, field.filter(|keys| !keys.is_empty()))
        && let Some((parameter, value)) = setting(parameters, keys, "")
    {
        return match value.as_str().filter(|text| text.starts_with('=')) {
            Some(expression) => {
                let inputs = read(story, spot, &References::of(value));
                (Origin::Expression { parameter, expression: expression.to_owned() }, inputs)
            }
            None => (Origin::Written { parameter }, Vec::new()),
        };
    }
    let origins = origins(story, spot);
    let own = value(story, spot);
    let same = |origin: &Spot| own.is_some() && value(story, origin) == own;
    if let Some(origin) = origins.iter().find(|origin| same(origin)) {
        return (Origin::PassedOn, vec![origin.clone()]);
    }
    let references = parameters.map(References::of).unwrap_or_default();
    let mut inputs = read(story, spot, &references);
    inputs.extend(origins.into_iter().map(|origin| Spot { path: vec!["json".to_owned()], ..origin }));
    let mut named = Vec::new();
    if let Some(parameters) = parameters {
        expressions(parameters, String::new(), &mut named);
    }
    (Origin::Computed { parameters: named }, inputs)
}

/// The parameter that sets the field `keys`, by the ways in which nodes write that down.
fn setting<'v>(value: &'v Value, keys: &[String], at: &str) -> Option<(String, &'v Value)> {
    let dotted = keys.join(".");
    let is_field = |text: &str| text == dotted || text == keys[0];
    match value {
        Value::Object(fields) => {
            let names_it =
                FIELD_NAMES.iter().any(|name| fields.get(*name).and_then(Value::as_str).is_some_and(is_field));
            let set = VALUE_NAMES.iter().find(|name| names_it && fields.contains_key(**name));
            if let Some(name) = set {
                return fields.get(*name).map(|value| (format!("{at}/{name}"), value));
            }
            fields
                .iter()
                .find_map(|(name, value)| setting(value, keys, &format!("{at}{}", pointer(std::slice::from_ref(name)))))
        }
        Value::Array(values) => {
            values.iter().enumerate().find_map(|(index, value)| setting(value, keys, &format!("{at}/{index}")))
        }
        _ => None,
    }
}

/// The parameters in which something is computed.
fn expressions(value: &Value, at: String, found: &mut Vec<String>) {
    if found.len() >= PARAMETERS_MAX {
        return;
    }
    match value {
        Value::String(text) if text.starts_with('=') || text.contains('$') => found.push(at),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| expressions(value, format!("{at}/{index}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| {
                expressions(value, format!("{at}{}", pointer(std::slice::from_ref(name))), found)
            });
        }
        _ => {}
    }
}

/// The same place in the items from which an item was made.
fn origins(story: &Story, spot: &Spot) -> Vec<Spot> {
    let state = &story.runs[spot.run].state;
    let Some(item) = item(story, spot) else { return Vec::new() };
    let Some(paired) = &item.paired_item else {
        let whole = |source| Some(Spot { item: None, path: Vec::new(), ..source_spot(story, state, source)? });
        return (0..state.sources.len()).filter_map(whole).collect();
    };
    let origin = |reference: PairedReference| {
        let from = match &reference.source_overwrite {
            Some(source) => found(story, source)?,
            None => source_spot(story, state, reference.input.unwrap_or(0))?,
        };
        Some(Spot { item: Some(reference.item), path: spot.path.clone(), ..from })
    };
    paired.references().into_iter().filter_map(origin).collect()
}

/// Where an input of a run came from.
fn source_spot(story: &Story, state: &NodeRunState, input: usize) -> Option<Spot> {
    found(story, state.sources.get(input)?.as_ref()?)
}

fn found(story: &Story, source: &Source) -> Option<Spot> {
    let run = story.find(&source.previous_node, source.previous_node_run)?;
    Some(Spot { run, output: source.previous_node_output, item: None, path: Vec::new() })
}

/// What the expressions of a node read for an item.
fn read(story: &Story, spot: &Spot, references: &References) -> Vec<Spot> {
    references.read.iter().flat_map(|reference| read_one(story, spot, reference)).collect()
}

fn read_one(story: &Story, spot: &Spot, reference: &Reference) -> Vec<Spot> {
    let path: Vec<String> = std::iter::once("json".to_owned()).chain(reference.path.iter().cloned()).collect();
    let at = |origin: Spot| if origin.item.is_some() { Spot { path: path.clone(), ..origin } } else { origin };
    let state = &story.runs[spot.run].state;
    let whole = match &reference.node {
        None if reference.which == WhichItem::Paired => return origins(story, spot).into_iter().map(at).collect(),
        None => (0..state.sources.len()).find_map(|input| source_spot(story, state, input)),
        Some(node) => {
            if reference.which == WhichItem::Paired
                && let Some(ancestor) = ancestor_spot(story, spot, node)
            {
                return vec![at(ancestor)];
            }
            let newest = story.newest_before(node, spot.run);
            newest.map(|run| Spot { run, output: 0, item: None, path: Vec::new() })
        }
    };
    let Some(whole) = whole else { return Vec::new() };
    let count = story.outputs(whole.run).and_then(|outputs| outputs.get(whole.output)).map_or(0, |items| items.len());
    let item = match reference.which {
        WhichItem::First => Some(0),
        WhichItem::Last => count.checked_sub(1),
        WhichItem::Paired | WhichItem::All => None,
    };
    vec![at(Spot { item, ..whole })]
}

/// The item of `node` from which an item that a run gave was made, through whatever lies between.
pub fn ancestor<'s>(story: &'s Story, run: usize, output: usize, index: usize, node: &str) -> Option<&'s Item> {
    let spot = Spot { run, output, item: Some(index), path: Vec::new() };
    let found = ancestor_spot(story, &spot, node)?;
    item(story, &found)
}

fn ancestor_spot(story: &Story, spot: &Spot, node: &str) -> Option<Spot> {
    let mut open = VecDeque::from([spot.clone()]);
    for _ in 0..ANCESTORS_MAX {
        let next = open.pop_front()?;
        for origin in origins(story, &next).into_iter().filter(|origin| origin.item.is_some()) {
            if story.runs[origin.run].state.node == node {
                return Some(origin);
            }
            open.push_back(origin);
        }
    }
    None
}
