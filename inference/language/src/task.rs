//! What a model can be asked for in words, read from what it takes and gives and from what lies beside it.

use std::collections::BTreeSet;

use timeloom_domain::inference::{ElementType, Signature, TensorSpec};

use crate::chat::carried;
use crate::files::{CHAT, TOKENIZER};

/// The tokens of texts.
pub(crate) const TOKENS: &str = "input_ids";
/// Which of them are some.
pub(crate) const MASK: &str = "attention_mask";
/// Which of two texts they are of.
pub(crate) const KINDS: &str = "token_type_ids";

/// What it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// To go on with a chat.
    Chat,
    /// To make vectors of texts.
    Embedding,
}

/// What a model can be asked for in words; nothing where it takes tensors alone.
pub fn of(signature: &Signature, beside: &BTreeSet<String>) -> Option<Task> {
    if !beside.contains(TOKENIZER) {
        return None;
    }
    if beside.contains(CHAT) && chats(signature) {
        return Some(Task::Chat);
    }
    embeds(signature).then_some(Task::Embedding)
}

fn chats(signature: &Signature) -> bool {
    let fresh = [TOKENS, "seqlens_k", "total_len"];
    let carried = carried(signature);
    let known = |spec: &TensorSpec| {
        fresh.contains(&spec.name.as_str()) || carried.iter().any(|carried| carried.input == spec.name)
    };
    let rest = signature.outputs.iter().filter(|spec| carried.iter().all(|carried| carried.output != spec.name));
    let rest: Vec<&str> = rest.map(|spec| spec.name.as_str()).collect();
    !carried.is_empty() && signature.inputs.iter().all(known) && rest == ["logits"]
}

fn embeds(signature: &Signature) -> bool {
    let tokens = |spec: &TensorSpec| {
        [TOKENS, MASK, KINDS].contains(&spec.name.as_str())
            && spec.element == ElementType::I64
            && spec.shape.len() == 2
            && spec.shape.iter().all(Option::is_none)
    };
    let has = |name: &str| signature.inputs.iter().any(|spec| spec.name == name);
    let vectors = signature.outputs.first().is_some_and(|spec| {
        spec.element == ElementType::F32
            && [2, 3].contains(&spec.shape.len())
            && spec.shape.last().is_some_and(Option::is_some)
    });
    has(TOKENS) && has(MASK) && signature.inputs.iter().all(tokens) && vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, element: ElementType, shape: &[Option<u64>]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), element, shape: shape.to_vec() }
    }

    fn files(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_model_is_known_by_what_it_takes_and_gives_and_by_its_tokenizer() {
        let any = [None, None];
        let inputs = [TOKENS, MASK].map(|name| spec(name, ElementType::I64, &any)).to_vec();
        let hidden = spec("last_hidden_state", ElementType::F32, &[None, None, Some(384)]);
        let embedder = Signature { inputs: inputs.clone(), outputs: vec![hidden] };
        assert_eq!(of(&embedder, &files(&[TOKENIZER])), Some(Task::Embedding));
        assert_eq!(of(&embedder, &files(&[])), None);
        let keys = [None, Some(3), None, Some(64)];
        let chat = Signature {
            inputs: vec![
                spec(TOKENS, ElementType::I64, &any),
                spec("seqlens_k", ElementType::I32, &[None]),
                spec("total_len", ElementType::I32, &[]),
                spec("past.0.k", ElementType::F32, &keys),
            ],
            outputs: vec![spec("logits", ElementType::F32, &any), spec("present.0.k", ElementType::F32, &keys)],
        };
        assert_eq!(of(&chat, &files(&[TOKENIZER, CHAT])), Some(Task::Chat));
        assert_eq!(of(&chat, &files(&[TOKENIZER])), None);
        let classifier = Signature { inputs, outputs: vec![spec("label", ElementType::I64, &[None])] };
        assert_eq!(of(&classifier, &files(&[TOKENIZER, CHAT])), None);
    }
}
