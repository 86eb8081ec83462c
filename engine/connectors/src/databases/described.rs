//! The parameters that nodes of SQL have in common, as data.

use timeloom_domain::catalogue::{Choice, Condition, Language, ParameterDefinition, ResourceMode};
use timeloom_nodes::describe::{choice, code, is, list, many, mode, number, off, options, switch, text, told};

pub(super) const BY_NAME: &[ResourceMode] =
    &[mode("name", "By name", Some("customers")), mode("list", "From list", Some("customers"))];

pub(super) const ROWS: &[Condition] = &[is("operation", &["insert", "update", "upsert"])];
const MATCHED: &[Condition] = &[is("operation", &["update", "upsert"])];
const MATCHED_BY_HAND: &[Condition] = &[is("operation", &["update", "upsert"]), is("dataMode", &["defineBelow"])];
const ROWS_BY_HAND: &[Condition] =
    &[is("operation", &["insert", "update", "upsert"]), is("dataMode", &["defineBelow"])];
pub(super) const ON_TABLE: &[Condition] = &[is("operation", &["deleteTable", "insert", "select", "update", "upsert"])];
pub(super) const SELECT: &[Condition] = &[is("operation", &["select"])];
pub(super) const SOME_ROWS: &[Condition] = &[is("operation", &["deleteTable"]), is("deleteCommand", &["delete"])];
/// In the first version of a node.
pub(super) const FIRST: &[Condition] = &[is("operation", &["insert", "update"])];

/// Of the first version of a node.
pub(super) const FIRST_OPERATION: ParameterDefinition = options(
    "operation",
    &[
        choice("executeQuery", "Execute query"),
        choice("insert", "Insert rows in a table"),
        choice("update", "Update rows in a table"),
    ],
    "What is done.",
)
.or_text("insert")
.until(1.0);

pub(super) const OPERATION: ParameterDefinition = options(
    "operation",
    &[
        told("deleteTable", "Delete table or rows", "Deletes a table, its rows, or some of them."),
        told("executeQuery", "Execute query", "Runs statements of SQL."),
        told("insert", "Insert", "Inserts rows."),
        told("upsert", "Insert or update", "Inserts rows, or changes those that are there."),
        told("select", "Select", "Gives rows."),
        told("update", "Update", "Changes rows."),
    ],
    "What is done.",
);

pub(super) const QUERY: ParameterDefinition =
    code("query", Language::Sql, "Statements of SQL, in which $1 stands for the first query parameter.")
        .like("SELECT name FROM customers WHERE id = $1")
        .needed()
        .when(&[is("operation", &["executeQuery"])]);

pub(super) const DELETE_COMMAND: ParameterDefinition = options(
    "deleteCommand",
    &[
        told("truncate", "Truncate", "All rows, and nothing of the table itself."),
        told("delete", "Delete", "The rows of which the conditions hold."),
        told("drop", "Drop", "The table with its rows."),
    ],
    "What is deleted.",
)
.called("Command")
.or_text("truncate")
.when(&[is("operation", &["deleteTable"])]);

const OPERATORS: &[Choice] = &[
    choice("equal", "Equal"),
    choice("!=", "Not equal"),
    choice("LIKE", "Like"),
    choice(">", "Greater than"),
    choice("<", "Less than"),
    choice(">=", "Greater than or equal"),
    choice("<=", "Less than or equal"),
    choice("IS NULL", "Is null"),
    choice("IS NOT NULL", "Is not null"),
];

pub(super) const CONDITIONS: ParameterDefinition = list(
    "where",
    &[many(
        "values",
        "Condition",
        &[
            text("column", "The column."),
            options("condition", OPERATORS, "How it is compared.").called("Operator").or_text("equal"),
            text("value", "With what it is compared."),
        ],
    )],
    "Which rows are meant; all where there is no condition.",
)
.called("Select rows");

pub(super) const COMBINATION: ParameterDefinition = options(
    "combineConditions",
    &[told("AND", "AND", "All conditions hold."), told("OR", "OR", "One condition holds.")],
    "How conditions belong together.",
)
.or_text("AND");

pub(super) const SORT: ParameterDefinition = list(
    "sort",
    &[many(
        "values",
        "Rule",
        &[
            text("column", "The column."),
            options("direction", &[choice("ASC", "Ascending"), choice("DESC", "Descending")], "The order.")
                .or_text("ASC"),
        ],
    )],
    "In which order rows come.",
);

const BATCHING: &[Choice] = &[
    told("single", "Single query", "All statements of all items at once: all of them or none."),
    told("independently", "Independently", "The statements of each item by themselves."),
    told("transaction", "Transaction", "All items in one transaction: all of them or none."),
];

pub(super) const VALUES_TO_SEND: ParameterDefinition = list(
    "valuesToSend",
    &[many("values", "Value", &[text("column", "The column."), text("value", "Its value.")])],
    "Columns and their values.",
)
.when(ROWS_BY_HAND);

const DATA_MODES: &[Choice] = &[
    told("autoMapInputData", "Map automatically", "The fields of the item are the columns of the same names."),
    told("defineBelow", "Map each column", "Each column has its value below."),
];

pub(super) const DATA_MODE: ParameterDefinition =
    options("dataMode", DATA_MODES, "Where the values of columns come from.").or_text("autoMapInputData").when(ROWS);

pub(super) const COLUMN_TO_MATCH_ON: ParameterDefinition =
    text("columnToMatchOn", "The column by which rows are found.").needed().when(MATCHED);

pub(super) const VALUE_TO_MATCH_ON: ParameterDefinition =
    text("valueToMatchOn", "Its value in the rows that are meant.").when(MATCHED_BY_HAND);

pub(super) const RETURN_ALL: ParameterDefinition =
    switch("returnAll", "Whether all rows are given.").or_false().when(SELECT);

pub(super) const LIMIT: ParameterDefinition = number("limit", "Most rows that are given.")
    .or_number(50.0)
    .when(&[is("operation", &["select"]), off("returnAll")]);

/// An option, as the next ones are.
pub(super) const QUERY_BATCHING: ParameterDefinition =
    options("queryBatching", BATCHING, "How the statements of many items belong together.").or_text("single");

pub(super) const QUERY_REPLACEMENT: ParameterDefinition =
    text("queryReplacement", "Values for $1, $2 and so on: a list, or values with commas between them.")
        .called("Query parameters")
        .when(&[is("/operation", &["executeQuery"])]);

pub(super) const OUTPUT_COLUMNS: ParameterDefinition =
    text("outputColumns", "The columns that are given, as a list or with commas between them; * stands for all.");

pub(super) const SKIP_ON_CONFLICT: ParameterDefinition =
    switch("skipOnConflict", "Whether a row that is there already is passed over.")
        .or_false()
        .when(&[is("/operation", &["insert"])]);

pub(super) const REPLACE_EMPTY_STRINGS: ParameterDefinition =
    switch("replaceEmptyStrings", "Whether an empty text becomes NULL.")
        .or_false()
        .when(&[is("/operation", &["insert", "update", "upsert"])]);
