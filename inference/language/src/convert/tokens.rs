//! What a tokenizer needs, in the files that models of the hub have beside them.

use serde_json::{Map, Value as Json, json};

use crate::gguf::{Gguf, InvalidGguf, Value};

/// How texts are cut before they become tokens: the ways that are known, by the format's names.
const WAYS: [&str; 1] = ["smollm"];
/// The number of tokens that no text becomes.
const CONTROL: i64 = 3;

/// The tokenizer of a file.
pub(super) fn tokenizer(file: &Gguf<'_>) -> Result<Vec<u8>, InvalidGguf> {
    let (model, way) = (file.text("tokenizer.ggml.model")?, file.text("tokenizer.ggml.pre")?);
    if model != "gpt2" || !WAYS.contains(&way) {
        let why = format!("its tokenizer is '{model}' with '{way}': 'gpt2' with '{}' is taken", WAYS.join("', '"));
        return Err(InvalidGguf::Unsupported(why));
    }
    let words = file.texts("tokenizer.ggml.tokens")?;
    let Some(Value::Numbers(kinds)) = file.value("tokenizer.ggml.token_type") else {
        return Err(InvalidGguf::Missing("tokenizer.ggml.token_type".to_owned()));
    };
    if words.len() != kinds.len() || words.len() != file.weight("token_embd.weight")?.rows {
        return Err(InvalidGguf::Unsupported("it has other words than its tokenizer".to_owned()));
    }
    let vocabulary: Map<String, Json> =
        words.iter().zip(0_u32..).map(|(word, id)| ((*word).to_owned(), id.into())).collect();
    let control = words.iter().zip(kinds).zip(0_u32..).filter(|((_, kind), _)| **kind == CONTROL);
    let added: Vec<Json> = control
        .map(|((word, _), id)| {
            json!({ "id": id, "content": word, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
        })
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, bytes] },
        "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": file.texts("tokenizer.ggml.merges")?,
        },
    });
    Ok(tokenizer.to_string().into_bytes())
}

/// How chats are written for it.
pub(super) fn chat(file: &Gguf<'_>) -> Result<Vec<u8>, InvalidGguf> {
    let words = file.texts("tokenizer.ggml.tokens")?;
    let word = |name: &str| {
        let id = file.number(name, words.len()).ok()?;
        words.get(id).copied()
    };
    let end = word("tokenizer.ggml.eos_token_id")
        .ok_or_else(|| InvalidGguf::Missing("tokenizer.ggml.eos_token_id".to_owned()))?;
    let context = file.number("llama.context_length", usize::MAX)?.min(super::CONTEXT_TOKENS_MAX);
    let chat = json!({
        "chat_template": file.text("tokenizer.chat_template")?,
        "bos_token": word("tokenizer.ggml.bos_token_id"),
        "eos_token": end,
        "model_max_length": context,
    });
    Ok(chat.to_string().into_bytes())
}
