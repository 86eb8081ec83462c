//! Code nodes.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::item::PairedItem;
use timeloom_expressions::port::{CodeMode, CodeOutput, ExpressionError, Limits};
use timeloom_expressions::scope::Scope;

use crate::support::{Nodes, scope, session};

fn run(mode: CodeMode, code: &str) -> Result<CodeOutput, ExpressionError> {
    let scope = Scope { nodes: Arc::new(Nodes), ..scope(json!([{ "n": 2 }, { "n": 1 }])) };
    session().run_code(&scope, mode, code, Limits::CODE)
}

fn json_of(mode: CodeMode, code: &str) -> Value {
    let output = run(mode, code).unwrap();
    output.items.into_iter().map(|item| Value::from(item.json)).collect()
}

fn message(mode: CodeMode, code: &str) -> String {
    run(mode, code).unwrap_err().to_string()
}

#[test]
fn all_items_may_be_returned_in_several_shapes() {
    let all = CodeMode::AllItems;
    assert_eq!(json_of(all, "return items"), json!([{ "n": 2 }, { "n": 1 }]));
    assert_eq!(json_of(all, "return { a: 1 }"), json!([{ "a": 1 }]));
    assert_eq!(json_of(all, "return [{ a: 1 }, { a: 2 }]"), json!([{ "a": 1 }, { "a": 2 }]));
    assert_eq!(
        json_of(all, "return $input.all().map(i => ({ json: { d: i.json.n * 2 } }))"),
        json!([{ "d": 4 }, { "d": 2 }])
    );
    assert_eq!(json_of(all, "return null"), json!([]));
    assert_eq!(json_of(all, "return []"), json!([]));
    assert_eq!(
        json_of(all, "items[0].json.seen = $('Source').all().length; return items[0]"),
        json!([{ "n": 2, "seen": 2 }])
    );
}

#[test]
fn paired_items_are_kept_where_given() {
    let output = run(CodeMode::AllItems, "return [{ json: {}, pairedItem: 1 }, { json: {} }]").unwrap();
    assert_eq!(output.items[0].paired_item, Some(PairedItem::Index(1)));
    assert_eq!(output.items[1].paired_item, None);
}

#[test]
fn wrong_returns_are_explained() {
    let all = CodeMode::AllItems;
    assert_eq!(message(all, "return 5"), "Code doesn't return items properly");
    assert_eq!(message(all, ""), "Code doesn't return items properly");
    assert_eq!(message(all, "return [1]"), "Code doesn't return items properly");
    assert_eq!(message(all, "return [{ json: {}, other: 1 }]"), "Unknown top-level item key: other");
    assert_eq!(message(all, "return [{ json: 1 }]"), "A 'json' property isn't an object");
    assert_eq!(message(CodeMode::EachItem, "return 5"), "Code doesn't return an object");
    assert_eq!(message(CodeMode::EachItem, "return []"), "Code doesn't return a single object");
    assert_eq!(
        message(CodeMode::Function, "items[0].json.x = 1"),
        "No data got returned. Always return an Array of items!"
    );
}

#[test]
fn each_item_is_paired_with_its_input() {
    let output = run(CodeMode::EachItem, "return $json.n > 1 ? null : { n: $json.n, i: $itemIndex }").unwrap();
    assert_eq!(output.items.len(), 1);
    assert_eq!(output.items[0].json.to_value(), json!({ "n": 1, "i": 1 }));
    assert_eq!(output.items[0].paired_item, Some(PairedItem::index(1)));
    assert_eq!(
        json_of(CodeMode::EachItem, "$input.item.json.x = 1; return $input.item"),
        json!([{ "n": 2, "x": 1 }, { "n": 1, "x": 1 }])
    );
}

#[test]
fn old_function_nodes_assign_globals() {
    let code = "counted = items.length; items = [{ json: { counted } }]; return items;";
    assert_eq!(json_of(CodeMode::Function, code), json!([{ "counted": 2 }]));
    assert_eq!(json_of(CodeMode::Function, "return { success: true }"), json!([{ "success": true }]));
    assert_eq!(json_of(CodeMode::FunctionItem, "item.n += 1; return item;"), json!([{ "n": 3 }, { "n": 2 }]));
}

#[test]
fn sort_compares_items() {
    assert_eq!(json_of(CodeMode::Sort, "return a.json.n - b.json.n"), json!([{ "n": 1 }, { "n": 2 }]));
}

#[test]
fn asynchronous_scripts_settle() {
    let code = "
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const double = async (x) => { await wait(10); return x * 2; };
        class Counter { async next() { return (this.n = (this.n ?? 0) + 1); } }
        async function* numbers() { for (let i = 0; i < 3; i++) { await null; yield i; } }
        const counter = new Counter();
        let sum = 0;
        for await (const n of numbers()) sum += n;
        const settled = await Promise.allSettled([double(1), Promise.reject(new Error('no'))]);
        const [a, b] = await Promise.all([double(2), counter.next()]);
        try { await Promise.any([Promise.reject(1)]); } catch (error) { return { a, b, sum, any: error.errors, s: settled.map(x => x.status) }; }";
    let expected = json!([{ "a": 4, "b": 1, "sum": 3, "any": [1], "s": ["fulfilled", "rejected"] }]);
    assert_eq!(json_of(CodeMode::AllItems, code), expected);
    assert!(message(CodeMode::AllItems, "await new Promise(() => {})").contains("never settles"));
}

#[test]
fn console_lines_come_back() {
    let output = run(CodeMode::AllItems, "console.log('n', { a: 1 }, [1]); return []").unwrap();
    assert_eq!(output.console, ["n {\"a\":1} [1]"]);
}

#[test]
fn errors_say_where_they_were_thrown() {
    let error = run(CodeMode::EachItem, "const a = 1;\n\nif ($json.n === 1) throw new TypeError('bad');\nreturn {}")
        .unwrap_err();
    let ExpressionError::Thrown { name, message, line, item_index, .. } = error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), message.as_str(), line, item_index), ("TypeError", "bad", Some(3), Some(1)));
    let error = run(CodeMode::AllItems, "return 1;\nconst = 5;").unwrap_err();
    assert!(matches!(error, ExpressionError::Syntax(_)), "{error:?}");
}

#[test]
fn modules_are_refused_by_name() {
    let text = message(CodeMode::AllItems, "const fs = require('fs'); return []");
    assert!(text.starts_with("module 'fs' is not available"), "{text}");
}

#[test]
fn memory_is_returned_when_it_changed() {
    let output = run(CodeMode::AllItems, "const d = $getWorkflowStaticData('global'); d.seen = 1; return []").unwrap();
    assert_eq!(output.context, Some(json!({ "staticGlobal": { "seen": 1 } })));
    assert_eq!(run(CodeMode::AllItems, "$getWorkflowStaticData('global'); return []").unwrap().context, None);
}

#[test]
fn built_in_helpers_work() {
    let code = "
        const url = new URL('../b?x=1&y=2#h', 'https://user@Example.com:443/a/c/d');
        url.searchParams.set('x', 'ä b');
        const name = Buffer.from('héllo').toString('base64');
        return { href: url.href, name, back: Buffer.from(name, 'base64').toString(), hex: Buffer.from('hi').toString('hex'),
                 iso: DateTime.fromISO('2026-01-01').toISO(), again: structuredClone({ d: new Date(0) }), b: btoa('a') + atob('YQ==') }";
    let expected = json!([{
        "href": "https://example.com/a/b?x=%C3%A4+b&y=2#h", "name": "aMOpbGxv", "back": "héllo", "hex": "6869",
        "iso": "2026-01-01T00:00:00.000-05:00", "again": { "d": "1970-01-01T00:00:00.000Z" }, "b": "YQ==a",
    }]);
    assert_eq!(json_of(CodeMode::AllItems, code), expected);
}
