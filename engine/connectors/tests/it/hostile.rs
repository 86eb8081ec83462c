//! Servers that hang, drip, talk rubbish or never stop: every node ends, within its time and its memory.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use timeloom_nodes::testing::Bench;

use crate::{failure, node};

/// What a server does with whoever connects.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Says nothing.
    Hangs,
    /// Says a byte now and then.
    Drips,
    /// Closes at once.
    Closes,
    /// Answers in another protocol.
    Rubbish(&'static [u8]),
    /// Sends this again and again.
    Floods(&'static [u8]),
}

struct Hostile {
    port: u16,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hostile {
    fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut serving = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                let told = Arc::clone(&told);
                serving.push(std::thread::spawn(move || serve(stream, habit, &told)));
            }
            serving.into_iter().for_each(|one| one.join().unwrap());
        });
        Self { port, ends, thread: Some(thread) }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, habit: Habit, ends: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut heard = [0; 4_096];
    match habit {
        Habit::Closes => return,
        Habit::Rubbish(bytes) => {
            let _ = stream.write_all(bytes);
        }
        Habit::Hangs | Habit::Drips | Habit::Floods(_) => {}
    }
    while !ends.load(Ordering::Relaxed) {
        if matches!(stream.read(&mut heard), Ok(0)) {
            return;
        }
        let sent = match habit {
            Habit::Drips => stream.write_all(b"+"),
            Habit::Floods(bytes) => (0..64).try_for_each(|_| stream.write_all(&bytes.repeat(1_024))),
            _ => Ok(()),
        };
        if sent
            .is_err_and(|error| !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut))
        {
            return;
        }
    }
}

fn fields(port: u16, tls: bool) -> [(&'static str, &'static str, Value, Value); 3] {
    [
        (
            "n8n-nodes-base.postgres",
            "postgres",
            json!({"host": "127.0.0.1", "port": port, "user": "a", "password": "p", "database": "d", "ssl": if tls { "require" } else { "disable" }}),
            json!({"operation": "executeQuery", "query": "SELECT 1", "options": {"connectionTimeout": 1}}),
        ),
        (
            "n8n-nodes-base.mySql",
            "mySql",
            json!({"host": "127.0.0.1", "port": port, "user": "a", "password": "p", "connectTimeout": 1_000, "ssl": tls}),
            json!({"operation": "executeQuery", "query": "SELECT 1"}),
        ),
        (
            "n8n-nodes-base.redis",
            "redis",
            json!({"host": "127.0.0.1", "port": port, "password": "p", "ssl": tls}),
            json!({"operation": "get", "key": "a", "keyType": "string"}),
        ),
    ]
}

async fn check(habit: Habit, tls: bool) {
    let server = Hostile::start(habit);
    for (name, credential, fields, parameters) in fields(server.port, tls) {
        let node_type = node(name);
        let version = if name == "n8n-nodes-base.redis" { 1.0 } else { 2.0 };
        let mut bench = Bench::new(&*node_type, version, parameters).credential(credential, fields).input(json!([{}]));
        bench.services.outbound.request_time_max = Duration::from_secs(2);
        let began = Instant::now();
        let error = failure(&mut bench).await;
        assert!(began.elapsed() < Duration::from_secs(25), "{name} {habit:?}: {error}");
        assert!(!error.message.is_empty() && error.message.len() < 2_000, "{name} {habit:?}: {error}");
    }
}

#[tokio::test]
async fn servers_that_say_nothing_or_little_are_given_up() {
    tokio::join!(check(Habit::Hangs, false), check(Habit::Hangs, true), check(Habit::Drips, false));
}

#[tokio::test]
async fn servers_that_close_or_speak_another_protocol_are_told() {
    check(Habit::Closes, false).await;
    check(Habit::Closes, true).await;
    for rubbish in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-x\r\n",
    ] {
        check(Habit::Rubbish(rubbish), false).await;
        check(Habit::Rubbish(rubbish), true).await;
    }
}

#[tokio::test]
async fn servers_that_never_stop_are_stopped_listening_to() {
    // Half an answer of each protocol without its end: a huge message, a packet after a packet, a list of lists.
    for flood in [&b"x"[..], b"R\x7f\xff\xff\xff", b"\xff\xff\xff\x00", b"$2000000000\r\n", b"*1\r\n"] {
        check(Habit::Floods(flood), false).await;
    }
}
