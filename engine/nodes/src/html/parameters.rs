//! The parameters of HTML and HTML Extract.

use timeloom_domain::catalogue::{Condition, Language, ParameterDefinition};

use crate::describe::{choice, code, collection, is, list, many, options, switch, text, told};

const SOURCE: ParameterDefinition = options(
    "sourceData",
    &[choice("binary", "Binary"), choice("json", "JSON")],
    "Whether an attachment or a field holds the HTML.",
)
.or_text("json");
const FIELD: ParameterDefinition = text("dataPropertyName", "Field that holds the HTML.")
    .called("JSON property")
    .or_text("data")
    .when(&[is("sourceData", &["json"])]);
const ATTACHMENT: ParameterDefinition = text("dataPropertyName", "Attachment that holds the HTML.")
    .called("Input binary field")
    .or_text("data")
    .when(&[is("sourceData", &["binary"])]);

const KEY: ParameterDefinition = text("key", "Field that gets the value.").like("title");
const SELECTOR: ParameterDefinition = text("cssSelector", "Which elements.").called("CSS selector").like(".price");
const GIVES: ParameterDefinition = options(
    "returnValue",
    &[
        told("attribute", "Attribute", "An attribute, such as class."),
        told("html", "HTML", "The HTML inside of the element."),
        told("text", "Text", "The text of the element."),
        told("value", "Value", "The value of a field of a form."),
    ],
    "What of an element is given.",
)
.or_text("text");
const ATTRIBUTE: ParameterDefinition =
    text("attribute", "Name of the attribute.").like("class").or_text("").when(&[is("returnValue", &["attribute"])]);
const SKIPPED: ParameterDefinition = text("skipSelectors", "Elements whose text is left out, with commas between.")
    .like("img, .advert")
    .or_text("")
    .when(&[is("returnValue", &["text"])])
    .since(1.2);
const AS_LIST: ParameterDefinition =
    switch("returnArray", "Whether a list of all elements is given, and not one text.").or_false();

const VALUES: ParameterDefinition = list(
    "extractionValues",
    &[many("values", "Value", &[KEY, SELECTOR, GIVES, ATTRIBUTE, SKIPPED, AS_LIST])],
    "What to take.",
);
const OLD_VALUES: ParameterDefinition =
    list("extractionValues", &[many("values", "Value", &[KEY, SELECTOR, GIVES, ATTRIBUTE, AS_LIST])], "What to take.");

const EXTRACTS: &[Condition] = &[is("operation", &["extractHtmlContent"])];

const TABLE_OPTIONS: &[ParameterDefinition] = &[
    switch("capitalize", "Whether names of fields are written as titles.").called("Capitalize headers").or_false(),
    switch("customStyling", "Whether the table comes without any style.").or_false(),
    text("caption", "What stands above the table.").or_text(""),
    text("tableAttributes", "Attributes of the table.").like("class=wide").or_text(""),
    text("headerAttributes", "Attributes of its head.").or_text(""),
    text("rowAttributes", "Attributes of each row.").or_text(""),
    text("cellAttributes", "Attributes of each cell.").or_text(""),
];

/// Those of HTML Extract, which trims unless told otherwise.
pub(super) const EXTRACT_PARAMETERS: &[ParameterDefinition] = &[
    SOURCE,
    FIELD,
    ATTACHMENT,
    OLD_VALUES,
    collection(
        "options",
        &[switch("trimValues", "Whether blanks at both ends are left out.").or_true()],
        "What else to decide.",
    ),
];

/// Those of HTML.
pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("generateHtmlTemplate", "Generate HTML template", "Fills the expressions of a template."),
            told("extractHtmlContent", "Extract HTML content", "Takes values out of HTML."),
            told("convertToHtmlTable", "Convert to HTML table", "Makes one table of all items."),
        ],
        "What to do.",
    )
    .or_text("generateHtmlTemplate"),
    code("html", Language::Html, "The template, with expressions between {{ and }}.")
        .called("HTML template")
        .or_text("")
        .when(&[is("operation", &["generateHtmlTemplate"])]),
    SOURCE.when(EXTRACTS),
    FIELD,
    ATTACHMENT,
    VALUES.when(EXTRACTS),
    collection(
        "options",
        &[
            switch("trimValues", "Whether blanks at both ends are left out.").or_false(),
            switch("cleanUpText", "Whether line ends and several blanks become one blank.").or_false(),
        ],
        "What else to decide.",
    )
    .when(EXTRACTS),
    collection("options", TABLE_OPTIONS, "What else to decide.").when(&[is("operation", &["convertToHtmlTable"])]),
];
