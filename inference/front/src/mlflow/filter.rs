//! Which models and versions are looked for: conditions that must all hold, such as `name LIKE 'mood%' AND version_number > 2`.

use timeloom_domain::model::ModelVersion;

use super::answer::{source, tags};
use super::refusal::Refusal;
use super::registry::Registered;

/// Most bytes of a filter.
const FILTER_BYTES_MAX: usize = 4 << 10;
/// Most conditions of a filter.
const CONDITIONS_MAX: usize = 32;

/// Conditions that must all hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq, Eq)]
struct Condition {
    of: Of,
    operator: Operator,
    value: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Of {
    Name,
    VersionNumber,
    RunId,
    SourcePath,
    Tag(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Like,
    LikeAnyCase,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Two letters at least come before one that is a part of them.
const SIGNS: [(&str, Operator); 6] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Filter {
    /// Reads a filter; an empty one holds for all.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(Refusal::invalid("the filter is too long: 4096 bytes are the most"));
        }
        let (mut rest, mut conditions) = (text.trim(), Vec::new());
        while !rest.is_empty() {
            if !conditions.is_empty() {
                rest = word(rest, "and").ok_or_else(|| wrong("conditions are joined by AND"))?;
            }
            if conditions.len() == CONDITIONS_MAX {
                return Err(wrong("32 conditions are the most"));
            }
            let (condition, after) = Condition::parse(rest)?;
            conditions.push(condition);
            rest = after.trim_start();
        }
        Ok(Self(conditions))
    }

    /// Whether a model is looked for.
    pub fn takes_model(&self, registered: &Registered) -> Result<bool, Refusal> {
        let holds = |condition: &Condition| match condition.of {
            Of::Name => condition.holds_for(&registered.name),
            Of::Tag(_) => Ok(condition.holds_for_none()),
            _ => Err(wrong("models are looked for by 'name'")),
        };
        all(&self.0, holds)
    }

    /// Whether a version is looked for.
    pub fn takes_version(&self, registered: &Registered, known: &ModelVersion) -> Result<bool, Refusal> {
        let holds = |condition: &Condition| match &condition.of {
            Of::Name => condition.holds_for(&registered.name),
            Of::VersionNumber => condition.holds_for_number(known.version),
            // Versions come from no runs here.
            Of::RunId => condition.holds_for(""),
            Of::SourcePath => condition.holds_for(&source(known)),
            Of::Tag(key) => match tags(known).iter().find(|(own, _)| own == key) {
                Some((_, value)) => condition.holds_for(value),
                None => Ok(condition.holds_for_none()),
            },
        };
        all(&self.0, holds)
    }
}

fn all(conditions: &[Condition], holds: impl Fn(&Condition) -> Result<bool, Refusal>) -> Result<bool, Refusal> {
    for condition in conditions {
        if !holds(condition)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Condition {
    fn parse(text: &str) -> Result<(Self, &str), Refusal> {
        let end = text.find(|letter: char| !is_of_name(letter)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (of, rest) = match name {
            "name" => (Of::Name, rest),
            "version_number" => (Of::VersionNumber, rest),
            "run_id" => (Of::RunId, rest),
            "source_path" => (Of::SourcePath, rest),
            tag => {
                let key = tag.strip_prefix("tags.").or_else(|| tag.strip_prefix("tag."));
                let key = key.ok_or_else(|| wrong("say 'name', 'version_number', 'source_path' or 'tags.KEY'"))?;
                let (key, rest) = if key.is_empty() { quoted(rest, &['`', '"'])? } else { (key, rest) };
                (Of::Tag(key.to_owned()), rest)
            }
        };
        let (operator, rest) = Operator::parse(rest.trim_start())?;
        let (value, rest) = value(rest.trim_start())?;
        Ok((Self { of, operator, value: value.to_owned() }, rest))
    }

    /// What is not there is not that value: clients leave prompts out in this way.
    fn holds_for_none(&self) -> bool {
        self.operator == Operator::NotEqual
    }

    fn holds_for(&self, text: &str) -> Result<bool, Refusal> {
        match self.operator {
            Operator::Equal => Ok(text == self.value),
            Operator::NotEqual => Ok(text != self.value),
            Operator::Like => Ok(is_like(text, &self.value)),
            Operator::LikeAnyCase => Ok(is_like(&text.to_lowercase(), &self.value.to_lowercase())),
            _ => Err(wrong("texts are compared by =, !=, LIKE and ILIKE")),
        }
    }

    fn holds_for_number(&self, number: u32) -> Result<bool, Refusal> {
        let wanted: u32 = self.value.parse().map_err(|_| wrong("'version_number' is compared with a whole number"))?;
        match self.operator {
            Operator::Equal => Ok(number == wanted),
            Operator::NotEqual => Ok(number != wanted),
            Operator::Less => Ok(number < wanted),
            Operator::LessOrEqual => Ok(number <= wanted),
            Operator::Greater => Ok(number > wanted),
            Operator::GreaterOrEqual => Ok(number >= wanted),
            Operator::Like | Operator::LikeAnyCase => {
                Err(wrong("'version_number' is compared by =, !=, <, <=, > and >="))
            }
        }
    }
}

impl Operator {
    fn parse(text: &str) -> Result<(Self, &str), Refusal> {
        if let Some(rest) = word(text, "like") {
            return Ok((Self::Like, rest));
        }
        if let Some(rest) = word(text, "ilike") {
            return Ok((Self::LikeAnyCase, rest));
        }
        let found = SIGNS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
        found.ok_or_else(|| wrong("values are compared by =, !=, <, <=, >, >=, LIKE and ILIKE"))
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

/// What follows a word that is written in any case.
fn word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (beginning, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(is_of_name);
    (beginning.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start())
}

/// A value, and what follows it: a number, or a text in quotation marks.
fn value(text: &str) -> Result<(&str, &str), Refusal> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    if end > 0 {
        return Ok(text.split_at(end));
    }
    quoted(text, &['\'', '"'])
}

fn quoted<'t>(text: &'t str, marks: &[char]) -> Result<(&'t str, &'t str), Refusal> {
    let open = text.chars().next().filter(|mark| marks.contains(mark));
    let found = open.and_then(|mark| text.get(1..)?.split_once(mark));
    found.ok_or_else(|| wrong("texts stand in quotation marks, as in name = 'mood'"))
}

/// Whether a text is as a pattern says, in which `%` is any text and `_` any letter. It never looks at more than one length
/// times the other.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of, mut back) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some('%') => {
                back = Some((of, at));
                of += 1;
            }
            Some(letter) if *letter == '_' || text.get(at) == Some(letter) => {
                at += 1;
                of += 1;
            }
            _ => {
                // The last `%` takes one letter more.
                let Some((place, taken)) = back else { return false };
                back = Some((place, taken + 1));
                of = place + 1;
                at = taken + 1;
            }
        }
    }
    pattern.iter().skip(of).all(|letter| *letter == '%')
}

fn wrong(what: &str) -> Refusal {
    Refusal::invalid(format!("the filter cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_any_text_for_a_percent_sign_and_any_letter_for_an_underscore() {
        for (text, pattern, is) in [
            ("mood", "mood", true),
            ("mood", "m%", true),
            ("mood", "%d", true),
            ("mood", "%o%o%", true),
            ("mood", "m__d", true),
            ("mood", "m_d", false),
            ("mood", "", false),
            ("", "%%", true),
            ("moody", "%mood", false),
            ("aaab", "%aab", true),
        ] {
            assert_eq!(is_like(text, pattern), is, "{text} {pattern}");
        }
    }

    #[test]
    fn filters_are_read_or_say_what_is_wrong() {
        let read = Filter::parse("name ILIKE 'M%' and version_number>=2 AND tag.`a b` != \"x\"").unwrap();
        assert_eq!(read.0.len(), 3);
        assert_eq!(
            read.0[2],
            Condition { of: Of::Tag("a b".to_owned()), operator: Operator::NotEqual, value: "x".to_owned() }
        );
        assert_eq!(Filter::parse("  ").unwrap(), Filter::default());
        for (text, told) in [
            ("mood", "say 'name'"),
            ("name = mood", "quotation marks"),
            ("name 'mood'", "are compared by"),
            ("name = 'a' OR name = 'b'", "joined by AND"),
            ("name = 'a' AND", "say 'name'"),
            ("name = 'ä", "quotation marks"),
        ] {
            let wrong = Filter::parse(text).unwrap_err().to_string();
            assert!(wrong.contains(told), "{text}: {wrong}");
        }
        assert!(Filter::parse(&"x".repeat(5_000)).is_err());
    }
}
