//! The parameters of the node, as data.

use timeloom_domain::catalogue::{CredentialDefinition, ParameterDefinition};
use timeloom_nodes::describe::{
    choice, collection, is, needs, number, options, resource, structure, switch, text, told,
};

use crate::databases::described::{
    BY_NAME, COLUMN_TO_MATCH_ON, COMBINATION, CONDITIONS, DATA_MODE, DELETE_COMMAND, FIRST, FIRST_OPERATION, LIMIT,
    ON_TABLE, OPERATION, OUTPUT_COLUMNS, QUERY, QUERY_BATCHING, QUERY_REPLACEMENT, REPLACE_EMPTY_STRINGS, RETURN_ALL,
    ROWS, SELECT, SKIP_ON_CONFLICT, SOME_ROWS, SORT, VALUE_TO_MATCH_ON, VALUES_TO_SEND,
};

pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[needs("postgres", &[])];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    FIRST_OPERATION,
    OPERATION
    .or_text("insert")
    .since(2.0),
    QUERY,
    text("schema", "The schema of the table.").or_text("public").when(FIRST).until(1.0),
    text("table", "The table.").needed().when(FIRST).until(1.0),
    text("updateKey", "The column by which rows are found, or several with commas between them.")
        .or_text("id")
        .when(&[is("operation", &["update"])])
        .until(1.0),
    text("columns", "The columns, with commas between them; `name:type` casts the value.")
        .like("id,name,description")
        .when(FIRST)
        .until(1.0),
    text("returnFields", "The columns that are given back, with commas between them; * stands for all.")
        .or_text("*")
        .when(FIRST)
        .until(1.0),
    collection(
        "additionalFields",
        &[
            options(
                "mode",
                &[
                    told("independently", "Independently", "Each item by itself."),
                    told("multiple", "Multiple queries", "All statements at once."),
                    told("transaction", "Transaction", "All or none."),
                ],
                "How statements belong together.",
            )
            .or_text("multiple"),
            options(
                "largeNumbersOutput",
                &[told("numbers", "Numbers", "They lose digits beyond 15."), choice("text", "Text")],
                "What large numbers become.",
            )
            .or_text("text"),
            text("queryParams", "Fields of the item that are the query parameters, with commas between them.")
                .or_text("")
                .called("Query parameters"),
        ],
        "More that can be said.",
    )
    .until(1.0),
    resource("schema", "schema", BY_NAME, "The schema of the table.")
        .or_json(r#"{"__rl": true, "mode": "name", "value": "public"}"#)
        .when(ON_TABLE)
        .since(2.0),
    resource("table", "table", BY_NAME, "The table.").needed().when(ON_TABLE).since(2.0),
    DELETE_COMMAND.since(2.0),
    switch("restartSequences", "Whether counters begin anew.")
        .or_false()
        .when(&[is("operation", &["deleteTable"]), is("deleteCommand", &["truncate"])])
        .since(2.0),
    CONDITIONS.when(SOME_ROWS).since(2.0),
    COMBINATION.when(SOME_ROWS).since(2.0),
    DATA_MODE.since(2.0).until(2.1),
    COLUMN_TO_MATCH_ON.since(2.0).until(2.1),
    VALUE_TO_MATCH_ON.since(2.0).until(2.1),
    VALUES_TO_SEND.since(2.0).until(2.1),
    structure(
        "columns",
        "Columns and their values: {\"mappingMode\": \"defineBelow\" or \"autoMapInputData\", \"value\": {column: value}, \
         \"matchingColumns\": [columns by which rows are found]}.",
    )
    .when(ROWS)
    .since(2.2),
    RETURN_ALL.since(2.0),
    LIMIT.since(2.0),
    CONDITIONS.when(SELECT).since(2.0),
    COMBINATION.when(SELECT).since(2.0),
    SORT.when(SELECT).since(2.0),
    collection("options", OPTIONS, "More that can be said.").since(2.0),
];

const OPTIONS: &[ParameterDefinition] = &[
    switch("cascade", "Whether what depends on the table goes as well.")
        .or_false()
        .when(&[is("/operation", &["deleteTable"])]),
    number("connectionTimeout", "Longest time until there is a connection, in seconds.").or_number(30.0),
    QUERY_BATCHING,
    QUERY_REPLACEMENT,
    OUTPUT_COLUMNS.when(&[is("/operation", &["insert", "select", "update", "upsert"])]),
    options(
        "largeNumbersOutput",
        &[told("numbers", "Numbers", "They lose digits beyond 15."), choice("text", "Text")],
        "What numbers of the types bigint and numeric become.",
    )
    .or_text("text"),
    SKIP_ON_CONFLICT,
    REPLACE_EMPTY_STRINGS,
];
