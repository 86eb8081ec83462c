//! Which parameters of a node count: those whose conditions hold for what the node says.

use serde_json::Value;

use super::{Condition, NodeDefinition, ParameterDefinition, Values};

/// How deep conditions may rest on conditions: no definition needs as many, and one that rests on itself ends here.
const DEPTH_MAX: usize = 8;

/// Parameters side by side, with what a node says for them.
#[derive(Clone, Copy)]
pub struct Level<'a> {
    /// Version of the node.
    pub version: f64,
    /// The node's own parameters, with their values.
    pub top: (&'a [ParameterDefinition], &'a Value),
    /// Those at hand: the same, or the fields of an entry.
    pub here: (&'a [ParameterDefinition], &'a Value),
}

impl<'a> Level<'a> {
    /// The parameters of a node itself.
    pub fn of(definition: &'a NodeDefinition, version: f64, parameters: &'a Value) -> Self {
        let top = (definition.parameters, parameters);
        Self { version, top, here: top }
    }

    /// The fields of an entry below it.
    #[must_use]
    pub fn within(&self, fields: &'a [ParameterDefinition], entry: &'a Value) -> Self {
        Self { here: (fields, entry), ..*self }
    }

    /// The parameters that count.
    pub fn shown(self) -> impl Iterator<Item = &'a ParameterDefinition> {
        self.here.0.iter().filter(move |parameter| self.shows(parameter))
    }

    /// Whether that parameter counts.
    pub fn shows(&self, parameter: &ParameterDefinition) -> bool {
        self.shows_at(parameter, 0)
    }

    /// Whether all of these hold.
    pub fn all_hold(&self, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| self.holds(condition, 0))
    }

    fn shows_at(&self, parameter: &ParameterDefinition, depth: usize) -> bool {
        parameter.versions.contain(self.version)
            && parameter.shown_when.iter().all(|condition| self.holds(condition, depth))
    }

    fn holds(&self, condition: &Condition, depth: usize) -> bool {
        if depth == DEPTH_MAX {
            return false;
        }
        match condition.parameter.strip_prefix('/') {
            Some(path) => Self { here: self.top, ..*self }.has(path, &condition.values, depth),
            None => self.has(condition.parameter, &condition.values, depth),
        }
    }

    /// Whether what is at that path is one of these values.
    fn has(&self, path: &str, values: &Values, depth: usize) -> bool {
        let (fields, said) = self.here;
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let same_name = fields.iter().filter(|field| field.name == name);
        let Some(field) = same_name.into_iter().find(|field| self.shows_at(field, depth + 1)) else { return false };
        let default = field.default.map(|default| default.to_json());
        let value = said.get(name).or(default.as_ref()).unwrap_or(&Value::Null);
        if let Some(rest) = rest {
            let fields: Vec<ParameterDefinition> = field.fields().copied().collect();
            return Level { here: (&fields, value), ..*self }.has(rest, values, depth + 1);
        }
        // What an expression gives is known when it runs: what may count is shown.
        is_expression(value) || values.to_json().contains(value)
    }
}

fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('='))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ParameterKind::{Boolean, Text};
    use super::*;

    const fn is(parameter: &'static str, words: &'static [&'static str]) -> Condition {
        Condition { parameter, values: Values::Words(words) }
    }

    const WHOLE: Condition = Condition { parameter: "whole", values: Values::Truth(true) };

    const PARAMETERS: &[ParameterDefinition] = &[
        ParameterDefinition::new("mode", Text, "").or_text("simple"),
        ParameterDefinition::new("whole", Boolean, "").when(&[is("mode", &["full"])]),
        ParameterDefinition::new("name", Text, "").when(&[WHOLE]),
        ParameterDefinition::new("old", Text, "").when(&[is("mode", &["simple"])]).since(2.0).until(2.9),
        ParameterDefinition::new("circle", Text, "").when(&[is("circle", &["x"])]),
    ];

    fn shown(version: f64, said: &Value) -> Vec<&'static str> {
        let definition = NodeDefinition { parameters: PARAMETERS, ..NodeDefinition::BLANK };
        let level = Level::of(&definition, version, said);
        level.shown().map(|parameter| parameter.name).collect()
    }

    #[test]
    fn a_parameter_counts_when_what_it_rests_on_does() {
        assert_eq!(shown(1.0, &json!({})), ["mode"], "the default is no `full`");
        assert_eq!(shown(2.1, &json!({})), ["mode", "old"]);
        assert_eq!(shown(3.0, &json!({"mode": "full"})), ["mode", "whole"]);
        assert_eq!(shown(1.0, &json!({"mode": "full", "whole": true})), ["mode", "whole", "name"]);
        assert_eq!(shown(1.0, &json!({"whole": true})), ["mode"], "`whole` itself does not count");
    }

    #[test]
    fn what_an_expression_decides_is_shown_and_a_circle_ends() {
        assert_eq!(shown(1.0, &json!({"mode": "={{ $json.mode }}"})), ["mode", "whole"]);
        assert_eq!(shown(1.0, &json!({"circle": "x"})), ["mode"]);
    }
}
