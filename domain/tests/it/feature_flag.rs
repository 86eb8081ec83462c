//! What a flag decides, and whom a roll-out takes in.

use timeloom_domain::event::Aggregate as _;
use timeloom_domain::feature_flag::{
    EARLIER_MAX, Feature, FeatureFlag, FeatureFlagCommand, FeatureFlagRefusal, NAMED_TENANTS_MAX, Rollout,
};
use timeloom_domain::ids::TenantId;

fn rollout(percent: u8, on: &[u32], off: &[u32]) -> Rollout {
    let tenants = |numbers: &[u32]| numbers.iter().copied().map(TenantId).collect();
    Rollout { percent, on_for: tenants(on), off_for: tenants(off) }
}

fn set(rollout: Rollout) -> FeatureFlagCommand {
    FeatureFlagCommand::Set { feature: Feature::Agents, rollout }
}

fn sent(flag: &mut FeatureFlag, command: &FeatureFlagCommand) -> Result<usize, FeatureFlagRefusal> {
    let events = flag.decide(command)?;
    events.iter().for_each(|event| flag.apply(event));
    Ok(events.len())
}

#[test]
fn a_roll_out_grows_and_goes_back_step_by_step() {
    let mut flag = FeatureFlag::default();
    for percent in [0, 10, 50] {
        assert_eq!(sent(&mut flag, &set(rollout(percent, &[], &[]))), Ok(1));
    }
    assert_eq!(sent(&mut flag, &set(rollout(50, &[], &[]))), Ok(0), "it is so already");
    for before in [10, 0] {
        assert_eq!(sent(&mut flag, &FeatureFlagCommand::RollBack), Ok(1));
        assert_eq!(flag.rollout.percent, before);
    }
    assert_eq!(sent(&mut flag, &FeatureFlagCommand::RollBack), Err(FeatureFlagRefusal::NothingEarlier));
    assert_eq!(sent(&mut flag, &FeatureFlagCommand::Remove), Ok(1));
    assert_eq!(sent(&mut flag, &FeatureFlagCommand::Remove), Ok(0));
    assert_eq!(sent(&mut flag, &FeatureFlagCommand::RollBack), Err(FeatureFlagRefusal::NotFound));
    assert!(flag.rollout.includes(&Feature::Agents, TenantId(3)), "without a flag it is on");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let flag = FeatureFlag::default();
    let refusal = |rollout| flag.decide(&set(rollout)).unwrap_err();
    assert_eq!(refusal(rollout(5, &[1, 2], &[2])), FeatureFlagRefusal::Contradiction(TenantId(2)));
    assert_eq!(refusal(rollout(101, &[], &[])), FeatureFlagRefusal::InvalidPercent(101));
    let many: Vec<u32> = (0..=u32::try_from(NAMED_TENANTS_MAX).unwrap()).collect();
    assert_eq!(refusal(rollout(5, &many, &[])), FeatureFlagRefusal::TooManyTenants);
}

#[test]
fn only_so_many_earlier_ones_are_kept() {
    let mut flag = FeatureFlag::default();
    for percent in 0..100 {
        sent(&mut flag, &set(rollout(percent, &[], &[]))).unwrap();
    }
    assert_eq!(flag.earlier.len(), EARLIER_MAX);
}

#[test]
fn who_has_a_feature_keeps_it_while_it_grows() {
    let feature = Feature::node("n8n-nodes-base.code");
    let has = |percent: u8| -> Vec<u32> {
        let rollout = rollout(percent, &[], &[]);
        (0..1_000).filter(|tenant| rollout.includes(&feature, TenantId(*tenant))).collect()
    };
    let mut before = has(0);
    assert!(before.is_empty());
    for percent in 1..=100 {
        let now = has(percent);
        assert!(before.iter().all(|tenant| now.contains(tenant)), "at {percent} somebody lost it");
        before = now;
    }
    assert_eq!(before.len(), 1_000);
    let tenth = has(10).len();
    assert!((60..=140).contains(&tenth), "{tenth} of 1,000 have what a tenth is to have");
    let other = rollout(10, &[], &[]);
    let others: Vec<u32> = (0..1_000).filter(|tenant| other.includes(&Feature::Gateway, TenantId(*tenant))).collect();
    assert_ne!(has(10), others, "the same tenants come first for every feature");
}

/// Frozen: who has a feature must not depend on which version of the program is asked.
#[test]
fn the_split_is_the_same_for_ever() {
    let rollout = rollout(10, &[], &[]);
    let has = (0..60).filter(|tenant| rollout.includes(&Feature::Agents, TenantId(*tenant)));
    assert_eq!(has.collect::<Vec<u32>>(), SPLIT);
}

const SPLIT: [u32; 7] = [20, 23, 26, 37, 40, 49, 53];

#[test]
fn the_named_come_before_the_percentage() {
    let named = rollout(0, &[4], &[5]);
    assert!(named.includes(&Feature::Agents, TenantId(4)));
    assert!(!rollout(100, &[], &[5]).includes(&Feature::Agents, TenantId(5)));
    assert!(!named.includes(&Feature::Agents, TenantId(6)));
}

#[test]
fn a_feature_reads_as_it_is_written_and_nothing_else_is_one() {
    for text in ["agents", "gateway", "node:n8n-nodes-base.httpRequest", "node:@acme/mailer.send"] {
        let feature: Feature = text.parse().unwrap();
        assert_eq!(feature.to_string(), text);
    }
    let long = format!("node:{}", "x".repeat(201));
    for text in ["", "Agents", "node:", "node:a b", "node:<b>", "nodes:x", &long] {
        assert!(text.parse::<Feature>().is_err(), "{text:?} was taken");
    }
}
