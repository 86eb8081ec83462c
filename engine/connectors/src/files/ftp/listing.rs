//! What servers say of a folder: one line an entry, in the form of MLSD or in that of `ls -l`.

use super::{Entry, EntryKind};

/// An entry in the form of MLSD: `type=file;size=3;modify=20240517123045; name`.
pub(super) fn facts(line: &str) -> Option<Entry> {
    let (facts, name) = line.split_once(' ')?;
    let fact = |wanted: &str| {
        let named = |fact: &str| {
            let (name, value) = fact.split_once('=')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
        };
        facts.split(';').find_map(named)
    };
    let kind = match fact("type")?.to_ascii_lowercase().as_str() {
        "file" => EntryKind::File,
        "dir" => EntryKind::Folder,
        "cdir" | "pdir" => return None,
        _ => EntryKind::Link,
    };
    let size = fact("size").and_then(|size| size.parse().ok()).unwrap_or_default();
    Some(Entry { name: name.to_owned(), kind, size, modified: fact("modify").and_then(|time| moment(&time)) })
}

/// `20240517123045` as a time of UTC.
fn moment(digits: &str) -> Option<String> {
    let part =
        |from: usize, to: usize| digits.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Some(format!("{year}-{month}-{day}T{hour}:{minute}:{second}.000Z"))
}

/// An entry in the form of `ls -l`: rights, links, owner, group, size, three words of a date, name.
pub(super) fn line(line: &str) -> Option<Entry> {
    let kind = match line.as_bytes().first()? {
        b'-' => EntryKind::File,
        b'd' => EntryKind::Folder,
        b'l' => EntryKind::Link,
        _ => return None,
    };
    let mut rest = line;
    let mut words = Vec::with_capacity(8);
    for _ in 0..8 {
        let (word, after) = rest.trim_start().split_once(' ')?;
        words.push(word);
        rest = after;
    }
    // One blank is between the date and the name; further ones are the name's.
    let name = if kind == EntryKind::Link { rest.split(" -> ").next().unwrap_or(rest) } else { rest };
    Some(Entry { name: name.to_owned(), kind, size: words[4].parse().ok()?, modified: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_both_forms() {
        let file = Entry {
            name: "a b; c.txt".to_owned(),
            kind: EntryKind::File,
            size: 3,
            modified: Some("2024-05-17T12:30:45.000Z".to_owned()),
        };
        assert_eq!(facts("type=file;size=3;modify=20240517123045;perm=r; a b; c.txt"), Some(file.clone()));
        assert_eq!(facts("Type=cdir;Modify=1; ."), None);
        let listed = line("-rw-r--r--   1 ann      users           3 May 17 12:30 a b; c.txt");
        assert_eq!(listed, Some(Entry { modified: None, ..file }));
        let linked = line("lrwxrwxrwx 1 ann users 7 May 17  2023 now -> then").unwrap();
        assert_eq!((linked.name.as_str(), linked.kind), ("now", EntryKind::Link));
        assert_eq!(line("total 7"), None);
        assert_eq!(line("drwxr-xr-x 2 ann"), None);
    }
}
