//! Item Lists: the older node that bundles the list operations. Its versions differ in how they name fields and in
//! what they refuse; the operations themselves are those of the separate nodes.

use timeloom_domain::catalogue::{
    Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, Section,
};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::aggregate::aggregate;
use super::fields::NO_DOTS;
use super::limit::limit;
use super::remove_duplicates::remove_duplicates;
use super::sort::sort;
use super::split_out::split_out;
use super::summarize::summarize;
use super::{Dialect, aggregate, limit, remove_duplicates, sort, split_out, summarize};
use crate::describe::{ONE_TO_ONE, choice, collection, is, list, many, options, palette, text};

const ALIKE: Choice = choice("removeDuplicates", "Remove duplicates");
const OPERATIONS_1: &[Choice] = &[
    choice("splitOutItems", "Split out items"),
    choice("aggregateItems", "Aggregate items"),
    choice("limit", "Limit"),
    ALIKE,
    choice("sort", "Sort"),
    choice("summarize", "Summarize"),
];
const OPERATIONS_3: &[Choice] = &[
    choice("splitOutItems", "Split out items"),
    choice("concatenateItems", "Concatenate items"),
    choice("limit", "Limit"),
    ALIKE,
    choice("sort", "Sort"),
    choice("summarize", "Summarize"),
];

const SPLITS: &[Condition] = &[is("operation", &["splitOutItems"])];
const AGGREGATES: &[Condition] = &[is("operation", &["aggregateItems"])];
/// As versions from 3 on call it.
const CONCATENATES: &[Condition] = &[is("operation", &["concatenateItems"])];
const LIMITS: &[Condition] = &[is("operation", &["limit"])];
const DEDUPLICATES: &[Condition] = &[is("operation", &["removeDuplicates"])];
const SORTS: &[Condition] = &[is("operation", &["sort"])];
const SUMMARIZES: &[Condition] = &[is("operation", &["summarize"])];

/// Names of fields as versions before 3 write them: one by one.
const NAMES: &[Section] = &[many("fields", "Field", &[text("fieldName", "Name of the field.").like("id")])];

const fn names(name: &'static str, description: &'static str, shown_when: &'static [Condition]) -> ParameterDefinition {
    list(name, NAMES, description).when(shown_when).until(2.2)
}

const PARAMETERS: &[ParameterDefinition] = &[
    options("resource", &[choice("itemList", "Item list")], "Always `itemList`.").or_text("itemList"),
    options("operation", OPERATIONS_1, "What to do.").or_text("splitOutItems").until(2.2),
    options("operation", OPERATIONS_3, "What to do.").or_text("splitOutItems").since(3.0),
    text("fieldToSplitOut", "The field whose list becomes items; from version 3 several, with commas between.")
        .like("items")
        .when(SPLITS),
    split_out::INCLUDE.when(SPLITS),
    names("fieldsToInclude", "The other fields.", &[is("include", &["selectedOtherFields"])]),
    split_out::FIELDS_TO_INCLUDE.since(3.0),
    aggregate::AGGREGATE.when(AGGREGATES).until(2.2),
    aggregate::AGGREGATE.when(CONCATENATES).since(3.0),
    aggregate::FIELDS_TO_AGGREGATE,
    aggregate::DESTINATION,
    aggregate::INCLUDE,
    names("fieldsToInclude", "Fields to keep.", &[is("include", &["specifiedFields"])]),
    aggregate::FIELDS_TO_INCLUDE.since(3.0),
    names("fieldsToExclude", "Fields to leave out.", &[is("include", &["allFieldsExcept"])]),
    aggregate::FIELDS_TO_EXCLUDE.since(3.0),
    limit::MAX.when(LIMITS),
    limit::KEEP.when(LIMITS),
    remove_duplicates::COMPARE.when(DEDUPLICATES),
    names("fieldsToCompare", "The fields.", &[is("compare", &["selectedFields"])]),
    remove_duplicates::FIELDS_TO_COMPARE.since(3.0),
    names("fieldsToExclude", "The fields that may differ.", &[is("compare", &["allFieldsExcept"])]),
    remove_duplicates::FIELDS_TO_EXCLUDE.since(3.0),
    sort::TYPE.when(SORTS),
    sort::FIELDS,
    sort::SCRIPT,
    summarize::FIELDS.when(SUMMARIZES),
    names("fieldsToSplitBy", "Fields whose values make the groups.", SUMMARIZES),
    summarize::SPLIT_BY.when(SUMMARIZES).since(3.0),
    collection("options", &[NO_DOTS, split_out::DESTINATION], "What else to decide.").when(SPLITS),
    collection("options", aggregate::OPTIONS, "What else to decide.").when(AGGREGATES).until(2.2),
    collection("options", aggregate::OPTIONS, "What else to decide.").when(CONCATENATES).since(3.0),
    collection("options", &[NO_DOTS, remove_duplicates::REMOVE_OTHERS], "What else to decide.").when(DEDUPLICATES),
    collection("options", &[NO_DOTS], "What else to decide.").when(SORTS),
    collection("options", &[NO_DOTS, summarize::FORMAT, summarize::SKIP_EMPTY], "What else to decide.")
        .when(SUMMARIZES),
];

/// Item Lists.
pub(crate) struct ItemLists;

impl NodeType for ItemLists {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.itemLists",
            display_name: "Item Lists",
            description: "Splits, combines, limits, sorts or sums up lists of items.",
            versions: &[1.0, 2.0, 2.1, 2.2, 3.0, 3.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Older, "list", &["split", "aggregate", "limit", "sort"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ItemLists {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let dialect = dialect(run.version());
        match run.text("operation", 0, "splitOutItems")?.as_str() {
            "splitOutItems" => split_out(run, dialect),
            "aggregateItems" | "concatenateItems" => aggregate(run, dialect),
            "limit" => limit(run),
            "removeDuplicates" => remove_duplicates(run, dialect),
            "sort" => sort(run),
            "summarize" => summarize(run, dialect),
            other => Err(NodeError::operation(format!("the operation '{other}' is not known: choose one of the list"))),
        }
    }
}

fn dialect(version: f64) -> Dialect {
    Dialect {
        missing_field_fails: version < 2.1,
        splits_many_fields: version >= 3.0,
        compares_one_type: version < 3.1,
        null_has_any_type: false,
        groups_by_value: false,
        counts_empty: false,
        splits_single_values: version > 2.1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn versions_before_2_1_refuse_fields_that_are_nowhere() {
        for (operation, parameter) in [
            ("splitOutItems", json!({"fieldToSplitOut": "x"})),
            ("aggregateItems", json!({"fieldsToAggregate": {"fieldToAggregate": [{"fieldToAggregate": "x"}]}})),
            ("summarize", json!({"fieldsToSummarize": {"values": [{"field": "x"}]}})),
        ] {
            let mut parameters = parameter;
            parameters["operation"] = json!(operation);
            let input = json!([{"n": 1}]);
            Bench::new(&ItemLists, 2.0, parameters.clone()).input(input.clone()).failure();
            Bench::new(&ItemLists, 2.1, parameters).input(input).run().unwrap();
        }
    }

    #[test]
    fn field_lists_come_in_the_form_of_each_version() {
        let input = json!([{"a": 1, "b": 1}, {"a": 1, "b": 2}]);
        for (version, fields) in [(1.0, json!({"fields": [{"fieldName": "a"}]})), (3.0, json!("a"))] {
            let parameters =
                json!({"operation": "removeDuplicates", "compare": "selectedFields", "fieldsToCompare": fields});
            let mut bench = Bench::new(&ItemLists, version, parameters).input(input.clone());
            assert_eq!(bench.output(), json!([{"a": 1, "b": 1}]));
        }
    }

    #[test]
    fn version_3_1_tells_types_apart() {
        let parameters = json!({"operation": "removeDuplicates"});
        let input = json!([{"a": "1"}, {"a": 1}, {"a": []}, {"a": {}}, {"a": 1}]);
        Bench::new(&ItemLists, 3.0, parameters.clone()).input(input.clone()).failure();
        let kept = Bench::new(&ItemLists, 3.1, parameters).input(input).output();
        assert_eq!(kept, json!([{"a": "1"}, {"a": 1}, {"a": []}, {"a": {}}]));
    }

    #[test]
    fn concatenate_is_the_newer_name_of_aggregate() {
        let parameters = json!({"operation": "concatenateItems", "aggregate": "aggregateAllItemData"});
        let mut bench = Bench::new(&ItemLists, 3.0, parameters).input(json!([{"a": 1}]));
        assert_eq!(bench.output(), json!([{"data": [{"a": 1}]}]));
    }
}
