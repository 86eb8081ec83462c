//! The parameters of Date & Time: version 1 has an action, version 2 an operation.

use timeloom_domain::catalogue::{Choice, Condition, ParameterDefinition};

use crate::describe::{choice, collection, is, number, options, several, switch, text, told};

const UNITS: &[Choice] = &[
    choice("years", "Years"),
    choice("quarters", "Quarters"),
    choice("months", "Months"),
    choice("weeks", "Weeks"),
    choice("days", "Days"),
    choice("hours", "Hours"),
    choice("minutes", "Minutes"),
    choice("seconds", "Seconds"),
    choice("milliseconds", "Milliseconds"),
];
const UNITS_BETWEEN: &[Choice] = &[
    choice("year", "Year"),
    choice("month", "Month"),
    choice("week", "Week"),
    choice("day", "Day"),
    choice("hour", "Hour"),
    choice("minute", "Minute"),
    choice("second", "Second"),
    choice("millisecond", "Millisecond"),
];
const UNITS_ROUNDED: &[Choice] = &[
    choice("year", "Year"),
    choice("month", "Month"),
    choice("week", "Week"),
    choice("day", "Day"),
    choice("hour", "Hour"),
    choice("minute", "Minute"),
    choice("second", "Second"),
];
const FORMATS_1: &[Choice] = &[
    choice("MM/DD/YYYY", "MM/DD/YYYY (09/04/1986)"),
    choice("YYYY/MM/DD", "YYYY/MM/DD (1986/04/09)"),
    choice("MMMM DD YYYY", "MMMM DD YYYY (April 09 1986)"),
    choice("MM-DD-YYYY", "MM-DD-YYYY (09-04-1986)"),
    choice("YYYY-MM-DD", "YYYY-MM-DD (1986-04-09)"),
    choice("X", "Seconds since 1970"),
    choice("x", "Milliseconds since 1970"),
];
const FORMATS_2: &[Choice] = &[
    told("custom", "Custom format", "A format of your own, written as Luxon reads it."),
    choice("MM/dd/yyyy", "MM/DD/YYYY (09/04/1986)"),
    choice("yyyy/MM/dd", "YYYY/MM/DD (1986/04/09)"),
    choice("MMMM dd yyyy", "MMMM DD YYYY (April 09 1986)"),
    choice("MM-dd-yyyy", "MM-DD-YYYY (09-04-1986)"),
    choice("yyyy-MM-dd", "YYYY-MM-DD (1986-04-09)"),
    choice("X", "Seconds since 1970"),
    choice("x", "Milliseconds since 1970"),
];

const FORMATS: &[Condition] = &[is("action", &["format"])];
const CALCULATES: &[Condition] = &[is("action", &["calculate"])];
const MOVES: &[Condition] = &[is("operation", &["addToDate", "subtractFromDate"])];

const FROM_FORMAT: ParameterDefinition =
    text("fromFormat", "How the date is written, where that is not usual.").like("dd.MM.yyyy").or_text("");
const KEEP: ParameterDefinition =
    switch("includeInputFields", "Whether the fields of the item are given as well.").or_false();
const ZONE: ParameterDefinition = text("timezone", "The zone of the result; the workflow's when empty.")
    .called("Timezone")
    .like("Europe/Berlin")
    .or_text("")
    .when(&[is("/operation", &["getCurrentDate"])]);
const IN_ZONE: ParameterDefinition =
    switch("timezone", "Whether the date is told in the workflow's zone, not in its own.")
        .called("Use workflow timezone")
        .or_false()
        .when(&[is("/operation", &["formatDate"])]);
const ISO: ParameterDefinition = switch("isoString", "Whether the result is one text, such as P1DT2H.")
    .called("Output as ISO string")
    .or_false()
    .when(&[is("/operation", &["getTimeBetweenDates"])]);

const OPTIONS_1: &[ParameterDefinition] = &[
    FROM_FORMAT,
    text("fromTimezone", "The zone of the date; the workflow's when empty.")
        .called("From timezone")
        .like("Europe/Berlin")
        .or_text("")
        .when(&[is("/action", &["format"])]),
    text("toTimezone", "The zone of the result; the workflow's when empty.")
        .called("To timezone")
        .like("Europe/Berlin")
        .or_text("")
        .when(&[is("/action", &["format"])]),
];
const OPTIONS_2: &[ParameterDefinition] =
    &[KEEP, ZONE, FROM_FORMAT.when(&[is("/operation", &["formatDate"])]), IN_ZONE, ISO];

/// The field of the result, which has another name for each operation.
const fn result(default: &'static str, operations: &'static [Condition]) -> ParameterDefinition {
    text("outputFieldName", "Field that gets the result.").or_text(default).when(operations).since(2.0)
}

/// The parameters, by version.
pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    options("action", &[choice("format", "Format a date"), choice("calculate", "Calculate a date")], "What to do.")
        .or_text("format")
        .until(1.0),
    text("value", "The date.").like("2024-05-17").until(1.0),
    options("operation", &[choice("add", "Add"), choice("subtract", "Subtract")], "Which way.")
        .or_text("add")
        .when(CALCULATES)
        .until(1.0),
    number("duration", "How much.").or_number(0.0).when(CALCULATES).until(1.0),
    options("timeUnit", UNITS, "Of what.").or_text("days").when(CALCULATES).until(1.0),
    text("dataPropertyName", "Field that gets the result.").called("Property name").or_text("data").until(1.0),
    options("toFormat", FORMATS_1, "How the date is written; an expression may give a format of moment.js.")
        .called("To format")
        .or_text("MM/DD/YYYY")
        .when(FORMATS)
        .until(1.0),
    options(
        "operation",
        &[
            choice("addToDate", "Add to a date"),
            choice("extractDate", "Extract part of a date"),
            choice("formatDate", "Format a date"),
            choice("getCurrentDate", "Get current date"),
            choice("getTimeBetweenDates", "Get time between dates"),
            choice("roundDate", "Round a date"),
            choice("subtractFromDate", "Subtract from a date"),
        ],
        "What to do.",
    )
    .or_text("getCurrentDate")
    .since(2.0),
    switch("includeTime", "Whether the time is given as well; midnight otherwise.")
        .called("Include current time")
        .or_true()
        .when(&[is("operation", &["getCurrentDate"])])
        .since(2.0),
    text("magnitude", "The date.").called("Date").like("2024-05-17").when(MOVES).since(2.0),
    options("timeUnit", UNITS, "Of what.").called("Time unit").or_text("days").when(MOVES).since(2.0),
    number("duration", "How much.").or_number(0.0).when(MOVES).since(2.0),
    text("date", "The date.")
        .like("2024-05-17")
        .when(&[is("operation", &["extractDate", "formatDate", "roundDate"])])
        .since(2.0),
    options(
        "part",
        &[
            choice("year", "Year"),
            choice("month", "Month"),
            choice("week", "Week"),
            choice("day", "Day"),
            choice("hour", "Hour"),
            choice("minute", "Minute"),
            choice("second", "Second"),
        ],
        "Which part.",
    )
    .or_text("month")
    .when(&[is("operation", &["extractDate"])])
    .since(2.0),
    options("format", FORMATS_2, "How the date is written.")
        .or_text("MM/dd/yyyy")
        .when(&[is("operation", &["formatDate"])])
        .since(2.0),
    text("customFormat", "The format, as Luxon reads it.")
        .like("yyyy-MM-dd HH:mm")
        .or_text("")
        .when(&[is("format", &["custom"])])
        .since(2.0),
    options("mode", &[choice("roundDown", "Round down"), choice("roundUp", "Round up")], "Which way.")
        .or_text("roundDown")
        .when(&[is("operation", &["roundDate"])])
        .since(2.0),
    options("toNearest", UNITS_ROUNDED, "To the beginning of what.")
        .or_text("month")
        .when(&[is("mode", &["roundDown"])])
        .since(2.0),
    options("to", UNITS_ROUNDED, "To the beginning of which next one.")
        .or_text("month")
        .when(&[is("mode", &["roundUp"])])
        .since(2.0),
    text("startDate", "The earlier date.").when(&[is("operation", &["getTimeBetweenDates"])]).since(2.0),
    text("endDate", "The later date.").when(&[is("operation", &["getTimeBetweenDates"])]).since(2.0),
    several("units", UNITS_BETWEEN, "In which units the time is told.")
        .or_json(r#"["day"]"#)
        .when(&[is("operation", &["getTimeBetweenDates"])])
        .since(2.0),
    result("currentDate", &[is("operation", &["getCurrentDate"])]),
    result("newDate", MOVES),
    result("datePart", &[is("operation", &["extractDate"])]),
    result("formattedDate", &[is("operation", &["formatDate"])]),
    result("roundedDate", &[is("operation", &["roundDate"])]),
    result("timeDifference", &[is("operation", &["getTimeBetweenDates"])]),
    collection("options", OPTIONS_1, "What else to decide.").until(1.0),
    collection("options", OPTIONS_2, "What else to decide.").since(2.0),
];
