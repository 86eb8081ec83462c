//! The pages as HTML. Every text is escaped by the template, HTML of authors goes through [`sanitised`].

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use timeloom_domain::form::{Ending, Field, FieldKind, Form};

use super::super::refusal::Refusal;
use super::check::Faults;
use super::sanitise::sanitised;
use super::submission::{PAGE, SUBMISSION, Submission, field_name};
use crate::state::ApiState;

const STYLE: &str = include_str!("form.css");
/// What the button says when the author says nothing.
const BUTTON: &str = "Submit";
/// How long a page that says that something is under way is shown before it is asked for again, in seconds.
const LOOK_AGAIN_SECONDS: u32 = 2;

/// A form to be shown.
pub(super) struct Shown<'a> {
    /// What is asked.
    pub(super) form: &'a Form,
    /// What is filled in.
    pub(super) filled: &'a Submission,
    /// What was wrong with it.
    pub(super) faults: &'a Faults,
    /// The hidden field that tells this look, or this page, from others: [`SUBMISSION`] or [`PAGE`].
    pub(super) token: (&'static str, String),
    /// Whether a draft is tried out.
    pub(super) is_test: bool,
}

/// A form.
pub(super) fn form(state: &ApiState, shown: &Shown<'_>) -> HttpResponse {
    let title = heading(&shown.form.title);
    let status = if shown.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let body = html! {
        @if shown.is_test { p.note { "This is a test of a draft. It takes one answer." } }
        h1 { (title) }
        @if !shown.form.description.is_empty() { div.description { (sanitised(&shown.form.description)) } }
        @if !shown.faults.is_empty() { (faults(shown)) }
        form method="post" enctype="multipart/form-data" {
            input type="hidden" name=(shown.token.0) value=(shown.token.1);
            @for (index, field) in shown.form.fields.iter().enumerate() { (self::field(index, field, shown)) }
            button type="submit" { (shown.form.button.as_deref().unwrap_or(BUTTON)) }
        }
    };
    let page = Page { title, css: shown.form.css.as_deref(), refresh: None, body };
    page.answer(state, HttpResponse::build(status))
}

/// What a person sees at the end. `file_link` is where the file of the page is, if it has one.
pub(super) fn ending(state: &ApiState, ending: &Ending, file_link: &str) -> HttpResponse {
    let page = match ending {
        Ending::Text { title, message, css } => {
            Page { title: heading(title), css: css.as_deref(), refresh: None, body: words(title, message) }
        }
        Ending::Html { html } => Page { title: "Form", css: None, refresh: None, body: sanitised(html) },
        Ending::File { title, message, file, css } => Page {
            title: heading(title),
            css: css.as_deref(),
            refresh: Some((0, file_link.to_owned())),
            body: html! {
                (words(title, message))
                p { a.button href=(file_link) download { "Download " (file.file_name.as_deref().unwrap_or("the file")) } }
            },
        },
        // A page that leads on, for a browser that sent a form here follows no answer to another site.
        Ending::Redirect { address } => Page {
            title: "Form submitted",
            css: None,
            refresh: Some((0, address.clone())),
            body: html! {
                h1 { "Form submitted" }
                p { "You are taken to " a href=(address) rel="noreferrer" { (address) } "." }
            },
        },
    };
    page.answer(state, HttpResponse::Ok())
}

/// The page that says that the next one is not there yet; it asks for it again by itself.
pub(super) fn working(state: &ApiState) -> HttpResponse {
    let body = html! {
        div.working {}
        h1 { "One moment" }
        p.description role="status" { "Your answers have arrived and are being worked on. This page goes on by itself." }
    };
    let refresh = Some((LOOK_AGAIN_SECONDS, String::new()));
    Page { title: "One moment", css: None, refresh, body }.answer(state, HttpResponse::Ok())
}

/// The page that says that nothing comes any more.
pub(super) fn failed(state: &ApiState) -> HttpResponse {
    let body = html! {
        h1 { "Something went wrong" }
        p.description role="alert" { "Your answers have arrived, but the workflow could not be finished. Whoever runs it can see why." }
    };
    let page = Page { title: "Something went wrong", css: None, refresh: None, body };
    page.answer(state, HttpResponse::InternalServerError())
}

/// What is not done, as a page.
pub(super) fn refusal(state: &ApiState, refusal: &Refusal) -> HttpResponse {
    let title = match refusal.status() {
        StatusCode::NOT_FOUND => "This form is not here",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "This form is closed to you",
        StatusCode::SERVICE_UNAVAILABLE => "Please try again in a moment",
        _ => "This did not work",
    };
    let (message, hint) = refusal.words();
    let body = html! {
        h1 { (title) }
        p.description role="alert" { (message) @if let Some(hint) = hint { br; (hint) } }
    };
    Page { title, css: None, refresh: None, body }.answer(state, refusal.head())
}

struct Page<'a> {
    title: &'a str,
    css: Option<&'a str>,
    /// After how many seconds which address is asked for; the same one where it is empty.
    refresh: Option<(u32, String)>,
    body: Markup,
}

impl Page<'_> {
    fn answer(&self, state: &ApiState, mut response: HttpResponseBuilder) -> HttpResponse {
        let nonce = state.commands().ids().uuid().simple().to_string();
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        let refresh = self.refresh.as_ref().map(|(seconds, address)| match address.as_str() {
            "" => seconds.to_string(),
            address => format!("{seconds}; url={address}"),
        });
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex";
                    @if let Some(refresh) = refresh { meta http-equiv="refresh" content=(refresh); }
                    title { (self.title) }
                    link rel="icon" href="data:,";
                    style nonce=(nonce) { (PreEscaped(STYLE)) }
                    @if let Some(css) = self.css { style nonce=(nonce) { (PreEscaped(rules(css))) } }
                }
                body { main { (self.body) } }
            }
        };
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        }
        response
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "same-origin"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("text/html; charset=utf-8")
            .body(page.into_string())
    }
}

/// Style rules of an author, in which nothing can end the element that they stand in.
fn rules(css: &str) -> String {
    let mut written = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once('<') {
        written.push_str(before);
        // What compares widths stays as it is.
        let begins_tag = after.starts_with(|next: char| next.is_alphabetic() || matches!(next, '/' | '!' | '?'));
        written.push_str(if begins_tag { "\\3c " } else { "<" });
        rest = after;
    }
    written.push_str(rest);
    written
}

fn heading(title: &str) -> &str {
    if title.is_empty() { "Form" } else { title }
}

fn words(title: &str, message: &str) -> Markup {
    html! {
        @if !title.is_empty() { h1 { (title) } }
        @if !message.is_empty() { div.description role="status" { (sanitised(message)) } }
    }
}

/// All that is wrong, with the way to it.
fn faults(shown: &Shown<'_>) -> Markup {
    html! {
        div.faults role="alert" {
            p { "Please look at this again:" }
            ul {
                @for (index, fault) in shown.faults {
                    @let label = shown.form.fields.get(*index).map(|field| field.label.as_str()).unwrap_or_default();
                    li { a href={ "#" (first_input(shown.form, *index)) } { (label) } ": " (fault) }
                }
            }
        }
    }
}

/// Id of the element that a fault leads to.
fn first_input(form: &Form, index: usize) -> String {
    let in_parts = matches!(
        form.fields.get(index).map(|field| &field.kind),
        Some(FieldKind::Radio { .. } | FieldKind::Checkboxes { .. })
    );
    if in_parts { format!("{}-0", field_name(index)) } else { field_name(index) }
}

fn field(index: usize, field: &Field, shown: &Shown<'_>) -> Markup {
    let name = field_name(index);
    let value = shown.filled.text(index).unwrap_or_default();
    match &field.kind {
        FieldKind::Hidden { .. } => return html! { input type="hidden" name=(name) value=(value); },
        FieldKind::Html { html } => return html! { div.field { (sanitised(html)) } },
        FieldKind::Radio { options } => return choices(index, field, (options, "radio"), shown),
        FieldKind::Checkboxes { options, .. } => return choices(index, field, (options, "checkbox"), shown),
        _ => {}
    }
    let about = About::of(index, field, shown);
    html! {
        div.field {
            label for=(name) { (field.label) @if field.required { span.required aria-hidden="true" { " *" } } }
            (about.input(&name, field, value))
            (about.notes(&name))
        }
    }
}

/// What stands around an input: what is wrong with it, and what it takes.
struct About<'a> {
    fault: Option<&'a str>,
    hint: Option<String>,
    described_by: Option<String>,
    has_focus: bool,
}

impl<'a> About<'a> {
    fn of(index: usize, field: &Field, shown: &Shown<'a>) -> Self {
        let name = field_name(index);
        let fault = shown.faults.get(&index).map(String::as_str);
        let hint = hint(field);
        let ids = [fault.map(|_| format!("{name}-fault")), hint.as_ref().map(|_| format!("{name}-hint"))];
        let ids: Vec<String> = ids.into_iter().flatten().collect();
        let has_focus = shown.faults.keys().next() == Some(&index);
        Self { fault, hint, described_by: (!ids.is_empty()).then(|| ids.join(" ")), has_focus }
    }

    fn notes(&self, name: &str) -> Markup {
        html! {
            @if let Some(hint) = &self.hint { p.hint id={ (name) "-hint" } { (hint) } }
            @if let Some(fault) = self.fault { p.fault id={ (name) "-fault" } { (fault) } }
        }
    }

    fn input(&self, name: &str, field: &Field, value: &str) -> Markup {
        let (described_by, required, focus) = (self.described_by.as_deref(), field.required, self.has_focus);
        let invalid = self.fault.map(|_| "true");
        let placeholder = Some(field.placeholder.as_str()).filter(|text| !text.is_empty());
        match &field.kind {
            FieldKind::TextArea => html! {
                textarea id=(name) name=(name) placeholder=[placeholder] required[required] autofocus[focus]
                    aria-invalid=[invalid] aria-describedby=[described_by] { "\n" (value) }
            },
            FieldKind::Dropdown { options } => html! {
                select id=(name) name=(name) required[required] autofocus[focus] aria-invalid=[invalid]
                    aria-describedby=[described_by] {
                    option value="" { (placeholder.unwrap_or("Select an option")) }
                    @for option in options { option value=(option) selected[option == value] { (option) } }
                }
            },
            FieldKind::File { multiple, accepts } => html! {
                input type="file" id=(name) name=(name) multiple[*multiple] required[required] autofocus[focus]
                    accept=[(!accepts.is_empty()).then(|| accepts.join(","))] aria-invalid=[invalid]
                    aria-describedby=[described_by];
            },
            kind => {
                let (input_type, value, step) = match kind {
                    FieldKind::Number => ("number", Some(value), Some("any")),
                    FieldKind::Email => ("email", Some(value), None),
                    FieldKind::Password => ("password", None, None),
                    FieldKind::Date { .. } => ("date", Some(value), None),
                    _ => ("text", Some(value), None),
                };
                html! {
                    input type=(input_type) id=(name) name=(name) value=[value] step=[step] placeholder=[placeholder]
                        required[required] autofocus[focus] aria-invalid=[invalid] aria-describedby=[described_by];
                }
            }
        }
    }
}

/// A list that is shown whole.
fn choices(index: usize, field: &Field, (options, input_type): (&[String], &str), shown: &Shown<'_>) -> Markup {
    let name = field_name(index);
    let about = About::of(index, field, shown);
    let chosen = shown.filled.texts(index);
    // A browser cannot be told that one of several boxes is needed.
    let required = field.required && input_type == "radio";
    html! {
        fieldset.field aria-describedby=[about.described_by.as_deref()] {
            legend { (field.label) @if field.required { span.required aria-hidden="true" { " *" } } }
            @for (number, option) in options.iter().enumerate() {
                label.option for={ (name) "-" (number) } {
                    input type=(input_type) id={ (name) "-" (number) } name=(name) value=(option)
                        checked[chosen.contains(option)] required[required]
                        autofocus[about.has_focus && number == 0] aria-invalid=[about.fault.map(|_| "true")];
                    span { (option) }
                }
            }
            (about.notes(&name))
        }
    }
}

fn hint(field: &Field) -> Option<String> {
    match &field.kind {
        FieldKind::File { multiple, accepts } => {
            let many = if *multiple { "One file or more" } else { "One file" };
            Some(if accepts.is_empty() { many.to_owned() } else { format!("{many}: {}", accepts.join(", ")) })
        }
        FieldKind::Checkboxes { at_least, at_most, .. } => match (at_least, at_most) {
            (Some(least), Some(most)) if least == most => Some(format!("Choose {least}")),
            (Some(least), Some(most)) => Some(format!("Choose {least} to {most}")),
            (Some(least), None) => Some(format!("Choose at least {least}")),
            (None, Some(most)) => Some(format!("Choose at most {most}")),
            (None, None) => None,
        },
        _ => None,
    }
}

/// The hidden field of a form that starts an execution.
pub(super) fn look(state: &ApiState) -> (&'static str, String) {
    (SUBMISSION, state.commands().ids().uuid().simple().to_string())
}

/// The hidden field of a page in the middle of an execution.
pub(super) fn page_token(marker: &str) -> (&'static str, String) {
    (PAGE, marker.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_rules_stay_within_their_element() {
        assert_eq!(rules("h1 { color: red } @media (width < 30rem) {}"), "h1 { color: red } @media (width < 30rem) {}");
        assert_eq!(rules("</style><script>x</SCRIPT><!--"), "\\3c /style>\\3c script>x\\3c /SCRIPT>\\3c !--");
    }
}
