//! The grammar of CSS selectors.

use timeloom_engine::node::NodeError;

/// Longest selector.
const SELECTOR_BYTES_MAX: usize = 4_096;
/// Deepest nesting of selectors in `:not()` and its like.
const DEPTH_MAX: usize = 8;

/// One selector: from the document on, step by step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Selector {
    /// How each step stands to the one before, and what it names.
    pub steps: Vec<(Combinator, Compound)>,
}

/// How an element stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Combinator {
    /// Somewhere inside it.
    Descendant,
    /// Directly inside it.
    Child,
    /// Directly after it.
    Next,
    /// Somewhere after it, with the same parent.
    Subsequent,
}

/// What is asked of one element.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Compound {
    /// Its name.
    pub name: Option<String>,
    /// Attributes, ids and classes among them.
    pub attributes: Vec<Attribute>,
    /// Pseudo-classes.
    pub pseudos: Vec<Pseudo>,
    /// Which of the elements found so far are kept.
    pub positions: Vec<Position>,
}

/// What is asked of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attribute {
    /// Its name.
    pub name: String,
    /// How the values compare.
    pub kind: Match,
    /// The value.
    pub value: String,
    /// Whether case counts.
    pub ignores_case: bool,
}

/// How an attribute's value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// `[a]`
    Exists,
    /// `[a=b]`
    Equals,
    /// `[a!=b]`
    Differs,
    /// `[a~=b]`
    Word,
    /// `[a|=b]`
    Language,
    /// `[a^=b]`
    Starts,
    /// `[a$=b]`
    Ends,
    /// `[a*=b]`
    Contains,
}

/// A pseudo-class.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pseudo {
    /// `:nth-child()`
    Nth(Formula),
    /// `:nth-last-child()`
    NthLast(Formula),
    /// `:nth-of-type()`
    NthOfType(Formula),
    /// `:nth-last-of-type()`
    NthLastOfType(Formula),
    /// `:only-child`
    OnlyChild,
    /// `:only-of-type`
    OnlyOfType,
    /// `:not()`
    Not(Vec<Selector>),
    /// `:is()`, `:where()`, `:matches()`
    Is(Vec<Selector>),
    /// `:has()`; whether children alone count.
    Has(bool, Vec<Selector>),
    /// `:contains()`
    Contains(String),
    /// `:empty`
    Empty,
    /// `:parent`
    Parent,
    /// `:root`
    Root,
    /// `:header`
    Header,
    /// `:input`
    Input,
    /// `:button`
    Button,
    /// `:checkbox` and its like
    InputOf(String),
    /// `:checked`, `:selected`
    Checked,
    /// `:disabled`
    Disabled,
    /// `:enabled`
    Enabled,
    /// `:link`, `:any-link`
    Link,
}

/// `step * n + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Formula {
    /// Of n.
    pub step: i64,
    /// Added to it.
    pub offset: i64,
}

/// Which of the elements found so far are kept, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// `:first`
    First,
    /// `:last`
    Last,
    /// `:eq()`
    At(i64),
    /// `:lt()`
    Before(i64),
    /// `:gt()`
    After(i64),
    /// `:even`
    Even,
    /// `:odd`
    Odd,
}

/// The selectors of a list.
///
/// # Errors
/// [`NodeError`] that says where it cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<Selector>, NodeError> {
    if text.len() > SELECTOR_BYTES_MAX {
        return Err(NodeError::operation(format!("the selector has more than {SELECTOR_BYTES_MAX} bytes")));
    }
    let mut parser = Parser { text, rest: text, depth: 0 };
    let selectors = parser.list()?;
    if parser.rest.is_empty() { Ok(selectors) } else { Err(parser.unreadable()) }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn unreadable(&self) -> NodeError {
        let place = self.text.len() - self.rest.len();
        let here = if self.rest.is_empty() { "its end".to_owned() } else { format!("'{}'", self.rest) };
        NodeError::operation(format!("the selector '{}' cannot be read at {here} (character {place})", self.text))
            .described("write it as in a style sheet: div.name > a[href]")
    }

    fn accept(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn blanks(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let some = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        some
    }

    fn list(&mut self) -> Result<Vec<Selector>, NodeError> {
        let mut selectors = Vec::new();
        loop {
            self.blanks();
            selectors.push(self.selector()?);
            self.blanks();
            if !self.accept(",") {
                return Ok(selectors);
            }
        }
    }

    fn selector(&mut self) -> Result<Selector, NodeError> {
        let mut selector = Selector::default();
        let mut combinator = self.combinator().unwrap_or(Combinator::Descendant);
        loop {
            selector.steps.push((combinator, self.compound()?));
            let blank = self.blanks();
            if self.rest.is_empty() || self.rest.starts_with([',', ')']) {
                return Ok(selector);
            }
            combinator = match self.combinator() {
                Some(combinator) => combinator,
                None if blank => Combinator::Descendant,
                None => return Err(self.unreadable()),
            };
        }
    }

    fn combinator(&mut self) -> Option<Combinator> {
        let known = [(">", Combinator::Child), ("+", Combinator::Next), ("~", Combinator::Subsequent)];
        let (token, combinator) = known.into_iter().find(|(token, _)| self.rest.starts_with(token))?;
        self.accept(token);
        self.blanks();
        Some(combinator)
    }

    fn compound(&mut self) -> Result<Compound, NodeError> {
        let mut compound = Compound::default();
        let before = self.rest;
        if !self.accept("*") && self.at_name() {
            compound.name = Some(self.name()?);
        }
        loop {
            if self.accept("#") {
                compound.attributes.push(exact("id", Match::Equals, self.name()?));
            } else if self.accept(".") {
                compound.attributes.push(exact("class", Match::Word, self.name()?));
            } else if self.accept("[") {
                compound.attributes.push(self.attribute()?);
            } else if self.accept("::") {
                return Err(self.unreadable());
            } else if self.accept(":") {
                self.pseudo(&mut compound)?;
            } else if self.rest.len() == before.len() {
                return Err(self.unreadable());
            } else {
                return Ok(compound);
            }
        }
    }

    fn at_name(&self) -> bool {
        self.rest.starts_with(is_name) || self.rest.starts_with('\\')
    }

    fn name(&mut self) -> Result<String, NodeError> {
        let mut name = String::new();
        while let Some(first) = self.rest.chars().next() {
            if is_name(first) {
                name.push(first);
                self.rest = &self.rest[first.len_utf8()..];
            } else if first == '\\' {
                self.rest = &self.rest[1..];
                let escaped = self.rest.chars().next().ok_or_else(|| self.unreadable())?;
                name.push(escaped);
                self.rest = &self.rest[escaped.len_utf8()..];
            } else {
                break;
            }
        }
        if name.is_empty() { Err(self.unreadable()) } else { Ok(name) }
    }

    fn attribute(&mut self) -> Result<Attribute, NodeError> {
        self.blanks();
        let name = self.name()?;
        self.blanks();
        if self.accept("]") {
            return Ok(exact(&name, Match::Exists, String::new()));
        }
        let operators = [
            ("=", Match::Equals),
            ("!=", Match::Differs),
            ("~=", Match::Word),
            ("|=", Match::Language),
            ("^=", Match::Starts),
            ("$=", Match::Ends),
            ("*=", Match::Contains),
        ];
        let found = operators.into_iter().find(|(token, _)| self.rest.starts_with(token));
        let (token, kind) = found.ok_or_else(|| self.unreadable())?;
        self.accept(token);
        self.blanks();
        let value = match self.rest.chars().next() {
            Some('"' | '\'') => self.quoted()?,
            _ => {
                let end = self.rest.find([']', ' ']).ok_or_else(|| self.unreadable())?;
                let (value, rest) = self.rest.split_at(end);
                self.rest = rest;
                value.to_owned()
            }
        };
        self.blanks();
        let ignores_case = self.accept("i") || self.accept("I");
        self.accept("s");
        self.blanks();
        if !self.accept("]") {
            return Err(self.unreadable());
        }
        Ok(Attribute { name, kind, value, ignores_case })
    }

    fn quoted(&mut self) -> Result<String, NodeError> {
        let mut characters = self.rest.char_indices();
        let Some((_, quote)) = characters.next() else { return Err(self.unreadable()) };
        let mut value = String::new();
        let mut escaped = false;
        for (place, character) in characters {
            if escaped {
                value.push(character);
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            } else {
                value.push(character);
            }
        }
        Err(self.unreadable())
    }

    fn pseudo(&mut self, compound: &mut Compound) -> Result<(), NodeError> {
        let name = self.name()?.to_ascii_lowercase();
        if let Some(pseudo) = plain(&name) {
            compound.pseudos.push(pseudo);
            return Ok(());
        }
        if let Some(position) = plain_position(&name) {
            compound.positions.push(position);
            return Ok(());
        }
        if !self.accept("(") {
            return Err(self.unsupported(&name));
        }
        self.blanks();
        match name.as_str() {
            "not" => compound.pseudos.push(Pseudo::Not(self.nested()?)),
            "is" | "where" | "matches" => compound.pseudos.push(Pseudo::Is(self.nested()?)),
            "has" => {
                let child_only = self.accept(">");
                compound.pseudos.push(Pseudo::Has(child_only, self.nested()?));
            }
            "contains" | "icontains" => {
                let text = match self.rest.chars().next() {
                    Some('"' | '\'') => self.quoted()?,
                    _ => self.until_closed()?.to_owned(),
                };
                compound.pseudos.push(Pseudo::Contains(text));
            }
            _ => self.numbered(&name, compound)?,
        }
        self.blanks();
        if self.accept(")") { Ok(()) } else { Err(self.unreadable()) }
    }

    fn numbered(&mut self, name: &str, compound: &mut Compound) -> Result<(), NodeError> {
        let argument = self.until_closed()?.trim();
        let number = argument.parse::<i64>().map_err(|_| self.unreadable());
        match name {
            "eq" => compound.positions.push(Position::At(number?)),
            "lt" => compound.positions.push(Position::Before(number?)),
            "gt" => compound.positions.push(Position::After(number?)),
            _ => {
                let formula = formula(argument).ok_or_else(|| self.unreadable());
                compound.pseudos.push(match name {
                    "nth-child" => Pseudo::Nth(formula?),
                    "nth-last-child" => Pseudo::NthLast(formula?),
                    "nth-of-type" => Pseudo::NthOfType(formula?),
                    "nth-last-of-type" => Pseudo::NthLastOfType(formula?),
                    _ => return Err(self.unsupported(name)),
                });
            }
        }
        Ok(())
    }

    fn nested(&mut self) -> Result<Vec<Selector>, NodeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(NodeError::operation(format!("the selector is nested more than {DEPTH_MAX} deep")));
        }
        let selectors = self.list();
        self.depth -= 1;
        selectors
    }

    fn until_closed(&mut self) -> Result<&'t str, NodeError> {
        let end = self.rest.find(')').ok_or_else(|| self.unreadable())?;
        let (argument, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(argument)
    }

    fn unsupported(&self, name: &str) -> NodeError {
        NodeError::operation(format!("the selector '{}' uses ':{name}', which is not supported", self.text))
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_') || !character.is_ascii()
}

fn exact(name: &str, kind: Match, value: String) -> Attribute {
    Attribute { name: name.to_owned(), kind, value, ignores_case: false }
}

fn plain(name: &str) -> Option<Pseudo> {
    let first = Formula { step: 0, offset: 1 };
    Some(match name {
        "first-child" => Pseudo::Nth(first),
        "last-child" => Pseudo::NthLast(first),
        "first-of-type" => Pseudo::NthOfType(first),
        "last-of-type" => Pseudo::NthLastOfType(first),
        "only-child" => Pseudo::OnlyChild,
        "only-of-type" => Pseudo::OnlyOfType,
        "empty" => Pseudo::Empty,
        "parent" => Pseudo::Parent,
        "root" => Pseudo::Root,
        "header" => Pseudo::Header,
        "input" => Pseudo::Input,
        "button" => Pseudo::Button,
        "checkbox" | "radio" | "text" | "password" | "submit" | "file" | "image" | "reset" => {
            Pseudo::InputOf(name.to_owned())
        }
        "checked" | "selected" => Pseudo::Checked,
        "disabled" => Pseudo::Disabled,
        "enabled" => Pseudo::Enabled,
        "link" | "any-link" => Pseudo::Link,
        _ => return None,
    })
}

fn plain_position(name: &str) -> Option<Position> {
    Some(match name {
        "first" => Position::First,
        "last" => Position::Last,
        "even" => Position::Even,
        "odd" => Position::Odd,
        _ => return None,
    })
}

/// `odd`, `even`, `3`, `2n+1`, `-n + 3`.
fn formula(text: &str) -> Option<Formula> {
    let text: String = text.to_ascii_lowercase().split_whitespace().collect();
    match text.as_str() {
        "odd" => return Some(Formula { step: 2, offset: 1 }),
        "even" => return Some(Formula { step: 2, offset: 0 }),
        _ => {}
    }
    let Some((step, offset)) = text.split_once('n') else {
        return Some(Formula { step: 0, offset: text.parse().ok()? });
    };
    let step = match step {
        "" | "+" => 1,
        "-" => -1,
        step => step.parse().ok()?,
    };
    Some(Formula { step, offset: if offset.is_empty() { 0 } else { offset.parse().ok()? } })
}
