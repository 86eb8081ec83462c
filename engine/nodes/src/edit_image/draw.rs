//! Lines, circles and rectangles.

use image::{Pixel as _, Rgba, RgbaImage};
use timeloom_engine::node::NodeError;

/// What can be drawn.
pub(super) const PRIMITIVES: &[&str] = &["line", "circle", "rectangle"];

/// Something to be drawn.
pub(super) struct Shape {
    kind: Kind,
    start: (f64, f64),
    end: (f64, f64),
}

enum Kind {
    /// From one point to another.
    Line,
    /// Around the first point, through the second.
    Circle,
    /// With the points as corners, which may be round.
    Rectangle { radius: f64 },
}

impl Shape {
    /// The shape of that name, with its numbers.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or what should be a number is none.
    pub(super) fn read(name: &str, number: impl Fn(&str, f64) -> Result<f64, NodeError>) -> Result<Self, NodeError> {
        let kind = match name {
            "line" => Kind::Line,
            "circle" => Kind::Circle,
            "rectangle" => Kind::Rectangle { radius: number("cornerRadius", 0.0)?.max(0.0) },
            other => {
                let known = PRIMITIVES.join(", ");
                return Err(NodeError::operation(format!("'{other}' cannot be drawn: use one of {known}")));
            }
        };
        let start = (number("startPositionX", 50.0)?, number("startPositionY", 50.0)?);
        let end = (number("endPositionX", 250.0)?, number("endPositionY", 250.0)?);
        Ok(Self { kind, start, end })
    }

    /// The picture with the shape on it.
    pub(super) fn draw(&self, mut canvas: RgbaImage, colour: Rgba<u8>) -> RgbaImage {
        let ((left, top), (right, bottom)) = self.bounds();
        let range = |first: f64, last: f64, own: u32| {
            let own = f64::from(own);
            (first.floor().clamp(0.0, own) as u32, (last.ceil() + 1.0).clamp(0.0, own) as u32)
        };
        let ((first_x, end_x), (first_y, end_y)) =
            (range(left, right, canvas.width()), range(top, bottom, canvas.height()));
        for y in first_y..end_y {
            for x in first_x..end_x {
                if self.covers(f64::from(x), f64::from(y)) {
                    canvas.get_pixel_mut(x, y).blend(&colour);
                }
            }
        }
        canvas
    }

    fn bounds(&self) -> ((f64, f64), (f64, f64)) {
        match self.kind {
            Kind::Circle => {
                let (radius, (x, y)) = (self.radius(), self.start);
                ((x - radius, y - radius), (x + radius, y + radius))
            }
            _ => {
                let ((x0, y0), (x1, y1)) = (self.start, self.end);
                ((x0.min(x1), y0.min(y1)), (x0.max(x1), y0.max(y1)))
            }
        }
    }

    fn radius(&self) -> f64 {
        (self.end.0 - self.start.0).hypot(self.end.1 - self.start.1)
    }

    /// Whether the pixel at that place is part of the shape.
    fn covers(&self, x: f64, y: f64) -> bool {
        let ((left, top), (right, bottom)) = self.bounds();
        match self.kind {
            Kind::Circle => (x - self.start.0).hypot(y - self.start.1) <= self.radius(),
            Kind::Rectangle { radius } => {
                let radius = radius.min((right - left) / 2.0).min((bottom - top) / 2.0);
                let beyond = |place: f64, first: f64, last: f64| (first - place).max(place - last).max(0.0);
                let is_within = x >= left && x <= right && y >= top && y <= bottom;
                let corner_x = beyond(x, left + radius, right - radius);
                let corner_y = beyond(y, top + radius, bottom - radius);
                is_within && corner_x.hypot(corner_y) <= radius
            }
            Kind::Line => {
                let (along_x, along_y) = (self.end.0 - self.start.0, self.end.1 - self.start.1);
                let length = along_x.hypot(along_y);
                let (dx, dy) = (x - self.start.0, y - self.start.1);
                if length == 0.0 {
                    return dx.hypot(dy) <= 0.5;
                }
                let place = (dx * along_x + dy * along_y) / length;
                // One pixel wide, whichever way it goes.
                let away = (dx * along_y - dy * along_x).abs() / along_x.abs().max(along_y.abs());
                away <= 0.5 && place >= -0.5 && place <= length + 0.5
            }
        }
    }
}
