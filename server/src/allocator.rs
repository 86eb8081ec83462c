//! The allocator, and how soon it gives memory back. Nothing else of it is set.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use mimalloc::MiMalloc;

/// Items are made on one thread and let go on another: with this allocator their room is used again, wherever it was taken.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, for which the bindings have no name.
const PURGE_DELAY: mi_option_t = 15;
/// How long pages that nobody uses stay with the process, in milliseconds. The allocator's own second is long enough for a
/// run with much data to take new pages in place of those that it has just let go.
const PURGE_DELAY_MS: std::ffi::c_long = 1;

/// Has memory that is let go given back to the system soon, unless `MIMALLOC_PURGE_DELAY` says otherwise.
pub(crate) fn give_back_soon() {
    #[expect(unsafe_code, reason = "the allocator's options are set through its C interface, which takes any number")]
    unsafe {
        mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS);
    }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        #[expect(unsafe_code, reason = "reads an option through the allocator's C interface")]
        let own = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(own, 1_000, "the allocator's own delay: another option has this number by now");
        give_back_soon();
        #[expect(unsafe_code, reason = "reads an option through the allocator's C interface")]
        let set = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(set, PURGE_DELAY_MS);
    }
}
