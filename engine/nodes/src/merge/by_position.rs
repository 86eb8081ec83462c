//! Items combined by their place in the inputs, or each with each.

use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeRun};

use super::clash::{Clash, with_suffix};
use super::{input, inputs, origins};

/// Most items that all possible pairs may give.
const PAIRS_MAX: usize = 1_000_000;

/// Version 2: the items of two inputs, pair by pair.
pub(super) fn pairs(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let clash = Clash::of(run)?;
    let with_unpaired = run.boolean("options.includeUnpaired", 0, false)?;
    let (first, second) = (input(run, 0), input(run, 1));
    if first.is_empty() || second.is_empty() {
        let alone = if first.is_empty() { second } else { first };
        return Ok(if with_unpaired { alone } else { Vec::new() });
    }
    let (first, second) = in_order(&clash, first, second);
    let length = if with_unpaired { first.len().max(second.len()) } else { first.len().min(second.len()) };
    let merged = (0..length).filter_map(|index| match (first.get(index), second.get(index)) {
        (Some(first), Some(second)) => {
            Some(Item { paired_item: origins([first, second]), ..clash.combine(&[first, second]) })
        }
        (only, None) | (None, only) => only.cloned(),
    });
    Ok(merged.collect())
}

/// From version 3: the items of all inputs, row by row.
pub(super) fn rows(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let clash = Clash::of(run)?;
    let with_unpaired = run.boolean("options.includeUnpaired", 0, false)?;
    let originals = inputs(run);
    let mut inputs = originals.clone();
    if clash.adds_suffix() {
        inputs = inputs.into_iter().enumerate().map(|(index, items)| with_suffix(items, index + 1)).collect();
    }
    let preferred = clash.preferred().unwrap_or(inputs.len() - 1);
    let lengths = inputs.iter().map(Vec::len);
    let length = if with_unpaired { lengths.max() } else { lengths.min() }.unwrap_or(0);
    let merged = (0..length).map(|index| {
        let row: Vec<&Item> = inputs.iter().filter_map(|items| items.get(index)).collect();
        // The preferred input comes a second time, last, so that its fields win but keep their place. Its names have no
        // suffix then, even where all others do.
        let winner = originals.get(preferred).and_then(|items| items.get(index));
        let in_order: Vec<&Item> = row.iter().copied().chain(winner).collect();
        Item { paired_item: origins(row), ..clash.combine(&in_order) }
    });
    Ok(merged.collect())
}

/// Every item of the first input with every item of the second.
pub(super) fn all(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let clash = Clash::of(run)?;
    let (first, second) = in_order(&clash, input(run, 0), input(run, 1));
    pair_all(&clash, &first, &second)
}

/// Every item of `first` with every item of `second`.
///
/// # Errors
/// [`NodeError`] when that is too many.
pub(super) fn pair_all(clash: &Clash, first: &[Item], second: &[Item]) -> Result<Vec<Item>, NodeError> {
    let count = first.len().saturating_mul(second.len());
    if count > PAIRS_MAX {
        return Err(NodeError::operation(format!("all pairs would be {count} items, more than {PAIRS_MAX}"))
            .described("limit the items before they are merged"));
    }
    let pairs = first.iter().flat_map(|first| second.iter().map(move |second| (first, second)));
    let merged =
        pairs.map(|(first, second)| Item { paired_item: origins([first, second]), ..clash.combine(&[first, second]) });
    Ok(merged.collect())
}

/// The two inputs so that the fields of the second win.
fn in_order(clash: &Clash, first: Vec<Item>, second: Vec<Item>) -> (Vec<Item>, Vec<Item>) {
    if clash.adds_suffix() {
        return (with_suffix(first, 1), with_suffix(second, 2));
    }
    if clash.preferred() == Some(0) { (second, first) } else { (first, second) }
}
