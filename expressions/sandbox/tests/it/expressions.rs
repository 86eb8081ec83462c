//! Templates, variables, extension methods, dates.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::{Evaluated, ExpressionError, Job, Limits, SpecialKind};
use timeloom_expressions::scope::Scope;
use timeloom_sandbox::SandboxEngine;

use crate::support::{Nodes, evaluate, evaluate_in, scope, session, value};

fn with_nodes() -> Scope {
    Scope { nodes: Arc::new(Nodes), ..scope(json!([{ "name": "Ada" }, { "name": "Bob" }])) }
}

fn node_value(template: &str) -> Value {
    match evaluate_in(&with_nodes(), template).unwrap() {
        Evaluated::Json(value) => value,
        other => panic!("{template}: {other:?}"),
    }
}

fn thrown(template: &str) -> (String, String) {
    match evaluate(template, json!([{}])).unwrap_err() {
        ExpressionError::Thrown { name, message, .. } => (name, message),
        other => panic!("{template}: {other:?}"),
    }
}

fn check(cases: &[(&str, Value)]) {
    for (template, expected) in cases {
        assert_eq!(&value(template), expected, "{template}");
    }
}

#[test]
fn a_sole_part_keeps_its_type_and_mixed_text_is_joined() {
    check(&[
        ("{{ $json.list }}", json!([3, 1, 2])),
        ("{{ 1 + 1 }}", json!(2)),
        ("{{ $json.name }} and {{ $json.missing }}!", json!("Ada and !")),
        ("no code", json!("no code")),
        ("{{ 1 }}{{ false }}{{ null }}{{ 0 }}", json!("1false0")),
        ("\\{{ kept }} {{ 'x' }}", json!("{{ kept }} x")),
        (" {{ 5 }}", json!(" 5")),
        ("{{ $json.name; }}", json!("Ada")),
        ("{{ $json.name // who\n }}", json!("Ada")),
        ("{{ { a: { b: 1 } } }}", json!({ "a": { "b": 1 } })),
    ]);
}

#[test]
fn failures_of_plain_javascript_are_undefined() {
    for template in ["{{ $json.missing.deep }}", "{{ nobody }}", "{{ nobody() }}", "{{ JSON.parse('{') }}", "{{ }}"] {
        assert_eq!(evaluate(template, json!([{}])), Ok(Evaluated::Undefined), "{template}");
    }
}

#[test]
fn what_cannot_be_read_is_told_without_anything_to_read_it_over() {
    let evaluator = Evaluator::new(Some(Arc::new(SandboxEngine::new(7).unwrap())));
    let templates = [
        "{{ 1 + }}",
        "{{ $json.a.b.c }}",
        "{{ $('Gone').item.json.id }}",
        "{{ a) + (b }}",
        "no code",
        "{{ [1, 2].map((n) => { return n * 2 }) }}",
        "{{ (() => { throw new Error('no') })() }}",
        "{{ 1 + }}",
    ];
    let broken = evaluator.broken(&templates);
    let places: Vec<usize> = (0..templates.len()).filter(|place| broken[*place].is_some()).collect();
    assert_eq!(places, [0, 3, 7], "{broken:?}");
    assert!(broken[0].as_deref().unwrap().contains("invalid syntax"));
    assert_eq!(Evaluator::new(None).broken(&templates), vec![None; templates.len()], "nobody could look");
    assert_eq!(evaluator.broken(&["{{ (() => { for (;;) {} })() }}"]), [None], "one that does not end is stopped");
}

#[test]
fn special_values_say_what_they_are() {
    let special = |template: &str| match evaluate(template, json!([{}])).unwrap() {
        Evaluated::Special { kind, json } => (kind, json),
        other => panic!("{template}: {other:?}"),
    };
    assert_eq!(special("{{ NaN }}"), (SpecialKind::Nan, Value::Null));
    assert_eq!(special("{{ 1 / 0 }}"), (SpecialKind::Infinity, Value::Null));
    assert_eq!(special("{{ new Date(0) }}"), (SpecialKind::Date, json!("1970-01-01T00:00:00.000Z")));
    assert_eq!(special("{{ $now }}"), (SpecialKind::DateTime, json!("2026-03-14T11:09:26.535-04:00")));
    assert_eq!(special("{{ Duration.fromObject({ hours: 2 }) }}"), (SpecialKind::Duration, json!("PT2H")));
    assert_eq!(special("{{ /a+/g }}"), (SpecialKind::RegExp, json!("/a+/g")));
    assert_eq!(special("{{ 12345678901234567890n }}"), (SpecialKind::BigInt, json!("12345678901234567890")));
}

#[test]
fn syntax_errors_and_uncalled_functions_are_reported() {
    assert_eq!(evaluate("{{ 1 + }}", json!([{}])), Err(ExpressionError::Syntax("invalid syntax".to_owned())));
    assert_eq!(evaluate("{{ a) + (b }}", json!([{}])), Err(ExpressionError::Syntax("invalid syntax".to_owned())));
    assert_eq!(thrown("{{ parseInt }}").1, "this is a function, please add ()");
    assert_eq!(thrown("{{ DateTime }}").1, "this is a DateTime, please access its methods");
}

#[test]
fn names_that_lead_out_of_the_data_are_refused() {
    let templates = [
        "{{ ''.constructor }}",
        "{{ ''['constr' + 'uctor'] }}",
        "{{ [].map.prototype }}",
        "{{ $json.__proto__ }}",
        "{{ $json['__proto__'] }}",
        "{{ ({ constructor: 1 }) }}",
        "{{ (({ constructor }) => constructor)([]) }}",
        "{{ Object.getPrototypeOf([]) }}",
    ];
    for template in templates {
        assert!(evaluate(template, json!([{}])).is_err(), "{template}");
    }
    check(&[
        ("{{ this }}", json!({})),
        ("{{ globalThis }}", json!({})),
        ("{{ process }}", json!({})),
        ("{{ (function () { return this ?? 'none' })() }}", json!("none")),
    ]);
}

#[test]
fn variables_tell_about_the_run() {
    check(&[
        ("{{ $workflow.name }}/{{ $workflow.id }}/{{ $workflow.active }}", json!("Orders/w1/true")),
        ("{{ $execution.id }} {{ $execution.mode }} {{ $mode }}", json!("e1 test manual")),
        ("{{ $prevNode.name }} {{ $runIndex }} {{ $itemIndex }}", json!("Source 0 0")),
        ("{{ $vars.region }} {{ $env.STAGE }} {{ $nodeVersion }}", json!("eu dev 2")),
        ("{{ $parameter.greeting }} / {{ $rawParameter.greeting }}", json!("Hello Ada / =Hello {{ $json.name }}")),
        ("{{ $today.toISO() }}", json!("2026-03-14T00:00:00.000-04:00")),
        ("{{ new Date().toISOString() }}", json!("2026-03-14T15:09:26.535Z")),
        ("{{ $jmespath($json, 'list[0]') }}", json!(3)),
        ("{{ $input.first().json.name + $input.all().length }}", json!("Ada1")),
        ("{{ $evaluateExpression('{{ $json.name \\}}') }}", json!("Ada")),
        ("{{ $fromAI('city', 'Where?', 'string', 'Rome') }}", json!("Rome")),
    ]);
    assert!(thrown("{{ $fromAI('city') }}").1.contains("no AI agent called this node"));
    assert!(thrown("{{ $env.SECRET }}").1.contains("'SECRET' is not allowed"));
}

#[test]
fn other_nodes_are_asked_when_needed() {
    let cases = [
        ("{{ $('Source').first().json.n }}", json!(1)),
        ("{{ $('Source').last().json.n }}", json!(2)),
        ("{{ $('Source').all(0, 1).length }}", json!(1)),
        ("{{ $('Source').item.json.pair }}", json!(0)),
        ("{{ $('Source').itemMatching(1).json.pair }}", json!(1)),
        ("{{ $('Source').isExecuted }} {{ $('Idle').isExecuted }}", json!("true false")),
        ("{{ $('Source').params.url }}", json!("http://x")),
        ("{{ $node['Source'].json.n }} {{ $node.Source.context.noItemsLeft }}", json!("1 true")),
        ("{{ $node['Source'].runIndex }}", json!(1)),
        ("{{ $items('Source')[1].json.n }}", json!(2)),
        ("{{ $item(1).$json.name }} {{ $item(1).$node['Source'].json.n }}", json!("Bob 2")),
        ("{{ $input.params.url }}", json!("http://x")),
    ];
    for (template, expected) in cases {
        assert_eq!(node_value(template), expected, "{template}");
    }
}

#[test]
fn missing_nodes_stop_the_expression() {
    let message = |template: &str| evaluate_in(&with_nodes(), template).unwrap_err().to_string();
    assert_eq!(message("{{ $('Nobody') ? 1 : 2 }}"), "referenced node doesn't exist: 'Nobody'");
    assert_eq!(message("{{ $('Idle').first().json.n }}"), "node 'Idle' hasn't been executed");
    assert_eq!(message("{{ $node['Nobody'].json }}"), "referenced node doesn't exist: 'Nobody'");
}

#[test]
fn jobs_of_one_call_see_their_own_items() {
    let scope = scope(json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]));
    let jobs: Vec<Job<'_>> =
        (0..3).map(|item_index| Job { template: "{{ $json.n * 10 + $itemIndex }}", item_index }).collect();
    let results = session().evaluate(&scope, &jobs, Limits::EXPRESSION);
    let values: Vec<Value> = results.into_iter().map(|result| result.unwrap().into_json().unwrap()).collect();
    assert_eq!(values, [json!(10), json!(21), json!(32)]);
}

#[test]
fn expressions_do_not_change_the_items() {
    let scope = scope(json!([{ "list": [3, 1, 2] }]));
    let mut session = session();
    for template in [
        "{{ $json = 5 }}",
        "{{ list = 5 }}",
        "{{ $json.list.sort() }}",
        "{{ $json.list.push(9) && $json.list }}",
        "{{ $json.list = 5 }}",
    ] {
        session.evaluate(&scope, &[Job { template, item_index: 0 }], Limits::EXPRESSION);
    }
    let jobs = ["{{ $json.list }}", "{{ list }}"].map(|template| Job { template, item_index: 0 });
    let result = session.evaluate(&scope, &jobs, Limits::EXPRESSION);
    assert_eq!(result, [Ok(Evaluated::Json(json!([3, 1, 2]))), Ok(Evaluated::Undefined)]);
}

#[test]
fn other_items_are_noticed_in_the_same_session() {
    let mut session = session();
    for name in ["first", "second"] {
        let scope = scope(json!([{ "name": name }]));
        let result =
            session.evaluate(&scope, &[Job { template: "{{ $json.name }}", item_index: 0 }], Limits::EXPRESSION);
        assert_eq!(result, [Ok(Evaluated::Json(json!(name)))]);
    }
}

#[test]
fn text_methods() {
    check(&[
        ("{{ 'hello world'.toTitleCase() }}", json!("Hello World")),
        ("{{ 'FIRST. second'.toSentenceCase() }}", json!("First. Second")),
        ("{{ 'Crème brûlée'.replaceSpecialChars() }}", json!("Creme brulee")),
        ("{{ 'write to ada@example.org now'.extractEmail() }}", json!("ada@example.org")),
        ("{{ 'https://shop.example.com:8080/a/b?c#d'.extractDomain() }}", json!("shop.example.com")),
        ("{{ 'example.com:8080/x'.extractDomain() }}", json!("example.com")),
        ("{{ 'abc'.hash() }}", json!("900150983cd24fb0d6963f7d28e17f72")),
        ("{{ 'abc'.hash('sha1') }}", json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
        ("{{ 'héllo'.base64Encode().base64Decode() }}", json!("héllo")),
        ("{{ '$ 1234.50'.toNumber() }}", json!(1234.5)),
        ("{{ 'a b&c'.urlEncode() }}", json!("a%20b%26c")),
        ("{{ '2026-01-02'.toDateTime().weekday }}", json!(5)),
        ("{{ 'x'.isEmpty() || ''.isEmpty() }}", json!(true)),
    ]);
    assert_eq!(thrown("{{ 'abc'.toNumber() }}").0, "ExpressionExtensionError");
    assert_eq!(thrown("{{ 'abc'.sum() }}").1, "sum() is only callable on type \"Array\"");
}

#[test]
fn optional_chains_stop_where_they_should() {
    check(&[
        ("{{ $json.list?.first() ?? 'none' }}", json!(3)),
        ("{{ $json.gone?.first().name ?? 'none' }}", json!("none")),
        ("{{ $json.gone?.length ?? 0 }}", json!(0)),
        ("{{ $json.gone.isEmpty() }}", json!(true)),
        ("{{ [1, 2].map(x => ({ x, name: $json.name })).last() }}", json!({ "x": 2, "name": "Ada" })),
    ]);
}

#[test]
fn conversions_that_find_no_number_fail() {
    check(&[
        ("{{ '€ 42'.toInt() }}", json!(42)),
        ("{{ '12 $'.toFloat() }}", json!(12)),
        ("{{ 'ff'.toInt(16) }}", json!(255)),
        ("{{ 'soon'.toDateTime('yyyy').isValid }}", json!(false)),
        ("{{ 'soon'.toDateTime('ms').isValid }}", json!(false)),
        ("{{ numberList('2', '4') }}", json!([2, 3, 4])),
    ]);
    assert_eq!(thrown("{{ 'soon'.toInt() }}").1, "cannot convert to integer");
    assert_eq!(thrown("{{ 'soon'.toFloat() }}").1, "cannot convert to float");
    assert!(thrown("{{ '1,5'.toFloat() }}").1.contains("decimal separator"));
    assert!(thrown("{{ [].difference(1) }}").1.contains("expected array arg"));
}

#[test]
fn addresses_are_told_by_their_host() {
    check(&[
        ("{{ 'shop.ada.example:8080/cart?id=1#top'.extractDomain() }}", json!("shop.ada.example")),
        ("{{ 'ftp://files.ada.example/x'.isUrl() }}", json!(true)),
        ("{{ 'ada.example'.isUrl() }}", json!(false)),
        ("{{ 'ada.example/cart'.isDomain() }}", json!(true)),
        ("{{ 'ada'.isDomain() }}", json!(false)),
        ("{{ '10.0.0.7:80'.extractDomain() }}", json!("10.0.0.7")),
        ("{{ 'go to https://ada.example/a?b=c now'.extractUrl() }}", json!("https://ada.example/a?b=c")),
        ("{{ 'write to ada@mail.example'.extractEmail() }}", json!("ada@mail.example")),
        ("{{ 'write to ada@mail.example'.isEmail() }}", json!(false)),
        ("{{ 'ada@mail.example'.extractDomain() }}", json!("mail.example")),
    ]);
    for nothing in ["{{ '1.5'.extractDomain() }}", "{{ 'www.ada.example'.extractUrl() }}"] {
        assert_eq!(evaluate(nothing, json!([{}])), Ok(Evaluated::Undefined), "{nothing}");
    }
}

#[test]
fn the_first_of_merged_values_wins_and_nothing_is_what_javascript_takes_for_false() {
    check(&[
        ("{{ [{ a: 1 }, { a: 2, b: 3 }].merge() }}", json!({ "a": 1, "b": 3 })),
        ("{{ [{ a: 1 }, { a: 2 }].merge([{ c: 1 }]) }}", json!({ "a": 1, "c": 1 })),
        ("{{ [[1, 2], []].compact() }}", json!([{ "0": 1, "1": 2 }])),
        ("{{ (0).isEmpty() }}", json!(true)),
        ("{{ false.isNotEmpty() }}", json!(false)),
        ("{{ 'one. TWO! 3'.toSentenceCase() }}", json!("One. Two!")),
        ("{{ 'Ada & Bob (№ 1)'.toSnakeCase() }}", json!("ada__bob_№_1")),
        ("{{ '![logo](a.png) > **hi**'.removeMarkdown() }}", json!("  hi")),
    ]);
}

#[test]
fn dates_follow_the_zone_of_the_workflow() {
    check(&[
        ("{{ $now.toFormat('yyyy-MM-dd HH:mm ZZZZ') }}", json!("2026-03-14 11:09 EDT")),
        ("{{ $now.setZone('Europe/Berlin').toFormat('dd.MM.yyyy HH:mm') }}", json!("14.03.2026 16:09")),
        ("{{ $now.minus(1, 'month').isDst() }}", json!(false)),
        ("{{ $now.isWeekend() }}", json!(true)),
        ("{{ $now.plus({ days: 2 }).toISODate() }}", json!("2026-03-16")),
        ("{{ '2026-03-01'.toDateTime().diffTo('2026-02-01', 'days') }}", json!(28)),
        ("{{ $now.beginningOf('month').toISODate() }}", json!("2026-03-01")),
        ("{{ DateTime.fromISO('2026-03-14T10:00:00').toUTC().toISO() }}", json!("2026-03-14T14:00:00.000Z")),
        ("{{ $now.setZone('Nowhere/Land').isValid }}", json!(false)),
        ("{{ $now.toRelative() }}", json!("in 0 seconds")),
        ("{{ $now.toLocaleString(DateTime.DATETIME_MED) }}", json!("Mar 14, 2026, 11:09 AM")),
        ("{{ $now.setLocale('de').toLocaleString(DateTime.DATE_FULL) }}", json!("14. März 2026")),
        ("{{ $now.setLocale('fr').toFormat('cccc d LLLL') }}", json!("samedi 14 mars")),
        ("{{ $now.minus({ hours: 2 }).toRelative() }}", json!("2 hours ago")),
        ("{{ Duration.fromObject({ hours: 2, minutes: 5 }).toHuman() }}", json!("2 hours, 5 minutes")),
    ]);
}

#[test]
fn numbers_are_written_as_people_write_them() {
    check(&[
        ("{{ (1234567.891).toLocaleString() }}", json!("1,234,567.891")),
        ("{{ (1234.5).format('de-DE') }}", json!("1.234,5")),
        ("{{ (1234.5).toLocaleString('en-US', { style: 'currency', currency: 'USD' }) }}", json!("$1,234.50")),
        ("{{ (0.256).toLocaleString('en-US', { style: 'percent' }) }}", json!("26%")),
        ("{{ new Date(0).toLocaleDateString() }}", json!("1/1/1970")),
        ("{{ `${new Date(0)}` }}", json!("Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)")),
        ("{{ (1234567.5).format('en-IN') }}", json!("12,34,567.5")),
        ("{{ DateTime.fromMillis(0).plus(3, 'hrs').toMillis() }}", json!(10_800_000)),
        (
            "{{ new Date(0).toLocaleString('en-US', { timeZone: 'America/New_York' }) }}",
            json!("12/31/1969, 7:00:00 PM"),
        ),
        ("{{ ['b', 'C', 'a', 'é'].sort((x, y) => x.localeCompare(y)) }}", json!(["a", "b", "C", "é"])),
    ]);
}
