//! What changes of plugins are to `timeloom bisect`: candidates like edits of the workflow, where a definition between the two runs
//! has a node type of theirs switched on.
//!
//! This build runs the code of its own node types alone. Invariant: a definition with a node whose code is not here is never
//! said to be good or bad, so that a change of its plugin stays among those that may have done it.

use serde_json::Value;
use timeloom_domain::definition::Node;
use timeloom_domain::plugin::package_of;

use super::output;

/// Whether a change between the two runs is one of a plugin that may have made a run come out otherwise: workflows may use
/// another version since, and one of its node types is switched on in a definition.
pub(super) fn is_candidate(change: &Value) -> bool {
    let is_used = change["nodeTypes"].as_array().is_some_and(|types| !types.is_empty());
    change["kind"] == "PLUGIN" && change["fromVersion"] != change["toVersion"] && is_used
}

/// The version of a plugin that workflows could use after so many of the candidates; `None` where none of them is of that
/// plugin. Null within where workflows could use none.
fn version_at<'c>(candidates: &'c [Value], point: usize, plugin: &str) -> Option<&'c Value> {
    let is_its = |change: &&Value| change["kind"] == "PLUGIN" && change["streamId"] == *plugin;
    let (done, open) = candidates.split_at_checked(point)?;
    let before = || open.iter().find(is_its).map(|change| &change["fromVersion"]);
    done.iter().rev().find(is_its).map(|change| &change["toVersion"]).or_else(before)
}

/// The plugins with candidates and which version of each workflows could use after so many of them; null where there are none.
pub(super) fn versions_at(candidates: &[Value], point: usize) -> Value {
    let plugins = candidates.iter().filter(|change| change["kind"] == "PLUGIN");
    let named = plugins.map(|change| output::text(change, "/streamId"));
    let versions = named.filter_map(|name| {
        let version = version_at(candidates, point, &name)?.clone();
        Some((name, version))
    });
    let versions: serde_json::Map<String, Value> = versions.collect();
    if versions.is_empty() { Value::Null } else { Value::Object(versions) }
}

/// Why a definition with this node, whose code is not here, cannot be tried; `None` where no candidate is of its plugin.
pub(super) fn cannot_be_tried(candidates: &[Value], point: usize, node: &Node) -> Option<String> {
    let plugin = package_of(&node.node_type)?;
    let version = version_at(candidates, point, plugin)?;
    let version = version.as_str().map_or_else(
        || "of which workflows could use no version".to_owned(),
        |version| format!("version {version}, whose code this build does not run"),
    );
    Some(format!("it cannot be tried: '{}' ({}) is of plugin {plugin}, {version}", node.name, node.node_type))
}

/// The candidates of plugins with a node type that `has_code` denies: what they did is not known.
pub(super) fn untried(candidates: &[Value], has_code: impl Fn(&str) -> bool) -> Vec<Value> {
    let lacks = |change: &&Value| {
        let mut types = change["nodeTypes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        change["kind"] == "PLUGIN" && types.any(|node_type| !has_code(node_type))
    };
    candidates.iter().filter(lacks).cloned().collect()
}

/// How many changes are searched through, in words.
pub(super) fn counted(candidates: &[Value]) -> String {
    let plugins = candidates.iter().filter(|change| change["kind"] == "PLUGIN").count();
    let workflow = candidates.len() - plugins;
    match plugins {
        0 => format!("{workflow} changes of the workflow lie between the two runs"),
        _ => {
            format!("{workflow} changes of the workflow and {plugins} of plugins that it uses lie between the two runs")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edit(revision: u64) -> Value {
        json!({ "kind": "WORKFLOW", "streamId": "0191", "revision": revision, "nodeTypes": [] })
    }

    fn plugin(from: Option<&str>, to: Option<&str>) -> Value {
        let types = json!(["acme-mail.send"]);
        json!({ "kind": "PLUGIN", "streamId": "acme-mail", "fromVersion": from, "toVersion": to, "nodeTypes": types })
    }

    fn node(node_type: &str) -> Node {
        serde_json::from_value(json!({ "name": "Mail", "type": node_type })).unwrap()
    }

    #[test]
    fn a_plugin_is_a_candidate_where_it_is_used_and_another_version_may_be() {
        assert!(is_candidate(&plugin(Some("1.2.0"), Some("1.3.0"))) && is_candidate(&plugin(Some("1"), None)));
        assert!(!is_candidate(&plugin(Some("1"), Some("1"))), "a version that was added is not used by that");
        let unused = json!({ "kind": "PLUGIN", "fromVersion": null, "toVersion": "1", "nodeTypes": [] });
        assert!(!is_candidate(&unused) && !is_candidate(&edit(2)));
    }

    #[test]
    fn the_version_of_a_point_is_that_of_the_last_change_before_it() {
        let candidates = [edit(2), plugin(Some("1.2.0"), Some("1.3.0")), edit(3), plugin(Some("1.3.0"), None)];
        let versions: Vec<Value> = (0..=4).map(|point| versions_at(&candidates, point)["acme-mail"].clone()).collect();
        assert_eq!(versions, [json!("1.2.0"), json!("1.2.0"), json!("1.3.0"), json!("1.3.0"), Value::Null]);
        assert_eq!(versions_at(&[edit(2)], 1), Value::Null);
        assert_eq!(version_at(&candidates, 5, "acme-mail"), None, "there is no such point");
    }

    #[test]
    fn what_cannot_be_tried_says_of_which_version_the_code_is_missing() {
        let candidates = [plugin(None, Some("1.2.0"))];
        let why = cannot_be_tried(&candidates, 1, &node("acme-mail.send")).unwrap();
        assert_eq!(
            why,
            "it cannot be tried: 'Mail' (acme-mail.send) is of plugin acme-mail, version 1.2.0, whose code this build does not run"
        );
        let none = cannot_be_tried(&candidates, 0, &node("acme-mail.send")).unwrap();
        assert!(none.ends_with("of which workflows could use no version"), "{none}");
        assert_eq!(cannot_be_tried(&candidates, 1, &node("other.send")), None);
    }

    #[test]
    fn a_plugin_is_untried_where_the_code_of_one_of_its_types_is_not_here() {
        let candidates = [edit(2), plugin(Some("1"), Some("2"))];
        assert_eq!(untried(&candidates, |_| true), Vec::<Value>::new());
        assert_eq!(untried(&candidates, |_| false), [candidates[1].clone()]);
        assert_eq!(counted(&candidates[..1]), "1 changes of the workflow lie between the two runs");
        assert!(counted(&candidates).contains("1 changes of the workflow and 1 of plugins that it uses lie between"));
    }
}
