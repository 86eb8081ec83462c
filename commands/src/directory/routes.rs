//! The addresses of webhooks, and which one a request means.
//!
//! Invariant: an address and method belong to one webhook alone. Of several that want them, the one that was active first
//! has them, so that it is the same in every process.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::ids::{TenantId, WorkflowId};

use super::entry::{TestListening, TriggerKind, TriggerNode, WorkflowEntry, WorkflowFacts};

/// Longest path of a webhook, in bytes.
pub const PATH_BYTES_MAX: usize = 2_048;
/// Most parts of a path.
const SEGMENTS_MAX: usize = 64;
/// Most methods of one webhook.
const METHODS_MAX: usize = 16;

/// Where a webhook listens, as its node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAddress {
    /// Its methods, in the order of the node's outputs.
    pub methods: Vec<String>,
    /// Whether the node has an output for each method.
    pub splits_methods: bool,
    /// Its path, without slashes at the ends.
    pub path: String,
    /// Paths at which it is reached: the second, where there is one, only as long as nobody else has it.
    patterns: Vec<Vec<Segment>>,
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    /// Exactly this text.
    Text(String),
    /// Any text, under this name.
    Parameter(String),
}

impl WebhookAddress {
    /// The address of a webhook node, or of the node of a form or a chat.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence for its author.
    pub fn of(node: &TriggerNode) -> Result<Self, String> {
        if node.is_chat() {
            return Self::of_chat(node);
        }
        let is_form = node.kind == TriggerKind::Form;
        let (methods, splits_methods) = if is_form { (form_methods(), false) } else { methods(&node.parameters)? };
        let webhook_id = node.webhook_id.as_deref().filter(|id| !id.is_empty());
        let own = node.parameters.get("path").filter(|path| **path != "");
        // Newer versions of the form have it among the options.
        let in_options = || node.parameters.pointer("/options/path").filter(|_| is_form);
        let path = match own.or_else(in_options) {
            None | Some(Value::Null) => "",
            Some(Value::String(path)) if path.starts_with('=') => {
                return Err("its path is an expression: write it out, a path must be known before a call".to_owned());
            }
            Some(Value::String(path)) => path.trim_matches('/'),
            Some(_) => return Err("its path is no text".to_owned()),
        };
        let path = if path.is_empty() { webhook_id.unwrap_or_default() } else { path };
        if path.is_empty() {
            return Err("it has no path: give it one".to_owned());
        }
        let segments = segments(path)?;
        let is_dynamic = segments.iter().any(|segment| matches!(segment, Segment::Parameter(_)));
        if is_form && is_dynamic {
            return Err("the path of a form has no named parts: write it out".to_owned());
        }
        let patterns = match webhook_id.filter(|_| is_dynamic) {
            Some(id) => {
                let prefixed = std::iter::once(Segment::Text(id.to_owned())).chain(segments.iter().cloned()).collect();
                vec![prefixed, segments]
            }
            None => vec![segments],
        };
        Ok(Self { methods, splits_methods, path: path.to_owned(), patterns })
    }

    /// A chat is known by its id alone, as the clients that talk to it expect.
    fn of_chat(node: &TriggerNode) -> Result<Self, String> {
        let id = node.webhook_id.as_deref().unwrap_or_default().trim_matches('/');
        if id.is_empty() {
            return Err("it has no webhookId, which is the name in its address: give the node one".to_owned());
        }
        let path = format!("{id}/chat");
        let segments = segments(&path)?;
        if segments.iter().any(|segment| matches!(segment, Segment::Parameter(_))) {
            return Err("its webhookId has a part that begins with ':': give it another".to_owned());
        }
        Ok(Self { methods: vec!["POST".to_owned()], splits_methods: false, path, patterns: vec![segments] })
    }

    /// The path at which it is always reached: behind its id where parts of it are named.
    pub fn proper_path(&self) -> String {
        let parts = self.patterns.first().into_iter().flatten().map(|segment| match segment {
            Segment::Text(text) => text.clone(),
            Segment::Parameter(name) => format!(":{name}"),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// A method under which both are reached at the same path.
    pub(crate) fn shared(&self, other: &Self) -> Option<&str> {
        let (own, others) = (self.patterns.first()?, other.patterns.first()?);
        let same_paths = nameless(own) == nameless(others);
        let shared = self.methods.iter().find(|method| same_paths && other.methods.contains(method));
        shared.map(String::as_str)
    }
}

/// The methods by which a form is shown and sent.
fn form_methods() -> Vec<String> {
    vec!["GET".to_owned(), "POST".to_owned()]
}

fn methods(parameters: &Value) -> Result<(Vec<String>, bool), String> {
    let method = |value: &Value| match value.as_str() {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            Ok(text.to_ascii_uppercase())
        }
        _ => Err("its method is not a word such as GET or POST".to_owned()),
    };
    match parameters.get("httpMethod") {
        None | Some(Value::Null) => Ok((vec!["GET".to_owned()], false)),
        Some(Value::Array(listed)) => {
            let methods: Vec<String> = listed.iter().map(method).collect::<Result<_, _>>()?;
            if methods.is_empty() || methods.len() > METHODS_MAX {
                return Err(format!("it has {} methods: 1 to {METHODS_MAX} are allowed", methods.len()));
            }
            Ok((methods, true))
        }
        Some(one) => Ok((vec![method(one)?], false)),
    }
}

fn segments(path: &str) -> Result<Vec<Segment>, String> {
    if path.len() > PATH_BYTES_MAX {
        return Err(format!("its path has {} bytes, at most {PATH_BYTES_MAX} are allowed", path.len()));
    }
    let segments: Vec<Segment> = path
        .split('/')
        .map(|part| match part.strip_prefix(':').filter(|name| !name.is_empty()) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Text(part.to_owned()),
        })
        .collect();
    if segments.len() > SEGMENTS_MAX {
        return Err(format!("its path has {} parts, at most {SEGMENTS_MAX} are allowed", segments.len()));
    }
    Ok(segments)
}

/// A webhook that takes calls.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its workflow, as it was when the route was made.
    pub workflow: Arc<WorkflowEntry>,
    /// The published version; `None` for a draft.
    pub version: Option<u32>,
    /// How long the draft listens; `None` for a published version.
    pub listening: Option<TestListening>,
    /// Its node.
    pub node: Arc<TriggerNode>,
    /// Where it listens.
    pub address: WebhookAddress,
}

/// What a request means.
#[derive(Debug)]
pub enum RouteMatch<'a> {
    /// This webhook, with the named parts of the path.
    Found(&'a Arc<Route>, Vec<(&'a str, String)>),
    /// The path is served for other methods alone.
    OtherMethods(Vec<&'a str>),
    /// Nothing is served there.
    Nothing,
}

/// All webhooks that take calls.
#[derive(Debug, Default)]
pub struct Routes {
    tenants: HashMap<TenantId, TenantRoutes>,
}

#[derive(Debug, Default)]
struct TenantRoutes {
    /// Paths without named parts.
    exact: HashMap<String, Vec<(String, Arc<Route>)>>,
    /// Paths with named parts, by how many parts they have.
    dynamic: HashMap<usize, Vec<Dynamic>>,
}

/// A tenant's path, whatever its parts are named, and a method.
type Place = (TenantId, Vec<Segment>, String);

#[derive(Debug)]
struct Dynamic {
    pattern: Vec<Segment>,
    method: String,
    route: Arc<Route>,
}

impl Routes {
    /// The webhooks or forms of active versions.
    pub(super) fn of_active<'a>(kind: TriggerKind, workflows: impl Iterator<Item = &'a Arc<WorkflowEntry>>) -> Self {
        let mut active: Vec<_> = workflows.filter_map(|entry| Some((entry, entry.active.as_ref()?))).collect();
        active.sort_by_key(|(_, active)| active.since);
        let candidates = active
            .into_iter()
            .flat_map(|(entry, active)| routes_of(kind, entry, &active.facts, (Some(active.version), None)))
            .collect();
        Self::of(candidates)
    }

    /// The webhooks or forms of drafts that listen.
    pub(super) fn of_listening<'a>(kind: TriggerKind, workflows: impl Iterator<Item = &'a Arc<WorkflowEntry>>) -> Self {
        let mut listening: Vec<_> = workflows.filter_map(|entry| Some((entry, entry.listening?))).collect();
        // Who said last that he listens is the one who waits for the call.
        listening.sort_by_key(|(entry, listening)| (std::cmp::Reverse(listening.until_ms), entry.id));
        let candidates = listening
            .into_iter()
            .flat_map(|(entry, listening)| routes_of(kind, entry, &entry.draft, (None, Some(listening))))
            .collect();
        Self::of(candidates)
    }

    fn of(candidates: Vec<Arc<Route>>) -> Self {
        let mut routes = Self::default();
        for route in &candidates {
            if let Some(pattern) = route.address.patterns.first() {
                routes.add(route, pattern);
            }
        }
        // An address beside the proper one is served where its owner is the only one who wants it.
        let mut beside: HashMap<Place, Vec<&Arc<Route>>> = HashMap::new();
        for route in &candidates {
            for (pattern, method) in route
                .address
                .patterns
                .iter()
                .skip(1)
                .flat_map(|pattern| route.address.methods.iter().map(move |method| (pattern, method)))
            {
                let key = (route.workflow.tenant, nameless(pattern), method.clone());
                beside.entry(key).or_default().push(route);
            }
        }
        for ((tenant, _, method), owners) in beside {
            if let [route] = owners.as_slice()
                && let Some(pattern) = route.address.patterns.get(1)
            {
                routes.tenants.entry(tenant).or_default().add(route, pattern, &method);
            }
        }
        routes
    }

    fn add(&mut self, route: &Arc<Route>, pattern: &[Segment]) {
        let tenant = self.tenants.entry(route.workflow.tenant).or_default();
        for method in &route.address.methods {
            tenant.add(route, pattern, method);
        }
    }

    /// Which webhook a request means. `path` has no slashes at its ends and is decoded.
    pub fn find<'a>(&'a self, tenant: TenantId, method: &str, path: &str) -> RouteMatch<'a> {
        let Some(routes) = self.tenants.get(&tenant) else { return RouteMatch::Nothing };
        if let Some(found) =
            routes.exact.get(path).and_then(|methods| methods.iter().find(|(known, _)| known == method))
        {
            return RouteMatch::Found(&found.1, Vec::new());
        }
        let parts: Vec<&str> = path.split('/').collect();
        let fitting = || {
            let dynamic = routes.dynamic.get(&parts.len()).into_iter().flatten();
            dynamic.filter(|candidate| fits(&candidate.pattern, &parts))
        };
        // The more of the path is written out, the closer it is meant.
        let closest = fitting()
            .filter(|candidate| candidate.method == method)
            .max_by_key(|candidate| literal_parts(&candidate.pattern));
        if let Some(found) = closest {
            return RouteMatch::Found(&found.route, named_parts(&found.pattern, &parts));
        }
        let exact = routes.exact.get(path).into_iter().flatten().map(|(known, _)| known.as_str());
        let mut others: Vec<&str> = exact.chain(fitting().map(|candidate| candidate.method.as_str())).collect();
        others.sort_unstable();
        others.dedup();
        if others.is_empty() { RouteMatch::Nothing } else { RouteMatch::OtherMethods(others) }
    }

    /// The webhook, of another workflow than `own`, that has one of the addresses of `address`.
    pub fn holder(&self, tenant: TenantId, own: WorkflowId, address: &WebhookAddress) -> Option<(&Arc<Route>, String)> {
        let (routes, pattern) = (self.tenants.get(&tenant)?, address.patterns.first()?);
        let wanted = |method: &str| address.methods.iter().any(|candidate| candidate == method);
        let exact = text_of(pattern).and_then(|path| routes.exact.get(&path)).into_iter().flatten();
        let exact = exact.map(|(method, route)| (method, route));
        let dynamic = routes.dynamic.get(&pattern.len()).into_iter().flatten();
        let same = dynamic.filter(|candidate| nameless(&candidate.pattern) == nameless(pattern));
        exact
            .chain(same.map(|candidate| (&candidate.method, &candidate.route)))
            .filter(|(method, route)| wanted(method) && route.workflow.id != own)
            // What somebody has beside his proper address he gives up.
            .find(|(_, route)| {
                route.address.patterns.first().is_some_and(|proper| nameless(proper) == nameless(pattern))
            })
            .map(|(method, route)| (route, method.clone()))
    }
}

impl TenantRoutes {
    fn add(&mut self, route: &Arc<Route>, pattern: &[Segment], method: &str) {
        match text_of(pattern) {
            Some(path) => {
                let methods = self.exact.entry(path).or_default();
                if !methods.iter().any(|(known, _)| known == method) {
                    methods.push((method.to_owned(), Arc::clone(route)));
                }
            }
            None => {
                let same_length = self.dynamic.entry(pattern.len()).or_default();
                let taken = same_length
                    .iter()
                    .any(|known| known.method == method && nameless(&known.pattern) == nameless(pattern));
                if !taken {
                    let (pattern, route) = (pattern.to_vec(), Arc::clone(route));
                    same_length.push(Dynamic { pattern, method: method.to_owned(), route });
                }
            }
        }
    }
}

fn routes_of(
    kind: TriggerKind,
    workflow: &Arc<WorkflowEntry>,
    facts: &WorkflowFacts,
    (version, listening): (Option<u32>, Option<TestListening>),
) -> Vec<Arc<Route>> {
    let webhooks = facts.of_kind(kind);
    let route = |node: &Arc<TriggerNode>| {
        let address = WebhookAddress::of(node).ok()?;
        let (workflow, node) = (Arc::clone(workflow), Arc::clone(node));
        Some(Arc::new(Route { workflow, version, listening, node, address }))
    };
    webhooks.filter_map(route).collect()
}

/// The path, where no part of it is named.
fn text_of(pattern: &[Segment]) -> Option<String> {
    let parts: Option<Vec<&str>> = pattern
        .iter()
        .map(|segment| match segment {
            Segment::Text(text) => Some(text.as_str()),
            Segment::Parameter(_) => None,
        })
        .collect();
    parts.map(|parts| parts.join("/"))
}

/// The same whatever its parts are named: what decides whether two patterns mean the same paths.
fn nameless(pattern: &[Segment]) -> Vec<Segment> {
    pattern
        .iter()
        .map(|segment| match segment {
            Segment::Text(text) => Segment::Text(text.clone()),
            Segment::Parameter(_) => Segment::Parameter(String::new()),
        })
        .collect()
}

fn fits(pattern: &[Segment], parts: &[&str]) -> bool {
    pattern.len() == parts.len()
        && pattern.iter().zip(parts).all(|(segment, part)| match segment {
            Segment::Text(text) => text == part,
            Segment::Parameter(_) => !part.is_empty(),
        })
}

fn literal_parts(pattern: &[Segment]) -> usize {
    pattern.iter().filter(|segment| matches!(segment, Segment::Text(_))).count()
}

fn named_parts<'a>(pattern: &'a [Segment], parts: &[&str]) -> Vec<(&'a str, String)> {
    let named = pattern.iter().zip(parts).filter_map(|(segment, part)| match segment {
        Segment::Parameter(name) => Some((name.as_str(), (*part).to_owned())),
        Segment::Text(_) => None,
    });
    named.collect()
}
