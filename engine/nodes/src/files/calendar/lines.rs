//! The lines of a calendar file: unfolded, split at their signs, and put into the components that they are of.

use timeloom_engine::node::NodeError;

/// Most components within each other: a calendar, an event, its alarm, and room for what some programs add.
const DEPTH_MAX: usize = 8;

/// A line: `NAME;PARAMETER=…:value`.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// In upper case.
    pub(super) name: String,
    /// Names in upper case, and values without their quotes.
    pub(super) parameters: Vec<(String, String)>,
    /// As it is written, with its escapes.
    pub(super) value: String,
}

impl Line {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value as a text: escapes stand for what they mean.
    pub(super) fn text(&self) -> String {
        unescaped(&self.value)
    }

    /// The value as texts with commas between them.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut characters = self.value.chars();
        while let Some(character) = characters.next() {
            let Some(last) = texts.last_mut() else { break };
            match character {
                '\\' => last.extend(['\\'].into_iter().chain(characters.next())),
                ',' => texts.push(String::new()),
                other => last.push(other),
            }
        }
        texts.iter().map(|text| unescaped(text)).filter(|text| !text.is_empty()).collect()
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n' | 'N') => plain.push('\n'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// A component: what stands between its `BEGIN` and its `END`.
#[derive(Debug, Default)]
pub(super) struct Component {
    /// In upper case.
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    pub(super) inner: Vec<Self>,
}

impl Component {
    pub(super) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    pub(super) fn named<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Self> {
        self.inner.iter().filter(move |component| component.name == name)
    }
}

/// The calendar of a file; where it has several, their components are those of one.
///
/// # Errors
/// [`NodeError`] when it is no calendar file, naming the line.
pub(super) fn calendar(text: &str) -> Result<Component, NodeError> {
    let refused = |number: usize, why: &str| {
        NodeError::operation(format!("the file is not a calendar that can be read: line {number} {why}"))
            .described("give a file as calendars export it, from BEGIN:VCALENDAR to END:VCALENDAR")
    };
    let mut calendar = Component { name: "VCALENDAR".to_owned(), ..Component::default() };
    let mut open: Vec<Component> = Vec::new();
    let mut last = 0;
    for (number, line) in unfolded(text) {
        last = number;
        let line = split(&line).ok_or_else(|| refused(number, "has no ':'"))?;
        let named = line.value.trim().to_ascii_uppercase();
        match line.name.as_str() {
            "BEGIN" if open.is_empty() && named != "VCALENDAR" => {
                return Err(refused(number, "begins something outside a calendar"));
            }
            "BEGIN" if open.len() == DEPTH_MAX => return Err(refused(number, "is too deep within others")),
            "BEGIN" => open.push(Component { name: named, ..Component::default() }),
            "END" => {
                let ended = open.pop().filter(|component| component.name == named);
                let ended = ended.ok_or_else(|| refused(number, "ends what did not begin"))?;
                match open.last_mut() {
                    Some(outer) => outer.inner.push(ended),
                    None => {
                        calendar.lines.extend(ended.lines);
                        calendar.inner.extend(ended.inner);
                    }
                }
            }
            _ => open.last_mut().ok_or_else(|| refused(number, "is outside a calendar"))?.lines.push(line),
        }
    }
    if last == 0 || !open.is_empty() {
        return Err(refused(last, "is the last, and no calendar ends there"));
    }
    Ok(calendar)
}

/// The lines with those that go on in the next put together, and the number of each one's first, from 1.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

fn split(line: &str) -> Option<Line> {
    let end = line.find([';', ':'])?;
    let (name, mut rest) = line.split_at(end);
    let mut parameters = Vec::new();
    while let Some(parameter) = rest.strip_prefix(';') {
        let (key, value) = parameter.split_once('=')?;
        let end = end_of_value(value)?;
        parameters.push((key.to_ascii_uppercase(), value[..end].replace('"', "")));
        rest = &value[end..];
    }
    Some(Line { name: name.to_ascii_uppercase(), parameters, value: rest.strip_prefix(':')?.to_owned() })
}

/// Where the value of a parameter ends; signs in quotes belong to it.
fn end_of_value(value: &str) -> Option<usize> {
    let mut quoted = false;
    value.find(|character| {
        quoted ^= character == '"';
        !quoted && matches!(character, ';' | ':')
    })
}
