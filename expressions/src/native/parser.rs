//! Reads code of the native subset into a tree.
//!
//! Never tells a syntax error from code outside the subset: both are `Unsupported`, and the JavaScript
//! engine says which. Invariant: the height of a tree is bounded, so that walking it cannot overflow the stack.

use super::ast::{Binary, Element, Expr, Function, Logical, Method, NodeAccess, Property, Root, Unary};
use super::lexer::{Lexer, Token};
use super::{Stop, Unsupported};

/// Longest code that is read natively, in bytes.
const CODE_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of brackets, conditionals and calls.
const NESTING_MAX: usize = 64;
/// Most operators and member accesses that follow one another.
const CHAIN_MAX: usize = 256;

/// What was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Program {
    pub(crate) expression: Expr,
    /// How many references to other nodes it has.
    pub(crate) slots: usize,
}

/// Reads one piece of code.
pub(crate) fn parse(code: &str) -> Result<Program, Stop> {
    if code.len() > CODE_BYTES_MAX {
        return Err(Unsupported.into());
    }
    let mut parser = Parser {
        lexer: Lexer { source: code, position: 0 },
        current: Token::End,
        locals: Vec::new(),
        nesting: 0,
        chained: 0,
        slots: 0,
    };
    parser.advance()?;
    let expression = parser.expression()?;
    if parser.current != Token::End {
        return Err(Unsupported.into());
    }
    Ok(Program { expression, slots: parser.slots })
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    current: Token<'a>,
    locals: Vec<&'a str>,
    nesting: usize,
    chained: usize,
    slots: usize,
}

impl<'a> Parser<'a> {
    fn advance(&mut self) -> Result<Token<'a>, Stop> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.current, next))
    }

    fn at(&self, sign: &str) -> bool {
        matches!(&self.current, Token::Sign(current) if *current == sign)
    }

    fn accept(&mut self, sign: &str) -> Result<bool, Stop> {
        let found = self.at(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: &str) -> Result<(), Stop> {
        if self.accept(sign)? { Ok(()) } else { Err(Unsupported.into()) }
    }

    fn chain(&mut self) -> Result<(), Stop> {
        self.chained += 1;
        if self.chained > CHAIN_MAX { Err(Unsupported.into()) } else { Ok(()) }
    }

    /// A conditional or anything that binds tighter. No comma, no assignment, no bare arrow.
    fn expression(&mut self) -> Result<Expr, Stop> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(Unsupported.into());
        }
        let condition = self.binary(0)?;
        let parsed = if self.accept("?")? {
            let then = self.expression()?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            Expr::Conditional(Box::new((condition, then, otherwise)))
        } else {
            condition
        };
        self.nesting -= 1;
        Ok(parsed)
    }

    fn binary(&mut self, strength_min: u8) -> Result<Expr, Stop> {
        let mut left = self.unary()?;
        // `??` may not stand beside `&&` or `||` without brackets.
        let mut logical: Option<Logical> = None;
        while let Token::Sign(sign) = self.current {
            let Some((strength, operator)) = operator(sign) else { break };
            if strength < strength_min {
                break;
            }
            self.chain()?;
            self.advance()?;
            if sign == "**" && matches!(left, Expr::Unary(..)) {
                return Err(Unsupported.into());
            }
            let right = self.binary(if sign == "**" { strength } else { strength + 1 })?;
            left = match operator {
                Operator::Binary(binary) => Expr::Binary(binary, Box::new(left), Box::new(right)),
                Operator::Logical(kind) => {
                    let coalesces = kind == Logical::Coalesce;
                    let mixes = |other: Logical| (other == Logical::Coalesce) != coalesces;
                    if logical.is_some_and(mixes) || bare_logical(&right).is_some_and(mixes) {
                        return Err(Unsupported.into());
                    }
                    logical = Some(kind);
                    Expr::Logical(kind, Box::new(left), Box::new(right))
                }
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Stop> {
        let unary = match self.current {
            Token::Sign("!") => Unary::Not,
            Token::Sign("-") => Unary::Minus,
            Token::Sign("+") => Unary::Plus,
            Token::Name("typeof") => Unary::TypeOf,
            _ => return self.postfix(),
        };
        self.chain()?;
        self.advance()?;
        Ok(Expr::Unary(unary, Box::new(self.unary()?)))
    }

    fn postfix(&mut self) -> Result<Expr, Stop> {
        let mut left = self.primary()?;
        let mut has_optional = false;
        loop {
            let optional = self.at("?.");
            if self.at(".") || optional {
                self.chain()?;
                self.advance()?;
                has_optional |= optional;
                if optional && self.at("[") {
                    left = self.index(left, true)?;
                    continue;
                }
                let name = self.property_name()?;
                left = self.member(left, name, optional)?;
            } else if self.at("[") {
                self.chain()?;
                left = self.index(left, false)?;
            } else {
                break;
            }
        }
        // A call of a value and a tagged template are outside the subset.
        if self.at("(") || self.current == Token::Backtick {
            return Err(Unsupported.into());
        }
        Ok(if has_optional { Expr::Chain(Box::new(left)) } else { left })
    }

    fn property_name(&mut self) -> Result<&'a str, Stop> {
        match self.advance()? {
            Token::Name(name) => Ok(name),
            _ => Err(Unsupported.into()),
        }
    }

    fn member(&mut self, object: Expr, name: &str, optional: bool) -> Result<Expr, Stop> {
        let object = Box::new(object);
        if !self.at("(") {
            if is_guarded(name) {
                return Err(Unsupported.into());
            }
            return Ok(Expr::Member { object, name: name.into(), optional });
        }
        let method = Method::from_name(name).ok_or(Unsupported)?;
        let arguments = self.arguments(method)?;
        Ok(Expr::Method { object, method, arguments, optional })
    }

    fn index(&mut self, object: Expr, optional: bool) -> Result<Expr, Stop> {
        self.expect("[")?;
        let index = self.expression()?;
        self.expect("]")?;
        let object = Box::new(object);
        match index {
            Expr::Text(name) if is_guarded(&name) => Err(Unsupported.into()),
            Expr::Text(name) => Ok(Expr::Member { object, name, optional }),
            index => Ok(Expr::Index { object, index: Box::new(index), optional }),
        }
    }

    fn arguments(&mut self, method: Method) -> Result<Box<[Expr]>, Stop> {
        let takes_callback = matches!(
            method,
            Method::Map
                | Method::Filter
                | Method::Find
                | Method::FindIndex
                | Method::Some
                | Method::Every
                | Method::Reduce
        );
        self.expect("(")?;
        let mut arguments = Vec::new();
        if takes_callback {
            arguments.push(self.arrow()?);
            if self.accept(",")? && !self.at(")") {
                arguments.push(self.expression()?);
            }
            self.expect(")")?;
            return Ok(arguments.into());
        }
        self.rest_of_arguments(arguments)
    }

    fn rest_of_arguments(&mut self, mut arguments: Vec<Expr>) -> Result<Box<[Expr]>, Stop> {
        while !self.accept(")")? {
            arguments.push(self.expression()?);
            if !self.at(")") {
                self.expect(",")?;
            }
        }
        Ok(arguments.into())
    }

    /// `x => body` or `(x, y) => body`, with an expression for its body.
    fn arrow(&mut self) -> Result<Expr, Stop> {
        let base = self.locals.len();
        if self.accept("(")? {
            while !self.accept(")")? {
                self.parameter(base)?;
                if !self.at(")") {
                    self.expect(",")?;
                }
            }
        } else {
            self.parameter(base)?;
        }
        self.expect("=>")?;
        if self.at("{") {
            return Err(Unsupported.into());
        }
        let parameters = self.locals.len() - base;
        let body = Box::new(self.expression()?);
        self.locals.truncate(base);
        Ok(Expr::Arrow { parameters, base, body })
    }

    fn parameter(&mut self, base: usize) -> Result<(), Stop> {
        let Token::Name(name) = self.advance()? else { return Err(Unsupported.into()) };
        if is_reserved(name) || name.starts_with('$') || self.locals[base..].contains(&name) {
            return Err(Unsupported.into());
        }
        self.locals.push(name);
        Ok(())
    }

    fn primary(&mut self) -> Result<Expr, Stop> {
        if self.current == Token::Backtick {
            return self.interpolated();
        }
        match self.advance()? {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text.into())),
            Token::Name(name) => self.named(name),
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                // What stands in brackets is no longer a bare operator for the rules on mixing operators.
                Ok(match inner {
                    Expr::Logical(..) | Expr::Unary(..) => Expr::Chain(Box::new(inner)),
                    inner => inner,
                })
            }
            Token::Sign("[") => self.array(),
            Token::Sign("{") => self.object(),
            _ => Err(Unsupported.into()),
        }
    }

    /// A template literal. The lexer stands right behind the backtick, because it reads one token ahead at most.
    fn interpolated(&mut self) -> Result<Expr, Stop> {
        let (mut texts, mut values) = (Vec::new(), Vec::new());
        loop {
            let (text, continues) = self.lexer.template_text()?;
            texts.push(text.into_boxed_str());
            if !continues {
                break;
            }
            self.current = self.lexer.next()?;
            values.push(self.expression()?);
            if !self.at("}") {
                return Err(Unsupported.into());
            }
        }
        self.current = self.lexer.next()?;
        Ok(Expr::Interpolated(texts.into(), values.into()))
    }

    fn array(&mut self) -> Result<Expr, Stop> {
        let mut elements = Vec::new();
        while !self.accept("]")? {
            let spread = self.accept("...")?;
            let value = self.expression()?;
            elements.push(if spread { Element::Spread(value) } else { Element::One(value) });
            if !self.at("]") {
                self.expect(",")?;
            }
        }
        Ok(Expr::Array(elements.into()))
    }

    fn object(&mut self) -> Result<Expr, Stop> {
        let mut properties = Vec::new();
        while !self.accept("}")? {
            properties.push(self.property()?);
            if !self.at("}") {
                self.expect(",")?;
            }
        }
        Ok(Expr::Object(properties.into()))
    }

    fn property(&mut self) -> Result<Property, Stop> {
        if self.accept("...")? {
            return Ok(Property::Spread(self.expression()?));
        }
        if self.accept("[")? {
            let key = self.expression()?;
            self.expect("]")?;
            self.expect(":")?;
            return Ok(Property::Computed(key, self.expression()?));
        }
        let key: Box<str> = match self.advance()? {
            Token::Name(name) => {
                if let (true, Some(index)) = (self.at(",") || self.at("}"), self.local(name)) {
                    return Ok(Property::Named(name.into(), Expr::Local(index)));
                }
                name.into()
            }
            Token::Text(text) => text.into(),
            Token::Number(number) => super::number::to_text(number).into(),
            _ => return Err(Unsupported.into()),
        };
        if is_guarded(&key) {
            return Err(Unsupported.into());
        }
        self.expect(":")?;
        Ok(Property::Named(key, self.expression()?))
    }

    fn local(&self, name: &str) -> Option<usize> {
        self.locals.iter().rposition(|local| *local == name)
    }

    fn named(&mut self, name: &str) -> Result<Expr, Stop> {
        if let Some(index) = self.local(name) {
            return Ok(Expr::Local(index));
        }
        let plain = match name {
            "true" => Expr::Bool(true),
            "false" => Expr::Bool(false),
            "null" => Expr::Null,
            "undefined" => Expr::Undefined,
            "NaN" => Expr::Number(f64::NAN),
            "Infinity" => Expr::Number(f64::INFINITY),
            "$json" => Expr::Root(Root::Json),
            "$itemIndex" => Expr::Root(Root::ItemIndex),
            "$runIndex" => Expr::Root(Root::RunIndex),
            "$vars" => Expr::Root(Root::Vars),
            "$env" if self.at(".") || self.at("[") => Expr::Root(Root::Env),
            "$input" => return self.input(),
            "$" => return self.other_node(),
            "$node" => return self.old_node(),
            "$execution" | "$workflow" | "$prevNode" => return self.info(name),
            _ => return self.function(name),
        };
        Ok(plain)
    }

    fn input(&mut self) -> Result<Expr, Stop> {
        self.expect(".")?;
        let root = match self.property_name()? {
            "item" => Root::InputItem,
            "first" => self.empty_call(Root::InputFirst)?,
            "last" => self.empty_call(Root::InputLast)?,
            "all" => self.empty_call(Root::InputAll)?,
            _ => return Err(Unsupported.into()),
        };
        Ok(Expr::Root(root))
    }

    fn empty_call<T>(&mut self, value: T) -> Result<T, Stop> {
        self.expect("(")?;
        self.expect(")")?;
        Ok(value)
    }

    fn literal_text(&mut self) -> Result<Box<str>, Stop> {
        match self.advance()? {
            Token::Text(text) => Ok(text.into()),
            _ => Err(Unsupported.into()),
        }
    }

    /// `$('X').item` and its siblings.
    fn other_node(&mut self) -> Result<Expr, Stop> {
        self.expect("(")?;
        let name = self.literal_text()?;
        self.expect(")")?;
        self.expect(".")?;
        let access = match self.property_name()? {
            "item" => NodeAccess::Paired,
            "first" => self.empty_call(NodeAccess::First)?,
            "last" => self.empty_call(NodeAccess::Last)?,
            "all" => self.empty_call(NodeAccess::All)?,
            _ => return Err(Unsupported.into()),
        };
        Ok(self.node(name, access))
    }

    /// `$node["X"].json` and `$node.X.json`.
    fn old_node(&mut self) -> Result<Expr, Stop> {
        let name = if self.accept(".")? {
            self.property_name()?.into()
        } else {
            self.expect("[")?;
            let name = self.literal_text()?;
            self.expect("]")?;
            name
        };
        self.expect(".")?;
        match self.property_name()? {
            "json" => Ok(self.node(name, NodeAccess::SameIndexJson)),
            _ => Err(Unsupported.into()),
        }
    }

    fn node(&mut self, name: Box<str>, access: NodeAccess) -> Expr {
        let slot = self.slots;
        self.slots += 1;
        Expr::Node { slot, name, access }
    }

    fn info(&mut self, name: &str) -> Result<Expr, Stop> {
        self.expect(".")?;
        Ok(Expr::Root(match (name, self.property_name()?) {
            ("$execution", "id") => Root::ExecutionId,
            ("$execution", "mode") => Root::ExecutionMode,
            ("$execution", "resumeUrl") => Root::ExecutionResumeUrl,
            ("$workflow", "id") => Root::WorkflowId,
            ("$workflow", "name") => Root::WorkflowName,
            ("$workflow", "active") => Root::WorkflowActive,
            ("$prevNode", "name") => Root::PreviousName,
            ("$prevNode", "outputIndex") => Root::PreviousOutputIndex,
            ("$prevNode", "runIndex") => Root::PreviousRunIndex,
            _ => return Err(Unsupported.into()),
        }))
    }

    fn function(&mut self, name: &str) -> Result<Expr, Stop> {
        let function = if self.accept(".")? {
            let member = self.property_name()?;
            Function::from_name(&format!("{name}.{member}"))
        } else {
            Function::from_name(name)
        };
        let function = function.ok_or(Unsupported)?;
        self.expect("(")?;
        let arguments = self.rest_of_arguments(Vec::new())?;
        Ok(Expr::Call(function, arguments))
    }
}

enum Operator {
    Binary(Binary),
    Logical(Logical),
}

/// How tightly an operator binds, and what it does.
fn operator(sign: &str) -> Option<(u8, Operator)> {
    let binary = |strength, binary| Some((strength, Operator::Binary(binary)));
    match sign {
        "||" => Some((1, Operator::Logical(Logical::Or))),
        "??" => Some((1, Operator::Logical(Logical::Coalesce))),
        "&&" => Some((2, Operator::Logical(Logical::And))),
        "==" => binary(3, Binary::Equal),
        "!=" => binary(3, Binary::Unequal),
        "===" => binary(3, Binary::StrictEqual),
        "!==" => binary(3, Binary::StrictUnequal),
        "<" => binary(4, Binary::Less),
        "<=" => binary(4, Binary::LessEqual),
        ">" => binary(4, Binary::Greater),
        ">=" => binary(4, Binary::GreaterEqual),
        "+" => binary(5, Binary::Add),
        "-" => binary(5, Binary::Subtract),
        "*" => binary(6, Binary::Multiply),
        "/" => binary(6, Binary::Divide),
        "%" => binary(6, Binary::Remainder),
        "**" => binary(7, Binary::Power),
        _ => None,
    }
}

fn bare_logical(expression: &Expr) -> Option<Logical> {
    match expression {
        Expr::Logical(kind, ..) => Some(*kind),
        _ => None,
    }
}

/// Names that the sandbox guards: reading them is left to it.
pub(super) fn is_guarded(name: &str) -> bool {
    matches!(
        name,
        "constructor"
            | "prototype"
            | "mainModule"
            | "binding"
            | "_load"
            | "_linkedBinding"
            | "caller"
            | "callee"
            | "arguments"
            | "extend"
            | "extendOptional"
            | "getPrototypeOf"
            | "setPrototypeOf"
            | "getOwnPropertyDescriptor"
            | "getOwnPropertyDescriptors"
            | "defineProperty"
            | "defineProperties"
            | "prepareStackTrace"
            | "captureStackTrace"
    ) || name.starts_with("__")
}

/// Words that may not name a parameter.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 52] = [
        "true",
        "false",
        "null",
        "undefined",
        "NaN",
        "Infinity",
        "typeof",
        "new",
        "this",
        "function",
        "class",
        "in",
        "of",
        "instanceof",
        "void",
        "delete",
        "return",
        "if",
        "else",
        "for",
        "while",
        "do",
        "switch",
        "case",
        "default",
        "break",
        "continue",
        "throw",
        "try",
        "catch",
        "finally",
        "var",
        "let",
        "const",
        "async",
        "await",
        "yield",
        "import",
        "export",
        "super",
        "with",
        "debugger",
        "enum",
        "static",
        "implements",
        "interface",
        "package",
        "private",
        "protected",
        "public",
        "arguments",
        "eval",
    ];
    RESERVED.contains(&name) || is_guarded(name)
}
