//! Walks the tree of an expression for one item.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use timeloom_domain::item::{Item, Items};

use super::ast::{Binary, Element, Expr, Logical, Method, NodeAccess, Property, Root, Unary};
use super::value::Js;
use super::{BUDGET, Stop, Unsupported, functions, list_methods, number, text_methods};
use crate::scope::{Found, Lookup, Scope};

/// What expressions of one batch read: the scope, and the answers of other nodes so far.
pub(crate) struct Context<'s> {
    pub(crate) scope: &'s Scope,
    pub(crate) item_index: usize,
    /// Items of other nodes that this batch has asked for: asked once, not once per item.
    pub(crate) items_asked: &'s RefCell<Vec<(Box<str>, Items)>>,
}

/// An answer about another node, kept while one expression is evaluated.
pub(crate) enum Answer {
    Items(Items),
    Item(Box<Item>),
    /// The engine is to ask again, and to say what is wrong.
    Refused,
}

/// Empty places for the answers of `count` references.
pub(super) fn slots(count: usize) -> Vec<OnceCell<Answer>> {
    (0..count).map(|_| OnceCell::new()).collect()
}

/// The state of one evaluation.
pub(super) struct Machine<'a> {
    context: &'a Context<'a>,
    slots: &'a [OnceCell<Answer>],
    locals: Vec<Js<'a>>,
    spent: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(context: &'a Context<'a>, slots: &'a [OnceCell<Answer>]) -> Self {
        Self { context, slots, locals: Vec::new(), spent: 0 }
    }

    pub(super) fn run(mut self, expression: &'a Expr) -> Result<Js<'a>, Stop> {
        self.eval(expression)
    }

    /// Counts `cost` steps or bytes.
    pub(super) fn charge(&mut self, cost: usize) -> Result<(), Stop> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > BUDGET { Err(Unsupported.into()) } else { Ok(()) }
    }

    pub(super) fn eval(&mut self, expression: &'a Expr) -> Result<Js<'a>, Stop> {
        self.charge(1)?;
        match expression {
            Expr::Undefined => Ok(Js::Undefined),
            Expr::Null => Ok(Js::Null),
            Expr::Bool(bool) => Ok(Js::Bool(*bool)),
            Expr::Number(number) => Ok(Js::Number(*number)),
            Expr::Text(text) => Ok(Js::Text(Cow::Borrowed(text))),
            Expr::Interpolated(texts, values) => self.interpolate(texts, values),
            Expr::Array(elements) => self.array(elements),
            Expr::Object(properties) => self.object(properties),
            Expr::Root(root) => self.root(*root),
            Expr::Node { slot, name, access } => self.node(*slot, name, *access),
            Expr::Local(index) => self.locals.get(*index).cloned().ok_or(Stop::Unsupported),
            Expr::Unary(unary, operand) => self.unary(*unary, operand),
            Expr::Binary(binary, left, right) => {
                let left = self.eval(left)?;
                let right = self.eval(right)?;
                self.binary(*binary, &left, &right)
            }
            Expr::Logical(kind, left, right) => self.logical(*kind, left, right),
            Expr::Conditional(parts) => {
                let (condition, then, otherwise) = &**parts;
                let taken = if self.eval(condition)?.is_truthy() { then } else { otherwise };
                self.eval(taken)
            }
            Expr::Member { object, name, optional } => self.member(object, name, *optional),
            Expr::Index { object, index, optional } => {
                let target = self.eval(object)?;
                if *optional && target.is_nullish() {
                    return Err(Stop::ShortCircuit);
                }
                let index = self.eval(index)?;
                let value = target.index(&index)?;
                self.guard_env(object, value)
            }
            Expr::Method { object, method, arguments, optional } => {
                let target = self.object_of(object, *optional)?;
                self.method(&target, *method, arguments)
            }
            Expr::Call(function, arguments) => {
                let arguments = self.eval_all(arguments)?;
                functions::call(self, *function, &arguments)
            }
            Expr::Arrow { .. } => Err(Unsupported.into()),
            Expr::Chain(inner) => match self.eval(inner) {
                Err(Stop::ShortCircuit) => Ok(Js::Undefined),
                result => result,
            },
        }
    }

    pub(super) fn eval_all(&mut self, expressions: &'a [Expr]) -> Result<Vec<Js<'a>>, Stop> {
        expressions.iter().map(|expression| self.eval(expression)).collect()
    }

    fn object_of(&mut self, object: &'a Expr, optional: bool) -> Result<Js<'a>, Stop> {
        let target = self.eval(object)?;
        match (target.is_nullish(), optional) {
            (true, true) => Err(Stop::ShortCircuit),
            (true, false) => Err(Stop::Threw),
            (false, _) => Ok(target),
        }
    }

    fn member(&mut self, object: &'a Expr, name: &'a str, optional: bool) -> Result<Js<'a>, Stop> {
        let target = self.object_of(object, optional)?;
        if let (Js::Text(text), "length") = (&target, name) {
            self.charge(text.len() / 16)?;
        }
        let value = target.member(name)?;
        self.guard_env(object, value)
    }

    /// What happens to a name that `$env` does not have is for the sandbox to say.
    fn guard_env(&self, object: &Expr, value: Js<'a>) -> Result<Js<'a>, Stop> {
        if matches!(object, Expr::Root(Root::Env)) && matches!(value, Js::Undefined) {
            return Err(Unsupported.into());
        }
        Ok(value)
    }

    fn method(&mut self, target: &Js<'a>, method: Method, arguments: &'a [Expr]) -> Result<Js<'a>, Stop> {
        if target.array_len().is_some() {
            return list_methods::call(self, target, method, arguments);
        }
        if arguments.iter().any(|argument| matches!(argument, Expr::Arrow { .. })) {
            // Only arrays have methods that take functions in the subset; data has no functions at all.
            for argument in arguments.iter().filter(|argument| !matches!(argument, Expr::Arrow { .. })) {
                self.eval(argument)?;
            }
            return Err(if target.is_object() { Stop::Unsupported } else { Stop::Threw });
        }
        let arguments = self.eval_all(arguments)?;
        match target {
            Js::Text(text) => text_methods::call(self, text, method, &arguments),
            Js::Number(number) => functions::number_method(*number, method, &arguments),
            Js::Bool(_) if method == Method::ToString => Ok(Js::Text(target.to_text()?)),
            Js::Bool(_) => Err(Stop::Threw),
            _ => Err(Unsupported.into()),
        }
    }

    /// Calls the arrow function `function` with `arguments`.
    pub(super) fn call_arrow(
        &mut self,
        function: &'a Expr,
        arguments: [Js<'a>; 4],
        count: usize,
    ) -> Result<Js<'a>, Stop> {
        let Expr::Arrow { parameters, base, body } = function else { return Err(Unsupported.into()) };
        self.locals.truncate(*base);
        let given = arguments.into_iter().take(count).chain(std::iter::repeat(Js::Undefined));
        self.locals.extend(given.take(*parameters));
        let value = self.eval(body);
        self.locals.truncate(*base);
        value
    }

    fn interpolate(&mut self, texts: &'a [Box<str>], values: &'a [Expr]) -> Result<Js<'a>, Stop> {
        let mut joined = String::new();
        for (index, text) in texts.iter().enumerate() {
            joined.push_str(text);
            if let Some(value) = values.get(index) {
                joined.push_str(&self.eval(value)?.to_text()?);
            }
        }
        self.charge(joined.len())?;
        Ok(Js::text(joined))
    }

    fn array(&mut self, elements: &'a [Element]) -> Result<Js<'a>, Stop> {
        let mut array = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                Element::One(expression) => array.push(self.eval(expression)?),
                Element::Spread(expression) => {
                    let spread = self.eval(expression)?;
                    let count = spread.array_len().ok_or(Unsupported)?;
                    self.charge(count)?;
                    array.extend((0..count).filter_map(|index| spread.element(index)));
                }
            }
        }
        Ok(Js::array(array))
    }

    fn object(&mut self, properties: &'a [Property]) -> Result<Js<'a>, Stop> {
        let mut entries: Vec<(Cow<'a, str>, Js<'a>)> = Vec::with_capacity(properties.len());
        for property in properties {
            match property {
                Property::Named(key, value) => {
                    let value = self.eval(value)?;
                    self.set(&mut entries, Cow::Borrowed(key), value)?;
                }
                Property::Computed(key, value) => {
                    let key = self.eval(key)?.to_text()?;
                    if super::parser::is_guarded(&key) {
                        return Err(Unsupported.into());
                    }
                    let value = self.eval(value)?;
                    self.set(&mut entries, key, value)?;
                }
                Property::Spread(value) => {
                    let spread = self.eval(value)?;
                    if !matches!(spread, Js::Map(_) | Js::Object(_)) {
                        return Err(Unsupported.into());
                    }
                    for (key, value) in spread.entries()? {
                        self.set(&mut entries, key, value)?;
                    }
                }
            }
        }
        Ok(Js::Object(Rc::new(entries)))
    }

    fn set(&mut self, entries: &mut Vec<(Cow<'a, str>, Js<'a>)>, key: Cow<'a, str>, value: Js<'a>) -> Result<(), Stop> {
        self.charge(entries.len())?;
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
        Ok(())
    }

    fn unary(&mut self, unary: Unary, operand: &'a Expr) -> Result<Js<'a>, Stop> {
        let operand = self.eval(operand)?;
        Ok(match unary {
            Unary::Not => Js::Bool(!operand.is_truthy()),
            Unary::Minus => Js::Number(-operand.to_number()?),
            Unary::Plus => Js::Number(operand.to_number()?),
            Unary::TypeOf => Js::Text(Cow::Borrowed(operand.type_name())),
        })
    }

    fn logical(&mut self, kind: Logical, left: &'a Expr, right: &'a Expr) -> Result<Js<'a>, Stop> {
        let left = self.eval(left)?;
        let decided = match kind {
            Logical::And => !left.is_truthy(),
            Logical::Or => left.is_truthy(),
            Logical::Coalesce => !left.is_nullish(),
        };
        if decided { Ok(left) } else { self.eval(right) }
    }

    fn binary(&mut self, binary: Binary, left: &Js<'a>, right: &Js<'a>) -> Result<Js<'a>, Stop> {
        let numbers = |operation: fn(f64, f64) -> f64| Ok(Js::Number(operation(left.to_number()?, right.to_number()?)));
        match binary {
            Binary::Add => self.add(left, right),
            Binary::Subtract => numbers(|a, b| a - b),
            Binary::Multiply => numbers(|a, b| a * b),
            Binary::Divide => numbers(|a, b| a / b),
            Binary::Remainder => numbers(|a, b| a % b),
            Binary::Power => {
                let power = number::power(left.to_number()?, right.to_number()?);
                Ok(Js::Number(power.ok_or(Unsupported)?))
            }
            Binary::StrictEqual => Ok(Js::Bool(strict_equal(left, right)?)),
            Binary::StrictUnequal => Ok(Js::Bool(!strict_equal(left, right)?)),
            Binary::Equal => Ok(Js::Bool(loose_equal(left, right)?)),
            Binary::Unequal => Ok(Js::Bool(!loose_equal(left, right)?)),
            Binary::Less => compare(left, right, |order| order.is_lt()),
            Binary::LessEqual => compare(left, right, |order| order.is_le()),
            Binary::Greater => compare(left, right, |order| order.is_gt()),
            Binary::GreaterEqual => compare(left, right, |order| order.is_ge()),
        }
    }

    fn add(&mut self, left: &Js<'a>, right: &Js<'a>) -> Result<Js<'a>, Stop> {
        let is_text = |value: &Js<'a>| value.is_object() || matches!(value, Js::Text(_));
        if !is_text(left) && !is_text(right) {
            return Ok(Js::Number(left.to_number()? + right.to_number()?));
        }
        let joined = left.to_text()?.into_owned() + &right.to_text()?;
        self.charge(joined.len())?;
        Ok(Js::text(joined))
    }

    fn root(&self, root: Root) -> Result<Js<'a>, Stop> {
        let context = self.context;
        let scope = context.scope;
        let item = || scope.items.get(context.item_index).ok_or(Unsupported);
        let previous = || scope.previous.as_ref().ok_or(Unsupported);
        let text = |text: &'a str| Js::Text(Cow::Borrowed(text));
        Ok(match root {
            Root::Json => Js::Map(&item()?.json),
            Root::InputItem => Js::Item(item()?),
            Root::InputFirst => scope.items.first().map_or(Js::Undefined, Js::Item),
            Root::InputLast => scope.items.last().map_or(Js::Undefined, Js::Item),
            Root::InputAll => Js::Items(&scope.items),
            Root::ItemIndex => Js::Number(context.item_index as f64),
            Root::RunIndex => Js::Number(scope.run_index as f64),
            Root::Vars => Js::Map(&scope.vars),
            Root::Env => Js::Map(&scope.env),
            Root::ExecutionId => text(&scope.execution.id),
            Root::ExecutionMode => text(&scope.execution.mode),
            Root::ExecutionResumeUrl => text(&scope.execution.resume_url),
            Root::WorkflowId => text(&scope.workflow.id),
            Root::WorkflowName => text(&scope.workflow.name),
            Root::WorkflowActive => Js::Bool(scope.workflow.active),
            Root::PreviousName => text(&previous()?.name),
            Root::PreviousOutputIndex => Js::Number(previous()?.output_index as f64),
            Root::PreviousRunIndex => Js::Number(previous()?.run_index as f64),
        })
    }

    fn node(&self, slot: usize, name: &str, access: NodeAccess) -> Result<Js<'a>, Stop> {
        let slot = self.slots.get(slot).ok_or(Unsupported)?;
        let answer = slot.get_or_init(|| ask(self.context, name, access));
        let index = self.context.item_index;
        match (answer, access) {
            (Answer::Item(item), NodeAccess::Paired) => Ok(Js::Item(item)),
            (Answer::Items(items), NodeAccess::First) => Ok(items.first().map_or(Js::Undefined, Js::Item)),
            (Answer::Items(items), NodeAccess::Last) => Ok(items.last().map_or(Js::Undefined, Js::Item)),
            (Answer::Items(items), NodeAccess::All) => Ok(Js::Items(items)),
            (Answer::Items(items), NodeAccess::SameIndexJson) => {
                let item = items.get(index).ok_or(Unsupported)?;
                Ok(Js::Map(&item.json))
            }
            _ => Err(Unsupported.into()),
        }
    }
}

fn ask(context: &Context<'_>, name: &str, access: NodeAccess) -> Answer {
    if access == NodeAccess::Paired {
        let lookup = Lookup::PairedItem { node: name.to_owned(), item_index: context.item_index };
        return match context.scope.nodes.look_up(&lookup) {
            Ok(Found::Item(item)) => Answer::Item(item),
            _ => Answer::Refused,
        };
    }
    let asked = context.items_asked.borrow();
    if let Some((_, items)) = asked.iter().find(|(node, _)| **node == *name) {
        return Answer::Items(items.clone());
    }
    drop(asked);
    let lookup = Lookup::Items { node: name.to_owned(), output: None, run: None };
    match context.scope.nodes.look_up(&lookup) {
        Ok(Found::Items(items)) => {
            context.items_asked.borrow_mut().push((name.into(), items.clone()));
            Answer::Items(items)
        }
        _ => Answer::Refused,
    }
}

/// `===`. Whether two objects are the same one is not known here.
pub(super) fn strict_equal(left: &Js<'_>, right: &Js<'_>) -> Result<bool, Stop> {
    Ok(match (left, right) {
        (Js::Undefined, Js::Undefined) | (Js::Null, Js::Null) => true,
        (Js::Bool(a), Js::Bool(b)) => a == b,
        (Js::Number(a), Js::Number(b)) => a == b,
        (Js::Text(a), Js::Text(b)) => a == b,
        (a, b) if a.is_object() && b.is_object() => return Err(Unsupported.into()),
        _ => false,
    })
}

fn loose_equal(left: &Js<'_>, right: &Js<'_>) -> Result<bool, Stop> {
    match (left, right) {
        (Js::Undefined | Js::Null, other) | (other, Js::Undefined | Js::Null) => Ok(other.is_nullish()),
        (Js::Bool(_), Js::Bool(_)) => strict_equal(left, right),
        (Js::Bool(bool), other) | (other, Js::Bool(bool)) => {
            loose_equal(&Js::Number(f64::from(u8::from(*bool))), other)
        }
        (Js::Number(number), Js::Text(text)) | (Js::Text(text), Js::Number(number)) => {
            Ok(number::from_text(text) == *number)
        }
        (object, other) if object.is_object() && !other.is_object() => loose_equal(&Js::Text(object.to_text()?), other),
        (other, object) if object.is_object() && !other.is_object() => loose_equal(other, &Js::Text(object.to_text()?)),
        _ => strict_equal(left, right),
    }
}

fn compare<'a>(left: &Js<'a>, right: &Js<'a>, holds: fn(std::cmp::Ordering) -> bool) -> Result<Js<'a>, Stop> {
    let primitive =
        |value: &Js<'a>| Ok::<_, Stop>(if value.is_object() { Js::Text(value.to_text()?) } else { value.clone() });
    let order = match (primitive(left)?, primitive(right)?) {
        (Js::Text(a), Js::Text(b)) if a.is_ascii() && b.is_ascii() => Some(a.cmp(&b)),
        (Js::Text(a), Js::Text(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        (a, b) => a.to_number()?.partial_cmp(&b.to_number()?),
    };
    Ok(Js::Bool(order.is_some_and(holds)))
}
