//! Pages: newest first, each row once, whatever comes in between them.

use timeloom_domain::execution::{ExecutionEvent, ExecutionStatus};
use timeloom_domain::ids::ExecutionId;
use timeloom_projections::{AsOf, Cursor, ExecutionFilter, Page, ReadModels};

use crate::places::Place;
use crate::world::{TENANT, Told, caught_up, execution_id, log_of, position, reach, start, tell, told, workflow_id};
use timeloom_store::EventLog;

fn started(numbers: std::ops::Range<usize>) -> Vec<Told> {
    numbers.map(|number| told(execution_id(number), &start(number % 2))).collect()
}

async fn walk(models: &ReadModels, as_of: AsOf, filter: ExecutionFilter, mut page: Page) -> Vec<ExecutionId> {
    let mut ids = Vec::new();
    loop {
        let found = models.executions(TENANT, as_of, &page, &filter).await.unwrap();
        ids.extend(found.rows.iter().map(|row| row.id));
        if !found.has_next {
            return ids;
        }
        page.after = found.end_cursor;
    }
}

/// The same list, walked from its end.
async fn walk_back(models: &ReadModels, as_of: AsOf, filter: &ExecutionFilter, size: usize) -> Vec<ExecutionId> {
    let (mut ids, mut page) = (Vec::new(), Page::last(size));
    loop {
        let found = models.executions(TENANT, as_of, &page, filter).await.unwrap();
        assert_eq!(found.has_next, page.before.is_some());
        ids.splice(0..0, found.rows.iter().map(|row| row.id));
        if !found.has_previous {
            return ids;
        }
        page.before = found.rows.first().map(|row| Cursor(row.created_position));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_stays_where_it_is_while_executions_come_and_end() {
    for place in Place::both().await {
        let log = log_of(&started(0..25)).await;
        let models = caught_up(place.store(), &log).await;
        let first = models.executions(TENANT, None, &Page::first(10), &ExecutionFilter::default()).await.unwrap();
        assert!(first.has_next);

        tell(&log, &started(25..40)).await;
        let ended = (0..25).map(|number| told(execution_id(number), &ExecutionEvent::ExecutionCompleted { at_ms: 9 }));
        tell(&log, &ended.collect::<Vec<_>>()).await;
        reach(&models, log.head()).await;

        let cursor = first.end_cursor.unwrap().to_string().parse().unwrap();
        let mut ids: Vec<ExecutionId> = first.rows.iter().map(|row| row.id).collect();
        ids.extend(walk(&models, None, ExecutionFilter::default(), Page::after(4, cursor)).await);
        assert_eq!(ids, (0..25).rev().map(execution_id).collect::<Vec<_>>());
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_moments_go_together_page_by_page() {
    for place in Place::both().await {
        let log = log_of(&started(0..30)).await;
        let before = position(30);
        let ended = (0..30).filter(|number| number % 3 == 0);
        let ended = ended.map(|number| told(execution_id(number), &ExecutionEvent::ExecutionCompleted { at_ms: 9 }));
        tell(&log, &ended.collect::<Vec<_>>()).await;
        let models = caught_up(place.store(), &log).await;
        let ids = |keep: &dyn Fn(&usize) -> bool| (0..30).rev().filter(keep).map(execution_id).collect::<Vec<_>>();
        let (workflow_id, none) = (Some(workflow_id(1)), ExecutionFilter::default());
        let running = ExecutionFilter { status: Some(ExecutionStatus::Running), ..none.clone() };
        let completed = ExecutionFilter { status: Some(ExecutionStatus::Completed), ..none.clone() };

        for first in [1, 7, 100] {
            let walk = async |as_of, filter: &ExecutionFilter| {
                let ids = walk(&models, as_of, filter.clone(), Page::first(first)).await;
                assert_eq!(walk_back(&models, as_of, filter, first).await, ids, "from the end");
                ids
            };
            assert_eq!(walk(None, &none).await, ids(&|_| true));
            assert_eq!(walk(None, &running).await, ids(&|number| number % 3 != 0));
            assert_eq!(walk(Some(before), &running).await, ids(&|_| true));
            assert_eq!(walk(None, &completed).await, ids(&|number| number % 3 == 0));
            assert_eq!(walk(Some(before), &completed).await, []);
            // Positions 31 to 33 ended the executions 0, 3 and 6.
            assert_eq!(walk(Some(position(33)), &completed).await, ids(&|number| [0, 3, 6].contains(number)));
            let odd = ExecutionFilter { workflow_id, ..running.clone() };
            assert_eq!(walk(Some(position(33)), &odd).await, ids(&|number| number % 2 == 1 && *number != 3));
            assert_eq!(
                walk(None, &ExecutionFilter { workflow_id, ..none.clone() }).await,
                ids(&|number| number % 2 == 1)
            );
            assert_eq!(walk(Some(position(10)), &none).await, ids(&|number| *number < 10));
        }
        models.close().await.unwrap();
    }
}
