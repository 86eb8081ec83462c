//! The parameters of the Data Table node, as data.

use timeloom_domain::catalogue::{Choice, Condition, ParameterDefinition, ResourceMode};

use crate::describe::{
    choice, collection, is, list, many, mode, number, off, on, options, resource, structure, switch, text, told,
};

/// Rows that are given where nothing else is said.
pub(super) const LIMIT: f64 = 50.0;

const ON_ROWS: &[Condition] = &[is("resource", &["row"])];
const ON_TABLES: &[Condition] = &[is("resource", &["table"])];
const FILTERED: &[Condition] = &[
    is("resource", &["row"]),
    is("operation", &["deleteRows", "get", "rowExists", "rowNotExists", "update", "upsert"]),
];
const WRITTEN: &[Condition] = &[is("resource", &["row"]), is("operation", &["insert", "update", "upsert"])];
const GET: &[Condition] = &[is("resource", &["row"]), is("operation", &["get"])];
const CREATE: &[Condition] = &[is("resource", &["table"]), is("operation", &["create"])];
const LIST: &[Condition] = &[is("resource", &["table"]), is("operation", &["list"])];
const ON_ONE_TABLE: &[Condition] = &[is("resource", &["table"]), is("operation", &["clear", "delete", "update"])];

const CONDITIONS: &[Choice] = &[
    choice("eq", "Equals"),
    choice("neq", "Not equals"),
    told("like", "Contains", "% stands for any text; without one it is looked for anywhere."),
    told("ilike", "Contains, ignoring case", "% stands for any text; without one it is looked for anywhere."),
    choice("gt", "Greater than"),
    choice("gte", "Greater than or equal"),
    choice("lt", "Less than"),
    choice("lte", "Less than or equal"),
    choice("isEmpty", "Is empty"),
    choice("isNotEmpty", "Is not empty"),
    choice("isTrue", "Is true"),
    choice("isFalse", "Is false"),
];

const TYPES: &[Choice] =
    &[choice("boolean", "Boolean"), choice("date", "Date"), choice("number", "Number"), choice("string", "String")];

const ROW_OPERATIONS: &[Choice] = &[
    told("deleteRows", "Delete", "Takes rows out."),
    told("get", "Get", "Gives rows."),
    told("rowExists", "If row exists", "Lets an item pass when a row is there."),
    told("rowNotExists", "If row does not exist", "Lets an item pass when no row is there."),
    told("insert", "Insert", "Puts a row in for each item."),
    told("update", "Update", "Writes cells of rows."),
    told("upsert", "Upsert", "Writes cells of rows, or puts one in when none is there."),
];

const TABLE_OPERATIONS: &[Choice] = &[
    told("clear", "Clear", "Takes all rows out."),
    told("create", "Create", "Makes a table."),
    told("delete", "Delete", "Deletes a table with its rows."),
    told("list", "List", "Gives the tables."),
    told("update", "Update", "Gives a table another name."),
];

const WAYS: &[ResourceMode] =
    &[mode("list", "From list", None), mode("name", "By name", Some("customers")), mode("id", "By ID", Some("ID"))];

const fn table(when: &'static [Condition]) -> ParameterDefinition {
    resource("dataTableId", "dataTable", WAYS, "The table, by its id or its name.")
        .called("Data table")
        .needed()
        .when(when)
}

const FILTERS: ParameterDefinition = list(
    "filters",
    &[many(
        "conditions",
        "Condition",
        &[
            text("keyName", "The column.").called("Column").or_text("id"),
            options("condition", CONDITIONS, "How it is compared.").or_text("eq"),
            text("keyValue", "With what it is compared.").called("Value"),
        ],
    )],
    "Which rows are meant.",
)
.called("Conditions")
.when(FILTERED);

const DRY_RUN: &[ParameterDefinition] =
    &[switch("dryRun", "Whether nothing is written, and rows are given as they are and as they would be.").or_false()];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "resource",
        &[told("row", "Row", "Rows of a table."), told("table", "Table", "Tables themselves.")],
        "What it is about.",
    )
    .or_text("row"),
    options("operation", ROW_OPERATIONS, "What is done.").or_text("insert").when(ON_ROWS),
    options("operation", TABLE_OPERATIONS, "What is done.").or_text("list").when(ON_TABLES),
    table(ON_ROWS),
    table(ON_ONE_TABLE),
    options(
        "matchType",
        &[
            told("anyCondition", "Any condition", "One condition holds."),
            told("allConditions", "All conditions", "All conditions hold."),
        ],
        "How conditions belong together.",
    )
    .called("Must match")
    .or_text("anyCondition")
    .when(FILTERED),
    FILTERS,
    structure(
        "columns",
        "Columns and their values: {\"mappingMode\": \"defineBelow\" or \"autoMapInputData\", \"value\": {column: value}}.",
    )
    .when(WRITTEN),
    switch("returnAll", "Whether all rows are given.").or_false().when(GET),
    number("limit", "Most rows that are given for an item.").or_number(LIMIT).when(&[
        is("resource", &["row"]),
        is("operation", &["get"]),
        off("returnAll"),
    ]),
    switch("orderBy", "Whether rows come in the order of a column.").or_false().when(GET),
    text("orderByColumn", "The column.").or_text("createdAt").when(&[
        is("resource", &["row"]),
        is("operation", &["get"]),
        on("orderBy"),
    ]),
    options("orderByDirection", &[choice("ASC", "Ascending"), choice("DESC", "Descending")], "The order.")
        .or_text("DESC")
        .when(&[is("resource", &["row"]), is("operation", &["get"]), on("orderBy")]),
    collection(
        "options",
        &[switch("optimizeBulk", "Whether it is only told how many rows came in.").or_false()],
        "What else there is to say.",
    )
    .when(&[is("resource", &["row"]), is("operation", &["insert"])]),
    collection("options", DRY_RUN, "What else there is to say.")
        .when(&[is("resource", &["row"]), is("operation", &["deleteRows", "update", "upsert"])]),
    text("tableName", "The table's name.").called("Name").like("customers").needed().when(CREATE),
    list(
        "columns",
        &[many(
            "column",
            "Column",
            &[
                text("name", "A letter, then letters, digits and _.").needed(),
                options("type", TYPES, "What it holds.").or_text("string"),
            ],
        )],
        "The columns of the table.",
    )
    .when(CREATE),
    collection(
        "options",
        &[switch("createIfNotExists", "Whether a table of that name, if there is one, is given instead.")
            .called("Reuse existing tables")
            .or_false()],
        "What else there is to say.",
    )
    .when(CREATE),
    switch("returnAll", "Whether all tables are given.").or_true().when(LIST),
    number("limit", "Most tables that are given for an item.").or_number(LIMIT).when(&[
        is("resource", &["table"]),
        is("operation", &["list"]),
        off("returnAll"),
    ]),
    collection(
        "options",
        &[
            text("filterName", "Only tables with this in their names.").called("Filter by name").or_text(""),
            options(
                "sortField",
                &[choice("createdAt", "Created"), choice("name", "Name"), choice("updatedAt", "Updated")],
                "By what they are sorted.",
            )
            .or_text("name"),
            options("sortDirection", &[choice("asc", "Ascending"), choice("desc", "Descending")], "In which direction.")
                .or_text("asc"),
        ],
        "What else there is to say.",
    )
    .when(LIST),
    text("newName", "The table's new name.").like("clients").needed().when(&[
        is("resource", &["table"]),
        is("operation", &["update"]),
    ]),
];
