//! Witnesses at an address: they are told every checkpoint, those who fail or hang are told again, and what they sign is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::json;
use timeloom_verify::note::NoteSignature;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::server::{Server, chain, set};

/// What a witness does with one request.
enum Answer {
    Status(&'static str),
    /// It never answers.
    Hang,
    /// It signs that it saw the checkpoint.
    Sign(String),
}

/// A witness that answers in turn, and tells what it was sent.
struct Witness {
    port: u16,
    told: mpsc::UnboundedReceiver<String>,
}

impl Witness {
    async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, told) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), tell.clone()));
            }
        });
        Self { port, told }
    }
}

async fn serve(stream: TcpStream, answers: Arc<Mutex<VecDeque<Answer>>>, tell: mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    while let Some(body) = request(&mut stream).await {
        let _ = tell.send(body);
        let answer = answers.lock().unwrap().pop_front();
        let (status, body) = match answer {
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Status(status)) => (status, String::new()),
            Some(Answer::Sign(line)) => ("200 OK", line),
            None => ("200 OK", String::new()),
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The body of the next request of a connection.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Some(String::from_utf8(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_fails_and_hangs_is_told_again_and_what_it_signs_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let line = NoteSignature { name: "witness.example".to_owned(), key_id: [1; 4], signature: vec![7; 72] }.to_string();
    let answers = vec![Answer::Status("503 Service Unavailable"), Answer::Hang, Answer::Sign(format!("{line}\n"))];
    let mut witness = Witness::start(answers).await;
    let host = format!("127.0.0.1:{}", witness.port);
    let address = format!("http://{host}/add/a-secret-of-the-address");
    let more = ["--checkpoint-seconds", "1", "--witnesses", &address, "--allow-private-hosts", &host];
    let server = Server::start(folder.path(), &more);
    let workflow = server.import(&chain("witnessed", &[set("Set", "a", "1")])).await;
    server.start_execution(&workflow, "COMPLETED").await;
    let size = |note: &str| note.lines().nth(1).unwrap().parse::<u64>().unwrap();
    // Twice in vain, of which the second waits for as long as it may; then it answers.
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(witness.told.recv().await.unwrap());
    }
    assert!(told.is_sorted_by_key(|note| size(note)), "{told:?}");
    let query = "{ auditCheckpoints(first: 100) { size note } }";
    let cosigned = loop {
        let kept = server.ask(query, json!({})).await["auditCheckpoints"].clone();
        let found =
            kept.as_array().unwrap().iter().find(|kept| kept["note"].as_str().unwrap().contains(&line)).cloned();
        match found {
            Some(found) => break found,
            None => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    assert_eq!(
        cosigned["note"].as_str().unwrap(),
        format!("{}{line}\n", told[2]),
        "the note that was sent, and one line"
    );
    let said = server.stop();
    assert!(said.contains("it answered 503") && said.contains("it took too long"), "{said}");
    assert!(!said.contains("a-secret-of-the-address"), "{said}");

    // What was signed last is told to whoever comes later.
    let mut late = Witness::start(Vec::new()).await;
    let host = format!("127.0.0.1:{}", late.port);
    let server =
        Server::start(folder.path(), &["--witnesses", &format!("http://{host}/"), "--allow-private-hosts", &host]);
    let note = late.told.recv().await.unwrap();
    assert!(size(&note) >= size(&told[2]), "{note}");
    server.stop();
}
