//! A lying server: each lie is an honest log or export that was altered as an operator with all rights could alter it,
//! with leaves, trees and signatures made anew where that is in their power. Each is found, with the place where it can be
//! known.

use std::fs;

use timeloom_verify::check::{Kind, Known, Report};
use timeloom_verify::export::{CHECKPOINT, CHECKPOINTS, MANIFEST};
use timeloom_verify::key::Validity;
use timeloom_verify::leaf::Record;
use timeloom_verify::line;

use crate::world::{BEGIN_US, Export, World, key};

const EVENTS: &str = "events-000000000001.jsonl";

/// One lie: what is shown to an auditor who kept the checkpoint of thirty events.
struct Lie {
    name: &'static str,
    tell: fn(World) -> (World, Export),
    kind: Kind,
    /// The positions that are named.
    place: Option<(u64, u64)>,
}

/// Alters the export alone.
fn altered(world: World, alter: impl FnOnce(&Export)) -> (World, Export) {
    let export = world.export(1, world.size());
    alter(&export);
    (world, export)
}

/// Alters the log, and signs all of it anew.
fn rewritten(mut world: World, alter: impl FnOnce(&mut World)) -> (World, Export) {
    alter(&mut world);
    let export = world.export(1, world.size());
    (world, export)
}

const LIES: &[Lie] = &[
    Lie {
        name: "one byte of a payload is changed",
        tell: |world| {
            altered(world, |export| export.lines(|lines| lines[22] = lines[22].replace("event 23", "event 24")))
        },
        kind: Kind::Changed,
        place: Some((23, 23)),
    },
    Lie {
        name: "a payload is changed, and its leaf made anew",
        tell: |world| {
            altered(world, |export| {
                export.lines(|lines| {
                    let read = line::Line::parse(lines[22].trim_end()).unwrap();
                    let record = Record { payload: "{}", ..read.record() };
                    let mut changed = String::new();
                    line::write(&record, &record.leaf(&mut Vec::new()), &mut changed);
                    lines[22] = changed;
                })
            })
        },
        // Between the checkpoint that still holds and the next one.
        kind: Kind::Rewritten,
        place: Some((21, 30)),
    },
    Lie {
        name: "who did it is changed",
        tell: |world| {
            altered(world, |export| export.lines(|lines| lines[4] = lines[4].replace("local:owner", "local:other")))
        },
        kind: Kind::Changed,
        place: Some((5, 5)),
    },
    Lie {
        name: "an event is dropped",
        tell: |world| altered(world, |export| export.lines(|lines| drop(lines.remove(22)))),
        kind: Kind::Dropped,
        place: Some((23, 23)),
    },
    Lie {
        name: "an event is dropped, the others are numbered anew, and all is signed anew",
        tell: |world| {
            rewritten(world, |world| {
                world.events.remove(22);
                world.number();
                world.checkpoints = vec![10, 20, 30, 40, 50, 56];
            })
        },
        kind: Kind::Forked,
        place: Some((21, 30)),
    },
    Lie {
        name: "an event is dropped, only positions are numbered anew, and all is signed anew",
        tell: |world| {
            rewritten(world, |world| {
                world.events.remove(40);
                for (event, position) in world.events.iter_mut().zip(1..) {
                    event.position = position;
                }
                world.checkpoints = vec![10, 20, 30, 40, 50, 56];
            })
        },
        // Its stream has a gap where the next event of it is.
        kind: Kind::Revision,
        place: Some((43, 43)),
    },
    Lie {
        name: "two events change places",
        tell: |world| altered(world, |export| export.lines(|lines| lines.swap(22, 23))),
        kind: Kind::Reordered,
        place: Some((23, 23)),
    },
    Lie {
        name: "an event is put in twice",
        tell: |world| altered(world, |export| export.lines(|lines| lines.insert(30, lines[22].clone()))),
        kind: Kind::Inserted,
        place: Some((23, 23)),
    },
    Lie {
        name: "an event is put in, the others are numbered anew, and all is signed anew",
        tell: |world| {
            rewritten(world, |world| {
                let mut put_in = world.events[22].clone();
                put_in.recorded_at_us += 1;
                world.events.insert(23, put_in);
                world.number();
                world.checkpoints = vec![10, 20, 30, 40, 50, 58];
            })
        },
        kind: Kind::Forked,
        place: Some((21, 30)),
    },
    Lie {
        name: "the tail of the export is cut off",
        tell: |world| altered(world, |export| export.lines(|lines| lines.truncate(40))),
        kind: Kind::Truncated,
        place: Some((41, 57)),
    },
    Lie {
        name: "the tail of the log is cut off, and all is signed anew",
        tell: |world| {
            rewritten(world, |world| {
                world.events.truncate(25);
                world.checkpoints = vec![10, 20, 25];
            })
        },
        kind: Kind::Truncated,
        place: Some((26, 30)),
    },
    Lie {
        name: "history is forked, and all is signed anew",
        tell: |world| {
            rewritten(world, |world| {
                for event in &mut world.events[24..] {
                    event.payload = r#"{"other":"history"}"#.to_owned();
                }
            })
        },
        kind: Kind::Forked,
        place: Some((21, 30)),
    },
    Lie {
        name: "everything is signed by another key of the same name",
        tell: |mut world| {
            let own = world.keys.clone();
            world.keys = vec![key(9, Validity::default())];
            let export = world.export(1, world.size());
            world.keys = own;
            (world, export)
        },
        kind: Kind::WrongKey,
        place: None,
    },
    Lie {
        name: "the newest checkpoint is signed by a key that had ended",
        tell: |mut world| {
            world.keys = vec![key(1, Validity { from_us: None, until_us: Some(BEGIN_US + 35_000) })];
            let export = world.export(1, world.size());
            (world, export)
        },
        kind: Kind::ExpiredKey,
        place: None,
    },
    Lie {
        name: "the clock runs backwards",
        tell: |world| rewritten(world, |world| world.events[34].recorded_at_us -= 5_000),
        kind: Kind::Clock,
        place: Some((35, 35)),
    },
    Lie {
        name: "a checkpoint says another time than its last event",
        tell: |world| {
            let mut late = world.checkpoint(57);
            late.recorded_at_us += 1;
            let note = late.signed(&world.keys).to_string();
            altered(world, |export| export.change(CHECKPOINT, |_| note))
        },
        kind: Kind::Clock,
        place: Some((57, 57)),
    },
    Lie {
        name: "the size of a signed checkpoint is changed",
        tell: |world| altered(world, |export| export.change(CHECKPOINT, |note| note.replacen("\n57\n", "\n58\n", 1))),
        kind: Kind::Signature,
        place: None,
    },
    Lie {
        name: "the hashes before the range are another history's",
        tell: |world| {
            let mut other = world.clone();
            other.events[3].payload = "{}".to_owned();
            let (left, export) = (other.export(31, 57).manifest().left, world.export_with(31, 57, &[30]));
            let manifest = timeloom_verify::export::Manifest { left, ..export.manifest() };
            export.describe(manifest);
            (world, export)
        },
        kind: Kind::Forked,
        place: Some((31, 30)),
    },
];

fn told(report: &Report) -> String {
    report
        .findings
        .iter()
        .map(|finding| format!("{:?} {:?}-{:?} {}\n", finding.kind, finding.from, finding.to, finding.detail))
        .collect()
}

#[test]
fn every_lie_is_found_where_it_is() {
    let honest = World::of(57);
    let (keys, kept) = (honest.public(), honest.note(30));
    for lie in LIES {
        let (world, export) = (lie.tell)(honest.clone());
        // Whoever has the operator's own keys file knows when they end.
        let keys = if lie.kind == Kind::ExpiredKey { world.public() } else { keys.clone() };
        let report = export.check(&keys, std::slice::from_ref(&kept));
        let found = report.findings.iter().find(|finding| finding.kind == lie.kind);
        let found = found.unwrap_or_else(|| panic!("{}: not found, but\n{}", lie.name, told(&report)));
        assert_eq!(found.from.zip(found.to), lie.place, "{}: {}", lie.name, told(&report));
    }
}

#[test]
fn a_lie_that_was_told_from_the_start_needs_a_kept_checkpoint_to_be_found() {
    let honest = World::of(57);
    let (_, forged) = rewritten(honest.clone(), |world| world.events[22].payload = "{}".to_owned());
    assert!(forged.check(&honest.public(), &[]).is_proved(), "an operator with the key can write any history once");
    assert!(!forged.check(&honest.public(), &[honest.note(30)]).is_proved());
}

#[test]
fn a_checkpoint_that_nothing_links_is_told_and_not_believed() {
    let world = World::of(57);
    let report = world.export(41, 57).check(&world.public(), &[world.note(20)]);
    assert_eq!(report.findings[0].kind, Kind::Unlinked, "{}", told(&report));
    assert!(report.findings[0].detail.contains("--older 20"));
}

#[test]
fn a_payload_beside_the_events_that_is_changed_or_missing_is_found() {
    let content = "a large payload";
    let hash = blake3::hash(content.as_bytes()).to_hex();
    let mut world = World::of(10);
    world.events[4].payload = format!(r#"{{"$blob":{{"hash":"{hash}","bytes":{}}}}}"#, content.len());
    let mut export = world.export(1, 10);
    export.add_payload(&hash, content);
    let honest = export.check(&world.public(), &[]);
    assert_eq!((honest.payloads, honest.finding_count), (1, 0), "{}", told(&honest));
    let payload = export.file(&format!("blobs/{hash}"));
    fs::write(&payload, "another payload").unwrap();
    export.describe(export.manifest());
    let changed = export.check(&world.public(), &[]);
    assert_eq!((changed.findings[0].kind, changed.findings[0].from), (Kind::Payload, Some(5)), "{}", told(&changed));
    fs::remove_file(payload).unwrap();
    let missing = export.check(&world.public(), &[]);
    assert!(missing.findings.iter().any(|finding| finding.kind == Kind::Payload), "{}", told(&missing));
}

#[test]
fn what_witnesses_have_not_seen_is_told() {
    let world = World::of(10);
    let known = Known { keys: world.public(), witnesses_min: 1, ..Known::default() };
    let report = world.export(1, 10).check_knowing(&known);
    assert_eq!(report.findings[0].kind, Kind::Witness, "{}", told(&report));
}

/// Bits of a file that are tried; they are spread over all of it.
const TRIED: usize = 40;

/// Changes one bit of a file after the other, and gives the file back as it was.
fn for_bits(export: &Export, name: &str, mut look: impl FnMut(usize, usize)) {
    let honest = fs::read(export.file(name)).unwrap();
    for number in 0..TRIED.min(honest.len()) {
        let (at, bit) = (number * honest.len() / TRIED.min(honest.len()), number % 8);
        let mut changed = honest.clone();
        changed[at] ^= 1 << bit;
        fs::write(export.file(name), changed).unwrap();
        look(at, bit);
    }
    fs::write(export.file(name), honest).unwrap();
}

#[test]
fn no_bit_of_an_export_can_be_changed() {
    let world = World::of(23);
    let export = world.export(5, 23);
    for name in [MANIFEST, CHECKPOINT, CHECKPOINTS, "events-000000000005.jsonl"] {
        for_bits(&export, name, |at, bit| {
            let report = export.check(&world.public(), &[]);
            assert!(!report.is_proved(), "bit {bit} of byte {at} of {name}");
        });
    }
    assert!(export.check(&world.public(), &[]).is_proved());
}

#[test]
fn no_bit_of_an_event_can_be_changed_where_the_manifest_is_made_to_fit() {
    let world = World::of(23);
    let export = world.export(1, 23);
    let manifest = export.manifest();
    for_bits(&export, EVENTS, |at, bit| {
        export.describe(manifest.clone());
        let report = export.check(&world.public(), &[]);
        assert!(!report.is_proved(), "bit {bit} of byte {at}");
    });
}
