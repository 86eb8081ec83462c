//! `timeloom bisect`: which change of a workflow, or of a plugin that it uses, made a run bad, found by running what was recorded
//! again under few of the definitions between a good run and a bad one. No effect happens. That somebody searched, what came of
//! each try and what was found is written down.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use timeloom_domain::definition::{Node, WorkflowDefinition, parse};
use timeloom_engine::replay::{Replay, ReplayOnceError, Replayed};
use timeloom_history::{Bisection, Found, Next, Verdict};
use uuid::Uuid;

use super::bisect_record::{self, Goal, Record, TOLERANCE};
use super::capsule::Wanted;
use super::client::Client;
use super::log::refused;
use super::{Access, Failure, bisect_models, bisect_plugins, eval, output};
use crate::app::evaluator_and_catalogue;
use crate::bisect::Check;
use crate::capsule::{OpenCapsule, Rig};
use crate::config::Config;

const BETWEEN: &str = "query($earlier: UUID!, $later: UUID!) { changesBetween(earlier: $earlier, later: $later) {
  workflowId fromRevision toRevision
  changes { kind streamId position revision recordedAt type what fromVersion toVersion nodeTypes actor { kind name } } } }";
const DRAFT: &str = "query($id: ID!, $revision: Int!) {
  stateAt(entity: { kind: WORKFLOW, id: $id }, asOf: { revision: $revision }) { part(path: \"/draft\") } }";

/// Between which runs is searched, and what is bad.
#[derive(Debug, Args)]
pub struct BisectArguments {
    /// An execution that did what it should.
    #[arg(required_unless_present_any = ["resume", "list", "abandon"])]
    good: Option<Uuid>,
    /// A later execution of the same workflow that did not.
    #[arg(required_unless_present_any = ["resume", "list", "abandon"])]
    bad: Option<Uuid>,
    /// What is bad, as an expression that is true of it: `$json` is the first item that was given last, `$('Node')` are other
    /// nodes, `$vars.failure` is what went wrong (`node`, `name`, `message`). When absent: that the same failure, or the same items, come at the end.
    #[arg(long, value_name = "EXPRESSION")]
    check: Option<String>,
    /// Search the changes of models' versions in place of those of the workflow: the versions between answer what the bad run
    /// asked. With --check `$json` has how their answers compare with those of the bad run: `same`, `near`, `different`,
    /// `classChanged`, `failed`, `worst`. When absent, the same answers are bad.
    #[arg(long)]
    model_versions: bool,
    /// How far numbers may be apart and still be the same answer, relative to the larger one or 1.
    #[arg(long, value_name = "NUMBER", default_value_t = TOLERANCE, requires = "model_versions")]
    tolerance: f64,
    /// Go on with a search that was begun and cut off: what was tried is not tried again.
    #[arg(long, value_name = "BISECTION", conflicts_with_all = ["good", "bad", "check", "model_versions"])]
    resume: Option<Uuid>,
    /// List the searches that were begun last: by whom, between which runs, and what was found.
    #[arg(long, conflicts_with_all = ["good", "bad", "check", "model_versions", "resume"])]
    list: bool,
    /// Write down that nobody goes on with a search.
    #[arg(long, value_name = "BISECTION", conflicts_with_all = ["good", "bad", "check", "model_versions", "resume", "list"])]
    abandon: Option<Uuid>,
    /// How long to wait, in seconds, until a server has signed a checkpoint that covers the bad execution.
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(..=600))]
    wait: u64,
    #[command(flatten)]
    access: Access,
}

impl BisectArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let client = Client::open(&self.access, config).await?;
        let result = match (self.list, self.abandon) {
            (true, _) => bisect_record::list(&client, self.access.json).await.map(|()| true),
            (_, Some(id)) => bisect_record::abandon(&client, id, self.access.json).await.map(|()| true),
            _ => self.found(&client, config).await,
        };
        client.close().await;
        if result? { Ok(()) } else { Err(Failure::Failed) }
    }

    /// Whether a change was found, which is told.
    async fn found(&self, client: &Client, config: &Config) -> Result<bool, Failure> {
        let goal = self.goal(client).await?;
        let (answer, is_found) = match goal.is_over_models {
            true => self.search_models(client, &goal, config).await?,
            false => self.search(client, &goal, config).await?,
        };
        if self.access.json {
            output::json(&answer);
        }
        Ok(is_found)
    }

    /// What is searched for: what was said, or what a search that goes on was begun for.
    async fn goal(&self, client: &Client) -> Result<Goal, Failure> {
        match (self.resume, self.good, self.bad) {
            (Some(id), ..) => Goal::resumed(client, id).await,
            (None, Some(good), Some(bad)) => Ok(Goal {
                good,
                bad,
                check: self.check.clone(),
                is_over_models: self.model_versions,
                tolerance: self.tolerance,
                goes_on: None,
            }),
            _ => Err(refused("name a good execution and a bad one")),
        }
    }

    /// The answer for programs, and whether a change was found.
    async fn search(&self, client: &Client, goal: &Goal, config: &Config) -> Result<(Value, bool), Failure> {
        let data = client.ask(BETWEEN, json!({ "earlier": goal.good, "later": goal.bad })).await?;
        let between = Between::of(data.get("changesBetween").cloned().unwrap_or_default());
        let wanted =
            Wanted { execution: goal.bad, attachment_bytes_max: 64 << 20, wait: Duration::from_secs(self.wait) };
        let capsule = wanted.of(client, config).await?;
        let rig = OpenCapsule::new(&capsule)?.rig(&capsule, config).await?;
        let check = check(goal, &rig).await?;
        let record = Record::open(client, goal, &between.candidates).await?;
        let id = record.id();
        let json = self.access.json;
        let mut search = Search { client, between: &between, rig, check, record, json, steps: Vec::new() };
        self.say(&bisect_plugins::counted(&between.candidates));
        id.iter().for_each(|id| self.say(&format!("the search is written down as bisection {id}")));
        let found = if between.candidates.is_empty() { Found::NoneOfThem } else { search.run().await? };
        search.record.end(found, between.blamed(found)).await?;
        let untried = bisect_plugins::untried(&between.candidates, |node_type| search.rig.has_code(node_type));
        let answer = json!({
            "found": word(found), "changes": between.blamed(found), "steps": search.steps, "bisection": id,
            "others": between.others, "untried": untried, "between": between.candidates.len(),
        });
        if !json {
            between.tell(found, &untried);
        }
        Ok((answer, matches!(found, Found::Change(_) | Found::OneOf { .. })))
    }

    /// The same over the versions of models. Where this process has the data folder to itself, it computes them.
    async fn search_models(&self, client: &Client, goal: &Goal, config: &Config) -> Result<(Value, bool), Failure> {
        let data = client.ask(BETWEEN, json!({ "earlier": goal.good, "later": goal.bad })).await?;
        let changes = data.pointer("/changesBetween/changes").and_then(Value::as_array).cloned().unwrap_or_default();
        let check = match &goal.check {
            Some(expression) => {
                let (evaluator, _) = evaluator_and_catalogue(&timeloom_nodes::registry::all())?;
                Some(Check::expression(evaluator, expression))
            }
            None => None,
        };
        let wish = bisect_models::Wish { goal, changes: &changes, check, json: self.access.json };
        let doing = eval::doing(client, config)?;
        let result = bisect_models::search(client, &wish).await;
        if let Some((evaluating, models)) = doing {
            evaluating.stop().await;
            models.close().await;
        }
        result
    }

    fn say(&self, text: &str) {
        if !self.access.json {
            output::line(text);
        }
    }
}

/// What is bad, which has to be so of the bad run itself.
async fn check(goal: &Goal, rig: &Rig) -> Result<Check, Failure> {
    let Replay { replayed, recorded, .. } = match rig.replay(None).await {
        Ok(replay) => replay,
        Err(error @ ReplayOnceError::CannotRun(_)) => return Err(refused(&format!("the bad run: {error}"))),
        Err(error) => return Err(error.into()),
    };
    if replayed == Replayed::NotComparable {
        return Err(refused("the bad run was cancelled or cut off: there is nothing to hold a second run against"));
    }
    let Some(expression) = &goal.check else { return Ok(Check::Like(recorded)) };
    let check = Check::expression(std::sync::Arc::clone(rig.evaluator()), expression);
    match check.is_bad(&recorded) {
        Ok(true) => Ok(check),
        Ok(false) => Err(refused(&format!("'{expression}' is not true of the bad run: say what is bad about it"))),
        Err(error) => Err(refused(&format!("'{expression}' cannot be evaluated: {error}"))),
    }
}

/// What was changed between the two runs.
struct Between {
    workflow_id: Value,
    from: Value,
    /// Changes of the definition, and of plugins that it uses, in the order of the log: what is searched through.
    candidates: Vec<Value>,
    /// The other changes of models and plugins. What models answered a replay has as it was recorded.
    others: Vec<Value>,
}

impl Between {
    fn of(told: Value) -> Self {
        let changes = told.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
        let (candidates, others) = changes
            .into_iter()
            .partition(|change| change["kind"] == "WORKFLOW" || bisect_plugins::is_candidate(change));
        Self { workflow_id: told["workflowId"].clone(), from: told["fromRevision"].clone(), candidates, others }
    }

    /// The revision of the workflow after so many changes.
    fn revision(&self, point: usize) -> &Value {
        let mut done = self.candidates.iter().take(point).rev();
        done.find(|change| change["kind"] == "WORKFLOW").map_or(&self.from, |change| &change["revision"])
    }

    fn blamed(&self, found: Found) -> &[Value] {
        let (first, last) = match found {
            Found::Change(change) => (change, change),
            Found::OneOf { first, last } | Found::GaveUp { first, last } => (first, last),
            Found::NoneOfThem => return &[],
        };
        self.candidates.get(first.saturating_sub(1)..last).unwrap_or_default()
    }

    fn tell(&self, found: Found, untried: &[Value]) {
        output::line(match found {
            Found::Change(_) => "this change did it:",
            Found::OneOf { .. } => "one of these changes did it; what lies between them cannot be tested:",
            Found::GaveUp { .. } => "one of these changes did it; too many of them cannot be tested:",
            Found::NoneOfThem => {
                "no change of the workflow did it: what was recorded comes to the same under the definition of the good run"
            }
        });
        self.blamed(found).iter().for_each(|change| output::line(&format!("  {}", line(change))));
        if !untried.is_empty() {
            output::line("these are of plugins whose code this build does not run: what they changed cannot be tried");
            untried.iter().for_each(|change| output::line(&format!("  {}", line(change))));
        }
        if !self.others.is_empty() {
            output::line(
                "these were changed between the two runs as well, and what they answered is not asked for again:",
            );
            self.others.iter().for_each(|change| output::line(&format!("  {}", line(change))));
        }
    }
}

/// A change in one line.
pub(super) fn line(change: &Value) -> String {
    let text = |path: &str| output::text(change, path);
    let (revision, position, time) = (text("/revision"), text("/position"), text("/recordedAt"));
    let actor = format!("{}:{}", text("/actor/kind"), text("/actor/name"));
    format!("revision {revision}, position {position}, {time}, {actor}: {}", text("/what"))
}

pub(super) fn word(found: Found) -> &'static str {
    match found {
        Found::Change(_) => "change",
        Found::OneOf { .. } => "one-of",
        Found::NoneOfThem => "none",
        Found::GaveUp { .. } => "gave-up",
    }
}

/// A search under way.
struct Search<'s> {
    client: &'s Client,
    between: &'s Between,
    rig: Rig,
    check: Check,
    record: Record<'s>,
    json: bool,
    steps: Vec<Value>,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Found, Failure> {
        let mut bisection = Bisection::new(self.between.candidates.len());
        loop {
            let point = match bisection.next() {
                Next::Done(found) => return Ok(found),
                Next::Try(point) => point,
            };
            let verdict = match self.record.known(point) {
                Some(known) => known,
                None => {
                    let verdict = self.verdict(point).await?;
                    self.record.step(point, &verdict).await?;
                    verdict
                }
            };
            self.tell(point, &verdict, bisection.tries_left());
            bisection.tell(point, verdict);
        }
    }

    fn tell(&mut self, point: usize, verdict: &Verdict, left: u32) {
        let revision = self.between.revision(point).clone();
        let (word, why) = match verdict {
            Verdict::Good => ("good", None),
            Verdict::Bad => ("bad", None),
            Verdict::Untestable(why) => ("untestable", Some(why)),
        };
        let mut told = json!({ "point": point, "revision": revision, "verdict": word, "reason": why });
        let plugins = bisect_plugins::versions_at(&self.between.candidates, point);
        if !plugins.is_null() {
            told["plugins"] = plugins;
        }
        self.steps.push(told);
        if !self.json {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let step = self.steps.len();
            output::line(&format!("{step}. under revision {revision} it is {word}{why} (about {left} more to try)"));
        }
    }

    /// How the bad run is under the definition after so many changes.
    async fn verdict(&self, point: usize) -> Result<Verdict, Failure> {
        let revision = self.between.revision(point);
        let definition = match self.definition(revision).await? {
            Ok(definition) => definition,
            Err(why) => return Ok(Verdict::Untestable(why)),
        };
        let lacking = self.rig.without_code(&definition);
        let cannot = |node: &Node| bisect_plugins::cannot_be_tried(&self.between.candidates, point, node);
        if let Some(why) = lacking.and_then(cannot) {
            return Ok(Verdict::Untestable(why));
        }
        let replay = match self.rig.replay(Some(definition)).await {
            Ok(replay) => replay,
            Err(ReplayOnceError::CannotRun(why)) => return Ok(Verdict::Untestable(why)),
            Err(error) => return Err(error.into()),
        };
        Ok(match replay.replayed {
            Replayed::NotAnswered { node, .. } => {
                Verdict::Untestable(format!("the effect of '{node}' was not recorded like this"))
            }
            Replayed::NotComparable => Verdict::Untestable("it does not come to an end".to_owned()),
            Replayed::Same | Replayed::Differs(_) => match self.check.is_bad(&replay.came) {
                Ok(true) => Verdict::Bad,
                Ok(false) => Verdict::Good,
                // It may quote data of the execution, which is not written down with the search.
                Err(why) => {
                    output::notice(&format!("--check under revision {revision}: {why}"));
                    Verdict::Untestable("the expression of --check failed here".to_owned())
                }
            },
        })
    }

    async fn definition(&self, revision: &Value) -> Result<Result<WorkflowDefinition, String>, Failure> {
        let variables = json!({ "id": self.between.workflow_id, "revision": revision });
        let data = self.client.ask(DRAFT, variables).await?;
        let draft = data.pointer("/stateAt/part").cloned().unwrap_or_default();
        Ok(parse(draft.to_string().as_bytes()).map_err(|error| error.to_string()))
    }
}
