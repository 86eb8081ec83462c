//! A VFS of SQLite that does everything as the operating system's, and tells a [`Disk`] what is written and synced.
//!
//! Nothing is synced in fact: the files are there for the process that writes them, and [`Disk`] knows what would be left.
#![expect(unsafe_code, reason = "SQLite's interface to files is one of raw pointers")]

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, Once, PoisonError};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_OK, sqlite3_file,
    sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use super::disk::Disk;

/// The name to open databases with.
pub(super) const NAME: &str = "timeloom-power-loss";
const C_NAME: &CStr = c"timeloom-power-loss";

/// The disks by their folders.
static DISKS: Mutex<Option<HashMap<PathBuf, Arc<Disk>>>> = Mutex::new(None);

/// Files in `folder` are on `disk` from now on.
pub(super) fn mount(folder: &Path, disk: Arc<Disk>) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(register);
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.get_or_insert_default().insert(folder.to_owned(), disk);
}

fn disk_of(path: &Path) -> Option<Arc<Disk>> {
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.as_ref()?.get(path.parent()?).cloned()
}

fn register() {
    // SAFETY: the default VFS lives as long as the process, and so does the copy of it, which is leaked.
    unsafe {
        let real = sqlite3_vfs_find(ptr::null());
        let mut vfs = *real;
        vfs.szOsFile += size_of::<Shim>() as c_int;
        vfs.pNext = ptr::null_mut();
        vfs.zName = C_NAME.as_ptr();
        vfs.pAppData = real.cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        vfs.xAccess = Some(access);
        vfs.xFullPathname = Some(full_pathname);
        assert_eq!(sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0), SQLITE_OK);
    }
}

/// What SQLite keeps of an open file; the operating system's part follows it.
#[repr(C)]
struct Shim {
    base: sqlite3_file,
    /// Owned; `None` for files that are on no disk.
    place: *mut Place,
}

struct Place {
    disk: Arc<Disk>,
    name: String,
}

/// The VFS below. SAFETY: `vfs` is the one of [`register`].
unsafe fn real_vfs(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    unsafe { (*vfs).pAppData.cast() }
}

/// The file below. SAFETY: `file` was opened by [`open`], behind whose part the other has its room.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    unsafe { file.cast::<Shim>().add(1).cast() }
}

/// Where `file` is. SAFETY: as for [`real`].
unsafe fn place<'file>(file: *mut sqlite3_file) -> Option<&'file Place> {
    unsafe { (*file.cast::<Shim>()).place.as_ref() }
}

/// SAFETY: `name` is a path of SQLite's, which ends with a zero.
unsafe fn path(name: *const c_char) -> PathBuf {
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}

fn place_of(path: &Path) -> Option<Place> {
    let name = path.file_name()?.to_str()?.to_owned();
    Some(Place { disk: disk_of(path)?, name })
}

/// Calls a method of the file below. SAFETY: as for [`real`]; an open file has all methods.
macro_rules! forward {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let real = unsafe { real($file) };
        match unsafe { (*(*real).pMethods).$method } {
            Some(method) => unsafe { method(real $(, $argument)*) },
            None => SQLITE_IOERR,
        }
    }};
}

/// Calls a function of the VFS below.
macro_rules! forward_vfs {
    ($vfs:ident, $function:ident $(, $argument:expr)*) => {{
        let real = unsafe { real_vfs($vfs) };
        match unsafe { (*real).$function } {
            Some(function) => unsafe { function(real $(, $argument)*) },
            None => SQLITE_IOERR,
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let found = if name.is_null() { None } else { place_of(&unsafe { path(name) }) };
    let shim = file.cast::<Shim>();
    unsafe {
        (*shim).base.pMethods = ptr::null();
        (*shim).place = ptr::null_mut();
    }
    if found.as_ref().is_some_and(|place| place.disk.is_off()) {
        return SQLITE_CANTOPEN;
    }
    let real_file = unsafe { real(file) };
    let opened = forward_vfs!(vfs, xOpen, name, real_file, flags, out_flags);
    if opened == SQLITE_OK {
        unsafe {
            (*shim).base.pMethods = &METHODS;
            (*shim).place = found.map_or(ptr::null_mut(), |place| Box::into_raw(Box::new(place)));
        }
    }
    opened
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    if let Some(place) = place_of(&unsafe { path(name) }) {
        if place.disk.delete(&place.name).is_err() {
            return SQLITE_IOERR;
        }
        if sync_folder != 0 && place.disk.sync(&place.name).is_err() {
            return SQLITE_IOERR;
        }
    }
    forward_vfs!(vfs, xDelete, name, 0)
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, flags: c_int, result: *mut c_int) -> c_int {
    forward_vfs!(vfs, xAccess, name, flags, result)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    forward_vfs!(vfs, xFullPathname, name, length, out)
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // The second version has the shared memory that a write-ahead log needs, and no memory mapped files.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let place = unsafe { (*file.cast::<Shim>()).place };
    if !place.is_null() {
        // SAFETY: it was made by `open` and is not used after this.
        drop(unsafe { Box::from_raw(place) });
    }
    forward!(file, xClose)
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, amount: c_int, offset: sqlite3_int64) -> c_int {
    if unsafe { place(file) }.is_some_and(|place| place.disk.is_off()) {
        return SQLITE_IOERR_READ;
    }
    forward!(file, xRead, to, amount, offset)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    if let Some(place) = unsafe { place(file) } {
        // SAFETY: SQLite gives `amount` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap()) };
        if place.disk.write(&place.name, usize::try_from(offset).unwrap(), bytes).is_err() {
            return SQLITE_IOERR_WRITE;
        }
    }
    forward!(file, xWrite, from, amount, offset)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    if let Some(place) = unsafe { place(file) }
        && place.disk.truncate(&place.name, usize::try_from(size).unwrap()).is_err()
    {
        return SQLITE_IOERR;
    }
    forward!(file, xTruncate, size)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    match unsafe { place(file) } {
        Some(place) => place.disk.sync(&place.name).map_or(SQLITE_IOERR_FSYNC, |()| SQLITE_OK),
        None => forward!(file, xSync, flags),
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    forward!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    forward!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    forward!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, result: *mut c_int) -> c_int {
    forward!(file, xCheckReservedLock, result)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    forward!(file, xFileControl, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    forward!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    forward!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    page_size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    forward!(file, xShmMap, page, page_size, extend, memory)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    forward!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    let real = unsafe { real(file) };
    if let Some(barrier) = unsafe { (*(*real).pMethods).xShmBarrier } {
        unsafe { barrier(real) };
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    forward!(file, xShmUnmap, delete)
}
