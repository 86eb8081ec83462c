//! Integers that an `Int` does not hold are refused before anything is resolved, wherever in the document or the variables they
//! stand: a resolver that is never reached cannot refuse them.
//!
//! One pass over an operation, its fragments and the variables that it uses; each fragment and variable is looked at once for
//! each place that it is used in.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Name, Number, Pos, ServerError, ServerResult, Value as ConstValue, Variables};
use async_graphql_value::Value;

use crate::documents::operation;

/// The least and the most.
type Range = (i64, i64);
/// What the specification lets an `Int` be.
const INT: Range = (-2_147_483_648, 2_147_483_647);
/// What an `Int` may be that needs more than 32 bits: whole numbers that JSON's readers hold without loss.
const WIDE_INT: Range = (-(1 << 53) + 1, (1 << 53) - 1);
/// The fields of inputs that may need more than 32 bits: windows of months in milliseconds, bytes, tokens.
const WIDE: [(&str, &str); 4] = [
    ("SetGatewayLimitInput", "most"),
    ("SetGatewayLimitInput", "windowMs"),
    ("SetGatewayProviderInput", "answerBytesMax"),
    ("SetGatewayRouteInput", "cacheAgeMsMax"),
];

/// The operation that a request names, for what looks at its document.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen(pub Option<String>);

/// Makes the check of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Integers;

impl ExtensionFactory for Integers {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Integers {
    async fn parse_query(
        &self,
        context: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(context, query, variables).await?;
        let chosen = context.data_opt::<Chosen>().and_then(|chosen| chosen.0.as_deref());
        // Which operation is meant, where that is not clear, is for validation to say.
        if let Some(operation) = operation(&document, chosen) {
            Look::new(&context.schema_env.registry, &document, operation, variables).operation()?;
        }
        Ok(document)
    }
}

/// The pass over one operation. What does not fit the schema in another way is passed over: validation tells of it.
struct Look<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    fragments: HashSet<&'a str>,
    /// Variables with the type and the range of the place that they were looked at for.
    used: HashSet<(String, &'a str, Range)>,
}

impl<'a> Look<'a> {
    fn new(
        registry: &'a Registry,
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        Self { registry, document, operation, variables, fragments: HashSet::new(), used: HashSet::new() }
    }

    fn operation(&mut self) -> ServerResult<()> {
        let root = match self.operation.ty {
            OperationType::Query => Some(&self.registry.query_type),
            OperationType::Mutation => self.registry.mutation_type.as_ref(),
            OperationType::Subscription => self.registry.subscription_type.as_ref(),
        };
        let root = root.and_then(|name| self.registry.types.get(name));
        self.set(&self.operation.selection_set.node, root)
    }

    fn set(&mut self, set: &'a SelectionSet, of: Option<&'a MetaType>) -> ServerResult<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let Some(known) = of.and_then(|of| of.field_by_name(&field.name.node)) else { continue };
                    for (name, value) in &field.arguments {
                        if let Some(argument) = known.args.get(name.node.as_str()) {
                            self.value(&value.node, &argument.ty, INT, (name.node.as_str(), value.pos))?;
                        }
                    }
                    self.set(&field.selection_set.node, self.registry.concrete_type_by_name(&known.ty))?;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let of = condition.map_or(of, |on| self.registry.types.get(on.node.on.node.as_str()));
                    self.set(&fragment.node.selection_set.node, of)?;
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            }
        }
        Ok(())
    }

    fn fragment(&mut self, name: &str) -> ServerResult<()> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else { return Ok(()) };
        if !self.fragments.insert(name) {
            return Ok(());
        }
        let of = self.registry.types.get(fragment.node.type_condition.node.on.node.as_str());
        self.set(&fragment.node.selection_set.node, of)
    }

    /// A value at a place of that type.
    fn value<V: Given>(&mut self, value: &V, of: &'a str, range: Range, place: (&str, Pos)) -> ServerResult<()> {
        if let Some(name) = value.variable() {
            return self.variable(name, of, range, place);
        }
        match MetaTypeName::create(of) {
            MetaTypeName::NonNull(of) => self.value(value, of, range, place),
            MetaTypeName::List(of) => match value.list() {
                Some(values) => values.iter().try_for_each(|value| self.value(value, of, range, place)),
                None => self.value(value, of, range, place),
            },
            MetaTypeName::Named("Int") => match value.number() {
                Some(number) if !fits(number, range) => Err(out_of_range(number, range, place)),
                _ => Ok(()),
            },
            MetaTypeName::Named(of) => {
                let known = self.registry.types.get(of);
                let (Some(fields), Some(MetaType::InputObject { name, input_fields, .. })) = (value.object(), known)
                else {
                    return Ok(());
                };
                fields.iter().try_for_each(|(field, value)| {
                    let Some(known) = input_fields.get(field.as_str()) else { return Ok(()) };
                    let range = if WIDE.contains(&(name.as_str(), field.as_str())) { WIDE_INT } else { INT };
                    self.value(value, &known.ty, range, (field.as_str(), place.1))
                })
            }
        }
    }

    fn variable(&mut self, name: &str, of: &'a str, range: Range, place: (&str, Pos)) -> ServerResult<()> {
        if !self.used.insert((name.to_owned(), of, range)) {
            return Ok(());
        }
        let variables = self.variables;
        let mut definitions = self.operation.variable_definitions.iter().map(|known| &known.node);
        let value = variables.get(name).or_else(|| {
            let defined = definitions.find(|known| known.name.node.as_str() == name)?;
            defined.default_value.as_ref().map(|default| &default.node)
        });
        value.map_or(Ok(()), |value| self.value(value, of, range, place))
    }
}

/// A value as a document or its variables have it.
trait Given: Sized {
    fn variable(&self) -> Option<&str>;
    fn number(&self) -> Option<&Number>;
    fn list(&self) -> Option<&[Self]>;
    fn object(&self) -> Option<&IndexMap<Name, Self>>;
}

macro_rules! given {
    ($value:ident, $variable:expr) => {
        impl Given for $value {
            fn variable(&self) -> Option<&str> {
                let of: fn(&Self) -> Option<&str> = $variable;
                of(self)
            }

            fn number(&self) -> Option<&Number> {
                if let Self::Number(number) = self { Some(number) } else { None }
            }

            fn list(&self) -> Option<&[Self]> {
                if let Self::List(values) = self { Some(values) } else { None }
            }

            fn object(&self) -> Option<&IndexMap<Name, Self>> {
                if let Self::Object(fields) = self { Some(fields) } else { None }
            }
        }
    };
}

given!(Value, |value| if let Value::Variable(name) = value { Some(name) } else { None });
given!(ConstValue, |_| None);

/// Numbers with a fraction are for validation to refuse.
fn fits(number: &Number, (least, most): Range) -> bool {
    number.is_f64() || number.as_i64().is_some_and(|number| (least..=most).contains(&number))
}

fn out_of_range(number: &Number, (least, most): Range, (name, pos): (&str, Pos)) -> ServerError {
    let message = format!("'{name}' is {number}, which is no Int: give a whole number from {least} to {most}");
    ServerError::new(message, Some(pos))
}
