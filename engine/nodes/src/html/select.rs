//! CSS selectors: which elements of a document an author means.
//!
//! The selectors of style sheets, and the positions that jQuery made popular (`:first`, `:eq(2)`). A selector is worked
//! through from left to right, each step one walk over the document, so that its cost is known and has an end.

use std::cell::Cell;

use timeloom_engine::node::NodeError;

use super::dom::{Document, NodeId};
use super::selector::{Attribute, Combinator, Compound, Formula, Match, Position, Pseudo, Selector, parse};

/// Most work of one selector: elements that are looked at, and bytes of text that are searched.
const WORK_MAX: usize = 500_000_000;

/// The elements that `selector` names, in the order of the document.
///
/// # Errors
/// [`NodeError`] when it cannot be read.
pub(crate) fn select(document: &Document, selector: &str) -> Result<Vec<NodeId>, NodeError> {
    if selector.trim().is_empty() {
        return Ok(Vec::new());
    }
    let selectors = parse(selector)?;
    let walk = Walk::new(document);
    let chosen = walk.any_of(&selectors);
    if walk.left.get() == 0 {
        return Err(NodeError::operation(format!(
            "the selector '{selector}' is too much work for so large a document"
        ))
        .described("take a smaller part of the document first, or ask for less"));
    }
    Ok(walk.order.iter().map(|place| place.id).filter(|id| chosen[*id]).collect())
}

/// The elements of a document in order, with what selectors ask of their places.
struct Walk<'d> {
    document: &'d Document,
    order: Vec<Place>,
    /// Work that may still be done.
    left: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Place {
    id: NodeId,
    parent: NodeId,
    /// Place among the elements beside it, counted from 1, and how many they are.
    nth: usize,
    of: usize,
    /// The same among those of its name.
    nth_of_type: usize,
    of_type: usize,
    /// The element before it.
    previous: Option<NodeId>,
}

impl<'d> Walk<'d> {
    fn new(document: &'d Document) -> Self {
        let mut walk = Self { document, order: Vec::new(), left: Cell::new(WORK_MAX) };
        walk.visit(Document::ROOT);
        walk
    }

    fn visit(&mut self, parent: NodeId) {
        let document = self.document;
        let elements: Vec<NodeId> =
            document.children(parent).iter().copied().filter(|id| document.name(*id).is_some()).collect();
        let mut counts = std::collections::HashMap::new();
        for id in &elements {
            *counts.entry(document.name(*id)).or_insert(0_usize) += 1;
        }
        let mut seen = std::collections::HashMap::new();
        let mut previous = None;
        for (index, id) in elements.iter().copied().enumerate() {
            let name = document.name(id);
            let nth_of_type: &mut usize = seen.entry(name).or_insert(0);
            *nth_of_type += 1;
            let of_type = counts.get(&name).copied().unwrap_or(1);
            let nth_of_type = *nth_of_type;
            let place = Place { id, parent, nth: index + 1, of: elements.len(), nth_of_type, of_type, previous };
            self.order.push(place);
            self.visit(id);
            previous = Some(id);
        }
    }

    /// Whether there is so much work left; it is done then.
    fn affords(&self, work: usize) -> bool {
        self.left.set(self.left.get().saturating_sub(work));
        self.left.get() > 0
    }

    fn none(&self) -> Vec<bool> {
        vec![false; self.document.len()]
    }

    fn any_of(&self, selectors: &[Selector]) -> Vec<bool> {
        let mut chosen = self.none();
        for selector in selectors {
            for (all, one) in chosen.iter_mut().zip(self.chosen(selector)) {
                *all |= one;
            }
        }
        chosen
    }

    fn chosen(&self, selector: &Selector) -> Vec<bool> {
        let mut current = self.none();
        current[Document::ROOT] = true;
        for (combinator, compound) in &selector.steps {
            current = self.step(&current, *combinator, compound);
        }
        current
    }

    /// The elements that `compound` names and that stand to the current ones as `combinator` says.
    fn step(&self, current: &[bool], combinator: Combinator, compound: &Compound) -> Vec<bool> {
        if !self.affords(self.order.len()) {
            return self.none();
        }
        let inner: Vec<Inner> = compound.pseudos.iter().map(|pseudo| self.inner(pseudo)).collect();
        let (mut below, mut after) = (self.none(), self.none());
        let mut next = self.none();
        for place in &self.order {
            below[place.id] = below[place.parent] || current[place.parent];
            after[place.id] = place.previous.is_some_and(|previous| after[previous] || current[previous]);
            let stands = match combinator {
                Combinator::Descendant => below[place.id],
                Combinator::Child => current[place.parent],
                Combinator::Next => place.previous.is_some_and(|previous| current[previous]),
                Combinator::Subsequent => after[place.id],
            };
            next[place.id] = stands && self.matches(place, compound, &inner);
        }
        for position in &compound.positions {
            self.keep(&mut next, *position);
        }
        next
    }

    fn keep(&self, chosen: &mut [bool], position: Position) {
        let found: Vec<NodeId> = self.order.iter().map(|place| place.id).filter(|id| chosen[*id]).collect();
        let count = found.len();
        let at = |index: i64| if index < 0 { index + count as i64 } else { index };
        for (index, id) in found.into_iter().enumerate() {
            let place = index as i64;
            chosen[id] = match position {
                Position::First => index == 0,
                Position::Last => index + 1 == count,
                Position::At(wanted) => place == at(wanted),
                Position::Before(wanted) => place < at(wanted),
                Position::After(wanted) => place > at(wanted),
                Position::Even => index % 2 == 0,
                Position::Odd => index % 2 == 1,
            };
        }
    }

    /// What the selectors inside a pseudo-class name, worked out once for the whole document.
    fn inner(&self, pseudo: &Pseudo) -> Inner {
        match pseudo {
            Pseudo::Not(selectors) | Pseudo::Is(selectors) => Inner::Set(self.any_of(selectors)),
            Pseudo::Has(child_only, selectors) => {
                let named = self.any_of(selectors);
                let mut above = self.none();
                // Backwards, children come before their parents.
                for place in self.order.iter().rev() {
                    if named[place.id] || (!child_only && above[place.id]) {
                        above[place.parent] = true;
                    }
                }
                Inner::Set(above)
            }
            _ => Inner::Nothing,
        }
    }

    fn matches(&self, place: &Place, compound: &Compound, inner: &[Inner]) -> bool {
        let id = place.id;
        let name = self.document.name(id).unwrap_or_default();
        compound.name.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
            && compound.attributes.iter().all(|attribute| self.has(id, attribute))
            && compound.pseudos.iter().zip(inner).all(|(pseudo, inner)| self.is(place, name, pseudo, inner))
    }

    fn has(&self, id: NodeId, wanted: &Attribute) -> bool {
        let Some(value) = self.document.attribute(id, &wanted.name) else { return wanted.kind == Match::Differs };
        let (mut value, mut expected) = (value.to_owned(), wanted.value.clone());
        if wanted.ignores_case {
            value = value.to_lowercase();
            expected = expected.to_lowercase();
        }
        let filled = !expected.is_empty();
        match wanted.kind {
            Match::Exists => true,
            Match::Equals => value == expected,
            Match::Differs => value != expected,
            Match::Word => filled && value.split_whitespace().any(|word| word == expected),
            Match::Language => value == expected || value.starts_with(&format!("{expected}-")),
            Match::Starts => filled && value.starts_with(&expected),
            Match::Ends => filled && value.ends_with(&expected),
            Match::Contains => filled && value.contains(&expected),
        }
    }

    fn is(&self, place: &Place, name: &str, pseudo: &Pseudo, inner: &Inner) -> bool {
        let document = self.document;
        let in_set = |inner: &Inner| matches!(inner, Inner::Set(set) if set[place.id]);
        let attribute = |wanted: &str| document.attribute(place.id, wanted);
        let input = |kind: &str| name == "input" && attribute("type").is_some_and(|own| own.eq_ignore_ascii_case(kind));
        match pseudo {
            Pseudo::Nth(formula) => formula.fits(place.nth),
            Pseudo::NthLast(formula) => formula.fits(place.of + 1 - place.nth),
            Pseudo::NthOfType(formula) => formula.fits(place.nth_of_type),
            Pseudo::NthLastOfType(formula) => formula.fits(place.of_type + 1 - place.nth_of_type),
            Pseudo::OnlyChild => place.of == 1,
            Pseudo::OnlyOfType => place.of_type == 1,
            Pseudo::Not(_) => !in_set(inner),
            Pseudo::Is(_) | Pseudo::Has(..) => in_set(inner),
            Pseudo::Contains(wanted) => {
                let affordable = self.affords(0);
                let text = if affordable { document.text(place.id) } else { String::new() };
                self.affords(text.len()) && text.contains(wanted.as_str())
            }
            Pseudo::Empty => {
                let filled = |id: &NodeId| document.name(*id).is_some() || document.text_node(*id).is_some();
                !document.children(place.id).iter().any(filled)
            }
            Pseudo::Parent => !document.children(place.id).is_empty(),
            Pseudo::Root => place.parent == Document::ROOT,
            Pseudo::Header => matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6"),
            Pseudo::Input => matches!(name, "input" | "textarea" | "select" | "button"),
            Pseudo::Button => name == "button" || input("button"),
            Pseudo::InputOf(kind) => input(kind),
            Pseudo::Checked => attribute("checked").is_some() || attribute("selected").is_some(),
            Pseudo::Disabled => attribute("disabled").is_some(),
            Pseudo::Enabled => attribute("disabled").is_none(),
            Pseudo::Link => matches!(name, "a" | "area") && attribute("href").is_some(),
        }
    }
}

/// What was worked out for a pseudo-class beforehand.
enum Inner {
    Nothing,
    Set(Vec<bool>),
}

impl Formula {
    /// Whether the place, counted from 1, is `step * n + offset` for some n that is not negative.
    fn fits(&self, place: usize) -> bool {
        let distance = i64::try_from(place).unwrap_or(i64::MAX) - self.offset;
        if self.step == 0 { distance == 0 } else { distance % self.step == 0 && distance / self.step >= 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<body><div id="top" class="a box"><h1>Title</h1><p class="a">One</p><p>Two <b>bold</b></p></div>
        <ul lang="en-GB"><li data-n="1">x</li><li data-n="12" class="A">y</li><li>z<ul><li>deep</li></ul></li></ul>
        <a href="https://one.example/a.pdf">pdf</a><a href="/b">b</a><input type="checkbox" checked></body>"#;

    fn texts(selector: &str) -> Vec<String> {
        let document = Document::parse(PAGE).unwrap();
        let found = select(&document, selector).unwrap();
        found.into_iter().map(|id| document.text(id)).collect()
    }

    #[test]
    fn selectors_name_what_style_sheets_name() {
        for (selector, expected) in [
            ("h1", vec!["Title"]),
            ("P.a", vec!["One"]),
            ("#top > p", vec!["One", "Two bold"]),
            ("div b", vec!["bold"]),
            ("h1 + p", vec!["One"]),
            ("h1 ~ p", vec!["One", "Two bold"]),
            ("p, h1", vec!["Title", "One", "Two bold"]),
            ("[data-n]", vec!["x", "y"]),
            ("[data-n='1']", vec!["x"]),
            ("li[data-n^=1]", vec!["x", "y"]),
            ("[data-n$=\"2\"]", vec!["y"]),
            ("a[href*=one]", vec!["pdf"]),
            ("[class~=box] h1", vec!["Title"]),
            ("[class=a i]", vec!["One", "y"]),
            ("ul[lang|=en] > li:first-child", vec!["x"]),
            ("body > ul > li:last-child", vec!["zdeep"]),
            ("body > ul > li:nth-child(odd)", vec!["x", "zdeep"]),
            ("body > ul > li:nth-child(-n+2)", vec!["x", "y"]),
            ("p:nth-of-type(2)", vec!["Two bold"]),
            ("li:only-child", vec!["deep"]),
            ("p:not(.a)", vec!["Two bold"]),
            ("p:not(.a, :has(b))", vec![]),
            ("div:has(> h1) > p.a", vec!["One"]),
            ("li:contains('y')", vec!["y"]),
            (":is(h1, b)", vec!["Title", "bold"]),
            ("li:first", vec!["x"]),
            ("li:eq(1)", vec!["y"]),
            ("li:eq(-1)", vec!["deep"]),
            ("ul:first li:gt(1)", vec!["zdeep", "deep"]),
            ("#top *:header", vec!["Title"]),
            ("input:checked", vec![""]),
            ("nothing", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(texts(selector), expected, "{selector}");
        }
    }

    #[test]
    fn work_has_an_end() {
        let document = Document::parse(&format!("{}{}", "<b>".repeat(200), "x".repeat(4_000_000))).unwrap();
        let error = select(&document, "*:contains('y')").unwrap_err();
        assert!(error.message.contains("too much work"), "{}", error.message);
        assert_eq!(select(&document, "b:first").unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let document = Document::parse(PAGE).unwrap();
        for selector in ["p >", "p[", "p:frobnicate", "p:nth-child(x)", "..a", "p:not(", "a,,b", "!"] {
            let error = select(&document, selector).unwrap_err();
            assert!(error.message.contains("selector"), "{selector}: {}", error.message);
        }
    }
}
