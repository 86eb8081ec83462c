//! Data tables: what is decided about them and their rows, and what is refused.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::data_table::{
    COLUMNS_MAX, ColumnType, DataColumn, DataTable, DataTableCommand, DataTableRefusal, DataTables, ROWS_MAX,
    ROWS_TOGETHER_MAX, RowFilter, RowQuestion, RowsCommand, TABLES_MAX, TableRows, TableRowsEvent, TableRowsRefusal,
};
use timeloom_domain::event::Aggregate;
use timeloom_domain::ids::DataTableId;
use timeloom_domain::item::JsonObject;
use uuid::Uuid;

fn id(number: u128) -> DataTableId {
    DataTableId(Uuid::from_u128(number))
}

fn column(name: &str, column_type: ColumnType) -> DataColumn {
    DataColumn { name: Arc::from(name), column_type }
}

fn create(number: u128, name: &str) -> DataTableCommand {
    let columns = vec![column("name", ColumnType::String), column("orders", ColumnType::Number)];
    DataTableCommand::Create { table: id(number), name: Arc::from(name), columns, at_ms: 1 }
}

fn carried_out<A: Aggregate>(state: &mut A, command: &A::Command) -> Result<usize, A::Refusal> {
    let events = state.decide(command)?;
    events.iter().for_each(|event| state.apply(event));
    Ok(events.len())
}

fn customers() -> Arc<DataTable> {
    let mut tables = DataTables::default();
    carried_out(&mut tables, &create(1, "Customers")).unwrap();
    Arc::clone(tables.named("Customers").unwrap())
}

fn cells(value: Value) -> Arc<JsonObject> {
    Arc::new(customers().cells(value.as_object().unwrap()).unwrap())
}

fn insert(rows: Vec<Arc<JsonObject>>) -> RowsCommand {
    RowsCommand::Insert { by: None, rows, at_ms: 5 }
}

fn named(name: &str) -> RowFilter {
    RowFilter { all: true, conditions: vec![customers().condition("name", "eq", &json!(name)).unwrap()] }
}

#[test]
fn a_name_belongs_to_one_table_until_that_is_renamed_or_deleted() {
    let mut tables = DataTables::default();
    assert_eq!(carried_out(&mut tables, &create(1, "Customers")), Ok(1));
    assert_eq!(carried_out(&mut tables, &create(1, "Customers")), Ok(0), "it is there already");
    let taken = Err(DataTableRefusal::NameTaken(Arc::from("Customers")));
    assert_eq!(carried_out(&mut tables, &create(2, "Customers")), taken);
    let rename = DataTableCommand::Rename { table: id(1), name: Arc::from("Clients"), at_ms: 2 };
    assert_eq!((carried_out(&mut tables, &rename), carried_out(&mut tables, &rename)), (Ok(1), Ok(0)));
    assert_eq!(carried_out(&mut tables, &create(2, "Customers")), Ok(1));
    let delete = DataTableCommand::Delete { table: id(1), at_ms: 3 };
    assert_eq!((carried_out(&mut tables, &delete), carried_out(&mut tables, &delete)), (Ok(1), Ok(0)));
    assert_eq!(carried_out(&mut tables, &rename), Err(DataTableRefusal::NotFound));
    assert_eq!(&*tables.find(&id(2).to_string()).unwrap().name, "Customers");
    assert!(tables.find("Clients").is_none());
}

#[test]
fn tables_without_columns_or_with_wrong_names_and_too_many_are_refused() {
    let mut tables = DataTables::default();
    let with = |name: &str, columns: Vec<DataColumn>| {
        let command = DataTableCommand::Create { table: id(9), name: Arc::from(name), columns, at_ms: 1 };
        DataTables::default().decide(&command).unwrap_err()
    };
    let one = || vec![column("a", ColumnType::String)];
    for name in ["", " padded", &"x".repeat(129)] {
        assert_eq!(with(name, one()), DataTableRefusal::InvalidName, "{name:?}");
    }
    assert_eq!(with("t", Vec::new()), DataTableRefusal::WrongCount(0));
    assert_eq!(with("t", [one(), one()].concat()), DataTableRefusal::TwiceTheColumn(Arc::from("a")));
    let system = vec![column("createdAt", ColumnType::Date)];
    assert_eq!(with("t", system), DataTableRefusal::InvalidColumn("createdAt".to_owned()));
    for number in 0..TABLES_MAX {
        carried_out(&mut tables, &create(number as u128, &format!("table {number}"))).unwrap();
    }
    assert_eq!(carried_out(&mut tables, &create(999, "one more")), Err(DataTableRefusal::TooManyTables));
}

#[test]
fn an_id_is_never_given_twice_though_rows_go_or_are_erased() {
    let mut rows = TableRows::default();
    carried_out(&mut rows, &insert(vec![cells(json!({"name": "Ada"})), cells(json!({"name": "Bob"}))])).unwrap();
    let delete = RowsCommand::Delete { by: None, filter: Some(named("Bob")), at_ms: 6 };
    assert_eq!((carried_out(&mut rows, &delete), carried_out(&mut rows, &delete)), (Ok(1), Ok(0)));
    let erased = TableRowsEvent::TableRowsInserted { by: None, first_id: 3, count: 4, rows: Vec::new(), at_ms: 7 };
    rows.apply(&erased);
    carried_out(&mut rows, &insert(vec![cells(json!({"name": "Eve"}))])).unwrap();
    assert_eq!(rows.rows.keys().copied().collect::<Vec<_>>(), [1, 7]);
    rows.apply(&TableRowsEvent::TableRowsUpdated { by: None, ids: vec![4], cells: JsonObject::new(), at_ms: 8 });
    assert_eq!(rows.rows.len(), 2, "what was erased does not come back");
}

#[test]
fn an_update_writes_all_rows_that_are_meant_in_one_event_or_inserts() {
    let mut rows = TableRows::default();
    let three =
        [("Ada", 1), ("Ada", 2), ("Bob", 3)].map(|(name, orders)| cells(json!({"name": name, "orders": orders})));
    carried_out(&mut rows, &insert(three.into())).unwrap();
    let update = |name: &str, or_insert: bool| {
        let cells = JsonObject::clone(&cells(json!({"name": name, "orders": null})));
        RowsCommand::Update { by: None, filter: named(name), cells, or_insert, at_ms: 9 }
    };
    assert_eq!(carried_out(&mut rows, &update("Ada", false)), Ok(1));
    assert!(!rows.rows[&1].cells.contains_key("orders"), "null empties a cell");
    assert_eq!((rows.rows[&2].updated_at_ms, rows.rows[&2].created_at_ms, rows.rows[&3].updated_at_ms), (9, 5, 5));
    assert_eq!(carried_out(&mut rows, &update("Nobody", false)), Ok(0));
    assert_eq!(carried_out(&mut rows, &update("Eve", true)), Ok(1));
    let (found, count) = rows.select(&RowQuestion { filter: named("Eve"), limit: 9, ..RowQuestion::default() });
    assert_eq!((found[0].id, count), (4, 1));
    let everything = RowsCommand::Update {
        by: None,
        filter: RowFilter::default(),
        cells: JsonObject::new(),
        or_insert: false,
        at_ms: 9,
    };
    assert_eq!(carried_out(&mut rows, &everything), Err(TableRowsRefusal::NoCondition));
    assert_eq!(carried_out(&mut rows, &RowsCommand::Delete { by: None, filter: None, at_ms: 9 }), Ok(1));
    assert_eq!((rows.rows.len(), rows.bytes), (0, 0));
}

#[test]
fn too_many_rows_are_refused_at_once_and_in_all() {
    let mut rows = TableRows::default();
    let part = || vec![cells(json!({"name": "n"})); ROWS_TOGETHER_MAX];
    let more = [part(), vec![cells(json!({"name": "n"}))]].concat();
    let too_many = TableRowsRefusal::TooManyTogether(ROWS_TOGETHER_MAX + 1);
    assert_eq!(carried_out(&mut rows, &insert(more)), Err(too_many));
    for _ in 0..ROWS_MAX / ROWS_TOGETHER_MAX {
        carried_out(&mut rows, &insert(part())).unwrap();
    }
    let one_more = insert(vec![cells(json!({}))]);
    assert_eq!(carried_out(&mut rows, &one_more), Err(TableRowsRefusal::TooManyRows(ROWS_MAX + 1)));
}

#[test]
fn what_a_table_cannot_hold_or_compare_is_refused() {
    let table = customers();
    let refused = |value: Value| table.cells(value.as_object().unwrap()).unwrap_err();
    assert!(matches!(refused(json!({"nickname": 1})), DataTableRefusal::UnknownColumn { .. }));
    assert!(matches!(refused(json!({"id": 1})), DataTableRefusal::UnknownColumn { .. }), "nobody writes it");
    assert!(matches!(refused(json!({"orders": "many"})), DataTableRefusal::WrongValue { .. }));
    assert!(matches!(refused(json!({"name": "x".repeat(300_000)})), DataTableRefusal::CellTooLarge(_)));
    let condition = |column: &str, word: &str, value: Value| table.condition(column, word, &value).unwrap_err();
    assert!(matches!(condition("orders", "like", json!("1")), DataTableRefusal::NotText(_)));
    assert!(matches!(condition("orders", "gt", json!(null)), DataTableRefusal::NoValue { .. }));
    assert!(matches!(condition("orders", "about", json!(1)), DataTableRefusal::UnknownCondition { .. }));
    assert!(table.condition("createdAt", "gt", &json!("2026-01-01")).is_ok());
    assert!(table.order("nickname", false).is_err());
}

fn add_column(name: &str, column_type: ColumnType) -> DataTableCommand {
    DataTableCommand::AddColumn { table: id(1), column: column(name, column_type), at_ms: 20 }
}

fn rename_column(column: &str, name: &str) -> DataTableCommand {
    DataTableCommand::RenameColumn { table: id(1), column: Arc::from(column), name: Arc::from(name), at_ms: 21 }
}

fn remove_column(column: &str) -> DataTableCommand {
    DataTableCommand::RemoveColumn { table: id(1), column: Arc::from(column), at_ms: 22 }
}

/// The table after some commands, and one of its rows as it is shown without what every row has.
fn shown(tables: &DataTables, rows: &TableRows, row: u64) -> Value {
    Value::Object(tables.tables[&id(1)].shown_cells(&rows.rows[&row]))
}

#[test]
fn a_column_that_was_added_is_empty_in_old_rows_and_holds_what_new_ones_have() {
    let (mut tables, mut rows) = (DataTables::default(), TableRows::default());
    carried_out(&mut tables, &create(1, "Customers")).unwrap();
    carried_out(&mut rows, &insert(vec![cells(json!({"name": "Ada", "orders": 1}))])).unwrap();
    assert_eq!(carried_out(&mut tables, &add_column("score", ColumnType::Number)), Ok(1));
    let table = Arc::clone(&tables.tables[&id(1)]);
    assert_eq!(table.updated_at_ms, 20);
    assert_eq!(shown(&tables, &rows, 1), json!({"name": "Ada", "orders": 1, "score": null}));
    let bob = table.cells(json!({"name": "Bob", "score": "7.5"}).as_object().unwrap()).unwrap();
    carried_out(&mut rows, &insert(vec![Arc::new(bob)])).unwrap();
    assert_eq!(shown(&tables, &rows, 2), json!({"name": "Bob", "orders": null, "score": 7.5}));
    let found = |word: &str, value: Value| {
        let filter = RowFilter { all: true, conditions: vec![table.condition("score", word, &value).unwrap()] };
        rows.matching(&filter).map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!((found("gte", json!(7)), found("isEmpty", json!(null))), (vec![2], vec![1]));
    let order = table.order("score", false).unwrap();
    let question = RowQuestion { order: Some(order), limit: 9, ..RowQuestion::default() };
    let ids: Vec<u64> = rows.select(&question).0.iter().map(|row| row.id).collect();
    assert_eq!(ids, [2, 1], "empty cells come last");
}

#[test]
fn a_column_keeps_what_is_in_it_when_it_is_renamed_whatever_another_one_is_called_then() {
    let (mut tables, mut rows) = (DataTables::default(), TableRows::default());
    carried_out(&mut tables, &create(1, "Customers")).unwrap();
    carried_out(&mut rows, &insert(vec![cells(json!({"name": "Ada", "orders": 1}))])).unwrap();
    for command in [
        rename_column("orders", "count"),
        add_column("orders", ColumnType::String),
        rename_column("name", "who"),
        rename_column("count", "name"),
    ] {
        assert_eq!(carried_out(&mut tables, &command), Ok(1), "{command:?}");
    }
    assert_eq!(shown(&tables, &rows, 1), json!({"who": "Ada", "name": 1, "orders": null}));
    carried_out(&mut tables, &rename_column("orders", "note")).unwrap();
    carried_out(&mut tables, &rename_column("name", "orders")).unwrap();
    assert_eq!(shown(&tables, &rows, 1), json!({"who": "Ada", "orders": 1, "note": null}), "it has its own name again");
    assert_eq!(carried_out(&mut tables, &rename_column("who", "who")), Ok(0), "it is called that already");
}

#[test]
fn what_was_in_a_column_that_was_removed_does_not_come_back_with_one_of_its_name() {
    let (mut tables, mut rows) = (DataTables::default(), TableRows::default());
    carried_out(&mut tables, &create(1, "Customers")).unwrap();
    carried_out(&mut rows, &insert(vec![cells(json!({"name": "Ada", "orders": 1}))])).unwrap();
    carried_out(&mut tables, &remove_column("orders")).unwrap();
    assert_eq!(shown(&tables, &rows, 1), json!({"name": "Ada"}));
    let table = Arc::clone(&tables.tables[&id(1)]);
    assert!(matches!(table.condition("orders", "eq", &json!(1)), Err(DataTableRefusal::UnknownColumn { .. })));
    assert!(table.cells(json!({"orders": 1}).as_object().unwrap()).is_err());
    for _ in 0..2 {
        carried_out(&mut tables, &add_column("orders", ColumnType::Number)).unwrap();
        assert_eq!(shown(&tables, &rows, 1), json!({"name": "Ada", "orders": null}));
        let seven = tables.tables[&id(1)].cells(json!({"orders": 7}).as_object().unwrap()).unwrap();
        let update = RowsCommand::Update { by: None, filter: named("Ada"), cells: seven, or_insert: false, at_ms: 23 };
        carried_out(&mut rows, &update).unwrap();
        assert_eq!(shown(&tables, &rows, 1), json!({"name": "Ada", "orders": 7}));
        carried_out(&mut tables, &remove_column("orders")).unwrap();
    }
}

#[test]
fn changes_of_columns_that_cannot_be_are_refused() {
    let mut tables = DataTables::default();
    assert_eq!(carried_out(&mut tables, &add_column("score", ColumnType::Number)), Err(DataTableRefusal::NotFound));
    carried_out(&mut tables, &create(1, "Customers")).unwrap();
    let taken = |column: &str| DataTableRefusal::ColumnTaken { table: "Customers".into(), column: column.into() };
    assert_eq!(carried_out(&mut tables, &add_column("name", ColumnType::Date)), Err(taken("name")));
    assert_eq!(carried_out(&mut tables, &rename_column("orders", "name")), Err(taken("name")));
    for name in ["id", "2nd", "a b", ""] {
        let invalid = Err(DataTableRefusal::InvalidColumn(name.to_owned()));
        assert_eq!(carried_out(&mut tables, &add_column(name, ColumnType::String)), invalid);
        assert_eq!(carried_out(&mut tables, &rename_column("orders", name)), invalid);
    }
    for command in [rename_column("nickname", "nick"), remove_column("nickname"), remove_column("id")] {
        let refused = carried_out(&mut tables, &command).unwrap_err();
        assert!(matches!(refused, DataTableRefusal::UnknownColumn { .. }), "{command:?}: {refused}");
    }
    carried_out(&mut tables, &remove_column("orders")).unwrap();
    assert_eq!(carried_out(&mut tables, &remove_column("name")), Err(DataTableRefusal::WrongCount(0)));
    for number in 1..COLUMNS_MAX {
        carried_out(&mut tables, &add_column(&format!("c{number}"), ColumnType::String)).unwrap();
    }
    let one_more = add_column("oneMore", ColumnType::String);
    assert_eq!(carried_out(&mut tables, &one_more), Err(DataTableRefusal::WrongCount(COLUMNS_MAX + 1)));
}
