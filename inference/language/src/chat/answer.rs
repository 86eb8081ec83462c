//! One answer.

use std::time::Instant;

use timeloom_domain::chat::{ChatRequest, ErrorClass, FinishReason, Format, ToolChoice, Usage};
use timeloom_gateway::CallError;
use timeloom_inference::instance::Stop;

use super::engine::Said;
use super::hold::Hold;
use super::model::Loaded;
use super::sample::Sampler;

/// Most tokens of an answer where nothing is said.
const OUTPUT_TOKENS: usize = 512;
/// Most tokens that are read and written together, whatever a model says of itself: what is kept of them takes memory.
const CONTEXT_TOKENS_MAX: usize = 4_096;
/// Most texts before which an answer ends.
const STOPS_MAX: usize = 16;

/// What is asked beyond what a small model can do.
///
/// # Errors
/// Names it.
pub(super) fn check(request: &ChatRequest) -> Result<(), CallError> {
    let tools = !request.tools.is_empty() && request.tool_choice != Some(ToolChoice::Never);
    let unsupported = if tools {
        "a model on this machine calls no tools"
    } else if matches!(request.format, Some(Format::Json | Format::Schema { .. })) {
        "a model on this machine cannot be held to JSON"
    } else if request.sampling.choices.is_some_and(|choices| choices > 1) {
        "a model on this machine gives one answer"
    } else if request.messages.is_empty() {
        return Err(CallError::new(ErrorClass::BadRequest, "there is no message to answer"));
    } else if request.sampling.stop.len() > STOPS_MAX {
        let why = format!("there are more than {STOPS_MAX} texts before which to stop");
        return Err(CallError::new(ErrorClass::BadRequest, why));
    } else {
        return Ok(());
    };
    Err(CallError::unsupported(unsupported))
}

/// Answers a chat. `say` is told each part, and answers whether somebody still listens.
pub(super) fn answer(
    model: &mut Loaded,
    request: &ChatRequest,
    seed: u64,
    (stop, until): (&Stop, Instant),
    say: &mut dyn FnMut(Said) -> bool,
) -> Result<(), CallError> {
    check(request)?;
    let Loaded { tokens, template, mind } = model;
    let prompt = tokens.of(&template.write(&request.messages, tokens)?, false)?;
    let room = template.context.unwrap_or(CONTEXT_TOKENS_MAX).min(CONTEXT_TOKENS_MAX);
    if prompt.is_empty() || prompt.len() >= room {
        let why =
            format!("the chat has {} tokens: the model reads and writes {room} together, shorten it", prompt.len());
        return Err(CallError::new(ErrorClass::TooLong, why));
    }
    let end = tokens.token(&template.end);
    let wanted =
        request.sampling.output_tokens_max.map_or(OUTPUT_TOKENS, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let most = wanted.clamp(1, room - prompt.len());
    let mut sampler = Sampler::new(&request.sampling, seed);
    let mut hold = Hold::new(&request.sampling.stop);
    mind.restart();
    let mut writer = tokens.writer();
    let (mut next, mut written, mut finish) = (prompt.clone(), 0, FinishReason::Length);
    while written < most {
        if Instant::now() >= until {
            return Err(late());
        }
        let Some(mut likely) = mind.read(&next, stop)? else { return Ok(()) };
        let token =
            sampler.choose(&mut likely).ok_or_else(|| CallError::garbage("it gave something that is no number"))?;
        if Some(token) == end {
            finish = FinishReason::Stop;
            break;
        }
        written += 1;
        next = vec![token];
        let (text, stopped) = hold.take(&writer.take(token)?);
        if !say(Said::Text(text)) {
            return Ok(());
        }
        if stopped {
            finish = FinishReason::StopSequence;
            break;
        }
    }
    if finish != FinishReason::StopSequence && !say(Said::Text(hold.rest())) {
        return Ok(());
    }
    let usage = Usage { input_tokens: prompt.len() as u64, output_tokens: written as u64, ..Usage::default() };
    say(Said::Finished(finish, usage));
    Ok(())
}

/// The time is up.
pub(super) fn late() -> CallError {
    CallError::new(ErrorClass::Timeout, "the answer took too long: ask for fewer tokens, or when less is to be done")
}
