//! Tabular Prediction: what a model of rows says of an item: a class with its probabilities, or a number.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::inference::port::{Described, ModelAnswer};
use timeloom_domain::inference::{ElementType, Tensor, TensorSpec};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::asking::{Asked, Gathered, highest, label, labels_of, object, probabilities, short, texts, told, with};
use super::tensors::{elements, floats, push};
use crate::describe::{ONE_TO_ONE, choice, long_text, number, options, palette, text};

const PARAMETERS: &[ParameterDefinition] = &[
    text("model", "The model: NAME, NAME@VERSION or NAME@ALIAS.").like("churn@production").naming("model").needed(),
    long_text(
        "columns",
        "The item's fields that are the columns, one a line; its inputs' names when it has an input a column.",
    ),
    long_text("labels", "What the model's classes are, one a line, where its file does not tell."),
    number("missing", "What stands for a number that an item lacks; it fails when absent."),
    options(
        "task",
        &[choice("auto", "As the model says"), choice("classify", "Class"), choice("regress", "Number")],
        "Whether it gives a class or a number.",
    )
    .or_text("auto"),
];

/// Items that are asked together.
const ROWS_TOGETHER: usize = 32;
/// Most columns of a row.
const COLUMNS_MAX: usize = 10_000;

/// The Tabular Prediction node.
pub(crate) struct TabularPrediction;

impl NodeType for TabularPrediction {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.tabularPrediction",
            display_name: "Tabular Prediction",
            description: "Predicts a class or a number of each item's fields, by a model.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::Ai,
                "table-properties",
                &["predict", "classify", "regression", "xgboost", "scikit"],
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// A row that is ready: for each input of the model the bytes of its elements.
type Row = Vec<Vec<u8>>;

#[async_trait]
impl EffectNode for TabularPrediction {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut asked, mut gathered) = (Asked::new(run), Gathered::default());
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let (model, described) = asked.described(run, "model", 0).await?;
        let columns = columns(texts(run.parameter("columns", 0)?.as_ref()), &described)?;
        let labels = labels_of(run.parameter("labels", 0)?.as_ref(), &described);
        let task = run.text("task", 0, "auto")?;
        let together = if described.inputs.iter().all(|spec| matches!(spec.shape.first(), Some(None))) {
            ROWS_TOGETHER
        } else {
            1
        };
        for (chunk, of) in items.chunks(together).enumerate() {
            let first = chunk * together;
            let mut rows = Vec::new();
            for (place, item) in of.iter().enumerate() {
                rows.push(row(run, &described, &columns, item, first + place));
            }
            let ready: Vec<&Row> = rows.iter().filter_map(|row| row.as_ref().ok()).collect();
            let answer = if ready.is_empty() {
                None
            } else {
                let inputs = inputs(&described, &ready)?;
                Some(asked.infer(&model, inputs).await)
            };
            let mut given = 0;
            for (place, row) in rows.iter().enumerate() {
                let made = match (row, &answer) {
                    (Err(error), _) => Err(error.clone()),
                    (Ok(_), Some(Ok(answer))) => {
                        given += 1;
                        predicted(answer, given - 1, ready.len(), &labels, &task).map(|told| with(&of[place], told))
                    }
                    (Ok(_), Some(Err(error))) => Err(error.clone()),
                    (Ok(_), None) => Err(NodeError::operation("nothing was asked")),
                };
                gathered.take(run, first + place, made)?;
            }
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

/// The columns of each input.
fn columns(named: Vec<String>, described: &Described) -> Result<Vec<Vec<String>>, NodeError> {
    let width = |spec: &TensorSpec| match spec.shape.as_slice() {
        [_, width] => width.map(|width| width as usize),
        [_] => Some(1),
        _ => None,
    };
    if named.len() > COLUMNS_MAX {
        return Err(NodeError::operation(format!("a row has at most {COLUMNS_MAX} columns")));
    }
    match described.inputs.as_slice() {
        [only] if named.is_empty() && width(only) != Some(1) => {
            Err(NodeError::operation("the parameter 'columns' names no fields")
                .described("name the item's fields in the order in which the model was trained with them"))
        }
        [only] if !named.is_empty() => match width(only) {
            Some(width) if width != named.len() => Err(NodeError::operation(format!(
                "the model wants {width} columns, the parameter 'columns' names {}",
                named.len()
            ))),
            _ => Ok(vec![named]),
        },
        inputs if inputs.iter().all(|spec| width(spec) == Some(1)) => {
            Ok(inputs.iter().map(|spec| vec![spec.name.clone()]).collect())
        }
        _ => Err(NodeError::operation(format!("'{}' is no model of rows", described.model)).described(
            "it must have one input of rows, or one input for each column; take others with the node Model",
        )),
    }
}

fn row(
    run: &mut NodeRun<'_>,
    described: &Described,
    columns: &[Vec<String>],
    item: &Item,
    index: usize,
) -> Result<Row, NodeError> {
    let missing = match run.parameter("missing", index)? {
        None | Some(Value::Null) => None,
        Some(value) => Some(value),
    };
    let cells = described.inputs.iter().zip(columns).map(|(spec, columns)| {
        let mut data = Vec::new();
        for column in columns {
            let value = item.json.get(column).filter(|value| !value.is_null()).or(missing.as_ref());
            let value = value.ok_or_else(|| {
                NodeError::operation(format!("the item has no '{column}'"))
                    .described("fill it in before, or say in the parameter 'missing' what stands for it")
            })?;
            cell(value, spec.element, &mut data).ok_or_else(|| {
                let shown: String = value.to_string().chars().take(40).collect();
                NodeError::operation(format!("'{column}' is {shown}, the model wants {}", spec.element))
            })?;
        }
        Ok(data)
    });
    cells.collect()
}

/// Rows come from files and forms as often as not, so that numbers are texts and truths are words.
fn cell(value: &Value, element: ElementType, data: &mut Vec<u8>) -> Option<()> {
    let value = match (value, element) {
        (Value::String(text), ElementType::Bytes) => json!(text),
        (other, ElementType::Bytes) => json!(other.to_string()),
        (Value::Bool(truth), element) if element != ElementType::Bool => json!(u8::from(*truth)),
        (Value::String(text), _) => match text.trim() {
            "true" | "false" if element == ElementType::Bool => json!(text.trim() == "true"),
            number => json!(number.parse::<f64>().ok()?),
        },
        (other, _) => other.clone(),
    };
    push(&value, element, data)
}

fn inputs(described: &Described, rows: &[&Row]) -> Result<Vec<(String, Tensor)>, NodeError> {
    let of = |(place, spec): (usize, &TensorSpec)| {
        let data: Vec<u8> = rows.iter().flat_map(|row| row[place].iter().copied()).collect();
        let mut shape = vec![rows.len()];
        if spec.shape.len() == 2 {
            let elements = match spec.element.bytes() {
                Some(bytes) => data.len() / bytes / rows.len().max(1),
                None => 1,
            };
            shape.push(spec.shape[1].map_or(elements, |width| width as usize));
        }
        let tensor = Tensor::new(spec.element, shape, data.into());
        tensor.map(|tensor| (spec.name.clone(), tensor)).map_err(|error| NodeError::operation(error.to_string()))
    };
    described.inputs.iter().enumerate().map(of).collect()
}

/// What the model says of one of `count` rows.
fn predicted(
    answer: &ModelAnswer,
    row: usize,
    count: usize,
    labels: &[String],
    task: &str,
) -> Result<Vec<(&'static str, Value)>, NodeError> {
    let of_rows = |tensor: &Tensor| tensor.shape().first() == Some(&count);
    let rows: Vec<&Tensor> = answer.outputs.iter().map(|(_, tensor)| tensor).filter(|tensor| of_rows(tensor)).collect();
    let width = |tensor: &Tensor| tensor.shape().iter().skip(1).product::<usize>();
    let one = rows.iter().find(|tensor| width(tensor) == 1);
    let scores = rows.iter().find(|tensor| width(tensor) > 1 && tensor.element() != ElementType::Bytes);
    let mut told_of = Vec::new();
    match (scores, one) {
        (Some(scores), _) if task != "regress" => {
            let all = floats(scores).unwrap_or_default();
            let width = width(scores);
            let scores = probabilities(&all[row * width..(row + 1) * width]);
            let best = highest(&scores, 1).first().copied().unwrap_or_default();
            let own = one.filter(|_| labels.is_empty()).and_then(|tensor| elements(tensor).into_iter().nth(row));
            told_of.push(("prediction", own.unwrap_or_else(|| named(labels, best))));
            told_of.push(("confidence", short(scores[best])));
            let likely = scores.iter().enumerate().map(|(class, score)| (label(labels, class), short(*score)));
            told_of.push(("probabilities", object(likely)));
        }
        (_, Some(one)) => {
            let value = elements(one).into_iter().nth(row).unwrap_or_default();
            let class = value.as_u64().filter(|_| task != "regress" && !labels.is_empty());
            told_of.push(("prediction", class.map_or(value, |class| named(labels, class as usize))));
        }
        _ => {
            return Err(NodeError::operation("the model gives no rows: it is none that predicts of rows")
                .described("take it with the node Model"));
        }
    }
    told_of.push(("inference", told(answer)));
    Ok(told_of)
}

fn named(labels: &[String], class: usize) -> Value {
    labels.get(class).map_or_else(|| json!(class), |label| json!(label))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::models::testing::{ScriptedModels, spec};
    use crate::testing::{Bench, json_of};

    /// Two columns; the second class is as likely as the first column says.
    fn model() -> ScriptedModels {
        let about = (vec![spec("x", ElementType::F32, &[None, Some(2)])], vec![]);
        ScriptedModels::new("churn", about, |inputs| {
            let numbers = inputs[0].1.as_f32().unwrap();
            let scores: Vec<f32> = numbers.chunks(2).flat_map(|row| [1.0 - row[0], row[0]]).collect();
            let classes: Vec<i64> = numbers.chunks(2).map(|row| i64::from(row[0] > 0.5)).collect();
            vec![
                ("label".to_owned(), Tensor::of_i64(vec![classes.len()], &classes).unwrap()),
                ("probabilities".to_owned(), Tensor::of_f32(vec![classes.len(), 2], &scores).unwrap()),
            ]
        })
    }

    async fn output(models: &ScriptedModels, parameters: Value, items: Value) -> Value {
        let mut bench = Bench::new(&TabularPrediction, 1.0, parameters).input(items).continue_on_fail();
        bench.services.models = Arc::new(models.clone());
        json_of(&bench.run_effect().await.unwrap(), 0)
    }

    #[tokio::test]
    async fn rows_are_asked_together_and_get_their_class_with_probabilities() {
        let models = model();
        let parameters = json!({"model": "churn", "columns": "usage, age", "labels": ["stays", "leaves"]});
        let items = json!([{"usage": 0.25, "age": 30}, {"usage": "0.75", "age": true}]);
        let output = output(&models, parameters, items).await;
        assert_eq!((&output[0]["prediction"], &output[1]["prediction"]), (&json!("stays"), &json!("leaves")));
        assert_eq!(output[1]["probabilities"], json!({"stays": 0.25, "leaves": 0.75}));
        assert_eq!((&output[1]["confidence"], &output[0]["age"]), (&json!(0.75), &json!(30)));
        assert_eq!(models.asked(), 1);
    }

    #[tokio::test]
    async fn rows_that_lack_something_fail_by_themselves() {
        let models = model();
        let items = json!([{"usage": 0.9}, {"usage": 0.9, "age": 1}, {"usage": "many", "age": 1}]);
        let parameters = json!({"model": "churn", "columns": ["usage", "age"]});
        let failing = output(&models, parameters.clone(), items.clone()).await;
        assert_eq!(failing[0]["error"], json!("the item has no 'age'"));
        assert_eq!(failing[1]["prediction"], json!(1));
        assert!(failing[2]["error"].as_str().unwrap().contains("'usage' is \"many\", the model wants FP32"));
        let mut filled = parameters;
        filled["missing"] = json!(0);
        assert_eq!(output(&models, filled, items).await[0]["prediction"], json!(1));
    }

    #[tokio::test]
    async fn columns_must_fit_the_model() {
        let mut bench =
            Bench::new(&TabularPrediction, 1.0, json!({"model": "churn", "columns": "a,b,c"})).input(json!([{}]));
        bench.services.models = Arc::new(model());
        assert!(bench.run_effect().await.unwrap_err().message.contains("wants 2 columns"));
        bench.node.parameters["columns"] = Value::Null;
        assert!(bench.run_effect().await.unwrap_err().message.contains("names no fields"));
    }

    #[tokio::test]
    async fn a_number_is_given_as_it_is_and_an_input_may_be_one_column() {
        let inputs =
            vec![spec("size", ElementType::F64, &[None, Some(1)]), spec("town", ElementType::Bytes, &[None, Some(1)])];
        let models = ScriptedModels::new("price", (inputs, vec![]), |inputs| {
            assert_eq!(inputs[1].1.shape(), [2, 1]);
            vec![("price".to_owned(), Tensor::of_f32(vec![2, 1], &[1.5, 2.5]).unwrap())]
        });
        let items = json!([{"size": 1, "town": "Ulm"}, {"size": 2, "town": "Bonn"}]);
        let output = output(&models, json!({"model": "price"}), items).await;
        assert_eq!((&output[0]["prediction"], &output[1]["prediction"]), (&json!(1.5), &json!(2.5)));
    }
}
