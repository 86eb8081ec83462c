//! Searches for the change that made a run bad: what is written down, and what is refused.

use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::replay::{
    BISECTION_CANDIDATES_MAX, BISECTION_CHECK_CHARACTERS_MAX, BISECTION_REASON_CHARACTERS_MAX, BISECTION_STEPS_MAX,
    BisectionCommand, BisectionOutcome, BisectionOver, BisectionRefusal, BisectionRequest, BisectionStep,
    BisectionVerdict, ReplayAgainst, ReplayCheck, ReplayCheckCommand, ReplayCheckEvent, ReplayCheckRefusal,
    ReplayRequest,
};
use uuid::Uuid;

use crate::given::given;

fn request() -> BisectionRequest {
    BisectionRequest {
        workflow_id: WorkflowId(Uuid::from_u128(1)),
        good: ExecutionId(Uuid::from_u128(2)),
        bad: ExecutionId(Uuid::from_u128(3)),
        over: BisectionOver::Definitions,
        check: None,
        tolerance: None,
        candidates: 12,
        digest: "0f".repeat(32),
        at_ms: 1,
    }
}

fn begin(request: BisectionRequest) -> ReplayCheckCommand {
    ReplayCheckCommand::Bisection(BisectionCommand::Begin(Box::new(request)))
}

fn begun() -> ReplayCheckEvent {
    ReplayCheckEvent::BisectionBegun(Box::new(request()))
}

fn step(point: u32, verdict: BisectionVerdict) -> BisectionStep {
    BisectionStep { point, verdict, reason: None, at_ms: 2 }
}

fn take(step: BisectionStep) -> ReplayCheckCommand {
    ReplayCheckCommand::Bisection(BisectionCommand::TakeStep(step))
}

fn taken(point: u32, verdict: BisectionVerdict) -> ReplayCheckEvent {
    ReplayCheckEvent::BisectionStepTaken(step(point, verdict))
}

fn end(outcome: BisectionOutcome) -> ReplayCheckCommand {
    ReplayCheckCommand::Bisection(BisectionCommand::End { outcome, at_ms: 3 })
}

fn ended(outcome: BisectionOutcome) -> ReplayCheckEvent {
    ReplayCheckEvent::BisectionEnded { outcome, at_ms: 3 }
}

fn check() -> Box<ReplayRequest> {
    Box::new(ReplayRequest {
        workflow_id: request().workflow_id,
        executions: vec![request().bad],
        against: ReplayAgainst::Same,
        at_ms: 1,
        cases: Vec::new(),
    })
}

#[test]
fn a_search_is_begun_told_and_ended_once() {
    given::<ReplayCheck>([]).when(begin(request())).then([begun()]);
    given::<ReplayCheck>([begun()]).when(begin(request())).refused(BisectionRefusal::AlreadyExists.into());
    let (good, bad) = (BisectionVerdict::Good, BisectionVerdict::Bad);
    given::<ReplayCheck>([begun()]).when(take(step(6, bad))).then([taken(6, bad)]);
    let later = BisectionStep { at_ms: 9, ..step(6, bad) };
    given::<ReplayCheck>([begun(), taken(6, bad)]).when(take(later)).changes_nothing();
    given::<ReplayCheck>([begun(), taken(6, bad)])
        .when(take(step(6, good)))
        .refused(BisectionRefusal::OtherVerdict(6).into());
    let found = || BisectionOutcome::Change { position: 41 };
    given::<ReplayCheck>([begun(), taken(6, bad)]).when(end(found())).then([ended(found())]);
    given::<ReplayCheck>([begun(), ended(found())]).when(end(found())).changes_nothing();
    given::<ReplayCheck>([begun(), ended(found())])
        .when(end(BisectionOutcome::NoneOfThem))
        .refused(BisectionRefusal::Ended.into());
    given::<ReplayCheck>([begun(), ended(found())]).when(take(step(5, good))).refused(BisectionRefusal::Ended.into());
}

#[test]
fn an_abandoned_search_takes_no_more_steps() {
    let abandoned = || BisectionOutcome::Abandoned { reason: "it is clear now".to_owned() };
    given::<ReplayCheck>([begun()]).when(end(abandoned())).then([ended(abandoned())]);
    given::<ReplayCheck>([begun(), ended(abandoned())])
        .when(take(step(6, BisectionVerdict::Bad)))
        .refused(BisectionRefusal::Ended.into());
    let long = BisectionOutcome::Abandoned { reason: "x".repeat(BISECTION_REASON_CHARACTERS_MAX + 1) };
    given::<ReplayCheck>([begun()]).when(end(long)).refused(BisectionRefusal::Reason.into());
}

#[test]
fn what_nobody_began_takes_nothing_and_a_replay_check_is_no_search() {
    let missing = || ReplayCheckRefusal::from(BisectionRefusal::NotFound);
    given::<ReplayCheck>([]).when(take(step(0, BisectionVerdict::Good))).refused(missing());
    given::<ReplayCheck>([]).when(end(BisectionOutcome::NoneOfThem)).refused(missing());
    let requested = ReplayCheckEvent::ReplayCheckRequested(check());
    given::<ReplayCheck>([requested]).when(begin(request())).refused(BisectionRefusal::AlreadyExists.into());
    given::<ReplayCheck>([begun()])
        .when(ReplayCheckCommand::Request(check()))
        .refused(ReplayCheckRefusal::AlreadyExists);
    given::<ReplayCheck>([begun()])
        .when(ReplayCheckCommand::Fail { reason: "gone".to_owned(), at_ms: 2 })
        .refused(ReplayCheckRefusal::NotFound);
}

#[test]
fn what_a_search_is_about_has_bounds() {
    for (wrong, refusal) in [
        (BisectionRequest { bad: request().good, ..request() }, BisectionRefusal::SameExecution),
        (
            BisectionRequest { candidates: BISECTION_CANDIDATES_MAX + 1, ..request() },
            BisectionRefusal::Candidates(BISECTION_CANDIDATES_MAX + 1),
        ),
        (BisectionRequest { digest: "0f".to_owned(), ..request() }, BisectionRefusal::Digest),
        (BisectionRequest { digest: "g".repeat(64), ..request() }, BisectionRefusal::Digest),
        (
            BisectionRequest { check: Some("x".repeat(BISECTION_CHECK_CHARACTERS_MAX + 1)), ..request() },
            BisectionRefusal::Check,
        ),
        (BisectionRequest { tolerance: Some(1_000_001), ..request() }, BisectionRefusal::Tolerance),
    ] {
        given::<ReplayCheck>([]).when(begin(wrong)).refused(refusal.into());
    }
    let point = BisectionRefusal::Point { point: 13, candidates: 12 };
    given::<ReplayCheck>([begun()]).when(take(step(13, BisectionVerdict::Bad))).refused(point.into());
    let long = Some("x".repeat(BISECTION_REASON_CHARACTERS_MAX + 1));
    let step_with_it = BisectionStep { reason: long, ..step(1, BisectionVerdict::Untestable) };
    given::<ReplayCheck>([begun()]).when(take(step_with_it)).refused(BisectionRefusal::Reason.into());
}

#[test]
fn no_more_steps_are_taken_than_a_search_may_have() {
    let request = BisectionRequest { candidates: 1_000, ..request() };
    let begun = ReplayCheckEvent::BisectionBegun(Box::new(request));
    let steps =
        (0..BISECTION_STEPS_MAX).map(|point| taken(u32::try_from(point).unwrap(), BisectionVerdict::Untestable));
    given::<ReplayCheck>(std::iter::once(begun).chain(steps))
        .when(take(step(900, BisectionVerdict::Bad)))
        .refused(BisectionRefusal::Steps.into());
}
