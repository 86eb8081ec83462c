//! What is different between two looks at a folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::look::Found;

/// Most entries that are remembered one by one over the end of the process. Of more it is remembered when it was looked last:
/// what goes meanwhile is not told then.
const REMEMBERED_MAX: usize = 1_500;

/// What happened to a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Add,
    Change,
    Unlink,
    AddFolder,
    UnlinkFolder,
}

impl ChangeKind {
    const ALL: [Self; 5] = [Self::Add, Self::Change, Self::Unlink, Self::AddFolder, Self::UnlinkFolder];

    /// The word for it in parameters and items.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Unlink => "unlink",
            Self::AddFolder => "addDir",
            Self::UnlinkFolder => "unlinkDir",
        }
    }

    /// What a word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub kind: ChangeKind,
    /// Its path below the watched one; empty where it is not known any more.
    pub path: PathBuf,
    /// A digest of the path.
    pub name: String,
    /// What changes whenever it does; of what is gone, how it was last.
    pub stamp: String,
    /// What tells it from others of its kind and path. That something came is the same while it is still being written: whoever
    /// dies before that was remembered tells it once more under the same name.
    pub key: String,
}

/// What is known of an entry.
#[derive(Debug, Clone)]
struct Seen {
    stamp: String,
    is_folder: bool,
    /// Not known of what was remembered from an earlier process.
    path: Option<PathBuf>,
}

/// What was there at the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    entries: HashMap<String, Seen>,
    /// What changed before this, in milliseconds since 1970, was told before; of what is not among the entries.
    told_until_ms: Option<i64>,
    /// What has changed and is looked at once more: by name, its stamp.
    settling: HashMap<String, String>,
}

impl Known {
    /// What a cursor remembers.
    pub fn of_cursor(cursor: Option<&Value>) -> Option<Self> {
        let cursor = cursor?;
        let mut known = Self { told_until_ms: cursor.get("since_ms").and_then(Value::as_i64), ..Self::default() };
        for (name, entry) in cursor.get("files").and_then(Value::as_object).into_iter().flatten() {
            let entry = entry.as_str()?;
            let (kind, stamp) = entry.split_at_checked(1)?;
            let seen = Seen { stamp: stamp.to_owned(), is_folder: kind == "d", path: None };
            known.entries.insert(name.clone(), seen);
        }
        Some(known)
    }

    /// What is there at the first look of all.
    pub fn at_first(found: Vec<Found>) -> Self {
        let entries = found
            .into_iter()
            .map(|found| (found.name, Seen { stamp: found.stamp, is_folder: found.is_folder, path: Some(found.path) }));
        Self { entries: entries.collect(), ..Self::default() }
    }

    /// What it is worth remembering over the end of the process.
    pub fn to_cursor(&self, now_ms: i64) -> Value {
        if self.entries.len() > REMEMBERED_MAX {
            return json!({ "since_ms": now_ms });
        }
        let entry = |(name, seen): (&String, &Seen)| {
            (name.clone(), json!(format!("{}{}", if seen.is_folder { 'd' } else { 'f' }, seen.stamp)))
        };
        let files: BTreeMap<String, Value> = self.entries.iter().map(entry).collect();
        json!({ "files": files })
    }

    /// What is different now, in an order in which it may have happened. With `waits`, a file counts once it has stayed as it is
    /// from one look to the next.
    pub fn changes(&mut self, found: Vec<Found>, waits: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut settling = HashMap::new();
        let mut there = HashSet::new();
        for found in found {
            let Found { path, name, stamp, born, is_folder, changed_ms } = found;
            there.insert(name.clone());
            let known = self.entries.get_mut(&name);
            let kind = match known {
                Some(seen) if seen.stamp == stamp => {
                    seen.path = Some(path);
                    continue;
                }
                Some(seen) if seen.is_folder == is_folder && !is_folder => ChangeKind::Change,
                _ if is_folder => ChangeKind::AddFolder,
                _ => ChangeKind::Add,
            };
            if self.told_until_ms.is_some_and(|until_ms| changed_ms <= until_ms) {
                self.entries.insert(name, Seen { stamp, is_folder, path: Some(path) });
                continue;
            }
            if waits && !is_folder && self.settling.get(&name) != Some(&stamp) {
                settling.insert(name, stamp);
                continue;
            }
            let key = if kind == ChangeKind::Change { stamp.clone() } else { born };
            changes.push(Change { kind, path, name, stamp, key });
        }
        self.settling = settling;
        self.told_until_ms = None;
        for (name, seen) in &self.entries {
            if !there.contains(name) {
                let kind = if seen.is_folder { ChangeKind::UnlinkFolder } else { ChangeKind::Unlink };
                let path = seen.path.clone().unwrap_or_default();
                let (stamp, key) = (seen.stamp.clone(), seen.stamp.clone());
                changes.push(Change { kind, path, name: name.clone(), stamp, key });
            }
        }
        changes
    }

    /// It was told, or is not to be.
    pub fn take(&mut self, change: &Change) {
        let Change { kind, path, name, stamp, .. } = change;
        match kind {
            ChangeKind::Unlink | ChangeKind::UnlinkFolder => drop(self.entries.remove(name)),
            ChangeKind::Add | ChangeKind::Change | ChangeKind::AddFolder => {
                let is_folder = *kind == ChangeKind::AddFolder;
                self.entries.insert(name.clone(), Seen { stamp: stamp.clone(), is_folder, path: Some(path.clone()) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, stamp: &str) -> Found {
        let (path, name, stamp) = (PathBuf::from(path), path.to_owned(), stamp.to_owned());
        Found { path, name, stamp, born: "7".to_owned(), is_folder: false, changed_ms: 10 }
    }

    fn told(known: &mut Known, found: Vec<Found>, waits: bool) -> Vec<(&'static str, String)> {
        let changes = known.changes(found, waits);
        changes.iter().for_each(|change| known.take(change));
        changes.into_iter().map(|change| (change.kind.word(), change.name)).collect()
    }

    #[test]
    fn what_comes_changes_and_goes_is_told_once() {
        let mut known = Known::at_first(vec![file("a", "1")]);
        assert_eq!(told(&mut known, vec![file("a", "1"), file("b", "1")], false), [("add", "b".to_owned())]);
        assert_eq!(told(&mut known, vec![file("a", "2"), file("b", "1")], false), [("change", "a".to_owned())]);
        assert_eq!(told(&mut known, vec![file("a", "2")], false), [("unlink", "b".to_owned())]);
        assert_eq!(told(&mut known, vec![file("a", "2")], false), []);
    }

    #[test]
    fn that_a_file_came_is_the_same_while_it_is_written() {
        let key = |stamp: &str| Known::default().changes(vec![file("a", stamp)], false)[0].key.clone();
        assert_eq!(key("1"), key("2"));
        let changed = |stamp: &str| Known::at_first(vec![file("a", "1")]).changes(vec![file("a", stamp)], false);
        assert_ne!(changed("2")[0].key, changed("3")[0].key, "each change is one of its own");
    }

    #[test]
    fn what_happened_while_nobody_looked_is_told_from_what_was_remembered() {
        let before = Known::at_first(vec![file("a", "1"), file("b", "1")]).to_cursor(50);
        let mut known = Known::of_cursor(Some(&before)).unwrap();
        let mut changes = told(&mut known, vec![file("a", "2"), file("c", "1")], false);
        changes.sort_unstable();
        assert_eq!(changes, [("add", "c".to_owned()), ("change", "a".to_owned()), ("unlink", "b".to_owned())]);
    }

    #[test]
    fn of_more_than_is_remembered_what_changed_since_is_told() {
        let many: Vec<Found> = (0..=REMEMBERED_MAX).map(|number| file(&number.to_string(), "1")).collect();
        let before = Known::at_first(many.clone()).to_cursor(50);
        assert_eq!(before, json!({ "since_ms": 50 }));
        let mut known = Known::of_cursor(Some(&before)).unwrap();
        let later = Found { changed_ms: 60, ..file("new", "1") };
        let found = many.into_iter().chain([later]).collect();
        assert_eq!(told(&mut known, found, false), [("add", "new".to_owned())]);
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let mut known = Known::default();
        assert_eq!(told(&mut known, vec![file("a", "1")], true), []);
        assert_eq!(told(&mut known, vec![file("a", "2")], true), []);
        assert_eq!(told(&mut known, vec![file("a", "2")], true), [("add", "a".to_owned())]);
    }
}
