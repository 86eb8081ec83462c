//! Ids in texts as the sixteen bytes that they are, each once for a block.
//!
//! An id in a text is its 36 characters in lower case. In its place stands a byte that no text has, [`MARK`], and a code: 0
//! for an id that comes next in the block's list of ids, and n for the one that was used before n - 1 others since. The ids
//! of events, of their commands and of streams go the same way, in the order of rows. A frozen format.

use uuid::Uuid;

use crate::numbers::{Fault, Input, push};

/// Stands before a code: a byte that is in no UTF-8.
const MARK: u8 = 0xff;
/// Ids that are remembered, the one that was used last in front.
const REMEMBERED: usize = 256;
/// Characters of an id in a text.
const CHARACTERS: usize = 36;
/// Where they are hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Things of which the one that was used last is in front.
#[derive(Debug)]
pub(crate) struct Recent<T>(Vec<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq + Clone> Recent<T> {
    /// The code of `item`, which is in front then; 0 when it was not remembered.
    pub(crate) fn code(&mut self, item: &T) -> u64 {
        match self.0.iter().position(|known| known == item) {
            Some(rank) => {
                self.bring_forward(rank);
                rank as u64 + 1
            }
            None => {
                self.remember(item.clone());
                0
            }
        }
    }

    /// What has the code, which is not 0, and is in front then.
    pub(crate) fn coded(&mut self, code: u64) -> Result<T, Fault> {
        let rank = usize::try_from(code - 1).ok().filter(|rank| *rank < self.0.len());
        self.bring_forward(rank.ok_or("a code names nothing")?);
        self.0.first().cloned().ok_or_else(|| "a code names nothing".to_owned())
    }

    pub(crate) fn remember(&mut self, item: T) {
        self.0.truncate(REMEMBERED - 1);
        self.0.insert(0, item);
    }

    fn bring_forward(&mut self, rank: usize) {
        if let Some(used) = self.0.get_mut(..=rank) {
            used.rotate_right(1);
        }
    }
}

/// Takes ids out of texts.
#[derive(Debug, Default)]
pub(crate) struct Squeezer {
    recent: Recent<[u8; 16]>,
    ids: Vec<[u8; 16]>,
}

impl Squeezer {
    /// The code of an id that stands alone.
    pub(crate) fn id(&mut self, id: Uuid) -> u64 {
        let code = self.recent.code(id.as_bytes());
        if code == 0 {
            self.ids.push(*id.as_bytes());
        }
        code
    }

    /// Appends `text`, and says how many bytes it took.
    pub(crate) fn text(&mut self, text: &str, to: &mut Vec<u8>) -> usize {
        let (bytes, before) = (text.as_bytes(), to.len());
        let (mut copied, mut at) = (0, 0);
        while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'-')) {
            // Hyphens are rarer than what else is in an id.
            let hyphen = at + found;
            let start = hyphen.checked_sub(HYPHENS[0]).filter(|start| *start >= copied);
            match start.and_then(|start| Some((start, id_at(bytes, start)?))) {
                Some((start, id)) => {
                    to.extend_from_slice(bytes.get(copied..start).unwrap_or_default());
                    to.push(MARK);
                    let code = self.id(id);
                    push(to, code);
                    copied = start + CHARACTERS;
                    at = copied;
                }
                None => at = hyphen + 1,
            }
        }
        to.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        to.len() - before
    }

    /// The list of ids: all their first bytes, then all their second ones, and so on, because times begin them.
    pub(crate) fn list(&self) -> Vec<u8> {
        (0..16).flat_map(|byte| self.ids.iter().map(move |id| id.get(byte).copied().unwrap_or(0))).collect()
    }
}

fn id_at(bytes: &[u8], start: usize) -> Option<Uuid> {
    let characters = bytes.get(start..start + CHARACTERS)?;
    let fits = |(index, byte): (usize, &u8)| match byte {
        b'-' => HYPHENS.contains(&index),
        b'0'..=b'9' | b'a'..=b'f' => !HYPHENS.contains(&index),
        _ => false,
    };
    if !characters.iter().enumerate().all(fits) {
        return None;
    }
    Uuid::try_parse_ascii(characters).ok()
}

/// Puts ids back into texts.
#[derive(Debug)]
pub(crate) struct Restorer<'list> {
    recent: Recent<[u8; 16]>,
    list: &'list [u8],
    next: usize,
}

impl<'list> Restorer<'list> {
    /// With the list of ids of a block.
    pub(crate) fn new(list: &'list [u8]) -> Result<Self, Fault> {
        if !list.len().is_multiple_of(16) {
            return Err("the list of ids is cut off".to_owned());
        }
        Ok(Self { recent: Recent::default(), list, next: 0 })
    }

    /// The id of a code that is read from `codes`.
    pub(crate) fn id(&mut self, codes: &mut Input<'_>) -> Result<Uuid, Fault> {
        let code = codes.number()?;
        if code > 0 {
            return self.recent.coded(code).map(Uuid::from_bytes);
        }
        let (count, mut id) = (self.list.len() / 16, [0; 16]);
        if self.next >= count {
            return Err("there are not so many ids".to_owned());
        }
        for (plane, byte) in id.iter_mut().enumerate() {
            *byte = self.list.get(plane * count + self.next).copied().unwrap_or(0);
        }
        self.next += 1;
        self.recent.remember(id);
        Ok(Uuid::from_bytes(id))
    }

    /// The text that was squeezed, which has at most `max` bytes.
    pub(crate) fn text(&mut self, squeezed: &[u8], max: usize) -> Result<String, Fault> {
        let mut text = Vec::with_capacity(squeezed.len());
        let mut rest = squeezed;
        while let Some(mark) = rest.iter().position(|byte| *byte == MARK) {
            let (plain, coded) = rest.split_at(mark);
            text.extend_from_slice(plain);
            let mut input = Input::new(coded.get(1..).unwrap_or_default());
            let mut characters = [0; CHARACTERS];
            text.extend_from_slice(self.id(&mut input)?.hyphenated().encode_lower(&mut characters).as_bytes());
            if text.len() > max {
                return Err("its texts are longer than it says".to_owned());
            }
            rest = input.rest();
        }
        text.extend_from_slice(rest);
        if text.len() > max {
            return Err("its texts are longer than it says".to_owned());
        }
        String::from_utf8(text).map_err(|error| format!("a text is not text: {error}"))
    }

    /// Whether every id of the list was used.
    pub(crate) fn is_done(&self) -> bool {
        self.next * 16 == self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(texts: &[String]) -> usize {
        let mut squeezer = Squeezer::default();
        let squeezed: Vec<Vec<u8>> = texts
            .iter()
            .map(|text| {
                let mut buffer = Vec::new();
                squeezer.text(text, &mut buffer);
                buffer
            })
            .collect();
        let list = squeezer.list();
        let mut restorer = Restorer::new(&list).unwrap();
        for (text, squeezed) in texts.iter().zip(&squeezed) {
            assert_eq!(&restorer.text(squeezed, text.len()).unwrap(), text);
        }
        assert!(restorer.is_done());
        squeezed.iter().map(Vec::len).sum::<usize>() + list.len()
    }

    #[test]
    fn an_id_is_stored_once_and_what_only_looks_like_one_stays() {
        let id = "0199f3a0-1111-7222-8333-444455556666";
        assert_eq!(there_and_back(&[id.to_owned(), format!("\"{id}\"{id}")]), 16 + 2 + 6);
        for text in [&id.to_uppercase(), "0199f3a0-1111-7222-8333-44445555666", "0199f3a0-11-117222-8333-444455556666"]
        {
            assert_eq!(there_and_back(&[text.to_owned()]), text.len());
        }
        there_and_back(&[format!("-{id}-{id}0199f3a0-{id}"), "--------".to_owned(), String::new(), "Zoë-".to_owned()]);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(texts in prop::collection::vec("([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|.{0,20}|[-0-9a-f]{0,40}){0,6}", 0..20)) {
            there_and_back(&texts);
        }

        #[test]
        fn whatever_is_there_is_refused_or_text(list in prop::collection::vec(any::<u8>(), 0..64), squeezed in prop::collection::vec(prop_oneof![Just(MARK), any::<u8>()], 0..60)) {
            if let Ok(mut restorer) = Restorer::new(&list)
                && let Ok(text) = restorer.text(&squeezed, 1_000) {
                    prop_assert!(text.len() <= 1_000);
                }
        }
    }
}
