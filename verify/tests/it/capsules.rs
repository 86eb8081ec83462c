//! Capsules that come from anywhere: honest ones are read and proved, and every other one is refused in words that say why.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use proptest::prelude::*;
use timeloom_verify::capsule::{
    Capsule, CapsuleError, FORMAT, InForce, LeftOut, LeftOutKind, MANIFEST, Manifest, Parts, Proof, Role, Stream,
    VERSION,
};
use timeloom_verify::key::Validity;
use timeloom_verify::line;
use timeloom_verify::tree::{fold, inclusion_plan};
use uuid::Uuid;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::world::{LOG, World, key};

/// A payload that lies beside its event.
const LARGE: &[u8] = br#"{"large":"payload"}"#;

/// A log whose fourth event has its payload in a blob.
fn world() -> World {
    let mut world = World::of(20);
    world.events[3].payload = format!(r#"{{"$blob":{{"hash":"{}","bytes":{}}}}}"#, digits(LARGE), LARGE.len());
    world
}

fn digits(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

/// The parts of a capsule of the stream `o-1`.
fn parts(world: &World) -> Parts {
    let size = world.size();
    let (mut events, mut proofs) = (String::new(), Vec::new());
    let own: Vec<_> = world.events.iter().filter(|event| event.stream == "o-1").collect();
    for event in &own {
        line::write(&event.record(), &event.leaf(), &mut events);
        let plan = inclusion_plan(event.position, size).unwrap();
        let path = plan
            .into_iter()
            .map(|nodes| fold(&nodes.into_iter().map(|node| world.hash(node)).collect::<Vec<_>>()).unwrap());
        proofs.push(Proof { position: event.position, path: path.collect() });
    }
    let stream =
        Stream { category: "order".to_owned(), id: "o-1".to_owned(), role: Role::Execution, events: own.len() as u64 };
    let left_out = LeftOut { what: LeftOutKind::Attachment, name: "00".repeat(32), reason: "no room".to_owned() };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        log_id: LOG,
        tenant: 0,
        execution: Uuid::from_u128(7),
        tree_size: size,
        root: world.checkpoint(size).root,
        streams: vec![stream],
        sealed_events: 0,
        left_out: vec![left_out],
        in_force: InForce { program: "timeloom 0".to_owned(), ..InForce::default() },
        files: Vec::new(),
    };
    let blobs = BTreeMap::from([(digits(LARGE), LARGE.to_vec())]);
    Parts { manifest, note: world.note(size), events, proofs, blobs }
}

fn file(world: &World) -> Vec<u8> {
    let capsule = Capsule::try_new(parts(world)).unwrap();
    capsule.write(Cursor::new(Vec::new())).unwrap().into_inner()
}

fn read(file: &[u8]) -> Result<Capsule, CapsuleError> {
    Capsule::read(Cursor::new(file))
}

fn why(file: &[u8]) -> String {
    read(file).unwrap_err().to_string()
}

/// The capsule packed anew, with its files as `change` leaves them.
fn repacked(file: &[u8], change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(file)).unwrap();
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.push((entry.name().to_owned(), content));
    }
    change(&mut files);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn content<'files>(files: &'files mut [(String, Vec<u8>)], name: &str) -> &'files mut Vec<u8> {
    &mut files.iter_mut().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn an_honest_capsule_is_read_and_proved_by_its_key_alone() {
    let world = world();
    let file = file(&world);
    assert_eq!(file, self::file(&world), "the same execution gives the same bytes");
    let capsule = read(&file).unwrap();
    assert_eq!(capsule, Capsule::try_new(parts(&world)).unwrap());
    assert_eq!(capsule.events().count(), 7);
    assert_eq!(capsule.signer(&world.public()).unwrap().id(), world.public()[0].id());
    let other = [key(9, Validity::default()).public()];
    assert!(capsule.signer(&other).unwrap_err().to_string().contains("by none of the keys that were given"));
    assert!(capsule.signer(&[]).is_err());
}

#[test]
fn what_is_cut_off_or_no_archive_is_refused() {
    let file = file(&world());
    for length in [0, 1, 21, file.len() / 2, file.len() - 1] {
        assert!(why(&file[..length]).contains("no whole capsule"), "{length}: {}", why(&file[..length]));
    }
    assert!(why(b"not a capsule at all, but long enough to be looked at for an archive").contains("no whole capsule"));
    let without = repacked(&file, |files| files.retain(|(name, _)| name != MANIFEST));
    assert!(why(&without).contains("manifest.json: it is missing"), "{}", why(&without));
}

#[test]
fn a_capsule_of_a_newer_version_says_so_before_anything_else() {
    let newer = repacked(&file(&world()), |files| {
        *content(files, MANIFEST) = br#"{"format":"timeloom-capsule","version":2,"somethingNew":true}"#.to_vec();
    });
    assert_eq!(why(&newer), "it is a capsule of version 2, and this program reads 1: get a newer one");
    let other =
        repacked(&file(&world()), |files| *content(files, MANIFEST) = br#"{"format":"zip","version":1}"#.to_vec());
    assert!(why(&other).contains("it says that it is 'zip'"), "{}", why(&other));
}

#[test]
fn what_unpacks_to_more_than_it_may_is_not_unpacked() {
    // Zeros are packed a thousand times smaller.
    let bomb = |name: &str, bytes: u64| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..bytes >> 20).for_each(|_| zip.write_all(&zeros).unwrap());
        zip.finish().unwrap().into_inner()
    };
    let manifest = bomb(MANIFEST, 64 << 20);
    assert!(manifest.len() < 1 << 20, "it is small on the disk");
    assert_eq!(
        why(&manifest),
        "manifest.json has more than 16777216 bytes, which no capsule has: it is not read any further"
    );
    let many = {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..5_000 {
            zip.start_file(format!("blobs/{number}"), SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    assert!(why(&many).contains("it has more than 4100 files"), "{}", why(&many));
    // A file that claims to be what a manifest names, and goes on for ever.
    let lying = repacked(&file(&world()), |files| content(files, "checkpoint.note").resize(1 << 20, b' '));
    assert!(why(&lying).contains("checkpoint.note has more than 65536 bytes"), "{}", why(&lying));
}

#[test]
fn every_change_of_what_is_in_it_is_told() {
    type Change = fn(&mut Parts);
    let changes: [(Change, &str); 9] = [
        (|parts| parts.events = parts.events.replace("event 7", "event 8"), "position 7 is not what was recorded"),
        (|parts| parts.proofs[1].path[0][0] ^= 1, "position 4 is not in the log of which the checkpoint was signed"),
        (|parts| drop(parts.proofs.pop()), "position 19 has no proof"),
        (
            |parts| {
                parts.events = parts.events.lines().take(6).map(|line| format!("{line}\n")).collect();
                parts.proofs.pop();
            },
            "order/o-1 has 6 events here, not 7: some were taken out",
        ),
        (
            |parts| {
                parts.events = parts.events.lines().skip(1).map(|line| format!("{line}\n")).collect();
                parts.proofs.remove(0);
                parts.manifest.streams[0].events = 6;
            },
            "does not follow the one before it in its stream",
        ),
        (|parts| parts.manifest.streams.clear(), "is of nothing that the manifest names"),
        (|parts| parts.blobs.clear(), "position 4 has its payload beside it, and that is not here"),
        (
            |parts| parts.blobs.values_mut().for_each(|content| content.push(b' ')),
            "its content is not what its name says",
        ),
        (|parts| parts.manifest.root[0] ^= 1, "it is not the checkpoint that the manifest names"),
    ];
    for (change, told) in changes {
        let mut changed = parts(&world());
        change(&mut changed);
        let why = Capsule::try_new(changed).unwrap_err().to_string();
        assert!(why.contains(told), "'{told}' is not in: {why}");
    }
    // Whoever packs it anew has to make the manifest anew too, and then the tree is another.
    let file = file(&world());
    let changed = repacked(&file, |files| content(files, "events.jsonl")[10] ^= 1);
    assert!(why(&changed).contains("events.jsonl: it is not what the manifest says"), "{}", why(&changed));
    let more = repacked(&file, |files| files.push(("evil.sh".to_owned(), b"#!/bin/sh".to_vec())));
    assert!(why(&more).contains("it does not name all files"), "{}", why(&more));
}

#[test]
fn a_forged_execution_is_proved_by_nobody() {
    // The operator's log is honest; somebody else makes up another one and signs it by a key of their own.
    let honest = world();
    let mut forged = world();
    forged.events[6].payload = r#"{"total":1000000}"#.to_owned();
    forged.keys = vec![key(2, Validity::default())];
    let capsule = read(&file(&forged)).unwrap();
    let why = capsule.signer(&honest.public()).unwrap_err().to_string();
    assert!(why.contains("by none of the keys that were given"), "{why}");
    // The honest note on the forged events.
    let mut parts = parts(&forged);
    parts.note = honest.note(honest.size());
    assert!(Capsule::try_new(parts).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_can_be_changed_without_being_found(at in 0..1_000_000_usize, bit in 0..8_u32) {
        let world = world();
        let honest = file(&world);
        let mut changed = honest.clone();
        let at = at % changed.len();
        changed[at] ^= 1 << bit;
        // What an archive says of times and attributes is no part of the execution.
        if let Ok(capsule) = read(&changed) {
            prop_assert_eq!(capsule, read(&honest).unwrap());
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
    }
}
