//! How outputs are judged, how scores are counted, and two evaluations side by side.

use serde_json::{Value, json};
use timeloom_domain::evaluation::{
    CASES_TOLD_MAX, CaseResult, Evaluation, EvaluationCases, EvaluationCommand, EvaluationRefusal, EvaluationReport,
    EvaluationRequest, EvaluationSubject, InferenceSelection, NamedScorer, NotComparable, SCORERS_MAX, Score,
    ScoreCounter, ScoredReport, Scorer, compare, score_of_workflow, sign_test,
};
use timeloom_domain::ids::WorkflowId;
use uuid::Uuid;

use crate::given::given;
use crate::samples::slug;

fn at(pointer: &str, scorer: Scorer) -> NamedScorer {
    NamedScorer { at: pointer.to_owned(), ..NamedScorer::of_all("s", scorer) }
}

#[track_caller]
fn score(scorer: &NamedScorer, expected: &Value, output: &Value) -> f64 {
    let score = scorer.prepare().unwrap().score(Some(expected), output).unwrap();
    assert_eq!(score.reason.is_none(), score.value >= 1.0, "whoever gives less says why: {score:?}");
    score.value
}

fn of(scorer: Scorer, expected: &Value, output: &Value) -> f64 {
    score(&NamedScorer::of_all("s", scorer), expected, output)
}

#[test]
fn equal_values_are_equal_however_they_are_written() {
    let equal = |one: Value, other: Value| of(Scorer::Equal, &one, &other);
    assert_eq!(equal(json!({ "a": 1, "b": [2] }), json!({ "b": [2.0], "a": 1.0 })), 1.0);
    assert_eq!(equal(json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)), 0.0);
    assert_eq!(equal(json!({ "a": 1 }), json!({ "a": 1, "b": 2 })), 0.0);
    assert_eq!(equal(json!([1, 2]), json!([1])), 0.0);
    let told = NamedScorer::of_all("s", Scorer::Equal).prepare().unwrap();
    let reason = told.score(Some(&json!({ "a/b": [1, "secret"] })), &json!({ "a/b": [1, "other"] })).unwrap().reason;
    assert_eq!(reason.as_deref(), Some("it is another value at /a~1b/1"), "where, and nothing of what");
}

#[test]
fn pointers_say_what_is_looked_at_of_both() {
    let scorer = NamedScorer { expected_at: "/want".to_owned(), ..at("/got", Scorer::Equal) };
    assert_eq!(score(&scorer, &json!({ "want": 1 }), &json!({ "got": 1 })), 1.0);
    assert_eq!(score(&scorer, &json!({ "want": 1 }), &json!({ "other": 1 })), 0.0);
    let ready = scorer.prepare().unwrap();
    assert!(ready.score(Some(&json!({})), &json!({ "got": 1 })).unwrap_err().contains("nothing at '/want'"));
    assert!(ready.score(None, &json!({ "got": 1 })).unwrap_err().contains("does not say what is expected"));
}

#[test]
fn what_contains_a_part_of_it_gets_a_part() {
    let contains = |one: Value, other: Value| of(Scorer::Contains, &one, &other);
    assert_eq!(contains(json!("loom"), json!("Timeloom")), 1.0);
    assert_eq!(contains(json!("Loom"), json!("Timeloom")), 0.0);
    assert_eq!(contains(json!([1, 2]), json!([2, 3])), 0.5);
    assert_eq!(contains(json!("b"), json!(["a", "b"])), 1.0);
    assert_eq!(contains(json!({ "a": 1, "b": 2, "c": 3, "d": 4 }), json!({ "a": 1, "b": 0, "c": 3.0, "e": 4 })), 0.5);
}

#[test]
fn patterns_schemas_and_tolerances_judge_what_they_should() {
    let pattern = || Scorer::Matches { pattern: "^order \\d+$".to_owned() };
    assert_eq!(of(pattern(), &Value::Null, &json!("order 17")), 1.0);
    assert_eq!(of(pattern(), &Value::Null, &json!("orders")), 0.0);
    let schema = || Scorer::Schema { schema: json!({ "properties": { "a": { "type": "number" } } }) };
    assert_eq!(of(schema(), &Value::Null, &json!({ "a": 1 })), 1.0);
    let misfit = NamedScorer::of_all("s", schema()).prepare().unwrap().score(None, &json!({ "a": "secret" })).unwrap();
    assert_eq!(misfit.reason.as_deref(), Some("it does not fit the schema at /a"));
    let near = |one: Value, other: Value| of(Scorer::Near { tolerance: 10_000 }, &one, &other);
    assert_eq!(near(json!(100), json!(100.9)), 1.0, "relative to the larger number");
    assert_eq!(near(json!(0.0), json!(0.009)), 1.0, "or to 1");
    assert_eq!(near(json!([1, 2, 3, 4]), json!([1, 2, 3, 5])), 0.75);
    assert_eq!(near(json!([[1, 2]]), json!([1])), 0.0);
    assert_eq!(near(json!(1), json!("1")), 0.0);
    assert_eq!(
        near(json!({ "p": [1, 2], "q": 3 }), json!({ "p": [1, 2], "q": 3.5, "more": "x" })),
        2.0 / 3.0,
        "by name"
    );
    assert_eq!(near(json!({ "p": 1 }), json!({ "q": 1 })), 0.0, "a field that is missing is not near");
    assert_eq!(near(json!({ "p": 1 }), json!("x")), 0.0, "nor is what has no fields");
}

#[test]
fn the_likeliest_class_is_found_in_each_form() {
    let class = |one: Value, other: Value| of(Scorer::TopClass, &one, &other);
    assert_eq!(class(json!(2), json!([0.1, 0.2, 0.7])), 1.0);
    assert_eq!(class(json!([0.1, 0.2, 0.7]), json!([[0.3, 0.2, 0.4]])), 1.0, "a batch of one row");
    assert_eq!(class(json!("cat"), json!({ "dog": 0.2, "cat": 0.5 })), 1.0);
    assert_eq!(class(json!("cat"), json!([{ "label": "dog", "score": 0.6 }, { "label": "cat", "score": 0.4 }])), 0.0);
    assert_eq!(class(json!({ "label": "cat", "score": 1 }), json!("cat")), 1.0);
    assert_eq!(class(json!("cat"), json!(null)), 0.0);
}

#[test]
fn a_workflow_judges_by_the_number_of_its_last_item() {
    assert_eq!(score_of_workflow(&json!([{ "score": 0 }, { "score": 0.25 }])).unwrap().value, 0.25);
    assert_eq!(score_of_workflow(&json!({ "score": 1 })).unwrap(), Score { value: 1.0, reason: None });
    for wrong in [json!(null), json!({ "score": 1.5 }), json!({ "score": "1" }), json!([])] {
        assert!(score_of_workflow(&wrong).is_err(), "{wrong}");
    }
}

fn request(cases: EvaluationCases, scorers: Vec<NamedScorer>) -> Box<EvaluationRequest> {
    let subject = EvaluationSubject::WorkflowVersion { workflow: WorkflowId(Uuid::from_u128(1)), version: 2 };
    Box::new(EvaluationRequest { subject, cases, tolerance: 0, scorers, at_ms: 1 })
}

fn of_set(version: u32) -> EvaluationCases {
    EvaluationCases::Set { set: slug("questions"), version }
}

#[test]
fn an_evaluation_that_cannot_judge_is_refused() {
    let refused = |request, why| {
        given::<Evaluation>([]).when(EvaluationCommand::Request(request)).refused(why);
    };
    let equal = |name: &str| NamedScorer::of_all(name, Scorer::Equal);
    refused(request(of_set(1), Vec::new()), EvaluationRefusal::Scorers(0));
    let many = (0..=SCORERS_MAX).map(|number| equal(&number.to_string())).collect();
    refused(request(of_set(1), many), EvaluationRefusal::Scorers(SCORERS_MAX + 1));
    refused(request(of_set(1), vec![equal("a"), equal("a")]), EvaluationRefusal::TwiceTheScorer("a".to_owned()));
    let inferences = EvaluationCases::Inferences(InferenceSelection { last: 1, ..InferenceSelection::default() });
    refused(request(inferences, Vec::new()), EvaluationRefusal::NotAModel);
    for scorer in [
        Scorer::Matches { pattern: "(".to_owned() },
        Scorer::Schema { schema: json!({ "type": "nothing" }) },
        Scorer::Near { tolerance: 1_000_001 },
    ] {
        let why = NamedScorer::of_all("s", scorer).prepare().unwrap_err();
        assert!(why.to_string().starts_with("the scorer 's' cannot be used: "), "{why}");
    }
    assert!(at("label", Scorer::Equal).prepare().unwrap_err().why.contains("begins with '/'"));
}

fn result(scores: Result<Vec<Result<Score, String>>, String>) -> CaseResult {
    CaseResult { run: None, scores, judgements: Vec::new() }
}

fn judged(value: f64) -> CaseResult {
    let reason = (value < 1.0).then(|| "worse".to_owned());
    result(Ok(vec![Ok(Score { value, reason })]))
}

#[test]
fn scores_are_counted_and_the_worst_cases_are_told_first() {
    let mut counter = ScoreCounter::new(["equal"]);
    counter.take("a".to_owned(), judged(1.0));
    counter.take("b".to_owned(), judged(0.5));
    counter.take("c".to_owned(), result(Err("it failed".to_owned())));
    counter.take("d".to_owned(), result(Ok(vec![Err("nothing expected".to_owned())])));
    let report = counter.report();
    let scorer = &report.scorers[0];
    assert_eq!((report.cases, report.failed, scorer.count, scorer.failed), (4, 1, 3, 1));
    assert_eq!(scorer.mean, Some(0.5), "no output is worth 0, nothing to judge is left out");
    let scores: Vec<_> = report.scores.iter().map(|case| case.scores[0]).collect();
    assert_eq!(scores, [Some(1.0), Some(0.5), Some(0.0), None]);
    let told: Vec<&str> = report.told.iter().map(|case| case.case.as_str()).collect();
    assert_eq!(told, ["c", "d", "b"]);
    let mut counter = ScoreCounter::new(["equal"]);
    (0..500).for_each(|number| counter.take(number.to_string(), judged(0.0)));
    assert_eq!(counter.report().told.len(), CASES_TOLD_MAX);
}

fn scored(version: u32, scores: &[(&str, Option<f64>)]) -> Evaluation {
    let mut counter = ScoreCounter::new(["equal"]);
    for (case, score) in scores {
        let result = match score {
            Some(value) => judged(*value),
            None => result(Ok(vec![Err("no".to_owned())])),
        };
        counter.take((*case).to_owned(), result);
    }
    let scorers = vec![NamedScorer::of_all("equal", Scorer::Equal)];
    let report = Some(Box::new(EvaluationReport::Scored(counter.report())));
    Evaluation { request: Some(request(of_set(version), scorers)), report, ..Evaluation::default() }
}

#[test]
fn two_evaluations_tell_what_got_better_and_what_got_worse() {
    let before = scored(1, &[("a", Some(1.0)), ("b", Some(0.5)), ("c", Some(1.0)), ("d", Some(0.0)), ("e", None)]);
    let after = scored(1, &[("a", Some(0.0)), ("b", Some(0.75)), ("c", Some(0.5)), ("d", Some(0.0)), ("e", Some(1.0))]);
    let compared = compare(&before, &after).unwrap();
    let equal = &compared[0];
    assert_eq!((equal.cases, equal.wins, equal.losses, equal.ties), (4, 1, 2, 1));
    assert_eq!((equal.before, equal.after), (Some(0.625), Some(0.3125)));
    let worse: Vec<_> = equal.worse.iter().map(|case| (case.case.as_str(), case.before, case.after)).collect();
    assert_eq!(worse, [("a", 1.0, 0.0), ("c", 1.0, 0.5)], "what lost most first");
    assert!((equal.p_value - 1.0).abs() < 1e-9);

    let other = compare(&before, &scored(2, &[("a", Some(1.0))])).unwrap_err();
    let (one, two) = ("questions@1".to_owned(), "questions@2".to_owned());
    assert_eq!(other, NotComparable::OtherCases { before: one, after: two });
    assert_eq!(compare(&before, &Evaluation::default()).unwrap_err(), NotComparable::NotScored("second"));
    let mut others = scored(1, &[("a", Some(1.0))]);
    others.request.as_mut().unwrap().scorers = vec![at("/label", Scorer::Equal)];
    assert_eq!(compare(&before, &others).unwrap_err(), NotComparable::OtherScorers);
    let nothing = Evaluation { report: Some(Box::new(EvaluationReport::Scored(ScoredReport::default()))), ..before };
    assert_eq!(compare(&nothing, &nothing).unwrap()[0].before, None);
}

#[test]
fn the_sign_test_gives_the_values_of_the_tables() {
    let is_near = |wins, losses, expected: f64| {
        let found = sign_test(wins, losses);
        assert!((found - expected).abs() < 1e-9 * expected.max(1e-30), "{wins} {losses}: {found}, not {expected}");
        assert!((sign_test(losses, wins) - found).abs() < 1e-12, "whichever side is which");
    };
    is_near(0, 0, 1.0);
    is_near(1, 1, 1.0);
    is_near(5, 0, 2.0 / 32.0);
    is_near(8, 1, 2.0 * 10.0 / 512.0);
    is_near(10, 2, 2.0 * (1.0 + 12.0 + 66.0) / 4096.0);
    assert!(sign_test(1_000, 0) > 0.0 && sign_test(1_000, 0) < 1e-290);
    assert_eq!(sign_test(500, 500), 1.0);
}
