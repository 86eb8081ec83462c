//! Short forms for the data that describes a node type.

use timeloom_domain::catalogue::{ParameterDefinition, ParameterKind, Ports};

/// Ports of a node that has one input and one output.
pub(crate) const ONE_TO_ONE: Ports = ports(1, 1);

/// Ports of a trigger: no input, one output.
pub(crate) const TRIGGER: Ports = ports(0, 1);

/// Ports of a node that closes no loops.
pub(crate) const fn ports(inputs: usize, outputs: usize) -> Ports {
    Ports { inputs, outputs, closes_loops: false }
}

/// A parameter that has a default.
pub(crate) const fn optional(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition { name, kind, required: false, description }
}

/// A parameter without which a run fails.
pub(crate) const fn required(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition { name, kind, required: true, description }
}
