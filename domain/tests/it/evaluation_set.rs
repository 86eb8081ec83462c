//! Rules of sets of cases, and how they are read from JSON Lines.

use serde_json::{Value, json};
use timeloom_domain::evaluation::CASES_MAX;
use timeloom_domain::evaluation_set::{
    BadLine, CASE_BYTES_MAX, EvaluationCase, EvaluationSet, EvaluationSetCommand, EvaluationSetEvent,
    EvaluationSetRefusal, SET_BYTES_MAX, cases_of_lines, items_of, numbered, value_of,
};
use timeloom_domain::event::Aggregate as _;

use crate::given::given;
use crate::samples::slug;

fn case(id: &str) -> EvaluationCase {
    EvaluationCase::by_hand(id, json!({ "text": id }), Some(json!("label")))
}

fn create(cases: Vec<EvaluationCase>) -> EvaluationSetCommand {
    let (name, description) = (slug("questions"), "Questions.".to_owned());
    EvaluationSetCommand::Create { name, description, cases, subject: None, at_ms: 1 }
}

fn add(after: Option<u32>, cases: Vec<EvaluationCase>) -> EvaluationSetCommand {
    EvaluationSetCommand::AddVersion { after, cases, subject: None, at_ms: 2 }
}

fn created(cases: Vec<EvaluationCase>) -> Vec<EvaluationSetEvent> {
    EvaluationSet::default().decide(&create(cases)).unwrap()
}

#[test]
fn a_set_is_made_with_its_first_version_and_gets_more_that_never_change() {
    let events = created(vec![case("a"), case("b")]);
    assert_eq!(events.len(), 2);
    given::<EvaluationSet>(events.clone())
        .when(create(vec![case("c")]))
        .refused(EvaluationSetRefusal::AlreadyExists(slug("questions")));
    let mut set = EvaluationSet::default();
    events.iter().for_each(|event| set.apply(event));
    for event in set.decide(&add(Some(1), vec![case("c")])).unwrap() {
        set.apply(&event);
    }
    let told: Vec<_> = set.versions.iter().map(|version| (version.version, version.cases, version.revision)).collect();
    assert_eq!(told, [(1, 2, 2), (2, 1, 3)], "with the revisions of the events that have the cases");
    assert_eq!(set.version(3).unwrap_err(), EvaluationSetRefusal::UnknownVersion { version: 3, newest: 2 });
    assert_eq!(EvaluationSet::default().version(1).unwrap_err(), EvaluationSetRefusal::NotFound);
}

#[test]
fn somebody_who_does_not_know_the_newest_version_adds_none() {
    let events = created(vec![case("a")]);
    given::<EvaluationSet>(events.clone())
        .when(add(Some(2), vec![case("b")]))
        .refused(EvaluationSetRefusal::NotNewest { expected: 2, newest: 1 });
    given::<EvaluationSet>([]).when(add(None, vec![case("b")])).refused(EvaluationSetRefusal::NotFound);
}

#[test]
fn cases_without_bounds_are_refused() {
    let refused = |cases: Vec<EvaluationCase>, why| {
        given::<EvaluationSet>([]).when(create(cases)).refused(why);
    };
    refused(Vec::new(), EvaluationSetRefusal::Cases(0));
    let many = (0..=CASES_MAX).map(|number| case(&number.to_string())).collect();
    refused(many, EvaluationSetRefusal::Cases(CASES_MAX + 1));
    refused(vec![case("a"), case("b"), case("a")], EvaluationSetRefusal::TwiceTheCase("a".to_owned()));
    refused(vec![case("")], EvaluationSetRefusal::CaseId(String::new()));
    let sized = |id: usize, bytes: usize| EvaluationCase::by_hand(id.to_string(), json!("x".repeat(bytes)), None);
    refused(vec![sized(7, CASE_BYTES_MAX)], EvaluationSetRefusal::CaseTooLarge("7".to_owned()));
    let full = (0..=SET_BYTES_MAX / (CASE_BYTES_MAX / 2)).map(|id| sized(id, CASE_BYTES_MAX / 2)).collect();
    refused(full, EvaluationSetRefusal::TooLarge);
}

#[test]
fn lines_are_cases_and_a_bad_one_is_told_by_its_number() {
    let text = "{\"input\": {\"a\": 1}, \"expected\": 2}\n\n{\"id\": 7, \"input\": \"b\"}\n{\"input\": null, \"expected\": null}\n";
    let cases = numbered(cases_of_lines(text).unwrap());
    let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["1", "7", "3"]);
    assert_eq!((&cases[0].expected, &cases[1].expected, &cases[2].expected), (&Some(json!(2)), &None, &None));

    let bad = |text: &str| cases_of_lines(text).unwrap_err();
    let BadLine { line, why } = bad("{\"input\": 1}\n\n{\"expected\": 2}\n");
    assert!(line == 3 && why.starts_with("missing field `input` at column"), "{why}");
    let told = bad("{\"input\": 1}\nnot json").to_string();
    assert!(told.starts_with("line 2 is no case: expected ident at column 2"), "{told}");
    assert!(bad("{\"input\": 1, \"expcted\": 2}").why.starts_with("unknown field `expcted`"));
    assert!(bad("{\"input\": 1, \"id\": []}").why.starts_with("its id is neither"));
}

#[test]
fn a_workflow_is_given_items_and_what_its_last_node_gives_is_the_output() {
    for (input, items) in [
        (json!({ "a": 1 }), json!([{ "a": 1 }])),
        (json!([{ "a": 1 }, { "a": 2 }]), json!([{ "a": 1 }, { "a": 2 }])),
        (json!("text"), json!([{ "input": "text" }])),
        (json!([]), json!([{ "input": [] }])),
        (json!([1, 2]), json!([{ "input": [1, 2] }])),
    ] {
        let made: Vec<Value> = items_of(&input).iter().map(|item| item.json.to_value()).collect();
        assert_eq!(Value::Array(made), items, "{input}");
    }
    assert_eq!(value_of(&[]), Value::Null);
    for value in [json!({ "a": 1 }), json!([{ "a": 1 }, {}])] {
        assert_eq!(value_of(&items_of(&value)), value);
    }
}
