//! Rules of the Workflow aggregate.

use std::sync::Arc;

use timeloom_domain::definition::{Node, Settings};
use timeloom_domain::workflow::{Folder, InvalidFolder, Workflow, WorkflowCommand, WorkflowEvent, WorkflowRefusal};

use crate::given::given;
use crate::samples::{definition, item};

fn created() -> WorkflowEvent {
    WorkflowEvent::WorkflowCreated { definition: definition("first") }
}

fn settings() -> Settings {
    Settings { timezone: Some("Europe/Berlin".to_owned()), ..Settings::default() }
}

fn pins(node: &str, number: Option<i64>) -> WorkflowCommand {
    WorkflowCommand::ChangePins { node: node.to_owned(), items: number.map(|number| vec![item(number)]) }
}

fn pinned(node: &str, number: Option<i64>) -> WorkflowEvent {
    WorkflowEvent::WorkflowPinsChanged { node: node.to_owned(), items: number.map(|number| vec![item(number)]) }
}

#[test]
fn a_new_workflow_is_created_once() {
    let create = || WorkflowCommand::Create { definition: definition("first") };
    given::<Workflow>([]).when(create()).then([created()]);
    given::<Workflow>([created()]).when(create()).refused(WorkflowRefusal::AlreadyExists);
    given::<Workflow>([created(), WorkflowEvent::WorkflowArchived {}])
        .when(create())
        .refused(WorkflowRefusal::AlreadyExists);
}

#[test]
fn an_update_replaces_the_draft_and_the_same_again_changes_nothing() {
    let update = |name| WorkflowCommand::Update { definition: definition(name) };
    let updated = WorkflowEvent::WorkflowUpdated { definition: definition("second") };
    given::<Workflow>([created()]).when(update("second")).then([updated.clone()]);
    given::<Workflow>([created()]).when(update("first")).changes_nothing();
    let workflow = given::<Workflow>([created(), updated]).state;
    assert_eq!(workflow.definition(None).unwrap().name, "second");
}

#[test]
fn nodes_are_replaced_as_long_as_they_are_what_the_replacement_was_made_for() {
    let first = definition("first");
    let was = first.nodes.last().unwrap().clone();
    let new = Node { node_type: "n8n-nodes-base.httpRequest".to_owned(), ..was.clone() };
    let replace = |was: &Node| WorkflowCommand::ReplaceNodes { replacements: vec![(was.clone(), new.clone())] };
    let mut changed = (*first).clone();
    changed.replace_nodes([&new]);
    let updated = WorkflowEvent::WorkflowUpdated { definition: Arc::new(changed) };
    given::<Workflow>([created()]).when(replace(&was)).then([updated.clone()]);
    given::<Workflow>([created(), updated]).when(replace(&was)).changes_nothing();
    given::<Workflow>([created()]).when(WorkflowCommand::ReplaceNodes { replacements: Vec::new() }).changes_nothing();
    let older = Node { notes: Some("before".to_owned()), ..was.clone() };
    given::<Workflow>([created()]).when(replace(&older)).refused(WorkflowRefusal::ChangedNode(was.name.clone()));
    let gone = Node { name: "Gone".to_owned(), ..was.clone() };
    given::<Workflow>([created()]).when(replace(&gone)).refused(WorkflowRefusal::UnknownNode("Gone".to_owned()));
    given::<Workflow>([]).when(replace(&was)).refused(WorkflowRefusal::NotFound);
}

#[test]
fn publishing_numbers_versions_and_an_unchanged_draft_is_not_published_twice() {
    let published = |version| WorkflowEvent::WorkflowVersionPublished { version };
    let updated = || WorkflowEvent::WorkflowUpdated { definition: definition("second") };
    given::<Workflow>([created()]).when(WorkflowCommand::Publish).then([published(1)]);
    given::<Workflow>([created(), published(1)]).when(WorkflowCommand::Publish).changes_nothing();
    given::<Workflow>([created(), published(1), updated()]).when(WorkflowCommand::Publish).then([published(2)]);
}

#[test]
fn a_published_version_stays_what_it_was_when_the_draft_changes() {
    let workflow = given::<Workflow>([
        created(),
        WorkflowEvent::WorkflowVersionPublished { version: 1 },
        WorkflowEvent::WorkflowSettingsChanged { settings: settings() },
        pinned("Set", Some(5)),
    ])
    .state;
    let (version, draft) = (workflow.definition(Some(1)).unwrap(), workflow.definition(None).unwrap());
    assert_eq!(version.settings, Settings::default());
    assert!(version.pin_data.is_empty());
    assert_eq!(draft.settings.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(draft.pin_data["Set"], vec![item(5)]);
    assert_eq!(workflow.definition(Some(2)), None);
}

#[test]
fn settings_are_replaced_and_the_same_again_changes_nothing() {
    let change = || WorkflowCommand::ChangeSettings { settings: settings() };
    let changed = || WorkflowEvent::WorkflowSettingsChanged { settings: settings() };
    given::<Workflow>([created()]).when(change()).then([changed()]);
    given::<Workflow>([created(), changed()]).when(change()).changes_nothing();
}

#[test]
fn pins_are_set_and_taken_away_for_nodes_of_the_draft_only() {
    given::<Workflow>([created()]).when(pins("Set", Some(1))).then([pinned("Set", Some(1))]);
    given::<Workflow>([created(), pinned("Set", Some(1))]).when(pins("Set", Some(1))).changes_nothing();
    given::<Workflow>([created(), pinned("Set", Some(1))]).when(pins("Set", None)).then([pinned("Set", None)]);
    given::<Workflow>([created(), pinned("Set", Some(1)), pinned("Set", None)])
        .when(pins("Set", None))
        .changes_nothing();
    given::<Workflow>([created()])
        .when(pins("Nobody", Some(1)))
        .refused(WorkflowRefusal::UnknownNode("Nobody".to_owned()));
}

#[test]
fn it_is_moved_into_a_folder_and_out_again() {
    let folder = |path: &str| Folder::try_new(path).unwrap();
    let to = |path: &str| WorkflowCommand::Move { folder: folder(path) };
    let moved = |path: &str| WorkflowEvent::WorkflowMoved { folder: folder(path) };
    given::<Workflow>([created()]).when(to("Billing/Late")).then([moved("Billing/Late")]);
    given::<Workflow>([created(), moved("Billing")]).when(to("Billing")).changes_nothing();
    given::<Workflow>([created(), moved("Billing")]).when(to("")).then([moved("")]);
    given::<Workflow>([created()]).when(to("")).changes_nothing();
    for wrong in ["/", "a/", "/a", "a//b", " a", "a/b ", "a\nb", "1/2/3/4/5/6/7/8/9", &"x".repeat(61)] {
        assert_eq!(Folder::try_new(wrong), Err(InvalidFolder), "{wrong}");
    }
}

#[test]
fn an_archived_workflow_takes_no_changes() {
    let archived = WorkflowEvent::WorkflowArchived {};
    given::<Workflow>([created()]).when(WorkflowCommand::Archive).then([archived.clone()]);
    given::<Workflow>([created(), archived.clone()]).when(WorkflowCommand::Archive).changes_nothing();
    for command in changes() {
        given::<Workflow>([created(), archived.clone()]).when(command).refused(WorkflowRefusal::Archived);
    }
}

#[test]
fn what_was_put_away_is_taken_out_again_and_is_not_active_then() {
    let events = [
        created(),
        WorkflowEvent::WorkflowVersionPublished { version: 1 },
        WorkflowEvent::WorkflowActivated { version: 1 },
        WorkflowEvent::WorkflowArchived {},
    ];
    given::<Workflow>(events.clone()).when(WorkflowCommand::Unarchive).then([WorkflowEvent::WorkflowUnarchived {}]);
    given::<Workflow>([created()]).when(WorkflowCommand::Unarchive).changes_nothing();
    given::<Workflow>([]).when(WorkflowCommand::Unarchive).refused(WorkflowRefusal::NotFound);
    let taken_out = given::<Workflow>(events.into_iter().chain([WorkflowEvent::WorkflowUnarchived {}]));
    assert_eq!((taken_out.state.archived, taken_out.state.active_version), (false, None));
    taken_out.when(WorkflowCommand::Activate { version: None }).then([WorkflowEvent::WorkflowActivated { version: 1 }]);
}

#[test]
fn a_workflow_that_never_was_takes_no_changes() {
    for command in changes() {
        given::<Workflow>([]).when(command).refused(WorkflowRefusal::NotFound);
    }
    given::<Workflow>([]).when(WorkflowCommand::Archive).refused(WorkflowRefusal::NotFound);
}

fn changes() -> Vec<WorkflowCommand> {
    vec![
        WorkflowCommand::Update { definition: definition("second") },
        WorkflowCommand::Publish,
        WorkflowCommand::ChangeSettings { settings: settings() },
        pins("Set", Some(1)),
        WorkflowCommand::Move { folder: Folder::try_new("Billing").unwrap() },
    ]
}
