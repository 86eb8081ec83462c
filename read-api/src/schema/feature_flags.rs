//! Flags: for which tenants a feature is on. Whoever runs the installation sees and changes them.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::{CommandContext, FlagEntry, FlagListing};
use timeloom_domain::event::Event as _;
use timeloom_domain::feature_flag::{Feature, FeatureFlagEvent, Rollout};
use timeloom_domain::ids::TenantId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction as Order, Filter, Position, TenantScope};
use uuid::Uuid;

use super::access::because;
use super::event::Actor;
use super::faults::{bad_input, fault};
use super::payloads::{ShownId, UserError, payload, refused, taken};
use super::reading::{Moment, state};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Changes of flags that are folded for one answer about the past.
const FLAG_EVENTS_MAX: usize = 50_000;

/// The reads of flags.
#[derive(Debug, Default)]
pub(crate) struct FeatureFlagQuery;

/// The changes of flags.
#[derive(Debug, Default)]
pub(crate) struct FeatureFlagMutation;

/// For which tenants a feature is on. A feature without a flag is on for all.
#[derive(Debug, Clone)]
pub(crate) struct FeatureFlag {
    feature: Feature,
    entry: Arc<FlagEntry>,
}

/// For which tenants a feature is on.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct FeatureRollout {
    /// For how many of a hundred of the tenants that are not named. Who has it keeps it when the number grows.
    percent: u32,
    /// Numbers of tenants for which it is on.
    on_for: Vec<u32>,
    /// Numbers of tenants for which it is off.
    off_for: Vec<u32>,
}

impl From<&Rollout> for FeatureRollout {
    fn from(rollout: &Rollout) -> Self {
        let numbers = |tenants: &std::collections::BTreeSet<TenantId>| tenants.iter().map(|tenant| tenant.0).collect();
        Self { percent: rollout.percent.into(), on_for: numbers(&rollout.on_for), off_for: numbers(&rollout.off_for) }
    }
}

#[Object]
impl FeatureFlag {
    /// The feature: `agents`, `gateway`, or `node:` and the name of a node type.
    async fn feature(&self) -> String {
        self.feature.to_string()
    }

    /// For whom it is on; absent where this server does not know what the flag has become, and the feature is off for all.
    async fn rollout(&self) -> Option<FeatureRollout> {
        self.entry.flag.as_ref().map(|flag| (&flag.rollout).into())
    }

    /// How it was before, the last one first: rolling back goes back to the first of these.
    async fn earlier(&self) -> Vec<FeatureRollout> {
        let earlier = self.entry.flag.iter().flat_map(|flag| flag.earlier.iter().rev());
        earlier.map(FeatureRollout::from).collect()
    }

    /// Whether a tenant has the feature, by its number.
    async fn is_on(&self, tenant: u32) -> bool {
        let flag = self.entry.flag.as_ref();
        flag.is_some_and(|flag| flag.rollout.includes(&self.feature, TenantId(tenant)))
    }

    /// When it was changed last.
    async fn changed_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.entry.changed_ms)
    }

    /// Who changed it last.
    async fn changed_by(&self) -> Actor {
        (&self.entry.actor).into()
    }

    /// Why.
    async fn reason(&self) -> Option<&str> {
        self.entry.reason.as_deref()
    }

    /// The position of its last change.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.entry.position)
    }
}

#[Object]
impl FeatureFlagQuery {
    /// All flags, by feature: at most 1,000.
    #[graphql(complexity = "20 * child_complexity + 5")]
    pub(crate) async fn feature_flags(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<FeatureFlag>> {
        let state = state(context)?;
        let listing = match Moment::new(as_of, wait_for).of_log(state).await? {
            None => state.commands().flags().caught_up().await.map_err(|error| fault(&error))?,
            Some(position) => Arc::new(flags_at(state, position).await?),
        };
        let entries = listing.entries().iter();
        Ok(entries.map(|(feature, entry)| FeatureFlag { feature: feature.clone(), entry: Arc::clone(entry) }).collect())
    }
}

/// The flags as they were right after the event at a position: changes of flags are few.
async fn flags_at(state: &ApiState, position: Position) -> Result<FlagListing> {
    let filter = Filter { categories: vec![FeatureFlagEvent::CATEGORY.into()], ..Filter::default() };
    let (mut events, mut after) = (Vec::new(), Position::START);
    loop {
        let read = state.log().read_all(TenantScope::All, after, Order::Forward, &filter, READ_EVENTS_MAX).await;
        let page = read.map_err(|error| fault(&error))?;
        let is_last = page.len() < READ_EVENTS_MAX;
        after = page.last().map_or(after, |last| last.position);
        events.extend(page.into_iter().filter(|event| event.position <= position));
        if is_last || after >= position {
            return Ok(FlagListing::of(events.iter().map(|event| &**event)));
        }
        if events.len() >= FLAG_EVENTS_MAX {
            return Err(bad_input(format!(
                "flags were changed more than {FLAG_EVENTS_MAX} times by then: ask for an earlier moment"
            )));
        }
    }
}

#[derive(Debug, InputObject)]
pub(crate) struct SetFeatureFlagInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the flag is at this revision.
    pub expected_revision: Option<u64>,
    /// The feature: `agents`, `gateway`, or `node:` and the name of a node type.
    pub feature: String,
    /// For how many of a hundred of the tenants that are not named, 0 to 100.
    pub percent: u32,
    /// Numbers of tenants for which it is on.
    #[graphql(default)]
    pub on_for: Vec<u32>,
    /// Numbers of tenants for which it is off.
    #[graphql(default)]
    pub off_for: Vec<u32>,
    /// Why.
    pub reason: String,
}

/// A flag.
#[derive(Debug, InputObject)]
pub(crate) struct FeatureFlagInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the flag is at this revision.
    pub expected_revision: Option<u64>,
    /// The feature.
    pub feature: String,
    /// Why.
    pub reason: String,
}

impl ShownId for Feature {
    type Shown = String;

    fn shown(&self) -> String {
        self.to_string()
    }
}

payload! {
    /// What a command on a flag came to.
    FeatureFlagPayload {
        feature: Feature => String,
        /// The flag as it is now; absent where there is none.
        flag: FeatureFlag = flag
    }
}

#[expect(clippy::unused_async, reason = "payloads load what they show")]
async fn flag(state: &ApiState, feature: Feature, _as_of: timeloom_projections::AsOf) -> Result<Option<FeatureFlag>> {
    let entry = state.commands().flags().now().entry(&feature).cloned();
    Ok(entry.map(|entry| FeatureFlag { feature, entry }))
}

#[Object]
impl FeatureFlagMutation {
    /// Says for whom a feature is on.
    async fn set_feature_flag(&self, context: &Context<'_>, input: SetFeatureFlagInput) -> Result<FeatureFlagPayload> {
        let state = state(context)?;
        let SetFeatureFlagInput { command_id, expected_revision, feature, percent, on_for, off_for, reason } = input;
        let tenants = |numbers: Vec<u32>| numbers.into_iter().map(TenantId).collect();
        // More than fits is more than a hundred too.
        let percent = u8::try_from(percent).unwrap_or(u8::MAX);
        let rollout = Rollout { percent, on_for: tenants(on_for), off_for: tenants(off_for) };
        let asked = asked(state, &feature, command_id, expected_revision, reason);
        let (feature, asked) = taken!(FeatureFlagPayload, asked);
        FeatureFlagPayload::of(state.commands().set_feature_flag(&asked, feature, rollout).await)
    }

    /// Goes back to how a flag was before it was set last; again, and it goes back further.
    async fn roll_back_feature_flag(
        &self,
        context: &Context<'_>,
        input: FeatureFlagInput,
    ) -> Result<FeatureFlagPayload> {
        let state = state(context)?;
        let FeatureFlagInput { command_id, expected_revision, feature, reason } = input;
        let asked = asked(state, &feature, command_id, expected_revision, reason);
        let (feature, asked) = taken!(FeatureFlagPayload, asked);
        FeatureFlagPayload::of(state.commands().roll_back_feature_flag(&asked, feature).await)
    }

    /// Removes a flag: the feature is on for all.
    async fn remove_feature_flag(&self, context: &Context<'_>, input: FeatureFlagInput) -> Result<FeatureFlagPayload> {
        let state = state(context)?;
        let FeatureFlagInput { command_id, expected_revision, feature, reason } = input;
        let asked = asked(state, &feature, command_id, expected_revision, reason);
        let (feature, asked) = taken!(FeatureFlagPayload, asked);
        FeatureFlagPayload::of(state.commands().remove_feature_flag(&asked, feature).await)
    }
}

/// The feature that is meant, and the command as its sender says.
fn asked(
    state: &ApiState,
    feature: &str,
    command_id: Option<Uuid>,
    expected: Option<u64>,
    reason: String,
) -> std::result::Result<(Feature, CommandContext), UserError> {
    let feature = feature.parse::<Feature>().map_err(|error| refused("INVALID_FEATURE", error.to_string()))?;
    Ok((feature, because(state, command_id, expected, Some(reason))?))
}
