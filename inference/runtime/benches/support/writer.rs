//! Writes the model that is measured: layers of a size, weights by chance. As little of the format as it takes.

/// A message of the format, written field by field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A perceptron with layers of these widths: `x` of `[n, first]` to `y` of `[n, last]`.
pub fn perceptron(widths: &[u64]) -> Vec<u8> {
    let mut graph = Message::default();
    let mut input = "x".to_owned();
    for (index, pair) in widths.windows(2).enumerate() {
        let last = index == widths.len() - 2;
        let sum = if last { "y".to_owned() } else { format!("sum{index}") };
        let (weights, bias) = (format!("weights{index}"), format!("bias{index}"));
        graph = graph.message(1, node("Gemm", &[&input, &weights, &bias], &sum));
        graph = graph.message(5, tensor(&weights, pair, index as u64 + 1)).message(5, tensor(&bias, &pair[1..], 99));
        if !last {
            input = format!("bent{index}");
            graph = graph.message(1, node("Relu", &[&sum], &input));
        }
    }
    let graph =
        graph.bytes(2, b"g").message(11, value("x", widths[0])).message(12, value("y", widths[widths.len() - 1]));
    Message::default().number(1, 9).message(7, graph).message(8, Message::default().number(2, 17)).0
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let named = inputs.iter().fold(Message::default(), |message, input| message.bytes(1, input.as_bytes()));
    named.bytes(2, output.as_bytes()).bytes(4, operator.as_bytes())
}

fn tensor(name: &str, shape: &[u64], mut seed: u64) -> Message {
    let mut data = Vec::new();
    for _ in 0..shape.iter().product() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = ((seed >> 40) as f32 / (1_u64 << 24) as f32 - 0.5) / 16.0;
        data.extend_from_slice(&number.to_le_bytes());
    }
    let shaped = shape.iter().fold(Message::default(), |message, length| message.number(1, *length));
    shaped.number(2, 1).bytes(8, name.as_bytes()).bytes(9, &data)
}

fn value(name: &str, width: u64) -> Message {
    let free = Message::default().bytes(2, b"n");
    let shape = Message::default().message(1, free).message(1, Message::default().number(1, width));
    let kind = Message::default().message(1, Message::default().number(1, 1).message(2, shape));
    Message::default().bytes(1, name.as_bytes()).message(2, kind)
}
