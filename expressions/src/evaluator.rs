//! Evaluates parameters: natively where the subset reaches, in the JavaScript engine where it does not.
//!
//! Never crosses into the engine more than once for one call. Invariant: the answer does not depend on
//! which of the two gave it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use timeloom_domain::item::JsonObject;

use crate::native::{Compiled, Context, compile, evaluate};
use crate::port::{CodeMode, CodeOutput, Evaluated, ExpressionError, Job, Limits, ScriptEngine, ScriptSession};
use crate::scope::Scope;

/// Compiled templates kept in one generation of the cache.
const CACHE_TEMPLATES_MAX: usize = 4_096;
/// Source text kept in one generation of the cache, in bytes.
const CACHE_BYTES_MAX: usize = 2 << 20;

/// Longest time in which expressions are looked at for their syntax; what was not reached by then counts as right.
const SYNTAX_TIME_MAX: Duration = Duration::from_millis(250);

/// Shared by all executions of a process: the cache of compiled templates, and the JavaScript engine.
pub struct Evaluator {
    engine: Option<Arc<dyn ScriptEngine>>,
    cache: Mutex<Cache>,
}

/// Two generations: what the old one still answers moves to the young one, and the rest is forgotten with it.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<str>, Arc<Compiled>>,
    old: HashMap<Box<str>, Arc<Compiled>>,
    young_bytes: usize,
}

impl Evaluator {
    /// An evaluator. Without an engine, expressions outside the native subset are refused.
    pub fn new(engine: Option<Arc<dyn ScriptEngine>>) -> Arc<Self> {
        Arc::new(Self { engine, cache: Mutex::default() })
    }

    /// The handle of one execution. The engine's session is made when an expression first needs it.
    pub fn session(self: &Arc<Self>) -> Session {
        Session { evaluator: Arc::clone(self), script: None, limits: Limits::EXPRESSION }
    }

    /// Of each template (a text without the leading `=`), why it is no JavaScript; `None` where it is, where it has no code, and
    /// where no engine could look. Evaluates them over nothing, and tells nothing of what came of it.
    pub fn broken(self: &Arc<Self>, templates: &[&str]) -> Vec<Option<String>> {
        let is_foreign = |template: &&&str| matches!(*self.compiled(template), Compiled::Foreign);
        let foreign: Vec<&str> = templates.iter().filter(is_foreign).copied().collect();
        if foreign.is_empty() {
            return vec![None; templates.len()];
        }
        let jobs: Vec<Job<'_>> = foreign.iter().map(|template| Job { template, item_index: 0 }).collect();
        let mut session = self.session();
        session.set_limits(Limits { time_ms_max: SYNTAX_TIME_MAX, ..Limits::EXPRESSION });
        let answers = session.cross(&Scope::nowhere(), &jobs);
        let faults: HashMap<&str, String> = foreign
            .into_iter()
            .zip(answers)
            .filter_map(|(template, answer)| match answer {
                Err(ExpressionError::Syntax(why)) => Some((template, why)),
                _ => None,
            })
            .collect();
        templates.iter().map(|template| faults.get(template).cloned()).collect()
    }

    fn compiled(&self, template: &str) -> Arc<Compiled> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = cache.young.get(template) {
            return Arc::clone(compiled);
        }
        let compiled = cache.old.remove(template).unwrap_or_else(|| Arc::new(compile(template)));
        if cache.young.len() >= CACHE_TEMPLATES_MAX || cache.young_bytes + template.len() > CACHE_BYTES_MAX {
            cache.old = std::mem::take(&mut cache.young);
            cache.young_bytes = 0;
        }
        if template.len() <= CACHE_BYTES_MAX {
            cache.young_bytes += template.len();
            cache.young.insert(template.into(), Arc::clone(&compiled));
        }
        compiled
    }
}

/// Expressions of one execution. Scripts of one session may see what earlier scripts of it left behind.
pub struct Session {
    evaluator: Arc<Evaluator>,
    script: Option<Box<dyn ScriptSession>>,
    limits: Limits,
}

/// A parameter with its expressions evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved<'v> {
    /// It has no expressions: it is what it was.
    Unchanged(&'v Value),
    /// What it became.
    Evaluated(Evaluated),
}

impl Resolved<'_> {
    /// The value as it lands in an item; `None` for `undefined`.
    pub fn into_json(self) -> Option<Value> {
        match self {
            Self::Unchanged(value) => Some(value.clone()),
            Self::Evaluated(evaluated) => evaluated.into_json(),
        }
    }

    /// The value with its special kinds.
    pub fn into_evaluated(self) -> Evaluated {
        match self {
            Self::Unchanged(value) => Evaluated::Json(value.clone()),
            Self::Evaluated(evaluated) => evaluated,
        }
    }
}

/// The template of a parameter text, where it is an expression: what follows the leading `=`.
pub fn template_of(text: &str) -> Option<&str> {
    text.strip_prefix('=')
}

/// Whether any text in a parameter is an expression.
pub fn has_expressions(value: &Value) -> bool {
    match value {
        Value::String(text) => template_of(text).is_some(),
        Value::Array(elements) => elements.iter().any(has_expressions),
        Value::Object(members) => members.values().any(has_expressions),
        _ => false,
    }
}

impl Session {
    /// Sets the limits for each later crossing into the engine.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Evaluates templates (texts without the leading `=`); the answers are in the order of the jobs.
    pub fn resolve_batch(&mut self, scope: &Scope, jobs: &[Job<'_>]) -> Vec<Result<Evaluated, ExpressionError>> {
        let asked = RefCell::new(Vec::new());
        let mut known: Option<(&str, Arc<Compiled>)> = None;
        let mut answers = Vec::with_capacity(jobs.len());
        let mut foreign = Vec::new();
        for (place, job) in jobs.iter().enumerate() {
            let compiled = match &known {
                Some((template, compiled)) if std::ptr::eq(*template, job.template) => compiled,
                _ => &known.insert((job.template, self.evaluator.compiled(job.template))).1,
            };
            let context = Context { scope, item_index: job.item_index, items_asked: &asked };
            match evaluate(compiled, job.template, &context) {
                Ok(value) => answers.push(Ok(value)),
                Err(_) => {
                    foreign.push(place);
                    answers.push(Ok(Evaluated::Undefined));
                }
            }
        }
        if !foreign.is_empty() {
            let crossing: Vec<Job<'_>> = foreign.iter().map(|place| jobs[*place]).collect();
            for (place, answer) in foreign.into_iter().zip(self.cross(scope, &crossing)) {
                answers[place] = answer;
            }
        }
        answers
    }

    /// Evaluates one template (a text without the leading `=`).
    ///
    /// # Errors
    /// [`ExpressionError`] when the expression throws, is not JavaScript, or meets a limit.
    pub fn resolve_template(
        &mut self,
        scope: &Scope,
        template: &str,
        item_index: usize,
    ) -> Result<Evaluated, ExpressionError> {
        let mut answers = self.resolve_batch(scope, &[Job { template, item_index }]);
        answers.pop().unwrap_or(Ok(Evaluated::Undefined))
    }

    /// Evaluates every expression in a parameter, at any depth, for one item.
    ///
    /// A text that starts with `=` is an expression. `undefined` drops a member of an object, is null in an
    /// array, and is told apart at the top.
    ///
    /// # Errors
    /// The first [`ExpressionError`] in the order of the tree.
    pub fn resolve_value<'v>(
        &mut self,
        scope: &Scope,
        value: &'v Value,
        item_index: usize,
    ) -> Result<Resolved<'v>, ExpressionError> {
        let mut templates = Vec::new();
        collect_templates(value, &mut templates);
        if templates.is_empty() {
            return Ok(Resolved::Unchanged(value));
        }
        let jobs: Vec<Job<'_>> = templates.iter().map(|template| Job { template, item_index }).collect();
        let mut answers = self.resolve_batch(scope, &jobs).into_iter();
        rebuild(value, &mut answers).map(Resolved::Evaluated)
    }

    /// Evaluates every expression in a parameter for each item of a range, with one crossing in all.
    ///
    /// A parameter without expressions is borrowed. A top-level `undefined` is null; where that matters, use
    /// [`Session::resolve_evaluated_for_items`].
    pub fn resolve_for_items<'v>(
        &mut self,
        scope: &Scope,
        value: &'v Value,
        items: Range<usize>,
    ) -> Vec<Result<Cow<'v, Value>, ExpressionError>> {
        let resolved = self.resolve_evaluated_for_items(scope, value, items).into_iter();
        let as_value = |resolved| match resolved {
            Resolved::Unchanged(value) => Cow::Borrowed(value),
            Resolved::Evaluated(evaluated) => Cow::Owned(evaluated.into_json().unwrap_or(Value::Null)),
        };
        resolved.map(|resolved| resolved.map(as_value)).collect()
    }

    /// Like [`Session::resolve_for_items`], with `undefined` and special values told apart at the top.
    pub fn resolve_evaluated_for_items<'v>(
        &mut self,
        scope: &Scope,
        value: &'v Value,
        items: Range<usize>,
    ) -> Vec<Result<Resolved<'v>, ExpressionError>> {
        let mut templates = Vec::new();
        collect_templates(value, &mut templates);
        if templates.is_empty() {
            return items.map(|_| Ok(Resolved::Unchanged(value))).collect();
        }
        // By template, then by item: neighbours share their compiled form.
        let by_template =
            templates.iter().flat_map(|template| items.clone().map(move |item_index| Job { template, item_index }));
        let jobs: Vec<Job<'_>> = by_template.collect();
        let mut answers: Vec<Option<Result<Evaluated, ExpressionError>>> =
            self.resolve_batch(scope, &jobs).into_iter().map(Some).collect();
        let count = items.len();
        let resolve_one = |place: usize| {
            let mut own = (0..templates.len())
                .map(|template| answers[template * count + place].take().unwrap_or(Ok(Evaluated::Undefined)));
            rebuild(value, &mut own).map(Resolved::Evaluated)
        };
        (0..count).map(resolve_one).collect()
    }

    /// Runs a Code node's script over the scope's items.
    ///
    /// # Errors
    /// [`ExpressionError`] when it throws, returns what is not items, or meets a limit.
    pub fn run_code(
        &mut self,
        scope: &Scope,
        mode: CodeMode,
        code: &str,
        limits: Limits,
    ) -> Result<CodeOutput, ExpressionError> {
        let result = self.script()?.run_code(scope, mode, code, limits);
        self.forget_broken(result.as_ref().err());
        result
    }

    fn cross(&mut self, scope: &Scope, jobs: &[Job<'_>]) -> Vec<Result<Evaluated, ExpressionError>> {
        let limits = self.limits;
        let mut answers = match self.script() {
            Ok(script) => script.evaluate(scope, jobs, limits),
            Err(error) => return vec![Err(error); jobs.len()],
        };
        let fault = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| is_fault(error)));
        let fault = fault.cloned();
        self.forget_broken(fault.as_ref());
        let missing = || Err(ExpressionError::Fault("it gave fewer answers than it was asked for".to_owned()));
        answers.resize_with(jobs.len(), missing);
        answers
    }

    /// A session that failed by its own fault is not asked again.
    fn forget_broken(&mut self, error: Option<&ExpressionError>) {
        if error.is_some_and(is_fault) {
            self.script = None;
        }
    }

    fn script(&mut self) -> Result<&mut dyn ScriptSession, ExpressionError> {
        let script = match self.script.take() {
            Some(script) => script,
            None => {
                let none = || {
                    let message = "this expression needs the JavaScript engine, and none is configured";
                    ExpressionError::Fault(message.to_owned())
                };
                self.evaluator.engine.as_ref().ok_or_else(none)?.session()?
            }
        };
        Ok(&mut **self.script.insert(script))
    }
}

fn is_fault(error: &ExpressionError) -> bool {
    matches!(error, ExpressionError::Fault(_))
}

fn collect_templates<'v>(value: &'v Value, templates: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => templates.extend(template_of(text)),
        Value::Array(elements) => elements.iter().for_each(|element| collect_templates(element, templates)),
        Value::Object(members) => members.values().for_each(|member| collect_templates(member, templates)),
        _ => {}
    }
}

/// The parameter again, with an answer in the place of each expression; answers come in the order of the tree.
fn rebuild(
    value: &Value,
    answers: &mut dyn Iterator<Item = Result<Evaluated, ExpressionError>>,
) -> Result<Evaluated, ExpressionError> {
    Ok(Evaluated::Json(match value {
        Value::String(text) if template_of(text).is_some() => {
            return answers.next().unwrap_or(Ok(Evaluated::Undefined));
        }
        Value::Array(elements) => {
            let mut rebuilt = Vec::with_capacity(elements.len());
            for element in elements {
                rebuilt.push(rebuild(element, answers)?.into_json().unwrap_or(Value::Null));
            }
            Value::Array(rebuilt)
        }
        Value::Object(members) => {
            let mut rebuilt = JsonObject::with_capacity(members.len());
            for (key, member) in members {
                if let Some(json) = rebuild(member, answers)?.into_json() {
                    rebuilt.insert(key.clone(), json);
                }
            }
            Value::Object(rebuilt)
        }
        other => other.clone(),
    }))
}
