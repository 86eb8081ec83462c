//! Whatever comes from a provider, nothing panics, and where it is cut makes no difference.

use proptest::prelude::*;
use timeloom_domain::chat::{Assembler, ChatAnswer, Delta};
use timeloom_gateway::error::CallError;
use timeloom_gateway::wire::{EventReader, LineReader, ServerEvent};
use timeloom_gateway::{anthropic, ollama, openai};

const OPENAI: &str = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"h\u{e9}\"}}]}\r\n\r\ndata: {\"choices\":[{\"index\":1,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":1,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"c\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
const OLLAMA: &str = "{\"model\":\"m\",\"message\":{\"content\":\"h\u{e9}\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2}\n";

/// How a stream was read: the answer so far, how often it went wrong, and whether it was complete.
type Read = (ChatAnswer, Option<CallError>, bool);

fn fold(assembler: &mut Assembler, deltas: &[Delta]) {
    for delta in deltas {
        let _ = assembler.take(delta);
    }
}

fn read_events(
    chunks: &[&[u8]],
    mut take: impl FnMut(&ServerEvent, &mut Vec<Delta>) -> Result<(), CallError>,
) -> (ChatAnswer, Option<CallError>) {
    let (mut events, mut assembler) = (EventReader::default(), Assembler::default());
    for chunk in chunks {
        events.push(chunk);
        loop {
            let event = match events.next_event() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(fault) => return (assembler.finish(), Some(CallError::garbage(fault.to_string()))),
            };
            let mut deltas = Vec::new();
            let taken = take(&event, &mut deltas);
            fold(&mut assembler, &deltas);
            if let Err(error) = taken {
                return (assembler.finish(), Some(error));
            }
        }
    }
    (assembler.finish(), None)
}

fn read_openai(chunks: &[&[u8]]) -> Read {
    let mut decoder = openai::StreamDecoder::default();
    let (answer, error) = read_events(chunks, |event, deltas| decoder.take(event, deltas).map(|_| ()));
    (answer, error, decoder.is_complete())
}

fn read_anthropic(chunks: &[&[u8]]) -> Read {
    let mut decoder = anthropic::StreamDecoder::default();
    let (answer, error) = read_events(chunks, |event, deltas| decoder.take(event, deltas));
    (answer, error, decoder.is_complete())
}

fn read_ollama(chunks: &[&[u8]]) -> Read {
    let (mut lines, mut decoder, mut assembler) =
        (LineReader::default(), ollama::StreamDecoder::default(), Assembler::default());
    for chunk in chunks {
        lines.push(chunk);
        while let Ok(Some(line)) = lines.next_line() {
            let mut deltas = Vec::new();
            let taken = decoder.take(&line, &mut deltas);
            fold(&mut assembler, &deltas);
            if let Err(error) = taken {
                return (assembler.finish(), Some(error), false);
            }
        }
    }
    (assembler.finish(), None, decoder.is_complete())
}

/// The bytes with some of them changed, left out or put in.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..text.len(), any::<u8>(), 0..4_u8);
    proptest::collection::vec(edit, 0..6).prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (place, byte, kind) in edits {
            // Earlier edits may have left nothing to change or to leave out.
            match bytes.len().checked_sub(1).map(|last| place.min(last)) {
                Some(place) if kind == 0 => bytes[place] = byte,
                Some(place) if kind == 1 => drop(bytes.remove(place)),
                Some(place) if kind == 3 => bytes.truncate(place),
                place => bytes.insert(place.unwrap_or(0), byte),
            }
        }
        bytes
    })
}

fn cut<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

#[test]
fn the_streams_are_whole_before_they_are_spoilt() {
    for (read, text) in
        [(read_openai as fn(&[&[u8]]) -> Read, OPENAI), (read_anthropic, ANTHROPIC), (read_ollama, OLLAMA)]
    {
        let (answer, error, complete) = read(&[text.as_bytes()]);
        assert!(error.is_none() && complete, "{error:?}");
        assert_eq!(answer.text(), "h\u{e9}");
    }
}

proptest! {
    #[test]
    fn spoilt_streams_are_read_alike_wherever_they_are_cut(
        openai in mutated(OPENAI),
        anthropic in mutated(ANTHROPIC),
        ollama in mutated(OLLAMA),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        prop_assert_eq!(read_openai(&cut(&openai, &cuts)), read_openai(&[&openai]));
        prop_assert_eq!(read_anthropic(&cut(&anthropic, &cuts)), read_anthropic(&[&anthropic]));
        prop_assert_eq!(read_ollama(&cut(&ollama, &cuts)), read_ollama(&[&ollama]));
    }

    #[test]
    fn spoilt_answers_and_errors_are_read_or_refused(bytes in mutated(OLLAMA), noise in proptest::collection::vec(any::<u8>(), 0..80)) {
        for bytes in [&bytes, &noise] {
            let _ = openai::decode_answer(bytes);
            let _ = anthropic::decode_answer(bytes);
            let _ = ollama::decode_answer(bytes);
            let _ = (openai::decode_error(400, bytes), anthropic::decode_error(400, bytes), ollama::decode_error(400, bytes));
        }
    }
}
