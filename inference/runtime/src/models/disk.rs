//! What makes files stay: content and names are both made durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it, each with a durable name.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) else {
        return fs::create_dir_all(folder);
    };
    make_folder(above)?;
    match fs::create_dir(folder) {
        // Somebody else was quicker.
        Err(_) if folder.is_dir() => Ok(()),
        made => made.and_then(|()| sync_folder(above)),
    }
}

/// Gives a file that is durable its name for good.
pub(super) fn name(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
        fs::rename(from, to)?;
        sync_folder(folder)?;
    }
    Ok(())
}

/// Writes a small file so that it has either its old content or its new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    name(&fresh, path)
}
