//! The parameters that nodes with forms and waits have in common.

use timeloom_domain::catalogue::{Choice, Condition, Language, ParameterDefinition};
use timeloom_domain::form::SUBMITTED;

use crate::describe::{
    choice, code, date_time, is, list, long_text, many, number, on, one, options, switch, text, told,
};

/// Units of a wait.
pub(crate) const UNITS: &[Choice] =
    &[choice("seconds", "Seconds"), choice("minutes", "Minutes"), choice("hours", "Hours"), choice("days", "Days")];

/// Whether a wait ends by itself.
pub(crate) const LIMIT_WAIT: ParameterDefinition =
    switch("limitWaitTime", "Whether the wait ends by itself.").or_false();
/// How.
pub(crate) const LIMIT_TYPE: ParameterDefinition = options(
    "limitType",
    &[choice("afterTimeInterval", "After time interval"), choice("atSpecifiedTime", "At specified time")],
    "Whether it ends after an interval or at a time.",
)
.or_text("afterTimeInterval")
.when(&[on("limitWaitTime")]);
/// After how long.
pub(crate) const LIMIT_AMOUNT: ParameterDefinition = number("resumeAmount", "After how long it ends, in the unit.")
    .called("Amount")
    .or_number(1.0)
    .when(&[is("limitType", &["afterTimeInterval"])]);
/// In which unit.
pub(crate) const LIMIT_UNIT: ParameterDefinition = options("resumeUnit", UNITS, "Unit of that amount.")
    .called("Unit")
    .or_text("hours")
    .when(&[is("limitType", &["afterTimeInterval"])]);
/// Or when.
pub(crate) const LIMIT_MOMENT: ParameterDefinition =
    date_time("maxDateAndTime", "When it ends, in the workflow's time zone.")
        .called("Max date and time")
        .when(&[is("limitType", &["atSpecifiedTime"])]);

const TYPES: &[Choice] = &[
    choice("checkbox", "Checkboxes"),
    choice("html", "Custom HTML"),
    choice("date", "Date"),
    choice("dropdown", "Dropdown"),
    choice("email", "Email"),
    choice("file", "File"),
    choice("hiddenField", "Hidden field"),
    choice("number", "Number"),
    choice("password", "Password"),
    choice("radio", "Radio buttons"),
    choice("text", "Text"),
    choice("textarea", "Textarea"),
];
const WRITTEN: &[Condition] = &[is("fieldType", &["email", "number", "password", "text", "textarea"])];

const FIELD: &[ParameterDefinition] = &[
    text("fieldLabel", "What stands above the field.").called("Label").like("What is your name?"),
    text("fieldName", "Name of the answer; the label when empty.").like("name"),
    options("fieldType", TYPES, "What is asked.").called("Element type").or_text("text"),
    text("elementName", "Name of the element, where its HTML is given with the answers.")
        .when(&[is("fieldType", &["html"])]),
    text("placeholder", "An example in the empty field.").when(WRITTEN),
    text("defaultValue", "What stands in the field at first.")
        .when(&[is("fieldType", &["checkbox", "date", "dropdown", "email", "number", "radio", "text", "textarea"])]),
    text("fieldValue", "The value that goes along.").when(&[is("fieldType", &["hiddenField"])]),
    list("fieldOptions", &[many("values", "Option", &[text("option", "What may be chosen.")])], "What may be chosen.")
        .when(&[is("fieldType", &["checkbox", "dropdown", "radio"])]),
    switch("multiselect", "Whether several may be chosen.")
        .called("Multiple choice")
        .or_false()
        .when(&[is("fieldType", &["dropdown"])]),
    options(
        "limitSelection",
        &[choice("exact", "Exact number"), choice("range", "Range"), choice("unlimited", "Unlimited")],
        "How many may be chosen.",
    )
    .or_text("unlimited")
    .when(&[is("fieldType", &["checkbox"])]),
    number("numberOfSelections", "How many have to be chosen.").when(&[is("limitSelection", &["exact"])]),
    number("minSelections", "How many have to be chosen at least.")
        .called("Minimum selections")
        .when(&[is("limitSelection", &["range"])]),
    number("maxSelections", "How many may be chosen at most.")
        .called("Maximum selections")
        .when(&[is("limitSelection", &["range"])]),
    code("html", Language::Html, "Simple HTML that is shown.").called("HTML").when(&[is("fieldType", &["html"])]),
    switch("multipleFiles", "Whether several files may be sent.").or_true().when(&[is("fieldType", &["file"])]),
    text("acceptFileTypes", "Endings of files, with commas between; all when empty.")
        .called("Accepted file types")
        .like(".jpg, .png")
        .when(&[is("fieldType", &["file"])]),
    text("formatDate", "How the answer is written, as Luxon reads it.")
        .called("Date format")
        .like("yyyy-MM-dd")
        .when(&[is("fieldType", &["date"])]),
    switch("requiredField", "Whether it must be filled in.").or_false().when(&[is("fieldType", ASKED)]),
];
/// The types that ask something.
const ASKED: &[&str] =
    &["checkbox", "date", "dropdown", "email", "file", "number", "password", "radio", "text", "textarea"];

/// What a form asks.
pub(crate) const FORM_FIELDS: ParameterDefinition =
    list("formFields", &[many("values", "Form element", FIELD)], "What is asked.").called("Form elements");
/// Its heading.
pub(crate) const TITLE: ParameterDefinition = text("formTitle", "Heading of the page.").like("Contact us");
/// What stands below it.
pub(crate) const DESCRIPTION: ParameterDefinition =
    long_text("formDescription", "What stands below the heading; simple HTML.").like("We answer soon");
/// Its button.
pub(crate) const BUTTON: ParameterDefinition = text("buttonLabel", "What the button says.").like("Submit");
/// Its style.
pub(crate) const STYLE: ParameterDefinition =
    code("customCss", Language::Css, "Style rules for the page.").called("Custom form styling");
/// What a person sees at the end.
pub(crate) const ENDING: ParameterDefinition = list(
    "respondWithOptions",
    &[one(
        "values",
        "Form response",
        &[
            options(
                "respondWith",
                &[choice("text", "Form submitted text"), told("redirect", "Redirect URL", "Leads to another page.")],
                "What is shown when the form is sent.",
            )
            .or_text("text"),
            text("formSubmittedText", "The words.")
                .called("Text to show")
                .or_text(SUBMITTED)
                .when(&[is("respondWith", &["text"])]),
            text("redirectUrl", "The page.")
                .called("URL to redirect to")
                .like("https://example.com")
                .when(&[is("respondWith", &["redirect"])]),
        ],
    )],
    "What is shown when the form is sent.",
)
.called("Form response");
