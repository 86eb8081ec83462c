//! In which order models and versions are told, and which page of them.

use std::cmp::Ordering;

use serde_json::Value;

use super::parameters::Parameters;
use super::refusal::Refusal;

/// Most fields by which is ordered.
const FIELDS_MAX: usize = 8;

/// What something is ordered by.
pub(super) struct Keys<'k> {
    pub name: &'k str,
    pub version: u32,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// Fields, and whether the greatest comes first.
pub(super) struct Order(Vec<(By, bool)>);

#[derive(Clone, Copy)]
enum By {
    Name,
    Version,
    Created,
    Updated,
}

impl Order {
    /// Reads fields such as `name DESC`.
    pub fn parse(fields: &[&str]) -> Result<Self, Refusal> {
        if fields.len() > FIELDS_MAX {
            return Err(Refusal::invalid("8 fields are the most by which is ordered"));
        }
        let wrong = |field: &str| {
            let field: String = field.chars().take(100).collect();
            Refusal::invalid(format!(
                "'order_by' cannot be '{field}': say name, version_number, creation_timestamp or last_updated_timestamp, \
                 and ASC or DESC after it"
            ))
        };
        let read = |field: &&str| {
            let mut words = field.split_whitespace();
            let by = match words.next() {
                Some("name") => By::Name,
                Some("version_number") => By::Version,
                Some("creation_timestamp") => By::Created,
                Some("last_updated_timestamp" | "timestamp") => By::Updated,
                _ => return Err(wrong(field)),
            };
            let is_down = match words.next() {
                None => false,
                Some(word) if word.eq_ignore_ascii_case("asc") => false,
                Some(word) if word.eq_ignore_ascii_case("desc") => true,
                Some(_) => return Err(wrong(field)),
            };
            if words.next().is_some() { Err(wrong(field)) } else { Ok((by, is_down)) }
        };
        Ok(Self(fields.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Which of two comes first. Those that are alike stay as they are.
    pub fn compare(&self, one: &Keys<'_>, two: &Keys<'_>) -> Ordering {
        let by = |(by, is_down): &(By, bool)| {
            let order = match by {
                By::Name => one.name.cmp(two.name),
                By::Version => one.version.cmp(&two.version),
                By::Created => one.created_ms.cmp(&two.created_ms),
                By::Updated => one.updated_ms.cmp(&two.updated_ms),
            };
            if *is_down { order.reverse() } else { order }
        };
        self.0.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The part of a list that is wanted.
pub(super) struct Page {
    from: usize,
    most: usize,
}

impl Page {
    /// Reads which part is wanted, of at most `most` each.
    pub fn of(parameters: &Parameters, usual: usize, most: usize) -> Result<Self, Refusal> {
        let count = parameters.whole("max_results")?.map_or(Some(usual), |count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=most).contains(count));
        let count = count.ok_or_else(|| Refusal::invalid(format!("'max_results' must be 1 to {most}")))?;
        let from = match parameters.text("page_token")?.filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => token.parse().map_err(|_| {
                Refusal::invalid("'page_token' is none that was given here: leave it out to begin again")
            })?,
        };
        Ok(Self { from, most: count })
    }

    /// That part of a list, and the token of what follows it.
    pub fn cut<T>(&self, all: Vec<T>, write: impl FnMut(T) -> Value) -> (Vec<Value>, String) {
        let end = self.from.saturating_add(self.most);
        let next = if end < all.len() { end.to_string() } else { String::new() };
        (all.into_iter().skip(self.from).take(self.most).map(write).collect(), next)
    }
}
