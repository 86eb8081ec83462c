//! What is told of evaluations of sets: scorers, scores, and two of them side by side.

use async_graphql::{Enum, InputObject, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_domain::evaluation::{
    self as domain, CASES_MAX, CaseRun, NamedScorer, Scorer, ScorerComparison as Compared, ToldCase,
};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::model::MILLION;
use uuid::Uuid;

use super::Evaluation;
use crate::schema::faults::bad_input;
use crate::schema::payloads::{UserError, refused};

/// How many scores come where nothing else is said.
const SCORES_FIRST: u32 = 100;

/// How an output is judged, from 0 (bad) to 1 (good).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EvaluationScorerKind {
    /// 1 when it is the expected value: numbers by their value, fields in any order.
    Equal,
    /// How much of what is expected is in it: a text in a text, values in a list, fields in an object.
    Contains,
    /// 1 when a regular expression matches its text.
    Matches,
    /// How many of its numbers are near the expected ones.
    Near,
    /// 1 when its likeliest class is the expected one.
    TopClass,
    /// 1 when it fits a JSON Schema of draft 2020-12.
    Schema,
    /// What a workflow says: it is given `input`, `expected` and `output`, and its last item has the number `score`.
    Workflow,
    /// What a language model says, by a rubric: it is given the input, what is expected and the output, and has no tools.
    Judge,
}

/// A scorer to judge outputs by.
#[derive(Debug, InputObject)]
pub(crate) struct EvaluationScorerInput {
    /// Its name, which no other scorer of the evaluation has; absent = the word for its kind.
    name: Option<String>,
    /// How it judges.
    kind: EvaluationScorerKind,
    /// What of the output it looks at: a JSON pointer such as `/label`, empty for all of it.
    #[graphql(default)]
    at: String,
    /// What of the expected value it looks at: a JSON pointer, empty for all of it.
    #[graphql(default)]
    expected_at: String,
    /// Of MATCHES: the regular expression.
    pattern: Option<String>,
    /// Of NEAR: how far numbers may be apart, relative to the larger one or 1.
    #[graphql(default = 0.001)]
    tolerance: f64,
    /// Of SCHEMA: the schema.
    schema: Option<Value>,
    /// Of WORKFLOW: the workflow.
    workflow_id: Option<Uuid>,
    /// Of WORKFLOW: its version.
    version: Option<u32>,
    /// Of JUDGE: the route of the gateway by which it is asked.
    route: Option<String>,
    /// Of JUDGE: what is good and what is bad, at most 8,000 characters.
    rubric: Option<String>,
}

impl TryFrom<EvaluationScorerInput> for NamedScorer {
    type Error = UserError;

    fn try_from(input: EvaluationScorerInput) -> std::result::Result<Self, UserError> {
        let missing = |what: &str| refused("INVALID_SCORER", format!("a scorer of this kind needs '{what}': give it"));
        let scorer = match input.kind {
            EvaluationScorerKind::Equal => Scorer::Equal,
            EvaluationScorerKind::Contains => Scorer::Contains,
            EvaluationScorerKind::Matches => {
                Scorer::Matches { pattern: input.pattern.ok_or_else(|| missing("pattern"))? }
            }
            EvaluationScorerKind::Near => Scorer::Near { tolerance: millionths(input.tolerance)? },
            EvaluationScorerKind::TopClass => Scorer::TopClass,
            EvaluationScorerKind::Schema => Scorer::Schema { schema: input.schema.ok_or_else(|| missing("schema"))? },
            EvaluationScorerKind::Workflow => Scorer::Workflow {
                workflow: WorkflowId(input.workflow_id.ok_or_else(|| missing("workflowId"))?),
                version: input.version.ok_or_else(|| missing("version"))?,
            },
            EvaluationScorerKind::Judge => Scorer::Judge {
                route: input.route.ok_or_else(|| missing("route"))?,
                rubric: input.rubric.ok_or_else(|| missing("rubric"))?,
            },
        };
        let name = input.name.unwrap_or_else(|| scorer.kind().to_owned());
        Ok(Self { name, at: input.at, expected_at: input.expected_at, scorer })
    }
}

/// A tolerance in millionths.
pub(crate) fn millionths(tolerance: f64) -> std::result::Result<u64, UserError> {
    let millionths = (tolerance * MILLION as f64).round();
    if !(0.0..=MILLION as f64).contains(&millionths) {
        return Err(refused("INVALID_TOLERANCE", format!("{tolerance} is no tolerance: give one from 0 to 1")));
    }
    // It is checked that it fits.
    Ok(millionths as u64)
}

/// A scorer of an evaluation.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EvaluationScorer {
    /// Its name.
    name: String,
    /// How it judges.
    kind: EvaluationScorerKind,
    /// What of the output it looks at: a JSON pointer, empty for all of it.
    at: String,
    /// What of the expected value it looks at: a JSON pointer, empty for all of it.
    expected_at: String,
    /// Of MATCHES: the regular expression.
    pattern: Option<String>,
    /// Of NEAR: how far numbers may be apart, relative to the larger one or 1.
    tolerance: Option<f64>,
    /// Of SCHEMA: the schema.
    schema: Option<Value>,
    /// Of WORKFLOW: the workflow.
    workflow_id: Option<Uuid>,
    /// Of WORKFLOW: its version.
    version: Option<u32>,
    /// Of JUDGE: the route of the gateway by which it is asked.
    route: Option<String>,
    /// Of JUDGE: what is good and what is bad.
    rubric: Option<String>,
}

impl From<&NamedScorer> for EvaluationScorer {
    fn from(named: &NamedScorer) -> Self {
        let plain = |kind| Self {
            name: named.name.clone(),
            kind,
            at: named.at.clone(),
            expected_at: named.expected_at.clone(),
            pattern: None,
            tolerance: None,
            schema: None,
            workflow_id: None,
            version: None,
            route: None,
            rubric: None,
        };
        match &named.scorer {
            Scorer::Equal => plain(EvaluationScorerKind::Equal),
            Scorer::Contains => plain(EvaluationScorerKind::Contains),
            Scorer::Matches { pattern } => {
                Self { pattern: Some(pattern.clone()), ..plain(EvaluationScorerKind::Matches) }
            }
            Scorer::Near { tolerance } => {
                let tolerance = Some(*tolerance as f64 / MILLION as f64);
                Self { tolerance, ..plain(EvaluationScorerKind::Near) }
            }
            Scorer::TopClass => plain(EvaluationScorerKind::TopClass),
            Scorer::Schema { schema } => Self { schema: Some(schema.clone()), ..plain(EvaluationScorerKind::Schema) },
            Scorer::Workflow { workflow, version } => {
                Self { workflow_id: Some(workflow.0), version: Some(*version), ..plain(EvaluationScorerKind::Workflow) }
            }
            Scorer::Judge { route, rubric } => {
                Self { route: Some(route.clone()), rubric: Some(rubric.clone()), ..plain(EvaluationScorerKind::Judge) }
            }
        }
    }
}

/// What came of trying something on all cases of a version of a set.
#[derive(Debug, Clone)]
pub(crate) struct ScoredReport {
    pub(super) report: domain::ScoredReport,
}

#[Object]
impl ScoredReport {
    /// Cases that were tried.
    async fn cases(&self) -> u32 {
        self.report.cases
    }

    /// Of them, those that came to no output: each of their scores is 0.
    async fn failed(&self) -> u32 {
        self.report.failed
    }

    /// Each scorer in sums.
    async fn scorers(&self) -> Vec<ScorerReport> {
        let of = |scorer: &domain::ScorerReport| ScorerReport {
            name: scorer.name.clone(),
            mean: scorer.mean,
            count: scorer.count,
            failed: scorer.failed,
        };
        self.report.scorers.iter().map(of).collect()
    }

    /// The scores of each case, in the order of the set.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    #[graphql(complexity = "10 * child_complexity + 1")]
    async fn scores(
        &self,
        #[graphql(desc = "How many, at most 1,000; 100 where absent.")] first: Option<u32>,
        #[graphql(default, desc = "How many are left out before them.")] skip: u32,
    ) -> Result<Vec<CaseScores>> {
        let first = first.unwrap_or(SCORES_FIRST) as usize;
        if first > CASES_MAX {
            return Err(bad_input(format!("at most {CASES_MAX} cases are given at once: ask for them in parts")));
        }
        Ok(self.report.scores.iter().skip(skip as usize).take(first).map(Into::into).collect())
    }

    /// Why, for the worst hundred cases that are not perfect, the worst first.
    #[graphql(complexity = "10 * child_complexity + 1")]
    async fn told(&self) -> Vec<ScoredCase> {
        self.report.told.iter().map(Into::into).collect()
    }
}

/// One scorer in sums.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ScorerReport {
    /// Its name.
    name: String,
    /// The mean of its scores; absent where it has none.
    mean: Option<f64>,
    /// How many scores it has.
    count: u32,
    /// In how many cases it had nothing to judge: they are not in its mean.
    failed: u32,
}

/// The scores of one case.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct CaseScores {
    /// The case.
    case_id: String,
    /// From 0 to 1 by each scorer, in their order; null where it had nothing to judge.
    scores: Vec<Option<f64>>,
    /// The execution that was run for it.
    execution_id: Option<Uuid>,
    /// The run of an agent that was made for it.
    agent_run_id: Option<Uuid>,
    /// What the judges among the scorers said, in their order.
    judgements: Vec<Judgement>,
}

/// What a judge said of the output for one case.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Judgement {
    /// The scorer's name.
    scorer: String,
    /// From 0 to 1; absent where the judge gave none.
    score: Option<f64>,
    /// Why, in the model's words; or why there is no score.
    reason: Option<String>,
    /// The model that judged, as its provider says; absent where none answered.
    model: Option<String>,
    /// The provider that answered; absent where none did, or the gateway had the answer.
    provider: Option<String>,
    /// The call by which it was asked; absent where none is recorded.
    call_id: Option<Uuid>,
}

impl From<&domain::Judgement> for Judgement {
    fn from(said: &domain::Judgement) -> Self {
        Self {
            scorer: said.scorer.clone(),
            score: said.score,
            reason: said.reason.clone(),
            model: said.model.clone(),
            provider: said.provider.clone(),
            call_id: said.call.map(|call| call.0),
        }
    }
}

impl From<&domain::CaseScores> for CaseScores {
    fn from(case: &domain::CaseScores) -> Self {
        let (execution_id, agent_run_id) = match case.run {
            Some(CaseRun::Execution { execution }) => (Some(execution.0), None),
            Some(CaseRun::AgentRun { run }) => (None, Some(run.0)),
            None => (None, None),
        };
        let judgements = case.judgements.iter().map(Into::into).collect();
        Self { case_id: case.case.clone(), scores: case.scores.clone(), execution_id, agent_run_id, judgements }
    }
}

/// One case that is not perfect.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ScoredCase {
    /// The case.
    case_id: String,
    /// Why it came to no output.
    failure: Option<String>,
    /// What the scorers say that do not give 1.
    verdicts: Vec<ScoreVerdict>,
}

/// What one scorer says of a case.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ScoreVerdict {
    /// Its name.
    scorer: String,
    /// From 0 to 1; absent where it had nothing to judge.
    score: Option<f64>,
    /// Why.
    reason: Option<String>,
}

impl From<&ToldCase> for ScoredCase {
    fn from(told: &ToldCase) -> Self {
        let verdict = |verdict: &domain::ScoreVerdict| ScoreVerdict {
            scorer: verdict.scorer.clone(),
            score: verdict.score,
            reason: verdict.reason.clone(),
        };
        let verdicts = told.verdicts.iter().map(verdict).collect();
        Self { case_id: told.case.clone(), failure: told.failure.clone(), verdicts }
    }
}

/// Two evaluations of one version of a set, side by side.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EvaluationComparison {
    /// The first one.
    pub(super) before: Evaluation,
    /// The second one.
    pub(super) after: Evaluation,
    /// By each scorer that both have with the same settings.
    pub(super) scorers: Vec<ScorerComparison>,
}

/// Two evaluations side by side by one scorer. Only cases count that have a score in both.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ScorerComparison {
    /// The scorer's name.
    name: String,
    /// Cases that have a score in both.
    cases: u32,
    /// The mean score of the first one.
    before: Option<f64>,
    /// The mean score of the second one.
    after: Option<f64>,
    /// By how much the second mean is higher.
    difference: Option<f64>,
    /// Cases whose score is higher in the second one.
    wins: u32,
    /// Cases whose score is lower in the second one.
    losses: u32,
    /// Cases whose score is the same.
    ties: u32,
    /// How likely it is by chance alone that wins and losses are so far from even, or further: the two-sided sign test,
    /// without ties.
    p_value: f64,
    /// The cases that got worse, those that lost most first: at most a hundred.
    worse: Vec<WorseCase>,
}

/// A case that got worse.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct WorseCase {
    /// The case.
    case_id: String,
    /// Its score in the first evaluation.
    before: f64,
    /// Its score in the second one.
    after: f64,
}

impl From<Compared> for ScorerComparison {
    fn from(compared: Compared) -> Self {
        let worse = compared.worse.into_iter();
        Self {
            name: compared.name,
            cases: compared.cases,
            before: compared.before,
            after: compared.after,
            difference: compared.before.zip(compared.after).map(|(before, after)| after - before),
            wins: compared.wins,
            losses: compared.losses,
            ties: compared.ties,
            p_value: compared.p_value,
            worse: worse.map(|case| WorseCase { case_id: case.case, before: case.before, after: case.after }).collect(),
        }
    }
}
