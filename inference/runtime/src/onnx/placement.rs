//! Asks the runtime who computes which node. The binding has no safe way to ask, so this calls the C interface.
#![expect(unsafe_code, reason = "the C interface is called; each call says why it holds")]

use std::ffi::{CStr, c_char};
use std::ptr;

use ort::AsPointer;
use ort::session::Session;
use ort::sys;

use super::facts::Placement;

/// The setting without which a session keeps no record of it.
pub(super) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// Most different operators that are told of.
const OPERATORS_MAX: usize = 64;

/// Who computes which node of `session`, which was built with [`RECORD`].
///
/// # Errors
/// When the runtime does not say.
pub(super) fn read(session: &Session) -> ort::Result<Placement> {
    let mut placement = Placement::default();
    let api = ort::api();
    let mut subgraphs = ptr::null();
    let mut count = 0;
    // SAFETY: the session lives for as long as it is borrowed, both places to write to are ours. What is written points
    // into the session, which does not change after it was built.
    check(unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut subgraphs, &mut count) })?;
    for index in 0..count {
        // SAFETY: there are `count` pointers, all of them set.
        let subgraph = unsafe { *subgraphs.add(index) };
        let mut name = ptr::null();
        // SAFETY: the subgraph belongs to the session, the place to write to is ours.
        check(unsafe { (api.EpAssignedSubgraph_GetEpName)(subgraph, &mut name) })?;
        let provider = text(name);
        let mut nodes = ptr::null();
        let mut node_count = 0;
        // SAFETY: as above.
        check(unsafe { (api.EpAssignedSubgraph_GetNodes)(subgraph, &mut nodes, &mut node_count) })?;
        if provider == Placement::CPU {
            for node in 0..node_count {
                // SAFETY: there are `node_count` pointers, all of them set and the session's.
                let node = unsafe { *nodes.add(node) };
                let operator = operator(node)?;
                if placement.on_cpu.len() < OPERATORS_MAX {
                    placement.on_cpu.insert(operator);
                }
            }
        }
        *placement.nodes.entry(provider).or_default() += node_count;
    }
    Ok(placement)
}

/// Which inputs of `session` the CPU reads, in their order.
///
/// # Errors
/// When the runtime does not say.
#[cfg(feature = "cuda")]
pub(super) fn read_by_cpu(session: &Session) -> ort::Result<Vec<bool>> {
    let mut infos = vec![ptr::null(); session.inputs().len()];
    // SAFETY: the session lives for as long as it is borrowed, and there are as many places as it has inputs.
    check(unsafe { (ort::api().SessionGetMemoryInfoForInputs)(session.ptr(), infos.as_mut_ptr(), infos.len()) })?;
    let read = infos.into_iter().map(|info| {
        let mut name = ptr::null();
        // SAFETY: what was written points into the session; the place to write to is ours.
        check(unsafe { (ort::api().MemoryInfoGetName)(info, &mut name) })?;
        Ok(!text(name).eq_ignore_ascii_case("Cuda"))
    });
    read.collect()
}

fn operator(node: *const sys::OrtEpAssignedNode) -> ort::Result<String> {
    let mut name = ptr::null();
    // SAFETY: the node belongs to a session that the caller borrows, the place to write to is ours.
    check(unsafe { (ort::api().EpAssignedNode_GetOperatorType)(node, &mut name) })?;
    Ok(text(name))
}

/// A text of the runtime's, copied.
fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: it is not null, and the C interface gives texts that end with a zero and live as long as their session.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

fn check(status: sys::OrtStatusPtr) -> ort::Result<()> {
    // SAFETY: the status was just given to us and nobody else has it.
    unsafe { ort::Error::result_from_status(status) }
}
