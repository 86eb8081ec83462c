//! What an honest export proves.

use proptest::prelude::*;
use timeloom_verify::check::{CheckError, Known, check};
use timeloom_verify::key::Validity;

use crate::world::{BEGIN_US, World, key};

#[test]
fn every_range_of_an_honest_log_is_proved() {
    let world = World::of(57);
    for (from, to) in [(1, 57), (1, 1), (57, 57), (1, 20), (11, 30), (12, 31), (33, 57), (40, 40)] {
        let report = world.export(from, to).check(&world.public(), &[]);
        assert!(report.is_proved(), "{from} to {to}: {:?}", report.findings);
        assert_eq!((report.events, report.from, report.to), (to + 1 - from, from, to));
        assert_eq!(report.signed_by, Some(world.public()[0].vkey()));
    }
}

#[test]
fn a_checkpoint_that_was_kept_is_found_to_be_of_the_same_history() {
    let world = World::of(57);
    let whole = world.export(1, 57);
    let kept: Vec<String> = [10, 20, 50].map(|size| world.note(size)).into();
    assert_eq!(whole.check(&world.public(), &kept).kept, [10, 20, 50]);
    // Outside of the range it takes a proof.
    let part = world.export_with(31, 40, &[10, 50]);
    let report = part.check(&world.public(), &[world.note(10), world.note(50)]);
    assert!(report.is_proved(), "{:?}", report.findings);
    assert_eq!(report.kept, [10, 50]);
}

#[test]
fn what_older_keys_signed_holds_with_new_ones() {
    let mut world = World::of(57);
    let until_us = Some(BEGIN_US + 25_500);
    let old = key(1, Validity { from_us: None, until_us });
    let new = key(2, Validity { from_us: until_us, until_us: None });
    // Each checkpoint is signed by the key that holds for its last event.
    world.keys = vec![old.clone()];
    let early = world.note(20);
    world.keys = vec![new.clone()];
    world.checkpoints.retain(|size| *size > 25);
    let export = world.export(21, 57);
    let keys = [old.public(), new.public()];
    let report = export.check(&keys, &[]);
    assert!(report.is_proved(), "{:?}", report.findings);
    let linked = world.export_with(31, 57, &[20]).check(&keys, &[early]);
    assert_eq!((linked.kept.as_slice(), linked.finding_count), (&[20][..], 0), "{:?}", linked.findings);
}

#[test]
fn a_folder_without_an_export_is_told_from_a_lie() {
    let folder = tempfile::tempdir().unwrap();
    let error = check(folder.path(), &Known::default(), |_, _| {}).unwrap_err();
    assert!(matches!(error, CheckError::NoExport(_)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_of_any_log_is_proved(size in 1..120_u64, from in 0..120_u64, to in 0..120_u64) {
        let (from, to) = (from % size + 1, to % size + 1);
        let world = World::of(size);
        let report = world.export(from.min(to), from.max(to)).check(&world.public(), &[]);
        prop_assert!(report.is_proved(), "{:?}", report.findings);
    }
}
