//! A log in memory, and exports of it: honest ones, and those of an operator who may change anything and sign anew.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use timeloom_verify::check::{Known, Report, check};
use timeloom_verify::checkpoint::{Checkpoint, origin};
use timeloom_verify::export::{
    CHECKPOINT, CHECKPOINTS, Consistency, EarlierCheckpoint, EventsFormat, FORMAT, File, MANIFEST, Manifest, Payloads,
    VERSION, digest, parts,
};
use timeloom_verify::key::{PrivateKey, PublicKey, Validity};
use timeloom_verify::leaf::{Leaf, Record};
use timeloom_verify::line;
use timeloom_verify::tree::{Frontier, Node, consistency_plan, fold, perfect_nodes};
use uuid::Uuid;

pub const LOG: Uuid = Uuid::from_u128(0x11);
/// When the first event was recorded.
pub const BEGIN_US: i64 = 1_764_000_000_000_000;

/// An event as the operator has it.
#[derive(Debug, Clone)]
pub struct Event {
    pub position: u64,
    pub stream: String,
    pub revision: u64,
    pub recorded_at_us: i64,
    pub payload: String,
    /// The leaf that is told in place of the right one.
    pub told_leaf: Option<Leaf>,
}

impl Event {
    pub fn record(&self) -> Record<'_> {
        Record {
            position: self.position,
            tenant: 0,
            category: "order",
            stream: &self.stream,
            revision: self.revision,
            id: u128::from(self.position).to_be_bytes(),
            event_type: "OrderChanged",
            event_version: 1,
            recorded_at_us: self.recorded_at_us,
            payload: &self.payload,
            metadata: r#"{"actor":"local:owner"}"#,
        }
    }

    pub fn leaf(&self) -> Leaf {
        self.told_leaf.unwrap_or_else(|| self.record().leaf(&mut Vec::new()))
    }
}

/// A log with whoever may sign it.
#[derive(Debug, Clone)]
pub struct World {
    pub events: Vec<Event>,
    pub keys: Vec<PrivateKey>,
    /// Sizes of the checkpoints that were signed on the way.
    pub checkpoints: Vec<u64>,
}

pub fn key(seed: u8, validity: Validity) -> PrivateKey {
    PrivateKey::from_seed(&origin(LOG), &[seed; 32], validity).unwrap()
}

impl World {
    /// A log of three streams, with a checkpoint every ten events and at the end.
    pub fn of(events: u64) -> Self {
        let event = |position: u64| Event {
            position,
            stream: format!("o-{}", position % 3),
            revision: 0,
            recorded_at_us: BEGIN_US + position as i64 * 1_000,
            payload: format!(r#"{{"number":{position},"text":"event {position}"}}"#),
            told_leaf: None,
        };
        let mut world = Self {
            events: (1..=events).map(event).collect(),
            keys: vec![key(1, Validity::default())],
            checkpoints: (10..=events).step_by(10).chain([events]).collect(),
        };
        world.checkpoints.dedup();
        world.number();
        world
    }

    /// Gives every event the position and the revision that its place says.
    pub fn number(&mut self) {
        let mut revisions = std::collections::HashMap::new();
        for (event, position) in self.events.iter_mut().zip(1..) {
            let revision = revisions.entry(event.stream.clone()).or_insert(0_u64);
            *revision += 1;
            (event.position, event.revision) = (position, *revision);
        }
    }

    pub fn size(&self) -> u64 {
        self.events.len() as u64
    }

    fn frontier(&self, size: u64) -> Frontier {
        let mut frontier = Frontier::default();
        self.events.iter().take(size as usize).for_each(|event| frontier.push(event.leaf()));
        frontier
    }

    pub fn hash(&self, node: Node) -> [u8; 32] {
        let (first, count) = ((node.index << node.level) as usize, 1 << node.level);
        let mut part = Frontier::default();
        self.events[first..first + count].iter().for_each(|event| part.push(event.leaf()));
        part.root()
    }

    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let recorded_at_us = self.events[size as usize - 1].recorded_at_us;
        Checkpoint { origin: origin(LOG), size, root: self.frontier(size).root(), recorded_at_us }
    }

    /// The checkpoint of a size as the operator signs it.
    pub fn note(&self, size: u64) -> String {
        self.checkpoint(size).signed(&self.keys).to_string()
    }

    pub fn public(&self) -> Vec<PublicKey> {
        self.keys.iter().map(PrivateKey::public).collect()
    }

    pub fn export(&self, from: u64, to: u64) -> Export {
        self.export_with(from, to, &[])
    }

    /// Writes events of the log, with proofs that trees of these sizes are its beginning.
    pub fn export_with(&self, from: u64, to: u64, older: &[u64]) -> Export {
        let folder = tempfile::tempdir().unwrap();
        let size = self.checkpoints.iter().copied().find(|size| *size >= to).unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut names = vec![CHECKPOINT.to_owned(), CHECKPOINTS.to_owned()];
        for part in parts(from, to) {
            let mut text = String::new();
            for event in &self.events[part.first as usize - 1..part.last as usize] {
                line::write(&event.record(), &event.leaf(), &mut text);
            }
            names.push(part.name("jsonl"));
            fs::write(path(&part.name("jsonl")), text).unwrap();
        }
        fs::write(path(CHECKPOINT), self.note(size)).unwrap();
        let earlier = self.checkpoints.iter().filter(|size| (from.saturating_sub(1)..=to).contains(*size));
        let earlier = earlier.map(|size| EarlierCheckpoint { size: *size, note: self.note(*size) });
        let earlier: String = earlier.map(|line| serde_json::to_string(&line).unwrap() + "\n").collect();
        fs::write(path(CHECKPOINTS), earlier).unwrap();
        let carried_out = |plan: Vec<Vec<Node>>| {
            let hashes = |nodes: Vec<Node>| nodes.into_iter().map(|node| self.hash(node)).collect::<Vec<_>>();
            plan.into_iter().map(|nodes| fold(&hashes(nodes)).unwrap()).collect()
        };
        let consistency = older.iter().map(|older| {
            let (from, to) = (size.min(*older), size.max(*older));
            Consistency { from, to, path: carried_out(consistency_plan(from, to).unwrap()) }
        });
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            log_id: LOG,
            from,
            to,
            tree_size: size,
            root: self.frontier(size).root(),
            left: perfect_nodes(0, from - 1).into_iter().map(|node| self.hash(node)).collect(),
            right: perfect_nodes(to, size).into_iter().map(|node| self.hash(node)).collect(),
            consistency: consistency.collect(),
            events: EventsFormat::Jsonl,
            payloads: Payloads::Referenced,
            files: Vec::new(),
        };
        let export = Export { folder, names };
        export.describe(manifest);
        export
    }
}

/// An export in a folder.
pub struct Export {
    folder: TempDir,
    names: Vec<String>,
}

impl Export {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn manifest(&self) -> Manifest {
        Manifest::parse(&fs::read_to_string(self.file(MANIFEST)).unwrap()).unwrap()
    }

    /// Writes the manifest anew, with the files as they are now.
    pub fn describe(&self, mut manifest: Manifest) {
        let described = |name: &String| {
            let (bytes, sha256) = digest(fs::File::open(self.file(name)).unwrap()).unwrap();
            File { name: name.clone(), bytes, sha256 }
        };
        manifest.files = self.names.iter().map(described).collect();
        fs::write(self.file(MANIFEST), manifest.to_text().unwrap()).unwrap();
    }

    /// Puts a payload beside the events.
    pub fn add_payload(&mut self, hash: &str, content: &str) {
        let name = format!("blobs/{hash}");
        fs::create_dir_all(self.file("blobs")).unwrap();
        fs::write(self.file(&name), content).unwrap();
        self.names.push(name);
        self.describe(Manifest { payloads: Payloads::Included, ..self.manifest() });
    }

    /// Changes the text of a file, and the manifest so that it fits.
    pub fn change(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.file(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(text)).unwrap();
        self.describe(self.manifest());
    }

    /// Changes the lines of a file with events.
    pub fn lines(&self, change: impl FnOnce(&mut Vec<String>)) {
        self.change("events-000000000001.jsonl", |text| {
            let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
            change(&mut lines);
            lines.concat()
        });
    }

    pub fn check(&self, keys: &[PublicKey], kept: &[String]) -> Report {
        let kept = kept.iter().map(|note| ("kept".to_owned(), note.clone())).collect();
        self.check_knowing(&Known { keys: keys.to_vec(), kept, ..Known::default() })
    }

    pub fn check_knowing(&self, known: &Known) -> Report {
        check(self.path(), known, |_, _| {}).unwrap()
    }
}
