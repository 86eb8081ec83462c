//! The graph of a model of the llama architecture.
//!
//! Attention is the runtime's own operator, with what was read before as inputs `past.…` and outputs `present.…`. A weight of
//! 4 bits, `q · scale + least`, is split without loss: `(q - 8) · scale` is multiplied by the runtime's own operator
//! for 4 bits, whose zero is 8; the rest, `least + 8 · scale`, is the same for a block, and so multiplies the sums of blocks.

use std::collections::BTreeSet;

use half::f16;

use super::onnx::{Attribute, Element, Graph, Length, OWN};
use crate::gguf::{BLOCK, Gguf, InvalidGguf, Kind, Weight};

/// Most tokens that a model reads and writes together.
pub const CONTEXT_TOKENS_MAX: usize = 8_192;
/// Version of the standard operators.
const OPSET: i64 = 17;
/// Most layers.
const LAYERS_MAX: usize = 512;
/// Most numbers of a vector, and most heads.
const WIDTH_MAX: usize = 65_536;
/// Most words.
const WORDS_MAX: usize = 1 << 20;

/// What a model is like.
struct Plan {
    layers: usize,
    width: usize,
    inner: usize,
    heads: usize,
    key_heads: usize,
    /// Numbers of a head.
    head: usize,
    epsilon: f32,
    turns: f64,
    context: usize,
    words: usize,
}

impl Plan {
    fn read(file: &Gguf<'_>) -> Result<Self, InvalidGguf> {
        let architecture = file.text("general.architecture")?;
        if architecture != "llama" {
            let why = format!("it is of the architecture '{architecture}', and 'llama' is what is taken");
            return Err(InvalidGguf::Unsupported(why));
        }
        let width = file.number("llama.embedding_length", WIDTH_MAX)?;
        let heads = file.number("llama.attention.head_count", WIDTH_MAX)?;
        let key_heads = file.number("llama.attention.head_count_kv", WIDTH_MAX).unwrap_or(heads);
        let even = heads > 0 && key_heads > 0 && width.is_multiple_of(heads) && heads.is_multiple_of(key_heads);
        let head = if even { width / heads } else { 0 };
        if head == 0 || !head.is_multiple_of(2) || !width.is_multiple_of(BLOCK) {
            return Err(InvalidGguf::Unsupported("its heads do not divide its vectors".to_owned()));
        }
        if file.number("llama.rope.dimension_count", WIDTH_MAX).unwrap_or(head) != head {
            return Err(InvalidGguf::Unsupported("it turns a part of its heads only".to_owned()));
        }
        let context = file.number("llama.context_length", usize::MAX)?;
        Ok(Self {
            layers: file.number("llama.block_count", LAYERS_MAX)?,
            width,
            inner: file.number("llama.feed_forward_length", WIDTH_MAX)?,
            heads,
            key_heads,
            head,
            epsilon: file.fraction("llama.attention.layer_norm_rms_epsilon")? as f32,
            turns: file.fraction("llama.rope.freq_base").unwrap_or(10_000.0),
            context: context.min(CONTEXT_TOKENS_MAX),
            words: file.weight("token_embd.weight")?.rows,
        })
    }
}

/// What is being made of a file.
struct Making<'f, 'a> {
    file: &'f Gguf<'a>,
    plan: Plan,
    graph: Graph,
    /// Weights that were taken: what is left over is not understood.
    taken: BTreeSet<String>,
    /// Values whose sums of blocks are there already.
    summed: BTreeSet<String>,
}

/// The model of a file, as ONNX.
pub(super) fn model(file: &Gguf<'_>) -> Result<Vec<u8>, InvalidGguf> {
    let plan = Plan::read(file)?;
    if plan.layers == 0 || plan.words > WORDS_MAX || plan.context == 0 {
        return Err(InvalidGguf::Unsupported("it has no layers or no context, or too many words".to_owned()));
    }
    let (taken, summed) = (BTreeSet::new(), BTreeSet::new());
    let mut making = Making { file, plan, graph: Graph::default(), taken, summed };
    making.all()?;
    if let Some(left) = file.weight_names().find(|name| !making.taken.contains(*name)) {
        return Err(InvalidGguf::Unsupported(format!("it has a weight '{left}', which is not understood")));
    }
    let name = file.text("general.name").unwrap_or_default();
    let licence = file.text("general.license").unwrap_or_default();
    Ok(making.graph.finish(OPSET, &[("general.name", name), ("general.license", licence)]))
}

impl<'a> Making<'_, 'a> {
    fn all(&mut self) -> Result<(), InvalidGguf> {
        let words = self.plan.words;
        let batch = Length::Named("batch");
        self.graph.input("input_ids", Element::I64, &[batch, Length::Named("sequence")]);
        self.graph.input("seqlens_k", Element::I32, &[batch]);
        self.graph.input("total_len", Element::I32, &[]);
        self.graph.output("logits", Element::F32, &[batch, Length::Fixed(words)]);
        self.turns();
        let mut state = self.embed()?;
        for layer in 0..self.plan.layers {
            state = self.layer(layer, &state)?;
        }
        let state = self.norm(&state, "output_norm.weight")?;
        self.logits(&state)
    }

    fn take(&mut self, name: &str, rows: usize, columns: usize) -> Result<Weight<'a>, InvalidGguf> {
        self.taken.insert(name.to_owned());
        self.file.weight(name)?.shaped(name, rows, columns)
    }

    /// By how much positions turn heads.
    fn turns(&mut self) {
        let half = self.plan.head / 2;
        let shape = [self.plan.context, half];
        let angle = |position: usize, place: usize| {
            let exponent = (2 * place) as f64 / self.plan.head as f64;
            position as f64 / self.plan.turns.powf(exponent)
        };
        let angles: Vec<f64> = (0..shape[0])
            .flat_map(|position| (0..half).map(move |place| (position, place)))
            .map(|(p, at)| angle(p, at))
            .collect();
        let [cos, sin] =
            [f64::cos, f64::sin].map(|of| angles.iter().map(|angle| of(*angle) as f32).collect::<Vec<_>>());
        self.graph.numbers("cos", &shape, &cos);
        self.graph.numbers("sin", &shape, &sin);
    }

    fn embed(&mut self) -> Result<String, InvalidGguf> {
        let (words, width) = (self.plan.words, self.plan.width);
        let weight = self.take("token_embd.weight", words, width)?;
        let bytes: Vec<u8> =
            weight.numbers().into_iter().flat_map(|number| f16::from_f32(number).to_le_bytes()).collect();
        self.graph.weight("words", Element::F16, &[words, width], &bytes);
        self.graph.node("Gather", &["words", "input_ids"], "words.read", &[]);
        Ok(self.graph.node("Cast", &["words.read"], "state", &[("to", Attribute::Number(Element::F32 as i64))]))
    }

    fn layer(&mut self, layer: usize, state: &str) -> Result<String, InvalidGguf> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (width, inner) = (self.plan.width, self.plan.inner);
        let normed = self.norm(state, &name("attn_norm.weight"))?;
        let attended = self.attention(layer, &normed)?;
        let attended = self.linear(&attended, &name("attn_output.weight"), width, width)?;
        let state = self.graph.node("Add", &[state, &attended], &name("attended"), &[]);
        let normed = self.norm(&state, &name("ffn_norm.weight"))?;
        let up = self.linear(&normed, &name("ffn_up.weight"), inner, width)?;
        let gate = self.linear(&normed, &name("ffn_gate.weight"), inner, width)?;
        let open = self.graph.node("Sigmoid", &[&gate], &name("open"), &[]);
        let gate = self.graph.node("Mul", &[&gate, &open], &name("gated"), &[]);
        let gated = self.graph.node("Mul", &[&gate, &up], &name("inner"), &[]);
        let down = self.linear(&gated, &name("ffn_down.weight"), width, inner)?;
        Ok(self.graph.node("Add", &[&state, &down], &name("state"), &[]))
    }

    fn attention(&mut self, layer: usize, normed: &str) -> Result<String, InvalidGguf> {
        let (width, heads, key_heads, head) = (self.plan.width, self.plan.heads, self.plan.key_heads, self.plan.head);
        let weight = |part: &str| format!("blk.{layer}.attn_{part}.weight");
        let query = self.linear(normed, &weight("q"), width, width)?;
        let key = self.linear(normed, &weight("k"), key_heads * head, width)?;
        let value = self.linear(normed, &weight("v"), key_heads * head, width)?;
        let [past_key, past_value] = ["k", "v"].map(|of| format!("past.{layer}.{of}"));
        let [present_key, present_value] = ["k", "v"].map(|of| format!("present.{layer}.{of}"));
        let shape =
            |length| [Length::Named("batch"), Length::Fixed(key_heads), Length::Named(length), Length::Fixed(head)];
        for past in [&past_key, &past_value] {
            self.graph.input(past, Element::F32, &shape("past"));
        }
        for present in [&present_key, &present_value] {
            self.graph.output(present, Element::F32, &shape("total"));
        }
        let out = format!("blk.{layer}.attention");
        let count = |number: usize| Attribute::Number(i64::try_from(number).unwrap_or(i64::MAX));
        self.graph.node_of(
            OWN,
            "GroupQueryAttention",
            &[&query, &key, &value, &past_key, &past_value, "seqlens_k", "total_len", "cos", "sin"],
            &[&out, &present_key, &present_value],
            &[
                ("num_heads", count(heads)),
                ("kv_num_heads", count(key_heads)),
                ("do_rotary", Attribute::Number(1)),
                ("rotary_interleaved", Attribute::Number(1)),
            ],
        );
        Ok(out)
    }

    fn norm(&mut self, state: &str, name: &str) -> Result<String, InvalidGguf> {
        let width = self.plan.width;
        let weight = self.take(name, 1, width)?.numbers();
        self.graph.numbers(name, &[width], &weight);
        let epsilon = ("epsilon", Attribute::Fraction(self.plan.epsilon));
        let with = [epsilon, ("axis", Attribute::Number(-1)), ("stash_type", Attribute::Number(1))];
        Ok(self.graph.node("SimplifiedLayerNormalization", &[state, name], &format!("{name}.out"), &with))
    }

    fn linear(&mut self, state: &str, name: &str, rows: usize, columns: usize) -> Result<String, InvalidGguf> {
        let weight = self.take(name, rows, columns)?;
        let out = format!("{name}.out");
        if weight.kind != Kind::Q4_1 {
            let turned = turned(&weight.numbers(), rows, columns);
            self.graph.numbers(name, &[columns, rows], &turned);
            return Ok(self.graph.node("MatMul", &[state, name], &out, &[]));
        }
        let blocks = columns / BLOCK;
        let (mut packed, mut scales, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for block in weight.fours() {
            let numbers: Vec<u8> = block.numbers().collect();
            packed.extend(numbers.chunks_exact(2).map(|pair| pair[0] | pair[1] << 4));
            scales.push(block.scale);
            rest.push(block.least + 8.0 * block.scale);
        }
        let [scale_name, rest_name, product, sums] =
            ["scale", "rest", "product", "sums"].map(|of| format!("{name}.{of}"));
        self.graph.weight(name, Element::U8, &[rows, blocks, BLOCK / 2], &packed);
        self.graph.numbers(&scale_name, &[rows * blocks], &scales);
        self.graph.numbers(&rest_name, &[blocks, rows], &turned(&rest, rows, blocks));
        let count = |number: usize| Attribute::Number(i64::try_from(number).unwrap_or(i64::MAX));
        let with = [
            ("K", count(columns)),
            ("N", count(rows)),
            ("bits", Attribute::Number(4)),
            ("block_size", count(BLOCK)),
            // Products of 32 bits: with fewer it is quicker, and says wrong things.
            ("accuracy_level", Attribute::Number(1)),
        ];
        self.graph.node_of(OWN, "MatMulNBits", &[state, name, &scale_name], &[&product], &with);
        let summed = self.sums(state, blocks);
        self.graph.node("MatMul", &[&summed, &rest_name], &sums, &[]);
        Ok(self.graph.node("Add", &[&product, &sums], &out, &[]))
    }

    /// The sums of the blocks of a value.
    fn sums(&mut self, state: &str, blocks: usize) -> String {
        let [shape, blocked, axis, out] = ["shape", "blocked", "axis", "summed"].map(|of| format!("{state}.{of}"));
        if self.summed.insert(state.to_owned()) {
            let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            self.graph.whole(&shape, &[4], &[0, 0, count(blocks), count(BLOCK)]);
            self.graph.whole(&axis, &[1], &[3]);
            self.graph.node("Reshape", &[state, &shape], &blocked, &[]);
            self.graph.node("ReduceSum", &[&blocked, &axis], &out, &[("keepdims", Attribute::Number(0))]);
        }
        out
    }

    /// What comes next: of the last position alone.
    fn logits(&mut self, state: &str) -> Result<(), InvalidGguf> {
        let (words, width) = (self.plan.words, self.plan.width);
        self.graph.whole("last", &[], &[-1]);
        let last = self.graph.node("Gather", &[state, "last"], "last.state", &[("axis", Attribute::Number(1))]);
        if self.file.weight("output.weight").is_ok() {
            let weight = self.take("output.weight", words, width)?;
            self.graph.numbers("output.weight", &[width, words], &turned(&weight.numbers(), words, width));
            self.graph.node("MatMul", &[&last, "output.weight"], "logits", &[]);
            return Ok(());
        }
        let to = ("to", Attribute::Number(Element::F32 as i64));
        self.graph.node("Cast", &["words"], "words.wide", &[to]);
        self.graph.node("Transpose", &["words.wide"], "words.turned", &[("perm", Attribute::Numbers(&[1, 0]))]);
        self.graph.node("MatMul", &[&last, "words.turned"], "logits", &[]);
        Ok(())
    }
}

/// Rows made columns.
fn turned(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(numbers.len());
    for column in 0..columns {
        turned.extend((0..rows).filter_map(|row| numbers.get(row * columns + column)));
    }
    turned
}
