//! Texts into vectors: tokens, the model, the mean over a text's tokens, and a length of one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::chat::{EmbedAnswer, EmbedInput, EmbedRequest, ErrorClass, Usage};
use timeloom_domain::inference::{Signature, Tensor};
use timeloom_gateway::CallError;

use crate::local::{Found, Models};
use crate::task::{KINDS, MASK, TOKENS};
use crate::tokens::{Tokens, fault};

/// Most texts of a request.
pub const TEXTS_MAX: usize = 2_048;
/// Most tokens of a text: as many as models of this kind have places for.
pub const TOKENS_MAX: usize = 512;
/// Texts that are computed together.
const TOGETHER: usize = 32;
/// Most tokenizers that are kept.
const KEPT_MAX: usize = 16;

/// The tokenizers of models that make vectors, kept once they are read.
#[derive(Default)]
pub struct Embedders {
    kept: Mutex<BTreeMap<String, Arc<Tokens>>>,
}

impl std::fmt::Debug for Embedders {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Embedders").finish_non_exhaustive()
    }
}

impl Embedders {
    /// The vectors of texts.
    ///
    /// # Errors
    /// When a text is too long, or the model does not answer.
    pub async fn embed(
        &self,
        models: &dyn Models,
        found: &Found,
        request: &EmbedRequest,
    ) -> Result<EmbedAnswer, CallError> {
        let texts = texts(request)?;
        let tokens = self.tokens(found).await?;
        let lists = tokio::task::spawn_blocking(move || cut(&tokens, &texts)).await;
        let lists = lists.map_err(|error| fault(error.to_string()))??;
        let mut vectors = vec![Vec::new(); lists.len()];
        // Texts of like length are computed together: less is filled up.
        let mut order: Vec<usize> = (0..lists.len()).collect();
        order.sort_by_key(|place| lists.get(*place).map(Vec::len));
        for places in order.chunks(TOGETHER) {
            let together: Vec<&[u32]> =
                places.iter().filter_map(|place| lists.get(*place).map(Vec::as_slice)).collect();
            let inputs = inputs(&found.signature, &together).map_err(|error| fault(error.to_string()))?;
            let outputs = models.infer(found.version.clone(), inputs).await?;
            let given = outputs.first().map(|(_, tensor)| tensor).ok_or_else(|| fault("the model gave nothing"))?;
            for (place, vector) in places.iter().zip(pooled(given, &together)?) {
                if let Some(to) = vectors.get_mut(*place) {
                    *to = vector;
                }
            }
        }
        if let Some(wanted) = request.dimensions
            && vectors.first().is_some_and(|vector| vector.len() as u64 != wanted)
        {
            let why = format!("the model's vectors cannot be made {wanted} numbers long");
            return Err(CallError::unsupported(why));
        }
        let read = lists.iter().map(Vec::len).sum::<usize>() as u64;
        let usage = Usage { input_tokens: read, ..Usage::default() };
        Ok(EmbedAnswer { model: found.version.to_string(), vectors, usage: Some(usage) })
    }

    async fn tokens(&self, found: &Found) -> Result<Arc<Tokens>, CallError> {
        // Two versions may have the same model with other tokenizers: the path tells both.
        let key = found.path.display().to_string();
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(kept));
        }
        let path = found.path.clone();
        let read = tokio::task::spawn_blocking(move || Tokens::read(path.parent().unwrap_or(Path::new("."))));
        let read = Arc::new(read.await.map_err(|error| fault(error.to_string()))??);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_first();
        }
        kept.insert(key, Arc::clone(&read));
        Ok(read)
    }
}

fn texts(request: &EmbedRequest) -> Result<Vec<String>, CallError> {
    let texts = match &request.input {
        EmbedInput::Text(text) => vec![text.clone()],
        EmbedInput::Texts(texts) => texts.clone(),
        EmbedInput::Tokens(_) | EmbedInput::TokenLists(_) => {
            return Err(CallError::unsupported("a model on this machine has tokens of its own and takes texts"));
        }
    };
    if texts.is_empty() || texts.len() > TEXTS_MAX {
        let why = format!("there are {} texts: 1 to {TEXTS_MAX} can be embedded at once", texts.len());
        return Err(CallError::new(ErrorClass::BadRequest, why));
    }
    Ok(texts)
}

fn cut(tokens: &Tokens, texts: &[String]) -> Result<Vec<Vec<u32>>, CallError> {
    let one = |(place, text): (usize, &String)| {
        let list = tokens.of(text, true)?;
        if list.is_empty() || list.len() > TOKENS_MAX {
            let why = format!("text {place} has {} tokens: 1 to {TOKENS_MAX} are read, cut it into parts", list.len());
            return Err(CallError::new(ErrorClass::TooLong, why));
        }
        Ok(list)
    };
    texts.iter().enumerate().map(one).collect()
}

/// The tensors of texts that are computed together: shorter ones are filled up.
fn inputs(
    signature: &Signature,
    lists: &[&[u32]],
) -> Result<Vec<(String, Tensor)>, timeloom_domain::inference::TensorError> {
    let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
    let filled = |of: &dyn Fn(u32) -> i64| -> Vec<i64> {
        let row = |list: &&[u32]| {
            let numbers: Vec<i64> = list.iter().map(|token| of(*token)).collect();
            numbers.into_iter().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>()
        };
        lists.iter().flat_map(row).collect()
    };
    let tensor = |name: &str| {
        let numbers = match name {
            TOKENS => filled(&|token| i64::from(token)),
            MASK => filled(&|_| 1),
            _ => vec![0; lists.len() * longest],
        };
        Ok((name.to_owned(), Tensor::of_i64(vec![lists.len(), longest], &numbers)?))
    };
    let wanted =
        [TOKENS, MASK, KINDS].into_iter().filter(|name| signature.inputs.iter().any(|spec| spec.name == *name));
    wanted.map(tensor).collect()
}

/// A vector of length one for each text: the mean over its tokens, where the model gives one for each token.
fn pooled(given: &Tensor, lists: &[&[u32]]) -> Result<Vec<Vec<f32>>, CallError> {
    let unread = || CallError::garbage("the model's vectors are not of the shape that it says");
    let numbers = given.as_f32().ok_or_else(unread)?;
    let (rows, places, width) = match *given.shape() {
        [rows, width] => (rows, 1, width),
        [rows, places, width] => (rows, places, width),
        _ => return Err(unread()),
    };
    if rows != lists.len() || width == 0 || places == 0 {
        return Err(unread());
    }
    let row = |(row, list): (&[f32], &&[u32])| {
        let mut sum = vec![0.0_f32; width];
        for token in row.chunks_exact(width).take(list.len()) {
            sum.iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
        }
        // The mean and the sum point the same way.
        let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        if length > 0.0 && length.is_finite() {
            sum.iter_mut().for_each(|number| *number /= length);
            Ok(sum)
        } else {
            Err(CallError::garbage("the model gave a vector without a direction"))
        }
    };
    numbers.chunks_exact(places * width).zip(lists).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_text_up_has_no_part_in_its_vector() {
        let given = Tensor::of_f32(vec![2, 2, 2], &[3.0, 0.0, 0.0, 4.0, 0.0, 2.0, 9.0, 9.0]).unwrap();
        let vectors = pooled(&given, &[&[1, 2], &[1]]).unwrap();
        assert_eq!(vectors, vec![vec![0.6, 0.8], vec![0.0, 1.0]]);
        assert!(pooled(&given, &[&[1]]).is_err());
        let nothing = Tensor::of_f32(vec![1, 2], &[0.0, 0.0]).unwrap();
        assert!(pooled(&nothing, &[&[1]]).is_err());
    }
}
