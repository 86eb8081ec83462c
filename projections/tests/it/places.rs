//! Where rows are kept: a folder or a PostgreSQL database of a test's own, and what is in it, looked up past the library.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use timeloom_postgres_testing::{Database, Server};
use timeloom_projections::PostgresPlace;
use timeloom_projections::ReadModelStore;
use timeloom_store_postgres::Address;
use tokio_postgres::types::Type;

/// Where rows are kept.
pub enum Place {
    Folder(TempDir),
    Postgres(Database),
}

/// Tables with the columns by which their rows are ordered, and those that are not compared.
const TABLES: [(&str, &str, &str); 22] = [
    ("workflows", "1, 2, 3", ""),
    ("plugins", "1, 2, 3", ""),
    ("models", "1, 2, 3", ""),
    ("agents", "1, 2, 3", ""),
    ("agent_runs", "1, 2, 3", ""),
    ("credentials", "1, 2, 3", ""),
    ("executions", "1, 2, 3", ""),
    ("execution_progress", "1, 2", ""),
    ("node_runs", "1, 2, 3, 4", ""),
    ("inferences", "1, 2, 3", ""),
    ("inference_windows", "1, 2, 3", ""),
    ("inference_workers", "1, 2, 3", ""),
    ("model_loads", "1, 2, 3", ""),
    ("model_calls", "1, 2, 3", ""),
    ("evaluations", "1, 2, 3", ""),
    ("evaluation_sets", "1, 2, 3", ""),
    ("accounts", "1, 2, 3", ""),
    ("api_keys", "1, 2, 3", ""),
    ("sessions", "1, 2, 3", ""),
    ("tenants", "1, 2, 3", ""),
    ("projections", "1, 2", "generation"),
    ("parked_events", "1, 2, 3", "generation"),
];

impl Place {
    /// A folder.
    pub fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    /// A database.
    pub async fn postgres() -> Self {
        Self::Postgres(Database::create().await)
    }

    /// A database in a server of the test's own.
    pub async fn postgres_on(server: &Server) -> Self {
        Self::Postgres(Database::create_on(server).await)
    }

    /// One of each.
    pub async fn both() -> [Self; 2] {
        [Self::folder(), Self::postgres().await]
    }

    pub fn store(&self) -> ReadModelStore {
        match self {
            Self::Folder(folder) => folder.path().into(),
            Self::Postgres(database) => postgres_store(database.url()),
        }
    }

    /// The folder or the address.
    pub fn address(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path().display().to_string(),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// The file, of a folder.
    pub fn file(&self) -> std::path::PathBuf {
        let Self::Folder(folder) = self else { panic!("not a folder") };
        folder.path().join("read-models.db")
    }

    /// Carries out statements.
    pub async fn run(&self, sql: &str) {
        match self {
            Self::Folder(_) => Connection::open(self.file()).unwrap().execute_batch(sql).unwrap(),
            Self::Postgres(database) => database.client().await.batch_execute(sql).await.unwrap(),
        }
    }

    /// The name of the table from which questions are answered.
    pub async fn live(&self, projection: &str) -> String {
        let sql = format!("SELECT generation FROM projections WHERE name = '{projection}' AND stage = 'live'");
        let found = self.rows(&sql).await;
        format!("\"{projection}@{}\"", found[0])
    }

    /// Every row of every table, in order, without what tells builds apart.
    pub async fn dump(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (table, order, without) in TABLES {
            let rows = self.named_rows(&format!("SELECT * FROM {table} ORDER BY {order}")).await;
            lines.extend(rows.into_iter().map(|row| {
                let kept = row.iter().filter(|(column, _)| column != without);
                let cells: Vec<String> = kept.map(|(column, cell)| format!("{column}={cell}")).collect();
                format!("{table}: {}", cells.join(" "))
            }));
        }
        lines
    }

    /// Rows in words, cells with spaces between.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.named_rows(sql).await.into_iter();
        rows.map(|row| row.into_iter().map(|(_, cell)| cell).collect::<Vec<_>>().join(" ")).collect()
    }

    async fn named_rows(&self, sql: &str) -> Vec<Vec<(String, String)>> {
        match self {
            Self::Folder(_) => sqlite_rows(&self.file(), sql),
            Self::Postgres(database) => {
                let rows = database.client().await.query(sql, &[]).await.unwrap();
                rows.iter().map(postgres_row).collect()
            }
        }
    }
}

fn sqlite_rows(file: &std::path::Path, sql: &str) -> Vec<Vec<(String, String)>> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let cell = |column| match row.get_ref(column).unwrap() {
            ValueRef::Null => "-".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => panic!("{number} is not whole"),
            ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap()),
            ValueRef::Blob(bytes) => format!("{bytes:x?}"),
        };
        found.push(names.iter().enumerate().map(|(column, name)| (name.clone(), cell(column))).collect());
    }
    found
}

fn postgres_row(row: &tokio_postgres::Row) -> Vec<(String, String)> {
    let cell = |column: usize| {
        let cell = match *row.columns()[column].type_() {
            Type::INT8 => row.get::<_, Option<i64>>(column).map(|number| number.to_string()),
            Type::TEXT => row.get::<_, Option<&str>>(column).map(|text| format!("'{text}'")),
            Type::BYTEA => row.get::<_, Option<&[u8]>>(column).map(|bytes| format!("{bytes:x?}")),
            ref other => panic!("{other}"),
        };
        cell.unwrap_or_else(|| "-".to_owned())
    };
    (0..row.len()).map(|column| (row.columns()[column].name().to_owned(), cell(column))).collect()
}

/// Read models in the database at `url`.
pub fn postgres_store(url: &str) -> ReadModelStore {
    let address = Address::parse(url).unwrap();
    let (config, tls) = (address.config().clone(), address.tls().clone());
    ReadModelStore::Postgres(Box::new(PostgresPlace { config, tls }))
}
