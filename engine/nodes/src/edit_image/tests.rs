//! Pictures made, changed and read back.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::{Value, json};

use super::*;
use crate::testing::Bench;

const RED: Rgba<u8> = Rgba([255, 0, 0, 255]);
const BLUE: Rgba<u8> = Rgba([0, 0, 255, 255]);
const WHITE: Rgba<u8> = Rgba([255, 255, 255, 255]);
const NOTHING: Rgba<u8> = Rgba([0, 0, 0, 0]);

/// A red picture whose left upper pixel is blue.
fn picture(width: u32, height: u32) -> RgbaImage {
    let mut canvas = RgbaImage::from_pixel(width, height, RED);
    canvas.put_pixel(0, 0, BLUE);
    canvas
}

fn file(canvas: &RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    canvas.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn bench(parameters: Value, files: &[(&str, Vec<u8>)]) -> Bench<'static> {
    let binary: JsonObject = files
        .iter()
        .map(|(name, file)| {
            let about = json!({ "data": STANDARD.encode(file), "mimeType": "image/png", "fileName": "own.png" });
            ((*name).to_owned(), about)
        })
        .collect();
    Bench::new(&EditImage, 1.0, parameters).input(json!([{ "json": { "n": 1 }, "binary": binary }]))
}

/// What a node makes of one picture.
fn made(parameters: Value, canvas: &RgbaImage) -> RgbaImage {
    let mut bench = bench(parameters, &[("data", file(canvas, ImageFormat::Png))]);
    let output = bench.run().unwrap();
    let kept = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    let bytes = bench.services.binaries.read_blocking(kept).unwrap();
    image::load_from_memory(&bytes).unwrap().into_rgba8()
}

fn refused(parameters: Value, file: Vec<u8>) -> String {
    bench(parameters, &[("data", file)]).failure()
}

#[test]
fn a_picture_is_told_by_its_size_and_format_and_stays_as_it_is() {
    for (format, name) in [
        (ImageFormat::Png, "PNG"),
        (ImageFormat::Gif, "GIF"),
        (ImageFormat::WebP, "WEBP"),
        (ImageFormat::Bmp, "BMP"),
        (ImageFormat::Tiff, "TIFF"),
    ] {
        let own = file(&picture(7, 5), format);
        let output = bench(json!({"operation": "information"}), &[("data", own.clone())]).run().unwrap();
        let item = &output.outputs[0][0];
        assert_eq!(item.json["size"], json!({"width": 7, "height": 5}));
        assert_eq!((&item.json["format"], &item.json["n"]), (&json!(name), &json!(1)));
        assert_eq!(item.binary.as_ref().unwrap()["data"].data, STANDARD.encode(own));
    }
}

#[test]
fn a_picture_is_made_and_written_in_the_format_that_is_asked_for() {
    let create = |format: &str| {
        json!({"operation": "create", "width": 3, "height": 2, "backgroundColor": "#0000ff",
            "options": {"format": format, "quality": 90}})
    };
    for (format, media_type, extension) in [
        ("png", "image/png", "png"),
        ("jpeg", "image/jpeg", "jpeg"),
        ("gif", "image/gif", "gif"),
        ("webp", "image/webp", "webp"),
        ("bmp", "image/bmp", "bmp"),
        ("tiff", "image/tiff", "tiff"),
    ] {
        let output = bench(create(format), &[]).run().unwrap();
        let kept = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
        let name = format!("image.{extension}");
        assert_eq!((kept.mime_type.as_str(), kept.file_name.as_deref()), (media_type, Some(name.as_str())));
        let read = image::load_from_memory(&STANDARD.decode(&kept.data).unwrap()).unwrap().into_rgba8();
        assert_eq!(read.dimensions(), (3, 2));
        let Rgba([red, green, blue, alpha]) = *read.get_pixel(1, 1);
        assert!(red < 8 && green < 8 && blue > 247 && alpha == 255, "{format}: {red} {green} {blue}");
    }
}

#[test]
fn a_new_size_means_what_its_kind_says() {
    let size = |kind: &str, width: u32, height: u32| {
        let parameters = json!({"operation": "resize", "resizeOption": kind, "width": width, "height": height});
        made(parameters, &picture(40, 20)).dimensions()
    };
    assert_eq!(size("ignoreAspectRatio", 10, 15), (10, 15));
    assert_eq!(size("percent", 50, 200), (20, 40));
    assert_eq!(size("maximumArea", 10, 20), (20, 10), "two hundred pixels in all");
    assert_eq!(size("maximumArea", 400, 200), (40, 20));
    assert_eq!(size("minimumArea", 10, 10), (20, 10));
    assert_eq!((size("onlyIfLarger", 10, 10), size("onlyIfLarger", 80, 80)), ((10, 5), (40, 20)));
    assert_eq!((size("onlyIfSmaller", 80, 80), size("onlyIfSmaller", 10, 10)), ((80, 40), (40, 20)));
}

#[test]
fn parts_borders_turns_and_slants_put_pixels_where_they_belong() {
    let part =
        made(json!({"operation": "crop", "width": 2, "height": 9, "positionX": 3, "positionY": 0}), &picture(4, 3));
    assert_eq!(part.dimensions(), (1, 3), "what lies outside is left out");
    let frame = json!({"operation": "border", "borderWidth": 2, "borderHeight": 1, "borderColor": "#fff"});
    let framed = made(frame, &picture(4, 3));
    assert_eq!((framed.dimensions(), *framed.get_pixel(1, 0), *framed.get_pixel(2, 1)), ((8, 5), WHITE, BLUE));
    let turned = made(json!({"operation": "rotate", "rotate": 90}), &picture(4, 3));
    assert_eq!((turned.dimensions(), *turned.get_pixel(2, 0)), ((3, 4), BLUE));
    let back = made(json!({"operation": "rotate", "rotate": -90}), &turned);
    assert_eq!(back, picture(4, 3));
    let tilted = made(json!({"operation": "rotate", "rotate": 45}), &picture(100, 100));
    assert!(tilted.width().abs_diff(142) <= 1 && tilted.height().abs_diff(142) <= 1);
    assert_eq!((*tilted.get_pixel(0, 0), *tilted.get_pixel(71, 71)), (NOTHING, RED), "empty is transparent");
    let slanted = made(json!({"operation": "shear", "degreesX": 45, "degreesY": 0}), &picture(20, 10));
    assert_eq!((slanted.dimensions(), *slanted.get_pixel(29, 0)), ((30, 10), WHITE));
    assert_eq!(made(json!({"operation": "shear"}), &picture(20, 10)), picture(20, 10));
}

#[test]
fn shapes_are_drawn_with_their_colour() {
    let draw = |primitive: &str, start: (i32, i32), end: (i32, i32), radius: i32| {
        let parameters = json!({"operation": "draw", "primitive": primitive, "color": "#0000ff00", "cornerRadius": radius,
            "startPositionX": start.0, "startPositionY": start.1, "endPositionX": end.0, "endPositionY": end.1});
        let drawn = made(parameters, &RgbaImage::from_pixel(20, 20, RED));
        move |x, y| *drawn.get_pixel(x, y) == BLUE
    };
    let line = draw("line", (2, 2), (12, 12), 0);
    assert!(line(2, 2) && line(7, 7) && line(12, 12) && !line(13, 13) && !line(7, 9));
    let circle = draw("circle", (10, 10), (10, 5), 0);
    assert!(circle(10, 10) && circle(5, 10) && circle(10, 15) && !circle(5, 5) && !circle(16, 10));
    let sharp = draw("rectangle", (4, 4), (14, 9), 0);
    assert!(sharp(4, 4) && sharp(14, 9) && !sharp(15, 9) && !sharp(3, 4));
    let round = draw("rectangle", (4, 4), (14, 14), 5);
    assert!(!round(4, 4) && round(9, 4) && round(4, 9) && !round(14, 14));
    let beside = draw("rectangle", (-50, -50), (100_000_000, 2), 0);
    assert!(beside(0, 0) && beside(19, 2) && !beside(0, 3));
}

#[test]
fn a_colour_goes_and_edges_blur() {
    let gone = made(json!({"operation": "transparent", "color": "#ff0000"}), &picture(3, 3));
    assert_eq!((gone.get_pixel(1, 1).0[3], *gone.get_pixel(0, 0)), (0, BLUE));
    let halves = RgbaImage::from_fn(40, 40, |x, _| if x < 20 { RED } else { BLUE });
    let blurred = made(json!({"operation": "blur", "sigma": 3}), &halves);
    let Rgba([red, _, blue, _]) = *blurred.get_pixel(20, 20);
    assert!((60..200).contains(&red) && (60..200).contains(&blue), "{red} {blue}");
    assert_eq!(made(json!({"operation": "blur", "sigma": 0}), &halves), halves);
}

#[test]
fn one_picture_is_put_on_another() {
    let put = |operator: &str, over: Rgba<u8>| {
        let parameters = json!({"operation": "composite", "dataPropertyNameComposite": "stamp", "operator": operator,
            "positionX": 2, "positionY": -1});
        let files = [
            ("data", file(&RgbaImage::from_pixel(4, 4, RED), ImageFormat::Png)),
            ("stamp", file(&RgbaImage::from_pixel(9, 2, over), ImageFormat::Png)),
        ];
        let output = bench(parameters, &files).run().unwrap();
        let kept = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
        image::load_from_memory(&STANDARD.decode(&kept.data).unwrap()).unwrap().into_rgba8()
    };
    let half_blue = Rgba([0, 0, 255, 128]);
    let over = put("Over", half_blue);
    assert_eq!(
        (*over.get_pixel(1, 0), *over.get_pixel(2, 0), *over.get_pixel(2, 1)),
        (RED, Rgba([127, 0, 128, 255]), RED)
    );
    for (operator, colour, expected) in [
        ("Copy", half_blue, half_blue),
        ("Out", BLUE, NOTHING),
        ("In", half_blue, half_blue),
        ("Xor", BLUE, NOTHING),
        ("Plus", Rgba([200, 7, 9, 255]), Rgba([255, 7, 9, 255])),
        ("Difference", Rgba([200, 7, 9, 255]), Rgba([55, 7, 9, 255])),
        ("Multiply", Rgba([128, 9, 9, 255]), Rgba([128, 0, 0, 255])),
        ("CopyOpacity", Rgba([1, 2, 3, 40]), Rgba([255, 0, 0, 40])),
    ] {
        assert_eq!(*put(operator, colour).get_pixel(3, 0), expected, "{operator}");
    }
}

#[test]
fn several_steps_follow_each_other() {
    let steps = json!({"operations": [
        {"operation": "create", "width": 10, "height": 10, "backgroundColor": "#ff0000"},
        {"operation": "border", "borderWidth": 5, "borderHeight": 0, "borderColor": "#0000ff"},
        {"operation": "information"},
        {"operation": "resize", "resizeOption": "percent", "width": 200, "height": 200}
    ]});
    let parameters = json!({"operation": "multiStep", "operations": steps, "options": {"fileName": "all.png"}});
    let output = bench(parameters, &[]).run().unwrap();
    let item = &output.outputs[0][0];
    assert_eq!(item.json["size"], json!({"width": 20, "height": 10}));
    let kept = &item.binary.as_ref().unwrap()["data"];
    let read = image::load_from_memory(&STANDARD.decode(&kept.data).unwrap()).unwrap();
    assert_eq!((read.width(), read.height(), kept.file_name.as_deref()), (40, 20, Some("all.png")));
}

#[test]
fn pictures_that_would_be_too_large_are_refused_before_they_are_made() {
    let huge = |operation: Value| refused(operation, file(&picture(4, 4), ImageFormat::Png));
    for operation in [
        json!({"operation": "create", "width": 1_000_000, "height": 1_000_000}),
        json!({"operation": "resize", "resizeOption": "percent", "width": 1e9, "height": 1e9}),
        json!({"operation": "border", "borderWidth": 9_999, "borderHeight": 9_999}),
        json!({"operation": "multiStep", "operations": {"operations": vec![json!({"operation": "resize",
            "resizeOption": "percent", "width": 10_000, "height": 10_000}); 9]}}),
    ] {
        let message = huge(operation);
        assert!(message.contains("is too large to work on"), "{message}");
    }
    // The head of a file may say anything: it is not believed further than the bounds.
    let mut bomb = file(&picture(4, 4), ImageFormat::Bmp);
    bomb[18..22].copy_from_slice(&30_000_u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&30_000_u32.to_le_bytes());
    let message = refused(json!({"operation": "information"}), bomb);
    assert!(message.contains("a picture of 30000 x 30000 pixels is too large"), "{message}");
}

#[test]
fn what_is_no_picture_or_no_operation_is_told_in_words() {
    let own = || file(&picture(4, 4), ImageFormat::Png);
    for (parameters, bytes, says) in [
        (json!({"operation": "blur"}), b"no picture".to_vec(), "the attachment is no picture"),
        (json!({"operation": "blur"}), own()[..40].to_vec(), "the attachment is no picture that can be read"),
        (json!({"operation": "blur", "dataPropertyName": "x"}), own(), "item 0 has no attachment 'x'"),
        (json!({"operation": "paint"}), own(), "'paint' is not an operation on pictures"),
        (json!({"operation": "border", "borderColor": "sky"}), own(), "'sky' is not a colour"),
        (json!({"operation": "crop", "positionX": 9}), own(), "nothing is left of the picture"),
        (json!({"operation": "rotate", "rotate": "much"}), own(), "'rotate' is not a number"),
        (json!({"operation": "shear", "degreesX": 90}), own(), "a picture is slanted by at most 89 degrees"),
        (json!({"operation": "blur", "options": {"format": "psd"}}), own(), "'psd' is not a format"),
        (json!({"operation": "composite", "operator": "Glue"}), own(), "'Glue' is not a way to put one picture"),
        (json!({"operation": "text", "fontSize": 0}), own(), "letters of 0 pixels cannot be drawn"),
        (json!({"operation": "text", "fontSize": 1001}), own(), "letters of 1001 pixels cannot be drawn"),
        (json!({"operation": "text", "text": "x".repeat(20_001)}), own(), "the text has more than 20000 characters"),
    ] {
        let message = refused(parameters, bytes);
        assert!(message.starts_with(says), "{message}");
    }
}

/// The first and the last column and row that are not red.
fn written(canvas: &RgbaImage) -> Option<[u32; 4]> {
    let places = || canvas.enumerate_pixels().filter(|(_, _, pixel)| **pixel != RED);
    let (columns, rows) = (|| places().map(|(x, _, _)| x), || places().map(|(_, y, _)| y));
    Some([columns().min()?, columns().max()?, rows().min()?, rows().max()?])
}

#[test]
fn text_is_written_with_its_foot_at_its_place_in_its_size_and_colour() {
    let write = |mut parameters: Value| {
        parameters["operation"] = json!("text");
        made(parameters, &RgbaImage::from_pixel(200, 120, RED))
    };
    let letter = write(json!({"text": "H", "fontSize": 40, "fontColor": "#0000ff", "positionX": 10, "positionY": 50}));
    let [left, right, top, bottom] = written(&letter).unwrap();
    // An H is 73 hundredths of the size high, and stands on its line.
    assert!((48..=50).contains(&bottom) && (19..=22).contains(&top), "{top} to {bottom}");
    assert!((10..=16).contains(&left) && (30..=42).contains(&right), "{left} to {right}");
    assert_eq!(*letter.get_pixel(16, 40), BLUE, "the left stem");
    assert_eq!(*letter.get_pixel(26, 25), RED, "between the stems");
    let small = written(&write(json!({"text": "H"}))).unwrap();
    assert!(small[0] >= 50 && small[3] <= 50 && small[3] - small[2] < 15, "18 pixels at 50, 50: {small:?}");
    let rows = |text: &str, most: u32| written(&write(json!({"text": text, "lineLength": most}))).unwrap();
    let one = rows("HH HH", 80);
    assert_eq!(one[2..], small[2..], "one line");
    for two in [rows("HH HH", 4), rows("HH\nHH", 80)] {
        assert!(two[1] < one[1] && (18..=24).contains(&(two[3] - one[3])), "{one:?} {two:?}");
    }
    assert_eq!(written(&write(json!({"text": "outside", "positionX": -5_000}))), None);
    assert_eq!(written(&write(json!({"text": "outside", "positionY": 1e12}))), None);
    assert_eq!(written(&write(json!({}))), None);
}

#[test]
fn text_is_a_step_among_others_and_a_font_that_is_named_changes_nothing() {
    let made = |font: Value| {
        let steps = json!({"operations": [
            {"operation": "create", "width": 90, "height": 60, "backgroundColor": "#ff0000"},
            {"operation": "text", "text": 2024, "fontColor": "#ffffff", "positionX": 5, "positionY": 40, "font": font},
            {"operation": "rotate", "rotate": 90}
        ]});
        let parameters = json!({"operation": "multiStep", "operations": steps});
        let output = bench(parameters, &[]).run().unwrap();
        let kept = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
        image::load_from_memory(&STANDARD.decode(&kept.data).unwrap()).unwrap().into_rgba8()
    };
    let turned = made(Value::Null);
    let [left, right, top, bottom] = written(&turned).unwrap();
    assert_eq!(turned.dimensions(), (60, 90));
    assert!(left >= 19 && right <= 35 && top >= 5 && bottom > 35, "{left} {right} {top} {bottom}");
    assert_eq!(made(json!("/usr/share/fonts/Arial.ttf")), turned);
}
