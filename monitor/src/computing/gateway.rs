//! What is told of calls to language models.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Bars, US, each, histogram};

/// Billionths of a unit of a currency.
const NANOS: f64 = 1e9;

/// The calls of a route. All only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteNumbers {
    /// Whose route it is.
    pub tenant: String,
    /// The route; nothing for calls of all that have no name.
    pub route: String,
    /// Calls that ended, by how.
    pub calls: [(&'static str, u64); 5],
    /// Tokens, by direction.
    pub tokens: [(&'static str, u64); 2],
    /// What they cost by currency, in billionths.
    pub cost: Vec<(String, u64)>,
    /// From coming in to the end, in microseconds.
    pub call_us: Bars,
}

/// The attempts at a provider's model. All only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNumbers {
    /// Whose provider it is.
    pub tenant: String,
    /// The provider.
    pub provider: String,
    /// Its name for the model.
    pub model: String,
    /// Attempts that ended, by how.
    pub attempts: [(&'static str, u64); 2],
    /// How long they took, in microseconds.
    pub attempt_us: Bars,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    tenant: String,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    tenant: String,
    route: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    tenant: String,
    route: String,
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cost {
    tenant: String,
    route: String,
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    tenant: String,
    provider: String,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    tenant: String,
    provider: String,
    model: String,
    outcome: &'static str,
}

pub(super) fn routes(encoder: &mut DescriptorEncoder<'_>, all: &[RouteNumbers]) -> fmt::Result {
    let labels = |of: &RouteNumbers| (of.tenant.clone(), of.route.clone());
    let calls = ("gateway_calls", "Calls to language models that ended, by how", None);
    each(encoder, calls, MetricType::Counter, all, |metric, of| {
        of.calls.iter().try_for_each(|&(outcome, count)| {
            let (tenant, route) = labels(of);
            let labels = Called { tenant, route, outcome };
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    })?;
    let tokens = ("gateway_tokens", "Tokens that language models read and wrote", None);
    each(encoder, tokens, MetricType::Counter, all, |metric, of| {
        of.tokens.iter().try_for_each(|&(direction, count)| {
            let (tenant, route) = labels(of);
            let labels = Tokens { tenant, route, direction };
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    })?;
    let cost = ("gateway_cost", "What calls to language models cost", None);
    each(encoder, cost, MetricType::Counter, all, |metric, of| {
        of.cost.iter().try_for_each(|(currency, nanos)| {
            let (tenant, route) = labels(of);
            let labels = Cost { tenant, route, currency: currency.clone() };
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&(*nanos as f64 / NANOS), None)
        })
    })?;
    let took = ("gateway_call_duration", "From a call's coming in to its end", Some(&Unit::Seconds));
    each(encoder, took, MetricType::Histogram, all, |metric, of| {
        let (tenant, route) = labels(of);
        histogram(&mut metric.encode_family(&Route { tenant, route })?, &of.call_us, US)
    })
}

pub(super) fn targets(encoder: &mut DescriptorEncoder<'_>, all: &[TargetNumbers]) -> fmt::Result {
    let labels = |of: &TargetNumbers| (of.tenant.clone(), of.provider.clone(), of.model.clone());
    let attempts = ("gateway_attempts", "What providers of language models were asked, by how it ended", None);
    each(encoder, attempts, MetricType::Counter, all, |metric, of| {
        of.attempts.iter().try_for_each(|&(outcome, count)| {
            let (tenant, provider, model) = labels(of);
            let labels = Attempted { tenant, provider, model, outcome };
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    })?;
    let took = ("gateway_attempt_duration", "How long providers took", Some(&Unit::Seconds));
    each(encoder, took, MetricType::Histogram, all, |metric, of| {
        let (tenant, provider, model) = labels(of);
        histogram(&mut metric.encode_family(&Target { tenant, provider, model })?, &of.attempt_us, US)
    })
}
