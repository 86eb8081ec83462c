//! Data tables: a change of rows that is sent again is answered as it was then, in this process and in the next.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{CommandContext, CommandError, Keeping, RowsChange, data_table_id};
use timeloom_domain::access::{Permission, Permissions};
use timeloom_domain::data_table::{ColumnType, DataColumn, DataTable, DataTableCommand, RowFilter};
use timeloom_domain::item::JsonObject;
use tokio::task::JoinSet;

use crate::bench::World;

async fn orders(world: &World) -> Arc<DataTable> {
    let context = world.context();
    let column = |name: &str, column_type| DataColumn { name: name.into(), column_type };
    let create = DataTableCommand::Create {
        table: data_table_id(context.command_id),
        name: "Orders".into(),
        columns: vec![column("item", ColumnType::String), column("count", ColumnType::Number)],
        at_ms: 1,
    };
    let made = world.commands.change_data_tables(&context, create.clone()).await.unwrap();
    let again = world.commands.change_data_tables(&context, create).await.unwrap();
    assert_eq!((made.value, made.position, again.repeated), (again.value, again.position, true));
    let tables = world.commands.data_tables(&world.context()).await.unwrap();
    Arc::clone(tables.aggregate.named("Orders").unwrap())
}

fn cells(item: &str, count: u64) -> JsonObject {
    JsonObject::from_iter([("item".to_owned(), json!(item)), ("count".to_owned(), json!(count))])
}

fn of(table: &DataTable, item: &str) -> RowFilter {
    RowFilter { all: true, conditions: vec![table.condition("item", "eq", &json!(item)).unwrap()] }
}

/// What a change comes to: the rows with their counts, and whether it had been carried out before.
async fn changed(
    world: &World,
    context: &CommandContext,
    table: &DataTable,
    change: RowsChange,
) -> (Vec<(u64, Value)>, bool) {
    let done = world.commands.change_table_rows(context, table, None, change).await.unwrap();
    (done.value.iter().map(|row| (row.id, row.cells["count"].clone())).collect(), done.repeated)
}

#[tokio::test]
async fn every_change_of_rows_sent_again_is_answered_as_it_was() {
    let world = World::new();
    let table = orders(&world).await;
    let insert = RowsChange::Insert(vec![Arc::new(cells("pen", 1)), Arc::new(cells("ink", 2))]);
    let update = RowsChange::Update { filter: of(&table, "pen"), cells: cells("pen", 5), or_insert: false };
    let upsert = RowsChange::Update { filter: of(&table, "cap"), cells: cells("cap", 7), or_insert: true };
    let delete = RowsChange::Delete(Some(of(&table, "ink")));
    let later = RowsChange::Update { filter: of(&table, "pen"), cells: cells("pen", 9), or_insert: false };
    let mut sent = Vec::new();
    for change in [insert, update, upsert, delete, later] {
        let context = world.context();
        let (rows, repeated) = changed(&world, &context, &table, change.clone()).await;
        assert!(!rows.is_empty() && !repeated, "{change:?}");
        sent.push((context, change, rows));
    }
    let restarted = world.restarted(Keeping::default());
    for world in [&world, &restarted] {
        for (context, change, rows) in &sent {
            let again = changed(world, context, &table, change.clone()).await;
            assert_eq!(again, (rows.clone(), true), "{change:?}");
        }
        let state = world.commands.table_rows(&world.context(), table.id).await.unwrap();
        let left: Vec<(u64, &Value)> = state.aggregate.rows.values().map(|row| (row.id, &row.cells["count"])).collect();
        assert_eq!(left, [(1, &json!(9)), (3, &json!(7))]);
        assert_eq!(state.revision.0, 5, "one event a change");
    }
    let nothing = changed(&world, &world.context(), &table, RowsChange::Delete(Some(of(&table, "ink")))).await;
    assert_eq!(nothing, (Vec::new(), true), "there is nothing to do, and that is no failure");
}

#[tokio::test]
async fn a_change_of_columns_sent_again_is_made_once_though_it_is_undone_by_then() {
    let world = World::new();
    let table = orders(&world).await;
    let add = DataTableCommand::AddColumn {
        table: table.id,
        column: DataColumn { name: "note".into(), column_type: ColumnType::String },
        at_ms: 2,
    };
    let remove = DataTableCommand::RemoveColumn { table: table.id, column: "note".into(), at_ms: 3 };
    let context = world.context();
    let added = world.commands.change_data_tables(&context, add.clone()).await.unwrap();
    world.commands.change_data_tables(&world.context(), remove).await.unwrap();
    let again = world.commands.change_data_tables(&context, add.clone()).await.unwrap();
    assert_eq!((again.value, again.position, again.repeated), (added.value, added.position, true));
    let columns =
        |table: &Arc<DataTable>| table.columns.iter().map(|column| column.name.to_string()).collect::<Vec<_>>();
    let tables = world.commands.data_tables(&world.context()).await.unwrap();
    assert_eq!(columns(&tables.aggregate.tables[&table.id]), ["item", "count"]);
    let looking = CommandContext { permissions: Permissions::of(&[Permission::TableRead]), ..world.context() };
    let refused = world.commands.change_data_tables(&looking, add).await;
    assert!(matches!(refused, Err(CommandError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_of_one_table_all_get_through() {
    const WRITERS: u64 = 40;
    const CHANGES: u64 = 20;
    let world = Arc::new(World::new());
    let table = orders(&world).await;
    changed(&world, &world.context(), &table, RowsChange::Insert(vec![Arc::new(cells("pen", 0))])).await;
    let write = |writer| {
        let (world, table) = (Arc::clone(&world), Arc::clone(&table));
        async move {
            for change in 0..CHANGES {
                let cells = cells("pen", writer * CHANGES + change);
                let update = RowsChange::Update { filter: of(&table, "pen"), cells, or_insert: false };
                let (rows, repeated) = changed(&world, &world.context(), &table, update).await;
                assert_eq!((rows.len(), repeated), (1, false), "{writer}, {change}");
            }
        }
    };
    let mut writers = JoinSet::new();
    for writer in 1..=WRITERS {
        writers.spawn(write(writer));
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let state = world.commands.table_rows(&world.context(), table.id).await.unwrap();
    assert_eq!(state.revision.0, 1 + WRITERS * CHANGES, "one event a change");
}

#[tokio::test]
async fn whoever_may_only_look_changes_nothing() {
    let world = World::new();
    let table = orders(&world).await;
    let looking = CommandContext { permissions: Permissions::of(&[Permission::TableRead]), ..world.context() };
    assert!(world.commands.table_rows(&looking, table.id).await.is_ok());
    let refused = world.commands.change_table_rows(&looking, &table, None, RowsChange::Delete(None)).await;
    assert!(matches!(refused, Err(CommandError::Refused(_))), "{refused:?}");
    let stranger = CommandContext { permissions: Permissions::NONE, ..world.context() };
    assert!(world.commands.data_tables(&stranger).await.is_err());
}
