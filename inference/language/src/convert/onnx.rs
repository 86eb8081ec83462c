//! Writing ONNX: as much of its encoding as the graphs here need.

/// Types of elements, by the format's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32 = 1,
    U8 = 2,
    I32 = 6,
    I64 = 7,
    F16 = 10,
}

/// A length of an input or output: fixed, or whatever it is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Fixed(usize),
    Named(&'static str),
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute {
    Number(i64),
    Fraction(f32),
    Numbers(&'static [i64]),
}

/// A message of the encoding.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8 & 0x7f) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, field: u64, number: i64) {
        self.raw(field << 3);
        self.raw(number.cast_unsigned());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.raw(field << 3 | 2);
        self.raw(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn fixed(&mut self, field: u64, number: f32) {
        self.raw(field << 3 | 5);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

/// A graph that is being written.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Message,
    weights: Message,
    inputs: Message,
    outputs: Message,
}

/// Domain of operators that are the runtime's own.
pub(super) const OWN: &str = "com.microsoft";

impl Graph {
    /// A node of standard operators; gives the name of its output.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], output: &str, with: &[(&str, Attribute)]) -> String {
        self.node_of("", operator, inputs, &[output], with);
        output.to_owned()
    }

    /// A node of a domain's operators.
    pub(super) fn node_of(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        with: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        outputs.iter().for_each(|output| node.text(2, output));
        if let Some(output) = outputs.first() {
            node.text(3, output);
        }
        node.text(4, operator);
        for (name, value) in with {
            node.message(5, &attribute(name, *value));
        }
        if !domain.is_empty() {
            node.text(7, domain);
        }
        self.nodes.message(1, &node);
    }

    /// A weight; gives its name.
    pub(super) fn weight(&mut self, name: &str, element: Element, shape: &[usize], bytes: &[u8]) -> String {
        let mut tensor = Message::default();
        for length in shape {
            tensor.number(1, i64::try_from(*length).unwrap_or(i64::MAX));
        }
        tensor.number(2, element as i64);
        tensor.text(8, name);
        tensor.bytes(9, bytes);
        self.weights.message(5, &tensor);
        name.to_owned()
    }

    /// A weight of numbers.
    pub(super) fn numbers(&mut self, name: &str, shape: &[usize], numbers: &[f32]) -> String {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.weight(name, Element::F32, shape, &bytes)
    }

    /// A weight of whole numbers.
    pub(super) fn whole(&mut self, name: &str, shape: &[usize], numbers: &[i64]) -> String {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.weight(name, Element::I64, shape, &bytes)
    }

    pub(super) fn input(&mut self, name: &str, element: Element, shape: &[Length]) {
        self.inputs.message(11, &slot(name, element, shape));
    }

    pub(super) fn output(&mut self, name: &str, element: Element, shape: &[Length]) {
        self.outputs.message(12, &slot(name, element, shape));
    }

    /// The whole model.
    pub(super) fn finish(self, opset: i64, facts: &[(&str, &str)]) -> Vec<u8> {
        let mut graph = self.nodes;
        graph.text(2, "graph");
        for part in [self.weights, self.inputs, self.outputs] {
            graph.0.extend_from_slice(&part.0);
        }
        let mut model = Message::default();
        model.number(1, 9);
        model.text(2, "timeloom");
        model.message(7, &graph);
        for (domain, version) in [("", opset), (OWN, 1)] {
            let mut import = Message::default();
            import.text(1, domain);
            import.number(2, version);
            model.message(8, &import);
        }
        for (name, value) in facts {
            let mut fact = Message::default();
            fact.text(1, name);
            fact.text(2, value);
            model.message(14, &fact);
        }
        model.0
    }
}

fn attribute(name: &str, value: Attribute) -> Message {
    let mut attribute = Message::default();
    attribute.text(1, name);
    match value {
        Attribute::Fraction(number) => {
            attribute.fixed(2, number);
            attribute.number(20, 1);
        }
        Attribute::Number(number) => {
            attribute.number(3, number);
            attribute.number(20, 2);
        }
        Attribute::Numbers(numbers) => {
            numbers.iter().for_each(|number| attribute.number(8, *number));
            attribute.number(20, 7);
        }
    }
    attribute
}

fn slot(name: &str, element: Element, shape: &[Length]) -> Message {
    let mut dimensions = Message::default();
    for length in shape {
        let mut dimension = Message::default();
        match length {
            Length::Fixed(length) => dimension.number(1, i64::try_from(*length).unwrap_or(i64::MAX)),
            Length::Named(name) => dimension.text(2, name),
        }
        dimensions.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.number(1, element as i64);
    tensor.message(2, &dimensions);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut slot = Message::default();
    slot.text(1, name);
    slot.message(2, &kind);
    slot
}
