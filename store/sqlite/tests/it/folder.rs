//! Who may use a data folder.

use std::fs;
use std::process;

use tempfile::TempDir;
use timeloom_store_sqlite::{DataFolder, FolderError, OpenError, SqliteLog};

use crate::{open, options};

#[test]
fn a_second_user_is_refused_with_the_owners_pid_and_the_line_to_use() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("new/data");
    let owner = DataFolder::acquire(&path).unwrap();
    let pid = process::id();

    let refused = DataFolder::acquire(&path).unwrap_err();
    assert!(refused.to_string().contains(&format!("in use by process {pid}: wait for it or stop it")), "{refused}");

    owner.set_owner_url("http://127.0.0.1:8080").unwrap();
    let refused = SqliteLog::open(&path, options()).unwrap_err();
    let line = format!("in use by process {pid}: use `--server http://127.0.0.1:8080`");
    assert!(refused.to_string().contains(&line), "{refused}");

    drop(owner);
    DataFolder::acquire(&path).unwrap();
}

/// Names the folder to the child and makes it the child.
const FOLDER_VARIABLE: &str = "TIMELOOM_FOLDER_TEST_FOLDER";

/// Not a test of its own: the second process. Writes down how opening the folder went.
#[test]
fn child_that_opens_a_folder() {
    #[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    match SqliteLog::open(folder, options()) {
        Ok(_) => eprintln!("opened"),
        Err(error) => eprintln!("refused: {error}"),
    }
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let folder = TempDir::new().unwrap();
    let second = || {
        let output = process::Command::new(std::env::current_exe().unwrap())
            .args(["folder::child_that_opens_a_folder", "--exact", "--nocapture"])
            .env(FOLDER_VARIABLE, folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let (log, blobs) = open(folder.path());
    log.folder().set_owner_url("http://127.0.0.1:8080").unwrap();
    let said = second();
    let line = format!("is in use by process {}: use `--server http://127.0.0.1:8080`", process::id());
    assert!(said.contains("refused") && said.contains(&line), "{said}");
    drop((log, blobs));
    assert!(second().contains("opened"));
}

#[tokio::test]
async fn the_folder_is_free_once_log_and_blobs_are_dropped() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    drop(log);
    assert!(matches!(DataFolder::acquire(folder.path()), Err(FolderError::InUse { .. })));
    drop(blobs);
    DataFolder::acquire(folder.path()).unwrap();
}

#[test]
fn a_file_is_not_a_folder() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = DataFolder::acquire(&path).unwrap_err();
        assert!(matches!(refused, FolderError::NotAFolder { .. }), "{refused}");
        assert!(refused.to_string().ends_with("is not a folder: give another --data folder"), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

/// `/sys` lets nobody make files, not even the superuser that tests may run as.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_permission_is_refused() {
    let refused = SqliteLog::open("/sys/kernel", options()).unwrap_err();
    assert!(matches!(refused, OpenError::Folder(FolderError::NotWritable { .. })), "{refused:?}");
    assert!(refused.to_string().starts_with("no permission to write in data folder /sys/kernel"), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("data");
    let _folder = DataFolder::acquire(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}
