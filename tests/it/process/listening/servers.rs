//! The servers of others that these tests start: in a folder and on a port of their own, and gone with the test.
//!
//! `make setup` installs them where it may. Without one of them its tests say SKIPPED; where `CI` is set that is a failure.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest time that a server takes to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that runs until this is dropped.
pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
    folder: tempfile::TempDir,
    /// The port of Erlang's mapper of ports, which outlives whoever started it.
    mapper: Option<u16>,
}

impl Running {
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have made others, which are of its group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(port) = self.mapper {
            let mut command = Command::new(find("epmd").unwrap());
            let _ = command.arg("-kill").env("ERL_EPMD_PORT", port.to_string()).stdout(Stdio::null()).status();
        }
    }
}

/// Where a program is, in the places where Debian puts them.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/lib/rabbitmq/bin"];
    folders.into_iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

/// Says that a test is left out, and why.
#[expect(clippy::print_stdout, reason = "a test that is left out says so")]
pub(super) fn skipped(why: &str) {
    println!("SKIPPED: {why}");
}

/// Whether these programs are there; says SKIPPED where not.
pub(super) fn has(names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{} is not installed: run `make setup`", missing.join(", "));
    skipped(&format!("{} is not installed", missing.join(", ")));
    false
}

/// A port that is free now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program with what `configured` makes of a folder and a port, and waits until it answers there.
fn start(name: &str, configured: impl FnOnce(&Path, u16, &mut Command)) -> Running {
    start_program(&find(name).unwrap(), configured)
}

/// The same for a program that lies elsewhere.
pub(super) fn start_program(program: &Path, configured: impl FnOnce(&Path, u16, &mut Command)) -> Running {
    use std::os::unix::process::CommandExt as _;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let (name, mut command) = (program.display(), Command::new(program));
    command.current_dir(folder.path()).stdin(Stdio::null()).process_group(0);
    let log = fs::File::create(folder.path().join("log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    configured(folder.path(), port, &mut command);
    let mut running = Running { child: command.spawn().unwrap(), port, folder, mapper: None };
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let said = || fs::read_to_string(running.folder.path().join("log")).unwrap_or_default();
        assert!(running.child.try_wait().unwrap().is_none(), "{name} ended: {}", said());
        assert!(began.elapsed() < PATIENCE, "{name} does not answer: {}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    running
}

/// Runs a program with this on its standard input.
fn feed(name: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(find(name).unwrap());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Mosquitto, which lets in `ann` with `open-sesame` and nobody else where `asks`.
pub(super) fn mosquitto(asks: bool) -> Running {
    start("mosquitto", |folder, port, command| {
        let mut lines =
            format!("listener {port} 127.0.0.1\nmax_inflight_messages 20\nmax_queued_messages 10000\nuser root\n");
        if asks {
            let passwords = folder.join("passwords");
            fs::write(&passwords, "").unwrap();
            feed("mosquitto_passwd", &["-b", passwords.to_str().unwrap(), "ann", "open-sesame"], "");
            lines.push_str(&format!("allow_anonymous false\npassword_file {}\n", passwords.display()));
        } else {
            lines.push_str("allow_anonymous true\n");
        }
        let file = folder.join("mosquitto.conf");
        fs::write(&file, lines).unwrap();
        command.arg("-c").arg(file);
    })
}

/// Publishes lines as messages, one after the other.
pub(super) fn publish_mqtt(broker: &Running, topic: &str, lines: &str) {
    let port = broker.port.to_string();
    feed("mosquitto_pub", &["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-l"], lines);
}

/// The next messages of a topic, as lines; it has subscribed when this returns.
pub(super) struct Subscribed {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Subscribed {
    pub(super) fn to(broker: &Running, topic: &str) -> Self {
        let port = broker.port.to_string();
        let mut command = Command::new(find("mosquitto_sub").unwrap());
        command.args(["-h", "127.0.0.1", "-p", &port, "-q", "2", "-t", topic, "-t", "ready"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut subscribed = Self { child, lines };
        // It says nothing of its own when it has subscribed: a message that is kept for it does.
        feed("mosquitto_pub", &["-h", "127.0.0.1", "-p", &port, "-r", "-t", "ready", "-m", "ready"], "");
        assert_eq!(subscribed.next(), "ready");
        subscribed
    }

    pub(super) fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Redis, with a password where one is given.
pub(super) fn redis(password: Option<&str>) -> Running {
    start("redis-server", |folder, port, command| {
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
    })
}

/// Sends commands to Redis, one a line; answers what it says.
pub(super) fn tell_redis(server: &Running, lines: &str) -> String {
    feed("redis-cli", &["-p", &server.port.to_string()], lines)
}

/// NATS with JetStream.
pub(super) fn nats() -> Running {
    start("nats-server", |folder, port, command| {
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder);
    })
}

/// Publishes messages to NATS: subjects and contents. Returns when the server has them.
pub(super) fn publish_nats(server: &Running, messages: &[(String, String)]) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut words = "CONNECT {\"verbose\":false}\r\n".to_owned();
    for (subject, content) in messages {
        words.push_str(&format!("PUB {subject} {}\r\n{content}\r\n", content.len()));
    }
    words.push_str("PING\r\n");
    stream.write_all(words.as_bytes()).unwrap();
    let mut said = BufReader::new(stream);
    loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "NATS ended the connection");
        assert!(!line.starts_with("-ERR"), "{line}");
        if line.starts_with("PONG") {
            return;
        }
    }
}

/// Makes a stream of JetStream.
pub(super) fn make_stream(server: &Running, name: &str, subject: &str) {
    let config = json!({ "name": name, "subjects": [subject], "storage": "file" }).to_string();
    publish_nats(server, &[(format!("$JS.API.STREAM.CREATE.{name}"), config)]);
}

/// RabbitMQ, which lets in `guest`.
pub(super) fn rabbitmq() -> Running {
    let mapper = free_port();
    // What lies on the path changes to a user of its own first, who may not write here.
    let program = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let program = if program.exists() { program.to_owned() } else { find("rabbitmq-server").unwrap() };
    let mut running = start_program(&program, |folder, port, command| {
        let plugins = folder.join("enabled_plugins");
        fs::write(&plugins, "[].").unwrap();
        let distribution = free_port();
        command
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", format!("timeloom{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("ERL_EPMD_PORT", mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("logs"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
            .env("RABBITMQ_PID_FILE", folder.join("pid"));
    });
    running.mapper = Some(mapper);
    running
}

/// The user and group whose mailbox it is: Dovecot gives none to root, who starts it.
const MAIL_USER: u32 = 8;

/// Whether Dovecot is there, and can be started: by root alone.
pub(super) fn has_dovecot() -> bool {
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    if !is_root {
        skipped("Dovecot is started by root alone");
    }
    is_root && has(&["dovecot"])
}

/// Dovecot with one mailbox: whoever says `open-sesame` is let in. It speaks without TLS.
pub(super) fn dovecot() -> Running {
    start("dovecot", |folder, port, command| {
        let base = folder.display();
        for inner in ["mail/new", "mail/cur", "mail/tmp"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
            chown(folder.join(inner), Some(MAIL_USER), Some(MAIL_USER)).unwrap();
        }
        chown(folder.join("mail"), Some(MAIL_USER), Some(MAIL_USER)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let lines = format!(
            "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log.dovecot\n\
             ssl = no\ndisable_plaintext_auth = no\nmail_location = maildir:{base}/mail\nfirst_valid_uid = {MAIL_USER}\n\
             passdb {{\n  driver = static\n  args = password=open-sesame\n}}\n\
             userdb {{\n  driver = static\n  args = uid={MAIL_USER} gid={MAIL_USER} home={base}\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
"
        );
        let file = folder.join("dovecot.conf");
        fs::write(&file, lines).unwrap();
        command.args(["-F", "-c"]).arg(file);
    })
}

/// Puts a letter into the mailbox, as programs do that deliver.
pub(super) fn deliver(server: &Running, name: &str, letter: &str) {
    let mail = server.folder().join("mail");
    let (fresh, place) = (mail.join("tmp").join(name), mail.join("new").join(name));
    fs::write(&fresh, letter.replace('\n', "\r\n")).unwrap();
    fs::rename(fresh, place).unwrap();
}

/// A server that does what a test says with whoever connects.
pub(super) fn odd(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::sync::Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = std::sync::Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Reads until the other side goes.
pub(super) fn swallow(mut stream: &TcpStream) {
    let mut part = [0; 4_096];
    while stream.read(&mut part).is_ok_and(|count| count > 0) {}
}

/// Fields of a credential for a server of this machine.
pub(super) fn here(port: u16, more: &Value) -> Value {
    let mut fields = json!({ "host": "127.0.0.1", "port": port });
    for (name, value) in more.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    fields
}
