//! Rules of the Plugin aggregate.

use timeloom_domain::plugin::{Plugin, PluginCommand, PluginEvent, PluginRefusal};

use crate::given::given;
use crate::samples::slug;

fn registered() -> PluginEvent {
    PluginEvent::PluginRegistered { name: slug("acme/mailer"), description: "Sends mail.".to_owned() }
}

fn added(version: &str, digit: &str) -> PluginEvent {
    PluginEvent::PluginVersionAdded { version: version.to_owned(), digest: digit.repeat(64) }
}

fn add(version: &str, digit: &str) -> PluginCommand {
    PluginCommand::AddVersion { version: version.to_owned(), digest: digit.repeat(64) }
}

fn enable(version: &str) -> PluginCommand {
    PluginCommand::Enable { version: version.to_owned() }
}

fn enabled(version: &str) -> PluginEvent {
    PluginEvent::PluginEnabled { version: version.to_owned() }
}

fn disable() -> PluginCommand {
    PluginCommand::Disable { reason: "it leaks".to_owned() }
}

fn disabled() -> PluginEvent {
    PluginEvent::PluginDisabled { reason: "it leaks".to_owned() }
}

#[test]
fn a_name_is_registered_once() {
    let register = || PluginCommand::Register { name: slug("acme/mailer"), description: "Sends mail.".to_owned() };
    given::<Plugin>([]).when(register()).then([registered()]);
    given::<Plugin>([registered()]).when(register()).refused(PluginRefusal::AlreadyRegistered);
}

#[test]
fn a_version_never_changes_its_content() {
    given::<Plugin>([registered()]).when(add("1.0.0", "a")).then([added("1.0.0", "a")]);
    given::<Plugin>([registered(), added("1.0.0", "a")]).when(add("1.0.0", "a")).changes_nothing();
    given::<Plugin>([registered(), added("1.0.0", "a")])
        .when(add("1.0.0", "b"))
        .refused(PluginRefusal::VersionTaken("1.0.0".to_owned()));
}

#[test]
fn a_digest_is_the_same_in_capitals() {
    given::<Plugin>([registered()]).when(add("1.0.0", "A")).then([added("1.0.0", "a")]);
    given::<Plugin>([registered(), added("1.0.0", "a")]).when(add("1.0.0", "A")).changes_nothing();
}

#[test]
fn a_digest_that_is_none_is_refused() {
    for digest in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
        given::<Plugin>([registered()])
            .when(PluginCommand::AddVersion { version: "1".to_owned(), digest: digest.to_owned() })
            .refused(PluginRefusal::InvalidDigest(digest.chars().take(64).collect()));
    }
}

#[test]
fn only_a_known_version_is_enabled_and_only_an_enabled_one_disabled() {
    given::<Plugin>([registered(), added("1", "a")]).when(enable("1")).then([enabled("1")]);
    given::<Plugin>([registered(), added("1", "a"), enabled("1")]).when(enable("1")).changes_nothing();
    given::<Plugin>([registered()]).when(enable("1")).refused(PluginRefusal::UnknownVersion("1".to_owned()));
    given::<Plugin>([registered(), added("1", "a"), enabled("1")]).when(disable()).then([disabled()]);
    given::<Plugin>([registered(), added("1", "a"), enabled("1"), disabled()]).when(disable()).changes_nothing();
}

#[test]
fn a_retired_plugin_is_enabled_no_more_and_takes_no_changes() {
    let retired = PluginEvent::PluginRetired {};
    let history = [registered(), added("1", "a"), enabled("1"), retired.clone()];
    given::<Plugin>([registered()]).when(PluginCommand::Retire).then([retired]);
    given::<Plugin>(history.clone()).when(PluginCommand::Retire).changes_nothing();
    for command in [add("2", "b"), enable("1"), disable()] {
        given::<Plugin>(history.clone()).when(command).refused(PluginRefusal::Retired);
    }
    assert_eq!(given::<Plugin>(history).state.enabled_version, None);
}

#[test]
fn a_plugin_that_never_was_takes_no_changes() {
    for command in [add("2", "b"), enable("1"), disable(), PluginCommand::Retire] {
        given::<Plugin>([]).when(command).refused(PluginRefusal::NotFound);
    }
}
