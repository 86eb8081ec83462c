//! What the expressions of a node read, told from their text: other nodes by name, and fields of items.
//!
//! Nothing is evaluated. What cannot be told from the text alone is said to be so, never guessed.

use std::collections::BTreeSet;

use serde_json::Value;

/// Something that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The node whose items are read; `None` for the node's own input.
    pub node: Option<String>,
    /// Which of them.
    pub which: WhichItem,
    /// The field of the item's JSON, by keys from the outside in; empty for all of it.
    pub path: Vec<String>,
}

/// Which item of a node is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhichItem {
    /// The one that the item at hand was made from.
    Paired,
    /// The first.
    First,
    /// The last.
    Last,
    /// All, or one that cannot be told from the text.
    All,
}

/// What the expressions of a node read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Each once, in order.
    pub read: BTreeSet<Reference>,
    /// Whether a node is named in a way that the text alone does not tell.
    pub is_open: bool,
    /// Whether `$vars` is read.
    pub reads_vars: bool,
}

impl References {
    /// What a parameter reads, with everything inside it.
    pub fn of(value: &Value) -> Self {
        let mut found = Self::default();
        found.take(value);
        found
    }

    /// What several nodes read together.
    pub fn of_all<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut found = Self::default();
        values.into_iter().for_each(|value| found.take(value));
        found
    }

    /// Names of the other nodes that are read.
    pub fn nodes(&self) -> BTreeSet<&str> {
        self.read.iter().filter_map(|reference| reference.node.as_deref()).collect()
    }

    fn take(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.scan(text),
            Value::Array(values) => values.iter().for_each(|value| self.take(value)),
            Value::Object(fields) => fields.values().for_each(|value| self.take(value)),
            _ => {}
        }
    }

    /// Scripts are read as well as expressions: they name nodes in the same words.
    fn scan(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            rest = &rest[at + 1..];
            rest = self.word(rest);
        }
    }

    /// Takes what follows a `$` in, and answers where to go on.
    fn word<'t>(&mut self, text: &'t str) -> &'t str {
        if text.starts_with('(') {
            return self.named(text, Shape::Call);
        }
        let end = text.find(|letter: char| !is_word(letter)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        match word {
            "json" => self.fields(None, WhichItem::Paired, rest),
            "input" => self.selected(None, rest),
            "node" | "items" => self.named(rest, if word == "node" { Shape::Index } else { Shape::Call }),
            "vars" => {
                self.reads_vars = true;
                rest
            }
            // A script reads its own input under other names, too.
            _ => rest,
        }
    }

    /// A node by its name in quotation marks: `("Name")`, `["Name"]` or `.Name`.
    fn named<'t>(&mut self, text: &'t str, shape: Shape) -> &'t str {
        let trimmed = text.trim_start();
        if shape == Shape::Index
            && let Some(rest) = trimmed.strip_prefix('.')
        {
            let end = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            return self.selected(Some(name.to_owned()), rest);
        }
        let (open, close) = if shape == Shape::Index { ('[', ']') } else { ('(', ')') };
        let Some(inside) = trimmed.strip_prefix(open) else { return text };
        match quoted(inside.trim_start()) {
            Some((name, rest)) => {
                let rest = rest.trim_start();
                // `$items("Name", 0, 1)` has more arguments.
                let rest = rest.find(close).map_or(rest, |end| &rest[end + 1..]);
                self.selected(Some(name), rest)
            }
            None => {
                self.is_open |= !inside.trim_start().starts_with(close);
                inside
            }
        }
    }

    /// Which item of a node, and which field of it.
    fn selected<'t>(&mut self, node: Option<String>, text: &'t str) -> &'t str {
        let (which, rest) = ["first()", "last()", "item", "json"]
            .iter()
            .zip([WhichItem::First, WhichItem::Last, WhichItem::Paired, WhichItem::Paired])
            .find_map(|(word, which)| {
                let rest = text.trim_start().strip_prefix('.')?.trim_start().strip_prefix(word)?;
                let ends = word.ends_with(')') || !rest.starts_with(is_word);
                ends.then_some((which, if *word == "json" { text } else { rest }))
            })
            .unwrap_or((WhichItem::All, text));
        match rest
            .trim_start()
            .strip_prefix('.')
            .map(|rest| rest.trim_start())
            .and_then(|rest| rest.strip_prefix("json"))
        {
            Some(fields) if which != WhichItem::All && !fields.starts_with(is_word) => self.fields(node, which, fields),
            _ => {
                self.read.insert(Reference { node, which, path: Vec::new() });
                rest
            }
        }
    }

    /// The keys that follow `json`; a method that is called is none.
    fn fields<'t>(&mut self, node: Option<String>, which: WhichItem, mut text: &'t str) -> &'t str {
        let mut path = Vec::new();
        while let Some((key, rest)) = next_key(text) {
            path.push(key);
            text = rest;
        }
        self.read.insert(Reference { node, which, path });
        text
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Call,
    Index,
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

fn next_key(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('?').unwrap_or(text);
    if let Some(rest) = text.strip_prefix('.') {
        if let Some(index) = rest.strip_prefix('[') {
            return bracketed(index);
        }
        let end = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let is_call = rest.trim_start().starts_with('(');
        let is_length = name == "length";
        return (!name.is_empty() && !is_call && !is_length).then(|| (name.to_owned(), rest));
    }
    bracketed(text.strip_prefix('[')?)
}

fn bracketed(inside: &str) -> Option<(String, &str)> {
    let inside = inside.trim_start();
    if let Some((name, rest)) = quoted(inside) {
        return Some((name, rest.trim_start().strip_prefix(']')?));
    }
    let end = inside.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, rest) = inside.split_at(end);
    (!number.is_empty()).then_some(())?;
    Some((number.to_owned(), rest.trim_start().strip_prefix(']')?))
}

/// A text in quotation marks, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mark = text.chars().next().filter(|mark| matches!(mark, '"' | '\'' | '`'))?;
    let (mut name, mut letters) = (String::new(), text[1..].char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.push(letters.next()?.1),
            // A template is computed.
            '$' if mark == '`' => return None,
            letter if letter == mark => return Some((name, &text[1 + at + 1..])),
            letter => name.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<(Option<String>, WhichItem, String)> {
        let found = References::of(&json!({ "deep": [{ "value": text }] }));
        found.read.into_iter().map(|reference| (reference.node, reference.which, reference.path.join("/"))).collect()
    }

    #[test]
    fn fields_and_nodes_are_told_from_the_text() {
        let of = |node: Option<&str>, which, path: &str| vec![(node.map(str::to_owned), which, path.to_owned())];
        let (paired, first, last, all) = (WhichItem::Paired, WhichItem::First, WhichItem::Last, WhichItem::All);
        for (text, wanted) in [
            ("={{ $json.a.b }}", of(None, paired, "a/b")),
            ("={{ $json['a b'][0]?.c.toUpperCase() }}", of(None, paired, "a b/0/c")),
            ("={{ $json }}", of(None, paired, "")),
            ("={{ $input.item.json.a }}", of(None, paired, "a")),
            ("={{ $input.first().json.a }}", of(None, first, "a")),
            ("={{ $input.all().length }}", of(None, all, "")),
            ("={{ $('Get it').item.json.a }}", of(Some("Get it"), paired, "a")),
            ("={{ $(\"It\\\"s\").last().json.a }}", of(Some("It\"s"), last, "a")),
            ("={{ $node[\"Get\"].json[\"a\"] }}", of(Some("Get"), paired, "a")),
            ("={{ $node.Get.json.a }}", of(Some("Get"), paired, "a")),
            ("={{ $items('Get', 0, 1)[0].json.a }}", of(Some("Get"), all, "")),
            ("return $('Get').all()", of(Some("Get"), all, "")),
            ("plain text for $5", vec![]),
            ("={{ $now }}", vec![]),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_computed_is_no_guess_and_variables_are_noticed() {
        for open in ["={{ $(name).item.json.a }}", "={{ $node[name].json.a }}", "={{ $(`Get ${n}`).item }}"] {
            assert!(References::of(&json!(open)).is_open, "{open}");
        }
        let found = References::of(&json!(["={{ $vars.rate * $json.total }}", "={{ $('A').item.json.x }}"]));
        assert!(found.reads_vars && !found.is_open);
        assert_eq!(found.nodes().into_iter().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn any_text_is_read_without_breaking_down() {
        for text in
            ["$", "$(", "$('", "$node[", "$json[", "$json.", "$node.", "$input.", "$json['a", "$é('ü", "$($('A'))"]
        {
            let _ = References::of(&json!(text));
        }
    }
}
