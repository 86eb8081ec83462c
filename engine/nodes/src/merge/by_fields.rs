//! Items combined where chosen fields are equal.

use serde_json::Value;
use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeRun};

use super::clash::{Clash, with_suffix};
use super::matching::{Comparison, FieldPair, Matches, find};
use super::{input, origins, unknown};
use crate::values;

/// The items that the node gives.
pub(super) fn run(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let fields = fields(run)?;
    let join = run.text("joinMode", 0, "keepMatches")?;
    let from = run.text("outputDataFrom", 0, "both")?;
    // Where the items of one input are given, or those without a match, all matches count.
    let can_limit = join != "keepNonMatches" && (join != "keepMatches" || from == "both");
    let comparison = Comparison {
        dots: !run.boolean("options.disableDotNotation", 0, false)?,
        fuzzy: run.boolean("options.fuzzyCompare", 0, false)?,
        first_only: can_limit && run.text("options.multipleMatches", 0, "all")? == "first",
    };
    let clash = Clash::of(run)?;
    let (first, second) = (input(run, 0), input(run, 1));
    if run.version() < 2.1 {
        check_present(&first, fields.iter().map(|(field, _)| field), comparison.dots, 1)?;
        check_present(&second, fields.iter().map(|(_, field)| field), comparison.dots, 2)?;
    }
    if first.is_empty() || second.is_empty() {
        let gives_nothing = match join.as_str() {
            "keepMatches" => true,
            "enrichInput1" => first.is_empty(),
            "enrichInput2" => second.is_empty(),
            _ => false,
        };
        return Ok(if gives_nothing { Vec::new() } else { first.into_iter().chain(second).collect() });
    }
    let matches = find(&first, &second, &fields, comparison);
    Join { first, second, matches, clash }.output(&join, &from)
}

/// Two inputs and what matches in them.
struct Join {
    first: Vec<Item>,
    second: Vec<Item>,
    matches: Matches,
    clash: Clash,
}

impl Join {
    fn output(&self, join: &str, from: &str) -> Result<Vec<Item>, NodeError> {
        Ok(match join {
            "keepMatches" => self.matched(from),
            "keepEverything" => {
                let (first, second) = (self.suffixed(self.unmatched1(), 1), self.suffixed(self.unmatched2(), 2));
                self.matched(from).into_iter().chain(first).chain(second).collect()
            }
            "keepNonMatches" => match from {
                "input1" => self.unmatched1(),
                "input2" => self.unmatched2(),
                _ => {
                    let first = with_source(self.unmatched1(), "input1");
                    first.into_iter().chain(with_source(self.unmatched2(), "input2")).collect()
                }
            },
            "enrichInput1" => self.merged(false).into_iter().chain(self.suffixed(self.unmatched1(), 1)).collect(),
            "enrichInput2" => self.merged(true).into_iter().chain(self.suffixed(self.unmatched2(), 2)).collect(),
            other => return Err(unknown("output type", other)),
        })
    }

    fn matched(&self, from: &str) -> Vec<Item> {
        match from {
            "input1" => self.matches.matched.iter().map(|(index, _)| self.first[*index].clone()).collect(),
            "input2" => self.of_second(true),
            _ => self.merged(false),
        }
    }

    fn unmatched1(&self) -> Vec<Item> {
        self.matches.unmatched1.iter().map(|index| self.first[*index].clone()).collect()
    }

    fn unmatched2(&self) -> Vec<Item> {
        self.of_second(false)
    }

    fn of_second(&self, used: bool) -> Vec<Item> {
        let wanted = self.second.iter().zip(&self.matches.used2).filter(|(_, is_used)| **is_used == used);
        wanted.map(|(item, _)| item.clone()).collect()
    }

    /// One item for each match. The fields of input 2 win, or of input 1 when input 2 is enriched.
    fn merged(&self, enriches_second: bool) -> Vec<Item> {
        let prefers_first = self.clash.preferred().map_or(enriches_second, |preferred| preferred == 0);
        let prefers_first = prefers_first && !self.clash.prefers_last();
        let suffixed = |item: &Item, number: usize| {
            if self.clash.adds_suffix() { with_suffix(vec![item.clone()], number).remove(0) } else { item.clone() }
        };
        let mut merged = Vec::new();
        for (index, others) in &self.matches.matched {
            for other in others {
                let first = suffixed(&self.first[*index], 1);
                let second = suffixed(&self.second[*other], 2);
                let swapped = prefers_first && !self.clash.adds_suffix();
                let pair = if swapped { [&second, &first] } else { [&first, &second] };
                merged.push(Item { paired_item: origins(pair), ..self.clash.combine(&pair) });
            }
        }
        merged
    }

    fn suffixed(&self, items: Vec<Item>, number: usize) -> Vec<Item> {
        if self.clash.adds_suffix() { with_suffix(items, number) } else { items }
    }
}

fn with_source(mut items: Vec<Item>, source: &str) -> Vec<Item> {
    for item in &mut items {
        item.json.insert("_source".to_owned(), Value::from(source));
    }
    items
}

/// The pairs of fields to compare.
fn fields(run: &mut NodeRun<'_>) -> Result<Vec<FieldPair>, NodeError> {
    if run.version() >= 3.0 && !run.boolean("advanced", 0, false)? {
        let list = run.text("fieldsToMatchString", 0, "")?;
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        return at_least_one(names.map(|name| (name.to_owned(), name.to_owned())).collect());
    }
    let pairs = run.parameter("mergeByFields.values", 0)?;
    let name = |pair: &Value, key: &str| pair.get(key).map(values::text).unwrap_or_default();
    let pairs = pairs.as_ref().and_then(Value::as_array).into_iter().flatten();
    let pairs: Vec<FieldPair> = pairs.map(|pair| (name(pair, "field1"), name(pair, "field2"))).collect();
    if let Some(place) = pairs.iter().position(|(first, second)| first.is_empty() || second.is_empty()) {
        let message = format!("pair {} of the fields to match lacks a field name", place + 1);
        return Err(NodeError::operation(message).described("name one field for each input"));
    }
    at_least_one(pairs)
}

fn at_least_one(pairs: Vec<FieldPair>) -> Result<Vec<FieldPair>, NodeError> {
    if pairs.is_empty() {
        return Err(NodeError::operation("there are no fields to match").described("name at least one field to match"));
    }
    Ok(pairs)
}

/// The first versions wanted every field in at least one item.
fn check_present<'f>(
    items: &[Item],
    fields: impl Iterator<Item = &'f String>,
    dots: bool,
    number: usize,
) -> Result<(), NodeError> {
    for field in fields {
        if !items.is_empty() && !items.iter().any(|item| values::has(&item.json, field, dots)) {
            return Err(NodeError::operation(format!("no item of input {number} has the field '{field}'"))
                .described("correct the name of the field"));
        }
    }
    Ok(())
}
