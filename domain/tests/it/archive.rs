//! Rules of the Archive aggregate.

use timeloom_domain::archive::{Archive, ArchiveCommand, ArchiveEvent, ArchiveRefusal, ArchivedRange, RestoredRange};

use crate::given::given;

fn range(first: u64, last: u64) -> ArchivedRange {
    ArchivedRange {
        first,
        last,
        place: "archive".to_owned(),
        segment: format!("{first}-{last}.segment"),
        bytes: 10,
        sha256: "a".repeat(64),
        index_sha256: "b".repeat(64),
        last_us: 1,
        payload_bytes: 100,
        subtrees: Vec::new(),
    }
}

#[test]
fn ranges_follow_each_other_from_the_first_event_on() {
    let archived = |first, last| ArchiveEvent::RangeArchived(range(first, last));
    let note = |first, last| ArchiveCommand::Note(range(first, last));
    given::<Archive>([]).when(note(1, 10)).then([archived(1, 10)]);
    given::<Archive>([archived(1, 10)]).when(note(11, 20)).then([archived(11, 20)]);
    given::<Archive>([]).when(note(2, 10)).refused(ArchiveRefusal::NotNext { found: 2, wanted: 1 });
    for first in [1, 10, 12] {
        let refused = ArchiveRefusal::NotNext { found: first, wanted: 11 };
        given::<Archive>([archived(1, 10)]).when(note(first, 20)).refused(refused);
    }
}

#[test]
fn a_range_without_events_or_hashes_is_refused() {
    let wrong = [
        range(2, 1),
        ArchivedRange { sha256: "abc".to_owned(), ..range(1, 2) },
        ArchivedRange { index_sha256: "g".repeat(64), ..range(1, 2) },
        ArchivedRange { place: String::new(), ..range(1, 2) },
    ];
    for range in wrong {
        given::<Archive>([]).when(ArchiveCommand::Note(range)).refused(ArchiveRefusal::NoRange);
    }
}

#[test]
fn the_newest_range_comes_back_and_then_the_one_before_it() {
    let archived = |first, last| ArchiveEvent::RangeArchived(range(first, last));
    let back = |first, last| RestoredRange::from(&range(first, last));
    let (both, restored) = ([archived(1, 10), archived(11, 20)], ArchiveEvent::RangeRestored(back(11, 20)));
    let restore = |first, last| ArchiveCommand::Restore(back(first, last));
    given::<Archive>(both.clone()).when(restore(11, 20)).then([restored.clone()]);
    let refused = ArchiveRefusal::NotNewest { first: 1, last: 10, newest: 20 };
    given::<Archive>(both.clone()).when(restore(1, 10)).refused(refused);
    let [first, second] = both;
    let less = [first, second, restored.clone()];
    given::<Archive>(less.clone()).when(restore(1, 10)).then([ArchiveEvent::RangeRestored(back(1, 10))]);
    // What came back can be archived again.
    given::<Archive>(less).when(ArchiveCommand::Note(range(11, 30))).then([archived(11, 30)]);
    given::<Archive>([]).when(restore(1, 10)).refused(ArchiveRefusal::NotNewest { first: 1, last: 10, newest: 0 });
    given::<Archive>([archived(1, 10)]).when(restore(11, 10)).refused(ArchiveRefusal::NoRange);
}
