//! The queue against what it is to do, by hand and by chance.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn rules(rows_max: usize) -> Rules<'static> {
    Rules { rows_max, preferred: &[], delay: Duration::ZERO, compute: Duration::ZERO, together: true }
}

/// A queue that numbers who comes.
#[derive(Default)]
struct Line {
    queue: Queue<()>,
    tickets: u64,
}

impl Line {
    fn push(&mut self, shape: u64, rows: usize, priority: Priority, (since, until): (Duration, Duration)) -> Place {
        self.tickets += 1;
        let rank = Rank { priority, until, ticket: self.tickets };
        self.queue.push(vec![shape], Waiting { rank, rows, bytes: rows * 10, since, payload: () })
    }

    fn rows(&mut self, rows: &[usize]) {
        for rows in rows {
            self.push(0, *rows, Priority::Standard, (Duration::ZERO, MS * 1000));
        }
    }

    fn next(&mut self, now: Duration, rules: &Rules<'_>) -> Vec<u64> {
        tickets(&self.queue.next(now, rules).batch)
    }
}

fn tickets(waiting: &[Waiting<()>]) -> Vec<u64> {
    waiting.iter().map(|waiting| waiting.rank.ticket).collect()
}

#[test]
fn a_higher_priority_goes_first_and_within_one_the_earlier_deadline() {
    let mut line = Line::default();
    for (priority, until) in [
        (Priority::Bulk, 10),
        (Priority::Standard, 30),
        (Priority::Standard, 20),
        (Priority::Interactive, 90),
        (Priority::Standard, 20),
    ] {
        line.push(0, 1, priority, (Duration::ZERO, MS * until));
    }
    assert_eq!(line.next(MS, &rules(3)), [4, 3, 5]);
    assert_eq!(line.next(MS, &rules(3)), [2, 1]);
    assert_eq!(line.queue.len(), 0);
}

#[test]
fn shapes_are_never_mixed_and_a_model_that_does_not_batch_gets_one_at_a_time() {
    let mut line = Line::default();
    for shape in [7, 8, 7, 8] {
        line.push(shape, 1, Priority::Standard, (Duration::ZERO, MS * 100));
    }
    assert_eq!(line.next(MS, &Rules { together: false, ..rules(32) }), [1]);
    assert_eq!(line.next(MS, &rules(32)), [2, 4]);
    assert_eq!(line.next(MS, &rules(32)), [3]);
}

#[test]
fn a_free_instance_takes_what_waits_unless_it_is_told_to_wait_for_more() {
    let mut line = Line::default();
    line.rows(&[1, 1]);
    let waits = Rules { delay: MS * 5, ..rules(4) };
    let next = line.queue.next(MS * 4, &waits);
    assert_eq!((next.batch.len(), next.look_at), (0, Some(MS * 5)));
    assert_eq!(line.next(MS * 5, &waits), [1, 2], "the first has waited long enough");
    line.rows(&[2, 2]);
    assert_eq!(line.next(MS, &waits), [3, 4], "it is full");
    line.rows(&[3, 3]);
    assert_eq!(line.next(MS, &waits), [5], "what comes next does not fit any more");
    assert_eq!(line.next(MS, &rules(4)), [6]);
}

#[test]
fn nobody_waits_for_others_past_the_time_that_is_needed_to_compute_it() {
    let mut line = Line::default();
    line.push(0, 1, Priority::Standard, (Duration::ZERO, MS * 30));
    let waits = Rules { delay: MS * 100, compute: MS * 10, ..rules(4) };
    assert_eq!(line.queue.next(MS, &waits).look_at, Some(MS * 20));
    assert_eq!(line.next(MS * 20, &waits), [1]);
}

#[test]
fn a_preferred_size_goes_at_once_and_the_largest_that_is_reached_is_taken() {
    let preferred = Rules { preferred: &[2, 4], delay: MS * 5, ..rules(8) };
    let mut line = Line::default();
    line.rows(&[1]);
    assert!(line.next(MS, &preferred).is_empty());
    line.rows(&[1]);
    assert_eq!(line.next(MS, &preferred), [1, 2]);
    line.rows(&[1; 5]);
    assert_eq!(line.next(MS, &preferred), [3, 4, 5, 6]);
    assert!(line.next(MS, &preferred).is_empty());
    assert_eq!(line.next(MS * 5, &preferred), [7]);
}

#[test]
fn who_cannot_be_ready_in_time_gives_way_to_who_can_but_not_to_nobody() {
    let slow = Rules { compute: MS * 50, ..rules(8) };
    let mut line = Line::default();
    line.push(0, 1, Priority::Standard, (Duration::ZERO, MS * 40));
    line.push(0, 1, Priority::Standard, (Duration::ZERO, MS * 90));
    let next = line.queue.next(MS, &slow);
    assert_eq!((tickets(&next.batch), tickets(&next.missed)), (vec![2], vec![1]));
    line.push(0, 1, Priority::Standard, (Duration::ZERO, MS * 40));
    line.push(1, 1, Priority::Standard, (Duration::ZERO, MS * 90));
    assert_eq!(line.next(MS, &slow), [4], "another shape that can be ready goes before");
    assert_eq!(line.next(MS, &slow), [3], "the machine would stand idle");
}

#[derive(Debug, Clone)]
enum Step {
    Push { shape: u64, rows: usize, priority: Priority, within: u64 },
    Next { rows_max: usize, compute: u64, delay: u64 },
    Pass(u64),
    Remove(usize),
    PopLast,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let push = (0..3_u64, 1..6_usize, 0..4_usize, 1..60_u64).prop_map(|(shape, rows, priority, within)| Step::Push {
        shape,
        rows,
        priority: Priority::ALL[priority],
        within,
    });
    let next = (1..9_usize, prop_oneof![3 => Just(0), 1 => 0..30_u64], prop_oneof![3 => Just(0), 1 => 0..20_u64])
        .prop_map(|(rows_max, compute, delay)| Step::Next { rows_max, compute, delay });
    let one = prop_oneof![
        8 => push,
        4 => next,
        2 => (1..20_u64).prop_map(Step::Pass),
        1 => (0..40_usize).prop_map(Step::Remove),
        1 => Just(Step::PopLast),
    ];
    proptest::collection::vec(one, 1..120)
}

/// Everybody who waits as a plain list.
type Model = Vec<(Place, u64, usize)>;

fn leaves(model: &mut Model, waiting: &Waiting<()>) -> (u64, usize) {
    let at = model.iter().position(|(place, ..)| place.rank == waiting.rank).expect("nobody leaves twice");
    let (_, shape, rows) = model.remove(at);
    (shape, rows)
}

fn check_batch(model: &mut Model, batch: &[Waiting<()>], now: Duration, rules: &Rules<'_>) {
    let left: Vec<(u64, usize)> = batch.iter().map(|waiting| leaves(model, waiting)).collect();
    let rows: usize = left.iter().map(|(_, rows)| rows).sum();
    assert!(rows <= rules.rows_max || batch.len() == 1, "{rows} rows of {}", rules.rows_max);
    assert!(left.iter().all(|(shape, _)| *shape == left[0].0), "shapes are mixed");
    assert!(batch.iter().all(|waiting| waiting.rank.until > now), "a deadline has passed");
    assert!(batch.is_sorted_by_key(|waiting| waiting.rank));
    let Some((last, (shape, _))) = batch.last().zip(left.first()) else { return };
    let overtaken = model.iter().find(|(place, other, _)| other == shape && place.rank < last.rank);
    assert!(overtaken.is_none() || !rules.compute.is_zero(), "{overtaken:?} was overtaken by {:?}", last.rank);
}

proptest! {
    #[test]
    fn everybody_leaves_once_in_order_and_in_no_batch_that_is_too_large(steps in steps()) {
        let (mut line, mut model, mut now) = (Line::default(), Model::new(), Duration::ZERO);
        for step in steps {
            match step {
                Step::Push { shape, rows, priority, within } => {
                    let place = line.push(shape, rows, priority, (now, now + MS * within as u32));
                    model.push((place, shape, rows));
                }
                Step::Next { rows_max, compute, delay } => {
                    let rules = Rules { compute: MS * compute as u32, delay: MS * delay as u32, ..rules(rows_max) };
                    let next = line.queue.next(now, &rules);
                    for missed in &next.missed {
                        leaves(&mut model, missed);
                        prop_assert!(missed.rank.until < now + rules.compute || missed.rank.until <= now);
                    }
                    check_batch(&mut model, &next.batch, now, &rules);
                    // Whoever may go goes: an instance never sleeps beside work.
                    prop_assert!(!next.batch.is_empty() || model.is_empty() || next.look_at.is_some_and(|at| at > now));
                    prop_assert!(model.iter().all(|(place, ..)| place.rank.until > now));
                }
                Step::Pass(time) => now += MS * time as u32,
                Step::Remove(at) => {
                    if let Some((place, ..)) = model.get(at).copied() {
                        let waiting = line.queue.remove(place).expect("it waits");
                        leaves(&mut model, &waiting);
                        prop_assert!(line.queue.remove(place).is_none());
                    }
                }
                Step::PopLast => {
                    let last = model.iter().map(|(place, ..)| place.rank).max();
                    let popped = line.queue.pop_last();
                    prop_assert_eq!(popped.as_ref().map(|waiting| waiting.rank), last);
                    if let Some(waiting) = &popped {
                        leaves(&mut model, waiting);
                    }
                }
            }
            let rows = model.iter().map(|(_, _, rows)| rows).sum::<usize>();
            prop_assert_eq!((line.queue.len(), line.queue.rows(), line.queue.bytes()), (model.len(), rows, rows * 10));
            prop_assert_eq!(line.queue.due(), model.iter().map(|(place, ..)| place.rank.until).min());
            let bulk = model.iter().filter(|(place, ..)| place.rank.priority > Priority::Standard).count();
            prop_assert_eq!(line.queue.below(Priority::Standard).0, bulk);
        }
        prop_assert_eq!(line.queue.clear().len(), model.len());
        prop_assert!(line.queue.lanes.is_empty() && line.queue.by_shape.is_empty() && line.queue.heads.is_empty());
    }
}
