//! The process is killed while messages come in: each has its execution, and none has two.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::sending::run;
use super::servers::{
    Running, deliver, dovecot, free_port, has, has_dovecot, here, make_stream, mosquitto, nats, publish_mqtt,
    publish_nats, rabbitmq, redis, tell_redis,
};
use super::{activate, credential, heard, hearing, listening, serve_with, trigger};

/// How many messages come in all, a third in each life of the process.
const MESSAGES: usize = 60;

/// A kind of trigger, and how its messages come.
pub(super) struct Case {
    pub(super) trigger: Value,
    pub(super) credential: (&'static str, Value),
    /// Lets messages of these numbers come.
    pub(super) send: Box<dyn Fn(std::ops::Range<usize>) + Send + Sync>,
    /// The number of an item.
    pub(super) number: fn(&Value) -> usize,
    /// What `serve` takes besides.
    pub(super) more: Vec<String>,
}

impl Case {
    /// Kills the process twice while messages come, and looks what began.
    pub(super) async fn try_it(self) {
        let data = tempfile::tempdir().unwrap();
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let server = serve_with(data.path(), &more);
        if !self.credential.0.is_empty() {
            credential(&server, self.credential.0, &self.credential.1).await;
        }
        activate(&server, &hearing(&self.trigger)).await;
        listening(&server).await;
        let third = MESSAGES / 3;
        let send: Arc<dyn Fn(std::ops::Range<usize>) + Send + Sync> = Arc::from(self.send);
        let mut server = server;
        for life in 0..2 {
            let sending = Arc::clone(&send);
            let sent = std::thread::spawn(move || sending(life * third..(life + 1) * third));
            // It dies in the middle of them.
            heard(&server, life * third + third / 4).await;
            server.kill();
            sent.join().unwrap();
            server = serve_with(data.path(), &more);
        }
        send(2 * third..MESSAGES);
        let items = heard(&server, MESSAGES).await;
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        items.iter().for_each(|item| *counts.entry((self.number)(item)).or_default() += 1);
        let wanted: BTreeMap<usize, usize> = (0..MESSAGES).map(|number| (number, 1)).collect();
        assert_eq!(counts, wanted);
        // Whatever may come again has come when this one is told to have been written down.
        super::told(&server, |trigger| trigger["status"] == "LISTENING" && trigger["messages"].as_u64() > Some(0))
            .await;
        assert_eq!(heard(&server, MESSAGES).await.len(), MESSAGES, "none begins later");
        server.stop();
    }
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{number}\n")).collect()
}

fn in_message(item: &Value) -> usize {
    item["message"].as_str().unwrap_or_else(|| panic!("{item}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_mqtt_start_one_execution_each_whatever_dies() {
    if !has(&["mosquitto", "mosquitto_pub"]) {
        return;
    }
    let broker = mosquitto(false);
    let fields = here(broker.port, &json!({ "clean": false }));
    let case = Case {
        trigger: trigger("n8n-nodes-base.mqttTrigger", "mqtt", json!({ "topics": "orders:1" })),
        credential: ("mqtt", fields),
        send: Box::new(move |numbers| publish_mqtt(&broker, "orders", &lines(numbers))),
        number: in_message,
        more: Vec::new(),
    };
    case.try_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_redis_stream_start_one_execution_each_whatever_dies() {
    if !has(&["redis-server", "redis-cli"]) {
        return;
    }
    let server = redis(None);
    let fields = here(server.port, &json!({}));
    let case = Case {
        trigger: trigger("timeloom.redisStreamTrigger", "redis", json!({ "stream": "orders" })),
        credential: ("redis", fields),
        send: Box::new(move |numbers| {
            let commands = numbers.map(|number| format!("XADD orders * number {number}\n")).collect::<String>();
            tell_redis(&server, &commands);
        }),
        number: |item| item["message"]["number"].as_str().unwrap().parse().unwrap(),
        more: Vec::new(),
    };
    case.try_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_jetstream_start_one_execution_each_whatever_dies() {
    if !has(&["nats-server"]) {
        return;
    }
    let server = nats();
    make_stream(&server, "ORDERS", "orders.>");
    let fields = here(server.port, &json!({}));
    let case = Case {
        trigger: trigger("timeloom.natsTrigger", "nats", json!({ "subject": "orders.>", "stream": "ORDERS" })),
        credential: ("nats", fields),
        send: Box::new(move |numbers| {
            let messages: Vec<(String, String)> =
                numbers.map(|number| ("orders.new".to_owned(), number.to_string())).collect();
            publish_nats(&server, &messages);
        }),
        number: in_message,
        more: Vec::new(),
    };
    case.try_it().await;
}

/// Sends numbers to a queue by the program's own node, in a store that is thrown away.
fn send_rabbitmq(server: &Running, numbers: std::ops::Range<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let node = json!({
        "type": "n8n-nodes-base.rabbitmq",
        "parameters": { "queue": "orders", "sendInputData": false, "message": "={{ $json.number }}", "options": {} }
    });
    let items: Vec<Value> = numbers.map(|number| json!({ "number": number })).collect();
    run(folder.path(), &node, ("rabbitmq", &rabbitmq_fields(server)), &json!(items)).unwrap();
}

fn rabbitmq_fields(server: &Running) -> Value {
    json!({ "hostname": "127.0.0.1", "port": server.port, "username": "guest", "password": "guest" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_rabbitmq_start_one_execution_each_whatever_dies() {
    if !has(&["rabbitmq-server"]) {
        return;
    }
    let server = rabbitmq();
    let fields = rabbitmq_fields(&server);
    let case = Case {
        trigger: trigger("n8n-nodes-base.rabbitmqTrigger", "rabbitmq", json!({ "queue": "orders", "options": {} })),
        credential: ("rabbitmq", fields),
        send: Box::new(move |numbers| send_rabbitmq(&server, numbers)),
        number: |item| item["content"].as_str().unwrap_or_else(|| panic!("{item}")).parse().unwrap(),
        more: Vec::new(),
    };
    case.try_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_start_one_execution_each_whatever_dies() {
    if !has_dovecot() {
        return;
    }
    let server = dovecot();
    let fields = here(server.port, &json!({ "user": "ann", "password": "open-sesame", "secure": false }));
    let case = Case {
        trigger: trigger("n8n-nodes-base.emailReadImap", "imap", json!({ "options": {} })),
        credential: ("imap", fields),
        send: Box::new(move |numbers| {
            for number in numbers {
                let letter =
                    format!("From: Bob <bob@mail.example>\nTo: ann@mail.example\nSubject: {number}\n\nHello\n");
                deliver(&server, &format!("{number:05}.letter"), &letter);
            }
        }),
        number: |item| item["subject"].as_str().unwrap_or_else(|| panic!("{item}")).parse().unwrap(),
        more: Vec::new(),
    };
    case.try_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_come_start_one_execution_each_whatever_dies() {
    let root = tempfile::tempdir().unwrap();
    let inbox = root.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let parameters = json!({ "triggerOn": "folder", "path": "inbox", "events": ["add"], "options": {} });
    let case = Case {
        trigger: trigger("n8n-nodes-base.localFileTrigger", "", parameters),
        credential: ("", Value::Null),
        send: Box::new(move |numbers| {
            for number in numbers {
                std::fs::write(inbox.join(number.to_string()), number.to_string()).unwrap();
            }
        }),
        number: |item| item["path"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap(),
        more: vec!["--files-root".to_owned(), root.path().to_str().unwrap().to_owned()],
    };
    case.try_it().await;
}

/// A feed whose entries are numbers, served on a port of this machine.
fn feed(entries: &Arc<Mutex<usize>>) -> u16 {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let entries = Arc::clone(entries);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut body = "<rss version=\"2.0\"><channel><title>Numbers</title>".to_owned();
            for number in (0..*entries.lock().unwrap()).rev() {
                write!(body, "<item><title>{number}</title><guid>entry-{number}</guid></item>").unwrap();
            }
            body.push_str("</channel></rss>");
            let mut head = [0; 4_096];
            let _ = std::io::Read::read(&mut stream, &mut head);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/rss+xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_feed_start_one_execution_each_whatever_dies() {
    let entries = Arc::new(Mutex::new(0));
    let port = feed(&entries);
    let parameters = json!({
        "feedUrl": format!("http://127.0.0.1:{port}/feed"),
        "pollTimes": { "item": [{ "mode": "custom", "cronExpression": "* * * * * *" }] }
    });
    let case = Case {
        trigger: trigger("n8n-nodes-base.rssFeedReadTrigger", "", parameters),
        credential: ("", Value::Null),
        send: Box::new(move |numbers| *entries.lock().unwrap() = numbers.end),
        number: |item| item["title"].as_str().unwrap().parse().unwrap(),
        more: Vec::new(),
    };
    case.try_it().await;
}
