//! Segments in S3, which is moto here: others wrote it, and pip fetches it. Without Python, pip and its packages the test
//! says SKIPPED.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use timeloom_archive::{ArchiveError, Places};
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::{Direction, EventLog, Filter, Position, TenantScope};

use crate::{append, archiver, job, open};

const BUCKET: &str = "log-archive";
/// Makes the process the one that has the credentials in its environment, which only a new process can be given.
const CHILD_VARIABLE: &str = "TIMELOOM_ARCHIVE_S3_CHILD";
const SECRET: &str = "moto-takes-every-secret";

/// A Python with moto in it, or why there is none. It is kept where the build keeps such things, until other packages are
/// wanted: to fetch them takes longer than all else here.
fn python() -> Result<PathBuf, String> {
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
    let (python, stamp) = (folder.join("bin/python"), folder.join("fetched"));
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/requirements.txt");
    let wanted = fs::read(&requirements).unwrap();
    if fs::read(&stamp).is_ok_and(|fetched| fetched == wanted) {
        return Ok(python);
    }
    run(Path::new("python3"), &["-m", "venv", "--clear", &folder.to_string_lossy()])?;
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "-r"];
    run(&python, &[&install[..], &[&requirements.to_string_lossy()]].concat())?;
    fs::write(&stamp, wanted).unwrap();
    Ok(python)
}

/// A running moto.
struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    fn start(python: &Path) -> Self {
        let mut child = Command::new(python.with_file_name("moto_server"))
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "moto ended by itself");
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim().to_owned();
            }
        };
        // What it says of each request is not wanted, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address }
    }

    /// Sends a request by itself and gives the status.
    fn put(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ranges_go_into_s3_and_are_read_from_there() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    let moto = Moto::start(&python);
    assert!(moto.put(&format!("/{BUCKET}")).contains("200"));
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["s3::child_that_has_credentials", "--exact", "--nocapture"])
        .env(CHILD_VARIABLE, "yes")
        .env("AWS_ENDPOINT_URL", format!("http://{}", moto.address))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "timeloom")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains(SECRET));
}

/// Not a test of its own: the process that has the credentials.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
async fn child_that_has_credentials() {
    if std::env::var(CHILD_VARIABLE).is_err() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    for number in 0..50 {
        log.append(append(&format!("o-{}", number % 5), number * 100 + 1, 4)).await.unwrap();
    }
    let place = format!("s3://{BUCKET}/timeloom/log/");
    let done = archiver(&log, folder.path()).run(&job(150, &place), |_| {}).await.unwrap();
    assert_eq!(done.archived, Archived { registered: Position(148), dropped: Position(148) });
    let segment = log.segments(Position::START, 10).await.unwrap().remove(0);
    assert_eq!(segment.place, place.trim_end_matches('/'));
    let all = log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 1_000).await;
    let positions: Vec<u64> = all.unwrap().iter().map(|event| event.position.0).collect();
    assert_eq!(positions, (1..=201).collect::<Vec<_>>());
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    // A bucket that is not there, a segment that is not there, and what is no bucket.
    let nowhere = archiver(&log, folder.path()).run(&job(180, "s3://no-such-bucket/x"), |_| {}).await.unwrap_err();
    assert!(!nowhere.to_string().contains(SECRET), "{nowhere}");
    assert!(matches!(nowhere, ArchiveError::Missing { .. } | ArchiveError::Place { .. }), "{nowhere}");
    assert_eq!(log.archived().await.unwrap(), done.archived);
    let places = Places::new(folder.path());
    let bucket = places.open(&segment.place).unwrap();
    let missing = bucket.get("0-0.segment", 10).await.unwrap_err();
    assert!(matches!(missing, ArchiveError::Missing { .. }), "{missing}");
    let longer = bucket.get(&segment.name, segment.bytes + 1).await.unwrap_err();
    assert!(matches!(longer, ArchiveError::Damaged { .. }), "{longer}");
    for wrong in ["s3://", "s3:///prefix", "s3://key:secret@bucket/prefix"] {
        assert!(matches!(places.open(wrong), Err(ArchiveError::BadPlace { .. })), "{wrong}");
    }
}
