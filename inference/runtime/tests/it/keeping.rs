//! Files of models: kept by their digests, uploaded in pieces, and there after a crash.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use timeloom_domain::ids::{FIRST_TENANT, TenantId};
use timeloom_inference::Instance;
use timeloom_inference::models::{Digest, Pending, Store, StoreError, UploadError, UploadLimits, Uploads};
use timeloom_inference::onnx::{Model, Options};
use uuid::Uuid;

use crate::support::{floats, inputs, model, runtime};

const FILE_BYTES_MAX: u64 = 8 << 20;

fn store(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder, FILE_BYTES_MAX).unwrap())
}

fn uploads(folder: &Path) -> Uploads {
    Uploads::open(store(folder), UploadLimits::default()).unwrap()
}

/// An upload of the first tenant.
fn id(number: u128) -> (TenantId, Uuid) {
    (FIRST_TENANT, Uuid::from_u128(number))
}

/// Bytes that tell their place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

#[test]
fn a_file_lies_under_its_digest_and_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let bytes = content(100_000);
    let digest = Digest::of(&bytes);
    let kept = store.keep(bytes.as_slice(), Some(&digest), "a").unwrap();
    let digits = digest.as_str();
    assert_eq!(kept.path, folder.path().join("sha256").join(&digits[..2]).join(&digits[2..4]).join(digits));
    assert_eq!(std::fs::read(&kept.path).unwrap(), bytes);
    assert!(std::fs::metadata(&kept.path).unwrap().permissions().readonly());
    assert_eq!(store.keep(bytes.as_slice(), None, "a").unwrap(), kept);
    assert_eq!(store.find(&digest).unwrap(), kept);
    assert!(store.is_whole(&digest).unwrap());
    assert!(store.remove(&digest).unwrap() && !store.remove(&digest).unwrap());
    assert!(matches!(store.find(&digest), Err(StoreError::Unknown(_))));
}

#[test]
fn what_is_too_large_or_another_than_was_said_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let wanted = Digest::of(b"another");
    let refused = store.keep(&b"this"[..], Some(&wanted), "a");
    assert!(matches!(refused, Err(StoreError::OtherDigest { .. })), "{refused:?}");
    let refused = store.keep(std::io::repeat(7), None, "a");
    assert!(matches!(refused, Err(StoreError::TooLarge(FILE_BYTES_MAX))), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path().join("fresh")).unwrap().count(), 0);
    assert!(!folder.path().join("sha256").exists());
}

#[test]
fn a_file_that_the_disk_has_changed_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let kept = store.keep(&b"weights"[..], None, "a").unwrap();
    std::fs::remove_file(&kept.path).unwrap();
    std::fs::write(&kept.path, b"weighty").unwrap();
    assert!(!store.is_whole(&kept.digest).unwrap());
}

#[test]
fn a_model_with_weights_beside_it_is_laid_out_and_computes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let keep = |path: &str| store.keep(std::fs::File::open(model(path)).unwrap(), None, "a").unwrap().digest;
    let (file, weights) = (keep("external/model.onnx"), keep("external/weights.bin"));
    let path = store.lay(&file, &[("weights.bin".to_owned(), weights.clone())]).unwrap();
    assert_eq!(store.lay(&file, &[("weights.bin".to_owned(), weights.clone())]).unwrap(), path);
    let mut session = Model::open(&runtime(), &path, Options::default()).unwrap().session().unwrap();
    let ran = session.run(&[inputs(vec![floats(&[1, 4], &[1.0; 4])])], &timeloom_inference::Stop::default());
    assert_eq!(ran.unwrap().outputs[0][0].shape(), [1, 2]);
    for bad in ["../weights.bin", "/weights.bin", "model.onnx", ""] {
        let refused = store.lay(&file, &[(bad.to_owned(), weights.clone())]);
        assert!(matches!(refused, Err(StoreError::Beside { .. })), "{bad}: {refused:?}");
    }
    // Without weights beside it a model is where it is kept.
    let plain = keep("mlp.onnx");
    assert_eq!(store.lay(&plain, &[]).unwrap(), store.find(&plain).unwrap().path);
}

#[test]
fn an_upload_in_pieces_ends_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = uploads(folder.path());
    let bytes = content(10_000);
    let digest = Digest::of(&bytes);
    uploads.begin(id(1), 10_000, Some(&digest), 5).unwrap();
    assert_eq!(uploads.append(id(1), 0, &bytes[..6_000], 6).unwrap().offset, 6_000);
    let refused = uploads.append(id(1), 0, &bytes[..6_000], 7);
    assert!(matches!(refused, Err(UploadError::Offset { have: 6_000, sent: 0 })), "{refused:?}");
    let refused = uploads.finish(id(1));
    assert!(matches!(refused, Err(UploadError::Incomplete { have: 6_000, wanted: 10_000 })), "{refused:?}");
    let refused = uploads.append(id(1), 6_000, &bytes[..6_000], 7);
    assert!(matches!(refused, Err(UploadError::Beyond(10_000))), "{refused:?}");
    assert_eq!(uploads.find(id(1)).unwrap().at_ms, 6);
    uploads.append(id(1), 6_000, &bytes[6_000..], 8).unwrap();
    let kept = uploads.finish(id(1)).unwrap();
    assert_eq!((kept.digest, kept.bytes), (digest, 10_000));
    assert!(matches!(uploads.find(id(1)), Err(UploadError::Unknown(_))));
    assert_eq!(std::fs::read_dir(folder.path().join("uploads")).unwrap().count(), 0);
}

#[test]
fn an_upload_with_another_digest_than_was_told_is_refused_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = uploads(folder.path());
    uploads.begin(id(1), 3, Some(&Digest::of(b"abd")), 0).unwrap();
    uploads.append(id(1), 0, b"abc", 0).unwrap();
    let refused = uploads.finish(id(1));
    assert!(matches!(refused, Err(UploadError::Store(StoreError::OtherDigest { .. }))), "{refused:?}");
    assert!(matches!(uploads.find(id(1)), Err(UploadError::Unknown(_))));
}

#[test]
fn uploads_are_bounded_and_expire() {
    let folder = tempfile::tempdir().unwrap();
    let limits = UploadLimits { uploads_max: 2, bytes_max: 100, piece_bytes_max: 10, idle_ms_max: 1_000 };
    let uploads = Uploads::open(store(folder.path()), limits).unwrap();
    uploads.begin(id(1), 60, None, 0).unwrap();
    assert!(matches!(uploads.begin(id(2), 41, None, 0), Err(UploadError::TooMuch(100))));
    uploads.begin(id(2), 40, None, 500).unwrap();
    assert!(matches!(uploads.begin(id(3), 0, None, 0), Err(UploadError::TooMany(2))));
    assert!(matches!(uploads.append(id(1), 0, &[0; 11], 0), Err(UploadError::Piece(10))));
    let large = uploads.begin(id(4), FILE_BYTES_MAX + 1, None, 0);
    assert!(matches!(large, Err(UploadError::Store(StoreError::TooLarge(_)))), "{large:?}");
    assert_eq!(uploads.expire(1_001).unwrap(), [id(1).1]);
    assert!(matches!(uploads.append(id(1), 0, b"x", 0), Err(UploadError::Unknown(_))));
    assert!(uploads.abandon(id(2)).unwrap() && !uploads.abandon(id(2)).unwrap());
}

#[test]
fn another_tenants_upload_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = uploads(folder.path());
    uploads.begin(id(1), 3, None, 0).unwrap();
    let theirs = (TenantId(2), id(1).1);
    assert!(matches!(uploads.find(theirs), Err(UploadError::Unknown(_))));
    assert!(matches!(uploads.append(theirs, 0, b"abc", 0), Err(UploadError::Unknown(_))));
    assert!(matches!(uploads.finish(theirs), Err(UploadError::Unknown(_))));
    assert!(!uploads.abandon(theirs).unwrap());
    assert_eq!(uploads.append(id(1), 0, b"abc", 0).unwrap().offset, 3, "it is as it was");
    uploads.finish(id(1)).unwrap();
}

#[test]
fn an_upload_that_began_before_there_were_others_is_the_first_tenants() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = uploads(folder.path());
    uploads.begin(id(1), 3, None, 0).unwrap();
    let path = folder.path().join("uploads").join(id(1).1.to_string()).join("upload.json");
    let mut standing: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    standing.as_object_mut().unwrap().remove("tenant").unwrap();
    std::fs::write(&path, standing.to_string()).unwrap();
    assert_eq!(uploads.find(id(1)).unwrap().bytes, 3);
}

/// Later than anything that happens in a test, in milliseconds since 1970.
const LATER_MS: u64 = 1 << 45;
/// Long enough that nothing in a test is older, in milliseconds.
const AGE_MS: u64 = 1 << 44;

#[test]
fn what_nobody_made_a_version_of_is_put_away_when_it_is_old_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let keep = |bytes: &[u8]| store.keep(bytes, None, "a").unwrap().digest;
    let (rejected, version, weights) = (keep(b"rejected"), keep(b"version"), keep(b"weights"));
    let beside = [("w.bin".to_owned(), weights.clone())];
    let laid = store.lay(&rejected, &beside).unwrap();
    store.claim(&Pending::File(version.clone())).unwrap();
    assert!(store.pending(0, AGE_MS).unwrap().is_empty(), "nothing is old enough");
    let found = store.pending(LATER_MS, AGE_MS).unwrap();
    let name = Store::laid_name(&rejected, &beside);
    let mut all = vec![Pending::File(rejected.clone()), Pending::File(weights.clone()), Pending::Laid(name)];
    all.sort();
    assert_eq!(found, all);
    for pending in &found {
        assert!(!store.discard(pending, 0, AGE_MS).unwrap(), "somebody came back to it");
        assert!(store.discard(pending, LATER_MS, AGE_MS).unwrap());
    }
    assert!(store.find(&rejected).is_err() && store.find(&weights).is_err() && !laid.exists());
    assert!(store.find(&version).is_ok());
    assert!(store.pending(LATER_MS, AGE_MS).unwrap().is_empty());
    // What is sent again is there again, and pending as before; what is a version is not.
    assert_eq!((keep(b"rejected"), keep(b"version")), (rejected.clone(), version));
    assert_eq!(store.pending(LATER_MS, AGE_MS).unwrap(), [Pending::File(rejected)]);
}

#[test]
fn processes_that_share_a_folder_go_on_with_each_others_uploads() {
    let folder = tempfile::tempdir().unwrap();
    let (one, bytes) = (uploads(folder.path()), content(9_000));
    one.begin(id(1), 9_000, Some(&Digest::of(&bytes)), 0).unwrap();
    one.append(id(1), 0, &bytes[..4_000], 1).unwrap();
    let other = uploads(folder.path());
    assert_eq!(other.append(id(1), 4_000, &bytes[4_000..8_000], 2).unwrap().offset, 8_000);
    assert!(matches!(one.append(id(1), 4_000, &bytes[4_000..], 3), Err(UploadError::Offset { have: 8_000, .. })));
    one.append(id(1), 8_000, &bytes[8_000..], 4).unwrap();
    assert_eq!(other.finish(id(1)).unwrap().bytes, 9_000);
    assert!(matches!(one.finish(id(1)), Err(UploadError::Unknown(_))));
    // What they may take counts for all of them together.
    let limits = UploadLimits { uploads_max: 1, ..UploadLimits::default() };
    let few = Uploads::open(store(folder.path()), limits).unwrap();
    one.begin(id(2), 1, None, 0).unwrap();
    assert!(matches!(few.begin(id(3), 1, None, 0), Err(UploadError::TooMany(1))));
}

/// Gives its bytes, and in the middle of them opens the store in `folder` once more.
struct Opening<'a> {
    folder: &'a Path,
    rest: &'a [u8],
    opened: bool,
}

impl Read for Opening<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if !std::mem::replace(&mut self.opened, self.rest.len() < 60_000) && self.rest.len() < 60_000 {
            store(self.folder);
        }
        self.rest.read(into)
    }
}

#[test]
fn a_process_that_opens_the_folder_leaves_what_another_one_is_writing() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(100_000);
    let kept = store(folder.path());
    std::fs::write(folder.path().join("fresh").join("left"), b"by a process that ended").unwrap();
    let kept = kept.keep(Opening { folder: folder.path(), rest: &bytes, opened: false }, None, "a").unwrap();
    assert_eq!(std::fs::read(&kept.path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path().join("fresh")).unwrap().count(), 0, "what nobody writes to is gone");
}

#[test]
fn an_upload_whose_disk_lost_bytes_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = uploads(folder.path());
    uploads.begin(id(1), 5, None, 0).unwrap();
    uploads.append(id(1), 0, b"bytes", 0).unwrap();
    std::fs::write(folder.path().join("uploads").join(id(1).1.to_string()).join("content"), b"byt").unwrap();
    let refused = uploads.finish(id(1));
    assert!(matches!(refused, Err(UploadError::Incomplete { have: 3, wanted: 5 })), "{refused:?}");
}

/// Bytes of a piece of the upload below.
const PIECE: usize = 40_000;
/// Bytes of the whole of it.
const WHOLE: usize = 6_000_000;

#[test]
#[ignore = "the child that the next test kills"]
fn the_child_that_uploads() {
    let folder = std::env::args().skip_while(|argument| argument != "folder").nth(1).unwrap();
    let uploads = uploads(Path::new(&folder));
    let bytes = content(WHOLE);
    uploads.begin(id(9), WHOLE as u64, Some(&Digest::of(&bytes)), 0).unwrap();
    for piece in bytes.chunks(PIECE) {
        let offset = uploads.find(id(9)).unwrap().offset;
        println!("acknowledged {}", uploads.append(id(9), offset, piece, 0).unwrap().offset);
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_the_upload_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["keeping::the_child_that_uploads", "--exact", "--ignored", "--nocapture", "--", "folder"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines.map(Result::unwrap).filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
    let acknowledged = told.take(20).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let uploads = uploads(folder.path());
    let have = uploads.find(id(9)).unwrap().offset;
    assert!(have >= acknowledged, "{have} of {acknowledged}");
    let bytes = content(WHOLE);
    uploads.append(id(9), have, &bytes[have as usize..], 1).unwrap();
    assert_eq!(uploads.finish(id(9)).unwrap().digest, Digest::of(&bytes));
}

#[test]
fn bytes_behind_the_last_acknowledgement_do_not_count_and_what_was_kept_already_is_no_upload() {
    let folder = tempfile::tempdir().unwrap();
    let before = uploads(folder.path());
    before.begin(id(1), 10, None, 0).unwrap();
    before.append(id(1), 0, b"abc", 0).unwrap();
    before.begin(id(2), 3, None, 0).unwrap();
    let content = folder.path().join("uploads").join(id(1).1.to_string()).join("content");
    std::fs::write(&content, b"abcTORNTORNTORN").unwrap();
    std::fs::remove_file(folder.path().join("uploads").join(id(2).1.to_string()).join("content")).unwrap();
    drop(before);
    let after = uploads(folder.path());
    assert_eq!(after.find(id(1)).unwrap().offset, 3);
    after.append(id(1), 3, b"defghij", 0).unwrap();
    assert_eq!(std::fs::read(after.finish(id(1)).unwrap().path).unwrap(), b"abcdefghij");
    assert!(matches!(after.find(id(2)), Err(UploadError::Unknown(_))));
}
