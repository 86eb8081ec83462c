//! Rules of the Retention aggregate: who decides, and what may go when.

use timeloom_domain::ids::{AccountId, Actor};
use timeloom_domain::retention::{
    Bucket, DAYS_MAX, Retention, RetentionCommand, RetentionEvent, RetentionRefusal, bucket_name, check_category,
    day_of,
};
use timeloom_domain::subject::{SubjectRefusal, check_name};
use uuid::Uuid;

use crate::given::given;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const NOW_MS: i64 = 20_000 * DAY_MS + 1;

fn user(number: u128) -> Actor {
    Actor::User(AccountId(Uuid::from_u128(number)))
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn set(days: Option<u32>, by: Actor) -> RetentionCommand {
    RetentionCommand::Set { days, reason: text("policy"), by, at_ms: NOW_MS }
}

fn requested(days: u32) -> RetentionEvent {
    RetentionEvent::RetentionRequested { days, reason: text("policy"), by: user(1) }
}

fn was_set(days: Option<u32>, by: Actor) -> RetentionEvent {
    RetentionEvent::RetentionSet { days, reason: text("policy"), by, at_ms: NOW_MS }
}

fn bucket(day: i64) -> Bucket {
    Bucket { day, key: Uuid::from_u128(day.unsigned_abs().into()) }
}

fn apply(days: &[i64]) -> RetentionCommand {
    RetentionCommand::Apply { buckets: days.iter().copied().map(bucket).collect(), at_ms: NOW_MS }
}

fn applied(days: &[i64]) -> RetentionEvent {
    let buckets = days.iter().copied().map(bucket).collect();
    RetentionEvent::RetentionApplied { buckets, days: 30, at_ms: NOW_MS }
}

#[test]
fn what_keeps_data_less_long_takes_two_and_what_keeps_it_longer_one() {
    given::<Retention>([]).when(set(Some(30), user(1))).then([requested(30)]);
    given::<Retention>([requested(30)]).when(set(Some(30), user(1))).changes_nothing();
    given::<Retention>([requested(30)]).when(set(Some(20), user(1))).refused(RetentionRefusal::AlreadyRequested);
    let approve = |by| RetentionCommand::Approve { by, at_ms: NOW_MS };
    given::<Retention>([]).when(approve(user(2))).refused(RetentionRefusal::NotRequested);
    given::<Retention>([requested(30)]).when(approve(user(1))).refused(SubjectRefusal::SamePerson.into());
    let service = Actor::Service(AccountId(Uuid::from_u128(3)));
    given::<Retention>([requested(30)]).when(approve(service)).refused(SubjectRefusal::NotAPerson.into());
    given::<Retention>([requested(30)]).when(approve(user(2))).then([was_set(Some(30), user(2))]);
    let kept = || [was_set(Some(30), user(2))];
    given::<Retention>(kept()).when(set(Some(30), user(1))).changes_nothing();
    given::<Retention>(kept()).when(set(Some(40), user(1))).then([was_set(Some(40), user(1))]);
    given::<Retention>(kept()).when(set(None, user(1))).then([was_set(None, user(1))]);
    given::<Retention>(kept()).when(set(Some(20), user(1))).then([requested(20)]);
    // What keeps data longer ends the request to keep it less long.
    given::<Retention>([was_set(Some(30), user(2)), requested(20), was_set(Some(40), user(1))])
        .when(approve(user(2)))
        .refused(RetentionRefusal::NotRequested);
    let withdraw = RetentionCommand::Withdraw { reason: text("no"), by: user(2) };
    let withdrawn = RetentionEvent::RetentionRequestWithdrawn { reason: text("no"), by: user(2) };
    given::<Retention>([requested(30)]).when(withdraw.clone()).then([withdrawn.clone()]);
    given::<Retention>([requested(30), withdrawn.clone()]).when(withdraw).changes_nothing();
    given::<Retention>([requested(30), withdrawn]).when(approve(user(2))).refused(RetentionRefusal::NotRequested);
}

#[test]
fn a_time_that_is_none_and_a_category_that_is_not_sealed_are_refused() {
    for days in [0, DAYS_MAX + 1] {
        given::<Retention>([]).when(set(Some(days), user(1))).refused(RetentionRefusal::InvalidDays);
    }
    assert_eq!(check_category("workflow"), Err(RetentionRefusal::UnknownCategory));
    assert_eq!(check_category("execution"), Ok(()));
    let unknown = RetentionRefusal::UnknownCategory.to_string();
    assert!(unknown.contains("execution, inference, model-call"), "{unknown}");
}

#[test]
fn a_day_goes_once_it_is_wholly_older_than_the_retention() {
    given::<Retention>([]).when(apply(&[1])).refused(RetentionRefusal::NotSet);
    let kept = || vec![was_set(Some(30), user(2))];
    // The last moment of day 19,969 is 30 days and a millisecond ago; that of the next day is younger.
    given::<Retention>(kept()).when(apply(&[19_969])).then([applied(&[19_969])]);
    given::<Retention>(kept()).when(apply(&[19_969, 19_970])).refused(RetentionRefusal::TooYoung(19_970));
    given::<Retention>([kept(), vec![applied(&[19_969])]].concat()).when(apply(&[19_969])).changes_nothing();
    let complete = RetentionCommand::Complete { streams: 1, events: 2, at_ms: NOW_MS };
    let completed = RetentionEvent::RetentionCompleted { streams: 1, events: 2, at_ms: NOW_MS };
    given::<Retention>(kept()).when(complete.clone()).changes_nothing();
    given::<Retention>([kept(), vec![applied(&[19_969])]].concat()).when(complete).then([completed]);
    let many: Vec<i64> = (0..1_001).collect();
    given::<Retention>(kept()).when(apply(&many)).refused(RetentionRefusal::TooManyBuckets);
}

#[test]
fn nothing_goes_while_a_hold_is_on_the_category() {
    let hold = || text("case 7");
    let held = || RetentionEvent::RetentionHoldPlaced { hold: hold(), reason: text("court"), by: user(1) };
    let place = RetentionCommand::PlaceHold { hold: hold(), reason: text("court"), by: user(1) };
    given::<Retention>([]).when(place.clone()).then([held()]);
    given::<Retention>([held()]).when(place).changes_nothing();
    let kept = || vec![was_set(Some(30), user(2)), held()];
    given::<Retention>(kept()).when(apply(&[1])).refused(SubjectRefusal::OnHold(hold()).into());
    let end = |by| RetentionCommand::ApproveRelease { hold: hold(), by };
    given::<Retention>(kept()).when(end(user(2))).refused(SubjectRefusal::ReleaseNotRequested.into());
    let ask = RetentionCommand::RequestRelease { hold: hold(), reason: text("closed"), by: user(1) };
    let asked = RetentionEvent::RetentionHoldReleaseRequested { hold: hold(), reason: text("closed"), by: user(1) };
    given::<Retention>(kept()).when(ask).then([asked.clone()]);
    let ending = || [kept(), vec![asked.clone()]].concat();
    given::<Retention>(ending()).when(end(user(1))).refused(SubjectRefusal::SamePerson.into());
    let released = RetentionEvent::RetentionHoldReleased { hold: hold(), by: user(2) };
    given::<Retention>(ending()).when(end(user(2))).then([released.clone()]);
    given::<Retention>([ending(), vec![released]].concat()).when(apply(&[1])).then([applied(&[1])]);
}

#[test]
fn the_key_of_a_day_has_a_name_that_no_subject_can_have() {
    assert_eq!(bucket_name("execution", 20_000), "\u{1f}retention:execution:20000");
    assert_eq!(check_name(&bucket_name("execution", 20_000)), Err(SubjectRefusal::InvalidName));
    assert_eq!((day_of(-1), day_of(0), day_of(DAY_MS - 1), day_of(DAY_MS)), (-1, 0, 0, 1));
}
