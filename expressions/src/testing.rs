//! For tests that hold the native subset equal to a JavaScript engine: random expressions with data.
//!
//! Never part of a shipped program: behind the feature `testing`.

use std::cell::RefCell;
use std::sync::Arc;

use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};

use crate::native::{Context, compile, evaluate};
use crate::port::{Evaluated, Job};
use crate::scope::{ExecutionInfo, NoNodes, NodeInfo, Scope, WorkflowInfo};

/// An expression with the data it reads.
#[derive(Debug, Clone)]
pub struct Case {
    /// The template, without the leading `=`.
    pub template: String,
    /// What `$json` is.
    pub json: JsonObject,
}

/// What the native subset alone gives; `None` where it leaves the expression to the engine.
pub fn evaluate_native(scope: &Scope, job: Job<'_>) -> Option<Evaluated> {
    let items_asked = RefCell::default();
    let context = Context { scope, item_index: job.item_index, items_asked: &items_asked };
    evaluate(&compile(job.template), job.template, &context).ok()
}

/// A scope outside any run, with `items` as its input.
pub fn scope_of(items: Vec<JsonObject>) -> Scope {
    let items = Arc::new(items.into_iter().map(Item::new).collect::<Vec<_>>());
    Scope {
        items: Arc::clone(&items),
        inputs: Arc::new(vec![items]),
        run_index: 0,
        now_ms: 1_700_000_000_000,
        timezone: Tz::UTC,
        node: NodeInfo::default(),
        previous: None,
        workflow: WorkflowInfo::default(),
        execution: ExecutionInfo::default(),
        vars: Arc::default(),
        env: Arc::default(),
        additional: Arc::default(),
        nodes: Arc::new(NoNodes),
    }
}

/// Random expressions of the native subset, and some just beyond it, with data under the keys that they read.
pub fn case() -> impl Strategy<Value = Case> {
    (template(), data()).prop_map(|(template, json)| Case { template, json })
}

fn template() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => expression().prop_map(|code| format!("{{{{ {code} }}}}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("a {{{{ {a} }}}}-{{{{ {b} }}}} z")),
    ]
}

fn data() -> impl Strategy<Value = JsonObject> {
    let object = prop::collection::btree_map("[abx12]", leaf(), 0..4).prop_map(|map| json!(map)).boxed();
    let list = prop::collection::vec(prop_oneof![3 => leaf(), 1 => object.clone()], 0..5).prop_map(Value::from);
    (text(), number(), any::<bool>(), list, object).prop_map(|(text, number, bool, list, object)| {
        let pairs = [
            ("s", Value::from(text)),
            ("n", number),
            ("b", Value::Bool(bool)),
            ("z", Value::Null),
            ("a", list),
            ("o", object),
        ];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![text().prop_map(Value::from), number(), any::<bool>().prop_map(Value::from), Just(Value::Null)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cA-C0-3 .,-]{0,6}",
        1 => "[a-cé😀\u{a0} ]{0,4}",
        1 => select(vec!["12", " 7 ", "1e3", "0x1F", "Infinity", "-0", "true", "null", ".5", "5.", "+1", "1_0", "\"q\"\n"])
            .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (-20i64..200).prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        2 => (-2_000i32..2_000).prop_map(|hundredths| Value::from(f64::from(hundredths) / 100.0)),
        1 => any::<f64>().prop_filter_map("JSON numbers are finite", |number| {
            serde_json::Number::from_f64(number).map(Value::Number)
        }),
    ]
}

fn atom() -> impl Strategy<Value = String> {
    let data = vec![
        "$json",
        "$json.s",
        "$json.n",
        "$json.b",
        "$json.z",
        "$json.a",
        "$json.o",
        "$json.o.a",
        "$json.o.x",
        "$json.u",
        "$json.u.v",
        "$json?.u?.v",
        "$json.a[0]",
        "$json.a[1]",
        "$json['s']",
        "$json.o['1']",
        "$itemIndex",
        "$runIndex",
        "$input.item.json.s",
        "$input.first().json.n",
        "$input.all().length",
    ];
    let literals = vec![
        "0",
        "1",
        "2",
        "3.5",
        "0.1",
        "1e21",
        "1e-7",
        "123456789012",
        "255",
        "0.5",
        "1.005",
        "true",
        "false",
        "null",
        "undefined",
        "NaN",
        "Infinity",
        "''",
        "'a'",
        "'abc'",
        "' x '",
        "'12'",
        "\"b\"",
        "'a,b,c'",
        "'é'",
        "'😀b'",
        "[]",
        "[1, 2, 3]",
        "['a', 'b']",
        "({})",
        "({ a: 1 })",
    ];
    prop_oneof![3 => select(data), 2 => select(literals)].prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 24, 3, |inner| {
        let binary =
            select(vec!["+", "-", "*", "/", "%", "===", "!==", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "??"]);
        prop_oneof![
            4 => (inner.clone(), binary, inner.clone()).prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            1 => (select(vec!["!", "-", "+", "typeof "]), inner.clone()).prop_map(|(sign, a)| format!("({sign}{a})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("`p${{{a}}}q${{{b}}}`")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({{ k: {a}, b: {b}, 1: 0 }})")),
            2 => (inner.clone(), select(vec![".length", ".a", ".k", "?.x", "[0]", "[1]", "?.[2]", "['b']"]))
                .prop_map(|(a, access)| format!("({a}){access}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            4 => text_call(inner.clone()),
            3 => list_call(inner.clone()),
            3 => free_call(inner),
        ]
    })
}

fn text_call(inner: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let bare =
        select(vec!["toUpperCase()", "toLowerCase()", "trim()", "trimStart()", "trimEnd()", "toString()", "split('')"]);
    let unary = select(vec![
        "includes",
        "startsWith",
        "endsWith",
        "slice",
        "substring",
        "substr",
        "indexOf",
        "lastIndexOf",
        "charAt",
        "charCodeAt",
        "at",
        "concat",
        "split",
    ]);
    let number = select(vec!["0", "1", "2", "-1", "-2", "9", "1.7", "NaN", "undefined"]);
    let binary = select(vec!["slice", "substring", "substr", "padStart", "padEnd", "replace", "replaceAll"]);
    let subject = prop_oneof![
        Just("$json.s".to_owned()),
        inner.clone().prop_map(|code| format!("String({code})")),
        inner.clone()
    ];
    prop_oneof![
        (subject.clone(), bare).prop_map(|(a, method)| format!("({a}).{method}")),
        (subject.clone(), unary.clone(), inner.clone()).prop_map(|(a, method, b)| format!("({a}).{method}({b})")),
        (subject.clone(), unary, number.clone()).prop_map(|(a, method, b)| format!("({a}).{method}({b})")),
        (subject.clone(), binary.clone(), number.clone(), inner.clone())
            .prop_map(|(a, method, b, c)| format!("({a}).{method}({b}, {c})")),
        (subject.clone(), binary, number.clone(), number.clone())
            .prop_map(|(a, method, b, c)| format!("({a}).{method}({b}, {c})")),
        (subject, select(vec!["replace", "replaceAll"]), inner.clone(), inner)
            .prop_map(|(a, method, b, c)| format!("({a}).{method}({b}, {c})")),
    ]
}

fn list_call(inner: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let subject = prop_oneof![
        Just("$json.a".to_owned()),
        Just("String($json.s).split(',')".to_owned()),
        (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}, 3]")),
        inner.clone(),
    ];
    let body = select(vec![
        "x",
        "x + i",
        "x > 1",
        "typeof x",
        "!x",
        "x === $json.n",
        "x?.a",
        "i % 2",
        "[x, i]",
        "({ k: x })",
        "x.a",
        "all.length",
    ]);
    let callback = select(vec!["map", "filter", "find", "findIndex", "some", "every"]);
    let unary = select(vec!["includes", "indexOf", "lastIndexOf", "join", "slice", "concat", "at"]);
    prop_oneof![
        (subject.clone(), callback, body)
            .prop_map(|(a, method, body)| format!("({a}).{method}((x, i, all) => {body})")),
        (subject.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).reduce((sum, x) => sum + x, {b})")),
        subject.clone().prop_map(|a| format!("({a}).reduce((sum, x) => sum + x)")),
        (subject, unary, inner).prop_map(|(a, method, b)| format!("({a}).{method}({b})")),
    ]
}

fn free_call(inner: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let unary = select(vec![
        "Number",
        "String",
        "Boolean",
        "parseInt",
        "parseFloat",
        "isNaN",
        "encodeURIComponent",
        "Object.keys",
        "Object.values",
        "Object.entries",
        "JSON.stringify",
        "Array.isArray",
        "Number.isInteger",
        "Number.isNaN",
        "Number.isFinite",
        "Math.floor",
        "Math.ceil",
        "Math.round",
        "Math.abs",
        "Math.min",
        "Math.max",
        "Math.trunc",
        "Math.sqrt",
        "Math.sign",
    ]);
    let digits = 0usize..8;
    prop_oneof![
        4 => (unary, inner.clone()).prop_map(|(function, a)| format!("{function}({a})")),
        1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("Math.max({a}, {b})")),
        1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("Math.min({a}, {b})")),
        1 => (inner.clone(), 0u32..5).prop_map(|(a, b)| format!("(Math.trunc({a}) ** {b})")),
        1 => (inner.clone(), digits).prop_map(|(a, digits)| format!("Number({a}).toFixed({digits})")),
        1 => inner.clone().prop_map(|a| format!("JSON.stringify({a}, null, 2)")),
        1 => inner.clone().prop_map(|a| format!("JSON.parse(JSON.stringify({a}))")),
        1 => inner.prop_map(|a| format!("({{ ...({a}), z: 1 }})")),
    ]
}
