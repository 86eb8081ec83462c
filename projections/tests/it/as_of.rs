//! Any moment can be looked at again: an answer as of a position is the answer that was given then.

use std::time::Duration;

use proptest::prelude::*;
use timeloom_domain::access::Role;
use timeloom_domain::account::AccountKind;
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionStatus, TriggerKind};
use timeloom_domain::ids::TenantId;
use timeloom_projections::{
    AccountFilter, ApiKeyFilter, AsOf, ExecutionFilter, Page, ProjectionError, ReadModels, SavedFact, SessionFilter,
    WorkflowFilter,
};

use crate::places::Place;
use crate::world::{
    TENANT, Told, World, account_id, caught_up, chances, credential_id, execution_id, log_of, position, session_id,
    slug, start, told, workflow_id,
};

const STATUSES: [ExecutionStatus; 6] = [
    ExecutionStatus::Running,
    ExecutionStatus::Paused,
    ExecutionStatus::Waiting,
    ExecutionStatus::Completed,
    ExecutionStatus::Failed,
    ExecutionStatus::Cancelled,
];

/// The filter narrowed by everything else by which lists are narrowed.
fn narrowed(filter: ExecutionFilter) -> [ExecutionFilter; 5] {
    let saved = Some(SavedFact { name: "order".to_owned(), value: "1".to_owned() });
    [
        ExecutionFilter { unresolved: Some(true), ..filter.clone() },
        ExecutionFilter { unresolved: Some(false), ..filter.clone() },
        ExecutionFilter { trigger: Some(TriggerKind::Webhook), ..filter.clone() },
        ExecutionFilter { saved: saved.clone(), ..filter.clone() },
        ExecutionFilter { unresolved: Some(true), trigger: Some(TriggerKind::Webhook), saved, ..filter },
    ]
}

/// Every answer there is, in words.
async fn answers(models: &ReadModels, as_of: AsOf, executions: usize) -> Vec<String> {
    let mut answers = Vec::new();
    let all = Page::first(100);
    for archived in [None, Some(true), Some(false)] {
        let filter = WorkflowFilter { archived, ..WorkflowFilter::default() };
        answers.push(format!("{:?}", models.workflows(TENANT, as_of, &all, &filter).await.unwrap()));
    }
    answers.push(format!("{:?}", models.plugins(TENANT, as_of, &all).await.unwrap()));
    answers.push(format!("{:?}", models.models(TENANT, as_of, &all).await.unwrap()));
    answers.push(format!("{:?}", models.credentials(TENANT, as_of, &all).await.unwrap()));
    for number in 0..3 {
        answers.push(format!("{:?}", models.credential(TENANT, credential_id(number), as_of).await.unwrap()));
        answers.push(format!("{:?}", models.workflow(TENANT, workflow_id(number), as_of).await.unwrap()));
        answers.push(format!("{:?}", models.plugin(TENANT, &slug(number), as_of).await.unwrap()));
        answers.push(format!("{:?}", models.model(TENANT, &slug(number), as_of).await.unwrap()));
    }
    for workflow in [None, Some(0), Some(1), Some(2)] {
        for status in STATUSES.map(Some).into_iter().chain([None]) {
            let filter = ExecutionFilter { workflow_id: workflow.map(workflow_id), status, ..Default::default() };
            for first in [2, 100] {
                let page = models.executions(TENANT, as_of, &Page::first(first), &filter).await.unwrap();
                answers.push(format!("{filter:?} {first}: {page:?}"));
            }
            for filter in narrowed(filter) {
                let page = models.executions(TENANT, as_of, &Page::first(3), &filter).await.unwrap();
                answers.push(format!("{filter:?}: {page:?}"));
            }
        }
    }
    answers.extend(answers_about_access(models, as_of).await);
    for number in 0..executions {
        answers.push(format!("{:?}", models.execution(TENANT, execution_id(number), as_of).await.unwrap()));
        answers.push(format!("{:?}", models.node_runs(TENANT, execution_id(number), as_of).await.unwrap()));
    }
    answers
}

/// The same about who has access.
async fn answers_about_access(models: &ReadModels, as_of: AsOf) -> Vec<String> {
    let mut answers = Vec::new();
    let (all, some) = (Page::first(100), Page::first(2));
    let roles = Role::EACH.iter().map(|role| AccountFilter { role: Some(*role), ..AccountFilter::default() });
    let kinds = [AccountKind::User, AccountKind::Service, AccountKind::Agent];
    let kinds = kinds.map(|kind| AccountFilter { kind: Some(kind), disabled: Some(false), role: None });
    for filter in roles.chain(kinds).chain([AccountFilter::default()]) {
        answers.push(format!("{filter:?}: {:?}", models.accounts(TENANT, as_of, &some, filter).await.unwrap()));
    }
    for lets_in in [None, Some((true, 9_999)), Some((true, 3_601_001)), Some((false, 10_000))] {
        let each = (0..4).map(account_id).map(|id| (all, Some(id))).chain([(some, None)]);
        let keys: Vec<_> = each.clone().map(|(page, account)| (page, ApiKeyFilter { account, lets_in })).collect();
        answers.push(format!("{:?}", models.api_key_pages(TENANT, as_of, &keys).await.unwrap()));
        let sessions: Vec<_> = each.map(|(page, account)| (page, SessionFilter { account, lets_in })).collect();
        answers.push(format!("{:?}", models.session_pages(TENANT, as_of, &sessions).await.unwrap()));
    }
    answers.push(format!("{:?}", models.tenants(as_of, &all).await.unwrap()));
    let accounts: Vec<_> = (0..4).map(account_id).collect();
    answers.push(format!("{:?}", models.accounts_by_id(TENANT, &accounts, as_of).await.unwrap()));
    let keys: Vec<_> = accounts.iter().flat_map(|id| (0..3).map(|key| (*id, format!("k{key}")))).collect();
    answers.push(format!("{:?}", models.api_keys_by_id(TENANT, &keys, as_of).await.unwrap()));
    let sessions: Vec<_> = (0..3).map(session_id).collect();
    answers.push(format!("{:?}", models.sessions_by_id(TENANT, &sessions, as_of).await.unwrap()));
    for number in 0..3 {
        answers.push(format!("{:?}", models.tenant_row(TenantId(number), as_of).await.unwrap()));
    }
    answers
}

/// The statuses and node runs of executions as their aggregates tell them.
async fn check_against_aggregates(models: &ReadModels, story: &[Told], executions: usize) {
    let mut aggregates: Vec<Execution> = (0..executions).map(|_| Execution::default()).collect();
    for told in story {
        let Some(number) = (0..executions).find(|number| *told.stream.id == *execution_id(*number).to_string()) else {
            continue;
        };
        let event: ExecutionEvent = serde_json::from_str(told.event.payload.get()).unwrap();
        aggregates[number].apply(&event);
    }
    let as_of = Some(position(story.len()));
    for (number, aggregate) in aggregates.iter().enumerate() {
        let row = models.execution(TENANT, execution_id(number), as_of).await.unwrap();
        let status = row.as_ref().map_or(ExecutionStatus::New, |row| row.status);
        assert_eq!(status, aggregate.status);
        if let Some(row) = row {
            let waiting = aggregate.waiting.as_ref().map(|wait| (Some(wait.node.clone()), wait.until_ms));
            assert_eq!((row.waiting_node, row.waiting_until_ms), waiting.unwrap_or_default());
            assert_eq!((&row.paused, &row.saved_data), (&aggregate.paused, &aggregate.data));
            assert_eq!((row.retried_as, &row.dismissed), (aggregate.retried_as.last().copied(), &aggregate.dismissed));
        }
        let runs = models.node_runs(TENANT, execution_id(number), as_of).await.unwrap();
        assert_eq!(runs.len(), aggregate.node_runs.len());
        for (row, run) in runs.iter().zip(&aggregate.node_runs) {
            let counts = run.outputs.as_ref().map(|outputs| outputs.iter().map(|items| items.len() as u64).collect());
            assert_eq!((row.status, row.attempts, row.pinned), (run.status, run.attempts, run.pinned));
            assert_eq!(
                (row.started_at_ms, row.duration_us, &row.item_counts),
                (run.started_at_ms, run.duration_us, &counts)
            );
            assert_eq!(row.error.is_some(), run.error.is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_answer_as_of_a_position_is_the_answer_given_then(chances in chances(160), cuts in prop::collection::vec(any::<prop::sample::Index>(), 3)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::default();
            for chance in chances {
                world.happen(chance);
            }
            let (story, executions) = (world.story, world.executions.len());
            let (folder, database) = (Place::folder(), Place::postgres().await);
            let log = log_of(&story).await;
            let whole = [caught_up(folder.store(), &log).await, caught_up(database.store(), &log).await];
            for cut in cuts {
                let cut = cut.index(story.len() + 1);
                let folder = tempfile::tempdir().unwrap();
                let then = caught_up(folder.path(), &log_of(&story[..cut]).await).await;
                let given_then = answers(&then, None, executions).await;
                for whole in &whole {
                    assert_eq!(answers(whole, Some(position(cut)), executions).await, given_then);
                    check_against_aggregates(whole, &story[..cut], executions).await;
                }
                then.close().await.unwrap();
            }
            for whole in whole {
                whole.close().await.unwrap();
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_not_reached_is_waited_for_and_then_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(&[told(execution_id(0), &start(0))]).await;
    let models = caught_up(folder.path(), &log).await;
    let asked = models.execution(TENANT, execution_id(0), Some(position(2)));
    let appended = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        crate::world::tell(&log, &[told(execution_id(0), &ExecutionEvent::ExecutionCompleted { at_ms: 5 })]).await;
    };
    let (row, ()) = tokio::join!(asked, appended);
    assert_eq!(row.unwrap().unwrap().status, ExecutionStatus::Completed);

    let refused = models.execution(TENANT, execution_id(0), Some(position(3))).await.unwrap_err();
    let ProjectionError::Behind(behind) = refused else { panic!("{refused}") };
    assert_eq!((behind.reached, behind.wanted), (position(2), position(3)));
}
