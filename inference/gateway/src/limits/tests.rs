//! What limits promise.

use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;

fn tenant() -> Vec<Holder> {
    vec![Holder::new(HolderKind::Tenant, "acme")]
}

fn limit(most: Most) -> Limit {
    Limit { kind: HolderKind::Tenant, id: None, most }
}

fn want(tokens: u64, money: u64) -> Want {
    Want { tokens, money: Some(Money(money)) }
}

#[test]
fn a_refusal_says_which_limit_and_when_there_is_room() {
    let limits = Limits::try_new(vec![limit(Most::RequestsPerMinute(2))]).unwrap();
    for at in [1_000, 5_000] {
        limits.reserve(&tenant(), want(1, 1), at).unwrap().settle(want(1, 1), at);
    }
    let refused = limits.reserve(&tenant(), want(1, 1), 6_500).unwrap_err();
    let LimitReached::Wait { holder, what, retry_after_ms } = &refused else { panic!("{refused}") };
    assert_eq!((holder.id.as_str(), *what), ("acme", "requests a minute"));
    assert!(limits.reserve(&tenant(), want(1, 1), 6_500 + *retry_after_ms as i64 - 1).is_err());
    assert!(limits.reserve(&tenant(), want(1, 1), 6_500 + *retry_after_ms as i64).is_ok());
    let others = [Holder::new(HolderKind::Tenant, "umbrella")];
    assert!(limits.reserve(&others, want(1, 1), 6_500).is_ok(), "each tenant has its own");
}

#[test]
fn a_budget_holds_until_its_window_ends_and_what_was_not_needed_comes_back() {
    let most = Most::Money { amount: Money(100), window_ms: 10_000 };
    let limits = Limits::try_new(vec![limit(most)]).unwrap();
    let first = limits.reserve(&tenant(), want(1, 80), 1_000).unwrap();
    let refused = limits.reserve(&tenant(), want(1, 30), 2_000).unwrap_err();
    assert_eq!(refused.retry_after_ms(), Some(8_000));
    first.settle(want(1, 60), 3_000);
    let second = limits.reserve(&tenant(), want(1, 30), 4_000).unwrap();
    drop(second);
    assert!(limits.reserve(&tenant(), want(1, 20), 5_000).is_err(), "what was never settled stays taken");
    assert!(limits.reserve(&tenant(), want(1, 100), 10_000).is_ok());
    let much = limits.reserve(&tenant(), want(1, 101), 20_000).unwrap_err();
    assert!(matches!(much, LimitReached::TooMuch { wanted: 101, most: 100, .. }), "{much}");
    let unknown = limits.reserve(&tenant(), Want { tokens: 1, money: None }, 20_000).unwrap_err();
    assert!(matches!(unknown, LimitReached::NoPrice { .. }));
}

#[test]
fn places_among_the_calls_at_once_are_free_when_calls_end_however_they_end() {
    let limits = Limits::try_new(vec![limit(Most::CallsAtOnce(2))]).unwrap();
    let first = limits.reserve(&tenant(), want(1, 1), 0).unwrap();
    let second = limits.reserve(&tenant(), want(1, 1), 0).unwrap();
    assert!(limits.reserve(&tenant(), want(1, 1), 0).is_err());
    drop(first);
    let third = limits.reserve(&tenant(), want(1, 1), 0).unwrap();
    second.settle(want(1, 1), 0);
    third.settle(want(1, 1), 0);
    assert!(limits.reserve(&tenant(), want(1, 1), 0).is_ok());
}

#[test]
fn what_is_taken_is_told_by_the_same_counts_that_decide_of_many_by_the_busiest() {
    let key = |id: &str| vec![Holder::new(HolderKind::Key, id)];
    let all = vec![
        Limit { kind: HolderKind::Key, id: None, most: Most::TokensPerMinute(100) },
        Limit { kind: HolderKind::Key, id: Some("b".to_owned()), most: Most::TokensPerMinute(60) },
        Limit { kind: HolderKind::Key, id: None, most: Most::CallsAtOnce(3) },
        Limit { kind: HolderKind::Key, id: None, most: Most::Money { amount: Money(1_000), window_ms: 10_000 } },
        Limit { kind: HolderKind::Agent, id: None, most: Most::RequestsPerMinute(5) },
    ];
    let limits = Limits::try_new(all.clone()).unwrap();
    let untouched = |left| Taken { left, ..Taken::default() };
    assert_eq!(limits.taken(&all, 0), [100, 60, 3, 1_000, 5].map(untouched));
    let running = limits.reserve(&key("a"), want(70, 400), 1_000).unwrap();
    limits.reserve(&key("b"), want(50, 100), 2_000).unwrap().settle(want(20, 90), 2_500);
    let taken = limits.taken(&all, 3_000);
    let told = |by: &str, used, left, at_ms| Taken { by: Some(by.to_owned()), used, left, resets_at_ms: at_ms };
    assert_eq!(taken[0], told("a", 70, 30, Some(62_000)));
    assert_eq!(taken[1], told("b", 20, 40, Some(63_000)));
    assert_eq!(taken[2], told("a", 1, 2, None));
    assert_eq!(taken[3], told("a", 400, 600, Some(10_000)));
    assert_eq!(taken[4], untouched(5));
    assert!(
        limits.reserve(&key("a"), want(31, 1), 3_000).is_err()
            && limits.reserve(&key("b"), want(41, 1), 3_000).is_err()
    );
    running.settle(want(10, 400), 3_000);
    assert_eq!(limits.taken(&all, 3_000)[0], told("b", 20, 80, Some(63_000)));
    // A limit that is told of and not kept yet has what was counted of its form.
    let lower = [Limit { kind: HolderKind::Key, id: Some("b".to_owned()), most: Most::TokensPerMinute(10) }];
    assert_eq!(limits.taken(&lower, 3_000), [told("b", 20, 0, Some(63_000))]);
    assert_eq!(limits.taken(&all, 70_000), [100, 60, 3, 1_000, 5].map(untouched), "all of it is there again");
}

#[test]
fn one_limit_that_refuses_leaves_the_others_untouched() {
    let agent = Holder::new(HolderKind::Agent, "clerk");
    let limits = Limits::try_new(vec![
        limit(Most::TokensPerMinute(100)),
        Limit { kind: HolderKind::Agent, id: Some("clerk".to_owned()), most: Most::RequestsPerMinute(1) },
    ])
    .unwrap();
    let both = [tenant(), vec![agent]].concat();
    limits.reserve(&both, want(10, 0), 0).unwrap().settle(want(10, 0), 0);
    assert!(limits.reserve(&both, want(90, 0), 0).is_err());
    assert!(limits.reserve(&tenant(), want(90, 0), 0).is_ok(), "the refused call took no tokens");
}

#[test]
fn tokens_beyond_what_was_reserved_hold_later_calls_back() {
    let limits = Limits::try_new(vec![limit(Most::TokensPerMinute(100))]).unwrap();
    limits.reserve(&tenant(), want(10, 0), 0).unwrap().settle(want(150, 0), 1_000);
    let refused = limits.reserve(&tenant(), want(1, 0), 2_000).unwrap_err();
    assert_eq!(refused.retry_after_ms(), Some(60_000));
}

#[test]
fn what_was_recorded_before_counts() {
    let limits = Limits::try_new(vec![limit(Most::Money { amount: Money(100), window_ms: 10_000 })]).unwrap();
    limits.charge(&tenant(), want(5, 70), 1_000, 3_000);
    assert!(limits.reserve(&tenant(), want(1, 31), 3_000).is_err());
    assert!(limits.reserve(&tenant(), want(1, 30), 3_000).is_ok());
}

#[test]
fn other_limits_go_on_with_what_was_taken() {
    let limits = Limits::try_new(vec![limit(Most::TokensPerMinute(100))]).unwrap();
    limits.reserve(&tenant(), want(80, 0), 0).unwrap().settle(want(80, 0), 0);
    limits.replace(vec![limit(Most::TokensPerMinute(90))]).unwrap();
    assert!(limits.reserve(&tenant(), want(11, 0), 0).is_err());
    assert_eq!(
        limits.replace(vec![limit(Most::Money { amount: Money(1), window_ms: 0 })]),
        Err(InvalidLimit::Window(0))
    );
}

#[test]
fn threads_together_never_take_more_than_a_limit() {
    let most = Most::Money { amount: Money(1_000), window_ms: 1_000_000 };
    let limits = Limits::try_new(vec![limit(most), limit(Most::TokensPerMinute(777))]).unwrap();
    let barrier = Barrier::new(8);
    let took: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..8_u64)
            .map(|worker| {
                let (limits, barrier) = (&limits, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let mut took = 0;
                    for round in 0..200 {
                        let reserved = 1 + (worker * 7 + round * 3) % 13;
                        let Ok(reservation) = limits.reserve(&tenant(), want(reserved, reserved), 5) else { continue };
                        let used = reserved - reserved / 3;
                        reservation.settle(want(used, used), 6);
                        took += used;
                    }
                    took
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!(took <= 777, "{took}");
    assert!(took > 777 - 13, "almost all of it can be had: {took}");
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(u64),
    Settle(usize, u64),
    Drop(usize),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..60_u64).prop_map(Step::Reserve),
        2 => (any::<prop::sample::Index>(), 0..60_u64).prop_map(|(index, used)| Step::Settle(index.index(1000), used)),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::Drop(index.index(1000))),
        1 => (0..20_000_i64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever is reserved, settled and dropped, what was used of no more than was reserved stays within the limit in
    /// any 60 seconds and in each window.
    #[test]
    fn no_minute_and_no_window_is_ever_over_spent(steps in steps()) {
        const TOKENS: u64 = 100;
        const MONEY: u64 = 150;
        const WINDOW_MS: i64 = 30_000;
        let money = Most::Money { amount: Money(MONEY), window_ms: WINDOW_MS };
        let limits = Limits::try_new(vec![limit(Most::TokensPerMinute(TOKENS)), limit(money)]).unwrap();
        let mut now = 123_456;
        let mut open: Vec<(Reservation, u64, i64)> = Vec::new();
        let mut used: Vec<(i64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve(amount) => {
                    if let Ok(reservation) = limits.reserve(&tenant(), want(amount, amount), now) {
                        open.push((reservation, amount, now));
                    }
                }
                Step::Settle(index, amount) if !open.is_empty() => {
                    let (reservation, reserved, at) = open.swap_remove(index % open.len());
                    let amount = amount.min(reserved);
                    reservation.settle(want(amount, amount), now);
                    used.push((at, amount));
                }
                Step::Drop(index) if !open.is_empty() => {
                    let (_, reserved, at) = open.swap_remove(index % open.len());
                    used.push((at, reserved));
                }
                Step::Wait(ms) => now += ms,
                Step::Settle(..) | Step::Drop(_) => {}
            }
        }
        for (begin, _) in &used {
            let minute: u64 = used.iter().filter(|(at, _)| (0..60_000).contains(&(at - begin))).map(|(_, used)| used).sum();
            prop_assert!(minute <= TOKENS, "{minute} tokens in a minute");
            let number = begin.div_euclid(WINDOW_MS);
            let window: u64 = used.iter().filter(|(at, _)| at.div_euclid(WINDOW_MS) == number).map(|(_, used)| used).sum();
            prop_assert!(window <= MONEY, "{window} in a window");
        }
    }
}
