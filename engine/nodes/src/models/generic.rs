//! Model: asks any model of the model manager with its tensors.
//!
//! Items whose tensors may be laid one after the other are asked together; each gets its own rows of the answer.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::inference::port::{Described, ModelAnswer};
use timeloom_domain::inference::{Tensor, TensorSpec};
use timeloom_domain::item::Item;
use timeloom_domain::model::ModelReference;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, blocking};

use super::asking::{Asked, Gathered, object, texts, told, with};
use super::tensors::{elements, joined, nested, tensor_of};
use crate::describe::{ONE_TO_ONE, json, number, palette, text};

const PARAMETERS: &[ParameterDefinition] = &[
    text("model", "The model: NAME, NAME@VERSION or NAME@ALIAS.").like("resnet@production").naming("model").needed(),
    json("inputs", "What goes in by the names of the model's inputs; the fields of the item when absent."),
    text("outputs", "Names of the outputs that are wanted, with commas between; all when empty."),
    number("rowsMax", "Most items that are asked together, 1 to 4,096.").called("Rows at once").or_number(ROWS_MAX),
];

/// Most elements that the outputs of one item have as JSON.
const OUTPUT_ELEMENTS_MAX: usize = 1 << 20;
/// Most items that are asked together when the node does not say.
const ROWS_MAX: f64 = 32.0;

/// The Model node.
pub(crate) struct Model;

impl NodeType for Model {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.model",
            display_name: "Model",
            description: "Asks a model of the model manager with numbers and texts, and gives its outputs.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "brain", &["onnx", "inference", "predict", "tensor"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// An item that is ready to be asked.
struct Ready {
    index: usize,
    model: ModelReference,
    described: Arc<Described>,
    inputs: Vec<(String, Tensor)>,
    /// Whether the item is one row, so that its outputs lose their first dimension.
    is_row: bool,
    outputs: Vec<String>,
}

impl Ready {
    fn rows(&self) -> usize {
        self.inputs.first().and_then(|(_, tensor)| tensor.shape().first().copied()).unwrap_or(1)
    }

    fn wants(&self, output: &str) -> bool {
        self.outputs.is_empty() || self.outputs.iter().any(|wanted| wanted == output)
    }

    /// Whether both may be asked together.
    fn joins(&self, other: &Self) -> bool {
        let free = |spec: &TensorSpec| matches!(spec.shape.first(), Some(None));
        let rest = |ready: &Self| -> Vec<Vec<usize>> {
            ready.inputs.iter().map(|(_, tensor)| tensor.shape().iter().skip(1).copied().collect()).collect()
        };
        self.model == other.model
            && self.described.inputs.iter().chain(&self.described.outputs).all(free)
            && rest(self) == rest(other)
    }
}

#[async_trait]
impl EffectNode for Model {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut asked = Asked::new(run);
        let mut gathered = Gathered::default();
        let mut waiting: Vec<Ready> = Vec::new();
        for index in 0..items.len() {
            let rows_max = run.number("rowsMax", index, ROWS_MAX)?.clamp(1.0, 4_096.0) as usize;
            let ready = ready(run, &mut asked, &items[index], index).await;
            let joins = ready.as_ref().is_ok_and(|ready| {
                let rows: usize = waiting.iter().map(Ready::rows).sum();
                waiting.first().is_none_or(|first| first.joins(ready) && rows + ready.rows() <= rows_max)
            });
            if !joins {
                ask(run, &mut asked, &items, std::mem::take(&mut waiting), &mut gathered).await?;
            }
            match ready {
                Ok(ready) => waiting.push(ready),
                Err(error) => gathered.take(run, index, Err(error))?,
            }
        }
        ask(run, &mut asked, &items, waiting, &mut gathered).await?;
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn ready(run: &mut NodeRun<'_>, asked: &mut Asked, item: &Item, index: usize) -> Result<Ready, NodeError> {
    let (model, described) = asked.described(run, "model", index).await?;
    let given = match run.parameter("inputs", index)? {
        None => item.json.to_value(),
        // People write structures as text as well.
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|error| NodeError::operation(format!("the inputs are no JSON: {error}")))?,
        Some(other) => other,
    };
    let outputs = texts(run.parameter("outputs", index)?.as_ref());
    if let Some(unknown) = outputs.iter().find(|name| !described.outputs.iter().any(|spec| spec.name == **name)) {
        let names = described.outputs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(NodeError::operation(format!("the model has no output '{unknown}': it gives {names}")));
    }
    let (mut inputs, mut is_row) = (Vec::new(), true);
    for spec in &described.inputs {
        let value = given.get(&spec.name).ok_or_else(|| {
            let names = described.inputs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
            NodeError::operation(format!("the input '{}' is missing: the model wants {names}", spec.name))
        })?;
        let rows = tensor_of(value, spec)?;
        is_row &= rows.is_row;
        inputs.push((spec.name.clone(), rows.tensor));
    }
    Ok(Ready { index, model, described, inputs, is_row, outputs })
}

/// Asks for all that wait, together, and gives each its own rows.
#[expect(clippy::needless_pass_by_ref_mut, reason = "a shared one is not held across an await: it is not `Sync`")]
async fn ask(
    run: &mut NodeRun<'_>,
    asked: &mut Asked,
    items: &[Item],
    waiting: Vec<Ready>,
    gathered: &mut Gathered,
) -> Result<(), NodeError> {
    let Some(first) = waiting.first() else { return Ok(()) };
    let inputs: Result<Vec<(String, Tensor)>, NodeError> = (0..first.inputs.len())
        .map(|place| {
            let tensors: Vec<Tensor> = waiting.iter().map(|ready| ready.inputs[place].1.clone()).collect();
            let tensor = if tensors.len() == 1 { Ok(tensors[0].clone()) } else { joined(&tensors) };
            let unfit = |error| NodeError::operation(format!("the items are too much to be asked together: {error}"));
            tensor.map(|tensor| (first.inputs[place].0.clone(), tensor)).map_err(unfit)
        })
        .collect();
    let answer = match inputs {
        Ok(inputs) => asked.infer(&first.model, inputs).await,
        Err(error) => Err(error),
    };
    // Large outputs take their time: other tasks of this thread go on elsewhere.
    for (index, made) in blocking(async { parted(items, &waiting, answer) }) {
        gathered.take(run, index, made)?;
    }
    Ok(())
}

/// What each item is given of the answer to all of them.
fn parted(
    items: &[Item],
    waiting: &[Ready],
    answer: Result<ModelAnswer, NodeError>,
) -> Vec<(usize, Result<Item, NodeError>)> {
    let all = waiting.iter().map(Ready::rows).sum();
    let answer = answer.map(|answer| (converted(waiting, &answer, all), answer));
    let mut before = 0;
    let made = waiting.iter().map(|ready| {
        let part = (waiting.len() > 1).then_some((before, all));
        before += ready.rows();
        let made = match &answer {
            Ok((converted, answer)) => outputs(ready, converted, part)
                .map(|outputs| with(&items[ready.index], [("outputs", outputs), ("inference", told(answer))])),
            Err(error) => Err(error.clone()),
        };
        (ready.index, made)
    });
    made.collect()
}

/// An output whose elements are JSON.
struct Converted {
    name: String,
    shape: Vec<usize>,
    elements: Result<Vec<Value>, NodeError>,
}

/// The outputs that any item wants, each converted once for all of them.
fn converted(waiting: &[Ready], answer: &ModelAnswer, rows: usize) -> Vec<Converted> {
    let wanted = answer.outputs.iter().filter(|(name, _)| waiting.iter().any(|ready| ready.wants(name)));
    let converted = wanted.map(|(name, tensor)| {
        let count: usize = tensor.shape().iter().product();
        let together = if waiting.len() > 1 { rows } else { 1 };
        let elements = match count <= OUTPUT_ELEMENTS_MAX.saturating_mul(together) {
            true => Ok(elements(tensor)),
            false => {
                let message =
                    format!("the output '{name}' has {count} elements: at most {OUTPUT_ELEMENTS_MAX} become JSON");
                Err(NodeError::operation(message)
                    .described("name the outputs that you want in the parameter 'outputs'"))
            }
        };
        Converted { name: name.clone(), shape: tensor.shape().to_vec(), elements }
    });
    converted.collect()
}

/// The outputs of one item: its rows of those that were asked together.
fn outputs(ready: &Ready, converted: &[Converted], part: Option<(usize, usize)>) -> Result<Value, NodeError> {
    let mut found = Vec::new();
    for output in converted.iter().filter(|output| ready.wants(&output.name)) {
        found.push((output.name.clone(), rows_of(ready, output, part)?));
    }
    Ok(object(found))
}

fn rows_of(ready: &Ready, output: &Converted, part: Option<(usize, usize)>) -> Result<Value, NodeError> {
    let Converted { name, shape, elements } = output;
    let (mut shape, mut elements) = (shape.clone(), elements.as_ref().map_err(NodeError::clone)?.as_slice());
    if let Some((before, all)) = part {
        if shape.first() != Some(&all) {
            let message = format!("the model gave '{name}' not row by row: ask for one item at a time (rowsMax 1)");
            return Err(NodeError::operation(message));
        }
        let size = elements.len() / all.max(1);
        shape[0] = ready.rows();
        elements = elements.get(before * size..(before + ready.rows()) * size).unwrap_or_default();
    }
    if ready.is_row && shape.first() == Some(&1) {
        shape.remove(0);
    }
    Ok(nested(elements, &shape))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_domain::inference::ElementType;

    use super::*;
    use crate::models::testing::{ScriptedModels, spec};
    use crate::testing::{Bench, json_of};

    /// Doubles `x`, of rows of two numbers.
    fn doubling() -> ScriptedModels {
        let about =
            (vec![spec("x", ElementType::F32, &[None, Some(2)])], vec![spec("y", ElementType::F32, &[None, Some(2)])]);
        ScriptedModels::new("double", about, |inputs| {
            let doubled: Vec<f32> = inputs[0].1.as_f32().unwrap().iter().map(|number| number * 2.0).collect();
            vec![("y".to_owned(), Tensor::of_f32(inputs[0].1.shape().to_vec(), &doubled).unwrap())]
        })
    }

    fn bench(models: &ScriptedModels, parameters: Value) -> Bench<'static> {
        let mut bench = Bench::new(&Model, 1.0, parameters);
        bench.services.models = Arc::new(models.clone());
        bench
    }

    #[tokio::test]
    async fn items_are_asked_together_and_each_gets_its_own() {
        let models = doubling();
        let mut bench = bench(&models, json!({"model": "double", "rowsMax": 3}))
            .input(json!([{"x": [1, 2]}, {"x": [3, 4]}, {"x": [5, 6]}, {"x": [7, 8]}]));
        let output = json_of(&bench.run_effect().await.unwrap(), 0);
        let outputs: Vec<&Value> = output.as_array().unwrap().iter().map(|item| &item["outputs"]["y"]).collect();
        assert_eq!(json!(outputs), json!([[2.0, 4.0], [6.0, 8.0], [10.0, 12.0], [14.0, 16.0]]));
        assert_eq!(models.asked(), 2, "three of them and one");
        assert_eq!(output[0]["x"], json!([1, 2]), "the item keeps its fields");
        assert_eq!(
            (&output[0]["inference"]["version"], &output[0]["inference"]["model"]),
            (&json!(3), &json!("double"))
        );
        let askers = models.askers();
        assert_eq!((askers[0].node.as_deref(), askers[0].execution), (Some("Tested"), Some(bench.caller.execution_id)));
        assert_eq!((askers[0].key.as_deref(), askers[1].key.as_deref()), (Some("key-1-0"), Some("key-1-1")));
    }

    #[tokio::test]
    async fn inputs_come_from_expressions_and_rows_stay_rows() {
        let models = doubling();
        let parameters = json!({"model": "double@prod", "inputs": {"x": "={{ $json.rows }}"}});
        let mut bench = bench(&models, parameters).input(json!([{"rows": [[1, 2], [3, 4]]}]));
        let output = json_of(&bench.run_effect().await.unwrap(), 0);
        assert_eq!(output[0]["outputs"]["y"], json!([[2.0, 4.0], [6.0, 8.0]]));
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_told_by_item() {
        let models = doubling();
        let failure = async |parameters: Value, item: Value| {
            let mut bench = bench(&models, parameters).input(json!([item]));
            bench.run_effect().await.unwrap_err().message
        };
        let one = json!({"x": [1, 2]});
        assert!(failure(json!({"model": "double"}), json!({"z": 1})).await.contains("'x' is missing"));
        assert!(failure(json!({"model": "double"}), json!({"x": [1, 2, 3]})).await.contains("wants [?, 2]"));
        assert!(failure(json!({"model": "other"}), one.clone()).await.contains("no model 'other'"));
        assert!(failure(json!({"model": "a b"}), one.clone()).await.contains("names no model"));
        assert!(failure(json!({"model": "double", "outputs": "z"}), one.clone()).await.contains("it gives y"));
        assert_eq!(models.asked(), 0);
        let mut going_on =
            bench(&models, json!({"model": "double"})).input(json!([{"x": "no"}, one])).continue_on_fail();
        let output = json_of(&going_on.run_effect().await.unwrap(), 0);
        assert!(output[0]["error"].as_str().unwrap().contains("'x'"));
        assert_eq!(output[1]["outputs"]["y"], json!([2.0, 4.0]));
    }
}
