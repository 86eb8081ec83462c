//! The native subset gives what JavaScript gives, and leaves alone what it is not sure of.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_expressions::port::{Evaluated, SpecialKind};
use timeloom_expressions::scope::Lookup;

use super::support::{OneNode, evaluate_in, is_foreign, scope, value_of};

/// Each row: code, and the JSON that node prints for it over [`sample`].
fn check(rows: &[(&str, Value)]) {
    for (code, expected) in rows {
        assert_eq!(&value_of(code, sample()), expected, "{code}");
    }
}

fn sample() -> Value {
    json!({
        "text": "Hello", "wide": "a😀é", "count": 3, "price": 12.5, "big": 1e21, "yes": true, "none": null,
        "list": [3, "b", null, [1, 2]], "user": { "name": "Ann", "2": "two", "1": "one", "tags": ["x"] }
    })
}

#[test]
fn paths_read_data() {
    check(&[
        ("$json.text", json!("Hello")),
        ("$json['text']", json!("Hello")),
        ("$json.user.tags[0]", json!("x")),
        ("$json.list[3][1]", json!(2)),
        ("$json.list['1']", json!("b")),
        ("$json.list[9]", json!(null)),
        ("$json.list.length", json!(4)),
        ("$json.user['na' + 'me']", json!("Ann")),
        ("$json.user[1]", json!("one")),
        ("$json.missing?.deeper.still", json!(null)),
        ("$json.missing?.[0] ?? 'none'", json!("none")),
        ("$json.text[1]", json!("e")),
        ("$json.text.name", json!(null)),
        ("$json.user", sample()["user"].clone()),
    ]);
}

#[test]
fn a_type_error_makes_the_value_undefined() {
    let scope = scope(vec![sample()]);
    for template in
        ["{{ $json.missing.deeper }}", "{{ $json.none.x }}", "{{ $json.count.trim() }}", "{{ [].reduce((a, b) => a) }}"]
    {
        assert_eq!(evaluate_in(&scope, template), Ok(Evaluated::Undefined), "{template}");
    }
    let mixed = evaluate_in(&scope, "a{{ $json.missing.deeper }}b{{ 1 }}");
    assert_eq!(mixed, Ok(Evaluated::Json(json!("ab1"))));
}

#[test]
fn arithmetic_and_coercion_are_those_of_javascript() {
    check(&[
        ("1 + 2 * 3 - 4 / 8", json!(6.5)),
        ("'1' + 2", json!("12")),
        ("1 + 2 + 'x'", json!("3x")),
        ("'3' * '4'", json!(12)),
        ("true + true", json!(2)),
        ("null + 1", json!(1)),
        ("[] + {}", json!("[object Object]")),
        ("[1,[2,null,3]] + ''", json!("1,2,,3")),
        ("-7 % 3", json!(-1)),
        ("2 ** 3 ** 2", json!(512)),
        ("0.1 + 0.2", json!(0.30000000000000004)),
        ("-0", json!(0)),
        ("+' 12 '", json!(12)),
        ("+'0x1f'", json!(31)),
        ("typeof null + typeof undefined + typeof 1 + typeof ''", json!("objectundefinednumberstring")),
        ("10 / 4 > 2 && 'b' > 'a'", json!(true)),
        ("'10' < '9'", json!(true)),
        ("'10' < 9", json!(false)),
        ("null == undefined", json!(true)),
        ("null == 0", json!(false)),
        ("null >= 0", json!(true)),
        ("'' == 0", json!(true)),
        ("[1] == 1", json!(true)),
        ("true == '1'", json!(true)),
        ("NaN === NaN", json!(false)),
        ("'a' === 'a'", json!(true)),
        ("'\u{ff5e}' < '😀'", json!(false)),
    ]);
}

#[test]
fn logic_gives_back_operands() {
    check(&[
        ("0 || 'x'", json!("x")),
        ("0 ?? 'x'", json!(0)),
        ("'' && 1", json!("")),
        ("$json.count > 2 ? 'many' : 'few'", json!("many")),
        ("true ? false ? 1 : 2 : 3", json!(2)),
        ("!$json.none", json!(true)),
        ("(null ?? 0) || 5", json!(5)),
    ]);
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    check(&[
        ("'' + 1e21", json!("1e+21")),
        ("'' + 123456789012345680000", json!("123456789012345680000")),
        ("'' + 0.000001", json!("0.000001")),
        ("'' + 1e-7", json!("1e-7")),
        ("'' + 1.5e-9", json!("1.5e-9")),
        ("'' + -12.25", json!("-12.25")),
        ("'' + 5e-324", json!("5e-324")),
        ("'' + 2007725077459621.25", json!("2007725077459621.2")),
        ("'' + 1.7976931348623157e308", json!("1.7976931348623157e+308")),
        ("'' + 0.00001234", json!("0.00001234")),
        ("'' + (1/0)", json!("Infinity")),
        ("(2.5).toFixed(0)", json!("3")),
        ("(1.005).toFixed(2)", json!("1.00")),
        ("(1.45).toFixed(1)", json!("1.4")),
        ("(-2.5).toFixed(0)", json!("-3")),
        ("(0.000001).toFixed(7)", json!("0.0000010")),
        ("(9.995).toFixed(2)", json!("9.99")),
        ("(99.5).toFixed(0)", json!("100")),
        ("$json.price.toString()", json!("12.5")),
    ]);
}

#[test]
fn whole_numbers_land_in_items_as_integers() {
    assert_eq!(value_of("6 / 2", json!({})).to_string(), "3");
    assert_eq!(value_of("-0", json!({})).to_string(), "0");
    assert_eq!(value_of("2 ** 53", json!({ "a": 1 })).to_string(), "9007199254740992".to_owned());
    assert_eq!(value_of("[1.0, 2.5]", json!({})).to_string(), "[1,2.5]");
}

#[test]
fn what_json_lacks_is_told_apart() {
    let scope = scope(vec![sample()]);
    let special = |kind| Ok(Evaluated::Special { kind, json: Value::Null });
    assert_eq!(evaluate_in(&scope, "{{ 0 / 0 }}"), special(SpecialKind::Nan));
    assert_eq!(evaluate_in(&scope, "{{ -1 / 0 }}"), special(SpecialKind::Infinity));
    assert_eq!(evaluate_in(&scope, "{{ undefined }}"), Ok(Evaluated::Undefined));
    assert_eq!(evaluate_in(&scope, "{{ [undefined, NaN] }}"), Ok(Evaluated::Json(json!([null, null]))));
    assert_eq!(evaluate_in(&scope, "{{ ({ a: undefined, b: 1 }) }}"), Ok(Evaluated::Json(json!({ "b": 1 }))));
}

#[test]
fn mixed_text_joins_values() {
    let scope = scope(vec![sample()]);
    let joined = |template: &str| evaluate_in(&scope, template).unwrap().into_json().unwrap();
    assert_eq!(joined("{{ 1 }}{{ 2 }}"), json!("12"));
    assert_eq!(
        joined("n={{ $json.none }}u={{ undefined }}z={{ 0 }}f={{ false }}N={{ 0/0 }}"),
        json!("n=u=z=0f=falseN=")
    );
    assert_eq!(joined("{{ $json.list }};{{ $json.user }} "), json!("3,b,,1,2;[object Object] "));
    assert_eq!(joined("no code"), json!("no code"));
}

#[test]
fn string_methods_count_utf16_units() {
    check(&[
        ("$json.text.toUpperCase() + $json.text.toLowerCase()", json!("HELLOhello")),
        ("' a '.trim() + '|' + ' a '.trimStart() + '|' + ' a '.trimEnd()", json!("a|a | a")),
        ("'a,b,,c'.split(',')", json!(["a", "b", "", "c"])),
        ("'abc'.split('')", json!(["a", "b", "c"])),
        ("'abc'.split()", json!(["abc"])),
        ("$json.text.includes('ell')", json!(true)),
        ("$json.text.startsWith('He') && $json.text.endsWith('lo')", json!(true)),
        ("$json.text.slice(1, -1)", json!("ell")),
        ("$json.text.slice(-3)", json!("llo")),
        ("$json.text.substring(3, 1)", json!("el")),
        ("$json.text.substr(-3, 2)", json!("ll")),
        ("$json.text.indexOf('l') + $json.text.lastIndexOf('l')", json!(5)),
        ("$json.text.charAt(1) + $json.text.at(-1)", json!("eo")),
        ("$json.text.charCodeAt(0)", json!(72)),
        ("$json.text.replace('l', 'L')", json!("HeLlo")),
        ("$json.text.replaceAll('l', '')", json!("Heo")),
        ("'7'.padStart(3, '0') + 'x'.padEnd(3, 'ab')", json!("007xab")),
        ("'ab'.repeat(3)", json!("ababab")),
        ("'a'.concat(1, null)", json!("a1null")),
        ("$json.wide.length", json!(4)),
        ("$json.wide.indexOf('é')", json!(3)),
        ("$json.wide.slice(1, 3)", json!("😀")),
        ("'straße'.toUpperCase()", json!("STRASSE")),
        ("`${$json.text}, ${1 + 1}!`", json!("Hello, 2!")),
        (r"'\x41\u00e9\n\'' + `\``", json!("Aé\n'`")),
    ]);
}

#[test]
fn arrays_and_callbacks() {
    check(&[
        ("[1, 2, 3].map(x => x * 2)", json!([2, 4, 6])),
        ("[1, 2, 3].map((x, i) => x * i)", json!([0, 2, 6])),
        ("[1, 2, 3].filter(x => x > 1).length", json!(2)),
        ("[1, 2].find(x => x > 1)", json!(2)),
        ("[1, 2].findIndex(x => x > 9)", json!(-1)),
        ("[1, 2].some(x => x > 1) && [1, 2].every(x => x > 0)", json!(true)),
        ("[1, 2, 3].reduce((sum, x) => sum + x, 10)", json!(16)),
        ("[[1, 2], [3]].map(row => row.map(x => x + row.length))", json!([[3, 4], [4]])),
        ("[3, 1].concat([2], 4)", json!([3, 1, 2, 4])),
        ("[1, null, undefined, 'x'].join('-')", json!("1---x")),
        ("[NaN].includes(NaN)", json!(true)),
        ("[NaN].indexOf(NaN)", json!(-1)),
        ("[1, 2, 3].slice(-2)", json!([2, 3])),
        ("[1, 2, 3].at(-1)", json!(3)),
        ("[...[1, 2], 3]", json!([1, 2, 3])),
        ("({ ...$json.user, name: 'Bob' }).name", json!("Bob")),
        ("['a'].map(k => ({ [k]: 1, k }))", json!([{ "a": 1, "k": "a" }])),
    ]);
}

#[test]
fn functions_of_the_language() {
    check(&[
        ("Math.round(2.5) + Math.round(-2.5) + Math.floor(-1.5) + Math.ceil(1.2) + Math.trunc(-1.9)", json!(0)),
        ("Math.max(1, '5', 3) + Math.min(2, 1) + Math.abs(-4) + Math.sqrt(9) + Math.pow(2, 3)", json!(21)),
        ("Number('12px') === Number('12px')", json!(false)),
        ("Number('') + Number(null) + Number(true) + Number([5])", json!(6)),
        ("parseInt('42px') + parseInt('0x1f') + parseInt('101', 2)", json!(78)),
        ("parseFloat('3.14abc') + parseFloat('.5') + parseFloat('1e2x')", json!(103.64)),
        ("String([1, [2]]) + String(null) + String({})", json!("1,2null[object Object]")),
        ("Boolean('') || Boolean([])", json!(true)),
        ("Object.keys($json.user)", json!(["1", "2", "name", "tags"])),
        ("Object.values({ b: 1, a: 2 })", json!([1, 2])),
        ("Object.entries({ a: 1 })", json!([["a", 1]])),
        (
            "JSON.stringify({ a: [1, undefined, 'é\"'], b: undefined, c: NaN })",
            json!("{\"a\":[1,null,\"é\\\"\"],\"c\":null}"),
        ),
        ("JSON.stringify({ a: [1], b: {} }, null, 2)", json!("{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}")),
        ("JSON.stringify(undefined)", json!(null)),
        ("JSON.stringify($json.user)", json!(r#"{"1":"one","2":"two","name":"Ann","tags":["x"]}"#)),
        ("JSON.parse('{\"a\":[1,2]}').a[1]", json!(2)),
        ("encodeURIComponent('a b&é')", json!("a%20b%26%C3%A9")),
        ("Array.isArray($json.list) && Number.isInteger(3)", json!(true)),
    ]);
}

#[test]
fn the_run_can_be_read() {
    check(&[
        ("$itemIndex + $runIndex", json!(2)),
        ("$vars.region", json!("eu")),
        ("$env.HOME_PAGE", json!("http://home")),
        ("$execution.id + $execution.mode + $execution.resumeUrl", json!("e1testhttp://resume")),
        ("$workflow.id + $workflow.name + $workflow.active", json!("w1Orderstrue")),
        ("$prevNode.name + $prevNode.outputIndex + $prevNode.runIndex", json!("Before10")),
    ]);
    let scope = scope(vec![json!({ "a": 1 }), json!({ "a": 2 }), json!({ "a": 3 })]);
    let read = |template: &str| evaluate_in(&scope, template).unwrap().into_json().unwrap();
    assert_eq!(read("{{ $input.item.json.a }}"), json!(1));
    assert_eq!(read("{{ $input.first().json.a + $input.last().json.a }}"), json!(4));
    assert_eq!(read("{{ $input.all()[1].json.a }}"), json!(2));
    assert_eq!(read("{{ $input.all().map(item => item.json.a).join() }}"), json!("1,2,3"));
}

#[test]
fn other_nodes_are_asked_once_and_only_when_needed() {
    let nodes = Arc::new(OneNode { items: vec![json!({ "id": 7 }), json!({ "id": 8 })], ..OneNode::default() });
    let mut scope = scope(vec![json!({ "a": 1 })]);
    scope.nodes = nodes.clone();
    let read = |template: &str| evaluate_in(&scope, template).unwrap().into_json().unwrap();
    assert_eq!(read("{{ $('Orders').item.json.id }}"), json!(7));
    assert_eq!(read("{{ $('Orders').last().json.id }}"), json!(8));
    assert_eq!(read("{{ $('Orders').first().json.id + $('Orders').all().length }}"), json!(9));
    assert_eq!(read("{{ $node[\"Orders\"].json.id + $node.Orders.json.id }}"), json!(14));
    assert_eq!(read("{{ true ? 1 : $('Nowhere').first().json.id }}"), json!(1));
    let asked = nodes.asked.lock().unwrap();
    let items = Lookup::Items { node: "Orders".into(), output: None, run: None };
    let paired = Lookup::PairedItem { node: "Orders".into(), item_index: 0 };
    assert_eq!(*asked, [paired, items.clone(), items.clone(), items]);
}

#[test]
fn what_is_not_surely_the_same_is_left_to_the_engine() {
    let foreign = [
        "$json.text.match(/l/)",
        "new Date()",
        "$now",
        "$json.list.first()",
        "$json.missing.isEmpty()",
        "$json.text = 1",
        "$json.constructor",
        "$json['__proto__']",
        "[1].map(x => { return x })",
        "function () {}",
        "$('No' + 'de').first()",
        "$('Nowhere').first().json.a",
        "$env.SECRET",
        "$json.wide[1]",
        "'a'.replace('a', '$&')",
        "2 ** 0.5",
        "a ?? b || c",
        "1 2",
        "",
        "{",
        "1;2",
        "x",
        "$json.user === $json.user",
        "/* c */ 1",
        "~1",
        "1 | 2",
        "'a'.repeat(-1)",
        "(1).toFixed(101)",
        "JSON.parse('{')",
        "$input.all()",
        "$json.user.toString",
        "08",
        "1n",
        "-1 ** 2",
        "'x'.localeCompare('y')",
        "[,1]",
        "$json.list.sort()",
        "a => a",
        "'ab'.split('', 1)",
    ];
    for code in foreign {
        assert!(is_foreign(code, sample()), "{code}");
    }
}

#[test]
fn hostile_code_meets_limits_and_not_the_stack() {
    let nested = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let chain = format!("1{}", "+1".repeat(20_000));
    let members = format!("$json{}", ".a".repeat(20_000));
    let unary = format!("{}1", "!".repeat(20_000));
    let arrays = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let long = format!("'{}'", "x".repeat(70_000));
    let loops = "[...'a'.repeat(3000).split('')].map(a => [...'a'.repeat(3000).split('')].map(b => 1))".to_owned();
    let doubling = "'a'.repeat(60).split('').reduce((all, x) => all + all, 'x')".to_owned();
    for code in [nested, chain, members, unary, arrays, long, loops, doubling] {
        assert!(is_foreign(&code, json!({})), "{}", &code[..40]);
    }
    assert_eq!(value_of(&format!("{}1{}", "(".repeat(50), ")".repeat(50)), json!({})), json!(1));
    assert_eq!(value_of(&format!("1{}", "+1".repeat(200)), json!({})), json!(201));
}

proptest! {
    #[test]
    fn any_text_is_evaluated_or_left_alone(template in "\\PC{0,60}") {
        let _ = evaluate_in(&scope(vec![sample()]), &template);
    }

    #[test]
    fn any_code_is_evaluated_or_left_alone(code in "[a-z$0-9.'\"`(){}\\[\\]+*/%!?:=<>&|,; \\\\-]{0,40}") {
        let _ = evaluate_in(&scope(vec![sample()]), &format!("{{{{ {code} }}}}"));
    }

    #[test]
    fn plain_text_comes_back_as_it_is(text in "[^{]{0,80}") {
        prop_assert_eq!(evaluate_in(&scope(vec![]), &text), Ok(Evaluated::Json(Value::from(text))));
    }

    #[test]
    fn a_written_number_reads_back_as_itself(number in any::<f64>()) {
        prop_assume!(number.is_finite());
        let written = value_of("String($json.n)", json!({ "n": number }));
        let written = written.as_str().unwrap();
        prop_assert_eq!(written.parse::<f64>().unwrap(), number);
        // As few digits as the shortest text that reads back; two texts may be as short.
        let digits = |text: &str| text.split('e').next().unwrap().replace(['.', '-'], "").trim_matches('0').len();
        prop_assert_eq!(digits(written), digits(&format!("{number:e}")));
        prop_assert_eq!(value_of("Number(String($json.n)) === $json.n", json!({ "n": number })), json!(true));
    }
}
