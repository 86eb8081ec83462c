//! Collections of vectors: what comes in, what is refused, what is found.

use std::sync::Arc;

use timeloom_domain::event::Aggregate as _;
use timeloom_domain::item::JsonObject;
use timeloom_domain::vectors::{ROWS_MAX, VectorCollection, VectorCommand, VectorRefusal, VectorRow};

fn row(id: &str, vector: &[f32]) -> Arc<VectorRow> {
    let (text, metadata) = (format!("text of {id}"), JsonObject::new());
    Arc::new(VectorRow { id: Arc::from(id), text, metadata, vector: vector.to_vec() })
}

fn add(rows: Vec<Arc<VectorRow>>) -> VectorCommand {
    VectorCommand::Add { collection: Arc::from("c"), by: Arc::from("run-1"), rows, clears: false }
}

fn carried_out(collection: &mut VectorCollection, command: &VectorCommand) -> Result<usize, VectorRefusal> {
    let events = collection.decide(command)?;
    events.iter().for_each(|event| collection.apply(event));
    Ok(events.len())
}

#[test]
fn the_nearest_come_first_and_a_row_of_the_same_name_takes_the_place() {
    let mut collection = VectorCollection::default();
    let rows = vec![row("b", &[1.0, 0.0]), row("a", &[2.0, 0.0]), row("c", &[0.0, 1.0])];
    assert_eq!(carried_out(&mut collection, &add(rows.clone())), Ok(1));
    assert_eq!(carried_out(&mut collection, &add(rows)), Ok(0), "they are there already");
    let ids = |collection: &VectorCollection, query: &[f32]| -> Vec<String> {
        collection.nearest(query, 2).unwrap().iter().map(|(row, _)| row.id.to_string()).collect()
    };
    assert_eq!(ids(&collection, &[5.0, 0.0]), ["a", "b"], "equally near ones by their names");
    assert_eq!(carried_out(&mut collection, &add(vec![row("a", &[0.0, 3.0])])), Ok(1));
    assert_eq!(ids(&collection, &[0.0, 1.0]), ["a", "c"]);
    let remove = VectorCommand::Remove { by: Arc::from("run-2"), ids: vec![Arc::from("a"), Arc::from("nobody")] };
    assert_eq!((carried_out(&mut collection, &remove), carried_out(&mut collection, &remove)), (Ok(1), Ok(0)));
    let clear = VectorCommand::Clear { by: Arc::from("run-3") };
    assert_eq!((carried_out(&mut collection, &clear), carried_out(&mut collection, &clear)), (Ok(1), Ok(0)));
    assert!(collection.nearest(&[1.0, 0.0], 2).unwrap().is_empty());
}

#[test]
fn vectors_of_other_lengths_and_too_many_are_refused() {
    let mut collection = VectorCollection::default();
    carried_out(&mut collection, &add(vec![row("a", &[1.0, 0.0])])).unwrap();
    let refused = |rows| add_refused(&collection, rows);
    assert!(matches!(refused(vec![row("b", &[1.0])]), VectorRefusal::OtherLength { found: 1, wanted: 2, .. }));
    assert!(matches!(refused(vec![row("b", &[])]), VectorRefusal::NoVector(_)));
    assert!(matches!(refused(vec![row("b", &[f32::NAN, 0.0])]), VectorRefusal::NoVector(_)));
    let many = (0..ROWS_MAX).map(|number| row(&number.to_string(), &[0.0, 1.0])).collect();
    assert_eq!(refused(many), VectorRefusal::TooManyRows(ROWS_MAX + 1));
}

fn add_refused(collection: &VectorCollection, rows: Vec<Arc<VectorRow>>) -> VectorRefusal {
    collection.decide(&add(rows)).unwrap_err()
}

#[test]
fn a_clearing_is_one_event_with_the_rows_after_it_even_where_nothing_was_there() {
    let clearing = |rows| VectorCommand::Add { collection: Arc::from("c"), by: Arc::from("run-1"), rows, clears: true };
    let mut collection = VectorCollection::default();
    let first = clearing(vec![row("a", &[1.0, 0.0])]);
    assert_eq!(carried_out(&mut collection, &first), Ok(1));
    assert_eq!(
        collection.decide(&first).unwrap().len(),
        1,
        "it is always written down, so that it is known when repeated"
    );
    assert_eq!(carried_out(&mut collection, &clearing(vec![row("b", &[1.0])])), Ok(1), "vectors of another length");
    assert_eq!(collection.rows.keys().map(|id| &**id).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_query_of_another_length_is_refused_and_finds_nothing_by_chance() {
    let mut collection = VectorCollection::default();
    carried_out(&mut collection, &add(vec![row("a", &[1.0, 0.0])])).unwrap();
    let refused = collection.nearest(&[1.0, 0.0, 0.0], 1).unwrap_err();
    assert!(matches!(refused, VectorRefusal::OtherLength { found: 3, wanted: 2, .. }), "{refused}");
}
