//! Nodes of services, as HTTP Requests: what a Slack or Notion node of a workflow file sends, told by a table.
//!
//! Never sends anything, never changes silently what is sent: what a request cannot carry is named, and where it could
//! not be the same there is no offer. Invariant: the replacement has the name, the place and the settings of the node.

mod compose;
mod further;
mod given;
mod parameters;
mod pattern;
mod shape;
mod table;

use serde_json::{Value, json};

use self::parameters::Parameters;
use self::pattern::Filling;
use self::shape::Shape;
use self::table::{ContentKind, CredentialRule, Generation, Operation, Parts};
use crate::definition::Node;
use crate::item::JsonObject;

pub(crate) use compose::encoded as encoded_segment;
pub use given::{SERVICE_BYTES_MAX, SERVICES_MAX, given_services, service_of, take_services};
pub use table::{Service, services};

/// The type that stands in for a service's own node, and the version of it that is made.
pub const REQUEST_TYPE: &str = "n8n-nodes-base.httpRequest";
/// The version of HTTP Request that is made.
pub const REQUEST_VERSION: f64 = 4.2;
/// Most requests that an HTTP Request sends for one item, pages apart.
pub const REQUESTS_MAX: usize = 8;

/// Stands in an address for the region of the credential, which is one of the type [`AWS_TYPE`].
const REGION: &str = "{region}";
/// What the hosts of AWS end with: no other is signed for, but those that a credential names.
pub const AWS_DOMAINS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"];
/// The credential that signs for AWS.
const AWS_TYPE: &str = "aws";

/// An HTTP Request that does what a node does, and what is to be known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Replacement {
    /// The HTTP Request.
    pub node: Node,
    /// What a person must still give: credentials.
    pub needs: Vec<String>,
    /// The node's parameters that it could not carry, by dotted path.
    pub dropped: Vec<String>,
    /// What is otherwise than with the node.
    pub differs: Vec<String>,
}

impl Service {
    /// The resources and operations that are offered, in the order of the table and each once.
    pub fn operations(&self) -> Vec<(&str, &str)> {
        let mut told = Vec::new();
        for operation in self.generations.iter().flat_map(|generation| &generation.operations) {
            let named = (operation.resource.as_str(), operation.operation.as_str());
            if !told.contains(&named) {
                told.push(named);
            }
        }
        told
    }

    /// The versions of the node that are known.
    pub fn versions(&self) -> Vec<f64> {
        self.generations.iter().flat_map(|generation| generation.versions.iter().copied()).collect()
    }

    /// The HTTP Request that does what this node does.
    ///
    /// # Errors
    /// Why there is none, in words for the person who owns the file.
    pub fn replace(&self, node: &Node) -> Result<Replacement, String> {
        let generation = self.generation(node)?;
        let (resource, operation) = named(node, generation)?;
        let mut candidates = generation
            .operations
            .iter()
            .filter(|candidate| candidate.resource == resource && candidate.operation == operation)
            .peekable();
        if candidates.peek().is_none() {
            return Err(format!("{} is not in the table", told(&resource, &operation)));
        }
        let mut against: Vec<&str> = Vec::new();
        for candidate in candidates {
            let defaults = [&candidate.defaults, &generation.defaults];
            let parameters = Parameters::new(&node.parameters, defaults, &generation.locators);
            let mut filling = Filling::new(parameters);
            if let Some(parameter) = filling.against(&candidate.when)? {
                if !against.contains(&parameter) {
                    against.push(parameter);
                }
            } else {
                filling.parameters.ignore(&["resource", "operation", "authentication"].map(str::to_owned));
                filling.parameters.ignore(&generation.ignored);
                return self.made(node, candidate, filling);
            }
        }
        let parameters = against.join("', '");
        Err(format!("{} is in the table for other values of '{parameters}' only", told(&resource, &operation)))
    }

    fn generation(&self, node: &Node) -> Result<&Generation, String> {
        for generation in self.generations.iter().filter(|known| known.versions.contains(&node.type_version)) {
            let parameters = Parameters::new(&node.parameters, [&generation.defaults; 2], &generation.locators);
            if Filling::new(parameters).holds(&generation.when)? {
                return Ok(generation);
            }
        }
        Err(format!("version {} of its node is not known", node.type_version))
    }

    fn made(&self, node: &Node, operation: &Operation, mut filling: Filling<'_>) -> Result<Replacement, String> {
        let rule = self.credential_rule(node, &mut filling)?;
        if !operation.each.is_empty() {
            if filling.count(&operation.each)? == 0 {
                return Err(format!("the list '{}' is empty", operation.each));
            }
            filling.turn_to(&operation.each, 0);
        }
        let mut request = JsonObject::new();
        request.insert("method".to_owned(), operation.method.clone().into());
        let mut sent = Sent::default();
        let paths = operation.further.iter().map(|next| &next.path).chain([&operation.path]);
        if self.begins_in_credential() && paths.into_iter().any(|path| path.starts_with('/')) {
            sent.options.insert("baseUrl".to_owned(), self.base_url.as_str().into());
        }
        request.insert("url".to_owned(), filling.address(&self.address_of(&operation.path))?.into());
        sent.add(&mut filling, &operation.send)?;
        let mut shape = Shape::new(&self.scripts);
        shape.add(&mut filling, &operation.answer, operation.pages.as_ref())?;
        let mut differs = operation.differs.clone();
        for addition in &operation.also {
            let is_of_version = addition.versions.is_empty() || addition.versions.contains(&node.type_version);
            if is_of_version && filling.holds(&addition.when)? {
                sent.add(&mut filling, &addition.send)?;
                shape.add(&mut filling, &addition.answer, addition.pages.as_ref())?;
                differs.extend(addition.differs.iter().cloned());
            }
        }
        shape.write(&mut sent.options);
        let further = further::further(&mut filling, self, operation)?;
        if !further.is_empty() {
            sent.options.insert("further".to_owned(), json!({"requests": further}));
        }
        sent.write(operation, &mut request)?;
        filling.parameters.ignore(&operation.ignored);
        let (needs, credentials) = self.credential(node, rule, &mut request);
        let made = Node {
            node_type: REQUEST_TYPE.to_owned(),
            type_version: REQUEST_VERSION,
            parameters: Value::Object(request),
            credentials,
            webhook_id: None,
            ..node.clone()
        };
        Ok(Replacement { node: made, needs, dropped: filling.parameters.unread(), differs })
    }

    /// Whether the credential says where requests begin. A region alone is filled in by who signs.
    fn begins_in_credential(&self) -> bool {
        names_fields(&self.base_url) && !self.base_url.contains(REGION)
    }

    /// The address of a path; the path alone where the credential says where requests begin.
    fn address_of(&self, path: &str) -> String {
        let base = if path.starts_with('/') && !self.begins_in_credential() { self.base_url.as_str() } else { "" };
        format!("{base}{path}")
    }

    fn credential_rule(&self, node: &Node, filling: &mut Filling<'_>) -> Result<&CredentialRule, String> {
        for rule in &self.credentials {
            let is_of_version = rule.versions.is_empty() || rule.versions.contains(&node.type_version);
            if is_of_version && filling.holds(&rule.when)? {
                return Ok(rule);
            }
        }
        Err("no HTTP Request can sign as the node's credential does".to_owned())
    }

    /// What the person must give, and how the request names it: by the name that the node's own has.
    fn credential(&self, node: &Node, rule: &CredentialRule, request: &mut JsonObject) -> (Vec<String>, Option<Value>) {
        let own = node.credentials.as_ref().and_then(|credentials| credentials.get(&rule.from));
        let name = own.and_then(|own| own.get("name")).and_then(Value::as_str).unwrap_or(&self.service);
        if rule.kind.is_empty() {
            request.insert("authentication".to_owned(), "none".into());
            return (Vec::new(), None);
        }
        let kind = rule.kind.clone();
        let needs = format!("save a credential of type '{kind}' with the name '{name}': {}", rule.give);
        let reference = match own {
            Some(own) if rule.is_predefined() => own.clone(),
            _ => json!({"name": name}),
        };
        let (how, place) = match rule.is_predefined() {
            true => ("predefinedCredentialType", "nodeCredentialType"),
            false => ("genericCredentialType", "genericAuthType"),
        };
        request.insert("authentication".to_owned(), how.into());
        request.insert(place.to_owned(), kind.clone().into());
        (vec![needs], Some(Value::Object(JsonObject::from_iter([(kind, reference)]))))
    }
}

/// Whether an address names fields of a credential.
fn names_fields(base_url: &str) -> bool {
    base_url.contains('{')
}

/// The resource and operation of a node.
fn named(node: &Node, generation: &Generation) -> Result<(String, String), String> {
    let nothing = JsonObject::new();
    let mut parameters = Parameters::new(&node.parameters, [&nothing, &generation.defaults], &[]);
    let mut word = |name: &str| match parameters.get(name)? {
        Some(Value::String(text)) if text.starts_with('=') => {
            Err(format!("the parameter '{name}' is an expression and decides what is sent"))
        }
        Some(Value::String(text)) => Ok(text),
        _ => Ok(String::new()),
    };
    let resource = word("resource")?;
    let written = word("operation")?;
    // Which operation is meant when a file does not say depends on the resource.
    let operation = match written.is_empty() {
        true => word(&format!("operation of {resource}"))?,
        false => written,
    };
    Ok((resource, operation))
}

fn told(resource: &str, operation: &str) -> String {
    match resource {
        "" => format!("the operation '{operation}'"),
        resource => format!("the operation '{operation}' of '{resource}'"),
    }
}

/// What goes into a request, gathered part by part.
#[derive(Default)]
struct Sent {
    query: JsonObject,
    headers: JsonObject,
    body: Option<Value>,
    options: JsonObject,
}

impl Sent {
    fn add(&mut self, filling: &mut Filling<'_>, parts: &Parts) -> Result<(), String> {
        self.query.extend(fields(filling, &parts.query)?);
        self.headers.extend(fields(filling, &parts.headers)?);
        self.options.extend(filling.object(&parts.options)?);
        if parts.body.is_null() {
            return Ok(());
        }
        let made = filling.value(&parts.body)?;
        self.body = match (self.body.take(), made) {
            (Some(Value::Object(mut body)), Some(Value::Object(more))) => {
                body.extend(more);
                Some(Value::Object(body))
            }
            (body, None) => body,
            (_, made) => made,
        };
        Ok(())
    }

    fn write(self, operation: &Operation, request: &mut JsonObject) -> Result<(), String> {
        let pairs = |fields: JsonObject| -> Value {
            let pair = |(name, value)| json!({"name": name, "value": value});
            json!({"parameters": fields.into_iter().map(pair).collect::<Vec<Value>>()})
        };
        let mut put = |name: &str, value: Value| request.insert(name.to_owned(), value);
        if !self.query.is_empty() {
            put("sendQuery", true.into());
            put("queryParameters", pairs(self.query));
        }
        if !self.headers.is_empty() {
            put("sendHeaders", true.into());
            put("headerParameters", pairs(self.headers));
        }
        if let Some(body) = self.body {
            put("sendBody", true.into());
            match (operation.content, body) {
                (ContentKind::Json, body) => {
                    put("specifyBody", "json".into());
                    put("jsonBody", body);
                }
                (ContentKind::Form, Value::Object(fields)) => {
                    put("contentType", "form-urlencoded".into());
                    put("bodyParameters", pairs(fields));
                }
                (ContentKind::Multipart, Value::Object(fields)) => {
                    put("contentType", "multipart-form-data".into());
                    put("bodyParameters", json!({"parameters": form_parts(fields)}));
                }
                (ContentKind::Raw, body) => {
                    put("contentType", "raw".into());
                    put("rawContentType", operation.media_type.clone().into());
                    put("body", body);
                }
                (ContentKind::Binary, name) => {
                    put("contentType", "binaryData".into());
                    put("inputDataFieldName", name);
                }
                (ContentKind::Form | ContentKind::Multipart, _) => return Err("the body has no fields".to_owned()),
            }
        }
        put("options", Value::Object(self.options));
        Ok(())
    }
}

/// The fields of a query or headers, which may be made element by element as those of a body are.
fn fields(filling: &mut Filling<'_>, pattern: &JsonObject) -> Result<JsonObject, String> {
    match filling.value(&Value::Object(pattern.clone()))? {
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err("the table gives no names for what is sent".to_owned()),
        None => Ok(JsonObject::new()),
    }
}

/// The parts of a form: an object with `attachment` names an attachment of the item.
fn form_parts(fields: JsonObject) -> Vec<Value> {
    let part = |(name, value): (String, Value)| match value.get("attachment") {
        Some(source) => json!({"parameterType": "formBinaryData", "name": name, "inputDataFieldName": source}),
        None => json!({"parameterType": "formData", "name": name, "value": value}),
    };
    fields.into_iter().map(part).collect()
}
