//! Test cases of a workflow: what is kept, and what is refused.

use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::{Actor, ExecutionId};
use timeloom_domain::test_case::{
    CASE_BYTES_MAX, CASE_NAME_CHARACTERS_MAX, CASES_MAX, TestCase, TestCases, TestCasesCommand, TestCasesRefusal,
};
use uuid::Uuid;

fn by() -> Actor {
    Actor::System("test".to_owned())
}

fn case(number: u128, name: &str) -> TestCase {
    TestCase {
        id: Uuid::from_u128(number),
        name: name.to_owned(),
        execution: ExecutionId(Uuid::from_u128(number)),
        capsule: format!("blob:{number:064x}"),
        bytes: 1,
        events: 1,
        sealed_events: 0,
        log_id: Uuid::from_u128(7),
        signed_by: "log+key".to_owned(),
    }
}

/// Adds a case; answers how many events that took.
fn add(cases: &mut TestCases, case: TestCase) -> Result<usize, TestCasesRefusal> {
    send(cases, &TestCasesCommand::Add { case: Box::new(case), by: by(), at_ms: 1 })
}

fn send(cases: &mut TestCases, command: &TestCasesCommand) -> Result<usize, TestCasesRefusal> {
    let events = cases.decide(command)?;
    events.iter().for_each(|event| cases.apply(event));
    Ok(events.len())
}

#[test]
fn a_case_is_kept_once_until_it_is_removed() {
    let mut cases = TestCases::default();
    assert_eq!(add(&mut cases, case(1, "An order")), Ok(1));
    // The same again, under another id: it had happened.
    assert_eq!(add(&mut cases, TestCase { id: Uuid::from_u128(9), ..case(1, "An order") }), Ok(0));
    let other_name = TestCasesRefusal::CapsuleTaken("An order".to_owned());
    assert_eq!(add(&mut cases, case(1, "Another")), Err(other_name));
    assert_eq!(add(&mut cases, case(2, "An order")), Err(TestCasesRefusal::NameTaken("An order".to_owned())));
    let remove = TestCasesCommand::Remove { id: Uuid::from_u128(1), by: by(), at_ms: 2 };
    assert_eq!(send(&mut cases, &remove), Ok(1));
    assert_eq!(send(&mut cases, &remove), Err(TestCasesRefusal::NotFound));
    assert_eq!(add(&mut cases, case(2, "An order")), Ok(1));
}

#[test]
fn names_sizes_and_numbers_have_bounds() {
    let mut cases = TestCases::default();
    let long = "x".repeat(CASE_NAME_CHARACTERS_MAX + 1);
    for name in ["", " padded", "two\nlines", &long] {
        assert_eq!(add(&mut cases, case(1, name)), Err(TestCasesRefusal::InvalidName), "{name:?}");
    }
    let bytes = CASE_BYTES_MAX as u64 + 1;
    assert_eq!(add(&mut cases, TestCase { bytes, ..case(1, "Large") }), Err(TestCasesRefusal::TooLarge(bytes)));
    for number in 0..CASES_MAX as u128 {
        assert_eq!(add(&mut cases, case(number, &format!("Case {number}"))), Ok(1));
    }
    assert_eq!(add(&mut cases, case(1_000, "One more")), Err(TestCasesRefusal::TooMany));
}
