//! The parameters of the node, as data.

use timeloom_domain::catalogue::{CredentialDefinition, ParameterDefinition};
use timeloom_nodes::describe::{choice, collection, is, needs, number, options, resource, switch, text, told};

use crate::databases::described::{
    BY_NAME, COLUMN_TO_MATCH_ON, COMBINATION, CONDITIONS, DATA_MODE, DELETE_COMMAND, FIRST, FIRST_OPERATION, LIMIT,
    ON_TABLE, OPERATION, OUTPUT_COLUMNS, QUERY, QUERY_BATCHING, QUERY_REPLACEMENT, REPLACE_EMPTY_STRINGS, RETURN_ALL,
    SELECT, SKIP_ON_CONFLICT, SOME_ROWS, SORT, VALUE_TO_MATCH_ON, VALUES_TO_SEND,
};

pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[needs("mySql", &[])];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    FIRST_OPERATION,
    OPERATION.or_text("insert").since(2.0),
    QUERY,
    resource("table", "table", BY_NAME, "The table.").needed().when(FIRST).until(1.0),
    text("columns", "The columns, with commas between them.").like("id,name,description").when(FIRST).until(1.0),
    text("updateKey", "The column by which rows are found.")
        .or_text("id")
        .when(&[is("operation", &["update"])])
        .until(1.0),
    collection(
        "options",
        &[
            switch("ignore", "Whether a row that is there already is passed over.").or_false(),
            options(
                "priority",
                &[
                    told("LOW_PRIORITY", "Low priority", "After everybody who reads."),
                    told("HIGH_PRIORITY", "High priority", "Before others."),
                ],
                "In which order statements of many are done.",
            ),
        ],
        "More that can be said.",
    )
    .when(&[is("operation", &["insert"])])
    .until(1.0),
    resource("table", "table", BY_NAME, "The table.").needed().when(ON_TABLE).since(2.0),
    DELETE_COMMAND.since(2.0),
    CONDITIONS.when(SOME_ROWS).since(2.0),
    COMBINATION.when(SOME_ROWS).since(2.0),
    DATA_MODE.since(2.0),
    COLUMN_TO_MATCH_ON.since(2.0),
    VALUE_TO_MATCH_ON.since(2.0),
    VALUES_TO_SEND.since(2.0),
    RETURN_ALL.since(2.0),
    LIMIT.since(2.0),
    CONDITIONS.when(SELECT).since(2.0),
    COMBINATION.when(SELECT).since(2.0),
    SORT.when(SELECT).since(2.0),
    collection("options", OPTIONS, "More that can be said.").since(2.0),
];

const OPTIONS: &[ParameterDefinition] = &[
    number("connectionTimeoutMillis", "Longest time until there is a connection, in milliseconds."),
    number("connectionLimit", "Most connections at a time."),
    QUERY_BATCHING,
    QUERY_REPLACEMENT,
    OUTPUT_COLUMNS.when(&[is("/operation", &["select"])]),
    options(
        "largeNumbersOutput",
        &[choice("numbers", "Numbers"), choice("text", "Text")],
        "What numbers of the type bigint become.",
    )
    .or_text("numbers"),
    switch("decimalNumbers", "Whether decimals are numbers, which lose digits beyond 15, instead of text.").or_false(),
    switch("detailedOutput", "Whether each statement is told with what the database says of it.").or_false(),
    switch("selectDistinct", "Whether a row that comes twice is given once.")
        .or_false()
        .when(&[is("/operation", &["select"])]),
    SKIP_ON_CONFLICT,
    REPLACE_EMPTY_STRINGS,
];
