//! A native evaluator of a closed subset of JavaScript: what most parameters of most workflows are written in.
//!
//! Never answers where it is not sure to answer as a JavaScript engine does: it says `Unsupported` and the
//! caller asks the engine. Invariant: every evaluation ends within a fixed budget of steps and bytes.

pub(crate) mod ast;
mod eval;
mod functions;
mod lexer;
mod list_methods;
mod number;
mod parser;
mod stringify;
mod text_methods;
mod value;

use serde_json::Value;
use timeloom_domain::definition::template::{Part, Template, split};

use crate::port::{Evaluated, SpecialKind};

pub(crate) use eval::Context;
use eval::Machine;
use parser::Program;
use value::Js;

/// Steps and bytes that one evaluation may use before the engine, which has a clock, takes over.
const BUDGET: usize = 4_000_000;

/// The code, or what it met, is outside the subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// Why evaluation stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Unsupported,
    /// A `TypeError`, which makes the value of the expression `undefined`.
    Threw,
    /// `?.` met nothing: the chain around it is `undefined`.
    ShortCircuit,
}

impl From<Unsupported> for Stop {
    fn from(_: Unsupported) -> Self {
        Self::Unsupported
    }
}

/// A template, read once and evaluated for many items.
#[derive(Debug)]
pub(crate) enum Compiled {
    /// No code: the text itself.
    Text,
    /// One sole `{{ }}`.
    Code(Program),
    /// Text and code by turns.
    Mixed(Vec<CompiledPart>),
    /// Some of its code is outside the subset.
    Foreign,
}

/// One part of a mixed template.
#[derive(Debug)]
pub(crate) enum CompiledPart {
    Text(Box<str>),
    Code(Program),
}

/// Reads a template.
pub(crate) fn compile(template: &str) -> Compiled {
    match split(template) {
        Template::Text(_) => Compiled::Text,
        // n8n looks for this word in text and code alike.
        _ if template.contains("constructor") => Compiled::Foreign,
        Template::Code(code) => parser::parse(&code).map_or(Compiled::Foreign, Compiled::Code),
        Template::Mixed(parts) => {
            let parts = parts.into_iter().map(|part| match part {
                Part::Text(text) => Ok(CompiledPart::Text(text.into())),
                Part::Code(code) => parser::parse(&code).map(CompiledPart::Code),
            });
            parts.collect::<Result<_, _>>().map_or(Compiled::Foreign, Compiled::Mixed)
        }
    }
}

/// Evaluates a compiled template. `text` is the text that it was compiled from.
pub(crate) fn evaluate(compiled: &Compiled, text: &str, context: &Context<'_>) -> Result<Evaluated, Unsupported> {
    match compiled {
        Compiled::Text => Ok(Evaluated::Json(Value::String(text.to_owned()))),
        Compiled::Code(program) => {
            let slots = eval::slots(program.slots);
            match Machine::new(context, &slots).run(&program.expression) {
                Ok(value) => finish(value),
                Err(Stop::Threw) => Ok(Evaluated::Undefined),
                Err(_) => Err(Unsupported),
            }
        }
        Compiled::Mixed(parts) => join(parts, context).map(|text| Evaluated::Json(Value::String(text))),
        Compiled::Foreign => Err(Unsupported),
    }
}

fn finish(value: Js<'_>) -> Result<Evaluated, Unsupported> {
    if let Js::Number(number) = value
        && !number.is_finite()
    {
        let kind = if number.is_nan() { SpecialKind::Nan } else { SpecialKind::Infinity };
        return Ok(Evaluated::Special { kind, json: Value::Null });
    }
    match value.into_json() {
        Ok(Some(json)) => Ok(Evaluated::Json(json)),
        Ok(None) => Ok(Evaluated::Undefined),
        Err(_) => Err(Unsupported),
    }
}

/// Text and values joined; a value that is falsy, but neither 0 nor false, adds nothing.
fn join(parts: &[CompiledPart], context: &Context<'_>) -> Result<String, Unsupported> {
    let mut joined = String::new();
    for part in parts {
        let program = match part {
            CompiledPart::Text(text) => {
                joined.push_str(text);
                continue;
            }
            CompiledPart::Code(program) => program,
        };
        let slots = eval::slots(program.slots);
        let value = match Machine::new(context, &slots).run(&program.expression) {
            Ok(value) => value,
            Err(Stop::Threw) => continue,
            Err(_) => return Err(Unsupported),
        };
        let is_kept = match &value {
            Js::Bool(_) => true,
            Js::Number(number) => !number.is_nan(),
            value => value.is_truthy(),
        };
        if is_kept {
            joined.push_str(&value.to_text().map_err(|_| Unsupported)?);
        }
    }
    Ok(joined)
}
