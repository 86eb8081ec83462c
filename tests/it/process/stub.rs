//! A server that answers recorded exchanges: each address of a recording is a port of this machine.
//!
//! Exchanges are answered in the order in which they were recorded, each once or as often as its `times` say; one that is
//! marked `persist` any number of times. Paths are the same where they are so decoded, and the fields of a form as texts.
//! What was not recorded is answered with status 599, so that no run passes by chance.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// The recorded exchanges, served.
pub(super) struct Stub {
    /// Origins of the recording, and those that stand for them here.
    origins: BTreeMap<String, String>,
}

/// Exchanges, and how often each was answered.
type Exchanges = Arc<Mutex<Vec<(Value, u64)>>>;

impl Stub {
    /// Serves `exchanges`, each on the port that stands for its origin.
    pub(super) fn serve(exchanges: &[Value]) -> Self {
        let listeners: BTreeMap<String, TcpListener> =
            exchanges.iter().map(|exchange| (origin(exchange), TcpListener::bind("127.0.0.1:0").unwrap())).collect();
        let here = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let origins = listeners.iter().map(|(origin, listener)| (origin.clone(), here(listener))).collect();
        let stub = Self { origins };
        for (origin, listener) in listeners {
            let mine: Vec<(Value, u64)> = exchanges
                .iter()
                .filter(|exchange| self::origin(exchange) == origin)
                .map(|exchange| (stub.localised(exchange), 0))
                .collect();
            let (mine, here) = (Arc::new(Mutex::new(mine)), here(&listener));
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let (mine, here) = (Arc::clone(&mine), here.clone());
                    std::thread::spawn(move || answer(stream, &mine, &here));
                }
            });
        }
        stub
    }

    /// The value with every origin of the recording replaced by the one that stands for it.
    pub(super) fn localised(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let replace = |text: String, (from, to): (&String, &String)| text.replace(from.as_str(), to);
                Value::String(self.origins.iter().rev().fold(text.clone(), replace))
            }
            Value::Array(parts) => parts.iter().map(|part| self.localised(part)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| (name.clone(), self.localised(field)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

fn origin(exchange: &Value) -> String {
    let base = Url::parse(exchange["base"].as_str().unwrap()).unwrap();
    base.origin().ascii_serialization()
}

/// A request as it came in.
struct Request {
    method: String,
    target: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut TcpStream, here: &str) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let mut lines = head.lines();
                let mut first = lines.next()?.split(' ');
                let (method, path) = (first.next()?.to_lowercase(), first.next()?);
                let headers: Vec<(String, String)> = lines
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                    .collect();
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
                if bytes.len() >= end + 4 + length {
                    let body = bytes[end + 4..end + 4 + length].to_vec();
                    return Some(Self { method, target: Url::parse(&format!("{here}{path}")).ok()?, headers, body });
                }
            }
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            }
        }
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, the fields of a form, or text.
    fn body_value(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if self.is_form() {
            return form_urlencoded::parse(&self.body)
                .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    fn is_form(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"))
    }

    fn query(&self) -> Vec<(String, String)> {
        pairs(&self.target)
    }

    /// The path that was recorded; of a pattern, the one that is asked for, where it is one of those.
    fn recorded_path(&self, recorded: &Value, base: &str) -> Option<String> {
        if let Some(path) = recorded.as_str() {
            return Some(path.to_owned());
        }
        let asked = self.target.path().strip_prefix(Url::parse(base).unwrap().path().trim_end_matches('/'))?;
        // Patterns here are text that ends with digits.
        let text = recorded["$regex"].as_str()?.strip_suffix("\\d+")?.replace("\\/", "/");
        let digits = asked.strip_prefix(text.as_str())?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| asked.to_owned())
    }

    fn fits(&self, exchange: &Value, here: &str) -> bool {
        let base = exchange["base"].as_str().unwrap().trim_end_matches('/');
        let Some(path) = self.recorded_path(&exchange["path"], base) else { return false };
        let address = Url::parse(&format!("{base}{path}")).unwrap();
        assert!(base.starts_with(here));
        let query = match &exchange["query"] {
            Value::Bool(true) => None,
            Value::Object(fields) => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let mut wanted: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
                wanted.extend(pairs(&address));
                Some(wanted)
            }
            Value::String(fields) => {
                let fields = form_urlencoded::parse(fields.as_bytes()).into_owned();
                Some(fields.chain(pairs(&address)).collect())
            }
            _ => Some(pairs(&address)),
        };
        let same_query = query.is_none_or(|mut wanted| {
            let mut own = self.query();
            wanted.sort();
            own.sort();
            wanted == own
        });
        // What differs between any two programs is not asked for.
        let usual = ["accept", "accept-encoding", "content-length", "host", "user-agent", "connection"];
        let headers = exchange["headers"].as_array().cloned().unwrap_or_default();
        let same_headers = headers.iter().all(|header| {
            let (name, value) = (header[0].as_str().unwrap_or_default().to_lowercase(), &header[1]);
            usual.contains(&name.as_str()) || value.as_str().is_none_or(|value| self.header(&name) == Some(value))
        });
        let same_body = match &exchange["body"] {
            Value::Null => true,
            // What the recording computed is not in it.
            Value::Object(fields) if fields.contains_key("$function") => true,
            Value::String(text) => {
                let wanted = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                self.body_value() == wanted
            }
            body if self.is_form() => texts(&nested(&self.body)) == texts(body),
            body => self.body_value() == *body,
        };
        exchange["method"].as_str().unwrap().to_lowercase() == self.method
            && segments(&address) == segments(&self.target)
            && same_query
            && same_headers
            && same_body
    }
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The segments of a path, decoded.
fn segments(url: &Url) -> Vec<String> {
    let decoded = |segment: &str| {
        let field = format!("segment={}", segment.replace('+', "%2B").replace('&', "%26"));
        form_urlencoded::parse(field.as_bytes()).map(|(_, value)| value.into_owned()).collect::<String>()
    };
    url.path().split('/').map(decoded).collect()
}

/// The fields of a form; one that is called `a[b]` is within `a`.
fn nested(form: &[u8]) -> Value {
    let mut made = json!({});
    for (name, value) in form_urlencoded::parse(form) {
        let parts = name.split(['[', ']']).filter(|part| !part.is_empty());
        let place = parts.fold(&mut made, |place, part| &mut place[part]);
        *place = value.into_owned().into();
    }
    made
}

/// The value with everything in it as text, which is all that a form knows.
fn texts(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), texts(field))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(parts) => parts.iter().map(texts).collect(),
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

fn answer(mut stream: TcpStream, exchanges: &Exchanges, here: &str) {
    let Some(request) = Request::read(&mut stream, here) else { return };
    let found = {
        let mut exchanges = exchanges.lock().unwrap();
        let is_left = |exchange: &Value, answered: u64| {
            exchange["persist"] == true || answered < exchange["times"].as_u64().unwrap_or(1)
        };
        let fits = |(exchange, answered): &(Value, u64)| is_left(exchange, *answered) && request.fits(exchange, here);
        let place = exchanges.iter().position(fits);
        place.map(|place| {
            let (exchange, answered) = &mut exchanges[place];
            *answered += 1;
            exchange.clone()
        })
    };
    let (status, headers, body) = match found {
        Some(exchange) if exchange["reply"].get("$function").is_some() => people(&request, here),
        Some(exchange) => recorded(&exchange),
        None => {
            let body = format!("{} {} was not recorded", request.method, request.target);
            (599, Vec::new(), body.into_bytes())
        }
    };
    let mut head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&body));
}

type Answer = (u64, Vec<(String, String)>, Vec<u8>);

fn recorded(exchange: &Value) -> Answer {
    let mut headers: Vec<(String, String)> = exchange["replyHeaders"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let body = match &exchange["reply"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(fields) if fields.contains_key("$base64") => {
            STANDARD.decode(fields["$base64"].as_str().unwrap()).unwrap()
        }
        structure => {
            if headers.iter().all(|(name, _)| name != "content-type") {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            structure.to_string().into_bytes()
        }
    };
    (exchange["status"].as_u64().unwrap_or(200), headers, body)
}

/// Stands for answers that were computed when they were recorded: a list of 15 people, page by page.
fn people(request: &Request, here: &str) -> Answer {
    const PEOPLE: u64 = 15;
    let number = |name: &str, default: u64| {
        let of_query = request.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let body = request.body_value();
        let of_body = match &body {
            Value::Object(fields) => {
                fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            Value::String(parts) => parts
                .split_once(&format!("name=\"{name}\"\r\n\r\n"))
                .and_then(|(_, rest)| Some(rest.split_once("\r\n")?.0.to_owned())),
            _ => None,
        };
        of_query.or(of_body).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (skip, limit) = (number("skip", 0), number("limit", 10));
    let page: Vec<Value> = (skip..(skip + limit).min(PEOPLE)).map(|id| json!({ "id": id })).collect();
    let status = if page.is_empty() { 404 } else { 200 };
    let headers = vec![
        ("next-url".to_owned(), format!("{here}/users?skip={}&limit={limit}", skip + limit)),
        ("content-type".to_owned(), request.header("content-type").unwrap_or("application/json").to_owned()),
    ];
    (status, headers, Value::Array(page).to_string().into_bytes())
}
