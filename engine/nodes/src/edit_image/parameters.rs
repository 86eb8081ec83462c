//! The parameters of Edit Image: those of one operation, and of a list of them.

use timeloom_domain::catalogue::{Choice, ParameterDefinition};

use crate::describe::{choice, collection, color, is, joined, list, long_text, many, number, options, text, told};

const MULTI_STEP: &[Choice] = &[told("multiStep", "Multi step", "Several operations, one after the other.")];

/// The operations, by name; a list of them has all but the list itself.
pub(super) const OPERATIONS: &[Choice] = &[
    told("blur", "Blur", "Makes the picture less sharp."),
    told("border", "Border", "Puts something around the picture."),
    told("composite", "Composite", "Puts another picture on it."),
    told("create", "Create", "Makes a new picture."),
    told("crop", "Crop", "Takes a part of the picture."),
    told("draw", "Draw", "Draws on the picture."),
    told("information", "Get information", "Tells size and format."),
    MULTI_STEP[0],
    told("resize", "Resize", "Makes the picture larger or smaller."),
    told("rotate", "Rotate", "Turns the picture."),
    told("shear", "Shear", "Slants the picture."),
    told("text", "Text", "Writes on the picture."),
    told("transparent", "Transparent", "Makes a colour transparent."),
];
/// Those of a step.
const STEPS: &[Choice] = &[
    OPERATIONS[0],
    OPERATIONS[1],
    OPERATIONS[2],
    OPERATIONS[3],
    OPERATIONS[4],
    OPERATIONS[5],
    OPERATIONS[6],
    OPERATIONS[8],
    OPERATIONS[9],
    OPERATIONS[10],
    OPERATIONS[11],
    OPERATIONS[12],
];

const COMPOSITE: &[Choice] = &[
    choice("Add", "Add"),
    choice("Atop", "Atop"),
    choice("Copy", "Copy"),
    choice("CopyBlue", "Copy blue"),
    choice("CopyGreen", "Copy green"),
    choice("CopyOpacity", "Copy opacity"),
    choice("CopyRed", "Copy red"),
    choice("Difference", "Difference"),
    choice("In", "In"),
    choice("Minus", "Minus"),
    choice("Multiply", "Multiply"),
    choice("Out", "Out"),
    choice("Over", "Over"),
    choice("Plus", "Plus"),
    choice("Subtract", "Subtract"),
    choice("Xor", "Xor"),
];
const RESIZE: &[Choice] = &[
    told("ignoreAspectRatio", "Ignore aspect ratio", "Exactly that width and height."),
    told("maximumArea", "Maximum area", "At most that width and height."),
    told("minimumArea", "Minimum area", "At least that width and height."),
    told("onlyIfLarger", "Only if larger", "Only where the picture is larger."),
    told("onlyIfSmaller", "Only if smaller", "Only where the picture is smaller."),
    told("percent", "Percent", "Width and height in percent."),
];

/// The parameters of one operation.
pub(super) const FIELDS: &[ParameterDefinition] = &[
    color("backgroundColor", "Colour of the picture.").or_text("#ffffff00").when(&[is("operation", &["create"])]),
    color("backgroundColor", "Colour of what is empty then.")
        .or_text("#ffffffff")
        .when(&[is("operation", &["rotate"])]),
    number("width", "Width in pixels.").or_number(50.0).when(&[is("operation", &["create"])]),
    number("height", "Height in pixels.").or_number(50.0).when(&[is("operation", &["create"])]),
    number("width", "Width in pixels, or in percent.").or_number(500.0).when(&[is("operation", &["crop", "resize"])]),
    number("height", "Height in pixels, or in percent.").or_number(500.0).when(&[is("operation", &["crop", "resize"])]),
    options("resizeOption", RESIZE, "What width and height mean.")
        .called("Option")
        .or_text("maximumArea")
        .when(&[is("operation", &["resize"])]),
    text("dataPropertyNameComposite", "The attachment that is put on the picture.")
        .called("Composite image property")
        .like("data2")
        .when(&[is("operation", &["composite"])]),
    options("operator", COMPOSITE, "How the two meet.").or_text("Over").when(&[is("operation", &["composite"])]),
    long_text("text", "What is written, in DejaVu Sans.").or_text("").when(&[is("operation", &["text"])]),
    number("fontSize", "Size of the letters in pixels.").or_number(18.0).when(&[is("operation", &["text"])]),
    color("fontColor", "Colour of the letters.").or_text("#000000").when(&[is("operation", &["text"])]),
    number("positionX", "Place from the left.")
        .called("Position X")
        .or_number(50.0)
        .when(&[is("operation", &["text"])]),
    number("positionY", "Place from the top.").called("Position Y").or_number(50.0).when(&[is("operation", &["text"])]),
    number("lineLength", "Most characters of a line.")
        .called("Max line length")
        .or_number(80.0)
        .when(&[is("operation", &["text"])]),
    number("positionX", "Place from the left.")
        .called("Position X")
        .or_number(0.0)
        .when(&[is("operation", &["composite", "crop"])]),
    number("positionY", "Place from the top.")
        .called("Position Y")
        .or_number(0.0)
        .when(&[is("operation", &["composite", "crop"])]),
    number("sigma", "How strong the blur is.").or_number(2.0).when(&[is("operation", &["blur"])]),
    color("borderColor", "Colour of the border.").or_text("#000000").when(&[is("operation", &["border"])]),
    number("borderWidth", "Width at the sides, in pixels.").or_number(10.0).when(&[is("operation", &["border"])]),
    number("borderHeight", "Height above and below, in pixels.").or_number(10.0).when(&[is("operation", &["border"])]),
    options(
        "primitive",
        &[choice("circle", "Circle"), choice("line", "Line"), choice("rectangle", "Rectangle")],
        "What is drawn.",
    )
    .or_text("rectangle")
    .when(&[is("operation", &["draw"])]),
    color("color", "Its colour.").or_text("#ff000000").when(&[is("operation", &["draw"])]),
    color("color", "The colour that becomes transparent.")
        .or_text("#ff0000")
        .when(&[is("operation", &["transparent"])]),
    number("startPositionX", "First point from the left.")
        .called("Start position X")
        .or_number(50.0)
        .when(&[is("operation", &["draw"])]),
    number("startPositionY", "First point from the top.")
        .called("Start position Y")
        .or_number(50.0)
        .when(&[is("operation", &["draw"])]),
    number("endPositionX", "Second point from the left.")
        .called("End position X")
        .or_number(250.0)
        .when(&[is("operation", &["draw"])]),
    number("endPositionY", "Second point from the top.")
        .called("End position Y")
        .or_number(250.0)
        .when(&[is("operation", &["draw"])]),
    number("cornerRadius", "Radius of its corners.").or_number(0.0).when(&[is("primitive", &["rectangle"])]),
    number("rotate", "Degrees to the right.").or_number(0.0).when(&[is("operation", &["rotate"])]),
    number("degreesX", "Degrees along the width.")
        .called("Degrees X")
        .or_number(0.0)
        .when(&[is("operation", &["shear"])]),
    number("degreesY", "Degrees along the height.")
        .called("Degrees Y")
        .or_number(0.0)
        .when(&[is("operation", &["shear"])]),
];

/// A step of a list: its operation, and the parameters of that.
const STEP: [ParameterDefinition; FIELDS.len() + 1] =
    joined([options("operation", STEPS, "What is done to the picture.")], FIELDS, []);

const FIRST: [ParameterDefinition; 3] = [
    options("operation", OPERATIONS, "What is done to the picture.").or_text("border"),
    text("dataPropertyName", "The attachment that is the picture.").called("Property name").or_text("data"),
    list("operations", &[many("operations", "Operation", &STEP)], "The operations, one after the other.")
        .when(&[is("operation", &["multiStep"])]),
];

const LAST: [ParameterDefinition; 1] = [collection(
    "options",
    &[
        text("fileName", "Name of the file; that of the picture when empty.").or_text(""),
        options(
            "format",
            &[
                choice("bmp", "BMP"),
                choice("gif", "GIF"),
                choice("jpeg", "JPEG"),
                choice("png", "PNG"),
                choice("tiff", "TIFF"),
                choice("webp", "WebP"),
            ],
            "Format of the file; that of the picture when absent.",
        ),
        number("quality", "Quality of a JPEG, 1 to 100.").or_number(100.0).when(&[is("format", &["jpeg"])]),
    ],
    "What else to decide.",
)
.when(&[is("operation", CHANGES)])];

/// The operations that give a picture.
const CHANGES: &[&str] = &[
    "blur",
    "border",
    "composite",
    "create",
    "crop",
    "draw",
    "multiStep",
    "resize",
    "rotate",
    "shear",
    "text",
    "transparent",
];

/// The parameters of the node.
pub(super) const PARAMETERS: &[ParameterDefinition] = &ALL;
const ALL: [ParameterDefinition; FIELDS.len() + 4] = joined(FIRST, FIELDS, LAST);
