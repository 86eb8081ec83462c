//! Embeddings, in and out, as numbers or as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_domain::chat::{EmbedAnswer, EmbedInput, EmbedRequest, Encoding};
use timeloom_domain::item::JsonObject;

use super::answer::read_usage;
use crate::error::CallError;
use crate::wire::{Fields, Misfit};

/// Most texts of one request.
pub const INPUTS_MAX: usize = 4096;

/// Reads a request.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says.
pub fn decode_embed_request(body: Value) -> Result<EmbedRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    let model = fields.required_text("model")?;
    let input = decode_input(fields.value("input").unwrap_or(Value::Null))?;
    let encoding = match fields.text("encoding_format")?.as_deref() {
        None => None,
        Some("float") => Some(Encoding::Float),
        Some("base64") => Some(Encoding::Base64),
        Some(_) => return Err(fields.misfit("encoding_format", "float or base64")),
    };
    let dimensions = fields.whole("dimensions")?;
    Ok(EmbedRequest { model, input, dimensions, encoding, user: fields.text("user")?, extra: fields.rest() })
}

fn decode_input(value: Value) -> Result<EmbedInput, Misfit> {
    let misfit = || Misfit::new("input", "a text, a list of at most 4096 texts, tokens, or a list of lists of tokens");
    let list = match value {
        Value::String(text) => return Ok(EmbedInput::Text(text)),
        Value::Array(list) if !list.is_empty() => list,
        _ => return Err(misfit()),
    };
    if list.iter().all(Value::is_number) {
        return tokens_of(&list).map(EmbedInput::Tokens).ok_or_else(misfit);
    }
    if list.len() > INPUTS_MAX {
        return Err(misfit());
    }
    if list.iter().all(Value::is_array) {
        let lists: Option<Vec<Vec<u32>>> = list.iter().map(|list| tokens_of(list.as_array()?)).collect();
        return lists.map(EmbedInput::TokenLists).ok_or_else(misfit);
    }
    let texts: Option<Vec<String>> =
        list.into_iter().map(|text| if let Value::String(text) = text { Some(text) } else { None }).collect();
    texts.map(EmbedInput::Texts).ok_or_else(misfit)
}

fn tokens_of(list: &[Value]) -> Option<Vec<u32>> {
    list.iter().map(|token| u32::try_from(token.as_u64()?).ok()).collect()
}

/// Writes a request for a provider that calls the model `model`.
pub fn encode_embed_request(request: &EmbedRequest, model: &str) -> Value {
    let mut fields = JsonObject::new();
    fields.insert("model".to_owned(), model.into());
    let input = match &request.input {
        EmbedInput::Text(text) => text.as_str().into(),
        EmbedInput::Texts(texts) => texts.clone().into(),
        EmbedInput::Tokens(tokens) => tokens.clone().into(),
        EmbedInput::TokenLists(lists) => lists.iter().cloned().map(Value::from).collect(),
    };
    fields.insert("input".to_owned(), input);
    if let Some(dimensions) = request.dimensions {
        fields.insert("dimensions".to_owned(), dimensions.into());
    }
    if let Some(encoding) = request.encoding {
        fields.insert("encoding_format".to_owned(), encoding_name(encoding).into());
    }
    if let Some(user) = &request.user {
        fields.insert("user".to_owned(), user.as_str().into());
    }
    fields.extend(request.extra.clone());
    Value::Object(fields)
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Float => "float",
        Encoding::Base64 => "base64",
    }
}

/// Reads an answer to `count` texts, whichever way its vectors are written.
///
/// # Errors
/// [`CallError`] of the class garbage when it is none.
pub fn decode_embed_answer(body: &[u8], count: usize) -> Result<EmbedAnswer, CallError> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| CallError::garbage(format!("it is not JSON ({error})")))?;
    let mut fields = Fields::new(value, "")?;
    let Some(data) = fields.list("data")? else { return Err(fields.misfit("data", "a list").into()) };
    let mut vectors = vec![None; count];
    for (place, item) in data.into_iter().enumerate() {
        let mut item = Fields::new(item, format!("data[{place}]"))?;
        let index = item.whole("index")?.unwrap_or(place as u64);
        let vector =
            decode_vector(item.value("embedding")).ok_or_else(|| item.misfit("embedding", "numbers or base64"))?;
        let slot = usize::try_from(index).ok().and_then(|index| vectors.get_mut(index));
        *slot.ok_or_else(|| item.misfit("index", "less than the number of texts"))? = Some(vector);
    }
    let vectors: Option<Vec<Vec<f32>>> = vectors.into_iter().collect();
    let vectors =
        vectors.ok_or_else(|| CallError::garbage(format!("there are fewer vectors than the {count} texts")))?;
    let model = fields.text("model")?.unwrap_or_default();
    let usage = fields.object("usage")?.map(read_usage).transpose()?;
    Ok(EmbedAnswer { model, vectors, usage })
}

fn decode_vector(value: Option<Value>) -> Option<Vec<f32>> {
    match value? {
        Value::Array(numbers) => numbers.iter().map(|number| number.as_f64().map(|number| number as f32)).collect(),
        Value::String(text) => {
            let bytes = STANDARD.decode(text).ok()?;
            let (chunks, rest) = bytes.as_chunks::<4>();
            rest.is_empty().then(|| chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
        }
        _ => None,
    }
}

/// Writes an answer.
pub fn encode_embed_answer(answer: &EmbedAnswer, encoding: Encoding) -> Value {
    let data = answer.vectors.iter().enumerate().map(|(index, vector)| {
        let vector: Value = match encoding {
            Encoding::Float => vector.iter().map(|number| json!(number)).collect(),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                STANDARD.encode(bytes).into()
            }
        };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    });
    let tokens = answer.usage.unwrap_or_default();
    json!({
        "object": "list",
        "data": data.collect::<Vec<Value>>(),
        "model": answer.model,
        "usage": { "prompt_tokens": tokens.input_tokens, "total_tokens": tokens.total_tokens() },
    })
}
