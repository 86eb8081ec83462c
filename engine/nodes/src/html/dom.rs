//! A document in memory: what a browser would make of an HTML text, in one list of nodes.
//!
//! Never loads anything, never runs a script. A document has a largest depth, so that walking it cannot exhaust the stack.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{Attribute, LocalName, Namespace, ParseOpts, QualName, parse_document};
use timeloom_engine::node::NodeError;

/// Longest HTML text.
const HTML_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Deepest nesting of elements.
const DEPTH_MAX: usize = 256;

/// Elements that have no content and no end tag.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements whose text is not markup.
const RAW: &[&str] = &["script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext"];

/// Place of a node in its document.
pub(crate) type NodeId = usize;

/// A document.
pub(crate) struct Document {
    nodes: Vec<Node>,
}

struct Node {
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    kind: Kind,
}

/// What a node is.
enum Kind {
    Document,
    Doctype(String),
    Element { name: String, attributes: Vec<(String, String)>, full_name: QualName, template: Option<NodeId> },
    Text(String),
    Comment(String),
}

impl Document {
    /// What a browser makes of `html`.
    ///
    /// # Errors
    /// [`NodeError`] when it is too long or nested too deeply.
    pub fn parse(html: &str) -> Result<Self, NodeError> {
        if html.len() > HTML_BYTES_MAX {
            return Err(NodeError::operation(format!("the HTML has more than {HTML_BYTES_MAX} bytes")));
        }
        let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
        let options = ParseOpts { tree_builder, ..ParseOpts::default() };
        let document = parse_document(Sink::default(), options).one(StrTendril::from_slice(html));
        document.check_depth()?;
        Ok(document)
    }

    /// The document itself, above its root element.
    pub const ROOT: NodeId = 0;

    fn check_depth(&self) -> Result<(), NodeError> {
        let mut open = vec![(Self::ROOT, 0)];
        while let Some((id, depth)) = open.pop() {
            if depth > DEPTH_MAX {
                return Err(NodeError::operation(format!("the HTML is nested more than {DEPTH_MAX} elements deep")));
            }
            open.extend(self.children(id).iter().map(|child| (*child, depth + 1)));
        }
        Ok(())
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// How many nodes there are, those that were moved out of the tree included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The children of a node.
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        self.node(id).map(|node| node.children.as_slice()).unwrap_or_default()
    }

    /// The node above; `None` for the document itself and for what is not in the tree.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id)?.parent
    }

    /// The element's name in lower case; `None` when the node is no element.
    pub fn name(&self, id: NodeId) -> Option<&str> {
        match &self.node(id)?.kind {
            Kind::Element { name, .. } => Some(name),
            _ => None,
        }
    }

    /// An attribute of an element.
    pub fn attribute(&self, id: NodeId, wanted: &str) -> Option<&str> {
        match &self.node(id)?.kind {
            Kind::Element { attributes, .. } => {
                attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }

    /// The text of a text node.
    pub fn text_node(&self, id: NodeId) -> Option<&str> {
        match &self.node(id)?.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a node and of all below it.
    pub fn text(&self, id: NodeId) -> String {
        let mut text = String::new();
        self.add_text(id, &mut text);
        text
    }

    fn add_text(&self, id: NodeId, text: &mut String) {
        if let Some(part) = self.text_node(id) {
            text.push_str(part);
        }
        for child in self.children(id) {
            self.add_text(*child, text);
        }
    }

    /// The body element; the document itself where there is none.
    pub fn body(&self) -> NodeId {
        let html = self.children(Self::ROOT).iter().find(|id| self.name(**id) == Some("html"));
        let body = html.and_then(|html| self.children(*html).iter().find(|id| self.name(**id) == Some("body")));
        body.copied().unwrap_or(Self::ROOT)
    }

    /// The markup of what is inside a node.
    pub fn inner_html(&self, id: NodeId) -> String {
        let mut html = String::new();
        for child in self.children(id) {
            self.write(*child, &mut html);
        }
        html
    }

    fn write(&self, id: NodeId, html: &mut String) {
        let Some(node) = self.node(id) else { return };
        match &node.kind {
            Kind::Document => {}
            Kind::Doctype(name) => html.push_str(&format!("<!DOCTYPE {name}>")),
            Kind::Comment(text) => html.push_str(&format!("<!--{text}-->")),
            Kind::Text(text) => {
                let parent = node.parent.and_then(|parent| self.name(parent));
                let raw = parent.is_some_and(|name| RAW.contains(&name));
                html.push_str(&if raw { Cow::Borrowed(text.as_str()) } else { escaped(text, false) });
            }
            Kind::Element { name, attributes, template, .. } => {
                html.push('<');
                html.push_str(name);
                for (name, value) in attributes {
                    html.push_str(&format!(" {name}=\"{}\"", escaped(value, true)));
                }
                html.push('>');
                if VOID.contains(&name.as_str()) {
                    return;
                }
                for child in template.map_or(node.children.as_slice(), |contents| self.children(contents)) {
                    self.write(*child, html);
                }
                html.push_str(&format!("</{name}>"));
            }
        }
    }
}

fn escaped(text: &str, attribute: bool) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\u{a0}']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('&', "&amp;").replace('\u{a0}', "&nbsp;");
    Cow::Owned(if attribute { text.replace('"', "&quot;") } else { text.replace('<', "&lt;").replace('>', "&gt;") })
}

/// Takes the tree that the parser builds.
struct Sink {
    nodes: RefCell<Vec<Node>>,
}

impl Default for Sink {
    fn default() -> Self {
        Self { nodes: RefCell::new(vec![Node { parent: None, children: Vec::new(), kind: Kind::Document }]) }
    }
}

/// An element's name, apart from the tree that may change meanwhile.
#[derive(Debug)]
struct Name(QualName);

impl ElemName for Name {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl Sink {
    fn add(&self, kind: Kind) -> NodeId {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { parent: None, children: Vec::new(), kind });
        nodes.len() - 1
    }

    /// Puts a child at `place` among the children of `parent`; text joins the text before it.
    fn insert(&self, parent: NodeId, place: usize, child: NodeOrText<NodeId>) {
        let child = match child {
            NodeOrText::AppendNode(child) => {
                let old = self.nodes.borrow().get(child).and_then(|node| node.parent);
                if old.is_some() {
                    self.remove_from_parent(&child);
                }
                child
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.nodes.borrow_mut();
                let before = place.checked_sub(1).and_then(|place| nodes.get(parent)?.children.get(place).copied());
                if let Some(Kind::Text(known)) = before.and_then(|id| nodes.get_mut(id)).map(|node| &mut node.kind) {
                    known.push_str(&text);
                    return;
                }
                drop(nodes);
                self.add(Kind::Text(text.to_string()))
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        if let Some(node) = nodes.get_mut(child) {
            node.parent = Some(parent);
        }
        if let Some(node) = nodes.get_mut(parent) {
            let place = place.min(node.children.len());
            node.children.insert(place, child);
        }
    }

    fn child_count(&self, id: NodeId) -> usize {
        self.nodes.borrow().get(id).map_or(0, |node| node.children.len())
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Document;
    type ElemName<'a> = Name;

    fn finish(self) -> Document {
        Document { nodes: self.nodes.into_inner() }
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        Document::ROOT
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Name {
        match self.nodes.borrow().get(*target).map(|node| &node.kind) {
            Some(Kind::Element { full_name, .. }) => Name(full_name.clone()),
            _ => Name(QualName::new(None, Namespace::default(), LocalName::default())),
        }
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        let template = flags.template.then(|| self.add(Kind::Document));
        let attributes = attributes.into_iter().map(written).collect();
        self.add(Kind::Element { name: name.local.to_string(), attributes, full_name: name, template })
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.add(Kind::Comment(text.to_string()))
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.add(Kind::Comment(format!("?{target} {data}")))
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.insert(*parent, self.child_count(*parent), child);
    }

    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        let has_parent = self.nodes.borrow().get(*element).is_some_and(|node| node.parent.is_some());
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, name: StrTendril, _public_id: StrTendril, _system_id: StrTendril) {
        let doctype = self.add(Kind::Doctype(name.to_string()));
        self.append(&Document::ROOT, NodeOrText::AppendNode(doctype));
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        match self.nodes.borrow().get(*target).map(|node| &node.kind) {
            Some(Kind::Element { template: Some(contents), .. }) => *contents,
            _ => *target,
        }
    }

    fn same_node(&self, left: &NodeId, right: &NodeId) -> bool {
        left == right
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &NodeId, new: NodeOrText<NodeId>) {
        let place = {
            let nodes = self.nodes.borrow();
            let parent = nodes.get(*sibling).and_then(|node| node.parent);
            parent.and_then(|parent| {
                let children = &nodes.get(parent)?.children;
                Some((parent, children.iter().position(|child| child == sibling)?))
            })
        };
        if let Some((parent, place)) = place {
            self.insert(parent, place, new);
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, new: Vec<Attribute>) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(Kind::Element { attributes, .. }) = nodes.get_mut(*target).map(|node| &mut node.kind) {
            for (name, value) in new.into_iter().map(written) {
                if attributes.iter().all(|(known, _)| *known != name) {
                    attributes.push((name, value));
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &NodeId) {
        let mut nodes = self.nodes.borrow_mut();
        let parent = nodes.get_mut(*target).and_then(|node| node.parent.take());
        if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent)) {
            parent.children.retain(|child| child != target);
        }
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let mut nodes = self.nodes.borrow_mut();
        let children = nodes.get_mut(*node).map(|node| std::mem::take(&mut node.children)).unwrap_or_default();
        for child in &children {
            if let Some(child) = nodes.get_mut(*child) {
                child.parent = Some(*new_parent);
            }
        }
        if let Some(parent) = nodes.get_mut(*new_parent) {
            parent.children.extend(children);
        }
    }
}

fn written(attribute: Attribute) -> (String, String) {
    (attribute.name.local.to_string(), attribute.value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_markup_is_read_as_a_browser_reads_it() {
        let html = "<p>One<p>Two <b>x<i>y</b>z</i><table>stray<tr><td>1</table>&amp;&eacute;";
        let document = Document::parse(html).unwrap();
        assert_eq!(
            document.inner_html(document.body()),
            "<p>One</p><p>Two <b>x<i>y</i></b><i>z</i>stray<table><tbody><tr><td>1</td></tr></tbody></table>&amp;\u{e9}</p>"
        );
    }

    #[test]
    fn scripts_and_attributes_keep_their_text() {
        let html = "<script>if (a < b) {}</script><a href=\"?x=1&amp;y=&quot;2&quot;\" hidden>&lt;</a><br>";
        let document = Document::parse(&format!("<!DOCTYPE html><body>{html}</body>")).unwrap();
        assert_eq!(document.inner_html(document.body()), html.replace("hidden", "hidden=\"\""));
        assert!(document.inner_html(Document::ROOT).starts_with("<!DOCTYPE html><html><head></head><body>"));
    }

    #[test]
    fn nesting_has_an_end() {
        let Err(error) = Document::parse(&"<div>".repeat(5_000)) else { panic!("not refused") };
        assert!(error.message.contains("nested more than 256"));
    }
}
