//! One picture on another: how the pixels of both meet.

use image::{Rgba, RgbaImage};
use timeloom_engine::node::NodeError;

/// The ways in which two pictures can meet.
pub(super) const OPERATORS: &[&str] = &[
    "Add",
    "Atop",
    "Copy",
    "CopyBlue",
    "CopyGreen",
    "CopyOpacity",
    "CopyRed",
    "Difference",
    "In",
    "Minus",
    "Multiply",
    "Out",
    "Over",
    "Plus",
    "Subtract",
    "Xor",
];

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Operator(&'static str);

impl Operator {
    /// The operator of that name.
    ///
    /// # Errors
    /// [`NodeError`] that lists what is known.
    pub(super) fn named(name: &str) -> Result<Self, NodeError> {
        let found = OPERATORS.iter().find(|known| known.eq_ignore_ascii_case(name));
        found.map(|known| Self(known)).ok_or_else(|| {
            let known = OPERATORS.join(", ");
            NodeError::operation(format!("'{name}' is not a way to put one picture on another: use one of {known}"))
        })
    }
}

/// The first picture with the second on it, its corner at `place`. What sticks out is left out.
pub(super) fn compose(mut under: RgbaImage, over: &RgbaImage, operator: Operator, place: (i64, i64)) -> RgbaImage {
    for (x, y, pixel) in over.enumerate_pixels() {
        let at = |own: u32, place: i64| u32::try_from(i64::from(own).saturating_add(place)).ok();
        let (Some(x), Some(y)) = (at(x, place.0), at(y, place.1)) else { continue };
        if let Some(below) = under.get_pixel_mut_checked(x, y) {
            *below = met(*below, *pixel, operator);
        }
    }
    under
}

fn met(under: Rgba<u8>, over: Rgba<u8>, operator: Operator) -> Rgba<u8> {
    let (Rgba([.., under_alpha]), Rgba([.., over_alpha])) = (under, over);
    let (below, above) = (f64::from(under_alpha) / 255.0, f64::from(over_alpha) / 255.0);
    let copied = |channel: usize| {
        let mut pixel = under;
        pixel.0[channel] = over.0[channel];
        pixel
    };
    // How much of each colour stays, by the rules of Porter and Duff.
    let shares = match operator.0 {
        "Copy" => return over,
        "CopyRed" => return copied(0),
        "CopyGreen" => return copied(1),
        "CopyBlue" => return copied(2),
        "CopyOpacity" => return copied(3),
        "In" => (0.0, below),
        "Out" => (0.0, 1.0 - below),
        "Atop" => (1.0 - above, below),
        "Xor" => (1.0 - above, 1.0 - below),
        "Over" => (1.0 - above, 1.0),
        arithmetic => return calculated(under, over, arithmetic),
    };
    let (under_share, over_share) = (below * shares.0, above * shares.1);
    let alpha = under_share + over_share;
    let channel = |index: usize| {
        let sum = f64::from(under.0[index]) * under_share + f64::from(over.0[index]) * over_share;
        if alpha > 0.0 { (sum / alpha).round() as u8 } else { 0 }
    };
    Rgba([channel(0), channel(1), channel(2), (alpha * 255.0).round() as u8])
}

/// Colours as numbers; what is not opaque counts for less.
fn calculated(under: Rgba<u8>, over: Rgba<u8>, operator: &str) -> Rgba<u8> {
    let share = f64::from(over.0[3]) / 255.0;
    let channel = |index: usize| {
        let (below, above) = (f64::from(under.0[index]), f64::from(over.0[index]));
        let whole = match operator {
            "Plus" => (below + above).min(255.0),
            "Add" => (below + above).rem_euclid(256.0),
            "Minus" => (below - above).max(0.0),
            "Subtract" => (below - above).rem_euclid(256.0),
            "Difference" => (below - above).abs(),
            _ => below * above / 255.0,
        };
        (below + (whole - below) * share).round() as u8
    };
    Rgba([channel(0), channel(1), channel(2), under.0[3].max(over.0[3])])
}
