//! All three protocols, and everything that goes wrong with them, against a server of them that others wrote.
//!
//! npm fetches it. Without npm and its packages the test says SKIPPED; the other tests hold the same rules against our own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, ChatAnswer, ChatRequest, EmbedInput, EmbedRequest, FinishReason, Part};
use timeloom_gateway::CallError;
use timeloom_gateway::openai::{Dialect, decode_request};
use timeloom_gateway::provider::{Protocol, Provider, ProviderConfig};
use timeloom_gateway::upstream::{Prompt, Upstream as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{At, Standing};

/// The server. It ends with the value.
struct Mock {
    child: Child,
    address: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server in a copy of its folder, or why there is none.
fn start(scratch: &Path) -> Result<Mock, String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aimock");
    for name in ["package.json", "package-lock.json", "said.json"] {
        std::fs::copy(from.join(name), scratch.join(name)).map_err(|error| error.to_string())?;
    }
    let fetched = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(scratch)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm cannot be started: {error}"))?;
    if !fetched.status.success() {
        return Err(format!("npm cannot fetch the packages: {}", String::from_utf8_lossy(&fetched.stderr)));
    }
    let mut child = Command::new("node")
        .args(["node_modules/@copilotkit/aimock/dist/cli.js", "--port", "0", "--fixtures", "said.json"])
        .current_dir(scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("node cannot be started: {error}"))?;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = lines.map_while(Result::ok).find(|line| line.contains("listening on"));
    let address = listening.and_then(|line| line.split("http://").nth(1).map(str::to_owned));
    Ok(Mock { child, address: address.unwrap() })
}

impl Mock {
    fn provider(&self, protocol: Protocol) -> Provider {
        self.waiting(protocol, 60_000)
    }

    fn waiting(&self, protocol: Protocol, ms: u64) -> Provider {
        let mut config = ProviderConfig::new("mock", protocol);
        config.timeouts.total_ms = ms;
        config.timeouts.first_token_ms = ms;
        let base = if matches!(protocol, Protocol::OpenAi(_)) { "/v1" } else { "/" };
        let places = Arc::new(At(format!("http://{}{base}", self.address)));
        Provider::try_new(config, places, Arc::new(Standing::default())).unwrap()
    }

    /// From now on all goes wrong in that way.
    async fn goes_wrong(&self, how: Value) {
        let body = how.to_string();
        let head = format!(
            "POST /__aimock/chaos HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all([head, body].concat().as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

fn request(text: &str, stream: bool) -> ChatRequest {
    let look = json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
    let messages = json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": text}]);
    decode_request(json!({"model": "m", "messages": messages, "tools": [look], "stream": stream})).unwrap()
}

async fn whole(provider: &Provider, text: &str) -> Result<ChatAnswer, CallError> {
    Ok(provider.chat(&Prompt::words(request(text, false)), "m").await?.answer)
}

async fn in_pieces(provider: &Provider, text: &str) -> Result<ChatAnswer, CallError> {
    let mut pieces = provider.stream(&Prompt::words(request(text, true)), "m").await?.pieces;
    let mut assembler = Assembler::default();
    while let Some(piece) = pieces.next().await {
        piece?.deltas.iter().for_each(|delta| assembler.take(delta).unwrap());
    }
    Ok(assembler.finish())
}

async fn speaks(mock: &Mock, protocol: Protocol) {
    let provider = mock.provider(protocol);
    for answer in [whole(&provider, "hello").await.unwrap(), in_pieces(&provider, "hello").await.unwrap()] {
        assert_eq!(answer.text(), "Good morning, how may I be of help to you today?", "{protocol:?}");
        assert_eq!(answer.finish(), Some(&FinishReason::Stop));
    }
    for answer in [whole(&provider, "weather").await.unwrap(), in_pieces(&provider, "weather").await.unwrap()] {
        let call = answer.choices[0].parts.iter().find_map(|part| match part {
            Part::ToolCall { name, arguments, .. } => Some((name.as_str(), serde_json::from_str(arguments).unwrap())),
            _ => None,
        });
        assert_eq!(call, Some(("look", json!({"at": "the sky"}))), "{protocol:?}");
        assert_eq!(answer.finish(), Some(&FinishReason::ToolCalls), "{protocol:?}");
    }
    let answer = in_pieces(&provider, "think").await.unwrap();
    let thought = answer.choices[0].parts.iter().find_map(|part| match part {
        Part::Thinking { text, .. } => Some(text.as_str()),
        _ => None,
    });
    // It gives thoughts of Ollama under the name that they have with OpenAI's protocol, which Ollama does not.
    let wanted = (protocol != Protocol::Ollama).then_some("It took a long time.");
    assert_eq!((thought, answer.text().as_str()), (wanted, "42"), "{protocol:?}");
    let missing = whole(&provider, "something that nobody wrote down").await.unwrap_err();
    assert_eq!(missing.class, ErrorClass::NotFound, "{missing}");
}

async fn fails(mock: &Mock, protocol: Protocol) {
    let (provider, hasty) = (mock.provider(protocol), mock.waiting(protocol, 200));
    for (how, class) in [
        (json!({"dropRate": 1}), ErrorClass::Server),
        (json!({"rateLimitRate": 1}), ErrorClass::RateLimited),
        (json!({"malformedRate": 1}), ErrorClass::Garbage),
        (json!({"disconnectRate": 1}), ErrorClass::Unreachable),
        (json!({"latencyMs": 10_000}), ErrorClass::Timeout),
    ] {
        mock.goes_wrong(how.clone()).await;
        let provider = if class == ErrorClass::Timeout { &hasty } else { &provider };
        for error in [whole(provider, "hello").await.unwrap_err(), in_pieces(provider, "hello").await.unwrap_err()] {
            assert_eq!(error.class, class, "{protocol:?} {how}: {error}");
            let waits = class == ErrorClass::RateLimited;
            assert_eq!(error.retry_after_ms.is_some(), waits, "{protocol:?} {how}");
        }
    }
    mock.goes_wrong(json!({})).await;
    whole(&provider, "hello").await.unwrap();
}

async fn embeds(mock: &Mock) {
    let texts = |list: &[&str]| EmbedRequest {
        model: "e".to_owned(),
        input: EmbedInput::Texts(list.iter().map(|text| (*text).to_owned()).collect()),
        dimensions: Some(6),
        encoding: None,
        user: None,
        extra: serde_json::Map::new(),
    };
    let openai = mock.provider(Protocol::OpenAi(Dialect::default()));
    let embedded = openai.embed(&texts(&["one", "two", "one"]), "e").await.unwrap().answer;
    let lengths: Vec<usize> = embedded.vectors.iter().map(Vec::len).collect();
    assert_eq!(lengths, [6, 6, 6]);
    assert_ne!(embedded.vectors[0], embedded.vectors[1]);
    assert_eq!(embedded.vectors[0], embedded.vectors[2]);
    // It knows only the older form, of one vector.
    let ollama = mock.provider(Protocol::Ollama).embed(&texts(&["one"]), "e").await.unwrap().answer;
    assert_eq!(ollama.vectors.len(), 1);
    let anthropic = mock.provider(Protocol::Anthropic).embed(&texts(&["one"]), "e").await.unwrap_err();
    assert_eq!(anthropic.class, ErrorClass::Unsupported);
}

#[tokio::test]
async fn all_protocols_and_their_faults_against_a_server_that_others_wrote() {
    let scratch = tempfile::tempdir().unwrap();
    let mock = match start(scratch.path()) {
        Ok(mock) => mock,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    for protocol in [Protocol::OpenAi(Dialect::default()), Protocol::Anthropic, Protocol::Ollama] {
        speaks(&mock, protocol).await;
        fails(&mock, protocol).await;
    }
    embeds(&mock).await;
}
