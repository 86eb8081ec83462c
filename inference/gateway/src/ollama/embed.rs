//! Ollama's two ways to turn texts into vectors, on both sides.

use serde_json::{Value, json};
use timeloom_domain::chat::{EmbedAnswer, EmbedInput, EmbedRequest, Usage};
use timeloom_domain::item::JsonObject;

use crate::error::CallError;
use crate::openai::LeftOut;
use crate::wire::{Fields, Misfit};

/// Most texts of one request.
const INPUTS_MAX: usize = 4_096;

/// Writes a request for a provider that calls the model `model`, and tells what it has no word for.
///
/// # Errors
/// [`CallError`] for tokens, which the protocol does not take.
pub fn encode_embed_request(request: &EmbedRequest, model: &str) -> Result<(Value, LeftOut), CallError> {
    let mut left_out = LeftOut::new();
    let input: Value = match &request.input {
        EmbedInput::Text(text) => text.as_str().into(),
        EmbedInput::Texts(texts) => texts.clone().into(),
        EmbedInput::Tokens(_) | EmbedInput::TokenLists(_) => {
            return Err(CallError::unsupported("this provider embeds texts, not tokens"));
        }
    };
    let mut fields = json!({ "model": model, "input": input });
    if let Some(dimensions) = request.dimensions {
        fields["dimensions"] = dimensions.into();
    }
    if request.user.is_some() {
        left_out.insert("user");
    }
    if !request.extra.is_empty() {
        left_out.insert("fields of the request that are not known here");
    }
    Ok((fields, left_out))
}

/// Reads an answer to `count` texts; the older form with one vector too.
///
/// # Errors
/// [`CallError`] of the class garbage when it is none.
pub fn decode_embed_answer(body: &[u8], count: usize) -> Result<EmbedAnswer, CallError> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| CallError::garbage(format!("it is not JSON ({error})")))?;
    let mut fields = Fields::new(value, "")?;
    let lists = match (fields.list("embeddings")?, fields.value("embedding")) {
        (Some(lists), _) => lists,
        (None, Some(vector)) => vec![vector],
        (None, None) => return Err(fields.misfit("embeddings", "a list").into()),
    };
    if lists.len() != count {
        return Err(CallError::garbage(format!("there are {} vectors for {count} texts", lists.len())));
    }
    let vectors: Option<Vec<Vec<f32>>> = lists
        .iter()
        .map(|list| list.as_array()?.iter().map(|number| number.as_f64().map(|number| number as f32)).collect())
        .collect();
    let vectors = vectors.ok_or_else(|| fields.misfit("embeddings", "lists of numbers"))?;
    let tokens = fields.whole("prompt_eval_count")?;
    let usage = tokens.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
    Ok(EmbedAnswer { model: fields.text("model")?.unwrap_or_default(), vectors, usage })
}

/// Reads a request for vectors.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says.
pub fn decode_embed_request(body: Value) -> Result<EmbedRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    let model = fields.required_text("model")?;
    let misfit = || Misfit::new("input", "a text or a list of 1 to 4096 texts");
    let input = match fields.value("input") {
        Some(Value::String(text)) => EmbedInput::Text(text),
        Some(Value::Array(list)) if (1..=INPUTS_MAX).contains(&list.len()) => {
            let texts: Option<Vec<String>> =
                list.into_iter().map(|text| if let Value::String(text) = text { Some(text) } else { None }).collect();
            EmbedInput::Texts(texts.ok_or_else(misfit)?)
        }
        _ => return Err(misfit()),
    };
    let dimensions = fields.whole("dimensions")?;
    Ok(EmbedRequest { model, input, dimensions, encoding: None, user: None, extra: JsonObject::new() })
}

/// Reads a request of the older form, for the vector of one text.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says.
pub fn decode_older_embed_request(body: Value) -> Result<EmbedRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    let (model, input) = (fields.required_text("model")?, EmbedInput::Text(fields.required_text("prompt")?));
    Ok(EmbedRequest { model, input, dimensions: None, encoding: None, user: None, extra: JsonObject::new() })
}

/// Writes an answer, by the name that the client gave the model.
pub fn encode_embed_answer(answer: &EmbedAnswer, model: &str, total_ns: u64) -> Value {
    json!({
        "model": model,
        "embeddings": answer.vectors,
        "total_duration": total_ns,
        "load_duration": 0,
        "prompt_eval_count": answer.usage.unwrap_or_default().input_tokens,
    })
}

/// Writes an answer of the older form.
pub fn encode_older_embed_answer(answer: &EmbedAnswer) -> Value {
    json!({ "embedding": answer.vectors.first() })
}
