//! Services that the operator describes: more files like those of the table, read when the program starts.
//!
//! Never replaces anything while it runs. Invariant: what was taken holds what the program relies on.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::pattern::{VERBS, is_verb};
use super::table::{ContentKind, Further, Generation, Operation, Pages, Service, services};
use super::{AWS_DOMAINS, AWS_TYPE, REGION, REQUESTS_MAX, names_fields};
use crate::credential::AddressPattern;
use crate::definition::Node;
use crate::item::JsonObject;

/// Most bytes of the file of a service.
pub const SERVICE_BYTES_MAX: usize = 1 << 20;
/// Most services that an operator describes.
pub const SERVICES_MAX: usize = 500;

/// Methods of requests.
const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

static GIVEN: OnceLock<Vec<Service>> = OnceLock::new();

/// The services that the operator describes; they come before those of the table.
pub fn given_services() -> &'static [Service] {
    GIVEN.get().map_or(&[], Vec::as_slice)
}

/// Takes the services that the operator describes, once for this process.
///
/// # Errors
/// Which type is told of twice, that there are too many, or that services were taken before; nothing was taken then.
pub fn take_services(mut services: Vec<Service>) -> Result<(), String> {
    if services.len() > SERVICES_MAX {
        return Err(format!("there are {} services, at most {SERVICES_MAX} are taken", services.len()));
    }
    services.sort_by(|left, right| left.node_type.cmp(&right.node_type));
    let mut pairs = services.iter().zip(services.iter().skip(1));
    if let Some((one, other)) = pairs.find(|(one, other)| one.node_type == other.node_type) {
        return Err(format!("'{}' and '{}' both tell of '{}'", one.service, other.service, one.node_type));
    }
    GIVEN.set(services).map_err(|_| "services were taken before".to_owned())
}

/// The service whose node this is.
pub fn service_of(node: &Node) -> Option<&'static Service> {
    given_services().iter().chain(services()).find(|service| service.node_type == node.node_type)
}

impl Service {
    /// Reads a service as it is written down in JSON.
    ///
    /// # Errors
    /// What is wrong and where, in words for whoever wrote it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > SERVICE_BYTES_MAX {
            return Err(format!("it has {} bytes, at most {SERVICE_BYTES_MAX} are read", text.len()));
        }
        let written: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if let Some(verb) = unknown_verb(&written) {
            return Err(format!("the verb '{verb}' is not known: use one of {}", VERBS.join(", ")));
        }
        let service: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        service.check()?;
        Ok(service)
    }

    fn check(&self) -> Result<(), String> {
        for (field, text) in [("service", &self.service), ("node_type", &self.node_type)] {
            if text.trim().is_empty() {
                return Err(format!("'{field}' is empty"));
            }
        }
        self.check_base()?;
        if !is_address(&self.documentation) {
            return Err(format!("'documentation' is '{}': an address is needed", self.documentation));
        }
        if self.credentials.is_empty() {
            return Err("'credentials' is empty: say how requests are signed, with an empty 'kind' where they are not"
                .to_owned());
        }
        if self.generations.is_empty() {
            return Err("'generations' is empty: say what its node can do".to_owned());
        }
        for (name, script) in &self.scripts {
            closes(script).map_err(|problem| format!("'scripts.{name}': {problem}"))?;
        }
        self.generations.iter().enumerate().try_for_each(|(index, generation)| {
            generation.check(&self.scripts).map_err(|problem| format!("'generations[{index}]': {problem}"))
        })
    }

    /// The address at which requests begin, and the fields of credentials that it names.
    fn check_base(&self) -> Result<(), String> {
        let base_url = &self.base_url;
        let is_whole = is_address(base_url) || base_url.starts_with('{');
        if !is_whole || base_url.ends_with('/') {
            return Err(format!("'base_url' is '{base_url}': an address without a slash at its end is needed"));
        }
        if base_url.contains(REGION) {
            let rest = base_url.replacen(REGION, "", 1);
            let host = rest.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
            let is_of_aws = AWS_DOMAINS.iter().any(|domain| host.ends_with(domain)) && !names_fields(&rest);
            return match self.credentials.iter().all(|rule| rule.kind == AWS_TYPE) {
                true if is_of_aws => Ok(()),
                true => Err(format!(
                    "'base_url' is '{base_url}': with {REGION} it is one host of AWS, and names no other field"
                )),
                false => Err(format!(
                    "'base_url' has {REGION}, which the credential '{AWS_TYPE}' alone fills in: sign with that one"
                )),
            };
        }
        if !names_fields(base_url) {
            return Ok(());
        }
        let pattern = AddressPattern::read(base_url).map_err(|refusal| format!("'base_url': {refusal}"))?;
        self.credentials.iter().enumerate().try_for_each(|(index, rule)| match rule.kind.as_str() {
            "" => Err(format!("'credentials[{index}]' has no 'kind', and 'base_url' names fields of a credential")),
            kind => pattern.check(kind).map_err(|refusal| format!("'base_url': {refusal}")),
        })
    }
}

impl Generation {
    fn check(&self, scripts: &BTreeMap<String, String>) -> Result<(), String> {
        if self.versions.is_empty() {
            return Err("it is of no version".to_owned());
        }
        if self.operations.is_empty() {
            return Err("it has no operations".to_owned());
        }
        self.operations.iter().try_for_each(|operation| {
            let named = format!("the operation '{}' of '{}'", operation.operation, operation.resource);
            operation.check(scripts).map_err(|problem| format!("{named}: {problem}"))
        })
    }
}

impl Operation {
    fn check(&self, scripts: &BTreeMap<String, String>) -> Result<(), String> {
        check_target(&self.method, &self.path)?;
        self.check_further(scripts)?;
        let answers = self.also.iter().map(|addition| &addition.answer).chain([&self.answer]);
        let pages = self.also.iter().filter_map(|addition| addition.pages.as_ref()).chain(&self.pages);
        answers
            .map(|code| known(code, scripts))
            .chain(pages.map(|pages| pages.check(scripts)))
            .collect::<Result<(), String>>()?;
        match (self.content == ContentKind::Raw, self.media_type.is_empty()) {
            (true, true) => Err("a raw body needs its 'media_type'".to_owned()),
            (false, false) => Err("'media_type' is of raw bodies alone".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_further(&self, scripts: &BTreeMap<String, String>) -> Result<(), String> {
        if self.further.len() >= REQUESTS_MAX {
            return Err(format!(
                "'further' has {} requests: at most {} are taken",
                self.further.len(),
                REQUESTS_MAX - 1
            ));
        }
        if self.further.is_empty() && self.each.is_empty() {
            return Ok(());
        }
        if self.pages.is_some() || self.also.iter().any(|addition| addition.pages.is_some()) {
            return Err("'pages' is of operations with one request alone: leave out 'further' and 'each'".to_owned());
        }
        if !self.each.is_empty() && (self.content != ContentKind::Json || !self.also.is_empty()) {
            return Err("an operation with 'each' sends JSON and has no 'also'".to_owned());
        }
        self.further.iter().enumerate().try_for_each(|(index, next)| {
            next.check(scripts).map_err(|problem| format!("'further[{index}]': {problem}"))
        })
    }
}

impl Further {
    fn check(&self, scripts: &BTreeMap<String, String>) -> Result<(), String> {
        check_target(&self.method, &self.path)?;
        if !self.send.options.is_empty() {
            return Err("'options' are those of the first request: leave them out here".to_owned());
        }
        if self.until.is_empty() && (self.pause.is_some() || self.tries.is_some()) {
            return Err("'pause' and 'tries' are of requests with 'until' alone".to_owned());
        }
        let send =
            [&self.send.query, &self.send.headers].into_iter().flat_map(JsonObject::values).chain([&self.send.body]);
        names(&Value::from(self.path.as_str()), scripts)?;
        send.into_iter().try_for_each(|pattern| names(pattern, scripts))?;
        known(&self.until, scripts)
    }
}

/// Refuses a method that is not known, and what is no address.
fn check_target(method: &str, path: &str) -> Result<(), String> {
    if !METHODS.contains(&method) {
        return Err(format!("'method' is '{method}': use one of {}", METHODS.join(", ")));
    }
    // An address may be what a parameter says.
    let is_whole = is_address(path) || path.starts_with("@{+");
    if !is_whole && !path.starts_with('/') {
        return Err(format!("'path' is '{path}': it begins with '/', or is a whole address"));
    }
    Ok(())
}

impl Pages {
    fn check(&self, scripts: &BTreeMap<String, String>) -> Result<(), String> {
        let fields: Vec<&Value> =
            [&self.query, &self.headers, &self.body].into_iter().flat_map(JsonObject::values).collect();
        if self.more.is_empty() || fields.is_empty() {
            return Err("'pages' needs 'more', and what is otherwise on the next page".to_owned());
        }
        known(&self.more, scripts)?;
        fields.into_iter().try_for_each(|field| match field.as_str() {
            Some(code) => known(code, scripts),
            None => Err(format!("'pages' has {field}: JavaScript as a text is needed")),
        })
    }
}

/// Refuses JavaScript that names a script which is not there, or would end the expression in which it stands.
fn known(code: &str, scripts: &BTreeMap<String, String>) -> Result<(), String> {
    names(&Value::from(code), scripts)?;
    closes(code)
}

/// Refuses a pattern that names a script which is not there, at any depth.
fn names(pattern: &Value, scripts: &BTreeMap<String, String>) -> Result<(), String> {
    match pattern {
        Value::String(code) => {
            let mut names = code.split("#{").skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
            names
                .find(|name| !scripts.contains_key(*name))
                .map_or(Ok(()), |name| Err(format!("'{code}' names the script '{name}': write it into 'scripts'")))
        }
        Value::Array(elements) => elements.iter().try_for_each(|element| names(element, scripts)),
        Value::Object(fields) => fields.values().try_for_each(|field| names(field, scripts)),
        _ => Ok(()),
    }
}

/// Refuses JavaScript that would end the expression in which it stands.
fn closes(code: &str) -> Result<(), String> {
    if code.contains("}}") {
        return Err(format!("'{code}' holds two closing brackets together: put a space between them"));
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

/// A verb that no pattern knows, at any depth.
fn unknown_verb(value: &Value) -> Option<&str> {
    match value {
        Value::Array(elements) => elements.iter().find_map(unknown_verb),
        Value::Object(fields) => {
            let verbs = fields.keys().map(String::as_str).filter(|name| is_verb(name));
            let mut unknown = verbs.filter(|verb| !VERBS.contains(verb));
            unknown.next().or_else(|| fields.values().find_map(unknown_verb))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(change: impl FnOnce(&mut Value)) -> Result<Service, String> {
        let mut service = json!({
            "service": "Tickets", "node_type": "acme.tickets", "base_url": "https://tickets.example/api",
            "documentation": "https://tickets.example/docs",
            "credentials": [{"from": "acmeApi", "kind": "httpBearerAuth", "give": "the token as `token`"}],
            "generations": [{
                "versions": [1],
                "operations": [{
                    "resource": "ticket", "operation": "create", "method": "POST", "path": "/tickets",
                    "send": {"body": {"title": {"$needed": "@{title}"}}}
                }]
            }]
        });
        change(&mut service);
        Service::read(&service.to_string())
    }

    /// Sets what a pointer names, which need not be there.
    fn set(service: &mut Value, pointer: &str, value: Value) {
        let (above, name) = pointer.rsplit_once('/').unwrap();
        service.pointer_mut(above).unwrap()[name] = value;
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_place() {
        assert_eq!(written(|_| {}).unwrap().operations(), [("ticket", "create")]);
        for (pointer, value, part) in [
            ("/service", json!(""), "'service' is empty"),
            ("/base_url", json!("tickets.example"), "'base_url' is 'tickets.example'"),
            ("/base_url", json!("https://tickets.example/"), "without a slash"),
            ("/base_url", json!("https://sqs.{region}.amazonaws.com"), "the credential 'aws' alone fills in"),
            ("/base_url", json!("{url}.example/api"), "is no address that fields of a credential"),
            ("/base_url", json!("https://{apiKey}.tickets.example"), "the field 'apiKey' of credentials of type"),
            ("/base_url", json!("https://tickets.example/{database"), "names fields in single braces"),
            ("/credentials", json!([]), "'credentials' is empty"),
            ("/generations", json!([]), "'generations' is empty"),
            ("/generations/0/versions", json!([]), "'generations[0]': it is of no version"),
            ("/generations/0/operations/0/method", json!("FETCH"), "the operation 'create' of 'ticket': 'method'"),
            ("/generations/0/operations/0/path", json!("tickets"), "begins with '/'"),
            ("/generations/0/operations/0/send/body", json!({"$guess": "@{a}"}), "the verb '$guess' is not known"),
            ("/generations/0/operations/0/send", json!({"bodies": {}}), "unknown field `bodies`"),
            ("/generations/0/operations/0/answer", json!("({a: {b: 1}})"), "two closing brackets"),
            ("/generations/0/operations/0/answer", json!("#{bare}($response.body)"), "names the script 'bare'"),
            ("/scripts", json!({"bare": "() => ({a: {}})"}), "'scripts.bare'"),
            ("/generations/0/operations/0/pages", json!({"more": "true"}), "'pages' needs"),
            (
                "/generations/0/operations/0/pages",
                json!({"more": "true", "query": {"page": 2}}),
                "JavaScript as a text",
            ),
            (
                "/generations/0/operations/0/further",
                json!([{"method": "GET", "path": "/a"}, {"method": "GET", "path": "a"}]),
                "'further[1]': 'path' is 'a'",
            ),
            (
                "/generations/0/operations/0/further",
                json!([{"method": "GET", "path": "/a", "tries": 2}]),
                "with 'until'",
            ),
            (
                "/generations/0/operations/0/further",
                json!([{"method": "GET", "path": "/a", "send": {"body": {"a": {"$code": "#{made}()"}}}}]),
                "names the script 'made'",
            ),
            (
                "/generations/0/operations/0/further",
                json!([{"method": "GET", "path": "/a", "send": {"options": {"timeout": 1}}}]),
                "'options'",
            ),
            (
                "/generations/0/operations/0/further",
                json!(vec![json!({"method": "GET", "path": "/a"}); REQUESTS_MAX]),
                "at most 7 are taken",
            ),
        ] {
            let problem = written(|service| set(service, pointer, value)).unwrap_err();
            assert!(problem.contains(part), "{pointer}: {problem}");
        }
        for base_url in ["{url}/api", "https://{subdomain}.tickets.example/api"] {
            assert!(written(|service| set(service, "/base_url", json!(base_url))).is_ok(), "{base_url}");
            let unsigned = written(|service| {
                set(service, "/base_url", json!(base_url));
                set(service, "/credentials/0/kind", json!(""));
            });
            assert!(unsigned.unwrap_err().contains("'credentials[0]' has no 'kind'"));
        }
        let large = " ".repeat(SERVICE_BYTES_MAX + 1);
        assert!(Service::read(&large).unwrap_err().contains("at most"));
        assert!(Service::read("[").unwrap_err().contains("no JSON"));
    }

    #[test]
    fn an_operation_of_several_requests_turns_no_pages() {
        for (name, value) in [("further", json!([{"method": "GET", "path": "/a"}])), ("each", json!("labels"))] {
            let problem = written(|service| {
                let operation = &mut service["generations"][0]["operations"][0];
                operation[name] = value;
                operation["pages"] = json!({"more": "true", "query": {"page": "2"}});
            });
            assert!(problem.unwrap_err().contains("'pages' is of operations with one request"), "{name}");
        }
        let form = written(|service| {
            let operation = &mut service["generations"][0]["operations"][0];
            operation["each"] = json!("labels");
            operation["content"] = json!("form");
        });
        assert!(form.unwrap_err().contains("'each' sends JSON"));
    }

    #[test]
    fn two_files_of_one_type_are_refused_and_nothing_is_taken() {
        let two = vec![written(|_| {}).unwrap(), written(|service| service["service"] = "Desk".into()).unwrap()];
        assert_eq!(take_services(two), Err("'Tickets' and 'Desk' both tell of 'acme.tickets'".to_owned()));
        assert!(given_services().is_empty());
    }
}
