//! Language models as judges, with the program itself: what they are asked, what is kept of what they say, and what comes of
//! judges that do not answer.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{TIME_MAX, eval, labels, refused, workflow, written};
use crate::process::agent_nodes::set_up;
use crate::process::server::Server;

const RUBRIC: &str = "The label says what the text is about.";
const CASES: &str = r#"{"id": "good", "input": {"text": "it is late"}, "expected": {"label": "delivery"}}
{"id": "unfit", "input": {"text": "unfit"}, "expected": {"label": "delivery"}}
{"id": "broken", "input": {"text": "broken"}}
"#;

/// A provider whose model judges by the text of the input.
struct Bench {
    questions: Mutex<Vec<Value>>,
    /// Whether the texts that are to wait are answered by now.
    opened: watch::Sender<bool>,
}

impl Bench {
    async fn serve() -> (Arc<Self>, String) {
        let bench = Arc::new(Self { questions: Mutex::default(), opened: watch::Sender::new(false) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let accepting = Arc::clone(&bench);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bench = Arc::clone(&accepting);
                tokio::spawn(async move { bench.answer(stream).await });
            }
        });
        (bench, host)
    }

    /// The texts of the inputs that it was asked about.
    fn texts(&self) -> Vec<String> {
        self.questions.lock().unwrap().iter().map(text_of).collect()
    }

    async fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim_end().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let question: Value = serde_json::from_slice(&body).unwrap();
            let (text, is_repair) = (text_of(&question), question["messages"].as_array().unwrap().len() > 2);
            self.questions.lock().unwrap().push(question);
            if text.starts_with("wait") {
                self.opened.subscribe().wait_for(|is_open| *is_open).await.ok()?;
            }
            let (status, answer) = match text.as_str() {
                "broken" => ("500 Internal Server Error", json!({ "error": { "message": "out of order" } })),
                "unfit" if !is_repair => ("200 OK", said("Rather good, I think.")),
                "unfit" => ("200 OK", said(r#"{"score": 0.5, "reason": "It names no subject."}"#)),
                _ => ("200 OK", said(r#"{"score": 1, "reason": "It says what it is about."}"#)),
            };
            let answer = answer.to_string();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", answer.len());
            stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).await.ok()?;
        }
    }
}

fn said(content: &str) -> Value {
    json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "judge-1",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25 },
    })
}

/// What a judge was given to judge.
fn data_of(question: &Value) -> Value {
    let asked = question["messages"][1]["content"].as_str().unwrap();
    let data = asked.split_once("<data>\n").unwrap().1.split_once("\n</data>").unwrap().0;
    serde_json::from_str(data).unwrap()
}

fn text_of(question: &Value) -> String {
    data_of(question)["input"]["text"].as_str().unwrap().to_owned()
}

/// A server with a route `judges`, a set `questions` of these cases, and a workflow that labels them.
async fn set(folder: &Path, host: &str, cases: &str) -> (Server, String) {
    let server = Server::start(folder, &["--allow-private-hosts", host]);
    set_up(&server, host).await;
    let route = "mutation($input: SetGatewayRouteInput!) { setGatewayRoute(input: $input) { errors { message } } }";
    let tiers = json!([{ "targets": [{ "provider": "stub", "model": "judge" }] }]);
    let made = server.ask(route, json!({ "input": { "name": "judges", "tiers": tiers, "retriesMax": 0 } })).await;
    assert_eq!(made["setGatewayRoute"]["errors"], json!([]), "{made}");
    let file = written(folder, "cases.jsonl", cases);
    assert_eq!(eval(&server, &["set", "create", "questions", &file]).0, Some(0));
    let id = workflow(&server, "Labels", &[labels("late", "delivery")]).await;
    (server, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_model_judges_by_a_rubric_and_one_that_does_not_answer_costs_its_score_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (bench, host) = Bench::serve().await;
    let (server, id) = set(folder.path(), &host, CASES).await;
    let (version, rubric) = (format!("{id}@1"), written(folder.path(), "rubric.txt", RUBRIC));
    let nowhere = format!("judge:nowhere={rubric}");
    let run = ["run", "questions", "--workflow", &version, "--scorer"];
    refused(&server, &[&run[..], &[nowhere.as_str()]].concat(), "has no route 'nowhere'");
    let empty = format!("judge:judges={}", written(folder.path(), "empty.txt", "\n"));
    refused(&server, &[&run[..], &[empty.as_str()]].concat(), "judges by a rubric");

    let judge = format!("judge:judges={rubric}");
    let (status, judged) = eval(&server, &[&run[..], &[judge.as_str()]].concat());
    assert_eq!((status, &judged["status"]), (Some(0), &json!("COMPLETED")), "{judged}");
    assert_eq!(
        judged["scored"]["scorers"],
        json!([{ "name": "judge", "mean": 0.75, "count": 2, "failed": 1 }]),
        "what is not judged is left out: {judged}"
    );
    let case = |place: usize| judged["scored"]["scores"][place].clone();
    let [good, unfit, broken] = [0, 1, 2].map(|place| case(place)["judgements"][0].clone());
    assert_eq!((&case(0)["scores"], &case(2)["scores"]), (&json!([1.0]), &json!([null])));
    assert_eq!(
        (&good["scorer"], &good["score"], &good["reason"]),
        (&json!("judge"), &json!(1.0), &json!("It says what it is about."))
    );
    assert_eq!((&good["model"], &good["provider"]), (&json!("judge-1"), &json!("stub")));
    assert_eq!((&unfit["score"], &unfit["reason"]), (&json!(0.5), &json!("It names no subject.")));
    let why = broken["reason"].as_str().unwrap();
    assert!(why.starts_with("the judge did not answer: ") && broken["score"].is_null(), "{broken}");

    // Each is a call of the gateway: the answer that did not fit was asked for again, and both are recorded.
    let calls = server.calls("id status route workflowId attempts { violations }").await;
    let call = |of: &Value| calls.as_array().unwrap().iter().find(|call| call["id"] == of["callId"]).unwrap().clone();
    assert_eq!((call(&good)["status"].clone(), call(&good)["route"].clone()), (json!("COMPLETED"), json!("judges")));
    assert_eq!(call(&good)["workflowId"], Value::Null, "a judge is no part of what is tried");
    let attempts = call(&unfit)["attempts"].clone();
    assert_eq!((attempts.as_array().unwrap().len(), &attempts[1]["violations"]), (2, &json!([])));
    assert!(attempts[0]["violations"][0].as_str().unwrap().contains("not JSON"), "{attempts}");
    assert_eq!(call(&broken)["status"], json!("FAILED"));

    let questions = bench.questions.lock().unwrap().clone();
    assert_eq!(questions.len(), 4, "{questions:?}");
    for question in &questions {
        assert!(question["messages"][0]["content"].as_str().unwrap().contains(RUBRIC), "{question}");
        assert_eq!((&question["tools"], &question["response_format"]["type"]), (&Value::Null, &json!("json_schema")));
    }
    let first = questions.iter().map(data_of).find(|data| data["input"]["text"] == "it is late").unwrap();
    assert_eq!((&first["output"]["label"], &first["expected"]["label"]), (&json!("delivery"), &json!("delivery")));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_holds_for_judges_too() {
    let folder = tempfile::tempdir().unwrap();
    let (bench, host) = Bench::serve().await;
    let (server, id) = set(folder.path(), &host, CASES).await;
    let limit = "mutation($input: SetGatewayLimitInput!) { setGatewayLimit(input: $input) { errors { message } } }";
    let input = json!({ "name": "team", "holder": "TENANT", "of": "MONEY", "money": "0.01", "windowMs": 86_400_000 });
    let set = server.ask(limit, json!({ "input": input })).await;
    assert_eq!(set["setGatewayLimit"]["errors"], json!([]), "{set}");
    // A budget without prices: nobody could say what a judgement costs.
    let (version, judge) =
        (format!("{id}@1"), format!("judge:judges={}", written(folder.path(), "rubric.txt", RUBRIC)));
    let (status, judged) = eval(&server, &["run", "questions", "--workflow", &version, "--scorer", &judge]);
    assert_eq!((status, &judged["status"]), (Some(0), &json!("COMPLETED")), "{judged}");
    assert_eq!(judged["scored"]["scorers"], json!([{ "name": "judge", "mean": null, "count": 0, "failed": 3 }]));
    assert_eq!((judged["scored"]["failed"].clone(), bench.texts()), (json!(0), Vec::<String>::new()));
    let calls = server.calls("status").await;
    let refused = calls.as_array().unwrap().iter().filter(|call| call["status"] == "REFUSED").count();
    assert_eq!(refused, 3, "who was held back is recorded: {calls}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_judges_said_before_a_kill_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (bench, host) = Bench::serve().await;
    let cases: String =
        ["one", "two", "three", "wait"].map(|text| format!("{{\"input\": {{\"text\": \"{text}\"}}}}\n")).concat();
    let (server, id) = set(folder.path(), &host, &cases).await;
    let start = "mutation($input: StartEvaluationInput!) { startEvaluation(input: $input) {
        errors { message } evaluation { id } } }";
    let judge = json!({ "name": "right", "kind": "JUDGE", "route": "judges", "rubric": RUBRIC });
    let input = json!({ "set": "questions", "workflowId": id, "version": 1, "scorers": [judge] });
    let started = server.ask(start, json!({ "input": input })).await;
    let evaluation = started["startEvaluation"]["evaluation"]["id"].clone();
    let all_but_one =
        async { while server.calls("id").await.as_array().unwrap().len() < 3 || bench.texts().len() < 4 {} };
    tokio::time::timeout(TIME_MAX, all_but_one).await.unwrap();
    server.kill();
    bench.opened.send_replace(true);

    let server = Server::start(folder.path(), &["--allow-private-hosts", &host]);
    let query = "query($id: UUID!) { evaluation(id: $id) { status summary scorers { kind route rubric }
        scored { scores { judgements { score model callId } } } } }";
    let completed = async {
        loop {
            let shown = server.ask(query, json!({ "id": evaluation })).await["evaluation"].clone();
            if shown["status"] != "REQUESTED" {
                return shown;
            }
        }
    };
    let shown = tokio::time::timeout(TIME_MAX, completed).await.unwrap();
    assert_eq!((&shown["status"], &shown["summary"]), (&json!("COMPLETED"), &json!("right 1.000")), "{shown}");
    assert_eq!(shown["scorers"], json!([{ "kind": "JUDGE", "route": "judges", "rubric": RUBRIC }]));
    for case in shown["scored"]["scores"].as_array().unwrap() {
        let said = &case["judgements"][0];
        assert_eq!((&said["score"], &said["model"]), (&json!(1.0), &json!("judge-1")), "{shown}");
        assert!(said["callId"].is_string(), "{shown}");
    }
    let mut texts = bench.texts();
    texts.sort();
    assert_eq!(texts, ["one", "three", "two", "wait", "wait"], "only what was under way is asked again");
    server.stop();
}
