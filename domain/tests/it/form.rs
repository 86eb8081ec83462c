//! Forms, as the parameters of nodes describe them.

use serde_json::{Value, json};
use timeloom_domain::form::{Ending, FIELDS_MAX, FieldKind, Form, FormError, OPTIONS_MAX};

fn read(fields: Value) -> Result<Form, FormError> {
    Form::read(&json!({ "formTitle": "T", "formFields": { "values": fields }, "options": { "buttonLabel": "Go" } }))
}

fn kind(field: Value) -> FieldKind {
    read(json!([field])).unwrap().fields.remove(0).kind
}

#[test]
fn fields_are_read_as_every_version_writes_them() {
    let options = json!({ "values": [{ "option": "a" }, { "option": "" }, { "option": 2 }] });
    let two = || vec!["a".to_owned(), "2".to_owned()];
    let list = |more: Value| {
        let mut field = json!({ "fieldLabel": "L", "fieldType": "dropdown", "fieldOptions": options });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        kind(field)
    };
    assert_eq!(list(json!({})), FieldKind::Dropdown { options: two() });
    let any = |at_least, at_most| FieldKind::Checkboxes { options: two(), at_least, at_most };
    assert_eq!(list(json!({ "multiselect": true })), any(None, None));
    let range = json!({ "fieldType": "checkbox", "limitSelection": "range", "minSelections": 1, "maxSelections": "2" });
    assert_eq!(list(range), any(Some(1), Some(2)));
    let exact = json!({ "fieldType": "checkbox", "limitSelection": "exact", "numberOfSelections": 2 });
    assert_eq!(list(exact), any(Some(2), Some(2)));
    let file = |multiple, accepts: &[&str]| FieldKind::File {
        multiple,
        accepts: accepts.iter().map(|accepted| (*accepted).to_owned()).collect(),
    };
    let papers = json!({ "fieldLabel": "F", "fieldType": "file", "acceptFileTypes": ".PDF , image/*," });
    assert_eq!(kind(papers), file(true, &[".pdf", "image/*"]));
    assert_eq!(kind(json!({ "fieldLabel": "F", "fieldType": "file", "multipleFiles": false })), file(false, &[]));

    let form = read(json!([
        { "fieldLabel": "Your name" },
        { "fieldLabel": "Age", "fieldName": "age", "fieldType": "number", "defaultValue": 3, "requiredField": true },
        { "fieldName": "source", "fieldType": "hiddenField", "fieldValue": "web" },
        { "fieldType": "html", "html": "<b>x</b>", "elementName": "note" }
    ]))
    .unwrap();
    let names: Vec<(&str, &str)> =
        form.fields.iter().map(|field| (field.name.as_str(), field.label.as_str())).collect();
    assert_eq!(names, [("Your name", "Your name"), ("age", "Age"), ("source", "source"), ("note", "note")]);
    assert_eq!((form.fields[1].default.as_slice(), form.fields[1].required), (["3".to_owned()].as_slice(), true));
    assert_eq!((form.title.as_str(), form.button.as_deref()), ("T", Some("Go")));
    assert_eq!(Form::read(&json!({})), Ok(Form::default()), "a form may be nothing but its button");
}

#[test]
fn what_is_no_form_is_told_with_its_field() {
    let many = vec![json!({ "fieldLabel": "x" }); FIELDS_MAX + 1];
    let options = vec![json!({ "option": "x" }); OPTIONS_MAX + 1];
    let crowded = json!({ "fieldLabel": "C", "fieldType": "radio", "fieldOptions": { "values": options } });
    let large = json!({ "fieldType": "html", "html": "x".repeat(600 << 10) });
    for (fields, says) in [
        (json!(many), "the form has 201 fields"),
        (json!([crowded]), "field 'C' has 1001 options"),
        (json!([large]), "the form has 614"),
        (json!("x"), "the fields of the form are not a list"),
        (json!([1]), "the fields of the form are not a list"),
        (json!([{ "fieldLabel": "" }]), "field 1 of the form has no label and no name"),
        (json!([{ "fieldLabel": "S", "fieldType": "star" }]), "field 'S' is of the type 'star', which is not known"),
    ] {
        let error = read(fields).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn an_ending_is_read_from_the_options_of_every_version() {
    let text =
        |message: &str| Ending::Text { title: "Form submitted".to_owned(), message: message.to_owned(), css: None };
    assert_eq!(Ending::read(&json!({ "formSubmittedText": "Thanks" })), Ok(text("Thanks")));
    assert_eq!(Ending::read(&Value::Null), Ok(Ending::default()));
    let chosen = |values: Value| Ending::read(&json!({ "respondWithOptions": { "values": values } }));
    assert_eq!(chosen(json!({ "respondWith": "text", "formSubmittedText": "Bye" })), Ok(text("Bye")));
    let address = "http://example.org".to_owned();
    assert_eq!(
        chosen(json!({ "respondWith": "redirect", "redirectUrl": "example.org" })),
        Ok(Ending::Redirect { address })
    );
    assert_eq!(chosen(json!({ "respondWith": "redirect" })), Err(String::new()));
}
