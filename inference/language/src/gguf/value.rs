//! What a file says of itself.

/// A value that a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Number(i64),
    /// A number with a fraction.
    Fraction(f64),
    /// True or false.
    Truth(bool),
    /// A text.
    Text(&'a str),
    /// Texts.
    Texts(Vec<&'a str>),
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Something that is not looked at.
    Other,
}
