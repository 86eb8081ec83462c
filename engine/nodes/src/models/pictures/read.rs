//! OCR: the text on a picture. One model finds the lines, another reads each.

use async_trait::async_trait;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::port::Described;
use timeloom_domain::item::Item;
use timeloom_domain::model::ModelReference;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, blocking};

use super::lines::{Area, areas, in_reading_order, spelled};
use super::picture_of;
use super::prepare::Preparation;
use crate::describe::{ONE_TO_ONE, long_text, number, palette, text};
use crate::models::asking::{Asked, Gathered, short, told, with};
use crate::models::tensors::floats;

const PARAMETERS: &[ParameterDefinition] = &[
    text("detectionModel", "The model that finds lines of text.").like("text-detection").needed(),
    text("recognitionModel", "The model that reads a line of text.").like("text-recognition").needed(),
    text("binaryPropertyName", "Name of the attachment with the picture.").called("Input binary field").or_text("data"),
    number("confidenceMin", "Lines that are less likely are left out.").called("Least confidence").or_number(0.5),
    number("sideMax", "Longest side at which the picture is looked at, 320 to 4,000 pixels.")
        .called("Longest side")
        .or_number(SIDE_MAX),
    long_text("characters", "The characters of the reading model, where its file does not tell."),
];

/// Most lines of one picture.
const LINES_MAX: usize = 1_000;
/// Lines that are read at once.
const LINES_TOGETHER: usize = 8;
/// Height of a line as it is read, where the model leaves it open.
const LINE_HEIGHT: u32 = 48;
/// Widest line as it is read.
const LINE_WIDTH_MAX: u32 = 3_200;
/// Narrowest line as it is read.
const LINE_WIDTH_MIN: u32 = 320;
/// Sides of pictures are multiples of this many pixels.
const SIDE_STEP: u32 = 32;
/// Longest side at which a picture is looked at when the node does not say.
const SIDE_MAX: f64 = 1_536.0;
/// A picture whose shorter side has fewer pixels is looked at enlarged.
const SHORT_SIDE_MIN: u32 = 736;

/// The OCR node.
pub(crate) struct Ocr;

impl NodeType for Ocr {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.ocr",
            display_name: "OCR",
            description: "Reads the text on a picture.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "scan-text", &["text recognition", "read", "picture", "document"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Ocr {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut asked, mut gathered) = (Asked::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = text_of(run, &mut asked, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

/// What was read of one line.
struct Read {
    text: String,
    confidence: f32,
}

async fn text_of(run: &mut NodeRun<'_>, asked: &mut Asked, item: &Item, index: usize) -> Result<Item, NodeError> {
    let (finder, finds) = asked.described(run, "detectionModel", index).await?;
    let (reader, reads) = asked.described(run, "recognitionModel", index).await?;
    let own = run.parameter("characters", index)?;
    let characters = characters(own.as_ref(), &reads);
    if characters.is_empty() {
        let message = format!("'{}' does not tell which characters it knows", reads.model);
        return Err(
            NodeError::operation(message).described("give them in the parameter 'characters', one after the other")
        );
    }
    let picture = picture_of(run, item, index).await?;
    let least = run.number("confidenceMin", index, 0.5)?.clamp(0.0, 1.0) as f32;
    let side_max = run.number("sideMax", index, SIDE_MAX)?.clamp(320.0, 4_000.0) as u32;
    let (rows, found) = find(asked, (&finder, &finds), &picture, (least, side_max)).await?;
    let areas: Vec<Area> = rows.iter().flatten().copied().collect();
    let mut inferences = vec![found];
    let read = read_all(asked, (&reader, &reads, &characters), &picture, &areas, &mut inferences).await?;
    let mut read = read.into_iter();
    let (mut texts, mut lines) = (Vec::new(), Vec::new());
    for row in rows {
        let mut words = Vec::new();
        for (area, read) in row.into_iter().zip(read.by_ref()) {
            if read.text.trim().is_empty() || read.confidence < least {
                continue;
            }
            lines.push(line(&area, &read));
            words.push(read.text);
        }
        if !words.is_empty() {
            texts.push(words.join(" "));
        }
    }
    let fields = [("text", json!(texts.join("\n"))), ("lines", json!(lines)), ("inferences", json!(inferences))];
    Ok(with(item, fields))
}

fn line(area: &Area, read: &Read) -> Value {
    let whole = |number: f32| number.round() as i64;
    json!({
        "text": read.text,
        "confidence": short(read.confidence),
        "box": {
            "x": whole(area.left), "y": whole(area.top), "width": whole(area.width()), "height": whole(area.height()),
        },
    })
}

/// The characters of a model that reads, in the order of its classes.
fn characters(own: Option<&Value>, reads: &Described) -> Vec<String> {
    match own {
        Some(Value::Array(list)) => list.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect(),
        Some(Value::String(text)) if !text.is_empty() => text.chars().map(String::from).collect(),
        _ => reads.about.get("character").map(|text| text.split('\n').map(str::to_owned).collect()).unwrap_or_default(),
    }
}

/// Where the lines are, row by row, in pixels of the picture.
async fn find(
    asked: &mut Asked,
    (model, described): (&ModelReference, &Described),
    picture: &RgbImage,
    (least, side_max): (f32, u32),
) -> Result<(Vec<Vec<Area>>, Value), NodeError> {
    let unfit = || NodeError::operation(format!("'{}' is no model that finds lines of text", described.model));
    let input = described.inputs.first().ok_or_else(unfit)?;
    let (width, height) = looked_at(picture.dimensions(), side_max);
    let (tensor, place) = blocking(async { Preparation::of_text(width, height).tensor(picture) })?;
    let answer = asked.infer(model, vec![(input.name.clone(), tensor)]).await?;
    let (_, map) = answer.outputs.first().ok_or_else(unfit)?;
    let [1, 1, _, columns] = *map.shape() else { return Err(unfit()) };
    let numbers = floats(map).ok_or_else(unfit)?;
    let areas = blocking(async { areas(&numbers, columns, least, LINES_MAX) });
    let (right, bottom) = (picture.width() as f32, picture.height() as f32);
    let back = |area: Area| {
        let (left, top) = place.back((area.left, area.top));
        let (far, low) = place.back((area.right, area.bottom));
        Area { left, top, right: far.min(right), bottom: low.min(bottom), ..area }
    };
    Ok((in_reading_order(areas.into_iter().map(back).collect()), told(&answer)))
}

/// The size at which a picture is looked at.
fn looked_at((width, height): (u32, u32), side_max: u32) -> (u32, u32) {
    let enlarge = (SHORT_SIDE_MIN as f32 / width.min(height) as f32).max(1.0);
    let shrink = side_max as f32 / width.max(height) as f32;
    let scale = enlarge.min(shrink);
    let side = |length: u32| ((length as f32 * scale / SIDE_STEP as f32).round() as u32).max(1) * SIDE_STEP;
    (side(width), side(height))
}

/// What the lines say, in their order.
async fn read_all(
    asked: &mut Asked,
    (model, described, characters): (&ModelReference, &Described, &[String]),
    picture: &RgbImage,
    areas: &[Area],
    inferences: &mut Vec<Value>,
) -> Result<Vec<Read>, NodeError> {
    let unfit = || NodeError::operation(format!("'{}' is no model that reads lines of text", described.model));
    let input = described.inputs.first().ok_or_else(unfit)?;
    let height = match input.shape.as_slice() {
        [_, _, Some(height @ 8..=256), _] => *height as u32,
        [_, _, None, _] => LINE_HEIGHT,
        _ => return Err(unfit()),
    };
    let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
    let mut read: Vec<Option<Read>> = areas.iter().map(|_| None).collect();
    // Lines of about the same width are read together: the narrower ones get a border.
    let mut order: Vec<usize> = (0..areas.len()).collect();
    order.sort_by(|one, other| shape(&areas[*one]).total_cmp(&shape(&areas[*other])));
    for together in order.chunks(LINES_TOGETHER) {
        let tensor = blocking(async { lines_tensor(picture, together.iter().map(|line| &areas[*line]), height) })?;
        let answer = asked.infer(model, vec![(input.name.clone(), tensor)]).await?;
        let (_, scores) = answer.outputs.first().ok_or_else(unfit)?;
        let [lines, steps, classes] = *scores.shape() else { return Err(unfit()) };
        let numbers = floats(scores).filter(|_| lines == together.len()).ok_or_else(unfit)?;
        for (line, scores) in together.iter().zip(numbers.chunks_exact((steps * classes).max(1))) {
            let (text, confidence) = spelled(scores, classes, &characters);
            read[*line] = Some(Read { text, confidence });
        }
        inferences.push(told(&answer));
    }
    Ok(read.into_iter().map(|read| read.unwrap_or(Read { text: String::new(), confidence: 0.0 })).collect())
}

/// How much wider than high a line is.
fn shape(area: &Area) -> f32 {
    area.width() / area.height().max(1.0)
}

fn lines_tensor<'a>(
    picture: &RgbImage,
    areas: impl Iterator<Item = &'a Area>,
    height: u32,
) -> Result<Tensor, NodeError> {
    let lines: Vec<RgbImage> = areas.map(|area| cut(picture, area, height)).collect();
    let width = lines.iter().map(RgbImage::width).max().unwrap_or(LINE_WIDTH_MIN).max(LINE_WIDTH_MIN);
    let preparation = Preparation::of_text(width, height);
    let mut numbers = Vec::new();
    for line in &lines {
        // Grey becomes 0: the border says nothing.
        let mut canvas = RgbImage::from_pixel(width, height, Rgb([128; 3]));
        imageops::replace(&mut canvas, line, 0, 0);
        numbers.extend(preparation.numbers(&canvas));
    }
    let shape = vec![lines.len(), 3, height as usize, width as usize];
    Tensor::of_f32(shape, &numbers).map_err(|error| NodeError::operation(error.to_string()))
}

/// A line of the picture, as high as it is read.
fn cut(picture: &RgbImage, area: &Area, height: u32) -> RgbImage {
    let (left, top) = (area.left.max(0.0) as u32, area.top.max(0.0) as u32);
    let wide = (area.width().ceil() as u32).clamp(1, picture.width().saturating_sub(left).max(1));
    let high = (area.height().ceil() as u32).clamp(1, picture.height().saturating_sub(top).max(1));
    let part = imageops::crop_imm(picture, left, top, wide, high).to_image();
    let width = ((height as f32 * wide as f32 / high as f32).ceil() as u32).clamp(1, LINE_WIDTH_MAX);
    imageops::resize(&part, width, height, FilterType::Triangle)
}
