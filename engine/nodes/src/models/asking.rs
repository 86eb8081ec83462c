//! One node run that asks one model after the other: which model, for whom, and what is told of its answers.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::port::{Described, ModelAnswer, ModelAsk, SharedInference};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::model::ModelReference;
use timeloom_engine::node::{NodeError, NodeRun, Questions};

/// The models that one node run asks.
pub(crate) struct Asked {
    models: SharedInference,
    questions: Questions,
    described: HashMap<String, Arc<Described>>,
}

impl Asked {
    /// Nothing yet.
    pub(crate) fn new(run: &NodeRun<'_>) -> Self {
        Self { models: Arc::clone(&run.services.models), questions: run.questions(), described: HashMap::new() }
    }

    /// What the model that a parameter names wants and gives.
    ///
    /// # Errors
    /// [`NodeError`] when the parameter names none, or there is none of that name.
    pub(crate) async fn described(
        &mut self,
        run: &mut NodeRun<'_>,
        parameter: &str,
        index: usize,
    ) -> Result<(ModelReference, Arc<Described>), NodeError> {
        let named = run.text(parameter, index, "")?;
        let reference: ModelReference = named.trim().parse().map_err(|error| {
            NodeError::operation(format!("the parameter '{parameter}' names no model: {error}"))
                .described("name one that `timeloom model list` shows: NAME, NAME@VERSION or NAME@ALIAS")
        })?;
        let known = reference.to_string();
        if let Some(described) = self.described.get(&known) {
            return Ok((reference, Arc::clone(described)));
        }
        let described = Arc::new(self.models.describe(self.questions.asker(), &reference).await?);
        self.described.insert(known, Arc::clone(&described));
        Ok((reference, described))
    }

    /// Asks a model.
    ///
    /// # Errors
    /// [`NodeError`] when it does not answer.
    pub(crate) async fn infer(
        &mut self,
        model: &ModelReference,
        inputs: Vec<(String, Tensor)>,
    ) -> Result<ModelAnswer, NodeError> {
        let asker = self.questions.next_asker();
        let ask = ModelAsk { model: model.clone(), inputs, within: None };
        Ok(self.models.infer(asker, ask).await?)
    }
}

/// By what an answer is found in the record.
pub(crate) fn told(answer: &ModelAnswer) -> Value {
    json!({ "id": answer.inference.to_string(), "model": answer.model.as_str(), "version": answer.version })
}

/// An item with something added to its JSON.
pub(super) fn with(item: &Item, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Item {
    let mut made = item.clone();
    for (name, value) in fields {
        made.json.insert(name.to_owned(), value);
    }
    made
}

/// What the items of a node come to, one after the other: what fails stands for itself where the node goes on.
#[derive(Default)]
pub(crate) struct Gathered(Vec<Item>);

impl Gathered {
    /// Takes what item `index` came to.
    ///
    /// # Errors
    /// The failure, where the node does not go on.
    pub(crate) fn take(
        &mut self,
        run: &NodeRun<'_>,
        index: usize,
        made: Result<Item, NodeError>,
    ) -> Result<(), NodeError> {
        self.take_all(run, index, made.map(|item| vec![item]))
    }

    /// The same of an item that comes to several.
    ///
    /// # Errors
    /// The failure, where the node does not go on.
    pub(crate) fn take_all(
        &mut self,
        run: &NodeRun<'_>,
        index: usize,
        made: Result<Vec<Item>, NodeError>,
    ) -> Result<(), NodeError> {
        match made {
            Ok(made) => self.0.extend(made.into_iter().map(|item| item.paired_with(index))),
            Err(error) if run.continues_on_fail() => self.0.push(run.failed_item(index, &error)),
            Err(error) => return Err(error.at_item(index)),
        }
        Ok(())
    }

    /// All of them.
    pub(crate) fn items(self) -> Vec<Item> {
        self.0
    }
}

/// The texts of a list: of JSON, or written with commas or line breaks between them.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Some(Value::Array(values)) => values.iter().map(text).collect(),
        Some(Value::String(list)) => {
            let parts = list.split(['\n', ',']).map(str::trim).filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The numbers of a list, as [`texts`].
///
/// # Errors
/// [`NodeError`] when one of them is none.
pub(super) fn numbers(value: Option<&Value>, name: &str) -> Result<Vec<f32>, NodeError> {
    let number = |text: String| {
        text.parse::<f32>().ok().filter(|number| number.is_finite()).ok_or_else(|| {
            NodeError::operation(format!("'{name}' holds '{text}', which is no number: write numbers and commas"))
        })
    };
    texts(value).into_iter().map(number).collect()
}

/// The labels of a model: those of the node, or those that the model's file tells.
pub(super) fn labels_of(own: Option<&Value>, described: &Described) -> Vec<String> {
    let own = texts(own);
    if !own.is_empty() {
        return own;
    }
    let about = |name: &str| described.about.get(name).map(String::as_str);
    if let Some(list) = about("labels").or_else(|| about("character")) {
        return list
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .filter(|line| !line.is_empty())
            .collect();
    }
    about("names").map(names).unwrap_or_default()
}

/// Names as Python writes a dictionary of them: `{0: 'person', 1: 'car'}`.
fn names(written: &str) -> Vec<String> {
    let inside = written.trim().trim_start_matches('{').trim_end_matches('}');
    let of = |part: &str| part.split_once(':').map(|(_, name)| name.trim().trim_matches(['\'', '"']).to_owned());
    inside.split(',').filter_map(of).collect()
}

/// The label of a class; its number where it has none.
pub(super) fn label(labels: &[String], class: usize) -> String {
    labels.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// A number as JSON, in as few digits as tell it from others of its kind; `null` for what is no number.
pub(crate) fn short(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

/// An object of named values.
pub(super) fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(JsonObject::from_iter(fields))
}

/// Probabilities of scores that are none yet.
pub(super) fn probabilities(scores: &[f32]) -> Vec<f32> {
    let sum: f32 = scores.iter().sum();
    if scores.iter().all(|score| (0.0..=1.0).contains(score)) && (sum - 1.0).abs() < 0.01 {
        return scores.to_vec();
    }
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The places of the highest scores, highest first.
pub(super) fn highest(scores: &[f32], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]));
    places.truncate(count);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_short_as_they_are() {
        assert_eq!((short(0.1).to_string(), short(3.0).to_string()), ("0.1".to_owned(), "3.0".to_owned()));
        assert_eq!((short(f32::NAN), short(f32::INFINITY)), (Value::Null, Value::Null));
    }

    #[test]
    fn scores_become_probabilities_once() {
        assert_eq!(probabilities(&[0.25, 0.75]), [0.25, 0.75]);
        let made = probabilities(&[1_000.0, 1_000.0]);
        assert_eq!(made, [0.5, 0.5], "large scores do not overflow");
        assert_eq!(highest(&[0.1, 0.9, 0.5], 2), [1, 2]);
        assert_eq!(names("{0: 'person', 1: 'car'}"), ["person", "car"]);
    }
}
