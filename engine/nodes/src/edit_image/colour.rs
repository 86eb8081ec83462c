//! Colours as authors write them.

use image::Rgba;
use timeloom_engine::node::NodeError;

/// Colours that have names.
const NAMED: [(&str, [u8; 4]); 10] = [
    ("black", [0, 0, 0, 255]),
    ("white", [255, 255, 255, 255]),
    ("red", [255, 0, 0, 255]),
    ("green", [0, 128, 0, 255]),
    ("blue", [0, 0, 255, 255]),
    ("yellow", [255, 255, 0, 255]),
    ("gray", [128, 128, 128, 255]),
    ("grey", [128, 128, 128, 255]),
    ("transparent", [0, 0, 0, 0]),
    ("none", [0, 0, 0, 0]),
];

/// The colour of a text: `#rgb`, `#rrggbb` or `#rrggbbtt`, where `tt` says how transparent it is (`00` not at all, `ff`
/// wholly), as files have it; or a name.
///
/// # Errors
/// [`NodeError`] when it is none.
pub(super) fn colour(text: &str) -> Result<Rgba<u8>, NodeError> {
    let text = text.trim();
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        NodeError::operation(format!("'{shown}' is not a colour: write it as #ff0000"))
    };
    if let Some((_, colour)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(Rgba(*colour));
    }
    let digits = text.strip_prefix('#').ok_or_else(wrong)?;
    let values: Option<Vec<u8>> =
        digits.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    match values.ok_or_else(wrong)?.as_slice() {
        [red, green, blue] => Ok(Rgba([red * 17, green * 17, blue * 17, 255])),
        [a, b, c, d, e, f] => Ok(Rgba([a * 16 + b, c * 16 + d, e * 16 + f, 255])),
        [a, b, c, d, e, f, g, h] => Ok(Rgba([a * 16 + b, c * 16 + d, e * 16 + f, 255 - (g * 16 + h)])),
        _ => Err(wrong()),
    }
}
