//! MCP on two streams, such as standard input and output: a message a line.
//!
//! Reading and writing are threads of their own, as both block; between them a bounded number of requests is under way. Whoever
//! does not read what is answered is sent nothing more, and nothing more is read of them.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::api::Api;
use crate::message::{self, Fault, Incoming, Request, code};
use crate::server::Server;

/// Longest message, in bytes.
pub const LINE_BYTES_MAX: usize = 20 << 20;
/// Most requests that are under way at a time; then no more is read.
const UNDER_WAY_MAX: usize = 8;
/// Messages, and answers, that wait for their turn.
const WAITING_MAX: usize = 4;
/// The notification by which a request is given up.
const CANCELLED: &str = "notifications/cancelled";

/// A line that came in.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Answers what comes in until nothing more does, and until all of it is answered.
///
/// # Errors
/// When a thread cannot be started, or an answer cannot be written: whoever asked has gone.
pub async fn serve<I, O>(server: &Server, api: &dyn Api, input: I, output: O) -> io::Result<()>
where
    I: Read + Send + 'static,
    O: Write + Send + 'static,
{
    let (lines, incoming) = mpsc::channel(WAITING_MAX);
    let (answers, outgoing) = mpsc::channel(WAITING_MAX);
    let (ended, written) = oneshot::channel();
    // The reader ends with its stream or with this process: nothing can take it from a read that waits.
    thread::Builder::new().name("mcp-input".to_owned()).spawn(move || read(input, &lines))?;
    thread::Builder::new().name("mcp-output".to_owned()).spawn(move || {
        // Whoever waited for it has gone if nobody takes it.
        let _ = ended.send(write(output, outgoing));
    })?;
    exchange(server, api, incoming, &answers).await;
    drop(answers);
    written.await.unwrap_or(Ok(()))
}

/// Lets every request be answered.
async fn exchange(server: &Server, api: &dyn Api, mut incoming: mpsc::Receiver<Line>, answers: &mpsc::Sender<Value>) {
    let mut under_way: FuturesUnordered<BoxFuture<'_, (String, Option<Value>)>> = FuturesUnordered::new();
    let mut givers: HashMap<String, AbortHandle> = HashMap::new();
    let mut is_open = true;
    loop {
        let answer = tokio::select! {
            line = incoming.recv(), if is_open && under_way.len() < UNDER_WAY_MAX => match line.map(taken) {
                None => {
                    is_open = false;
                    None
                }
                Some(Ok(Incoming::Request(request))) => {
                    let (handle, registration) = AbortHandle::new_pair();
                    let id = request.id.to_string();
                    givers.insert(id.clone(), handle);
                    under_way.push(Box::pin(async move {
                        let answer = Abortable::new(answered(server, api, request), registration).await;
                        // What was given up is not answered.
                        (id, answer.ok().flatten())
                    }));
                    None
                }
                Some(Ok(Incoming::Notification { method, params })) => {
                    give_up(&method, &params, &givers);
                    None
                }
                Some(Ok(Incoming::Answer)) => None,
                Some(Err(fault)) => Some(fault),
            },
            Some((id, answer)) = under_way.next(), if !under_way.is_empty() => {
                givers.remove(&id);
                answer
            }
            else => return,
        };
        if let Some(answer) = answer
            && answers.send(answer).await.is_err()
        {
            return;
        }
    }
}

/// The message of a line, or the answer to what is none.
fn taken(line: Line) -> Result<Incoming, Value> {
    match line {
        Line::Whole(text) => message::read(&text).map_err(|(id, fault)| fault.answer(&id)),
        Line::TooLong => {
            let message = format!("the message has more than {LINE_BYTES_MAX} bytes: send less at a time");
            Err(Fault::new(code::INVALID_REQUEST, message).answer(&Value::Null))
        }
    }
}

async fn answered(server: &Server, api: &dyn Api, request: Request) -> Option<Value> {
    server.answer_request(api, request, None).await.body
}

/// Gives up the request that a notification names. What it began elsewhere goes on.
fn give_up(method: &str, params: &Map<String, Value>, givers: &HashMap<String, AbortHandle>) {
    if method != CANCELLED {
        return;
    }
    let id = params.get("requestId").map(Value::to_string).unwrap_or_default();
    if let Some(handle) = givers.get(&id) {
        handle.abort();
    }
}

/// Sends on every line of a stream.
fn read(input: impl Read, lines: &mpsc::Sender<Line>) {
    let mut input = BufReader::new(input);
    // A stream that fails has ended.
    while let Ok(Some(line)) = next_line(&mut input, LINE_BYTES_MAX) {
        if line != Line::Whole(Vec::new()) && lines.blocking_send(line).is_err() {
            return;
        }
    }
}

/// The next line without its end; `None` at the end of the stream. What is too long is read to its end and thrown away.
fn next_line(input: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Line>> {
    let (mut text, mut is_too_long) = (Vec::new(), false);
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            let is_nothing = text.is_empty() && !is_too_long;
            return Ok(if is_nothing { None } else { Some(line(text, is_too_long)) });
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        if text.len() + piece.len() > bytes_max {
            is_too_long = true;
            text = Vec::new();
        }
        if !is_too_long {
            text.extend_from_slice(piece);
        }
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(Some(line(text, is_too_long)));
        }
    }
}

fn line(mut text: Vec<u8>, is_too_long: bool) -> Line {
    if is_too_long {
        return Line::TooLong;
    }
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Line::Whole(text)
}

/// Writes every answer as a line.
fn write(mut output: impl Write, mut answers: mpsc::Receiver<Value>) -> io::Result<()> {
    while let Some(answer) = answers.blocking_recv() {
        // JSON text has no line end in it.
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::server::Offer;
    use crate::testing::{Canned, Hanging};

    /// A stream that remembers what was written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn talk(api: &dyn Api, said: &str) -> Vec<Value> {
        let (server, output) = (Server::try_new(Offer::Everything).unwrap(), Kept::default());
        serve(&server, api, io::Cursor::new(said.as_bytes().to_vec()), output.clone()).await.unwrap();
        let written = output.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn lines_are_bounded() {
        let mut input = io::Cursor::new(b"abc\r\nabcdef\n\nabcd".to_vec());
        let mut next = || next_line(&mut input, 5).unwrap();
        assert_eq!(next(), Some(Line::Whole(b"abc".to_vec())));
        assert_eq!(next(), Some(Line::TooLong));
        assert_eq!(next(), Some(Line::Whole(Vec::new())));
        assert_eq!(next(), Some(Line::Whole(b"abcd".to_vec())));
        assert_eq!(next(), None);
    }

    #[tokio::test]
    async fn every_request_is_answered_before_the_end() {
        let pings: String =
            (0..50).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string() + "\n").collect();
        let mut ids: Vec<u64> =
            talk(&Canned::default(), &pings).await.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..50).collect::<Vec<u64>>());
    }

    #[tokio::test]
    async fn what_is_no_message_is_told_and_the_next_one_is_answered() {
        let answers = talk(&Canned::default(), "what\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await;
        let codes: Vec<&Value> = answers.iter().map(|answer| &answer["error"]["code"]).collect();
        assert_eq!(codes, [&json!(code::PARSE), &Value::Null]);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_is_not_answered_and_holds_up_nothing() {
        let call =
            json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": { "name": "list_workflows" } });
        let cancel = json!({ "jsonrpc": "2.0", "method": CANCELLED, "params": { "requestId": "slow" } });
        assert_eq!(talk(&Hanging, &format!("{call}\n{cancel}\n")).await, Vec::<Value>::new());
    }
}
