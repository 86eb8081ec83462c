//! The parameters of Merge.

use timeloom_domain::catalogue::{Choice, Condition, Language, ParameterDefinition};

use super::by_sql::QUERY;
use crate::describe::{choice, code, collection, is, list, many, number, off, on, one, options, switch, text, told};

const APPEND: Choice = told("append", "Append", "All items of the first input, then those of the next.");
const CHOOSE: Choice = told("chooseBranch", "Choose branch", "Waits for all inputs, and gives the items of one.");
const COMBINE: Choice = told("combine", "Combine", "Makes one item of items of several inputs.");

const MODES_1: &[Choice] = &[
    APPEND,
    told("keepKeyMatches", "Keep key matches", "Items of input 1 whose field is also in input 2."),
    told("mergeByIndex", "Merge by index", "Items at the same place become one."),
    told("mergeByKey", "Merge by key", "Items with the same field become one."),
    told("multiplex", "Multiplex", "Every item of input 1 with every item of input 2."),
    told("passThrough", "Pass-through", "Waits for both inputs, and gives the items of one."),
    told("removeKeyMatches", "Remove key matches", "Items of input 1 whose field is not in input 2."),
    told("wait", "Wait", "Waits for both inputs, and gives one empty item."),
];
const MODES_3: &[Choice] =
    &[APPEND, COMBINE, told("combineBySql", "SQL query", "A query over the inputs as tables."), CHOOSE];

const COMBINES: &[Condition] = &[is("mode", &["combine"])];
const CHOOSES: &[Condition] = &[is("mode", &["chooseBranch"])];
/// Where items are combined by their fields: of the two parameters that say so, a version has one.
const BY_FIELDS_2: &[Condition] = &[is("combinationMode", &["mergeByFields"])];
const BY_FIELDS_3: &[Condition] = &[is("combineBy", &["combineByFields"])];
const BY_KEY: &[Condition] = &[is("mode", &["keepKeyMatches", "mergeByKey", "removeKeyMatches"])];

const NUMBER_OF_INPUTS: ParameterDefinition =
    number("numberInputs", "How many inputs there are, 2 to 10.").called("Number of inputs").or_number(2.0).since(3.0);

const PAIRS: ParameterDefinition = list(
    "mergeByFields",
    &[many(
        "values",
        "Pair of fields",
        &[
            text("field1", "Name of the field in input 1.").called("Input 1 field").like("id"),
            text("field2", "Name of the field in input 2.").called("Input 2 field").like("id"),
        ],
    )],
    "Pairs of fields that must be equal.",
)
.called("Fields to match");

const JOIN: ParameterDefinition = options(
    "joinMode",
    &[
        told("keepMatches", "Keep matches", "Items that match, as in an inner join."),
        told("keepNonMatches", "Keep non-matches", "Items that do not match."),
        told("keepEverything", "Keep everything", "All items, as in an outer join."),
        told("enrichInput1", "Enrich input 1", "All of input 1 with what matches, as in a left join."),
        told("enrichInput2", "Enrich input 2", "All of input 2 with what matches, as in a right join."),
    ],
    "Which items are given.",
)
.called("Output type")
.or_text("keepMatches");

const FROM: ParameterDefinition = options(
    "outputDataFrom",
    &[choice("both", "Both inputs"), choice("input1", "Input 1"), choice("input2", "Input 2")],
    "Whose fields are given.",
)
.or_text("both")
.when(&[is("joinMode", &["keepMatches", "keepNonMatches"])]);

const CLASHES: ParameterDefinition = list(
    "clashHandling",
    &[one(
        "values",
        "Fields of the same name",
        &[
            options(
                "resolveClash",
                &[
                    told("addSuffix", "Keep both", "The number of the input comes behind the field's name."),
                    choice("preferInput1", "Prefer input 1"),
                    choice("preferInput2", "Prefer input 2"),
                    told("preferLast", "Prefer last input", "The last input, however many there are."),
                ],
                "Which of them is given.",
            )
            .called("When field values clash"),
            options(
                "mergeMode",
                &[
                    told("deepMerge", "Deep merge", "Objects in fields are merged as well."),
                    told("shallowMerge", "Shallow merge", "Objects in fields are taken whole."),
                ],
                "How deep fields are merged.",
            )
            .called("Merging nested fields")
            .or_text("deepMerge"),
            switch("overrideEmpty", "Whether a value that is empty gives way to one that is not.")
                .called("Minimize empty fields")
                .or_false(),
        ],
    )],
    "What happens to fields of the same name.",
);

const OPTIONS: &[ParameterDefinition] = &[
    CLASHES,
    switch("disableDotNotation", "Whether dots in names of fields mean nothing.").or_false(),
    switch("fuzzyCompare", "Whether `3` and `\"3\"` are the same, and empty values too.").or_false(),
    switch("includeUnpaired", "Combining by position: whether items without a partner are given.")
        .called("Include any unpaired items")
        .or_false(),
    options(
        "multipleMatches",
        &[choice("all", "Include all matches"), choice("first", "Include first match only")],
        "What happens where an item matches several.",
    )
    .or_text("all"),
];

const SQL_OPTIONS: &[ParameterDefinition] =
    &[WHEN_EMPTY.or_text("success").until(3.1), WHEN_EMPTY.or_text("empty").since(3.2)];

const WHEN_EMPTY: ParameterDefinition = options(
    "emptyQueryResult",
    &[choice("success", "One item that says success"), choice("empty", "No item")],
    "What is given where the query finds nothing.",
);

/// The parameters, by version.
pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options("mode", MODES_1, "How the inputs are merged.").or_text("append").until(1.0),
    options("mode", &[APPEND, COMBINE, CHOOSE], "How the inputs are merged.").or_text("append").since(2.0).until(2.1),
    options("mode", MODES_3, "How the inputs are merged.").or_text("append").since(3.0),
    options(
        "join",
        &[choice("left", "Left join"), choice("inner", "Inner join"), choice("outer", "Outer join")],
        "Which items are given where an input has fewer.",
    )
    .or_text("left")
    .when(&[is("mode", &["mergeByIndex"])])
    .until(1.0),
    text("propertyName1", "Field of input 1 that is compared.").called("Property input 1").when(BY_KEY).until(1.0),
    text("propertyName2", "Field of input 2 that is compared.").called("Property input 2").when(BY_KEY).until(1.0),
    options(
        "overwrite",
        &[choice("always", "Always"), choice("blank", "If blank"), choice("undefined", "If missing")],
        "Which fields of input 1 are overwritten.",
    )
    .or_text("always")
    .when(&[is("mode", &["mergeByKey"])])
    .until(1.0),
    options("output", &[choice("input1", "Input 1"), choice("input2", "Input 2")], "Whose items are given.")
        .or_text("input1")
        .when(&[is("mode", &["passThrough"])])
        .until(1.0),
    options(
        "combinationMode",
        &[
            choice("mergeByFields", "Merge by fields"),
            choice("mergeByPosition", "Merge by position"),
            choice("multiplex", "Multiplex"),
        ],
        "How items are combined.",
    )
    .or_text("mergeByFields")
    .when(COMBINES)
    .since(2.0)
    .until(2.1),
    options(
        "combineBy",
        &[
            told("combineByFields", "Matching fields", "Items whose fields are equal."),
            told("combineByPosition", "Position", "Items at the same place."),
            told("combineAll", "All possible combinations", "Every item with every other."),
        ],
        "How items are combined.",
    )
    .or_text("combineByFields")
    .when(COMBINES)
    .since(3.0),
    NUMBER_OF_INPUTS.when(&[is("mode", &["append", "combineBySql", "chooseBranch"])]),
    NUMBER_OF_INPUTS.when(&[is("combineBy", &["combineByPosition"])]),
    switch("advanced", "Whether the fields have different names in the inputs.")
        .called("Fields to match have different names")
        .or_false()
        .when(BY_FIELDS_3)
        .since(3.0),
    text("fieldsToMatchString", "Fields that must be equal, with commas between them.")
        .called("Fields to match")
        .like("id, country")
        .when(&[off("advanced")])
        .since(3.0),
    PAIRS.when(BY_FIELDS_2).since(2.0).until(2.1),
    PAIRS.when(&[on("advanced")]).since(3.0),
    JOIN.when(BY_FIELDS_2).since(2.0).until(2.1),
    JOIN.when(BY_FIELDS_3).since(3.0),
    FROM.since(2.0),
    code("query", Language::Sql, "The query; the inputs are the tables input1, input2 and so on.")
        .or_text(QUERY)
        .when(&[is("mode", &["combineBySql"])])
        .since(3.0),
    options(
        "output",
        &[choice("input1", "Input 1"), choice("input2", "Input 2"), choice("empty", "One empty item")],
        "What is given when all inputs are there.",
    )
    .or_text("input1")
    .when(CHOOSES)
    .since(2.0)
    .until(2.1),
    options(
        "output",
        &[choice("specifiedInput", "Data of one input"), choice("empty", "One empty item")],
        "What is given when all inputs are there.",
    )
    .or_text("specifiedInput")
    .when(CHOOSES)
    .since(3.0),
    number("useDataOfInput", "Number of the input, the first is 1.")
        .or_number(1.0)
        .when(&[is("output", &["specifiedInput"])])
        .since(3.0),
    collection("options", OPTIONS, "What else to decide.").when(COMBINES).since(2.0),
    collection("options", SQL_OPTIONS, "What else to decide.").when(&[is("mode", &["combineBySql"])]).since(3.0),
];
