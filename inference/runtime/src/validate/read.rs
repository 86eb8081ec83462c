//! Reads a model's file: what it takes and gives, of what it is made, and whether it keeps to the limits.

use std::collections::{BTreeMap, BTreeSet};

use timeloom_domain::inference::{ElementType, Signature};

use super::limits::{DIMENSIONS_MAX, Limits, Rejection, bound, name};
use super::slot::{element, slot_name, spec};
use super::wire::{self, Fields, Value};

/// Oldest version of the file format that is taken.
const IR_MIN: u64 = 3;
/// Newest version of the file format that is taken.
const IR_MAX: u64 = 14;
/// Oldest version of the standard operators that is taken.
const OPSET_MIN: u64 = 7;
/// Newest version of the standard operators that is taken.
const OPSET_MAX: u64 = 28;
/// Most inputs, and most outputs.
const SLOTS_MAX: usize = 512;
/// Most words on where one weight is that lies beside the model.
const PLACES_MAX: usize = 16;
/// Most elements of one tensor: more cannot be addressed by any machine that is served.
const ELEMENTS_MAX: u64 = 1 << 40;

/// Where operators may come from, with which newest version. All of them are part of the runtime.
const DOMAINS: [(&str, u64); 3] = [("", OPSET_MAX), ("ai.onnx.ml", 5), ("com.microsoft", 1)];
/// Operators of these that reach outside: they name files or programs.
const FORBIDDEN: [&str; 5] = ["EPContext", "PythonOp", "PythonOpGrad", "ATen", "ExternOp"];

/// Weights in a file beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// The file, as the model names it.
    pub path: String,
    /// Where they begin.
    pub offset: u64,
    /// How long they are; `None` to the file's end.
    pub length: Option<u64>,
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Version of the file format.
    pub ir: u64,
    /// Version of the standard operators.
    pub opset: u64,
    /// The program that made it.
    pub producer: String,
    /// What goes in and what comes out.
    pub signature: Signature,
    /// Nodes, those of branches and functions too.
    pub nodes: usize,
    /// How often it has each operator; others' than the standard's with their origin before them.
    pub operators: BTreeMap<String, usize>,
    /// What it says of itself.
    pub metadata: BTreeMap<String, String>,
    /// Weights beside it.
    pub external: Vec<External>,
}

/// Reads a model.
///
/// # Errors
/// When it is none, or does not keep to the limits.
pub fn model(bytes: &[u8], limits: &Limits) -> Result<Model, Rejection> {
    let mut reader = Reader { limits, found: Found::default() };
    let (mut ir, mut producer, mut version) = (0, String::new(), String::new());
    let (mut graph, mut opsets) = (None, BTreeMap::new());
    let mut fields = Fields::once(bytes, &[1, 2, 3, 7]);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Number(number)) => ir = number,
            (2, Value::Bytes(text)) => producer = name(text)?,
            (3, Value::Bytes(text)) => version = name(text)?,
            (7, Value::Bytes(message)) => graph = Some(message),
            (8, Value::Bytes(message)) => reader.opset(message, &mut opsets)?,
            (14, Value::Bytes(message)) => reader.metadata(message)?,
            (20, _) => return Err(Rejection::NoModel("it is made for training")),
            (25, Value::Bytes(message)) => reader.name_function(message)?,
            _ => {}
        }
    }
    let within = |what: &str, found, least, most| {
        if (least..=most).contains(&found) {
            Ok(())
        } else {
            Err(Rejection::Version { what: what.to_owned(), found, least, most })
        }
    };
    within("the ONNX format,", ir, IR_MIN, IR_MAX)?;
    let opset = opsets.get("").copied().ok_or(Rejection::NoModel("it does not say for which operators it was made"))?;
    within("the standard operators,", opset, OPSET_MIN, OPSET_MAX)?;
    for (domain, most) in DOMAINS.iter().filter(|(domain, _)| !domain.is_empty()) {
        if let Some(found) = opsets.get(*domain) {
            within(&format!("the operators of {domain},"), *found, 1, *most)?;
        }
    }
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        if let (25, Value::Bytes(message)) = field {
            reader.function(message)?;
        }
    }
    let graph = graph.ok_or(Rejection::NoModel("it has no graph"))?;
    let signature = reader.graph(graph, 0)?;
    if signature.outputs.is_empty() {
        return Err(Rejection::NoModel("it gives nothing"));
    }
    let Found { nodes, operators, metadata, external, .. } = reader.found;
    let producer = format!("{producer} {version}").trim().to_owned();
    Ok(Model { ir, opset, producer, signature, nodes, operators, metadata, external })
}

/// What was found so far.
#[derive(Default)]
struct Found {
    nodes: usize,
    weights: usize,
    metadata_bytes: usize,
    operators: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
    external: Vec<External>,
    /// Functions that the file defines itself, by where they are from and their names.
    functions: BTreeSet<(String, String)>,
}

struct Reader<'a> {
    limits: &'a Limits,
    found: Found,
}

impl Reader<'_> {
    fn opset(&self, message: &[u8], opsets: &mut BTreeMap<String, u64>) -> Result<(), Rejection> {
        let (mut domain, mut version) = (String::new(), 0);
        let mut fields = Fields::once(message, &[1, 2]);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(text)) => domain = domain_name(text)?,
                (2, Value::Number(number)) => version = number,
                _ => {}
            }
        }
        bound("sets of operators", opsets.len(), SLOTS_MAX)?;
        opsets.insert(domain, version);
        Ok(())
    }

    fn metadata(&mut self, message: &[u8]) -> Result<(), Rejection> {
        self.found.metadata_bytes += message.len();
        bound("bytes of metadata", self.found.metadata_bytes, self.limits.metadata_bytes_max)?;
        let (key, value) = entry(message)?;
        self.found.metadata.insert(key, value);
        Ok(())
    }

    fn name_function(&mut self, message: &[u8]) -> Result<(), Rejection> {
        let (mut own, mut domain) = (String::new(), String::new());
        let mut fields = Fields::once(message, &[1, 10]);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(text)) => own = name(text)?,
                (10, Value::Bytes(text)) => domain = domain_name(text)?,
                _ => {}
            }
        }
        bound("functions", self.found.functions.len(), self.limits.nodes_max)?;
        self.found.functions.insert((domain, own));
        Ok(())
    }

    fn function(&mut self, message: &[u8]) -> Result<(), Rejection> {
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field {
                (7, Value::Bytes(node)) => self.node(node, 0)?,
                (11, Value::Bytes(default)) => self.attribute(default, 0)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a graph; gives its inputs that are not weights, and its outputs. Only the outermost one's must be sendable.
    fn graph(&mut self, message: &[u8], depth: usize) -> Result<Signature, Rejection> {
        bound("branches within each other", depth, self.limits.nesting_max)?;
        let (mut inputs, mut outputs, mut weights) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(node)) => self.node(node, depth)?,
                (5, Value::Bytes(tensor)) => {
                    weights.insert(self.weight(tensor)?);
                }
                (11, Value::Bytes(slot)) => push("inputs", &mut inputs, slot)?,
                (12, Value::Bytes(slot)) => push("outputs", &mut outputs, slot)?,
                (15, _) => return Err(Rejection::NoModel("it has sparse weights")),
                _ => {}
            }
        }
        if depth > 0 {
            return Ok(Signature::default());
        }
        let mut signature = Signature::default();
        for slot in inputs {
            if !weights.contains(&slot_name(slot)?) {
                signature.inputs.push(spec(slot)?);
            }
        }
        for slot in outputs {
            signature.outputs.push(spec(slot)?);
        }
        Ok(signature)
    }

    fn node(&mut self, message: &[u8], depth: usize) -> Result<(), Rejection> {
        self.found.nodes += 1;
        bound("nodes", self.found.nodes, self.limits.nodes_max)?;
        let (mut operator, mut domain) = (String::new(), String::new());
        let mut fields = Fields::once(message, &[4, 7]);
        while let Some(field) = fields.next()? {
            match field {
                (4, Value::Bytes(text)) => operator = name(text)?,
                (7, Value::Bytes(text)) => domain = domain_name(text)?,
                (5, Value::Bytes(attribute)) => self.attribute(attribute, depth)?,
                _ => {}
            }
        }
        let is_served = DOMAINS.iter().any(|(served, _)| *served == domain);
        // A function of the file may have the name of an operator that reaches outside: it is not known which one would run.
        let is_forbidden = FORBIDDEN.contains(&operator.as_str());
        let named = (domain, operator);
        if is_forbidden || !is_served && !self.found.functions.contains(&named) {
            let (domain, operator) = named;
            return Err(Rejection::Operator { domain, operator });
        }
        let (domain, operator) = named;
        let whole = if domain.is_empty() { operator } else { format!("{domain}:{operator}") };
        *self.found.operators.entry(whole).or_default() += 1;
        Ok(())
    }

    fn attribute(&mut self, message: &[u8], depth: usize) -> Result<(), Rejection> {
        let mut fields = Fields::once(message, &[5, 6]);
        while let Some(field) = fields.next()? {
            match field {
                (5 | 10, Value::Bytes(tensor)) => {
                    self.weight(tensor)?;
                }
                (6 | 11, Value::Bytes(graph)) => {
                    self.graph(graph, depth + 1)?;
                }
                (22 | 23, _) => return Err(Rejection::NoModel("it has sparse weights")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a weight; gives its name.
    fn weight(&mut self, message: &[u8]) -> Result<String, Rejection> {
        self.found.weights += 1;
        bound("weights", self.found.weights, self.limits.weights_max)?;
        let mut own = String::new();
        let (mut kind, mut shape, mut beside) = (0, Vec::new(), false);
        let (mut bytes, mut elements) = (None, 0_u64);
        let mut places = BTreeMap::new();
        let mut fields = Fields::once(message, &[2, 8, 9, 14]);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Number(length)) => shape.push(length),
                (1, Value::Bytes(lengths)) => shape.extend(wire::numbers(lengths, DIMENSIONS_MAX)?),
                (2, Value::Number(number)) => kind = number,
                (4 | 10, Value::Fixed(_)) | (5 | 7 | 11, Value::Number(_)) | (6, Value::Bytes(_)) => elements += 1,
                (4, Value::Bytes(floats)) => elements += floats.len() as u64 / 4,
                (10, Value::Bytes(doubles)) => elements += doubles.len() as u64 / 8,
                // Seven bits a byte: the last byte of each number is below 128.
                (5 | 7 | 11, Value::Bytes(numbers)) => {
                    elements += numbers.iter().filter(|byte| **byte < 0x80).count() as u64;
                }
                (8, Value::Bytes(text)) => own = name(text)?,
                (9, Value::Bytes(raw)) => bytes = Some(raw.len() as u64),
                (13, Value::Bytes(message)) => {
                    let (key, value) = entry(message)?;
                    places.insert(key, value);
                    bound("words on where a weight is", places.len(), PLACES_MAX)?;
                }
                (14, Value::Number(location)) => beside = location == 1,
                _ => {}
            }
            bound("dimensions", shape.len(), DIMENSIONS_MAX)?;
        }
        let wanted = shape.iter().try_fold(1_u64, |product, length| product.checked_mul(*length));
        let wanted = wanted.filter(|count| *count <= ELEMENTS_MAX).ok_or_else(|| Rejection::Weight(own.clone()))?;
        if beside {
            self.beside(&places)?;
        } else if !holds(kind, wanted, bytes, elements) {
            return Err(Rejection::Weight(own));
        }
        Ok(own)
    }

    fn beside(&mut self, places: &BTreeMap<String, String>) -> Result<(), Rejection> {
        let path = places.get("location").cloned().unwrap_or_default();
        let number = |key: &str| match places.get(key).map(|text| text.parse::<u64>()) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(Rejection::External { path: path.clone(), why: "its place is no number" }),
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        super::external::objection(&path).map_or(Ok(()), |why| Err(Rejection::External { path: path.clone(), why }))?;
        self.found.external.push(External { path, offset, length });
        Ok(())
    }
}

/// Whether a weight of that type with so many elements is all there: as bytes, or element by element.
fn holds(kind: u64, wanted: u64, bytes: Option<u64>, elements: u64) -> bool {
    match (bytes, element(kind).and_then(ElementType::bytes)) {
        (Some(bytes), Some(each)) => wanted.checked_mul(each as u64) == Some(bytes),
        // Types with several elements a byte, or with two numbers an element: it can only be said that it is too little.
        (Some(bytes), None) => wanted <= bytes.saturating_mul(4),
        (None, Some(_)) => wanted == elements,
        (None, None) => wanted <= elements.saturating_mul(16),
    }
}

/// Keeps an input or output, if there are not too many.
fn push<'a>(what: &'static str, slots: &mut Vec<&'a [u8]>, slot: &'a [u8]) -> Result<(), Rejection> {
    slots.push(slot);
    bound(what, slots.len(), SLOTS_MAX)
}

/// A key and its value.
fn entry(message: &[u8]) -> Result<(String, String), Rejection> {
    let (mut key, mut value) = (String::new(), String::new());
    let mut fields = Fields::once(message, &[1, 2]);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(text)) => key = name(text)?,
            (2, Value::Bytes(text)) => value = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Where operators are from: the standard has two names.
fn domain_name(text: &[u8]) -> Result<String, Rejection> {
    let name = name(text)?;
    Ok(if name == "ai.onnx" { String::new() } else { name })
}
