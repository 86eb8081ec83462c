//! The event feed: the log's own events, page by page, both ways.

use std::sync::Arc;

use timeloom_domain::ids::TenantId;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_projections::{FeedFilter, FeedOrder, Page, PageOf, ReadModels};
use timeloom_store::{EventLog, RecordedEvent};

use crate::world::{TENANT, completed, definition, execution_id, log_of, position, start, told, told_by, workflow_id};

fn positions(page: &PageOf<Arc<RecordedEvent>>) -> Vec<u64> {
    page.rows.iter().map(|event| event.position.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_paged_both_ways_by_category_type_and_stream() {
    let created = WorkflowEvent::WorkflowCreated { definition: definition("w", 1) };
    let log = log_of(&[
        told(workflow_id(0), &created),
        told(execution_id(0), &start(0)),
        told_by(TenantId(9), execution_id(7), &start(0)),
        told(execution_id(0), &completed(0, &[1])),
        told(execution_id(1), &start(0)),
        told(execution_id(1), &completed(0, &[1])),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let models = ReadModels::open(folder.path(), log as Arc<dyn EventLog>).unwrap();
    let ask = async |as_of: Option<usize>, page, filter: &FeedFilter, order| {
        models.events(TENANT, as_of.map(position), &page, filter.clone(), order).await.unwrap()
    };
    let (all, newest, oldest) = (FeedFilter::default(), FeedOrder::NewestFirst, FeedOrder::OldestFirst);

    let first = ask(None, Page::first(2), &all, newest).await;
    assert_eq!((positions(&first), first.has_next), (vec![6, 5], true));
    let rest = ask(None, Page::after(9, first.end_cursor.unwrap()), &all, newest).await;
    assert_eq!((positions(&rest), rest.has_next), (vec![4, 2, 1], false));
    let first = ask(Some(4), Page::first(2), &all, oldest).await;
    assert_eq!((positions(&first), first.has_next), (vec![1, 2], true));
    let rest = ask(Some(4), Page::after(2, first.end_cursor.unwrap()), &all, oldest).await;
    assert_eq!((positions(&rest), rest.has_next), (vec![4], false));

    let category = FeedFilter { categories: vec!["workflow".into()], ..all.clone() };
    assert_eq!(positions(&ask(None, Page::first(9), &category, newest).await), [1]);
    let event_type = FeedFilter { event_types: vec!["NodeCompleted".into()], ..all.clone() };
    assert_eq!(positions(&ask(Some(5), Page::first(9), &event_type, newest).await), [4]);
    let stream = (Arc::from("execution"), Arc::from(execution_id(1).to_string()));
    let stream = FeedFilter { stream: Some(stream), ..all };
    assert_eq!(positions(&ask(None, Page::first(9), &stream, oldest).await), [5, 6]);

    let event = async |at| models.event(TENANT, position(at)).await.unwrap();
    assert_eq!(event(4).await.unwrap().event_type.as_ref(), "NodeCompleted");
    assert_eq!((event(3).await, event(7).await), (None, None));
}
