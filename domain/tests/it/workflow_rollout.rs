//! What a roll-out decides, whom it takes in, and when its guard gives up.

use timeloom_domain::ids::ExecutionId;
use timeloom_domain::workflow::{
    ArmFigures, RollBack, Rollout, RolloutFigures, RolloutGuard, Workflow, WorkflowCommand, WorkflowEvent,
    WorkflowRefusal,
};
use uuid::Uuid;

use crate::given::given;
use crate::samples::definition;

/// Keys that are tried: enough for shares to come out about right.
const KEYS: u128 = 10_000;

/// A workflow of two versions of which the first is active.
fn two_versions() -> Vec<WorkflowEvent> {
    vec![
        WorkflowEvent::WorkflowCreated { definition: definition("first") },
        WorkflowEvent::WorkflowVersionPublished { version: 1 },
        WorkflowEvent::WorkflowActivated { version: 1 },
        WorkflowEvent::WorkflowUpdated { definition: definition("second") },
        WorkflowEvent::WorkflowVersionPublished { version: 2 },
    ]
}

/// The same, with the second being rolled out.
fn under_way() -> Vec<WorkflowEvent> {
    let mut events = two_versions();
    events.push(started(10, None));
    events
}

fn started(percent: u8, guard: Option<RolloutGuard>) -> WorkflowEvent {
    WorkflowEvent::WorkflowRolloutStarted { rollout: 1, version: 2, percent, guard }
}

fn start(version: Option<u32>, percent: u8) -> WorkflowCommand {
    WorkflowCommand::StartRollout { version, percent, guard: None }
}

fn guard() -> RolloutGuard {
    RolloutGuard { error_percent_max: 10, executions_min: 10, window_ms: None, only_if_worse: false }
}

fn back(rollout: Option<u32>) -> WorkflowCommand {
    WorkflowCommand::RollBackRollout { rollout, cause: RollBack::Person {} }
}

fn arm(completed: u64, failed: u64) -> ArmFigures {
    ArmFigures { completed, failed }
}

fn key(number: u128) -> ExecutionId {
    ExecutionId(Uuid::new_v5(&Uuid::from_u128(number), b"key"))
}

#[test]
fn a_rollout_starts_once_beside_the_active_version() {
    given::<Workflow>(two_versions()).when(start(None, 10)).then([started(10, None)]);
    given::<Workflow>(under_way()).when(start(Some(2), 10)).changes_nothing();
    given::<Workflow>(under_way()).when(start(Some(2), 20)).refused(WorkflowRefusal::RolloutUnderWay(2));
    given::<Workflow>(two_versions()).when(start(Some(1), 10)).refused(WorkflowRefusal::AlreadyActive(1));
    given::<Workflow>(two_versions()).when(start(Some(7), 10)).refused(WorkflowRefusal::UnknownVersion(7));
    for percent in [0, 100, 255] {
        given::<Workflow>(two_versions()).when(start(None, percent)).refused(WorkflowRefusal::InvalidPercent(percent));
    }
    let inactive = two_versions().into_iter().filter(|event| !matches!(event, WorkflowEvent::WorkflowActivated { .. }));
    given::<Workflow>(inactive).when(start(None, 10)).refused(WorkflowRefusal::NotActive);
    given::<Workflow>(two_versions().into_iter().take(1)).when(start(None, 10)).refused(WorkflowRefusal::NotPublished);
}

#[test]
fn a_guard_that_could_not_work_is_refused() {
    let wrong = [
        RolloutGuard { error_percent_max: 100, ..guard() },
        RolloutGuard { executions_min: 0, ..guard() },
        RolloutGuard { executions_min: 5_001, ..guard() },
        RolloutGuard { window_ms: Some(59_999), ..guard() },
    ];
    for guard in wrong {
        let start = WorkflowCommand::StartRollout { version: None, percent: 10, guard: Some(guard) };
        given::<Workflow>(two_versions()).when(start).refused(WorkflowRefusal::InvalidGuard);
    }
}

#[test]
fn a_rollout_is_changed_promoted_and_rolled_back() {
    let changed = WorkflowEvent::WorkflowRolloutChanged { rollout: 1, percent: 50 };
    given::<Workflow>(under_way()).when(WorkflowCommand::ChangeRollout { percent: 50 }).then([changed]);
    given::<Workflow>(under_way()).when(WorkflowCommand::ChangeRollout { percent: 10 }).changes_nothing();
    let promoted = [
        WorkflowEvent::WorkflowRolloutPromoted { rollout: 1, version: 2 },
        WorkflowEvent::WorkflowActivated { version: 2 },
    ];
    given::<Workflow>(under_way()).when(WorkflowCommand::PromoteRollout).then(promoted.clone());
    let after = given::<Workflow>(under_way().into_iter().chain(promoted)).state;
    assert_eq!((after.active_version, after.rollout), (Some(2), None));
    let rolled_back = WorkflowEvent::WorkflowRolloutRolledBack { rollout: 1, version: 2, cause: RollBack::Person {} };
    given::<Workflow>(under_way()).when(back(None)).then([rolled_back.clone()]);
    let after = given::<Workflow>(under_way().into_iter().chain([rolled_back]));
    assert_eq!((after.state.active_version, &after.state.rollout), (Some(1), &None));
    after.when(back(None)).refused(WorkflowRefusal::NoRollout);
}

#[test]
fn a_guard_rolls_back_its_own_rollout_and_no_later_one() {
    given::<Workflow>(two_versions()).when(back(Some(1))).changes_nothing();
    let again = [
        WorkflowEvent::WorkflowRolloutRolledBack { rollout: 1, version: 2, cause: RollBack::Person {} },
        WorkflowEvent::WorkflowRolloutStarted { rollout: 2, version: 2, percent: 10, guard: None },
    ];
    let second = || given::<Workflow>(under_way().into_iter().chain(again.clone()));
    second().when(back(Some(1))).changes_nothing();
    second().when(back(Some(2))).then([WorkflowEvent::WorkflowRolloutRolledBack {
        rollout: 2,
        version: 2,
        cause: RollBack::Person {},
    }]);
    let ended = WorkflowEvent::WorkflowRolloutRolledBack { rollout: 1, version: 2, cause: RollBack::Person {} };
    let after = given::<Workflow>(under_way().into_iter().chain([ended]));
    let next = WorkflowEvent::WorkflowRolloutStarted { rollout: 2, version: 2, percent: 10, guard: None };
    after.when(start(None, 10)).then([next]);
}

#[test]
fn what_is_active_does_not_change_under_a_rollout_but_can_be_switched_off() {
    let third = || under_way().into_iter().chain([WorkflowEvent::WorkflowUpdated { definition: definition("third") }]);
    let published = WorkflowEvent::WorkflowVersionPublished { version: 3 };
    given::<Workflow>(third()).when(WorkflowCommand::Publish).refused(WorkflowRefusal::RolloutUnderWay(2));
    given::<Workflow>(third()).when(WorkflowCommand::PublishBeside).then([published]);
    given::<Workflow>(under_way())
        .when(WorkflowCommand::Activate { version: Some(2) })
        .refused(WorkflowRefusal::RolloutUnderWay(2));
    for end in [WorkflowEvent::WorkflowDeactivated {}, WorkflowEvent::WorkflowArchived {}] {
        let after = given::<Workflow>(under_way().into_iter().chain([end])).state;
        assert_eq!((after.active_version, after.rollout), (None, None));
    }
}

#[test]
fn a_version_published_beside_leaves_active_what_is() {
    let updated = WorkflowEvent::WorkflowUpdated { definition: definition("third") };
    let events = || two_versions().into_iter().chain([updated.clone()]);
    let published = WorkflowEvent::WorkflowVersionPublished { version: 3 };
    given::<Workflow>(events()).when(WorkflowCommand::PublishBeside).then([published.clone()]);
    let activated = WorkflowEvent::WorkflowActivated { version: 3 };
    given::<Workflow>(events()).when(WorkflowCommand::Publish).then([published, activated]);
}

#[test]
fn a_percentage_takes_in_about_so_many_and_whoever_is_in_stays_in() {
    let of = |percent| Rollout { number: 1, version: 2, percent, guard: None };
    let mut before = 0;
    for percent in [1_u8, 10, 50, 99] {
        let count = (0..KEYS).filter(|number| of(percent).includes(key(*number))).count() as u128;
        let wanted = KEYS * u128::from(percent) / 100;
        assert!(count.abs_diff(wanted) < KEYS / 50, "{percent} of a hundred took in {count} of {KEYS}");
        assert!(count > before);
        before = count;
    }
    assert!((0..KEYS).all(|number| !of(10).includes(key(number)) || of(11).includes(key(number))));
    let another = Rollout { number: 2, ..of(50) };
    assert!((0..KEYS).any(|number| another.includes(key(number)) != of(50).includes(key(number))));
}

/// Frozen: whoever is split otherwise runs something else when the same cause comes again.
#[test]
fn the_same_keys_fall_to_the_same_side_for_ever() {
    let rollout = Rollout { number: 1, version: 2, percent: 50, guard: None };
    let sides: Vec<bool> = (0..8).map(|number| rollout.includes(ExecutionId(Uuid::from_u128(number)))).collect();
    assert_eq!(sides, [true, false, false, false, false, false, true, false]);
}

#[test]
fn a_production_execution_runs_one_of_both_and_what_is_tried_again_stays_on_its_side() {
    let workflow = given::<Workflow>(under_way()).state;
    let versions: Vec<Option<u32>> = (0..KEYS).map(|number| workflow.production_version(key(number))).collect();
    assert!(versions.contains(&Some(1)) && versions.contains(&Some(2)) && !versions.contains(&None));
    for number in 0..100 {
        for ran in [1, 2] {
            assert_eq!(workflow.production_version_again(Some(ran), key(number)), Some(ran));
        }
        let fresh = workflow.production_version(key(number));
        assert_eq!(workflow.production_version_again(Some(7), key(number)), fresh);
        assert_eq!(workflow.production_version_again(None, key(number)), fresh);
    }
    let calm = given::<Workflow>(two_versions()).state;
    assert!((0..KEYS).all(|number| calm.production_version(key(number)) == Some(1)));
    assert_eq!(given::<Workflow>([]).state.production_version(key(1)), None);
}

#[test]
fn a_guard_waits_for_enough_and_gives_up_above_its_bound() {
    let judged = |guard: RolloutGuard, candidate, active| guard.gives_up(&RolloutFigures { candidate, active });
    assert!(!judged(guard(), arm(0, 9), arm(100, 0)), "nine are too few");
    assert!(!judged(guard(), arm(9, 1), arm(100, 0)), "ten of a hundred are not above ten");
    assert!(judged(guard(), arm(8, 2), arm(100, 0)));
    assert!(judged(guard(), arm(8, 2), arm(0, 100)), "how the active one does does not matter");
    let worse = RolloutGuard { only_if_worse: true, ..guard() };
    assert!(!judged(worse, arm(8, 2), arm(80, 20)), "both fail alike");
    assert!(!judged(worse, arm(8, 2), arm(10, 90)));
    assert!(judged(worse, arm(8, 2), arm(81, 19)));
    assert!(judged(worse, arm(8, 2), arm(0, 0)), "of nothing, nothing failed");
    let strict = RolloutGuard { error_percent_max: 0, ..guard() };
    assert!(judged(strict, arm(9, 1), arm(0, 0)) && !judged(strict, arm(10, 0), arm(0, 0)));
}
