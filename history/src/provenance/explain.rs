//! From where a value in an item comes, across the borders of executions: into the workflow that a node called, back to the node
//! that called this one, into the run of the agent that answered, up to what started the first of them.
//!
//! Each execution is a chapter of its own, whose steps are those of [`super::provenance`].

use std::collections::{HashMap, VecDeque};

use timeloom_domain::agent_run::{AgentRunEvent, asked_id};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, TriggerFacts, called_id};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Revision, StreamKey, codec};

use super::trace::{self, Origin, Step};
use crate::error::HistoryError;
use crate::executions::inputs;
use crate::moment::Moment;
use crate::past::Past;
use crate::story::{Story, StoryRun};

/// Most executions through which one value is followed.
pub const CHAPTERS_MAX: usize = 64;
/// Calls of one node run that are looked through.
const CALLS_MAX: usize = 10_000;
/// Tries of one call that are looked at.
const TRIES_MAX: u32 = 16;
/// Tools of an agent that are told.
const TOOLS_MAX: usize = 50;
/// What the types of nodes end with that call workflows.
const CALLING: [&str; 2] = [".executeWorkflow", ".toolWorkflow"];

/// A value in what a node run gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemValue {
    /// Name of the node.
    pub node: String,
    /// Which of its runs; 0 is the first.
    pub run_index: usize,
    /// Index of the output.
    pub output: usize,
    /// Index of the item; `None` for all of them.
    pub item: Option<usize>,
    /// Where in the item, as a JSON pointer such as `/json/total`.
    pub path: String,
}

/// From where a value comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The executions that it goes through, that of the value first.
    pub chapters: Vec<Chapter>,
    /// Whether there is more than is told.
    pub is_cut: bool,
}

/// The part of it that lies in one execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// The execution.
    pub stream: StreamKey,
    /// From which step of which other chapter it is reached; `None` for the first.
    pub from: Option<(usize, usize)>,
    /// Why it is part of it.
    pub border: Border,
    /// The steps from there back.
    pub steps: Vec<Step>,
    /// What started the execution; `None` for a person.
    pub trigger: Option<TriggerFacts>,
    /// The runs of agents that the nodes of these steps asked.
    pub agent_runs: Vec<AskedAgent>,
}

/// How one execution leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// It has the value.
    Asked,
    /// A node of the other one called it, and gave what it gave.
    Called,
    /// A node of it called the other one, which was given what that node was given.
    Caller,
}

/// A run of an agent that a node asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedAgent {
    /// Its stream.
    pub stream: StreamKey,
    /// By which step of the chapter.
    pub step: usize,
    /// How often it asked its model.
    pub turns: u32,
    /// The tools that answered, in their order.
    pub tools: Vec<String>,
}

/// A value that is still to be followed.
struct Open {
    stream: StreamKey,
    value: ItemValue,
    from: Option<(usize, usize)>,
    border: Border,
}

/// From where a value in an item that `stream`, an execution, has now comes.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn explain<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    value: ItemValue,
) -> Result<Explanation, HistoryError> {
    let past = past.into();
    let mut open = VecDeque::from([Open { stream: stream.clone(), value, from: None, border: Border::Asked }]);
    let mut told = Explanation { chapters: Vec::new(), is_cut: false };
    let mut seen: HashMap<(StreamKey, ItemValue), usize> = HashMap::new();
    while let Some(next) = open.pop_front() {
        if told.chapters.len() >= CHAPTERS_MAX {
            told.is_cut = true;
            break;
        }
        if seen.insert((next.stream.clone(), next.value.clone()), told.chapters.len()).is_some() {
            continue;
        }
        let chapter = told.chapters.len();
        let story = Story::load(past, &next.stream, Moment::Newest).await?;
        let (steps, is_cut) = match trace::steps_of(&story, &next.value) {
            Some(found) => found,
            // What was asked for has to be there; what only leads on may be told no further.
            None if next.from.is_none() => {
                let path = format!("{} run {}: {}", next.value.node, next.value.run_index, next.value.path);
                return Err(HistoryError::NoValue { stream: next.stream, path });
            }
            None => continue,
        };
        told.is_cut |= is_cut;
        let chapters = Borders { past, story: &story, like: &next.stream, chapter };
        let agent_runs = chapters.follow(&steps, &mut open).await?;
        let trigger = story.start.trigger.clone();
        let Open { stream, from, border, .. } = next;
        told.chapters.push(Chapter { stream, from, border, steps, trigger, agent_runs });
    }
    Ok(told)
}

/// What leads out of one chapter.
struct Borders<'c> {
    past: Past<'c>,
    story: &'c Story,
    like: &'c StreamKey,
    chapter: usize,
}

impl Borders<'_> {
    /// Adds what the steps lead to; answers the agents that were asked.
    async fn follow(&self, steps: &[Step], open: &mut VecDeque<Open>) -> Result<Vec<AskedAgent>, HistoryError> {
        let mut asked = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            let from = Some((self.chapter, place));
            if step.origin == Origin::Given {
                open.extend(self.caller(step).await?.map(|(stream, value)| Open {
                    stream,
                    value,
                    from,
                    border: Border::Caller,
                }));
                continue;
            }
            let Some(run) = self.story.find(&step.node, step.run_index) else { continue };
            let calls =
                self.story.node(run).is_some_and(|node| CALLING.iter().any(|end| node.node_type.ends_with(end)));
            let root = self.root(&self.story.runs[run].stream).await?;
            if calls {
                open.extend(self.called(step, run, root).await?.map(|(stream, value)| Open {
                    stream,
                    value,
                    from,
                    border: Border::Called,
                }));
            }
            asked.extend(self.agents(place, run, root).await?);
        }
        Ok(asked)
    }

    /// The first link of the execution that a stream belongs to.
    async fn root(&self, stream: &StreamKey) -> Result<ExecutionId, HistoryError> {
        let first = self.past.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?;
        let own = stream.id.parse().map_err(|_| HistoryError::NotAnExecution(stream.clone()))?;
        Ok(match first.first().map(|first| codec::decode::<ExecutionEvent>(first)).transpose()? {
            Some(ExecutionEvent::ExecutionContinued(continuation)) => continuation.root,
            _ => own,
        })
    }

    fn stream(&self, id: ExecutionId) -> StreamKey {
        StreamKey::new(self.like.tenant, ExecutionEvent::CATEGORY, id.to_string())
    }

    async fn has_begun(&self, stream: &StreamKey) -> Result<bool, HistoryError> {
        Ok(!self.past.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?.is_empty())
    }

    /// The value in the execution that called this one, which was given it.
    async fn caller(&self, step: &Step) -> Result<Option<(StreamKey, ItemValue)>, HistoryError> {
        let Some(TriggerFacts::SubWorkflow { execution, node, .. }) = &self.story.start.trigger else {
            return Ok(None);
        };
        let stream = self.stream(*execution);
        let story = match Story::load(self.past, &stream, Moment::Newest).await {
            Ok(story) => story,
            // It is gone: then nothing more is known.
            Err(HistoryError::UnknownStream(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let own = self.root(&step.stream).await?;
        let root = Borders { story: &story, like: &stream, ..*self }.root(&stream).await?;
        let calls_this = |run: &&StoryRun| {
            let is_call =
                |number| (0..TRIES_MAX).any(|tries| called_id(root, run.execution_index, number, tries) == own);
            run.state.node == *node && (0..items_given(&story, run).clamp(1, CALLS_MAX)).any(is_call)
        };
        let Some(run) = story.runs.iter().find(calls_this) else { return Ok(None) };
        let number = (0..CALLS_MAX)
            .find(|number| (0..TRIES_MAX).any(|tries| called_id(root, run.execution_index, *number, tries) == own));
        let Some(source) = run.state.sources.iter().flatten().next() else { return Ok(None) };
        // One call for each item, or one for all of them.
        let item = if number == Some(0) && self.story.start.items.len() > 1 { step.item } else { number };
        let value = ItemValue {
            node: source.previous_node.clone(),
            run_index: source.previous_node_run,
            output: source.previous_node_output,
            item,
            path: step.path.clone(),
        };
        Ok(Some((stream, value)))
    }

    /// The value in the execution that a node called: of what its last node gave.
    async fn called(
        &self,
        step: &Step,
        run: usize,
        root: ExecutionId,
    ) -> Result<Option<(StreamKey, ItemValue)>, HistoryError> {
        let execution_index = self.story.runs[run].execution_index;
        let mut before = 0;
        for number in 0..CALLS_MAX {
            let Some(stream) = self.last_try(root, execution_index, number).await? else { break };
            let story = Story::load(self.past, &stream, Moment::Newest).await?;
            let Some(last) = story.runs.len().checked_sub(1) else { break };
            let gave = story.outputs(last).and_then(|outputs| outputs.first()).map_or(0, |items| items.len());
            let item = step.item.and_then(|item| item.checked_sub(before)).filter(|item| *item < gave);
            if item.is_some() || step.item.is_none() {
                let state = &story.runs[last].state;
                let value = ItemValue {
                    node: state.node.clone(),
                    run_index: state.run_index,
                    output: 0,
                    item,
                    path: step.path.clone(),
                };
                return Ok(Some((stream, value)));
            }
            before += gave;
        }
        Ok(None)
    }

    /// The execution of a call that was tried last; `None` when there was no such call.
    async fn last_try(
        &self,
        root: ExecutionId,
        execution_index: usize,
        number: usize,
    ) -> Result<Option<StreamKey>, HistoryError> {
        let mut last = None;
        for tries in 0..TRIES_MAX {
            let stream = self.stream(called_id(root, execution_index, number, tries));
            if !self.has_begun(&stream).await? {
                break;
            }
            last = Some(stream);
        }
        Ok(last)
    }

    /// The runs of agents that a node run asked, the last try of each.
    async fn agents(&self, step: usize, run: usize, root: ExecutionId) -> Result<Vec<AskedAgent>, HistoryError> {
        let execution_index = self.story.runs[run].execution_index;
        let mut asked = Vec::new();
        for number in 0..CHAPTERS_MAX {
            let mut last = None;
            for tries in 0..TRIES_MAX {
                let id = asked_id(root, execution_index, number, tries);
                let stream = StreamKey::new(self.like.tenant, AgentRunEvent::CATEGORY, id.to_string());
                if !self.has_begun(&stream).await? {
                    break;
                }
                last = Some(stream);
            }
            let Some(stream) = last else { break };
            asked.push(self.told_of(stream, step).await?);
        }
        Ok(asked)
    }

    async fn told_of(&self, stream: StreamKey, step: usize) -> Result<AskedAgent, HistoryError> {
        let (mut turns, mut tools, mut names) = (0, Vec::new(), HashMap::new());
        let read = self.past.log.read_stream(&stream, Revision(0), Direction::Forward, READ_EVENTS_MAX).await?;
        for recorded in &read {
            match codec::decode::<AgentRunEvent>(recorded)? {
                AgentRunEvent::AgentModelAnswered { turn, .. } => turns = turns.max(turn),
                AgentRunEvent::AgentToolCalled { call, tool, .. } => drop(names.insert(call, tool)),
                AgentRunEvent::AgentToolAnswered { call, .. } if tools.len() < TOOLS_MAX => {
                    tools.extend(names.get(&call).cloned());
                }
                _ => {}
            }
        }
        Ok(AskedAgent { stream, step, turns, tools })
    }
}

/// How many items a run was given on its first input.
fn items_given(story: &Story, run: &StoryRun) -> usize {
    let place = story.find(&run.state.node, run.state.run_index);
    let given = place.map(|place| inputs(story, place)).unwrap_or_default();
    given.first().map_or(0, Vec::len)
}
